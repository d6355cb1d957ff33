"""The event loop of a role that sends and listens in turns: a meter with access windows, a gateway that answers in them.

A role may have `reply(event, now_us)`: it is asked first about each frame, and what it returns, a Transmit that was
prepared before or None, is armed before anybody looks closer at the frame. The frame is fed to the role once that was
sent or missed: decoding takes longer than the 2 ms of mode T2. A role that is going to answer may have `answers_in`:
(mode, direction) of those answers, so that the radio has their carriers ready. And `ready()`: [Transmit], as long as any that
it hands out without a Persist before it.
"""

from .node import Node
from .phy import radio


class TwoWay(Node):
    """As Node; its role may also ask for Rest, and for Listen while a transmission is armed: it listens once that was
    sent or missed."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._reply = getattr(self.role, "reply", None)
        self.radio.clock = self.board.now_us
        for mode, direction in getattr(self.role, "answers_in", ()):
            self.radio.expect(mode, direction)
        self._held = None  # frame that was answered before it was looked at
        self._resting = False

    @property
    def exact(self):
        """Whether `due_us` is an instant that the board should not sleep through, at whatever cost."""
        due_us = self.radio.due_us
        return self.radio.exact and due_us is not None and due_us == self.due_us

    def _state(self, persist, actions):
        # Of an armed reply nobody would know behind a crash: as many as this write covers count as sent.
        ready = getattr(self.role, "ready", None)
        return super()._state(persist, ready() if ready else actions)

    def _wait(self, until_us):
        return self.board.wait(until_us, self.exact and until_us == self.radio.due_us)

    def _event(self, event):
        if event.kind == radio.FRAME and self._reply and not self._sending:
            answer = self._reply(event, self.board.now_us())
            if answer:
                self._do([answer])
                if self._sending:
                    self._held = event
                    return
        super()._event(event)
        if self._resting and event.kind in (radio.FRAME, radio.REJECTED):
            self.rest()

    def _resume(self, now_us):
        super()._resume(now_us)
        if self._held:
            event, self._held = self._held, None
            super()._event(event)

    def _listen(self, action):
        self._resting = False
        if self._sending:
            self._listening = action
        else:
            super()._listen(action)

    def rest(self):
        """Rest: the radio sleeps, once it has received what it is receiving and sent what is armed."""
        self._listening = None
        self._resting = False
        if self._sending:
            return
        if self.radio.receiving:
            self._resting = True
        else:
            self.radio.sleep(self.board.now_us())
