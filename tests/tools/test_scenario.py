"""`omsnode meter --scenario` and `--scenarios`."""

import json
import re

import pytest
from omsnode.firmware.host import config
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.roles.scripted import Scripted
from omsnode.firmware.roles.scripted_rules import Rule
from omsnode.firmware.transport import authentication, header
from omsnode.tools.cli import main, meter, scenario

KEY = "DEADBEEF0102030405060708090A0B0C"
METER = """\
[node]
role = "meter"
state_dir = "state"
[radio.main]
hat = "virtual"
[[meter]]
id = "12345678.M=KAM.V=1b.T=16"
key = "@kitchen.key"
security_mode = 7
mode = "{mode}"
interval_s = 20
[[meter.record]]
quantity = "volume"
unit = "m3"
value = 6.408
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kitchen.key").write_text(KEY + "\n")
    for mode in ("T1", "T2"):
        (tmp_path / (mode + ".toml")).write_text(METER.format(mode=mode))
    return tmp_path


def omsnode(capsys, *arguments):
    status = main(["meter", *arguments])
    done = capsys.readouterr()
    assert KEY.lower() not in re.sub(r"[^0-9a-z]", "", (done.out + done.err).lower())
    return status, done.out, done.err


def sent(out):
    return [line.split()[2] for line in out.splitlines() if line.startswith("2")]


def test_listing(capsys):
    status, out, _ = omsnode(capsys, "--scenarios")
    assert status == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == scenario.names()
    assert all("gateway: " in line for line in lines[1::2])


@pytest.mark.parametrize("mode", ["T1", "T2"])
def test_a_shipped_one_by_name(here, capsys, mode):
    status, out, err = omsnode(capsys, mode + ".toml", "--count", "5", "--scenario", "unidirectional")
    assert status == 0
    lines = out.splitlines()
    assert [line for line in lines if line.startswith("fault")] == [
        "fault 1 drop SND-NR",
        "fault 2 wrong CRC SND-NR",
    ]
    # What was not on the air is not printed: the third of five.
    numbers = [access_number(bytes.fromhex(one)) for one in sent(out)]
    first = numbers[0]
    assert [number - first & 0xFF for number in numbers] == [0, 1, 3, 4]
    assert "never happened" not in err


def access_number(telegram):
    _, at = authentication.parse_if_any(telegram, link_telegram.parse(telegram).offset)
    return header.parse(telegram, at).access_number


def test_a_file_and_what_did_not_happen(here, capsys):
    (here / "own.toml").write_text(
        '[[fault]]\nfault = "drop"\ntelegram = 1\n[[fault]]\nfault = "busy"\nanswer = 1\n'
    )
    status, out, err = omsnode(capsys, "T2.toml", "--count", "3", "--scenario", "own.toml")
    assert status == 0 and len(sent(out)) == 2
    assert "fault 2 never happened" in err and "fault 1 never" not in err


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["T1.toml", "--scenario", "unidirektional"], "did you mean 'unidirectional'?"),
        (["T1.toml", "--scenario", "zzz"], "--scenarios lists them"),
        (["T1.toml", "--scenario", "none.toml"], "none.toml: No such file"),
        (["T1.toml", "--scenario", "busy"], "busy.toml:9: this meter hears no commands"),
        (["T1.toml", "--scenario", "bad.toml"], "bad.toml:3: unknown key 'times_'"),
        (["--scenario", "busy"], "no meter.toml"),
    ],
)
def test_misuse_is_told(here, capsys, arguments, says):
    (here / "bad.toml").write_text('[[fault]]\nfault = "drop"\ntimes_ = 1\ntelegram = 1\n')
    status, out, err = omsnode(capsys, *arguments)
    assert status == 2 and out == "" and says in err


def test_behind_a_scenario_the_meter_goes_on(here, capsys):
    """A meter that has lost everything in a scenario uses no message counter twice afterwards."""
    (here / "own.toml").write_text('[[fault]]\nfault = "restart"\ntelegram = 3\nkeeps = "nothing"\n')
    counters = []
    for more in (["--scenario", "own.toml"], []):
        status, out, _ = omsnode(capsys, "T1.toml", "--count", "5", *more)
        assert status == 0
        counters.append([int.from_bytes(bytes.fromhex(one)[15:19], "little") for one in sent(out)])
    assert counters[0] == [1, 2, 3, 1, 2]
    assert min(counters[1]) > 3
    (state,) = (here / "state").glob("*.json")
    assert json.loads(state.read_text())["message_counter"] >= max(counters[1])


def test_power_comes_back_to_the_true_key(here):
    """The role before has put its own key and interval where the next one looks for them."""
    device = config.load(here / "T2.toml", "meter").meters[0]
    key = device.profile.key
    make = scenario.maker(device, True)
    role = make(None)
    state = role.stop()[0].state
    device.profile.key = type(key)(bytes(16))
    device.profile.nominal_us = 5
    again = make(state)
    assert again.profile.key == key and again.profile.nominal_us == 20000000


def test_the_button_reaches_the_meter(here, monkeypatch):
    monkeypatch.setattr(scenario.os, "urandom", lambda count: bytes([200] * count))  # its first slot is far
    device = config.load(here / "T2.toml", "meter").meters[0]
    role = Scripted(scenario.maker(device, True), [Rule("restart", {"off_s": 10}, "telegram", 0)])
    role.start(0)
    role.install(1000)  # no power, no button
    role.tick(10000000)
    before = role.due_us
    role.install(10000000)
    assert role.due_us == 11000000 < before
    button = meter.Button(True, role)
    button.look(11000000)
