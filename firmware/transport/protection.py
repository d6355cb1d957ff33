"""Messages opened and sealed: modes 0, 5, 7, 9 and 10, and the MAC of the AFL (security sheet sections 5, 6, 8 and 11.1).

A message begins with the CI code of its transport layer; an AFL before it is read already, fragments are joined. Whether
the message counter is new, and whether this meter may be protected so weakly, is for the caller to decide: between
`verify`, which changes nothing, and whatever he does with the content.
"""

from ..errors import MacError, NoKeyError, TransportError, UnsupportedSecurityError
from ..portable import const
from ..security import mode5
from .authentication import MAC_BYTES
from .ci import DOWN

# AT that a receiver takes: CMAC of 8, 12 and 16 bytes (OMS Vol.2 9.3). Shorter ones are legal, and too short.
ACCEPTED = (5, 6, 7)
_KDF_A = const(1)  # DD
_ALL_BYTES = const(0xFF)  # N of mode 10


class Opened:
    """payload: as many bytes as the body had on the air (without the tag of mode 10), decrypted, check bytes and padding
    included. encrypted_bytes: how many of its first bytes were encrypted. padding: bytes of TPL padding at its end.
    authenticated: MAC or tag was right. counter: message counter, None where there is none. key_id, key_version: of the
    communication key; version None where none is named.
    """

    def __init__(self, payload):
        self.payload = payload
        self.encrypted_bytes = 0
        self.padding = 0
        self.authenticated = False
        self.counter = None
        self.key_id = 0
        self.key_version = None


def open_message(message, tpl, afl, address, key_for, accepted=ACCEPTED):
    """Check and decrypt a message; an Opened.

    message: bytes in which tpl.offset and tpl.payload_offset count, up to its end. tpl: transport.header.Tpl. afl:
    transport.authentication.Afl, or None. address: the meter's Address, or None. key_for: function (Address), or
    (Address, KeyID, key version or None) for another than the master key; returns a Key or None. accepted: the AT that
    are strong enough.

    Raises in the order of sheet 11.1: TransportError (lengths, reserved bits), UnsupportedSecurityError, NoKeyError,
    MacError, WrongKeyError, TransportError (padding).
    """
    body = message[tpl.payload_offset :]
    opened = Opened(body)
    if afl is not None and afl.message_length not in (None, len(message) - tpl.offset):
        raise TransportError("the message has another length than its AFL announces", position=afl.offset)
    opener = _MODES.get(tpl.mode)
    if opener is None:
        raise _unsupported(tpl)
    has_mac = afl is not None and afl.authentication_type() != 0
    if afl is not None and afl.mac and not has_mac:
        raise TransportError("a MAC without a message control field", position=afl.offset)
    opener(opened, message, tpl, afl if has_mac else None, address, key_for, accepted)
    return opened


def _plain(opened, message, tpl, afl, address, key_for, accepted):
    if afl is not None:
        opened.counter = afl.counter
        _usable(opened, afl, accepted)
        _verify(opened, message, tpl, afl, _key(opened, address, key_for, tpl), address)


def _mode5(opened, message, tpl, afl, address, key_for, accepted):
    opened.encrypted_bytes = length = mode5.encrypted_length(tpl.blocks, len(opened.payload))
    _plain(opened, message, tpl, afl, address, key_for, accepted)
    if length:
        key = _key(opened, address, key_for, tpl)
        plain = mode5.open(key, address, tpl.access_number, opened.payload[:length])
        opened.payload = plain + opened.payload[length:]


def _mode7(opened, message, tpl, afl, address, key_for, accepted):
    from ..security import kdf, mode7

    opened.encrypted_bytes = length = mode5.encrypted_length(tpl.blocks, len(opened.payload))
    _select(opened, tpl, afl)
    if afl is not None:
        _usable(opened, afl, accepted)
    key = _key(opened, address, key_for, tpl)
    if afl is None:  # also where nothing is encrypted
        raise TransportError("mode 7 without the MAC that profile B asks for", position=tpl.offset)
    _verify(opened, message, tpl, afl, key, address)
    if length:
        padded = bool(tpl.configuration_field & 0x08)
        purpose = kdf.ENCRYPTION_DOWN if tpl.direction == DOWN else kdf.ENCRYPTION_UP
        plain = mode7.open(kdf.derive(key, purpose, opened.counter, address), opened.payload[:length], padded)
        opened.padding = mode7.padding(plain) if padded else 0
        opened.payload = plain + opened.payload[length:]


