"""No key in any output: the whole command with every key of the suite, good and bad input, and all that it says searched."""

import _thread
import contextlib
import io
import pathlib
import re
import sys
import threading
import time
import traceback
import types

import pytest
import support_telegram as known
from omsnode.firmware.errors import ChannelError, MisuseError
from omsnode.firmware.host import channel, config, key_import, key_store
from omsnode.firmware.host.key_store import KeyStore, Row
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.keys import Key
from omsnode.tools import cli
from omsnode.tools.cli import collect
from support_leaks import Watch

TESTS = pathlib.Path(__file__).resolve().parent.parent
_DIGITS = r"(?<![0-9A-Za-z])([0-9A-Fa-f]{32})(?![0-9A-Za-z])"
_IN_TESTS = re.compile(r"(?i)^.*?(?:key|secret|master|one|two).*?" + _DIGITS + ".*$", re.MULTILINE)
_IN_VECTORS = re.compile(r'"(?:key|kenc|kmac)": ?"' + _DIGITS)


def keys_of_the_suite():
    """What a line of a test calls a key, and the keys of the vectors; but 16 equal bytes: padding looks like them."""
    found = set()
    for path in TESTS.rglob("*.py"):
        found.update(_IN_TESTS.findall(path.read_text(encoding="utf-8")))
    for path in (TESTS.parent.parent / "shared" / "vectors").glob("*.json"):
        found.update(_IN_VECTORS.findall(path.read_text(encoding="utf-8")))
    return sorted({one.upper() for one in found if len(set(bytes.fromhex(one))) > 1})


KEYS = keys_of_the_suite()
METER = """\
[node]
role = "meter"
state_dir = "state"
[radio.main]
hat = "virtual"
[[meter]]
id = "12345678.M=KAM.V=1b.T=16"
key = "@own"
interval_s = 2
[[meter.record]]
quantity = "volume"
unit = "m3"
value = 6.408
"""
COLLECTOR = '[radio.main]\nhat = "virtual"\n[[meter]]\nname = "it"\nid = "12345678"\nkey = "@own"\n'


def telegrams(ident, key):
    """One in each profile that our meter can send."""
    registers = [Register(b"\x04", b"\x13", 6408), Register(b"\x02", b"\x3b", 127)]
    address = Address.parse(ident + ".M=KAM.V=1b.T=16")
    for mode in (5, 7, 10):
        meter = Meter(Profile(address, registers, key=Key.from_hex(key), security_mode=mode), bytes(5))
        if meter.message_counter:
            meter.message_counter.take()
        yield meter.telegram(None).hex()


def spellings(key):
    """Key as people get it wrong; enough of it is left in each to be searched for."""
    yield from (key, key.lower(), key + "0", "0x" + key, '"' + key, key[:16] + " " + key[16:])
    yield from (":".join(key[at : at + 2] for at in range(0, 32, 2)), key[:30] + "zz", "1" + key)


