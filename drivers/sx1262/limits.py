"""What an SX1262 can send in one piece: 255 bytes of buffer and 8 of sync word (sheet 7.3). For who asked for more."""

from omsnode.firmware.errors import LengthError, MisuseError
from omsnode.firmware.phy import framing

from . import profiles


def longest(row, frame_format="A"):
    """The largest L-field on the air that this chip can send in a mode (a row of `modes`)."""
    for length in range(255, 8, -1):
        try:
            frame = bytes((length,)) + bytes(framing.frame_bytes(length, frame_format) - 1)
        except LengthError:  # format B has gaps
            continue
        if profiles.left_out(framing.chips(row, frame, frame_format)) is not None:
            return length
    return 0


def too_long(row, n_bytes):
    """The error to raise for a stream of n_bytes in this mode."""
    largest = " or ".join(
        ["{} in frame format {}".format(longest(row, one), one) for one in sorted(row.sync)]
    )
    return MisuseError(
        "{} bytes on the air are more than an SX1262 can send".format(n_bytes),
        hint="largest L in mode {} {}: {}; a CC1101 sends any".format(row.name, row.direction, largest),
    )
