"""Telegrams of real meters beside the repository: nothing crashes, nothing stays unnamed, readings are found."""

import json
from fractions import Fraction

import pytest
from omsnode.tools import corpus_check


@pytest.fixture
def entries(shared):
    return json.loads((shared / "vectors" / "corpus.json").read_text(encoding="utf-8"))["telegrams"]


def test_every_telegram_ends_decoded_or_with_a_named_refusal(entries):
    for entry in entries:
        *_, remark = corpus_check.check(entry)
        assert remark is None or remark.strip()


def test_readings_are_found_and_every_miss_has_its_rule(entries, capsys):
    total, equal, invalid, keyless = corpus_check.score(entries)
    shown = capsys.readouterr().out
    print(shown)
    assert total == 420
    assert Fraction(equal + invalid, total - keyless) >= Fraction(95, 100)
    assert "NOT EXPLAINED" not in shown
