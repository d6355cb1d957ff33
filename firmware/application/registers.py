"""Registers of a gateway: the value of an OBIS code at each full 15 or 60 minutes of UTC (BSI detail specification for
TR-03109-1 ch. 10, OMS Vol.2 Annex R; sheet en13757-3-application 7.4, 11.1, 11.2).

A value is registered at the target time that it is nearest to, and the nearest one wins (of two equally near ones the
first heard). It counts if it was measured within the acceptance window, 1 % of the registration period before or behind
the target time; else the register says "no value in window" and shows the nearest one beside that. A target time is
closed half a period behind it. Values for it that come later (inverse profiles, late telegrams) still fill a hole, as
long as it is remembered. Times are UTC, milliseconds since 1970: summer time does not exist here. Everything is bounded,
and `export` and `restore` carry it over a restart. Delivery is at least once: what was closed since the last export is
closed again behind a power cut.
"""

from ..errors import StoreError
from .stored import integer

MINUTE_MS = 60000
KEEP = 8  # closed target times that may still be filled; also the missing ones that are told one by one
MOST = 256  # registers
_VERSION = 2


def window_ms(period_ms):
    """Acceptance window to either side of a target time: 1 % of the registration period (9 s, 36 s)."""
    return period_ms // 100


def default_periods(device_type):
    """Registration periods in ms for a device type: 15 minutes for electricity, else 60 (MsbG section 2 no. 27)."""
    return (15 * MINUTE_MS,) if device_type == 2 else (60 * MINUTE_MS,)


class Entry:
    """A register at a target time.

    target_ms. measured_ms, mantissa, exponent, unit: the value that counts; all None if none was measured in the window.
    nearest: then the nearest value outside as (measured_ms, mantissa, exponent, unit), or None. count: over how many
    target times in a row this "no value" stands, 1 for a value. late: it fills a hole that was told before.
    gateway_word, meter_word: status words of the telegram that brought the value (0 where there is none).
    """

    measured_ms = None
    mantissa = None
    exponent = None
    unit = None
    nearest = None
    gateway_word = 0
    meter_word = 0

    def __init__(self, target_ms, count=1, late=False):
        self.target_ms = target_ms
        self.count = count
        self.late = late


