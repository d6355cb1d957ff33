"""The ladders L1 to L10 of the LPWAN sheet, section 17, and the sequences of Figures Q.J.3 to Q.J.11, from the gateway's side. Its
meter is made by the test."""

import pytest
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import elements as melements
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.roles import ladder
from omsnode.firmware.transport import fragmentation, header, sealing
from support_burst_gateway import (
    GATEWAY,
    METER,
    OTHER,
    TIV,
    VOLUME,
    Meter,
    Stage,
    keys,
    partner,
    up,
    us,
)
from support_lpwan import FRAMES, PROFILE_B_KEY
from support_window import ALARM, READ, WRITE, WRITE2, Exchange

SND_NKE, SND_UD, SND_UD2, REQ_UD1, REQ_UD2, CNF_IR = 0x40, 0x53, 0x43, 0x5A, 0x5B, 0x06
OPTION_4 = up(5, timing=2, rxm=0)


def pair(*exchanges, told=None, profile="B", mode=7, stage=None, **order):
    meter = Meter(up=told, mode=mode)
    stage = stage or Stage(partners=[partner(profile)])
    stage.made = stage.order(*exchanges, **order) if exchanges else None
    return stage, meter


def closed(stage, down):
    """L2: empty MCNR + SND-NKE with SC = 1, not answered."""
    assert (down.type, down.c_field, down.sc) == ("MCNR", SND_NKE, 1)
    stage.later(5)
    assert stage.session.state == ladder.REST and stage.role.orders() == []


# --- L1 ---


def test_l1_unidirectional():
    """Q.K.3 as it is published, decrypted; nobody is spoken to."""
    from omsnode.firmware.roles.lpwan.gateway_partner import BurstPartner

    stage = Stage(partners=[BurstPartner(METER, PROFILE_B_KEY, "B", 0, keys)])
    stage.order(READ)
    assert stage.hear(bytes.fromhex(FRAMES["Q.K.3"][1])) == []
    (telegram,) = [one.telegram for one in stage.told if hasattr(one, "telegram")]
    assert (telegram.verdict, telegram.counter) == ("authenticated", 2739)
    assert [str(one.quantity) for one in telegram.records][:1] == ["volume"]
    assert stage.told[-1].mode == "UL-B4" or stage.told


# --- L2 ---


@pytest.mark.parametrize(("profile", "mode"), [("A", 5), ("B", 7), ("D", 10), (None, 0)])
def test_l2_application_command(profile, mode):
    """Single burst, option #1, timing #2."""
    stage, meter = pair(WRITE2, profile=profile, mode=mode)
    down = stage.one(meter.nr())
    assert (down.type, down.c_field & ~0x20, down.sc) == ("MCNR", SND_UD2, 0)
    assert stage.after(down) == pytest.approx(1.5, abs=2e-6) and down.header.tiv == TIV
    assert down.llc.receiver.link_bytes() == METER.link_bytes() and down.llc.address is None  # LC 1D
    assert down.tpl.mode == mode
    if mode == 7:
        assert down.opened().rstrip(b"/") == WRITE2.data
    end = stage.one(meter.rsp(down), t0_us=stage.t0_us + us(1.5 + 4.5))
    assert stage.made.log == ["exchange", "RSP-UD 00"]
    assert end.number == down.number + 1 & 0xFF
    closed(stage, end)
    assert stage.steps() == ["queued", "waiting", "sent", "answered", "done"]
    assert min(one.margin_us for one in stage.told if getattr(one, "step", "") == "sent") >= 499


def test_l2_read_and_acknowledged_command():
    for exchange, kind in ((READ, REQ_UD2), (WRITE, SND_UD)):
        stage, meter = pair(exchange, wants=False)
        down = stage.one(meter.nr())
        assert down.c_field & ~0x20 == kind
        answer = meter.rsp(down) if kind == REQ_UD2 else meter.ack(down)
        closed(stage, stage.one(answer))


def test_l2_without_allocation():
    """A service tool names itself, wants to be named (RRX), and says that it is not the partner (ACP)."""
    stage = Stage(partners=[partner(allocated=False)])
    stage, meter = pair(WRITE2, stage=stage)
    down = stage.one(meter.nr())
    assert down.llc.address.link_bytes() == GATEWAY.link_bytes() and down.llc.flag == 1  # LC 5F
    assert down.mac.elements.acp == 1
    assert stage.hear(meter.rsp(down)) == []  # to whom?
    assert stage.hear(meter.rsp(down, receiver=OTHER)) == []
    closed(stage, stage.one(meter.rsp(down, receiver=GATEWAY)))


