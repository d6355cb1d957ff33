"""Frame to chips: the worked examples bit by bit, and every header and trailer by the rules."""

import pytest
import support_link as ref
from omsnode.firmware.errors import LengthError, MisuseError
from omsnode.firmware.phy import framing, modes

# Worked example of mode T, header 19 pairs, trailer 8 chips (link sheet 12.1; the same chips from TI AN067's encoder).
T_CHIPS = (
    "010101010101010101010101010101010101010000111101"
    "010110101001011100011100100110110010010110110100010011101100011001011010001011011100001101001110"
    "010110001101010110010011011100011100011100010011010011101100010110100011001101001011011100001011"
    "011010011001101100010011001101110010011010110001 01010101"
).replace(" ", "")
S_HEX = "555555547696 AA559A9A6656AA5A956A9996A59AA9A6AAA9AA959A9A9A95956AAA65A9A59AA596996A95A9569659 55"
# (mode, direction) -> least pairs, sync chips (link sheet 3)
HEADERS = {
    ("S1", "up"): (279, "000111011010010110"),
    ("S1-m", "up"): (15, "000111011010010110"),
    ("S2", "up"): (15, "000111011010010110"),
    ("S2", "down"): (15, "000111011010010110"),
    ("T1", "up"): (19, "0000111101"),
    ("T2", "up"): (19, "0000111101"),
    ("T2", "down"): (15, "000111011010010110"),
    ("C1", "up"): (16, None),
    ("C2", "up"): (16, None),
    ("C2", "down"): (16, None),
}


def test_worked_mode_t():
    assert ref.bits(framing.chips(modes.find("T1"), ref.SAMPLE_A)) == T_CHIPS


def test_worked_mode_s():
    assert framing.chips(modes.find("S2"), ref.SAMPLE_A) == bytes.fromhex(S_HEX)
    assert framing.chips(modes.find("T2", "down"), ref.SAMPLE_A) == bytes.fromhex(S_HEX)
    assert 8 * len(framing.chips(modes.find("S1"), ref.SAMPLE_A)) == 904


def test_worked_mode_c():
    mode = modes.find("C1")
    assert framing.chips(mode, ref.SAMPLE_A) == bytes.fromhex("55555555 543D54CD") + ref.SAMPLE_A
    assert framing.chips(mode, ref.SAMPLE_B, "B") == bytes.fromhex("55555555 543D543D") + ref.SAMPLE_B


@pytest.mark.parametrize("row", modes.every(), ids=lambda row: row.name + "-" + row.direction)
def test_every_mode_and_length(row):
    pairs, sync = HEADERS[row.name, row.direction]
    for frame_format in row.sync:
        lengths, build = (ref.LENGTHS_A, ref.frame_a) if frame_format == "A" else (ref.LENGTHS_B, ref.frame_b)
        header = "01" * pairs + (
            sync or ref.bits(bytes.fromhex({"A": "543D54CD", "B": "543D543D"}[frame_format]))
        )
        for length in lengths:
            frame = build(length)
            data = {"T": ref.three_of_six, "S": ref.manchester, "C": ref.bits}[row.family](frame)
            chips = ref.bits(framing.chips(row, frame, frame_format))
            assert chips.startswith(header + data)
            trailer = chips[len(header + data) :]
            if row.family == "C":
                assert trailer == ""
            else:
                assert 2 <= len(trailer) <= 8
                assert trailer in ("01" * 4 if row.family == "S" else "10" * 4 + "01" * 4)
                if row.family == "T":
                    assert all(a != b for a, b in zip(data[-1] + trailer, trailer, strict=False))


def test_frame_bytes():
    # Link sheet 5.1 and 1.4: L = 255 gives 290 bytes.
    assert framing.frame_bytes(255, "A") == 290
    assert framing.frame_bytes(9, "A") == 12
    for length in range(256):
        if length in ref.LENGTHS_A:
            assert framing.frame_bytes(length, "A") == len(ref.frame_a(length))
        else:
            with pytest.raises(LengthError):
                framing.frame_bytes(length, "A")
        if length in ref.LENGTHS_B:
            assert framing.frame_bytes(length, "B") == len(ref.frame_b(length))
        else:
            with pytest.raises(LengthError):
                framing.frame_bytes(length, "B")


def test_misuse():
    with pytest.raises(MisuseError):
        framing.chips(modes.find("T1"), ref.SAMPLE_B, "B")
    for frame in (b"", ref.SAMPLE_A[:-1], ref.SAMPLE_A + b"\x00"):
        with pytest.raises(MisuseError):
            framing.chips(modes.find("T1"), frame)
    with pytest.raises(MisuseError):
        modes.find("X")
