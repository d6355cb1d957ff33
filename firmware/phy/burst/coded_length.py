"""Coded length CL of an uplink burst (Q.2.4.3.1.4; LPWAN sheet 8): 9 bits L_DA, bytes in Data A, and 15 bits CRC.

The CRC begins with 0 and is not complemented, precoding begins behind a sync that ends with 0: both are linear, so the
word of a length is the sum of the words of its bits, as bits and as chips.
"""

from ...errors import MisuseError

_POLYNOMIAL = 0xC617
# With the shortest payload at rate 7/8, with the longest at rate 1/3.
SHORTEST, LONGEST = 4, 384


def build(l_da):
    """The 24 bits of CL, not precoded, as an integer. MisuseError if no burst has l_da bytes in Data A."""
    if not SHORTEST <= l_da <= LONGEST:
        raise MisuseError("{} bytes of Data A".format(l_da))
    return _word(l_da)


def _word(l_da):
    rest = l_da << 15
    for shift in range(8, -1, -1):
        if rest >> (15 + shift) & 1:
            rest ^= _POLYNOMIAL << shift
    return l_da << 15 | rest


def nearest(chips):
    """(L_DA, number of wrong chips) of the legal word that is nearest to the 24 chips as they came from the air
    (integer). Up to 3 wrong chips are repaired for sure; one of noise has 3 or less with a chance of 5 %."""
    bits = chips
    for shift in (1, 2, 4, 8, 16):
        bits ^= bits >> shift
    l_da = bits >> 15
    if SHORTEST <= l_da <= LONGEST and _word(l_da) == bits:
        return l_da, 0
    words = [0] * 512
    best, best_distance = 0, 25
    for l_da in range(1, LONGEST + 1):
        lowest = l_da & -l_da
        if l_da == lowest:
            word = _word(l_da)
            words[l_da] = word ^ word >> 1
        else:
            words[l_da] = words[l_da - lowest] ^ words[lowest]
        if l_da >= SHORTEST:
            distance = bin(words[l_da] ^ chips).count("1")
            if distance < best_distance:
                best, best_distance = l_da, distance
    return best, best_distance
