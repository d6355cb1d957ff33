"""The burst meter: SND-NR in its slots, up to six windows behind each frame, answers, MAC commands (OMS Vol. 2 Annex Q; LPWAN
sheet 11, 13, 16 to 18, 21). Runs on a TwoWay.

Made of, each knowing only what stands above it:

    roles.meter, answers, commanded   registers, telegrams, commands: as of every meter
    meter_unasked.Unasked             what is said unasked, credits
    meter_answering.Answering         what a downlink does: MAC, upper layers, session
    meter_sending.Sending             what is to be sent, and for when
    BurstMeter                        here, and nowhere else, bursts are handed to the radio and windows opened

It holds a meter_session.Session, a meter_mac.MeterMac and for each frame a meter_exchange.Exchange; meter_way.py says what is
declared and what a frame looks like, meter_frames.py and meter_listener.py translate.

Synchronous slots never move: what meets one gives way, and the gateway asks again behind it (the stored answer is repeated).
A burst that could not be made in time is missing; none is ever sent late.
"""

from ...errors import OmsError
from ...link.lpwan import mac
from ...phy import modes, radio
from ...phy.burst import timing
from .. import commanded  # noqa: F401 - at the end of a chain of modules a small device has no stack left for it
from ..actions import REFUSED, Listen, Transmit
from ..meter import BLOCK
from ..window_actions import Rest
from . import meter_exchange as exchanges
from . import meter_frames as frames
from .meter_listener import FOREIGN, WHOLE
from .meter_sending import ANSWER, PART, SLOT, Sending

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

SLOT_US = 500  # a burst is handed out as a window of so much to either side


