"""Radio bursts: from the PHY payload to chips on the air and back to data fields (Q.2.4.3; LPWAN sheet 3, 4, 9, 10).

    uplink     preamble 4, sync 4, CL 3, Data A, midamble 12, coded header 12, Data B; then all of it precoded
    downlink   preamble 4, sync 4, coded header 12, data

Lengths in bytes. On the air both begin with the same 64 chips.
"""

from collections import namedtuple

from ...errors import LengthError, MisuseError
from . import coded_length, fec, header, interleaver, precoding

START = b"\x55\x55\x55\x55\xc1\xfa\x4c\x6a"  # preamble and sync on the air

_UP_START = b"\x66\x66\x66\x66\x81\x53\x88\x4c"
MIDAMBLE = b"\xdf\x46\x42\x8f\x20\xb9\xbd\x70\xdf\x46\x42\x8f"  # not precoded

# Chips of a burst besides the data field: behind the sync, and in all.
_BEHIND = {"up": 27, "down": 12}

# Chips as on the air, bytes; cl, data_a and midamble are empty in a downlink.
Parts = namedtuple("Parts", ("cl", "data_a", "midamble", "header", "data_b"))


def data_bytes(head):
    """L_D, bytes in the data field of each burst of a frame with this Header."""
    return fec.coded_bytes(fec.layouts(head.multi, head.type)[0], head.length)


def n_chips(head, direction):
    """Chips of a whole burst, preamble included."""
    return 8 * (len(START) + _BEHIND[direction] + data_bytes(head))


def uplink(payload, tiv, multi, burst_type):
    """The chips (list of bytes: one burst, three if multi) of a PHY payload of 5..255 bytes.

    tiv: timing input value 0..127. multi, burst_type: sheet 7. MisuseError if there is no such burst.
    """
    coded_header, fields = _fields(payload, tiv, multi, burst_type, "up")
    bursts = []
    for data in fields:
        l_da = (len(data) + 1) >> 1
        length = coded_length.build(l_da).to_bytes(3, "big")
        bits = _UP_START + length + data[:l_da] + MIDAMBLE + coded_header + data[l_da:]
        bursts.append(precoding.precode(bits))
    return bursts


def downlink(payload, tiv, multi, burst_type):
    """As `uplink`; tiv is that of the uplink which is answered."""
    coded_header, fields = _fields(payload, tiv, multi, burst_type, "down")
    return [START + coded_header + data for data in fields]


def _fields(payload, tiv, multi, burst_type, direction):
    """(coded header, data fields)"""
    if (multi, burst_type) not in header.LEGAL[direction]:
        raise MisuseError("no {}link burst of mode {}, type {}".format(direction, multi, burst_type))
    coded_header = header.build(header.Header(len(payload), tiv, multi, burst_type))
    coded = fec.coded_payloads(payload, multi, burst_type)
    return coded_header, [interleaver.interleave(one) for one in coded]


def split(frame, direction):
    """Parts of the chips behind the sync (bytes). LengthError if no burst is that long."""
    n_data = len(frame) - _BEHIND[direction]
    if not 7 <= n_data <= 767:
        raise LengthError("a burst with {} bytes of data".format(n_data))
    if direction == "down":
        return Parts(b"", b"", b"", frame[:12], frame[12:])
    middle = 3 + ((n_data + 1) >> 1)
    return Parts(
        frame[:3],
        frame[3:middle],
        frame[middle : middle + 12],
        frame[middle + 12 : middle + 24],
        frame[middle + 24 :],
    )


def data(parts, head):
    """The data field (bytes), un-precoded if it is an uplink, of a burst whose Header is known. LengthError if it is not
    as long as the header says.

    The bits in front of Data A and Data B are then known too, whatever was received there.
    """
    n_data = data_bytes(head)
    if len(parts.data_a) + len(parts.data_b) != n_data:
        raise LengthError("{} bytes of data for {}".format(len(parts.data_a) + len(parts.data_b), head))
    if not parts.data_a:
        return parts.data_b
    before_a = coded_length.build(len(parts.data_a)) & 1
    before_b = header.build(head)[11] & 1
    return precoding.unprecode(parts.data_a, before_a) + precoding.unprecode(parts.data_b, before_b)


def receive(frame, direction, tivs=()):
    """(Header, number of wrong chips in it, data field) of the chips behind the sync. None if that is no header.

    tivs: uplink: known timing input values; downlink: the one of this meter. LengthError if the lengths do not fit.
    """
    parts = split(frame, direction)
    if direction == "up":
        found = header.uplink(parts.header, tivs, len(parts.data_a))
    else:
        found = header.downlink(parts.header, tivs[0] if tivs else None)
    if found is None:
        return None
    return found[0], found[1], data(parts, found[0])


def different(a, b):
    """Chips in which two strings of bytes differ, and those that one of them has not."""
    size = min(len(a), len(b))
    wrong = bin(int.from_bytes(a[:size], "big") ^ int.from_bytes(b[:size], "big")).count("1")
    return wrong + 8 * abs(len(a) - len(b))


def carries(payload, head, *orders):
    """Whether uplink bursts may be of this payload. orders: which they may be, each [(index 1 to 3, chips behind the sync)].

    A MAC CRC begins with 0 and is not complemented, so what the encoder makes of a frame that it divides is often divided by
    it as well: UL2 or UL3, taken for UL1, has a right CRC in one case of 54. But then its check bits are those of something
    else. Chips are compared, in which an error stays one.
    """
    sent = uplink(payload, head.tiv, head.multi, head.type)
    return any(_agrees(sent, payload, head, received) for received in orders)


def _agrees(sent, payload, head, received):
    for index, frame in received:
        if len(frame) != len(sent[index - 1]) - len(START):
            return False
        theirs, heard = split(sent[index - 1][len(START) :], "up"), split(frame, "up")
        wrong = different(theirs.data_a, heard.data_a) + different(theirs.data_b, heard.data_b)
        chips = 8 * data_bytes(head)
        alone = len(received) == 1 and index == 1
        if alone:  # the payload itself says nothing
            chips -= 8 * len(payload)
        if wrong * (3 if alone else 4) > chips:
            return False
    return True