@pytest.fixture
def say(tmp_path, monkeypatch, capfd):
    """say(keys, arguments, text): run the command in a directory of its own, search what it said for all of the keys; the
    status."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def run(keys, arguments, text=""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        try:
            status = cli.main([str(one) for one in arguments])
        except SystemExit as end:
            status = end.code
        hidden(keys, "".join(capfd.readouterr()), arguments)
        return status

    return run


def hidden(keys, said, where):
    assert not Watch(bytes.fromhex(key) for key in keys).found_in(said), where
    if len(keys) == 1:
        # What is masked must not show most of it either. Outputs hold much hex: only long parts are no chance.
        bare = re.sub("[^0-9A-F]", "", said.upper())
        assert keys[0][:24] not in bare and keys[0][8:] not in bare, where


def test_there_are_keys():
    assert len(KEYS) > 20 and known.KEY_A in KEYS


def test_good_input(say, tmp_path):
    meters = {"{:08d}".format(number): key for number, key in enumerate(KEYS, 1)}
    sent = {ident: list(telegrams(ident, key)) for ident, key in meters.items()}
    everything = "\n".join(one for each in sent.values() for one in each)
    lines = everything + "\n" + known.N_2_1 + "\n" + known.ELL_CTR
    first, key = next(iter(meters.items()))

    def run(*arguments, text="", status=0):
        found = say(KEYS, arguments, text)
        assert status in (found, None), arguments

    tables = []
    for ident, one in meters.items():
        (tmp_path / ("own" + ident)).write_text(one + "\n")
        tables.append('[[meter]]\nname = "it"\nid = "{0}"\nkey = "@own{0}"\n'.format(ident))
    (tmp_path / "collector.toml").write_text('[radio.main]\nhat = "virtual"\n' + "".join(tables))
    (tmp_path / "keys").write_text("".join("{} {}\n".format(*one) for one in meters.items()))
    (tmp_path / "a.csv").write_text(
        "serial;key\n" + "".join("1{};{}\n".format(one[0][1:], one[1]) for one in meters.items())
    )
    (tmp_path / "a.xml").write_text(
        "<a>{}</a>".format(
            "".join('<m id="2{}" key="{}"/>'.format(one[0][1:], one[1]) for one in meters.items())
        )
    )
    for form in ("json", "table", "wmbusmeters", "homeassistant", "rtlwmbus"):
        run("decode", "--keys", "keys", "--format", form, text=everything)
        run("decode", "--keys", "keys", "--format", form, text=lines, status=None)
    run("decode", "--keys", "keys", "--gateway", "--default-keys", text=lines, status=None)
    run("analyze", "--keys", "keys", "-", text=everything)
    for one in KEYS[::9]:
        run("decode", "--key", one, text=lines, status=1)
    run("keys", "import", "keys", "--dry-run")
    for name in ("keys", "a.csv", "a.xml"):
        run("keys", "import", name)
    run("keys", "add", first, "--key-id", "1", "--version", "2", text=key)
    run("keys", "add", first, "--key-id", "1", "--version", "3", "--prepared", "--name", "own", "--key", key)
    run("keys", "add", first, text=KEYS[-1], status=2)  # there is one
    run("keys", "list")
    for each in sent.values():
        run("keys", "check", each[1])
    run("keys", "check", "-", text=everything)
    run("decode", text=everything)
    run("analyze", sent[first][2])
    run("config", "collector.toml")
    run("collect", "--config", "collector.toml", "--seconds", "0", "--verbose")
    run("keys", "remove", first)
    (tmp_path / "collector.toml").write_text("\n".join(tables).replace('key = "', '# key = "'))
    run("config", "collector.toml")


def test_wrong_keys(say, tmp_path):
    meters = {"{:08d}".format(number): key for number, key in enumerate(KEYS, 1)}
    others = KEYS[1:] + KEYS[:1]
    lines = "\n".join(
        one for ident, other in zip(meters, others, strict=True) for one in telegrams(ident, other)
    )
    (tmp_path / "keys").write_text("".join("{} {}\n".format(*one) for one in meters.items()))
    assert say(KEYS, ["keys", "import", "keys"]) == 0
    for arguments in (["decode"], ["decode", "--format", "table"], ["analyze", "-"], ["keys", "check", "-"]):
        assert say(KEYS, arguments, lines) == 1


@pytest.mark.parametrize(
    "key", [known.KEY_0, "C0FFEE00D15EA5E0BADDCAFE12345678", "A1B2C3D4E5F60718293A4B5C6D7E8F90"]
)
def test_bad_input(key, say, tmp_path):
    """A key, or nearly one, wherever a word or a file can be."""
    files = {
        "keys": "12345678 {}\n{} 12345678\n12345678 12345678 {}\n12345678.M={} 00\n{}\n",
        "list.csv": "serial;key\n12345678;{}\n{};12345678\n{};{}\n;{}\n",
        "bare.csv": "KAM;{};12345678\n{};KAM\n",
        "headers.csv": "{};{}\n1;2\n",
        "list.xml": "<a><serial>{}</serial><key>12345678</key></a>",
        "broken.xml": "<a><serial>12345678</serial><key>{}</kee></a>",
        "attribute.xml": '<a serial="12345678" key="{}/>',
        "doctype.xml": '<!DOCTYPE a [<!ENTITY key "{}">]><a/>',
        "sealed.kem": "<E><CipherData><CipherValue>{}</CipherValue></CipherData></E>",
        "meters": "name={}\nid=12345678\nkey={}0\n",
        "a.toml": '[[meter]]\nid = "12345678"\nkey = "{}"\n',
        "b.toml": '[[meter]]\nid = "{}"\n',
        "c.toml": '[[meter]]\nid = "12345678"\nname = "{}"\nkey = "@{}"\n',
        "d.toml": '[[meter]]\nid = "12345678"\n{} = 1\n',
        "e.toml": '[[meter]]\nid = "12345678"\nkey = {}\n',
        "f.toml": '[node]\nrole = "{}"\n',
        "g.toml": '[node]\nstate_dir = "{}"\n[radio.{}]\nhat = "virtual"\n',
        "h.toml": '[radio.main]\nhat = "{}"\nmode = "{}"\n',
        "i.toml": '[[meter]]\nid = "12345678"\nkey = "@own"\n',
        "j.toml": '[gateway]\nid = "{}"\ninstall = "{}"\n',
        "k.toml": '[node]\nrole = "meter"\n[[meter]]\nid = "12345678.M=KAM.V=1b.T=16"\nkey = "@good"\nmode = "T2"\n'
        'points = ["VM1!"]\n[[meter.further_key]]\nkey_id = 0x22\nkey = "{}"\n',
        "l.toml": '[node]\nrole = "meter"\n[[meter]]\nid = "12345678.M=KAM.V=1b.T=16"\nkey = "@good"\nmode = "UL-B4"\n'
        'downlink = "DL-B4"\nmac_key = "{}"\npoints = ["VM1!"]\n',
        "m.toml": '[radio.main]\nmode = "UL-B4"\n[gateway]\nid = "12345678.M=OMS.V=01.T=31"\nradio = "{}"\n[[meter]]\n'
        'id = "12345678"\nmac_key = "@own"\n',
    }
    (tmp_path / "good").write_text(known.KEY_A + "\n")
    for spelt in spellings(key):
        (tmp_path / "own").write_text(spelt + "\n" + spelt)
        for name, text in files.items():
            (tmp_path / name).write_text(text.replace("{}", spelt))
        for arguments in (
            ["decode", "--key", spelt + "x"],
            ["decode", "--kyes", spelt],
            ["decode", "--keys", "keys"],
            ["decode", "--keys", spelt],
            ["decode", "--units", spelt],
            ["decode", spelt],
            ["analyze", "--key", spelt, spelt + "/x"],
            ["decode", "--mac-key", spelt + "x"],
            ["decode", "--lpwan", spelt],
            ["analyze", "--mac-key", spelt, spelt + "/x"],
            ["keys", spelt],
            ["keys", "add", spelt],
            ["keys", "add", "12345678", spelt],
            ["keys", "add", "12345678", "--name", spelt],
            ["keys", "add", "12345678", "--version", spelt],
            ["keys", "add", "12345678", "--key", spelt + "x"],
            ["keys", "remove", spelt],
            ["keys", "check", spelt + "/x"],
            ["keys", "list", "--store", spelt],
            ["keys", "list", "--store", "keys"],
            ["keys", "import", spelt],
            ["keys", "import", "sealed.kem", "--password-file", spelt],
            ["collect", "--hat", spelt],
            ["collect", "--hat", "virtual", "--seconds", spelt],
            ["meter", spelt],
            ["command", spelt, "read"],
            ["command", "12345678", spelt],
            ["command", "12345678", "read", "--expires", spelt],
            ["command", "--config", spelt, "--list"],
            ["command", "--state-dir", spelt, "--list"],
            ["command", "--cancel", spelt],
            ["demo", spelt],
            ["config", spelt],
            ["bench", spelt],
        ):
            say([key], arguments, spelt + "\n")
        (tmp_path / "keys").chmod(0o600)
        for name in files:
            say([key], ["keys", "import", name], spelt)
            say([key], ["keys", "list", "--store", name])
            if name.endswith(".toml"):
                say([key], ["config", name])
                say([key], ["collect", "--config", name, "--verbose", "--hat", "virtual", "--seconds", "0"])
                say([key], ["meter", name, "--verbose", "--hat", "virtual", "--count", "1"])


@pytest.mark.parametrize("key", [known.KEY_8, "DEADBEEF0102030405060708090A0B0C"])
def test_on_the_virtual_board(key, say, tmp_path):
    (tmp_path / "own").write_text(key + "\n")
    (tmp_path / "collector.toml").write_text(COLLECTOR)
    (tmp_path / "meter.toml").write_text(METER)
    assert say([key], ["meter", "meter.toml", "--count", "2", "--verbose"]) == 0
    assert say([key], ["collect", "--config", "collector.toml", "--seconds", "1", "--verbose"]) == 0
    say([key], ["demo", "--json"])
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "own":
            hidden([key], path.read_bytes().decode("latin-1"), path)


@pytest.mark.parametrize("key", [known.KEY_8, "DEADBEEF0102030405060708090A0B0C"])
def test_in_two_directions(key, say, tmp_path, monkeypatch):
    """A meter that answers, and a gateway that asks it; and what both leave on the disk."""
    application_key = "C7C8A1F05D3E9B2446810FE7D2B3590A"
    (tmp_path / "own").write_text(key + "\n")
    (tmp_path / "other").write_text(application_key + "\n")
    listens = METER.replace("interval_s = 2", 'mode = "T2"\ninterval_s = 2\nvalve = "direct"')
    further = '[[meter.further_key]]\nkey_id = 0x20\nkey = "@other"\n'
    (tmp_path / "meter.toml").write_text(listens + further)
    gateway = '[gateway]\nid = "87654321.M=OMS.V=01.T=31"\n'
    asks = COLLECTOR.replace('id = "12345678"', 'id = "12345678"\nprofile = "D"\ncommands = true')
    (tmp_path / "collector.toml").write_text('[node]\nstate_dir = "there"\n' + gateway + asks)
    keys = [key, application_key]
    place = ["--key-id", "0x20", "--store", "there/key_store"]
    assert say(keys, ["keys", "add", "12345678", *place], application_key) == 0
    assert say(keys, ["meter", "meter.toml", "--count", "2", "--install", "--verbose"]) == 0
    for name in ("meter.toml", "collector.toml"):
        assert say(keys, ["config", name]) == 0
    told = []

    def ask():
        while not (tmp_path / "there" / "command.sock").exists():
            time.sleep(0.02)
        client = channel.Client(tmp_path / "there")
        for words in (["valve", "open"], ["write", "volume", "3"], ["read"]):
            client.ask({"do": "order", "meter": "it", "words": words})
        with contextlib.suppress(ChannelError):
            for event in client.events():
                told.append(event)
                if event["step"] == "done" and event["words"] == ["read"]:
                    told.append(client.ask({"do": "list"}))
                    break
        if not over:
            _thread.interrupt_main()

    quick = types.SimpleNamespace(sleep=lambda seconds: time.sleep(0.01))
    monkeypatch.setattr(collect, "time", quick)
    over = []
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    # Ctrl-C when the last order is done. Which telegrams of the town meet is chance, so it may take some time.
    assert say(keys, ["collect", "--config", "collector.toml", "--seconds", "600", "--verbose"]) == 0
    over.append(True)
    asking.join(30)
    assert [one for one in told if one.get("step") == "done"]
    hidden(keys, repr(told), "events")
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in ("own", "other", "key_store"):
            hidden(keys, path.read_bytes().decode("latin-1"), path)


def test_tracebacks(tmp_path, monkeypatch):
    """Whatever goes wrong inside, and whatever exception was being handled by then."""
    key = "A1B2C3D4E5F60718293A4B5C6D7E8F90"
    told = []

    def tell(function, *arguments):
        try:
            function(*arguments)
        except Exception:
            told.append(traceback.format_exc())
        else:
            raise AssertionError(function)

    for spelt in (key + "0", key[:-1] + "x", key + " " + key):
        path = tmp_path / "file"
        tell(Key.from_hex, spelt)
        for text in ("{} 12345678", "12345678 {}", "12345678.M={} 00"):
            path.write_text(text.format(spelt))
            tell(KeyStore().load, path)
        tell(key_store.address, spelt)
        tell(key_import.read, "<a>{}</b>".format(spelt).encode())
        for text in (
            '[[meter]]\nid = "12345678"\nkey = "{}"',
            "key = {}",
            '[[meter]]\nid = "12345678"\nkey = "@own"',
        ):
            (tmp_path / "own").write_text(spelt)
            path.write_text(text.format(spelt))
            tell(config.load, path)
    tell(Row, Address.parse("12345678"), Key.from_hex(key), 99)
    path.write_text("12345678 {}\n".format(key))

    def broken(*arguments, **more):
        raise RuntimeError("something else")

    monkeypatch.setattr("omsnode.tools.cli._telegrams.parse_line", broken)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(known.N_2_1.encode())))
    tell(cli.main, ["decode", "--key", key])
    assert "something else" in told[-1]
    for text in told:
        hidden([key], text, text[-200:].replace(key, "(the key)"))


def test_reprs():
    key = Key.from_hex("A1B2C3D4E5F60718293A4B5C6D7E8F90")
    address = Address.parse("12345678.M=KAM.V=1b.T=16")
    store = KeyStore(key)
    store.add(Row(address, key, 1, 2, "name"))
    known_meter = KnownMeter("name", address, key)
    profile = Profile(address, [], key=key, security_mode=5)
    things = [
        key,
        store,
        known_meter,
        profile,
        Meter(profile, bytes(5)),
        Collector([known_meter], keys=store.key_for),
    ]
    things += [vars(one) for one in things[1:]] + [store.rows()]
    for thing in things:
        for text in (repr(thing), str(thing), "{}".format(thing), "%s %r" % (thing, thing)):
            hidden(["A1B2C3D4E5F60718293A4B5C6D7E8F90"], text, type(thing))
    with pytest.raises(MisuseError):
        key.__reduce_ex__(4)
