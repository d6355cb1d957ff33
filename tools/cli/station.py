"""A radio on this machine: board and driver together, the clock, and a clean end."""

import contextlib
import importlib
import signal
import sys
import time

from omsnode.board import hats
from omsnode.firmware import radios
from omsnode.firmware.errors import ConfigError, OmsError
from omsnode.firmware.host import captures, mixed
from omsnode.firmware.node import Node
from omsnode.firmware.phy.burst import submodes
from omsnode.firmware.roles.collector import Collector
from omsnode.firmware.two_way import TwoWay

from . import output

HATS = tuple(hats.names(hats.LINUX, hats.VIRTUAL))

# By chip: where its driver is, the pins that it must have, and those that it takes where the HAT has them.
_DRIVERS = {
    "cc1101": ("omsnode.drivers.cc1101", "Cc1101", ("gdo0", "gdo2"), ()),
    "sx1262": ("omsnode.drivers.sx1262", "Sx1262", ("busy", "dio1", "reset"), ("txen", "rxen")),
}


def driver(board, hat, **options):
    """The driver for the chip of a row of board/hats.py. options: those of the driver."""
    module, name, needed, extra = _DRIVERS[hat.chip]
    lines = {line: board.pins.get(line) for line in needed + extra}
    missing = [
        line for line in needed if lines[line] is None and line != "reset"
    ]  # a chip can do without being reset
    if missing:
        raise ConfigError(
            "{} names no GPIO for {}".format(hat.name, ", ".join(missing)), hint="as in --hat NAME,dio1=16"
        )
    make = getattr(importlib.import_module(module), name)
    given = {line: pin for line, pin in lines.items() if pin is not None or line in needed}
    return make(board.spi, hat=hat, **given, **options)


def virtual(world, name, place=None, hat_name="virtual", **options):
    """(board, driver) of a virtual HAT in a World. options: those of the driver."""
    board = world.add_board(hat_name.partition(",")[0], name=name, position=place)
    return board, driver(board, hats.find(hat_name), **options)


@contextlib.contextmanager
def open(hat_name, **options):
    """(board, driver) of a HAT of this machine; RadioError with a hint what is missing, ConfigError if the name is none. options:
    those of the driver."""
    hat = hats.find(hat_name)
    if hat.platform != hats.LINUX:
        raise ConfigError(
            "{} is wired to a microcontroller, not to this machine".format(hat_name),
            hint="here: " + ", ".join(HATS),
        )
    from omsnode.board import linux

    with linux.open_board(hat) as board:
        radio = driver(board, hat, **options)
        try:
            yield board, radio
        finally:
            # Whatever ended us: a radio that is left alone neither sends nor draws current.
            with contextlib.suppress(OmsError, OSError):
                radio.sleep(board.now_us())


@contextlib.contextmanager
def open_all(wanted):
    """(board, [(board, driver), ...]) of several HATs: the first board is all of them as one. wanted: [(name, options)]."""
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(open(name, **options)) for name, options in wanted]
        if len(pairs) == 1:
            yield pairs[0][0], pairs
            return
        from omsnode.board import linux

        yield linux.Joined([board for board, _ in pairs]), pairs


def several(
    board, pairs, modes, role, store=None, deliver=None, state=None, wall_of=None, gateway=None, own=None
):
    """A node over several radios that hear for one collector. board, pairs: as of `open_all`. modes: name and mode of each.
    wall_of: the clock, None for that of the system. gateway: around that collector, with the radio named `own`; the others only
    hear."""
    shared, ledger = radios.Shared(mixed.Beside(gateway, own) if gateway else role), radios.SharedLedger()
    clock = wall_of or wall(board)
    nodes = []
    for (one, driver), (name, mode) in zip(pairs, modes, strict=True):
        if gateway and name == own:
            gateway.name = name
            nodes.append(TwoWay(one, driver, gateway, store, deliver, clock, state, ledger))
        else:
            nodes.append(Node(one, driver, shared.member(name, mode), store, deliver, clock, state, ledger))
    return radios.Radios(board, nodes, shared, _tell)


def gathered(board, pairs, radios_, role, store, deliver, state, counter=None, wall_of=None, decoder=None):
    """(node, function to be called while the radio has time, or None) of a collector over these config.Radios, the first of which
    is that of its gateway. role: the collector. deliver: of what is told. counter: _gateway.Counter, then it is a gateway.
    decoder: of captures, or None."""
    first = radios_[0]
    modes = [(one.name, one.mode) for one in radios_]
    between = captures.Captures(deliver, wall_of, decoder)
    gateway = counter.role(role, state, first) if counter else None
    if len(pairs) > 1:
        node = several(board, pairs, modes, role, store, between.deliver, state, wall_of, gateway, first.name)
        doing, speaks = node.nodes[0], node.shared.role
    else:
        kind, speaks = (TwoWay, gateway) if gateway else (Node, role)
        node = doing = kind(*pairs[0], speaks, store, between.deliver, wall_of, state)
    bursts = [one.name for one in radios_ if one.burst]
    if bursts:
        between.attach(gateway if gateway and first.burst else speaks, doing, bursts[0])
    if counter:
        counter.open(node, wall_of)
    if not counter and not (bursts and decoder):
        return node, None

    def look():
        between.look()
        if counter:
            counter.look()

    return node, look


def collector(meters, one, others, costly=False, decode=None, **more):
    """The Collector of these config.Radios: over link frames, bursts, or both. one: the radio that `start` sets up, others: beside
    it. costly: somebody fetches captures."""
    if decode:
        more["decode"] = decode
    uplinks = [radio.mode for radio in (one, *others) if radio.burst]
    if not uplinks:
        return Collector(meters, one.mode, one.name, **more)
    return mixed.MixedCollector(
        meters, one.mode, submodes.base(uplinks[0]), costly=costly, radio_name=one.name, **more
    )


def _tell(name, error, pause_us):
    """A radio is given up for a while, or is back."""
    if pause_us is None:
        text = "omsnode: radio {} is back".format(name)
    else:
        what = error or "does not answer"
        text = "omsnode: radio {}: {}; the next attempt in {} s".format(name, what, pause_us // 1000000)
    print(text, file=sys.stderr)


def wall(board):
    """Function from an instant of the board's clock to UTC in us, None while the system clock is not set."""

    def utc_us(at_us):
        return output.sane(time.time_ns() // 1000 - (board.now_us() - at_us))

    return utc_us


def until_interrupted(node, work):
    """Run until it ends, or Ctrl-C or SIGTERM come; then counters on standard error. Returns the exit status 0."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work()
    except KeyboardInterrupt:
        pass
    finally:
        node.stop()
        print(output.summary(node), file=sys.stderr)
    return 0


def carries(hat):
    """Function that says whether the radio can send a stream of chips, None if it can send any."""
    if hat.chip != "sx1262":
        return None
    from omsnode.drivers.sx1262 import profiles

    return lambda chips: profiles.left_out(chips) is not None
