"""What the self-tests of the drivers have in common: a finding, and the passing of time on a board.

A self-test is a function `check(board, hat)`: a generator of findings in the order of the steps. It talks to the chip as
the datasheet allows and trusts no wire before that is tested: whatever is still answered through others tells which one
is wrong. Nothing is sent on the air.
"""

from collections import namedtuple

from omsnode.firmware.portable import const

OK = "ok"
WARNING = "warning"  # works, or cannot be judged; a person should know
FAILED = "failed"
SKIPPED = "skipped"

# step: what was looked at. verdict: as above. found: what was seen. wires: names of the lines or settings that are
# wrong, the likeliest first (as in board/hats.py; "supply" for VCC and GND). hint: what to do.
Finding = namedtuple("Finding", ("step", "verdict", "found", "wires", "hint"))

DEAD = "dead"  # nothing but 00 or FF comes back
ECHO = "echo"  # the same byte whatever is asked: the chip's status, so only its ears are closed
ANSWERS = "answers"

_TOO_LOUD_DBM = const(-80)


def ok(step, found):
    return Finding(step, OK, found, (), "")


def warning(step, found, hint="", *wires):
    return Finding(step, WARNING, found, wires, hint)


def failed(step, found, hint, *wires):
    return Finding(step, FAILED, found, wires, hint)


def skipped(step, found):
    return Finding(step, SKIPPED, found, (), "")


def quiet(level_dbm):
    """Finding of a receiver that hears `level_dbm` while nobody should be sending."""
    if level_dbm > _TOO_LOUD_DBM:
        hint = "a strong transmitter, or noise of the host: move the antenna"
        return warning("receiver", "{} dBm all the time".format(level_dbm), hint)
    return ok("receiver", "receives; {} dBm without a signal".format(level_dbm))


def pause(board, us):
    """Let so many microseconds pass; returns the edges of that time."""
    end_us = board.now_us() + us
    seen = []
    while board.now_us() < end_us:
        edges, _ = board.wait(end_us)
        seen += edges
    return seen


def rose(edges, line):
    """True if the line has a rising edge among them."""
    return any(name == line and level for name, level, _ in edges)


def kind(answers, mask=0xFF):
    """DEAD, ECHO or ANSWERS of all that came back for different questions. mask: bits that stay in an echo."""
    values = set()
    for answer in answers:
        values.update(answer)
    if values <= {0x00} or values <= {0xFF}:
        return DEAD
    return ECHO if len({value & mask for value in values}) == 1 else ANSWERS


def sub_modes(chip, hat=None):
    """What a chip ("cc1101", "sx1262") achieves in every burst sub-mode, for a table: generator of (name, side, rows, label).

    side: "tx", then "rx". rows: list of drivers.submodes.Row, achieved values beside the limits of Annex Q. label: None if all
    are inside; else the sub-mode is refused unless the owner sets beyond_limits, and this line goes with what comes of it.
    hat: row of board/hats.py, for its crystal or TCXO; None: 26 MHz, a TCXO.
    """
    from omsnode.firmware.phy.burst import submodes as burst

    from . import submodes

    if chip == "cc1101":
        from .cc1101 import submodes as core

        settings = (hat.crystal_hz,) if hat else ()
    else:
        from .sx1262 import submodes as core

        settings = (bool(hat.tcxo_mv),) if hat else ()
    for mode in burst.every():
        for side in (submodes.TX, submodes.RX):
            rows = core.achieved(mode.name, mode.direction, side, *settings)
            yield mode.name, side, rows, submodes.label(mode.name, side, rows)
