"""Transmissions -> an I/Q recording as receivers for RTL-SDR read it: cu8, unsigned 8-bit I and Q interleaved.

Carrier, deviation, chip rate and chips are those of the transmission (so, on the virtual air, of the sending chip's
registers), never of the mode table. Pure Python on tables: about half a second per million samples.
"""

import math
import random

from omsnode.firmware.errors import MisuseError

_TURN = 1 << 32  # phases are integers, this many per turn
_TABLE_BITS = 12
_SHIFT = 32 - _TABLE_BITS
_MASK = (1 << _TABLE_BITS) - 1
_FINE = 16  # sums are kept in sixteenths of one step of the 8-bit scale
_BLOCK = 1024
_GAUSS_STEPS = 8  # pieces of constant frequency per chip that make up a Gaussian-filtered edge
_GAUSS_BT = 0.5


def render(transmissions, rate=1_000_000, center_hz=None, ecn0_db=None, offset_hz=0, gap_ms=None, **options):
    """-> bytes: the whole recording, see `blocks`."""
    return b"".join(blocks(transmissions, rate, center_hz, ecn0_db, offset_hz, gap_ms, **options))


def blocks(
    transmissions,
    rate=1_000_000,
    center_hz=None,
    ecn0_db=None,
    offset_hz=0,
    gap_ms=None,
    lead_ms=2,
    amplitude=80,
    seed=0,
):
    """Yield the recording piece by piece.

    transmissions: objects with start_ns, chips (0/1 each), chip_rate_cps, frequency_hz, deviation_hz, modulation
    ("2-FSK", or "2-GFSK" with BT 0.5), power_dbm. rate: samples per second. center_hz: what 0 Hz of the recording is;
    None = the carrier of the first transmission. Transmissions that do not fit into the band of +-rate/2 are not
    heard, as with a real receiver. offset_hz: carrier error added to every transmission. gap_ms: None keeps the
    start times; a number lays them end to end with that much silence between. lead_ms: silence before the first and
    after the last. amplitude: of the strongest transmission, in steps of the 8-bit scale (127.5 is full scale); weaker
    ones follow by their power.

    ecn0_db: Ec/N0, energy of one chip over noise density, of the strongest transmission: with A its amplitude, the
    noise power in one complex sample is A^2 * rate / chip_rate / 10^(ecn0_db / 10), half of it in I and half in Q.
    None = no noise. Noise repeats only in independently drawn pieces and comes from `seed`, nothing else.
    """
    if rate <= 0:
        raise MisuseError("sample rate {} is not positive".format(rate))
    heard = sorted(transmissions, key=lambda one: one.start_ns)
    if heard and center_hz is None:
        center_hz = heard[0].frequency_hz
    heard = [one for one in heard if _fits(one, rate, center_hz, offset_hz)]
    if not heard:
        raise MisuseError(
            "no transmission in the recorded band", hint="choose centre and rate to cover the carrier"
        )
    strongest = max(heard, key=lambda one: one.power_dbm)
    sigma = 0
    if ecn0_db is not None:
        sigma = amplitude * math.sqrt(rate / strongest.chip_rate_cps / 10 ** (ecn0_db / 10) / 2)
    quantise = _quantiser(sigma, amplitude * len(heard), seed)
    waves = {}
    lead = lead_ms * rate / 1000
    written = 0  # samples
    for group in _overlapping(_placed(heard, rate, lead, gap_ms)):
        first, last = group[0][0], max(end for _, end, _ in group)
        yield from _silence(math.ceil(first) - written, quantise)
        mixed = [[0] * (math.ceil(last) - math.ceil(first)) for _ in "IQ"]
        for start, _, one in group:
            scale = amplitude * 10 ** ((one.power_dbm - strongest.power_dbm) / 20)
            if scale not in waves:
                waves[scale] = _wave(scale)
            phases = _phases(one, start, rate, one.frequency_hz + offset_hz - center_hz)
            begin = math.ceil(start) - math.ceil(first)
            for rail, table in zip(mixed, waves[scale], strict=True):
                part = [table[phase >> _SHIFT & _MASK] for phase in phases]
                here = slice(begin, begin + len(part))
                rail[here] = part if len(group) == 1 else map(int.__add__, rail[here], part)
        yield quantise(*mixed)
        written = math.ceil(last)
    yield from _silence(int(lead), quantise)


def _fits(one, rate, center_hz, offset_hz):
    return abs(one.frequency_hz + offset_hz - center_hz) + one.deviation_hz < rate / 2


