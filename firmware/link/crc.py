"""CRC-16 of EN 13757-4 12.4 (link sheet 4): polynomial 3D65, start 0000, not reflected, inverted at the end.

Link CRCs are sent high byte first, the payload CRC of the extended link layer low byte first.
"""

from array import array


def _table():
    out = array("H")
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = crc << 1 ^ (0x3D65 if crc & 0x8000 else 0)
            crc &= 0xFFFF
        out.append(crc)
    return out


_TABLE = _table()


def crc16(data, start=0, end=None):
    """CRC of data[start:end] (bytes-like) as an integer of 16 bits. The check value of b"123456789" is C2B7."""
    table = _TABLE
    crc = 0
    for byte in data if end is None and not start else data[start : len(data) if end is None else end]:
        crc = (crc << 8 & 0xFF00) ^ table[crc >> 8 ^ byte]
    return crc ^ 0xFFFF
