"""Transport layer header: CI field, addresses, access number, status and configuration field, both directions.

EN 13757-7 as restated in the security sheet sections 2 (CI codes), 3 (header) and 4 (configuration field). Multi-byte
fields are least significant byte first.
"""

from ..errors import MisuseError, TransportError
from ..link.address import Address

NONE, SHORT, LONG = "none", "short", "long"
UP, DOWN = "up", "down"
# What stands behind the header.
RECORDS, EMPTY, ERROR, OTHER, REFUSED = "records", "empty", "error", "other", "refused"

# One row per CI code: code, header (- none, S short, L long), direction (u up, d down, * both), content (r M-Bus
# records, 0 nothing, e application error, . other data, x not for this layer), name. A string and not a dict: a small
# device pays for it once and in one piece.
_CODES = """
50 - d . application reset or select
51 - d r M-Bus command
52 - d . select device
53 L d . application reset or select
54 - d . request selected application
55 L d . request selected application
56 S d . request selected application
57 S d . application reset or select
5A S d r M-Bus command
5B L d r M-Bus command
5C - d . synchronise action
5F L d . TLS handshake command
60 L d . DLMS command
61 S d . DLMS command
62 S d . clock synchronisation
64 L d . SML command
65 S d . SML command
66 - u . selected application
67 S u . selected application
68 L u . selected application
69 - u . M-Bus format frame
6A S u . M-Bus format frame
6B L u . M-Bus format frame
6C L d . clock synchronisation
6D L d . clock synchronisation
6E S u e application error
6F L u e application error
70 - u e application error
71 - u . alarm
72 L u r M-Bus data
73 L u . M-Bus compact frame
74 S u . alarm
75 L u . alarm
78 - u r M-Bus data
79 - u . M-Bus compact frame
7A S u r M-Bus data
7B S u . M-Bus compact frame
7C L u . DLMS data
7D S u . DLMS data
7E L u . SML data
7F S u . SML data
80 L d 0 transport layer only
81 - * x network layer
82 L d . network management
83 - d . network management
84 L d 0 transport layer only, compact frame expected
85 L d 0 transport layer only, format frame expected
86 - * x extended link layer V
87 L u . network management
88 S u . network management
89 - u . network management
8A S u 0 transport layer only
8B L u 0 transport layer only
8C - * x extended link layer I
8D - * x extended link layer II
8E - * x extended link layer III
8F - * x extended link layer IV
90 - * x authentication and fragmentation layer
92 S d . network management
93 S d 0 transport layer only
9E S u . TLS handshake response
9F L u . TLS handshake response
B8 - d x set baud rate 300
BB - d x set baud rate 2400
BD - d x set baud rate 9600
BE - d x set baud rate 19200
BF - d x set baud rate 38400
C0 L d . image transfer command
C1 S u . image transfer response
C2 L u . image transfer response
C3 L d . security information transfer command
C4 S u . security information transfer response
C5 L u . security information transfer response
C6 S d . security information transfer command
C7 S d . image transfer command
CF - * x M-Bus adaptation layer
"""
_KIND = {"-": NONE, "S": SHORT, "L": LONG}
_DIRECTION = {"u": UP, "d": DOWN, "*": None}
_CONTENT = {"r": RECORDS, "0": EMPTY, "e": ERROR, ".": OTHER, "x": REFUSED}

# Status bits of a meter above the two application bits (sheet 3.1); bits 7..5 belong to the manufacturer.
_APPLICATION_STATUS = (None, "application busy", "application error", "alarm")
_STATUS_BITS = (
    (0x04, "low power"),
    (0x08, "permanent error"),
    (0x10, "temporary error"),
    (0x20, "manufacturer specific 1"),
    (0x40, "manufacturer specific 2"),
    (0x80, "manufacturer specific 3"),
)


def ci_row(ci):
    """(kind, direction, content, name) of a CI code; direction is None where it goes both ways."""
    at = _CODES.find("\n{:02X} ".format(ci))
    if at >= 0:
        name = _CODES[at + 10 : _CODES.find("\n", at + 1)]
        return _KIND[_CODES[at + 4]], _DIRECTION[_CODES[at + 6]], _CONTENT[_CODES[at + 8]], name
    if ci < 0x20:
        return NONE, DOWN, OTHER, "DLMS"
    if 0xA0 <= ci <= 0xB7:
        return NONE, None, REFUSED, "manufacturer specific"
    return NONE, None, REFUSED, "reserved"


