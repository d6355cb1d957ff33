"""The event loop of two directions: armed replies, rest behind a reception, exact strobes, listening behind a sending."""

import pytest
from omsnode.firmware.errors import DutyCycleError
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import Listen, Transmit
from omsnode.firmware.roles.window_actions import Rest
from omsnode.firmware.two_way import TwoWay

CHIPS = bytes(50)
REPLY = Transmit("T2", "down", CHIPS, 2000, b"", 3000, 0)
LISTEN = Listen("T2", "up")
FRAME = radio.Event(radio.FRAME, 500, 1000, b"frame")
SENT = radio.Event(radio.SENT, 2500, 6500)
MISSED = radio.Event(radio.TOO_LATE, 2000)


class Board:
    def __init__(self):
        self.now = 0
        self.waits = []

    def now_us(self):
        return self.now

    def wait(self, until_us, exact=False):
        self.waits.append((until_us, exact))
        self.now = max(self.now, until_us)
        return [], 0


class Radio:
    """Its events are put there by the test."""

    def __init__(self):
        self.calls = []
        self.events = []
        self.due_us = None
        self.exact = False
        self.receiving = False

    def start(self, now_us):
        self.calls.append("start")

    def configure(self, mode, direction, channel=0, offset_hz=0):
        self.calls.append((mode, direction))

    def prepare(self, chips, now_us):
        self.calls.append("prepare")

    def transmit(self, at_us, until_us=None):
        self.calls.append(("transmit", at_us, until_us))
        self.due_us = at_us

    def listen(self, deframer, now_us):
        self.calls.append("listen")

    def sleep(self, now_us):
        self.calls.append("sleep")

    def service(self, now_us, edges):
        events, self.events = self.events, []
        if self.due_us is not None and now_us >= self.due_us:
            events.append(SENT)
        if [one for one in events if one.kind in (radio.SENT, radio.TOO_LATE, radio.FAULT)]:
            self.due_us = None
        return events


class Role:
    def __init__(self, answer=None, **then):
        self.answer = answer
        self.then = then  # kind of event: actions
        self.told = []
        self.due_us = None
        self.counters = {}

    def start(self, now_us):
        return [LISTEN]

    def reply(self, event, now_us):
        self.told.append("asked")
        return self.answer

    def feed(self, event, now_us, wall_us=None):
        self.told.append(event.code or event.kind)
        return self.then.pop(event.kind, [])


def node(role, **more):
    it = TwoWay(Board(), Radio(), role, **more)
    it.step()
    it.radio.calls.clear()
    return it


def hear(it, *events):
    it.radio.events = list(events)
    it.step([("gdo0", 1, 0)])


@pytest.mark.parametrize("end", [SENT, MISSED])
def test_a_reply_is_armed_before_the_frame_is_looked_at(end):
    it = node(Role(REPLY))
    hear(it, FRAME)
    assert it.role.told == ["asked"]
    assert it.radio.calls == [("T2", "down"), "prepare", ("transmit", 2000, 3000)]
    hear(it, end)
    assert it.role.told == ["asked", "frame", end.kind]
    assert it.radio.calls[3:] == [("T2", "up"), "listen"]


def test_a_reply_that_the_radio_lost_is_told_behind_its_frame():
    it = node(Role(REPLY))
    hear(it, FRAME)
    hear(it, radio.Event(radio.FAULT, 2000, code="tx_state"))
    assert it.role.told[:2] == ["asked", "tx_state"]
    assert it.role.told[2:] == ["frame", "radio"]


def test_without_a_reply_the_frame_is_fed_at_once():
    it = node(Role())
    hear(it, FRAME)
    assert it.role.told == ["asked", "frame"]
    assert it.radio.calls == []


def test_a_reply_that_may_not_be_sent_is_refused_and_its_frame_fed():
    class Ledger:
        def check(self, frequency_hz, air_time_us, now_us):
            raise DutyCycleError("no", 777000)

    it = node(Role(REPLY), ledger=Ledger())
    hear(it, FRAME)
    assert it.role.told == ["asked", "duty_cycle", "frame"]
    assert it.radio.calls == []


def test_nobody_is_asked_for_a_reply_while_one_is_armed():
    it = node(Role(REPLY))
    hear(it, FRAME, FRAME)
    assert it.role.told == ["asked", "frame"]


def test_to_listen_behind_a_transmission_waits_for_its_end():
    it = node(Role(frame=[REPLY._replace(direction="up"), Listen("T2", "down")]))
    it.role.reply = it._reply = None
    hear(it, FRAME)
    assert it.radio.calls[-1] == ("transmit", 2000, 3000)
    hear(it, SENT)
    assert it.radio.calls[3:] == [("T2", "down"), "listen"]


def test_rest_is_sleep():
    it = node(Role(rejected=[Rest()]))
    hear(it, radio.Event(radio.REJECTED, 1, error=None))
    assert it.radio.calls == ["sleep"]
    it.radio.calls.clear()
    it._do([REPLY])
    hear(it, SENT)
    assert it.radio.calls[-1] == "sleep"


def test_rest_waits_for_what_is_being_received():
    it = node(Role())
    it.radio.receiving = True
    it._do([Rest()])
    assert it.radio.calls == []
    it.radio.receiving = False
    hear(it, FRAME)
    assert it.role.told == ["asked", "frame"] and it.radio.calls == ["sleep"]


def test_a_reply_to_what_was_received_last_is_still_sent():
    it = node(Role(REPLY))
    it.radio.receiving = True
    it._do([Rest()])
    it.radio.receiving = False
    hear(it, FRAME)
    assert it.radio.calls[-1] == ("transmit", 2000, 3000)
    hear(it, SENT)
    assert it.radio.calls[-1] == "sleep"


def test_only_a_strobe_is_waited_for_exactly():
    it = node(Role())
    it._do([REPLY])
    it.radio.exact = True
    it.run(5000)
    assert it.board.waits[1:] == [(2000, True), (5000, False)]


def test_a_transmission_without_a_window_is_not_waited_for_exactly():
    it = node(Role())
    it._do([REPLY._replace(until_us=None)])
    it.run(5000)
    assert it.board.waits[1:] == [(2000, False), (5000, False)]
