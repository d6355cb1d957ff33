"""Load profiles: dated values of a meter, put together from as many telegrams as they come in.

Standard profiles (values under storage numbers in a row, with descriptors), compact and inverse profiles (expanded by
profile.py), messages that are continued behind DIF 1F. EN 13757-3:2018 Annex F, OMS Vol.2 Annexes G and K; sheet
en13757-3-application 7 and 10.6, oms-requirements 10.3.

The storage number rises with time (OMS Annex G.2 has an example); FD 20 names the number of the oldest value where the
block is a ring. Inferred: the ring begins at the smallest number that was seen in it.
"""

from collections import namedtuple

from . import profile, types
from .record import Record

# time: ISO 8601, as fine as the meter says. value = mantissa * 10**exponent in `unit`, None with the reason in `flag`.
# storage: number under which it was sent.
Point = namedtuple("Point", ("time", "mantissa", "exponent", "unit", "flag", "storage"))

# What tells one data point of a meter from another.
Key = namedtuple("Key", ("quantity", "qualifiers", "unit", "function", "tariff", "subunit", "final_dife"))

_MOST_CONTRADICTIONS = 16
_FIRST, _LAST, _SIZE = 0x20, 0x21, 0x22
# Storage interval descriptors FD 24 to 29: (units of profile.moved, how many of them).
_INTERVALS = {0x24: (0, 1), 0x25: (1, 1), 0x26: (2, 1), 0x27: (3, 1), 0x28: (4, 1), 0x29: (4, 12)}
_COPIED = (
    "function",
    "storage",
    "tariff",
    "subunit",
    "final_dife",
    "qualifiers",
    "unit",
    "mantissa",
    "exponent",
    "text",
    "flag",
)


class Series:
    """The points of one data point, the oldest first. size: how many are kept, the youngest.

    duplicates: points that came again. dropped: for which there was no room. contradictions: [(kept, refused)], pairs of
    Points of one time with different values, the last ones; contradicted: how many there were.
    """

    def __init__(self, size=1024):
        self.size = size
        self.points = []
        self.duplicates = 0
        self.dropped = 0
        self.contradicted = 0
        self.contradictions = []

    def add(self, point):
        """Put a Point in its place. The first value of a time stays; one that was invalid gives way to a valid one.
        Returns whether it is new."""
        low, high = 0, len(self.points)
        while low < high:
            middle = (low + high) // 2
            if self.points[middle].time < point.time:
                low = middle + 1
            else:
                high = middle
        if low < len(self.points) and self.points[low].time == point.time:
            return self._again(low, point)
        if len(self.points) < self.size:
            self.points.insert(low, point)
            return True
        self.dropped += 1
        if low == 0:
            return False
        self.points.insert(low, point)
        self.points.pop(0)
        return True

    def _again(self, at, point):
        kept = self.points[at]
        if kept.mantissa is None and point.mantissa is not None:
            self.points[at] = point
            return True
        if point.mantissa is None or _equal(kept, point):
            self.duplicates += 1
            return False
        self.contradicted += 1
        self.contradictions.append((kept, point))
        del self.contradictions[:-_MOST_CONTRADICTIONS]
        return False


def _equal(a, b):
    least = min(a.exponent, b.exponent)
    return a.mantissa * 10 ** (a.exponent - least) == b.mantissa * 10 ** (b.exponent - least)


