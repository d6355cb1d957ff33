"""Damage campaign through the whole receiving side: random bytes, cut and bit-flipped telegrams, absurd lengths, endless
DIFE and VIFE chains. Nothing but the typed errors, an end of every case, and unharmed state afterwards.

Cases are seeded loops, since 10,000 of them through Hypothesis take minutes; the part below uses it to find what seeds
do not. OMSNODE_SOAK=1 runs twenty times as many.
"""

import json
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host.explain import explain
from omsnode.firmware.host.json_lines import refused_line, to_json
from omsnode.firmware.host.lines import parse_line, rtlwmbus
from omsnode.firmware.host.table import to_table
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import framing, modes, radio
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.security.keys import Key
from support_telegram import ALL, KEY_A, N_2_1, NO_HEADER

FACTOR = 20 if os.environ.get("OMSNODE_SOAK") else 1
LINES = 20000 * FACTOR
FRAMES = 20000 * FACTOR
SEED = 20

GOOD = [bytes.fromhex(text) for text in ALL]
KEY = Key.from_hex(KEY_A)
HEAD = GOOD[0][1:10]
# Bytes that steer the parsers: DIF and VIF with extension bit, LVARs, special functions, layers.
STEERING = bytes.fromhex("000104048484808d0d0f1f2f2f7f13937cfcfdfbff1e1f9e9f6d7a72788c8d8e8f90c0dfe0effaf6bf")
CHAINS = [bytes((first, link)) for first in (0x84, 0x8D, 0xC4) for link in (0x80, 0xFF)] + [
    bytes((0x04, first)) + bytes((link,))
    for first in (0x93, 0xFD, 0xFB, 0xFC, 0xFF)
    for link in (0x80, 0xFF, 0xFD)
]
BUILD = {"A": frame_a.build, "B": frame_b.build}
AIR = (
    ("T1", "A", "T+C"),
    ("C1", "A", "T+C"),
    ("C1", "B", "T+C"),
    ("T1", "A", "T"),
    ("C1", "B", "C"),
    ("S1-m", "A", "S"),
)


def with_length(body):
    """A telegram whose L-field fits."""
    return bytes((len(body),)) + body


def body(rng):
    """Link header, CI and what no meter sends."""
    kind = rng.randrange(4)
    if kind == 0:
        tail = rng.randbytes(rng.randint(0, 245))
    elif kind == 1:
        tail = bytes(rng.choice(STEERING) for _ in range(rng.randint(0, 240)))
    elif kind == 2:
        chain = rng.choice(CHAINS)
        tail = b"\x78" + chain + chain[-1:] * rng.randint(0, 240) + rng.randbytes(rng.randint(0, 6))
    else:
        data = rng.choice(GOOD)
        cut = rng.randint(10, len(data))
        tail = data[10:cut] + rng.choice(GOOD)[rng.randint(0, 40) :]
    return HEAD + tail[:236]


def damaged(rng):
    """Bytes for a text line: the L-field may fit or not."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randint(0, 300))
    if kind == 1:
        return with_length(body(rng))
    data = bytearray(rng.choice(GOOD))
    if rng.randrange(2):
        data = bytearray(rng.choice((frame_a, frame_b)).build(bytes(data)))
    if kind == 2:
        return bytes(data[: rng.randint(0, len(data))])
    if kind == 3:
        data[0] = rng.randrange(256)
        return bytes(data)
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if kind == 4 and rng.randrange(2):
        data[0] = len(data) - 1
    return bytes(data)


def dressed(rng, data):
    """A text line as one of the tools would write it, now and then with a wrong character."""
    text = rng.choice((data.hex(), data.hex().upper(), data.hex(" "), "0x" + data.hex()))
    text = rng.choice(
        (
            "{}",
            "{}",
            "T1;1;1;2026-01-31 12:00:00.000;-80;;;0x{}",
            "b{}6580",
            "bY{}6580",
            "telegram=|{}|+5",
            "{}\r",
        )
    ).format(text)
    if not rng.randrange(8):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice("\0;|\u20ac\ud800 #xb\x1b") + text[at + rng.randrange(2) :]
    return text


def read(text, key_for):
    """What `omsnode decode` and `omsnode analyze` do with a line. The error's code, or None."""
    try:
        line = parse_line(text, keep=True)
    except OmsError as error:
        assert json.loads(refused_line(error))["error"]["code"] == error.code
        return error.code
    if line is None:
        return None
    telegram = decode(line.telegram, key_for)
    told = json.loads(to_json(telegram, line.frame_format))
    assert (told["error"] is None) == (telegram.error is None)
    assert "\x1b" not in to_table(telegram)
    at = 0
    for span in explain(telegram):
        assert span.start == at < span.end
        at = span.end
    assert at == len(telegram.raw)
    assert "\n" not in rtlwmbus(telegram.raw, "T1", "2026-01-31 12:00:00.000")
    return telegram.error.code if telegram.error else None


