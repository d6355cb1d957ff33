"""What the datasheet leaves open: with each setting of it, frames of the lengths that are special arrive, and with a host
that is much too late they may be lost but never altered."""

import pytest
import support_relay as relay
from omsnode.board.virtual import OPTIONS, World
from omsnode.firmware.errors import RadioError
from omsnode.tools.bench import radio as bench
from support_relay import LATE_US, SENT

SETTINGS = [(row.name, choice) for row in OPTIONS for choice in row.choices if choice != row.default]
NO_CHIP = ("version", 0)
WORKING = [setting for setting in SETTINGS if setting != NO_CHIP]
ENDS_PACKET = ("pktctrl0_write_ends_packet", "always")
SPACING_US = 3000


def play(mode, frame_format, options, late_us, seed):
    """Both ways at once: the options are those of the sending chips and of the receiving one. (frames, receiver,
    senders, world)"""
    world = World(seed)
    frames = [relay.frame(n, frame_format) for n in relay.special_lengths(mode, frame_format)]
    receiver, _ = relay.collector(world, relay.HEARD[mode][-1], options)
    senders, until_us = relay.relay(world, mode, frames, frame_format, SPACING_US, options)
    slow, fast = world.delay(0, late_us), world.delay(0, LATE_US)
    world.run([receiver, *senders], until_us, None, lambda node: (slow if node is receiver else fast)(node))
    return frames, receiver, senders, world


@pytest.mark.parametrize(("name", "choice"), [setting for setting in WORKING if setting != ENDS_PACKET])
def test_special_lengths_arrive(name, choice):
    for mode, frame_format in SENT:
        frames, receiver, senders, world = play(mode, frame_format, {name: choice}, LATE_US, 3)
        assert receiver.role.frames == [(data, frame_format) for data in frames], (mode, frame_format)
        for data, transmission in zip(frames, world.air.log, strict=True):
            relay.on_the_air(mode, data, frame_format, transmission)
        for node in (receiver, *senders):
            assert set(node.radio.counters["faults"]) <= ({"pll"} if name == "pll_lock_failures" else set())
            assert not node.board.chip.violations


def test_a_chip_that_ends_packets_early_costs_each_sender_one_frame():
    """The driver then sends streams of more than 255 bytes the other way that the datasheet allows."""
    for mode, frame_format in SENT:
        frames, receiver, senders, _ = play(mode, frame_format, dict([ENDS_PACKET]), LATE_US, 3)
        sent = [(data, frame_format) for data in frames]
        heard = [row for row in receiver.role.frames if row in sent]
        lost = [data for data, _ in sent if (data, frame_format) not in heard]
        assert heard == [row for row in sent if row in heard]
        assert len(lost) == sum(node.radio.counters["faults"].get("tx_stalled", 0) for node in senders)
        assert all(sum(node.radio.counters["faults"].values()) <= 1 for node in senders)


@pytest.mark.parametrize(("name", "choice"), WORKING)
def test_a_host_much_too_late_loses_frames_but_alters_none(name, choice):
    """Up to four FIFOs late; what leaves the driver is looked at, before any CRC."""
    heard = sent = 0
    for mode, frame_format in SENT[::2]:
        frames, receiver, _, _ = play(mode, frame_format, {name: choice}, 4 * bench.fifo_us(mode), 5)
        assert set(receiver.role.frames) <= {(data, frame_format) for data in frames}, (mode, frame_format)
        heard += len(receiver.role.frames)
        sent += len(frames)
    assert 0 < heard < sent


def test_a_chip_that_answers_zero_is_named():
    world = World()
    receiver, _ = relay.collector(world, "T+C", dict([NO_CHIP]))
    with pytest.raises(RadioError, match="0x00"):
        receiver.step()
