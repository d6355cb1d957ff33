"""Every ladder of LPWAN sheet 17 between our gateway and our burst meter on the virtual air, over both radio drivers, in each pair of
sub-modes that the chips allow: what is said in which order, and each slot with its margin, judged by support_burst_judge.

Upper layers have security profile B, MAC commands their MSP1. CI takes a sample of the pairings; OMSNODE_SOAK=1 takes all.
"""

import itertools

import pytest
from support_burst_ladder import PAIRS, SOAK, Bench, S, table

# Sheet 22: what a meter can hear. A CC1101 should not announce DL-B1 and DL-B2.
HEARS = {"sx1262": ("DL-B1", "DL-B2", "DL-B3", "DL-B4"), "cc1101": ("DL-B3", "DL-B4")}
UPLINKS = ("UL-B1", "UL-B2", "UL-B3", "UL-B4")
# Coding, spacing, access option. #2 and #4 have RX3..RX5 after multi bursts.
FORMS = (
    ("7/8", 0, 1),
    ("1/2", 0, 3),
    ("1/3", 0, 5),
    ("7/8", 0, 6),
    ("multi", 0, 1),
    ("multi", 0, 2),
    ("multi", 0, 3),
    ("multi", 0, 4),
    ("multi", 1, 4),
    ("multi", 2, 6),
)
# ppm of 869.525 MHz that a downlink may be off as the meter sees it (sheet 2), halved.
NEAR_PPM = {"DL-B1": 0.1, "DL-B2": 0.2, "DL-B3": 0.4, "DL-B4": 1.2}
# DL-RXM code where the default of UL-B4 (75 ms), or of the others (400 ms), is too short for a command with profile B.
RXM = {("UL-B4", "DL-B1"): 11, ("UL-B4", "DL-B2"): 9, ("UL-B4", "DL-B3"): 6}
MARGINS = {}


def crystals(gateway, downlink):
    """ppm of (gateway, meter). Only a CC1101 knows by how much a meter is off, in steps that fit DL-B4 (sheet 22): with any other
    gateway or downlink both are off, but nearly the same."""
    if (gateway, downlink) == ("cc1101", "DL-B4"):
        return -3.0, 7.0
    return 6.0, 6.0 + NEAR_PPM[downlink]


def bench(pair, uplink="UL-B4", downlink="DL-B4", form=("7/8", 0, 1), **more):
    coding, spacing, access = form
    if access < 5:
        more.setdefault("rxm", RXM.get((uplink, downlink), 11 if downlink == "DL-B1" else None))
    more.setdefault("crystals", crystals(pair[0], downlink))
    return Bench(pair, uplink, downlink, coding=coding, spacing=spacing, access=access, **more)


def book(judge, name):
    for (who, what), margins in judge.margins.items():
        MARGINS.setdefault((name, who, what), []).extend(margins)


def judged(one, label):
    judge = one.judge()
    assert judge.wrong == [], judge.ladder
    book(judge, label)
    return judge


def runs():
    out = []
    for number, (pair, uplink, downlink) in enumerate(
        itertools.product(PAIRS, UPLINKS, HEARS["sx1262"]),
    ):
        if downlink not in HEARS[pair[1]]:
            continue
        forms = FORMS if SOAK else (FORMS[number * 7 % len(FORMS)],)
        if not SOAK and (number * 5 + number // 16) % 3:
            continue
        for form in forms:
            title = "{}-{}-{}-{}-{}.{}#{}".format(*pair, uplink, downlink, *form)
            out.append(pytest.param(pair, uplink, downlink, form, id=title))
    return out


@pytest.mark.parametrize("pair, uplink, downlink, form", runs())
def test_every_pairing(pair, uplink, downlink, form):
    """L2, L3: a command of the application and one of the MAC, answered, and closed."""
    one = bench(pair, uplink, downlink, form)
    one.order(["write", "0C:13", "6.409"], S)
    one.order(["mac-read", "capability"], S)
    one.run(7000 * S, lambda: len(one.ends) == 2)
    one.behind(200 * S)
    judge = judged(one, "{}-{} {} {} {}".format(*pair, uplink, downlink, form[0]))
    assert [one.outcome(number)[0] for number in (1, 2)] == ["done", "done"]
    assert one.meter.device.registers[0].value == 6409 and one.meter.counters["executed"] == 1
    assert one.meter.counters["mac.execute"] == 1
    assert one.outcome(2)[1]["capability"]["uplinks"] == [uplink]
    steps = [text.split(" RX")[0] for text in judge.said() if text != "M MACK"]
    if (
        steps[1] == "M MSNR SND-NR"
    ):  # what does not fit one frame is an uplink session: its last frame offers access
        assert judge.frames[0].frame.up.session and judge.frames[1].frame.fragment == 2
        steps.pop(1)
    order = [
        "M MSNR SND-NR body",
        "G MCNR SND-UD2",
        "M MSNR RSP-UD",
        "G MCMD body",
        "M MRSP body",
        "G MCNR SND-NKE",
    ]
    said = [step for i, step in enumerate(steps) if i == 0 or step != steps[i - 1]]
    assert said[: len(order)] == order
    assert one.gateway.role.counters.get("late", 0) == 0
    # Where a chip is beyond the limits, and where it is not: sheet 22.
    assert not any(one.kind == "sx1262" and judge.beyond.get(one.name) for one in [one.gateway, *one.meters])
    assert pair[1] == "sx1262" or judge.beyond["meter0"] == {uplink + " rate", uplink + " deviation"}


each_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)


