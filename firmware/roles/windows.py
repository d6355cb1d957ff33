"""When a gateway speaks: the windows behind the frames of its meters (OMS Vol.2 4.3.3, 5.2.6, Annex I; link
sheet 8.1, 8.2).

What a window of some milliseconds needs is made before the meter speaks and handed out by `reply`; for the
long ones of mode C2 it is made when the meter has spoken and handed out shortly before the window, so that
others are heard meanwhile.
"""

from ..errors import OmsError
from ..link import control, extended, frame_a, timing
from ..phy import framing, modes
from ..portable import const
from . import room
from .actions import Deliver, Transmit
from .installer import CONFIRM
from .ladder import CLOSE, CLOSED, REST
from .partner import echo
from .seen import ANSWERS, FAMILIES, Glance, Seen
from .session import FRESH_US

LEAD_US = const(10000)  # a telegram is handed out so long before its window
_NEAR_US = const(20000)  # a window that begins within this is armed at once
_LATEST_US = const(1200)  # a driver takes a window until so long before its middle
_DIRECT_US = const(4000)  # to spare until the end of a near window, for what was not prepared
_SOON_US = const(20000)  # to a meter that always listens: so far ahead, in a window of this length
_NEAR_MODES = ("T2", "S2")
_DEMAND = "demand"
COVERS = const(4)  # transmissions that one write to the store covers
_AT_ONCE = const(8)  # tries, of 11, that a meter gets at once which says that it always listens


class Shot:
    """A telegram and its window (at_us, until_us). what: the session's Datagram, or a word. meter: Address,
    without session. at_once: for a meter only as long as it always listens."""

    def __init__(self, mode, telegram, chips, window, what, session=None, meter=None):
        self.mode = mode
        self.telegram = telegram
        self.chips = chips
        self.window = window
        self.what = what
        self.session = session
        self.meter = meter
        self.offset_hz = 0
        self.at_once = False

    @property
    def stale(self):
        """Whether it is a datagram that is not to be sent any more."""
        return (
            self.session is not None and self.what is not _DEMAND and self.session.datagram is not self.what
        )


def _chips(mode, telegram):
    return framing.chips(modes.find(mode, modes.DOWN), frame_a.build(telegram))


def longest(mode):
    """As many chips as the longest telegram to a meter has."""
    most = room.whole(mode, modes.DOWN)
    return _chips(mode, bytes((most,)) + bytes(most))


