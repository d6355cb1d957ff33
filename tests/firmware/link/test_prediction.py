"""Prediction of synchronous telegrams, against meters that follow the printed table of the interval and not its formula."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link.prediction import MISSES, Prediction, listening

S = 1000000
DAY_S = 86400
# Link sheet 8.5: seconds between the frame with this number and the next, for t_NOM = 900 s. Between them it is linear.
TABLE = ((0, 928.125), (64, 900.0), (128, 871.875), (192, 900.0), (256, 928.125))
PRINTED = {1: 927.686, 255: 927.686, 127: 872.314, 129: 872.314}
SLACK_US = 3000


def interval_s(nominal_s, number):
    for (low, first), (high, second) in zip(TABLE, TABLE[1:], strict=False):
        if low <= number <= high:
            return nominal_s / 900 * (first + (second - first) * (number - low) / (high - low))
    raise AssertionError(number)


def test_the_table_is_the_printed_one():
    for number, seconds in PRINTED.items():
        assert interval_s(900, number) == pytest.approx(seconds, abs=0.0005)


class Simulated:
    """A meter's schedule in true time. ppm: of its clock against that of the receiver. swing_ppm: what temperature makes of
    it over a day. fillers: n of n ACC-NR per SND-NR. restarts: instants in seconds."""

    def __init__(self, nominal_s, seed=0, ppm=0.0, swing_ppm=0.0, fillers=0, restarts=()):
        self.rng = random.Random(seed)
        self.nominal_s = nominal_s
        self.ppm = ppm
        self.swing_ppm = swing_ppm
        self.phase = self.rng.random()
        self.every = fillers + 1
        self.restarts = list(restarts)

    def clock(self, at_s):
        """Seconds that pass per second of the meter's clock."""
        turn = at_s / DAY_S + self.phase
        return 1 + (self.ppm + self.swing_ppm * (4 * abs(turn % 1 - 0.5) - 1)) * 1e-6

    def telegrams(self, until_s):
        """(instant in us, access number, data) until then; the instant without noise, as a float."""
        restarts = [*self.restarts, float("inf")]
        number, at_s = self.rng.randrange(256), self.rng.random() * self.nominal_s
        slot = self.rng.randrange(self.every)
        while at_s < until_s:
            if at_s >= restarts[0]:
                number, slot = self.rng.randrange(256), 0
                at_s = restarts.pop(0) + self.rng.random() * self.nominal_s
                continue
            yield at_s * 1e6, number, slot % self.every == 0
            at_s += interval_s(self.nominal_s, number) * self.clock(at_s)
            number = (number + 1) % 256
            slot += 1


def noisy(rng, at_us):
    return round(at_us + rng.uniform(-100, 100))


@pytest.mark.parametrize("handed_in", (False, True))
@pytest.mark.parametrize("ppm", (-20, -7.3, 0, 20))
@pytest.mark.parametrize("nominal_s", (16, 60, 120, 450, 900, 37.5))
def test_a_day_within_three_milliseconds(nominal_s, ppm, handed_in, record_property):
    """+-20 ppm, 5 ppm up and down over the day, 1 % losses, +-100 us of noise: from ten telegrams on."""
    worst, doubts, heard = 0, 0, 0
    meter = Simulated(nominal_s, seed=ppm * 1000 + nominal_s, ppm=ppm, swing_ppm=5)
    rng = random.Random(nominal_s)
    prediction = Prediction(int(nominal_s * S) if handed_in else None)
    for at_us, number, _ in meter.telegrams(DAY_S):
        if heard >= 2:
            now_us = int(at_us) - 4 * S
            told_us, told_number, doubt_us = prediction.next(now_us)
            assert told_number == number
            assert abs(told_us - at_us) <= doubt_us
            if heard >= 10:
                assert abs(told_us - at_us) <= SLACK_US, (at_us / S, heard)
                worst = max(worst, abs(told_us - at_us))
                doubts += doubt_us
        if rng.random() >= 0.01:
            fits = prediction.feed(noisy(rng, at_us), number, True)
            assert fits or heard < 2
            heard += 1
    assert heard > 80 and doubts / heard < SLACK_US
    assert prediction.nominal_us == nominal_s * S or nominal_s == 37.5
    assert abs(prediction.drift_ppb - 1000 * ppm) < 8000 or nominal_s == 37.5 and not handed_in
    if ppm == 20 and not handed_in:
        record_property(
            "prediction over a day, one telegram every {} s".format(nominal_s), "{:.0f} us".format(worst)
        )


