"""`--profiles`: load profiles of `decode` and `collect`, put together from all telegrams, behind the end of input."""

import contextlib
import json
import sys

from omsnode.firmware.application import frames, gateway
from omsnode.firmware.application.series import Profiles
from omsnode.firmware.application.standing import STRONGER, WEAKER, Standing
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.host.json_lines import decimal
from omsnode.firmware.host.table import printable
from omsnode.firmware.link import address_text
from omsnode.firmware.transport.ci import DOWN

HELP = """\
--profiles prints behind the end of input one line {"profile": quantity, "meter": ..., "points": [...]} per meter and data
point (with --format table a list): every value that is stored with a date, from all telegrams, in the order of time. It
stands together however the meter sends it (storage numbers, compact or inverse profiles, messages over several telegrams).
Times are those of the meter, without a time zone; where a profile ends "now" they are the reception in UTC. A value that
comes again is counted ("duplicates"); of two different ones the first counts ("contradictions"). What is less protected
than the meter was before is left out. Values without a time and what found no room are told on standard error.
"""

_YEAR = 35136  # quarter hours
_METERS = 256
_POINTS = 500000


def add_options(parser):
    """--profiles."""
    parser.add_argument(
        "--profiles",
        action="store_true",
        help="at the end, the load profiles of each meter, from all its telegrams (json and table; see below)",
    )


def of(args, key_for):
    """The Gathered of the options, or None; MisuseError if they do not fit together. key_for: as for Gathered."""
    if not args.profiles:
        return None
    if args.format not in ("json", "table"):
        raise MisuseError(
            "--profiles does not go with --format {}".format(args.format), hint="use --format json or table"
        )
    return Gathered(args.format, args.units, key_for)


@contextlib.contextmanager
def behind(args, key_for, deliver):
    """The function `deliver` of a collector's Reading, with what we add; at the end the profiles are printed."""
    gathered = of(args, key_for)
    if gathered is None:
        yield deliver
        return

    def with_profiles(reading):
        received_ms = None if reading.wall_us is None else reading.wall_us // 1000
        gathered.feed(reading.telegram, received_ms, reading.name)
        deliver(reading)

    try:
        yield with_profiles
    finally:
        gathered.tell()


class _Meter:
    """rank: who makes room last. count: when it was heard last. points: how many there are in its profiles."""

    def __init__(self, name):
        self.name = name
        self.received = None  # when it was heard last, ISO text
        self.rank = self.count = self.points = 0
        self.profiles = Profiles(_YEAR)


