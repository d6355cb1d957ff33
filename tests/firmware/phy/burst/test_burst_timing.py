"""The times against the printed tables and examples (OMS Vol. 2 Annex Q.2.4.6; LPWAN sheet sections 11 and 14)."""

import json
from collections import namedtuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError, OmsError
from omsnode.firmware.phy.burst import submodes, timing

Header = namedtuple("Header", ("length", "tiv", "multi", "type"))
SINGLE = Header(15, 64, 0, 0)
TYPES = ("short", "medium", "long")
UPLINKS = ("UL-B1", "UL-B2", "UL-B3", "UL-B4")

# Sheet 11.1, computed: t_A, t_B in seconds for TIV 0, 64, 127.
SPACINGS = """
UL-B4 short  1.25 2.75   2.25 3.75   3.234375 4.734375
UL-B4 medium 5.75 10.25  6.75 11.25  7.734375 12.234375
UL-B4 long   11 19       12 20       12.984375 20.984375
UL-B1 short  3.75 8.25   6.75 11.25  9.703125 14.203125
UL-B1 medium 17.25 30.75 20.25 33.75 23.203125 36.703125
UL-B1 long   33 57       36 60       38.953125 62.953125
"""

# Tables Q.22 to Q.30: uplink single (UL-B1 to B3, UL-B4) in seconds, uplink multi in parts of t_A.
T_RO = {"fast": (4.5, 1.5, 0.5), "medium": (13.5, 4.5, 1), "slow": (27, 9, 2)}
T_RM = {"fast": (13.5, 4.5, 0.5), "medium": (27, 9, 1), "slow": (54, 18, 2)}
SPEEDS = {"fast": timing.FAST, "medium": timing.MEDIUM, "slow": timing.SLOW}

# Sheet 14: response timing options #1 to #8.
OPTION_RO = ["fast", "fast", "fast", "medium", "medium", "slow", "slow", "slow"]
OPTION_RM = ["fast", "medium", "slow", "fast", "slow", "fast", "medium", "slow"]


def us(seconds):
    return round(float(seconds) * 1000000)


def multi(tiv, kind):
    return Header(15, tiv, 1, TYPES.index(kind))


@pytest.mark.parametrize("row", [line.split() for line in SPACINGS.strip().split("\n")], ids=" ".join)
def test_spacings(row):
    group = ("UL-B4",) if row[0] == "UL-B4" else UPLINKS[:3]
    for uplink in group:
        for i, tiv in enumerate((0, 64, 127)):
            header = multi(tiv, row[1])
            a, b = us(row[2 + 2 * i]), us(row[3 + 2 * i])
            assert (timing.t_a(uplink, header), timing.t_b(uplink, header)) == (a, b)
            assert [timing.burst_offset(uplink + ".2", header, n) for n in (1, 2, 3)] == [0, a, a + b]


def test_parameters():
    """Table Q.21."""
    for uplink in UPLINKS:
        fast = uplink == "UL-B4"
        assert [timing.t_burst(uplink, kind) for kind in range(3)] == [
            us(s) for s in ((3, 9, 16) if fast else (9, 27, 48))
        ]
        assert timing.t_jitter(uplink) == us(1 if fast else 3)
        assert timing.t_nom_most(uplink) == us(60) * (15 if fast else 120)


@pytest.mark.parametrize("uplink", UPLINKS)
def test_every_spacing_is_exact(uplink):
    """4096 times the formula, over all timing input values: no rounding at all."""
    for kind in range(3):
        for tiv in range(128):
            header = Header(5, tiv, 1, kind)
            burst, jitter = timing.t_burst(uplink, kind), timing.t_jitter(uplink)
            assert 64 * timing.t_a(uplink, header) == 48 * burst + jitter * (tiv - 64)
            assert timing.t_b(uplink, header) - timing.t_a(uplink, header) == burst // 2


