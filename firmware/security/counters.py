"""Message counters of profiles B and D: a key made from one is never used twice (security sheet section 10.1)."""

from ..errors import MisuseError
from ..portable import const

LAST = const(0xFFFFFFFF)  # the end: it never wraps


class MessageCounter:
    """C_M of a meter. stored: what was persisted last, or None at the first start; MisuseError for anything else, since a
    counter that began again would use its values twice.

    value: the last one used. reserved: the highest that the store covers. A restart goes on behind it, so that no power
    cut, at whatever instant, makes a value come again.
    """

    def __init__(self, stored=None):
        if stored is None:
            stored = 0
        if not isinstance(stored, int) or not 0 <= stored <= LAST:
            raise MisuseError(
                "the stored message counter is damaged", None, "store one above all that were sent"
            )
        self.value = self.reserved = stored

    def take(self):
        """Go on to the next value, which belongs to one message; False at the end, where nothing is sent any more."""
        if self.value >= LAST:
            return False
        self.value += 1
        return True

    def raise_to(self, value):
        """A command with this counter was authentic: the meter's messages count on from there."""
        if value > self.value:
            self.value = value

    def covered(self):
        """Whether a restart could not use the present value again."""
        return self.value <= self.reserved

    def reserve(self, ahead):
        """What has to be stored for this value and `ahead` more; they may be used once it is."""
        self.reserved = min(self.value + ahead, LAST)
        return self.reserved
