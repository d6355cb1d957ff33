"""The published key change between our two roles on the virtual air, through drivers and chip models, and with power cuts."""

import json
import random

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.node import Node
from omsnode.firmware.roles import key_changer
from omsnode.firmware.roles.answering import AnsweringMeter
from omsnode.firmware.roles.key_changer import KeyChanger
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.security.keys import Key
from support_commands import GATEWAY, KEYS, MASTER, METER, STORAGE, WRAPPER, Answer

S = 1000000
NEW = Key(bytes(range(30, 46)))
SECRETS = (MASTER, WRAPPER, STORAGE, NEW)


class PowerCut(Exception):
    pass


class Device:
    """One of the two with its power supply: a node that can die at any call of its role or write of its store, and that
    starts again from what was written, which crossed JSON."""

    def __init__(self, world, name, make, cut=None, deaf=()):
        self.board = world.add_board(name=name)
        self.make = make
        self.text = None
        self.cut = cut  # (kind, which)
        self.deaf = deaf
        self.answers = 0
        self.seen = {}
        self.sent = []
        self.delivered = []
        self.start()

    def start(self):
        role = self.make(json.loads(self.text) if self.text else None)
        for door in ("feed", "tick"):
            setattr(role, door, self._watched(door, getattr(role, door)))
        self.role = role
        pins = self.board.pins
        radio = Cc1101(self.board.spi, pins["gdo0"], pins["gdo2"])
        radio.transmit = self._armed(radio.transmit)
        self.node = Node(
            self.board,
            radio,
            role,
            store=self,
            deliver=self.delivered.append,
            state=json.loads(self.text) if self.text else None,
        )
        self.board.take_edges()

    def _watched(self, door, call):
        def watched(event, *more):
            if door == "feed":
                self._at("before " + event.kind)
                if self.deaf and event.kind == "frame" and event.frame[1] != 0x44:
                    self.answers += 1
                    if self.answers in self.deaf:
                        return []
            actions = call(event, *more)
            if door == "feed":
                self._at("after " + event.kind)
            elif actions:
                self._at("after tick")
            for action in actions:
                if hasattr(action, "telegram"):
                    self.offered = bytes(action.telegram)
            return actions

        return watched

    def _armed(self, transmit):
        def armed(at_us, until_us=None):
            transmit(at_us, until_us)
            self.sent.append(self.offered)
            self._at("armed")

        return armed

    def save(self, state):
        self._at("before store")
        self.text = json.dumps(state)
        for key in SECRETS:
            assert key._secret.hex() not in self.text
        self._at("after store")

    def _at(self, kind):
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if self.cut == (kind, self.seen[kind]):
            self.cut = None
            raise PowerCut(self)


def meter_role(mode, keys):
    def make(state):
        profile = Profile(
            METER,
            [Register(b"\x04", b"\x13", 6408)],
            mode="C2",
            nominal_us=60 * S,
            key=MASTER,
            security_mode=mode,
            with_ell=True,
        )
        return AnsweringMeter(profile, bytes((7, 0x80, 0, 0, 0)), keys, STORAGE, state=state)

    return make


def gateway_role(mode, long_ell):
    def make(state):
        new = None if state else NEW
        return KeyChanger(
            GATEWAY,
            METER,
            (0, MASTER),
            (1, new),
            (0x12, 0, WRAPPER),
            mode=mode,
            long_ell=long_ell,
            state=state,
        )

    return make


def run(
    mode=7,
    long_ell=False,
    meter_cut=None,
    gateway_cut=None,
    deaf=(),
    gateway_make=None,
    keys=KEYS,
    until_us=900 * S,
):
    """deaf: which of the answers the gateway does not hear."""
    world = World(seed=4)
    meter = Device(world, "meter", meter_role(mode, keys), meter_cut)
    gateway = Device(world, "gateway", gateway_make or gateway_role(mode, long_ell), gateway_cut, deaf)
    cuts = 0
    while True:
        try:
            world.run(
                [meter.node, gateway.node],
                until_us,
                stop=lambda: gateway.delivered and gateway.delivered[-1].done,
            )
            break
        except PowerCut as cut:
            cuts += 1
            world.advance_us(S)
            cut.args[0].start()
    return world, meter, gateway, cuts


def check_changed(meter, gateway):
    assert gateway.role.state == key_changer.CHANGED
    assert meter.role.keys.active(0) == 1 and meter.role.keys.key(0) == NEW
    assert meter.role.keys.export()[0][:3] == [0, 1, 2]  # the old one is destroyed
    assert meter.role.profile.key == NEW
    told = [one for one in gateway.delivered if one.outcome == key_changer.CHANGED]
    assert told and told[-1].done and (told[-1].key_version, told[-1].key) == (1, NEW)
    never_twice(meter.sent, gateway.sent)


def never_twice(*senders):
    """No key of one message was used for two different ones (KDF: key, counter, direction)."""
    for telegrams in senders:
        used = {}
        for telegram in telegrams:
            for key in (MASTER, NEW):
                try:
                    answer = Answer(telegram, key)
                except Exception:
                    continue
                if answer.opened.counter is not None:
                    link = link_telegram.parse(telegram)
                    content = telegram[link.offset :]
                    assert used.setdefault((key, answer.opened.counter), content) == content


