"""A telegram as wmbusmeters prints it: one flat JSON object, a field per record (sheet ecosystem 3.4).

Names: field_names.py. Numbers are in the unit that stands at the end of the name, rounded only where no finite decimal
exists; a value that is missing or invalid is null. What is new here begins with `oms_`, or is called `radio`. A refused
telegram has all the fields of its kind that could be read, `status` null, and `error` with the reason; the others have
no `error`.
"""

import json
import re

from ..application import vif
from ..link import address_text
from ..transport.ci import UP
from . import conversion, field_names, flag_words
from .json_lines import decimal

_text = json.encoder.encode_basestring
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)?T?(\d\d:\d\d(?::\d\d)?)?\Z")
_NOTHING = ("no data", "selection for readout", "values follow", "raw data", "more records follow")
_MOMENTS = ("-", "date", "datetime", "minutes")
_BY_LENGTH = {2: "date", 3: "time", 4: "datetime", 6: "datetime"}  # data field of a date or time -> suffix


class Field:
    """name: whole, with its unit. value: a number or a string as JSON, or "null". suffix: the unit in the name, "" where
    the name has none. record: from which it comes, None for those that are made of several."""

    def __init__(self, name, value, suffix, record=None):
        self.name = name
        self.value = value
        self.suffix = suffix
        self.record = record

    def __repr__(self):
        return "<{} {}>".format(self.name, self.value)


def medium(telegram):
    """(medium in words, letter of field_names.MEDIA) of a Telegram; (None, "W") without an address."""
    if telegram.address is None:
        return None, "W"
    code = telegram.address.device_type
    return field_names.MEDIA.get(code) or (field_names.RESERVED if code < 0x40 else field_names.UNKNOWN)


def fields(telegram, habits=True):
    """[Field] of the records of a Telegram in their order, each name once, and last `status`.

    habits: names by maker too, not by medium only.
    """
    letter = medium(telegram)[1]
    maker = ""
    if habits and telegram.address:
        maker = address_text.manufacturer_code(telegram.address.manufacturer)
    found: dict[str, Field] = {}
    more = []
    for record in () if telegram.to_meter else telegram.records:
        names, field = _field(record, letter, maker)
        if names:
            _add(found, field)
            more += [(_whole(name, field.suffix), field) for name in names[1:]]
        if record.time is not None and record.storage:
            more.append(("set_date_{}".format(record.storage), Field("", _moment(record.time), "", record)))
    words, others = flag_words.read(telegram.records, letter, maker)
    for name, field in more:
        found.setdefault(name, Field(name, field.value, field.suffix, field.record))
    for name, text in others:
        found.setdefault(name, Field(name, _text(text), ""))
    found["status"] = Field("status", _optional(status(telegram, words)), "")
    return list(found.values())


def _whole(name, suffix):
    return "{}_{}".format(name, suffix) if suffix else name


def _add(found, field):
    stem, number = field.name, 1
    field.name = _whole(stem, field.suffix)
    while field.name in found:
        number += 1
        field.name = _whole("{}_nr{}".format(stem, number), field.suffix)
    found[field.name] = field


def _field(record, letter, maker):
    """(names, Field whose name has no suffix yet) of a record; ((), None) if it has no value to give."""
    quantity = record.quantity
    if record.flag in _NOTHING or quantity == "error flags":
        return (), None  # flags are words of `status`
    parts = record.function, record.storage, record.tariff, record.subunit
    names, unit = field_names.name_of(
        "value" if quantity == "plain text unit" else quantity, record.qualifiers, *parts, letter, maker
    )
    if not names:
        return (), None
    suffix = ""
    if unit == "txt":
        value = _digits(record)
    elif unit in _MOMENTS or (record.vib and vif.resolve(record.vib).kind == "T"):
        value = _moment(record.text, unit == "minutes")
        if unit != "-":
            suffix = (
                "date" if unit == "date" else _BY_LENGTH.get(record.dib[0] & 15 if record.dib else 4, "txt")
            )
    elif record.text is not None:
        value, suffix = _text(record.text), "txt"
    else:
        value, suffix = _number(record, unit)
    return names, Field(names[0], value, suffix, record)


