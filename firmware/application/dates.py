"""Dates and times for a device that sends them (sheet en13757-3-application 3.2-3.4), and the calendar behind them.
None stands for "every"."""

from ..errors import MisuseError
from ..portable import const

_DAYS_TO_1970 = const(719468)


def _check(number, low, high, every, name):
    if number is None:
        return every
    if not low <= number <= high:
        raise MisuseError("%s %d is not in %d..%d" % (name, number, low, high))
    return number


def date(year, month, day):
    """Type G, 2 bytes (data field int16, VIF 6C). Years 2000-2099."""
    y = _check(year, 2000, 2099, 2127, "year") - 2000
    m = _check(month, 1, 12, 15, "month")
    d = _check(day, 1, 31, 0, "day")
    return bytes([d | (y & 7) << 5, m | (y >> 3) << 4])


def date_time(year, month, day, hour, minute, summer_time=False):
    """Type F, 4 bytes (int32, VIF 6D). Years 1900-2299; the century bits are set."""
    y = _check(year, 1900, 2299, 2127, "year") - 1900
    head = date(None if year is None else 2000 + y % 100, month, day)
    return (
        bytes(
            [
                _check(minute, 0, 59, 63, "minute"),
                _check(hour, 0, 23, 31, "hour") | (y // 100) << 5 | (0x80 if summer_time else 0),
            ]
        )
        + head
    )


def date_time_seconds(year, month, day, hour, minute, second):
    """Type I, 6 bytes (int48, VIF 6D). Years 2000-2099; weekday, week and leap year are left unspecified."""
    head = date(year, month, day)
    return bytes(
        [
            _check(second, 0, 59, 63, "second"),
            _check(minute, 0, 59, 63, "minute"),
            _check(hour, 0, 23, 31, "hour"),
            head[0],
            head[1] & (0xF0 if month is None else 0xFF),
            0,
        ]
    )


def time(hour, minute, second):
    """Type J, 3 bytes (int24, VIF 6D)."""
    return bytes(
        [
            _check(second, 0, 59, 63, "second"),
            _check(minute, 0, 59, 63, "minute"),
            _check(hour, 0, 23, 31, "hour"),
        ]
    )


def time_text(field, iso):
    """The bytes of ISO text ("2024-05-31", "2024-05-31T23:50", "...:23", "23:50:00"; ** is "every") in a data field, by
    its code. MisuseError if it does not hold that.
    """
    numbers = []
    for part in iso.replace("T", "-").replace(":", "-").split("-"):
        if part and not part.replace("*", ""):
            numbers.append(None)
        elif part and not part.strip("0123456789") and len(part) < 5:
            numbers.append(int(part))
        else:
            raise MisuseError("not an ISO date or time: " + iso)
    count, encoder = {2: (3, date), 3: (3, time), 4: (5, date_time), 6: (6, date_time_seconds)}.get(
        field, (0, None)
    )
    if not encoder or len(numbers) != count:
        raise MisuseError("this data field does not hold " + iso)
    return encoder(*numbers)


def from_unix(field, seconds):
    """Seconds since 1970 as date (2 bytes), date and time (4 bytes) or with seconds (6 bytes)."""
    year, month, day = from_days(seconds // 86400 + _DAYS_TO_1970)
    second = seconds % 86400
    if field == 2:
        return date(year, month, day)
    if field == 4:
        return date_time(year, month, day, second // 3600, second // 60 % 60)
    return date_time_seconds(year, month, day, second // 3600, second // 60 % 60, second % 60)


# --- calendar: days since 0000-03-01, because years that begin in March have their leap day at the end ---


def to_days(year, month, day):
    """Days from 0000-03-01 to this date of the Gregorian calendar."""
    if month < 3:
        year -= 1
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1


def from_days(days):
    """(year, month, day) so many days behind 0000-03-01."""
    century = (4 * days + 3) // 146097
    days -= 146097 * century // 4
    year = (4 * days + 3) // 1461
    days -= 1461 * year // 4
    month = (5 * days + 2) // 153
    day = days - (153 * month + 2) // 5 + 1
    year += 100 * century
    return (year, month + 3, day) if month < 10 else (year + 1, month - 9, day)