class Battery:
    """A gateway that sleeps: it hears what comes while it listens, with losses, and plans anew behind each."""

    def __init__(self, meters, loss=0.01, data_only=False, seed=1, handed_in=()):
        self.meters = meters
        self.rng = random.Random(seed)
        self.loss = loss
        self.data_only = data_only
        self.predictions = [Prediction(one) for one in handed_in or [None] * len(meters)]
        self.listened_us = 0
        self.heard = [0] * len(meters)
        self.sent = [0] * len(meters)

    def run(self, until_s):
        plan, done_us = [], 0
        for at_us, which, number, data in self._air(until_s):
            while done_us < at_us:  # plans are for a quarter of an hour, or until a telegram is heard
                plan = listening(self.predictions, done_us, done_us + 900 * S, data_only=self.data_only)
                end_us = min(done_us + 900 * S, int(at_us) + 1)
                self.listened_us += sum(max(0, min(end, end_us) - begin) for begin, end in plan)
                done_us = end_us
            self.sent[which] += data or not self.data_only
            listens = any(begin <= at_us <= end for begin, end in plan)
            if listens and self.rng.random() >= self.loss:
                self.heard[which] += data or not self.data_only
                self.listened_us += 5000  # to the end of the frame
                self.predictions[which].feed(noisy(self.rng, at_us), number, True, 0, data)

    def _air(self, until_s):
        rows = []
        for which, meter in enumerate(self.meters):
            rows += [(at_us, which, number, data) for at_us, number, data in meter.telegrams(until_s)]
        return sorted(rows)


def share(battery, seconds):
    return battery.listened_us / seconds / S


@pytest.mark.parametrize("nominal_s", (16, 60, 900))
def test_listening_time_of_a_battery_gateway(nominal_s, record_property):
    meter = Simulated(nominal_s, seed=5, ppm=-18, swing_ppm=5)
    battery = Battery([meter])
    battery.run(DAY_S)
    # 1 % is lost on the air, what is lost beside that is lost by sleeping
    assert battery.heard[0] >= 0.975 * battery.sent[0] - 2
    # two intervals to learn, then some milliseconds per telegram
    assert battery.listened_us <= 4 * nominal_s * S + battery.sent[0] * 20000
    figure = "{:.1f} s instead of {} s: {:.2f} % ({} of {} telegrams heard)".format(
        battery.listened_us / S, DAY_S, 100 * share(battery, DAY_S), battery.heard[0], battery.sent[0]
    )
    record_property("listening, one meter every {} s".format(nominal_s), figure)


def test_listening_time_for_twenty_meters_that_restart(record_property):
    """Each restarts once in the day: with another number, in another slot."""
    meters = [
        Simulated((120, 300, 450, 900)[i % 4], i, ppm=2 * i - 19, swing_ppm=5, restarts=[9000 + 3000 * i])
        for i in range(20)
    ]
    battery = Battery(meters)
    battery.run(DAY_S)
    heard, sent = sum(battery.heard), sum(battery.sent)
    assert heard >= 0.95 * sent
    assert share(battery, DAY_S) < 0.6
    figure = "{:.0f} s instead of 86400 s: {:.1f} % ({} of {} telegrams heard)".format(
        battery.listened_us / S, 100 * share(battery, DAY_S), heard, sent
    )
    record_property("listening, 20 meters that restart once", figure)


def test_a_meter_that_restarts_is_found_again():
    meter = Simulated(60, 3, ppm=11, restarts=[4000, 9000])
    battery = Battery([meter], loss=0)
    battery.run(14000)
    # lost: what comes while its old windows pass
    assert battery.sent[0] - battery.heard[0] <= 2 * (MISSES + 1) and battery.listened_us < 900 * S
    assert battery.predictions[0].nominal_us == 60 * S


def test_only_every_slot_with_data():
    """Three fillers per data telegram: a quarter of the windows once that is learnt, and no data lost."""
    lazy = Battery([Simulated(30, 9, ppm=5, fillers=3)], loss=0.01, data_only=True)
    eager = Battery([Simulated(30, 9, ppm=5, fillers=3)], loss=0.01)
    lazy.run(DAY_S)
    eager.run(DAY_S)
    assert lazy.predictions[0].every == 4
    assert lazy.heard[0] >= 0.975 * lazy.sent[0]
    awake = lazy.listened_us - 30 * S * 3, eager.listened_us - 30 * S * 3
    assert awake[0] < 0.5 * awake[1]


