"""From data fields to the payload: every subset of bursts, wrong and soft values, and what gets lost at which rate of
wrong chips. OMSNODE_SOAK=1: 1,000 frames per point."""

import os
import random
from array import array

import pytest
import support_burst_reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import LengthError, MisuseError
from omsnode.firmware.phy.burst import decode, viterbi
from omsnode.firmware.phy.burst.header import Header
from support_burst_air import flip, worsen

SOAK = bool(os.environ.get("OMSNODE_SOAK"))

# Vector Q.Z.7 (uplink-multi): payload and the data fields of its three bursts.
PAYLOAD = bytes.fromhex("401A02A73D785634121503ACB46271")
FIELDS = (
    "22500904966F2114F90204FC23AC1E76106312",
    "03715E9B88076A4C69198C677B2AF679A6A7AF",
    "1E34C4CD5BBBC31A4ED91F1A6615D77BCA7B94",
)

SUBSETS = ((1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3))

# Sheet 23: payload bytes, type, rate of wrong chips at which 10 % of the frames are lost.
TEN_PERCENT = (
    (15, 0, 0.005), (15, 1, 0.059), (15, 2, 0.107), (255, 0, 0.0004), (255, 1, 0.034), (255, 2, 0.07),
)  # fmt: skip


def fields_of(payload, multi, burst_type):
    return [ref.packed(ref.interleave(one)) for one in ref.coded_payloads(payload, multi, burst_type)]


def soft(data, strength=10):
    return array("b", [strength if bit == "1" else -strength for bit in ref.bits(data.hex())])


@pytest.mark.parametrize("known", (True, False))
@pytest.mark.parametrize("subset", SUBSETS)
def test_every_subset_of_the_vector(subset, known):
    bursts = [(index if known else None, bytes.fromhex(FIELDS[index - 1])) for index in subset]
    head = Header(15, 37, 1, 1)
    assert decode.payload(head, bursts, lambda found: found == PAYLOAD) == PAYLOAD
    bursts = [(index, soft(data)) for index, data in bursts]
    assert decode.payload(head, bursts, lambda found: found == PAYLOAD) == PAYLOAD


@settings(max_examples=80)
@given(
    subset=st.sampled_from(SUBSETS),
    known=st.booleans(),
    length=st.integers(5, 255),
    seed=st.integers(0, 1 << 30),
)
def test_every_subset_of_any_frame(subset, known, length, seed):
    payload = random.Random(seed).randbytes(length)
    fields = fields_of(payload, 1, 0)
    bursts = [(index if known else None, fields[index - 1]) for index in subset]
    assert decode.payload(Header(length, 0, 1, 0), bursts, lambda found: found == payload) == payload


@settings(max_examples=60)
@given(
    burst_type=st.sampled_from((1, 2)),
    length=st.integers(5, 255),
    seed=st.integers(0, 1 << 30),
    first=st.integers(0, 24),
)
def test_single_bursts_with_wrong_bits(burst_type, length, seed, first):
    """A wrong bit in 25 of the coded payload, as far apart as can be, is repaired at rates 1/2 and 1/3."""
    rng = random.Random(seed)
    payload = rng.randbytes(length)
    coded = ref.packed(ref.coded_payloads(payload, 0, burst_type)[0])
    wrong = flip(coded, range(first, 8 * len(coded), 25))
    data = ref.packed(ref.interleave(ref.bits(wrong.hex())))
    head = Header(length, 0, 0, burst_type)
    assert decode.payload(head, [(None, data)], lambda found: found == payload) == payload
    assert decode.payload(head, [(None, soft(data))], lambda found: found == payload) == payload


@pytest.mark.parametrize("length", (5, 15, 71))
def test_any_single_erased_bit_at_rate_7_8(length):
    """Sheet 25, trap 15."""
    payload = random.Random(length).randbytes(length)
    (data,) = fields_of(payload, 0, 0)
    for place in range(0, 8 * len(data), 1 if length < 71 else 13):
        values = soft(data)
        values[place] = 0
        found = decode.payload(Header(length, 0, 0, 0), [(None, values)], lambda got: got == payload)  # noqa: B023
        assert found == payload


def test_one_burst_of_three_is_full_of_errors():
    """The other two alone, or one of them, still have it."""
    rng = random.Random(1)
    payload = rng.randbytes(40)
    head = Header(40, 5, 1, 2)
    for bad in range(3):
        fields = fields_of(payload, 1, 2)
        fields[bad] = rng.randbytes(len(fields[bad]))
        fields[(bad + 1) % 3] = flip(fields[(bad + 1) % 3], (50,))
        for bursts in (enumerate(fields, 1), [(None, data) for data in fields]):
            found = decode.payload(head, list(bursts), lambda got: got == payload)  # noqa: B023
            assert found == payload


