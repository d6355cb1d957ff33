"""Encryption in the extended link layer: AES-128 counter mode under a session number (security sheet section 9).

Kamstrup and others use it; OMS forbids it. The payload CRC behind the decryption is a check, no authentication: it is
linear, and who flips bits can mend it.
"""

from .ctr import ctr

AES_CTR = 1  # bits 31-29 of the session number
_MUTABLE = 0x12  # CC bits that repeaters change: hop count and repeated access


def open(key, address, cc, sn, data):
    """Decrypt what stands behind the session number: payload CRC (2 bytes) and the layers above.

    address: of the link layer. cc: as received. sn: session number, 32 bits. Returns as many plain bytes; whoever calls
    checks the CRC (application.layers). That the 8 bytes of CI 8F enter nowhere is inferred: no public example.
    """
    block = address.link_bytes() + bytes((cc & ~_MUTABLE & 0xFF,)) + sn.to_bytes(4, "little") + bytes(3)
    return ctr(key, block, data)
