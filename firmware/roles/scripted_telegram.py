"""Finished telegrams of a meter taken apart and put together again with something else in them, as the fault of a scripted
meter wants it: all that is not changed stays as it was, and MACs, encryption and lengths fit again."""

from ..application import error_codes
from ..errors import NoKeyError, OmsError
from ..link import control, extended
from ..link import telegram as link_telegram
from ..transport import authentication, compose, header, protection, sealing

_CHECK_BYTES = {5: 2, 7: 2}  # 2F 2F before the data, by security mode
_FLAGS = 0xE003  # B, A, S, R and H of the configuration field of modes 0 and 5
_APPLICATION = 0x03  # bits of the status byte that say what became of a command
BUSY = 0x01
_ERROR_CI = (0x6E, 0x6F)
_EMPTY_CI = (0x8A, 0x8B)


def finished(link, message=b""):
    """Link layers (bytes from the L-field on) and what follows, with the right L-field."""
    out = bytearray(link) + message
    out[0] = len(out) - 1
    return bytes(out)


def kind(telegram):
    """Name of a meter's frame ("RSP-UD"), None if it is none."""
    return control.name(telegram[1], True)


def link(telegram, address=None, by=0, bits=None, accessibility=None, c_field=0):
    """Other link layers. address: link Address of the sender. by: what is added to the access number of the ELL; without
    one, nothing. accessibility: bits B and A become these. c_field: bits that are set in the C-field."""
    out = bytearray(telegram)
    out[1] |= c_field
    if address is not None:
        out[2:10] = address.link_bytes()
    found = link_telegram.parse(telegram)
    if found.ell is None and accessibility is not None:
        tpl = _header(telegram, found.offset)[0]
        if tpl is not None and tpl.mode in (0, 5):
            from .spontaneous import marked

            return marked(bytes(out), accessibility)
    if found.ell is not None:
        if accessibility is not None:
            out[11] = out[11] & ~(extended.BIDIRECTIONAL | extended.ACCESSIBLE) | accessibility
        out[12] = (out[12] + by) & 0xFF
    return bytes(out)


def has_ell(telegram):
    return link_telegram.parse(telegram).ell is not None


def nack(telegram):
    """The NACK that takes the place of an answer: link layers alone (oms-requirements sheet 4.2)."""
    out = bytearray(telegram[: link_telegram.parse(telegram).offset])
    out[1] = control.NACK
    return finished(out)


def acknowledgement(telegram):
    """The ACK that takes the place of a RSP-UD; None for anything else, and for a response without a header."""
    start = link_telegram.parse(telegram).offset
    tpl = _header(telegram, start)[0]
    if kind(telegram) != "RSP-UD" or tpl is None or tpl.status is None:
        return None
    out = bytearray(telegram[:start])
    out[1] = control.ACK
    codes = _EMPTY_CI[tpl.address is not None]
    return finished(out, compose.build(codes, tpl.access_number, tpl.status, 0, tpl.address))


def wrong_mac(telegram):
    """One bit of the MAC is another: the last of the AFL's, or of the tag in mode 10. None if there is no MAC."""
    out = bytearray(telegram)
    at = link_telegram.parse(telegram).offset
    afl, at = authentication.parse_if_any(telegram, at)
    if afl is not None and afl.mac:
        place = at - 1 if afl.message_length is None else at - 3
    elif at < len(telegram) and header.parse(telegram, at).mode == 10:
        place = len(telegram) - 1
    else:
        return None
    out[place] ^= 1
    return bytes(out)


def error(telegram, code):
    """As if the command had failed: an ACK says so, a RSP-UD is the application error `code` in clear (sheet
    en13757-7-security 11). None for what is no answer with a transport layer."""
    start = link_telegram.parse(telegram).offset
    tpl = _header(telegram, start)[0]
    if tpl is None or tpl.status is None:
        return None
    status = tpl.status & ~_APPLICATION | error_codes.STATUS
    if kind(telegram) == "ACK":
        return (
            bytes(telegram[: tpl.payload_offset - 3]) + bytes((status,)) + telegram[tpl.payload_offset - 2 :]
        )
    if kind(telegram) != "RSP-UD":
        return None
    long = tpl.address is not None
    message = compose.build(_ERROR_CI[long], tpl.access_number, status, 0, tpl.address) + bytes((code,))
    return finished(telegram[:start], message)