def test_another_ratio_after_installation_is_noticed():
    prediction = Prediction()
    at_s, number = 1.0, 0
    for every in (4, 6):
        for slot in range(120):
            prediction.feed(round(at_s * 1e6), number, True, 0, slot % every == 0)
            at_s += interval_s(16, number)
            number = (number + 1) % 256
        assert prediction.every == every


def fed(nominal_s=60, telegrams=6, number=250, **more):
    """(prediction, instant in s and number of the telegram that comes next)."""
    prediction = Prediction(**more)
    at_s = 5.0
    for _ in range(telegrams):
        prediction.feed(round(at_s * 1e6), number, True)
        at_s += interval_s(nominal_s, number)
        number = (number + 1) % 256
    return prediction, at_s, number


def test_what_is_asynchronous_or_repeated_is_left_aside():
    prediction, at_s, number = fed()
    before = prediction.next(int((at_s - 30) * S)), prediction.export(0)
    assert not prediction.feed(int((at_s - 20) * S), (number - 1) % 256, False)
    assert not prediction.feed(int((at_s - 45) * S), (number - 1) % 256, True, hops=1)
    assert not prediction.feed(round(at_s * S), number, True, hops=1)
    assert not prediction.feed(round(at_s * S), number, False)
    assert (prediction.next(int((at_s - 30) * S)), prediction.export(0)) == before
    fresh = Prediction()
    fresh.feed(1 * S, 4, False)
    fresh.feed(2 * S, 5, True, 1)
    assert fresh.next(3 * S) is None and fresh.nominal_us is None and fresh.drift_ppb is None


def test_a_stray_telegram_changes_nothing():
    prediction, at_s, number = fed()
    told = prediction.next(int((at_s - 30) * S))
    assert not prediction.feed(int((at_s - 31) * S), 77, True)
    assert not prediction.feed(int((at_s - 31) * S), 77, True)  # nor does it become true by being said twice
    assert prediction.next(int((at_s - 30) * S)) == told
    assert prediction.feed(round(at_s * S), number, True)


def test_the_same_telegram_again_fits_and_changes_nothing():
    prediction, at_s, number = fed()
    assert prediction.feed(round(at_s * S), number, True)
    state = prediction.export(0)
    assert prediction.feed(round(at_s * S) + 40, number, True)
    assert not prediction.feed(round(at_s * S) - 30 * S, number, True)  # from before
    assert prediction.export(0) == state


def test_a_continuous_receiver_finds_the_new_place_at_the_second_telegram():
    prediction, at_s, _ = fed()
    at_s += 20.5
    for number, fits in ((7, False), (8, True), (9, True)):
        assert prediction.feed(round(at_s * S), number, True) is fits
        at_s += interval_s(60, number)
    told = prediction.next(int((at_s - 5) * S))
    assert abs(told[0] - at_s * S) <= 200 and told[1] == 10


def test_a_wrong_beginning_is_put_right():
    """A restart between the first two telegrams, or a wrong t_NOM handed in."""
    for prediction in (Prediction(), Prediction(nominal_us=77 * S)):
        prediction.feed(3 * S, 200, True)
        at_s = 51.0
        for number in range(20, 26):
            prediction.feed(round(at_s * S), number, True)
            at_s += interval_s(60, number)
        told = prediction.next(int((at_s - 5) * S))
        assert abs(told[0] - at_s * S) <= 200 and told[1] == 26
        assert prediction.nominal_us == 60 * S


def test_missed_windows_end_in_listening():
    prediction, at_s, number = fed(60)
    doubts = []
    for _ in range(MISSES):
        told_us, told_number, doubt_us = prediction.next(int((at_s - 5) * S))
        assert told_number == number and abs(told_us - at_s * S) <= doubt_us
        doubts.append(doubt_us)
        at_s += interval_s(60, number)
        number = (number + 1) % 256
    assert doubts == sorted(doubts) and doubts[0] < doubts[-1]
    assert prediction.next(int((at_s - 5) * S)) is None
    assert listening([prediction], int(at_s * S), int(at_s * S) + 5) == [(int(at_s * S), int(at_s * S) + 5)]
    # Much later it still fits, or begins again.
    assert prediction.feed(round(at_s * S), number, True)
    assert prediction.next(int(at_s * S) + 1) is not None


