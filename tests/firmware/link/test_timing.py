"""The table of times against figures typed from the sheets (en13757-4-link 8.2, 8.3), and windows that are right whether
the trailer belongs to a transmission or not."""

import pytest
from omsnode.firmware.link import timing
from omsnode.firmware.phy import modes

# ms: link sheet 8.2 (ST-S2LP, ST-WL3, SL-SUP)
T_RO_MS = {
    ("S2", 0x00): (3, 50),
    ("T2", 0x00): (2, 3),
    ("T2", 0x40): (2, 3),
    ("C2", 0x40): (99.5, 100.5),
    ("C2", 0x00): (999.5, 1000.5),
}
# us: 2 to 8 chips (link sheet 3.1); mode C has none
LONGEST_TRAILER_US = {
    "S2": {"up": 244, "down": 244},
    "T2": {"up": 80, "down": 244},
    "C2": {"up": 0, "down": 0},
}


@pytest.mark.parametrize("direction", [modes.UP, modes.DOWN])
@pytest.mark.parametrize("mode, cc", T_RO_MS)
def test_an_answer_is_in_time_under_both_readings(mode, cc, direction):
    least_ms, most_ms = T_RO_MS[mode, cc]
    data_end_us = 1000000
    at_us, until_us = timing.answering(mode, cc, data_end_us, direction)
    assert at_us < until_us
    for trailer_us in (0, LONGEST_TRAILER_US[mode][direction]):
        assert least_ms * 1000 <= at_us - data_end_us - trailer_us
        assert until_us - data_end_us - trailer_us <= most_ms * 1000


@pytest.mark.parametrize("direction", [modes.UP, modes.DOWN])
@pytest.mark.parametrize("mode, cc", T_RO_MS)
def test_who_listens_hears_every_answer_of_both_readings(mode, cc, direction):
    least_ms, most_ms = T_RO_MS[mode, cc]
    trailer_us = LONGEST_TRAILER_US[mode][direction]
    end_us = 5000000
    open_us, close_us = timing.listening(mode, cc, end_us, direction)
    back = modes.DOWN if direction == modes.UP else modes.UP
    row = modes.find(mode, back)
    chips = 2 * row.preamble_pairs + row.sync["A"][1]
    slowest_header_us = chips * 1000000 * 100 // (row.chip_rate_cps * (98 if row.coding != "3-of-6" else 90))
    assert open_us <= end_us - trailer_us + least_ms * 1000 - 100
    assert close_us >= end_us + most_ms * 1000 + slowest_header_us + 100
    # and not for long: a battery pays for it
    assert close_us - open_us < (most_ms - least_ms) * 1000 + 4000


@pytest.mark.parametrize("mode, typical_ms", [("T2", 2.5), ("C2", 1000)])
def test_the_middle_is_the_typical_delay(mode, typical_ms):
    at_us, until_us = timing.answering(mode, 0, 0, modes.UP)
    assert abs((at_us + until_us) // 2 - typical_ms * 1000) <= 100


def test_mode_s_answers_early_in_its_long_window():
    at_us, until_us = timing.answering("S2", 0, 0, modes.UP)
    assert 5000 <= (at_us + until_us) // 2 <= 15000


def test_shortest_headers():
    # Silabs and ST: 1.46 ms in S and T downlink; 1.28 ms for 64 chips at 50 kchip/s
    assert timing.header_us("S2", "down") in (1464, 1465)
    assert timing.header_us("T2", "down") in (1464, 1465)
    assert timing.header_us("C2", "down") == 1281


def test_frequent_access_cycle_figures():
    assert timing.CYCLE_US == (2000000, 3000000, 5000000)
    assert timing.CYCLE_END_US == (25000000, 30000000)
