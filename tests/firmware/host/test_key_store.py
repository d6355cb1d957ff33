"""The key store: who gets which key, what the file may look like, and that nothing of it is quoted."""

import os
import threading

import pytest
from omsnode.firmware.errors import ConfigError, MisuseError, StoreError
from omsnode.firmware.host import key_store
from omsnode.firmware.host.key_store import KeyStore, Row
from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key

ONE, TWO, THREE = (
    "3B5A0F1122C4D5E697886F5E4D3C2B1A",
    "91A2B3C4D5E6F708192A3B4C5D6E7F80",
    "C0FFEE00D15EA5E0BADDCAFE12345678",
)
METER = Address.parse("12345678.M=KAM.V=1b.T=16")


def store(tmp_path, text, default=None, private=False, mode=0o600):
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    found = KeyStore(default)
    found.load(path, private)
    return found


def test_first_pattern_counts(tmp_path):
    found = store(tmp_path, "# my meters\n\n12345678.M=KAM {}  # kitchen\n12345678 {}\n".format(ONE, TWO))
    assert found.key_for(METER) == Key.from_hex(ONE)
    assert found.key_for(Address.parse("12345678.M=ELS.V=33.T=03")) == Key.from_hex(TWO)
    assert found.key_for(Address.parse("87654321.M=ELS.V=33.T=03")) is None
    assert len(found) == 2


def test_default(tmp_path):
    assert store(tmp_path, "", Key.from_hex(TWO)).key_for(METER) == Key.from_hex(TWO)


VERSIONS = """\
12345678 {} key_id=0 version=0 name=kitchen
12345678 {} key_id=0 version=1 name=kitchen
12345678 {} key_id=0 version=2 name=kitchen prepared
""".format(ONE, TWO, THREE)


@pytest.mark.parametrize(
    "which, key",
    [
        ((), TWO),  # the newest that is in use
        ((0,), TWO),
        ((0, 0), ONE),
        ((0, 1), TWO),
        ((0, 2), THREE),  # the meter says that it is in use
        ((0, 3), None),
        ((1,), None),
        ((1, 0), None),
    ],
)
def test_versions(tmp_path, which, key):
    found = store(tmp_path, VERSIONS).key_for(METER, *which)
    assert found == (key and Key.from_hex(key))


def test_a_key_of_an_application_is_taken_by_its_own_number_only(tmp_path):
    found = store(tmp_path, "12345678 {}\n12345678 {} key_id=0x22 version=1\n".format(ONE, TWO))
    address = Address.parse("12345678.M=KAM.V=1b.T=16")
    assert found.row_for(address, 0x22).key == Key.from_hex(TWO)
    assert found.row_for(address, 0x0E).key == Key.from_hex(ONE)
    assert found.row_for(address, 0x0F) is None  # the MAC key of a burst meter
    assert found.row_for(address, 0x20) is None
    assert found.row_for(address, 0x22).line().endswith(" key_id=0x22 version=1")


def test_a_row_without_key_id_serves_any_and_a_row_with_it_comes_first(tmp_path):
    found = store(tmp_path, "12345678 {} key_id=1 version=4\n12345678 {}\n".format(ONE, TWO))
    assert found.key_for(METER) == Key.from_hex(TWO)
    assert found.key_for(METER, 1, 4) == Key.from_hex(ONE)
    assert found.key_for(METER, 1, 5) == Key.from_hex(TWO)
    assert found.key_for(METER, 2, 0) == Key.from_hex(TWO)


def test_named(tmp_path):
    found = store(tmp_path, VERSIONS)
    assert found.named("kitchen").version == 1 and found.named("cellar") is None


SWAPPED = "{} 12345678\n".format(ONE)


@pytest.mark.parametrize(
    "text, line, word",
    [
        ("\n12345678 {}0\n".format(ONE), 2, "33"),
        ("12345678\n", 1, "1 words"),
        ("12345678 {} {}\n".format(ONE, TWO), 1, "3 words"),
        (SWAPPED, 1, "no id"),
        ("12345678.M={} {}\n".format(ONE, TWO), 1, "no id"),
        ("12345678 {}\n".format(ONE[:-1] + "x"), 1, "character 32"),
        ("12345678 {} key_id=48\n".format(ONE), 1, "KeyID"),
        ("12345678 {} key_id=0x022\n".format(ONE), 1, "number"),
        ("12345678 {} key_id={}\n".format(ONE, TWO), 1, "number"),
        ("12345678 {} version=256\n".format(ONE), 1, "version"),
        ("12345678 {} version=1 version=2\n".format(ONE), 1, "twice"),
        ("12345678 {} name={}\n".format(ONE, TWO), 1, "name"),
        ("12345678 {} name=a/b\n".format(ONE), 1, "name"),
        ("12345678 {} {}=1\n".format(ONE, TWO), 1, "key_id="),
        ("12345678 {} version=²\n".format(ONE), 1, "number"),
    ],
)
def test_complaints(tmp_path, text, line, word):
    with pytest.raises(ConfigError) as caught:
        store(tmp_path, text)
    assert "line {}".format(line) in caught.value.message and word in caught.value.message
    for key in (ONE, TWO):
        assert key[:12] not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


