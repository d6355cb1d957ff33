"""What makes a meter of the configuration a burst meter: its sub-modes, when it listens, its keys (OMS Vol.2 Annex Q).

`omsnode meter --help` shows the words by example. They are those of the annex: coding and spacing of its uplink (Q.2.4), access
option (Table Q.80), response timing option and DL-RXM (Q.3.5.5), sub-carriers n (Q.2.3), what link management may choose of
(MBlock 13).
"""

import itertools
from dataclasses import dataclass, field

from ..link.lpwan import values as mblocks
from ..phy.burst import submodes, timing
from ..roles.lpwan import meter_way
from ..roles.lpwan.meter import BurstMeter
from . import access as windows
from .key_store import MAC_KEY

MODES = (*submodes.UPLINKS, meter_way.DUAL)
_SPACINGS = ("short", "medium", "long")  # burst type of a multi burst: 0, 1, 2
_RXM_MS = (*sorted(timing.RXM_MS[1:]), 0)

# Of a meter that sends only, too.
_SENDING = {
    "coding": mblocks.CODINGS,
    "spacing": _SPACINGS,
    "sub_carriers": list,
    "tiv": int,
    "clock_ppm": int,
    "fillers": int,
    "key_version": int,
    "further_key": list,
}
_LISTENING = {
    "access": int,
    "response_timing": int,
    "dl_rxm_ms": int,
    "mac_key": str,
    "mac_key_version": int,
    "uplinks": list,
    "downlinks": list,
    "codings": list,
    "power_steps": int,
    "fallback_counter": int,
    "session_resume_s": int,
    "clock": windows.SCHEMA["clock"],
    "valve": windows.SCHEMA["valve"],
}
SCHEMA = {"downlink": submodes.DOWNLINKS, **_SENDING, **_LISTENING}
# Key: least, most.
_RANGES = {
    "tiv": (0, 127),
    "clock_ppm": (0, 250),
    "fillers": (0, 15),
    "access": (1, 6),
    "response_timing": (1, 8),
    "power_steps": (0, 3),
    "fallback_counter": (1, 0x7FFF),
    "session_resume_s": (0, 510),
    "mac_key_version": (0, 254),
}


@dataclass
class BurstAccess(windows.Access):
    """As access.Access. declared: arguments of meter_way.Declared. longest: bytes of a PHY payload that the radio sends."""

    kind: type = BurstMeter
    declared: dict = field(default_factory=dict)
    longest: int = 255

    @property
    def codings(self):
        """Those in which it may have to send."""
        able = self.declared["capability"]
        return able.codings if able else (self.declared["coding"],)

    @property
    def uplinks(self):
        """The sub-modes in which it may have to send."""
        able = self.declared["capability"]
        return able.uplinks if able else meter_way.bases(self.declared["uplink"])

    @property
    def downlinks(self):
        """Those in which it may have to listen, none of a meter that sends only."""
        able = self.declared["capability"]
        own = self.declared["downlink"]
        return able.downlinks if able else (own,) if own else ()

    def role(self, role, profile, entropy, state):
        """role: BurstMeter, or a subclass."""
        return role(
            profile,
            meter_way.Declared(longest=self.longest, **self.declared),
            entropy,
            self.keys,
            profile.key,
            self.device(profile, state and state.get("device")),
            state,
            self.fillers,
        )


