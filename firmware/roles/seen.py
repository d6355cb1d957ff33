"""A frame of a meter, looked at just so far as a gateway needs to know whose it is and when it may be
answered."""

from ..link import control, extended, frame_a, frame_b
from ..link import telegram as link_telegram
from ..portable import const
from ..transport import authentication, ci, header

# Mode of both directions, by the family of what was heard.
FAMILIES = {"T": "T2", "C": "C2", "S": "S2"}
ANSWERS = ("ACK", "NACK", "RSP-UD")

# What may be answered at a glance, by C-field.
_QUICK = {0x44: "SND-NR", 0x47: "ACC-NR"}
for _low in (0x00, 0x10, 0x20, 0x30):  # ACD and DFC
    _QUICK[_low] = "ACK"
    _QUICK[_low | 0x01] = "NACK"
    _QUICK[_low | 0x08] = "RSP-UD"


_AFL = const(0x90)


class Seen:
    """raw: without link CRCs. link: link.telegram.Link. tpl: Tpl, None where there is none. kind: "SND-NR",
    ..., None for what is not sent by a meter. address: of the application. receiver: ELLA, as eight bytes of
    the link, or None. number: LL-ACC. cc: CC field, or what the configuration field has of it (7.2.4.8); None
    without either. hops: 1 from a repeater.

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
        self.receiver = None
        if link.ell:
            if link.ell.receiver is not None:
                self.receiver = link.ell.receiver.link_bytes()
            self.number, self.cc, self.hops = link.ell.access_number, link.ell.cc, link.ell.hops
            return
        self.number, self.cc, self.hops = tpl and tpl.access_number, None, 0
        if tpl and tpl.mode in (0, 5):
            field = tpl.configuration_field
            bits = extended.BIDIRECTIONAL | extended.SYNCHRONOUS
            self.cc = field >> 8 & bits | field >> 12 & extended.ACCESSIBLE
            self.hops = field & 1

    def decode(self, key_for, formats, fragments, now_us):
        """The application.telegram.Telegram."""
        from ..application import telegram  # who only looks has no room for it

        return telegram.decode(self.raw, key_for, None, formats, fragments=fragments, now_us=now_us)


class Glance:
    """A frame of a meter that sends for itself and has an ELL, as far as it takes to answer it: kind, number,
    cc, hops and receiver as in Seen; sender: LLA, eight bytes. kind is None for what needs a closer look.

    Raises OmsError if the frame is damaged.
    """

    tpl = None

    def __init__(self, event):
        frame = event.frame
        self.kind = None
        if event.frame_format != "A" or len(frame) < 15 or frame[12] & 0xFD != 0x8C:
            return
        kind = _QUICK.get(frame[1])
        if kind is None:
            return
        raw = frame_a.strip(frame)
        at = 13
        if len(raw) < at:
            return
        self.receiver = None
        if raw[10] & 0x02:
            at = 21
            self.receiver = raw[13:21]
        self.sender = raw[2:10]
        self.cc, self.number = raw[11], raw[12]
        self.hops = self.cc & extended.HOP
        if at + 2 < len(raw) and raw[at] == _AFL:
            if raw[at + 2] > 1:
                return  # a later fragment
            at += 2 + raw[at + 1]
        # A long header may name another meter.
        if at >= len(raw) or ci.row(raw[at])[0] != ci.LONG:
            self.kind = kind
