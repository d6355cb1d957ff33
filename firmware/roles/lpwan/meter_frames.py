"""From a meter's telegram to a MAC frame and its bursts, and from a downlink to what was Asked (LPWAN sheet 12, 13, 20).

Place: functions below meter.py. The application side writes telegrams L C M A CI..., without ELL; on LPWAN the LLC stands for
L, C, M and A, and carries the access number that elsewhere the ELL has.
"""

from collections import namedtuple

from ...link import control, credits
from ...link.lpwan import body as bodies
from ...link.lpwan import llc, mac
from ...link.lpwan import telegram as above
from ...link.lpwan.credits import PURE_MAC
from ...phy.burst import burst, header, timing
from ...transport import authentication
from ...transport import header as tpl_header
from ..asked import Asked
from .meter_way import Shape

_HEAD = 10  # L C M A
# Around an upper layer: MHCTL, UA to UD, LC, C, TXA, RXA, ACC, CRC.
_AROUND = 1 + 4 + 1 + 1 + 8 + 8 + 1 + 4
AFL_MOST = 21  # of a fragment

# An uplink that is to be sent. what: word of meter.py. type: MFT. body: body.Body or None. telegram: bytes, None where there is
# only a MAC. number: access number of the LLC. flag: 1 = synchronous. receiver: Address of the gateway (RXA) or None.
# session: UL-SC. access: None or a code of elements, as for meter_way.shape. at_us: T0.
Uplink = namedtuple(
    "Uplink",
    ("what", "type", "body", "telegram", "number", "flag", "receiver", "session", "access", "at_us"),
)


class Partner:
    """What the layers above want to know of the link of a command. address: Address, or ALLOCATED."""

    ell = None

    def __init__(self, address, c_field):
        self.address = address
        self.c_field = c_field


class _Allocated:
    """The gateway that need not say who it is (P 3.1.4)."""

    def link_bytes(self):
        return bytes(8)

    def __str__(self):
        return "the allocated gateway"


ALLOCATED = _Allocated()


def room(longest, reserved):
    """Bytes of a telegram's upper layer, from the CI on, in a PHY payload of at most `longest` bytes beside a MAC body of
    `reserved`."""
    return longest - _AROUND - reserved


def body_bytes(body):
    """Bytes of a body.Body or None in a frame."""
    return bodies.size(body) if body is not None else 0


def upper(telegram):
    """Bytes of the upper layer of a telegram."""
    return len(telegram) - _HEAD


def payload(uplink, one, address):
    """PHY payload of an Uplink in the Shape `one`. address: of the meter."""
    if uplink.type == mac.MACK:
        return mac.MACK_FRAME
    fields = llc.Llc(None, address, uplink.receiver, None, 0, 0, None, None, None)
    if uplink.telegram is not None:
        above_it = uplink.telegram[_HEAD:] or None
        fields = llc.meter_up(
            uplink.telegram[1], address, uplink.number, uplink.flag, above_it, uplink.receiver
        )
    return mac.build(uplink.type, one.up, uplink.body, llc.build(fields, True), one.uplink)


def shaped(one, frame):
    """The Shape of a frame whose PHY payload is known."""
    head = one.header
    head = header.Header(len(frame), head.tiv, head.multi, head.type)
    return Shape(*(one[:2] + (head,) + one[3:]))


def bursts(one, frame):
    """Chips of each burst of a frame."""
    return burst.uplink(frame, one.header.tiv, one.header.multi, one.header.type)


def mack(tiv):
    """Chips of a MACK: single, the strongest rate (sheet 13)."""
    return burst.uplink(mac.MACK_FRAME, tiv, 0, 2)[0]


def front_us(submode):
    """From the first chip of a burst to its reference point."""
    return timing.front(submode)


def read(frame):
    """The Link of a downlink frame; raises what link.lpwan.telegram.parse raises."""
    return above.parse(frame, "down")


def asked(link, profile, at_us, end_us):
    """The upper layers of a downlink Link as Asked, or None where there are none or they are not for this meter.

    Raises what the transport layer raises."""
    if link.c_field is None:
        return None
    kind = control.name(link.c_field, False)
    if kind is None and (control.name(link.c_field, True) or not link.c_field & 0x40):
        return None
    if kind == "SND-UD3":
        return None
    raw = link.message
    afl, at = authentication.parse_if_any(raw, link.offset)
    later = afl is not None and afl.fragment_id > 1
    tpl = None if later or at == len(raw) else tpl_header.parse(raw, at)
    if tpl and tpl.address and tpl.address.tpl_bytes() != profile.meter_address.tpl_bytes():
        return None
    partner = Partner(link.address or ALLOCATED, link.c_field)
    return Asked(kind, raw, partner, afl, tpl, link.ell.access_number, at_us, end_us)


def cost(uplink):
    """Credits for an Uplink (sheet 21)."""
    if uplink.telegram is None:
        return PURE_MAC
    return credits.SENT.get(control.name(uplink.telegram[1], True), 0)
