"""Several senders take turns, so that frames follow each other faster than one chip could send them."""

import functools

from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.phy import framing, modes, radio
from omsnode.firmware.roles.actions import Transmit
from omsnode.firmware.roles.collector import Collector
from omsnode.tools.bench import radio as bench
from support_link import LENGTHS_A, LENGTHS_B
from support_link import frame_a as independent_a
from support_link import frame_b as independent_b

# mode, frame format. S1-m is S1 with the short header.
SENT = (("T1", "A"), ("C1", "A"), ("C1", "B"), ("S1-m", "A"))
HEARD = {"T1": ("T1", modes.T_AND_C), "C1": ("C1", modes.T_AND_C), "S1-m": ("S1-m",)}
LINKS = [(mode, frame_format, heard) for mode, frame_format in SENT for heard in HEARD[mode]]

LATE_US = 2000
SENDERS = 4
# A driver asks for the service that strobes this much before the instant it aims at, if its host was 2 ms late lately.
EARLY_US = 3200
FIRST_US = 60000


def lengths(frame_format):
    return LENGTHS_B if frame_format == "B" else LENGTHS_A


@functools.cache
def frame(length, frame_format):
    """Made by the tests' own CRC and block rules, not by the code under test."""
    return (independent_b if frame_format == "B" else independent_a)(length)


class Turn:
    """A role that sends [(stream, instant in us)], each armed when the one before has been sent."""

    due_us = None

    def __init__(self, mode, plan):
        self.mode = mode
        self.plan = plan
        self.events = []

    def start(self, now_us):
        return self._next()

    def tick(self, now_us, wall_us=None):
        return []

    def _next(self):
        if not self.plan:
            return []
        stream, at_us = self.plan.pop(0)
        return [Transmit(self.mode, modes.UP, stream, at_us, b"", None, 0)]

    def feed(self, event, now_us, wall_us=None):
        self.events.append(event)
        return self._next() if event.kind != radio.FAULT else []


class Ear(Collector):
    """A collector that also keeps the frames it is fed, and when something was rejected."""

    def __init__(self, mode):
        super().__init__((), mode)
        self.frames = []
        self.rejected_us = []  # instant behind the sync word

    def feed(self, event, now_us, wall_us=None):
        if event.kind == radio.FRAME:
            self.frames.append((event.frame, event.frame_format))
        elif event.kind == radio.REJECTED:
            self.rejected_us.append(event.at_us)
        return super().feed(event, now_us, wall_us)

    def misled(self, burst):
        """True if the last noise chips before this burst and its first ones together looked like a sync word: in T and C
        14 and two chips, one frame in 2 ** 14. By the time that is found out the true one is over."""
        start_us = burst.transmission.start_ns // 1000
        header_us = 15 * 1000000 // burst.transmission.chip_rate_cps
        return any(start_us <= at_us <= start_us + header_us for at_us in self.rejected_us)


class Host:
    """A node for World.run whose services come late, each by another delay; from the end of a frame on, as `hold` tells,
    by the same one, because one frame may take more than one service from there on."""

    def __init__(self, node, draw):
        self.node = node
        self.board = node.board
        self.draw = draw
        self._delay_us = None  # of the service to come, None during a service
        self._held_us = None

    @property
    def due_us(self):
        return self.node.due_us

    def step(self, edges, lost):
        self._delay_us = None
        self.node.step(edges, lost)

    def next_delay_us(self, _):
        self._delay_us = self.draw(self) if self._held_us is None else self._held_us
        return self._delay_us

    def hold(self):
        """Keep the delay of the service that is to come and return it."""
        if self._held_us is None:
            self._held_us = self.draw(self) if self._delay_us is None else self._delay_us
        return self._held_us

    def release(self):
        self._held_us = None


def relay(world, mode, frames, frame_format, spacing_us, options=None):
    """([nodes of the senders], instant when all is over in us)."""
    row = modes.find(mode)
    plans = [[] for _ in range(SENDERS)]
    at_us = FIRST_US
    for number, data in enumerate(frames):
        stream = framing.chips(row, data, frame_format)
        plans[number % SENDERS].append((stream, at_us))
        at_us += (len(stream) + 1) * 8 * 1000000 // row.chip_rate_cps + spacing_us + EARLY_US
    nodes = []
    for plan in plans:
        nodes.append(bench.node(world, "sender{}".format(len(nodes)), Turn(mode, plan), options))
        # Turns follow each other too fast for the 0.1 s in which a driver finds this out before it sends.
        nodes[-1].radio.late_us = LATE_US
    return nodes, at_us + 30000


def collector(world, heard, options=None, **driver):
    """(node, its readings)."""
    readings = []
    return bench.node(world, "receiver", Ear(heard), options, readings.append, **driver), readings


def on_the_air(mode, data, frame_format, transmission):
    """The transmission as a Burst, after a look that what is on the air is what the standard wants: header, coded frame
    and trailer, chip by chip, with one byte more if the stream was a multiple of 256 bytes long."""
    row = modes.find(mode)
    stream = framing.chips(row, data, frame_format)
    packed = transmission.packed
    assert len(transmission.chips) % 8 == 0
    assert len(packed) == len(stream) + (len(stream) % 256 == 0)
    at = packed.find(stream)
    assert at >= 0
    return bench.Burst(transmission, data, frame_format, 8 * at + bench.needed_chips(row, data, frame_format))


def telegram(data, frame_format):
    return (frame_b if frame_format == "B" else frame_a).strip(data)


_CODED_BYTES = {"T1": lambda n: (3 * n + 1) // 2, "C1": lambda n: n + 2, "S1-m": lambda n: 2 * n}
_EDGES = (64, 128, 255, 256, 257, 512)  # bytes: FIFO, 8-bit counters
_SHEET = {"T1": 149, "C1": 223, "S1-m": 111}  # a multiple of 256 bytes (CC1101 sheet 6.1)


@functools.cache
def special_lengths(mode, frame_format):
    """Shortest, longest, and those whose bytes behind the sync word, or whose stream as a whole, are a multiple of 256 or
    the first to reach the size of a FIFO or a counter."""
    legal = lengths(frame_format)
    chosen = {legal[0], legal[-1], _SHEET[mode]}
    coded = [_CODED_BYTES[mode](len(frame(length, frame_format))) for length in legal]
    streams = [len(framing.chips(modes.find(mode), frame(n, frame_format), frame_format)) for n in legal]
    for totals in (coded, streams):
        totals = dict(zip(legal, totals, strict=True))
        chosen |= {length for length in legal if totals[length] % 256 == 0}
        for edge in _EDGES:
            chosen |= {length for length in legal if totals[length] >= edge > totals.get(length - 1, 0)}
    return sorted(chosen)
