"""The bidirectional meter of modes S2, T2 and C2: it sends on its own, opens a window behind each frame,
answers what comes in it, and repeats its answers in the frequent access cycle (EN 13757-4:2019 12.6; OMS
Vol.2 4.3; link sheet 8, 9). Runs on a TwoWay.

Made of, each knowing only what stands above it:

    meter.Meter               slots, numbers, registers, what is stored
    answers.Answers           telegrams of acknowledgements and responses
    commanded.CommandedMeter  what a frame does, and which answer it gets: no time and no radio in it
    spontaneous.Spontaneous   what is said unasked, and the bits that offer access
    WindowMeter               when: here, and nowhere else, frames are handed to the radio

It holds a receiver.Receiver (when to listen, with link/access.py), link.credits.Credits and the device;
asked.py reads frames.

link/access.py says when it listens. Synchronous slots never move: what meets one, a window or an answer,
gives way, and the answer goes out with the next repetition. So does an answer that could not be made in time:
none is ever sent late. Repetitions have bit S cleared, and keep their number though a slot may have passed:
they are the same datagram, and whoever answers names it (OMS Vol.2 7.2.2.1, ACC-05, ACC-08; link sheet 8.3,
8.4). What is new beside the slots has that of the last one (ACC-02).
"""

from ..errors import MisuseError
from ..link import access as windows
from ..link import control, credits, timing
from ..phy import modes, radio
from .actions import REFUSED, Transmit
from .asked import who
from .meter import BLOCK
from .meter import LEAD_US as PREPARE_US
from .receiver import ARM_US, LIMITED, UNIDIRECTIONAL, UNLIMITED, Receiver  # noqa: F401
from .spontaneous import CLOSED, LEAD_US, OWN, SLOT_US, Frame, Spontaneous, marked, number_of

SLOT, ANSWER, REPEAT = "slot", "answer", "repeat"
_PARTNERS = 4  # whose last answers are kept


