"""Key material in text: in any writing in which it could slip out, and a watch over all that a test session prints.

Looked for: hex in any case with or without separators, base64 and base64url in any alignment, the repr of bytes, lists of
numbers, plain characters. A text is gone through once, however many keys there are.
"""

import ast
import base64
import functools
import os
import pathlib
import re
import subprocess
import warnings

from omsnode.firmware.security.keys import Key

_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f]{2}(?:(?:[ :_.,|-]|, ?0x|\\x)?[0-9A-Fa-f]{2}){15,}[0-9A-Fa-f]?")
_NO_DIGIT = re.compile(r"0x|[^0-9A-Fa-f]")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{22,}")
_BYTES = re.compile(r"""b(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""")
_NUMBERS = re.compile(r"\d{1,3}(?:, ?\d{1,3}){15,}")
_KEY_IN_FILE = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32}(?![0-9A-Za-z])")


class Watch:
    """The keys to look for. One of equal bytes is none: it is what padding and empty fields look like."""

    def __init__(self, secrets=()):
        self.secrets = set()
        for secret in secrets:
            self.add(secret)

    def add(self, secret):
        """secret: 16 bytes."""
        if len(set(secret)) > 1:
            self.secrets.add(bytes(secret))

    def _in(self, data):
        secrets = self.secrets
        return any(data[at : at + 16] in secrets for at in range(len(data) - 15))

    def found_in(self, text):
        """In which writings a key stands in the text: a set of words that do not repeat it."""
        found = set()
        if not self.secrets or len(text) < 16:
            return found
        for match in _HEX.finditer(text):
            digits = _NO_DIGIT.sub("", match[0])
            for shift in (0, 1):
                run = digits[shift:]
                if self._in(bytes.fromhex(run[: len(run) // 2 * 2])):
                    found.add("hex")
        for match in _BASE64.finditer(text):
            run = match[0].replace("-", "+").replace("_", "/")
            for shift in range(4):
                whole = run[shift:] + "A" * (-(len(run) - shift) % 4)
                if self._in(base64.b64decode(whole)):
                    found.add("base64")
        for match in _BYTES.finditer(text):
            with warnings.catch_warnings(action="ignore"):
                try:
                    data = ast.literal_eval(match[0])
                except (SyntaxError, ValueError):
                    continue
            if self._in(data):
                found.add("bytes")
        for match in _NUMBERS.finditer(text):
            numbers = [min(int(one), 255) for one in match[0].split(",")]
            if self._in(bytes(numbers)):
                found.add("numbers")
        if self._in(text.encode("ascii", "replace")):
            found.add("characters")
        return found


class Session:
    """Every Key made in this process is remembered; what tests print is searched for all of them.

    Searched are what pytest captured (standard streams and log), what tests take out of the capture, and what child
    processes answer; of a child the keys of its command line and key files are known. `leaks` holds what was found and
    not yet told.
    """

    def __init__(self):
        self.watch = Watch()
        self.leaks = []

    def install(self):
        from _pytest.capture import CaptureFixture

        make, read, talk = Key.__init__, CaptureFixture.readouterr, subprocess.Popen.communicate

        @functools.wraps(make)
        def init(key, secret):
            make(key, secret)
            self.watch.add(secret)

        def readouterr(fixture):
            result = read(fixture)
            for text in result:
                self.look(text)
            return result

        def communicate(process, *args, **more):
            result = talk(process, *args, **more)
            self._keys_of(process.args)
            for text in result:
                self.look(text)
            return result

        Key.__init__, CaptureFixture.readouterr, subprocess.Popen.communicate = init, readouterr, communicate

    def look(self, text):
        if isinstance(text, (bytes, bytearray)):
            text = text.decode("utf-8", "replace")
        if isinstance(text, str):
            self.leaks += sorted(self.watch.found_in(text))

    def _keys_of(self, arguments):
        if isinstance(arguments, (str, bytes)):
            return
        arguments = [os.fsdecode(one) for one in arguments]
        for option, value in zip(arguments, arguments[1:], strict=False):
            if option == "--key":
                self._add(value)
            elif option in ("--keys", "--store"):
                self._add_file(pathlib.Path(value))

    def _add(self, text):
        for digits in _KEY_IN_FILE.findall(text):
            self.watch.add(bytes.fromhex(digits))

    def _add_file(self, path):
        if path.is_file():
            self._add(path.read_text(encoding="utf-8", errors="replace"))

    def judge(self, report):
        """Fail the test of this report if a key stands in what it printed."""
        for _, text in report.sections:
            self.look(text)
        if self.leaks:
            report.outcome = "failed"
            report.longrepr = "key material in what this test printed, as " + ", ".join(
                sorted(set(self.leaks))
            )
            self.leaks = []
