"""Values per OBIS code and their times: OMS Vol.2 Annex A rows, BSI rules of sheet en13757-3-application 11.1."""

import copy
import json

import pytest
import support_gateway as make
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import gateway, obis, telegram
from omsnode.firmware.security.keys import Key

T = make.RECEIVED  # 2026-01-01T00:00:00Z

# Annex N.13, application data (OMS Vol.2 Annex N, Release E 2.0.2)
N13 = (
    "0E02609901000000 0E823C513000000000 CD016DE20330 CE0103951900000000"
    "CD01831330410801030507090806040200000000000000000000000103050709080604020000000000000000000000010305070908"
    "CE01833C050300000000"
    "CD0183BC1330410800000000000000000000010305070908060402000000000000000000000001030507090806040200000000000000"
    "C1017403 02FD971D0000"
)


def rows(values, code):
    return [value for value in values if value.obis == code]


def one(values, code):
    (value,) = rows(values, code)
    return value


# --- rows that the gateway makes ---

# One device type of each medium of Annex A, and breaker and sensor: with a plain first record.
MEDIA = {
    "02": "0403 08190000",
    "03": "0413 08190000",
    "04": "0403 08190000",
    "06": "0413 08190000",
    "07": "0413 08190000",
    "08": "036E 081900",
    "0A": "0403 08190000",
    "0B": "0403 08190000",
    "0C": "0403 08190000",
    "0D": "0403 08190000",
    "15": "0413 08190000",
    "16": "0413 08190000",
    "1F": "02 65 1234",
    "20": "01 FD1F 01",
    "28": "0413 08190000",
}


@pytest.mark.parametrize("device_type", sorted(MEDIA))
def test_gateway_made_rows_for_every_medium(device_type):
    values = gateway.values(make.meter(MEDIA[device_type], device_type, status=0x04), T + 123)
    assert one(values, "0-0:0.9.1*255").text == "00:00:00.123Z"
    assert one(values, "0-0:0.9.2*255").text == "2026-01-01"
    # Annex A note 5: TPL order ID, manufacturer, version, type
    address = "78563412" + "2D2C" + "1B" + device_type
    assert one(values, "0-0:96.1.1*255").text == address
    assert one(values, "0-0:96.1.2*255").text == address
    assert one(values, "0-0:97.97.0*255").mantissa == 4
    assert {value.source for value in values[:5]} == {gateway.GATEWAY}
    assert not any(value.usable for value in values[:5])


def test_long_header_and_wired_address():
    # Link layer of an adapter (type 37), meter in the long header
    body = bytes.fromhex("44 2D2C 11223344 01 37 72 78563412 2D2C 1B 07 2A 00 0000 0413 08190000")
    read = telegram.decode(bytes([len(body)]) + body)
    obis.annotate(read)
    values = gateway.values(read, T)
    assert one(values, "0-0:96.1.1*255").text == "785634122D2C1B07"
    assert one(values, "0-0:96.1.2*255").text == "112233442D2C0137"
    values = gateway.values(make.wired("0413 08190000", address=0x05), T)
    assert one(values, "0-0:96.1.1*255").text == "785634122D2C1B07"
    assert one(values, "0-0:96.1.2*255").text == "05"
    assert one(values, "8-0:1.0.0*255").mantissa == 6408


def test_unknown_reception_time_is_said():
    values = gateway.values(make.meter("0413 08190000"), None)
    assert one(values, "0-0:0.9.1*255").flag == "time unknown"
    volume = one(values, "8-0:1.0.0*255")
    assert volume.measured_ms is None
    assert volume.flags == ("time unknown",)
    assert (volume.mantissa, volume.exponent, volume.unit) == (6408, -3, "m3")


def test_all_gateway_rows_of_the_table(shared):
    """Every row of obis.json with "from" is made, headings and withdrawn codes never."""
    entries = json.loads((shared / "vectors" / "obis.json").read_text())["entries"]
    wanted = {entry["obis"] for entry in entries if entry.get("from")}
    values = gateway.values(make.meter("0413 08190000"), T)
    assert {value.obis for value in values if value.source == gateway.GATEWAY} == wanted


