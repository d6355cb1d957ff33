"""What a radio achieves in the burst sub-modes, beside what Annex Q asks (OMS Vol. 2 Annex Q.2.2, Q.2.3; LPWAN sheet 2, 22).

A sub-mode may be used with rows that are not inside only if the owner says so (`beyond_limits` of a driver), and is
labelled then. Loaded only by who uses one.
"""

from collections import namedtuple

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.burst import submodes

RX = "rx"
TX = "tx"

# quantity: with its unit. achieved: integer, nearest. lowest, highest: limits, None: there is none. inside: True or False.
Row = namedtuple("Row", ("quantity", "achieved", "lowest", "highest", "inside"))

# A filter may be so many times as wide as the signal with its offset: 6 dB of noise more. Nothing in the annex: it is where
# the sheet begins to say "do not announce".
_TOO_WIDE = 4


def row(quantity, achieved, lowest=None, highest=None):
    inside = (lowest is None or lowest <= achieved) and (highest is None or achieved <= highest)
    return Row(quantity, achieved, lowest, highest, inside)


def signal_hz(mode):
    """Width of a signal (sheet 22): twice the deviation and the chip rate."""
    return 2 * mode.deviation_hz + mode.chip_rate_cps


def sent(name, direction, rate_mcps, deviation_hz, frequency_hz, bt_tenths):
    """Rows of a transmitter with an exact crystal. rate_mcps: millichips per second. bt_tenths: Gaussian filter, 0: none."""
    mode, limits = modes.find(name, direction), submodes.limits(name)
    return [
        row("chip rate, mchip/s", rate_mcps, limits.rate_min_mcps, limits.rate_max_mcps),
        row("deviation, Hz", deviation_hz, limits.deviation_min_hz, limits.deviation_max_hz),
        row(
            "carrier, Hz",
            frequency_hz,
            mode.frequency_hz - limits.carrier_hz,
            mode.frequency_hz + limits.carrier_hz,
        ),
        row("BT, tenths", bt_tenths, 5, 5),
    ]


def heard(name, direction, filter_hz):
    """Rows of a receiver. The annex asks nothing of one but to hear what may be sent."""
    mode, limits = modes.find(name, direction), submodes.limits(name)
    needed_hz = signal_hz(mode) + 2 * limits.carrier_hz
    rows = [row("filter, Hz", filter_hz, needed_hz, _TOO_WIDE * needed_hz)]
    if direction == modes.UP:  # the meter chooses one for each burst
        n = len(limits.sub_carriers)
        rows.append(row("sub-carriers heard at once", 1, n, n))
    return rows


def label(name, side, rows):
    """None if every row is inside, else one line for a person that goes with whatever comes of it."""
    outside = [
        "{} {} (limits {} to {})".format(one.quantity, one.achieved, one.lowest, one.highest)
        for one in rows
        if not one.inside
    ]
    if not outside:
        return None
    what = "sent" if side == TX else "heard"
    return "{} {} beyond the limits of Annex Q: {}".format(name, what, "; ".join(outside))


def permit(driver, chip, name, side, rows):
    """MisuseError if a row is not inside and the owner did not allow that; if he did the driver is labelled."""
    text = label(name, side, rows)
    if text is None:
        return
    if not driver.beyond_limits:
        raise MisuseError(
            "{}: {}".format(chip, text), hint="beyond_limits=True allows it, for tests and labelled"
        )
    if text not in driver.labels:
        driver.labels += (text,)