@pytest.mark.parametrize(
    "indices, most", (((1, 2, 3), 7), ((None,) * 3, 7), ((None, 3), 5), ((None,) * 2, 7), ((None,), 3))
)
def test_how_much_is_tried(monkeypatch, indices, most):
    """Noise that passes no check: a bounded number of decodings, no set of bursts twice."""
    seen = []
    decoded = viterbi.decode

    def count(streams, n_bits):
        seen.append(repr(streams))
        return decoded(streams, n_bits)

    monkeypatch.setattr(viterbi, "decode", count)
    rng = random.Random(2)
    bursts = [(index, rng.randbytes(19)) for index in indices]
    assert decode.payload(Header(15, 5, 1, 0), bursts, lambda found: False) is None
    assert len(seen) == len(set(seen)) == most


def test_the_cheap_way_comes_first(monkeypatch):
    monkeypatch.setattr(viterbi, "decode", None)
    data = bytes.fromhex(FIELDS[0])
    for head, index in (
        (Header(15, 89, 0, 0), None),
        (Header(15, 37, 1, 1), None),
        (Header(15, 37, 1, 1), 1),
    ):
        assert decode.payload(head, [(index, data)], lambda found: found == PAYLOAD) == PAYLOAD


def test_wrong_lengths():
    head = Header(15, 89, 0, 0)
    for data in (b"", bytes(18), bytes(20), array("b", bytes(19)), array("b", bytes(153))):
        with pytest.raises(LengthError):
            decode.payload(head, [(None, data)], bool)


def test_misuse():
    data = bytes(19)
    for head, bursts in (
        (Header(15, 0, 0, 0), []),
        (Header(15, 0, 0, 0), [(None, data), (None, data)]),
        (Header(15, 0, 1, 0), [(None, data)] * 4),
        (Header(15, 0, 1, 0), [(2, data), (1, data)]),
        (Header(15, 0, 1, 0), [(2, data), (2, data)]),
        (Header(15, 0, 1, 0), [(4, data)]),
        (Header(15, 0, 0, 3), [(None, data)]),
        (Header(15, 0, 1, 0), [(3, data), (None, data)]),
    ):
        with pytest.raises(MisuseError):
            decode.payload(head, bursts, lambda found: False)


@pytest.mark.parametrize("length, burst_type, rate", TEN_PERCENT)
def test_loss_of_a_downlink(length, burst_type, rate, record_property):
    """Hard decisions, header and sync given. The sheet's rates have two digits, so 10 % may be 7."""
    n_frames = 1000 if SOAK else 200 if length == 15 else 80
    rng = random.Random(repr((length, burst_type)))
    # The code is linear: which payload it is makes no difference to the errors.
    payload = rng.randbytes(length)
    (data,) = fields_of(payload, 0, burst_type)
    head = Header(length, 0, 0, burst_type)
    lost = 0
    for _ in range(n_frames):
        wrong = worsen(rng, data, rate)
        lost += decode.payload(head, [(None, wrong)], lambda found: found == payload) is None
    loss = lost / n_frames
    what = "{} bytes at rate {}, {:.3g} % wrong chips".format(
        length, ("7/8", "1/2", "1/3")[burst_type], 100 * rate
    )
    record_property("downlink lost", "{}: {:.1f} % (sheet: 10 %)".format(what, 100 * loss))
    spread = 3 * (0.1 * 0.9 / n_frames) ** 0.5
    assert 0.07 - spread <= loss <= 0.115 + spread


def test_loss_grows_with_the_rate_and_falls_with_the_code():
    """The decoder uses what is there: fewer frames are lost with more parity, and all are at half of the chips wrong."""
    rng = random.Random(3)
    payload = rng.randbytes(15)
    for burst_type in range(3):
        (data,) = fields_of(payload, 0, burst_type)
        head = Header(15, 0, 0, burst_type)
        for rate, lowest, highest in (
            (0.03, (0.5, 0, 0)[burst_type], (1, 0.15, 0.03)[burst_type]),
            (0.5, 1, 1),
        ):
            lost = 0
            for _ in range(60):
                wrong = worsen(rng, data, rate)
                lost += decode.payload(head, [(None, wrong)], lambda found: found == payload) is None
            assert lowest <= lost / 60 <= highest
