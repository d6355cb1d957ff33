"""A host that stands still now and then, and one whose services are as late as measured on Linux.

What a stall means: nothing of that host runs. It is not woken and polls no clock; an SPI transfer or a look at the clock
that falls inside happens at the end of the stall. As all boards share the clock of the world, a stall in the middle of a
service also holds up the services of other hosts, as SPI transfers do; one between services does not.
"""

from bisect import bisect_right

from .air import NEVER


class Stalls:
    """Intervals of world time. intervals: iterable of (start_us, length_us), ascending, not overlapping; may be endless.
    One object may serve several boards: those of one host."""

    def __init__(self, intervals):
        self._more = iter(intervals)
        self._starts = []  # ns
        self._ends = []
        self._complete = False

    def _draw(self, until_ns):
        while not self._complete and (not self._starts or self._starts[-1] <= until_ns):
            start_us, length_us = next(self._more, (None, None))
            if start_us is None:
                self._complete = True
                return
            self._starts.append(int(start_us * 1000))
            self._ends.append(int((start_us + length_us) * 1000))

    def running_ns(self, at_ns):
        """at_ns, or if the host stands still then the end of that."""
        self._draw(at_ns)
        i = bisect_right(self._starts, at_ns) - 1
        return max(at_ns, self._ends[i]) if i >= 0 else at_ns

    def next_ns(self, at_ns):
        """Start of the first stall behind at_ns."""
        self._draw(at_ns)
        i = bisect_right(self._starts, at_ns)
        return self._starts[i] if i < len(self._starts) else NEVER

    def overlap(self, start_us, end_us):
        """True if the host stood still at any time between these two instants of world time."""
        start_ns, end_ns = start_us * 1000, end_us * 1000
        return self.running_ns(start_ns) > start_ns or self.next_ns(start_ns) < end_ns


def poisson(rng, mean_us, length_us):
    """Intervals for Stalls: one in mean_us on the average, at any time alike, each length_us long."""
    at_us = 0.0
    while True:
        at_us += rng.expovariate(1 / (mean_us - length_us))
        yield at_us, length_us
        at_us += length_us


# (share of the services, not later than so many us): GPIO edge to user code, host-seams sheet section 5, the worse of the
# figures in each row: median 55, 99 of 100 within 180, and the longest that was seen, 1600, for the last of 10,000.
LINUX = ((0.0, 20.0), (0.5, 55.0), (0.99, 180.0), (0.9999, 1600.0), (1.0, 1600.0))


def quantile(table, share):
    """What this share of all values does not exceed: between two rows of the table the logarithm is straight."""
    i = 1
    while table[i][0] < share:
        i += 1
    (before, low), (behind, high) = table[i - 1 : i + 1]
    return low * (high / low) ** ((share - before) / (behind - before))
