"""Dates and times for a device that sends them (sheet en13757-3-application 3.2-3.4). None stands for "every"."""

from ..errors import MisuseError
from . import dib as _dib


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
    """The bytes of ISO text ("2024-05-31", "2024-05-31T23:50", "...:23", "23:50:00"; ** is "every") by data field."""
    numbers = []
    for part in iso.replace("T", "-").replace(":", "-").split("-"):
        if part and not part.replace("*", ""):
            numbers.append(None)
        elif part.isdigit():
            numbers.append(int(part))
        else:
            raise MisuseError("not an ISO date or time: " + iso)
    field = _dib.FIELDS.get(field, field)
    count, encoder = {2: (3, date), 3: (3, time), 4: (5, date_time), 6: (6, date_time_seconds)}.get(
        field, (0, None)
    )
    if not encoder or len(numbers) != count:
        raise MisuseError("this data field does not hold " + iso)
    return encoder(*numbers)


def from_unix(field, seconds):
    """Seconds since 1970 as date (2 bytes), date and time (4 bytes) or with seconds (6 bytes)."""
    days, second = seconds // 86400, seconds % 86400
    # Days since 0000-03-01, in eras of 400 years: years that begin in March have their leap day at the end.
    days += 719468
    day_of_era = days % 146097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year = year_of_era + 400 * (days // 146097) + (1 if month < 3 else 0)
    if field == 2:
        return date(year, month, day)
    if field == 4:
        return date_time(year, month, day, second // 3600, second // 60 % 60)
    return date_time_seconds(year, month, day, second // 3600, second // 60 % 60, second % 60)
