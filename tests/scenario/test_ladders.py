"""Every ladder of the sheets between our gateway and our meter on the virtual air, in S2, T2 and C2, with both radio drivers: what
is said in which order, and each window with its margin (oms-requirements sheet 14; link sheet 9).

The expected sequences are those of the sheets, repetitions left out. CI takes each ladder in each mode with one pairing of
drivers, another for each; OMSNODE_SOAK=1 takes all.
"""

import itertools

import pytest
from omsnode.firmware.roles.installer import Installation
from support_judge import Judge
from support_ladder import MODES, OWN, PAIRS, SOAK, WALL_US, Bench, S, table
from support_on_air import Frame

MARGINS = {}  # (mode, pair, who, window): [us]

READ = ["G REQ-UD2", "M RSP-UD"]
UD = ["G SND-UD", "M ACK"]
UD2 = ["G SND-UD2", "M RSP-UD"]
ALARM = ["G REQ-UD1", "M ACK"]
END = ["G SND-NKE"]

# Ladder: (orders, settings of the bench, what is said, outcomes). 14.x: oms-requirements sheet, 9.x: link sheet.
LADDERS = {
    "14.3 readout": (["read"], {}, READ + END, "done"),
    "14.4 SND-UD done": (["select 7"], {}, UD + END, "done"),
    "14.4 SND-UD, data wanted": (["write 0C:13 7"], {"ud2": False}, UD + READ + END, "done"),
    "14.4 SND-UD, error": (["sub 0C:13 99999"], {"ud2": False}, UD + READ + END, "failed"),
    "14.4 SND-UD, busy": (["write 0C:13 7"], {"ud2": False, "busy_us": 5 * S}, UD + ["(poll)"] + END, "done"),
    "14.5 SND-UD2": (["write 0C:13 7"], {}, UD2 + END, "done"),
    "14.5 SND-UD2, busy": (["write 0C:13 7"], {"busy_us": 5 * S}, UD2 + ["(poll)"] + END, "done"),
    "14.5 SND-UD2, error": (["write 06:13 99999999"], {}, UD2 + END, "failed"),
    "14.5 SND-UD2 unknown": (
        ["write 0C:13 7"],
        {"plain_meter": True},
        ["G SND-UD2", "M ACK"] + UD + READ + END,
        "done",
    ),
    "14.8 no alarm": (["alarm"], {}, ALARM + END, "done"),
    "14.9 clock, adjust": (["clock-adjust 5"], {}, UD + END, "done"),
    "14.9 clock, set": (["clock-set"], {}, UD2 + UD2 + END, "done"),
    "14.10 valve": (["valve close"], {}, UD2 + UD2 + END, "done"),
    "14.11 key change": (["key-change 00 1"], {}, UD2 + UD + READ + UD2 + END, "done"),
    "14.13 status": (["status"], {}, READ + END, "done"),
    "several": (["read", "select 7", "alarm"], {}, READ + UD + ALARM + END, "done"),
}


def bench(mode, fast, pair, ud2=True, plain_meter=False, **more):
    made = Bench(mode, pair, fast=fast, seed=len(mode) + len(more), **more)
    if not ud2:
        made.gateway.role.partners[0].snd_ud2 = False
    if plain_meter:
        _without_ud2(made.meters[0].role)
    return made


def _without_ud2(meter):
    """M.1.7: it takes SND-UD2 for SND-UD, and acknowledges."""
    answer = meter._answer_to

    def answer_to(asked, wall_us):
        if asked.kind == "SND-UD2":
            return [], meter._acknowledge(asked)
        return answer(asked, wall_us)

    meter._answer_to = answer_to


def said(judge):
    """The ladder without what a meter sends by itself; polls of a busy meter as one."""
    out = [step for step in judge.ladder() if step not in OWN]
    text = ", ".join(out)
    poll = ", G REQ-UD2, M RSP-UD"
    return text, text.replace(poll * max(1, text.count(poll)), ", (poll)")


def closed(judge, mode):
    """Behind the SND-NKE a meter repeats nothing."""
    last = max(i for i, frame in enumerate(judge.frames) if frame.kind == "SND-NKE")
    assert all(frame.synchronous for frame in judge.frames[last + 1 :])


def book(judge, mode, fast, pair):
    for (who, window), pairs in judge.margins.items():
        rows = MARGINS.setdefault((mode, "-".join(pair), who, window), [])
        rows += [min(one) for one in pairs]


