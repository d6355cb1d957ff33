"""What a gateway and one meter say to each other about an order: the ladders around one exchange (OMS Vol.2 5.2.4, 7.2.3, M.1.5,
M.1.7, Annex L; oms-requirements sheet 14.3 to 14.8).

    SND-UD until ACK or NACK, then REQ-UD2 for what it came to; SND-UD2 and REQ-UD until RSP-UD; SND-NKE at the end.

Whether a datagram was executed is certain only while the meter keeps its access number. Behind that, silence is told to the
order, which knows whether it may be repeated. An authentic message of the meter with a lower counter than ours proves that
it has not taken the command; and a command that must not be executed twice is sent again as it was, since the meter takes
no counter twice.
"""

from ..application import telegram as application
from ..link import collision, timing
from ..portable import const
from ..transport import ci
from ..transport.fragmentation import Reassembly
from .orders import DONE, FAILED, MORE, Heard, error_code
from .partner import LONG_STEP, STEP

REST = "rest"
START = "start"  # an order has come, its next exchange is to be made
COMMAND, COMMAND2 = "command", "command2"  # SND-UD, SND-UD2
ASK, ALARM = "ask", "alarm"  # REQ-UD2 and REQ-UD1, where they are the exchange
FETCH, POLL = "fetch", "poll"  # REQ-UD2 for what became of a command; while the meter is busy with it
CLOSE, CLOSED = "close", "closed"  # SND-NKE is to be sent; was sent

# Events: kinds of exchanges; "done" (ACK, nothing else wanted), "wanted", "busy", "error" (ACK by its status), "nack", "piece"
# (ACK of a fragment), "answer", "not yet" (RSP-UD, the meter is busy), "part" (RSP-UD, a fragment), "stale" (the meter may
# have forgotten the access number), "silence" (all tries are over), "sent", "over" (its cycle has ended).
TABLE = {
    (START, "SND-UD"): (COMMAND, "make"),
    (START, "SND-UD2"): (COMMAND2, "make"),
    (START, "REQ-UD1"): (ALARM, "make"),
    (START, "REQ-UD2"): (ASK, "make"),
    (START, "silence"): (START, "give up"),
    (COMMAND, "done"): (START, "hear"),
    (COMMAND, "wanted"): (FETCH, "make"),
    (COMMAND, "busy"): (POLL, "make"),
    (COMMAND, "error"): (FETCH, "make"),
    (COMMAND, "nack"): (START, "hear"),
    (COMMAND, "piece"): (COMMAND, "next piece"),
    (COMMAND, "stale"): (COMMAND, "doubt"),
    (COMMAND, "silence"): (START, "give up"),
    (COMMAND2, "answer"): (START, "hear"),
    (COMMAND2, "not yet"): (POLL, "make"),
    (COMMAND2, "part"): (FETCH, "next part"),
    (COMMAND2, "done"): (COMMAND, "plain"),
    (COMMAND2, "wanted"): (COMMAND, "plain"),
    (COMMAND2, "busy"): (COMMAND, "plain"),
    (COMMAND2, "error"): (COMMAND, "plain"),
    (COMMAND2, "nack"): (START, "hear"),
    (COMMAND2, "stale"): (COMMAND2, "doubt"),
    (COMMAND2, "silence"): (START, "give up"),
    (ASK, "answer"): (START, "hear"),
    (ASK, "not yet"): (POLL, "make"),
    (ASK, "part"): (ASK, "next part"),
    (ASK, "nack"): (START, "hear"),
    (ASK, "stale"): (ASK, "make"),
    (ASK, "silence"): (START, "give up"),
    (ALARM, "done"): (START, "hear"),
    (ALARM, "wanted"): (START, "hear"),
    (ALARM, "busy"): (START, "hear"),
    (ALARM, "error"): (START, "hear"),
    (ALARM, "answer"): (START, "hear"),
    (ALARM, "not yet"): (START, "hear"),
    (ALARM, "part"): (ALARM, "next part"),
    (ALARM, "nack"): (START, "hear"),
    (ALARM, "stale"): (ALARM, "make"),
    (ALARM, "silence"): (START, "give up"),
    (FETCH, "answer"): (START, "hear"),
    (FETCH, "not yet"): (POLL, "make"),
    (FETCH, "part"): (FETCH, "next part"),
    (FETCH, "nack"): (START, "hear"),
    (FETCH, "stale"): (FETCH, "fetch again"),
    (FETCH, "silence"): (START, "give up"),
    (POLL, "answer"): (START, "hear"),
    (POLL, "not yet"): (POLL, "make"),
    (POLL, "part"): (POLL, "next part"),
    (POLL, "nack"): (START, "hear"),
    (POLL, "stale"): (POLL, "fetch again"),
    (POLL, "silence"): (START, "give up"),
    (CLOSE, "sent"): (CLOSED, "rest"),
    (CLOSE, "over"): (REST, "rest"),
    (CLOSED, "sent"): (CLOSED, "rest"),
    (CLOSED, "over"): (REST, "rest"),
}

