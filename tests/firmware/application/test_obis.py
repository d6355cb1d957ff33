"""OBIS codes of records against OMS Vol.2 Annex A: typed examples, and every row and vector with a matcher of its own."""

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import obis, record, telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key
from support_annexes import Annexes, Dib, data_of, dib, vibs_of


def meter(records, device_type, ci="7A"):
    """An annotated Telegram with these records (bytes) of a meter of this device type; short header, mode 0."""
    body = bytes.fromhex("44 2D2C 78563412 1B {:02X} {} 2A 00 0000".format(device_type, ci)) + records
    result = telegram.decode(bytes([len(body) & 0xFF]) + body)
    assert result.error is None and result.undecoded is None, (result.error, result.undecoded)
    obis.annotate(result)
    return result


def shown(text, device_type):
    return [(one.data_point, one.obis) for one in meter(bytes.fromhex(text), device_type).records]


# OMS Vol.2 Annex A.3 and B.2.2, typed by hand.
EXAMPLES = [
    # Annex N.2.1: gas
    (
        0x03,
        "0C1427048502 046D32371F15 02FD170000",
        [("VM1!", "7-0:3.1.0*255"), ("DT1!", "7-0:0.9.1*255"), ("MM2!", None)],
    ),
    (0x16, "0413 00000000", [("VM1!", "8-0:1.0.0*255")]),
    (0x06, "4413 00000000 426C 1F35", [("VM1!D", "9-0:1.2.0*255"), ("DT2!D", "9-0:0.1.10*255")]),
    (
        0x07,
        "04937D 00000000 04933B 00000000",
        [("VM1!", "8-0:1.0.0*255"), ("VM4!", None)],
    ),
    (0x08, "0B6E 000000 4B6E 000000", [("HC1!", "4-0:1.0.0*255"), ("HC1!D", "4-0:1.2.0*255")]),
    # tariff, final DIFE, subunit
    (0x02, "841003 00000000 8420FB00 00000000", [("EW1!T", "1-0:1.8.1*255"), ("EW1!T", "1-0:1.8.2*255")]),
    (0x02, "C48100 03 00000000 84A100 03 00000000", [("EW1!R", "1-0:1.8.0*3"), ("EW1!RT", "1-0:1.8.2*2")]),
    (0x02, "844003 00000000", [("EW1!", "1-1:1.8.0*255")]),
    (0x02, "0483FC10 00000000 02FDC8FC02 0000", [("EW3!", "1-0:15.8.0*255"), ("VV2!", "1-0:52.7.0*255")]),
    (0x02, "01FD61 05", [("MM7!", "1-0:0.1.0")]),  # printed without value group F
    (0x02, "142B 00000000 146D 32371F15", [("PW1!A", "1-0:1.6.0*255"), ("DT1!A", "1-0:1.6.0*255")]),
    # combined heat and cooling
    (
        0x0D,
        "0406 00000000 04863C 00000000 841006 00000000 841014 00000000 045B 00000000",
        [
            ("EW1!", "6-0:1.0.0*255"),
            ("EW2!", "5-0:1.0.0*255"),
            ("EW1!T", "5-0:1.0.0*255"),
            ("VM1!T", "5-0:2.0.0*255"),
            ("TC1!", "6-0:10.0.0*255"),
        ],
    ),
    (0x0D, "842006 00000000", [(None, None)]),  # footnote 15: tariff 1 only
    (0x0D, "C40106 00000000", [(None, "6-0:1.0.0*255")]),  # Annex A has EW1!B for 0D, Annex B does not
    (0x0B, "0406 00000000 04863C 00000000", [("EW1!", "5-0:1.0.0*255"), (None, None)]),
    # group A 0 is for every device type; a waste water meter has no column in Annex B
    (0x28, "0C78 78563412 0413 00000000", [(None, "0-0:96.1.0*255"), (None, None)]),
    (0x1A, "0C78 78563412 01FDFD41 00", [("ID1!", "0-0:96.1.0*255"), ("MM15!", None)]),
    (0x1A, "017C0333534400", [("MM15!", None)]),  # the older coding: plain text DS3
    (0x20, "01FD1F 01", [("DC1!", "0-0:96.3.19*255")]),
    (0x02, "01FD1F 01", [("DC1!", None)]),
    (0x07, "8C0413 00000000", [("VM1!P", None)]),  # periodic values have no code of their own
]