def chosen(names):
    """Runs: every mode; all pairings, or one, in turn."""
    out = []
    for number, (name, (mode, fast)) in enumerate(itertools.product(names, MODES)):
        pairs = PAIRS if SOAK else (PAIRS[(number + number // 4) % 4],)
        for pair in pairs:
            title = "{}-{}{}-{}-{}".format(name, mode, " fast" * fast, *pair)
            out.append(pytest.param(name, mode, fast, pair, id=title))
    return out


@pytest.mark.parametrize("name, mode, fast, pair", chosen(LADDERS))
def test_ladder(name, mode, fast, pair):
    words, settings, expected, outcome = LADDERS[name]
    one = bench(mode, fast, pair, **settings)
    for text in words:
        one.order(text.split(), S)
    one.until_done()
    judge = one.judge(renewals=1 if "key" in name else 0)
    assert judge.wrong == []
    assert {step for step, _ in one.outcomes().values()} == {outcome}
    text, polled = said(judge)
    assert (polled if "(poll)" in expected else text) == ", ".join(expected)
    if "busy" not in name:
        closed(judge, mode)
        assert one.gateway.role.counters.get("late", 0) == 0
    if outcome == "done" and words == ["write 0C:13 7"]:
        assert one.meters[0].role.device.registers[0].value == 7000
        assert one.meters[0].role.counters["executed"] == 1
    if outcome == "failed":
        assert "(application error 15h)" in one.outcome()[1]
        assert one.meters[0].role.device.registers[0].value == 6408
    book(judge, mode, fast, pair)


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["9.1"]))
def test_unidirectional(name, mode, fast, pair):
    """9.1, 14.1: fillers between the data; nobody speaks to it."""
    one = Bench(mode, pair, fast=False, access=0, fillers=2, nominal_us=4 * S)
    one.order(["read"], S)
    one.run(60 * S)
    judge = one.judge()
    assert judge.wrong == []
    ladder = judge.ladder(repeats=True)
    assert (
        ladder[: len(ladder) // 3 * 3] == (["M SND-NR", "M ACC-NR", "M ACC-NR"] * 20)[: len(ladder) // 3 * 3]
    )
    assert len(ladder) >= 13 and all(frame.cc == 0x20 for frame in judge.frames)
    assert one.outcome() is None and one.steps() in (["queued"], ["queued", "waiting"])


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["9.5"]))
def test_alarm(name, mode, fast, pair):
    """9.5, 14.8: ACC-DMD, ACK with its number, REQ-UD1 in the window of its repetition, the alarm, cleared by being told."""
    one = bench(mode, fast, pair)
    one.run(10 * S)
    one.meters[0].role.device.raise_alarm(0x05)
    one.run(30 * S, lambda: not one.meters[0].role.device.alarms)
    one.run(one.world.now_us + 40 * S)
    judge = one.judge()
    assert judge.wrong == []
    assert said(judge)[0] == "M ACC-DMD, G ACK, G REQ-UD1, M RSP-UD, G SND-NKE"
    closed(judge, mode)
    (told,) = [event for event in one.events if event.step == "done"]
    assert told.number is None and (told.detail["alarm"], told.detail["bits"]) == ("05", [0, 2])
    demand = [frame for frame in judge.frames if frame.kind == "ACC-DMD"]
    (ack,) = [frame for frame in judge.frames if frame.text == "G ACK"]
    assert ack.number == demand[0].number and len(demand) >= 2
    book(judge, mode, fast, pair)


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["9.6"]))
@pytest.mark.parametrize("install", ("known", "none"))
def test_installation(install, name, mode, fast, pair):
    """9.6, 14.2: CNF-IR only where the owner allows it, and the meter stops; without it six SND-IR and more, 30 to 60 s apart. A
    SND-NKE behind each, 5 to 25 s later."""
    one = bench(mode, fast, pair, install=install, nominal_us=900 * S)
    one.run(10 * S)
    meter = one.meters[0]
    meter.role.install(meter.board.now_us())
    one.run((120 if install == "known" else 400) * S)
    judge = one.judge()
    assert judge.wrong == []
    asked = [frame for frame in judge.frames if frame.kind == "SND-IR"]
    told = [frame for frame in judge.frames if frame.kind == "SND-NKE"]
    confirmed = [frame for frame in judge.frames if frame.kind == "CNF-IR"]
    assert 0 <= asked[0].start_ns - 10 * 10**9 <= 60 * 10**9
    if install == "known":
        assert len(asked) == len(confirmed) == len(told) == 1
    else:
        assert not confirmed and 6 <= len(asked) <= len(told) + 1
        for before, behind in zip(asked, asked[1:], strict=False):
            assert 30 <= (behind.start_ns - before.start_ns) / 1e9 <= 60
    for ask, tell in zip(asked, told, strict=False):
        assert 5 <= (tell.start_ns - ask.end_ns) / 1e9 <= 25
        assert tell.status == confirmed[0].status if confirmed else tell.status
    steps = [told.step for told in one.gateway.delivered if isinstance(told, Installation)]
    assert set(steps) == {"heard", "told"} | ({"confirmed"} if confirmed else set())
    book(judge, mode, fast, pair)


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["9.7"]))
def test_installation_through_a_repeater(name, mode, fast, pair):
    """9.7: a SND-IR with H = 1 is neither confirmed nor told about; and no frame with H = 1 opens a window."""
    one = bench(mode, fast, pair, install="known", nominal_us=300 * S)
    one.run(30 * S)
    one.order(["read"], 30 * S)
    one.fates.rules = [("meter0", "SND-IR", None, "hop", 10 * S), ("meter0", "SND-NR", None, "hop", 10 * S)]
    meter = one.meters[0]
    meter.role.install(meter.board.now_us())
    one.run(900 * S, lambda: one.outcome())
    one.run(one.world.now_us + 30 * S)
    assert one.outcome()[0] == "done"
    judge = one.judge()
    assert judge.wrong == []
    assert {frame.kind for frame in judge.hopped} >= {"SND-NR"}
    for frame in judge.hopped:
        behind = [other for other in judge.frames if not other.sent.up and other.start_ns > frame.end_ns]
        assert not behind or behind[0].start_ns - frame.end_ns > 2 * 10**9


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["9.8"]))
@pytest.mark.parametrize("period_us", (2 * S, 3 * S, 5 * S))
def test_cycle_ends(period_us, name, mode, fast, pair):
    """9.8: the gateway is heard once and never again: repetitions every t_TxD, until 25 to 30 s behind that, then the schedule;
    the slot in between stays where it is."""
    one = bench(mode, fast, pair, period_us=period_us, nominal_us=40 * S)
    one.fates.rules = [("gateway", "SND-NKE", None, "lost", None)]
    one.order(["select", "7"], S)
    one.run(200 * S, lambda: one.outcome())
    one.run(one.world.now_us + 60 * S)
    judge = one.judge()
    assert judge.wrong == []
    (command,) = [frame for frame in judge.frames if frame.kind == "SND-UD"]
    acks = [frame for frame in judge.frames if frame.text == "M ACK"]
    seconds = [(frame.start_ns - command.end_ns) / 1e9 for frame in acks]
    assert 25 - period_us / S <= seconds[-1] <= 30
    # One may be left out for the slot.
    assert len(acks) - 1 >= (25 // (period_us // S)) - 2
    assert len({frame.telegram for frame in acks}) == 1
    slots = [frame for frame in judge.frames if frame.synchronous]
    assert len(slots) >= 2 and slots[-1].start_ns > acks[-1].end_ns
    book(judge, mode, fast, pair)


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["8.8"]))
def test_no_credits_are_left(name, mode, fast, pair):
    """Link sheet 8.8, CRD-04: the answer that takes the last credits closes, nobody speaks to the meter until it offers access
    again, and what waited is done then."""
    one = bench(mode, fast, pair, nominal_us=300 * S)
    meter = one.meters[0].role
    meter.credits.count, meter.credits.gain_us = 12, 60 * S  # one read costs 6; it gains more than it must
    one.order(["read"], S)
    one.order(["select", "7"], S)
    one.until_done(6 * 3600 * S)
    judge = one.judge(credits=12)
    assert judge.wrong == []
    assert {step for step, _ in one.outcomes().values()} == {"done"}
    assert said(judge)[0] == ", ".join(READ + UD + END)
    closed_frames = [frame for frame in judge.frames if frame.sent.up and frame.cc & 0x84 == 0x04]
    answer = closed_frames[0]  # or its repetition, which costs as much
    assert answer.kind == "RSP-UD" and len(closed_frames) >= 5
    command = next(frame for frame in judge.frames if frame.kind == "SND-UD")
    assert closed_frames[-1].end_ns < command.start_ns
    # 40 credits are enough to begin again: that many minutes, less the 6 that are left, and up to the next slot
    assert 34 * 60 <= (command.start_ns - answer.start_ns) / 1e9 <= 40 * 60
    (judged,) = judge.meters.values()
    assert 0 < judged.longest_ns < 12 * 3600 * 10**9
    book(judge, mode, fast, pair)


