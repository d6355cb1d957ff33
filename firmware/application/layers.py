"""What a telegram has beside records in plain or in mode 5, sent by radio in one piece: the parts of telegram.py that few
telegrams need, loaded when one does. All of them work on a telegram.Telegram that is being decoded.
"""

from ..errors import (
    IncompleteError,
    NoKeyError,
    UnsupportedCiError,
    UnsupportedSecurityError,
    WrongKeyError,
)
from . import record
from .telegram import AUTHENTICATED, CONFIGURED, DECRYPTED, PLAIN, application_start

# Data structures of old wired meters (application sheet 5).
_OLD = {0x73: "fixed", 0x76: "variable", 0x77: "fixed"}


def wired_link(result):
    """The link.wired.Wired of a telegram that is a wired frame; what stands between its link fields is `opened`."""
    from ..link import wired

    link = wired.parse(result.raw)
    result.opened = result.raw[: link.end]
    code = result.opened[link.offset] if link.offset < link.end else None
    # No free document has their layout. CI 73 is one of them where 16 bytes follow, otherwise a compact frame.
    if code in _OLD and (code != 0x73 or link.end == link.offset + 17):
        order = "" if code == 0x73 else ", most significant byte first"
        message = "CI {:02X}: {} data structure of old meters{}".format(code, _OLD[code], order)
        raise UnsupportedCiError(message, link.offset)
    return link


def open_session(result, ell, key_for):
    """Decrypt what the extended link layer encrypts, and check its payload CRC."""
    from ..link.crc import crc16
    from ..security import session

    if ell.encryption != session.AES_CTR:
        raise UnsupportedSecurityError(
            "encryption {} of the extended link layer is reserved".format(ell.encryption)
        )
    key = key_for(result.address) if key_for else None
    start = result.link.offset - 2  # the payload CRC is encrypted too
    if key is None:
        raise NoKeyError("no key for {}".format(result.address), position=start)
    plain = session.open(key, result.address, ell.cc, ell.sn, result.raw[start:])
    if plain[0] | plain[1] << 8 != crc16(plain, 2):
        raise WrongKeyError(
            "the payload CRC is wrong behind the decryption",
            start,
            "the payload CRC is wrong: another key, or altered before its link CRC was computed",
        )
    result.opened = result.raw[:start] + plain
    result.opened_offset = start
    result.key = CONFIGURED


def join(result, afl, fragments):
    """The bytes of a telegram that is a fragment, with the whole message in the place of its piece; IncompleteError while
    there are others to come. fragments: (Reassembly, time in us) or None."""
    offset = afl.payload_offset
    whole = None
    if fragments:
        whole = fragments[0].add(_sender(result.link), afl, result.opened[offset:], fragments[1])
    if whole is None:
        raise IncompleteError("fragment {} of a message".format(afl.fragment_id), position=afl.offset)
    result.afl, message = whole
    result.opened = result.opened[:offset] + message
    result.joined = True
    return result.opened


def _sender(link):
    """Whose fragments belong together: one message at a time in each direction between two."""
    whose = link.address.link_bytes() if link.address else link.primary_address
    ell = getattr(link, "ell", None)
    receiver = ell.receiver.link_bytes() if ell and ell.receiver else None
    return whose, receiver, link.c_field & 0x40


def open_protected(result, tpl, key_for):
    """Whatever is more than mode 5: authenticated in the AFL, or another mode."""
    from ..transport import protection

    opened = protection.open_message(result.opened, tpl, result.afl, result.address, key_for)
    result.payload = opened.payload
    result.encrypted_bytes = opened.encrypted_bytes
    result.padding = opened.padding
    result.counter = opened.counter
    result.key_id = opened.key_id
    result.key_version = opened.key_version
    if opened.authenticated:
        result.verdict = AUTHENTICATED
    else:
        result.verdict = DECRYPTED if opened.encrypted_bytes or result.opened_offset is not None else PLAIN
    if result.verdict != PLAIN:
        result.key = CONFIGURED


def check_ci(result, tpl):
    """UnsupportedCiError for a CI code that no application stands behind; but a wired frame may set the baud rate."""
    link = result.link
    if 0xB8 <= tpl.ci <= 0xBF and link and link.address is None and link.ell is None:
        return
    hint = "nothing of a meter's readings stands behind this CI code"
    if 0xA0 <= tpl.ci <= 0xB7:  # manufacturer specific: kept whole, under its name
        hint = None
        read_protocol(result, tpl, result.opened[tpl.payload_offset :])
    raise UnsupportedCiError("CI {:02X}: {}".format(tpl.ci, tpl.name), tpl.offset, hint)


def read_protocol(result, tpl, payload):
    """An application protocol that has no records."""
    from . import protocols

    result.protocol = protocols.read(tpl.ci, payload, tpl.direction, application_start(result))
    for offset, length, name, _, _ in result.protocol.fields:
        if name == "undecoded":
            reason = "not read: " + tpl.name
            result.undecoded = record.Undecoded(offset, payload[offset : offset + length], reason, None)
