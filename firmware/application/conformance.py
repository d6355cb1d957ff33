"""The conformance test command XCT1! and its answer CT1! (OMS Vol.2 Annex M UC-00; sheet oms-requirements 14.13), VIB FD 9F 1D.

Two bytes: 40 or C0, and what is to be answered. Inferred: the data fields of the answers, error 00h (unspecified), C0 acting as
40 does, and that the longest answer is as many bytes 43 as the meter has room for.
"""

from . import builder, error_codes

VIB = b"\xfd\x9f\x1d"
KEY = 0x1F  # KeyID where it comes secured

_REQUESTS = (0x40, 0xC0)
ERROR, EMPTY, SHORT, LONGEST, LONG_COMMAND = range(0x30, 0x35)
_MOST = 0xBF  # bytes of text behind one LVAR
_OVERHEAD = 5  # DIF, VIB, LVAR


def answer(dib, data, limit_bytes):
    """(application error or None, bytes of the record to answer with) of a command with this DIB and these data."""
    if dib[0] & 0x0F == 0x0D:
        data = data[1:]
    if len(data) < 2 or data[0] not in _REQUESTS or not ERROR <= data[1] <= LONG_COMMAND:
        return error_codes.PARAMETER, b""
    if data[1] == ERROR:
        return error_codes.UNSPECIFIED, b""
    if data[1] == EMPTY:
        return None, b""
    if data[1] == SHORT:
        return None, b"\x02" + VIB + b"\x42\x42"
    if data[1] == LONGEST:
        room = max(0, min(_MOST, limit_bytes - _OVERHEAD))
        return None, b"\x0d" + VIB + builder.container(b"\x43" * room)
    if len(data) < 6:
        return error_codes.PARAMETER, b""
    return None, b"\x04" + VIB + bytes(data[-4:])
