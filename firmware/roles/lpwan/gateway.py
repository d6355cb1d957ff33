"""The gateway of burst meters: a burst collector that answers in the slots of its meters (OMS Vol.2 Annex Q.2.4.6, Q.3.3, Q.3.5;
LPWAN sheet sections 11, 14, 17).

All of roles.gateway stands: queue, ladders, access numbers, what is stored. Only there is time: no slot is sooner than half a
second behind an uplink. A downlink is a MAC frame; that which ends a session has SC. To a meter that takes downlink multi
bursts, and to one with an additional window, it is said in every slot that is left until a MACK comes, or the meter speaks again.
"""

from ...application.telegram import AUTHENTICATED, CONFIGURED
from ...errors import OmsError
from ...link.lpwan import blocks, elements, mac
from ...phy.burst import combine, timing
from ..actions import Deliver
from ..gateway import Gateway
from ..windows import Shot
from .collector import t0_utc
from .gateway_installer import BurstInstaller
from .gateway_partner import BurstPartner
from .gateway_seen import BurstSeen
from .gateway_session import BurstSession
from .gateway_status import MacStatus, Statuses, meanings
from .hearing import MESSAGE

_READY_US = 30000  # a slot that begins sooner than this is left out
_END_US = 1000  # a session that is closed is over so long behind its last slot
_ANSWERS = (mac.MRSP, mac.MERR)


class Part(Shot):
    """One burst of a downlink. partner: who it is for. number: of its slot. again: another one has been sent. rest: the Parts
    that follow."""

    def __init__(self, chance, frame, chips, what, partner, session=None, meter=None):
        super().__init__(chance.mode, frame, chips, chance.window, what, session, meter)
        self.partner = partner
        self.offset_hz = partner.offset_hz
        self.number = chance.number
        self.again = False
        self.rest = []


