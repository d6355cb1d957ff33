"""`omsnode decode` and `omsnode analyze` as a user runs them."""

import io
import json
import subprocess
import sys

import pytest
import support_telegram as known
import support_wired as wired
from omsnode.firmware.application import frames
from support_link import ANNEX_N_2_1, SAMPLE_B

LINES = "\n".join(["# two meters", ANNEX_N_2_1.hex(), "", SAMPLE_B.hex(), ""])


def omsnode(*arguments, text="", encoding="utf-8"):
    command = [sys.executable, "-m", "omsnode.tools.cli", *map(str, arguments)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=240)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


def test_json_from_standard_input():
    status, out, err = omsnode("decode", "--key", known.KEY_A, text=LINES)
    first, second = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert first["id"] == "12345678" and first["records"][0]["value"] == 28504.27
    assert first["link"]["format"] == "A" and second["link"]["format"] == "B"
    assert second["records"][0]["value"] == 876.543


def test_refused_lines_keep_their_place(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes(b"garbage\n" + LINES.encode() + b"\xff\xfe\x00\n" + known.MANUFACTURER.encode())
    status, out, err = omsnode("decode", path)
    codes = [(json.loads(line)["error"] or {}).get("code") for line in out.splitlines()]
    assert (status, err) == (1, "")
    assert codes == ["line", "no_key", None, "line", "unsupported_ci"]


def test_what_can_be_read_of_a_line_with_another_length():
    """Too long, too short, encrypted and cut; each is refused, and none keeps its data to itself."""
    long = known.NO_HEADER + "FED0"
    short = known.NO_HEADER[:-4] + "\n" + known.N_2_1[:-8]
    status, out, _ = omsnode("decode", "--key", known.KEY_A, "--default-keys", text=long + "\n" + short)
    found = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and [one["error"]["code"] for one in found] == ["length"] * 3
    assert [one["id"] for one in found] == ["12345678"] * 3
    assert found[0]["records"][0]["value"] == 876.543 and found[0]["undecoded"]["data"] == "FED0"
    assert found[1]["records"] == [] and found[1]["undecoded"]["data"] == "0B1343"
    assert found[2]["security"]["verdict"] is None and found[2]["records"] == []
    assert found[2]["link"]["address"] == "12345678.M=ELS.V=33.T=03"


def test_analyze_a_line_with_another_length():
    status, out, _ = omsnode("analyze", known.NO_HEADER + "FED0")
    assert status == 1 and "L-field: announces 15 bytes, but 17 follow" in out and "refused: length" in out
    assert "876.543 m3" in out and "\n     0  0F " in out


@pytest.mark.parametrize("command", ["decode", "analyze"])
def test_every_length_of_every_telegram(command, tmp_path, capsys):
    """Cut after each byte, or with bytes behind: a refusal with its name, whatever it is that was cut."""
    from omsnode.tools import cli

    path = tmp_path / "lines"
    texts = [text[: 2 * cut] for text in known.ALL for cut in range(1, len(text) // 2)]
    texts += [text + "2F" * more for text in known.ALL for more in (1, 2, 16)]
    path.write_text("\n".join(texts))
    assert cli.main([command, "--default-keys", "--key", known.KEY_0, str(path)]) == 1
    out = capsys.readouterr().out
    if command == "decode":
        codes = [json.loads(line)["error"]["code"] for line in out.splitlines()]
        assert len(codes) == len(texts) and set(codes) <= {"length", "crc"}
    else:
        assert out.count("refused: ") == len(texts)


def test_default_keys_only_where_asked_for():
    # drivers/src/unismart.xmq of wmbusmeters: a meter with the all-zero key.
    text = (
        "6044B8059430040001037A1D005085E2B670BCF1A5C87E0C1A51DA18924EF984613DA2A9CD39D8F4C7208326C76D42DBEADF80D574"
        "192B71BD7C4F56A7F1513151768A9DB804883B28CB085CA2D0F7438C361CB9E2734712ED9BFBB2A14EF55208"
    )
    status, out, _ = omsnode("decode", text=text)
    assert status == 1 and json.loads(out)["security"]["verdict"] == "no_key"
    status, out, _ = omsnode("decode", "--default-keys", text=text)
    security = json.loads(out)["security"]
    assert status == 0 and (security["verdict"], security["key"]) == ("decrypted", "default")
    for arguments in (["decode", "--format", "table"], ["analyze", "-"]):
        status, out, _ = omsnode(*arguments, "--default-keys", text=text)
        assert status == 0 and "publicly known default key" in out


def test_key_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# gas\n12345678.M=ELS {}\n55667788 {}\n".format(known.KEY_A, known.KEY_0))
    status, out, _ = omsnode("decode", "--keys", path, text="\n".join((known.N_2_1, known.PARTIAL)))
    assert status == 0 and all(json.loads(line)["error"] is None for line in out.splitlines())


def test_table():
    status, out, _ = omsnode("decode", "--format", "table", "--key", known.KEY_A, text=LINES + "junk")
    assert status == 1
    assert "12345678  ELS  gas" in out and "28504.27 m3" in out and "refused: line" in out


def test_output_is_utf_8_in_every_locale(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    body = "AE0C785634120107" + "78" + "025AD200"  # flow temperature
    for arguments in (["decode"], ["decode", "--format", "table"], ["analyze", "-"]):
        status, out, _ = omsnode(*arguments, text="0E44" + body)
        assert status == 0 and "21.0" in out and "°C" in out


def test_one_line_at_a_time():
    """Each object is out before the next line is read."""
    command = [sys.executable, "-m", "omsnode.tools.cli", "decode"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for _ in range(3):
            process.stdin.write(known.NO_HEADER.encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == "12345678"
        process.stdin.close()
        assert process.wait(60) == 0


def test_reader_that_goes_away():
    command = [sys.executable, "-m", "omsnode.tools.cli", "decode"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.close()
        try:
            process.stdin.write((known.NO_HEADER + "\n").encode() * 20000)
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.stderr.read() == b""
        process.wait(60)


@pytest.mark.parametrize(
    "arguments",
    [
        ("decode", "no/such/file"),
        ("decode", "."),
        ("decode", "--keys", "no/such/file"),
        ("decode", "--key", "00"),
        ("decode", "--format", "xml"),
        ("decode", "--key", known.KEY_A, "--keys", "x"),
        ("analyze", "no/such/file"),
        ("analyze",),
    ],
)
def test_wrong_use(arguments):
    status, out, err = omsnode(*arguments)
    assert status == 2 and out == "" and err and "Traceback" not in err


SECRET = "A1B2C3D4E5F60718293A4B5C6D7E8F90"
FORMS = [
    SECRET,
    SECRET.lower(),
    SECRET[:-1],
    SECRET + "0",
    "0x" + SECRET,
    SECRET[:16] + "zz" + SECRET[18:],
    " ".join(SECRET[i : i + 2] for i in range(0, 32, 2)),
    ":".join(SECRET[i : i + 2] for i in range(0, 32, 2)),
    '"' + SECRET + '"',
]
PLACES = [
    ["decode", "--key", "{}"],
    ["decode", "--key={}"],
    ["decode", "--kye={}"],
    ["decode", "--ke={}"],
    ["decode", "--kye", "{}"],
    ["decode", "--key", "{}", "--keys", "{}"],
    ["decode", "--format", "{}"],
    ["decode", "{}"],
    ["--key", "{}", "decode"],
    ["{}"],
    ["analyze", "--key", "{}", known.N_2_1],
    ["analyze", "--keys", "{}", known.N_2_1],
]


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_key_never_comes_back(place, capfd, monkeypatch):
    from omsnode.tools import cli

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    for form in FORMS:
        try:
            cli.main([argument.format(form) for argument in place])
        except SystemExit:
            pass
        seen = "".join(capfd.readouterr()).upper()
        assert_hidden(seen)


def assert_hidden(seen):
    for part in (SECRET[:6], SECRET[-8:-2], "A1:B2:C3", "A1 B2 C3"):
        assert part not in seen.upper()


def test_a_key_never_comes_back_from_a_process(tmp_path):
    """As a user sees it, tracebacks included."""
    path = tmp_path / "keys"
    for form in FORMS:
        path.write_text("12345678 {}\n{} 12345678\n".format(form, form))
        for arguments in (["decode", "--keys", path], ["decode", "--key", form]):
            _, out, err = omsnode(*arguments, text=LINES)
            assert_hidden(out + err)
            assert "Traceback" not in err


# --- analyze ---


def test_analyze_a_frame():
    frame = "30449344443322115537A3528C0075728877665593445508000410051B2F00DFE2A782146D1513581CD2F83F3904D757"
    status, out, _ = omsnode("analyze", "--key", known.KEY_0, frame + "0CFD1078563412FB35")
    rows = out.splitlines()
    assert status == 0 and rows[-1] == "57 bytes, all explained"
    assert any("00 DF" in row and "2F 2F" in row and "check bytes" in row for row in rows)
    assert any(row.split()[:2] == ["46", "D7"] and "CRC of block 3" in row for row in rows)
    told = [row for row in rows if row[:6].strip().isdigit() and row[6:8] == "  "]
    assert bytes.fromhex("".join(row[8:31] for row in told)) == bytes.fromhex(frame + "0CFD1078563412FB35")


def test_analyze_without_key_says_what_is_encrypted():
    status, out, _ = omsnode("analyze", known.N_2_1)
    assert status == 1 and "47 bytes, all explained" in out and "no_key" in out
    assert "security  encrypted: no key for 12345678.M=ELS.V=33.T=03" in out


def test_analyze_marks_what_is_damaged():
    status, out, _ = omsnode("analyze", "11" + known.NO_HEADER[2:] + "0413")
    assert status == 0 and "?? damaged: truncated in the data" in out and "18 bytes, 2 damaged" in out


def test_compact_frames_are_read_once_the_full_frame_was_heard(tmp_path):
    """A format that nobody published; its full frame stands in the line before."""
    path = tmp_path / "lines.txt"
    full = bytes.fromhex("03037B0000041315000000")
    compact = "44AE0C785634120107" + "79" + frames.compact(full).hex()
    whole = "44AE0C785634120107" + "78" + full.hex()
    lines = ["{:02X}{}".format(len(text) // 2, text) for text in (compact, whole, compact)]
    path.write_text("\n".join(lines))
    status, out, _ = omsnode("decode", path)
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert status == 1 and first["error"]["code"] == "unknown_format"
    assert third["error"] is None and third["records"] == second["records"] and len(third["records"]) == 2
    status, out, _ = omsnode("analyze", path)
    assert "CRC over the full frame, right" in out and "volume in m3: 0.021 m3" in out


def test_wired_frames():
    status, out, _ = omsnode("decode", text="\n".join(wired.ALL))
    found = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and len(found) == len(wired.ALL)  # three are encrypted or a fragment
    assert {one["link"]["format"] for one in found} == {"wired"}
    assert [one["link"]["primary_address"] for one in found] == [253, 253, 3, 253, 3, 1, 1, None]
    assert [one["value"] for one in found[0]["records"]][:2] == [28504.27, "2008-05-31T23:50"]
    status, out, _ = omsnode("analyze", wired.N_2_2)
    assert status == 0 and "38 bytes, all explained" in out and "checksum" in out


def test_analyze_a_file(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(LINES + "\njunk\n")
    status, out, _ = omsnode("analyze", path, "--key", known.KEY_A)
    assert status == 1 and out.count("bytes, ") == 2 and "refused: line" in out


def test_a_byte_order_mark_is_no_part_of_the_telegram(tmp_path):
    (tmp_path / "bom.txt").write_text("\ufeff" + known.NO_HEADER + "\r\n", encoding="utf-8")
    status, out, _ = omsnode("decode", tmp_path / "bom.txt")
    assert status == 0 and json.loads(out)["error"] is None


def test_a_telegram_in_the_place_of_a_file(tmp_path):
    status, out, err = omsnode("decode", known.NO_HEADER)
    assert (status, out) == (2, "") and "standard input" in err


# OMS Vol.2 Annex N.3: one message of profile B in three telegrams, without link CRCs.
FRAGMENTS = """
3908496A7856341201078E80113A63665544330A319009017865B30A000056007A050050071030539A7CDB1CBCA6D43CB02D762A1E1626FEEF0E
3908496A7856341201078E80123A63665544330A3190020240C490278E41A48BAD1438BDE38D4D1166305DEFF6392B6BE31A9FC812757BE805B4
3B08496A7856341201078E80133A63665544330A31900A0304BE47ED4C9CC11A7806CC3E0457C725B4B29BE7FEF078777187CCEF8E2AF51CC729EF7A
"""


def test_a_message_in_fragments_is_told_with_its_last_line():
    status, out, _ = omsnode("decode", "--key", known.KEY_0, text=FRAGMENTS)
    first, second, whole = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and first["error"]["code"] == second["error"]["code"] == "incomplete"
    assert whole["error"] is None and whole["security"]["verdict"] == "authenticated"
    assert [one["value"] for one in whole["records"][:3]] == [411.979, "2013-08-18", 383.294]
    status, out, _ = omsnode("analyze", "-", "--key", known.KEY_0, text=FRAGMENTS)
    assert out.count("all explained") == 3 and "411.979 m3" in out
    # A line in between that is lost: the rest is named, nothing is read.
    lines = FRAGMENTS.split()
    status, out, _ = omsnode("decode", "--key", known.KEY_0, text=lines[0] + "\n" + lines[2])
    assert json.loads(out.splitlines()[1])["error"]["code"] == "fragment"
