"""OBIS codes and data points on either interpreter, one device type after the other: each loads its own tables only."""

import sys

from checking import raises
from omsnode.firmware.application import obis, points, telegram
from omsnode.firmware.errors import MisuseError


def loaded():
    start = "omsnode.firmware.application.points."
    return sorted([name[len(start) :] for name in sys.modules if name.startswith(start)])


def annotated(device_type, records):
    head = "442D2C785634121B" + "%02X" % device_type + "7A2A000000"
    body = bytes.fromhex(head + records)
    result = telegram.decode(bytes([len(body)]) + body)
    assert result.error is None and result.undecoded is None, (result.error, result.undecoded)
    obis.annotate(result)
    return [(one.data_point, one.obis) for one in result.records]


def test_water():
    """Examples of OMS Vol.2 Annex A.3.8; this device needs the tables of water and the common ones."""
    assert annotated(0x07, "0C13563412000C7878563412046D32371F15") == [
        ("VM1!", "8-0:1.0.0*255"),
        ("ID1!", "0-0:96.1.0*255"),
        ("DT1!", "8-0:0.9.1*255"),
    ]
    assert loaded() == ["common", "water"], loaded()


def test_others():
    assert annotated(0x02, "84A1000300000000") == [("EW1!RT", "1-0:1.8.2*2")]
    assert annotated(0x03, "0214ABCD023B0000") == [("VM1!", "7-0:3.1.0*255"), ("VF1!", "7-0:43.16.0*255")]
    assert annotated(0x03, "023B000001710F") == [("VF1!", "7-0:43.64.0*255"), ("DP2!", "7-0:0.8.28*255")]
    assert annotated(0x08, "4B6E000000") == [("HC1!D", "4-0:1.2.0*255")]
    assert annotated(0x0D, "04863C00000000") == [("EW2!", "5-0:1.0.0*255")]
    assert annotated(0x1A, "017C033353440001FDFD4100") == [("MM15!", None), ("MM15!", None)]
    assert annotated(0x20, "01FD1F01") == [("DC1!", "0-0:96.3.19*255")]
    assert annotated(0x28, "0C7878563412") == [(None, "0-0:96.1.0*255")]
    profile = "8C04131310000082046C1F158D0493130A7AFE5802320314024401"
    assert [tag for tag, _ in annotated(0x07, profile)] == ["VM1!P", None] + ["VM1!P"] * 5


def test_command():
    body = bytes.fromhex("432D2C785634121B315B785634122D2C1B072A00000042ECFE001F35")
    result = telegram.decode(bytes([len(body)]) + body)
    obis.annotate(result)
    assert [one.data_point for one in result.records] == ["setDT2!N"]


def test_sets():
    assert points.standard_set(0x08) == ["DT2!D", "HC1!", "HC1!D"]
    assert sorted(points.standard_set(0x1F, (1,))) == ["ID11!", "MM3!", "RH1!"]
    assert points.dib_of(points.row("EW1!RT", 0x02), 12, 5, 2) == bytes.fromhex("CCA200")
    raises(MisuseError, points.standard_set, 0x28)
    raises(MisuseError, points.row, "VM1!", 0x02)


def test_many_layouts():
    """What was looked up is remembered, within bounds: 48 layouts, each twice."""
    for number in range(96):
        storage = 8 + number % 24
        dib = "%02X%02X" % (0x84 | (storage & 1) << 6, storage >> 1)
        assert annotated(0x07, dib + "%02X00000000" % (0x13 + number // 24 % 2)) == [("VM1!P", None)]


for test in (test_water, test_others, test_command, test_sets, test_many_layouts):
    test()
