"""From bursts to MAC frames: which burst of a frame it was, what is found without an error, and what is handed out (LPWAN sheet 10,
11.1, 23)."""

import random

import pytest
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy import radio
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.roles.lpwan.collector import BurstCollector
from omsnode.firmware.roles.lpwan.hearing import Hearing
from support_lpwan import FRAMES

S = 1000000


def event(chips, at_us):
    return radio.Event(radio.FRAME, at_us, at_us + 10000, bytes(chips[8:]), "B", "UL", -80)


def frames(count):
    """MAC frames of which UL2 has a right CRC where it is taken for UL1, found by trial."""
    rng = random.Random(7)
    out = []
    while len(out) < count:
        body = bytes([0]) + bytes(rng.randrange(256) for _ in range(rng.randrange(8, 40)))
        frame = body + mac.crc(body)
        sent = burst.uplink(frame, 64, 1, 0)
        for index in (2, 3):
            header, _, data = burst.receive(sent[index - 1][8:], "up")
            from omsnode.firmware.phy.burst import interleaver

            taken = interleaver.deinterleave(data, header.length)
            if mac.valid(taken) and taken != frame:
                out.append((frame, index))
    return out


@pytest.mark.parametrize("costly", (False, True))
def test_a_right_crc_is_not_enough(costly):
    """The encoder makes multiples of the CRC of multiples of the CRC, where its register ends empty: found by hearing UL2 alone."""
    for frame, index in frames(6):
        hearing = Hearing("UL-B4", costly)
        at_us = 100 * S
        found = hearing.burst(event(burst.uplink(frame, 64, 1, 0)[index - 1], at_us), at_us)
        if costly:
            assert found == [] and len(hearing.captures) == 1
            assert hearing.decoded(1, frame, at_us)[0].frame == frame
        else:
            assert [one.frame for one in found] == [frame] and found[0].index == index


def test_what_the_decoder_says_is_looked_at():
    frame = bytes.fromhex(FRAMES["Q.K.3"][1])
    hearing = Hearing("UL-B4")
    at_us = 100 * S
    sent = burst.uplink(frame, 64, 1, 0)
    for payload in (bytes(71), bytes.fromhex(FRAMES["Q.K.4"][1]), frames(1)[0][0], b"", None):
        chips = bytearray(sent[1])
        chips[30] ^= 0xFF
        at_us += 30 * S
        assert hearing.burst(event(chips, at_us), at_us) == []
        assert hearing.decoded(hearing.captures[-1].number, payload, at_us) == []
    assert hearing.counters["implausible"] >= 1
    chips[31] ^= 0xFF
    at_us += 30 * S
    hearing.burst(event(chips, at_us), at_us)
    (message,) = hearing.decoded(hearing.captures[-1].number, frame, at_us + S)
    assert (message.frame, message.index, message.heard_us) == (frame, 2, at_us)
    # UL-B4 short, TIV 64: t_A is 2.25 s.
    assert message.at_us == at_us - 2250000


@pytest.mark.parametrize("kind", (0, 1, 2))
@pytest.mark.parametrize("multi", (0, 1))
def test_without_an_error(kind, multi):
    frame = bytes.fromhex(FRAMES["Q.K.8"][1])
    hearing = Hearing("UL-B1.3")
    sent = burst.uplink(frame, 5, multi, kind)
    (message,) = hearing.burst(event(sent[0], 50 * S), 50 * S)
    assert (message.frame, message.submode, message.at_us) == (frame, "UL-B1", 50 * S)
    assert hearing.captures == []


def test_noise():
    hearing = Hearing("UL-B4")
    rng = random.Random(1)
    for i in range(50):
        chips = bytes(rng.randrange(256) for _ in range(rng.randrange(40, 300)))
        assert hearing.burst(event(bytes(8) + chips, i * S), i * S) == []
    assert hearing.counters["no_header"] > 40


def test_captures_that_nobody_fetches_are_bounded():
    hearing = Hearing("UL-B4")
    frame = bytes.fromhex(FRAMES["Q.K.3"][1])
    for i in range(80):
        chips = bytearray(burst.uplink(frame, i, 0, 0)[0])
        chips[30] ^= 0xFF
        hearing.burst(event(chips, i * S), i * S)
    assert len(hearing._open) == 32
    assert hearing.decoded(1, frame, 80 * S) == [] and hearing.counters["late"] == 1
    assert hearing.decoded(80, frame, 80 * S)[0].frame == frame


def test_a_collector_stamps_with_t0():
    """Q.2.4.6.5.3: also where only UL2 was heard, or a decoder took its time. UL-B4 short, TIV 64: t_A is 2.25 s."""
    frame = bytes.fromhex(FRAMES["Q.K.3"][1])
    wall_us = 1767225600 * S
    sent = burst.uplink(frame, 64, 1, 0)[1]
    for costly in (False, True):
        collector = BurstCollector(costly=costly)
        actions = collector.feed(event(sent, 50 * S), 51 * S, wall_us + 50 * S)
        if costly:
            (capture,) = [one.reading for one in actions]
            actions = collector.decoded(capture.number, frame, 70 * S, wall_us + 70 * S)
        (reading,) = [one.reading for one in actions if hasattr(one, "reading")]
        assert (reading.at_us, reading.wall_us) == (47750000, wall_us + 47750000)