@each_pair
def test_l1_unidirectional(pair):
    """SND-NR with S bit every t_ACC, no access offered, and nobody says anything, whatever is ordered."""
    one = Bench(pair, downlink=None, nominal_us=150 * S)
    one.order(["read"], S)
    one.run((3000 if SOAK else 500) * S)
    judge = judged(one, "{}-{} L1".format(*pair))
    assert set(judge.said()) == {"M MSNR SND-NR"} and len(judge.frames) >= 3
    assert all(frame.frame.flag and frame.frame.up.code == 0 for frame in judge.frames)
    assert len(one.gateway.delivered) >= 3 and not one.ends


def multi(pair, form=("multi", 0, 4), rules=(), words=("write", "0C:13", "6.409"), **more):
    one = bench(pair, form=form, **more)
    one.fates.rules = list(rules)
    one.order(list(words), S)
    one.until_done()
    return one


@each_pair
def test_l4_best_case(pair):
    """DL1 in RX3 is complete: MACK, MACK, and the gateway stops."""
    one = multi(pair)
    judge = judged(one, "{}-{} L4".format(*pair))
    assert judge.said() == [
        "M MSNR SND-NR body", "G MCNR SND-UD2 RX3", "M MACK", "M MACK",
        "M MSNR RSP-UD", "G MCNR SND-NKE RX3", "M MACK", "M MACK",
    ]  # fmt: skip
    assert one.meter.counters["mack"] == 4 and one.gateway.role.counters["sent"] == 2


@each_pair
def test_l5_worst_case(pair):
    """UL1 lost, DL2 and DL3 of RX4 and RX5 lost, DL1 and DL2 of RX0 and RX1 too: DL3 in RX2 is enough."""
    rules = [("meter0", "MSNR", 1, 1, "lost", None), ("gateway", "MCNR", 2, 1, "lost", None)]
    rules += [("gateway", "MCNR", 3, 1, "lost", None), ("gateway", "MCNR", 1, 1, "lost", None)]
    rules += [("gateway", "MCNR", 2, 2, "lost", None)]
    one = multi(pair, rules=rules)
    judge = judged(one, "{}-{} L5".format(*pair))
    assert one.outcome()[0] == "done" and one.meter.counters["executed"] == 1
    first = judge.frames[0]
    assert set(first.bursts) == {1, 2, 3} and not first.macks
    assert [down.slot for down in first.down] == [4, 5, 0, 1, 2]
    assert len(one.fates.happened) == 5
    assert judge.said()[2] == "M MSNR RSP-UD"


@each_pair
def test_l6_only_a_header(pair):
    """DL1 in RX3 has its header and no more: no further UL bursts, no MACK; all slots are kept, and DL2 completes it."""
    one = multi(pair, rules=[("gateway", "MCNR", 1, 1, "corrupt", None)])
    judge = judged(one, "{}-{} L6".format(*pair))
    first = judge.frames[0]
    assert one.outcome()[0] == "done" and one.meter.counters["executed"] == 1
    assert set(first.bursts) == {1} and one.meter.counters["skipped_bursts"] >= 1
    assert [down.slot for down in first.down][:2] == [3, 4] and len(first.macks) == 1