def test_l2_adapter():
    """With a radio adapter RXA is the adapter, the meter is in the long header (sheet 20)."""
    adapter = Address.parse("55667788.M=XYZ.V=01.T=36")
    meter = Meter(link=adapter)
    stage = Stage()
    stage.hear(meter.nr())
    stage.order(WRITE2)
    down = stage.one(meter.macc())
    assert down.llc.receiver.link_bytes() == adapter.link_bytes()
    assert down.tpl.address.link_bytes() == METER.link_bytes()
    closed(stage, stage.one(meter.rsp(down)))


def test_several_orders_in_one_session():
    """SC only in the last downlink of them all."""
    stage, meter = pair(READ)
    stage.order(WRITE2)
    first = stage.one(meter.nr())
    second = stage.one(meter.rsp(first))
    assert (first.sc, second.sc, second.c_field & ~0x20) == (0, 0, SND_UD2)
    closed(stage, stage.one(meter.rsp(second)))


# --- L4 to L6 and Figures Q.J.3 to Q.J.5 ---


def multi(stage, meter, frame, mack_at=None, heard=(1, 2, 3), t0_us=None):
    """An uplink multi burst, short: TX0, TX1, TX2 at 0, 2.25 and 6 s. mack_at: which of TX1, TX2 are a MACK. Returns [(slot, Down)]."""
    t0_us = t0_us or stage.now_us + us(1)
    count = len(stage.downs)
    sent = burst.uplink(frame, TIV, 1, 0)
    mack = burst.uplink(bytes.fromhex(FRAMES["Q.K.4"][1]), TIV, 0, 2)[0]
    for index, at in ((1, 0), (2, 2.25), (3, 6)):
        if index in (mack_at or ()):
            stage.burst(mack, t0_us + us(at))
        elif index in heard:
            stage.burst(sent[index - 1], t0_us + us(at))
    stage.run(t0_us + us(14))
    stage.t0_us = t0_us
    at = {1.125: "RX3", 3.375: "RX4", 4.5: "RX5", 7.125: "RX0", 8.25: "RX1", 9.375: "RX2"}
    return [(at[round(stage.after(one), 4)], one) for one in stage.downs[count:]]


def slots(found):
    return [(slot, one.index) for slot, one in found]


def test_q_j_3_received_only_at_rx2():
    """L5: UL1 is lost; DL2 and DL3 go where UL2 was heard."""
    stage, meter = pair(WRITE2, told=OPTION_4)
    found = multi(stage, meter, meter.nr(), heard=(2, 3))
    assert slots(found) == [("RX4", 2), ("RX5", 3), ("RX0", 1), ("RX1", 2), ("RX2", 3)]
    assert stage.session.datagram.tries == 1
    end = multi(stage, meter, meter.rsp(found[-1][1]))
    closed(stage, end[0][1])


def test_q_j_3_mack_at_tx2():
    stage, meter = pair(WRITE2, told=OPTION_4)
    found = multi(stage, meter, meter.nr(), mack_at=(3,))
    assert slots(found) == [("RX3", 1), ("RX4", 2), ("RX5", 3)]
    assert stage.role.counters["mack"] == 1


def test_q_j_3_header_only_then_complete():
    """TX1 is skipped: the gateway goes on until it hears a MACK."""
    stage, meter = pair(WRITE2, told=OPTION_4)
    found = multi(stage, meter, meter.nr(), mack_at=(3,), heard=(1,))
    assert slots(found) == [("RX3", 1), ("RX4", 2), ("RX5", 3)]


@pytest.mark.parametrize("heard", [(1, 2), (1,)])
def test_q_j_3_header_only_and_uplinks_skipped(heard):
    """TX2 is skipped (J3-4, J3-5): all slots are used."""
    stage, meter = pair(WRITE2, told=OPTION_4)
    found = multi(stage, meter, meter.nr(), heard=heard)
    assert slots(found) == [("RX3", 1), ("RX4", 2), ("RX5", 3), ("RX0", 1), ("RX1", 2), ("RX2", 3)]


