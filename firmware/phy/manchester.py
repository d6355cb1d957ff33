"""Manchester line code of mode S and of the T2 downlink (EN 13757-4, clause 6; link sheet 2.1).

Data bit 0 is the chips 1 0, data bit 1 the chips 0 1; a byte is 16 chips, most significant bit first. The pairs 00 and
11 are errors. One chip byte is one nibble, so coding is a substitution of bytes over hexadecimal digits.
"""

from binascii import hexlify, unhexlify

from ..errors import MisuseError, SymbolError
from .tables import table, translate

# Chip byte of each nibble 0..F.
CHIPS = b"\xaa\xa9\xa6\xa5\x9a\x99\x96\x95\x6a\x69\x66\x65\x5a\x59\x56\x55"

_DIGITS = b"0123456789abcdef"
_ILLEGAL = b"?"
_TO_CHIPS = table([(_DIGITS[i], CHIPS[i]) for i in range(16)], 0)
_TO_DIGIT = table([(CHIPS[i], _DIGITS[i]) for i in range(16)], _ILLEGAL[0])


def encode(frame):
    """Chips of `frame` (bytes), packed, first chip in the most significant bit, as a bytearray of 2 n bytes."""
    return bytearray(translate(hexlify(bytes(frame)), _TO_CHIPS))


def decode(chips, n_bytes, first=0):
    """Bytes `first` to `n_bytes` - 1 of the frame whose packed chips are `chips`.

    Chips behind the last wanted pair are ignored. SymbolError, position = index of the chip pair (= data bit) counted
    from the first chip, at the first pair 00 or 11. MisuseError if there are too few chips.
    """
    if len(chips) < 2 * n_bytes:
        raise MisuseError("{} chips are not {} bytes".format(8 * len(chips), n_bytes))
    digits = translate(bytes(chips[2 * first : 2 * n_bytes]), _TO_DIGIT)
    bad = digits.find(_ILLEGAL)
    if bad >= 0:
        bad += 2 * first
        byte = chips[bad]
        pair = 0
        while (byte >> (7 - 2 * pair) ^ byte >> (6 - 2 * pair)) & 1:
            pair += 1
        bad = 4 * bad + pair
        raise SymbolError("no Manchester pair at symbol {}".format(bad), bad)
    return unhexlify(digits)
