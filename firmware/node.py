"""The event loop: joins a role with the radio and the board that it is handed; imports neither.

A role has `start(now_us)`, `feed(event, now_us, wall_us)`, `tick(now_us, wall_us)` and `due_us`; the first three
return a list of `roles.actions`. Everything a role asks for is carried out here, in order: a Persist before the
Transmit that follows it, and the duty-cycle ledger is asked before each Transmit (link sheet 1.3).
"""

from .errors import DutyCycleError, MisuseError, OmsError
from .phy import modes, radio
from .phy.duty_cycle import Ledger, sub_band
from .portable import const
from .roles.actions import REFUSED, Deliver, Listen, Persist, Transmit

_DUTY_CYCLE = const("duty_cycle")  # key in the stored state


class Node:
    """board: `now_us()`, `wait(until_us) -> (edges, lost)`. radio: a driver (phy/radio.py). role: see above.

    store: object with `save(state)`, or None if nothing needs to survive; what is saved is the role's state, and beside
    it the duty cycle that was used up. state: what was saved last. deliver: function called with each reading.
    wall: function from an instant of the board's clock (us) to UTC in us since 1970, or None while that is unknown.
    ledger: phy.duty_cycle.Ledger, or what takes its place.
    """

    def __init__(self, board, radio, role, store=None, deliver=None, wall=None, state=None, ledger=None):
        self.board = board
        self.radio = radio
        self.role = role
        self.store = store
        self.deliver = deliver
        self.wall = wall
        self.ledger = ledger or Ledger()
        self.counters = {}
        if state:
            self._restore(state)
        self._started = False
        self._listening = None
        # (frequency in Hz, air time in us, instant in us) of the transmission that is armed
        self._sending = None

    def _restore(self, state):
        """A restart does not give back what was sent before it."""
        spent = state.get(_DUTY_CYCLE)
        if spent is not None:
            try:
                self.ledger.restore(spent, self.board.now_us())
            except MisuseError:
                self._count("state_damaged")

    @property
    def due_us(self):
        """Next instant at which `step` wants to be called even without an edge, or None."""
        if not self._started:
            return 0  # at once, however late that is
        radio_us, role_us = self.radio.due_us, self.role.due_us
        if radio_us is None:
            return role_us
        if role_us is None or radio_us < role_us:
            return radio_us
        return role_us

    def step(self, edges=(), lost=0):
        """Do what is due now. edges, lost: as `board.wait` returned them."""
        now_us = self.board.now_us()
        if not self._started:
            self.radio.start(now_us)
            self._started = True
            # Edges from before the radio was set up mean nothing; a board may begin to take them only now.
            self.board.wait(self.board.now_us())
            edges, lost = (), 0
            self._do(self.role.start(now_us))
        if lost:
            self._count("edges_lost", lost)
        due_us = self.radio.due_us
        if edges or lost or (due_us is not None and due_us <= now_us):
            for event in self.radio.service(now_us, edges):
                self._event(event)
            if self._sending and self.radio.due_us is None:
                self._lost()
        now_us = self.board.now_us()
        due_us = self.role.due_us
        if due_us is not None and due_us <= now_us:
            self._do(self.role.tick(now_us, self._wall(now_us)))

    def run(self, until_us=None):
        """Wait and step until the board's clock reaches until_us (None: for ever)."""
        if not self._started:
            self.step()  # before the first wait: the board takes edges only from a radio that is set up
        while until_us is None or self.board.now_us() < until_us:
            due_us = self.due_us
            if due_us is None or (until_us is not None and until_us < due_us):
                due_us = until_us
            edges, lost = self._wait(due_us)
            self.step(edges, lost)

    def stop(self):
        """An orderly end: the role stores what it knows."""
        if self._started:
            self._do(self.role.stop())

    def _wait(self, until_us):
        return self.board.wait(until_us)

    def _wall(self, at_us):
        return self.wall(at_us) if self.wall else None

    def _count(self, name, n=1):
        self.counters[name] = self.counters.get(name, 0) + n

    def _event(self, event):
        now_us = self.board.now_us()
        kind = event.kind
        self._count(kind)
        if kind == radio.SENT and self._sending:
            self.ledger.book(self._sending[0], event.end_us - event.at_us, event.at_us)
        if kind in (radio.SENT, radio.TOO_LATE):
            self._sending = None
            self._resume(now_us)
        self._do(self.role.feed(event, now_us, self._wall(event.at_us)))

    def _lost(self):
        """The driver has given up in the middle (it told a FAULT): nobody knows how much was on the air."""
        self.ledger.book(*self._sending)
        self._sending = None
        now_us = self.board.now_us()
        self._resume(now_us)
        self._refuse(radio.Event(REFUSED, now_us, code="radio"))

    def _refuse(self, event):
        self._count("refused." + event.code)
        now_us = self.board.now_us()
        self._do(self.role.feed(event, now_us, self._wall(now_us)))

    def _resume(self, now_us):
        """After a transmission: hear again, or sleep if nobody listens."""
        if self._listening is None:
            self.radio.sleep(now_us)
        else:
            self._listen(self._listening)

    def _listen(self, action):
        from .phy import deframer  # a node that only sends has no room for it

        self.radio.configure(action.mode, action.direction)
        one = deframer.of(action.mode, action.direction, getattr(self.role, "tiv", None))
        self.radio.listen(one, self.board.now_us())
        self._listening = action

    def _transmit(self, action):
        frequency_hz, air_time_us = _air_time(action)
        self.ledger.check(frequency_hz, air_time_us, action.at_us)
        self.radio.configure(action.mode, action.direction, 0, action.offset_hz)
        self.radio.prepare(action.chips, self.board.now_us())
        self.radio.transmit(action.at_us, action.until_us)
        self._sending = (frequency_hz, air_time_us, action.at_us)

    def _state(self, persist, actions):
        """What is stored: the role's state and the duty cycle. What `actions` are about to send counts as sent, as often
        as this write covers: behind a crash nobody would know of it, and who crashes often would send as often as he
        likes."""
        now_us = self.board.now_us()
        spent = self.ledger.export(now_us)
        for action in actions:
            if isinstance(action, Transmit):
                # Even if it is about to be refused: those behind it may not be.
                frequency_hz, air_time_us = _air_time(action)
                age_us = now_us - action.at_us - air_time_us
                spent += [sub_band(frequency_hz), age_us, air_time_us * persist.covers]
        state = dict(persist.state)
        state[_DUTY_CYCLE] = spent
        return state

    def _do(self, actions):
        for action in actions:
            refused = None
            if isinstance(action, Deliver):
                self._count("delivered")
                if self.deliver:
                    self.deliver(action.reading)
            elif isinstance(action, Listen):
                self._listen(action)
            elif isinstance(action, Transmit):
                try:
                    self._transmit(action)
                except DutyCycleError as error:
                    refused = radio.Event(REFUSED, error.allowed_at_us, error=error, code=error.code)
            elif isinstance(action, Persist):
                try:
                    if self.store:
                        self.store.save(self._state(action, actions))
                except (OSError, OmsError) as error:
                    refused = radio.Event(REFUSED, self.board.now_us(), error=error, code="persist")
            else:
                self.rest()  # two_way.py
            if refused:
                # The rest of the list relied on this action: it is not done.
                self._refuse(refused)
                return


def _air_time(transmit):
    """(frequency in Hz, how long it is on the air in us)."""
    mode = modes.find(transmit.mode, transmit.direction)
    return mode.frequency_hz, len(transmit.chips) * 8 * 1000000 // mode.chip_rate_cps