def sealed(telegram, meter, by=0, application=None, counter=0, other_key=None, data=None):
    """Another message in the same link layers, protected as it was.

    meter: role whose telegram this is; its keys open it. by: what is added to the access number of the transport layer.
    application: bits 1 and 0 of its status byte. counter: what is added to the message counter. other_key: Key to protect it
    with. data: application bytes instead of those that it has. None for what cannot be opened: no message, or a fragment.
    """
    start = link_telegram.parse(telegram).offset
    tpl, afl = _header(telegram, start)
    if tpl is None or tpl.status is None or afl is not None and afl.fragmented():
        return None
    if tpl.mode not in (0, 5, 7, 10):
        return None
    profile = meter.profile
    address = tpl.address or profile.meter_address
    holder = getattr(meter, "keys", None)

    def key_for(_address, key_id=0, version=None):
        return holder.key(key_id, version) if holder else profile.key

    try:
        opened = protection.open_message(telegram, tpl, afl, address, key_for)
    except NoKeyError:
        return None
    first = _CHECK_BYTES.get(tpl.mode, 0) if opened.encrypted_bytes else 0
    secret = opened.payload[first : opened.encrypted_bytes - opened.padding]
    clear = opened.payload[opened.encrypted_bytes :]
    if data is not None:
        secret, clear = (data, b"") if opened.encrypted_bytes else (b"", data)
    security = _security(tpl, afl, opened)
    if tpl.mode:
        security.key = other_key or key_for(address, opened.key_id, opened.key_version)
    if opened.counter is not None:
        security.counter = max(0, opened.counter + counter)
    status = tpl.status if application is None else tpl.status & ~_APPLICATION | application
    field = tpl.configuration_field
    again, message = sealing.seal(
        security,
        tpl.ci,
        address,
        (tpl.access_number + by) & 0xFF,
        status,
        secret,
        clear,
        tpl.address is not None,
        flags=field & _FLAGS if tpl.mode in (0, 5) else 0,
    )
    if again is not None and afl is not None:
        again.fragment_id = afl.fragment_id
    return finished(telegram[:start], (authentication.build(again) if again else b"") + message)


def _header(telegram, start):
    """(Tpl, Afl) of what begins there, each None if there is none."""
    afl, at = authentication.parse_if_any(telegram, start)
    return (None if at >= len(telegram) else header.parse(telegram, at)), afl


def _security(tpl, afl, opened):
    """How it was protected; the key is not in it."""
    field = tpl.configuration_field
    security = sealing.Security(0)
    security.mode = tpl.mode
    security.key_id = opened.key_id
    security.key_version = opened.key_version
    if tpl.mode in (0, 5):
        security.content = field >> 2 & 3
    else:
        security.content = field >> 14 & 3
        security.content_index = field & 0x07 if tpl.mode == 7 else tpl.configuration_extension[1] >> 2
    if tpl.mode == 7:
        security.padded = bool(field & 0x08)
        security.authentication_type = afl.authentication_type()
    if tpl.mode == 10 and field & 0xFF != opened.encrypted_bytes:
        security.n = field & 0xFF
    return security


def is_for(telegram, profile):
    """Whether a frame of a gateway is for the meter with this profile: it names it, or names nobody."""
    try:
        link = link_telegram.parse(telegram)
        if link.ell is not None and link.ell.receiver is not None:
            return link.ell.receiver.link_bytes() == profile.address.link_bytes()
        tpl = _header(telegram, link.offset)[0]
    except OmsError:
        return False
    return tpl is None or tpl.address is None or tpl.address.tpl_bytes() == profile.meter_address.tpl_bytes()
