"""One row per radio mode and link direction: what is on the air.

Source: EN 13757-4 and OMS Vol.2 Annex O Table 1, as restated in the link sheet sections 1, 1.1 and 3. Frequencies
and deviations in Hz, rates in chips per second, tolerances in ppm. A chip of value 1 is the higher frequency.
"""

from collections import namedtuple

from ..errors import MisuseError

UP = "up"  # meter to other device
DOWN = "down"  # other device to meter

NRZ = "NRZ"
MANCHESTER = "Manchester"
THREE_OF_SIX = "3-of-6"

Mode = namedtuple(
    "Mode",
    (
        "name",
        "direction",
        "family",  # T, C or S: which coding and sync family a frame belongs to
        "frequency_hz",
        "frequency_ppm",  # carrier accuracy of the sender
        "chip_rate_cps",
        "rate_tx_ppm",
        "rate_rx_ppm",
        "modulation",
        "deviation_hz",
        "deviation_min_hz",
        "deviation_max_hz",
        "coding",
        "preamble_pairs",  # least number of chip pairs 01 before the sync chips
        "sync",  # {frame format: (chips as an integer, number of chips)}
        "trailer_chips",  # (least, most)
    ),
)

_S_SYNC = {"A": (0b000111011010010110, 18)}
_T_SYNC = {"A": (0b0000111101, 10)}
_C_SYNC = {"A": (0x543D54CD, 32), "B": (0x543D543D, 32)}

_S = (868300000, 60, 32768, 15000, 20000, "2-FSK", 50000, 40000, 80000, MANCHESTER)
_S_DOWN = (868300000, 25, 32768, 15000, 20000, "2-FSK", 50000, 40000, 80000, MANCHESTER)
_T_UP = (868950000, 60, 100000, 100000, 120000, "2-FSK", 50000, 40000, 80000, THREE_OF_SIX)
_C_UP = (868950000, 25, 100000, 100, 100, "2-FSK", 45000, 33750, 56250, NRZ)
_C_DOWN = (869525000, 25, 50000, 100, 100, "2-GFSK", 25000, 18750, 31250, NRZ)

MODES = (
    Mode("S1", UP, "S", *_S, 279, _S_SYNC, (2, 8)),
    Mode("S1-m", UP, "S", *_S, 15, _S_SYNC, (2, 8)),
    Mode("S2", UP, "S", *_S, 15, _S_SYNC, (2, 8)),
    Mode("S2", DOWN, "S", *_S_DOWN, 15, _S_SYNC, (2, 8)),
    Mode("T1", UP, "T", *_T_UP, 19, _T_SYNC, (2, 8)),
    Mode("T2", UP, "T", *_T_UP, 19, _T_SYNC, (2, 8)),
    Mode("T2", DOWN, "S", *_S_DOWN, 15, _S_SYNC, (2, 8)),  # the S PHY with the short header
    Mode("C1", UP, "C", *_C_UP, 16, _C_SYNC, (0, 0)),
    Mode("C2", UP, "C", *_C_UP, 16, _C_SYNC, (0, 0)),
    Mode("C2", DOWN, "C", *_C_DOWN, 16, _C_SYNC, (0, 0)),
)

# T and C uplink share carrier, nominal rate and the first 16 chips of the sync (543D): one receiver hears both.
T_AND_C = "T+C"


def find(name, direction=UP):
    """The row of a mode. name: "S1", "S1-m", "S2", "T1", "T2", "C1", "C2". MisuseError if there is none."""
    for row in MODES:
        if row.name == name and row.direction == direction:
            return row
    raise MisuseError(
        "no radio mode {} {}".format(name, direction),
        hint="modes: " + " ".join(sorted({row.name for row in MODES})) + ", to receive also " + T_AND_C,
    )
