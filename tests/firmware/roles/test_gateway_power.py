"""The air time of a gateway over power cuts at any instant (link sheet 1.3): what it has sent is known behind each, and what counts
though it was not sent stays little."""

import random

import pytest
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.duty_cycle import sub_band
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.receiver import LIMITED, UNLIMITED
from omsnode.firmware.roles.window_meter import WindowMeter
from support_event_air import EventAir, EventSide, PowerCut
from support_ladder import (
    GATEWAY,
    KEYS,
    LISTEN,
    MASTER,
    STORAGE,
    WALL_US,
    Memory,
    S,
    address,
    device,
    gateway_keys,
)

METERS = [address(n) for n in range(4)]
MINUTE = 60 * S
# Air time of the longest telegram to a meter: L 110 in modes S2 and T2, 155 in C2 (test_room.py), with chips of link sheet 1.1.
LONGEST_US = {"S2": 70000, "T2": 70000, "C2": 32000}


class Air(EventAir):
    """sent: [(frequency, air time)] of the gateway."""

    def __init__(self, seed):
        super().__init__(seed, losses=0.1)
        self.sent = []

    def begin(self, burst):
        if burst.source == "gateway":
            frequency_hz = modes.find(burst.mode, modes.DOWN).frequency_hz
            self.sent.append((frequency_hz, burst.end_us - burst.start_us))
        super().begin(burst)


class Cuts:
    """The power of the gateway goes now and then, at any point, and comes back."""

    def __init__(self, mode, seed):
        self.rng = random.Random("{}/{}".format(mode, seed))
        self.air = Air(seed)
        self.mode = mode
        self.cuts = 0
        self.gateway = EventSide(self.air, "gateway", self._gateway, Memory(), WALL_US)
        self.gateway.point = self._point
        self.gateway.on_cut = lambda side: self.air.at(self.air.now_us + 2 * S, self._back)
        sides = [
            EventSide(self.air, str(n), lambda state, n=n: self._meter(n, state), Memory(), WALL_US)
            for n in range(len(METERS))
        ]
        for side in [self.gateway, *sides]:
            side.start()
        for _ in range(150):
            self.air.at(self.rng.randrange(MINUTE, 50 * MINUTE), self._ask)

    def _gateway(self, state):
        known = [KnownMeter(str(one), one, MASTER) for one in METERS]
        partners = [Partner(one, MASTER, "B", keys=gateway_keys()) for one in METERS]
        entropy = self.rng.randbytes(32)
        return Gateway(
            Collector(known, LISTEN[self.mode]), GATEWAY, partners, entropy, state, install="known"
        )

    def _meter(self, n, state):
        profile = Profile(
            METERS[n],
            [Register(b"\x0c", b"\x13", 6408)],
            mode=self.mode,
            nominal_us=MINUTE,
            key=MASTER,
            security_mode=7,
            with_ell=True,
        )
        access = UNLIMITED if n == 3 else LIMITED
        made = WindowMeter(
            profile, self.rng.randbytes(32), KEYS, STORAGE, device(state), state, access=access, fillers=n
        )
        if n == 1:
            made.install(0)
        return made

    def _ask(self):
        meter = self.rng.choice(METERS)
        if self.rng.random() < 0.3:
            for side in self.air.sides[1:]:
                side.role.device.raise_alarm(1)
        if self.gateway.node is not None:
            made = orders.make(
                self.rng.choice((["read"], ["alarm"], ["write", "0C:13", "7"])), meter, gateway_keys()
            )
            self.gateway.role.queue(meter, made, self.gateway.board.now_us())
            self.air.wake(self.gateway)

    def _point(self, name):
        if self.rng.random() < (0.05 if name in ("armed", "behind a step") else 0.01) / 4:
            raise PowerCut

    def _back(self):
        before = self._sent()
        self.gateway.start()
        known = {}
        spent = self.gateway.node.ledger.export(self.gateway.board.now_us())
        for band, _, air_us in zip(*[iter(spent)] * 3, strict=True):
            known[band] = known.get(band, 0) + air_us
        self.cuts += 1
        for band, air_us in before.items():
            assert known.get(band, 0) >= air_us - len(self.air.sent), (self.cuts, known, before)  # rounded
            # Four telegrams for each cut, and each is sent once.
            assert known[band] <= air_us + 4 * self.cuts * LONGEST_US[self.mode]

    def _sent(self):
        out = {}
        for frequency_hz, air_us in self.air.sent:
            band = sub_band(frequency_hz)
            out[band] = out.get(band, 0) + air_us
        return out


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("mode", ["S2", "T2", "C2"])
def test_no_cut_gives_air_time_back(mode, seed):
    one = Cuts(mode, seed)
    one.air.run(55 * MINUTE)
    assert one.cuts > 10 and len(one.air.sent) > 50
