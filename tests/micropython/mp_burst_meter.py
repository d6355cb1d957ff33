"""The burst meter on either interpreter: slot, window, MCMD, MRSP, stored state, multi burst with MACK; no radio."""

import gc

from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import llc, mac, protection
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.roles.actions import Listen, Persist, Transmit
from omsnode.firmware.roles.lpwan.meter import BurstMeter
from omsnode.firmware.roles.lpwan.meter_way import Declared
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.window_actions import Rest
from omsnode.firmware.security.keys import Key

S = 1000000
METER = Address.from_link(bytes.fromhex("A73D785634121503"))
MASTER, STORAGE = Key(bytes(range(16))), Key(bytes([2] * 16))
MAC_KEY = Key(bytes(range(16, 32)))
Q_K_6 = bytes.fromhex("2D6801370150E4896B9204A73D785634121503D6BFAB0B")


def make(state=None, **declared):
    profile = Profile(
        METER,
        [Register(b"\x04", b"\x13", 6408)],
        "UL-B4",
        "B",
        key=MASTER,
        security_mode=7,
        nominal_us=900 * S,
    )
    return BurstMeter(
        profile,
        Declared(downlink="DL-B4", tiv=64, **declared),
        bytes(5),
        {(0, 0): MASTER, (0x0F, 0): MAC_KEY},
        STORAGE,
        state=state,
    )


def next_sent(role, now_us):
    """(T0, PHY payload of a single burst or None, states that were stored, how often it listened) of the next burst."""
    stored, listened = [], 0
    for _ in range(40):
        now_us = max(now_us, role.due_us)
        for action in role.tick(now_us):
            if isinstance(action, Persist):
                stored.append(action.state)
            elif isinstance(action, Transmit):
                at_us = (action.at_us + action.until_us) // 2
                end_us = at_us + len(action.chips) * 8 * S // modes.find(action.mode).chip_rate_cps
                role.feed(radio.Event(radio.SENT, at_us, end_us), end_us)
                return at_us + 512, payload(action.chips), stored, listened
            else:
                assert isinstance(action, (Listen, Rest)), action
                listened += isinstance(action, Listen)
    raise AssertionError("nothing is sent")


def payload(chips):
    from omsnode.firmware.phy.burst import decode

    head, _, data = burst.receive(chips[8:], "up")
    return decode.payload(head, [(1 if head.multi else None, data)], mac.valid)


def say(role, frame, at_us, multi=0, index=0):
    """A downlink burst whose front sync ends then; states that were stored."""
    chips = burst.downlink(frame, 64, multi, 0 if multi else 2)[index]
    now_us = at_us
    while role.due_us <= at_us:
        now_us = max(now_us, role.due_us)
        role.tick(role.due_us)
    end_us = at_us + len(chips) * 8 * S // 24000
    event = radio.Event(radio.FRAME, at_us, end_us, chips[8:], "B", "DL", -80)
    return [action.state for action in role.feed(event, end_us) if isinstance(action, Persist)], end_us


gc.collect()
before = gc.mem_alloc() if hasattr(gc, "mem_alloc") else 0

role = make()
role.start(0)
t0_us, first, stored, _ = next_sent(role, 0)
assert mac.parse(first, "up", "UL-B4").type == mac.MSNR and stored

stored, now_us = say(role, Q_K_6, t0_us + 1500000)
assert len(stored) == 1 and stored[0]["lpwan"]["counters"] == [1, 0, 311], stored
answer_us, frame, _, _ = next_sent(role, now_us)
assert answer_us == t0_us + 10500000
found = mac.parse(frame, "up", "UL-B4")
assert found.type == mac.MRSP and found.payload == bytes.fromhex("02A73D785634121503")
derived = protection.derive(MAC_KEY, 1, METER)
assert protection.open_(derived, METER, mac.MRSP, found.body) == bytes.fromhex("11DA")

again = make(stored[0])
again.start(0)
_, frame, _, _ = next_sent(again, 0)
assert mac.parse(frame, "up", "UL-B4").body.counter == 1

role = make(coding="multi", access=4)
role.start(0)
t0_us, first, _, _ = next_sent(role, 0)
nke = mac.build(mac.MCNR, None, None, llc.build(llc.gateway_down(0x40, METER, 6), False))
_, now_us = say(role, nke, t0_us + 1125000, 1)
assert role.counters["taken"] == 1
mack_us, frame, _, _ = next_sent(role, now_us)
assert frame == mac.MACK_FRAME and mack_us == t0_us + 2250000

gc.collect()
if before:
    print("heap of two burst meters that have worked: {} bytes".format(gc.mem_alloc() - before))
print("ok")
