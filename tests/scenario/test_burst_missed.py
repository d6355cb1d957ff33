"""What is missed on purpose between our gateway and our burst meter: each downlink too early, too late, lost, damaged, twice; each uplink
burst, each MACK and each answer lost; and what must follow (LPWAN sheet 11, 16, 17). CI takes one pairing of drivers for each, in turn;
OMSNODE_SOAK=1 takes all.
"""

import itertools

import pytest
from support_burst_ladder import PAIRS, SOAK, Bench, S

# A meter hears again within the 255 s in which an answer is kept.
SOON_US = 100 * S
SINGLE, MULTI = ("7/8", 0, 1), ("multi", 0, 4)
# Both forms of damage, and +-8 ms: outside of the +-0.9 ms that the slots here have.
DOWN_FATES = (
    ("lost", None),
    ("corrupt", None),
    ("deaf", None),
    ("at", -8000),
    ("at", 8000),
    ("double", 30000),
)
UP_FATES = (("lost", None), ("corrupt", None), ("deaf", None), ("double", 30000))
ORDERS = {"write": ("SND-UD2", ["write", "0C:13", "6.409"]), "mac": ("MCMD", ["mac-read", "capability"])}


def played(pair, form, words, rules, **more):
    coding, spacing, access = form
    more.setdefault("nominal_us", SOON_US)
    one = Bench(pair, coding=coding, spacing=spacing, access=access, seed=len(rules), **more)
    one.fates.rules = list(rules)
    one.order(words, S)
    one.until_done(3000 * S)
    return one


def right(one, label):
    """Done, once, by the rules; and the counters in the bodies were never used twice, which the judge has looked at."""
    judge = one.judge()
    assert judge.wrong == [], (label, judge.ladder)
    assert one.fates.happened, label
    (outcome,) = one.ends.values()
    assert outcome[0] == "done", (label, outcome, judge.ladder)
    counters = one.meter.counters
    if one.meter.device.registers[0].value != 6408:
        assert one.meter.device.registers[0].value == 6409 and counters["executed"] == 1, (
            label,
            judge.ladder,
        )
    else:
        assert counters["mac.execute"] == 1, (label, judge.ladder)
    return judge


def chosen(*rows):
    """Runs: all pairings, or one, in turn."""
    out = []
    for number, row in enumerate(itertools.product(*rows)):
        for pair in PAIRS if SOAK else (PAIRS[number % 4],):
            words = [str(part) for one in row for part in (one if isinstance(one, tuple) else (one,))]
            out.append(pytest.param(pair, *row, id="-".join([*pair, *words])))
    return out


KIND = {"write": "MCNR", "mac": "MCMD"}
ANSWER = {"write": "MSNR", "mac": "MRSP"}


@pytest.mark.parametrize("pair, order, fate", chosen(ORDERS, DOWN_FATES))
def test_the_command(pair, order, fate):
    """RX0 of a single burst is missed: the gateway says the same at the next opportunity; it is executed once."""
    one = played(pair, SINGLE, ORDERS[order][1], [("gateway", KIND[order], None, 1, *fate)])
    judge = right(one, fate)
    asked = [down.frame for frame in judge.frames for down in frame.down if down.frame.kind == KIND[order]]
    asked = [frame for frame in asked if frame.kind_of_link != "SND-NKE"]
    if fate[0] == "double":
        assert len(asked) == 1
    elif fate[0] != "at":
        assert len(asked) == 2 and (order == "write" or asked[0].raw == asked[1].raw)
        assert (asked[0].number, asked[0].body) == (asked[1].number, asked[1].body)


@pytest.mark.parametrize("pair, order, fate", chosen(ORDERS, UP_FATES))
def test_the_answer(pair, order, fate):
    """The answer is missed: the same command, the stored answer byte for byte; not executed again."""
    which = 2 if order == "write" else 1
    one = played(pair, SINGLE, ORDERS[order][1], [("meter0", ANSWER[order], 1, which, *fate)])
    judge = right(one, fate)
    answers = [
        frame.frame for frame in judge.frames
        if (frame.frame.kind_of_link == "RSP-UD" if order == "write" else frame.frame.kind == "MRSP")
    ]  # fmt: skip
    assert len(answers) == (1 if fate[0] == "double" else 2)
    assert len({(frame.upper, frame.body.raw if frame.body else None) for frame in answers}) == 1


