"""The repeater role by itself: when it repeats what, what it leaves out, and what it says of its own."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import CrcError
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import repeater as role
from omsnode.firmware.roles import waiting
from omsnode.firmware.roles.actions import REFUSED, Listen, Persist, Transmit
from omsnode.firmware.roles.budget import Budget
from omsnode.firmware.roles.meter import Meter
from omsnode.firmware.roles.repeater import LISTENING, SENDING, Repeater, management
from omsnode.firmware.roles.waiting import QUEUE

S = 1000000
OWN = Address.parse("12345678.M=OMS.V=01.T=32")
METER = "2D2C785634121B16"
NEVER = bytes((200, 255, 255, 255, 255))  # entropy of the meter that makes its first slot late


def telegram(number=1, c_field=0x44, meter=METER, tail="0C1399000000", ell="8C20{:02X}"):
    body = bytes((c_field,)) + bytes.fromhex(meter + ell.format(number))
    body += bytes.fromhex("7A{:02X}000000".format(number) + tail)
    return bytes((len(body),)) + body


def frame_event(data, at_us, family="C", frame_format="A", rssi_dbm=-70):
    build = frame_b.build if frame_format == "B" else frame_a.build
    return radio.Event(radio.FRAME, at_us - 5000, at_us, build(data), family, frame_format, rssi_dbm=rssi_dbm)


class Bench:
    """The role and a clock; every Transmit is sent at once unless `answer` says otherwise."""

    def __init__(self, seed=1, mode="T+C", own_entropy=NEVER, **more):
        rng = random.Random(seed)
        self.own = Meter(management(OWN, "S1" if mode[0] == "S" else "C1"), own_entropy)
        self.role = Repeater(self.own, rng.randbytes(4), mode, **more)
        self.now_us = 0
        self.sent = []  # (at_us, Transmit)
        self.stored = []
        self.answer = lambda transmit: radio.SENT
        self.started = self.role.start(0)

    @property
    def counters(self):
        return self.role.counters

    def hear(self, *data, **more):
        for one in data:
            assert self.role.feed(frame_event(one, self.now_us, **more), self.now_us + 200) == []

    def run(self, until_us):
        while self.role.due_us is not None and self.role.due_us <= until_us:
            self.now_us = max(self.now_us, self.role.due_us)
            before = self.role.due_us, self.role.state
            actions = self.role.tick(self.now_us)
            self.stored += [one for one in actions if isinstance(one, Persist)]
            for transmit in [one for one in actions if isinstance(one, Transmit)]:
                self._carry_out(transmit)
            assert actions or (self.role.due_us, self.role.state) != before, "the same again"
        self.now_us = max(self.now_us, until_us)

    def _carry_out(self, transmit):
        assert self.role.state == SENDING
        row = modes.find(transmit.mode, transmit.direction)
        assert transmit.at_us > self.now_us
        end_us = transmit.at_us + len(transmit.chips) * 8 * S // row.chip_rate_cps
        kind = self.answer(transmit)
        if kind is None:
            return
        if kind == radio.SENT:
            self.sent.append((transmit.at_us, transmit))
            self.now_us = end_us
            event = radio.Event(radio.SENT, transmit.at_us, end_us)
        else:
            event = radio.Event(kind, self.now_us, code="duty_cycle" if kind == REFUSED else None)
        assert self.role.feed(event, self.now_us) == []
        assert self.role.state == LISTENING


def test_it_listens_from_the_start():
    assert Bench().started == [Listen("T+C", modes.UP)]
    assert Bench(mode="S1").started == [Listen("S1", modes.UP)]


@pytest.mark.parametrize(
    "mode, family, frame_format, said",
    [
        ("T+C", "T", "A", "T1"),
        ("T+C", "C", "A", "C1"),
        ("T+C", "C", "B", "C1"),
        ("T1", "T", "A", "T1"),
        ("S1", "S", "A", "S1"),
        ("S1-m", "S", "A", "S1-m"),
    ],
)
def test_in_the_mode_and_format_it_was_heard_in(mode, family, frame_format, said):
    bench = Bench(mode=mode)
    bench.hear(telegram(), family=family, frame_format=frame_format)
    bench.run(60 * S)
    ((at_us, transmit),) = bench.sent
    assert 5 * S <= at_us <= 25 * S
    assert (transmit.mode, transmit.direction) == (said, modes.UP)
    want = telegram()[:11] + b"\x30" + telegram()[12:]
    assert transmit.telegram == want
    build = frame_b.build if frame_format == "B" else frame_a.build
    if family == "C":  # no line code: the frame stands in the chips as it is
        assert build(want) in transmit.chips
        assert bytes.fromhex("543D543D" if frame_format == "B" else "543D54CD") in transmit.chips
    assert bench.counters["repeated"] == 1 and bench.counters["frames"] == 1


def test_delays_are_random_within_5_to_25_seconds():
    delays = []
    for seed in range(400):
        bench = Bench(seed)
        bench.hear(telegram())
        bench.run(60 * S)
        delays.append(bench.sent[0][0])
    assert min(delays) >= 5 * S and max(delays) <= 25 * S
    tenths = [sum(low <= one < low + 2 * S for one in delays) for low in range(5 * S, 23 * S, 2 * S)]
    assert min(tenths) > 20, tenths


def test_the_same_telegram_again_is_repeated_once():
    bench = Bench()
    bench.hear(telegram(1), telegram(1))
    bench.run(30 * S)
    bench.hear(telegram(1), telegram(2))
    bench.run(59 * S)
    bench.hear(telegram(1))
    bench.run(120 * S)
    assert [one.telegram[12] for _, one in bench.sent] == [1, 2]
    assert bench.counters["duplicates"] == 3
    bench.hear(telegram(1))  # two minutes later it is another one
    bench.run(180 * S)
    assert len(bench.sent) == 3


def test_what_makes_no_hop_is_counted_and_left_aside():
    bench = Bench()
    bench.hear(
        telegram(ell="8C30{:02X}"), telegram(ell="8C22{:02X}"), telegram(c_field=0x47), telegram(c_field=0x08)
    )
    bench.hear(bytes.fromhex("0F44AE0C785634120107780B134365871111"[:32]))
    broken = frame_event(telegram(), 0)
    broken.frame = broken.frame[:-1] + b"\x00"
    bench.role.feed(broken, 0)
    bench.role.feed(radio.Event(radio.REJECTED, 0, error=CrcError("", 1)), 0)
    bench.run(100 * S)
    assert bench.sent == []
    del bench.counters["own"]
    assert bench.counters == {
        "frames": 6,
        "repeated": 0,
        "ignored.repeated": 2,
        "ignored.c_field": 2,
        "ignored.no_hop_bit": 1,
        "rejected.crc": 2,
    }


# An address in the long header, behind an ELL and an AFL; what is said of the SND-IR in the SND-NKE.
LONG = "72" + "78563412" + "2D2C" + "1B16" + "05000000"
AFL = "900F002C25B30A000021924D4FBA372FB6"


ADAPTER = "9315112233443337"


@pytest.mark.parametrize(
    "family, body, ell, meter",
    [
        ("C", "8C2005" + "7A05000000", True, ADAPTER),
        ("C", "8C2005" + LONG, True, METER),
        ("C", "8C2005" + AFL + LONG, True, METER),
        ("T", LONG, False, METER),
        ("S", "7A05000000", False, ADAPTER),
        ("C", "8D2005" + "209CD621B006B1140AEF", True, ADAPTER),  # encrypted: only the sender is known
        ("C", "8C2005" + "7A05", True, ADAPTER),
        ("C", "8C2005" + "90", True, ADAPTER),
        ("C", "8C2005" + "900F", True, ADAPTER),
        ("C", "8C2005", True, ADAPTER),
    ],
)
def test_installation_ends_with_a_link_reset(family, body, ell, meter):
    """SND-NKE 2 to 5 s behind the repetition (REP-05), with the address of the meter and the level of what was heard."""
    data = bytes.fromhex("46" + ADAPTER + body)
    bench = Bench(seed=3, mode="S1" if family == "S" else "T+C")
    bench.hear(bytes((len(data),)) + data, family=family, rssi_dbm=-71)
    bench.run(60 * S)
    (first_us, first), (second_us, second) = bench.sent
    assert first.telegram[1] == 0x46
    row = modes.find(first.mode)
    end_us = first_us + len(first.chips) * 8 * S // row.chip_rate_cps
    assert 2 * S <= second_us - end_us <= 5 * S
    assert (second.mode, second.direction) == (family + "2", modes.DOWN)
    wanted = bytes.fromhex(meter)
    said = second.telegram
    assert said[1] == 0x40 and said[2:10] == OWN.link_bytes() and said[0] == len(said) - 1
    if ell:
        assert said[10:12] == b"\x8c\x00"
        said = said[3:]
        assert said[9] == second.telegram[12]
    # CI 80, then ID before manufacturer, access number, level 29 = (-71 + 130) / 2, configuration field 0
    assert said[10:19] == b"\x80" + wanted[2:6] + wanted[:2] + wanted[6:]
    assert said[20:] == b"\x1d\x00\x00" and said[19] == second.telegram[12 if ell else 19]
    assert bench.counters["link_resets"] == 1 and bench.counters["repeated"] == 1


def test_link_resets_have_numbers_of_their_own():
    bench = Bench()
    for number in range(3):
        bench.hear(telegram(number, c_field=0x46))
        bench.run(bench.now_us + 60 * S)
    numbers = [one.telegram[12] for _, one in bench.sent if one.telegram[1] == 0x40]
    assert numbers == [(numbers[0] + i) % 256 for i in range(3)]


def test_management_data_come_every_quarter_of_an_hour():
    """REP-06: device type 32, at least every 240 min; in the synchronous slots of any meter."""
    bench = Bench(own_entropy=bytes(5))
    bench.run(4 * 3600 * S)
    assert 15 <= len(bench.sent) <= 17 and {one.telegram[:12] for _, one in bench.sent} == {
        b"\x1c\x44" + OWN.link_bytes() + b"\x8c\x20"
    }
    assert [one.telegram[12] for _, one in bench.sent] == list(range(1, len(bench.sent) + 1))
    assert len(bench.stored) == 1 and bench.counters["own"]["sent"] == len(bench.sent)
    (last,) = bench.role.stop()
    assert last.state["access_number"] == len(bench.sent)


def test_what_is_heard_around_a_slot_of_our_own_waits():
    """Slots never move for a repetition, and only one transmission is armed at a time."""
    bench = Bench(own_entropy=bytes(5))
    for number in range(1, 200):
        bench.hear(telegram(number), telegram(number, meter="2D2C000000991B16"))
        bench.run(bench.now_us + 7 * S)
    bench.run(bench.now_us + 60 * S)
    slots = [at_us for at_us, one in bench.sent if one.telegram[2:10] == OWN.link_bytes()]
    assert slots == [300000, 927985546]  # link sheet 8.5: 900 s * (1 + 63 / 2048) behind number 1
    assert bench.counters["repeated"] == 398
    times = [at_us for at_us, _ in bench.sent]
    assert times == sorted(times)


def test_a_full_queue_loses_who_was_repeated_last():
    bench = Bench()
    bench.hear(telegram(1))
    bench.run(30 * S)
    assert len(bench.sent) == 1
    bench.hear(telegram(2))
    for number in range(QUEUE):
        bench.hear(telegram(number, meter="2D2C0000{:02d}001B16".format(number)))
    assert len(bench.role.waiting.jobs) == QUEUE and bench.counters["dropped.queue"] == 1
    bench.hear(telegram(9, c_field=0x46, meter="2D2C000099001B16"))
    assert len(bench.role.waiting.jobs) == QUEUE and bench.counters["dropped.queue"] == 2
    bench.run(100 * S)
    said = [one.telegram for _, one in bench.sent[1:]]
    assert bytes.fromhex(METER) not in [one[2:10] for one in said]
    assert 0x46 in [one[1] for one in said] and 0x40 in [one[1] for one in said]


def test_what_cannot_leave_in_time_is_dropped():
    bench = Bench()
    bench.answer = lambda transmit: radio.TOO_LATE
    bench.hear(telegram())
    bench.run(100 * S)
    assert bench.sent == [] and bench.role.waiting.jobs == [] and bench.counters["dropped.late"] == 1


def test_too_late_once_is_tried_again():
    bench = Bench()
    answers = [radio.TOO_LATE, radio.SENT]
    bench.answer = lambda transmit: answers.pop(0)
    bench.hear(telegram())
    bench.run(100 * S)
    assert len(bench.sent) == 1 and answers == [] and bench.sent[0][0] <= 25 * S


def test_refused_by_the_node_is_dropped_and_nothing_waits_for_it():
    bench = Bench()
    answers = [REFUSED, radio.SENT]
    bench.answer = lambda transmit: answers.pop(0)
    bench.hear(telegram(1))
    bench.run(30 * S)
    bench.hear(telegram(2))
    bench.run(100 * S)
    assert len(bench.sent) == 1 and bench.counters["dropped.duty_cycle"] == 1


def test_a_radio_that_says_nothing_is_not_waited_for():
    bench = Bench()
    answers = [None, radio.SENT]
    bench.answer = lambda transmit: answers.pop(0)
    bench.hear(telegram(1), telegram(2))
    bench.run(100 * S)
    assert len(bench.sent) == 1 and bench.counters["dropped.radio"] == 1 and bench.role.state == LISTENING


def test_state_that_cannot_be_stored_keeps_the_management_data_back():
    bench = Bench(own_entropy=bytes(5))
    actions = []
    while not actions:
        bench.now_us = bench.role.due_us
        actions = bench.role.tick(bench.now_us)
    assert [type(one) for one in actions] == [Persist, Transmit]
    bench.role.feed(radio.Event(REFUSED, bench.now_us, code="persist"), bench.now_us)
    assert bench.role.state == LISTENING and bench.counters["own"] == {"sent": 0, "refused.persist": 1}
    bench.run(1000 * S)
    assert bench.counters["own"]["sent"] == 1 and len(bench.stored) == 1
    bench.role.feed(radio.Event(REFUSED, bench.now_us, code="persist"), bench.now_us)  # of `stop`
    assert bench.counters["own"]["refused.persist"] == 2


def test_a_radio_with_a_short_buffer_leaves_out_what_is_too_long():
    bench = Bench(carries=lambda chips: len(chips) < 60)
    bench.hear(telegram(1), telegram(2, tail="0C13" * 40))
    bench.run(100 * S)
    assert len(bench.sent) == 1 and bench.counters["dropped.too_long"] == 1


def test_air_time_is_kept_for_management_data_and_for_other_meters():
    """Sheet 1.3: 3.6 s per hour. One meter that talks all the time gets no more than the rest leaves."""
    budget = Budget()
    bench = Bench(budget=budget)
    frequency_hz = modes.find("C1").frequency_hz

    def send(transmit):
        row = modes.find(transmit.mode, transmit.direction)
        air_us = len(transmit.chips) * 8 * S // row.chip_rate_cps
        budget.check(row.frequency_hz, air_us, transmit.at_us)  # the node would
        budget.book(row.frequency_hz, air_us, transmit.at_us)
        return radio.SENT

    bench.answer = send
    greedy = "0C13" * 50
    for number in range(1200):
        bench.hear(telegram(number % 256, tail=greedy))
        bench.run(bench.now_us + 2 * S)
    bench.run(bench.now_us + 30 * S)
    used_us = sum(len(one.chips) * 80 for _, one in bench.sent if one.telegram[2:10] != OWN.link_bytes())
    quarter, own = 3600000 // 4, 3600000 // 32
    # Then it counts among the others again: one telegram of 9 ms per quarter of an hour.
    assert 0.98 * (3600000 - quarter - own) < used_us <= 3600000 - quarter - own + 2 * 9500
    assert bench.counters["dropped.duty_cycle"] > 500
    bench.hear(telegram(1, meter="2D2C000000991B16", tail=greedy))
    bench.run(bench.now_us + 30 * S)
    assert bench.sent[-1][1].telegram[2:10] == bytes.fromhex("2D2C000000991B16")
    budget.check(frequency_hz, own, bench.now_us)  # what is kept for our own is left


def test_without_a_budget_the_node_watches_alone():
    bench = Bench()
    for number in range(300):
        bench.hear(telegram(number % 256, tail="0C13" * 50))
        bench.run(bench.now_us + S)
    bench.run(bench.now_us + 30 * S)
    assert len(bench.sent) == 300


def test_meters_that_were_served_are_forgotten_in_order():
    bench = Bench()
    for number in range(waiting._METERS + 20):
        bench.hear(telegram(1, meter="2D2C{:04d}00001B16".format(number)))
        bench.run(bench.now_us + 30 * S)
    assert len(bench.role.waiting._served) == waiting._METERS
    assert bytes.fromhex("2D2C000000001B16") not in bench.role.waiting._served


def test_the_table_names_every_outcome():
    assert set(role._TABLE) == {
        (LISTENING, "due"),
        (SENDING, radio.SENT),
        (SENDING, radio.TOO_LATE),
        (SENDING, REFUSED),
        (SENDING, "timeout"),
    }
    bench = Bench()
    for kind in (radio.SENT, radio.TOO_LATE, radio.FAULT):  # of nothing that was asked for
        assert bench.role.feed(radio.Event(kind, 0, 1, code="x"), 0) == []
    assert bench.role.tick(0) == [] and bench.role.state == LISTENING


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=120),
            st.sampled_from((0x44, 0x46, 0x47)),
            st.integers(0, 20 * S),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_whatever_is_heard_only_hops_are_said(heard):
    bench = Bench(own_entropy=bytes(5))
    for tail, c_field, wait_us, slow in heard:
        data = bytes((c_field,)) + bytes.fromhex(METER) + tail
        bench.hear(bytes((len(data),)) + data, family="T" if slow else "C")
        bench.run(bench.now_us + wait_us)
    bench.run(bench.now_us + 60 * S)
    originals = {bytes.fromhex(METER) + tail for tail, *_ in heard}
    for _, one in bench.sent:
        said = one.telegram
        if said[2:10] == OWN.link_bytes():
            assert said[1] in (0x44, 0x40)
            continue
        before = [
            said[2:offset] + bytes((said[offset] & ~mask,)) + said[offset + 1 :]
            for offset, mask in ((11, 0x10), (13, 1), (21, 1))
            if offset < len(said) and said[offset] & mask
        ]
        assert originals & set(before)
    assert bench.role.waiting.jobs == []
