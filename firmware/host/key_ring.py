"""Which key belongs to which meter, for the commands that are given telegrams and keys.

A key file has one meter per line: `id key`, where id is the eight digits or a whole address such as
12345678.M=KAM.V=1b.T=16 and key is 32 hex digits. Blank lines and `#` comments are skipped. Nothing here quotes a key,
or a line that may hold one.
"""

from ..errors import ConfigError, MisuseError
from ..link.address import Address
from ..security.keys import Key


class KeyRing:
    """default: Key for every meter that no pattern names, or None."""

    def __init__(self, default=None):
        self.default = default
        self._by_ident = {}

    def add(self, pattern, key):
        """pattern: Address whose None fields match all. The first pattern that matches counts."""
        self._by_ident.setdefault(pattern.ident, []).append((pattern, key))

    def key_for(self, address, key_id=0, key_version=None):
        """The Key of an Address, or None. Which KeyID a key has is not told here: the MAC shows whether it was the right
        one."""
        for pattern, key in self._by_ident.get(address.ident, ()):
            if pattern.matches(address):
                return key
        return self.default

    def load(self, path):
        """Add what a key file says. ConfigError with file and line if it cannot be read or understood."""
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise ConfigError("the key file cannot be read: {}".format(reason)) from None
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            try:
                if len(words) != 2:
                    raise MisuseError("expected an id and a key, found {} words".format(len(words)))
                self.add(_pattern(words[0]), Key.from_hex(words[1]))
            except MisuseError as error:
                raise ConfigError(
                    "key file, line {}: {}".format(number, error.message), position=number
                ) from None


def _pattern(text):
    try:
        return Address.parse(text)
    except MisuseError:
        # Not quoted: who swaps the columns has written a key here.
        raise MisuseError("the first word is no id: write 12345678 or 12345678.M=KAM.V=1b.T=16") from None
