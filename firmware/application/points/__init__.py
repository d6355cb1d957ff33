"""Data points of OMS Vol.2 Annex B: which one a record is, and how a record of one is built.

The tables are text, read where it stands, one module per medium: a device loads its own and common. A row of TAGS is

    EW1!RT IB 0,1-15,R m O EW01,02,03 1.8.e*f
    tag, data fields, DIB, encryption, requirement, VIB types, OBIS code (see ../obis.py)

Data fields are hex digits, I the integers 1-4, 6 and 7, B the BCD numbers. DIB is function, tariffs, storage numbers; -
is 0,0,0; R are the register numbers of a DIB with final DIFE. Encryption is m(andatory), o(ptional), n(ot allowed). The
requirement has one code per column (device types share columns); - is not applicable, ? not applicable although
Annex A has a code. A row of VIBS is `name match/mask|unit|exponent of ten at n = 0`; the bits outside the mask are n,
which raises the exponent or, where the unit is a list, chooses from it.
"""

from ...errors import ApplicationError, MisuseError
from .. import dib as _dib

ENCRYPTION = {"m": "mandatory", "o": "optional", "n": "not allowed"}

# Of several that would do, the usual one: Wh, converted gas volume, plain pressure, ...
_PREFERRED = ("EW1!", "EW2!", "VM1!", "PR2!", "DP5!", "LT1!", "ND1!", "VC1!")
_LETTERS = {"A": "A1", "1": "O1", "2": "O2"}
_PROFILES = (0x13, 0x1E, 0x1F)  # VIFEs of compact profiles
_RECENT = ((0, 99), (101, 124))
_SENSOR_TYPES = 4  # the first columns of the sensors have device types of their own


class Row:
    """A data point of a device type.

    tag: its name. fields: codes of the data fields it may have, as hex digits. function: index in dib.FUNCTIONS.
    tariffs: (first, last). storages: tuple of (first, last). final_dife: whether the DIB ends with 00. encryption: a
    word of ENCRYPTION. requirement: "M", "A1", "C/O1", ..., None where Annex B has none for this device type. vibs:
    tuple of (name, match, mask, unit or None, exponent or None); the bits outside the mask are n.
    """

    def __init__(self, module, parts, requirement):
        self.module = module
        self.tag = parts[0]
        self.fields = _fields(parts[1])
        self.function, self.tariffs, self.storages, self.final_dife = _numbers(parts[2])
        self.encryption = ENCRYPTION[parts[3]]
        self.requirement = requirement
        self.obis = parts[6] if len(parts) > 6 else ""
        self._vibs = parts[5]

    @property
    def vibs(self):
        """The VIB types, see above."""
        return tuple([_vib(self.module, name) for name in _names(self._vibs)])

    def __repr__(self):
        return "<" + self.tag + ">"


# --- reading the tables ---


def _load(name):
    if name == "common":
        from . import common as module
    elif name == "electricity":
        from . import electricity as module
    elif name == "heat":
        from . import heat as module
    elif name == "gas":
        from . import gas as module
    elif name == "water":
        from . import water as module
    elif name == "allocator":
        from . import allocator as module
    elif name == "actuator":
        from . import actuator as module
    else:
        from . import sensor as module
    return module


def lines(table):
    """The rows of a table, one after the other."""
    at = 1
    while at < len(table):
        end = table.find("\n", at)
        yield table[at:end]
        at = end + 1


def _field_of(table, key):
    """The words behind `key` in its row of `table`, or None."""
    at = table.find("\n" + key + " ")
    if at < 0:
        return None
    return table[at + len(key) + 2 : table.find("\n", at + 1)].split(" ")


def tables_of(device_type):
    """[(module, first column, last column)] and value group A of the codes, for the device type."""
    found = _field_of(_load("common").TYPES, "%02X" % device_type)
    if found is None:
        return [(_load("common"), -1, -1)], ""
    column = int(found[3])
    tables = [(_load(found[0]), int(found[1]), int(found[2])), (_load("common"), column, column)]
    return tables, found[4] if len(found) > 4 else ""


def group_a(device_type):
    """Value group A of the OBIS codes of a device type as text, "" where it has none."""
    return tables_of(device_type)[1]


