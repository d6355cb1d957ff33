"""Data records (EN 13757-3:2018 clause 6; sheet en13757-3-application 1-3): payload to records; back: builder.py.

`decode` never raises for what is in the payload: what cannot be read is kept as bytes with a named reason.
"""

from ..errors import ApplicationError
from . import dib as _dib
from . import types, vif
from .fields import SIZES

_FILLER = 0x2F
_MAX_PROBES = 16  # records looked ahead to find out in which order a plain-text unit is sent


class Record:
    """One data point.

    A number is mantissa * 10**exponent in `unit` (base unit, no prefix; None where there is none); text, dates and
    times are in `text` (ISO 8601, ** for "every"). Where all are None `flag` says why; with a value `flag` warns.
    `offset` is the first byte's place in the payload; dib + vib + data are the record's bytes, with the LVAR first in
    `data`. `qualifiers` are words for the VIFEs ("backward"); they do not repeat what unit and exponent hold already.
    `time` is when an entry of a compact profile was valid (see profile.expand). `obis` and `data_point` are None until
    obis.annotate has set them.
    """

    # What most records share stands here once and not in each of them.
    function = "instantaneous"
    storage = 0
    tariff = 0
    subunit = 0
    final_dife = False
    qualifiers = ()
    unit = None
    mantissa = None
    exponent = None
    text = None
    flag = None
    time = None
    obis = None
    data_point = None

    def __init__(self, offset, dib, vib, data, quantity):
        self.offset = offset
        self.dib = dib
        self.vib = vib
        self.data = data
        self.quantity = quantity

    def __repr__(self):
        shown = self.text
        if self.mantissa is not None:
            shown = "%de%d %s" % (self.mantissa, self.exponent, self.unit or "")
        return "<%s %s %s>" % (self.quantity, shown, self.flag or "")


class Undecoded:
    """The end of a payload that could not be read: all bytes from `offset` on, and the reason in words.
    `position` is the offset of the byte that stopped it."""

    def __init__(self, offset, data, reason, position):
        self.offset = offset
        self.data = data
        self.reason = reason
        self.position = position

    def __repr__(self):
        return "<undecoded at %d: %s>" % (self.offset, self.reason)


def decode(payload, to_meter=False):
    """Decode all records of an application payload (behind the TPL header, decrypted).

    `to_meter` is the direction: VIFEs 00-0F are then actions, not record errors. Returns (list of Record in the order of
    the payload, None or Undecoded). Idle fillers 2F are skipped. Manufacturer data behind DIF 0F or 1F is a last record
    of quantity "manufacturer data"; 1F sets its flag "more records follow".
    """
    payload = bytes(payload)
    records = []
    offset = 0
    end = len(payload)
    try:
        while offset < end:
            dif = payload[offset]
            if dif == _FILLER:
                offset += 1
                continue
            if dif & 0x8F == 0x0F:
                record = _special(payload, offset, dif)
            else:
                record = _record(payload, offset, end, to_meter)
            records.append(record)
            offset += len(record.dib) + len(record.vib) + len(record.data)
    except ApplicationError as error:
        return records, Undecoded(offset, payload[offset:], error.message, error.position)
    return records, None


def _special(payload, offset, dif):
    """DIF 0F, 1F, 7F (sheet 1.2)."""
    head = payload[offset : offset + 1]
    if dif == 0x7F:
        return Record(offset, head, b"", b"", "global readout request")
    if dif != 0x0F and dif != 0x1F:
        raise ApplicationError("reserved DIF", offset)
    record = Record(offset, head, b"", payload[offset + 1 :], "manufacturer data")
    record.flag = "more records follow" if dif == 0x1F else "raw data"
    return record


def _data_end(payload, at, end, field):
    """Offset behind the data of a record whose data (or LVAR) begins at `at`."""
    size = SIZES[field]
    if size < 0:
        if at >= end:
            raise ApplicationError("truncated before the LVAR", at)
        size = _dib.lvar_bytes(payload[at])
        if size < 0:
            raise ApplicationError("reserved LVAR", at)
        size += 1
    if at + size > end:
        raise ApplicationError("truncated in the data", end)
    return at + size


def _record(payload, offset, end, to_meter):
    vib_at, field, function, storage, tariff, subunit, final = _dib.parse(payload, offset, end)

    data_at = vib_at + 1
    text_at = 0
    if vib_at >= end or payload[vib_at] >= 0x7C:  # not just a VIF
        data_at, text_at = vif.scan(payload, vib_at, end, lambda at: _walk(payload, at, end, field))
    data_end = _data_end(payload, data_at, end, field)
    vib = payload[vib_at:data_at]
    data = payload[data_at:data_end]
    meaning = vif.resolve(vib, to_meter, text_at - vib_at if text_at else None)

    record = Record(offset, payload[offset:vib_at], meaning.vib, data, meaning.quantity)
    if vib_at > offset + 1:
        record.tariff = tariff
        record.subunit = subunit
        record.final_dife = final
    if function:
        record.function = _dib.FUNCTIONS[function]
    if storage:
        record.storage = storage
    if meaning.qualifiers:
        record.qualifiers = meaning.qualifiers
    record.unit = meaning.unit
    mantissa, exponent, text, flag = reading(meaning, field, data)
    if mantissa is not None:
        record.mantissa = mantissa
        record.exponent = exponent
    else:
        record.text = text
    if flag is not None:
        record.flag = flag
    return record


def reading(meaning, field, data):
    """What data of this data field (its LVAR first) say under a vif.Meaning: (mantissa, exponent, text, flag) of the
    Record. It depends on nothing else."""
    if meaning.error is not None:
        return None, None, None, meaning.error
    mantissa, exponent, text, flag = types.value(field, data, kind(meaning, field))
    if mantissa is not None:
        mantissa, exponent = scale(meaning, mantissa, exponent)
        for constant in meaning.constants:
            mantissa, exponent = add(mantissa, exponent, 1, constant)
    return mantissa, exponent, text, meaning.flag if flag is None else flag


def kind(meaning, field):
    """Data type (a letter of types.value) of a vif.Meaning in this data field."""
    # OMS Annex B note 12: a 64-bit identification is an address of eight bytes, not a number.
    if field == 7 and meaning.quantity == "identification":
        return "X"
    return meaning.kind


def scale(meaning, mantissa, exponent):
    """A raw value in the unit of its vif.Meaning; the constants of the VIFEs 78-7B are not added yet."""
    exponent += meaning.exponent
    if meaning.twelfth:  # 2**-12 == 244140625 * 10**-12
        return mantissa * 244140625, exponent - 12
    return mantissa, exponent


def add(mantissa, exponent, other, other_exponent):
    """mantissa * 10**exponent + other * 10**other_exponent, exactly: (mantissa, exponent)."""
    if exponent <= other_exponent:
        return mantissa + other * 10 ** (other_exponent - exponent), exponent
    return mantissa * 10 ** (exponent - other_exponent) + other, other_exponent


def _walk(payload, at, end, field):
    """Whether data of this field at `at` and the records behind it (some of them) have a legal structure."""
    try:
        at = _data_end(payload, at, end, field)
        for _ in range(_MAX_PROBES):
            while at < end and payload[at] == _FILLER:
                at += 1
            if at >= end or payload[at] == 0x0F or payload[at] == 0x1F:
                return True
            vib_at, field = _dib.parse(payload, at, end)[:2]
            at = _data_end(payload, vif.scan(payload, vib_at, end)[0], end, field)
    except ApplicationError:
        return False
    return True
