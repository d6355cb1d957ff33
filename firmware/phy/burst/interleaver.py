"""Interleaver of the burst mode (Q.2.4.5.3; LPWAN sheet 6): bit i of n goes to position 188527 i mod n."""

FACTOR = 188527


def positions(n):
    """The positions of the bits 0, 1, 2... of n in the data field, without end."""
    step = FACTOR % n
    position = 0
    while True:
        yield position
        position += step
        if position >= n:
            position -= n


def interleave(coded):
    """The data field (bytes) of a coded payload (bytes)."""
    out = bytearray(len(coded))
    n = 8 * len(coded)
    step = FACTOR % n
    position = 0
    for byte in coded:
        for mask in b"\x80\x40\x20\x10\x08\x04\x02\x01":
            if byte & mask:
                out[position >> 3] |= 0x80 >> (position & 7)
            position += step
            if position >= n:
                position -= n
    return bytes(out)


def deinterleave(data, n_bytes=None):
    """The first n_bytes (default: all) of the coded payload whose data field is `data` (bytes)."""
    n = 8 * len(data)
    step = FACTOR % n
    out = bytearray(len(data) if n_bytes is None else n_bytes)
    position = 0
    for i in range(len(out)):
        byte = 0
        for _ in range(8):
            byte = byte << 1 | data[position >> 3] >> (7 - (position & 7)) & 1
            position += step
            if position >= n:
                position -= n
        out[i] = byte
    return bytes(out)