class BurstGateway(Gateway):
    """As Gateway. collector: a BurstCollector. partners: [BurstPartner]. It delivers MacStatus, too.

    counters: as Gateway, and `mac.<code>`: bodies of MSNR that were not taken, `mac.repeated`, `mack`.
    """

    Session = BurstSession
    ready = None  # nothing is armed in advance

    def __init__(self, collector, address, partners, entropy, state=None, install="none", **more):
        super().__init__(collector, address, partners, entropy, state, install, **more)
        self.answers_in = ()
        self._longest = ()
        self.installer = BurstInstaller(address, install, self._entropy)
        self._statuses = [Statuses(one) for one in self.partners]
        self._visitor = None  # BurstPartner, or a stranger that installs itself, in whose slots is spoken
        self._proved = False  # what is being fed is as well protected as can be expected

    def reply(self, event, now_us):
        """There is time: nothing is armed before it was decoded."""

    def feed(self, event, now_us, wall_us=None):
        """As a Gateway; a burst may make several messages, or none yet. The FRAME of a burst is given to `hearing`."""
        actions = []
        for one in self.collector.messages(event, now_us):
            actions += super().feed(one, now_us, t0_utc(one, event.at_us, wall_us))
        return actions + self.collector.captured()

    def decoded(self, number, payload, now_us, wall_us=None):
        """What became of a Capture that was delivered: the PHY payload, or None. wall_us: UTC of now_us. As `feed`."""
        actions = []
        for one in self.collector.hearing.decoded(number, payload, now_us):
            actions += super().feed(one, now_us, t0_utc(one, now_us, wall_us))
        return actions

    # --- frames ---

    def _seen(self, event):
        if event.frame_format != MESSAGE:
            return None
        try:
            seen = BurstSeen(event)
        except OmsError:
            return None
        if seen.mac.type == mac.MACK:
            self._acknowledged(event)
            return None
        if seen.kind is None or seen.hops:
            return None
        at = self._find(seen)
        if at is not None and self.partners[at].heard(seen, event):
            self._withdraw(self.partners[at], "the meter has spoken again", self._now_us)
        return seen

    def _find(self, seen):
        at = super()._find(seen) if seen.later or seen.tpl is not None else None
        if at is not None or seen.tpl is not None:
            return at
        # Without a transport layer it names nobody but who sends it, which may be an adapter. The last fragment of a SND-NR
        # offers access as any other frame.
        sender = seen.address.link_bytes()
        for at in range(len(self.partners)):
            link = self.partners[at].link
            if link is not None and link.link_bytes() == sender:
                return at
        return None

    def _collected(self, actions, now_us, wall_us):
        self._proved = False
        return super()._collected(actions, now_us, wall_us)

    def _reading(self, telegram, now_us, wall_us):
        super()._reading(telegram, now_us, wall_us)
        encrypted = telegram.encrypted_bytes and telegram.key == CONFIGURED
        self._proved = not telegram.error and bool(telegram.verdict == AUTHENTICATED or encrypted)

    def _frame(self, seen, event, now_us, wall_us):
        at = self._find(seen)
        found = {}
        if at is not None:
            found = self._status(at, seen, event)
            if seen.mac.type == mac.MACC:
                self._sessions[at].resumed(now_us)
            self._manage(at, seen, event, found)
            self._demanded_by(at, seen)
        return super()._frame(seen, event, now_us, wall_us)

    def _status(self, at, seen, event):
        """What it says of its MAC, delivered; {MBlockID: meaning} of what is authentic."""
        statuses = self._statuses[at]
        told = statuses.open(seen)
        if statuses.rejected is not None:
            self._count("mac." + statuses.rejected)
        if told is None:
            return {}
        found, authentic = told
        from ..orders.mac import plain

        named = {}
        for block in found:
            row = blocks.row(block.id)
            named[row.name if row else "{:02X}".format(block.id)] = plain(block.id, block.value)
        self._told.append(Deliver(MacStatus(self._names[at], named, authentic, event.at_us)))
        if authentic:
            self.collector.trust.changed = True  # its counter is stored with those of the telegrams
        return meanings(found) if authentic else {}

    def _manage(self, at, seen, event, found):
        """Link management: what is heard is measured, and what is wanted is queued behind all others."""
        partner = self.partners[at]
        managing = partner.managing
        if managing is None or partner.last is not event:
            return
        if self._proved or found or partner.side.key is None:
            managing.heard(event, seen.up, found)
        idle = self._book.first(at) is None and self._sessions[at].order is None
        order = managing.order(partner.meter) if idle and elements.option(seen.up) else None
        if order is not None:
            self._book.put_own(at, order, False)

    def _demanded_by(self, at, seen):
        """An ACC-DMD is answered with the question what there is: one slot, one downlink, so none is left for an ACK."""
        if seen.kind == "ACC-DMD" and self.demands and elements.option(seen.up):
            session = self._sessions[at]
            if self._book.first(at) is None and session.order is None and self.partners[at].ready:
                self._ask(session)

    def _acknowledged(self, event):
        """A MACK says nothing but its TIV: it is of the meter at whose time it comes (LPWAN sheet 13)."""
        for one in self.partners:
            last = one.last
            if last is None or not last.header.multi or last.submode != event.submode:
                continue
            if last.header.tiv == event.header.tiv and _at_its_time(last, event.at_us):
                self._count("mack")
                self._withdraw(one, None, event.at_us)

    def _withdraw(self, partner, why, now_us):
        """What was to be said to it is not said any more. why: if it was not said at all."""
        for shot in list(self._shots):
            if shot.partner is partner:
                self._shots.remove(shot)
                shot.rest = []
                if why is not None and not shot.again and not shot.stale:
                    self._missed(shot, why, now_us)
        if self._armed is not None and self._armed.partner is partner:
            self._armed.rest = []

    def _window(self, seen, event, now_us):
        if elements.option(seen.up) is None:
            return None
        at = self._find(seen)
        partner = self._guest(seen, event) if at is None else self.partners[at]
        if partner is None or partner.last is not event:
            return None
        self._visitor = partner
        chances = partner.chances(now_us + _READY_US)
        return (chances[0].mode, chances[0].window) if chances else None

    def _guest(self, seen, event):
        """A meter that installs itself may be nobody whom we know."""
        if seen.kind != "SND-IR" or not self.installer.allows(seen, False):
            return None
        guest = BurstPartner(seen.address, allocated=False)
        guest.heard(seen, event)
        return guest

    def _free(self, session, seen):
        if seen.mac.type in _ANSWERS:
            return session.served is seen
        return super()._free(session, seen)

    def _demanded(self, at, seen):
        return False  # see _demanded_by

    # --- what is said ---

    def _prepare(self, at, at_us, now_us, wall_us):
        """Times that are told are meant at RX0, whatever slot it is (Q.19 to Q.23)."""
        partner, session = self.partners[at], self._sessions[at]
        late_us = partner.until_rx0_us(at_us)
        at_us += late_us
        wall_us = None if wall_us is None else wall_us + late_us
        if not super()._prepare(at, at_us, now_us, wall_us):
            return False
        # The slots of another uplink may hold less.
        if not partner.holds(len(self._built(partner, session))) and session.remake():
            return super()._prepare(at, at_us, now_us, wall_us)
        return True

    def _built(self, partner, session):
        one = session.datagram
        down = elements.Down(partner.asked_rm, 0 if partner.allocated else 1, 1 if session.closing else 0)
        kind = mac.MCNR if one.body is None else mac.MCMD
        return mac.build(kind, down, one.body, one.telegram)

    def _datagram(self, mode, window, session):
        partner = session.partner
        part = self._parts(partner, self._built(partner, session), window[0], session.datagram, session)
        if part is None:
            self._count("late")
            self._event(session, "late", "no slot of this uplink holds it", self._now_us)
        return part

    def _shot(self, mode, telegrams, window, what, session=None, meter=None):
        """A CNF-IR, the last downlink of its session. telegrams: MAC payloads; that is said which fits first."""
        for telegram in telegrams:
            frame = mac.build(mac.MCNR, elements.Down(0, 0, 1), None, telegram)
            part = self._parts(self._visitor, frame, window[0], what, None, meter)
            if part is not None:
                return part
        return None

    def _parts(self, partner, frame, from_us, what, session, meter=None):
        """The first Part of a frame, in the slots from from_us on; None if it fits none."""
        multi = partner.takes_multi(len(frame))
        if not partner.holds(len(frame)):
            return None
        bursts = partner.chips(frame, multi)
        parts = []
        for chance in partner.chances(from_us - 1):
            if chance.index == 1 or multi:
                chips = bursts[chance.index - 1]
                parts.append(Part(chance, frame, chips, what, partner, session, meter))
        if not parts:
            return None
        parts[0].rest = parts[1:]
        return parts[0]

    def _sent(self, event):
        shot = self._armed
        if shot is None:
            return
        if not shot.again:
            session = shot.session
            if session is not None and not shot.stale:
                last = shot.rest[-1] if shot.rest else shot
                shot.partner.said(event.end_us, last.window[1] + _END_US if session.closing else None)
            super()._sent(event)
        else:
            self._landed()
            self._count("sent")
            self._soft = True
            if shot.session is not None:
                margin_us = min(event.at_us - shot.window[0], shot.window[1] - event.at_us)
                self._event(shot.session, "sent", "RX{}".format(shot.number), event.at_us, margin_us)
        self._go_on(shot, True)

    def _missed(self, shot, why, now_us):
        super()._missed(shot, why, now_us)
        self._go_on(shot, shot.again)

    def _go_on(self, shot, again):
        """What is left of it is said in the slots that follow."""
        if shot.rest:
            following = shot.rest[0]
            following.rest = shot.rest[1:]
            following.again = again
            self._shots.append(following)


def _at_its_time(last, at_us):
    """Whether a MACK comes where UL2 or UL3 of the uplink that was heard last would be."""
    for index in (2, 3):
        offset_us = timing.burst_offset(last.submode, last.header, index)
        if abs(at_us - last.at_us - offset_us) <= combine.accepted(offset_us):
            return True
    return False
