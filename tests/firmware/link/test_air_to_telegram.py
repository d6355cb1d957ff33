"""From chips to telegram and back through both layers: what was sent arrives, or a typed error does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import CrcError, OmsError
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.phy import framing, modes
from omsnode.firmware.phy.deframer import Deframer

# Mode, direction, frame format, deframer, chips before the ones the deframer gets.
PATHS = (
    ("T1", "up", "A", "T", 48),
    ("T2", "up", "A", "T+C", 48),
    ("S1", "up", "A", "S", 576),
    ("T2", "down", "A", "S", 48),
    ("C1", "up", "A", "T+C", 48),
    ("C1", "up", "B", "T+C", 48),
    ("C2", "down", "B", "C", 48),
)


def receive(listens_to, chips):
    """Telegram of the chips behind the sync word; raises what the layers raise, None if chips are missing."""
    deframer = Deframer(listens_to)
    result = deframer.feed(chips)
    if result < 0:
        raise deframer.error
    if result > 0:
        return None
    return (frame_a if deframer.frame_format == "A" else frame_b).strip(deframer.frame)


@pytest.mark.parametrize("name, direction, frame_format, listens_to, header", PATHS)
def test_every_telegram_length(name, direction, frame_format, listens_to, header):
    code = frame_a if frame_format == "A" else frame_b
    for length in range(9, 256 if frame_format == "A" else 252):
        telegram = bytes([length]) + bytes((length + 91 * i) & 0xFF for i in range(length))
        chips = framing.chips(modes.find(name, direction), code.build(telegram), frame_format)
        assert receive(listens_to, chips[header // 8 :]) == telegram


@settings(max_examples=1500)
@given(
    st.sampled_from(PATHS),
    st.binary(min_size=9, max_size=251),
    st.lists(st.integers(0, 1 << 16), min_size=1, max_size=3, unique=True),
)
def test_turned_chips_never_give_another_telegram(path, body, turned):
    """Up to three wrong chips behind the L-field: the CRC's Hamming distance forbids another telegram."""
    name, direction, frame_format, listens_to, header = path
    code = frame_a if frame_format == "A" else frame_b
    mode = modes.find(name, direction)
    telegram = bytes([len(body)]) + body
    chips = bytearray(framing.chips(mode, code.build(telegram), frame_format)[header // 8 :])
    for chip in turned:
        chip = 24 + chip % (8 * len(chips) - 24)
        chips[chip // 8] ^= 0x80 >> chip % 8
    try:
        received = receive(listens_to, bytes(chips))
    except OmsError as error:
        assert error.code in ("symbol", "crc")
        if listens_to in ("S", "T"):
            assert not isinstance(error, CrcError) or len(turned) > 1
    else:
        # Chips in the trailer do not matter, and two errors in one place cancel out.
        assert received == telegram
