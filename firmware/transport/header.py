"""Transport layer header of a telegram that was received: CI field, address, access number, status, configuration field.

EN 13757-7 as restated in the security sheet sections 3 (header) and 4 (configuration field). Multi-byte fields are least
significant byte first. The header that we send is made in compose.py.
"""

from ..errors import TransportError
from ..link.address import Address
from .ci import DOWN, LONG, NONE, UP, row

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
_COUNTER = 0x2000  # Z of modes 7 and 10: the message counter stands in the header


class Tpl:
    """A transport layer header as it was read.

    ci: CI code. kind: "none", "short", "long". direction: "up" or "down". content: what the CI announces. name: of the
    CI code. address: the meter's Address (long header) or None. access_number, status: 0..255, None without a header.
    configuration_field: 16 bits or None. mode: security mode, None without a header. blocks: N of modes 0, 5, 7.
    configuration_extension: bytes of CFE, key version and counter behind it; see `key_selection`. offset: of the CI code.
    payload_offset: of the first byte behind the header.
    """

    def __init__(self, ci, offset):
        self.ci = ci
        self.kind, self.direction, self.content = row(ci)
        self.offset = offset
        self.payload_offset = offset + 1
        self.address = None
        self.access_number = None
        self.status = None
        self.configuration_field = None
        self.mode = None
        self.blocks = 0
        self.configuration_extension = b""

    @property
    def name(self):
        from .ci_names import name

        return name(self.ci)

    def status_flags(self):
        """Names of the status bits a meter has set. A gateway's status byte is a level: see `level_dbm`."""
        if self.status is None or self.direction != UP:
            return []
        flags = [name for bit, name in _STATUS_BITS if self.status & bit]
        application = _APPLICATION_STATUS[self.status & 3]
        return [application] + flags if application else flags

    def key_selection(self):
        """(DD, KeyID, key version or None, message counter or None) of modes 7 and 10 (sheet 4.3, 4.6).

        That the key version stands before the counter is inferred: two sources disagree.
        """
        extension = self.configuration_extension
        counter = None
        if self.configuration_field & _COUNTER:
            counter = int.from_bytes(extension[-4:], "little")
        version = extension[1 if self.mode == 7 else 2] if extension[0] & 0x40 else None
        return extension[0] >> 4 & 3, extension[0] & 0x0F, version, counter

    def level_dbm(self):
        """How strong the gateway hears the meter, in dBm; None if it does not say (sheet 3.2)."""
        level = (self.status or 0) & 0x3F
        return level * 2 - 130 if level and self.direction == DOWN else None


def _extension_length(configuration_field, data, offset):
    """Length of what modes 7, 9, 10 and 13 put behind the configuration field (sheet 4.3 to 4.7): CFE, key version where
    its bit V says so, message counter; in mode 9 the two lengths and the counter."""
    mode = configuration_field >> 8 & 0x1F
    if mode == 9:
        return 6 + (configuration_field >> 7 & 1) + (configuration_field >> 6 & 1)
    if mode not in (7, 10):
        return 1 if mode == 13 else 0
    length = (1 if mode == 7 else 2) + (4 if configuration_field & _COUNTER else 0)
    return length + 1 if offset < len(data) and data[offset] & 0x40 else length


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
        need += _extension_length(tpl.configuration_field, data, need)
        tpl.configuration_extension = bytes(data[at + 4 : need])
    if need > len(data):
        raise TransportError(
            "the {} header of CI {:02X} is cut off".format(tpl.kind, tpl.ci), position=len(data)
        )
    tpl.payload_offset = need
    return tpl