def test_q_j_4_without_optimisation():
    """A meter that has no additional window."""
    stage, meter = pair(WRITE2, told=up(4, timing=2, rxm=0))
    found = multi(stage, meter, meter.nr())
    assert slots(found) == [("RX0", 1), ("RX1", 2), ("RX2", 3)]
    end = multi(stage, meter, meter.rsp(found[0][1]))
    assert slots(end) == [("RX0", 1), ("RX1", 2), ("RX2", 3)]
    closed(stage, end[0][1])


def test_q_j_5_with_optimisation():
    """L4."""
    stage, meter = pair(WRITE2, told=OPTION_4)
    found = multi(stage, meter, meter.nr(), mack_at=(2, 3))
    assert slots(found) == [("RX3", 1)] and found[0][1].sc == 0
    end = multi(stage, meter, meter.rsp(found[0][1]), mack_at=(2, 3))
    assert slots(end) == [("RX3", 1)]
    closed(stage, end[0][1])


def test_a_mack_of_somebody_else_stops_nothing():
    """Another TIV, another time, a meter that sends single bursts, and no meter at all."""
    mack = bytes.fromhex(FRAMES["Q.K.4"][1])
    for tiv, at in ((65, 2.25), (TIV, 2.0), (TIV, 3.0), (TIV, 5.0)):
        stage, meter = pair(WRITE2, told=OPTION_4)
        t0_us = stage.now_us + us(1)
        stage.burst(burst.uplink(meter.nr(), TIV, 1, 0)[0], t0_us)
        stage.burst(burst.uplink(mack, tiv, 0, 2)[0], t0_us + us(at))
        stage.run(t0_us + us(14))
        assert len(stage.downs) == 6 and "mack" not in stage.role.counters
    stage, meter = pair(WRITE2)
    t0_us = stage.now_us + us(1)
    stage.burst(burst.uplink(meter.nr(), TIV, 0, 0)[0], t0_us)
    stage.burst(burst.uplink(mack, TIV, 0, 2)[0], t0_us + us(0.5))
    stage.run(t0_us + us(14))
    assert len(stage.downs) == 1
    stage = Stage()
    assert stage.hear(mack) == []


def test_what_was_to_be_said_in_the_slots_of_an_older_uplink_is_not_said():
    stage, meter = pair(WRITE2, told=OPTION_4)
    t0_us = stage.now_us + us(1)
    stage.burst(burst.uplink(meter.nr(), TIV, 1, 0)[0], t0_us)
    stage.run(t0_us + us(5))
    assert len(stage.downs) == 3
    meter.up = up()
    stage.burst(burst.uplink(meter.nr(), TIV, 0, 2)[0], t0_us + us(5))
    stage.later(60)
    assert len(stage.downs) == 3  # the answer to the first is still awaited
    assert stage.one(meter.rsp(stage.downs[0])).c_field == SND_NKE


def test_duplicates():
    """The same burst by two receivers, and a frame whose bursts come again, are one opportunity."""
    stage, meter = pair(WRITE2)
    chips = burst.uplink(meter.nr(), TIV, 0, 2)[0]
    t0_us = stage.now_us + us(1)
    stage.burst(chips, t0_us)
    stage.burst(chips, t0_us + 2)
    stage.later(60)
    assert len(stage.downs) == 1 and stage.session.collision.tries == 2
    assert stage.role.counters["burst.duplicates"] == 1


# --- L7, Figure Q.J.9 ---


@pytest.mark.parametrize("resume_s", (200, 350))
def test_l7_lost_response(resume_s):
    """SND-UD2 is answered and that is lost; behind the session resume delay a MACC, and the same again."""
    stage, meter = pair()
    stage.partner.resume_s = resume_s
    stage.made = stage.order(WRITE2)
    first = stage.one(meter.nr())
    lost = meter.rsp(first)
    stage.later(resume_s - 60)
    again = stage.one(meter.macc())
    assert (again.payload, again.number) == (first.payload, first.number)
    assert stage.made.log == ["exchange"]
    closed(stage, stage.one(lost))
    assert stage.made.log == ["exchange", "RSP-UD 00"]


def test_l7_what_the_meter_has_forgotten_is_made_anew():
    """Without a session resume delay it keeps an access number for 255 s."""
    stage, meter = pair(WRITE2)
    first = stage.one(meter.nr())
    stage.later(260)
    again = stage.one(meter.nr())
    assert again.number != first.number and again.tpl.access_number != first.tpl.access_number
    assert stage.made.log == ["exchange", "silence", "exchange"]


