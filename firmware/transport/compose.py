"""Transport layer header of a telegram that we send, both directions (security sheet sections 3 and 4)."""

from ..errors import MisuseError


def configuration(mode, blocks=0, bidirectional=False, accessible=False, synchronous=False, content=0):
    """Configuration field of security modes 0 and 5 (sheet 4.1). blocks: N, 0..15. content: CC, 0..3."""
    if mode not in (0, 5) or not 0 <= blocks <= 15 or not 0 <= content <= 3:
        raise MisuseError("no such configuration field: mode {}, N {}, CC {}".format(mode, blocks, content))
    flags = (bidirectional and 0x8000) | (accessible and 0x4000) | (synchronous and 0x2000)
    return int(flags) | mode << 8 | blocks << 4 | content << 2


def build(ci, access_number, status=0, configuration_field=0, address=None):
    """Bytes of a header from its CI code on. address: the meter's Address makes it a long header.

    Which of the two a CI code announces is in the table of ci.py, which a sender does without: its few CI codes are known
    where they are written down. MisuseError if a value is out of range.
    """
    if not 0 <= access_number <= 255 or not 0 <= status <= 255:
        raise MisuseError("access number and status are bytes")
    fields = (access_number, status, configuration_field & 0xFF, configuration_field >> 8 & 0xFF)
    return bytes((ci,)) + (address.tpl_bytes() if address else b"") + bytes(fields)
