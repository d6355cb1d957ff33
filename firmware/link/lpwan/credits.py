"""Credits of OMS LPWAN: other rows of what credits.py says of mode C (OMS Vol. 2 Primary 4.3.4; LPWAN sheet section 21)."""

from collections import namedtuple

from ...errors import MisuseError

PURE_MAC = 1  # cost of a MAC message without upper layer, received or sent

_TWO_HOURS_US = 7200000000
_HOUR_US = 3600000000

# within: credits there have to be within two hours, if the duty cycle allows it. gain_us: time for one more, at most.
# no_access_us: a meter without credits opens again within.
Row = namedtuple("Row", ("within", "gain_us", "no_access_us"))

_UL_B4 = Row(240, _TWO_HOURS_US // 5, 24 * _HOUR_US)
_UL_B = Row(120, _TWO_HOURS_US // 2, 48 * _HOUR_US)
_UL_S = Row(120, _TWO_HOURS_US, 72 * _HOUR_US)


def row(uplink):
    """The Row of an uplink sub-mode, "UL-B4", "UL-B1.3", "UL-B1+B2", "UL-S1"."""
    if uplink[:5] == "UL-B4":
        return _UL_B4
    if uplink[:4] in ("UL-B", "UL-S"):
        return _UL_B if uplink[3] == "B" else _UL_S
    raise MisuseError("no uplink sub-mode {}".format(uplink))