class Gathered:
    """The profiles of all meters. form: json or table. wishes: units (host.conversion.parse), or None. key_for: function of
    an Address that returns its Key or None. meters, points: how many are kept; who is known or proved its protection stays
    longer, then who was heard last. dropped: meters for which there was no room."""

    def __init__(self, form="json", wishes=None, key_for=None, meters=_METERS, points=_POINTS):
        self.form = form
        self.wishes = wishes
        self.meters = meters
        self.points = points
        self.dropped = 0
        self._key_for = key_for or (lambda address: None)
        self._standing = Standing()
        self._meters: dict[str, _Meter] = {}
        self._count = 0
        self._total = 0

    def __len__(self):
        return len(self._meters)

    def feed(self, telegram, received_ms, name=None):
        """Take the values of a Telegram, received at this UTC (None: unknown) from a meter that the configuration names."""
        if telegram.error is not None or telegram.address is None or not telegram.records:
            return
        if telegram.tpl is not None and telegram.tpl.direction == DOWN:
            return
        key = address_text.show(telegram.address)
        level = frames.trust(telegram)
        judged = self._standing.judge(key if name is None else name, level)
        if judged == WEAKER:
            return
        if judged == STRONGER:
            self._forget(key)
        meter = self._meters.get(key) or _Meter(name)
        meter.received = None if received_ms is None else gateway.utc_text(received_ms)[:19]
        meter.profiles.feed(telegram.records, meter.received)
        if meter.profiles.empty:
            return
        self._count += 1
        meter.count = self._count
        meter.rank = 2 * level + (name is not None or self._key_for(telegram.address) is not None)
        self._meters[key] = meter
        points = sum(len(series.points) for series in meter.profiles.series.values())
        self._total += points - meter.points
        meter.points = points
        while len(self._meters) > self.meters or self._total > self.points:
            self._forget(min(self._meters, key=lambda one: (self._meters[one].rank, self._meters[one].count)))
            self.dropped += 1

    def _forget(self, key):
        meter = self._meters.pop(key, None)
        if meter is not None:
            self._total -= meter.points

    def tell(self):
        """Print it all, and on standard error what is not in it."""
        for line in self.json() if self.form == "json" else self.table():
            print(line)
        sys.stdout.flush()
        for key, meter in sorted(self._meters.items()):
            _note(meter.profiles.undated, "values of profiles have no time, of meter " + key)
            _note(meter.profiles.dropped, "values belong to more data points than are kept, of meter " + key)
        _note(self.dropped, "times a meter's profiles were dropped for want of room")

    def _rows(self):
        """(address, name, Key of application.series, Series, unit, function of a Point: its number as text)"""
        for address, meter in sorted(self._meters.items()):
            meter.profiles.end(meter.received)  # of a message that broke off
            for key, series in meter.profiles.series.items():
                yield (address, meter.name, key, series, *self._unit(key))

    def _unit(self, key):
        """(unit in which a series is told, function of a Point: its number as text, None if it has none)"""
        found = None
        if self.wishes and key.unit:
            from omsnode.firmware.host import conversion

            found = conversion.wished(key.unit, key.quantity, self.wishes)

        def number(point):
            value = point.mantissa, point.exponent
            if point.mantissa is None:
                return None
            return decimal(*(conversion.convert(*value, *found) if found else value))

        return found[1].name if found else key.unit, number

    def json(self):
        """The lines of --format json."""
        for address, name, key, series, unit, number in self._rows():
            points = (
                '{{"time": {}, "value": {}, "flag": {}, "storage": {}}}'.format(
                    _text(point.time), number(point) or "null", _text(point.flag), point.storage
                )
                for point in series.points
            )
            contradictions = (
                '{{"time": {}, "kept": {}, "refused": {}}}'.format(
                    _text(kept.time), number(kept), number(refused)
                )
                for kept, refused in series.contradictions
            )
            yield (
                '{{"profile": {}, "meter": {}, "name": {}, "unit": {}, "function": {}, "tariff": {}, "subunit": {}, '
                '"final_dife": {}, "points": [{}], "duplicates": {}, "dropped": {}, "contradictions": [{}]}}'
            ).format(
                _text(_quantity(key)),
                _text(address),
                _text(name),
                _text(unit),
                _text(key.function),
                key.tariff,
                key.subunit,
                _text(bool(key.final_dife)),
                ", ".join(points),
                series.duplicates,
                series.dropped,
                ", ".join(contradictions),
            )

    def table(self):
        """The lines of --format table."""
        for address, name, key, series, unit, number in self._rows():
            what = [_quantity(key)] + ([unit] if unit else [])
            what += [key.function] if key.function != "instantaneous" else []
            what += [
                word + str(count)
                for word, count in (("tariff ", key.tariff), ("subunit ", key.subunit))
                if count
            ]
            yield "profile of {}{}  {}".format(
                address, " (" + printable(name) + ")" if name else "", printable(", ".join(what))
            )
            for point in series.points:
                flag = " (" + point.flag + ")" if point.flag else ""
                yield "  {}  {}{}".format(point.time, number(point) or "-", flag)
            for kept, refused in series.contradictions:
                yield "  {}: {} came first, {} is not taken".format(kept.time, number(kept), number(refused))
            if series.dropped:
                yield "  {} older values had no room".format(series.dropped)


def _quantity(key):
    return ", ".join((key.quantity, *key.qualifiers))


def _text(value):
    return json.dumps(value, ensure_ascii=False)


def _note(count, words):
    if count:
        print("omsnode: {} {}".format(count, words), file=sys.stderr, flush=True)
