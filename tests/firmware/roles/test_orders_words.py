"""What an owner may type wrong: each is a MisuseError whose hint says what to do, and nothing is guessed or left out."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.roles import orders
from omsnode.firmware.security.keys import Key
from support_orders import METER, WALL_US, key_store

KEYS = key_store(
    {(number, 0): Key(bytes([number] * 16)) for number in (0, 0x12, 0x14, 0x20, 0x21, 0x22, 0x26, 0x27)}
    | {(0, 1): Key(bytes(16))}
)
WORDS = [
    "read",
    "write",
    "add",
    "sub",
    "bor",
    "and",
    "xor",
    "not",
    "clear",
    "valve",
    "clock-read",
    "clock-set",
]
WORDS += ["clock-adjust", "reset", "select", "status", "alarm", "key-change"]
THINGS = [
    "volume",
    "volume@1",
    "volume@²",
    "volume@-1",
    "volume@" + "9" * 30,
    "VM1!",
    "DC1!",
    "DT1!",
    "DT2!N",
    "MM6!",
]
THINGS += [
    "0C:13",
    "0D:FD11",
    "01:FD1F",
    "04:FF13",
    "0F:13",
    "7F:7E",
    "8C:13",
    "05:13",
    "07:79",
    ":",
    "!",
    "@",
    "-",
    "+",
]
THINGS += [
    "1",
    "-1",
    "0.5",
    "1e5",
    "12,3",
    "12.3m3",
    "5kWh",
    "²",
    "١",
    "9" * 39,
    "9" * 5000,
    "1." + "0" * 45,
    "0x",
    "0x0",
    "0xZZ",
]
THINGS += [
    "0x1234",
    "",
    " ",
    "é",
    "x" * 300,
    "2026-02-31",
    "2026-01-01T00:00",
    "2026-01-01T00:00:00:99",
    "2026-01-01T24:00",
]
THINGS += [
    "2126-12-31T23:59:59",
    "--secured",
    "27",
    "10",
    "²7",
    "--zone",
    "+01:00",
    "+²:00",
    "+01:60",
    "+5",
    "-30",
    "open",
]
THINGS += ["static content", "99999999999", "7", "18", "00", "254", "nan", "1_0"]


def understood(words):
    """Whether it is an order; then each of its first exchanges can be made."""
    try:
        order = orders.make(words, METER, KEYS)
    except MisuseError as error:
        assert error.message and error.hint, words
        return False
    for wall_us in (WALL_US, None, 0, 1 << 60):
        orders.restore(order.export(), KEYS).exchange(wall_us)
    return True


def test_every_pair():
    found = [understood([word]) for word in WORDS]
    found += [understood([word, thing]) for word in WORDS for thing in THINGS]
    for pair in itertools.product(THINGS, THINGS):
        found += [
            understood([word, *pair]) for word in ("write", "add", "clock-set", "clock-adjust", "select")
        ]
    assert 100 < sum(found) < len(found) // 2


@settings(max_examples=300)
@given(st.sampled_from(WORDS), st.lists(st.sampled_from(THINGS) | st.text(max_size=12), max_size=5))
def test_any_words(word, more):
    understood([word, *more])


@pytest.mark.parametrize(
    "words",
    (
        ["reset", "now"],
        ["status", "all"],
        ["alarm", "1"],
        ["clock-read", "utc"],
        ["read", "volume", "--secured"],
        ["write", "volume", "1", "--secured", "27", "28"],
        ["clock-set", "2026-01-01T00:00:00", "--zone", "+01:00"],
        ["clock-set", "2026-01-01T00:00:00:99"],
        ["clock-set", "--zone", "+01:60"],
        ["clock-adjust", "5", "--zone", "+01:00"],
        ["clock-adjust", "5", "--zone", "+01:00", "--secured"],
        ["clock-adjust", "1_0"],
        ["key-change", "00", "1", "2"],
        ["select", "7", "1", "2"],
    ),
)
def test_nothing_is_left_out(words):
    """A word that has no meaning is no part of an order that is carried out without it."""
    with pytest.raises(MisuseError):
        orders.make(words, METER, KEYS)


@pytest.mark.parametrize(
    "words, hint",
    (
        (["write", "volume", "12.3m3"], "m3"),
        (["write", "volume", "12,3"], "m3"),
        (["write", "04:06", "5kWh"], "Wh"),
        (["write", "0C:13", "99999999999"], "m3"),
        (["write", "DT1!", "tomorrow"], "2026-03-01T12:00"),
        (["write", "DT2!N", "tomorrow"], "2026-03-01"),
        (["write", "DT2!N", "2026-02-29"], "2026-03-01"),
        (["write", "06:6D", "2026-04-31T00:00:00"], "2026-03-01T12:00"),
        (["write", "volume", "0x01020304"], "m3"),
        (["write", "volume@²", "1"], "volume@1"),
        (["clock-set", "2026-01-01T00:00:00Z"], "2026-03-01T12:00:00"),
        (["select", "²"], "static content"),
    ),
)
def test_the_hint_says_what_would_do(words, hint):
    with pytest.raises(MisuseError) as caught:
        orders.make(words, METER, KEYS)
    assert hint in caught.value.hint
