"""What a gateway and one burst meter say to each other: as roles.session, and MAC commands (LPWAN sheet sections 13, 16, 17 L3).

A MAC command is an order as any other; its exchange is a MCMD, answered with MRSP or MERR in the next uplink. Sent again it is
the same bytes, so that a counter is used once; the meter answers them with its stored response, or with MERR if it has
forgotten that. A MERR is not protected: it proves nothing.
"""

from ...errors import BodyError, MisuseError, OmsError
from ...link.lpwan import blocks, mac
from ...link.lpwan.counters import LAST
from ...transport.fragmentation import Reassembly
from ..ladder import CLOSE, COMMAND, COMMAND2, MAC, REST, START
from ..orders import Heard
from ..session import Session
from ..talk import Datagram
from .collector import FRAGMENT_US
from .gateway_partner import MAC_KEY

_CLOSING_US = (
    600000000  # a MACC so long after the end of a session may belong to it: MBlock 12 is at most 510 s
)
_CLOSINGS = 3


class BurstSession(Session):
    """partner: a BurstPartner. served: the BurstSeen that brought the answer to a MCMD last, or None."""

    def __init__(self, gateway, partner):
        super().__init__(gateway, partner)
        self.served = None
        self._closings = 0
        self._more_us = None  # until then another part of the answer comes of its own accord
        self._fragments = Reassembly(1, timeout_us=FRAGMENT_US)

    def begin(self, number, order):
        self._closings = 0
        self.partner.keeps(order.once)
        super().begin(number, order)

    @property
    def commanding(self):
        return self.state in (COMMAND, COMMAND2, MAC)

    def refresh(self, at_us, now_us, wall_us):
        if self.datagram is not None:
            at_us += self.partner.until_rx0_us(at_us)  # what `prepare` is given
        super().refresh(at_us, now_us, wall_us)

    def resumed(self, now_us):
        """A MACC: no answer is on its way any more; and if it has not heard the end of its session, it is told again."""
        if self.commanding and self.datagram is not None and self.datagram.tries:
            self.wait_us = None
        closed_us = self.partner.closed_us
        recently = closed_us is not None and now_us - closed_us < _CLOSING_US
        if self.state == REST and self.order is None and recently and self._closings < _CLOSINGS:
            self._closings += 1
            self.state = CLOSE
            self.datagram = None
            self.partner.resumed(now_us)

    def remake(self):
        """The datagram, which was not sent yet, does not fit the slot that has come: make another one. Whether there may be."""
        if self.datagram.tries or self.datagram.kind == "MCMD":
            return False
        self._remake()
        return True

    def _build(self, exchange, under_new, named, now_us):
        if self.state != MAC:
            return super()._build(exchange, under_new, named, now_us)
        partner = self.partner
        manager = partner.manager()
        wanted = exchange.ci or manager.der_counter + 1
        renewed = exchange.ci is not None and wanted != manager.der_counter
        if manager.pending is None and (renewed or manager.cmd >= LAST):
            manager.update(wanted)
        telegram = partner.telegram(self.gateway, None, None, None)
        self.unsaved = True
        body = manager.command(exchange.data)
        if not partner.holds(len(mac.build(mac.MCMD, None, body, telegram)) + 1):
            raise MisuseError("a burst to this meter does not hold this command")
        self.datagram = Datagram("MCMD", None, None, telegram, None, None)
        self.datagram.body = body
        return True

    def _event(self, event, now_us, wall_us):
        if event == "stale" and self.state == MAC and self.order.once and self.datagram.tries:
            # No counter is taken twice: sent again as it is, it is not executed again.
            self.datagram.first_us = None
            return
        if event == "part" and self._more_us is not None:
            # An uplink session: what is lost of it is repeated as a whole, to the same access number.
            self.wait_us = self._more_us
            return
        super()._event(event, now_us, wall_us)

    # --- what is heard ---

    def expects(self, seen):
        one = self.datagram
        if one is None or one.kind != "MCMD":
            return super().expects(seen)
        return one.tries > 0 and seen.mac.type in (mac.MRSP, mac.MERR) and self._for_us(seen)

    def answer(self, seen, now_us, wall_us, formats=None):
        if self.datagram.kind != "MCMD":
            distance_us = self.partner.next_part_us(seen.up.session)
            self._more_us = distance_us and now_us + distance_us
            return super().answer(seen, now_us, wall_us, formats)
        one = self.datagram
        heard = Heard("MERR", None, None)
        if seen.mac.type == mac.MRSP:
            try:
                heard = Heard("MRSP", None, _parsed(self.partner.manager().response(seen.mac)))
            except OmsError as error:
                self.told.append(("doubted", error.message))
                return False
        self.served = seen
        self.partner.answered(self.sent_us)
        self.wait_us = None
        self.tries = 0
        self.collision.delivered()
        self._authentic = heard.kind == "MRSP"
        self.told.append(("answered" if self._authentic else "refused", heard.kind))
        if not self._authentic and one.tries > 1 and not self.order.once:
            # It has forgotten what it has answered; that was for nothing, but another one may be taken.
            self._event("stale", now_us, wall_us)
            return True
        self.state = START
        self._remake()
        self.unsaved = True
        self._outcome(self.order.heard(heard, wall_us), now_us)
        return True

    def _end(self, step, detail, now_us):
        if step == "done":
            self._learn(detail)
        super()._end(step, detail, now_us)

    def _learn(self, result):
        """What an order that is done tells of the meter."""
        name = blocks.row(blocks.RESUME_DELAY).name
        if isinstance(result.get(name), int) and self.order.words[0][:4] == "mac-":
            self.partner.resume_s = result[name]
        if result.get("key_id") == MAC_KEY and result.get("changed"):
            found = self.order.keys(MAC_KEY, result["key_version"])
            if found is not None:
                self.partner.rekeyed(found[1])


def _parsed(data):
    """The MBlocks of a MRSP; none where they are corrupt, though it is authentic."""
    try:
        return blocks.parse(data)
    except BodyError:
        return []
