"""A year of one bidirectional meter and its gateway: a hundred commands of all kinds, one frame in a hundred lost, the power of
both cut at random, most often while they talk. No command is lost silently, what is not to be done twice is done once at
most, and the numbers on the air keep the rules (support_judge).

In CI mode S2 with the longest interval that is legal (link sheet 8.5), 120 min, and some weeks of T2 and C2 with 15 min, their
longest; OMSNODE_SOAK=1: more seeds, and the year of these, too.
"""

import json
import random

import pytest
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway, OrderEvent
from omsnode.firmware.roles.key_steps import KeyChange
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.trust import Trust
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key
from support_event_air import EventAir, EventSide, PowerCut
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
)

DAY = 86400 * S
MASTERS = [MASTER, *[Key(bytes([7 * version] * 16)) for version in range(1, 6)]]
METER = address(0)
NOMINAL_US = {"S2": 7200 * S, "T2": 900 * S, "C2": 900 * S}
# Mode, seed, days, share of the frames that is lost, power cuts.
RUNS = [
    ("S2", 0, 365, 0.01, 40),
    ("S2", 1, 365, 0.01, 240),
    ("T2", 2, 40, 0.01, 200),
    ("C2", 3, 40, 0.05, 200),
    ("T2", 30, 40, 0.05, 300),  # without credits, and the power cut before it has access again
]
if SOAK:
    RUNS += [(mode, seed, 365, 0.01, 80 * seed) for mode in ("S2", "T2", "C2") for seed in range(1, 6)]
    RUNS += [(mode, seed, 120, 0.1, 150) for mode in ("S2", "T2", "C2") for seed in range(10, 16)]

# Words, how often of 100; {n} is a small number.
KINDS = (
    ("read", 12),
    ("read 0C:13", 8),
    ("write 0C:13 {n}", 10),
    ("add 0C:13 0.0{n}", 20),
    ("sub 0C:13 0.0{n}", 8),
    ("add 0C:13 99999", 2),
    ("select 7", 5),
    ("reset", 5),
    ("clock-read", 4),
    ("clock-adjust {n}", 5),
    ("clock-set", 4),
    ("valve open", 4),
    ("valve close", 4),
    ("status", 4),
    ("alarm", 3),
    ("key-change 00", 2),
)


