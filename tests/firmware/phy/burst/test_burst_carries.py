"""Which burst of its frame one alone is: a right MAC CRC does not tell (LPWAN sheet 5, 7, 12)."""

import random

import pytest
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy.burst import burst, decode, header

HEAD = {length: header.Header(length, 41, 1, 1) for length in (15, 71, 255)}


def frames(length, count):
    rng = random.Random(length)
    for _ in range(count):
        body = bytes(rng.randrange(256) for _ in range(length - 4))
        yield rng, body + mac.crc(body)


def damaged(rng, chips, rate):
    return bytes(byte ^ sum(0x80 >> i for i in range(8) if rng.random() < rate) for byte in chips)


def ambiguous(length, index):
    """Frames whose burst UL2 or UL3 has, where the payload of UL1 stands, something with a right CRC."""
    for rng, payload in frames(length, 800 if length == 15 else 250):
        sent = burst.uplink(payload, 41, 1, 1)[index - 1][8:]
        first = decode.deinterleave(burst.receive(sent, "up")[2], length)
        if first != payload and mac.valid(first):
            yield rng, payload, sent, first


@pytest.mark.parametrize("length", sorted(HEAD))
@pytest.mark.parametrize("index", (2, 3))
def test_a_later_burst_is_not_taken_for_the_first(length, index):
    found = list(ambiguous(length, index))
    assert found
    for rng, payload, sent, wrong in found:
        heard = damaged(rng, sent, 0.01)
        assert not burst.carries(wrong, HEAD[length], [(1, heard)])
        assert burst.carries(payload, HEAD[length], [(index, heard)])


@pytest.mark.parametrize("length", sorted(HEAD))
def test_chip_errors_at_which_a_burst_alone_is_decoded_are_no_other_burst(length):
    """Un-precoded they would invert half of it."""
    for rng, payload in frames(length, 60):
        sent = burst.uplink(payload, 41, 1, 1)
        for index in (1, 2, 3):
            assert burst.carries(payload, HEAD[length], [(index, damaged(rng, sent[index - 1][8:], 0.02))])
        pair = [(1, damaged(rng, sent[0][8:], 0.05)), (3, damaged(rng, sent[2][8:], 0.05))]
        assert burst.carries(payload, HEAD[length], pair)
        assert not burst.carries(payload, HEAD[length], [(1, pair[0][1]), (2, pair[1][1])])


def test_another_length_is_another_burst():
    payload = next(frames(15, 1))[1]
    longer = burst.uplink(bytes(71), 41, 1, 1)[0][8:]
    assert not burst.carries(payload, HEAD[15], [(1, longer)])
