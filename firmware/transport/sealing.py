"""Messages protected for sending in modes 0, 5, 7 and 10, both directions (security sheet sections 4 to 8)."""

from ..errors import MisuseError
from ..security import mode5
from .authentication import CMAC_8, KEY_INFORMATION, MESSAGE_COUNTER, MESSAGE_LENGTH, Afl
from .compose import build, configuration

_KDF_A = 0x10  # DD = 01 in the CFE
_VERSION = 0x40  # V in the CFE: a key version follows


class Security:
    """How a message is protected.

    mode: 0, 5, 7 or 10. key: the Key that KeyID selects; None in mode 0. counter: message counter, in modes 7 and 10. key_id:
    0..15. key_version: is named in the message if it is not None. authentication_type: AT of the AFL in mode 7. padded: TPL
    padding instead of fillers in mode 7. content, content_index: CC and III or IIII. n: N of mode 10, where the whole
    message is encrypted: None for the number of bytes, 255 for "all".
    """

    content = 0
    content_index = 0

    def __init__(
        self,
        mode,
        key=None,
        counter=None,
        key_id=0,
        key_version=None,
        authentication_type=CMAC_8,
        padded=False,
        n=None,
    ):
        if mode not in (0, 5, 7, 10):
            raise MisuseError("nothing is sent in security mode {}".format(mode))
        if mode and key is None:
            raise MisuseError("security mode {} needs a key".format(mode))
        if mode in (7, 10) and counter is None:
            raise MisuseError("security mode {} needs a message counter".format(mode))
        self.mode = mode
        self.key = key
        self.counter = counter
        self.key_id = key_id
        self.key_version = key_version
        self.authentication_type = authentication_type
        self.padded = padded
        self.n = n


def seal(
    security,
    ci,
    address,
    access_number,
    status,
    data,
    clear=b"",
    long=False,
    up=True,
    flags=0,
    fragmented=False,
):
    """(Afl or None, message): what goes before the transport layer, and the message from its CI code on.

    address: the meter's Address; `long` puts it into the header. data: application bytes to be encrypted. clear: what
    follows unencrypted, from a record border on. up: from the meter. flags: bits B, A and S of the configuration field
    in modes 0 and 5. fragmented: the message will be split (transport.fragmentation) and announces its length.
    MisuseError if something does not fit.
    """
    head = address if long else None
    afl = Afl() if fragmented or security.mode == 7 else None
    if security.mode in (0, 5):
        if security.mode:
            data = mode5.seal(security.key, address, access_number, data)
        blocks = mode5.blocks(data, len(clear)) if security.mode else 0
        field = configuration(security.mode, blocks, content=security.content) | flags
        message = build(ci, access_number, status, field, head) + bytes(data) + bytes(clear)
    elif security.mode == 7:
        message = _mode7(security, ci, address, access_number, status, data, clear, head, up)
    else:
        message = _mode10(security, ci, address, access_number, status, data, clear, head, up)
    if afl is not None:
        afl.control = 0
        if fragmented:
            afl.control |= MESSAGE_LENGTH
            afl.message_length = len(message)
        if security.mode == 7:
            _authenticate(security, afl, address, message, up)
    return afl, message


def _extension(security):
    version = b"" if security.key_version is None else bytes((security.key_version,))
    return _KDF_A | security.key_id | (_VERSION if version else 0), version


def _mode7(security, ci, address, access_number, status, data, clear, head, up):
    from ..security import kdf, mode7

    purpose = kdf.ENCRYPTION_UP if up else kdf.ENCRYPTION_DOWN
    key = kdf.derive(security.key, purpose, security.counter, address)
    # Nothing to hide: the MAC alone protects it (a static telegram, sheet 10). Padding is to be there even so.
    sealed = mode7.seal(key, data, security.padded) if data or security.padded else b""
    field = security.content << 14 | 0x0700 | mode5.blocks(sealed, len(clear)) << 4
    field |= (security.padded and 0x08) | security.content_index
    # The key version goes into the AFL, not behind the CFE: OMS sends V = 0 (sheet 4.3).
    extension = bytes((_KDF_A | security.key_id,))
    return build(ci, access_number, status, field, head) + extension + sealed + bytes(clear)


def _mode10(security, ci, address, access_number, status, data, clear, head, up):
    from ..security import kdf, mode10

    count = len(data) if security.n is None else security.n
    if count > 0xFF or (clear and count == 0xFF):
        if clear:
            raise MisuseError("more than 254 encrypted bytes leave no clear part in mode 10")
        count = 0xFF
    field = security.content << 14 | 0x2A00 | count
    low, version = _extension(security)
    header = build(ci, access_number, status, field, head)
    header += bytes((low, 0x01 | security.content_index << 2)) + version
    purpose = kdf.ENCRYPTION_UP if up else kdf.ENCRYPTION_DOWN
    key = kdf.derive(security.key, purpose, security.counter, address)
    sealed, tag = mode10.seal(key, address, security.counter, header, data, clear)
    return header + security.counter.to_bytes(4, "little") + sealed + bytes(clear) + tag


def _authenticate(security, afl, address, message, up):
    from ..security import kdf
    from .protection import mac

    afl.control |= MESSAGE_COUNTER | security.authentication_type
    afl.counter = security.counter
    if security.key_version is not None:
        afl.control |= KEY_INFORMATION
        # KeyID first, then the version: inferred, two sources disagree (sheet 7.3).
        afl.key_information = bytes((_KDF_A | security.key_id, security.key_version))
    purpose = kdf.MAC_UP if up else kdf.MAC_DOWN
    afl.mac = mac(kdf.derive(security.key, purpose, security.counter, address), afl, message)
