"""What --gateway adds to the lines of `decode` and `collect`."""

import json

import pytest
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import StoreError
from omsnode.firmware.host.lines import parse_line, rtlwmbus
from omsnode.firmware.host.store import JsonStore
from omsnode.firmware.link import telegram as link
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import mode5
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import compose
from omsnode.tools.cli import main
from omsnode.tools.cli.value_handling import ValueHandling, instant

# KAM 12345678, electricity: energy in Wh, and DP1! of 5 s


def line(time, energy=6408, status="00"):
    body = "0403{}017405".format(energy.to_bytes(4, "little").hex())
    data = "442D2C785634121B027A2A{}0000{}".format(status, body)
    text = "{:02x}{}".format(len(data) // 2, data)
    return "T1;1;1;2026-01-31 {};-71;;;0x{}".format(time, text)


KEY = "000102030405060708090A0B0C0D0E0F"


def sealed(time, energy, number=1, ident="12345678", maker="KAM"):
    """As `line`, in mode 5."""
    address = Address.parse(ident + ".M=" + maker + ".V=1b.T=02")
    body = b"\x04\x03" + energy.to_bytes(4, "little") + b"\x01\x74\x05"
    data = mode5.seal(Key.from_hex(KEY), address, number, body)
    head = compose.build(0x7A, number, 0, compose.configuration(5, mode5.blocks(data)))
    return rtlwmbus(link.build(0x44, address, head + data), "T1", "2026-01-31T" + time + ".000Z", -60)


def strangers(time, count=300):
    """Plain telegrams under numbers that nobody has."""
    return [line(time).replace("78563412", "%08x" % number) for number in range(count)]


def checks(out):
    return [[one["check"] for one in row["gateway"]["findings"]] for row in out if "gateway" in row]


def told_at(out, target, meter="12345678"):
    """Values of the registers of a meter at a target time (hh:mm)."""
    rows = [one for one in out if "register" in one and one["meter"].startswith(meter)]
    return [one["value"] for one in rows if one["target"][11:16] == target]


def decoded(tmp_path, capsys, lines, *options):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(lines) + "\n")
    code = main(["decode", *options, str(path)])
    out, err = capsys.readouterr()
    return code, [json.loads(one) for one in out.splitlines()], err


def test_gateway_object_of_an_rtlwmbus_line(tmp_path, capsys):
    code, (reading,), _ = decoded(tmp_path, capsys, [line("12:00:03.500")], "--gateway")
    assert code == 0
    gateway = reading["gateway"]
    assert gateway["received"] == "2026-01-31T12:00:03.500Z"
    values = {value["obis"]: value for value in gateway["values"]}
    assert values["0-0:0.9.1*255"]["value"] == "12:00:03.500Z"
    assert values["0-0:96.1.1*255"]["value"] == "785634122D2C1B02"
    assert values["1-0:0.1.2*255"]["value"] == "2026-01-31T11:59:58.500Z"
    energy = values["1-0:1.8.0*255"]
    assert (energy["value"], energy["unit"], energy["measured"]) == (6408, "Wh", "2026-01-31T11:59:58.500Z")
    assert gateway["status"] == {"gateway": "00020005", "meter": "00000000", "severity": "ok", "flags": []}
    assert gateway["findings"] == []


def test_registers_between_the_readings(tmp_path, capsys):
    lines = [line("11:52:00", 6000), line("12:00:03.500"), line("12:07:36", 6500), line("12:29:00", 6700)]
    _, out, _ = decoded(tmp_path, capsys, lines, "--gateway")
    told = [one for one in out if "register" in one]
    assert [list(one)[0] for one in out] == ["id", "id", "id", "register", "id", "register"]
    assert told[0]["register"] == "1-0:1.8.0*255"
    assert told[0]["meter"] == "12345678.M=KAM.V=1b.T=02"
    assert (told[0]["target"], told[0]["value"], told[0]["period_min"]) == (
        "2026-01-31T12:00:00.000Z",
        6408,
        15,
    )
    assert told[0]["measured"] == "2026-01-31T11:59:58.500Z"
    assert told[0]["status"]["flags"] == []
    assert (told[1]["target"], told[1]["value"]) == ("2026-01-31T12:15:00.000Z", None)
    assert told[1]["nearest"]["measured"] == "2026-01-31T12:07:31.000Z"
    assert told[1]["status"] == {
        "gateway": "00022005",
        "meter": "00000000",
        "severity": "temporary",
        "flags": ["no value in window"],
    }


