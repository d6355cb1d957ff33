"""Register bytes of every mode against the values of the CC1101 sheet (7.2, 10.2), typed here."""

import pytest
from omsnode.drivers.cc1101 import profiles, registers
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes

NAMES = (
    "SYNC1",
    "SYNC0",
    "FREQ2",
    "FREQ1",
    "FREQ0",
    "MDMCFG4",
    "MDMCFG3",
    "MDMCFG2",
    "DEVIATN",
    "FOCCFG",
    "BSCFG",
    "AGCCTRL2",
    "AGCCTRL1",
    "AGCCTRL0",
)

# Sheet 10.2; deviations from AN067 (rate of T, 16 of 16 sync chips, nearest deviation in S) are reasoned in profiles.py.
RECEIVE = (
    ("S1", "up", "76 96 21 65 6A 6A 4A 06 47 2E 6D 04 09 B2"),
    ("S1-m", "up", "76 96 21 65 6A 6A 4A 06 47 2E 6D 04 09 B2"),
    ("S2", "up", "76 96 21 65 6A 6A 4A 06 47 2E 6D 04 09 B2"),
    ("S2", "down", "76 96 21 65 6A 6A 4A 06 47 2E 6D 04 09 B2"),
    ("T1", "up", "54 3D 21 6B D1 5B F8 06 44 2E BF 43 09 B5"),
    ("T2", "up", "54 3D 21 6B D1 5B F8 06 44 2E BF 43 09 B5"),
    ("T2", "down", "76 96 21 65 6A 6A 4A 06 47 2E 6D 04 09 B2"),
    ("C1", "up", "54 3D 21 6B D1 5B F8 06 46 2E 6D 43 09 B5"),
    ("C2", "up", "54 3D 21 6B D1 5B F8 06 46 2E 6D 43 09 B5"),
    ("C2", "down", "54 3D 21 71 7A 8A F8 16 40 2E 6D 43 09 B5"),
    ("T+C", "up", "54 3D 21 6B D1 5B F8 06 44 2E BF 43 09 B5"),
)

# FREQ2 FREQ1 FREQ0 MDMCFG4 MDMCFG3 MDMCFG2 DEVIATN, then what they mean: Hz, chips/s, deviation in Hz (sheet 7.2)
SEND = (
    ("S1", "up", "21 65 6A 6A 4A 00 50", 868299866, 32730.1, 50781),
    ("S2", "down", "21 65 6A 6A 4A 00 50", 868299866, 32730.1, 50781),
    ("T1", "up", "21 6B D1 5B F8 00 50", 868950104, 99975.6, 50781),
    ("T2", "down", "21 65 6A 6A 4A 00 50", 868299866, 32730.1, 50781),
    ("C1", "up", "21 6B D1 5B F8 00 46", 868950104, 99975.6, 44434),
    ("C2", "down", "21 71 7A 8A F8 10 40", 869524963, 49987.8, 25391),
)


def values(block, names):
    return " ".join("{:02X}".format(block[registers.address(name)]) for name in names)


@pytest.mark.parametrize(("mode", "direction", "expected"), RECEIVE)
def test_receive_profile(mode, direction, expected):
    assert values(profiles.block(mode, direction, profiles.RX), NAMES) == expected


@pytest.mark.parametrize(("mode", "direction", "expected", "hz", "rate", "deviation_hz"), SEND)
def test_send_profile_and_what_it_achieves(mode, direction, expected, hz, rate, deviation_hz):
    block = profiles.block(mode, direction, profiles.TX)
    assert values(block, NAMES[2:9]) == expected
    word, rate_e, rate_m, dev = (
        block[0x0D] << 16 | block[0x0E] << 8 | block[0x0F],
        block[0x10] & 15,
        block[0x11],
        block[0x15],
    )
    assert round(26e6 / 2**16 * word) == hz
    achieved_rate = (256 + rate_m) * 2**rate_e * 26e6 / 2**28
    assert round(achieved_rate, 1) == rate
    achieved_dev = (8 + (dev & 7)) * 2 ** (dev >> 4) * 26e6 / 2**17
    assert round(achieved_dev) == deviation_hz
    row = modes.find(mode, direction)
    assert row.deviation_min_hz <= achieved_dev <= row.deviation_max_hz
    # The grid of the chip: 244 ppm in C, which every CC1101 has; inside the tolerance in S and T.
    limit_ppm = 245 if row.family == "C" else row.rate_tx_ppm
    assert abs(achieved_rate / row.chip_rate_cps - 1) * 1e6 <= limit_ppm
    assert abs(hz / row.frequency_hz - 1) * 1e6 < 0.3


