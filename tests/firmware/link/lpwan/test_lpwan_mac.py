"""MAC frames, MElements and bodies: published frames field by field, every rejection, random frames (Annex Q.3.2, Q.3.3, Q.3.5)."""

import pytest
import support_lpwan as published
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.lpwan import body as bodies
from omsnode.firmware.link.lpwan import elements, llc, mac

UP = elements.Up
# Of each published frame: MFT, MElements, body, offset of the LLC. MERR and MRSP name UL-S1's downlink, as printed.
PARTS = {
    "Q.K.3": (0, None, None, 1),
    "Q.K.4": (9, None, None, 1),
    "Q.K.5": (2, UP(0, 2, "DL-S1", 0, None, None, None, None), None, 2),
    "Q.K.6": (13, None, bodies.Body(b"\x68\x01", 1, 311, bytes.fromhex("50E4896B"), b"\x92"), 10),
    "Q.K.7": (13, None, bodies.Body(b"\x68\x01", 1, 312, bytes.fromhex("171D5408"), b"\x30"), 10),
    "Q.K.8": (
        1,
        UP(0, 2, "DL-S1", 0, None, None, None, None),
        bodies.Body(b"\x6a\x01", 1, 312, bytes.fromhex("DA646F14"), bytes.fromhex("0581AC")),
        13,
    ),
    "Q.Z.1": (0, UP(0, 2, "DL-B4", 0, None, None, None, None), None, 2),
    "Q.Z.10": (12, elements.Down(0, 0, 1), None, 2),
}


def with_crc(text):
    """A frame of these bytes, whoever may not like them, with a CRC computed bit by bit from its definition."""
    data = bytes.fromhex(text)
    register = 0
    for byte in data + bytes(4):
        for i in range(7, -1, -1):
            register = register << 1 | byte >> i & 1
            if register >> 32:
                register ^= 0x1F4ACFB13
    return data + register.to_bytes(4, "big")


@pytest.mark.parametrize("name", PARTS)
def test_published_frame(name):
    direction, _ = published.FRAMES[name]
    frame = published.frame(name)
    assert mac.valid(frame) and mac.crc(frame[:-4]) == frame[-4:]
    got = mac.parse(frame, direction, "UL-B4")
    frame_type, above, body, offset = PARTS[name]
    assert got == mac.Mac(frame_type, 0, above, body, frame[offset:-4], None, offset)
    assert mac.build(got.type, got.elements, got.body, got.payload, "UL-B4") == frame


def test_names():
    assert [mac.name(i) for i in range(16)] == (
        ["MSNR", "MRSP", "MERR", None, None, None, None, None, "MACC", "MACK"]
        + [None, None, "MCNR", "MCMD", None, None]
    )
    assert mac.build(mac.MACK) == mac.MACK_FRAME == published.frame("Q.K.4")