def test_findings_and_warning(tmp_path, capsys):
    _, out, _ = decoded(tmp_path, capsys, [line("12:00:00"), line("12:02:00", 6400, "04")], "--gateway")
    (finding,) = out[1]["gateway"]["findings"]
    assert finding["check"] == "goes backwards"
    assert finding["obis"] == "1-0:1.8.0*255"
    assert finding["numbers"]["before"] == {"value": 6408, "unit": "Wh"}
    assert out[1]["gateway"]["status"]["flags"] == ["warning", "power low"]
    assert out[1]["records"][0]["value"] == 6400


def test_periods(tmp_path, capsys):
    _, out, _ = decoded(
        tmp_path, capsys, [line("12:00:03"), line("12:45:00")], "--gateway", "--periods", "15,60"
    )
    assert [(one["period_min"], one["target"][11:16]) for one in out if "register" in one] == [
        (15, "12:00"),
        (15, "12:15"),
        (15, "12:30"),
        (60, "12:00"),
    ]


def test_without_a_time(tmp_path, capsys):
    text = line("12:00:00").rsplit("0x", 1)[1]
    _, (reading,), _ = decoded(tmp_path, capsys, [text], "--gateway")
    assert reading["gateway"]["received"] is None
    assert reading["gateway"]["status"]["flags"] == ["gateway time invalid"]


def test_a_refused_line_has_the_key_too(tmp_path, capsys):
    code, (reading,), _ = decoded(tmp_path, capsys, ["zz"], "--gateway")
    assert code == 1
    assert reading["gateway"] is None


def test_units_convert_the_records_and_not_the_gateway(tmp_path, capsys):
    _, (reading,), _ = decoded(tmp_path, capsys, [line("12:00:00")], "--gateway", "--units", "kWh")
    assert (reading["records"][0]["value"], reading["records"][0]["unit"]) == (6.408, "kWh")
    values = {value["obis"]: value for value in reading["gateway"]["values"]}
    assert (values["1-0:1.8.0*255"]["value"], values["1-0:1.8.0*255"]["unit"]) == (6408, "Wh")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--gateway", "--format", "table"], "--format json"),
        (["--periods", "15"], "--gateway"),
        (["--gateway", "--periods", "30"], "15, 60"),
    ],
)
def test_misuse(tmp_path, capsys, options, words):
    try:
        code = main(["decode", *options, "-"])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_collect_from_the_virtual_air(tmp_path, capsys):
    config = tmp_path / "c.toml"
    config.write_text('[node]\nstate_dir = "state"\n[radio.main]\nhat = "virtual"\n')
    assert main(["collect", "--config", str(config), "--gateway", "--seconds", "6"]) == 0
    out = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert out
    assert all("gateway" in one or "register" in one for one in out)
    readable = [one for one in out if one.get("gateway") and one["error"] is None]
    assert readable[0]["gateway"]["received"] == readable[0]["timestamp"]
    state = json.loads((tmp_path / "state" / "gateway-main.json").read_text())
    assert sorted(state) == ["check", "plausibility", "registers", "standing"]


def test_damaged_state_is_told_and_left(tmp_path, capsys):
    store = JsonStore(tmp_path, "gateway-main")
    store.save({"plausibility": {"version": 77}, "registers": []})
    handling = ValueHandling(store=store)
    assert "damaged" in capsys.readouterr().err
    assert len(handling.registers) == 0


def test_a_full_disk_stops_no_reading(capsys):
    class Full:
        problem = None

        def load(self):
            return None

        def save(self, state):
            raise StoreError("cannot write", hint="free some space")

    handling = ValueHandling(store=Full())
    handling.last_ms = 1
    handling.saved(due=True)
    handling.saved(due=True)
    assert capsys.readouterr().err.count("cannot write") == 1