@pytest.mark.parametrize("device_type, text, expected", EXAMPLES)
def test_examples(device_type, text, expected):
    assert shown(text, device_type) == expected


def test_two_codes_of_one_record():
    """Note 3: DT1! feeds time and date."""
    one = meter(bytes.fromhex("046D32371F15"), 0x04).records[0]
    assert obis.codes(one, 0x04) == ("6-0:0.9.1*255", "6-0:0.9.2*255")
    assert one.obis == "6-0:0.9.1*255"


def test_gas_flow_knows_the_averaging_duration():
    """Notes 9 to 11: 5 minutes unless DP2! says otherwise."""
    flows = "023B 0000 02BB3A 0000 02BB3E 0000"
    plain = ["7-0:43.16.0*255", "7-0:43.15.0*255", "7-0:43.17.0*255"]
    with_dp2 = ["7-0:43.64.0*255", "7-0:43.63.0*255", "7-0:43.65.0*255", "7-0:0.8.28*255"]
    assert [code for _, code in shown(flows, 0x03)] == plain
    assert [code for _, code in shown(flows + "0171 0F", 0x03)] == with_dp2
    assert [code for _, code in shown(flows, 0x03)] == plain  # nothing sticks
    assert shown("023B 0000 0171 0F", 0x07)[0] == ("VF1!", "8-0:2.0.0*255")


def test_values_of_a_profile():
    """Annex N.13: base value of storage 3 and what follows it are one data point; OMS Vol.2 Annex G.7: monthly."""
    profile = "CE0103 951900000000 CD018313 04 41080103"
    assert shown(profile, 0x02) == [("EW1!B", "1-0:1.8.0*255")] * 4
    monthly = "8C041313100000 82046C1F15 8D049313 0A 7AFE5802320314024401"
    assert [point for point, _ in shown(monthly, 0x07)] == ["VM1!P", None, "VM1!P"] + ["VM1!P"] * 4
    # With register numbers each value has its own storage number and so its own code.
    recent = "CC810003 00100000 CD8100831E 04 6AFE5802"
    codes = [code for _, code in shown(recent, 0x02)]
    assert codes == ["1-0:1.8.0*3", "1-0:1.8.0*3", "1-0:1.8.0*4"]
    # A profile of the present value is not the due date value, although its first storage number is 1.
    assert shown("0C13 00100000 0D931F 04 6AFE5802", 0x07)[2] == (None, None)


def test_what_is_sent_to_a_meter_has_command_tags():
    """Annex B.2.4; examples of N.12.2 and UC-12a."""
    down = bytes.fromhex("43 2D2C 78563412 1B 31 5B 78563412 2D2C 1B 20 2A 00 0000 01FD1F00")
    result = telegram.decode(bytes([len(down)]) + down)
    obis.annotate(result)
    assert [(one.data_point, one.obis) for one in result.records] == [("XDC1!", None)]
    down = bytes.fromhex(
        "43 2D2C 78563412 1B 31 5B 78563412 2D2C 1B 07 2A 00 0000"
        "42ECFE00 1F35 40EC0F 00930C 0C9300 00000000 00FD979D07 02EC00 1F35"
    )
    result = telegram.decode(bytes([len(down)]) + down)
    obis.annotate(result)
    tags = [one.data_point for one in result.records]
    assert tags == ["setDT2!N", "getDT2!D", "arlVM1!", "setVM1!", "clrMM3!", None]


def test_nothing_to_annotate():
    obis.annotate(telegram.decode(b""))
    result = telegram.Telegram(b"")
    result.records = record.decode(bytes.fromhex("0413 00000000"))[0]
    obis.annotate(result)  # no address
    result.address = Address.parse("12345678")  # no device type
    obis.annotate(result)
    assert result.records[0].obis is None


@given(st.binary(max_size=60), st.integers(0, 255))
def test_random_payloads(payload, device_type):
    body = bytes.fromhex("44 2D2C 78563412 1B {:02X} 7A 2A 00 0000".format(device_type)) + payload
    result = telegram.decode(bytes([len(body)]) + body)
    obis.annotate(result)
    for one in result.records:
        assert one.obis is None or "e" not in one.obis and "f" not in one.obis


# --- against the whole tables ---


@pytest.fixture(scope="module")
def annexes():
    shared = pathlib.Path(__file__).resolve().parents[4] / "shared"
    if not shared.is_dir():
        pytest.skip("no ../shared beside the repository")
    return Annexes(shared)


def check(result, annexes, device_type):
    """Every record has just the tag and codes of the other program."""
    seen = set()
    dp2 = device_type == 3 and any(
        annexes.tag_of(one.dib, one.vib, 3) == "DP2!" for one in result.records if one.dib and one.vib
    )
    for one in result.records:
        if not one.dib or not one.vib:
            continue
        tag = annexes.tag_of(one.dib, one.vib, device_type)
        codes = annexes.codes_of(one.dib, one.vib, device_type, dp2)
        where = (device_type, one.dib.hex(), one.vib.hex())
        assert one.data_point == tag, where
        assert obis.codes(one, device_type, dp2) == codes, where
        assert one.obis == (codes[0] if codes else None), where
        seen.update(codes)
    return seen


def builds(row):
    """(DIB, VIB) of records that a tag or pattern of the annexes describes: each VIB, field, and limit once."""
    field, vib = row["data_field_codes"][0], next(vibs_of(row))
    tariff, storage = row["tariff"][0], row["storage"][0][0]
    rest = (row["function"], storage, tariff, 0, row["final_dife"])
    for one in vibs_of(row):
        yield dib(field, *rest), one
    for one in row["data_field_codes"][1:]:
        yield dib(one, *rest), vib
    for tariff in sorted(set(row["tariff"])):
        for storage in sorted({number for pair in row["storage"] for number in pair}):
            yield dib(field, row["function"], storage, tariff, 0, row["final_dife"]), vib
    yield dib(field, row["function"], storage, tariff, 2, row["final_dife"]), vib


def test_every_row_is_hit_and_no_heading(annexes, record_property):
    """Every row with a pattern comes out for a telegram that is built after it; what comes out is in the table."""
    hit = count = 0
    for entry in annexes.obis:
        types = annexes.types + [0x28] if entry["device_types"] == ["all"] else entry["device_types"]
        for device_type in types:
            device_type = device_type if isinstance(device_type, int) else int(device_type, 16)
            reached = False
            for pattern in entry["patterns"]:
                for head, vib in builds(pattern):
                    payload = head + vib + data_of(Dib(head).field)
                    if entry["a"] == 7 and entry["c"] == 43 and entry["d"] > 60:
                        payload += bytes.fromhex("01710F")
                    result = meter(payload, device_type)
                    seen = check(result, annexes, device_type)
                    numbers = Dib(head)
                    e = numbers.tariff if entry["e"] == "e" else entry["e"]
                    f = numbers.storage if entry["f"] == "f" else entry["f"]
                    wanted = "{}-{}:{}.{}.{}".format(entry["a"], numbers.subunit, entry["c"], entry["d"], e)
                    wanted += "" if f is None else "*{}".format(f)
                    only_1 = device_type == 0x0D and numbers.tariff > 1  # footnote 15
                    assert (wanted in seen) != only_1, (wanted, seen)
                    reached = True
                    count += 1
            assert reached == bool(entry["patterns"]), entry["obis"]
            assert not (entry["summary_row"] and reached)
        hit += bool(entry["patterns"])
    assert hit == 141  # rows with tags, as obis.json counts them
    record_property("OBIS rows hit", "{} by {} telegrams".format(hit, count))


