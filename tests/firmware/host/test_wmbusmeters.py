"""Field names of wmbusmeters. Telegrams: OMS Vol.2 Annex N; records after its examples and EN 13757-3's tables.

The names are public facts: what that program prints for such meters.
"""

import json
import re

import pytest
import support_telegram as known
from omsnode.firmware.application import profile
from omsnode.firmware.application import record as records
from omsnode.firmware.application import telegram as application
from omsnode.firmware.errors import NoKeyError
from omsnode.firmware.host import field_names, flag_words, wmbusmeters
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.address_text import manufacturer_number
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import header


def meter(payload, device_type=0x07, maker="ABC", status=0):
    """A Telegram of a meter with these records, as it is after decoding."""
    result = application.Telegram(b"")
    result.address = Address(manufacturer_number(maker), "12345678", 1, device_type)
    result.records, result.undecoded = records.decode(bytes.fromhex(payload))
    result.tpl = header.parse(bytes([0x7A, 1, status, 0, 0]), 0)
    return result


def names(payload, **more):
    """{name: value} without status."""
    found = {field.name: json.loads(field.value) for field in wmbusmeters.fields(meter(payload, **more))}
    assert found.pop("status") == "OK"
    return found


def test_published_gas_meter():
    """Annex N.2.1: 28504.27 m3 on 2008-05-31 23:50."""
    telegram = application.decode(bytes.fromhex(known.N_2_1), lambda address: Key.from_hex(known.KEY_A))
    line = wmbusmeters.to_json(
        telegram, "gas", "2026-11-22T10:00:00.123Z", "omsnode[main]", -77, mode="T1", radio="main"
    )
    assert line == (
        '{"_":"telegram","media":"gas","meter":"auto","name":"gas","id":"12345678","total_m3":28504.27,'
        '"meter_datetime":"2008-05-31 23:50","status":"OK","timestamp":"2026-11-22T10:00:00Z",'
        '"device":"omsnode[main]","rssi_dbm":-77,"oms_mode":"T1","oms_profile":"A","oms_verdict":"decrypted",'
        '"oms_access_no":42,"oms_hops":0,"radio":"main"}'
    )


def test_a_profile_of_numbers_that_are_shown_as_text():
    """Its entries have no DIB: fabrication number 12345678 and, a day earlier each, 1 and 2 less."""
    telegram = meter("0C7878563412 0DF81306 72010100 0100")
    telegram.records = profile.expand(telegram.records)
    found = {field.name: json.loads(field.value) for field in wmbusmeters.fields(telegram)}
    assert found["fabrication_no"] == "12345678"
    assert "12345677" in found.values() and "12345676" in found.values()


def test_refused_telegram_says_so_and_claims_nothing():
    telegram = application.decode(bytes.fromhex(known.N_2_1), lambda address: None)
    assert isinstance(telegram.error, NoKeyError)
    found = json.loads(wmbusmeters.to_json(telegram))
    assert found["id"] == "12345678" and found["media"] == "gas" and found["error"].startswith("no_key: ")
    assert found["status"] is None and found["oms_verdict"] == "no_key" and found["timestamp"] is None
    assert "total_m3" not in found


HEAT = "0406 9D2F0000 0413 20BF0100 0C2B 75140000 0B3B 290200 0A5A 5207 0A5E 9506 0A62 5600 4406 91110000"
ELECTRICITY = (
    "0E03 188169000000 0E833C 925601000000 0B2B 260200 0BAB3C 000000 1B2B 964700 0AFDC9FC01 3502 "
    "0AFDC9FC02 4502 8E1003 536432200000 046D 3B178D29"
)


