"""A whole telegram: link layer (of radio or wire), extended link layer, AFL, transport header, security, records.

`decode` never raises for what the air brought: every refusal is an OmsError in `Telegram.error`, and what could be
read before it is kept.
"""

from ..errors import NoKeyError, OmsError, WrongKeyError
from ..link import telegram as link_telegram
from ..link.address import Address
from ..portable import const
from ..security import mode5
from ..transport import ci, header
from . import record

PLAIN = "plain"
DECRYPTED = "decrypted"
AUTHENTICATED = "authenticated"
NO_KEY = "no_key"
WRONG_KEY = "wrong_key_or_altered"
MAC_MISMATCH = "mac_mismatch"
UNSUPPORTED = "unsupported"
INCOMPLETE = "incomplete"

_AFL = const(0x90)  # CI code of the authentication and fragmentation layer

CONFIGURED = "configured"
DEFAULT = "default"

# Refusals that say something about the security of the telegram; for others the verdict is not known.
_VERDICTS = {
    "no_key": NO_KEY,
    "wrong_key_or_altered": WRONG_KEY,
    "mac_mismatch": MAC_MISMATCH,
    "unsupported": UNSUPPORTED,
    "unsupported_ci": UNSUPPORTED,
    "incomplete": INCOMPLETE,
    "fragment": INCOMPLETE,
}


