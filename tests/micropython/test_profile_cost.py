"""What each security profile costs on a device: time and heap per telegram made and read, size of the code."""

import pathlib

import pytest
import support_micropython as mp

SCRIPT = pathlib.Path(__file__).parent / "cost_of_profiles.py"
# Bytes of heap with 32-bit words: some room over what was reached. All of it is garbage behind the telegram.
MADE, READ = 9000, 12000


@pytest.mark.parametrize("bits", (32, 64))
def test_cost_per_telegram(bits, require, record_property):
    done = mp.run(require, SCRIPT, bits=bits, heap=4 << 20)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows[::2]] == ["plain", "A", "B", "D"]
    for name, what, spent_us, allocated, _ in rows:
        record_property(
            "one telegram {}, {}, {}-bit words".format(
                what, "plain" if name == "plain" else "profile " + name, bits
            ),
            "{} us, {} bytes of heap".format(spent_us, allocated),
        )
        assert bits == 64 or int(allocated) < (MADE if what == "made" else READ), (name, what)
