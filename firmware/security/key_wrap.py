"""AES key wrap: RFC 3394, and with padding RFC 5649 (NIST SP 800-38F: KW and KWP).

Profile ASP01 wraps keys and their activation with the padded one (security sheet section 10.3). Its check value is all the
authentication there is: what comes out is used only after `unwrap` has returned.
"""

from ..errors import MacError, MisuseError
from .aes import BLOCK, cbc_decrypt, ecb_encrypt
from .keys import Key
from .octets import equal, xor

_CHECK = b"\xa6" * 8
_CHECK_PADDED = b"\xa6\x59\x59\xa6"  # the length of the plain text follows, most significant byte first
_HALF = 8


def wrap(key, data):
    """RFC 3394: 16 bytes or more, a multiple of 8; the result is 8 bytes longer. key: the Key that wraps."""
    if len(data) < 2 * _HALF or len(data) % _HALF:
        raise MisuseError("key wrap without padding takes 16, 24, ... bytes, not {}".format(len(data)))
    return _wrap(_encrypt(key), _CHECK, bytes(data))


def unwrap(key, data):
    """The inverse of `wrap`. MacError if the check value is wrong: another key, or altered."""
    if len(data) < 3 * _HALF or len(data) % _HALF:
        raise MacError("{} bytes are no wrapped key".format(len(data)))
    check, plain = _unwrap(_decrypt(key), bytes(data))
    if not equal(check, _CHECK):
        raise MacError("the check value of the wrapped key is wrong")
    return plain


def wrap_padded(key, data):
    """RFC 5649: any length from 1 on; the result is a multiple of 8."""
    if not data:
        raise MisuseError("nothing to wrap")
    return _wrap_padded(_encrypt(key), bytes(data))


def unwrap_padded(key, data):
    """The inverse of `wrap_padded`. MacError if check value, length or padding is wrong."""
    if len(data) < 2 * _HALF or len(data) % _HALF:
        raise MacError("{} bytes are no wrapped key".format(len(data)))
    return _unwrap_padded(_decrypt(key), bytes(data))


def wrap_key(key, secret, more=b""):
    """A Key with `more` bytes behind it, wrapped with padding."""
    return wrap_padded(key, secret._secret + bytes(more))


def unwrap_key(key, data):
    """(Key, the bytes behind it) of what `wrap_key` made. MacError as above, or if there is no room for a key."""
    plain = unwrap_padded(key, data)
    if len(plain) < BLOCK:
        raise MacError("{} wrapped bytes hold no key".format(len(plain)))
    return Key(plain[:BLOCK]), plain[BLOCK:]


# --- with any block cipher: the RFC's examples have longer keys than ours ---


def _wrap_padded(encrypt, data):
    check = _CHECK_PADDED + len(data).to_bytes(4, "big")
    data += bytes(-len(data) % _HALF)
    return encrypt(check + data) if len(data) == _HALF else _wrap(encrypt, check, data)


def _unwrap_padded(decrypt, data):
    if len(data) == BLOCK:
        both = decrypt(data)
        check, plain = both[:_HALF], both[_HALF:]
    else:
        check, plain = _unwrap(decrypt, data)
    length = int.from_bytes(check[4:], "big")
    fits = equal(check[:4], _CHECK_PADDED) and 0 <= len(plain) - length < _HALF
    if not fits or not equal(plain[length:], bytes(len(plain) - length)):
        raise MacError("the check value of the wrapped key is wrong")
    return plain[:length]


def _wrap(encrypt, check, data):
    rows = [data[i : i + _HALF] for i in range(0, len(data), _HALF)]
    step = 0
    for _ in range(6):
        for i in range(len(rows)):
            step += 1
            both = encrypt(check + rows[i])
            check, rows[i] = xor(both[:_HALF], step.to_bytes(_HALF, "big")), both[_HALF:]
    return check + b"".join(rows)


def _unwrap(decrypt, data):
    check = data[:_HALF]
    rows = [data[i : i + _HALF] for i in range(_HALF, len(data), _HALF)]
    step = 6 * len(rows)
    for _ in range(6):
        for i in range(len(rows) - 1, -1, -1):
            both = decrypt(xor(check, step.to_bytes(_HALF, "big")) + rows[i])
            check, rows[i] = both[:_HALF], both[_HALF:]
            step -= 1
    return check, b"".join(rows)


def _encrypt(key):
    return lambda block: ecb_encrypt(key, block)


def _decrypt(key):
    # One block chained to nothing is the block by itself.
    zero = bytes(BLOCK)
    return lambda block: cbc_decrypt(key, zero, block)
