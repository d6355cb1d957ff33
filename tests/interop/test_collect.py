"""`omsnode collect` and `omsnode meter` as a user starts them on a Pi: processes of their own on emulated devices, with
either chip and either GPIO library."""

import json
import subprocess
import sys

import pytest
from interop.seam import Bench, needs
from omsnode.board import hats
from omsnode.board.virtual import Transmission, World, unpack
from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import framing, modes

# HAT and GPIO library. Of the SX1262: antenna switched by DIO2, by two GPIOs, and a crystal instead of a TCXO.
STATIONS = (
    ("cc1101-spi0", "gpiod"),
    ("cc1101-spi0", "RPi.GPIO"),
    ("sx1262-spi0", "gpiod"),
    ("sx1262-spi0", "RPi.GPIO"),
    ("e22-spi0", "gpiod"),
    ("e22-spi0", "RPi.GPIO"),
    ("waveshare-lorawan-hat", "gpiod"),
    ("meshadv-mini", "gpiod"),
)
CC1101, SX1262, SWITCHED = ("cc1101-spi0", "gpiod"), ("sx1262-spi0", "gpiod"), ("e22-spi0", "gpiod")
PAIRS = (
    ("T1", CC1101, CC1101),
    ("C1", CC1101, SX1262),
    ("S1", CC1101, SX1262),
    ("T1", SWITCHED, SX1262),
    ("C1", SX1262, CC1101),
    ("S1", SX1262, SWITCHED),
    ("T1", ("e22-spi0", "RPi.GPIO"), ("cc1101-spi0", "RPi.GPIO")),
    ("C1", ("cc1101-spi0", "RPi.GPIO"), ("e22-spi0", "RPi.GPIO")),
)

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


def station_name(value):
    return "-".join(value) if isinstance(value, tuple) and isinstance(value[0], str) else None


@pytest.fixture
def bench(require):
    with Bench(needs(require, "spidev", "gpiod")) as bench:
        yield bench


def machine(bench, world, hat_name, backend="gpiod", **settings):
    """A Pi with this HAT, on which only one GPIO library is installed. Returns the HAT's board and the SPI device."""
    hat = hats.find(hat_name)
    names = hats.EDGES + hats.LEVELS + tuple(line for line, _ in hats.OUTPUTS)
    lines = {line: getattr(hat, line) for line in names if getattr(hat, line) is not None}
    board = world.add_board(hat_name, **settings)
    spi, _, _ = bench.add_board(board, lines, read_us=20 if hat.chip == "sx1262" else 0)
    if backend == "RPi.GPIO":
        (bench.root / "gpiod.py").write_text("raise ImportError('not installed')\n")
    (bench.root / "gas.key").write_text(KEY + "\n")
    (bench.root / "collect.toml").write_text(CONFIG.replace("cc1101-spi0", hat_name))
    return board, spi


def violations(board):
    return [text for _, text in board.chip.violations]


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
    # rpi-lgpio looks for a Pi's revision, lgpio leaves a FIFO in its working directory
    environment = bench.environment(
        PYTHONPATH=str(bench.root), RPI_LGPIO_REVISION="c03114", LG_WD=str(bench.root)
    )
    return subprocess.run(
        command, env=environment, cwd=bench.root, capture_output=True, text=True, timeout=240
    )


def test_no_spi(bench):
    done = collect(bench, "--hat", "cc1101-spi0", "--seconds", "1")
    assert done.returncode == 1
    assert "there is no /dev/spidev0.0" in done.stderr and "raspi-config" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("hat", ["cc1101-spi0", "sx1262-spi0"])
@pytest.mark.parametrize("stuck", [0x00, 0xFF])
def test_nothing_answers(bench, stuck, hat):
    bench.add_spidev(0, 0, lambda tx: bytes([stuck]) * len(tx))
    bench.add_gpiochip(0)
    done = collect(bench, "--hat", hat, "--seconds", "1")
    assert done.returncode == 1
    assert "MISO" in done.stderr
    if hat == "cc1101-spi0":
        assert "0x{:02X}".format(stuck) in done.stderr
    assert "Traceback" not in done.stderr


def test_busy_on_the_wrong_pin(bench):
    """What is there reads high for ever."""
    _, gpio, _ = bench.add_board(World().add_board(hat="sx1262-spi0"), {"dio1": 24, "reset": 22})
    gpio.levels[23] = 1
    done = collect(bench, "--hat", "sx1262-spi0", "--seconds", "1")
    assert done.returncode == 1
    assert "BUSY stays high" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("built", "said", "message"),
    [
        ({}, "sx1262-spi0,tcxo_mv=0", "the oscillator does not start"),
        ({}, "sx1262-spi0,tcxo_mv=1800", None),
        ({"tcxo_mv": 3300}, "sx1262-spi0", "the oscillator does not start"),
    ],
)
def test_oscillator_of_another_module(bench, built, said, message):
    hat = hats.find(said)
    board = World().add_board(hat="sx1262-spi0", **built)
    bench.add_board(board, {"dio1": hat.dio1, "busy": hat.busy, "reset": hat.reset}, read_us=20)
    done = collect(bench, "--hat", said, "--seconds", "1")
    assert done.returncode == (1 if message else 0), done.stderr
    if message:
        assert message in done.stderr and "tcxo_mv" in done.stderr and "Traceback" not in done.stderr


