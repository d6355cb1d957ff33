"""Link management moves a burst meter between sub-modes and clock management sets its time, with power cuts of either side at every
step: the link is never lost for good, no counter is used twice (LPWAN sheet 16, 18, 19). CI takes one pairing of drivers for each, in
turn; OMSNODE_SOAK=1 takes all, and cuts at more instants.
"""

import itertools

import pytest
from omsnode.firmware.link.lpwan import values
from support_burst_ladder import PAIRS, SOAK, Bench, S

ABLE = values.Capability(
    ("UL-B1", "UL-B2", "UL-B4"), 1, ("DL-B3", "DL-B4"), ("7/8", "1/2", "1/3", "multi"), 1
)
LONGEST = 75  # what a SX1262 can send in the least of these codings (sheet 22)
# Both are off nearly alike: DL-B3 has +-800 Hz, and only a CC1101 knows by how much a meter is off (sheet 22).
CRYSTALS = (6.0, 6.3)
RXM = 6  # 150 ms: a command with profile B in DL-B3
SIDES = ("gateway", "meter")
# So long behind the end of a transmission: while it is decoded, and behind that.
MOMENTS_US = (1000, 20000, 300000) if SOAK else (20000,)


def bench(pair, uplink="UL-B4", **more):
    settings = {
        "nominal_us": 100 * S,
        "capability": ABLE,
        "longest": LONGEST,
        "crystals": CRYSTALS,
        "rxm": RXM,
    }
    return Bench(pair, uplink, **{**settings, **more})


def side(one, name):
    return one.gateway if name == "gateway" else one.meters[0]


