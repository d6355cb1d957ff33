"""Radios, boards and time of which only the events are left: for years and for towns. Real nodes and roles run on it; a radio
fulfils phy/radio.py, and a transmission is some instants and a telegram; its chips are deframed only by a ChipRadio, for whom
something may be wrong with them.

A receiver hears what begins while it listens to that carrier and goes on listening. What overlaps is lost for it, except
what is stronger than the others by CAPTURE_DB. A share of everything else is lost at random.
"""

import heapq
import random

from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.two_way import TwoWay
from support_on_air import Sent

CAPTURE_DB = 6
_LATEST_US = 1200  # phy/radio.py
# Carrier, chips of preamble with sync word, chips of the trailer (link sheet 3), ns for a chip, family.
_ROWS = {
    ("S2", "up"): ("S", 48, 8, 30518, "S"),
    ("S2", "down"): ("S", 48, 8, 30518, "S"),
    ("T2", "up"): ("TC", 48, 8, 10000, "T"),
    ("T2", "down"): ("S", 48, 8, 30518, "S"),
    ("C2", "up"): ("TC", 64, 0, 10000, "C"),
    ("C2", "down"): ("CD", 64, 0, 20000, "C"),
}
_LISTENS = {("T+C", "up"): "TC", ("T2", "up"): "TC", ("C2", "up"): "TC", ("S2", "up"): "S"}
_LISTENS.update({("S2", "down"): "S", ("T2", "down"): "S", ("C2", "down"): "CD"})


class Burst:
    """On the air from start_us to end_us; sync_us, data_us: end of the sync word and of the last data chip."""

    def __init__(self, source, row, chips, telegram, start_us):
        self.carrier, header, trailer, ns, self.family = _ROWS[row]
        self.mode, self.up = row[0], row[1] == modes.UP
        self.source, self.telegram, self.start_us = source, telegram, start_us
        self.chips = chips
        self.sync_us = start_us + header * ns // 1000
        self.end_us = start_us + 8 * len(chips) * ns // 1000
        self.data_us = self.end_us - trailer * ns // 1000


class EventAir:
    """Time, and what is on the air. losses: share of the frames that a receiver does not get. heard: function called with each
    support_on_air.Sent, in the order of their starts, when it has ended."""

    def __init__(self, seed=0, losses=0.0, heard=None):
        self.rng = random.Random("{}/air".format(seed))
        self.now_us = 0
        self.losses = losses
        self.heard = heard
        self.sides = []
        self.on_air = []
        self.recent = []  # over, but may have overlapped
        self.frames = self.collisions = self.lost = 0
        self._due = []
        self._calls = []
        self._turn = 0
        self._untold = []

    def at(self, at_us, call):
        self._turn += 1
        heapq.heappush(self._calls, (at_us, self._turn, call))

    def wake(self, side):
        """Its due_us may have changed."""
        side.turn += 1
        due_us = side.node.due_us if side.node else None
        if due_us is not None:
            heapq.heappush(
                self._due, (max(due_us + side.board.offset_us, self.now_us), side.place, side.turn)
            )

    def run(self, until_us, stop=None):
        """Until then, or until stop()."""
        due, calls = self._due, self._calls
        while stop is None or not stop():
            while due and due[0][2] != self.sides[due[0][1]].turn:
                heapq.heappop(due)
            at_us = min(due[0][0] if due else until_us, until_us)
            if calls and calls[0][0] <= at_us:
                at_us, _, call = heapq.heappop(calls)
                self.now_us = max(self.now_us, at_us)
                call()
            elif at_us >= until_us:
                self.now_us = until_us
                return
            else:
                self.now_us = max(self.now_us, at_us)
                self.sides[heapq.heappop(due)[1]].step()

    def begin(self, burst):
        self.frames += 1
        self.on_air.append(burst)
        self._untold.append(burst)
        self.at(burst.end_us, lambda: self.end(burst))

    def end(self, burst):
        self.on_air.remove(burst)
        self.recent = [one for one in self.recent if one.end_us > burst.start_us]
        over = [one for one in self.on_air + self.recent if one.carrier == burst.carrier]
        self.recent.append(burst)
        for side in self.sides:
            if side.node is not None and side.radio.hears(burst):
                self._arrive(side, burst, over)
        while self._untold and self._untold[0].end_us <= self.now_us:
            one = self._untold.pop(0)
            if self.heard and one.carrier:
                instants = [1000 * at_us for at_us in (one.start_us, one.data_us, one.end_us)]
                self.heard(Sent(one.source, one.up, one.mode, *instants, one.telegram))

    def _arrive(self, side, burst, over):
        level = side.level(burst)
        others = [side.level(one) for one in over if one.source != side.name]
        if others and level - max(others) < CAPTURE_DB:
            self.collisions += 1
        elif self.losses and self.rng.random() < self.losses:
            self.lost += 1
        else:
            side.radio.frame(burst, level)
            self.wake(side)


class EventBoard:
    """offset_us: of the time of the air against its clock, which begins anew when the power comes back."""

    def __init__(self, air):
        self.air = air
        self.offset_us = 0

    def now_us(self):
        return self.air.now_us - self.offset_us

    def wait(self, until_us, exact=False):
        return [], 0


