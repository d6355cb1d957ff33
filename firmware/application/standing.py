"""How well each meter has protected what it sent so far. Less than that under its number may come from anybody: it has no
place in what is remembered of the meter (plausibility, registers, load profiles).

Levels are those of frames.trust: 0 unprotected, 1 decrypted, 2 authenticated. The security sheet asks it of profiles B and D
only (10.1; roles.trust refuses there); for profile A the rule is ours. Only protected telegrams take room here, so a flood
of plain ones displaces nothing. `export` and `restore` carry it over a restart.
"""

from ..errors import StoreError
from .stored import integer

WEAKER, EQUAL, STRONGER = -1, 0, 1
WORDS = ("unprotected", "decrypted", "authenticated")
MOST = 1024  # meters
_VERSION = 1


class Standing:
    """most: how many meters are remembered; the one with the lowest level that was heard least recently makes room."""

    def __init__(self, most=MOST):
        self.most = most
        self._meters = {}  # name: (level, count when it was heard last)
        self._count = 0

    def __len__(self):
        return len(self._meters)

    def best(self, meter):
        """The best level of a meter (any text) so far."""
        return self._meters.get(meter, (0, 0))[0]

    def judge(self, meter, level):
        """WEAKER, EQUAL or STRONGER: the level of a telegram of `meter` beside the best one before, which it becomes.
        What came before a STRONGER one was anybody's."""
        best = self.best(meter)
        if level < best:
            return WEAKER
        if level:
            if meter not in self._meters and len(self._meters) >= self.most:
                del self._meters[min([(self._meters[one], one) for one in self._meters])[1]]
            self._count += 1
            self._meters[meter] = (level, self._count)
        return STRONGER if level > best else EQUAL

    def export(self):
        """All state as plain data (for a JSON file)."""
        rows = [[one] + list(self._meters[one]) for one in sorted(self._meters)]
        return {"version": _VERSION, "count": self._count, "meters": rows}

    def restore(self, state):
        """Take over what `export` gave; StoreError, and nothing changed, if it is something else."""
        meters = {}
        try:
            latest = integer(state["count"])
            if state["version"] != _VERSION:
                raise ValueError
            for meter, level, count in state["meters"][: self.most]:
                if not isinstance(meter, str) or not 0 < integer(level) < len(WORDS):
                    raise ValueError
                meters[meter] = (level, integer(count))
        except (TypeError, ValueError, KeyError):
            raise StoreError("the stored protection of meters is damaged", hint="it starts afresh")
        self._meters = meters
        self._count = latest
