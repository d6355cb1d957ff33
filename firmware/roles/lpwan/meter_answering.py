"""What a burst meter does with a downlink frame, and how a session begins, goes on and ends (OMS Vol. 2 Annex Q.3.3.5, P 7.2.2.1;
LPWAN sheet 16 to 18, 21).

Place: upon meter_unasked.py, below meter_sending.py; no radio and no windows in it.
"""

from ...errors import OmsError
from ...link import credits
from ...link.lpwan import elements
from ...link.lpwan.credits import PURE_MAC
from ..asked import who
from ..meter import BLOCK
from . import meter_frames as frames
from .meter_mac import MeterMac
from .meter_session import Session
from .meter_unasked import MAC_KEY, Unasked

_LEAST = 16  # bytes of an answer beside a MAC body


class Answering(Unasked):
    """The part of BurstMeter that is asked."""

    def __init__(
        self, profile, declared, entropy, keys, storage_key, device, state, fillers, pause, registration
    ):
        kept = state.get("lpwan") if state else None
        self.mac = MeterMac(declared, profile.address, kept, self._count)
        self.session = Session()
        self._request_us = self._resume_us = (
            None  # T0 of the MACC that was asked for, and that resumes a session
        )
        super().__init__(
            profile, declared, entropy, keys, storage_key, device, state, fillers, pause, registration
        )
        self.mac.rekeyed(self.keys.key(MAC_KEY))
        self.tiv = declared.tiv
        if self.tiv is None:
            self.tiv = kept["tiv"] if kept else (entropy[-1] ^ entropy[0]) & 0x7F
        self._way_changed()

    def _present(self, now_us, wall_us):
        return self.mac.time.at(now_us, super()._present(now_us, wall_us))

    def _taken(self, link, at_us, end_us, rx0_us, wall_us, rssi_dbm):
        """What a downlink frame for this meter does: (actions, meter_mac.Answer, telegrams or None, access number), or None if
        it is not taken.

        at_us, end_us: of its front sync and last chip. rx0_us: at_us moved to RX0, at which its times are meant. rssi_dbm: or None.
        """
        try:
            asked = frames.asked(link, self.profile, at_us, end_us)
        except OmsError as error:
            self._count("rejected." + error.code)
            asked = None
        cost = credits.RECEIVED.get(asked.kind, 0) if asked else PURE_MAC
        if not self.credits.spend(cost, self._now_us):
            self._count("no_credits")
            return None
        session, mac = self.session, self.mac
        before = (session.snapshot(), mac.snapshot(), self._request_us, self._resume_us)
        asks = link.mac.elements or elements.ABSENT_DOWN
        alive = session.open(self._now_us + self.response_us)
        self._resume_us = None
        if asks.rtrm:
            session.rtrm = asks.rtrm
        session.receiver = link.address if link.llc.flag else None
        session.closing = bool(asks.sc)
        answer = mac.command(link.mac, alive, session.mac, rx0_us, asks.acp, rssi_dbm)
        session.mac = answer.kept
        if answer.session_us is not None:
            self._request_us = rx0_us + answer.session_us if answer.session_us else None
        self._reserved = frames.body_bytes(answer.body)
        if self._piece() < _LEAST:
            self._reserved = 0  # then the body goes in front of the answer, in a frame of its own
        actions, telegrams = self._upper(asked, wall_us) if asked else ([], None)
        self._reserved = 0
        if answer.changed and not actions:
            actions = [self._persist(BLOCK, BLOCK)]
            self._covered = BLOCK - 1
        if actions:
            self._undo = self._undoing(before)
        return actions, answer, telegrams, asked.number if telegrams else None

    def _undoing(self, before):
        def undo():
            self._rollback()
            self.session.rollback(before[0])
            self.mac.rollback(before[1])
            self._request_us, self._resume_us = before[2:]
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
        return actions, session.telegrams

    # --- the session ---

    def _close_session(self):
        """Closing: the effect of SND-NKE, and what was temporary is over."""
        self._resume_us = None
        if self.session.close() and self.mac.managed:
            self.mac.managed.ended()
            self._way_changed()

    def _unheard(self, t0_us):
        """An uplink that offered access has brought nothing. t0_us: of it."""
        session = self.session
        if self.mac.missed():
            self._covered = 0
        if session.alive and (session.closing or session.resuming):
            self._close_session()
        elif session.alive:
            self.mac.managed.ended()
            if self.mac.resume_us:
                self._resume_us = t0_us + self.mac.resume_us
                session.until_us = max(session.until_us, self._resume_us + self._next_us())
        self._way_changed()

    def _answered(self):
        """The answer was sent: what a command has set of the link is in force."""
        self.session.receiver = None
        self._told()
        self._switched()

    def _switched(self):
        if self.mac.managed and self.mac.managed.switched():
            self._way_changed()

    def _way_changed(self):
        self.way = self.mac.way()
        self._on_way()
        if self.mac.managed:
            self.mac.managed.interval_s = self.profile.nominal_us // 1000000

    def _persist(self, ahead, covers):
        self.mac.rekeyed(self.keys.key(MAC_KEY))
        persist = super()._persist(ahead, covers)
        persist.state["lpwan"] = self.mac.export()
        persist.state["lpwan"]["tiv"] = self.tiv
        return persist
