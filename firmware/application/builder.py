"""Records put together: DIB and VIB from a friendly description, and the data to them. For whoever makes a device; sending
needs only what comes out of it."""

from ..errors import ApplicationError, MisuseError
from . import dates, encode, reverse, vif
from . import dib as _dib
from . import record as _record
from .fields import SIZES
from .profile import WORDS
from .reals import real
from .record import add


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
    to_meter=False,
    plain_text=False,
):
    """(DIB, VIB) of a record whose raw value counts 10**exponent `unit`, e.g. build("volume", "m3", -3, "bcd8").

    Quantities and units are those of the tables in units.py, as a decoded Record has them; `unit` is the one behind all
    VIFEs ("m3/h" for a volume "per hour"). Qualifiers: see reverse.vib. `to_meter` takes the names of actions,
    `plain_text` asks for the older plain-text unit of OMS where Table 13 has a code too. Manufacturer specific:
    build("manufacturer specific", qualifiers=("manufacturer 20",)) is FF 20. Raises MisuseError for what there is not.
    """
    vib = reverse.vib(quantity, unit, exponent, qualifiers, to_meter, plain_text)
    return _dib.build(data_field, function, storage, tariff, subunit, final_dife), vib


# --- data of variable length (EN 13757-3:2018 Table 5; sheet 1.4) ---


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


def container(data):
    """LVAR and up to 191 bytes as they are: profiles, containers (VIF FD 3B, FD 76), lists."""
    if len(data) > 0xBF:
        raise MisuseError("more than 191 bytes")
    return bytes([len(data)]) + bytes(data)


def digits(mantissa, size=None):
    """LVAR and BCD in `size` bytes, 0 to 9 (None: as few as hold it); the sign is in the LVAR."""
    if size is None:
        size = (len(str(abs(mantissa))) + 1) // 2
    if not 0 <= size <= 9 or abs(mantissa) >= 100**size:
        raise MisuseError("%d does not fit into %d bytes of BCD" % (mantissa, size))
    return bytes([(0xD0 if mantissa < 0 else 0xC0) | size]) + encode.bcd(size, abs(mantissa))


def binary(data):
    """LVAR and a binary number of so many bytes, least significant first: 0 to 15, 16, 20, 24, 28, 32, 48 or 64."""
    size = len(data)
    for lvar in range(0xE0, 0xF7):
        if _dib.lvar_bytes(lvar) == size:
            return bytes([lvar]) + bytes(data)
    raise MisuseError("no binary number has %d bytes" % size)


def number(mantissa, unsigned=False, markers=True):
    """LVAR and a binary number in as few bytes as hold it, 1 to 15; see encode.data for the arguments."""
    for size in range(1, 16):
        top = 1 << (8 * size)
        low, high = (0, top - 1 - markers) if unsigned else (markers - (top >> 1), (top >> 1) - 1)
        if low <= mantissa <= high:
            return binary((mantissa & (top - 1)).to_bytes(size, "little"))
    raise MisuseError("%d does not fit into 15 bytes" % mantissa)


# --- whole records ---


def record(dib, vib, value, exponent=None, to_meter=False):
    """The bytes of one record: dib + vib + data.

    `value` by type: bytes are the data as they are (LVAR included); None is no data; str is text for data field D, and
    ISO date or time for a VIB that says so (types F, G, I, J; M in data field D; K as rare.daylight_saving has it); int
    is the raw value, or, with `exponent`, the physical value * 10**exponent in the VIB's unit. Raises MisuseError when
    the data field cannot hold it exactly.
    """
    dib = bytes(dib)
    vib = bytes(vib)
    field, meaning = _parsed(dib, vib, to_meter)
    if isinstance(value, (bytes, bytearray)):
        size = SIZES[field]
        if size < 0:
            size = 1 + _dib.lvar_bytes(value[0]) if value else 1
        if len(value) != size:
            raise MisuseError("data of another length than the DIB says")
        return dib + vib + bytes(value)
    if isinstance(value, str):
        return dib + vib + _text(field, meaning.kind, value)
    if value is not None and exponent is not None:
        return dib + vib + _scaled(field, value, exponent, meaning)
    return dib + vib + _raw(field, value, meaning.kind)


