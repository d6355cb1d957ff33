"""What comes in for a meter: the filters of OMS Vol.2 3.1.3, and whose datagram it is.

Place: functions, before commanded.py gets to see anything."""

from collections import namedtuple

from ..errors import OmsError
from ..link import control, frame_a, frame_b
from ..link import telegram as link_telegram
from ..transport import authentication, header

# A frame for this meter. kind: name of its C-field, None if that is unknown. raw: bytes without link CRCs.
# link, afl, tpl: its layers. number: the access number that counts. at_us, end_us: of its sync word and of
# its last chip.
Asked = namedtuple("Asked", ("kind", "raw", "link", "afl", "tpl", "number", "at_us", "end_us"))


def who(asked):
    """Whose datagram it is: the same pair is the same datagram (OMS Vol.2 7.2.2.1)."""
    return asked.link.address.link_bytes(), asked.number


def take(event, profile, now_us):
    """The frame of a radio.Event as Asked, if it is whole and for the meter of this roles.meter.Profile; else
    None."""
    try:
        strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
        return _read(profile, strip(event.frame), event.at_us, event.end_us or now_us)
    except OmsError:
        return None


def _read(profile, raw, at_us, end_us):
    """The filters of OMS Vol.2 3.1.3: a receiver or an application address other than ours is not for us."""
    link = link_telegram.parse(raw)
    if link.address.link_bytes() == profile.address.link_bytes():
        return None  # what we said, said again
    kind = control.name(link.c_field, False)
    if kind is None and (control.name(link.c_field, True) or not link.c_field & 0x40):
        return None  # what another meter says
    if kind == "SND-UD3":
        return None
    afl, at = authentication.parse_if_any(raw, link.offset)
    ours = link.ell is not None and link.ell.receiver is not None
    if ours and link.ell.receiver.link_bytes() != profile.address.link_bytes():
        return None
    later = afl is not None and afl.fragment_id > 1  # its message began in another telegram
    tpl = None if later or at == len(raw) else header.parse(raw, at)
    if tpl and tpl.address:
        ours = tpl.address.tpl_bytes() == profile.meter_address.tpl_bytes()
    if not ours:
        return None
    number = link.ell.access_number if link.ell else tpl.access_number if tpl else None
    return Asked(kind, raw, link, afl, tpl, number, at_us, end_us)
