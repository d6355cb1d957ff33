"""Load profiles over several telegrams: the three forms of one published profile agree, order, memory, contradictions."""

import datetime
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import profile, record
from omsnode.firmware.application.series import Key, Point, Profiles, Series

# OMS Vol.2 Annex G: the same five monthly values as a standard profile (G.2), a compact profile (G.4) and an inverse one (G.6).
STANDARD = (
    "8904FD2205" + "8904FD2801" + "82066C1F15" + "8C041365000000" + "CC041309020000" + "8C051323040000"
    "CC051355070000" + "8C061313100000"
)
FORWARD = "8C041365000000" + "82046C1F11" + "8D04931F0A7AFE4401140232035802"
INVERSE = "8C041313100000" + "82046C1F15" + "8D0493130A7AFE5802320314024401"
MONTHS = [
    ("2008-01-31", 65),
    ("2008-02-29", 209),
    ("2008-03-31", 423),
    ("2008-04-30", 755),
    ("2008-05-31", 1013),
]
# OMS Vol.2 Annex N.3, reassembled and decrypted: water meter, monthly signed differences from 345.290 m3 on 2012-01-01.
N_3 = (
    "2F2F0C1379194100026CB2184C139432380082046C81118C0413905234008D04931F23FBFE6026003939003431006834001042007831"
    "0010540030180086190064240003410002FD1700002F2F2F2F2F"
)
N_3_VALUES = [
    ("2012-01-01", 345290),
    ("2012-02-01", 347950),
    ("2012-03-01", 351889),
    ("2012-04-01", 355023),
    ("2012-05-01", 358491),
    ("2012-06-01", 362701),
    ("2012-07-01", 365879),
    ("2012-08-01", 371289),
    ("2012-09-01", 373119),
    ("2012-10-01", 375105),
    ("2012-11-01", 377569),
    ("2012-12-01", 381672),
]
# OMS Vol.2 Annex N.13 (TAF7): inverse profile of 46 values 8 s apart, base 1995 Wh, 3 s old when it is sent.
N_13 = (
    "0E026099010000000E823C513000000000CD016DE20330CE0103951900000000CD018313304108010305070908060402000000000000"
    "00000000000103050709080604020000000000000000000000010305070908CE01833C050300000000CD0183BC133041080000000000"
    "0000000000010305070908060402000000000000000000000001030507090806040200000000000000C101740302FD971D0000"
)


def records(text):
    found, undecoded = record.decode(bytes.fromhex(text))
    assert undecoded is None
    return profile.expand(found)


def volume(profiles):
    (found,) = [one for key, one in profiles.series.items() if key.quantity == "volume"]
    return found


def values(series):
    """[(time, value in litres)]"""
    return [(point.time, point.mantissa * 10 ** (point.exponent + 3)) for point in series.points]


@pytest.mark.parametrize("text", [STANDARD, FORWARD, INVERSE])
def test_three_forms_of_one_profile(text):
    profiles = Profiles()
    assert profiles.feed(records(text)) == 5
    assert values(volume(profiles)) == MONTHS and profiles.undated == 0
    (key,) = profiles.series
    assert key == Key("volume", (), "m3", "instantaneous", 0, 0, False)


def test_they_merge_into_one():
    profiles = Profiles()
    assert [profiles.feed(records(text)) for text in (INVERSE, STANDARD, FORWARD)] == [5, 0, 0]
    series = volume(profiles)
    assert values(series) == MONTHS
    assert (series.duplicates, series.contradicted, series.dropped) == (10, 0, 0)


def test_annex_n_3():
    profiles = Profiles()
    profiles.feed(records(N_3))
    # Beside the profile the due date value: storage 1 without a date of its own is no point.
    assert values(volume(profiles)) == N_3_VALUES


def test_annex_n_13_is_dated_by_its_reception():
    profiles = Profiles()
    assert profiles.feed(records(N_13)) == 0 and profiles.undated == 92
    profiles = Profiles()
    assert profiles.feed(records(N_13), "2024-03-01T00:00:10") == 94
    imported, exported = (one for key, one in profiles.series.items())
    points = imported.points
    assert (points[-1].time, points[-1].mantissa) == ("2024-03-01T00:00:07", 1995)
    assert (points[-2].time, points[-2].mantissa) == ("2024-02-29T23:59:59", 1994)
    assert (points[0].time, points[0].mantissa) == ("2024-02-29T23:53:59", 1872)
    assert (exported.points[0].mantissa, exported.points[-1].mantissa) == (215, 305)
    # The next telegram, 120 s later, repeats 31 of the 47 instants.
    assert profiles.feed(records(N_13), "2024-03-01T00:02:10") == 30


