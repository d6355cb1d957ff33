"""Application reset and select (EN 13757-3:2018 clause 7, Tables 18-20; OMS Vol.2 8.10; sheet en13757-3-application 8.1).

CI 50/53/57: body empty = reset to the standard response, else 1 to 10 bytes that name a message application and a block of
it. CI 54/55/56 asks what is selected, CI 66/67/68 answers. MM6! (VIF FD FD 00) holds the same coding.

Inferred: how applications from 15 on are coded. High nibbles are added up, and the next byte counts as long as the nibble is
F (F then 1 is 16); the low nibbles in a row are the block number, most significant first. The sources agree on one byte
with an application of 0-14. That the response is coded like the request is inferred too.
"""

from ..errors import ApplicationError, MisuseError

RESET = 0  # the application of the standard response

_MAX_BYTES = 10
_NAMES = (
    "all",
    "user data",
    "simple billing",
    "enhanced billing",
    "multi tariff billing",
    "instantaneous values",
    "load profile management",
    "static content",
    "installation and startup",
    "testing",
    "calibration",
    "manufacturing",
    "development",
    "self test",
    "configuration",
    "user defined",
    "mobile readout",
    "fixed network readout",
    "consumer information",
)


def name(application):
    """What a message application is called; "reserved" where the sources give it no name."""
    if application < len(_NAMES):
        return _NAMES[application]
    if application in range(26, 46):
        return "manufacturer specific"
    if application in range(46, 50) or application in range(54, 58):
        return "additional fixed network readout"
    return "reserved"


def parse(body):
    """(application, block) of a selection, or None for an empty body: an application reset.

    Raises ApplicationError (position = offset of the byte that is wrong) for more than 10 bytes, or an application number
    that goes on behind its end.
    """
    if not body:
        return None
    if len(body) > _MAX_BYTES:
        raise ApplicationError("a selection has at most 10 bytes", _MAX_BYTES)
    application = block = 0
    more = True
    for offset in range(len(body)):
        byte = body[offset]
        if byte >> 4 and not more:
            raise ApplicationError("the application number goes on behind its end", offset)
        application += byte >> 4
        more = more and byte >> 4 == 15
        block = block << 4 | byte & 15
    return application, block


def build(application=None, block=0):
    """The body that selects an application and a block of it; empty, an application reset, without them.

    As few bytes as the numbers allow. Raises MisuseError when they do not fit into ten (see the module for 15 and above).
    """
    if application is None:
        return b""
    if application < 0 or block < 0:
        raise MisuseError("application and block are counted from 0")
    high = []
    while application >= 15:
        high.append(15)
        application -= 15
        if len(high) > _MAX_BYTES:
            break
    high.append(application)
    low = []
    while block or not low:
        low.append(block & 15)
        block >>= 4
        if len(low) > _MAX_BYTES:
            break
    size = max(len(high), len(low))
    if size > _MAX_BYTES:
        raise MisuseError("application or block does not fit into ten bytes")
    while len(high) < size:
        high.append(0)
    while len(low) < size:
        low.append(0)
    low.reverse()
    return bytes([high[i] << 4 | low[i] for i in range(size)])


def choose(selection, offered):
    """Meter side: the (application, block) that a selection leads to; no selection is an error (OMS 8.10).

    `selection` is what `parse` returned. `offered`: number of blocks by application number; it holds RESET. An application
    that is not offered acts as a reset, a block that there is not as block 0.
    """
    if selection is None or selection[0] not in offered:
        return RESET, 0
    application, block = selection
    return application, block if block < offered[application] else 0


def fields(body, ci):
    """The fields of a body, as protocols.read gives them. Raises as `parse`."""
    if not body:
        if ci in (0x50, 0x53, 0x57):
            return [(0, 0, "reset", "to the standard response", None)]
        return []
    application, block = parse(body)
    return [
        (0, len(body), "application", application, None),
        (len(body), 0, "application_name", name(application), None),
        (len(body), 0, "block", block, None),
    ]
