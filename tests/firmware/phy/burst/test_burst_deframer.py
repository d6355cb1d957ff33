"""Bursts behind a front sync: how long they are, where their parts are, and what is none (LPWAN sheet 3, 4, 8, 10, 23)."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import HeaderError, MidambleError, MisuseError, PhyError
from omsnode.firmware.phy import deframer as deframers
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.phy.burst.deframer import BurstDeframer, front_chips
from support_burst_air import flip, published, worsen

# Sheet 4: multi, type, L_P, chips of the whole burst, up and down.
PRINTED = """
0 0 5 336 216
0 0 255 2624 2504
0 1 5 368 248
0 1 255 4368 4248
0 2 5 416 296
0 2 255 6416 6296
1 0 5 336 216
1 0 255 2624 2504
"""


def chips_of(direction, n_bytes, multi, burst_type, seed=1, tiv=64):
    make = burst.uplink if direction == "up" else burst.downlink
    return make(random.Random(seed).randbytes(n_bytes), tiv, multi, burst_type)


def feed(deframer, data, step):
    """Result, and how many bytes were taken before it."""
    deframer.reset()
    for start in range(0, len(data), step):
        result = deframer.feed(data[start : start + step])
        if result <= 0:
            return result, start + step
        assert result <= 8 * len(data)
    return result, len(data)


def test_published(shared):
    bursts = published(shared)
    assert len(bursts) == 8 and len(bursts["uplink-multi"]) == 3
    for name, every in bursts.items():
        up = name.startswith("uplink")
        deframer = BurstDeframer("up" if up else "down")
        for chips in every:
            assert chips[:8].hex() == "55555555c1fa4c6a"
            for step in (1, 7, 1000):
                result, _ = feed(deframer, chips[8:] + bytes(20), step)
                assert result == 0 and deframer.error is None
                assert deframer.frame == chips[8:] and deframer.total_chips == 8 * len(chips) - 64
                assert (deframer.family, deframer.frame_format) == ("B", "UL" if up else "DL")
                assert deframer.header.length == 15


@pytest.mark.parametrize("row", PRINTED.strip().split("\n"))
@pytest.mark.parametrize("direction", ("up", "down"))
def test_lengths(row, direction):
    multi, burst_type, n_bytes, *n_chips = [int(word) for word in row.split()]
    for chips in chips_of(direction, n_bytes, multi, burst_type):
        deframer = deframers.of("UL-B4" if direction == "up" else "DL-B1.3", direction, 64)
        assert deframer.listens_to == "B"
        result, taken = feed(deframer, chips[8:], 1)
        assert result == 0 and taken + 8 == len(chips) and deframer.frame == chips[8:]
        assert 8 * len(chips) == n_chips[direction == "down"]


@pytest.mark.parametrize("direction", ("up", "down"))
def test_missing_is_exact_once_the_total_is_known(direction):
    """Byte by byte: what is said to be missing is never more than really is, and in the end just that."""
    for n_bytes, multi, burst_type in ((5, 0, 0), (15, 0, 2), (71, 0, 1), (255, 0, 2), (16, 1, 0)):
        chips = chips_of(direction, n_bytes, multi, burst_type)[-1][8:]
        deframer = BurstDeframer(direction)
        for i in range(len(chips)):
            missing = deframer.feed(chips[i : i + 1])
            left = 8 * (len(chips) - i - 1)
            assert missing <= left
            if deframer.total_chips is not None:
                assert missing == left and deframer.total_chips == 8 * len(chips)
        assert missing == 0
        assert deframer.feed(b"\xff" * 9) == 0 and deframer.frame == chips


def test_three_wrong_chips_in_the_coded_length():
    chips = chips_of("up", 71, 0, 0)[0][8:]
    deframer = BurstDeframer("up")
    for places in ((0, 11, 23), (1, 2, 3), (21, 22, 23)):
        assert feed(deframer, flip(chips, places), 1)[0] == 0
        assert not deframer.seeking and len(deframer.frame) == len(chips)


@pytest.mark.parametrize("n_bytes,burst_type", [(5, 0), (6, 0), (15, 1), (71, 2), (255, 2), (254, 0)])
@pytest.mark.parametrize("lost", ("coded length", "another length"))
def test_midamble_in_place_of_the_coded_length(n_bytes, burst_type, lost):
    """CL wiped out or that of another burst; 18 chips of the midamble and 9 of the header wrong, and the first chip of the
    midamble either way."""
    rng = random.Random(n_bytes)
    good = chips_of("up", n_bytes, 0, burst_type)[0][8:]
    other = chips_of("up", 40, 0, 0)[0][8:11]
    middle = 24 + 8 * (len(good) - 27 + 1 >> 1)
    for _ in range(5):
        chips = (bytes.fromhex("aaaaaa") if lost == "coded length" else other) + good[3:]
        chips = flip(chips, rng.sample(range(middle + 1, middle + 96), 18))
        chips = flip(chips, rng.sample(range(middle + 96, middle + 192), 9))
        chips = flip(chips, (middle,) if rng.random() < 0.5 else ())
        deframer = BurstDeframer("up")
        result, taken = feed(deframer, chips + bytes(200), 1)
        assert deframer.error is None
        assert result == 0 and deframer.seeking
        # Another length is disproved where its midamble would be.
        assert taken == len(good) if lost == "coded length" else taken <= max(len(good), 3 + 24 + 12)
        assert deframer.frame == chips and deframer.header.length == n_bytes


@pytest.mark.parametrize("words", (1, 2))
def test_data_in_front_of_a_midamble_that_look_like_it(words):
    """CL wiped out; the end of Data A is the midamble's word with 3 chips wrong: found too early, by 32 chips or 64."""
    good = chips_of("up", 71, 0, 2)[0][8:]
    middle = 3 + (len(good) - 27 + 1 >> 1)
    word = flip(bytes.fromhex("b0e563c8"), (1, 9, 20))
    chips = bytes.fromhex("aaaaaa") + good[3 : middle - 4 * words] + word * words + good[middle:]
    deframer = BurstDeframer("up")
    assert feed(deframer, chips, 1) == (0, len(chips))
    assert deframer.frame == chips and deframer.header.length == 71


