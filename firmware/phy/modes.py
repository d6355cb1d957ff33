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

_SYNC = {
    "S": {"A": (0b000111011010010110, 18)},
    "T": {"A": (0b0000111101, 10)},
    "C": {"A": (0x543D54CD, 32), "B": (0x543D543D, 32)},
}

# Name, direction, family, then the columns of Mode up to preamble_pairs, then the trailer's least and most chips; the sync
# is that of the family. T2 downlink is the S PHY with the short header. A row becomes a Mode when it is asked for: as
# objects the table would take three times as much of a device's heap.
_TABLE = """
S1   up   S 868300000 60  32768  15000  20000 2-FSK  50000 40000 80000 Manchester 279 2 8
S1-m up   S 868300000 60  32768  15000  20000 2-FSK  50000 40000 80000 Manchester  15 2 8
S2   up   S 868300000 60  32768  15000  20000 2-FSK  50000 40000 80000 Manchester  15 2 8
S2   down S 868300000 25  32768  15000  20000 2-FSK  50000 40000 80000 Manchester  15 2 8
T1   up   T 868950000 60 100000 100000 120000 2-FSK  50000 40000 80000 3-of-6      19 2 8
T2   up   T 868950000 60 100000 100000 120000 2-FSK  50000 40000 80000 3-of-6      19 2 8
T2   down S 868300000 25  32768  15000  20000 2-FSK  50000 40000 80000 Manchester  15 2 8
C1   up   C 868950000 25 100000    100    100 2-FSK  45000 33750 56250 NRZ         16 0 0
C2   up   C 868950000 25 100000    100    100 2-FSK  45000 33750 56250 NRZ         16 0 0
C2   down C 869525000 25  50000    100    100 2-GFSK 25000 18750 31250 NRZ         16 0 0
"""

# T and C uplink share carrier, nominal rate and the first 16 chips of the sync (543D): one receiver hears both.
T_AND_C = "T+C"


def every():
    """All rows, in the order of the table."""
    return [_row(line) for line in _TABLE.strip().split("\n")]


def find(name, direction=UP):
    """The row of a mode. name: "S1", "S1-m", "S2", "T1", "T2", "C1", "C2". MisuseError if there is none."""
    at = _TABLE.find("\n{:4} {:4} ".format(name, direction))
    if at < 0 and "-B" in name:
        from .burst import submodes  # a device without them does not load the table

        return submodes.find(name, direction)
    if at < 0:
        names = " ".join(sorted({row.name for row in every()}))
        hint = "modes: {}, to receive also {}".format(names, T_AND_C)
        raise MisuseError("no radio mode {} {}".format(name, direction), hint=hint)
    return _row(_TABLE[at + 1 : _TABLE.find("\n", at + 1)])


def serving(name, direction):
    """The row whose carrier, rate and sync serve `name`: that of T for "T+C", else that of `find`."""
    if name == T_AND_C:
        if direction != UP:
            raise MisuseError("T+C is heard from meters only: direction up")
        return find("T1")
    return find(name, direction)


def _row(line):
    columns = [int(word) if word.isdigit() else word for word in line.split()]
    return Mode(*columns[:14], _SYNC[columns[2]], (columns[14], columns[15]))
