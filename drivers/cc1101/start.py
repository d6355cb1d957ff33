"""A CC1101 that does not answer as it should when it is started, and what a person can do about it. Not in a device's
memory before it is needed."""

from omsnode.firmware.errors import RadioError
from omsnode.firmware.portable import const

from . import registers

_FSTEST = const(0x29)

NO_ANSWER = (
    "SPI answers {} only: is SPI enabled (raspi-config), is CSN on the chip enable of the HAT row, are MISO and MOSI "
    "swapped, does the module have 3.3 V?"
)
READ_BACK = "shorter leads, or a lower spi_hz in the HAT row; is another program using this SPI device?"


def no_answer(chip):
    """Raises RadioError."""
    seen = "0x{:02X}".format(chip.version)
    raise RadioError("no CC1101 answers (VERSION {})".format(seen), hint=NO_ANSWER.format(seen))


def read_back(chip, address, counters):
    """Registers from this address on do not read back. Those from FSTEST on, which the datasheet does not describe, may
    be others in a clone: `chip.mismatch` looks at them no more. RadioError for any other register."""
    odd = 0
    while address is not None:
        if address < _FSTEST:
            name = registers.name(address)
            raise RadioError("{} does not read back as written".format(name), hint=READ_BACK)
        chip.masks[address] = 0
        odd += 1
        address = chip.mismatch()
    counters["odd_registers"] = odd
