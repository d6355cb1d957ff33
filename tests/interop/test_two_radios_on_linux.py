"""`omsnode collect` with two radios as a user starts it on a Pi: two SPI devices, one wait over the lines of both."""

import json
import subprocess
import sys

import pytest
from interop.seam import Bench, needs
from interop.test_collect import CONFIG, FRAME, KEY, on_air
from omsnode.board import hats
from omsnode.board.virtual import Joined, World

TWO = """
[radio.s]
hat = "cc1101-spi0"
mode = "S1"
[radio.t]
hat = "cc1101-spi0-second"
mode = "T+C"
"""


class Both:
    """Two virtual boards as one behind one header; lines are named "0.gdo0" and so on."""

    def __init__(self, boards):
        self._joined = Joined(boards)
        self.spi = boards[0].spi
        self.now_us = boards[0].now_us
        self.pins = {
            "{}.{}".format(i, name): pin for i, board in enumerate(boards) for name, pin in board.pins.items()
        }

    def wait(self, until_us):
        several, _ = self._joined.wait(until_us)
        edges = [
            ("{}.{}".format(i, line), level, at_us)
            for i, (found, _) in enumerate(several)
            for line, level, at_us in found
        ]
        return sorted(edges, key=lambda edge: edge[2]), 0


def collected(bench, backend):
    """(readings, what is on standard error) of one run."""
    names = ("cc1101-spi0", "cc1101-spi0-second")
    world = World(seed=1)
    boards = [world.add_board(name) for name in names]
    both = Both(boards)
    lines = {
        "{}.{}".format(i, line): getattr(hats.find(name), line)
        for i, name in enumerate(names)
        for line in ("gdo0", "gdo2")
    }
    spi, _, advance = bench.add_board(both, lines)
    device = None

    def transfer(tx):
        boards[1].spi.hz = device.speed_hz
        rx = bytearray(len(tx))
        boards[1].spi.transfer(tx, rx)
        advance(both.now_us() * 1000)
        return rx

    device = bench.add_spidev(0, 1, transfer)
    if backend == "RPi.GPIO":
        (bench.root / "gpiod.py").write_text("raise ImportError('not installed')\n")
    (bench.root / "gas.key").write_text(KEY + "\n")
    (bench.root / "two.toml").write_text(TWO + CONFIG[CONFIG.index("[[meter]]") :])
    other = FRAME[:4] + bytes((FRAME[4] ^ 0x10,)) + FRAME[5:]  # damaged: nobody tells it
    on_air(world, 2_000_000, "T1", FRAME)
    on_air(world, 2_005_000, "S1", other)
    on_air(world, 4_000_000, "S1", FRAME)
    done = subprocess.run(
        [sys.executable, "-m", "omsnode.tools.cli", "collect", "--config", "two.toml", "--seconds", "6"],
        env=bench.environment(PYTHONPATH=str(bench.root), RPI_LGPIO_REVISION="c03114", LG_WD=str(bench.root)),
        cwd=bench.root,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.parametrize("backend", ["gpiod", "RPi.GPIO"])
def test_two_radios(require, backend):
    have = needs(require, "spidev", "gpiod", "RPi")
    # Without kernel time stamps edges come through threads of this machine's real time: with other work on it they may be
    # late beside the virtual clock, and a FIFO is full.
    for left in (2, 1, 0) if backend == "RPi.GPIO" else (0,):
        with Bench(have) as bench:
            readings, said = collected(bench, backend)
        if not left or "t.frames=1" in said:
            break
    assert [(one["radio"], one["mode"], one["name"]) for one in readings] == [("t", "T1", "gas")], said
    assert readings[0]["records"][0]["value"] == 28504.27
    assert "t.frames=1" in said and "s.frames=2" in said and "duplicates=1" in said
