"""AES-128 in counter mode: encrypting and decrypting are the same (NIST SP 800-38A)."""

from .aes import BLOCK, ecb_encrypt
from .octets import xor


def ctr(key, block, data):
    """data, encrypted or decrypted. block: the first counter block, 16 bytes, counted up as one big-endian number."""
    if not data:
        return b""
    first = int.from_bytes(block, "big")
    blocks = b"".join(
        [
            ((first + i) & (1 << 128) - 1).to_bytes(BLOCK, "big")
            for i in range((len(data) + BLOCK - 1) // BLOCK)
        ]
    )
    return xor(bytes(data), ecb_encrypt(key, blocks)[: len(data)])