def test_every_tag_is_found(annexes):
    """And nothing else is: whatever tags another device type has."""
    types = [int(codes[0], 16) for column, codes in annexes.columns.items() if column != "sensor"]
    types += [int(code, 16) for code in annexes.columns["sensor"]] + [0x28]
    for tag in annexes.tags.values():
        payload = b"".join(head + vib + data_of(Dib(head).field) for head, vib in builds(tag))
        found = set()
        for device_type in types:
            result = telegram.Telegram(b"")
            result.records, undecoded = record.decode(payload)
            assert undecoded is None
            result.address = Address.parse("12345678.M=KAM.V=1b.T={:02x}".format(device_type))
            obis.annotate(result)
            check(result, annexes, device_type)
            found |= {one.data_point for one in result.records}
        assert tag["tag"] in found


def test_vectors_of_annex_n(annexes, shared):
    """Its records with the tags and codes that its own script gave them, the command of N.12.2 among them."""
    examples = json.loads((shared / "vectors" / "annex-n.json").read_text(encoding="utf-8"))["examples"]
    types = {"N.3-message": "07", "N.5-message": "07"}  # sent with a short header
    count = 0
    for example in examples:
        if not example.get("records"):
            continue
        address = example["tpl"].get("application_address") or example.get("link_address")
        device_type = int(types.get(example["id"]) or address["type_code"], 16)
        payload = "".join(
            one["dib"] + one["vib"] + one.get("lvar", "") + one["data"] for one in example["records"]
        )
        if example["direction"] == "down":
            result = telegram.Telegram(b"")
            result.records = record.decode(bytes.fromhex(payload), True)[0]
            from omsnode.firmware.application.points import to_meter

            assert [[to_meter.find(one, 0x20)] for one in result.records] == [
                one["oms_tags"] for one in example["records"]
            ]
            continue
        result = meter(bytes.fromhex(payload), device_type)
        check(result, annexes, device_type)
        records = [one for one in result.records if one.dib]
        assert len(records) == len(example["records"])
        for one, wanted in zip(records, example["records"], strict=True):
            assert [one.data_point] == (wanted["oms_tags"] or [None]), (example["id"], one)
            assert list(obis.codes(one, device_type)) == wanted.get("obis", []), (example["id"], one)
            count += 1
    assert count == 66


def test_vectors_get_no_other_codes(annexes, shared, record_property):
    """Telegrams of real meters, and the record vectors as if of every device type."""
    count = coded = 0
    document = json.loads((shared / "vectors" / "corpus.json").read_text(encoding="utf-8"))
    secured = json.loads((shared / "vectors" / "security.json").read_text(encoding="utf-8"))
    for one in secured["telegrams"] + secured["constructed"]:
        document["telegrams"].append({"telegram": one.get("telegram_hex"), "key": one.get("key")})
    for entry in document["telegrams"]:
        for form in (entry, entry.get("encrypted_form") or {}):
            if not form.get("telegram"):
                continue
            text = form.get("key") or ""
            key = Key(bytes.fromhex(text)) if len(text) == 32 else None
            result = telegram.decode(bytes.fromhex(form["telegram"]), lambda *_, key=key: key)
            obis.annotate(result)
            if result.address is not None and result.tpl is not None and result.tpl.direction != "down":
                check(result, annexes, result.address.device_type)
            count += len(result.records)
            coded += sum(one.obis is not None for one in result.records)
    record_property("OBIS codes in the corpus", "{} of {} records".format(coded, count))
    assert coded > 500
    vectors = json.loads((shared / "vectors" / "application.json").read_text(encoding="utf-8"))["vectors"]
    for vector in vectors:
        records = record.decode(bytes.fromhex(vector["hex"]))[0]
        for device_type in (*annexes.types, 0x28):
            result = telegram.Telegram(b"")
            result.records = records
            result.address = Address.parse("12345678.M=KAM.V=1b.T={:02x}".format(device_type))
            for one in records:
                one.obis = one.data_point = None
            obis.annotate(result)
            check(result, annexes, device_type)
