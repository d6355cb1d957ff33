"""rtl_433 (Debian package rtl-433) reads what the virtual air carried.

The telegrams go through the driver of a CC1101 or an SX1262 and the chip model; carrier, deviation, chip rate and chips
of the recording come from the model's registers, so an outside program judges the driver's profiles.

Limits of rtl_433 22.11 (its src/devices/m_bus.c), all of them in its buffers and not in the recording:
* T and C: at most 64 + 256 * 12 chips from the first edge on: T up to L = 226; C has no limit, but format B needs an
  L-field of 12.
* S: its Manchester decoder stops after 800 bits: frames up to 100 bytes, L = 87.
* format B with a third block: checked ("not tested!"), but copied to the wrong place; see `as_rtl_433_copies_it`.
* FSK detection, T: `minmax`. C: it has no trailer, and `minmax` drops the run of equal chips that the burst ends with,
  so `classic`, which wants more than 10 samples per chip: 1.2 MS/s.
"""

import json
import random
import shutil
import subprocess

import pytest
from omsnode.drivers.sx1262 import limits
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.phy import modes
from omsnode.tools import cli
from omsnode.tools.iq import render, virtual

T_AND_C, S = "104", "105"  # rtl_433's numbers of its wireless M-Bus decoders
# name: mode, format, builder, Ls, decoder, its name of the mode, detector, rate
CASES = {
    "T": ("T1", "A", frame_a.build, range(9, 227), T_AND_C, "T", "minmax", 1_000_000),
    "C-A": ("C1", "A", frame_a.build, range(9, 256), T_AND_C, "C", "classic", 1_200_000),
    "C-B": ("C1", "B", frame_b.build, range(10, 252), T_AND_C, "C", "classic", 1_200_000),
    "S": ("S1-m", "A", frame_a.build, range(9, 88), S, "S", "minmax", 1_000_000),
}
# The largest L that the SX1262 sheet names as safe (7); in C with the sync word of the other frame format too.
LONGEST = {"T": 149, "C-A": 222, "C-B": 222, "S": 110}


@pytest.fixture
def rtl_433(require):
    require(shutil.which("rtl_433"), "rtl_433 is not installed (Debian package rtl-433)")

    def decode(path, rate, decoder, detector):
        """Its JSON objects."""
        options = ["-c", "/dev/null", "-r", str(path), "-s", str(rate), "-f", "868950000"]
        options += ["-R", decoder, "-Y", detector, "-F", "json"]
        done = subprocess.run(["rtl_433", *options], capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return decode


def telegrams(lengths, seed):
    """Plain telegrams (CI A0, maker's own) with random content."""
    source = random.Random(seed)
    for length in lengths:
        body = bytes([0xA0]) + source.randbytes(length)
        yield bytes([length]) + bytes.fromhex("44AE0C785634120107") + body[: length - 9]


def as_rtl_433_copies_it(telegram, frame_format):
    """Bytes behind the L-field. For a third block of format B, `memcpy(out + 116, in + 118, L - 129)`."""
    if frame_format == "A" or len(telegram) <= 126:
        return telegram[1:]
    frame = frame_b.build(telegram)
    third = len(frame) - 130
    out = bytearray(len(telegram))
    out[:126] = frame[:126]
    out[116 : 116 + third] = frame[118 : 118 + third]
    return bytes(out[1:])


@pytest.mark.parametrize("chip", ["cc1101", "sx1262"])
@pytest.mark.parametrize("name", CASES)
def test_decodes_every_frame(name, chip, rtl_433, tmp_path):
    """Every length that rtl_433 reads and the chip can send (sheet 7.3 of the SX1262: 255 bytes and the sync word)."""
    mode, frame_format, build, lengths, decoder, letter, detector, rate = CASES[name]
    sent = list(telegrams(lengths, name))
    if chip == "sx1262":
        longest = limits.longest(modes.find(mode), frame_format)
        assert longest >= LONGEST[name]
        sent = [telegram for telegram in sent if build(telegram)[0] <= longest]
    on_air = virtual.send(mode, [build(telegram) for telegram in sent], frame_format, chip=chip)
    recording = tmp_path / "air.cu8"
    recording.write_bytes(render.render(on_air, rate, gap_ms=2))
    heard = rtl_433(recording, rate, decoder, detector)
    assert len(heard) == len(sent)
    for got, telegram in zip(heard, sent, strict=True):
        assert (got["model"], got["mode"], got["M"], got["id"]) == ("Wireless-MBus", letter, "CEN", 12345678)
        whole = as_rtl_433_copies_it(telegram, frame_format)
        assert bytes.fromhex(got["data"])[1:][: len(whole)] == whole
    print("rtl_433: {} of {} frames in {} of {}".format(len(heard), len(sent), name, chip))


@pytest.mark.parametrize("chip", ["cc1101", "sx1262"])
@pytest.mark.parametrize("name", ["T", "S"])
def test_decodes_with_noise_and_carrier_error(name, chip, rtl_433, tmp_path):
    mode, frame_format, build, _, decoder, _, detector, rate = CASES[name]
    sent = [build(telegram) for telegram in telegrams(range(20, 60, 5), name)]
    on_air = virtual.send(mode, sent, frame_format, chip=chip)
    recording = tmp_path / "air.cu8"
    recording.write_bytes(render.render(on_air, rate, ecn0_db=30, offset_hz=-20_000, gap_ms=5))
    assert len(rtl_433(recording, rate, decoder, detector)) == len(sent)


def test_the_judge_judges(rtl_433, tmp_path):
    """With the two tones exchanged it reads nothing."""
    mode, frame_format, build, _, decoder, _, detector, rate = CASES["T"]
    on_air = virtual.send(
        mode, [build(telegram) for telegram in telegrams(range(20, 60, 5), 1)], frame_format
    )
    for one in on_air:
        one.chips = bytearray(1 - chip for chip in one.chips)
    recording = tmp_path / "air.cu8"
    recording.write_bytes(render.render(on_air, rate, gap_ms=5))
    assert rtl_433(recording, rate, decoder, detector) == []


@pytest.mark.parametrize("letter, frame_format", [("T", "A"), ("C", "A"), ("C", "B"), ("S", "A")])
def test_the_command(letter, frame_format, rtl_433, tmp_path):
    """`omsnode iq`: hex lines in, rtl_433 reads the file."""
    *_, decoder, mode, detector, rate = CASES[letter if letter != "C" else "C-" + frame_format]
    lines = tmp_path / "telegrams.txt"
    # EN 13757-4 sample telegram, and the same meter's next one, with a comment between.
    lines.write_text("0F44AE0C785634120107780B13436587\n# next\n\n0F44AE0C785634120107780B13446587\n")
    recording = tmp_path / "air.cu8"
    options = ["--mode", letter, "--format", frame_format, "--rate", str(rate), "--gap", "3"]
    assert cli.main(["iq", *options, "--out", str(recording), str(lines)]) == 0
    heard = rtl_433(recording, rate, decoder, detector)
    assert [(one["mode"], one["id"], one["data"][2:32]) for one in heard] == [
        (mode, 12345678, "44ae0c785634120107780b13436587"),
        (mode, 12345678, "44ae0c785634120107780b13446587"),
    ]
