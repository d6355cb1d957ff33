"""What the modes do with strings of bytes beside AES."""


def xor(a, b):
    """Bytes of a XOR b; both have the same length."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def equal(a, b):
    """Whether two MACs or tags are equal, in a time that does not depend on where they differ."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
