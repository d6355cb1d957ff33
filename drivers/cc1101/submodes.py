"""The burst sub-modes on a CC1101: register bytes, what they achieve, and how a burst is sent (LPWAN sheet 22; CC1101 sheet 7
and 10.2). Loaded only by who uses one.

None can be sent within the limits of Annex Q: the chip rates are 86 to 1120 ppm off, most deviations too. Those of a
receiver nobody limits; DL-B1 and DL-B2 have a filter 11.6 and 8.6 dB too wide.
"""

from omsnode.firmware.phy import modes

from .. import submodes
from . import profiles, registers

# Filter (the narrowest not below so many Hz), FSCTRL1, FREND1, FOCCFG, BSCFG, AGCCTRL2, AGCCTRL1, AGCCTRL0 (sheet 10.2).
_TUNING = """
UL-B4 270000 08 B6 2E 6D 43 09 B5
UL    67000  06 56 17 6D 43 40 91
DL-B4 67000  06 56 17 6D 43 40 91
DL    58000  06 56 17 6D 43 40 91
"""
_TUNED = "FSCTRL1 FREND1 FOCCFG BSCFG AGCCTRL2 AGCCTRL1 AGCCTRL0"

# MDMCFG2.SYNC_MODE: none, one of the 16 chips may be wrong, none may.
_RAW = 0x00
_SYNC = (0x02, 0x01)  # by the number of wrong chips allowed
_GFSK = 0x10  # MOD_FORMAT
_MSK = 0x70

# Without sync word FOCCFG and BSCFG never change to the gains meant for behind one: these are half of those in front.
_RAW_FOCCFG = 0x07  # K, limit as it is, no gate on carrier sense
_RAW_BSCFG = 0x0F  # KI and KP, limit as it is

# MSK: the whole of a chip for its change of phase (DEVIATION_M 7; TI e2e 167908, 308048).
_MSK_DEVIATN = 0x07
_MSK_LEAST_CPS = 26000  # sheet 7.2

_MOST_BLOCKS = 32


def is_msk(driver, name):
    """True if this sub-mode is sent in the chip's MSK format: no Gaussian filter, h = 0.5 exactly, data inverted."""
    mode = modes.find(name, modes.UP if name[0] == "U" else modes.DOWN)
    return driver.msk and mode.chip_rate_cps > _MSK_LEAST_CPS and 4 * mode.deviation_hz == mode.chip_rate_cps


def block(driver, name, direction, offset_hz, side):
    """As `profiles.block`, with the driver's options raw_sync, sync_errors and msk."""
    row = modes.find(name, direction)
    if len(driver._blocks) >= _MOST_BLOCKS:  # each meter that is answered has an offset of its own
        driver._blocks.clear()
    # Common registers, and what sending changes.
    out = profiles.block("C2", modes.DOWN, side, driver.crystal_hz)
    filter_hz, *tuned = _tuning(name)
    word = profiles.freq_word(row.frequency_hz + offset_hz, driver.crystal_hz)
    exponent, mantissa = profiles.data_rate(row.chip_rate_cps, driver.crystal_hz)
    sync = profiles.sync_word(row)
    deviatn = profiles.deviation(row.deviation_hz, driver.crystal_hz)
    mdmcfg2 = _GFSK
    profiles._put(out, _TUNED, [int(value, 16) for value in tuned])
    if side == profiles.TX:
        if is_msk(driver, name):
            mdmcfg2, deviatn = _MSK, _MSK_DEVIATN
    elif driver.raw_sync:
        mdmcfg2 |= _RAW
        for register, mask in (("FOCCFG", _RAW_FOCCFG), ("BSCFG", _RAW_BSCFG)):
            out[registers.address(register)] &= mask
    else:
        mdmcfg2 |= _SYNC[driver.sync_errors]
    profiles._put(out, "SYNC1 SYNC0", (sync >> 8, sync & 0xFF))
    profiles._put(out, "FREQ2 FREQ1 FREQ0", (word >> 16, word >> 8 & 0xFF, word & 0xFF))
    bandwidth = profiles.bandwidth(int(filter_hz), driver.crystal_hz)
    profiles._put(out, "MDMCFG4 MDMCFG3 MDMCFG2 DEVIATN", (bandwidth | exponent, mantissa, mdmcfg2, deviatn))
    return out


def _tuning(name):
    """Words of the first row that the name begins with."""
    for words in profiles._rows(_TUNING):
        if name.startswith(words[0]):
            return words[1:]
    return None


class _Plain:
    """What `block` asks of a driver."""

    raw_sync = False
    sync_errors = 1
    _blocks = ()

    def __init__(self, crystal_hz, msk):
        self.crystal_hz = crystal_hz
        self.msk = msk


def achieved(name, direction, side, crystal_hz=profiles.CRYSTAL_HZ, msk=False):
    """List of submodes.Row: what the registers achieve with a crystal without error, beside the limits of Annex Q.

    name: of a sub-mode, with or without sub-carrier. side: submodes.TX or RX. msk: the option of the driver."""
    plain = _Plain(crystal_hz, msk)
    registered = block(plain, name, direction, 0, side)

    def value(register):
        return registered[registers.address(register)]

    chosen = value("MDMCFG4")
    if side == submodes.RX:
        nibble = chosen >> 4
        filter_hz = crystal_hz // (8 * (4 + (nibble & 3)) << (nibble >> 2))
        return submodes.heard(name, direction, filter_hz)
    rate = (256 + value("MDMCFG3") << (chosen & 15)) * crystal_hz
    rate_mcps = (rate * 1000 + (1 << 27)) >> 28
    deviatn = value("DEVIATN")
    deviation_hz = ((8 + (deviatn & 7) << (deviatn >> 4)) * crystal_hz + (1 << 16)) >> 17
    word = value("FREQ2") << 16 | value("FREQ1") << 8 | value("FREQ0")
    bt_tenths = 5
    if is_msk(plain, name):
        deviation_hz, bt_tenths = (rate_mcps + 2000) // 4000, 0
    return submodes.sent(
        name, direction, rate_mcps, deviation_hz, (word * crystal_hz + 32768) >> 16, bt_tenths
    )


def label(name, direction, side, crystal_hz=profiles.CRYSTAL_HZ, msk=False):
    """None, or the line that says in what this chip is beyond the limits."""
    return submodes.label(name, side, achieved(name, direction, side, crystal_hz, msk))


def permit(driver, name, direction, side):
    """MisuseError if this needs beyond_limits and does not have it."""
    rows = achieved(name, direction, side, driver.crystal_hz, driver.msk)
    submodes.permit(driver, "CC1101", name, side, rows)


def to_send(driver, name, direction, chips):
    """The burst as it goes into the FIFO."""
    permit(driver, name, direction, submodes.TX)
    return bytes([chip ^ 0xFF for chip in chips]) if is_msk(driver, name) else chips


def receiver(driver):
    """The class of the receiver."""
    if driver.raw_sync:
        from .raw import RawReceiver as made
    else:
        from .burst import BurstReceiver as made
    return made
