"""The driver's commands and registers against the chip model's tables, which someone else typed from the same sheet: a
mistake would have to be made twice."""

import pytest
from omsnode.board.virtual import World
from omsnode.board.virtual.sx1262 import commands as their_commands
from omsnode.board.virtual.sx1262 import registers as their_registers
from omsnode.drivers.sx1262 import commands, profiles, registers, start
from omsnode.drivers.sx1262.chip import Chip

# Numbers of the two modules that are neither a command nor a register.
IRQS = {
    "IRQ_TX_DONE": "TxDone",
    "IRQ_RX_DONE": "RxDone",
    "IRQ_PREAMBLE_DETECTED": "PreambleDetected",
    "IRQ_SYNC_WORD_VALID": "SyncWordValid",
    "IRQ_TIMEOUT": "Timeout",
}
ERRORS = {"ERROR_XOSC_START": "XOSC_START", "ERROR_PLL_LOCK": "PLL_LOCK", "ERROR_PA_RAMP": "PA_RAMP"}
MODES = ("STDBY_RC", "STDBY_XOSC", "FS", "RX", "TX")
PARAMETERS = {"STDBY_RC": 0, "STDBY_XOSC": 1, "FALLBACK_XOSC": 0x30, "WARM_START": 0x04}  # sheet 2
VALUES = ("RX_GAIN_BOOSTED", "OCP_140_MA", "NOT_LORA_500", "CLAMPED_HIGH")

# One register, two names. All others are called the same.
ALSO = {
    "RETENTION_LIST": "RETENTION_COUNT",
    "BIT_SYNC": "GFSK_BIT_SYNC",
    "CFO_ESTIMATE": "CFO",
    "WHITENING_SEED_MSB": "WHITENING_MSB",
    "WHITENING_SEED_LSB": "WHITENING_LSB",
    "RX_TX_PLD_LEN": "RX_TX_PAYLOAD_LENGTH",
    "TX_READ_POINTER": "TX_POINTER",
    "RX_WRITE_POINTER": "RX_POINTER",
    "RANDOM_NUMBER": "RANDOM",
    "RTC_EVENT": "EVENT_MASK",
}

# Of no use for a driver of wM-Bus, so it has no name for them.
NOT_NAMED_COMMANDS = {"SetCad", "SetCadParams"}
NOT_NAMED_REGISTERS = {
    "RETENTION_LIST",  # the addresses behind the count
    "DIO_DRIVE",
    "DIO_PULL_UP",
    "DIO_PULL_DOWN",
    "TX_BITBANG_1",
    "TX_BITBANG_2",
    "LOW_RATE_FIX",
    "LOW_RATE_FIX_2",
    "LOW_RATE_FIX_3",
    "IQ_POLARITY",
}

# Values after reset: sheet 3; those of the CRC are what other drivers have as their defaults.
RESET = {
    "VERSION_STRING": b"SX1261 V2D 2D02",
    "CRC_SEED": b"\x1d\x0f",
    "CRC_POLYNOMIAL": b"\x10\x21",
    "RX_GAIN": b"\x94",
    "OCP": b"\x38",
    "XTA_TRIM": b"\x05",
    "XTB_TRIM": b"\x05",
}


def named(module, *but):
    """{name: number} of a module's own constants."""
    known = set().union(*but)
    return {name: value for name, value in vars(module).items() if name.isupper() and name not in known}


def as_the_datasheet_writes_it(name):
    return "".join(word.capitalize() for word in name.split("_"))


def test_commands_agree_with_the_model():
    codes = ["MODE_" + mode for mode in MODES]
    ours = named(commands, IRQS, ERRORS, PARAMETERS, codes)
    ours = {as_the_datasheet_writes_it(name): opcode for name, opcode in ours.items()}
    theirs = {row.name: row.opcode for row in their_commands.COMMANDS}
    assert ours == {name: opcode for name, opcode in theirs.items() if name not in NOT_NAMED_COMMANDS}
    assert len(ours) == len(set(ours.values())) == 38


def test_codes_agree_with_the_model():
    assert {name: getattr(commands, name) for name in PARAMETERS} == PARAMETERS
    assert their_commands.FALLBACK[commands.FALLBACK_XOSC] == "STDBY_XOSC"
    assert {mode: getattr(commands, "MODE_" + mode) for mode in MODES} == their_commands.MODES
    for ours, theirs in IRQS.items():
        assert getattr(commands, ours) == their_commands.IRQ[theirs], ours
    for ours, theirs in ERRORS.items():
        assert getattr(commands, ours) == their_commands.ERROR[theirs], ours
    assert start.TCXO_MV == their_commands.TCXO_MV


def test_registers_agree_with_the_model():
    ours = named(registers, VALUES)
    theirs = {name: address for address, name, _size, _reset in their_registers.REGISTERS}
    found = {ALSO.get(name, name): address for name, address in ours.items()}
    not_named = set(theirs) - set(found)
    assert found == {name: address for name, address in theirs.items() if name not in not_named}
    assert set(not_named) == NOT_NAMED_REGISTERS
    assert len(ours) == 29


def test_values_agree_with_the_model():
    assert registers.RX_GAIN_BOOSTED in their_registers.GAIN_BOOSTED
    assert registers.OCP_140_MA == their_registers.OCP_SX1262
    assert registers.NOT_LORA_500 == their_registers.MODULATION_FIX
    assert registers.CLAMPED_HIGH == their_registers.CLAMP_FIX


def test_values_after_reset():
    """Read by the driver's own names and reading, from a chip that nobody has written to."""
    board = World().add_board(chip="sx1262", tcxo_mv=None)
    board.world.advance_us(5000)
    chip = Chip(board.spi, board.pins["busy"])
    for name, expected in RESET.items():
        assert bytes(chip.read(getattr(registers, name), len(expected))) == expected, name
    assert not chip.kept()
    assert not board.chip.violations


def test_registers_do_not_overlap():
    used = [row[0] + i for row in their_registers.REGISTERS for i in range(row[2])]
    assert len(used) == len(set(used))
    assert all(len(reset) == size for _, _, size, reset in their_registers.REGISTERS)


@pytest.mark.parametrize("mode", ["S1", "T1", "C1", "T+C"])
def test_profiles_in_the_words_of_the_model(mode):
    """Bandwidth, pulse shape, preamble detector and CRC codes mean the same to both."""
    profile = profiles.receive(mode, "up")
    assert their_commands.SHAPES[profile.modulation[4]] is None
    assert their_commands.BANDWIDTH_HZ[profile.modulation[5]] == 312000
    assert their_commands.DETECTOR_BITS[profile.packet[3]] == 8
    assert their_commands.CRC[profile.packet[8]] == (0, 0)


def test_power_in_the_words_of_the_model():
    for dbm in (22, 20, 17, 14):
        pa, tx = profiles.power(dbm)
        assert their_commands.PA_DBM[pa[1], pa[2]] == dbm and pa[3:] == b"\x00\x01"
        assert tx[1] == 22
        assert their_commands.RAMP_US[tx[2]] == profiles.RAMP_US
