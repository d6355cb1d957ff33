"""The command as a process in odd surroundings: no standard streams, a full disk, another encoding, a key in a wrong place."""

import os
import pathlib
import subprocess
import sys

import pytest
from omsnode.tools.cli import output

KEY = "0102030405060708090A0B0C0D0E0F11"
TELEGRAM = "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"


def omsnode(*arguments, **more):
    command = [sys.executable, "-m", "omsnode.tools.cli", *arguments]
    return subprocess.run(command, capture_output=True, timeout=240, **more)


@pytest.mark.parametrize(
    "arguments",
    [
        ("collect", "--hat", KEY),
        ("collect", "--config", KEY),
        ("collect", "--config", KEY.lower() + "/x.toml"),
        ("meter", KEY),
        ("iq", "--mode", "T", "--out", KEY + "/x.cu8"),
        ("decode", "--keys", KEY + "/keys"),
    ],
)
def test_a_key_in_the_place_of_a_name_is_not_repeated(arguments, tmp_path):
    done = omsnode(*arguments, input=TELEGRAM.encode(), cwd=tmp_path)
    assert done.returncode == 2
    said = (done.stdout + done.stderr).decode()
    assert said.startswith("omsnode: ") and "Traceback" not in said
    assert KEY[:12].lower() not in said.lower()


@pytest.mark.parametrize("command", [("decode", "--key", KEY), ("demo",)])
def test_a_full_disk_is_told_in_one_line(command, require):
    require(os.path.exists("/dev/full"), "no /dev/full on this system")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "omsnode.tools.cli", *command],
            input=TELEGRAM.encode(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=240,
        )
    said = done.stderr.decode()
    assert done.returncode == 1
    assert said == "omsnode: No space left on device\n"


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_without_standard_streams(streams):
    line = '"{}" -m omsnode.tools.cli decode --key {} {}'.format(sys.executable, KEY, streams)
    done = subprocess.run(["sh", "-c", line], input=TELEGRAM.encode(), capture_output=True, timeout=240)
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.parametrize(
    "arguments", [("demo",), ("collect", "--hat", "virtual", "--seconds", "8", "--format", "table")]
)
def test_output_is_utf_8_whatever_the_locale_says(arguments):
    done = omsnode(*arguments, env=dict(os.environ, PYTHONIOENCODING="ascii"))
    assert done.returncode == 0, done.stderr
    assert "flow temperature 61.5 °C" in done.stdout.decode("utf-8")


class Terminal:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def readings():
    from omsnode.tools.cli import scene

    found = []
    scene.Scene(found.append).run(8)
    return found


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_a_narrow_terminal_never_cuts_a_number(columns, monkeypatch):
    """A value that ends at the edge of the screen reads as another value."""
    monkeypatch.setattr(output.shutil, "get_terminal_size", lambda: os.terminal_size((columns, 24)))
    terminal = Terminal()
    table = output.LiveTable(terminal)
    for reading in readings():
        table.deliver(reading)
    table.draw("footer")
    lines = terminal.text.replace("\x1b[2K", "").replace("\x1b[J", "").split("\n")
    assert max(len(line) for line in lines) < columns
    shown = " ".join(line.strip() for line in lines)
    for value in ("volume 6.408 m3", "volume flow 0.127 m3/h", "return temperature 41.2 °C", "power 2300 W"):
        assert value in shown


def test_a_shorter_table_leaves_nothing_of_the_longer_one():
    terminal = Terminal()
    table = output.LiveTable(terminal)
    for reading in readings():
        table.deliver(reading)
    table.draw("footer")
    table.rows.clear()
    terminal.text = ""
    table.draw("footer")
    assert terminal.text.endswith("\x1b[J")


def test_records_in_one_line_can_be_told_apart():
    electricity = [one for one in readings() if one.name == "house_electricity"][0]
    assert output.values(electricity).split("; ")[1].startswith("energy, backward ")


def test_readings_left_out_for_want_of_a_clock_are_told_once(capsys):
    found = readings()
    deliver = output.printer("rtlwmbus")
    for reading in found:
        reading.wall_us = None
        deliver(reading)
    done = capsys.readouterr()
    assert done.out == "" and done.err.count("the clock of this machine is not set") == 1


def test_the_hint_of_a_missing_library_works_in_a_clone():
    from omsnode.board import linux

    readme = pathlib.Path(__file__).resolve().parents[2] / "README.md"
    command = linux.PI_LIBRARIES.rpartition(": ")[2]
    assert command in readme.read_text()