def test_unreadable(tmp_path):
    with pytest.raises(ConfigError):
        KeyStore().load(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError):
        KeyStore().load(tmp_path / "binary")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644])
def test_a_store_that_is_open_to_others_is_refused(tmp_path, mode):
    with pytest.raises(ConfigError) as caught:
        store(tmp_path, "12345678 {}\n".format(ONE), private=True, mode=mode)
    assert "{:04o}".format(mode) in caught.value.message and "chmod 600" in caught.value.hint
    store(
        tmp_path, "12345678 {}\n".format(ONE), private=False, mode=mode
    )  # a list of one's own, given by name


def test_changing_keeps_comments_order_and_mode(tmp_path):
    path = tmp_path / "deep" / "key_store"
    os.umask(os.umask(0))
    with key_store.changing(path) as found:
        found.add(Row(METER, Key.from_hex(ONE), 0, 1, "kitchen", comment="by post"))
        found.add(Row(Address.parse("87654321"), Key.from_hex(TWO), active=False))
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o077 == 0
    text = path.read_text()
    assert text == (
        "12345678.M=KAM.V=1b.T=16 {} key_id=0 version=1 name=kitchen  # by post\n87654321 {} prepared\n".format(
            ONE, TWO
        )
    )
    path.write_text("# head\n\n" + text)
    with key_store.changing(path) as found:
        found.remove(found.rows(Address.parse("87654321"))[0])
    assert path.read_text() == "# head\n\n" + text.splitlines()[0] + "\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_fails_changes_nothing(tmp_path):
    path = tmp_path / "key_store"
    with key_store.changing(path) as found:
        found.add(Row(METER, Key.from_hex(ONE)))
    before = path.read_text()
    with pytest.raises(ZeroDivisionError), key_store.changing(path) as found:
        found.remove(found.rows()[0])
        raise ZeroDivisionError
    assert path.read_text() == before
    path.chmod(0o644)
    with pytest.raises(ConfigError), key_store.changing(path):
        pass
    assert path.read_text() == before


def test_two_at_once_lose_nothing(tmp_path):
    path = tmp_path / "key_store"

    def add(number):
        with key_store.changing(path) as found:
            found.add(Row(Address.parse("{:08d}".format(number)), Key(bytes([number]) * 15 + b"\x01")))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(key_store.find(path)) == 12


def test_nowhere_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError), key_store.changing(tmp_path / "file" / "key_store"):
        pass


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "key_store").symlink_to(tmp_path / "real")
    with key_store.changing(tmp_path / "key_store") as found:
        found.add(Row(METER, Key.from_hex(ONE)))
    assert (tmp_path / "key_store").is_symlink() and ONE in (tmp_path / "real").read_text()


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert key_store.default_path() == tmp_path / "state" / "omsnode" / "key_store"
    assert key_store.default_path(tmp_path) == tmp_path / "key_store"
    own = tmp_path / "state" / "omsnode" / "key_store"
    own.parent.mkdir(parents=True)
    own.touch()
    assert key_store.default_path(tmp_path) == own == key_store.default_path()
    own.unlink()
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "key_store").write_text("12345678 {}\n".format(ONE))
    (credentials / "key_store").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert key_store.default_path(tmp_path) == credentials / "key_store"
    assert len(key_store.find(key_store.default_path(tmp_path))) == 1
    for name in ("../key_store", "..", "", "none"):
        assert key_store.credential(name) is None


def test_a_row_shows_no_key():
    row = Row(METER, Key.from_hex(ONE), 1, 2)
    assert ONE[:8].lower() not in (repr(row) + str(row) + row.called()).lower()
    with pytest.raises(MisuseError):
        Row(METER, Key.from_hex(ONE), name=TWO)
