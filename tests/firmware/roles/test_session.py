"""The ladders of oms-requirements sheet 14.3 to 14.8, every row of the table, and every miss: lost, late, doubled, wrong."""

import pytest
from omsnode.firmware.roles import ladder, session
from omsnode.firmware.roles.orders import Exchange
from support_window import ALARM, GATEWAY, READ, WRITE, WRITE2, Meter, S, Stage, fragment, fragments, said

LONG = Exchange("SND-UD", 0x5B, bytes.fromhex("0413E8030000") * 30)
LONG2 = Exchange("SND-UD2", 0x5B, LONG.data)
MUCH = bytes.fromhex("0413E8030000") * 12


def c_and_number(telegram):
    return telegram[1], said(telegram)[1]


class Pair:
    """A stage and a meter that has been heard."""

    def __init__(self, *exchanges, mode="C2", meter=None, profile="B", **order):
        self.stage = Stage(mode, profile=profile)
        self.meter = meter or Meter()
        self.say(self.meter.nr())
        self.order = self.stage.order(*exchanges, **order)

    def say(self, telegram, at_us=None):
        """The one telegram that the gateway answers with, or None."""
        sent = self.stage.hear(telegram, at_us)
        assert len(sent) < 2
        return sent[0] if sent else None

    @property
    def session(self):
        return self.stage.role._sessions[0]

    def first(self):
        return self.say(self.meter.nr())

    def later(self, seconds):
        self.stage.run(self.stage.now_us + seconds * S)


def closed(pair, telegram):
    """The session ends with SND-NKE, which is not answered; then the meter is silent."""
    assert telegram[1] == 0x40
    pair.later(40)
    assert pair.session.state == ladder.REST
    assert pair.stage.role.orders() == []


# --- 14.3, 14.4 ---


def read():
    """14.3: REQ-UD2 7B g p, RSP-UD, SND-NKE g+1."""
    pair = Pair(READ)
    asked = pair.first()
    c_field, g, tpl, link = said(asked)
    assert (c_field, tpl.ci, tpl.mode) == (0x7B, 0x80, 0) and link.ell.ci == 0x8C
    assert tpl.status == 0x20  # -66 dBm (security sheet 3.2)
    end = pair.say(pair.meter.rsp(asked))
    assert c_and_number(end) == (0x40, g + 1 & 0xFF)
    closed(pair, end)
    assert pair.order.log == ["exchange", "RSP-UD 00"]
    assert pair.stage.steps() == ["queued", "waiting", "sent", "answered", "done"]


def command_done():
    """14.4, STS 00: no REQ-UD2 needed."""
    pair = Pair(WRITE, wants=False)
    asked = pair.first()
    assert asked[1] == 0x73
    closed(pair, pair.say(pair.meter.ack(asked)))
    assert pair.order.log == ["exchange", "ACK 00"]


def command_wanted():
    """14.4, data wanted: REQ-UD2 g+1, p+1; FCB toggles."""
    pair = Pair(WRITE)
    asked = pair.first()
    _, g, tpl, _ = said(asked)
    fetch = pair.say(pair.meter.ack(asked))
    assert c_and_number(fetch) == (0x5B, g + 1 & 0xFF)
    assert said(fetch)[2].access_number == tpl.access_number + 1 & 0xFF
    closed(pair, pair.say(pair.meter.rsp(fetch)))
    assert pair.order.log == ["exchange", "RSP-UD 00"]


def command_busy():
    """14.4, STS 01: REQ-UD2 with new numbers until it is done; not more often than a battery stands."""
    pair = Pair(WRITE)
    asked = pair.first()
    poll = pair.say(pair.meter.ack(asked, 1))
    numbers = []
    for _ in range(3):
        numbers.append((said(poll)[1], said(poll)[2].access_number))
        answer = pair.meter.rsp(poll, 1)
        assert pair.say(answer) is None
        assert pair.say(answer) is None  # the cycle repeats it
        pair.later(8)
        poll = pair.say(answer)
        assert poll[1] & ~0x20 == 0x5B
    assert len(set(numbers)) == 3 and len({p for _, p in numbers}) == 3
    closed(pair, pair.say(pair.meter.rsp(poll)))
    assert pair.order.log == ["exchange", "RSP-UD 00"]


