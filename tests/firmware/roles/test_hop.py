"""What a repeater changes in a frame: the hop bit and one CRC. Telegrams: link sheet section 12 (numbers as there) and 7.4."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.roles import hop

NO_1 = "0F44AE0C7856341201074447780B134365871E6D"
NO_2 = "1444AE0C7856341201078C2027780B134365877AC5"
NO_3 = "8644AE0C7856341201078C2027780B134365877AC5" + "11" * 105 + "E678" + "1234567890" + "F4EE"
NO_4 = (
    "2E4493157856341233033363" + "7A2A0020255923C95AAA26D1B2E7493BC2AD"
    "013EC4A6F6D3529B520EDFF0EA6DEFC955B2" + "9D6D69EBF3EC8A"
)
NO_11 = (
    "30449344443322115537A352" + "8C0075728877665593445508000410051B2F"
    "00DFE2A782146D1513581CD2F83F3904D757" + "0CFD1078563412FB35"
)
NO_13 = "0C47AE0C78563412010784E78C8027727E"
# Sheet 7.4, proof 2: encrypted ELL, as its repeater sent it; the key opens it with H forced to 0.
REPEATED_8D = "24442D2C692845631B168D3050209CD621B006B1140AEF4953AE5B86FAFC0B00E70705B846"


def crc(data):
    """CRC-16/EN-13757, bit by bit (link sheet 4)."""
    register = 0
    for byte in data:
        for bit in range(7, -1, -1):
            top = register >> 15 ^ (byte >> bit & 1)
            register = register << 1 & 0xFFFF
            if top:
                register ^= 0x3D65
    return (register ^ 0xFFFF).to_bytes(2, "big")


def test_the_crc_of_these_tests():
    assert crc(b"123456789") == bytes.fromhex("C2B7")


def repeated(frame, frame_format="A"):
    """The frame behind its hop, or why there is none."""
    place = hop.find((frame_b if frame_format == "B" else frame_a).strip(frame))
    return hop.make(frame, frame_format, place) if isinstance(place, tuple) else place


@pytest.mark.parametrize(
    "frame_format, text, place, mask, block",
    [
        # place of the bit in the frame; block whose CRC it is: first byte, CRC
        ("B", NO_2, 11, 0x10, (0, 19)),
        ("B", NO_3, 11, 0x10, (0, 126)),
        ("A", NO_4, 15, 0x01, (12, 28)),
        ("A", NO_11, 13, 0x10, (12, 28)),
    ],
)
def test_one_bit_and_one_crc(frame_format, text, place, mask, block):
    frame = bytes.fromhex(text)
    want = bytearray(frame)
    assert not want[place] & mask
    want[place] |= mask
    want[block[1] : block[1] + 2] = crc(want[block[0] : block[1]])
    after = repeated(frame, frame_format)
    assert after == want
    assert sum(one != other for one, other in zip(frame, after, strict=True)) <= 3
    assert repeated(after, frame_format) == hop.REPEATED


def test_long_header_and_a_last_block_that_is_short():
    """Without ELL, CI 72: the configuration field is 11 bytes behind the CI, in block 2 as well."""
    telegram = bytes.fromhex("1944AE0C785634120107" + "72" + "2143658793152233" + "05000000" + "0403FF")
    frame = frame_a.build(telegram)
    after = repeated(frame)
    assert frame_a.strip(after) == telegram[:21] + b"\x01" + telegram[22:]
    short = bytes.fromhex("0E44AE0C785634120107" + "7A05000000")
    assert frame_a.strip(repeated(frame_a.build(short))) == short[:13] + b"\x01" + short[14:]


def test_an_encrypted_ell_makes_the_hop_that_was_published():
    after = bytes.fromhex(REPEATED_8D)
    before = after[:11] + b"\x20" + after[12:]
    for build, strip, name in ((frame_a.build, frame_a.strip, "A"), (frame_b.build, frame_b.strip, "B")):
        assert strip(repeated(build(before), name)) == after
        assert repeated(build(after), name) == hop.REPEATED


@pytest.mark.parametrize(
    "text, why",
    [
        (NO_1, hop.NO_HOP_BIT),  # CI 78: no header
        (NO_13, hop.C_FIELD),  # ACC-NR
    ],
)
def test_frames_that_make_no_hop(text, why):
    assert repeated(bytes.fromhex(text)) == why


def telegram(c_field, tail):
    body = bytes((c_field,)) + bytes.fromhex("AE0C785634120107") + bytes.fromhex(tail)
    return bytes((len(body),)) + body


@pytest.mark.parametrize("c_field", [one for one in range(256) if one not in (0x44, 0x46)])
def test_only_snd_nr_and_snd_ir(c_field):
    assert hop.find(telegram(c_field, "8C2027780B13436587")) == hop.C_FIELD


@pytest.mark.parametrize(
    "tail, what",
    [
        ("8C202778", (11, 0x10)),
        ("8E20277856341201079315330A78", (11, 0x10)),
        ("8C302778", hop.REPEATED),  # H
        ("8C222778", hop.REPEATED),  # R
        ("8620277800", hop.NO_HOP_BIT),  # ELL V: nobody knows where
        ("7A05000000", (13, 0x01)),
        ("7A05001025", (13, 0x01)),
        ("7A05000100", hop.REPEATED),
        ("7A05000200", hop.REPEATED),
        ("7A0500000710", hop.NO_HOP_BIT),  # mode 7
        ("7A05000024", hop.NO_HOP_BIT),  # another mode
        ("7A0500", hop.NO_HOP_BIT),  # cut off
        ("72214365879315220305000000", (21, 0x01)),
        ("7221436587931522030500", hop.NO_HOP_BIT),
        ("900F002C25B30A0000", hop.NO_HOP_BIT),  # AFL and no ELL: its MAC covers the configuration field
        ("A0009F2702", hop.NO_HOP_BIT),  # manufacturer specific
        ("", hop.NO_HOP_BIT),
        ("8C", hop.NO_HOP_BIT),
    ],
)
def test_where_the_bit_is(tail, what):
    for c_field in (0x44, 0x46):
        assert hop.find(telegram(c_field, tail)) == what


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=0, max_size=240), st.sampled_from((0x44, 0x46)), st.sampled_from("AB"))
def test_whatever_follows_at_most_one_bit_and_one_crc_change_and_never_twice(tail, c_field, frame_format):
    codec = frame_b if frame_format == "B" else frame_a
    before = telegram(c_field, tail.hex())
    frame = codec.build(before)
    after = repeated(frame, frame_format)
    if isinstance(after, str):
        return
    told = codec.strip(after)  # all CRCs are right
    changed = [
        (i, one ^ other) for i, (one, other) in enumerate(zip(before, told, strict=True)) if one != other
    ]
    assert len(changed) == 1 and changed[0] in ((11, 0x10), (13, 0x01), (21, 0x01))
    assert repeated(after, frame_format) == hop.REPEATED
