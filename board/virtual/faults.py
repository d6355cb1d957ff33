"""What a bad wire does to bytes."""


def flipped(data, share, rng):
    """`data` (bytes) with one wrong bit in each byte that chance hits. share: probability per byte. rng: random.Random."""
    if not share:
        return data
    changed = bytearray(data)
    for i in range(len(changed)):
        if rng.random() < share:
            changed[i] ^= 1 << rng.randrange(8)
    return bytes(changed)
