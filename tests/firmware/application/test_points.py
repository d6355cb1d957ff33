"""The packed tables of OMS Annex B: made from the facts, and what they say about a device."""

import json
import pathlib

import pytest
from omsnode.firmware.application import gateway, obis, points, record
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.host import point_values
from omsnode.tools import generate_points

ROOT = pathlib.Path(generate_points.__file__).parents[1]


def test_the_modules_are_what_the_generator_writes(shared):
    for name, text in generate_points.modules(shared / "vectors").items():
        path = ROOT / "firmware" / "application" / "points" / name
        assert path.read_text(encoding="utf-8") == text, "run python -m omsnode.tools.generate_points"


# OMS Vol.2 Annex B.2.2 and B.2.3, column by column, typed by hand.
OBLIGATORY = [
    (0x02, (), ["EW1!"]),
    (0x03, (), ["VM1!"]),
    (0x04, (), ["EW1!"]),
    (0x0A, (), ["EW1!"]),
    (0x0D, (), ["EW1!", "EW2!"]),
    (0x07, (), ["VM1!"]),
    (0x15, (), ["VM1!"]),
    (0x08, (), ["DT2!D", "HC1!", "HC1!D"]),
    (0x21, (), ["DC1!", "DC2!"]),
    (0x18, (), ["MM13!", "PR2!", "PR3!", "PR4!"]),
    (0x1A, (), ["DP5!", "MM15!"]),
    (0x1D, (), ["CC1!", "DP5!", "MM14!"]),
    (0x1E, (), ["DP5!", "MM17!", "TC4!"]),
    (0x1F, (1,), ["ID11!", "MM3!", "RH1!"]),
    (0x1F, (1, 3), ["ID11!", "MM3!", "RH1!", "TC4!"]),
    (0x1F, (12,), ["ID11!", "MM3!"]),
]


@pytest.mark.parametrize("device_type, sensors, tags", OBLIGATORY)
def test_standard_set(device_type, sensors, tags):
    assert sorted(points.standard_set(device_type, sensors)) == tags


def test_standard_sets_are_those_of_the_annex(shared):
    """One of every group of alternatives, every mandatory one, nothing else; the conditional ones apart."""
    facts = json.loads((shared / "vectors" / "datapoints.json").read_text(encoding="utf-8"))
    columns = [
        (int(code, 16), (), column)
        for column in facts["obligatory"].values()
        for code in column["device_types"]
    ]
    for column in facts["obligatory_sensors"].values():
        code = int(column["device_type"], 16)
        columns.append((code, (column["sub_device_type"],) if code == 0x1F else (), column))
    assert len(columns) == 14 + 18
    for device_type, sensors, column in columns:
        tags = points.standard_set(device_type, sensors)
        for group in column["alternatives"].values():
            assert len(set(tags) & set(group)) == 1
        others = {tag for group in column["alternatives"].values() for tag in group}
        assert set(tags) - others == set(column["mandatory"])
        assert len(set(tags)) == len(tags)
        assert set(points.conditional(device_type, sensors)) == set(column["conditional"])


def test_sensors_by_name(shared):
    facts = json.loads((shared / "vectors" / "datapoints.json").read_text(encoding="utf-8"))
    own = {name: one["sub_device_type"] for name, one in facts["sensor_columns"].items()}
    assert dict(points.sensors()) == {
        name: number for name, number in own.items() if facts["sensor_columns"][name]["device_type"] == "1F"
    }


def test_what_has_no_standard_set():
    for device_type, sensors in ((0x28, ()), (0x1F, ()), (0x1F, (19,)), (0x1F, (99,))):
        with pytest.raises(MisuseError):
            points.standard_set(device_type, sensors)
    with pytest.raises(MisuseError):
        points.row("VM1!", 0x02)
    with pytest.raises(MisuseError):
        points.row("EW1!B", 0x0D)  # Annex A has a code, Annex B no requirement
    with pytest.raises(MisuseError):
        points.row("nonsense", 0x07)


