"""Values as a gateway keeps them: one per OBIS code, with the time at which it was measured (BSI detail specification for
TR-03109-1 ch. 10, OMS Vol.2 Annex A; sheet en13757-3-application 9, 11). Status words: status_words.py.

Times of ours are UTC in milliseconds since 1970; times of the meter's own clock are local, nobody knows to which zone,
and stay text. Values are never altered: number and unit are those of the record. What stands behind DIF 0F or 1F is the
manufacturer's and never used.
"""

from ..transport import ci
from . import dates, profile

_DAYS_TO_1970 = 719468
_MS = {"s": 1000, "min": 60000, "h": 3600000, "d": 86400000}

RECEPTION_TIME = "0-0:0.9.1*255"
RECEPTION_DATE = "0-0:0.9.2*255"
METER_ADDRESS = "0-0:96.1.1*255"
LINK_ADDRESS = "0-0:96.1.2*255"
STATUS = "0-0:97.97.0*255"
BREAKER = "0-0:96.3.19*255"
_BREAKER_STATES = ("closed/disconnected", "open/connected", "released")  # OMS Vol.2 Annex M UC-03

METER, PROFILE, GATEWAY = "meter", "profile", "gateway"


class Value:
    """One value under one OBIS code.

    obis: text, None for a data point without one (sensors). data_point: name of OMS Annex B or None. mantissa, exponent,
    unit, text: as in a Record. flag: why there is no value, or a warning of its record. source: METER, PROFILE (an entry
    of a compact profile) or GATEWAY (made here). measured_ms: UTC, None if it cannot be told. device_time: what the
    meter's own clock says about it, ISO text in its local time, or None. flags: "error state" (function error), "repeated"
    (came through a repeater, which holds a telegram back: the time is that much too late), "time unknown", "device time"
    (the time is the meter's local one). record: the Record, None if made here.
    """

    def __init__(self, obis, data_point, source=METER):
        self.obis = obis
        self.data_point = data_point
        self.source = source
        self.mantissa = None
        self.exponent = None
        self.unit = None
        self.text = None
        self.flag = None
        self.measured_ms = None
        self.device_time = None
        self.flags = ()
        self.record = None

    @property
    def usable(self):
        """Whether it may be registered: a value of the meter, not taken during an error state."""
        return self.source != GATEWAY and "error state" not in self.flags

    def __repr__(self):
        return "<%s %s %s>" % (self.obis or self.data_point, self.text or self.mantissa, self.unit or "")


# --- instants ---


def utc_text(ms):
    """ISO 8601 with milliseconds and Z."""
    return local_text(ms) + ".%03dZ" % (ms % 1000)


