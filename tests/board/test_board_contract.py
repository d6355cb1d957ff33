"""One conformance test over every board: virtual, micropython (on a stand-in machine module), linux (on the seam).

Behind each is the same CC1101 model. The RPi.GPIO back end runs in real time, so what needs exact time is left out.
"""

import subprocess
import sys

import pytest
import support_board_contract as contract
from interop.seam import Bench, needs
from omsnode.board import hats, micropython
from omsnode.board.virtual import World

LINES = {"gdo0": hats.find("cc1101-spi0").gdo0, "gdo2": hats.find("cc1101-spi0").gdo2}
# It neither counts losses nor sees levels in time, and the model's time stands still while the process waits.
NOT_ON_RPI_GPIO = (
    "a_flood_is_counted",
    "an_edge_ends_the_wait",
    "edges_before_the_call_are_not_forgotten",
    "edges_come_once_in_order_with_their_time",
)


class StandInMachine:
    """`machine` and `time` of a port with 30-bit ticks, on a virtual board. The ticks wrap early in the test."""

    PERIOD = 1 << 30

    def __init__(self, board, hat):
        self.board = board
        self.lines = {hat.gdo0: "gdo0", hat.gdo2: "gdo2"}
        self.selected = {hat.cs: 1}
        self.handlers = {}
        self.in_handler = False
        machine = self

        class Pin:
            IN, OUT, IRQ_RISING, IRQ_FALLING = 0, 1, 8, 4

            def __init__(self, number, mode=None, value=None):
                self.number = number
                if value is not None:
                    machine.selected[number] = value

            def value(self, level=None):
                if level is not None:
                    machine.selected[self.number] = level
                    return None
                return machine.board.pins[machine.lines[self.number]].read()

            def irq(self, handler=None, trigger=0):
                machine.handlers[machine.lines[self.number]] = handler and (lambda: handler(self))

        class SPI:
            def __init__(self, block, baudrate, polarity, phase, sck, mosi, miso):
                assert (polarity, phase) == (0, 0) and baudrate <= 6500000

            def write_readinto(self, tx, rx):
                assert machine.selected[hat.cs] == 0
                machine.board.spi.transfer(tx, rx)
                machine.interrupts(machine.board.now_us())

        self.Pin, self.SPI = Pin, SPI

    def interrupts(self, until_us):
        self.in_handler = True
        for name, _level, _at_us in self.board.wait(until_us)[0]:
            if self.handlers.get(name):
                self.handlers[name]()
        self.in_handler = False

    def idle(self):
        self.interrupts(self.board.now_us() + 1000)

    def ticks_us(self):
        if not self.in_handler:
            self.interrupts(self.board.now_us() + 2)
        return (self.board.now_us() + self.PERIOD - 20000) % self.PERIOD

    def ticks_diff(self, a, b):
        return (a - b + self.PERIOD // 2) % self.PERIOD - self.PERIOD // 2


def on_virtual(name):
    contract.CHECKS[name](World().add_board())


def on_micropython(name):
    hat = hats.find("cc1101-pico")
    machine = StandInMachine(World().add_board(), hat)
    with micropython.MicroPythonBoard(hat, machine, machine) as board:
        contract.CHECKS[name](board)
        assert machine.selected[hat.cs] == 1


def on_linux(require, backend, name):
    virtual_time = backend == "gpiod"
    with Bench(needs(require, "spidev", "gpiod" if virtual_time else "RPi")) as bench:
        bench.add_board(World().add_board(), LINES, virtual_time=virtual_time)
        # rpi-lgpio looks for a Pi's revision, lgpio leaves a FIFO in its working directory
        environment = bench.environment(RPI_LGPIO_REVISION="c03114", LG_WD=str(bench.root))
        command = [sys.executable, contract.__file__, backend, name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


CASES = [("virtual", name) for name in contract.CHECKS]
CASES += [("micropython", name) for name in contract.CHECKS]
CASES += [("gpiod", name) for name in contract.CHECKS]
CASES += [("RPi.GPIO", name) for name in contract.CHECKS if name not in NOT_ON_RPI_GPIO]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_contract(kind, name, require):
    if kind == "virtual":
        on_virtual(name)
    elif kind == "micropython":
        on_micropython(name)
    else:
        on_linux(require, kind, name)
