"""`omsnode selftest` as a user starts it on a Pi, on emulated devices."""

import json
import subprocess
import sys

import pytest
from interop.seam import Bench, needs
from interop.test_collect import machine
from omsnode.board.virtual import World, miswiring


@pytest.fixture
def bench(require):
    with Bench(needs(require, "spidev", "gpiod")) as bench:
        yield bench


@pytest.mark.parametrize(
    ("hat", "fault"),
    [
        ("cc1101-spi0", None),
        ("cc1101-spi0", "miso-open"),
        ("cc1101-spi0", "gdo2-open"),
        ("cc1101-spi0", "no-crystal"),
        ("e22-spi0", None),
        ("e22-spi0", "miso-high"),
        ("e22-spi0", "reset-open"),
        ("e22-spi0", "slow-tcxo"),
    ],
)
def test_on_the_kernel_seam(bench, hat, fault):
    board, _ = machine(bench, World(seed=1), hat)
    if fault:
        miswiring.apply(board, fault)
    done = subprocess.run(
        [sys.executable, "-m", "omsnode.tools.cli", "selftest", "--hat", hat, "--json"],
        env=bench.environment(PYTHONPATH=str(bench.root)),
        cwd=bench.root,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == (1 if fault else 0), done.stdout + done.stderr
    found = json.loads(done.stdout)
    wrong = [step for step in found["steps"] if step["verdict"] == "failed"]
    if fault:
        assert wrong[0]["wires"][0] in miswiring.MISWIRINGS[fault].names
    else:
        assert wrong == [] and board.chip.violations == type(board.chip.violations)()