def command_busy_for_ever():
    """At most 120 s; then the order is told, and it has ended."""
    pair = Pair(WRITE)
    poll = pair.say(pair.meter.ack(pair.first(), 1))
    begin_us = pair.stage.now_us
    while poll[1] != 0x40:
        answer = pair.meter.rsp(poll, 1)
        poll = pair.say(answer)
        while poll is None:
            pair.later(2)
            poll = pair.say(answer)
    assert pair.order.log == ["exchange", "RSP-UD 01"]
    assert 120 * S <= pair.stage.now_us - begin_us < 140 * S


def command_error():
    """14.4, STS 10: REQ-UD2 fetches the application error."""
    pair = Pair(WRITE)
    asked = pair.first()
    fetch = pair.say(pair.meter.ack(asked, 2))
    assert fetch[1] == 0x5B
    closed(pair, pair.say(pair.meter.error(fetch, 0x15)))
    assert pair.order.log == ["exchange", "RSP-UD 02"]
    assert pair.order.last.telegram.payload == b"\x15"


def refused(exchange, wants=True):
    """NACK: a lasting link error, the order is told."""

    def scenario():
        pair = Pair(exchange, wants=wants)
        asked = pair.first()
        closed(pair, pair.say(pair.meter.nack(asked)))
        assert pair.order.log == ["exchange", "NACK"]
        assert pair.stage.steps()[-2:] == ["refused", "failed"]

    return scenario


def refused_while(status):
    def scenario():
        pair = Pair(WRITE)
        fetch = pair.say(pair.meter.ack(pair.first(), status))
        closed(pair, pair.say(pair.meter.nack(fetch)))
        assert pair.order.log == ["exchange", "NACK"]

    return scenario


# --- 14.5 ---


def command2():
    pair = Pair(WRITE2)
    asked = pair.first()
    assert asked[1] == 0x43
    closed(pair, pair.say(pair.meter.rsp(asked)))
    assert pair.order.log == ["exchange", "RSP-UD 00"]


def command2_busy():
    pair = Pair(WRITE2)
    asked = pair.first()
    answer = pair.meter.rsp(asked, 1)
    assert pair.say(answer) is None
    pair.later(8)
    poll = pair.say(answer)
    assert poll[1] & ~0x20 == 0x5B
    closed(pair, pair.say(pair.meter.rsp(poll)))


def acknowledged_instead(status, wants):
    """ACK: the meter does not know SND-UD2 (M.1.7): the same again with SND-UD, and from then on."""

    def scenario():
        pair = Pair(WRITE2, wants=wants)
        asked = pair.first()
        again = pair.say(pair.meter.ack(asked, status))
        assert c_and_number(again) == (0x53, said(asked)[1] + 1 & 0xFF)
        assert again != asked and said(again)[2].access_number != said(asked)[2].access_number
        end = pair.say(pair.meter.ack(again))
        if wants:
            end = pair.say(pair.meter.rsp(end))
        closed(pair, end)
        pair.order = pair.stage.order(WRITE2)
        assert pair.first()[1] == 0x73

    return scenario


# --- requests ---


def read_busy():
    pair = Pair(READ)
    answer = pair.meter.rsp(pair.first(), 1)
    assert pair.say(answer) is None
    pair.later(8)
    closed(pair, pair.say(pair.meter.rsp(pair.say(answer))))


def no_alarm(status, wants):
    """REQ-UD1 is answered with ACK where there is no alarm."""

    def scenario():
        pair = Pair(ALARM, wants=wants)
        asked = pair.first()
        assert asked[1] == 0x7A
        closed(pair, pair.say(pair.meter.ack(asked, status)))
        assert pair.order.log == ["exchange", "ACK {:02X}".format(status)]

    return scenario


def alarm(status):
    def scenario():
        pair = Pair(ALARM)
        closed(pair, pair.say(pair.meter.rsp(pair.first(), status)))
        assert pair.order.log == ["exchange", "RSP-UD {:02X}".format(status)]

    return scenario


# --- 14.6, 14.7 ---


