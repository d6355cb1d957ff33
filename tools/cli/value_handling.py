"""`--gateway`: what a smart meter gateway makes of readings (values per OBIS code with the time they were measured, status
words, plausibility, registers), as a "gateway" object in each reading's JSON and as lines of registers between them."""

import argparse
import contextlib
import datetime
import json
import sys

from omsnode.firmware.application import gateway, obis, standing, status_words
from omsnode.firmware.application.checks import Finding
from omsnode.firmware.application.frames import trust
from omsnode.firmware.application.plausibility import Plausibility
from omsnode.firmware.application.registers import MINUTE_MS, Registers, default_periods
from omsnode.firmware.application.standing import EQUAL, STRONGER, WEAKER, Standing
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.host.json_lines import decimal
from omsnode.firmware.host.store import JsonStore
from omsnode.firmware.link import address_text

from . import output

HELP = """\
--gateway adds to each line: "gateway": {"received": UTC, "values": one per OBIS code with the time at which it was
"measured" (reception minus actuality duration; entries of an inverse profile that much earlier), "status": gateway and
meter status words of BSI TR-03109-1, "findings": what is implausible, by name}. Original values are never changed.
Between the readings stand lines that begin with {"register": OBIS code, ...}: the value at each full 15 minutes
(electricity) or 60 minutes (else) UTC, measured within 1 % of that period before or behind it, or null and the nearest
one. With state_dir in the configuration they go on after a restart; behind a power cut a line may come twice.
Lines have to come in the order of time (sort a recording first): what is up to 1 h older than a line of the same meter
before it is not compared with it, and fills a register of the last 8 periods; what is older still is taken for a clock
that was set back, and "goes backwards" may be told of it.
A meter that has sent encrypted or authenticated is not believed with less: such a telegram is printed with the finding
"weaker protection", and neither compared nor registered. 64 meters and 256 registers are remembered; when there are more,
strangers make room first, meters with a name or a key later, and those whose protection was proved last.
"""

_SAVE_MS = 300000


def add_options(parser):
    group = parser.add_argument_group("gateway")
    group.add_argument(
        "--gateway",
        action="store_true",
        help='add values, times, status words and findings of a smart meter gateway ("gateway"), and register lines',
    )
    group.add_argument(
        "--periods",
        type=_periods,
        metavar="MINUTES",
        help="registration periods for every meter: 15, 60 or 15,60 (default: electricity 15, else 60)",
    )


def _periods(text):
    minutes = text.split(",")
    if not set(minutes) <= {"15", "60"} or len(set(minutes)) != len(minutes):
        raise argparse.ArgumentTypeError("15, 60 or 15,60")
    return tuple(int(one) * MINUTE_MS for one in minutes)


def of(args, key_for, state_dir=None, name="main"):
    """The ValueHandling that the options ask for, or None. MisuseError if they do not fit together, StoreError if the
    state is in use by another process. key_for: as for ValueHandling. name: of the radio, whose state is a file of its own.
    """
    if not args.gateway:
        if args.periods:
            raise MisuseError("--periods is a part of --gateway", hint="add --gateway")
        return None
    if args.format != "json":
        raise MisuseError("--gateway needs --format json")
    periods = args.periods
    store = None
    if state_dir is not None:
        store = JsonStore(state_dir, "gateway-" + name)
        store.claim()
    return ValueHandling(default_periods if periods is None else lambda device_type: periods, store, key_for)


@contextlib.contextmanager
def delivering(args, key_for, state_dir, name):
    """The function that prints the readings of a collector as the options say; at the end the state is stored."""
    handling = of(args, key_for, state_dir, name)
    if handling is None:
        yield output.printer(args.format, wishes=args.units)
        return
    try:
        yield handling.printer(output.converted(output.as_json, args.units))
    finally:
        handling.saved(due=True)


