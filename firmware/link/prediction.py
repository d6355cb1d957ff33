"""When a meter sends next, so that a battery receiver may sleep in between (EN 13757-4:2019 12.6.2; link sheet 8.5).

By the meter's clock, synchronous telegrams are whole multiples of t_NOM / 2048 apart, and their access numbers tell which.
By ours they lie on a straight line over these multiples. Its slope is t_NOM and the difference of both clocks in one: two
telegrams tell it, the third confirms it, and later ones follow what temperature does to the clocks.

A meter that restarts takes another access number and another slot: what does not fit begins a rival line, with the slope that
is known, and the first telegram that fits the rival makes it the line. One stray telegram changes nothing.
"""

from ..errors import MisuseError
from . import interval_us

_UNIT = 2048  # the weight of one interval is its length in t_NOM / 2048
_CYCLE = 256 * _UNIT  # of all 256 numbers together: just 256 t_NOM

# t_NOM that is believed: 1 s (the least that our own meters have) to that of mode S; t_NOM of R2, N and F is not heard here.
_SHORTEST_US = 1000000
_LONGEST_US = 7200000000

_STAMP_US = 250  # two time stamps of one instant, ours and the meter's, differ by so much
_CLOCKS_PPB = 300000  # clock of the meter 250 ppm (OMS Vol.2 table 8), ours 50
_NEW_PPB = 10000  # how far a slope of two telegrams is believed
_LEAST_PPB = 1000
# What fits: a clock may jump further than it was seen to wander, and a meter on a busy host is late by milliseconds.
_FIT_PPB = 60000
_FIT_US = 5000
# The slope is that of the last so many microseconds, or of two intervals where they are longer: the time stamps weigh little
# in it, and temperature has not changed yet.
_HORIZON_US = 1200000000
_APART_US = _HORIZON_US // 8

MISSES = 4  # windows in a row without a telegram: something happened, listen until it is heard again
_LEARNT = 4  # distances of data telegrams, before their ratio is believed
_MOST_FILLERS = 15


