"""The gateway: when it speaks, what it stores before, what it believes, and that nothing is executed twice or lost unnoticed.

Requirement rows (ACC-*, ADR-*, COL-*, ...) are those of oms-requirements sheet 16.
"""

import json

import pytest
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.link import extended, frame_a, interval_us
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.entropy import Entropy
from omsnode.firmware.roles.gateway import OrderEvent
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.seen import Glance, Seen
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection
from support_window import (
    ENTROPY,
    GATEWAY,
    MASTER,
    METER,
    READ,
    WRITE,
    WRITE2,
    Meter,
    Order,
    S,
    Stage,
    said,
)

OTHER = Address.parse("99999999.M=XYZ.V=01.T=07")
NEAR = ("T2", "S2")


def known(mode="C2", meter=None, **settings):
    """A stage whose meter has been heard."""
    stage = Stage(mode, **settings)
    meter = meter or Meter()
    stage.hear(meter.nr())
    return stage, meter


def opened(telegram, key=MASTER, address=METER):
    """(Opened, Tpl) of a command, as the meter reads it."""
    link = link_telegram.parse(telegram)
    afl, at = authentication.parse_if_any(telegram, link.offset)
    tpl = header.parse(telegram, at)
    return protection.open_message(telegram, tpl, afl, address, lambda *_: key), tpl


# --- when ---


@pytest.mark.parametrize(
    "mode, least_us, most_us, leads",
    [
        # t_RO of link sheet 8.2, from the end of the frame; the trailer of 8 chips is inside it or not.
        ("T2", 2000 + 80, 3000, (0, 5000)),
        ("S2", 3000 + 244, 50000, (0, 20000)),
        ("C2", 999500, 1000500, (9000, 10000)),
    ],
)
def test_the_window_behind_a_frame(mode, least_us, most_us, leads):
    stage, meter = known(mode)
    stage.order(READ)
    end_us = stage.now_us + S + 5000
    assert len(stage.hear(meter.nr(), end_us - 5000)) == 1
    ((offered_us, action),) = stage.offers
    assert (action.mode, action.direction) == (mode, modes.DOWN)
    assert end_us + least_us <= action.at_us < action.until_us <= end_us + most_us
    # Armed at once where it is short; else handed out shortly before, so that others are heard meanwhile.
    assert leads[0] <= action.at_us - offered_us <= leads[1]
    (sent,) = [one for one in stage.told if getattr(one, "step", None) == "sent"]
    assert sent.margin_us == (action.until_us - action.at_us) // 2
    assert frame_a.strip(bytes(frame_a.build(action.telegram))) == action.telegram


def test_mode_c_with_fast_response():
    stage, meter = known()
    stage.order(READ)
    end_us = stage.now_us + S + 5000
    assert stage.hear(meter.nr(cc=0xC0), end_us - 5000)
    ((_, action),) = stage.offers
    assert end_us + 99500 <= action.at_us < action.until_us <= end_us + 100500


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
@pytest.mark.parametrize("cc", [0x00, 0x04, 0x90, 0x94])
def test_no_answer_where_the_bits_forbid_it_nor_to_a_repeater(mode, cc):
    """WIN-03; link sheet 10: never use H = 1 frames for the access window."""
    stage, meter = known(mode)
    stage.order(READ)
    meter.cc = 0
    assert stage.hear(meter.nr(cc)) == []
    assert stage.hear(meter.nr(0x80))


def test_without_ell_the_configuration_field_says_when():
    """Link sheet 7.2: bits 15, 14 and 0 of the field of modes 0 and 5; oms-requirements 6.1: then TPL-ACC does both."""
    stage = Stage("T2", [Partner(METER, None)])

    def frame(field, number):
        payload = bytes((0x7A, number, 0)) + field.to_bytes(2, "little") + bytes.fromhex("0413E8030000")
        return link_telegram.build(0x44, METER, payload)

    stage.hear(frame(0x8000, 1))
    order = stage.order(READ)
    assert stage.hear(frame(0x0000, 2)) == []
    assert stage.hear(frame(0x8001, 2)) == []  # repeated
    (asked,) = stage.hear(frame(0x8000, 3))
    c_field, number, tpl, link = said(asked)
    assert link.ell is None and c_field == 0x7B and tpl.ci == 0x80
    answer = link_telegram.build(
        0x08, METER, bytes((0x7A, number, 0, 0, 0x80)) + bytes.fromhex("0413E8030000")
    )
    stage.hear(answer)
    assert order.log == ["exchange", "RSP-UD 00"]


def test_armed_replies_are_prepared_before_the_meter_speaks():
    stage, meter = known("T2")
    stage.order(READ)
    event_free = len(stage.stored)
    stage.hear(meter.nr())
    # Neither made nor stored between the frame and its answer.
    assert stage.order_of_things[: event_free + 1][-1] == "sent"


@pytest.mark.parametrize("mode", NEAR)
def test_without_arming_it_is_tried_all_the_same(mode):
    stage, meter = known(mode, arming=False)
    stage.order(READ)
    assert len(stage.hear(meter.nr())) == 1


def test_a_meter_that_always_listens_is_spoken_to_at_once():
    """B = A = 1; Annex I: a datagram may be sent at once."""
    stage, meter = known(meter=Meter(cc=0x84))
    stage.order(READ)
    stage.run(stage.now_us + S)
    assert len(stage.sent) == 1
    stage.run(stage.now_us + 3 * S)
    assert len(stage.sent) >= 2  # no answer: again
    stage.hear(meter.rsp(stage.sent[0].telegram))
    assert stage.sent[-1].telegram[1] == 0x40
    assert stage.steps()[-1] == "done"


