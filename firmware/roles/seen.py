"""A frame of a meter, looked at just so far as a gateway needs to know whose it is and when it may be answered."""

from ..link import control, extended, frame_a, frame_b
from ..link import telegram as link_telegram
from ..transport import authentication, ci, header

# Mode of both directions, by the family of what was heard.
FAMILIES = {"T": "T2", "C": "C2", "S": "S2"}
ANSWERS = ("ACK", "NACK", "RSP-UD")


class Seen:
    """raw: without link CRCs. link: link.telegram.Link. tpl: Tpl, None where there is none. kind: "SND-NR", ..., None for what is
    not sent by a meter. address: of the application. number: LL-ACC. cc: CC field, or what the configuration field has of it
    (7.2.4.8); None without either. hops: 1 from a repeater.

    Raises OmsError if the frame is damaged.
    """

    def __init__(self, event):
        strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
        self.raw = raw = strip(event.frame)
        self.link = link = link_telegram.parse(raw)
        self.kind = control.name(link.c_field, True)
        afl, at = authentication.parse_if_any(raw, link.offset)
        self.tpl = tpl = None
        if at < len(raw) and (afl is None or afl.fragment_id < 2):
            self.tpl = tpl = header.parse(raw, at)
            if tpl.direction != ci.UP:
                self.kind = None
        self.address = tpl.address if tpl and tpl.address else link.address
        self.later = afl is not None and afl.fragment_id > 1  # fragment: it does not say whose it is
        if link.ell:
            self.number, self.cc, self.hops = link.ell.access_number, link.ell.cc, link.ell.hops
            return
        self.number, self.cc, self.hops = tpl and tpl.access_number, None, 0
        if tpl and tpl.mode in (0, 5):
            field = tpl.configuration_field
            bits = extended.BIDIRECTIONAL | extended.SYNCHRONOUS
            self.cc = field >> 8 & bits | field >> 12 & extended.ACCESSIBLE
            self.hops = field & 1
