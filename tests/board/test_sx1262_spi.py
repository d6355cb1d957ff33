"""SPI side of the SX1262 model against the sheet (sections 1 to 3, 9.1, 9.2): bytes written by hand."""

import pytest
from omsnode.board.virtual import World
from omsnode.firmware.errors import MisuseError
from support_sx1262_bytes import Bench


def bench(**settings):
    made = Bench(**settings)
    made.ready()
    return made


def test_idle_status_is_a2():
    made = bench(tcxo_mv=None)
    assert made.status() == 0xA2
    assert made.spi("C0 00") == b"\xa2\xa2"


def test_status_is_shifted_out_while_parameters_are_written():
    made = bench()
    assert made.spi("08 00 0A 00 0A 00 00 00 00") == b"\xa2" * 9


def test_version_string_is_the_presence_test():
    assert bench().get("1D 03 20", 16) == b"SX1261 V2D 2D02\0"


@pytest.mark.parametrize(
    "opcode, status",
    [("C0 00", 0xA2), ("80 01", 0xB2), ("C1", 0xC2), ("82 FF FF FF", 0xD2)],
)
def test_mode_in_the_status_byte(opcode, status):
    made = Bench().start()
    made.do("80 00", "86 36 4F 33 33", "8B 00 28 00 00 19 00 CC CD", "8C 00 10 04 10 00 00 FF 01 00", opcode)
    assert made.spi("12 00 00 00")[0] == status


def test_registers_auto_increment_within_a_command():
    made = bench()
    made.do("0D 06 C0 55 55 55 55 55 55 54 3D")
    assert made.get("1D 06 C0", 8).hex() == "555555555555543d"
    assert made.register(0x06C6) == 0x54
    assert made.faults == []


def test_undocumented_registers_are_a_violation():
    made = bench()
    made.do("0D 04 00 12")
    assert made.faults == ["12 written to register 0400"]
    assert made.register(0x0400) == 0
    made.do("0D 03 20 00")
    assert made.register(0x0320) == ord("S")


def test_whitening_msb_keeps_its_seven_upper_bits():
    made = bench()
    made.do("0D 06 B8 00")
    assert made.faults == []
    made.do("0D 06 B8 FF")
    assert made.faults == ["WHITENING_MSB: bits 7:1 changed"]


def test_buffer_offset_wraps():
    made = bench()
    made.do("0E FE 01 02 03 04")
    assert made.get("1E FE", 4) == bytes([1, 2, 3, 4])
    assert made.get("1E 00", 2) == bytes([3, 4])


def test_frequency_word_is_in_its_registers():
    made = bench()
    made.do("86 36 4F 33 33")
    assert made.get("1D 08 8B", 4).hex() == "364f3333"


def test_pa_config_rewrites_ocp():
    made = bench()
    made.do("0D 08 E7 18", "95 02 02 00 01")
    assert made.register(0x08E7) == 0x38


def test_packet_type_is_read_back_and_resets_the_parameters():
    made = Bench().start()
    assert made.get("11", 1) == b"\x00"
    made.do("8B 00 28 00 00 19 00 CC CD", "8C 00 10 04 10 00 00 FF 01 00", "86 36 4F 33 33", "8A 00")
    made.do("82 FF FF FF")
    assert made.faults == ["SetRx before SetModulationParams"]


def test_lora_is_refused_by_name():
    made = bench()
    made.do("8A 01", "8B 07 04 01 00")
    assert made.faults == ["not modelled: packet type 01 (LoRa)", "not modelled: SetModulationParams of LoRa"]
    made.do("C5")
    assert made.status() == 0xAA
    assert made.faults[-1] == "not modelled: SetCad (LoRa)"


@pytest.mark.parametrize("status", [4, 5])
def test_unknown_opcode(status):
    made = bench(options={"unknown_opcode_status": status})
    made.spi("B7 00")
    assert made.faults == ["opcode B7 does not exist"]
    assert made.status() >> 1 & 7 == status
    assert made.status() == 0xA2  # reported once


def test_too_few_parameters():
    made = bench()
    made.do("08 00 0A")
    assert made.status() >> 1 & 7 == 4
    assert made.faults == ["SetDioIrqParams with 2 parameters"]


@pytest.mark.parametrize("how", ["refused", "performed"])
def test_wrong_mode(how):
    made = Bench(options={"wrong_mode": how}).start().receive_t()
    made.do("8A 00")
    assert made.faults == ["SetPacketType in RX"]
    assert (made.spi("12 00 00 00")[0] >> 1 & 7 == 5) == (how == "refused")
    assert (made.chip.modulation is None) == (how == "performed")


