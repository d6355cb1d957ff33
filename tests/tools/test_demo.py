"""`omsnode demo` as a user runs it: no arguments, nothing attached, ends by itself."""

import datetime
import json
import os
import pty
import re
import subprocess
import sys
import time

COMMAND = [sys.executable, "-m", "omsnode.tools.cli", "demo"]


def test_json_has_every_meter_mode_and_verdict():
    start = time.monotonic()
    done = subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 120  # some seconds, if the machine has nothing else to do
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    readings = [one for one in lines if "order" not in one]
    seen = {
        (one["name"], one["mode"], one["link"]["format"], one["type"], one["security"]["verdict"])
        for one in readings
    }
    assert seen == {
        ("kitchen_water", "T1", "A", "cold water", "decrypted"),
        ("flat_heat", "C1", "A", "heat", "authenticated"),
        ("house_electricity", "C1", "B", "electricity", "plain"),
        ("cellar_gas", "T1", "A", "gas", "wrong_key_or_altered"),
    }
    assert len(readings) >= 12
    for one in readings:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["timestamp"])
        assert -110 < one["rssi_dbm"] < 0 and one["radio"] == "main"
        if one["name"] == "cellar_gas":
            assert one["error"]["code"] == "wrong_key_or_altered" and one["records"] == []
        else:
            assert one["error"] is None and one["undecoded"] is None and len(one["records"]) >= 3
    water = [one["records"][0]["value"] for one in readings if one["name"] == "kitchen_water"]
    assert water == sorted(water) and 6.4 < water[0] < water[-1] < 6.5


def test_a_meter_is_asked_and_its_clock_is_set_in_windows_that_are_hit():
    done = subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, timeout=240)
    told = [json.loads(line)["order"] for line in done.stdout.splitlines() if '"order"' in line]
    assert [one["words"] for one in told if one["step"] == "done"] == [
        ["read", "volume"],
        ["clock-read"],
        ["clock-set"],
    ]
    read, clock, set_ = (one["result"] for one in told if one["step"] == "done")
    assert [(one["quantity"], one["value"], one["unit"]) for one in read["records"]] == [
        ("volume", 54.321, "m3")
    ]
    # It is 83 s slow, and a clock of type F tells minutes.
    ours = clock["ours_ms"] // 60000
    meant = datetime.datetime.fromisoformat(clock["time"] + "+00:00").timestamp() // 60
    assert 1 <= ours - meant <= 2
    assert set_["time"][:16] == told[-1]["timestamp"][:16]
    sent = [one for one in told if one["step"] == "sent"]
    # T2: 2 to 3 ms behind the end, less the trailer; the key counter is asked for before the clock is set.
    assert len(sent) == 4 and all(0 < one["margin_us"] <= 500 for one in sent)


def test_plain_lines_where_there_is_no_terminal():
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["time", "mode", "level", "meter", "security", "values"]
    assert [line for line in lines if "kitchen_water" in line and "volume 6.4" in line]
    assert "cellar_gas is wrong on purpose" in done.stderr
    act = lines[lines.index("A gateway asks the meter garden_water, in mode T2:") :]
    assert re.search(r"sent +order 1 for garden_water, read volume: SND-UD2, margin \d+ us", "\n".join(act))
    assert re.search(r"done +order 1 for garden_water, read volume: volume 54\.321 m3", "\n".join(act))


def test_a_live_table_on_a_terminal():
    start = time.monotonic()
    main, terminal = pty.openpty()
    environment = dict(os.environ, COLUMNS="80", LINES="24", TERM="xterm")
    process = subprocess.Popen(COMMAND, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    out = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:  # Linux: the other side has closed
            break
        if not data:
            break
        out += data
    os.close(main)
    assert process.wait(timeout=240) == 0
    assert time.monotonic() - start < 120  # some seconds, if the machine has nothing else to do
    text = out.decode()
    last = re.split(r"\x1b\[\d+A", text)[-1]
    lines = [line.rstrip("\r") for line in last.replace("\x1b[2K", "").split("\n")]
    for word in (
        "kitchen_water",
        "flat_heat",
        "house_electricity",
        "cellar_gas",
        "cold water",
        "C1 B",
        "dBm",
    ):
        assert word in last
    assert "volume 6.4" in last and "wrong_key_or_altered" in last
    table = lines[: lines.index("")]
    assert max(len(line) for line in table) < 80
