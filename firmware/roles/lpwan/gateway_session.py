"""What a gateway and one burst meter say to each other: as roles.session, and MAC commands (LPWAN sheet sections 13, 16, 17 L3).

A MAC command is an order as any other; its exchange is a MCMD, answered with MRSP or MERR in the next uplink. Sent again it is
the same bytes, so that a counter is used once.
"""

from ...errors import OmsError
from ...link.lpwan import blocks, llc, mac
from ..ladder import MAC, START
from ..orders import Heard
from ..session import Session
from ..talk import Datagram


class BurstSession(Session):
    """partner: a BurstPartner."""

    def _build(self, exchange, under_new, named, now_us):
        partner = self.partner
        if self.state != MAC:
            made = super()._build(exchange, under_new, named, now_us)
        else:
            made = True
            telegram = llc.build(llc.gateway_down(None, partner.link, None), False)
            body = partner.manager().command(exchange.data)
            self.datagram = Datagram("MCMD", None, None, telegram, None, None)
            self.datagram.body = body
            self.unsaved = True
        return made

    def expects(self, seen):
        one = self.datagram
        if one is None or one.kind != "MCMD":
            return super().expects(seen)
        return one.tries > 0 and seen.mac.type in (mac.MRSP, mac.MERR)

    def answer(self, seen, now_us, wall_us, formats=None):
        if self.datagram.kind != "MCMD":
            return super().answer(seen, now_us, wall_us, formats)
        heard = Heard("MERR", None, None)
        if seen.mac.type == mac.MRSP:
            try:
                heard = Heard("MRSP", None, blocks.parse(self.partner.manager().response(seen.mac)))
            except OmsError as error:
                self.told.append(("doubted", error.message))
                return False
        self.wait_us = None
        self.tries = 0
        self.collision.delivered()
        self.told.append(("refused" if heard.telegram is None else "answered", heard.kind))
        self._authentic = heard.telegram is not None
        self.state = START
        self._remake()
        self.unsaved = True
        self._outcome(self.order.heard(heard, wall_us), now_us)
        return True
