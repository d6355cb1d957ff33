"""Data types of EN 13757-3 Annex A. Values from OMS Annex N, captures named in the sheet, and struct for reals."""

import datetime
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import dates, rare, types
from omsnode.firmware.application.reals import real
from omsnode.firmware.errors import MisuseError

INT8, INT16, INT24, INT32, REAL, INT48, INT64 = 1, 2, 3, 4, 5, 6, 7
BCD8, VARIABLE = 12, 13


def number(field, text, kind=""):
    mantissa, exponent, _, flag = types.value(field, bytes.fromhex(text), kind)
    return flag if mantissa is None else mantissa * 10**exponent


def text(field, hexadecimal, kind="T"):
    return types.value(field, bytes.fromhex(hexadecimal), kind)[2:]


@pytest.mark.parametrize(
    "field, data, kind, expected",
    [
        (INT8, "9C", "", -100),  # OMS-P 8.4.5.2: -100 dBm
        (INT8, "A0", "C", 160),  # OMS-P Annex K: tariff descriptor
        (INT8, "80", "", "invalid"),
        (INT8, "80", "N", -128),
        (INT8, "FF", "C", "invalid"),
        (INT8, "FF", "D", 255),
        (INT16, "0080", "", "invalid"),
        (INT16, "FFFF", "", -1),
        (INT24, "000080", "", "invalid"),
        (INT24, "393000", "", 12345),  # OMS-N N.9
        (INT32, "00000080", "", "invalid"),
        (INT48, "FFFFFFFFFF7F", "", 2**47 - 1),
        (INT64, "FFFFFFFFFFFFFFFF", "C", "invalid"),
        (BCD8, "27048502", "", 2850427),  # OMS-N N.2
        (11, "2001F0", "", -120),
        (11, "BDEBDD", "", "error digits DDEBBD"),  # Hydrometer capture
        (BCD8, "DDB4EBDD", "", "error digits DDEBB4DD"),  # ABB F95 capture
        (9, "F1", "", -1),
        (9, "1F", "", "error digits 1F"),
        (9, "FF", "", "error digits FF"),
        (0, "", "", "no data"),
        (8, "", "", "selection for readout"),
        (VARIABLE, "C2" + "3412", "", 1234),
        (VARIABLE, "D2" + "3412", "", -1234),
        (VARIABLE, "D1" + "AA", "", "error digits AA"),
        (VARIABLE, "C0", "", "no data"),
        (VARIABLE, "E2" + "FEFF", "", -2),
        (VARIABLE, "E2" + "FEFF", "C", 65534),
        (VARIABLE, "F0" + "00" * 16, "", "raw data"),
        (VARIABLE, "E1" + "30", "T", "data field does not fit"),  # type M needs two bytes
        (VARIABLE, "EB" + "00" * 10 + "30", "T", "data field does not fit"),
        (VARIABLE, "EB" + "00" * 11, "L", "type L"),
        (VARIABLE, "EA" + "00" * 10, "L", "data field does not fit"),
        (INT32, "00000000", "K", "invalid date"),
        (INT16, "0000", "K", "data field does not fit"),
        (INT64, "785634123A630A07", "X", "raw data"),
    ],
)
def test_numbers(field, data, kind, expected):
    assert number(field, data, kind) == expected


@pytest.mark.parametrize(
    "data, expected",
    [
        (
            "E20330",
            "PT3S",
        ),  # OMS-N N.13; the others follow from the ranges in the sheet (3.5), with Python's calendar
        ("E2" + "0310", "PT6S"),
        ("E2" + "0350", "PT0.01171875S"),
        ("E2" + "0170", "PT0.000030517578125S"),
        ("E4" + "80510120", "2013-01-02T00:00:00Z"),
        ("E4" + "805101A0", "1970-01-02T00:00:00Z"),
        ("E5" + "0000000021", "2013-01-01T01:00:00+01:00"),
        ("E2" + "0034", "2012-12-31T12:00:00-12:00"),
        ("EA" + "80000000000000000060", "2013-01-01T00:00:00.00390625Z"),
        ("E2" + "0033", "invalid date"),
        ("E2" + "002F", "invalid date"),
        ("EA" + "FF" * 9 + "20", "invalid date"),
    ],
)
def test_type_m_by_its_inferred_layout(data, expected):
    assert text(VARIABLE, data) == (
        (None, expected) if expected == "invalid date" else (expected, "inferred layout")
    )


@pytest.mark.parametrize(
    "data, expected",
    [
        ("22991CA3", "03-25T02/10-28 -0 GMT+01 on"),
        ("3F00BCA3", None),
        ("3F6180" + "C1", None),
        ("FFE1" + "A1C1", "01-01T**/12-01 +1 GMT+** on"),
        ("1701E1C1", "01-01T23/12-01 +3 GMT+00 off"),
        ("1801E1C1", None),
        ("001F1FD1", None),
    ],
)
def test_type_k_by_the_fields_of_the_sheet(data, expected):
    found = text(INT32, data, "K")
    assert found == ((expected, "inferred layout") if expected else (None, "invalid date"))


