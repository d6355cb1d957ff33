"""The mode table against the printed one (link sheet 1, 1.1, 3)."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes

# name, direction, MHz, ppm, chips/s, modulation, deviation kHz min typ max, header chips, trailer
PRINTED = """
S1   up   868.300 60  32768 2-FSK  40    50 80    576 2-8
S1-m up   868.300 60  32768 2-FSK  40    50 80    48  2-8
S2   up   868.300 60  32768 2-FSK  40    50 80    48  2-8
S2   down 868.300 25  32768 2-FSK  40    50 80    48  2-8
T1   up   868.950 60 100000 2-FSK  40    50 80    48  2-8
T2   up   868.950 60 100000 2-FSK  40    50 80    48  2-8
T2   down 868.300 25  32768 2-FSK  40    50 80    48  2-8
C1   up   868.950 25 100000 2-FSK  33.75 45 56.25 64  0-0
C2   up   868.950 25 100000 2-FSK  33.75 45 56.25 64  0-0
C2   down 869.525 25  50000 2-GFSK 18.75 25 31.25 64  0-0
"""


def test_table():
    printed = [line.split() for line in PRINTED.split("\n") if line]
    assert len(printed) == len(modes.every())
    for name, direction, mhz, ppm, rate, modulation, low, typ, high, header, trailer in printed:
        row = modes.find(name, direction)
        assert row.frequency_hz == round(float(mhz) * 1e6)
        assert row.frequency_ppm == int(ppm)
        assert row.chip_rate_cps == int(rate)
        assert row.modulation == modulation
        assert [row.deviation_min_hz, row.deviation_hz, row.deviation_max_hz] == [
            round(float(khz) * 1000) for khz in (low, typ, high)
        ]
        for _, sync_chips in row.sync.values():
            assert 2 * row.preamble_pairs + sync_chips == int(header)
        assert "{}-{}".format(*row.trailer_chips) == trailer
        assert (row.rate_tx_ppm, row.rate_rx_ppm) == {
            "S": (15000, 20000),
            "T": (100000, 120000),
            "C": (100, 100),
        }[row.family]
        assert sorted(row.sync) == (["A", "B"] if row.family == "C" else ["A"])


def test_unknown_mode_is_misuse_with_a_hint():
    with pytest.raises(MisuseError) as caught:
        modes.find("T1", "down")
    assert "T1" in caught.value.hint
