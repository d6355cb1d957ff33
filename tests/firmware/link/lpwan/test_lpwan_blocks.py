"""MBlocks: the examples of Tables Q.92 to Q.105, the table of IDs, everything that does not add up (Annex Q.3.2.3.6, Q.3.6)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.lpwan import blocks, values
from omsnode.firmware.link.lpwan.blocks import MBlock

ALL_UP, ALL_DOWN = ("UL-B1", "UL-B2", "UL-B3", "UL-B4"), ("DL-B1", "DL-B2", "DL-B3", "DL-B4")
# All 27 examples of the annex: bytes, ID, value, meaning (None: a Get).
EXAMPLES = (
    ("1001", 0, "01", values.LinkStatus(1, None, None)),
    ("00", 0, "", None),
    ("2001A5", 0, "01A5", values.LinkStatus(1, 5, 5)),
    ("01", 1, "", None),
    ("1164", 1, "64", values.FallbackStatus(values.HARD, 1280)),
    ("02", 2, "", None),
    ("22E305", 2, "E305", values.FallbackCounter(0, 1507)),
    ("2220CE", 2, "20CE", values.FallbackCounter(1, 20000)),
    ("130A", 3, "0A", 10),
    ("34031116", 4, "031116", values.Time(22, 17, 3)),
    ("14D8", 4, "D8", -40),
    ("04", 4, "", None),
    ("05", 5, "", None),
    ("1515", 5, "15", values.Uplink(0, 1, "UL-S1", None, None)),
    ("252113", 5, "2113", values.Uplink(0, 2, "UL-B2", (2,), "multi")),
    ("06", 6, "", None),
    ("168C", 6, "8C", values.Downlink(1, 1, "DL-B3")),
    ("276400", 7, "6400", 100),
    ("8001", 16, "", None),
    ("B001FF0003", 16, "FF0003", (0, 1, 2, 3, 4, 5, 6, 7, 16, 17)),
    ("8101", 17, "", None),
    ("A1010017", 17, "0017", 2023),
    ("920178", 18, "78", 240),
    ("8301", 19, "", None),
    ("B3010F0F1F", 19, "0F0F1F", values.Capability(ALL_UP, 0, ALL_DOWN, ("7/8", "1/2", "1/3", "multi"), 1)),
    ("8401", 20, "", None),
    ("9401F0", 20, "F0", 240),
)


@pytest.mark.parametrize(("text", "block_id", "value", "meaning"), EXAMPLES)
def test_examples(text, block_id, value, meaning):
    data = bytes.fromhex(text)
    block = MBlock(block_id, bytes.fromhex(value))
    assert blocks.parse(data) == [block]
    assert blocks.build([block]) == data
    if meaning is None:
        assert block == blocks.get(block_id)
        return
    assert values.decode(block_id, block.value) == meaning
    assert values.encode(block_id, meaning) == block


def test_all_examples_in_one_body():
    data = bytes.fromhex("".join(row[0] for row in EXAMPLES))
    found = blocks.parse(data)
    assert [(block.id, block.value.hex().upper()) for block in found] == [row[1:3] for row in EXAMPLES]
    assert blocks.build(found) == data
    # One byte too few or too many, and all of them are corrupt.
    for wrong in (data[:-1], data + b"\x10"):
        with pytest.raises(errors.BodyError, match="MBlocks do not add up"):
            blocks.parse(wrong)


@pytest.mark.parametrize("text", ("40", "8080", "8004", "8008", "80", "10", "F07F"))
def test_corrupt(text):
    with pytest.raises(errors.BodyError) as caught:
        blocks.parse(bytes.fromhex("00" + text))
    assert caught.value.code == "mac_body" and caught.value.hint


def test_long_and_high():
    long = MBlock(63, bytes(range(31)))
    assert blocks.build([long]) == b"\xbf\x73" + long.value and blocks.parse(blocks.build([long])) == [long]
    assert blocks.build([MBlock(5, b"1234")]) == b"\x85\x10" + b"1234"
    for wrong in (MBlock(64, b""), MBlock(0, bytes(32)), MBlock(-1, b"")):
        with pytest.raises(errors.MisuseError):
            blocks.build([wrong])


# Sheet section 15: ID, bytes, Get, Set, secure, mandatory.
TABLE = """
0 1-2 yes no yes None
1 1-1 yes no yes None
2 2-2 yes yes yes None
3 1-1 no yes yes None
4 1-3 yes yes yes None
5 1-2 yes yes yes None
6 1-1 yes yes yes None
7 2-2 no no yes any
16 3-8 yes no no other
17 2-2 yes no no other
18 1-1 yes yes yes None
19 2-3 yes no yes link
20 1-3 yes no yes None
"""


@pytest.mark.parametrize("line", TABLE.strip().split("\n"))
def test_table(line):
    block_id, size, get, set_, secure, mandatory = line.split()
    row = blocks.row(int(block_id))
    assert "{}-{}".format(row.least, row.most) == size
    assert (row.get, row.set, row.secure) == (get == "yes", set_ == "yes", secure == "yes")
    assert str(row.mandatory) == mandatory and row.name


def test_the_other_ids():
    names = {row.id: row.name for row in blocks.known()}
    assert len(names) == 21
    for block_id in (15, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E):
        assert names[block_id] == "manufacturer specific"
        assert values.decode(block_id, b"\1\2") == b"\1\2"
        assert values.encode(block_id, b"\1\2") == MBlock(block_id, b"\1\2")
    for block_id in (8, 14, 21, 0x37, 0x3F):
        assert blocks.row(block_id) is None
        with pytest.raises(errors.BodyError):
            values.decode(block_id, b"\1")


def test_what_may_be_said_unsecured():
    blocks.check_plain(
        [MBlock(16, b"\xff\x00\x03"), MBlock(17, b"\x00\x17"), MBlock(15, b"x"), MBlock(33, b"x")]
    )
    for block_id in (0, 1, 2, 3, 4, 5, 6, 7, 18, 19, 20):
        with pytest.raises(
            errors.BodyError, match="MBlock {:02X} in a MAC body that is not secured".format(block_id)
        ):
            blocks.check_plain([blocks.get(block_id)])


@pytest.mark.parametrize(
    ("block_id", "text"),
    (
        (0, ""),
        (0, "04"),  # power reduction of 12 dB cannot be told
        (0, "000000"),
        (1, "80"),  # reserved fallback
        (2, "00"),
        (4, "0000"),
        (4, "3B3B18"),  # hour 24
        (4, "3C0000"),
        (4, "003C00"),
        (5, "5000"),  # reduction 5
        (5, "0900"),  # sub-mode 9
        (5, "0080"),  # bit 7 of byte 1
        (5, "0500"),  # UL-S1 has no byte 1
        (6, "10"),
        (17, "0117"),
        (19, "0000E0"),
        (20, "00000000"),
    ),
)
def test_values_that_mean_nothing(block_id, text):
    with pytest.raises(errors.BodyError, match="MBlock"):
        values.decode(block_id, bytes.fromhex(text))


@pytest.mark.parametrize(
    ("block_id", "meaning"),
    (
        (0, values.LinkStatus(4, None, None)),
        (0, values.LinkStatus(0, 8, 0)),
        (1, values.FallbackStatus(2, 0)),
        (2, values.FallbackCounter(0, 0x8000)),
        (3, 256),
        (4, 128),
        (4, values.Time(24, 0, 0)),
        (4, values.Time(0, 60, 0)),
        (4, values.Time(0, 0, 60)),
        (5, values.Uplink(0, 5, "UL-B1", (0,), "7/8")),
        (5, values.Uplink(0, 0, "UL-B5", (0,), "7/8")),
        (5, values.Uplink(0, 0, "UL-S1", (0,), "7/8")),
        (5, values.Uplink(0, 0, "UL-B1", (5,), "7/8")),
        (5, values.Uplink(0, 0, "UL-B1", (0,), "3/4")),
        (6, values.Downlink(0, 0, "DL-B5")),
        (7, 65536),
        (16, (64,)),
        (17, 1999),
        (18, 241),
        (18, 512),
        (19, values.Capability(("UL-B9",), 0, (), None, None)),
        (20, 1 << 24),
    ),
)
def test_values_that_cannot_be_said(block_id, meaning):
    with pytest.raises(errors.MisuseError):
        values.encode(block_id, meaning)


@pytest.mark.parametrize(
    ("counter", "told", "code"),
    # Table Q.93: 0..15 exact, 01nnnn >= 16 + 8n, 1nnnnn >= 256 + 256n.
    (
        (0, 0, 0x00),
        (15, 15, 0x0F),
        (16, 16, 0x10),
        (23, 16, 0x10),
        (24, 24, 0x11),
        (136, 136, 0x1F),
        (255, 136, 0x1F),
        (256, 256, 0x20),
        (400, 256, 0x20),  # Figure Q.J.11
        (1507, 1280, 0x24),
        (20000, 8192, 0x3F),
        (32767, 8192, 0x3F),
    ),
)
def test_fallback_counter_as_told(counter, told, code):
    block = values.encode(1, values.FallbackStatus(values.NONE_LEFT, counter))
    assert block.value == bytes([0xC0 | code])
    assert values.decode(1, block.value) == values.FallbackStatus(values.NONE_LEFT, told)


@pytest.mark.parametrize(
    ("seconds", "size"), ((0, 1), (255, 1), (256, 2), (65535, 2), (65536, 3), (172800, 3))
)
def test_interval(seconds, size):
    block = values.encode(20, seconds)
    assert len(block.value) == size and values.decode(20, block.value) == seconds


def test_the_last_second_of_a_day():
    assert values.decode(4, bytes.fromhex("3B3B17")) == values.Time(23, 59, 59)


def test_supported_of_the_manufacturer():
    """Bit i of 3 to 8 bytes is MBlockID i, low byte first."""
    for ids, text in (((), "000000"), ((16, 0x38), "0000010000000001"), ((0x27,), "0000000080")):
        assert values.encode(16, ids) == MBlock(16, bytes.fromhex(text))
        assert values.decode(16, bytes.fromhex(text)) == ids


def test_dual_channel_capability():
    can = values.Capability(("UL-B1", "UL-B2"), 1, ("DL-B1", "DL-S4"), None, None)
    assert values.encode(19, can) == MBlock(19, bytes([0x83, 0x81]))
    assert values.decode(19, b"\x83\x81") == can


def test_all_sub_modes():
    ups = ("UL-B1", "UL-B2", "UL-B3", "UL-B4", "UL-B1+B2", "UL-S1", "UL-S2", "UL-S3", "UL-S1+S2")
    for number, name in enumerate(ups):
        short = name[3] == "S"
        up = values.Uplink(1, 4, name, None if short else (0, 4), None if short else "1/3")
        assert values.encode(5, up).value == bytes([0xC0 | number]) + (b"" if short else b"\x46")
        assert values.decode(5, values.encode(5, up).value) == up
    downs = ("DL-B1", "DL-B2", "DL-B3", "DL-B4", "DL-S1", "DL-S2", "DL-S3", "DL-S4")
    for i, name in enumerate(downs):
        down = values.Downlink(0, 0, name)
        assert values.encode(6, down).value == bytes([(i & 3) << 1 | i >> 2])
        assert values.decode(6, values.encode(6, down).value) == down


@given(st.lists(st.builds(MBlock, st.integers(0, 63), st.binary(max_size=31)), max_size=6))
def test_what_is_built_is_parsed(some):
    assert blocks.parse(blocks.build(some)) == some


@settings(max_examples=500)
@given(st.binary(max_size=57))
def test_random_bytes(data):
    try:
        found = blocks.parse(data)
    except errors.BodyError:
        return
    assert blocks.parse(blocks.build(found)) == found
    for block in found:
        try:
            meaning = values.decode(block.id, block.value)
        except errors.BodyError:
            continue
        again = values.encode(block.id, meaning)
        assert values.decode(block.id, again.value) == meaning