# --- time of the value ---


@pytest.mark.parametrize(
    ("device_type", "code"),
    [
        ("02", "1-0:0.1.2*255"),
        ("03", "7-0:0.1.2*255"),
        ("08", "4-0:0.9.3*255"),
        ("0A", "5-0:0.9.3*255"),
        ("0B", "5-0:0.9.3*255"),
        ("04", "6-0:0.9.3*255"),
        ("0C", "6-0:0.9.3*255"),
        ("0D", "6-0:0.9.3*255"),
        ("07", "8-0:0.9.3*255"),
        ("16", "8-0:0.9.3*255"),
        ("06", "9-0:0.9.3*255"),
        ("15", "9-0:0.9.3*255"),
    ],
)
def test_time_of_value_is_reception_minus_actuality_duration(device_type, code):
    values = gateway.values(make.meter(MEDIA[device_type] + " 0174 5A", device_type), T)  # 90 s
    value = one(values, code)
    assert value.text == "2025-12-31T23:58:30.000Z"
    assert value.mantissa is None
    assert value.record.mantissa == 90  # the original stays where it was
    measured = [v for v in values if v.source == gateway.METER and v.obis != code]
    assert [v.measured_ms for v in measured] == [T - 90000]


@pytest.mark.parametrize(
    ("record", "ms"),
    [
        ("0174 5A", 90000),
        ("0175 02", 120000),
        ("0176 03", 10800000),
        ("0177 01", 86400000),
        ("0A75 1500", 900000),
    ],
)
def test_units_of_the_actuality_duration(record, ms):
    values = gateway.values(make.meter("0413 08190000 " + record), T)
    assert one(values, "8-0:1.0.0*255").measured_ms == T - ms


def test_invalid_actuality_duration_gives_no_time():
    values = gateway.values(make.meter("0413 08190000 0174 80"), T)
    assert one(values, "8-0:1.0.0*255").measured_ms is None
    assert one(values, "8-0:0.9.3*255").flag == "invalid"


def test_without_reception_time_the_device_time_serves():
    # Type F 2008-05-31T23:50 (Annex N.2.1) and DP1! of one hour
    values = gateway.values(make.meter("0413 08190000 046D 32371F15 0176 01"), None)
    value = one(values, "8-0:0.9.3*255")
    assert (value.text, value.flags) == ("2008-05-31T22:50:00", ("device time",))
    assert one(values, "8-0:1.0.0*255").device_time == "2008-05-31T23:50"


@pytest.mark.parametrize("device_type", ["02", "03", "04", "06", "07", "08", "0A", "0D", "16"])
def test_dt1_is_split(device_type):
    group = {"02": 1, "03": 7, "04": 6, "06": 9, "07": 8, "08": 4, "0A": 5, "0D": 6, "16": 8}[device_type]
    values = gateway.values(make.meter("046D 32371F15", device_type), T)
    assert one(values, "{}-0:0.9.1*255".format(group)).text == "23:50"
    assert one(values, "{}-0:0.9.2*255".format(group)).text == "2008-05-31"


def test_other_storages_have_the_time_of_the_meter_only():
    # Water: current 6.408, due date value 5.000 of 2025-12-31 (type G)
    values = gateway.values(make.meter("0413 08190000 4413 88130000 426C 3F3C"), T)
    stored = one(values, "8-0:1.2.0*255")
    assert (stored.mantissa, stored.measured_ms, stored.device_time) == (5000, None, "2025-12-31")
    assert one(values, "8-0:1.0.0*255").measured_ms == T


def test_maximum_has_its_own_time():
    # Electricity: maximum power 384 W at 2008-05-31T23:50
    values = gateway.values(make.meter("122B 8001 146D 32371F15", "02"), T)
    value = rows(values, "1-0:1.6.0*255")[0]
    assert (value.mantissa, value.measured_ms, value.device_time) == (384, None, "2008-05-31T23:50")