# --- BUSY ---


def test_reset_takes_three_and_a_half_milliseconds():
    made = bench()
    made.board.pins["reset"].write(0)
    made.sleep(150)
    assert made.busy.level == 1
    made.board.pins["reset"].write(1)
    start = made.world.now_ns
    made.sleep(3499)
    assert made.busy.level == 1
    made.sleep(2)
    assert made.busy.level == 0
    assert made.world.now_ns - start == 3_501_000


def test_reset_brings_everything_back():
    made = Bench().start()
    made.do("0D 06 C0 54 3D", "08 FF FF FF FF 00 00 00 00")
    made.reset()
    assert made.get("1D 06 C0", 2) == b"\0\0"
    assert made.register(0x08AC) == 0x94
    assert made.chip.irq_mask == 0 and made.chip.tcxo is None
    assert made.errors() == 0x20  # the board has a TCXO


def test_a_held_reset_keeps_busy_high():
    made = Bench(reset_level=0)
    made.sleep(100_000)
    assert made.busy.level == 1
    assert made.spi("C0 00") == b"\0\0"
    made.board.pins["reset"].write(1)
    made.ready()
    assert made.status() == 0xA2


@pytest.mark.parametrize("how", ["ignored", "resets"])
def test_a_short_reset(how):
    made = bench(options={"short_reset": how})
    made.do("86 36 4F 33 33")
    made.board.pins["reset"].write(0)
    made.sleep(50)
    made.board.pins["reset"].write(1)
    made.ready()
    assert made.faults == ["NRESET low for less than 100 us"]
    assert (made.get("1D 08 8B", 4) == bytes(4)) == (how == "resets")


def test_busy_rises_600_ns_after_chip_select():
    made = bench(spi_overhead_us=0)
    made.spi("8A 00")
    assert made.busy.level == 0  # the trap of the sheet: the old low level
    made.world.advance(made.world.now_ns + 600)
    assert made.busy.level == 1
    made.sleep(5)
    assert made.busy.level == 0


def test_busy_may_rise_at_once():
    made = bench(spi_overhead_us=0, options={"busy_rise_ns": 0})
    made.spi("8A 00")
    assert made.busy.level == 1


@pytest.mark.parametrize("us", [1, 5, 105])
def test_time_of_ordinary_commands(us):
    made = bench(spi_overhead_us=0, options={"command_us": us})
    made.spi("86 36 4F 33 33")
    made.world.advance(made.world.now_ns + us * 1000 - 100)
    assert made.busy.level == 1
    made.world.advance(made.world.now_ns + 200)
    assert made.busy.level == 0


def test_a_command_while_busy_is_lost_and_reported():
    made = bench()
    made.spi("89 7F")
    assert made.spi("86 36 4F 33 33") == bytes(5)
    assert made.faults == ["SetRfFrequency while BUSY"]
    assert made.get("1D 08 8B", 4) == bytes(4)


def test_a_command_while_busy_may_be_garbled():
    made = bench(options={"busy_command": "garbled", "busy_miso": 0xFF})
    wrong = 0
    for _ in range(40):
        made.ready()
        made.spi("89 01")
        made.spi("0E 00 00 00 00 00")
        wrong += made.get("1E 00", 4) != bytes(4)
        made.do("0E 00 00 00 00 00")
    assert wrong > 10
    assert "WriteBuffer while BUSY" in made.faults


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_what_a_busy_chip_answers(level):
    made = bench(options={"busy_miso": level})
    made.spi("89 7F")
    assert made.spi("C0 00") == bytes([level]) * 2


@pytest.mark.parametrize("number", [0, 1, 3])
def test_refused_commands_after_reset(number):
    made = bench(options={"refused_after_reset": number})
    tries = 0
    while True:
        made.do("80 00")
        tries += 1
        if made.spi("C0 00")[1] >> 4 & 7 == 2:
            break
    assert tries == 1 + number // 2
    assert made.faults == []


def test_status_options():
    made = bench(options={"status_reserved": 0, "status_idle": 0})
    assert made.status() == 0x20


# --- sleep ---


def test_sleep_needs_standby():
    made = Bench().start().receive_t()
    made.do("84 04")
    assert made.faults == ["SetSleep in RX"]
    assert made.chip.mode == "RX"


def test_chip_select_wakes_and_the_command_is_lost():
    made = Bench().start()
    made.do("80 00", "86 36 4F 33 33")
    made.spi("84 04")
    made.sleep(1000)
    assert made.busy.level == 1
    start = made.world.now_us
    made.spi("C0 00")
    made.ready()
    assert 330 <= made.world.now_us - start <= 380
    assert made.status() == 0xA2
    assert made.get("1D 08 8B", 4).hex() == "364f3333"
    assert made.faults == []


