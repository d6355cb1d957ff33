"""Answers of a meter whose counter is lower than that of a message which came through in between (security sheet 11.1, step 6): a
cycle repeats them behind a slot. What was made since we asked is new all the same. The gateway, the meter and the loop are
the real ones."""

import random

import pytest
from omsnode.firmware.link import control
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.receiver import LIMITED, UNLIMITED
from omsnode.firmware.roles.window_meter import WindowMeter
from support_event_air import EventAir, EventSide
from support_ladder import (
    ENDS,
    GATEWAY,
    KEYS,
    LISTEN,
    MASTER,
    MODES,
    STORAGE,
    WALL_US,
    Memory,
    S,
    address,
    device,
    gateway_keys,
)
from support_window import WRITE, Meter, Stage

METER = address(0)
VOLUME = 6408


class Deaf(EventAir):
    """The gateway misses every RSP-UD until a SND-NR has come behind one. low_us: when it heard the first one behind that."""

    missed = overtaken = 0
    low_us = None

    def _arrive(self, side, burst, over):
        kind = control.name(burst.telegram[1], True)
        if side.name == "gateway" and kind == "RSP-UD" and not self.overtaken:
            self.missed += 1
            return
        if kind == "SND-NR" and self.missed:
            self.overtaken += 1
        if side.name == "gateway" and kind == "RSP-UD" and self.low_us is None:
            self.low_us = self.now_us
        super()._arrive(side, burst, over)


class Pair:
    def __init__(self, mode, fast, access, seed=0, security_mode=7, more=()):
        rng = random.Random("{}/{}/{}".format(mode, access, seed))
        self.air = Deaf(seed)
        self.told = []

        def gateway(state):
            known = [KnownMeter("meter", METER, MASTER)]
            profile = {7: "B", 10: "D"}[security_mode]
            partner = Partner(METER, MASTER, profile, keys=gateway_keys())
            return Gateway(Collector(known, LISTEN[mode]), GATEWAY, [partner], rng.randbytes(32), state)

        def meter(state):
            profile = Profile(
                METER,
                [Register(b"\x0c", b"\x13", VOLUME)],
                mode=mode,
                nominal_us=10 * S,
                key=MASTER,
                security_mode=security_mode,
                with_ell=True,
            )
            made = device(state, more=more)
            settings = dict(access=access, fast=fast)
            return WindowMeter(profile, rng.randbytes(32), KEYS, STORAGE, made, state, **settings)

        self.gateway = EventSide(self.air, "gateway", gateway, Memory(), WALL_US)
        self.gateway.deliver = self.told.append
        self.meter = EventSide(self.air, "meter", meter, Memory(), WALL_US)
        self.gateway.start()
        self.meter.start()
        self.air.run(70 * S)  # it is known by now

    def order(self, *words):
        made = orders.make(words, METER, gateway_keys())
        self.number = self.gateway.role.queue(METER, made, self.gateway.board.now_us())
        self.air.wake(self.gateway)
        return self

    def steps(self):
        return [one.step for one in self.told if getattr(one, "number", None) == self.number]

    def until_ended(self, most_s=900):
        self.air.run(self.air.now_us + most_s * S, lambda: set(self.steps()) & set(ENDS))
        self.ended_us = self.air.now_us
        self.air.run(self.air.now_us + 40 * S)
        return self

    def end(self):
        (found,) = [
            one for one in self.told if getattr(one, "step", None) in ENDS and one.number == self.number
        ]
        return found.step, found.detail

    @property
    def volume(self):
        return self.meter.role.device.registers[0].value


@pytest.mark.parametrize("security_mode", [7, 10])
@pytest.mark.parametrize("access", [LIMITED, UNLIMITED])
@pytest.mark.parametrize("mode, fast", MODES)
@pytest.mark.parametrize(
    "words", [("read",), ("read", "0C:13"), ("write", "0C:13", "7"), ("add", "0C:13", "0.001")]
)
def test_it_is_an_answer_all_the_same(words, mode, fast, access, security_mode):
    pair = Pair(mode, fast, access, security_mode=security_mode).order(*words).until_ended()
    assert pair.air.missed and pair.air.overtaken
    step, detail = pair.end()
    assert step == "done" and detail["authenticated"], pair.told[-20:]
    # At once, and not when the meter may have forgotten the number (25 s).
    assert pair.ended_us - pair.air.low_us < 10 * S
    # Executed, and what must not be executed twice was not.
    assert pair.volume == {"read": VOLUME, "write": 7000, "add": VOLUME + 1}[words[0]]


@pytest.mark.parametrize("access", [LIMITED, UNLIMITED])
@pytest.mark.parametrize("mode, fast", MODES)
def test_an_alarm_is_not_lost(mode, fast, access):
    """The meter clears it when it has sent it, heard or not (oms-requirements sheet 14.8): there is no other answer with it."""
    pair = Pair(mode, fast, access)
    pair.gateway.role.demands = False
    pair.meter.role.device.raise_alarm(0x05)
    pair.order("alarm").until_ended()
    assert pair.air.missed and pair.air.overtaken
    step, detail = pair.end()
    assert step == "done" and detail["alarm"] == "05" and detail["authenticated"]
    assert pair.meter.role.device.alarm() is None


@pytest.mark.parametrize("access", [LIMITED, UNLIMITED])
@pytest.mark.parametrize("mode, fast", MODES)
def test_a_meter_whose_counter_is_always_too_low_ends_it_too(mode, fast, access):
    """It has lost its counter, or what is heard are records: eleven tries, as for one that does not answer."""
    pair = Pair(mode, fast, access)
    pair.gateway.role.partners[0].side.heard = 1 << 30
    pair.meter.role.message_counter.value = 1000
    pair.order("read").until_ended(3600)
    step, detail = pair.end()
    assert step == "failed" and "11 tries" in detail
    assert pair.steps().count("sent") == 11


def test_a_command_that_must_not_be_executed_twice_is_not_made_anew_for_an_old_answer():
    """The answer to an SND-UD is an ACK: an RSP-UD behind it, authentic and old, changes nothing."""
    stage = Stage("C2")
    meter = Meter(cc=0x84)
    stage.hear(meter.nr())
    order = stage.order(WRITE, once=True)
    stage.run(stage.now_us + S)
    command = stage.sent[0].telegram
    old = meter.rsp(command)
    meter.counter += 1000
    stage.hear(meter.nr())
    stage.hear(old)
    assert {one.telegram for one in stage.sent} == {command} and order.log == ["exchange"]
