"""Extended link layer, ELL (EN 13757-4:2019 13.2; link sheet 7): CI 8C, 8D, 8E and 8F.

The fields of CI 86 (ELL V) are not public; it is refused by name. OMS uses 8C and 8E only and forbids encryption here.
"""

from ..errors import CrcError, LengthError, LinkError, MisuseError
from .address import Address
from .crc import crc16

# CC field (13.2.7; link sheet 7.2)
BIDIRECTIONAL = 0x80
FAST_RESPONSE = 0x40
SYNCHRONOUS = 0x20
HOP = 0x10
PRIORITY = 0x08
ACCESSIBLE = 0x04
REPEATED_ACCESS = 0x02
EXTENDED_DELAY = 0x01

_WITH_RECEIVER = 0x02  # bit of the CI: 8E and 8F name the receiver
_WITH_SESSION = 0x01  # 8D and 8F have session number and payload CRC


class Ell:
    """ci, cc, access_number: bytes. receiver: Address or None. sn: session number (32 bits) or None; its bits 31-29,
    `encryption`, say how the rest is encrypted (0 none, 1 AES-128 counter mode). payload_crc: integer, or None where
    there is none or where it is encrypted. `size`: bytes of the layer including its CI.
    """

    def __init__(self, ci, cc, access_number, receiver, sn, payload_crc, size):
        self.ci = ci
        self.cc = cc
        self.access_number = access_number
        self.receiver = receiver
        self.sn = sn
        self.payload_crc = payload_crc
        self.size = size

    @property
    def hops(self):
        """1 if a repeater sent it."""
        return 1 if self.cc & HOP else 0

    @property
    def encryption(self):
        return 0 if self.sn is None else self.sn >> 29

    @property
    def encrypted(self):
        return self.encryption != 0


def parse(telegram, offset):
    """The ELL whose CI is at `offset` of the telegram (bytes L..end, without link CRCs), or None if that is no ELL.

    Plain 8D and 8F: CrcError if the payload CRC is wrong. Encrypted ones are parsed and marked, nothing behind the
    session number can be read. LengthError if the telegram ends inside, LinkError for CI 86.
    """
    ci = telegram[offset]
    if ci == 0x86:
        raise LinkError("ELL V (CI 86) is not supported", offset, "the layout of this layer is not public")
    if not 0x8C <= ci <= 0x8F:
        return None
    receiver = sn = payload_crc = None
    at = offset + 3
    size = 3 + (8 if ci & _WITH_RECEIVER else 0) + (6 if ci & _WITH_SESSION else 0)
    if offset + size > len(telegram):
        raise LengthError("the telegram ends inside its ELL", offset)
    if ci & _WITH_RECEIVER:
        receiver = Address.from_link(telegram[at : at + 8])
        at += 8
    if ci & _WITH_SESSION:
        sn = telegram[at] | telegram[at + 1] << 8 | telegram[at + 2] << 16 | telegram[at + 3] << 24
        if sn >> 29 == 0:
            payload_crc = telegram[at + 4] | telegram[at + 5] << 8
            if payload_crc != crc16(telegram, at + 6):
                raise CrcError("wrong payload CRC of the ELL", None)
    return Ell(ci, telegram[offset + 1], telegram[offset + 2], receiver, sn, payload_crc, size)


def build(cc, access_number, receiver=None, sn=None, payload=b""):
    """ELL and the payload behind it, bytes from the CI on, not encrypted.

    cc, access_number: bytes. receiver: Address, gives 8E or 8F. sn: session number with ENC = 0, gives 8D or 8F with the
    CRC of `payload` (bytes from the next CI on). MisuseError if a number does not fit or ENC is not 0.
    """
    if not 0 <= cc <= 255 or not 0 <= access_number <= 255:
        raise MisuseError("CC and access number are bytes")
    if sn is not None and not 0 <= sn < 1 << 29:
        raise MisuseError("a session number without encryption has 29 bits")
    ci = 0x8C | (_WITH_RECEIVER if receiver is not None else 0) | (_WITH_SESSION if sn is not None else 0)
    out = bytes([ci, cc, access_number])
    if receiver is not None:
        out += receiver.link_bytes()
    if sn is not None:
        crc = crc16(payload)
        out += bytes([sn & 0xFF, sn >> 8 & 0xFF, sn >> 16 & 0xFF, sn >> 24, crc & 0xFF, crc >> 8])
    return out + payload


def seal(key, address, cc, access_number, sn, payload, receiver=None):
    """As `build` for 8D or 8F, encrypted (AES-128 counter mode; link sheet 7.4): bytes from the CI on.

    key: security Key. address: of the link layer, the sender's. sn: session number, 29 bits; ENC is set here.
    """
    from ..security import session  # only few send so

    plain = build(cc, access_number, receiver, sn, payload)
    start = len(plain) - len(payload) - 2
    sn |= session.AES_CTR << 29
    return plain[: start - 4] + sn.to_bytes(4, "little") + session.open(key, address, cc, sn, plain[start:])
