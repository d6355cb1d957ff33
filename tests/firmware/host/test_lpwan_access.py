"""The tables that make a meter a burst meter and a collector one that hears bursts; every complaint with its line and hint."""

import pytest
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config
from omsnode.firmware.link.lpwan.values import Capability
from omsnode.firmware.roles.lpwan.meter import BurstMeter
from omsnode.firmware.security.keys import Key

KEY = "0B57E1C4D29F6A83310C9E2B74F5D816"
MAC_KEY = "D3924AB06C1F857E2958E0B7461D3AFC"
METER = """\
[node]
role = "meter"
[[meter]]
id = "54890017.M=OMN.V=01.T=07"
key = "@own"
mode = "UL-B4"
"""
VOLUME = '[[meter.record]]\nquantity = "volume"\nunit = "m3"\nvalue = 6.408\n'
TWO = '[radio.a]\nmode = "{}"\n[radio.b]\nmode = "{}"\n'
GATEWAY = '[gateway]\nid = "87654321.M=OMS.V=01.T=31"\n'


@pytest.fixture
def load(tmp_path):
    (tmp_path / "own").write_text(KEY)
    (tmp_path / "mac").write_text(MAC_KEY)

    def loaded(text, name="c.toml"):
        path = tmp_path / name
        path.write_text(text)
        return config.load(path)

    return loaded


def role(device):
    return device.listens.role(BurstMeter, device.profile, bytes(5), None)


def test_mode_and_key_make_a_meter_that_only_sends(load):
    device = load(METER + VOLUME).meters[0]
    made = role(device)
    assert (device.profile.mode, device.profile.frame_format, device.profile.with_ell) == (
        "UL-B4",
        "B",
        False,
    )
    assert (made.way.uplink, made.way.coding, made.way.downlink) == ("UL-B4", "7/8", None)
    assert made.profile.security_mode == 5 and not made.declared.bidirectional


def test_everything_said(load):
    words = (
        'mac_key = "@mac"\nmac_key_version = 3\nsecurity_mode = 7\ncoding = "multi"\nspacing = "medium"\n'
        'downlink = "DL-B1"\naccess = 4\nresponse_timing = 3\ndl_rxm_ms = 2200\nsub_carriers = [0, 4]\ntiv = 89\n'
        'clock_ppm = 100\nuplinks = ["UL-B3"]\ndownlinks = ["DL-B4"]\ncodings = ["1/3"]\npower_steps = 2\n'
        'fallback_counter = 40\nsession_resume_s = 30\nfillers = 2\nclock = "none"\nkey_version = 1\ninterval_s = 200\n'
    )
    device = load(METER.replace("UL-B4", "UL-B1+B2") + words + VOLUME).meters[0]
    made = role(device)
    assert device.listens.keys == {(0, 1): Key.from_hex(KEY), (0x0F, 3): Key.from_hex(MAC_KEY)}
    one = made.declared
    assert made.way == ("UL-B1+B2", "multi", (0, 4), 0, "DL-B1", 1)
    assert (one.spacing, one.option, one.rxm, one.tiv, one.early_ppm, one.late_ppm) == (
        1,
        3,
        15,
        89,
        100,
        100,
    )
    assert (one.access.additional, one.access.multi, one.access.limited) == (True, True, True)
    assert (one.preset, one.reductions, one.resume_s, made.fillers) == (40, 2, 30, 2)
    # What it begins with is part of what link management may choose of.
    able = Capability(("UL-B1", "UL-B2", "UL-B3"), 1, ("DL-B1", "DL-B4"), ("1/3", "multi"), 1)
    assert one.capability == able and device.listens.uplinks == able.uplinks
    assert device.listens.downlinks == able.downlinks and device.listens.codings == able.codings


def test_unlimited_reception_is_told_as_zero(load):
    assert role(load(METER + 'downlink = "DL-B3"\ndl_rxm_ms = 0\n' + VOLUME).meters[0]).declared.rxm == 0


