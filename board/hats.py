"""One row per radio module and its wiring: which SPI, which pins, which crystal (boards sheet 2 and 7)."""

from collections import namedtuple

from omsnode.firmware.errors import ConfigError

LINUX = "linux"
MICROPYTHON = "micropython"
VIRTUAL = "virtual"

Hat = namedtuple(
    "Hat",
    (
        "name",
        "platform",  # which board serves it
        "chip",
        "crystal_hz",
        "spi_bus",
        "spi_dev",  # chip enable: 0 is CE0; None where a pin does it
        "spi_hz",  # burst access without gaps: never above 6.5 MHz (SWRS061 table 22)
        "gdo0",  # GPIO numbers, not header pins
        "gdo2",
        "sck",
        "mosi",
        "miso",
        "cs",
        "remark",
    ),
)

_CC1101 = ("cc1101", 26000000)
_PI = (5000000, 24, 25, None, None, None, None)

HATS = (
    Hat("cc1101-spi0", LINUX, *_CC1101, 0, 0, *_PI, "CSN on CE0 (pin 24), GDO0 on pin 18, GDO2 on pin 22"),
    Hat(
        "cc1101-spi0-ce1", LINUX, *_CC1101, 0, 1, *_PI, "CSN on CE1 (pin 26), GDO0 on pin 18, GDO2 on pin 22"
    ),
    Hat(
        "cc1101-pico",
        MICROPYTHON,
        *_CC1101,
        0,
        None,
        5000000,
        20,
        21,
        18,
        19,
        16,
        17,
        "SPI0 of a Pico: SCK GP18, MOSI GP19, MISO GP16, CSN GP17, GDO0 GP20, GDO2 GP21",
    ),
    Hat("virtual", VIRTUAL, *_CC1101, 0, 0, *_PI, "the board with nothing attached"),
)


def find(name):
    """The row of a HAT. ConfigError with the known names if there is none."""
    for row in HATS:
        if row.name == name:
            return row
    raise ConfigError(
        "no HAT {}".format(name), hint="known: " + " ".join(row.name for row in HATS) + " (board/hats.py)"
    )
