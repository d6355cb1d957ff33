"""The device that a meter node is, from the words of the configuration to the bytes of its records.

`omsnode meter --help` shows the words by example.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from ..application import builder, dates, encode, points, vif
from ..application import dib as dibs
from ..application.reals import real
from ..errors import ApplicationError, ConfigError, MisuseError
from ..phy import modes
from ..roles.meter import CLOCK, Meter, Profile, Register
from . import access, lpwan_access, point_values

_DEVICE = {
    "name": str,
    "id": str,
    "key": str,
    "mode": (*sorted({row.name for row in modes.every() if row.direction == modes.UP}), *lpwan_access.MODES),
    "frame_format": ("A", "B"),
    "interval_s": (int, Decimal),
    "security_mode": int,
    "header": ("short", "long"),
    "behind_adapter": str,
    "ell": bool,
    "status": int,
    "points": (str, list),
    "sensors": list,
    "record": list,
}
_STANDARD_SET = "OMS standard set"
_ANY_SENSOR = 0x1F  # device type of sensors that say themselves what they are
_RECORD = {
    "point": str,
    "quantity": str,
    "unit": str,
    "value": (int, Decimal, str),
    "growth_per_hour": (int, Decimal),
    "resolution": (int, Decimal),
    "field": tuple(dibs.FIELDS),
    "function": dibs.FUNCTIONS,
    "storage": int,
    "tariff": int,
    "subunit": int,
    "qualifiers": list,
    "clear": bool,
    "writable": bool,
    "dib": str,
    "vib": str,
    "data": str,
}

# Units with a prefix: base unit and power of ten.
_PREFIXED = {
    "kWh": ("Wh", 3),
    "MWh": ("Wh", 6),
    "kJ": ("J", 3),
    "MJ": ("J", 6),
    "GJ": ("J", 9),
    "kW": ("W", 3),
    "MW": ("W", 6),
    "l": ("m3", -3),
    "l/h": ("m3/h", -3),
    "mbar": ("bar", -3),
    "t": ("kg", 3),
    "kvarh": ("varh", 3),
    "Mcal": ("cal", 6),
    "mm": ("m", -3),
    "cm": ("m", -2),
}
_CLOCK_FIELDS = {"date": "int16", "date and time": "int32"}

_SECURITY_MODES = (0, 5, 7, 10)
_SECURITY_HINT = "security_mode = 0 is plain, 5 is OMS profile A, 7 is B, 10 is D"

# Longest t_NOM in seconds by family (EN 13757-4 Table 36; link sheet 8.5). The shortest is ours.
_LONGEST_S = {"S": 7200, "T": 900, "C": 900, "UL-B4": 900, "B": 7200}
_SHORTEST_S = 1
_ANY_TIME_US = 1767225600000000  # in 2026: type G does not know 1970


@dataclass
class Device:
    """name: what the user calls it. profile: for the meter role. listens: what its role is made of, None for a meter that only
    sends; a burst meter always has one. warnings: what is not as OMS wants it."""

    name: str
    profile: Profile
    listens: access.Access | None = None
    warnings: tuple = ()


def device(source, table, values):
    """A Device from one [[meter]] table. ConfigError with file, line and hint."""
    if "profile" in values:
        raise source.error("profile is for the meters of a collector", table, "profile", _SECURITY_HINT)
    mode = values.get("mode", "T1")
    burst = mode in lpwan_access.MODES
    source.check(table, values, {**_DEVICE, **(lpwan_access if burst else access).SCHEMA})
    source.require(table, values, ("id",) if "points" in values else ("id", "record"))

    def wrong(message, key=None, hint=""):
        return source.error(message, table, key, hint)

    own = source.address(table, values)
    other = None
    if "behind_adapter" in values:
        other = own
        own = source.address(table, values, "behind_adapter")
    for address in (own, other or own):
        if None in (address.manufacturer, address.version, address.device_type):
            raise wrong("a meter needs its whole address", "id", "such as 12345678.M=KAM.V=1b.T=16")
    key = source.key(table, values)
    family = "B" if burst else modes.find(mode).family
    seconds = values.get("interval_s", 60)
    longest_s = _LONGEST_S.get(mode) or _LONGEST_S[family]
    if not _SHORTEST_S <= seconds <= longest_s:
        hint = "{} to {} s in mode {}".format(_SHORTEST_S, longest_s, mode)
        raise wrong("interval_s = {} is not allowed".format(seconds), "interval_s", hint)
    nominal_us = int(seconds * 1000000)
    device_type = (other or own).device_type
    listed = _records(source, table, values)
    try:
        sensors = point_values.sub_device_types(values.get("sensors", ()))
        listed = _with_points(source, table, values, listed, device_type, sensors)
    except MisuseError as error:
        if isinstance(error, ConfigError):
            raise
        raise wrong(error.message, "points", error.hint)
    if not listed:
        raise wrong("a meter with no record", "record", 'write [[meter.record]], or points = ["VM1!"]')
    registers, clear_from, sent = [], None, set()
    for place, record in listed:
        register = _register(source, place, record, nominal_us, device_type, sensors)
        same = record.get("point"), register.dib, register.vib
        if same[0] and same in sent:
            hint = "leave one out, or give it another storage, tariff or subunit"
            raise source.error("{} would be sent twice".format(same[0]), place, "point", hint)
        sent.add(same)
        registers.append(register)
        if record.get("clear") and clear_from is None:
            clear_from = len(registers) - 1
        elif clear_from is not None and not record.get("clear"):
            raise source.error(
                "an encrypted record behind a clear one",
                place,
                None,
                "put the records with clear = true last",
            )
    security_mode = values.get("security_mode", 0 if key is None else 5)
    if security_mode not in _SECURITY_MODES:
        raise wrong(
            "nothing is sent in security_mode {}".format(security_mode), "security_mode", _SECURITY_HINT
        )
    if security_mode and key is None:
        raise wrong(
            "security_mode = {} needs a key".format(security_mode), "security_mode", 'add key = "@name"'
        )
    if not 0 <= values.get("status", 0) <= 255:
        raise wrong("status is a byte", "status")
    writable = tuple(index for index, (_, record) in enumerate(listed) if record.get("writable"))
    listens = (lpwan_access if burst else access).of(source, table, values, mode, key, writable)
    try:
        profile = Profile(
            own,
            registers,
            mode=mode.partition("+")[0],
            frame_format=values.get("frame_format", "B" if burst else "A"),
            nominal_us=nominal_us,
            key=key,
            security_mode=security_mode,
            clear_from=clear_from,
            header=values.get("header", "long" if other else "short"),
            meter_address=other,
            with_ell=values.get("ell", not burst and (family == "C" or listens is not None)),
            status=values.get("status", 0),
        )
        if not burst:  # that sends in parts what does not fit
            Meter(profile, bytes(5)).telegram(_ANY_TIME_US)  # does it all fit one telegram?
        role = listens.role(listens.kind, profile, bytes(5), None) if listens else None
    except MisuseError as error:
        raise wrong(error.message, None, error.hint)
    least_s = -(-lpwan_access.busy_us(role, listens) // 1000000) if burst else 0
    if seconds < least_s:
        hint = "{} s at least: its bursts and the windows behind them take so long".format(least_s)
        raise wrong("interval_s = {} is not allowed".format(seconds), "interval_s", hint)
    slow = access.too_slow(profile, listens.fillers if listens else 0)
    return Device(values.get("name", own.ident), profile, listens, (slow,) if slow else ())


def _records(source, table, values):
    """[(place, table)] of the [[meter.record]] of a meter."""
    out = []
    for index, record in enumerate(values.get("record", ())):
        place = "{}.record[{}]".format(table, index)
        if not isinstance(record, dict):
            raise source.error("records are tables", "record", "write [[meter.record]]")
        source.check(place, record, _RECORD)
        out.append((place, record))
    return out


def _with_points(source, table, values, listed, device_type, sensors):
    """The records with those that `points` names before them. A listed record of the same data point takes its place.
    Sorted as the encryption rule of Annex B wants it: what must not be encrypted stands last."""
    wanted = values.get("points", [])
    if isinstance(wanted, str):
        if wanted != _STANDARD_SET:
            raise MisuseError(
                "points cannot be '{}'".format(wanted),
                None,
                'write points = "{}", or a list as in ["VM1!", "DT2!D"]'.format(_STANDARD_SET),
            )
        if device_type == _ANY_SENSOR and not sensors:
            hint = 'write sensors = ["{}"]'.format('"] or ["'.join(dict(points.sensors())))
            raise MisuseError("device type 1F: which kind of sensor?", None, hint)
        wanted = points.standard_set(device_type, sensors)
    if not all(isinstance(tag, str) for tag in wanted):
        raise MisuseError("points are names in quotes", None, 'as in ["VM1!", "DT2!D"]')
    if "points" in values and not wanted:
        hint = 'write points = "{}" or ["VM1!"], or leave it out'.format(_STANDARD_SET)
        raise MisuseError("points: no data point is named", None, hint)
    out = []
    for at, tag in enumerate(wanted):
        if tag in wanted[:at]:
            raise MisuseError("{} is named twice".format(tag), None, "take one of them out")
        own = [one for one in listed if one[1].get("point") == tag]
        out += own or [(table, {"point": tag})]
    out += [one for one in listed if one[1].get("point") not in wanted]
    out = [(place, _encrypted_or_not(source, place, record, device_type)) for place, record in out]
    return sorted(out, key=lambda one: one[1].get("clear", False)) if wanted else out


def _encrypted_or_not(source, place, record, device_type):
    if "point" not in record:
        return record
    try:
        rule = points.row(record["point"], device_type).encryption
    except MisuseError as error:
        known = "known: " + " ".join(one.tag for one in points.rows(device_type))
        raise source.error(error.message, place, "points", known)
    if rule == "mandatory" and record.get("clear"):
        raise source.error("{} must be encrypted".format(record["point"]), place, "clear")
    return {**record, "clear": record.get("clear", rule == "not allowed")}


def _register(source, place, values, nominal_us, device_type, sensors):
    if not all(isinstance(word, str) for word in values.get("qualifiers", ())):
        raise source.error("qualifiers must be words in quotes", place, "qualifiers", 'as in ["backward"]')
    try:
        if "point" in values:
            return _of_point(values, nominal_us, device_type, sensors)
        if "dib" in values or "vib" in values:
            source.require(place, values, ("dib", "vib", "data"))
            return Register(*(_hex(values[name]) for name in ("dib", "vib", "data")))
        source.require(place, values, ("quantity", "value"))
        return _described(values, nominal_us)
    except (MisuseError, ApplicationError) as error:
        if isinstance(error, ConfigError):
            raise
        raise source.error(error.message, place, None, error.hint)


def _of_point(values, nominal_us, device_type, sensors):
    """A record named by its data point; what is not said about it comes from point_values."""
    row = points.row(values["point"], device_type)
    for key in ("quantity", "function", "qualifiers", "dib", "vib", "data"):
        if key in values:
            raise MisuseError("{} says the {} already".format(row.tag, key))
    usual = point_values.defaults(row.tag)
    words = {**usual, **values}
    code = dibs.FIELDS[words["field"]]
    numbers = (words.get("storage"), words.get("tariff"), words.get("subunit", 0))
    dib = points.dib_of(row, code, *numbers)
    if row.tag == "ID11!":
        if not sensors:
            raise MisuseError("ID11! lists the sensors", None, 'write sensors = ["humidity"], say')
        return Register(dib, row.vibs[0][1], point_values.sub_device_list(sensors))
    finer = isinstance(usual["value"], Decimal) and words.get("unit") == usual.get("unit")
    if finer and "resolution" not in values and not isinstance(words["value"], str):
        words["resolution"] = min(usual["value"], Decimal(words["value"]), key=_exponent)
    unit, exponent, prefix = _scale(words)
    return _filled(dib, point_values.vib_of(row, unit, exponent), words, exponent, prefix, nominal_us)


def _exponent(number):
    return int(Decimal(number).as_tuple().exponent)


def _scale(values):
    """(base unit, exponent of ten of the raw value, exponent of the unit's prefix)"""
    unit, prefix = _PREFIXED.get(values.get("unit"), (values.get("unit"), 0))
    if isinstance(values["value"], str):
        return unit, 0, prefix
    return unit, prefix + _exponent(values.get("resolution", values["value"])), prefix


def _described(values, nominal_us):
    quantity, value = values["quantity"], values["value"]
    unit, exponent, prefix = _scale(values)
    if isinstance(value, str) and unit is not None:
        raise MisuseError("the value of {} is a number".format(quantity), None, "write it without quotes")
    field = values.get("field") or _CLOCK_FIELDS.get(
        quantity, "variable" if isinstance(value, str) else "int32"
    )
    dib, vib = builder.build(
        quantity,
        unit,
        exponent,
        field,
        values.get("function", "instantaneous"),
        values.get("storage", 0),
        values.get("tariff", 0),
        values.get("subunit", 0),
        qualifiers=values.get("qualifiers", ()),
    )
    return _filled(dib, vib, {**values, "field": field}, exponent, prefix, nominal_us)


def _filled(dib, vib, values, exponent, prefix, nominal_us):
    """The Register of this DIB and VIB with the value and growth of `values`."""
    value, field = values["value"], values["field"]
    growth = Decimal(values.get("growth_per_hour", 0))
    code = dibs.FIELDS[field]
    kind = vif.resolve(vib).kind
    if isinstance(value, str):
        if kind != "T":
            if field != "variable":
                raise MisuseError("a text needs field variable")
            return Register(dib, vib, builder.text(value))
        if value == "now" and field not in ("int16", "int32", "int48"):
            raise MisuseError("field {} holds no date".format(field))
        return Register(dib, vib, CLOCK if value == "now" else dates.time_text(code, value))
    if kind == "T":
        raise MisuseError("a date or time stands in quotes", None, 'as in value = "2024-05-31", or "now"')
    value = Decimal(value)
    scale = Decimal(10) ** (prefix - exponent)
    mantissa = value * scale
    if mantissa != int(mantissa):
        raise MisuseError("{} is finer than the resolution".format(value))
    if field == "real32":
        if growth:
            raise MisuseError(
                "a register in field real32 does not grow", None, "take an integer or BCD field"
            )
        return Register(dib, vib, real(int(mantissa)))
    if kind == "D":
        if growth:
            raise MisuseError("a bit field does not grow")
        return Register(dib, vib, encode.data(code, int(mantissa), True, False))
    unsigned = kind == "C"
    encode.data(code, int(mantissa), unsigned)  # does it fit?
    step_micro = int((growth * scale * nominal_us / 3600).to_integral_value())
    return Register(dib, vib, int(mantissa), step_micro, unsigned)


def _hex(text):
    if not re.fullmatch(r"(\s*[0-9A-Fa-f]{2})+\s*", text):
        raise MisuseError("'{}' is not hex".format(text), None, "two digits per byte, as in FD17")
    return bytes.fromhex(text)
