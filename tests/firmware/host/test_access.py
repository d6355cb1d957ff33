"""The tables that make a collector a gateway and a meter a bidirectional one, and every complaint with its line and hint."""

import pytest
from omsnode.firmware.application import clock
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import access, config
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.window_meter import LIMITED, UNLIMITED, WindowMeter
from omsnode.firmware.security.keys import Key

KEY = "8C1F62D09B3AE4577D05A9F1C26E83B4"
OTHER_KEY = "5A0C96E37FB12D488E6631F0A4D97B2C"
METER = """\
[node]
role = "meter"
[[meter]]
id = "54890017.M=OMN.V=01.T=07"
key = "@own"
"""
VOLUME = '[[meter.record]]\nquantity = "volume"\nunit = "m3"\nvalue = 6.408\n'
COLLECTOR = '[[meter]]\nid = "12345678"\ncommands = true\n'


@pytest.fixture
def load(tmp_path):
    (tmp_path / "own").write_text(KEY)
    (tmp_path / "clock").write_text(OTHER_KEY)

    def loaded(text):
        path = tmp_path / "c.toml"
        path.write_text(text)
        return config.load(path)

    return loaded


def meter(load, words, record=VOLUME, head=METER):
    return load(head + words + record).meters[0]


@pytest.mark.parametrize("mode", ["S2", "T2", "C2"])
def test_a_bidirectional_mode_and_a_key_make_a_meter_that_listens(mode, load):
    device = meter(load, 'mode = "{}"\nsecurity_mode = 7\n'.format(mode))
    assert device.listens.limited and device.listens.keys == {(0, 0): Key.from_hex(KEY)}
    role = device.listens.role(WindowMeter, device.profile, bytes(5), None)
    assert role.rights == LIMITED and role.profile.with_ell and role.access.period_us == 2000000


def test_everything_said(load):
    device = meter(
        load,
        'mode = "C2"\naccess = "unlimited"\nfast_response = true\ncycle_s = 5\nfillers = 3\nclock = "gateway"\n'
        'valve = "direct"\nkey_version = 4\n',
        VOLUME.replace("[[meter.record]]", "[[meter.record]]\nwritable = true")
        + '[[meter.further_key]]\nkey_id = 0x22\nversion = 1\nkey = "@clock"\n',
    )
    assert device.listens == access.Access(
        False,
        True,
        3,
        5000000,
        {(0, 4): Key.from_hex(KEY), (0x22, 1): Key.from_hex(OTHER_KEY)},
        clock.GATEWAY,
        "direct",
        (0,),
    )
    role = device.listens.role(WindowMeter, device.profile, bytes(5), None)
    assert role.rights == UNLIMITED and role.fast and role.fillers == 3
    volume, control, state = role.device.registers
    assert "set" in volume.actions and not volume.secured
    # DC1! and DC2!: VIFs FD1F and FD1A; the one is set under KeyID 20 only
    assert (control.vib, control.secured, control.actions) == (b"\xfd\x1f", 0x20, ("set",))
    assert (state.vib, state.actions) == (b"\xfd\x1a", ())


def test_others_only_send(load):
    for words in ('mode = "T1"\n', 'mode = "T2"\naccess = "none"\n'):
        assert meter(load, words).listens is None
    assert meter(load, 'mode = "T2"\n', head=METER.replace('key = "@own"\n', "")).listens is None


@pytest.mark.parametrize(
    ("words", "line", "hint"),
    [
        ('mode = "T1"\naccess = "limited"\n', 6, '"T2"'),
        ('mode = "T1"\nvalve = "direct"\n', 7, "T2"),
        ('mode = "T1"\ncycle_s = 2\n', 7, "T2"),
        ('mode = "T2"\ncycle_s = 4\n', 7, "2, 3, 5"),
        ('mode = "T2"\nfast_response = true\n', 7, ""),
        ('mode = "T2"\nfillers = 16\n', 7, "0 to 15"),
        ('mode = "T2"\nfillers = -1\n', 7, "0 to 15"),
        ('mode = "T2"\naccess = "always"\n', 7, "unlimited"),
        ('mode = "T2"\nclock = "me"\n', 7, "head-end"),
        ('mode = "T2"\nvalve = "water"\n', 7, "manual"),
        ('mode = "T2"\nkey_version = 255\n', 7, "254"),
        ('mode = "T2"\nsecurity_mode = 0\naccess = "limited"\n', 8, "none"),
        ('mode = "T2"\nfurther_key = 3\n', 7, ""),
        ('mode = "T2"\nell = false\nsecurity_mode = 7\n', None, ""),
        ('mode = "T2"\n[[meter.further_key]]\nkey_id = 0x30\nkey = "@clock"\n', 8, "2F"),
        ('mode = "T2"\n[[meter.further_key]]\nkey_id = 0\nkey = "@clock"\n', 8, ""),
        ('mode = "T2"\n[[meter.further_key]]\nkey = "@clock"\n', 7, "key_id"),
        ('mode = "T2"\n[[meter.further_key]]\nkey_id = 0x22\n', 7, "key ="),
    ],
)
def test_what_a_meter_cannot_be(words, line, hint, load):
    with pytest.raises(ConfigError) as error:
        meter(load, words)
    assert line is None or "c.toml:{}: ".format(line) in str(error.value)
    assert hint in error.value.hint


