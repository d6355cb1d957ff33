"""The SPI slave of the SX1262: one command per chip-select period, BUSY, status byte (sheet section 1)."""

from ..faults import flipped
from . import commands as C

_SHORTEST_BYTE_NS = 500  # 16 MHz
_WAKES = (0xC0, 0x80, 0x00)  # what drivers send to a sleeping chip, knowing that it is lost


class SpiSlave:
    """A third of the chip: what happens on the bus."""

    # --- SPI ---

    def transfer(self, data, hz=None):
        """One chip-select period: bytes in on MOSI, the same number out on MISO. The world moves on meanwhile."""
        world = self.world
        byte_ns = int(8e9 / (hz or self.byte_hz))
        if byte_ns < _SHORTEST_BYTE_NS:
            self.violation("SPI faster than 16 MHz")
        world.advance(world.now_ns + self.transfer_ns // 2)
        if self.selected:
            data = bytes(data) if self.mosi_stuck is None else bytes((self.mosi_stuck,)) * len(data)
            answer = self._exchange(flipped(data, self.bit_flips, self.rng), byte_ns)
        else:
            answer = bytearray(b"\xff" * len(data))
            world.advance(world.now_ns + len(data) * byte_ns)
        world.advance(world.now_ns + self.transfer_ns // 2)
        if self.miso_stuck is not None:
            return bytes((self.miso_stuck,)) * len(answer)
        return flipped(bytes(answer), self.bit_flips, self.rng)

    def _exchange(self, data, byte_ns):
        world = self.world
        end_ns = world.now_ns + len(data) * byte_ns
        lost = bytearray((self.options.busy_miso,)) * len(data)
        if not self.powered or self.in_reset:
            world.advance(end_ns)
            return lost
        if self.mode == "SLEEP":
            self._wake(data)
            world.advance(end_ns)
            return lost
        if self.busy():
            self.violation("{} while BUSY".format(_name(data)))
            if self.stuck or self.mode == "START" or self.options.busy_command == "ignored" or not data:
                world.advance(end_ns)
                return lost
            garbled = bytearray(data)
            garbled[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
            world.advance(end_ns)
            self._execute(bytes(garbled))
            return bytearray(self.rng.getrandbits(8) for _ in data)
        if self.stuck or not data:
            world.advance(end_ns)
            return bytearray((self.status_byte(),)) * len(data)
        if self.refuse:
            self.refuse -= 1
            world.advance(end_ns)
            return lost
        shown = self.command_status
        answer = bytearray((self.status_byte(),)) * len(data)
        self._answer(data, answer, byte_ns)
        world.advance(end_ns)
        if self.powered and self.mode not in ("START", "SLEEP"):  # a brown-out may have hit in the middle
            if self.command_status == shown and (data[0] not in C.READS or shown not in (2, 6)):
                self.command_status = 0
            self._execute(data)
        return answer

    def _wake(self, data):
        """Chip select falls while the chip sleeps: it wakes, what is sent is lost [1]."""
        now = self.world.now_ns
        if now < self.sleep_from + C.SLEEP_GUARD_US * 1000:
            self.violation("{} within 500 us after SetSleep".format(_name(data)))
            return
        if data and data[0] not in _WAKES:
            self.violation("{} in SLEEP: it only wakes the chip".format(_name(data)))
        self.duty = None
        self.wake_up(self._awake)

    def _answer(self, data, answer, byte_ns):
        """The data bytes of a read command, each as it is clocked out."""
        row = C.BY_OPCODE.get(data[0])
        if row is None or row.answer == 0:
            return
        world = self.world
        head = 2 + row.fewest
        if len(data) <= head:
            return
        world.advance(world.now_ns + head * byte_ns)
        if row.answer is not None:
            value = getattr(self, "_read_" + row.name)()[: len(data) - head]
            answer[head : head + len(value)] = value
            return
        read = self._buffer_byte if row.name == "ReadBuffer" else self.read_register
        address = int.from_bytes(data[1 : 1 + row.fewest], "big")
        at = head
        while at < len(data):
            run = max(1, min(len(data) - at, (world.horizon_ns() - world.now_ns) // byte_ns))
            for i in range(at, at + run):
                answer[i] = read(address + i - head)
            at += run
            world.advance(world.now_ns + run * byte_ns)

    def _buffer_byte(self, offset):
        return self.buffer[offset & 0xFF]

    def _execute(self, data):
        """Chip select rises: the command happens."""
        row = C.BY_OPCODE.get(data[0])
        fresh, self.fresh_rx = self.fresh_rx, False
        if row is None:
            self.violation("opcode {:02X} does not exist".format(data[0]))
            self._fail(self.options.unknown_opcode_status)
            return
        parameters = data[1:]
        if len(parameters) < row.fewest + (1 if data[0] in C.READS else 0):
            self.violation("{} with {} parameters".format(row.name, len(parameters)))
            self._fail(C.PROCESSING_ERROR)
            return
        if data[0] in C.READS:
            self._busy_for(self.options.command_us * 1000)
            if row.name == "GetStatus" and fresh and self.options.getstatus_upsets_rx:
                self._SetTx(bytes(3))
            return
        if row.most is not None and len(parameters) > row.most:
            self.violation("{} with {} parameters".format(row.name, len(parameters)))
            parameters = parameters[: row.most]
        if row.modes == C.STANDBY and self.mode not in ("STDBY_RC", "STDBY_XOSC"):
            self.violation("{} in {}".format(row.name, self.mode))
            if self.options.wrong_mode == "refused":
                self._fail(C.EXECUTION_FAILURE)
                return
        self._busy_for(self.options.command_us * 1000)
        getattr(self, "_" + row.name)(parameters)
        self.changed()

    def _fail(self, status):
        self.command_status = status
        self._busy_for(self.options.command_us * 1000)

    def status_byte(self):
        options = self.options
        return (
            options.status_reserved << 7
            | C.MODES.get(self.mode, 2) << 4
            | (self.command_status or options.status_idle) << 1
        )


def _name(data):
    if not data:
        return "chip select"
    row = C.BY_OPCODE.get(data[0])
    return row.name if row else "opcode {:02X}".format(data[0])
