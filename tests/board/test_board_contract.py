"""One conformance test over every board: virtual, micropython (on a stand-in machine module), linux (on the seam).

Behind each is the same model of a CC1101, or of an SX1262 with an RF switch. The RPi.GPIO back end runs in real time, so what needs exact time is left out.
"""

import subprocess
import sys

import pytest
import support_board_contract as contract
from interop.seam import Bench, needs
from omsnode.board import hats, micropython
from omsnode.board.virtual import World

PI, PICO = hats.find("cc1101-spi0"), hats.find("cc1101-pico")
# A module on wires with everything that a host may have to drive; no oscillator of its own, so that it runs from reset.
E22 = hats.find("e22-spi0,tcxo_mv=0,en_high=26")


def lines_of(hat):
    """{line: GPIO number}"""
    names = hats.EDGES + hats.LEVELS + tuple(name for name, _ in hats.OUTPUTS)
    return {name: getattr(hat, name) for name in names if getattr(hat, name) is not None}


def virtual_board(hat):
    return World().add_board() if hat.chip == "cc1101" else World().add_board(hat="e22", tcxo_mv=None)


# It neither counts losses nor sees levels in time, and the model's time stands still while the process waits.
NOT_ON_RPI_GPIO = (
    "a_flood_is_counted",
    "an_edge_ends_the_wait",
    "edges_before_the_call_are_not_forgotten",
    "edges_come_once_in_order_with_their_time",
    "edges_of_dio1",
    "reset_reaches_the_chip",
)


class StandInMachine:
    """`machine` and `time` of a port with 30-bit ticks, on a virtual board. The ticks wrap early in the test."""

    PERIOD = 1 << 30

    def __init__(self, board, hat):
        self.board = board
        self.lines = {number: name for name, number in lines_of(hat).items()}
        self.levels = {hat.cs: 1}
        self.handlers = {}
        self.in_handler = False
        machine = self

        class Pin:
            IN, OUT, IRQ_RISING, IRQ_FALLING = 0, 1, 8, 4

            def __init__(self, number, mode=None, value=None):
                self.number = number
                if value is not None:
                    assert mode == self.OUT
                    self.value(value)

            def value(self, level=None):
                line = machine.lines.get(self.number)
                if level is None:
                    return machine.board.pins[line].read() if line else machine.levels[self.number]
                if line:
                    machine.board.pins[line].write(level)
                machine.levels[self.number] = level
                return None

            def irq(self, handler=None, trigger=0):
                machine.handlers[machine.lines[self.number]] = handler and (lambda: handler(self))

        class SPI:
            def __init__(self, block, baudrate, polarity, phase, sck, mosi, miso):
                assert (polarity, phase) == (0, 0) and baudrate == hat.spi_hz

            def write_readinto(self, tx, rx):
                assert machine.levels[hat.cs] == 0
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


def checks(hat):
    return contract.CHECKS if hat.chip == "cc1101" else contract.SX1262_CHECKS


def on_virtual(hat, name):
    checks(hat)[name](virtual_board(hat))


def on_micropython(hat, name):
    hat = PICO if hat is PI else hat._replace(cs=7, sck=11, mosi=10, miso=9)
    machine = StandInMachine(virtual_board(hat), hat)
    with micropython.MicroPythonBoard(hat, machine, machine) as board:
        checks(hat)[name](board)
        assert machine.levels[hat.cs] == 1
        assert all(machine.levels[number] == 1 for number in hat.en_high or ())


def on_linux(require, hat, backend, name):
    virtual_time = backend == "gpiod"
    with Bench(needs(require, "spidev", "gpiod" if virtual_time else "RPi")) as bench:
        _, chip, _ = bench.add_board(virtual_board(hat), lines_of(hat), virtual_time=virtual_time)
        # rpi-lgpio looks for a Pi's revision, lgpio leaves a FIFO in its working directory
        environment = bench.environment(RPI_LGPIO_REVISION="c03114", LG_WD=str(bench.root))
        command = [sys.executable, contract.__file__, hat.name, backend, name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(chip.levels[number] == 1 for number in hat.en_high or ())


CASES = [
    (hat, kind, name)
    for hat in (PI, E22)
    for kind in ("virtual", "micropython", "gpiod", "RPi.GPIO")
    for name in checks(hat)
    if kind != "RPi.GPIO" or name not in NOT_ON_RPI_GPIO
]


@pytest.mark.parametrize(
    ("hat", "kind", "name"), CASES, ids=["-".join((hat.chip, kind, name)) for hat, kind, name in CASES]
)
def test_contract(hat, kind, name, require):
    if kind == "virtual":
        on_virtual(hat, name)
    elif kind == "micropython":
        on_micropython(hat, name)
    else:
        on_linux(require, hat, kind, name)
