"""A meter that does wrong what a script tells it, and when: for the bench of whoever builds a gateway.

It has the doors of the meter that it wraps and stands between that and the node: transmissions and frames pass through it, and are
changed by the faults (scripted_faults.py) whose time has come. The meter knows nothing of it: what is dropped here it believes
sent, like a telegram that was lost on the air. Given the same frames at the same instants the same happens again.
"""

from collections import namedtuple

from ..application import clock as clocks
from ..errors import OmsError
from ..link import control, frame_a, frame_b
from ..phy import framing, modes, radio
from . import scripted_faults as faults
from . import scripted_telegram as change
from .actions import REFUSED, Deliver, Listen, Persist, Transmit
from .scripted_rules import AFTER, ANSWER, COMMAND, OWN, TELEGRAM, Crystal, Progress
from .window_actions import Rest

_COPY_US = 2000  # window of a transmission that is made a second time

# A fault happened: number of its rule, from 1 on; its name; the frame it happened to, or None; instant in us.
Happened = namedtuple("Happened", ("number", "fault", "frame", "at_us"))


class Scripted:
    """make: function that makes the meter out of its stored state, or of None, as the first time. rules: list of Rule. state: of
    the meter.

    meter: the role that it wraps, None while it is without power. Deliver(Happened) tells each fault as it happens; `unused`
    those that did not.
    """

    def __init__(self, make, rules, state=None):
        self.meter = make(state)
        self.answers_in = getattr(self.meter, "answers_in", ())
        self.crystal = Crystal()
        self.now_us = 0
        self.sent_us = None  # end of the last transmission
        self.last_fcb = None  # (FCB, access number) of the last frame
        self.ends_cycles = True
        self.true_keys = None  # exported, while the meter has others
        self._highest = {}  # message counters that were stored, by key id, None for the master key's
        self.frame = None  # of a gateway, the last one: (kind, telegram, whether the meter got it)
        self._make = make
        self._stored = state
        self._safe(state or {})
        self._rules = [Progress(number, rule) for number, rule in enumerate(rules, 1)]
        self._start_us = 0
        self._wall_us = 0  # added to the wall clock
        self._past = {}  # counters of the meter before it restarted
        self._on_us = None  # when the power comes back
        self._listens = None  # last Listen
        self._heard = (None, None)  # event, and what the meter gets of it
        # Of the transmission that is under way: None, or (whether the meter made it, copy to be sent behind it or None).
        self._flying = None
        self._behind = []  # rules whose time has come when that is over
        self._lost = None  # SENT of a transmission that was dropped
        self._waiting = []  # (Transmit, Sending) that came while another one was under way
        self._told = []

    # --- doors ---

    @property
    def counters(self):
        """Those of the meter, restarts included; scripted: faults that happened."""
        out = dict(self._past)
        for name, n in self.meter.counters.items() if self.meter else ():
            out[name] = out.get(name, 0) + n
        out["scripted"] = sum([one.happened for one in self._rules])
        return out

    @property
    def due_us(self):
        """Next instant at which meter or script want to be called, or None."""
        times = [one.until_us for one in self._rules if one.undo and one.until_us is not None]
        times += [
            self._start_us + one.rule.nth
            for one in self._rules
            if one.rule.on == AFTER and not one.active and one.left != 0
        ]
        if self._lost:
            times.append(self._lost.end_us)
        if self._told and not self._flying:  # nothing is told while an answer is about to leave
            times.append(self.now_us)
        due_us = self._on_us if self.meter is None else self.meter.due_us
        if due_us is not None:
            times.append(due_us if self.meter is None else self.crystal.outside(due_us))
        return min(times) if times else None

    def start(self, now_us):
        """As the meter."""
        self.now_us = self._start_us = now_us
        for one in self._rules:
            if one.rule.on != AFTER and one.rule.nth == 0:
                self._activate(one, None)
        return self._meter(self.meter and self.meter.start(self.crystal.inside(now_us)))

    def reply(self, event, now_us):
        """As the meter, if it has one: the answer that is to be armed before the frame is looked at, or None."""
        self.now_us = now_us
        heard = self._hear(event)
        reply = getattr(self.meter, "reply", None)
        action = reply(heard, self.crystal.inside(now_us)) if heard and reply else None
        return self._send(action) if action else None

    def feed(self, event, now_us, wall_us=None):
        """As the meter."""
        self.now_us = now_us
        if event.kind == radio.FRAME:
            heard = self._hear(event)
            self._heard = (None, None)
            return self._meter(self._feed(heard, wall_us) if heard else None)
        if event.kind in (radio.SENT, radio.TOO_LATE, REFUSED):
            return self._over(event, wall_us)
        return self._meter(self._feed(self._inside(event), wall_us) if self.meter else None)

    def tick(self, now_us, wall_us=None):
        """As the meter."""
        self.now_us = now_us
        out = []
        self._time()
        if self._lost and now_us >= self._lost.end_us:
            event, self._lost = self._lost, None
            out += self._over(event, wall_us)
        if self._on_us is not None and now_us >= self._on_us:
            self._on_us = None
            self.meter = self._make(self._stored)
            out += self._meter(self.meter.start(self.crystal.inside(now_us)))
        due_us = self.meter and self.meter.due_us
        actions = None
        if due_us is not None and self.crystal.inside(now_us) >= due_us:
            actions = self.meter.tick(self.crystal.inside(now_us), self._wall(wall_us))
        return out + self._meter(actions)

    def stop(self):
        """As the meter."""
        return self._meter(self.meter and self.meter.stop())

    def install(self, now_us):
        """As a WindowMeter: the button."""
        if self.meter:
            self.meter.install(self.crystal.inside(now_us))

    def unused(self):
        """Numbers of the rules that never happened."""
        return [one.number for one in self._rules if not one.happened]

    # --- what faults do to the meter ---

    def restart(self, now_us, keeps, off_us):
        """The power goes, and comes back off_us later. keeps: what was stored is still there."""
        self._past = self.counters
        self._past.pop("scripted")
        self.meter = None
        self._waiting = []
        self._behind = []
        if not keeps:
            self._stored = None
        self._on_us = now_us + off_us

    def move_clock(self, by_us):
        """The meter's date and time are others by so much: its own clock, and what it is told of the wall's."""
        self._wall_us += by_us
        device = getattr(self.meter, "device", None)
        if device and device.clock:
            clock = device.clock
            device.clock = clocks.Clock(clock.offset_us + by_us, clock.adjust_s, clock.since_us, clock.spent)

    # --- rules ---

    def _time(self):
        for one in self._rules:
            if one.rule.on == AFTER and not one.active and self.now_us >= self._start_us + one.rule.nth:
                self._activate(one, None)
            if one.until_us is not None and self.now_us >= one.until_us:
                one.until_us = None
                one.left = 0
                if one.undo:
                    one.undo()
                    one.undo = None

    def _activate(self, one, frame):
        if one.active or one.left == 0:
            return
        one.active = True
        if one.rule.for_us is not None:
            one.until_us = self.now_us + one.rule.for_us
        if one.rule.stage == faults.METER and self.meter:
            one.undo = one.rule.function(self, self.now_us, one.rule.values)
            self._happened(one, frame)

    def _happened(self, one, frame):
        one.happened += 1
        if one.left:
            one.left -= 1
        self._told.append(Deliver(Happened(one.number, one.rule.fault, frame, self.now_us)))

    def _count(self, on, kind):
        """Rules whose time has come with this frame."""
        out = []
        for one in self._rules:
            if one.rule.on == on and kind in one.rule.counted:
                one.count += 1
                if one.count == one.rule.nth:
                    out.append(one)
        return out

    def _active(self, stage):
        return [one for one in self._rules if one.active and one.left != 0 and one.rule.stage == stage]

    # --- from the air ---

    def _inside(self, event):
        """The event as the meter's clock has it."""
        inside = self.crystal.inside
        out = radio.Event(event.kind, inside(event.at_us), event.end_us and inside(event.end_us), event.frame)
        for name in ("family", "frame_format", "rssi_dbm", "lqi", "offset_hz", "error", "code"):
            setattr(out, name, getattr(event, name))
        return out

    def _hear(self, event):
        """What the meter gets of a frame: an event or None. The same event may come twice, to be answered and to be fed."""
        if self._heard[0] is not event:
            self._time()
            self.frame = None
            self._heard = (event, self._listen(event))
        return self._heard[1] if self.meter else None

    def _listen(self, event):
        heard = self._inside(event)
        layer = frame_b if event.frame_format == "B" else frame_a
        try:
            telegram = layer.strip(event.frame)
        except OmsError:
            return heard
        kind = control.name(telegram[1], False)
        if kind is None or self.meter is None or not change.is_for(telegram, self.meter.profile):
            return heard
        self.frame = (kind, telegram, False)
        for one in self._count(COMMAND, kind):
            self._activate(one, kind)
        if kind == "SND-NKE":
            self.last_fcb = None  # the first one behind it is new
            if not self.ends_cycles:
                return None
        for one in self._active(faults.HEARING):
            if one.rule.on == COMMAND and kind not in one.rule.counted:
                continue
            changed = one.rule.function(self, telegram, event.at_us, one.rule.values)
            if changed is False:
                continue
            self._happened(one, kind)
            if changed is None:
                return None
            telegram = changed
            heard.frame = layer.build(telegram)
        self.frame = (kind, telegram, self.meter is not None)
        return heard

    def _feed(self, event, wall_us):
        return self.meter.feed(event, self.crystal.inside(self.now_us), self._wall(wall_us))

    def _wall(self, wall_us):
        return None if wall_us is None else wall_us + self._wall_us

    # --- to the air ---

    def _meter(self, actions):
        """What is left of what the meter wants, with the faults that happened before it."""
        out = []
        for action in actions or ():
            if isinstance(action, Transmit):
                action = self._send(action)
            elif isinstance(action, Persist):
                self._stored = action.state
                action = Persist(self._safe(action.state), action.covers)
            elif isinstance(action, (Listen, Rest)):
                self._listens = action
            if action:
                out.append(action)
        if self.meter is None and isinstance(self._listens, Listen):
            self._listens = Rest()
            out.append(self._listens)
        told, self._told = self._told, []
        return told + out

    def _safe(self, state):
        """What is really stored: with the true keys, and no counter lower than it was. A script is not to spoil the meter for the
        time behind it."""
        out = dict(state)
        if self.true_keys is not None:
            out["keys"] = self.true_keys
        rows = dict([(key_id, value) for key_id, value in state.get("counters", ())])
        rows[None] = state.get("message_counter")
        for key_id, value in rows.items():
            if value is not None:
                self._highest[key_id] = max(value, self._highest.get(key_id, 0))
        if rows.pop(None) is not None:
            out["message_counter"] = self._highest[None]
        if rows:
            out["counters"] = [[key_id, self._highest[key_id]] for key_id in sorted(rows)]
        return out

    def _send(self, action):
        """The Transmit that is left of one, or None: nothing is sent now."""
        outside = self.crystal.outside
        until_us = action.until_us if action.until_us is None else outside(action.until_us)
        sending = faults.Sending(bytes(action.telegram), outside(action.at_us), until_us)
        kind = change.kind(sending.telegram)
        for one in self._count(TELEGRAM if kind in OWN else ANSWER, kind):
            if one.rule.stage == faults.METER:
                self._behind.append(one)
            else:
                self._activate(one, kind)
        for one in self._active(faults.SENDING):
            if kind in one.rule.hits and one.rule.function(sending, self.meter, one.rule.values):
                self._happened(one, kind)
        transmit = _built(action, sending, self.meter.profile.frame_format)
        if self._flying:
            self._waiting.append((transmit, sending))
            return None
        return self._fly(transmit, sending)

    def _fly(self, transmit, sending):
        self._flying = (True, None if sending.again_us is None else (transmit, sending.again_us))
        if not sending.dropped:
            return transmit
        rate = modes.find(transmit.mode, transmit.direction).chip_rate_cps
        at_us = sending.at_us if sending.until_us is None else (sending.at_us + sending.until_us) // 2
        end_us = at_us + len(transmit.chips) * 8 * 1000000 // rate
        self._lost = radio.Event(radio.SENT, at_us, end_us)
        return None

    def _over(self, event, wall_us):
        """A transmission has ended, one way or another."""
        own, copy = self._flying or (True, None)
        self._flying = None
        if event.kind == radio.SENT:
            self.sent_us = event.end_us
        actions = []
        if own and self.meter:
            actions = self._feed(self._inside(event), wall_us)
            behind, self._behind = self._behind, []
            for one in behind:
                self._activate(one, None)
        out = self._meter(actions)
        if copy and event.kind == radio.SENT:
            transmit, after_us = copy
            at_us = event.end_us + after_us
            self._flying = (False, None)
            out.append(_moved(transmit, at_us, at_us + _COPY_US))
        elif self._waiting and not self._flying:
            transmit = self._fly(*self._waiting.pop(0))
            if transmit:
                out.append(transmit)
        return out


