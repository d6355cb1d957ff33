"""Radio bursts from their chips, and what of them was wrong on the air (OMS Vol. 2 Annex Q.2.4; LPWAN sheet sections 3 to 10)."""

import itertools
from collections import namedtuple
from typing import Any

from ..errors import CrcError, LengthError, OmsError
from ..link.lpwan import mac
from ..phy import modes
from ..phy.burst import burst, coded_length, decode, fec, header
from ..phy.burst.deframer import BurstDeframer

FIRST = "PHY payload"
_FRONT_MOST = 12  # wrong chips in preamble and sync, of 64
_SYNC_MOST = 4  # in a sync alone, of 32

# A field of a burst on the air. start, end: bytes of the chips that were given. name: as the annex calls it. wrong: chips that
# differ from what was sent, None if nobody knows.
Field = namedtuple("Field", ("start", "end", "name", "wrong"))
# Bits of a header or of a coded payload: from bit `start` on, as a text of 0 and 1.
Bits = namedtuple("Bits", ("start", "bits", "name"))


class Burst:
    """chips: as given. direction. front: bytes of them up to the end of the sync. header: Header, None if it cannot be read.
    frame: chips behind the sync to the end of the burst, None if they are not all there. data: its data field, not precoded.
    error: OmsError that says why not, or None. payload: PHY payload of the frame, index: 1 to 3, which of its bursts this is;
    both None until `solve`. is_one: whether this looks like a burst at all."""

    def __init__(self, chips, direction, front):
        self.chips = chips
        self.direction = direction
        self.front = front
        self.header: Any = None
        self.frame: bytes | None = None
        self.data: bytes | None = None
        self.error: OmsError | None = None
        self.payload: bytes | None = None
        self.index: Any = None

    @property
    def is_one(self):
        return self.front > 0 or self.header is not None

    def sent(self):
        """The chips of the whole burst as they were sent, or None if that is not known."""
        if self.payload is None:
            return None
        make = burst.uplink if self.direction == modes.UP else burst.downlink
        head = self.header
        return make(self.payload, head.tiv, head.multi, head.type)[self.index - 1]

    def fields(self):
        """[Field] over all bytes of `chips`."""
        sent = self.sent()
        late = len(burst.START) - self.front  # bytes of the burst that were not given
        out = []
        for name, start, end in _layout(self.header, self.direction):
            start, end = max(start - late, 0), min(end - late, len(self.chips))
            if end <= start:
                continue
            wrong = (
                None
                if sent is None
                else burst.different(self.chips[start:end], sent[start + late : end + late])
            )
            out.append(Field(start, end, name, wrong))
        at = out[-1].end if out else 0
        if at < len(self.chips):
            out.append(Field(at, len(self.chips), "behind the burst" if self.frame else "not read", None))
        return out

    def header_bits(self):
        """[Bits] of the coded header, as the nearest legal one has them (sheet 7)."""
        widths = (
            ("Version", 2),
            ("PHY payload length", 8),
            ("timing input value", 7),
            ("burst mode", 1),
            ("burst type", 2),
            ("header CRC", 8),
            ("P1", 28),
            ("P2", 28),
            ("T1", 6),
            ("T2", 6),
        )
        return _cut(header.build(self.header), widths)

    def coded_bits(self):
        """[Bits] of the coded payload, de-interleaved, of a burst whose index is known (sheet 5)."""
        from ..phy.burst.interleaver import deinterleave

        layout = fec.layouts(self.header.multi, self.header.type)[self.index - 1]
        n_zeros = fec.padding(layout, self.header.length)
        n_fec = 8 * self.header.length + n_zeros
        widths = []
        for kind, number in [(field[0], field[1:]) for field in layout]:
            if kind == "c" and number == "0":
                widths += [(FIRST, 8 * self.header.length), ("7/8 padding", n_zeros)]
            elif kind == "c":
                widths.append(("P" + number, n_fec))
            elif kind == "p":
                widths.append(("P3" + "ABC"[int(number)], n_fec // 7))
            else:
                widths.append(("T" + number, fec.TAIL) if kind == "t" else ("zero bits", 2))
        return _cut(deinterleave(self.data), [one for one in widths if one[1]])


def read(chips, direction):
    """The Burst in these chips (bytes), which begin with its preamble, its sync or behind that. Never raises."""
    start = burst.START
    front = 0
    if len(chips) >= 8 and burst.different(chips[:8], start) <= _FRONT_MOST:
        front = 8
    elif len(chips) >= 4 and burst.different(chips[:4], start[4:]) <= _SYNC_MOST:
        front = 4
    found = Burst(chips, direction, front)
    framer = BurstDeframer(direction)
    missing = framer.feed(chips[front:])
    found.header = framer.header
    if missing:
        found.error = framer.error
        if missing > 0:
            found.error = LengthError("the burst is cut: {} chips are missing".format(missing), len(chips))
        return found
    found.frame = framer.frame
    try:
        parts = burst.split(framer.frame, direction)
        found.data = burst.data(parts, framer.header)
    except OmsError as error:
        found.error = error
    return found


def solve(bursts):
    """The PHY payload of the Bursts of one frame, whose MAC CRC is right; each of them then knows it and its index.

    Raises what is wrong with one of them, LengthError if they are of several frames, CrcError if there is no such payload."""
    for one in bursts:
        if one.error is not None:
            raise one.error
    head = bursts[0].header
    rows = len(fec.layouts(head.multi, head.type))
    if any(one.header != head for one in bursts) or len(bursts) > rows:
        raise LengthError("bursts of more than one frame", None)
    frames = [one.frame for one in bursts]
    indices = itertools.combinations(range(1, rows + 1), len(bursts))
    orders = [list(zip(each, frames, strict=True)) for each in indices]

    def right(payload):
        down = bursts[0].direction == modes.DOWN
        return mac.valid(payload) and (down or burst.carries(payload, head, *orders))

    payload = decode.payload(head, [(None, one.data) for one in bursts], right)
    if payload is None and bursts[0].direction == modes.UP:
        payload = _costly(head, bursts)
    if payload is None:
        raise CrcError("no PHY payload with a right MAC CRC can be found in {} burst(s)".format(len(bursts)))
    _place(bursts, payload, rows)
    return payload


def _place(bursts, payload, rows):
    """Tell each which of the frame's bursts it is: they came in their order, and the nearest one it was."""
    for number, one in enumerate(bursts):
        one.payload = payload
        near = []
        for index in range(number + 1, rows - len(bursts) + number + 2):
            one.index = index
            near.append((burst.different(one.frame, one.sent()[8:]), index))
        one.index = min(near)[1]


def _costly(head, bursts):
    """As the collector's decoder in a process of its own finds it; None also where numpy is missing."""
    try:
        from . import burst_decoder, burst_joint  # noqa: F401 (the first one needs the second)
    except ImportError:
        return None
    return burst_decoder.decode(head, [(None, one.frame) for one in bursts])[0]


def coded_length_of(chips):
    """(L_DA, number of wrong chips) that CL says."""
    return coded_length.nearest(int.from_bytes(chips, "big"))


def _layout(head, direction):
    """(name, start, end) in bytes of a burst; without Header what is in the same place in all of them."""
    widths = [("Preamble", 4), ("Sync", 4)]
    if direction == modes.DOWN:
        widths.append(("Coded header", 12))
        if head is not None:
            widths.append(("Data", burst.data_bytes(head)))
    else:
        widths.append(("CL", 3))
        if head is not None:
            n_data = burst.data_bytes(head)
            n_first = (n_data + 1) >> 1
            widths += [
                ("Data A", n_first),
                ("Midamble", 12),
                ("Coded header", 12),
                ("Data B", n_data - n_first),
            ]
    out, at = [], 0
    for name, width in widths:
        out.append((name, at, at + width))
        at += width
    return out


def _cut(data, widths):
    text = "".join("{:08b}".format(byte) for byte in data)
    out, at = [], 0
    for name, width in widths:
        out.append(Bits(at, text[at : at + width], name))
        at += width
    return out