def test_more_than_256_slots_missed():
    prediction, at_s, number = fed(16)
    for _ in range(300):
        at_s += interval_s(16, number)
        number = (number + 1) % 256
    assert prediction.feed(round(at_s * S), number, True)
    assert abs(prediction.later(1)[0] - (at_s + interval_s(16, number)) * S) <= 200


def test_known_interval_tells_after_one_telegram():
    prediction = Prediction(nominal_us=900 * S)
    prediction.feed(10 * S, 64, True)
    at_us, number, doubt_us = prediction.next(20 * S)
    assert (at_us, number) == (910 * S, 65)
    assert 250e-6 * 900 * S <= doubt_us <= 350e-6 * 900 * S
    assert prediction.feed(910 * S + 200000, 65, True)  # a clock that is slow by 222 ppm
    assert prediction.drift_ppb == pytest.approx(222222, abs=2)
    assert prediction.nominal_us == 900 * S


def test_a_clock_that_is_off_by_250_ppm_is_learnt():
    for ppm in (-250, 250):
        meter = Simulated(900, 2, ppm=ppm)
        prediction = Prediction()
        for at_us, number, _ in meter.telegrams(20000):
            if prediction.feed(round(at_us), number, True):
                assert abs(prediction.drift_ppb - 1000 * ppm) < 1000
        assert prediction.nominal_us == 900 * S


def test_later_counts_from_the_last_one_heard():
    prediction, at_s, number = fed(60)
    for k in range(1, 600):
        told_us, told_number, doubt_us = prediction.later(k)
        assert told_number == number and abs(told_us - at_s * S) <= doubt_us
        at_s += interval_s(60, number)
        number = (number + 1) % 256
    with pytest.raises(MisuseError):
        prediction.later(0)
    assert Prediction().later(1) is None


def test_plan_of_many_meters():
    """Three windows, of which two meet; nothing outside the time that is asked for."""
    one, first_s, _ = fed(60, 8)
    two = Prediction()
    for slot in range(8):
        begin = 5.0 + sum(interval_s(60, (250 + i) % 256) for i in range(slot))
        two.feed(round(begin * S) + 3000, (250 + slot) % 256, True)
    three, _, _ = fed(16, 24, number=10)
    begin_us = int(first_s * S) - 10 * S
    plan = listening([one, two, three], begin_us, begin_us + 12 * S, before_us=1000, after_us=400)
    lone = listening([one], begin_us, begin_us + 12 * S, before_us=1000, after_us=400)
    ((begin, end),) = lone
    at_us, _, doubt_us = one.next(begin_us)
    assert (begin, end) == (at_us - doubt_us - 1000, at_us + doubt_us + 400)
    assert plan == sorted(plan) and any(low <= begin and high >= end + 3000 for low, high in plan)
    assert all(high < low for (_, high), (low, _) in zip(plan, plan[1:], strict=False))
    assert listening([], 5, 10) == [] and listening([Prediction()], 5, 10) == [(5, 10)]
    assert listening([one], begin_us, begin + 1)[-1][1] == begin + 1


def test_state_survives_a_restart_of_the_board():
    """The board's clock begins again; with UTC the windows go on, without it interval and ratio are kept."""
    prediction, at_s, number = fed(60, 12)
    utc_us = 1767225600 * S
    state = prediction.export(utc_us)
    for _ in range(3):
        at_s += interval_s(60, number)
        number = (number + 1) % 256
    moved_us = round(at_s * S) - 7 * S  # the new clock is 7 s at the telegram
    other = Prediction()
    other.restore(state, utc_us + moved_us, off_by_us=50000)
    at_us, told, doubt_us = other.next(2 * S)
    assert told == number and abs(at_us - 7 * S) <= 200 and 50000 < doubt_us < 60000
    assert other.feed(7 * S + 41234, number, True)
    at_us, told, doubt_us = other.next(8 * S)
    assert abs(at_us - 7 * S - 41234 - interval_s(60, number) * S) <= doubt_us < 2000
    bare = Prediction()
    bare.restore(prediction.export(), utc_us)
    assert bare.next(0) is None and bare.nominal_us == 60 * S
    bare.feed(7 * S, number, True)
    assert abs(bare.next(8 * S)[0] - 7 * S - interval_s(60, number) * S) <= 200


