"""A key that never shows itself.

`repr`, `str` and `format` give a fingerprint (the first bytes of a hash, enough to see which of two keys is
configured), pickling and copying are refused, and no message about a malformed key quotes it.
"""

from ..errors import MisuseError


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
        from .key_text import parse

        return cls(parse(text))

    def fingerprint(self):
        """Six hex digits of a hash: tells keys apart, does not lead back to the key."""
        from .key_text import fingerprint

        return fingerprint(self._secret)

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
