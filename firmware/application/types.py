"""Data types A to J of EN 13757-3:2018 Annex A: bytes to exact values (sheet en13757-3-application 3).

A value is (mantissa, exponent of ten, text, flag): a number has integers in the first two, a date, a time or a text
has text; without a value all three are None and `flag` says why. Byte order: least significant first.
Types K (daylight saving rule) and M (time of variable resolution) are in rare.py; type L (listening window) is kept
raw, its layout is not public.
"""

from ..portable import const

# Whether the binary numbers of LVAR E0-EF are signed where the VIB does not say: of three implementations two say so
# (EN 13757-3:2018 Table 5 itself is not public).
_LVAR_SIGNED = const(1)

_DAYS = b"\x00\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"  # February 29; the year decides


def _nothing(flag):
    return None, None, None, flag


def value(field, data, kind):
    """Decode `data` (its LVAR first where the data field is D).

    `kind` is what the VIB says: "" the data field's default, "C" unsigned, "D" bit field, "T" date or time by size,
    "N" a number without invalid markers, "X" bytes that are no number, "K"/"L" the type of this name.
    """
    if field == 0 or field == 8:
        return _nothing("no data" if field == 0 else "selection for readout")
    if field == 13:
        return _variable(data, kind)
    if kind == "T":
        return _time(field, data)
    if kind == "X" or kind == "L":
        return _nothing("raw data" if kind == "X" else "type L")
    if kind == "K":
        return _daylight_saving(field, data)
    if field >= 9:
        return bcd(data)
    if field == 5:
        return real(data)
    return integer(data, kind)


def integer(data, kind=""):
    """Types B (signed, the most negative one is invalid), C (unsigned, all ones is invalid) and D (bits)."""
    raw = int.from_bytes(data, "little")
    bits = 8 * len(data)
    if kind == "D":
        return raw, 0, None, None
    if kind == "C":
        if raw + 1 == 1 << bits:
            return _nothing("invalid")
        return raw, 0, None, None
    if raw >> (bits - 1):
        raw -= 1 << bits
        if raw == -1 << (bits - 1) and kind != "N":
            return _nothing("invalid")
    return raw, 0, None, None


def bcd(data):
    """Type A. F in the most significant digit is the minus sign; other digits A-F are what a display shows in an
    error: no value, and the digits (most significant first) stand in the flag."""
    try:
        return int("%x" % int.from_bytes(data, "little")), 0, None, None
    except ValueError:
        digits = bytes(reversed(data)).hex()
        if digits[:1] == "f":
            try:
                return -int(digits[1:]), 0, None, None
            except ValueError:
                pass
    return _nothing("error digits " + digits.upper())


def real(data):
    """Type H, IEEE 754 single, as the shortest decimal that names just this float, found with integers only (boards
    compute in 32-bit floats): 235.1 comes out as 2351 * 10**-1 and not as 235.1000061."""
    bits = int.from_bytes(data, "little")
    exponent = bits >> 23 & 0xFF
    fraction = bits & 0x7FFFFF
    if exponent == 0xFF:
        return _nothing("not a number" if fraction else "infinite")
    if not exponent and not fraction:
        return 0, 0, None, None
    # In quarters of the last place: the float, and the half-way points to its neighbours.
    mantissa = fraction | 0x800000 if exponent else fraction
    power = (exponent or 1) - 152
    middle = 4 * mantissa
    low = middle - (1 if fraction == 0 and exponent > 1 else 2)
    high = middle + 2
    unit = 1
    if power >= 0:
        middle <<= power
        low <<= power
        high <<= power
    else:
        unit <<= -power
    ten = 39  # no float reaches 10**39
    while ten > 0 and 10**ten * unit > high:
        ten -= 1
    if ten == 0:
        while middle < unit:
            ten -= 1
            middle *= 10
            low *= 10
            high *= 10
    else:
        unit *= 10**ten
    while True:
        digits = (2 * middle + unit) // (2 * unit)
        near = digits * unit
        # A tie reads back as the even float, so the end points count only for an even mantissa.
        if (low < near < high) if mantissa & 1 else (low <= near <= high):
            return -digits if bits >> 31 else digits, ten, None, None
        ten -= 1
        middle *= 10
        low *= 10
        high *= 10


def _variable(data, kind):
    """Data led by an LVAR: text last character first, BCD with the sign in the LVAR, binary number."""
    lvar = data[0]
    body = data[1:]
    if kind == "T":
        return _instant(lvar, body)
    if kind == "K" or kind == "L":
        return _nothing("type L" if kind == "L" and lvar == 0xEB else "data field does not fit")
    if kind == "X" or lvar >= 0xF0:
        return _nothing("raw data")
    if lvar < 0xC0:
        if kind == "N" and body and not (min(body) >= 0x20 and max(body) < 0x7F):
            return _nothing("raw data")
        return None, None, "".join([chr(b) for b in reversed(body)]), None
    if not body:
        return _nothing("no data")
    if lvar < 0xE0:
        result = bcd(body)
        if lvar >= 0xD0 and result[0] is not None:
            return -result[0], 0, None, None
        return result
    return integer(body, kind if kind or _LVAR_SIGNED else "C")


