"""From the bursts that a radio hears to MAC frames (OMS Vol.2 Annex Q.2.4; LPWAN sheet sections 10, 11, 23).

A burst whose payload came through without an error is a frame at once. Any other one is worth a costly decoder: it goes out
as a Capture, alone or with the others of its frame, and may come back any time. Where there is none, the Viterbi decoder tries
it here.
"""

from collections import namedtuple

from ...errors import OmsError
from ...link.lpwan import mac
from ...phy import radio
from ...phy.burst import burst, combine, decode, interleaver, submodes

MESSAGE = "MAC"  # frame_format of a Message
_USEFUL_US = 120000000  # behind it: what comes of a capture can be read, but it is old
_OPEN = 32  # captures that are out
_TIVS = 16  # of meters that were heard lately

# header: phy.burst.header.Header. bursts: [(index 1..3 or None, packed chips behind the sync)] in the order in which they came.
# deadline_us: on the board's clock; an answer is of no use later.
Capture = namedtuple("Capture", ("number", "header", "bursts", "deadline_us"))


class Message:
    """A whole MAC frame, with the attributes of a radio.Event of kind FRAME. frame: bytes with CRC. submode: of the uplink.
    header: of its bursts. at_us: T0, whether that burst was heard or not. heard_us, index: of the burst that was heard last.
    """

    kind = radio.FRAME
    frame_format = MESSAGE
    lqi = error = code = None

    def __init__(self, frame, submode, header, t0_us, index, event):
        self.frame = frame
        self.family = self.submode = submode
        self.header = header
        self.at_us = t0_us
        self.heard_us = event.at_us
        self.index = index
        self.end_us = event.end_us
        self.rssi_dbm = event.rssi_dbm
        self.offset_hz = event.offset_hz


class Hearing:
    """uplink: name of the sub-mode that is listened to. costly: whether captures are fetched by somebody.

    captures: [Capture] to be handed out. counters: see combine.Combiner; and captures, late (a capture came back for which
    nobody waits), implausible (it came back with what its bursts cannot have been).
    """

    def __init__(self, uplink, costly=True):
        self.uplink = submodes.base(uplink)
        self.costly = costly
        self.captures = []
        self.combiner = combine.Combiner()
        self.counters = self.combiner.counters
        self._tivs = []
        self._open = {}  # number: Attempts
        self._number = 0

    def burst(self, event, now_us):
        """A FRAME of family B. Returns [Message]."""
        try:
            found = burst.receive(event.frame, "up", tuple(self._tivs))
        except OmsError:
            found = None
        if found is None:
            self._count("no_header")
            return []
        header, wrong, data = found
        attempts = self.combiner.add(self.uplink, header, wrong, event.frame, event.at_us, (event, data))
        if not attempts:
            return []
        self._known(header.tiv)
        for attempt in attempts:
            payload = _free(header, attempt)
            if payload is not None and _plausible(attempts, payload):
                return self._solved(attempt, payload)
        if self.costly:
            self._capture(header, attempts, now_us)
            return []
        payload = decode.payload(
            header, _data(header, attempts), lambda found: mac.valid(found) and _plausible(attempts, found)
        )
        return [] if payload is None else self._found(attempts, payload)

    def decoded(self, number, payload, now_us):
        """What became of a Capture: the PHY payload whose MAC CRC is right, or None. Returns [Message]."""
        attempts = self._open.pop(number, None)
        if attempts is None:
            self._count("late")
        if attempts is None or payload is None or not mac.valid(payload):
            return []
        if not _plausible(attempts, payload):
            self._count("implausible")
            return []
        return self._found(attempts, payload)

    def _capture(self, header, attempts, now_us):
        if len(self._open) >= _OPEN:
            del self._open[min(self._open)]
        self._number += 1
        self._open[self._number] = attempts
        self._count("captures")
        bursts = [(index, one.frame) for index, one in _members(attempts)]
        self.captures.append(Capture(self._number, header, bursts, now_us + _USEFUL_US))

    def _found(self, attempts, payload):
        """Which of the Attempts a payload belongs to tell its chips."""
        best = None
        header = attempts[0].bursts[0][1].header
        sent = burst.uplink(payload, header.tiv, header.multi, header.type)
        for attempt in attempts:
            wrong = 0
            for index, one in attempt.bursts:
                wrong += burst.different(one.frame, sent[index - 1][8:])
            wrong = wrong * 3 // len(attempt.bursts)
            if best is None or wrong < best[0]:
                best = (wrong, attempt)
        return self._solved(best[1], payload)

    def _solved(self, attempt, payload):
        if not self.combiner.solved(attempt):
            return []
        index, last = max(attempt.bursts, key=lambda one: one[1].at_us)
        return [Message(payload, self.uplink, last.header, attempt.t0_us, index, last.tag[0])]

    def _known(self, tiv):
        if tiv in self._tivs:
            self._tivs.remove(tiv)
        self._tivs = [tiv] + self._tivs[: _TIVS - 1]

    def _count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1


def _free(header, attempt):
    """The payload as it was sent, if that burst came through without an error; else None."""
    for index, one in attempt.bursts:
        if index == 1:
            found = interleaver.deinterleave(one.tag[1], header.length)
            if mac.valid(found):
                return found
    return None


def _plausible(attempts, payload):
    """Whether the bursts may be of this payload, whose MAC CRC is right."""
    header = attempts[0].bursts[0][1].header
    if len(payload) != header.length:
        return False
    if len(attempts) == 1:
        return True
    orders = [[(index, one.frame) for index, one in attempt.bursts] for attempt in attempts]
    return burst.carries(payload, header, *orders)


def _members(attempts):
    """[(index, Burst)] of the largest Attempt; None for an index that nobody knows yet."""
    bursts = attempts[0].bursts
    return bursts if len(attempts) == 1 or len(bursts) > 1 else [(None, bursts[0][1])]


def _data(header, attempts):
    known = header.multi and len(attempts[0].bursts) > 1
    return [(index if known else None, one.tag[1]) for index, one in _members(attempts)]
