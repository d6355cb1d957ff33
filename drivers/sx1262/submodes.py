"""The burst sub-modes on an SX1262: commands, what they achieve, and how much a burst may hold (LPWAN sheet 22; SX1262 sheet
6.1 and 7). Loaded only by who uses one.

All can be sent within the limits of Annex Q, as far as a burst fits into register and buffer: 255 bytes behind the sync. All
downlinks and UL-B4 can be heard; of UL-B1 to B3 one sub-carrier at a time.
"""

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes

from .. import submodes
from . import profiles

# Bandwidth code and Hz with a TCXO here, and with a crystal (+-10 ppm) (sheet 6.1, LPWAN sheet 22).
_RECEIVERS = """
UL-B4 0A 234300 19 312000
UL    0C  58600 1B  78200
DL-B1 1F   4800 1F   4800
DL-B2 1E   9700 1E   9700
DL-B3 1D  19500 1D  19500
DL-B4 0C  58600 0C  58600
"""
_SYNC = b"\xc1\xfa\x4c\x6a"

# Bytes behind the sync that are not data.
_BEHIND = {modes.UP: 27, modes.DOWN: 12}


def receiver(name, tcxo=True):
    """(bandwidth code, sync word)"""
    return int(_words(name)[1 if tcxo else 3], 16), _SYNC


def _words(name):
    for line in _RECEIVERS.strip().split("\n"):
        words = line.split()
        if name.startswith(words[0]):
            return words
    return None


def achieved(name, direction, side, tcxo=True):
    """List of submodes.Row: what the commands achieve with a crystal without error, beside the limits of Annex Q.

    name: of a sub-mode, with or without sub-carrier. side: submodes.TX or RX. tcxo: a TCXO is here."""
    if side == submodes.RX:
        return submodes.heard(name, direction, int(_words(name)[2 if tcxo else 4]))
    row = modes.find(name, direction)
    word = profiles.bit_rate(row.chip_rate_cps)
    rate_mcps = (1024000000000 + word // 2) // word
    deviation_hz = _hz(profiles.steps(row.deviation_hz))
    return submodes.sent(name, direction, rate_mcps, deviation_hz, _hz(profiles.steps(row.frequency_hz)), 5)


def _hz(steps):
    return (steps * 32000000 + (1 << 24)) >> 25


def label(name, direction, side, tcxo=True):
    """None, or the line that says in what this chip is beyond the limits."""
    return submodes.label(name, side, achieved(name, direction, side, tcxo))


def permit(driver, name, direction, side):
    """MisuseError if this needs beyond_limits and does not have it."""
    rows = achieved(name, direction, side, driver.tcxo_mv > 0)
    submodes.permit(driver, "SX1262", name, side, rows)


def longest(direction):
    """((name of the rate, largest PHY payload in bytes whose bursts an SX1262 can send), ...)."""
    from omsnode.firmware.phy.burst import fec

    data = profiles.BUFFER_BYTES - _BEHIND[direction]
    names = ("7/8 and multi burst", "1/2", "1/3")
    return tuple([(names[i], fec.longest_payload(fec.SINGLE[i], data)) for i in range(3)])


def too_long(row, n_bytes):
    """The error to raise for a burst of n_bytes in this sub-mode."""
    most = ", ".join(["{} with rate {}".format(n, rate) for rate, n in longest(row.direction)])
    return MisuseError(
        "a burst of {} bytes is more than an SX1262 can send".format(n_bytes),
        hint="largest PHY payload in {}: {}; a CC1101 sends any".format(row.name, most),
    )
