"""Value information block: where it ends and what it means (EN 13757-3:2018 clause 6; sheet en13757-3-application 2).

The tables are in units.py. `resolve` remembers a bounded number of results, because meters repeat their VIBs.
"""

import sys

from ..errors import ApplicationError
from .units import ACTIONS, FB, FC, FD, FD_FD, PRIMARY, VIFE, row

MAX_VIFE = 10
PROFILES = (0x13, 0x1E, 0x1F)  # VIFEs of compact profiles, the last in a VIB (sheet 2.5)

# Two byte orders of a plain-text unit are in the field; a length above this is not taken for one when both could be.
_LONGEST_UNIT = 12

_memo = {}
_MEMO_SIZE = 256 if sys.implementation.name == "cpython" else 16


class Meaning:
    """What a VIB says about the data behind it. Shared between records: never changed after `resolve`."""

    def __init__(self, quantity, unit, exponent, kind):
        self.quantity = quantity
        self.unit = unit  # None where there is none
        self.exponent = exponent  # power of ten of the raw value
        self.kind = kind  # see types.value
        self.twelfth = False  # raw value counts 2**-12
        self.constants = ()  # exponents of ten of constants to be added
        self.qualifiers = ()
        self.error = None  # record error: the data is not usable
        self.flag = None  # what was not understood
        # Whose meaning it is: records share these bytes, which spares a small device a copy of each.
        self.vib = None


# --- where a VIB ends ---


def scan(data, offset, end, fits=None):
    """Find the end of the VIB at `offset`: (offset behind it, offset of a plain-text unit's length byte or 0).

    `fits(offset)` is asked whether a record's data and what follows can begin there, if a plain-text unit can be read
    both ways. Raises ApplicationError, message = the reason, position = the offset of the byte that is wrong.
    """
    if offset >= end:
        raise ApplicationError("truncated before the VIF", offset)
    vif = data[offset]
    if vif & 0x7F == 0x7C:
        return _scan_text(data, offset, end, fits)
    return _chain(data, offset, end, 0), 0


def _chain(data, offset, end, count):
    """Follow extension bits from the VIF or VIFE at `offset`; `count` VIFEs came before it."""
    while True:
        if offset >= end:
            raise ApplicationError("truncated in the VIB", offset)
        if count > MAX_VIFE:
            raise ApplicationError("too many VIFE", offset)
        byte = data[offset]
        offset += 1
        if not byte & 0x80:
            return offset
        count += 1


def _text_end(data, offset, end):
    """Offset behind length byte and text, or 0 where no printable text of this length is."""
    if offset >= end:
        return 0
    stop = offset + 1 + data[offset]
    if stop > end:
        return 0
    for i in range(offset + 1, stop):
        if data[i] < 0x20 or 0x7F <= data[i] < 0xA0:
            return 0
    return stop


def _scan_text(data, offset, end, fits):
    """7C length text, and the two orders of FC: VIFEs length text (the standard's) or length text VIFEs."""
    if data[offset] == 0x7C:
        stop = _text_end(data, offset + 1, end)
        if stop:
            return stop, offset + 1
        raise ApplicationError("plain-text unit unreadable", offset)
    standard = other = at = 0
    try:
        at = _chain(data, offset + 1, end, 1)
        standard = _text_end(data, at, end)
    except ApplicationError:
        pass
    if offset + 1 < end and 0 < data[offset + 1] <= _LONGEST_UNIT:
        stop = _text_end(data, offset + 1, end)
        if stop:
            try:
                other = _chain(data, stop, end, 1)
            except ApplicationError:
                pass
    if standard and (not other or fits is None or fits(standard) or not fits(other)):
        return standard, at
    if other:
        return other, offset + 1
    raise ApplicationError("plain-text unit unreadable", offset)


def latin1(data):
    """Text that is sent last character first, ISO 8859-1 (MicroPython has no such codec)."""
    return "".join([chr(b) for b in reversed(data)])


# --- what it means ---


def resolve(vib, to_meter=False, text_at=None):
    """The Meaning of a whole VIB. `to_meter` reads the VIFEs 00-0F as actions instead of record errors.

    `text_at` is the offset of a plain-text unit's length byte as `scan` found it (None: find it again).
    """
    key = (vib, to_meter, text_at)
    meaning = _memo.get(key)
    if meaning is None:
        meaning = _resolve(vib, to_meter, text_at)
        meaning.vib = vib
        if len(_memo) >= _MEMO_SIZE:
            _memo.clear()
        _memo[key] = meaning
    return meaning