def test_header_known_first():
    """As the hunter has it from a midamble."""
    chips = chips_of("up", 20, 0, 1, tiv=5)[0][8:]
    deframer = BurstDeframer("up")
    parts = burst.split(chips, "up")
    head = deframer.header_of(parts.header)
    assert head == (20, 5, 0, 1) and front_chips(head) == 8 * (3 + len(parts.data_a) + 12)
    deframer.reset(head)
    assert deframer.total_chips == 8 * len(chips)
    assert deframer.feed(bytes(3) + chips[3:]) == 0 and deframer.frame[3:] == chips[3:]


def test_a_meter_refuses_the_headers_of_others():
    chips = chips_of("down", 20, 0, 1, tiv=5)[0][8:]
    assert feed(BurstDeframer("down", (5,)), chips, 1)[0] == 0
    deframer = BurstDeframer("down", (6,))
    result, taken = feed(deframer, chips, 1)
    assert (result, taken) == (-1, 12) and isinstance(deframer.error, HeaderError)
    assert deframer.error.code == "header" and deframer.error.position == 0 and deframer.frame is None
    assert deframer.feed(b"\x00") == -1
    deframer.reset()
    assert deframer.error is None and deframer.feed(b"\x00") > 0


def test_no_header_behind_the_midamble():
    chips = chips_of("up", 20, 0, 1)[0][8:]
    middle = 3 + (len(chips) - 27 + 1 >> 1)
    deframer = BurstDeframer("up")
    noise = random.Random(3).randbytes(12)
    result, taken = feed(deframer, chips[: middle + 12] + noise + chips[middle + 24 :], 1)
    assert (result, taken) == (-1, middle + 24) and isinstance(deframer.error, HeaderError)
    assert deframer.error.position == 8 * (middle + 12) and deframer.error.hint


def test_noise_is_refused_soon():
    """96 chips in a downlink; not later than 3192 behind the sync in an uplink, whatever it is."""
    rng = random.Random(11)
    codes = set()
    for direction, most in (("down", 96), ("up", 3192)):
        deframer = BurstDeframer(direction)
        for _ in range(60):
            result, taken = feed(deframer, rng.randbytes(1000), 1)
            assert result == -1 and 8 * taken <= most
            assert isinstance(deframer.error, PhyError)
            codes.add(deframer.error.code)
    assert codes == {"header", "midamble"}
    assert issubclass(MidambleError, PhyError)


@pytest.mark.parametrize("fill", (b"\x00", b"\xff", b"\x55", b"\xb0\xe5\x63\xc8"))
def test_what_is_regular_is_refused_too(fill):
    """Also a midamble without end."""
    for direction in ("up", "down"):
        result, taken = feed(BurstDeframer(direction), fill * 1000, 1)
        assert result == -1 and 8 * taken <= 3192


def test_whole_bursts_with_wrong_chips():
    """At 5 % of the chips nearly every burst has its place, at 2 % every one of these."""
    rng = random.Random(4)
    for rate, least in ((0.02, 80), (0.05, 79), (0.10, 70)):
        for direction in ("up", "down"):
            deframer = BurstDeframer(direction)
            good = 0
            for i in range(80):
                chips = chips_of(direction, rng.randrange(5, 30), 0, i % 3, seed=i)[0][8:]
                bad = worsen(rng, chips, rate)
                good += feed(deframer, bad + rng.randbytes(500), 64)[0] == 0 and deframer.frame == bad
            assert good >= least


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(("up", "down")),
    st.binary(max_size=600),
    st.integers(1, 50),
    st.integers(0, 60),
    st.booleans(),
)
def test_anything_ends_without_an_exception(direction, data, step, keep, truncated):
    """Bytes at random behind the beginning of a burst."""
    chips = chips_of(direction, 30, 0, 1)[0][8:]
    data = chips[: keep if truncated else 0] + data
    deframer = BurstDeframer(direction)
    for start in range(0, len(data), step):
        before = deframer.total_chips
        result = deframer.feed(data[start : start + step])
        assert before in (None, deframer.total_chips)
        assert (result == -1) == (deframer.error is not None) and (result == 0) == (
            deframer.frame is not None
        )
    if len(data) >= 802:
        assert result <= 0


def test_directions():
    with pytest.raises(MisuseError):
        BurstDeframer("sideways")