def test_at_once_is_not_said_to_a_meter_that_listens_no_more():
    """WIN-03: the bits of its last frame count, also of one that came when the datagram was on its way."""
    stage, meter = known(meter=Meter(cc=0x84))
    stage.order(READ)
    frame = bytes(frame_a.build(meter.nr(0x04)))
    now_us = stage.now_us + 5000
    stage._do(stage.role.feed(radio.Event(radio.FRAME, stage.now_us, now_us, frame, "C", "A", -60), now_us))
    stage.run(stage.now_us + 60 * S)
    assert stage.offers == [] and stage.role.orders()
    assert len(stage.hear(meter.nr(0x80))) == 1


def test_and_all_tries_end():
    stage, meter = known(meter=Meter(cc=0x84))
    stage.order(READ)
    for _ in range(24):
        stage.run(stage.now_us + 40 * S)
        stage.hear(meter.nr())
    assert [one.telegram[1] & ~0x20 for one in stage.sent[:12]] == [0x5B] * 11 + [0x40]
    assert stage.steps()[-1] == "failed"


def test_another_meter_is_heard_while_a_window_is_waited_for():
    other = Partner(OTHER, MASTER, "B")
    stage = Stage("C2", [Partner(METER, MASTER, "B"), other])
    meter, second = Meter(), Meter(OTHER)
    stage.hear(meter.nr())
    stage.hear(second.nr())
    stage.order(READ)
    stage.order(READ, meter=OTHER)
    feed = stage.role.feed
    for one, at_us in ((meter, 0), (second, 300000)):
        frame = bytes(frame_a.build(one.nr()))
        now_us = stage.now_us + at_us
        stage._do(feed(radio.Event(radio.FRAME, now_us, now_us + 5000, frame, "C", "A", -60), now_us + 5100))
    stage.run(stage.now_us + 2 * S)
    assert [said(one.telegram)[2].address for one in stage.sent] == [METER, OTHER]


# --- who else ---


def test_an_answer_to_somebody_else_is_no_opportunity():
    """COL-04."""
    stage, meter = known()
    stage.order(READ)
    theirs = link_telegram.build(0x08, METER, extended.build(0x80, 0x77) + meter._empty(0x8A, 0x77, 0))
    named = link_telegram.build(0x00, METER, extended.build(0x80, 0x77, OTHER) + meter._empty(0x8A, 0x77, 0))
    assert stage.hear(theirs) == [] and stage.hear(named) == []
    assert stage.hear(meter.nr())


def test_the_answer_that_names_another_is_not_ours():
    """ADR-04."""
    stage, meter = known()
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.hear(meter.rsp(asked, receiver=OTHER))
    assert order.log == ["exchange"]
    stage.hear(meter.rsp(asked, receiver=GATEWAY))
    assert order.log == ["exchange", "RSP-UD 00"]


@pytest.mark.parametrize("mode", ["C2", "T2"])
def test_what_names_another_gets_no_word_and_what_names_us_is_named(mode):
    """ADR-04, ADR-09."""
    stage, meter = known(mode, install="known")
    empty = meter._empty(0x8A, meter.number, 0)
    for c_field in (0x44, 0x46, 0x47, 0x48):
        assert stage.hear(meter._frame(c_field, meter.number, empty, None, OTHER)) == []
    stage.run(stage.now_us + 60 * S)
    assert stage.sent == []
    for c_field, answer in ((0x46, 0x06), (0x48, 0x00)):
        (sent,) = stage.hear(meter._frame(c_field, meter.number, empty, None, GATEWAY))
        c_field, number, tpl, link = said(sent)
        assert (c_field, number, tpl.access_number) == (answer, meter.number, meter.number)
        assert link.ell.receiver == METER


def test_what_is_not_allocated_names_itself_and_wants_to_be_named():
    """ADR-07, ADR-08."""
    stage, meter = known(partners=[Partner(METER, MASTER, "B", allocated=False)])
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    assert said(asked)[3].ell.receiver == METER
    stage.hear(meter.rsp(asked))
    assert order.log == ["exchange"]
    stage.hear(meter.rsp(asked, receiver=GATEWAY))
    assert order.log == ["exchange", "RSP-UD 00"]


def test_an_adapter_is_named():
    """ADR-06, ADR-11."""
    adapter = Address.parse("11223344.M=RAD.V=03.T=37")
    stage, meter = known(meter=Meter(link=adapter))
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    link = said(asked)[3]
    assert link.ell.ci == 0x8E and link.ell.receiver == adapter
    assert said(asked)[2].address == METER


@pytest.mark.parametrize("wrong", ["number", "message", "meter"])
def test_answers_are_matched_by_meter_and_both_numbers(wrong):
    """ACC-07, ACC-12, ACC-14."""
    stage, meter = known()
    order = stage.order(WRITE, wants=False)
    (asked,) = stage.hear(meter.nr())
    answer = bytearray(meter.ack(asked))
    answer[{"number": 12, "message": 22, "meter": 14}[wrong]] ^= 1
    stage.hear(bytes(answer))
    assert order.log == ["exchange"]
    stage.hear(meter.ack(asked))
    assert order.log == ["exchange", "ACK 00"]


# --- misses ---


