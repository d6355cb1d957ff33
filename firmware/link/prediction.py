"""When a meter sends next, so that a battery receiver may sleep in between (EN 13757-4:2019 12.6.2; link sheet 8.5).

Its telegrams lie on a line (slot_line.py): two tell it, the third confirms it, and later ones follow what temperature does to
the clocks.

A meter that restarts takes another access number and another slot: what does not fit begins a rival line, with the slope that
is known, and the first telegram that fits the rival makes it the line, unless the line still keeps its time: anybody can send
in the name of a meter, but nobody can keep it from sending. One stray telegram changes nothing.

A meter that does not keep to its slots is lost while the receiver sleeps. Each time that happens, more telegrams in a row must
fit before it sleeps again.
"""

from ..errors import MisuseError
from .slot_line import CLOCKS_PPB, LONGEST_US, NEW_PPB, SHORTEST_US, UNIT, Line, weight_of

MISSES = 4  # windows in a row without a telegram: something happened, listen until it is heard again
_MOST_FITS = 16  # telegrams in a row that must fit, at most, once it was lost so often
_LEARNT = 4  # distances of data telegrams, before their ratio is believed
_RATIO_FOR = 64  # so many distances: anybody may have spoilt it, it is learnt anew
_MOST_FILLERS = 15


class Prediction:
    """Of one meter. nominal_us: its t_NOM if that is known (data point DP3!), else it is found."""

    def __init__(self, nominal_us=None):
        if nominal_us is not None and nominal_us < SHORTEST_US:
            raise MisuseError("t_NOM of {} us".format(nominal_us))
        self._given_us = nominal_us
        self._line = None
        self._rival = None
        self._slope = (nominal_us, UNIT) if nominal_us else None  # of a line to begin
        self._ppb = CLOCKS_PPB
        self._every = 0  # greatest common divisor of the distances of data telegrams, and how many they were
        self._distances = 0
        self._fits = 0  # telegrams in a row that came when predicted
        self._wanted = 0  # so many of them, before their windows are told

    def feed(self, at_us, access_number, synchronous, hops=0, data=True):
        """A telegram of the meter. True if it came when it was predicted.

        at_us: instant of a fixed point of it, such as the end of the sync word, on the board's clock. access_number,
        synchronous (bit S), hops (bit H): of its ELL, else of its TPL. data: False for one that only keeps the rhythm
        (ACC-NR). What is asynchronous or was repeated tells nothing about time and is left aside.
        """
        if not synchronous or hops:
            return False
        lost = self._lost(at_us)
        if lost:
            self._mistrust()
        for line in (self._line, self._rival):
            steps = line.steps(at_us, access_number) if line else None
            if steps:
                return self._take(line, at_us, steps, data, lost)
            if steps == 0:
                return line is self._line
        line = self._line
        if line and at_us < line.at_us and not lost:
            return False
        if line is None or not line.confirmed or lost:
            if line and line.slope and not lost:
                self._mistrust()
            line = self._line = self._begin(line, at_us, access_number)
            self._rival = None
        else:
            line = self._rival = self._begin(self._rival, at_us, access_number)
        self._note(line, data)
        return False

    def _mistrust(self):
        """What was told did not come."""
        self._fits, self._wanted = 0, min(2 * self._wanted, _MOST_FITS) or 1

    def _take(self, line, at_us, steps, data, lost):
        """A telegram that fits the line, or the rival: that takes its place, but not while the line keeps its time."""
        keeps = line is self._rival and not lost and not self._line.ended(1, at_us)
        line.take(at_us, steps)
        if keeps:
            return False
        self._line, self._rival = line, None
        self._slope, self._ppb = line.slope, max(NEW_PPB, line.ppb)
        if self._given_us and abs(self.drift_ppb) > CLOCKS_PPB:
            self._given_us = None  # it is another one
        self._note(line, data)
        self._fits += 1
        if self._fits % _MOST_FITS == 0:
            self._wanted //= 2
        return True

    def _begin(self, line, at_us, number):
        """A line to be confirmed through a telegram that fits none."""
        pair = None
        if line and not line.confirmed:
            pair = line.pair(at_us, number, self._given_us) or line.pair(at_us, number, None)
        return pair or Line(at_us, number, self._slope, self._ppb)

    def _note(self, line, data):
        """Learn in which slots there are data: n ACC-NR per SND-NR, n fixed after installation."""
        distance = None if line.data_slot is None else line.slots - line.data_slot
        if data:
            if distance:
                if self._distances >= _RATIO_FOR:
                    self._every = self._distances = 0
                self._every = _common(self._every, distance)
                self._distances += 1
            line.data_slot = line.slots
        elif distance and self.every > 1 and distance % self.every == 0:
            self._every = self._distances = 0

    @property
    def every(self):
        """Each so manieth slot has data, the others are fillers; 1 while that is unknown."""
        known = self._distances >= _LEARNT and self._every <= _MOST_FILLERS + 1
        return self._every if known else 1

    @property
    def nominal_us(self):
        """t_NOM: as handed in, else whole seconds where clocks as they may be off have such, else as measured with our clock; None
        while unknown."""
        if self._given_us or self._slope is None:
            return self._given_us
        measured_us = self._slope[0] * UNIT // self._slope[1]
        whole_us = (measured_us + 500000) // 1000000 * 1000000
        near = abs(measured_us - whole_us) * 1000000000 <= whole_us * CLOCKS_PPB
        return whole_us if near else measured_us

    @property
    def drift_ppb(self):
        """How much longer than t_NOM the interval is by our clock, in 1e-9; None while unknown."""
        if self._slope is None:
            return None
        us, units = self._slope
        nominal_us = self.nominal_us
        return (us * UNIT - nominal_us * units) * 1000000000 // (nominal_us * units)

    def next(self, now_us, data_only=False):
        """(at_us, access number, uncertainty_us) of the next synchronous telegram that may still come, data_only: of the
        next that has data. None while that is not known or not any more: listen until something is heard."""
        for slot in self.ahead(now_us, data_only):
            return slot
        return None

    def ahead(self, now_us, data_only=False):
        """As `next`, one after the other, until their uncertainty is a quarter of the interval."""
        line = self._line
        if line is None or line.slope is None or self._lost(now_us) or self._fits < self._wanted:
            return
        step = self.every if data_only and line.data_slot is not None else 1
        first = step - (line.slots - line.data_slot) % step if step > 1 else 1
        for _, at_us, number, doubt_us in line.ahead(first, step):
            if 4 * doubt_us * line.slope[1] > line.slope[0] * UNIT:
                return
            if at_us + doubt_us >= now_us:
                yield at_us, number, doubt_us

    def later(self, k):
        """(at_us, access number, uncertainty_us) of the k-th synchronous telegram behind the last one heard, k from 1; None
        while that is not known."""
        line = self._line
        if k < 1:
            raise MisuseError("the telegram number {} behind the last".format(k))
        if line is None or line.slope is None:
            return None
        return line.slot(k, weight_of(line.number, k), (line.number + k) & 0xFF)[1:]

    def _lost(self, now_us):
        return self._line is not None and self._line.ended(MISSES * self.every, now_us)

    def export(self, utc_offset_us=None):
        """What survives a restart, a dict of integers and lists of them. utc_offset_us: UTC minus the board's clock, in us;
        None if UTC is unknown: then only interval and ratio survive."""
        line = self._line
        state = {"every": self._every, "distances": self._distances}
        if self._slope:
            state["slope"] = list(self._slope)
        if line and line.confirmed and utc_offset_us is not None:
            behind = -1 if line.data_slot is None else line.slots - line.data_slot
            state["last"] = [line.at_us + utc_offset_us, line.number, behind]
        return state

    def restore(self, state, utc_offset_us=None, off_by_us=100000):
        """Go on from an `export`. utc_offset_us: as there. off_by_us: by how much the two may differ.

        MisuseError, and nothing changed, if it is not such a dict.
        """
        if not isinstance(state, dict):
            raise MisuseError("the state of a prediction is damaged")
        slope, last = state.get("slope"), state.get("last")
        every, distances = state.get("every", 0), state.get("distances", 0)
        if not _integers([every, distances]) or (slope and not self._believed(slope)):
            raise MisuseError("the state of a prediction is damaged")
        if last and not (slope and _integers(last, 3) and 0 <= last[1] <= 255 and last[2] >= -1):
            raise MisuseError("the state of a prediction is damaged")
        self._every, self._distances = max(0, every), max(0, distances)
        self._line = self._rival = None
        if slope:
            self._slope, self._ppb = (slope[0], slope[1]), NEW_PPB
        if last and utc_offset_us is not None:
            line = self._line = Line(last[0] - utc_offset_us, last[1], self._slope, self._ppb)
            line.off_us = off_by_us
            if last[2] >= 0:
                line.slots, line.data_slot = last[2], 0

    def _believed(self, slope):
        """Whether this may be the slope of a meter: who believes more sleeps for ever."""
        if not _integers(slope, 2) or min(slope) <= 0:
            return False
        return SHORTEST_US // 2 <= slope[0] * UNIT // slope[1] <= 2 * max(LONGEST_US, self._given_us or 0)


