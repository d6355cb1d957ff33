"""The sending side alone: builder, numbers, text. Expected bytes from OMS Annex N and B, struct, and rules of the sheet."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import builder, dates, encode, texts, types, units
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


TABLES = (("", units.PRIMARY), ("FB", units.FB), ("FD", units.FD), ("FDFD", units.FD_FD))


def lines(table):
    """[(first code, number of codes, fields)] of a table, read without its reader."""
    out = []
    for line in table.strip("\n").split("\n"):
        head, _, rest = line.partition(" ")
        code, _, bits = head.partition(":")
        out.append((int(code, 16), 1 << int(bits), (rest.split("|") + ["", "", ""])[:4]))
    return out


def test_every_code_of_every_vif_table_can_be_asked_for():
    """By quantity, unit and exponent, and no two codes by the same."""
    seen = {}
    for head, table in TABLES:
        for first, count, (quantity, unit, exponent, _) in lines(table):
            for low in range(count):
                one = unit.split(",")[low] if "," in unit else unit or None
                power = int(exponent or 0) + (0 if "," in unit else low)
                code = "%s%02X" % (head, first + low)
                assert seen.setdefault((quantity, one, power), code) == code
                assert builder.build(quantity, one, power)[1].hex().upper() == code
    assert len(seen) == 123 + 82 + 119 + 46  # the codes of the sheet, 2.1 to 2.4


def test_every_plain_text_unit_can_be_asked_for():
    for line in texts.TEXTS.strip("\n").split("\n"):
        unit, quantity, meant, exponent, _ = (line.split("|") + ["", "", ""])[:5]
        vib = builder.build(quantity, meant or None, int(exponent or 0), plain_text=True)[1]
        assert vib == bytes([0x7C, len(unit)]) + unit[::-1].encode("latin-1")
    # OMS-B CC02, MM12 as published; free text; EN 13757-3 Table C.2, Elvaco's factor in the standard's order
    assert builder.build("CO2 concentration", "ppm", plain_text=True)[1] == bytes.fromhex("7C03324F43")
    assert builder.build("conductivity", "uS/cm")[1] == bytes.fromhex("7C03314443")
    free = builder.build("plain text unit", "%RH", -2, qualifiers=["times 10^-2"])[1]
    assert free == bytes.fromhex("FC74" + "03485225")
    free = builder.build("plain text unit", "igal/h", -3, qualifiers=["per hour", "times 10^-3"])[1]
    assert free == bytes.fromhex("FCF322" + "04" + "6C616769")


SILENT = {"00": "no error", "7D": "times 10^3", "FC11": "unsigned", "FC12": "bits"}
SILENT.update(("%02X" % (0x70 + n), "times 10^%d" % (n - 6)) for n in range(8))
SILENT.update(("%02X" % (0x78 + n), "plus 10^%d" % (n - 3)) for n in range(4))


def test_every_vife_can_be_asked_for():
    asked = 0
    for head, table, to_meter in (
        ("", units.VIFE, False),
        ("FC", units.FC, False),
        ("", units.ACTIONS, True),
    ):
        for first, count, (name, effect, argument, _) in lines(table):
            for low in range(count):
                code = "%s%02X" % (head, first + low)
                unit, exponent = "Wh", 0
                if effect == "P":
                    unit += argument
                elif effect == "U":
                    unit = argument.split(",")[low] or None
                elif effect in ("T", "N", "O"):
                    unit = None
                elif effect == "E":
                    exponent = int(argument) + low
                found = builder.build(
                    "energy", unit, exponent, qualifiers=[name or SILENT[code]], to_meter=to_meter
                )[1]
                assert found[1:].hex().upper() == code, name
                assert found[0] in (0x83, 0x80)  # 80: the VIFE hides which energy it is
                asked += 1
    assert asked == 114 + 17 + 15  # the codes of the sheet, 2.5


@pytest.mark.parametrize(
    "arguments, vib",
    [
        # the order of OMS Annex B, whatever the order asked for
        (
            dict(
                quantity="pressure", unit="bar", exponent=-6, qualifiers=["at base conditions", "times 10^-3"]
            ),
            "E8F33E",
        ),
        (
            dict(quantity="pressure", unit="bar", exponent=-6, qualifiers=["times 10^-3", "upper limit"]),
            "E8C873",
        ),
        (dict(quantity="energy", unit="J", exponent=11, qualifiers=["backward", "times 10^3"]), "FB88FD3C"),
        (dict(quantity="energy", unit="Wh", exponent=9, qualifiers=["absolute", "times 10^3"]), "FB81FDFC10"),
        (dict(quantity="heat cost allocation", unit="HCA", qualifiers=["unsigned"]), "EEFC11"),
        (
            dict(
                quantity="volume",
                unit="m3",
                exponent=0,
                qualifiers=["add to value", "times 10^3"],
                to_meter=True,
            ),
            "93FD01",
        ),
        (dict(quantity="date", qualifiers=["future"]), "EC7E"),
        (dict(quantity="flow temperature", unit="°C", exponent=-1, qualifiers=["end of last"]), "DA6F"),
        (dict(quantity="flow temperature", qualifiers=["end of last"]), "D86F"),
        (dict(quantity="volume flow", unit="h", qualifiers=["duration of last lower limit exceed"]), "B856"),
        (dict(quantity="error flags", qualifiers=["standard conform"]), "FD971D"),
        (dict(quantity="energy", unit="Wh", qualifiers=["compact profile", "forward"]), "83BB1F"),
        (dict(quantity="manufacturer specific"), "7F"),
        (dict(quantity="manufacturer specific", qualifiers=["manufacturer 20", "manufacturer 01"]), "FFA001"),
        (dict(quantity="voltage", unit="V", exponent=0, qualifiers=["manufacturer 01"]), "FDC9FF01"),
        (dict(quantity="voltage", unit="V", exponent=0, qualifiers=["manufacturer"]), "FDC97F"),
        (
            dict(quantity="unknown VIF FDFD0A", qualifiers=["unknown VIFE 11", "unknown VIFE FC0D"]),
            "FDFD8A91FC0D",
        ),
        (dict(quantity="any"), "7E"),
    ],
)
def test_build_of_combinations(arguments, vib):
    assert builder.build(**arguments)[1].hex().upper() == vib


@pytest.mark.parametrize(
    "arguments",
    [
        dict(quantity="plain text unit", unit="CO2"),  # would be read as the concentration
        dict(quantity="plain text unit", unit="a\nb"),
        dict(quantity="plain text unit", unit="€"),
        dict(quantity="plain text unit", unit="x", exponent=1),
        dict(quantity="volume", unit="m3", qualifiers=["per hour"]),
        dict(quantity="volume", unit="m3", qualifiers=["times 10^2"]),
        dict(quantity="volume", unit="m3", qualifiers=["times 10^x"]),
        dict(quantity="volume", unit="m3", qualifiers=["manufacturer xx"]),
        dict(quantity="volume", unit="m3", qualifiers=["exceeds of upper limit"]),
        dict(quantity="volume", unit="y", qualifiers=["duration of first"]),
        dict(quantity="volume", unit="m3", qualifiers=["add to value"]),
        dict(quantity="manufacturer specific", qualifiers=["forward"]),
        dict(quantity="volume", unit="m3", qualifiers=["forward"] * 11),
    ],
)
def test_build_refuses(arguments):
    with pytest.raises(MisuseError):
        builder.build(**arguments)


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (dict(quantity="volume", unit="l"), "use one of: US gal, ft3, m3"),
        (dict(quantity="volume", unit="m3", exponent=4), "exponents -6 to 3 exist"),
        (dict(quantity="happiness"), "give DIB and VIB in hex instead"),
        (dict(quantity="volume flow", unit="US gal/min", exponent=-2), "these exponents exist: -3, 0"),
        (
            dict(quantity="volume", unit="m3", qualifiers=["sideways"]),
            "see the tables VIFE, ACTIONS and FC of units.py",
        ),
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


@pytest.mark.parametrize(
    "made, expected",
    [
        (builder.text("BKG4"), "0434474B42"),  # OMS-N N.7
        (builder.container(b"\x7a\xfe\x58\x02"), "047AFE5802"),
        (builder.digits(1234), "C23412"),
        (builder.digits(-1234), "D23412"),
        (builder.digits(0), "C100"),
        (builder.digits(5, 9), "C9050000000000000000"),
        (builder.binary(b"\x03\x30"), "E20330"),
        (builder.binary(bytes(16)), "F0" + "00" * 16),  # sheet 1.4: F0-F4 are 4 * (LVAR - EC)
        (builder.binary(bytes(32)), "F4" + "00" * 32),
        (builder.binary(bytes(48)), "F5" + "00" * 48),
        (builder.binary(bytes(64)), "F6" + "00" * 64),
        (builder.number(-2), "E1FE"),
        (builder.number(-128), "E280FF"),  # E180 would be invalid
        (builder.number(128), "E28000"),
        (builder.number(128, True), "E180"),
        (builder.number(255, True), "E2FF00"),
        (builder.number(255, True, False), "E1FF"),
    ],
)
def test_data_of_variable_length(made, expected):
    assert made.hex().upper() == expected


@pytest.mark.parametrize(
    "function, arguments",
    [
        (builder.container, (bytes(192),)),
        (builder.digits, (100, 1)),
        (builder.digits, (10**18,)),
        (builder.digits, (1, 10)),
        (builder.binary, (bytes(17),)),
        (builder.number, (2**119,)),
        (builder.number, (-1, True)),
    ],
)
def test_data_of_variable_length_is_refused(function, arguments):
    with pytest.raises(MisuseError):
        function(*arguments)
