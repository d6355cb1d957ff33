"""`omsnode collect` and `omsnode meter` as a user starts them on a Pi: processes of their own on emulated devices."""

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


METER = """
[node]
role = "meter"
state_dir = "state"
[[meter]]
name = "kitchen"
id = "87654321.M=KAM.V=1b.T=16"
key = "@gas.key"
mode = "{mode}"
interval_s = 2
[[meter.record]]
quantity = "volume"
unit = "m3"
value = 6.408
growth_per_hour = 1.8
"""


def collect(bench, *arguments):
    return omsnode(bench, "collect", *arguments)


def omsnode(bench, *arguments):
    command = [sys.executable, "-m", "omsnode.tools.cli", *arguments]
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


@pytest.mark.parametrize("mode", ["T1", "C1", "S1"])
def test_what_a_meter_process_sends_a_collector_process_reads(require, mode):
    """Two machines, one after the other: what the first one's chip put on the air is played to the second one's."""
    library = needs(require, "spidev", "gpiod")
    sender = World(seed=2)
    with Bench(library) as bench:
        bench.add_board(sender.add_board(name="meter"), LINES)
        (bench.root / "gas.key").write_text(KEY)
        (bench.root / "meter.toml").write_text(METER.format(mode=mode))
        done = omsnode(bench, "meter", "meter.toml", "--hat", "cc1101-spi0", "--count", "3")
        assert done.returncode == 0, done.stderr
    sent = sender.air.log
    assert len(sent) == 3
    receiver = World(seed=3)
    with Bench(library) as bench:
        bench.add_board(receiver.add_board(name="collector"), LINES)
        for one in sent:
            one.start_ns += 1_000_000_000
            receiver.air.transmit(one)
        (bench.root / "gas.key").write_text(KEY)
        (bench.root / "collect.toml").write_text(CONFIG.replace("12345678", "87654321"))
        listen = "S1" if mode == "S1" else "T+C"
        done = collect(bench, "--config", "collect.toml", "--mode", listen, "--seconds", "20")
        assert done.returncode == 0, done.stderr
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["records"][0]["value"] for one in readings] == [6.408, 6.409, 6.41]
    assert {one["security"]["verdict"] for one in readings} == {"decrypted"}
    assert {one["mode"] for one in readings} == {mode}