def on_air(world, at_us, mode, frame, frame_format="A"):
    row = modes.find(mode)
    chips = unpack(framing.chips(row, frame, frame_format))
    world.air.transmit(
        Transmission(at_us * 1000, chips, row.chip_rate_cps, row.frequency_hz, row.deviation_hz)
    )


@pytest.mark.parametrize("station", STATIONS, ids=station_name)
def test_telegrams_become_readings(bench, require, station):
    """Both modes of the default T+C, the second copy of a telegram and a damaged one, on virtual time."""
    needs(require, "RPi")
    world = World(seed=1)
    board, _ = machine(bench, world, *station)
    on_air(world, 1_000_000, "T1", FRAME)
    on_air(world, 3_000_000, "T1", FRAME)
    on_air(world, 5_000_000, "T1", FRAME[:20] + b"\0" + FRAME[21:])
    on_air(world, 7_000_000, "C1", FRAME)
    done = collect(bench, "--config", "collect.toml", "--seconds", "10")
    assert done.returncode == 0, done.stderr
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(readings) == 1, done.stdout
    reading = readings[0]
    assert reading["security"]["verdict"] == "decrypted"
    assert reading["name"] == "gas" and reading["mode"] == "T1"
    assert reading["records"][0]["quantity"] == "volume" and reading["records"][0]["value"] == 28504.27
    assert KEY.lower() not in (done.stdout + done.stderr).lower()
    assert "frames=4" in done.stderr
    assert ("no kernel time stamps" in done.stderr) == (station[1] == "RPi.GPIO")
    assert board.now_us() >= 10_000_000
    assert violations(board) == []


@pytest.mark.parametrize("hat", ["cc1101-spi0", "e22-spi0"])
def test_longest_telegrams(bench, hat):
    """290 bytes of frame, 435 on air: the SX1262 takes them from a ring of 256."""
    world = World(seed=4)
    board, _ = machine(bench, world, hat)
    telegram = b"\xff" + FRAME[1:10] + b"\x78" + bytes([0x0D, 0xFD, 0x0C, 0xBF]) + b"x" * 191
    telegram += b"\x2f" * (256 - len(telegram))
    on_air(world, 1_000_000, "T1", frame_a.build(telegram))
    on_air(world, 2_000_000, "T1", FRAME)
    done = collect(bench, "--config", "collect.toml", "--seconds", "3")
    assert done.returncode == 0, done.stderr
    assert "frames=2" in done.stderr and "rejected" not in done.stderr
    assert violations(board) == []


@pytest.mark.parametrize("hat", ["cc1101-spi0", "sx1262-spi0"])
def test_device_vanishes(bench, hat):
    world = World()
    _, spi = machine(bench, world, hat)
    world.at(2_000_000, lambda: setattr(spi, "fail", lambda: 19))
    done = collect(bench, "--hat", hat, "--seconds", "10")
    assert done.returncode == 1
    assert "SPI transfer failed" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("mode", "meter", "collector"), PAIRS, ids=station_name)
def test_what_a_meter_process_sends_a_collector_process_reads(require, mode, meter, collector):
    """Two machines, one after the other: what the first one's chip put on the air is played to the second one's."""
    library = needs(require, "spidev", "gpiod", "RPi")
    sender = World(seed=2)
    with Bench(library) as bench:
        board, _ = machine(bench, sender, *meter, name="meter")
        (bench.root / "meter.toml").write_text(METER.format(mode=mode))
        done = omsnode(bench, "meter", "meter.toml", "--hat", meter[0], "--count", "3")
        assert done.returncode == 0, done.stderr
        assert violations(board) == []
    sent = sender.air.log
    assert len(sent) == 3
    receiver = World(seed=3)
    with Bench(library) as bench:
        board, _ = machine(bench, receiver, *collector, name="collector")
        for one in sent:
            one.start_ns += 1_000_000_000
            receiver.air.transmit(one)
        config = (bench.root / "collect.toml").read_text()
        (bench.root / "collect.toml").write_text(config.replace("12345678", "87654321"))
        listen = "S1" if mode == "S1" else "T+C"
        done = collect(bench, "--config", "collect.toml", "--mode", listen, "--seconds", "20")
        assert done.returncode == 0, done.stderr
        assert violations(board) == []
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["records"][0]["value"] for one in readings] == [6.408, 6.409, 6.41]
    assert {one["security"]["verdict"] for one in readings} == {"decrypted"}
    assert {one["mode"] for one in readings} == {mode}
