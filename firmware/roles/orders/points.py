"""The words of an order that name a data point and a value: DIB, VIB, and the bytes of the data.

A VIB with n = 0 names every resolution of a data point (OMS Vol.2 B.1.4), so for a read that is enough.
"""

from ...application import builder, points
from ...application import dib as _dib
from ...errors import ApplicationError, MisuseError
from .order import DIGITS, digits

_HEX = DIGITS + "ABCDEFabcdef"
_MOST_STORAGE = (1 << 41) - 1  # DIF and ten DIFE
# Exponents of ten that a row of the tables may be raised to: VIF bits n.
_MOST_N = 7
# Data fields for a new value, the widest number first: int48, int32, bcd8, ... (codes of dib.FIELDS)
_TEXT = (2, 3, 4, 6, 13)  # dates, times, text
_WIDE = (6, 4, 12, 14, 3, 2, 11, 10, 1, 9, 7)


def resolve(word, device_type, known=()):
    """(DIB, VIB, data fields that it may have as hex digits, or None) of a POINT. device_type: of the meter, or None. known:
    Records that the meter sends. MisuseError, its hint says what there is."""
    head, _, tail = word.partition(":")
    if tail and not head.strip(_HEX) and not tail.strip(_HEX) and len(head) % 2 == 0 and len(tail) % 2 == 0:
        return _checked(bytes.fromhex(head), bytes.fromhex(tail))
    if "!" in word:
        return _tagged(word, device_type, known)
    quantity, at, storage = word.partition("@")
    if at and (not digits(storage) or len(storage) > 13 or int(storage) > _MOST_STORAGE):
        raise MisuseError("no storage number " + storage, None, "for instance volume@1")
    storage = int(storage or 0)
    found = [one for one in known if one.quantity == quantity and one.storage == storage and one.vib]
    found.sort(
        key=lambda one: (one.function != "instantaneous", one.tariff, one.subunit, len(one.qualifiers))
    )
    if found:
        return found[0].dib, found[0].vib, None
    from ...application.reverse import codings

    for _unit, _exponent, vib, _text in codings(quantity):
        if vib != b"\x7c":
            return _dib.build("none", "instantaneous", storage), vib, None
    raise MisuseError(
        "no quantity " + quantity,
        None,
        "a quantity as a reading names it (volume, energy, power), an OMS tag (VM1!) or DIB:VIB in hex (0C:13)",
    )


def _checked(dib, vib):
    from ...application import vif

    try:
        good = (
            dib and _dib.parse(dib, 0, len(dib))[0] == len(dib) and vif.scan(vib, 0, len(vib))[0] == len(vib)
        )
    except ApplicationError:
        good = False
    if not good:
        raise MisuseError("this is no DIB and VIB", None, "for instance 0C:13, without data")
    return dib, vib, None


def _tagged(tag, device_type, known):
    from ...application.points import search

    if device_type is None:
        raise MisuseError(
            "a tag needs the device type of the meter", None, "name the point by DIB:VIB in hex"
        )
    for one in known:
        found = search(device_type, one.dib, one.vib) if one.dib else None
        if found and found.row.requirement and found.row.tag == tag:
            return one.dib, one.vib, None
    try:
        row = points.row(tag, device_type)
    except MisuseError as error:
        raise MisuseError(error.message, None, "another tag, or DIB:VIB in hex (0C:13)")
    return _field(points.dib_of(row), 0), row.vibs[0][1], row.fields


def widened(dib, vib, value, exponent, fields=None):
    """(DIB, VIB) for a value of a point that was named without its data field: a field and a resolution that hold it. fields:
    as `resolve` tells them. Raises MisuseError if the point is a number and the value a text; see `expected`."""
    from ...application import vif

    if isinstance(value, str) and vif.resolve(vib).unit is not None:
        raise MisuseError("not a number: " + value)
    if dib[0] & 0x0F or value is None:
        return dib, vib
    if isinstance(value, bytes) and vif.resolve(vib).unit is not None:
        raise MisuseError("bytes say nothing without the data field and the resolution of the point")
    allowed = [field for field in (_TEXT if isinstance(value, str) else _WIDE) if _in(field, fields)]
    for low in range(_MOST_N, -1, -1):
        raised = vib[:-1] + bytes((vib[-1] | low,))
        if low and (vib[-1] & 7 or not _same(vib, raised)):
            continue
        for field in allowed:
            if _holds(_field(dib, field), raised, value, exponent):
                return _field(dib, field), raised
    return dib, vib


def expected(dib, vib):
    """What a VALUE of this point looks like, as a hint."""
    from ...application import vif

    meaning = vif.resolve(vib)
    if meaning.kind == "T":
        return "a date, for instance 2026-03-01" + (
            "" if dib[0] & 0x0F == 2 else "T12:00 or 2026-03-01T12:00:00"
        )
    if meaning.unit is not None:
        unit = " in " + meaning.unit if meaning.unit else ""
        return "a decimal{}, for instance 12.345, that the data field of the point holds".format(unit)
    return "a number or text that the data field of the point holds, or 0x and its bytes in hex"


def _in(field, fields):
    return fields is None or "%X" % field in fields


def _field(dib, field):
    return bytes((dib[0] & 0xF0 | field,)) + dib[1:]


def _same(vib, raised):
    """Whether both VIBs are one quantity and unit in two resolutions."""
    from ...application import vif

    one, other = vif.resolve(vib), vif.resolve(raised)
    return (one.quantity, one.unit, one.qualifiers) == (other.quantity, other.unit, other.qualifiers)


def _holds(dib, vib, value, exponent):
    try:
        builder.record(dib, vib, value, exponent)
    except MisuseError:
        return False
    return True


def value(word):
    """(value, exponent) of a VALUE for builder.record: a decimal exactly, bytes behind 0x, else ISO time or text."""
    if word[:2] in ("0x", "0X"):
        if len(word) % 2 or word[2:].strip(_HEX):
            raise MisuseError("not bytes in hex: " + word)
        return bytes.fromhex(word[2:]), None
    sign, number = (-1, word[1:]) if word[:1] == "-" else (1, word[1:] if word[:1] == "+" else word)
    whole, _, part = number.partition(".")
    if digits(whole + part) and len(whole + part) <= 40:
        return sign * int(whole + part), -len(part)
    return word, None
