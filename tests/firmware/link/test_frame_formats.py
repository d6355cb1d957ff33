"""Frame formats A and B: published frames both ways, every length, and what is wrong is named with its block."""

import json

import pytest
import support_link as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import CrcError, LengthError, MisuseError, OmsError
from omsnode.firmware.link import frame_a, frame_b


@pytest.mark.parametrize("frame", ref.FRAMES_A, ids=lambda frame: frame[:10].hex())
def test_published_a(frame):
    telegram = frame_a.strip(frame)
    assert telegram[0] == frame[0] == len(telegram) - 1
    assert frame_a.build(telegram) == frame


@pytest.mark.parametrize("frame", ref.FRAMES_B, ids=lambda frame: frame[:10].hex())
def test_published_b(frame):
    telegram = frame_b.strip(frame)
    assert telegram[0] == len(telegram) - 1 == frame[0] - (2 if frame[0] <= 127 else 4)
    assert frame_b.build(telegram) == frame


def test_published_annex_n(shared):
    """Every wireless telegram of OMS Vol.2 Annex N."""
    count = 0
    for example in json.loads((shared / "vectors" / "annex-n.json").read_text())["examples"]:
        if example.get("bytes_on_air"):
            on_air = bytes.fromhex(example["bytes_on_air"])
            telegram = bytes.fromhex(example["bytes_without_crc"])
            assert frame_a.strip(on_air) == telegram
            assert frame_a.build(telegram) == on_air
            count += 1
    assert count > 10


@pytest.mark.parametrize("length", ref.LENGTHS_A)
def test_every_length_a(length):
    frame = ref.frame_a(length)
    telegram = frame_a.strip(frame)
    assert telegram == bytes([length]) + bytes((37 * i + length) & 0xFF for i in range(length))
    assert frame_a.build(telegram) == frame


@pytest.mark.parametrize("length", ref.LENGTHS_B)
def test_every_length_b(length):
    frame = ref.frame_b(length)
    telegram = frame_b.strip(frame)
    assert telegram[1:] == bytes((37 * i + length) & 0xFF for i in range(len(telegram) - 1))
    assert telegram[0] == len(telegram) - 1
    assert frame_b.build(telegram) == frame


def test_telegrams_that_fit_no_frame():
    for code, longest in ((frame_a, 255), (frame_b, 251)):
        code.build(bytes([longest]) + bytes(longest))
        for telegram in (
            b"",
            bytes([8]) + bytes(8),
            bytes([9]) + bytes(10),
            bytes([(longest + 1) & 0xFF]) + bytes(longest + 1),
        ):
            with pytest.raises(MisuseError):
                code.build(telegram)


@pytest.mark.parametrize("code, frame", ((frame_a, ref.ANNEX_N_2_1), (frame_b, ref.SAMPLE_B3)))
def test_cut_or_long_frames(code, frame):
    for n in range(len(frame)):
        with pytest.raises(LengthError):
            code.strip(frame[:n])
    with pytest.raises(LengthError):
        code.strip(frame + b"\x00")


def blocks_a(frame):
    """Block number, from 1, of each byte."""
    return [1] * 12 + [2 + i // 18 for i in range(len(frame) - 12)]


@settings(max_examples=300)
@given(st.integers(9, 255), st.data())
def test_turned_bits_are_named_with_their_block_a(length, data):
    frame = bytearray(ref.frame_a(length))
    at = data.draw(st.integers(1, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CrcError) as caught:
        frame_a.strip(bytes(frame))
    assert caught.value.position == blocks_a(frame)[at]


@settings(max_examples=300)
@given(st.sampled_from(ref.LENGTHS_B), st.data())
def test_turned_bits_are_named_with_their_block_b(length, data):
    frame = bytearray(ref.frame_b(length))
    at = data.draw(st.integers(1, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CrcError) as caught:
        frame_b.strip(bytes(frame))
    assert caught.value.position == (2 if at < 128 else 3)


@settings(max_examples=500)
@given(st.sampled_from((frame_a, frame_b)), st.binary(max_size=300))
def test_random_bytes_raise_typed_errors_only(code, data):
    for function in (code.strip, code.build):
        try:
            out = function(data)
        except OmsError:
            continue
        assert (code.build if function is code.strip else code.strip)(out) == data
