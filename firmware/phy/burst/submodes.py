"""One row per burst sub-mode: what is on the air (OMS Vol. 2 Annex Q.2.2, Q.2.3, Q.2.4.2; LPWAN sheet section 2).

A sub-carrier n is the suffix of a name, "UL-B1.3"; without it n is 2, the middle one, and the only one of UL-B4, DL-B3
and DL-B4. Frequencies and deviations in Hz, rates in chips per second, tolerances in ppm. A chip of value 1 is the
higher frequency.
"""

from collections import namedtuple

from ...errors import MisuseError
from .. import modes

UPLINKS = ("UL-B1", "UL-B2", "UL-B3", "UL-B4")  # their number in MBlocks and MElements is the index
DOWNLINKS = ("DL-B1", "DL-B2", "DL-B3", "DL-B4")
MIDDLE = 2  # the sub-carrier of a name without suffix

# The chips that both directions share on the air; the front sync is the reference point of every time.
PREAMBLE = 0x55555555
SYNC = 0xC1FA4C6A
SYNC_CHIPS = 32
FRONT_CHIPS = 64  # preamble and sync

# Name, direction, frequency of n = 2, spacing of the sub-carriers (0: there is one), chips/s, deviation nominal, least,
# most, carrier error that a receiver meets: the sender's tolerance, in downlink what is left of it at the meter whose own
# error the gateway has made up for (Tables Q.7, Q.8), and that in ppm of the carrier, rounded up in the downlink.
_TABLE = """
UL-B1 up   868530000 15000  10000  2500  2490  2510 20000 23
UL-B2 up   868070000 15000  10000  2500  2490  2510 20000 23
UL-B3 up   868180000 15000  10000  2500  2490  2510 20000 23
UL-B4 up   868350000     0 125000 31250 31200 31300 20000 23
DL-B1 down 869525000 40000   2000  1000   990  1010   200  1
DL-B2 down 869525000 40000   4000  2000  1990  2010   400  1
DL-B3 down 869525000     0   8000  4000  3950  4050   800  1
DL-B4 down 869525000     0  24000 12000 11950 12050  2400  3
"""

_RATE_PPM = 30  # of the sender, Tables Q.7 and Q.8
# What a receiver has to follow is not stated anywhere. The sender's 30 ppm and as much of its own.
_RATE_RX_PPM = 60

Limits = namedtuple(
    "Limits",
    (
        "deviation_min_hz",
        "deviation_max_hz",
        "rate_min_mcps",  # millichips per second: 9999.7 chips/s are 9999700
        "rate_max_mcps",
        "carrier_hz",  # of the sender; in downlink as the meter sees it
        "drift_hz_per_s",  # of the sender; None: not stated
        "sends",  # "meter" or "gateway"
        "receives",
        "sub_carriers",  # the n there are
        "band_hz",  # (lowest, highest)
        "power_dbm",  # ERP
        "duty_permille",  # regulatory
        "duty_recommended_permille",  # by OMS
    ),
)


def names(direction):
    """The sub-modes of a direction ("up", "down") without suffixes, B1 first."""
    return UPLINKS if direction == modes.UP else DOWNLINKS


def base(name):
    """The sub-mode's name without sub-carrier: "UL-B1" of "UL-B1.3"."""
    return name.split(".")[0]


def sub_carrier(name):
    """n of a name: 3 of "UL-B1.3", 2 without suffix. MisuseError if there is no such sub-mode or sub-carrier."""
    return _look_up(name)[1]


def name_of(name, n):
    """The name of a sub-mode's sub-carrier n, without the suffix where there is only one."""
    columns, _ = _look_up(base(name))
    if columns[3] == "0" and n == MIDDLE:
        return columns[0]
    name = "{}.{}".format(columns[0], n)
    _look_up(name)
    return name


def every(direction=None):
    """The rows of all sub-modes, n = 2, in the order of the table; of one direction if it is given."""
    return [
        find(line.split()[0], line.split()[1]) for line in _lines() if direction in (None, line.split()[1])
    ]


def find(name, direction):
    """The `modes.Mode` of a sub-mode. MisuseError if there is none, or not with this sub-carrier or direction."""
    columns, n = _look_up(name)
    if columns[1] != direction:
        raise MisuseError("{} is no {}link".format(name, direction), hint=_hint())
    frequency, spacing, rate, deviation, least, most, _, ppm = [int(word) for word in columns[2:]]
    return modes.Mode(
        name,
        direction,
        "B",
        frequency + (n - MIDDLE) * spacing,
        ppm,
        rate,
        _RATE_PPM,
        _RATE_RX_PPM,
        "2-GFSK",
        deviation,
        least,
        most,
        modes.NRZ,
        16,
        {"B": (SYNC, SYNC_CHIPS)},
        (0, 0),
    )


def limits(name):
    """The `Limits` of a sub-mode, beside which a radio's achieved values are put."""
    columns, _ = _look_up(name)
    rate, _, least, most, carrier = [int(word) for word in columns[4:9]]
    up = columns[1] == modes.UP
    return Limits(
        least,
        most,
        rate * 1000 - rate * _RATE_PPM // 1000,
        rate * 1000 + rate * _RATE_PPM // 1000,
        carrier,
        200 if up else None,
        "meter" if up else "gateway",
        "gateway" if up else "meter",
        (0, 1, 2, 3, 4) if columns[3] != "0" else (MIDDLE,),
        (868000000, 868600000) if up else (869400000, 869650000),
        14 if up else 27,  # 25 mW, 500 mW
        10 if up else 100,
        2 if up else 100,
    )


def _look_up(name):
    """(columns of the table, n)"""
    base, _, suffix = name.partition(".")
    for line in _lines():
        columns = line.split()
        if columns[0] == base:
            break
    else:
        raise MisuseError("no burst sub-mode {}".format(name), hint=_hint())
    if base == name:
        return columns, MIDDLE
    if suffix not in ("0", "1", "2", "3", "4") or (columns[3] == "0" and suffix != "2"):
        there = "0 to 4" if columns[3] != "0" else "2 only"
        raise MisuseError("no sub-carrier {} of {}".format(suffix, base), hint="n: {}".format(there))
    return columns, int(suffix)


def _lines():
    return _TABLE.strip().split("\n")


def _hint():
    return "burst sub-modes: up {}; down {}".format(" ".join(UPLINKS), " ".join(DOWNLINKS))
