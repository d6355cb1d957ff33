"""Key wrap, and the whole change of a master key between the two roles, on either interpreter; no radio between them.

Vectors: RFC 3394 4.1, OMS Vol.2 Annex N (Release E 2.0.2) N.12.2.
"""

from checking import raises
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import MacError
from omsnode.firmware.link import frame_a
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import Deliver, Transmit
from omsnode.firmware.roles.answering import AnsweringMeter
from omsnode.firmware.roles.key_changer import KeyChanger
from omsnode.firmware.roles.meter import Profile, Register
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
    return AnsweringMeter(profile, bytes(5), {(0, 0): MASTER, (0x12, 0): WRAPPER}, STORAGE, state=state)


def make_gateway(mode, state=None):
    new = None if state else NEW
    return KeyChanger(GATEWAY, METER, (0, MASTER), (1, new), (0x12, 0, WRAPPER), mode=mode, state=state)


def hear(role, telegram, now_us):
    frame = bytes(frame_a.build(telegram))
    return role.feed(radio.Event(radio.FRAME, now_us, now_us, frame, "C", "A", -70), now_us)


def change(mode):
    meter, gateway = make_meter(mode), make_gateway(mode)
    gateway.start(0)
    now_us = 0
    actions = gateway.tick(0)
    told = []
    while actions:
        told += [action.reading for action in actions if isinstance(action, Deliver)]
        telegrams = [action.telegram for action in actions if isinstance(action, Transmit)]
        if not telegrams:
            break
        now_us += 2000000
        answers = hear(meter, telegrams[0], now_us)
        now_us += 1000000
        actions = hear(gateway, answers[-1].telegram, now_us)
    assert gateway.state == "changed", gateway.state
    assert meter.keys.active(0) == 1 and meter.keys.key(0) == NEW
    assert [one.done for one in told] == [False, True] and told[1].key == NEW
    # Both go on from what they store.
    again = make_meter(mode, meter.stop()[0].state)
    assert again.profile.key == NEW and again.message_counter.value == meter.message_counter.value
    assert make_gateway(mode, gateway.export()).new.key == NEW


test_key_wrap()
test_asp10()
for mode in (7, 10):
    change(mode)
print("ok")
