"""Bursts that belong together (LPWAN sheet 10, 11.1): any of the three lost, clocks off, meters that look alike."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy.burst import burst, combine, decode, timing
from omsnode.firmware.phy.burst.combine import Combiner
from omsnode.firmware.phy.burst.header import Header
from support_burst_air import published

# Sheet 11.1, UL-B4 long, TIV 64: t_A 12 s, t_B 20 s.
T_A, T_B = 12000000, 20000000
HEADER = Header(15, 64, 1, 2)
SINGLE = Header(15, 64, 0, 2)
START = 1000000000
OFFSETS = {1: 0, 2: T_A, 3: T_A + T_B}


def indices(attempt):
    return [index for index, _ in attempt.bursts]


def add(combiner, index, t0_us=START, header=HEADER, frame=None, wrong=0, off_us=0, submode="UL-B4"):
    frame = bytes((index,)) * 10 if frame is None else frame
    return combiner.add(submode, header, wrong, frame, t0_us + OFFSETS[index] + off_us, (index, frame))


@pytest.mark.parametrize("heard", ((1, 2), (2, 3), (1, 3), (1, 2, 3)))
def test_two_give_their_indices(heard):
    combiner = Combiner()
    for index in heard:
        attempts = add(combiner, index)
    best = attempts[0]
    assert indices(best) == list(heard) and best.t0_us == START and best.submode == "UL-B4"
    assert [one.tag[0] for _, one in best.bursts] == list(heard)
    # No other set explains more than one of them.
    assert all(len(one.bursts) == 1 for one in attempts[1:])


@pytest.mark.parametrize("index", (1, 2, 3))
def test_one_alone_is_tried_as_each(index):
    attempts = add(Combiner(), index)
    assert [indices(one) for one in attempts] == [[1], [2], [3]]
    assert attempts[index - 1].t0_us == START


def test_single_bursts():
    combiner = Combiner()
    (only,) = add(combiner, 1, header=SINGLE)
    assert indices(only) == [1] and only.t0_us == START
    assert combiner.solved(only)
    assert add(combiner, 1, header=SINGLE, off_us=900) == [] and combiner.counters["duplicates"] == 1
    assert len(add(combiner, 1, header=SINGLE, off_us=1500000)) == 1  # another one


def test_clocks_that_are_off():
    """250 ppm of the meter and 100 of the gateway either way, 0.5 ms of jitter: 11.7 ms at 32 s are still accepted."""
    for sign in (-1, 1):
        combiner = Combiner()
        add(combiner, 1)
        assert indices(add(combiner, 3, off_us=sign * 11700)[0]) == [1, 3]
        combiner = Combiner()
        add(combiner, 1)
        assert indices(add(combiner, 3, off_us=sign * 18000)[0]) == [1]
    # The reference point is that of UL1 if it was heard, else computed.
    combiner = Combiner()
    add(combiner, 2, off_us=-2000)
    assert add(combiner, 3)[0].t0_us == START


def test_what_is_solved_comes_no_more():
    combiner = Combiner()
    first = add(combiner, 1)[0]
    assert combiner.solved(first)
    assert add(combiner, 2) == [] and add(combiner, 3, off_us=3000) == []
    assert combiner.counters == {"duplicates": 2, "unsolved": 0, "dropped": 0}
    # It was solved from UL1; a decoder that was slower finds it again.
    assert not combiner.solved(first)
    # The next frame of this meter, and another meter with the same header at the same time.
    assert add(combiner, 1, t0_us=START + 48000000) != []
    assert add(combiner, 1, t0_us=START + 5000000) != []


def test_solved_though_the_first_was_missed():
    combiner = Combiner()
    second = add(combiner, 2)[1]
    assert indices(second) == [2] and second.t0_us == START
    assert combiner.solved(second)
    assert add(combiner, 3) == []
    assert add(combiner, 2, off_us=100) == []


def test_two_receivers():
    """The same chips are a duplicate; other chips of the same burst are worth a try, the copy with the better header counts
    for the bursts to come."""
    combiner = Combiner()
    add(combiner, 1, frame=b"bad", wrong=7)
    assert add(combiner, 1, frame=b"bad", wrong=7, off_us=300) == []
    assert combiner.counters["duplicates"] == 1
    attempts = add(combiner, 1, frame=b"good", wrong=1, off_us=-300)
    assert [indices(one) for one in attempts] == [[1], [2], [3]]
    best = add(combiner, 2)[0]
    assert [one.frame for _, one in best.bursts] == [b"good", b"\x02" * 10]


def test_sub_carriers_may_change_within_a_frame():
    combiner = Combiner()
    header = Header(15, 64, 1, 0)  # UL-B1 short, t_A 6.75 s
    combiner.add("UL-B1.0", header, 0, b"a", START)
    best = combiner.add("UL-B1.4", header, 0, b"b", START + 6750000)[0]
    assert indices(best) == [1, 2] and best.submode == "UL-B1"
    assert indices(combiner.add("UL-B2.4", header, 0, b"b", START + 6750000)[0]) == [1]
    other = Header(15, 64, 1, 0)._replace(length=16)
    assert len(combiner.add("UL-B1.4", other, 0, b"c", START + 6750000)[0].bursts) == 1


def test_sessions_with_a_distance_that_deceives():
    """UL-B4 short, TIV 80: frames 3 t_burst apart (UL-SC 1) have UL3 and the next UL1 at the distance t_A. Whatever is
    lost, each burst is tried as what it is."""
    header = Header(15, 80, 1, 0)
    offsets = [timing.burst_offset("UL-B4", header, index) for index in (1, 2, 3)]
    distance = timing.session_distance("UL-B4", header, 1)
    assert distance - offsets[2] == offsets[1] == 2500000
    for mask in range(1, 64):
        combiner = Combiner()
        for at in range(6):
            if mask >> at & 1:
                t0_us = START + at // 3 * distance
                attempts = combiner.add("UL-B4", header, 0, bytes((at,)), t0_us + offsets[at % 3])
                right = [one for one in attempts if one.t0_us == t0_us]
                assert len(right) == 1
                heard = [n % 3 + 1 for n in range(at + 1) if mask >> n & 1 and n // 3 == at // 3]
                assert indices(right[0]) == heard


@settings(max_examples=100, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_meters_that_look_alike(rng, n_meters):
    """Same header, same sub-mode, times at random, bursts lost: every frame is among the attempts, and decoding by an
    oracle delivers each exactly once."""
    combiner = Combiner()
    uplink, header = rng.choice((("UL-B4", HEADER), ("UL-B2.1", Header(20, 3, 1, 1))))
    offsets = [timing.burst_offset(uplink, header, index) for index in (1, 2, 3)]
    heard = []
    for meter in range(n_meters):
        t0_us = START + 100000 * rng.randrange(1000)
        ppm = rng.randrange(-350, 351)
        for index in rng.sample((1, 2, 3), rng.randrange(1, 4)):
            at_us = t0_us + offsets[index - 1] * (1000000 + ppm) // 1000000 + rng.randrange(-500, 501)
            heard.append((at_us, meter, index, t0_us))
    heard.sort()
    delivered = []
    for at_us, meter, index, t0_us in heard:
        tag = (meter, index, t0_us)
        for attempt in combiner.add(uplink, header, 0, bytes((meter, index)), at_us, tag):
            members = [one.tag for _, one in attempt.bursts]
            right = {one[0] for one in members} == {meter} and indices(attempt) == [one[1] for one in members]
            if right and len(attempt.bursts) >= 1 and combiner.solved(attempt):
                assert abs(attempt.t0_us - t0_us) < 20000
                delivered.append(meter)
    alone = len({t0_us for _, _, _, t0_us in heard}) == n_meters
    clear = all(
        abs(a + x - b - y) > 60000
        for _, m, _, a in heard
        for _, n, _, b in heard
        for x in offsets
        for y in offsets
        if m != n
    )
    assert sorted(delivered) == list(range(n_meters)) or not (alone and clear)


def test_memory_and_age_are_bounded():
    combiner = Combiner(most=10)
    for i in range(500):
        combiner.add("UL-B4", HEADER, 0, bytes(700), START + 100000 * i)
    assert combiner.counters["dropped"] == 490 and len(combiner._waiting) == 10
    combiner.expire(START + 50000000 + 31000000)
    assert len(combiner._waiting) == 10
    combiner.expire(START + 50000000 + 33000000)
    assert combiner._waiting == [] and combiner.counters["unsolved"] == 10
    for i in range(50):
        attempt = combiner.add("UL-B4", HEADER, 0, b"", START + 100000000 + 100000 * i)[0]
        assert combiner.solved(attempt)
    assert len(combiner._solved) == 10
    combiner.expire(START + 200000000)
    assert combiner._solved == []


def test_published_frame_from_any_two_bursts(shared):
    """With the decoder: UL1 alone at once, UL2 and UL3 alone or with others by their right index."""
    chips = published(shared)["uplink-multi"]
    payload = bytes.fromhex("401A02A73D785634121503ACB46271")
    for mask in range(1, 8):
        combiner = Combiner()
        solved = None
        for i in range(3):
            if mask >> i & 1 and solved is None:
                head, wrong, _ = burst.receive(chips[i][8:], "up")
                at_us = START + timing.burst_offset("UL-B4", head, i + 1)
                for attempt in combiner.add("UL-B4.2", head, wrong, chips[i][8:], at_us):
                    data = [
                        (index, burst.data(burst.split(one.frame, "up"), one.header))
                        for index, one in attempt.bursts
                    ]
                    if solved is None and decode.payload(head, data, lambda got: got == payload):
                        solved = attempt
        assert solved is not None and solved.t0_us == START


def test_no_uplink():
    with pytest.raises(MisuseError):
        Combiner().add("DL-B1", HEADER, 0, b"", 0)


def test_what_is_accepted_is_more_than_what_is_allowed():
    assert combine.ACCEPTED_PPM > timing.METER_PPM + 100 and combine.ACCEPTED_US > timing.JITTER_US
    rng = random.Random(1)
    for _ in range(200):
        header = Header(9, rng.randrange(128), 1, rng.randrange(3))
        for uplink in ("UL-B1", "UL-B4"):
            a, b = timing.t_a(uplink, header), timing.t_b(uplink, header)
            reach = 2 * (combine.ACCEPTED_US + (a + b) * combine.ACCEPTED_PPM // 1000000)
            # t_A, t_B and t_A + t_B are never taken for one another.
            assert b - a > reach and a > reach
