"""The registers of the TI CC1101 as its datasheet lists them (SWRS061 sections 10 and 29; sheet 2 to 4).

Each register is declared once: name, address, value after reset, and its fields as (name, highest bit, lowest bit). Bits
that no field names are unused and read 0.
"""

from collections import namedtuple

WRITE_BURST = 0x40
READ = 0x80
READ_BURST = 0xC0  # also what makes 0x30..0x3D a status register instead of a strobe
FIFO = 0x3F
PATABLE = 0x3E
FIFO_BYTES = 64

# Command strobes (table 42)
SRES = 0x30
SFSTXON = 0x31
SXOFF = 0x32
SCAL = 0x33
SRX = 0x34
STX = 0x35
SIDLE = 0x36
SWOR = 0x38
SPWD = 0x39
SFRX = 0x3A
SFTX = 0x3B
SWORRST = 0x3C
SNOP = 0x3D

# Status registers (section 29.3)
PARTNUM = 0x30
VERSION = 0x31
FREQEST = 0x32
LQI = 0x33
RSSI = 0x34
MARCSTATE = 0x35
WORTIME1 = 0x36
WORTIME0 = 0x37
PKTSTATUS = 0x38
VCO_VC_DAC = 0x39
TXBYTES = 0x3A
RXBYTES = 0x3B
RCCTRL1_STATUS = 0x3C
RCCTRL0_STATUS = 0x3D
STATUS = (
    ("PARTNUM", PARTNUM),
    ("VERSION", VERSION),
    ("FREQEST", FREQEST),
    ("LQI", LQI),
    ("RSSI", RSSI),
    ("MARCSTATE", MARCSTATE),
    ("WORTIME1", WORTIME1),
    ("WORTIME0", WORTIME0),
    ("PKTSTATUS", PKTSTATUS),
    ("VCO_VC_DAC", VCO_VC_DAC),
    ("TXBYTES", TXBYTES),
    ("RXBYTES", RXBYTES),
    ("RCCTRL1_STATUS", RCCTRL1_STATUS),
    ("RCCTRL0_STATUS", RCCTRL0_STATUS),
)

# MARCSTATE (sheet 4.1): the index is the code
MARC = (
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
)
IDLE = 0x01
RX = 0x0D
RXFIFO_OVERFLOW = 0x11
TX = 0x13
TXFIFO_UNDERFLOW = 0x16

# What a GDO pin shows (table 41; sheet 8)
GDO_RX_THRESHOLD = 0x00
GDO_TX_THRESHOLD = 0x02
GDO_SYNC = 0x06
GDO_HIGH_IMPEDANCE = 0x2E

Register = namedtuple("Register", ("name", "address", "reset", "fields"))

