"""What a text must not repeat: a key that was written into the wrong place."""

import re

_LIKE_A_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}[ :_.-]?){16,}")
_MOST_OF_A_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}[ :_.-]?){10,}[0-9A-Fa-f]?")


def is_like_a_key(text):
    """Whether 32 or more hex digits stand in it, with or without separators between the bytes."""
    return _LIKE_A_KEY.search(text) is not None


def without_keys(text, instead="…"):
    """Text in which what looks like a key, or most of one, is not repeated; names and paths stay readable."""
    return _MOST_OF_A_KEY.sub(instead, text)
