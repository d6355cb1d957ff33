"""The registers of the TI CC1101 as its datasheet lists them (SWRS061 sections 10 and 29; sheet 2 to 4)."""

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

# MARCSTATE (sheet 4.1)
SLEEP = 0x00
IDLE = 0x01
XOFF = 0x02
VCOON_MC = 0x03
REGON_MC = 0x04
MANCAL = 0x05
VCOON = 0x06
REGON = 0x07
STARTCAL = 0x08
BWBOOST = 0x09
FS_LOCK = 0x0A
IFADCON = 0x0B
ENDCAL = 0x0C
RX = 0x0D
RX_END = 0x0E
RX_RST = 0x0F
TXRX_SWITCH = 0x10
RXFIFO_OVERFLOW = 0x11
FSTXON = 0x12
TX = 0x13
TX_END = 0x14
RXTX_SWITCH = 0x15
TXFIFO_UNDERFLOW = 0x16

# What a GDO pin shows (table 41; sheet 8)
GDO_RX_THRESHOLD = 0x00
GDO_TX_THRESHOLD = 0x02
GDO_SYNC = 0x06
GDO_HIGH_IMPEDANCE = 0x2E

# Each register once: name, address and value after reset in hex, then its fields with their bits. Bits that no field
# names are unused and read 0. One string, because as objects this would be 20 KB of a small device's heap.
_TABLE = """\
IOCFG2   00 29  GDO2_INV 6  GDO2_CFG 5:0
IOCFG1   01 2E  GDO_DS 7  GDO1_INV 6  GDO1_CFG 5:0
IOCFG0   02 3F  TEMP_SENSOR_ENABLE 7  GDO0_INV 6  GDO0_CFG 5:0
FIFOTHR  03 07  ADC_RETENTION 6  CLOSE_IN_RX 5:4  FIFO_THR 3:0
SYNC1    04 D3  SYNC[15:8] 7:0
SYNC0    05 91  SYNC[7:0] 7:0
PKTLEN   06 FF  PACKET_LENGTH 7:0
PKTCTRL1 07 04  PQT 7:5  CRC_AUTOFLUSH 3  APPEND_STATUS 2  ADR_CHK 1:0
PKTCTRL0 08 45  WHITE_DATA 6  PKT_FORMAT 5:4  CRC_EN 2  LENGTH_CONFIG 1:0
ADDR     09 00  DEVICE_ADDR 7:0
CHANNR   0A 00  CHAN 7:0
FSCTRL1  0B 0F  RESERVED 5  FREQ_IF 4:0
FSCTRL0  0C 00  FREQOFF 7:0
FREQ2    0D 1E  FREQ[21:16] 5:0
FREQ1    0E C4  FREQ[15:8] 7:0
FREQ0    0F EC  FREQ[7:0] 7:0
MDMCFG4  10 8C  CHANBW_E 7:6  CHANBW_M 5:4  DRATE_E 3:0
MDMCFG3  11 22  DRATE_M 7:0
MDMCFG2  12 02  DEM_DCFILT_OFF 7  MOD_FORMAT 6:4  MANCHESTER_EN 3  SYNC_MODE 2:0
MDMCFG1  13 22  FEC_EN 7  NUM_PREAMBLE 6:4  CHANSPC_E 1:0
MDMCFG0  14 F8  CHANSPC_M 7:0
DEVIATN  15 47  DEVIATION_E 6:4  DEVIATION_M 2:0
MCSM2    16 07  RX_TIME_RSSI 4  RX_TIME_QUAL 3  RX_TIME 2:0
MCSM1    17 30  CCA_MODE 5:4  RXOFF_MODE 3:2  TXOFF_MODE 1:0
MCSM0    18 04  FS_AUTOCAL 5:4  PO_TIMEOUT 3:2  PIN_CTRL_EN 1  XOSC_FORCE_ON 0
FOCCFG   19 36  FOC_BS_CS_GATE 5  FOC_PRE_K 4:3  FOC_POST_K 2  FOC_LIMIT 1:0
BSCFG    1A 6C  BS_PRE_KI 7:6  BS_PRE_KP 5:4  BS_POST_KI 3  BS_POST_KP 2  BS_LIMIT 1:0
AGCCTRL2 1B 03  MAX_DVGA_GAIN 7:6  MAX_LNA_GAIN 5:3  MAGN_TARGET 2:0
AGCCTRL1 1C 40  AGC_LNA_PRIORITY 6  CARRIER_SENSE_REL_THR 5:4  CARRIER_SENSE_ABS_THR 3:0
AGCCTRL0 1D 91  HYST_LEVEL 7:6  WAIT_TIME 5:4  AGC_FREEZE 3:2  FILTER_LENGTH 1:0
WOREVT1  1E 87  EVENT0[15:8] 7:0
WOREVT0  1F 6B  EVENT0[7:0] 7:0
WORCTRL  20 F8  RC_PD 7  EVENT1 6:4  RC_CAL 3  WOR_RES 1:0
FREND1   21 56  LNA_CURRENT 7:6  LNA2MIX_CURRENT 5:4  LODIV_BUF_CURRENT_RX 3:2  MIX_CURRENT 1:0
FREND0   22 10  LODIV_BUF_CURRENT_TX 5:4  PA_POWER 2:0
FSCAL3   23 A9  FSCAL3[7:6] 7:6  CHP_CURR_CAL_EN 5:4  FSCAL3[3:0] 3:0
FSCAL2   24 0A  VCO_CORE_H_EN 5  FSCAL2 4:0
FSCAL1   25 20  FSCAL1 5:0
FSCAL0   26 0D  FSCAL0 6:0
RCCTRL1  27 41  RCCTRL1 6:0
RCCTRL0  28 00  RCCTRL0 6:0
FSTEST   29 59  FSTEST 7:0
PTEST    2A 7F  PTEST 7:0
AGCTEST  2B 3F  AGCTEST 7:0
TEST2    2C 88  TEST2 7:0
TEST1    2D 31  TEST1 7:0
TEST0    2E 0B  TEST0[7:2] 7:2  VCO_SEL_CAL_EN 1  TEST0[0] 0
"""

