"""The town in which the demo plays: meters, a collector, and the air between them, all virtual.

The same roles, node and driver as on a Pi run here on the model of the chip. Keys and addresses are made up.
"""

import os
import random
import time

from omsnode.board.virtual import Joined, World
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.host.config import Radio
from omsnode.firmware.host.lpwan_access import BurstAccess
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan.values import Capability
from omsnode.firmware.node import Node
from omsnode.firmware.phy.burst import submodes
from omsnode.firmware.roles.collector import KnownMeter
from omsnode.firmware.roles.lpwan.meter import BurstMeter
from omsnode.firmware.roles.meter import CLOCK, Meter, Profile, Register
from omsnode.firmware.roles.trust import Trust
from omsnode.firmware.security.keys import Key
from omsnode.firmware.two_way import TwoWay

from . import _beyond, output, station

SLICE_US = 100000  # virtual time between two looks at the real clock
_S = 1000000


def made_up_key(text):
    """A made-up key that is nobody's: the demo's meters and its collector derive it from a name."""
    return Key((text.encode() * 16)[:16])


def meters():
    """(name, place in metres, Profile, key that the collector believes in) of the four meters."""
    return (
        (
            "kitchen_water",
            (12, 3),
            Profile(
                Address.parse("12345678.M=KAM.V=1b.T=16"),
                [
                    Register(b"\x04", b"\x13", 6408, 700000),  # volume 0.001 m3
                    Register(b"\x04", b"\x6d", CLOCK),
                    Register(b"\x02", b"\x3b", 127),  # volume flow 0.001 m3/h
                ],
                mode="T1",
                nominal_us=4 * _S,
                key=made_up_key("kitchen"),
                security_mode=5,
            ),
            made_up_key("kitchen"),
        ),
        (
            "flat_heat",
            (20, -9),
            Profile(
                Address.parse("60512344.M=LUG.V=0a.T=04"),
                [
                    Register(b"\x0c", b"\x06", 18734, 400000),  # energy kWh, 8 digits
                    Register(b"\x0a", b"\x5a", 615),  # flow temperature 0.1 °C
                    Register(b"\x0a", b"\x5e", 412),  # return temperature 0.1 °C
                    Register(b"\x0b", b"\x2d", 23),  # power 0.1 kW
                ],
                mode="C1",
                nominal_us=5 * _S,
                key=made_up_key("flat"),
                security_mode=7,
                with_ell=True,
            ),
            made_up_key("flat"),
        ),
        (
            "house_electricity",
            (4, 30),
            Profile(
                Address.parse("07345991.M=EMH.V=02.T=02"),
                [
                    Register(b"\x04", b"\x03", 4711815, 3100000),  # energy Wh
                    Register(b"\x04", b"\x83\x3c", 120442, 900000),  # energy Wh backward
                    Register(b"\x02", b"\x2b", 384),  # power W
                ],
                mode="C1",
                frame_format="B",
                nominal_us=3 * _S,
                with_ell=True,
            ),
            None,
        ),
        (
            "cellar_gas",
            (-40, 25),
            Profile(
                Address.parse("51002773.M=ELS.V=40.T=03"),
                [Register(b"\x0c", b"\x14", 829340, 200000)],  # volume 0.01 m3, 8 digits
                mode="T1",
                nominal_us=6 * _S,
                key=made_up_key("cellar"),
                security_mode=5,
            ),
            made_up_key("misprint"),
        ),
    )


def run(world, nodes, until_us=float("inf"), stop=None, sleep=None, speed=1, each=None):
    """Let virtual time pass until until_us, or until stop() is true. With `sleep`, `speed` times as fast as real time,
    else as fast as it goes. each(): now and then.
    """
    begin = time.monotonic()
    while world.now_us < until_us and not (stop and stop()):
        world.run(nodes, min(world.now_us + SLICE_US, until_us))
        if each:
            each()
        if sleep:
            ahead = begin + world.now_us / _S / speed - time.monotonic()
            if ahead > 0:
                sleep(ahead)


def burst_meters(uplink):
    """As `meters`, of the burst mode, and behind it what makes the role: one with single and one with multi bursts."""
    heat = Profile(
        Address.parse("60733105.M=QDS.V=07.T=04"),
        [
            Register(b"\x0c", b"\x06", 42817, 300000),  # energy kWh, 8 digits
            Register(b"\x0a", b"\x5a", 703),  # flow temperature 0.1 °C
            Register(b"\x04", b"\x6d", CLOCK),
        ],
        mode=uplink,
        frame_format="B",
        nominal_us=4 * _S,
        key=made_up_key("attic"),
        security_mode=7,
    )
    water = Profile(
        Address.parse("48210097.M=SEN.V=68.T=07"),
        [Register(b"\x04", b"\x13", 91250, 200000)],  # volume 0.001 m3
        mode=uplink,
        frame_format="B",
        nominal_us=15 * _S,
        key=made_up_key("pit"),
        security_mode=5,
    )
    return (
        ("attic_heat", (35, 12), heat, heat.key, burst_access(uplink, {(0, 0): heat.key})),
        ("pit_water", (-60, 40), water, water.key, burst_access(uplink, {(0, 0): water.key}, "multi")),
    )


