"""The deframer: every frame comes out of its chips, however they are cut, and nothing else does."""

import pytest
import support_link as ref
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import LengthError, MisuseError, SymbolError
from omsnode.firmware.phy import framing
from omsnode.firmware.phy.deframer import Deframer

FAMILIES = ("T", "C", "S", "T+C")


def on_air(family, frame, frame_format="A"):
    """Chips behind the 16-chip sync word, from the reference coders."""
    if family == "T":
        return ref.pack(ref.three_of_six(frame))
    if family == "S":
        return ref.pack(ref.manchester(frame))
    return bytes.fromhex("54CD" if frame_format == "A" else "543D") + frame


def chip_count(family, frame):
    return {"T": 12, "S": 16, "C": 8}[family] * len(frame) + (16 if family == "C" else 0)


def cut(data, sizes):
    """data in pieces; sizes are used in turn."""
    out, at, i = [], 0, 0
    while at < len(data):
        out.append(data[at : at + sizes[i % len(sizes)]])
        at += sizes[i % len(sizes)]
        i += 1
    return out


def outcome(deframer):
    error = deframer.error
    return (
        deframer.frame,
        deframer.family,
        deframer.frame_format,
        deframer.total_chips,
        error and (type(error), error.position),
    )


CASES = (
    [("T", "T", frame, "A") for frame in ref.FRAMES_A]
    + [("T+C", "T", frame, "A") for frame in ref.FRAMES_A]
    + [("S", "S", frame, "A") for frame in ref.FRAMES_A]
    + [("C", "C", frame, "A") for frame in ref.FRAMES_A]
    + [("T+C", "C", frame, "A") for frame in ref.FRAMES_A]
    + [("C", "C", frame, "B") for frame in ref.FRAMES_B]
    + [("T+C", "C", frame, "B") for frame in ref.FRAMES_B]
)


@pytest.mark.parametrize("listens_to, family, frame, frame_format", CASES)
def test_published_frames(listens_to, family, frame, frame_format):
    deframer = Deframer(listens_to)
    chips = on_air(family, frame, frame_format)
    for i, byte in enumerate(chips):
        missing = deframer.feed(bytes([byte]))
        if deframer.total_chips is not None:
            assert deframer.total_chips == chip_count(family, frame)
            assert missing == max(0, deframer.total_chips - 8 * (i + 1))
        else:
            assert 0 < missing <= 24 and i < 2
    assert outcome(deframer) == (frame, family, frame_format, chip_count(family, frame), None)


