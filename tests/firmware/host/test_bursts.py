"""Bursts from chips: OMS Vol. 2 Annex Q.Z.4.1.2 (the worked example of the sheet's section 10), Q.Z.4.1.5, Q.Z.4.2.2, typed in."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import CrcError, HeaderError, LengthError, OmsError
from omsnode.firmware.host import bursts, lpwan_explain
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.phy.burst.header import Header
from support_spans import covers

PAYLOAD = bytes.fromhex("401A02A73D785634121503ACB46271")
SINGLE = bytes.fromhex(
    "55555555 C1FA4C6A 07BC96 33780D86DD58B19E8583 B0E563C8B0E563C8B0E563C8 821AC7583C2D48037B90FD9E 0682327A114D18529B"
)
MULTI = [
    bytes.fromhex(
        "55555555C1FA4C6A07BC96" + data_a + "E563C8B0E563C8B0E563C8823BB3A83FE66E034C8996A4" + data_b
    )
    for data_a, data_b in (
        ("33780D86DD58B19E8583B0", "8682327A114D18529B"),
        ("02C9F1D64C04DF6A5D9530", "4A54C6BF8D4575F478"),
        ("112EA6ABF666229769B530", "9097551F3CC62F465E"),
    )
]
DOWN_PAYLOAD = bytes.fromhex("4C0104A73D785634121503650C99BA")
DOWN = bytes.fromhex("55555555C1FA4C6A03FF8DC029FD22024B40BA9202541B861E254158D4379468E1241C17184A12")


def wrong(chips, *places):
    """The same with the chips at these places inverted."""
    out = bytearray(chips)
    for place in places:
        out[place >> 3] ^= 0x80 >> (place & 7)
    return bytes(out)


@pytest.mark.parametrize("skip", [0, 4, 8])
def test_the_worked_example(skip):
    """From the preamble, from the sync, from behind it."""
    one = bursts.read(SINGLE[skip:], "up")
    assert (one.header, one.error, one.is_one) == (Header(15, 89, 0, 0), None, True)
    assert bursts.solve([one]) == PAYLOAD and one.index == 1
    widths = [
        (field.name, field.end - field.start, SINGLE[skip:][field.start : field.end].hex().upper())
        for field in one.fields()
    ]
    assert (
        widths
        == [
            ("Preamble", 4, "55555555"),
            ("Sync", 4, "C1FA4C6A"),
            ("CL", 3, "07BC96"),
            ("Data A", 10, "33780D86DD58B19E8583"),
            ("Midamble", 12, "B0E563C8B0E563C8B0E563C8"),
            ("Coded header", 12, "821AC7583C2D48037B90FD9E"),
            ("Data B", 9, "0682327A114D18529B"),
        ][skip // 4 :]
    )
    assert all(field.wrong == 0 for field in one.fields())


def test_bits_of_the_worked_example():
    one = bursts.read(SINGLE, "up")
    bursts.solve([one])
    assert [tuple(row) for row in one.header_bits()] == [
        (0, "00", "Version"),
        (2, "00001111", "PHY payload length"),
        (10, "1011001", "timing input value"),
        (17, "0", "burst mode"),
        (18, "00", "burst type"),
        (20, "01011001", "header CRC"),
        (28, "0000001010000011011001110000", "P1"),
        (56, "0000001001010010111000001010", "P2"),
        (84, "100100", "T1"),
        (90, "010100", "T2"),
    ]
    first, *rest = one.coded_bits()
    assert first.name == bursts.FIRST and int(first.bits, 2) == int.from_bytes(PAYLOAD, "big")
    assert [tuple(row) for row in rest] == [
        (120, "000000", "7/8 padding"),
        (126, "011000001001101110", "P3A"),
        (144, "000011", "T0"),
        (150, "00", "zero bits"),
    ]


@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
def test_any_of_a_multi_burst(which):
    """Nothing in a burst tells which one it is; each of them knows in the end."""
    found = [bursts.read(MULTI[i][8:], "up") for i in which]
    assert bursts.solve(found) == PAYLOAD
    assert [one.index for one in found] == [i + 1 for i in which]
    assert [one.header for one in found] == [Header(15, 37, 1, 1)] * len(which)
    names = [[row.name for row in one.coded_bits()][0] for one in found]
    assert names == [("PHY payload", "P1", "P2")[i] for i in which]


def test_downlink():
    one = bursts.read(DOWN, "down")
    assert bursts.solve([one]) == DOWN_PAYLOAD and one.header == Header(15, 127, 0, 0)
    assert [(field.name, field.end) for field in one.fields()] == [
        ("Preamble", 4),
        ("Sync", 8),
        ("Coded header", 20),
        ("Data", 39),
    ]


def test_wrong_chips_are_counted_where_they_are():
    """Two in the header and one in each of preamble and midamble; of the data of a downlink one is repaired."""
    one = bursts.read(wrong(SINGLE, 3, 180, 270, 300), "up")
    assert bursts.solve([one]) == PAYLOAD
    assert [field.wrong for field in one.fields()] == [1, 0, 0, 0, 1, 2, 0]
    spans = lpwan_explain.burst_spans(one)
    assert [span.known for span in spans] == [False, True, True, True, False, False, True]
    assert spans[5].meaning.endswith("FEC 7/8: 2 chips wrong")
    one = bursts.read(wrong(DOWN, 200), "down")
    assert bursts.solve([one]) == DOWN_PAYLOAD and [field.wrong for field in one.fields()] == [0, 0, 0, 1]


def test_wrong_chips_in_the_data_of_an_uplink():
    """Each inverts all bits behind it: only the collector's costly decoder finds it."""
    pytest.importorskip("numpy")
    one = bursts.read(wrong(SINGLE, 100), "up")
    assert bursts.solve([one]) == PAYLOAD and [field.wrong for field in one.fields()] == [0, 0, 0, 1, 0, 0, 0]


