"""A test meter declared by its data points: it sends just those, and they are read back as what they are."""

import json

import pytest
from omsnode.firmware.application import obis, points
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config
from omsnode.firmware.roles.meter import Meter

KEY = "000102030405060708090A0B0C0D0E0F"
NOW_US = 1780000000000000  # 2026-05-28T20:26:40Z
EVERY_TYPE = (0x02, 0x03, 0x04, 0x06, 0x07, 0x08, 0x0A, 0x0B, 0x0C, 0x0D, 0x15, 0x16)
EVERY_TYPE += (0x18, 0x1A, 0x1D, 0x1E, 0x20, 0x21)
STANDARD = 'points = "OMS standard set"\n'


@pytest.fixture
def load(tmp_path):
    (tmp_path / "meter.key").write_text(KEY)

    def load(text, device_type=0x07):
        path = tmp_path / "meter.toml"
        head = '[node]\nrole = "meter"\n[[meter]]\nid = "12345678.M=KAM.V=1b.T={:02x}"\n'
        path.write_text(head.format(device_type) + text)
        return config.load(path, "meter").meters[0]

    return load


def sent(device):
    """Its next telegram, decoded and annotated."""
    result = decode(Meter(device.profile, bytes(5)).telegram(NOW_US), lambda *_: device.profile.key)
    assert result.error is None and result.undecoded is None, (result.error, result.undecoded)
    obis.annotate(result)
    return result


def tags(result):
    return [one.data_point for one in result.records]


def test_typed_example(load):
    """OMS Vol.2 Annex B.2.2: water is VM1!; as bytes BCD8 and litres."""
    result = sent(load(STANDARD))
    assert result.payload.hex() == "0c1356341200"
    assert [(one.obis, one.data_point) for one in result.records] == [("8-0:1.0.0*255", "VM1!")]


@pytest.mark.parametrize("device_type", EVERY_TYPE)
def test_standard_set_of_every_type(load, device_type):
    assert tags(sent(load(STANDARD, device_type))) == points.standard_set(device_type)


def test_standard_set_is_exactly_the_obligatory_set(load, shared):
    """Per device column and per sensor column, against the facts of Annex B."""
    facts = json.loads((shared / "vectors" / "datapoints.json").read_text(encoding="utf-8"))
    names = facts["sensor_columns"]
    cases = [(code, "", one) for one in facts["obligatory"].values() for code in one["device_types"]]
    for name, one in facts["obligatory_sensors"].items():
        own = names[name]["device_type"] == "1F"
        cases.append((one["device_type"], 'sensors = ["{}"]\n'.format(name) if own else "", one))
    assert len(cases) == 14 + 18
    for code, more, one in cases:
        result = sent(load(STANDARD + more, int(code, 16)))
        got = tags(result)
        assert len(got) == len(set(got)) and None not in got
        assert set(one["mandatory"]) <= set(got)
        for group in one["alternatives"].values():
            assert len(set(got) & set(group)) == 1
        assert len(got) == len(one["mandatory"]) + len(one["alternatives"])
        for record in result.records:
            # A number or a date that is none the worse; only ID11! is a list of its own kind.
            assert record.flag is None or record.data_point == "ID11!", (record.data_point, record)


@pytest.mark.parametrize(
    "device_type", (0x02, 0x03, 0x06, 0x07, 0x08, 0x0A, 0x0C, 0x0D, 0x18, 0x1A, 0x1F, 0x20)
)
def test_every_data_point_can_be_sent(load, device_type):
    for row in points.rows(device_type):
        result = sent(load('points = ["{}"]\nsensors = ["humidity"]\n'.format(row.tag), device_type))
        assert tags(result) == [row.tag]


def test_list_of_a_sensor_with_several(load):
    """ID11!: LVAR E2, one byte for each sub device type (footnote 22)."""
    result = sent(load(STANDARD + 'sensors = ["humidity", "temperature"]\n', 0x1F))
    assert sorted(tags(result)) == ["ID11!", "MM3!", "RH1!", "TC4!"]
    (listed,) = [one for one in result.records if one.data_point == "ID11!"]
    assert (listed.vib.hex(), listed.data.hex()) == ("fdfd01", "e20103")


