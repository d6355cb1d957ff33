"""Mode 5 against OMS Vol.2 Annex N (Release E 2.0.2), both ways, bit by bit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError, TransportError, WrongKeyError
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import mode5
from omsnode.firmware.security.keys import Key

# clause, key, address of the meter, access number, encrypted, plain
VECTORS = {
    "N.2.1": (
        "0102030405060708090A0B0C0D0E0F11",
        "12345678.M=ELS.V=33.T=03",
        0x2A,
        "5923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3",
        "2F2F0C1427048502046D32371F1502FD1700002F2F2F2F2F2F2F2F2F2F2F2F2F",
    ),
    "N.5.3, one encrypted block": (
        "000102030405060708090A0B0C0D0E0F",
        "55667788.M=QDS.V=55.T=08",
        0x00,
        "00DFE2A782146D1513581CD2F83F3904",
        "2F2F0B6E341200426CFE044B6E563402",
    ),
    "SND-IR, four blocks": (
        "0102030405060708090A0B0C0D0E0F11",
        "12345678.M=ELS.V=33.T=03",
        0x01,
        "D2B70B3FBC1A1580D79B92CAA1D95341B609EF603AD3629472B2067D26BD2B5F"
        "DDC2374D29D0CD0858C5614E8B56E6C2175962DB0F01AA2AA7B12EE4B5F63F44",
        "2F2F0DFD0C0434474B420AFD0D05010AFD0E01010AFD0F00010DFD1021383736"
        "3534333231303030303030303030303030343730393436353433323145442F2F",
    ),
    "SND-UD, clock command to the meter": (
        "82B0551191F51D66EFCDAB8967452301",
        "92752244.M=QDS.V=00.T=07",
        0x7D,
        "9ED82AB233D1A2A80BFFD3B7B6A908D7",
        "2F2F013201000000000000002F2F2F2F",
    ),
}


@pytest.fixture(params=VECTORS.values(), ids=VECTORS.keys())
def vector(request):
    key, address, number, secret, plain = request.param
    return Key.from_hex(key), Address.parse(address), number, bytes.fromhex(secret), bytes.fromhex(plain)


def test_open(vector):
    key, address, number, secret, plain = vector
    assert mode5.open(key, address, number, secret) == plain


def test_seal(vector):
    key, address, number, secret, plain = vector
    data = plain[2:].rstrip(b"\x2f")
    sealed = mode5.seal(key, address, number, data)
    # Annex N.2.1 fills one block more than it needs; the rest is filled up to the block as we do.
    assert sealed == secret[: len(sealed)] and len(secret) - len(sealed) < 16


def test_wrong_key_or_manufacturer(vector):
    key, address, number, secret, _ = vector
    stranger = Address(address.manufacturer ^ 1, address.ident, address.version, address.device_type)
    for attempt in ((Key(bytes(range(100, 116))), address), (key, stranger)):
        with pytest.raises(WrongKeyError):
            mode5.open(*attempt, number, secret)


def test_the_check_does_not_see_the_rest_of_the_iv(vector):
    """CBC: the check bytes depend on the first two IV bytes only, the manufacturer."""
    key, address, number, secret, plain = vector
    opened = mode5.open(key, address, number ^ 0x55, secret)
    assert opened[:8] == plain[:8] and opened[8:16] == bytes(byte ^ 0x55 for byte in plain[8:16])
    assert opened[16:] == plain[16:]


@pytest.mark.parametrize(
    "blocks, length, expected", [(0, 20, 0), (1, 16, 16), (2, 40, 32), (15, 48, 48), (15, 240, 240)]
)
def test_encrypted_length(blocks, length, expected):
    assert mode5.encrypted_length(blocks, length) == expected


@pytest.mark.parametrize("blocks, length", [(1, 15), (3, 47), (15, 17), (15, 0), (14, 0)])
def test_body_too_short(blocks, length):
    with pytest.raises(TransportError):
        mode5.encrypted_length(blocks, length)


@pytest.mark.parametrize(
    "length, tail, n", [(16, 0, 1), (224, 9, 14), (224, 0, 14), (240, 0, 15), (256, 0, 15)]
)
def test_number_of_blocks(length, tail, n):
    assert mode5.blocks(bytes(length), tail) == n


def test_clear_tail_needs_a_countable_number_of_blocks():
    with pytest.raises(MisuseError):
        mode5.blocks(bytes(240), 1)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16), st.integers(0, 255))
def test_round_trip(data, secret, number):
    meter = Address.parse("12345678.M=KAM.V=1b.T=16")
    sealed = mode5.seal(Key(secret), meter, number, data)
    plain = mode5.open(Key(secret), meter, number, sealed)
    assert plain[:2] == b"\x2f\x2f" and plain[2 : 2 + len(data)] == data
    assert plain[2 + len(data) :] == b"\x2f" * (len(plain) - 2 - len(data)) and len(plain) - len(data) < 18
