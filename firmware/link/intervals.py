"""How often a meter has to send (OMS Vol.2 4.3.2.2, 4.3.2.3, Tables 8 and 9; EN 13757-4 Table 36; link sheet 8.5, 8.6)."""

from ..errors import MisuseError

_MINUTE_US = 60000000
# t_NOM, by family of the mode: S, T and C.
_NOMINAL_MIN = {"S": 120, "T": 15, "C": 15}

# Device types and how many minutes may lie between two telegrams with data, mode C, in halves: electricity 7.5.
_HALF_MINUTES = (
    ((0x02,), 15),
    ((0x03,), 60),
    ((0x04, 0x0A, 0x0B, 0x0C, 0x0D), 60),
    ((0x06, 0x07, 0x08, 0x15, 0x16), 480),
    ((0x32, 0x33), 480),
    ((0x18, 0x1F), 60),
    ((0x1A, 0x1D, 0x1E), 240),
)
_HEAT = (0x04, 0x0A, 0x0B, 0x0C, 0x0D)


def longest_us(device_type, submetering=False):
    """Most that may lie between two telegrams with data, as t_NOM counts it: the scatter of 3.1258 % is not part of it. None
    for a device type that the tables do not name, or whose limit is that of its medium (breaker, valve).

    submetering: heat or cold of a flat and not of a house."""
    if submetering and device_type in _HEAT:
        return 240 * _MINUTE_US
    for types, halves in _HALF_MINUTES:
        if device_type in types:
            return halves * _MINUTE_US // 2
    return None


def check(device_type, mode, nominal_us, fillers=0, submetering=False):
    """MisuseError with a hint if a meter of this type would send too rarely. mode: its name. nominal_us: t_NOM. fillers: ACC-NR
    frames between two of SND-NR."""
    most_us = _NOMINAL_MIN[mode[0]] * _MINUTE_US
    if nominal_us > most_us:
        hint = "{} s at most; ACC-NR fillers keep the rhythm between two telegrams with data".format(
            most_us // 1000000
        )
        raise MisuseError("the nominal interval is too long for mode {}".format(mode), None, hint)
    limit_us = longest_us(device_type, submetering)
    if limit_us is not None and nominal_us * (fillers + 1) > limit_us:
        raise MisuseError(
            "data every {} s is too rarely for device type {:02X}".format(
                nominal_us * (fillers + 1) // 1000000, device_type
            ),
            None,
            "{} s at most (OMS Vol.2 Tables 8 and 9)".format(limit_us // 1000000),
        )
