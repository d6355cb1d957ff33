"""The seam itself: the unmodified spidev and gpiod packages on emulated devices, real time and virtual time."""

import subprocess
import sys

import pytest
from interop.seam import Bench, needs


class RegisterBoard:
    """A board of 64 registers behind a CC1101-like header byte; register 0 bit 0 is the level of gdo0.

    Every transfer takes 100 us; `script` lists (at_us, level) for gdo2."""

    class Pin:
        level = 0

        def read(self):
            return self.level

    def __init__(self, script=()):
        self.time_us = 1_000_000
        self.registers = bytearray(64)
        self.spi = self
        self.pins = {"gdo0": self.Pin(), "gdo2": self.Pin()}
        self.script = list(script)
        self.edges = []

    def now_us(self):
        return self.time_us

    def transfer(self, tx, rx):
        self.time_us += 100
        address = tx[0] & 0x3F
        for i in range(1, len(tx)):
            if tx[0] & 0x80:
                rx[i] = self.registers[address]
            else:
                self.registers[address] = tx[i]
            if tx[0] & 0x40:
                address = (address + 1) & 63
        level = self.registers[0] & 1
        if level != self.pins["gdo0"].level:
            self.pins["gdo0"].level = level
            self.edges.append(("gdo0", level, self.time_us))

    def wait(self, until_us):
        while self.script and self.script[0][0] <= max(until_us, self.time_us):
            at_us, level = self.script.pop(0)
            self.time_us = max(self.time_us, at_us)
            self.pins["gdo2"].level = level
            self.edges.append(("gdo2", level, at_us))
            until_us = self.time_us  # stop at the edge
        if not self.edges:
            self.time_us = max(self.time_us, until_us)
        edges, self.edges = self.edges, []
        return edges, 0


LINES = {"gdo0": 24, "gdo2": 25}


@pytest.fixture
def bench(require):
    with Bench(needs(require, "spidev", "gpiod")) as bench:
        yield bench


