"""Telegrams of real meters beside the repository: nothing crashes, nothing stays unnamed, readings are found."""

import collections
import json
import subprocess
import sys
from fractions import Fraction

import pytest
import support_misses as misses
from omsnode.firmware.errors import OmsError
from omsnode.tools import corpus_check, corpus_rules

LAYOUT_OF_ITS_OWN = (
    "apator162",
    "bfw240radio",
    "sensostar",
)  # no DIF and VIF; a telegram with an altered block


@pytest.fixture
def entries(shared):
    return json.loads((shared / "vectors" / "corpus.json").read_text(encoding="utf-8"))["telegrams"]


def test_readings_are_found_and_every_miss_has_its_rule(entries, record_property):
    """All classes, wireless and wired; the score of the standard records stays what the end-to-end test asks for."""
    table = corpus_check.score(entries)
    for line in corpus_check.lines_of(table):
        record_property("corpus", line)
    record_property("corpus", corpus_check.summary(table))
    assert corpus_check.passed(table)
    assert (
        sum(row["readings"] + row["zero readings"] for name, row in table.items() if name != "score") > 1300
    )
    assert table["score"]["readings"] >= 420


def test_every_rule_gives_its_number_from_the_raw_bytes(entries, record_property):
    """What is printed with a rule is computed again by a reader of its own, which knows nothing of the decoder."""
    heads = misses.heads_of(entries)
    count = collections.Counter()
    for entry in entries:
        told, remark = corpus_check.check(entry)
        for (name, value), how in told.items():
            if how == "found":
                continue
            source = misses.by_rule(entry, heads, name, value)
            where = (entry["driver"], name, remark, source)
            if how == corpus_rules.STALE:
                assert source == "stale", where
            elif how == corpus_rules.FIELDS["rssi_dbm"]:
                assert source == "receiver", where
            elif how == corpus_rules.REFUSALS.get(remark):
                assert source == "record", where  # a record in plain sight, behind what we refuse
            else:
                assert source == "rule", where
            count[source] += 1
    record_property("corpus misses by their origin", dict(count))


def test_every_record_is_what_another_reader_finds(entries, record_property):
    """DIB, VIB, numbers, unit and value of every record of the corpus, against a reader made from the tables alone."""
    heads, count = misses.heads_of(entries), 0
    for entry in entries:
        try:
            telegram, meter = corpus_check.decode(entry), misses.Meter(entry, heads)
        except (OmsError, AssertionError, TypeError):
            continue  # refused, or no key: other tests
        if telegram.error or telegram.undecoded or entry["driver"] in LAYOUT_OF_ITS_OWN:
            continue
        ours = [record for record in telegram.records if record.dib]
        for found, expected in zip(ours, meter.records, strict=True):
            where = (entry["driver"], found.dib.hex(), found.vib.hex(), found.data.hex())
            for name in ("dib", "vib", "storage", "tariff", "subunit"):
                assert getattr(found, name) == getattr(expected, name), where
            count += 1
            if expected.unit and found.flag is None:
                value = found.mantissa * Fraction(10) ** found.exponent
                doubt = abs(expected.value) / 2**24 if found.dib[0] & 15 == 5 else 0
                assert found.unit == expected.unit and abs(value - expected.value) <= doubt, where
    record_property("corpus records equal to those of another reader", count)
    assert count >= 1500


def cases(entries):
    """(telegram, id, key or None) of every telegram: as it is listed, and in its encrypted form where it has one."""
    for entry in entries:
        for form in (entry, entry.get("encrypted_form")):
            if form is not None:
                text = form.get("key")
                yield form["telegram"], entry["id"], text if text and len(text) == 32 else None


def test_every_telegram_through_the_command(entries, tmp_path, record_property):
    """One run per set of keys (two forms of a telegram may have two): one object per line, each refusal with its code."""
    runs = []  # [({id: key}, [telegram])]: a telegram goes into the first run in which nobody gave its meter another key
    for telegram, ident, key in cases(entries):
        run = next((run for run in runs if run[0].get(ident, key) == key), None)
        if run is None:
            run = ({}, [])
            runs.append(run)
        run[0][ident] = key
        run[1].append(telegram)
    told = collections.Counter()
    count = 0
    for keys, telegrams in runs:
        path = tmp_path / "keys"
        lines = ["{} {}".format(ident, key) for ident, key in keys.items() if key and ident.isdecimal()]
        path.write_text("\n".join(lines))
        status, objects, complaints = decode(telegrams, "--keys", path)
        assert complaints == "" and len(objects) == len(telegrams)
        codes = [one["error"] and one["error"]["code"] for one in objects]
        assert all(code is None or code and code.islower() for code in codes)
        assert status == (1 if any(codes) else 0)
        told.update(code or objects[i]["security"]["verdict"] for i, code in enumerate(codes))
        count += len(objects)
    record_property(
        "corpus through omsnode decode",
        "{} lines: {}".format(count, ", ".join("{} {}".format(n, word) for word, n in told.most_common())),
    )
    assert count > len(entries)
    assert told["wrong_key_or_altered"] <= 2  # stored decrypted under a header or an ELL that says encrypted
    assert told["length"] <= 2


def decode(telegrams, *options):
    """(exit status, JSON objects, standard error) of `omsnode decode`."""
    done = subprocess.run(
        [sys.executable, "-m", "omsnode.tools.cli", "decode", *map(str, options)],
        input="\n".join(telegrams),
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr
