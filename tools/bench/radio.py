"""What the CC1101 driver asks of its host and of the spacing of frames, measured on the chip model.

Dead time: from the end of the last chip of a frame until the receiver hears again, with a host that serves at once.
Spacing: from the same end to the first chip of the next header. Service delay: the same for every service; loss begins
at the first one with which a frame of the greatest length does not come through. 64 bytes at the chip rate is what the
FIFO allows anybody. SPI as on a Raspberry Pi: 4 MHz and 20 us per transfer (board/virtual).
"""

import itertools
from collections import namedtuple

from omsnode.board.virtual import Transmission, World, unpack
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.cc1101.driver import INTERVAL_US, PER_FRAME
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.node import Node
from omsnode.firmware.phy import framing, modes, radio
from omsnode.firmware.roles.actions import Listen, Transmit

# (mode, frame format, what the receiver listens to). S1-m has the short header, the harder case for a spacing.
LINKS = (
    ("T1", "A", "T1"),
    ("T1", "A", modes.T_AND_C),
    ("C1", "A", "C1"),
    ("C1", "A", modes.T_AND_C),
    ("C1", "B", "C1"),
    ("C1", "B", modes.T_AND_C),
    ("S1-m", "A", "S1-m"),
)
POLICIES = {"every {} s".format(INTERVAL_US // 1000000): INTERVAL_US, "every frame": PER_FRAME}

LONGEST = 255
SOME_LENGTHS = (11, 12, 13, 14, 15, 16, 17, 18, 40, 41, 97)
FIFO_BYTES = 64
LATE_US = 2000
_SETTLE_US = 5000  # from start to the first header, with a host that is not late: the receiver has calibrated
_QUIET_US = 30000  # between frames of which each is to stand alone
_RUNS = 4
_CODED_CHIPS = {modes.NRZ: 8, modes.THREE_OF_SIX: 12, modes.MANCHESTER: 16}

# A transmission ready for the air, what it carries, and how many of its chips a receiver needs.
Burst = namedtuple("Burst", ("transmission", "frame", "frame_format", "needed_chips"))


def frame(length, frame_format="A", seed=0):
    """A frame with this L-field on the air, its content all different bytes."""
    behind = length if frame_format == "A" else length - (2 if length <= 127 else 4)
    content = bytes((97 * i + 41 * length + seed) & 0xFF for i in range(behind))
    build = frame_b.build if frame_format == "B" else frame_a.build
    return build(bytes((behind,)) + content)


def needed_chips(row, data, frame_format):
    """From the first chip of the shortest header to the last one of the last link CRC."""
    return 2 * row.preamble_pairs + row.sync[frame_format][1] + len(data) * _CODED_CHIPS[row.coding]


def burst(mode, data, frame_format="A"):
    """As the mode table wants it, to the last chip needed: no trailer, so that a header may follow at once."""
    row = modes.find(mode)
    needed = needed_chips(row, data, frame_format)
    chips = unpack(framing.chips(row, data, frame_format))[:needed]
    sent = Transmission(0, chips, float(row.chip_rate_cps), float(row.frequency_hz), float(row.deviation_hz))
    return Burst(sent, data, frame_format, needed)


class Ear:
    """A role that listens to one mode and keeps what it hears."""

    due_us = None

    def __init__(self, mode):
        self.mode = mode
        self.events = []

    def start(self, now_us):
        return [Listen(self.mode, modes.UP)]

    def tick(self, now_us, wall_us=None):
        return []

    def feed(self, event, now_us, wall_us=None):
        self.events.append(event)
        return []

    def heard(self):
        """(frame, format) of each frame."""
        return [(event.frame, event.frame_format) for event in self.events if event.kind == radio.FRAME]


class Unlimited:
    """Stands for the duty-cycle ledger: nothing leaves this machine."""

    def check(self, frequency_hz, air_time_us, at_us):
        pass

    def book(self, frequency_hz, air_time_us, at_us):
        pass


def node(world, name, role, options=None, deliver=None, **driver):
    """A node on a board of its own. options: of the chip model. driver: options of the driver."""
    board = world.add_board(name=name, options=options)
    chip = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"], **driver)
    return Node(board, chip, role, deliver=deliver, ledger=Unlimited())


class Train:
    """Puts bursts on the air, each `spacing()` microseconds behind the last needed chip of the one before; asked when that
    chip has ended."""

    def __init__(self, world, bursts, spacing, start_us=_SETTLE_US):
        self._world = world
        self._bursts = iter(bursts)
        self._spacing = spacing
        self.done = False
        self._next(start_us * 1000)

    def _next(self, start_ns):
        one = next(self._bursts, None)
        if one is None:
            self.done = True
            return
        one.transmission.start_ns = start_ns
        sent = self._world.air.transmit(one.transmission)
        self.end_ns = sent.time_ns(one.needed_chips)  # of the last needed chip
        self._world.at(self.end_ns / 1000, lambda: self._next(self.end_ns + int(self._spacing() * 1000)))


def receive(link, bursts, spacing_us, recalibrate, late_us=(0, 0), seed=1):
    """(Node of the receiver, Train) after all bursts are over."""
    world = World(seed)
    ear = node(world, "receiver", Ear(link[2]), recalibrate=recalibrate)
    train = Train(world, bursts, lambda: spacing_us, _SETTLE_US + 3 * late_us[1])
    world.run([ear], 1 << 50, lambda: train.done, world.delay(*late_us))
    world.run([ear], world.now_us + _QUIET_US + late_us[1], delay_us=world.delay(*late_us))
    return ear, train


def lossless(link, bursts, spacing_us, recalibrate, late_us=(0, 0), seed=1):
    """Whether every burst is heard, in order and nothing else."""
    ear, _ = receive(link, bursts, spacing_us, recalibrate, late_us, seed)
    return ear.role.heard() == [(one.frame, one.frame_format) for one in bursts]


def dead_times_us(link, recalibrate, lengths=(*SOME_LENGTHS, LONGEST)):
    """Of frames of these lengths, each the first after a pause: [microseconds], rounded up.

    The instant at which the receiver hears again is looked up in the chip model.
    """
    found = []
    for length, seed in itertools.product(lengths, range(_RUNS)):
        world = World(seed)
        ear = node(world, "receiver", Ear(link[2]), recalibrate=recalibrate)
        train = Train(world, [burst(link[0], frame(length, link[1]), link[1])], lambda: 0)
        receiver = ear.board.chip.receiver
        world.run([ear], 1 << 50, lambda train=train: train.done)
        world.run([ear], 1 << 50, lambda train=train, receiver=receiver: receiver.started_ns > train.end_ns)
        assert len(ear.role.heard()) == 1
        found.append(-(-(receiver.started_ns - train.end_ns) // 1000))
    return found


def smallest_spacing_us(link, recalibrate, late_us=(0, 0), step_us=10):
    """Of a train of frames of several lengths, to `step_us`; with random delays that of the worst of several runs."""
    bursts = [burst(link[0], frame(length, link[1]), link[1]) for length in SOME_LENGTHS]
    seeds = range(_RUNS if late_us[1] else 1)

    def good(spacing_us):
        return all(lossless(link, bursts, spacing_us, recalibrate, late_us, seed) for seed in seeds)

    return 0 if good(0) else _bisect(good, 8000, 0, step_us)


def loss_from_us(works, limit_us, step_us=10):
    """The first constant service delay with which `works(delay_us)` is false, None if there is none below limit_us."""
    coarse_us = limit_us // 20
    for delay_us in range(coarse_us, limit_us + 1, coarse_us):
        if not works(delay_us):
            return _bisect(lambda us: not works(us), delay_us, delay_us - coarse_us, step_us)
    return None


def _bisect(true_for, yes, no, step):
    """The least value, to `step`, for which true_for is true; it is for `yes` and not for `no`."""
    while yes - no > step:
        middle = (yes + no) // 2
        if true_for(middle):
            yes = middle
        else:
            no = middle
    return yes


def late_receiver(link, recalibrate, lengths=(LONGEST,)):
    """The constant service delay at which frames begin to be lost by the receiver."""
    bursts = [burst(link[0], frame(length, link[1]), link[1]) for length in lengths]

    def works(delay_us):
        return lossless(link, bursts, _QUIET_US + delay_us, recalibrate, (delay_us, delay_us))

    return loss_from_us(works, 2 * fifo_us(link[0]))


class Speaker:
    """A role that sends one frame after the other, each `lead_us` after the last was reported sent."""

    def __init__(self, mode, frames, frame_format="A", lead_us=30000):
        self.mode = mode
        self.row = modes.find(mode)
        self.frames = list(frames)
        self.frame_format = frame_format
        self.lead_us = lead_us
        self.sent = 0
        self.failed = None  # the first event that is not SENT
        self.due_us = None

    def start(self, now_us):
        self.due_us = now_us
        return []

    def tick(self, now_us, wall_us=None):
        self.due_us = None
        return self.send(now_us + self.lead_us)

    def send(self, at_us):
        if not self.frames:
            return []
        stream = framing.chips(self.row, self.frames.pop(0), self.frame_format)
        return [Transmit(self.mode, self.row.direction, stream, at_us, b"", None, 0)]

    def feed(self, event, now_us, wall_us=None):
        if event.kind != radio.SENT:
            self.failed = self.failed or event
            return []
        self.sent += 1
        return self.send(now_us + self.lead_us)


def send(mode, frames, frame_format, late_us=0, lead_us=30000):
    """(transmissions of one sender, None) or, when one of the frames was not sent, (those so far, why)."""
    world = World(1)
    speaker = node(world, "sender", Speaker(mode, frames, frame_format, lead_us))
    role = speaker.role
    world.run(
        [speaker],
        len(frames) * 1000000,
        lambda: role.sent == len(frames) or role.failed,
        world.delay(late_us, late_us),
    )
    return world.air.log, role.failed and (role.failed.code or role.failed.kind)


def late_sender(mode, frame_format):
    """(the constant service delay at which a sender fails, why): its FIFO runs empty, or the instant is missed."""
    frames = [frame(LONGEST, frame_format)]
    found = loss_from_us(lambda late: send(mode, frames, frame_format, late)[1] is None, 2 * fifo_us(mode))
    return found, send(mode, frames, frame_format, found)[1]


def sender_gap_us(mode, frame_format):
    """The smallest silence between two frames of one sender that prepares the next when the last was sent."""
    frames = [frame(length, frame_format) for length in SOME_LENGTHS]
    lead_us = _bisect(lambda lead: send(mode, frames, frame_format, 0, lead)[1] is None, 8000, 0, 10)
    log, _ = send(mode, frames, frame_format, 0, lead_us)
    return round(min(two.start_ns - one.end_ns for one, two in zip(log, log[1:], strict=False)) / 1000)


def fifo_us(mode):
    """How long the chip's FIFO takes to fill, or to run empty, at the chip rate of the mode."""
    return round(FIFO_BYTES * 8e6 / modes.find(mode).chip_rate_cps)


def measure():
    """{"receiver": rows, "sender": rows}; every figure in microseconds."""
    receiver, sender = [], []
    for link in LINKS:
        for policy, recalibrate in POLICIES.items():
            dead_us = dead_times_us(link, recalibrate)
            receiver.append(
                {
                    "sent": link[0],
                    "format": link[1],
                    "heard_as": link[2],
                    "recalibration": policy,
                    "dead_least_us": min(dead_us),
                    "dead_us": max(dead_us),
                    "spacing_us": smallest_spacing_us(link, recalibrate),
                    "spacing_late_us": smallest_spacing_us(link, recalibrate, (0, LATE_US)),
                    "loss_from_us": late_receiver(link, recalibrate),
                    "fifo_us": fifo_us(link[0]),
                }
            )
        if link[0] == link[2]:
            found, why = late_sender(link[0], link[1])
            sender.append(
                {
                    "sent": link[0],
                    "format": link[1],
                    "gap_us": sender_gap_us(link[0], link[1]),
                    "loss_from_us": found,
                    "loss": why,
                    "fifo_us": fifo_us(link[0]),
                }
            )
    return {"receiver": receiver, "sender": sender}


_RECEIVER = "{:<7} {:<9} {:<12} {:>13} {:>9} {:>7} {:>10} {:>9}"
_SENDER = "{:<7} {:>9} {:>11}  {:<13} {:>9}"


def lines(found):
    """What `measure` found, to read."""
    yield "Receiver; milliseconds. Spacing: from the last chip of a frame to the first chip of the next header, with a"
    yield "host that serves at once, and with one that is up to 2 ms late. Lost from: constant delay of every service."
    yield _RECEIVER.format(
        "", "heard as", "calibrates", "dead time", "spacing", "late", "lost from", "64 bytes"
    )
    for row in found["receiver"]:
        yield _RECEIVER.format(
            row["sent"] + " " + row["format"],
            row["heard_as"],
            row["recalibration"],
            "{} - {}".format(_ms(row["dead_least_us"]), _ms(row["dead_us"])),
            _ms(row["spacing_us"]),
            _ms(row["spacing_late_us"]),
            _ms(row["loss_from_us"]),
            _ms(row["fifo_us"]),
        )
    yield "Once in its interval the first policy calibrates too, and takes the dead time of the second."
    yield ""
    yield "Sender; milliseconds. Gap: least silence between two frames of the same chip."
    yield _SENDER.format("", "gap", "fails from", "", "64 bytes")
    for row in found["sender"]:
        yield _SENDER.format(
            row["sent"] + " " + row["format"],
            _ms(row["gap_us"]),
            _ms(row["loss_from_us"]),
            row["loss"],
            _ms(row["fifo_us"]),
        )


def _ms(us):
    return "none" if us is None else "{:.2f}".format(us / 1000)
