"""Every named fault, on both radios, at random instants: it hears again within the bound of that fault, no frame with right
link CRCs is wrong, and the fault was counted under its name."""

import os

import pytest
from support_radio_faults import FAULTS, Trial
from support_radios import balanced

SEEDS = range(100) if os.environ.get("OMSNODE_SOAK") else range(2)
ROWS = [(row, kind) for row in FAULTS for kind in row.kinds]


def play(row, kind, seed):
    """(microseconds until it heard again, names)"""
    trial = Trial(kind, seed)
    assert not trial.names(), trial.names()
    trial.run(trial.rng.randrange(25000))
    begin_us = trial.world.now_us
    end_us = row.call(trial)
    took_us = trial.recover(end_us, row.bound_us)
    balanced(trial.made)
    names = trial.names()
    if trial.unharmed(begin_us, end_us):
        names.add("nothing")
    return took_us, names


@pytest.mark.parametrize(("row", "kind"), ROWS, ids=["{}-{}".format(row.name, kind) for row, kind in ROWS])
def test_hears_again(row, kind, record_property):
    worst_us = 0
    for seed in SEEDS:
        took_us, names = play(row, kind, seed)
        assert took_us is not None and took_us <= row.bound_us, (seed, took_us, names)
        assert names & row.named, (seed, names)
        worst_us = max(worst_us, took_us)
    record_property(
        "{:<36} {}".format(row.name, kind),
        "heard again after {:.0f} ms at most, bound {:.0f} ms".format(worst_us / 1000, row.bound_us / 1000),
    )


def test_there_are_enough():
    for kind in ("cc1101", "sx1262"):
        assert len([row for row in FAULTS if kind in row.kinds]) >= 20
