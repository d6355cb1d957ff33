"""Key files: who gets which key, and complaints that quote nothing."""

import pytest
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host.key_ring import KeyRing
from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key

ONE, TWO = "000102030405060708090A0B0C0D0E0F", "0F0E0D0C0B0A09080706050403020100"
METER = Address.parse("12345678.M=KAM.V=1b.T=16")


def ring(tmp_path, text, default=None):
    path = tmp_path / "keys"
    path.write_text(text)
    found = KeyRing(default)
    found.load(path)
    return found


def test_first_match_counts(tmp_path):
    found = ring(tmp_path, "# my meters\n\n12345678.M=KAM {}  # kitchen\n12345678 {}\n".format(ONE, TWO))
    assert found.key_for(METER) == Key.from_hex(ONE)
    assert found.key_for(Address.parse("12345678.M=ELS.V=33.T=03")) == Key.from_hex(TWO)
    assert found.key_for(Address.parse("87654321.M=ELS.V=33.T=03")) is None


def test_default(tmp_path):
    assert ring(tmp_path, "", Key.from_hex(TWO)).key_for(METER) == Key.from_hex(TWO)


@pytest.mark.parametrize(
    "text, line, word",
    [
        ("\n12345678 {}0\n".format(ONE), 2, "33"),
        ("12345678\n", 1, "1 words"),
        ("12345678 {} {}\n".format(ONE, TWO), 1, "3 words"),
        ("{} 12345678\n".format(ONE), 1, "no id"),
        ("12345678 {}\n".format(ONE[:-1] + "x"), 1, "character 32"),
    ],
)
def test_complaints(tmp_path, text, line, word):
    with pytest.raises(ConfigError) as caught:
        ring(tmp_path, text)
    assert "line {}".format(line) in caught.value.message and word in caught.value.message
    assert ONE[:12] not in caught.value.message and caught.value.__cause__ is None


def test_unreadable(tmp_path):
    with pytest.raises(ConfigError):
        KeyRing().load(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError):
        KeyRing().load(tmp_path / "binary")
