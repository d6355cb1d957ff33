"""Bursts in a raw stream: at any bit alignment, with wrong chips, without their sync (LPWAN sheet 22, 23)."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import HeaderError
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.phy.burst.deframer import BurstDeframer
from omsnode.firmware.phy.burst.hunter import Hunter
from support_burst_air import Stream, flip, published, worsen


def hunt(hunter, data, step):
    found = []
    for start in range(0, len(data), step):
        found += hunter.feed(data[start : start + step])
    return found


def told(found):
    return [(one.sync_chips, one.end_chips, one.frame) for one in found]


@pytest.mark.parametrize("direction", ("up", "down"))
@pytest.mark.parametrize("step", (1, 13, 64, 100000))
def test_published_at_every_alignment(shared, direction, step):
    """All bursts of the annex one behind the other, at each of the 8 alignments, with less than a byte in between."""
    rng = random.Random(step)
    for lead in range(8):
        stream, expected = Stream().noise(rng, 100 + lead), []
        for name, every in sorted(published(shared).items()):
            for chips in every if name.startswith(direction) else ():
                stream.noise(rng, rng.randrange(8))
                expected.append((stream.chips + 64, stream.chips + 8 * len(chips), chips[8:]))
                stream.add(chips)
        hunter = Hunter(BurstDeframer(direction))
        found = hunt(hunter, stream.bytes(rng), step)
        assert len(expected) == 6 and told(found) == expected
        assert [one.wrong for one in found] == [0] * 6
        assert {(one.family, one.error) for one in found} == {("B", None)}
        assert {one.frame_format for one in found} == {"UL" if direction == "up" else "DL"}


@pytest.mark.parametrize("direction", ("up", "down"))
def test_random_stream(direction):
    """Bursts of every length with wrong chips, noise between them or none: at the right chip, nothing else, whatever the
    size of the pieces."""
    rng = random.Random(5)
    stream, expected = Stream(), []
    make = burst.uplink if direction == "up" else burst.downlink
    for i in range(40):
        stream.noise(rng, rng.randrange(0, 700))
        n_bytes = 255 if i == 7 else rng.randrange(5, 90)
        chips = make(rng.randbytes(n_bytes), rng.randrange(128), 0, i % 3)[0]
        chips = worsen(rng, chips, 0.02)
        expected.append((stream.chips + 64, stream.chips + 8 * len(chips), chips[8:]))
        stream.add(chips)
    data = stream.bytes(rng)
    for step in (1, 32, 1000):
        hunter = Hunter(BurstDeframer(direction))
        assert told(hunt(hunter, data, step)) == expected
        assert hunter.chips == 8 * len(data)


def damaged_sync(rng, allowed, rate, n):
    """Part of the bursts whose front, with this part of its chips wrong, is found."""
    chips = burst.downlink(bytes(5), 64, 0, 0)[0]
    hunter = Hunter(BurstDeframer("down", (64,)), allowed)
    good = 0
    for _ in range(n):
        hunter.reset()
        good += bool(hunter.feed(worsen(rng, chips[:8], rate) + chips[8:]))
    return good / n


@pytest.mark.parametrize("allowed,rate", ((4, 0.078), (6, 0.126)))
def test_detection(allowed, rate):
    """Sheet 23: 28 of 32 chips find 90 % at 7.8 % wrong chips, 26 of 32 at 12.6 %."""
    assert 0.87 < damaged_sync(random.Random(6), allowed, rate, 1500) < 0.93


@pytest.mark.parametrize("direction", ("up", "down"))
def test_false_alarms(direction):
    """Sheet 23: noise makes 28 of 32 in 1e-5 of the positions, 26 in 2.7e-4. No burst is found in it."""
    noise = random.Random(8).randbytes(250000)
    for allowed, low, high in ((4, 0.6e-5, 1.6e-5), (6, 2.3e-4, 3.1e-4)):
        hunter = Hunter(BurstDeframer(direction, (64,)), allowed)
        found = hunt(hunter, noise, 256)
        assert low < hunter.false_alarms / (8 * len(noise)) < high
        assert [one for one in found if one.error is None] == []


@pytest.mark.parametrize("lost", (32, 56, 64, 88))
def test_an_uplink_is_found_by_its_midamble(lost):
    """Preamble, front sync and coded length are partly or wholly noise."""
    rng = random.Random(lost)
    for burst_type, n_bytes in ((0, 5), (1, 40), (2, 255), (0, 6), (2, 90)):
        chips = burst.uplink(rng.randbytes(n_bytes), rng.randrange(128), 0, burst_type)[0]
        value = Stream().noise(rng, lost).value << (8 * len(chips) - lost)
        value |= int.from_bytes(chips, "big") & (1 << (8 * len(chips) - lost)) - 1
        chips = worsen(rng, value.to_bytes(len(chips), "big"), 0.01)
        if lost < 64:  # enough of the sync is wrong
            chips = flip(chips, range(56, 63))
        stream = Stream().noise(rng, rng.randrange(400, 4000))
        expected = (stream.chips + 64, stream.chips + 8 * len(chips), chips[8:])
        data = stream.add(chips).noise(rng, 4000).bytes(rng)
        for step in (32, 7000):
            hunter = Hunter(BurstDeframer("up"))
            found = hunt(hunter, data, step)
            assert told(found) == [expected] and found[0].wrong is None


@pytest.mark.parametrize("n_bytes", (5, 71, 255))
def test_what_is_left_of_the_front_tells_the_length_behind_a_midamble(n_bytes):
    """7 chips of the sync and 2 of the coded length are wrong: the burst is told with its last chip, nothing is waited for."""
    rng = random.Random(n_bytes)
    chips = burst.uplink(rng.randbytes(n_bytes), 77, 0, 2)[0]
    chips = flip(chips, (*range(40, 47), 70, 80))
    hunter = Hunter(BurstDeframer("up"))
    assert hunt(hunter, rng.randbytes(500) + chips[:-1], 64) == []
    assert told(hunter.feed(chips[-1:])) == [(4064, 4000 + 8 * len(chips), chips[8:])]


def test_a_midamble_without_end_and_its_kind():
    """Regular chips cause no search through all headers, are no burst, and the next burst is heard."""
    rng = random.Random(9)
    chips = burst.uplink(rng.randbytes(20), 3, 0, 0)[0]
    for word in (b"\xb0\xe5\x63\xc8", b"\xc1\xfa\x4c\x6a", b"\x55", b"\x00", chips[:8], chips[:-20]):
        for direction in ("up", "down"):
            hunter = Hunter(BurstDeframer(direction, (64,)))
            data = word * (9000 // len(word))
            searches = []
            compare = hunter.deframer.header_of
            hunter.deframer.header_of = lambda chips, c=compare, s=searches: s.append(1) or c(chips)
            assert [one for one in hunt(hunter, data, 64) if one.error is None] == []
            assert direction == "down" or len(searches) <= 3  # 72000 chips
            assert len(hunter._buffer) < 2048 and len(hunter._candidates) <= 64
        stream = Stream().noise(rng, 6500)
        start = hunter.chips + stream.chips + 64
        if word != chips[:-20]:
            hunter = Hunter(BurstDeframer("up"))
            hunt(hunter, data, 64)
            found = hunt(hunter, stream.add(chips).bytes(rng), 64)
            assert (start, chips[8:]) in [(one.sync_chips, one.frame) for one in found]


def test_a_certain_sync_without_header_is_told():
    chips = burst.downlink(bytes(20), 3, 0, 0)[0]
    rng = random.Random(10)
    for wrong in (0, 2, 3):
        bad = flip(chips[:8], range(32, 32 + wrong)) + rng.randbytes(50)
        hunter = Hunter(BurstDeframer("down"))
        found = hunter.feed(bad)
        assert [type(one.error) for one in found] == ([] if wrong > 2 else [HeaderError])
        assert [(one.sync_chips, one.end_chips, one.wrong) for one in found] == [(64, 160, wrong)][
            : len(found)
        ]


def test_two_bursts_that_overlap():
    """The second drowned the rest of the first: both are told."""
    rng = random.Random(13)
    for direction in ("up", "down"):
        make = burst.uplink if direction == "up" else burst.downlink
        first, second = (make(rng.randbytes(40), tiv, 0, 2)[0] for tiv in (3, 4))
        stream = Stream().add(first, 850).add(second).noise(rng, 99)
        for step in (1, 5000):
            found = hunt(Hunter(BurstDeframer(direction)), stream.bytes(random.Random(1)), step)
            assert sorted(one.sync_chips for one in found) == [64, 850 + 64]
            assert found[1].frame == second[8:]


def test_receiving():
    """From the header to the end of a burst."""
    chips = burst.downlink(bytes(20), 3, 0, 0)[0]
    hunter = Hunter(BurstDeframer("down"))
    for i in range(len(chips)):
        assert hunter.receiving == (i >= 20)
        assert not hunter.receiving or hunter.sync_chips == 64
        found = hunter.feed(chips[i : i + 1])
    assert len(found) == 1 and not hunter.receiving
    hunter.reset()
    assert hunter.chips == 0 and told(hunter.feed(chips)) == told(found)


def test_memory_is_bounded():
    rng = random.Random(12)
    for direction in ("up", "down"):
        hunter = Hunter(BurstDeframer(direction))
        most = 0
        for _ in range(600):
            hunter.feed(rng.randbytes(300))
            most = max(most, len(hunter._buffer))
        assert most < 2048


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(("up", "down")), st.lists(st.binary(max_size=200), max_size=12), st.data())
def test_anything_in_any_pieces(direction, pieces, data):
    """Never an exception, and what is found does not depend on the pieces."""
    chips = (burst.uplink if direction == "up" else burst.downlink)(bytes(9), 64, 0, 1)[0]
    stream = b"".join(piece + chips[: data.draw(st.integers(0, 80))] for piece in pieces) + chips
    whole = told(Hunter(BurstDeframer(direction)).feed(stream + bytes(900)))
    step = data.draw(st.integers(1, 300))
    assert told(hunt(Hunter(BurstDeframer(direction)), stream + bytes(900), step)) == whole
    assert any(end == 8 * len(stream) for _, end, _ in whole)
