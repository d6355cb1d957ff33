"""What stands above the LLC, decoded as any telegram: Q.K.3 and Q.K.8 open with profile B, key of Annex N, counter 2739
(LPWAN sheet sections 20 and 26)."""

import json

import pytest
import support_lpwan as published
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.application import telegram as application
from omsnode.firmware.host import json_lines
from omsnode.firmware.link import extended
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import credits, elements, llc, mac, telegram
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import ci
from omsnode.firmware.transport.authentication import Afl
from omsnode.firmware.transport.fragmentation import Reassembly, split

METER = published.METER
GATEWAY = Address.parse("99999999.M=OMS.V=02.T=31")
PLAIN = bytes.fromhex("7A2A0000000C1345270000")  # 2745 l


def link_of(name):
    return telegram.parse(published.frame(name), published.FRAMES[name][0], "UL-B4")


def read(link, key=published.PROFILE_B_KEY, **more):
    return application.decode(link.message, lambda address, *which: key, link=link, **more)


def framed(fields, frame_type=mac.MSNR, up=None):
    above = llc.build(fields, mac.is_up(frame_type))
    return mac.build(frame_type, up, None, above, "UL-B4")


@pytest.mark.parametrize("name", ("Q.K.3", "Q.K.8"))
def test_profile_b(name):
    link = link_of(name)
    got = read(link)
    assert (got.error, got.verdict, got.profile, got.counter) == (None, "authenticated", "B", 2739)
    plain = "2F2F0C1427048502046D32371F1502FD1700002F2F2F2F2F2F2F2F2F2F2F2F2F"
    assert got.payload.hex().upper() == plain
    first = json.loads(json_lines.to_json(got, "UL"))["records"][0]
    assert (first["quantity"], first["value"], first["unit"]) == ("volume", 28504.27, "m3")
    assert (got.address, got.access_number, got.hops, got.to_meter) == (METER, 117, 0, False)
    assert link.ell.access_number == (0x75 if name == "Q.K.3" else 8) and link.c_field == (
        0x44 if name == "Q.K.3" else 8
    )
    for wrong in (Key(bytes(16)), None):
        assert read(link, wrong).verdict == ("no_key" if wrong is None else "mac_mismatch")


def test_what_the_ell_would_have_told():
    link = link_of("Q.K.3")
    assert link.ell.cc == extended.SYNCHRONOUS and link.ell.ci is None and link.ell.receiver is None
    assert not link.ell.encrypted and link.hops == 0 and link.meter == METER
    assert link_of("Q.Z.1").ell.cc == extended.BIDIRECTIONAL
    # DL-AC -> bits B and A
    for access, cc in enumerate((0x00, 0x04, 0x80, 0x80, 0x80, 0x80, 0x84, 0x84)):
        up = elements.Up(0, access, "DL-B4" if access > 1 else None, 0, None, None, None, None)
        assert telegram.parse(framed(llc.meter_up(0x47, METER, 1), up=up), "up", "UL-B4").ell.cc == cc
    hop = llc.Llc(0x44, METER, None, 1, 0, 1, None, None, PLAIN)
    assert read(telegram.parse(framed(hop), "up", "UL-B4")).hops == 1


def test_downlinks():
    link = link_of("Q.K.7")
    got = read(link)
    assert (got.verdict, got.to_meter, got.access_number, got.tpl.ci) == ("plain", True, 0x75, 0x93)
    assert got.address == METER == link.meter and link.address is None and link.c_field == 0x7B
    assert got.tpl.level_dbm() == -84  # status 17 of the gateway
    for name in ("Q.K.6", "Q.Z.10"):
        link = link_of(name)
        assert (link.c_field, link.meter, link.offset) == (None, METER, len(link.message))
        assert read(link).error is None
    named = framed(llc.gateway_down(0x53, METER, 9, bytes.fromhex("5A01000000"), GATEWAY, 1), mac.MCNR)
    link = telegram.parse(named, "down")
    assert (link.address, link.ell.receiver, link.llc.flag) == (GATEWAY, METER, 1)
    assert read(link).address == METER


def test_a_mack_is_nobodys():
    link = link_of("Q.K.4")
    assert (link.llc, link.meter, link.address, link.c_field) == (None, None, None, None)
    assert read(link).error is None


def test_an_ell_behind_the_llc():
    """Q.4.1: allowed; what both say counts as the LLC has it."""
    for ell, receiver in (
        (extended.build(0x90, 0x99, None, None, PLAIN), None),
        (extended.build(0, 0x99, GATEWAY, None, PLAIN), GATEWAY),
    ):
        link = telegram.parse(framed(llc.meter_up(0x44, METER, 7, 0, ell)), "up", "UL-B4")
        assert (link.ell.access_number, link.ell.cc, link.ell.hops, link.ell.receiver) == (7, 0, 0, receiver)
        assert link.ell_fields.access_number == 0x99
        assert read(link).tpl.access_number == 0x2A
        link = telegram.parse(framed(llc.meter_up(0x44, METER, None, 0, ell)), "up", "UL-B4")
        assert link.ell.access_number == 0x99
    sealed = extended.seal(published.PROFILE_B_KEY, METER, 0, 1, 5, PLAIN)
    with pytest.raises(errors.ForbiddenCiError, match="not encrypted"):
        telegram.parse(framed(llc.meter_up(0x44, METER, 7, 0, sealed)), "up", "UL-B4")
    wired = extended.build(0, 0x99, None, None, bytes.fromhex("500110"))
    with pytest.raises(errors.ForbiddenCiError, match="CI 50 is not allowed"):
        telegram.parse(framed(llc.meter_up(0x44, METER, 7, 0, wired)), "up", "UL-B4")