def burst_access(uplink, keys, coding="1/2"):
    """What makes a burst meter that is played: it listens, with fast answers."""
    codings = ("7/8", coding) if coding == "1/2" else (coding,)
    able = Capability((uplink,), 0, ("DL-B4",), codings, 0)
    declared = {
        "uplink": uplink,
        "coding": coding,
        "downlink": "DL-B4",
        "option": 1,
        "capability": able,
        "reductions": 3,
    }
    return BurstAccess(keys=keys, valve=None, declared=declared, longest=113)


class Scene:
    """deliver: called with each reading. known: what the collector is configured with, None for the demo's own. radios: config.Radios
    of the collector, the first that of its gateway. default_keys, keys: as Collector has them. counter: _gateway.Counter, then the
    collector is its gateway, and its meters are there too. labels: _beyond.Labels. decoder: of captures, or None."""

    def __init__(
        self,
        deliver,
        known=None,
        radios=(),
        seed=1,
        default_keys=None,
        keys=None,
        counter=None,
        labels=None,
        decoder=None,
    ):
        self.world = World(seed)
        self.start_us = time.time_ns() // 1000
        rng = random.Random(seed)
        radios = radios or [Radio("main", "virtual", "T+C")]
        first = radios[0]
        self.senders = []
        believed = []
        self._played = []
        played = counter.played(first) if counter else ()
        taken = [profile.address.ident for _, profile, *_ in played]
        for name, place, profile, key in meters():
            if profile.address.ident in taken:
                continue
            self.senders.append(
                self._node(name, place, Meter(profile, rng.randbytes(5)), store=MemoryStore())
            )
            known_as = "B" if profile.security_mode == 7 else None
            believed.append(KnownMeter(name, profile.address, key, known_as))
        uplinks = {submodes.base(one.mode) for one in radios if one.burst}
        for name, place, profile, key, access in [one for uplink in uplinks for one in burst_meters(uplink)]:
            role = access.role(BurstMeter, profile, rng.randbytes(5), None)
            self.senders.append(self._two_way(name, place, role, MemoryStore()))
            believed.append(KnownMeter(name, profile.address, key, None))
        believed = believed if known is None else known
        store, state = counter.stored(first.name) if counter else (None, {})
        for index, (name, profile, access, kept) in enumerate(played):
            role = access.role(access.kind, profile, os.urandom(5), kept.load())
            self._played.append(self._two_way(name, (8 + 5 * index, -4), role, kept))
        self.senders += self._played
        role = station.collector(
            believed,
            first,
            radios[1:],
            decoder is not None,
            default_keys=default_keys,
            formats=Formats(state=state.get("formats", ())),
            trust=Trust(state.get("counters")),
            keys=keys,
        )
        pairs = []
        for index, one in enumerate(radios):
            name = "collector" if len(radios) == 1 else "collector " + one.name
            place = (0, 25 * index)
            pairs.append(station.virtual(self.world, name, place, one.hat, **_beyond.options(one)))
            if labels:
                labels.drivers[one.name] = pairs[-1][1]
        joined = Joined([board for board, _ in pairs])
        self.collector, self.look = station.gathered(
            joined, pairs, radios, role, store, deliver, state, counter, self._wall, decoder
        )

    def _node(self, name, place, role, **more):
        return Node(*station.virtual(self.world, name, place), role, wall=self._wall, **more)

    def _two_way(self, name, place, role, store):
        """A burst meter has an SX1262: that keeps to the limits."""
        hat = "sx1262-virtual" if isinstance(role, BurstMeter) else "virtual"
        board, driver = station.virtual(self.world, name, place, hat)
        return TwoWay(board, driver, role, store, wall=self._wall)

    def _wall(self, at_us):
        return output.sane(self.start_us + at_us)

    @property
    def nodes(self):
        return [*self.senders, self.collector]

    def leave(self):
        """The end: what meters that go on another time know is stored."""
        for node in self._played:
            node.stop()

    def run(self, seconds, sleep=None, speed=1, each=None):
        """Let `seconds` of virtual time pass; the others as `run`."""
        run(self.world, self.nodes, seconds * _S, None, sleep, speed, each)