def test_the_mac_key_of_the_key_store(load, tmp_path):
    """KeyID 0F alone; a row for any KeyID is no MAC key."""
    store = tmp_path / "state" / "key_store"
    store.parent.mkdir()
    head = METER.replace("[[meter]]", 'state_dir = "state"\n[[meter]]') + 'downlink = "DL-B4"\n'
    store.write_text("54890017 {}\n".format(MAC_KEY))
    store.chmod(0o600)
    assert (0x0F, 0) not in load(head + VOLUME).meters[0].listens.keys
    store.write_text("54890017 {}\n54890017 {} key_id=0x0F version=2\n".format(KEY, MAC_KEY))
    assert load(head + VOLUME).meters[0].listens.keys[0x0F, 2] == Key.from_hex(MAC_KEY)


@pytest.mark.parametrize(
    "words, line, says, hint",
    [
        ('coding = "3/4"', 7, "coding cannot be '3/4'", "7/8, 1/2, 1/3, multi"),
        ('downlink = "UL-B4"', 7, "downlink cannot be 'UL-B4'", "DL-B1"),
        ('frame_format = "A"', 3, "no frame format A", ""),
        ("access = 1", 7, "access is for a burst meter that listens", 'downlink = "DL-B4"'),
        ('mac_key = "@mac"', 7, "mac_key is for a burst meter that listens", "downlink"),
        ('downlink = "DL-B4"\naccess = 7', 8, "access = 7 is not allowed", "1 to 6"),
        ('downlink = "DL-B4"\naccess = "limited"', 8, "access must be a whole number", ""),
        ('downlink = "DL-B4"\nresponse_timing = 9', 8, "response_timing = 9", "1 to 8"),
        ('downlink = "DL-B4"\ndl_rxm_ms = 60', 8, "dl_rxm_ms = 60 cannot be told", "25, 35, 50, 75"),
        ('downlink = "DL-B4"\nsession_resume_s = 3', 8, "steps of 2 s", "even"),
        ('downlink = "DL-B4"\ndownlinks = ["DL-S1"]', 8, "downlinks cannot have 'DL-S1'", "DL-B1, DL-B2"),
        ('downlink = "DL-B4"\naccess = 4\nresponse_timing = 4', 3, "additional window needs a fast", ""),
        ('downlink = "DL-B4"\nmac_key = "@none"', 8, "key file", "neither in the key store"),
        ("sub_carriers = [5]", 7, "numbers n, 0 to 4", "[0, 2, 4]"),
        ('spacing = "long"', 7, "spacing is that of multi bursts", 'coding = "multi"'),
        ("tiv = 128", 7, "tiv = 128", "0 to 127"),
        ("security_mode = 0", 6, "needs a key", "10 is D"),
        ("interval_s = 901", 7, "interval_s = 901", "1 to 900 s in mode UL-B4"),
        ("cycle_s = 2", 7, "unknown key 'cycle_s'", ""),
    ],
)
def test_complaints_have_a_line_and_a_hint(words, line, says, hint, load):
    with pytest.raises(ConfigError) as caught:
        load(METER + words + "\n" + VOLUME)
    assert "c.toml:{}: ".format(line) in caught.value.message
    assert says in caught.value.message and hint in caught.value.hint


def test_what_makes_a_burst_meter_is_nothing_for_another(load):
    with pytest.raises(ConfigError, match="c.toml:7: unknown key 'downlink'"):
        load(METER.replace("UL-B4", "T1") + 'downlink = "DL-B4"\n' + VOLUME)


def test_no_key_is_repeated(load):
    for words in ('mac_key = "{}"'.format(MAC_KEY), 'mac_key = "@{}"'.format(MAC_KEY)):
        with pytest.raises(ConfigError) as caught:
            load(METER + 'downlink = "DL-B4"\n' + words + "\n" + VOLUME)
        assert MAC_KEY[:12] not in caught.value.message + caught.value.hint
    assert "c.toml:8: " in caught.value.message


