"""Which uplink bursts may be of one frame, and which of its three they are (LPWAN sheet 10, 11.1).

Nothing in a burst tells its index. Two of one frame give theirs by the distance between them; one alone may be any of
the three. What is right the MAC CRC decides, which is not known here: out come the sets worth decoding, likeliest first,
and in comes which of them was right.
"""

from collections import namedtuple

from ...portable import const
from . import timing

# A burst: end of its sync in microseconds, Header, wrong chips of the header, packed chips behind the sync, and what the
# caller wants to have back with it (an Event).
Burst = namedtuple("Burst", ("at_us", "header", "wrong", "frame", "tag"))
# To decode: [(index 1 to 3, Burst)] in the order of the index (index 1 if the frame has one burst only), and T0, where
# the frame's first burst was or would have been.
Attempt = namedtuple("Attempt", ("submode", "t0_us", "bursts"))

# A meter keeps t_A and t_B within its clock's tolerance (250 ppm) and 0.5 ms. What is accepted is more: 400 ppm for the
# clocks of both, and 5 ms for when a receiver says that it was.
ACCEPTED_PPM = timing.METER_PPM + 150
ACCEPTED_US = 5000
# Two receivers heard the same burst if they say so of instants that are this near; bursts of one frame never are.
SAME_US = 20000
# The greatest number of bursts that wait for others of their frame (up to 795 bytes each), and of frames remembered.
MOST = const(64)


class Combiner:
    """Uplinks of all meters in all sub-modes, from all receivers of a host.

    counters: "duplicates" (the same chips again, or of a frame that is solved), "unsolved" (bursts of which nothing
    came until no other could join them), "dropped" (of those that waited, for lack of room).
    """

    def __init__(self, most=MOST):
        self.most = most
        self.counters = {"duplicates": 0, "unsolved": 0, "dropped": 0}
        self._waiting = []  # (sub-mode, Burst), oldest first
        self._solved = []  # (sub-mode, Header, T0), oldest first

    def add(self, submode, header, wrong, frame, at_us, tag=None):
        """A burst was received. Returns the Attempts that it makes possible, likeliest first; empty if it is a duplicate.

        submode: name, its sub-carrier does not matter. header, wrong: as header.uplink() found it. frame: packed chips
        from behind the sync. at_us: end of its sync. MisuseError if `submode` is no uplink.
        """
        submode = timing.uplink_of(submode)
        self.expire(at_us)
        offsets = _offsets(submode, header)
        burst = Burst(at_us, header, wrong, frame, tag)
        if self._is_known(submode, burst, offsets):
            self.counters["duplicates"] += 1
            return []
        others = [one for name, one in self._waiting if name == submode and one.header == header]
        attempts = []
        for i in range(len(offsets)):
            t0_us = at_us - offsets[i]
            members = [(i + 1, burst)]
            for j in range(len(offsets)):
                fitting = [] if j == i else _near(others, at_us, offsets[j] - offsets[i])
                if fitting:
                    members.append((j + 1, fitting[0]))
            first = [one.at_us for index, one in members if index == 1]
            members.sort(key=lambda one: one[0])
            attempts.append(Attempt(submode, first[0] if first else t0_us, members))
        self._waiting.append((submode, burst))
        if len(self._waiting) > self.most:
            self._waiting.pop(0)
            self.counters["dropped"] += 1
        attempts.sort(key=lambda one: (-len(one.bursts), one.bursts[0][0]))
        return attempts

    def solved(self, attempt):
        """This attempt was right. False if the frame was solved before, by another set of its bursts: do not deliver it.

        Its T0 is `attempt.t0_us`. Its bursts wait no longer, and others of it will be duplicates.
        """
        header = attempt.bursts[0][1].header
        offsets = _offsets(attempt.submode, header)
        new = self._solved_at(attempt.submode, header, attempt.t0_us, offsets[:1]) is None
        if new:
            self._solved.append((attempt.submode, header, attempt.t0_us))
            self._solved = self._solved[-self.most :]
        waiting = []
        for name, one in self._waiting:
            same = name == attempt.submode and one.header == header
            if not same or self._solved_at(name, header, one.at_us, offsets) is None:
                waiting.append((name, one))
        self._waiting = waiting
        return new

    def expire(self, now_us):
        """Forget what no burst can join any more. `add` does this too."""
        waiting = [one for one in self._waiting if one[1].at_us + _longest(one[0], one[1].header) >= now_us]
        self.counters["unsolved"] += len(self._waiting) - len(waiting)
        self._waiting = waiting
        self._solved = [one for one in self._solved if one[2] + _longest(one[0], one[1]) >= now_us]

    def _is_known(self, submode, burst, offsets):
        for name, one in self._waiting:
            # The copy of another receiver is worth a try if its chips are not the same.
            if name == submode and abs(one.at_us - burst.at_us) <= SAME_US and one.frame == burst.frame:
                return True
        return self._solved_at(submode, burst.header, burst.at_us, offsets) is not None

    def _solved_at(self, submode, header, at_us, offsets):
        """T0 of the frame that is solved and has a burst at this instant, or None."""
        for name, other, t0_us in self._solved:
            if name == submode and other == header:
                for offset in offsets:
                    if abs(at_us - t0_us - offset) <= max(accepted(offset), SAME_US):
                        return t0_us
        return None


def _offsets(submode, header):
    if not header.multi:
        return (0,)
    return [timing.burst_offset(submode, header, index) for index in (1, 2, 3)]


def accepted(distance_us):
    """By how much two instants that are so far apart may be off."""
    return ACCEPTED_US + abs(distance_us) * ACCEPTED_PPM // 1000000


def _near(bursts, at_us, distance_us):
    """The bursts that are at this distance from `at_us`, the one with the best header first."""
    most_us = accepted(distance_us)
    found = [one for one in bursts if abs(one.at_us - at_us - distance_us) <= most_us]
    return sorted(found, key=lambda one: (one.wrong, one.at_us))


def _longest(submode, header):
    """How long another burst of the frame may come."""
    longest = _offsets(submode, header)[-1]
    return longest + max(accepted(longest), SAME_US)
