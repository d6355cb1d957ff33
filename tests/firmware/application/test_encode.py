"""The sending side alone: builder, numbers, text. Expected bytes from OMS Annex N and B, struct, and rules of the sheet."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import builder, dates, encode, types, vif
from omsnode.firmware.application.dib import FIELDS
from omsnode.firmware.application.fields import SIZES
from omsnode.firmware.application.reals import real
from omsnode.firmware.errors import MisuseError

NUMBERS = [name for name, code in FIELDS.items() if code not in (0, 5, 8, 13)]


@pytest.mark.parametrize(
    "arguments, dib, vib",
    [
        (dict(quantity="volume", unit="m3", exponent=-2, data_field="bcd8"), "0C", "14"),  # OMS-N N.2
        (dict(quantity="volume", unit="m3", exponent=-3, data_field="bcd8", storage=1), "4C", "13"),
        (
            dict(quantity="energy", unit="Wh", exponent=5, data_field="int16", storage=5, final_dife=True),
            "C28200",
            "FB00",
        ),
        (dict(quantity="energy", unit="J", exponent=9), "04", "FB09"),
        (dict(quantity="power", unit="W", exponent=-1, data_field="bcd6"), "0B", "2A"),
        (dict(quantity="volume flow", unit="m3/h", exponent=-3, function="maximum", tariff=1), "9410", "3B"),
        (
            dict(quantity="voltage", unit="V", exponent=-9, data_field="bcd8", qualifiers=["phase L3"]),
            "0C",
            "FDC0FC03",
        ),
        (dict(quantity="energy", unit="Wh", exponent=0, qualifiers=["backward"]), "04", "833C"),
        (dict(quantity="date and time"), "04", "6D"),
        (dict(quantity="error flags", data_field="int16", qualifiers=["standard conform"]), "02", "FD971D"),
        (dict(quantity="customer location", data_field="variable"), "0D", "FD10"),
    ],
)
def test_build(arguments, dib, vib):
    assert tuple(part.hex().upper() for part in builder.build(**arguments)) == (dib, vib)


def test_every_row_of_the_builder_means_what_it_says():
    for line in builder.VIBS.strip().split("\n"):
        quantity, unit, _, lowest, count = line.split("|")
        for exponent in range(int(lowest), int(lowest) + int(count)):
            meaning = vif.resolve(builder.build(quantity, unit or None, exponent)[1])
            assert (meaning.quantity, meaning.unit, meaning.exponent) == (quantity, unit or None, exponent)
    for line in builder.QUALIFIERS.strip().split("\n"):
        name = line.split("|")[0]
        assert vif.resolve(builder.build("volume", "m3", 0, qualifiers=[name])[1]).qualifiers == (name,)


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (dict(quantity="volume", unit="l"), "use one of: m3"),
        (dict(quantity="volume", unit="m3", exponent=4), "exponents -6 to 3 exist"),
        (dict(quantity="happiness"), "give DIB and VIB in hex instead"),
        (dict(quantity="volume", unit="m3", qualifiers=["sideways"]), "see builder.QUALIFIERS"),
    ],
)
def test_build_says_what_there_is(arguments, hint):
    with pytest.raises(MisuseError) as caught:
        builder.build(**arguments)
    assert caught.value.hint == hint


@pytest.mark.parametrize("name", NUMBERS)
def test_limits_of_the_data_fields(name):
    field = FIELDS[name]
    size = SIZES[field]
    if field >= 9:
        low, high = 1 - 10 ** (2 * size - 1), 10 ** (2 * size) - 1
    else:
        low, high = 1 - 2 ** (8 * size - 1), 2 ** (8 * size - 1) - 1
    for value in (low, -1, 0, 1, high):
        assert types.value(field, encode.data(field, value), "")[0] == value
    for value in (low - 1, high + 1):
        with pytest.raises(MisuseError):
            encode.data(field, value)


@given(st.sampled_from(NUMBERS), st.integers(-(2**63), 2**64), st.booleans())
def test_numbers_are_read_back_or_refused(name, value, unsigned):
    try:
        data = encode.data(FIELDS[name], value, unsigned)
    except MisuseError:
        return
    assert types.value(FIELDS[name], data, "C" if unsigned else "")[0] == value


def test_unsigned_and_without_marker():
    assert encode.data(1, 255, True, False) == b"\xff"
    assert encode.data(1, -128, False, False) == b"\x80"
    with pytest.raises(MisuseError):
        encode.data(1, 255, True)


@given(st.integers(-(10**12), 10**12), st.integers(-12, 12), st.integers(-12, 12))
def test_rescale_is_exact_or_refused(mantissa, exponent, to_exponent):
    try:
        raw = builder.rescale(mantissa, exponent, to_exponent)
    except MisuseError:
        assert mantissa % 10 ** (to_exponent - exponent)
        return
    assert raw * 10 ** (to_exponent + 12) == mantissa * 10 ** (exponent + 12)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=191))
def test_text_is_read_back(characters):
    assert types.value(13, builder.text(characters), "")[2] == characters


@pytest.mark.parametrize(
    "function, arguments",
    [
        (dates.date, (1999, 1, 1)),
        (dates.date, (2000, 0, 1)),
        (dates.date, (2000, 1, 32)),
        (dates.date_time, (1899, 1, 1, 0, 0)),
        (dates.date_time, (2000, 1, 1, 24, 0)),
        (dates.time, (0, 60, 0)),
        (dates.time_text, (2, "2000-01-01T00:00")),
        (dates.time_text, (12, "2000-01-01")),
        (dates.time_text, (2, "")),
        (real, (10, 38)),
        (real, (1, 200)),
    ],
)
def test_dates_and_reals_out_of_range(function, arguments):
    with pytest.raises(MisuseError):
        function(*arguments)


def test_a_sender_does_not_load_the_tables():
    code = "import sys; import omsnode.firmware.application.encode; print('omsnode.firmware.application.units' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_dates_are_the_published_bytes():
    assert dates.date_time(2008, 5, 31, 23, 50) == bytes.fromhex("32371F15")  # OMS-N N.2
    assert dates.date(2007, 12, 31) == bytes.fromhex("FF0C")  # OMS-N
    assert dates.time(0, 1, 50) == bytes.fromhex("320100")  # OMS-N N.8.2
    assert builder.record(b"\x04", b"\x6d", "2008-05-31T23:50") == bytes.fromhex("046D32371F15")
