"""Records put together: DIB and VIB from a friendly description, and the data to them. For whoever makes a device; sending
needs only what comes out of it."""

from ..errors import ApplicationError, MisuseError
from . import dates, encode, vif
from . import dib as _dib
from .fields import SIZES
from .reals import real
from .record import add

# What a sending device may ask for by name: `quantity|unit|VIB of the lowest exponent|lowest exponent|number of exponents`;
# the last byte of the VIB counts up with the exponent (sheet en13757-3-application 2.1-2.3). Text, as in vif.py.
VIBS = """
energy|Wh|00|-3|8
energy|Wh|FB00|5|2
energy|J|08|0|8
energy|J|FB08|8|2
reactive energy|varh|FB02|3|2
apparent energy|VAh|FB04|3|2
volume|m3|10|-6|8
volume|m3|FB10|2|2
mass|kg|18|-3|8
power|W|28|-3|8
power|W|FB28|5|2
power|J/h|30|0|8
power|J/h|FB30|8|2
reactive power|var|FB14|0|4
apparent power|VA|FB34|0|4
volume flow|m3/h|38|-6|8
volume flow|m3/min|40|-7|8
volume flow|m3/s|48|-9|8
mass flow|kg/h|50|-3|8
flow temperature|°C|58|-3|4
return temperature|°C|5C|-3|4
temperature difference|K|60|-3|4
external temperature|°C|64|-3|4
pressure|bar|68|-3|4
relative humidity|%|FB1A|-1|2
frequency|Hz|FB2C|-3|4
voltage|V|FD40|-9|16
current|A|FD50|-12|16
heat cost allocation|HCA|6E|0|1
on time|s|20|0|1
on time|h|22|0|1
on time|d|23|0|1
operating time|s|24|0|1
operating time|h|26|0|1
operating time|d|27|0|1
actuality duration|s|74|0|1
nominal transmission period|s|FD3C|0|1
remaining battery life|d|FD74|0|1
rf level|dBm|FD71|0|1
date||6C|0|1
date and time||6D|0|1
fabrication number||78|0|1
identification||79|0|1
model version||FD0C|0|1
hardware version||FD0D|0|1
metrology firmware version||FD0E|0|1
other software version||FD0F|0|1
customer location||FD10|0|1
error flags||FD17|0|1
dimensionless||FD3A|0|1
"""

# `qualifier|VIFEs` (sheet 2.5)
QUALIFIERS = """
average|12
standard conform|1D
at measurement conditions|3A
forward|3B
backward|3C
at base conditions|3E
future|7E
phase L1|FC01
phase L2|FC02
phase L3|FC03
"""


def _rows(table, start):
    """The fields behind `start` of every row of `table` that begins with it."""
    found = []
    at = table.find("\n" + start)
    while at >= 0:
        end = table.find("\n", at + 1)
        found.append(table[at + 1 + len(start) : end].split("|"))
        at = table.find("\n" + start, end)
    return found


def build(
    quantity,
    unit=None,
    exponent=0,
    data_field="int32",
    function="instantaneous",
    storage=0,
    tariff=0,
    subunit=0,
    final_dife=False,
    qualifiers=(),
):
    """(DIB, VIB) of a record whose raw value counts 10**exponent `unit`, e.g. build("volume", "m3", -3, "bcd8").

    Quantities and units are those of VIBS, qualifiers those of QUALIFIERS. Raises MisuseError for any other.
    """
    rows = _rows(VIBS, quantity + "|" + (unit or "") + "|")
    if not rows:
        units = {row[0] or "none" for row in _rows(VIBS, quantity + "|")}
        if units:
            hint = "use one of: " + ", ".join(sorted(units))
            raise MisuseError(quantity + " has no unit " + str(unit), None, hint)
        raise MisuseError("no quantity " + quantity, None, "give DIB and VIB in hex instead")
    vib = None
    for base, lowest, count in rows:
        step = exponent - int(lowest)
        if 0 <= step < int(count):
            vib = bytearray(bytes.fromhex(base))
            vib[-1] += step
    if vib is None:
        hint = "exponents %s to %d exist" % (rows[0][1], int(rows[-1][1]) + int(rows[-1][2]) - 1)
        raise MisuseError("%s in %s has no exponent %d" % (quantity, unit, exponent), None, hint)
    for name in qualifiers:
        codes = _rows(QUALIFIERS, name + "|")
        if not codes:
            raise MisuseError("no qualifier " + name, None, "see builder.QUALIFIERS")
        vib[-1] |= 0x80
        vib += bytes.fromhex(codes[0][0])
    return _dib.build(data_field, function, storage, tariff, subunit, final_dife), bytes(vib)


def text(characters):
    """LVAR and text, ISO 8859-1, last character first; at most 191 characters."""
    if len(characters) > 0xBF:
        raise MisuseError("text longer than 191 characters")
    out = bytearray([len(characters)])
    for character in reversed(list(characters)):
        if ord(character) > 0xFF:
            raise MisuseError("not in ISO 8859-1: " + character)
        out.append(ord(character))
    return bytes(out)


def record(dib, vib, value, exponent=None):
    """The bytes of one record: dib + vib + data.

    `value` by type: bytes are the data as they are (LVAR included); None is no data; str is text for data field D, and
    ISO date or time for a VIB that says so (types F, G, I, J); int is the raw value, or, with `exponent`, the physical
    value * 10**exponent in the VIB's unit. Raises MisuseError when the data field cannot hold it exactly.
    """
    dib = bytes(dib)
    vib = bytes(vib)
    try:
        behind, field = _dib.parse(dib, 0, len(dib))[:2]
        if behind != len(dib) or vif.scan(vib, 0, len(vib))[0] != len(vib):
            raise MisuseError("bytes behind the end of DIB or VIB")
        meaning = vif.resolve(vib)
    except ApplicationError as error:
        raise MisuseError(error.message, error.position)
    if isinstance(value, (bytes, bytearray)):
        size = SIZES[field]
        if size < 0:
            size = 1 + _dib.lvar_bytes(value[0]) if value else 1
        if len(value) != size:
            raise MisuseError("data of another length than the DIB says")
        data = bytes(value)
    elif isinstance(value, str):
        if (meaning.kind == "T") == (field == 13):
            raise MisuseError("text does not fit this data field")
        data = dates.time_text(field, value) if meaning.kind == "T" else text(value)
    elif value is None or exponent is None:
        kind = meaning.kind
        data = encode.data(field, value, kind in ("C", "D"), kind in ("", "C"))
    else:
        data = _scaled(field, value, exponent, meaning)
    return dib + vib + data


def _scaled(field, mantissa, exponent, meaning):
    """The data for a physical value: what record.decode does to the raw value, backwards."""
    for constant in meaning.constants:
        mantissa, exponent = add(mantissa, exponent, -1, constant)
    if meaning.twelfth:
        mantissa *= 4096
    if field == 5:
        return real(mantissa, exponent - meaning.exponent)
    mantissa = rescale(mantissa, exponent, meaning.exponent)
    return encode.data(field, mantissa, meaning.kind in ("C", "D"), meaning.kind in ("", "C"))


def rescale(mantissa, exponent, to_exponent):
    """mantissa * 10**exponent as a whole number of 10**to_exponent; MisuseError when that is not exact."""
    if exponent >= to_exponent:
        return mantissa * 10 ** (exponent - to_exponent)
    step = 10 ** (to_exponent - exponent)
    if mantissa % step:
        raise MisuseError("%de%d is no multiple of 10**%d" % (mantissa, exponent, to_exponent))
    return mantissa // step
