"""The registers of the SX1262 that have no command (Semtech DS.SX1261-2.W.APP rev 2.1, chapters 12 and 15; sheet 3).

Most of the chip is set by commands; what is here is written for a work-around, or read because no command tells it.
"""

from omsnode.firmware.portable import const

RETENTION_LIST = const(0x029F)  # a count, then up to four addresses that a sleep with warm start keeps
VERSION_STRING = const(0x0320)
DIO_OUTPUT_DISABLE = const(0x0580)
DIO_INPUT_ENABLE = const(0x0583)
BIT_SYNC = const(0x06AC)
CFO_ESTIMATE = const(0x06B0)
PACKET_CONTROL = const(0x06B4)
WHITENING_SEED_MSB = const(0x06B8)
WHITENING_SEED_LSB = const(0x06B9)
RX_TX_PLD_LEN = const(
    0x06BB
)  # where a packet ends, relative to the base of the buffer; may be moved while receiving
CRC_SEED = const(0x06BC)
CRC_POLYNOMIAL = const(0x06BE)
SYNC_WORD = const(0x06C0)  # eight bytes, first chip in the most significant bit of the first
RSSI_SYNC = const(0x06CA)
NODE_ADDRESS = const(0x06CD)
BROADCAST_ADDRESS = const(0x06CE)
TX_READ_POINTER = const(0x0802)
RX_WRITE_POINTER = const(0x0803)
RANDOM_NUMBER = const(0x0819)
TX_MODULATION = const(0x0889)
RF_FREQUENCY = const(0x088B)
RX_GAIN = const(0x08AC)
TX_CLAMP = const(0x08D8)
OCP = const(0x08E7)
RTC_STOP = const(0x0902)
XTA_TRIM = const(0x0911)
XTB_TRIM = const(0x0912)
DIO3_VOLTAGE = const(0x0920)
RTC_EVENT = const(0x0944)

# Values
RX_GAIN_BOOSTED = const(0x96)
OCP_140_MA = const(0x38)
NOT_LORA_500 = const(0x04)  # TX_MODULATION, see chip.py
CLAMPED_HIGH = const(0x1E)  # TX_CLAMP, see chip.py