def test_a_row_and_what_it_builds():
    row = points.row("EW1!RT", 0x02)
    assert (row.fields, row.function, row.tariffs, row.final_dife) == ("1234679ABCE", 0, (1, 15), True)
    assert row.storages == ((0, 99), (101, 124))
    assert (row.requirement, row.encryption) == ("O", "mandatory")
    assert row.vibs == (
        ("EW01", b"\x00", b"\xf8", "Wh", -3),
        ("EW02", b"\xfb\x00", b"\xff\xfe", "Wh", 5),
        ("EW03", b"\xfb\x80\x7d", b"\xff\xfe\xff", "Wh", 8),
    )
    assert points.dib_of(row, 12, storage=5, tariff=2).hex() == "cca200"
    assert points.dib_of(row).hex() == "819000"
    for wrong in ({"field": 13}, {"storage": 100}, {"tariff": 0}):
        with pytest.raises(MisuseError):
            points.dib_of(row, **wrong)
    assert points.row("ID1!", 0x02).encryption == "not allowed"
    assert points.row("DP1!", 0x02).vibs == (("DP01", b"\x74", b"\xfc", "s,min,h,d", None),)


@pytest.mark.parametrize(
    "tag, device_type, unit, exponent, vib",
    [
        ("EW1!", 0x02, "Wh", 3, "06"),
        ("EW1!", 0x02, "Wh", 6, "fb01"),
        ("EW1!", 0x02, "Wh", 9, "fb817d"),
        ("RE1!", 0x02, "varh", 0, "fb8273"),
        ("RE1!", 0x02, "varh", 4, "fb03"),
        ("DP5!", 0x02, "h", 0, "26"),
        ("RF1!", 0x1F, "m", -2, "fdfd3b"),
        ("MM15!", 0x1A, None, 0, "fdfd41"),  # not the plain text
        ("CD1!", 0x1F, "uS/cm", 0, "7c03314443"),  # has no other
        ("PT5!", 0x1F, "1/m3", 5, "fdfd1b"),
    ],
)
def test_vib_for_a_unit(tag, device_type, unit, exponent, vib):
    row = points.row(tag, device_type)
    assert point_values.vib_of(row, unit, exponent).hex() == vib


def test_every_vib_counts_what_the_table_of_units_says():
    """Unit and exponent of Annex B against those of the decoder, which has its tables from EN 13757-3."""
    same = {"degC": "°C", "mm": "m", "h": "h"}
    for device_type in (0x02, 0x03, 0x07, 0x08, 0x0D, 0x1F, 0x20):
        for row in points.rows(device_type):
            for _, match, _, unit, exponent in row.vibs:
                if unit is None or "," in unit or exponent is None:
                    continue
                field = "int32"
                one = record.decode(bytes([4]) + match + bytes([1, 0, 0, 0]))[0][0]
                where = (row.tag, match.hex(), field, one)
                assert one.mantissa is not None, where
                if one.unit == "mm":
                    assert unit == "m" and exponent == one.exponent - 3, where
                else:
                    assert same.get(one.unit, one.unit) == unit, where
                    assert one.exponent == exponent, where


def test_codes_without_a_record_are_the_gateways(shared):
    """Rows of Annex A that no record feeds and that are no headings: gateway.py makes them."""
    entries = json.loads((shared / "vectors" / "obis.json").read_text(encoding="utf-8"))["entries"]
    made = [one["obis"] for one in entries if not one["patterns"] and not one["summary_row"]]
    names = ("RECEPTION_TIME", "RECEPTION_DATE", "METER_ADDRESS", "LINK_ADDRESS", "STATUS")
    assert made == [getattr(gateway, name) for name in names]


def test_find_and_codes_without_a_telegram():
    one = record.decode(bytes.fromhex("0413 00000000"))[0][0]
    assert points.find(one, 0x07) == "VM1!"
    assert points.find(one, 0x02) is None
    assert obis.codes(one, 0x07) == ("8-0:1.0.0*255",)
    one = record.decode(bytes.fromhex("0F 0102"))[0][0]
    assert points.find(one, 0x07) is None