def listening(meters, from_us, until_us, before_us=2000, after_us=500, data_only=False):
    """When a receiver has to listen to hear the next telegrams of these meters: [(begin_us, end_us), ...], in order, none
    touching another; all of the time while one of them is unknown.

    meters: list of Prediction. before_us: from the begin of listening until the point of a telegram that was fed: time to
    wake up, preamble and sync word (0.7 ms of it in modes T and C, 18 ms in S1). after_us: beyond that point; a frame whose
    sync word was heard is received to its end anyway. data_only: as in Prediction.next.
    """
    windows = []
    for meter in meters:
        known_us = from_us
        for at_us, _, doubt_us in meter.ahead(from_us, data_only):
            known_us = at_us - doubt_us - before_us
            if known_us >= until_us:
                break
            windows.append((max(known_us, from_us), min(at_us + doubt_us + after_us, until_us)))
        if known_us < until_us:
            windows.append((known_us, until_us))
    merged = []
    for begin_us, end_us in sorted(windows):
        if merged and begin_us <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_us))
        else:
            merged.append((begin_us, end_us))
    return merged


def _common(a, b):
    while b:
        a, b = b, a % b
    return a


def _integers(values, count=None):
    if not isinstance(values, (list, tuple)) or (count is not None and len(values) != count):
        return False
    return all([isinstance(one, int) for one in values])
