"""CRC-16 of EN 13757-4, clause 12 (link sheet 4): polynomial 3D65, start 0000, not reflected, inverted at the end.

Link CRCs are sent high byte first, the payload CRC of the extended link layer low byte first.
"""


def _tables():
    # High and low byte of the 16-bit table apart: no shifts in the loop, which is a third faster.
    high, low = bytearray(256), bytearray(256)
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = crc << 1 ^ (0x13D65 if crc & 0x8000 else 0)
        high[byte] = crc >> 8
        low[byte] = crc & 0xFF
    return bytes(high), bytes(low)


_HIGH, _LOW = _tables()


def crc16(data, start=0, end=None):
    """CRC of data[start:end] (bytes-like) as an integer of 16 bits. The check value of b"123456789" is C2B7."""
    high_table, low_table = _HIGH, _LOW
    high = low = 0
    for byte in data if end is None and not start else data[start : len(data) if end is None else end]:
        byte ^= high
        high = high_table[byte] ^ low
        low = low_table[byte]
    return (high << 8 | low) ^ 0xFFFF