def test_l7_what_must_not_be_done_twice_is_said_as_it_was():
    """Profile B: a message counter is taken once, so the same again cannot be executed again."""
    stage, meter = pair(WRITE2, once=True)
    first = stage.one(meter.nr())
    stage.later(600)
    again = stage.one(meter.nr())
    assert again.payload == first.payload


def test_l7_plain_and_once():
    """Without protection nobody knows: it has failed, with that reason."""
    stage, meter = pair(WRITE2, once=True, profile=None, mode=0)
    stage.one(meter.nr())
    stage.later(260)
    assert stage.steps()[-1] == "failed"
    assert all(one is None or one.c_field == SND_NKE for one in [stage.one(meter.nr())])


def test_lost_end_is_said_again():
    """The meter has not heard SC = 1: its MACC tells. Not for ever."""
    stage, meter = pair(WRITE2)
    closed(stage, stage.one(meter.rsp(stage.one(meter.nr()))))
    stage.later(200)
    count = 0
    while True:
        end = stage.one(meter.macc())
        if end is None:
            break
        closed(stage, end)
        count += 1
    assert count == 3
    stage.order(READ)
    assert stage.one(meter.macc()).c_field & ~0x20 == REQ_UD2


# --- Annex I and access numbers ---


def test_annex_i():
    """Two tries at once, then one of two opportunities each, 11 in all (P Annex I)."""
    stage, meter = pair(WRITE2)
    tried = []
    for _ in range(24):
        down = stage.one(meter.nr(), then=61)
        tried.append(down is not None)
        if stage.made.log[-1] == "silence":
            break
        stage.partner.kept_us = us(1e6)
    assert tried[:2] == [True, True]
    assert 9 <= sum(tried) <= 12
    assert False in tried
    assert stage.steps()[-1] in ("failed", "late", "retry", "sent")


def test_silence_ends_with_a_reason():
    stage, meter = pair(WRITE2)
    for _ in range(120):
        stage.one(meter.nr(), then=20)
    assert stage.steps()[-1] == "failed"
    assert "no answer to 11 tries" in stage.details("failed")[0]
    stage.later(600)
    assert stage.role.orders() == []


def test_access_numbers_are_not_used_again_within_300_s():
    stage, meter = pair()
    used = []
    for _ in range(12):
        stage.order(READ)
        down = stage.one(meter.nr(), then=5)
        used.append((down.number, stage.now_us))
        down = stage.one(meter.rsp(down), then=5)
        used.append((down.number, stage.now_us))
    assert [number for number, _ in used] == [used[0][0] + i & 0xFF for i in range(len(used))]
    # 250 within 300 s are the most.
    stage.partner._used = [stage.now_us] * 250
    stage.order(READ)
    assert stage.hear(meter.nr(), then=10) == []
    stage.later(290)
    assert stage.one(meter.nr()) is not None


def test_rtrm():
    """t_RM is asked for, never less than the least that was announced (Q.3.5.3.1.1). Timing options: 1 fast, 2 medium, 3 slow."""
    for wanted, option, said in ((0, 2, 0), (1, 1, 1), (1, 2, 2), (1, 3, 3), (3, 1, 3), (2, 4, 2), (1, 8, 3)):
        stage = Stage(partners=[partner(rtrm=wanted)])
        stage, meter = pair(READ, told=up(2, timing=option, rxm=0), stage=stage)
        down = stage.one(meter.nr())
        assert down.mac.elements.rtrm == said


def test_the_answer_is_waited_for():
    """UL-B4, timing #2: at most 50 s behind RX0; with RTRM the t_RM that was asked for. Until then nothing is said again."""
    stage, meter = pair(READ)
    stage.one(meter.nr(), then=40)
    assert stage.hear(meter.nr(), then=5) == []
    stage.later(10)
    assert stage.one(meter.nr()) is not None
    stage = Stage(partners=[partner(rtrm=1)])
    stage, meter = pair(READ, told=up(2, timing=1, rxm=0), stage=stage)
    stage.one(meter.nr(), then=9)  # 1.5 + 4.5 s, and a second
    assert stage.one(meter.nr()) is not None


# --- L8 ---


