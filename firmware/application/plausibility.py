"""Plausibility of what meters say, as named findings (sheet en13757-3-application 11.3; its text is not in the public part
of TR-03109-1, so what is checked and the limits are ours and can be set).

Nothing is altered or withheld: a finding stands beside the value. Memory is bounded: so many meters, so many data points
of each; `export` and `restore` carry it over a restart.

Findings:
  invalid value           no number: invalid marker, error digits, not a number, record error
  error state             taken during an error state of the meter (function error)
  unit changed            another unit than before
  layout changed          the same unit, but another data field or VIB (resolution)
  goes backwards          a counter is lower than before
  rolled over             a counter began again behind its last digits
  jump                    a counter grew faster than the limit of its kind
  over range              outside what the quantity can be
  register full           all digits of the data field are used up
  clock wrong             device time and reception time have no time zone in common
  clock jump              the device clock went by another span than ours (whole hours of summer time excepted)
  clock stands still      it did not move for a day
  time incomplete         a time stamp that is no instant, or a profile without complete base time
  profile incomplete      values of a compact profile are missing
  due date in the future  the date of a stored value has not come yet
  stored above current    the value of the due date is higher than the current one
  stored value changed    another value for the same due date
  not mapped              a counter that OMS Annex B does not know for this kind of device
  weaker protection       of a meter that has sent better protected (standing.py): neither compared nor registered
"""

from ..errors import StoreError
from .checks import COUNTERS, RATES, Finding, alone, is_counter
from .gateway import milliseconds
from .record import add
from .stored import integer

METERS = 64
POINTS = 40
# A telegram received up to so much before the last one is late; beyond, our clock was set back.
LATE_MS = 3600000
CLOCK_TOLERANCE_MS = 600000
_DAY_MS = 86400000
_VERSION = 2