def chances(stage, meter, count, late=()):
    """What is sent in the next so many opportunities."""
    out = []
    for index in range(count):
        stage.fates = ["late"] if index in late else []
        out += stage.hear(meter.nr(), stage.now_us + 2 * S)
    return out


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
@pytest.mark.parametrize("fate", ["late", "duty_cycle"])
def test_a_window_that_was_missed(mode, fate):
    """Nothing is sent late; the next opportunity is taken, with the same telegram."""
    stage, meter = known(mode)
    order = stage.order(READ)
    stage.fates = [fate]
    assert stage.hear(meter.nr()) == []
    (asked,) = stage.hear(meter.nr())
    assert [action.telegram for _, action in stage.offers] == [asked, asked]
    assert "late" in stage.steps()
    stage.hear(meter.rsp(asked))
    assert order.outcome == "done"


def test_the_same_frame_again_while_the_meter_remembers():
    """9.3: lost command or lost answer, the same frame with the same g and FCB."""
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.order(WRITE2)
    first = chances(stage, meter, 2)
    assert len(first) == 2 and first[0] == first[1]
    assert stage.steps()[-2:] == ["retry", "sent"]


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_annex_i(mode):
    """COL-01 to COL-03: 11 tries in at most 20 opportunities, each of them to be seen."""
    stage, meter = known(mode, meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.order(READ)
    sent = [len(chances(stage, meter, 1)) for _ in range(20)]
    assert sent[:2] == [1, 1] and sum(sent) == 11
    assert all(sum(sent[at : at + 2]) == 1 for at in range(2, 20, 2))
    chances(stage, meter, 1)
    assert stage.steps()[-1] == "failed"
    assert stage.role.orders() == []


@pytest.mark.parametrize("behind_us", range(-1500000, 500000, 250000))
def test_a_window_behind_the_time_for_which_a_number_is_kept(behind_us):
    """Mode C2 decides a second before: that the meter may have forgotten the number by then costs no try (Annex I)."""
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.order(READ)
    (first,) = stage.hear(meter.nr())
    stage.run(stage.now_us + 3 * S)
    kept_until_us = stage.role._sessions[0].due_us  # 25 s behind the end of the first transmission
    stage.run(kept_until_us + behind_us)
    (second,) = stage.hear(meter.nr(), stage.now_us)
    forgotten = stage.sent[-1].at_us >= kept_until_us
    assert (said(second)[1] != said(first)[1]) == forgotten


def test_a_doubled_answer_is_taken_once():
    stage, meter = known()
    order = stage.order(WRITE, READ)
    (asked,) = stage.hear(meter.nr())
    answer = meter.ack(asked)
    (fetch,) = stage.hear(answer)
    assert stage.hear(answer, stage.now_us + 2 * S) == [fetch]  # the meter has not heard it
    result = meter.rsp(fetch)
    (second,) = stage.hear(result)
    assert stage.hear(result, stage.now_us + 2 * S) == [second]
    assert order.log == ["exchange", "RSP-UD 00", "exchange"]


def test_damaged_answers_are_none():
    stage, meter = known()
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    answer = meter.rsp(asked)
    frame = bytearray(frame_a.build(answer))
    frame[-3] ^= 4
    assert stage.hear(answer, frame=bytes(frame)) == []
    assert order.log == ["exchange"]


# --- what is believed ---


@pytest.mark.parametrize("profile, mode", [("B", 7), ("D", 10), ("A", 5), (None, 0)])
def test_commands_are_protected_with_the_profile_of_the_meter(profile, mode):
    key = MASTER if profile else None
    stage, meter = known(meter=Meter(mode=mode), partners=[Partner(METER, key, profile)])
    stage.order(WRITE2)
    (asked,) = stage.hear(meter.nr())
    found, tpl = opened(asked)
    assert tpl.mode == mode and tpl.ci == 0x5B and tpl.address == METER
    start = 2 if mode in (5, 7) else 0
    assert found.payload[start : start + 6] == WRITE2.data
    assert found.authenticated == (mode in (7, 10))
    if mode in (7, 10):
        assert meter.counter < found.counter <= meter.counter + 100  # SEC-22
    stage.hear(meter.rsp(asked))
    assert stage.steps()[-1] == "done"


@pytest.mark.parametrize("mode", [0, 5, 7])
def test_a_profile_that_is_not_configured_is_learned(mode):
    key = MASTER if mode else None
    stage, meter = known(meter=Meter(mode=mode), partners=[Partner(METER, key)])
    stage.order(WRITE2)
    (asked,) = stage.hear(meter.nr())
    assert opened(asked)[1].mode == mode


def test_a_key_and_no_protection():
    """Nothing is said in clear to a meter that has a key."""
    stage, meter = known(meter=Meter(mode=0), partners=[Partner(METER, MASTER)])
    stage.order(WRITE2)
    assert chances(stage, meter, 3) == []


@pytest.mark.parametrize("forged", ["plain", "mode 5", "wrong key", "altered"])
def test_an_answer_less_protected_than_the_meter_is_none(forged):
    stage, meter = known()
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    liar = Meter(mode={"plain": 0, "mode 5": 5}.get(forged, 7))
    liar.counter = 5000
    if forged == "wrong key":
        liar.key = Key(bytes(16))
    answer = bytearray(liar.rsp(asked))
    if forged == "altered":
        answer[-1] ^= 1
    stage.hear(bytes(answer))
    assert order.log == ["exchange"]
    stage.hear(meter.rsp(asked))
    assert order.log == ["exchange", "RSP-UD 00"]


def test_a_recorded_answer_is_none():
    """Both numbers come again one day; the counter does not."""
    stage, meter = known()
    order = stage.order(READ)
    meter.counter = 50
    (asked,) = stage.hear(Meter().nr())
    stage.hear(meter.rsp(asked))
    assert order.log == ["exchange"]


def test_what_the_meter_has_said_before_is_no_answer():
    """C-field and ELL are not behind the MAC: what was heard since we asked answers nothing under our number."""
    stage, meter = known()
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    _, number, tpl, _ = said(asked)
    payload = meter._protected((0x7A, 0x72), tpl.access_number, 0, bytes.fromhex("0413E8030000"))
    stage.hear(meter._frame(0x44, 0x99, payload, 0x20))
    stage.hear(meter._frame(0x08, number, payload))
    stage.hear(meter.nr(0x00))
    stage.hear(meter._frame(0x08, number, payload))
    assert order.log == ["exchange"]
    stage.hear(meter.rsp(asked))
    assert order.log == ["exchange", "RSP-UD 00"]


def test_an_application_error_is_in_clear():
    stage, meter = known()
    order = stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.hear(meter.error(asked, 0x01))
    assert order.log == ["exchange", "RSP-UD 02"]


# --- counters and numbers ---


def test_a_counter_behind_the_meters_is_raised_once():
    """20h for a counter that is too low: the next is 100 ahead, and then the order is told."""
    stage, meter = known()
    order = stage.order(WRITE2)
    (asked,) = stage.hear(meter.nr())
    (again,) = stage.hear(meter.error(asked, 0x20))
    assert opened(again)[0].counter == opened(asked)[0].counter + 100
    stage.hear(meter.error(again, 0x20))
    assert order.log == ["exchange", "RSP-UD 02"]


def test_access_numbers_and_fcb():
    """ACC-06: none again within 300 s; LNK-15: FCB toggles with each."""
    stage, meter = known(meter=Meter(cc=0x84))
    order = stage.order(*[READ] * 200)
    used, fcb = [], []
    while order.outcome == "more" and len(used) < 300:
        stage.run(stage.now_us + S // 10)
        if not stage.sent:
            continue
        asked = stage.sent[-1].telegram
        number = said(asked)[1]
        used.append((stage.now_us, number))
        fcb.append(asked[1] & 0x20)
        stage.hear(meter.rsp(asked))
    assert len(used) >= 200
    last = {}
    for at_us, number in used:
        assert at_us - last.get(number, -400 * S) > 300 * S
        last[number] = at_us
    assert fcb[:4] == [0x20, 0, 0x20, 0]


@pytest.mark.parametrize("who", ["partner", "stranger"])
def test_access_numbers_of_snd_nke_behind_installations(who):
    """ACC-06: it is one of the numbers that do not come again within 300 s."""
    stage, partner = known()
    meter = partner if who == "partner" else Meter(OTHER, mode=0)
    for _ in range(30):
        stage.hear(meter.installation(0x00))
        stage.run(stage.now_us + 26 * S)
        stage.order(READ)
        (asked,) = stage.hear(partner.nr())
        stage.hear(partner.rsp(asked))
    used = [(one.at_us, said(one.telegram)[1], one.telegram) for one in stage.sent]
    assert len({one[1] for one in used if one[2][1] == 0x40}) > 8
    last = {}
    for at_us, number, telegram in used:
        before_us, before = last.get(number, (-400 * S, telegram))
        assert before == telegram or at_us - before_us > 300 * S
        last[number] = at_us, telegram


def test_numbers_run_out_and_come_back():
    partner = Partner(METER, MASTER, "B")
    taken = [partner.take(at) for at in range(300)]
    assert len(set(taken[:250])) == 250 and set(taken[250:]) == {None}
    assert partner.take(300 * S - 1) is None
    assert partner.take(300 * S + 1) is not None


def test_the_last_message_counter_ends_the_orders():
    partner = Partner(METER, MASTER, "B")
    stage, meter = known(partners=[partner])
    partner.side.sent = 0xFFFFFFFF
    stage.order(WRITE2)
    assert chances(stage, meter, 1) == []
    (failed,) = [one for one in stage.told if getattr(one, "step", None) == "failed"]
    assert "counter" in failed.detail


def test_a_counter_near_its_end_is_told_once():
    """SEC-23."""
    stage, meter = known()
    meter.counter = 0xFFFEFFFD
    told = []
    for count in (0, 0, 1, 1):
        stage.hear(meter.nr())
        told = [one for one in stage.told if getattr(one, "step", None) == "counter"]
        assert len(told) == count
    assert (told[0].number, told[0].meter) == (None, str(METER)) and "FFFF0000" in told[0].detail


# --- nothing twice, nothing lost ---


def silence_behind(stage, meter, seconds=60):
    stage.run(stage.now_us + seconds * S)


def test_a_command_that_may_be_repeated_gets_new_numbers_when_the_meter_has_forgotten():
    """8.3, 9.8: the stored access number is cleared 25 to 30 s behind the last reception."""
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    order = stage.order(WRITE2)
    (first,) = stage.hear(meter.nr())
    silence_behind(stage, meter)
    (second,) = stage.hear(meter.nr())
    assert said(first)[1] != said(second)[1]
    assert order.log == ["exchange", "silence", "exchange"]


def test_a_command_that_must_not_be_repeated_ends_where_nobody_knows():
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    order = stage.order(WRITE2, once=True)
    stage.hear(meter.nr())
    silence_behind(stage, meter)
    assert stage.hear(meter.nr()) == []
    assert order.log == ["exchange", "silence"] and stage.steps()[-1] == "failed"


def test_it_is_sent_again_as_it_was_since_no_counter_is_taken_twice():
    stage, meter = known()
    order = stage.order(WRITE2, once=True)
    (first,) = stage.hear(meter.nr())
    silence_behind(stage, meter)
    (second,) = stage.hear(meter.nr())
    assert first == second
    (fetch,) = stage.hear(meter.ack(second))
    stage.hear(meter.rsp(fetch))
    assert order.log == ["exchange", "RSP-UD 00"]


def test_a_meter_that_has_executed_it_refuses_its_counter_and_nobody_is_sure():
    """No authentic message between: the meter may have taken the first one."""
    stage, meter = known()
    order = stage.order(WRITE2, once=True)
    (first,) = stage.hear(meter.nr())
    silence_behind(stage, meter)
    empty = link_telegram.build(0x47, METER, extended.build(0xA0, 0x21))  # ACC-NR: no counter
    (second,) = stage.hear(empty)
    assert first == second
    (fetch,) = stage.hear(meter.ack(second, 2))
    stage.hear(meter.error(fetch, 0x20))
    assert order.log == ["exchange", "silence"]


def test_a_lower_counter_of_the_meter_proves_that_it_has_not():
    stage, meter = known()
    order = stage.order(WRITE2, once=True)
    sent = chances(stage, meter, 21)
    assert len(sent) == 11
    assert order.log == ["exchange"]
    (failed,) = [one for one in stage.told if getattr(one, "step", None) == "failed"]
    assert failed.detail == "no answer to 11 tries"


def test_where_nobody_knows_the_reason_says_so():
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.order(WRITE2)
    for _ in range(21):
        silence_behind(stage, meter)
        stage.hear(meter.nr())
    (failed,) = [one for one in stage.told if getattr(one, "step", None) == "failed"]
    assert "11 tries" in failed.detail and "may have been executed" in failed.detail


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("status", [0, 1])
def test_an_error_behind_somebody_elses_command_may_be_theirs(status, between):
    """A meter has one response state (8.2.5): what is fetched is that of the last command, whoever gave it."""
    stage, meter = known()
    number = stage.role.queue(METER, orders.make(["write", "0C:13", "7"], METER), stage.now_us)
    (asked,) = stage.hear(meter.nr())
    if asked[1] == 0x43:
        (asked,) = stage.hear(meter.ack(asked))
    (fetch,) = stage.hear(meter.ack(asked, status))
    if between:
        stage.hear(meter._frame(0x00, 0x77, meter._empty(0x8A, 0x77, 2), None, OTHER))
    stage.hear(meter.error(fetch, 0x15))
    (failed,) = [one for one in stage.told if getattr(one, "step", None) == "failed"]
    assert failed.number == number and "15h" in failed.detail
    assert ("may have been executed" in failed.detail) == between


def test_a_higher_one_ends_the_doubt_the_other_way():
    stage, meter = known()
    order = stage.order(WRITE2, once=True)
    (first,) = stage.hear(meter.nr())
    silence_behind(stage, meter)
    meter.heard(first)
    stage.hear(meter.nr())
    assert order.log == ["exchange", "silence"] and stage.steps()[-1] == "failed"


def test_what_is_under_way_is_not_made_anew():
    """The frame that is answered is looked at when its answer is on the air: that its counter is near ours comes too late."""
    stage, meter = known("T2")
    order = stage.order(WRITE2)
    prepared = stage.role._sessions[0].datagram
    meter.counter = prepared.counter + 5
    (asked,) = stage.hear(meter.nr())
    assert asked == prepared.telegram and prepared.tries == 1
    (again,) = stage.hear(meter.error(asked, 0x20)) or stage.hear(meter.error(asked, 0x20))
    assert opened(again)[0].counter > meter.counter
    stage.hear(meter.rsp(again))
    assert order.log == ["exchange", "RSP-UD 00"]


def test_expired_while_it_is_under_way():
    stage, meter = known("T2")
    stage.order(WRITE2, expires_us=stage.now_us + S)
    frame = bytes(frame_a.build(meter.nr()))
    event = radio.Event(radio.FRAME, stage.now_us, stage.now_us + 5000, frame, "T", "A", -60)
    stage.now_us += 5100
    action = stage.role.reply(event, stage.now_us)
    stage._do(stage.role.tick(stage.now_us + 2 * S))
    stage._do(
        stage.role.feed(radio.Event(radio.SENT, action.at_us, action.at_us + 9000), stage.now_us + 2 * S)
    )
    (expired,) = [one for one in stage.told if getattr(one, "step", None) == "expired"]
    assert "may have been executed" in expired.detail
    (end,) = stage.hear(meter.rsp(action.telegram)) or stage.hear(meter.rsp(action.telegram))
    assert end[1] == 0x40


# --- stored before it is sent ---


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_numbers_and_orders_are_stored_before_they_are_used(mode):
    stage, meter = known(mode)
    stage.order(WRITE2)
    stored = []
    offer = stage._transmit

    def watched(action):
        stored.append((stage.stored[-1]["gateway"], action.telegram))
        offer(action)

    stage._transmit = watched
    stage.hear(meter.nr())
    ((state, asked),) = stored
    (partner,) = state["partners"].values()
    assert partner["numbers"][0] == said(asked)[1]
    assert max(partner["counters"][MASTER.fingerprint()]) >= opened(asked)[0].counter
    assert state["book"]["orders"][0][0] == 1


@pytest.mark.parametrize("mode", ["C2", "T2"])
def test_nothing_is_sent_that_could_not_be_stored(mode):
    stage, meter = known(mode)
    stage.disk = False
    stage.order(WRITE2)
    assert stage.steps() == []  # "queued" is a promise
    assert chances(stage, meter, 2) == []
    stage.disk = True
    stage.run(stage.now_us + 11 * S)
    assert stage.steps()[0] == "queued"
    assert len(chances(stage, meter, 1)) == 1
    first = stage.order_of_things.index("sent")
    assert stage.order_of_things[first - 1] == "stored"


def test_no_disk_is_waited_for_while_something_is_armed():
    stage, meter = known("T2")
    stage.order(READ)
    frame = bytes(frame_a.build(meter.nr()))
    event = radio.Event(radio.FRAME, stage.now_us, stage.now_us + 5000, frame, "T", "A", -60)
    stage.now_us += 5100
    assert stage.role.reply(event, stage.now_us) is not None
    stage.role.queue(METER, Order(READ), stage.now_us)
    before = len(stage.stored)
    stage._do(stage.role.feed(event, stage.now_us))
    stage._do(stage.role.tick(stage.now_us))
    assert len(stage.stored) == before
    stage._do(
        stage.role.feed(radio.Event(radio.SENT, stage.now_us + 2500, stage.now_us + 9000), stage.now_us)
    )
    assert len(stage.stored) == before + 1


class Book:
    """restore of orders that are fakes."""

    def __init__(self, *exchanges, outcome="more"):
        self.exchanges = exchanges
        self.outcome = outcome

    def __call__(self, stored):
        assert stored["words"] == ["fake"]
        order = Order(*self.exchanges)
        order.outcome = self.outcome
        order.reason = "interrupted" if self.outcome == "failed" else None
        order.result = {"ok": True} if self.outcome == "done" else None
        return order


def restarted(stage, restore, **settings):
    state = json.loads(json.dumps(stage.stored[-1]))
    return Stage(stage.mode, state=state, restore=restore, **settings)


@pytest.mark.parametrize("mode", ["C2", "T2"])
def test_a_restart_goes_on(mode):
    stage, meter = known(mode)
    stage.order(WRITE2)
    stage.order(READ)
    (first,) = stage.hear(meter.nr())
    again = restarted(stage, Book(WRITE2))
    assert [(one.number, one.step) for one in again.role.orders()] == [(1, "waiting"), (2, "queued")]
    (second,) = again.hear(meter.nr())
    assert said(second)[1] != said(first)[1]
    assert opened(second)[0].counter > opened(first)[0].counter
    again.hear(meter.rsp(second))
    assert again.steps(1)[-1] == "done"
    assert again.order(READ).number == 3


def test_access_numbers_are_not_used_again_behind_a_restart():
    stage, meter = known()
    stage.order(READ)
    stage.hear(meter.nr())
    used = stage.role.partners[0]
    again = restarted(stage, Book(READ)).role.partners[0]
    taken = [again.take(10 * S) for _ in range(260)]
    assert taken[0] == used.number + 1 & 0xFF
    assert taken[249] is None  # one more was used before


@pytest.mark.parametrize("outcome, step", [("failed", "failed"), ("done", "done")])
def test_what_ended_with_the_power_is_told(outcome, step):
    stage, meter = known()
    stage.order(WRITE2)
    again = restarted(stage, Book(outcome=outcome))
    assert again.steps() == [step] and again.role.orders() == []


@pytest.mark.parametrize("end", ["done", "failed", "expired", "cancelled"])
def test_an_end_is_told_again_where_the_power_went_before_it_was(end):
    """It is stored before it is told, and kept until the next time something is stored."""
    stage, meter = known()
    order = stage.order(READ, expires_us=stage.now_us + 40 * S)
    (asked,) = stage.hear(meter.nr())

    states = len(stage.stored)
    if end in ("done", "failed"):
        stage.hear(meter.rsp(asked) if end == "done" else meter.nack(asked))
    elif end == "expired":
        stage.run(stage.now_us + 40 * S)
    else:
        stage.role.cancel(order.number, stage.now_us)
    stage.run(stage.now_us + 5 * S)
    first, last = stage.stored[states], stage.stored[-1]
    assert [one[:3] for one in first["gateway"]["book"]["ended"]] == [[1, str(METER), end]]
    again = Stage(state=json.loads(json.dumps(first)), restore=Book(READ))
    assert again.steps() == [end] and again.role.orders() == []
    assert last["gateway"]["book"]["ended"] == []
    assert Stage(state=json.loads(json.dumps(last)), restore=Book(READ)).steps() == []


def test_an_order_for_a_meter_that_is_gone_is_told():
    stage, _ = known()
    stage.order(WRITE2)
    again = restarted(stage, Book(WRITE2), partners=[Partner(OTHER, MASTER, "B")])
    (event,) = [one for one in again.told if isinstance(one, OrderEvent)]
    assert (event.number, event.step) == (1, "failed") and "configuration" in event.detail


def test_another_key_has_counters_of_its_own():
    stage, meter = known()
    stage.order(WRITE2)
    stage.hear(meter.nr())
    other = Key(bytes(range(7, 23)))
    again = restarted(stage, Book(WRITE2), partners=[Partner(METER, other, "B")])
    assert again.role.partners[0].side.sent == 0
    back = restarted(again, Book(WRITE2))
    assert back.role.partners[0].side.sent == stage.role.partners[0].side.sent > 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state["book"].pop("next"),
        lambda state: state.pop("partners"),
        lambda state: state["partners"][str(METER)].pop("counters"),
        lambda state: state["partners"][str(METER)].update(counters={"x": [-1, 0]}),
        lambda state: state["partners"][str(METER)].update(counters={"x": ["1", 0]}),
        lambda state: state["partners"][str(METER)].update(numbers=None),
        lambda state: state["book"].update(orders=[[1]]),
    ],
)
def test_a_damaged_state_is_refused(damage):
    stage, _ = known()
    stage.order(READ)
    state = json.loads(json.dumps(stage.stored[-1]))
    damage(state["gateway"])
    with pytest.raises(StoreError):
        Stage(state=state, restore=Book(READ))


