"""Keys as people write them, and the little that is shown of them."""

import hashlib

from ..errors import MisuseError

_HEX = "0123456789abcdefABCDEF"


def parse(text):
    """The 16 bytes of 32 hex digits. MisuseError says what is wrong without quoting."""
    if not isinstance(text, str):
        raise MisuseError("a key is written as 32 hex digits")
    text = text.strip()
    hint = "write the key as 32 hex digits without blanks, prefix or quotes"
    for index, char in enumerate(text):
        if char not in _HEX:
            message = "character {} of the key is not a hex digit".format(index + 1)
            raise MisuseError(message, position=index, hint=hint)
    if len(text) != 32:
        raise MisuseError("a key has 32 hex digits, this one has {}".format(len(text)), hint=hint)
    return bytes.fromhex(text)


def written(key):
    """The 32 hex digits of a Key: for the file of a key store, and nowhere else."""
    return key._secret.hex().upper()


def fingerprint(secret):
    """Six hex digits of a hash: tells keys apart, does not lead back to the key."""
    return hashlib.sha256(b"omsnode key " + secret).digest()[:3].hex()
