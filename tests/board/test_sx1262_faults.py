"""Every fault of the SX1262 model does what it says; every option has a test (SX1262 sheet 9.10, 10; boards sheet 8)."""

import pathlib

import pytest
from omsnode.board.virtual import Transmission
from omsnode.board.virtual.sx1262 import OPTIONS
from support_sx1262_bytes import (
    RX_FOREVER,
    T_FREQUENCY,
    T_MODULATION,
    T_RX_PACKET,
    T_RX_SYNC,
    T_TX_SYNC,
    Bench,
    chips_of,
    tx_packet,
)


def receiver(**settings):
    made = Bench(**settings).start().receive_t()
    made.board.take_edges()
    return made


def hears(made):
    """Is a packet heard?"""
    made.do("02 FF FF")
    return play(made) and bool(made.chip.irq & 8)


def play(made):
    chips = bytes([0, 1] * 19) + bytes([0, 0, 0, 0, 1, 1, 1, 1, 0, 1]) + chips_of(bytes(range(1, 250)))
    made.world.air.transmit(Transmission(made.world.now_ns, chips, 100e3, 868.95e6, 50e3))
    made.sleep(30_000)
    return True


def test_every_option_is_in_some_test():
    text = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("test_sx1262_*.py"))
    for row in OPTIONS:
        assert row.name in text, row.name
        assert row.default in row.choices, row.name
        assert row.source and row.meaning


def test_brown_out():
    made = receiver()
    assert hears(made)
    made.chip.brown_out()
    assert made.busy.level == 1 and made.board.pins["dio1"].read() == 0
    made.ready()
    assert made.status() == 0xA2
    assert made.errors() == 0x20
    assert made.chip.irq_mask == 0
    made.start().receive_t()
    assert hears(made)


def test_brown_out_in_the_middle_of_a_packet_and_of_a_transfer():
    made = receiver()
    made.world.at(made.world.now_us + 3000, made.chip.brown_out)
    play(made)
    assert made.chip.mode == "STDBY_RC"
    made.world.at(made.world.now_us + 30, made.chip.brown_out)
    made.spi("1E 00", 200)
    assert made.chip.mode == "START"
    made.ready()


def test_supply_dip():
    made = receiver()
    made.chip.supply_dip(2000)
    assert made.busy.level == 0
    assert made.spi("C0 00") == b"\0\0"
    made.board.pins["reset"].write(0)
    made.board.pins["reset"].write(1)
    made.sleep(2000)
    assert made.chip.mode == "START"
    made.ready()
    assert made.status() == 0xA2


def test_weak_supply():
    made = Bench().start()
    made.chip.weak_supply = True
    made.do("80 01", T_FREQUENCY, T_MODULATION, tx_packet(10), T_TX_SYNC)
    made.spi("83 00 00 00")
    made.sleep(10_000)
    assert made.world.air.log == []
    assert made.chip.mode == "STDBY_RC" and made.errors() == 0x20


@pytest.mark.parametrize("busy", [0, 1])
def test_hang(busy):
    made = receiver()
    made.chip.hang(busy)
    made.sleep(100_000)
    assert made.busy.level == busy
    play(made)
    assert made.board.take_edges() == ([], 0)
    if busy:
        assert made.spi("80 00") == b"\0\0"
        assert made.faults == ["SetStandby while BUSY"]
    else:
        assert set(made.spi("1D 03 20", 8)) == {0xD2}  # its status for ever
    made.reset()
    assert made.status() == 0xA2
    made.start().receive_t()
    assert hears(made)


def test_hang_in_the_middle_of_a_packet():
    made = receiver()
    made.world.at(made.world.now_us + 3000, made.chip.hang)
    play(made)
    play(made)
    assert not made.chip.irq & 2


def test_crystal_dies_while_receiving():
    made = receiver()
    made.chip.crystal = False
    assert not hears(made)
    made.chip.crystal = True
    assert hears(made)


@pytest.mark.parametrize("until, command", [("rx", RX_FOREVER), ("calibration", "89 7F"), ("reset", None)])
def test_deaf(until, command):
    made = receiver()
    made.chip.go_deaf(until)
    assert not hears(made)
    assert made.get("15", 1)[0] / -2 < -105
    assert made.status() == 0xD2 and made.errors() == 0
    if command is None:
        made.start().receive_t()
    else:
        made.do("80 00", command, "80 01", "98 D7 DB", RX_FOREVER)
    assert hears(made)


