"""Every mode, frame format and length from either radio to either radio; whole with OMSNODE_SOAK, else a sample with a
fixed seed. And every setting of what the sheets of both chips leave open."""

import os
import random

import pytest
from omsnode.board import virtual
from omsnode.board.virtual import sx1262, unpack
from omsnode.drivers.sx1262 import limits
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from support_radios import LINKS, PAIRS, balanced, heard_as, pair, possible, put_away
from support_stations import chips, frame

SOAK = bool(os.environ.get("OMSNODE_SOAK"))
SAMPLE = 3  # lengths per pairing and link, beside the longest one
RUNS = [(kinds, link, heard) for kinds in PAIRS for link in LINKS for heard in heard_as(link)]

# Coded bytes behind the sync word of the longest frame, L = 255: 290 bytes with their CRCs in format A, 256 in format B; in
# C the receiver gets the second half of the sync word too (link sheet 3 and 5; SX1262 sheet 7).
LONGEST = {("T", "A"): 435, ("S", "A"): 580, ("C", "A"): 292, ("C", "B"): 258}

AHEAD_US = 60000


def name(run):
    kinds, (mode, direction, frame_format), heard = run
    return "{}-{}-{}-{}-{}-{}".format(*kinds, mode, direction, frame_format, heard)


def exchange(world, sender, receiver, link, length):
    """One frame arrives as it was sent, once; on the air was what was prepared, and not late."""
    mode, direction, frame_format = link
    data = frame(length, frame_format, seed=length)
    stream = chips(mode, data, direction, frame_format)
    put_away(sender)
    put_away(receiver)
    del world.air.log[:]
    sender.radio.late_us = max(sender.radio.late_us, 300)  # the looks of the receiver are on the same host
    at_us = sender.send(mode, stream, direction, in_us=AHEAD_US)
    air_us = len(stream) * 8000000 // modes.find(mode, direction).chip_rate_cps
    world.run([sender, receiver], world.now_us + AHEAD_US + air_us + 10000)
    assert [event.kind for event in sender.events if event.kind != "fault"] == ["sent"]
    (sent,) = world.air.log
    assert sent.start_ns <= at_us * 1000 + 1000
    assert bytes(unpack(stream))[-8 * 263 :] in bytes(sent.chips)
    (event,) = [event for event in receiver.events if event.kind != "fault"]
    assert (event.kind, event.frame, event.frame_format) == ("frame", data, frame_format)
    assert event.family == modes.find(mode, direction).family
    return event


def settle(world, receiver, link, heard):
    receiver.listen(heard, link[1])
    world.run([receiver], world.now_us + 15000)


@pytest.mark.parametrize("run", RUNS, ids=map(name, RUNS))
def test_lengths(run):
    kinds, link, heard = run
    lengths = [length for length in range(9, 256) if possible(kinds[0], link, length)]
    longest = lengths[-1]
    if not SOAK:
        lengths = sorted({*random.Random(name(run)).sample(lengths, SAMPLE), longest})
    world, sender, receiver = pair(kinds, seed=len(name(run)))
    settle(world, receiver, link, heard)
    for length in lengths:
        exchange(world, sender, receiver, link, length)
    for station in (sender, receiver):
        assert not station.faults
        assert not station.board.chip.violations
        balanced(station)
    if kinds[0] == "cc1101":
        assert longest == 255
        coded = LONGEST[modes.find(*link[:2]).family, link[2]]
        assert receiver.radio._receiver._deframer.listens_to in (heard, "T", "C", "S")
        assert on_air_bytes(link) == coded


