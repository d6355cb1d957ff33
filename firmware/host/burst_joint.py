"""Uplink bursts from hard chips: the precoder and the code are decoded together, in turns (numpy).

The precoder is an inner code of two states, the RSC code an outer one of 64; both are walked forward and backward, and each
tells the other what it found out about every bit of the coded payload, through the interleaver (annex Q.2.4.5, sheet
section 23). What is walked at once is a batch: columns that differ in the chip error rate they assume, in the indices of the
bursts, and in what they assume of single bits. All of it is in probabilities, not in logarithms: there a step is a
multiplication and an addition.

What the sheet's decoder leaves undecided is mostly a chain that never gets hold of anything: data B has no end that is known,
and far from the known bits the accumulated chips say nothing. So single bits of the chains are assumed in every combination
("pins"): one combination is right, and there the code sets in everywhere at once.

Log-ratios are ln(P(0)/P(1)).
"""

import numpy as np

CLIP = 30.0
_SURE = 60.0
_MEMORY = 6
_STATES = 64
# Taps of D^1..D^5; D^0 and D^6 are in all four generators, so a branch sends either a word or its complement.
_TAPS = ((3, 4), (1, 2, 5), (1, 4, 5), (2, 3, 4))
_STEP = 188527
_NORMAL = 4  # steps between two normalisations


# What the four streams send out of a state with the middle part m = a(k-1)..a(k-5) (a(k-1) is its lowest bit), if a(k) and
# a(k-6) are equal: +1 is a 0.
_WORDS = np.array([[1.0 - 2 * (sum(m >> t - 1 & 1 for t in taps) & 1) for taps in _TAPS] for m in range(32)])
_REVERSED = np.array([int("{:05b}".format(m)[::-1], 2) for m in range(32)])
_STATE_REVERSED = np.array([int("{:06b}".format(m)[::-1], 2) for m in range(64)])
# Sums over branches (m, word or complement) that send a 0, and those that send a 1, for each of the four streams.
_SUMS = np.stack(
    [(np.stack([_WORDS[:, j], -_WORDS[:, j]], 1).reshape(64) == sign) for j in range(4) for sign in (1, -1)]
).astype(float)


def outer(values):
    """Both ways through the RSC code, from state 0 to state 0.

    values: log-ratios (4 streams, steps, columns). Returns log-ratios of the same shape, of everything known (not only new)."""
    _, steps, columns = values.shape
    half = np.einsum("mj,jkn->kmn", _WORDS, values) / 2
    best = np.abs(half).max(axis=1, keepdims=True)  # no branch is above 1
    word, complement = np.exp(half - best), np.exp(-half - best)
    # Entry a + s6 of the three is the branch of the bit a out of a state whose oldest bit is s6.
    weights = np.empty((steps, 32, 3, 2, columns))
    weights[:, :, 0, 0] = weights[:, :, 2, 0] = word
    weights[:, :, 1, 0] = complement
    weights[:, :, 0, 1] = weights[:, :, 2, 1] = word[::-1, _REVERSED]
    weights[:, :, 1, 1] = complement[::-1, _REVERSED]
    weights = weights.reshape(steps, 32, 3, 2 * columns)
    a, b, c, d = weights.strides
    branches = np.lib.stride_tricks.as_strided(
        weights, (steps, 2, 32, 2, 2 * columns), (a, c, b, c, d), writeable=False
    )
    walk = np.zeros((steps + 1, _STATES, 2 * columns))
    walk[0, 0] = 1
    product = np.empty((2, 32, 2, 2 * columns))
    ahead = walk.reshape(steps + 1, 32, 2, 2 * columns)
    here = walk.reshape(steps + 1, 2, 32, 1, 2 * columns)
    for k in range(steps):
        np.multiply(here[k], branches[k], out=product)
        np.add(product[0], product[1], out=ahead[k + 1])
        if k % _NORMAL == _NORMAL - 1:
            walk[k + 1] /= walk[k + 1].max(axis=0) + 1e-290
    forward = walk[:-1, :, :columns].reshape(steps, 2, 32, columns)
    backward = walk[-2::-1, :, columns:][:, _STATE_REVERSED].reshape(steps, 32, 2, columns)
    both = np.empty((steps, 32, 2, columns))
    both[:, :, 0] = (forward[:, 0] * backward[:, :, 0] + forward[:, 1] * backward[:, :, 1]) * word
    both[:, :, 1] = (forward[:, 0] * backward[:, :, 1] + forward[:, 1] * backward[:, :, 0]) * complement
    sums = np.maximum(_SUMS @ both.reshape(steps, 64, columns), 1e-280)
    return np.log(sums[:, ::2] / sums[:, 1::2]).transpose(1, 0, 2)


def inner(values, ratio, end):
    """Both ways through the precoder, whose state here is: is the accumulated chip inverted?

    values: log-ratios of "not inverted" (positions, sections, columns), as the code knows them. ratio: e / (1 - e) of each
    column. end: log-ratio of "not inverted" behind the last position (sections, columns). Before the first it is not
    inverted. Returns log-ratios of the same shape, of what the chips add."""
    length, sections, columns = values.shape
    weights = np.exp(values)
    walk = np.empty((length, 2, sections, columns))
    walk[0, 0] = 1 / ratio
    walk[0, 1] = np.exp(end)
    for n in range(1, length):
        last, t = walk[n - 1], walk[n]
        np.multiply(last[0], weights[n - 1], out=t[0])
        np.multiply(last[1], weights[length - n], out=t[1])
        u = t * ratio
        u += 1
        t += ratio
        t /= u
    return np.log(walk[:, 0]) + np.log(walk[::-1, 1])


