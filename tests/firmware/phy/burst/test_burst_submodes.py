"""The sub-modes against the printed tables (OMS Vol. 2 Annex Q Tables Q.4 to Q.8; LPWAN sheet section 2)."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import duty_cycle, modes
from omsnode.firmware.phy.burst import submodes

# name, direction, MHz of n = 0 and n = 4 (or of the only one), kcps, deviation and its limits, chip rate limits, carrier
PRINTED = """
UL-B1 up   868.500 868.560 10  2500  2490  2510  9999.7    10000.3   20000
UL-B2 up   868.040 868.100 10  2500  2490  2510  9999.7    10000.3   20000
UL-B3 up   868.150 868.210 10  2500  2490  2510  9999.7    10000.3   20000
UL-B4 up   868.350 -       125 31250 31200 31300 124996.25 125003.75 20000
DL-B1 down 869.445 869.605 2   1000  990   1010  1999.94   2000.06   200
DL-B2 down 869.445 869.605 4   2000  1990  2010  3999.88   4000.12   400
DL-B3 down 869.525 -       8   4000  3950  4050  7999.76   8000.24   800
DL-B4 down 869.525 -       24  12000 11950 12050 23999.28  24000.72  2400
"""
ROWS = [line.split() for line in PRINTED.strip().split("\n")]


def hz(mhz):
    return round(float(mhz) * 1e6)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_table(row):
    name, direction, low, high, kcps, deviation, least, most, slow, fast, carrier = row
    mode = modes.find(name, direction)
    assert mode.name == name and mode.direction == direction and mode.family == "B"
    assert mode.chip_rate_cps == int(kcps) * 1000
    assert [mode.deviation_hz, mode.deviation_min_hz, mode.deviation_max_hz] == [
        int(deviation),
        int(least),
        int(most),
    ]
    assert mode.modulation == "2-GFSK" and mode.coding == modes.NRZ
    assert mode.sync == {"B": (0xC1FA4C6A, 32)} and mode.preamble_pairs == 16 and mode.trailer_chips == (0, 0)
    assert mode.rate_tx_ppm == 30 and mode.rate_rx_ppm >= 30
    limits = submodes.limits(name)
    assert [limits.deviation_min_hz, limits.deviation_max_hz] == [int(least), int(most)]
    assert [limits.rate_min_mcps, limits.rate_max_mcps] == [
        round(float(slow) * 1000),
        round(float(fast) * 1000),
    ]
    assert limits.carrier_hz == int(carrier)
    assert abs(mode.frequency_hz * mode.frequency_ppm / 1e6 - int(carrier)) < 0.8e-6 * mode.frequency_hz
    if high == "-":
        assert limits.sub_carriers == (2,)
        assert mode.frequency_hz == hz(low) == modes.find(name + ".2", direction).frequency_hz
        for n in (0, 1, 3, 4):
            with pytest.raises(MisuseError):
                modes.find("{}.{}".format(name, n), direction)
    else:
        assert limits.sub_carriers == (0, 1, 2, 3, 4)
        found = [modes.find("{}.{}".format(name, n), direction).frequency_hz for n in range(5)]
        assert found[0] == hz(low) and found[4] == hz(high) and found[2] == mode.frequency_hz
        assert {b - a for a, b in zip(found, found[1:], strict=False)} == {(hz(high) - hz(low)) // 4}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_bands(row):
    """25 mW and 1 % (0.2 % recommended) up, 500 mW and 10 % down; the ledger keeps the same limit."""
    limits = submodes.limits(row[0])
    up = row[1] == "up"
    assert limits.band_hz == ((868000000, 868600000) if up else (869400000, 869650000))
    assert limits.power_dbm == (14 if up else 27)
    assert limits.duty_permille == (10 if up else 100)
    assert limits.duty_recommended_permille == (2 if up else 100)
    assert (limits.sends, limits.receives) == (("meter", "gateway") if up else ("gateway", "meter"))
    assert limits.drift_hz_per_s == (200 if up else None)
    for n in limits.sub_carriers:
        frequency = modes.find(submodes.name_of(row[0], n), row[1]).frequency_hz
        low, high, permille = duty_cycle.SUB_BANDS[duty_cycle.sub_band(frequency)]
        assert (low, high) == limits.band_hz and permille == limits.duty_permille


def test_names():
    assert submodes.names("up") == ("UL-B1", "UL-B2", "UL-B3", "UL-B4")
    assert submodes.names("down") == ("DL-B1", "DL-B2", "DL-B3", "DL-B4")
    assert [row.name for row in submodes.every()] == [row[0] for row in ROWS]
    assert [row.name for row in submodes.every("down")] == list(submodes.names("down"))
    assert submodes.base("UL-B1.3") == "UL-B1" and submodes.base("DL-B4") == "DL-B4"
    assert submodes.sub_carrier("UL-B1.3") == 3 and submodes.sub_carrier("UL-B4") == 2
    assert submodes.name_of("UL-B1.3", 0) == "UL-B1.0" and submodes.name_of("UL-B4", 2) == "UL-B4"
    assert modes.serving("UL-B2.4", "up").frequency_hz == 868100000
    with pytest.raises(MisuseError):
        submodes.name_of("DL-B3", 1)


@pytest.mark.parametrize(
    "name",
    (
        "UL-B5",
        "UL-B",
        "UL-B1.5",
        "UL-B1.",
        "UL-B1.22",
        "UL-B1.-1",
        "UL-B1.2.2",
        "UL-B4.0",
        "ul-b1",
        "-B",
        "UL-B1 ",
    ),
)
def test_unknown_names_are_misuse(name):
    with pytest.raises(MisuseError) as caught:
        modes.find(name, "up")
    assert caught.value.hint


def test_wrong_direction_is_misuse():
    for row in ROWS:
        with pytest.raises(MisuseError) as caught:
            modes.find(row[0], "down" if row[1] == "up" else "up")
        assert row[0] in caught.value.hint
    with pytest.raises(MisuseError):
        modes.find("S3", "up")
