"""Burst mode for the chip models' tests: register bytes of the CC1101 sheet 10.2, commands of the SX1262 sheet 6.1, and
chips of a burst. Both directions begin with 32 chips of preamble and the 32 of the sync word (burst sheet, section 3)."""

import random

from omsnode.board.virtual import Transmission, unpack

SYNC = bytes.fromhex("c1fa4c6a")
PREAMBLE = bytes.fromhex("55555555")

# CC1101, section 10.2: SYNC, FSCTRL1, FREQ, MDMCFG4, MDMCFG3, MDMCFG2 (reception), DEVIATN, FOCCFG, BSCFG, FREND1, AGC
_UL = {0x04: 0xC1, 0x05: 0xFA, 0x0D: 0x21, 0x12: 0x12, 0x1A: 0x6D, 0x1B: 0x43}
_NARROW = {**_UL, 0x0B: 0x06, 0x19: 0x17, 0x21: 0x56, 0x1C: 0x40, 0x1D: 0x91}
_DL = {**_NARROW, 0x0E: 0x71, 0x0F: 0x7A}
CC1101 = {
    "UL-B1": {**_NARROW, 0x0E: 0x67, 0x0F: 0xAE, 0x10: 0xE8, 0x11: 0x93, 0x15: 0x05},
    "UL-B2": {**_NARROW, 0x0E: 0x63, 0x0F: 0x27, 0x10: 0xE8, 0x11: 0x93, 0x15: 0x05},
    "UL-B3": {**_NARROW, 0x0E: 0x64, 0x0F: 0x3C, 0x10: 0xE8, 0x11: 0x93, 0x15: 0x05},
    "UL-B4": {
        **_UL, 0x0B: 0x08, 0x0E: 0x65, 0x0F: 0xE8, 0x10: 0x6C, 0x11: 0x3B, 0x15: 0x42, 0x19: 0x2E, 0x21: 0xB6, 0x1C: 0x09,
        0x1D: 0xB5,
    },
    "DL-B1": {**_DL, 0x10: 0xF6, 0x11: 0x43, 0x15: 0x00},
    "DL-B2": {**_DL, 0x10: 0xF7, 0x11: 0x43, 0x15: 0x02},
    "DL-B3": {**_DL, 0x10: 0xF8, 0x11: 0x43, 0x15: 0x12},
    "DL-B4": {**_DL, 0x10: 0xE9, 0x11: 0xE4, 0x15: 0x27},
}  # fmt: skip
RAW = {0x12: 0x10}  # GFSK, SYNC_MODE 0
RAW_MSK = {0x12: 0x70}

# SX1262, section 6.1: SetRfFrequency, SetModulationParams
SX1262 = {
    "UL-B1": ("86 36 48 7A E1", "8B 01 90 00 09 0C 00 0A 3D"),
    "UL-B2": ("86 36 41 1E B8", "8B 01 90 00 09 0C 00 0A 3D"),
    "UL-B3": ("86 36 42 E1 48", "8B 01 90 00 09 0C 00 0A 3D"),
    "UL-B4": ("86 36 45 99 9A", "8B 00 20 00 09 0A 00 80 00"),
    "DL-B1": ("86 36 58 66 66", "8B 07 D0 00 09 1F 00 04 19"),
    "DL-B2": ("86 36 58 66 66", "8B 03 E8 00 09 1E 00 08 31"),
    "DL-B3": ("86 36 58 66 66", "8B 01 F4 00 09 1D 00 10 62"),
    "DL-B4": ("86 36 58 66 66", "8B 00 A6 AB 09 0C 00 31 27"),
}
RX_SYNC = "0D 06 C0 C1 FA 4C 6A"
TX_SYNC = "0D 06 C0 55 55 55 55 C1 FA 4C 6A"

# burst sheet, section 2: chip rate, centre frequency, deviation
NOMINAL = {
    "UL-B1": (10e3, 868.53e6, 2500),
    "UL-B2": (10e3, 868.07e6, 2500),
    "UL-B3": (10e3, 868.18e6, 2500),
    "UL-B4": (125e3, 868.35e6, 31250),
    "DL-B1": (2e3, 869.525e6, 1000),
    "DL-B2": (4e3, 869.525e6, 2000),
    "DL-B3": (8e3, 869.525e6, 4000),
    "DL-B4": (24e3, 869.525e6, 12000),
}


def data(size, seed=0):
    return random.Random(seed).randbytes(size)


def burst(size, seed=0):
    """A complete burst with `size` bytes behind the sync word."""
    return PREAMBLE + SYNC + data(size, seed)


def play(
    world, name, chips, after_us=1000, offset_hz=0.0, rate_ppm=0.0, power=10.0, source="other", deviation=1.0
):
    """Put packed chips on the air as the standard has them, but for what is asked. Returns the Transmission."""
    rate, frequency, deviation_hz = NOMINAL[name]
    return world.air.transmit(
        Transmission(
            world.now_ns + int(after_us * 1000),
            unpack(chips),
            rate * (1 + rate_ppm * 1e-6),
            frequency + offset_hz,
            deviation_hz * deviation,
            "2-GFSK",
            power,
            source,
        )
    )
