"""A radio on this machine: board and driver together, the clock, and a clean end."""

import contextlib
import importlib
import signal
import sys
import time

from omsnode.board import hats
from omsnode.firmware.errors import ConfigError, OmsError

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


@contextlib.contextmanager
def open(hat_name):
    """(board, driver) of a HAT of this machine; RadioError with a hint what is missing, ConfigError if the name is none."""
    hat = hats.find(hat_name)
    if hat.platform != hats.LINUX:
        raise ConfigError(
            "{} is wired to a microcontroller, not to this machine".format(hat_name),
            hint="here: " + ", ".join(HATS),
        )
    from omsnode.board import linux

    with linux.open_board(hat) as board:
        radio = driver(board, hat)
        try:
            yield board, radio
        finally:
            # Whatever ended us: a radio that is left alone neither sends nor draws current.
            with contextlib.suppress(OmsError, OSError):
                radio.sleep(board.now_us())


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