def test_a_repeater_makes_the_time_doubtful():
    # Mode 0, bit 0 of the configuration field: hop count 1
    body = bytes.fromhex("44 2D2C 78563412 1B 07 7A 2A 00 0100 0413 08190000")
    read = telegram.decode(bytes([len(body)]) + body)
    obis.annotate(read)
    assert read.hops == 1
    assert one(gateway.values(read, T), "8-0:1.0.0*255").flags == ("repeated",)


# --- what counts and what not ---


def test_manufacturer_data_is_never_used():
    # Behind 0F stands what would be a volume
    read = make.meter("0413 08190000 0F 0413 FFFF0000")
    values = gateway.values(read, T)
    assert len(rows(values, "8-0:1.0.0*255")) == 1
    read = make.meter("0413 08190000 1F 0413 FFFF0000")
    for record in read.records:  # even if somebody gave it a code
        if record.quantity == "manufacturer data":
            record.obis = "8-0:1.0.0*255"
    assert len(rows(gateway.values(read, T), "8-0:1.0.0*255")) == 1


def test_commands_have_no_values():
    body = bytes.fromhex("53 2D2C 78563412 1B 31 5B 78563412 2D2C 1B 07 2A 00 0000 0413 08190000")
    assert gateway.values(telegram.decode(bytes([len(body)]) + body), T) == []


def test_value_of_an_error_state_is_kept_apart():
    values = gateway.values(make.meter("3413 08190000", "07", annotate=True), T)
    for value in values:
        if value.record is not None:
            assert not value.usable


def test_breaker_states():
    texts = {0: "closed/disconnected", 1: "open/connected", 2: "released"}
    for state in range(3):
        value = one(gateway.values(make.meter("01 FD1F {:02X}".format(state), "20"), T), "0-0:96.3.19*255")
        assert (value.mantissa, value.text) == (state, texts[state])
    value = one(gateway.values(make.meter("01 FD1F 07", "21"), T), "0-0:96.3.19*255")
    assert (value.mantissa, value.flag) == (7, "reserved state")


def test_13_integer_and_6_fractional_digits_and_more():
    # BCD12 in 0.001 Wh with all digits, and int64 near its end
    value = one(gateway.values(make.meter("0E00 563412907856", "02"), T), "1-0:1.8.0*255")
    assert (value.mantissa, value.exponent) == (567890123456, -3)
    value = one(gateway.values(make.meter("0700 FEFFFFFFFFFFFF7F", "02"), T), "1-0:1.8.0*255")
    assert (value.mantissa, value.exponent) == (2**63 - 2, -3)


# --- TAF7 ---


def test_taf7_profile_of_annex_n13():
    """Base value 3 s before the reception, then one value every 8 s backwards; first 1994, last 1872 Wh."""
    values = gateway.values(make.meter(N13, "02"), T)
    imports = rows(values, "1-0:1.8.0*255")
    base = imports[1]
    assert (base.data_point, base.mantissa, base.measured_ms) == ("EW1!B", 1995, T - 3000)
    entries = imports[2:]
    assert len(entries) == 46
    assert [entry.source for entry in entries] == ["profile"] * 46
    assert [entry.measured_ms for entry in entries] == [T - 3000 - 8000 * n for n in range(1, 47)]
    assert (entries[0].mantissa, entries[-1].mantissa) == (1994, 1872)
    exports = rows(values, "1-0:2.8.0*255")
    assert len(exports) == 48
    assert exports[1].mantissa == 305


def test_annex_n13_as_received(shared):
    example = next(
        one
        for one in json.loads((shared / "vectors" / "annex-n.json").read_text())["examples"]
        if one["id"] == "N.13"
    )
    key = Key.from_hex(example["keys"]["master_key"])
    read = telegram.decode(bytes.fromhex(example["bytes_without_crc"]), lambda address: key)
    assert read.error is None
    obis.annotate(read)
    values = gateway.values(read, T)
    assert len(rows(values, "1-0:1.8.0*255")) == 48
    assert one(values, "0-0:96.1.1*255").text == "78563412A73D0102"


