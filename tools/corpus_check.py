"""Score of the decoder on telegrams of real meters: every expected reading is found among our records, or printed.

    python -m omsnode.tools.corpus_check [--all] ../shared/vectors/corpus.json

The corpus (not part of this repository) holds telegrams with the readings that another program gets from them with a
driver per meter type. Counted are the readings of the class "standard records only" in plain or mode 5 wireless
telegrams, in the units below and not zero: a zero would be found anywhere. A telegram is decoded in its
`encrypted_form` where it has one, and with the publicly known default keys where it has no key, as that program does.
Only what is found with equal value counts: integers that we flag as invalid and that program prints are misses too.
--all prints the misses of the other classes as well. Exit status 1 below 95 % of all.
"""

import argparse
import json
import pathlib
import sys
from fractions import Fraction

from omsnode.firmware.application import telegram as application
from omsnode.firmware.application import vif
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host import lines
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.keys import Key

CLASS = "standard records only"
WANTED = Fraction(95, 100)

_ONE = Fraction(1)
_KILO = Fraction(1, 1000)
# What a field name ends with -> our units and the factor that turns our value into theirs.
UNITS = {
    "m3": {"m3": _ONE},
    "m3h": {"m3/h": _ONE, "m3/min": Fraction(60), "m3/s": Fraction(3600)},
    "kwh": {"Wh": _KILO, "J": Fraction(1, 3600000)},
    "kw": {"W": _KILO, "J/h": Fraction(1, 3600000)},
    "c": {"°C": _ONE, "K": _ONE},
    "v": {"V": _ONE},
    "a": {"A": _ONE},
    "bar": {"bar": _ONE},
    "hca": {"HCA": _ONE},
}
MARKER = (
    "that program knows no invalid marker of signed integers: data 00 00 00 80 (int32, VIF 06) is printed as"
    " -2**31 kWh; prev_n_month is the record with storage n + 31, DIB and VIB from 33: C4 80 01 06,"
    " 34: 84 81 01 06, ... to 45: C4 86 01 06"
)

_ROUNDED = Fraction(1, 2 * 10**6)  # they print six decimals

# Why a reading is not among our records: driver of that program -> the rule by which it gets the value.
RULES = {
    "apator162": "no DIF and VIF: behind the check bytes 8 bytes of another kind, then registers, each a number byte"
    " and content of a length that goes with it (43h: 2 bytes, 83h: 10, 10h: 4). Register 10h, unsigned, least"
    " significant byte first, in l, is the total: decrypted bytes 24 to 28 from the check bytes on (39 to 43 of the"
    " telegram) are 10 F0 12 00 00, 4848 l",
    "bfw240radio": "no DIF and VIF: fixed offsets, counted from the first check byte (byte 15 of the telegram)."
    " current = bytes 6, 7 and prev = bytes 4, 5, most significant first. Months of 12 bits: two in three bytes"
    " a b c, prev_01 and 02 at 34 35 36, prev_03 and 04 at 31 32 33, and so on down; the odd one is the low half"
    " of b, then c; the even one is the high half of b, then a (AC 01 00: prev_01 = 100h, prev_02 = 0ACh)",
}


def counted(entry):
    """Whether the telegram belongs to the class that the score is about."""
    header = entry["header"]
    return (
        entry["payload"] == CLASS
        and header["frame"].startswith("wireless")
        and header["security"] in ("none", "mode 5")
    )


def expected_readings(entry):
    """{field name: exact value} of the readings that are looked for."""
    source = entry["wmbusmeters_now"] or {}  # its `expected`, but for one entry that the program left behind
    if entry["expected"] and all(entry["expected_holds_now"]):
        source = entry["expected"][0]
    return {
        name: Fraction(str(value))
        for name, value in source.items()
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and value
        and name.rsplit("_", 1)[-1] in UNITS
    }


def decode(entry):
    """The decoded Telegram of a corpus entry, in its encrypted form where it has one; OmsError if the line is none."""
    form = entry.get("encrypted_form") or entry
    line = lines.parse_line(form["telegram"], keep=True)
    key = key_of(form)
    telegram = application.decode(line.telegram, lambda address: key, default_keys.of)
    telegram.error = line.error or telegram.error
    return telegram


def key_of(form):
    """The AES Key of an entry or its encrypted form, or None."""
    text = form.get("key")
    return Key.from_hex(text) if text and len(text) == 32 else None


def numbers(telegram):
    """[(value, unit)] of all records with a number."""
    return [
        (r.mantissa * Fraction(10) ** r.exponent, r.unit) for r in telegram.records if r.mantissa is not None
    ]


def markers(telegram):
    """The same for integers that we flag as invalid, as a program reads them that does not know the markers."""
    found = []
    for record in telegram.records:
        if record.flag == "invalid" and record.unit and record.vib:
            value = int.from_bytes(record.data, "little", signed=True)
            found.append((value * Fraction(10) ** vif.resolve(record.vib).exponent, record.unit))
    return found


def among(name, value, ours):
    """Whether one of our numbers is this reading."""
    factors = UNITS[name.rsplit("_", 1)[-1]]
    return any(unit in factors and abs(number * factors[unit] - value) <= _ROUNDED for number, unit in ours)


def check(entry):
    """(readings looked for, {field name: value} not found because we flag it as invalid, the same of the others, remark)."""
    wanted = expected_readings(entry)
    try:
        telegram = decode(entry)
    except OmsError as error:
        return wanted, {}, wanted, error.code
    remark = telegram.error.code if telegram.error else None
    if telegram.undecoded and not remark:
        remark = telegram.undecoded.reason
    ours = numbers(telegram)
    misses = {n: v for n, v in wanted.items() if not among(n, v, ours)}
    ours = markers(telegram)
    marked = {n: v for n, v in misses.items() if among(n, v, ours)}
    return wanted, marked, {n: v for n, v in misses.items() if n not in marked}, remark


def _show(entry, misses, remark, rule):
    print("{} {}: {}".format(entry["driver"], entry["id"], remark or "decoded"))
    for name, value in misses.items():
        print("    {} = {}".format(name, float(value)))
    if counted(entry):
        print("    rule: " + rule)


def score(entries, show_all=False):
    """Print the misses, each with its rule. Returns (readings, found equal, of the others those that we flag as invalid)."""
    total = equal = invalid = 0
    for entry in entries:
        wanted, marked, misses, remark = check(entry)
        if not counted(entry) and not show_all:
            continue
        if marked:
            _show(entry, marked, remark, MARKER)
        if misses:
            _show(entry, misses, remark, RULES.get(entry["driver"], "NOT EXPLAINED"))
        if counted(entry):
            total += len(wanted)
            invalid += len(marked)
            equal += len(wanted) - len(marked) - len(misses)
    return total, equal, invalid


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="score the decoder on a corpus of telegrams with known readings"
    )
    parser.add_argument("--all", action="store_true", help="print the misses of all classes")
    parser.add_argument("corpus", type=pathlib.Path)
    args = parser.parse_args(argv)
    entries = json.loads(args.corpus.read_text(encoding="utf-8"))["telegrams"]
    total, equal, invalid = score(entries, args.all)
    print(summary(total, equal, invalid))
    return 0 if Fraction(equal, total) >= WANTED else 1


def summary(total, equal, invalid):
    """The last line."""
    text = "{} of {} readings found equal, {:.1f} %; {} of the others are invalid markers and flagged so"
    return text.format(equal, total, 100 * equal / total, invalid)


if __name__ == "__main__":
    sys.exit(main())