REGISTERS = (
    Register("IOCFG2", 0x00, 0x29, (("GDO2_INV", 6, 6), ("GDO2_CFG", 5, 0))),
    Register("IOCFG1", 0x01, 0x2E, (("GDO_DS", 7, 7), ("GDO1_INV", 6, 6), ("GDO1_CFG", 5, 0))),
    Register("IOCFG0", 0x02, 0x3F, (("TEMP_SENSOR_ENABLE", 7, 7), ("GDO0_INV", 6, 6), ("GDO0_CFG", 5, 0))),
    Register("FIFOTHR", 0x03, 0x07, (("ADC_RETENTION", 6, 6), ("CLOSE_IN_RX", 5, 4), ("FIFO_THR", 3, 0))),
    Register("SYNC1", 0x04, 0xD3, (("SYNC[15:8]", 7, 0),)),
    Register("SYNC0", 0x05, 0x91, (("SYNC[7:0]", 7, 0),)),
    Register("PKTLEN", 0x06, 0xFF, (("PACKET_LENGTH", 7, 0),)),
    Register(
        "PKTCTRL1",
        0x07,
        0x04,
        (("PQT", 7, 5), ("CRC_AUTOFLUSH", 3, 3), ("APPEND_STATUS", 2, 2), ("ADR_CHK", 1, 0)),
    ),
    Register(
        "PKTCTRL0",
        0x08,
        0x45,
        (("WHITE_DATA", 6, 6), ("PKT_FORMAT", 5, 4), ("CRC_EN", 2, 2), ("LENGTH_CONFIG", 1, 0)),
    ),
    Register("ADDR", 0x09, 0x00, (("DEVICE_ADDR", 7, 0),)),
    Register("CHANNR", 0x0A, 0x00, (("CHAN", 7, 0),)),
    Register("FSCTRL1", 0x0B, 0x0F, (("RESERVED", 5, 5), ("FREQ_IF", 4, 0))),
    Register("FSCTRL0", 0x0C, 0x00, (("FREQOFF", 7, 0),)),
    Register("FREQ2", 0x0D, 0x1E, (("FREQ[21:16]", 5, 0),)),
    Register("FREQ1", 0x0E, 0xC4, (("FREQ[15:8]", 7, 0),)),
    Register("FREQ0", 0x0F, 0xEC, (("FREQ[7:0]", 7, 0),)),
    Register("MDMCFG4", 0x10, 0x8C, (("CHANBW_E", 7, 6), ("CHANBW_M", 5, 4), ("DRATE_E", 3, 0))),
    Register("MDMCFG3", 0x11, 0x22, (("DRATE_M", 7, 0),)),
    Register(
        "MDMCFG2",
        0x12,
        0x02,
        (("DEM_DCFILT_OFF", 7, 7), ("MOD_FORMAT", 6, 4), ("MANCHESTER_EN", 3, 3), ("SYNC_MODE", 2, 0)),
    ),
    Register("MDMCFG1", 0x13, 0x22, (("FEC_EN", 7, 7), ("NUM_PREAMBLE", 6, 4), ("CHANSPC_E", 1, 0))),
    Register("MDMCFG0", 0x14, 0xF8, (("CHANSPC_M", 7, 0),)),
    Register("DEVIATN", 0x15, 0x47, (("DEVIATION_E", 6, 4), ("DEVIATION_M", 2, 0))),
    Register("MCSM2", 0x16, 0x07, (("RX_TIME_RSSI", 4, 4), ("RX_TIME_QUAL", 3, 3), ("RX_TIME", 2, 0))),
    Register("MCSM1", 0x17, 0x30, (("CCA_MODE", 5, 4), ("RXOFF_MODE", 3, 2), ("TXOFF_MODE", 1, 0))),
    Register(
        "MCSM0",
        0x18,
        0x04,
        (("FS_AUTOCAL", 5, 4), ("PO_TIMEOUT", 3, 2), ("PIN_CTRL_EN", 1, 1), ("XOSC_FORCE_ON", 0, 0)),
    ),
    Register(
        "FOCCFG",
        0x19,
        0x36,
        (("FOC_BS_CS_GATE", 5, 5), ("FOC_PRE_K", 4, 3), ("FOC_POST_K", 2, 2), ("FOC_LIMIT", 1, 0)),
    ),
    Register(
        "BSCFG",
        0x1A,
        0x6C,
        (
            ("BS_PRE_KI", 7, 6),
            ("BS_PRE_KP", 5, 4),
            ("BS_POST_KI", 3, 3),
            ("BS_POST_KP", 2, 2),
            ("BS_LIMIT", 1, 0),
        ),
    ),
    Register(
        "AGCCTRL2", 0x1B, 0x03, (("MAX_DVGA_GAIN", 7, 6), ("MAX_LNA_GAIN", 5, 3), ("MAGN_TARGET", 2, 0))
    ),
    Register(
        "AGCCTRL1",
        0x1C,
        0x40,
        (("AGC_LNA_PRIORITY", 6, 6), ("CARRIER_SENSE_REL_THR", 5, 4), ("CARRIER_SENSE_ABS_THR", 3, 0)),
    ),
    Register(
        "AGCCTRL0",
        0x1D,
        0x91,
        (("HYST_LEVEL", 7, 6), ("WAIT_TIME", 5, 4), ("AGC_FREEZE", 3, 2), ("FILTER_LENGTH", 1, 0)),
    ),
    Register("WOREVT1", 0x1E, 0x87, (("EVENT0[15:8]", 7, 0),)),
    Register("WOREVT0", 0x1F, 0x6B, (("EVENT0[7:0]", 7, 0),)),
    Register("WORCTRL", 0x20, 0xF8, (("RC_PD", 7, 7), ("EVENT1", 6, 4), ("RC_CAL", 3, 3), ("WOR_RES", 1, 0))),
    Register(
        "FREND1",
        0x21,
        0x56,
        (
            ("LNA_CURRENT", 7, 6),
            ("LNA2MIX_CURRENT", 5, 4),
            ("LODIV_BUF_CURRENT_RX", 3, 2),
            ("MIX_CURRENT", 1, 0),
        ),
    ),
    Register("FREND0", 0x22, 0x10, (("LODIV_BUF_CURRENT_TX", 5, 4), ("PA_POWER", 2, 0))),
    Register("FSCAL3", 0x23, 0xA9, (("FSCAL3[7:6]", 7, 6), ("CHP_CURR_CAL_EN", 5, 4), ("FSCAL3[3:0]", 3, 0))),
    Register("FSCAL2", 0x24, 0x0A, (("VCO_CORE_H_EN", 5, 5), ("FSCAL2", 4, 0))),
    Register("FSCAL1", 0x25, 0x20, (("FSCAL1", 5, 0),)),
    Register("FSCAL0", 0x26, 0x0D, (("FSCAL0", 6, 0),)),
    Register("RCCTRL1", 0x27, 0x41, (("RCCTRL1", 6, 0),)),
    Register("RCCTRL0", 0x28, 0x00, (("RCCTRL0", 6, 0),)),
    Register("FSTEST", 0x29, 0x59, (("FSTEST", 7, 0),)),
    Register("PTEST", 0x2A, 0x7F, (("PTEST", 7, 0),)),
    Register("AGCTEST", 0x2B, 0x3F, (("AGCTEST", 7, 0),)),
    Register("TEST2", 0x2C, 0x88, (("TEST2", 7, 0),)),
    Register("TEST1", 0x2D, 0x31, (("TEST1", 7, 0),)),
    Register("TEST0", 0x2E, 0x0B, (("TEST0[7:2]", 7, 2), ("VCO_SEL_CAL_EN", 1, 1), ("TEST0[0]", 0, 0))),
)

