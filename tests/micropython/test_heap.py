"""What the portable part costs on a device: .mpy sizes, and the smallest heap in which its two jobs run.

The interpreter is a 64-bit one, so its figures are an upper bound for a microcontroller (host-seams sheet 3.2).
"""

import os
import pathlib

import pytest
import support_micropython as mp
from micropython import transcript
from omsnode.board.virtual import World

HERE = pathlib.Path(__file__).parent
SCRIPTS = [HERE / name for name in ("transcript.py", "play_transcript.py", "decode_one.py")]
KIB = 1024


@pytest.fixture(scope="module")
def compiled(require, tmp_path_factory):
    """({module: size}, folder with the portable part and the scripts as .mpy)."""
    target = tmp_path_factory.mktemp("mpy")
    return mp.compile_tree(require, target, SCRIPTS), target


@pytest.fixture(params=["mpy", "source"])
def path(request):
    """Where to import from: compiled, or the sources, which costs heap for the compiler."""
    if request.param == "mpy":
        return request.getfixturevalue("compiled")[1]
    return "{}{}{}".format(mp.source_tree(), os.pathsep, HERE)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Ten encrypted telegrams on CPython and the virtual board: everything that crossed the board contract."""
    file = tmp_path_factory.mktemp("record") / "transcript.bin"
    with file.open("wb") as out:
        node = transcript.send(transcript.Recorder(World().add_board(), out))
    assert node.radio.counters["sent"] == transcript.TELEGRAMS
    return file


def test_sizes(compiled, record_property):
    sizes = {name: size for name, size in compiled[0].items() if "/" in name}
    record_property("portable part as .mpy", "{} bytes, {} files".format(sum(sizes.values()), len(sizes)))


def test_ten_encrypted_telegrams_byte_for_byte(require, path, record, record_property, request):
    limit = 256
    command = ("-m", "play_transcript", record)
    heap = mp.smallest_heap(require, *command, path=path, low=16 * KIB, high=limit * KIB)
    record_property(
        "ten encrypted telegrams sent, " + request.node.name[-8:], "{} KiB of heap".format(heap // KIB)
    )


def test_one_receive_decrypt_decode(require, path, record_property, request):
    heap = mp.smallest_heap(require, "-m", "decode_one", path=path, low=16 * KIB, high=256 * KIB)
    record_property(
        "one receive-decrypt-decode, " + request.node.name[-8:], "{} KiB of heap".format(heap // KIB)
    )
