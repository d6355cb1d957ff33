"""What a repeater is about to say and what it said lately, so that nothing is said twice and nobody silences the others."""

from ..portable import const

WINDOW_US = 60000000  # within which a telegram is the same one again: longer than any delay
RECENT = 128  # telegrams said within it, at most
QUEUE = 32  # transmissions that wait, at most
_METERS = 256  # of which is remembered when they were repeated
_LATELY_US = 900000000  # t_NOM of modes T and C at the longest

# Rank: SND-NKE tells an installer at the meter that it is heard.
LINK_RESET = const(0)
INSTALLATION = const(1)
DATA = const(2)


class Job:
    """One transmission that waits.

    rank: LINK_RESET, INSTALLATION, DATA. key: of the telegram, None for a SND-NKE. meter: link bytes of the sender that is
    repeated. frame: with CRCs. at_us, until_us: when its first chip is to leave, and when it is too late. heard: (telegram
    without CRCs as it was heard, its level in dBm or None).
    """

    def __init__(self, rank, key, meter, frame, frame_format, mode, direction, at_us, until_us, heard=None):
        self.rank = rank
        self.key = key
        self.meter = meter
        self.frame = frame
        self.frame_format = frame_format
        self.mode = mode
        self.direction = direction
        self.at_us = at_us
        self.until_us = until_us
        self.heard = heard


class Waiting:
    """jobs: list of Job, in no order."""

    def __init__(self):
        self.jobs = []
        self._recent = []  # (key, when it was armed), in order
        self._served = {}  # meter: when it was repeated last

    def knows(self, key, now_us):
        """Whether this telegram waits, or was said within the last minute."""
        self._forget(now_us)
        return any([one.key == key for one in self.jobs]) or any([one[0] == key for one in self._recent])

    def add(self, job):
        """Put it into the queue. If that is full, True, and one of the meter with the most in it goes: of data before an
        installation, of meters that have as many of that one that was repeated last."""
        self.jobs.append(job)
        if len(self.jobs) <= QUEUE:
            return False
        many = {}
        for one in self.jobs:
            many[one.meter] = many.get(one.meter, 0) + 1
        worst, most = None, ()
        for one in reversed(self.jobs):
            cost = many[one.meter], one.rank, self._served.get(one.meter, -_LATELY_US)
            if cost > most:
                worst, most = one, cost
        self.jobs.remove(worst)
        return True

    def first_us(self):
        """When the first one wants to leave, or None."""
        return min([one.at_us for one in self.jobs]) if self.jobs else None

    def take(self, until_us):
        """The most urgent one of those that want to leave until then, or None; it waits no longer."""
        found = None
        for one in self.jobs:
            if one.at_us <= until_us and (found is None or (one.rank, one.at_us) < (found.rank, found.at_us)):
                found = one
        if found is not None:
            self.jobs.remove(found)
        return found

    def remember(self, key, now_us):
        """It is armed: from now on it may have been on the air. False if so many were said lately that one more would have to
        be forgotten."""
        self._forget(now_us)
        if key is not None:
            self._recent = [one for one in self._recent if one[0] != key]
            if len(self._recent) >= RECENT:
                return False
            self._recent.append((key, now_us))
        return True

    def _forget(self, now_us):
        while self._recent and now_us - self._recent[0][1] >= WINDOW_US:
            self._recent.pop(0)

    def serve(self, meter, at_us):
        """It was repeated."""
        if meter not in self._served and len(self._served) >= _METERS:
            oldest = min(self._served, key=self._served.get)
            del self._served[oldest]
        self._served[meter] = at_us

    def lately(self, meter, at_us):
        """Whether it was repeated within the last quarter of an hour."""
        served_us = self._served.get(meter)
        return served_us is not None and at_us - served_us < _LATELY_US
