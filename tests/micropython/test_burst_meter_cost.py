"""What the burst meter costs a device: heap for SND-NR, command and response, code included; time and heap for each step."""

import pathlib

import pytest
import support_micropython as mp
from omsnode.firmware.phy.burst import burst

SCRIPT = pathlib.Path(__file__).parent / "play_burst_meter.py"
Q_K_6 = bytes.fromhex("2D6801370150E4896B9204A73D785634121503D6BFAB0B")
KIB = 1024
# KiB with 32-bit words: what was reached, with some room. The driver and its node come on top.
LIMITS = {"mpy": 256, "romfs": 156}


def chips(wrong):
    """Of Q.K.6 at rate 1/3, behind the sync; with wrong chips the Viterbi decoder has to work."""
    out = bytearray(burst.downlink(Q_K_6, 64, 0, 2)[0][8:])
    for place in range(20, 20 + wrong):
        out[place] ^= 0x10
    return out.hex()


@pytest.mark.parametrize("form", LIMITS)
def test_heap(form, require, tmp_path, record_property):
    tree = tmp_path / "tree"
    mp.compile_tree(require, tree, [SCRIPT])
    if form == "romfs":
        image = tmp_path / "rom.img"
        image.write_bytes(mp.rom_image(tree))

        def run(heap):
            return mp.run_from_rom(
                require, "play_burst_meter", chips(6), "1/3", image=image, heap=heap, bits=32
            )
    else:

        def run(heap):
            return mp.run(require, "-m", "play_burst_meter", chips(6), "1/3", path=tree, heap=heap, bits=32)

    heap = mp.smallest_heap(run, 64 * KIB, LIMITS[form] * KIB, 4 * KIB)
    record_property("burst meter, command and response ({})".format(form), "{} KiB".format(heap // KIB))


@pytest.mark.parametrize("bits", (32, 64))
def test_steps(bits, require, record_property):
    done = mp.run(require, SCRIPT, chips(6), "1/3", "measured", bits=bits, heap=8 << 20)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in done.stdout.splitlines():
        what, spent_us, allocated = line.split()
        if int(spent_us) > 500:
            record_property(
                "{}, {}-bit words".format(what, bits), "{} us, {} bytes of heap".format(spent_us, allocated)
            )
