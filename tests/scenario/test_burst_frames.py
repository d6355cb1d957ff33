"""Frames of every kind, PHY payloads of 5 to 255 bytes, from either radio to either radio over the virtual air, back to back:
1,000 in all with OMSNODE_SOAK, else a sample. What was on the air is judged bit by bit by support_burst_judge_air.
"""

import os
import random

import pytest
import support_burst_judge_air as judge
from omsnode.board import virtual
from omsnode.firmware.phy.burst import burst, decode
from support_burst_air import published
from support_burst_radio import DOWNLINKS, UPLINKS, air_us, direction, pair
from support_radios import balanced, put_away

SOAK = bool(os.environ.get("OMSNODE_SOAK"))
SENDERS = ("cc1101", "sx1262")
RECEIVERS = ("cc1101", "sx1262", "raw")
ALL = UPLINKS + DOWNLINKS
RUNS = [(sender, receiver, name) for name in ALL for sender in SENDERS for receiver in RECEIVERS]
FRAMES = 1000
KINDS = {"up": ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)), "down": ((0, 0), (0, 1), (0, 2), (1, 0))}
SX1262_BYTES = 263  # of a burst: sheet 22, and 8 bytes in the sync word
# LPWAN sheet 22: largest PHY payload of an SX1262, rates 7/8 (and multi), 1/2, 1/3.
LARGEST = {"up": (198, 113, 75), "down": (211, 121, 80)}
GAP_US = 1500  # from the end of a burst until the sender is asked for the next one
AHEAD_US = 12000  # so long a radio wants to be armed in advance, with its calibration


def most(kind, way, multi, burst_type):
    return 255 if kind == "cc1101" else LARGEST[way][0 if multi else burst_type]


def drawn(rng, kind, way, turn):
    """(payload, tiv, multi, type): the kinds in turn; every fourth frame has the least or the greatest length there is."""
    multi, burst_type = KINDS[way][turn % len(KINDS[way])]
    longest = most(kind, way, multi, burst_type)
    length = rng.choice((5, longest)) if rng.random() < 0.25 else rng.randint(5, longest)
    return rng.randbytes(length), rng.randrange(128), multi, burst_type


def play_frame(world, sender, receiver, kinds, name, frame):
    """All its bursts, one behind the other; returns what came: [Event], [Transmission]."""
    payload, tiv, multi, burst_type = frame
    way = direction(name)
    build = burst.uplink if way == "up" else burst.downlink
    first, came = len(world.air.log), len(receiver.events)
    for chips in build(payload, tiv, multi, burst_type):
        assert kinds[0] == "cc1101" or len(chips) <= SX1262_BYTES
        sent = len(sender.kinds("sent"))
        sender.send(name, chips, in_us=AHEAD_US)
        until_us = world.now_us + AHEAD_US + air_us(name, chips) * 1002 // 1000 + 40000
        world.run([sender, receiver], until_us, lambda sent=sent: len(sender.kinds("sent")) > sent)
        assert len(sender.kinds("sent")) == sent + 1, sender.events[-3:]
        world.run([sender, receiver], world.now_us + GAP_US)
    n = len(world.air.log) - first

    def frames():
        return [event for event in receiver.events[came:] if event.kind == "frame"]

    # A raw receiver tells of chips as its FIFO hands them out: 64 chips of 2 kchip/s are 32 ms.
    world.run([sender, receiver], world.now_us + 400000, lambda: len(frames()) >= n)
    # Noise in the gap may look like 15 of 16 chips of a sync: the chip listens again behind 16 more (sheet 23).
    assert {event.kind for event in receiver.events[came:]} <= {"frame", "rejected"}
    return frames(), world.air.log[first:]


def exact(frame, sent):
    """Every bit of every burst, by a code of the judge's own."""
    payload, tiv, multi, burst_type = frame
    made = [judge.read(one) for one in sent]
    assert [judge.index_of(one, payload) for one in made] == ([1, 2, 3] if multi else [1])
    assert {(one.length, one.tiv, one.multi, one.type) for one in made} == {
        (len(payload), tiv, multi, burst_type)
    }
    assert judge.systematic(made[0]) == payload
    return made


def decoded(frame, events, way, indices):
    """What the receiver's codec makes of these bursts of the frame."""
    payload, tiv = frame[:2]
    heads, parts = set(), []
    for index in indices:
        head, wrong, data = burst.receive(events[index - 1].frame, way, (tiv,))
        assert wrong == 0
        heads.add(head)
        parts.append((index, data))
    (head,) = heads
    return decode.payload(head, parts, lambda found: found == payload)


def campaign(run, frames, seed):
    *kinds, name = run
    rng = random.Random("{}/{}".format(run, seed))
    # All 16 chips of the CC1101's sync: with 15 of them noise in the gaps is taken for one every 4,000 chips, and some
    # that come right before a burst cost it (sheet 23).
    exact_sync = {"sync_errors": 0} if kinds[1] == "cc1101" else None
    world, sender, receiver = pair(kinds, seed=seed, drivers=(None, exact_sync))
    receiver.listen(name)
    world.run([receiver], world.now_us + 20000)
    way = direction(name)
    total = 0
    for turn in range(frames):
        frame = drawn(rng, kinds[0], way, turn + seed)
        events, sent = play_frame(world, sender, receiver, kinds, name, frame)
        made = exact(frame, sent)
        assert len(events) == len(made), (run, turn, receiver.events)
        assert {event.frame_format for event in events} == {name[:2]}
        for event, one in zip(events, made, strict=True):
            assert abs(event.at_us - receiver.board.to_us(one.t0_ns)) < 60, (event.at_us, one.t0_ns)
            assert (one.name, one.n) == (name, 2)
            if kinds[0] == "sx1262":
                assert judge.beyond(one) == []
        # Any subset of the three.
        indices = sorted(rng.sample((1, 2, 3), rng.randint(1, 3))) if frame[2] else (1,)
        assert decoded(frame, events, way, indices) == frame[0]
        total += len(made)
        put_away(receiver)
        put_away(sender)
        del world.air.log[:]
    for one in (sender, receiver):
        assert not one.faults and not one.board.chip.violations
        balanced(one)
    return total


def share(frames):
    return frames // len(RUNS) + 1


@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_frames(run, record_property):
    """1,000 frames over all pairings, sub-modes and kinds; in CI one of each, some more of the quick ones."""
    frames = share(FRAMES)
    if not SOAK:
        frames = {"UL-B4": 4, "DL-B4": 2}.get(run[2], 1)
    record_property("bursts", campaign(run, frames, 1 + RUNS.index(run)))


def test_the_judge_reads_what_was_published(shared):
    """Every burst of burst.json; the two with fictive contents are no bursts (sheet 25, trap 16)."""
    found = 0
    for name, bursts in published(shared).items():
        up = name.startswith("uplink")
        payload = None
        for index, chips in enumerate(bursts, 1):
            rate, carrier = (125e3, 868.35e6) if up else (24e3, 869.525e6)
            sent = virtual.Transmission(0, virtual.unpack(chips), rate, carrier, rate / 4 if up else rate / 2)
            one = judge.read(sent)
            payload = payload or judge.systematic(one)
            assert judge.index_of(one, payload) == index
            assert judge.beyond(one) == []
            wrong = bytearray(sent.chips)
            wrong[100 + 7 * index] ^= 1
            with pytest.raises(judge.Malformed):
                assert judge.index_of(judge.read(sent, wrong), payload) is None
                raise judge.Malformed
            found += 1
    assert found >= 10
