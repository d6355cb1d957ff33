"""What the meter's part of the burst mode costs on a small device: heap and time under MicroPython."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

_SCRIPT = """
import gc, time
gc.collect(); before = gc.mem_alloc()
from omsnode.firmware.phy.burst import burst, decode, header, fec, viterbi
from omsnode.firmware.link.lpwan import mac
head = header.Header({length}, 89, 0, 2)
payload = bytes({length} - 4); payload = b"\\x01" + payload[1:]; payload += mac.crc(payload)
chips = bytearray(burst.downlink(payload, 89, 0, 2)[0][8:])
gc.collect(); loaded = gc.mem_alloc() - before
for i in range(12, len(chips), 9): chips[i] ^= 1
start = time.ticks_ms()
found, distance, data = burst.receive(bytes(chips), "down", (89,))
right = decode.payload(found, [(None, data)], mac.valid) == payload
print(loaded, time.ticks_diff(time.ticks_ms(), start), right)
"""


def measure():
    """[{bits, bytes, loaded, smallest, ms}] of decoding a downlink of rate 1/3 with errors, loaded from source: bytes of heap
    that stay with what was loaded, the smallest heap (in KiB) in which all of it runs, and milliseconds. Empty without
    MicroPython."""
    found = []
    search = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")])
    root = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "omsnode").symlink_to(root, target_is_directory=True)
        for bits, name in ((64, "micropython"), (32, "micropython32")):
            program = shutil.which(name, path=search)
            for length in (15, 255) if program else ():
                run = _runner(program, folder, _SCRIPT.format(length=length))
                told = run(2048)
                if told is None:
                    continue
                low, high = 8, 2048
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (low, middle) if run(middle) else (middle, high)
                loaded, ms, right = told
                found.append(
                    {
                        "bits": bits,
                        "bytes": length,
                        "loaded": int(loaded),
                        "smallest_kib": high,
                        "ms": int(ms),
                        "right": right == "True",
                    }
                )
    return found


def _runner(program, folder, script):
    def run(kib):
        """What it printed with such a heap, or None."""
        done = subprocess.run(
            [program, "-X", "heapsize={}k".format(kib), "-c", script],
            env=dict(os.environ, MICROPYPATH=folder),
            capture_output=True,
            text=True,
        )
        return done.stdout.split() if done.returncode == 0 else None

    return run