# Orders whose content is as old as their telegram.
_TIMED = (["clock-set"], ["clock-adjust"])
_KINDS = {COMMAND: "SND-UD", COMMAND2: "SND-UD2", ALARM: "REQ-UD1", CLOSE: "SND-NKE"}  # else REQ-UD2
_BUSY, _ERROR = const(1), const(2)
_BUSY_CODE, _SECURITY_CODE = const(0x08), const(0x20)
_PAUSE_US = const(1000000)
_NKE = const(3)  # times that SND-NKE is sent to a meter that goes on repeating
_FRAME_US = const(150000)  # longer than any frame
_NEAR_COUNTER = const(16)  # a counter is made anew before the meter's own messages reach it
_STRONG = {0: (application.PLAIN, application.DECRYPTED, application.AUTHENTICATED)}
_STRONG[5] = _STRONG[0][1:]
_STRONG[7] = _STRONG[10] = _STRONG[0][2:]


class Datagram:
    """What is to be sent until it is answered. counter, side: of a protected one. first_us: end of its first transmission that the
    meter may have received and kept, or None. tries: transmissions."""

    def __init__(self, kind, number, message, telegram, counter=None, side=None):
        self.kind = kind
        self.number = number
        self.message = message
        self.telegram = telegram
        self.counter = counter
        self.side = side
        self.first_us = None
        self.tries = 0
        self.old = False  # sent again behind the time for which the meter keeps its number
        self.mode = self.chips = None  # as it was coded last