class Plausibility:
    """Checks telegrams against what the same meter sent before.

    limits: {(quantity, unit): (mantissa, exponent) per hour} in place of the built-in ones. offsets_min: possible
    differences of the meters' clocks to UTC in minutes, None for any time zone. clock_tolerance_ms: how wrong they may be.
    """

    def __init__(
        self,
        limits=None,
        offsets_min=None,
        clock_tolerance_ms=CLOCK_TOLERANCE_MS,
        meters=METERS,
        points=POINTS,
    ):
        self.limits = dict(RATES)
        self.limits.update(limits or {})
        self.offsets_min = offsets_min
        self.clock_tolerance_ms = clock_tolerance_ms
        self.meters = meters
        self.points = points
        self._meters = {}  # address as hex: _Meter
        self._count = 0

    def check(self, telegram, received_ms=None, rank=0):
        """A list of Finding for a decoded (best: annotated) Telegram; it becomes what the next one is compared with.

        received_ms: UTC of its reception, None if unknown: then nothing is said about rates and clocks. A late telegram
        (received before the last one) is checked on its own and not remembered. rank: of the meter, when there is no room
        for all: a higher one stays, of equals the one heard last. Who finds none is checked on its own too.
        """
        if telegram.address is None or telegram.error is not None or not telegram.records:
            return []
        key = telegram.address.link_bytes().hex()
        meter = self._meters.get(key)
        if meter is None:
            meter = self._new(key, rank)
        meter.rank = rank
        self._count += 1
        meter.count = self._count
        late = received_ms is not None and meter.last_ms is not None and received_ms < meter.last_ms
        if late and meter.last_ms - received_ms > LATE_MS:
            late = False
            meter.forget_times()  # our own clock was set back
        found = []
        for record in telegram.records:
            alone(record, telegram, found)
        _storage(telegram.records, meter, received_ms, late, found)
        if not late:
            self._clock(telegram.records, meter, received_ms, found)
            self._before(telegram.records, meter, received_ms, found)
            if received_ms is not None:
                meter.last_ms = received_ms
        return found

    def forget(self, address):
        """Nothing of this meter (Address) is compared with any more."""
        self._meters.pop(address.link_bytes().hex(), None)

    def _new(self, key, rank):
        meter = _Meter()
        if len(self._meters) >= self.meters:
            last = None
            for other in self._meters:
                place = (self._meters[other].rank, self._meters[other].count, other)
                if last is None or place < last:
                    last = place
            if last[0] > rank:
                return meter
            del self._meters[last[2]]
        self._meters[key] = meter
        return meter

    def _clock(self, records, meter, received_ms, found):
        """Device time against reception time."""
        record = None
        for one in records:
            if (
                one.quantity == "date and time"
                and not one.storage
                and not one.qualifiers
                and one.function == "instantaneous"
                and one.dib
                and not one.final_dife
            ):
                record = one
                break
        device_ms = milliseconds(record.text) if record is not None and "T" in (record.text or "") else None
        if device_ms is None or received_ms is None:
            return
        shown = (("device", record.text), ("reception", (received_ms, -3, "s")))
        ahead = device_ms - received_ms
        tolerance = self.clock_tolerance_ms
        if self.offsets_min is None:
            fits = -720 * 60000 - tolerance <= ahead <= 840 * 60000 + tolerance
        else:
            fits = any([abs(ahead - offset * 60000) <= tolerance for offset in self.offsets_min])
        if not fits:
            found.append(Finding("clock wrong", record, shown + (("ahead", (ahead, -3, "s")),)))
        if meter.clock is not None:
            before, at_ms, moved_ms = meter.clock
            step, ours = device_ms - before, received_ms - at_ms
            shown = (("device", (step, -3, "s")), ("reception", (ours, -3, "s")))
            if step == 0:
                if received_ms - moved_ms > _DAY_MS:
                    found.append(Finding("clock stands still", record, shown))
            else:
                wrong = step - ours
                # Summer time begins or ends: that is no fault.
                if (
                    min([abs(wrong - hour) for hour in (-3600000, 0, 3600000)])
                    > tolerance + abs(ours) // 4000
                ):
                    found.append(Finding("clock jump", record, shown))
            meter.clock = (device_ms, received_ms, moved_ms if step == 0 else received_ms)
        else:
            meter.clock = (device_ms, received_ms, received_ms)

    def _before(self, records, meter, received_ms, found):
        """Each number against the one before."""
        seen = {}
        for record in records:
            if record.mantissa is None or not record.dib or record.function == "error":
                continue
            key = "|".join(
                (record.quantity,)
                + tuple(record.qualifiers)
                + (
                    record.function[:3],
                    "%d.%d.%d.%d"
                    % (record.storage, record.tariff, record.subunit, 1 if record.final_dife else 0),
                )
            )
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > 1:
                key += "#%d" % seen[key]
            old = meter.points.get(key)
            if old is None and len(meter.points) >= self.points:
                continue
            new = (
                record.unit,
                record.vib.hex() if record.vib else "",
                record.dib[0] & 0x0F,
                record.mantissa,
                record.exponent,
                received_ms,
            )
            if old is not None:
                self._compare(record, old, new, found)
            meter.points[key] = new

    def _compare(self, record, old, new, found):
        if old[0] != new[0]:
            found.append(Finding("unit changed", record, (("before", old[0] or ""), ("now", new[0] or ""))))
            return
        if old[1:3] != new[1:3]:
            shown = (
                ("before", "field %X, VIB %s" % (old[2], old[1])),
                ("now", "field %X, VIB %s" % (new[2], new[1])),
            )
            found.append(Finding("layout changed", record, shown))
        if not is_counter(record):
            return
        grown, exponent = add(new[3], new[4], -old[3], old[4])
        shown = (("before", (old[3], old[4], old[0])), ("now", (new[3], new[4], new[0])))
        if grown < 0:
            if record.quantity == "heat cost allocation" and 0 <= new[3] * 10 <= old[3]:
                return  # an allocator begins again at its due date
            digits = str(old[3])
            top = len(digits) >= 4 and digits[0] == "9" and old[4] == new[4] and 0 <= new[3] * 10 < old[3]
            found.append(Finding("rolled over" if top else "goes backwards", record, shown))
            return
        limit = self.limits.get((record.quantity, record.unit))
        if limit is None or old[5] is None or new[5] is None:
            return
        span = new[5] - old[5]
        # Two counts of the display are always possible, however short the time.
        more = grown - 2 * 10 ** (max(new[4], old[4]) - exponent)
        if add(more * 3600000, exponent, -limit[0] * span, limit[1])[0] > 0:
            found.append(Finding("jump", record, shown + (("time", (span, -3, "s")),)))

    # --- over a restart ---

    def export(self):
        """All state as plain data (for a JSON file)."""
        rows = []
        for key in sorted(self._meters):
            one = self._meters[key]
            points = [[name] + list(one.points[name]) for name in sorted(one.points)]
            dues = [[name] + list(one.dues[name]) for name in sorted(one.dues)]
            clock = None if one.clock is None else list(one.clock)
            rows.append([key, one.count, one.last_ms, clock, points, dues, one.rank])
        return {"version": _VERSION, "count": self._count, "meters": rows}

    def restore(self, state):
        """Take over what `export` gave; StoreError, and nothing changed, if it is something else."""
        meters = {}
        try:
            if state["version"] != _VERSION:
                raise ValueError
            count = integer(state["count"])
            for key, number, last_ms, clock, points, dues, rank in state["meters"][: self.meters]:
                one = _Meter()
                one.rank = integer(rank)
                one.count = integer(number)
                one.last_ms = None if last_ms is None else integer(last_ms)
                if clock is not None:
                    a, b, c = clock
                    one.clock = (integer(a), integer(b), integer(c))
                for name, unit, vib, field, mantissa, exponent, at_ms in points[: self.points]:
                    one.points[_text(name)] = (
                        None if unit is None else _text(unit),
                        _text(vib),
                        integer(field),
                        integer(mantissa),
                        _small(exponent),
                        None if at_ms is None else integer(at_ms),
                    )
                for name, date, mantissa, exponent in dues[: self.points]:
                    one.dues[_text(name)] = (_text(date), integer(mantissa), _small(exponent))
                meters[_text(key)] = one
        except (TypeError, ValueError, KeyError):
            raise StoreError("the stored plausibility state is damaged", hint="it starts afresh")
        self._meters = meters
        self._count = count


