"""What `board.linux` says when something is missing: message and hint for a person, never a bare OSError."""

import errno
import subprocess
import sys

import pytest
from interop.seam import Bench, Device, needs
from interop.test_seam import LINES, RegisterBoard

OPEN = """
from collections import namedtuple
import sys
from omsnode.board import linux
from omsnode.firmware.errors import OmsError
Hat = namedtuple("Hat", "spi_bus spi_dev spi_hz gdo0 gdo2")
hat = Hat(0, 0, 4000000, 24, 25)
def attempt(*args, **kwargs):
    try:
        with linux.open_board(hat, *args, **kwargs):
            print("opened")
    except OmsError as error:
        print(error.code, "|", error, "|", error.hint)
"""


@pytest.fixture
def bench(require):
    with Bench(needs(require, "spidev", "gpiod")) as bench:
        yield bench


def run(bench, code="attempt()", **environment):
    done = subprocess.run(
        [sys.executable, "-c", OPEN + code],
        env=bench.environment(**environment),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_spi_not_enabled(bench):
    out = run(bench)
    assert "there is no /dev/spidev0.0" in out
    assert "raspi-config" in out and "dtparam=spi=on" in out


@pytest.mark.parametrize("path", ["/dev/spidev0.0", "/dev/gpiochip0"])
def test_no_permission(bench, path):
    spi, chip, _ = bench.add_board(RegisterBoard(), LINES)
    (spi if "spi" in path else chip).refuse = errno.EACCES
    out = run(bench)
    assert "no permission for " + path in out
    assert "usermod -aG spi,gpio" in out


def test_no_header(bench):
    bench.add_spidev(0, 0, bytes)
    assert "no gpiochip" in run(bench)


def test_other_program_has_the_radio(bench):
    bench.add_board(RegisterBoard(), LINES)
    out = run(bench, "with linux.open_board(hat):\n    attempt()\nattempt()")
    assert out.splitlines()[0].startswith("radio | /dev/spidev0.0 is in use | stop the other program")
    assert out.splitlines()[1] == "opened"


def test_other_program_has_the_line(bench):
    bench.add_board(RegisterBoard(), LINES)
    code = "import gpiod\nwith gpiod.request_lines('/dev/gpiochip0', config={25: None}):\n    attempt()\n"
    out = run(bench, code + "attempt()")
    assert "GPIO [24, 25] of /dev/gpiochip0" in out.splitlines()[0] and "stop the other program" in out
    assert out.splitlines()[1] == "opened"


@pytest.mark.parametrize("module", ["spidev", "gpiod"])
def test_library_missing(bench, module):
    bench.add_board(RegisterBoard(), LINES)
    out = run(bench, "sys.modules[{!r}] = sys.modules['RPi'] = None\nattempt()".format(module))
    assert "library " + module in out
    assert "pip install --editable '.[pi]'" in out


def test_old_gpiod_is_not_taken_for_the_new(bench):
    bench.add_board(RegisterBoard(), LINES)
    out = run(bench, "import types\nsys.modules['gpiod'] = types.ModuleType('gpiod')\nattempt('gpiod')")
    assert "library gpiod" in out


@pytest.mark.parametrize(
    ("label", "found"), [("pinctrl-rp1", True), ("pinctrl-bcm2835", True), ("gpio-brcmstb", True)]
)
def test_header_is_found_by_label_or_line_name(bench, label, found):
    board = RegisterBoard()
    bench.add_gpiochip(4, label=label, sample=lambda line: board.pins["gdo0"].read() if line == 24 else None)
    bench.add_spidev(0, 0, lambda tx: bytes(len(tx)))
    assert run(bench) == "opened\n"


def test_unplugged_while_running(bench):
    spi, _, _ = bench.add_board(RegisterBoard(), LINES)
    spi.fail = lambda: errno.EIO
    code = (
        "with linux.open_board(hat) as board:\n"
        "    try: board.spi.transfer(b'\\0', bytearray(1))\n"
        "    except OmsError as error: print(error)\n"
    )
    assert "SPI transfer failed" in run(bench, code)


def test_device_that_is_no_spi(bench):
    bench.add_device("/dev/spidev0.0", Device())
    assert "/dev/spidev0.0" in run(bench)


@pytest.mark.parametrize("backend", ["gpiod", "RPi.GPIO"])
def test_several_boards_wait_for_an_exact_instant(bench, require, backend):
    """With the last two milliseconds of it polled, on the clock of the bench."""
    needs(require, "RPi")
    bench.add_board(RegisterBoard(), LINES)
    code = (
        "with linux.open_board(hat, {!r}) as board:\n"
        "    joined = linux.Joined([board])\n"
        "    for ahead_us in (300, 8000):\n"
        "        until_us = board.now_us() + ahead_us\n"
        "        several = joined.wait(until_us, True)\n"
        "        print(several, 0 <= board.now_us() - until_us <= 30)\n"
    )
    out = run(bench, code.format(backend), RPI_LGPIO_REVISION="c03114", LG_WD=str(bench.root))
    assert out == "([([], 0)], 0) True\n" * 2
