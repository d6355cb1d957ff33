"""`omsnode bench energy`: what the SPI tells of a chip's states agrees with the state of the chip model itself."""

import json

import pytest
from omsnode.board import hats
from omsnode.board.virtual import World
from omsnode.board.virtual import registers as R
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.deframer import Deframer
from omsnode.tools.bench import energy
from omsnode.tools.cli import main

MARC = {R.SLEEP: "sleep", R.IDLE: "oscillator", R.RX: "rx", R.TX: "tx"}
MODE = {
    "SLEEP": "sleep",
    "START": "standby",
    "STDBY_RC": "standby",
    "STDBY_XOSC": "oscillator",
    "FS": "synthesizer",
    "RX": "rx",
    "TX": "tx",
}


class Truth:
    """Times in each state of a model, looked at whenever time passes in its world."""

    def __init__(self, board):
        self.chip, self.world = board.chip, board.world
        self.times = {}
        self.at_ns = self.world.now_ns
        self.state = self.look()
        advance = self.world.advance

        def watched(to_ns, stop_on_edge=False):
            """In steps of 20 us at most, but not through the long sleep."""
            while True:
                step = to_ns if self.state == "sleep" else min(to_ns, self.world.now_ns + 20_000)
                self.world.edge_seen = False
                advance(step, stop_on_edge)
                self.count()
                if self.world.now_ns >= to_ns or stop_on_edge and self.world.edge_seen:
                    return

        self.world.advance = watched

    def look(self):
        if hasattr(self.chip, "marc"):
            return MARC.get(self.chip.marc, "synthesizer")
        return MODE[self.chip.mode]

    def count(self):
        now = self.world.now_ns
        self.times[self.state] = self.times.get(self.state, 0) + (now - self.at_ns) / 1000
        self.at_ns = now
        self.state = self.look()


@pytest.mark.parametrize("mode", ["T1", "S1"])
@pytest.mark.parametrize("name", energy.HATS)
def test_the_tally_is_the_truth(name, mode):
    world = World(seed=2)
    board = world.add_board(name)
    driver, tally = energy.observed(board, hats.find(name))
    truth = Truth(board)
    driver.start(board.now_us())
    board.take_edges()
    before = None
    for turn in range(3):
        if turn == 1:
            tally.settle(board.now_us())
            truth.count()
            before = dict(tally.times), dict(truth.times)
        driver.configure(mode, modes.UP)
        driver.prepare(b"\x55" * 100, board.now_us())
        driver.transmit(board.now_us() + 200000)
        while driver.sent <= turn:
            edges, _ = board.wait(driver.due_us)
            driver.service(board.now_us(), edges)
        driver.sleep(board.now_us())
        world.advance_us(1000000)
        driver.configure("T+C", modes.UP)
        driver.listen(Deframer("T+C"), board.now_us())
        world.advance_us(5000)
        driver.sleep(board.now_us())
        world.advance_us(1000000)
    tally.settle(board.now_us())
    truth.count()
    told = {state: us - before[0].get(state, 0) for state, us in tally.times.items()}
    real = {state: us - before[1].get(state, 0) for state, us in truth.times.items()}
    assert sum(told.values()) == pytest.approx(sum(real.values()), abs=10)
    # While a TCXO starts, the model shows where it is going to.
    compared = ["sleep", "tx", "rx"] + ([] if hats.find(name).tcxo_mv else ["oscillator", "standby"])
    for state in compared:
        # waking, ramps and the end of calibrations are not on the bus
        assert told.get(state, 0) == pytest.approx(real.get(state, 0), rel=0.02, abs=1500), state
    chip = hats.find(name).chip
    assert energy.charge_uc(chip, told) == pytest.approx(energy.charge_uc(chip, real), rel=0.04)


def test_rows_belong_together():
    one = energy.row("cc1101-spi0", "T1", "A", telegrams=3)
    assert one.floor_uc == pytest.approx(one.air_us * 32.8 / 1000)
    assert one.floor_uc < one.charge_uc
    assert one.times_us["tx"] == pytest.approx(one.air_us, abs=200)
    two = energy.row("sx1262-spi0", "S1", "A", telegrams=3)
    assert two.air_us > 5 * one.air_us and two.chip == "sx1262"


def test_command(capsys):
    assert main(["bench", "energy", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["chip"], row["mode"]) for row in found["rows"]} == {
        (chip, mode) for chip in ("cc1101", "sx1262") for mode, _ in energy.MODES
    }
    assert main(["bench", "energy"]) == 0
    assert "floor uC" in capsys.readouterr().out
