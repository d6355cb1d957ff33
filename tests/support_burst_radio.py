"""Stations of the burst mode with either radio, and bursts between them."""

import random

import support_stations
import support_sx1262
from omsnode.board.virtual import World
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.burst import burst, submodes
from omsnode.firmware.phy.burst.deframer import BurstDeframer

UPLINKS, DOWNLINKS = submodes.UPLINKS, submodes.DOWNLINKS


def direction(name):
    return modes.UP if name.startswith("UL") else modes.DOWN


class _Burst:
    def listen(self, name, direction_=None):
        way = direction(name)
        self.radio.configure(name, way)
        self.radio.listen(BurstDeframer(way), self.board.now_us())

    def send(self, name, chips, direction_=None, in_us=5000, until_us=None, offset_hz=0):
        """Prepare and arm; returns the instant that was asked for. until_us: behind it, a window."""
        self.radio.configure(name, direction(name), 0, offset_hz)
        self.radio.prepare(chips, self.board.now_us())
        at_us = self.board.now_us() + in_us
        self.radio.transmit(at_us, None if until_us is None else at_us + until_us)
        return at_us


class Cc1101(_Burst, support_stations.Station):
    pass


class Sx1262(_Burst, support_sx1262.Station):
    pass


STATIONS = {"cc1101": Cc1101, "sx1262": Sx1262}
RAW = {"raw_sync": True}


def station(kind, world, name, driver=None, **board):
    """kind: "cc1101", "sx1262" or "raw", a CC1101 that searches all chips. What is beyond the limits is allowed."""
    driver = {"beyond_limits": True, **(driver or {})}
    if kind == "raw":
        kind, driver = "cc1101", {**RAW, **driver}
    return STATIONS[kind](world, name, driver, **board)


def pair(kinds, seed=0, sender=None, receiver=None, drivers=(None, None)):
    world = World(seed=seed)
    return (
        world,
        station(kinds[0], world, "sender", drivers[0], **(sender or {})),
        station(kinds[1], world, "receiver", drivers[1], **(receiver or {})),
    )


def payload(n_bytes, seed=0):
    return random.Random("{}/{}".format(n_bytes, seed)).randbytes(n_bytes)


def bursts(name, n_bytes, kind=0, seed=0, multi=0, tiv=89):
    """The bursts of a PHY payload. kind: burst type, 0 to 2."""
    build = burst.uplink if direction(name) == modes.UP else burst.downlink
    return build(payload(n_bytes, seed), tiv, multi, kind)


def air_us(name, chips):
    return len(chips) * 8000000 // modes.find(name, direction(name)).chip_rate_cps


def front_us(name):
    """From the first chip to the reference point: 64 chips."""
    return 64 * 1000000 // modes.find(name, direction(name)).chip_rate_cps
