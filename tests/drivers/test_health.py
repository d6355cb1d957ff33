"""What no register of a radio tells: silence, storms, lines without edges, on a clock of its own and on both drivers."""

import pytest
from omsnode.drivers.health import Health
from support_radio_faults import BOTH, Trial

S = 1000000


def hearing(gaps_us):
    """Of a receiver that heard frames so far apart; (Health, now)."""
    counters = {}
    health = Health(counters)
    now_us = 5 * S
    health.begin(now_us)
    for gap_us in gaps_us:
        now_us += gap_us
        health.heard(now_us)
    return health, now_us


def steps(health, since_us, until_us, every_us=100000):
    """[(step, seconds after since_us)]"""
    found = []
    for now_us in range(since_us, until_us, every_us):
        step = health.silent(now_us)
        if step:
            found.append((step, (now_us - since_us) / S))
    return found


def test_three_steps_and_then_none():
    health, now_us = hearing([100000] * 10)
    assert steps(health, now_us, now_us + 3600 * S, 500000) == [(1, 2.0), (2, 4.0), (3, 6.0)]
    health.heard(now_us + 3601 * S)
    assert steps(health, now_us + 3601 * S, now_us + 3610 * S)[0] == (1, 2.0)  # what was missed is no pause


def test_eight_times_the_longest_pause():
    health, now_us = hearing([S, 10 * S, S, S, S, S])
    (first, *_) = steps(health, now_us, now_us + 200 * S)
    assert 75 <= first[1] <= 80


def test_a_long_pause_is_forgotten():
    health, now_us = hearing([100 * S] + [S] * 300)
    (first, *_) = steps(health, now_us, now_us + 2000 * S)
    assert 8 <= first[1] <= 16


@pytest.mark.parametrize("heard", (0, 1, 4))
def test_who_has_heard_little_misses_nothing(heard):
    health, now_us = hearing([S] * heard)
    assert not steps(health, now_us, now_us + 10000 * S, S)


def test_silence_counts_from_when_somebody_listens():
    health, now_us = hearing([S] * 10)
    health.begin(now_us + 1000 * S)
    assert health.silent(now_us + 1001 * S) == 0


def test_a_storm_is_told_once_per_tenth_of_a_second():
    counters = {}
    health = Health(counters)
    told = [n for n in range(3000) if health.spurious(10 * S + 100 * n)]
    assert len(told) == 3
    assert counters == {"spurious_edges": 3000}
    assert not any(health.spurious(100 * S + 10000 * n) for n in range(1000))


@pytest.mark.parametrize("kind", BOTH)
def test_poisson_traffic_is_no_silence(kind):
    """Ten minutes, two telegrams per second at random: pauses of many times the mean, and none of them is a fault."""
    trial = Trial(kind, 1)
    trial.quiet = True
    counters = trial.made.radio.counters
    from support_radio_faults import T1, on_air

    for _ in range(1200):
        on_air(trial.world, T1, trial.frame(20), trial.world.now_ns + 1000000)
        trial.world.run([trial.made], trial.world.now_us + 6000 + int(trial.rng.expovariate(2) * S))
    assert counters["faults"] == {}
    assert counters["frames"] > 1190


@pytest.mark.parametrize("kind", BOTH)
def test_a_town_that_is_left_costs_three_faults(kind):
    """A collector that is carried away from all meters cannot know that; it tries each step once, and goes on listening."""
    trial = Trial(kind, 1)
    trial.run(500000)
    trial.quiet = True
    trial.run(30 * S)
    assert trial.made.faults == {"silent": 3}
    trial.quiet = False
    assert trial.recover(trial.world.now_us, 100000) <= 100000


def test_a_clock_on_the_sync_line_does_not_put_off_the_look():
    """GDO2 shows the crystal's clock after a brown-out, or when its register is overwritten."""
    trial = Trial("cc1101", 1)
    trial.chip.write_register(0x00, 0x34)
    since_us = trial.world.now_us
    assert trial.recover(since_us, 150000) is not None
    assert trial.made.faults == {"registers": 1}


@pytest.mark.parametrize(("line", "code"), (("gdo0", "gdo0_silent"), ("gdo2", "gdo2_silent")))
def test_a_line_without_edges_is_named_although_no_frame_is_lost(line, code):
    trial = Trial("cc1101", 1)
    trial.board.pins[line].stuck = 0
    since_us = trial.world.now_us
    trial.run(400000)
    assert trial.unharmed(since_us, trial.world.now_us - 15000)
    assert trial.made.faults == {code: 1}
    trial.board.pins[line].stuck = None
    trial.run(200000)
    trial.board.pins[line].stuck = 0
    trial.run(200000)
    assert trial.made.faults == {code: 2}


def test_a_busy_line_that_never_rises_is_named():
    trial = Trial("sx1262", 1)
    trial.board.pins["busy"].stuck = 0
    trial.made.radio.start(trial.board.now_us())
    trial.made.listen("T+C")
    trial.run(10000)
    assert trial.made.faults["busy_low"] >= 1
