"""Key wrap against RFC 3394 4.1, RFC 5649 section 6, and pycryptodome's KW and KWP."""

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.errors import MacError, MisuseError
from omsnode.firmware.security import key_wrap
from omsnode.firmware.security.keys import Key

KEK = bytes(range(16))


def test_rfc_3394():
    """4.1: 128 bits of key data with a 128-bit KEK."""
    data = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    wrapped = bytes.fromhex("1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5")
    assert key_wrap.wrap(Key(KEK), data) == wrapped
    assert key_wrap.unwrap(Key(KEK), wrapped) == data


@pytest.mark.parametrize(
    "data, wrapped",
    [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_rfc_5649(data, wrapped):
    """Section 6: 20 and 7 bytes under a KEK of 192 bits, so with that library's cipher under our wrapping."""
    cipher = AES.new(bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8"), AES.MODE_ECB)
    assert key_wrap._wrap_padded(cipher.encrypt, bytes.fromhex(data)).hex() == wrapped
    assert key_wrap._unwrap_padded(cipher.decrypt, bytes.fromhex(wrapped)).hex() == data


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=1, max_size=60))
def test_against_the_library(secret, data):
    wrapped = key_wrap.wrap_padded(Key(secret), data)
    assert wrapped == AES.new(secret, AES.MODE_KWP).seal(data)
    assert key_wrap.unwrap_padded(Key(secret), wrapped) == data
    data += bytes(max(16 - len(data), 0)) + bytes(-max(len(data), 16) % 8)
    wrapped = key_wrap.wrap(Key(secret), data)
    assert wrapped == AES.new(secret, AES.MODE_KW).seal(data)
    assert key_wrap.unwrap(Key(secret), wrapped) == data


@pytest.mark.parametrize("length", [7, 8, 16, 23])
def test_every_bit_matters(length):
    for wrap, unwrap in ((key_wrap.wrap_padded, key_wrap.unwrap_padded), (key_wrap.wrap, key_wrap.unwrap)):
        if wrap is key_wrap.wrap and length != 16:
            continue
        wrapped = wrap(Key(KEK), bytes(range(length)))
        for bit in range(8 * len(wrapped)):
            changed = bytearray(wrapped)
            changed[bit >> 3] ^= 1 << (bit & 7)
            with pytest.raises(MacError):
                unwrap(Key(KEK), bytes(changed))
        with pytest.raises(MacError):
            unwrap(Key(bytes(16)), wrapped)


def test_padding_that_is_not_zero_and_lengths_that_lie():
    """Whoever has the key can make them; RFC 5649 section 3 says what is checked."""
    cipher = AES.new(KEK, AES.MODE_ECB)
    for check, data in (
        ("A65959A600000007", "0102030405060701"),
        ("A65959A600000000", "0000000000000000"),
        ("A65959A600000009", "0102030405060708"),
        ("A65959A6FFFFFFFF", "0102030405060708"),
    ):
        with pytest.raises(MacError):
            key_wrap.unwrap_padded(Key(KEK), cipher.encrypt(bytes.fromhex(check + data)))
        long = key_wrap._wrap(cipher.encrypt, bytes.fromhex(check), bytes.fromhex(data) * 3)
        with pytest.raises(MacError):
            key_wrap.unwrap_padded(Key(KEK), long)


@pytest.mark.parametrize("data", [b"", bytes(8), bytes(15), bytes(17)])
def test_lengths(data):
    with pytest.raises(MisuseError):
        key_wrap.wrap(Key(KEK), data)
    with pytest.raises(MacError):
        key_wrap.unwrap(Key(KEK), data)
    if len(data) % 8:
        with pytest.raises(MacError):
            key_wrap.unwrap_padded(Key(KEK), data)
    with pytest.raises(MisuseError):
        key_wrap.wrap_padded(Key(KEK), b"")
    with pytest.raises(MacError):
        key_wrap.unwrap_padded(Key(KEK), b"")