def encode_record(record, to_meter=False):
    """The bytes of a Record from what it means.

    Where a meaning can be sent in several ways, the record's own dib, vib and data say in which, as far as they (still)
    mean the same: a decoded record gives the bytes that it came from; changed in mantissa, text, storage... it keeps its
    data field, the order of its VIFEs, its number of DIFEs. Without dib and data (or with a data field only, one byte)
    the record is sent the shortest way: the smallest data field, for a number binary. Raises MisuseError where only
    bytes could say it: raw data, times marked as invalid, dates that do not exist.
    """
    if record.quantity == "global readout request":
        return b"\x7f"
    if record.quantity == "manufacturer data":
        return (b"\x1f" if record.flag == "more records follow" else b"\x0f") + record.data
    wanted = _meant(record)
    whole = record.dib + record.vib + record.data
    if _reads(whole, wanted, to_meter):
        return whole
    dib = record.dib
    if dib:
        field = dib[0] & 0x0F
        if _dib.parse(dib, 0, len(dib))[2:] != wanted[0]:
            dib = b""
    else:
        field = None
    error = None
    for fields in ((field,),) if field is not None else _fields(record):
        for vib in _vibs(record, wanted[1][4], to_meter):
            for one in fields:
                head = dib or _dib.build(one, *wanted[0])
                try:
                    data = _data(record, *_parsed(head, vib, to_meter))
                    if _reads(head + vib + data, wanted, to_meter):
                        return head + vib + data
                except MisuseError as caught:
                    error = error or caught
    raise error or MisuseError("no bytes mean this: " + repr(record))


def _parsed(dib, vib, to_meter):
    try:
        behind, field = _dib.parse(dib, 0, len(dib))[:2]
        if behind != len(dib) or vif.scan(vib, 0, len(vib))[0] != len(vib):
            raise MisuseError("bytes behind the end of DIB or VIB")
        return field, vif.resolve(vib, to_meter)
    except ApplicationError as error:
        raise MisuseError(error.message, error.position)


def _meant(record):
    """What a record says, without how: (what its DIB says), (the rest), numbers without zeros at the end."""
    mantissa, exponent = record.mantissa, record.exponent
    if mantissa is not None:
        while mantissa and mantissa % 10 == 0:
            mantissa //= 10
            exponent += 1
        if not mantissa:
            exponent = 0
    flag = record.flag
    if record.qualifiers and record.qualifiers[-1] in WORDS and record.dib and record.dib[0] & 0x0F == 13:
        flag = "raw data"  # profile.expand says there how it went
    place = (
        _dib.FUNCTIONS.index(record.function),
        record.storage,
        record.tariff,
        record.subunit,
        record.final_dife,
    )
    return place, (record.quantity, record.unit, record.qualifiers, mantissa, exponent, record.text, flag)


def _reads(data, wanted, to_meter):
    """Whether these bytes are one record that means this."""
    records, undecoded = _record.decode(data, to_meter)
    return undecoded is None and len(records) == 1 and _meant(records[0]) == wanted


def _vibs(record, exponent, to_meter):
    """VIBs that may hold a record, the best first. `exponent` is that of the value without zeros at the end."""
    if record.vib:
        yield record.vib
    qualifiers = record.qualifiers
    if record.flag is not None and reverse.is_error(record.flag):
        qualifiers += (record.flag,)
    powers = set([0] + [row[1] for row in reverse.codings(record.quantity)])
    wanted = record.exponent or 0
    ways = [(power, extra) for power in powers for extra in ((), ("unsigned",), ("bits",))]
    ways.sort(key=lambda way: (abs(way[0] - wanted), way[0], way[1]))
    if record.mantissa is not None:
        ways += [(power + 3, ("times 10^3",)) for power in powers]
        ways += [(power + n, ("times 10^%d" % n,)) for n in range(1, -7, -1) for power in powers]
        steps = reverse.multipliers(powers, exponent)
        if steps:
            ways.append((exponent, steps))
    error = None
    found = False
    for power, extra in ways:
        try:
            # Multipliers stand before, what makes another kind of number of it behind.
            names = extra + qualifiers if extra and extra[0][0] == "t" else qualifiers + extra
            vib = reverse.vib(record.quantity, record.unit, power, names, to_meter, ordered=True)
        except MisuseError as caught:
            error = error or caught
            continue
        found = True
        yield vib
    if not found:
        raise error


