"""A decoded telegram as one line of JSON: the keys and their order are published, values are exact.

Numbers are written from mantissa and power of ten, digit by digit; no binary float comes near them.
"""

import json

from ..application.telegram import Telegram
from ..link import address_text, control, device_types
from ..link.address import Address
from ..link.lpwan import elements
from ..link.lpwan import mac as frames
from ..phy.burst import timing
from ..security import modes

_text = json.encoder.encode_basestring  # quotes a str, keeps letters beyond ASCII
_BYTE = ['"{:02X}"'.format(byte) for byte in range(256)]
_C_FIELD = [_text(control.name(byte) or "{:02X}".format(byte)) for byte in range(256)]
_MOST_ZEROS = 40  # beyond this an exponent is written instead of zeros


def decimal(mantissa, exponent):
    """mantissa * 10**exponent as a decimal number with just its own digits: (6408, -3) gives "6.408"."""
    digits = str(mantissa)
    if not -_MOST_ZEROS <= exponent <= _MOST_ZEROS:
        return digits + "e" + str(exponent)
    if exponent >= 0:
        return digits + "0" * exponent if mantissa else "0"
    if mantissa >= 0 and len(digits) > -exponent:
        return digits[:exponent] + "." + digits[exponent:]
    digits = str(abs(mantissa)).rjust(1 - exponent, "0")
    return ("-" if mantissa < 0 else "") + digits[:exponent] + "." + digits[exponent:]


def value_text(record):
    """The value of a record as JSON: a number, a string, or null."""
    if record.mantissa is not None:
        return decimal(record.mantissa, record.exponent)
    if record.text is not None:
        return _text(record.text)
    return "null"


def _optional(text):
    return "null" if text is None else _text(text)


def _number(value):
    return "null" if value is None else str(value)


def _list(texts):
    return "[" + ", ".join(texts) + "]"


# Texts that repeat; when there are more than _MOST, all are forgotten. Of what a record has besides value, flag and data: the
# text before each of them.
_constant: dict[tuple, tuple] = {}
_addresses: dict[Address, tuple] = {}
_MOST = 4096


def _parts(record):
    """The texts of a record before its value, before its flag and before its data."""
    key = (
        record.quantity,
        record.qualifiers,
        record.unit,
        record.function,
        record.storage,
        record.tariff,
        record.subunit,
        record.obis,
        record.data_point,
        record.dib,
        record.vib,
    )
    parts = _constant.get(key)
    if parts is None:
        if len(_constant) >= _MOST:
            _constant.clear()
        _constant[key] = parts = _make_parts(*key)
    return parts


def _make_parts(quantity, qualifiers, unit, function, storage, tariff, subunit, obis, data_point, dib, vib):
    head = '{{"quantity": {}, "value": '.format(_text(", ".join((quantity, *qualifiers))))
    middle = ', "unit": {}, "function": {}, "flag": '.format(_optional(unit), _text(function))
    numbers = ', "storage": {}, "tariff": {}, "subunit": {}'.format(storage, tariff, subunit)
    names = ', "obis": {}, "data_point": {}'.format(_optional(obis), _optional(data_point))
    tail = ', "dib": "{}", "vib": "{}", "data": "'.format(dib.hex().upper(), vib.hex().upper())
    return head, middle, numbers + names + tail


def _record(record):
    head, middle, tail = _parts(record)
    flag, data, time = _optional(record.flag), record.data.hex().upper(), _optional(record.time)
    return head + value_text(record) + middle + flag + tail + data + '", "time": ' + time + "}"


def template(records):
    """The JSON of records with a hole for each value, flag and data, to be filled by `fill`. None of them has a time."""
    return _list(
        [
            "%s".join([part.replace("%", "%%") for part in (*_parts(record), '", "time": null}')])
            for record in records
        ]
    )


def fill(text, records, data):
    """The JSON of records that differ from those of the template in value, flag and data only. data: hex digits of each."""
    holes: list[str] = []
    for record, digits in zip(records, data, strict=True):
        mantissa, flag = record.mantissa, record.flag
        holes += (
            value_text(record) if mantissa is None else decimal(mantissa, record.exponent),
            "null" if flag is None else _text(flag),
            digits,
        )
    return text % tuple(holes)


def _ell(ell):
    if ell is None or ell.ci is None:  # OMS LPWAN: what the LLC says in its place
        return "null"
    return (
        '{{"ci_field": "{:02X}", "cc": "{:02X}", "access_number": {}, "receiver": {}, "session": {}}}'.format(
            ell.ci,
            ell.cc,
            ell.access_number,
            "null" if ell.receiver is None else _text(address_text.show(ell.receiver)),
            _number(ell.sn),
        )
    )


