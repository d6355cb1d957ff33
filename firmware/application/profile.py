"""Compact profiles: one record that holds many values at a fixed distance in time, as one record for each of them.

EN 13757-3:2018 Annex F, OMS Vol.2 Annex G; sheet en13757-3-application 7.2. The data of a profile is LVAR, spacing
control byte (SCB), spacing value byte (SVB), then the elements, the one nearest to the base first.
"""

from . import dates, fields, types, vif
from .record import Record, add, scale

# Last VIFE of the record -> which way the time goes: 13 from the base to older values.
_DIRECTION = {0x13: -1, 0x1E: 1, 0x1F: 1}
WORDS = ("inverse compact profile", "compact profile with register numbers", "compact profile")

_ABSOLUTE, _DECREMENTS, _SIGNED = 0, 2, 3  # SCB bits 7-6; 1 is increments

# Units of time: SCB bits 5-4, and month. Seconds of each, and its letter in an ISO 8601 duration.
_SECONDS = (1, 60, 3600, 86400)
_LETTERS = ("T%dS", "T%dM", "T%dH", "%dD", "%dM")
_MONTH = 4
_FULL_MONTHS = (0, 6, 3, 1)  # SVB 254, by SCB bits 5-4

FOLLOW = "values follow"


def is_named(record):
    """Whether the VIB of this Record says compact profile, be its values readable or not."""
    return len(record.qualifiers) > 0 and record.qualifiers[-1] in WORDS


def is_profile(record):
    """Whether this Record is a compact profile whose values can be read and have not been: data of variable length, the
    profile VIFE last in the VIB."""
    return (
        record.flag == "raw data"
        and is_named(record)
        and record.vib[-1] in _DIRECTION
        and record.vib[0] & 0x7F != 0x7C  # plain-text units are not looked into
        and 3 <= len(record.data) == record.data[0] + 1
    )


def expand(records):
    """The records of a payload with the values of each compact profile behind it, as a list.

    Such a Record has no DIB and VIB of its own; `offset` and `data` are those of its element, `storage` is that of the
    profile plus 1, 2, ..., and `time` says when: ISO 8601, as fine as the base time and the interval are; a duration
    from the base time ("-PT8S") where that is no complete date; None where there is no time or, for half months, none
    that is publicly defined. An array (spacing value 0) of several columns names them: qualifier "column 1"... The
    profile's flag says that values follow, or why there are none or not all.
    """
    out = []
    for record in records:
        out.append(record)
        if is_profile(record):
            record.flag = _expand(record, records, out)
    return out


def _expand(profile, records, out):
    """Append the values of a profile; returns its flag."""
    data = profile.data
    field = data[1] & 15
    mode = data[1] >> 6
    size = fields.SIZES[field]
    if size <= 0:
        return "reserved element type"
    step = _step(data[1] >> 4 & 3, data[2])
    if step is None:
        return "reserved spacing"
    count, unit = step
    meaning = vif.resolve(_base_vib(profile))
    direction = _DIRECTION[profile.vib[-1]]
    sign = -direction if mode == _DECREMENTS else direction
    kind = "" if mode == _SIGNED else "C"
    mantissa = exponent = 0
    if mode == _ABSOLUTE:
        kind = "T" if meaning.kind == "T" else ""
    else:
        base = base_value(profile, records)
        if base is None:
            return "no base value"
        if base.mantissa is None:
            return "invalid base value"
        mantissa, exponent = base.mantissa, base.exponent
    start = _base_time(profile, records) if count else None
    columns = (data[1] >> 4 & 3) + 1 if data[2] == 0 else 1
    own = [("unit", meaning.unit), ("qualifiers", meaning.qualifiers)]
    own += [(name, getattr(profile, name)) for name in ("function", "tariff", "subunit", "final_dife")]
    # A profile becomes up to 190 records: they hold only what is not in Record already.
    own = [one for one in own if one[1] != getattr(Record, one[0])]
    number = 0
    at = 3
    while at + size <= len(data):
        entry = Record(
            profile.offset + len(profile.dib) + len(profile.vib) + at,
            b"",
            b"",
            data[at : at + size],
            meaning.quantity,
        )
        raw, power, text, flag = types.value(field, entry.data, kind)
        if raw is not None:
            raw, power = scale(meaning, raw, power)
        if mode != _ABSOLUTE:
            if raw is None:
                return "ended by an invalid value"
            mantissa, exponent = add(mantissa, exponent, sign * raw, power)
            raw, power = mantissa, exponent
        elif raw is not None:
            for constant in meaning.constants:
                raw, power = add(raw, power, 1, constant)
        number += 1
        at += size
        if raw is not None:
            entry.mantissa, entry.exponent = raw, power
        elif text is not None:
            entry.text = text
        if flag is not None:
            entry.flag = flag
        for name, value in own:
            setattr(entry, name, value)
        entry.storage = profile.storage + number
        if columns > 1:
            entry.qualifiers += ("column %d" % ((number - 1) % columns + 1),)
        if count:
            entry.time = moved(start, direction * number * count, unit)
        out.append(entry)
    return "incomplete last value" if at < len(data) else FOLLOW


