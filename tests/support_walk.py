"""A role with windows on a virtual clock, without a radio: its actions are carried out as TwoWay and a driver would, frames are
put in by hand."""

from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles.actions import REFUSED, Deliver, Listen, Persist, Transmit
from omsnode.firmware.roles.window_actions import Rest


class Walk:
    """sent: (start, end, telegram) of all that was on the air. heard: (from, to) of the receiver. lose: function of a Transmit:
    True to miss it. refuse: True while nothing can be stored."""

    def __init__(self, role, now_us=0, wall=None):
        self.role = role
        self.now_us = now_us
        self.wall = wall
        self.sent = []
        self.stored = []
        self.delivered = []
        self.heard = []
        self.lose = lambda action: False
        self.refuse = False
        self._armed = None
        self._listening = None
        self._behind = self._mode = None
        self._do(role.start(now_us))

    @property
    def listening(self):
        return self._listening is not None

    @property
    def last(self):
        return self.sent[-1][2]

    def run(self, until_us):
        """World time goes on to until_us."""
        while True:
            due_us = self.role.due_us
            at_us = None
            if self._armed:
                at_us = self._armed[1]
            if at_us is None or (due_us is not None and due_us < at_us):
                if due_us is None or due_us > until_us:
                    break
                self.now_us = max(self.now_us, due_us)
                self._do(self.role.tick(self.now_us, self._wall()))
                continue
            if at_us > until_us:
                break
            self.now_us = max(self.now_us, at_us)
            self._sent()
        self.now_us = max(self.now_us, until_us)

    def step(self):
        """Go on to whatever comes next."""
        due_us = self._armed[1] if self._armed else self.role.due_us
        self.run(max(due_us, self.now_us + 1))

    def until_sent(self, n=1, most_us=3600 * 1000000):
        """Go on until so many more frames were sent; the last telegram."""
        goal = len(self.sent) + n
        end_us = self.now_us + n * most_us
        while len(self.sent) < goal:
            due_us = self._armed[1] if self._armed else self.role.due_us
            assert due_us is not None and due_us <= end_us, "nothing is sent"
            self.step()
        return self.last

    def hear(self, telegram, sync_us, air_us=20000, damage=None):
        """A frame for the meter whose sync word ends at sync_us; whether the receiver was on then."""
        self.run(sync_us)
        if not self.listening or self._armed:
            return False
        frame = bytearray(frame_a.build(telegram))
        if damage is not None:
            frame[damage] ^= 0x10
        self.run(sync_us + air_us)
        event = radio.Event(radio.FRAME, sync_us, sync_us + air_us, bytes(frame), "C", "A", -70)
        reply = getattr(self.role, "reply", None)
        answer = reply(event, self.now_us) if reply else None
        if answer:
            self._do([answer])
        self._do(self.role.feed(event, self.now_us, self._wall()))
        return True

    def window(self):
        """Middle of the window that the access machine has open, or will."""
        open_us, close_us = self.role.access.window
        return (open_us + close_us) // 2

    def _wall(self):
        return self.wall(self.now_us) if self.wall else None

    def _sent(self):
        (action, at_us), self._armed = self._armed, None
        rate = modes.find(action.mode, action.direction).chip_rate_cps
        end_us = at_us + len(action.chips) * 8 * 1000000 // rate
        if self.lose(action):
            event = radio.Event(radio.TOO_LATE, at_us)
        else:
            self.sent.append((at_us, end_us, action.telegram))
            self.now_us = end_us
            event = radio.Event(radio.SENT, at_us, end_us)
        if self._behind:
            self._listen(self._behind)
        self._do(self.role.feed(event, self.now_us, self._wall()))

    def _listen(self, action):
        self._mode = action
        if self._listening is None:
            self._listening = self.now_us

    def _rest(self):
        if self._listening is not None:
            self.heard.append((self._listening, self.now_us))
        self._listening = None

    def _do(self, actions):
        for action in actions:
            if isinstance(action, Persist):
                if self.refuse:
                    self._do(self.role.feed(radio.Event(REFUSED, self.now_us, code="persist"), self.now_us))
                    return
                self.stored.append(action.state)
            elif isinstance(action, Deliver):
                self.delivered.append(action.reading)
            elif isinstance(action, Transmit):
                assert self._armed is None, "two frames at once"
                self._behind = self._mode if self.listening else None
                self._rest()
                at_us = action.at_us if action.until_us is None else (action.at_us + action.until_us) // 2
                assert action.until_us is None or at_us >= self.now_us, "handed out too late"
                self._armed = (action, at_us)
            elif isinstance(action, Listen):
                if self._armed:
                    self._behind = action
                else:
                    self._listen(action)
            elif isinstance(action, Rest):
                self._behind = None
                if not self._armed:
                    self._rest()
            else:
                raise AssertionError(action)