def of(source, table, values, mode, key, writable):
    """The BurstAccess of a [[meter]] table. key: its master key or None. writable: places of the records that say so.
    ConfigError with file, line and hint."""

    def wrong(message, name=None, hint=""):
        return source.error(message, table, name, hint)

    if key is None or values.get("security_mode", 7) == 0:
        hint = 'add key = "@name"; security_mode = 5 is OMS profile A, 7 is B, 10 is D'
        raise wrong("a burst meter needs a key", "mode", hint)
    listens = "downlink" in values
    if not listens:
        for name in _LISTENING:
            if name in values:
                hint = 'write downlink = "DL-B4", or leave it out'
                raise wrong("{} is for a burst meter that listens".format(name), name, hint)
        if writable:
            raise wrong("a writable record in a meter that does not listen", "mode", 'downlink = "DL-B4"')
    for name, (least, most) in _RANGES.items():
        if name in values and not least <= values[name] <= most:
            raise wrong(
                "{} = {} is not allowed".format(name, values[name]), name, "{} to {}".format(least, most)
            )
    rxm = values.get("dl_rxm_ms")
    if rxm is not None and rxm not in _RXM_MS:
        allowed = ", ".join(str(one) for one in _RXM_MS)
        raise wrong(
            "dl_rxm_ms = {} cannot be told".format(rxm), "dl_rxm_ms", "one of {} (unlimited)".format(allowed)
        )
    if "spacing" in values and "multi" not in (values.get("coding"), *values.get("codings", ())):
        raise wrong("spacing is that of multi bursts", "spacing", 'coding = "multi", or leave it out')
    if values.get("session_resume_s", 0) % 2:
        raise wrong("session_resume_s is told in steps of 2 s", "session_resume_s", "an even number")
    carriers = values.get("sub_carriers", [0, 1, 2, 3, 4])
    if not carriers or any(type(n) is not int or not 0 <= n <= 4 for n in carriers):
        raise wrong("sub_carriers are numbers n, 0 to 4", "sub_carriers", "such as [0, 2, 4]")
    ppm = values.get("clock_ppm", timing.METER_PPM)
    coding, downlink, option = values.get("coding", "7/8"), values.get("downlink"), values.get("access", 1)
    declared = {
        "uplink": mode,
        "coding": coding,
        "downlink": downlink,
        "access": option,
        "spacing": _SPACINGS.index(values.get("spacing", "short")),
        "option": values.get("response_timing"),
        "rxm": None if rxm is None else timing.RXM_MS.index(rxm),
        "carriers": tuple(carriers),
        "early_ppm": ppm,
        "late_ppm": ppm,
        "tiv": values.get("tiv"),
        "preset": values.get("fallback_counter", 100),
        "reductions": values.get("power_steps", 0),
        "resume_s": values.get("session_resume_s", 0),
        "capability": _capability(source, table, values, mode, coding, downlink, option) if listens else None,
    }
    keys = windows.keys(source, table, values, key)
    if listens:
        _mac_key(source, table, values, keys)
    return BurstAccess(
        keys=keys,
        fillers=values.get("fillers", 0),
        clock_allowed=windows.CLOCKS[values.get("clock", "both")],
        valve=values.get("valve"),
        writable=writable,
        declared=declared,
    )


def busy_us(role, listens):
    """From T0 of a frame of this BurstMeter to its last burst or window, with the longest timing input value and in the longest
    way in which it may come to send. listens: its BurstAccess."""
    longest = 0
    for uplink, coding in itertools.product(listens.uplinks, listens.codings):
        one = meter_way.shape(role.declared, role.way._replace(uplink=uplink, coding=coding), 127, 0)
        end_us = one.slots[-1].offset_us if one.slots else timing.burst_offset(one.uplink, one.header, 3)
        longest = max(longest, end_us)
    return longest


def _capability(source, table, values, mode, coding, downlink, option):
    """What link management may choose of; what the meter begins with is of it."""
    own = meter_way.bases(mode)
    lists = []
    for name, known, first in (
        ("uplinks", submodes.UPLINKS, own),
        ("downlinks", submodes.DOWNLINKS, (downlink,)),
        ("codings", mblocks.CODINGS, (coding,)),
    ):
        for one in values.get(name, ()):
            if one not in known:
                hint = "of: " + ", ".join(known)
                raise source.error("{} cannot have {!r}".format(name, one), table, name, hint)
        lists.append(tuple(one for one in known if one in first or one in values.get(name, ())))
    multi = int(timing.access("UL-B4", option).multi)
    return mblocks.Capability(lists[0], int(mode == meter_way.DUAL), lists[1], lists[2], multi)


def _mac_key(source, table, values, keys):
    """The MAC key among the keys: what `mac_key` names, else that of the key store. Without one there are no MAC services."""
    version = values.get("mac_key_version", 0)
    found = source.key(table, values, "mac_key")
    if found is not None and [name for name in keys if name[0] == MAC_KEY]:
        raise source.error("KeyID 0F is there already", table, "mac_key", "it is a [[meter.further_key]]")
    if found is None and not [name for name in keys if name[0] == MAC_KEY]:
        row = source.store().row_for(source.address(table, values), MAC_KEY)
        found, version = (row.key, row.version or 0) if row else (None, 0)
    if found is not None:
        keys[MAC_KEY, version] = found
