"""Wired frames: every kind is read, every kind of damage has a name, no wireless telegram is taken for one."""

import pytest
import support_wired as known
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import ChecksumError, FrameError, LengthError, OmsError
from omsnode.firmware.link import wired


@pytest.mark.parametrize(
    "text, c_field, address, offset, end",
    [
        (known.N_2_2, 0x08, 0xFD, 6, 36),
        (known.N_4_3_REQUEST, 0x7B, 0xFD, 3, 3),
        (known.ERROR, 0x08, 1, 6, 7),
        (known.ACK, 0x00, None, 1, 1),
    ],
)
def test_kinds(text, c_field, address, offset, end):
    data = bytes.fromhex(text)
    frame = wired.parse(data)
    assert (frame.c_field, frame.primary_address, frame.offset, frame.end) == (c_field, address, offset, end)
    assert (frame.address, frame.ell, frame.hops) == (None, None, 0) and wired.is_wired(data)


@pytest.mark.parametrize(
    "text, error, position",
    [
        (known.N_2_2[:-4] + "8816", ChecksumError, 36),
        ("107BFD7716", ChecksumError, 3),
        (known.N_2_2[:-2] + "17", FrameError, 37),
        ("107BFD7815", FrameError, 4),
        ("6820206908" + known.N_2_2[10:], FrameError, 3),
        ("E6", FrameError, 0),
        ("", FrameError, 0),
        ("6820216808" + known.N_2_2[10:], LengthError, 2),
        ("6802026808FD0516", LengthError, 1),
        (known.N_2_2[:-2], LengthError, 37),
        (known.N_2_2 + "16", LengthError, 38),
        ("682020", LengthError, 3),
        ("107BFD78", LengthError, 4),
    ],
)
def test_damage_has_a_name(text, error, position):
    with pytest.raises(error) as caught:
        wired.parse(bytes.fromhex(text))
    assert type(caught.value) is error and caught.value.position == position
    assert caught.value.message and caught.value.hint


def test_longest_frame():
    assert wired.parse(known.long_frame(bytes(253))).end == 259


def test_a_wireless_telegram_of_68h_bytes_stays_one():
    """L = 68h, C = 63h, manufacturer 6863h: it begins like a long frame and has just its number of bytes."""
    telegram = bytes.fromhex("68636368") + bytes(101)
    assert len(telegram) == 105 and not wired.is_wired(telegram)
    # With a right checksum and the stop byte it is one; by chance that is one telegram of 65,536 of that one sender.
    frame = known.long_frame(bytes(97))
    assert len(frame) == 105 and frame[:4] == telegram[:4] and wired.is_wired(frame)


@settings(max_examples=300)
@given(st.sampled_from(known.ALL), st.lists(st.integers(0, 8 * 60), max_size=3), st.integers(0, 60))
def test_nothing_but_typed_outcomes(text, bits, cut):
    data = bytearray.fromhex(text)
    for bit in bits:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    data = bytes(data[: len(data) - cut] if cut < len(data) else data)
    wired.is_wired(data)
    try:
        frame = wired.parse(data)
        assert frame.offset <= frame.end <= len(data)
    except OmsError as error:
        assert error.code in ("checksum", "frame", "length")
