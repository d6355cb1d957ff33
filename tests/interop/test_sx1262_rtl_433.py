"""rtl_433 reads what the SX1262 model sends when it is spoken to in the bytes of its sheet: no driver of ours in between."""

import json
import shutil
import subprocess

import pytest
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.phy import framing, modes
from omsnode.tools.iq import render
from support_sx1262_bytes import (
    C_MODULATION,
    S_FREQUENCY,
    S_MODULATION,
    S_TX_SYNC,
    T_FREQUENCY,
    T_MODULATION,
    T_TX_SYNC,
    Bench,
    tx_packet,
)

C_SYNC = "0D 06 C0 55 55 55 55 54 3D 54 {}"
# mode, format, set-up of section 6, last bytes of the sync word, then as in test_rtl_433: decoder, mode, detector, rate
CASES = (
    ("T1", "A", (T_FREQUENCY, T_MODULATION, T_TX_SYNC), "543D", "104", "T", "minmax", 1_000_000),
    (
        "C1",
        "A",
        (T_FREQUENCY, C_MODULATION, C_SYNC.format("CD")),
        "543D54CD",
        "104",
        "C",
        "classic",
        1_200_000,
    ),
    (
        "C1",
        "B",
        (T_FREQUENCY, C_MODULATION, C_SYNC.format("3D")),
        "543D543D",
        "104",
        "C",
        "classic",
        1_200_000,
    ),
    ("S1-m", "A", (S_FREQUENCY, S_MODULATION, S_TX_SYNC), "547696", "105", "S", "minmax", 1_000_000),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0] + case[1])
@pytest.mark.parametrize("polarity", [0x55, 0xAA])
def test_rtl_433_reads_the_model(case, polarity, require, tmp_path):
    require(shutil.which("rtl_433"), "rtl_433 is not installed (Debian package rtl-433)")
    mode, frame_format, setup, sync, decoder, letter, detector, rate = case
    build = frame_a.build if frame_format == "A" else frame_b.build
    made = Bench(options={"preamble_polarity": polarity}).start()
    sent = []
    for length in (20, 45, 80):
        telegram = bytes([length]) + bytes.fromhex("44AE0C785634120107A0")
        telegram += bytes((7 * i + length) & 0xFF for i in range(length - 10))
        stream = bytes(framing.chips(modes.find(mode, modes.UP), build(telegram), frame_format))
        data = stream[stream.index(bytes.fromhex(sync)) + len(sync) // 2 :]
        made.do("80 01", *setup, tx_packet(len(data)), "0E 00 " + data.hex(), "83 00 00 00")
        made.sleep(200_000)
        sent.append(telegram)
    assert made.faults == []
    recording = tmp_path / "air.cu8"
    recording.write_bytes(render.render(made.world.air.log, rate, gap_ms=5))
    options = ["-c", "/dev/null", "-r", str(recording), "-s", str(rate), "-f", "868950000", "-R", decoder]
    done = subprocess.run(
        ["rtl_433", *options, "-Y", detector, "-F", "json"], capture_output=True, text=True, timeout=240
    )
    heard = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["mode"] for row in heard] == [letter] * len(sent)
    for row, telegram in zip(heard, sent, strict=True):
        assert bytes.fromhex(row["data"])[1:][: len(telegram) - 1] == telegram[1:]