Register = namedtuple(
    "Register", ("name", "address", "reset", "fields")
)  # fields: (name, highest bit, lowest bit)

# Every calibration overwrites these bits (section 18.2 and 29; sheet 3), so that they read back as its result.
CALIBRATED = {"FSCAL3": 0x0F, "FSCAL2": 0x1F, "FSCAL1": 0x3F}
NOT_LOCKED = 0x3F  # FSCAL1 after a calibration that failed (errata SWRZ020; sheet 9)

PATABLE_RESET = (0xC6, 0, 0, 0, 0, 0, 0, 0)


def table():
    """Every Register, in the order of the addresses, one after the other."""
    for line in _TABLE.split("\n"):
        words = line.split()
        if words:
            fields = []
            for i in range(3, len(words), 2):
                bits = words[i + 1].split(":")
                fields.append((words[i], int(bits[0]), int(bits[-1])))
            yield Register(words[0], int(words[1], 16), int(words[2], 16), fields)


def used_bits(register):
    """Mask of the bits that some field names."""
    mask = 0
    for _name, high, low in register.fields:
        mask |= (2 << high) - (1 << low)
    return mask


ADDRESS = {row.name: row.address for row in table()}
RESET = bytes(row.reset for row in table())
READ_BACK = bytes(used_bits(row) & ~CALIBRATED.get(row.name, 0) & 0xFF for row in table())


def describe(block):
    """Readable lines of 47 configuration bytes, for the self-test's dump: "MDMCFG4 0x10 = 5B  CHANBW_E=1 ..."."""
    lines = []
    for row in table():
        value = block[row.address]
        fields = " ".join(
            "{}={}".format(name, value >> low & ((2 << high - low) - 1)) for name, high, low in row.fields
        )
        lines.append("{} 0x{:02X} = {:02X}  {}".format(row.name, row.address, value, fields))
    return lines
