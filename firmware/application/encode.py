"""Numbers of records for a device that only sends: no table of the decoder is loaded.

Data fields go by code (names are in dib.FIELDS). Least significant byte first.
"""

from ..errors import MisuseError
from .fields import SIZES


def data(field, mantissa, unsigned=False, markers=True):
    """The data bytes of a number (None for the fields without data), range checked.

    Integers are signed (type B) or `unsigned` (types C and D). Values that would read as an invalid marker are refused
    unless `markers` is False: the most negative one, and all ones where `unsigned` (a bit field has no marker). BCD is
    type A, F in the first digit for a minus sign. The real takes a whole number here (see reals.py).
    """
    if field == 0 or field == 8:
        if mantissa is not None:
            raise MisuseError("this data field carries no value")
        return b""
    if field not in range(15) or field == 13 or mantissa is None:
        raise MisuseError("no number fits data field " + str(field))
    if field == 5:
        from .reals import real

        return real(mantissa)
    size = SIZES[field]
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
