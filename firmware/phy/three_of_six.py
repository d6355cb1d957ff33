"""3-of-6 line code of mode T, meter to other (EN 13757-4, clause 7; link sheet 2.2).

Each nibble, high nibble first, is a word of six chips with exactly three ones, first chip in the most significant bit:
a byte is 12 chips. A single wrong chip always changes the number of ones, so it is always noticed.

base64 cuts bytes into words of six bits just like this code, so its C routine does the bit work on either interpreter,
and what is left is one substitution of bytes: base64 letter to hexadecimal digit.
"""

from binascii import a2b_base64, b2a_base64, hexlify, unhexlify

from ..errors import MisuseError, SymbolError
from ..portable import const
from .tables import table, translate

# Word of each nibble 0..F. The other four words with three ones (07 15 2A 38) are not used.
WORDS = b"\x16\x0d\x0e\x0b\x1c\x19\x1a\x13\x2c\x25\x26\x23\x34\x31\x32\x29"

_DIGITS = const(b"0123456789abcdef")
_LETTERS = const(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_ILLEGAL = const(b"?")
_TO_LETTER = table([(_DIGITS[i], _LETTERS[WORDS[i]]) for i in range(16)], _ILLEGAL[0])
_to_digit = None  # made by the first decode: a sender needs only the other


def encode(frame):
    """Chips of `frame` (bytes), packed, first chip in the most significant bit, as a bytearray of ceil(1.5 n) bytes.

    With an odd number of bytes the last four chips of the result are unused and zero.
    """
    letters = translate(hexlify(bytes(frame)), _TO_LETTER)
    if len(frame) & 1:
        letters += b"A="
    return bytearray(a2b_base64(letters))


def decode(chips, n_bytes, first=0):
    """Bytes `first` (even) to `n_bytes` - 1 of the frame whose packed chips are `chips`.

    Chips behind the last wanted word are ignored. SymbolError, position = index of the six-chip word counted from the
    first chip, at the first word that no encoder sends. MisuseError if there are too few chips.
    """
    global _to_digit
    if _to_digit is None:
        _to_digit = table([(_LETTERS[WORDS[i]], _DIGITS[i]) for i in range(16)], _ILLEGAL[0])
    start = first // 2 * 3
    end = (3 * n_bytes + 1) // 2
    if first & 1 or len(chips) < end:
        raise MisuseError("{} chips are not {} bytes".format(8 * len(chips), n_bytes))
    digits = translate(b2a_base64(bytes(chips[start:end])), _to_digit)[: 2 * (n_bytes - first)]
    bad = digits.find(_ILLEGAL)
    if bad >= 0:
        bad += 2 * first
        raise SymbolError("no 3-of-6 word at symbol {}".format(bad), bad)
    return unhexlify(digits)
