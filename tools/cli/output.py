"""How telegrams leave `decode` and `collect`: the formats, converted units, and a live table on a terminal."""

import argparse
import shutil
import sys
import textwrap

from omsnode.firmware.application import gateway, obis
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.host import json_lines, lines, table
from omsnode.firmware.link.address import device_type_name

from . import _beyond

_EARLIEST_US = 1704067200 * 1000000  # 2024-01-01: a clock before that was never set


def sane(wall_us):
    """wall_us, or None if it shows that nobody has set the clock (1970 on a Pi without network)."""
    return wall_us if wall_us is not None and wall_us >= _EARLIEST_US else None


def timestamp(wall_us):
    """UTC in ISO 8601 with milliseconds and Z; None stays None."""
    return None if wall_us is None else gateway.utc_text(wall_us // 1000)


def as_json(reading):
    """The JSON of `decode`, and behind it what a reading adds."""
    more: tuple = (
        ("timestamp", timestamp(reading.wall_us)),
        ("mode", reading.mode),
        ("rssi_dbm", reading.rssi_dbm),
        ("radio", reading.radio),
        ("name", reading.name),
    )
    if _beyond.label(reading):
        more += (("beyond_limits", reading.beyond_limits),)
    return json_lines.to_json(reading.telegram, reading.frame_format, more)


def who(reading):
    """The name of a known meter, else what it says it is."""
    address = reading.telegram.address
    if reading.name or not address:
        return reading.name or "?"
    medium = device_type_name(address.device_type) or "type {:02X}".format(address.device_type)
    return "{} {} {}".format(address.ident, address.manufacturer_code, medium)


def values(reading):
    """All records in one line, or why there are none."""
    telegram = reading.telegram
    if telegram.error:
        return "refused: " + telegram.error.message
    return "; ".join(
        "{} {}".format(table.quantity(record), table.value(record)).rstrip() for record in telegram.records
    )


def _level(reading):
    return "-" if reading.rssi_dbm is None else "{} dBm".format(reading.rssi_dbm)


def _mode(reading):
    return reading.mode + (" " + reading.frame_format if reading.mode == "C1" else "")


_LINE = "{:<9}  {:<5}  {:>7}  {:<24}  {:<21}  {}"
_HEADINGS = _LINE.format("time", "mode", "level", "meter", "security", "values")


def as_table(reading):
    """One line in the columns of _HEADINGS."""
    stamp = timestamp(reading.wall_us)
    return _LINE.format(
        stamp[11:19] + "Z" if stamp else "--:--:--",
        _mode(reading),
        _level(reading),
        who(reading),
        reading.telegram.verdict or "",
        values(reading) + (" " + _beyond.MARK if _beyond.label(reading) else ""),
    ).rstrip()


# The same words in `decode` and `collect`.
FORMATS = ("json", "table", "wmbusmeters", "homeassistant", "rtlwmbus")
_IN_UNITS = ("json", "table")  # the others have units of their own

FORMATS_HELP = """\
formats (json is the default; what a refused telegram gives stands behind the arrow):
  json           one object per telegram, every record as sent -> "error": {"code", "hint", ...}
  table          for people -> a line `refused: ...`
  wmbusmeters    one flat object per telegram under that program's field names: "total_m3", "target_date",
                 "status" ... ours begin with oms_ -> "status": null, "error": "code: reason"
  homeassistant  MQTT discovery, once per meter: {"topic", "retain", "payload"} with device class, state class and
                 unit of each value; the values are those of wmbusmeters -> a line on standard error
  rtlwmbus       the telegram as it was received, for programs that read that line format -> the same; a telegram
                 without time or mode is left out, and what came in a burst: that line has no place for a MAC frame
examples: --format wmbusmeters        --units kWh,l/h,C        --format table --units MWh,m3h,F
"""


def add_options(parser):
    """--format and --units."""
    parser.add_argument("--format", choices=FORMATS, default="json", help="see below (default: json)")
    parser.add_argument(
        "--units",
        type=_units,
        metavar="LIST",
        help="convert values in json and table, exactly: kWh, MWh, MJ, GJ, l, l/h, kW, C, F, mbar, h, d ...",
    )


def _units(text):
    from omsnode.firmware.host import conversion

    try:
        return conversion.parse(text)
    except MisuseError as error:
        hint = " ({})".format(error.hint) if error.hint else ""
        raise argparse.ArgumentTypeError(error.message + hint) from None


def check(args):
    """MisuseError if the units asked for have no place in the format."""
    if args.units and args.format not in _IN_UNITS:
        raise MisuseError(
            "--units does not go with --format {}: its units are fixed".format(args.format),
            hint="leave one of the two out",
        )


class Heard:
    """A telegram and what is known around it. telegram: decoded, None if the line held none; then error says why.
    raw: its bytes without link CRCs. name, device, mode, rssi_dbm, radio, stamp (UTC, ISO 8601): or None."""

    def __init__(self, telegram, raw, stamp=None, mode=None, rssi_dbm=None):
        self.telegram = telegram
        self.raw = raw
        self.stamp = stamp
        self.mode = mode
        self.rssi_dbm = rssi_dbm
        self.name = self.device = self.radio = self.beyond_limits = None


def heard(reading):
    """The Heard of a collector's Reading."""
    one = Heard(reading.telegram, reading.raw, timestamp(reading.wall_us), reading.mode, reading.rssi_dbm)
    one.name, one.radio = reading.name, reading.radio
    one.device = "omsnode[{}]".format(reading.radio)
    one.beyond_limits = _beyond.label(reading)
    return one


class _Note:
    """Says something on standard error, the same thing only once."""

    def __init__(self):
        self._said = set()

    def __call__(self, text, once=True):
        if once and text in self._said:
            return
        if once:
            self._said.add(text)
        print("omsnode: " + text, file=sys.stderr, flush=True)


def writer(form):
    """Function of a Heard that returns its line in the formats that `decode` and `collect` have in common, or None if
    there is nothing to print; then it has told standard error why, unless nothing is new."""
    note = _Note()
    if form == "wmbusmeters":
        from omsnode.firmware.host import wmbusmeters

        return lambda one: wmbusmeters.to_json(
            one.telegram,
            one.name,
            one.stamp,
            one.device,
            one.rssi_dbm,
            one.mode,
            one.radio,
            one.beyond_limits,
        )
    if form == "homeassistant":
        from omsnode.firmware.host import home_assistant

        announcer = home_assistant.Announcer()

        def announce(one):
            if one.telegram.error is not None:
                note("refused: " + table.complaint(one.telegram.error), once=False)
            return announcer.to_json(one.telegram, one.name)

        return announce

    left_out = [0]

    def raw(one):
        if one.mode and one.mode.startswith("UL-"):
            left_out[0] += 1
            if str(left_out[0]).rstrip("0") == "1":  # 1, 10, 100 ...
                note("rtlwmbus lines hold no burst: {} readings left out so far".format(left_out[0]))
            return None
        if one.raw and one.mode and one.stamp:
            return lines.rtlwmbus(one.raw, one.mode, one.stamp, one.rssi_dbm)
        if one.mode and one.raw and one.radio:
            note("the clock of this machine is not set, and these lines need the time: readings are left out")
        else:
            note("rtlwmbus lines need mode and time of reception: what came without them is left out")
        return None

    return raw


def converted(render, wishes):
    """The function `render` of a Telegram or Reading, with its values in the units asked for."""
    if not wishes:
        return render
    from omsnode.firmware.host import conversion

    def in_units(one, *more):
        conversion.apply(getattr(one, "telegram", one), wishes)
        return render(one, *more)

    return in_units


def printer(form, wishes=None):
    """Function that prints a Reading and flushes: one line each, so that a pipe sees it at once.

    wishes: {dimension: Unit} of host.conversion.parse, for json and table.
    """
    if form in _IN_UNITS:
        render = converted(as_json if form == "json" else as_table, wishes)
    else:
        line_of = writer(form)

        def render(reading):
            return line_of(heard(reading))

    if form == "table":
        print(_HEADINGS, flush=True)

    def deliver(reading):
        obis.annotate(reading.telegram)
        line = render(reading)
        if line is not None:
            print(line, flush=True)

    return deliver


class LiveTable:
    """The last telegram of each sender, two lines each, redrawn in place on a terminal."""

    _ROW = "{:<18}  {:<12}  {:<11}  {:<5}  {:>6}  {:>3}"

    def __init__(self, out):
        self.out = out
        self.rows = {}
        self.drawn = 0

    def deliver(self, reading):
        """Take a Reading; `draw` shows it."""
        address = reading.telegram.address
        key = address.link_bytes() if address else b""
        count = self.rows[key][0] + 1 if key in self.rows else 1
        self.rows[key] = (count, reading)

    def _lines(self):
        yield self._ROW.format("meter", "identity", "medium", "mode", "level", "n")
        for _, (count, reading) in sorted(self.rows.items(), key=lambda row: row[0]):
            address = reading.telegram.address
            yield self._ROW.format(
                reading.name or "",
                "{} {}".format(address.ident, address.manufacturer_code) if address else "",
                (device_type_name(address.device_type) or "") if address else "",
                _mode(reading),
                _level(reading),
                count,
            )
            yield "    {}: {}".format(reading.telegram.verdict, values(reading))

    def draw(self, footer):
        """Everything anew, and the line `footer` below it."""
        width = shutil.get_terminal_size().columns - 1
        lines = [part for line in (*self._lines(), "", footer) for part in _fitted(line, width)]
        move = "\x1b[{}A".format(self.drawn) if self.drawn else ""
        self.out.write(move + "".join("\x1b[2K" + line + "\n" for line in lines) + "\x1b[J")
        self.out.flush()
        self.drawn = len(lines)


def _fitted(line, width):
    """The line, or the lines into which it breaks: a value that is cut reads as another value."""
    if len(line) <= width or not line.startswith(" "):
        return [line[:width]]
    return textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)


def summary(node):
    """Counters of a run, one line per part."""
    parts = (("radio", node.radio.counters), ("node", node.counters), ("role", node.role.counters))
    return "\n".join("{}: {}".format(name, " ".join(_flat(counters)) or "-") for name, counters in parts)


def _flat(counters, prefix=""):
    for name, value in sorted(counters.items()):
        if isinstance(value, dict):
            yield from _flat(value, prefix + name + ".")
        else:
            yield "{}{}={}".format(prefix, name, value)