class EventRadio:
    """Fulfils phy/radio.py. `telegram` is what the node is about to prepare."""

    exact = False
    clock = None

    def __init__(self, air, board, name):
        self.air, self.board, self.name = air, board, name
        self.counters = {}
        self.telegram = self._row = None
        self._events = []
        self._burst = None
        self._at_us = None  # of the first chip
        self._late = False
        self._carrier = self._since_us = None  # that it listens to

    def start(self, now_us):
        pass

    def expect(self, mode, direction):
        pass

    def configure(self, mode, direction, channel=0, offset_hz=0, power_dbm=None):
        self._row = (mode, direction)

    def prepare(self, chips, now_us):
        self._carrier = None
        self._chips = bytes(chips)

    def transmit(self, at_us, until_us=None):
        now_us = self.board.now_us()
        if until_us is None:
            self._late = at_us < now_us
        else:
            at_us = max((at_us + until_us) // 2, now_us + _LATEST_US)
            self._late = at_us > until_us
        self._at_us = max(at_us, now_us)

    def listen(self, deframer, now_us):
        self._at_us = None
        carrier = _LISTENS[self._row]
        if self._carrier != carrier:
            self._carrier, self._since_us = carrier, self.air.now_us

    def standby(self, now_us):
        self._carrier = self._at_us = None

    sleep = standby

    @property
    def due_us(self):
        if self._events:
            return self.board.now_us()
        if self._burst is not None:
            return self._burst.end_us - self.board.offset_us
        return self._at_us

    @property
    def receiving(self):
        now_us = self.air.now_us
        return any(one.sync_us <= now_us and self.hears(one) for one in self.air.on_air)

    def hears(self, burst):
        return (
            self._carrier is not None
            and self._carrier == burst.carrier
            and self._since_us <= burst.start_us
            and burst.source != self.name
        )

    def frame(self, burst, level):
        off = self.board.offset_us
        frame = frame_a.build(burst.telegram)
        instants = (burst.sync_us - off, burst.data_us - off)
        self._events.append(radio.Event(radio.FRAME, *instants, frame, burst.family, "A", int(level)))

    def service(self, now_us, edges=()):
        events, self._events = self._events, []
        off = self.board.offset_us
        burst = self._burst
        if burst is not None and now_us >= burst.end_us - off:
            self._burst = None
            events.append(radio.Event(radio.SENT, burst.start_us - off, burst.end_us - off))
        if self._at_us is not None and self._at_us <= now_us and self._burst is None:
            at_us, self._at_us = self._at_us, None
            if self._late or at_us < now_us:
                events.append(radio.Event(radio.TOO_LATE, at_us))
            else:
                self._burst = Burst(self.name, self._row, self._chips, self.telegram, at_us + off)
                self.air.begin(self._burst)
        return events


class ChipRadio(EventRadio):
    """What it tells about a frame is what its chips say."""

    def listen(self, deframer, now_us):
        super().listen(deframer, now_us)
        self._deframer = deframer

    def frame(self, burst, level):
        off = self.board.offset_us
        found = deframed(burst, self._deframer)
        if found.error is not None:
            self._events.append(radio.Event(radio.REJECTED, burst.sync_us - off, error=found.error))
            return
        instants = (burst.sync_us - off, burst.data_us - off)
        whole = (bytes(found.frame), found.family, found.frame_format)
        self._events.append(radio.Event(radio.FRAME, *instants, *whole, int(level)))


def deframed(burst, deframer=None):
    """The Deframer, or one of its own, behind the chips of a Burst."""
    found = deframer or Deframer(burst.family)
    found.reset()
    sync = b"\x76\x96" if burst.family == "S" else b"\x54\x3d"  # its first 16 chips
    found.feed(burst.chips[burst.chips.index(sync) + 2 :])
    return found


class EventNode(TwoWay):
    def _transmit(self, action):
        self.radio.telegram = action.telegram
        super()._transmit(action)


class PowerCut(Exception):
    pass


class EventSide:
    """A node with its power. make: function of the stored state that gives the role. point: called with a name at each instant
    that a power cut may be interesting at; it may raise PowerCut. wall_us: UTC at the beginning, or None. losses_db: {source:
    path loss}, 60 where nothing is said."""

    Radio = EventRadio

    def __init__(self, air, name, make, store, wall_us=None, losses_db=None):
        self.air, self.name, self.make, self.store = air, name, make, store
        self.place = len(air.sides)
        self.turn = self.lives = 0
        self.losses_db = losses_db or {}
        self.wall_us = wall_us
        self.deliver = lambda one: None
        self.on_cut = lambda side: None
        self.point = lambda name: None
        self.board = EventBoard(air)
        self.node = self.role = None
        self.radio = self.Radio(air, self.board, name)
        air.sides.append(self)

    def level(self, burst):
        return 10 - self.losses_db.get(burst.source, 60)

    def start(self):
        self.lives += 1
        self.board.offset_us = self.air.now_us - 1000000 * self.lives
        state = self.store.load()
        self.radio = self.Radio(self.air, self.board, self.name)
        self.role = self.make(state)
        transmit = self.radio.transmit

        def armed(at_us, until_us=None):
            self.point("before arming")
            transmit(at_us, until_us)
            self.point("armed")

        self.radio.transmit = armed
        self.node = EventNode(self.board, self.radio, self.role, self, self._deliver, self._wall, state=state)
        self.air.wake(self)

    def _wall(self, at_us):
        return None if self.wall_us is None else self.wall_us + at_us + self.board.offset_us

    def _deliver(self, one):
        self.deliver(one)

    def save(self, state):
        self.point("before store")
        self.store.save(state)
        self.point("after store")

    def step(self):
        try:
            self.node.step()
            self.point("behind a step")
        except PowerCut:
            self.cut()
        self.air.wake(self)

    def cut(self):
        """The power is gone; what it has on the air ends there and is no frame."""
        for one in self.air.on_air:
            if one.source == self.name:
                one.carrier = None
        self.radio = self.Radio(self.air, self.board, self.name)
        self.node = None
        self.turn += 1
        self.on_cut(self)
