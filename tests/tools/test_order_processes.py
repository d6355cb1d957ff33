"""`omsnode command` in one process and `omsnode collect` in another, on the virtual board at the speed of real time."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from support_leaks import Watch

KEY = "8C1F62D09B3AE4577D05A9F1C26E83B4"
VALVE_KEY = "5A0C96E37FB12D488E6631F0A4D97B2C"
OMSNODE = [sys.executable, "-m", "omsnode.tools.cli"]
GATEWAY = '[gateway]\nid = "87654321.M=OMS.V=01.T=31"\n'
COLLECTOR = """\
[node]
state_dir = "state"
[radio.main]
hat = "virtual"
[[meter]]
name = "garden"
id = "54890017.M=OMN.V=01.T=07"
key = "@garden"
profile = "B"
commands = true
"""


def furnished(path):
    (path / "state").mkdir()
    store = path / "state" / "key_store"
    store.write_text(
        "54890017 {} key_id=0 name=garden\n54890017 {} key_id=0x20\n".format(KEY, VALVE_KEY), encoding="utf-8"
    )
    store.chmod(0o600)
    (path / "collector.toml").write_text(COLLECTOR + GATEWAY)
    return path


@pytest.fixture
def here(tmp_path):
    return furnished(tmp_path)


class Collect:
    """A running collector. out: file with what it prints."""

    def __init__(self, here, *more):
        self.here = here
        self.out = here / "out.txt"
        self.err = here / "err.txt"
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            command = [*OMSNODE, "collect", "--config", "collector.toml", "--seconds", "3000", *more]
            self.process = subprocess.Popen(command, cwd=here, stdout=out, stderr=err)
        # A left socket takes nobody until it is a new one.
        self.wait(lambda: connects(here / "state"))

    def wait(self, until):
        end = time.monotonic() + 240
        while not until():
            assert self.process.poll() is None and time.monotonic() < end, self.err.read_text()
            time.sleep(0.05)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=240)

    def lines(self):
        return [json.loads(line) for line in self.out.read_text().splitlines(True) if line.endswith("\n")]

    def readings(self):
        return sum("id" in line for line in self.lines())


def connects(directory):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        try:
            one.connect(os.path.relpath(directory / "command.sock"))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def collecting(here, *more):
    one = Collect(here, *more)
    try:
        yield one
    finally:
        one.end()
        hidden(one.out.read_text() + one.err.read_text())
        assert "Traceback" not in one.err.read_text()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A collector for all the tests that do it no harm."""
    here = furnished(tmp_path_factory.mktemp("running"))
    with collecting(here) as one:
        yield one


def hidden(text):
    assert not Watch((bytes.fromhex(KEY), bytes.fromhex(VALVE_KEY))).found_in(text)


def command(here, *words, timeout=240):
    done = subprocess.run(
        [*OMSNODE, "command", "--config", "collector.toml", *words],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    hidden(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def steps(done):
    return [json.loads(line)["order"] for line in done.stdout.splitlines()]


def raw(here):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(240)
    one.connect(os.path.relpath(here / "state" / "command.sock"))
    return one


def test_a_record_is_read_step_by_step(running):
    done = command(running.here, "garden", "read", "volume", "--format", "json")
    assert done.returncode == 0, done.stderr
    told = steps(done)
    # "retry" and again, where a frame met one of another meter
    happened = [one["step"] for one in told]
    assert happened[:3] == ["queued", "waiting", "sent"] and happened[-2:] == ["answered", "done"]
    assert len(happened) == 5 or "retry" in happened
    assert {(one["meter"], one["name"], tuple(one["words"])) for one in told} == {
        ("54890017.M=OMN.V=01.T=07", "garden", ("read", "volume"))
    }
    # T2: 2 to 3 ms, of which the trailer is left out; whatever was hit, its margin cannot be more than half of that
    assert told[2]["detail"] == "SND-UD2" and 0 < told[2]["margin_us"] <= 500
    (record,) = told[-1]["result"]["records"]
    assert record["quantity"] == "volume" and record["unit"] == "m3" and 54.321 <= record["value"] < 54.5
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told[-1]["timestamp"])
    # The collector tells it too, among the readings.
    running.wait(lambda: told[-1] in [line.get("order") for line in running.lines()])


def test_a_valve_moves_under_the_key_of_its_application_and_it_is_printed_for_people(running):
    done = command(running.here, "54890017", "--expires", "2h", "valve", "open")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"order \d+ for garden: valve open", lines[0])
    assert re.search(r"Z  queued +until 2\d{3}-\d\d-\d\dT", lines[1])
    # The key counter is asked for first; an answer that met the meter's own slot comes again.
    assert [line.split()[1] for line in lines[1:]].count("answered") >= 2
    assert re.search(r"sent +SND-UD2, margin \d+ us", done.stdout)
    assert re.search(r"Z  done +state: open; physical: open; confirmed: yes", lines[-1])


def test_what_fails_says_why(running):
    done = command(running.here, "garden", "write", "volume", "12.3")
    assert done.returncode == 1
    assert "failed" in done.stdout.splitlines()[-1] and "application error" in done.stdout.splitlines()[-1]


def test_no_wait_list_and_cancel(running):
    for _ in range(2):
        done = command(running.here, "garden", "status", "--no-wait")
        assert done.returncode == 0
    number = re.match(r"order (\d+) for", done.stdout)[1]
    assert command(running.here, "--cancel", number).returncode == 0
    listed = command(running.here, "--list").stdout
    assert re.search(r"cancelled +order {} for garden, status".format(number), listed)
    again = command(running.here, "--cancel", number)
    assert again.returncode == 2 and "no order of this number" in again.stderr