@pytest.mark.parametrize(
    "payload, more, expected",
    [
        (
            HEAT,
            {"device_type": 0x04},
            {
                "total_energy_consumption_kwh": 12189,
                "total_volume_m3": 114.464,
                "power_kw": 1.475,
                "volume_flow_m3h": 0.229,
                "flow_temperature_c": 75.2,
                "return_temperature_c": 69.5,
                "temperature_difference_c": 5.6,
                "target_energy_consumption_kwh": 4497,
            },
        ),
        (
            HEAT,
            {"device_type": 0x04, "maker": "KAM"},
            {
                "total_energy_consumption_kwh": 12189,
                "total_volume_m3": 114.464,
                "power_kw": 1.475,
                "volume_flow_m3h": 0.229,
                "t1_temperature_c": 75.2,
                "t2_temperature_c": 69.5,
                "flow_return_temperature_difference_c": 5.6,
                "target_energy_kwh": 4497,
            },
        ),
        (
            ELECTRICITY,
            {"device_type": 0x02},
            {
                "total_energy_consumption_kwh": 698.118,
                "total_energy_production_kwh": 15.692,
                "current_power_consumption_kw": 0.226,
                "current_power_production_kw": 0,
                "max_power_consumption_kw": 4.796,
                "voltage_at_phase_1_v": 235,
                "voltage_at_phase_2_v": 245,
                "total_energy_consumption_tariff_1_kwh": 20326.453,
                "device_datetime": "2020-09-13 23:59",
            },
        ),
        ("0C0E 75060000", {"device_type": 0x04}, {"total_energy_consumption_kwh": 187.5}),
        ("0C0E 01000000", {"device_type": 0x04}, {"total_energy_consumption_kwh": 0.277778}),
        (
            "0413 88130000 4413 10270000 426C DF2C",
            {},
            {"total_m3": 5, "target_m3": 10, "target_date": "2022-12-31"},
        ),
        ("04933C 88130000 C401933C 88130000", {}, {"total_backward_m3": 5, "backward_at_set_date_3_m3": 5}),
        ("0413 88130000 023B 7B00", {"maker": "SEN"}, {"total_m3": 5, "max_flow_m3h": 0.123}),
        (
            "0C13 37219100 0B3B 000000 C4016D 3B178D29 CC0113 34210000",
            {"maker": "HYD"},
            {"total_m3": 912.137, "flow_m3h": 0, "target_datetime": "2020-09-13 23:59", "target_m3": 2.134},
        ),
        (
            "0B6E 660100 426E A600 426C DF2C 82016E A600 8B106E 660100",
            {"device_type": 0x08},
            {
                "current_consumption_hca": 166,
                "consumption_at_set_date_hca": 166,
                "set_date": "2022-12-31",
                "consumption_at_set_date_2_hca": 166,
                "current_consumption_tariff1_hca": 166,
                "consumption_at_set_date_1_hca": 166,
            },
        ),
        (
            "02FD48 EA08",
            {"device_type": 0x02},
            {"voltage_v": 228.2},
        ),
        ("02FD46 510B", {"device_type": 0x1B}, {"battery_v": 2.897}),
        ("02FD74 DC15", {}, {"remaining_battery_life_y": 15.321328}),
        (
            "0222 1000 0226 0A00 3222 0300",
            {},
            {"on_time_h": 16, "operating_time_h": 10, "on_time_at_error_h": 3},
        ),
        ("0C78 30533290", {}, {"fabrication_no": "90325330"}),
        (
            "03FD0C 050000 02FD0B 1011 02FD0F 4C2B",
            {},
            {"model_version": "000005", "parameter_set": "1110", "software_version": "+L"},
        ),
        ("0DFD11 0A 38373130313442303241", {}, {"customer": "A20B410178"}),
        (
            "326C FFFF 0406 00000080",
            {"device_type": 4},
            {"error_date": None, "total_energy_consumption_kwh": None},
        ),
        ("426C E1F1", {}, {"target_date": None}),
        ("844006 15000000", {"device_type": 4}, {"total_energy_consumption_subunit1_kwh": 21}),
        ("0F 010203", {}, {}),
        ("04FF05 01000000", {}, {}),
    ],
)
def test_names_and_values(payload, more, expected):
    got = names(payload, **more)
    assert got == expected
    for name in got:
        assert re.fullmatch(r"[a-z0-9_]+", name)


def test_names_by_storage_tariff_and_subunit():
    def name(*parts):
        return field_names.name_of(*parts)[0][0]

    plain = ("instantaneous", 0, 0, 0)
    assert name("volume", (), *plain, "W", "ABC") == "total"
    assert name("volume", (), "instantaneous", 0, 2, 1, "W", "ABC") == "total_tariff2_subunit1"
    assert name("volume", (), "instantaneous", 1, 2, 0, "W", "ABC") == "target_tariff2"
    assert field_names.name_of("heat cost allocation", (), "instantaneous", 1, 0, 2, "A", "ABC")[0] == (
        "consumption_at_set_date_subunit2",
        "consumption_at_set_date_1_subunit2",
    )
    assert name("energy", (), "instantaneous", 0, 2, 0, "E", "ABC") == "total_energy_consumption_tariff_2"
    assert name("flow temperature", (), "maximum", 0, 0, 0, "H", "ABC") == "max_flow_temperature"
    assert name("power", (), "maximum", 0, 0, 0, "E", "ABC") == "max_power_consumption"
    assert (
        name("flow temperature", (), "instantaneous", 4, 0, 0, "W", "ABC") == "flow_temperature_at_set_date_4"
    )
    assert name("voltage", ("phase L2",), *plain, "E", "ABC") == "voltage_at_phase_2"
    assert name("voltage", (), "instantaneous", 0, 0, 3, "E", "ABC") == "voltage_at_phase_3"
    assert (
        name("frequency", ("during upper limit exceed",), *plain, "E", "A")
        == "frequency_during_upper_limit_exceed"
    )


