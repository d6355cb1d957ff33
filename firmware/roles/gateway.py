"""The gateway: a collector that also speaks, in the windows of its meters (OMS Vol.2 4.3.3, 5.2.6, Annex I,
Annex L).

Here: orders, what is heard of the meters, what is told and stored. When it speaks: windows.py; what it says:
session.py. Access numbers, message counters and orders are stored before a telegram that relies on them is
sent.
"""

from collections import namedtuple

from ..application.telegram import AUTHENTICATED, CONFIGURED
from ..errors import MisuseError, OmsError, StoreError
from ..link import control
from ..phy import modes, radio
from ..portable import const
from .actions import REFUSED, Deliver, Persist
from .entropy import Entropy
from .installer import Installer
from .order_book import OrderBook
from .seen import Seen
from .session import DOUBT, Session
from .windows import COVERS, Windows, longest

# step: "queued", "waiting" (for the meter), "retry", "sent" (margin_us: from the first chip to the nearer
# edge of its window), "late", "acknowledged", "answered", "refused" (NACK), "done" (detail: the order's
# result, with authenticated: whether the meter has proved that it comes from it, and from behind the command;
# an ACK is in clear and proves nothing, SEC-02), "failed" (why), "expired", "cancelled". number: of the
# order; None for what the gateway does of its own accord: "demand" (ACK of an ACC-DMD), "closed" (SND-NKE),
# "counter" (that of the meter is near its end). meter: name of the Partner. at_us: board's clock.
OrderEvent = namedtuple("OrderEvent", ("number", "meter", "step", "detail", "at_us", "margin_us"))

_SOFT_US = const(1000000)
_RETRY_US = const(10000000)  # until what could not be stored is tried again
_SERVICE = const(0xFFFF0000)  # message counter of a meter whose key is to be changed (9.3.2.4)
ENDS = ("done", "failed")
_OWN = ("SND-NR", "SND-IR", "ACC-DMD")