def test_wrong_words(running):
    for words, said in (
        (("garden", "dance"), "one of: "),
        (("garden", "read", "loudness"), "quantity"),
        (("garden", "clock-set"), "no key with KeyID 22"),
        (("12345678", "read"), "garden"),
        (("garden",), "omsnode command 12345678"),
        (("garden", "read", "--expires", "2w"), "30min"),
        (("garden", "write", "volume", KEY), "keys add"),
        (("--list", "--cancel", "3"), "alone"),
        (("garden", "read", "--what"), "--what"),
    ):
        done = command(running.here, *words)
        assert done.returncode == 2 and said in done.stderr, (words, done.stderr)
        assert done.stdout == ""


def test_clients_that_stall_do_not_hold_up_reception(running):
    """One that asks and never fetches, one that sends half a request, and a command that was stopped in the middle."""
    stalled, half = raw(running.here), raw(running.here)
    stalled.sendall(b'{"do": "list"}\n' * 2000)
    half.sendall(b'{"do": "li')
    stopped = subprocess.Popen(
        [*OMSNODE, "command", "--config", "collector.toml", "garden", "clock-read"],
        cwd=running.here,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stopped.stdout.readline().startswith("order ")
    stopped.send_signal(signal.SIGSTOP)
    before = running.readings()
    assert command(running.here, "garden", "status").returncode == 0
    running.wait(lambda: running.readings() >= before + 4)
    stopped.send_signal(signal.SIGCONT)
    out, _ = stopped.communicate(timeout=240)
    assert stopped.returncode == 0 and "done" in out.splitlines()[-1]
    stalled.close()
    half.close()


def test_a_full_queue_refuses_and_what_is_in_it_ends(running):
    one = raw(running.here)
    request = {"do": "order", "meter": "garden", "words": ["read"], "expires_s": 10}
    one.sendall((json.dumps(request) + "\n").encode() * 75)
    replies, refused, ended = 0, [], set()
    file = one.makefile("r")
    while replies + len(refused) < 75 or len(ended) < replies:
        line = json.loads(file.readline())
        replies += "reply" in line
        if "refused" in line:
            refused.append(line["refused"])
        event = line.get("order", {})
        if event.get("step") in ("expired", "done", "failed"):
            assert event["step"] == "done" or event["reason"]
            ended.add(event["number"])
    assert replies >= 64 and refused
    assert {(one["misuse"], "64 orders" in one["message"]) for one in refused} == {(True, True)}
    one.close()


def test_a_second_collector_in_one_place_is_refused(running):
    done = subprocess.run(
        [*OMSNODE, "collect", "--config", "collector.toml", "--seconds", "1"],
        cwd=running.here,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1 and "in use" in done.stderr and "one collector takes orders" in done.stderr
    assert command(running.here, "--list").returncode == 0


def test_nobody_is_there(here):
    for _ in range(2):
        done = command(here, "garden", "read")
        assert done.returncode == 3 and done.stdout == ""
        assert "no collector" in done.stderr and "omsnode collect --config" in done.stderr
        # A socket that somebody has left.
        if not (here / "state" / "command.sock").exists():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
                left.bind(os.path.relpath(here / "state" / "command.sock"))


def test_a_collector_that_is_killed_and_comes_back_goes_on_with_the_order(here):
    with collecting(here) as first:
        waiting = subprocess.Popen(
            [*OMSNODE, "command", "--config", "collector.toml", "garden", "read", "volume"],
            cwd=here,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while " queued" not in waiting.stdout.readline():
            pass
        first.end(signal.SIGKILL)
        _, said = waiting.communicate(timeout=240)
        assert waiting.returncode == 3 and "has gone" in said and "goes on" in said or "go on" in said
    assert command(here, "--list").returncode == 3
    first.out.rename(here / "first.txt")  # its last line may be half a one
    with collecting(here) as second:
        second.wait(lambda: [one for one in second.lines() if one.get("order", {}).get("step") == "done"])
        told = [one["order"] for one in second.lines() if "order" in one]
        # Again by the second one, before anything else that becomes of it.
        assert (told[0]["number"], told[0]["step"], told[0]["words"]) == (1, "queued", ["read", "volume"])
        assert [one["step"] for one in told].count("queued") == 1
        assert "waiting" in [one["step"] for one in told]
        (done,) = [one for one in told if one["step"] == "done"]
        assert done["words"] == ["read", "volume"] and done["result"]["records"][0]["quantity"] == "volume"
        assert re.search(r"done +order 1 for garden, read volume", command(here, "--list").stdout)
        # What was asked once is not asked twice, and numbers go on.
        number = command(here, "garden", "read", "--no-wait").stdout.split()[1]
        assert number == "2"


@pytest.mark.parametrize("form", ["table", "wmbusmeters", "homeassistant", "rtlwmbus"])
def test_lines_of_orders_in_the_other_formats(form, here):
    """Programs that read those formats are not given lines that they do not know."""
    with collecting(here, "--format", form) as one:
        assert command(here, "garden", "dance").returncode == 2
        assert command(here, "garden", "read", "--no-wait").returncode == 0
        place, other = (one.out, one.err) if form == "table" else (one.err, one.out)
        one.wait(lambda: "order 1 for garden, read" in place.read_text())
        assert "order 1" not in other.read_text()


def test_a_collector_that_is_no_gateway_takes_no_orders(here):
    (here / "collector.toml").write_text(COLLECTOR.replace("commands = true\n", ""))
    process = subprocess.Popen(
        [*OMSNODE, "collect", "--config", "collector.toml", "--seconds", "3"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    process.stdout.readline()
    assert command(here, "garden", "read").returncode == 3
    process.communicate(timeout=240)
    assert not (here / "state" / "command.sock").exists()