def test_annex_n_examples(shared):
    """Each OBIS code in the record lists of the examples comes out; wired meters give their primary address."""
    checked = 0
    for example in json.loads((shared / "vectors" / "annex-n.json").read_text())["examples"]:
        raw = example.get("bytes_without_crc") or example.get("bytes_on_bus")
        if raw is None or not any(record.get("obis") for record in example.get("records", ())):
            continue
        if example["id"] == "N.12.3":
            continue  # its record is inside a security information transfer
        keys = example.get("keys", {})
        key = keys.get("key") or keys.get("master_key")
        read = telegram.decode(bytes.fromhex(raw), lambda address, key=key: key and Key.from_hex(key))
        assert read.error is None, (example["id"], read.error)
        obis.annotate(read)
        values = gateway.values(read, T)
        codes = {value.obis for value in values}
        for record in example["records"]:
            for code in record.get("obis", ()):
                assert code in codes, (example["id"], code)
        if "bytes_on_bus" in example:
            assert one(values, "0-0:96.1.2*255").text == raw[10:12]
        checked += 1
    assert checked >= 12


def test_a_profile_on_the_meters_clock_has_no_utc():
    # OMS Vol.2 G.7: monthly values, storage 8, base date 2008-05-31
    values = gateway.values(make.meter("8C0413 13100000 82046C 1F15 8D0493130A7AFE5802320314024401", "07"), T)
    entries = [value for value in values if value.source == "profile"]
    assert [value.mantissa for value in entries] == [755, 423, 209, 65]
    assert [value.measured_ms for value in entries] == [None] * 4
    assert [value.device_time for value in entries] == [
        "2008-04-30",
        "2008-03-31",
        "2008-02-29",
        "2008-01-31",
    ]


# --- instants ---


@given(st.integers(min_value=0, max_value=4102444799999))
def test_instants_there_and_back(ms):
    import datetime

    text = gateway.utc_text(ms)
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=ms)
    assert text == moment.strftime("%Y-%m-%dT%H:%M:%S.") + "{:03d}Z".format(ms % 1000)
    assert gateway.milliseconds(gateway.local_text(ms)) == ms - ms % 1000


@pytest.mark.parametrize(
    "text", [None, "", "**-**", "23:50:00", "2024-**-01", "2024-01-01T**:00", "PT3S", "x" * 12]
)
def test_no_instant(text):
    assert gateway.milliseconds(text) is None


# --- property: nothing is altered ---

RECORDS = st.lists(
    st.sampled_from(
        [
            "0413 08190000",
            "0C13 78563412",
            "0403 FFFFFF7F",
            "046D 32371F15",
            "426C 3F3C",
            "4413 88130000",
            "0174 5A",
            "0175 80",
            "3413 01000000",
            "036E 112233",
            "01FD1F 01",
            "02FD971D 0204",
            N13,
            "0DFD11 03414243",
            "0F 0102",
        ]
    ),
    min_size=1,
    max_size=6,
)


@given(RECORDS, st.sampled_from(sorted(MEDIA)), st.one_of(st.none(), st.integers(0, 2**42)))
def test_values_are_never_altered(records, device_type, received):
    if "0F 0102" in records[:-1]:
        records.remove("0F 0102")
    if len("".join(records).replace(" ", "")) > 480:
        records = records[:1]
    read = make.meter(" ".join(records), device_type)
    before = [copy.copy(vars(record)) for record in read.records]
    values = gateway.values(read, received)
    assert [vars(record) for record in read.records] == before
    for value in values:
        if value.record is not None and value.mantissa is not None:
            assert (value.mantissa, value.exponent, value.unit) == (
                value.record.mantissa,
                value.record.exponent,
                value.record.unit,
            )
        assert not value.record or value.record.quantity != "manufacturer data"
