"""The burst meter: SND-NR in its slots, up to six windows behind each frame, answers, MAC commands (OMS Vol. 2 Annex Q; LPWAN
sheet 11, 13, 16 to 18, 21). Runs on a TwoWay.

Made of, each knowing only what stands above it:

    roles.meter, answers, commanded   registers, telegrams, commands: as of every meter
    meter_unasked.Unasked             what is said unasked, credits
    BurstMeter                        when: here, and nowhere else, frames are handed to the radio

It holds a meter_session.Session, a meter_services.Services (MAC) and for each frame a meter_exchange.Exchange; meter_way.py says
what is declared and what a frame looks like, meter_frames.py and meter_listener.py translate.

Synchronous slots never move: what meets one gives way, and the gateway asks again behind it (the stored answer is repeated).
"""

from ...errors import OmsError
from ...link import credits
from ...link.lpwan import elements, mac
from ...phy import modes, radio
from ...phy.burst import timing
from ..actions import REFUSED, Listen, Transmit
from ..asked import who
from ..meter import BLOCK
from ..meter import LEAD_US as PREPARE_US
from ..window_actions import Rest
from . import meter_exchange as exchanges
from . import meter_frames as frames
from . import meter_way as ways
from .meter_listener import FOREIGN, WHOLE
from .meter_services import Services
from .meter_session import Session
from .meter_unasked import Unasked

# States: nothing is under way; the first burst of a frame is with the radio; between two steps of the frame; a further burst
# is with the radio; a window is open.
REST, FIRST, GAP, FURTHER, WINDOW = "rest", "first", "gap", "further", "window"
# Events: a frame is due; what the radio had was sent, or not; steps of meter_exchange; a burst with our header was heard, and
# with it, or without more, its frame; a synchronous slot is next.
DUE, SENT, LOST, HEARD, TAKEN, YIELD = "due", "sent", "lost", "heard", "taken", "yield"
BURST, ON, OFF, END = exchanges.BURST, exchanges.ON, exchanges.OFF, exchanges.END

TABLE = {
    (REST, DUE): FIRST,
    (FIRST, SENT): GAP,
    (FIRST, LOST): REST,
    (GAP, BURST): FURTHER,
    (FURTHER, SENT): GAP,
    (FURTHER, LOST): GAP,
    (GAP, ON): WINDOW,
    (WINDOW, OFF): GAP,
    (GAP, HEARD): GAP,  # the window was closed while its burst was on the air
    (WINDOW, HEARD): WINDOW,
    (GAP, TAKEN): GAP,
    (WINDOW, TAKEN): GAP,
    (GAP, END): REST,
    (GAP, YIELD): REST,
    (WINDOW, YIELD): REST,
}

SLOT, OWN, ANSWER, PART, ACCESS = "slot", "own", "answer", "part", "access"
LEAD_US = 120000  # a synchronous frame is handed to the radio so long before its slot
SLOT_US = 500  # a burst is handed out as a window of so much to either side
_ROOM_US = 3000000  # between a frame beside the slots and the slot
_SOON_US = 200000  # a frame of no particular time leaves so much from now


