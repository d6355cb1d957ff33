"""When the receiver of a bidirectional meter is on: the access machine (link/access.py) and the actions that
it comes to.

Place: held by window_meter.py; it knows no frames, only instants."""

from ..link import access as windows
from ..link import timing
from ..phy import modes
from .actions import Listen
from .window_actions import Rest

# Access: bits B and A of what the meter sends.
UNIDIRECTIONAL, LIMITED, UNLIMITED = 0x00, 0x80, 0x84

ARM_US = 15000  # a frame with a window is handed to the radio so long before it: an armed radio hears nothing
WAKE_US = 15000  # the receiver is started so long before its window opens: a chip that slept, behind a TCXO
_QUICK_US = 50000  # where the response delay is shorter, it starts as the transmission ends


class Receiver:
    """mode, period_us: see link.access.Access. rights: UNIDIRECTIONAL, LIMITED or UNLIMITED. cc: CC field of
    the meter's frames.

    access: the machine. quick: windows open just behind a transmission. listens: whether the node was told to
    listen.
    """

    def __init__(self, mode, rights, cc, period_us):
        self.mode = mode
        self.rights = rights
        self.access = windows.Access(mode, modes.UP, period_us)
        self.quick = rights != UNIDIRECTIONAL and timing.delay(mode, cc)[0] < _QUICK_US
        self.listens = False
        self._open_us = None  # when it is to be started

    @property
    def due_us(self):
        """When `step` has something to do, or None."""
        due_us, open_us = self._step_us(), self._open_us
        if due_us is None or (open_us is not None and open_us < due_us):
            return open_us
        return due_us

    def _step_us(self):
        """When the machine goes on. A repetition is handed out before it is due."""
        access = self.access
        if access.state != windows.CYCLE:
            return access.due_us
        return access.repeat_us - ARM_US if access.repeat_us < access.over_us else access.over_us

    def step(self, now_us):
        """At `due_us`: (event of the access machine or None, instant of a REPEAT, actions)."""
        access = self.access
        step_us = self._step_us()
        if step_us is None or now_us < step_us:
            self._open_us = None
            return None, None, self.listen()
        at_us = None
        if access.state == windows.CYCLE:
            at_us = access.repeat_us
            event = access.tick(max(now_us, min(at_us, access.over_us)))
        else:
            event = access.tick(now_us)
        if event == windows.REPEAT:
            return event, at_us, []
        self.push(now_us)
        return event, None, self.rest()

    def push(self, now_us):
        """A repetition that cannot be handed out in time any more waits for the next turn."""
        access = self.access
        if access.state == windows.CYCLE:
            while access.repeat_us - ARM_US < now_us:
                access.repeat_us += access.period_us

    def missed(self, at_us, now_us):
        """What was to be answered or repeated at at_us was not."""
        self.access.missed(at_us)
        self.push(now_us)

    def sent(self, at_us, end_us, cc, repeated):
        """See link.access.Access.sent; actions: to listen, now or when the window opens, or to rest."""
        access = self.access
        access.sent(at_us, end_us, cc, repeated)
        self._open_us = None
        if access.state == windows.ALWAYS or (access.window and self.quick):
            return [] if self.listens else self.listen()
        if access.window is None:
            return self.rest()
        self._open_us = access.window[0] - WAKE_US
        return []

    def give_way(self, now_us):
        """Whatever is open is closed."""
        access = self.access
        self._open_us = None
        if access.state in (windows.WINDOW, windows.CYCLE_WINDOW):
            access.tick(max(now_us, access.window[1]))
            self.push(now_us)

    def hears(self, at_us):
        """Whether a frame whose sync word ended then may be taken."""
        access = self.access
        if access.state == windows.ANSWER:
            return False
        return access.hears(at_us) or (access.state == windows.CYCLE and self._always())

    def _always(self):
        """In a cycle a meter of unlimited access does not stop to listen."""
        return self.listens and self.rights == UNLIMITED

    def listen(self):
        """Actions."""
        self.listens = True
        return [Listen(self.mode, modes.DOWN)]

    def rest(self):
        """Actions; none where it has to go on listening."""
        self._open_us = None
        state = self.access.state
        if not self.listens or state == windows.ALWAYS:
            return []
        if state in (windows.ANSWER, windows.CYCLE) and self._always():
            return []
        self.listens = False
        return [Rest()]
