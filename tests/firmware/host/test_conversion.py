"""Units on request: exact where a finite decimal exists, rounded as stated where none does."""

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import record
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.host import conversion
from omsnode.firmware.host.json_lines import decimal


def shown(value, exponent, unit, target, difference=False):
    units = conversion.UNITS
    return decimal(*conversion.convert(value, exponent, units[unit], units[target], difference))


# Definitions: 1 kWh = 3.6 MJ, 0 °C = 273.15 K = 32 °F, international calorie 4.1868 J, gallon 231 cubic inches.
@pytest.mark.parametrize(
    "value, exponent, unit, target, text",
    [
        (2850427, -2, "m3", "l", "28504270"),
        (6408, -3, "m3", "l", "6408"),
        (205, -2, "m3/h", "l/h", "2050"),
        (12, 0, "l/min", "m3/h", "0.72"),
        (36, 5, "J", "kWh", "1"),
        (119382, 6, "J", "kWh", "33161.666667"),
        (1, 0, "J", "kWh", "0.000000277778"),
        (1, 0, "GJ", "MWh", "0.277778"),
        (1805, 3, "Wh", "MWh", "1.805"),
        (1, 0, "Gcal", "GJ", "4.1868"),
        (1, 0, "kW", "MJ/h", "3.6"),
        (226, 0, "W", "kW", "0.226"),
        (235, -1, "°C", "°F", "74.3"),
        (0, 0, "°C", "K", "273.15"),
        (100, 0, "°F", "°C", "37.777778"),
        (-40, 0, "°F", "°C", "-40"),
        (1013, -3, "bar", "mbar", "1013"),
        (90, 0, "min", "h", "1.5"),
        (5596, 0, "d", "year", "15.321328"),
        (231, 0, "US gal", "m3", "0.874430122104"),
        (1, 0, "psi", "mbar", "68.947573"),
        (0, 0, "J", "kWh", "0"),
        (1250, -2, "m3", "m3", "12.50"),
    ],
)
def test_values(value, exponent, unit, target, text):
    assert shown(value, exponent, unit, target) == text


def test_digits_of_the_meter_stay_where_only_the_point_moves():
    assert shown(2850420, -2, "m3", "l") == "28504200"
    assert shown(2850420, -2, "Wh", "kWh") == "28.50420"


def test_difference_of_temperatures_has_no_zero_point():
    assert shown(10, 0, "K", "°F", difference=True) == "18"
    assert shown(18, 0, "°F", "K", difference=True) == "10"


def pairs():
    units = sorted(conversion.UNITS.values(), key=lambda unit: unit.name)
    return st.sampled_from([(a, b) for a in units for b in units if a.dimension == b.dimension])


@given(pairs(), st.integers(-(10**12), 10**12), st.integers(-9, 6))
def test_exact_or_correctly_rounded(pair, mantissa, exponent):
    unit, target = pair
    got_mantissa, got_exponent = conversion.convert(mantissa, exponent, unit, target)
    got = got_mantissa * Fraction(10) ** got_exponent
    wanted = (mantissa * Fraction(10) ** exponent * unit.factor + unit.offset - target.offset) / target.factor
    if got != wanted:
        assert got_exponent <= -conversion.PLACES
        assert abs(got - wanted) <= Fraction(10) ** got_exponent / 2
        assert len(str(abs(got_mantissa))) >= conversion.DIGITS
        below = wanted.denominator
        for prime in (2, 5):
            while below % prime == 0:
                below //= prime
        assert below != 1, "a finite decimal was rounded"


@given(pairs(), st.integers(-(10**9), 10**9), st.integers(-6, 3))
def test_there_and_back(pair, mantissa, exponent):
    unit, target = pair
    there = conversion.convert(mantissa, exponent, unit, target)
    value = there[0] * Fraction(10) ** there[1]
    exact = (value * target.factor + target.offset - unit.offset) / unit.factor
    half = Fraction(10) ** there[1] / 2 * target.factor / unit.factor
    assert abs(exact - mantissa * Fraction(10) ** exponent) <= half


@given(st.integers(-(10**12), 10**12))
def test_joule_to_kilowatt_hour_as_an_independent_decimal_library_has_it(joule):
    with localcontext() as context:
        context.prec = 60
        wanted = Decimal(joule) / Decimal(3600000)
        got = Decimal(shown(joule, 0, "J", "kWh"))
        assert got == wanted or abs(got - wanted) <= Decimal(1).scaleb(got.as_tuple().exponent) / 2


@pytest.mark.parametrize(
    "text, names",
    [
        ("kWh,l/h,°C", ["kWh", "l/h", "°C"]),
        ("KWH, m3h ,c", ["kWh", "m3/h", "°C"]),
        ("m³,L/min", ["m3", "l/min"]),
        ("F", ["°F"]),
        ("Mwh", ["MWh"]),
    ],
)
def test_spellings(text, names):
    assert [unit.name for unit in conversion.parse(text).values()] == names


@pytest.mark.parametrize("text", ["", "furlong", "kWh,,l", "mw", "mWh"])
def test_unknown_unit_is_refused_with_the_list(text):
    with pytest.raises(MisuseError) as caught:
        conversion.parse(text)
    assert "kWh" in caught.value.hint


def test_two_units_of_one_dimension_are_refused():
    with pytest.raises(MisuseError, match="kWh and MJ are both units of energy"):
        conversion.parse("kWh,MJ")


def test_no_spelling_stands_for_two_units():
    taken = list(conversion.UNITS)
    for unit in conversion.UNITS.values():
        taken += unit.spellings
    assert len(taken) == len(set(taken))


def test_records():
    # OMS Vol.2 Annex N.2.1 (gas meter): 28504.27 m3; then 5.6 K, 24.5 °C, 1.475 kW, a pulse value.
    payload = bytes.fromhex("0C1427048502 0A625600 025AF500 0C2B75140000 04 93 28 01000000".replace(" ", ""))
    records, rest = record.decode(payload)
    assert rest is None
    wishes = conversion.parse("l,C,kW,kWh")
    got = [conversion.record_in(one, wishes) for one in records]
    assert [(decimal(one.mantissa, one.exponent), one.unit) for one in got] == [
        ("28504270", "l"),
        ("5.6", "K"),
        ("24.5", "°C"),
        ("1.475", "kW"),
        ("0.001", "m3/pulse"),
    ]
    assert records[0].unit == "m3", "the decoded record itself is not changed"
    assert got[2] is records[2]
    fahrenheit = [conversion.record_in(one, conversion.parse("F")) for one in records]
    assert [(decimal(one.mantissa, one.exponent), one.unit) for one in fahrenheit[1:3]] == [
        ("10.08", "°F"),
        ("76.1", "°F"),
    ]


def test_value_that_is_missing_gets_the_unit_of_its_fellows():
    records, _ = record.decode(bytes.fromhex("040600000080"))
    got = conversion.record_in(records[0], conversion.parse("MWh"))
    assert (got.mantissa, got.unit, got.flag) == (None, "MWh", "invalid")