def chosen(*rows, first=0, step=1):
    out = []
    for number, row in enumerate(itertools.product(*rows)):
        if not SOAK and number % step != first:
            continue
        for pair in PAIRS if SOAK else (PAIRS[(number + number // 4) % 4],):
            out.append(pytest.param(pair, *row, id="-".join([*pair, *map(str, row)])))
    return out


def cut_behind(one, name, step, moment_us, off_us=7 * S):
    """Run until so many transmissions are over and a bit longer, and cut the power of that side."""
    log = one.world.air.log
    one.run(2000 * S, lambda: len(log) > step and log[step].end_ns is not None)
    one.behind(moment_us)
    one.cut(side(one, name), off_us)


def last(one):
    """How the order that was given last has ended."""
    return one.ends[list(one.numbers)[-1]][0]


def settled(one, most_us=3000 * S):
    one.run(one.world.now_us + most_us, lambda: len(one.ends) == len(one.numbers) and not one.queue)
    assert len(one.ends) == len(one.numbers), one.events[-6:]


def alive(one, most_us=2500 * S):
    """An order to the meter comes through."""
    one.order(["write", "0C:13", "7.000"], one.world.now_us)
    settled(one, most_us)
    assert last(one) == "done", (one.ends, one.judge().ladder[-12:])
    assert one.meter.device.registers[0].value == 7000


def right(one):
    judge = one.judge()
    assert judge.wrong == [], judge.ladder
    return judge


@pytest.mark.parametrize("pair, name, step, moment_us", chosen(SIDES, range(4), MOMENTS_US, first=1, step=2))
def test_downlink_through_power_cuts(pair, name, step, moment_us):
    """DL-B4 -> DL-B3. Steps: SND-NR, MCMD, MRSP, SND-NKE."""
    one = bench(pair)
    one.order(["mac-link", "DL-B3"], S)
    cut_behind(one, name, step, moment_us)
    settled(one)
    done = last(one) == "done"
    one.behind(150 * S)
    alive(one)
    judge = right(one)
    now = one.meter.mac.way().downlink
    offered = judge.frames[-1].frame.up.downlink
    assert now == offered
    if done:
        assert now == "DL-B3"


def retuned(one, uplink, off_us=2 * S):
    """The owner sets the gateway to another uplink."""
    one.listens = uplink
    one.cut(one.gateway, off_us)


@pytest.mark.parametrize("pair, name, step, moment_us", chosen(SIDES, range(4), MOMENTS_US, first=2, step=4))
def test_uplink_through_power_cuts(pair, name, step, moment_us):
    """UL-B4 -> UL-B1+B2 rate 1/3, and back. Steps: both frames of SND-NR, MCMD, MRSP. A meter that has stored the command goes there,
    even if its MRSP was not heard; the gateway finds it there, and is told so when it asks again."""
    one = bench(pair)
    one.order(["mac-link", "UL-B1+B2", "1/3", "n=2"], S)
    cut_behind(one, name, step, moment_us)
    one.behind(250 * S)
    moved = one.meter.mac.way().uplink
    assert moved in ("UL-B4", "UL-B1+B2")
    if one.ends:
        assert moved == "UL-B1+B2" and last(one) == "done"
    retuned(one, moved.split("+")[0])
    settled(one)
    assert one.meter.mac.way().uplink == "UL-B1+B2"
    retuned(one, "UL-B1")
    alive(one)
    one.order(["mac-link", "UL-B4", "7/8"], one.world.now_us)
    settled(one)
    retuned(one, "UL-B4")
    assert last(one) == "done" and one.meter.mac.way().uplink == "UL-B4"
    one.order(["read"], one.world.now_us)
    settled(one)
    assert last(one) == "done"
    judge = right(one)
    assert {frame.name for frame in judge.frames} == {"UL-B1", "UL-B2", "UL-B4"}
    assert not any(frame.frame.up.lms for frame in judge.frames[-2:])


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[3:], ids="-".join)
@pytest.mark.parametrize("cuts", (0, 2) if SOAK else (2,))
def test_fallback(pair, cuts):
    """Moved to UL-B4, 7/8, where nobody listens: after the preset of access opportunities maximum coding, then UL-B1+B2, where
    the gateway still is (Q.3.7.1.4). Also if the meter's power is cut meanwhile."""
    one = bench(pair, "UL-B1+B2", coding="1/3", preset=4)
    one.listens = "UL-B1"
    one.order(["mac-link", "UL-B4", "7/8"], S)
    settled(one)
    one.behind(30 * S)
    assert one.outcome(1)[0] == "done" and one.meter.mac.way().uplink == "UL-B4"
    seen = []
    for step in range(14):
        one.behind(100 * S)
        if step in (2, 5)[:cuts]:
            one.cut(one.meters[0], 3 * S)
        way = one.meter.mac.way()
        if not seen or seen[-1] != (way.uplink, way.coding):
            seen.append((way.uplink, way.coding))
        if way.uplink == "UL-B1+B2":
            break
    strongest = "multi" if ("UL-B4", "multi") in seen else "1/3"
    assert seen[0] == ("UL-B4", "7/8") and seen[-1][0] == "UL-B1+B2" and ("UL-B4", strongest) in seen, seen
    alive(one)
    right(one)


def clock_s(one):
    """How much the meter's clock is beside the wall's."""
    now_us = one.meters[0].board.now_us()
    time = one.meter.mac.time
    base_us = one.meters[0].node.wall(now_us)
    return (time.at(now_us, base_us) - base_us) / S


@pytest.mark.parametrize("pair, name, step, moment_us", chosen(SIDES, range(4), MOMENTS_US, first=1, step=3))
def test_clock_through_power_cuts(pair, name, step, moment_us):
    """+2 s are set without a leap (600 s for each), and are there after any cut: once, or not at all if the order has failed, which
    says that nobody knows."""
    one = bench(pair, nominal_us=200 * S)
    one.order(["mac-clock", "2"], S)
    cut_behind(one, name, step, moment_us)
    settled(one)
    early, done = clock_s(one), last(one) == "done"
    one.run(one.world.now_us + 1300 * S)
    late = clock_s(one)
    assert 0 <= early <= late and (late == pytest.approx(2, abs=0.01) or not done and late == 0)
    one.order(["mac-read", "clock"], one.world.now_us)
    settled(one)
    judge = right(one)
    assert last(one) == "done"
    told = one.ends[list(one.numbers)[-1]][1]["clock time"]
    (at_us, _, blocks) = [row for row in judge.blocks if row[1] == "MRSP"][-1]
    assert [told["second"], told["minute"], told["hour"]] == list(dict(blocks)[4])
    told_s = told["hour"] * 3600 + told["minute"] * 60 + told["second"]
    # Of the slot RX0 of the command, 9 s before the response (fast, medium): the world begins at midnight.
    assert told_s == pytest.approx(at_us / S - 9 + late, abs=1.1)
