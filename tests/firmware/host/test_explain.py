"""Every byte is told, in order, once; whatever the telegram is."""

import json

import pytest
import support_telegram as known
import support_wired as wired
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.host.explain import explain, with_crcs
from omsnode.firmware.host.lines import frame_or_telegram
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport.fragmentation import Reassembly
from support_link import ANNEX_N_5_3, SAMPLE_A, SAMPLE_B, SAMPLE_B3
from support_spans import covers


def find(spans, word):
    return [span for span in spans if word in span.meaning]


@pytest.mark.parametrize("text", known.ALL)
@pytest.mark.parametrize("key", [known.KEY_0, known.KEY_A, None])
def test_covers_known_telegrams(text, key):
    key = Key.from_hex(key) if key else None
    data = bytes.fromhex(text)
    for cut in (len(data), 9, 10, 11, 12, 20, 1, 0):
        covers(explain(decode(data[:cut], lambda address, *which: key)), min(cut, len(data)))


def test_annex_n_partial_encryption():
    """Offsets as the byte table of OMS Vol.2 Annex N.5.3 has them."""
    spans = explain(decode(bytes.fromhex(known.PARTIAL), lambda address, *which: Key.from_hex(known.KEY_0)))
    assert all(span.known for span in spans)
    (check,) = find(spans, "check bytes")
    assert (check.start, check.plain) == (26, b"\x2f\x2f")
    first, second = find(spans, "HCA")[1::2]
    assert (first.meaning, first.plain.hex()) == ("1234 HCA", "341200")
    assert (second.meaning, second.plain.hex()) == ("23456 HCA", "563402")
    location = find(spans, "12345678")[-1]
    assert location.plain is None and location.end == 49


def test_what_cannot_be_read_is_told_as_such():
    spans = explain(decode(bytes.fromhex(known.N_2_1)))
    (secret,) = find(spans, "encrypted: no key")
    assert (secret.start, secret.end, secret.known, secret.plain) == (15, 47, True, None)
    spans = explain(decode(bytes.fromhex(known.MANUFACTURER)))
    (maker,) = find(spans, "manufacturer data: ")
    assert (maker.start, maker.end, maker.known) == (11, 42, True)


def test_damage_is_named_and_marked():
    data = bytearray.fromhex(known.NO_HEADER + "0413")
    data[0] = len(data) - 1
    (tail,) = [span for span in explain(decode(data)) if not span.known]
    assert (tail.start, tail.end, tail.meaning) == (16, 18, "damaged: truncated in the data")


def test_wired_frames():
    """OMS Vol.2 Annex N.6.4: byte table of the annex; then the short forms."""
    data = bytes.fromhex(wired.N_6_4)
    spans = explain(decode(data, lambda address, *which: Key.from_hex(known.KEY_0)))
    covers(spans, len(data))
    assert all(span.known for span in spans)
    assert [(span.start, span.meaning) for span in spans[:7]] == [
        (0, "start byte of a long frame"),
        (1, "L-field: 44 bytes from C to the last data byte"),
        (2, "L-field, repeated"),
        (3, "start byte, repeated"),
        (4, "C-field: RSP-UD"),
        (5, "A-field: primary address 253: the slave that is selected"),
        (6, "CI: M-Bus data, long header, from the meter"),
    ]
    (check,) = find(spans, "check bytes")
    assert (check.start, check.plain) == (19, b"\x2f\x2f")
    assert [span.meaning for span in spans[-2:]] == [
        "checksum over C to the last data byte, right",
        "stop byte",
    ]
    for text in wired.ALL:
        data = bytes.fromhex(text)
        covers(explain(decode(data)), len(data))
    (busy,) = find(explain(decode(bytes.fromhex(wired.BUSY))), "error: 8; meaning: busy")
    assert busy.start == 7
    for number in range(9):  # damaged ones
        data = bytes.fromhex(wired.BUSY)[:number] + b"\xff" + bytes.fromhex(wired.BUSY)[number + 1 :]
        covers(explain(decode(data)), len(data))


