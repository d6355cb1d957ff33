"""A radio on this machine: board and driver together, the clock, and a clean end."""

import contextlib
import signal
import sys
import time

from omsnode.board import hats
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import ConfigError, OmsError

from . import output

HATS = tuple(row.name for row in hats.HATS if row.platform in (hats.LINUX, hats.VIRTUAL))


@contextlib.contextmanager
def open(hat_name):
    """(board, driver) of a HAT of this machine; RadioError with a hint what is missing."""
    hat = hats.find(hat_name)
    if hat.platform != hats.LINUX:
        raise ConfigError(
            "{} is wired to a microcontroller, not to this machine".format(hat_name),
            hint="here: " + ", ".join(HATS),
        )
    from omsnode.board import linux

    with linux.open_board(hat) as board:
        driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"], hat=hat)
        try:
            yield board, driver
        finally:
            # Whatever ended us: a radio that is left alone neither sends nor draws current.
            with contextlib.suppress(OmsError, OSError):
                driver.sleep(board.now_us())


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