def test_a_valve_where_the_device_type_has_none(load):
    with pytest.raises(ConfigError):
        meter(load, 'mode = "T2"\nvalve = "direct"\n', head=METER.replace("T=07", "T=08"))


# OMS Vol.2 Table 8: electricity 7.5 min, gas 30 min, water and heat cost allocators 240 min
@pytest.mark.parametrize(
    ("device_type", "seconds", "fillers", "warned"),
    [
        ("02", 450, 0, False),
        ("02", 451, 0, True),
        ("02", 225, 1, False),
        ("02", 226, 1, True),
        ("03", 900, 1, False),
        ("03", 900, 2, True),
        ("07", 900, 15, False),
        ("37", 900, 15, False),
    ],
)
def test_update_interval_limits_warn(device_type, seconds, fillers, warned, load):
    words = 'mode = "C2"\ninterval_s = {}\nfillers = {}\n'.format(seconds, fillers)
    device = meter(load, words, head=METER.replace("T=07", "T=" + device_type))
    assert bool(device.warnings) is warned


def test_a_gateway(load):
    settings = load('[gateway]\nid = "87654321.M=OMS.V=01.T=31"\ninstall = "known"\n' + COLLECTOR)
    assert settings.gateway.address == Address.parse("87654321.M=OMS.V=01.T=31")
    assert settings.gateway.install == "known" and settings.partners == settings.meters
    settings = load('[gateway]\nid = "87654321.M=OMS.V=01.T=31"\n[[meter]]\nid = "12345678"\n')
    assert settings.gateway.install == "none" and settings.partners == []
    assert load('[[meter]]\nid = "12345678"\n').gateway is None


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        (COLLECTOR, 3, "[gateway]"),
        ("[gateway]\n" + COLLECTOR, 1, "id ="),
        ('[gateway]\nid = "87654321"\n' + COLLECTOR, 2, "T=31"),
        ('[gateway]\nid = "87654321.M=OMS.V=01.T=07"\n' + COLLECTOR, 2, "T=31"),
        ('[gateway]\nid = "x"\n' + COLLECTOR, 2, ""),
        ('[gateway]\nid = "87654321.M=OMS.V=01.T=31"\ninstall = "all"\n' + COLLECTOR, 3, "known"),
        ('[gateway]\nid = "87654321.M=OMS.V=01.T=31"\nkey = "@own"\n' + COLLECTOR, 3, ""),
        ("gateway = 3\n" + COLLECTOR, 1, ""),
        ('[[meter]]\nid = "12345678"\ncommands = "yes"\n', 3, ""),
        (METER + VOLUME + '[gateway]\nid = "87654321.M=OMS.V=01.T=31"\n', 10, "collector"),
    ],
)
def test_what_a_gateway_cannot_be(text, line, hint, load):
    with pytest.raises(ConfigError) as error:
        load(text)
    assert "c.toml:{}: ".format(line) in str(error.value)
    assert hint in error.value.hint


def test_the_state_directory_is_found_without_reading_keys(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('[node]\nstate_dir = "there"\n[[meter]]\nid = "12345678"\nkey = "@not_for_you"\n')
    assert config.state_dir(path) == tmp_path / "there"
    path.write_text("")
    assert config.state_dir(path) is None
    path.write_text("[node\n")
    with pytest.raises(ConfigError, match=r"c\.toml:1"):
        config.state_dir(path)
