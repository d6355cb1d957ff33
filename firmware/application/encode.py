"""Records for a device that only sends: build DIB, VIB and data without the decoder's tables.

Data fields go by name ("int32", "bcd8", ... see dib.FIELDS) or by code. Least significant byte first.
"""

from ..errors import MisuseError
from . import dib as _dib

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
            raise MisuseError("no qualifier " + name, None, "see encode.QUALIFIERS")
        vib[-1] |= 0x80
        vib += bytes.fromhex(codes[0][0])
    return _dib.build(data_field, function, storage, tariff, subunit, final_dife), bytes(vib)


def rescale(mantissa, exponent, to_exponent):
    """mantissa * 10**exponent as a whole number of 10**to_exponent; MisuseError when that is not exact."""
    if exponent >= to_exponent:
        return mantissa * 10 ** (exponent - to_exponent)
    step = 10 ** (to_exponent - exponent)
    if mantissa % step:
        raise MisuseError("%de%d is no multiple of 10**%d" % (mantissa, exponent, to_exponent))
    return mantissa // step


def data(field, mantissa, unsigned=False, markers=True):
    """The data bytes of a number (None for the fields without data), range checked.

    Integers are signed (type B) or `unsigned` (types C and D). Values that would read as an invalid marker are refused
    unless `markers` is False: the most negative one, and all ones where `unsigned` (a bit field has no marker). BCD is
    type A, F in the first digit for a minus sign. The real takes a whole number here (see `real`).
    """
    field = _dib.FIELDS.get(field, field)
    if field == 0 or field == 8:
        if mantissa is not None:
            raise MisuseError("this data field carries no value")
        return b""
    if field not in range(15) or field == 13 or mantissa is None:
        raise MisuseError("no number fits data field " + str(field))
    if field == 5:
        return real(mantissa)
    size = _dib.SIZES[field]
    if field >= 9:
        return bcd(size, mantissa)
    top = 1 << (8 * size)
    low, high = (0, top - 1 - markers) if unsigned else (markers - (top >> 1), (top >> 1) - 1)
    if not low <= mantissa <= high:
        raise MisuseError("%d does not fit into %d bytes" % (mantissa, size))
    return (mantissa & (top - 1)).to_bytes(size, "little")


def bcd(size, mantissa):
    """Type A in `size` bytes."""
    digits = "%0*d" % (2 * size, abs(mantissa))
    if len(digits) > 2 * size or (mantissa < 0 and digits[0] != "0"):
        raise MisuseError("%d does not fit into %d BCD digits" % (mantissa, 2 * size))
    if mantissa < 0:
        digits = "f" + digits[1:]
    return bytes(reversed(bytes.fromhex(digits)))


def real(mantissa, exponent=0):
    """Type H: the IEEE 754 single nearest to mantissa * 10**exponent, a tie to the even one, found with integers."""
    sign = 0
    if mantissa < 0:
        sign = 0x80000000
        mantissa = -mantissa
    if not -100 < exponent < 100:
        raise MisuseError("exponent out of range for a real")
    top = mantissa * 10 ** max(exponent, 0)
    bottom = 10 ** max(-exponent, 0)
    power = 0
    while top < bottom << 23 and power > -149:
        top <<= 1
        power -= 1
    while top >= bottom << 24:
        bottom <<= 1
        power += 1
    whole = (2 * top + bottom) // (2 * bottom)
    if whole & 1 and (2 * top + bottom) % (2 * bottom) == 0:
        whole -= 1
    if whole == 1 << 24:
        whole >>= 1
        power += 1
    if power > 104:
        raise MisuseError("too large for a real")
    if whole >> 23:  # a normal number: drop the leading one, it is implied
        whole += (power + 149) << 23
    return (sign | whole).to_bytes(4, "little")


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


# --- dates and times (sheet 3.2-3.4, 3) ; None stands for "every" ---


def _check(number, low, high, every, name):
    if number is None:
        return every
    if not low <= number <= high:
        raise MisuseError("%s %d is not in %d..%d" % (name, number, low, high))
    return number


def date(year, month, day):
    """Type G, 2 bytes (data field int16, VIF 6C). Years 2000-2099."""
    y = _check(year, 2000, 2099, 2127, "year") - 2000
    m = _check(month, 1, 12, 15, "month")
    d = _check(day, 1, 31, 0, "day")
    return bytes([d | (y & 7) << 5, m | (y >> 3) << 4])


def date_time(year, month, day, hour, minute, summer_time=False):
    """Type F, 4 bytes (int32, VIF 6D). Years 1900-2299; the century bits are set."""
    y = _check(year, 1900, 2299, 2127, "year") - 1900
    head = date(None if year is None else 2000 + y % 100, month, day)
    return (
        bytes(
            [
                _check(minute, 0, 59, 63, "minute"),
                _check(hour, 0, 23, 31, "hour") | (y // 100) << 5 | (0x80 if summer_time else 0),
            ]
        )
        + head
    )


def date_time_seconds(year, month, day, hour, minute, second):
    """Type I, 6 bytes (int48, VIF 6D). Years 2000-2099; weekday, week and leap year are left unspecified."""
    head = date(year, month, day)
    return bytes(
        [
            _check(second, 0, 59, 63, "second"),
            _check(minute, 0, 59, 63, "minute"),
            _check(hour, 0, 23, 31, "hour"),
            head[0],
            head[1] & (0xF0 if month is None else 0xFF),
            0,
        ]
    )


def time(hour, minute, second):
    """Type J, 3 bytes (int24, VIF 6D)."""
    return bytes(
        [
            _check(second, 0, 59, 63, "second"),
            _check(minute, 0, 59, 63, "minute"),
            _check(hour, 0, 23, 31, "hour"),
        ]
    )


def time_text(field, iso):
    """The bytes of ISO text ("2024-05-31", "2024-05-31T23:50", "...:23", "23:50:00"; ** is "every") by data field."""
    numbers = []
    for part in iso.replace("T", "-").replace(":", "-").split("-"):
        if part and not part.replace("*", ""):
            numbers.append(None)
        elif part.isdigit():
            numbers.append(int(part))
        else:
            raise MisuseError("not an ISO date or time: " + iso)
    field = _dib.FIELDS.get(field, field)
    count, encoder = {2: (3, date), 3: (3, time), 4: (5, date_time), 6: (6, date_time_seconds)}.get(
        field, (0, None)
    )
    if not encoder or len(numbers) != count:
        raise MisuseError("this data field does not hold " + iso)
    return encoder(*numbers)
