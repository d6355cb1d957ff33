"""The plan cache gives what the plain path gives, for everything; and it is bounded."""

import json

import support_telegram as known
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import obis, types
from omsnode.firmware.application import record as plain
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import OmsError
from omsnode.firmware.host import conversion, json_lines, plan
from omsnode.firmware.host.lines import parse_line
from omsnode.firmware.host.plan import Plans
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import default_keys, mode5
from omsnode.firmware.security.keys import Key

ATTRIBUTES = [
    "offset",
    "dib",
    "vib",
    "data",
    "quantity",
    "function",
    "storage",
    "tariff",
    "subunit",
    "final_dife",
    "qualifiers",
    "unit",
    "mantissa",
    "exponent",
    "text",
    "flag",
    "time",
    "obis",
    "data_point",
]

# DIB and VIB, and data: every data field, every kind of value, texts in front and behind, records that are none.
RECORDS = [
    bytes.fromhex(head + data)
    for head, data in (
        ("0C14", "27048502"),
        ("0C14", "FFFFFFFF"),
        ("0B3B", "4523F1"),
        ("046D", "32371F15"),
        ("046D", "00000080"),
        ("426C", "1F15"),
        ("426C", "FFFF"),
        ("066D", "19172A0B1C05"),
        ("036D", "112233"),
        ("02FD17", "0080"),
        ("8440FD5900", "11223344"[:8]),
        ("025A", "0080"),
        ("025A", "1234"),
        ("0778", "1122334455667788"),
        ("0779", "1122334455667788"),
        ("055B", "CDCC8C41"),
        ("055B", "0000C07F"),
        ("0013", ""),
        ("0813", ""),
        ("0D78", "05" + "3132333435"),
        ("0D78", "00"),
        ("0D13", "C4" + "12345678"),
        ("0D13", "D2" + "1234"),
        ("0D13", "E3" + "112280"),
        ("0D13", "F2" + "1122"),
        ("0DFD0A", "C3" + "1122F4"),
        ("047C036D2F73", "01020304"),
        ("04FC036D2F73", "01020304"),
        ("04FC8C036D2F7300", "01020304"),
        ("84FC3B0003612F62", "0102"),
        ("0493FF7F15", "01020304"),
        ("04937C11", "01020304"),
        ("04FB8D78", "01020304"),
        ("04EF55", "01020304"),
        ("04FF8133", "01020304"),
        ("0DFF5F", "05" + "0102030405"),
        ("046900", "010203"),
        ("04FB6E", "01020304"),
        ("0EFF72", "112233445566"),
        ("4C93BB7E", "11223344"),
        ("C4800213", "11223344"),
        ("0D931F", "06B2FE05000700"),
        ("4D931E", "0561010102"),
        ("7F", ""),
        ("2F", ""),
        ("2F2F", ""),
        ("0F", "010203"),
        ("1F", "010203"),
        ("3F", ""),
    )
]
KEY = Key.from_hex(known.KEY_A)
ADDRESSES = [Address(0x0CAE, "12345678", 1, kind) for kind in (3, 4, 7)] + [Address(0x2C2D, "00000001", 2, 7)]


def fields(records):
    return [[getattr(record, name) for name in ATTRIBUTES] for record in records]


def same_payload(plans, payload, to_meter=False):
    for _ in range(3):  # the third time there may be a plan
        records, undecoded = plans.read(payload, to_meter)
        right, rest = plain.decode(payload, to_meter)
        assert fields(records) == fields(right)
        assert (undecoded and vars(undecoded)) == (rest and vars(rest))


def same_telegram(plans, data, key_for=None, default=None):
    for _ in range(3):
        found = plans.decode(data, key_for, default)
        right = decode(data, key_for, default)
        obis.annotate(right)
        assert fields(found.records) == fields(right.records)
        assert plans.to_json(found, "A", (("name", "%s"),)) == json_lines.to_json(
            right, "A", (("name", "%s"),)
        )
    return right


def key_for(address, *which):
    return KEY


def telegram(payload, address=ADDRESSES[2], encrypted=True, access_number=1):
    """With short header, mode 5 or plain."""
    blocks = 0
    if encrypted:
        payload = mode5.seal(KEY, address, access_number, payload)
        blocks = len(payload) // 16
    header = bytes([0x7A, access_number, 0, blocks << 4, 5 if blocks else 0])
    return link_telegram.build(0x44, address, header + payload)


payloads = st.lists(st.sampled_from(RECORDS), max_size=8).map(b"".join)


@st.composite
def series(draw):
    """Payloads of a few meters, in turns: the same again with other bytes here and there, a byte more or less."""
    bases = draw(st.lists(payloads, min_size=1, max_size=3))
    out = []
    for base in draw(st.lists(st.sampled_from(bases), min_size=1, max_size=6)):
        changed = bytearray(base)
        for _ in range(draw(st.integers(0, 3)) if changed else 0):
            changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
        cut = draw(st.sampled_from((0, 0, 0, 1, 3)))
        out.append(bytes(changed[: len(changed) - cut]) + draw(st.sampled_from((b"", b"", b"\x2f"))))
    return out


@settings(max_examples=400)
@given(series(), st.booleans())
def test_any_series_of_payloads(found, to_meter):
    plans = Plans(2)
    for payload in found:
        same_payload(plans, payload)
        same_payload(plans, payload, to_meter)


@settings(max_examples=150)
@given(series(), st.lists(st.tuples(st.sampled_from(ADDRESSES), st.booleans()), min_size=6, max_size=6))
def test_any_series_of_telegrams(found, senders):
    plans = Plans(3, obis.annotate)
    for payload, (address, encrypted) in zip(found, senders, strict=False):
        if len(payload) < 200:
            same_telegram(plans, telegram(payload, address, encrypted), key_for)