@pytest.mark.parametrize("mode, long_ell", [(7, False), (7, True), (10, False), (10, True)])
def test_published_flow(mode, long_ell):
    world, meter, gateway, _ = run(mode, long_ell)
    check_changed(meter, gateway)
    steps = [link_telegram.parse(telegram).c_field & 0xDF for telegram in gateway.sent]
    assert steps == [0x43, 0x53, 0x5B & 0xDF, 0x43]  # transfer, activate, fetch, destroy
    answers = [telegram for telegram in meter.sent if telegram[1] != 0x44]
    assert [telegram[1] for telegram in answers] == [0x08, 0x00, 0x08, 0x08]
    transferred, activated, destroyed = Answer(answers[0]), Answer(answers[2], NEW), Answer(answers[3], NEW)
    assert [one.blocks[0].function for one in (transferred, activated, destroyed)] == [0x80, 0x84, 0x83]
    assert all(one.blocks[0].content == b"\x00" for one in (transferred, activated, destroyed))
    # Under the new key, naming it, its counter restarted; the destruction does not name it any more.
    assert (activated.opened.key_version, activated.opened.counter) == (1, 1)
    assert destroyed.opened.key_version is None and destroyed.opened.counter == 3
    assert [one.done for one in gateway.delivered] == [False, True]
    assert gateway.role.counters["sent"] == 4 and world.now_us < 30 * S
    # The meter goes on under the new key.
    world.run([meter.node], world.now_us + 130 * S)
    later = Answer(meter.sent[-1], NEW)
    assert later.telegram[1] == 0x44 and later.opened.counter > 3


def points(**more):
    """Every instant of an undisturbed run at which the power may fail: (who, (kind, which))."""
    _, meter, gateway, _ = run(**more)
    out = []
    for who, device in (("meter_cut", meter), ("gateway_cut", gateway)):
        for kind, most in sorted(device.seen.items()):
            out += [(who, (kind, which)) for which in range(1, most + 1)]
    return out


@pytest.mark.parametrize("mode", [7, 10])
def test_power_cut_at_every_step(mode, record_property):
    where = points(mode=mode)
    assert len(where) > 40
    for who, cut in where:
        _, meter, gateway, cuts = run(mode, **{who: cut})
        assert cuts == 1, (who, cut)
        try:
            check_changed(meter, gateway)
        except AssertionError as error:
            raise AssertionError((who, cut, gateway.role.state, gateway.role.counters)) from error
    record_property("power cuts in mode {}".format(mode), len(where))


def test_both_lose_power():
    where = points()
    draw = random.Random(5)
    for _ in range(40):
        cuts = {
            who: draw.choice([cut for name, cut in where if name == who])
            for who in ("meter_cut", "gateway_cut")
        }
        _, meter, gateway, _ = run(**cuts)
        check_changed(meter, gateway)


@pytest.mark.parametrize("which", [1, 2, 3, 4])
@pytest.mark.parametrize("times", [1, 3, 7])
def test_lost_answers(which, times):
    """So many answers of the meter are not heard, from the n-th on: repeated without a second execution, tried with the
    other key where silence leaves both possible."""
    _, meter, gateway, _ = run(deaf=range(which, which + times))
    check_changed(meter, gateway)
    assert meter.role.counters["executed"] <= 3 + 4 * times
    if times == 1:
        assert meter.role.counters["executed"] == 3 and meter.role.counters["repeated"] == 1


def test_a_meter_that_does_not_know_the_wrapper_keeps_its_key():
    def stranger(state):
        return KeyChanger(GATEWAY, METER, (0, MASTER), (1, NEW), (0x12, 0, STORAGE), state=state)

    _, meter, gateway, _ = run(gateway_make=stranger)
    assert gateway.role.state == key_changer.KEPT and gateway.delivered[-1].outcome == "kept"
    assert (gateway.delivered[-1].key_version, gateway.delivered[-1].key) == (0, MASTER)
    assert meter.role.keys.active(0) == 0 and len(meter.role.keys.export()) == len(KEYS)


def test_an_application_key_goes_the_same_way():
    """KeyID 20 under the application wrapper; the messages stay under the master key."""
    application_wrapper = Key(bytes(range(60, 76)))
    keys = {**KEYS, (0x14, 0): application_wrapper}

    def gateway(state):
        new = None if state else NEW
        wrapper = (0x14, 0, application_wrapper)
        return KeyChanger(GATEWAY, METER, (0, MASTER), (5, new), wrapper, 0x20, 0, state=state)

    _, meter, device, _ = run(gateway_make=gateway, keys=keys)
    assert device.role.state == key_changer.CHANGED
    assert meter.role.keys.key(0x20) == NEW and meter.role.keys.active(0x20) == 5
    assert (0x20, 0) not in [tuple(row[:2]) for row in meter.role.keys.export()]
    assert meter.role.keys.key(0) == MASTER and meter.role.message_counter.value > 0