def in_fragments(pair, asked):
    """Walks an answer in fragments; the telegram behind it."""
    parts = fragments(pair.meter, asked, MUCH)
    assert len(parts) == 3
    for index, part in enumerate(parts):
        g = said(asked)[1]
        answer = fragment(pair.meter, asked, part)
        asked = pair.say(answer)
        if index < 2:
            # REQ-UD2 g+1 without TPL, with ELLA (ADR-10).
            c_field, number, tpl, link = said(asked)
            assert c_field & ~0x20 == 0x5B
            assert number == g + 1 & 0xFF and tpl is None
            assert link.ell.receiver == pair.meter.link
            pair.later(1)
            assert pair.say(answer) == asked  # lost: the meter repeats its fragment
    return asked


def fragmented_answer(exchange):
    def scenario():
        pair = Pair(exchange)
        closed(pair, in_fragments(pair, pair.first()))
        assert pair.order.log == ["exchange", "RSP-UD 00"]
        assert len(pair.order.last.telegram.records) == 12

    return scenario


def fragmented_fetch(status):
    def scenario():
        pair = Pair(WRITE)
        closed(pair, in_fragments(pair, pair.say(pair.meter.ack(pair.first(), status))))
        assert len(pair.order.last.telegram.records) == 12

    return scenario


def fragmented_command(exchange):
    """14.7: each fragment with SND-UD and ELLA, acknowledged; the last ACK has the TPL."""

    def scenario():
        pair = Pair(exchange, wants=False)
        asked = pair.first()
        c_fields, numbers = [], []
        while asked[1] != 0x40:
            assert len(asked) <= 156 and asked[10] == 0x8E
            c_fields.append(asked[1])
            numbers.append(said(asked)[1])
            last = asked
            if len(numbers) == 1:
                message = said(asked)[2].access_number
                asked = pair.say(pair.meter._frame(0x00, numbers[-1], b"", None, GATEWAY))
            else:
                final = pair.meter._empty(0x8A, message, 0) if len(numbers) == 2 else b""
                asked = pair.say(pair.meter._frame(0x00, numbers[-1], final, None, GATEWAY))
        assert c_fields == [0x73, 0x53]
        assert numbers[1] == numbers[0] + 1 & 0xFF and last != asked
        closed(pair, asked)
        assert pair.order.log == ["exchange", "ACK 00"]

    return scenario


# --- silence ---


def silent(exchange, steps=(), every=60):
    """No answer: again by Annex I, then the order fails. steps: what leads to the state in which nothing comes."""

    def scenario():
        pair = Pair(exchange)
        asked = pair.first()
        for step in steps:
            answer = step(pair, asked)
            asked = pair.say(answer)
            while asked is None:
                pair.later(3)
                asked = pair.say(answer)
        sent = 1
        for _ in range(30):
            pair.later(every)
            heard = pair.say(pair.meter.nr())
            sent += heard is not None
            if pair.order.number not in [one.number for one in pair.stage.role.orders()]:
                break
        assert sent == 11
        assert pair.stage.steps()[-1] == "failed"
        assert pair.session.state == ladder.REST

    return scenario


def forgotten_before_it_answers():
    """Behind 255 s there is no response any more: the order is told of the silence, and asks again from the start."""
    pair = Pair(WRITE)
    fetch = pair.say(pair.meter.ack(pair.first()))
    assert fetch[1] == 0x5B
    pair.later(260)
    again = pair.first()
    assert again[1] & ~0x20 == 0x53
    assert pair.order.log == ["exchange", "silence", "exchange"]


def lost_nke():
    """A meter that goes on repeating has not heard SND-NKE."""
    pair = Pair(READ)
    answer = pair.meter.rsp(pair.first())
    end = pair.say(answer)
    for expected in (end, end, None):
        pair.later(2)
        assert pair.say(answer) == expected
    pair.later(40)
    assert pair.session.state == ladder.REST


def no_window_for_nke():
    """SND-NKE that found no window: the cycle ends by itself."""
    pair = Pair(READ)
    answer = pair.meter.rsp(pair.first())
    pair.stage.fates = ["late"]
    assert pair.say(answer) is None
    assert pair.session.state == ladder.CLOSE
    pair.later(40)
    assert pair.session.state == ladder.REST


