"""What makes a meter of the configuration a bidirectional one: when it listens, which keys it has, what it obeys.

`omsnode meter --help` shows the words by example.
"""

from dataclasses import dataclass, field

from ..application import clock as clocks
from ..application import commands, points, valve
from ..link import timing
from ..roles.device import CLOCK, Device
from ..roles.key_holder import MASTER
from ..roles.meter import CLOCK as OWN_TIME
from ..roles.window_meter import LIMITED, UNLIMITED, WindowMeter

SCHEMA = {
    "access": ("none", "limited", "unlimited"),
    "fast_response": bool,
    "cycle_s": int,
    "fillers": int,
    "clock": ("none", "gateway", "head-end", "both"),
    "valve": (valve.DIRECT, valve.MANUAL),
    "key_version": int,
    "further_key": list,
}
_FURTHER_KEY = {"key_id": int, "version": int, "key": str}
CLOCKS = {"none": 0, "gateway": clocks.GATEWAY, "head-end": clocks.HEAD_END}
CLOCKS["both"] = clocks.GATEWAY | clocks.HEAD_END
_VALVE_KEY = 0x20  # KeyID of breaker and valve (OMS Vol.2 Annex M UC-03)
_WRITES = ("set", "add", "sub", "bor", "and", "xor", "not", "clr")
_MOST_KEY_ID, _MOST_VERSION = 0x2F, 254

# Longest interval between billing data in s, by device type (OMS Vol.2 Table 8; tolerance above it 3.1258 %).
_QUARTER_S, _HOUR_S, _DAY_S = 450, 1800, 14400
LONGEST_UPDATE_S = {
    0x02: _QUARTER_S,
    0x03: _HOUR_S,
    0x04: _HOUR_S,
    0x0C: _HOUR_S,
    0x06: _DAY_S,
    0x07: _DAY_S,
    0x08: _DAY_S,
    0x0A: _DAY_S,
    0x0B: _DAY_S,
    0x0D: _DAY_S,
    0x15: _DAY_S,
    0x16: _DAY_S,
    0x20: _QUARTER_S,
    0x21: _HOUR_S,
}


@dataclass
class Access:
    """limited: it listens behind its own frames only. period_us: t_TxD. keys: {(KeyID, version): Key}. clock_allowed: bits of
    application/clock.py. writable: places of registers that plain commands may change. kind: class of the role."""

    limited: bool = True
    fast: bool = False
    fillers: int = 0
    period_us: int = timing.CYCLE_US[0]
    keys: dict = field(default_factory=dict)
    clock_allowed: int = CLOCKS["both"]
    valve: str | None = None
    writable: tuple = ()
    kind: type = WindowMeter

    def device(self, profile, state=None):
        """The roles.device.Device above a meter of this profile. state: of an earlier one."""
        registers = []
        for place, own in enumerate(profile.registers):
            value = CLOCK if own.value is OWN_TIME else own.value
            registers.append(
                commands.Register(own.dib, own.vib, value, _WRITES if place in self.writable else ())
            )
        ours = None
        if self.valve:
            device_type = profile.meter_address.device_type
            control = _register(registers, "DC1!", device_type, ("set",), _VALVE_KEY)
            ours = (self.valve, control, _register(registers, "DC2!", device_type))
        return Device(registers, clock_allowed=self.clock_allowed, valve=ours, state=state)

    def role(self, role, profile, entropy, state):
        """role: roles.window_meter.WindowMeter, or a subclass. Keys are stored under the key that the configuration has."""
        return role(
            profile,
            entropy,
            self.keys,
            profile.key,
            self.device(profile, state and state.get("device")),
            state,
            access=LIMITED if self.limited else UNLIMITED,
            fast=self.fast,
            fillers=self.fillers,
            period_us=self.period_us,
        )


