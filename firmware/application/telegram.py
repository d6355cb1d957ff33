"""A whole telegram: link layer, extended link layer, AFL, transport header, security, records.

`decode` never raises for what the air brought: every refusal is an OmsError in `Telegram.error`, and what could be
read before it is kept.
"""

from ..errors import (
    IncompleteError,
    NoKeyError,
    OmsError,
    UnsupportedCiError,
    UnsupportedSecurityError,
    WrongKeyError,
)
from ..link import telegram as link_telegram
from ..link.address import Address
from ..portable import const
from ..security import mode5
from ..transport import ci, header
from . import record

PLAIN = "plain"
DECRYPTED = "decrypted"
NO_KEY = "no_key"
WRONG_KEY = "wrong_key_or_altered"
UNSUPPORTED = "unsupported"
INCOMPLETE = "incomplete"

_AFL = const(0x90)  # CI code of the authentication and fragmentation layer

CONFIGURED = "configured"
DEFAULT = "default"

# Refusals that say something about the security of the telegram; for others the verdict is not known.
_VERDICTS = {
    "no_key": NO_KEY,
    "wrong_key_or_altered": WRONG_KEY,
    "unsupported": UNSUPPORTED,
    "unsupported_ci": UNSUPPORTED,
    "incomplete": INCOMPLETE,
}


class Telegram:
    """What a telegram says.

    raw: the telegram as it was given. link, afl, tpl: the layers read (objects of link.telegram,
    transport.authentication, transport.header), None where absent or not reached. address: the application address,
    whose data these are. verdict: a word of the house ("plain", "decrypted", ...) or None if it got not so far.
    payload_offset: where in `raw` the payload starts. payload: application bytes, decrypted if that was possible, check
    bytes included, so that payload[i] stands for raw[payload_offset + i]. encrypted_bytes: how many of its first bytes
    are encrypted on the air. records: list of application.record.Record, compact profiles expanded. undecoded: None or
    a record.Undecoded (offset in the payload, data, reason). error: None or the OmsError of the refusal. key: whose key
    opened it, CONFIGURED or DEFAULT, or None.
    """

    protocol = None  # protocols.Protocol where the content is no records

    def __init__(self, raw):
        self.raw = raw
        self.link = None
        self.afl = None
        self.tpl = None
        self.address = None
        self.verdict = None
        self.payload_offset = len(raw)
        self.payload = b""
        self.encrypted_bytes = 0
        self.records = []
        self.undecoded = None
        self.error = None
        self.key = None

    @property
    def mode(self):
        """Security mode, None where nothing says one."""
        return self.tpl.mode if self.tpl else None

    @property
    def profile(self):
        """OMS security profile "A" to "D", or None."""
        from ..security.modes import profile

        return profile(self.mode)

    @property
    def hops(self):
        """1 if a repeater sent it: the ELL says so, without one the configuration field of modes 0 and 5."""
        if self.link and self.link.ell:
            return self.link.hops
        return self.tpl.configuration_field & 1 if self.mode in (0, 5) else 0

    @property
    def access_number(self):
        """Of the transport layer, else of the extended link layer, else None."""
        if self.tpl and self.tpl.access_number is not None:
            return self.tpl.access_number
        return self.link.ell.access_number if self.link and self.link.ell else None


def decode(telegram, key_for=None, default_keys=None):
    """Decode a telegram.

    telegram: bytes from the L-field on, without link CRCs. key_for: function of the application Address that returns
    its Key or None. default_keys: function of the Address that returns the publicly known Keys to try where key_for has
    none (security.default_keys.of), or None. Returns a Telegram, whatever the bytes are.
    """
    result = Telegram(bytes(telegram))
    try:
        result.link = link = link_telegram.parse(result.raw)
        result.address = link.address
        result.payload_offset = link.offset
        ell = link.ell
        if ell and ell.encrypted:
            raise UnsupportedSecurityError(
                "the extended link layer is encrypted (AES-128-CTR)", position=link.offset
            )
        if link.offset == len(result.raw):
            result.verdict = PLAIN
            return result
        _upper(result, link.offset, key_for, default_keys)
    except OmsError as error:
        _refuse(result, error)
    return result


