"""Frame format B (EN 13757-4, clause 12; link sheet 5.2): blocks 1 and 2 share a CRC behind byte 126 at the latest, block 3
of up to 126 bytes has its own.

On the air the L-field counts the CRCs: 11 (no CI) to 127, 130 to 255. In a telegram, as in format A, it is the number
of bytes that follow, so a telegram has L = 9 to 251.
"""

from ..errors import CrcError, LengthError, MisuseError
from ..phy.framing import frame_bytes
from .crc import crc16

_SPLIT = 126  # block 1 and 2 at the longest, without their CRC


def build(telegram):
    """Frame (bytes, with CRCs) of a telegram (bytes L..end, L = number of bytes behind it). MisuseError on a wrong L."""
    n = len(telegram)
    if not 10 <= n <= 252 or telegram[0] != n - 1:
        raise MisuseError("the L-field does not fit a telegram of {} bytes".format(n))
    out = bytearray(telegram[:_SPLIT])
    out[0] = n + 1 if n <= _SPLIT else n + 3
    crc = crc16(out)
    out.append(crc >> 8)
    out.append(crc & 0xFF)
    if n > _SPLIT:
        crc = crc16(telegram, _SPLIT)
        out += telegram[_SPLIT:]
        out.append(crc >> 8)
        out.append(crc & 0xFF)
    return bytes(out)


def strip(frame):
    """Telegram (bytes) of a whole frame (bytes), its L-field set to the number of bytes that follow.

    LengthError if the L-field does not fit the number of bytes. CrcError, position = 2 for the CRC over blocks 1 and 2,
    3 for that of block 3.
    """
    n = len(frame)
    if not n or frame_bytes(frame[0], "B") != n:
        raise LengthError("the L-field does not fit a frame of {} bytes".format(n), 0)
    end = min(n - 2, _SPLIT)
    if crc16(frame, 0, end) != frame[end] << 8 | frame[end + 1]:
        raise CrcError("wrong CRC of blocks 1 and 2", 2)
    out = bytearray(frame[:end])
    if n > _SPLIT + 2:
        if crc16(frame, _SPLIT + 2, n - 2) != frame[n - 2] << 8 | frame[n - 1]:
            raise CrcError("wrong CRC of block 3", 3)
        out += frame[_SPLIT + 2 : n - 2]
    out[0] = len(out) - 1
    return bytes(out)