def test_compact_frame():
    """EN 13757-3:2018 G.5.2: 123.4 Wh, 567.8 m3, 901.2 W."""
    head = "1144AE0C785634120107" + "79"
    data = bytearray.fromhex(head + "313B42A6D2042E163423")
    data[0] = len(data) - 1
    spans = explain(decode(data))
    covers(spans, len(data))
    assert [span.meaning for span in spans[-5:]] == [
        "format signature 3B31h: which DIBs and VIBs are left out",
        "CRC over the full frame, right",
        "energy in Wh: 123.4 Wh",
        "volume in m3: 567.8 m3",
        "power in W: 901.2 W",
    ]
    data[-1] ^= 1
    spans = explain(decode(data))
    covers(spans, len(data))
    assert [span.known for span in spans[-3:]] == [True, True, False] and "wrong" in spans[-2].meaning


@pytest.mark.parametrize("frame", [SAMPLE_A, ANNEX_N_5_3, SAMPLE_B, SAMPLE_B3])
def test_crcs_stand_where_they_are_on_the_air(frame):
    line = frame_or_telegram(frame)
    spans = with_crcs(explain(decode(line.telegram)), line.frame_format)
    covers(spans, len(frame))
    crcs = [span.start for span in find(spans, "CRC of block")]
    expected = {20: [10, 18], 21: [19], 135: [126, 133], 57: [10, 28, 46, 55]}
    assert crcs == expected[len(frame)]


def test_values_of_a_profile():
    """OMS Vol.2 Annex G.7 behind a link header; then a profile that ends early, with another record behind it."""
    head = "0F44AE0C785634120107" + "78"
    body = "8C041313100000" + "82046C1F15" + "8D0493130A" + "7AFE" + "5802320314024401"
    data = bytearray.fromhex(head + body)
    data[0] = len(data) - 1
    spans = explain(decode(data))
    covers(spans, len(data))
    assert find(spans, "2008-02-29")[0].meaning == "storage 11, at 2008-02-29: 0.209 m3"
    assert all(span.known for span in spans)
    data = bytearray.fromhex(head + "0213E803" + "0D93130872FE0500FFFF0700" + "025AD200")
    data[0] = len(data) - 1
    spans = explain(decode(data))
    covers(spans, len(data))
    assert [(span.end - span.start) for span in find(spans, "no further value")] == [4]
    assert find(spans, "21.0")


@settings(max_examples=300)
@given(st.sampled_from(known.ALL), st.lists(st.integers(8, 8 * 110), max_size=4), st.integers(0, 120))
def test_covers_damaged_telegrams(text, bits, cut):
    data = bytearray.fromhex(text)
    for bit in bits:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    if cut > 10:
        data = data[:cut]
        data[0] = len(data) - 1
    for key in (None, Key.from_hex(known.KEY_0)):
        spans = explain(decode(data, lambda address, *which, key=key: key))
        covers(spans, len(data))
        covers(with_crcs(spans, "A"), len(data) + 2 * len(range(10, len(data), 16)) + 2 if data else 0)


def test_l_field_of_format_b_counts_its_crcs():
    """EN 13757-4: in format B the L-field counts the CRC bytes (link sheet 5.2)."""
    for sample, count in ((SAMPLE_B, 0x14), (SAMPLE_B3, 0x86)):
        line = frame_or_telegram(sample)
        first = with_crcs(explain(decode(line.telegram)), line.frame_format)[0]
        assert first.meaning == "L-field: {} bytes follow, CRCs counted".format(count)


def test_the_last_fragment_of_a_joined_message(shared):
    """OMS Vol.2 Annex N.3 and N.4, by radio and on the wire: its own bytes are told, the message's are not its."""
    vectors = json.loads((shared / "vectors" / "security.json").read_text())
    for vector in vectors["fragmented"]:
        joining = Reassembly()
        key = Key.from_hex(vector["key"])
        for number, fragment in enumerate(vector["fragments"]):
            data = bytes.fromhex(fragment["telegram_hex"])
            told = decode(data, lambda address, *which, key=key: key, fragments=joining, now_us=number)
            spans = explain(told)
            covers(spans, len(data))
            assert all(span.known for span in spans)
        assert told.joined and told.records and find(spans, "last fragment")
