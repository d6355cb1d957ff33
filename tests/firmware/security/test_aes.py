"""AES against the published vectors: FIPS-197 C.1, NIST SP 800-38A F.2.1 and F.2.2."""

import pytest
from Crypto.Cipher import AES
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.security import aes
from omsnode.firmware.security.keys import Key

KEY = Key.from_hex("2b7e151628aed2a6abf7158809cf4f3c")
IV = bytes(range(16))
PLAIN = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
SECRET = bytes.fromhex(
    "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
    "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
)


def test_block():
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes.ecb_encrypt(Key(bytes(range(16))), block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_chain_both_ways():
    assert aes.cbc_encrypt(KEY, IV, PLAIN) == SECRET
    assert aes.cbc_decrypt(KEY, IV, SECRET) == PLAIN


@pytest.mark.parametrize(
    "key, iv, data",
    [(KEY, IV, SECRET[:15]), (KEY, IV[:8], SECRET), (bytes(16), IV, SECRET), (None, IV, SECRET)],
)
def test_misuse(key, iv, data):
    for function in (aes.cbc_encrypt, aes.cbc_decrypt):
        with pytest.raises(MisuseError):
            function(key, iv, data)


def test_empty_chain_and_all_lengths_against_the_library():
    def right():
        return AES.new(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), AES.MODE_CBC, iv)

    assert aes.cbc_decrypt(KEY, IV, b"") == aes.cbc_encrypt(KEY, IV, b"") == b""
    for blocks in range(1, 17):
        data = bytes((7 * i + blocks) & 0xFF for i in range(16 * blocks))
        iv = data[:16][::-1]
        for given in (data, bytearray(data), memoryview(data)):
            assert aes.cbc_decrypt(KEY, iv, given) == right().decrypt(data)
            assert aes.cbc_encrypt(KEY, iv, given) == right().encrypt(data)