def requirement_of(text, first, last):
    """The first code of the columns that is one; None where the data point is not applicable to them."""
    if first < 0:
        return None
    if "," in text:
        code = text.split(",")[first]
    else:
        code = text
        if len(text) > 8:  # sensors, commands: one letter for each column
            code = text[first : last + 1].replace("-", "")[:1] or "-"
            code = _LETTERS.get(code, code)
    return None if code == "-" else code


def _fields(text):
    return text.replace("I", "123467").replace("B", "9ABCE")


def _span(text):
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _numbers(text):
    if text == "-":
        return 0, (0, 0), ((0, 0),), False
    function, tariffs, storages = text.split(",")
    final = storages == "R"
    return int(function), _span(tariffs), _RECENT if final else (_span(storages),), final


def _names(text):
    """EW01,02 -> ["EW01", "EW02"]"""
    return [text[:2] + number for number in text[2:].split(",")]


def _vib(module, name):
    at = module.VIBS.find("\n" + name + " ")
    parts = module.VIBS[at + 6 : module.VIBS.find("\n", at + 1)].split("|")
    match, _, mask = parts[0].partition("/")
    unit = parts[1] if len(parts) > 1 and parts[1] else None
    exponent = int(parts[2]) if len(parts) > 2 else None
    return name, bytes.fromhex(match), bytes.fromhex(mask), unit, exponent


def vib_names(table, vib):
    """Names of the VIB types that this VIB is of; they begin with the same letters."""
    names = []
    slash = 5 + 2 * len(vib)
    for line in lines(table):
        if line.find("/") == slash:
            match = bytes.fromhex(line[5:slash])
            if match[0] ^ vib[0] < 8:  # as many bits as n has in the first byte
                mask = bytes.fromhex(line[slash + 1 : 2 * slash - 4])
                if all([vib[i] & mask[i] == match[i] for i in range(len(vib))]):
                    names.append(line[:4])
    return names


# --- from the record to the data point ---


class Found:
    """What a DIB and VIB are. row: the Row. storage, tariff, subunit: of the DIB. profile: a compact profile of it."""

    def __init__(self, row, storage, tariff, subunit, profile):
        self.row = row
        self.storage = storage
        self.tariff = tariff
        self.subunit = subunit
        self.profile = profile


def base_vib(vib):
    """The VIB of the values in a compact profile, None if the VIB is none of a profile."""
    if len(vib) < 2 or vib[-1] not in _PROFILES:
        return None
    return vib[:-2] + bytes([vib[-2] & 0x7F])


def search(device_type, dib, vib):
    """A Found for a record of a meter with this DIB and VIB, or None. Compact profiles count as what they hold.

    The row's requirement is None where only an OBIS code of Annex A fits, for which the device type is not asked.
    """
    if not dib or not vib:
        return None
    try:
        _, field, function, storage, tariff, subunit, final = _dib.parse(dib, 0, len(dib))
    except ApplicationError:
        return None
    inner = base_vib(vib) if field == 13 else None
    tables, group = tables_of(device_type)
    found = search_tables(
        tables, group, inner or vib, None if inner else field, function, storage, tariff, final
    )
    if found is None:
        return None
    return Found(found, storage, tariff, subunit, inner is not None)


def search_tables(tables, group, vib, field, function, storage, tariff, final):
    """The first Row that has this VIB and DIB, or None. tables, group: of `tables_of`. field: None for any. function: index in
    dib.FUNCTIONS. final: whether the DIB ends with the final DIFE."""
    for module, first, last in tables:
        names = vib_names(module.VIBS, vib)
        if not names:
            continue
        word = " " + names[0][:2]
        for line in lines(module.TAGS):
            if word not in line:  # most
                continue
            parts = line.split(" ")
            if not fits(parts, names, field, function, storage, tariff, final):
                continue
            requirement = requirement_of(parts[4], first, last)
            if requirement == "?":
                requirement = None
            elif requirement is None and (group or not parts[-1].startswith("0:")):
                continue
            return Row(module, parts, requirement)
    return None


def fits(parts, names, field, function, storage, tariff, final):
    """Whether the words of a row have one of these VIB types, this data field (None: any) and these numbers."""
    vibs = parts[5]
    if not any([vibs[:2] == name[:2] and name[2:] in vibs[2:].split(",") for name in names]):
        return False
    if field is not None and "%X" % field not in _fields(parts[1]):
        return False
    own, tariffs, storages, finals = _numbers(parts[2])
    if own != function or finals != final or not tariffs[0] <= tariff <= tariffs[1]:
        return False
    return any([low <= storage <= high for low, high in storages])


