"""A key that never shows itself.

`repr`, `str` and `format` give a fingerprint (the first bytes of a hash, enough to see which of two keys is
configured), pickling and copying are refused, and no message about a malformed key quotes it.
"""

import hashlib

from ..errors import MisuseError

_HEX = "0123456789abcdefABCDEF"


class Key:
    """A 128-bit AES key. secret: 16 bytes, most significant first as the standard prints keys."""

    __slots__ = ("_secret",)

    def __init__(self, secret):
        if not isinstance(secret, (bytes, bytearray)) or len(secret) != 16:
            raise MisuseError("an AES-128 key has 16 bytes")
        self._secret = bytes(secret)

    @classmethod
    def from_hex(cls, text):
        """Key of 32 hex digits, blanks around them allowed. MisuseError says what is wrong without quoting."""
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
        return cls(bytes.fromhex(text))

    def fingerprint(self):
        """Six hex digits of a hash: tells keys apart, does not lead back to the key."""
        return hashlib.sha256(b"omsnode key " + self._secret).digest()[:3].hex()

    def __repr__(self):
        return "Key({}…)".format(self.fingerprint())

    __str__ = __repr__

    def __format__(self, spec):
        return repr(self)

    def __reduce_ex__(self, protocol):
        raise MisuseError("a key is not pickled or copied")

    def __eq__(self, other):
        return isinstance(other, Key) and self._secret == other._secret

    def __hash__(self):
        return hash(self._secret)
