"""A MAC frame of a burst meter, as a gateway looks at it (LPWAN sheet sections 12, 13, 20). As roles.seen.Seen."""

from ...link import control
from ...link.lpwan import elements, mac
from ...link.lpwan import telegram as lpwan
from ...transport import authentication, ci, header

ACCESS = "MACC"  # kind of a frame that says nothing but that its meter listens


class BurstSeen:
    """link: link.lpwan.telegram.Link. tpl, kind, address, later, receiver, number, hops: as in Seen; kind is ACCESS for a frame
    without C-field, None for what no meter sends. up: elements.Up.

    message: the Message (hearing.py). Raises OmsError if the frame cannot be read.
    """

    cc = 0  # an access is a matter of `up`

    def __init__(self, message):
        self.link = link = lpwan.parse(message.frame, "up", message.submode)
        self.raw = link.message
        self.mac = link.mac
        self.up = link.mac.elements or elements.ABSENT_UP
        self.kind = ACCESS if link.c_field is None else control.name(link.c_field, True)
        if link.mac.type == mac.MACK:
            self.kind = None
        afl, at = authentication.parse_if_any(self.raw, link.offset)
        self.tpl = tpl = None
        if at < len(self.raw) and (afl is None or afl.fragment_id < 2):
            self.tpl = tpl = header.parse(self.raw, at)
            if tpl.direction != ci.UP:
                self.kind = None
        self.address = tpl.address if tpl and tpl.address else link.address
        self.later = afl is not None and afl.fragment_id > 1
        self.receiver = link.ell.receiver.link_bytes() if link.ell.receiver else None
        self.number, self.hops = link.ell.access_number, link.hops

    def decode(self, key_for, formats, fragments, now_us):
        """The application.telegram.Telegram."""
        from ...application import telegram

        return telegram.decode(
            self.raw, key_for, None, formats, fragments=fragments, now_us=now_us, link=self.link
        )
