"""SX1262 registers as the sheet states them (section 3), typed for the chip model alone.

One row: first address, name, bytes, value after reset (the sheet names few; those it does not name read 0 and are marked).
"""

REGISTERS = (
    (0x029F, "RETENTION_COUNT", 1, b"\x00"),
    (0x02A0, "RETENTION_LIST", 8, bytes(8)),
    (0x0320, "VERSION_STRING", 16, b"SX1261 V2D 2D02\x00"),
    (0x0580, "DIO_OUTPUT_DISABLE", 1, b"\x00"),
    (0x0582, "DIO_DRIVE", 1, b"\x00"),
    (0x0583, "DIO_INPUT_ENABLE", 1, b"\x00"),
    (0x0584, "DIO_PULL_UP", 1, b"\x00"),
    (0x0585, "DIO_PULL_DOWN", 1, b"\x00"),
    (0x0587, "TX_BITBANG_1", 1, b"\x00"),
    (0x0680, "TX_BITBANG_2", 1, b"\x00"),
    (0x06AC, "GFSK_BIT_SYNC", 1, b"\x00"),
    (0x06B0, "CFO", 2, bytes(2)),
    (0x06B4, "PACKET_CONTROL", 1, b"\x00"),
    (0x06B8, "WHITENING_MSB", 1, b"\x01"),
    (0x06B9, "WHITENING_LSB", 1, b"\x00"),
    (0x06BB, "RX_TX_PAYLOAD_LENGTH", 1, b"\x00"),
    (0x06BC, "CRC_SEED", 2, b"\x1d\x0f"),
    (0x06BE, "CRC_POLYNOMIAL", 2, b"\x10\x21"),
    (0x06C0, "SYNC_WORD", 8, bytes(8)),
    (0x06CA, "RSSI_SYNC", 1, b"\x00"),
    (0x06CD, "NODE_ADDRESS", 1, b"\x00"),
    (0x06CE, "BROADCAST_ADDRESS", 1, b"\x00"),
    (0x06D1, "LOW_RATE_FIX", 1, b"\x00"),
    (0x0736, "IQ_POLARITY", 1, b"\x0d"),
    (0x0802, "TX_POINTER", 1, b"\x00"),
    (0x0803, "RX_POINTER", 1, b"\x00"),
    (0x0819, "RANDOM", 4, bytes(4)),
    (0x0889, "TX_MODULATION", 1, b"\x01"),
    (0x088B, "RF_FREQUENCY", 4, bytes(4)),
    (0x089B, "LOW_RATE_FIX_2", 1, b"\x00"),
    (0x08AC, "RX_GAIN", 1, b"\x94"),
    (0x08B8, "LOW_RATE_FIX_3", 1, b"\x00"),
    (0x08D8, "TX_CLAMP", 1, b"\xc8"),
    (0x08E7, "OCP", 1, b"\x38"),
    (0x0902, "RTC_STOP", 1, b"\x01"),
    (0x0911, "XTA_TRIM", 1, b"\x05"),
    (0x0912, "XTB_TRIM", 1, b"\x05"),
    (0x0920, "DIO3_VOLTAGE", 1, b"\x00"),
    (0x0944, "EVENT_MASK", 1, b"\x00"),
)

ADDRESS = {name: address for address, name, _, _ in REGISTERS}
SIZE = 0x1000
KNOWN = frozenset(address + i for address, _, size, _ in REGISTERS for i in range(size))
READ_ONLY = frozenset(
    ADDRESS[name] + i
    for name, size in (("VERSION_STRING", 16), ("CFO", 2), ("RSSI_SYNC", 1), ("RX_POINTER", 1), ("RANDOM", 4))
    for i in range(size)
)

# Written by a driver alone and gone in warm sleep unless in the retention list (sections 3 and 8).
NEEDS_RETENTION = frozenset(ADDRESS[name] for name in ("RX_GAIN", "TX_MODULATION", "IQ_POLARITY"))
# The packet engine's own: kept in warm sleep or not is not stated (option).
PACKET_ENGINE = range(0x06AC, 0x06D2)

GAIN_POWER_SAVING = 0x94
GAIN_BOOSTED = (0x96, 0x97)
MODULATION_FIX = 0x04  # TX_MODULATION, chapter 15.1
CLAMP_FIX = 0x1E  # TX_CLAMP, chapter 15.2
OCP_SX1262, OCP_SX1261 = 0x38, 0x18


def image():
    """All registers after reset."""
    memory = bytearray(SIZE)
    for address, _, size, value in REGISTERS:
        memory[address : address + size] = value
    return memory
