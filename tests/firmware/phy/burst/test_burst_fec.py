"""Convolutional code, interleaver, precoding and lengths against Annex Q's vectors (Appendix Q.Z) and a plain copy of
the clauses."""

import random

import pytest
import support_burst_reference as ref
from omsnode.firmware.phy.burst import fec, interleaver, precoding

# Vector Q.Z.1.
INPUT = "11000000110111101111111011101101000"
PARITIES = (
    "11000000110111101111111011101101000",
    "10001110100000011001111001111101100",
    "10110110110101010100101010101100011",
    "11110101110011100001000111111001110",
)
TAILS = ("111000", "101000", "001000", "111000")
PUNCTURED = ("11101", "11000", "11010")

# Vectors Q.Z.2, Q.Z.3: coded payload, data.
INTERLEAVED = (
    ("0101011000110000110100000011110010010110", "0011010100000100000101101010011010011101"),
    (
        "10110011110000010001001001110001001101000001101001001101000011001110011101010010",
        "10100100011101110100111101000000000000000011110010000001110101110111110100100010",
    ),
)

# Sheet 4 (Table Q.E.1): multi, type, L_D for L_P = 5, 15, 255.
LENGTHS = ((0, 0, (7, 19, 293)), (0, 1, (11, 31, 511)), (0, 2, (17, 47, 767)), (1, 0, (7, 19, 293)))


def as_text(bodies, tails, n):
    return [format(body, "0{}b".format(n)) for body in bodies], [format(tail, "06b") for tail in tails]


def test_vector_of_the_encoder():
    """35 bits: five zeros in front leave the state 0, and they come out as zeros."""
    bodies, tails = as_text(*fec.encode(ref.packed("00000" + INPUT)), 40)
    assert bodies == ["00000" + parity for parity in PARITIES]
    assert tuple(tails) == TAILS


def test_vector_of_the_puncturing():
    """40 bits cannot be cut at 35; the masks of the annex are those of the plain copy that follows."""
    assert tuple(PARITIES[3][phase::7] for phase in range(3)) == PUNCTURED
    outputs, _ = ref.encode(INPUT)
    assert tuple(outputs) == PARITIES


@pytest.mark.parametrize("coded, data", INTERLEAVED)
def test_vectors_of_the_interleaver(coded, data):
    assert interleaver.interleave(ref.packed(coded)) == ref.packed(data)
    assert interleaver.deinterleave(ref.packed(data)) == ref.packed(coded)
    assert interleaver.deinterleave(ref.packed(data), 2) == ref.packed(coded[:16])


def test_encoder_against_the_clause():
    rng = random.Random(7)
    for n_bytes in (1, 2, 5, 17, 255):
        for padding in range(7):
            data = rng.randbytes(n_bytes)
            text = ref.bits(data.hex()) + "0" * padding
            assert as_text(*fec.encode(data, padding), len(text)) == ref.encode(text)


@pytest.mark.parametrize("multi, burst_type, expected", LENGTHS)
def test_lengths(multi, burst_type, expected):
    for layout in fec.layouts(multi, burst_type):
        assert tuple(fec.coded_bytes(layout, length) for length in (5, 15, 255)) == expected


@pytest.mark.parametrize("multi, burst_type", [row[:2] for row in LENGTHS])
def test_every_length_and_back(multi, burst_type):
    """L_D of every L_P by the formula of the sheet; no other L_D belongs to a payload."""
    layout = fec.layouts(multi, burst_type)[0]
    formula = [lambda n: -(-8 * n // 7) + 1, lambda n: 2 * n + 1, lambda n: 3 * n + 2][burst_type]
    expected = {formula(length): length for length in range(5, 256)}
    assert len(expected) == 251
    for n_coded in range(800):
        assert fec.payload_bytes(layout, n_coded) == expected.get(n_coded)
    for n_coded, length in expected.items():
        assert fec.coded_bytes(layout, length) == n_coded


def test_interleaver_is_a_permutation_at_every_legal_length():
    rng = random.Random(8)
    lengths = {
        fec.coded_bytes(layout, length)
        for kind in range(3)
        for layout in fec.layouts(0, kind)
        for length in range(5, 256)
    }
    for n_bytes in lengths:
        at = interleaver.positions(8 * n_bytes)
        found = [next(at) for _ in range(8 * n_bytes)]
        assert found == [188527 * i % (8 * n_bytes) for i in range(8 * n_bytes)]
        assert len(set(found)) == 8 * n_bytes
    for n_bytes in sorted(lengths)[::40]:
        data = rng.randbytes(n_bytes)
        mixed = interleaver.interleave(data)
        assert mixed == ref.packed(ref.interleave(ref.bits(data.hex())))
        assert interleaver.deinterleave(mixed) == data


def test_precoding():
    """Start of the burst, and the midamble behind a 1 and a 0 (sheet 3)."""
    assert precoding.precode(bytes.fromhex("666666668153884C")).hex() == "55555555c1fa4c6a"
    midamble = bytes.fromhex(ref.MIDAMBLE)
    assert precoding.precode(midamble).hex() == "b0e563c8b0e563c8b0e563c8"
    assert precoding.precode(midamble, 1).hex() == "30e563c8b0e563c8b0e563c8"
    rng = random.Random(9)
    for n_bytes in (1, 2, 7, 16, 17, 384):
        data = rng.randbytes(n_bytes)
        for before in (0, 1):
            assert precoding.unprecode(precoding.precode(data, before), before) == data
    # One wrong chip inverts the rest.
    assert precoding.unprecode(bytes.fromhex("0010"), 0).hex() == "001f"