def test_equal_names_are_told_apart_in_the_order_of_the_telegram():
    got = names("0413 88130000 0413 10270000 0414 01000000")
    assert got == {"total_m3": 5, "total_nr2_m3": 10, "total_nr3_m3": 0.01}


def test_name_does_not_depend_on_the_rest_of_the_telegram():
    parts = ["0413 88130000", "4413 10270000", "C401 13 01000000", "426C DF2C"]
    together = names(" ".join(parts))
    alone = {}
    for part in parts:
        alone.update(names(part))
    assert alone == together


@pytest.mark.parametrize(
    "status, payload, words",
    [
        (0x00, "", "OK"),
        (0x04, "", "POWER_LOW"),
        (0x1A, "", "ERROR PERMANENT_ERROR TEMPORARY_ERROR"),
        (0x03, "02FD17 0000", "ALARM"),
        (0xE1, "", "BUSY UNKNOWN_E0"),
        (0x00, "02FD17 0008", "ERROR_FLAGS_800"),
        (0x10, "02FD17 2800", "ERROR_FLAGS_28 TEMPORARY_ERROR"),
    ],
)
def test_status_words(status, payload, words):
    assert wmbusmeters.status(meter(payload, status=status)) == words


def test_information_codes_of_a_water_meter():
    found = {
        field.name: json.loads(field.value) for field in wmbusmeters.fields(meter("02FF20 7100", maker="KAM"))
    }
    assert found == {
        "current_status": "DRY",
        "time_dry": "22-31 days",
        "time_reversed": "",
        "time_leaking": "",
        "time_bursting": "",
        "status": "DRY",
    }
    other = wmbusmeters.fields(meter("02FF20 7100", maker="ABC"))
    assert [field.name for field in other] == ["status"]


def test_flags_without_a_word_are_not_lost():
    assert flag_words.named(0x103, ["DRY", "-"]) == {"DRY", "ERROR_FLAGS_102"}


def test_no_row_is_hidden_by_another():
    """Each row of the table is reached by what it says."""
    for rows in field_names._ROWS.values():
        for row in rows:
            same = [one for one in rows if one.words == row.words and one.media & row.media]
            assert same in ([], [row]), (row.words, row.media)
            if not row.media:
                assert len([one for one in rows if one.words == row.words and not one.media]) == 1


def test_corpus(shared, record_property):
    """How many names and values of the other program's drivers come out of one table."""
    from omsnode.tools import names_check

    entries = json.loads((shared / "vectors" / "corpus.json").read_text(encoding="utf-8"))["telegrams"]
    totals = names_check.score(entries)
    for name, total in sorted(totals.items()):
        record_property("field names, " + name, names_check.line("", total)[2:])
    assert totals[names_check.STANDARD]["equal"] >= 680
    common = {"iperl", "hydrus", "amiplus", "sharky", "multical21", "kamheat", "kamwater"}
    total_by_driver = names_check.by_driver(entries, common)
    for driver, (wanted, same) in sorted(total_by_driver.items()):
        record_property("field names, " + driver, "{} of {}".format(same, wanted))
        assert same >= 0.9 * wanted, driver


def test_names_of_a_telegram_are_unique_in_the_corpus(shared):
    from omsnode.firmware.errors import OmsError
    from omsnode.tools import corpus_check

    entries = json.loads((shared / "vectors" / "corpus.json").read_text(encoding="utf-8"))["telegrams"]
    for entry in entries:
        try:
            telegram = corpus_check.decode(entry)
        except OmsError:
            continue
        found = json.loads(wmbusmeters.to_json(telegram), object_pairs_hook=list)
        assert len({name for name, _ in found}) == len(found)