class _Meter:
    """What is remembered of a meter."""

    def __init__(self):
        self.rank = 0
        self.count = 0  # when it was heard last, in telegrams
        self.last_ms = None
        self.clock = None  # (device ms, reception ms, reception ms at which the device time last moved)
        self.points = {}  # key: (unit, VIB as hex, data field, mantissa, exponent, reception ms)
        self.dues = {}  # key: (due date, mantissa, exponent)

    def forget_times(self):
        self.last_ms = self.clock = None
        for key in self.points:
            self.points[key] = self.points[key][:5] + (None,)


def _small(value):
    if abs(integer(value)) > 200:  # a small real with ten multipliers comes to -124
        raise ValueError
    return value


def _text(value):
    if not isinstance(value, str):
        raise ValueError
    return value


def _storage(records, meter, received_ms, late, found):
    """Due dates and what was stored at them (storage 1)."""
    due = None
    for record in records:
        if (
            record.storage == 1
            and not record.final_dife
            and record.dib
            and record.quantity in ("date", "date and time")
            and not record.qualifiers
        ):
            due = record
            break
    due_ms = milliseconds(due.text) if due is not None else None
    # The date is local: tomorrow somewhere is no fault.
    if due_ms is not None and received_ms is not None and due_ms > received_ms + _DAY_MS:
        shown = (("due date", due.text), ("reception", (received_ms, -3, "s")))
        found.append(Finding("due date in the future", due, shown))
    for record in records:
        if record.storage != 1 or record.mantissa is None or record.final_dife or not record.dib:
            continue
        if record.quantity not in COUNTERS or record.function != "instantaneous":
            continue
        key = "%s|%s|%d.%d" % (record.quantity, record.vib.hex(), record.tariff, record.subunit)
        for other in records:
            if (
                other.storage == 0
                and other.mantissa is not None
                and other.vib == record.vib
                and other.tariff == record.tariff
                and other.subunit == record.subunit
                and other.dib
                and is_counter(other)
                and other.quantity != "heat cost allocation"
            ):
                if add(record.mantissa, record.exponent, -other.mantissa, other.exponent)[0] > 0:
                    shown = (
                        ("stored", (record.mantissa, record.exponent, record.unit)),
                        ("current", (other.mantissa, other.exponent, other.unit)),
                    )
                    found.append(Finding("stored above current", record, shown))
                break
        if due_ms is None or late:
            continue
        old = meter.dues.get(key)
        if (
            old is not None
            and old[0] == due.text
            and add(record.mantissa, record.exponent, -old[1], old[2])[0]
        ):
            shown = (
                ("due date", due.text),
                ("before", (old[1], old[2], record.unit)),
                ("now", (record.mantissa, record.exponent, record.unit)),
            )
            found.append(Finding("stored value changed", record, shown))
        if old is not None or len(meter.dues) < POINTS:
            meter.dues[key] = (due.text, record.mantissa, record.exponent)
