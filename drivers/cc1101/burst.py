"""Reception of bursts behind the chip's sync word (LPWAN sheet 22): it has room for the first half of theirs.

C1FA is looked for in the chip, with one wrong chip or none, and 4C6A must be near in the first two bytes. Neither half occurs
in the preamble with fewer than five wrong chips. Measured on the chip model, noise before each of 300 bursts, UL-B4, share of
bursts found (a test repeats some of it):

    wrong chips      none     0.3 %   1 %    3 %
    16 of 16         100      97      85     61
    15 of 16         97-99    99      98     91      33 false syncs a second, each deaf for 0.4 ms
    all, raw.py      100      100     100    100

So one wrong chip is allowed by default; in 4C6A two: with three noise passes five times as often, and holds the receiver for
the 25 ms in which a midamble may follow.
"""

from omsnode.firmware.errors import SymbolError
from omsnode.firmware.portable import const

from . import profiles
from .receive import Receiver

_SECOND = const(0x4C6A)
_HALF_CHIPS = const(16)
_MOST_WRONG = const(2)


class Behind:
    """A deframer for the chips behind C1FA: takes the second half off and hands the rest to the one for those behind the sync.

    As it, but `total_chips` counts from C1FA.
    """

    def __init__(self, deframer):
        self._deframer = deframer
        self.listens_to = deframer.listens_to
        self.reset()

    def reset(self):
        self._half = b""
        self._refused = None
        self._deframer.reset()

    frame = property(lambda self: self._deframer.frame)
    family = property(lambda self: self._deframer.family)
    frame_format = property(lambda self: self._deframer.frame_format)
    error = property(lambda self: self._refused or self._deframer.error)

    @property
    def total_chips(self):
        total = self._deframer.total_chips
        return None if total is None else total + _HALF_CHIPS

    def feed(self, data):
        if self._refused:
            return -1
        if len(self._half) == 2:
            return self._deframer.feed(data)
        self._half += bytes(data)
        if len(self._half) < 2:
            return _HALF_CHIPS - 8 * len(self._half)
        behind = self._half[2:]
        self._half = self._half[:2]
        if bin((self._half[0] << 8 | self._half[1]) ^ _SECOND).count("1") > _MOST_WRONG:
            self._refused = SymbolError("no second half of a burst's sync", 0)
            return -1
        return self._deframer.feed(behind)


class BurstReceiver(Receiver):
    """The instants of its events are those of the whole sync word's end."""

    def listen(self, deframer, block, now_us):
        self._half_us = profiles.air_time_us(block, _HALF_CHIPS, self._driver.crystal_hz)
        super().listen(Behind(deframer), block, now_us)

    def _finish(self, result, sync_us, anchor, quality, now_us):
        super()._finish(result, sync_us, anchor, quality, now_us)
        self._driver._events[-1].at_us += self._half_us
