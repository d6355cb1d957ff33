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

# More wrong chips than this: noise (it has 22 or more, uplink, or 24).
FARTHEST = 18
# Two legal headers differ in 19 chips or more, a legal and a reserved one in 18.
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
    found = _free(value, value, "down")
    if found:
        return found if _is_legal(found[0], "down") and tiv in (None, found[0].tiv) else None
    return _nearest(value, "down", () if tiv is None else (tiv,), None, FARTHEST)


def uplink(chips, known_tivs=(), l_da=None):
    """(Header, number of wrong chips) of the legal uplink header that is nearest to the 12 bytes behind the midamble as
    they came from the air, or None if it is farther than FARTHEST.

    known_tivs: timing input values to look at first, quicker than all 128. l_da: bytes in Data A if the coded length is
    believed: quick without known_tivs, and what contradicts it is not found.
    """
    value = _value(chips) ^ _SEED
    bits = value
    for shift in (1, 2, 4, 8, 16, 32, 64):
        bits ^= bits >> shift
    found = _free(bits, value, "up")
    if found:
        fits = _is_legal(found[0], "up") and (l_da is None or found[0].length in _lengths(found[0], l_da))
        return found if fits else None
    if known_tivs and l_da is None:
        found = _nearest(value, "up", known_tivs, None, _SURE)
    return found or _nearest(value, "up", (), l_da, FARTHEST)


def _value(chips):
    if len(chips) != _N // 8:
        raise LengthError("a header of {} bytes".format(len(chips)))
    return int.from_bytes(chips, "big")


def _nearest(chips, direction, tivs, l_da, farthest):
    """The nearest legal header with one of the `tivs` (empty: all) and l_da (or None) and its distance, or None."""
    axes = _TIVS if l_da is not None else _L_PS if tivs else _BOTH
    patterns = _column_patterns(axes, direction)
    stages = _stages(axes[1])
    best, limit = None, farthest + 1
    for fixed in _candidates(direction, tivs, l_da):
        lanes = _closeness(chips ^ _sum(fixed, direction), patterns, stages)
        for distance in range(limit):
            place = lanes.find(bytes((_ZERO + _N - 2 * distance,)), axes[2])
            if place >= 0:
                best, limit = fixed | place << axes[0], distance
                break
    return best if best is None else (_header(best), limit)


def _header(information):
    return Header(information >> 10, information >> 3 & 0x7F, information >> 2 & 1, information & 3)


def _is_legal(header, direction):
    return fec.SHORTEST <= header.length <= fec.LONGEST and (header.multi, header.type) in LEGAL[direction]


def _free(bits, chips, direction):
    """The header that the first bits (un-precoded) say, legal or not, if no legal one can be nearer: else None.

    A length above 255 is another version.
    """
    header = _header(bits >> 76)
    distance = bin(_sum(bits >> 76, direction) ^ chips).count("1")
    farthest = _SURE if _is_legal(header, direction) else _SURE - 1
    return (header, distance) if distance <= farthest else None


def _lengths(kind, l_da):
    """The L_P of a burst of this kind (a Header, or anything with multi and type) that has l_da bytes in Data A."""
    layout = fec.layouts(kind.multi, kind.type)[0]
    found = [fec.payload_bytes(layout, l_d) for l_d in (2 * l_da - 1, 2 * l_da)]
    return [length for length in found if length is not None]


def _candidates(direction, tivs, l_da):
    """What the headers to compare with have besides the axes, each as the information bits."""
    for multi, burst_type in LEGAL[direction]:
        kind = Header(0, 0, multi, burst_type)
        fixed = _information(kind)
        if l_da is not None:
            for length in _lengths(kind, l_da):
                yield fixed | length << 10
        elif tivs:
            for tiv in tivs:
                yield fixed | tiv << 3
        else:
            yield fixed


# Axes, what runs within a transform: first information bit, number of bits, first lane that is legal.
_TIVS, _L_PS, _BOTH = (3, 7, 0), (10, 8, fec.SHORTEST), (3, 15, fec.SHORTEST << 7)
# What stands for 0 in a lane: closeness goes from -96 to 96.
_ZERO = 128

_basis = {}
_columns = {}


def _words(direction):
    """Chips of the 20 headers of one bit, version included."""
    if direction not in _basis:
        words = [_word(1 << i) for i in range(20)]
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
        first, n_axes, _ = axes
        words = _words(direction)[first : first + n_axes]
        patterns = [0] * _N
        for i in range(n_axes):
            for column in range(_N):
                patterns[column] |= (words[i] >> column & 1) << i
        _columns[axes, direction] = array("H", patterns)
    return _columns[axes, direction]


def _stages(n_axes):
    """For each axis: distance in bits of the two lanes of a pair, the first lanes of all pairs, and _ZERO in them."""
    stages = []
    for i in range(n_axes):
        size, pairs = 1 << i, 1 << (n_axes - 1 - i)
        first = int.from_bytes((b"\xff" * size + bytes(size)) * pairs, "little")
        zero = int.from_bytes((bytes((_ZERO,)) * size + bytes(size)) * pairs, "little")
        stages.append((8 * size, first, zero))
    return stages


def _closeness(chips, patterns, stages):
    """Byte i: _ZERO + equal chips - different chips between `chips` and the header with i on the axes.

    A fast Walsh-Hadamard transform. Lanes may run over in between: they are one integer, and in the end each fits again.
    """
    lanes = bytearray(bytes((_ZERO,)) * (1 << len(stages)))
    for pattern in patterns:
        lanes[pattern] += -1 if chips & 1 else 1
        chips >>= 1
    n = len(lanes)
    lanes = int.from_bytes(lanes, "little")
    for distance, first, zero in stages:
        a = lanes & first
        b = lanes >> distance & first
        lanes = a + b - zero | a + zero - b << distance
    return lanes.to_bytes(n, "little")