class Gateway(Windows):
    """collector: roles.collector.Collector. address: ours. partners: [roles.partner.Partner]. entropy: at
    least 16 random bytes. state: what the last Persist held. install: whose SND-IR are confirmed: "none",
    "known" (partners), or a list of Addresses. demands: whether an ACC-DMD of a partner is answered. arming:
    False leaves `reply` without an answer, for measuring. restore: function of a stored order, None:
    orders.restore.

    counters: those of the collector, and sent, late, unstored.
    """

    Session = Session

    def __init__(
        self,
        collector,
        address,
        partners,
        entropy,
        state=None,
        install="none",
        demands=True,
        arming=True,
        restore=None,
    ):
        super().__init__()
        self.collector = collector
        self.address = address
        self.partners = list(partners)
        self.demands = demands
        self.arming = arming
        # The carrier of what is said at short notice; there is time enough for that of mode C2 (two_way.py).
        near = "S2" if collector.mode[0] == "S" else "T2"
        self.answers_in = ((near, modes.DOWN),)
        self._longest = [(mode, longest(mode)) for mode in ((near,) if near == "S2" else (near, "C2"))]
        self.counters = collector.counters
        self._entropy = Entropy(entropy)
        for one in self.partners:
            one.number, one.message = self._entropy.number(256), self._entropy.number(256)
        self._sessions = [self.Session(address, one) for one in self.partners]
        self._names = [one.name for one in self.partners]
        self._book = OrderBook(len(self.partners), restore)
        self.installer = Installer(address, install, self._entropy)
        self._state = state.get("gateway") if state else None
        self._by_meter = {}  # address as on the link: index of the partner
        self._told = []  # what is to be delivered
        self._behind = []  # what was delivered behind the last Persist
        self._listed = False  # the last list had a Persist and a Transmit
        self._dirty = self._soft = False  # to be stored: now; when nothing is to be sent
        self._unstored = False  # it could not be stored
        self._retry_us = None
        self._now_us = 0
        self.due_us = None

    # --- for the owner ---

    def partner(self, meter):
        """The Partner of an Address, which may be a pattern. MisuseError if there is none, or more than
        one."""
        found = [one for one in self.partners if one.pattern.matches(meter)]
        if len(found) != 1:
            raise MisuseError(
                "{} meter {} in the configuration".format("more than one" if found else "no", meter),
                hint="orders go to meters that are configured, by an address that means one of them",
            )
        return found[0]

    def queue(self, meter, order, now_us, expires_us=None):
        """Take an order for a meter; its number. It is told behind the next `tick`, which stores it and is
        due now."""
        at = self.partners.index(self.partner(meter))
        number = self._book.put(at, order, expires_us)
        self._tell(number, at, "queued", " ".join(order.words), now_us)
        self._dirty = True
        self.due_us = now_us
        return number

    def cancel(self, number, now_us):
        """Give up an order. False if there is none of this number, or if it must come to its end."""
        found = self._book.find(number)
        if found is None or found[1].order.binding:
            return False
        self._drop(found[0], found[1], "cancelled", now_us)
        self.due_us = now_us
        return True

    def orders(self):
        """[order_book.Pending], those of a meter in their order."""
        return self._book.pending(self._names, [one.number for one in self._sessions])

    def expected(self, meter, now_us):
        """(at_us, access number, uncertainty_us) of the next synchronous telegram of a meter, or None."""
        prediction = self.partner(meter).prediction
        return prediction.next(now_us) if prediction else None

    # --- the doors ---

    def start(self, now_us):
        """Listen, and go on with what `state` holds. StoreError if that is damaged."""
        self._now_us = self.due_us = now_us
        if self._state is not None:
            self._restore(self._state, now_us)
            self._state = None
        return self.collector.start(now_us)

    def feed(self, event, now_us, wall_us=None):
        """As a Collector; and what became of a Transmit."""
        kind = event.kind
        if kind == REFUSED and event.code == "persist":
            self._not_stored(now_us)
        self._begin(now_us, event.at_us, wall_us)
        seen = self._seen(event) if kind == radio.FRAME else None
        if kind == radio.SENT:
            self._sent(event)
        elif kind == radio.TOO_LATE:
            self._late("too late", now_us)
        elif kind == REFUSED and event.code != "persist":
            self._late(event.code, now_us)
        actions = self._collected(self.collector.feed(event, now_us, wall_us), now_us, wall_us)
        shot = self._frame(seen, event, now_us, wall_us) if seen else None
        return self._out(actions, shot, now_us, wall_us)

    def tick(self, now_us, wall_us=None):
        """At `due_us`: hand out what is due."""
        self._begin(now_us, now_us, wall_us)
        actions = []
        due_us = self.collector.due_us
        if due_us is not None and due_us <= now_us:
            actions = self._collected(self.collector.tick(now_us, wall_us), now_us, wall_us)
        if self._retry_us is not None and now_us >= self._retry_us:
            self._retry_us = None
            self._dirty = True
        for at, entry in self._book.expired(now_us):
            self._drop(at, entry, "expired", now_us)
        for one in self._sessions:
            one.tick(now_us, wall_us)
        return self._out(actions, None, now_us, wall_us)

    def beside(self, actions, now_us):
        """What the collector asks for behind something that another radio has heard: told, and stored with
        the rest."""
        told = [one for one in actions if not isinstance(one, Persist)]
        if len(told) < len(actions):
            self._soft = True
            self.due_us = now_us
        return told

    def stop(self):
        """An orderly end."""
        return [Persist(self.state(), 0)]

    def state(self):
        """What is to be stored, as plain data."""
        state = self.collector.state()
        state["gateway"] = {
            "book": self._book.export(self._names, self._now_us),
            "partners": {one.name: one.export() for one in self.partners},
        }
        return state

    # --- frames ---

    def _seen(self, event):
        try:
            seen = Seen(event)
        except OmsError:
            return None  # counted by the collector
        if seen.kind is None or seen.hops:
            return None
        at = self._find(seen)
        if at is not None:
            self.partners[at].heard(seen, event)
        return seen

    def _find(self, seen):
        """Index of the partner that has sent it, or None."""
        if not seen.later:
            at = self._by_meter.get(seen.address.link_bytes())
            if at is not None:
                return at
        for at in range(len(self.partners)):
            one = self.partners[at]
            if seen.later:
                # It does not say whose it is.
                session = self._sessions[at]
                ours = session.expects(seen) or session.repeats(seen)
                if ours and one.link == seen.link.address:
                    return at
            elif (one.meter or one.pattern).matches(seen.address):
                if one.meter is not None:
                    self._by_meter[one.meter.link_bytes()] = at
                return at
        return None

    def _collected(self, actions, now_us, wall_us):
        """Of the collector; what it wants stored is stored with the rest."""
        out = []
        for action in actions:
            if isinstance(action, Persist):
                self._soft = True
                continue
            if isinstance(action, Deliver):
                self._reading(action.reading.telegram, now_us, wall_us)
            out.append(action)
        return out

    def _reading(self, telegram, now_us, wall_us):
        """What a message of a partner's own accord tells of its counters and its security."""
        if telegram.error or not telegram.link or control.name(telegram.link.c_field, True) not in _OWN:
            return
        protected = telegram.verdict == AUTHENTICATED or (
            telegram.encrypted_bytes and telegram.key == CONFIGURED
        )
        for at in range(len(self.partners)):
            one = self.partners[at]
            if not (one.meter or one.pattern).matches(telegram.address):
                continue
            if protected or one.side.key is None:
                one.believed(telegram.address, telegram.link, telegram.mode)
            if telegram.verdict == AUTHENTICATED and not telegram.key_id:
                self._sessions[at].counted(one.side, telegram.counter, now_us, wall_us)

    def _frame(self, seen, event, now_us, wall_us):
        """A frame of a meter: what it means for its session. Returns the Shot that follows, or None."""
        judged = self._judged is event
        if judged:  # while it is held, others may be fed
            self._judged = None
        at = self._find(seen)
        ours = seen.receiver in (None, self.address.link_bytes())
        if seen.kind == "SND-IR" and seen.tpl is not None and ours:
            partner = self.partners[at] if at is not None else None
            self._told.append(Deliver(self.installer.heard(seen, event, partner)))
            if partner is not None:
                self._dirty = True  # an access number was taken
        if at is not None:
            session = self._sessions[at]
            if session.expects(seen):
                session.answer(seen, now_us, wall_us, self.collector.formats)
            elif session.repeats(seen):
                session.repeated(now_us)
            else:
                session.overheard(seen, now_us, wall_us)
            self._follow(at, now_us)
        if judged:
            return None
        return self._chance(seen, at, event, now_us, wall_us, False)

    # --- orders ---

    def _follow(self, at, now_us):
        """Take what a session has to tell, and give it its next order."""
        session = self._sessions[at]
        self._told_by(session, now_us)
        side = session.partner.side
        if side.heard >= _SERVICE and not side.told:
            side.told = True
            detail = "the message counter is at {:08X}h of FFFFFFFFh: change the key".format(side.heard)
            self._tell(None, at, "counter", detail, now_us)
        if session.unsaved:
            session.unsaved = False
            self._dirty = True
        if session.changed is not None:
            self._adopted(session.partner, session.changed)
            session.changed = None
        if session.ended is not None:
            self._book.remove(at, session.ended)
            session.ended = None
            session.number = 0
        entry = self._book.first(at)
        if session.order is None and entry is not None:
            session.begin(entry.number, entry.order)
            self._told_by(session, now_us)

    def _told_by(self, session, now_us):
        for step, detail in session.told:
            if step in ENDS and session.number:
                self._book.end(session.number, session.partner.name, step, detail)
            self._event(session, step, detail, now_us)
        session.told = []

    def _adopted(self, partner, key):
        from .key_steps import KeyChange

        self._told.append(Deliver(KeyChange(partner.meter, *key)))

    def _drop(self, at, entry, step, now_us):
        """An order ends that has not come to its end."""
        session = self._sessions[at]
        detail = None
        if session.order is entry.order:
            detail = DOUBT if session.doubtful else None
            session.abandon(now_us)
        self._book.remove(at, entry.order)
        self._book.end(entry.number, self._names[at], step, detail)
        self._tell(entry.number, at, step, detail, now_us)
        self._dirty = True

    def _event(self, session, step, detail, at_us, margin_us=None):
        at = self._sessions.index(session)
        self._tell(session.number or None, at, step, detail, at_us, margin_us)

    def _tell(self, number, at, step, detail, at_us, margin_us=None):
        self._told.append(Deliver(OrderEvent(number, self._names[at], step, detail, at_us, margin_us)))

    def _not_stored(self, now_us):
        """Nothing is sent, and nothing told that relies on it, until it is stored."""
        self._count("unstored")
        self._unstored = True
        self._book.not_stored()
        self._retry_us = now_us + _RETRY_US
        self._told = self._behind + self._told
        self._behind = []
        if self._listed:
            self._late("persist", now_us)

    def _count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1

    # --- what every door begins and ends with ---

    def _begin(self, now_us, at_us, wall_us):
        self._now_us = now_us
        self._behind = []
        self._listed = False
        self._book.clock(at_us, wall_us)

    def _out(self, actions, shot, now_us, wall_us):
        for at in range(len(self._sessions)):
            self._follow(at, now_us)
            self._ahead(at, now_us, wall_us)
            self._at_once(at, now_us, wall_us)
            self._follow(at, now_us)
        for mode, telegram, window, what, meter in self.installer.due(now_us):
            self._shots.append(self._shot(mode, telegram, window, what, None, meter))
        if shot is not None:
            self._shots.insert(0, shot)
        shot = self._due_shot(now_us)
        # Storing takes longer than a window: never while something is armed.
        soft = self._soft and shot is None and not self._unstored
        due = self._dirty or soft or self._unwritten >= COVERS
        if self._armed is None and due:
            self._dirty = self._unstored = False
            self._unwritten = 0
            self._soft = self._book.store()
            actions = actions + [Persist(self.state(), COVERS)]
            self._listed = shot is not None
            self._behind = list(self._told)
        transmit = [self._fire(shot, now_us)] if shot else []
        if not self._unstored:
            actions = actions + self._told
            self._told = []
        actions = actions + transmit
        self._plan(now_us)
        return actions

    def _plan(self, now_us):
        """The next instant at which something is to be done."""
        times = [self.collector.due_us, self._retry_us, self._book.due_us(now_us)]
        times += [one.due_us for one in self._sessions]
        if self._armed is None:
            times += [self.installer.due_us, self._shots_due_us(now_us)]
            if self._dirty or (self._told and not self._unstored):
                times.append(now_us)
            elif self._soft and not self._unstored:
                times.append(now_us + _SOFT_US)
        times = [one for one in times if one is not None]
        self.due_us = max(min(times), now_us + 1) if times else None

    # --- a restart ---

    def _restore(self, state, now_us):
        try:
            for one in self.partners:
                if one.name in state["partners"]:
                    one.restore(state["partners"][one.name], now_us)
            keys = [one.keys for one in self.partners]
            ended = self._book.restore(state["book"], self._names, keys, now_us)
        except (KeyError, TypeError, ValueError):
            raise StoreError(
                "the stored state of the gateway cannot be read",
                hint="bring it back, or give up what was ordered",
            )
        for at in range(len(self.partners)):
            entry = self._book.first(at)
            adopted = entry.order.adopted if entry else None
            if adopted is not None:
                self.partners[at].adopt(adopted)
                self._adopted(self.partners[at], adopted)
        for number, name, step, detail in ended:
            self._book.end(number, name, step, detail)
            self._told.append(Deliver(OrderEvent(number, name, step, detail, now_us, None)))
        self._dirty = True
