"""Discovery messages for Home Assistant: only what its documentation allows, for whatever a telegram holds.

Device classes, units and state classes: developers' documentation "Sensor entity" of Home Assistant, restricted to the
classes that are used here.
"""

import json

import pytest
import support_telegram as known
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import record as records
from omsnode.firmware.application import telegram as application
from omsnode.firmware.host import conversion, home_assistant, wmbusmeters
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.address_text import manufacturer_number
from omsnode.firmware.security.keys import Key

TOTALS = {"total", "total_increasing"}
MEASURED = {"measurement"}
ANY = TOTALS | MEASURED
VOLUMES = {"m³", "L", "mL", "ft³", "CCF", "MCF", "gal", "fl. oz."}
ALLOWED = {
    "energy": (
        {"J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "cal", "kcal", "Mcal", "Gcal"},
        TOTALS,
    ),
    "water": (VOLUMES - {"mL", "fl. oz."}, TOTALS),
    "gas": ({"m³", "ft³", "CCF"}, TOTALS),
    "volume": (VOLUMES, TOTALS),
    "weight": ({"kg", "g", "mg", "µg", "oz", "lb", "st"}, ANY),
    "power": ({"W", "kW", "MW", "GW", "TW"}, MEASURED),
    "volume_flow_rate": ({"m³/h", "m³/s", "ft³/min", "L/h", "L/min", "gal/min"}, MEASURED),
    "temperature": ({"°C", "°F", "K"}, MEASURED),
    "pressure": ({"mbar", "cbar", "bar", "Pa", "hPa", "kPa", "inHg", "psi"}, MEASURED),
    "voltage": ({"V", "mV", "µV", "kV", "MV"}, MEASURED),
    "current": ({"A", "mA"}, MEASURED),
    "frequency": ({"Hz", "kHz", "MHz", "GHz"}, MEASURED),
    "humidity": ({"%"}, MEASURED),
    "moisture": ({"%"}, MEASURED),
    "battery": ({"%"}, MEASURED),
    "carbon_dioxide": ({"ppm"}, MEASURED),
    "carbon_monoxide": ({"ppm"}, MEASURED),
    "volatile_organic_compounds": ({"µg/m³"}, MEASURED),
    "volatile_organic_compounds_parts": ({"ppm", "ppb"}, MEASURED),
    "pm1": ({"µg/m³"}, MEASURED),
    "pm25": ({"µg/m³"}, MEASURED),
    "pm10": ({"µg/m³"}, MEASURED),
    "illuminance": ({"lx"}, MEASURED),
    "irradiance": ({"W/m²"}, MEASURED),
    "wind_speed": ({"m/s", "km/h", "mph", "kn", "ft/s"}, MEASURED),
    "sound_pressure": ({"dB", "dBA"}, MEASURED),
    "ph": ({None}, MEASURED),
    "distance": ({"mm", "cm", "m", "km"}, ANY),
    "signal_strength": ({"dB", "dBm"}, MEASURED),
    "duration": ({"d", "h", "min", "s", "ms"}, ANY),
    "date": ({None}, set()),
}


def valid(component):
    device_class = component.get("device_class")
    if device_class is not None:
        units, states = ALLOWED[device_class]
        assert component.get("unit_of_measurement") in units, component
        assert component.get("state_class") in states | {None}, component
    assert component.get("state_class") in ANY | {None}
    assert component.get("entity_category") in (None, "diagnostic")
    assert component["platform"] == "sensor" and component["unique_id"] and component["name"]


def meter(payload, device_type=0x07, maker="ABC"):
    result = application.Telegram(b"")
    result.address = Address(manufacturer_number(maker), "12345678", 1, device_type)
    result.records, result.undecoded = records.decode(bytes.fromhex(payload))
    return result


def classes(payload, device_type=0x07):
    """{field name: (device class, state class, unit, category)} without status."""
    found = home_assistant.components(meter(payload, device_type))["components"]
    for one in found.values():
        valid(one)
    keys = ("device_class", "state_class", "unit_of_measurement", "entity_category")
    status = found.pop("status")
    assert [status.get(key) for key in keys] == [None, None, None, "diagnostic"]
    return {name: tuple(one.get(key) for key in keys) for name, one in found.items()}


UP = "total_increasing"
NOW = "measurement"


@pytest.mark.parametrize(
    "payload, device_type, expected",
    [
        ("041388130000", 0x07, {"total_m3": ("water", UP, "m³", None)}),
        ("041388130000", 0x03, {"total_m3": ("gas", UP, "m³", None)}),
        ("041388130000", 0x04, {"total_volume_m3": ("volume", UP, "m³", None)}),
        ("441388130000", 0x16, {"target_m3": ("water", None, "m³", None)}),
        ("04060A000000", 0x04, {"total_energy_consumption_kwh": ("energy", UP, "kWh", None)}),
        ("040F0A000000", 0x0C, {"total_energy_consumption_kwh": ("energy", UP, "kWh", None)}),
        ("04833C0A000000", 0x02, {"total_energy_production_kwh": ("energy", UP, "kWh", None)}),
        ("022B0A00", 0x04, {"power_kw": ("power", NOW, "kW", None)}),
        ("122B0A00", 0x04, {"max_power_kw": ("power", NOW, "kW", None)}),
        ("023B0A00", 0x04, {"volume_flow_m3h": ("volume_flow_rate", NOW, "m³/h", None)}),
        ("025AF500", 0x04, {"flow_temperature_c": ("temperature", NOW, "°C", None)}),
        ("02623800", 0x04, {"temperature_difference_c": (None, NOW, "K", None)}),
        ("0B6E660100", 0x08, {"current_consumption_hca": (None, UP, "HCA", None)}),
        ("02FD48EA08", 0x02, {"voltage_v": ("voltage", NOW, "V", None)}),
        ("02FD46510B", 0x07, {"battery_v": ("voltage", NOW, "V", "diagnostic")}),
        ("426CDF2C", 0x07, {"target_date": ("date", None, None, "diagnostic")}),
        ("046D3B178D29", 0x07, {"meter_datetime": (None, None, None, "diagnostic")}),
        ("02FB1AAA01", 0x1B, {"relative_humidity_rh": ("humidity", NOW, "%", None)}),
        ("02FDFD103300", 0x1C, {"co2_concentration_ppm": ("carbon_dioxide", NOW, "ppm", None)}),
        ("0C7830533290", 0x07, {"fabrication_no": (None, None, None, "diagnostic")}),
        ("02FD740A00", 0x07, {"remaining_battery_life_y": (None, NOW, "a", "diagnostic")}),
        ("04FB82750A000000", 0x02, {"total_reactive_energy_consumption_kvarh": (None, UP, "kvarh", None)}),
    ],
)
def test_classes(payload, device_type, expected):
    assert classes(payload, device_type) == expected


def test_whole_message():
    """OMS Vol.2 Annex N.2.1, the gas meter."""
    telegram = application.decode(bytes.fromhex(known.N_2_1), lambda address: Key.from_hex(known.KEY_A))
    message = home_assistant.components(telegram, "gas_cellar")
    assert message["device"] == {
        "identifiers": ["omsnode_12345678.M=ELS.V=33.T=03"],
        "name": "gas_cellar",
        "manufacturer": "ELS",
        "model": "gas",
        "serial_number": "12345678",
    }
    assert message["state_topic"] == "wmbusmeters/gas_cellar"
    assert message["components"]["total_m3"] == {
        "platform": "sensor",
        "name": "Total",
        "unique_id": "omsnode_12345678_total_m3",
        "value_template": "{{ value_json.total_m3 }}",
        "device_class": "gas",
        "state_class": "total_increasing",
        "unit_of_measurement": "m³",
    }
    values = json.loads(wmbusmeters.to_json(telegram))
    assert message["components"].keys() <= values.keys(), "each template finds its value"
    history = home_assistant.components(telegram, prefix="wmbusmeters")["components"]["total_m3"]["unique_id"]
    assert history == "wmbusmeters_12345678_total_m3"


def test_a_refused_telegram_announces_nothing():
    assert home_assistant.components(application.decode(bytes.fromhex(known.N_2_1))) is None
    assert home_assistant.Announcer().to_json(application.decode(b"\x00")) is None


def test_what_is_sent_to_a_meter_is_no_reading_of_it():
    """A command, played to the receiver of meters: set the volume."""
    payload = bytes.fromhex("5B785634129315330701000000" + "049300E8030000")
    meter = Address.parse("12345678.M=ELS.V=33.T=07")
    telegram = application.decode(link_telegram.build(0x44, meter, payload))
    assert telegram.records[0].quantity == "volume" and telegram.to_meter and telegram.error is None
    assert home_assistant.components(telegram) is None
    assert [field.name for field in wmbusmeters.fields(telegram)] == ["status"]


def test_a_meter_is_announced_once_and_again_with_more():
    announcer = home_assistant.Announcer()
    first = json.loads(announcer.to_json(meter("041388130000")))
    assert (
        first["topic"] == "homeassistant/device/omsnode_12345678_MABC_V01_T07/config"
        and first["retain"] is True
    )
    assert announcer.to_json(meter("041300130000")) is None
    second = json.loads(announcer.to_json(meter("023B0A00")))
    assert list(second["payload"]["components"]) == ["total_m3", "status", "volume_flow_m3h"]
    assert announcer.to_json(meter("041388130000")) is None


def test_memory_is_bounded(monkeypatch):
    """Anybody can send in the clear, under any number and with any records."""
    monkeypatch.setattr(home_assistant, "METERS", 3)
    monkeypatch.setattr(home_assistant, "VALUES", 4)
    announcer = home_assistant.Announcer()
    for device_type in range(1, 6):
        assert announcer.to_json(meter("041388130000", device_type)) is not None
    assert len(announcer._told) == 3
    assert announcer.to_json(meter("041388130000", 3)) is None  # and is now the last to go
    assert announcer.to_json(meter("041388130000", 6)) is not None
    assert announcer.to_json(meter("041388130000", 3)) is None
    for number in range(1, 16):
        announcer.to_json(meter("84%02X1388130000" % number, 3))
    assert [len(values) for values in announcer._told.values()] == [2, 2, 4]


def test_months_of_the_past_wait_until_they_are_wanted():
    found = home_assistant.components(meter("C40113880000000413881300004413881300 00".replace(" ", "")))[
        "components"
    ]
    assert found["consumption_at_set_date_3_m3"]["enabled_by_default"] is False
    assert "enabled_by_default" not in found["total_m3"]
    assert "enabled_by_default" not in found["target_m3"]


@given(st.binary(max_size=60), st.integers(0, 0x3F), st.sampled_from(["ABC", "KAM", "HYD", "EFE"]))
def test_whatever_the_bytes(payload, device_type, maker):
    """Valid, unique names; valid components; converted units: no payload breaks them."""
    telegram = meter(payload.hex(), device_type, maker)
    pairs = json.loads(wmbusmeters.to_json(telegram), object_pairs_hook=list)
    assert len({name for name, _ in pairs}) == len(pairs)
    for one in home_assistant.components(telegram)["components"].values():
        valid(one)
    conversion.apply(telegram, conversion.parse("kWh,l,l/h,kW,F,mbar,h,mV,mA,kvarh"))


def test_every_data_point(shared):
    """OMS Annex B: each tag and each of its VIBs gives a component that Home Assistant takes."""
    path = shared / "vectors" / "datapoints.json"
    seen = 0
    for tag in json.loads(path.read_text(encoding="utf-8"))["tags"]:
        for vib in tag["vib"]:
            for low in range(8):
                match, mask = bytes.fromhex(vib["match"]), bytes.fromhex(vib["mask"])
                code = bytes(a | ~b & low & 0xFF for a, b in zip(match, mask, strict=True))
                for device_type in (0x02, 0x03, 0x04, 0x07, 0x08, 0x1B):
                    telegram = meter("04" + code.hex() + "01000000", device_type)
                    for record in telegram.records:
                        record.data_point = tag["tag"]
                    for one in home_assistant.components(telegram)["components"].values():
                        valid(one)
                        seen += 1
    assert seen > 1000
