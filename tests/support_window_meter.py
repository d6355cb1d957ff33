"""A bidirectional meter on a Walk, and what can be said of it."""

from omsnode.firmware.application import commands
from omsnode.firmware.link import extended, interval_us
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.window_meter import WindowMeter
from support_commands import KEYS, MASTER, METER, STORAGE
from support_walk import Walk

S = 1000000
NOMINAL = 900 * S


def make(mode="C2", security=7, device=None, state=None, key=MASTER, **more):
    profile = Profile(
        more.pop("address", METER),
        more.pop("registers", None) or [Register(b"\x04", b"\x13", 6408)],
        mode=mode,
        nominal_us=more.pop("nominal_us", NOMINAL),
        key=key,
        security_mode=security,
        with_ell=more.pop("with_ell", True),
        header=more.pop("header", "short"),
        meter_address=more.pop("meter_address", None),
    )
    device = Device([commands.Register(b"\x04", b"\x13", 6408)]) if device is None else device
    keys = KEYS if key is MASTER else {(0, 0): key}
    entropy = more.pop("entropy", bytes((7, 0, 0, 0, 0)))
    return WindowMeter(profile, entropy, keys, STORAGE, device or None, state, **more)


def awake(role, n=1):
    """A Walk whose meter has sent n frames."""
    walk = Walk(role)
    walk.until_sent(n)
    return walk


def ask(walk, telegram, **more):
    """In the middle of the window that is open or will be; what the meter sends next."""
    assert walk.hear(telegram, walk.window(), **more)
    return walk.until_sent()


def cc_of(telegram):
    return telegram[11]


def slots(walk, number):
    """Every synchronous frame is where the one before said, with the next access number (SYN-01, ACC-01, 02)."""
    before = None
    for at_us, _, telegram in walk.sent:
        if not cc_of(telegram) & extended.SYNCHRONOUS:
            continue
        if before is not None:
            assert at_us == before + interval_us(walk.role.profile.nominal_us, number)
            number = (number + 1) & 0xFF
        assert telegram[12] == number
        before = at_us
    return number


def alarmed(**more):
    device = Device([commands.Register(b"\x04", b"\x13", 6408)])
    return make(device=device, **more), device
