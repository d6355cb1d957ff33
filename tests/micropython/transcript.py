"""A node, a meter and the CC1101 driver that send ten encrypted telegrams: everything the board is asked, on record.

`Player` is a board that answers from such a record (support_record.Recorder made it) and fails at the first call that
differs. Runs on either interpreter.

Record: one letter, then N value | P line level | X count tx rx | W until edges lost (each edge: line level value).
Values are 6 bytes, most significant first, plus 1 (0 is None).
"""

from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.keys import Key

TELEGRAMS = 10
SECURITY_MODE = 5
LINES = ("gdo0", "gdo2")


class Store:
    def __init__(self):
        self.saved = 0

    def save(self, state):
        self.saved += 1


def node(board):
    """An encrypting water meter in mode T1 that sends every minute."""
    profile = Profile(
        Address(0x2C2D, "12345678", 0x1B, 0x16),  # 12345678.M=KAM.V=1b.T=16
        [
            Register(b"\x04", b"\x13", 2098, 25000000),  # volume in litres, growing
            Register(b"\x02", b"\xfd\x17", b"\x00\x00"),  # error flags
            Register(b"\x44", b"\x13", 1999),  # volume at the due date
        ],
        mode="T1",
        nominal_us=60 * 1000000,
        key=Key(bytes(range(16))),
        security_mode=SECURITY_MODE,
    )
    meter = Meter(profile, bytes(8))
    radio = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
    return Node(board, radio, meter, store=Store())


def send(board):
    """Run until the telegrams are out. Returns the node."""
    sender = node(board)
    sender.step()
    while sender.counters.get("sent", 0) < TELEGRAMS:
        edges, lost = board.wait(sender.due_us)
        sender.step(edges, lost)
    return sender


class Player:
    def __init__(self, file):
        self.file = file
        self.buffer = bytearray(65)  # the longest transfer: a header byte and a FIFO
        self.calls = 0
        self.spi_bytes = 0
        self.spi = self
        self.pins = {name: _PlayedPin(self, index) for index, name in enumerate(LINES)}

    def _check(self, what, now, recorded):
        assert now == recorded, "call {}: {} {} instead of {}".format(self.calls, what, now, recorded)

    def _take(self, n):
        self._check("record:", self.file.readinto(memoryview(self.buffer)[:n]), n)
        return self.buffer

    def _expect(self, letter):
        self.calls += 1
        self._check("asks", letter, chr(self._take(1)[0]))

    def _value(self):
        self._take(6)
        number = int.from_bytes(memoryview(self.buffer)[:6], "big")
        return number - 1 if number else None

    def now_us(self):
        self._expect("N")
        return self._value()

    def transfer(self, tx, rx):
        self._expect("X")
        n = self._take(1)[0]
        self._check("SPI bytes", len(tx), n)
        recorded = memoryview(self._take(n))[:n]
        if recorded != tx:
            self._check("SPI sends", bytes(tx).hex(), bytes(recorded).hex())
        rx[:] = memoryview(self._take(n))[:n]
        self.spi_bytes += n

    def wait(self, until_us):
        self._expect("W")
        self._check("wait", until_us, self._value())
        count, lost = self._take(2)[:2]
        edges = []
        for _ in range(count):
            index, level = self._take(2)[:2]
            edges.append((LINES[index], level, self._value()))
        return edges, lost


class _PlayedPin:
    def __init__(self, player, index):
        self.player = player
        self.index = index

    def read(self):
        self.player._expect("P")
        index, level = self.player._take(2)[:2]
        self.player._check("pin", self.index, index)
        return level