def _fields(record):
    """Data fields that may hold a record: groups to be tried one after the other, the shortest first in each."""
    if record.mantissa is not None:
        return (1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 14, 13), (5,)
    if record.text is None:
        return ((8, 0, 1, 2, 3, 4, 6, 9, 10, 11, 12, 14, 5, 13),)
    return ((2, 3, 4, 6, 13),)


def _data(record, field, meaning):
    if record.mantissa is not None:
        return _scaled(field, record.mantissa, record.exponent, meaning)
    if record.text is not None:
        return _text(field, meaning.kind, record.text)
    size = SIZES[field]
    if size < 0:
        size = 1
    flag = record.flag
    if size == 0 or flag is None:
        return b""
    if meaning.error is not None or flag == "not set":
        data = bytes(size)
    elif flag == "invalid":
        data = _invalid(field, size, meaning.kind)
    elif flag[:13] == "error digits ":
        data = bytes(reversed(bytes.fromhex(flag[13:])))
        if field == 13:
            return bytes([0xC0 + len(data)]) + data
    elif flag == "not a number" or flag == "infinite":
        data = b"\x00\x00\xc0\x7f" if flag == "not a number" else b"\x00\x00\x80\x7f"
    else:
        raise MisuseError("only the bytes could say it: " + flag)
    if len(data) != size:
        raise MisuseError("this data field does not hold " + flag)
    return binary(data) if field == 13 else data


def _invalid(field, size, kind):
    """The marker of a type (sheet 3.6)."""
    if kind == "T":
        return {4: b"\x80\x00\x00\x00", 6: b"\x00\x80\x00\x00\x00\x00"}.get(field, b"\xff" * size)
    return b"\xff" * size if kind == "C" else bytes(size - 1) + b"\x80"


def _text(field, kind, value):
    if kind == "K" and field == 4:
        from .rare import daylight_saving_data

        return daylight_saving_data(value)
    if kind == "T" and field == 13:
        from .rare import instant_data

        return instant_data(value)
    if (kind == "T") == (field == 13):
        raise MisuseError("text does not fit this data field")
    return dates.time_text(field, value) if kind == "T" else text(value)


def _raw(field, mantissa, kind):
    unsigned, markers = kind in ("C", "D"), kind in ("", "C")
    if mantissa is not None and kind in ("T", "K"):
        raise MisuseError("a date or time is no number: give ISO text")
    if field == 13 and mantissa is not None and kind in ("", "N", "C", "D"):
        return number(mantissa, unsigned, markers)
    return encode.data(field, mantissa, unsigned, markers)


def _scaled(field, mantissa, exponent, meaning):
    """The data for a physical value: what record.decode does to the raw value, backwards."""
    for constant in meaning.constants:
        mantissa, exponent = add(mantissa, exponent, -1, constant)
    if meaning.twelfth:
        mantissa *= 4096
    if field == 5:
        return real(mantissa, exponent - meaning.exponent)
    return _raw(field, rescale(mantissa, exponent, meaning.exponent), meaning.kind)


def rescale(mantissa, exponent, to_exponent):
    """mantissa * 10**exponent as a whole number of 10**to_exponent; MisuseError when that is not exact."""
    if exponent >= to_exponent:
        return mantissa * 10 ** (exponent - to_exponent)
    step = 10 ** (to_exponent - exponent)
    if mantissa % step:
        raise MisuseError("%de%d is no multiple of 10**%d" % (mantissa, exponent, to_exponent))
    return mantissa // step
