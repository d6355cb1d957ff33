"""SX1262 commands as the sheet states them (section 2), typed for the chip model alone; a driver has its own table.

One row: opcode, name, parameters (fewest, most; None = any number), data bytes that come back behind the status byte
(None: as many as are clocked), modes in which the chip accepts it ("any" = all that are awake; "standby" = STDBY_RC and
STDBY_XOSC).
"""

from collections import namedtuple

Command = namedtuple("Command", ("opcode", "name", "fewest", "most", "answer", "modes"))

ANY, STANDBY = "any", "standby"

COMMANDS = (
    Command(0x84, "SetSleep", 1, 1, 0, STANDBY),
    Command(0x80, "SetStandby", 1, 1, 0, ANY),
    Command(0xC1, "SetFs", 0, 0, 0, ANY),
    Command(0x83, "SetTx", 3, 3, 0, ANY),
    Command(0x82, "SetRx", 3, 3, 0, ANY),
    Command(0x9F, "StopTimerOnPreamble", 1, 1, 0, ANY),
    Command(0x94, "SetRxDutyCycle", 6, 6, 0, STANDBY),
    Command(0xC5, "SetCad", 0, 0, 0, ANY),
    Command(
        0x88, "SetCadParams", 7, 7, 0, ANY
    ),  # not in the sheet: LoRa, but RadioLib and its ports always send it
    Command(0xD1, "SetTxContinuousWave", 0, 0, 0, ANY),
    Command(0xD2, "SetTxInfinitePreamble", 0, 0, 0, ANY),
    Command(0x96, "SetRegulatorMode", 1, 1, 0, STANDBY),
    Command(0x89, "Calibrate", 1, 1, 0, STANDBY),
    Command(0x98, "CalibrateImage", 2, 2, 0, STANDBY),
    Command(0x95, "SetPaConfig", 4, 4, 0, ANY),
    Command(0x93, "SetRxTxFallbackMode", 1, 1, 0, ANY),
    Command(0x0D, "WriteRegister", 3, None, 0, ANY),
    Command(0x1D, "ReadRegister", 2, 2, None, ANY),
    Command(0x0E, "WriteBuffer", 1, None, 0, ANY),
    Command(0x1E, "ReadBuffer", 1, 1, None, ANY),
    Command(0x08, "SetDioIrqParams", 8, 8, 0, ANY),
    Command(0x12, "GetIrqStatus", 0, 0, 2, ANY),
    Command(0x02, "ClearIrqStatus", 2, 2, 0, ANY),
    Command(0x9D, "SetDio2AsRfSwitchCtrl", 1, 1, 0, ANY),
    Command(0x97, "SetDio3AsTcxoCtrl", 4, 4, 0, STANDBY),
    Command(0x86, "SetRfFrequency", 4, 4, 0, ANY),
    Command(0x8A, "SetPacketType", 1, 1, 0, STANDBY),
    Command(0x11, "GetPacketType", 0, 0, 1, ANY),
    Command(0x8E, "SetTxParams", 2, 2, 0, ANY),
    Command(0x8B, "SetModulationParams", 1, 8, 0, ANY),  # 8 with GFSK, fewer with LoRa
    Command(0x8C, "SetPacketParams", 1, 9, 0, ANY),  # 9 with GFSK
    Command(0x8F, "SetBufferBaseAddress", 2, 2, 0, ANY),
    Command(0xC0, "GetStatus", 0, 0, 0, ANY),
    Command(0x13, "GetRxBufferStatus", 0, 0, 2, ANY),
    Command(0x14, "GetPacketStatus", 0, 0, 3, ANY),
    Command(0x15, "GetRssiInst", 0, 0, 1, ANY),
    Command(0x10, "GetStats", 0, 0, 6, ANY),
    Command(0x00, "ResetStats", 6, 6, 0, ANY),
    Command(0x17, "GetDeviceErrors", 0, 0, 2, ANY),
    Command(0x07, "ClearDeviceErrors", 2, 2, 0, ANY),
)
BY_OPCODE = {row.opcode: row for row in COMMANDS}
READS = frozenset((0x1D, 0x1E, 0x12, 0x11, 0xC0, 0x13, 0x14, 0x15, 0x10, 0x17))

