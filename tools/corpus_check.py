"""Score of the decoder on telegrams of real meters: every expected reading is found among our records, or printed.

    python -m omsnode.tools.corpus_check [--misses] ../shared/vectors/corpus.json

The corpus (not part of this repository) holds telegrams with the readings that another program gets from them with a
driver per meter type. Every number of those readings is looked for, in every class of payload, wireless and wired, and
a table per class says how many are found, how many arise by a rule of that driver that is no M-Bus record (printed
with --misses; corpus_rules.py) and how many nobody explains: there must be none. Zeros are counted apart: found if a
record of that unit is zero.

A telegram is decoded in its `encrypted_form` where it has one, with the publicly known default keys where it has no
key, and after the telegrams `preceding` it, as that program does. Where there is no key but the corpus has the plain
text, that goes behind a header that says so. Only what is found with equal value counts (reals: the same 32 bits):
integers that we flag as invalid and that program prints are misses too. Exit status 1 with any reading unexplained, or
below 95 % found of the standard records in plain or mode 5 wireless telegrams, in the units of SCORED, not zero.
"""

import argparse
import collections
import json
import pathlib
import sys
from fractions import Fraction

from omsnode.firmware.application import frames, vif
from omsnode.firmware.application import telegram as application
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host import lines
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.keys import Key
from omsnode.tools import corpus_rules

STANDARD = "standard records only"
WANTED = Fraction(95, 100)
SCORED = ("m3", "m3h", "kwh", "kw", "c", "v", "a", "hca", "bar")

_ONE = Fraction(1)
_KILO = Fraction(1, 1000)
_YEAR = Fraction(3652425, 10000)  # days
# What a field name ends with -> our units and the factor that turns our value into theirs.
UNITS: dict[str, dict] = {
    "m3": {"m3": _ONE},
    "m3h": {"m3/h": _ONE, "m3/min": Fraction(60), "m3/s": Fraction(3600)},
    "kwh": {"Wh": _KILO, "J": Fraction(1, 3600000)},
    "gj": {"J": Fraction(1, 10**9), "Wh": Fraction(36, 10**7)},
    "kvarh": {"varh": _KILO},
    "kvah": {"VAh": _KILO},
    "kw": {"W": _KILO, "J/h": Fraction(1, 3600000)},
    "c": {"°C": _ONE, "K": _ONE},
    "v": {"V": _ONE},
    "a": {"A": _ONE},
    "hz": {"Hz": _ONE},
    "bar": {"bar": _ONE},
    "hca": {"HCA": _ONE},
    "rh": {"%": _ONE, "%RH": _ONE, None: _ONE},
    "pct": {"%": _ONE},
    "ppm": {"ppm": _ONE, "CO2": _ONE},
    "dbm": {"dBm": _ONE},
    "s": {"s": _ONE, "min": Fraction(60), "h": Fraction(3600), "d": Fraction(86400)},
    "h": {"s": Fraction(1, 3600), "min": Fraction(1, 60), "h": _ONE, "d": Fraction(24)},
    "y": {"h": 1 / _YEAR / 24, "d": 1 / _YEAR, "month": Fraction(1, 12), "year": _ONE},
    "m3c": {},  # no unit of M-Bus
    "counter": {None: _ONE},
    "nr": {None: _ONE},
    "factor": {None: _ONE},
}

_ROUNDED = Fraction(1, 2 * 10**6)  # they print six decimals
_REAL = 5  # data field
_HALF_ULP = Fraction(
    1, 2**24
)  # of a 32-bit real: we write the shortest decimal number that is the same 32 bits


def counted(entry, name, value):
    """Whether a reading belongs to those that the 95 % are about."""
    header = entry["header"]
    return (
        value
        and entry["payload"] == STANDARD
        and header["frame"].startswith("wireless")
        and header["security"] in ("none", "mode 5")
        and name.rsplit("_", 1)[-1] in SCORED
    )


def class_of(entry):
    """Name of the row of the table."""
    frame = "wired" if entry["header"]["frame"] == "wired" else "wireless"
    return "{}, {}".format(entry["payload"].split(" (")[0], frame)


def expected_readings(entry):
    """[(field name, exact value)], each pair once: what their tests expect, and what that program prints today."""
    pairs = []
    for source in [*entry["expected"], entry["wmbusmeters_now"] or {}]:
        for name, value in source.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                pair = name, Fraction(str(value))
                if pair not in pairs:
                    pairs.append(pair)
    return pairs


def decode(entry):
    """The decoded Telegram of a corpus entry, after those that precede it; OmsError if its line is none."""
    formats = frames.Formats()
    for text in entry["preceding"]:
        _decode(text, key_of(entry), formats)
    form = entry.get("encrypted_form") or entry
    telegram = _decode(form["telegram"], key_of(form), formats)
    if telegram.verdict in ("unsupported", "no_key") and entry["header"].get("stored_decrypted"):
        telegram = _decode(plain(entry["telegram"]), None, formats)
    return telegram


def _decode(text, key, formats):
    line = lines.parse_line(text, keep=True)
    telegram = application.decode(line.telegram, lambda address: key, default_keys.of, formats)
    telegram.error = line.error or telegram.error
    return telegram


