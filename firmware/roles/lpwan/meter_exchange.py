"""What is still to be done of one uplink frame: its further bursts, its windows, and what it heard in them (LPWAN sheet 11, 17).

Place: held by meter.py; instants and lists, no state of the meter. Times in microseconds of the meter's clock.
"""

from collections import namedtuple

from ...phy.burst import timing
from . import meter_frames as frames
from . import meter_way as ways
from .meter_listener import Collector

# kind: BURST, ON, OFF or END. number: index of the burst, 2 or 3, or number of the slot.
Step = namedtuple("Step", ("at_us", "kind", "number"))
_MEASURED_US = 1000  # a radio tells the instant of a sync as well as it can
BURST, ON, OFF, END = "burst", "on", "off", "end"


class Exchange:
    """uplink: meter_frames.Uplink. one: its Shape. frame: its MAC frame. chips: of each burst.

    t0_us: reference point of the first burst, None until it was sent. steps: what is to come, in order. heard: a header of ours
    was heard, so the gateway has heard us and no further burst is sent (Q.3.3.2.2). whole: a frame was received.
    """

    def __init__(self, uplink, one, frame, chips, declared, check):
        self.uplink = uplink
        self.shape = one
        self.frame = frame
        self.chips = chips
        self.declared = declared
        self.t0_us = None
        self.whole = self.heard = False
        self.steps = []
        self.collector = Collector(one.header.tiv, check)
        self._windows = []

    def began(self, t0_us):
        """The first burst was sent: everything else is tied to it."""
        self.t0_us = t0_us
        one = self.shape
        steps = []
        for index in range(2, len(one.names) + 1):
            steps.append(Step(self.burst_us(index) - ways.ARM_US, BURST, index))
        end_us = t0_us
        self._windows = ways.windows(self.declared, one, t0_us)
        for on, _, _, off, slot in self._windows:
            steps.append(Step(on, ON, slot.number))
            steps.append(Step(off, OFF, slot.number))
            # A burst may have begun at the end of the window.
            end_us = max(end_us, off + self._burst_us(slot.number))
        steps.sort()
        steps.append(Step(max([end_us] + [step.at_us for step in steps]), END, 0))
        self.steps = steps

    def _burst_us(self, number):
        """The longest burst in a slot, as it was announced."""
        name = self.shape.listens[number]
        access = timing.access(self.shape.uplink, self.shape.up.access - 1)
        rxm = access.rxm if self.shape.up.rxm is None else self.shape.up.rxm
        return 1000 * timing.RXM_MS[rxm] if rxm else ways.longest_us(name)

    def burst_us(self, index):
        """Instant of the first chip of a further burst."""
        one = self.shape
        offset_us = timing.burst_offset(one.uplink, one.header, index)
        return self.t0_us + offset_us - frames.front_us(one.uplink)

    def ends_us(self, t0_us):
        """The end, at the latest, if it began at t0_us."""
        before, self.steps = self.steps, []
        self.began(t0_us)
        end_us = self.steps[-1].at_us
        self.t0_us, self.steps = None, before
        return end_us

    def slot_of(self, at_us):
        """(Slot, how far from the edges of its window) of a front sync that ended at at_us, or None."""
        for _, earliest, latest, _, slot in self._windows:
            if earliest - _MEASURED_US <= at_us <= latest + _MEASURED_US:
                return slot, min(at_us - earliest, latest - at_us)
        return None

    def complete(self):
        """A whole frame was received: no further window. What bursts were still to come gives way to a MACK."""
        self.whole = True
        bursts = [step for step in self.steps if step.kind == BURST]
        self.steps = bursts + [Step(bursts[-1].at_us if bursts else 0, END, 0)]
