"""A telegram (bytes L..end without link CRCs, L = number of bytes behind it) up to the end of the link layers."""

from ..errors import LengthError, MisuseError
from .address import Address


class Link:
    """c_field: byte. address: Address of the sender. ell: extended.Ell or None. hops: 1 if a repeater sent it, as the
    CC field of the ELL says; 0 without an ELL, where a mode 0 or 5 configuration field may say it. offset: index of the
    first byte behind the link layers (CI of AFL or TPL); the length of the telegram if nothing follows.
    """

    def __init__(self, c_field, address, ell, offset):
        self.c_field = c_field
        self.address = address
        self.ell = ell
        self.offset = offset

    @property
    def hops(self):
        return self.ell.hops if self.ell is not None else 0


def parse(telegram):
    """Link of a telegram. LengthError if the L-field does not fit or the telegram ends inside a field, CrcError for the
    payload CRC of a plain ELL, LinkError for an ELL that is not supported (CI 86). (EN 13757-4 12.5; link sheet 5, 7)
    """
    n = len(telegram)
    if n < 10 or telegram[0] != n - 1:
        raise LengthError("the L-field does not fit a telegram of {} bytes".format(n), 0)
    address = Address.from_link(telegram[2:10])
    if n == 10:
        return Link(telegram[1], address, None, 10)
    ell = None
    if 0x86 <= telegram[10] <= 0x8F:  # an ELL, or another CI code near it
        from . import extended

        ell = extended.parse(telegram, 10)
    return Link(telegram[1], address, ell, 10 if ell is None else 10 + ell.size)


def build(c_field, address, payload=b""):
    """Telegram (bytes) of a C-field, the Address of the sender and the bytes from the CI on. MisuseError if too long."""
    length = 9 + len(payload)
    if length > 255:
        raise MisuseError("{} bytes are more than a telegram holds".format(len(payload)))
    return bytes([length, c_field]) + address.link_bytes() + payload
