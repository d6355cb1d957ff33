"""The way back: an I/Q recording (cu8) -> the chips that were on the air, so that a recording can be played into the
virtual air. Nothing is decoded: the chip rate is taken from the alternating preamble, no sync word is looked for.
"""

import cmath
import math
from collections import namedtuple
from itertools import accumulate, cycle
from operator import mul, sub

from omsnode.firmware.errors import MisuseError

# What `slice_iq` finds: the attributes of a transmission on the virtual air. start_ns: of the first chip, from the
# start of the recording. chips: list of 0/1. frequency_hz: the middle between the two tones.
Burst = namedtuple(
    "Burst",
    (
        "start_ns",
        "chips",
        "chip_rate_cps",
        "frequency_hz",
        "deviation_hz",
        "modulation",
        "power_dbm",
        "source",
    ),
)

# Nominal chip rates and how far a chip may be off in length (T: 88 to 112 kc/s; the others leave room for noise).
RATES = ((100_000, 0.16), (50_000, 0.06), (32_768, 0.06))

_SQUARE = [(2 * value - 255) ** 2 for value in range(256)]  # of a sample in half steps
_FULL_SCALE = 255**2
_BLOCK = 32  # samples per power reading
_SMOOTH = 8  # readings averaged to tell a burst from noise
_ABOVE_FLOOR = 2.2  # a burst is this much above the quietest stretch
_SHORTEST_MS = 1  # the shortest frame of all, C with L = 9, has 160 chips
_ROUND = 1024
_CHANNEL_HZ = 350_000  # width of the moving average in front of the discriminator
_WINDOW = 0.6  # of a chip: what an edge is looked for with
_ALTERNATING = 16  # edges one chip apart that make a preamble; the shortest of S and T have 29 and 37
_JITTER = 0.4  # of a chip, between such edges
_PULL_PHASE, _PULL_RATE = 0.2, 0.01  # of an edge's distance from the running clock, and of that per chip


def slice_iq(data, rate, center_hz=0, full_scale_dbm=0.0, source="recording"):
    """-> list of Burst, in order of time.

    data: bytes, unsigned 8-bit I and Q interleaved. rate: samples per second, 400000 or more (MisuseError). center_hz:
    the frequency that 0 Hz of the recording is. full_scale_dbm: the power_dbm of a burst whose envelope just fills the
    8-bit scale. A burst must be about 3 dB above the noise in the whole recorded band, its preamble must have one of
    RATES, and the recording needs a moment of silence (256 samples) to tell what its noise is.
    """
    if rate < 400_000:
        raise MisuseError("{} samples per second are too few".format(rate), hint="record with 400000 or more")
    found = []
    for first, last, power in _active(data):
        if (last - first) * 1000 < rate * _SHORTEST_MS:
            continue
        turns, carrier = _unwrapped(data, first, last, rate)
        period, start, middle = _preamble(turns, rate)
        if period is None:
            continue
        for _ in range(2):  # the second time around the true middle of the two tones
            marks = _clock(_edges(turns, middle, _WINDOW * period), start, period, len(turns))
            tones = _tones(turns, marks)
            high, low = _levels(tones, middle)
            middle = (high + low) / 2
        scale = rate / (2 * math.pi)
        found.append(
            Burst(
                round((first + marks[0]) * 1e9 / rate),
                [1 if tone > middle else 0 for tone in tones],
                rate * len(tones) / (marks[-1] - marks[0]),
                center_hz + (carrier + middle) * scale,
                (high - low) / 2 * scale,
                "2-FSK",
                full_scale_dbm + 10 * math.log10(power / _FULL_SCALE),
                source,
            )
        )
    return found


