"""Frames of every length over the virtual air, at the spacing of dead time and service delay, with late hosts.

Drivers, chips and hosts on both sides; what a frame is, is decided by the tests' own rules (support_link).
"""

import os

import pytest
import support_relay as relay
from omsnode.board.virtual import World
from omsnode.tools.bench import radio as bench
from support_relay import LATE_US, LINKS, SENT

SEEDS = range(1, 21) if os.environ.get("OMSNODE_SOAK") else (1,)
POLICIES = sorted(bench.POLICIES)


def missing(readings, receiver, bursts):
    """Every frame came out of the driver bit by bit and out of the collector as a reading, in order and nothing else.
    Returns the bursts that noise has hidden."""
    heard = set(receiver.role.frames)
    lost = [burst for burst in bursts if (burst.frame, burst.frame_format) not in heard]
    came = [burst for burst in bursts if burst not in lost]
    assert receiver.role.frames == [(burst.frame, burst.frame_format) for burst in came]
    assert [reading.raw for reading in readings] == [relay.telegram(*burst[1:3]) for burst in came]
    for burst in lost:
        assert receiver.role.misled(burst), "L = {} was not heard".format(burst.frame[0])
    assert sum(receiver.radio.counters["rejects"].values()) == len(lost)
    assert receiver.radio.counters["faults"] == {}
    assert receiver.counters.get("edges_lost", 0) == 0
    assert not receiver.board.chip.violations
    return lost


@pytest.fixture(scope="module")
def dead_us():
    """{(mode, frame format, heard as, policy): measured dead time}."""
    return {
        (*link, policy): max(bench.dead_times_us(link, bench.POLICIES[policy]))
        for link in LINKS
        for policy in POLICIES
    }


@pytest.fixture(scope="module")
def sent(dead_us):
    """sent(mode, frame format, seed): what `live` returns, done once."""
    done = {}

    def get(mode, frame_format, seed):
        key = (mode, frame_format, seed)
        if key not in done:
            spacing_us = dead_us[mode, frame_format, relay.HEARD[mode][-1], "every frame"] + LATE_US
            done[key] = live(mode, frame_format, seed, spacing_us)
        return done[key]

    return get


def live(mode, frame_format, seed, spacing_us):
    """Four sending drivers in turn and a receiving one, all their hosts up to 2 ms late with every service.

    (bursts on the air, receiver, its readings, senders)
    """
    world = World(seed)
    frames = [relay.frame(length, frame_format) for length in relay.lengths(frame_format)]
    receiver, readings = relay.collector(world, relay.HEARD[mode][-1])
    senders, until_us = relay.relay(world, mode, frames, frame_format, spacing_us)
    world.run([receiver, *senders], until_us, delay_us=world.delay(0, LATE_US))
    for sender in senders:
        assert {event.kind for event in sender.role.events} == {"sent"}
        assert not sender.board.chip.violations
    bursts = [
        relay.on_the_air(mode, data, frame_format, transmission)
        for data, transmission in zip(frames, world.air.log, strict=True)
    ]
    return bursts, receiver, readings


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("mode", "frame_format"), SENT)
def test_from_sending_to_receiving_driver(mode, frame_format, seed, sent, record_property):
    bursts, receiver, readings = sent(mode, frame_format, seed)
    lost = missing(readings, receiver, bursts)
    assert len(lost) <= 2
    ends = [burst.transmission.time_ns(burst.needed_chips) for burst in bursts]
    gaps = [burst.transmission.start_ns - end for burst, end in zip(bursts[1:], ends, strict=False)]
    record_property(
        "{} {} heard as {}".format(mode, frame_format, receiver.role.mode),
        "{} lengths through both drivers live, {:.2f} to {:.2f} ms between them; {} hidden by noise".format(
            len(bursts), min(gaps) / 1e6, max(gaps) / 1e6, len(lost)
        ),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("link", LINKS)
def test_at_the_spacing_of_dead_time_and_service_delay(link, policy, seed, dead_us, sent, record_property):
    """The same transmissions, each header the dead time and the present service delay behind the last chip of the frame
    before. What noise has hidden is sent again."""
    bursts = again = sent(link[0], link[1], seed)[0]
    gaps = []
    while again:
        world = World("{}/{}".format(seed, len(again)))
        receiver, readings = relay.collector(world, link[2], recalibrate=bench.POLICIES[policy])
        host = relay.Host(receiver, world.delay(0, LATE_US))

        def spacing(world=world, host=host):
            delay_us = host.hold()
            gaps.append(dead_us[(*link, policy)] + delay_us)
            world.at(world.now_ns / 1000 + delay_us + 1000, host.release)
            return gaps[-1]

        train = bench.Train(world, again, spacing, relay.FIRST_US)
        world.run([host], 1 << 50, lambda train=train: train.done, host.next_delay_us)
        world.run([host], world.now_us + 30000, None, host.next_delay_us)
        again = missing(readings, receiver, again)
        assert len(again) <= 2
    record_property(
        "{} {} heard as {}, calibrating {}".format(*link, policy),
        "{} lengths, {:.2f} ms + service delay ({:.2f} to {:.2f} ms) between them; {} hidden by noise".format(
            len(bursts),
            dead_us[(*link, policy)] / 1000,
            min(gaps) / 1000,
            max(gaps) / 1000,
            len(gaps) - len(bursts),
        ),
    )