def _step(unit, spacing):
    """(number, unit) of the interval; number 0 where no time can be told, None for what is reserved."""
    if spacing == 254:
        return (_FULL_MONTHS[unit], _MONTH) if unit else None
    if spacing == 253:
        return (0, unit) if unit == 3 else None
    return (spacing, unit) if spacing <= 250 else None


def step_ms(profile):
    """Distance in ms between two values of a compact profile (a Record), below 0 if they go back in time; None for months
    and arrays."""
    spacing = profile.data[2]
    if not 0 < spacing <= 250 or profile.vib[-1] not in _DIRECTION:
        return None
    return _DIRECTION[profile.vib[-1]] * 1000 * _SECONDS[profile.data[1] >> 4 & 3] * spacing


def _base_vib(profile):
    return profile.vib[:-2] + bytes([profile.vib[-2] & 0x7F])


def base_value(profile, records):
    """The first of the records with the profile's storage number, tariff, subunit and, but for the profile VIFE, VIB; or None."""
    vib = _base_vib(profile)
    for record in records:
        if record.vib == vib and _beside(profile, record, profile.tariff, profile.subunit):
            return record
    return None


def _beside(profile, record, tariff, subunit):
    return (
        record.storage == profile.storage
        and record.final_dife == profile.final_dife
        and record.tariff == tariff
        and record.subunit == subunit
    )


def _base_time(profile, records):
    """ISO text of the complete date with the profile's storage number, or None.

    It is looked for beside the base value first, then without tariff and subunit (example: EN 13757-3 F.2.6).
    """
    for tariff, subunit in ((profile.tariff, profile.subunit), (0, 0)):
        for record in records:
            if record.vib in (b"\x6c", b"\x6d") and _beside(profile, record, tariff, subunit):
                # A time of day or a rule ("every first of January") is no complete date.
                return record.text if record.flag is None and (record.text or "")[4:5] == "-" else None
    return None


# --- calendar ---


def moved(start, count, unit):
    """ISO text of the instant `count` units from `start` (ISO text), None where its year has not four digits; the duration as
    ISO text where the start is None. Units: 0 s, 1 min, 2 h, 3 d, 4 months; months keep the end of the month (sheet 7.2 rule
    5)."""
    if start is None:
        return ("-P" if count < 0 else "P") + _LETTERS[unit] % abs(count)
    year, month, day = int(start[:4]), int(start[5:7]), int(start[8:10])
    clock = start[11:]
    if unit == _MONTH:
        at_end = day == types.last_day(year, month)
        month += 12 * year - 1 + count
        year, month = month // 12, month % 12 + 1
        last = types.last_day(year, month)
        if at_end or day > last:  # 2008-05-31 -> 04-30 -> 03-31 -> 02-29
            day = last
    else:
        seconds = _SECONDS[unit] * count
        if unit < 3 and not clock:
            clock = "00:00"
        if unit == 0 and len(clock) == 5:
            clock += ":00"
        if clock:
            seconds += 3600 * int(clock[:2]) + 60 * int(clock[3:5]) + int(clock[6:] or 0)
        year, month, day = dates.from_days(dates.to_days(year, month, day) + seconds // 86400)
        seconds %= 86400
        parts = (seconds // 3600, seconds // 60 % 60, seconds % 60)
        clock = ":".join(["%02d" % part for part in parts[: (len(clock) + 1) // 3]])
    if not 0 <= year <= 9999:
        return None
    text = "%04d-%02d-%02d" % (year, month, day)
    return text + "T" + clock if clock else text