def test_values_of_ones_own(load):
    text = """\
points = ["VM1!", "VM1!D", "DT2!D"]
[[meter.record]]
point = "VM1!"
value = 7
growth_per_hour = 0.060
[[meter.record]]
point = "DT2!D"
value = "2024-12-31"
[[meter.record]]
quantity = "flow temperature"
unit = "°C"
value = 21.5
[[meter.record]]
point = "VF1!"
unit = "l/h"
value = 5
field = "int16"
"""
    device = load(text)
    shown = [(one.data_point, one.mantissa, one.exponent, one.text) for one in sent(device).records]
    assert shown == [
        ("VM1!", 7000, -3, None),  # the finer resolution of the usual value is kept
        ("VM1!D", 123456, -3, None),
        ("DT2!D", None, None, "2024-12-31"),
        (None, 215, -1, None),
        ("VF1!", 5, -3, None),
    ]
    assert device.profile.registers[0].step_micro == 1000000  # 60 l/h are one litre per minute
    assert device.profile.registers[1].step_micro == 0


def test_tariffs_and_registers(load):
    text = """\
points = ["EW1!"]
[[meter.record]]
point = "EW1!T"
tariff = 1
[[meter.record]]
point = "EW1!T"
tariff = 2
value = 20.5
[[meter.record]]
point = "EW1!R"
storage = 12
[[meter.record]]
point = "PW1!"
unit = "kW"
value = 2.5
"""
    result = sent(load(text, 0x02))
    assert [one.obis for one in result.records] == [
        "1-0:1.8.0*255",
        "1-0:1.8.1*255",
        "1-0:1.8.2*255",
        "1-0:1.8.0*12",
        "1-0:1.7.0*255",
    ]


def test_encryption_rule(load):
    """What must stay readable stands behind what is encrypted, wherever it was named."""
    text = 'key = "@meter.key"\npoints = ["ID1!", "VM1!", "ID3!", "DT1!"]\n'
    device = load(text)
    result = sent(device)
    assert [tag for tag in tags(result)] == ["VM1!", "DT1!", "ID1!", "ID3!"]
    behind = result.raw[-len(bytes.fromhex("0C7878563412017A01")) :]
    assert behind.hex() == "0c7878563412017a01" and result.encrypted_bytes == 16
    # Optional ones may be sent in clear.
    text += '[[meter.record]]\npoint = "DT1!"\nclear = true\n'
    assert tags(sent(load(text))) == ["VM1!", "ID1!", "ID3!", "DT1!"]


@pytest.mark.parametrize(
    "text, device_type, line, says, hint",
    [
        ('points = "standard"\n', 0x07, 5, "points cannot be", "OMS standard set"),
        ('points = ["VM1!", "EW1!"]\n', 0x07, 5, "no data point EW1!", "VM1!D"),
        (STANDARD, 0x28, 5, "device type 28", ""),
        (STANDARD, 0x1F, 5, "which kind of sensor", "sensors ="),
        (STANDARD + 'sensors = ["rain"]\n', 0x1F, 5, "no sensor rain", "rainfall"),
        ("points = [1]\n", 0x07, 5, "names in quotes", ""),
        ("points = []\n", 0x07, 5, "no data point is named", "OMS standard set"),
        ('points = ["VM1!", "DT2!D", "VM1!"]\n', 0x07, 5, "VM1! is named twice", "take one of them out"),
        ('[[meter.record]]\npoint = "VM1!"\n' * 2, 0x07, 8, "VM1! would be sent twice", "subunit"),
        ("record = []\n", 0x07, 5, "no record", "[[meter.record]]"),
        ('points = ["ID11!"]\n', 0x1F, 3, "lists the sensors", "sensors ="),
        ('[[meter.record]]\npoint = "VM1!"\nclear = true\n', 0x07, 7, "must be encrypted", ""),
        ('[[meter.record]]\npoint = "VM1!"\nstorage = 1\n', 0x07, 5, "no storage number 1", ""),
        ('[[meter.record]]\npoint = "VM1!"\nunit = "kWh"\n', 0x07, 5, "no VIB for", "m3"),
        ('[[meter.record]]\npoint = "VM1!"\nfield = "real32"\n', 0x07, 5, "no data field", ""),
        ('[[meter.record]]\npoint = "VM1!"\nquantity = "volume"\n', 0x07, 5, "says the quantity already", ""),
        ('[[meter.record]]\npoint = "DT1!"\nvalue = "soon"\n', 0x07, 5, "not an ISO date", ""),
        ('[[meter.record]]\npoint = "VM1!"\nvalue = "full"\n', 0x07, 5, "text", ""),
        ('[[meter.record]]\npoint = "DT2!D"\nvalue = 5\n', 0x07, 5, "date", ""),
    ],
)
def test_what_is_wrong_and_where(load, text, device_type, line, says, hint):
    with pytest.raises(ConfigError) as caught:
        load(text, device_type)
    assert says in str(caught.value)
    assert ":{}: ".format(line) in str(caught.value)
    assert hint in (caught.value.hint or "")
