"""Whitening and CRC of the CC1101 packet handler (datasheet 15.1 and 15.3; wireless M-Bus uses neither)."""


class Whitening:
    """PN9 sequence x^9 + x^5 + 1, started with ones; eight new bits per byte."""

    def __init__(self):
        self.state = 0x1FF

    def apply(self, value):
        value ^= self.state & 0xFF
        for _ in range(8):
            self.state = self.state >> 1 | ((self.state ^ self.state >> 5) & 1) << 8
        return value


def crc16(crc, value):
    """x^16 + x^15 + x^2 + 1, started with FFFF, most significant bit first, over one more byte."""
    crc ^= value << 8
    for _ in range(8):
        crc = (crc << 1 ^ 0x8005) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc
