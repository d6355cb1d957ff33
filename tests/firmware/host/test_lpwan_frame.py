"""MAC frames told to people and programs: the published frames (support_lpwan), and fields that none of them has, put together
by hand from the tables of OMS Vol. 2 Annex Q.3 and Q.4."""

import json

import pytest
import support_lpwan as known
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import LineError, MisuseError
from omsnode.firmware.host import lpwan_explain, lpwan_frame, lpwan_lines, lpwan_words, table
from omsnode.firmware.host.json_lines import to_json
from omsnode.firmware.link.lpwan import blocks, body, mac, protection
from omsnode.firmware.security.keys import Key
from support_spans import covers

ADDRESS = "A73D785634121503"


def opened(text, mac_key=known.MAC_KEY, key=known.PROFILE_B_KEY, all_the_same=False):
    reader = lpwan_frame.Reader(lambda address, *which: key, lambda address: mac_key, all_the_same)
    return reader.read(lpwan_lines.parse_line(text))


def published(name, **more):
    direction, frame = known.FRAMES[name]
    return opened("{};{}".format(direction, frame), **more)


def made(head, place="UL-B4", **more):
    """Of the bytes in front of the CRC."""
    data = bytes.fromhex(head)
    return opened("{};{}".format(place, (data + mac.crc(data)).hex()), **more)


def layer(found, name):
    """[meaning] of the spans of a layer."""
    return [span.meaning for span in lpwan_explain.frame_spans(found) if span.layer == name]


def told(found):
    return dict(lpwan_words.more(found))


# name -> type, MElements, MBlocks (None: no body), C-field, records
PUBLISHED = {
    "Q.K.3": ("MSNR", None, None, "SND-NR", 3),
    "Q.K.4": ("MACK", None, None, None, 0),
    "Q.K.5": ("MERR", {"dl_ac": 2, "access_option": 1, "downlink": "DL-S1"}, None, None, 0),
    "Q.K.6": ("MCMD", None, [("01", "get", "")], None, 0),
    "Q.K.7": ("MCMD", None, [("01", "get", "")], "REQ-UD2", 0),
    "Q.K.8": ("MRSP", {"dl_ac": 2, "downlink": "DL-S1"}, [("01", "response", "01C5")], "RSP-UD", 3),
    "Q.Z.1": ("MSNR", {"lms": 0, "dl_ac": 2, "access_option": 1, "downlink": "DL-B4"}, None, None, 0),
    "Q.Z.10": ("MCNR", {"rtrm": 0, "requested_t_rm": None, "acp": 0, "sc": 1}, None, None, 0),
}


@pytest.mark.parametrize("name", known.FRAMES)
def test_published_frames(name):
    kind, elements, mblocks, c_field, n_records = PUBLISHED[name]
    found = published(name)
    assert found.telegram.error is None and len(found.telegram.records) == n_records
    said = told(found)
    assert said["mac"]["type"] == kind and said["mac"]["security_profile"] == "MSP1" and said["burst"] is None
    assert said["mac"]["crc"] == known.FRAMES[name][1][-8:]
    if elements is None:
        assert said["mac"]["elements"] is None
    else:
        assert elements.items() <= said["mac"]["elements"].items()
    if mblocks is None:
        assert said["mac"]["body"] is None
    else:
        one = said["mac"]["body"]
        assert (one["secured"], one["verdict"], one["der_counter"]) == (True, "authenticated", 1)
        assert [(block["id"], block["service"], block["data"]) for block in one["blocks"]] == mblocks
    if name == "Q.K.4":
        assert said["llc"] is None
    else:
        side = "address" if known.FRAMES[name][0] == "up" else "receiver"
        assert said["llc"][side] == "12345678.M=OMG.V=15.T=03" and said["llc"]["c_field"] == c_field
        assert found.telegram.address == known.METER
    assert json.loads(to_json(found.telegram, "C", lpwan_words.more(found)))["mac"] == said["mac"]
    assert table.to_table(found.telegram) and isinstance(lpwan_words.lines_of(found), list)


@pytest.mark.parametrize("name", known.FRAMES)
def test_every_byte_of_the_published_frames(name):
    """But one value: by Table Q.91 MBlock 01 has one byte, and Q.K.8 sends two (sheet 25, 2)."""
    spans = lpwan_explain.frame_spans(published(name))
    covers(spans, len(known.frame(name)))
    assert [span.start for span in spans if not span.known] == ([11] if name == "Q.K.8" else [])
    assert spans[-1].meaning == "CRC, right" and spans[0].meaning.startswith("MHCTL[0]: ")


def test_what_the_annex_calls_them():
    spans = lpwan_explain.frame_spans(published("Q.K.7"))
    rows = [(span.start, span.end, span.layer, span.meaning, span.plain) for span in spans]
    assert rows[:7] == [
        (0, 1, "MAC", "MHCTL[0]: MCMD: command, a MRSP is expected; a MAC body follows", None),
        (1, 2, "MAC", "MBCTL[0]: secured, MBodyLength 8", None),
        (2, 3, "MAC", "MDerCounter 1: which derived key", None),
        (3, 5, "MAC", "MMsgCounter 312", None),
        (5, 9, "MAC", "MMAC: right", None),
        (9, 10, "MAC", "MBH[0]: MBlockID 01 fallback status, get, 0 bytes", b"\x01"),
        (10, 11, "LLC", "LC[0]: ULP, ANP, RAP, CFP", None),
    ]
    assert [row[3] for row in rows[7:13]] == [
        "C-field: REQ-UD2, FCB set, FCV set",
        "manufacturer OMG of the receiver (M2, A2)",
        "identification 12345678 of the receiver (M2, A2)",
        "version 21 (15h)",
        "device type 03h: gas",
        "ACC: access number 8",
    ]
    assert [row[2] for row in rows[13:17]] == ["TPL"] * 4 and rows[-1][:3] == (26, 30, "MAC")


def test_all_melements():
    """UA 82 (DL-B1, DL-AC 2), UB 22 = (2, 4, 0), UC 84 = (4, 1, 3) (formulas Q.57, Q.59), UD option #2 and 400 ms."""
    found = made("40 82 96 D4 19 02" + ADDRESS, "UL-B1.3")
    assert layer(found, "MAC")[1:-1] == [
        "MElement_UA: LMS 0; DL-AC 2, access option #1, downlink sub-mode DL-B1: limited access, no additional window, "
        "downlink single burst",
        "MElement_UB: SCI 22: sub-carriers of the uplink n0 = 2, n1 = 4, n2 = 0",
        "MElement_UC: SCI 84: sub-carriers of the downlink n0 = 4, n1 = 1, n2 = 3",
        "MElement_UD: response timing option #2: t_RO fast, t_RM at least medium; DL-RXM 9: 400 ms",
    ]
    said = told(found)
    assert said["mode"] == "UL-B1.3"
    assert said["mac"]["elements"]["uplink_sub_carriers"] == [2, 4, 0]
    assert said["mac"]["elements"]["downlink_sub_carriers"] == [4, 1, 3]
    assert said["mac"]["elements"]["dl_rxm_ms"] == 400
    (ua, *_) = layer(made("40 51 02" + ADDRESS), "MAC")[1:]
    assert ua == "MElement_UA: LMS 1; temporarily no access; UL-SC 2: uplink session"
    (ue,) = layer(made("40 A2 70 02" + ADDRESS), "MAC")[2:-1]
    assert ue == "MElement_UE: DL-RT 7"
    (da,) = layer(made("4C 22 04" + ADDRESS, "DL-B4"), "MAC")[1:-1]
    assert da.startswith("MElement_DA: RTRM 2: t_RM medium; ACP 1: not the assigned partner; SC 0")


def test_every_field_of_the_llc():
    """LC[0] XP RAP TAP CFP, LC[1] RASP H RTDP 01: RTD 128/256 s, RAS 04."""
    found = made("00 87 0D 44" + ADDRESS + "785634121503A73D" + "8000 04")
    assert layer(found, "LLC")[:3] == [
        "LC[0]: LC[1] follows, RAP, TAP, CFP",
        "LC[1]: hop count 1; RTD in 1/256 s; RASP",
        "C-field: SND-NR",
    ]
    assert layer(found, "LLC")[-2:] == [
        "RTD: 500000 us",
        "RAS: status of the radio adapter 04h",
    ]
    assert told(found)["llc"] == {
        "c_field": "SND-NR",
        "address": "12345678.M=OMG.V=15.T=03",
        "receiver": told(found)["llc"]["receiver"],
        "access_number": None,
        "synchronous": False,
        "rrx": None,
        "hops": 1,
        "rtd_us": 500000,
        "ras": 4,
    }
    covers(lpwan_explain.frame_spans(found), len(found.frame))
    found = made("0C 4E" + ADDRESS + ADDRESS + "2A", "down")
    assert layer(found, "LLC")[0] == "LC[0]: RRX, the next uplink names its receiver, ANP, RAP, TAP"
    assert layer(found, "LLC")[-1] == "ACC: access number 42" and told(found)["llc"]["rrx"] is True


def test_an_ell_and_records_behind_the_llc():
    found = made("00 13 44" + ADDRESS + "8C 20 2A 78 04 13 E8030000")
    assert layer(found, "ELL") == ["CI: " + layer(found, "ELL")[0][4:], "CC: synchronous", "access number 42"]
    assert layer(found, "data")[-1] == "1.000 m3" and found.telegram.verdict == "plain"
    assert all(span.known for span in lpwan_explain.frame_spans(found))


# MBlock in plain -> what it says (sheet 15 and 19, Annex Q.3.6.3)
MEANINGS = {
    "2001A5": "uplink power reduction db: 3, downlink margin: ]16;20] dB, corrected bit errors: 5 %",
    "1164": "next fallback: hard, counter at least: 1280",
    "2220CE": "temporary: yes, counter: 20000",
    "130A": "delay min: 10",
    "34031116": "time: 22:17:03",
    "14D8": "adjustment s: -40",
    "252113": "temporary: no, power reduction db: 6, sub mode: UL-B2, sub carriers: 2, coding: multi burst",
    "168C": "temporary: yes, multi burst: yes, sub mode: DL-B3",
    "276400": "cmd mmsg counter: 100",
    "B001FF0003": "mblocks: 00 01 02 03 04 05 06 07 10 11",
    "A1010017": "release year: 2023",
    "920178": "delay s: 240",
    "B3010F0F1F": "uplinks: UL-B1 UL-B2 UL-B3 UL-B4, dual channel: no, downlinks: DL-B1 DL-B2 DL-B3 DL-B4, "
    "uplink codings: 7/8 1/2 1/3 multi burst, downlink multi burst: yes",
    "9401F0": "interval s: 240",
    "2F1234": "only the manufacturer knows",
    "1855": "reserved",
}


def secured(data, frame_type=mac.MSNR, der_counter=None, number=7):
    """A frame without upper layer whose MBlocks are under MAC_KEY."""
    derived = protection.derive(known.MAC_KEY, number, known.METER)
    sealed = protection.seal(derived, known.METER, frame_type, 300, data, der_counter)
    return mac.build(frame_type, None, sealed, bytes.fromhex("02" + ADDRESS))


@pytest.mark.parametrize("text", MEANINGS)
def test_mblocks(text):
    """In a body that does not name its MDerCounter, which is 7."""
    found = opened("up;" + secured(bytes.fromhex(text)).hex())
    (one,) = told(found)["mac"]["body"]["blocks"]
    assert (one["service"], one["error"]) == ("unsolicited", None) and found.body.der_counter == 7
    spans = lpwan_explain.frame_spans(found)
    covers(spans, len(found.frame))
    inside = [span for span in spans if span.plain is not None]
    assert b"".join(span.plain for span in inside) == bytes.fromhex(text)
    assert inside[-1].meaning == MEANINGS[text]
    assert any(span.meaning == "MMAC: right, with MDerCounter 7" for span in spans)


def test_services():
    for kind, place in ((mac.MCMD, "down"), (mac.MRSP, "up")):
        words = []
        for data in ("00", "2001A5"):
            sealed = protection.seal(known.DERIVED_KEY, known.METER, kind, 5, bytes.fromhex(data), 1)
            address = ("04" if place == "down" else "02") + ADDRESS
            frame = mac.build(kind, None, sealed, bytes.fromhex(address))
            words += [
                block["service"] for block in told(opened(place + ";" + frame.hex()))["mac"]["body"]["blocks"]
            ]
        assert words == (["get", "set"] if place == "down" else ["failed", "response"])


def test_a_body_that_cannot_be_opened():
    """Alone it is the refusal; what stands above it is not affected (Q.3.2.3.6.3.2)."""
    wrong = Key(bytes(16))
    for mac_key, verdict in ((None, "no_key"), (wrong, "mac_mismatch")):
        found = published("Q.K.6", mac_key=mac_key)
        assert found.body.verdict == found.telegram.verdict == found.telegram.error.code == verdict
        assert told(found)["mac"]["body"]["blocks"] is None
        (span,) = [one for one in lpwan_explain.frame_spans(found) if one.start == 9]
        assert span.known == (mac_key is None) and span.plain is None
        found = published("Q.K.8", mac_key=mac_key)
        assert found.telegram.error is None and len(found.telegram.records) == 3
        assert told(found)["mac"]["body"]["error"]["code"] == verdict
        covers(lpwan_explain.frame_spans(found), len(found.frame))


def test_bodies_that_are_not_secured():
    found = made("20 04 A1010017 02" + ADDRESS)
    assert told(found)["mac"]["body"]["verdict"] == "plain" and found.body.blocks == [
        blocks.MBlock(17, b"\0\x17")
    ]
    assert layer(found, "MAC")[1:5] == [
        "MBCTL[0]: not secured, MBodyLength 4",
        "MBH[0]: MBlockID 11 supported release, unsolicited, 2 bytes",
        "MBH[1]: MID1 1, MBL1 0",
        "release year: 2023",
    ]
    for head, code in (
        ("20 02 1001 02", "mac_body"),
        ("20 02 2F11 02", "mac_body"),
        ("22 02 1001 02", "mac_body"),
    ):
        found = made(head + ADDRESS)
        assert found.telegram.error.code == code and found.body.blocks is None
        covers(lpwan_explain.frame_spans(found), len(found.frame))
        assert any(not span.known for span in lpwan_explain.frame_spans(found))


def test_damage():
    """Refused; explained all the same where that is asked for."""
    text = known.FRAMES["Q.Z.10"][1]
    found = opened("down;" + text[:-1] + "B")
    assert (found.telegram.error.code, found.mac) == ("crc", None) and told(found)["mac"] is None
    found = opened("down;" + text[:-1] + "B", all_the_same=True)
    assert found.error.code == "crc" and found.mac.type == mac.MCNR
    spans = lpwan_explain.frame_spans(found)
    assert [span.known for span in spans].count(False) == 1
    assert spans[-1].meaning == "CRC wrong: over these bytes it is 650C99BA"


@pytest.mark.parametrize(
    "head, place, code",
    [
        ("10 02" + ADDRESS, "up", "reserved"),  # version 1
        ("03 02" + ADDRESS, "up", "reserved"),  # frame type
        ("00 02" + ADDRESS, "down", "reserved"),  # a MSNR in a downlink
        ("00 22" + ADDRESS, "up", "reserved"),  # LC
        ("00 02" + ADDRESS[:-2], "up", "length"),  # LLC cut
        ("40", "up", "length"),
        ("00 13 44" + ADDRESS + "70 00", "up", "forbidden_ci"),
        ("00 12" + ADDRESS + "78", "up", "link"),  # upper layer without C-field
        ("00", "up", "link"),  # no LLC
    ],
)
def test_refusals(head, place, code):
    found = made(head, place)
    assert found.telegram.error.code == code
    spans = lpwan_explain.frame_spans(found)
    covers(spans, len(found.frame))
    assert spans[0].meaning.startswith("MHCTL[0]: ") and spans[-1].known
    if len(found.frame) > 5:
        assert any(not span.known and found.telegram.error.message in span.meaning for span in spans)
    json.loads(to_json(found.telegram, "C", lpwan_words.more(found)))


def test_lines():
    read = lpwan_lines.parse_line
    frame = known.FRAMES["Q.Z.1"][1]
    for text, heard_on in (
        ("UL-B4;" + frame, None),
        (" UL-B4 ; " + frame.lower() + "\n", "down"),  # the line knows better
        (frame, "UL-B4"),
        ("0x" + frame, "UL-B4"),
    ):
        assert read(text, heard_on)[:3] == ("up", "UL-B4", known.frame("Q.Z.1"))
    assert read("DL-B1.4;" + frame)[:2] == ("down", "DL-B1.4") and read("up;" + frame)[:2] == ("up", None)
    for text in (
        "",
        "# UL-B4;",
        frame,
        "T1;1;1;x;-50;;;0x" + frame,
        "UL-B9;" + frame,
        "UL-B4.1;" + frame,
        "UL-B4",
    ):
        assert read(text) is None
    for text in ("telegram=|{}|".format(frame), "T1;1;1;2020-01-01 00:00:00.000;-50;;;0x" + frame, "", "# c"):
        assert read(text, "UL-B4") is None
    for text, position in (("UL-B4;40x", 8), ("UL-B4;", 6), ("UL-B4;40;", 9), ("  UL-B4;4", 9)):
        with pytest.raises(LineError) as caught:
            read(text)
        assert caught.value.position == position
    with pytest.raises(LineError, match="3 at the most"):
        read("UL-B4;00;00;00;00")
    with pytest.raises(MisuseError):
        lpwan_lines.where("UL-S1")


def test_a_burst_whose_frame_is_explained():
    chips = "C1FA4C6A03FF8DC029FD22024B40BA9202541B861E254158D4379468E1241C17184A12"  # Annex Q.Z.4.2.2
    found = opened("DL-B4;" + chips)
    assert found.frame == known.frame("Q.Z.10") and found.telegram.error is None
    assert told(found)["burst"] == {
        "phy_payload_length": 15,
        "tiv": 127,
        "multi": False,
        "type": "FEC 7/8",
        "bursts": [{"index": 1, "chips": 8 * 35, "wrong_chips": 0}],
    }
    found = opened("DL-B4;" + chips[:-2])
    assert found.frame is None and found.telegram.error.code == "length"
    assert told(found)["mac"] is None and told(found)["burst"]["tiv"] == 127


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["up", "down", "UL-B1.3", "UL-B4", "DL-B1"]),
    st.one_of(
        st.binary(min_size=1, max_size=60),
        st.tuples(st.sampled_from(sorted(known.FRAMES)), st.integers(0, 80), st.binary(max_size=4)),
    ),
    st.booleans(),
)
@example("up", b"\x20\x02\x10\x01", True)
def test_random_bytes(place, what, right):
    """They never raise, and every byte is told; with a right CRC, too."""
    if isinstance(what, tuple):
        name, at, other = what
        data = known.frame(name)
        what = data[:at] + other + data[at + len(other) :]
    if right:
        what = what[:251] + mac.crc(what[:251])
    for all_the_same in (False, True):
        found = opened("{};{}".format(place, what.hex()), all_the_same=all_the_same)
        if found.frame is not None:
            covers(lpwan_explain.frame_spans(found), len(found.frame))
        json.loads(to_json(found.telegram, "C", lpwan_words.more(found)))
        table.to_table(found.telegram)
        lpwan_words.lines_of(found)


def test_a_longer_body():
    """MBCTL[1]: 40 bytes of a manufacturer's MBlocks."""
    data = blocks.build([blocks.MBlock(0x38, bytes(31)), blocks.MBlock(15, b"ab")])
    frame = mac.build(mac.MSNR, None, body.plain(data), bytes.fromhex("02" + ADDRESS))
    found = opened("up;" + frame.hex())
    assert layer(found, "MAC")[1:3] == [
        "MBCTL[0]: not secured, MBodyLength 36",
        "MBCTL[1]: bit 5 of MBodyLength",
    ]
    covers(lpwan_explain.frame_spans(found), len(frame))
