"""The duty cycle of a repeater (OMS Vol.2 5.2.5.2): what is kept for whom, and what a power cut must not give back.

Not every repetition is worth a write to the store. What is written counts a part of the hour as used up already; the next write
is wanted when that part has been sent.
"""

from ..errors import DutyCycleError
from ..phy.duty_cycle import SUB_BANDS, Ledger, sub_band

_OWN = 32  # this part of the duty cycle is kept for management data,
_OTHERS = 4  # this for meters that were not repeated lately
_AHEAD = 8  # and this part one write covers


class Budget(Ledger):
    """Ledger of the node and of the repeater. `export` covers what is about to be sent, until `closed`."""

    def __init__(self):
        super().__init__()
        self.closed = False  # at an orderly end: nothing more will be sent
        self._covered_us = [0] * len(SUB_BANDS)

    def allows(self, frequency_hz, air_us, at_us, lately):
        """Whether there is air time for a repetition. lately: its meter was repeated lately."""
        hour_us = _hour_us(sub_band(frequency_hz))
        kept_us = hour_us // _OWN + (hour_us // _OTHERS if lately else 0)
        try:
            self.check(frequency_hz, air_us + kept_us, at_us)
        except DutyCycleError:
            return False
        return True

    def covers(self, frequency_hz, air_us):
        """Whether what is stored covers that, and management data behind it."""
        band = sub_band(frequency_hz)
        return self._covered_us[band] >= air_us + _hour_us(band) // _OWN

    def uncover(self):
        """The last write failed."""
        self._covered_us = [0] * len(SUB_BANDS)

    def book(self, frequency_hz, air_time_us, now_us):
        super().book(frequency_hz, air_time_us, now_us)
        self._covered_us[sub_band(frequency_hz)] -= air_time_us

    def export(self, now_us):
        out = super().export(now_us)
        if not self.closed:
            for band in range(len(SUB_BANDS)):
                self._covered_us[band] = _hour_us(band) // _AHEAD
                out += [band, 0, self._covered_us[band]]
        return out


def _hour_us(band):
    return 3600000 * SUB_BANDS[band][2]
