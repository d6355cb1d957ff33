"""`omsnode collect` as systemd starts it: READY behind the start of the radio, the watchdog fed, on emulated devices."""

import socket
import subprocess
import sys
import threading

import pytest
from interop.seam import Bench, needs
from omsnode.board import hats
from omsnode.board.virtual import World


def lines_of(hat):
    names = hats.EDGES + hats.LEVELS + tuple(name for name, _ in hats.OUTPUTS)
    return {name: getattr(hat, name) for name in names if getattr(hat, name) is not None}


CASES = [("cc1101-spi0", "virtual"), ("e22-spi0,tcxo_mv=0", "e22")]


@pytest.mark.parametrize(("hat", "wiring"), CASES)
def test_ready_and_watchdog(require, tmp_path, hat, wiring):
    lines = []
    name = str(tmp_path / "notify")
    with (
        Bench(needs(require, "spidev", "gpiod")) as bench,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own,
    ):
        own.bind(name)

        def drain():
            while (message := own.recv(4096)) != b"end":
                lines.extend(message.decode().split("\n"))

        thread = threading.Thread(target=drain)
        thread.start()
        settings = {"tcxo_mv": None} if wiring == "e22" else {}
        bench.add_board(World(seed=1).add_board(hat=wiring, **settings), lines_of(hats.find(hat)))
        environment = bench.environment(NOTIFY_SOCKET=name, WATCHDOG_USEC="40000000")
        command = [sys.executable, "-m", "omsnode.tools.cli", "collect", "--hat", hat, "--seconds", "3"]
        done = subprocess.run(
            command, env=environment, cwd=bench.root, capture_output=True, text=True, timeout=240
        )
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(b"end", name)
        thread.join()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "READY=1" and lines[-1] == "STOPPING=1", lines
    assert "WATCHDOG=1" in lines
