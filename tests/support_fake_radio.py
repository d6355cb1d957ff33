"""A radio driver without a chip, for the real node: what is armed is on the air when it was asked for, what comes in is put in
by hand, and what goes wrong is drawn from a list."""

from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import radio


class Board:
    """now_us goes on by itself. late: function that tells by how much a wait is late, in us."""

    def __init__(self, now_us=0):
        self.at_us = now_us
        self.late = lambda: 0
        self._stuck = 0

    def now_us(self):
        return self.at_us

    def wait(self, until_us, exact=False):
        before = self.at_us
        if until_us is not None:
            late = self.late()
            self.at_us = max(self.at_us, until_us, 0 if exact and late < 5000 else until_us + late)
        self._stuck = self._stuck + 1 if self.at_us == before else 0
        assert self._stuck < 50, "the loop spins"
        return (), 0


class Radio:
    """The contract of phy/radio.py. fates: "sent", "late" or "fault" for each transmission to come; then all are sent.
    air: [(start, end, action)] of what was on the air; `action` is the Transmit that the node carries out."""

    LEAST_US = 1200  # from `transmit` to the middle of a window

    def __init__(self, board):
        self.board = board
        self.counters = {}
        self.fates = []
        self.air = []
        self.action = None
        self.clock = None
        self._armed = None  # (instant, last instant)
        self._ends_us = None
        self._listens_since = None
        self._frames = []  # (sync, end, telegram, damage), by their ends

    @property
    def due_us(self):
        due = [self._ends_us if self._ends_us is not None else self._armed and self._armed[0]]
        due += [end_us for _, end_us, _, _ in self._frames]
        return min([one for one in due if one is not None], default=None)

    @property
    def exact(self):
        return self._armed is not None and self._armed[1] is not None

    @property
    def receiving(self):
        now_us = self.board.now_us()
        return any(self._hears(one) and one[0] <= now_us < one[1] for one in self._frames)

    def _hears(self, one):
        return self._listens_since is not None and self._listens_since <= one[0]

    def put(self, telegram, sync_us, end_us, damage=None):
        self._frames.append((sync_us, end_us, telegram, damage))
        self._frames.sort(key=lambda one: one[1])

    def start(self, now_us):
        pass

    def configure(self, mode, direction, channel=0, offset_hz=0, power_dbm=None):
        pass

    def expect(self, mode, direction):
        pass

    def prepare(self, chips, now_us):
        assert self._armed is None and self._ends_us is None, "another frame is armed"
        self._listens_since = None
        self._chips = chips

    def transmit(self, at_us, until_us=None):
        middle_us = at_us if until_us is None else (at_us + until_us) // 2
        late = self.board.now_us() > middle_us - (self.LEAST_US if until_us is not None else 0)
        self._armed = (self.board.now_us() if late else middle_us, until_us, late)

    def listen(self, deframer, now_us):
        assert self._armed is None and self._ends_us is None, "it listens in the middle of a transmission"
        if self._listens_since is None:
            self._listens_since = now_us

    def sleep(self, now_us):
        assert self._armed is None and self._ends_us is None, "it sleeps in the middle of a transmission"
        self._listens_since = None

    standby = sleep

    def service(self, now_us, edges=()):
        events = []
        while self._frames and self._frames[0][1] <= now_us:
            one = self._frames.pop(0)
            if self._hears(one):
                sync_us, end_us, telegram, damage = one
                frame = bytearray(frame_a.build(telegram))
                if damage is not None:
                    frame[damage % len(frame)] ^= 1 << damage % 8
                events.append(radio.Event(radio.FRAME, sync_us, end_us, bytes(frame), "C", "A", -70))
                self.heard(telegram, sync_us, end_us, damage)
        if self._ends_us is not None and self._ends_us <= now_us:
            start_us, end_us = self.air[-1][:2]
            self._ends_us = None
            events.append(radio.Event(radio.SENT, start_us, end_us))
        elif self._armed and self._armed[0] <= now_us:
            (at_us, until_us, late), self._armed = self._armed, None
            fate = self.fates.pop(0) if self.fates else "sent"
            if fate == "fault":
                events.append(radio.Event(radio.FAULT, now_us, code="stuck"))
            elif late or fate == "late" or now_us > (at_us if until_us is None else until_us):
                events.append(radio.Event(radio.TOO_LATE, now_us))
            else:
                self._ends_us = now_us + len(self._chips) * 80
                self.air.append((now_us, self._ends_us, self.action))
        return events

    def heard(self, telegram, sync_us, end_us, damage):
        """A frame was handed to the node."""