class BurstMeter(Sending):
    """profile: roles.meter.Profile with mode "UL-B1".. and frame_format "B", security mode 5, 7 or 10. declared:
    meter_way.Declared. entropy, keys, storage_key, device, state: as CommandedMeter; keys may have the MAC key, (0F, version).
    fillers: n, ACC-NR for each SND-NR. pause: see link.credits. registration: records of its SND-IR, None: its data.

    state: of the table above. margin_us: the least that the front sync of a downlink was away from the edges of its window. More
    counters: deferred (met a slot), mack, skipped_bursts (the gateway had heard us), heard
    (headers for us), taken (downlink frames), foreign, outside (no window was open), ignored (another meter's), no_credits,
    closed (frames without access), repeated (answers), `mac.<action or code>`, `rejected.<code>`.
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
        self.state = REST
        self.margin_us = None
        self._exchange = None
        self._in_flight = False
        self._undo = None  # what to do if what was just handed out cannot be stored
        super().__init__(
            profile, declared, entropy, keys, storage_key, device, state, fillers, pause, registration
        )

    # --- doors ---

    @property
    def due_us(self):
        """When `tick` has something to do, or None."""
        if self._in_flight:
            return None
        due = [self._slot_due_us()]
        if self._exchange:
            due.append(self._exchange.steps[0].at_us)
        elif self._queue:
            due.append(self._queue_due_us())
        else:
            due.append(self._beside_us())
            if self.session.alive:
                due.append(self.session.until_us)
        return min([one for one in due if one is not None], default=None)

    def tick(self, now_us, wall_us=None):
        """At `due_us`: what is to be sent or heard next."""
        wall_us = self._present(now_us, wall_us)
        self._undo = None
        if self._in_flight:
            return []
        due_us = self._slot_due_us()
        if due_us is not None and now_us >= due_us:
            return self._take_slot() if self._slot else self._prepare(now_us, wall_us)
        if self._exchange:
            step = self._exchange.steps[0]
            return self._step(step) if now_us >= step.at_us else []
        if self._queue:
            return self._send(self._queue.pop(0)) if now_us >= self._queue_due_us() else []
        if self.session.alive and now_us >= self.session.until_us:
            self._close_session()
            return []
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
            self.mac.lost()
            undo, self._undo = self._undo, None
            if undo:
                undo()
        elif event.kind == REFUSED and event.code == "duty_cycle":
            self.credits.close(now_us, event.at_us)
        if not self._in_flight:
            return []
        self._in_flight = False
        return self._sent(event) if event.kind == radio.SENT else self._lost()

    # --- what goes out ---

    def _go(self, event):
        self.state = TABLE[self.state, event]

    def _send(self, uplink):
        """Hand the first burst of a frame to the radio, unless it would meet a slot or there are no credits for it."""
        exchange = self._exchange_of(uplink)
        if uplink.what != SLOT and self._meets_slot(exchange, uplink.at_us):
            self._count("deferred")
            return self._dropped(uplink)
        if not self.credits.spend(frames.cost(uplink), self._now_us):
            self._count("no_credits")
            return self._dropped(uplink)
        self._exchange = exchange
        self._go(DUE)
        return self._hand_over(1, uplink.at_us - frames.front_us(exchange.shape.uplink))

    def _hand_over(self, index, at_us, chips=None):
        """A burst of the frame; at_us: of its first chip."""
        self._in_flight = True
        exchange = self._exchange
        actions = []
        if not self.credits.covered():
            actions.append(self._persist(BLOCK, BLOCK))
            self._covered = BLOCK - 1
        actions.append(
            Transmit(
                exchange.shape.names[index - 1],
                modes.UP,
                chips or exchange.chips[index - 1],
                at_us - SLOT_US,
                exchange.frame if chips is None else mac.MACK_FRAME,
                at_us + SLOT_US,
                0,
            )
        )
        return actions

    def _sent(self, event):
        first = self.state == FIRST
        self._go(SENT)
        exchange = self._exchange
        if first:
            exchange.began(event.at_us + frames.front_us(exchange.shape.uplink))
            if exchange.uplink.what == ANSWER and not exchange.uplink.session:
                self._answered()
        self._end_if_over()
        return []

    def _lost(self):
        """The radio did not send what it had: a further burst is missing then, or the frame."""
        first = self.state == FIRST
        self._go(LOST)
        if not first:
            self._end_if_over()
            return []
        uplink, self._exchange = self._exchange.uplink, None
        return self._dropped(uplink)

    def _dropped(self, uplink):
        """It will not be sent, nor what belongs to it."""
        if uplink.what in (ANSWER, PART):
            self._queue = []
            if self.session.closing and uplink.what == ANSWER:
                self._close_session()
        return []

    def _take_slot(self):
        """A synchronous frame is next: whatever is under way ends."""
        uplinks, self._slot = self._slot, None
        actions = []
        if self._exchange:
            self._count("cut")
            if self.state == WINDOW:
                actions.append(Rest())
            self._go(YIELD)
            self._exchange = None
        if self._queue:
            self._count("deferred")
        self._queue = list(uplinks[1:])
        return actions + self._send(uplinks[0])

    # --- steps of the frame that is under way ---

    def _step(self, step):
        exchange = self._exchange
        if step.kind == END:
            self._end_if_over()
            return []
        exchange.steps.pop(0)
        if step.kind == ON:
            self._go(ON)
            return [Listen(exchange.shape.listens[step.number], modes.DOWN)]
        if step.kind == OFF:
            self._go(OFF)
            return [Rest()]
        at_us = exchange.burst_us(step.number)
        if exchange.heard and not exchange.whole:
            self._count("skipped_bursts")
            return []
        self._go(BURST)
        if not exchange.whole:
            return self._hand_over(step.number, at_us)
        self._count("mack")
        return self._hand_over(step.number, at_us, frames.mack(self.tiv))

    def _end_if_over(self):
        """The frame and its windows are over."""
        exchange = self._exchange
        if self.state != GAP or exchange.steps[0].kind != END or self._now_us < exchange.steps[0].at_us:
            return
        self._go(END)
        self._exchange = None
        if exchange.shape.slots and not exchange.whole:
            self._unheard(exchange.t0_us)

    # --- what comes in ---

    def _heard(self, event, wall_us):
        exchange = self._exchange
        found = exchange.slot_of(event.at_us) if exchange and not self._in_flight else None
        if found is None or exchange.whole:
            self._count("outside")
            return []
        slot, margin_us = found
        result, payload = exchange.collector.add(event.frame, slot.index)
        if result == FOREIGN:
            self._count("foreign")
            return []
        self._count("heard")
        self._go(HEARD)
        exchange.heard = True
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
        one = exchange.shape
        moved_us = timing.to_application_time(one.uplink, one.header, one.option, slot.number)
        end_us = event.end_us or self._now_us
        taken = self._taken(link, event.at_us, end_us, event.at_us + moved_us, wall_us, event.rssi_dbm)
        if taken is None:
            return []
        self._count("taken")
        if self.margin_us is None or margin_us < self.margin_us:
            self.margin_us = margin_us
        actions, answer, telegrams, number = taken
        rest = [Rest()] if self.state == WINDOW else []
        self._go(TAKEN)
        exchange.complete()
        self._reply(exchange, answer, telegrams, number)
        self._end_if_over()
        return actions + rest
