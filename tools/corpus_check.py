"""Score of the decoder on telegrams of real meters: every expected reading is found among our records, or printed.

    python -m omsnode.tools.corpus_check [--all] ../shared/vectors/corpus.json

The corpus (not part of this repository) holds telegrams with the readings that another program gets from them with a
driver per meter type. Counted are the readings of the class "standard records only" in plain or mode 5 wireless
telegrams, in the units below and not zero: a zero would be found anywhere. A telegram is decoded in its
`encrypted_form` where it has one. Integers that we flag as invalid and that program prints are counted apart. --all
prints the misses of the other classes too. Exit status 1 below 95 %.
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
_ROUNDED = Fraction(1, 2 * 10**6)  # they print six decimals

# Why a reading is not among our records: driver of that program -> the rule by which it gets the value.
RULES = {
    "apator162": "manufacturer registers behind the check bytes, told apart by their number; no DIF and VIF",
    "bfw240radio": "manufacturer layout behind the check bytes, values at fixed offsets; no DIF and VIF",
    "caltose": "entries of the inverse compact profile (VIB EE 13, SCB 3B): absolute values of six BCD digits",
    "hydrus": "no key in the corpus: that program adds the manufacturer's default key, which it has built in",
    "qwater": "the L-field does not fit the line (55, but 59 bytes follow): that program does not compare",
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
    text = form.get("key")
    key = Key.from_hex(text) if text and len(text) == 32 else None
    line = lines.parse_line(form["telegram"])
    return application.decode(line.telegram, (lambda address: key) if key else None)


def numbers(telegram):
    """[(value, unit)] of all records with a number."""
    return [
        (r.mantissa * Fraction(10) ** r.exponent, r.unit) for r in telegram.records if r.mantissa is not None
    ]


def markers(telegram):
    """The same for integers that we flag as invalid, as a program reads them that does not know the markers."""
    found = []
    for record in telegram.records:
        if record.flag == "invalid" and record.unit:
            value = int.from_bytes(record.data, "little", signed=True)
            found.append((value * Fraction(10) ** vif.resolve(record.vib).exponent, record.unit))
    return found


def among(name, value, ours):
    """Whether one of our numbers is this reading."""
    factors = UNITS[name.rsplit("_", 1)[-1]]
    return any(unit in factors and abs(number * factors[unit] - value) <= _ROUNDED for number, unit in ours)


def check(entry):
    """(readings looked for, those that are invalid markers, {field name: value} of those not found, remark)."""
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


def _show(entry, misses, remark):
    print("{} {}: {}".format(entry["driver"], entry["id"], remark or "decoded"))
    for name, value in misses.items():
        print("    {} = {}".format(name, float(value)))
    if counted(entry):
        print("    rule: " + RULES.get(entry["driver"], "NOT EXPLAINED"))


def score(entries, show_all=False):
    """Print the misses. Returns (readings, found equal, marked invalid by us, missed for want of a key)."""
    total = missed = invalid = keyless = 0
    for entry in entries:
        wanted, marked, misses, remark = check(entry)
        if misses and (show_all or counted(entry)):
            _show(entry, misses, remark)
        if counted(entry):
            total += len(wanted)
            invalid += len(marked)
            missed += len(misses)
            keyless += len(misses) if remark == "no_key" else 0
            if marked:
                print("{} {}: {} invalid".format(entry["driver"], entry["id"], len(marked)))
                print("    rule: that program prints the invalid marker (80 00 00 00) as a number")
    return total, total - invalid - missed, invalid, keyless


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="score the decoder on a corpus of telegrams with known readings"
    )
    parser.add_argument("--all", action="store_true", help="print the misses of all classes")
    parser.add_argument("corpus", type=pathlib.Path)
    args = parser.parse_args(argv)
    entries = json.loads(args.corpus.read_text(encoding="utf-8"))["telegrams"]
    total, equal, invalid, keyless = score(entries, args.all)
    good = equal + invalid
    print("{} readings: {} found equal, {} are invalid markers and flagged so".format(total, equal, invalid))
    print(
        "{:.1f} % of all, {:.1f} % of what the corpus has the key for".format(
            100 * good / total, 100 * good / (total - keyless)
        )
    )
    return 0 if Fraction(good, total - keyless) >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
