"""Fifty bidirectional meters and one gateway for a day, orders for all of them at any time, and telegrams that collide: every
order ends done, or failed with a reason; and the rules of the air hold for everybody (support_judge).

The day is played at the level of events; some of it through drivers and chip models, with OMSNODE_SOAK=1 the whole.
"""

import random

import pytest
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway, OrderEvent
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.window_meter import WindowMeter
from support_event_air import EventAir, EventSide
from support_judge import Judge
from support_ladder import (
    ENDS,
    GATEWAY,
    KEYS,
    LISTEN,
    MASTER,
    PAIRS,
    SOAK,
    STORAGE,
    WALL_US,
    Bench,
    Memory,
    S,
    address,
    device,
    gateway_keys,
)

METERS = 50
HOUR = 3600 * S
PER_METER = 10  # orders a day
WORDS = (
    "read",
    "write 0C:13 7",
    "add 0C:13 0.001",
    "select 7",
    "reset",
    "clock-read",
    "status",
    "alarm",
    "valve close",
)


class Day:
    def __init__(self, mode, nominal_us, hours=24, seed=0):
        self.rng = random.Random("{}/{}/day".format(mode, seed))
        self.hours = hours
        about = dict(mode=mode, period_s=2, nominal_us=nominal_us)
        self.addresses = [address(n) for n in range(METERS)]
        self.judge = Judge({one.link_bytes(): about for one in self.addresses})
        self.air = EventAir(seed, heard=self.judge.hear)
        self.mode, self.nominal_us = mode, nominal_us
        self.asked = {}  # number: [words, meter, asked at, ended at, step, detail]
        self.gateway = EventSide(self.air, "gateway", self._gateway, Memory(), WALL_US)
        self.gateway.deliver = self._told
        self.meters = [
            EventSide(self.air, str(n), lambda state, n=n: self._meter(n, state), Memory(), WALL_US)
            for n in range(METERS)
        ]
        end_us = (hours - 2) * HOUR if hours > 4 else hours * HOUR // 2
        for n in range(METERS):
            for _ in range(PER_METER):
                words = self.rng.choice(WORDS).split()
                self.air.at(self.rng.randrange(60 * S, end_us), lambda n=n, words=words: self._ask(n, words))

    def _gateway(self, state):
        known = [KnownMeter(str(one), one, MASTER) for one in self.addresses]
        partners = [Partner(one, MASTER, "B", keys=gateway_keys()) for one in self.addresses]
        collector = Collector(known, LISTEN[self.mode])
        return Gateway(collector, GATEWAY, partners, self.rng.randbytes(32), state)

    def _meter(self, n, state):
        profile = Profile(
            self.addresses[n],
            [Register(b"\x0c", b"\x13", 6408), Register(b"\x02", b"\xfd\x17", 0)],
            mode=self.mode,
            nominal_us=self.nominal_us,
            key=MASTER,
            security_mode=7,
            with_ell=True,
        )
        return WindowMeter(profile, self.rng.randbytes(32), KEYS, STORAGE, device(state), state)

    def _ask(self, n, words):
        made = orders.make(words, self.addresses[n], gateway_keys())
        number = self.gateway.role.queue(self.addresses[n], made, self.gateway.board.now_us())
        self.asked[number] = [words, n, self.air.now_us, None, None, None]
        self.air.wake(self.gateway)

    def _told(self, event):
        if isinstance(event, OrderEvent) and event.number is not None and event.step in ENDS:
            one = self.asked[event.number]
            assert one[4] is None
            one[3:] = [self.air.now_us, event.step, event.detail]

    def run(self):
        for side in [self.gateway, *self.meters]:
            side.start()
        self.air.run(self.hours * HOUR)
        return self


def summary(took_us):
    took = sorted(took_us)
    shares = [took[min(len(took) - 1, int(len(took) * share))] / S for share in (0.1, 0.5, 0.9, 0.99, 1)]
    return "latency 10 % {:.0f} s, half {:.0f} s, 90 % {:.0f} s, 99 % {:.0f} s, longest {:.0f} s".format(
        *shares
    )


def ended(rows):
    """{step: how many} of (step, detail); what has not ended, or has failed without a reason, is a mistake."""
    out = {}
    for step, detail in rows:
        assert step == "done" or (step in ("failed", "expired") and detail), (step, detail)
        out[step] = out.get(step, 0) + 1
    return out


DAYS = [("T2", 900 * S), ("S2", 300 * S), ("C2", 900 * S)] + [("S2", 60 * S), ("T2", 120 * S)] * SOAK


@pytest.mark.parametrize("mode, nominal_us", DAYS)
def test_day(mode, nominal_us, record_property):
    day = Day(mode, nominal_us).run()
    assert len(day.asked) == METERS * PER_METER
    ends = ended(row[4:6] for row in day.asked.values())
    assert day.judge.wrong == []
    added = [0] * METERS
    written = set()
    for words, n, _, _, step, _ in day.asked.values():
        if words[0] == "write":
            written.add(n)
        elif words[0] == "add" and step == "done":
            added[n] += 1
    for n in set(range(METERS)) - written:
        assert day.meters[n].role.device.registers[0].value == 6408 + added[n]
    assert day.air.collisions > 0 or mode == "C2"
    assert ends["done"] >= 0.98 * len(day.asked)
    record_property(
        "a day of {} meters, {} every {} s".format(METERS, mode, nominal_us // S),
        "{} frames, {} collisions at a receiver; {} orders: {}; {}".format(
            day.air.frames,
            day.air.collisions,
            len(day.asked),
            ends,
            summary(row[3] - row[2] for row in day.asked.values()),
        ),
    )


@pytest.mark.parametrize("pair", PAIRS if SOAK else PAIRS[1:2], ids="-".join)
def test_chips(pair, record_property):
    """Through drivers and chip models; and of two telegrams that collide none is understood."""
    hours = 24 if SOAK else 0.3
    nominal_us = (900 if SOAK else 120) * S
    one = Bench("S2", pair, meters=METERS, nominal_us=nominal_us, spacing_us=nominal_us * 37 // 100, seed=5)
    rng = random.Random("chips")
    for n in range(METERS):
        for _ in range(PER_METER if SOAK else 1):
            words = rng.choice(WORDS).split()
            one.order(words, rng.randrange(60 * S, int(hours * HOUR * 0.5)), meter=n)
    total = len(one.queue)
    asked = {}
    ended_us = {}
    tell = one.told

    def told(event):
        tell(event)
        if isinstance(event, OrderEvent) and event.step in ("queued", *ENDS):
            (asked if event.step == "queued" else ended_us)[event.number] = one.world.now_us

    one.told = told
    one.run(int(hours * HOUR) if SOAK else 2 * HOUR, None if SOAK else lambda: len(one.ends) == total)
    judge = one.judge()
    assert judge.wrong == []
    ends = ended(one.ends.values())
    assert len(one.ends) == total
    starts = [(frame.start_ns, frame.end_ns) for frame in judge.frames]
    collided = sum(behind[0] < before[1] for before, behind in zip(starts, starts[1:], strict=False))
    assert collided >= 3
    rejected = sum(one.gateway.radio.counters["rejects"].values())
    record_property(
        "{:.1f} h of {} meters, S2, {}-{}".format(one.world.now_us / HOUR, METERS, *pair),
        "{} frames, {} rejected by the gateway; {} orders: {}; {}".format(
            len(judge.frames),
            rejected,
            total,
            ends,
            summary(ended_us[number] - asked[number] for number in asked),
        ),
    )
