"""When a bidirectional meter listens: windows behind its own frames, and the frequent access cycle (EN
13757-4:2019 12.6.3; OMS Vol.2 4.3.3; link sheet 8.1 to 8.3, 9).

A meter drives its receiver with this machine. A gateway runs one for each meter that it talks to, fed with
what it hears of the meter, and knows when the meter listens.
"""

from ..errors import MisuseError
from . import extended, timing

REST = "rest"  # nobody listens
ALWAYS = "always"  # unlimited access, until the next transmission
WINDOW = "window"  # behind a frame, outside of a cycle
ANSWER = "answer"  # a frame came: its answer, or the repetition of the last one, is about to be sent
CYCLE = "cycle"  # between two repetitions
CYCLE_WINDOW = "cycle window"

# Events. Of the meter's own transmissions, by bits B and A: SENT 10, SENT_ALWAYS 11, SENT_CLOSED the others.
SENT, SENT_ALWAYS, SENT_CLOSED = "sent", "sent always", "sent closed"
RECEIVED = "received"  # a valid frame for this meter that wants an answer
NOTED = "noted"  # one that wants none, and is not the end: ACK of an ACC-DMD
MISSED = "missed"  # the answer could not be sent
CLOSED = "closed"  # the window is over
REPEAT = "repeat"  # t_TxD is over
ENDED = "ended"  # SND-NKE
OVER = "over"  # t_TO is over

TABLE = {
    (REST, SENT): WINDOW,
    (REST, SENT_ALWAYS): ALWAYS,
    (REST, SENT_CLOSED): REST,
    (REST, RECEIVED): ANSWER,  # its sync word was found inside the window, its end came behind it
    (REST, NOTED): CYCLE,
    (REST, ENDED): REST,
    (ALWAYS, SENT): WINDOW,
    (ALWAYS, SENT_ALWAYS): ALWAYS,
    (ALWAYS, SENT_CLOSED): REST,
    (ALWAYS, RECEIVED): ANSWER,
    (ALWAYS, NOTED): ALWAYS,
    (ALWAYS, ENDED): ALWAYS,
    (WINDOW, SENT): WINDOW,
    (WINDOW, SENT_ALWAYS): ALWAYS,
    (WINDOW, SENT_CLOSED): REST,
    (WINDOW, CLOSED): REST,
    (WINDOW, RECEIVED): ANSWER,
    (WINDOW, NOTED): CYCLE,
    (WINDOW, ENDED): REST,
    (ANSWER, SENT): CYCLE_WINDOW,
    (ANSWER, SENT_ALWAYS): ALWAYS,
    (ANSWER, SENT_CLOSED): REST,
    (ANSWER, MISSED): CYCLE,
    (ANSWER, ENDED): REST,
    (ANSWER, OVER): REST,
    (CYCLE, REPEAT): ANSWER,
    (CYCLE, SENT): CYCLE_WINDOW,  # a synchronous slot does not wait for the end of a cycle
    (CYCLE, SENT_ALWAYS): ALWAYS,
    (CYCLE, SENT_CLOSED): REST,
    (CYCLE, RECEIVED): ANSWER,
    (CYCLE, NOTED): CYCLE,
    (CYCLE, ENDED): REST,
    (CYCLE, OVER): REST,
    (CYCLE_WINDOW, SENT): CYCLE_WINDOW,
    (CYCLE_WINDOW, SENT_ALWAYS): ALWAYS,
    (CYCLE_WINDOW, SENT_CLOSED): REST,
    (CYCLE_WINDOW, CLOSED): CYCLE,
    (CYCLE_WINDOW, RECEIVED): ANSWER,
    (CYCLE_WINDOW, NOTED): CYCLE,
    (CYCLE_WINDOW, ENDED): REST,
    (CYCLE_WINDOW, OVER): REST,
}


class Access:
    """mode: "S2", "T2" or "C2". direction: in which the meter sends. period_us: t_TxD. end_us: t_TO.

    state: see above. window: (open_us, close_us) of the last window, or None. repeat_us: when the last
    transmission is due again, or None. over_us: end of the cycle, or None.
    """

    def __init__(self, mode, direction="up", period_us=timing.CYCLE_US[0], end_us=timing.CYCLE_END_US[1]):
        self.mode = mode
        self.direction = direction
        self.period_us = period_us
        self.end_us = end_us
        self.state = REST
        self.window = None
        self.repeat_us = None
        self.over_us = None

    @property
    def due_us(self):
        """When `tick` has something to tell, or None."""
        due_us = self.over_us
        if self.state in (WINDOW, CYCLE_WINDOW) and (due_us is None or self.window[1] < due_us):
            due_us = self.window[1]
        elif self._repeats and (due_us is None or self.repeat_us < due_us):
            due_us = self.repeat_us
        return due_us

    def tick(self, now_us):
        """CLOSED, REPEAT, OVER, or None: what has come to pass. REPEAT: the last transmission is to be sent
        at once."""
        if self.state in (WINDOW, CYCLE_WINDOW) and now_us >= self.window[1]:
            return self._step(CLOSED)
        if self.over_us is not None and now_us >= self.over_us:
            return self._step(OVER)
        if self._repeats and now_us >= self.repeat_us:
            return self._step(REPEAT)
        return None

    @property
    def _repeats(self):
        # What was acknowledged, and not sent before: who listens may have missed it.
        return self.state == CYCLE and self.repeat_us is not None

    def sent(self, at_us, end_us, cc, repeated=True):
        """A frame of the meter was on the air from at_us to end_us (its last chip), with this CC. repeated:
        it is the one that the cycle repeats; a synchronous frame in the middle of a cycle is not."""
        event = SENT_CLOSED
        if cc & extended.BIDIRECTIONAL:
            event = SENT_ALWAYS if cc & extended.ACCESSIBLE else SENT
        self._step(event)
        self.window = None
        if event == SENT:
            self.window = timing.listening(self.mode, cc, end_us, self.direction)
        if repeated:
            self.repeat_us = at_us + self.period_us

    def received(self, end_us, answered=True):
        """A valid frame for this meter ended: a cycle begins, or goes on from here. answered: it wants an
        answer."""
        self._step(RECEIVED if answered else NOTED)
        if self.state != ALWAYS:
            self.over_us = end_us + self.end_us

    def missed(self, at_us):
        """The answer, or its repetition, that was to leave at at_us was not sent."""
        self._step(MISSED)
        self.repeat_us = at_us + self.period_us

    def ended(self):
        """SND-NKE came."""
        self._step(ENDED)

    def hears(self, sync_us):
        """True if a frame whose sync word ended then was inside the last window, or there is no need of
        one."""
        if self.state == ALWAYS:
            return True
        return self.window is not None and self.window[0] <= sync_us <= self.window[1]

    def _step(self, event):
        following = TABLE.get((self.state, event))
        if following is None:
            raise MisuseError("{} in state {}".format(event, self.state))
        self.state = following
        if following in (REST, ALWAYS):
            self.over_us = None
            # A frame that came into the window may end behind it: what it begins, repeats the same.
            if event != CLOSED:
                self.repeat_us = None
        return event
