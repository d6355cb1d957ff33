"""Several radios in one node: two antennas, or S on one and T+C on the other. One loop, one role, one duty cycle.

Each radio has a Node of its own; they share a store and a Ledger, because duty cycle is what a device sends, not a chip.
A radio that dies neither ends the loop nor holds up the others: it is left alone for a while and then started anew.
"""

from .errors import OmsError
from .phy import modes, radio
from .phy.duty_cycle import Ledger, sub_band
from .roles.actions import Listen

# What the radios tell of one transmission comes within this time: its end is the same for all, services are late.
HOLD_US = 50000
_SAME_US = 20000  # sync words of one transmission are not further apart; no meter repeats itself so soon

# Faults by which a chip shows that it is not there. So many in a row, without a frame, and it is left alone: each attempt
# to bring it back holds up the others.
_GONE = ("no_answer", "busy")
_IN_ROW = 5
_QUIET_US = 10000000
FIRST_PAUSE_US = 2000000
LONGEST_PAUSE_US = 64000000


class SharedLedger(Ledger):
    """A Ledger that also counts what was allowed and not yet booked: two radios may be armed at once."""

    def __init__(self):
        Ledger.__init__(self)
        self._allowed = []  # (sub-band, air time in us, end in us)

    def check(self, frequency_hz, air_time_us, now_us):
        band = sub_band(frequency_hz)
        # What ended long ago and was not booked was not sent.
        self._allowed = [one for one in self._allowed if one[2] + 10000000 > now_us]
        waiting_us = sum([one[1] for one in self._allowed if one[0] == band])
        Ledger.check(self, frequency_hz, air_time_us + waiting_us, now_us)
        self._allowed.append((band, air_time_us, now_us + air_time_us))

    def book(self, frequency_hz, air_time_us, now_us):
        band = sub_band(frequency_hz)
        for i in range(len(self._allowed)):
            if self._allowed[i][0] == band:
                del self._allowed[i]
                break
        Ledger.book(self, frequency_hz, air_time_us, now_us)


class Shared:
    """A collector that several radios feed. What they hear of one transmission is one frame: that of the radio with the
    better RSSI, which is named in the reading. It is told when all that can hear its mode have, or HOLD_US later.

    role: roles.collector.Collector. counters: its own. merged: copies that became one."""

    def __init__(self, role):
        self.role = role
        self.merged = 0
        self._members = []
        self._held = []

    def member(self, name, mode):
        """The role for the Node of the radio with this name. mode: what it listens to."""
        one = _Member(self, name, mode)
        self._members.append(one)
        return one

    @property
    def due_us(self):
        due_us = self.role.due_us
        for one in self._held:
            if due_us is None or one.until_us < due_us:
                due_us = one.until_us
        return due_us

    def feed(self, name, event, now_us, wall_us):
        if event.kind != radio.FRAME:
            return self.role.feed(event, now_us, wall_us)
        one = self._held_of(event, name)
        if one is None:
            hearing = len([member for member in self._members if event.family in member.families])
            one = _Held(event, name, wall_us, now_us + HOLD_US, hearing)
            self._held.append(one)
        else:
            self.merged += 1
            one.add(event, name, wall_us)
        if len(one.names) < one.hearing:
            return []
        self._held.remove(one)
        return self._tell(one, now_us)

    def tick(self, now_us, wall_us, all_of_them=False):
        actions = []
        for one in list(self._held):
            if all_of_them or one.until_us <= now_us:
                self._held.remove(one)
                actions += self._tell(one, now_us)
        due_us = self.role.due_us
        if due_us is not None and due_us <= now_us:
            actions += self.role.tick(now_us, wall_us)
        return actions

    def _held_of(self, event, name):
        for one in self._held:
            near = abs(one.event.at_us - event.at_us) < _SAME_US
            if near and one.event.frame == event.frame and name not in one.names:
                return one
        return None

    def _tell(self, one, now_us):
        self.role.radio_name = one.name
        return self.role.feed(one.event, now_us, one.wall_us)


class _Held:
    """A frame that other radios may have heard too, with the best copy so far."""

    def __init__(self, event, name, wall_us, until_us, hearing):
        self.event = event
        self.name = name
        self.wall_us = wall_us
        self.until_us = until_us
        self.hearing = hearing
        self.names = [name]

    def add(self, event, name, wall_us):
        self.names.append(name)
        mine, other = self.event.rssi_dbm, event.rssi_dbm
        if other is not None and (mine is None or other > mine):
            self.event, self.name, self.wall_us = event, name, wall_us


class _Member:
    """The role of one radio, as node.py wants it."""

    def __init__(self, shared, name, mode):
        self._shared = shared
        self.name = name
        self.mode = mode
        self.families = ("T", "C") if mode == modes.T_AND_C else (modes.find(mode, modes.UP).family,)
        self.counters = shared.role.counters

    @property
    def due_us(self):
        return self._shared.due_us

    def start(self, now_us):
        return [Listen(self.mode, modes.UP)]

    def feed(self, event, now_us, wall_us=None):
        return self._shared.feed(self.name, event, now_us, wall_us)

    def tick(self, now_us, wall_us=None):
        return self._shared.tick(now_us, wall_us)

    def stop(self):
        """What is held is told, what the role knows is stored."""
        shared = self._shared
        return shared.tick(0, None, True) + shared.role.stop()


