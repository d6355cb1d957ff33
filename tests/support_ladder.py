"""A gateway, its meters and what may go wrong between them: nodes on the virtual air, orders at given times, and the judge.

What happens on the air by intention: support_fates.
"""

import json
import os

from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.application import commands
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.gateway import Gateway, OrderEvent
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key
from omsnode.firmware.two_way import TwoWay
from support_fates import TYPICAL, Fates
from support_judge import Judge
from support_on_air import air_frames

SOAK = bool(os.environ.get("OMSNODE_SOAK"))
S = 1000000
WALL_US = 1767225600 * S  # 2026-01-01T00:00:00Z
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER, WRAPPER, STORAGE = Key(bytes(range(16))), Key(bytes(range(100, 116))), Key(bytes(range(200, 216)))
NEW_MASTER = Key(bytes(range(30, 46)))
APPLICATION = {key_id: Key(bytes([key_id] * 16)) for key_id in (0x1F, 0x20, 0x21, 0x22, 0x24, 0x26, 0x27)}
KEYS = {(0, 0): MASTER, (0x12, 0): WRAPPER, **{(key_id, 0): key for key_id, key in APPLICATION.items()}}
PROFILE = {7: "B", 10: "D", 5: "A"}
DRIVERS = ("cc1101", "sx1262")
PAIRS = tuple((one, other) for one in DRIVERS for other in DRIVERS)  # gateway, meter
MODES = (("S2", False), ("T2", False), ("C2", False), ("C2", True))  # of meters, and bit D of their frames
OWN = ("M SND-NR", "M ACC-NR")
LISTEN = {"S2": "S2", "T2": modes.T_AND_C, "C2": modes.T_AND_C}


def address(number):
    return Address.parse("{:08d}.M=KAM.V=1b.T=07".format(12345678 + number))


def key_store(keys):
    """What orders.make and Partner take; without a version: the lowest that is there, new ones wait to be changed to."""

    def found(key_id, version=None):
        versions = [name[1] for name in keys if name[0] == key_id]
        if version is None and versions:
            version = min(versions)
        key = keys.get((key_id, version))
        return None if key is None else (version, key)

    return found


def gateway_keys():
    return key_store({**KEYS, (0, 1): NEW_MASTER})


def registers():
    """Of the device: those of the profile first. A water meter with a valve."""
    register = commands.Register
    return [
        register(b"\x0c", b"\x13", 6408, ("set", "add", "sub")),
        register(b"\x02", b"\xfd\x17", 0, ("not",), 0x24),
        register(b"\x81\x40", b"\xfd\x1f", 1, ("set",), 0x20),
        register(b"\x01", b"\xfd\x1a", 1),
        register(b"\x04", b"\x6d", "clock"),
        register(b"\x4c", b"\x13", 1000, ("set",)),
    ]


def device(state=None, busy_us=0, offered=None, more=()):
    """more: registers behind the others, as (DIB, VIB, value, what may be done to it)."""
    made = registers() + [commands.Register(*one) for one in more]
    applications = {0: ((),), 7: ((5,), (0,)), 17: ((0, 1),)} if offered is None else offered
    return Device(
        made,
        applications,
        valve=("direct", 2, 3),
        busy_us=busy_us,
        state=state and state.get("device"),
    )


def driver(kind, board):
    pins = board.pins
    if kind == "cc1101":
        return Cc1101(board.spi, pins["gdo0"], pins["gdo2"])
    return Sx1262(
        board.spi,
        pins["busy"],
        pins["dio1"],
        pins["reset"],
        tcxo_mv=1800,
        txen=pins.get("txen"),
        rxen=pins.get("rxen"),
    )


def wall(at_us):
    return WALL_US + at_us


class Memory:
    """A store; what is kept has crossed JSON."""

    def __init__(self):
        self.text = None
        self.saves = 0

    def save(self, state):
        self.text = json.dumps(state)
        self.saves += 1

    def load(self):
        return json.loads(self.text) if self.text else None


class Side:
    """A node with its board. stop, start: its power."""

    def __init__(self, bench, name, kind, make, **board):
        self.bench = bench
        self.name = name
        self.kind = kind
        self.make = make
        self.store = Memory()
        self.delivered = []
        self.board = bench.world.add_board(name=name, chip=kind, **board)
        self.lives = 0
        self.start()

    def start(self):
        self.lives += 1
        state = self.store.load()
        self.role = self.make(state)
        self.radio = driver(self.kind, self.board)
        self.bench.fates.meddle(self)
        self.node = TwoWay(self.board, self.radio, self.role, self.store, self._deliver, wall, state=state)
        self.board.take_edges()

    def _deliver(self, one):
        self.delivered.append(one)
        self.bench.told(one)