def test_descriptors_of_another_message_hold():
    """Annex K: a unidirectional meter sends them in a static message."""
    profiles = Profiles()
    assert profiles.feed(records("8904FD2205" + "8904FD2801")) == 0
    assert profiles.feed(records(STANDARD[20:])) == 5
    assert values(volume(profiles)) == MONTHS
    without = Profiles()
    assert without.feed(records(STANDARD[20:])) == 1  # only the value beside the date


@pytest.mark.parametrize("cut", [20, 30, 44, 58, 72])
@pytest.mark.parametrize("maker_data", ["", "AABB"])
def test_a_message_that_is_continued_behind_dif_1f(cut, maker_data):
    profiles = Profiles()
    assert profiles.feed(records(STANDARD[:cut] + "1F" + maker_data)) == 0 and profiles.more_follow
    assert profiles.feed(records(STANDARD[cut:])) == 5 and not profiles.more_follow
    assert values(volume(profiles)) == MONTHS


def test_base_value_in_one_telegram_and_profile_in_the_next():
    first, date, second = INVERSE[:14], INVERSE[14:24], INVERSE[24:]
    profiles = Profiles()
    for part in (first + "1F", date + "1F"):
        assert profiles.feed(records(part)) == 0
    last = records(second)
    assert last[-1].flag == "no base value"
    assert profiles.feed(last) == 5 and last[-1].flag == "no base value"
    assert values(volume(profiles)) == MONTHS


def test_the_rest_of_a_message_does_not_come():
    profiles = Profiles()
    profiles.feed(records(STANDARD[:72] + "1F"))
    assert profiles.end() == 3 and values(volume(profiles)) == MONTHS[:3]
    assert profiles.end() == 0


def test_a_ring_whose_oldest_value_is_not_at_the_smallest_number():
    """Annex K FD 20: the values of G.2, moved on by three numbers in a ring of five (8 to 12)."""
    numbers = {8: "8C04", 9: "CC04", 10: "8C05", 11: "CC05", 12: "8C06"}
    volumes = ("1365000000", "1309020000", "1323040000", "1355070000", "1313100000")
    text = "C005FD20" + "C905FD2205" + "C905FD2801"  # oldest at 11
    for place, data in enumerate(volumes):
        text += numbers[8 + (3 + place) % 5] + data
    text += "82056C1F15"  # the youngest is at 10
    profiles = Profiles()
    assert profiles.feed(records(text)) == 5
    assert values(volume(profiles)) == MONTHS


@pytest.mark.parametrize("code, second", [("24", "00:00:10"), ("25", "00:10:00"), ("26", "10:00:00")])
def test_intervals(code, second):
    """Ten seconds, minutes, hours; date and time of type F stand at the older value."""
    text = "8904FD" + code + "10" + "84046D" + "0000A11C" + "8C041365000000" + "CC041309020000"
    profiles = Profiles()
    assert profiles.feed(records(text)) == 2
    (first, second_point) = volume(profiles).points
    begin = datetime.datetime.fromisoformat(first.time)
    end = datetime.datetime.fromisoformat(second_point.time)
    assert str(datetime.datetime.min + (end - begin))[11:] == second


def test_interval_of_a_year_and_same_time():
    for count, expected in (("01", "2009-01-31"), ("00", "2008-01-31")):
        text = "8904FD29" + count + "82046C1F11" + "8C041365000000" + "CC041365000000"
        profiles = Profiles()
        profiles.feed(records(text))
        assert volume(profiles).points[-1].time == expected


def test_tariffs_and_maxima_are_series_of_their_own():
    text = "82046C1F11" + "8C041365000000" + "8C141309020000" + "9C041323040000" + "CC8400" + "1355070000"
    profiles = Profiles()
    profiles.feed(records(text))
    assert len(profiles.series) == 3
    assert all([point.time for point in one.points] == ["2008-01-31"] for one in profiles.series.values())


def test_wildcard_and_invalid_dates_date_nothing():
    for date in ("82046CE1F1", "82046CFFFF"):
        profiles = Profiles()
        assert profiles.feed(records("8904FD2801" + date + "8C041365000000")) == 0


# --- one series ---


def point(time, mantissa, exponent=0, flag=None):
    return Point(time, mantissa, exponent, "m3", flag, 8)


def test_contradictions_are_named_and_the_first_stays():
    series = Series()
    assert series.add(point("2024-01-01", 5)) and not series.add(point("2024-01-01", 50, -1))
    assert not series.add(point("2024-01-01", 6))
    assert (series.duplicates, series.contradicted) == (1, 1)
    assert series.contradictions == [(point("2024-01-01", 5), point("2024-01-01", 6))]
    for number in range(100):
        series.add(point("2024-01-01", 100 + number))
    assert series.contradicted == 101 and len(series.contradictions) == 16
    assert [one.mantissa for one in series.points] == [5]


