"""Compact profiles: worked examples of the standards, rules one by one, calendar against Python's."""

import datetime
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import profile, record


def decode(text):
    data = bytes.fromhex(text)
    records, undecoded = record.decode(data)
    assert undecoded is None
    return profile.expand(records)


def value(one):
    return one.text if one.mantissa is None else one.mantissa * Fraction(10) ** one.exponent


def entries(text):
    """[(storage, value as text, time)] of what was expanded, and the flags of the profiles."""
    records = decode(text)
    values = [(one.storage, value(one), one.time) for one in records if not one.dib]
    return values, [one.flag for one in records if one.dib and one.qualifiers]


def test_inverse_profile_of_oms_g_7():
    """OMS Vol.2 Annex G.7: monthly increments, month ends kept, leap year."""
    text = "8C041313100000" + "82046C1F15" + "8D0493130A" + "7AFE" + "5802320314024401"
    found = [one for one in decode(text) if not one.dib]
    assert [(one.storage, one.mantissa, one.exponent, one.unit, one.time) for one in found] == [
        (9, 755, -3, "m3", "2008-04-30"),
        (10, 423, -3, "m3", "2008-03-31"),
        (11, 209, -3, "m3", "2008-02-29"),
        (12, 65, -3, "m3", "2008-01-31"),
    ]
    data = bytes.fromhex(text)
    for one in found:
        assert (one.quantity, one.qualifiers, one.flag, one.vib) == ("volume", (), None, b"")
        assert data[one.offset : one.offset + 2] == one.data


def test_forward_profile_of_oms_g_4():
    found, flags = entries("8C04136500000082046C1F118D04931F0A7AFE4401140232035802")
    assert found == [
        (9, Fraction("0.209"), "2008-02-29"),
        (10, Fraction("0.423"), "2008-03-31"),
        (11, Fraction("0.755"), "2008-04-30"),
        (12, Fraction("1.013"), "2008-05-31"),
    ]
    assert flags == ["values follow"]


def test_register_numbers_of_en_f_2_6():
    """EN 13757-3 F.2.6: absolute values; time without tariff, value with; final DIFE on all; two profiles in one payload."""
    found, _ = entries(
        "868081006D0000A04111358490810003F04902008D908100831E0A34FEA0860100D0FB0100C68181006D0B0C8D59130CC4918100"
        "03905F0100868281006D00008041140D849281000350C300008D928100831E0634FE00710200"
    )
    assert found == [
        (33, 100000, "2010-02-01T00:00:00"),
        (34, 130000, "2010-03-01T00:00:00"),
        (37, 160000, "2010-05-01T00:00:00"),
    ]
    profiles = [one for one in decode("8480810003F0490200" + "8D808100831E0634FEA0860100") if not one.dib]
    assert profiles[0].final_dife and profiles[0].time == "P1M"


@pytest.mark.parametrize(
    "text, expected",
    [
        # EN 13757-3 F.2.7 and F.2.8: hourly BCD increments.
        (
            "84046D002041118B04150030128D04951F056901030211",
            [
                ("12300.3", "2010-01-01T01:00"),
                ("12300.5", "2010-01-01T02:00"),
                ("12301.6", "2010-01-01T03:00"),
            ],
        ),
        (
            "84046D002341118B04151630128D049513056901110203",
            [("12300.5", "2010-01-01T02:00"), ("12300.3", "2010-01-01T01:00"), ("12300", "2010-01-01T00:00")],
        ),
    ],
)
def test_hours(text, expected):
    found, _ = entries(text)
    assert [(number, time) for _, number, time in found] == [(Fraction(n), time) for n, time in expected]


BASE = "0213E803"  # 1.000 m3


@pytest.mark.parametrize(
    "text, values, flag",
    [
        ("0D93130672FE05000700", ["0.995", "0.988"], "values follow"),  # increments
        ("0D931306B2FE05000700", ["1.005", "1.012"], "values follow"),  # decrements
        ("0D931306F2FEFBFF0700", ["1.005", "0.998"], "values follow"),  # signed differences
        ("0D931F06B2FE05000700", ["0.995", "0.988"], "values follow"),  # forward decrements
        ("0D93130472FD0500", ["0.995"], "values follow"),  # half months
        ("0D93130472000500", ["0.995"], "values follow"),  # no time
        ("0D93130432FEFBFF", ["-0.005"], "values follow"),  # absolute
        ("0D93130872FE0500FFFF0700", ["0.995"], "ended by an invalid value"),
        ("0D931308F2FE010000800700", ["0.999"], "ended by an invalid value"),
        ("0D93130832FE05000080FBFF", ["0.005", None, "-0.005"], "values follow"),  # absolute ones do not end
        ("0D93130572FE050007", ["0.995"], "incomplete last value"),
        ("0D93130272FE", [], "values follow"),
        ("0D93130472FB0500", [], "reserved spacing"),
        ("0D93130472FC0500", [], "reserved spacing"),
        ("0D93130472FF0500", [], "reserved spacing"),
        ("0D93130442FE0500", [], "reserved spacing"),  # 254 with seconds
        ("0D93130452FD0500", [], "reserved spacing"),  # half months that are not of a month
        ("0D93130470FE0500", [], "reserved element type"),
        ("0D9313047DFE0500", [], "reserved element type"),
        ("0D9413047" + "2FE0500", [], "no base value"),
        ("4D93130472FE0500", [], "no base value"),
        ("8D1093130472FE0500", [], "no base value"),
        ("0D93BC130472FE0500", [], "no base value"),
        ("0D931301" + "72", [], "raw data"),  # no spacing value
        ("0D9313E3" + "72FE05", [], "raw data"),  # a number
        ("0D933B" + "0472FE0500", None, None),  # no profile at all
    ],
)
def test_rules(text, values, flag):
    found, flags = entries(BASE + text)
    if values is None:
        assert not found
        return
    assert [number for _, number, _ in found] == [None if v is None else Fraction(v) for v in values]
    assert flags == [flag]


