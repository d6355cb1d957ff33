"""When, where and how a burst gateway speaks: slots, sub-modes, sub-carriers, lengths. All times are typed from the LPWAN sheet 11."""

import pytest
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.transport import authentication
from support_burst_gateway import METER, OTHER, TIV, Meter, Stage, up, us
from support_window import READ, WRITE2, Exchange

FAST, MEDIUM, SLOW = range(3)
# Response timing option: t_RO, least t_RM (section 14).
OPTIONS = {
    1: (FAST, FAST),
    2: (FAST, MEDIUM),
    3: (FAST, SLOW),
    4: (MEDIUM, FAST),
    5: (MEDIUM, SLOW),
    6: (SLOW, FAST),
    7: (SLOW, MEDIUM),
    8: (SLOW, SLOW),
}
T_RO = {True: (1.5, 4.5, 9), False: (4.5, 13.5, 27)}  # uplink single; by whether it is UL-B4
PAIRS = [(u, d) for u in ("UL-B1", "UL-B2", "UL-B3", "UL-B4") for d in ("DL-B1", "DL-B2", "DL-B3", "DL-B4")]


def elements(submode, **more):
    """MElements with UB and UC where they have to be."""
    has_n = submode != "UL-B4"
    more.setdefault("rxm", 0)
    more.setdefault("timing", 2)
    n = (2, 2, 2) if more.get("downlink", "DL-B4") in ("DL-B1", "DL-B2") else None
    more.setdefault("downlink_n", n)
    return up(uplink_n=(2, 0, 0) if has_n else None, **more)


def asked(submode, told, *exchanges, **more):
    """A stage with an order, and a meter."""
    stage = Stage(submode, **more)
    meter = Meter(submode, told)
    stage.order(*(exchanges or (READ,)))
    return stage, meter


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_single(pair, option):
    """RX0 at t_RO behind T0, on the sub-mode that was announced; never anywhere else."""
    submode, downlink = pair
    stage, meter = asked(submode, elements(submode, downlink=downlink, timing=option))
    down = stage.one(meter.nr())
    assert down.name.split(".")[0] == downlink
    assert stage.after(down) == pytest.approx(T_RO[submode == "UL-B4"][OPTIONS[option][0]], abs=2e-6)
    assert (down.header.multi, down.header.tiv) == (0, TIV)


# Seconds at TIV 64, UL-B4 short: t_A 2.25, t_B 3.75, t_RO fast 1.125, medium 2.25, slow 4.5 (sheet 11.1, 11.2).
RX = {
    FAST: {3: 1.125, 4: 3.375, 5: 4.5, 0: 7.125, 1: 8.25, 2: 9.375},
    MEDIUM: {0: 8.25, 1: 10.5, 2: 12.75},
    SLOW: {0: 10.5, 1: 15, 2: 19.5},
}
SLOTS = {2: (0,), 3: (3, 0), 4: (0, 1, 2), 5: (3, 4, 5, 0, 1, 2), 6: (0,), 7: (0, 1, 2)}  # by DL-AC


@pytest.mark.parametrize("access", SLOTS)
@pytest.mark.parametrize("option", OPTIONS)
def test_multi(access, option):
    """Behind an uplink multi burst: in every window there is, until something is heard of it. RX3 to RX5 are for t_RO fast."""
    speed = OPTIONS[option][0]
    stage, meter = asked("UL-B4", elements("UL-B4", access=access, timing=option))
    downs = stage.hear(meter.nr(), multi=1, kind=0)
    expected = [RX[speed][slot] for slot in SLOTS[access] if slot in RX[speed]]
    assert [stage.after(one) for one in downs] == pytest.approx(expected, abs=2e-6)
    takes_multi = access in (4, 5, 7)
    assert {one.header.multi for one in downs} == {int(takes_multi)}
    indices = [{0: 1, 3: 1, 1: 2, 4: 2, 2: 3, 5: 3}[slot] for slot in SLOTS[access] if slot in RX[speed]]
    if takes_multi:
        assert [one.index for one in downs] == indices
    assert len({one.payload for one in downs}) == 1 and len({one.number for one in downs}) == 1