def _register(registers, tag, device_type, actions=(), secured=False):
    """Place of the data point in the registers; one that is not there yet is added, closed, in a meter as its subunit 1 (UC-03)."""
    row = points.row(tag, device_type)
    made = commands.Register(points.dib_of(row), row.vibs[0][1], valve.CLOSED, actions, secured)
    place = commands.find(registers, made)
    if place is None and device_type not in valve.ALONE:
        made = commands.Register(valve.BUILT_IN, row.vibs[0][1], valve.CLOSED, actions, secured)
        place = commands.find(registers, made)
    if place is None:
        registers.append(made)
        return len(registers) - 1
    registers[place].actions, registers[place].secured = actions, secured
    return place


def of(source, table, values, mode, key, writable):
    """The Access of a [[meter]] table, None if it only sends. key: its master key or None. writable: places of the records
    that say so. ConfigError with file, line and hint."""
    two_way = mode in timing.RESPONSE_US
    words = values.get("access", "limited" if two_way and key is not None else "none")

    def wrong(message, name=None, hint=""):
        return source.error(message, table, name, hint)

    if words == "none":
        for name in SCHEMA:
            if name in values and name != "access":
                hint = 'write mode = "T2" (or C2, S2), a key, and access = "limited"'
                raise wrong("{} is for a meter that listens".format(name), name, hint)
        if writable:
            raise wrong("a writable record in a meter that does not listen", "access", 'access = "limited"')
        return None
    if not two_way:
        raise wrong("a meter of mode {} does not listen".format(mode), "mode", 'mode = "T2", "C2" or "S2"')
    if key is None or values.get("security_mode", 5) == 0:
        raise wrong("commands are taken under a key only", "access", 'add key = "@name", or access = "none"')
    cycle_us = values.get("cycle_s", timing.CYCLE_US[0] // 1000000) * 1000000
    if cycle_us not in timing.CYCLE_US:
        seconds = ", ".join(str(one // 1000000) for one in timing.CYCLE_US)
        raise wrong(
            "cycle_s = {} is no repeat period".format(cycle_us // 1000000), "cycle_s", "one of: " + seconds
        )
    if values.get("fast_response") and mode not in timing.FAST_RESPONSE_US:
        raise wrong("fast_response is a thing of mode C2", "fast_response", "leave it out")
    fillers = values.get("fillers", 0)
    if not 0 <= fillers <= 15:
        raise wrong("fillers = {} is not allowed".format(fillers), "fillers", "0 to 15")
    return Access(
        words == "limited",
        values.get("fast_response", False),
        fillers,
        cycle_us,
        keys(source, table, values, key),
        CLOCKS[values.get("clock", "both")],
        values.get("valve"),
        writable,
    )


def keys(source, table, values, key):
    """{(KeyID, version): Key} of a [[meter]] table: the master key and further ones."""
    version = values.get("key_version", 0)
    if not 0 <= version <= _MOST_VERSION:
        raise source.error("key_version = {} is none".format(version), table, "key_version", "0 to 254")
    found = {(MASTER, version): key}
    for index, further in enumerate(values.get("further_key", ())):
        place = "{}.further_key[{}]".format(table, index)
        if not isinstance(further, dict):
            raise source.error("further keys are tables", table, "further_key", "write [[meter.further_key]]")
        source.check(place, further, _FURTHER_KEY)
        source.require(place, further, ("key_id", "key"))
        name = further["key_id"], further.get("version", 0)
        if not (0 <= name[0] <= _MOST_KEY_ID and 0 <= name[1] <= _MOST_VERSION):
            raise source.error("no such key", place, "key_id", "key_id = 0x00 to 0x2F, version = 0 to 254")
        if name in found:
            raise source.error("KeyID {:02X} is there already".format(name[0]), place, "key_id")
        found[name] = source.key(place, further)
    return found


def too_slow(profile, fillers):
    """A warning if billing data of this kind of meter are updated too seldom, or None (OMS Vol.2 Table 8)."""
    longest_s = LONGEST_UPDATE_S.get(profile.meter_address.device_type)
    every_us = profile.nominal_us * (1 + fillers)
    if longest_s is None or every_us <= longest_s * 1000000:
        return None
    return "new values every {:g} s, OMS wants them every {} s at least from a device of this type".format(
        every_us / 1000000, longest_s
    )