def test_the_base_may_stand_behind_and_may_be_invalid():
    assert entries("0D93130672FE05000700" + BASE) == (
        [(1, Fraction("0.995"), "-P1M"), (2, Fraction("0.988"), "-P2M")],
        ["values follow"],
    )
    assert entries("02130080" + "0D93130672FE05000700") == ([], ["invalid base value"])


@pytest.mark.parametrize(
    "control, spacing, times",
    [
        ("41", 8, ["-PT8S", "-PT16S"]),
        ("51", 15, ["-PT15M", "-PT30M"]),
        ("61", 1, ["-PT1H", "-PT2H"]),
        ("71", 1, ["-P1D", "-P2D"]),
        ("71", 0xFE, ["-P1M", "-P2M"]),
        ("61", 0xFE, ["-P3M", "-P6M"]),
        ("51", 0xFE, ["-P6M", "-P12M"]),
        ("71", 0xFD, [None, None]),
        ("71", 0, [None, None]),
    ],
)
def test_without_a_complete_date_only_the_distance_is_known(control, spacing, times):
    text = "0D931304" + control + "%02X" % spacing + "0101"
    for base in ("", "036D000A0C", "426CE1F1", "026CE1F1", "026CFFFF", "0D6DE20330"):
        assert [time for _, _, time in entries(BASE + base + text)[0]] == times


@pytest.mark.parametrize(
    "base, control, spacing, times",
    [
        ("026C9F2C", "41", 30, ["2020-12-31T00:00:30", "2020-12-31T00:01:00"]),
        ("026C9F2C", "61", 12, ["2020-12-31T12:00", "2021-01-01T00:00"]),
        ("026C9F2C", "71", 60, ["2021-03-01", "2021-04-30"]),
        ("046D3B179F2C", "51", 1, ["2021-01-01T00:00", "2021-01-01T00:01"]),
        ("046D3B179F2C", "41", 10, ["2020-12-31T23:59:10", "2020-12-31T23:59:20"]),
        ("046D3B179F2C", "51", 0xFE, ["2021-06-30T23:59", "2021-12-31T23:59"]),
        ("026C9E2C", "71", 0xFE, ["2021-01-30", "2021-02-28"]),
    ],
)
def test_times_are_as_fine_as_base_and_interval(base, control, spacing, times):
    text = "0D931F04" + control + "%02X" % spacing + "0101"
    assert [time for _, _, time in entries(BASE + base + text)[0]] == times


@given(
    st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2099, 12, 31)).map(
        lambda t: t.replace(microsecond=0)
    ),
    st.integers(-189 * 250, 189 * 250),
    st.sampled_from([(0, "seconds"), (1, "minutes"), (2, "hours"), (3, "days")]),
)
def test_calendar(start, count, unit):
    code, name = unit
    later = start + datetime.timedelta(**{name: count})
    assert profile.moved(start.isoformat(), count, code) == later.isoformat()


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)), st.integers(-189, 189))
def test_months(start, count):
    found = datetime.date.fromisoformat(profile.moved(start.isoformat(), count, 4))
    assert 12 * found.year + found.month == 12 * start.year + start.month + count
    end = (found + datetime.timedelta(1)).month != found.month
    assert end if (start + datetime.timedelta(1)).month != start.month else found.day == start.day or end


@given(st.binary(max_size=64), st.sampled_from([0x13, 0x1E, 0x1F]), st.sampled_from(["", "026C9F2C"]))
def test_any_profile(body, code, base):
    """Never more values than bytes, never an exception, each in its place."""
    head = bytes.fromhex(BASE + base)
    payload = head + bytes([0x0D, 0x93, code, len(body)]) + body
    records = profile.expand(record.decode(payload)[0])
    found = [one for one in records if not one.dib]
    assert len(found) <= max(0, len(body) - 2)
    for one in found:
        assert payload[one.offset : one.offset + len(one.data)] == one.data
        assert one.mantissa is not None or one.flag


def test_published_profiles(shared):
    """All profiles of the record vectors and of OMS Annex N beside the repository."""
    vectors = json.loads((shared / "vectors" / "application.json").read_text(encoding="utf-8"))["vectors"]
    checked = 0
    for vector in vectors:
        expected = vector.get("profile_expanded")
        if not expected:
            continue
        found, flags = entries(vector["hex"])
        rows = [row for one in expected for row in one.get("entries", ())]
        assert len(found) == len(rows), vector["id"]
        for (storage, number, time), row in zip(found, rows, strict=True):
            assert (storage, number) == (row["storage"], Fraction(row["value"])), vector["id"]
            if "time" in row:
                assert time[: len(row["time"])] == row["time"], vector["id"]
            if "offset_s" in row:
                assert time == "-PT{}S".format(-row["offset_s"])
            checked += 1
        assert ("reserved spacing" in flags) == any("rejected" in one for one in expected)
    assert checked == 145


def test_published_profiles_of_annex_n(shared):
    examples = json.loads((shared / "vectors" / "annex-n.json").read_text(encoding="utf-8"))["examples"]
    expanded = [one for one in examples if "expanded_profile" in one]
    for example in expanded:
        expected = example["expanded_profile"]
        found, _ = entries(example["application_data"])
        if "values_m3" in expected:
            assert [(time, number) for _, number, time in found] == [
                (time, Fraction(text)) for time, text in expected["values_m3"]
            ]
        else:
            assert [number for _, number, _ in found] == expected["import_Wh"] + expected["export_Wh"]
    assert len(expanded) == 4
