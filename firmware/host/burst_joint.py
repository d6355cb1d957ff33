"""Uplink bursts from hard chips: the precoder and the code are decoded together, in turns (numpy).

The precoder is an inner code of two states, the RSC code an outer one of 64; both are walked forward and backward, and each
tells the other what it found out about every bit of the coded payload, through the interleaver (annex Q.2.4.5, LPWAN sheet
23). What is walked at once is a batch: columns that differ in the chip error rate they assume, in the indices of the
bursts, and in what they assume of single bits. All of it is in probabilities, not in logarithms: there a step is a
multiplication and an addition.

What this leaves undecided is mostly a chain that never gets hold of anything: data B has no end that is known, and far from
the known bits accumulated chips say nothing. So single bits of the chains are assumed in every combination ("pins"): one
combination is right, and there the code sets in everywhere at once.

Log-ratios are ln(P(0)/P(1)).
"""

import numpy as np

from ..phy.burst import burst as bursts_
from ..phy.burst import fec
from ..phy.burst.interleaver import FACTOR

# Log-ratios are kept so small that float32 holds what remains of a branch after two steps.
SURE = 12.0
_PIN = 30.0
_TINY = np.float32(1e-37)
_STEPS = 32  # in one piece, so that the branches stay in the cache
# Taps of D^1..D^5; D^0 and D^6 are in all four generators, so a branch sends either a word or its complement.
_TAPS = ((3, 4), (1, 2, 5), (1, 4, 5), (2, 3, 4))
# What the four streams send out of a state with the middle part m = a(k-1)..a(k-5) (a(k-1) is its lowest bit), if a(k) and
# a(k-6) are equal: +1 is a 0.
_WORDS = np.array([[1 - 2 * (sum(m >> t - 1 & 1 for t in taps) & 1) for taps in _TAPS] for m in range(32)])
# There are 16 of them, the last eight are complements of the first.
_HALF = np.array([[1, *(1 - 2 * (word >> j & 1) for j in range(3))] for word in range(8)], np.float32)
_KIND = np.array([int(np.argmax(np.abs(_HALF @ word))) + (8 if word[0] < 0 else 0) for word in _WORDS])
_OTHER = (_KIND + 8) % 16
_BACK = np.array([int("{:05b}".format(m)[::-1], 2) for m in range(32)])
_STATE_BACK = np.array([int("{:06b}".format(state)[::-1], 2) for state in range(64)])
# Branches (m, word or complement) that send a 0, and those that send a 1, for each of the four streams.
_SUMS = np.array(
    [
        np.stack([_WORDS[:, j] == sign, _WORDS[:, j] == -sign], 1).ravel()
        for j in range(4)
        for sign in (1, -1)
    ],
    np.float32,
)


