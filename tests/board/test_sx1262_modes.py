"""Modes of the SX1262 model, their times, oscillator, calibration, timers (SX1262 sheet sections 1.1, 2, 4, 9.5)."""

import pytest
from support_sx1262_bytes import (
    RX_FOREVER,
    T_FREQUENCY,
    T_MODULATION,
    T_RX_PACKET,
    T_RX_SYNC,
    T_TX_SYNC,
    Bench,
    tx_packet,
)

T = (T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC)


def busy_us(made, command):
    """How long BUSY stays high behind a command."""
    made.ready()
    made.spi(command)
    start = made.world.now_ns
    made.world.advance(start + 700)
    if not made.busy.level:
        return 0
    while made.busy.level:
        made.world.advance(made.world.now_ns + 100)
    return (made.world.now_ns - start) / 1000


def crystal(**settings):
    settings.setdefault("spi_overhead_us", 0)
    return Bench(tcxo_mv=None, **settings).start()


@pytest.mark.parametrize(
    "before, command, us",
    [
        ("80 00", "80 01", 31),
        ("80 00", "C1", 50),
        ("80 00", RX_FOREVER, 83),
        ("80 00", "83 00 00 00", 126 + 40),  # with a ramp of 40 us
        ("80 01", "C1", 40),
        ("80 01", RX_FOREVER, 62),
        ("80 01", "83 00 00 00", 105 + 40),
        ("C1", RX_FOREVER, 41),
        ("C1", "83 00 00 00", 76 + 40),
        (RX_FOREVER, "C1", 15),
        (RX_FOREVER, "83 00 00 00", 92 + 40),
    ],
)
def test_transition_times(before, command, us):
    """Table of section 1.1, crystal."""
    made = crystal()
    made.do(*T, before)
    assert busy_us(made, command) == pytest.approx(us, abs=0.3)


def test_the_ramp_may_be_part_of_the_time():
    made = crystal(options={"ramp_counts": False})
    made.do(*T, "80 01", "8E 16 07")
    assert busy_us(made, "83 00 00 00") == pytest.approx(105, abs=0.3)


def test_the_first_chip_leaves_as_busy_falls():
    made = crystal()
    made.do(*T, tx_packet(10), T_TX_SYNC, "80 01")
    made.spi("83 00 00 00")
    start = made.world.now_ns
    made.sleep(200)
    assert made.world.air.log[0].start_ns - start == 145_000


def test_the_tcxo_delay_comes_on_top():
    made = Bench(spi_overhead_us=0).start()
    made.do(*T, "80 00")
    assert busy_us(made, RX_FOREVER) == pytest.approx(83 + 5000, abs=0.3)  # 97 02 000140 = 5 ms
    made.do("80 01")
    assert busy_us(made, RX_FOREVER) == pytest.approx(62, abs=0.3)  # it runs already


@pytest.mark.parametrize("us", [3500, 18000])
def test_calibration_time(us):
    made = crystal(options={"calibrate_us": us})
    made.do("80 00")
    assert busy_us(made, "89 7F") == pytest.approx(us, abs=0.3)


@pytest.mark.parametrize("us", [3500, 9000])
def test_cold_start_time(us):
    made = Bench(options={"cold_start_us": us})
    made.sleep(us - 1)
    assert made.busy.level == 1
    made.sleep(2)
    assert made.busy.level == 0


# --- oscillator [4, 9.5] ---


def test_power_on_errors():
    made = Bench(tcxo_mv=None)
    assert made.errors() == 0
    assert made.chip.image_mhz == (902, 928)
    made = Bench()
    assert made.errors() == 0x20  # expected until DIO3 is configured
    made.do("97 02 00 01 40", "07 00 00", "89 7F")
    assert made.errors() == 0
    assert made.chip.image_mhz == (902, 928)
    made.do("98 D7 DB")
    assert made.chip.image_mhz == (860, 876)


def forgotten_tcxo(tcxo="80 00", **options):
    """Everything as it should be but DIO3."""
    made = Bench(options=options)
    made.ready()
    made.do(tcxo, "07 00 00", "89 7F", "98 D7 DB", "8A 00", *T)
    made.spi(RX_FOREVER)
    return made


def test_without_dio3_rx_is_silent():
    made = forgotten_tcxo()
    assert made.status() >> 4 & 7 == 5  # it says RX
    assert made.errors() & 0x20
    assert made.get("1D 06 C0", 2) == b"\x54\x3d"  # registers read back
    assert not made.chip.receiver.on


def test_without_dio3_rx_hangs():
    made = forgotten_tcxo(no_clock="hang")
    made.sleep(1_000_000)
    assert made.busy.level == 1
    made.reset()
    assert made.status() == 0xA2


def test_without_dio3_rx_is_refused():
    made = forgotten_tcxo(no_clock="refused")
    assert made.status() == 0xAA
    assert made.errors() & 0x20


