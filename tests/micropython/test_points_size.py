"""What the OBIS codes and data points cost on a device: .mpy of the tables per medium, and the heap to annotate."""

import pytest
import support_micropython as mp

KIB = 1024
MEDIA = ("electricity", "gas", "heat", "water", "allocator", "actuator", "sensor")
TABLES = "firmware/application/points/"
# In KiB, 32-bit words, modules as .mpy: with room of a few over what was reached.
LIMIT = 80

SCRIPT = """
import gc, sys
from omsnode.firmware.application import telegram
body = bytes.fromhex("{telegram}")
one = telegram.decode(body)
gc.collect()
before = gc.mem_alloc()
from omsnode.firmware.application import obis
obis.annotate(one)
gc.collect()
assert all([record.data_point for record in one.records]), one.records
print(gc.mem_alloc() - before)
"""
# The first records of each medium's standard set, in mode 0.
TELEGRAMS = {
    "electricity": "1444 2D2C 78563412 1B 02 7A 2A 00 0000 0403 00000000",
    "gas": "1444 2D2C 78563412 1B 03 7A 2A 00 0000 0413 00000000",
    "heat": "1444 2D2C 78563412 1B 04 7A 2A 00 0000 0406 00000000",
    "water": "1444 2D2C 78563412 1B 07 7A 2A 00 0000 0413 00000000",
    "allocator": "1344 2D2C 78563412 1B 08 7A 2A 00 0000 0B6E 000000",
    "actuator": "1244 2D2C 78563412 1B 20 7A 2A 00 0000 01FD1F 00",
    "sensor": "1244 2D2C 78563412 1B 1A 7A 2A 00 0000 01FDFD41 00",
}


@pytest.fixture(scope="module")
def compiled(require, tmp_path_factory):
    target = tmp_path_factory.mktemp("mpy")
    return mp.compile_tree(require, target), target


def test_sizes_per_medium(compiled, record_property):
    sizes = compiled[0]
    code = sizes["firmware/application/obis.py"] + sizes[TABLES + "__init__.py"]
    common = sizes[TABLES + "common.py"]
    record_property("OBIS and data points as .mpy", "code {}, common table {} bytes".format(code, common))
    for medium in MEDIA:
        size = sizes[TABLES + medium + ".py"]
        record_property("its table of " + medium, "{} bytes".format(size))
        assert size < 6 * KIB


@pytest.mark.parametrize("medium", MEDIA)
def test_heap_to_annotate(compiled, tmp_path, require, medium, record_property):
    """Beyond what decodes: code, tables of the medium and what is remembered."""
    script = tmp_path / "annotate.py"
    script.write_text(SCRIPT.format(telegram=TELEGRAMS[medium].replace(" ", "")))
    done = mp.run(require, script, path=compiled[1], heap=LIMIT * KIB, bits=32)
    assert done.returncode == 0, done.stdout + done.stderr
    record_property(
        "heap kept by annotating " + medium, "{} bytes with 32-bit words".format(done.stdout.strip())
    )