def _placed(heard, rate, lead, gap_ms):
    """(start, end, transmission), in samples of the recording."""
    at = lead
    for one in heard:
        if gap_ms is None:
            at = lead + (one.start_ns - heard[0].start_ns) * rate / 1e9
        end = at + len(one.chips) * rate / one.chip_rate_cps
        yield at, end, one
        if gap_ms is not None:
            at = end + gap_ms * rate / 1000


def _overlapping(placed):
    """Lists of neighbours that share samples."""
    group: list[tuple] = []
    end = 0
    for item in placed:
        if group and item[0] >= end:
            yield group
            group = []
        group.append(item)
        end = max(end, item[1])
    yield group


def _phases(one, start, rate, carrier_hz):
    """One integer phase per sample; continuous, and exact where a chip ends between two samples."""
    phases: list[int] = []
    at, phase = start, 0.0
    pieces, samples = _pieces(one), rate / one.chip_rate_cps
    if one.modulation == "2-GFSK":
        samples /= _GAUSS_STEPS
    turn = _TURN / rate
    steps: dict[float, float] = {}
    for piece in pieces:
        step = steps.get(piece)
        if step is None:
            step = steps[piece] = (carrier_hz + piece * one.deviation_hz) * turn
        end = at + samples
        first, count = math.ceil(at), math.ceil(end) - math.ceil(at)
        whole = round(step) or 1  # a range needs a step; 2^-32 turn per sample is nothing
        begin = int(phase + step * (first - at))
        phases.extend(range(begin, begin + whole * count, whole))
        phase = (phase + step * samples) % _TURN
        at = end
    return phases


def _pieces(one):
    """Frequency relative to the deviation: one value per chip, or _GAUSS_STEPS of them per chip."""
    if one.modulation == "2-FSK":
        return [1 if chip else -1 for chip in one.chips]
    if one.modulation != "2-GFSK":
        raise MisuseError("no renderer for modulation {}".format(one.modulation))
    chips = [1 if chip else -1 for chip in one.chips]
    padded = chips[:1] + chips + chips[-1:]
    shapes = {
        (before, now, after): _gauss(before, now, after)
        for before in (-1, 1)
        for now in (-1, 1)
        for after in (-1, 1)
    }
    pieces = []
    for triple in zip(padded, chips, padded[2:], strict=False):
        pieces += shapes[triple]
    return pieces


def _gauss(before, now, after):
    """The middle chip of three behind a Gaussian filter of BT 0.5 (its reach beyond one chip is below 1e-3)."""
    spread = math.pi * _GAUSS_BT * math.sqrt(2 / math.log(2))

    def edge(position):  # 0 -> 1 around an edge, position in chips
        return (1 + math.erf(spread * position)) / 2

    middles = [(step + 0.5) / _GAUSS_STEPS for step in range(_GAUSS_STEPS)]
    return [before + (now - before) * edge(x) + (after - now) * edge(x - 1) for x in middles]


def _wave(scale):
    """(cosine, sine) tables over one turn, in fine steps."""
    turn = range(_MASK + 1)
    angle = 2 * math.pi / (_MASK + 1)
    return (
        [round(_FINE * scale * math.cos(angle * n)) for n in turn],
        [round(_FINE * scale * math.sin(angle * n)) for n in turn],
    )


def _quantiser(sigma, peak, seed):
    """-> function (I, Q in fine steps) -> interleaved bytes with noise added, clipped as a converter clips."""
    source = random.Random(seed)
    noise = [round(source.gauss(0, _FINE * sigma)) for _ in range(1 << 16 if sigma else 0)]
    reach = math.ceil(_FINE * peak) + max(map(abs, noise), default=0) + 1
    level = [min(255, max(0, math.floor(128 + fine / _FINE))) for fine in range(-reach, reach + 1)]
    level = level[reach:] + level[:reach]  # a negative index counts from the end

    def rail(values):
        if not noise:
            return bytes([level[value] for value in values])
        out = bytearray()
        for begin in range(0, len(values), _BLOCK):
            at = source.randrange(len(noise) - _BLOCK)
            noisy = map(int.__add__, values[begin : begin + _BLOCK], noise[at : at + _BLOCK])
            out += bytes(map(level.__getitem__, noisy))
        return out

    def quantise(in_phase, quadrature):
        out = bytearray(2 * len(in_phase))
        out[0::2], out[1::2] = rail(in_phase), rail(quadrature)
        return bytes(out)

    return quantise


def _silence(samples, quantise):
    while samples > 0:
        nothing = [0] * min(samples, 1 << 16)
        yield quantise(nothing, nothing)
        samples -= len(nothing)
