"""What the application protocols beside the M-Bus records say: one reader over all of them, loaded on demand.

The bodies are those behind the transport header, decrypted. Which module knows a CI code is in _READERS; of the others
only the name is known, and their bytes are kept whole: the body of the synchronise action (5C) is not public, manufacturer
specific protocols (A0-B7) belong to their manufacturer, and DLMS, SML, network and security management are other worlds.
"""

from collections import namedtuple

from ..errors import OmsError

# name: of the CI code (transport.ci_names). fields: tuples (offset, length, name, value, unit) in the order of the payload:
# every byte from `start` on is in exactly one of them. Values are text or whole numbers, units text or None. A field of
# length 0 says more about the bytes in front of it (the name of a code).
Protocol = namedtuple("Protocol", ("name", "fields"))

_SELECT, _CLOCK, _ALARM, _ERROR, _IMAGE, _SITP, _MAKER = range(7)
_READERS = {
    0x50: _SELECT,
    0x53: _SELECT,
    0x54: _SELECT,
    0x55: _SELECT,
    0x56: _SELECT,
    0x57: _SELECT,
    0x62: _CLOCK,
    0x66: _SELECT,
    0x67: _SELECT,
    0x68: _SELECT,
    0x6C: _CLOCK,
    0x6D: _CLOCK,
    0x6E: _ERROR,
    0x6F: _ERROR,
    0x70: _ERROR,
    0x71: _ALARM,
    0x74: _ALARM,
    0x75: _ALARM,
    0xC0: _IMAGE,
    0xC1: _IMAGE,
    0xC2: _IMAGE,
    0xC3: _SITP,
    0xC4: _SITP,
    0xC5: _SITP,
    0xC6: _SITP,
    0xC7: _IMAGE,
}


def read(ci, payload, direction=None, start=0):
    """The Protocol of a body, whatever its bytes are.

    ci: CI code. payload: application bytes; those before `start` (the check bytes 2F 2F of a decryption) are not looked at,
    offsets count from the begin of `payload`. direction: "up" or "down"; the CI code says it where it matters. What cannot
    be read is a last field "undecoded" in hex, and a field "reason" says why if there is more to say.
    """
    from ..transport.ci_names import name

    body = bytes(payload[start:])
    out = []
    at = 0
    reason = None
    try:
        found = _fields(ci, body)
    except OmsError as error:
        found = []
        reason = error.message
    for offset, length, label, value, unit in found:
        out.append((start + offset, length, label, value, unit))
        at = offset + length
    if at < len(body):
        out.append((start + at, len(body) - at, "undecoded", body[at:].hex().upper(), None))
        if reason:
            out.append((start + len(body), 0, "reason", reason, None))
    return Protocol(name(ci), out)


def _fields(ci, body):
    reader = _MAKER if 0xA0 <= ci <= 0xB7 else _READERS.get(ci)
    if reader == _SELECT:
        from . import select as module
    elif reader == _CLOCK:
        from . import clock as module
    elif reader == _ALARM:
        from . import alarm as module
    elif reader == _ERROR:
        from . import error_codes as module
    elif reader == _IMAGE:
        from . import image as module
    elif reader == _SITP:
        from . import sitp as module
    elif reader == _MAKER and body:
        return [(0, len(body), "manufacturer_data", body.hex().upper(), None)]
    else:
        return []
    return module.fields(body, ci)


def record_field(record, offset, label):
    """A field over all bytes of a record.Record that was decoded from a body's bytes behind `offset`."""
    length = len(record.dib) + len(record.vib) + len(record.data)
    value = record.text or record.flag or ""
    if record.mantissa is not None:
        value = str(record.mantissa)
        if record.exponent:
            value += "e" + str(record.exponent)
    text = record.quantity + " " + value + (" " + record.unit if record.unit else "")
    return (offset + record.offset, length, label, text, None)
