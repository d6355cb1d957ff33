"""The bidirectional meter of modes S2, T2 and C2: it sends on its own, opens a window behind each frame, answers what comes in
it, and repeats its answers in the frequent access cycle (EN 13757-4:2019 12.6; OMS Vol.2 4.3; link sheet 8, 9). Runs on a TwoWay.

link/access.py says when it listens. A frame is handed to the radio shortly before it is due, since an armed radio hears
nothing. Synchronous slots never move: what meets one, a window or an answer, gives way, and the answer goes out with the next
repetition. So does an answer that could not be made in time: none is ever sent late. Repetitions have bit S cleared.
"""

from ..errors import MisuseError
from ..link import access as windows
from ..link import control, credits, extended, timing
from ..phy import modes, radio
from ..portable import const
from .actions import REFUSED, Listen, Transmit
from .answering import ACCESS_US
from .answers import who
from .meter import BLOCK, Meter
from .spontaneous import LEAD_US, OWN, Frame, Spontaneous, marked
from .window_actions import Rest

# Access: bits B and A of what it sends
UNIDIRECTIONAL, LIMITED, UNLIMITED = 0x00, 0x80, 0x84
_CLOSED = const(0x04)  # bidirectional, no window now

ARM_US = 10000  # a frame with a window is handed out so long before it
_WAKE_US = 3000  # the receiver starts so long before its window opens
_QUICK_US = 50000  # where the response delay is shorter, it starts as the transmission ends

SLOT, ANSWER, REPEAT = "slot", "answer", "repeat"


