"""The driver's register table against the chip model's, which someone else typed from the datasheet: a mistake would
have to be made twice."""

import pytest
from omsnode.board.virtual import registers as model
from omsnode.drivers.cc1101 import chip, driver, fields, profiles, raw, receive, registers, start, transmit

# Sheet 3, reset values in the order of the addresses.
RESET = (
    "29 2E 3F 07 D3 91 FF 04 45 00 00 0F 00 1E C4 EC 8C 22 02 22 F8 47 07 30 "
    "04 36 6C 03 40 91 87 6B F8 56 10 A9 0A 20 0D 41 00 59 7F 3F 88 31 0B"
)


def test_reset_values_of_the_datasheet():
    assert " ".join("{:02X}".format(value) for value in registers.RESET) == RESET


def test_registers_agree_with_the_model():
    ours = []
    for address, reset in enumerate(registers.RESET):
        name = registers.name(address)
        assert registers.address(name) == address
        ours.append((address, name, reset, fields.used_bits(name)))
    assert ours == [tuple(row) for row in model.CONFIG]


def test_fields_agree_with_the_model():
    ours = {
        field: (registers.name(address), low, high - low + 1)
        for address in range(47)
        for field, high, low in fields.fields(registers.name(address))
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


def test_numbers_that_the_driver_names():
    """As compile-time constants they cost a device nothing; here each is held against the model's tables."""
    known = {name: address for address, name, _reset, _bits in model.CONFIG}
    known.update({name: address for address, name in model.STROBES + model.STATUS})
    known.update({name: code for code, name in enumerate(STATES)})  # sheet 4.1
    known["FIFO_BYTES"] = model.FIFO_BYTES
    assert all(getattr(model, name) == code for code, name in enumerate(STATES))
    named = set()
    for module in (chip, driver, profiles, raw, receive, start, transmit):
        for name, value in vars(module).items():
            if name[1:] in known:
                assert value == known[name[1:]], name
                named.add(name[1:])
    assert len(named) == 32


def test_fields_do_not_overlap():
    for address in range(47):
        name = registers.name(address)
        bits = sum(high - low + 1 for _field, high, low in fields.fields(name))
        assert bits == bin(fields.used_bits(name)).count("1"), name


# Sheet 3: these bits every calibration overwrites.
CALIBRATED = {"FSCAL3": 0x0F, "FSCAL2": 0x1F, "FSCAL1": 0x3F}


def test_read_back_is_what_fields_use_and_no_calibration_writes():
    for address, mask in enumerate(registers.READ_BACK):
        name = registers.name(address)
        assert mask == fields.used_bits(name) & ~CALIBRATED.get(name, 0), name


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
    assert fields.describe(block)[address] == line