def test_no_key_is_in_what_is_stored():
    stage, meter = known()
    stage.order(WRITE2)
    stage.hear(meter.nr())
    assert bytes(range(16)).hex() not in json.dumps(stage.stored[-1]).lower()


# --- the queue ---


def test_orders_of_a_meter_one_after_the_other_in_one_session():
    stage, meter = known()
    orders = [stage.order(READ), stage.order(WRITE2), stage.order(READ)]
    assert [one.number for one in orders] == [1, 2, 3]
    (asked,) = stage.hear(meter.nr())
    c_fields = []
    while asked:
        c_fields.append(asked[1])
        sent = stage.hear(meter.rsp(asked)) if asked[1] != 0x40 else []
        asked = sent[0] if sent else None
    assert c_fields == [0x7B, 0x43, 0x7B, 0x40]  # WIN-10
    assert [one.outcome for one in orders] == ["done"] * 3


def test_expiry():
    stage, meter = known()
    stage.order(READ, expires_us=stage.now_us + 5 * S)
    stage.order(READ, expires_us=stage.now_us + 500 * S)
    stage.run(stage.now_us + 6 * S)
    assert stage.steps(1) == ["queued", "waiting", "expired"]
    assert [one.number for one in stage.role.orders()] == [2]
    (asked,) = stage.hear(meter.nr())
    stage.run(stage.now_us + 500 * S)
    assert stage.steps(2)[-1] == "expired"
    assert stage.role.orders() == [] and chances(stage, meter, 2) == []