def test_restart_goes_on(tmp_path):
    """Stored after the first two telegrams; the register that they opened is told by the next process."""

    def read(handling, text):
        line = parse_line(text)
        return handling.lines(lambda: '{"id": null}', decode(line.telegram), instant(line.timestamp))

    first = ValueHandling(store=JsonStore(tmp_path, "gateway-main"))
    read(first, line("11:52:00", 6000))
    read(first, line("12:00:03.500"))
    first.saved(due=True)
    second = ValueHandling(store=JsonStore(tmp_path, "gateway-main"))
    told = [json.loads(one) for one in read(second, line("12:10:00", 6407))]
    assert told[0]["gateway"]["findings"][0]["check"] == "goes backwards"
    assert (told[1]["target"], told[1]["value"]) == ("2026-01-31T12:00:00.000Z", 6408)


def test_instants_of_lines():
    assert instant("2026-01-01T00:00:00.123Z") == 1767225600123
    assert instant(None) is None
    assert instant("yesterday") is None


# --- whom to believe ---


def test_forged_plain_telegram_of_a_meter_that_encrypts(tmp_path, capsys):
    lines = [
        sealed("12:00:03", 1000),
        line("12:00:05", 999999),
        sealed("12:10:00", 1001, 2),
        sealed("12:20:00", 1002, 3),
    ]
    _, out, _ = decoded(tmp_path, capsys, lines, "--gateway", "--key", KEY)
    assert checks(out) == [[], ["weaker protection"], [], []]
    forged = out[1]
    assert forged["records"][0]["value"] == 999999  # shown all the same
    (finding,) = forged["gateway"]["findings"]
    assert finding["numbers"] == {"before": "decrypted", "now": "unprotected"}
    assert finding["obis"] is None and finding["quantity"] is None
    assert "warning" in forged["gateway"]["status"]["flags"]
    assert told_at(out, "12:00") == [1000]


def test_what_was_forged_before_the_meter_proved_itself_goes(tmp_path, capsys):
    lines = [line("12:00:05", 999999), sealed("12:00:08", 1000), sealed("12:20:00", 1001, 2)]
    _, out, _ = decoded(tmp_path, capsys, lines, "--gateway", "--key", KEY)
    assert checks(out) == [[], [], []]
    assert told_at(out, "12:00") == [1000]


def test_a_plain_meter_stays_what_it_is(tmp_path, capsys):
    lines = [line("12:00:05", 1000), line("12:10:00", 999)]
    _, out, _ = decoded(tmp_path, capsys, lines, "--gateway", "--key", KEY)
    assert checks(out) == [[], ["goes backwards"]]
    assert told_at(out, "12:00") == [1000]


def test_whom_to_believe_comes_back_after_a_restart(tmp_path):
    def read(handling, text):
        one = parse_line(text)
        telegram = decode(one.telegram, lambda *key: Key.from_hex(KEY))
        return json.loads(handling.lines(lambda: '{"id": null}', telegram, instant(one.timestamp))[0])

    first = ValueHandling(store=JsonStore(tmp_path, "gateway-main"))
    read(first, sealed("11:52:00", 1000))
    first.saved(due=True)
    second = ValueHandling(store=JsonStore(tmp_path, "gateway-main"))
    assert checks([read(second, line("12:00:00", 999999))]) == [["weaker protection"]]


def test_a_name_is_one_meter_whatever_else_the_telegram_says():
    """A configuration may name the 8 digits only: then another manufacturer is no way round."""
    handling = ValueHandling()
    for text in (sealed("12:00:03", 1000), line("12:00:05", 999999).replace("2D2C", "2E2C")):
        one = parse_line(text)
        telegram = decode(one.telegram, lambda *key: Key.from_hex(KEY))
        (shown,) = handling.lines(lambda: '{"id": null}', telegram, instant(one.timestamp), "kitchen")
    assert checks([json.loads(shown)]) == [["weaker protection"]]
    assert len(handling.registers) == 1


@pytest.mark.parametrize("keys", [True, False])
def test_a_flood_of_strangers_takes_no_state_of_real_meters(tmp_path, capsys, keys):
    """keys: the meter encrypts; else it is plain, but its number has a key in the file."""
    (tmp_path / "keys").write_text("12345678.M=KAM.V=1b.T=02 " + KEY + "\n")
    own = sealed if keys else line
    lines = [own("12:00:03", 1000), *strangers("12:01:00"), own("12:10:00", 999)]
    _, out, _ = decoded(tmp_path, capsys, lines, "--gateway", "--keys", str(tmp_path / "keys"))
    assert checks(out)[-1] == ["goes backwards"]
    assert told_at(out, "12:00") == [1000]
