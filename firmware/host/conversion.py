"""Values in the units that a person asks for (`--units kWh,l/h,°C`): exact decimals, never a binary float.

A telegram's own units have no prefix (Wh, J, m3, m3/h ...). Asked for are units of the table below, each at most once per
quantity; what has no wished unit stays as it is. A result that is a finite decimal is exact. The others (1 J is
1/3600 Wh) are rounded half to even, to 6 places behind the point, or to as many more as show 6 digits.
"""

import copy
from fractions import Fraction

from ..errors import MisuseError

PLACES = 6
DIGITS = 6

# name|other spellings|dimension|factor to the dimension's first unit|offset added behind the factor
# Factors are exact by definition: international calorie and inch, US gallon of 231 cubic inches, pound-force of standard
# gravity; a year is the mean Gregorian one, a month its twelfth.
_TABLE = """
Wh||energy|1
kWh||energy|1000
MWh||energy|1000000
GWh||energy|1000000000
J||energy|1/3600
kJ||energy|1000/3600
MJ||energy|1000000/3600
GJ||energy|1000000000/3600
cal||energy|4.1868/3600
kcal||energy|4186.8/3600
Mcal||energy|4186800/3600
Gcal||energy|4186800000/3600
m3|m³|volume|1
l|L|volume|0.001
ml|mL|volume|0.000001
hl|hL|volume|0.1
ft3|ft³|volume|0.028316846592
US gal|gal|volume|0.003785411784
m3/h|m³/h,m3h|volume flow|1
m3/min|m³/min,m3min|volume flow|60
m3/s|m³/s,m3s|volume flow|3600
l/h|L/h,lh|volume flow|0.001
l/min|L/min,lmin|volume flow|0.06
l/s|L/s,ls|volume flow|3.6
US gal/min|gal/min|volume flow|0.22712470704
US gal/h|gal/h|volume flow|0.003785411784
W||power|1
kW||power|1000
MW||power|1000000
J/h|jh|power|1/3600
kJ/h|kjh|power|1000/3600
MJ/h|mjh|power|1000000/3600
GJ/h|gjh|power|1000000000/3600
°C|C,degC|temperature|1|0
°F|F,degF|temperature|5/9|-160/9
K||temperature|1|-273.15
bar||pressure|1
mbar|hPa|pressure|0.001
kPa||pressure|0.01
Pa||pressure|0.00001
psi||pressure|4.4482216152605/64.516
s||time|1
min||time|60
h||time|3600
d|day|time|86400
month||time|2629746
year|y,a|time|31556952
V||voltage|1
mV||voltage|0.001
kV||voltage|1000
A||current|1
mA||current|0.001
varh||reactive energy|1
kvarh||reactive energy|1000
Mvarh||reactive energy|1000000
VAh||apparent energy|1
kVAh||apparent energy|1000
MVAh||apparent energy|1000000
var||reactive power|1
kvar||reactive power|1000
VA||apparent power|1
kVA||apparent power|1000
Hz||frequency|1
kHz||frequency|1000
kg||mass|1
g||mass|0.001
t||mass|1000
kg/h|kgh|mass flow|1
kg/min||mass flow|60
kg/s||mass flow|3600
t/h||mass flow|1000
mm||length|0.001
cm||length|0.01
m||length|1
"""


class Unit:
    """A row of the table. A value in this unit, times `factor`, plus `offset`, is in the first unit of its dimension."""

    def __init__(self, name, spellings, dimension, factor, offset=None):
        self.name = name
        self.spellings = tuple(filter(None, spellings.split(",")))
        self.dimension = dimension
        above, _, below = factor.partition("/")
        self.factor = Fraction(above) / Fraction(below or 1)
        above, _, below = (offset or "0").partition("/")
        self.offset = Fraction(above) / Fraction(below or 1)

    def __repr__(self):
        return "<unit {}>".format(self.name)


