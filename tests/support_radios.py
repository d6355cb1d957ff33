"""Both radios behind one name each: stations to send and receive, frames from nowhere, and the books of a driver."""

import functools

import support_stations
import support_sx1262
from omsnode.board import virtual
from omsnode.board.virtual import World
from omsnode.drivers.sx1262 import limits
from omsnode.firmware.errors import OmsError
from omsnode.firmware.phy import framing, modes
from support_stations import chips

STATIONS = {"cc1101": support_stations.Station, "sx1262": support_sx1262.Station}
RADIOS = tuple(STATIONS)
PAIRS = tuple((sender, receiver) for sender in RADIOS for receiver in RADIOS)

# Every row of the mode table with every frame format, and what else a receiver of it may listen to.
LINKS = tuple(
    (row.name, row.direction, frame_format) for row in modes.every() for frame_format in sorted(row.sync)
)


def heard_as(link):
    """Modes that a receiver of this link may be configured for."""
    mode, direction, _ = link
    return (mode, modes.T_AND_C) if direction == modes.UP and mode[0] in "TC" else (mode,)


def station(kind, world, name, driver=None, **board):
    return STATIONS[kind](world, name, driver, **board)


def pair(kinds, seed=0, world=None, sender=None, receiver=None):
    """(world, sender, receiver). sender, receiver: settings of the boards."""
    world = world or World(seed=seed)
    return (
        world,
        station(kinds[0], world, "sender", **(sender or {})),
        station(kinds[1], world, "receiver", **(receiver or {})),
    )


@functools.cache
def _longest(link):
    return limits.longest(modes.find(*link[:2]), link[2])


def possible(kind, link, length):
    """Can this chip send a frame with this L-field?"""
    try:
        framing.frame_bytes(length, link[2])
    except OmsError:
        return False
    return kind == "cc1101" or length <= _longest(link)


def on_air(world, link, data, at_ns, **more):
    """A frame from nowhere, with the values of the mode table; returns the Transmission. more: its power_dbm, source."""
    mode, direction, frame_format = link
    row = modes.find(mode, direction)
    bits = virtual.unpack(chips(mode, data, direction, frame_format))
    sent = virtual.Transmission(
        int(at_ns),
        bits,
        float(row.chip_rate_cps),
        float(row.frequency_hz),
        float(row.deviation_hz),
        row.modulation,
        **more,
    )
    return world.air.transmit(sent)


def put_away(made):
    """Begin with no events; `balanced` still knows those before."""
    made.past = getattr(made, "past", []) + made.events
    made.events = []


def balanced(made):
    """Every event was counted, and nothing else."""
    counters = made.radio.counters
    events = getattr(made, "past", []) + made.events
    for kind, name in (("frame", "frames"), ("sent", "sent"), ("too_late", "too_late")):
        assert counters[name] == len([event for event in events if event.kind == kind]), name
    for kind, name in (("rejected", "rejects"), ("fault", "faults")):
        codes = {}
        for event in [event for event in events if event.kind == kind]:
            code = event.error.code if kind == "rejected" else event.code
            codes[code] = codes.get(code, 0) + 1
        assert counters[name] == codes, name
