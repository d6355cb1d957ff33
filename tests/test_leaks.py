"""The watch over key material: it finds a key in every writing, and it can fail a test."""

import base64
import subprocess
import sys
import textwrap

import pytest
from support_leaks import Watch

SECRET = bytes.fromhex("3B5A0F1122C4D5E697886F5E4D3C2B1A")
TEXT = SECRET.hex()
WATCH = Watch([SECRET])


@pytest.mark.parametrize(
    "text, word",
    [
        (TEXT, "hex"),
        (TEXT.upper(), "hex"),
        ("id=12 key=" + TEXT + "ff", "hex"),
        ("f" + TEXT + "00", "hex"),  # within a longer run, at an odd digit
        (SECRET.hex(" "), "hex"),
        (SECRET.hex(":").upper(), "hex"),
        ("-".join(TEXT[at : at + 4] for at in range(0, 32, 4)), "hex"),
        (", ".join(hex(byte) if byte > 15 else "0x0" + hex(byte)[2:] for byte in SECRET), "hex"),
        (base64.b64encode(SECRET).decode(), "base64"),
        (base64.b64encode(b"x" + SECRET).decode(), "base64"),
        (base64.b64encode(b"xy" + SECRET + b"z").decode(), "base64"),
        (base64.urlsafe_b64encode(SECRET).decode().rstrip("="), "base64"),
        (repr(SECRET), "bytes"),
        (repr(bytearray(b"\0'" + SECRET)), "bytes"),
        (str(list(SECRET)), "numbers"),
        (str(tuple(SECRET)).replace(" ", ""), "numbers"),
    ],
)
def test_every_writing_is_found(text, word):
    for around in ("{}", "a line\n{}\nanother", '{{"key": "{}"}}', "x = {};"):
        assert word in WATCH.found_in(around.format(text))
    assert not Watch([SECRET[::-1]]).found_in(text)


def test_characters():
    assert Watch([b"kitchenkitchenki"]).found_in("Key(kitchenkitchenki)") == {"characters"}


def test_what_is_none():
    for text in ("", "short", TEXT[:-2], TEXT[:30] + "zz", "00" * 40, "A" * 200, "{'a': b'\\xff'}"):
        assert not WATCH.found_in(text)
    assert not Watch([bytes(16)]).found_in("00" * 40)


TESTS = """
    import logging
    import subprocess
    import sys

    from omsnode.firmware.security.keys import Key

    KEY = Key.from_hex("{0}")
    WRITE = "import sys; print('a', '{0}', sys.argv[1:0])"


    def test_out():
        print("{0}".upper())


    def test_log():
        logging.getLogger("x").warning("%r", bytes.fromhex("{0}"))


    def test_taken(capsys):
        print("{0}")
        capsys.readouterr()


    def test_child():
        subprocess.run([sys.executable, "-c", WRITE], capture_output=True)


    def test_child_with_a_key_of_its_own():
        other = "{0}"[::-1]
        subprocess.run([sys.executable, "-c", "import sys; print(sys.argv)", "--key", other], capture_output=True)


    def test_clean(capsys):
        print(KEY, "{0}"[:12])
        assert "Key(" in capsys.readouterr().out
"""


def test_a_test_that_prints_a_key_fails(tmp_path, request):
    (tmp_path / "test_printing.py").write_text(textwrap.dedent(TESTS).format(TEXT))
    (tmp_path / "conftest.py").write_text((request.config.rootpath / "tests" / "conftest.py").read_text())
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-rA",
        "--no-header",
        "--tb=no",
    ]
    options = ["-o", "pythonpath=" + str(request.config.rootpath / "tests"), "--show-capture=no"]
    done = subprocess.Popen([*command, *options, str(tmp_path)], stdout=subprocess.PIPE, cwd=tmp_path)
    out = done.stdout.read().decode()
    done.wait(60)
    told = {line.split("::")[1].split()[0]: line.split()[0] for line in out.splitlines() if "::" in line}
    assert told.pop("test_clean") == "PASSED", out
    assert len(told) == 5 and set(told.values()) == {"FAILED"}, out