def decode_message(message, address=None, key_for=None):
    """Decode from the CI code of the AFL or transport layer on, as a wired frame or joined fragments deliver it.

    address: of the sender, where the header has none. Else as `decode`.
    """
    result = Telegram(bytes(message))
    result.address = address
    try:
        _upper(result, 0, key_for, None)
    except OmsError as error:
        _refuse(result, error)
    return result


def _refuse(result, error):
    raw = result.raw
    if result.link is None and result.address is None and len(raw) >= 10 and raw[0] == len(raw) - 1:
        # The fault is behind the address: what stands before it can be told.
        result.address = Address.from_link(raw[2:10])
        result.link = link_telegram.Link(raw[1], result.address, None, 10)
        result.payload_offset = 10
    result.error = error
    result.verdict = _VERDICTS.get(error.code)
    result.payload = raw[result.payload_offset :]
    if result.payload:
        result.undecoded = record.Undecoded(0, result.payload, error.code, None)


def _upper(result, offset, key_for, default_keys):
    """AFL, transport header, security and records from the CI code at `offset` on."""
    raw = result.raw
    result.payload_offset = offset
    if offset < len(raw) and raw[offset] == _AFL:
        from ..transport import authentication

        result.afl = afl = authentication.parse(raw, offset)
        result.payload_offset = offset = afl.payload_offset
        if afl.fragmented():
            raise IncompleteError("fragment {} of a message".format(afl.fragment_id), position=afl.offset)
    tpl = header.parse(raw, offset)
    result.tpl = tpl
    result.payload_offset = tpl.payload_offset
    if tpl.content == ci.REFUSED:
        hint = None if 0xA0 <= tpl.ci <= 0xB7 else "nothing of a meter's readings stands behind this CI code"
        raise UnsupportedCiError("CI {:02X}: {}".format(tpl.ci, tpl.name), offset, hint)
    if tpl.address:
        result.address = tpl.address
    elif tpl.direction == ci.DOWN and result.link and result.link.ell and result.link.ell.receiver:
        result.address = result.link.ell.receiver
    _open(result, tpl, key_for, default_keys)
    if tpl.content == ci.RECORDS:
        records, result.undecoded = record.decode(result.payload, tpl.direction == ci.DOWN)
        if any([one.qualifiers and "compact profile" in one.qualifiers[-1] for one in records]):
            from . import profile  # few meters send them: loaded when one does

            records = profile.expand(records)
        result.records = records
    elif tpl.content == ci.ERROR and result.payload:
        from .error_codes import NAMES

        reason = NAMES.get(result.payload[0], "reserved")
        reason = "application error {:02X}: {}".format(result.payload[0], reason)
        result.undecoded = record.Undecoded(0, result.payload, reason, None)
    elif result.payload:
        result.undecoded = record.Undecoded(0, result.payload, "no records: " + tpl.name, None)


def _open(result, tpl, key_for, default_keys):
    """Decrypt the payload, or raise why not."""
    body = result.raw[tpl.payload_offset :]
    if result.afl and (result.afl.mac or result.afl.control is not None and result.afl.control & 0x0F):
        raise _unsupported(tpl, "; authenticated in the AFL", result.afl.offset)
    if tpl.mode not in (None, 0, 5):
        raise _unsupported(tpl, "", tpl.offset)
    length = mode5.encrypted_length(tpl.blocks, len(body)) if tpl.mode == 5 else 0
    result.encrypted_bytes = length
    result.payload = body
    if not length:
        result.verdict = PLAIN
        return
    key = key_for(result.address) if key_for and result.address else None
    if key is not None:
        plain = mode5.open(key, result.address, tpl.access_number, body[:length])
        result.key = CONFIGURED
    else:
        plain = _try(default_keys, result.address, tpl.access_number, body[:length])
        if plain is None:
            raise NoKeyError("no key for {}".format(result.address), position=tpl.payload_offset)
        result.key = DEFAULT
    result.payload = plain + body[length:]
    result.verdict = DECRYPTED


def _unsupported(tpl, more, position):
    from ..security import modes

    message = modes.describe(tpl.mode) if tpl.mode is not None else "no security header"
    return UnsupportedSecurityError(message + more, position=position)


def _try(default_keys, address, access_number, data):
    """The plain text under the first key that fits, or None."""
    for key in default_keys(address) if default_keys and address else ():
        try:
            return mode5.open(key, address, access_number, data)
        except WrongKeyError:
            pass
    return None