def test_text_is_sent_last_character_first():
    assert text(VARIABLE, "04" + "34474B42", "") == ("BKG4", None)  # OMS-N N.7
    assert text(VARIABLE, "02" + "C3B0", "") == ("°Ã", None)
    assert text(VARIABLE, "00", "") == ("", None)


# --- dates ---


@pytest.mark.parametrize(
    "field, data, expected",
    [
        (INT32, "32371F15", ("2008-05-31T23:50", None)),  # OMS-N N.2
        (INT32, "2B0B6918", ("2011-08-09T11:43", None)),  # Landis+Gyr T230 capture
        (INT32, "0000E1F1", ("****-01-01T00:00", "wildcard")),  # same
        (INT32, "00000000", (None, "not set")),  # same
        (INT32, "A115E917", (None, "invalid")),  # relay Padpuls2 capture, IV bit
        (INT32, "3F1FE0FF", ("****-**-**T**:**", "wildcard")),
        (INT32, "3C371F15", (None, "invalid date")),  # minute 60
        (INT32, "32381F15", (None, "invalid date")),  # hour 24
        (INT32, "32371F10", (None, "invalid date")),  # month 0
        (INT32, "32373E12", (None, "invalid date")),  # February 30
        (INT16, "BF2C", ("2021-12-31", None)),  # QUNDIS capture
        (INT16, "E1F1", ("****-01-01", "wildcard")),  # Sontex capture
        (INT16, "FFFF", (None, "invalid")),
        (INT16, "0000", (None, "not set")),
        (INT16, "9D12", ("2012-02-29", None)),
        (INT16, "BD12", (None, "invalid date")),  # 2013 is no leap year
        (INT16, "FDF2", ("****-02-29", "wildcard")),
        (INT16, "81D1", (None, "invalid date")),  # year 108
        (INT48, "0000A0411135", ("2010-01-01T00:00:00", None)),  # EN 13757-3 F.2.6
        (INT48, "0B0C8D59130C", ("2010-03-25T13:12:11", None)),  # same
        (INT48, "2D0C0DD62C33", ("2022-12-22T13:12:45", None)),  # wmbusmeters test
        (INT48, "2D8C0DD62C33", (None, "invalid")),
        (INT48, "000000000000", (None, "not set")),
        (INT48, "3F3F1FE0F000", ("****-**-**T**:**:**", "wildcard")),
        (INT48, "3D0C0DD62C33", (None, "invalid date")),  # second 61
        (INT24, "320100", ("00:01:50", None)),  # OMS-N N.8.2
        (INT24, "FFFFFF", (None, "invalid")),
        (INT24, "3F3F1F", ("**:**:**", "wildcard")),
        (INT24, "00003C", (None, "invalid date")),
        (INT8, "00", (None, "data field does not fit")),
        (BCD8, "00000000", (None, "data field does not fit")),
    ],
)
def test_dates(field, data, expected):
    assert text(field, data) == expected


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)))
def test_type_g_is_read_back(day):
    data = dates.date(day.year, day.month, day.day)
    assert types.date_g(data) == (day.isoformat(), None)
    assert dates.time_text(2, day.isoformat()) == data


@given(st.datetimes(datetime.datetime(1981, 1, 1), datetime.datetime(2299, 12, 31)), st.booleans())
def test_type_f_is_read_back(moment, summer):
    data = dates.date_time(moment.year, moment.month, moment.day, moment.hour, moment.minute, summer)
    assert types.date_f(data) == (moment.isoformat()[:16], None)


@given(st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2099, 12, 31)))
def test_type_i_is_read_back(moment):
    data = dates.time_text(6, moment.isoformat()[:19])
    assert types.date_i(data) == (moment.isoformat()[:19], None)


@pytest.mark.parametrize(
    "moment, data",
    [
        ((2010, 1, 1, 0, 0, 0), "0000A0411135"),  # EN 13757-3 F.2.6, all three
        ((2010, 3, 25, 13, 12, 11), "0B0C8D59130C"),
        ((2010, 4, 1, 0, 0, 0), "00008041140D"),
        (
            (2024, 2, 29, 23, 59, 58, 1),
            "FA7B971D" + "3249",
        ),  # by the table in the sheet, 3.4: Thursday of week 9
    ],
)
def test_type_i_with_all_its_fields(moment, data):
    assert rare.date_time_full(*moment).hex().upper() == data


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)))
def test_week_and_day_of_type_i_are_those_of_iso_8601(day):
    data = rare.date_time_full(day.year, day.month, day.day, 0, 0, 0)
    assert (data[5], data[2] >> 5) == day.isocalendar()[1:]
    assert types.date_i(data) == (day.isoformat() + "T00:00:00", None)