def _number(record, wanted):
    """(number as JSON, suffix), in the unit of its table row or the one that this kind of unit has in names."""
    suffix, target = field_names.SUFFIXES.get(record.unit) or (field_names.slug(record.unit), None)
    own = conversion.UNITS.get(record.unit)
    if wanted:
        suffix = wanted
        target = field_names.TIMES.get(wanted)
        if own and own.dimension == "time" and record.unit in ("month", "year"):
            suffix, target = field_names.SUFFIXES[record.unit]  # months are not counted in days
    value = "null"
    if record.mantissa is not None:
        number = record.mantissa, record.exponent
        if own and target and target != own.name:
            difference = record.quantity == "temperature difference"
            number = conversion.convert(*number, own, conversion.UNITS[target], difference)
        value = decimal(*number)
    return value, suffix


def _optional(text):
    return "null" if text is None else _text(text)


def _moment(text, no_seconds=False):
    """A date or time with a blank between the two; null if it is no single moment (wild cards)."""
    if text is None or not _MOMENT.match(text):
        return "null"
    text = text.replace("T", " ")
    return _text(text[:16] if no_seconds else text)


def _digits(record):
    """An identification as text: BCD digits with leading zeros, a binary number as its characters or in hex."""
    if record.text is not None:
        return _text(record.text.strip())
    if record.mantissa is None or not record.data:
        return "null"
    if not record.dib:  # of a profile: its data may be only the distance to the one before
        return _text(decimal(record.mantissa, record.exponent))
    data = bytes(reversed(record.data))
    if record.dib[0] & 15 >= 9:
        return _text(data.hex())
    plain = all(0x20 < byte < 0x7F for byte in data)
    return _text(data.decode("ascii") if plain else data.hex().upper())


def status(telegram, words=()):
    """ "OK", or the words of the status byte and of flags in alphabetical order; None if it was refused.

    words: of a maker's own flags. "OK" says that no flag is set that is known to be one.
    """
    if telegram.error is not None or telegram.to_meter:
        return None
    words = set(words)
    tpl = telegram.tpl
    byte = tpl.status or 0 if tpl and tpl.direction == UP else 0
    words.add(("", "BUSY", "ERROR", "ALARM")[byte & 3])
    for bit, word in ((4, "POWER_LOW"), (8, "PERMANENT_ERROR"), (16, "TEMPORARY_ERROR")):
        if byte & bit:
            words.add(word)
    if byte & 0xE0:
        words.add("UNKNOWN_{:02X}".format(byte & 0xE0))
    for record in telegram.records:
        if record.quantity == "error flags" and record.mantissa:
            words.add("ERROR_FLAGS_{:X}".format(record.mantissa))
    words.discard("")
    return " ".join(sorted(words)) or "OK"


def to_json(
    telegram, name=None, timestamp=None, device=None, rssi_dbm=None, mode=None, radio=None, beyond_limits=None
):
    """One line of JSON of an application.telegram.Telegram.

    name: what the user calls the meter. timestamp: UTC, ISO 8601 with Z, a fraction of the second is cut off. device:
    what received it. rssi_dbm: or None. mode: "T1" ... radio: which of ours. beyond_limits: how that does not keep to the limits of
    the burst mode. All of them None if unknown.
    """
    address = telegram.address
    seconds = timestamp and re.sub(r"\.\d+", "", timestamp)
    error = telegram.error
    head = {"_": "telegram", "media": medium(telegram)[0], "meter": "auto", "name": name}
    head["id"] = address.ident if address else None
    tail = {
        "timestamp": seconds,
        "device": device,
        "rssi_dbm": rssi_dbm,
        "oms_mode": mode,
        "oms_profile": telegram.profile,
        "oms_verdict": telegram.verdict,
        "oms_access_no": telegram.access_number,
        "oms_hops": telegram.hops,
        "radio": radio,
    }
    if beyond_limits:
        tail["oms_beyond_limits"] = beyond_limits
    if error is not None:
        tail["error"] = "{}: {}".format(error.code, error.message)
    parts = [_pair(key, value) for key, value in head.items()]
    parts += ["{}:{}".format(_text(field.name), field.value) for field in fields(telegram)]
    parts += [_pair(key, value) for key, value in tail.items()]
    return "{" + ",".join(parts) + "}"


def _pair(key, value):
    return "{}:{}".format(_text(key), json.dumps(value, ensure_ascii=False))
