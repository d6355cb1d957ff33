"""Viterbi decoder of the burst mode's code (LPWAN sheet 5): 64 states, from 0 to 0, hard and soft values, erasures.

All 64 path metrics stand in one long integer, 16 bits each, and take a step together in some twenty operations: on
either interpreter that is many times quicker than a loop over the states.

A step forgets the oldest of a state's six register bits and takes in a new one, which gets the place of the old one in
the number of the lane. So the lane of a state is its bits turned by one place more with every step, both predecessors
of a state stand where it and its sister will stand, and after six steps all is as it was.
"""

from ...errors import MisuseError
from .fec import OUTPUTS, TAIL

STRONGEST = 127  # a certain bit; no value may be larger

_BITS = 16
_BYTES = 64 * _BITS // 8
_MASK = (1 << _BITS) - 1
# The metrics of two states differ by six steps of four values at most. Every 16 steps the level is put back, so they
# stay below 2^15. At the start all states but 0 are out of the race.
_SPREAD = 6 * 4 * STRONGEST
_OUT = _SPREAD + 1000


def _lanes(values):
    return int.from_bytes(b"".join([value.to_bytes(_BITS // 8, "little") for value in values]), "little")


_ONES = _lanes([1] * 64)
_TOPS = _ONES << (_BITS - 1)


def _turned(turn):
    """A step in which the oldest and the newest bit are bit `turn` of the lane: distance of sisters, lanes in which that
    bit is 0, and for each output the lanes to which the branch with an oldest bit of 0 gives a 1."""
    outputs = bytearray(64)
    for lane in range(64):
        cells = (lane >> turn & 1) << 6
        for i in range(1, 6):
            cells |= (lane >> (turn + i) % 6 & 1) << i
        outputs[lane] = OUTPUTS[cells]
    first = _lanes([0 if lane >> turn & 1 else _MASK for lane in range(64)])
    return _BITS << turn, first, [_lanes([output >> j & 1 for output in outputs]) for j in range(4)]


_TURNS = tuple([_turned(turn) for turn in range(6)])


def decode(streams, n_bits):
    """The bits (packed, n_bits of them) that fit best to what was received.

    streams: for each output 0..3 the n_bits + 6 values (array of signed bytes, or list): positive for 1, negative for 0,
    0 for not received, STRONGEST at most; or None if nothing of it was received.
    """
    n_steps = n_bits + TAIL
    for values in streams:
        if values is not None and (
            len(values) != n_steps or max(values) > STRONGEST or min(values) < -STRONGEST
        ):
            raise MisuseError("{} values for {} steps, or too large".format(len(values), n_steps))
    cells = _backward(_forward(streams, n_steps), n_steps)
    # The input is the sum of four cells of the register (feedback and new bit).
    bits = int.from_bytes(cells, "big")
    bits ^= bits >> 3 ^ bits >> 4 ^ bits >> 6
    n_bytes = (n_bits + 7) >> 3
    return (bits >> (8 * (len(cells) - n_bytes))).to_bytes(n_bytes, "big")


def _forward(streams, n_steps):
    """The decisions: for each 16 steps 128 bytes, in each lane one bit for each step, the last one lowest."""
    ones, tops = _ONES, _TOPS
    metrics = ones * _OUT - _OUT
    present = [j for j in range(4) if streams[j] is not None]
    turns = [
        (distance, first, [(costs[j], streams[j]) for j in present]) for distance, first, costs in _TURNS
    ]
    history = [b""] * ((n_steps + 15) >> 4)
    decisions = 0
    turn = 0
    for k in range(n_steps):
        distance, first, received = turns[turn]
        turn = turn + 1 if turn < 5 else 0
        # `cost`: of coming from the first sister, whose oldest bit is 0. That bit inverts every output, so to come from
        # the other one costs `total` less that.
        gain = above = total = 0
        for gives_one, values in received:
            value = values[k]
            if value:
                gain += gives_one * value
                if value > 0:
                    above += value
                total += abs(value)
        cost = ones * above - gain
        even = metrics & first
        odd = metrics >> distance & first
        even = (even | even << distance) + cost
        odd = (odd | odd << distance) + (ones * total - cost)
        choice = ((even | tops) - odd) & tops  # where odd is not worse
        decisions = decisions << 1 | choice >> (_BITS - 1)
        metrics = even ^ ((even ^ odd) & (choice - (choice >> (_BITS - 1))))
        if k & 15 == 15:
            history[k >> 4] = decisions.to_bytes(_BYTES, "little")
            decisions = 0
            level = (metrics & _MASK) - _SPREAD
            if level > 0:
                metrics -= ones * level
    if n_steps & 15:
        history[n_steps >> 4] = decisions.to_bytes(_BYTES, "little")
    return history


def _backward(history, n_steps):
    """The bits that went into the register, packed, on the best way to state 0."""
    cells = bytearray((n_steps + 7) >> 3)
    lane = 0
    turn = (n_steps - 1) % 6
    for k in range(n_steps - 1, -1, -1):
        age = min(k | 15, n_steps - 1) - k
        cell = lane >> turn & 1
        if cell:
            cells[k >> 3] |= 0x80 >> (k & 7)
        oldest = history[k >> 4][lane << 1 | age >> 3] >> (age & 7) & 1
        if cell != oldest:
            lane ^= 1 << turn
        turn = turn - 1 if turn else 5
    return cells
