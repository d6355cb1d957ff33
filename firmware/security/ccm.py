"""AES-CCM with a nonce of 13 bytes, so that lengths have 2 (RFC 3610)."""

from ..errors import MisuseError
from .aes import BLOCK, cbc_encrypt
from .ctr import ctr

_LENGTH_BYTES = 2
_NONCE_BYTES = 15 - _LENGTH_BYTES


def ccm(key, nonce, data, associated, tag_bytes, encrypt):
    """(data encrypted or decrypted, tag over the plain text). The receiver compares the tag before he uses the text.

    nonce: 13 bytes. associated: bytes that the tag covers but that are not encrypted, less than 65280. tag_bytes: 4, 6 .. 16.
    MisuseError if a length does not fit.
    """
    if len(nonce) != _NONCE_BYTES or tag_bytes not in (4, 6, 8, 10, 12, 14, 16):
        raise MisuseError("no such CCM: nonce of {} bytes, tag of {}".format(len(nonce), tag_bytes))
    if len(associated) >= 0xFF00 or len(data) > 0xFFFF:
        raise MisuseError("too long for CCM")
    head = bytes((_LENGTH_BYTES - 1,)) + nonce
    out = ctr(key, head + b"\x00\x01", data)
    plain = data if encrypt else out
    flags = (0x40 if associated else 0) | (tag_bytes - 2) // 2 << 3 | _LENGTH_BYTES - 1
    mac = bytes((flags,)) + nonce + len(data).to_bytes(_LENGTH_BYTES, "big")
    if associated:
        mac += _padded(len(associated).to_bytes(2, "big") + associated)
    mac = cbc_encrypt(key, bytes(BLOCK), mac + _padded(plain))[-BLOCK:]
    return out, ctr(key, head + b"\x00\x00", mac[:tag_bytes])


def _padded(data):
    return bytes(data) + bytes(-len(data) % BLOCK)
