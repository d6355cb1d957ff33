"""What a burst meter makes of the bursts in its windows: one frame, of one burst or of any of three (LPWAN sheet 5, 7, 10, 23).

Place: below meter.py; no time in it."""

from ...errors import LengthError
from ...phy.burst import burst, decode

FOREIGN, HEADER, WHOLE = "foreign", "header", "whole"


class Collector:
    """tiv: of this meter. check: function that tells whether a PHY payload is right (link.lpwan.mac.valid)."""

    def __init__(self, tiv, check):
        self.tiv = tiv
        self.check = check
        self.reset()

    def reset(self):
        """A new uplink: what came before was the answer to another one."""
        self._header = None
        self._data = {}

    def add(self, chips, index):
        """(FOREIGN, None), (HEADER, None): a burst for us, but no way leads to its frame yet; (WHOLE, PHY payload).

        chips: behind the sync, as the deframer gives them. index: 1..3 as the slot carries DL1 to DL3.
        """
        try:
            found = burst.receive(chips, "down", (self.tiv,))
        except LengthError:
            return FOREIGN, None
        if found is None or found[0].tiv != self.tiv:
            return FOREIGN, None
        head, _, data = found
        if not head.multi:
            payload = decode.payload(head, [(None, data)], self.check)
            return (HEADER, None) if payload is None else (WHOLE, payload)
        if head != self._header:
            self._header, self._data = head, {}
        before = self._data.get(index)
        self._data[index] = data
        payload = self._decode()
        if payload is None and before is not None and before != data:
            # The same burst in another slot: the one that was here before may have been the better one.
            self._data[index] = before
            payload = self._decode()
            self._data[index] = data
        return (HEADER, None) if payload is None else (WHOLE, payload)

    def _decode(self):
        return decode.payload(self._header, sorted(self._data.items()), self.check)
