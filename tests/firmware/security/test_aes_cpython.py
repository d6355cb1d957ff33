"""Each library of CPython by itself against NIST SP 800-38A F.1.1 and F.2.1, and which one is taken."""

import sys
import types

import pytest
from omsnode.firmware.security import aes, aes_cpython
from omsnode.firmware.security.keys import Key

KEY = Key.from_hex("2b7e151628aed2a6abf7158809cf4f3c")
IV = bytes(range(16))
PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
BLOCKS = bytes.fromhex(
    "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
    "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"
)
CHAIN = bytes.fromhex(
    "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
)


def back_end(name):
    if name == "cryptography":
        pytest.importorskip("cryptography", minversion=str(aes_cpython._FIRST_FAST))
    return aes_cpython.choose([row for row in aes_cpython.LIBRARIES if row[0] == name])


@pytest.mark.parametrize("name", ["cryptography", "pycryptodome"])
def test_library(name):
    found = back_end(name)
    assert found.name == name
    for _ in range(2):  # the second time with the cipher that was kept
        assert found.ecb(KEY, PLAIN) == BLOCKS
        for blocks in range(1, 5):
            n = 16 * blocks
            for given in (bytes, bytearray, memoryview):
                assert found.chain(KEY, IV, given(PLAIN[:n])) == CHAIN[:n]
                assert found.unchain(KEY, IV, given(CHAIN[:n])) == PLAIN[:n]
    assert found.ecb(KEY, b"") == found.chain(KEY, IV, b"") == found.unchain(KEY, IV, b"") == b""


@pytest.mark.parametrize("name", ["cryptography", "pycryptodome"])
def test_more_keys_than_are_remembered(name, monkeypatch):
    monkeypatch.setattr(aes_cpython, "_MOST", 4)
    found = back_end(name)
    keys = [Key(bytes([i] * 16)) for i in range(10)]
    first = [(found.ecb(key, IV), found.unchain(key, IV, IV)) for key in keys]
    assert len(found._encryptions) <= 4 and len(found._decryptions) <= 4 and len(set(first)) == 10
    assert first == [(found.ecb(key, IV), found.unchain(key, IV, IV)) for key in keys]


def test_what_is_taken(monkeypatch):
    assert aes.back_end.name in ("cryptography", "pycryptodome")
    for version in ("42.0.8", "3.4"):  # slow
        monkeypatch.setitem(sys.modules, "cryptography", types.SimpleNamespace(__version__=version))
        assert aes_cpython.choose().name == "pycryptodome"
    monkeypatch.setitem(sys.modules, "cryptography", None)  # not installed
    assert aes_cpython.choose().name == "pycryptodome"
    monkeypatch.setitem(sys.modules, "Crypto.Cipher", None)
    with pytest.raises(ImportError, match="install"):
        aes_cpython.choose()