@given(
    st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2400, 1, 1)),
    st.sampled_from((0, 1, -12, 14)),
)
def test_type_m_is_written_and_read(moment, offset):
    zone = datetime.timezone(datetime.timedelta(hours=offset))
    moment = moment.replace(tzinfo=zone, microsecond=0)
    iso = moment.isoformat().replace("+00:00", "Z")
    data = rare.instant_data(iso)
    assert types.value(VARIABLE, data, "T") == (None, None, iso, "inferred layout")
    epoch = datetime.datetime(1970 if data[-1] & 0x80 else 2013, 1, 1, tzinfo=datetime.timezone.utc)
    seconds = datetime.timedelta(seconds=int.from_bytes(data[1:-1], "little"))
    assert epoch + seconds == moment  # by Python's calendar


@pytest.mark.parametrize(
    "text",
    ["2013-01-01", "2013-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "PTS", "PT-3S", "PT3", "", "Z", "x" * 20]
    + ["2013-01-01T00:00:00.1Z", "2013-01-01T00:00:00+15:00", "PT%dS" % 256**9, "2013-01-01T00:00:00+01:30"],
)
def test_what_type_m_cannot_hold(text):
    with pytest.raises(MisuseError):
        rare.instant_data(text)


@pytest.mark.parametrize(
    "text",
    ["", "03-25T02/10-28", "03-25T02/10-28 +1 GMT+01", "03-25T24/10-28 +1 GMT+01 on", "x x x x", "1/2 + G on"]
    + ["03-25T02/10-28 +4 GMT+01 on", "13-25T02/10-28 +1 GMT+01 on", "03-25T02/10-28 1 GMT+01 on"],
)
def test_what_type_k_cannot_hold(text):
    with pytest.raises(MisuseError):
        rare.daylight_saving_data(text)


def test_wildcards_are_written_and_read():
    assert types.date_g(dates.date(None, 1, 1)) == ("****-01-01", "wildcard")
    assert types.date_f(dates.time_text(4, "****-**-**T**:**")) == ("****-**-**T**:**", "wildcard")
    assert types.date_i(dates.time_text(6, "****-**-**T**:**:**")) == ("****-**-**T**:**:**", "wildcard")
    assert types.time_j(dates.time_text(3, "**:00:00")) == ("**:00:00", "wildcard")


@given(st.binary(min_size=6, max_size=6))
def test_any_bytes_are_a_date_or_a_reason(data):
    for decoder, size in ((types.date_g, 2), (types.time_j, 3), (types.date_f, 4), (types.date_i, 6)):
        iso, flag = decoder(data[:size])
        if flag is None:
            assert datetime.time.fromisoformat(iso) if size == 3 else datetime.datetime.fromisoformat(iso)
        else:
            assert (iso is not None) == (flag == "wildcard")


# --- reals ---


def nearest(mantissa, exponent):
    return struct.pack("<f", float("%de%d" % (mantissa, exponent)))


def shortest_digits(data):
    """Number of digits that are needed to name this float, by trying."""
    (value,) = struct.unpack("<f", data)
    for digits in range(9):
        try:
            if struct.pack("<f", float("%.*e" % (digits, value))) == data:
                return digits + 1
        except OverflowError:
            pass
    return 9


EDGES = (
    "01000000",
    "FFFF7F00",
    "00008000",
    "FFFF7F7F",
    "0000004B",
    "0000804B",
    "0000803F",
    "CDCCCC3D",
    "22F32642",
)


def test_reals_are_the_shortest_decimal_that_names_them():
    draw = random.Random(1)
    cases = [bytes.fromhex(text) for text in EDGES]
    cases += [draw.getrandbits(32).to_bytes(4, "little") for _ in range(3000)]
    for data in cases:
        mantissa, exponent, _, flag = types.real(data)
        if flag:
            assert not -1e39 < struct.unpack("<f", data)[0] < 1e39
            continue
        if (
            data[:3] != b"\xff\xff\x7f"
        ):  # the largest: its shortest decimal is above it, float() refuses to pack that
            assert nearest(mantissa, exponent) == data
            assert len(str(abs(mantissa)).rstrip("0")) <= shortest_digits(data)
        assert real(mantissa, exponent) == data


@pytest.mark.parametrize(
    "data, expected",
    [
        ("00000000", (0, 0)),
        ("00000080", (0, 0)),
        ("0000803F", (1, 0)),
        ("9A196B43", (2351, -1)),
        ("0000C0BF", (-15, -1)),
        ("22F32642", (41737434, -6)),  # libmbus example_data_01
    ],
)
def test_reals(data, expected):
    assert types.real(bytes.fromhex(data))[:2] == expected


@pytest.mark.parametrize(
    "data, flag", [("0000C07F", "not a number"), ("0000807F", "infinite"), ("000080FF", "infinite")]
)
def test_reals_without_value(data, flag):
    assert types.real(bytes.fromhex(data)) == (None, None, None, flag)


@given(st.integers(-(10**9), 10**9), st.integers(-40, 28))
def test_encoded_reals_are_the_nearest(mantissa, exponent):
    # float() rounds twice on the way to a single, but a value this short does not meet such a tie
    assert real(mantissa, exponent) in (nearest(mantissa, exponent), b"\0\0\0\x80")
