"""A meter with windows on either interpreter: slot, window, request, answer, repetition, end of the session, stored state; no radio."""

from checking import raises
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import extended, frame_a, intervals
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles.actions import Listen, Persist, Transmit
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.window_actions import Rest
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key

METER = Address.parse("12345678.M=XYZ.V=55.T=07")
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER, STORAGE = Key(bytes([1] * 16)), Key(bytes([2] * 16))
S = 1000000


def make(mode, security, state=None):
    profile = Profile(
        METER, [Register(b"\x04", b"\x13", 6408)], mode, key=MASTER, security_mode=security, with_ell=True
    )
    return WindowMeter(profile, bytes(5), {(0, 0): MASTER}, STORAGE, state=state)


def next_sent(role, now_us):
    """(first chip, end, telegram, states that were stored) of the meter's next transmission, which is told to it."""
    stored = []
    for _ in range(20):
        now_us = max(now_us, role.due_us)
        for action in role.tick(now_us):
            if isinstance(action, Persist):
                stored.append(action.state)
            elif isinstance(action, Transmit):
                at_us = (action.at_us + (action.until_us or action.at_us)) // 2
                return sent(role, action, at_us) + (stored,)
            else:
                assert isinstance(action, (Listen, Rest)), action
    raise AssertionError("nothing is sent")


def sent(role, action, at_us):
    end_us = at_us + len(action.chips) * 8 * S // modes.find(action.mode).chip_rate_cps
    role.feed(radio.Event(radio.SENT, at_us, end_us), end_us)
    return at_us, end_us, action.telegram


def ask(role, c_field, number):
    """In the middle of the window: actions."""
    tpl = b"\x80" + METER.tpl_bytes() + bytes((number, 0, 0, 0))
    frame = frame_a.build(link_telegram.build(c_field, GATEWAY, extended.build(0x84, number) + tpl))
    at_us = sum(role.access.window) // 2
    return role.feed(radio.Event(radio.FRAME, at_us, at_us + 20000, bytes(frame), "C", "A"), at_us + 20000)


def walk(mode, security):
    role = make(mode, security)
    role.start(0)
    first_us, _, telegram, stored = next_sent(role, 0)
    assert telegram[1] == 0x44 and telegram[11] == 0xA0 and stored
    actions = ask(role, 0x5B, 0x24)
    armed = [action for action in actions if isinstance(action, Transmit)]
    if armed:
        at_us, end_us, answer = sent(role, armed[0], (armed[0].at_us + armed[0].until_us) // 2)
    else:
        at_us, end_us, answer, _ = next_sent(role, 0)
    assert answer[1] == 0x08 and answer[12] == 0x24 and answer[11] == 0x80
    again_us, _, again, _ = next_sent(role, end_us)
    assert again == answer and again_us - at_us == 2 * S
    ask(role, 0x40, 0x25)
    assert role.access.state == "rest"
    slot_us, _, telegram, _ = next_sent(role, again_us)
    assert telegram[1] == 0x44 and 870 * S < slot_us - first_us < 930 * S
    state = role.stop()[0].state
    assert make(mode, security, state).credits.count <= role.credits.count
    role.install(slot_us)
    slot_us, _, telegram, _ = next_sent(role, slot_us + 10 * S)
    assert telegram[1] == 0x46


for mode in ("C2", "T2", "S2"):
    for security in (5, 7, 10):
        walk(mode, security)
raises(MisuseError, make, "T1", 5)
raises(MisuseError, intervals.check, 0x02, "C2", 900 * S)
intervals.check(0x07, "C2", 900 * S, 15)
print("ok")
