"""Real numbers of records, without floats: small devices have none with enough bits."""

from ..errors import MisuseError


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