class WindowMeter(Spontaneous):
    """profile to state: as AnsweringMeter; in mode C2, and in security modes 7 and 10, with ELL. access: LIMITED, UNLIMITED or
    UNIDIRECTIONAL. fast: bit D of its frames. fillers: n, ACC-NR frames for each SND-NR. period_us: t_TxD. pause: see
    link.credits. registration: records (bytes) of its SND-IR, which are then static; None: its data.

    margin_us: the least that an answer or a repetition was away from the edges of its window. More counters: outside (no
    window was open), deferred (answers that met a slot), no_credits, closed (frames that offered no access).
    """

    def __init__(
        self,
        profile,
        entropy,
        keys,
        storage_key,
        device=None,
        state=None,
        access=LIMITED,
        fast=False,
        fillers=0,
        period_us=timing.CYCLE_US[0],
        pause=False,
        registration=None,
    ):
        if access and profile.mode not in timing.RESPONSE_US:
            raise MisuseError(
                "access windows are known in modes S2, T2 and C2, not in {}".format(profile.mode)
            )
        if access and not profile.with_ell and (profile.mode == "C2" or profile.security_mode != 5):
            raise MisuseError("this meter needs an ELL")
        if (
            period_us not in timing.CYCLE_US
            or not 0 <= fillers <= 15
            or access not in (0, LIMITED, UNLIMITED)
        ):
            raise MisuseError("no such access")
        self.credits = credits.Credits(state and state.get("credits"), pause=pause)
        super().__init__(profile, entropy, keys, storage_key, device, state, fillers, registration)
        self.rights = access
        self.fast = extended.FAST_RESPONSE if fast and access else 0
        self.access = windows.Access(profile.mode, modes.UP, period_us)
        self.margin_us = None
        self._quick = access and timing.delay(profile.mode, self.fast)[0] < _QUICK_US
        self._slot = self._pending = None  # frames to be sent
        self._flight = None  # the one that the radio has
        self._last = None  # the telegram that a cycle repeats
        self._last_before = None
        self._storing = None  # for which frame
        self._listens = False
        self._open_us = None  # when the receiver is to start
        self._replied = None  # (event that `reply` has answered, what else is to be done)

    # --- doors ---

    def start(self, now_us):
        """As a Meter; one of unlimited access listens from now on."""
        Meter.start(self, now_us)
        if self.rights != UNLIMITED:
            return []
        self.access.sent(now_us, now_us, UNLIMITED)
        return self._listen()

    @property
    def due_us(self):
        """When `tick` has something to do, or None."""
        due = [Meter.due_us.fget(self)] if self._slot is None else []
        if self._flight is None:
            if self._slot:
                due.append(self._slot.at_us - LEAD_US)
            if self._pending:
                due.append(self._pending.at_us - ARM_US)
            due.append(self._open_us)
            due.append(self._step_us())
            due.append(self._own_us())
        due = [one for one in due if one is not None]
        return min(due) if due else None

    def tick(self, now_us, wall_us=None):
        """At `due_us`: what is to be sent or heard next."""
        wall_us = self._present(now_us, wall_us)
        if self._slot is None and self._slot_us is not None and now_us >= Meter.due_us.fget(self):
            if not self.credits.covered():
                self._covered = 0
            actions = Meter.tick(self, now_us, wall_us)
            if actions:
                slot = actions.pop()
                self._slot = Frame(SLOT, slot.telegram, slot.at_us, None, 0)
                self._storing = SLOT
            return actions
        if self._flight:
            return []
        if self._slot and now_us >= self._slot.at_us - LEAD_US:
            frame, self._slot = self._slot, None
            self._give_way()
            return self._send(frame)
        if self._pending and now_us >= self._pending.at_us - ARM_US:
            frame, self._pending = self._pending, None
            return self._send(frame)
        step_us = self._step_us()
        if step_us is not None and now_us >= step_us:
            return self._step(now_us)
        if self._open_us is not None and now_us >= self._open_us:
            self._open_us = None
            return self._listen()
        own_us = self._own_us()
        if own_us is None or now_us < own_us:
            return []
        frame, actions = self._own(wall_us)
        if actions:
            self._storing = OWN
        return actions + self._send(frame) if frame else actions

    def feed(self, event, now_us, wall_us=None):
        """What the radio, or the node, tells."""
        wall_us = self._present(now_us, wall_us) if event.kind == radio.FRAME else wall_us
        if event.kind == radio.FRAME:
            if self._replied and self._replied[0] is event:
                actions, self._replied = self._replied[1], None
                return actions
            asked = self._asked(event, now_us)
            return self._heard(asked, wall_us) if asked else []
        if event.kind not in (radio.SENT, radio.TOO_LATE, REFUSED):
            return []
        Meter.feed(self, event, now_us, wall_us)
        frame, self._flight = self._flight, None
        if event.kind == radio.SENT:
            return self._sent(frame, event) if frame else []
        if event.kind == REFUSED and event.code == "persist":
            return self._not_stored()
        if event.kind == REFUSED and event.code == "duty_cycle":
            self.credits.close(now_us, event.at_us)
        if frame and frame.what in (ANSWER, REPEAT):
            self._missed(_middle(frame))
        return self._rest()

    def reply(self, event, now_us):
        """The stored answer to a datagram that comes again, where there is no time to look closer; else None."""
        if not self._quick or self._flight or not self._answered or self._pending:
            return None
        self._now_us = now_us
        asked = self._asked(event, now_us, False)
        if asked is None or asked.number is None or who(asked) != self._answered[0]:
            return None
        actions = self._heard(asked, None)
        armed = bool(actions) and isinstance(actions[0], Transmit)
        self._replied = (event, actions[1:] if armed else actions)
        return actions[0] if armed else None

    # --- what comes in ---

    def _heard(self, asked, wall_us):
        if self._flight or not self._hears(asked.at_us):
            self._count("outside")
            return []
        if not self.credits.spend(credits.RECEIVED.get(asked.kind, 0), self._now_us):
            self._count("no_credits")
            return []
        if asked.kind == "SND-NKE":
            self.access.ended()
            self._answered = None
            return self._rest()
        if asked.kind in ("ACK", "CNF-IR"):
            return self._noted(asked)
        if asked.number is None:
            self._count("ignored")
            return []
        if self.access.state == windows.ALWAYS and asked.end_us > self._answered_until_us:
            self._answered = None
        self._answered_until_us = asked.end_us + ACCESS_US
        self.access.received(asked.end_us)
        cc = asked.link.ell.cc if asked.link.ell else 0
        at_us, until_us = timing.answering(self.profile.mode, cc, asked.end_us, modes.DOWN)
        actions = []
        if self._answered and self._answered[0] == who(asked):
            self._count("repeated")
        else:
            actions, telegram = self._answer_to(asked, wall_us)
            if telegram is None:
                self._answered = None
                self._missed(at_us)
                return actions + self._rest()
            self._answered = (who(asked), telegram)
            self._last_before, self._last = self._last, telegram
        if actions:
            self._storing = ANSWER
        self._pending = Frame(ANSWER, self._answered[1], at_us, until_us, 0)
        if at_us - ARM_US > self._now_us:
            return actions + self._rest()
        frame, self._pending = self._pending, None
        return actions + self._send(frame)

    def _hears(self, at_us):
        access = self.access
        if access.state == windows.ANSWER:
            return False
        return access.hears(at_us) or (access.state == windows.CYCLE and self._listens)

    def _noted(self, asked):
        """What wants no answer: it names our access number."""
        if asked.number == self.access_number:
            if asked.kind == "ACK" and self._demand_us is not None:
                self.access.received(asked.end_us, False)
                self._push()
                return self._rest()
            if asked.kind == "CNF-IR" and self._installing:
                self._installing = None
                self.access.ended()
                return self._rest()
        self._count("ignored")
        return []

    # --- what goes out ---

    def _bits(self):
        """B, A and D at present."""
        if not self.rights:
            return 0
        next_us = self.profile.nominal_us + self.profile.nominal_us // 31
        if not self.credits.access(self._now_us, next_us):
            return _CLOSED
        return self.rights | self.fast

    def _send(self, frame):
        """Hand a frame to the radio, unless it would meet a slot or there are no credits for it."""
        what = frame.what
        chips = self._chips(frame.telegram)
        if what != SLOT and self._blocked(frame, chips):
            self._count("deferred")
            self._missed(_middle(frame))
            return self._rest()
        name = control.name(frame.telegram[1], True)
        if not self.credits.spend(credits.SENT.get(name, 0), self._now_us):
            self._count("no_credits")
            self._missed(_middle(frame))
            self.access.ended()
            self._answered = None
            return self._rest()
        cc = self._bits()
        if cc == _CLOSED:
            self._count("closed")
        telegram = marked(frame.telegram, cc)
        if telegram != frame.telegram:
            chips = self._chips(telegram)
        self._flight = Frame(what, telegram, frame.at_us, frame.until_us, cc)
        actions = []
        if not self.credits.covered():
            actions.append(self._persist(BLOCK, BLOCK))
            self._covered = BLOCK - 1
            self._storing = what
        actions.append(Transmit(self.profile.mode, modes.UP, chips, frame.at_us, telegram, frame.until_us))
        if self._quick and cc & LIMITED and not self._listens:
            actions += self._listen()
        return actions

    def _blocked(self, frame, chips):
        """Whether it would still be on the air when the next slot is handed out."""
        slot_us = self._slot.at_us if self._slot else self._slot_us
        air_us = len(chips) * 8 * 1000000 // modes.find(self.profile.mode).chip_rate_cps
        return slot_us is not None and (frame.until_us or frame.at_us) + air_us + ARM_US > slot_us - LEAD_US

    def _sent(self, frame, event):
        access = self.access
        cycle = access.state in (windows.ANSWER, windows.CYCLE)
        if frame.what == OWN or (frame.what == SLOT and not cycle):
            self._last = marked(frame.telegram, 0, True)
        access.sent(event.at_us, event.end_us, frame.cc, frame.what != SLOT or not cycle)
        if frame.until_us is not None:
            margin_us = min(event.at_us - frame.at_us, frame.until_us - event.at_us)
            if self.margin_us is None or margin_us < self.margin_us:
                self.margin_us = margin_us
        if frame.what in (ANSWER, REPEAT):
            self._told()
        if access.state == windows.ALWAYS or (access.window and self._quick):
            return [] if self._listens else self._listen()
        if access.window is None:
            if access.state == windows.REST:
                self._answered = None
            return self._rest()
        self._open_us = access.window[0] - _WAKE_US
        return []

    def _missed(self, at_us):
        self.access.missed(at_us)
        self._push()

    def _not_stored(self):
        """Nothing was stored, so what relied on it is not sent."""
        if self._storing == SLOT:
            self._slot = None
            return []
        self._rollback()
        self._pending = self._answered = self._alarm = None
        self._last = self._last_before
        if self.access.state == windows.ANSWER:
            self._missed(self._now_us)
        return self._rest()

    # --- the receiver ---

    def _listen(self):
        self._listens = True
        return [Listen(self.profile.mode, modes.DOWN)]

    def _rest(self):
        self._open_us = None
        if not self._listens or self.access.state == windows.ALWAYS:
            return []
        if self.rights == UNLIMITED and self.access.state in (windows.ANSWER, windows.CYCLE):
            return []
        self._listens = False
        return [Rest()]

    def _step_us(self):
        """When the access machine goes on. A repetition is handed out before it is due."""
        access = self.access
        if access.state == windows.CYCLE and access.repeat_us < access.over_us:
            return access.repeat_us - ARM_US
        if access.state == windows.CYCLE:
            return access.over_us
        return access.due_us

    def _step(self, now_us):
        access = self.access
        at_us = access.repeat_us if access.state == windows.CYCLE else None
        event = access.tick(now_us if at_us is None else max(now_us, min(at_us, access.over_us)))
        if event == windows.REPEAT:
            half = timing.CYCLE_TOLERANCE_US
            return self._send(Frame(REPEAT, self._last, at_us - half, at_us + half, 0))
        if event == windows.OVER:
            self._answered = None
        elif access.state == windows.CYCLE:
            self._push()
        return self._rest()

    def _push(self):
        """A repetition that cannot be handed out in time any more waits for the next turn."""
        access = self.access
        if access.state == windows.CYCLE:
            while access.repeat_us - ARM_US < self._now_us:
                access.repeat_us += access.period_us

    def _give_way(self):
        """A slot is next: whatever is open is closed."""
        access = self.access
        if access.state == windows.ANSWER:
            self._count("deferred")
            self._missed(_middle(self._pending) if self._pending else self._now_us)
            self._pending = None
        elif access.state in (windows.WINDOW, windows.CYCLE_WINDOW):
            access.tick(max(self._now_us, access.window[1]))
            self._push()
        self._open_us = None

    def _persist(self, ahead, covers):
        persist = super()._persist(ahead, covers)
        persist.state["credits"] = self.credits.export()
        return persist


def _middle(frame):
    return (frame.at_us + (frame.until_us or frame.at_us)) // 2
