"""The device that a meter node is, from the words of the configuration to the bytes of its records.

`omsnode meter --help` shows the words by example.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from ..application import builder, dates, encode, vif
from ..application import dib as dibs
from ..application.reals import real
from ..errors import ApplicationError, ConfigError, MisuseError
from ..phy import modes
from ..roles.meter import CLOCK, Meter, Profile, Register

_DEVICE = {
    "name": str,
    "id": str,
    "key": str,
    "mode": tuple(sorted({row.name for row in modes.every() if row.direction == modes.UP})),
    "frame_format": ("A", "B"),
    "interval_s": (int, Decimal),
    "security_mode": int,
    "header": ("short", "long"),
    "behind_adapter": str,
    "ell": bool,
    "status": int,
    "record": list,
}
_RECORD = {
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
}
_CLOCK_FIELDS = {"date": "int16", "date and time": "int32"}

# Longest t_NOM in seconds by family (EN 13757-4 Table 36; link sheet 8.5). The shortest is ours.
_LONGEST_S = {"S": 7200, "T": 900, "C": 900}
_SHORTEST_S = 1


@dataclass
class Device:
    """name: what the user calls it. profile: for the meter role."""

    name: str
    profile: Profile


def device(source, table, values):
    """A Device from one [[meter]] table. ConfigError with file, line and hint."""
    source.check(table, values, _DEVICE)
    source.require(table, values, ("id", "record"))

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
    mode = values.get("mode", "T1")
    family = modes.find(mode).family
    seconds = values.get("interval_s", 60)
    if not _SHORTEST_S <= seconds <= _LONGEST_S[family]:
        hint = "{} to {} s in mode {}".format(_SHORTEST_S, _LONGEST_S[family], mode)
        raise wrong("interval_s = {} is not allowed".format(seconds), "interval_s", hint)
    nominal_us = int(seconds * 1000000)
    registers, clear_from = [], None
    for index, record in enumerate(values["record"]):
        place = "{}.record[{}]".format(table, index)
        if not isinstance(record, dict):
            raise wrong("records are tables", "record", "write [[meter.record]]")
        registers.append(_register(source, place, record, nominal_us))
        if record.get("clear") and clear_from is None:
            clear_from = index
        elif clear_from is not None and not record.get("clear"):
            raise source.error(
                "an encrypted record behind a clear one",
                place,
                None,
                "put the records with clear = true last",
            )
    security_mode = values.get("security_mode", 0 if key is None else 5)
    if not 0 <= values.get("status", 0) <= 255:
        raise wrong("status is a byte", "status")
    try:
        profile = Profile(
            own,
            registers,
            mode=mode,
            frame_format=values.get("frame_format", "A"),
            nominal_us=nominal_us,
            key=key,
            security_mode=security_mode,
            clear_from=clear_from,
            header=values.get("header", "long" if other else "short"),
            meter_address=other,
            with_ell=values.get("ell", family == "C"),
            status=values.get("status", 0),
        )
        Meter(profile, bytes(5)).telegram(0)  # does it all fit one telegram?
    except MisuseError as error:
        raise wrong(error.message, None, error.hint)
    return Device(values.get("name", own.ident), profile)


def _register(source, place, values, nominal_us):
    source.check(place, values, _RECORD)
    if not all(isinstance(word, str) for word in values.get("qualifiers", ())):
        raise source.error("qualifiers must be words in quotes", place, "qualifiers", 'as in ["backward"]')
    try:
        if "dib" in values or "vib" in values:
            source.require(place, values, ("dib", "vib", "data"))
            return Register(*(_hex(values[name]) for name in ("dib", "vib", "data")))
        source.require(place, values, ("quantity", "value"))
        return _described(values, nominal_us)
    except (MisuseError, ApplicationError) as error:
        if isinstance(error, ConfigError):
            raise
        raise source.error(error.message, place, None, error.hint)


def _described(values, nominal_us):
    quantity, value = values["quantity"], values["value"]
    unit, prefix = _PREFIXED.get(values.get("unit"), (values.get("unit"), 0))
    growth = Decimal(values.get("growth_per_hour", 0))
    exponent = 0
    if not isinstance(value, str):
        value = Decimal(value)
        exponent = prefix + int(Decimal(values.get("resolution", value)).as_tuple().exponent)
    elif unit is not None:
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
    code = dibs.FIELDS[field]
    if isinstance(value, str):
        if quantity not in _CLOCK_FIELDS:
            return Register(dib, vib, builder.text(value))
        return Register(dib, vib, CLOCK if value == "now" else dates.time_text(code, value))
    kind = vif.resolve(vib).kind
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