@pytest.mark.parametrize("what", ["irq", "sync", "modulation", "packet", "frequency", "gain"])
def test_forgotten_settings(what):
    made = receiver()
    assert hears(made)
    made.chip.forget(what)
    assert hears(made) == (what == "gain")
    made.do(
        "80 01",
        T_FREQUENCY,
        T_MODULATION,
        T_RX_PACKET,
        T_RX_SYNC,
        "08 00 0A 00 0A 00 00 00 00",
        "0D 08 AC 96",
    )
    made.do("02 FF FF", RX_FOREVER)
    assert hears(made)


@pytest.mark.parametrize("level", [0x00, 0xFF])
def test_miso_and_mosi_stuck(level):
    made = receiver()
    made.chip.miso_stuck = level
    assert made.spi("C0 00") == bytes([level]) * 2
    made.chip.miso_stuck = None
    made.chip.mosi_stuck = level
    assert made.spi("86 36 4F 33 33") == b"\xd2" * 5
    assert made.faults == (["opcode FF does not exist"] if level else ["ResetStats with 4 parameters"])


def test_chip_select_elsewhere():
    made = receiver()
    made.chip.selected = False
    assert made.spi("80 00") == b"\xff\xff"
    assert made.chip.mode == "RX"


def test_bit_flips():
    made = receiver()
    made.chip.bit_flips = 0.02
    wrong = 0
    for _ in range(100):
        made.ready()
        wrong += made.spi("1D 03 20 00", 16)[4:] != b"SX1261 V2D 2D02\0"
    assert 10 < wrong < 60


def test_lost_and_false_edges():
    made = receiver()
    made.board.lose_edges(1)
    assert hears(made)
    assert [edge[1] for edge in made.board.take_edges()[0]] == []
    made.do("02 FF FF")
    assert [edge[1] for edge in made.board.take_edges()[0]] == [0]
    made.board.false_edge()
    edges, lost = made.board.wait(made.board.now_us() + 100)
    assert [edge[:2] for edge in edges] == [("dio1", 1)] and lost == 0
    assert made.board.pins["dio1"].read() == 0


def test_broken_wires():
    made = receiver()
    made.board.pins["dio1"].stuck = 0
    assert hears(made)
    assert made.board.take_edges() == ([], 0) and made.board.pins["dio1"].read() == 0
    made.board.pins["busy"].stuck = 1
    assert made.board.pins["busy"].read() == 1
    made.board.pins["reset"].stuck = 1
    made.board.pins["reset"].write(0)
    made.sleep(1000)
    made.board.pins["reset"].write(1)
    assert made.chip.mode == "RX"


def test_busy_and_dio1_swapped():
    made = receiver()
    made.board.swap("busy", "dio1")
    play(made)
    assert made.board.take_edges() == ([], 0)
    assert made.board.pins["busy"].read() == 1  # DIO1, which nobody clears
    assert made.board.pins["dio1"].read() == 0


def test_reset_wire_held_low():
    made = receiver()
    made.board.pins["reset"].stuck = 0
    made.sleep(200)
    assert made.busy.level == 1
    made.board.pins["reset"].stuck = None
    made.ready()
    assert made.status() == 0xA2


def test_dc_dc_without_inductor():
    made = Bench(inductor=False).start()
    made.do("80 01", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC)
    made.spi(RX_FOREVER)
    made.ready()
    assert made.faults == ["DC-DC on a board without its inductor"]
    assert made.errors() == 0x20
    made = Bench(inductor=False).start()
    made.do("80 00", "96 00", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC, RX_FOREVER)
    assert made.chip.mode == "RX"


def test_wrong_tcxo_voltage_of_the_board():
    made = receiver()
    made.chip.tcxo_mv = 3000
    made.do("80 00")
    made.spi(RX_FOREVER)
    assert made.errors() & 0x20
    assert not hears(made)


def test_a_timeout_status_is_reported_once():
    made = receiver()
    made.chip.command_status = 3
    assert made.spi("12 00 00 00")[0] == 0xD6
    assert made.spi("12 00 00 00")[0] == 0xD2


def test_options_may_be_changed_while_running():
    made = receiver()
    made.chip.options.pll_lock_failures = 2
    made.do("80 01", RX_FOREVER, RX_FOREVER)
    assert made.chip.mode == "STDBY_XOSC" and made.errors() == 0x40
    made.do(RX_FOREVER)
    assert hears(made)
