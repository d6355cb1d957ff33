"""What the portable part costs on a device: .mpy sizes, and the smallest heap in which its two jobs run.

Three ways to have the code on a device: as source (the compiler needs heap at import), as .mpy files (bytecode is
loaded into the heap), as .mpy files in a ROM file system (bytecode and texts stay in flash).

The interpreter is a 64-bit one: pointers, and with them most objects, have twice the size that they have on a
microcontroller. MicroPython's own answer is the unit of `-X heapsize=64wK`, which counts words: 64 KiB of 32-bit words
are 128 KiB here. Both figures are printed.
"""

import os
import pathlib

import pytest
import support_micropython as mp
from micropython import transcript
from omsnode.board.virtual import World
from support_record import Recorder

HERE = pathlib.Path(__file__).parent
SCRIPTS = [HERE / name for name in ("transcript.py", "play_transcript.py", "decode_one.py")]
KIB = 1024
WORD = 2  # a 64-bit word for a 32-bit word
FORMS = ("source", "mpy", "romfs")


@pytest.fixture(scope="module")
def compiled(require, tmp_path_factory):
    """({module: size}, folder with the portable part and the scripts as .mpy)."""
    target = tmp_path_factory.mktemp("mpy")
    return mp.compile_tree(require, target, SCRIPTS), target


@pytest.fixture
def attempt(request, require, tmp_path):
    """attempt(form, module, *arguments) -> function of the heap size that runs it."""

    def prepare(form, module, *arguments):
        if form == "romfs":
            image = tmp_path / "rom.img"
            image.write_bytes(mp.rom_image(request.getfixturevalue("compiled")[1]))
            return lambda heap: mp.run_from_rom(require, module, *arguments, image=image, heap=heap)
        if form == "mpy":
            path = request.getfixturevalue("compiled")[1]
        else:
            path = "{}{}{}".format(mp.source_tree(), os.pathsep, HERE)
        return lambda heap: mp.run(require, "-m", module, *arguments, path=path, heap=heap)

    return prepare


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Ten encrypted telegrams on CPython and the virtual board: everything that crossed the board contract."""
    file = tmp_path_factory.mktemp("record") / "transcript.bin"
    with file.open("wb") as out:
        node = transcript.send(Recorder(World().add_board(), out))
    assert node.radio.counters["sent"] == transcript.TELEGRAMS
    return file


def figure(heap):
    return "{} KiB of heap, {} KiB here with 64-bit words".format(heap // WORD // KIB, heap // KIB)


def test_sizes(compiled, record_property):
    sizes = {name: size for name, size in compiled[0].items() if "/" in name}
    record_property("portable part as .mpy", "{} bytes, {} files".format(sum(sizes.values()), len(sizes)))


@pytest.mark.parametrize("form", FORMS)
def test_ten_encrypted_telegrams_byte_for_byte(attempt, record, form, record_property):
    limit = 64 * KIB * WORD if form == "romfs" else 256 * KIB
    heap = mp.smallest_heap(attempt(form, "play_transcript", record), 16 * KIB, limit)
    record_property("ten encrypted telegrams sent ({})".format(form), figure(heap))


@pytest.mark.parametrize("form", FORMS)
def test_one_receive_decrypt_decode(attempt, form, record_property):
    heap = mp.smallest_heap(attempt(form, "decode_one"), 16 * KIB, 256 * KIB)
    record_property("one receive-decrypt-decode ({})".format(form), figure(heap))


def test_another_byte_is_noticed(attempt, record, tmp_path):
    """The replay is a test: one flipped bit of what the SPI must send, and it fails at that call."""
    damaged = bytearray(record.read_bytes())
    place = damaged.index(b"X\x02", len(damaged) // 2) + 2
    damaged[place] ^= 1
    other = tmp_path / "damaged.bin"
    other.write_bytes(damaged)
    done = attempt("mpy", "play_transcript", other)(1024 * KIB)
    assert done.returncode == 1
    assert "SPI sends" in done.stdout + done.stderr
