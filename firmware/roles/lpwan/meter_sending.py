"""What a burst meter is about to send, and when: frames for its slots and beside them, answers, uplink sessions (OMS Vol. 2 Annex
Q.2.4.6.4, Q.3.3, Q.3.3.6; LPWAN sheet 11.4, 11.5, 13, 17).

Place: upon meter_answering.py, below meter.py, which hands them to the radio.
"""

from ...link.lpwan import elements, mac
from ...phy.burst import timing
from ..meter import BLOCK
from ..meter import LEAD_US as PREPARE_US
from . import meter_exchange as exchanges
from . import meter_frames as frames
from . import meter_way as ways
from .meter_answering import Answering
from .meter_mac import REPORT_BYTES

# What an Uplink is: of a slot, beside the slots, an answer, a further one of the session of a slot, a MACC.
SLOT, OWN, ANSWER, PART, ACCESS = "slot", "own", "answer", "part", "access"
LEAD_US = 120000  # a synchronous frame is handed to the radio so long before its slot
_ROOM_US = 3000000  # between a frame beside the slots and the slot
_SOON_US = 200000  # a frame of no particular time leaves so much from now


class Sending(Answering):
    """The part of BurstMeter that composes."""

    def __init__(self, *arguments):
        self._slot = None  # Uplinks of the synchronous frame that is due
        self._queue = []  # Uplinks that wait, in order
        self._frame_turn = 0  # from which sub-carriers follow
        super().__init__(*arguments)

    def start(self, now_us):
        super().start(now_us)
        self._now_us = now_us
        self._slot_us += self._front_us()  # T0
        if self.declared.bidirectional and not self.credits.start(now_us, self._next_us()):
            return [self._persist(0, 0)]
        return []

    def _exchange_of(self, uplink):
        # Of a dual channel the next frame takes the other one; what belongs to a frame that was heard stays where that was.
        self._frame_turn = (self._frame_turn + (2 if uplink.what in (ANSWER, PART, ACCESS) else 1)) & 0xFFFF
        access = uplink.access
        if access is None and not uplink.session and not self._offers(self.session.alive):
            access = elements.TEMPORARILY_NO_ACCESS if self.declared.bidirectional else None
            if self.declared.bidirectional:
                self._count("closed")
        one = ways.shape(self.declared, self.way, self.tiv, self._frame_turn, access, uplink.session)
        payload = frames.payload(uplink, one, self.profile.address)
        one = frames.shaped(one, payload)
        chips = frames.bursts(one, payload)
        return exchanges.Exchange(uplink, one, payload, chips, self.declared, mac.valid)

    def _reply(self, exchange, answer, telegrams, number):
        """The answer to a downlink frame, if there is one, waits for its time."""
        session = self.session
        if not telegrams and answer.type is None:
            self._switched()
            if session.closing:
                self._close_session()
            return
        at_us = exchange.t0_us + ways.answer_after(exchange.shape, session.rtrm)
        kind = mac.MSNR if answer.type is None else answer.type
        if telegrams and frames.upper(telegrams[0]) > frames.room(
            self.declared.longest, frames.body_bytes(answer.body)
        ):
            telegrams = [None] + telegrams  # a stored answer leaves no room for this body: it goes in front
        self._queue = self._in_session(ANSWER, kind, answer.body, telegrams, number, session.receiver, at_us)
        undo = self._undo
        if undo:
            self._undo = lambda: (undo(), self._forget_queue())

    def _prepare(self, now_us, wall_us):
        """Make the frame of the slot that is due."""
        at_us = self._next_slot()
        while at_us - self._front_us() < now_us:  # after a long sleep
            self._count("skipped")
            self._grow()
            at_us = self._next_slot()
        if not self.credits.covered() or not self.credits.timed(now_us, self._next_us()):
            self._covered = 0
        body, changed = self.mac.report(now_us)
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

    def _in_session(self, what, kind, body, telegrams, number, receiver, at_us, flag=0):
        """Uplinks that carry these telegrams (None: one without): several are an uplink session (sheet 11.5)."""
        found = []
        telegrams = telegrams or [None]
        one = ways.shape(self.declared, self.way, self.tiv, 0)
        for i, telegram in enumerate(telegrams):
            more = 1 if i + 1 < len(telegrams) else 0
            uplink = frames.Uplink(
                PART if i and what != ANSWER else what,
                mac.MSNR if i else kind,
                None if i else body,
                telegram,
                number,
                0 if i else flag,
                receiver,
                more,
                None,
                at_us,
            )
            found.append(uplink)
            at_us += timing.session_distance(one.uplink, one.header, 1)
        return found

    def _macc_us(self):
        """T0 of the next MACC, or None."""
        due = [one for one in (self._request_us, self._resume_us) if one is not None]
        return min(due, default=None)

    def _beside_us(self):
        """When a frame beside the slots is due, or None."""
        due_us = self._own_us()
        macc_us = self._macc_us()
        if macc_us is not None:
            at_us = macc_us - self._front_us() - LEAD_US
            due_us = at_us if due_us is None else min(due_us, at_us)
        if due_us is None:
            return None
        slot_us = self._following_us()
        if slot_us is not None and slot_us - _ROOM_US < max(due_us, self._now_us):
            return slot_us + _ROOM_US
        return due_us

    def _beside(self, wall_us):
        now_us = self._now_us
        at_us = self._macc_us()
        if at_us is not None and now_us >= at_us - self._front_us() - LEAD_US:
            if at_us == self._request_us:
                self._request_us = None
            else:
                self._resume_us = None
                self.session.resuming = True
            if at_us - self._front_us() - ways.ARM_US < now_us:
                at_us = now_us + _SOON_US
            self._queue = self._in_session(ACCESS, mac.MACC, None, None, None, None, at_us)
            return []
        # Whether it is a SND-IR is known when it is composed, and its body only then.
        self._reserved = REPORT_BYTES if self._installing else 0
        told = self._own(wall_us)
        self._reserved = 0
        if told is None:
            return []
        telegrams, persist, installing = told
        body = None
        if installing:
            body, changed = self.mac.report(now_us, True)
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
        """Whether the frame, with those of its session, and its windows would not be over when the next slot is handed over."""
        slot_us = self._following_us()
        if slot_us is None:
            return False
        if exchange.uplink.session:
            last = self._queue[-1]
            one = ways.shape(self.declared, self.way, self.tiv, 0)
            exchange, at_us = exchanges.Exchange(last, one, None, None, self.declared, None), last.at_us
        return exchange.ends_us(at_us) > slot_us - self._front_us() - LEAD_US

    def _front_us(self):
        """From the first chip of a burst to its reference point."""
        return frames.front_us(ways.bases(self.way.uplink)[0])

    def _slot_due_us(self):
        """When the frame of the next slot is made, or handed over."""
        if self._slot:
            return self._slot[0].at_us - self._front_us() - LEAD_US
        return None if self._slot_us is None else self._slot_us - self._front_us() - PREPARE_US

    def _queue_due_us(self):
        return self._queue[0].at_us - self._front_us() - ways.ARM_US
