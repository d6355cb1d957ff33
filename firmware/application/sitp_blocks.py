"""Security information transfer, to be built and acted upon: blocks, wrapped keys (ASP01), authenticated data (ASP10).

OMS Vol.2 Annex F (C 1.1.1) F.A.4 to F.A.9, Annex M UC-08, Annex N.12; sheet en13757-7-security 10.3. What a block says to a
person is told by sitp.py. Numbers are least significant byte first, keys and MACs most significant first.
Inferred: the layouts of DSI 20 and 21 (pairs of key id and version), that structure 02 looks the same for a destruction as for
the activation that Annex F shows, the status values for what fails its check (SECURITY) and what cannot be read (PARAMETER).
"""

from collections import namedtuple

from ..errors import ApplicationError, MacError, MisuseError, UnsupportedSecurityError
from ..security import key_wrap
from ..security.cmac import cmac
from ..security.octets import equal

# CI
COMMAND = 0xC3
ANSWER_SHORT, ANSWER_LONG = 0xC4, 0xC5
# BCF; the answer to a command is COMMAND | RESPONSE
TRANSFER, DESTROY, COMBINED, GENERATE, GET = 0x00, 0x03, 0x04, 0x05, 0x06
ALL_KEYS, ACTIVE_KEYS, KEY_COUNTERS, SECURED = 0x07, 0x08, 0x09, 0x20
RESPONSE = 0x80
# DSI
EMPTY, WRAPPED_KEY, WRAPPED_NAME, WRAPPED_CHANGE = 0x00, 0x01, 0x02, 0x03
KEYS, NAMES, STATUS, COUNTERS = 0x20, 0x21, 0x22, 0x23
CMAC_8, CMAC_16 = 0x32, 0x33
UNUSED = 0xFF  # in DSH1, DSH2 and key versions
# Status of an answer with DSI 22: 0, 9, 11h, 19h and 23h are published.
OK = 0x00
OTHER_FAILED = 0x09
UNKNOWN_FUNCTION = 0x11
PARAMETER = 0x15
KEY = 0x19
SECURITY = 0x20
TARGET_TIME = 0x23
# TargetTime, 5 bytes
AT_ONCE = b"\x00\x00\x00\x00\x30"
NOT_YET = b"\x00\x00\x00\x80\x30"
RESET_COUNTER = 1  # option of a combined activation

Block = namedtuple(
    "Block", ("number", "function", "recipient", "structure", "key_id", "key_version", "content")
)
Secured = namedtuple("Secured", ("counter", "target_time", "protocol", "apdu"))
Change = namedtuple("Change", ("target_time", "activated", "deactivated", "option"))

_HEADER = 6  # bytes of a block that its length counts, without content
_MAC_BYTES = {CMAC_8: 8, CMAC_16: 16}
_NOT_SUPPORTED = {
    0x30: "key wrap",
    0x31: "HMAC SHA-256",
    0x34: "AES-GCM",
    0x35: "AES-GMAC",
    0x36: "AES-CCM (ASP20), whose layout is not public",
    0x37: "AES-CCM, whose layout is not public",
}


# --- blocks ---


def read(body):
    """The Blocks (list) of a message. ApplicationError if one is cut off, or if there is none."""
    out = []
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 2], "little")
        if length == 0 and at + 2 <= len(body):  # no more blocks
            break
        # What fills the blocks of profile A, which has no TPL padding.
        if out and not body[at:].strip(b"\x2f"):
            break
        if length < _HEADER or at + 2 + length > len(body):
            raise ApplicationError("a block of impossible length", position=at)
        block = bytes(body[at + 2 : at + 2 + length])
        out.append(Block(*block[:_HEADER], block[_HEADER:]))
        at += 2 + length
    if not out:
        raise ApplicationError("no block", position=0)
    return out


def build(blocks):
    """The bytes of a list of Blocks."""
    out = b""
    for block in blocks:
        out += (_HEADER + len(block.content)).to_bytes(2, "little")
        out += bytes(block[:_HEADER]) + bytes(block.content)
    return out


def padded(body):
    """Whether a message gets TPL padding in mode 7: those of Annex N.12 have none where the blocks are full."""
    return (len(body) + 2) % 16 != 0


def status(block, code):
    """The Block that answers a command with a status and nothing else; it names the same key (Table F.A.5)."""
    function = block.function | RESPONSE
    return Block(
        block.number, function, block.recipient, STATUS, block.key_id, block.key_version, bytes((code,))
    )