@pytest.mark.parametrize(
    "damage",
    [
        {"slope": [0, 4]},
        {"slope": [5]},
        {"slope": "no"},
        {"every": None},
        {"distances": "x"},
        {"last": [1, 2]},
        {"last": [1, 256, 0]},
        {"last": [1, 25, -2]},
        {"slope": None, "last": [1, 2, 0]},
        {"slope": [10**30, 2048]},  # it would sleep for ever
        {"slope": [1, 2048]},
    ],
)
def test_damaged_state_is_refused_and_changes_nothing(damage):
    prediction, _, _ = fed(60, 12)
    state = prediction.export(0)
    with pytest.raises(MisuseError):
        prediction.restore({**state, **damage}, 0)
    assert prediction.export(0) == state


@pytest.mark.parametrize("state", (None, [], "x", 5))
def test_state_that_is_no_dict(state):
    with pytest.raises(MisuseError):
        Prediction().restore(state, 0)


@pytest.mark.parametrize("years", (1, 30))
def test_a_restored_telegram_that_has_yet_to_come(years):
    """The real-time clock fell back, or what is stored is damaged: listen at once, learn anew."""
    prediction, _, _ = fed(60, 12)
    state = prediction.export(0)
    state["last"][0] += years * 365 * DAY_S * S
    other = Prediction()
    other.restore(state, 0)
    assert other.next(1000 * S) is None and listening([other], 5, 10) == [(5, 10)]
    at_s = 1000.0
    for number in range(3, 6):
        other.feed(round(at_s * S), number, True)
        at_s += interval_s(60, number)
    told = other.next(int((at_s - 5) * S))
    assert abs(told[0] - at_s * S) <= told[2] and told[1] == 6


def test_a_nominal_interval_that_is_none():
    for nominal_us in (-1, 0, 1100, 999999):
        with pytest.raises(MisuseError):
            Prediction(nominal_us)


# --- who sends in the name of a meter, and meters that do not keep to their slots ---


def forged(prediction, from_s, number, count, nominal_s=1.0):
    """So many telegrams of a stranger, who keeps a perfect schedule of his own. How many were believed."""
    believed = 0
    for i in range(count):
        believed += prediction.feed(round(from_s * S), (number + i) % 256, True)
        from_s += interval_s(nominal_s, (number + i) % 256)
    return believed


@pytest.mark.parametrize("nominal_s", (1.0, 3.7, 20))
def test_a_stranger_between_two_telegrams_is_not_believed(nominal_s):
    """Anybody can send in the name of a meter; as long as it is heard itself, its line stays."""
    prediction, at_s, number = fed(900, 6)
    for _ in range(20):
        told = prediction.next(int((at_s - 800) * S))
        assert forged(prediction, at_s - 800, 7, 30, nominal_s) == 0
        assert prediction.next(int((at_s - 50) * S)) == told and told[1] == number
        assert prediction.feed(round(at_s * S), number, True)
        at_s += interval_s(900, number)
        number = (number + 1) % 256
    assert prediction.nominal_us == 900 * S


@pytest.mark.parametrize("nominal_s", (1.0, 60, 7000))
def test_a_stranger_that_is_believed_is_soon_forgotten(nominal_s):
    """The meter is not heard for a day, the stranger is. Then the meter, awake as `listening` says."""
    prediction, at_s, number = fed(60, 6)
    begin_s = at_s
    assert forged(prediction, at_s + 40, 7, 10, nominal_s) >= 7
    while at_s < begin_s + 40 + 10 * nominal_s:
        at_s += interval_s(60, number)
        number = (number + 1) % 256
    first_s, heard = at_s, 0
    while heard < 5:
        at_us = round(at_s * S)
        if any(begin <= at_us <= end for begin, end in listening([prediction], at_us - S, at_us + S)):
            heard += prediction.feed(at_us, number, True)
        at_s += interval_s(60, number)
        number = (number + 1) % 256
        assert at_s < first_s + (MISSES + 2) * nominal_s * 1.04 + 600
    assert prediction.nominal_us == 60 * S


