"""Driver and virtual board as a node of `World.run`, without node.py and roles: for tests of the radio alone."""

from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.phy import framing, modes
from omsnode.firmware.phy.deframer import Deframer

FAMILY = {"S1": "S", "S1-m": "S", "S2": "S", "T1": "T", "C1": "C", "C2": "C", "T+C": "T+C"}


class Station:
    """One board with its driver; every event of `service` is kept in `events`."""

    def __init__(self, world, name, driver=None, **board):
        self.world = world
        self.board = world.add_board(name=name, **board)
        self.radio = Cc1101(
            self.board.spi, self.board.pins["gdo0"], self.board.pins["gdo2"], **(driver or {})
        )
        self.events = []
        self.radio.start(self.board.now_us())
        self.board.take_edges()

    @property
    def due_us(self):
        return self.radio.due_us

    def step(self, edges, lost):
        self.events += self.radio.service(self.board.now_us(), edges)

    def listen(self, mode, direction=modes.UP):
        family = "S" if (mode, direction) == ("T2", modes.DOWN) else FAMILY.get(mode, mode[0])
        self.radio.configure(mode, direction)
        self.radio.listen(Deframer(family), self.board.now_us())

    def send(self, mode, chips, direction=modes.UP, in_us=5000):
        """Prepare and arm; returns the instant that was asked for."""
        self.radio.configure(mode, direction)
        self.radio.prepare(chips, self.board.now_us())
        at_us = self.board.now_us() + in_us
        self.radio.transmit(at_us)
        return at_us

    def kinds(self, kind):
        return [event for event in self.events if event.kind == kind]

    @property
    def frames(self):
        return [event.frame for event in self.kinds("frame")]

    @property
    def faults(self):
        return self.radio.counters["faults"]


def frame(length, frame_format="A", seed=0):
    """A frame with link CRCs whose L-field on the air is `length`; its bytes follow a fixed rule."""
    on_air = framing.frame_bytes(length, frame_format)
    content = bytes((seed + 37 * i + (i * i >> 3)) & 0xFF for i in range(256))
    if frame_format == "A":
        return bytes(frame_a.build(bytes([length]) + content[:length]))
    for n in range(9, 256):
        try:
            built = bytes(frame_b.build(bytes([n]) + content[:n]))
        except Exception:
            continue
        if built[0] == length and len(built) == on_air:
            return built
    raise AssertionError(length)


def pair(seed=0, receiver=None, sender=None, **board):
    world = World(seed=seed)
    return world, Station(world, "sender", sender), Station(world, "receiver", receiver, **board)


def chips(mode, data, direction=modes.UP, frame_format="A"):
    return framing.chips(modes.find(mode, direction), data, frame_format)
