"""Codec of the burst mode on either interpreter: bursts, headers, both decoders.

Vectors: OMS Spec Vol. 2 Annex Q, Appendix Q.Z (uplink-single-7-8, uplink-multi, downlink-multi).
"""

from array import array

from checking import raises
from omsnode.firmware.errors import LengthError, MisuseError
from omsnode.firmware.phy.burst import burst, coded_length, decode, header, interleaver
from omsnode.firmware.phy.burst.header import Header

UP = bytes.fromhex("401A02A73D785634121503ACB46271")
DOWN = bytes.fromhex("4C0104A73D785634121503650C99BA")
SINGLE = bytes.fromhex(
    "55555555C1FA4C6A07BC9633780D86DD58B19E8583B0E563C8B0E563C8B0E563C8821AC7583C2D48037B90FD9E0682327A114D18529B"
)
MULTI_UP = [
    bytes.fromhex(chips)
    for chips in (
        "55555555C1FA4C6A07BC9633780D86DD58B19E8583B0E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A48682327A114D18529B",
        "55555555C1FA4C6A07BC9602C9F1D64C04DF6A5D9530E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A44A54C6BF8D4575F478",
        "55555555C1FA4C6A07BC96112EA6ABF666229769B530E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A49097551F3CC62F465E",
    )
]
MULTI_DOWN = [
    bytes.fromhex("55555555C1FA4C6A03F6C3902910A60247285386" + data)
    for data in (
        "02541B861E254158D4379468E1241C17184A12",
        "2BBA6B3C572D9F0974A664AB47BB4792FAF4BE",
        "397F999213CDB35549AB3E03002174DDF4D393",
    )
]


def wrong(chips, places):
    out = bytearray(chips)
    for place in places:
        out[place >> 3] ^= 0x80 >> (place & 7)
    return bytes(out)


def test_vectors():
    assert burst.uplink(UP, 89, 0, 0) == [SINGLE]
    assert burst.uplink(UP, 37, 1, 1) == MULTI_UP
    assert burst.downlink(DOWN, 109, 1, 0) == MULTI_DOWN
    for payload, direction, bursts in ((UP, "up", MULTI_UP), (DOWN, "down", MULTI_DOWN)):
        received = [burst.receive(chips[8:], direction) for chips in bursts]
        for mask in range(1, 8):
            some = [(i + 1, received[i][2]) for i in range(3) if mask >> i & 1]
            assert decode.payload(received[0][0], some, lambda found: found == payload) == payload  # noqa: B023


def test_wrong_chips():
    for burst_type, every in ((1, 40), (2, 20)):
        chips = burst.downlink(DOWN, 5, 0, burst_type)[0][8:]
        chips = wrong(chips, (3, 17, 18, 40, 41, 66, 90)) if burst_type == 1 else chips
        chips = wrong(chips, range(100, 8 * len(chips), every))
        head, distance, data = burst.receive(chips, "down", (5,))
        assert head == Header(15, 5, 0, burst_type)
        assert distance == (7 if burst_type == 1 else 0)
        assert decode.payload(head, [(None, data)], lambda found: found == DOWN) == DOWN


def test_soft_values():
    data = interleaver.deinterleave(burst.split(burst.downlink(DOWN, 5, 0, 1)[0][8:], "down").data_b)
    values = array("b", bytes(8 * len(data)))
    place = interleaver.positions(len(values))
    for i in range(len(values)):
        at = next(place)
        values[at] = 0 if i < 120 else 90 if data[i >> 3] & (0x80 >> (i & 7)) else -90
    assert decode.payload(Header(15, 5, 0, 1), [(None, values)], lambda found: found == DOWN) == DOWN


def test_headers():
    head = Header(200, 77, 1, 2)
    chips = burst.split(burst.uplink(bytes(200), 77, 1, 2)[0][8:], "up").header
    assert header.uplink(chips) == (head, 0)
    chips = wrong(chips, (0, 1, 2, 3, 30, 50, 70, 80, 95))
    assert header.uplink(chips, (), 115) == header.uplink(chips, (76, 77)) == (head, 9)
    assert header.uplink(bytes(12), (76, 77), 115) is None
    assert header.downlink(b"\xa5" * 12, 5) is None
    assert coded_length.nearest(0x16F1F5 ^ 0x16F1F5 >> 1 ^ 0x400010) == (45, 2)


def test_refusals():
    raises(MisuseError, burst.uplink, bytes(4), 0, 0, 0)
    raises(MisuseError, burst.downlink, bytes(9), 0, 1, 1)
    raises(LengthError, burst.split, bytes(20), "up")
    raises(LengthError, header.downlink, bytes(11))
    raises(LengthError, decode.payload, Header(15, 5, 0, 1), [(None, bytes(30))], bool)
    raises(MisuseError, decode.payload, Header(15, 5, 1, 0), [(2, bytes(19)), (2, bytes(19))], bool)


for f in (test_vectors, test_wrong_chips, test_soft_values, test_headers, test_refusals):
    f()
print("ok")
