"""CC1101 registers as the datasheet states them (TI SWRS061, table 45 and section 29), typed for the chip model alone.

A driver has a table of its own; a test compares the two. One row: address, name, value after reset, mask of the bits
that exist (the others read 0).
"""

CONFIG = (
    (0x00, "IOCFG2", 0x29, 0x7F),
    (0x01, "IOCFG1", 0x2E, 0xFF),
    (0x02, "IOCFG0", 0x3F, 0xFF),
    (0x03, "FIFOTHR", 0x07, 0x7F),
    (0x04, "SYNC1", 0xD3, 0xFF),
    (0x05, "SYNC0", 0x91, 0xFF),
    (0x06, "PKTLEN", 0xFF, 0xFF),
    (0x07, "PKTCTRL1", 0x04, 0xEF),
    (0x08, "PKTCTRL0", 0x45, 0x77),
    (0x09, "ADDR", 0x00, 0xFF),
    (0x0A, "CHANNR", 0x00, 0xFF),
    (0x0B, "FSCTRL1", 0x0F, 0x3F),
    (0x0C, "FSCTRL0", 0x00, 0xFF),
    (0x0D, "FREQ2", 0x1E, 0x3F),
    (0x0E, "FREQ1", 0xC4, 0xFF),
    (0x0F, "FREQ0", 0xEC, 0xFF),
    (0x10, "MDMCFG4", 0x8C, 0xFF),
    (0x11, "MDMCFG3", 0x22, 0xFF),
    (0x12, "MDMCFG2", 0x02, 0xFF),
    (0x13, "MDMCFG1", 0x22, 0xF3),
    (0x14, "MDMCFG0", 0xF8, 0xFF),
    (0x15, "DEVIATN", 0x47, 0x77),
    (0x16, "MCSM2", 0x07, 0x1F),
    (0x17, "MCSM1", 0x30, 0x3F),
    (0x18, "MCSM0", 0x04, 0x3F),
    (0x19, "FOCCFG", 0x36, 0x3F),
    (0x1A, "BSCFG", 0x6C, 0xFF),
    (0x1B, "AGCCTRL2", 0x03, 0xFF),
    (0x1C, "AGCCTRL1", 0x40, 0x7F),
    (0x1D, "AGCCTRL0", 0x91, 0xFF),
    (0x1E, "WOREVT1", 0x87, 0xFF),
    (0x1F, "WOREVT0", 0x6B, 0xFF),
    (0x20, "WORCTRL", 0xF8, 0xFB),
    (0x21, "FREND1", 0x56, 0xFF),
    (0x22, "FREND0", 0x10, 0x37),
    (0x23, "FSCAL3", 0xA9, 0xFF),
    (0x24, "FSCAL2", 0x0A, 0x3F),
    (0x25, "FSCAL1", 0x20, 0x3F),
    (0x26, "FSCAL0", 0x0D, 0x7F),
    (0x27, "RCCTRL1", 0x41, 0x7F),
    (0x28, "RCCTRL0", 0x00, 0x7F),
    (0x29, "FSTEST", 0x59, 0xFF),
    (0x2A, "PTEST", 0x7F, 0xFF),
    (0x2B, "AGCTEST", 0x3F, 0xFF),
    (0x2C, "TEST2", 0x88, 0xFF),
    (0x2D, "TEST1", 0x31, 0xFF),
    (0x2E, "TEST0", 0x0B, 0xFF),
)

STATUS = (
    (0x30, "PARTNUM"),
    (0x31, "VERSION"),
    (0x32, "FREQEST"),
    (0x33, "LQI"),
    (0x34, "RSSI"),
    (0x35, "MARCSTATE"),
    (0x36, "WORTIME1"),
    (0x37, "WORTIME0"),
    (0x38, "PKTSTATUS"),
    (0x39, "VCO_VC_DAC"),
    (0x3A, "TXBYTES"),
    (0x3B, "RXBYTES"),
    (0x3C, "RCCTRL1_STATUS"),
    (0x3D, "RCCTRL0_STATUS"),
)

STROBES = (
    (0x30, "SRES"),
    (0x31, "SFSTXON"),
    (0x32, "SXOFF"),
    (0x33, "SCAL"),
    (0x34, "SRX"),
    (0x35, "STX"),
    (0x36, "SIDLE"),
    (0x38, "SWOR"),
    (0x39, "SPWD"),
    (0x3A, "SFRX"),
    (0x3B, "SFTX"),
    (0x3C, "SWORRST"),
    (0x3D, "SNOP"),
)

PATABLE_RESET = (0xC6, 0, 0, 0, 0, 0, 0, 0)

