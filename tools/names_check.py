"""How many fields of wmbusmeters come out of `--format wmbusmeters` with the same name and the same value.

    python -m omsnode.tools.names_check [--all] [--misses] ../shared/vectors/corpus.json

The corpus (not part of this repository) holds telegrams with the fields that the other program gets from them with a
driver per meter type. Counted are all its fields but those of the frame (media, id, ...) of telegrams with standard
records only; --all prints the other classes as well, --misses what differs. Numbers are equal if they are so within its
six decimals. The second figure of a line is without the names that go by maker.
"""

import argparse
import json
import pathlib
from collections import Counter

from omsnode.firmware.errors import OmsError
from omsnode.firmware.host import wmbusmeters

from .corpus_check import STANDARD, decode

FRAME = ("_", "media", "meter", "name", "id", "timestamp", "device", "rssi_dbm")
_ROUNDED = 1e-6


def expected(entry):
    """{field name: value} that the other program gives today."""
    source = entry["wmbusmeters_now"] or {}
    if entry["expected"] and all(entry["expected_holds_now"]):
        source = entry["expected"][0]
    return {name: value for name, value in source.items() if name not in FRAME}


def ours(telegram, habits=True):
    """{field name: value} of ours."""
    return {field.name: json.loads(field.value) for field in wmbusmeters.fields(telegram, habits)}


def equal(one, other):
    """Whether two values of a field are the same."""
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return abs(one - other) <= _ROUNDED * max(1, abs(one))
    return one == other


def compare(entry):
    """(expected fields, those of ours, the same by medium only, why it was refused or None)."""
    wanted = expected(entry)
    try:
        telegram = decode(entry)
    except OmsError as error:
        return wanted, {}, {}, error.code
    if telegram.error:
        return wanted, {}, {}, telegram.error.code
    return wanted, ours(telegram), ours(telegram, habits=False), None


def hits(wanted, got):
    """Names of the expected fields that are there with the same value."""
    return {name for name, value in wanted.items() if name in got and equal(value, got[name])}


def score(entries, misses=False):
    """{class: Counter of fields, of decoded telegrams, equal, equal_by_medium}; prints the misses if asked."""
    totals: dict[str, Counter] = {}
    for entry in entries:
        wanted, got, plain, refused = compare(entry)
        if not wanted:
            continue
        total = totals.setdefault(entry["payload"], Counter())
        total["fields"] += len(wanted)
        total["decoded"] += 0 if refused else len(wanted)
        same = hits(wanted, got)
        total["equal"] += len(same)
        total["equal_by_medium"] += len(hits(wanted, plain))
        if misses and not refused:
            left = {name: value for name, value in wanted.items() if name not in same}
            if left:
                print(
                    entry["driver"],
                    {k: header for k, header in entry["header"].items() if k in ("mfct", "type")},
                )
                print("    wanted", left)
                print("    ours  ", {name: value for name, value in got.items() if name not in same})
    return totals


def by_driver(entries, drivers):
    """{driver: [expected fields, same ones]} of telegrams that are decoded."""
    found: dict[str, list[int]] = {}
    for entry in entries:
        if entry["driver"] in drivers:
            wanted, got, _, refused = compare(entry)
            if not refused:
                counts = found.setdefault(entry["driver"], [0, 0])
                counts[0] += len(wanted)
                counts[1] += len(hits(wanted, got))
    return found


def line(name, total):
    """One line of the result."""
    text = "{}: {} of {} fields with the same name and value, {:.1f} % ({:.1f} % of those in telegrams that are decoded); {} by medium only"
    parts = total["equal"], total["fields"], 100 * total["equal"] / total["fields"]
    return text.format(name, *parts, 100 * total["equal"] / (total["decoded"] or 1), total["equal_by_medium"])


def main(argv=None):
    parser = argparse.ArgumentParser(description="compare field names and values with those of wmbusmeters")
    parser.add_argument("--all", action="store_true", help="print the other classes of telegrams too")
    parser.add_argument("--misses", action="store_true", help="print what differs")
    parser.add_argument("corpus", type=pathlib.Path)
    args = parser.parse_args(argv)
    totals = score(json.loads(args.corpus.read_text(encoding="utf-8"))["telegrams"], args.misses)
    for name, total in sorted(totals.items()):
        if args.all or name == STANDARD:
            print(line(name, total))


if __name__ == "__main__":
    main()
