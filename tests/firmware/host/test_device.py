"""From the words of meter.toml to the bytes of records; expected bytes typed from the tables of EN 13757-3."""

import pytest
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config
from omsnode.firmware.roles.meter import Meter

KEY = "000102030405060708090A0B0C0D0E0F"
HEAD = """\
[node]
role = "meter"

[[meter]]
name = "kitchen_water"
id = "12345678.M=KAM.V=1b.T=16"
"""


@pytest.fixture
def load(tmp_path):
    (tmp_path / "kitchen.key").write_text(KEY)

    def load(text):
        path = tmp_path / "meter.toml"
        path.write_text(text)
        return config.load(path, "meter").meters[0]

    return load


def record(text):
    return HEAD + "[[meter.record]]\n" + text


@pytest.mark.parametrize(
    "text, header, data",
    [
        ('quantity = "volume"\nunit = "m3"\nvalue = 6.408', "0413", "08190000"),
        ('quantity = "volume"\nunit = "l"\nvalue = 6408', "0413", "08190000"),
        ('quantity = "volume"\nunit = "m3"\nvalue = 6.4\nresolution = 0.001', "0413", "00190000"),
        ('quantity = "volume"\nunit = "m3"\nvalue = 12.34\nfield = "bcd8"\nstorage = 1', "4c14", "34120000"),
        ('quantity = "energy"\nunit = "kWh"\nvalue = 18734\nfield = "bcd8"', "0c06", "34870100"),
        ('quantity = "energy"\nunit = "Wh"\nvalue = 5\nqualifiers = ["backward"]', "04833c", "05000000"),
        ('quantity = "energy"\nunit = "GJ"\nvalue = 7\ntariff = 1', "8410fb09", "07000000"),
        ('quantity = "flow temperature"\nunit = "°C"\nvalue = -1.5\nfield = "int16"', "025a", "f1ff"),
        (
            'quantity = "power"\nunit = "kW"\nvalue = 2.3\nfunction = "maximum"\nfield = "bcd6"',
            "1b2d",
            "230000",
        ),
        ('quantity = "date"\nvalue = "2024-05-31"', "026c", "1f35"),
        ('dib = "02"\nvib = "FD 17"\ndata = "0000"', "02fd17", "0000"),
        # A bit field (type D) has no invalid marker: all its bits may be set.
        ('quantity = "error flags"\nvalue = 65535\nfield = "int16"', "02fd17", "ffff"),
        # Type C: more than half of the range.
        ('quantity = "remaining battery life"\nunit = "d"\nvalue = 40000\nfield = "int16"', "02fd74", "409c"),
    ],
)
def test_records(load, text, header, data):
    (register,) = load(record(text)).profile.registers
    assert (register.dib + register.vib).hex() == header
    telegram = Meter(load(record(text)).profile, bytes(5)).telegram()
    assert telegram[15:].hex() == header + data


def test_growth_is_per_interval(load):
    device = load(
        record('quantity = "volume"\nunit = "m3"\nvalue = 1.000\ngrowth_per_hour = 0.120').replace(
            "[[meter.record]]", "interval_s = 60\n[[meter.record]]"
        )
    )
    assert device.profile.registers[0].step_micro == 2000000  # 120 l/h are 2 l per minute


@pytest.mark.parametrize("mode, profile", [(5, "A"), (7, "B"), (10, "D")])
def test_security_modes(load, mode, profile):
    extra = 'key = "@kitchen.key"\nsecurity_mode = {}\n[[meter.record]]'.format(mode)
    device = load(
        record('quantity = "volume"\nunit = "m3"\nvalue = 6.408').replace("[[meter.record]]", extra)
    )
    meter = Meter(device.profile, bytes(5))
    meter.start(0)
    telegram = meter.tick(meter.due_us)[-1].telegram
    told = decode(telegram, lambda address, *which: device.profile.key)
    assert (told.profile, told.verdict) == (profile, "decrypted" if mode == 5 else "authenticated")
    assert told.records[0].mantissa == 6408


def test_a_whole_device(load):
    device = load(
        HEAD
        + """\
key = "@kitchen.key"
mode = "C1"
frame_format = "B"
interval_s = 7.5
status = 4

[[meter.record]]
quantity = "volume"
unit = "m3"
value = 6.408

[[meter.record]]
quantity = "date and time"
value = "now"

[[meter.record]]
quantity = "error flags"
value = 0
field = "int16"
clear = true
"""
    )
    profile = device.profile
    assert (device.name, profile.mode, profile.frame_format, profile.nominal_us) == (
        "kitchen_water",
        "C1",
        "B",
        7500000,
    )
    assert profile.with_ell and profile.security_mode == 5 and profile.clear_from == 2
    told = decode(Meter(profile, bytes(5)).telegram(1212277800 * 10**6), lambda address, *which: profile.key)
    assert told.verdict == "decrypted" and told.tpl.status_flags() == ["low power"]
    assert [one.quantity for one in told.records] == ["volume", "date and time", "error flags"]
    assert told.records[1].text == "2008-05-31T23:50"


