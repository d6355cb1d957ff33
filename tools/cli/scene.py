"""The town in which the demo plays: meters, a collector, and the air between them, all virtual.

The same roles, node and driver as on a Pi run here on the model of the chip. Keys and addresses are made up.
"""

import os
import random
import time

from omsnode.board.virtual import Joined, World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.meter import CLOCK, Meter, Profile, Register
from omsnode.firmware.roles.trust import Trust
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key
from omsnode.firmware.two_way import TwoWay

from . import output, station

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


class Scene:
    """deliver: called with each reading. known: what the collector is configured with, None for the demo's own.
    default_keys, keys: as Collector has them. more: (name, mode) of further radios of the collector. counter: _gateway.Counter,
    then the collector is its gateway, and its meters are there too."""

    def __init__(
        self,
        deliver,
        known=None,
        mode="T+C",
        radio_name="main",
        seed=1,
        default_keys=None,
        keys=None,
        more=(),
        counter=None,
    ):
        self.world = World(seed)
        self.start_us = time.time_ns() // 1000
        rng = random.Random(seed)
        self.senders = []
        believed = []
        self._played = []
        played = counter.played(mode) if counter else ()
        taken = [profile.address.ident for _, profile, *_ in played]
        for name, place, profile, key in meters():
            if profile.address.ident in taken:
                continue
            self.senders.append(
                self._node(name, place, Meter(profile, rng.randbytes(5)), store=MemoryStore())
            )
            known_as = "B" if profile.security_mode == 7 else None
            believed.append(KnownMeter(name, profile.address, key, known_as))
        believed = believed if known is None else known
        store, state = counter.stored(radio_name) if counter else (None, {})
        role = Collector(
            believed,
            mode,
            radio_name,
            default_keys=default_keys,
            formats=Formats(state=state.get("formats", ())),
            trust=Trust(state.get("counters")),
            keys=keys,
        )
        if counter:
            for index, (name, _, access, kept) in enumerate(played):
                board, driver = self._station(name, (8 + 5 * index, -4))
                meter = access.role(WindowMeter, played[index][1], os.urandom(5), kept.load())
                self._played.append(TwoWay(board, driver, meter, kept, wall=self._wall))
            self.senders += self._played
            board, driver = self._station("collector", (0, 0))
            role = counter.role(role, state)
            self.collector = TwoWay(board, driver, role, store, counter.deliver, self._wall, state)
            counter.open(self.collector, self._wall)
        elif more:
            pairs = [
                self._station(one, (0, 25 * i)) for i, (one, _) in enumerate([(radio_name, mode), *more])
            ]
            joined = Joined([board for board, _ in pairs])
            modes = [(radio_name, mode), *more]
            self.collector = station.several(joined, pairs, modes, role, deliver=deliver, wall_of=self._wall)
        else:
            self.collector = self._node("collector", (0, 0), role, deliver=deliver)

    def _station(self, name, place):
        board = self.world.add_board(name=name, position=place)
        return board, Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])

    def _node(self, name, place, role, **more):
        board, driver = self._station(name, place)
        return Node(board, driver, role, wall=self._wall, **more)

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