def test_common_registers():
    """Sheet 10.1, byte for byte, for reception."""
    block = profiles.block("T+C", "up", profiles.RX)
    expected = {
        "IOCFG2": 0x06,
        "IOCFG1": 0x2E,
        "IOCFG0": 0x00,
        "FIFOTHR": 0x00,
        "PKTLEN": 0xFF,
        "PKTCTRL1": 0x00,
        "PKTCTRL0": 0x02,
        "ADDR": 0x00,
        "CHANNR": 0x00,
        "FSCTRL1": 0x08,
        "FSCTRL0": 0x00,
        "MDMCFG1": 0x22,
        "MDMCFG0": 0xF8,
        "MCSM2": 0x07,
        "MCSM1": 0x00,
        "MCSM0": 0x18,
        "WOREVT1": 0x87,
        "WOREVT0": 0x6B,
        "WORCTRL": 0xF8,
        "FREND1": 0xB6,
        "FREND0": 0x10,
        "FSCAL3": 0xEA,
        "FSCAL2": 0x2A,
        "FSCAL1": 0x00,
        "FSCAL0": 0x1F,
        "FSTEST": 0x59,
        "PTEST": 0x7F,
        "AGCTEST": 0x3F,
        "TEST2": 0x81,
        "TEST1": 0x35,
        "TEST0": 0x09,
    }
    assert {name: block[registers.address(name)] for name in expected} == expected
    assert values(profiles.block("T1", "up", profiles.TX), ("IOCFG0", "PKTCTRL0")) == "02 00"


@pytest.mark.parametrize(
    ("bandwidth_hz", "nibble"),
    (
        (58000, 0xF),  # 58035 Hz
        (67000, 0xE),  # 67708
        (101000, 0xC),  # 101562
        (200000, 8),  # 203125
        (270000, 6),  # 270833
        (325000, 5),  # 325000
        (325001, 4),  # 406250
        (812500, 0),
        (900000, 0),
    ),
)
def test_bandwidth(bandwidth_hz, nibble):
    assert profiles.bandwidth(bandwidth_hz) == nibble << 4


@pytest.mark.parametrize(
    ("rate", "setting"),
    ((2000, (6, 0x43)), (10000, (8, 0x93)), (24000, (9, 0xE4)), (125000, (12, 0x3B)), (103149, (12, 0x04))),
)
def test_data_rate(rate, setting):
    assert profiles.data_rate(rate) == setting


@pytest.mark.parametrize(
    ("deviation_hz", "value"),
    ((1587, 0x00), (2000, 0x02), (4000, 0x12), (12000, 0x27), (31250, 0x42), (38100, 0x44), (380900, 0x77)),
)
def test_deviation(deviation_hz, value):
    assert profiles.deviation(deviation_hz) == value


def test_offset_moves_the_carrier():
    assert profiles.freq_word(868950000 - 10000) == 0x216BD1 - 25  # steps of 396.7 Hz
    block = profiles.block("T1", "up", profiles.RX, offset_hz=-10000)
    assert block[0x0F] == 0xD1 - 25


def test_another_crystal():
    """27 MHz: the nearest words for 868.95 MHz and 100 kcps."""
    block = profiles.block("T1", "up", profiles.TX, crystal_hz=27000000)
    word = block[0x0D] << 16 | block[0x0E] << 8 | block[0x0F]
    assert abs(word * 27e6 / 2**16 - 868950000) < 207
    rate = (256 + block[0x11]) * 2 ** (block[0x10] & 15) * 27e6 / 2**28
    assert abs(rate - 100000) < 101


@pytest.mark.parametrize(
    ("dbm", "value"), ((None, 0xC2), (10, 0xC2), (9, 0xCB), (5, 0x81), (0, 0x50), (-12, 0x1E), (-30, 0x03))
)
def test_power(dbm, value):
    assert profiles.power(dbm) == value


@pytest.mark.parametrize("dbm", (11, 14, -31))
def test_power_that_the_chip_does_not_have(dbm):
    with pytest.raises(MisuseError):
        profiles.power(dbm)


def test_no_profile():
    with pytest.raises(MisuseError):
        profiles.block("T+C", "up", profiles.TX)
    with pytest.raises(MisuseError):
        profiles.block("T+C", "down", profiles.RX)
    with pytest.raises(MisuseError):
        profiles.block("N2", "up", profiles.RX)


def test_air_time():
    """Sheet 11.1: 80.0 us per byte at 100 kcps, 160 at 50, 244 at 32.768."""
    assert profiles.air_time_us(profiles.block("T1", "up", profiles.RX), 8) == 80
    assert profiles.air_time_us(profiles.block("C2", "down", profiles.RX), 8) == 160
    assert profiles.air_time_us(profiles.block("S2", "up", profiles.RX), 8) == 244
    assert profiles.air_time_us(profiles.block("S2", "up", profiles.RX), 580 * 8) == 141766
