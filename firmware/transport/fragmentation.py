"""Messages split over several telegrams, and joined again (security sheet section 7.5; OMS Vol.2 6.3)."""

from ..errors import FragmentError, MisuseError
from .authentication import Afl, build

MOST_BYTES = 16384  # the longest message that OMS allows
MOST_HELD = 16 * MOST_BYTES


def split(afl, message, sizes):
    """The payloads (AFL and piece, bytes) of the telegrams that carry a message.

    afl: from sealing.seal with its message length set. sizes: bytes of the message in each telegram; the last one is
    used as often as it takes. MisuseError if more than 255 telegrams would be needed.
    """
    out = []
    at = 0
    while at < len(message):
        size = sizes[min(len(out), len(sizes) - 1)]
        piece = Afl()
        piece.fragment_id = len(out) + 1
        if piece.fragment_id > 255 or size < 1:
            raise MisuseError("the message needs more than 255 fragments")
        if not out:
            piece.control, piece.message_length = afl.control, afl.message_length
            piece.key_information, piece.counter = afl.key_information, afl.counter
        end = at + size
        piece.more = end < len(message)
        if not piece.more:
            piece.mac = afl.mac
        out.append(build(piece) + message[at:end])
        at = end
    return out


class _Message:
    def __init__(self, afl, now_us):
        self.afl = afl
        self.pieces = bytearray()
        self.last = None
        self.fragment_id = 0
        self.since_us = now_us


class Reassembly:
    """Joins fragments, one message at a time for each key (whoever sends them).

    most_messages, most_held: started ones that are kept, and bytes of all of them; whatever is more pushes out the oldest.
    most_bytes: of one message. timeout_us: between two of its fragments; the standard's figure is not public, on the air the
    frequent access cycle bounds it.

    held: bytes at present. counters: complete, duplicates, evicted, timed_out, refused.
    """

    def __init__(self, most_messages=1000, most_bytes=MOST_BYTES, timeout_us=60000000, most_held=MOST_HELD):
        self.most_messages = most_messages
        self.most_bytes = most_bytes
        self.most_held = max(most_held, most_bytes)
        self.timeout_us = timeout_us
        self.held = 0
        self._done = {}  # key: (fragment id, piece, time) that completed its last message
        self.counters = {"complete": 0, "duplicates": 0, "evicted": 0, "timed_out": 0, "refused": 0}
        self._started = {}

    def add(self, key, afl, piece, now_us):
        """Take a fragment: (Afl of the whole message, its bytes) once it is complete, else None.

        afl: as authentication.parse read it. piece: the bytes behind it. The Afl returned holds the fields of the first
        fragment and the MAC of the last one. FragmentError if it does not fit; what was collected of that message is
        then dropped.
        """
        self._expire(now_us)
        piece = bytes(piece)
        message = self._started.get(key)
        if message is not None:
            repeated = afl.fragment_id == message.fragment_id and piece == message.last
        else:
            repeated = self._done.get(key, ())[:2] == (afl.fragment_id, piece)
        if repeated:
            self.counters["duplicates"] += 1
            return None
        if afl.fragment_id == 1:
            message = self._start(key, afl, now_us)
        elif message is None or afl.fragment_id != message.fragment_id + 1:
            expected = message.fragment_id + 1 if message else 1
            self._refuse(key, "fragment {} where {} is expected".format(afl.fragment_id, expected), afl)
        total = len(message.pieces) + len(piece)
        announced = message.afl.message_length
        if total > announced or (not afl.more and total != announced):
            self._refuse(key, "{} bytes, the message announces {}".format(total, announced), afl)
        while self.held + len(piece) > self.most_held:
            self._evict(key)
        message.pieces += piece
        self.held += len(piece)
        message.last = piece
        message.fragment_id = afl.fragment_id
        message.since_us = now_us
        if afl.more:
            return None
        self._drop(key)
        self.counters["complete"] += 1
        if len(self._done) >= self.most_messages:
            self._done.popitem()
        self._done[key] = (afl.fragment_id, piece, now_us)
        message.afl.mac = afl.mac
        return message.afl, bytes(message.pieces)

    def _start(self, key, afl, now_us):
        self._drop(key)
        if afl.control is None or afl.message_length is None:
            self._refuse(key, "a first fragment without message control or length", afl)
        if afl.message_length > self.most_bytes:
            self._refuse(key, "a message of {} bytes is too long".format(afl.message_length), afl)
        if len(self._started) >= self.most_messages:
            self._evict(key)
        message = self._started[key] = _Message(afl, now_us)
        return message

    def _drop(self, key):
        message = self._started.pop(key, None)
        if message is not None:
            self.held -= len(message.pieces)

    def _evict(self, key):
        """The oldest one; not that of `key`."""
        others = [one for one in self._started if one != key]
        self._drop(min(others, key=lambda one: self._started[one].since_us))
        self.counters["evicted"] += 1

    def _refuse(self, key, why, afl):
        self._drop(key)
        self.counters["refused"] += 1
        raise FragmentError(why, position=afl.offset)

    def _expire(self, now_us):
        for key in [one for one in self._started if now_us - self._started[one].since_us > self.timeout_us]:
            self._drop(key)
            self.counters["timed_out"] += 1
        for key in [one for one in self._done if now_us - self._done[one][2] > self.timeout_us]:
            del self._done[key]
