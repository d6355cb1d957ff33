"""The burst mode from the command line: a meter, a collector that hears it, a gateway that asks it; labels and what formats carry."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from omsnode.firmware.host import channel, key_store
from omsnode.tools.cli import collect, main
from omsnode.tools.flash import settings
from support_leaks import Watch

KEY = "4F81C6A20E7D95B31C6208FA97E43DB5"
MAC_KEY = "E1703B9C58D2F64A85C9076E3BA41FD2"
OMSNODE = [sys.executable, "-m", "omsnode.tools.cli"]
METER = """\
[node]
role = "meter"
state_dir = "state"
[radio.main]
hat = "sx1262-virtual"
[[meter]]
name = "attic"
id = "54890017.M=OMN.V=01.T=04"
key = "@own"
mac_key = "@mac"
mode = "UL-B4"
downlink = "DL-B4"
coding = "1/2"
security_mode = 7
interval_s = 10
tiv = 64
[[meter.record]]
quantity = "energy"
unit = "kWh"
value = 42817
"""
GATEWAY = """\
[node]
state_dir = "there"
[radio.main]
hat = "{}"
mode = "UL-B4"
[[meter]]
name = "garden"
id = "54890017.M=OMN.V=01.T=07"
key = "@own"
mac_key = "@mac"
profile = "B"
commands = true
[gateway]
id = "87654321.M=OMS.V=01.T=31"
"""
BEYOND = "beyond the limits of Annex Q"


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "own").write_text(KEY + "\n")
    (tmp_path / "mac").write_text(MAC_KEY + "\n")
    (tmp_path / "meter.toml").write_text(METER)
    (tmp_path / "gateway.toml").write_text(GATEWAY.format("sx1262-virtual"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hidden(text):
    assert not Watch((bytes.fromhex(KEY), bytes.fromhex(MAC_KEY))).found_in(text)
    assert "Traceback" not in text, text


def omsnode(*arguments):
    done = subprocess.run([*OMSNODE, *arguments], capture_output=True, text=True, timeout=240)
    hidden(done.stdout + done.stderr)
    return done


def test_a_burst_meter_prints_its_bursts_and_decode_reads_what_is_in_them(here):
    done = omsnode("meter", "meter.toml", "--count", "2", "-v")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[1] for line in lines] == ["UL-B4"] * 2
    assert [line[3:] for line in lines] == [["MSNR", "SND-NR", "margin", lines[0][6], "us"]] * 2
    assert 0 < int(lines[0][6]) <= 500 and "limits" not in done.stdout + done.stderr
    (here / "keys").write_text("54890017 {}\n".format(KEY))
    (here / "sent").write_text("\n".join(line[2] for line in lines))
    readings = [json.loads(line) for line in omsnode("decode", "--keys", "keys", "sent").stdout.splitlines()]
    assert [one["records"][0]["value"] for one in readings] == [42817000] * 2
    assert {one["security"]["verdict"] for one in readings} == {"authenticated"}
    state = next((here / "state").glob("*.json"))
    assert json.loads(state.read_text())["lpwan"]["tiv"] == 64
    for path in (here / "state").iterdir():
        hidden(path.read_bytes().decode("latin-1"))
    checked = omsnode("config", "meter.toml")
    assert checked.returncode == 0 and 'mac_key = "@mac"' in checked.stdout


def test_a_radio_beyond_the_limits_needs_its_owners_leave_and_is_labelled(here):
    text = METER.replace("sx1262-virtual", "virtual").replace('"1/2"', '"multi"')
    (here / "meter.toml").write_text(text)
    done = omsnode("meter", "meter.toml", "--count", "3")
    assert done.returncode == 2 and done.stdout == ""
    assert "radio main (virtual): UL-B4 sent " + BEYOND in done.stderr
    assert "beyond_limits = true in [radio.main]" in done.stderr
    (here / "meter.toml").write_text(text.replace("[[meter]]", "beyond_limits = true\n[[meter]]"))
    done = omsnode("meter", "meter.toml", "--count", "3")
    assert done.returncode == 0, done.stderr
    assert [line.split("us ")[1] for line in done.stdout.splitlines()] == ["[beyond limits]"] * 3
    assert [line.split()[5:9] for line in done.stdout.splitlines()] == [
        ["burst", str(n), "of", "3"] for n in (1, 2, 3)
    ]
    assert done.stderr.count("omsnode: radio main: UL-B4 sent " + BEYOND) == 1


def test_link_parameters_that_the_file_no_longer_allows_are_given_up(here):
    """And nothing else: the message counter goes on."""
    first = omsnode("meter", "meter.toml", "--count", "1").stdout.split()[2]
    (here / "meter.toml").write_text(METER.replace('"1/2"', '"1/3"'))
    done = omsnode("meter", "meter.toml", "--count", "1")
    assert done.returncode == 0 and "begins as declared" in done.stderr
    assert [int(one[30:32], 16) for one in (first, done.stdout.split()[2])] == [1, 2]


@pytest.mark.parametrize(
    "options, says",
    [
        (["--scenario", "answers-late"], "a burst meter has no scenario"),
        (["--hat", "cc1101-spi0"], "beyond_limits = true"),
    ],
)
def test_what_a_burst_meter_cannot_do(options, says, here):
    done = omsnode("meter", "meter.toml", *options)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""


def test_collect_with_nothing_attached_hears_burst_meters(here):
    done = omsnode("collect", "--hat", "virtual", "--mode", "UL-B4", "--seconds", "5")
    assert done.returncode == 0, done.stderr
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    (reading,) = readings[:1]
    assert (reading["mode"], reading["name"], reading["security"]["verdict"]) == (
        "UL-B4",
        "attic_heat",
        "authenticated",
    )
    assert reading["records"][0]["value"] == 42817000 and "beyond_limits" not in reading
    assert reading["link"]["format"] == "C" and reading["link"]["c_field"] == "SND-NR"
    assert reading["link"]["mac"] == {
        "type": "MSNR",
        "synchronous": True,
        "access_number": reading["link"]["mac"]["access_number"],
        "receiver": None,
        "access": 1,
        "downlink": "DL-B4",
        "response_timing": 1,
        "dl_rxm_ms": 75,
        "sub_carriers": None,
        "session": 0,
        "error": None,
    }
    with_numpy = importlib.util.find_spec("numpy") is not None
    assert ("decoder.captures=" in done.stderr) is with_numpy
    assert ("without numpy" in done.stderr) is not with_numpy


@pytest.fixture
def quickly(capsys):
    """quickly(arguments): the command in this process, virtual time as fast as it goes; (status, out, err)."""

    def run(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(collect.time, "sleep", lambda seconds: None)
            status = main(list(arguments))
        out, err = capsys.readouterr()
        hidden(out + err)
        return status, out, err

    return run


def test_formats(quickly):
    """A line of rtlwmbus has no place for a MAC frame; the others have all that is in it."""
    options = ["--hat", "virtual", "--mode", "UL-B4", "--seconds", "12", "--format"]
    _, out, _ = quickly("collect", *options, "table")
    lines = out.splitlines()
    assert re.fullmatch(r"\S+Z  UL-B4  -\d+ dBm  attic_heat  .*flow temperature 70\.3 °C.*", lines[1])
    _, out, _ = quickly("collect", *options, "wmbusmeters")
    flat = json.loads(out.splitlines()[0])
    assert (flat["oms_mode"], flat["name"], flat["oms_verdict"]) == ("UL-B4", "attic_heat", "authenticated")
    assert "oms_beyond_limits" not in flat
    _, out, err = quickly("collect", *options, "rtlwmbus")
    assert out == "" and err.count("rtlwmbus lines hold no burst: 1 readings left out so far") == 1


def test_beside_other_radios_each_hears_its_own(here, quickly):
    (here / "two.toml").write_text(
        '[radio.classic]\nhat = "virtual"\n[radio.lpwan]\nhat = "sx1262-virtual"\nmode = "UL-B4"\n'
    )
    status, out, err = quickly("collect", "--config", "two.toml", "--seconds", "20")
    heard = {(one["mode"], one["radio"], one["name"]) for one in map(json.loads, out.splitlines())}
    assert status == 0 and heard == {
        ("UL-B4", "lpwan", "attic_heat"),
        ("UL-B4", "lpwan", "pit_water"),
        ("T1", "classic", "kitchen_water"),
        ("T1", "classic", "cellar_gas"),
        ("C1", "classic", "flat_heat"),
        ("C1", "classic", "house_electricity"),
    }


def test_one_sub_carrier_of_five_is_heard_with_leave_and_labelled(here, quickly, capsys):
    text = '[radio.main]\nhat = "virtual"\nmode = "UL-B1.3"\n'
    (here / "b1.toml").write_text(text)
    assert main(["collect", "--config", "b1.toml", "--seconds", "1"]) == 2
    assert "UL-B1.3 heard " + BEYOND in capsys.readouterr().err
    (here / "b1.toml").write_text(text + "beyond_limits = true\n")
    status, out, err = quickly("collect", "--config", "b1.toml", "--seconds", "60")
    readings = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and readings and {one["mode"] for one in readings} == {"UL-B1"}
    assert {one["beyond_limits"].count("sub-carriers heard at once 1") for one in readings} == {1}
    assert err.count("omsnode: radio main: UL-B1.3 heard " + BEYOND) == 1
    _, out, _ = quickly("collect", "--config", "b1.toml", "--seconds", "60", "--format", "wmbusmeters")
    assert BEYOND in json.loads(out.splitlines()[0])["oms_beyond_limits"]
    _, out, _ = quickly("collect", "--config", "b1.toml", "--seconds", "60", "--format", "table")
    assert all(line.endswith(" [beyond limits]") for line in out.splitlines()[1:])


def test_without_numpy_it_is_said_once(here, quickly, monkeypatch):
    monkeypatch.setattr(collect.captures, "possible", lambda: False)
    status, out, err = quickly("collect", "--hat", "virtual", "--mode", "UL-B4", "--seconds", "6")
    assert status == 0 and out and err.count("without numpy") == 1 and "[burst]" in err
    assert "decoder." not in err


def test_options_of_a_cc1101_are_none_of_another(here, capsys):
    (here / "raw.toml").write_text('[radio.main]\nhat = "sx1262-virtual"\nmode = "UL-B4"\nraw_sync = true\n')
    assert main(["collect", "--config", "raw.toml", "--seconds", "1"]) == 2
    assert "raw_sync is for a CC1101" in capsys.readouterr().err


def test_raw_reception(here, quickly):
    (here / "raw.toml").write_text('[radio.main]\nhat = "virtual"\nmode = "UL-B4"\nraw_sync = true\n')
    status, out, _ = quickly("collect", "--config", "raw.toml", "--seconds", "5")
    assert status == 0 and [json.loads(line)["name"] for line in out.splitlines()][:1] == ["attic_heat"]


def test_a_gateway_whose_radio_does_not_keep_to_the_limits(here, capsys):
    (here / "gateway.toml").write_text(GATEWAY.format("virtual"))
    assert main(["collect", "--config", "gateway.toml", "--seconds", "1"]) == 2
    assert "DL-B4 sent " + BEYOND in capsys.readouterr().err


def test_a_gateway_asks_the_mac_of_a_meter(here, capsys, monkeypatch):
    """A CC1101 with leave, which shows in every line; the meter's clock is moved and its link is asked for, by a process beside it.
    Virtual time goes as fast as it can."""
    (here / "gateway.toml").write_text(
        GATEWAY.format("virtual").replace("[[meter]]", "beyond_limits = true\n[[meter]]")
    )
    sleep, told = time.sleep, []

    def ask():
        end = time.monotonic() + 240
        while not (here / "there" / "command.sock").exists() and time.monotonic() < end:
            sleep(0.05)
        client = channel.Client(here / "there")
        client.ask({"do": "order", "meter": "garden", "words": ["mac-clock", "5"]})
        client.close()
        words = ["garden", "mac-read", "link-status", "uplink"]
        told.append(omsnode("command", "--config", "gateway.toml", "--format", "json", *words))
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    monkeypatch.setattr(collect.time, "sleep", lambda seconds: sleep(0.002))
    status = main(["collect", "--config", "gateway.toml", "--seconds", "4000"])
    asking.join(240)
    out, err = capsys.readouterr()
    hidden(out + err)
    assert status == 0 and told[0].returncode == 0, told[0].stderr
    steps = [json.loads(line)["order"] for line in told[0].stdout.splitlines()]
    assert steps[-1]["step"] == "done"
    assert steps[-1]["result"]["uplink link management"]["sub_mode"] == "UL-B4"
    assert steps[-1]["result"]["link status"]["reduction"] == 0 and steps[-1]["result"]["authenticated"]
    sent = [one for one in steps if one["step"] == "sent"]
    assert sent[0]["detail"] == "MCMD" and 0 < sent[0]["margin_us"] <= 500
    assert BEYOND in sent[0]["beyond_limits"] and BEYOND in steps[-1]["beyond_limits"]
    lines = [json.loads(line) for line in out.splitlines()]
    orders = [one["order"] for one in lines if "order" in one]
    done = [one["result"] for one in orders if one["step"] == "done"]
    assert [one.get("clock time") for one in done] == [5, None]
    # What the meter has said unasked: it is authentic, and nobody's order.
    said = [one for one in orders if one["step"] == "mac-status"]
    assert said[0]["number"] is None and said[0]["result"]["authenticated"] is True
    assert {"link status", "CMD-MMsgCounter"} <= set(said[0]["result"])
    for path in (here / "there").iterdir():
        if path.is_file() and path.name != key_store.FILE_NAME:
            hidden(path.read_bytes().decode("latin-1"))


@pytest.mark.parametrize("own, mode", [("lpwan", "UL-B4"), ("classic", "T1")])
def test_a_gateway_has_one_of_several_radios_and_the_others_only_hear(own, mode, here, capsys, monkeypatch):
    """The meter is played for the radio that sends; the other goes on hearing, under its own name."""
    radios = '[radio.classic]\nhat = "virtual"\nmode = "T1"\n[radio.lpwan]\nhat = "sx1262-virtual"\nmode = "UL-B4"\n'
    text = GATEWAY.format("x").replace('[radio.main]\nhat = "x"\nmode = "UL-B4"\n', radios)
    (here / "gateway.toml").write_text(text + 'radio = "{}"\n'.format(own))
    sleep, told = time.sleep, []

    def ask():
        end = time.monotonic() + 240
        while not (here / "there" / "command.sock").exists() and time.monotonic() < end:
            sleep(0.05)
        client = channel.Client(here / "there")
        client.ask({"do": "order", "meter": "garden", "words": ["read", "volume"]})
        for event in client.events():
            told.append(event)
            if event["step"] in ("done", "failed"):
                break
        os.kill(os.getpid(), signal.SIGINT)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    monkeypatch.setattr(collect.time, "sleep", lambda seconds: sleep(0.002))
    assert main(["collect", "--config", "gateway.toml", "--seconds", "4000"]) == 0
    asking.join(240)
    out, err = capsys.readouterr()
    hidden(out + err)
    assert told[-1]["step"] == "done" and told[-1]["result"]["records"][0]["quantity"] == "volume"
    readings = [one for one in map(json.loads, out.splitlines()) if "id" in one]
    assert {(one["radio"], one["mode"]) for one in readings} == {("classic", "T1"), ("lpwan", "UL-B4")}
    assert {(one["radio"], one["mode"]) for one in readings if one["name"] == "garden"} == {(own, mode)}
    other = "classic" if own == "lpwan" else "lpwan"
    assert "{}.sent=0".format(other) in err and "{}.sent=0".format(own) not in err
    # All of it is stored in one place: that of the radio that sends.
    stored = json.loads((here / "there" / "collector-{}.json".format(own)).read_text())
    assert "gateway" in stored and not (here / "there" / "collector-{}.json".format(other)).exists()


def test_a_gateway_manages_a_link(here, capsys, monkeypatch):
    """The played meter is near: the cheapest that UL-B4 has is enough, and it is still heard with it."""
    text = GATEWAY.format("sx1262-virtual")
    (here / "gateway.toml").write_text(text.replace("[gateway]", "manage_link = true\n[gateway]"))
    monkeypatch.setattr(collect.time, "sleep", lambda seconds: None)
    assert main(["collect", "--config", "gateway.toml", "--seconds", "240"]) == 0
    out, err = capsys.readouterr()
    hidden(out + err)
    lines = [json.loads(line) for line in out.splitlines()]
    orders = [one["order"] for one in lines if "order" in one]
    assert {one["number"] for one in orders} == {None} and {one["name"] for one in orders} == {"garden"}
    asked, moved = [one["result"] for one in orders if one["step"] == "done"]
    assert asked["uplink link management"]["coding"] == "1/2"
    now = moved["uplink link management"]
    assert (now["sub_mode"], now["coding"], now["reduction"], now["temporary"]) == ("UL-B4", "7/8", 3, 0)
    at = [index for index, one in enumerate(lines) if one.get("order", {}).get("result") == moved]
    assert [one for one in lines[at[0] :] if one.get("name") == "garden"]


def test_the_help_names_the_orders_of_the_mac(capsys):
    with pytest.raises(SystemExit):
        main(["command", "--help"])
    text = capsys.readouterr().out
    for word in ("mac-read", "mac-link", "mac-clock", "mac-session", "mac-resume", "mac-fallback"):
        assert word in text


@pytest.mark.parametrize("role", ["meter", "collector"])
def test_both_keys_go_along_onto_another_machine(role, here):
    file = here / {"meter": "meter.toml", "collector": "gateway.toml"}[role]
    files, credentials, _ = settings.of_file(file, role)
    assert credentials == {"own", "mac"}
    assert [files["keys/" + name][0].strip().upper() for name in ("own", "mac")] == [KEY, MAC_KEY]
    text = files[role + ".toml"][0]
    assert 'key = "@own"' in text and 'mac_key = "@mac"' in text