@pytest.mark.parametrize("name, mode, fast, pair", chosen(["9.9"]))
def test_unlimited(name, mode, fast, pair):
    """9.9: the gateway need not wait for a telegram."""
    one = bench(mode, fast, pair, access=0x84, nominal_us=300 * S)
    one.run(20 * S)
    one.order(["write", "0C:13", "7"], 60 * S)
    one.order(["read"], 60 * S)
    one.until_done(behind_us=20 * S)
    judge = one.judge()
    assert judge.wrong == []
    assert one.world.now_us < 100 * S and {step for step, _ in one.outcomes().values()} == {"done"}
    assert said(judge)[0].startswith(", ".join(UD2 + READ))
    assert all(frame.cc & 0x84 == 0x84 for frame in judge.frames if frame.sent.up)
    book(judge, mode, fast, pair)


def test_margins(record_property):
    """Runs last in this module: no window was missed, and how near it came."""
    for line in table(MARGINS):
        record_property("ladders", line)
    assert len(MARGINS) >= 8 and all(min(margins) >= 0 for margins in MARGINS.values())


def test_clock_of_the_meter_is_set_to_the_second():
    one = bench("C2", False, PAIRS[0])
    one.order(["clock-set"], S)
    one.until_done()
    device = one.meters[0].role.device
    now_us = one.meters[0].board.now_us()
    assert abs(device.clock_us(now_us) - WALL_US - now_us) < 3 * S