@pytest.mark.parametrize(
    "command, works",
    [
        ("97 02 00 01 40", True),  # 1.8 V, 5 ms
        ("97 02 00 00 40", True),  # 1 ms: ESPH, KUS
        ("97 02 00 00 20", False),  # 0.5 ms
        ("97 01 00 01 40", False),  # 1.7 V
        ("97 06 00 01 40", True),  # 3.0 V
    ],
)
def test_tcxo_setting(command, works):
    made = forgotten_tcxo(command)
    assert bool(made.errors()) != works
    assert made.chip.receiver.on == works


def test_tcxo_options():
    made = forgotten_tcxo("97 06 00 01 40", tcxo_overvoltage="fails")
    assert made.errors() & 0x20
    made = forgotten_tcxo("97 02 00 00 40", tcxo_start_us=4000)
    assert made.errors() & 0x20
    made = forgotten_tcxo("97 02 00 01 40", tcxo_start_us=4000)
    assert made.errors() == 0


def test_a_crystal_board_with_tcxo_setting():
    made = Bench(tcxo_mv=None)
    made.do("97 02 00 01 40", "89 7F")
    assert made.errors() & 0x20


def test_dio3_configured_but_not_calibrated():
    made = Bench()
    made.do("97 02 00 01 40", "07 00 00", "8A 00", *T, RX_FOREVER)
    assert made.errors() == 0x40  # PLL_LOCK
    assert made.chip.mode != "RX"


def test_pll_lock_error():
    made = crystal(options={"pll_lock_failures": 1})
    made.do(*T, RX_FOREVER)
    assert made.status() >> 1 & 7 == 5
    assert made.errors() == 0x40
    made.do("07 00 00", RX_FOREVER)
    assert made.chip.mode == "RX" and made.errors() == 0


def test_pa_ramp_error():
    made = crystal(options={"pa_ramp_failures": 1})
    made.do(*T, "83 00 00 00")
    assert made.errors() == 0x100
    assert made.world.air.log == []


def test_dead_crystal():
    made = crystal()
    made.do(*T, RX_FOREVER)
    made.chip.crystal = False
    assert not made.chip.locked()
    made.do("80 00", RX_FOREVER)
    assert made.errors() == 0x20
    made.chip.crystal = True
    made.do("80 00", "07 00 00", RX_FOREVER)
    assert made.chip.locked() and made.errors() == 0


def test_trim_registers():
    made = crystal()
    made.do("80 00")
    made.reset()
    assert made.get("1D 09 11", 2) == b"\x05\x05"
    made.do("80 01")
    assert made.get("1D 09 11", 2) == b"\x12\x12"
    made.reset()
    made.do("97 02 00 01 40")
    assert made.get("1D 09 11", 2) == b"\x2f\x2f"


# --- calibration of the image ---


def test_image_calibration_is_for_its_band():
    made = Bench(tcxo_mv=None)
    made.do("8A 00", *T, RX_FOREVER)
    assert made.faults == ["SetRx without image calibration for the band"]
    assert made.chip.receive_loss_db() == 8  # 6 dB, and 2 dB: not boosted
    made.do("80 00", "98 D7 DB", "0D 08 AC 96", RX_FOREVER)
    assert made.chip.receive_loss_db() == 0


@pytest.mark.parametrize("how, calibrated", [("902-928", False), ("last", True)])
def test_calibrate_with_the_image_bit(how, calibrated):
    made = Bench(tcxo_mv=None, options={"calibrate_image_bit": how})
    made.do("98 D7 DB", "89 7F", T_FREQUENCY)
    assert made.chip.image_calibrated() == calibrated


@pytest.mark.parametrize("db", [0, 6, 20])
def test_loss_without_image_calibration(db):
    made = Bench(tcxo_mv=None, options={"image_loss_db": db, "boost_db": 0})
    made.do("8A 00", *T, RX_FOREVER)
    assert made.chip.receive_loss_db() == db


# --- timers ---


def test_rx_timeout_units_and_its_status():
    made = crystal()
    made.do(*T, "08 02 00 02 00 00 00 00 00", "02 FF FF")
    made.board.take_edges()
    made.spi("82 00 02 80")  # 640 x 15.625 us = 10 ms
    start = made.world.now_us
    edges, _ = made.board.wait(made.world.now_us + 50_000)
    assert edges[0][:2] == ("dio1", 1)
    assert edges[0][2] - start == pytest.approx(10_000 + 62, abs=2)
    assert made.status() == 0xA6  # timeout, once
    assert made.status() == 0xA2
    assert made.irq() == 0x200


def test_timeout_mode():
    made = crystal(options={"timeout_mode": "fallback"})
    made.do(*T, "93 40", "82 00 00 40")
    made.sleep(2000)
    assert made.chip.mode == "FS"


def test_single_rx_without_timeout_stays():
    made = crystal()
    made.do(*T, "82 00 00 00")
    made.sleep(3_000_000)
    assert made.chip.mode == "RX"