@pytest.mark.parametrize("speed", SPEEDS)
def test_response_and_repeat_times(speed):
    for uplink in UPLINKS:
        column = 1 if uplink == "UL-B4" else 0
        assert timing.t_ro(uplink, SINGLE, SPEEDS[speed]) == us(T_RO[speed][column])
        assert timing.t_rm(uplink, SINGLE, SPEEDS[speed]) == us(T_RM[speed][column])
    header = multi(64, "medium")  # t_A 6.75 s
    assert timing.t_ro("UL-B4", header, SPEEDS[speed]) == us(6.75 * T_RO[speed][2])
    assert timing.t_rm("UL-B4", header, SPEEDS[speed]) == us(6.75 * T_RM[speed][2])


def test_slots_after_a_single_burst():
    """Table 11.2 with option #4: t_RO 13.5 s; there is no additional window, also where it is announced."""
    for additional in (False, True):
        assert timing.slots("UL-B1", SINGLE, 4, additional) == [(0, us(13.5), 1)]
        assert timing.slots("UL-B1", SINGLE, 4, additional, True) == [
            (0, us(13.5), 1),
            (1, us(27), 2),
            (2, us(40.5), 3),
        ]
    assert timing.slots("UL-B4", SINGLE, 2, False, True)[2].offset_us == us(4.5)


def test_slots_after_a_multi_burst():
    """UL-B4 long, TIV 64 (t_A 12, t_B 20), fast (t_RO 6): RX3 TX1 RX4 RX5 TX2 RX0 RX1 RX2."""
    header = multi(64, "long")
    every = timing.slots("UL-B4", header, 1, True, True)
    assert [(one.number, one.offset_us, one.index) for one in every] == [
        (3, us(6), 1),
        (4, us(18), 2),
        (5, us(24), 3),
        (0, us(38), 1),
        (1, us(44), 2),
        (2, us(50), 3),
    ]
    assert [one.number for one in timing.slots("UL-B4", header, 1, True, False)] == [3, 0]
    assert [one.number for one in timing.slots("UL-B4", header, 1, False, True)] == [0, 1, 2]
    assert [one.number for one in timing.slots("UL-B4", header, 1)] == [0]
    # Medium: t_RO 12, slow: 24; no additional window.
    assert [one.offset_us for one in timing.slots("UL-B4", header, 4, True, True)] == [us(44), us(56), us(68)]
    assert [one.offset_us for one in timing.slots("UL-B4", header, 6, True, True)] == [
        us(56),
        us(80),
        us(104),
    ]
    for number, offset_us, _ in every:
        assert timing.slot("UL-B4", header, 1, number) == offset_us
    with pytest.raises(MisuseError):
        timing.slot("UL-B4", header, 4, 3)
    with pytest.raises(MisuseError):
        timing.slot("UL-B4", SINGLE, 1, 3)


def test_slots_come_in_order_and_do_not_overlap_the_uplink():
    for uplink in UPLINKS:
        for kind in TYPES:
            for tiv in (0, 63, 127):
                header = multi(tiv, kind)
                order = [one.offset_us for one in timing.slots(uplink, header, 1, True, True)]
                order += [timing.burst_offset(uplink, header, n) for n in (1, 2, 3)]
                marks = {offset: n for n, offset in enumerate(order)}
                # TX0 RX3 TX1 RX4 RX5 TX2 RX0 RX1 RX2
                assert [marks[offset] for offset in sorted(marks)] == [6, 0, 7, 1, 2, 8, 3, 4, 5]


def test_a_multiple_of_an_odd_half_is_rounded_once():
    """UL-B4 short, TIV 65: t_A 2.265625 s, t_RO fast 1.1328125 s."""
    header = multi(65, "short")
    assert timing.t_a("UL-B4", header) == 2265625
    rx0, rx1, _ = timing.slots("UL-B4", header, 1, False, True)
    end = timing.t_a("UL-B4", header) + timing.t_b("UL-B4", header)
    assert rx0.offset_us - end == 1132812 and rx1.offset_us - end == 2265625


