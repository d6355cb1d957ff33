"""`omsnode decode` and `omsnode analyze` with MAC frames and bursts, as a user runs them."""

import json

import pytest
import support_lpwan as known
from omsnode.tools import cli
from support_link import ANNEX_N_2_1

KEY = "000102030405060708090A0B0C0D0E0F"  # of Annex N
MAC_KEY = "101112131415161718191A1B1C1D1E1F"  # Table Q.K.1
BURST = (  # Annex Q.Z.4.1.2
    "55555555C1FA4C6A07BC9633780D86DD58B19E8583B0E563C8B0E563C8B0E563C8821AC7583C2D48037B90FD9E0682327A114D18529B"
)


@pytest.fixture
def omsnode(monkeypatch, tmp_path, capsys):
    """omsnode(lines, *arguments): (exit status, standard output), with these lines as the file in place of FILE."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(lines, *arguments):
        path = tmp_path / "lines.txt"
        path.write_text("\n".join(lines))
        try:
            status = cli.main([*arguments, str(path)])
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().out

    return run


def test_all_published_frames_and_a_telegram_between(omsnode):
    lines = ["{};{}".format(*known.FRAMES[name]) for name in known.FRAMES]
    lines.insert(3, ANNEX_N_2_1.hex())
    status, out = omsnode(lines, "decode", "--key", KEY, "--mac-key", MAC_KEY)
    found = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and [one["error"] and one["error"]["code"] for one in found] == (
        [None] * 3 + ["wrong_key_or_altered"] + [None] * 5
    )
    assert "mac" not in found.pop(3)
    assert [one["mac"]["type"] for one in found] == [
        "MSNR",
        "MACK",
        "MERR",
        "MCMD",
        "MCMD",
        "MRSP",
        "MSNR",
        "MCNR",
    ]
    assert [one["link"]["format"] for one in found] == ["C"] * 8
    assert found[0]["records"][0]["value"] == 28504.27 and found[0]["security"]["profile"] == "B"
    assert found[0]["llc"]["synchronous"] is True and found[0]["id"] == found[3]["id"] == "12345678"
    assert found[3]["mac"]["body"]["blocks"][0]["name"] == "fallback status"


def test_the_option_says_what_the_lines_are(omsnode):
    status, out = omsnode([BURST, known.FRAMES["Q.Z.1"][1]], "decode", "--lpwan", "UL-B4")
    first, second = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and first["mode"] == second["mode"] == "UL-B4" and first["mac"] == second["mac"]
    assert first["burst"]["tiv"] == 89 and second["burst"] is None
    status, out = omsnode([known.FRAMES["Q.Z.1"][1]], "decode")
    assert status == 1 and json.loads(out)["error"]["code"] == "length"
    assert omsnode([], "decode", "--lpwan", "UL-B9")[0] == 2


def test_the_mac_key_of_a_key_file(omsnode, tmp_path):
    path = tmp_path / "keys"
    path.write_text("12345678 {}\n12345678 {} key_id=0x0F\n".format(KEY, MAC_KEY))
    lines = ["up;" + known.FRAMES["Q.K.8"][1]]
    status, out = omsnode(lines, "decode", "--keys", str(path))
    found = json.loads(out)
    assert status == 0 and found["mac"]["body"]["verdict"] == found["security"]["verdict"] == "authenticated"
    status, out = omsnode(lines, "decode", "--key", KEY)  # that of telegrams opens no MAC body
    assert json.loads(out)["mac"]["body"]["verdict"] == "no_key"


@pytest.mark.parametrize("form", ["table", "wmbusmeters", "homeassistant", "rtlwmbus"])
def test_other_formats(omsnode, form):
    lines = ["UL-B4;" + known.FRAMES[name][1] for name in ("Q.K.3", "Q.K.4", "Q.K.8", "Q.Z.1")]
    lines += ["DL-B4;" + known.FRAMES["Q.K.7"][1], "DL-B4;00"]
    status, out = omsnode(lines, "decode", "--key", KEY, "--mac-key", MAC_KEY, "--format", form)
    assert status == 1
    if form == "table":
        assert "12345678  OMG  gas  MSNR  SND-NR" in out and "MBlock 01 fallback status, get" in out
        assert "MElements: " in out and "downlink: DL-B4" in out and "refused: length" in out
    assert ("28504.27" in out) == (form in ("table", "wmbusmeters"))


def test_the_gateway_and_profiles_bear_with_it(omsnode):
    lines = ["UL-B4;" + known.FRAMES[name][1] for name in ("Q.K.3", "Q.K.4", "Q.Z.1")]
    lines.append("DL-B4;" + known.FRAMES["Q.Z.10"][1])
    assert omsnode(lines, "decode", "--key", KEY, "--gateway")[0] == 0
    assert omsnode(lines, "decode", "--key", KEY, "--profiles")[0] == 0


def test_analyze_a_burst(omsnode):
    status, out = omsnode([BURST], "analyze", "--lpwan", "UL-B4")
    assert status == 0 and "54 bytes, all explained" in out and "15 bytes, all explained" in out
    for text in (
        "     8  07 BC 96                 PHY       CL: L_DA 10 bytes of Data A",
        "    33  82 1A C7 58 3C 2D 48 03  PHY       Coded header: PHY payload length 15, TIV 89, single burst",
        "    10  1011001                           timing input value: 89",
        "   126  011000001001101110                P3A",
        "     1  1A                       MAC       MElement_UA: LMS 0; DL-AC 2, access option #1, downlink sub-mode DL-B4",
        "    11  AC B4 62 71              MAC       CRC, right",
    ):
        assert text in out


def test_analyze_what_is_damaged(omsnode, capsys):
    lines = ["down;" + known.FRAMES["Q.Z.10"][1][:-1] + "B", "down;4C", "UL-B4;" + BURST[:-2]]
    status, out = omsnode(lines, "analyze")
    assert status == 1 and "?? CRC wrong: over these bytes it is 650C99BA" in out
    assert "refused: crc" in out and out.count("refused: length") == 2
    assert cli.main(["analyze", "UL-B1.3;" + known.FRAMES["Q.Z.1"][1]]) == 0  # a dot, and no file
    assert "15 bytes, all explained" in capsys.readouterr().out