ADDRESS = {name: address for address, name, _, _ in CONFIG}
STATUS_ADDRESS = {name: address for address, name in STATUS}
STROBE_NAME = dict(STROBES)
RESET = bytes(row[2] for row in CONFIG)
MASK = bytes(row[3] for row in CONFIG)

# Fields: name -> (register, lowest bit, width). Those that the model looks at.
FIELDS = {
    "GDO2_CFG": ("IOCFG2", 0, 6),
    "GDO2_INV": ("IOCFG2", 6, 1),
    "GDO0_CFG": ("IOCFG0", 0, 6),
    "GDO0_INV": ("IOCFG0", 6, 1),
    "ADC_RETENTION": ("FIFOTHR", 6, 1),
    "CLOSE_IN_RX": ("FIFOTHR", 4, 2),
    "FIFO_THR": ("FIFOTHR", 0, 4),
    "PQT": ("PKTCTRL1", 5, 3),
    "CRC_AUTOFLUSH": ("PKTCTRL1", 3, 1),
    "APPEND_STATUS": ("PKTCTRL1", 2, 1),
    "ADR_CHK": ("PKTCTRL1", 0, 2),
    "WHITE_DATA": ("PKTCTRL0", 6, 1),
    "PKT_FORMAT": ("PKTCTRL0", 4, 2),
    "CRC_EN": ("PKTCTRL0", 2, 1),
    "LENGTH_CONFIG": ("PKTCTRL0", 0, 2),
    "FREQ_IF": ("FSCTRL1", 0, 5),
    "FREQOFF": ("FSCTRL0", 0, 8),
    "CHANBW_E": ("MDMCFG4", 6, 2),
    "CHANBW_M": ("MDMCFG4", 4, 2),
    "DRATE_E": ("MDMCFG4", 0, 4),
    "DRATE_M": ("MDMCFG3", 0, 8),
    "MOD_FORMAT": ("MDMCFG2", 4, 3),
    "MANCHESTER_EN": ("MDMCFG2", 3, 1),
    "SYNC_MODE": ("MDMCFG2", 0, 3),
    "FEC_EN": ("MDMCFG1", 7, 1),
    "NUM_PREAMBLE": ("MDMCFG1", 4, 3),
    "CHANSPC_E": ("MDMCFG1", 0, 2),
    "CHANSPC_M": ("MDMCFG0", 0, 8),
    "DEVIATION_E": ("DEVIATN", 4, 3),
    "DEVIATION_M": ("DEVIATN", 0, 3),
    "RX_TIME": ("MCSM2", 0, 3),
    "CCA_MODE": ("MCSM1", 4, 2),
    "RXOFF_MODE": ("MCSM1", 2, 2),
    "TXOFF_MODE": ("MCSM1", 0, 2),
    "FS_AUTOCAL": ("MCSM0", 4, 2),
    "FOC_LIMIT": ("FOCCFG", 0, 2),
    "BS_LIMIT": ("BSCFG", 0, 2),
    "MAX_DVGA_GAIN": ("AGCCTRL2", 6, 2),
    "MAX_LNA_GAIN": ("AGCCTRL2", 3, 3),
    "MAGN_TARGET": ("AGCCTRL2", 0, 3),
    "CARRIER_SENSE_REL_THR": ("AGCCTRL1", 4, 2),
    "CARRIER_SENSE_ABS_THR": ("AGCCTRL1", 0, 4),
    "FILTER_LENGTH": ("AGCCTRL0", 0, 2),
    "PA_POWER": ("FREND0", 0, 3),
}

FIFO_BYTES = 64

# MARCSTATE codes.
SLEEP, IDLE, XOFF = 0x00, 0x01, 0x02
VCOON_MC, REGON_MC, MANCAL = 0x03, 0x04, 0x05
VCOON, REGON = 0x06, 0x07
STARTCAL, BWBOOST, FS_LOCK, IFADCON, ENDCAL = 0x08, 0x09, 0x0A, 0x0B, 0x0C
RX, RX_END, RX_RST = 0x0D, 0x0E, 0x0F
TXRX_SWITCH, RXFIFO_OVERFLOW, FSTXON = 0x10, 0x11, 0x12
TX, TX_END, RXTX_SWITCH, TXFIFO_UNDERFLOW = 0x13, 0x14, 0x15, 0x16

# State field (bits 6:4) of the status byte for each MARCSTATE (table 23; transitional states report IDLE).
STATUS_STATE = (
    0, 0, 0, 0, 0, 4, 0, 0, 4, 5, 5, 5, 4, 1, 1, 1, 5, 6, 3, 2, 2, 5, 7,
)  # fmt: skip


def field(registers, name):
    """Value of a field in a register image (47 bytes)."""
    register, low, width = FIELDS[name]
    return registers[ADDRESS[register]] >> low & ((1 << width) - 1)