def test_a_gateway_that_missed_the_first():
    """Q.2.4.6.3: RX0 is t_A + t_B + t_RO behind UL1, t_B + t_RO behind UL2, t_RO behind UL3."""
    header = multi(64, "long")
    rx0 = timing.slot("UL-B4", header, 1, 0)
    assert [timing.heard_late("UL-B4", header, n, rx0) for n in (1, 2, 3)] == [us(38), us(26), us(6)]


def test_next_uplink():
    """Last nominal slot + t_RM, exactly so when it was asked for; else below 50 s where the minimum allows it."""
    assert timing.next_tx0("UL-B4", SINGLE, 2, requested=1) == (us(6), us(6))
    assert timing.next_tx0("UL-B4", SINGLE, 2, requested=3) == (us(19.5), us(19.5))
    assert timing.next_tx0("UL-B4", SINGLE, 2, True, requested=3) == (us(22.5), us(22.5))
    assert timing.next_tx0("UL-B4", SINGLE, 2) == (us(10.5), us(51.5) - 1)
    assert timing.next_tx0("UL-B1", SINGLE, 3) == (us(58.5), us(58.5))  # least t_RM slow is 54 s
    header = multi(64, "long")
    assert timing.next_tx0("UL-B4", header, 1, True, 2) == (us(62), us(62))
    assert timing.next_tx0("UL-B4", header, 1, False, 0)[0] == us(44)


def test_application_time():
    """Formulas Q.19 to Q.23 with UL-B4 long, TIV 64, fast: t_A 12, t_B 20, t_RO 6."""
    header = multi(64, "long")
    expected = {0: 0, 1: -6, 2: -12, 3: 32, 4: 20, 5: 14}
    for number, seconds in expected.items():
        assert timing.to_application_time("UL-B4", header, 1, number) == us(seconds)


@pytest.mark.parametrize("option", range(8))
def test_response_timing_options(option):
    assert timing.speeds(option + 1) == (SPEEDS[OPTION_RO[option]], SPEEDS[OPTION_RM[option]])


def test_access_options():
    """Table Q.80 and the defaults of DL-RXM: option, limited, additional, multi, timing, ms on UL-B1 to B3 and UL-B4."""
    printed = """
    1 limited   no  no  2 400 75
    2 limited   yes no  2 400 75
    3 limited   no  yes 2 300 50
    4 limited   yes yes 2 300 50
    5 unlimited no  no  1 0   0
    6 unlimited no  yes 1 0   0
    """
    for line in printed.strip().split("\n"):
        option, limited, additional, both, timing_option, slow_ms, fast_ms = line.split()
        for uplink in UPLINKS:
            told = timing.access(uplink, int(option))
            assert told.limited == (limited == "limited") and told.additional == (additional == "yes")
            assert told.multi == (both == "yes") and told.timing == int(timing_option)
            assert timing.RXM_MS[told.rxm] == int(fast_ms if uplink == "UL-B4" else slow_ms)


def test_window_examples(shared):
    """Q.2.4.6.3 examples, formulas Q.17 and Q.18."""
    told = [
        row for row in json.loads((shared / "vectors" / "lpwan.json").read_text())["timing"] if "slot" in row
    ]
    assert len(told) == 2
    for row in told:
        header = multi(row["tiv"], row["spacing"])
        offset = timing.slot(row["sub_mode"], header, 1, int(row["slot"][2:]))
        assert timing.t_ro(row["sub_mode"], header, SPEEDS[row["response"]]) == us(row["t_ro_s"])
        assert offset == us(row["nominal_s"])
        earliest, latest = timing.window(offset, -row["meter_ppm"][0], row["meter_ppm"][1])
        assert round(earliest / 1e6, 4) == row["min_s"] and round(latest / 1e6, 4) == row["max_s"]
    # The sheet's: with 250 ppm both ways 37.989..38.011.
    assert [round(t / 1e6, 3) for t in timing.window(us(38), 250, 250)] == [37.989, 38.011]


