"""Named findings about implausible values (sheet en13757-3-application 11.3): each is provoked, and each is absent from
what a healthy meter sends."""

import copy
import json

import pytest
import support_gateway as make
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application.plausibility import Plausibility
from omsnode.firmware.errors import StoreError

T = make.RECEIVED
HOUR = 3600000
DAY = 24 * HOUR


def checks(plausibility, records, at=T, device_type="07", **more):
    return plausibility.check(make.meter(records, device_type, **more), at)


def names(found):
    return [finding.check for finding in found]


def after(first, second, later=HOUR, device_type="07", **more):
    plausibility = Plausibility(**more)
    checks(plausibility, first, T, device_type)
    return checks(plausibility, second, T + later, device_type)


# --- a record by itself ---


@pytest.mark.parametrize(
    ("records", "device_type", "name"),
    [
        ("0413 00000080", "07", "invalid value"),  # type B marker
        ("0C13 FFFFEEEE", "07", "invalid value"),  # error digits
        ("0513 0000C07F", "07", "invalid value"),  # not a number
        ("0513 0000807F", "07", "invalid value"),  # infinite
        ("0493 18 00000000", "07", "invalid value"),  # VIFE 18: data error
        ("0493 16 00000000", "07", "invalid value"),  # VIFE 16: overflow
        ("0413 08190000 3413 08190000", "07", "error state"),
        ("0413 08190000 3222 0F00", "07", None),  # 15 hours in an error state
        ("0C13 99999999", "07", "register full"),
        ("0413 FFFFFF7F", "07", "register full"),
        ("025B 2C01", "04", None),  # 300 °C is the end of the range
        ("025B 2D01", "04", "over range"),  # 301 °C
        ("025B C3FF", "04", "over range"),  # -61 °C
        ("02FD48 0F27", "02", None),  # 999.9 V
        ("02FD48 1127", "02", "over range"),  # 1000.1 V
        ("0413 08190000 046D 00000000", "07", "time incomplete"),
        ("0413 08190000 046D 3F371F15", "07", "time incomplete"),  # every minute
        ("0403 08190000 0413 08190000", "07", "not mapped"),  # energy of a water meter
        ("0413 08190000", "07", None),
        ("0DFD11 03414243", "07", None),  # a text is no invalid number
        ("0413 08190000 0F 0102", "07", None),
        (
            "8C0413 13100000 82046C 1F15 8D0493130A7AFE58023203FFFF4401",
            "07",
            "profile incomplete",
        ),
    ],
)
def test_what_a_record_says_by_itself(records, device_type, name):
    found = names(checks(Plausibility(), records, None, device_type))
    assert found == ([] if name is None else [name])


def test_a_finding_names_point_and_numbers():
    (finding,) = checks(Plausibility(), "025B 2D01", None, "04")
    assert (finding.check, finding.obis, finding.data_point) == ("over range", "6-0:10.0.0*255", "TC1!")
    assert finding.quantity == "flow temperature"
    assert finding.numbers == (("value", (301, 0, "°C")), ("highest", (300, 0, "°C")))


# --- against what came before ---


def test_counter_goes_backwards():
    (finding,) = after("0413 08190000", "0413 07190000")
    assert finding.check == "goes backwards"
    assert finding.obis == "8-0:1.0.0*255"
    assert finding.numbers == (("before", (6408, -3, "m3")), ("now", (6407, -3, "m3")))


def test_counter_rolls_over():
    assert names(after("0C13 98999999", "0C13 03000000")) == ["rolled over"]
    assert names(after("0C13 50000000", "0C13 03000000")) == ["goes backwards"]


def test_counter_backwards_in_another_resolution():
    # 6408 l, then 6 m3
    assert names(after("0413 08190000", "0416 06000000")) == ["layout changed", "goes backwards"]


def test_unit_changes():
    assert names(after("0403 08190000", "040E 08190000", device_type="04")) == ["unit changed"]


