"""What a test meter sends for a data point of OMS Vol.2 Annex B when nothing else is said: field, unit, value, growth.

The words are those of [[meter.record]] in the configuration, so that any of them can be said there instead.
"""

import re
from decimal import Decimal

from ..application import points
from ..errors import MisuseError

# `tag or group|field|unit|value|growth per hour`. The decimals of the value are the resolution; texts and dates are quoted.
_DEFAULTS = """
AD|int16||0|
AD13!|int8|%|2|
AD14!|int8|m|0.01|
CA|int16|A|1.25|
CC|int16|ppm|420|
CD|int16|uS/cm|50|
CT|int8||0|
DC|int8||1|
DP1!|int16|s|3|
DP2!|int16|s|300|
DP3!|int16|min|15|
DP5!|int24|h|4321|1
DP6!|int24|h|4321|1
DT1!|int32||"now"|
DT2!|int16||"now"|
DT3!|int32||"2025-12-31T18:30"|
DT4!|int16||"2025-12-31"|
DT5!|int24||"12:00:00"|
EC|bcd8|Mcal|1234.5|
EJ|bcd8|GJ|12.345|0.012
ER|int16|Ohm|1000|
EW|bcd8|kWh|1234.5|0.5
FR|int16|Hz|50.00|
HC|bcd6|HCA|1234|1
ID1!|bcd8||12345678|
ID2!|bcd8||12345678|
ID3!|int8||1|
ID4!|variable||"0815"|
ID5!|variable||"DE0001234500000000000000000012345"|
ID6!|int8||1|
ID7!|variable||"1OMS0012345678"|
ID8!|variable||"1OMS0012345678"|
ID10!|int8||7|
ID11!|variable||""|
IR|int16|W/m2|120|
LT1!|int16|lx|300|
LT2!|int16|cd|300|
MM|int16||0|
MM1!|int8|dBm|-70|
MM8!|int16|d|3650|
MM12!|int8|%|95|
MO|int8|%|5|
ND|int8|dBA|40|
PD|int16|°|120.0|
PH|int8||7.0|
PJ|int32|J/h|4500000|
PR|int16|bar|1.013|
PT|int16|ug/m3|12|
PT5!|int16|1/m3|12E5|
PT6!|int16|1/m3|12E5|
PT7!|int16|1/m3|12E5|
PT8!|int16|1/m3|12E5|
PW|int32|W|1250|
RE|bcd8|kvarh|123|
RF|int16|m|0.012|
RH|int16|%|45.5|
RP|int32|var|100|
TB|int8|FNU|2|
TC|int16|°C|21.5|
TS|int16|Nm/m2|10|
VC1!|int16|ppb|120|
VC2!|int16|ug/m3|120|
VF|bcd6|m3/h|0.120|
VM|bcd8|m3|123.456|0.012
VV|int16|V|230.1|
WS|int8|m/s|3|
YD1!|int8||0|
YD2!|int8|month|1|
YD3!|int8||8|
"""
# Values of another time than now do not go on growing, and have a date of their own.
_FIXED = {"now": {"int16": "2025-12-31", "int32": "2025-12-31T23:59"}}
_OWN_TIME = ("R", "RT", "P", "D", "DT", "N", "A", "AR", "AT", "ART", "Xn")


def defaults(tag):
    """The words of a record of this tag: field, unit, value, growth_per_hour; without those that it does not have."""
    base, _, suffix = tag.partition("!")
    keys = (base + "!", base.rstrip("0123456789"))
    line = next(filter(None, (re.search(r"^%s\|.*" % key, _DEFAULTS, re.M) for key in keys)))
    _, field, unit, value, growth = line[0].split("|")
    words: dict = {"field": field}
    if unit:
        words["unit"] = unit
    if value.startswith('"'):
        words["value"] = value.strip('"')
    else:
        words["value"] = Decimal(value)
    if suffix in _OWN_TIME:
        words["value"] = _FIXED.get(words["value"], {}).get(field, words["value"])
    elif growth:
        words["growth_per_hour"] = Decimal(growth)
    if tag == "YD1!":
        words["subunit"] = 1  # it describes one; footnote 17
    return words


def vib_of(row, unit, exponent):
    """The VIB of a points.Row for values in this unit (None: none, or the row's only one) with this exponent of ten.

    The newer coding before plain text. Raises MisuseError if the data point has no such VIB.
    """
    every = sorted(row.vibs, key=lambda vib: vib[1][0] == 0x7C)
    for _, match, mask, units, lowest in every:
        low_bits = [255 - byte for byte in mask]
        if units and "," in units:
            names = units.split(",")
            n = names.index(unit) if unit in names and exponent == 0 else None
        elif unit != units and unit is not None:
            n = None
        else:
            n = exponent - (lowest or 0)
        if n is None or not 0 <= n <= sum(low_bits):
            continue
        vib = bytearray(match)
        for i in reversed(range(len(vib))):
            share = min(n, low_bits[i])
            vib[i] |= share
            n -= share
        return bytes(vib)
    units = ", ".join(sorted({vib[3] or "no unit" for vib in every}))
    raise MisuseError(
        "{} has no VIB for {} and 10^{}".format(row.tag, unit or "no unit", exponent), None, "units: " + units
    )


def sub_device_types(names):
    """The numbers of sub device types from their names (OMS Vol.2 Table 9), as in ["humidity", "temperature"]."""
    numbers = dict(points.sensors())
    for name in names:
        if name not in numbers:
            raise MisuseError("no sensor {}".format(name), None, "one of: " + ", ".join(numbers))
    return tuple(numbers[name] for name in names)


def sub_device_list(numbers):
    """Data of ID11!: LVAR of a binary number (footnote 22), one byte for each sub device type."""
    return bytes([0xE0 + len(numbers), *numbers])
