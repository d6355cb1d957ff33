"""The hunter: finds bursts in a stream of raw chips at any bit alignment (LPWAN sheet 22, 23).

A hardware sync word allows one wrong chip at most. Here the front sync is found with several, and an uplink whose sync was
lost by its midamble, out of a bounded buffer. What is found goes byte by byte into the deframer that was handed in.

How many of 32 chips differ from the sync is counted for a whole block of positions at once: one long integer for each
chip of the sync word, added up bit by bit (planes), some 200 operations on long integers per block whatever its length.
"""

from array import array

from ...portable import const
from . import coded_length, header, submodes
from .deframer import MIDAMBLE_WORD, MOST_MIDAMBLE, MOST_WORD, front_chips

_WORD = const(32)
_MIDAMBLE_CHIPS = const(96)
_HEADER_CHIPS = const(96)
_CONTEXT_BYTES = const(12)  # in front of a block: all of a midamble but its last chip

# A sync with more wrong chips than the first needs a preamble in front of it with at most so many: noise passes in 2.5 %.
_SURE_SYNC = const(4)
_MOST_PREAMBLE = const(10)
# So good a sync is no noise: what becomes of it is told.
_CERTAIN_SYNC = const(2)

_START_CHIPS = const(56)  # sync and coded length

# Chips up to the end of a midamble that belong to its burst, from the front sync on.
_BACK = {"UL": _START_CHIPS + 8 * coded_length.LONGEST + _MIDAMBLE_CHIPS, "DL": 64}
_BLOCK_BYTES = const(256)
_MOST_CANDIDATES = const(64)  # regular chips have more; what comes on top is forgotten

# Where the place of a midamble says what sync and coded length are, so many of their chips may be wrong. Noise does that
# for some length in 0.4 %.
_MOST_START = const(12)
# Else every header is compared, which holds up the receiver (10 ms, 40 ms on a small computer): only when the longest
# burst is over, and if it was in vain not again for so many chips.
_LONGEST_CHIPS = _HEADER_CHIPS + 8 * coded_length.LONGEST
_REST_CHIPS = const(32768)


class Found:
    """A burst, or what was certainly one: named as in a deframer. frame: bytes or None. error: None, or why not.

    sync_chips: chips of the stream up to the end of the front sync, whether it was seen or not. end_chips: up to the end
    of the burst, or of the attempt at it. wrong: of 32 chips of the sync, None if it was the midamble that was found.
    """

    def __init__(self, deframer, sync_chips, end_chips, wrong):
        self.frame = deframer.frame
        self.family = deframer.family
        self.frame_format = deframer.frame_format
        self.error = deframer.error
        self.sync_chips = sync_chips
        self.end_chips = end_chips
        self.wrong = wrong


