"""`omsnode iq`: what it writes, and what it refuses."""

import pytest
from omsnode.tools import cli
from omsnode.tools.iq.slice import slice_iq

SAMPLE = "0F44AE0C785634120107780B13436587"  # EN 13757-4 sample telegram, without CRCs
# The same on the air (link sheet 12.1 to 12.3): the chips behind the sync word up to the last CRC.
ON_AIR = {
    "T": "5A971C9B25B44EC65A2DC34E58D59371C7134EC5A334B70B699B133726B1",
    "C": "543D54CD 0F44AE0C7856341201074447780B134365871E6D",
    "S": "AA559A9A6656AA5A956A9996A59AA9A6AAA9AA959A9A9A95956AAA65A9A59AA596996A95A9569659",
}


def run(tmp_path, text, *options):
    (tmp_path / "in.txt").write_text(text)
    status = cli.main(["iq", *options, "--out", str(tmp_path / "out.cu8"), str(tmp_path / "in.txt")])
    recording = tmp_path / "out.cu8"
    return status, recording.read_bytes() if recording.exists() else None


def holds(burst, mode):
    chips = "".join("{:08b}".format(value) for value in bytes.fromhex(ON_AIR[mode]))
    return chips in "".join(map(str, burst.chips))


@pytest.mark.parametrize("mode", ON_AIR)
def test_worked_chips_of_the_standard(mode, tmp_path):
    status, recording = run(tmp_path, SAMPLE, "--mode", mode, "--ecn0", "30", "--offset", "-5000")
    assert status == 0
    (burst,) = slice_iq(recording, 1_000_000)
    assert holds(burst, mode)
    assert burst.frequency_hz == pytest.approx(-5000, abs=1500)


def test_frames_and_lines_of_other_tools(tmp_path):
    text = (
        "{0}\n# the same frame with its CRCs, and as rtlwmbus\n0F44AE0C7856341201074447780B134365871E6D\n".format(
            SAMPLE
        )
        + "T1;1;1;2024-01-01 00:00:00.000;-60;-60;12345678;0x{}\n".format(SAMPLE)
    )
    status, recording = run(tmp_path, text, "--mode", "T", "--gap", "1")
    assert status == 0
    bursts = slice_iq(recording, 1_000_000)
    assert len(bursts) == 3
    assert all(holds(burst, "T") for burst in bursts)


def test_repeatable(tmp_path):
    options = ("--mode", "C", "--format", "B", "--ecn0", "15")
    assert run(tmp_path, SAMPLE, *options) == run(tmp_path, SAMPLE, *options)


def test_a_refused_line_does_not_stop_the_others(tmp_path, capsys):
    status, recording = run(tmp_path, "0F44xx\n" + SAMPLE + "\n", "--mode", "T")
    assert status == 1
    assert len(slice_iq(recording, 1_000_000)) == 1
    assert capsys.readouterr().err.startswith("line 1: ")


@pytest.mark.parametrize(
    "text, options",
    [
        ("", ["--mode", "T"]),
        ("# nothing\n", ["--mode", "T"]),
        (SAMPLE, ["--mode", "T", "--format", "B"]),
        (SAMPLE, ["--mode", "S", "--format", "B"]),
        (SAMPLE, ["--mode", "T", "--rate", "100000"]),
        (SAMPLE, ["--mode", "T", "--rate", "99999999999"]),
        (SAMPLE, ["--mode", "T", "--gap", "-1"]),
        (SAMPLE, ["--mode", "T", "--gap", "nan"]),
        (SAMPLE, ["--mode", "T", "--gap", "inf"]),
        (SAMPLE, ["--mode", "T", "--offset", "nan"]),
        (SAMPLE, ["--mode", "T", "--offset", "1e12"]),
        (SAMPLE, ["--mode", "T", "--ecn0", "nan"]),
        (SAMPLE, ["--mode", "T", "--ecn0", "5000"]),
        (SAMPLE, ["--mode", "T", "--ecn0=-1000"]),
        (SAMPLE, ["--mode", "T", "--out", "/nowhere/out.cu8"]),
    ],
)
def test_misuse(text, options, tmp_path, capsys):
    (tmp_path / "in.txt").write_text(text)
    assert cli.main(["iq", "--out", str(tmp_path / "out.cu8"), *options, str(tmp_path / "in.txt")]) == 2
    assert "omsnode: " in capsys.readouterr().err
    assert not (tmp_path / "out.cu8").exists()
