"""Precoding of the uplink (Q.2.4.5.1; LPWAN sheet 9): a chip says whether its bit differs from the one before."""


def precode(bits, before=0):
    """Chips (bytes) of packed bits; `before` is the bit in front of the first one."""
    value = int.from_bytes(bits, "big")
    value ^= value >> 1
    if before:
        value ^= 1 << (8 * len(bits) - 1)
    return value.to_bytes(len(bits), "big")


def unprecode(chips, before):
    """Bits (bytes) of packed chips; `before` is the bit in front of the first one. A wrong chip inverts all the rest."""
    n = 8 * len(chips)
    value = int.from_bytes(chips, "big")
    shift = 1
    while shift < n:
        value ^= value >> shift
        shift <<= 1
    if before:
        value ^= (1 << n) - 1
    return value.to_bytes(len(chips), "big")
