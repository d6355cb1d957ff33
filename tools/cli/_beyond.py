"""Radios beyond the limits of the burst mode (OMS Vol.2 Annex Q): only if their owner says so, and labelled in every output.

The owner says so with beyond_limits = true in [radio.NAME]; the driver then has a line in `labels` for each sub-mode in which its
chip does not keep to the annex (drivers/submodes.py), and that goes with whatever is told of it: as "beyond_limits" in JSON, as
MARK in lines, and once on standard error.
"""

import sys

from omsnode.board import hats
from omsnode.drivers import submodes
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.phy import modes

TX, RX = submodes.TX, submodes.RX
MARK = "[beyond limits]"


def options(radio):
    """What the driver of a config.Radio is told. ConfigError for what its chip does not have."""
    chosen = [name for name in ("beyond_limits", "raw_sync", "msk") if getattr(radio, name)]
    chip = hats.find(radio.hat).chip
    for name in chosen:
        if name != "beyond_limits" and chip != "cc1101":
            raise ConfigError("radio {}: {} is for a CC1101".format(radio.name, name), hint="leave it out")
    return dict.fromkeys(chosen, True)


def labels(radio, uses):
    """Lines on the sub-modes in which this radio does not keep to the annex. uses: [(name, TX or RX)]."""
    hat = hats.find(radio.hat)
    found = []
    for name, side in uses:
        direction = modes.UP if name.startswith("UL") else modes.DOWN
        if hat.chip == "cc1101":
            from omsnode.drivers.cc1101 import submodes as chip

            line = chip.label(name, direction, side, hat.crystal_hz, radio.msk)
        else:
            from omsnode.drivers.sx1262 import submodes as chip

            line = chip.label(name, direction, side, bool(hat.tcxo_mv))
        if line and line not in found:
            found.append(line)
    return found


def check(radio, uses):
    """ConfigError if the radio needs its owner's leave for these uses and does not have it."""
    found = labels(radio, uses)
    if found and not radio.beyond_limits:
        raise ConfigError(
            "radio {} ({}): {}".format(radio.name, radio.hat, found[0]),
            hint="for a test, beyond_limits = true in [radio.{}] allows it, labelled; "
            "or another radio: omsnode selftest --hat NAME --sub-modes".format(radio.name),
        )


class Labels:
    """What there is to say of each radio. drivers: {its name: driver}, as far as they are there."""

    def __init__(self, drivers=None):
        self.drivers = drivers or {}
        self._said = set()

    def of(self, name):
        """One text, None if it keeps to the limits. What is new is told on standard error."""
        lines = getattr(self.drivers.get(name), "labels", ())
        for line in lines:
            if (name, line) not in self._said:
                self._said.add((name, line))
                print("omsnode: radio {}: {}".format(name, line), file=sys.stderr, flush=True)
        return "; ".join(lines) or None

    def labelling(self, deliver):
        """The function `deliver` of a Reading, with the label of its radio on it as `beyond_limits`."""

        def labelled(reading):
            reading.beyond_limits = self.of(reading.radio)
            deliver(reading)

        return labelled


def label(reading):
    """That of a Reading, or None."""
    return getattr(reading, "beyond_limits", None)
