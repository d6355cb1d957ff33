"""Frame to chips on the air (link sheet 3, 3.1, 5); deframer.py finds it again.

A frame is the bytes from the L-field to the last link CRC. Chips are packed, first chip in the most significant bit.
"""

from ..errors import LengthError, MisuseError
from . import modes


def frame_bytes(length, frame_format):
    """Bytes of a whole frame, L-field and link CRCs included, whose L-field on the air is `length`.

    Legal in format A: 9..255. L does not count the CRCs; C, M and A are nine bytes, so 9 is a frame without CI.
    Legal in format B: 11..127 and 130..255. L counts the CRCs, so 11 is a frame without CI. Block 2 ends with L = 127
    at the latest, and a third block has at least one byte and its CRC, so 128 and 129 cannot occur.
    Anything else raises LengthError. (EN 13757-4 12.5.3; link sheet 5.1, 5.2)
    """
    if frame_format == "A":
        if 9 <= length <= 255:
            return 1 + length + 2 * (1 + (length + 6) // 16)
    elif 11 <= length <= 255 and length not in (128, 129):
        return 1 + length
    raise LengthError("L-field {} is not possible in frame format {}".format(length, frame_format), 0)


def chips(mode, frame, frame_format="A"):
    """Everything that is on the air for one frame: preamble, sync, coded data, trailer; bytes.

    mode: a row of `modes`. frame: bytes with link CRCs. The header is the shortest that the mode allows, the trailer is
    the longest that makes whole bytes of the stream. MisuseError if the mode does not have the frame format or the
    L-field does not fit the number of bytes.
    """
    if frame_format not in mode.sync:
        raise MisuseError("mode {} has no frame format {}".format(mode.name, frame_format))
    if not frame or frame_bytes(frame[0], frame_format) != len(frame):
        raise MisuseError("the L-field does not fit a frame of {} bytes".format(len(frame)))
    sync, sync_chips = mode.sync[frame_format]
    # Every header is whole bytes, and every sync word fits into the last four.
    out = bytearray(b"\x55" * ((2 * mode.preamble_pairs + sync_chips) // 8 - 4))
    out += ((0x55555555 << sync_chips | sync) & 0xFFFFFFFF).to_bytes(4, "big")
    out += _coded(mode.coding, frame)
    most = mode.trailer_chips[1]
    if mode.coding == modes.THREE_OF_SIX:
        # The trailer begins with the inverse of the last data chip and alternates (link sheet 3.1).
        if len(frame) & 1:
            out[-1] |= 0x0A if out[-1] & 0x10 == 0 else 0x05
        else:
            out.append(0xAA if out[-1] & 1 == 0 else 0x55)
    elif most:
        out.append(0x55)  # Manchester ones
    return bytes(out)


def _coded(coding, frame):
    """The packed chips of a frame. Only the code that is used gets loaded."""
    if coding == modes.THREE_OF_SIX:
        from .three_of_six import encode
    elif coding == modes.MANCHESTER:
        from .manchester import encode
    else:
        return frame
    return encode(frame)