def instant(timestamp):
    """Milliseconds of an ISO 8601 text in UTC, None for None or what is no instant."""
    try:
        moment = datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None
    if moment.tzinfo is None:
        return None
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(milliseconds=1)


class ValueHandling:
    """periods: function of the device type (application.registers). store: where state goes, None for nowhere. key_for:
    function of an Address that returns its Key or None."""

    def __init__(self, periods=default_periods, store=None, key_for=None):
        self.standing = Standing()
        self.plausibility = Plausibility()
        self.registers = Registers(periods)
        self.names = {}  # meter: its name in the configuration
        self.last_ms = None
        self._key_for = key_for or (lambda address: None)
        self._store = store
        self._saved_ms = None
        self._failed = False
        state = store.load() if store else None
        if store and store.problem:
            _say(store.problem)
        if state is not None:
            self._restore(state)

    def _parts(self):
        return (
            ("standing", self.standing),
            ("plausibility", self.plausibility),
            ("registers", self.registers),
        )

    def _restore(self, state):
        for name, part in self._parts():
            try:
                part.restore(state.get(name))
            except StoreError as error:
                _say(error)

    def lines(self, render, telegram, received_ms, name=None):
        """The JSON line of a telegram with "gateway" in it, and the lines of registers that are told behind it.

        render: function of nothing that gives the line as it is without; called when the values have been taken, because
        it may convert them.
        """
        obis.annotate(telegram)
        address = telegram.address
        believed = address is not None and telegram.error is None and not telegram.to_meter
        meter = address_text.show(address) if believed else None
        rank = 0
        if meter is None:
            findings = []
        else:
            level = trust(telegram)
            weaker = self._weaker(telegram, meter, name, level)
            rank = 2 * level + (name is not None or self._key_for(address) is not None)
            findings = weaker or self.plausibility.check(telegram, received_ms, rank)
            if weaker:
                meter = None
        words = status_words.of(telegram, received_ms, status_words.WARNING if findings else 0)
        values = gateway.values(telegram, received_ms)
        shown = _gateway(values, words, findings, received_ms)
        told = []
        if received_ms is not None:
            self.last_ms = received_ms
            if meter is not None:
                told = self.registers.feed(
                    meter, address.device_type, values, received_ms, words.gateway, words.meter, rank
                )
            else:
                told = self.registers.close(received_ms)
        return [with_gateway(render(), shown)] + [self._register(row) for row in told]

    def _weaker(self, telegram, meter, name, level):
        """The finding, in a list, if the meter has protected better what it sent before. If this is the first time that it
        is protected so well, what came before is forgotten."""
        who = meter if name is None else name  # a name may stand for several addresses
        best = self.standing.best(who)
        judged = self.standing.judge(who, level) if telegram.records else EQUAL
        if judged == WEAKER:
            words = (("before", standing.WORDS[best]), ("now", standing.WORDS[level]))
            return [Finding("weaker protection", None, words)]
        if judged == STRONGER:
            self.plausibility.forget(telegram.address)
            for other in [meter] + [one for one in self.names if self.names[one] == who]:
                self.registers.forget(other)
        if name is not None:
            if len(self.names) >= standing.MOST:
                self.names.clear()
            self.names[meter] = name
        return []

    def saved(self, due=False):
        """Store the state, if it was not stored for a while (due: in any case). Called when the lines are out, so that
        none is lost. A full disk is told, once, and stops no reading."""
        if self._store is None or self.last_ms is None:
            return
        if not due and self._saved_ms is not None and abs(self.last_ms - self._saved_ms) < _SAVE_MS:
            return
        self._saved_ms = self.last_ms
        state = {name: part.export() for name, part in self._parts()}
        try:
            self._store.save(state)
            self._failed = False
        except StoreError as error:
            if not self._failed:
                _say(error)
            self._failed = True

    def printer(self, render):
        """Function that prints a collector's Reading; render: of a Reading to its JSON line."""

        def deliver(reading):
            received_ms = None if reading.wall_us is None else reading.wall_us // 1000
            for line in self.lines(lambda: render(reading), reading.telegram, received_ms, reading.name):
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
            self.saved()

        return deliver

    def around(self, render, refuse):
        """The two functions of `decode`, of a Telegram and its Line and of an OmsError, with what we add."""

        def with_values(telegram, line):
            return "\n".join(self.lines(lambda: render(telegram, line), telegram, instant(line.timestamp)))

        return with_values, lambda error: with_gateway(refuse(error))

    def _register(self, row):
        meter, code, period_ms, entry = row
        words = status_words.Status(entry.gateway_word, entry.meter_word)
        if entry.measured_ms is None:
            words.gateway |= status_words.FIXED | status_words.NO_VALUE
        nearest = "null"
        if entry.nearest is not None:
            measured_ms, mantissa, exponent, unit = entry.nearest
            nearest = '{{"value": {}, "unit": {}, "measured": {}}}'.format(
                decimal(mantissa, exponent), _text(unit), _instant(measured_ms)
            )
        return (
            '{{"register": {}, "meter": {}, "name": {}, "period_min": {}, "target": {}, "count": {}, "value": {}, '
            '"unit": {}, "measured": {}, "nearest": {}, "late": {}, "status": {}}}'
        ).format(
            _text(code),
            _text(meter),
            _text(self.names.get(meter)),
            period_ms // MINUTE_MS,
            _instant(entry.target_ms),
            entry.count,
            "null" if entry.mantissa is None else decimal(entry.mantissa, entry.exponent),
            _text(entry.unit),
            _instant(entry.measured_ms),
            nearest,
            "true" if entry.late else "false",
            _status(words),
        )


