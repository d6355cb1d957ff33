"""Chips of bursts with errors, and streams of chips at any bit alignment. Seeded."""

import json


def published(shared):
    """{vector id: [chips of each burst as on the air]} of the annex (burst.json, Q.Z.4)."""
    found = {}
    for vector in json.loads((shared / "vectors" / "burst.json").read_text())["vectors"]:
        fields = vector["fields"]
        on_air = "radio_burst_after_precoding" if vector["id"].startswith("uplink") else "radio_burst"
        bursts = [fields[name] for name in sorted(fields) if name.startswith(on_air)]
        if bursts:
            found[vector["id"]] = [bytes.fromhex(one["hex"]) for one in bursts]
    return found


def worsen(rng, chips, rate):
    """Each chip wrong with this probability."""
    value = int.from_bytes(chips, "big")
    for at in range(8 * len(chips)):
        if rng.random() < rate:
            value ^= 1 << at
    return value.to_bytes(len(chips), "big")


def flip(chips, places):
    """The chips at these places are wrong, the first chip is 0."""
    value = int.from_bytes(chips, "big")
    for place in places:
        value ^= 1 << (8 * len(chips) - 1 - place)
    return value.to_bytes(len(chips), "big")


class Stream:
    """Chips one behind the other, of any number each."""

    def __init__(self):
        self.value = 0
        self.chips = 0

    def add(self, chips, n_chips=None):
        """n_chips: of the first so many; None: all."""
        n = 8 * len(chips) if n_chips is None else n_chips
        self.value = self.value << n | int.from_bytes(chips, "big") >> (8 * len(chips) - n)
        self.chips += n
        return self

    def noise(self, rng, n_chips):
        self.value = self.value << n_chips | rng.getrandbits(n_chips)
        self.chips += n_chips
        return self

    def bytes(self, rng):
        """All of it, filled up to whole bytes with noise."""
        fill = -self.chips % 8
        self.noise(rng, fill + 8)
        return self.value.to_bytes(self.chips // 8, "big")