# --- ASP01: keys and what becomes of them, under a wrapper key ---


def wrap_key(wrapper, key, key_id, key_version, target_time=NOT_YET):
    """Content of structure 01: a Key to be transferred. wrapper: Key."""
    return key_wrap.wrap_key(wrapper, key, target_time + bytes((key_id, key_version)))


def unwrap_key(wrapper, content):
    """(target time, Key, key id, key version). MacError; ApplicationError if it holds something else."""
    key, more = key_wrap.unwrap_key(wrapper, content)
    if len(more) != 7:
        raise ApplicationError("a wrapped structure of other length")
    return more[:5], key, more[5], more[6]


def wrap_name(wrapper, key_id, key_version, target_time=AT_ONCE):
    """Content of structure 02: the key to be destroyed."""
    return key_wrap.wrap_padded(wrapper, target_time + bytes((key_id, key_version)))


def unwrap_name(wrapper, content):
    """(target time, key id, key version). Errors as above."""
    plain = _unwrapped(wrapper, content, 7)
    return plain[:5], plain[5], plain[6]


def wrap_change(wrapper, activated, deactivated, option=RESET_COUNTER, target_time=AT_ONCE):
    """Content of structure 03. activated, deactivated: (key id, key version)."""
    return key_wrap.wrap_padded(
        wrapper, target_time + bytes(activated) + bytes(deactivated) + bytes((option,))
    )


def unwrap_change(wrapper, content):
    """Change. Errors as above."""
    plain = _unwrapped(wrapper, content, 10)
    return Change(plain[:5], (plain[5], plain[6]), (plain[7], plain[8]), plain[9])


def _unwrapped(wrapper, content, length):
    plain = key_wrap.unwrap_padded(wrapper, content)
    if len(plain) != length:
        raise ApplicationError("a wrapped structure of other length")
    return plain


# --- ASP10: application data with a CMAC ---


def secure(key, secured, structure=CMAC_8):
    """Content of structure 32 or 33 from a Secured. key: the application Key of the function."""
    data = secured.counter.to_bytes(4, "little") + secured.target_time
    data += bytes((secured.protocol,)) + bytes(secured.apdu)
    return data + cmac(key, data)[: _mac_bytes(structure)]


def verify(key, content, structure=CMAC_8):
    """Secured of a content whose MAC is right; MacError otherwise. UnsupportedSecurityError for other structures,
    ApplicationError if it is too short."""
    size = _mac_bytes(structure)
    if len(content) < 10 + size:
        raise ApplicationError("secured application data is cut off", position=len(content))
    data = bytes(content[:-size])
    if not equal(cmac(key, data)[:size], bytes(content[-size:])):
        raise MacError("the MAC of the secured application data is wrong")
    return Secured(int.from_bytes(data[:4], "little"), data[4:9], data[9], data[10:])


def _mac_bytes(structure):
    size = _MAC_BYTES.get(structure)
    if size is None:
        name = _NOT_SUPPORTED.get(structure)
        raise UnsupportedSecurityError(
            "secured application data with %s" % name if name else "structure %02X" % structure
        )
    return size


# --- lists ---


def names(pairs):
    """Content of structures 20 (before wrapping) and 21: (key id, key version) each."""
    return b"".join([bytes(pair) for pair in pairs])


def read_names(content):
    """List of (key id, key version). ApplicationError if it does not come out even."""
    if len(content) % 2:
        raise ApplicationError("a list of keys that ends within an entry", position=len(content))
    return [(content[i], content[i + 1]) for i in range(0, len(content), 2)]


def counters(rows):
    """Content of structure 23: (key id, key version, key counter) each."""
    return b"".join([bytes(row[:2]) + row[2].to_bytes(4, "little") for row in rows])


def read_counters(content):
    """List of (key id, key version, key counter). ApplicationError if it does not come out even."""
    if len(content) % 6:
        raise ApplicationError("a list of key counters that ends within an entry", position=len(content))
    return [
        (content[i], content[i + 1], int.from_bytes(content[i + 2 : i + 6], "little"))
        for i in range(0, len(content), 6)
    ]


def block(function, structure, key_id, key_version, content=b"", number=0):
    """A command Block for the application as a whole. MisuseError if a number does not fit a byte."""
    if not all([0 <= one <= 0xFF for one in (function, structure, key_id, key_version, number)]):
        raise MisuseError("the fields of a block are bytes")
    return Block(number, function, 0, structure, key_id, key_version, bytes(content))