def test_what_is_no_whole_burst():
    one = bursts.read(SINGLE[:-2], "up")
    assert isinstance(one.error, LengthError) and "16 chips" in one.error.message
    covers(lpwan_explain.burst_spans(one), len(SINGLE) - 2)
    with pytest.raises(LengthError):
        bursts.solve([one])
    one = bursts.read(SINGLE[:8] + bytes(600), "up")
    assert one.error is not None and one.header is None and one.is_one
    (*_, rest) = lpwan_explain.burst_spans(one)
    assert not rest.known and rest.meaning.startswith("not read: ")
    one = bursts.read(DOWN[:8] + b"\xff" * 31, "down")
    assert isinstance(one.error, HeaderError)
    one = bursts.read(SINGLE + b"\xaa\xbb", "up")
    assert bursts.solve([one]) == PAYLOAD
    rest = lpwan_explain.burst_spans(one)[-1]
    assert (rest.start, rest.end, rest.meaning, rest.known) == (54, 56, "behind the burst", False)
    assert not bursts.read(PAYLOAD, "up").is_one


def test_bursts_of_several_frames():
    with pytest.raises(LengthError, match="more than one frame"):
        bursts.solve([bursts.read(MULTI[0], "up"), bursts.read(SINGLE, "up")])
    with pytest.raises(LengthError, match="more than one frame"):
        bursts.solve([bursts.read(SINGLE, "up"), bursts.read(SINGLE, "up")])


def test_a_burst_beyond_repair():
    one = bursts.read(wrong(DOWN, *range(164, 300, 5)), "down")
    with pytest.raises(CrcError):
        bursts.solve([one])
    assert [field.wrong for field in one.fields()] == [None] * 4 and one.sent() is None
    covers(lpwan_explain.burst_spans(one), len(DOWN))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(("up", "down")), st.sampled_from((0, 4, 8)), st.binary(max_size=120))
def test_noise(direction, front, data):
    """Whatever it is: every byte is told, and what is refused is refused by name."""
    chips = SINGLE[8 - front : 8] + data
    one = bursts.read(chips, direction)
    try:
        bursts.solve([one])
    except OmsError:
        assert one.payload is None
    covers(lpwan_explain.burst_spans(one), len(chips))
    lpwan_explain.bit_rows(one)


@pytest.mark.parametrize("which", [(2,), (3,), (2, 3)])
def test_a_right_crc_is_not_enough(which):
    """What the encoder makes of a frame has a right MAC CRC once in 54 times: UL2 must not be taken for UL1 of another frame."""
    rng = random.Random(7)
    for _ in range(150):
        body = bytes([0x20]) + rng.randbytes(rng.randrange(8, 30))
        payload = body + mac.crc(body)
        sent = burst.uplink(payload, rng.randrange(128), 1, rng.randrange(3))
        assert bursts.solve([bursts.read(sent[index - 1], "up") for index in which]) == payload