def test_what_expires_behind_a_command_says_that_nobody_knows():
    stage, meter = known(meter=Meter(mode=5), partners=[Partner(METER, MASTER, "A")])
    stage.order(WRITE2, expires_us=stage.now_us + 10 * S)
    stage.hear(meter.nr())
    stage.run(stage.now_us + 10 * S)
    (event,) = [one for one in stage.told if getattr(one, "step", None) == "expired"]
    assert "may have been executed" in event.detail


def test_expiry_over_a_restart_counts_the_time_that_has_passed():
    stage, _ = known(wall_us=1000 * S)
    stage.run(stage.now_us + S)
    stage.order(READ, expires_us=stage.now_us + 100 * S)
    again = restarted(stage, Book(READ), wall_us=1080 * S)
    again.run(again.now_us + 15 * S)
    assert again.role.orders() != []
    again.run(again.now_us + 25 * S)
    assert again.steps()[-1] == "expired"


def test_an_order_that_must_come_to_its_end_neither_expires_nor_is_cancelled():
    stage, _ = known()
    order = stage.order(READ, expires_us=stage.now_us + S)
    order.binding = True
    stage.run(stage.now_us + 10 * S)
    assert not stage.role.cancel(order.number, stage.now_us)
    assert [one.number for one in stage.role.orders()] == [1]