@pytest.mark.parametrize("name", PARTS)
def test_every_wrong_bit_is_found(name):
    frame = published.frame(name)
    for i in range(8 * len(frame)):
        wrong = bytearray(frame)
        wrong[i // 8] ^= 0x80 >> i % 8
        assert not mac.valid(bytes(wrong))
    with pytest.raises(errors.CrcError, match="MAC CRC wrong"):
        mac.parse(frame[:-1] + bytes([frame[-1] ^ 1]), published.FRAMES[name][0])


def test_a_body_of_63_bytes_has_a_second_control_byte():
    body = bodies.Body(bodies.associated(57, None, True), None, 0x1234, b"MMAC", bytes(57))
    assert body.associated == bytes.fromhex("BF01") and bodies.size(body) == 65
    frame = mac.build(mac.MCNR, None, body, b"\x04")
    assert frame[:9] == bytes.fromhex("2CBF013412") + b"MMAC"
    assert mac.parse(frame, "down").body == body
    assert bodies.associated(31) == b"\x1f" and bodies.associated(32) == b"\x80\x01"
    with pytest.raises(errors.MisuseError):
        bodies.associated(58, None, True)
    with pytest.raises(errors.MisuseError):
        bodies.associated(0, 256, True)


REJECTED = (
    ("10" + "1B44", "up", errors.ReservedError, "MAC version 1"),
    ("05" + "1B44", "up", errors.ReservedError, "reserved MAC frame type 5"),
    ("0F", "down", errors.ReservedError, "reserved MAC frame type F"),
    ("0004", "down", errors.ReservedError, "MSNR in a downlink"),
    ("0D04", "up", errors.ReservedError, "MCMD in a uplink"),
    ("8080", "up", errors.ReservedError, r"MHCTL\[2\] is not defined"),
    ("80", "up", errors.LengthError, "cut off"),
    ("40", "up", errors.LengthError, "inside its MElements"),
    ("409A", "up", errors.LengthError, "inside its MElements"),  # UD announced
    ("4080", "up", errors.ReservedError, "no MElement is known"),  # no access: nothing behind UA
    ("409A80", "up", errors.ReservedError, "no MElement is known"),  # behind UD
    ("4C8000", "down", errors.ReservedError, "behind DA"),
    ("20", "up", errors.LengthError, "inside its MAC body"),
    ("2003", "up", errors.LengthError, "inside its MAC body"),
    ("208000", "up", None, None),  # MBodyLength 0 with two control bytes
    ("2080", "up", errors.LengthError, "inside its MAC body"),
    ("208080", "up", errors.ReservedError, r"MBCTL\[2\] is not defined"),
)


@pytest.mark.parametrize(("text", "direction", "error", "message"), REJECTED)
def test_rejections(text, direction, error, message):
    frame = with_crc(text)
    if error is None:
        assert mac.parse(frame, direction, "UL-B4").body.data == b""
        return
    with pytest.raises(error, match=message) as caught:
        mac.parse(frame, direction, "UL-B4")
    assert caught.value.code in ("reserved", "length") and caught.value.hint


def test_sub_carriers_above_444_are_reserved():
    with pytest.raises(errors.ReservedError, match="index 125"):
        mac.parse(with_crc("40807D"), "up", "UL-B1")
    assert mac.parse(with_crc("40807C"), "up", "UL-B1").elements.uplink_n == (4, 4, 4)


@pytest.mark.parametrize("n", (0, 4, 256, 1000))
def test_lengths_that_no_frame_has(n):
    assert not mac.valid(bytes(n))
    with pytest.raises(errors.LengthError):
        mac.parse(bytes(n), "up")


# MBCTL announces more than MBodyLength holds: the body is lost, the SND-NR behind it is not (Q.3.2.3.6.3.2).
@pytest.mark.parametrize("body", ("40", "6501020304AA", "2500000000FF"))
def test_a_corrupt_body_hides_nothing(body):
    upper = published.frame("Q.K.3")[1:-4].hex()
    got = mac.parse(with_crc("20" + body + upper), "up", "UL-B4")
    assert got.body is None and got.error.code == "mac_body"
    assert got.payload.hex() == upper
    assert llc.parse(got.payload, True).address == published.METER


def test_a_merr_has_no_body():
    got = mac.parse(with_crc("2201AA" + "02A73D785634121503"), "up", "UL-B4")
    assert got.body is None and got.error.code == "mac_body" and llc.parse(got.payload, True).address
    with pytest.raises(errors.MisuseError):
        mac.build(mac.MERR, None, bodies.plain(b""))


def test_security_profile():
    frame = mac.build(mac.MCMD, elements.Down(0, 0, 1), bodies.plain(b"\x01"), b"\x04", profile=2)
    assert frame[:5] == bytes.fromhex("ED40010101")
    assert mac.parse(frame, "down").profile == 2
    with pytest.raises(errors.MisuseError):
        mac.build(mac.MCMD, profile=4)
    with pytest.raises(errors.MisuseError):
        mac.build(3)
    with pytest.raises(errors.MisuseError):
        mac.build(mac.MSNR, payload=bytes(251))


# --- MElements (sheet 14) ---

# Uplink sub-mode, Up, bytes by hand from the sheet's bit tables.
ELEMENTS = (
    ("UL-B4", UP(0, 2, "DL-B4", 0, None, None, None, None), "1A"),  # Q.Z.1
    ("UL-B4", UP(0, 2, "DL-S1", 0, None, None, None, None), "22"),  # Q.K.5
    ("UL-B4", UP(1, 0, None, 0, None, None, None, None), "40"),
    ("UL-B4", UP(0, 1, None, 3, None, None, None, None), "19"),
    ("UL-B1", UP(0, 0, None, 2, (2, 4, 0), None, None, None), "9016"),  # n: formula Q.57
    ("UL-B1.3", UP(0, 0, None, 0, (3, 0, 0), None, None, None), "8003"),  # Q.58
    ("UL-B4", UP(0, 5, "DL-B1", 0, None, (4, 1, 3), None, None), "8554"),  # Q.59
    ("UL-B4", UP(0, 2, "DL-B2", 0, None, (2, 0, 0), 3, 15), "8A822F"),  # Q.60
    ("UL-B4", UP(0, 7, "DL-B3", 0, None, None, 8, 0), "9770"),
    ("UL-B2", UP(0, 2, "DL-B4", 0, (1, 0, 0), None, 1, 9), "9A8109"),
    ("UL-B3", UP(0, 2, "DL-B1", 0, (0, 0, 1), (0, 0, 4), 2, 10), "8299E41A"),
    ("UL-B3", UP(0, 2, "DL-B1", 0, (0, 0, 1), None, None, None), "8219"),
    ("UL-S1", UP(0, 4, "DL-S3", 0, None, None, 8, None), "B470"),
)


@pytest.mark.parametrize(("uplink", "up", "text"), ELEMENTS)
def test_uplink_elements(uplink, up, text):
    data = bytes.fromhex(text)
    assert elements.build_up(up, uplink) == data
    assert elements.parse_up(data, 0, uplink) == (up, len(data))
    assert elements.parse_up(b"\xff" + data + b"\xff", 1, uplink) == (up, 1 + len(data))


@pytest.mark.parametrize(
    ("down", "byte"),
    ((elements.Down(0, 0, 1), 0x01), (elements.Down(3, 1, 0), 0x32), (elements.Down(5, 1, 1), 0x53)),
)
def test_downlink_element(down, byte):
    assert elements.build_down(down) == bytes([byte])
    assert elements.parse_down(bytes([byte]), 0) == (down, 1)


@pytest.mark.parametrize(
    ("uplink", "up"),
    (
        ("UL-B4", UP(0, 2, "DL-B4", 0, (0, 0, 0), None, None, None)),  # no UB on UL-B4
        ("UL-B1", UP(0, 2, "DL-B4", 0, None, None, 1, 9)),  # UD without UB
        ("UL-B4", UP(0, 2, "DL-B1", 0, None, None, 1, 9)),  # UD without UC
        ("UL-B4", UP(0, 2, "DL-B4", 0, None, (0, 0, 0), 1, 9)),  # no UC for DL-B4
        ("UL-B4", UP(0, 2, "DL-B4", 1, None, None, None, None)),  # access and UL-SC
        ("UL-B4", UP(0, 2, None, 0, None, None, None, None)),
        ("UL-B4", UP(0, 1, "DL-B4", 0, None, None, None, None)),
        ("UL-B4", UP(0, 8, "DL-B4", 0, None, None, None, None)),
        ("UL-B4", UP(0, 2, "DL-B5", 0, None, None, None, None)),
        ("UL-B4", UP(0, 2, "DL-B4", 0, None, None, None, 3)),
        ("UL-B4", UP(0, 2, "DL-B4", 0, None, None, 9, 3)),
        ("UL-B4", UP(0, 2, "DL-B4", 0, None, None, 1, None)),
        ("UL-B4", UP(0, 2, "DL-S1", 0, None, None, 1, 2)),
        ("UL-B4", UP(0, 2, "DL-B4", 0, None, None, 1, 16)),
        ("UL-B1", UP(0, 2, "DL-B4", 0, (5, 0, 0), None, None, None)),
        ("UL-B1", UP(2, 2, "DL-B4", 0, None, None, None, None)),
        ("UL-B1", UP(0, 0, None, 4, None, None, None, None)),
    ),
)
def test_elements_that_cannot_be_said(uplink, up):
    with pytest.raises(errors.MisuseError):
        elements.build_up(up, uplink)


def test_access_options_count_from_dl_ac_2():
    """Table Q.80, and not what the examples print beside it (sheet 25, 1)."""
    ups = [UP(0, code, "DL-B4" if code > 1 else None, 0, None, None, None, None) for code in range(8)]
    assert [elements.option(one) for one in ups] == [None, None, 1, 2, 3, 4, 5, 6]


def test_the_mac_rejects_elements_that_are_not_of_its_direction():
    for down in (elements.Down(8, 0, 0), elements.Down(0, 2, 0), elements.Down(0, 0, 2)):
        with pytest.raises(errors.MisuseError):
            elements.build_down(down)


# --- random ---

triples = st.tuples(*[st.integers(0, 4)] * 3)


@st.composite
def ups(draw, uplink):
    access = draw(st.integers(0, 7))
    lms = draw(st.integers(0, 1))
    uplink_n = draw(st.none() | triples) if elements.has_uplink_n(uplink) else None
    if access < 2:
        return UP(lms, access, None, draw(st.integers(0, 3)), uplink_n, None, None, None)
    downlink = draw(st.sampled_from(["DL-{}{}".format(t, i) for t in "BS" for i in range(1, 5)]))
    downlink_n = timing = rxm = None
    if elements.has_downlink_n(downlink) and (uplink_n is not None or not elements.has_uplink_n(uplink)):
        downlink_n = draw(st.none() | triples)
    complete = (uplink_n is not None or not elements.has_uplink_n(uplink)) and (
        downlink_n is not None or not elements.has_downlink_n(downlink)
    )
    if complete and draw(st.booleans()):
        timing = draw(st.integers(1, 8))
        rxm = draw(st.integers(0, 15)) if downlink[3] == "B" else None
    return UP(lms, access, downlink, 0, uplink_n, downlink_n, timing, rxm)


@st.composite
def body_of(draw):
    secured = draw(st.booleans())
    der_counter = draw(st.none() | st.integers(0, 255))
    data = draw(st.binary(max_size=63 - (6 if secured else 0) - (der_counter is not None)))
    head = bodies.associated(len(data), der_counter, secured)
    if not secured:
        return bodies.Body(head, der_counter, None, None, data)
    return bodies.Body(
        head, der_counter, draw(st.integers(0, 0xFFFF)), draw(st.binary(min_size=4, max_size=4)), data
    )


@st.composite
def macs(draw):
    """(direction, sub-mode, arguments of build)"""
    submode = draw(st.sampled_from(("UL-B1", "UL-B2.4", "UL-B3", "UL-B4", "UL-S1")))
    frame_type = draw(st.sampled_from((0, 1, 2, 8, 9, 12, 13)))
    up = mac.is_up(frame_type)
    above = draw(
        st.none()
        | (ups(submode) if up else st.builds(elements.Down, st.integers(0, 7), *[st.integers(0, 1)] * 2))
    )
    body = None if frame_type == mac.MERR else draw(st.none() | body_of())
    payload = draw(st.binary(max_size=170))
    return (
        "up" if up else "down",
        submode,
        (frame_type, above, body, payload, submode, draw(st.integers(0, 3))),
    )


@settings(max_examples=300)
@given(macs())
def test_what_is_built_is_parsed(case):
    direction, submode, (frame_type, above, body, payload, _, profile) = case
    frame = mac.build(*case[2])
    if not any(frame):
        return  # nothing but zeros
    got = mac.parse(frame, direction, submode)
    assert (got.type, got.profile, got.elements, got.body) == (frame_type, profile, above, body)
    assert (got.payload, got.error) == (payload, None) and frame[got.offset : -4] == payload
    assert mac.build(*case[2]) == frame


@settings(max_examples=300)
@given(macs(), st.data())
def test_mutated_frames_with_a_right_crc(case, data):
    """An attacker computes the CRC, too: anything but an OmsError is a fault."""
    frame = bytearray(mac.build(*case[2])[:-4])
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, min(len(frame), 24) - 1))] = data.draw(st.integers(0, 255))
    frame = bytes(frame[: data.draw(st.integers(1, len(frame)))])
    frame += mac.crc(frame)
    try:
        got = mac.parse(frame, case[0], case[1])
    except errors.OmsError:
        return
    assert got.payload == frame[got.offset : -4]
    try:
        llc.parse(got.payload, case[0] == "up")
    except errors.OmsError as error:
        assert error.code


@given(st.binary(max_size=300), st.sampled_from(("up", "down")))
def test_random_bytes(data, direction):
    for frame in (data, with_crc(data[:251].hex())):
        try:
            mac.parse(frame, direction, "UL-B1")
        except errors.OmsError as error:
            assert error.code in ("crc", "length", "reserved")


@pytest.mark.parametrize("n", (5, 15, 255))
def test_nothing_but_zeros_is_no_frame(n):
    """Its CRC is 0, as that of a right frame; a decoder that found nothing comes to such bits."""
    assert mac.crc(bytes(n)) == bytes(4)
    assert not mac.valid(bytes(n))