class Year:
    def __init__(self, mode, seed, days=365, count=100, losses=0.01, cuts=40):
        self.rng = random.Random("{}/{}/year".format(mode, seed))
        self.air = EventAir(seed, losses)
        self.mode = mode
        self.days = days
        about = dict(mode=mode, period_s=2, nominal_us=NOMINAL_US[mode])
        self.judge = Judge({METER.link_bytes(): about}, renewals=2)
        self.air.heard = self.judge.hear
        self.version = 0  # of the master key, as the gateway's key store has it
        self.asked = []  # of each order: dict(words, number, ends, before, after)
        self.open = {}
        self.cut_in = {}  # side: cut at the so manieth point from now on
        self.cuts = {"gateway": 0, "meter": 0}
        self.stores = {"gateway": Memory(), "meter": Memory()}
        self.gateway = EventSide(self.air, "gateway", self._gateway, self.stores["gateway"], WALL_US)
        self.meter = EventSide(self.air, "meter", self._meter, self.stores["meter"], WALL_US)
        for side in (self.gateway, self.meter):
            side.point = self._point(side)
            side.on_cut = self._dead
        self.gateway.deliver = self._told
        self._plan(count, cuts)

    # --- what there is ---

    def keys(self, key_id, version=None):
        if key_id == 0:
            version = self.version if version is None else version
            return (version, MASTERS[version]) if version < len(MASTERS) else None
        key = KEYS.get((key_id, version or 0))
        return None if key is None else (version or 0, key)

    def _gateway(self, state):
        known = KnownMeter("meter", METER, MASTERS[self.version])
        partner = Partner(METER, MASTERS[self.version], "B", self.version, keys=self.keys)
        return Gateway(
            Collector([known], LISTEN[self.mode], trust=Trust(state and state.get("counters"))),
            GATEWAY,
            [partner],
            self.rng.randbytes(32),
            state,
            restore=lambda stored: orders.restore(stored, self.keys),
        )

    def _meter(self, state):
        registers = [Register(b"\x0c", b"\x13", 6408), Register(b"\x02", b"\xfd\x17", 0)]
        profile = Profile(
            METER,
            registers,
            mode=self.mode,
            nominal_us=NOMINAL_US[self.mode],
            key=MASTER,
            security_mode=7,
            with_ell=True,
        )
        return WindowMeter(profile, self.rng.randbytes(32), KEYS, STORAGE, device(state), state)

    # --- what happens ---

    def _plan(self, count, cuts):
        pool = [words for words, share in KINDS for _ in range(share * count // 100)]
        self.rng.shuffle(pool)
        end_us = self.days * DAY
        step_us = end_us // (len(pool) + 1)
        for number, words in enumerate(pool):
            at_us = step_us * number + DAY
            self.air.at(at_us, lambda words=words: self._ask(words.format(n=self.rng.randrange(1, 10))))
        for number in range(cuts):
            side = (self.gateway, self.meter)[number % 2]
            busy = number % 3 != 0  # while an order is under way, else at any time
            at_us = DAY + int(self.rng.random() * (end_us - 2 * DAY))
            if busy:
                at_us = DAY + step_us * self.rng.randrange(len(pool)) + self.rng.randrange(S)
            self.air.at(at_us, lambda side=side, busy=busy: self._doom(side, busy))
        self.air.at(self.days * DAY // 2, self._restart)

    def _doom(self, side, busy):
        self.cut_in[side] = self.rng.randrange(1, 60 if busy else 3)

    def _point(self, side):
        def point(_name):
            left = self.cut_in.get(side)
            if left is None:
                return
            self.cut_in[side] = left - 1
            if left == 1:
                del self.cut_in[side]
                raise PowerCut

        return point

    def _dead(self, side):
        self.cuts[side.name] += 1
        off_us = self.rng.randrange(S, 600 * S)
        if side is self.meter:
            judged = self.judge.meters[METER.link_bytes()]
            judged.cuts.append(1000 * self.air.now_us)
            judged.off_ns += 1000 * off_us
        self.air.at(self.air.now_us + off_us, side.start)
        if side is self.gateway:
            self.air.at(self.air.now_us + 601 * S, self._again)

    def _again(self):
        """Whoever has asked and was never told that it is queued looks at what is pending, and asks once more."""
        if self.gateway.node is None:
            return
        pending = [one.number for one in self.gateway.role.orders()]
        for one in self.asked:
            if one["number"] is None and one.get("tried") not in pending:
                self._enter(one)

    def _restart(self):
        """An orderly end of the gateway."""
        if self.gateway.node is not None:
            self.gateway.node.stop()
            self.gateway.cut()

    def _value(self):
        """Of the register, in millionths; what a restart of the meter would find is the same."""
        return None if self.meter.node is None else self.meter.role.device.registers[0].value

    def _ask(self, text):
        if self.asked and self.asked[-1]["end"]:
            self.asked[-1]["after"] = self._value()
        one = dict(
            words=text.split(), number=None, end=None, before=self._value(), after=None, at_us=self.air.now_us
        )
        if one["words"][0] == "key-change":
            one["words"].append(str(self.version + 1))
        if self.asked and not self.asked[-1]["end"]:
            one["before"] = None  # two at a time: whose is what has changed?
        self.asked.append(one)
        if self.gateway.node is None:
            self.air.at(self.air.now_us + 700 * S, self._again)
        else:
            self._enter(one)

    def _enter(self, one):
        role = self.gateway.role
        made = orders.make(one["words"], METER, self.keys)
        number = role.queue(METER, made, self.gateway.board.now_us())
        self.open[number] = one
        one["tried"] = number
        self.air.wake(self.gateway)

    def _told(self, event):
        if isinstance(event, KeyChange):
            self.version = event.key_version
        if not isinstance(event, OrderEvent) or event.number is None:
            return
        one = self.open[event.number]
        one["number"] = event.number
        if event.step in ENDS:
            assert one["end"] is None or one["end"][0] == event.step, (one, event)
            one["end"] = (event.step, event.detail)
            one["end_us"] = self.air.now_us

    def run(self):
        self.gateway.start()
        self.meter.start()
        self.air.run(self.days * DAY + 3 * DAY)
        self.asked[-1]["after"] = self._value()
        return self


def amount(words):
    return {"add": 1, "sub": -1}[words[0]] * round(float(words[2]) * 1000)


def effects(year):
    """What each order has done to the register: as told, at most once."""
    doubtful = checked = 0
    for one in year.asked:
        step, detail = one["end"]
        before, after = one["before"], one["after"]
        if before is None or after is None:
            continue  # the meter had no power just then
        changed = after - before
        words = one["words"]
        checked += 1
        if words[0] == "write" and step == "done":
            assert after == 1000 * int(words[2]), one
        elif words[0] in ("add", "sub"):
            if step == "done":
                assert changed == amount(words), one
            elif "may have been executed" in str(detail):
                doubtful += 1
                assert changed in (0, amount(words)), one
            else:
                assert changed == 0, one
        elif words[0] != "write":
            assert changed == 0, one
    return checked, doubtful


@pytest.mark.parametrize("mode, seed, days, losses, cuts", RUNS)
def test_year(mode, seed, days, losses, cuts, record_property):
    year = Year(mode, seed, days, 100, losses, cuts).run()
    ends = {}
    for one in year.asked:
        assert one["end"] is not None, one
        assert one["end"][0] in ("done", "failed", "expired") and (
            one["end"][0] == "done" or one["end"][1]
        ), one
        ends[one["end"][0]] = ends.get(one["end"][0], 0) + 1
    assert len(year.asked) == 100
    assert year.judge.wrong == []
    checked, doubtful = effects(year)
    assert checked >= 80 and min(year.cuts.values()) >= cuts // 5
    assert ends["done"] >= 80
    took = sorted(one["end_us"] - one["at_us"] for one in year.asked)
    meter = year.judge.meters[METER.link_bytes()]
    record_property(
        "{} days of {}".format(days, mode),
        "{} frames, {} not received; {} cuts; orders {}, {} doubtful; until the end median {:.0f} s, longest {:.0f} s; "
        "{} credits left, without access {:.1f} h at most; states {} bytes".format(
            year.air.frames,
            year.air.lost,
            year.cuts,
            ends,
            doubtful,
            took[len(took) // 2] / S,
            took[-1] / S,
            meter.credits,
            meter.longest_ns / (3600000 * S),
            len(json.dumps(year.stores["gateway"].load())),
        ),
    )


@pytest.mark.parametrize(
    "mode, pair",
    [("T2", PAIRS[0]), ("C2", PAIRS[3])] + [(mode, pair) for mode in NOMINAL_US for pair in PAIRS] * SOAK,
)
def test_days_of_it_through_drivers_and_chips(mode, pair, record_property):
    """As the year; power is cut at instants that know nothing of what is being said."""
    hours = 120 if SOAK else 3
    end_us = hours * 3600 * S
    rng = random.Random("{}/{}".format(mode, pair))
    one = Bench(mode, pair, nominal_us=NOMINAL_US[mode] if SOAK else 200 * S, seed=2)
    for number in range(4 * hours):
        one.order(["add", "0C:13", "0.001"] if number % 2 else ["read"], rng.randrange(end_us * 9 // 10))
    one.cuts = {METER.link_bytes(): []}
    while one.world.now_us < end_us:
        busy = rng.random() < 0.7
        until_us = one.world.now_us + rng.randrange(end_us // 12)
        # In the middle of a conversation, or somewhere.
        heard = len(one.events) + rng.randrange(1, 8)
        one.run(min(until_us, end_us), (lambda heard=heard: len(one.events) > heard) if busy else None)
        one.run(min(one.world.now_us + rng.randrange(1, 3 * S), end_us))
        side = rng.choice((one.gateway, one.meters[0]))
        if side is not one.gateway:
            one.cuts[METER.link_bytes()].append(one.world.now_us)
        side.start()
    one.run(end_us + DAY, lambda: len(one.ends) == len(one.numbers))
    judge = one.judge()
    assert judge.wrong == []
    assert len(one.ends) == len(one.numbers) == 4 * hours
    steps = [step for step, _ in one.ends.values()]
    assert all(step == "done" or detail for step, detail in one.ends.values())
    value = one.meters[0].role.device.registers[0].value - 6408
    added = [one.ends[number] for number, (_, words) in one.numbers.items() if words[0] == "add"]
    done = sum(step == "done" for step, _ in added)
    doubtful = sum("may have been executed" in str(detail) for _, detail in added)
    assert done <= value <= done + doubtful
    record_property(
        "{} hours of {} through {}-{}".format(hours, mode, *pair),
        "{} frames, {} starts of the gateway, {} of the meter; {} done of {}, {} doubtful".format(
            len(judge.frames),
            one.gateway.lives,
            one.meters[0].lives,
            steps.count("done"),
            len(steps),
            doubtful,
        ),
    )
