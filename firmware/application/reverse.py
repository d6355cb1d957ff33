"""From a meaning to its VIB: the tables of units.py and texts.py read backwards. For whoever makes records."""

from ..errors import MisuseError
from . import units, vif
from .texts import TEXTS

_TABLES = ((b"", units.PRIMARY), (b"\xfb", units.FB), (b"\xfd", units.FD), (b"\xfd\xfd", units.FD_FD))
_ANY = object()  # a unit or exponent of the VIF that a VIFE hides

# Words for VIFEs that leave no qualifier behind, because value, unit and type of a record say it: VIFEs, effect, argument.
_SILENT = {
    "no error": (b"\x00", "", ""),
    "times 10^3": (b"\x7d", "E", "3"),
    "unsigned": (b"\x7c\x11", "C", ""),
    "bits": (b"\x7c\x12", "D", ""),
}

# The order of OMS Annex B where it is not the caller's: limits, multipliers, all others, then the action, a profile last.
_LIMITS = (0x40, 0x48)


class _Vife:
    def __init__(self, codes, effect="", argument="", bits=0):
        self.codes = codes  # without extension bits
        self.effect = effect
        self.argument = argument
        self.bits = bits  # of the code that choose the unit

    def rank(self):
        if self.effect == "M":
            return 5
        code = self.codes[0]
        if code in _LIMITS:
            return 0
        if self.effect == "E":
            return 1
        return 4 if code in vif.PROFILES else 3 if code < 0x10 else 2


def codings(quantity, plain_text=False):
    """Every way to send a quantity: [(unit or None, exponent, VIF without extension bit, text behind the VIFEs)], those
    of the tables first. With `plain_text` only as one of the plain-text units of OMS Annex B."""
    found = []
    for head, table in () if plain_text else _TABLES:
        for line in _starting(table, 5, quantity):
            fields = line[5:].split("|")
            if fields[0] == quantity:
                first = int(line[:2], 16)
                for low in range(1 << int(line[3])):
                    meaning = vif.of_row(fields, low)
                    found.append((meaning.unit, meaning.exponent, head + bytes([first | low]), b""))
    for line in TEXTS.split("\n") if TEXTS.find("|" + quantity) >= 0 else ():
        fields = line.split("|")
        if len(fields) > 1 and fields[1] == quantity:
            meaning = vif.of_row(fields[1:], 0)
            found.append((meaning.unit, meaning.exponent, b"\x7c", _text(fields[0])))
    return found


def _starting(table, offset, text):
    """The lines of a table with this text at this offset, or at least these."""
    found = []
    at = table.find(text)
    while at >= 0:
        start = at - offset
        if start > 0 and table[start - 1] == "\n":
            found.append(table[start : table.find("\n", at)])
        at = table.find(text, at + 1)
    return found


def vib(quantity, unit=None, exponent=0, qualifiers=(), to_meter=False, plain_text=False, ordered=False):
    """The VIB of a quantity whose raw value counts 10**exponent `unit`, all as a Record names them.

    `qualifiers` are those of a Record, and besides: the name of a record error, "no error", "times 10^-6" to
    "times 10^1" and "times 10^3", "plus 10^-3" to "plus 10^0", "unsigned", "bits". They are sent in the order of OMS
    Annex B, or, if `ordered`, in theirs. `to_meter` takes the names of actions. Where a VIFE replaces the unit by one of
    its own ("begin of first", "exceeds of upper limit"), the VIF may be chosen with a unit, else it is the first.
    Raises MisuseError, its hint says what there is.
    """
    vifes = [_vife(name, to_meter) for name in qualifiers]
    if not ordered:
        vifes = _sorted(vifes)
    codes = b""
    own = [one.codes for one in vifes if one.effect == "M"]
    if quantity == "manufacturer specific":
        if len(own) < len(vifes):
            raise MisuseError("behind a manufacturer specific VIF only the manufacturer's VIFEs are")
        return _chain(b"\x7f", b"".join(own), b"")
    if own:
        codes = b"\x7f" + b"".join(own)
        vifes = [one for one in vifes if one.effect != "M"]
    wanted = unit
    power = exponent
    for one in vifes:
        if one.effect == "E" and power is not _ANY:
            power -= int(one.argument)
    for i in range(len(vifes) - 1, -1, -1):
        wanted, power = _before(vifes[i], wanted, power, quantity)
    head, tail = _head(quantity, wanted, power, plain_text)
    return _chain(head, b"".join([one.codes for one in vifes]) + codes, tail)


def multipliers(exponents, wanted):
    """Names of as few multipliers as lead from one of these exponents to the wanted one, or None."""
    steps = [3] + list(range(1, -7, -1))
    for exponent in exponents:
        if exponent == wanted:
            return ()
    for exponent in exponents:
        if wanted - exponent in steps:
            return ("times 10^%d" % (wanted - exponent),)
    for exponent in exponents:
        for step in steps:
            if wanted - exponent - step in steps:
                return ("times 10^%d" % step, "times 10^%d" % (wanted - exponent - step))
    return None


