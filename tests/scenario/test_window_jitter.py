"""A gateway on a host that is late as Linux is, that stands still for 5 ms now and then, and that needs time for its own work:
how many windows it hits, and that nothing leaves it outside of one.

Armed replies are there for mode T2. OMSNODE_SOAK=1: 20,000 windows of T2, and thousands of the others.
"""

import pytest
from support_jitter import FACTOR, MEASURED_US, Count, Working
from support_ladder import MODES, PAIRS, SOAK, Bench, S

SEEDS = 13 if SOAK else 1
WINDOWS = (
    400 if SOAK else 125
)  # for each pairing and seed: more than 1000 in a row would use up the meter's credits
OTHERS = 400 if SOAK else 50
AT_ONCE = 25  # orders that wait
STALLS = {"mean_us": 30 * S, "length_us": 5000}


def played(mode, pair, orders, fast=False, arming=True, factor=FACTOR, stalls=STALLS, seed=1, must=True):
    """A conversation without end: one order after another, each with a command and its ACK."""
    one = Bench(
        mode,
        pair,
        fast=fast,
        seed=seed,
        nominal_us=300 * S,
        jitter=True,
        arming=arming,
        gateway_board=lambda world: {"stalls": world.stalls(**stalls)},
        gateway_wrap=lambda role, bench: Working(role, bench, factor),
    )
    one.run(20 * S)
    asked = 0
    while asked < orders:
        asked += AT_ONCE
        for _ in range(AT_ONCE):
            one.order(["select", "7"], one.world.now_us)
        limit_us = one.world.now_us + (9000 if must else 3000) * S
        left = 2 if asked < orders else 0  # the next ones come before these have ended
        one.run(limit_us, lambda left=left: not one.queue and len(one.numbers) - len(one.ends) <= left)
        if must:
            assert len(one.numbers) - len(one.ends) <= left
    one.last_us = one.world.now_us - 200000  # the last order has ended: behind that there is nothing to say
    one.run(one.world.now_us + 5 * S)
    return one


def told(count, title, record_property):
    record_property(
        "windows, " + title,
        "{} of {} hit ({:.2f} %); without those that a stall overlaps {} of {} ({:.3f} %)".format(
            count.hit, count.wanted, count.share, count.free_hit, count.free, count.free_share
        ),
    )


def counted(one, mode, fast=False):
    judge = one.judge()
    assert judge.wrong == []
    window = mode if mode != "C2" else "C2 fast" if fast else "C2 slow"
    return judge, Count(judge, window, one.gateway.board.stalls, 25 * S, one.last_us)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_armed_replies_in_t2(pair, record_property):
    total = Count.none()
    margins = []
    for seed in range(SEEDS):
        one = played("T2", pair, WINDOWS, seed=seed)
        judge, count = counted(one, "T2")
        total.add(count)
        margins += [min(pair) for pair in judge.margins["gateway", "T2"]]
    told(total, "T2 {}-{}, armed".format(*pair), record_property)
    record_property(
        "margins, T2 {}-{}".format(*pair),
        "least {:.1f} us, median {:.1f} us".format(min(margins), sorted(margins)[len(margins) // 2]),
    )
    assert total.wanted > 0.9 * WINDOWS * SEEDS
    assert total.free_share >= 99.9, total.missed
    assert total.share >= 99.0


@pytest.mark.parametrize("factor", (1, 8, 16))
def test_what_the_work_of_the_host_costs(factor, record_property):
    """Hosts that are faster or slower: windows are hit or left alone, never missed on the air."""
    one = played("T2", PAIRS[0], 25, factor=factor, must=False)
    _, count = counted(one, "T2")
    told(
        count,
        "T2, work x{}, of it {} us in reply".format(factor, MEASURED_US["reply"] * factor),
        record_property,
    )


@pytest.mark.parametrize("pair", PAIRS[::3], ids="-".join)
def test_without_arming(pair, record_property):
    """What is left of T2 if the frame is looked at first: nothing is outside of a window."""
    one = played("T2", pair, 25, arming=False, must=False)
    judge = one.judge()
    assert judge.wrong == []
    sent, late = [sum(event.step == step for event in one.events) for step in ("sent", "late")]
    _, count = counted(one, "T2")
    told(count, "T2 {}-{}, not armed".format(*pair), record_property)
    record_property("transmissions, not armed", "{} sent, {} too late".format(sent, late))


@pytest.mark.parametrize("pair", PAIRS[1::2], ids="-".join)
@pytest.mark.parametrize("mode, fast", [row for row in MODES if row[0] != "T2"])
def test_the_other_modes(mode, fast, pair, record_property):
    one = played(mode, pair, OTHERS, fast)
    _, count = counted(one, mode, fast)
    told(count, "{}{} {}-{}".format(mode, " fast" * fast, *pair), record_property)
    assert count.wanted > 0.9 * OTHERS and count.free_share >= 99.9, count.missed


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("mode, fast", MODES)
def test_a_host_that_stands_still_all_the_time(mode, fast, pair, record_property):
    """A stall every 40 ms, on the average: much is lost, nothing is outside of a window."""
    one = played(
        mode, pair, 25 if SOAK else 5, fast, stalls={"mean_us": 40000, "length_us": 5000}, seed=3, must=False
    )
    assert one.judge().wrong == []
    assert {step for step, _ in one.outcomes().values()} <= {"done", "failed"}