class Bench:
    """mode: of all meters. pair: drivers of (gateway, meter). meters: how many. fast: bit D of the meters. world: as World().

    orders go in with `order`; `events` are what became of them; `judge` looks at the air.
    """

    def __init__(
        self,
        mode="T2",
        pair=("cc1101", "cc1101"),
        meters=1,
        fast=False,
        seed=0,
        security_mode=7,
        nominal_us=60 * S,
        period_us=2 * S,
        busy_us=0,
        install="none",
        arming=True,
        jitter=False,
        spacing_us=None,
        gateway_wrap=None,
        gateway_board=None,
        meter_board=None,
        state=None,
        frame_entropy=None,
        offered=None,
        more=(),
        **meter_settings,
    ):
        self.world = World(seed=seed)
        self.mode, self.fast = mode, fast
        self.nominal_us, self.period_us = nominal_us, period_us
        self.fates = Fates(self.world)
        name = "C2 fast" if mode == "C2" and fast else mode
        self.fates.delays = {"gateway": TYPICAL[name]}
        self.cuts = {}
        self.meters = []
        self.ends = {}  # order number: (step, detail)
        addresses = [address(n) for n in range(meters)]
        known = [KnownMeter(str(one), one, MASTER) for one in addresses]
        self.addresses = addresses

        def gateway(state):
            partners = [
                Partner(one, MASTER, PROFILE[security_mode], keys=gateway_keys()) for one in addresses
            ]
            made = Gateway(
                Collector(known, LISTEN[mode]),
                GATEWAY,
                partners,
                bytes((seed * 7 + i * 29 + 3) & 0xFF for i in range(32)),
                state,
                install=install,
                arming=arming,
                restore=lambda stored: orders.restore(stored, gateway_keys()),
            )
            return gateway_wrap(made, self) if gateway_wrap else made

        def meter(number):
            def make(state):
                profile = Profile(
                    addresses[number],
                    [Register(b"\x0c", b"\x13", 6408), Register(b"\x02", b"\xfd\x17", 0)],
                    mode=mode,
                    nominal_us=nominal_us,
                    key=MASTER,
                    security_mode=security_mode,
                    with_ell=True,
                )
                wait_us = (5 * S + number * (spacing_us or 7 * S)) % nominal_us
                entropy = bytes((17 * number + 40 & 0xFF,)) + wait_us.to_bytes(4, "big") + bytes(12)
                return WindowMeter(
                    profile,
                    entropy,
                    KEYS,
                    STORAGE,
                    device(state, busy_us, offered, more),
                    state,
                    fast=fast,
                    period_us=period_us,
                    **meter_settings,
                )

            return make

        settings = gateway_board(self.world) if gateway_board else {}
        self.gateway = Side(self, "gateway", pair[0], gateway, **settings)
        self.meters = [
            Side(self, "meter{}".format(n), pair[1], meter(n), **(meter_board or {})) for n in range(meters)
        ]
        self.queue = []  # (at_us, meter, words, expires_us)
        self.numbers = {}  # order number: (meter, words)
        self.jitter = jitter

    # --- orders ---

    def order(self, words, at_us=None, meter=0, expires_us=None):
        self.queue.append((at_us or 0, meter, list(words), expires_us))
        self.queue.sort(key=lambda row: row[0])

    def _enter(self):
        while self.queue and self.queue[0][0] <= self.world.now_us:
            _, meter, words, expires_us = self.queue.pop(0)
            made = orders.make(words, self.addresses[meter], gateway_keys())
            now_us = self.gateway.board.now_us()
            number = self.gateway.role.queue(self.addresses[meter], made, now_us, expires_us)
            self.numbers[number] = (meter, words)

    @property
    def events(self):
        return [one for one in self.gateway.delivered if isinstance(one, OrderEvent)]

    def steps(self, number=1):
        return [one.step for one in self.events if one.number == number]

    def outcome(self, number=1):
        """(step, detail) of the end of an order, or None."""
        return self.ends.get(number)

    def told(self, one):
        """What the gateway delivers."""
        if isinstance(one, OrderEvent) and one.step in ENDS and one.number is not None:
            # Told once; by a gateway that was restarted then, once more.
            end = (one.step, one.detail)
            assert one.number not in self.ends or (self.gateway.lives > 1 and self.ends[one.number] == end)
            self.ends[one.number] = end

    def outcomes(self):
        return {number: self.outcome(number) for number in self.numbers}

    # --- time ---

    def run(self, until_us, stop=None):
        """Until this instant of world time, or until stop()."""
        nodes = [self.gateway.node] + [one.node for one in self.meters]
        delay = self.world.linux_delay() if self.jitter else None
        delay_us = None if delay is None else lambda node: delay(node) if node is self.gateway.node else 0
        while self.world.now_us < until_us and not (stop and stop()):
            self._enter()
            next_us = min([until_us] + [row[0] for row in self.queue[:1]])
            self.world.run(nodes, max(next_us, self.world.now_us + 1), stop, delay_us)
        return self

    def until_done(self, most_us=1800 * S, behind_us=40 * S):
        """Until every order has ended, and so long behind that."""
        self.run(most_us, lambda: not self.queue and 0 < len(self.numbers) == len(self.ends))
        assert all(self.outcomes().values()), (self.outcomes(), self.events[-8:])
        return self.run(self.world.now_us + behind_us)

    # --- the judge ---

    def judge(self, **more):
        about = dict(mode=self.mode, period_s=self.period_us // S, nominal_us=self.nominal_us)
        judge = Judge({one.link_bytes(): about for one in self.addresses}, cuts=self.cuts, **more)
        names = {side.name: self.mode for side in self.meters}
        fates = self.fates
        log = self.world.air.log
        for sent, echo in air_frames(log, ("gateway",), names, fates.moved, fates.mended, fates.echoes):
            judge.hear(sent, echo)
        return judge


ENDS = ("done", "failed", "expired", "cancelled")


def table(rows):
    """Lines of a table of margins: {(label, who, window): [us]}."""
    lines = []
    for name, margins in sorted(rows.items()):
        margins = sorted(margins)
        lines.append(
            "{:40} {:6} windows, margin least {:9.1f} us, median {:9.1f} us".format(
                " ".join(name), len(margins), margins[0], margins[len(margins) // 2]
            )
        )
    return lines