def outer(values):
    """Both ways through the RSC code, from state 0 to state 0.

    values: log-ratios (4 streams, steps, columns), none beyond SURE. Returns log-ratios of the same shape, of all that is
    known now."""
    _, steps, columns = values.shape
    level = np.einsum("wj,jkn->kwn", _HALF, values.astype(np.float32)) / 2
    best = np.abs(level).max(axis=1, keepdims=True)  # no branch is above 1
    branch = np.concatenate([np.exp(level - best), np.exp(-level - best)], axis=1)

    # Forward and backward at once: backward, with the bits of a state in reverse, it is the same walk.
    walk = np.empty((steps + 1, 64, 2 * columns), np.float32)
    walk[0] = 0
    walk[0, 0] = 1
    here = walk.reshape(steps + 1, 2, 32, 1, 2 * columns)
    ahead = walk.reshape(steps + 1, 32, 2, 2 * columns)
    # Entry a + s of three is the branch of the bit a out of a state whose oldest bit is s.
    three = np.empty((_STEPS, 32, 3, 2 * columns), np.float32)
    step, m, entry, column = three.strides
    four = np.lib.stride_tricks.as_strided(
        three, (_STEPS, 2, 32, 2, 2 * columns), (step, entry, m, entry, column), writeable=False
    )
    product = np.empty((2, 32, 2, 2 * columns), np.float32)
    for first in range(0, steps, _STEPS):
        n = min(_STEPS, steps - first)
        there, back = branch[first : first + n], branch[::-1][first : first + n]
        three[:n, :, 0, :columns] = there[:, _KIND]
        three[:n, :, 1, :columns] = there[:, _OTHER]
        three[:n, :, 0, columns:] = back[:, _KIND[_BACK]]
        three[:n, :, 1, columns:] = back[:, _OTHER[_BACK]]
        three[:n, :, 2] = three[:n, :, 0]
        for k in range(n):
            np.multiply(here[first + k], four[k], out=product)
            np.add(product[0], product[1], out=ahead[first + k + 1])
            if k & 1:
                walk[first + k + 1] /= walk[first + k + 1].max(axis=0) + _TINY

    sums = np.empty((steps, 8, columns), np.float32)
    both = np.empty((_STEPS, 32, 2, columns), np.float32)
    backward = walk[-2::-1]
    for first in range(0, steps, _STEPS):
        piece = slice(first, min(first + _STEPS, steps))
        n = piece.stop - first
        f = walk[piece, :, :columns].reshape(n, 2, 32, columns)
        b = backward[piece, :, columns:][:, _STATE_BACK].reshape(n, 32, 2, columns)
        both[:n, :, 0] = (f[:, 0] * b[:, :, 0] + f[:, 1] * b[:, :, 1]) * branch[piece, _KIND]
        both[:n, :, 1] = (f[:, 0] * b[:, :, 1] + f[:, 1] * b[:, :, 0]) * branch[piece, _OTHER]
        np.matmul(_SUMS, both[:n].reshape(n, 64, columns), out=sums[piece])
    np.maximum(sums, _TINY, out=sums)
    return np.log(sums[:, ::2] / sums[:, 1::2]).transpose(1, 0, 2)


def inner(values, ratio, end):
    """Both ways through the precoder, whose state here is: are the accumulated chips inverted?

    values: log-ratios of "not inverted" (positions, chains, columns), as the code knows them. ratio: e / (1 - e) of each
    column. end: log-ratio of "not inverted" behind the last position (chains, columns). Before the first it is not
    inverted. Returns log-ratios of the same shape, of what the chips add."""
    length, chains, columns = values.shape
    weights = np.exp(values)
    walk = np.empty((length, 2, chains, columns))
    walk[0, 0] = 1 / ratio
    walk[0, 1] = np.exp(end)
    for n in range(1, length):
        t = walk[n]
        np.multiply(walk[n - 1, 0], weights[n - 1], out=t[0])
        np.multiply(walk[n - 1, 1], weights[length - n], out=t[1])
        u = t * ratio
        u += 1
        t += ratio
        t /= u
    return np.log(walk[:, 0]) + np.log(walk[::-1, 1])


def places(header):
    """Where each bit of a data field stands in the code, Q.2.4.5.2 and Q.2.4.5.3.

    Returns (steps of the code, an array for each burst of the frame): stream * steps + step for each position of the data
    field; 4 * steps is one of the zero bits behind a tail."""
    rows = fec.layouts(header.multi, header.type)
    body = 8 * header.length + fec.padding(rows[0], header.length)
    steps = body + fec.TAIL
    fields = []
    for row in rows:
        coded = np.concatenate([_places(field, body, steps) for field in row])
        field = np.empty_like(coded)
        field[FACTOR * np.arange(len(coded)) % len(coded)] = coded
        fields.append(field)
    return steps, fields


def _places(field, body, steps):
    kind = field[0]
    if kind == "z":
        return np.full(2, 4 * steps)
    digit = int(field[1])
    if kind == "p":
        return np.arange(3 * steps + digit, 3 * steps + body, 7)
    first = digit * steps
    return np.arange(first, first + body) if kind == "c" else np.arange(first + body, first + steps)