@pytest.mark.parametrize(
    ("install", "confirmed"),
    [("none", False), ("known", True), ([METER], True), ([OTHER], False)],
    ids=("none", "known", "list", "not in list"),
)
def test_l8_installation(install, confirmed):
    """CNF-IR in the slot of the SND-IR, with the meter's own numbers, SC = 1; no SND-NKE, for which there is no slot."""
    stage = Stage(install=install)
    meter = Meter(up=up(2, timing=2, rxm=0))
    down = stage.one(meter.installation())
    told = [one for one in stage.told if type(one).__name__ == "Installation"]
    assert told[0].step == "heard" and told[0].detail == -80
    if confirmed:
        assert (down.type, down.c_field, down.number, down.sc) == ("MCNR", CNF_IR, 0x21, 1)
        assert down.tpl.access_number == 1 and down.tpl.address.link_bytes() == METER.link_bytes()
        assert stage.after(down) == pytest.approx(1.5, abs=2e-6)
        assert [one.step for one in told] == ["heard", "confirmed"]
    else:
        assert down is None and len(told) == 1
    stage.later(60)
    assert len(stage.downs) == int(confirmed)


def test_l8_stranger_that_is_allowed():
    """It is of no partner."""
    address = Address.parse("44443333.M=KAM.V=02.T=07")
    stage = Stage(install=[Address.parse("44443333")])
    meter = Meter(up=OPTION_4, address=address, mode=0)
    downs = multi(stage, meter, meter.installation())
    assert slots(downs)[:1] == [("RX3", 1)] and len(downs) == 6
    assert downs[0][1].llc.receiver.link_bytes() == address.link_bytes()
    assert stage.hear(Meter(address=address, mode=0).nr()) == []


def test_l8_what_is_short_says_less():
    """25 bytes hold a CNF-IR without TPL, 14 none, 47 all of it (sheet 14: DL-RXM)."""
    for downlink, rxm, size in (("DL-B1", 7, 17), ("DL-B1", 6, None), ("DL-B2", 6, 38)):
        stage = Stage(install="known")
        told = up(2, downlink, downlink_n=(2, 0, 0), timing=2, rxm=rxm)
        down = stage.one(Meter(up=told).installation())
        assert (down and len(down.payload)) == size
        assert down is None or down.c_field == CNF_IR


# --- ACC-DMD ---


def test_access_demand():
    """What there is, is asked for in its slot; once."""
    stage, meter = pair()
    stage.hear(meter.nr())
    down = stage.one(meter.demand())
    assert down.c_field & ~0x20 == REQ_UD1
    end = stage.one(meter.rsp(down))
    assert end.c_field == SND_NKE
    closed(stage, end)
    stage = Stage(demands=False)
    stage.hear(meter.nr())
    assert stage.hear(meter.demand()) == []
    stage, meter = pair(READ)
    assert stage.one(meter.demand()).c_field & ~0x20 == REQ_UD2  # there is something to say


# --- fragments of the meter ---


def pieces(meter, down, data=VOLUME * 20, size=40):
    meter.heard(down)
    meter.counter += 1
    security = sealing.Security(7, meter.key, meter.counter)
    number = down.tpl.access_number
    afl, message = sealing.seal(security, 0x7A, METER, number, 0, data, fragmented=True)
    return fragmentation.split(afl, message, [size])


@pytest.mark.parametrize("exchange", (READ, WRITE2))
def test_answer_in_an_uplink_session(exchange):
    """11.5: all the parts in a row, UL-SC > 0 in all but the last; nothing is said in between."""
    stage, meter = pair(exchange)
    down = stage.one(meter.nr())
    parts = pieces(meter, down)
    assert len(parts) == 4
    at_us = stage.now_us
    for i, part in enumerate(parts):
        last = i + 1 == len(parts)
        told = up() if last else up(0, session=1)
        found = stage.hear(
            meter.frame(mac.MSNR, 8, down.number, part, up=told), at_us, then=60 if last else 1
        )
        at_us += us(1.5)
        assert (found != []) == last
    assert stage.made.log == ["exchange", "RSP-UD 00"]
    assert len(stage.made.last.telegram.records) == 20
    closed(stage, found[0])


