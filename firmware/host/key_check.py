"""What is wrong with a key that is well-formed: it can be guessed, or several meters have it."""

from ..security import default_keys
from ..security.key_text import written


def weakness(key):
    """Why a Key protects nothing, or None. A key is 16 random bytes: none of these comes by chance."""
    data = bytes.fromhex(written(key))
    steps = [(after - before) & 0xFF for before, after in zip(data, data[1:], strict=False)]
    if default_keys.is_public(key):
        return "publicly known as a maker's default key"
    if not any(steps):
        return "all bytes are equal"
    if len(set(steps)) == 1:
        return "the bytes only count"
    if len(set(steps[:-1])) == 1:
        return "the bytes only count, but for the last"
    if data[:8] == data[8:]:
        return "one half repeats the other"
    if all(0x20 <= byte < 0x7F for byte in data):
        return "it is readable text"
    if all(byte >> 4 < 10 and byte & 0x0F < 10 for byte in data):
        return "decimal digits only: perhaps a number that is no key"
    return None


def repeated(rows):
    """{fingerprint: [Row, ...]} of the keys that more than one meter has. rows: key_store.Row."""
    found: dict = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return {
        key.fingerprint(): shared
        for key, shared in found.items()
        if len({row.pattern.ident for row in shared}) > 1
    }
