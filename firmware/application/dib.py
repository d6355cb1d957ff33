"""Data information block: DIF and DIFEs (EN 13757-3:2018 clause 6, Table 4; sheet en13757-3-application 1.1-1.4).

Only what both directions need; no table of units, so that a transmitting device can load this alone.
"""

from ..errors import ApplicationError, MisuseError

FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")

FIELDS = {
    "none": 0,
    "int8": 1,
    "int16": 2,
    "int24": 3,
    "int32": 4,
    "real32": 5,
    "int48": 6,
    "int64": 7,
    "selection": 8,
    "bcd2": 9,
    "bcd4": 10,
    "bcd6": 11,
    "bcd8": 12,
    "variable": 13,
    "bcd12": 14,
}

MAX_DIFE = 10


def parse(data, offset, end):
    """Read the DIB of a normal record at `offset`.

    Returns (offset behind it, data field 0..E, function index, storage, tariff, subunit, final DIFE flag).
    Raises ApplicationError, message = the reason, position = the offset of the byte that is wrong.
    """
    dif = data[offset]
    offset += 1
    field = dif & 0x0F
    if field == 0x0F:
        raise ApplicationError("reserved DIF", offset - 1)
    storage = dif >> 6 & 1
    if not dif & 0x80:
        return offset, field, dif >> 4 & 3, storage, 0, 0, False
    tariff = subunit = k = 0
    byte = 0x80
    while byte & 0x80:
        if offset >= end:
            raise ApplicationError("truncated in the DIB", offset)
        byte = data[offset]
        if k == MAX_DIFE and byte:  # an eleventh is tolerated as the final DIFE 00 only
            raise ApplicationError("too many DIFE", offset)
        storage |= (byte & 0x0F) << (1 + 4 * k)
        tariff |= (byte >> 4 & 3) << (2 * k)
        subunit |= (byte >> 6 & 1) << k
        offset += 1
        k += 1
    return offset, field, dif >> 4 & 3, storage, tariff, subunit, byte == 0


def build(field, function=0, storage=0, tariff=0, subunit=0, final_dife=False):
    """The DIB with as few DIFEs as the numbers allow, and the final DIFE 00 behind them if asked for.

    `field` is the data field 0..E or a name of FIELDS, `function` an index or name of FUNCTIONS.
    Raises MisuseError when a number does not fit into ten DIFEs (41, 20 and 10 bits).
    """
    field = FIELDS.get(field, field)
    if function in FUNCTIONS:
        function = FUNCTIONS.index(function)
    if field not in range(15) or function not in range(4):
        raise MisuseError("no such data field or function: " + str(field) + ", " + str(function))
    if storage < 0 or storage >> 41 or tariff < 0 or tariff >> 20 or subunit < 0 or subunit >> 10:
        raise MisuseError("storage, tariff or subunit number out of range")
    out = bytearray([field | function << 4 | (storage & 1) << 6])
    storage >>= 1
    while storage or tariff or subunit:
        out[-1] |= 0x80
        out.append(storage & 0x0F | (tariff & 3) << 4 | (subunit & 1) << 6)
        storage >>= 4
        tariff >>= 2
        subunit >>= 1
    if final_dife:
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def lvar_bytes(lvar):
    """Number of data bytes behind this LVAR byte, or -1 for the reserved codes (sheet 1.4)."""
    if lvar < 0xC0:
        return lvar
    low = lvar & 0x0F
    if lvar < 0xE0:
        return low if low < 10 else -1
    if lvar < 0xF0:
        return low
    return (16, 20, 24, 28, 32, 48, 64)[low] if low < 7 else -1
