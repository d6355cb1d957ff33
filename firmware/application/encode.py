"""Numbers and text of records for a device that only sends: no table of the decoder is loaded.

Data fields go by name ("int32", "bcd8", ... see dib.FIELDS) or by code. Least significant byte first.
"""

from ..errors import MisuseError
from . import dib as _dib


def rescale(mantissa, exponent, to_exponent):
    """mantissa * 10**exponent as a whole number of 10**to_exponent; MisuseError when that is not exact."""
    if exponent >= to_exponent:
        return mantissa * 10 ** (exponent - to_exponent)
    step = 10 ** (to_exponent - exponent)
    if mantissa % step:
        raise MisuseError("%de%d is no multiple of 10**%d" % (mantissa, exponent, to_exponent))
    return mantissa // step


def data(field, mantissa, unsigned=False, markers=True):
    """The data bytes of a number (None for the fields without data), range checked.

    Integers are signed (type B) or `unsigned` (types C and D). Values that would read as an invalid marker are refused
    unless `markers` is False: the most negative one, and all ones where `unsigned` (a bit field has no marker). BCD is
    type A, F in the first digit for a minus sign. The real takes a whole number here (see `real`).
    """
    field = _dib.FIELDS.get(field, field)
    if field == 0 or field == 8:
        if mantissa is not None:
            raise MisuseError("this data field carries no value")
        return b""
    if field not in range(15) or field == 13 or mantissa is None:
        raise MisuseError("no number fits data field " + str(field))
    if field == 5:
        return real(mantissa)
    size = _dib.SIZES[field]
    if field >= 9:
        return bcd(size, mantissa)
    top = 1 << (8 * size)
    low, high = (0, top - 1 - markers) if unsigned else (markers - (top >> 1), (top >> 1) - 1)
    if not low <= mantissa <= high:
        raise MisuseError("%d does not fit into %d bytes" % (mantissa, size))
    return (mantissa & (top - 1)).to_bytes(size, "little")


def bcd(size, mantissa):
    """Type A in `size` bytes."""
    digits = "%0*d" % (2 * size, abs(mantissa))
    if len(digits) > 2 * size or (mantissa < 0 and digits[0] != "0"):
        raise MisuseError("%d does not fit into %d BCD digits" % (mantissa, 2 * size))
    if mantissa < 0:
        digits = "f" + digits[1:]
    return bytes(reversed(bytes.fromhex(digits)))


def real(mantissa, exponent=0):
    """Type H: the IEEE 754 single nearest to mantissa * 10**exponent, a tie to the even one, found with integers."""
    sign = 0
    if mantissa < 0:
        sign = 0x80000000
        mantissa = -mantissa
    if not -100 < exponent < 100:
        raise MisuseError("exponent out of range for a real")
    top = mantissa * 10 ** max(exponent, 0)
    bottom = 10 ** max(-exponent, 0)
    power = 0
    while top < bottom << 23 and power > -149:
        top <<= 1
        power -= 1
    while top >= bottom << 24:
        bottom <<= 1
        power += 1
    whole = (2 * top + bottom) // (2 * bottom)
    if whole & 1 and (2 * top + bottom) % (2 * bottom) == 0:
        whole -= 1
    if whole == 1 << 24:
        whole >>= 1
        power += 1
    if power > 104:
        raise MisuseError("too large for a real")
    if whole >> 23:  # a normal number: drop the leading one, it is implied
        whole += (power + 149) << 23
    return (sign | whole).to_bytes(4, "little")


def text(characters):
    """LVAR and text, ISO 8859-1, last character first; at most 191 characters."""
    if len(characters) > 0xBF:
        raise MisuseError("text longer than 191 characters")
    out = bytearray([len(characters)])
    for character in reversed(list(characters)):
        if ord(character) > 0xFF:
            raise MisuseError("not in ISO 8859-1: " + character)
        out.append(ord(character))
    return bytes(out)