# RX0 fast: t_A + t_B + t_A / 2; medium and long spacing, UL-B1 too (sheet 11.1).
@pytest.mark.parametrize(
    ("submode", "kind", "tiv", "rx0"),
    [
        ("UL-B4", 0, 64, 7.125),
        ("UL-B4", 1, 64, 21.375),
        ("UL-B4", 2, 64, 38),  # example Q.17
        ("UL-B1", 0, 64, 21.375),
        ("UL-B2", 1, 64, 64.125),
        ("UL-B3", 2, 64, 114),
    ],
)
def test_spacing(submode, kind, tiv, rx0):
    stage, meter = asked(submode, elements(submode))
    down = stage.one(meter.nr(), multi=1, kind=kind, tiv=tiv, then=130)
    assert stage.after(down) == pytest.approx(rx0, abs=2e-6)


@pytest.mark.parametrize(("tiv", "t_a", "t_b"), [(0, 1.25, 2.75), (127, 3.234375, 4.734375)])
def test_tiv_moves_the_slots_and_is_echoed(tiv, t_a, t_b):
    """Table Q.21: t_jitter."""
    stage, meter = asked("UL-B4", elements("UL-B4", access=4))
    stage.tivs = (tiv,)
    down = stage.hear(meter.nr(), multi=1, kind=0, heard=(1,), tiv=tiv)
    assert [stage.after(one) for one in down] == pytest.approx(
        [t_a + t_b + t_a / 2, t_a + t_b + t_a, t_a + t_b + 1.5 * t_a], abs=2e-6
    )
    assert {one.header.tiv for one in down} == {tiv}


@pytest.mark.parametrize("heard", [(1,), (2,), (3,), (1, 2), (2, 3), (1, 3)])
def test_whichever_burst_was_heard(heard):
    """RX0 counts from there: + t_A + t_B + t_RO, + t_B + t_RO (Q.2.4.6.3)."""
    stage, meter = asked("UL-B4", elements("UL-B4", access=2))
    down = stage.one(meter.nr(), multi=1, kind=0, heard=heard)
    assert stage.after(down) == pytest.approx(7.125, abs=2e-6)


def test_counted_from_the_burst_that_was_heard():
    """Not from where T0 would have been: the meter's clock is 200 ppm slow, ours counts from UL2."""
    stage, meter = asked("UL-B4", elements("UL-B4", access=2))
    sent = burst.uplink(meter.nr(), TIV, 1, 2)
    t0_us = stage.now_us + us(1)
    ul2_us = t0_us + us(12) + 2400
    stage.burst(sent[0], t0_us)
    stage.later(1)
    assert not stage.downs
    stage = asked("UL-B4", elements("UL-B4", access=2))[0]
    stage.burst(sent[1], ul2_us)
    stage.later(60)
    assert stage.downs[0].sync_us - ul2_us == us(20 + 6)


