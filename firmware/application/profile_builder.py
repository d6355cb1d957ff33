"""Compact profiles for whoever makes records: the opposite of profile.expand (sheet en13757-3-application 7.2)."""

from ..errors import ApplicationError, MisuseError
from . import builder, dates, encode, vif
from . import dib as _dib
from .fields import SIZES

DIRECTIONS = {"inverse": 0x13, "registers": 0x1E, "forward": 0x1F}
MODES = ("absolute", "increments", "decrements", "signed")  # SCB bits 7-6
_UNITS = ("s", "min", "h", "d")  # SCB bits 5-4
# Intervals with a spacing value of their own: SCB bits 5-4, spacing value byte.
_SPECIAL = {
    (6, "month"): (1, 254),
    (3, "month"): (2, 254),
    (1, "month"): (3, 254),
    (1, "half month"): (3, 253),
}


def profile(
    vib,
    values,
    interval,
    direction="inverse",
    mode="increments",
    element="int16",
    base=None,
    function="instantaneous",
    storage=0,
    tariff=0,
    subunit=0,
):
    """The bytes of a profile record (DIB, VIB, LVAR, spacing control and value, elements).

    `vib` is that of the base value, `values` are raw values (whole numbers that the VIB scales; ISO text for dates), the
    one nearest to the base first, and `base` is the base's own raw value, needed in all modes but "absolute". None among
    the values is sent as invalid; in those modes it has to be the last. `interval` is (1 to 250, "s", "min", "h" or
    "d"), (1, 3 or 6, "month"), (1, "half month"), or (0, columns) for an array without time of 1 to 4 columns.
    `direction` is one of DIRECTIONS: "inverse" goes from the base into the past; with "registers" the storage number is
    a register number (final DIFE). `element` is the data field of each value, by name or code. The base value and the
    base time, records of their own with the same storage number, tariff and subunit, are the caller's. Raises MisuseError.
    """
    field = _dib.FIELDS.get(element, element)
    if field not in range(15) or SIZES[field] <= 0:
        raise MisuseError("no element of a profile: " + str(element))
    if mode not in MODES or direction not in DIRECTIONS:
        raise MisuseError("no such mode or direction: " + str(mode) + ", " + str(direction))
    vib = bytes(vib)
    try:
        legal = vif.scan(vib, 0, len(vib)) == (len(vib), 0)  # no text in the middle
    except ApplicationError:
        legal = False
    if not legal:
        raise MisuseError("no VIB that a profile can stand behind")
    spacing = _spacing(interval)
    number = MODES.index(mode)
    out = bytearray([number << 6 | spacing[0] << 4 | field, spacing[1]])
    sign = -1 if (direction == "inverse") != (mode == "decrements") else 1
    if number and base is None:
        raise MisuseError("only absolute values need no base value")
    for value in values:
        if number and base is None:
            raise MisuseError("nothing can follow an invalid value")
        if isinstance(value, str):
            out += dates.time_text(field, value)
        elif value is None:
            out += _invalid(field, number in (1, 2))
            base = None
        else:
            out += encode.data(field, sign * (value - base) if number else value, number in (1, 2))
            base = value
    dib = _dib.build("variable", function, storage, tariff, subunit, direction == "registers")
    return dib + vib[:-1] + bytes([vib[-1] | 0x80, DIRECTIONS[direction]]) + builder.container(out)


def _spacing(interval):
    """(SCB bits 5-4, spacing value byte)."""
    count, unit = interval
    if interval in _SPECIAL:
        return _SPECIAL[interval]
    if count == 0 and unit in (1, 2, 3, 4):
        return unit - 1, 0
    if unit in _UNITS and 1 <= count <= 250:
        return _UNITS.index(unit), count
    raise MisuseError("no interval of a profile: " + str(count) + " " + str(unit))


def _invalid(field, unsigned):
    size = SIZES[field]
    if field == 5:
        return b"\x00\x00\xc0\x7f"
    if field >= 9 or unsigned:
        return b"\xff" * size
    return bytes(size - 1) + b"\x80"