def test_damaged_lines(record_property):
    rng = random.Random(SEED)
    outcomes = {}
    for _ in range(LINES):
        code = read(dressed(rng, damaged(rng)), lambda address, *which: KEY)
        outcomes[code] = outcomes.get(code, 0) + 1
    record_property("damaged lines, by outcome", "{}: {}".format(LINES, outcomes))
    # The campaign reaches every refusal, and is not one of refusals only.
    assert {
        None,
        "line",
        "length",
        "crc",
        "link",
        "transport",
        "unsupported",
        "unsupported_ci",
        "wrong_key_or_altered",
    } <= set(outcomes)


def hurt(rng, chips):
    """Chips behind the sync word, as a bad evening in town leaves them."""
    chips = bytearray(chips)
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randint(0, 600))
    if kind == 1:
        return bytes(chips[: rng.randint(0, len(chips))])
    if kind == 2:  # another transmission begins in the middle
        at = rng.randint(0, len(chips))
        return bytes(chips[:at]) + rng.randbytes(len(chips) - at)
    if kind == 3:
        return bytes(chips)
    for _ in range(1 + rng.randrange(1 << rng.randint(0, 6))):
        chips[rng.randrange(len(chips))] ^= 1 << rng.randrange(8)
    return bytes(chips)


def receive(rng, deframer, chips, at_us):
    """The event that a driver makes of chips that come in pieces, or None while the frame is not complete."""
    deframer.reset()
    at = 0
    result = 1
    while result > 0 and at < len(chips):
        size = rng.choice((1, 1, 3, 15, 64, 600))
        result = deframer.feed(chips[at : at + size])
        at += size
        assert result <= 8 * 600
    if result < 0:
        assert isinstance(deframer.error, OmsError)
        return radio.Event(radio.REJECTED, at_us, error=deframer.error)
    if result > 0:
        return None
    assert len(deframer.frame) <= 290
    return radio.Event(
        radio.FRAME, at_us, at_us + 1, deframer.frame, deframer.family, deframer.frame_format, -70
    )


def test_damaged_chips(record_property):
    rng = random.Random(SEED)
    role = Collector([KnownMeter("gas", Address.parse("12345678.M=ELS.V=33.T=03"), KEY)])
    counts = {"delivered": 0, "rejected": 0, "unfinished": 0, "in a row": 0}
    deframers = {name: Deframer(name) for _, _, name in AIR}
    for number in range(FRAMES):
        mode, frame_format, listens_to = rng.choice(AIR)
        row = modes.find(mode)
        telegram = rng.choice(GOOD) if rng.randrange(2) else with_length(body(rng))
        chips = framing.chips(row, BUILD[frame_format](telegram), frame_format)
        sync = b"\x76\x96" if row.family == "S" else b"\x54\x3d"
        chips = hurt(rng, chips[chips.index(sync) + 2 :])
        event = receive(rng, deframers[listens_to], chips, 10**7 * number)
        if event is None:
            counts["unfinished"] += 1
            continue
        readings = [action.reading for action in role.feed(event, event.at_us)]
        counts["delivered" if readings else "rejected"] += 1
        for reading in readings:
            json.loads(to_json(reading.telegram, reading.frame_format))
        if number % 50 == 0:  # the state is unharmed: the next good frame is heard, in each coding
            for mode, frame_format, listens_to in AIR:
                row = modes.find(mode)
                chips = framing.chips(row, BUILD[frame_format](GOOD[0]), frame_format)
                sync = b"\x76\x96" if row.family == "S" else b"\x54\x3d"
                event = receive(rng, deframers[listens_to], chips[chips.index(sync) + 2 :], 10**7 * number)
                fresh = Collector([KnownMeter("gas", Address.parse("12345678"), KEY)])
                (told,) = fresh.feed(event, event.at_us)
                assert told.reading.telegram.verdict == "decrypted"
                before = dict(role.counters)
                role.feed(event, event.at_us)
                assert role.counters["frames"] == before["frames"] + 1
                counts["in a row"] += 1
    counters = role.counters
    assert counters["delivered"] + counters["duplicates"] <= counters["frames"]
    assert len(role.statistics) <= 512
    record_property("damaged chips, by outcome", "{}: {}".format(FRAMES, counts))
    assert min(counts.values()) > FRAMES // 100


@settings(max_examples=500 * FACTOR)
@given(st.binary(max_size=240), st.sampled_from(GOOD), st.integers(0, 255), st.booleans())
def test_any_bytes_behind_any_good_beginning(tail, good, at, known):
    data = with_length(good[1:at] + tail)[:256] if len(good[1:at] + tail) <= 255 else good
    read(data.hex(), (lambda address, *which: KEY) if known else None)


@pytest.mark.parametrize("first", CHAINS)
def test_endless_chains_end_with_a_named_reason(first):
    for length in range(240):
        data = with_length(bytes.fromhex(NO_HEADER)[1:11] + first + first[-1:] * length)
        telegram = decode(data)
        assert telegram.error is None and telegram.verdict == "plain"
        undecoded = telegram.undecoded
        spent = sum(len(one.dib + one.vib + one.data) for one in telegram.records)
        assert undecoded is not None or spent + telegram.payload.count(0x2F) >= len(telegram.payload)
        assert undecoded is None or undecoded.reason


def test_a_good_telegram_after_all_this():
    telegram = decode(bytes.fromhex(N_2_1), lambda address, *which: KEY)
    assert telegram.verdict == "decrypted" and len(telegram.records) == 3