def test_data_field_changes():
    found = after("0413 08190000", "0313 081900")
    assert names(found) == ["layout changed"]
    assert found[0].numbers == (("before", "field 4, VIB 13"), ("now", "field 3, VIB 13"))


def test_jump_by_device_class():
    # A water meter: 250 m3 in an hour is the limit (and two counts of the display)
    assert names(after("0413 00000000", "0413 90D00300")) == []  # 250.000 m3
    assert names(after("0413 00000000", "0413 92D00300")) == []  # 250.002 m3
    (finding,) = after("0413 00000000", "0413 93D00300")
    assert finding.check == "jump"
    assert finding.numbers[2] == ("time", (HOUR, -3, "s"))
    # in the tenth part of the time a tenth
    assert names(after("0413 00000000", "0413 A9610000", later=HOUR // 10)) == []
    assert names(after("0413 00000000", "0413 AB610000", later=HOUR // 10)) == ["jump"]


def test_limit_of_a_kind_can_be_set():
    limits = {("volume", "m3"): (4, 0)}
    assert names(after("0413 00000000", "0413 A00F0000", limits=limits)) == []
    assert names(after("0413 00000000", "0413 B00F0000", limits=limits)) == ["jump"]


def test_coarse_displays_may_step_at_once():
    # 1 MWh in one second: one count
    assert names(after("0406 01000000", "0406 02000000", later=1000, device_type="04")) == []


def test_backward_energy_is_a_counter_of_its_own():
    first = "0403 08190000 04833C 08190000"
    assert names(after(first, "0403 09190000 04833C 07190000", device_type="02")) == ["goes backwards"]


def test_powers_and_temperatures_may_fall():
    assert names(after("022B 8001 025B 3200", "022B 1000 025B 1000", device_type="04")) == []


def test_allocator_begins_again_at_its_due_date():
    assert names(after("036E 881300", "036E 050000", device_type="08")) == []
    assert names(after("036E 881300", "036E 871300", device_type="08")) == ["goes backwards"]


def test_same_quantity_twice_in_a_telegram_is_not_compared_with_itself():
    first = "0413 08190000 0413 01000000"
    assert names(after(first, first)) == []


# --- clocks ---


# Type F: 2026-01-01, hour and minute free
def clock(hour, minute, day=1):
    return "0413 08190000 046D {:02X}{:02X}{:02X}31".format(minute, hour | 0x20, day | (26 & 7) << 5)


def test_device_clock():
    # received 00:00 UTC: 01:00 is central Europe, 15:00 nowhere
    assert names(checks(Plausibility(), clock(1, 0))) == []
    (finding,) = checks(Plausibility(), clock(15, 0))
    assert finding.check == "clock wrong"
    assert finding.numbers[2] == ("ahead", (15 * HOUR, -3, "s"))
    # where the zone is known
    zone = (60, 120)
    assert names(checks(Plausibility(offsets_min=zone), clock(1, 5))) == []
    assert names(checks(Plausibility(offsets_min=zone), clock(3, 0))) == ["clock wrong"]
    assert names(checks(Plausibility(), clock(15, 0), None)) == []


def test_clock_jump_but_not_summer_time():
    for hour, expected in ((2, []), (3, []), (1, []), (5, ["clock jump"])):
        plausibility = Plausibility()
        checks(plausibility, clock(1, 0))
        assert names(checks(plausibility, clock(hour, 0), T + HOUR)) == expected, hour


def test_clock_stands_still():
    plausibility = Plausibility()
    for hours in (0, 1, 24):
        assert "clock stands still" not in names(checks(plausibility, clock(1, 0), T + hours * HOUR))
    assert "clock stands still" in names(checks(plausibility, clock(1, 0), T + 25 * HOUR))


# --- due date ---

DUE = "4413 {} 426C {} 0413 {}"  # stored, date, current


def test_due_date():
    good = DUE.format("88130000", "3F3C", "08190000")  # 5.000 m3 at 2025-12-31, now 6.408
    assert names(checks(Plausibility(), good)) == []
    future = DUE.format("88130000", "5F3C", "08190000")  # 2026-12-31
    assert names(checks(Plausibility(), future)) == ["due date in the future"]
    above = DUE.format("09190000", "3F3C", "08190000")
    assert names(checks(Plausibility(), above)) == ["stored above current"]
    assert names(after(good, DUE.format("89130000", "3F3C", "08190000"))) == ["stored value changed"]
    assert (
        names(after(DUE.format("88130000", "3E3C", "08190000"), DUE.format("89130000", "3F3C", "08190000")))
        == []
    )


def test_next_due_date_may_be_in_the_future():
    # VIFE 7E: future value
    assert names(checks(Plausibility(), "0413 08190000 42EC7E 5F3C")) == []


# --- order of telegrams ---


def test_late_telegram_is_not_a_step_back():
    plausibility = Plausibility()
    checks(plausibility, "0413 08190000", T + 60000)
    assert names(checks(plausibility, "0413 07190000", T)) == []
    # and is not remembered: the next one is compared with the newest
    assert names(checks(plausibility, "0413 07190000", T + 120000)) == ["goes backwards"]


def test_our_clock_set_back():
    plausibility = Plausibility()
    checks(plausibility, "0413 08190000", T + 365 * DAY)
    assert names(checks(plausibility, "0413 07190000", T)) == ["goes backwards"]
    assert names(checks(plausibility, "0413 08190000", T + HOUR)) == []


def test_refused_telegrams_are_not_judged():
    read = make.meter("0413 00000080")
    read.error = ValueError()
    assert Plausibility().check(read, T) == []


# --- memory ---


def test_bounded():
    plausibility = Plausibility(meters=5, points=3)
    for number in range(20):
        checks(
            plausibility,
            "0413 08190000 025B 3200 025F 3200 0263 3200 022B 0100",
            T,
            "04",
            number="%08d" % number,
        )
    state = plausibility.export()
    assert len(state["meters"]) == 5
    assert all(len(row[4]) == 3 for row in state["meters"])
    # the least recently heard one went: 16 goes on, 14 starts anew
    assert names(checks(plausibility, "0413 07190000", T + 1, "04", number="00000016")) == ["goes backwards"]
    assert names(checks(plausibility, "0413 07190000", T + 1, "04", number="00000014")) == []


def test_strangers_do_not_push_out_who_ranks_higher():
    plausibility = Plausibility(meters=5)
    own = make.meter("0413 08190000", "07", number="87654321")
    plausibility.check(own, T, rank=2)
    for number in range(20):
        stranger = make.meter("0413 08190000", "07", number="%08d" % number)
        plausibility.check(stranger, T + number)
    lower = make.meter("0413 07190000", "07", number="87654321")
    assert names(plausibility.check(lower, T + 100, rank=2)) == ["goes backwards"]
    again = Plausibility(meters=5)
    again.restore(json.loads(json.dumps(plausibility.export())))
    for number in range(20):
        again.check(make.meter("0413 08190000", "07", number="%08d" % number), T + 200)
    lower = make.meter("0413 06190000", "07", number="87654321")
    assert names(again.check(lower, T + 300, rank=2)) == ["goes backwards"]


def test_no_room_among_higher_ranks():
    """Who finds none is still checked by itself."""
    plausibility = Plausibility(meters=1)
    plausibility.check(make.meter("0413 08190000", number="87654321"), T, rank=1)
    wrong = make.meter("025B 5801", "04", number="00000001")  # 344 °C
    assert names(plausibility.check(wrong, T)) == ["over range"]
    assert len(plausibility.export()["meters"]) == 1


def test_forget():
    plausibility = Plausibility()
    own = make.meter("0413 08190000")
    plausibility.check(own, T)
    plausibility.forget(own.address)
    plausibility.forget(own.address)
    assert plausibility.check(make.meter("0413 07190000"), T + 1) == []


def test_restart():
    plausibility = Plausibility()
    checks(plausibility, DUE.format("88130000", "3F3C", "08190000") + " 046D 00 21 41 31")
    again = Plausibility()
    again.restore(json.loads(json.dumps(plausibility.export())))
    worse = DUE.format("89130000", "3F3C", "07190000")
    assert names(checks(again, worse, T + HOUR)) == ["stored value changed", "goes backwards"]


@pytest.mark.parametrize(
    "record",
    [
        "0583 F0F0F0F0F0F0F0F0F0 70 01000000",  # the smallest real, ten times 10**-6
        "0583 FDFDFDFDFDFDFDFDFD 7D FFFF7F7F",  # the largest, ten times 1000
        "0D83 FDFDFDFDFDFDFDFDFD 7D EF" + "7F" * 15,
    ],
)
def test_whatever_a_meter_can_send_comes_back_from_the_disk(record):
    plausibility = Plausibility()
    checks(plausibility, record)
    state = plausibility.export()
    assert len(state["meters"][0][4]) == 1
    again = Plausibility()
    again.restore(json.loads(json.dumps(state)))
    assert again.export() == state


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        [],
        {"version": 1, "count": 0, "meters": []},
        {"version": 2, "count": "x", "meters": []},
        {"version": 2, "count": 1, "meters": [[]]},
        {"version": 2, "count": 1, "meters": [["aa", 1, None, [1, 2], [], [], 0]]},
        {"version": 2, "count": 1, "meters": [["aa", 1, None, None, [], [], "x"]]},
        {
            "version": 2,
            "count": 1,
            "meters": [["aa", 1, None, None, [["p", "m3", "13", 4, 1.5, 0, 1]], [], 0]],
        },
        {
            "version": 2,
            "count": 1,
            "meters": [["aa", 1, None, None, [["p", "m3", "13", 4, 1, 10**9, 1]], [], 0]],
        },
    ],
)
def test_damaged_state_is_named(state):
    with pytest.raises(StoreError):
        Plausibility().restore(state)


# --- properties ---


@given(
    st.lists(
        st.sampled_from(
            [
                "0413 08190000",
                "0C13 FFFFEEEE",
                "0403 FFFFFF7F",
                "046D 32371F15",
                "426C 3F3C",
                "4413 88130000",
                "3413 01000000",
                "025B 2D01",
                "0513 0000C07F",
                "8C0413 13100000 82046C 1F15 8D0493130A7AFE5802320314024401",
                "0F 0102",
            ]
        ),
        max_size=5,
    ),
    st.one_of(st.none(), st.integers(0, 2**42)),
)
def test_telegrams_are_never_altered(records, at):
    records = [one for one in records if one != "0F 0102"] + [one for one in records if one == "0F 0102"][:1]
    read = make.meter(" ".join(records))
    before = [copy.copy(vars(record)) for record in read.records]
    plausibility = Plausibility()
    plausibility.check(read, at)
    plausibility.check(read, at)
    assert [vars(record) for record in read.records] == before


@given(st.lists(st.integers(0, 250000), min_size=1, max_size=40), st.integers(0, 10**6))
def test_a_counter_that_grows_within_its_limit_is_never_blamed(steps, start):
    plausibility = Plausibility()
    total = start
    for number, step in enumerate(steps):
        total += step if number else 0
        record = "0413 " + total.to_bytes(4, "little").hex()
        assert checks(plausibility, record, T + number * HOUR) == []


@given(st.lists(st.integers(0, 2**31 - 2), min_size=2, max_size=30))
def test_every_step_back_of_a_counter_is_told(totals):
    plausibility = Plausibility(limits={("volume", "m3"): (10**12, 0)})
    for number, total in enumerate(totals):
        found = names(checks(plausibility, "0413 " + total.to_bytes(4, "little").hex(), T + number * HOUR))
        back = number and total < totals[number - 1]
        assert bool(back) == any(name in ("goes backwards", "rolled over") for name in found)