@each_pair
def test_l7_lost_response(pair):
    """The answer is lost: a MACC behind it (MBlock 12), the command once more, the stored answer; executed once."""
    one = bench(pair, resume_s=40)
    one.fates.rules = [("meter0", "MSNR", 1, 2, "lost", None)]
    one.order(["write", "0C:13", "6.409"], S)
    one.until_done()
    judge = judged(one, "{}-{} L7".format(*pair))
    assert one.outcome()[0] == "done" and one.meter.counters["executed"] == 1
    steps = [text.split(" RX")[0] for text in judge.said()]
    assert steps == [
        "M MSNR SND-NR body", "G MCNR SND-UD2", "M MSNR RSP-UD", "M MACC", "G MCNR SND-UD2", "M MSNR RSP-UD",
        "G MCNR SND-NKE",
    ]  # fmt: skip
    answers = [frame for frame in judge.frames if frame.frame.kind_of_link == "RSP-UD"]
    assert answers[0].frame.upper == answers[1].frame.upper
    (macc,) = [frame for frame in judge.frames if frame.frame.kind == "MACC"]
    # T0 to T0 from the last uplink (Table Q.91); 250 ppm of 40 s are 10 ms
    assert macc.t0_us - answers[0].t0_us == pytest.approx(40 * S, abs=10500)


@each_pair
def test_l8_installation(pair):
    """SND-IR with the counters in a secured body; CNF-IR in its slot, and the meter says no more of it."""
    one = bench(pair, install="known", wait_us=400 * S)
    one.behind(S)
    one.meter.install(one.meters[0].board.now_us())
    one.run(120 * S)
    judge = judged(one, "{}-{} L8".format(*pair))
    first = judge.frames[0].frame
    assert first.kind_of_link == "SND-IR" and first.body is not None and first.body.der is not None
    (_, kind, blocks) = judge.blocks[0]
    assert kind == "MSNR" and dict(blocks)[7] == b"\x00\x00"
    assert judge.said() == ["M MSNR SND-IR body", "G MCNR CNF-IR RX0"]
    steps = [one.step for one in one.gateway.delivered if type(one).__name__ == "Installation"]
    assert steps == ["heard", "confirmed"]


@each_pair
def test_l9_key_update(pair):
    """The command carries MDerCounter 05 and CMD 0; the MRSP the same; the SNR counter begins again."""
    one = bench(pair)
    one.behind(S)
    one.gateway.role.partners[0].manager().update(5)
    one.order(["mac-read", "release"], S)
    one.order(["mac-read", "clock"], S)
    one.until_done()
    judge = judged(one, "{}-{} L9".format(*pair))
    assert [one.outcome(number)[0] for number in (1, 2)] == ["done", "done"]
    said = [
        (frame.frame.kind, frame.frame.body.der, frame.frame.body.counter)
        for frame in judge.frames
        if frame.frame.body
    ]
    assert ("MRSP", 5, 0) in said
    assert one.meter.mac.security.der_counter == 5


@each_pair
def test_l10_a_new_session_later(pair):
    """MBlock 03: a MACC so many minutes from the T0 of the downlink."""
    one = bench(pair)
    one.order(["mac-session", "3"], S)
    one.until_done()
    asked_us = [down.at_us for frame in judged(one, "{}-{} L10".format(*pair)).frames for down in frame.down][
        0
    ]
    one.order(["read"], one.world.now_us)
    one.run(400 * S, lambda: len(one.ends) == 2)
    judge = one.judge()
    assert judge.wrong == []
    (macc,) = [frame for frame in judge.frames if frame.frame.kind == "MACC"]
    assert macc.t0_us - asked_us == pytest.approx(180 * S, abs=180 * 250 + 1000)
    assert one.outcome(2)[0] == "done" and macc.down


def test_margins(record_property):
    """Last of all: every slot and distance with its least margin, by pairing of drivers; with OMSNODE_SOAK by sub-modes too."""
    rows = {}
    for (name, *rest), margins in MARGINS.items():
        words = name.split(" ")
        label = " ".join(words[:3]) if SOAK and len(words) > 2 else words[0]
        rows.setdefault((label, *rest), []).extend(margins)
    record_property("margins", "\n" + "\n".join(table(rows)))
    for (label, who, what), margins in rows.items():
        # A CC1101 has 397 Hz steps: the +-200 Hz of DL-B1 are not for it (sheet 22).
        coarse = label.startswith("cc1101") and what == "carrier, Hz of 200"
        assert min(margins) >= (-200 if coarse else 0), (label, who, what, min(margins))
