"""Key wrap, and the whole change of a master key between the two roles, on either interpreter; no radio between them.

Vectors: RFC 3394 4.1, OMS Vol.2 Annex N (Release E 2.0.2) N.12.2.
"""

import json

from checking import raises
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import MacError
from omsnode.firmware.link import frame_a
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.actions import Deliver, Persist, Transmit
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.key_steps import KeyChange
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.window_meter import UNLIMITED, WindowMeter
from omsnode.firmware.security import key_wrap
from omsnode.firmware.security.keys import Key

METER = Address.parse("12345678.M=XYZ.V=55.T=20")
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER, WRAPPER, STORAGE, NEW = [Key(bytes([i] * 16)) for i in range(1, 5)]


def test_key_wrap():
    key = Key(bytes(range(16)))
    data = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    wrapped = bytes.fromhex("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5")
    assert key_wrap.wrap(key, data) == wrapped
    assert key_wrap.unwrap(key, wrapped) == data
    for length in (1, 7, 8, 9, 23):
        assert key_wrap.unwrap_padded(key, key_wrap.wrap_padded(key, data[:length])) == data[:length]
    raises(MacError, key_wrap.unwrap, MASTER, wrapped)


def test_asp10():
    key = Key.from_hex("08154711081547110815471108154711")
    content = sitp.secure(key, sitp.Secured(15, sitp.AT_ONCE, 1, b"\x01\xfd\x1f\x00"))
    assert content[-8:].hex() == "fa41e2812d449b4d"


def make_meter(mode, state=None):
    profile = Profile(
        METER, [Register(b"\x04", b"\x13", 1)], "C2", key=MASTER, security_mode=mode, with_ell=True
    )
    keys = {(0, 0): MASTER, (0x12, 0): WRAPPER}
    return WindowMeter(profile, bytes(5), keys, STORAGE, state=state, access=UNLIMITED)


def keys(key_id, version=None):
    found = {(0, 0): MASTER, (0, 1): NEW, (0x12, 0): WRAPPER}.get((key_id, version or 0))
    return found and (version or 0, found)


def make_gateway(mode, state=None):
    partner = Partner(METER, MASTER, {7: "B", 10: "D"}[mode], 0, keys)
    known = [KnownMeter("m", METER, MASTER)]
    return Gateway(Collector(known), GATEWAY, [partner], bytes(range(32)), state)


class Talk:
    """Two roles whose transmissions are heard by the other. told: what was delivered; stored: of each, what it has stored."""

    def __init__(self, roles):
        self.roles = roles
        self.now_us = 0
        self.told = []
        self.stored = [None, None]
        self.flights = [None, None]  # (instant of the first chip, Transmit)
        for at in range(2):
            self.do(at, roles[at].start(0))

    def do(self, at, actions):
        for action in actions:
            if isinstance(action, Persist):
                self.stored[at] = json.dumps(action.state)
            elif isinstance(action, Deliver):
                self.told.append(action.reading)
            elif isinstance(action, Transmit):
                at_us = (action.at_us + (action.until_us or action.at_us)) // 2
                self.flights[at] = (max(at_us, self.now_us), action)

    def run(self, until_us, over=None):
        while self.now_us < until_us and not (over and over()):
            due = [(flight[0], at, flight[1]) for at, flight in enumerate(self.flights) if flight]
            due += [(role.due_us, at, None) for at, role in enumerate(self.roles) if role.due_us is not None]
            at_us, at, action = min(due, key=lambda one: one[0])
            self.now_us = max(self.now_us, at_us)
            if action is None:
                self.do(at, self.roles[at].tick(self.now_us))
                continue
            self.flights[at] = None
            rate = modes.find(action.mode, action.direction).chip_rate_cps
            self.now_us += len(action.chips) * 8000000 // rate
            frame = bytes(frame_a.build(action.telegram))
            self.do(at, self.roles[at].feed(radio.Event(radio.SENT, at_us, self.now_us), self.now_us))
            event = radio.Event(radio.FRAME, at_us, self.now_us, frame, "C", "A", -70)
            self.do(1 - at, self.roles[1 - at].feed(event, self.now_us))


def change(mode):
    meter, gateway = make_meter(mode), make_gateway(mode)
    talk = Talk((meter, gateway))
    number = gateway.queue(METER, orders.make(["key-change"], METER, keys), 0)
    ends = []

    def over():
        ends[:] = [one for one in talk.told if getattr(one, "step", None) in ("done", "failed")]
        return ends

    talk.run(60000000, over)
    assert [(one.number, one.step) for one in ends] == [(number, "done")], ends
    assert ends[0].detail == {
        "key_id": 0,
        "key_version": 1,
        "changed": True,
        "destroyed": True,
        "authenticated": True,
    }
    assert meter.keys.active(0) == 1 and meter.keys.key(0) == NEW
    changes = [one for one in talk.told if isinstance(one, KeyChange)]
    assert [(one.key_version, one.key) for one in changes] == [(1, NEW)]
    assert gateway.partners[0].side.key == NEW
    # Both go on from what they store.
    talk.run(talk.now_us + 2000000)
    again = make_meter(mode, json.loads(talk.stored[0]))
    assert again.profile.key == NEW and again.message_counter.value >= meter.message_counter.value
    again = make_gateway(mode, json.loads(talk.stored[1]))
    again.start(0)
    again.partners[0].adopt((0, 1, NEW))
    assert again.partners[0].side.sent == gateway.partners[0].side.sent > 0


test_key_wrap()
test_asp10()
for mode in (7, 10):
    change(mode)
print("ok")
