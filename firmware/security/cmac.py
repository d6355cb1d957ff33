"""AES-CMAC (RFC 4493; NIST SP 800-38B)."""

from .aes import BLOCK, cbc_encrypt, ecb_encrypt
from .octets import xor

_ZERO = bytes(BLOCK)


def cmac(key, data):
    """The 16 bytes of the MAC, most significant first; who sends fewer takes the first ones. key: a Key."""
    subkey = _double(ecb_encrypt(key, _ZERO))
    rest = len(data) % BLOCK
    data = bytes(data)
    if rest or not data:
        data += b"\x80" + bytes(BLOCK - 1 - rest)
        subkey = _double(subkey)
    return cbc_encrypt(key, _ZERO, data[:-BLOCK] + xor(data[-BLOCK:], subkey))[-BLOCK:]


def _double(block):
    """Times x in GF(2**128)."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = number & (1 << 128) - 1 ^ 0x87
    return number.to_bytes(BLOCK, "big")