ack = lambda status: lambda pair, asked: pair.meter.ack(asked, status)  # noqa: E731
busy = lambda pair, asked: pair.meter.rsp(asked, 1)  # noqa: E731

SCENARIOS = {
    "read": read,
    "read, busy": read_busy,
    "read, nack": refused(READ),
    "read, fragments": fragmented_answer(READ),
    "read, silence": silent(READ),
    "command, done": command_done,
    "command, wanted": command_wanted,
    "command, busy": command_busy,
    "command, busy for ever": command_busy_for_ever,
    "command, error": command_error,
    "command, nack": refused(WRITE),
    "command, fragments": fragmented_command(LONG),
    "command, silence": silent(WRITE),
    "fetch, nack": refused_while(0),
    "fetch, fragments": fragmented_fetch(0),
    "fetch, silence": silent(WRITE, [ack(0)], 8),
    "fetch, long silence": silent(WRITE, [ack(0)]),
    "fetch, forgotten": forgotten_before_it_answers,
    "fetch, busy": silent(WRITE, [ack(0), busy]),
    "poll, nack": refused_while(1),
    "poll, fragments": fragmented_fetch(1),
    "poll, silence": silent(WRITE, [ack(1)], 8),
    "poll, long silence": silent(WRITE, [ack(1)]),
    "command 2": command2,
    "command 2, busy": command2_busy,
    "command 2, nack": refused(WRITE2),
    "command 2, acknowledged, done": acknowledged_instead(0, False),
    "command 2, acknowledged, wanted": acknowledged_instead(0, True),
    "command 2, acknowledged, busy": acknowledged_instead(1, False),
    "command 2, acknowledged, error": acknowledged_instead(2, False),
    "command 2, fragments": fragmented_answer(WRITE2),
    "command 2, long": fragmented_command(LONG2),
    "command 2, silence": silent(WRITE2),
    "alarm, none": no_alarm(0, False),
    "alarm, none wanted": no_alarm(0, True),
    "alarm, busy": no_alarm(1, True),
    "alarm, error": no_alarm(2, True),
    "alarm": alarm(0),
    "alarm, while busy": alarm(1),
    "alarm, nack": refused(ALARM),
    "alarm, fragments": fragmented_answer(ALARM),
    "alarm, silence": silent(ALARM),
    "lost SND-NKE": lost_nke,
    "no window for SND-NKE": no_window_for_nke,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_ladder(name):
    SCENARIOS[name]()


def test_every_row_is_walked(monkeypatch):
    walked = set()

    class Recorded(dict):
        def get(self, row, default=None):
            if row in self:
                walked.add(row)
            return super().get(row, default)

    monkeypatch.setattr(session, "TABLE", Recorded(ladder.TABLE))
    for scenario in SCENARIOS.values():
        scenario()
    # Those of MAC commands are walked by test_burst_gateway_mac.py.
    assert {row for row in ladder.TABLE if ladder.MAC not in row and row[1] != "MCMD"} == walked


@pytest.mark.parametrize("exchange", (WRITE, WRITE2))
def test_a_meter_that_has_executed_and_restarted_is_not_asked_twice(exchange):
    """Its answer was lost, and with its power the access number: to the copy it says security error (20h), since the message
    counter is used. That is no reason to take a higher one."""
    pair = Pair(exchange, once=True)
    asked = pair.first()
    assert asked[1] == 0x73  # whatever is heard in answer to SND-UD2, an ACK in clear would make it twice
    pair.meter.heard(asked)
    pair.later(3)
    again = pair.first()
    assert again == asked
    again = pair.say(pair.meter.ack(again, 2))
    closed(pair, pair.say(pair.meter.error(again, 0x20)))
    assert pair.order.log == ["exchange", "silence"] and pair.stage.steps()[-1] == "failed"


def test_a_meter_that_only_counts_higher_is_asked_with_a_higher_counter():
    pair = Pair(WRITE2)
    again = pair.say(pair.meter.error(pair.first(), 0x20))
    closed(pair, pair.say(pair.meter.rsp(again)))
    assert pair.order.log == ["exchange", "RSP-UD 00"]