# --- dates and times ---


def _daylight_saving(field, data):
    if field != 4:
        return _nothing("data field does not fit")
    from .rare import daylight_saving

    text, flag = daylight_saving(data)
    return None, None, text, flag


def _instant(lvar, body):
    if not 0xE2 <= lvar <= 0xEA:
        return _nothing("data field does not fit")
    from .rare import instant

    text, flag = instant(body)
    return None, None, text, flag


def _time(field, data):
    decoder = _TIMES.get(field)
    if decoder is None:
        return _nothing("data field does not fit")
    text, flag = decoder(data)
    return None, None, text, flag


def _two(number, every):
    return "**" if number == every else "%02d" % number


def last_day(year, month):
    """Last day of a month; None stands for every year or month."""
    if month == 2 and year is not None and (year % 4 or (year % 100 == 0 and year % 400)):
        return 28
    return _DAYS[month] if month else 31


def _date(year, month, day):
    """ISO date; None stands for every year, month or day. Returns None when there is no such day."""
    if month is not None and not 1 <= month <= 12:
        return None
    if day is not None and not 1 <= day <= last_day(year, month):
        return None
    text = "****" if year is None else "%04d" % year
    text += "-**" if month is None else "-%02d" % month
    return text + ("-**" if day is None else "-%02d" % day)


def _finish(text):
    """Flag what is not one instant: a wildcard makes the date a rule ("every first of January")."""
    if text is None:
        return None, "invalid date"
    return text, "wildcard" if "*" in text else None


def _year7(low, high):
    return low >> 5 | (high >> 4) << 3


def date_g(data):
    """Type G (CP16): (ISO date or None, flag)."""
    if data == b"\xff\xff":
        return None, "invalid"
    if data == b"\x00\x00":
        return None, "not set"
    year = _year7(data[0], data[1])
    month = data[1] & 15
    day = data[0] & 31
    if 99 < year < 127:
        return None, "invalid date"
    return _finish(
        _date(None if year == 127 else 2000 + year, None if month == 15 else month, day if day else None)
    )


def date_f(data):
    """Type F (CP32): (ISO date and time to the minute or None, flag). Years 0..80 without century are 2000..2080."""
    if data[0] & 0x80:
        return None, "invalid"
    if data == b"\x00\x00\x00\x00":
        return None, "not set"
    minute = data[0] & 63
    hour = data[1] & 31
    day = data[2] & 31
    month = data[3] & 15
    year = _year7(data[2], data[3])
    if 59 < minute < 63 or 23 < hour < 31 or 99 < year < 127:
        return None, "invalid date"
    century = data[1] >> 5 & 3
    if century == 0 and year <= 80:
        century = 1
    text = _date(
        None if year == 127 else 1900 + 100 * century + year,
        None if month == 15 else month,
        day if day else None,
    )
    return _finish(text and text + "T" + _two(hour, 31) + ":" + _two(minute, 63))


def date_i(data):
    """Type I (CP48): (ISO date and time to the second or None, flag). Here 0 means "not specified" for day and month.
    Week, weekday and the leap-year bit only repeat what the date says and are not looked at."""
    if data[1] & 0x80:
        return None, "invalid"
    if data == b"\x00\x00\x00\x00\x00\x00":
        return None, "not set"
    second = data[0] & 63
    minute = data[1] & 63
    hour = data[2] & 31
    year = _year7(data[3], data[4])
    if 59 < second < 63 or 59 < minute < 63 or 23 < hour < 31 or 99 < year < 127:
        return None, "invalid date"
    month = data[4] & 15
    day = data[3] & 31
    text = _date(
        None if year == 127 else 2000 + year,
        None if month in (0, 15) else month,
        day if day else None,
    )
    return _finish(text and text + "T" + _two(hour, 31) + ":" + _two(minute, 63) + ":" + _two(second, 63))


def time_j(data):
    """Type J: (time of day or None, flag)."""
    if data == b"\xff\xff\xff":
        return None, "invalid"
    second = data[0] & 63
    minute = data[1] & 63
    hour = data[2] & 31
    if 59 < second < 63 or 59 < minute < 63 or 23 < hour < 31:
        return None, "invalid date"
    return _finish(_two(hour, 31) + ":" + _two(minute, 63) + ":" + _two(second, 63))


_TIMES = {2: date_g, 3: time_j, 4: date_f, 6: date_i}  # by data field, which fixes the length
