"""How readings leave the command: JSON lines, `rtlwmbus` lines, plain lines, and a live table on a terminal."""

import datetime
import shutil
import sys
import textwrap

from omsnode.firmware.host import json_lines, lines, table
from omsnode.firmware.link.address import device_type_name

_EARLIEST_US = 1704067200 * 1000000  # 2024-01-01: a clock before that was never set


def sane(wall_us):
    """wall_us, or None if it shows that nobody has set the clock (1970 on a Pi without network)."""
    return wall_us if wall_us is not None and wall_us >= _EARLIEST_US else None


def timestamp(wall_us):
    """UTC in ISO 8601 with milliseconds and Z; None stays None."""
    if wall_us is None:
        return None
    moment = datetime.datetime.fromtimestamp(wall_us // 1000000, datetime.UTC)
    return "{}.{:03d}Z".format(moment.strftime("%Y-%m-%dT%H:%M:%S"), wall_us // 1000 % 1000)


def as_json(reading):
    """The JSON of `decode`, and behind it what a reading adds."""
    more = (
        ("timestamp", timestamp(reading.wall_us)),
        ("mode", reading.mode),
        ("rssi_dbm", reading.rssi_dbm),
        ("radio", reading.radio),
        ("name", reading.name),
    )
    return json_lines.to_json(reading.telegram, reading.frame_format, more)


def as_rtlwmbus(reading):
    """None while the time is unknown: that line format has no way to say so."""
    if reading.wall_us is None:
        return None
    return lines.rtlwmbus(reading.raw, reading.mode, timestamp(reading.wall_us), reading.rssi_dbm)


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


_LINE = "{:<9}  {:<4}  {:>7}  {:<24}  {:<21}  {}"
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
        values(reading),
    ).rstrip()


_RENDER = {"json": as_json, "rtlwmbus": as_rtlwmbus, "table": as_table}
FORMATS = tuple(_RENDER)


def printer(form, out=None):
    """Function that prints a reading and flushes: one line each, so that a pipe sees it at once."""
    out = out or sys.stdout
    render = _RENDER[form]
    if form == "table":
        print(_HEADINGS, file=out, flush=True)

    told = False

    def deliver(reading):
        nonlocal told
        line = render(reading)
        if line is not None:
            out.write(line + "\n")
            out.flush()
        elif not told:
            told = True
            print(
                "omsnode: the clock of this machine is not set, and these lines need the time: readings are left out",
                file=sys.stderr,
                flush=True,
            )

    return deliver


class LiveTable:
    """The last telegram of each sender, two lines each, redrawn in place on a terminal."""

    _ROW = "{:<18}  {:<12}  {:<11}  {:<4}  {:>7}  {:>3}"

    def __init__(self, out):
        self.out = out
        self.rows = {}
        self.drawn = 0

    def deliver(self, reading):
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
