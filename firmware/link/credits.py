"""Credits: what a bidirectional meter may be asked to do, so that its battery lasts (OMS Vol.2 4.3.4; link
sheet 8.8; oms-requirements sheet 5.5)."""

from ..errors import MisuseError
from . import timing

# Cost of a datagram with the own address, by name of its C-field; None: unknown. What is missing costs
# nothing.
RECEIVED = {
    "SND-UD": 2,
    "SND-UD2": 2,
    None: 2,
    "REQ-UD1": 1,
    "REQ-UD2": 1,
    "SND-NKE": 1,
    "CNF-IR": 1,
}
SENT = {"RSP-UD": 5, "ACK": 1, "NACK": 1}

MOST = 4000  # a counter stores as many, at least
GAIN_US = 720000000  # for one credit: 10 in 2 h, at least
PAUSE_CREDITS = 240  # a meter may pause when so many were spent
PAUSE_US = 43200000000  # in so long
LEAST = 7  # a command and its response: with less nobody is invited
_REOPEN = 40  # credits that make it worth while to begin again
_AHEAD = 60  # credits that may be spent between two writes to the store; of few, half
_STEP_US = 3600000000  # without access, the store is written so often


class Credits:
    """stored: what `export` gave, (credits, us without access), or None at the first start. most: how many
    are kept. gain_us: time for one more. pause: whether to pause after 240 credits in 12 h. no_access_us: the
    longest time without access.

    count: credits at present. held: while a firmware transfer runs, access does not end (4.3.4).
    """

    def __init__(
        self, stored=None, most=MOST, gain_us=GAIN_US, pause=False, no_access_us=timing.NO_ACCESS_US
    ):
        if most < LEAST or gain_us <= 0:
            raise MisuseError("no such credits")
        if stored is None:
            stored = (most, 0)
        elif not _fits(stored):
            raise MisuseError(
                "the stored credits are damaged", None, "remove them: the meter begins with all of them"
            )
        self.most = most
        self.gain_us = gain_us
        self.no_access_us = no_access_us
        self.pause = pause
        self.held = False
        self.count = min(stored[0], most)
        # What a restart would find; and what before the last `export`.
        self._stored = self._before = (self.count, stored[1])
        self._gained_us = None
        self._closed_us = None  # since when there is no access
        self._until_us = None  # not before
        self._since_us = None  # of the present 12 h
        self._spent = 0

    def start(self, now_us, interval_us):
        """At power-up. interval_us: as for `access`. What was without access before goes on being so: a frame
        may have said it that is not in the store yet."""
        self._gain(now_us)
        if self._stored[1] or self.count < LEAST:
            self._closed_us = now_us - max(self._stored[1], interval_us)
        return self.access(now_us, interval_us)

    def spend(self, cost, now_us):
        """Whether there is enough; then it is spent. Before the datagram is sent, or behind its reception."""
        self._gain(now_us)
        if cost > self.count and not self.held:
            return False
        self.count = max(0, self.count - cost)
        self._spent += cost
        return True

    def access(self, now_us, interval_us):
        """Whether the frame that is sent now may offer access. interval_us: at most so long until the next
        one."""
        self._gain(now_us)
        if self.held:
            self._closed_us = None
        elif self._closed_us is None:
            if self.count < LEAST or (self.pause and self._spent >= PAUSE_CREDITS):
                self._closed_us = now_us
        elif now_us + interval_us > self._closed_us + self.no_access_us or (
            self.count >= min(_REOPEN, self.most)
            and not (self.pause and self._spent >= PAUSE_CREDITS)
            and (self._until_us is None or now_us >= self._until_us)
        ):
            self._closed_us = self._until_us = None
            self.count = max(self.count, LEAST)  # access that is of use
        return self._closed_us is None

    def close(self, now_us, until_us):
        """The duty cycle is used up: no access before until_us."""
        if self._closed_us is None:
            self._closed_us = now_us
        self._until_us = until_us

    def covered(self):
        """Whether a restart would not find more than there are."""
        return self.count >= self._stored[0]

    def timed(self, now_us, interval_us):
        """Whether a restart within interval_us would find no less time without access than there was, or none
        if there is access."""
        without_us = self._without_us(now_us, interval_us)
        return without_us <= self._stored[1] and (without_us > 0) == (self._stored[1] > 0)

    def export(self, now_us, interval_us):
        """What is to be stored, for `interval_us` at least: fewer than the present credits, so that the next
        ones may be spent, and more than the time without access, so that power cuts never make it longer
        (CRD-05)."""
        self._before = self._stored
        without_us = self._without_us(now_us, interval_us)
        if without_us:  # nothing is spent
            self._stored = (self.count, min(without_us + _STEP_US, self.no_access_us))
        else:
            self._stored = (self.count - min(self.count // 2, _AHEAD), 0)
        return list(self._stored)

    def _without_us(self, now_us, interval_us):
        if self._closed_us is None:
            return 0
        return min(now_us + interval_us - self._closed_us, self.no_access_us)

    def lost(self):
        """What `export` gave was not stored."""
        self._stored = self._before

    def _gain(self, now_us):
        if self._gained_us is None:
            self._gained_us = self._since_us = now_us
        gained = (now_us - self._gained_us) // self.gain_us
        if gained > 0:
            self.count = min(self.most, self.count + gained)
            self._gained_us += gained * self.gain_us
        if now_us - self._since_us >= PAUSE_US:
            self._since_us = now_us
            self._spent = 0


def _fits(stored):
    """Whether it is (credits, us), as JSON brings it back."""
    if not isinstance(stored, (list, tuple)) or len(stored) != 2:
        return False
    return all([isinstance(one, int) and one >= 0 for one in stored])
