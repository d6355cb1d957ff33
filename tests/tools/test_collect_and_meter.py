"""`omsnode collect` and `omsnode meter` on the virtual board, their configuration, and that no key ever shows."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import DutyCycleError, StoreError
from omsnode.firmware.host import config
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import REFUSED
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.tools.cli import _dialogue, main, meter, scene, station

KEY = "DEADBEEF0102030405060708090A0B0C"
OMSNODE = [sys.executable, "-m", "omsnode.tools.cli"]

METER = """\
[node]
role = "meter"
state_dir = "state"
[radio.main]
hat = "virtual"
[[meter]]
name = "kitchen_water"
id = "12345678.M=KAM.V=1b.T=16"
key = "@kitchen.key"
mode = "T1"
interval_s = 2
[[meter.record]]
quantity = "volume"
unit = "m3"
value = 6.408
growth_per_hour = 1.8
"""

COLLECTOR = """\
[radio.main]
hat = "virtual"
[[meter]]
name = "my_water"
id = "12345678"
key = "@kitchen.key"
"""


@pytest.fixture
def here(tmp_path):
    (tmp_path / "kitchen.key").write_text(KEY + "\n")
    (tmp_path / "meter.toml").write_text(METER)
    (tmp_path / "collector.toml").write_text(COLLECTOR)
    return tmp_path


def omsnode(here, *arguments):
    done = subprocess.run([*OMSNODE, *arguments], cwd=here, capture_output=True, text=True, timeout=240)
    for stream in (done.stdout, done.stderr):
        assert KEY.lower() not in re.sub(r"[^0-9a-z]", "", stream.lower())
        assert "Traceback" not in stream, stream
    return done


def test_meter_prints_what_it_sends_and_decode_reads_it(here):
    done = omsnode(here, "meter", "meter.toml", "--count", "3", "-v")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [(line[1], line[2][:20]) for line in lines] == [("T1", "1E442D2C785634121B16")] * 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0][0])
    assert "sent=3" in done.stderr
    (here / "sent.txt").write_text("".join(line[2] + "\n" for line in lines))
    (here / "keys").write_text("12345678 " + KEY + "\n")
    read = omsnode(here, "decode", "--keys", "keys", "sent.txt")
    readings = [json.loads(line) for line in read.stdout.splitlines()]
    assert [one["records"][0]["value"] for one in readings] == [6.408, 6.409, 6.410]


def test_a_restart_of_the_meter_continues(here):
    def numbers():
        lines = omsnode(here, "meter", "meter.toml", "--count", "3").stdout.splitlines()
        return [int(line.split()[2][22:24], 16) for line in lines]

    first, second = numbers(), numbers()
    start = first[0]
    assert first + second == [(start + i) % 256 for i in range(6)]
    (state,) = (here / "state").glob("*.json")
    assert json.loads(state.read_text())["access_number"] == second[-1]
    state.write_text("{broken")
    done = omsnode(here, "meter", "meter.toml", "--count", "1")
    assert done.returncode == 0 and "damaged" in done.stderr and "continuing from its copy" in done.stderr
    assert state.with_suffix(".damaged").read_text() == "{broken"
    for one in (state, state.with_suffix(".copy")):
        one.write_text("{broken")
    done = omsnode(here, "meter", "meter.toml", "--count", "1")
    assert done.returncode == 0 and "starting afresh" in done.stderr


def test_collect_hears_the_virtual_meters(here):
    done = omsnode(here, "collect", "--hat", "virtual", "--seconds", "4")
    assert done.returncode == 0, done.stderr
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["name"] for one in readings} >= {"kitchen_water", "house_electricity", "cellar_gas"}
    assert "frames=" in done.stderr


def test_collect_with_a_configuration_names_its_own_meters(here):
    done = omsnode(here, "collect", "--config", "collector.toml", "--seconds", "4", "-v")
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    mine = [one for one in readings if one["id"] == "12345678"]
    assert mine and mine[0]["name"] == "my_water" and mine[0]["security"]["verdict"] == "wrong_key_or_altered"
    assert [one for one in readings if one["name"] is None]  # strangers are reported too
    assert "my_water" in done.stderr


def test_collect_prints_rtlwmbus_lines(here):
    done = omsnode(here, "collect", "--hat", "virtual", "--format", "rtlwmbus", "--seconds", "3")
    for line in done.stdout.splitlines():
        # ecosystem habits: MODE;CRC_OK;3OUTOF6OK;time with a blank;RSSI;CUR_RSSI;ID;0xHEX
        assert re.fullmatch(
            r"[TC]1;1;1;\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3};-\d{1,3};;;0x[0-9a-f]+", line, re.ASCII
        )
    assert done.stdout.endswith("\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_with_counters(here, number):
    process = subprocess.Popen(
        [*OMSNODE, "collect", "--hat", "virtual"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=here,
    )
    assert json.loads(process.stdout.readline())
    process.send_signal(number)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0
    assert "role: delivered=" in errors and "Traceback" not in errors


def test_a_reader_that_goes_away_is_no_error(here):
    start = time.monotonic()
    done = subprocess.run(
        "{} demo --json | head -n 1".format(" ".join(OMSNODE)),
        shell=True,
        capture_output=True,
        text=True,
        cwd=here,
    )
    assert json.loads(done.stdout) and "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert time.monotonic() - start < 120  # some seconds, if the machine has nothing else to do


@pytest.mark.parametrize(
    "arguments, says, hint",
    [
        (("collect",), "no radio module is named", "--hat virtual"),
        (("collect", "--config", "nameless.toml"), "no radio module is named", "--hat virtual"),
        (("collect", "--hat", "virtual", "--seconds", "nan"), "--seconds nan", "leave it out"),
        (("collect", "--hat", "virtual", "--seconds", "inf"), "--seconds inf", "leave it out"),
        (("collect", "--hat", "virtual", "--seconds=-1"), "--seconds -1", "leave it out"),
        (("collect", "--hat", "cc1102"), "no HAT cc1102", "cc1101-spi0"),
        (("collect", "--config", "none.toml"), "none.toml: No such file", "--config"),
        (("collect", "--config", "meter.toml"), "meter.toml:2: role is 'meter'", ""),
        (("collect", "--config", "broken.toml"), "broken.toml:5: unknown key 'nam'", "did you mean 'name'?"),
        (("collect", "--config", "literal.toml"), "literal.toml:6: the key itself", "put the 32 digits"),
        (("meter", "collector.toml"), "collector.toml", ""),
        (("meter", "none.toml"), "none.toml: No such file", "give the path of a TOML file\n"),
        (("meter", "swapped.toml"), "swapped.toml:9: key file", "32 hex digits"),
    ],
)
def test_misuse_is_told_with_a_hint_and_status_2(here, arguments, says, hint):
    (here / "broken.toml").write_text(COLLECTOR.replace("name", "nam").replace("[radio", "\n[radio"))
    (here / "nameless.toml").write_text('[radio.main]\nmode = "T+C"\n')
    (here / "literal.toml").write_text(COLLECTOR.replace("@kitchen.key", KEY))
    (here / "swapped.toml").write_text(METER.replace("@kitchen.key", "@" + KEY[:8] + ".key"))
    done = omsnode(here, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("omsnode: ") and says in done.stderr
    assert hint in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "old, new",
    [
        ('"@kitchen.key"', '"@{}"'.format(KEY)),
        ('"@kitchen.key"', '"{}"'.format(" ".join(KEY[i : i + 2] for i in range(0, 32, 2)))),
        ('"12345678"', '"{}"'.format(KEY)),
        ('"virtual"', '"{}"'.format(KEY)),
        ("hat =", "{} =".format(KEY)),
        ("hat =", "mode = '{}'\nhat =".format(KEY)),
        ('"my_water"', '"{}'.format(KEY)),
        ('"my_water"', KEY),
    ],
)
def test_a_key_in_the_wrong_place_is_not_repeated(here, old, new):
    (here / "collector.toml").write_text(COLLECTOR.replace(old, new))
    done = omsnode(here, "collect", "--config", "collector.toml", "--seconds", "0.1", "-v")
    assert done.returncode == 2
    assert KEY[:12] not in done.stderr.replace(" ", "")


def test_no_radio_is_told_with_a_hint(here, require):
    import pathlib

    if pathlib.Path("/dev/spidev0.0").exists():
        pytest.skip("this machine has an SPI device")
    done = omsnode(here, "collect", "--hat", "cc1101-spi0")
    assert done.returncode == 1
    assert "omsnode: " in done.stderr and "\n  " in done.stderr


@pytest.mark.parametrize("command, line", [("meter", "[[meter.record]]"), ("collect", "[[meter]]")])
def test_the_example_of_the_help_is_a_good_configuration(here, command, line):
    text = omsnode(here, command, "--help").stdout
    example = text[text.index("\n\n", text.index("example of")) :]
    assert line in example
    (here / "example.toml").write_text(example)
    arguments = (
        ["example.toml", "--count", "1"]
        if command == "meter"
        else ["--config", "example.toml", "--seconds", "1"]
    )
    done = omsnode(here, command, *arguments, "--hat", "virtual")
    assert done.returncode == 0 and done.stdout, done.stderr


def test_two_meters_of_one_address_do_not_send_at_the_same_time(here):
    """Each would use the other's access numbers again, and so its initialisation vectors."""
    first = subprocess.Popen(
        [*OMSNODE, "meter", "meter.toml"], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout.readline()
        second = omsnode(here, "meter", "meter.toml", "--count", "1")
        assert second.returncode == 1 and "in use by another process" in second.stderr
        assert second.stdout == ""
    finally:
        first.terminate()
        first.communicate(timeout=240)
    assert omsnode(here, "meter", "meter.toml", "--count", "1").returncode == 0


@pytest.mark.parametrize(
    "error, code, says",
    [
        (DutyCycleError("used up for 5 us", 5), "duty_cycle", "omsnode: refused: used up for 5 us\n"),
        (
            StoreError("cannot write", None, "free space?"),
            "persist",
            "refused: cannot write\n  free space?\n",
        ),
        (None, "radio", "omsnode: refused: radio\n"),
    ],
)
def test_a_refused_telegram_says_why(here, capsys, error, code, says):
    profile = config.load(here / "meter.toml", "meter").meters[0].profile
    meter.ShownMeter(profile, bytes(5), None).feed(radio.Event(REFUSED, 0, error=error, code=code), 0)
    assert says in capsys.readouterr().err


def test_a_state_directory_that_cannot_be_written_is_told_at_once(here):
    (here / "state").write_text("in the way")
    done = omsnode(here, "meter", "meter.toml", "--count", "1")
    assert done.returncode == 1 and done.stdout == ""
    assert "state" in done.stderr and "check free space and permissions of state_dir" in done.stderr


def test_what_was_authentic_before_a_restart_is_not_believed_again(here, capsys, monkeypatch):
    """`omsnode collect` on a radio: counters of profile B meters are read from the state directory, and stored there."""
    (here / "c.toml").write_text(
        '[node]\nstate_dir = "state"\n[radio.main]\nhat = "cc1101-spi0"\nmode = "T1"\n'
        '[[meter]]\nid = "12345678"\nname = "water"\nkey = "@kitchen.key"\nprofile = "B"\n'
    )
    config_file = str(here / "c.toml")
    key = config.load(config_file, "collector").meters[0].key
    address = Address.parse("12345678.M=KAM.V=1b.T=16")
    volume = Register(b"\x04", b"\x13", 6408)

    def heard(counter):
        """What a collector tells in three seconds in which a meter begins to send behind this counter."""
        world = World(seed=1)
        role = Meter(
            Profile(address, [volume], nominal_us=10**6, key=key, security_mode=7),
            bytes(5),
            {"message_counter": counter},
        )
        board = world.add_board(name="meter")
        sender = Node(board, Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"]), role)
        own = world.add_board(name="collector")

        @contextlib.contextmanager
        def virtual(hat):
            yield own, Cc1101(own.spi, own.pins["gdo0"], own.pins["gdo2"])

        def run(node, work):
            world.run([sender, node], 3_000_000)
            node.stop()
            return 0

        monkeypatch.setattr(station, "open", virtual)
        monkeypatch.setattr(station, "until_interrupted", run)
        assert main(["collect", "--config", config_file, "--mode", "T1"]) == 0
        return [json.loads(line)["security"]["verdict"] for line in capsys.readouterr().out.splitlines()]

    assert heard(100) == ["authenticated"] * 3
    assert heard(50) == ["replayed"] * 3
    assert heard(103) == ["authenticated"] * 3


@pytest.mark.parametrize("mode, profile", [(7, "B"), (10, "D")])
def test_a_meter_of_profile_b_or_d(here, mode, profile):
    text = (here / "meter.toml").read_text()
    (here / "meter.toml").write_text(
        text.replace("[[meter]]\n", "[[meter]]\nsecurity_mode = {}\n".format(mode))
    )
    (here / "keys").write_text("12345678 " + KEY + "\n")

    def counters(*more):
        done = omsnode(here, "meter", "meter.toml", "--count", "2", *more)
        assert done.returncode == 0, done.stderr
        (here / "sent.txt").write_text("".join(line.split()[2] + "\n" for line in done.stdout.splitlines()))
        read = omsnode(here, "decode", "--keys", "keys", "sent.txt")
        readings = [json.loads(line) for line in read.stdout.splitlines()]
        told = {(one["security"]["profile"], one["security"]["verdict"]) for one in readings}
        assert told == {(profile, "authenticated")}
        at = {"B": 15, "D": 17}[profile]
        raw = [bytes.fromhex(line.split()[2]) for line in done.stdout.splitlines()]
        return [int.from_bytes(one[at : at + 4], "little") for one in raw], done.stderr

    assert counters()[0] == [1, 2]
    numbers, says = counters("-v")
    assert numbers == [3, 4] and "security mode {}".format(mode) in says
    state = next((here / "state").glob("*.json"))
    assert json.loads(state.read_text())["message_counter"] == 4
    # One damaged file is no harm, two are: it does not begin at 1 again.
    state.write_text("")
    assert counters()[0] == [5, 6]
    for one in (state, state.with_suffix(".copy")):
        one.write_text("")
    for _ in range(2):
        done = omsnode(here, "meter", "meter.toml", "--count", "1")
        assert done.returncode == 1 and done.stdout == ""
        assert "must not begin again" in done.stderr and "message_counter" in done.stderr
    state.write_text('{"message_counter": 1000}')  # what the hint says
    assert counters()[0] == [1001, 1002]


def test_a_used_up_counter_is_told_once(here, capsys):
    text = (here / "meter.toml").read_text().replace("[[meter]]\n", "[[meter]]\nsecurity_mode = 7\n")
    (here / "meter.toml").write_text(text)
    profile = config.load(here / "meter.toml", "meter").meters[0].profile
    role = meter.ShownMeter(profile, bytes(5), {"message_counter": 0xFFFFFFFE})
    role.files = "state/meter.*"
    role.start(0)
    assert [bool(role.tick(role.due_us)) for _ in range(4)] == [True, False, False, False]
    told = capsys.readouterr().err
    assert told.count("used up") == 1 and "a new key, and delete state/meter.*" in told


TWO_WAY = METER.replace('mode = "T1"', 'mode = "T2"').replace("interval_s = 2", "interval_s = 7")


def test_what_a_meter_hears_and_answers_is_printed(capsys, monkeypatch):
    """The roles of the demo's second act, where the meter is the one of the command line."""
    monkeypatch.setattr(_dialogue, "WindowMeter", meter.ShownWindowMeter)
    assert _dialogue.play(1795359600000000, lambda *event: None, scene.made_up_key)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert all(re.fullmatch(r"2026-11-22T15:\d\d:\d\d\.\d{3}Z", line[0]) for line in lines)
    heard = [line for line in lines if line[1] == "heard"]
    assert [line[2] for line in heard] == ["SND-UD2"] * 4
    answers = [line for line in lines if line[3:4] == ["RSP-UD"]]
    assert len(answers) >= 4 and {(line[1], line[4], line[6]) for line in answers} == {("T2", "margin", "us")}
    # Each answer is from the meter, to whom has asked.
    assert all(line[2][4:20] == "AE3D170089540107" for line in answers)
    assert all(line[3][4:20] == "AE3D214365870131" for line in heard)


def test_a_bidirectional_meter_on_the_virtual_board(here):
    (here / "meter.toml").write_text(TWO_WAY)
    done = omsnode(here, "meter", "meter.toml", "--count", "3", "--install", "-v")
    assert done.returncode == 0, done.stderr
    c_fields = [line.split()[2][2:4] for line in done.stdout.splitlines()]
    assert "46" in c_fields and "44" in c_fields  # SND-IR, SND-NR
    again = omsnode(here, "meter", "meter.toml", "--count", "2")
    assert (
        again.returncode == 0 and [line.split()[2][2:4] for line in again.stdout.splitlines()] == ["44"] * 2
    )


def test_the_button_is_for_meters_that_listen(here):
    done = omsnode(here, "meter", "meter.toml", "--count", "1", "--install")
    assert done.returncode == 2 and "bidirectional" in done.stderr and "T2" in done.stderr


def test_the_button_of_a_running_meter_is_a_signal(here):
    (here / "meter.toml").write_text(TWO_WAY)
    process = subprocess.Popen([*OMSNODE, "meter", "meter.toml"], cwd=here, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGUSR1)
    while process.stdout.readline().split()[2][2:4] != "46":
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=240) == 0
    process.stdout.close()


def test_new_values_that_come_too_seldom_are_a_warning(here):
    (here / "meter.toml").write_text(
        METER.replace("T=16", "T=02").replace("interval_s = 2", "interval_s = 500")
    )
    done = omsnode(here, "meter", "meter.toml", "--count", "1")
    assert (
        done.returncode == 0
        and "meter.toml: new values every 500 s, OMS wants them every 450 s" in done.stderr
    )