def test_window_of_half_a_millisecond():
    stage, meter = asked("UL-B4", elements("UL-B4"))
    stage.hear(meter.nr())
    handed_us, action = stage.handed[0]
    assert action.until_us - action.at_us == 1000
    # 64 chips at 24 kcps are 2.667 ms.
    assert abs((action.at_us + action.until_us) // 2 - (stage.t0_us + 1500000 - 2667)) <= 1
    assert 9000 <= action.at_us - handed_us <= 11000  # others are heard until then


@pytest.mark.parametrize("downlink", ("DL-B1", "DL-B2"))
def test_sub_carriers(downlink):
    """UC: n0 for RX0 and RX3, n1 for RX1 and RX4, n2 for RX2 and RX5 (example 84 = (4, 1, 3))."""
    stage, meter = asked("UL-B4", elements("UL-B4", access=5, downlink=downlink, downlink_n=(4, 1, 3)))
    downs = stage.hear(meter.nr(), multi=1, kind=0)
    assert [one.name for one in downs] == [downlink + ".{}".format(n) for n in (4, 1, 3, 4, 1, 3)]


def test_carrier_is_moved_by_as_much_as_that_of_the_meter_is_off():
    """Table Q.8 a; scaled by 869.525 / 868.35: 10000 Hz become 10013 Hz."""
    stage, meter = asked("UL-B4", elements("UL-B4"))
    assert stage.one(meter.nr(), offset_hz=10000).offset_hz == 10013
    stage, meter = asked("UL-B1", elements("UL-B1"))
    assert stage.one(meter.nr(), offset_hz=-20000).offset_hz in (-20022, -20023)
    stage, meter = asked("UL-B4", elements("UL-B4"))
    assert stage.one(meter.nr()).offset_hz == 0


# Largest payload by DL-RXM (sheet 14): rates 7/8, 1/2, 1/3.
@pytest.mark.parametrize(
    ("downlink", "rxm", "ms", "sizes"),
    [
        ("DL-B1", 9, 400, (69, 39, 26)),
        ("DL-B2", 9, 400, (156, 89, 59)),
        ("DL-B1", 8, 300, (47, 27, 17)),
        ("DL-B3", 4, 75, (47, 27, 17)),
        ("DL-B4", 4, 75, (178, 102, 67)),
        ("DL-B4", 3, 50, (112, 64, 42)),
    ],
)
def test_rate_and_length(downlink, rxm, ms, sizes):
    """The strongest code that fits DL-RXM, and never a burst that is longer."""
    stage = Stage()
    meter = Meter(up=elements("UL-B4", downlink=downlink, rxm=rxm))
    stage.hear(meter.nr())
    one = stage.partner
    for kind in (0, 1, 2):
        for length, fits in ((sizes[kind], True), (sizes[kind] + 1, False)):
            frame = bytes(length)
            chips = None
            if length <= sizes[0]:
                chips = one.chips(frame, 0)[0]
                rate = {"1": 2000, "2": 4000, "3": 8000, "4": 24000}[downlink[4]]
                assert 8000 * len(chips) <= ms * rate
            # chips of each rate: 160 + 8 L_D, L_D by sheet 4
            expected = {0: length + -(-length // 7) + 1, 1: 2 * length + 1, 2: 3 * length + 2}[kind]
            if fits:
                assert len(chips) >= 20 + expected
            elif kind == 0:
                assert not one.holds(length)


def test_what_is_too_long_for_one_goes_in_fragments():
    stage, meter = asked("UL-B4", elements("UL-B4", downlink="DL-B2", rxm=9))
    stage.role.cancel(1, stage.now_us)
    stage.order(Exchange("SND-UD2", 0x5B, bytes.fromhex("0413E8030000") * 50))
    down = stage.one(meter.nr())
    assert down.c_field & ~0x20 == 0x53  # SND-UD, piece by piece
    assert down.air_us <= 400000
    pieces = []
    while down.c_field & ~0x20 == 0x53:
        afl, at = authentication.parse_if_any(down.llc.payload, 0)
        pieces.append((afl, down.llc.payload[at:], down.number))
        down = stage.one(meter.ack(down))
    assert [one.fragment_id for one, _, _ in pieces] == list(range(1, len(pieces) + 1)) and len(pieces) > 2
    assert sum(len(piece) for _, piece, _ in pieces) == pieces[0][0].message_length
    assert len({number for _, _, number in pieces}) == len(pieces)
    assert down.c_field & ~0x20 == 0x5B
    meter.counter = max(meter.counter, pieces[0][0].counter)
    assert stage.one(meter.rsp(down)).c_field == 0x40
    assert stage.steps(2)[-1] == "done"


@pytest.mark.parametrize("access", (0, 1))
def test_none_without_access(access):
    stage, meter = asked("UL-B4", up(access))
    assert stage.hear(meter.nr()) == []
    assert stage.steps() == ["queued", "waiting"]


@pytest.mark.parametrize("session", (1, 2, 3))
def test_none_while_an_uplink_session_goes_on(session):
    stage, meter = asked("UL-B4", up(0, session=session))
    assert stage.hear(meter.nr(), then=5) == []
    meter.up = up(2)
    assert stage.one(meter.nr()) is not None


def test_none_without_melements():
    stage, _ = asked("UL-B4", None)
    assert stage.hear(mac.build(mac.MSNR, None, None, b"\x02" + METER.link_bytes())) == []


def test_none_on_splitting_downlinks():
    stage, meter = asked("UL-B4", up(2, "DL-S1"))
    assert stage.hear(meter.nr()) == []


def test_not_behind_an_answer_to_somebody_else():
    stage, meter = asked("UL-B4", up())
    down = stage.one(meter.nr())
    foreign = Meter(up=up())
    assert stage.hear(foreign.frame(mac.MSNR, 0x08, 0x77, foreign.empty(0x8A, 3), receiver=OTHER)) == []
    assert stage.hear(foreign.frame(mac.MRSP, receiver=OTHER)) == []
    assert stage.hear(foreign.frame(mac.MERR, receiver=OTHER)) == []
    assert stage.one(meter.nr()).number == down.number


def test_a_slot_that_is_over_when_the_decoder_is_done():
    """Late captures: what is left of the slots is used, else the next uplink is waited for."""
    stage, meter = asked("UL-B4", elements("UL-B4", access=3), costly=True)
    frame = meter.nr()
    sent = burst.uplink(frame, TIV, 1, 0)
    bad = bytearray(sent[0])
    for at in range(12, 30):
        bad[at] ^= 0x10
    t0_us = stage.now_us + us(1)
    stage.burst(bytes(bad), t0_us)
    assert [one.header.length for one in stage.captures] == [len(frame)]
    stage.run(t0_us + us(5))
    stage._do(stage.role.decoded(stage.captures[0].number, frame, stage.now_us))
    stage.later(60)
    assert [one.sync_us - t0_us for one in stage.downs] == [pytest.approx(us(7.125), abs=2)]
    # Behind all of them: nothing is sent, nothing is lost.
    frame = meter.nr()
    bad = bytearray(burst.uplink(frame, TIV, 0, 0)[0])
    for at in range(12, 30):
        bad[at] ^= 0x10
    stage.burst(bytes(bad), stage.now_us + us(1))
    stage.later(20)
    count = len(stage.downs)
    stage._do(stage.role.decoded(stage.captures[-1].number, frame, stage.now_us))
    stage.later(20)
    assert len(stage.downs) == count
    assert stage.role.decoded(stage.captures[-1].number, frame, stage.now_us) == []  # nobody waits for it
    assert stage.role.decoded(77, None, stage.now_us) == []
    assert stage.one(meter.nr()) is not None


def test_an_old_frame_that_comes_late_moves_no_slot():
    stage, meter = asked("UL-B4", elements("UL-B4", timing=8), costly=True)
    old = meter.nr()
    bad = bytearray(burst.uplink(old, TIV, 0, 0)[0])
    for at in range(12, 30):
        bad[at] ^= 0x10
    stage.burst(bytes(bad), stage.now_us + us(1))
    t0_us = stage.now_us + us(3)
    stage.burst(burst.uplink(meter.nr(), TIV, 0, 2)[0], t0_us)
    stage._do(stage.role.decoded(stage.captures[0].number, old, stage.now_us))
    stage.later(60)
    assert [one.sync_us - t0_us for one in stage.downs] == [pytest.approx(us(9), abs=2)]


def test_readings_are_stamped_with_t0():
    """Q.2.4.6.5.3, also where UL1 was not heard."""
    stage = Stage(wall_us=1767225600 * 1000000)
    meter = Meter(up=elements("UL-B4"))
    stage.hear(meter.nr(), multi=1, kind=2, heard=(3,))
    reading = stage.told[0]
    assert reading.at_us == stage.t0_us and reading.wall_us == stage.wall_us + stage.t0_us
    # The same behind a decoder that took its time.
    stage = Stage(wall_us=1767225600 * 1000000, costly=True)
    frame = meter.nr()
    stage.burst(burst.uplink(frame, TIV, 1, 2)[1], stage.now_us + us(12))
    t0_us = stage.now_us
    stage.later(7)
    stage._do(stage.role.decoded(1, frame, stage.now_us, stage._wall(stage.now_us)))
    reading = stage.told[0]
    assert reading.wall_us == stage.wall_us + reading.at_us
    assert t0_us - us(12.1) < reading.at_us < t0_us - us(11.9)


def test_a_late_part_does_not_hold_up_those_that_follow():
    stage, meter = asked("UL-B4", elements("UL-B4", access=5), WRITE2)
    stage.fates = ["late", "sent", "duty_cycle"]
    downs = stage.hear(meter.nr(), multi=1, kind=0)
    assert [one.index for one in downs] == [2, 1, 2, 3]
    assert stage.session.datagram.tries == 1
    assert stage.steps().count("late") == 2