UNITS = {}
for _line in _TABLE.strip().splitlines():
    _unit = Unit(*_line.split("|"))
    UNITS[_unit.name] = _unit

_SPELLINGS = {spelling: unit for unit in UNITS.values() for spelling in unit.spellings}


def _folded():
    """{spelling in small letters: Unit}, where it names one unit only."""
    found: dict[str, set[Unit]] = {}
    for spelling, unit in (*UNITS.items(), *_SPELLINGS.items()):
        found.setdefault(spelling.lower(), set()).add(unit)
    return {spelling: units.pop() for spelling, units in found.items() if len(units) == 1}


_FOLDED = _folded()


def find(text):
    """The Unit of a name or another spelling; capitals count for the m of milli and mega only. MisuseError if none."""
    text = text.strip()
    unit = UNITS.get(text) or _SPELLINGS.get(text)
    if unit is None:
        unit = _FOLDED.get(text.lower())
        if unit and text[0] in "mM" and text[0] != unit.name[0]:
            unit = None
    if unit is None:
        raise MisuseError(
            "{} is no unit that values can be converted to".format(text or "nothing"),
            hint="units are separated by commas: " + ", ".join(UNITS),
        )
    return unit


def parse(text):
    """{dimension: Unit} of a list like "kWh,l/h,C". MisuseError: an unknown unit, or two units of one dimension."""
    wishes: dict[str, Unit] = {}
    for name in text.split(","):
        unit = find(name)
        other = wishes.setdefault(unit.dimension, unit)
        if other is not unit:
            raise MisuseError("{} and {} are both units of {}".format(other.name, unit.name, unit.dimension))
    return wishes


def convert(mantissa, exponent, unit, target, difference=False):
    """mantissa * 10**exponent of one Unit in another of its dimension: (mantissa, exponent).

    difference: the value is a distance of two temperatures, so that zero points do not count.
    """
    factor = unit.factor / target.factor
    offset = 0 if difference else (unit.offset - target.offset) / target.factor
    if not offset:
        shift = _power_of_ten(factor)
        if shift is not None:
            return mantissa, exponent + shift  # just the digits that the meter sent
    return _decimal(mantissa * Fraction(10) ** exponent * factor + offset)


def _power_of_ten(factor):
    """n where the factor is 10**n, else None."""
    digits = len(str(factor.numerator)) - len(str(factor.denominator))
    return digits if factor == Fraction(10) ** digits else None


def _decimal(value):
    """(mantissa, exponent) of a Fraction: exact if that is a finite decimal, else rounded as the module says."""
    below = value.denominator
    twos = fives = 0
    while below % 2 == 0:
        below //= 2
        twos += 1
    while below % 5 == 0:
        below //= 5
        fives += 1
    if below == 1:
        places = max(twos, fives)
    else:
        places = PLACES
        while abs(value) * 10**places < 10 ** (DIGITS - 1):
            places += 1
    return round(value * 10**places), -places


def wished(unit, quantity, wishes):
    """(Unit, target Unit, whether it is a difference) of a record's unit text and quantity, or None if it stays."""
    own = UNITS.get(unit)
    target = own and wishes.get(own.dimension)
    if not target or target is own:
        return None
    difference = quantity == "temperature difference"
    if difference and target.name == "°C":
        return None  # a difference in °C would be read as a temperature; it is as many K
    return own, target, difference


def record_in(record, wishes):
    """The record itself, or a copy with its value in the wished unit."""
    found = record.unit and wished(record.unit, record.quantity, wishes)
    if not found:
        return record
    own, target, difference = found
    record = copy.copy(record)
    record.unit = target.name
    if record.mantissa is not None:
        record.mantissa, record.exponent = convert(record.mantissa, record.exponent, own, target, difference)
    return record


def apply(telegram, wishes):
    """Replace the records of a Telegram by such in the wished units ({dimension: Unit} of `parse`)."""
    telegram.records = [record_in(record, wishes) for record in telegram.records]