def _active(data):
    """Yield (first sample, last sample, power in squared half steps, without noise) of every stretch above the floor."""
    step = 2 * _BLOCK
    powers = [
        sum(map(_SQUARE.__getitem__, data[at : at + step])) / _BLOCK for at in range(0, len(data), step)
    ]
    sums = list(accumulate(powers, initial=0.0))
    smooth = [total / _SMOOTH for total in map(sub, sums[_SMOOTH:], sums)]
    floor = max(min(smooth, default=0.0), 4.0)
    begin = None
    for at, power in enumerate(smooth + [0.0]):
        above = power >= floor * _ABOVE_FLOOR
        if above and begin is None:
            begin = at
        elif not above and begin is not None:
            # The window knows its stretch to within its own length; single readings at half the power know it better.
            stretch = powers[begin : at + _SMOOTH - 1]
            half = (max(smooth[begin:at]) + floor) / 2
            loud = [index for index, reading in enumerate(stretch) if reading > half]
            if len(loud) > 2:
                middle = stretch[loud[0] + 1 : loud[-1]]
                first, last = begin + loud[0] - 1, begin + loud[-1] + 2
                yield (
                    max(0, first) * _BLOCK,
                    min(last * _BLOCK, len(data) // 2),
                    max(1.0, sum(middle) / len(middle) - floor),
                )
            begin = None


def _unwrapped(data, first, last, rate):
    """-> (phase of every sample in radians, running on; the tone in radians per sample that was taken out of it).

    The burst is turned to the middle of the band by its mean tone, and then goes through a moving average as wide as
    the channel.
    """
    rails = [[2 * value - 255 for value in data[2 * first + rail : 2 * last : 2]] for rail in (0, 1)]
    samples = list(map(complex, *rails))
    mean = sum(after * before.conjugate() for before, after in zip(samples, samples[1:], strict=False))
    whole = 2 * math.pi
    # In steps of a circle, so that the turning repeats.
    step = round(cmath.phase(mean) / whole * _ROUND)
    turning = [cmath.rect(1, -whole * (step * n % _ROUND) / _ROUND) for n in range(_ROUND)]
    sums = list(accumulate(map(mul, samples, cycle(turning)), initial=0j))
    width = max(1, round(rate / _CHANNEL_HZ))
    angles = list(map(cmath.phase, map(sub, sums[width:], sums)))
    turns = [
        (later - earlier + math.pi) % whole - math.pi
        for earlier, later in zip(angles, angles[1:], strict=False)
    ]
    return list(accumulate(turns, initial=0.0)), whole * step / _ROUND


def _preamble(turns, rate):
    """-> (chip period in samples, a clean edge, middle tone); the period is None if there is no preamble of RATES."""
    for nominal, tolerance in RATES:
        samples = rate / nominal
        window = max(1, round(_WINDOW * samples))
        tones = sorted(map(sub, turns[window:], turns))
        if len(tones) < 3 * _ALTERNATING * samples:
            continue
        middle = (tones[len(tones) // 10] + tones[-len(tones) // 10]) / 2 / window
        edges = _edges(turns[: round(4 * _ALTERNATING * samples) + _SMOOTH * _BLOCK], middle, window)
        for at in range(len(edges) - _ALTERNATING):
            run = edges[at : at + _ALTERNATING + 1]
            period = (run[-1] - run[0]) / _ALTERNATING
            if abs(period / samples - 1) < tolerance and all(
                abs(gap / period - 1) < _JITTER for gap in map(sub, run[1:], run)
            ):
                return period, run[1], middle
    return None, None, None


def _edges(turns, middle, window):
    """Instants, in samples, at which the tone over `window` samples crosses the middle."""
    window = max(1, round(window))
    level = middle * window
    half = window / 2
    tones = [tone - level for tone in map(sub, turns[window:], turns)]
    edges = []
    for at, (before, after) in enumerate(zip(tones, tones[1:], strict=False)):
        if (before > 0) != (after > 0):
            edges.append(at + half + before / (before - after))
    return edges


def _clock(edges, start, period, end):
    """-> chip boundaries in samples. From the edge `start` on a loop follows the edges: each pulls phase and period a
    little. Before it, the preamble is counted back to the block in which the burst begins.
    """
    slowest, fastest = 1.03 * period, 0.97 * period
    mark = min(edges, key=lambda edge: abs(edge - start))
    marks = [mark - period * n for n in range(max(0, int((mark - _BLOCK) / period)), 0, -1)] + [mark]
    for edge in edges:
        chips = round((edge - mark) / period)
        if chips < 1:
            continue  # a glitch inside a chip, or before the start
        off = edge - mark - chips * period
        period = min(slowest, max(fastest, period + _PULL_RATE * off / chips))
        step = period + _PULL_PHASE * off / chips
        marks += [mark + step * n for n in range(1, chips + 1)]
        mark = marks[-1]
    marks += [mark + period * n for n in range(1, int((end - 1 - mark) / period) + 1)]
    return marks


def _tones(turns, marks):
    """Mean tone of each chip, radians per sample: the phase it gained from boundary to boundary."""
    phases = []
    for mark in marks:
        at = min(int(mark), len(turns) - 2)
        phases.append(turns[at] + (turns[at + 1] - turns[at]) * (mark - at))
    return [
        gain / length
        for gain, length in zip(map(sub, phases[1:], phases), map(sub, marks[1:], marks), strict=False)
    ]


def _levels(tones, middle):
    """(high, low): the two tones, from chips between equal ones, where no filter rounds them off."""
    sides = [tone > middle for tone in tones]
    inner = [
        tone
        for tone, before, now, after in zip(tones[1:], sides, sides[1:], sides[2:], strict=False)
        if before == now == after
    ]
    found = []
    for side in (True, False):
        alike = [tone for tone in inner if (tone > middle) == side]
        alike = alike or [tone for tone in tones if (tone > middle) == side] or [middle]
        found.append(sum(alike) / len(alike))
    return found