def test_a_stranger_cannot_spoil_the_ratio_for_ever():
    prediction = Prediction()
    at_s, number = 1.0, 0
    for slot in range(1200):
        data = slot % 4 == 0 or slot == 201  # one that came just in the slot of a filler
        prediction.feed(round(at_s * S), number, True, 0, data)
        if slot == 204:
            assert prediction.every == 1
        at_s += interval_s(16, number)
        number = (number + 1) % 256
    assert prediction.every == 4


class Unsteady(Battery):
    """Its meters are off by up to so many microseconds, each time anew."""

    def __init__(self, meters, off_us):
        super().__init__(meters)
        self.off_us = off_us

    def _air(self, until_s):
        rng = random.Random(7)
        rows = super()._air(until_s)
        return sorted((at_us + rng.uniform(-self.off_us, self.off_us), *rest) for at_us, *rest in rows)


def test_meters_that_do_not_keep_to_their_slots(record_property):
    """They are not believed: the receiver stays awake rather than sleep through what they send."""
    for off_us, least in ((2000, 0.9), (50000, 0.95), (500000, 0.95)):
        battery = Unsteady([Simulated(60, 5, ppm=-18)], off_us)
        battery.run(DAY_S)
        assert battery.heard[0] >= least * battery.sent[0], off_us
        record_property(
            "a meter that is off by up to {} ms".format(off_us // 1000),
            "{} of {} heard, listening {:.1%}".format(
                battery.heard[0], battery.sent[0], share(battery, DAY_S)
            ),
        )


def test_a_meter_with_intervals_of_its_own():
    """Always 60 s, whatever the access number says: no window is told that it does not keep."""
    prediction = Prediction()
    wrong = 0
    for i in range(200):
        told = prediction.next(i * 60 * S - 20 * S) if i else None
        wrong += told is not None and abs(told[0] - i * 60 * S) > told[2]
        prediction.feed(i * 60 * S, (40 + i) % 256, True)
    assert wrong < 5


def test_two_meters_with_one_address():
    """Who comes first is predicted, and the other left aside; if both begin at once nothing is told that does not come."""
    one, two = (list(Simulated(60, seed, ppm=5).telegrams(20000)) for seed in (1, 2))
    for late in (0, 10):
        prediction = Prediction()
        told, right = None, 0
        for at_us, number, _ in sorted(one + two[late:]):
            right += told is not None and abs(told[0] - at_us) <= told[2]
            prediction.feed(round(at_us), number, True)
            told = prediction.next(round(at_us) + 1)
        if late:
            assert right >= len(one) - 4 - late
        else:
            assert told is None


telegram = st.tuples(
    st.integers(0, 40 * S) | st.integers(0, 1 << 45),
    st.integers(0, 255),
    st.booleans(),
    st.integers(0, 1),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(telegram, max_size=30), st.none() | st.integers(S, 10**11))
def test_whatever_is_fed_the_answers_make_sense(telegrams, nominal_us):
    prediction = Prediction(nominal_us)
    now_us = 0
    for step_us, number, synchronous, hops, data in telegrams:
        now_us += step_us
        prediction.feed(now_us, number, synchronous, hops, data)
        for data_only in (False, True):
            told = prediction.next(now_us, data_only)
            if told is not None:
                at_us, number, doubt_us = told
                assert at_us + doubt_us >= now_us and 0 <= number <= 255 and doubt_us > 0
        plan = listening([prediction], now_us, now_us + 60 * S)
        assert all(now_us <= begin <= end <= now_us + 60 * S for begin, end in plan)
        assert 1 <= prediction.every <= 16
    state = prediction.export(5)
    Prediction(nominal_us).restore(state, 5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1100, 900000),
    st.integers(0, 255),
    st.integers(-250, 250),
    st.lists(st.integers(1, 40), min_size=3, max_size=12),
)
def test_any_interval_is_found_over_any_gaps(nominal_ms, number, ppm, gaps):
    """t_NOM of 1.1 s to 900 s with a clock that is off, up to 39 telegrams lost between two. Not one is heard twice in 256."""
    prediction = Prediction()
    at_s = 3.0
    clock = 1 + ppm * 1e-6
    fits = []
    for gap in gaps:
        fits.append(prediction.feed(round(at_s * S), number, True))
        for _ in range(gap):
            at_s += interval_s(nominal_ms / 1000, number) * clock
            number = (number + 1) % 256
    assert fits == [False, False] + [True] * (len(gaps) - 2)
    told = prediction.later(gaps[-1])
    assert told[1] == number and abs(told[0] - at_s * S) <= told[2]
