"""From reset to a calibrated chip in standby (sheet 4), as steps that block nobody; and what a person can do if they fail."""

from omsnode.firmware.errors import RadioError
from omsnode.firmware.portable import const

from . import commands, registers
from .chip import Fault

_STANDBY_TRIES = const(25)  # the first commands after a reset may be refused (sheet 1)

# SetDio3AsTcxoCtrl: millivolts of each code.
TCXO_MV = (1600, 1700, 1800, 2200, 2400, 2700, 3000, 3300)

_RETAINED = (registers.RX_GAIN, registers.TX_MODULATION, registers.TX_CLAMP)


def bring_up(driver):
    """Generator of the steps. What it yields is how long to wait in microseconds; negative: BUSY is high, usually for so
    long. Fault if the chip does not do what it must: "busy", "no_answer", "registers", "xosc", "pll", "calibration"."""
    chip, command = driver.chip, driver.chip.command
    driver.antenna(False, False)
    if driver.reset_pin:
        driver.reset_pin.write(0)
        yield 200
        driver.reset_pin.write(1)
        if chip.ready(1):  # for 3.5 ms BUSY is high; who is asked again might come behind that
            driver.fault("busy_low", driver.due_us or 0)
        yield 10  # until BUSY has risen
    yield -3500
    for tries in range(_STANDBY_TRIES):
        command(commands.SET_STANDBY, commands.STDBY_RC)
        yield -100
        try:
            chip.irq()
            if chip.mode == commands.MODE_STDBY_RC:
                break
        except Fault:
            if tries == _STANDBY_TRIES - 1:
                raise
        yield 1000
    chip.version = bytes(chip.read(registers.VERSION_STRING, 16))
    for pattern in (b"\x55\xaa\x0f\xf0\x33\xcc\x00\xff", b"\xaa\x55\xf0\x0f\xcc\x33\xff\x00"):
        chip.write(registers.SYNC_WORD, *pattern)
        if bytes(chip.read(registers.SYNC_WORD, 8)) != pattern:
            raise Fault("registers")
    if driver.tcxo_mv:  # before anything that starts the oscillator
        delay = driver.tcxo_delay_us * 64 // 1000
        command(
            commands.SET_DIO3_AS_TCXO_CTRL,
            TCXO_MV.index(driver.tcxo_mv),
            delay >> 16,
            delay >> 8 & 0xFF,
            delay & 0xFF,
        )
    elif driver.crystal_trim is not None:
        command(commands.SET_STANDBY, commands.STDBY_XOSC)
        yield -100
        chip.write(registers.XTA_TRIM, driver.crystal_trim, driver.crystal_trim)
    # An oscillator that did not start before it had its voltage is no error.
    command(commands.CLEAR_DEVICE_ERRORS, 0, 0)
    for pause_us in calibration(driver):
        yield pause_us
    command(commands.SET_REGULATOR_MODE, 1 if driver.dcdc else 0)
    command(commands.SET_DIO2_AS_RF_SWITCH_CTRL, 1 if driver.dio2_rf_switch else 0)
    command(commands.SET_RX_TX_FALLBACK_MODE, commands.FALLBACK_XOSC)
    chip.antenna_mismatch()
    listed = [len(_RETAINED)]
    for address in _RETAINED:
        listed += [address >> 8, address & 0xFF]
    chip.write(registers.RETENTION_LIST, *listed)


def calibration(driver):
    """Steps as those of `bring_up`."""
    chip = driver.chip
    chip.command(commands.CALIBRATE, 0x7F)
    yield -3500 - driver.tcxo_delay_us
    chip.command(commands.CALIBRATE_IMAGE, 0xD7, 0xDB)  # 863 to 870 MHz; at power-on it is for 902 to 928
    yield -3500
    check_errors(chip)


def check_errors(chip):
    """Fault if the chip reports a device error."""
    errors = chip.errors()
    if errors:
        command_errors = (
            (commands.ERROR_XOSC_START, "xosc"),
            (commands.ERROR_PLL_LOCK, "pll"),
            (commands.ERROR_PA_RAMP, "pa_ramp"),
        )
        chip.command(commands.CLEAR_DEVICE_ERRORS, 0, 0)
        for bit, code in command_errors:
            if errors & bit:
                raise Fault(code)
        raise Fault("calibration")


_SPI = "is SPI enabled (raspi-config), is NSS on the chip select of the HAT row, are MISO and MOSI swapped?"
_HINTS = {
    "busy": (
        "BUSY stays high",
        "is the BUSY wire on the pin of the HAT row, not swapped with DIO1, and RESET not held low? Power at the module?",
    ),
    "no_answer": ("no SX1262 answers", _SPI),
    "registers": (
        "registers do not read back as written",
        "shorter leads or a lower spi_hz; is another program using it?",
    ),
    "xosc": (
        "the oscillator does not start",
        "tcxo_mv of the HAT row: 1800 for most TCXO modules, none for a crystal",
    ),
    "pll": ("the synthesizer does not lock", "tcxo_mv of the HAT row; is the supply stable?"),
    "calibration": (
        "the calibration fails",
        "tcxo_mv of the HAT row: 1800 for most TCXO modules, none for a crystal",
    ),
    "pa_ramp": ("the amplifier does not ramp up", "is the supply strong enough?"),
}


def trouble(code):
    """RadioError for a person who starts the radio."""
    message, hint = _HINTS[code]
    return RadioError(message, hint=hint)
