"""The sliding hour: limits as in the regulation, the named instant exact, memory bounded, never too generous."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import DutyCycleError, MisuseError
from omsnode.firmware.phy import duty_cycle, modes

HOUR = 3_600_000_000
# Carrier, share of an hour in us (link sheet 1.3: 1 %, 0.1 %, 10 %, 10 %, 10 %).
LIMITS = (
    (868_300_000, 36_000_000),
    (868_950_000, 3_600_000),
    (869_525_000, 360_000_000),
    (169_437_500, 360_000_000),
    (433_820_000, 360_000_000),
)


@pytest.mark.parametrize("frequency_hz, limit_us", LIMITS)
def test_limit_of_each_sub_band(frequency_hz, limit_us):
    ledger = duty_cycle.Ledger()
    ledger.check(frequency_hz, limit_us, 0)
    with pytest.raises(DutyCycleError) as caught:
        ledger.check(frequency_hz, limit_us + 1, 0)
    assert caught.value.allowed_at_us is None
    ledger.book(frequency_hz, limit_us, 0)
    with pytest.raises(DutyCycleError) as caught:
        ledger.check(frequency_hz, 1, limit_us)
    assert caught.value.allowed_at_us == limit_us + HOUR
    ledger.check(frequency_hz, limit_us, limit_us + HOUR)


def test_every_mode_has_a_sub_band_of_its_own_account():
    ledger = duty_cycle.Ledger()
    ledger.book(868_300_000, 36_000_000, 0)
    for mode in modes.every():
        if mode.frequency_hz == 868_300_000:
            with pytest.raises(DutyCycleError):
                ledger.check(mode.frequency_hz, 1000, 36_000_000)
        else:
            ledger.check(mode.frequency_hz, 1000, 36_000_000)


@pytest.mark.parametrize("frequency_hz", (868_650_000, 869_300_000, 915_000_000, 0))
def test_outside_all_sub_bands(frequency_hz):
    with pytest.raises(MisuseError):
        duty_cycle.Ledger().check(frequency_hz, 1, 0)


# (pause before, air time) in ms
SENDINGS = st.lists(st.tuples(st.integers(0, 400_000), st.integers(1, 900)), min_size=1, max_size=150)


@settings(max_examples=150)
@given(SENDINGS)
def test_no_hour_is_ever_over_the_limit(sendings):
    """A sender that always waits as it is told; every hour is then counted with a plain list."""
    ledger, now, sent = duty_cycle.Ledger(), 0, []
    for pause_ms, air_ms in sendings:
        now, air = now + pause_ms * 1000, air_ms * 1000
        try:
            ledger.check(868_950_000, air, now)
        except DutyCycleError as error:
            assert error.allowed_at_us > now
            with pytest.raises(DutyCycleError):
                ledger.check(868_950_000, air, error.allowed_at_us - 1)
            now = error.allowed_at_us
            ledger.check(868_950_000, air, now)
        ledger.book(868_950_000, air, now)
        sent.append((now, now + air))
        now += air
        assert len(ledger._bands[1]) <= 2 * duty_cycle.ENTRIES
    for _, window_end in sent:
        begin = window_end - HOUR
        assert sum(max(0, end - max(start, begin)) for start, end in sent if end <= window_end) <= 3_600_000


def test_exact_while_few():
    """Up to ENTRIES transmissions in an hour nothing is merged: the instant is that of a plain list."""
    ledger = duty_cycle.Ledger()
    for i in range(36):
        ledger.book(868_950_000, 100_000, i * 60_000_000)
    with pytest.raises(DutyCycleError) as caught:
        ledger.check(868_950_000, 150_000, 2_400_000_000)
    # 150 ms more need two of 100 ms gone: the second ended at 60.1 s.
    assert caught.value.allowed_at_us == 60_100_000 + HOUR


def test_many_short_ones_are_merged_to_the_safe_side():
    ledger = duty_cycle.Ledger()
    for i in range(1000):
        ledger.book(868_950_000, 3_600, i * 1_000_000)
    assert len(ledger._bands[1]) == 2 * duty_cycle.ENTRIES
    assert sum(ledger._bands[1][1::2]) == 3_600_000
    with pytest.raises(DutyCycleError) as caught:
        ledger.check(868_950_000, 3_600, 1_000_000_000)
    exact = HOUR + 3_600
    assert exact <= caught.value.allowed_at_us <= exact + 2 * 1_000_000_000 // duty_cycle.ENTRIES


def test_state_survives_a_restart_of_the_clock():
    ledger = duty_cycle.Ledger()
    ledger.book(868_950_000, 3_000_000, 1_000_000)
    ledger.book(868_300_000, 5, 2_000_000)
    state = ledger.export(10_000_000)
    assert all(isinstance(value, int) for value in state)
    restarted = duty_cycle.Ledger()
    restarted.restore(state, 0)
    with pytest.raises(DutyCycleError) as caught:
        restarted.check(868_950_000, 700_000, 0)
    assert caught.value.allowed_at_us == HOUR - 6_000_000
    assert restarted.export(0) == state
    assert ledger.export(2 * HOUR) == []


@pytest.mark.parametrize(
    "state",
    (
        [1],
        [9, 0, 0],
        [-1, 0, 0],
        [0, 0, -1],
        [1, -(10**18), 1],
        [1, 10**18, 1],
        "abc",
        None,
        [0, "1", 2],
        [0, 1.0, 2],
    ),
)
def test_damaged_state_changes_nothing(state):
    ledger = duty_cycle.Ledger()
    ledger.book(868_950_000, 3_600_000, 0)
    before = ledger.export(0)
    with pytest.raises(MisuseError):
        ledger.restore(state, 0)
    assert ledger.export(0) == before
