"""What the portable part costs on a device: .mpy sizes, and the smallest heap in which its two jobs run.

Three ways to have the code on a device: as source (the compiler needs heap at import), as .mpy files (bytecode is
loaded into the heap), as .mpy files in a ROM file system (bytecode and texts stay in flash).

Two interpreters: the 32-bit one has the words of a microcontroller, and there the limit holds. On the 64-bit one
pointers, and with them most objects, have twice the size; its figures are printed beside.
"""

import os
import pathlib

import pytest
import support_micropython as mp
from micropython import transcript
from omsnode.board.virtual import World
from support_record import Recorder

HERE = pathlib.Path(__file__).parent
SCRIPTS = [
    HERE / name
    for name in (
        "loading.py",
        "transcript.py",
        "play_transcript.py",
        "play_protected.py",
        "decode_one.py",
        "decode_largest.py",
    )
]
KIB = 1024
FORMS = ("source", "mpy", "romfs")
# KiB with 32-bit words. 64 for sending from .mpy files is what was promised; the others keep what was reached, with some
# room: a device with a ROM file system has more than half of those 64 KiB for itself.
SEND_LIMITS = {"source": 96, "mpy": 64, "romfs": 44}
DECODE_LIMITS = {"source": 96, "mpy": 72, "romfs": 40}
# Of the largest telegram beyond the code loaded. A compact profile becomes 193 records with a time each; a device to which
# that is too much takes record.decode, where it is one record.
LARGEST_LIMITS = {"values": 24, "headers": 24, "profile": 48}
ANY_LIMIT = 256  # with 64-bit words: printed only


@pytest.fixture(scope="module")
def compiled(require, tmp_path_factory):
    """({module: size}, folder with the portable part and the scripts as .mpy)."""
    target = tmp_path_factory.mktemp("mpy")
    return mp.compile_tree(require, target, SCRIPTS), target


@pytest.fixture(params=(32, 64), ids=("32bit", "64bit"))
def bits(request):
    return request.param


@pytest.fixture
def attempt(request, require, tmp_path, bits):
    """attempt(form, module, *arguments) -> function of the heap size that runs it."""

    def prepare(form, module, *arguments):
        if form == "romfs":
            image = tmp_path / "rom.img"
            image.write_bytes(mp.rom_image(request.getfixturevalue("compiled")[1]))
            return lambda heap: mp.run_from_rom(
                require, module, *arguments, image=image, heap=heap, bits=bits
            )
        where = {"path": "{}{}{}".format(mp.source_tree(), os.pathsep, HERE)}
        if form == "mpy":
            # Each module keeps its path in the heap: not the long one of a test.
            where = {"path": ".", "cwd": request.getfixturevalue("compiled")[1]}
        return lambda heap: mp.run(require, "-m", module, *arguments, heap=heap, bits=bits, **where)

    return prepare


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Ten encrypted telegrams on CPython and the virtual board: everything that crossed the board contract."""
    file = tmp_path_factory.mktemp("record") / "transcript.bin"
    with file.open("wb") as out:
        node = transcript.send(Recorder(World().add_board(), out))
    assert node.radio.counters["sent"] == transcript.TELEGRAMS
    return file


# Profiles B and D, sent: what was reached, with some room. (KiB, 32-bit words)
PROTECTED_LIMITS = {"mpy": 88, "romfs": 60}


@pytest.fixture(scope="module", params=(7, 10), ids=("B", "D"))
def protected_record(request, tmp_path_factory):
    """The same in profile B or D: (file, security mode)."""
    file = tmp_path_factory.mktemp("record") / "transcript.bin"
    with pytest.MonkeyPatch.context() as patch, file.open("wb") as out:
        patch.setattr(transcript, "SECURITY_MODE", request.param)
        node = transcript.send(Recorder(World().add_board(), out))
    assert node.radio.counters["sent"] == transcript.TELEGRAMS
    return file, request.param


def smallest(attempt, record_property, what, bits, limit):
    heap = mp.smallest_heap(attempt, 16 * KIB, (limit if bits == 32 else ANY_LIMIT) * KIB)
    record_property(what, "{} KiB of heap with {}-bit words".format(heap // KIB, bits))


def test_sizes(compiled, record_property):
    sizes = {name: size for name, size in compiled[0].items() if "/" in name}
    record_property("portable part as .mpy", "{} bytes, {} files".format(sum(sizes.values()), len(sizes)))
    for room in ("link", "security", "transport", "application", "application/points", "roles"):
        own = [size for name, size in sizes.items() if name.rpartition("/")[0] == "firmware/" + room]
        record_property("firmware/{} as .mpy".format(room), "{} bytes, {} files".format(sum(own), len(own)))
    reading = ("record", "dib", "fields", "vif", "units", "types", "telegram")
    size = sum(sizes["firmware/application/{}.py".format(name)] for name in reading)
    record_property("of it what every telegram read loads of the application", "{} bytes".format(size))


@pytest.mark.parametrize("form", FORMS)
def test_ten_encrypted_telegrams_byte_for_byte(attempt, record, form, bits, record_property):
    what = "ten encrypted telegrams sent ({})".format(form)
    smallest(attempt(form, "play_transcript", record), record_property, what, bits, SEND_LIMITS[form])


@pytest.mark.parametrize("form", PROTECTED_LIMITS)
@pytest.mark.parametrize("bits", (32,))
def test_ten_telegrams_of_profile_b_and_d(attempt, protected_record, form, bits, record_property):
    file, mode = protected_record
    what = "ten telegrams of profile {} sent ({})".format("B" if mode == 7 else "D", form)
    run = attempt(form, "play_protected", file, mode)
    smallest(run, record_property, what, bits, PROTECTED_LIMITS[form])


@pytest.mark.parametrize("form", FORMS)
def test_one_receive_decrypt_decode(attempt, form, bits, record_property):
    what = "one receive-decrypt-decode ({})".format(form)
    smallest(attempt(form, "decode_one"), record_property, what, bits, DECODE_LIMITS[form])


@pytest.mark.parametrize("which", LARGEST_LIMITS)
def test_the_largest_telegram(attempt, which, bits, record_property):
    """Heap that it takes to decode L = 255 beyond the code loaded, holes and garbage included."""
    run = attempt("mpy", "decode_largest", which)
    heap = mp.smallest_heap(run, 16 * KIB, ANY_LIMIT * KIB, KIB // 4)
    before, after, count = map(int, run(heap).stdout.split())
    record_property(
        "largest telegram, {} records ({})".format(count, which),
        "{:.1f} KiB of heap beyond the code at the peak, {:.1f} behind it, with {}-bit words".format(
            (heap - before) / KIB, (after - before) / KIB, bits
        ),
    )
    assert heap - before <= LARGEST_LIMITS[which] * KIB or bits == 64


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