class Register:
    """One OBIS code at one registration period. rank: of its meter, for Registers.

    counters: duplicates (the same value again), contradictions (another value for the same instant; the first one
    stays), stale (too old to be remembered), clock_steps.
    """

    rank = 0

    def __init__(self, period_ms, keep=KEEP):
        self.period_ms = period_ms
        self.window_ms = window_ms(period_ms)
        self.keep = keep
        self.next = None  # number of the target time to close next: target_ms // period_ms
        self.now_ms = None  # latest time it was told
        self.slots = {}  # number: (measured_ms, mantissa, exponent, unit, gateway word, meter word)
        self.counters = {"duplicates": 0, "contradictions": 0, "stale": 0, "clock_steps": 0}

    @property
    def due_ms(self):
        """When `close` has something to tell, None before the first value."""
        return None if self.next is None else self.next * self.period_ms + self.period_ms // 2

    def _inside(self, number, slot):
        return slot is not None and abs(slot[0] - number * self.period_ms) <= self.window_ms

    def feed(self, measured_ms, mantissa, exponent, unit, gateway_word=0, meter_word=0):
        """Take a value. Returns None, or the Entry of a closed target time whose hole it fills."""
        period = self.period_ms
        number = (measured_ms + period // 2) // period
        if self.next is None:
            # A target time that was over before anything was heard is no hole.
            self.next = number if measured_ms <= number * period + self.window_ms else number + 1
        if number < self.next - self.keep:
            self.counters["stale"] += 1
            return None
        slot = (measured_ms, mantissa, exponent, unit, gateway_word, meter_word)
        old = self.slots.get(number)
        if old is not None:
            if old[0] == measured_ms:
                same = old[1:4] == slot[1:4]
                self.counters["duplicates" if same else "contradictions"] += 1
                return None
            if abs(old[0] - number * period) <= abs(measured_ms - number * period):
                return None
            if number < self.next and self._inside(number, old):
                return None  # told already, and right
        self.slots[number] = slot
        if number < self.next and self._inside(number, slot):
            return self._entry(number, late=True)
        return None

    def close(self, now_ms):
        """The Entries of all target times that are over at `now_ms`, oldest first. Of a longer silence than is
        remembered the first part is one Entry with a count."""
        if self.now_ms is not None and now_ms < self.now_ms - self.keep * self.period_ms:
            # The clock was set back farther than we remember: what we took for the future never was.
            self.counters["clock_steps"] += 1
            self.next = None
            self.slots = {}
        self.now_ms = now_ms
        out = []
        if self.next is None:
            return out
        last = (now_ms - self.period_ms // 2) // self.period_ms
        while self.next <= last:
            number = self.next
            if number not in self.slots:
                held = [one for one in self.slots if number < one <= last]
                missing = (min(held) if held else last + 1) - number
                if missing > self.keep:
                    out.append(Entry(number * self.period_ms, missing - self.keep))
                    self.next = number + missing - self.keep
                    continue
            out.append(self._entry(number))
            self.next = number + 1
        for number in [one for one in self.slots if one < self.next - self.keep]:
            del self.slots[number]
        return out

    def _entry(self, number, late=False):
        entry = Entry(number * self.period_ms, late=late)
        slot = self.slots.get(number)
        if self._inside(number, slot):
            entry.measured_ms, entry.mantissa, entry.exponent, entry.unit = slot[:4]
        elif slot is not None:
            entry.nearest = slot[:4]
        if slot is not None:
            entry.gateway_word, entry.meter_word = slot[4:]
        return entry

    def export(self):
        """Its state as lists, integers and texts."""
        slots = [[number] + list(self.slots[number]) for number in sorted(self.slots)]
        return [self.period_ms, self.next, self.now_ms, slots]

    @classmethod
    def restore(cls, state, keep=KEEP):
        """The Register that `export` described; StoreError if that is no such thing."""
        try:
            period_ms, following, now_ms, slots = state
            result = cls(integer(period_ms), keep)
            if result.period_ms < 100 or len(slots) > 1000:
                raise ValueError
            result.next = None if following is None else integer(following)
            result.now_ms = None if now_ms is None else integer(now_ms)
            for number, measured, mantissa, exponent, unit, gateway, meter in slots:
                if unit is not None and not isinstance(unit, str):
                    raise ValueError
                for one in (number, measured, mantissa, exponent, gateway, meter):
                    integer(one)
                result.slots[number] = (measured, mantissa, exponent, unit, gateway, meter)
        except (TypeError, ValueError):
            raise StoreError("the stored state of a register is damaged", hint="it starts afresh")
        return result


class Registers:
    """All registers of a gateway: one for each meter, OBIS code and period.

    periods: function of the device type that returns the registration periods in ms. When there are `most`, the one with
    the lowest rank that was fed least recently makes room, but not to a lower rank.
    """

    def __init__(self, periods=default_periods, most=MOST):
        self.periods = periods
        self.most = most
        self._rows = {}  # (meter, obis, period_ms): Register
        self._due_ms = None  # nothing is to be closed before, as long as the clock was not set back
        self._now_ms = None

    def __len__(self):
        return len(self._rows)

    def feed(self, meter, device_type, values, now_ms, gateway_word=0, meter_word=0, rank=0):
        """Take the values (gateway.Value) of a telegram of `meter` (any text), received at now_ms, and close what is
        over. Returns a list of (meter, obis, period_ms, Entry).

        Registered are numbers of the meter with a unit, an OBIS code of its medium and an instant that is not to come.
        """
        out = []
        for period_ms in self.periods(device_type):
            for value in values:
                if not registrable(value) or value.measured_ms > now_ms:  # an entry of a forward profile
                    continue
                key = (meter, value.obis, period_ms)
                register = self._rows.get(key)
                if register is None:
                    register = self._new(key, rank)
                    if register is None:
                        continue
                register.rank = rank
                entry = register.feed(
                    value.measured_ms, value.mantissa, value.exponent, value.unit, gateway_word, meter_word
                )
                if register.now_ms is None:
                    register.now_ms = now_ms
                if self._due_ms is not None and register.due_ms < self._due_ms:
                    self._due_ms = register.due_ms
                if entry is not None:
                    out.append(key + (entry,))
        return out + self.close(now_ms)

    def close(self, now_ms):
        """Close what is over at now_ms. Returns a list as `feed` does."""
        out = []
        if self._due_ms is not None and self._now_ms <= now_ms < self._due_ms:
            return out
        self._due_ms = None
        self._now_ms = now_ms
        for key in sorted(self._rows):
            register = self._rows[key]
            for entry in register.close(now_ms):
                out.append(key + (entry,))
            due = register.due_ms
            if due is not None and (self._due_ms is None or due < self._due_ms):
                self._due_ms = due
        return out

    def forget(self, meter):
        """Nothing of this meter is told any more."""
        for key in [one for one in self._rows if one[0] == meter]:
            del self._rows[key]

    def _new(self, key, rank):
        if len(self._rows) >= self.most:
            # Ours to forget: of the lowest rank the register whose last value is the oldest.
            last = None
            for other in self._rows:
                slots = self._rows[other].slots
                newest_ms = max([slots[number][0] for number in slots] or [0])
                place = (self._rows[other].rank, newest_ms, other)
                if last is None or place < last:
                    last = place
            if last[0] > rank:
                return None
            del self._rows[last[2]]
        self._rows[key] = Register(key[2])
        return self._rows[key]

    def export(self):
        """All state as plain data (for a JSON file)."""
        rows = [
            [key[0], key[1]] + self._rows[key].export() + [self._rows[key].rank] for key in sorted(self._rows)
        ]
        return {"version": _VERSION, "registers": rows}

    def restore(self, state):
        """Take over what `export` gave; StoreError, and nothing changed, if it is something else."""
        rows = {}
        try:
            if state["version"] != _VERSION:
                raise ValueError
            for row in state["registers"][: self.most]:
                register = Register.restore(row[2:6])
                register.rank = integer(row[6])
                if not isinstance(row[0], str) or not isinstance(row[1], str):
                    raise ValueError
                rows[(row[0], row[1], register.period_ms)] = register
        except (TypeError, ValueError, KeyError, IndexError):
            raise StoreError("the stored registers are damaged", hint="they start afresh")
        self._rows = rows
        self._due_ms = None


def registrable(value):
    """Whether a gateway.Value belongs into a register: a usable number with a unit that was measured at a known instant,
    under a current OBIS code (F = 255) of a medium that is no time or period (A > 0, C > 0)."""
    obis = value.obis
    return (
        value.mantissa is not None
        and value.measured_ms is not None
        and value.unit is not None
        and obis is not None
        and value.usable
        and obis[-4:] == "*255"
        and obis[0] != "0"
        and obis[obis.find(":") + 1 :].split(".")[0] != "0"
    )