def run(bench, code):
    done = subprocess.run(
        [sys.executable, "-c", code], env=bench.environment(), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_registers_and_settings(bench):
    board = RegisterBoard()
    spi, _, _ = bench.add_board(board, LINES, virtual_time=False)
    out = run(
        bench,
        "import spidev; s = spidev.SpiDev(0, 0); s.max_speed_hz = 4000000; s.xfer2([0x42, 6, 7]);"
        "print(*s.xfer2(b'\\xc2\\0\\0')[1:])",
    )
    assert out == ["6", "7"]
    assert spi.speed_hz == 4000000


def test_kernel_refusals(bench):
    bench.add_board(RegisterBoard(), LINES, virtual_time=False)
    out = run(
        bench,
        "import spidev\n"
        "s = spidev.SpiDev(0, 0)\n"
        "def attempt(f):\n"
        "    try: f()\n"
        "    except OSError as e: print(e.errno)\n"
        "    except OverflowError: print('overflow')\n"
        "attempt(lambda: setattr(s, 'max_speed_hz', 0))\n"
        "attempt(lambda: setattr(s, 'bits_per_word', 16))\n"
        "attempt(lambda: setattr(s, 'lsbfirst', True))\n"
        "attempt(lambda: s.xfer2([0] * 4097))\n"
        "attempt(lambda: spidev.SpiDev(7, 7))\n",
    )
    assert out == ["22", "22", "22", "overflow", "2"]


def test_injected_spi_error(bench):
    spi, _, _ = bench.add_board(RegisterBoard(), LINES, virtual_time=False)
    spi.fail = lambda: 5
    out = run(
        bench,
        "import spidev\ns = spidev.SpiDev(0, 0)\ntry: s.xfer2([1])\nexcept OSError as e: print(e.errno)",
    )
    assert out == ["5"]


GPIO = """
import gpiod
from gpiod.line import Edge
settings = gpiod.LineSettings(edge_detection=Edge.BOTH)
def request(**more):
    return gpiod.request_lines('/dev/gpiochip0', consumer='test', config={25: settings}, **more)
"""


def test_edge_keeps_its_time_stamp(bench):
    _, chip, _ = bench.add_board(RegisterBoard(), LINES, virtual_time=False)
    code = (
        GPIO + "with request() as r:\n    r.wait_edge_events(60); print(r.read_edge_events()[0].timestamp_ns)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=bench.environment(), stdout=subprocess.PIPE, text=True
    )
    assert chip.wait_requested(25, timeout=240)
    at_ns = chip.drive(25, 1)
    assert int(process.communicate(timeout=240)[0]) == at_ns


def test_full_queue_drops_the_oldest(bench):
    script = [(1_100_000 + 100 * i, 1 - i % 2) for i in range(40)]
    bench.add_board(RegisterBoard(script), LINES)
    out = run(
        bench,
        GPIO + "import time\n"
        "with request(event_buffer_size=5) as r:\n"
        "    for _ in range(60): time.sleep(0.01)\n"
        "    print(*(e.line_seqno for _ in 'ab' for e in r.read_edge_events()))",
    )
    assert out == [str(n) for n in range(33, 41)]  # a kfifo of 5 holds 8


def test_waiting_runs_on_virtual_time(bench):
    board = RegisterBoard([(3_500_000, 1), (9_000_000, 0)])
    bench.add_board(board, LINES)
    out = run(
        bench,
        GPIO + "import time\n"
        "print(time.monotonic_ns())\n"
        "with request() as r:\n"
        "    print(r.wait_edge_events(2.0), time.monotonic_ns())\n"
        "    print(r.wait_edge_events(None), time.monotonic_ns(), r.read_edge_events()[0].timestamp_ns)\n"
        "time.sleep(1.25)\n"
        "print(time.monotonic_ns())",
    )
    assert out[0] == "1000000000"
    assert out[1:3] == ["False", "3000000000"]
    assert out[3:6] == ["True", "3500000000", "3500000000"]
    assert out[6] == "4750000000"


def test_second_process_finds_the_lock(bench):
    bench.add_board(RegisterBoard(), LINES, virtual_time=False)
    hold = (
        "import spidev, fcntl, sys\ns = spidev.SpiDev(0, 0)\n"
        "try: fcntl.flock(s.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB); print('mine', flush=True)\n"
        "except BlockingIOError: print('busy', flush=True)\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", hold + "sys.stdin.read()"],
        env=bench.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout.readline() == "mine\n"
    assert run(bench, hold) == ["busy"]
    first.communicate(timeout=240)
    assert run(bench, hold) == ["mine"]


def test_threads_of_rpi_gpio_on_virtual_time(bench, require):
    """lgpio may keep an edge for half a millisecond; until its threads have handed it on, time hardly passes."""
    needs(require, "RPi")
    edges = [(1_100_000 + 10_000 * i, 1 - i % 2) for i in range(30)]
    bench.add_board(RegisterBoard(edges), LINES)
    environment = bench.environment(RPI_LGPIO_REVISION="c03114", LG_WD=str(bench.root))
    code = (
        "import queue, time, RPi.GPIO as GPIO\n"
        "GPIO.setmode(GPIO.BCM)\n"
        "GPIO.setup(25, GPIO.IN)\n"
        "seen = queue.SimpleQueue()\n"
        "GPIO.add_event_detect(25, GPIO.BOTH, callback=lambda _: seen.put((time.monotonic_ns(), GPIO.input(25))))\n"
        "for _ in range(30): print(*seen.get(timeout=120))\n"
        "try: seen.get(timeout=0.25)\n"
        "except queue.Empty: print(time.monotonic_ns(), 'end')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    *got, end = [line.split() for line in done.stdout.splitlines()]
    for (at_us, level), (at_ns, seen) in zip(edges, got, strict=True):
        assert 0 <= int(at_ns) // 1000 - at_us <= 2000
        assert int(seen) == level
    assert int(end[0]) == int(got[-1][0]) + 250_000_000
