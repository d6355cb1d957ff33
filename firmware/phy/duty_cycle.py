"""How long a transmitter may be on the air per hour (ERC/REC 70-03, EN 300 220; link sheet 1.3).

The hour slides. A transmission counts as a whole until one hour after its end, so that in no hour at all, wherever it
begins, the limit is exceeded.
"""

from ..errors import DutyCycleError, MisuseError
from ..portable import const

_HOUR_US = const(3600 * 1000000)

# (lowest Hz, highest Hz, per mille of the time)
SUB_BANDS = (
    (868000000, 868600000, 10),  # S, T2 downlink
    (868700000, 869200000, 1),  # T and C uplink
    (869400000, 869650000, 100),  # C2 downlink
    (169400000, 169475000, 100),  # N
    (433050000, 434790000, 100),  # F
)

# Booked transmissions that are kept apart per sub-band; more are merged, to the safe side.
ENTRIES = 64


def sub_band(frequency_hz):
    """Index in SUB_BANDS of a carrier frequency in Hz; MisuseError if it lies in none."""
    for i in range(len(SUB_BANDS)):
        low, high, _ = SUB_BANDS[i]
        if low <= frequency_hz <= high:
            return i
    raise MisuseError("{} Hz lies in no sub-band known here".format(frequency_hz))


class Ledger:
    """Air time of one transmitter, per sub-band."""

    def __init__(self):
        # Per sub-band: [end of a transmission in us, its air time in us, ...], oldest first.
        self._bands = [[] for _ in SUB_BANDS]

    def check(self, frequency_hz, air_time_us, now_us):
        """Raise DutyCycleError if a transmission of `air_time_us` that starts at `now_us` would exceed the limit.

        `allowed_at_us` of the error is the first instant at which the same question is answered with yes, if nothing
        is sent until then; None if it never is. MisuseError if the frequency lies in no sub-band. Changes nothing.
        """
        band = sub_band(frequency_hz)
        limit = _HOUR_US // 1000 * SUB_BANDS[band][2]
        entries = self._bands[band]
        used = 0
        for i in range(0, len(entries), 2):
            if entries[i] + _HOUR_US > now_us:
                used += entries[i + 1]
        allowed_at_us = now_us
        for i in range(0, len(entries), 2):
            if used + air_time_us <= limit:
                break
            if entries[i] + _HOUR_US > now_us:
                used -= entries[i + 1]
                allowed_at_us = entries[i] + _HOUR_US
        if used + air_time_us > limit:
            raise DutyCycleError("{} us on the air is more than an hour may hold".format(air_time_us))
        if allowed_at_us > now_us:
            raise DutyCycleError(
                "the duty cycle of {} Hz is used up for {} us".format(frequency_hz, allowed_at_us - now_us),
                allowed_at_us,
            )

    def book(self, frequency_hz, air_time_us, now_us):
        """Note a transmission that starts at `now_us` and lasts `air_time_us`. Starts must not decrease."""
        entries = self._bands[sub_band(frequency_hz)]
        while entries and entries[0] + _HOUR_US <= now_us:
            entries[:2] = []
        entries += [now_us + air_time_us, air_time_us]
        if len(entries) > 2 * ENTRIES:
            _merge(entries)

    def export(self, now_us):
        """State as a flat list of integers that outlives a restart of the clock: sub-band index, microseconds since
        the end, air time in microseconds, and so on.
        """
        out = []
        for band in range(len(self._bands)):
            entries = self._bands[band]
            for i in range(0, len(entries), 2):
                if entries[i] + _HOUR_US > now_us:
                    out += [band, now_us - entries[i], entries[i + 1]]
        return out

    def restore(self, state, now_us):
        """Replace the state by one from `export`; the time between counts as zero, which is the safe side.

        MisuseError, and nothing changed, if `state` is not such a list.
        """
        bands = [[] for _ in SUB_BANDS]
        if not isinstance(state, list) or len(state) % 3 or not all([isinstance(one, int) for one in state]):
            raise MisuseError("duty-cycle state is no list of triples")
        for i in range(0, len(state), 3):
            band, age_us, air_time_us = state[i], state[i + 1], state[i + 2]
            if not 0 <= band < len(bands) or air_time_us < 0 or not -_HOUR_US <= age_us <= _HOUR_US:
                raise MisuseError("duty-cycle state is damaged", i)
            bands[band] += [now_us - age_us, air_time_us]
            if len(bands[band]) > 2 * ENTRIES:
                _merge(bands[band])
        self._bands = bands


def _merge(entries):
    """Join two neighbours, where it costs least: the older counts longer by their distance, never shorter."""
    best, least = 0, None
    for i in range(0, len(entries) - 2, 2):
        cost = (entries[i + 2] - entries[i]) * entries[i + 1]
        if least is None or cost < least:
            best, least = i, cost
    entries[best : best + 4] = [entries[best + 2], entries[best + 1] + entries[best + 3]]