def test_an_invalid_value_gives_way():
    series = Series()
    series.add(point("2024-01-01", None, None, "invalid"))
    assert not series.add(point("2024-01-01", None, None, "invalid"))
    assert series.add(point("2024-01-01", 7))
    assert not series.add(point("2024-01-01", None, None, "invalid"))
    assert series.points == [point("2024-01-01", 7)] and series.contradicted == 0


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), max_size=80), st.integers(1, 20))
def test_any_order_of_arrival(arrivals, size):
    series = Series(size)
    for minute, value in arrivals:
        series.add(point("2024-01-01T00:%02d" % minute, value))
    times = [one.time for one in series.points]
    assert times == sorted(set(times)) and len(times) <= size
    wanted = sorted({minute for minute, _ in arrivals})[-size:]
    assert times == ["2024-01-01T00:%02d" % minute for minute in wanted]


def test_memory_is_bounded():
    profiles = Profiles(size=3, most=2)
    for number in range(5):
        profiles.feed(
            records(
                "82046C%02X1%X" % (0x01 + number, 1) + "8C%02X131300" % (0x04 + 16 * (number % 4)) + "0000"
            )
        )
    assert len(profiles.series) <= 2 and all(len(one.points) <= 3 for one in profiles.series.values())
    chain = Profiles(most=2)
    for _ in range(100):
        chain.feed(records("8C0413650000001F"))
    assert len(chain._open) <= 64


@pytest.mark.parametrize(
    "age, time",
    [
        ("0477FFFFFFFF", None),  # -1 day
        ("4577" + "0000C03F", None),  # a real: 1.5 days
        ("4577" + "00000040", "2024-01-01T00:00"),
        ("4777" + "FFFFFFFFFFFFFF7F", None),  # before the year 0
        ("4A77" + "0200", "2024-01-01T00:00"),
        ("4A77" + "02F0", None),  # -2
    ],
)
def test_ages_that_make_sense(age, time):
    """An actuality duration is a whole number that is not negative, and leads to a year with four digits."""
    age = "4" + age[1:]
    profiles = Profiles()
    profiles.feed(records("440301000000" + age), "2024-01-03T00:00")
    assert [[point.time for point in one.points] for one in profiles.series.values()] == (
        [[time]] if time else []
    )


def test_intervals_that_lead_nowhere():
    for interval in ("8401FD27FFFFFF7F", "8501FD2700000040", "8501FD270000003F"):
        profiles = Profiles()
        new = profiles.feed(records(interval + "82016C1F2C" + "C4010301000000"))
        assert new == (interval == "8501FD2700000040")  # a real, but two days


class _Watched(record.Record):
    looked = 0

    @property
    def vib(self):
        _Watched.looked += 1
        return self.kept

    @vib.setter
    def vib(self, value):
        self.kept = value


def test_many_dates_and_many_values_without_one():
    """The date of each value is looked up, not searched in all records for each date of the block."""

    def numbers(field, storage):
        return "%02X%02X%02X" % (0x80 | field | (storage & 1) << 6, 0x80 | storage >> 1 & 15, storage >> 5)

    size = 200
    text = "8101FD2701"
    text += "".join(numbers(1, 32 + one) + "0305" for one in range(size))
    text += "".join(numbers(2, 32 + size + one) + "6C0121" for one in range(size))
    found = records(text)
    for one in found:
        vib = one.vib
        one.__class__ = _Watched
        one.vib = vib
    _Watched.looked = 0
    assert Profiles().feed(found) == size
    assert _Watched.looked < 50 * len(found) + size * len(found)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from([None, "2024-03-01T00:00:10"]))
def test_nothing_but_points(payloads, received):
    profiles = Profiles(size=16, most=4)
    for payload in payloads:
        profiles.feed(profile.expand(record.decode(payload)[0]), received)
    profiles.end(received)
    for series in profiles.series.values():
        assert all(len(one.time) >= 10 for one in series.points)


def test_every_profile_of_the_vectors(shared):
    """What the vectors list as expanded is in the series with the listed time."""
    vectors = json.loads((shared / "vectors" / "application.json").read_text())["vectors"]
    compared = 0
    for vector in vectors:
        for listed in vector.get("profile_expanded", ()):
            profiles = Profiles()
            profiles.feed(records(vector["hex"]))
            told = {(point.time, point.storage) for one in profiles.series.values() for point in one.points}
            for entry in listed.get("entries", ()):
                if entry.get("time"):
                    assert any(
                        time.startswith(entry["time"]) and storage == entry["storage"]
                        for time, storage in told
                    ), vector["id"]
                    compared += 1
    assert compared > 20