class Tpl:
    """A transport layer header as it was read.

    ci: CI code. kind: "none", "short", "long". direction: "up" or "down". content: what the CI announces. name: of the
    CI code. address: the meter's Address (long header) or None. access_number, status: 0..255, None without a header.
    configuration_field: 16 bits or None. mode: security mode, None without a header. blocks: N of modes 0, 5, 7.
    configuration_extension: bytes of CFE, key version and counter behind it. offset: of the CI code.
    payload_offset: of the first byte behind the header.
    """

    def __init__(self, ci, offset):
        self.ci = ci
        self.kind, self.direction, self.content, self.name = ci_row(ci)
        self.offset = offset
        self.payload_offset = offset + 1
        self.address = None
        self.access_number = None
        self.status = None
        self.configuration_field = None
        self.mode = None
        self.blocks = 0
        self.configuration_extension = b""

    def status_flags(self):
        """Names of the status bits a meter has set. A gateway's status byte is a level: see `level_dbm`."""
        if self.status is None or self.direction != UP:
            return []
        flags = [name for bit, name in _STATUS_BITS if self.status & bit]
        application = _APPLICATION_STATUS[self.status & 3]
        return [application] + flags if application else flags

    def level_dbm(self):
        """How strong the gateway hears the meter, in dBm; None if it does not say (sheet 3.2)."""
        level = (self.status or 0) & 0x3F
        return level * 2 - 130 if level and self.direction == DOWN else None


def _extension_length(mode, data, offset):
    """Length of what modes 7, 10 and 13 put behind the configuration field (sheet 4.3, 4.6, 4.7)."""
    if mode == 7:
        return 2 if offset < len(data) and data[offset] & 0x40 else 1
    if mode == 10:
        return 7 if offset < len(data) and data[offset] & 0x40 else 6
    return 1 if mode == 13 else 0


def parse(data, offset):
    """Read the header whose CI code is data[offset].

    Returns a Tpl; its content is REFUSED if the CI code is none of a transport or application layer. TransportError if
    the header is cut off (position = byte offset).
    """
    if offset >= len(data):
        raise TransportError("no CI field", position=offset)
    tpl = Tpl(data[offset], offset)
    if tpl.kind == NONE:
        return tpl
    at = offset + 1
    need = at + (12 if tpl.kind == LONG else 4)
    if need <= len(data):
        if tpl.kind == LONG:
            tpl.address = Address.from_tpl(data[at : at + 8])
            at += 8
        tpl.access_number = data[at]
        tpl.status = data[at + 1]
        tpl.configuration_field = data[at + 2] | data[at + 3] << 8
        tpl.mode = data[at + 3] & 0x1F
        if tpl.mode in (0, 5, 7):
            tpl.blocks = data[at + 2] >> 4
        need += _extension_length(tpl.mode, data, need)
        tpl.configuration_extension = bytes(data[at + 4 : need])
    if need > len(data):
        raise TransportError(
            "the {} header of CI {:02X} is cut off".format(tpl.kind, tpl.ci), position=len(data)
        )
    tpl.payload_offset = need
    return tpl


def configuration(mode, blocks=0, bidirectional=False, accessible=False, synchronous=False, content=0):
    """Configuration field of security modes 0 and 5 (sheet 4.1). blocks: N, 0..15. content: CC, 0..3."""
    if mode not in (0, 5) or not 0 <= blocks <= 15 or not 0 <= content <= 3:
        raise MisuseError("no such configuration field: mode {}, N {}, CC {}".format(mode, blocks, content))
    flags = (bidirectional and 0x8000) | (accessible and 0x4000) | (synchronous and 0x2000)
    return int(flags) | mode << 8 | blocks << 4 | content << 2


def build(ci, access_number=None, status=0, configuration_field=0, address=None):
    """Bytes of a header: the CI code and what belongs to it.

    address: the meter's Address, for a long header and only there. MisuseError if the CI has another kind of header or
    a value is out of range.
    """
    kind = ci_row(ci)[0]
    if kind == NONE:
        return bytes((ci,))
    if (address is None) != (kind != LONG):
        raise MisuseError("CI {:02X} has a {} header".format(ci, kind))
    if access_number is None or not 0 <= access_number <= 255 or not 0 <= status <= 255:
        raise MisuseError("access number and status are bytes")
    fields = (access_number, status, configuration_field & 0xFF, configuration_field >> 8 & 0xFF)
    return bytes((ci,)) + (address.tpl_bytes() if address else b"") + bytes(fields)