# Status byte, bits 6:4.
MODES = {"STDBY_RC": 2, "STDBY_XOSC": 3, "FS": 4, "RX": 5, "TX": 6}

# Status byte, bits 3:1.
DATA_AVAILABLE, TIMED_OUT, PROCESSING_ERROR, EXECUTION_FAILURE, TX_DONE = 2, 3, 4, 5, 6

# IRQ bits.
IRQ = {
    "TxDone": 1 << 0,
    "RxDone": 1 << 1,
    "PreambleDetected": 1 << 2,
    "SyncWordValid": 1 << 3,
    "HeaderValid": 1 << 4,
    "HeaderErr": 1 << 5,
    "CrcErr": 1 << 6,
    "CadDone": 1 << 7,
    "CadDetected": 1 << 8,
    "Timeout": 1 << 9,
    "LrFhssHop": 1 << 14,
}

# Device errors.
ERROR = {
    "RC64K_CALIB": 1 << 0,
    "RC13M_CALIB": 1 << 1,
    "PLL_CALIB": 1 << 2,
    "ADC_CALIB": 1 << 3,
    "IMG_CALIB": 1 << 4,
    "XOSC_START": 1 << 5,
    "PLL_LOCK": 1 << 6,
    "PA_RAMP": 1 << 8,
}

# SetDio3AsTcxoCtrl: code -> millivolt.
TCXO_MV = (1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)

# SetRxTxFallbackMode.
FALLBACK = {0x20: "STDBY_RC", 0x30: "STDBY_XOSC", 0x40: "FS"}

# SetTxParams: ramp code -> microseconds.
RAMP_US = (10, 20, 40, 80, 200, 800, 1700, 3400)

# Table 13-21 for the SX1262: (paDutyCycle, hpMax) -> dBm with power 22.
PA_DBM = {(0x04, 0x07): 22, (0x03, 0x05): 20, (0x02, 0x03): 17, (0x02, 0x02): 14}

# SetModulationParams, GFSK: pulse shapes and double-sided bandwidths.
SHAPES = {0x00: None, 0x08: 0.3, 0x09: 0.5, 0x0A: 0.7, 0x0B: 1.0}
BANDWIDTH_HZ = {
    0x1F: 4800, 0x17: 5800, 0x0F: 7300, 0x1E: 9700, 0x16: 11700, 0x0E: 14600, 0x1D: 19500,
    0x15: 23400, 0x0D: 29300, 0x1C: 39000, 0x14: 46900, 0x0C: 58600, 0x1B: 78200, 0x13: 93800,
    0x0B: 117300, 0x1A: 156200, 0x12: 187200, 0x0A: 234300, 0x19: 312000, 0x11: 373600, 0x09: 467000,
}  # fmt: skip

# SetPacketParams, GFSK: preamble detector code -> bits; CRC code -> (bytes, inverted).
DETECTOR_BITS = {0x00: 0, 0x04: 8, 0x05: 16, 0x06: 24, 0x07: 32}
CRC = {0x01: (0, 0), 0x00: (1, 0), 0x02: (2, 0), 0x04: (1, 1), 0x06: (2, 1)}

# BUSY times in microseconds (section 1.1): (from, to) -> time.
TRANSITION_US = {
    ("STDBY_RC", "STDBY_XOSC"): 31,
    ("STDBY_RC", "FS"): 50,
    ("STDBY_RC", "RX"): 83,
    ("STDBY_RC", "TX"): 126,
    ("STDBY_XOSC", "FS"): 40,
    ("STDBY_XOSC", "RX"): 62,
    ("STDBY_XOSC", "TX"): 105,
    ("FS", "RX"): 41,
    ("FS", "TX"): 76,
    ("RX", "FS"): 15,
    ("RX", "TX"): 92,
    # Not in the table: through FS.
    ("RX", "RX"): 15 + 41,
    ("FS", "FS"): 40,
    ("TX", "FS"): 15,
    ("TX", "RX"): 15 + 41,
    ("TX", "TX"): 15 + 76,
}
COLD_START_US, WARM_START_US = 3500, 340
SLEEP_GUARD_US = 500  # no command so long after SetSleep
RESET_US = 100  # NRESET low at least so long
RTC_NS = 15_625  # timeouts count in these
