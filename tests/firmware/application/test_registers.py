"""15- and 60-minute registers (sheet en13757-3-application 7.4, 11.1): every expected line is worked out here from the true
course of the meter, not from the code."""

import json
import random

import pytest
import support_gateway as make
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import gateway, registers
from omsnode.firmware.errors import StoreError

Q = 15 * 60000
H = 60 * 60000
T = make.RECEIVED  # a full hour
S = 1000


def fed(*values, period=Q, now=None):
    """Entries of one register after these (measured, mantissa), closed at `now`."""
    register = registers.Register(period)
    out = [register.feed(at, number, 0, "Wh") for at, number in values]
    return register, [one for one in out if one] + register.close(now if now is not None else T + period)


def shown(entries):
    return [(entry.target_ms, entry.mantissa, entry.count, entry.late) for entry in entries]


# --- the window ---


@pytest.mark.parametrize(("period", "window"), [(Q, 9 * S), (H, 36 * S)])
def test_window_is_one_percent(period, window):
    """Sheet 7.4: 15 min 9 s, 60 min 36 s; both ends belong to it."""
    for off, inside in ((-window, True), (window, True), (-window - 1, False), (window + 1, False)):
        _, entries = fed((T - 1, 1), (T + off, 5), period=period)
        first = entries[0]
        if off == -window - 1:  # the other one is nearer
            assert first.mantissa == 1
            continue
        _, entries = fed((T - period // 4, 1), (T + off, 5), period=period)
        assert entries[0].mantissa == (5 if inside else None), off
        if not inside:
            assert entries[0].nearest == (T + off, 5, 0, "Wh")


def test_the_nearest_wins_in_any_order_and_the_first_of_a_tie():
    values = [(T - 5 * S, 1), (T - 2 * S, 2), (T + 3 * S, 3), (T + 8 * S, 4)]
    for seed in range(10):
        random.Random(seed).shuffle(values)
        _, entries = fed(*values)
        assert shown(entries) == [(T, 2, 1, False)]
    _, entries = fed((T - 2 * S, 7), (T + 2 * S, 8))
    assert entries[0].mantissa == 7


def test_value_exactly_at_the_target():
    _, entries = fed((T - 1, 1), (T, 2), (T + 1, 3))
    assert entries[0].mantissa == 2
    assert entries[0].measured_ms == T


def test_no_value_in_window_is_told_with_the_nearest():
    register, entries = fed((T - 60 * S, 10), (T + 40 * S, 12), now=T + Q)
    assert shown(entries) == [(T, None, 1, False)]
    assert entries[0].nearest == (T + 40 * S, 12, 0, "Wh")
    # nothing at all for the next target
    assert shown(register.close(T + 2 * Q)) == [(T + Q, None, 1, False)]


def test_what_was_over_before_the_first_value_is_no_hole():
    _, entries = fed((T + 60 * S, 1), (T + Q, 2), now=T + 2 * Q)
    assert shown(entries) == [(T + Q, 2, 1, False)]


def test_closed_half_a_period_behind_and_not_before():
    register, entries = fed((T, 1), now=T + Q // 2 - 1)
    assert entries == []
    assert register.due_ms == T + Q // 2
    assert shown(register.close(T + Q // 2)) == [(T, 1, 1, False)]


# --- late, twice, contradicting ---


def test_a_late_value_fills_a_hole_once():
    register, entries = fed((T, 1), (T + Q + 20 * S, 2), now=T + 3 * Q)
    assert shown(entries) == [(T, 1, 1, False), (T + Q, None, 1, False), (T + 2 * Q, None, 1, False)]
    entry = register.feed(T + Q + 4 * S, 3, 0, "Wh")
    assert shown([entry]) == [(T + Q, 3, 1, True)]
    # Nearer still, but it was told: what has gone out stays
    assert register.feed(T + Q + 1 * S, 4, 0, "Wh") is None
    assert register.feed(T + 1, 9, 0, "Wh") is None


def test_duplicates_and_contradictions_are_counted():
    register, _ = fed((T, 1), (T, 1), (T, 2))
    assert register.counters["duplicates"] == 1
    assert register.counters["contradictions"] == 1


def test_too_old_is_counted_and_forgotten():
    register, _ = fed((T, 1), now=T + 20 * Q)
    assert register.feed(T - Q, 1, 0, "Wh") is None
    assert register.counters["stale"] == 1


# --- silence and clocks ---


def test_a_long_silence_is_one_line_and_the_last_eight():
    register, entries = fed((T, 1), now=T + 100 * Q + Q // 2)
    assert shown(entries)[0] == (T, 1, 1, False)
    assert shown(entries)[1] == (T + Q, None, 92, False)
    assert shown(entries)[2:] == [(T + n * Q, None, 1, False) for n in range(93, 101)]
    assert sum(entry.count for entry in entries) == 101


def test_our_clock_set_forward_and_back():
    register, _ = fed((T, 1), now=T)
    far = T + 70 * 365 * 86400000
    assert sum(one.count for one in register.close(far)) > 2_000_000  # at once, as one line
    assert register.feed(far, 5, 0, "Wh") is None
    # The clock is right again: the register starts anew and goes on
    back = T + 4 * Q
    assert register.close(back) == []
    assert register.counters["clock_steps"] == 1
    register.feed(back, 9, 0, "Wh")
    assert shown(register.close(back + Q)) == [(back, 9, 1, False)]


def test_a_small_step_back_changes_nothing():
    register, _ = fed((T, 1), now=T + Q)
    assert register.close(T + Q - 3 * S) == []
    register.feed(T + Q - 2 * S, 2, 0, "Wh")
    assert shown(register.close(T + 2 * Q)) == [(T + Q, 2, 1, False)]
    assert register.counters["clock_steps"] == 0


def test_summer_time_does_not_exist():
    """2026-03-29 and 2026-10-25 in central Europe: 96 registers each, all UTC."""
    for day in (gateway.milliseconds("2026-03-29"), gateway.milliseconds("2026-10-25")):
        values = [(day + n * Q, n) for n in range(97)]
        _, entries = fed(*values, now=day + 96 * Q)
        assert shown(entries) == [(day + n * Q, n, 1, False) for n in range(96)]


# --- restart ---


def test_restart_in_the_middle():
    register, _ = fed((T, 1), (T + Q + 20 * S, 2), now=T + Q)
    state = json.loads(json.dumps(register.export()))
    again = registers.Register.restore(state)
    for one in (register, again):
        one.feed(T + Q + S, 3, 0, "Wh")
    assert shown(again.close(T + 2 * Q)) == shown(register.close(T + 2 * Q)) == [(T + Q, 3, 1, False)]


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {"version": 9, "registers": []},
        {"version": 1, "registers": []},
        {"version": 2},
        {"version": 2, "registers": [["a"]]},
        {"version": 2, "registers": [["m", "o", 900000, 1, 1, [[1, 2, "x", 4, "Wh", 0, 0]], 0]]},
        {"version": 2, "registers": [["m", "o", 0, 1, 1, [], 0]]},
        {"version": 2, "registers": [[1, "o", 900000, 1, 1, [], 0]]},
        {"version": 2, "registers": [["m", "o", 900000, 1, 1, [], None]]},
        {"version": 2, "registers": [["m", "o", 900000, True, 1, [], 0]]},
    ],
)
def test_damaged_state_is_named_and_changes_nothing(state):
    rows = registers.Registers()
    rows.feed("m", 2, gateway.values(make.meter("0403 08190000", "02"), T), T)
    with pytest.raises(StoreError):
        rows.restore(state)
    assert len(rows) == 1


# --- all of a gateway ---


def test_which_values_are_registered():
    read = make.meter(
        "0403 08190000 022B 8001 046D 32371F15 0174 05 0C78 78563412 02FD971D 0000 3403 01000000", "02"
    )
    chosen = [value.obis for value in gateway.values(read, T) if registers.registrable(value)]
    assert chosen == ["1-0:1.8.0*255", "1-0:1.7.0*255"]
    # due date values are no current ones: 8-0:1.2.0*255 has no instant
    read = make.meter("0413 08190000 4413 88130000 426C 3F3C")
    assert [v.obis for v in gateway.values(read, T) if registers.registrable(v)] == ["8-0:1.0.0*255"]


def test_periods_by_medium():
    assert registers.default_periods(2) == (Q,)
    for device_type in (3, 4, 6, 7, 8, 0x0A, 0x0D, 0x16):
        assert registers.default_periods(device_type) == (H,)


def test_lines_of_two_meters_and_two_periods():
    rows = registers.Registers(lambda device_type: (Q, H))
    electricity = gateway.values(make.meter("0403 08190000", "02"), T)
    water = gateway.values(make.meter("0413 08190000", "07"), T + S)
    assert rows.feed("e", 2, electricity, T, 0x20005, 0x40) == []
    assert rows.feed("w", 7, water, T + S) == []
    lines = rows.close(T + H)
    got = [
        (meter, code, period, entry.target_ms, entry.mantissa, entry.meter_word)
        for meter, code, period, entry in lines
    ]
    assert got[:2] == [("e", "1-0:1.8.0*255", Q, T, 6408, 0x40), ("e", "1-0:1.8.0*255", Q, T + Q, None, 0)]
    assert ("e", "1-0:1.8.0*255", H, T, 6408, 0x40) in got
    assert ("w", "8-0:1.0.0*255", H, T, 6408, 0) in got


def test_bounded():
    rows = registers.Registers(most=10)
    for number in range(50):
        at = T + number * S
        rows.feed("m%02d" % number, 7, gateway.values(make.meter("0413 08190000"), at), at)
    assert len(rows) == 10
    assert [row[0] for row in rows.export()["registers"]] == ["m%02d" % number for number in range(40, 50)]
    register = registers.Register(Q)
    for number in range(5000):
        register.feed(T + number * 60 * S, number, 0, "Wh")
        register.close(T + number * 60 * S)
        assert len(register.slots) <= register.keep + 2


def test_strangers_do_not_push_out_who_ranks_higher():
    def feed(rows, meter, seconds, **more):
        at = T + seconds * S
        return rows.feed(meter, 7, gateway.values(make.meter("0413 08190000"), at), at, **more)

    rows = registers.Registers(most=4)
    feed(rows, "own", 0, rank=2)
    for number in range(20):
        feed(rows, "m%02d" % number, number + 1)
    again = registers.Registers(most=4)
    again.restore(json.loads(json.dumps(rows.export())))
    for number in range(20, 40):
        feed(again, "m%02d" % number, number + 1)
    assert [row[0] for row in again.export()["registers"]] == ["m37", "m38", "m39", "own"]
    for number in range(4):
        feed(again, "known%d" % number, 50 + number, rank=3)
    assert [row[0] for row in again.export()["registers"]] == ["known%d" % number for number in range(4)]
    assert feed(again, "stranger", 60) == []
    assert len(again) == 4


def test_forget():
    rows = registers.Registers()
    for meter in ("a", "b"):
        rows.feed(meter, 7, gateway.values(make.meter("0413 08190000"), T), T)
    rows.forget("a")
    rows.forget("a")
    assert [line[0] for line in rows.close(T + H)] == ["b"]


def test_a_value_that_lies_in_the_future_is_none():
    """A forward profile behind the current value, 150 steps of 250 days: nobody measures tomorrow's value, and the state
    stays small enough to come back."""
    profile = "0403 E8030000 0D831F" + "98 71 FA" + "01" * 150
    rows = registers.Registers()
    for number in range(30):
        at = T + number * H
        rows.feed("m", 2, gateway.values(make.meter(profile, "02"), at), at)
    state = rows.export()
    assert [len(row[5]) <= registers.KEEP + 2 for row in state["registers"]] == [True]
    registers.Registers().restore(json.loads(json.dumps(state)))
    inverse = gateway.values(make.meter(profile.replace("0D831F", "0D8313"), "02"), T)
    assert sum(registers.registrable(value) for value in inverse) == 151


@given(
    st.lists(st.tuples(st.integers(-3 * Q, 3 * Q), st.integers(0, 10**15)), min_size=1, max_size=30),
    st.sampled_from([Q, H]),
)
def test_any_values_in_any_order(values, period):
    """Property: a told value was really fed, lies in the window, and for its target none fed in time was nearer."""
    register = registers.Register(period)
    told = []
    for off, number in values:
        late = register.feed(T + off, number, -3, "m3")
        if late:
            told.append(late)
    told += register.close(T + 5 * period)
    real = {(T + off, number) for off, number in values}
    for entry in told:
        assert entry.target_ms % period == 0
        if entry.mantissa is None:
            assert not any(abs(at - entry.target_ms) <= period // 100 for at, _ in real)
        else:
            assert (entry.measured_ms, entry.mantissa) in real
            assert abs(entry.measured_ms - entry.target_ms) <= period // 100
            assert (entry.exponent, entry.unit) == (-3, "m3")
            if not entry.late:  # what was told stays, so a late one is the first that fitted
                assert not any(
                    abs(at - entry.target_ms) < abs(entry.measured_ms - entry.target_ms) for at, _ in real
                )


# --- a year ---

NOMINAL = 120 * S  # OMS Vol.2 Annex R defaults for 15 minutes: a telegram every 120 s,
STEP, COUNT = 6 * S, 62  # with a profile of 62 values of 6 s
DRIFT = 700  # ms that the receiver's clock may be wrong


def energy(at_ms):
    """The meter: Wh at an instant of its life. Grows for ever, unevenly, by integers."""
    second = at_ms // S
    return second // 7 + (second % 86400) // 11 + second // 86400 * 8000


def test_a_year_of_quarter_hours(record_property):
    """Loss in bursts, repeats, late telegrams, a receiver clock that wanders and is put right, power cuts that throw
    away what was not stored: every quarter of an hour has the true value or is called a hole, and it is a hole only if
    nothing that was heard covers it."""
    rng = random.Random(3)
    register = registers.Register(Q)
    stored = register.export()
    stored_at = T
    told = {}
    covered = set()
    cuts = 0

    def tell(entries):
        for entry in entries:
            for number in range(entry.count):
                target = entry.target_ms + number * Q
                if entry.mantissa is not None:
                    # What was told for a target stays true after a restart
                    assert abs(entry.measured_ms - target) <= 9 * S
                    low, high = energy(entry.measured_ms - DRIFT), energy(entry.measured_ms + DRIFT)
                    assert low <= entry.mantissa <= high
                    told[target] = entry.mantissa
                else:
                    told.setdefault(target, None)

    at = T
    deaf_until = 0
    wrong = 0
    end = T + 365 * 86400000
    last_target = 0
    first = None
    while at < end:
        at += NOMINAL + rng.randrange(-2000, 2000)
        if rng.random() < 0.0008:
            deaf_until = at + rng.choice((600, 1200, 5000, 40000)) * S
        if at < deaf_until or rng.random() < 0.2:
            continue
        wrong = wrong + 1 if wrong < DRIFT else -DRIFT  # it gains until it is set back
        base = at - at % S - rng.randrange(3) * S  # DP1!B in whole seconds
        first = base if first is None else first
        target = (at - 3 * S) // Q * Q
        new = target != last_target
        for _ in range(2 if rng.random() < 0.05 else 1):
            late = register.feed(base + wrong, energy(base), 0, "Wh")
            if late:
                tell([late])
            if new or rng.random() < 0.01:
                for number in range(1, COUNT + 1):
                    then = base - number * STEP
                    late = register.feed(then + wrong, energy(then), 0, "Wh")
                    if late:
                        tell([late])
        if base >= target and base - COUNT * STEP <= target and new:
            covered.add(target)
        last_target = target
        tell(register.close(at))
        if at - stored_at > 300 * S:
            stored, stored_at = json.dumps(register.export()), at
        if rng.random() < 0.0003:
            cuts += 1
            register = registers.Register.restore(json.loads(stored) if isinstance(stored, str) else stored)
            deaf_until = at + 30 * S
    tell(register.close(end + Q))

    targets = range((first // Q + 1) * Q, end, Q)
    holes = [target for target in targets if told[target] is None]
    assert cuts > 20
    assert len(covered) > 30000
    lost = [target for target in covered if told.get(target) is None and target > first]
    # A cut may take the telegram that covered a target with it; the next ones are too late for that.
    assert len(lost) <= cuts
    record_property("quarter hours of a year, holes, power cuts", (len(targets), len(holes), cuts))
