"""MAC frames of OMS LPWAN (OMS Vol. 2 Annex Q.3.2, Q.3.3; LPWAN sheet sections 12 and 13).

MHCTL[0] [MHCTL[1]] [MElements] [MAC body] [payload] CRC. Numbers are sent low byte first, the CRC high byte first.
"""

from collections import namedtuple

from ...errors import CrcError, MisuseError
from . import body as bodies
from . import elements as melements

# MAC frame types (MFT).
MSNR, MRSP, MERR, MACC, MACK = 0, 1, 2, 8, 9
MCNR, MCMD = 12, 13
_NAMES = {MSNR: "MSNR", MRSP: "MRSP", MERR: "MERR", MACC: "MACC", MACK: "MACK", MCNR: "MCNR", MCMD: "MCMD"}

MSP1 = 0  # MAC security profile, as MHCTL[1] names it

SHORTEST = 5
LONGEST = 255
MACK_FRAME = b"\x09\x83\x78\xcf\xc7"  # constant in its recommended form (Q.3.3.2.2)

_MORE = 0x80
_ELEMENTS = 0x40
_BODY = 0x20
_VERSION = 0x10
_CRC_BYTES = 4
_RIGHT = b"\0\0\0\0"  # CRC over a frame with its own

# type: MFT. profile: MSP, 0 is MSP1. elements: elements.Up or Down, None if the frame has none. body: body.Body or None.
# payload: what stands behind, from the LLC on. error: the BodyError of a corrupt body (body is None then), or None. offset:
# of the payload in the frame.
Mac = namedtuple("Mac", ("type", "profile", "elements", "body", "payload", "error", "offset"))

_planes = []  # the four bytes of the table, highest first; made when the first CRC is wanted


def _tables():
    planes = [bytearray(256) for _ in range(4)]
    for byte in range(256):
        high, low = byte << 8, 0
        for _ in range(8):  # in halves: an integer of 32 bits is an allocation on a small device
            carry = high & 0x8000
            high = (high << 1 | low >> 15) & 0xFFFF
            low = low << 1 & 0xFFFF
            if carry:
                high ^= 0xF4AC
                low ^= 0xFB13
        for i, value in enumerate((high >> 8, high & 255, low >> 8, low & 255)):
            planes[i][byte] = value
    _planes.extend(planes)


def crc(data):
    """The four bytes of the MAC CRC as they are sent: polynomial 1F4ACFB13, start 0, not reflected, not inverted."""
    if not _planes:
        _tables()
    t0, t1, t2, t3 = _planes
    a = b = c = d = 0
    for byte in data:
        byte ^= a
        a = b ^ t0[byte]
        b = c ^ t1[byte]
        c = d ^ t2[byte]
        d = t3[byte]
    return bytes((a, b, c, d))


def valid(frame):
    """Whether the MAC CRC of a whole frame is right: over all of it the CRC is 0. That of nothing but zeros is, too, which no
    meter sends and an undecodable burst may look like."""
    return SHORTEST <= len(frame) <= LONGEST and crc(frame) == _RIGHT and any(frame)


def name(frame_type):
    """Name of an MFT, None if it is reserved."""
    return _NAMES.get(frame_type)


def is_up(frame_type):
    """Whether frames of this type come from the meter."""
    return frame_type < MCNR


def parse(frame, direction, submode=None):
    """The Mac of a frame.

    frame: bytes with CRC. direction: "up" or "down". submode: name of the uplink sub-mode it came on, as which MElements
    there are depends on it; a downlink does without. Raises LengthError, CrcError, or ReservedError for a version, a type, a
    control byte or an MElement of which nobody knows what stands behind it: then nothing of the frame is used (Q.3.2.2.2.1).
    A body that cannot be read is told in `error` instead, as the upper layers do not depend on it (Q.3.2.3.6.3.2).
    """
    n = len(frame)
    if not SHORTEST <= n <= LONGEST:
        from ...errors import LengthError

        raise LengthError("no MAC frame has {} bytes".format(n), 0)
    if crc(frame) != _RIGHT:
        raise CrcError("MAC CRC wrong", None)
    control = frame[0]
    frame_type = control & 15
    if control & _VERSION:
        raise _reserved("MAC version 1", 0)
    if frame_type not in _NAMES:
        raise _reserved("reserved MAC frame type {:X}".format(frame_type), 0)
    up = is_up(frame_type)
    if up != (direction == "up"):
        raise _reserved("{} in a {}link".format(_NAMES[frame_type], direction), 0)
    end = n - _CRC_BYTES
    at = 1
    profile = MSP1
    if control & _MORE:
        if at >= end:
            raise _cut(at)
        if frame[at] & _MORE:
            raise _reserved("MHCTL[2] is not defined", at)
        profile = frame[at] >> 5 & 3
        at += 1
    elements = body = error = None
    inside = frame[:end]
    if control & _ELEMENTS:
        if up:
            elements, at = melements.parse_up(inside, at, submode)
        else:
            elements, at = melements.parse_down(inside, at)
    if control & _BODY:
        body, at, error = bodies.parse(inside, at, end)
        if frame_type == MERR:
            from ...errors import BodyError

            body, error = None, BodyError("a MERR has no MAC body", at)
    return Mac(frame_type, profile, elements, body, bytes(inside[at:]), error, at)


def build(frame_type, elements=None, body=None, payload=b"", submode=None, profile=MSP1):
    """A whole frame, CRC included. submode: of the uplink in which it is sent, as for `parse`.

    elements: elements.Up or Down. body: body.Body. payload: from the LLC on. profile: MSP; the byte that says it is left
    out for MSP1. MisuseError if something does not fit together or the frame is too long.
    """
    if frame_type not in _NAMES or not 0 <= profile <= 3:
        raise MisuseError("no MAC frame type {}, security profile {}".format(frame_type, profile))
    if body is not None and frame_type == MERR:
        raise MisuseError("a MERR has no MAC body")
    control = frame_type
    out = b""
    if profile != MSP1:
        control |= _MORE
        out = bytes([profile << 5])
    if elements is not None:
        control |= _ELEMENTS
        if is_up(frame_type):
            out += melements.build_up(elements, submode)
        else:
            out += melements.build_down(elements)
    if body is not None:
        control |= _BODY
        out += bodies.to_bytes(body)
    out = bytes([control]) + out + payload
    if len(out) + _CRC_BYTES > LONGEST:
        raise MisuseError("{} bytes are more than a MAC frame holds".format(len(out)))
    return out + crc(out)


def _cut(position):
    from ...errors import LengthError

    return LengthError("the MAC frame is cut off", position)


def _reserved(message, position):
    from ...errors import ReservedError

    return ReservedError(message, position)