class Session:
    """With one meter. gateway: our Address. partner: roles.partner.Partner.

    state: see above. order, number: under way, or None and 0. datagram: what is to be sent, or None. told: [(step, detail)] for
    who has ordered. unsaved: something has changed that is to be stored before it is sent.
    """

    def __init__(self, gateway, partner):
        self.gateway = gateway
        self.partner = partner
        self.state = REST
        self.order = None
        self.number = 0
        self.datagram = None
        self.collision = collision.Collision()
        self.told = []
        self.unsaved = False
        self.previous = None  # access number of the last datagram that was answered
        self.wait_us = None  # an answer is awaited until then
        self.fragments = None
        self.demand = None  # access number of an ACC-DMD that was acknowledged
        self.ended = None  # order that has ended, until it is taken out of the queue
        self.changed = None  # (KeyID, version, Key) that was adopted, to be told
        self._clear()

    def _clear(self):
        self._exchange = None
        self._pieces = None  # payloads of a command that are not acknowledged yet
        self._many = False  # it is fragmented
        self._part = False  # the next fragment of an answer is asked for
        self._heard = None
        self._under_rival = False
        self._busy_until_us = None
        self._command_us = None
        self._long_step = False
        self._old = False  # a command was sent again behind the time for which the meter keeps its number

    def begin(self, number, order):
        """Take an order. The next window may be its first."""
        self._clear()
        self.number, self.order = number, order
        self.datagram = None
        self.state = START
        self.collision.delivered()
        self.partner.try_key(order.new_key)
        self.told.append(("waiting", None))

    @property
    def due_us(self):
        """When `tick` has something to do, or None."""
        if self.wait_us is not None:
            return self.wait_us
        if self.state in (CLOSE, CLOSED):
            return None if self.partner.access is None else self.partner.access.over_us
        one = self.datagram
        return one.first_us + timing.CYCLE_END_US[0] if one and one.first_us is not None else None

    def tick(self, now_us, wall_us):
        if self.wait_us is not None:
            if now_us >= self.wait_us:
                self.wait_us = None
            return
        if self.state in (CLOSE, CLOSED):
            self.partner.advance(now_us)
            if self.partner.access is None or self.partner.access.over_us is None and not self.partner.always:
                self._event("over", now_us, wall_us)
        elif self.due_us is not None and now_us >= self.due_us:
            self._event("stale", now_us, wall_us)

    # --- what is sent ---

    def prepare(self, now_us, wall_us):
        """Make the datagram that is due, if there is none. wall_us: UTC when the meter will have it, or None. False if there
        is none to be sent."""
        if self.state == START:
            self._exchange = self.order.exchange(wall_us)
            self.unsaved = True
            if self._exchange is None:
                self._finish(now_us)
                return False
            self.partner.try_key(self.order.new_key)
            self._event(self._kind(), now_us, wall_us)
        if self.datagram is None and self.state not in (REST, START, CLOSED):
            self._build(now_us)
        return self.datagram is not None

    def _kind(self):
        kind = self._exchange.kind
        return "SND-UD" if kind == "SND-UD2" and not self.partner.snd_ud2 else kind

    def _build(self, now_us):
        partner = self.partner
        number = partner.take(now_us)
        if number is None:
            return
        self.unsaved = True
        side = counter = None
        if self._part:
            payload = b""
        elif self.state in (COMMAND, COMMAND2) and self._exchange.ci is not None:
            side = partner.rival if partner.rival is not None and self.order.under_new else partner.side
            if self._pieces is None and not self._seal(side):
                self._fail("the message counter of this key is at its end", now_us)
                return
            payload = self._pieces[0]
            counter = side.sent if partner.security_mode in (7, 10) else None
        else:
            partner.new_message()
            payload = partner.head()
        kind = _KINDS.get(self.state, "REQ-UD2")
        telegram = partner.telegram(self.gateway, kind, number, payload, self._many or self._part)
        self.datagram = Datagram(kind, number, partner.message, telegram, counter, side)

    def _seal(self, side):
        partner = self.partner
        step = LONG_STEP if self._long_step else STEP
        if partner.security_mode in (7, 10) and not partner.next_counter(side, step):
            return False
        partner.new_message()
        self._pieces = partner.seal(self._exchange.ci, self._exchange.data, side, self.order.named)
        self._many = len(self._pieces) > 1
        if self._many:
            self.state = COMMAND  # no SND-UD2 for fragments (5.2.4)
        return True

    def opportunity(self, entropy, now_us, wall_us):
        """True if the datagram is to be sent in the window that has come."""
        if self.wait_us is not None or self.datagram is None:
            return False
        if self.state in (CLOSE, CLOSED):
            return self.datagram.tries < _NKE
        done = self.collision.opportunity(entropy)
        if done == collision.FAILED:
            self._event("silence", now_us, wall_us)
        return done == collision.SEND

    def sent(self, end_us):
        """The datagram was on the air until then."""
        one = self.datagram
        one.tries += 1
        if self.state in (CLOSE, CLOSED):
            self._event("sent", end_us, None)
            return
        if one.first_us is None:
            one.first_us = end_us
        if self.state in (COMMAND, COMMAND2):
            self._command_us = end_us
        self.wait_us = timing.listening(self.partner.mode, 0, end_us, "down")[1] + _FRAME_US
        self.sent_us = end_us

    # --- what is heard ---

    def expects(self, seen):
        """Whether a frame of this meter is an answer to what was sent."""
        one = self.datagram
        if one is None or not one.tries or seen.number != one.number or self.state in (CLOSE, CLOSED):
            return False
        receiver = seen.link.ell and seen.link.ell.receiver
        if receiver is None:
            return self.partner.allocated
        return receiver.link_bytes() == self.gateway.link_bytes()

    def pause(self, now_us):
        """It always listens, and another shall have his chance first."""
        self.wait_us = now_us + _PAUSE_US

    @property
    def outdated(self):
        """Whether the datagram was sent, and says something about the time."""
        one = self.datagram
        commands = self.state in (COMMAND, COMMAND2) and one is not None and one.tries > 0
        return commands and self.order.words[:1] in _TIMED

    @property
    def doubtful(self):
        """Whether the meter may have executed something that it did not tell."""
        one = self.datagram
        commands = self.state in (COMMAND, COMMAND2) and one is not None and one.tries > 0
        return commands or self.state in (FETCH, POLL)

    def repeated(self, answered):
        """The meter repeats its answer to the datagram before: this one it has not got. answered: it is being sent again."""
        if self.state == REST:
            self.state = CLOSE
        if self.datagram is not None and self.state not in (CLOSE, CLOSED):
            self.datagram.first_us = None
            if self.outdated and not answered:
                self.state = START
                self._remake()

    def counted(self, side, counter, now_us, wall_us):
        """An authentic message of the meter, with this counter."""
        if counter <= side.heard:
            return
        side.heard = counter
        one = self.datagram
        if one is None or one.counter is None or one.side is not side:
            return
        if counter < one.counter:
            one.first_us = None  # the command was not taken
            if not one.tries and counter + _NEAR_COUNTER >= one.counter:
                self._remake()
        elif one.old or not one.tries:
            self._event("stale", now_us, wall_us)

    def overheard(self, seen, now_us, wall_us):
        """While a new key is introduced: a message between the exchanges may be the first under it."""
        if self.order is None or self.partner.rival is None or seen.kind != "SND-NR":
            return
        if self._opened(seen, now_us, None) is not None and self._under_rival:
            self._under_rival = False
            self.state = START
            self._remake()
            self.unsaved = True
            self._outcome(self.order.changed(wall_us), now_us)

    def answer(self, seen, now_us, wall_us, formats=None):
        """What `expects` said is ours. False if it is none after all."""
        one = self.datagram
        tpl = seen.tpl
        if tpl is not None and tpl.access_number is not None and tpl.access_number != one.message:
            return False
        telegram = None
        status = tpl.status if tpl is not None else None
        if seen.kind == "NACK":
            event = "nack"
        elif seen.kind == "ACK":
            event = self._acknowledged(status, now_us)
        else:
            telegram = self._opened(seen, now_us, formats)
            if telegram is None:
                return False
            if telegram.verdict == application.INCOMPLETE:
                if telegram.error.code != application.INCOMPLETE:
                    return False
                event = "part"
            else:
                status = telegram.tpl.status
                event = self._answered(telegram, status, now_us)
        self.partner.answered(self.sent_us)
        self.wait_us = None
        self.previous = one.number
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
            self._busy(now_us)
            return "busy"
        if status is not None and status & 3 == _ERROR:
            return "error"
        return "wanted" if status is None or self.order.wants else "done"

    def _answered(self, telegram, status, now_us):
        code = error_code(Heard("RSP-UD", status, telegram))
        if code == _BUSY_CODE or (code is None and status is not None and status & 3 == _BUSY):
            # Behind that the order is told that it is still busy.
            return "not yet" if self._busy(now_us) else "answer"
        return "answer"

    def _busy(self, now_us):
        """Whether a busy meter still has time."""
        if self._busy_until_us is None:
            self._busy_until_us = now_us + timing.COMMAND_US
        return now_us < self._busy_until_us

    def _opened(self, seen, now_us, formats):
        """The Telegram of an RSP-UD, if it is protected as it must be and is new; else None."""
        if self.fragments is None:
            self.fragments = Reassembly(1)
        partner = self.partner
        for side in (partner.rival, partner.side):
            if side is None:
                continue
            fragments = self.fragments if side is partner.side else None
            telegram = application.decode(
                seen.raw, partner.key_for(side), None, formats, fragments=fragments, now_us=now_us
            )
            tpl = telegram.tpl
            if telegram.verdict == application.INCOMPLETE or (tpl and tpl.content == ci.ERROR):
                if side is partner.side:
                    return telegram
                continue
            if tpl is None or telegram.verdict not in _STRONG.get(partner.security_mode, _STRONG[7]):
                continue
            if telegram.verdict == application.AUTHENTICATED:
                if telegram.counter <= side.heard:
                    continue
                side.heard = telegram.counter
                self._under_rival = side is partner.rival
            return telegram
        return None

    # --- the machine ---

    def _event(self, event, now_us, wall_us):
        found = TABLE.get((self.state, event))
        if found is not None:
            before, (self.state, what) = self.state, found
            _DO[what](self, before, now_us, wall_us)

    def _remake(self, *_):
        """Another datagram, with new numbers."""
        self.datagram = None
        self._pieces = None
        self._part = self._many = False

    def _next_piece(self, *_):
        self.datagram = None
        self._pieces = self._pieces[1:]

    def _next_part(self, *_):
        self.datagram = None
        self._part = True

    def _plain(self, *_):
        self.partner.snd_ud2 = False
        self._remake()

    def _fetch_again(self, before, now_us, wall_us):
        if now_us - self._command_us > timing.COMMAND_RESPONSE_US:
            self._give_up(before, now_us, wall_us)  # there is no response any more
        else:
            self._remake()

    def _hear(self, before, now_us, wall_us):
        heard, old = self._heard, self._old
        code = error_code(heard)
        self._remake()
        self.unsaved = True
        self._old = False
        if self._under_rival:
            self._under_rival = False
            self._outcome(self.order.changed(wall_us), now_us)
        elif code == _SECURITY_CODE and old:
            self._outcome(self.order.silence(wall_us), now_us)  # the meter may have taken it before
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
            one.old = self._old = True
            return
        self.state = START
        self._remake()
        if one.tries:
            self._outcome(self.order.silence(wall_us), now_us)

    def _give_up(self, before, now_us, wall_us):
        self._remake()
        self.unsaved = True
        over = self.collision.tries > collision.TRIES
        outcome = self.order.silence(wall_us)
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
            self._end("done", self.order.result, now_us)
        elif self.order.outcome == FAILED:
            self._fail(self.order.reason, now_us)

    def _fail(self, reason, now_us):
        self._end("failed", reason, now_us)

    def _end(self, step, detail, now_us):
        self.told.append((step, detail))
        self.abandon(now_us)

    def abandon(self, now_us):
        """The order has ended, however. What is left is to say so to the meter, if it listens."""
        partner = self.partner
        if self.datagram is not None and self.datagram.tries:
            self.previous = self.datagram.number
        self.ended, self.order = self.order, None
        self.unsaved = True
        self._clear()
        self.datagram = None
        partner.try_key(None)
        partner.advance(now_us)
        awake = partner.access is not None and (partner.always or partner.access.over_us is not None)
        self.state = CLOSE if awake else REST

    def _rest(self, before, now_us, wall_us):
        if self.state == REST:
            self.datagram = None


_DO = {
    "make": Session._remake,
    "next piece": Session._next_piece,
    "next part": Session._next_part,
    "plain": Session._plain,
    "fetch again": Session._fetch_again,
    "hear": Session._hear,
    "doubt": Session._doubt,
    "give up": Session._give_up,
    "rest": Session._rest,
}