def test_lost_part_of_an_uplink_session():
    """The same access number again: the meter repeats all of it."""
    stage, meter = pair(WRITE2)
    down = stage.one(meter.nr())
    parts = pieces(meter, down)

    def said(lost):
        at_us = stage.now_us
        found = []
        for i, part in enumerate(parts):
            last = i + 1 == len(parts)
            told = up() if last else up(0, session=1)
            if i != lost:
                frame = meter.frame(mac.MSNR, 8, down.number, part, up=told)
                found += stage.hear(frame, at_us, then=60 if last else 1)
            at_us += us(1.5)
        return found

    assert said(1) == []
    again = stage.one(meter.macc())
    assert again.payload == down.payload
    closed(stage, said(None)[0])
    assert stage.made.log == ["exchange", "RSP-UD 00"]


def test_parts_far_apart():
    """UL-B1 multi burst long: 3 t_burst are 144 s (11.5)."""
    stage = Stage("UL-B1")
    told = up(2, "DL-B4", uplink_n=(2, 2, 2), timing=2, rxm=0)
    meter = Meter("UL-B1", told)
    made = stage.order(READ)
    down = stage.one(meter.nr(), multi=1, kind=2, then=30)
    parts = pieces(meter, down, VOLUME * 10)
    at_us = stage.now_us
    for i, part in enumerate(parts):
        last = i + 1 == len(parts)
        meter.up = told if last else up(0, uplink_n=(2, 2, 2), session=1)
        found = stage.hear(meter.frame(mac.MSNR, 8, down.number, part), at_us, multi=1, kind=2, then=30)
        at_us += us(144)
    assert made.log == ["exchange", "RSP-UD 00"]
    assert found[0].c_field == SND_NKE


def test_answer_piece_by_piece():
    """A meter that offers access behind each part is asked for the next one."""
    stage, meter = pair(READ)
    down = first = stage.one(meter.nr())
    for part in pieces(meter, first):
        assert down.c_field & ~0x20 == REQ_UD2
        down = stage.one(meter.frame(mac.MSNR, 8, down.number, part))
    assert stage.made.log == ["exchange", "RSP-UD 00"]
    closed(stage, down)


# --- orders that end otherwise ---


def test_expired_and_cancelled():
    stage, meter = pair()
    stage.order(READ, expires_us=stage.now_us + us(100))
    number = stage.order(WRITE2).number
    stage.later(200)
    assert stage.steps(1)[-1] == "expired"
    down = stage.one(meter.nr(), then=5)
    assert stage.role.cancel(number, stage.now_us)
    stage.later(5)
    assert stage.steps(2)[-1] == "cancelled" and "may have been executed" in stage.details("cancelled")[0]
    # Its answer comes nevertheless; the session is closed.
    closed(stage, stage.one(meter.rsp(down)))


def test_cancelled_while_its_slot_is_waited_for():
    stage, meter = pair(READ)
    stage.burst(burst.uplink(meter.nr(), TIV, 0, 2)[0], stage.now_us + us(1))
    assert stage.role.cancel(1, stage.now_us)
    stage.later(60)
    assert stage.downs == [] and stage.steps()[-1] == "cancelled"


def test_refused():
    stage, meter = pair(WRITE2)
    closed(stage, stage.one(meter.nack(stage.one(meter.nr()))))
    assert stage.steps()[-2:] == ["refused", "failed"]


def test_alarm():
    stage, meter = pair(ALARM)
    down = stage.one(meter.nr())
    assert down.c_field & ~0x20 == REQ_UD1
    closed(stage, stage.one(meter.ack(down)))


@pytest.mark.parametrize(("rxm", "reason"), [(1, "too few"), (4, "too few")])
def test_a_meter_that_receives_next_to_nothing(rxm, reason):
    """DL-B1 with the default of UL-B4: not even 5 bytes (sheet 14)."""
    stage, meter = pair(READ, WRITE2, told=up(2, "DL-B1", downlink_n=(2, 0, 0), timing=2, rxm=rxm))
    for _ in range(14):
        stage.hear(meter.nr(), then=6)
    assert stage.downs == []
    stage.later(600)
    assert stage.steps()[-1] in ("failed", "late")


def test_a_smaller_window_than_before():
    """What was made for one burst is made anew for a smaller one, while it was not sent."""
    stage, meter = pair(Exchange("SND-UD2", 0x5B, VOLUME * 15), told=up(2, "DL-B3", timing=2, rxm=0))
    stage.fates = ["late"]
    assert stage.hear(meter.nr()) == []
    number = stage.session.datagram.number
    meter.up = up(2, "DL-B3", timing=2, rxm=6)  # 150 ms: 1200 chips
    down = stage.one(meter.nr())
    assert down.air_us <= 150000 and down.number != number
    assert down.c_field & ~0x20 == SND_UD
    # It was sent: as it is or not at all, until the meter has forgotten it.
    meter.up = up(2, "DL-B3", timing=2, rxm=2)
    assert stage.hear(meter.nr(), then=100) == []


