"""Byte for byte substitution, the whole of a line code once the words are bytes.

CPython does it in C (`bytes.translate`); MicroPython has no `translate`, there a loop does the same.
"""


def table(pairs, other):
    """256 bytes that map each key of `pairs` (list of (from, to)) and everything else to `other`."""
    out = bytearray(256)
    for i in range(256):
        out[i] = other
    for source, target in pairs:
        out[source] = target
    return bytes(out)


def _translate(data, mapping):
    out = bytearray(len(data))
    for i in range(len(data)):
        out[i] = mapping[data[i]]
    return bytes(out)


translate = bytes.translate if hasattr(bytes, "translate") else _translate