def test_behind_an_adapter(load):
    device = load(
        record('dib = "01"\nvib = "13"\ndata = "05"').replace(
            "[[meter.record]]", 'behind_adapter = "00000001.M=OMS.V=01.T=37"\n[[meter.record]]'
        )
    )
    told = decode(Meter(device.profile, bytes(5)).telegram())
    assert str(told.link.address) == "00000001.M=OMS.V=01.T=37"
    assert str(told.address) == "12345678.M=KAM.V=1b.T=16"


@pytest.mark.parametrize(
    "text, line, says",
    [
        (HEAD, 4, "record is missing"),
        (
            record('quantity = "volume"\nvalue = 1\nqualifiers = [1]'),
            10,
            "qualifiers must be words in quotes",
        ),
        (record('quantity = "volume"\nvalue = 1\nqualifiers = [["x"]]'), 10, "qualifiers must be words"),
        (record('quantity = "volume"\nvalue = []'), 9, "value must be a number or text in quotes"),
        (
            record('quantity = "volume"\nvalue = 1').replace("[[meter.r", "interval_s = []\n[[meter.r"),
            7,
            "must be a number",
        ),
        (record('quantity = "volum"\nunit = "m3"\nvalue = 1'), 7, "no quantity volum"),
        (record('quantity = "volume"\nunit = "Wh"\nvalue = 1'), 7, "volume has no unit Wh"),
        (record('quantity = "volume"\nunit = "m3"\nvalue = 1.0000001'), 7, "no exponent -7"),
        (
            record('quantity = "volume"\nunit = "m3"\nvalue = 70000\nfield = "int16"'),
            7,
            "does not fit into 2 bytes",
        ),
        (
            record('quantity = "volume"\nunit = "m3"\nvalue = 1\nfield = "int33"'),
            11,
            "field cannot be 'int33'",
        ),
        (record('quantity = "volume"\nunits = "m3"\nvalue = 1'), 9, "unknown key 'units'"),
        (record('quantity = "volume"\nunit = "m3"\nvalue = true'), 10, "value must be"),
        (record('quantity = "volume"\nunit = "m3"\nvalue = nan'), 10, "no usable number"),
        (
            record('quantity = "volume"\nunit = "m3"\nvalue = 1\ngrowth_per_hour = inf'),
            11,
            "no usable number",
        ),
        (record('quantity = "volume"\nunit = "m3"\nvalue = 1e99999999'), 10, "no usable number"),
        (record('quantity = "volume"\nunit = "m3"\nvalue = "1"'), 7, "the value of volume is a number"),
        (record('dib = "2"\nvib = "13"\ndata = "00"'), 7, "'2' is not hex"),
        (record('dib = "02"\nvib = "13"'), 7, "data is missing"),
        (record('dib = "02"\nvib = "13"\ndata = "00"').replace("T=16", "T="), 6, "no meter address"),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace(".V=1b.T=16", ""),
            6,
            "needs its whole address",
        ),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace("[[meter.r", "interval_s = 901\n[[meter.r"),
            7,
            "interval_s",
        ),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace(
                "[[meter.r", "security_mode = 9\n[[meter.r"
            ),
            7,
            "nothing is sent in security_mode 9",
        ),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace(
                "[[meter.r", "security_mode = 5\n[[meter.r"
            ),
            7,
            "needs a key",
        ),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace(
                "[[meter.r", "security_mode = 10\n[[meter.r"
            ),
            7,
            "security_mode = 10 needs a key",
        ),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace("[[meter.r", 'profile = "B"\n[[meter.r'),
            7,
            "profile is for the meters of a collector",
        ),
        (
            record('dib = "02"\nvib = "13"\ndata = "00"').replace(
                "[[meter.r", 'frame_format = "B"\n[[meter.r'
            ),
            4,
            "no frame format B",
        ),
        (record('dib = "0D"\nvib = "13"\ndata = "' + "00" * 250 + '"'), 4, "do not fit one telegram"),
        (record('dib = "02"\nvib = "13"\ndata = "00"') + '\n[[meter]]\nid = "12345678"', 4, ""),
    ],
)
def test_what_is_wrong_and_where(load, tmp_path, text, line, says):
    with pytest.raises(ConfigError) as caught:
        load(text)
    message = str(caught.value)
    assert says in message
    if says:
        assert message.startswith("{}:{}: ".format(tmp_path / "meter.toml", line)), message
