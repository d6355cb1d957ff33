"""The portable part under a real MicroPython: every mp_*.py script, and the same scripts under CPython."""

import pathlib
import subprocess
import sys

import pytest
import support_micropython as mp

HERE = pathlib.Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("mp_*.py"))


def check(done):
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_under_micropython(script, require):
    check(mp.run(require, HERE / script))


@pytest.mark.parametrize("script", SCRIPTS)
def test_under_cpython(script):
    check(subprocess.run([sys.executable, HERE / script], capture_output=True, text=True, timeout=300))