# --- store and restart ---


def test_nothing_is_said_before_it_is_stored():
    stage, meter = pair(WRITE2)
    stage.one(meter.nr())
    first = stage.order_of_things.index("sent")
    assert "stored" in stage.order_of_things[:first]
    stored = stage.stored[-1]["gateway"]["partners"][str(METER)]
    assert list(stored["counters"].values()) == [[stage.partner.side.sent, stage.partner.side.heard]]


def test_a_disk_that_fails():
    stage, meter = pair(WRITE2)
    stage.disk = False
    assert stage.hear(meter.nr(), then=5) == []
    assert stage.hear(meter.nr(), then=30) == []
    assert "sent" not in stage.order_of_things and stage.role.counters["unstored"] > 0
    stage.disk = True
    stage.later(20)
    assert stage.one(meter.nr()) is not None


def test_restart_in_the_middle():
    """The order goes on with new numbers; the counter does not go back."""
    stage = Stage()
    stage.ask("write volume 12.3")
    meter = Meter()
    first = stage.one(meter.nr())
    counter = stage.partner.side.sent
    again = Stage(state=stage.stored[-1], now_us=5)
    assert again.hear(Meter(address=OTHER, mode=0).nr()) == []
    down = again.one(meter.nr())
    assert again.partner.side.sent > counter and down.number != first.number
    assert down.c_field & ~0x20 == first.c_field & ~0x20
    end = again.one(meter.rsp(down))
    assert again.role.orders() == [] and end.c_field == SND_NKE


@pytest.mark.parametrize("cut", range(0, 12))
def test_restart_wherever_the_power_fails(cut):
    """Behind every write: each order comes to one end."""
    stage, meter = pair()
    stage.ask("read")
    stage.ask("write volume 12.3")
    for _ in range(3):
        for down in stage.hear(meter.nr()):
            stage.hear(meter.rsp(down))
    states = stage.stored
    again = Stage(state=states[min(cut, len(states) - 1)], now_us=5)
    for _ in range(12):
        found = again.hear(meter.nr())
        while found and found[0].c_field != SND_NKE:
            found = again.hear(meter.rsp(found[0]) if found[0].tpl else meter.nr())
    assert again.role.orders() == []


def test_damaged_state():
    from omsnode.firmware.errors import StoreError

    stage, meter = pair(READ)
    state = stage.role.state()
    for value in ("x", [1, 2, 3], [0, 0, "", None], [300, 0, 1, None], 7, [5, 0, 1, 9]):
        state["gateway"]["partners"][str(METER)]["mac"] = value
        with pytest.raises(StoreError):
            Stage(state=state)
    state["gateway"]["partners"][str(METER)]["mac"] = None
    for value in ("x", -2, 5000):
        state["gateway"]["partners"][str(METER)]["resume_s"] = value
        with pytest.raises(StoreError):
            Stage(state=state)


def test_times_that_are_told_are_meant_at_rx0():
    """UC-04 in the slots of RX3 and RX2 alike: 11.2; RX0 is 7.125 s behind T0."""
    wall_us = 1767225600 * 1000000
    for heard in ((1,), (3,)):
        stage = Stage(wall_us=wall_us)
        stage.ask("clock-adjust")
        meter = Meter(up=OPTION_4)
        meter.up = up(3, timing=2, rxm=0)
        found = stage.hear(meter.nr(), multi=1, kind=0, heard=heard, then=30)
        assert len(found) == (2 if heard == (1,) else 1)
        for_us = stage.session.datagram.for_us
        assert abs(for_us - (stage.t0_us + us(7.125))) < 2000, heard
        # As long as it was not sent it is not made again for another slot of the same uplink.
        assert found[0].number == found[-1].number


def test_header_says_what_the_meter_needs():
    stage, meter = pair(READ, told=up(2, "DL-B4", timing=2, rxm=0))
    down = stage.one(meter.nr())
    assert header.parse(down.llc.payload, 0).ci == 0x80
    assert melements.option(meter.up) == 1
    assert down.header.type == 2  # rate 1/3, as it fits
