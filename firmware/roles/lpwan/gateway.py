"""The gateway of burst meters: a burst collector that answers in the slots of its meters (OMS Vol.2 Annex Q.2.4.6, Q.3.3, Q.3.5;
LPWAN sheet sections 11, 14, 17).

All of roles.gateway stands: queue, ladders, access numbers, what is stored. Only there is time: no slot is sooner than half a
second behind an uplink. A downlink is a MAC frame; that which ends a session has SC. To a meter that takes downlink multi
bursts, and to one with an additional window, it is said in every slot that is left until a MACK comes.
"""

from ...errors import MisuseError, OmsError
from ...link.lpwan import elements, mac
from ..gateway import Gateway
from ..windows import Shot
from .gateway_seen import BurstSeen
from .gateway_session import BurstSession
from .hearing import MESSAGE

_READY_US = 30000  # a slot that begins sooner than this is left out


class Part(Shot):
    """One burst of a downlink. number: of its slot. again: another one has been sent. rest: the Parts that follow."""

    def __init__(self, chance, frame, chips, session):
        super().__init__(chance.mode, frame, chips, chance.window, session.datagram, session)
        self.offset_hz = session.partner.offset_hz
        self.number = chance.number
        self.again = False
        self.rest = []

    @property
    def stale(self):
        return self.session.partner.acked or super().stale


class BurstGateway(Gateway):
    """As Gateway. collector: a BurstCollector. partners: [BurstPartner]."""

    Session = BurstSession
    ready = None  # nothing is armed in advance

    def __init__(self, collector, address, partners, entropy, **more):
        super().__init__(collector, address, partners, entropy, **more)
        self.answers_in = ()
        self._longest = ()

    def reply(self, event, now_us):
        """There is time: nothing is armed before it was decoded."""

    def feed(self, event, now_us, wall_us=None):
        """As a Gateway; a burst may make several messages, or none yet. The FRAME of a burst is given to `hearing`."""
        actions = []
        for one in self.collector.messages(event, now_us):
            actions += super().feed(one, now_us, wall_us)
        return actions + self.collector.captured()

    def decoded(self, number, payload, now_us, wall_us=None):
        """What became of a Capture that was delivered: the PHY payload, or None. As `feed`."""
        actions = []
        for one in self.collector.hearing.decoded(number, payload, now_us):
            actions += super().feed(one, now_us, wall_us)
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
        if at is not None:
            self.partners[at].heard(seen, event)
        return seen

    def _acknowledged(self, event):
        """A MACK says nothing but its TIV: it is of who was being spoken to (LPWAN sheet 13)."""
        for one in self.partners:
            last = one.last
            same = last is not None and (last.header.tiv, last.submode) == (event.header.tiv, event.submode)
            if same and event.at_us < one.answer_until_us(0):
                one.acked = True

    def _window(self, seen, event, now_us):
        if seen.kind is None or seen.hops or elements.option(seen.up) is None:
            return None
        at = self._find(seen)
        if at is None:
            return None
        for one in self.partners[at].chances(now_us + _READY_US):
            if one.index == 1:
                return one.mode, one.window
        return None

    def _demanded(self, at, seen):
        return False  # what there is, is asked for in its session

    # --- what is said ---

    def _prepare(self, at, at_us, now_us, wall_us):
        """Times that are told are meant at RX0, whatever slot it is (Q.19 to Q.23)."""
        late_us = self.partners[at].until_rx0_us(at_us)
        return super()._prepare(at, at_us + late_us, now_us, wall_us and wall_us + late_us)

    def _datagram(self, mode, window, session):
        one = session.datagram
        partner = session.partner
        down = elements.Down(partner.rtrm, 0 if partner.allocated else 1, 1 if session.closing else 0)
        kind = mac.MCNR if one.body is None else mac.MCMD
        frame = mac.build(kind, down, one.body, one.telegram)
        multi = partner.takes_multi(frame)
        bursts = partner.chips(frame, multi)
        parts = []
        for chance in partner.chances(window[0] - 1):
            if chance.index == 1 or multi:
                parts.append(Part(chance, frame, bursts[chance.index - 1], session))
        parts[0].rest = parts[1:]
        return parts[0]

    def _shot(self, mode, telegram, window, what, session=None, meter=None):
        raise MisuseError("nothing else is said to a burst meter")

    def _sent(self, event):
        shot = self._armed
        if not isinstance(shot, Part):
            return
        if not shot.again:
            last = shot.session.closing
            super()._sent(event)
            shot.session.partner.said(event.end_us, last)
        else:
            self._landed()
            self._count("sent")
            self._soft = True
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
