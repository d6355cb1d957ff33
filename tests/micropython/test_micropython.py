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


# Another version each, besides the word size: 1.28 and Debian's 1.25.
@pytest.mark.parametrize("bits", (64, 32))
@pytest.mark.parametrize("script", SCRIPTS)
def test_under_micropython(script, bits, require):
    check(mp.run(require, HERE / script, bits=bits))


@pytest.mark.parametrize("script", SCRIPTS)
def test_under_cpython(script):
    check(subprocess.run([sys.executable, HERE / script], capture_output=True, text=True, timeout=300))


@pytest.mark.parametrize("bits", (64, 32))
def test_damage_reads_the_same_on_every_interpreter(bits, require):
    script = HERE / "mp_damage.py"
    here = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    there = mp.run(require, script, bits=bits, heap=16 << 20)
    check(here)
    check(there)
    assert here.stdout == there.stdout and "delivered=" in here.stdout