def test_cancel():
    stage, meter = known()
    first, second = stage.order(READ), stage.order(READ)
    assert stage.role.cancel(second.number, stage.now_us)
    assert not stage.role.cancel(second.number, stage.now_us)
    (asked,) = stage.hear(meter.nr())
    assert stage.role.cancel(first.number, stage.now_us)
    stage.run(stage.now_us)
    assert stage.steps(1)[-1] == "cancelled" and stage.steps(2)[-1] == "cancelled"
    # It was answered meanwhile: the meter shall not go on repeating.
    (end,) = stage.hear(meter.rsp(asked))
    assert end[1] == 0x40


def test_cancelled_while_it_waits_for_its_window():
    stage, meter = known()
    order = stage.order(READ)
    frame = bytes(frame_a.build(meter.nr()))
    stage._do(
        stage.role.feed(
            radio.Event(radio.FRAME, stage.now_us, stage.now_us + 5000, frame, "C", "A", -60),
            stage.now_us + 5100,
        )
    )
    stage.role.cancel(order.number, stage.now_us)
    stage.run(stage.now_us + 3 * S)
    assert stage.sent == []


def test_queue_says_what_is_wrong():
    stage, _ = known()
    with pytest.raises(MisuseError):
        stage.order(READ, meter=OTHER)
    for _ in range(64):
        stage.order(READ)
    with pytest.raises(MisuseError):
        stage.order(READ)
    with pytest.raises(MisuseError):
        Stage(partners=[Partner(METER), Partner(METER)]).order(READ)
    with pytest.raises(MisuseError):
        Entropy(ENTROPY[:15])