@settings(max_examples=100)
@given(st.data())
def test_damaged_telegrams(data):
    plans = Plans(annotate=obis.annotate)
    for text in known.ALL:
        raw = bytearray.fromhex(text)
        same_telegram(plans, raw, key_for)
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        same_telegram(plans, raw, key_for)


def test_every_byte_changed_to_every_bit():
    """One layout, each byte of it changed: a value follows, anything else is read anew."""
    payload = b"".join(RECORDS[index] for index in (0, 3, 19, 9, 13, 26, 29))
    plans = Plans()
    same_payload(plans, payload)
    for at in range(len(payload)):
        for bit in range(8):
            changed = bytearray(payload)
            changed[at] ^= 1 << bit
            records, undecoded = plans.read(bytes(changed))
            right, rest = plain.decode(bytes(changed))
            assert fields(records) == fields(right) and (undecoded is None) == (rest is None)


def test_a_layout_is_read_with_a_plan_from_the_third_time_on():
    plans = Plans(annotate=obis.annotate)
    for count, volume in enumerate(("27048502", "28048502", "FFFFFFFF", "00000000")):
        plans.decode(telegram(bytes.fromhex("0C14" + volume + "02FD170000")), key_for)
        assert (plans.hits, plans.misses) == (max(0, count - 1), min(2, count + 1))
    plans.decode(telegram(bytes.fromhex("0C15" + volume + "02FD170000")), key_for)
    assert plans.misses == 3


def test_the_plain_text_in_two_orders_has_no_plan():
    """What stands behind the unit tells which order it is: it may be a value."""
    plans = Plans()
    for _ in range(3):
        same_payload(plans, bytes.fromhex("04FC036D2F7301020304"))
    assert plans.hits == 0


def test_layouts_are_bounded():
    plans = Plans(4)
    for length in range(40):
        payload = b"\x0d\x78" + bytes([length]) + b"\x31" * length
        for extra in (
            b"\x01\x13\x11",
            b"\x01\x14\x11",
            b"\x01\x15\x11",
            b"\x01\x16\x11",
            b"\x11\x13\x11",
            b"\x21\x13\x11",
        ):
            same_payload(plans, payload + extra)
            same_payload(plans, b"\x01\x13\x00" + payload + extra)
    assert len(plans._plans) == 4
    assert all(len(some) <= 4 for some in plans._plans.values())


def test_one_layout_of_every_device_type_is_bounded():
    """Anybody can send it under all 256 of them."""
    plans = Plans(annotate=obis.annotate)
    for device_type in list(range(256)) * 2:
        data = telegram(bytes.fromhex("0C1427048502"), Address(0x0CAE, "12345678", 1, device_type), False)
        found = plans.decode(data, key_for)
        expected = decode(data, key_for)
        obis.annotate(expected)
        assert plans.to_json(found) == json_lines.to_json(expected)
    ((plan_of_it,),) = plans._plans.values()
    assert 0 < len(plan_of_it.names) <= 8 and 0 < len(plan_of_it.templates) <= 8


def test_the_last_used_layouts_stay():
    plans = Plans(2)
    often, rare = bytes.fromhex("011311"), bytes.fromhex("02131122")
    for other in range(3, 10):
        plans.read(often)
        plans.read(rare + bytes.fromhex("0D78") + bytes([other]) + b"1" * other)
    assert plans.hits == 5


def test_records_that_were_changed_are_shown_as_they_are():
    """Units on request put other records in their place: then the plan's texts do not count."""
    plans = Plans(annotate=obis.annotate)
    data = telegram(bytes.fromhex("0C1427048502"))
    for _ in range(3):
        found = plans.decode(data, key_for)
        conversion.apply(found, conversion.parse("l"))
        (one,) = json.loads(plans.to_json(found))["records"]
        assert (one["unit"], one["value"]) == ("l", 28504270)
    first = plans.decode(data, key_for)
    plans.decode(telegram(bytes.fromhex("0C1528048502")), key_for)
    assert json.loads(plans.to_json(first))["records"][0]["data"] == "27048502"


def test_without_names():
    plans = Plans()
    for _ in range(3):
        found = plans.decode(telegram(bytes.fromhex("0C1427048502")), key_for)
        assert found.records[0].obis is None
        assert plans.to_json(found) == json_lines.to_json(found)


def test_numbers_are_what_types_reads_them_as():
    for field in range(15):
        for kind in ("", "C", "D", "N", "T", "X", "K", "L"):
            if plan.is_number(field, kind):
                for byte in (0x00, 0x12, 0x80, 0xFF):
                    data = bytes([byte]) * plain.SIZES[field]
                    direct = types.bcd(data) if field >= 9 else types.integer(data, kind)
                    assert direct == types.value(field, data, kind)
                    assert direct[1] in (0, None) and direct[3] is None or direct[0] is None


def test_the_telegrams_of_real_meters(shared):
    plans = Plans(16, obis.annotate)
    entries = json.loads((shared / "vectors" / "corpus.json").read_text())["telegrams"]
    for entry in entries * 2:
        form = entry.get("encrypted_form") or entry
        try:
            line = parse_line(form["telegram"], keep=True)
        except OmsError:
            continue
        key = Key.from_hex(form["key"]) if form["key"] else None
        same_telegram(plans, line.telegram, lambda address, *which, key=key: key, default_keys.of)
    assert plans.hits > 300