class WindowMeter(Spontaneous):
    """profile to state: as CommandedMeter; in mode C2, and in security modes 7 and 10, with ELL. access:
    LIMITED, UNLIMITED or UNIDIRECTIONAL. fast: bit D of its frames. fillers: n, ACC-NR frames for each
    SND-NR. period_us: t_TxD. pause: see link.credits. registration: records (bytes) of its SND-IR, which is
    then static; None: its data. carries: function that says whether the radio can send a stream of chips;
    None: it can send any.

    margin_us: the least that an answer or a repetition was away from the edges of its window. More counters:
    outside (no window was open), deferred (answers that met a slot), no_credits, closed (frames that offered
    no access).
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
        carries=None,
    ):
        if period_us not in timing.CYCLE_US:
            raise MisuseError("a cycle repeats every 2, 3 or 5 s")
        kept = (profile, entropy, keys, storage_key, device, state)
        super().__init__(*kept, access, fast, fillers, pause, registration)
        self.receiver = Receiver(profile.mode, access, self.fast, period_us)
        self.access = self.receiver.access
        self.answers_in = ((profile.mode, modes.UP),)
        self.carries = carries
        self.margin_us = None
        self._slot = self._pending = self._flight = None  # frames to be sent, and the one that the radio has
        self._last = None  # the telegram that a cycle repeats
        self._answered = ()  # (whose datagram, telegram) of the last answer to each partner, the newest first
        self._answered_until_us = 0
        # (answers before, repeated telegram before) of an answer that relies on what is being stored
        self._undone = None
        self._replied = None  # (event that `reply` has answered, what else is to be done)

    # --- doors ---

    def start(self, now_us):
        """As a Meter; one of unlimited access listens from now on. Without access: how long already, is
        stored."""
        super().start(now_us)
        self._now_us = now_us
        if self.rights and not self.credits.start(now_us, self._next_us()):
            return [self._persist(0, 0)]
        if self.rights != UNLIMITED:
            return []
        return self.receiver.sent(now_us, now_us, UNLIMITED, False)

    @property
    def due_us(self):
        """When `tick` has something to do, or None."""
        due = []
        if self._flight is None:
            if self._slot is None and self._slot_us is not None:
                due.append(self._slot_us - PREPARE_US)
            if self._slot:
                due.append(self._slot.at_us - LEAD_US)
            if self._pending:
                due.append(self._pending.at_us - ARM_US)
            due.append(self.receiver.due_us)
            due.append(self._own_us())
        return min([one for one in due if one is not None], default=None)

    def tick(self, now_us, wall_us=None):
        """At `due_us`: what is to be sent or heard next."""
        wall_us = self._present(now_us, wall_us)
        self._undone = None
        if self._flight:
            return []
        if self._slot is None and self._slot_us is not None and now_us >= self._slot_us - PREPARE_US:
            return self._prepare(now_us, wall_us)
        if self._slot and now_us >= self._slot.at_us - LEAD_US:
            frame, self._slot = self._slot, None
            self._give_way()
            return self._send(frame)
        if self._pending and now_us >= self._pending.at_us - ARM_US:
            frame, self._pending = self._pending, None
            return self._send(frame)
        due_us = self.receiver.due_us
        if due_us is not None and now_us >= due_us:
            return self._step(now_us)
        due_us = self._own_us()
        if due_us is None or now_us < due_us:
            return []
        frame, actions = self._own(wall_us)
        return actions + self._send(frame) if frame else actions

    def feed(self, event, now_us, wall_us=None):
        """What the radio, or the node, tells."""
        if event.kind == radio.FRAME:
            if self._replied and self._replied[0] is event:
                actions, self._replied = self._replied[1], None
                return actions
            wall_us = self._present(now_us, wall_us)
            self._undone = None
            asked = self._asked(event, now_us)
            return self._heard(asked, wall_us) if asked else []
        if event.kind not in (radio.SENT, radio.TOO_LATE, REFUSED):
            return []
        super().feed(event, now_us, wall_us)
        self._now_us = now_us
        frame, self._flight = self._flight, None
        if event.kind == radio.SENT:
            return self._sent(frame, event) if frame else []
        if self._replied:  # the list that `reply` has begun is at its end
            self._replied = (self._replied[0], [])
        if event.kind == REFUSED and event.code == "persist":
            self.credits.lost()
            if frame is None and self._undone is None:
                self._slot = None  # what was to be stored for it
                return []
            frame = frame or self._pending
            self._not_stored()
        elif event.kind == REFUSED and event.code == "duty_cycle":
            self.credits.close(now_us, event.at_us)
        if self.access.state == windows.ANSWER and not self._pending:
            self.receiver.missed(_middle(frame) if frame else now_us, now_us)
        return self.receiver.rest()

    def reply(self, event, now_us):
        """The stored answer to a datagram that comes again, where there is no time to look closer; else
        None."""
        if not self.receiver.quick or self._flight or not self._answered or self._pending:
            return None
        asked = self._asked(event, now_us, False)
        if asked is None or asked.number is None or self._known(asked) is None:
            return None
        if asked.end_us > self._answered_until_us:
            return None
        self._now_us = now_us
        self._undone = None
        actions = self._heard(asked, None)
        armed = bool(actions) and isinstance(actions[0], Transmit)
        self._replied = (event, actions[1:] if armed else actions)
        return actions[0] if armed else None

    # --- what comes in ---

    def _heard(self, asked, wall_us):
        if self._flight or not self.receiver.hears(asked.at_us):
            self._count("outside")
            return []
        if not self.credits.spend(credits.RECEIVED.get(asked.kind, 0), self._now_us):
            self._count("no_credits")
            return []
        if asked.kind == "SND-NKE":
            self.access.ended()
            self._forget(asked.link.address.link_bytes())
            return self.receiver.rest()
        if asked.kind in ("ACK", "CNF-IR"):
            return self._noted(asked)
        if asked.number is None and asked.kind is not None:
            self._count("ignored")
            return []
        if asked.end_us > self._answered_until_us:
            self._forget()
        self._answered_until_us = asked.end_us + timing.CYCLE_END_US[1]
        self.access.received(asked.end_us)
        cc = asked.link.ell.cc if asked.link.ell else 0
        at_us, until_us = timing.answering(self.profile.mode, cc, asked.end_us, modes.DOWN)
        actions = []
        telegram = self._known(asked)
        if telegram is not None:
            self._count("repeated")
        else:
            before = (self._answered, self._last)
            actions, telegram = self._answer_to(asked, wall_us)
            self._undone = before if actions else None
            if telegram is None:
                self.receiver.missed(at_us, self._now_us)
                return actions + self.receiver.rest()
            self._remember(asked, telegram)
        self._last = telegram
        self._pending = Frame(ANSWER, telegram, at_us, until_us, 0)
        if at_us - ARM_US > self._now_us:
            return actions + self.receiver.rest()
        frame, self._pending = self._pending, None
        return actions + self._send(frame)

    def _known(self, asked):
        """The answer that this very datagram got in this cycle, or None."""
        for whose, telegram in self._answered:
            if whose == who(asked):
                return telegram
        return None

    def _remember(self, asked, telegram):
        """Two gateways take turns in a cycle, and neither's command is a new one when it comes again."""
        whose = who(asked)
        answered = [one for one in self._answered if one[0][0] != whose[0]]
        answered.insert(0, (whose, telegram))
        self._answered = tuple(answered[:_PARTNERS])

    def _noted(self, asked):
        """What wants no answer: it names our access number."""
        last = self._last
        if asked.kind == "ACK" and last and last[1] == control.ACC_DMD and asked.number == number_of(last):
            self.access.received(asked.end_us, False)
            self.receiver.push(self._now_us)
            return self.receiver.rest()
        if asked.kind == "CNF-IR" and self._installing and asked.number == self.access_number:
            self._installing = None
            self.access.ended()
            return self.receiver.rest()
        self._count("ignored")
        return []

    # --- what goes out ---

    def _prepare(self, now_us, wall_us):
        """Make the frame of the slot that is due."""
        if not self.credits.covered() or not self.credits.timed(now_us, self._next_us()):
            self._covered = 0
        actions = super().tick(now_us, wall_us)
        if actions:
            slot = actions.pop()
            if self.message_counter and slot.telegram[1] != control.SND_NR:
                self.message_counter.value -= 1  # nothing in it is protected
            self._slot = Frame(SLOT, slot.telegram, slot.at_us - SLOT_US, slot.at_us + SLOT_US, 0)
        return actions

    def _send(self, frame):
        """Hand a frame to the radio, unless it would meet a slot or there are no credits for it."""
        what = frame.what
        chips = self._chips(frame.telegram)
        if what != SLOT and self._meets_slot(frame, chips):
            self._count("deferred")
            return self._dropped(frame)
        name = control.name(frame.telegram[1], True)
        if not self.credits.spend(credits.SENT.get(name, 0), self._now_us):
            self._count("no_credits")
            actions = self._dropped(frame)
            self.access.ended()
            self._forget()
            return actions + self.receiver.rest()
        cc = self._bits()
        if cc == CLOSED:
            self._count("closed")
        telegram = marked(frame.telegram, cc)
        if telegram != frame.telegram:
            chips = self._chips(telegram)
        self._flight = Frame(what, telegram, frame.at_us, frame.until_us, cc)
        actions = []
        if not self.credits.covered():
            actions.append(self._persist(BLOCK, BLOCK))
            self._covered = BLOCK - 1
        actions.append(Transmit(self.profile.mode, modes.UP, chips, frame.at_us, telegram, frame.until_us, 0))
        if self.receiver.quick and cc & LIMITED and not self.receiver.listens:
            actions += self.receiver.listen()
        return actions

    def _dropped(self, frame):
        if frame.what in (ANSWER, REPEAT):
            self.receiver.missed(_middle(frame), self._now_us)
        return self.receiver.rest()

    def _sent(self, frame, event):
        cycle = self.access.state in (windows.ANSWER, windows.CYCLE)
        if frame.what == OWN or (frame.what == SLOT and not cycle):
            self._last = marked(frame.telegram, frame.cc, True)
        if frame.what in (ANSWER, REPEAT):
            self._told()
            margin_us = min(event.at_us - frame.at_us, frame.until_us - event.at_us)
            if self.margin_us is None or margin_us < self.margin_us:
                self.margin_us = margin_us
        actions = self.receiver.sent(event.at_us, event.end_us, frame.cc, frame.what != SLOT or not cycle)
        if self.access.state == windows.REST:
            self._forget()
        return actions

    def _forget(self, whose=None):
        """The cycle is over: nobody repeats a datagram, or asks for a next fragment. whose: link bytes of the
        partner who ended it; another may not have heard his answer yet."""
        self._answered = tuple([one for one in self._answered if whose not in (None, one[0][0])])
        if self._parts and whose in (None, self._parts[0]):
            self._parts = None

    def _give_way(self):
        """A slot is next: an answer that waits is not sent now."""
        if self.access.state == windows.ANSWER:
            self._count("deferred")
            self.receiver.missed(_middle(self._pending) if self._pending else self._now_us, self._now_us)
            self._pending = None
        self.receiver.give_way(self._now_us)

    def _step(self, now_us):
        event, at_us, actions = self.receiver.step(now_us)
        if event == windows.REPEAT and self._last is None:
            self.receiver.missed(at_us, now_us)
        elif event == windows.REPEAT:
            half = timing.CYCLE_TOLERANCE_US
            return actions + self._send(Frame(REPEAT, self._last, at_us - half, at_us + half, 0))
        if event == windows.OVER:
            self._forget()
        return actions

    # --- what is stored ---

    def _not_stored(self):
        """What relied on it is not sent; nor was anything done that stood behind it in the list."""
        self.receiver.listens = True
        if self._undone is None:
            return
        self._rollback()
        self._pending = self._alarm = None
        self._answered, self._last = self._undone
        self._undone = None


def _middle(frame):
    return (frame.at_us + (frame.until_us or frame.at_us)) // 2