def test_tx_timeout():
    made = crystal()
    made.do(*T, tx_packet(200), T_TX_SYNC, "08 02 01 02 01 00 00 00 00", "83 00 00 40")  # 1 ms
    made.sleep(1500)
    assert made.irq() == 0x200
    assert made.chip.mode == "STDBY_RC"
    sent = made.world.air.log[0]
    assert sent.end_ns - sent.start_ns == 1_000_000


def test_fallback_mode():
    for code, mode in (("20", 2), ("30", 3), ("40", 4)):
        made = crystal()
        made.do(*T, tx_packet(4), T_TX_SYNC, "93 " + code, "83 00 00 00")
        made.sleep(5000)
        assert made.status() == 0x80 | mode << 4 | 6 << 1  # TX done


def test_rx_duty_cycle_naps():
    made = crystal()
    made.do("80 00", *T)
    made.spi("94 00 02 80 00 06 40")  # 10 ms, 25 ms
    seen = []
    for _ in range(100):
        made.sleep(1000)
        seen.append(made.chip.mode)
    assert seen[:9] == ["RX"] * 9 and seen[12:30] == ["SLEEP"] * 18
    assert 20 <= seen.count("RX") <= 40
    assert made.faults == []
    while made.chip.mode != "SLEEP":
        made.sleep(1000)
    made.spi("80 00")
    made.ready()
    made.sleep(100_000)
    assert made.chip.mode == "STDBY_RC"


def test_get_status_after_set_rx_may_upset():
    made = Bench(options={"getstatus_upsets_rx": True}).start().receive_t()
    made.status()
    made.sleep(500)
    assert made.chip.mode == "TX"
    made = Bench(options={"getstatus_upsets_rx": True}).start().receive_t()
    made.irq()
    made.status()
    made.sleep(500)
    assert made.chip.mode == "RX"


def test_receive_before_anything_is_set():
    made = crystal()
    made.do(RX_FOREVER)
    assert made.faults == [
        "SetRx before SetModulationParams",
        "SetRx before SetRfFrequency",
        "SetRx without image calibration for the band",
    ]


@pytest.mark.parametrize(
    "command, text",
    [
        ("8B 00 28 00 00 17 00 CC CD", "bandwidth below 2 x deviation + bit rate"),
        ("8B 00 28 00 00 18 00 CC CD", "bandwidth code 18 does not exist"),
        ("8B 00 28 00 01 19 00 CC CD", "pulse shape 01 does not exist"),
        ("8B 00 0A 00 00 09 00 CC CD", "bit rate outside 0.6 to 300 kbps"),
        ("8C 00 10 05 08 00 00 FF 01 00", "preamble detector longer than the sync word"),
        ("8C 00 00 04 08 00 00 FF 01 00", "no preamble"),
        ("8E 17 02", "SetTxParams(17, 02)"),
        ("95 04 00 01 01", "SetPaConfig for an SX1261"),
        ("93 10", "SetRxTxFallbackMode(10)"),
        ("98 DB D7", "CalibrateImage(DB, D7)"),
        ("86 00 00 00 01", "carrier outside 150 to 960 MHz"),
        ("80 02", "SetStandby(02)"),
    ],
)
def test_wrong_values(command, text):
    made = crystal()
    made.do("80 00", command)
    assert text in made.faults


@pytest.mark.parametrize(
    "modulation",
    [  # every row of section 6.1 is within the chip's limits
        "8B 00 7A 12 00 19 00 CC CD",
        "8B 00 28 00 00 19 00 CC CD",
        "8B 00 28 00 00 19 00 B8 52",
        "8B 00 50 00 09 12 00 66 66",
        "8B 00 20 00 09 0A 00 80 00",
        "8B 01 90 00 09 0C 00 0A 3D",
        "8B 07 D0 00 09 1F 00 04 19",
        "8B 03 E8 00 09 1E 00 08 31",
        "8B 01 F4 00 09 1D 00 10 62",
        "8B 00 A6 AB 09 0C 00 31 27",
        "8B 06 90 69 0B 14 00 02 75",
    ],
)
def test_settings_of_the_sheet_are_no_violations(modulation):
    made = crystal()
    made.do(modulation)
    assert made.faults == []


def test_reset_state_options():
    made = Bench(options={"packet_type_reset": 1, "tx_base_reset": 0x80})
    assert made.get("11", 1) == b"\x01"
    assert made.chip.tx_base == 0x80


@pytest.mark.parametrize("option, works", [("fails", False), ("works", True)])
def test_tcxo_without_a_calibration_since(option, works):
    made = Bench(options={"uncalibrated_pll": option})
    made.ready()
    made.do("97 02 00 01 40", "07 00 00", "98 D7 DB", "8A 00", *T)
    made.do(RX_FOREVER)
    assert made.chip.receiver.on == works
    assert bool(made.errors() & 0x40) != works  # PLL_LOCK