def _resolve(vib, to_meter, text_at):
    vif = vib[0]
    used = 1
    if vif & 0x7F == 0x7C:
        if text_at is None:
            text_at = scan(vib, 0, len(vib))[1]
        behind = text_at + 1 + vib[text_at]
        meaning = _text(latin1(vib[text_at + 1 : behind]))
        vib = vib[:text_at] + vib[behind:]
    elif vif & 0x7F == 0x7F:
        meaning = Meaning("manufacturer specific", None, 0, "N")
        meaning.qualifiers = tuple(["manufacturer %02X" % (b & 0x7F) for b in vib[1:]])
        return meaning
    else:
        table = PRIMARY
        if vif == 0xFB or vif == 0xFD or vif == 0xEF:
            table = FB if vif == 0xFB else FD if vif == 0xFD else ""
            used = 2
            if vif == 0xFD and vib[1] == 0xFD:
                table = FD_FD
                used = 3
        meaning = _first(table, vib, used)
    _extend(meaning, vib, used, to_meter)
    return meaning


def _text(unit):
    """The Meaning of a plain-text unit; OMS gives some of them a quantity."""
    from .texts import TEXTS

    at = -1 if "|" in unit else TEXTS.find("\n" + unit + "|")
    if at < 0:
        return Meaning("plain text unit", unit, 0, "")
    return of_row(TEXTS[at + 1 : TEXTS.find("\n", at + 1)].split("|")[1:], 0)


def _first(table, vib, used):
    found = row(table, vib[used - 1] & 0x7F)
    if found is None:
        # Not .hex(): MicroPython 1.25 makes bytes and no text of nothing.
        code = "".join(["%02X" % byte for byte in vib[: used - 1]]) + "%02X" % (vib[used - 1] & 0x7F)
        meaning = Meaning("unknown VIF " + code, None, 0, "N")
        meaning.flag = "malformed VIF" if code == "7B" or code == "7D" else "unknown VIF"
        return meaning
    return of_row(found[0], found[1])


def of_row(fields, low):
    """The Meaning of a table row (name, unit, exponent, kind) for the low bits of its code."""
    unit = fields[1] if len(fields) > 1 else ""
    exponent = int(fields[2]) if len(fields) > 2 and fields[2] else 0
    if "," in unit:
        unit = unit.split(",")[low]
    else:
        exponent += low
    kind = fields[3] if len(fields) > 3 else ""
    meaning = Meaning(fields[0], unit or None, exponent, "C" if kind == "Q" else kind)
    meaning.twelfth = kind == "Q"
    return meaning


def _extend(meaning, vib, i, to_meter):
    qualifiers = []
    factor = 0
    while i < len(vib):
        code = vib[i] & 0x7F
        i += 1
        if code == 0x7F:
            qualifiers += ["manufacturer %02X" % (b & 0x7F) for b in vib[i:]] or ["manufacturer"]
            break
        label = "%02X" % code
        if code == 0x7C and i < len(vib):
            code = vib[i] & 0x7F
            i += 1
            label = "FC%02X" % code
            found = row(FC, code)
        else:
            found = to_meter and row(ACTIONS, code) or row(VIFE, code)
        if found is None:
            meaning.flag = "unknown VIFE " + label
            qualifiers.append(meaning.flag)
            continue
        fields, low = found
        effect = fields[1] if len(fields) > 1 else ""
        argument = fields[2] if len(fields) > 2 else ""
        if effect == "F":
            meaning.error = fields[0]
            continue
        if fields[0]:
            qualifiers.append(fields[0])
        if effect == "P":
            meaning.unit = (meaning.unit or "1") + argument
        elif effect == "U":
            meaning.unit = argument.split(",")[low] or None
            meaning.exponent = 0
            meaning.kind = ""
            meaning.twelfth = False
        elif effect == "T":
            meaning.unit = None
            meaning.exponent = 0
            meaning.kind = "T"
            meaning.twelfth = False
        elif effect == "E":
            factor += int(argument) + low
        elif effect == "A":
            meaning.constants += (int(argument) + low,)
        elif effect == "N":
            meaning.unit = None
            meaning.flag = fields[0]
        elif effect == "S":
            if meaning.quantity != "error flags":
                meaning.kind = "X"
        elif effect == "O":
            meaning.unit = None
            meaning.exponent = 0
            meaning.kind = "C"
            meaning.twelfth = False
        elif effect:
            meaning.kind = effect
    meaning.exponent += factor
    meaning.qualifiers = tuple(qualifiers)