class Hunter:
    """deframer: a BurstDeframer; nobody else may use it. One for downlinks should know the meter's timing input value, or
    noise costs it much time. allowed: wrong chips of 32 in the sync.

    `chips`: so many were taken since `reset`. `false_alarms`: syncs and midambles that noise made, as far as it looks.
    `receiving`: the header of a burst has been read, and its end is not here yet; then `sync_chips` is where it began.
    """

    def __init__(self, deframer, allowed=6):
        self.deframer = deframer
        self.allowed = allowed
        self.false_alarms = 0
        self._uplink = deframer.frame_format == "UL"
        self._back = _BACK[deframer.frame_format]
        self.reset()

    def reset(self):
        """Forget the stream: the next chips begin a new one."""
        self.chips = 0
        self._first = 0  # chip of the stream with which the buffer begins, a multiple of 8
        self._buffer = bytearray()
        self._candidates = []  # (end of the word in chips of the stream, wrong chips, True if it is a midamble)
        self._at = None  # of the candidate in the deframer: end of its sync
        self._wrong = None
        self._fed = 0
        self._missing = 0
        self._guessed = None  # the midamble for which the quick way was tried
        self._rest_until = 0

    @property
    def receiving(self):
        return self._at is not None and self.deframer.total_chips is not None

    @property
    def sync_chips(self):
        return self._at

    def feed(self, data):
        """Take packed chips of the stream (bytes, any number). Returns a list of Found, mostly empty."""
        found = []
        for start in range(0, len(data), _BLOCK_BYTES):
            block = data[start : start + _BLOCK_BYTES]
            # In front of the stream there is nothing, zeros stand for it.
            context = bytes(_CONTEXT_BYTES) + bytes(self._buffer[-_CONTEXT_BYTES:])
            self._buffer += block
            self._scan(context[-_CONTEXT_BYTES:] + block, 8 * len(block))
            self.chips += 8 * len(block)
            while self._advance(found):
                pass
            self._forget()
        return found

    # --- where a burst may begin ---

    def _scan(self, data, n_new):
        """Candidates whose last chip is among the `n_new` chips at the end of data."""
        total = 8 * len(data)
        value = int.from_bytes(data, "big")
        planes = _differences(value, total, submodes.SYNC)
        hits = _at_most(planes, self.allowed, (1 << n_new) - 1)
        for offset, wrong in _positions(hits, planes, n_new):
            if wrong <= _SURE_SYNC or _is_preamble(value >> (n_new - offset + _WORD)):
                self._candidates.append((self.chips + offset, wrong, False))
            else:
                self.false_alarms += 1
        if self._uplink:
            self._scan_midamble(_differences(value, total, MIDAMBLE_WORD), n_new)
        self._candidates = sorted(self._candidates)[:_MOST_CANDIDATES]

    def _scan_midamble(self, planes, n_new):
        words = _at_most(planes, MOST_WORD, (1 << (n_new + 2 * _WORD)) - 1)
        hits = words & words >> _WORD & words >> 2 * _WORD & (1 << n_new) - 1
        for offset, wrong in _positions(hits, planes, n_new):
            at = n_new - offset
            wrong += _count(planes, at + _WORD) + _count(planes, at + 2 * _WORD)
            if wrong <= MOST_MIDAMBLE:
                self._candidates.append((self.chips + offset, wrong, True))

    # --- what becomes of it ---

    def _advance(self, found):
        """Take the candidate on as far as its chips are there; False if there is nothing more to do now."""
        deframer = self.deframer
        if self._at is None:
            return bool(self._candidates) and self._begin()
        n_bytes = min((self.chips - self._at - self._fed) // 8, (self._missing + 7) // 8)
        if n_bytes <= 0:
            return False
        self._missing = deframer.feed(self._cut(self._at + self._fed, n_bytes))
        self._fed += 8 * n_bytes
        if self._missing > 0:
            # A sync whose coded length was not true: the midamble will be found here, at any alignment.
            if deframer.seeking and self._wrong is not None:
                self._drop()
            return True
        told = Found(deframer, self._at, self._at + self._fed, self._wrong)
        if told.error is None and self._uplink:
            # Its own midamble is done with. A sync inside a burst may be that of another one, which drowned its rest.
            own = self._at + front_chips(deframer.header)
            self._candidates = [
                one for one in self._candidates if not one[2] or abs(one[0] - own) > 2 * _WORD
            ]
        if told.error is None or self._wrong is None or self._wrong <= _CERTAIN_SYNC:
            found.append(told)
            self._at = None
        else:
            self._drop()
        return True

    def _begin(self):
        at, wrong, by_midamble = self._candidates[0]
        head = None
        if by_midamble:
            if self.chips < at + _HEADER_CHIPS:
                return False
            later = [one for one in self._candidates if one[2] and one[0] == at + _WORD and one[1] <= wrong]
            if not later:  # a midamble without end is none
                head = self._quick_header(at)
                if head is None and at >= self._rest_until:
                    if self.chips < at + _LONGEST_CHIPS:
                        return False
                    head = self.deframer.header_of(self._cut(at, _HEADER_CHIPS // 8))
                    if head is None:
                        self._rest_until = at + _REST_CHIPS
            if head:
                at -= front_chips(head)
        self._candidates.pop(0)
        if at < self._first or (by_midamble and head is None):
            self.false_alarms += 1
            return True
        self.deframer.reset(head)
        self._at = at
        self._wrong = None if by_midamble else wrong
        self._fed = 0
        self._missing = 8
        return True

    def _quick_header(self, at):
        """The Header behind a midamble that ends at `at`, if what is left of sync and coded length tells its length."""
        if self._guessed == at:
            return None
        self._guessed = at
        n_chips = min(at - self._first, self._back) // 8 * 8
        before = int.from_bytes(self._cut(at - n_chips, n_chips // 8), "big") >> _MIDAMBLE_CHIPS
        n_chips -= _MIDAMBLE_CHIPS + _START_CHIPS
        best, fewest = None, _MOST_START + 1
        for l_da in range(coded_length.SHORTEST, min(coded_length.LONGEST, n_chips // 8) + 1):
            start = before >> 8 * l_da & (1 << _START_CHIPS) - 1 ^ _start(l_da)
            wrong = bin(start).count("1")
            if wrong < fewest:
                best, fewest = l_da, wrong
        if best is None:
            return None
        found = header.uplink(self._cut(at, _HEADER_CHIPS // 8), self.deframer.tivs, best)
        return found and found[0]

    def _drop(self):
        self.false_alarms += 1
        self._at = None

    def _cut(self, at, n_bytes):
        """Bytes of the stream from chip `at` on."""
        at -= self._first
        start, shift = at // 8, at % 8
        if not shift:
            return bytes(self._buffer[start : start + n_bytes])
        value = int.from_bytes(self._buffer[start : start + n_bytes + 1], "big") >> (8 - shift)
        return (value & (1 << 8 * n_bytes) - 1).to_bytes(n_bytes, "big")

    def _forget(self):
        keep = self.chips
        if self._at is not None:
            keep = self._at
        if self._candidates:
            keep = min(keep, self._candidates[0][0])
        n_bytes = (keep - self._back - self._first) // 8
        if n_bytes >= _BLOCK_BYTES:
            self._buffer = self._buffer[n_bytes:]
            self._first += 8 * n_bytes


_lengths = array("I")  # coded lengths as on the air, filled when the first is asked for


def _start(l_da):
    """Sync and coded length as on the air."""
    if not _lengths:
        for length in range(coded_length.SHORTEST, coded_length.LONGEST + 1):
            word = coded_length.build(length)
            _lengths.append(word ^ word >> 1)
    return submodes.SYNC << 24 | _lengths[l_da - coded_length.SHORTEST]


def _is_preamble(value):
    """Whether the last 32 bits are one."""
    return bin((value ^ submodes.PREAMBLE) & 0xFFFFFFFF).count("1") <= _MOST_PREAMBLE


def _differences(value, n_chips, word):
    """Planes: bit q of plane k is bit k of the number of chips in which (value >> q) and the 32-bit word differ."""
    inverted = value ^ (1 << n_chips) - 1
    level = [(inverted if word >> tap & 1 else value) >> tap for tap in range(_WORD)]
    planes = []
    while level:
        carries = []
        total = level.pop()
        while len(level) > 1:
            a = level.pop()
            b = level.pop()
            either = total ^ a
            carries.append(total & a | either & b)
            total = either ^ b
        if level:
            a = level.pop()
            carries.append(total & a)
            total ^= a
        planes.append(total)
        level = carries
    return planes


def _at_most(planes, limit, mask):
    """Bits of the positions whose number is `limit` or less."""
    less, equal = 0, mask
    for k in range(len(planes) - 1, -1, -1):
        zeros = equal & (planes[k] ^ mask)
        if limit >> k & 1:
            less |= zeros
            equal &= planes[k]
        else:
            equal = zeros
    return less | equal


def _count(planes, at):
    total = 0
    for k in range(len(planes)):
        total += (planes[k] >> at & 1) << k
    return total


def _positions(hits, planes, n_chips):
    """(chips of the block up to the hit, its number) for each bit of hits, in the order of the air."""
    found = []
    if hits:
        data = hits.to_bytes(n_chips // 8, "big")
        for i in range(len(data)):
            for bit in range(7, -1, -1) if data[i] else ():
                if data[i] >> bit & 1:
                    offset = 8 * i + 8 - bit
                    found.append((offset, _count(planes, n_chips - offset)))
    return found