def with_gateway(line, shown="null"):
    """A JSON line with one more key; null for a line that held no telegram."""
    return line[:-1] + ', "gateway": ' + shown + "}"


def _say(error):
    print("omsnode: {} ({})".format(error.message, error.hint), file=sys.stderr, flush=True)


def _text(value):
    return json.dumps(value, ensure_ascii=False)


def _instant(ms):
    return "null" if ms is None else _text(gateway.utc_text(ms))


def _status(words):
    return '{{"gateway": "{:08X}", "meter": "{:08X}", "severity": {}, "flags": {}}}'.format(
        words.gateway, words.meter, _text(words.severity()), _text(words.flags())
    )


def _number(value):
    """A number of a finding: (mantissa, exponent, unit) or a text."""
    if isinstance(value, str):
        return _text(value)
    mantissa, exponent, unit = value
    return '{{"value": {}, "unit": {}}}'.format(decimal(mantissa, exponent), _text(unit))


def _finding(finding):
    numbers = ", ".join("{}: {}".format(_text(name), _number(value)) for name, value in finding.numbers)
    return '{{"check": {}, "obis": {}, "data_point": {}, "quantity": {}, "numbers": {{{}}}}}'.format(
        _text(finding.check), _text(finding.obis), _text(finding.data_point), _text(finding.quantity), numbers
    )


def _value(value):
    if value.mantissa is not None and value.text is None:
        shown = decimal(value.mantissa, value.exponent)
    else:
        shown = _text(value.text)
    return (
        '{{"obis": {}, "data_point": {}, "value": {}, "unit": {}, "flag": {}, "source": {}, "measured": {}, '
        '"device_time": {}, "flags": {}}}'
    ).format(
        _text(value.obis),
        _text(value.data_point),
        shown,
        _text(value.unit),
        _text(value.flag),
        _text(value.source),
        _instant(value.measured_ms),
        _text(value.device_time),
        _text(value.flags),
    )


def _gateway(values, words, findings, received_ms):
    return '{{"received": {}, "values": [{}], "status": {}, "findings": [{}]}}'.format(
        _instant(received_ms),
        ", ".join(_value(value) for value in values),
        _status(words),
        ", ".join(_finding(finding) for finding in findings),
    )
