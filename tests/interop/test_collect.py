"""The whole `omsnode collect` as a user starts it, in a process of its own on the emulated devices."""

import json
import subprocess
import sys

import pytest
from interop.seam import Bench, needs
from omsnode.board import hats
from omsnode.board.virtual import Transmission, World, unpack
from omsnode.firmware.phy import framing, modes

LINES = {"gdo0": hats.find("cc1101-spi0").gdo0, "gdo2": hats.find("cc1101-spi0").gdo2}

# OMS Vol.2 Annex N.2.1, as printed there: gas meter, security profile A. Volume 28504.27 m3.
FRAME = bytes.fromhex(
    "2E44931578563412330333637A2A0020255923C95AAA26D1B2E7493BC2AD013EC4A6F6D3529B520EDFF0EA6DEFC955B29D6D69EBF3EC8A"
)
KEY = "0102030405060708090A0B0C0D0E0F11"
CONFIG = """
[radio.main]
hat = "cc1101-spi0"
[[meter]]
name = "gas"
id = "12345678"
key = "@gas.key"
"""


@pytest.fixture
def bench(require):
    with Bench(needs(require, "spidev", "gpiod")) as bench:
        yield bench


def collect(bench, *arguments):
    command = [sys.executable, "-m", "omsnode.tools.cli", "collect", *arguments]
    return subprocess.run(
        command, env=bench.environment(), cwd=bench.root, capture_output=True, text=True, timeout=120
    )


def test_no_spi(bench):
    done = collect(bench, "--hat", "cc1101-spi0", "--seconds", "1")
    assert done.returncode == 1
    assert "there is no /dev/spidev0.0" in done.stderr and "raspi-config" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stuck", [0x00, 0xFF])
def test_nothing_answers(bench, stuck):
    bench.add_spidev(0, 0, lambda tx: bytes([stuck]) * len(tx))
    bench.add_gpiochip(0)
    done = collect(bench, "--hat", "cc1101-spi0", "--seconds", "1")
    assert done.returncode == 1
    assert "0x{:02X}".format(stuck) in done.stderr
    assert "MISO" in done.stderr
    assert "Traceback" not in done.stderr


def on_air(world, at_us, mode, frame, frame_format="A"):
    row = modes.find(mode)
    chips = unpack(framing.chips(row, frame, frame_format))
    world.air.transmit(
        Transmission(at_us * 1000, chips, row.chip_rate_cps, row.frequency_hz, row.deviation_hz)
    )


def test_telegrams_become_readings(bench):
    """Both modes of the default T+C, the second copy of a telegram and a damaged one, on virtual time."""
    world = World(seed=1)
    board = world.add_board()
    bench.add_board(board, LINES)
    on_air(world, 1_000_000, "T1", FRAME)
    on_air(world, 3_000_000, "T1", FRAME)
    on_air(world, 5_000_000, "T1", FRAME[:20] + b"\0" + FRAME[21:])
    on_air(world, 7_000_000, "C1", FRAME)
    (bench.root / "gas.key").write_text(KEY + "\n")
    (bench.root / "collect.toml").write_text(CONFIG)
    done = collect(bench, "--config", "collect.toml", "--seconds", "10")
    assert done.returncode == 0, done.stderr
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(readings) == 1, done.stdout
    reading = readings[0]
    assert reading["security"]["verdict"] == "decrypted"
    assert reading["name"] == "gas" and reading["mode"] == "T1"
    assert reading["records"][0]["quantity"] == "volume" and reading["records"][0]["value"] == 28504.27
    assert KEY.lower() not in (done.stdout + done.stderr).lower()
    assert board.now_us() >= 10_000_000


def test_device_vanishes(bench):
    world = World()
    spi, _, _ = bench.add_board(world.add_board(), LINES)
    world.at(2_000_000, lambda: setattr(spi, "fail", lambda: 19))
    done = collect(bench, "--hat", "cc1101-spi0", "--seconds", "10")
    assert done.returncode == 1
    assert "SPI transfer failed" in done.stderr and "Traceback" not in done.stderr