class Profiles:
    """All series of one meter. size: points of each series, most: how many series and how many descriptors are kept.

    series: {Key: Series}. undated: values of profiles whose time nobody told. more_follow: whether the message so far ended
    with DIF 1F, so that the next telegram continues it. dropped: values for which there was no series left.
    """

    def __init__(self, size=1024, most=64):
        self.size = size
        self.most = most
        self.series = {}
        self.undated = 0
        self.dropped = 0
        self.more_follow = False
        self._open = []  # records of a message that goes on
        self._descriptors = {}  # (code, storage, tariff, subunit): value

    @property
    def empty(self):
        """Whether nothing is kept of what came so far."""
        return not (self.series or self.undated or self._open or self._descriptors)

    def feed(self, records, received=None):
        """Take the records of a decoded telegram (application.telegram.Telegram.records), in the order in which the
        telegrams of one message came. received: ISO 8601 text of its reception (UTC), for profiles whose base time is
        "now": without it their values are undated. Returns how many new points there are.

        While records follow in another telegram (DIF 1F) the values wait for it.
        """
        self._open += records
        self.more_follow = bool(records) and records[-1].flag == "more records follow"
        if self.more_follow and len(self._open) < 16 * self.most:
            return 0
        message, self._open, self.more_follow = self._open, [], False
        if len(message) > len(records):
            message = _rejoined(message)
        return self._read(message, received)

    def end(self, received=None):
        """The rest of the message will not come: take what there is. Returns as `feed`."""
        message, self._open, self.more_follow = _rejoined(self._open), [], False
        return self._read(message, received)

    def _read(self, records, received):
        for record in records:
            self._describe(record)
        new = 0
        dates = _dates(records)
        holder = None  # profile to which the entries behind it belong
        for record in records:
            if record.dib:
                holder = record
            if not _is_value(record):
                continue
            if record.dib:
                time = self._time(record, dates) or _now(record, records, received)
            else:
                time = record.time
                if time is not None and "P" in time:
                    base = _now(holder, records, received)
                    time = profile.moved(base, *_duration(time)) if base else None
            if time is not None:
                new += self._add(record, time)
            elif not record.dib:
                self.undated += 1
        return new

    def _add(self, record, time):
        key = Key(
            record.quantity,
            record.qualifiers,
            record.unit,
            record.function,
            record.tariff,
            record.subunit,
            record.final_dife,
        )
        series = self.series.get(key)
        if series is None:
            if len(self.series) >= self.most:
                self.dropped += 1
                return False
            series = self.series[key] = Series(self.size)
        flag = record.flag
        return series.add(Point(time, record.mantissa, record.exponent, record.unit, flag, record.storage))

    def _describe(self, record):
        """Remember a descriptor of the storage: a meter may send it in another message than the values (Annex K)."""
        if len(record.vib) != 2 or record.vib[0] != 0xFD or not record.dib or record.final_dife:
            return
        code = record.vib[1]
        if code in _INTERVALS or code in (_FIRST, _LAST, _SIZE):
            value, exponent = (
                types.value(record.dib[0] & 15, record.data, "C")[:2] if record.data else (None, 0)
            )
            if exponent != 0:  # a real number
                value = None
            key = (code, record.storage, record.tariff, record.subunit)
            if key in self._descriptors or len(self._descriptors) < self.most:
                self._descriptors[key] = value

    def _time(self, record, dates):
        """ISO text of when a value under its own storage number was valid, or None."""
        own = _date(record, dates, record.storage)
        if own is not None or record.final_dife:
            return own
        for tariff, subunit in ((record.tariff, record.subunit), (0, 0)):
            block = self._block(record.storage, tariff, subunit)
            if block:
                return self._from_block(record, dates, *block)
        return None

    def _block(self, storage, tariff, subunit):
        """(first number, length or None, units, count) of the block with this number whose interval is known, or None:
        the one that begins nearest below it; of a ring the one that holds it."""
        best = None
        for (code, base, own_tariff, own_subunit), value in self._descriptors.items():
            if code not in _INTERVALS or value is None or (own_tariff, own_subunit) != (tariff, subunit):
                continue
            size = self._descriptors.get((_SIZE, base, tariff, subunit))
            ring = (_FIRST, base, tariff, subunit) in self._descriptors and size
            if size and abs(storage - base) >= size or storage < base and not ring:
                continue
            if best is None or abs(storage - base) < abs(storage - best[0]):
                unit, factor = _INTERVALS[code]
                best = (base, size if ring else None, unit, value * factor)
        return best

    def _from_block(self, record, dates, base, ring, unit, count):
        """The time by the date that stands beside another value of the block, and the distance to it."""
        newest = None
        for storage, _, _, _, final_dife in dates:
            if final_dife or abs(storage - base) >= (ring or 1 << 41) or ring is None and storage < base:
                continue
            date = _date(record, dates, storage)
            if date is None:
                continue
            place = _place(storage, base, ring)
            if newest is None or place > newest[0]:
                newest = (place, date)
        if newest is None:
            return None
        return profile.moved(newest[1], (_place(record.storage, base, ring) - newest[0]) * count, unit)


_DATES = (b"\x6c", b"\x6d")


def _place(storage, first, ring):
    return (storage - first) % ring if ring else storage - first


def _is_value(record):
    """Whether it can be a point of a profile: a number, or one that is missing, under a storage number."""
    if not record.dib:
        return record.text is None  # an entry of a compact profile
    vib = record.vib
    if record.storage == 0 or record.mantissa is None or vib in _DATES:
        return False
    descriptor = vib[0] == 0xFD and len(vib) == 2 and _FIRST <= vib[1] <= 0x29
    return not descriptor and not (len(vib) == 1 and 0x74 <= vib[0] <= 0x77)


def _dates(records):
    """{(storage, tariff, subunit, function, final DIFE): ISO text, None where it is no complete date or time}"""
    dates = {}
    for record in records:
        if record.vib in _DATES:
            text = record.text or ""
            complete = record.flag is None and text[4:5] == "-" and "*" not in text
            key = (record.storage, record.tariff, record.subunit, record.function, record.final_dife)
            dates.setdefault(key, text if complete else None)
    return dates


def _date(record, dates, storage):
    """The complete date or time under a storage number that belongs to a value, ISO text, or None: of the same tariff and
    subunit, else without them; when a maximum was is asked only where the period has no date."""
    for function in ("instantaneous", record.function):
        for tariff, subunit in ((record.tariff, record.subunit), (0, 0)):
            key = (storage, tariff, subunit, function, record.final_dife)
            if key in dates:
                return dates[key]
    return None


def _now(value, records, received):
    """The time of a value under a storage number without a date: its actuality duration (VIF 74-77, DP1!) before the
    reception (OMS Annex R)."""
    if received is None:
        return None
    for one in records:
        unit = one.vib[0] - 0x74 if len(one.vib) == 1 else -1
        if 0 <= unit <= 3 and one.storage == value.storage and one.mantissa is not None:
            whole = one.exponent == 0 and one.mantissa >= 0
            return profile.moved(received, -one.mantissa, unit) if whole else None
    return None


_LETTERS = ("S", "M", "H", "D", "M")


def _duration(text):
    """(count, unit) of a duration as profile.moved writes it."""
    sign = -1 if text[0] == "-" else 1
    digits = text.replace("-", "").replace("P", "")
    timed = digits[0] == "T"
    letter = digits[-1]
    unit = 4 if letter == "M" and not timed else _LETTERS.index(letter)
    return sign * int(digits.replace("T", "")[:-1]), unit


def _rejoined(records):
    """The records of a message that came in several telegrams, its profiles expanded anew: base value or time may have
    come in another telegram than the profile."""
    out = []
    for record in records:
        if not record.dib or record.flag == "more records follow":
            continue
        copy = Record(record.offset, record.dib, record.vib, record.data, record.quantity)
        for name in _COPIED:
            setattr(copy, name, getattr(record, name))
        if profile.is_named(record):
            copy.flag = "raw data"  # as record.decode leaves it
        out.append(copy)
    return profile.expand(out)
