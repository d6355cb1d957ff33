"""Application error (CI 6E, 6F, 70): its codes, what a body says, and a body to send (EN 13757-3:2018 clause 10, Table 21;
OMS Vol.2 8.8 Table 40; sheet en13757-3-application 8.4, oms-requirements 10.5).

The body is one code; behind F0 stands a record that says more. An empty body is an unspecified error. Loaded when there is
an error to send or to read.
"""

from ..errors import MisuseError

UNSPECIFIED = 0x00
CI_NOT_IMPLEMENTED = 0x01
TOO_MANY_RECORDS = 0x03
BUSY = 0x08
NOT_FINISHED = 0x10
NO_FUNCTION = 0x11
NO_DATA = 0x12
PARAMETER = 0x15
SIZE = 0x16
MECHANISM = 0x21
TOO_WEAK = 0x22
DYNAMIC = 0xF0

NAMES = {
    0x00: "unspecified error",
    0x01: "CI field not implemented",
    0x02: "buffer too long, truncated",
    0x03: "too many records",
    0x04: "premature end of record",
    0x05: "more than 10 DIFE",
    0x06: "more than 10 VIFE",
    0x07: "reserved",
    0x08: "busy",
    0x09: "too many readouts",
    0x10: "not yet finished",
    0x11: "no such function",
    0x12: "data unavailable",
    0x13: "routing or relaying error",
    0x14: "access violation",
    0x15: "parameter missing or wrong",
    0x16: "size error",
    0x17: "wrong message structure",
    0x20: "security error",
    0x21: "security mechanism not supported",
    0x22: "security method too weak",
    0xF0: "dynamic error, a record follows",
}

# Status byte bits 1-0 of the telegram that carries an application error (OMS 7.2.3 Table 17): "any application error",
# for busy (08) too, because 01 means that there is no feedback yet.
STATUS = 0x02


def name(code):
    """What a code means; "reserved" where the standard gives it no meaning."""
    if code > 0xF0:
        return "manufacturer specific"
    return NAMES.get(code, "reserved")


def fields(body, _ci=None):
    """The fields of a body, as protocols.read gives them; bytes that are not explained are left to it."""
    if not body:
        return [(0, 0, "error", UNSPECIFIED, None), (0, 0, "meaning", NAMES[UNSPECIFIED], None)]
    code = body[0]
    out = [(0, 1, "error", code, None), (1, 0, "meaning", name(code), None)]
    if code == DYNAMIC:
        from . import record
        from .protocols import record_field

        records = record.decode(body[1:])[0]
        if records and not records[0].offset:  # one record follows; what stands behind it is left over
            out.append(record_field(records[0], 1, "record"))
    elif code > DYNAMIC and len(body) > 1:
        out.append((1, len(body) - 1, "manufacturer_data", bytes(body[1:]).hex().upper(), None))
    return out


def build(code=None, more=b""):
    """The body of an application error; to be sent with STATUS in the status byte. Without `code` it is empty.

    `more` is the record behind F0, or the manufacturer's bytes behind F1-FF. Raises MisuseError for anything else.
    """
    if code is None:
        if more:
            raise MisuseError("no bytes without an error code")
        return b""
    if not 0 <= code <= 0xFF or (more and code < DYNAMIC) or (code == DYNAMIC and not more):
        raise MisuseError("a record stands behind code F0 and nowhere else")
    return bytes((code,)) + bytes(more)
