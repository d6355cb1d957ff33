"""Random numbers out of random bytes that are handed in once."""

from hashlib import sha256

from ..errors import MisuseError

LEAST = 16


class Entropy:
    """seed: at least 16 random bytes, others at each start; MisuseError if they are fewer."""

    def __init__(self, seed):
        if len(seed) < LEAST:
            raise MisuseError("{} random bytes are needed".format(LEAST))
        self._seed = bytes(seed)
        self._count = 0

    def number(self, below):
        """0 .. below - 1; below is at most 2**32."""
        self._count += 1
        drawn = sha256(self._seed + self._count.to_bytes(8, "big")).digest()
        return int.from_bytes(drawn[:8], "big") % below