@pytest.mark.parametrize("listens_to", FAMILIES)
def test_every_length(listens_to):
    deframer = Deframer(listens_to)
    for family in listens_to.split("+"):
        for frame_format, lengths, build in (
            ("A", ref.LENGTHS_A, ref.frame_a),
            ("B", ref.LENGTHS_B, ref.frame_b),
        ):
            if frame_format == "B" and family != "C":
                continue
            for length in lengths:
                frame = build(length)
                chips = on_air(family, frame, frame_format)
                deframer.reset()
                assert (
                    deframer.feed(chips[: len(chips) // 2]) == chip_count(family, frame) - len(chips) // 2 * 8
                )
                assert deframer.feed(chips[len(chips) // 2 :] + b"\xff\x00\x55") == 0
                assert outcome(deframer)[:3] == (frame, family, frame_format)


@pytest.mark.parametrize("listens_to", FAMILIES)
def test_impossible_lengths_are_refused_at_once(listens_to):
    for family in listens_to.split("+"):
        for frame_format, legal in (("A", ref.LENGTHS_A), ("B", ref.LENGTHS_B)):
            if frame_format == "B" and family != "C":
                continue
            for length in range(256):
                if length in legal:
                    continue
                deframer = Deframer(listens_to)
                assert deframer.feed(on_air(family, bytes([length, 0x44]), frame_format)[:3]) == -1
                assert isinstance(deframer.error, LengthError)
                assert deframer.frame is None


def test_wrong_second_half_of_the_c_sync():
    for listens_to, chips, position in (
        ("C", "55", 0),
        ("C", "54CC0F", 8),
        ("T+C", "54000F", 8),
        ("C", "543C", 8),
    ):
        deframer = Deframer(listens_to)
        assert deframer.feed(bytes.fromhex(chips)) == -1
        assert isinstance(deframer.error, SymbolError)
        assert deframer.error.position == position


def test_54_never_begins_a_t_frame():
    """So T and C are told apart by the first byte (link sheet 3.3 item 2)."""
    assert "010101" not in ref.THREE_OF_SIX
    deframer = Deframer("T")
    assert deframer.feed(b"\x54\xcd") == -1
    assert deframer.error.position == 0


@pytest.mark.parametrize("listens_to", FAMILIES)
def test_settled_stays_settled_until_reset(listens_to):
    family = listens_to[0]
    deframer = Deframer(listens_to)
    good = on_air(family, ref.SAMPLE_A)
    assert deframer.feed(good) == 0
    before = outcome(deframer)
    assert deframer.feed(b"\x00" * 9) == 0
    assert outcome(deframer) == before
    deframer.reset()
    assert outcome(deframer)[0] is None and deframer.total_chips is None
    assert deframer.feed(b"\xff" * 9) == -1
    before = outcome(deframer)
    assert deframer.feed(good) == -1
    assert outcome(deframer) == before


def test_rejects_before_the_frame_ends():
    """The bad word is reported with the chips that complete its group of two bytes, not at the end."""
    chips = bytearray(on_air("T", ref.frame_a(255)))
    chips[30] ^= 0x01  # chip 247, word 41
    deframer = Deframer("T")
    for i in range(len(chips)):
        if deframer.feed(bytes(chips[i : i + 1])) == -1:
            break
    assert i == 32 and deframer.error.position == 41


def test_no_such_family():
    with pytest.raises(MisuseError):
        Deframer("N")


# One stream, however it is cut, has one outcome. Half of the streams are frames with a few chips turned.
@st.composite
def streams(draw):
    family = draw(st.sampled_from(("T", "S", "C", "CB", "noise")))
    if family == "noise":
        return draw(st.binary(max_size=700))
    if family == "CB":
        chips = bytearray(on_air("C", ref.frame_b(draw(st.sampled_from(ref.LENGTHS_B))), "B"))
    else:
        chips = bytearray(on_air(family, ref.frame_a(draw(st.integers(9, 255)))))
    for _ in range(draw(st.integers(0, 3))):
        chip = draw(st.integers(0, 8 * len(chips) - 1))
        chips[chip // 8] ^= 0x80 >> chip % 8
    keep = draw(st.integers(0, len(chips))) if draw(st.booleans()) else len(chips)
    return bytes(chips[:keep]) + draw(st.binary(max_size=20))


@settings(max_examples=600)
@given(st.sampled_from(FAMILIES), streams(), st.lists(st.integers(1, 70), min_size=1, max_size=6))
@example("T+C", b"", [1])
def test_cutting_changes_nothing(listens_to, stream, sizes):
    whole, pieces = Deframer(listens_to), Deframer(listens_to)
    result = whole.feed(stream)
    piecewise = pieces.feed(b"")
    for piece in cut(stream, sizes):
        piecewise = pieces.feed(piece)
    assert result == piecewise
    assert outcome(whole) == outcome(pieces)
    assert (result == 0) == (whole.frame is not None)
    assert (result == -1) == (whole.error is not None)


@settings(max_examples=600)
@given(st.sampled_from(FAMILIES), streams())
def test_a_frame_is_exactly_what_was_on_the_air(listens_to, stream):
    """Nothing is guessed: whatever frame is delivered has just these chips, and an L-field that fits."""
    deframer = Deframer(listens_to)
    if deframer.feed(stream) != 0:
        return
    chips = ref.bits(on_air(deframer.family, deframer.frame, deframer.frame_format))[: deframer.total_chips]
    assert ref.bits(stream).startswith(chips)
    legal = ref.LENGTHS_A if deframer.frame_format == "A" else ref.LENGTHS_B
    assert deframer.frame[0] in legal
    assert len(deframer.frame) == framing.frame_bytes(deframer.frame[0], deframer.frame_format)


@settings(max_examples=600)
@given(st.sampled_from("TS"), st.integers(9, 255), st.data())
def test_one_turned_chip_never_passes(family, length, data):
    frame = ref.frame_a(length)
    chips = bytearray(on_air(family, frame))
    chip = data.draw(st.integers(0, chip_count(family, frame) - 1))
    chips[chip // 8] ^= 0x80 >> chip % 8
    deframer = Deframer(family)
    assert deframer.feed(chips) == -1
    assert deframer.error.position == chip // (6 if family == "T" else 2)
