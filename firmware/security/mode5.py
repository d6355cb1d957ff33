"""Security mode 5, OMS profile A: AES-128-CBC under the meter's persistent key (security sheet section 5).

The only check is that the plain text begins with 2F 2F: one telegram of 65536 under a wrong key passes, nothing is
authenticated, and there is no replay counter. The check bytes do not even depend on the whole IV: a changed access
number or identification garbles the first block behind them and goes unnoticed. Both directions use the meter's key,
the meter's address and the access number of the transport layer.
"""

from ..errors import MisuseError, TransportError, WrongKeyError
from ..portable import const
from .aes import BLOCK, cbc_decrypt, cbc_encrypt

ALL = 15  # N: everything to the end of the application layer is encrypted, there is no clear tail
_CHECK = const(b"\x2f\x2f")
_FILLER = const(b"\x2f")


def _iv(address, access_number):
    """M, ID, version, type as in the link layer, then eight times the access number."""
    return address.link_bytes() + bytes((access_number,)) * 8


def encrypted_length(blocks, length):
    """Bytes that are encrypted of a body of `length` bytes whose configuration field says N = blocks.

    TransportError if the body cannot hold them.
    """
    if blocks == ALL:
        if length % BLOCK or not length:
            raise TransportError(
                "mode 5 encrypts the whole body, but {} bytes are no whole blocks".format(length)
            )
        return length
    if blocks * BLOCK > length:
        raise TransportError(
            "mode 5 announces {} encrypted blocks, but {} bytes follow".format(blocks, length)
        )
    return blocks * BLOCK


def open(key, address, access_number, data):
    """Decrypt. data: the encrypted blocks. Returns as many bytes of plain text, the check bytes 2F 2F included.

    address: the meter's Address. access_number: of the transport layer. WrongKeyError if the check bytes are missing.
    """
    plain = cbc_decrypt(key, _iv(address, access_number), data)
    if plain[:2] != _CHECK:
        raise WrongKeyError("no check bytes behind the decryption")
    return plain


def seal(key, address, access_number, data):
    """Encrypt application data: 2F 2F is put before it, idle filler 2F behind it up to whole blocks.

    A clear tail is appended by the caller, who then sets N to `blocks(sealed)`; it starts on a record border.
    """
    plain = _CHECK + bytes(data)
    plain += _FILLER * (-len(plain) % BLOCK)
    return cbc_encrypt(key, _iv(address, access_number), plain)


def blocks(sealed, tail=0):
    """N of the configuration field for sealed data with a clear tail of `tail` bytes.

    MisuseError if there are too many blocks to leave a clear tail.
    """
    n = len(sealed) // BLOCK
    if n < ALL:
        return n
    if tail:
        raise MisuseError("at most 14 encrypted blocks can have a clear tail, these are {}".format(n))
    return ALL
