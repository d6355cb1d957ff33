"""The deframer of the burst mode: where in the chips behind a front sync the parts of a burst are, and its end
(LPWAN sheet 3, 7, 8, 10, 23; the interface is that of phy/deframer.py).

Uplink: the coded length says where the midamble is; if it cannot be read, or no midamble is there, the midamble is looked
for in what comes. Behind it is the header. Downlink: the header comes first. Nothing is decoded here but that.
"""

from ...errors import HeaderError, MidambleError, MisuseError, PhyError
from ...portable import const
from .. import modes
from . import burst, coded_length, header

_CL_BYTES = const(3)
_MOST_CL = const(3)  # wrong chips that are repaired for sure
_WORD_BYTES = const(4)
_MIDAMBLE_BYTES = const(12)
_HEADER_BYTES = const(12)
MIDAMBLE_WORD = 0xB0E563C8  # on the air, three times; the very first chip may be wrong
_MIDAMBLE = MIDAMBLE_WORD << 64 | MIDAMBLE_WORD << 32 | MIDAMBLE_WORD
_FIXED = (1 << 95) - 1
# A midamble has at most so many wrong chips of 95, and of 32 in each word where nothing says that it is here (one that
# is found 32 chips off its place shares two words with the right one). Noise is such a midamble in 7e-7 of all places.
MOST_MIDAMBLE = const(24)
MOST_WORD = const(10)

_FIRST = _CL_BYTES + coded_length.SHORTEST  # bytes in front of a midamble
_LAST = _CL_BYTES + coded_length.LONGEST


class BurstDeframer:
    """direction: "up" or "down". tivs: uplink: timing input values that are known, found quicker; downlink: the one of
    this meter, other headers are refused.

    After `feed` returned 0: `frame`, the packed chips from behind the sync to the end of the burst as on the air, `family`
    "B" and `frame_format` "UL" or "DL". After -1: `error`, a HeaderError or MidambleError. `header` as soon as it is read.
    `total_chips`: from the sync to the end of the burst, None until it is known. `seeking`: the coded length was of no use.

    What has no header is refused 192 chips behind the place where its coded length puts the midamble, or 3192 chips
    behind the sync (96 in a downlink).
    """

    def __init__(self, direction, tivs=()):
        if direction not in (modes.UP, modes.DOWN):
            raise MisuseError("no direction {}".format(direction))
        self.listens_to = self.family = "B"
        self.frame_format = "UL" if direction == modes.UP else "DL"
        self.tivs = tuple(tivs)
        self.reset()

    def reset(self, head=None):
        """Forget everything, ready for the chips behind the next sync. head: its Header, if it is known already because
        the midamble was found first."""
        self.header = None
        self.total_chips = None
        self.frame = None
        self.error = None
        self.seeking = False
        self._chips = bytearray()
        self._place = None  # of the midamble, in bytes
        self._checked = False  # there is one
        self._result = 1
        if head is not None:
            self._begin(head)

    def feed(self, data):
        """Take packed chips (bytes, any number). > 0: that many chips are still missing, at least; exactly so once
        `total_chips` is known. 0: the burst is complete. -1: rejected. After 0 or -1 nothing changes until `reset`;
        chips behind the burst are ignored. What is bad in `data` never raises.
        """
        if self._result <= 0:
            return self._result
        self._chips += data
        try:
            self._result = self._advance()
        except PhyError as error:
            self.error = error
            self._result = -1
        return self._result

    def header_of(self, chips):
        """The Header in the 12 bytes where one begins, or None."""
        if self.frame_format == "UL":
            found = header.uplink(chips, self.tivs)
        else:
            found = header.downlink(chips, self.tivs[0] if self.tivs else None)
        return found[0] if found else None

    def _begin(self, head):
        self.header = head
        direction = modes.UP if self.frame_format == "UL" else modes.DOWN
        self.total_chips = burst.n_chips(head, direction) - 8 * len(burst.START)

    def _advance(self):
        have = len(self._chips)
        if self.header is None:
            end = self._find() if self.frame_format == "UL" else _HEADER_BYTES
            if have < end:
                return 8 * (end - have)
            chips = bytes(self._chips[end - _HEADER_BYTES : end])
            if self._place is None:
                head = self.header_of(chips)
            else:
                head = header.uplink(chips, self.tivs, self._place - _CL_BYTES)
                head = head and head[0]
            if head is None:
                raise HeaderError("a header that no burst has", 8 * (end - _HEADER_BYTES))
            self._begin(head)
        missing = self.total_chips - 8 * have
        if missing > 0:
            return missing
        self.frame = bytes(self._chips[: self.total_chips // 8])
        return 0

    def _find(self):
        """Where the header of an uplink ends, at the earliest, in bytes; exactly so if so many are there."""
        have = len(self._chips)
        if not self.seeking and self._place is None:
            if have < _CL_BYTES:
                return _CL_BYTES
            l_da, wrong = coded_length.nearest(int.from_bytes(self._chips[:_CL_BYTES], "big"))
            self._seek(_CL_BYTES + l_da if wrong <= _MOST_CL else None)
        if not self.seeking and not self._checked and have >= self._place + _MIDAMBLE_BYTES:
            self._checked = self._wrong(self._place) <= MOST_MIDAMBLE
            if not self._checked:
                self._seek(None)
        while self.seeking and not self._checked and have >= self._place + _MIDAMBLE_BYTES:
            if self._is_midamble(self._place):
                if have < self._place + _MIDAMBLE_BYTES + 2 * _WORD_BYTES:
                    break
                self._checked = True
                places = [self._place + late for late in (0, _WORD_BYTES, 2 * _WORD_BYTES)]
                self._place = min([(self._wrong(place), place) for place in places if place <= _LAST])[1]
            elif self._place == _LAST:
                raise MidambleError("no midamble behind a sync", 8 * (_LAST + _MIDAMBLE_BYTES))
            else:
                self._place += 1
        return self._place + _MIDAMBLE_BYTES + _HEADER_BYTES

    def _seek(self, place):
        self.seeking = place is None
        self._place = place or _FIRST

    def _wrong(self, place):
        """Wrong chips, of 95, of a midamble that would be here."""
        chips = int.from_bytes(self._chips[place : place + _MIDAMBLE_BYTES], "big")
        return bin((chips ^ _MIDAMBLE) & _FIXED).count("1")

    def _is_midamble(self, place):
        chips = int.from_bytes(self._chips[place : place + _MIDAMBLE_BYTES], "big")
        different = (chips ^ _MIDAMBLE) & _FIXED
        words = [bin(different >> shift & 0xFFFFFFFF).count("1") for shift in (64, 32, 0)]
        return max(words) <= MOST_WORD and sum(words) <= MOST_MIDAMBLE


def front_chips(head):
    """Chips between the front sync of an uplink with this Header and the end of its midamble."""
    return 8 * (_CL_BYTES + ((burst.data_bytes(head) + 1) >> 1) + _MIDAMBLE_BYTES)