class Windows:
    """Of a Gateway, which has the sessions, the queue and what is told."""

    def __init__(self):
        self._shots = []  # for windows to come
        self._armed = None
        self._judged = None  # frame that `reply` has dealt with, until it is fed
        self._unwritten = COVERS  # transmissions since the last write

    def reply(self, event, now_us):
        """A Transmit that answers this frame, if one is prepared and its window is near; else None."""
        if not self.arming or self._armed or self._unwritten >= COVERS:
            return None
        try:
            seen = Glance(event)
            at = self._by_meter.get(seen.sender) if seen.kind else None
            if at is None:
                seen = Seen(event)
                at = self._find(seen)
        except OmsError:
            return None
        shot = self._chance(seen, at, event, now_us, None, True)
        if shot is None:
            return None
        self._judged = event
        if now_us > shot.window[1]:
            self._missed(shot, "the window is over", now_us)
            return None
        return self._fire(shot, now_us)

    def ready(self):
        """[Transmit] as long as any that may be sent until the next write, of each carrier; see
        two_way.py."""
        return [
            Transmit(mode, modes.DOWN, chips, self._now_us, None, None, 0) for mode, chips in self._longest
        ]

    # --- the window behind a frame ---

    def _chance(self, seen, at, event, now_us, wall_us, ahead):
        """The Shot for the window behind a frame, or None. at: index of the partner, or None. ahead: only
        what is prepared, for a near window."""
        found = self._window(seen, event, now_us)
        if found is None:
            return None
        mode, window = found
        near = window[0] - now_us <= _NEAR_US
        if (near and self._armed) or (ahead and not near) or self._unstored:
            return None
        if seen.kind == "SND-IR":
            telegram = self.installer.confirm(seen, event, at is not None)
            return telegram and self._shot(mode, telegram, window, CONFIRM, None, seen.address)
        if at is None or not self.partners[at].ready:
            return None
        session = self._sessions[at]
        if self._waits(session):
            return None
        if self._demanded(at, seen):
            partner = session.partner
            telegram = echo(self.address, control.ACK, seen, partner.level, not partner.allocated)
            session.demand = seen.number
            return self._shot(mode, telegram, window, _DEMAND, session)
        # Who always listens is spoken to at once; if he does not hear, in windows as all others.
        if not self._free(session, seen) or (seen.cc & extended.ACCESSIBLE and session.tries < _AT_ONCE):
            return None
        if ahead:
            if session.datagram is None or session.outdated(window[0]):
                return None
        else:
            short = near and self.arming and window[1] - now_us < _DIRECT_US
            if short and session.outdated(window[0]):
                session.opportunity(self._entropy.number(2), now_us, wall_us)  # it goes by
            session.refresh(window[0], now_us, wall_us)
            if short or not self._prepare(
                at, window[0], now_us, wall_us and wall_us + window[0] - event.at_us
            ):
                return None
        if ahead:
            self._judged = event  # one frame is one opportunity
        if not session.opportunity(self._entropy.number(2), now_us, wall_us):
            return None
        return self._datagram(mode, window, session)

    def _window(self, seen, event, now_us):
        """(mode, (from, until)) of the first chip of what may be said behind this frame, or None."""
        if seen.kind is None or seen.hops or not seen.cc or not seen.cc & extended.BIDIRECTIONAL:
            return None
        mode = FAMILIES[event.family]
        if seen.receiver not in (None, self.address.link_bytes()):
            return None  # it is for somebody else (3.1.3.3)
        return mode, timing.answering(mode, seen.cc, event.end_us, modes.UP)

    def _demanded(self, at, seen):
        """Whether this is an ACC-DMD to be acknowledged. What repeats it is the window for the question that
        follows."""
        if seen.kind != "ACC-DMD" or seen.tpl is None or seen.number is None or not self.demands:
            return False
        return self._sessions[at].demand != seen.number or self._book.first(at) is None

    def _free(self, session, seen):
        """Whether we may speak behind this frame: not behind an answer to somebody else, or to us if it is to
        be looked at first (Annex I)."""
        if seen.kind not in ANSWERS:
            return True
        return session.repeats(seen) and not session.expects(seen)

    # --- what is said in it ---

    def _prepare(self, at, at_us, now_us, wall_us):
        """Whether there is a datagram for this meter; made now, if need be. at_us: when the meter will have
        it; wall_us: UTC then."""
        self._sessions[at].prepare(at_us, now_us, wall_us)
        self._follow(at, now_us)  # that may have ended the order
        return self._sessions[at].datagram is not None

    def _ahead(self, at, now_us, wall_us):
        """Where the window is too short to make anything in it: make what is to be said next."""
        session = self._sessions[at]
        partner = session.partner
        wanted = session.state == CLOSE or session.order is not None
        if not wanted or partner.mode not in _NEAR_MODES or not partner.ready:
            return
        one = session.datagram
        at_us = partner.next_us(now_us - FRESH_US)
        if one is not None and at_us is not None and not (one.tries or one.flying) and one.for_us < now_us:
            session.refresh(at_us, now_us, wall_us)  # its frame has come and gone
        if session.datagram is not None:
            return
        if at_us is None:
            at_us = now_us + partner.period_us
        if self._prepare(at, at_us, now_us, wall_us and wall_us + at_us - now_us):
            self._datagram(partner.mode, None, session)  # its chips, too

    def _at_once(self, at, now_us, wall_us):
        """To a meter that always listens."""
        session = self._sessions[at]
        if not session.partner.always or session.state in (REST, CLOSED) or session.wait_us is not None:
            return
        if session.tries >= _AT_ONCE or self._waits(session) or self._unstored or not session.partner.ready:
            return
        at_us = now_us + _SOON_US
        session.refresh(at_us, now_us, wall_us)
        prepared = self._prepare(at, at_us, now_us, wall_us and wall_us + _SOON_US)
        if prepared and session.opportunity(self._entropy.number(2), now_us, wall_us):
            shot = self._datagram(session.partner.mode, (at_us, at_us + _SOON_US), session)
            shot.at_once = True
            self._shots.append(shot)
        elif prepared:
            session.pause(now_us)

    def _waits(self, session):
        """Whether something for this meter waits for its window already."""
        return any([one is not None and one.session is session for one in self._shots + [self._armed]])

    def _datagram(self, mode, window, session):
        one = session.datagram
        if one.mode != mode:
            one.mode, one.chips = mode, _chips(mode, one.telegram)
        return Shot(mode, one.telegram, one.chips, window, one, session)

    def _shot(self, mode, telegram, window, what, session=None, meter=None):
        return Shot(mode, telegram, _chips(mode, telegram), window, what, session, meter)

    # --- what becomes of it ---

    def _fire(self, shot, now_us):
        self._armed = shot
        self._unwritten += 1
        session = shot.session
        if session is not None and shot.what is not _DEMAND:
            shot.what.flying = True
        if session is not None and session.order is not None and session.tries and shot.what is not _DEMAND:
            self._event(session, "retry", "try {}".format(session.tries + 1), now_us)
        from_us, until_us = shot.window
        return Transmit(shot.mode, modes.DOWN, shot.chips, from_us, shot.telegram, until_us, shot.offset_hz)

    def _due_shot(self, now_us):
        """The Shot that is to be handed out now, or None."""
        for shot in list(self._shots):
            over = now_us > shot.window[1] - _LATEST_US
            stale = shot.stale or (shot.at_once and not shot.session.partner.always)
            if over or stale:
                self._shots.remove(shot)
                if not stale:
                    self._missed(shot, "the window is over", now_us)
            elif shot.window[0] - LEAD_US <= now_us and not self._armed and not self._unstored:
                self._shots.remove(shot)
                return shot
        return None

    def _shots_due_us(self, now_us):
        """When the next Shot is to be handed out, or is over; None without one."""
        times = []
        for shot in self._shots:
            at_us = shot.window[0] - LEAD_US
            times.append(at_us if at_us > now_us else shot.window[1])
        return min(times) if times else None

    def _landed(self):
        """The Shot that was armed, or None."""
        shot, self._armed = self._armed, None
        if shot is not None and shot.session is not None and shot.what is not _DEMAND:
            shot.what.flying = False
        return shot

    def _sent(self, event):
        shot = self._landed()
        if shot is None:
            return
        self._count("sent")
        self._soft = True  # the node stores its air time, too
        margin_us = min(event.at_us - shot.window[0], shot.window[1] - event.at_us)
        session = shot.session
        if session is None:
            self._told.append(Deliver(self.installer.sent(shot.what, shot.meter, event.at_us, margin_us)))
        elif shot.what is _DEMAND:
            self._event(session, "demand", None, event.at_us, margin_us)
            session.partner.demanded(event.end_us)
            self._ask(session)
        elif shot.stale:
            if shot.what.kind != "SND-NKE":
                session.previous = shot.what.number  # it was given up meanwhile
        else:
            step = "sent" if session.order else "closed"
            self._event(session, step, shot.what.kind, event.at_us, margin_us)
            session.sent(event.end_us)

    def _ask(self, session):
        """ACK of an ACC-DMD was sent: what there is, is fetched in the next window."""
        from . import orders

        order = orders.make(["alarm"], session.partner.meter)
        self._book.put_own(self._sessions.index(session), order, session.order is not None)

    def _late(self, why, now_us):
        shot = self._landed()
        if shot is not None:
            self._missed(shot, why, now_us)

    def _missed(self, shot, why, now_us):
        self._count("late")
        if shot.session is not None:
            self._event(shot.session, "late", why, now_us)