def _link(telegram, frame_format):
    link = telegram.link
    if link is None:
        return "null"
    wired = link.address is None and link.ell is None
    mac = getattr(link, "mac", None)
    return '{{"address": {}, "primary_address": {}, "format": {}, "c_field": {}, "hops": {}, "ell": {}{}}}'.format(
        _address(link.address)[1],
        _number(link.primary_address if wired else None),
        '"wired"' if wired else '"C"' if mac else _optional(frame_format),
        "null" if link.c_field is None else _C_FIELD[link.c_field],
        telegram.hops,
        _ell(link.ell),
        _mac(link) if mac else "",
    )


def _mac(link):
    """What MAC and LLC of OMS LPWAN say: the frame, and when and where its meter listens (Annex Q.3.3, Q.3.5, Q.4)."""
    frame, logical = link.mac, link.llc
    up = frame.elements if frames.is_up(frame.type) else None
    told = {
        "type": frames.name(frame.type),
        "synchronous": bool(logical and logical.flag),
        "access_number": logical.access_number if logical else None,
        "receiver": address_text.show(logical.receiver) if logical and logical.receiver else None,
        "access": elements.option(up) if up else None,
        "downlink": up.downlink if up else None,
        "response_timing": up.timing if up else None,
        "dl_rxm_ms": timing.RXM_MS[up.rxm] if up and up.rxm is not None else None,
        "sub_carriers": list(up.uplink_n) if up and up.uplink_n else None,
        "session": up.session or 0 if up else None,
        "error": frame.error.code if frame.error else None,
    }
    return ', "mac": ' + json.dumps(told, ensure_ascii=False)


def error_json(error):
    """An OmsError as a JSON object, None as null."""
    if error is None:
        return "null"
    return '{{"code": {}, "hint": {}, "message": {}, "position": {}}}'.format(
        _text(error.code), _text(error.hint), _text(error.message), _number(error.position)
    )


def _status(tpl):
    if tpl is None or tpl.status is None:
        return "null"
    flags = _list([_text(flag) for flag in tpl.status_flags()]) if tpl.status else "[]"
    return '{{"flags": {}, "byte": {}}}'.format(flags, tpl.status)


def _protocol(protocol):
    if protocol is None:
        return "null"
    return '{{"name": {}, "fields": {}}}'.format(
        _text(protocol.name),
        json.dumps({field[2]: field[3] for field in protocol.fields}, ensure_ascii=False),
    )


def _undecoded(undecoded):
    if undecoded is None:
        return "null"
    return '{{"offset": {}, "data": "{}", "reason": {}}}'.format(
        undecoded.offset, bytes(undecoded.data).hex().upper(), _text(undecoded.reason)
    )


_TELEGRAM = (
    '{{{}, "link": {}, "ci_field": {}, "access_number": {}, "status": {}, '
    '"security": {{"mode": {}, "profile": {}, "verdict": {}, "key": {}}}, "records": {}, "protocol": {}, "undecoded": {}, '
    '"error": {}{}}}'
)


def _address(address):
    """(the keys that identify a meter, the whole address) as JSON."""
    if address is None:
        return '"id": null, "manufacturer": null, "version": null, "type": null, "type_code": null', "null"
    texts = _addresses.get(address)
    if texts is None:
        keys = '"id": {}, "manufacturer": {}, "version": {}, "type": {}, "type_code": {}'.format(
            _text(address.ident),
            _text(address_text.manufacturer_code(address.manufacturer)),
            address.version,
            _optional(device_types.NAMES.get(address.device_type)),
            address.device_type,
        )
        if len(_addresses) >= _MOST:
            _addresses.clear()
        _addresses[address] = texts = keys, _text(address_text.show(address))
    return texts


def _more(more):
    return "".join(
        ", {}: {}".format(_text(key), json.dumps(value, ensure_ascii=False)) for key, value in more
    )


def to_json(telegram, frame_format=None, more=(), records=None):
    """One line of JSON of an application.telegram.Telegram.

    frame_format: "A", "B" or None if it is not known. more: pairs (key, plain value) that a reading adds behind:
    timestamp, mode, rssi_dbm, radio, name. records: the JSON of its records, if that is known already.
    """
    tpl, mode = telegram.tpl, telegram.mode
    identity, _ = _address(telegram.address)
    return _TELEGRAM.format(
        identity,
        _link(telegram, frame_format),
        "null" if tpl is None else _BYTE[tpl.ci],
        _number(telegram.access_number),
        _status(tpl),
        _number(mode),
        _optional(modes.profile(mode)),
        _optional(telegram.verdict),
        _optional(telegram.key),
        _list([_record(record) for record in telegram.records]) if records is None else records,
        _protocol(telegram.protocol),
        _undecoded(telegram.undecoded),
        error_json(telegram.error),
        _more(more) if more else "",
    )


def refused_line(error):
    """The JSON object of a line that held no readable telegram, refused with this OmsError."""
    nothing = Telegram(b"")
    nothing.error = error
    return to_json(nothing)
