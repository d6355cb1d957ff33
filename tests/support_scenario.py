"""Our gateway and one meter that follows a scenario, on the air of events."""

import json

from omsnode.firmware.application import commands
from omsnode.firmware.errors import OmsError
from omsnode.firmware.link import frame_a
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter, Reading
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.gateway import Gateway, OrderEvent
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.scripted import Happened, Scripted
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key
from omsnode.tools.cli import scenario
from support_event_air import ChipRadio, EventAir, EventSide, deframed

S = 1000000
WALL_US = 1767225600 * S  # 2026-01-01T00:00:00Z
METER = Address.parse("12345678.M=KAM.V=1b.T=07")
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER, WRAPPER, STORAGE = Key(bytes(range(16))), Key(bytes(range(100, 116))), Key(bytes(range(200, 216)))
NEW_MASTER = Key(bytes(range(30, 46)))
KEYS = {(0, 0): MASTER, (0x12, 0): WRAPPER, (0x20, 0): Key(bytes([0x20] * 16))}
PROFILES = {5: "A", 7: "B", 10: "D"}
ENDS = ("done", "failed", "expired", "cancelled")


def gateway_key(key_id, version=None):
    keys = {**KEYS, (0, 1): NEW_MASTER}
    if version is None:
        version = 0
    key = keys.get((key_id, version))
    return None if key is None else (version, key)


class Store:
    def __init__(self):
        self.text = None

    def save(self, state):
        self.text = json.dumps(state)

    def load(self):
        return json.loads(self.text) if self.text else None


class Air(EventAir):
    """log: Bursts."""

    def __init__(self):
        super().__init__()
        self.now_us = S  # so the clocks of the boards tell its time
        self.log = []

    def begin(self, burst):
        self.log.append(burst)
        super().begin(burst)


class Side(EventSide):
    Radio = ChipRadio


def device(state):
    registers = [
        commands.Register(b"\x0c", b"\x13", 6408, ("set", "add")),
        commands.Register(b"\x81\x40", b"\xfd\x1f", 1, ("set",), 0x20),
        commands.Register(b"\x01", b"\xfd\x1a", 1),
        commands.Register(b"\x04", b"\x6d", "clock"),
    ]
    return Device(
        registers,
        {0: ((),), 17: ((0, 1),)},
        valve=("direct", 1, 2),
        state=state and state.get("device"),
    )


class Bench:
    """name: of a shipped scenario, or None. events: what became of the orders. readings: what the gateway delivered."""

    def __init__(
        self, name=None, mode="C2", security_mode=7, nominal_us=60 * S, install="known", text=None, **meter
    ):
        self.air = Air()
        self.sides = []
        self.events, self.readings, self.happened, self.other = [], [], [], []
        rules = []
        profile = Profile(
            METER,
            [Register(b"\x0c", b"\x13", 6408)],
            mode=mode,
            nominal_us=nominal_us,
            key=MASTER,
            security_mode=security_mode,
            with_ell=True,
        )
        if name:
            found = scenario.load(name, profile, True)
            rules = found.rules

        def make(state):
            return WindowMeter(
                self._fresh(profile),
                bytes((40,)) + (5 * S).to_bytes(4, "big") + bytes(12),
                KEYS,
                STORAGE,
                device(state),
                state,
                **meter,
            )

        self.meter = Scripted(make, rules)
        known = [KnownMeter("meter", METER, MASTER)]
        partners = [Partner(METER, MASTER, PROFILES[security_mode], keys=gateway_key)]
        listen = "S2" if mode == "S2" else modes.T_AND_C
        self.gateway = Gateway(
            Collector(known, listen),
            GATEWAY,
            partners,
            bytes(range(3, 35)),
            install=install,
            restore=lambda stored: orders.restore(stored, gateway_key),
        )
        for label, role in (("gateway", self.gateway), ("meter", self.meter)):
            side = Side(self.air, label, lambda state, role=role: role, Store(), WALL_US)
            side.deliver = self.deliver
            side.start()
            self.sides.append(side)

    def _fresh(self, profile):
        """A role puts its key there."""
        return Profile(
            profile.address,
            profile.registers,
            mode=profile.mode,
            nominal_us=profile.nominal_us,
            key=MASTER,
            security_mode=profile.security_mode,
            with_ell=True,
        )

    def deliver(self, one):
        kinds = ((OrderEvent, self.events), (Happened, self.happened), (Reading, self.readings))
        for kind, where in kinds:
            if isinstance(one, kind):
                where.append(one)
                return
        self.other.append(one)

    # --- orders ---

    def order(self, *words, expires_us=None):
        """Ask, run until it has ended, and a little longer; (step, detail)."""
        made = orders.make(list(words), METER, gateway_key)
        number = self.gateway.queue(METER, made, self.air.now_us, expires_us)
        self.run(1800 * S, lambda: self.outcome(number))
        self.run(45 * S)
        assert self.outcome(number), (words, self.events[-5:])
        return self.outcome(number)

    def outcome(self, number):
        ends = [(one.step, one.detail) for one in self.events if one.number == number and one.step in ENDS]
        assert len(ends) <= 1, ends
        return ends[0] if ends else None

    def steps(self, number):
        return [one.step for one in self.events if one.number == number]

    def run(self, for_us, stop=None):
        for side in self.sides:  # something may have been asked of them
            self.air.wake(side)
        self.air.run(self.air.now_us + for_us, stop)

    # --- what was on the air ---

    def frames(self, sender, *c_fields):
        """[(instant, telegram)] of a sender whose C-field without FCB is one of these."""
        out = []
        for burst in self.air.log:
            raw = telegram(burst)
            if burst.source == sender and raw and (not c_fields or raw[1] & 0xDF in c_fields):
                out.append((burst.start_us, raw))
        return out


def telegram(burst):
    """What it says, or None if it is damaged."""
    found = deframed(burst)
    try:
        return None if found.error else bytes(frame_a.strip(bytes(found.frame)))
    except OmsError:
        return None
