"""200 meters, each with a telegram every quarter of an hour, and one receiver that is left alone: a day, with OMSNODE_SOAK a
week. Node, driver, chip model and collector as they are; nothing drifts, nothing grows, nothing gets deaf.

The driver looks at its silent receiver every second instead of ten times a second: that is most of the work of an idle day.
"""

import gc
import heapq
import os
import random
import sys

import pytest
from omsnode.board.virtual import Transmission, World, unpack
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.node import Node
from omsnode.firmware.phy import framing, modes, radio
from omsnode.firmware.roles.collector import Collector
from support_radios import RADIOS

HOUR_US = 3600 * 1000000
HOURS = 168 if os.environ.get("OMSNODE_SOAK") else 24
METERS = 200
INTERVAL_US = 900 * 1000000
LOOK_US = 1000000
KINDS = (("T1", "A"), ("C1", "A"), ("C1", "B"))


class Ear(Collector):
    """A collector that also keeps when each frame began, until it is asked."""

    def __init__(self):
        super().__init__()
        self.began_us = {}

    def feed(self, event, now_us, wall_us=None):
        if event.kind == radio.FRAME:
            self.began_us[event.frame] = event.at_us
        return super().feed(event, now_us, wall_us)


def node(world, kind, deliver):
    board = world.add_board(name="receiver", chip=kind, clock_ppm=23.0)
    pins = board.pins
    if kind == "cc1101":
        driver = Cc1101(board.spi, pins["gdo0"], pins["gdo2"], health_us=LOOK_US)
    else:
        driver = Sx1262(board.spi, pins["busy"], pins["dio1"], pins["reset"], tcxo_mv=1800, health_us=LOOK_US)
    return Node(board, driver, Ear(), deliver=deliver)


class Meters:
    """Each with a crystal, an interval and a level of its own."""

    def __init__(self, world, rng):
        self.world = world
        self.meters = []
        self.queue = []
        for number in range(METERS):
            mode, frame_format = KINDS[number % 3]
            ppm = rng.uniform(-20, 20)
            self.meters.append((mode, frame_format, 1 + ppm * 1e-6, rng.uniform(-85, -40)))
            heapq.heappush(self.queue, (rng.uniform(1, INTERVAL_US), number, 0))
        self.sent = []  # (start, end in ns, frame, instant of the sync word in ns)
        self._next()

    def _next(self):
        self.world.at(max(self.queue[0][0], self.world.now_us), self._send)

    def _send(self):
        at_us, number, count = heapq.heappop(self.queue)
        mode, frame_format, clock, level = self.meters[number]
        data = frame(number, count, frame_format)
        row = modes.find(mode)
        chips = unpack(framing.chips(row, data, frame_format))
        rate = row.chip_rate_cps * clock
        sent = Transmission(
            self.world.now_ns,
            chips,
            rate,
            row.frequency_hz * clock,
            float(row.deviation_hz),
            power_dbm=level + 60,
        )
        sent = self.world.air.transmit(sent)
        sync_chips = 2 * row.preamble_pairs + row.sync["A"][1] - (16 if mode == "C1" else 0)
        self.sent.append((sent.start_ns, sent.time_ns(len(chips)), data, sent.time_ns(sync_chips)))
        heapq.heappush(self.queue, (at_us + INTERVAL_US * clock, number, count + 1))
        self._next()

    def collided(self):
        found = set()
        latest = (0, None)
        for row in self.sent:
            if row[0] < latest[0]:
                found |= {row[2], latest[1]}
            latest = max(latest, (row[1], row[2]))
        return found


def frame(number, count, frame_format):
    """A cold water meter, in the clear: volume in litres."""
    body = bytes.fromhex("442D2C{:02}{:02}00001B16".format(number % 100, number // 100))
    body += bytes((0x7A, count & 0xFF, 0, 0, 0, 0x04, 0x13)) + (1000 * number + count).to_bytes(4, "little")
    build = frame_b.build if frame_format == "B" else frame_a.build
    return build(bytes((len(body),)) + body)


def memory():
    """(blocks that Python holds, resident KiB); tracemalloc would take four times as long."""
    gc.collect()
    with open("/proc/self/statm") as status:
        pages = int(status.read().split()[1])
    return sys.getallocatedblocks(), pages * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.parametrize("kind", RADIOS)
def test_nobody_touches_it(kind, record_property):
    world = World(seed=1)
    volumes = set()
    receiver = node(world, kind, lambda reading: volumes.add(reading.telegram.records[0].mantissa))
    meters = Meters(world, random.Random(kind))
    role, driver = receiver.role, receiver.radio
    board = receiver.board
    early, late, most_late = [], [], 0
    sent = lost = collided = 0
    begin = None
    for hour in range(HOURS):
        world.run([receiver], (hour + 1) * HOUR_US)
        while role.due_us is None and board.chip.receiver.receiving:
            world.run([receiver], world.now_us + 1000)
        hidden = meters.collided()
        offsets = []
        for _, _, data, sync_ns in meters.sent:
            if data in role.began_us:
                offsets.append(role.began_us[data] - board.to_us(sync_ns))
            elif data not in hidden:
                lost += 1
        sent += len(meters.sent)
        collided += len(hidden)
        assert len(offsets) >= len(meters.sent) - len(hidden) - 1, "hour {}".format(hour)
        (early if hour == 0 else late)[:] = offsets
        most_late = max(most_late, max(offsets))
        meters.sent.clear()
        role.began_us.clear()
        volumes.clear()
        del world.air.log[:]
        if hour == 1:
            begin = memory()
    end = memory()
    counters = driver.counters
    record_property(
        "{} hours, {}".format(HOURS, kind),
        "{} telegrams of {} meters: {} collided, {} others lost; time stamps {:+.0f} us off in the first hour, {:+.0f} in the "
        "last, {} at most; memory {} -> {} blocks, resident {} -> {} KiB; {}".format(
            sent,
            METERS,
            collided,
            lost,
            sum(early) / len(early),
            sum(late) / len(late),
            most_late,
            begin[0],
            end[0],
            begin[1],
            end[1],
            {name: counters[name] for name in counters if name not in ("sent", "too_late")},
        ),
    )
    assert sent >= HOURS * METERS * 4 - METERS
    # Noise and the first chips of a header may look like a sync word together, once in 2 ** 14 headers.
    assert lost <= min(sum(counters["rejects"].values()), 3 + sent // 4000)
    assert abs(sum(early) / len(early) - sum(late) / len(late)) < 20
    assert most_late < 1000
    assert end[0] <= begin[0] + 1000
    assert end[1] <= begin[1] + 2048
    assert not counters["faults"]
    assert not board.chip.violations
    assert receiver.counters.get("edges_lost", 0) == 0
    assert len(role.statistics) == METERS
