"""The registers of the TI CC1101 as its datasheet lists them (SWRS061 sections 10 and 29; sheet 2 to 4), as far as the
driver needs them. What their bits mean is in fields.py, which nothing loads before somebody wants to read it.

Strobes, status registers and the few configuration registers that the driver changes one by one stand as compile-time
constants in the modules that use them; a test holds all of them against the chip model's table."""

from omsnode.firmware.portable import const

# Each configuration register: name, address, value after reset, and which bits read back as they were written: those
# that some field uses, without those that every calibration overwrites (FSCAL; section 18.2 and 29; sheet 3).
_TABLE = """
IOCFG2   00 29 7F
IOCFG1   01 2E FF
IOCFG0   02 3F FF
FIFOTHR  03 07 7F
SYNC1    04 D3 FF
SYNC0    05 91 FF
PKTLEN   06 FF FF
PKTCTRL1 07 04 EF
PKTCTRL0 08 45 77
ADDR     09 00 FF
CHANNR   0A 00 FF
FSCTRL1  0B 0F 3F
FSCTRL0  0C 00 FF
FREQ2    0D 1E 3F
FREQ1    0E C4 FF
FREQ0    0F EC FF
MDMCFG4  10 8C FF
MDMCFG3  11 22 FF
MDMCFG2  12 02 FF
MDMCFG1  13 22 F3
MDMCFG0  14 F8 FF
DEVIATN  15 47 77
MCSM2    16 07 1F
MCSM1    17 30 3F
MCSM0    18 04 3F
FOCCFG   19 36 3F
BSCFG    1A 6C FF
AGCCTRL2 1B 03 FF
AGCCTRL1 1C 40 7F
AGCCTRL0 1D 91 FF
WOREVT1  1E 87 FF
WOREVT0  1F 6B FF
WORCTRL  20 F8 FB
FREND1   21 56 FF
FREND0   22 10 37
FSCAL3   23 A9 F0
FSCAL2   24 0A 20
FSCAL1   25 20 00
FSCAL0   26 0D 7F
RCCTRL1  27 41 7F
RCCTRL0  28 00 7F
FSTEST   29 59 FF
PTEST    2A 7F FF
AGCTEST  2B 3F FF
TEST2    2C 88 FF
TEST1    2D 31 FF
TEST0    2E 0B FF
"""
_ADDRESS = const(1)
_RESET = const(2)
_READ_BACK = const(3)


def _column(index):
    return bytes(int(line.split()[index], 16) for line in _TABLE.strip().split("\n"))


RESET = _column(_RESET)
READ_BACK = _column(_READ_BACK)


def address(name):
    """Address of a configuration register."""
    at = _TABLE.index("\n" + name + " ")
    return int(_TABLE[at : _TABLE.index("\n", at + 1)].split()[_ADDRESS], 16)


def name(address):
    """Name of the configuration register with this address."""
    return _TABLE.strip().split("\n")[address].split()[0]
