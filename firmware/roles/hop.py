"""The one hop that a repeater makes of a frame (OMS Vol.2 5.2.5.2; link sheet 7.2, 10).

The hop bit stands in the CC field of the ELL; without an ELL in the configuration field of security modes 0 and 5. Nothing that
is encrypted or authenticated covers it: the ELL's own encryption leaves H and R out of its counter block. What has an AFL has an
ELL, or no hop bit that could be set: its MAC covers the configuration field.
"""

from ..errors import TransportError
from ..link import control, extended
from ..link.crc import crc16
from ..portable import const
from ..transport import header
from ..transport.ci import LONG

# Why a telegram is not repeated.
C_FIELD = "c_field"  # neither SND-NR nor SND-IR
NO_HOP_BIT = "no_hop_bit"
REPEATED = "repeated"  # H or R is set: it made its hop

# Configuration field of modes 0 and 5, low byte
_CF_HOP = const(0x01)
_CF_REPEATED_ACCESS = const(0x02)

_FIRST_BLOCK = const(10)
_BLOCK = const(16)
_SPLIT_B = const(126)  # blocks 1 and 2 of format B at the longest


def find(telegram):
    """(offset, mask) of the hop bit of a telegram (bytes L..end without link CRCs, at least up to the A-field), or the reason,
    one of the constants above, why it makes no hop."""
    if telegram[1] not in (control.SND_NR, control.SND_IR):
        return C_FIELD
    if len(telegram) < 13:
        return NO_HOP_BIT
    ci = telegram[10]
    if 0x8C <= ci <= 0x8F:
        offset, hop, access = 11, extended.HOP, extended.REPEATED_ACCESS
    else:
        try:
            tpl = header.parse(telegram, 10)
        except TransportError:
            return NO_HOP_BIT
        if tpl.mode not in (0, 5):
            return NO_HOP_BIT
        offset, hop, access = 21 if tpl.kind == LONG else 13, _CF_HOP, _CF_REPEATED_ACCESS
    return REPEATED if telegram[offset] & (hop | access) else (offset, hop)


def make(frame, frame_format, place):
    """The frame (bytes, with CRCs) after its hop: that bit is set and the CRC of its block renewed, all else is as it was.

    frame: whole, its CRCs right. place: (offset, mask) as `find` told of its telegram.
    """
    offset, mask = place
    out = bytearray(frame)
    if frame_format == "B":
        start, end = 0, min(len(out) - 2, _SPLIT_B)
    else:
        block = (offset - _FIRST_BLOCK) // _BLOCK
        start = _FIRST_BLOCK + 2 + block * (_BLOCK + 2)
        end = min(start + _BLOCK, len(out) - 2)
        offset += 2 * (block + 1)
    out[offset] |= mask
    crc = crc16(out, start, end)
    out[end] = crc >> 8
    out[end + 1] = crc & 0xFF
    return bytes(out)
