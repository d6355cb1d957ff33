"""What a telegram of each profile costs on the interpreter that runs this: lines of "profile what microseconds bytes".

bytes: heap that is allocated on the way, with the collector off; all of it is garbage afterwards. "kept" is what stays: the
modules of the profile beyond those of a plain meter. MicroPython only.
"""

import gc
import time

from omsnode.firmware.application.telegram import decode
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.keys import Key

ROUNDS = 20
KEY = Key(bytes(range(16)))
METER = Address.parse("12345678.M=ELS.V=33.T=03")
NAMES = ((0, "plain"), (5, "A"), (7, "B"), (10, "D"))


def registers():
    return [
        Register(b"\x0c", b"\x14", 2850427),
        Register(b"\x04", b"\x6d", bytes.fromhex("32371f15")),
        Register(b"\x02", b"\xfd\x17", b"\x00\x00"),
    ]


def cost(name, what, call):
    """Time and allocation of one call, on average; the first one loads what it needs."""
    gc.enable()
    gc.collect()
    before = gc.mem_alloc()
    call()
    gc.collect()
    kept = gc.mem_alloc() - before
    gc.disable()
    before = gc.mem_alloc()
    start = time.ticks_us()
    for _ in range(ROUNDS):
        call()
    spent = time.ticks_diff(time.ticks_us(), start)
    allocated = gc.mem_alloc() - before
    gc.enable()
    print(name, what, spent // ROUNDS, allocated // ROUNDS, kept)


for mode, name in NAMES:
    profile = Profile(METER, registers(), mode="C1", key=KEY, security_mode=mode, with_ell=True)
    role = Meter(profile, bytes(5))
    role.start(0)
    made = role.tick(role.due_us)[-1].telegram
    cost(name, "made", role.telegram)
    found = decode(made, lambda address, *which: KEY)
    assert found.error is None and len(found.records) == 3
    cost(name, "read", lambda made=made: decode(made, lambda address, *which: KEY))
