"""Coded header of a burst (Q.2.4.3.1.9, Q.2.4.3.2.4; LPWAN sheet 7, 23): built, and the nearest legal one found.

A received header is not decoded but compared with every legal one, as chips: an uplink's is never un-precoded, so a
wrong chip stays one. The words are linear in their 18 free bits, so the distances from all words that differ in L_P (or
L_P and TIV) are one Walsh-Hadamard transform. It is done on one long integer, a byte for each word: some ten
operations for each bit.
"""

from array import array
from collections import namedtuple

from ...errors import LengthError, MisuseError
from . import fec

# PHY payload length 5..255 bytes, timing input value 0..127, 0 single or 1 multi, 0..2 (FEC rate, or spacing)
Header = namedtuple("Header", ("length", "tiv", "multi", "type"))

# More wrong chips than this: noise (it has 22 or more, uplink, or 24). Two legal headers differ in 19 chips or more.
FARTHEST = 18
_SURE = 9

# (multi, type) of the legal headers.
LEGAL = {
    "up": ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)),
    "down": ((0, 0), (0, 1), (0, 2), (1, 0)),
}

_N = 96
# Behind the midamble, whose last bit is 1, the first chip of an uplink's header is the complement of its first bit.
_SEED = 1 << (_N - 1)


def crc8(bits):
    """Header CRC over an integer: polynomial 107, begins with 0, not complemented."""
    rest = bits << 8
    for shift in range(19, -1, -1):
        if rest >> (8 + shift) & 1:
            rest ^= 0x107 << shift
    return rest


def _word(information):
    """The 96 bits of a header, as an integer, of its 20 bits in front of the CRC."""
    value = information << 8 | crc8(information)
    # Four zero bits in front leave the encoder as it is.
    bodies, tails = fec.encode(value.to_bytes(4, "big"))
    value = (value << 28 | bodies[1]) << 28 | bodies[2]
    return (value << 6 | tails[1]) << 6 | tails[2]


def _information(header):
    return ((header.length << 7 | header.tiv) << 1 | header.multi) << 2 | header.type


def build(header):
    """The 12 bytes of a header, not precoded. MisuseError if there is no such header (in either direction)."""
    if (
        not fec.SHORTEST <= header.length <= fec.LONGEST
        or not 0 <= header.tiv < 128
        or (header.multi, header.type) not in LEGAL["up"]
    ):
        raise MisuseError("no such burst: {}".format(header))
    return _word(_information(header)).to_bytes(12, "big")


def downlink(chips, tiv=None):
    """(Header, number of wrong chips) of the legal downlink header that is nearest to the 12 bytes behind the sync, or
    None if it is farther than FARTHEST. tiv: that of a meter which waits for its own headers; others are then far, and
    it is quick."""
    value = _value(chips)
    return _near(value, value, "down", () if tiv is None else (tiv,), None)


def uplink(chips, known_tivs=(), l_da=None):
    """(Header, number of wrong chips) of the legal uplink header that is nearest to the 12 bytes behind the midamble as
    they came from the air, or None if it is farther than FARTHEST.

    known_tivs: timing input values to look for first, quicker than all 128. l_da: bytes in Data A if the coded length
    is believed: quick without known_tivs, and what contradicts it is not found.
    """
    value = _value(chips) ^ _SEED
    bits = value
    for shift in (1, 2, 4, 8, 16, 32, 64):
        bits ^= bits >> shift
    found = _near(bits, value, "up", known_tivs, l_da)
    if found is None and known_tivs and l_da is None:
        found = _near(bits, value, "up", (), None)
    return found


def _value(chips):
    if len(chips) != _N // 8:
        raise LengthError("a header of {} bytes".format(len(chips)))
    return int.from_bytes(chips, "big")


