"""One datagram at a time between a gateway and a meter: made, sent in windows until it is answered, and who
may say when (OMS Vol.2 5.2.4, 7.2.2.1, Annex I; link sheet 8.3, 8.4).

The meter keeps the access number of what it has received until its frequent access cycle ends, and executes
nothing twice within. Behind that it may: so it is noted when a datagram was first sent, and what proves that
the meter has not taken it.
"""

from ..link import collision
from ..portable import const
from .ladder import CLOSE, CLOSED, COMMAND, COMMAND2, KINDS, REST
from .partner import LONG_STEP, STEP
from .seen import ANSWERS

_PAUSE_US = const(1000000)
_NKE = const(3)  # times that SND-NKE is sent to a meter that goes on repeating
_NEAR_COUNTER = const(16)  # a counter is made anew before the meter's own messages reach it


class Datagram:
    """kind: "SND-UD", ...; number, message: access numbers of link and message. counter, side: of one that is
    protected. for_us: when the meter is to have it. first_us: end of its first transmission that the meter
    may have received and kept, or None. tries: transmissions. proven: the meter has not taken it. flying: the
    radio has it. old: it is sent again behind the time for which the meter keeps its number."""

    def __init__(self, kind, number, message, telegram, counter, side):
        self.kind = kind
        self.number = number
        self.message = message
        self.telegram = telegram
        self.counter = counter
        self.side = side
        self.for_us = None
        self.first_us = None
        self.tries = 0
        self.proven = self.old = self.flying = False
        self.mode = self.chips = None  # as it was coded last
        self.body = None  # MAC body of a burst


class Talk:
    """Of a Session, which walks the ladder. gateway: our Address. partner: roles.partner.Partner.

    state: of ladder.py. datagram: what is to be sent, or None. tries: transmissions since the last answer.
    previous: access number of the last datagram that was answered, or given up. wait_us: nothing is said
    before, or None. sent_us: end of the last transmission. demand: access number of an ACC-DMD that was
    acknowledged. unsaved: there is something to be stored before it is sent.
    """

    def __init__(self, gateway, partner):
        self.gateway = gateway
        self._own = gateway.link_bytes()
        self.partner = partner
        self.state = REST
        self.datagram = None
        self.collision = collision.Collision()
        self.tries = 0
        self.previous = None
        self.wait_us = None
        self.sent_us = None
        self.demand = None
        self.unsaved = False
        self._pieces = None  # payloads of a command that are not acknowledged yet
        self._many = False  # it is fragmented
        self._part = False  # the next fragment of an answer is asked for
        self._long_step = False
        self._since = None  # (Side, counter heard of it) as what is under way was first sent
        self._between = []  # counters that were heard since

    # --- made ---

    def _build(self, exchange, under_new, named, now_us):
        """The datagram of this state, if there is an access number for it. exchange: orders.Exchange of a
        command. under_new, named: see orders.Order. False if the message counter is at its end."""
        partner = self.partner
        number = partner.take(now_us)
        if number is None:
            return True
        self.unsaved = True
        side = counter = None
        if self._part:
            payload = b""
        elif self.commanding and exchange.ci is not None:
            side = partner.rival if partner.rival is not None and under_new else partner.side
            if self._pieces is None and not self._seal(exchange, side, named):
                return False
            payload = self._pieces[0]
            counter = side.sent if partner.security_mode in (7, 10) else None
        else:
            partner.new_message()
            payload = partner.head()
        kind = KINDS.get(self.state, "REQ-UD2")
        telegram = partner.telegram(self.gateway, kind, number, payload, self._many or self._part)
        self.datagram = Datagram(kind, number, partner.message, telegram, counter, side)
        return True

    def _seal(self, exchange, side, named):
        partner = self.partner
        step = LONG_STEP if self._long_step else STEP
        if partner.security_mode in (7, 10) and not partner.next_counter(side, step):
            return False
        partner.new_message()
        self._pieces = partner.seal(exchange.ci, exchange.data, side, named)
        self._many = len(self._pieces) > 1
        if self._many:
            self.state = COMMAND  # no SND-UD2 for fragments (5.2.4)
        return True

    # --- sent ---

    @property
    def commanding(self):
        return self.state in (COMMAND, COMMAND2)

    @property
    def closing(self):
        return self.state in (CLOSE, CLOSED)

    def opportunity(self, entropy, now_us, wall_us):
        """True if the datagram is to be sent in the window that has come."""
        if self.wait_us is not None or self.datagram is None:
            return False
        if self.closing:
            return self.datagram.tries < _NKE
        done = self.collision.opportunity(entropy)
        if done == collision.FAILED:
            self._event("silence", now_us, wall_us)
        return done == collision.SEND

    def pause(self, now_us):
        """It always listens, and another shall have his chance first."""
        self.wait_us = now_us + _PAUSE_US

    def sent(self, end_us):
        """The datagram was on the air until then."""
        one = self.datagram
        one.tries += 1
        if self.closing:
            self._event("sent", end_us, None)
            return
        self.tries += 1
        one.proven = False
        if one.tries == 1 and not self._part:
            self._since = (self.partner.side, self.partner.side.heard)
            self._between = []
        if one.first_us is None:
            one.first_us = end_us
        self.sent_us = end_us
        self.wait_us = self.partner.answer_until_us(end_us)

    # --- heard ---

    def expects(self, seen):
        """Whether a frame of this meter is an answer to what was sent."""
        one = self.datagram
        # What the meter says of its own accord has its own numbers, and they may be these.
        if one is None or not one.tries or self.closing or seen.kind not in ANSWERS:
            return False
        return seen.number == one.number and self._for_us(seen)

    def repeats(self, seen):
        """Whether it is the answer to the datagram before."""
        return seen.kind in ANSWERS and seen.number == self.previous is not None and self._for_us(seen)

    def _for_us(self, seen):
        if seen.receiver is None:
            return self.partner.allocated
        return seen.receiver == self._own

    def repeated(self, now_us):
        """The meter repeats its answer to the datagram before: this one it has not got."""
        if self.state == REST:
            # It does not know that this has come to its end.
            self.state = CLOSE
            self.partner.answered(now_us)
        if self.datagram is not None and not self.closing:
            self._not_taken()
            if not self.datagram.flying and self.outdated(now_us):
                self._renew()

    def counted(self, side, counter, now_us, wall_us):
        """An authentic message of the meter's own accord, with this counter."""
        if counter <= side.heard:
            return
        side.heard = counter
        self._between.append(counter)
        one = self.datagram
        if one is None or one.counter is None or one.side is not side:
            return
        if counter < one.counter:
            self._not_taken()
            if not one.tries and not one.flying and counter + _NEAR_COUNTER >= one.counter:
                self._remake()
        elif (one.old or not one.tries) and not one.flying:
            self._event("stale", now_us, wall_us)

    def _not_taken(self):
        self.datagram.first_us = None
        self.datagram.proven = True

    def _remake(self, *_):
        """Another datagram, with new numbers."""
        self.datagram = None
        self._pieces = None
        self._part = self._many = False
