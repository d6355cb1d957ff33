"""Security mode 9: AES-128-GCM with a counter, as the Dutch ESMR 5 writes it (security sheet sections 4.5 and 8.1).

Everything here is inferred from that profile, a draft of 2015: no public telegram with its key is known, and the EN of
2018 may differ. Receiving only.
"""

from ..errors import MacError
from .aes import BLOCK, ecb_encrypt
from .ctr import ctr
from .octets import equal, xor

TAG_BYTES = 12
_POLYNOMIAL = 0xE1 << 120


def associated(configuration_field, lengths, half, clear):
    """What is authenticated beside the text: configuration field, LenU, LenE, clear bytes. That the field goes in as it
    is sent, least significant byte first, is inferred."""
    return configuration_field.to_bytes(2, "little") + lengths[half:] + lengths[:half] + clear


def open(key, address, counter, header, data, tag):
    """Plain text of `data`. counter: 4 bytes as sent, most significant first. header: see `associated`. MacError if the
    tag is wrong."""
    first = address.tpl_bytes() + counter + b"\x00\x00\x00\x01"
    mac = _ghash(key, header, data)
    if not equal(xor(mac, ecb_encrypt(key, first))[: len(tag)], tag):
        raise MacError(
            "the tag of the message is wrong",
            hint="another key, somebody changed the message, or not the layout of ESMR 5, from which all is inferred",
        )
    return ctr(key, first[:-1] + b"\x02", data)


def _ghash(key, header, data):
    """GHASH of NIST SP 800-38D 6.4."""
    factor = int.from_bytes(ecb_encrypt(key, bytes(BLOCK)), "big")
    lengths = (8 * len(header)).to_bytes(8, "big") + (8 * len(data)).to_bytes(8, "big")
    text = bytes(header) + bytes(-len(header) % BLOCK) + bytes(data) + bytes(-len(data) % BLOCK) + lengths
    state = 0
    for at in range(0, len(text), BLOCK):
        state = _times(state ^ int.from_bytes(text[at : at + BLOCK], "big"), factor)
    return state.to_bytes(BLOCK, "big")


def _times(a, b):
    """Product in GF(2**128), bit 0 leftmost as SP 800-38D numbers them."""
    product = 0
    for i in range(127, -1, -1):
        if a >> i & 1:
            product ^= b
        b = b >> 1 ^ _POLYNOMIAL if b & 1 else b >> 1
    return product
