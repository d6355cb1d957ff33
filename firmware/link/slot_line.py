"""The synchronous telegrams of a meter as a straight line (EN 13757-4:2019 12.6.2; link sheet 8.5).

By the meter's clock they are whole multiples of t_NOM / 2048 apart, and their access numbers tell which; by ours they lie on a
line over these multiples. Its slope is t_NOM and the difference of both clocks in one.
"""

from . import interval_us

UNIT = 2048  # the weight of one interval is its length in t_NOM / 2048
_CYCLE = 256 * UNIT  # of all 256 numbers together: just 256 t_NOM

# t_NOM that is believed: 1 s (the least that our own meters have) to that of mode S; t_NOM of R2, N and F is not heard here.
SHORTEST_US = 1000000
LONGEST_US = 7200000000

_STAMP_US = 250  # two time stamps of one instant, ours and the meter's, differ by so much
CLOCKS_PPB = 300000  # clock of the meter 250 ppm (OMS Vol.2 table 8), ours 50
NEW_PPB = 10000  # how far a slope of two telegrams is believed
_LEAST_PPB = 1000
# What fits: a clock may jump further than it was seen to wander, and a meter on a busy host is late by milliseconds.
_FIT_PPB = 60000
_FIT_US = 5000
# The slope is that of the last so many microseconds, or of two intervals where they are longer: the time stamps weigh little
# in it, and temperature has not changed yet.
_HORIZON_US = 1200000000
_APART_US = _HORIZON_US // 8


class Line:
    """at_us, number: of the last telegram. slope: (us, weight), or None while unknown. ppb: how far it is believed.
    slots, data_slot: of the last telegram and of the last with data, counted from the first. confirmed: a telegram came
    when it was predicted."""

    def __init__(self, at_us, number, slope=None, ppb=NEW_PPB):
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
            weight += interval_us(UNIT, number)
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
        ppb = min(self.ppb * (k + 2) // 3, CLOCKS_PPB)
        return self._stamps_us(distance_us) + distance_us * ppb // 1000000000

    def ended(self, slots, now_us):
        """Whether so many slots behind the last telegram are over; also if that was restored and has yet to come: the
        clock is wrong."""
        if self.slope is None:
            return False
        _, at_us, _, doubt_us = self.slot(slots, weight_of(self.number, slots), 0)
        return at_us + doubt_us < now_us or 0 < self.off_us < self.at_us - now_us

    def steps(self, at_us, number):
        """How many slots behind the last telegram this one fits; 0 for that one again, None if it fits nowhere."""
        if self.slope is None or at_us < self.at_us - _FIT_US:
            return None
        us, units = self.slope
        distance_us = at_us - self.at_us
        steps = (number - self.number) & 0xFF
        weight = weight_of(self.number, steps)
        cycles = ((distance_us * units // us - weight) + _CYCLE // 2) // _CYCLE
        if cycles > 0:
            steps += 256 * cycles
            weight += _CYCLE * cycles
        off_us = abs(distance_us - us * weight // units)
        doubt_us = self.doubt_us(steps, distance_us)
        fits = off_us <= max(doubt_us, _FIT_US + self.off_us + distance_us * _FIT_PPB // 1000000000)
        # Where slots cannot be told apart any more, all would fit.
        return steps if fits and 4 * doubt_us < us * UNIT // units else None

    def take(self, at_us, steps):
        """The telegram that came so many slots behind the last one."""
        weight = weight_of(self.number, steps)
        distance_us = at_us - self.at_us
        off_us = abs(distance_us - self.slope[0] * weight // self.slope[1])
        if self.slots:
            seen_us = max(0, off_us - self._stamps_us(distance_us))
            seen = seen_us * 3000000000 // (distance_us * (steps + 2))
            self.ppb = min(max(_LEAST_PPB, 2 * seen, self.ppb * 3 // 4), CLOCKS_PPB)
        elif not self.off_us:
            self.ppb = NEW_PPB
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
        shortest, longest = (nominal_us, nominal_us) if nominal_us else (SHORTEST_US, LONGEST_US)
        steps = (number - self.number) & 0xFF
        weight = weight_of(self.number, steps)
        shortest -= shortest * CLOCKS_PPB // 1000000000
        longest += longest * CLOCKS_PPB // 1000000000
        short = distance_us * UNIT - longest * weight
        if short > 0 or not steps:
            cycles = max(1, -(-short // (longest * _CYCLE)))
            steps += 256 * cycles
            weight += _CYCLE * cycles
        if distance_us * UNIT < shortest * weight:
            return None
        line = Line(self.at_us, self.number)
        line._move(at_us, steps, weight)
        return line


def weight_of(number, steps):
    """Of so many intervals, the first of them behind the telegram with this access number."""
    weight = steps // 256 * _CYCLE
    for n in range(number, number + steps % 256):
        weight += interval_us(UNIT, n & 0xFF)
    return weight
