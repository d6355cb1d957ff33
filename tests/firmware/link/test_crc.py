"""CRC against the catalogue's check value, the standard's sample blocks and a bit-by-bit division."""

import support_link as ref
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.link.crc import crc16


def test_check_value():
    assert crc16(b"123456789") == 0xC2B7  # CRC catalogue, CRC-16/EN-13757


def test_sample_blocks():
    # EN 13757-4 sample, Silicon Labs CRC1_TestVectors.
    assert crc16(bytes.fromhex("0F44AE0C785634120107")) == 0x4447
    assert crc16(bytes.fromhex("780B13436587")) == 0x1E6D


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_against_long_division(data, start, end):
    assert crc16(data).to_bytes(2, "big") == ref.crc(data)
    assert crc16(data, start, end).to_bytes(2, "big") == ref.crc(data[start:end])
    assert crc16(data, start) == crc16(bytearray(data)[start:]) == crc16(memoryview(data)[start:])
