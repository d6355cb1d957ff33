"""The configuration file: what is wrong is said with file, line and hint, and never with a key."""

import pytest
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config

KEY = "000102030405060708090A0B0C0D0E0F"

GOOD = """\
[node]
role = "collector"
state_dir = "state"

[radio.main]
hat = "virtual"
mode = "T+C"

[[meter]]
name = "kitchen_water"
id = "12345678.M=KAM.V=1b.T=16"
key = "@kitchen.key"

[[meter]]
name = "heat"
id = "87654321"
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "kitchen.key").write_text(KEY + "\n")

    def write(text):
        path = tmp_path / "omsnode.toml"
        path.write_text(text)
        return path

    return write


def test_the_example_of_the_house(write, tmp_path):
    loaded = config.load(write(GOOD), "collector")
    assert loaded.state_dir == tmp_path / "state"
    assert [(radio.name, radio.hat, radio.mode) for radio in loaded.radios] == [("main", "virtual", "T+C")]
    kitchen, heat = loaded.meters
    assert kitchen.name == "kitchen_water" and kitchen.key is not None and heat.key is None
    assert str(kitchen.address) == "12345678.M=KAM.V=1b.T=16"
    assert str(heat.address) == "87654321"


@pytest.mark.parametrize("profile", ["A", "B", "D"])
def test_the_profile_of_a_known_meter(write, profile):
    loaded = config.load(write(GOOD + 'profile = "{}"\n'.format(profile)), "collector")
    assert [one.profile for one in loaded.meters] == [None, profile]


def test_no_such_profile(write):
    with pytest.raises(ConfigError) as caught:
        config.load(write(GOOD + 'profile = "C"\n'), "collector")
    assert caught.value.position == 17 and "one of: A, B, D" in caught.value.hint


def test_default_keys_are_asked_for(write):
    assert config.load(write("[node]\ndefault_keys = true\n")).default_keys is True
    assert config.load(write("")).default_keys is False


def test_an_empty_file_is_a_collector_that_knows_nobody(write):
    loaded = config.load(write(""))
    assert (loaded.role, loaded.meters, loaded.radios) == ("collector", [], [])


@pytest.mark.parametrize(
    "old, new, line, says, hint",
    [
        ("state_dir", "statedir", 3, "unknown key 'statedir' in [node]", "did you mean 'state_dir'?"),
        ("[radio.main]", "[radios.main]", 5, "unknown key 'radios'", "did you mean 'radio'?"),
        ('mode = "T+C"', 'mode = "TC"', 7, "mode cannot be 'TC'", "T+C"),
        ('hat = "virtual"', "hat = 1", 6, "hat must be text in quotes", ""),
        ('id = "87654321"', 'id = "8765"', 16, "id '8765' is no meter address", "8 digits"),
        ('id = "87654321"', "", 14, "id is missing", "id = "),
        ('id = "87654321"', 'ID = "87654321"', 16, "unknown key 'ID' in [meter[1]]", "did you mean 'id'?"),
        ('"@kitchen.key"', '"@no.key"', 12, "no.key: No such file or directory", "32 hex digits"),
        ('"@kitchen.key"', '"nowhere"', 12, "keys/nowhere: No such file or directory", "32 hex digits"),
        (
            '"@kitchen.key"',
            '"{}"'.format(KEY),
            12,
            "the key itself stands in the configuration",
            "@that-file",
        ),
        ('name = "heat"', "name = heat", 15, "not valid TOML", "quotes"),
        ('role = "collector"', 'role = "meter"', 2, "role is 'meter', but this command is a collector", ""),
        ('"@kitchen.key"', '"@\\u0000"', 12, "key has a character that no name has", ""),
        ('state_dir = "state"', 'state_dir = "\\u0000"', 3, "state_dir has a character that no name has", ""),
        (GOOD, "x = " + "[" * 5000, None, "not valid TOML: nested too deeply", ""),
        (GOOD[GOOD.index("[[meter]]") :], "[meter]\nid = 1", 9, "meter must be [[a list]]", ""),
    ],
)
def test_what_is_wrong_and_where(write, old, new, line, says, hint):
    path = write(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        config.load(path, "collector")
    message = str(caught.value)
    assert message.startswith("{}:{}: ".format(path, line) if line else str(path)), message
    assert says in message
    assert hint in caught.value.hint
    assert KEY not in message + caught.value.hint


@pytest.mark.parametrize("content", ["", "00", KEY + "00", KEY[:-1] + "g", "é" * 32, "0x" + KEY])
def test_a_bad_key_file_is_not_quoted(write, tmp_path, content):
    (tmp_path / "kitchen.key").write_text(content)
    with pytest.raises(ConfigError) as caught:
        config.load(write(GOOD))
    message = str(caught.value) + caught.value.hint
    assert "kitchen.key does not hold 32 hex digits" in message
    assert not content or content not in message.replace("00112233...EEFF", "").replace(str(tmp_path), "")


def test_a_missing_file_has_a_hint(tmp_path):
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "none.toml")
    assert "--config" in caught.value.hint