def test_a_command_to_a_sleeping_chip_does_nothing_else():
    made = Bench().start()
    made.do("80 00")
    made.spi("84 04")
    made.sleep(1000)
    made.spi("82 FF FF FF")
    made.ready()
    assert made.chip.mode == "STDBY_RC"
    assert made.faults == ["SetRx in SLEEP: it only wakes the chip"]


def test_no_command_for_500_us_after_sleep():
    made = Bench().start()
    made.do("80 00")
    made.spi("84 04")
    made.sleep(300)
    made.spi("C0 00")
    assert made.faults == ["GetStatus within 500 us after SetSleep"]
    made.sleep(1000)
    assert made.chip.mode == "SLEEP"


def test_warm_sleep_keeps_the_retention_list_alone():
    made = Bench().start()
    made.do("80 00", "0D 06 C0 54 3D", "0E 00 01 02 03 04", "0D 02 9F 01 08 AC")
    made.spi("84 04")
    made.sleep(1000)
    made.spi("C0 00")
    made.ready()
    assert made.register(0x08AC) == 0x96  # in the list
    assert made.register(0x0889) & 4 == 0  # not in the list
    assert made.register(0x08D8) & 0x1E == 0x1E  # only after cold start
    assert made.get("1D 06 C0", 2) == b"\x54\x3d"
    assert made.get("1E 00", 4) != bytes([1, 2, 3, 4])
    assert made.chip.packet_type == 0 and made.chip.pll_calibrated


def test_warm_sleep_may_lose_the_sync_word():
    made = Bench(options={"warm_keeps_packet_registers": False}).start()
    made.do("80 00", "0D 06 C0 54 3D")
    made.spi("84 04")
    made.sleep(1000)
    made.spi("C0 00")
    assert made.get("1D 06 C0", 2) == b"\0\0"


def test_cold_sleep_forgets():
    made = Bench().start()
    made.do("80 00", "86 36 4F 33 33")
    made.spi("84 00")
    made.sleep(1000)
    start = made.world.now_us
    made.spi("C0 00")
    made.ready()
    assert 3480 <= made.world.now_us - start <= 3540
    assert made.get("1D 08 8B", 4) == bytes(4)
    assert made.errors() == 0x20


# --- the board ---


def test_the_default_chip_is_still_the_cc1101():
    world = World()
    assert sorted(world.add_board(name="a").pins) == ["gdo0", "gdo2"]
    assert sorted(world.add_board("cc1101-spi0", name="b").pins) == ["gdo0", "gdo2"]


@pytest.mark.parametrize(
    "hat, pins, tcxo",
    [
        ("sx1262-spi0", ["busy", "dio1", "dio2", "reset"], 1800),
        ("waveshare-sx1262-868m", ["busy", "dio1", "dio2", "reset"], None),
        ("waveshare-core1262", ["busy", "dio1", "dio2", "reset"], 1800),
        ("meshadv-pi", ["busy", "dio1", "dio2", "reset", "rxen", "txen"], 1800),
        ("meshadv-mini", ["busy", "dio1", "dio2", "reset", "rxen"], 1800),
        ("pico-lora-sx1262", ["busy", "dio1", "dio2", "reset"], 1800),
    ],
)
def test_hats(hat, pins, tcxo):
    board = World().add_board(hat)
    assert sorted(board.pins) == pins
    assert board.chip.tcxo_mv == tcxo


def test_unknown_settings_are_refused():
    world = World()
    for settings in (
        {"hat": "sx1276"},
        {"hat": "cc1101", "chip": "sx1262"},
        {"chip": "sx1262", "rf_switch": "relay"},
    ):
        with pytest.raises(ValueError):
            world.add_board(**settings)
    with pytest.raises(AttributeError):
        world.add_board(chip="sx1262", options={"version": 3})
    with pytest.raises(TypeError):
        world.add_board(chip="sx1262", tcxo=3)
    with pytest.raises(ValueError):
        world.add_board(chip="sx1262", options={"no_clock": "loud"})


def test_outputs_of_the_chip_are_not_written():
    made = bench()
    for name in ("busy", "dio1", "dio2"):
        with pytest.raises(MisuseError):
            made.board.pins[name].write(1)


def test_spi_faster_than_16_mhz():
    made = bench(spi_hz=20_000_000)
    made.spi("C0 00")
    assert made.faults == ["SPI faster than 16 MHz"]