def plain(text):
    """A telegram stored in plain text behind an ELL (AES-CTR) or a header of mode 7, with neither any more."""
    raw = bytes.fromhex(text)
    at = 10
    if raw[at] in (0x8C, 0x8D):
        at += 3 if raw[at] == 0x8C else 9
    if raw[at] == 0x90:
        at += 2 + raw[at + 1]
    head = {0x72: 11, 0x7A: 3}.get(raw[at])  # CI to status
    rest = raw[at:]
    if head:
        rest = rest[:head] + bytes(2) + rest[head + (3 if rest[head + 1] & 0x1F == 7 else 2) :]
    return (bytes([9 + len(rest)]) + raw[1:10] + rest).hex()


def key_of(form):
    """The AES Key of an entry or its encrypted form, or None."""
    text = form.get("key")
    return Key.from_hex(text) if text and len(text) == 32 else None


def numbers(telegram):
    """[(value, unit, relative uncertainty)] of all records with a number."""
    found = []
    for r in telegram.records:
        if r.mantissa is not None:
            real = r.dib and r.dib[0] & 0x0F == _REAL
            found.append((r.mantissa * Fraction(10) ** r.exponent, r.unit, _HALF_ULP if real else 0))
    return found


def markers(telegram):
    """The same for integers that we flag as invalid, as a program reads them that does not know the markers."""
    found = []
    for record in telegram.records:
        if record.flag == "invalid" and record.unit and record.vib:
            value = int.from_bytes(record.data, "little", signed=True)
            found.append((value * Fraction(10) ** vif.resolve(record.vib).exponent, record.unit, 0))
    return found


def among(name, value, ours):
    """Whether one of our numbers is this reading."""
    factors = UNITS[name.rsplit("_", 1)[-1]]
    return any(
        unit in factors and abs(number * factors[unit] - value) <= _ROUNDED + abs(value) * doubt
        for number, unit, doubt in ours
    )


def check(entry):
    """({(field, value): "found", "invalid" or rule text or None}, remark: code or reason why there is no more, or None)."""
    wanted = expected_readings(entry)
    ours = flagged = ()
    try:
        telegram = decode(entry)
    except OmsError as error:
        remark = error.code
    else:
        remark = telegram.error.code if telegram.error else None
        if telegram.undecoded and not remark:
            remark = telegram.undecoded.reason
        ours, flagged = numbers(telegram), markers(telegram)
    told = {}
    for name, value in wanted:
        if among(name, value, ours):
            told[name, value] = "found"
        elif among(name, value, flagged):
            told[name, value] = "invalid"
        else:
            told[name, value] = corpus_rules.of(entry, name, value, remark)
    return told, remark


def score(entries, show=None):
    """{class: Counter of readings, found, invalid, rule, unexplained, and the same of zeros}; show: called with each line
    of a miss, if given."""
    table: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    for entry in entries:
        told, remark = check(entry)
        row = table[class_of(entry)]
        headed = False
        for (name, value), how in told.items():
            kind = how if how in ("found", "invalid") else "rule" if how else "unexplained"
            zero = "" if value else "zero "
            row[zero + "readings"] += 1
            row[zero + kind] += 1
            if counted(entry, name, value) and how != corpus_rules.STALE:
                table["score"]["readings"] += 1
                table["score"][kind] += 1
            if show and kind != "found":
                if not headed:
                    show("{} {}: {}".format(entry["driver"], entry["id"], remark or "decoded"))
                    headed = True
                text = corpus_rules.MARKER if how == "invalid" else how or "NOT EXPLAINED"
                show("    {} = {}: {}".format(name, float(value), text))
    return table


def lines_of(table):
    """The table as lines."""
    names = ("readings", "found", "invalid", "rule", "unexplained")
    columns = [*names, *("zero " + name for name in names)]
    row = "{:<56}" + "{:>12}" * len(names) + " | " + "{:>12}" * len(names)
    total: collections.Counter = collections.Counter()
    yield row.format("class (right: readings of zero)", *names, *names)
    for name in sorted(table):
        if name != "score" and table[name]["readings"]:
            total.update(table[name])
            yield row.format(name, *(table[name][column] for column in columns))
    yield row.format("all", *(total[column] for column in columns))


def summary(table):
    """The last line: standard records in plain or mode 5 wireless telegrams, zeros left out."""
    row = table["score"]
    text = "{} of {} readings of standard records found equal, {:.1f} %; {} of the others are invalid markers and flagged so"
    return text.format(row["found"], row["readings"], 100 * row["found"] / row["readings"], row["invalid"])


def passed(table):
    """Whether nothing is unexplained and the share of the standard records is reached."""
    unexplained = sum(row["unexplained"] + row["zero unexplained"] for row in table.values())
    return not unexplained and Fraction(table["score"]["found"], table["score"]["readings"]) >= WANTED


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="score the decoder on a corpus of telegrams with known readings"
    )
    parser.add_argument("--misses", action="store_true", help="print each reading not found, with its rule")
    parser.add_argument("corpus", type=pathlib.Path)
    args = parser.parse_args(argv)
    entries = json.loads(args.corpus.read_text(encoding="utf-8"))["telegrams"]
    table = score(entries, print if args.misses else None)
    for line in lines_of(table):
        print(line)
    print(summary(table))
    return 0 if passed(table) else 1


if __name__ == "__main__":
    sys.exit(main())