def test_radios_of_one_collector_hear_one_burst_mode(load):
    found = load(TWO.format("UL-B1.0", "UL-B1.3"))
    assert [one.burst for one in found.radios] == [True, True]
    with pytest.raises(ConfigError, match=r"c.toml:4: UL-B4 beside UL-B1"):
        load(TWO.format("UL-B1", "UL-B4"))
    with pytest.raises(ConfigError, match="mode cannot be 'UL-B4.1'"):
        load(TWO.format("T1", "UL-B4.1"))


@pytest.mark.parametrize(
    "modes, radio, says",
    [
        (("T+C", "UL-B4"), "", "c.toml:5: which of the radios sends"),
        (("T+C", "UL-B4"), 'radio = "c"', "c.toml:7: there is no radio c"),
        (("UL-B1.0", "UL-B1.3"), 'radio = "a"', "c.toml:7: a gateway of burst meters has one radio"),
    ],
)
def test_a_gateway_sends_with_one_radio(modes, radio, says, load):
    with pytest.raises(ConfigError) as caught:
        load(TWO.format(*modes) + GATEWAY + radio + "\n")
    assert says in caught.value.message


def test_any_one_radio_is_that_of_the_gateway(load):
    assert load(TWO.format("T+C", "UL-B4") + GATEWAY + 'radio = "b"\n').gateway.radio == "b"
    assert load('[radio.x]\nmode = "UL-B4"\n' + GATEWAY).gateway.radio == "x"
    assert load(GATEWAY).gateway.radio == "main"


@pytest.mark.parametrize(
    "words, least_s",
    [
        ('downlink = "DL-B4"\n', 2),  # RX0 1.5 s behind T0 (Table Q.28)
        (
            'downlink = "DL-B4"\naccess = 4\ncoding = "multi"\n',
            13,
        ),  # t_A + t_B + 3 t_A / 2 of TIV 127 (sheet 11.1, 11.2)
        ('coding = "multi"\n', 8),  # t_A + t_B
        # Link management may move it to multi: t_A + t_B + t_A / 2, long.
        ('downlink = "DL-B4"\ncodings = ["7/8", "multi"]\nspacing = "long"\n', 41),
        ("", 1),
    ],
)
def test_frames_do_not_overlap(words, least_s, load):
    config_text = METER + words + "interval_s = {}\n" + VOLUME
    load(config_text.format(least_s))
    if least_s > 1:
        with pytest.raises(ConfigError) as refused:
            load(config_text.format(least_s - 1))
        assert "{} s at least".format(least_s) in refused.value.hint
        assert refused.value.message.count("c.toml") == 1


def test_a_link_that_the_gateway_manages(load):
    radio = '[radio.main]\nhat = "virtual"\nmode = "{}"\n'
    meter = '[[meter]]\nid = "54890017"\nmac_key = "@mac"\nmanage_link = true\n'
    taken = meter + "commands = true\n"
    found = load(radio.format("UL-B4") + taken + GATEWAY)
    assert found.managed == found.partners == found.meters
    assert load(radio.format("UL-B4") + taken.replace("true\nc", "false\nc") + GATEWAY).managed == []
    for text, words in (
        (radio.format("UL-B4") + meter + GATEWAY, "needs commands = true"),
        (radio.format("UL-B1.3") + taken + GATEWAY, "on UL-B4 only"),
        (radio.format("T+C") + taken + GATEWAY, "on UL-B4 only"),
        (taken + GATEWAY, "on UL-B4 only"),
    ):
        with pytest.raises(ConfigError) as refused:
            load(text)
        assert words in refused.value.message


def test_the_mac_key_of_a_known_meter(load):
    found = load('[[meter]]\nid = "54890017"\nmac_key = "@mac"\ncommands = true\n' + GATEWAY)
    assert found.mac_keys[found.meters[0]] == Key.from_hex(MAC_KEY)
