"""Manchester and 3-of-6 against the printed tables and chip maker's vectors."""

import itertools

import pytest
import support_link as ref
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError, SymbolError
from omsnode.firmware.phy import manchester, tables, three_of_six

# Silicon Labs Si102x/C8051F96x example code, TestVectors.c.
SL_ENC = (("0123", "58D38B"), ("4567", "719693"), ("89AB", "B259A3"), ("CDEF", "D31CA9"))

# TI AN067 manchester.c.
MANCHESTER = ["AA", "A9", "A6", "A5", "9A", "99", "96", "95", "6A", "69", "66", "65", "5A", "59", "56", "55"]


@pytest.mark.parametrize("plain, coded", SL_ENC)
def test_three_of_six_vectors(plain, coded):
    assert three_of_six.encode(bytes.fromhex(plain)) == bytes.fromhex(coded)
    assert three_of_six.decode(bytes.fromhex(coded), 2) == bytes.fromhex(plain)


def test_manchester_table():
    for byte in range(256):
        coded = bytes.fromhex(MANCHESTER[byte >> 4] + MANCHESTER[byte & 15])
        assert manchester.encode(bytes([byte])) == coded
        assert manchester.decode(coded, 1) == bytes([byte])


def test_all_twelve_chips_in_three_of_six():
    """Every pattern of 12 chips: the one byte that has it, or the first word that no encoder sends."""
    words = {word: nibble for nibble, word in enumerate(ref.THREE_OF_SIX)}
    for pattern in range(4096):
        chips = format(pattern, "012b")
        bad = [i for i, word in enumerate((chips[:6], chips[6:])) if word not in words]
        if bad:
            with pytest.raises(SymbolError) as caught:
                three_of_six.decode(ref.pack(chips), 1)
            assert caught.value.position == bad[0]
        else:
            assert three_of_six.decode(ref.pack(chips), 1) == bytes(
                [words[chips[:6]] << 4 | words[chips[6:]]]
            )


def test_all_eight_chips_in_manchester():
    pairs = {"10": "0", "01": "1"}
    for pattern in range(256):
        chips = format(pattern, "08b")
        found = [pairs.get(chips[i : i + 2]) for i in range(0, 8, 2)]
        coded = bytes([0xAA, 0x55, pattern, 0xAA])
        if None in found:
            with pytest.raises(SymbolError) as caught:
                manchester.decode(coded, 2)
            assert caught.value.position == 8 + found.index(None)
        else:
            assert manchester.decode(coded, 2) == bytes([0x0F, int("".join(found), 2) << 4])


@given(st.binary(min_size=1, max_size=290))
def test_both_ways_against_the_reference(frame):
    assert three_of_six.encode(frame) == ref.pack(ref.three_of_six(frame))
    assert three_of_six.decode(three_of_six.encode(frame), len(frame)) == frame
    assert manchester.encode(frame) == ref.pack(ref.manchester(frame))
    assert manchester.decode(manchester.encode(frame), len(frame)) == frame


@given(st.binary(min_size=1, max_size=40), st.data())
def test_one_wrong_chip_is_found_where_it_is(frame, data):
    for code, chips, symbol in (
        (three_of_six, bytearray(ref.pack(ref.three_of_six(frame))), 6),
        (manchester, bytearray(ref.pack(ref.manchester(frame))), 2),
    ):
        chip = data.draw(st.integers(0, len(frame) * (12 if symbol == 6 else 16) - 1))
        chips[chip // 8] ^= 0x80 >> chip % 8
        with pytest.raises(SymbolError) as caught:
            code.decode(chips, len(frame))
        assert caught.value.position == chip // symbol


@given(st.binary(min_size=2, max_size=60), st.integers(0, 30))
def test_decoding_goes_on_in_the_middle(frame, first):
    first = min(first * 2, len(frame) - 1) & ~1
    assert three_of_six.decode(three_of_six.encode(frame), len(frame), first) == frame[first:]
    assert manchester.decode(manchester.encode(frame), len(frame), first) == frame[first:]


def test_too_few_chips_is_misuse():
    for code, coded in ((three_of_six, bytes.fromhex("58D3")), (manchester, bytes.fromhex("AAA9A6"))):
        assert code.decode(coded, 1) in (b"\x01", b"\x01")
        with pytest.raises(MisuseError):
            code.decode(coded, 2)
    with pytest.raises(MisuseError):
        three_of_six.decode(bytes.fromhex("58D38B"), 2, 1)


def test_the_loop_of_small_devices_equals_translate():
    mapping = bytes(reversed(range(256)))
    data = bytes(itertools.chain(range(256), b"abc"))
    assert tables._translate(data, mapping) == data.translate(mapping)