def test_the_judge_sees_what_is_wrong():
    """Of a good conversation one thing after another is changed: each is found."""
    one = bench("T2", False, PAIRS[0])
    one.order(["write", "0C:13", "7"], S)
    one.until_done()
    good = one.judge()
    assert good.wrong == []
    sent = [frame.sent for frame in good.frames]
    kinds = [frame.kind for frame in good.frames]

    def judged(changes):
        about = dict(mode="T2", period_s=2, nominal_us=60 * S)
        fresh = Judge({address.link_bytes(): about for address in one.addresses})
        for index, row in enumerate(sent):
            fresh.hear(changes(index, row))
        return fresh.wrong

    def moved(which, by_ns):
        at = kinds.index(which)

        def change(index, row):
            if index != at:
                return row
            return row._replace(
                start_ns=row.start_ns + by_ns, data_ns=row.data_ns + by_ns, end_ns=row.end_ns + by_ns
            )

        return change

    def patched(which, place, value):
        at = kinds.index(which)

        def change(index, row):
            if index != at:
                return row
            telegram = bytearray(row.telegram)
            telegram[place] = value
            return row._replace(telegram=bytes(telegram))

        return change

    assert judged(lambda index, row: row) == []
    for which in ("SND-UD2", "RSP-UD"):
        for by_ns in (-700000, 700000, -5000000, 5000000):
            assert judged(moved(which, by_ns)), (which, by_ns)
    last = max(index for index, kind in enumerate(kinds) if kind == "RSP-UD")
    assert last > kinds.index("RSP-UD")  # a repetition: 0.7 ms off its period
    late = [row._replace(start_ns=row.start_ns + 700000) if i == last else row for i, row in enumerate(sent)]
    assert judged(lambda index, row: late[index])
    assert judged(patched("SND-UD2", 11, 0xC4))  # D = 1
    assert judged(patched("SND-UD2", 1, 0x45))
    assert judged(patched("RSP-UD", 12, 1))  # not the gateway's number
    second = [index for index, kind in enumerate(kinds) if kind == "SND-NR"][1]
    spoilt = Frame(sent[second]).telegram
    for number in (41, 43):
        changed = spoilt[:12] + bytes((number,)) + spoilt[13:]
        assert judged(lambda index, row, to=changed: row._replace(telegram=to) if index == second else row)
