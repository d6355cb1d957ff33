"""MBlocks: what a MAC body holds (OMS Vol. 2 Annex Q.3.2.3.6, Q.3.6; LPWAN sheet sections 12 and 15).

A command that is empty asks (Get), any other writes (Set); the response has the same MBlocks, one that failed is empty.
"""

from collections import namedtuple

from ...errors import MisuseError

LINK_STATUS, FALLBACK_STATUS, FALLBACK_COUNTER, SESSION_REQUEST, CLOCK = 0, 1, 2, 3, 4
UPLINK, DOWNLINK, CMD_COUNTER, MANUFACTURER = 5, 6, 7, 15
SUPPORTED, RELEASE, RESUME_DELAY, CAPABILITY, INTERVAL = 16, 17, 18, 19, 20

# value: bytes, low byte first where they are a number.
MBlock = namedtuple("MBlock", ("id", "value"))

# get, set: whether a command may. secure: never in a body that is not secured. mandatory: for a meter that is
# bidirectional: "any" with any MBlock, "other" with any but the three that say so, "link" with link management, or None.
Row = namedtuple("Row", ("id", "name", "least", "most", "get", "set", "secure", "mandatory"))

# Table Q.91: ID, bytes at least and at most, Get, Set, secure, mandatory, name.
_TABLE = """
00 1 2  g - s -     link status
01 1 1  g - s -     fallback status
02 2 2  g w s -     fallback counter
03 1 1  - w s -     session request
04 1 3  g w s -     clock time
05 1 2  g w s -     uplink link management
06 1 1  g w s -     downlink link management
07 2 2  - - s any   CMD-MMsgCounter
0F 0 31 g w - -     manufacturer specific
10 3 8  g - - other supported MBlocks
11 2 2  g - - other supported release
12 1 1  g w s -     session resume delay
13 2 3  g - s link  capability
14 1 3  g - s -     access opportunity interval
38 0 31 g w - -     manufacturer specific
39 0 31 g w - -     manufacturer specific
3A 0 31 g w - -     manufacturer specific
3B 0 31 g w - -     manufacturer specific
3C 0 31 g w - -     manufacturer specific
3D 0 31 g w - -     manufacturer specific
3E 0 31 g w - -     manufacturer specific
"""

_LONGEST = 31
_ID_MOST = 63
_MORE = 0x80
_ZERO = 0x40
_ZERO_1 = 0x8C  # of MBH[1]


def row(block_id):
    """The Row of an MBlockID, None if it is reserved."""
    at = _TABLE.find("\n{:02X} ".format(block_id))
    if at < 0:
        return None
    words = _TABLE[at + 1 : _TABLE.find("\n", at + 1)].split()
    return Row(
        block_id,
        " ".join(words[7:]),
        int(words[1]),
        int(words[2]),
        words[3] == "g",
        words[4] == "w",
        words[5] == "s",
        None if words[6] == "-" else words[6],
    )


def known():
    """Every Row of the table."""
    return [row(int(line.split()[0], 16)) for line in _TABLE.strip().split("\n")]


def parse(data):
    """The MBlocks of a MAC body, a list in its order. BodyError if they do not add up: then all are corrupt (Q.3.2.3.6.3.2)."""
    out, at, end = [], 0, len(data)
    while at < end:
        start, first = at, data[at]
        block_id, length = first & 15, first >> 4 & 3
        at += 1
        reserved = first & _ZERO
        if first & _MORE:
            if at == end:
                raise _corrupt("MBlocks do not add up", start)
            reserved |= data[at] & _ZERO_1
            block_id |= (data[at] & 3) << 4
            length |= (data[at] >> 4 & 7) << 2
            at += 1
        if reserved:
            raise _corrupt("an MBlock header has reserved bits", start)
        if at + length > end:
            raise _corrupt("MBlocks do not add up", start)
        out.append(MBlock(block_id, bytes(data[at : at + length])))
        at += length
    return out


def build(blocks):
    """Bytes of MBlocks. MisuseError if an ID or a length does not fit."""
    out = b""
    for block_id, value in blocks:
        length = len(value)
        if not 0 <= block_id <= _ID_MOST or length > _LONGEST:
            raise MisuseError("no MBlock {} of {} bytes".format(block_id, length))
        first = (length & 3) << 4 | block_id & 15
        if block_id > 15 or length > 3:
            out += bytes([first | _MORE, length >> 2 << 4 | block_id >> 4])
        else:
            out += bytes([first])
        out += value
    return out


def get(block_id):
    """The MBlock of a command that asks for this one; in a response it says that this one failed."""
    return MBlock(block_id, b"")


def check_plain(blocks):
    """BodyError if one of them may not stand in a body that is not secured."""
    for block_id, _ in blocks:
        found = row(block_id)
        if found is not None and found.secure:
            raise _corrupt("MBlock {:02X} in a MAC body that is not secured".format(block_id), None)


def _corrupt(message, position):
    from ...errors import BodyError

    return BodyError(message, position)
