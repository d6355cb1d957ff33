"""The CC1101's bursts on a device: what CPython and the virtual board did, byte for byte under MicroPython."""

import pathlib

import pytest
import support_micropython as mp
from micropython import play_burst
from omsnode.board.virtual import World
from support_burst_bytes import play
from support_record import Recorder

HERE = pathlib.Path(__file__).parent
FROM_US = 200000  # the downlink


@pytest.mark.parametrize("bits", (64, 32))
@pytest.mark.parametrize("raw", (0, 1))
def test_up_and_down(raw, bits, require, tmp_path):
    world = World(seed=5)
    board = world.add_board()
    sent = play(world, "DL-B4", play_burst.DOWN, after_us=FROM_US)
    record = tmp_path / "record.bin"
    with record.open("wb") as out:
        event = play_burst.session(Recorder(board, out), bool(raw))
    assert event.at_us == pytest.approx(sent.time_ns(64) / 1000, abs=6)
    (mine,) = [one for one in world.air.log if one.source == board.name]
    assert mine.packed == play_burst.UP
    done = mp.run(require, HERE / "play_burst.py", record, raw, bits=bits)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) == event.at_us