def _moved(action, at_us, until_us):
    return Transmit(action.mode, action.direction, action.chips, at_us, action.telegram, until_us, 0)


def _built(action, sending, frame_format):
    """The Transmit of a Sending; chips are made anew only where something in them is another."""
    chips = action.chips
    if sending.telegram != action.telegram or sending.broken_block or sending.broken_chip is not None:
        row = modes.find(action.mode, action.direction)
        frame = bytearray((frame_b if frame_format == "B" else frame_a).build(sending.telegram))
        if sending.broken_block:
            size = len(frame)
            ends = [min(128, size), size] if frame_format == "B" else [12]
            while frame_format == "A" and ends[-1] < size:
                ends.append(min(ends[-1] + 18, size))
            frame[ends[min(sending.broken_block, len(ends)) - 1] - 1] ^= 1
        chips = bytearray(framing.chips(row, bytes(frame), frame_format))
        if sending.broken_chip is not None:
            place = 2 * row.preamble_pairs + row.sync[frame_format][1] + sending.broken_chip
            place = min(place, 8 * len(chips) - 9)  # not in the trailer
            chips[place >> 3] ^= 0x80 >> (place & 7)
        chips = bytes(chips)
    return Transmit(
        action.mode, action.direction, chips, sending.at_us, sending.telegram, sending.until_us, 0
    )
