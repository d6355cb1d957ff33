"""Viterbi decoder: nothing fits better than what it finds, and what the code can repair is repaired."""

import random
from array import array

import pytest
import support_burst_reference as ref
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy.burst import viterbi


def streams_of(text, kept=(0, 1, 2, 3), value=1):
    """Values of the outputs that are kept, 0 for bits of the others."""
    outputs, tails = ref.encode(text)
    return [
        array("b", [value if bit == "1" else -value for bit in outputs[j] + tails[j]]) if j in kept else None
        for j in range(4)
    ]


def disagreement(text, streams):
    """What the values say against this input."""
    total = 0
    for mine, theirs in zip(streams_of(text), streams, strict=True):
        if theirs is not None:
            total += sum(abs(b) for a, b in zip(mine, theirs, strict=True) if a * b < 0)
    return total


def text_of(found, n_bits):
    return ref.bits(found.hex())[:n_bits]


@pytest.mark.parametrize("strongest", (1, 7, 127))
@pytest.mark.parametrize("kept", ((0, 1, 2, 3), (0, 1), (1, 2), (2,), (0, 3)))
def test_nothing_fits_better(strongest, kept):
    """Random values, some of them 0, against all 256 inputs of eight bits."""
    rng = random.Random(repr((strongest, kept)))
    for _ in range(4):
        streams = [
            array("b", [rng.randint(-strongest, strongest) for _ in range(14)]) if j in kept else None
            for j in range(4)
        ]
        found = text_of(viterbi.decode(streams, 8), 8)
        best = min(disagreement(format(i, "08b"), streams) for i in range(256))
        assert disagreement(found, streams) == best


def test_every_length_and_every_output_alone():
    rng = random.Random(2)
    for n_bits in list(range(1, 60)) + [2035, 2040, 2044]:
        text = "".join(rng.choice("01") for _ in range(n_bits))
        for kept in ((0,), (1,), (2,), (0, 1, 2)) if n_bits < 60 else ((2,), (0, 1, 2, 3)):
            found = viterbi.decode(streams_of(text, kept), n_bits)
            assert len(found) == (n_bits + 7) // 8
            assert text_of(found, n_bits) == text


def test_strong_values_of_the_longest_frame():
    """The metrics do not run over: full strength, and as many errors as leave no doubt."""
    rng = random.Random(3)
    text = "".join(rng.choice("01") for _ in range(2040))
    streams = streams_of(text, value=127)
    for j in range(4):
        for k in range(j, 2046, 20):
            streams[j][k] = -streams[j][k]
    assert text_of(viterbi.decode(streams, 2040), 2040) == text
    noise = [array("b", [rng.choice((-127, 127)) for _ in range(2046)]) for _ in range(4)]
    found = text_of(viterbi.decode(noise, 2040), 2040)
    assert disagreement(found, noise) <= disagreement(text, noise)


def test_soft_values_are_worth_more():
    """Two weak wrong values against one strong right one."""
    rng = random.Random(4)
    text = "".join(rng.choice("01") for _ in range(80))
    streams = streams_of(text, (0, 1), value=20)
    for k in range(0, 86, 4):
        for j in (0, 1):
            streams[j][k] = -3 if streams[j][k] > 0 else 3
    assert text_of(viterbi.decode(streams, 80), 80) == text
    hard = [array("b", [1 if v > 0 else -1 for v in values]) if values else None for values in streams]
    assert text_of(viterbi.decode(hard, 80), 80) != text


def test_nothing_received_is_no_error():
    assert viterbi.decode([None, None, None, None], 16) is not None
    assert len(viterbi.decode([array("b", bytes(22)), None, None, None], 16)) == 2


def test_misuse():
    for streams in (
        [array("b", bytes(21)), None, None, None],
        [[0] * 21 + [128], None, None, None],
        [[0] * 21 + [-128], None, None, None],
    ):
        with pytest.raises(MisuseError):
            viterbi.decode(streams, 16)