def _mode10(opened, message, tpl, afl, address, key_for, accepted):
    from ..security import kdf, mode10

    end = len(opened.payload) - mode10.TAG_BYTES
    length = tpl.configuration_field & 0xFF
    length = end if length == _ALL_BYTES else length
    if not 0 <= length <= end:
        raise TransportError("mode 10 announces more bytes than there are", position=tpl.payload_offset)
    if tpl.configuration_extension[1] & 3 != 1:
        hint = "OMS has tags of 8 bytes, and no other layout is public"
        raise UnsupportedSecurityError("mode 10 with a tag of other than 8 bytes", tpl.offset, hint)
    _select(opened, tpl, None if afl is None or tpl.configuration_field & 0x2000 else afl)
    key = _key(opened, address, key_for, tpl)
    purpose = kdf.ENCRYPTION_DOWN if tpl.direction == DOWN else kdf.ENCRYPTION_UP
    # The counter is in the nonce, and not in what is authenticated beside the text.
    counter_bytes = 4 if tpl.configuration_field & 0x2000 else 0
    header = message[tpl.offset : tpl.payload_offset - counter_bytes]
    clear = opened.payload[length:end]
    plain = mode10.open(
        kdf.derive(key, purpose, opened.counter, address),
        address,
        opened.counter,
        header,
        opened.payload[:length],
        clear,
        opened.payload[end:],
    )
    opened.encrypted_bytes = length
    opened.payload = plain + clear
    opened.authenticated = True


def _mode9(opened, message, tpl, afl, address, key_for, accepted):
    from ..security import mode9

    lengths = tpl.configuration_extension[:-4]
    half = 2 if tpl.configuration_field & 0x40 else 1
    length = int.from_bytes(lengths[:half], "little")
    tag = mode9.TAG_BYTES if tpl.configuration_field & 0x2000 else 0
    end = length + int.from_bytes(lengths[half:], "little")
    if end + tag != len(opened.payload) or not tag:
        raise TransportError("mode 9: the lengths do not fit the body", position=tpl.payload_offset)
    opened.key_id = tpl.configuration_field & 0x0F
    opened.counter = int.from_bytes(tpl.configuration_extension[-4:], "big")
    clear = opened.payload[length:end]
    plain = mode9.open(
        _key(opened, address, key_for, tpl),
        address,
        tpl.configuration_extension[-4:],
        mode9.associated(tpl.configuration_field, lengths, half, clear),
        opened.payload[:length],
        opened.payload[end:],
    )
    opened.encrypted_bytes = length
    opened.payload = plain + clear
    opened.authenticated = True


_MODES = {None: _plain, 0: _plain, 5: _mode5, 7: _mode7, 9: _mode9, 10: _mode10}


def _select(opened, tpl, afl):
    """KeyID, version and counter, out of the header; what is missing there, out of the AFL."""
    derivation, opened.key_id, opened.key_version, opened.counter = tpl.key_selection()
    if derivation != _KDF_A:
        raise UnsupportedSecurityError(
            "key derivation {} in mode {}".format(derivation, tpl.mode), position=tpl.offset
        )
    if afl is not None:
        if afl.key_information and opened.key_version is None:
            # KeyID in the low byte, version in the high one: inferred, two sources disagree (sheet 7.3).
            opened.key_version = afl.key_information[1]
        if opened.counter is None:
            opened.counter = afl.counter
    if opened.counter is None and (afl is not None or tpl.mode != 7):
        raise TransportError("mode {} without a message counter".format(tpl.mode), position=tpl.offset)


def _key(opened, address, key_for, tpl):
    key = None
    if key_for is not None and address is not None:
        if opened.key_id or opened.key_version is not None:
            key = key_for(address, opened.key_id, opened.key_version)
        else:
            key = key_for(address)
    if key is None:
        named = ""
        if opened.key_id or opened.key_version is not None:
            named = ", KeyID {} version {}".format(opened.key_id, opened.key_version)
        raise NoKeyError("no key for {}{}".format(address, named), position=tpl.payload_offset)
    return key


def _usable(opened, afl, accepted):
    """What can be said of a MAC before there is a key."""
    if afl.authentication_type() not in accepted:
        raise UnsupportedSecurityError(
            "authentication type {} of the AFL is not accepted".format(afl.authentication_type()),
            afl.offset,
            "a MAC of 8, 12 or 16 bytes made with AES-CMAC is taken, and no other",
        )
    if len(afl.mac) != MAC_BYTES[afl.authentication_type()]:
        raise TransportError("the MAC has another length than the MCL says", position=afl.offset)
    if opened.counter is None:
        raise TransportError("a MAC without a message counter", position=afl.offset)


def _verify(opened, message, tpl, afl, key, address):
    """The MAC of the AFL: over its covered fields and the whole message. MacError if it is wrong."""
    from ..security import kdf
    from ..security.octets import equal

    purpose = kdf.MAC_DOWN if tpl.direction == DOWN else kdf.MAC_UP
    if not equal(mac(kdf.derive(key, purpose, opened.counter, address), afl, message[tpl.offset :]), afl.mac):
        raise MacError("the MAC of the AFL is wrong", position=afl.offset)
    opened.authenticated = True


def mac(key, afl, message):
    """The MAC that belongs into an Afl with this MCL, over `message` from the CI code of the transport layer on.

    key: derived for it (kdf.MAC_UP or MAC_DOWN).
    """
    from ..security.cmac import cmac

    return cmac(key, afl.covered() + bytes(message))[: MAC_BYTES[afl.authentication_type()]]


def _unsupported(tpl):
    from ..security import modes

    return UnsupportedSecurityError(modes.describe(tpl.mode), position=tpl.offset)
