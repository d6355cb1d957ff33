"""What a gateway and one meter say to each other about an order: the ladders of ladder.py, walked.

Behind the time for which a meter keeps an access number silence is told to the order, which knows whether it
may be repeated. An authentic message of the meter with a lower counter than ours proves that it has not taken
the command; and a command that must not be executed twice is sent again as it was, since the meter takes no
counter twice.
"""

from ..application import telegram as application
from ..errors import OmsError
from ..link import collision, timing
from ..portable import const
from ..transport import ci
from ..transport.fragmentation import Reassembly
from .ladder import CLOSE, CLOSED, COMMAND, COMMAND2, FETCH, POLL, REST, START, TABLE
from .orders import DONE, FAILED, MORE, Heard, error_code
from .seen import ANSWERS
from .talk import Talk

_BUSY, _ERROR = const(1), const(2)  # application bits of the status
_BUSY_CODE, _SECURITY_CODE = const(0x08), const(0x20)
DOUBT = "it may have been executed or not: read before it is asked again"
FRESH_US = const(500000)  # what is told about the time may be off by so much
_POLL_US = const(8000000)  # a busy meter is asked so often: each time costs it 6 credits (4.3.4)
_STRONG = {0: (application.PLAIN, application.DECRYPTED, application.AUTHENTICATED)}
_STRONG[5] = _STRONG[0][1:]
_STRONG[7] = _STRONG[10] = _STRONG[0][2:]