class Chains:
    """The bursts that were received of one frame: each is two chains of accumulated chips, data A and data B.

    header: phy.burst.header.Header. frames: of each burst the packed chips behind the sync. LengthError if one is not as long
    as the header says."""

    def __init__(self, header, frames):
        self.payload_bits = 8 * header.length
        self.steps, self.fields = places(header)
        data_bits = len(self.fields[0])
        n_b = data_bits // 16 * 8
        self.lengths = [data_bits - n_b, n_b] * len(frames)
        bits = np.zeros((data_bits - n_b, 2 * len(frames)), np.int8)
        self.ends = np.zeros(
            (2 * len(frames), 1)
        )  # +1: the end of this chain says "not inverted", 0: it says nothing
        for i, frame in enumerate(frames):
            parts = bursts_.split(frame, "up")
            data = np.unpackbits(np.frombuffer(bursts_.data(parts, header), np.uint8))
            bits[:, 2 * i] = data[: data_bits - n_b]
            bits[:n_b, 2 * i + 1] = data[data_bits - n_b :]
            # The first chip of the midamble is the complement of the bit before it.
            self.ends[2 * i] = 1 if parts.midamble[0] >> 7 != bits[-1, 2 * i] else -1
        self.signs = 1.0 - 2 * bits

    def pins(self, count):
        """[(position, chain)] where so many bits are best assumed: evenly, the open end of a data B among the first."""
        share = [0] * len(self.lengths)
        for _ in range(count):
            gaps = [
                length / (n + 1 if chain % 2 == 0 else n or 0.5)
                for chain, (length, n) in enumerate(zip(self.lengths, share, strict=True))
            ]
            share[gaps.index(max(gaps))] += 1
        return [
            (length * (i + 1) // (n + (chain % 2 == 0)) - 1, chain)
            for chain, (length, n) in enumerate(zip(self.lengths, share, strict=True))
            for i in range(n)
        ]

    def rounds(self, columns, count):
        """Decode at once what `columns` assume; after each of at most `count` rounds yield the payloads (columns, bytes).

        columns: of each (chip error rate, index 0..2 of each burst, {(position, chain): +1 "not inverted" or -1})."""
        ratio = np.array([e / (1 - e) for e, _, _ in columns])
        end = self.ends * -np.log(ratio)
        pins = np.zeros((*self.signs.shape, len(columns)))
        for column, (_, _, assumed) in enumerate(columns):
            for place, sign in assumed.items():
                pins[(*place, column)] = sign * _PIN
        crossings = list(self._crossings(columns))
        # What the code knows by itself: the padding of rate 7/8 and the bits behind a tail are 0.
        sure = np.zeros((4, self.steps, 1), bool)
        sure[0, self.payload_bits : self.steps - fec.TAIL] = True
        known = np.zeros((4 * self.steps + 1, len(columns)))
        known[np.append(sure, True)] = SURE
        for _ in range(count):
            prior = pins.copy()
            for crossing, chain, place in crossings:
                prior[chain] += known[place] * crossing
            told = np.clip(inner(prior, ratio, end) * self.signs[:, :, None], -SURE, SURE)
            values = np.zeros_like(known)
            for _, chain, place in crossings:
                values[place] = told[chain]
            values = np.where(sure, SURE, values[:-1].reshape(4, self.steps, -1))
            total = outer(values)
            yield np.packbits(total[0, : self.payload_bits].T < 0, axis=1)
            new = np.where(sure, SURE, np.clip(total - values, -SURE, SURE))
            known[:-1] = new.reshape(4 * self.steps, -1)

    def _crossings(self, columns):
        """(signs, index of a chain's bits, index of the same bits in the code) of each chain and each order of the bursts:
        the ways through the interleavers."""
        groups: dict[tuple, list] = {}
        for column, (_, indices, _) in enumerate(columns):
            groups.setdefault(tuple(indices), []).append(column)
        for indices, group in groups.items():
            for chain, length in enumerate(self.lengths):
                field = self.fields[indices[chain // 2]]
                field = field[self.lengths[0] :] if chain & 1 else field[:length]
                yield (
                    self.signs[:length, chain, None],
                    (np.arange(length)[:, None], chain, np.array(group)),
                    (field[:, None], np.array(group)),
                )
