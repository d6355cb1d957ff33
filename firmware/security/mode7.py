"""Security mode 7, OMS profile B: AES-128-CBC with a zero IV under a key of this message alone (security sheet section 6).

Keys come from kdf.derive. The MAC over the message stands in the AFL (transport.authentication) and is checked first.
"""

from ..errors import TransportError, WrongKeyError
from .aes import BLOCK, cbc_decrypt, cbc_encrypt

_ZERO = bytes(BLOCK)
_CHECK = b"\x2f\x2f"


def open(key, data, padded=False):
    """Decrypt whole blocks; as many bytes of plain text, the check bytes 2F 2F and the padding included.

    padded: P of the configuration field, the end is TPL padding. WrongKeyError if the check bytes are missing,
    TransportError if the padding is none.
    """
    plain = cbc_decrypt(key, _ZERO, data)
    if plain[:2] != _CHECK:
        raise WrongKeyError(
            "no check bytes behind the decryption",
            hint="the MAC is right, the check bytes 2F 2F are missing all the same: its sender made it wrong",
        )
    if padded and not padding(plain):
        raise TransportError("what ends the decrypted data is no TPL padding")
    return plain


def padding(plain):
    """How many bytes of TPL padding end this plain text (6.4): each holds their number. 0 where there is none."""
    count = plain[-1]
    fits = 1 <= count <= BLOCK and plain[-count:] == bytes((count,)) * count
    return count if fits else 0


def seal(key, data, padded=False):
    """Encrypt application data: 2F 2F is put before it; idle filler 2F, or TPL padding, behind it up to whole blocks."""
    plain = _CHECK + bytes(data)
    if padded:
        count = BLOCK - len(plain) % BLOCK
        plain += bytes((count,)) * count
    else:
        plain += b"\x2f" * (-len(plain) % BLOCK)
    return cbc_encrypt(key, _ZERO, plain)