@pytest.mark.parametrize(
    "pair, form, fate", chosen((SINGLE, MULTI), DOWN_FATES[:4] if SOAK else DOWN_FATES[:1])
)
def test_the_end(pair, form, fate):
    """The SND-NKE is missed: the session ends by time, and the next order is carried out all the same."""
    one = played(pair, form, ORDERS["write"][1], [("gateway", "MCNR", None, n, *fate) for n in (2, 3, 4)])
    one.order(["read"], one.world.now_us + 300 * S)
    one.run(one.world.now_us + 1200 * S, lambda: len(one.ends) == 2)
    judge = one.judge()
    assert judge.wrong == [] and [end[0] for end in one.ends.values()] == ["done", "done"], judge.ladder
    assert one.meter.counters["executed"] == 2 if "read" in one.meter.counters else True


# Which of UL1 to UL3 are lost, and which parts of DL1 to DL3: any subset but all.
SUBSETS = [lost for n in range(1, 4) for lost in itertools.combinations((1, 2, 3), n)]


@pytest.mark.parametrize("pair, lost", chosen(SUBSETS))
def test_uplink_bursts(pair, lost):
    """The gateway answers what it has heard, from whichever of the three it was; if none came through, the next frame."""
    one = played(
        pair, MULTI, ORDERS["write"][1], [("meter0", "MSNR", index, 1, "lost", None) for index in lost]
    )
    judge = right(one, lost) if set(lost) & {1} else one.judge()
    assert judge.wrong == [] and one.outcome()[0] == "done"
    first = judge.frames[0]
    slots = [down.slot for down in first.down]
    expected = {
        (1,): [4],
        (2,): [3],
        (3,): [3],
        (1, 2): [0],
        (1, 3): [4],
        (2, 3): [3],
        (1, 2, 3): [],
    }[lost]
    assert slots[:1] == expected, judge.ladder


@pytest.mark.parametrize("pair, lost", chosen(SUBSETS))
def test_downlink_parts(pair, lost):
    """Parts of the first round (RX3, RX4, RX5) are damaged beyond their headers: what is left of them is enough, or the round of
    RX0, RX1, RX2 is."""
    rules = [("gateway", "MCNR", index, 1, "corrupt", None) for index in lost]
    one = played(pair, MULTI, ORDERS["write"][1], rules)
    judge = right(one, lost) if 1 in lost else one.judge()
    assert judge.wrong == [] and one.outcome()[0] == "done"
    first = judge.frames[0]
    taken = next(i for i in (1, 2, 3, 4) if i not in lost)  # 4: DL1 in RX0
    assert [down.slot for down in first.down][:taken] == [3, 4, 5, 0][:taken], judge.ladder
    if 1 in lost:  # a header was heard: no further uplink burst (Q.3.3.2.2)
        assert set(first.bursts) == {1}
    assert len(first.macks) == {1: 2, 2: 1, 3: 1, 4: 0}[taken], judge.ladder


@pytest.mark.parametrize("pair, lost", chosen(((1,), (2,), (1, 2))))
def test_macks(pair, lost):
    """A MACK is lost: the gateway goes on, until it hears the other one; the meter has closed its windows, and takes nothing twice."""
    rules = [("meter0", "MACK", None, n, "lost", None) for n in lost]
    one = played(pair, MULTI, ORDERS["write"][1], rules)
    judge = right(one, lost)
    slots = [down.slot for down in judge.frames[0].down]
    assert slots == {(1,): [3, 4, 5], (2,): [3], (1, 2): [3, 4, 5, 0, 1, 2]}[lost]


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[1:2], ids="-".join)
def test_never_heard(pair):
    """Eleven tries in 20 opportunities at most, then it has failed and says why (P Annex I); nothing was executed."""
    one = Bench(pair, nominal_us=60 * S)
    one.fates.rules = [("gateway", "MCNR", None, None, "lost", None)]
    one.order(ORDERS["write"][1], S)
    one.run(2400 * S, lambda: one.ends)
    judge = one.judge()
    assert judge.wrong == []
    step, reason = one.outcome()
    assert step == "failed" and reason
    assert 2 <= len([text for text in judge.said() if "SND-UD2" in text]) <= 11
    assert one.meter.counters.get("executed", 0) == 0


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[:2], ids="-".join)
def test_a_wrong_key(pair):
    """MERR, no body; the order has failed, nothing was executed, and the counters of the meter stand."""
    one = Bench(pair, nominal_us=SOON_US, mac_key=False)
    one.order(ORDERS["mac"][1], S)
    one.until_done()
    judge = one.judge()
    assert judge.wrong == [] and one.outcome()[0] == "failed"
    assert "M MERR" in judge.said() and "mac.execute" not in one.meter.counters
