"""--format and --units as a user runs them: the same words in `decode` and `collect`, and what each does with refusals."""

import json
import subprocess
import sys

import pytest
import support_telegram as known
from omsnode.tools.cli import output

KEY = ("--key", known.KEY_A)
STAMPED = "T1;1;1;2026-11-22 10:00:00.123;-77;;;0x" + known.N_2_1.lower()
HEARD = "garbage\n" + known.N_2_1 + "\n"
FORMATS = ("json", "table", "wmbusmeters", "homeassistant", "rtlwmbus")


def omsnode(*arguments, text=""):
    command = [sys.executable, "-m", "omsnode.tools.cli", *arguments]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=240)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("command", ["decode", "collect"])
def test_both_commands_offer_and_explain_the_same(command):
    status, out, _ = omsnode(command, "--help")
    assert status == 0 and "{" + ",".join(FORMATS) + "}" in out.replace("\n", "").replace(" ", "")
    for name in FORMATS:
        assert "\n  " + name + " " in out
    assert "--units kWh,l/h,C" in out and "--format wmbusmeters" in out


def test_wmbusmeters():
    status, out, err = omsnode("decode", *KEY, "--format", "wmbusmeters", text=STAMPED)
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert (found["_"], found["media"], found["id"], found["total_m3"]) == (
        "telegram",
        "gas",
        "12345678",
        28504.27,
    )
    assert (
        found["timestamp"] == "2026-11-22T10:00:00Z"
        and found["rssi_dbm"] == -77
        and found["oms_mode"] == "T1"
    )
    assert found["status"] == "OK" and "error" not in found


def test_wmbusmeters_of_refused_lines():
    status, out, err = omsnode("decode", "--format", "wmbusmeters", text=HEARD)
    line, encrypted = [json.loads(text) for text in out.splitlines()]
    assert (status, err) == (1, "")
    assert line["error"].startswith("line: ") and line["id"] is None and line["status"] is None
    assert encrypted["error"].startswith("no_key: ") and encrypted["id"] == "12345678"


def test_homeassistant_tells_a_meter_once_and_refusals_to_standard_error():
    status, out, err = omsnode("decode", *KEY, "--format", "homeassistant", text=HEARD + known.N_2_1 + "\n")
    message = json.loads(out)
    assert status == 1 and err.count("omsnode: refused: line") == 1
    total = message["payload"]["components"]["total_m3"]
    assert (total["device_class"], total["state_class"]) == ("gas", "total_increasing")
    assert total["unit_of_measurement"] == "m³"


def test_what_is_said_each_time_is_not_remembered(capsys):
    note = output._Note()
    for number in range(100):
        note("refused: {}".format(number), once=False)
        note("left out")
    assert len(note._said) == 1
    assert capsys.readouterr().err.count("left out") == 1


def test_rtlwmbus_hands_on_what_it_can():
    """Encrypted is fine; a telegram that nobody stamped, a damaged line and one of another length are left out."""
    text = "\n".join([STAMPED, known.N_2_1, "garbage", STAMPED[:-2], ""])
    status, out, err = omsnode("decode", "--format", "rtlwmbus", text=text)
    assert status == 1
    assert out == STAMPED + "\n"
    assert err.count("need mode and time") == 1


def test_units_in_json_and_table():
    status, out, _ = omsnode("decode", *KEY, "--units", "l,kWh", text=known.N_2_1)
    record = json.loads(out)["records"][0]
    assert status == 0 and (record["value"], record["unit"]) == (28504270, "l")
    status, out, _ = omsnode("decode", *KEY, "--units", "l,kWh", "--format", "table", text=known.N_2_1)
    assert status == 0 and "28504270 l\n" in out
    _, out, _ = omsnode("decode", *KEY, text=known.N_2_1)
    assert json.loads(out)["records"][0]["unit"] == "m3", "nothing is converted unasked"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--units", "furlong"), "furlong is no unit"),
        (("--units", "kWh,MJ"), "both units of energy"),
        (("--units", "l", "--format", "wmbusmeters"), "does not go with"),
        (("--units", "l", "--format", "rtlwmbus"), "does not go with"),
        (("--format", "xml"), "invalid choice"),
    ],
)
@pytest.mark.parametrize("command", [("decode",), ("collect", "--hat", "virtual", "--seconds", "1")])
def test_misuse(command, arguments, message):
    status, out, err = omsnode(*command, *arguments, text=known.N_2_1)
    assert status == 2 and out == "" and message in err and "Traceback" not in err


def test_collect_in_every_format():
    common = ("collect", "--hat", "virtual", "--seconds", "3")
    status, out, err = omsnode(*common, "--format", "wmbusmeters")
    found = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and "Traceback" not in err
    water = [one for one in found if one["name"] == "kitchen_water"][0]
    assert water["device"] == "omsnode[main]" and water["radio"] == "main" and water["total_m3"] > 0
    assert water["timestamp"].endswith("Z") and len(water["timestamp"]) == 20 and water["rssi_dbm"] < 0
    status, out, _ = omsnode(*common, "--format", "homeassistant")
    topics = [json.loads(line)["payload"]["state_topic"] for line in out.splitlines()]
    assert "wmbusmeters/kitchen_water" in topics and len(set(topics)) == len(topics)
    status, out, _ = omsnode(*common, "--units", "l,kW,MWh")
    units = {record["unit"] for line in out.splitlines() for record in json.loads(line)["records"]}
    assert "l" in units and not units & {"m3", "W", "Wh"}
    status, out, _ = omsnode(*common, "--units", "l", "--format", "table")
    assert " l" in out and " m3;" not in out
