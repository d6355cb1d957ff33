"""Frame format A (EN 13757-4, clause 12; link sheet 5.1): blocks of 10, then up to 16 bytes, each with a CRC behind it.

The L-field counts the bytes behind it without the CRCs, so frame and telegram have the same L: 9 (no CI) to 255.
"""

from ..errors import CrcError, LengthError, MisuseError
from ..phy.framing import frame_bytes
from .crc import crc16


def build(telegram):
    """Frame (bytes, with CRCs) of a telegram (bytes L..end, L = number of bytes behind it). MisuseError on a wrong L."""
    n = len(telegram)
    if not 10 <= n <= 256 or telegram[0] != n - 1:
        raise MisuseError("the L-field does not fit a telegram of {} bytes".format(n))
    out = bytearray()
    start, end = 0, 10
    while start < n:
        if end > n:
            end = n
        crc = crc16(telegram, start, end)
        out += telegram[start:end]
        out.append(crc >> 8)
        out.append(crc & 0xFF)
        start, end = end, end + 16
    return bytes(out)


def strip(frame):
    """Telegram (bytes) of a whole frame (bytes). LengthError if the L-field does not fit the number of bytes,
    CrcError with the block number, counted from 1, at the first wrong CRC.
    """
    n = len(frame)
    if not n or frame_bytes(frame[0], "A") != n:
        raise LengthError("the L-field does not fit a frame of {} bytes".format(n), 0)
    out = bytearray()
    start, end, block = 0, 10, 1
    while start < n:
        if end > n - 2:
            end = n - 2
        if crc16(frame, start, end) != frame[end] << 8 | frame[end + 1]:
            raise CrcError("wrong CRC of block {}".format(block), block)
        out += frame[start:end]
        start, end, block = end + 2, end + 18, block + 1
    return bytes(out)
