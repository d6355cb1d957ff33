"""What no register of a radio chip tells: that it hears less than it did, and that its lines are not quiet.

Portable, integers only; a driver's receiver holds one `Health`. A fault found here is named by the driver as any other:
    silent            nothing was heard for far longer than ever lately: restart, then calibrate, then reset
    interrupt_storm   edges that nothing explains, hundreds in a tenth of a second
and counted without being a fault: spurious_edges, late_services (the host came 50 ms late or more).
"""

from omsnode.firmware.portable import const

# Of what was heard lately: how many frames until it counts, how often the longest pause among them is suspicious, how
# slowly that is forgotten (a share of 1/64 per frame).
_ENOUGH = const(5)
_TIMES = const(8)
_FORGET_SHIFT = const(6)
_LEAST_US = const(2000000)  # a silence shorter than this is none; and so long each step has to help
_STEPS = const(3)

_WINDOW_US = const(100000)
_STORM = const(200)
_LATE_US = const(50000)


class Health:
    """counters: those of the driver, where what is no fault is counted."""

    def __init__(self, counters):
        self._counters = counters
        self._longest_us = 0
        self._frames = 0
        self._heard_us = 0
        self._window_us = self._edges = 0
        self.steps = 0  # taken against this silence

    def begin(self, now_us):
        """Somebody listens (again): silence counts from here."""
        self._heard_us = now_us
        self.steps = 0

    def heard(self, now_us):
        """A frame came."""
        if self.steps == 0:  # what a deaf receiver missed is no pause
            gap_us = now_us - self._heard_us
            self._longest_us = max(gap_us, self._longest_us - (self._longest_us >> _FORGET_SHIFT))
        self._frames += 1
        self._heard_us = now_us
        self.steps = 0

    def silent(self, now_us):
        """0, or the step to take against a silence: 1 restart, 2 calibrate, 3 reset; each once."""
        if self._frames < _ENOUGH or self.steps == _STEPS:
            return 0
        limit_us = max(_LEAST_US, _TIMES * self._longest_us) + self.steps * _LEAST_US
        if now_us - self._heard_us < limit_us:
            return 0
        self.steps += 1
        return self.steps

    def spurious(self, now_us, edges=1):
        """Edges came that nothing explains. True if that makes a storm, once in a tenth of a second."""
        self.count("spurious_edges", edges)
        if now_us - self._window_us > _WINDOW_US:
            self._window_us = now_us
            self._edges = 0
        before = self._edges
        self._edges += edges
        return before < _STORM <= self._edges

    def served(self, due_us, now_us):
        """A service that was wanted at due_us."""
        if now_us - due_us > _LATE_US:
            self.count("late_services")

    def count(self, name, n=1):
        self._counters[name] = self._counters.get(name, 0) + n
