"""Frames sent by the real driver through the chip model: what the virtual air then carries is what gets recorded."""

from omsnode.board import hats
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.errors import RadioError
from omsnode.firmware.phy import framing, modes, radio

_LEAD_US = 20_000  # to load and calibrate the chip before the first chip is due
_LIMIT_US = 1_000_000  # no frame is on the air for longer


def send(mode, frames, frame_format="A", direction=modes.UP, chip="cc1101", **settings):
    """-> list of Transmission of the virtual air, one per frame.

    mode: name of a row of `modes`. frames: bytes with link CRCs. chip: "cc1101" or "sx1262"; settings: of its
    virtual board. Nothing leaves this machine, so the duty cycle is not asked. Raises MisuseError for a frame that the mode cannot send, RadioError if the driver reports anything but that
    the frame was sent.
    """
    world = World()
    board, driver = _radio(world, chip, settings)
    driver.start(board.now_us())
    driver.configure(mode, direction)
    row = modes.find(mode, direction)
    for frame in frames:
        driver.prepare(framing.chips(row, frame, frame_format), board.now_us())
        driver.transmit(board.now_us() + _LEAD_US)
        _until_sent(board, driver)
    return list(world.air.log)


def _radio(world, chip, settings):
    if chip == "cc1101":
        board = world.add_board(name="sender", **settings)
        return board, Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
    hat = hats.find("sx1262-spi0")
    board = world.add_board(hat.name, name="sender", **settings)
    pins = board.pins
    return board, Sx1262(board.spi, pins["busy"], pins["dio1"], pins["reset"], hat=hat)


def _until_sent(board, driver):
    give_up_us = board.now_us() + _LIMIT_US
    while board.now_us() < give_up_us:
        edges, _ = board.wait(give_up_us if driver.due_us is None else driver.due_us)
        for event in driver.service(board.now_us(), edges):
            if event.kind == radio.SENT:
                return
            raise RadioError("not sent: {}".format(event))
    raise RadioError("the driver does not report the end of a transmission")
