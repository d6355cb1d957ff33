"""Data types K and M, and all fields of type I (EN 13757-3:2018 Annex A; sheet en13757-3-application 3), apart because
hardly a device sends them.

The standard's tables of K and M are not public. K is laid out as one public implementation reads it, the deviation from GMT
put together like every other divided field; M as its known ranges and one published example (OMS Vol.2 N.13) allow.
Both therefore carry the flag INFERRED with every value.
"""

from ..errors import MisuseError
from . import dates

INFERRED = "inferred layout"

_EVERY = 31
# Type M: steps in a second by resolution, 0 for steps of two seconds; first day of the two epochs.
_PARTS = (0, 1, 256, 32768)
_EPOCHS = ((2013, 1, 1), (1970, 1, 1))
_DURATION = -16  # in place of the offset from UTC


def daylight_saving(data):
    """Type K, 4 bytes: (text or None, flag). "03-25T02/10-28 +1 GMT+1 on": begin month-day, hour; end month-day;
    hours of summer time; hours of the local time ahead of GMT (** where the field is 31, "every"); in use or off."""
    hour = data[0] & 31
    gmt = data[0] >> 5 | (data[1] >> 5 & 3) << 3
    first = data[1] & 31
    last = data[2] & 31
    months = data[3] & 15, data[3] >> 4
    if not (first and last and 1 <= months[0] <= 12 and 1 <= months[1] <= 12):
        return None, "invalid date"
    if 23 < hour < _EVERY or 23 < gmt < _EVERY:
        return None, "invalid date"
    text = "%02d-%02dT%s/%02d-%02d" % (months[0], first, _two(hour), months[1], last)
    text += " %s%d GMT+%s" % ("+" if data[2] & 0x80 else "-", data[2] >> 5 & 3, _two(gmt))
    return text + (" on" if data[1] & 0x80 else " off"), INFERRED


def _two(number):
    return "**" if number == _EVERY else "%02d" % number


def daylight_saving_data(text):
    """The bytes of a type K text. MisuseError if it is none."""
    try:
        span, deviation, gmt, state = text.split(" ")
        first, last = span.split("/")
        sign = 0x80 if deviation[0] == "+" else 0
        hour = _EVERY if first[6:] == "**" else int(first[6:])
        gmt = _EVERY if gmt[4:] == "**" else int(gmt[4:])
        numbers = (int(first[:2]), int(first[3:5]), int(last[:2]), int(last[3:]), int(deviation[1:]))
    except (ValueError, IndexError):
        raise MisuseError("no daylight saving rule: " + text)
    data = bytes(
        [
            hour & 31 | (gmt & 7) << 5,
            numbers[1] & 31 | (gmt >> 3 & 3) << 5 | (0x80 if state == "on" else 0),
            numbers[3] & 31 | (numbers[4] & 3) << 5 | sign,
            numbers[0] & 15 | (numbers[2] & 15) << 4,
        ]
    )
    if daylight_saving(data)[0] != text:  # whatever does not fit its field
        raise MisuseError("no daylight saving rule: " + text)
    return data


def date_time_full(year, month, day, hour, minute, second, summer_hours=None):
    """Type I, 6 bytes, with all that dates.date_time_seconds leaves unspecified: day and week (ISO 8601) and the mark of
    leap years. `summer_hours` is by how much the clock is ahead because of summer time, -3 to 3; None: it is not."""
    data = bytearray(dates.date_time_seconds(year, month, day, hour, minute, second))
    days = dates.to_days(year, month, day)
    weekday = (days + 2) % 7  # 0000-03-01 was a Wednesday; Monday is 0
    # A week belongs to the year of its Thursday.
    thursday = days - weekday + 3
    week = (thursday - dates.to_days(dates.from_days(thursday)[0], 1, 1)) // 7 + 1
    if year % 4 == 0:  # 2000 to 2099
        data[0] |= 0x80
    data[2] |= (weekday + 1) << 5
    data[5] = week
    if summer_hours is not None:
        if not -3 <= summer_hours <= 3:
            raise MisuseError("summer time %d is not in -3..3 hours" % summer_hours)
        data[0] |= 0x40
        data[1] |= 0x40 if summer_hours > 0 else 0
        data[5] |= abs(summer_hours) << 6
    return bytes(data)


def instant(data):
    """Type M, 2 to 10 bytes behind the LVAR: (ISO date and time with its offset from UTC, or ISO duration, flag)."""
    control = data[-1]
    offset = (control & 31) - (32 if control & 16 else 0)
    parts = _PARTS[control >> 5 & 3]
    count = int.from_bytes(data[:-1], "little")
    seconds, rest = divmod(count, parts) if parts else (2 * count, 0)
    fraction = ""
    if rest:  # exact: 1/32768 has 15 decimals
        fraction = "%015d" % (rest * (10**15 // parts))
        while fraction[-1] == "0":
            fraction = fraction[:-1]
        fraction = "." + fraction
    if offset == _DURATION:
        return "PT%d%sS" % (seconds, fraction), INFERRED
    if not -12 <= offset <= 14:
        return None, "invalid date"
    year, month, day = _EPOCHS[control >> 7]
    seconds += 3600 * offset
    days = dates.to_days(year, month, day) + seconds // 86400
    seconds %= 86400
    year, month, day = dates.from_days(days)
    if year > 9999:
        return None, "invalid date"
    text = "%04d-%02d-%02dT%02d:%02d:%02d%s" % (
        year,
        month,
        day,
        seconds // 3600,
        seconds // 60 % 60,
        seconds % 60,
        fraction,
    )
    return text + ("%s%02d:00" % ("-" if offset < 0 else "+", abs(offset)) if offset else "Z"), INFERRED


def instant_data(text):
    """The bytes of a type M text, LVAR first: whole seconds where they do, the epoch nearest before the instant, as few
    bytes as hold it. MisuseError if it is neither an instant with its offset from UTC nor a duration in seconds."""
    try:
        epoch = 0
        if text[:2] == "PT" and text[-1] == "S":
            offset = _DURATION
            whole, fraction = _fraction(text[2:-1])
        else:
            body, offset = (text[:-1], 0) if text[-1] == "Z" else (text[:-6], int(text[-6:-3]))
            second, fraction = _fraction(body[17:])
            days = dates.to_days(int(body[:4]), int(body[5:7]), int(body[8:10]))
            whole = 3600 * (int(body[11:13]) - offset) + 60 * int(body[14:16]) + second
            epoch = 0 if 86400 * (days - dates.to_days(*_EPOCHS[0])) + whole >= 0 else 1
            whole += 86400 * (days - dates.to_days(*_EPOCHS[epoch]))
    except (ValueError, IndexError):
        raise MisuseError("no instant and no duration: " + text)
    for resolution in (1, 2, 3):
        parts = _PARTS[resolution]
        if fraction * parts % 10**15 == 0:
            break
    count = whole * parts + fraction * parts // 10**15
    size = 1
    while size < 9 and count >> (8 * size):
        size += 1
    control = offset & 31 | resolution << 5 | epoch << 7
    data = (count & (1 << 72) - 1).to_bytes(size, "little") + bytes([control])
    if (
        instant(data)[0] != text
    ):  # a day that does not exist, a fraction finer than the finest step, out of range
        raise MisuseError("no instant and no duration: " + text)
    return bytes([0xE0 + len(data)]) + data


def _fraction(text):
    """Whole seconds and the rest in units of 10**-15."""
    whole, _, rest = text.partition(".")
    if len(rest) > 15:
        raise ValueError
    return int(whole), int(rest + "0" * (15 - len(rest)))
