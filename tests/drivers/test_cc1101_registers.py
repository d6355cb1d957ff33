"""The driver's register table against the chip model's, which someone else typed from the datasheet: a mistake would
have to be made twice."""

import pytest
from omsnode.board.virtual import registers as model
from omsnode.drivers.cc1101 import registers

# Sheet 3, reset values in the order of the addresses.
RESET = (
    "29 2E 3F 07 D3 91 FF 04 45 00 00 0F 00 1E C4 EC 8C 22 02 22 F8 47 07 30 "
    "04 36 6C 03 40 91 87 6B F8 56 10 A9 0A 20 0D 41 00 59 7F 3F 88 31 0B"
)


def test_reset_values_of_the_datasheet():
    assert " ".join("{:02X}".format(row.reset) for row in registers.table()) == RESET
    assert [row.address for row in registers.table()] == list(range(47))


def test_registers_agree_with_the_model():
    ours = [(row.address, row.name, row.reset, registers.used_bits(row)) for row in registers.table()]
    assert ours == [tuple(row) for row in model.CONFIG]
    assert model.PATABLE_RESET == registers.PATABLE_RESET


def test_fields_agree_with_the_model():
    ours = {
        name: (row.name, low, high - low + 1) for row in registers.table() for name, high, low in row.fields
    }
    common = set(ours) & set(model.FIELDS)
    assert {name: ours[name] for name in common} == {name: tuple(model.FIELDS[name]) for name in common}
    assert len(common) >= 40


STATES = [
    "SLEEP",
    "IDLE",
    "XOFF",
    "VCOON_MC",
    "REGON_MC",
    "MANCAL",
    "VCOON",
    "REGON",
    "STARTCAL",
    "BWBOOST",
    "FS_LOCK",
    "IFADCON",
    "ENDCAL",
    "RX",
    "RX_END",
    "RX_RST",
    "TXRX_SWITCH",
    "RXFIFO_OVERFLOW",
    "FSTXON",
    "TX",
    "TX_END",
    "RXTX_SWITCH",
    "TXFIFO_UNDERFLOW",
]


def test_strobes_status_registers_and_states_agree_with_the_model():
    for address, name in model.STROBES + model.STATUS:
        assert getattr(registers, name) == address
    for code, name in enumerate(STATES):  # sheet 4.1
        assert getattr(registers, name) == getattr(model, name) == code
    assert registers.FIFO_BYTES == model.FIFO_BYTES


def test_fields_do_not_overlap():
    for row in registers.table():
        bits = sum(high - low + 1 for _name, high, low in row.fields)
        assert bits == bin(registers.used_bits(row)).count("1"), row.name


def test_read_back_leaves_out_what_calibration_writes():
    masks = registers.READ_BACK
    assert masks[0x23:0x27] == bytes((0xF0, 0x20, 0x00, 0x7F))
    assert masks[0x00] == 0x7F


@pytest.mark.parametrize(
    ("address", "value", "line"),
    (
        (0x10, 0x5B, "MDMCFG4 0x10 = 5B  CHANBW_E=1 CHANBW_M=1 DRATE_E=11"),
        (0x18, 0x18, "MCSM0 0x18 = 18  FS_AUTOCAL=1 PO_TIMEOUT=2 PIN_CTRL_EN=0 XOSC_FORCE_ON=0"),
    ),
)
def test_dump_reads_like_the_datasheet(address, value, line):
    block = bytearray(47)
    block[address] = value
    assert registers.describe(block)[address] == line
