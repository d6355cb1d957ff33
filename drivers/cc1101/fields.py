"""What the bits of the CC1101's configuration registers mean (SWRS061 section 29; sheet 3), for the self-test's dump."""

from . import registers

# Each register: its name, then its fields with their bits. Bits that no field names are unused and read 0.
_TABLE = """
IOCFG2   GDO2_INV 6  GDO2_CFG 5:0
IOCFG1   GDO_DS 7  GDO1_INV 6  GDO1_CFG 5:0
IOCFG0   TEMP_SENSOR_ENABLE 7  GDO0_INV 6  GDO0_CFG 5:0
FIFOTHR  ADC_RETENTION 6  CLOSE_IN_RX 5:4  FIFO_THR 3:0
SYNC1    SYNC[15:8] 7:0
SYNC0    SYNC[7:0] 7:0
PKTLEN   PACKET_LENGTH 7:0
PKTCTRL1 PQT 7:5  CRC_AUTOFLUSH 3  APPEND_STATUS 2  ADR_CHK 1:0
PKTCTRL0 WHITE_DATA 6  PKT_FORMAT 5:4  CRC_EN 2  LENGTH_CONFIG 1:0
ADDR     DEVICE_ADDR 7:0
CHANNR   CHAN 7:0
FSCTRL1  RESERVED 5  FREQ_IF 4:0
FSCTRL0  FREQOFF 7:0
FREQ2    FREQ[21:16] 5:0
FREQ1    FREQ[15:8] 7:0
FREQ0    FREQ[7:0] 7:0
MDMCFG4  CHANBW_E 7:6  CHANBW_M 5:4  DRATE_E 3:0
MDMCFG3  DRATE_M 7:0
MDMCFG2  DEM_DCFILT_OFF 7  MOD_FORMAT 6:4  MANCHESTER_EN 3  SYNC_MODE 2:0
MDMCFG1  FEC_EN 7  NUM_PREAMBLE 6:4  CHANSPC_E 1:0
MDMCFG0  CHANSPC_M 7:0
DEVIATN  DEVIATION_E 6:4  DEVIATION_M 2:0
MCSM2    RX_TIME_RSSI 4  RX_TIME_QUAL 3  RX_TIME 2:0
MCSM1    CCA_MODE 5:4  RXOFF_MODE 3:2  TXOFF_MODE 1:0
MCSM0    FS_AUTOCAL 5:4  PO_TIMEOUT 3:2  PIN_CTRL_EN 1  XOSC_FORCE_ON 0
FOCCFG   FOC_BS_CS_GATE 5  FOC_PRE_K 4:3  FOC_POST_K 2  FOC_LIMIT 1:0
BSCFG    BS_PRE_KI 7:6  BS_PRE_KP 5:4  BS_POST_KI 3  BS_POST_KP 2  BS_LIMIT 1:0
AGCCTRL2 MAX_DVGA_GAIN 7:6  MAX_LNA_GAIN 5:3  MAGN_TARGET 2:0
AGCCTRL1 AGC_LNA_PRIORITY 6  CARRIER_SENSE_REL_THR 5:4  CARRIER_SENSE_ABS_THR 3:0
AGCCTRL0 HYST_LEVEL 7:6  WAIT_TIME 5:4  AGC_FREEZE 3:2  FILTER_LENGTH 1:0
WOREVT1  EVENT0[15:8] 7:0
WOREVT0  EVENT0[7:0] 7:0
WORCTRL  RC_PD 7  EVENT1 6:4  RC_CAL 3  WOR_RES 1:0
FREND1   LNA_CURRENT 7:6  LNA2MIX_CURRENT 5:4  LODIV_BUF_CURRENT_RX 3:2  MIX_CURRENT 1:0
FREND0   LODIV_BUF_CURRENT_TX 5:4  PA_POWER 2:0
FSCAL3   FSCAL3[7:6] 7:6  CHP_CURR_CAL_EN 5:4  FSCAL3[3:0] 3:0
FSCAL2   VCO_CORE_H_EN 5  FSCAL2 4:0
FSCAL1   FSCAL1 5:0
FSCAL0   FSCAL0 6:0
RCCTRL1  RCCTRL1 6:0
RCCTRL0  RCCTRL0 6:0
FSTEST   FSTEST 7:0
PTEST    PTEST 7:0
AGCTEST  AGCTEST 7:0
TEST2    TEST2 7:0
TEST1    TEST1 7:0
TEST0    TEST0[7:2] 7:2  VCO_SEL_CAL_EN 1  TEST0[0] 0
"""


def fields(name):
    """[(field, highest bit, lowest bit), ...] of the register with this name."""
    at = _TABLE.index("\n" + name + " ")
    words = _TABLE[at : _TABLE.index("\n", at + 1)].split()
    found = []
    for i in range(1, len(words), 2):
        bits = words[i + 1].split(":")
        found.append((words[i], int(bits[0]), int(bits[-1])))
    return found


def used_bits(name):
    """Mask of the bits that some field names."""
    mask = 0
    for _field, high, low in fields(name):
        mask |= (2 << high) - (1 << low)
    return mask


def describe(block):
    """Readable lines of 47 configuration bytes: "MDMCFG4 0x10 = 5B  CHANBW_E=1 ..."."""
    lines = []
    for address, value in enumerate(block):
        name = registers.name(address)
        shown = " ".join(
            "{}={}".format(field, value >> low & ((2 << high - low) - 1)) for field, high, low in fields(name)
        )
        lines.append("{} 0x{:02X} = {:02X}  {}".format(name, address, value, shown))
    return lines