class Session(Talk):
    """order, number: under way, or None and 0. told: [(step, detail)] for who has ordered. ended: an order
    that has ended, until it is taken out of the queue. changed: (KeyID, version, Key) that was adopted, until
    it is told."""

    def __init__(self, gateway, partner):
        super().__init__(gateway, partner)
        self.order = None
        self.number = 0
        self.told = []
        self.ended = None
        self.changed = None
        self._fragments = None
        self._clear()

    def _clear(self):
        self._exchange = None
        self._heard = None
        self._under_rival = False
        self._busy_until_us = None
        self._command_us = None  # when a command was sent
        self._long_step = False
        self._command = None  # (Side, counter) of the last command that was sent
        self._authentic = False
        self._mixed = False  # the meter has answered somebody else meanwhile
        self._doubted = False  # the meter may have executed what was given up, or has failed
        self._remake()

    def begin(self, number, order):
        """Take an order. The next window may be its first."""
        self._clear()
        self.number, self.order = number, order
        self.state = START
        self.tries = 0
        self.collision.delivered()
        self.partner.try_key(order.new_key)
        self.told.append(("waiting", None))

    def abandon(self, now_us):
        """The order has ended, however. What is left is to say so to the meter, if it listens."""
        partner = self.partner
        if self.datagram is not None and self.datagram.tries:
            self.previous = self.datagram.number
        self.ended, self.order = self.order, None
        self.wait_us = None
        self.unsaved = True
        self._clear()
        partner.try_key(None)
        partner.advance(now_us)
        self.state = CLOSE if partner.awake else REST

    def outdated(self, at_us):
        """Whether the datagram tells the time, and not that of at_us; what was sent told that at which it was
        sent."""
        one = self.datagram
        timed = one is not None and self.commanding and self.order.timed
        return timed and (one.tries > 0 or abs(at_us - one.for_us) > FRESH_US)

    def refresh(self, at_us, now_us, wall_us):
        """A window begins at at_us: what is outdated then, or may be forgotten by the meter, is made anew."""
        if self.wait_us is not None or self.closing:
            return
        kept_until_us = self.due_us
        forgotten = kept_until_us is not None and at_us >= kept_until_us
        if forgotten or self.outdated(at_us):
            self._event("stale", now_us, wall_us)

    @property
    def doubtful(self):
        """Whether the meter may have executed something that it did not tell."""
        one = self.datagram
        unknown = self.commanding and one is not None and (one.flying or (one.tries > 0 and not one.proven))
        return self._doubted or unknown or self.state in (FETCH, POLL)

    # --- time ---

    @property
    def due_us(self):
        """When `tick` has something to do, or None."""
        if self.wait_us is not None:
            return self.wait_us
        if self.closing:
            return self.partner.over_us
        one = self.datagram
        kept = one is not None and one.first_us is not None and not one.flying
        return one.first_us + self.partner.kept_us if kept else None

    def tick(self, now_us, wall_us):
        """At `due_us`: an answer did not come, the meter may have forgotten, or its cycle has ended."""
        if self.wait_us is not None:
            if now_us >= self.wait_us:
                self.wait_us = None
        elif self.closing:
            self.partner.advance(now_us)
            if not self.partner.awake:
                self._event("over", now_us, wall_us)
        elif self.due_us is not None and now_us >= self.due_us:
            self._event("stale", now_us, wall_us)

    # --- what is sent ---

    def prepare(self, at_us, now_us, wall_us):
        """Make the datagram that is due, if there is none. at_us: when the meter will have it; wall_us: UTC
        then, or None."""
        try:
            self._make(at_us, now_us, wall_us)
        except OmsError as error:
            self._fail(error.message, now_us)

    def _make(self, at_us, now_us, wall_us):
        until_us = self._command_us and self._command_us + timing.COMMAND_RESPONSE_US
        if self.state in (FETCH, POLL) and self.datagram is None and until_us and now_us > until_us:
            self._event("lapsed", now_us, wall_us)
        if self.state == START:
            self._exchange = self.order.exchange(wall_us)
            self.unsaved = True
            if self._exchange is None:
                self._finish(now_us)
                return
            self.partner.try_key(self.order.new_key)
            self._event(self._kind(), now_us, wall_us)
        if self.datagram is None and self.state not in (REST, START, CLOSED):
            order = self.order
            under_new, named = (order.under_new, order.named) if order else (False, False)
            if not self._build(self._exchange, under_new, named, now_us):
                self._fail("the message counter of this key is at its end", now_us)
            if self.datagram is not None:
                self.datagram.for_us = at_us

    def _kind(self):
        # What an ACK in clear says of SND-UD2, that it was not taken, may be a stranger's word.
        kind, plain = self._exchange.kind, self.order.once or not self.partner.snd_ud2
        return "SND-UD" if kind == "SND-UD2" and plain else kind

    def sent(self, end_us):
        if self.commanding:
            self._command_us = end_us
            if self.datagram.counter is not None:
                self._command = (self.datagram.side, self.datagram.counter)
        super().sent(end_us)

    # --- what is heard ---

    def answer(self, seen, now_us, wall_us, formats=None):
        """What `expects` said is ours. False if it is none after all."""
        one = self.datagram
        tpl = seen.tpl
        if tpl is not None and tpl.access_number is not None and tpl.access_number != one.message:
            return False
        telegram = None
        self._authentic = False
        status = tpl.status if tpl is not None else None
        if seen.kind == "NACK":
            event = "nack"
        elif seen.kind == "ACK":
            event = self._acknowledged(status, now_us)
        else:
            telegram = self._opened(seen, now_us, formats)
            if telegram is None:
                return False
            status = telegram.tpl.status if telegram.tpl is not None else None
            event = self._answered(telegram, status, now_us)
        self.partner.answered(self.sent_us)
        self.wait_us = None
        self.previous = one.number
        self.tries = 0
        self.collision.delivered()
        self._heard = Heard(seen.kind, status, telegram)
        steps = {"ACK": "acknowledged", "NACK": "refused"}
        self.told.append((steps.get(seen.kind, "answered"), event))
        self._event(event, now_us, wall_us)
        return True

    def _acknowledged(self, status, now_us):
        if self._pieces is not None and len(self._pieces) > 1:
            return "piece"
        if status is not None and status & 3 == _BUSY:
            self._has_time(now_us)
            return "busy"
        if status is not None and status & 3 == _ERROR:
            return "error"
        return "wanted" if status is None or self.order.wants else "done"

    def _answered(self, telegram, status, now_us):
        if telegram.verdict == application.INCOMPLETE:
            return "part"
        code = error_code(Heard("RSP-UD", status, telegram))
        busy = code is None and status is not None and status & 3 == _BUSY
        # When its time is over, the order is told that it is still busy.
        return "not yet" if (busy or code == _BUSY_CODE) and self._has_time(now_us) else "answer"

    def _has_time(self, now_us):
        """Whether a busy meter still has time to execute the command (M.1.5)."""
        if self._busy_until_us is None:
            self._busy_until_us = now_us + timing.COMMAND_US
        return now_us < self._busy_until_us

    def overheard(self, seen, now_us, wall_us):
        """What is not for us. While a new key is introduced: a message between the exchanges may be the first
        under it."""
        if seen.kind in ANSWERS:
            self._mixed = True
        if self.order is None or self.partner.rival is None or seen.kind != "SND-NR":
            return
        if self._opened(seen, now_us, None) is not None and self._under_rival:
            self._under_rival = False
            self._renew()
            self.unsaved = True
            self.tries = 0
            self.collision.delivered()
            self._outcome(self.order.changed(wall_us), now_us)

    def _opened(self, seen, now_us, formats):
        """The Telegram of an answer, if it is protected as it must be and is new, or a fragment of one; else
        None."""
        if self._fragments is None:
            self._fragments = Reassembly(1)
        partner = self.partner
        for side in (partner.side, partner.rival):
            if side is None:
                continue
            fragments = self._fragments if side is partner.side else None
            key_for = partner.key_for(side)
            told = seen.decode(key_for, formats, fragments, now_us)
            if told.verdict == application.INCOMPLETE:
                return told if told.error.code == application.INCOMPLETE else None
            if told.tpl is None:
                continue
            if told.tpl.content == ci.ERROR:
                return told
            if told.verdict not in _STRONG.get(partner.security_mode, _STRONG[7]):
                continue
            if told.verdict == application.AUTHENTICATED:
                if not self._new(side, told.counter):
                    continue
                side.heard = max(side.heard, told.counter)
                self._under_rival = side is partner.rival
                # A meter takes over the counter of a command that it takes (SEC-18).
                since = self._command is None or self._command[0] is not side
                self._authentic = since or told.counter > self._command[1]
            return told
        return None

    def _new(self, side, counter):
        """Whether an authentic message was never heard: its counter is above all, or it was made since we
        asked and others of the meter have overtaken it, as they do where a cycle repeats it behind a slot."""
        if counter > side.heard:
            return True
        asked = self._since is not None and self._since[0] is side
        return asked and counter > self._since[1] and counter not in self._between

    # --- the machine ---

    def _event(self, event, now_us, wall_us):
        found = TABLE.get((self.state, event))
        if found is not None:
            before, (self.state, what) = self.state, found
            try:
                _DO[what](self, before, now_us, wall_us)
            except OmsError as error:
                self._fail(error.message, now_us)

    def _renew(self):
        """The exchange is made again."""
        self.state = START
        self._remake()

    def _wait(self, before, now_us, wall_us):
        self._remake()
        self.wait_us = now_us + _POLL_US

    def _next_piece(self, *_):
        self.datagram = None
        self._pieces = self._pieces[1:]

    def _next_part(self, *_):
        self.datagram = None
        self._part = True

    def _plain(self, *_):
        self.partner.snd_ud2 = False
        self._remake()

    def _hear(self, before, now_us, wall_us):
        heard = self._heard
        code = error_code(heard)
        # A meter has one response: it may be that to the command of somebody else, who came between.
        self._doubted = code is not None and before in (FETCH, POLL) and self._mixed
        self._mixed = False
        self._remake()
        self.unsaved = True
        if self._under_rival:
            self._under_rival = False
            self._outcome(self.order.changed(wall_us), now_us)
        elif code == _SECURITY_CODE and self.order.once:
            # The meter may have taken it before; and errors are in clear.
            self._outcome(self.order.silence(wall_us), now_us)
        elif code == _SECURITY_CODE and self._behind(before):
            self._long_step = True
            self._event(self._kind(), now_us, wall_us)
        else:
            self._outcome(self.order.heard(heard, wall_us), now_us)

    def _behind(self, before):
        """Whether our counter may be behind that of the meter, and was not yet raised as far as it may be."""
        commands = self._exchange.ci is not None and before in (COMMAND, COMMAND2, FETCH, POLL)
        counted = self.partner.security_mode in (7, 10) and self.partner.rival is None
        return commands and counted and not self._long_step

    def _doubt(self, before, now_us, wall_us):
        """A command whose number the meter may have forgotten."""
        one = self.datagram
        if one.tries and self.order.once and one.counter is not None and one.side.heard < one.counter:
            one.first_us = None
            one.old = True
            return
        self._doubted = self.doubtful
        self._renew()
        if one.tries and not one.proven:
            self._outcome(self.order.silence(wall_us), now_us)

    def _give_up(self, before, now_us, wall_us):
        """No answer, and the meter may have executed what it was told."""
        self.state = before
        proven = self.datagram is not None and self.datagram.proven
        self._doubted = self.doubtful
        over = self.collision.tries > collision.TRIES
        self._renew()
        self.unsaved = True
        outcome = MORE if proven and not self.order.binding else self.order.silence(wall_us)
        if outcome == MORE and over and not self.order.binding:
            self._fail("no answer to {} tries".format(collision.TRIES), now_us)
            return
        if over:
            self.collision.delivered()
        self._outcome(outcome, now_us)

    def _outcome(self, outcome, now_us):
        """What the order says: go on with it, or end it."""
        partner = self.partner
        if partner.rival is not None and self.order.adopted is not None:
            self.changed = self.order.adopted
            partner.adopt(self.changed)
        self._busy_until_us = None
        self._long_step = False
        if outcome == MORE:
            partner.try_key(self.order.new_key)
        else:
            self._finish(now_us)

    def _finish(self, now_us):
        if self.order.outcome == DONE:
            self.order.result["authenticated"] = self._authentic
            self._end("done", self.order.result, now_us)
        elif self.order.outcome == FAILED:
            self._fail(self.order.reason, now_us)

    def _fail(self, reason, now_us):
        if self._doubted and DOUBT not in reason:
            reason += "; " + DOUBT
        self._end("failed", reason, now_us)

    def _end(self, step, detail, now_us):
        self.told.append((step, detail))
        self.abandon(now_us)

    def _rest(self, *_):
        if self.state == REST:
            self.datagram = None
            self.previous = None


_DO = {
    "make": Session._remake,
    "wait": Session._wait,
    "next piece": Session._next_piece,
    "next part": Session._next_part,
    "plain": Session._plain,
    "hear": Session._hear,
    "doubt": Session._doubt,
    "give up": Session._give_up,
    "rest": Session._rest,
}
