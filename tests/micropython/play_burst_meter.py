"""A burst meter on a device, without a radio: SND-NR, a MCMD in RX0 (its chips are argument 1), MRSP; prints what it takes.

Arguments: chips, coding, and anything to measure. Lines: what, microseconds, bytes of heap allocated for it."""

import gc
import sys
import time

from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import Transmit
from omsnode.firmware.roles.lpwan.meter import BurstMeter
from omsnode.firmware.roles.lpwan.meter_way import Declared
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.security.keys import Key

CODING = sys.argv[2]
CHIPS = bytes.fromhex(sys.argv[1])
METER = Address.from_link(bytes.fromhex("A73D785634121503"))
MASTER = Key(bytes(range(16)))
profile = Profile(METER, [Register(b"\x04", b"\x13", 6408)], "UL-B4", "B", key=MASTER, security_mode=7)
declared = Declared(downlink="DL-B4", tiv=64, coding=CODING)
keys = {(0, 0): MASTER, (0x0F, 0): Key(bytes(range(16, 32)))}
role = BurstMeter(profile, declared, bytes(5), keys, MASTER)


def cost(what, function, *arguments):
    gc.collect()
    before = gc.mem_alloc()
    gc.disable()
    start_us = time.ticks_us()
    out = function(*arguments)
    spent_us = time.ticks_diff(time.ticks_us(), start_us)
    print(what, spent_us, gc.mem_alloc() - before)
    gc.enable()
    return out


def until_sent(now_us, kind):
    """Ticks until a burst is handed over, which is then sent; T0."""
    for _ in range(20):
        now_us = max(now_us, role.due_us)
        for action in cost(kind, role.tick, now_us) if measured else role.tick(now_us):
            if isinstance(action, Transmit):
                at_us = (action.at_us + action.until_us) // 2
                end_us = at_us + len(action.chips) * 64
                role.feed(radio.Event(radio.SENT, at_us, end_us), end_us)
                return at_us + 512
    raise AssertionError("nothing is sent")


measured = len(sys.argv) > 3
role.start(0)
t0_us = until_sent(0, "tick-of-a-SND-NR")
at_us = t0_us + 1500000
role.tick(role.due_us)
end_us = at_us + len(CHIPS) * 333
event = radio.Event(radio.FRAME, at_us, end_us, CHIPS, "B", "DL", -80)
cost("downlink-decoded-and-executed", role.feed, event, end_us) if measured else role.feed(event, end_us)
assert role.counters["taken"] == 1, role.counters
assert until_sent(end_us, "tick-of-a-MRSP") == t0_us + 10500000
assert role.counters["mac.execute"] == 1