ADDRESS = {row.name: row.address for row in REGISTERS}
PATABLE_RESET = (0xC6, 0, 0, 0, 0, 0, 0, 0)

# Every calibration overwrites these bits (section 18.2 and 29; sheet 3), so that they read back as its result.
CALIBRATED = {"FSCAL3": 0x0F, "FSCAL2": 0x1F, "FSCAL1": 0x3F}
NOT_LOCKED = 0x3F  # FSCAL1 after a calibration that failed (errata SWRZ020; sheet 9)


def used_bits(register):
    """Mask of the bits that some field names."""
    mask = 0
    for _name, high, low in register.fields:
        mask |= (2 << high) - (1 << low)
    return mask


def read_back_masks():
    """One byte per configuration register: the bits that must read back as they were written."""
    return bytes(used_bits(row) & ~CALIBRATED.get(row.name, 0) & 0xFF for row in REGISTERS)


def describe(block):
    """Readable lines of 47 configuration bytes, for the self-test's dump: "MDMCFG4 0x10 = 5B  CHANBW_E=1 ..."."""
    lines = []
    for row in REGISTERS:
        value = block[row.address]
        fields = " ".join(
            "{}={}".format(name, value >> low & ((2 << high - low) - 1)) for name, high, low in row.fields
        )
        lines.append("{} 0x{:02X} = {:02X}  {}".format(row.name, row.address, value, fields))
    return lines