class BurstMeter(Unasked):
    """profile: roles.meter.Profile with mode "UL-B1".. and frame_format "B", security mode 5, 7 or 10. declared:
    meter_way.Declared. entropy, keys, storage_key, device, state: as CommandedMeter; keys may have the MAC key, (0F, version).
    fillers: n, ACC-NR for each SND-NR. pause: see link.credits. registration: records of its SND-IR, None: its data.

    state: of the table above. More counters: deferred, mack, skipped_bursts, heard (headers), taken (downlink frames), foreign,
    outside (no window), no_credits, closed (frames without access), repeated, `refused.<code>`.
    """

    def __init__(
        self,
        profile,
        declared,
        entropy,
        keys,
        storage_key,
        device=None,
        state=None,
        fillers=0,
        pause=False,
        registration=None,
    ):
        kept = state.get("lpwan") if state else None
        self.services = Services(declared, profile.address, kept, self._count)
        super().__init__(
            profile, declared, entropy, keys, storage_key, device, state, fillers, pause, registration
        )
        self.services.rekeyed(self.keys.key(0x0F))
        tiv = declared.tiv
        if tiv is None:
            tiv = kept["tiv"] if kept else (entropy[-1] ^ entropy[0]) & 0x7F
        self.tiv = tiv
        self.state = REST
        self.session = Session()
        self._frame_turn = entropy[1]  # from which sub-carriers follow
        self._slot = None  # Uplinks of the synchronous frame that is due
        self._queue = []  # Uplinks that wait, in order
        self._exchange = None
        self._in_flight = False
        self._access_us = None  # T0 of a MACC that was asked for, or resumes a session
        self._undo = None  # what to do if what was just handed out cannot be stored
        self._way_changed()

    # --- doors ---

    def start(self, now_us):
        super().start(now_us)
        self._now_us = now_us
        self._slot_us += self._front_us()
        if self.declared.bidirectional and not self.credits.start(now_us, self._next_us()):
            return [self._persist(0, 0)]
        return []

    @property
    def due_us(self):
        """When `tick` has something to do, or None."""
        if self._in_flight:
            return None
        due = []
        if self._slot_us is not None and self._slot is None:
            due.append(self._slot_us - self._front_us() - PREPARE_US)
        if self._slot:
            due.append(self._hand_over_us(self._slot[0], LEAD_US))
        if self._exchange:
            due.append(self._exchange.steps[0].at_us)
        elif self._queue:
            due.append(self._hand_over_us(self._queue[0], ways.ARM_US))
        else:
            due.append(self._beside_us())
        if self.session.alive and not self._exchange and not self._queue:
            due.append(self.session.until_us)
        return min([one for one in due if one is not None], default=None)

    def tick(self, now_us, wall_us=None):
        """At `due_us`: what is to be sent or heard next."""
        wall_us = self._present(now_us, wall_us)
        self._undo = None
        if self._in_flight:
            return []
        if self._slot is None and self._slot_us is not None:
            if now_us >= self._slot_us - self._front_us() - PREPARE_US:
                return self._prepare(now_us, wall_us)
        elif self._slot and now_us >= self._hand_over_us(self._slot[0], LEAD_US):
            return self._take_slot()
        if self._exchange:
            step = self._exchange.steps[0]
            return self._step(step) if now_us >= step.at_us else []
        if self._queue:
            if now_us >= self._hand_over_us(self._queue[0], ways.ARM_US):
                return self._send(self._queue.pop(0))
            return []
        if self.session.alive and now_us >= self.session.until_us:
            return self._close_session()
        due_us = self._beside_us()
        return self._beside(wall_us) if due_us is not None and now_us >= due_us else []

    def feed(self, event, now_us, wall_us=None):
        """What the radio, or the node, tells."""
        if event.kind == radio.FRAME:
            wall_us = self._present(now_us, wall_us)
            self._undo = None
            return self._heard(event, wall_us)
        if event.kind not in (radio.SENT, radio.TOO_LATE, REFUSED):
            return []
        super().feed(event, now_us, wall_us)
        self._now_us = now_us
        if event.kind == REFUSED and event.code == "persist":
            self.credits.lost()
            undo, self._undo = self._undo, None
            if undo:
                undo()
            if not self._in_flight:
                return []
        elif event.kind == REFUSED and event.code == "duty_cycle":
            self.credits.close(now_us, event.at_us)
        if not self._in_flight:
            return []
        self._in_flight = False
        return self._sent(event) if event.kind == radio.SENT else self._lost()

    # --- the frame that is under way ---

    def _go(self, event):
        self.state = TABLE[self.state, event]

    def _send(self, uplink):
        """Hand the first burst of a frame to the radio, unless it would meet a slot or there are no credits for it."""
        exchange = self._exchange_of(uplink)
        if uplink.what != SLOT and self._meets_slot(exchange, uplink.at_us):
            self._count("deferred")
            return self._dropped(uplink)
        if not self.credits.spend(_cost(uplink), self._now_us):
            self._count("no_credits")
            return self._dropped(uplink)
        self._exchange = exchange
        self._go(DUE)
        return self._hand_over(exchange, 1, uplink.at_us - frames.front_us(exchange.shape.uplink))

    def _exchange_of(self, uplink):
        self._frame_turn = (self._frame_turn + 1) & 0xFFFF
        access = uplink.access
        if access is None and not uplink.session and not self._offers(self.session.alive):
            access = elements.TEMPORARILY_NO_ACCESS if self.declared.bidirectional else None
            if self.declared.bidirectional:
                self._count("closed")
        way = uplink.way or self.way
        one = ways.shape(self.declared, way, self.tiv, self._frame_turn, access, uplink.session)
        payload = frames.payload(uplink, one, self.profile.address)
        one = frames.shaped(one, payload)
        chips = frames.bursts(one, payload)
        return exchanges.Exchange(uplink, one, chips, self.declared, mac.valid)

    def _hand_over(self, exchange, index, at_us, chips=None):
        self._in_flight = True
        actions = []
        if not self.credits.covered():
            actions.append(self._persist(BLOCK, BLOCK))
            self._covered = BLOCK - 1
        name = exchange.shape.names[index - 1]
        chips = chips or exchange.chips[index - 1]
        telegram = exchange.uplink.telegram
        window = (at_us - SLOT_US, telegram, at_us + SLOT_US)
        return actions + [Transmit(name, modes.UP, chips, window[0], window[1], window[2], 0)]

    def _sent(self, event):
        first = self.state == FIRST
        self._go(SENT)
        exchange = self._exchange
        if not first:
            return []
        exchange.began(event.at_us + frames.front_us(exchange.shape.uplink))
        self.session.last_us = exchange.t0_us
        uplink = exchange.uplink
        if uplink.what == ANSWER:
            self._told()
            self.session.receiver = None
        if exchange.steps[0].kind == END:
            return self._ended()
        return []

    def _lost(self):
        """The radio did not send what it had: a further burst is missing then, or the frame."""
        first = self.state == FIRST
        self._go(LOST)
        if not first:
            return []
        uplink, self._exchange = self._exchange.uplink, None
        return self._dropped(uplink)

    def _step(self, step):
        exchange = self._exchange
        exchange.steps.pop(0)
        if step.kind == END:
            return self._ended()
        if step.kind == ON:
            self._go(ON)
            return [Listen(*exchange.name_of(step.number))]
        if step.kind == OFF:
            self._go(OFF)
            return [Rest()]
        at_us = exchange.burst_us(step.number)
        if exchange.whole:
            self._count("mack")
            self._go(BURST)
            return self._hand_over(exchange, step.number, at_us, frames.mack(self.tiv))
        if exchange.heard:
            self._count("skipped_bursts")
            return []
        self._go(BURST)
        return self._hand_over(exchange, step.number, at_us)

    def _ended(self):
        """The frame and its windows are over."""
        self._go(END)
        exchange, self._exchange = self._exchange, None
        if exchange.whole or exchange.uplink.session:
            return []
        actions = []
        session = self.session
        if exchange.shape.slots:
            self._after_way(self.services.missed(self._now_us))
        if session.alive and session.closing or session.alive and session.resuming:
            actions = self._close_session()
        elif session.alive and exchange.shape.slots:
            self._after_way(self.services.interrupted())
            delay_us = self.services.resume_us()
            if delay_us:
                self._access_us = exchange.t0_us + delay_us
                session.until_us = max(session.until_us, self._access_us + self._next_us())
        return actions

    def _dropped(self, uplink):
        """It will not be sent, nor what belongs to it."""
        if uplink.what in (ANSWER, PART):
            self._queue = [one for one in self._queue if one.what not in (ANSWER, PART)]
            if self.session.closing:
                return self._close_session()
        return []

    def _take_slot(self):
        """A synchronous frame is next: whatever is under way ends."""
        uplinks, self._slot = self._slot, None
        actions = []
        if self._exchange:
            self._count("deferred")
            if self.state == WINDOW:
                actions.append(Rest())
            self._go(YIELD)
            self._exchange = None
        self._queue = [one for one in self._queue if one.what not in (ANSWER, PART)]
        self._queue = list(uplinks[1:]) + self._queue
        return actions + self._send(uplinks[0])

    # --- what goes out ---

    def _prepare(self, now_us, wall_us):
        """Make the frame of the slot that is due."""
        at_us = self._next_slot()
        while at_us - self._front_us() < now_us:  # after a long sleep
            self._count("skipped")
            self._grow()
            at_us = self._next_slot()
        if not self.credits.covered() or not self.credits.timed(now_us, self._next_us()):
            self._covered = 0
        body, changed = self.services.report(now_us)
        if changed:
            self._covered = 0
        self._reserved = frames.body_bytes(body)
        fresh = self._covered <= 0
        told = self._spoken(wall_us)
        self._reserved = 0
        self._grow()
        if told is None:
            return []
        telegrams, persist = told
        if persist is None and fresh:
            persist = self._persist(BLOCK - 1, BLOCK)
            self._covered = BLOCK - 1
        self._slot = self._in_session(SLOT, mac.MSNR, body, telegrams, self.access_number, None, at_us, 1)
        if persist is None:
            return []
        self._undo = self._forget_slot
        return [persist]

    def _forget_slot(self):
        self._slot = None
        self._covered = 0

    def _in_session(self, what, kind, body, telegrams, number, receiver, at_us, flag=0, way=None):
        """Uplinks that carry these telegrams (None: one without): several are an uplink session (sheet 11.5)."""
        found = []
        telegrams = telegrams or [None]
        way = way or self.way
        one = ways.shape(self.declared, way, self.tiv, 0)
        for i, telegram in enumerate(telegrams):
            more = 1 if i + 1 < len(telegrams) else 0
            uplink = frames.Uplink(
                PART if i else what,
                mac.MSNR if i else kind,
                None if i else body,
                telegram,
                number,
                0 if i else flag,
                receiver,
                more,
                None,
                at_us,
                way,
            )
            found.append(uplink)
            at_us += timing.session_distance(one.uplink, one.header, 1)
        return found

    def _beside_us(self):
        """When a frame beside the slots is due, or None."""
        due_us = self._own_us()
        if self._access_us is not None:
            at_us = self._access_us - self._front_us() - LEAD_US
            due_us = at_us if due_us is None else min(due_us, at_us)
        if due_us is None:
            return None
        slot_us = self._following_us()
        if slot_us is not None and slot_us - _ROOM_US < max(due_us, self._now_us):
            return slot_us + _ROOM_US
        return due_us

    def _beside(self, wall_us):
        now_us = self._now_us
        if self._access_us is not None and now_us >= self._access_us - self._front_us() - LEAD_US:
            at_us, self._access_us = self._access_us, None
            if at_us - self._front_us() - ways.ARM_US < now_us:
                at_us = now_us + _SOON_US
            self.session.resuming = self.session.alive
            self._queue = self._in_session(ACCESS, mac.MACC, None, None, None, None, at_us)
            return []
        told = self._own(wall_us)
        if told is None:
            return []
        telegrams, persist, installing = told
        body = None
        if installing:
            body, changed = self.services.report(now_us, True)
            if changed and persist is None:
                persist = self._persist(BLOCK, BLOCK)
                self._covered = BLOCK - 1
        at_us = now_us + _SOON_US
        self._queue = self._in_session(OWN, mac.MSNR, body, telegrams, self.access_number, None, at_us)
        if persist is None:
            return []
        self._undo = self._forget_queue
        return [persist]

    def _forget_queue(self):
        self._queue = []
        self._covered = 0

    def _following_us(self):
        """T0 of the next slot."""
        return self._slot[0].at_us if self._slot else self._slot_us

    def _meets_slot(self, exchange, at_us):
        """Whether the frame and its windows would not be over when the next slot is handed to the radio."""
        slot_us = self._following_us()
        return slot_us is not None and exchange.ends_us(at_us) > slot_us - self._front_us() - LEAD_US

    def _front_us(self):
        return frames.front_us(ways.bases(self.way.uplink)[0])

    def _hand_over_us(self, uplink, lead_us):
        way = uplink.way or self.way
        return uplink.at_us - frames.front_us(ways.bases(way.uplink)[0]) - lead_us

    # --- what comes in ---

    def _heard(self, event, wall_us):
        exchange = self._exchange
        slot = exchange.slot_of(event.at_us) if exchange and exchange.t0_us is not None else None
        if slot is None or exchange.whole or self._in_flight:
            self._count("outside")
            return []
        result, payload = exchange.collector.add(event.frame, slot.index)
        if result == FOREIGN:
            self._count("foreign")
            return []
        self._count("heard")
        exchange.heard = True
        self._go(HEARD)
        if result != WHOLE:
            return []
        try:
            link = frames.read(payload)
        except OmsError as error:
            self._count("rejected." + error.code)
            return []
        if link.meter.link_bytes() != self.profile.address.link_bytes():
            self._count("ignored")
            return []
        actions = [Rest()] if self.state == WINDOW else []
        self._go(TAKEN)
        exchange.complete()
        self._count("taken")
        at_us = event.at_us + timing.to_application_time(
            exchange.shape.uplink, exchange.shape.header, exchange.shape.option, slot.number
        )
        actions = self._taken(link, at_us, event, wall_us) + actions
        if self._exchange and exchange.steps[0].kind == END:
            self._go(END)
            self._exchange = None
        return actions

    def _taken(self, link, at_us, event, wall_us):
        """A downlink frame for this meter: what it does, and the answer to it. at_us: application time."""
        end_us = event.end_us or self._now_us
        try:
            asked = frames.asked(link, self.profile, event.at_us, end_us)
            known = True
        except OmsError as error:
            self._count("rejected." + error.code)
            asked, known = None, False
        cost = credits.RECEIVED.get(asked.kind, 0) if asked else 1
        if not self.credits.spend(cost, self._now_us):
            self._count("no_credits")
            return []
        session = self.session
        before = session.snapshot()
        services = self.services.snapshot()
        asks = link.mac.elements or elements.ABSENT_DOWN
        alive = session.open(self._now_us, self.response_us)
        self._access_us = None
        if asks.rtrm:
            session.rtrm = asks.rtrm
        session.receiver = link.address if link.llc.flag else None
        session.closing = bool(asks.sc)
        way = self.way
        answer = self.services.command(link.mac, alive, session.mac, at_us, wall_us, asks.acp)
        session.mac = answer.kept
        self._reserved = frames.body_bytes(answer.body)
        actions, telegrams = ([], None)
        if asked is not None and known:
            actions, telegrams = self._upper(asked, wall_us)
        self._reserved = 0
        if answer.changed and not actions:
            actions = [self._persist(BLOCK, BLOCK)]
            self._covered = BLOCK - 1
        if answer.session_us is not None:
            self._access_us = at_us + answer.session_us if answer.session_us else None
        exchange = self._exchange
        if telegrams or answer.type is not None:
            t0_us = exchange.t0_us + ways.answer_after(exchange.shape, session.rtrm)
            kind = mac.MSNR if answer.type is None else answer.type
            number = asked.number if telegrams else None
            self._queue = self._in_session(
                ANSWER, kind, answer.body, telegrams, number, session.receiver, t0_us, 0, way
            )
        elif session.closing:
            actions += self._close_session()
        if actions:
            self._undo = self._undoing(before, services)
        self._way_changed()
        return actions

    def _undoing(self, session, services):
        def undo():
            self._rollback()
            self.session.rollback(session)
            self.services.rollback(services)
            self._queue = []
            self._access_us = None
            self._alarm = None
            self._way_changed()

        return undo

    def _upper(self, asked, wall_us):
        """(actions, telegrams or None) of the upper layers of a downlink."""
        session = self.session
        if asked.kind == "SND-NKE":
            session.forget()
            return [], None
        if asked.kind in ("ACK", "CNF-IR"):
            if asked.kind == "CNF-IR" and self._installing and asked.number == self.access_number:
                self._installing = None
            return [], None
        if asked.number is None:
            self._count("ignored")
            return [], None
        if session.who == who(asked) and session.telegrams:
            self._count("repeated")
            return [], session.telegrams
        actions, telegram = self._answer_to(asked, wall_us)
        if telegram is None:
            return actions, None
        session.who, session.telegrams = who(asked), self._all_parts(telegram)
        if self.keys.key(0x0F) is not None:
            self.services.rekeyed(self.keys.key(0x0F))
        return actions, session.telegrams

    # --- what lasts ---

    def _close_session(self):
        """Closing: the effect of SND-NKE, and what was temporary is over."""
        if self.session.close():
            self._after_way(self.services.interrupted())
        return []

    def _after_way(self, changed):
        if changed:
            self._way_changed()

    def _way_changed(self):
        self.way = self.services.way()
        self._on_way()

    def _persist(self, ahead, covers):
        persist = super()._persist(ahead, covers)
        kept = self.services.export(ahead, self._now_us)
        kept["tiv"] = self.tiv
        persist.state["lpwan"] = kept
        return persist


def _cost(uplink):
    """Credits for what is sent: RSP-UD 5, ACK and NACK 1, pure MAC 1, the others 0."""
    if uplink.telegram is None:
        return 1
    from ...link import control

    return credits.SENT.get(control.name(uplink.telegram[1], True), 0)
