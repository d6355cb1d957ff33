"""The package jetson-SX126X on a Pi: what tests/interop/test_sx1262_packages.py runs in a process of its own.

Its driver logic is untouched. Below that it wants Jetson.GPIO, for which RPi.GPIO stands (the same calls by design), and
sends every byte in a transfer of its own while a GPIO holds chip select; here a command is one transfer of spidev.
"""

import sys
import types

import RPi.GPIO
import spidev


class SPI:
    def __init__(self, _device, mode, hz):
        self.device = spidev.SpiDev(0, 0)
        self.device.mode = mode
        self.device.max_speed_hz = hz


jetson = types.ModuleType("Jetson")
jetson.GPIO = RPi.GPIO
periphery = types.ModuleType("periphery")
periphery.SPI = SPI
sys.modules.update({"Jetson": jetson, "Jetson.GPIO": RPi.GPIO, "periphery": periphery})

from jetson_sx126x import SX1262, Pin, _sx126x, sx126x  # noqa: E402

CS, DIO1, RESET, BUSY = 25, 24, 22, 23
REFUSALS = {
    _sx126x.SX126X_STATUS_CMD_TIMEOUT: _sx126x.ERR_SPI_CMD_TIMEOUT,
    _sx126x.SX126X_STATUS_CMD_INVALID: _sx126x.ERR_SPI_CMD_INVALID,
    _sx126x.SX126X_STATUS_CMD_FAILED: _sx126x.ERR_SPI_CMD_FAILED,
}


def transfer(self, cmd, n_cmd, write, out, into, n, wait, timeout=5000):
    """SX126X.SPItransfer in one piece: BUSY before and after, and their judgement of the status bytes."""
    while self.gpio.value():
        pass
    tx = list(cmd[:n_cmd]) + ([value & 0xFF for value in out[:n]] if write else [0] * (1 + n))
    rx = self.spi.device.xfer2(tx)
    if not write:
        into[:n] = bytes(rx[n_cmd + 1 :])
    while wait and self.gpio.value():
        pass
    for status in rx[n_cmd:] if write else rx[n_cmd : n_cmd + 1]:
        if status & 0x0E in REFUSALS:
            return REFUSALS[status & 0x0E]
        if status in (0x00, 0xFF):
            return _sx126x.ERR_CHIP_NOT_FOUND
    return _sx126x.ERR_NONE


sx126x.SX126X.SPItransfer = transfer


def radio():
    Pin.initialize(RPi.GPIO.BCM)
    return SX1262(CS, DIO1, RESET, BUSY)