def layout(payload_bytes, multi, burst_type):
    """Where each bit of a data field stands in the code, Q.2.4.5.2.

    Returns (steps of the code, an array for each burst): stream * steps + step of each position of its data field, or the
    last number of all + 1 for one of the zero bits behind a tail."""
    body = 8 * payload_bytes
    if multi or burst_type == 0:
        body += -body % 7
    steps = body + _MEMORY
    parity = [np.arange(stream * steps, stream * steps + body) for stream in range(3)]
    tail = [np.arange(stream * steps + body, stream * steps + steps) for stream in range(3)]
    third = [np.arange(3 * steps + first, 3 * steps + body, 7) for first in range(3)]
    zeros = np.full(2, 4 * steps)
    if multi:
        coded = [[parity[j], third[j], tail[j], zeros] for j in range(3)]
    elif burst_type == 0:
        coded = [[parity[0], third[0], tail[0], zeros]]
    elif burst_type == 1:
        coded = [[parity[0], parity[1], tail[1], zeros]]
    else:
        coded = [[parity[0], parity[1], tail[1], zeros, parity[2], tail[2], zeros]]
    fields = []
    for parts in coded:
        places = np.concatenate(parts)
        field = np.empty_like(places)
        field[_STEP * np.arange(len(places)) % len(places)] = places
        fields.append(field)
    return steps, fields


class Chains:
    """The bursts that were received of one frame: each is two chains of accumulated chips, data A and data B.

    payload_bytes, multi, burst_type: of the header. bursts: of each (data A, first chip of the midamble, data B, bit before
    data A, bit before data B), chips and bits as arrays of 0 and 1."""

    def __init__(self, payload_bytes, multi, burst_type, bursts):
        self.payload_bits = 8 * payload_bytes
        self.steps, self.fields = layout(payload_bytes, multi, burst_type)
        self.lengths = [len(chips) for a, _, b, *_ in bursts for chips in (a, b)]
        bits = np.zeros((max(self.lengths), len(self.lengths)), np.int8)
        self.ends = np.zeros(
            (len(self.lengths), 1)
        )  # of each chain: does its end say +1 "not inverted", -1, or 0 nothing
        for i, (a, middle, b, before_a, before_b) in enumerate(bursts):
            bits[: len(a), 2 * i] = (np.cumsum(a) + before_a) & 1
            bits[: len(b), 2 * i + 1] = (np.cumsum(b) + before_b) & 1
            self.ends[2 * i] = (
                1 if middle != bits[len(a) - 1, 2 * i] else -1
            )  # it begins with NOT the last bit
        self.signs = 1.0 - 2 * bits

    def places(self, pins):
        """[(position, chain)] where so many bits are best assumed: evenly, the open end of a data B among the first."""
        share = [0] * len(self.lengths)
        for _ in range(pins):
            gaps = [
                length / (count + 1 if chain % 2 == 0 else count or 0.5)
                for chain, (length, count) in enumerate(zip(self.lengths, share, strict=True))
            ]
            share[gaps.index(max(gaps))] += 1
        return [
            (length * (i + 1) // (count + (chain % 2 == 0)) - 1, chain)
            for chain, (length, count) in enumerate(zip(self.lengths, share, strict=True))
            for i in range(count)
        ]

    def rounds(self, columns, count):
        """Decode at once what `columns` assume; after each of at most `count` rounds yield the payloads (columns, bytes).

        columns: of each (chip error rate, index 0..2 of each burst, {(position, chain): "not inverted" there is +1 or -1})."""
        ratio = np.array([e / (1 - e) for e, _, _ in columns])
        end = self.ends * -np.log(ratio)
        pins = np.zeros((*self.signs.shape, len(columns)))
        for column, (_, _, assumed) in enumerate(columns):
            for place, sign in assumed.items():
                pins[(*place, column)] = sign * _SURE
        groups = {}
        for column, (_, indices, _) in enumerate(columns):
            groups.setdefault(tuple(indices), []).append(column)
        # The code's own knowledge: the padding of rate 7/8 and the bits behind a tail are 0.
        sure = np.zeros((4, self.steps, 1), bool)
        sure[0, self.payload_bits : self.steps - _MEMORY] = True
        known = np.zeros((4 * self.steps + 1, len(columns)))
        known[np.append(sure, True)] = CLIP
        for _ in range(count):
            prior = pins.copy()
            for chain, positions, places, group in self._crossing(groups):
                prior[positions, chain, group] += known[places, group] * self.signs[positions, chain]
            told = np.clip(inner(prior, ratio, end) * self.signs[:, :, None], -CLIP, CLIP)
            values = np.zeros_like(known)
            for chain, positions, places, group in self._crossing(groups):
                values[places, group] = told[positions, chain, group]
            values = np.where(sure, _SURE, values[:-1].reshape(4, self.steps, -1))
            total = outer(values)
            yield np.packbits(total[0, : self.payload_bits].T < 0, axis=1)
            new = np.where(sure, CLIP, np.clip(total - values, -CLIP, CLIP))
            known[:-1] = new.reshape(4 * self.steps, -1)

    def _crossing(self, groups):
        """(chain, its positions, their places in the code, columns) for all chains: the way through the interleavers."""
        for indices, group in groups.items():
            for i, index in enumerate(indices):
                a, b = self.lengths[2 * i : 2 * i + 2]
                field = self.fields[index]
                yield 2 * i, np.arange(a)[:, None], field[:a, None], np.array(group)
                yield 2 * i + 1, np.arange(b)[:, None], field[a : a + b, None], np.array(group)
