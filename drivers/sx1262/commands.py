"""The commands of the SX1262 (Semtech DS.SX1261-2.W.APP rev 2.1, chapters 11 and 13; sheet 2), and the codes in their
parameters and answers. Names as in the datasheet; parameters are bytes, most significant first."""

from omsnode.firmware.portable import const

# Operating modes
SET_SLEEP = const(0x84)
SET_STANDBY = const(0x80)
SET_FS = const(0xC1)
SET_TX = const(0x83)
SET_RX = const(0x82)
STOP_TIMER_ON_PREAMBLE = const(0x9F)
SET_RX_DUTY_CYCLE = const(0x94)
SET_TX_CONTINUOUS_WAVE = const(0xD1)
SET_TX_INFINITE_PREAMBLE = const(0xD2)
SET_REGULATOR_MODE = const(0x96)
CALIBRATE = const(0x89)
CALIBRATE_IMAGE = const(0x98)
SET_PA_CONFIG = const(0x95)
SET_RX_TX_FALLBACK_MODE = const(0x93)

# Registers and buffer
WRITE_REGISTER = const(0x0D)
READ_REGISTER = const(0x1D)
WRITE_BUFFER = const(0x0E)
READ_BUFFER = const(0x1E)

# Lines and interrupts
SET_DIO_IRQ_PARAMS = const(0x08)
GET_IRQ_STATUS = const(0x12)
CLEAR_IRQ_STATUS = const(0x02)
SET_DIO2_AS_RF_SWITCH_CTRL = const(0x9D)
SET_DIO3_AS_TCXO_CTRL = const(0x97)

# Radio
SET_RF_FREQUENCY = const(0x86)
SET_PACKET_TYPE = const(0x8A)
GET_PACKET_TYPE = const(0x11)
SET_TX_PARAMS = const(0x8E)
SET_MODULATION_PARAMS = const(0x8B)
SET_PACKET_PARAMS = const(0x8C)
SET_BUFFER_BASE_ADDRESS = const(0x8F)

# State
GET_STATUS = const(
    0xC0
)  # never straight after SetRx: seen to upset the chip (sheet 1.2); GetIrqStatus tells as much
GET_RX_BUFFER_STATUS = const(0x13)
GET_PACKET_STATUS = const(0x14)
GET_RSSI_INST = const(0x15)
GET_STATS = const(0x10)
RESET_STATS = const(0x00)
GET_DEVICE_ERRORS = const(0x17)
CLEAR_DEVICE_ERRORS = const(0x07)

# SetStandby, SetRxTxFallbackMode
STDBY_RC = const(0)
STDBY_XOSC = const(1)
FALLBACK_XOSC = const(0x30)

# SetSleep
WARM_START = const(0x04)

# Mode in bits 6 to 4 of the status byte
MODE_STDBY_RC = const(2)
MODE_STDBY_XOSC = const(3)
MODE_FS = const(4)
MODE_RX = const(5)
MODE_TX = const(6)

# Interrupts
IRQ_TX_DONE = const(0x0001)
IRQ_RX_DONE = const(0x0002)
IRQ_PREAMBLE_DETECTED = const(0x0004)
IRQ_SYNC_WORD_VALID = const(0x0008)
IRQ_TIMEOUT = const(0x0200)

# Device errors
ERROR_XOSC_START = const(0x0020)
ERROR_PLL_LOCK = const(0x0040)
ERROR_PA_RAMP = const(0x0100)