def find(record, device_type):
    """The tag of a record ("VM1!", "EW1!RT") of a meter with this device type, or None."""
    found = search(device_type, record.dib, record.vib)
    return found.row.tag if found and found.row.requirement else None


# --- from the data point to the record ---


def rows(device_type):
    """Every Row that is applicable to the device type."""
    out = []
    for module, first, last in tables_of(device_type)[0]:
        for line in lines(module.TAGS):
            parts = line.split(" ")
            requirement = requirement_of(parts[4], first, last)
            if requirement and requirement != "?":
                out.append(Row(module, parts, requirement))
    return out


def row(tag, device_type):
    """The Row of a tag. MisuseError if the device type has no such data point."""
    for module, first, last in tables_of(device_type)[0]:
        found = _field_of(module.TAGS, tag)
        requirement = found and requirement_of(found[3], first, last)
        if requirement and requirement != "?":
            return Row(module, [tag] + found, requirement)
    raise MisuseError("device type %02X has no data point %s" % (device_type, tag))


def dib_of(row, field=None, storage=None, tariff=None, subunit=0):
    """The DIB of a data point. field: code 0..E, default the first that is allowed; storage and tariff: default the lowest."""
    if field is None:
        field = int(row.fields[0], 16)
    storage = row.storages[0][0] if storage is None else storage
    tariff = row.tariffs[0] if tariff is None else tariff
    if "%X" % field not in row.fields:
        raise MisuseError("{} has no data field {}".format(row.tag, field))
    if not any([low <= storage <= high for low, high in row.storages]):
        raise MisuseError("{} has no storage number {}".format(row.tag, storage))
    if not row.tariffs[0] <= tariff <= row.tariffs[1]:
        raise MisuseError("{} has no tariff {}".format(row.tag, tariff))
    return _dib.build(field, row.function, storage, tariff, subunit, row.final_dife)


# --- what a device must send ---


def sensors():
    """[(name, number)] of the sub device types that device type 1F can be (OMS Vol.2 Table 9)."""
    rows = [line.split(" ") for line in lines(_load("common").SENSORS)]
    return [(name, int(number)) for number, name in rows[_SENSOR_TYPES:]]


def _columns(device_type, sub_device_types):
    """Columns of its medium's table that a device answers to."""
    module, first, last = tables_of(device_type)[0][0]
    if first < 0:
        raise MisuseError("OMS has no data points for device type %02X" % device_type)
    if first == last:
        return [(first, first)]
    if not sub_device_types:
        raise MisuseError("device type %02X: which kind of sensor?" % device_type)
    numbers = [number for _, number in sensors()]
    columns = []
    for one in sub_device_types:
        if one not in numbers:
            raise MisuseError("no sub device type {} of device type 1F".format(one))
        column = _SENSOR_TYPES + numbers.index(one)
        columns.append((column, column))
    return columns


def _coded(device_type, sub_device_types):
    """(column, tag, requirement) of every data point in the device's columns."""
    tables = tables_of(device_type)[0]
    for first, last in _columns(device_type, sub_device_types):
        for module, one, other in [(tables[0][0], first, last)] + tables[1:]:
            for line in lines(module.TAGS):
                parts = line.split(" ")
                requirement = requirement_of(parts[4], one, other)
                if requirement and requirement != "?":
                    yield first, parts[0], requirement


def standard_set(device_type, sub_device_types=()):
    """The obligatory tags of a device: every mandatory one, and of each group of alternatives the usual one.

    sub_device_types: numbers of OMS Vol.2 Table 9, of which device type 1F needs one at least. Conditional ones are not
    among them, see `conditional`. MisuseError for device types without a column in Annex B.
    """
    chosen = {}  # tag or (column, group) -> tag
    order = []
    for column, tag, code in _coded(device_type, sub_device_types):
        if code == "M":
            key = tag
        elif code[0] in "AX":
            key = (column, code)
        else:
            continue
        if key not in chosen:
            order.append(key)
        if key not in chosen or (tag in _PREFERRED and chosen[key] not in _PREFERRED):
            chosen[key] = tag
    return [chosen[key] for key in order]


def conditional(device_type, sub_device_types=()):
    """Tags that a device of this kind must send under a condition (C), which this table does not know."""
    return [tag for _, tag, code in _coded(device_type, sub_device_types) if code[0] == "C"]