class _Line:
    """at_us, number: of the last telegram. slope: (us, weight), or None while unknown. ppb: how far it is believed.
    slots, data_slot: of the last telegram and of the last with data, counted from the first. confirmed: a telegram came
    when it was predicted."""

    def __init__(self, at_us, number, slope=None, ppb=_NEW_PPB):
        self.at_us = at_us
        self.number = number
        self.weight = 0
        self.slope = slope
        self.ppb = ppb
        self.anchors = [(at_us, 0)]  # telegrams before, (instant, weight)
        self.off_us = 0  # error of at_us beside that of the time stamps
        self.slots = 0
        self.data_slot = None
        self.confirmed = False

    def ahead(self, first=1, step=1):
        """Every slot that comes, from the first-th on: (k, at_us, access number, uncertainty_us)."""
        weight, number, k = 0, self.number, 0
        while True:
            weight += interval_us(_UNIT, number)
            number = (number + 1) & 0xFF
            k += 1
            if k >= first and (k - first) % step == 0:
                yield self.slot(k, weight, number)

    def slot(self, k, weight, number):
        distance_us = self.slope[0] * weight // self.slope[1]
        return k, self.at_us + distance_us, number, self.doubt_us(k, distance_us)

    def _stamps_us(self, distance_us):
        """What the error of the time stamps makes at this distance."""
        span_us = self.at_us - self.anchors[0][0]
        return _STAMP_US + self.off_us + (2 * _STAMP_US * distance_us // span_us if span_us else 0)

    def doubt_us(self, k, distance_us):
        """Uncertainty of the k-th slot. A clock that wanders steadily is off by the square of the time: (k + 2) / 3 more
        at k intervals than what was seen at one, the slope being that of the two before."""
        ppb = min(self.ppb * (k + 2) // 3, _CLOCKS_PPB)
        return self._stamps_us(distance_us) + distance_us * ppb // 1000000000

    def steps(self, at_us, number):
        """How many slots behind the last telegram this one fits; 0 for that one again, None if it fits nowhere."""
        if self.slope is None or at_us < self.at_us - _FIT_US:
            return None
        us, units = self.slope
        distance_us = at_us - self.at_us
        steps = (number - self.number) & 0xFF
        weight = _weight(self.number, steps)
        cycles = ((distance_us * units // us - weight) + _CYCLE // 2) // _CYCLE
        if cycles > 0:
            steps += 256 * cycles
            weight += _CYCLE * cycles
        off_us = abs(distance_us - us * weight // units)
        doubt_us = self.doubt_us(steps, distance_us)
        fits = off_us <= max(doubt_us, _FIT_US + self.off_us + distance_us * _FIT_PPB // 1000000000)
        # Where slots cannot be told apart any more, all would fit.
        return steps if fits and 4 * doubt_us < us * _UNIT // units else None

    def take(self, at_us, steps):
        """The telegram that came so many slots behind the last one."""
        weight = _weight(self.number, steps)
        distance_us = at_us - self.at_us
        off_us = abs(distance_us - self.slope[0] * weight // self.slope[1])
        if self.slots:
            seen_us = max(0, off_us - self._stamps_us(distance_us))
            seen = seen_us * 3000000000 // (distance_us * (steps + 2))
            self.ppb = min(max(_LEAST_PPB, 2 * seen, self.ppb * 3 // 4), _CLOCKS_PPB)
        elif not self.off_us:
            self.ppb = _NEW_PPB
        self._move(at_us, steps, weight)
        self.confirmed = True

    def _move(self, at_us, steps, weight):
        anchors = self.anchors
        if self.off_us:  # an instant that is not ours is no anchor
            anchors[0] = (at_us, self.weight + weight)
            self.off_us = 0
        elif self.at_us - anchors[-1][0] >= _APART_US:
            anchors.append((self.at_us, self.weight))
        self.at_us = at_us
        self.number = (self.number + steps) & 0xFF
        self.slots += steps
        self.weight += weight
        while len(anchors) > 1 and at_us - anchors[1][0] >= _HORIZON_US:
            anchors.pop(0)
        if at_us > anchors[0][0]:
            self.slope = (at_us - anchors[0][0], self.weight - anchors[0][1])

    def pair(self, at_us, number, nominal_us):
        """The line through the last telegram and this one, or None if no t_NOM that is allowed lies in between. Of those
        that are, it is the longest: the fewest telegrams between the two were lost."""
        distance_us = at_us - self.at_us
        if distance_us <= 0:
            return None
        shortest, longest = (nominal_us, nominal_us) if nominal_us else (_SHORTEST_US, _LONGEST_US)
        steps = (number - self.number) & 0xFF
        weight = _weight(self.number, steps)
        shortest -= shortest * _CLOCKS_PPB // 1000000000
        longest += longest * _CLOCKS_PPB // 1000000000
        short = distance_us * _UNIT - longest * weight
        if short > 0 or not steps:
            cycles = max(1, -(-short // (longest * _CYCLE)))
            steps += 256 * cycles
            weight += _CYCLE * cycles
        if distance_us * _UNIT < shortest * weight:
            return None
        line = _Line(self.at_us, self.number)
        line._move(at_us, steps, weight)
        return line


class Prediction:
    """Of one meter. nominal_us: its t_NOM if that is known (data point DP3!), else it is found."""

    def __init__(self, nominal_us=None):
        if nominal_us is not None and nominal_us <= 0:
            raise MisuseError("t_NOM of {} us".format(nominal_us))
        self._given_us = nominal_us
        self._line = None
        self._rival = None
        self._slope = (nominal_us, _UNIT) if nominal_us else None  # of a line to begin
        self._ppb = _CLOCKS_PPB
        self._every = 0  # greatest common divisor of the distances of data telegrams, and how many they were
        self._distances = 0

    def feed(self, at_us, access_number, synchronous, hops=0, data=True):
        """A telegram of the meter. True if it came when it was predicted.

        at_us: instant of a fixed point of it, such as the end of the sync word, on the board's clock. access_number,
        synchronous (bit S), hops (bit H): of its ELL, else of its TPL. data: False for one that only keeps the rhythm
        (ACC-NR). What is asynchronous or was repeated tells nothing about time and is left aside.
        """
        if not synchronous or hops:
            return False
        for line in (self._line, self._rival):
            steps = line.steps(at_us, access_number) if line else None
            if steps:
                line.take(at_us, steps)
                self._line, self._rival = line, None
                self._slope, self._ppb = line.slope, max(_NEW_PPB, line.ppb)
                if self._given_us and abs(self.drift_ppb) > _CLOCKS_PPB:
                    self._given_us = None  # it is another one
                self._note(line, data)
                return True
            if steps == 0:
                return line is self._line
        if self._line and at_us < self._line.at_us:
            return False
        if self._line is None or not self._line.confirmed or self._lost(at_us):
            self._line = self._begin(self._line, at_us, access_number)
            self._rival = None
            self._note(self._line, data)
        else:
            self._rival = self._begin(self._rival, at_us, access_number)
            self._note(self._rival, data)
        return False

    def _begin(self, line, at_us, number):
        """A line to be confirmed through a telegram that fits none."""
        pair = None
        if line and not line.confirmed:
            pair = line.pair(at_us, number, self._given_us) or line.pair(at_us, number, None)
        return pair or _Line(at_us, number, self._slope, self._ppb)

    def _note(self, line, data):
        """Learn in which slots there are data: n ACC-NR per SND-NR, n fixed after installation."""
        distance = None if line.data_slot is None else line.slots - line.data_slot
        if data:
            if distance:
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
        measured_us = self._slope[0] * _UNIT // self._slope[1]
        whole_us = (measured_us + 500000) // 1000000 * 1000000
        near = abs(measured_us - whole_us) * 1000000000 <= whole_us * _CLOCKS_PPB
        return whole_us if near else measured_us

    @property
    def drift_ppb(self):
        """How much longer than t_NOM the interval is by our clock, in 1e-9; None while unknown."""
        if self._slope is None:
            return None
        us, units = self._slope
        nominal_us = self.nominal_us
        return (us * _UNIT - nominal_us * units) * 1000000000 // (nominal_us * units)

    def next(self, now_us, data_only=False):
        """(at_us, access number, uncertainty_us) of the next synchronous telegram that may still come, data_only: of the
        next that has data. None while that is not known or not any more: listen until something is heard."""
        for slot in self.ahead(now_us, data_only):
            return slot
        return None

    def ahead(self, now_us, data_only=False):
        """As `next`, one after the other, until their uncertainty is a quarter of the interval."""
        line = self._line
        if line is None or line.slope is None or self._lost(now_us):
            return
        step = self.every if data_only and line.data_slot is not None else 1
        first = step - (line.slots - line.data_slot) % step if step > 1 else 1
        for _, at_us, number, doubt_us in line.ahead(first, step):
            if 4 * doubt_us * line.slope[1] > line.slope[0] * _UNIT:
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
        return line.slot(k, _weight(line.number, k), (line.number + k) & 0xFF)[1:]

    def _lost(self, now_us):
        line = self._line
        if line is None or line.slope is None:
            return False
        k = MISSES * self.every
        _, at_us, _, doubt_us = line.slot(k, _weight(line.number, k), 0)
        return at_us + doubt_us < now_us

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
        slope, last = state.get("slope"), state.get("last")
        every, distances = state.get("every", 0), state.get("distances", 0)
        if not _integers([every, distances]) or (slope and not (_integers(slope, 2) and min(slope) > 0)):
            raise MisuseError("the state of a prediction is damaged")
        if last and not (slope and _integers(last, 3) and 0 <= last[1] <= 255 and last[2] >= -1):
            raise MisuseError("the state of a prediction is damaged")
        self._every, self._distances = max(0, every), max(0, distances)
        self._line = self._rival = None
        if slope:
            self._slope, self._ppb = (slope[0], slope[1]), _NEW_PPB
        if last and utc_offset_us is not None:
            line = self._line = _Line(last[0] - utc_offset_us, last[1], self._slope, self._ppb)
            line.off_us = off_by_us
            if last[2] >= 0:
                line.slots, line.data_slot = last[2], 0


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


def _weight(number, steps):
    """Of so many intervals, the first of them behind the telegram with this access number."""
    weight = steps // 256 * _CYCLE
    for n in range(number, number + steps % 256):
        weight += interval_us(_UNIT, n & 0xFF)
    return weight


def _common(a, b):
    while b:
        a, b = b, a % b
    return a


def _integers(values, count=None):
    if not isinstance(values, (list, tuple)) or (count is not None and len(values) != count):
        return False
    return all([isinstance(one, int) for one in values])
