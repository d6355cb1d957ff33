"""Messages in fragments between our gateway and our meter on the virtual air, in S2, T2 and C2, with both radio drivers: each
fragment asked for or acknowledged, and one in the middle lost (oms-requirements sheet 14.6, 14.7; security sheet 7.5).
"""

import pytest
from omsnode.firmware.roles import room
from support_judge import Judge
from support_ladder import MODES, OWN, PAIRS, SOAK, Bench, S

LONG = b"\xa0" + b"a" * 160  # LVAR and text
NEW = "MLKJIHGFEDCBA_ZYXWVUTSRQPON" * 5
REGISTERS = (
    (b"\x0d", b"\xfd\x11", LONG, ("set",)),
    (b"\x0d", b"\xfd\x10", LONG, ("set",)),
)
SELECTED = {0: ((),), 9: ((6, 7),)}  # places of these two

ASK, PART = "G REQ-UD2", "M RSP-UD"
SELECT = ["G SND-UD", "M ACK"]
END = ["G SND-NKE"]
LADDERS = {
    "14.6 answer": ["select 9", "read"],
    "14.7 command": ["write 0D:FD11 " + NEW],
}


# Fragments of the command and of the answer.
COUNTS = {"S2": (3, 5), "T2": (3, 3), "C2": (2, 3)}


def runs(names):
    out = []
    for number, (name, (mode, fast)) in enumerate((name, one) for name in names for one in MODES):
        for pair in PAIRS if SOAK else (PAIRS[(number + number // 4) % 4],):
            title = "{}-{}{}-{}-{}".format(name, mode, " fast" * fast, *pair)
            out.append(pytest.param(name, mode, fast, pair, id=title))
    return out


def played(name, mode, fast, pair, rules=()):
    one = Bench(mode, pair, fast=fast, seed=5, nominal_us=90 * S, more=REGISTERS, offered=SELECTED)
    one.fates.rules = list(rules)
    for text in LADDERS[name]:
        one.order(text.split(), S)
    return one.until_done(behind_us=100 * S)


def found(one, name):
    """That everything came about."""
    assert {step for step, _ in one.outcomes().values()} == {"done"}
    meter = one.meters[0].role
    _, result = one.outcome(len(LADDERS[name]))
    if name == "14.6 answer":
        assert [record["text"] for record in result["records"]] == ["a" * 160] * 2
    else:
        # Text is sent from its end on, behind its length (sheet en13757-3-application 4.4).
        assert meter.device.registers[6].value == bytes((len(NEW),)) + NEW[::-1].encode()
        assert [record["text"] for record in result["records"]] == [NEW] and result["confirmed"]
    assert meter.counters["executed"] == 1


def said(judge, repeats=False):
    return [step for step in judge.ladder(repeats=repeats) if step not in OWN]


def fragments(judge, up):
    """{number of the fragment: [its frames]}"""
    out = {}
    for frame in judge.frames:
        if frame.sent.up == up and frame.afl is not None and frame.afl.number:
            out.setdefault(frame.afl.number, []).append(frame)
    return out


@pytest.mark.parametrize("name, mode, fast, pair", runs(LADDERS))
def test_ladder(name, mode, fast, pair):
    """As few fragments as both radios carry."""
    one = played(name, mode, fast, pair)
    judge = one.judge()
    assert judge.wrong == []
    up = name == "14.6 answer"
    count, answer = COUNTS[mode][up], len(fragments(judge, True)) or 1
    assert said(judge) == (
        SELECT + [ASK, PART] * count + END
        if up
        else ["G SND-UD", "M ACK"] * count + [ASK, PART] * answer + END
    )
    assert sorted(fragments(judge, up)) == list(range(1, count + 1))
    whole = 2 if not up and fragments(judge, True) else 1
    assert [meter.fragments.whole for meter in judge.meters.values()] == [whole]
    assert one.gateway.role.counters.get("late", 0) == 0
    found(one, name)


@pytest.mark.parametrize("lost", ("fragment", "what it is answered with"))
@pytest.mark.parametrize("name, mode, fast, pair", runs(LADDERS))
def test_one_in_the_middle_is_lost(name, mode, fast, pair, lost, monkeypatch):
    """It is said again, the same bytes with the same number; nothing begins anew and nothing is executed twice."""
    monkeypatch.setattr(room, "piece", lambda mode, direction: 60)
    up = name == "14.6 answer"
    if up:
        rule = ("meter0", "RSP-UD", 2) if lost == "fragment" else ("gateway", "REQ-UD2", 3)
    else:
        rule = ("gateway", "SND-UD", 2) if lost == "fragment" else ("meter0", "ACK", 2)
    one = played(name, mode, fast, pair, [(*rule, "lost", None)])
    assert [row[:3] for row in one.fates.happened] == [rule]
    judge = one.judge()
    assert judge.wrong == []
    pieces = fragments(judge, up)
    assert sorted(pieces) == list(range(1, 7 if up else 4))
    for number, frames in pieces.items():
        assert len({frame.telegram for frame in frames}) == 1 and len({frame.number for frame in frames}) == 1
        assert number != 2 or lost != "fragment" or len(frames) >= 2
    found(one, name)


def test_more_fragments_than_fit_one_cycle(monkeypatch):
    """Whoever speaks of the next one prolongs the cycle of 30 s (link sheet 8.3)."""
    monkeypatch.setattr(room, "piece", lambda mode, direction: 9)
    one = played("14.6 answer", "C2", False, PAIRS[0])
    judge = one.judge()
    pieces = fragments(judge, True)
    assert judge.wrong == [] and len(pieces) > 35
    assert pieces[len(pieces)][0].start_ns - pieces[1][0].start_ns > 60 * 10**9
    found(one, "14.6 answer")


BREACHES = {
    "no receiver": lambda row: row[:10] + b"\x8c" + row[11:13] + row[21:],
    "fragment": lambda row: row[:23] + bytes((row[23] + 1,)) + row[24:],
    "no more": lambda row: row[:24] + bytes((row[24] ^ 0x40,)) + row[25:],
    "MAC": lambda row: row[:24] + bytes((row[24] ^ 0x04,)) + row[25:],
    "control": lambda row: row[:22] + bytes((3, row[23], row[24] ^ 0x20, 0x65)) + row[25:],
    "length": lambda row: row[:-1],
    "number": lambda row: row[:12] + bytes((row[12] - 1,)) + row[13:],
}


@pytest.mark.parametrize("breach", BREACHES)
@pytest.mark.parametrize("name", LADDERS)
def test_the_judge_sees_what_is_wrong_with_a_fragment(name, breach):
    """Of a good conversation one thing of the second fragment is changed; it is found."""
    one = played(name, "T2", False, PAIRS[0])
    frames = one.judge().frames
    second = fragments(one.judge(), name == "14.6 answer")[2]
    changed = {frame.telegram: BREACHES[breach](frame.telegram) for frame in second}

    def judged(changes):
        about = dict(mode="T2", period_s=2, nominal_us=90 * S)
        fresh = Judge({address.link_bytes(): about for address in one.addresses})
        for frame in frames:
            sent = frame.sent
            fresh.hear(sent._replace(telegram=changes.get(sent.telegram, sent.telegram)))
        return fresh

    assert judged({}).wrong == []
    assert judged(changed).wrong, breach