def on_air_bytes(link):
    """Bytes behind the chips that a receiver looks for, up to the last link CRC of the longest frame."""
    from omsnode.firmware.phy.deframer import Deframer

    mode, direction, frame_format = link
    stream = chips(mode, frame(255, frame_format), direction, frame_format)
    family = modes.find(mode, direction).family
    found = Deframer(family)
    start = stream.index(b"\x76\x96" if family == "S" else b"\x54\x3d") + 2
    assert found.feed(stream[start:]) == 0
    return -(-found.total_chips // 8)


# --- what the sheets leave open ---

NO_CHIP = ("version", 0)
SETTINGS = [
    (kind, row.name, choice)
    for kind, rows in (("cc1101", virtual.OPTIONS), ("sx1262", sx1262.OPTIONS))
    for row in rows
    for choice in row.choices
    if choice != row.default and (row.name, choice) != NO_CHIP
]
# What a driver may count with a setting; anything else is a mistake.
COUNTED = {"pll_lock_failures": {"pll"}, "pa_ramp_failures": {"pa_ramp"}}
# Ends a stream of more than 255 bytes in the middle; the driver then goes another way (tests/scenario/test_chip_options.py).
SHORT_ONLY = ("cc1101", "pktctrl0_write_ends_packet", "always")
PER_SETTING = 40 if SOAK else 2


def stream_bytes(link, length):
    return len(chips(link[0], frame(length, link[2]), link[1], link[2]))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda row: "{}-{}-{}".format(*row))
def test_settings(setting):
    """On every chip of that kind that takes part; modes, formats and lengths at random."""
    kind, option, choice = setting
    rng = random.Random("{}/{}/{}".format(*setting))
    board = {"options": {option: choice}}
    for kinds in PAIRS:
        if kind not in kinds:
            continue
        settings = {
            "sender": board if kinds[0] == kind else None,
            "receiver": board if kinds[1] == kind else None,
        }
        world, sender, receiver = pair(kinds, seed=rng.randrange(1000), **settings)
        if option == "pa_ramp_failures" and kinds[0] == kind:
            sender.send("T1", chips("T1", frame(20)), in_us=AHEAD_US)  # lost, and told
            world.run([sender], world.now_us + 2 * AHEAD_US)
            assert [(event.kind, event.code) for event in sender.events] == [("fault", "pa_ramp")]
        for _ in range(PER_SETTING):
            link = rng.choice(LINKS)
            lengths = [length for length in range(9, 256) if possible(kinds[0], link, length)]
            if setting == SHORT_ONLY and kinds[0] == kind:
                lengths = [length for length in lengths if stream_bytes(link, length) < 256]
            settle(world, receiver, link, rng.choice(heard_as(link)))
            exchange(world, sender, receiver, link, rng.choice((lengths[-1], rng.choice(lengths))))
        for station, own in ((sender, kinds[0]), (receiver, kinds[1])):
            assert set(station.faults) <= (COUNTED.get(option, set()) if own == kind else set())
            assert not station.board.chip.violations
            balanced(station)


# --- what an SX1262 cannot send ---


@pytest.mark.parametrize("link", LINKS, ids=lambda link: "-".join(link))
def test_what_is_too_long_is_refused_before_anything_is_sent(link):
    mode, direction, frame_format = link
    world, sender, receiver = pair(("sx1262", "cc1101"), seed=1)
    longest = limits.longest(modes.find(mode, direction), frame_format)
    settle(world, receiver, link, mode)
    sender.radio.configure(mode, direction)
    for length in sorted({longest + 1, longest + 2, 255}):
        if length > 255 or not possible("cc1101", link, length):
            continue
        with pytest.raises(MisuseError) as caught:
            sender.radio.prepare(
                chips(mode, frame(length, frame_format), direction, frame_format), sender.board.now_us()
            )
        assert "{} in frame format {}".format(longest, frame_format) in caught.value.hint
        assert sender.radio.due_us is None
    world.run([sender], world.now_us + 50000)
    assert not world.air.log and not sender.events
    exchange(world, sender, receiver, link, longest)
    # 255 bytes behind the 8 of the sync word register, and what the sheet says fits without it (7): T 149, S 110, C 222.
    assert longest >= {"T": 149, "S": 110, "C": 222}[modes.find(mode, direction).family]