def test_gateway_tolerance():
    """-20/+30 ppm and 0.5 ms: 1.5 s -> -530, +545 us."""
    assert timing.window(1500000) == (1500000 - 30 - 500, 1500000 + 45 + 500)
    # DL-B4: 64 chips of 24 kcps are 2666.7 us; DL-B1 32 ms.
    assert timing.answering("DL-B4", 1500000) == (1500000 - 2667 - 500, 1500000 - 2667 + 500)
    assert timing.answering("DL-B1.4", 1500000)[0] == 1500000 - 32000 - 500


def test_listening():
    on, off = timing.listening("DL-B2", us(38), 30, 80, start_up_us=1000)
    assert on == 37997600 - 16000 - 1000
    assert 38004680 < off < 38004680 + 10000


@pytest.mark.parametrize(
    "name,expected", [("UL-B4", 512), ("UL-B1.0", 6400), ("DL-B4", 2667), ("DL-B3", 8000), ("DL-B2", 16000)]
)
def test_front(name, expected):
    assert timing.front(name) == expected


def test_session_distances():
    """Sheet 11.5, single 1, 3, 6 t_RO fast, multi 3, 6, 9 t_burst."""
    for uplink in UPLINKS:
        column = ("4.5 13.5 27" if uplink != "UL-B4" else "1.5 4.5 9").split()
        assert [timing.session_distance(uplink, SINGLE, sc) for sc in (1, 2, 3)] == [us(s) for s in column]
        assert timing.session_distance(uplink, SINGLE, 0) is None
    assert [timing.session_distance("UL-B1", multi(3, "long"), sc) for sc in (1, 2, 3)] == [
        us(144),
        us(288),
        us(432),
    ]


def test_longest_bursts():
    """Sheet 14: largest PHY payload at rates 7/8, 1/2, 1/3 that fits the default DL-RXM."""
    printed = """
    400 69,39,26 156,89,59 255,189,126 255,255,255
    300 47,27,17 112,64,42 244,139,92 255,255,255
    75  -        14,8,5    47,27,17 178,102,67
    50  -        -         25,14,9 112,64,42
    """
    for line in printed.strip().split("\n"):
        ms, *columns = line.split()
        code = timing.RXM_MS.index(int(ms))
        for downlink, column in zip(submodes.DOWNLINKS, columns, strict=True):
            expected = [None] * 3 if column == "-" else [int(n) for n in column.split(",")]
            assert [timing.largest_payload(downlink, code, 0, kind) for kind in range(3)] == expected
            assert timing.largest_payload(downlink, code, 1, 0) == expected[0]
    assert timing.largest_payload("DL-B1", 0, 0, 2) == 255


def test_rxm_codes():
    assert timing.RXM_MS == (0, 25, 35, 50, 75, 110, 150, 200, 300, 400, 500, 650, 800, 1150, 1600, 2200)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(UPLINKS + ("UL-B1.4", "UL-S1", "", "DL-B1")),
    st.integers(-2, 300),
    st.integers(-1, 2),
    st.integers(-2, 5),
    st.integers(-2, 10),
    st.integers(-2, 7),
)
def test_what_is_out_of_range_is_misuse(uplink, tiv, is_multi, kind, option, number):
    header = Header(5, tiv, is_multi, kind)
    for ask in (
        lambda: timing.slots(uplink, header, option, True, True),
        lambda: timing.slot(uplink, header, option, number),
        lambda: timing.next_tx0(uplink, header, option, False, number),
        lambda: timing.access(uplink, option),
        lambda: timing.session_distance(uplink, header, number),
        lambda: timing.burst_offset(uplink, header, number),
        lambda: timing.largest_payload(uplink, option, is_multi, kind),
    ):
        try:
            ask()
        except OmsError:
            pass