class Telegram:
    """What a telegram says.

    raw: the telegram as it was given. link, afl, tpl: the layers read (objects of link.telegram,
    transport.authentication, transport.header), None where absent or not reached. address: the application address,
    whose data these are. verdict: a word of the house ("plain", "decrypted", ...) or None if it got not so far.
    payload_offset: where in `raw` the payload starts. payload: application bytes, decrypted if that was possible, check
    bytes and padding included, so that payload[i] stands for raw[payload_offset + i]; the tag of mode 10 behind it is not
    part of it. encrypted_bytes: how many of its first bytes are encrypted on the air. padding: bytes of TPL padding at
    its end. opened: like raw, but with what the extended link layer encrypts (from opened_offset on, None where it does
    not) decrypted. joined: this was the last fragment; behind its AFL `opened` holds the whole message. counter, key_id,
    key_version: message counter and communication key of profiles B and D. records: list of application.record.Record,
    compact profiles expanded. undecoded: None or a record.Undecoded (offset in the payload, data, reason). error: None or
    the OmsError of the refusal. key: whose key opened it, CONFIGURED or DEFAULT, or None.
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
        self.padding = 0
        self.opened = raw
        self.opened_offset = None
        self.joined = False
        self.counter = None
        self.key_id = None
        self.key_version = None
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
        if self.link and (self.link.ell or self.link.address is None):  # no repeater on a wire
            return self.link.hops
        return self.tpl.configuration_field & 1 if self.mode in (0, 5) else 0

    @property
    def access_number(self):
        """Of the transport layer, else of the extended link layer, else None."""
        if self.tpl and self.tpl.access_number is not None:
            return self.tpl.access_number
        return self.link.ell.access_number if self.link and self.link.ell else None

    @property
    def to_meter(self):
        """Whether it is sent to the meter: what it says is then no reading of it."""
        return self.tpl is not None and self.tpl.direction == ci.DOWN

    def distrust(self, error):
        """It could be read, and is not to be believed: error says why; what was read is dropped."""
        self.error, self.verdict = error, error.code
        self.records = []
        self.protocol = None
        self.undecoded = record.Undecoded(0, self.payload, error.code, None)


def decode(
    telegram,
    key_for=None,
    default_keys=None,
    formats=None,
    read=record.decode,
    fragments=None,
    now_us=0,
    link=None,
):
    """Decode a telegram.

    telegram: bytes from the L-field on, without link CRCs, or a whole wired frame. key_for: function of the application
    Address that returns its Key or None. default_keys: function of the Address that returns the publicly known Keys to
    try where key_for has none (security.default_keys.of), or None. formats: frames.Formats that learns the layout of full
    frames and serves compact frames, or None. read: what reads a payload of records, as record.decode does. fragments: a
    transport.fragmentation.Reassembly that joins messages of several telegrams, the last of which then holds all; or
    None. now_us: time for it. link: the link layer where it was read already, as link.lpwan.telegram does; `telegram` is then
    its message. Returns a Telegram, whatever the bytes are.
    """
    result = Telegram(bytes(telegram))
    try:
        result.link = link = link or _link(result)
        result.address = link.address
        result.payload_offset = link.offset
        ell = link.ell
        if ell and ell.encrypted:
            from . import layers

            layers.open_session(result, ell, key_for)
        if link.offset == len(result.opened):
            result.verdict = PLAIN
            return result
        join = None if fragments is None else (fragments, now_us)
        _upper(result, link.offset, key_for, default_keys, formats, read, join)
    except OmsError as error:
        _refuse(result, error)
    return result


def _link(result):
    """The link layer of the telegram."""
    raw = result.raw
    # First byte of a wired frame; an L-field of 68h has it too.
    if raw and raw[0] in (0x68, 0x10, 0xE5) and (raw[0] != len(raw) - 1 or raw[0] == 0x68):
        from ..link import wired

        if wired.is_wired(raw):
            from . import layers

            return layers.wired_link(result)
    return link_telegram.parse(raw)


def decode_message(message, address=None, key_for=None, formats=None):
    """Decode from the CI code of the AFL or transport layer on, where no link layer was kept (as in the standards' examples).

    address: of the sender, where the header has none. Else as `decode`.
    """
    result = Telegram(bytes(message))
    result.address = address
    try:
        _upper(result, 0, key_for, None, formats, record.decode)
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
    if result.verdict is None:  # not yet opened
        result.verdict = _VERDICTS.get(error.code)
        result.payload = result.opened[result.payload_offset :]
    if result.payload:
        result.undecoded = record.Undecoded(0, result.payload, error.code, None)


def _upper(result, offset, key_for, default_keys, formats, read, join=None):
    """AFL, transport header, security and records from the CI code at `offset` on. join: (Reassembly, time in us) or
    None."""
    raw = result.opened
    result.payload_offset = offset
    if offset < len(raw) and raw[offset] == _AFL:
        from ..transport import authentication

        result.afl = afl = authentication.parse(raw, offset)
        result.payload_offset = offset = afl.payload_offset
        if afl.fragmented():
            from . import layers

            raw = layers.join(result, afl, join)
    tpl = header.parse(raw, offset)
    result.tpl = tpl
    result.payload_offset = tpl.payload_offset
    if tpl.content == ci.REFUSED:
        from . import layers

        layers.check_ci(result, tpl)
    if tpl.address:
        result.address = tpl.address
    elif tpl.direction == ci.DOWN and result.link and result.link.ell and result.link.ell.receiver:
        result.address = result.link.ell.receiver
    _open(result, tpl, key_for, default_keys)
    content = tpl.content
    to_meter = tpl.direction == ci.DOWN
    payload = result.payload
    if result.padding:
        payload = payload[: len(payload) - result.padding]
    if content == ci.RECORDS:
        records, result.undecoded = read(payload, to_meter)
        if formats is not None and result.undecoded is None and not to_meter:
            formats.full(result, records)
        result.records = _expanded(records)
    elif content in (ci.COMPACT, ci.FORMAT):
        from . import frames

        frames.read(result, payload, application_start(result), formats)
    elif payload or content in (ci.ERROR, ci.OTHER):
        from . import layers

        layers.read_protocol(result, tpl, payload)


def application_start(telegram):
    """Where in the payload the application begins: behind the check bytes 2F 2F, if there are some."""
    return 2 if telegram.encrypted_bytes and telegram.mode in (5, 7) else 0


def _expanded(records):
    if any([one.qualifiers and "compact profile" in one.qualifiers[-1] for one in records]):
        from . import profile  # few meters send them: loaded when one does

        return profile.expand(records)
    return records


def _open(result, tpl, key_for, default_keys):
    """Decrypt the payload, or raise why not."""
    body = result.opened[tpl.payload_offset :]
    if result.afl or tpl.mode not in (None, 0, 5):
        from . import layers

        layers.open_protected(result, tpl, key_for)
        return
    length = mode5.encrypted_length(tpl.blocks, len(body)) if tpl.mode == 5 else 0
    result.encrypted_bytes = length
    result.payload = body
    if not length:
        result.verdict = PLAIN if result.opened_offset is None else DECRYPTED
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


def _try(default_keys, address, access_number, data):
    """The plain text under the first key that fits, or None."""
    for key in default_keys(address) if default_keys and address else ():
        try:
            return mode5.open(key, address, access_number, data)
        except WrongKeyError:
            pass
    return None