def test_a_meter_known_by_its_number_only_is_spoken_to_when_its_key_has_proved_it():
    stage = Stage(partners=[Partner(Address.parse("12345678"), MASTER, "B")])
    order = stage.order(READ, meter=Address.parse("12345678"))
    liar = Meter(Address.parse("12345678.M=ABC.V=01.T=07"), key=Key(bytes(16)))
    assert stage.hear(liar.nr()) == []
    meter = Meter()
    (asked,) = stage.hear(meter.nr())
    assert said(asked)[2].address == METER
    stage.hear(meter.rsp(asked))
    assert order.outcome == "done"


# --- demands ---


@pytest.mark.parametrize("mode", ["C2", "T2"])
def test_access_demand(mode):
    """14.8: ACK with the meter's number, REQ-UD1 in the next window (N.10; ACC-05)."""
    stage, meter = known(mode)
    demand = meter.demand()
    (ack,) = stage.hear(demand)
    c_field, number, tpl, _ = said(ack)
    assert (c_field, number, tpl.access_number, tpl.ci) == (0x00, meter.number, meter.number, 0x80)
    (asked,) = stage.hear(demand)  # repeated in the cycle
    assert asked[1] == 0x7A and said(asked)[1] != meter.number
    answer = meter.ack(asked)
    sent = stage.hear(answer) or stage.hear(answer, stage.now_us + 2 * S)
    assert [one[1] for one in sent] == [0x40]
    assert stage.steps(None) == ["demand", "waiting", "sent", "acknowledged", "done", "closed"]


