"""The published JSON: keys, order, exact numbers."""

import json
from decimal import Decimal

import pytest
import support_telegram as known
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import LineError
from omsnode.firmware.host.json_lines import decimal, refused_line, to_json
from omsnode.firmware.host.table import to_table
from omsnode.firmware.security.keys import Key

KEYS = [
    "id",
    "manufacturer",
    "version",
    "type",
    "type_code",
    "link",
    "ci_field",
    "access_number",
    "status",
    "security",
    "records",
    "protocol",
    "undecoded",
    "error",
]
RECORD_KEYS = [
    "quantity",
    "value",
    "unit",
    "function",
    "flag",
    "storage",
    "tariff",
    "subunit",
    "obis",
    "data_point",
    "dib",
    "vib",
    "data",
    "time",
]


@pytest.mark.parametrize(
    "mantissa, exponent, text",
    [
        (6408, -3, "6.408"),
        (5, 3, "5000"),
        (0, -3, "0.000"),
        (0, 3, "0"),
        (7, 0, "7"),
        (-7, -1, "-0.7"),
        (-1234, -2, "-12.34"),
        (5, -3, "0.005"),
        (10**25 + 1, -3, "10000000000000000000000.001"),
        (3, 60, "3e60"),
        (-3, -60, "-3e-60"),
    ],
)
def test_exact_decimals(mantissa, exponent, text):
    assert decimal(mantissa, exponent) == text


@given(st.integers(-(10**20), 10**20), st.integers(-60, 60))
def test_decimals_are_exact_json_numbers(mantissa, exponent):
    text = decimal(mantissa, exponent)
    assert Decimal(text) == Decimal(mantissa).scaleb(exponent)
    assert json.loads(text, parse_float=Decimal) == Decimal(text)


def parse(telegram, **more):
    text = to_json(telegram, **more)
    assert "\n" not in text
    return json.loads(text, parse_float=Decimal)


def test_decoded_telegram():
    telegram = decode(bytes.fromhex(known.N_2_1), lambda address, *which: Key.from_hex(known.KEY_A))
    found = parse(telegram, frame_format="A")
    assert list(found) == KEYS
    records = found.pop("records")
    assert found == {
        "id": "12345678",
        "manufacturer": "ELS",
        "version": 51,
        "type": "gas",
        "type_code": 3,
        "link": {
            "address": "12345678.M=ELS.V=33.T=03",
            "primary_address": None,
            "format": "A",
            "c_field": "SND-NR",
            "hops": 0,
            "ell": None,
        },
        "ci_field": "7A",
        "access_number": 42,
        "status": {"flags": [], "byte": 0},
        "security": {"mode": 5, "profile": "A", "verdict": "decrypted", "key": "configured"},
        "protocol": None,
        "undecoded": None,
        "error": None,
    }
    assert [list(record) for record in records] == [RECORD_KEYS] * 3
    assert records[0] == {
        "quantity": "volume",
        "value": Decimal("28504.27"),
        "unit": "m3",
        "function": "instantaneous",
        "flag": None,
        "storage": 0,
        "tariff": 0,
        "subunit": 0,
        "obis": None,
        "data_point": None,
        "dib": "0C",
        "vib": "14",
        "data": "27048502",
        "time": None,
    }
    assert records[1]["value"] == "2008-05-31T23:50"


def test_adapter_and_meter_are_told_apart():
    found = parse(decode(bytes.fromhex(known.PARTIAL), lambda address, *which: Key.from_hex(known.KEY_0)))
    assert (found["id"], found["type"]) == ("55667788", "heat cost allocator")
    assert found["link"]["address"] == "11223344.M=QDS.V=55.T=37" and found["link"]["format"] is None
    assert found["link"]["ell"] == {
        "ci_field": "8C",
        "cc": "00",
        "access_number": 117,
        "receiver": None,
        "session": None,
    }
    assert found["status"] == {"flags": ["low power"], "byte": 4}


@pytest.mark.parametrize("text", known.ALL)
def test_every_telegram_has_every_key(text):
    for data in (bytes.fromhex(text), bytes.fromhex(text)[:11], b""):
        found = parse(decode(data))
        assert list(found) == KEYS
        error = found["error"]
        assert error is None or list(error) == ["code", "hint", "message", "position"] and error["code"]
        assert to_table(decode(data))


def test_refused_line_has_every_key():
    found = json.loads(refused_line(LineError('not a "telegram"', position=3)))
    assert list(found) == KEYS
    assert found["error"]["code"] == "line" and found["error"]["position"] == 3
    assert found["security"]["verdict"] is None


def test_reading_adds_keys_behind():
    telegram = decode(bytes.fromhex(known.NO_HEADER))
    found = parse(
        telegram, more=(("timestamp", "2026-01-31T12:00:00Z"), ("rssi_dbm", -71), ("name", "Küche"))
    )
    assert list(found) == [*KEYS, "timestamp", "rssi_dbm", "name"]
    assert found["name"] == "Küche" and found["rssi_dbm"] == -71


def test_invalid_value_keeps_its_place():
    """Application sheet 3: a BCD with a nibble F in every place is no value."""
    body = bytes.fromhex("AE0C785634120107" + "78" + "0B13FFFFFF" + "0B13436587")
    data = bytes((len(body) + 1, 0x44)) + body
    first, second = parse(decode(data))["records"]
    assert first["value"] is None and first["flag"] and first["data"] == "FFFFFF"
    assert second["value"] == Decimal("876.543") and second["flag"] is None


def test_text_from_the_air_cannot_steer_a_terminal():
    """A customer location (FD 10) with an escape sequence, sent as text."""
    body = bytes.fromhex("AE0C785634120107" + "78" + "0DFD1004") + bytes.fromhex("1B5B324A")[::-1]
    telegram = decode(bytes((len(body) + 1, 0x44)) + body)
    assert parse(telegram)["records"][0]["value"] == "\x1b[2J"
    assert "\\x1b[2J" in to_table(telegram) and "\x1b" not in to_table(telegram)