class Radios:
    """The loop over several Nodes; to who runs it, it looks like one.

    board: all boards as one: `now_us()`, `wait(until_us) -> (several, 0)` with (edges, lost) of each of them, and `active`,
    the indices of those whose edges count.
    nodes: a Node for each, in the same order, whose roles come from `shared`. tell: function (radio name, OmsError or
    None, pause in us or None), called when a radio is given up for a while, and when it is back; or None.
    """

    def __init__(self, board, nodes, shared, tell=None):
        self.board = board
        self.nodes = nodes
        self.role = shared.role
        self.shared = shared
        self.radio = _All()
        self._tell = tell
        self._states = [_State() for _ in nodes]
        self._dead = 0
        self.counters = {}

    @property
    def due_us(self):
        first = None
        for i in range(len(self.nodes)):
            due_us = self._states[i].until_us
            if due_us is None:
                due_us = self.nodes[i].due_us
            if due_us is not None and (first is None or due_us < first):
                first = due_us
        return first

    def step(self, several=(), lost=0):
        """Do what is due now. several: (edges, lost) of each board, as `board.wait` returned them."""
        for i in range(len(self.nodes)):
            node, state = self.nodes[i], self._states[i]
            now_us = self.board.now_us()
            edges, lost = several[i] if several else ((), 0)
            if state.until_us is not None:
                if now_us < state.until_us:
                    continue
                state.until_us = None
                self._see_who_is_active()
                edges, lost = (), 0
            due_us = node.due_us
            if edges or lost or (due_us is not None and due_us <= now_us):
                self._serve(i, edges, lost)

    def run(self, until_us=None):
        """Wait and step until the board's clock reaches until_us (None: for ever)."""
        self.step()
        while until_us is None or self.board.now_us() < until_us:
            due_us = self.due_us
            if due_us is None or (until_us is not None and until_us < due_us):
                due_us = until_us
            several, _ = self.board.wait(due_us, self._exact(due_us))
            self.step(several)
        self.count()

    def _exact(self, due_us):
        """Whether a transmission in a window is due just then (two_way.py)."""
        return any([getattr(node, "exact", False) and node.due_us == due_us for node in self.nodes])

    def stop(self):
        """An orderly end."""
        self.count()
        for i in self.board.active:
            self.nodes[i].stop()
            return

    def _serve(self, i, edges, lost):
        node, state = self.nodes[i], self._states[i]
        try:
            node.step(edges, lost)
        except OmsError as error:
            self._leave(i, error)
            return
        if state.error:
            state.error = None
            if self._tell:
                self._tell(node.role.name, None, None)
        state.ever = True
        if state.gone(node, self.board.now_us()):
            self._leave(i, None)

    def _see_who_is_active(self):
        self.board.active = [i for i in range(len(self.nodes)) if self._states[i].until_us is None]

    def _leave(self, i, error):
        """Leave a radio alone for a while. If not one of them ever worked, the error is that of the whole."""
        node, state = self.nodes[i], self._states[i]
        pause_us = state.leave(node, self.board.now_us())
        self._see_who_is_active()
        node._started = False  # then it begins from the start
        state.error = error or True
        if self._tell:
            self._tell(node.role.name, error, pause_us)
        if error and not [one for one in self._states if one.ever or not one.error]:
            raise error

    def count(self):
        """The sum over all radios, beside each by its name."""
        counters = self.radio.counters
        counters["frames"] = counters["sent"] = 0
        counters["faults"] = faults = {}
        self.counters["merged"] = self.shared.merged
        for node in self.nodes:
            self.counters[node.role.name] = node.counters
            own = node.radio.counters
            counters[node.role.name] = own
            for key in ("frames", "sent"):
                counters[key] += own[key]
            for code, n in own["faults"].items():
                faults[code] = faults.get(code, 0) + n
        if not self.board.active:
            # Left alone they have no faults; but nobody shall take that for life.
            self._dead += 1
            faults["no_radio"] = self._dead


class _All:
    """Whoever wants to know how the radio is finds counters of all of them."""

    def __init__(self):
        self.counters = {"frames": 0, "sent": 0, "faults": {}}


class _State:
    """How a radio is."""

    def __init__(self):
        self.ever = False  # it was started once
        self.error = None  # why it was left alone
        self.until_us = None  # so long
        self._pause_us = FIRST_PAUSE_US
        self._frames = 0
        self._faults = 0
        self._in_row = 0
        self._fault_us = 0

    def gone(self, node, now_us):
        """True if it shows, for the last time of several, that it is not there."""
        counters = node.radio.counters
        faults = _gone(counters)
        heard = counters["frames"] != self._frames
        if heard or now_us - self._fault_us > _QUIET_US:
            self._in_row = 0
        if heard:
            self._frames = counters["frames"]
            self._pause_us = FIRST_PAUSE_US
        if faults != self._faults:
            self._in_row += faults - self._faults
            self._faults = faults
            self._fault_us = now_us
        return self._in_row >= _IN_ROW

    def leave(self, node, now_us):
        pause_us = self._pause_us
        self._pause_us = min(2 * pause_us, LONGEST_PAUSE_US)
        self._faults = _gone(node.radio.counters)
        self._in_row = 0
        self.until_us = now_us + pause_us
        return pause_us


def _gone(counters):
    return sum([counters["faults"].get(code, 0) for code in _GONE])
