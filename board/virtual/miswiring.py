"""What people wire or set wrongly, each as something that can be done to a virtual board before a program gets it.

`MISWIRINGS`: by name, the chips that it is possible with, what it is, what a self-test has to name (any of these lines or
settings first), and the function of a VirtualBoard that does it.
"""

from collections import namedtuple

Miswiring = namedtuple("Miswiring", ("chips", "about", "names", "apply"))

_BOTH = ("cc1101", "sx1262")
_CC1101 = ("cc1101",)
_SX1262 = ("sx1262",)
_NEVER = 1 << 60


def _chip(**attributes):
    def apply(board):
        for name, value in attributes.items():
            setattr(board.chip, name, value)

    return apply


def _stuck(line, level):
    def apply(board):
        board.pins[line].stuck = level

    return apply


def _no_edges(board):
    for pin in board.edge_pins:
        pin.drop = _NEVER


def _no_crystal(board):
    board.chip.crystal = False
    board.chip.brown_out()


def _no_supply(board):
    """No line of the module is driven; those of the host are pulled down."""
    board.chip.selected = False
    board.chip.miso_stuck = 0
    for pin in board.pins.values():
        if hasattr(pin, "stuck"):
            pin.stuck = 0


def _option(**options):
    def apply(board):
        for name, value in options.items():
            setattr(board.chip.options, name, value)

    return apply


def _other_oscillator(board):
    """A TCXO where the HAT's row says crystal, a crystal where it says TCXO."""
    board.chip.tcxo_mv = None if board.chip.tcxo_mv else 1800
    board.chip.brown_out()


MISWIRINGS = {
    "miso-open": Miswiring(_BOTH, "MISO is open, the host reads 00", ("miso",), _chip(miso_stuck=0x00)),
    "miso-high": Miswiring(
        _BOTH, "MISO is pulled up and open, the host reads FF", ("miso",), _chip(miso_stuck=0xFF)
    ),
    "mosi-open": Miswiring(_BOTH, "MOSI is open, the chip reads 00", ("mosi",), _chip(mosi_stuck=0x00)),
    "mosi-high": Miswiring(_BOTH, "MOSI is open, the chip reads FF", ("mosi", "cs"), _chip(mosi_stuck=0xFF)),
    "chip-select": Miswiring(_BOTH, "chip select goes elsewhere", ("cs",), _chip(selected=False)),
    "no-supply": Miswiring(_BOTH, "the module has no supply", ("supply",), _no_supply),
    "no-crystal": Miswiring(_BOTH, "crystal or TCXO stand still", ("crystal",), _no_crystal),
    "long-leads": Miswiring(
        _BOTH, "one byte in 200 on the bus has a wrong bit", ("spi_hz",), _chip(bit_flips=0.005)
    ),
    "no-edges": Miswiring(_BOTH, "the host is told of no edge", ("gdo0", "dio1"), _no_edges),
    "unlocked": Miswiring(
        _BOTH, "the synthesizer does not lock", ("supply",), _option(pll_lock_failures=_NEVER)
    ),
    "gdo-swapped": Miswiring(
        _CC1101, "GDO0 and GDO2 are swapped", ("gdo0",), lambda board: board.swap("gdo0", "gdo2")
    ),
    "gdo0-open": Miswiring(_CC1101, "GDO0 is open", ("gdo0",), _stuck("gdo0", 0)),
    "gdo0-high": Miswiring(_CC1101, "GDO0 is on 3.3 V", ("gdo0",), _stuck("gdo0", 1)),
    "gdo2-open": Miswiring(_CC1101, "GDO2 is open", ("gdo2",), _stuck("gdo2", 0)),
    "gdo2-high": Miswiring(_CC1101, "GDO2 is on 3.3 V", ("gdo2",), _stuck("gdo2", 1)),
    "busy-open": Miswiring(_SX1262, "BUSY is open, the host reads 0", ("busy",), _stuck("busy", 0)),
    "busy-high": Miswiring(_SX1262, "BUSY is open, the host reads 1", ("busy",), _stuck("busy", 1)),
    "busy-swapped": Miswiring(
        _SX1262, "BUSY and DIO1 are swapped", ("busy",), lambda board: board.swap("busy", "dio1")
    ),
    "dio1-open": Miswiring(_SX1262, "DIO1 is open, the host reads 0", ("dio1",), _stuck("dio1", 0)),
    "dio1-high": Miswiring(_SX1262, "DIO1 is open, the host reads 1", ("dio1",), _stuck("dio1", 1)),
    "reset-open": Miswiring(_SX1262, "RESET is open, and pulled up", ("reset",), _stuck("reset", 1)),
    "reset-low": Miswiring(_SX1262, "RESET is held low", ("reset",), _stuck("reset", 0)),
    "oscillator": Miswiring(
        _SX1262, "a TCXO instead of a crystal, or the other way", ("tcxo_mv",), _other_oscillator
    ),
    "slow-tcxo": Miswiring(_SX1262, "the TCXO takes 15 ms", ("tcxo_delay_us",), _option(tcxo_start_us=15000)),
    "no-inductor": Miswiring(
        _SX1262, "no inductor for the DC-DC converter", ("dcdc",), _chip(inductor=False)
    ),
}


def apply(board, name):
    """Make it. KeyError if there is no such miswiring, ValueError if the chip of this board cannot have it."""
    one = MISWIRINGS[name]
    if board.chip_name not in one.chips:
        raise ValueError("{} is nothing that a {} can have".format(name, board.chip_name))
    one.apply(board)