def test_demands_may_be_left_alone():
    stage, meter = known(demands=False)
    assert stage.hear(meter.demand()) == []


def test_what_was_ordered_goes_before_the_demand():
    stage, meter = known()
    order = stage.order(READ)
    demand = meter.demand()
    (ack,) = stage.hear(demand)
    assert ack[1] == 0
    (asked,) = stage.hear(demand)
    assert asked[1] == 0x7B
    (alarm,) = stage.hear(meter.rsp(asked))
    assert order.outcome == "done" and alarm[1] == 0x5A


# --- timing ---


def test_synchronous_telegrams_are_expected():
    stage, meter = known()
    assert stage.role.expected(METER, stage.now_us) is None
    at_us = stage.now_us
    for _ in range(5):
        at_us += interval_us(60 * S, meter.number)
        stage.hear(meter.nr(), at_us)
    next_us, number, doubt_us = stage.role.expected(METER, stage.now_us)
    assert abs(next_us - at_us - interval_us(60 * S, meter.number)) < 1000 and doubt_us < 5000
    assert number == meter.number + 1 & 0xFF


@pytest.mark.parametrize("period_s", [2, 3, 5])
def test_the_time_between_repetitions_is_learned(period_s):
    stage, meter = known()
    stage.order(READ)
    (asked,) = stage.hear(meter.nr())
    stage.fates = ["late"] * 3
    answer = meter.rsp(asked)
    at_us = stage.now_us
    for n in range(3):
        stage.hear(answer, at_us + n * period_s * S)
    assert stage.role.partners[0].period_us == period_s * S


# --- the collector inside ---


def test_everything_heard_is_still_a_reading():
    stage, meter = known()
    stage.hear(Meter(OTHER, mode=0).nr())
    readings = [one for one in stage.told if hasattr(one, "telegram")]
    assert [one.telegram.address for one in readings] == [METER, OTHER]
    assert stage.role.counters["delivered"] == 2
    assert "counters" in stage.role.state()


def test_noise_does_not_disturb_it():
    stage, meter = known("T2")
    stage.order(READ)
    for frame in (b"", b"\x00", bytes(30), bytes(frame_a.build(meter.nr()))[:-1]):
        event = radio.Event(radio.FRAME, stage.now_us, stage.now_us, frame, "T", "A", None)
        assert stage.role.reply(event, stage.now_us) is None
        stage._do(stage.role.feed(event, stage.now_us))
    assert stage.hear(meter.nr())


# --- a glance ---


@pytest.mark.parametrize("mode", [0, 5, 7, 10])
def test_a_glance_sees_what_a_look_sees(mode):
    meter = Meter(mode=mode)
    named = meter._frame(0x00, 7, b"\x8a\x07\x00\x00\x00", None, OTHER)
    frames = [meter.nr(), meter.nr(0x94), named, meter._frame(0x01, 9, b""), meter._frame(0x47, 3, b"")]
    for telegram in frames:
        event = radio.Event(radio.FRAME, 0, 5000, bytes(frame_a.build(telegram)), "T", "A", -60)
        glance, seen = Glance(event), Seen(event)
        assert glance.kind == seen.kind is not None
        assert (glance.number, glance.cc, bool(glance.hops)) == (seen.number, seen.cc, bool(seen.hops))
        assert glance.sender == seen.link.address.link_bytes() and glance.receiver == seen.receiver


@pytest.mark.parametrize("which", ["adapter", "demand", "installation", "later fragment", "gateway"])
def test_what_takes_a_closer_look(which):
    meter = Meter(link=OTHER) if which == "adapter" else Meter()
    telegram = {
        "adapter": meter.nr,
        "demand": meter.demand,
        "installation": meter.installation,
        "later fragment": lambda: meter._frame(0x08, 1, bytes.fromhex("900202000102")),
        "gateway": lambda: link_telegram.build(0x5B, GATEWAY, extended.build(0x84, 1) + b"\x80" + bytes(12)),
    }[which]()
    event = radio.Event(radio.FRAME, 0, 5000, bytes(frame_a.build(telegram)), "T", "A", -60)
    assert Glance(event).kind is None
