"""`omsnode keys` and `omsnode config` as a user runs them."""

import json
import os
import tomllib

import pytest
import support_telegram as known
from omsnode.tools import cli
from support_kem import KEM, PASSWORD

ONE, TWO = "3B5A0F1122C4D5E697886F5E4D3C2B1A", "91A2B37CD5E6F718192A3B4C5D6E0F81"


@pytest.fixture
def omsnode(tmp_path, monkeypatch, capfd):
    """Run the command with a state directory of its own; (status, out, err)."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, text=""):
        (tmp_path / "stdin").write_text(text)
        with open(tmp_path / "stdin", encoding="utf-8") as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            try:
                status = cli.main([str(one) for one in arguments])
            except SystemExit as end:
                status = end.code
        out, err = capfd.readouterr()
        for key in (ONE, TWO, known.KEY_A, known.KEY_0, known.KEY_8):
            assert key.lower() not in (out + err).lower()
        assert "Traceback" not in err
        return status, out, err

    return run


@pytest.fixture
def store(tmp_path):
    return tmp_path / "state" / "omsnode" / "key_store"


def test_add_list_remove(omsnode, store):
    assert omsnode("keys", "list")[:2] == (0, "")
    assert omsnode("keys", "add", "12345678.M=ELS", "--name", "gas", text=ONE + "\n")[0] == 0
    assert omsnode("keys", "add", "87654321", "--key-id", 1, "--version", 2, "--key", TWO)[0] == 0
    assert store.stat().st_mode & 0o777 == 0o600
    status, out, err = omsnode("keys", "list")
    first, second = [line.split() for line in out.splitlines()[1:]]
    assert first[:4] == ["12345678.M=ELS", "any", "any", "*"] and first[5] == "gas" and len(first[4]) == 6
    assert second[:4] == ["87654321", "1", "2", "*"] and "2 keys" in err
    assert omsnode("keys", "remove", "12345678")[0] == 0
    assert omsnode("keys", "remove", "12345678")[0] == 2
    assert TWO in store.read_text() and ONE not in store.read_text()


def test_another_key_in_the_same_place(omsnode, store):
    omsnode("keys", "add", "12345678", "--name", "gas", text=ONE)
    status, _, err = omsnode("keys", "add", "12345678", text=TWO)
    assert status == 2 and "--replace" in err and ONE in store.read_text()
    assert omsnode("keys", "add", "12345678", "--replace", text=TWO)[0] == 0
    assert store.read_text() == "12345678 {} name=gas\n".format(TWO)


@pytest.mark.parametrize(
    "arguments, text",
    [
        (("add", "12345678"), ONE[:-1]),
        (("add", "12345678"), ONE[:-1] + "x"),
        (("add", "12345678"), ""),
        (("add", ONE), TWO),
        (("add", "12345678", "--key-id", "48"), ONE),
        (("add", "12345678", "--key-id", "0x30"), ONE),
        (("add", "12345678", "--key-id", TWO), ONE),
        (("add", "12345678", "--version", "256"), ONE),
        (("add", "12345678", "--name", TWO), ONE),
        (("add", "12345678", ONE), TWO),
        (("import", "none"), ""),
        (("import", ONE), ""),
        (("list", "--store", ONE), ""),
        (("remove", ONE), ""),
        ((ONE,), ""),
        ((), ""),
    ],
)
def test_wrong_use(omsnode, store, arguments, text):
    status, out, err = omsnode("keys", *arguments, text=text)
    assert status == 2 and out == "" and err
    assert not store.exists() or store.read_text() == ""


def test_a_store_that_is_open_to_others(omsnode, store):
    omsnode("keys", "add", "12345678", text=ONE)
    store.chmod(0o644)
    for arguments in (
        ["keys", "list"],
        ["decode"],
        ["analyze", known.N_2_1],
        ["collect", "--hat", "virtual"],
    ):
        status, out, err = omsnode(*arguments, text=known.N_2_1)
        assert status == 2 and out == "" and "chmod 600" in err
    assert omsnode("decode", "--key", known.KEY_A, text=known.N_2_1)[0] == 0


def test_weak_and_repeated_keys_are_named(omsnode):
    err = omsnode("keys", "add", "12345678", text="00" * 16)[2]
    assert "weak" in err and "public" in err
    err = omsnode("keys", "add", "12345679", text=known.KEY_A)[2]
    assert "weak" in err and "count" in err
    err = omsnode("keys", "add", "12345670", text=known.KEY_A)[2]
    assert "2 meters share" in err and "12345670, 12345679" in err
    assert "also the key of 1 other" in omsnode("keys", "list")[1]


def test_import(omsnode, tmp_path, store):
    path = tmp_path / "list.csv"
    path.write_text("serial;key\n12345678;{}\n12345679;{}\n555;{}\n87654321;\n".format(ONE, TWO, ONE))
    status, out, err = omsnode("keys", "import", path, "--dry-run")
    assert status == 1 and not store.exists() and "would go into" in err
    status, out, err = omsnode("keys", "import", path)
    assert status == 1 and [line.split()[0] for line in out.splitlines()] == [
        "12345678",
        "12345679",
        "00000555",
    ]
    assert "line 5: there is no key" in err and "filled up" in err and "2 meters share" in err
    assert "3 keys added" in err and "(csv)" in err
    status, out, err = omsnode("keys", "import", path)
    assert out == "" and "3 were there already" in err
    path.write_text("12345678 {}\n".format(TWO))
    assert omsnode("keys", "import", path)[0] == 1 and "12345678 " + ONE in store.read_text()
    assert omsnode("keys", "import", path, "--replace")[0] == 0 and "12345678 " + TWO in store.read_text()


def test_import_of_a_kem_file(omsnode, tmp_path, store):
    path = tmp_path / "delivery.kem"
    path.write_text(KEM)
    status, out, err = omsnode("keys", "import", path, text=PASSWORD + "\n")
    assert status == 0 and out.split()[0] == "57722719.M=KAM" and "(kem)" in err and PASSWORD not in out + err
    status, _, err = omsnode("keys", "import", path, text="another\n")
    assert status == 2 and "password" in err and "another" not in err
    (tmp_path / "password").write_text(PASSWORD + "\n")
    assert omsnode("keys", "import", path, "--password-file", tmp_path / "password")[0] == 0


OPENED = [
    # telegram, key, the id it belongs to
    (known.N_2_1, known.KEY_A, "12345678"),  # mode 5
    (known.N_2_3, known.KEY_0, "12345678"),  # mode 7 with AFL
    (known.PARTIAL, known.KEY_0, "55667788"),  # behind an adapter
]


@pytest.mark.parametrize("telegram, key, ident", OPENED)
def test_check(omsnode, telegram, key, ident):
    status, out, _ = omsnode("keys", "check", telegram)
    assert status == 1 and "no key" in out
    omsnode("keys", "add", ident, "--name", "it", text=key)
    status, out, _ = omsnode("keys", "check", telegram)
    assert status == 0 and "opened by" in out and "(it)" in out
    assert omsnode("keys", "check", "-", text=telegram)[:2] == (0, out)
    omsnode("keys", "add", ident, "--replace", text=ONE)
    status, out, _ = omsnode("keys", "check", telegram)
    assert status == 1 and "none of its 1 keys" in out


def test_check_says_what_is_wrong(omsnode):
    omsnode("keys", "add", "12345678.M=KAM", text=ONE)
    assert "there is one for 12345678.M=KAM" in omsnode("keys", "check", known.N_2_1)[1]
    omsnode("keys", "add", "87654321", text=known.KEY_A)
    assert "a key of another id" in omsnode("keys", "check", known.N_2_1)[1]
    backwards = bytes(reversed(bytes.fromhex(known.KEY_A))).hex()
    omsnode("keys", "add", "12345678.M=ELS", text=backwards)
    assert "reverse order" in omsnode("keys", "check", known.N_2_1)[1]
    omsnode("keys", "add", "12345678.M=ELS", "--key-id", 3, text=known.KEY_A)
    status, out, _ = omsnode("keys", "check", known.N_2_1)
    assert status == 1 and "KeyID 3" in out and "not the one that would be taken" in out
    assert "not encrypted" in omsnode("keys", "check", known.NO_HEADER)[1]


def test_decode_and_analyze_use_the_store(omsnode):
    assert omsnode("decode", text=known.N_2_1)[0] == 1
    omsnode("keys", "add", "12345678", text=known.KEY_A)
    status, out, _ = omsnode("decode", text=known.N_2_1)
    assert status == 0 and json.loads(out)["security"]["verdict"] == "decrypted"
    assert omsnode("analyze", known.N_2_1)[0] == 0
    assert (
        omsnode("decode", "--keys", os.devnull, text=known.N_2_1)[0] == 1
    )  # what is given is all that is used
    assert omsnode("decode", "--key", ONE, text=known.N_2_1)[0] == 1


def test_the_store_as_a_credential(omsnode, tmp_path, monkeypatch):
    (tmp_path / "key_store").write_text("12345678 {}\n".format(known.KEY_A))
    (tmp_path / "key_store").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert omsnode("decode", text=known.N_2_1)[0] == 0


CONFIG = """\
[node]
role = "collector"
state_dir = "here"
[radio.main]
hat = "virtual"   # a comment
mode = "T+C"
[[meter]]
name = "gas \\"in\\" the cellar"
id = "12345678"
key = "@gas"
[[meter]]
id = "87654321.M=KAM"
[[meter]]
id = "11111111"
key = "@deep/file"
[[meter]]
id = "22222222"
key = "@given"
[[meter]]
id = "33333333"
"""


def test_config_shows_where_keys_are(omsnode, tmp_path, monkeypatch):
    path = tmp_path / "omsnode.toml"
    path.write_text(CONFIG)
    store = tmp_path / "here" / "key_store"
    omsnode("keys", "add", "12345678", "--name", "gas", "--store", store, text=ONE)
    omsnode("keys", "add", "87654321", "--store", store, text=known.KEY_8)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text(known.KEY_A)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "given").write_text(TWO + "\n")
    (credentials / "gas").write_text(TWO + "\n")  # the store comes first
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    status, out, err = omsnode("config", path)
    assert (status, err) == (0, "")
    assert tomllib.loads(out) == tomllib.loads(CONFIG)
    told = [
        line.partition("# ")[2].partition(" fingerprint")[0]
        for line in out.splitlines()
        if "fingerprint" in line
    ]
    assert told == ["key store,", "key: key store,", "key file,", "credential,"]
    assert "weak" in out
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    status, out, err = omsnode("config", path)
    assert status == 2 and ":18:" in err and "key store" in err and "credential" in err


def test_config_of_a_meter(omsnode, tmp_path):
    from omsnode.tools.cli.meter import EXAMPLE

    path = tmp_path / "meter.toml"
    path.write_text(EXAMPLE)
    wanted = tomllib.loads(EXAMPLE)
    key = wanted["meter"][0]["key"]
    (tmp_path / key[1:]).parent.mkdir(exist_ok=True)
    (tmp_path / key[1:]).write_text(ONE)
    status, out, _ = omsnode("config", path)
    assert status == 0 and tomllib.loads(out) == wanted


def test_config_of_a_meter_without_a_key_names_none(omsnode, tmp_path):
    path = tmp_path / "meter.toml"
    path.write_text(
        '[node]\nrole = "meter"\nstate_dir = "here"\n[[meter]]\nid = "12345678.M=KAM.V=1b.T=07"\n'
        'points = "OMS standard set"\n'
    )
    omsnode("keys", "add", "12345678", "--store", tmp_path / "here" / "key_store", text=ONE)
    status, out, _ = omsnode("config", path)
    assert status == 0 and "fingerprint" not in out  # it sends in clear


def test_config_that_is_wrong(omsnode, tmp_path):
    path = tmp_path / "omsnode.toml"
    path.write_text('[[meter]]\nid = "12345678"\nkey = "{}"\n'.format(ONE))
    status, out, err = omsnode("config", path)
    assert status == 2 and out == "" and ":3:" in err
    assert omsnode("config", "none")[0] == 2
    path.write_text("")
    assert omsnode("config", path)[0] == 0