@pytest.mark.parametrize(
    ("frame_type", "fields", "message"),
    (
        (mac.MACC, None, "MACC without LLC"),
        (mac.MCNR, None, "MCNR without LLC"),
        (mac.MSNR, llc.Llc(0x44, None, METER, 1, 0, 0, None, None, PLAIN), "without the meter's address"),
        (mac.MCMD, llc.Llc(0x53, GATEWAY, None, 1, 0, 0, None, None, PLAIN), "without the meter's address"),
        (mac.MCNR, llc.Llc(0x53, None, METER, 1, 1, 0, None, None, PLAIN), "RRX without"),
        (mac.MSNR, llc.Llc(None, METER, None, 1, 0, 0, None, None, PLAIN), "without C-field"),
    ),
)
def test_what_has_to_be_there(frame_type, fields, message):
    with pytest.raises(errors.LinkError, match=message):
        telegram.parse(framed(fields, frame_type), "up" if mac.is_up(frame_type) else "down", "UL-B4")


def test_ci_codes_of_lpwan_are_known():
    """Primary Table 1: short header, to the meter."""
    for code in (0x56, 0x57, 0x5A, 0x61, 0x62, 0x65, 0x92, 0x93, 0xC6, 0xC7):
        kind, direction, content = ci.row(code)
        assert (kind, direction) == (ci.SHORT, ci.DOWN) and content != ci.REFUSED
        down = framed(llc.gateway_down(0x53, METER, 9, bytes([code, 1, 0, 0, 0])), mac.MCNR)
        got = read(telegram.parse(down, "down"))
        assert (got.tpl.ci, got.address) == (code, METER)


@pytest.mark.parametrize("up", (True, False))
def test_fragments(up):
    """The AFL splits what is too long for a frame (Primary 5.2.1); whose they are the LLC says."""
    message = PLAIN if up else bytes.fromhex("5A01000000") + PLAIN[5:]
    afl = Afl()
    afl.control, afl.message_length = 0x40, len(message)
    pieces = split(afl, message, (6,))
    assert len(pieces) == 2
    reassembly, results = Reassembly(), []
    for number, piece in enumerate(pieces):
        if up:
            frame = framed(llc.meter_up(0x08, METER, number, 0, piece))
        else:
            frame = framed(llc.gateway_down(0x53, METER, number, piece), mac.MCNR)
        link = telegram.parse(frame, "up" if up else "down", "UL-B4")
        results.append(read(link, None, fragments=reassembly, now_us=number))
    assert results[0].error.code == "incomplete"
    assert (results[1].error, results[1].address, len(results[1].records)) == (None, METER, 1)


def test_json():
    for name in published.FRAMES:
        got = read(link_of(name))
        line = json.loads(json_lines.to_json(got, "UL"))
        c_field = {"Q.K.3": "SND-NR", "Q.K.7": "REQ-UD2", "Q.K.8": "RSP-UD"}.get(name)
        assert (line["link"]["c_field"], line["link"]["ell"], line["error"]) == (c_field, None, None)
        assert line["link"]["format"] != "wired" and line["link"]["primary_address"] is None


def test_credits():
    """LPWAN sheet section 21, from Primary 4.3.4."""
    hour = 3600 * 10**6
    assert credits.row("UL-B4") == (240, 2 * hour // 5, 24 * hour)
    for name in ("UL-B1", "UL-B2.4", "UL-B3", "UL-B1+B2"):
        assert credits.row(name) == (120, hour, 48 * hour)
    assert credits.row("UL-S1") == (120, 2 * hour, 72 * hour)
    with pytest.raises(errors.MisuseError):
        credits.row("C1")


def right(data):
    """With a CRC that is right."""
    return data + mac.crc(data)


@settings(max_examples=300)
@given(st.sampled_from(sorted(published.FRAMES)), st.data())
def test_mutated_frames(name, data):
    direction = published.FRAMES[name][0]
    frame = bytearray(published.frame(name)[:-4])
    for _ in range(data.draw(st.integers(0, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    frame = right(bytes(frame[: data.draw(st.integers(1, len(frame)))]))
    try:
        link = telegram.parse(frame, direction, data.draw(st.sampled_from(("UL-B1", "UL-B4"))))
    except errors.OmsError as error:
        assert error.code in ("length", "reserved", "forbidden_ci", "link", "crc") and error.hint is not None
        return
    got = read(link)
    assert got.error is None or got.error.code
    json.loads(json_lines.to_json(got, "UL"))
    read(link, fragments=Reassembly())