def is_error(name):
    """Whether this flag is one of the record errors of Table 15."""
    return units.VIFE.find(" " + name + "|F\n") >= 0


def _text(unit):
    """Length and text, last character first."""
    for character in unit:
        if not 0x20 <= ord(character) <= 0xFF or 0x7F <= ord(character) < 0xA0:
            raise MisuseError("not printable in ISO 8859-1: " + unit)
    if len(unit) > 0xFF:
        raise MisuseError("a unit longer than 255 characters")
    return bytes([len(unit)] + [ord(character) for character in reversed(list(unit))])


def _chain(head, codes, tail):
    """VIF and VIFEs with the extension bits in all but the last, then the text of a plain-text unit."""
    out = bytearray(head + codes)
    for i in range(len(out) - 1):
        out[i] |= 0x80
    if len(out) - 1 > vif.MAX_VIFE:
        raise MisuseError("more than %d VIFE" % vif.MAX_VIFE)
    return bytes(out) + tail


def _sorted(vifes):
    out = []
    for rank in range(6):
        out += [one for one in vifes if one.rank() == rank]
    return out


def _vife(name, to_meter):
    if name in _SILENT:
        return _Vife(*_SILENT[name])
    try:
        if name[:9] == "times 10^" and -6 <= int(name[9:]) <= 1:
            return _Vife(bytes([0x76 + int(name[9:])]), "E", name[9:])
        if name[:8] == "plus 10^" and -3 <= int(name[8:]) <= 0:
            return _Vife(bytes([0x7B + int(name[8:])]), "A")
        if name[:12] == "manufacturer":
            return _Vife(bytes.fromhex(name[13:]), "M")
        if name[:13] == "unknown VIFE ":
            return _Vife(bytes([byte & 0x7F for byte in bytes.fromhex(name[13:])]))
    except ValueError:
        pass
    for head, table in ((b"", units.ACTIONS if to_meter else ""), (b"", units.VIFE), (b"\x7c", units.FC)):
        for line in _starting(table, 5, name):
            fields = line[5:].split("|") + ["", ""]
            if fields[0] == name:
                return _Vife(head + bytes([int(line[:2], 16)]), fields[1], fields[2], int(line[3]))
    raise MisuseError("no qualifier " + name, None, "see the tables VIFE, ACTIONS and FC of units.py")


def _before(one, unit, power, quantity):
    """Unit and exponent that the VIF has if they are these behind this VIFE; sets the bits that choose a unit."""
    effect = one.effect
    if effect == "U":
        choices = one.argument.split(",")
        if unit is _ANY:
            return _ANY, _ANY
        if (unit or "") not in choices:
            raise MisuseError(
                quantity + " cannot have the unit " + str(unit), None, "use one of: " + one.argument
            )
        one.codes = one.codes[:-1] + bytes([one.codes[-1] | choices.index(unit or "")])
        if power is not _ANY and power:
            raise MisuseError("exponents are not possible with this qualifier")
        return _ANY, _ANY
    if effect == "T" or effect == "O":
        return (_ANY, _ANY) if unit is None or unit is _ANY else (unit, power)
    if effect == "N":
        return (_ANY if unit is None else unit), power
    if effect == "P" and unit is not _ANY:
        unit = unit or ""
        if not unit.endswith(one.argument):
            raise MisuseError("this unit does not end with " + one.argument + ": " + unit)
        unit = unit[: len(unit) - len(one.argument)]
        return (None if unit == "1" else unit), power
    return unit, power


def _head(quantity, unit, power, plain_text):
    """(VIF, text behind the VIFEs) of exactly this."""
    if quantity == "plain text unit":
        unit = "" if unit is _ANY or unit is None else unit
        if "|" not in unit and TEXTS.find("\n" + unit + "|") >= 0:
            raise MisuseError(
                unit + " is no free text", None, "it means " + vif.resolve(b"\x7c" + _text(unit)).quantity
            )
        if power is not _ANY and power:
            raise MisuseError("a plain-text unit has no exponent", None, 'use qualifiers like "times 10^-2"')
        return b"\x7c", _text(unit)
    if quantity[:12] == "unknown VIF ":
        head = bytearray(bytes.fromhex(quantity[12:]))
        return bytes(head), b""
    rows = codings(quantity, plain_text)
    if not rows:
        raise MisuseError("no quantity " + quantity, None, "give DIB and VIB in hex instead")
    fitting = [row for row in rows if unit is _ANY or row[0] == unit]
    if not fitting:
        known = sorted(set([row[0] or "none" for row in rows]))
        raise MisuseError(quantity + " has no unit " + str(unit), None, "use one of: " + ", ".join(known))
    for row in fitting:
        if power is _ANY or row[1] == power:
            return row[2], row[3]
    powers = sorted([row[1] for row in fitting])
    hint = "exponents %d to %d exist" % (powers[0], powers[-1])
    if powers != list(range(powers[0], powers[-1] + 1)):
        hint = "these exponents exist: " + ", ".join([str(one) for one in sorted(set(powers))])
    raise MisuseError("%s in %s has no exponent %d" % (quantity, unit, power), None, hint)