def local_text(ms):
    """ISO 8601 to the second, no zone."""
    year, month, day = dates.from_days(ms // 86400000 + _DAYS_TO_1970)
    second = ms // 1000 % 86400
    return "%04d-%02d-%02dT%02d:%02d:%02d" % (
        year,
        month,
        day,
        second // 3600,
        second // 60 % 60,
        second % 60,
    )


def milliseconds(iso):
    """Of an ISO date or date and time as records have it, as if it were UTC; None where it is not one instant."""
    if iso is None or "*" in iso or iso[4:5] != "-" or len(iso) < 10:
        return None
    try:
        days = dates.to_days(int(iso[:4]), int(iso[5:7]), int(iso[8:10])) - _DAYS_TO_1970
        clock = iso[11:].split(":") if len(iso) > 10 else ["0", "0"]
        seconds = int(clock[0]) * 3600 + int(clock[1]) * 60 + (int(clock[2]) if len(clock) > 2 else 0)
    except (ValueError, IndexError):
        return None
    return (days * 86400 + seconds) * 1000


# --- times of values ---


class _Times:
    """What a telegram says about when its values were measured."""

    def __init__(self, records, received_ms):
        self.received_ms = received_ms
        self.ages = {}  # (storage, subunit): age in ms, None if invalid
        self.stamps = {}  # (storage, final DIFE, function, tariff, subunit): ISO text
        for record in records:
            if record.quantity == "actuality duration" and record.function == "instantaneous":
                self.ages[(record.storage, record.subunit)] = duration_ms(record)
            elif (
                record.quantity in ("date", "date and time")
                and (record.text or "")[4:5] == "-"
                and not record.time
            ):
                if record.qualifiers:
                    continue  # begin, end, future: not the time of a value
                key = (
                    record.storage,
                    record.final_dife,
                    record.function,
                    record.tariff,
                    record.subunit,
                )
                if key not in self.stamps or len(record.text) > len(self.stamps[key]):
                    self.stamps[key] = record.text

    def age(self, storage, subunit):
        """(known, ms): actuality duration of a storage number, of the subunit or else the whole meter."""
        for key in ((storage, subunit), (storage, 0)):
            if key in self.ages:
                return True, self.ages[key]
        return False, 0

    def measured_ms(self, record):
        """UTC of a value: reception minus DP1! (of a TAF7 base value: DP1!B, else the current one)."""
        if self.received_ms is None or record.final_dife or record.function not in ("instantaneous", "error"):
            return None
        if record.storage not in (0, 3):
            return None
        known, age = self.age(record.storage, record.subunit)
        if not known and record.storage == 3:
            known, age = self.age(0, record.subunit)
            if not known:
                return None  # nothing but the meter's clock says when
        return None if age is None else self.received_ms - age

    def device_time(self, record):
        """What the meter's clock says about a value, or None."""
        for tariff, subunit in ((record.tariff, record.subunit), (0, record.subunit), (0, 0)):
            key = (record.storage, record.final_dife, record.function, tariff, subunit)
            if key in self.stamps:
                return self.stamps[key]
        return None


def duration_ms(record):
    """A duration in s, min, h or d as ms; None if it is invalid or negative."""
    unit = _MS.get(record.unit)
    if record.mantissa is None or unit is None or record.mantissa < 0 or record.flag is not None:
        return None
    if record.exponent >= 0:
        return record.mantissa * unit * 10**record.exponent
    return record.mantissa * unit // 10**-record.exponent


# --- values ---


def values(telegram, received_ms=None):
    """The values of a telegram of a meter, those that a gateway makes first: a list of Value.

    telegram: application.telegram.Telegram, annotated (obis.annotate). received_ms: when it was received, UTC, no more
    than 500 ms behind its first character; None if unknown. Records without OBIS code and data point are left out. A
    telegram to a meter has none; of a refused one there are only those that a gateway makes.
    """
    if telegram.tpl is not None and telegram.tpl.direction == ci.DOWN:
        return []
    out = _made(telegram, received_ms)
    records = [record for record in telegram.records if record.quantity != "manufacturer data"]
    times = _Times(records, received_ms)
    series = None
    number = 0
    for record in records:
        if record.time is not None and not record.dib:
            number += 1
            if series is not None:
                out.append(_entry(record, series, number, times))
            continue
        if profile.is_named(record) and len(record.data) > 2:
            series = _series(record, records, times)
            number = 0
            continue
        if record.obis is None and record.data_point is None:
            continue
        _add(out, record, times)
    if telegram.hops:
        for value in out:
            if value.measured_ms is not None:
                value.flags += ("repeated",)
    return out


def _made(telegram, received_ms):
    """Rows 0-0 of OMS Annex A that no record brings."""
    time = Value(RECEPTION_TIME, None, GATEWAY)
    date = Value(RECEPTION_DATE, None, GATEWAY)
    for value in (time, date):
        value.measured_ms = received_ms
        if received_ms is None:
            value.flag = "time unknown"
    if received_ms is not None:
        text = utc_text(received_ms)
        date.text = text[:10]
        time.text = text[11:]
    meter = Value(METER_ADDRESS, None, GATEWAY)
    if telegram.address is not None:
        meter.text = telegram.address.tpl_bytes().hex().upper()
    else:
        meter.flag = "not known"
    sender = Value(LINK_ADDRESS, None, GATEWAY)
    link = telegram.link
    primary = getattr(link, "primary_address", None)
    if primary is not None:
        sender.text = "%02X" % primary
    elif link is not None and link.address is not None:
        sender.text = link.address.tpl_bytes().hex().upper()
    else:
        sender.flag = "not known"
    status = Value(STATUS, None, GATEWAY)
    if telegram.tpl is not None and telegram.tpl.status is not None:
        status.mantissa, status.exponent = telegram.tpl.status, 0
    else:
        status.flag = "no header"
    return [time, date, meter, sender, status]


def _of(record, obis, data_point, source=METER):
    value = Value(obis, data_point, source)
    value.record = record
    value.mantissa, value.exponent = record.mantissa, record.exponent
    value.unit, value.text, value.flag = record.unit, record.text, record.flag
    if record.function == "error":
        value.flags = ("error state",)
    return value


def _add(out, record, times):
    """Append the value of a record, two for a date and time."""
    value = _of(record, record.obis, record.data_point)
    value.measured_ms = times.measured_ms(record)
    value.device_time = times.device_time(record)
    if value.measured_ms is None and record.storage == 0 and record.function == "instantaneous":
        value.flags += ("time unknown",)
    if record.quantity == "actuality duration" and record.obis is not None:
        _time_of_value(value, times)
    elif record.obis == BREAKER:
        if record.mantissa in (0, 1, 2):
            value.text = _BREAKER_STATES[record.mantissa]
        elif record.mantissa is not None:
            value.flag = "reserved state"
    elif record.obis is not None and record.obis[-10:] == ":0.9.1*255" and "T" in (record.text or ""):
        date = _of(record, record.obis[:-9] + "0.9.2*255", record.data_point)
        date.text, value.text = record.text.split("T")
        date.device_time = value.device_time
        date.measured_ms, date.flags = value.measured_ms, value.flags
        out.append(value)
        value = date
    out.append(value)


def _time_of_value(value, times):
    """A-0:0.1.2 and A-0:0.9.3: reception time minus DP1!; without reception time the meter's clock minus DP1!.

    The number of the record makes room for that instant; the duration itself stays in the record.
    """
    age = duration_ms(value.record)
    value.mantissa = value.exponent = value.unit = None
    if age is None:
        value.flag = value.flag or "invalid"
        return
    if value.measured_ms is not None:
        value.text = utc_text(value.measured_ms)
        return
    stamp = times.device_time(value.record)
    at = milliseconds(stamp) if stamp is not None and "T" in stamp else None
    if at is None:
        value.flag = "time unknown"
    else:
        value.text = local_text(at - age)
        value.flags = ("device time",)


class _Series:
    obis = None
    data_point = None
    base_ms = None  # UTC of the base value
    step_ms = None  # signed: below 0 for an inverse profile


def _series(record, records, times):
    """Where the entries behind the profile `record` belong; None where neither it nor its base value has a name."""
    series = _Series()
    base = profile.base_value(record, records)
    for one in (record, base):
        if one is not None and series.obis is None:
            series.obis, series.data_point = one.obis, one.data_point or series.data_point
    if series.obis is None and series.data_point is None:
        return None
    step_ms = profile.step_ms(record)
    if base is not None and step_ms is not None:
        series.base_ms = times.measured_ms(base)
        series.step_ms = step_ms
    return series


def _entry(record, series, number, times):
    """The value of an entry: so many steps from its base value (OMS Vol.2 Annex R)."""
    value = _of(record, record.obis or series.obis, series.data_point, PROFILE)
    if series.base_ms is not None:
        value.measured_ms = series.base_ms + number * series.step_ms
    if record.time is not None and record.time[4:5] == "-":
        value.device_time = record.time
    if value.measured_ms is None and value.device_time is None:
        value.flags += ("time unknown",)
    return value