def _near(bits, chips, direction, tivs, l_da):
    """bits: the header un-precoded. An empty `tivs` is every one."""
    found = _free(bits, chips, direction)
    if (
        found
        and (not tivs or found[0].tiv in tivs)
        and (l_da is None or found[0].length in _lengths(found[0], l_da))
    ):
        return found
    best, limit = None, FARTHEST + 1
    for fixed, axes, first in _candidates(direction, tivs, l_da):
        lanes = _closeness(chips ^ _sum(fixed, direction), axes, direction)
        for distance in range(limit):
            place = lanes.find(bytes((_ZERO + _N - 2 * distance,)), first)
            if place >= 0:
                best, limit = fixed | place << axes[0], distance
                break
    return best if best is None else (_header(best), limit)


def _header(information):
    return Header(information >> 10, information >> 3 & 0x7F, information >> 2 & 1, information & 3)


def _free(bits, chips, direction):
    """The header that the first bits say, if it is legal and so near that no other one can be nearer."""
    header = _header(bits >> 76)
    if (
        not fec.SHORTEST <= header.length <= fec.LONGEST
        or (header.multi, header.type) not in LEGAL[direction]
    ):
        return None
    distance = bin(_sum(_information(header), direction) ^ chips).count("1")
    return (header, distance) if distance <= _SURE else None


def _lengths(kind, l_da):
    """The L_P of a burst of this kind (a Header, or anything with multi and type) that has l_da bytes in Data A."""
    layout = fec.layouts(kind.multi, kind.type)[0]
    found = [fec.payload_bytes(layout, l_d) for l_d in (2 * l_da - 1, 2 * l_da)]
    return [length for length in found if length is not None]


def _candidates(direction, tivs, l_da):
    """(bits that are the same in all, axes, first lane that is legal): every legal header once. axes = (first bit,
    number of bits) that run."""
    for multi, burst_type in LEGAL[direction]:
        kind = Header(0, 0, multi, burst_type)
        fixed = _information(kind)
        if l_da is not None:
            for length in _lengths(kind, l_da):
                yield fixed | length << 10, _TIVS, 0
        elif tivs:
            for tiv in tivs:
                yield fixed | tiv << 3, _L_PS, fec.SHORTEST
        else:
            yield fixed, _BOTH, fec.SHORTEST << 7


_TIVS, _L_PS, _BOTH = (3, 7), (10, 8), (3, 15)
# What stands for 0 in a lane: closeness goes from -96 to 96.
_ZERO = 128

_basis = {}
_columns = {}


def _words(direction):
    """Chips of the 18 headers of one bit."""
    if direction not in _basis:
        words = [_word(1 << i) for i in range(18)]
        _basis[direction] = [word ^ word >> 1 for word in words] if direction == "up" else words
    return _basis[direction]


def _sum(information, direction):
    """Chips of a header, those of an uplink without _SEED."""
    total = 0
    for word in _words(direction):
        if information & 1:
            total ^= word
        information >>= 1
    return total


def _column_patterns(axes, direction):
    """For each of the 96 chips: which bits of the axes invert it."""
    if (axes, direction) not in _columns:
        first, n_axes = axes
        words = _words(direction)[first : first + n_axes]
        patterns = [0] * _N
        for i in range(n_axes):
            for column in range(_N):
                patterns[column] |= (words[i] >> column & 1) << i
        _columns[axes, direction] = array("H", patterns)
    return _columns[axes, direction]


def _closeness(chips, axes, direction):
    """Byte i: _ZERO + equal chips - different chips between `chips` and the header with i on the axes.

    A fast Walsh-Hadamard transform. Sums of lanes may run over in between: they are one integer, and in the end each
    lane fits again.
    """
    n = 1 << axes[1]
    lanes = bytearray(bytes((_ZERO,)) * n)
    for pattern in _column_patterns(axes, direction):
        lanes[pattern] += -1 if chips & 1 else 1
        chips >>= 1
    lanes = int.from_bytes(lanes, "little")
    size = 1
    while size < n:
        pair = n // (2 * size)
        low = int.from_bytes((b"\xff" * size + bytes(size)) * pair, "little")
        zero = int.from_bytes((bytes((_ZERO,)) * size + bytes(size)) * pair, "little")
        a = lanes & low
        b = lanes >> (8 * size) & low
        lanes = a + b - zero | a + zero - b << (8 * size)
        size *= 2
    return lanes.to_bytes(n, "little")
