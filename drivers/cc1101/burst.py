"""Reception of bursts behind the chip's sync word (LPWAN sheet 22): it has room for the first half of theirs.

C1FA is looked for in the chip, with one wrong chip or none, and 4C6A must be near in the first two bytes. Noise and the first
chips of a preamble together look like C1FA to the chip in front of one burst of 300: it then sees the preamble go on, and the
host finds the whole sync behind it. Measured on the chip model, noise before each of 300 bursts, UL-B4, percent found (a test
repeats some of it):

    wrong chips      none     0.3 %   1 %    3 %
    16 of 16         100      97      84     62
    15 of 16         99       99      99     90      33 false syncs a second, each deaf for 0.4 ms
    all, raw.py      100      100     100    100

So one wrong chip is allowed by default; in 4C6A two: with three noise passes five times as often, and holds the receiver for
the 25 ms in which a midamble may follow.
"""

from omsnode.firmware.errors import SymbolError
from omsnode.firmware.phy.burst import submodes
from omsnode.firmware.portable import const

from . import profiles
from .receive import Receiver

_SECOND = const(0x4C6A)
_HALF_CHIPS = const(16)
_SYNC_CHIPS = const(32)
_MOST_WRONG = const(2)  # of 16
_PREAMBLE = const(0x5555)
_MOST_WRONG_PREAMBLE = const(3)  # of 16
_MOST_WRONG_SYNC = const(4)  # of 32, behind a preamble
_SEARCH_BYTES = const(9)  # all of the preamble and the sync, and what is left of a byte


def _wrong(a, b):
    return bin(a ^ b).count("1")


class Behind:
    """A deframer for the chips behind C1FA: hands what is behind the whole sync to the one that was given.

    As it, but `total_chips` counts from C1FA. `sync_chips`: from there to the end of the sync.
    """

    def __init__(self, deframer):
        self._deframer = deframer
        self.listens_to = deframer.listens_to
        self.reset()

    def reset(self):
        self._front = b""  # until the end of the sync is known, then the chips that make no byte yet
        self.sync_chips = None
        self._refused = None
        self._deframer.reset()

    frame = property(lambda self: self._deframer.frame)
    family = property(lambda self: self._deframer.family)
    frame_format = property(lambda self: self._deframer.frame_format)
    error = property(lambda self: self._refused or self._deframer.error)

    @property
    def total_chips(self):
        total = self._deframer.total_chips
        return None if total is None else total + self.sync_chips

    def feed(self, data):
        if self._refused:
            return -1
        data = self._front + bytes(data)
        if self.sync_chips is None:
            if len(data) < 2:
                self._front = data
                return _HALF_CHIPS - 8 * len(data)
            self.sync_chips = self._end_of_sync(data)
            if self.sync_chips is None:
                self._front = data
                return -1 if self._refused else 8
            data = data[self.sync_chips >> 3 :]
        shift = self.sync_chips & 7
        if shift == 0:
            self._front = b""
            return self._deframer.feed(data)
        # The sync ended in the middle of a byte, and so does every byte behind it.
        self._front = data[-1:]
        n_bytes = len(data) - 1
        value = int.from_bytes(data, "big") >> 8 - shift
        missing = self._deframer.feed((value & (1 << 8 * n_bytes) - 1).to_bytes(n_bytes, "big"))
        return missing - 8 + shift if missing > 8 - shift else min(missing, 1)

    def _end_of_sync(self, data):
        """Chips, or None: not yet, or `_refused`."""
        value = int.from_bytes(data, "big")
        first = value >> 8 * len(data) - 16
        if _wrong(first, _SECOND) <= _MOST_WRONG:
            return _HALF_CHIPS
        if min(_wrong(first, _PREAMBLE), _wrong(first, _PREAMBLE << 1 & 0xFFFF)) <= _MOST_WRONG_PREAMBLE:
            for end in range(_SYNC_CHIPS, 8 * min(len(data), _SEARCH_BYTES) + 1):
                if _wrong(value >> 8 * len(data) - end & 0xFFFFFFFF, submodes.SYNC) <= _MOST_WRONG_SYNC:
                    return end
            if len(data) < _SEARCH_BYTES:
                return None
        self._refused = SymbolError("no second half of a burst's sync", 0)
        return None


class BurstReceiver(Receiver):
    """The instants of its events are those of the whole sync word's end."""

    def listen(self, deframer, block, now_us):
        super().listen(Behind(deframer), block, now_us)

    def _finish(self, result, sync_us, anchor, quality, now_us):
        super()._finish(result, sync_us, anchor, quality, now_us)
        chips = self._deframer.sync_chips or _HALF_CHIPS
        event = self._driver._events[-1]
        event.at_us += profiles.air_time_us(self._block, chips, self._driver.crystal_hz)
