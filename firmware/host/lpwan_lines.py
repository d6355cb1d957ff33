"""Text lines that hold an OMS LPWAN frame: a MAC frame with its CRC, or the chips of the radio bursts that carried it.

    UL-B4;401A02A73D785634121503ACB46271             a MAC frame
    UL-B1.3;55555555C1FA4C6A07BC96...                a burst, from its preamble, its sync or from behind the sync on
    UL-B4;07BC96...;07BC96...                        several bursts of one frame, in the order in which they came
    down;4C0104A73D785634121503650C99BA              only the direction is known

Nothing marks such bytes: hex digits alone are a telegram with L-field, unless the user says what they are.
"""

from collections import namedtuple

from ..errors import LineError, MisuseError
from ..link.lpwan import mac
from ..phy import modes
from ..phy.burst import submodes
from . import bursts, lines

DIRECTIONS = (modes.UP, modes.DOWN)
_MOST_BURSTS = 3

# direction: "up" or "down". submode: "UL-B4", "UL-B1.3", None if only the direction is known. frame: bytes of a MAC frame,
# or None; then bursts: [bursts.Burst].
Sample = namedtuple("Sample", ("direction", "submode", "frame", "bursts"))


def where(text):
    """(direction, name of the sub-mode or None) of a word that says where a frame was heard. MisuseError if it is none."""
    if text in DIRECTIONS:
        return text, None
    submodes.sub_carrier(text)  # is there one?
    return (modes.UP if text.startswith("UL") else modes.DOWN), text


def parse_line(line, heard_on=None):
    """The Sample of a line of text; None for a blank line, a comment, and a line that holds something else.

    heard_on: word for the lines of nothing but hex digits, or None if these are none. LineError (position = column).
    """
    fields = line.strip().split(";")
    column = len(line) - len(line.lstrip())
    if not fields[0] or fields[0][0] == "#":
        return None
    place = _prefix(fields)
    if place is not None:
        column += len(fields.pop(0)) + 1
    elif heard_on is None or not all(lines.looks_like_hex(field) for field in fields):
        return None
    else:
        place = where(heard_on)
    data = []
    for field in fields:
        text = field.strip()
        if not text:
            raise LineError("no hex digits", position=column)
        data.append(lines.hex_bytes(text, column + len(field) - len(field.lstrip())))
        column += len(field) + 1
    return _sample(place, data)


def _prefix(fields):
    """What the first field says, if it is a sub-mode or direction."""
    if len(fields) < 2 or fields[0][:2] not in ("UL", "DL", "up", "do"):
        return None
    try:
        return where(fields[0].strip())
    except MisuseError:
        return None


def _sample(place, data):
    direction, submode = place
    if len(data) == 1 and mac.valid(data[0]):
        return Sample(direction, submode, data[0], [])
    if len(data) > _MOST_BURSTS:
        raise LineError("{} bursts: a frame has 3 at the most".format(len(data)), position=None)
    found = [bursts.read(chips, direction) for chips in data]
    if len(data) == 1 and not found[0].is_one:
        return Sample(direction, submode, data[0], [])
    return Sample(direction, submode, None, found)
