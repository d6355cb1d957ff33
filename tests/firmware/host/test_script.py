"""Scenario files: what they say becomes rules, and what they say wrongly is refused with file, line and hint."""

import pytest
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import script
from omsnode.firmware.roles import scripted_faults as faults
from omsnode.firmware.roles import scripted_rules as rules
from support_script import profile

GOOD = """\
about = "The first acknowledgement is lost"
gateway = "Repeats"

[[fault]]
fault = "drop"
answer = 2
kind = "ACK"

[[fault]]
fault = "late"
by_us = 2500
telegram = 3
times = "always"
for_s = 20

[[fault]]
fault = "busy"
command = 1
hits = "ACK"
times = 4

[[fault]]
fault = "drift"
after_s = 60
ppm = -250
for_s = 100
"""


def load(tmp_path, text):
    path = tmp_path / "case.toml"
    path.write_text(text, encoding="utf-8")
    return script.load(path)


def test_rules(tmp_path):
    found = load(tmp_path, GOOD)
    assert (found.about, found.gateway) == ("The first acknowledgement is lost", "Repeats")
    drop, late, busy, drift = found.rules
    assert (drop.fault, drop.on, drop.nth, drop.kind, drop.hits, drop.times) == (
        "drop",
        rules.ANSWER,
        2,
        "ACK",
        ("ACK",),
        1,
    )
    assert (late.values, late.on, late.times, late.for_us) == (
        {"by_us": 2500},
        rules.TELEGRAM,
        rules.ALWAYS,
        20000000,
    )
    assert (busy.on, busy.hits, busy.times, busy.for_us) == (rules.COMMAND, ("ACK",), 4, None)
    assert (drift.on, drift.nth, drift.values, drift.for_us) == (
        rules.AFTER,
        60000000,
        {"ppm": -250},
        100000000,
    )


def test_defaults(tmp_path):
    text = '[[fault]]\nfault = "double"\ntelegram = 1\n[[fault]]\nfault = "drop"\ntelegram = 0\nfor_s = 3\n'
    double, drop = load(tmp_path, text).rules
    assert double.values == {"after_us": 20000} and double.times == 1
    assert drop.times is rules.ALWAYS


BASE = '[[fault]]\nfault = "drop"\nanswer = 1\n'


@pytest.mark.parametrize(
    "text, line, words",
    [
        ('abuot = "x"\n', 1, "did you mean 'about'"),
        ("about = 3\n", 1, "text in quotes"),
        ("about = \n", 1, "not valid TOML"),
        ("fault = 3\n", 1, "[[a list]]"),
        ("fault = [1]\n", 1, "[[fault]]"),
        ("[[fault]]\nanswer = 1\n", 1, "fault is missing"),
        ('\n[[fault]]\nfault = "dorp"\nanswer = 1\n', 3, "there is no fault 'dorp'"),
        ('[[fault]]\nfault = "Wrong_mac"\nanswer = 1\n', 2, "did you mean 'wrong MAC'"),
        ('[[fault]]\nfault = "late"\nanswer = 1\n', 2, "by_us = ..."),
        ('[[fault]]\nfault = "late"\nanswer = 1\nby_us = "2"\n', 4, "a whole number"),
        ('[[fault]]\nfault = "late"\nanswer = 1\nby_us = -2\n', 4, "1 to 60000000"),
        ('[[fault]]\nfault = "late"\nanswer = 1\nby_ms = 2\n', 4, "did you mean 'by_us'"),
        ('[[fault]]\nfault = "drop"\nanswer = 1\nby_us = 2\n', 4, "unknown key 'by_us'"),
        ('[[fault]]\nfault = "wrong data"\nanswer = 1\ndata = "0C1"\n', 4, "hexadecimal"),
        ('[[fault]]\nfault = "control bits"\nanswer = 1\nbits = "FCB"\n', 4, "one of: ACD"),
        ('[[fault]]\nfault = "restart"\nanswer = 1\nkeeps = "some"\n', 4, "everything, nothing"),
        ('[[fault]]\nfault = "drop"\n', 1, "when does it happen"),
        (BASE + "command = 2\n", 4, "one moment"),
        ('[[fault]]\nfault = "drop"\nanswer = -1\n', 3, "-1 is not possible"),
        ('[[fault]]\nfault = "drop"\nanswer = true\n', 3, "a whole number"),
        (BASE + 'kind = "SND-NR"\n', 4, "one of: ACK, NACK, RSP-UD"),
        (BASE + 'hits = "ACK"\n', 4, "use kind"),
        ('[[fault]]\nfault = "deaf"\ncommand = 1\nhits = "ACK"\n', 4, "use kind"),
        ('[[fault]]\nfault = "drop"\nafter_s = 1\nkind = "ACK"\n', 4, 'hits = "ACK"'),
        ('[[fault]]\nfault = "drop"\nafter_s = 1\nhits = "REQ-UD2"\n', 4, "one of: SND-NR"),
        (BASE + "times = 0\n", 4, "1 to"),
        (BASE + 'times = "ever"\n', 4, "one of: always"),
        (BASE + "for_s = 0\n", 4, "1 to"),
        ('[[fault]]\nfault = "restart"\nanswer = 1\ntimes = 2\n', 4, "happens once"),
        ('[[fault]]\nfault = "restart"\nanswer = 1\nfor_s = 2\n', 4, "for_s is for"),
    ],
)
def test_refused_with_file_line_and_hint(tmp_path, text, line, words):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.message.startswith("{}:{}: ".format(tmp_path / "case.toml", line))
    assert words in error.message + " " + error.hint
    assert error.hint or "must be" in error.message


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError) as caught:
        script.load(tmp_path / "none.toml")
    assert "none.toml: No such file" in caught.value.message
    (tmp_path / "case.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        script.load(tmp_path / "case.toml")


@pytest.mark.parametrize(
    "fault, more, mode, windows, line",
    [
        ("wrong MAC", "telegram = 1", 5, True, 2),
        ("wrong key", "telegram = 1", 0, True, 2),
        ("deaf", "telegram = 1", 7, False, 2),
        ("drop", "answer = 1", 7, False, 3),
        ("drop", "command = 1", 7, False, 3),
    ],
)
def test_what_this_meter_cannot_do_wrong(tmp_path, fault, more, mode, windows, line):
    found = load(tmp_path, '[[fault]]\nfault = "{}"\n{}\n'.format(fault, more))
    with pytest.raises(ConfigError) as caught:
        found.check(profile(security_mode=mode), windows)
    assert ":{}: ".format(line) in caught.value.message and caught.value.hint
    found.check(profile(security_mode=7), True)


def test_every_number_has_a_range():
    for name, (_, _, parameters, needs) in faults.FAULTS.items():
        assert needs is None or needs in script._NEEDS, name
        for parameter, kind, _ in parameters:
            assert kind is not int or parameter in faults.RANGES, (name, parameter)
