"""Clock management: MBlock 04 with the examples of Table Q.96, limits, 12 hours without a leap, power cuts (Annex Q.3.7.2)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.lpwan import clock
from omsnode.firmware.link.lpwan.blocks import MBlock
from omsnode.firmware.link.lpwan.values import Time

S = 1000000
H = 3600 * S
CORRECTION = MBlock(4, bytes.fromhex("031116"))  # 22:17:03
ADJUSTMENT = MBlock(4, b"\xd8")  # -40 s
GET, FAILED = MBlock(4, b""), MBlock(4, b"")


def at(hour, minute, second):
    return ((hour * 60 + minute) * 60 + second) * S


@pytest.mark.parametrize(
    ("tells", "moved_s"),
    (
        ((22, 17, 3), 0),
        ((22, 17, 0), 3),
        ((22, 17, 20), -17),
        ((22, 16, 3), 60),
        ((22, 0, 0), 60),  # the deviation is larger: 60 s of it
        ((23, 59, 59), -60),
        ((10, 17, 2), -60),  # more than half a day ahead is less than half a day back
        ((10, 17, 4), 60),
    ),
)
def test_correction(tells, moved_s):
    one = clock.start(at(*tells), 5 * S)
    after, answer = clock.execute(one, CORRECTION, 5 * S, 6 * S)
    assert answer == CORRECTION  # the response is the request, not the clock
    later = 6 * S + 12 * H
    assert clock.device_us(after, later) - clock.device_us(one, later) == moved_s * S
    assert not clock.running(after, later)


def test_the_time_is_meant_at_rx0():
    """A downlink in RX1 or RX2 is executed later than RX0, one in RX3 before it (Q.19 to Q.23)."""
    one = clock.start(at(22, 17, 0), 0)
    for rx0_us, now_us in ((3 * S, 40 * S), (3 * S, 1 * S)):
        after, answer = clock.execute(one, CORRECTION, rx0_us, now_us)
        assert answer == CORRECTION and after.adjust_s == 0
    assert clock.execute(one, CORRECTION, 13 * S, 13 * S)[0].adjust_s == -10


@pytest.mark.parametrize(
    ("seconds", "taken"),
    ((60, True), (-60, True), (61, False), (-61, False), (127, False), (-128, False), (0, True)),
)
def test_adjustment(seconds, taken):
    one = clock.start(0, 0)
    block = MBlock(4, bytes([seconds & 255]))
    after, answer = clock.execute(one, block, 0, 0)
    assert answer == (block if taken else FAILED)
    assert (after.adjust_s, after == one) == ((seconds, seconds == 0) if taken else (0, True))


def test_example():
    after, answer = clock.execute(clock.start(at(12, 0, 0), 0), ADJUSTMENT, 0, 0)
    assert answer == ADJUSTMENT and clock.device_us(after, 12 * H) == at(23, 59, 20)
    assert clock.execute(after, GET, 0, 12 * H)[1] == MBlock(4, bytes([20, 59, 23]))
    assert clock.push(clock.start(at(22, 17, 3), 0), 0) == CORRECTION


def test_a_second_command_is_refused_until_the_first_is_carried_out():
    one, _ = clock.execute(clock.start(0, 0), MBlock(4, b"\x3c"), 0, 0)
    for block in (ADJUSTMENT, CORRECTION):
        assert clock.execute(one, block, 0, 9 * H) == (one, FAILED)
        after, answer = clock.execute(one, block, 12 * H, 12 * H)
        assert answer == block and after != one
    assert clock.execute(one, GET, 0, 9 * H)[1] == MBlock(4, bytes([54, 0, 9]))


@pytest.mark.parametrize("seconds", (60, -60, 1, -1))
def test_no_leap(seconds):
    """No time of day comes twice or is left out: the clock runs at 1 ± 1/600 and is done within 12 h (M UC-04)."""
    one, _ = clock.execute(clock.start(0, 0), MBlock(4, bytes([seconds & 255])), 0, 0)
    last, step = clock.device_us(one, 0), 600 * S
    for now_us in range(step, 12 * H + step, step):
        told = clock.device_us(one, now_us)
        assert step - S <= told - last <= step + S
        last = told
    assert last == 12 * H + seconds * S


@pytest.mark.parametrize("value", (b"\0\0", b"\0\0\x18", b"\0\x3c\0", b"\x3c\0\0", b"\0\0\0\0"))
def test_values_that_are_no_time(value):
    one = clock.start(0, 0)
    assert clock.execute(one, MBlock(4, value), 0, 0) == (one, FAILED)


def test_bits_above_the_time_are_not_looked_at():
    """Table Q.96 a: one of them may mark standard time."""
    after, _ = clock.execute(clock.start(at(22, 17, 0), 0), MBlock(4, bytes([0x43, 0x51, 0x36])), 0, 0)
    assert after.adjust_s == 3


@given(st.integers(0, 12 * 3600), st.integers(-60, 60), st.integers(0, 10**12), st.integers(0, 86400))
def test_power_cut(gone_s, seconds, wall_us, off_s):
    one, _ = clock.execute(clock.start(at(1, 2, 3), 7 * S), MBlock(4, bytes([seconds & 255])), 7 * S, 7 * S)
    now_us = 7 * S + gone_s * S
    stored = json.loads(json.dumps(clock.export(one, now_us, wall_us)))
    with_wall = clock.restore(stored, 0, wall_us + off_s * S)
    assert clock.device_us(with_wall, 0) == clock.device_us(one, now_us) + off_s * S
    without = clock.restore(stored, 99 * S, None)
    assert clock.device_us(without, 99 * S) == clock.device_us(one, now_us)
    left_us = max(0, abs(seconds) * 600 * S - gone_s * S)
    assert clock.running(without, 99 * S) == (left_us > 0)
    end = 99 * S + left_us + S
    assert clock.device_us(without, end) - end == one.offset_us + seconds * S + (now_us - 99 * S)


@pytest.mark.parametrize(
    "stored",
    (
        None,
        1,
        [],
        [0, 0, 61, 0],
        [0, 0, 0, -1],
        ["0", 0, 0, 0],
        [0, "0", 0, 0],
        [1 << 60, 0, 0, 0],
        [0, 0, 0.5, 0],
    ),
)
def test_damaged(stored):
    with pytest.raises(errors.StoreError):
        clock.restore(stored, 0, None)


def test_time_of():
    assert clock.time_of(at(23, 59, 59) + 999999) == Time(23, 59, 59)
    assert clock.time_of(at(24, 0, 0)) == Time(0, 0, 0)
    assert clock.time_of(-1) == Time(23, 59, 59)
