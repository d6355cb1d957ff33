"""Security, transport header and telegram assembly on either interpreter.

Vectors: FIPS-197 C.1, NIST SP 800-38A F.2.1, OMS Vol.2 Annex N (Release E 2.0.2) N.2.1, N.8.1, N.9.
"""

from checking import raises
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import MisuseError, WrongKeyError
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import aes, mode5
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import compose

KEY = Key(bytes.fromhex("0102030405060708090A0B0C0D0E0F11"))
N_2_1 = bytes.fromhex(
    "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"
)
# SND-UD, clock command of a gateway: the key and address are the meter's.
N_9 = bytes.fromhex("295324235634129008318C84516C44227592934400077D0010059ED82AB233D1A2A80BFFD3B7B6A908D7")
N_9_KEY = Key(bytes.fromhex("82B0551191F51D66EFCDAB8967452301"))


def test_aes():
    key = Key(bytes(range(16)))
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert aes.ecb_encrypt(key, block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"
    key = Key.from_hex("2b7e151628aed2a6abf7158809cf4f3c")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    secret = bytes.fromhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")
    assert aes.cbc_encrypt(key, bytes(range(16)), plain) == secret
    assert aes.cbc_decrypt(key, bytes(range(16)), secret) == plain
    raises(MisuseError, aes.cbc_decrypt, key, bytes(16), secret[:17])
    raises(MisuseError, aes.cbc_decrypt, bytes(16), bytes(16), secret)


def test_key_hides():
    for text in (repr(KEY), str(KEY), "{}".format(KEY), "%s" % KEY):
        assert "0102" not in text and "\\x01" not in text
    assert "zz" not in raises(MisuseError, Key.from_hex, "zz" * 16).message
    raises(MisuseError, Key.from_hex, "00" * 15)


def test_decode_meter():
    telegram = decode(N_2_1, lambda address, *which: KEY)
    assert telegram.error is None and telegram.verdict == "decrypted" and telegram.profile == "A"
    assert str(telegram.address) == "12345678.M=ELS.V=33.T=03"
    volume = telegram.records[0]
    assert (volume.quantity, volume.mantissa, volume.exponent, volume.unit) == ("volume", 2850427, -2, "m3")
    assert decode(N_2_1).verdict == "no_key"
    wrong = decode(N_2_1, lambda address, *which: N_9_KEY)
    assert isinstance(wrong.error, WrongKeyError) and not wrong.records


def test_decode_gateway():
    telegram = decode(N_9, lambda address, *which: N_9_KEY)
    assert telegram.verdict == "decrypted" and telegram.tpl.direction == "down"
    assert str(telegram.address) == "92752244.M=QDS.V=00.T=07"
    assert telegram.payload.hex() == "2f2f013201000000000000002f2f2f2f"


def test_seal():
    meter = Address.parse("92752244.M=QDS.V=00.T=07")
    sealed = mode5.seal(N_9_KEY, meter, 0x7D, bytes.fromhex("01320100000000000000"))
    front = compose.build(0x6C, 0x7D, 0, compose.configuration(5, mode5.blocks(sealed)), meter)
    payload = bytes.fromhex("8C8451") + front + sealed
    assert link_telegram.build(0x53, Address.from_link(N_9[2:10]), payload) == N_9


def test_garbage():
    for cut in range(len(N_2_1)):
        assert decode(N_2_1[:cut], lambda address, *which: KEY).error.code == "length"
        again = decode(bytes((max(0, cut - 1),)) + N_2_1[1:cut], lambda address, *which: KEY)
        assert cut == 10 or again.error is not None


test_aes()
test_key_hides()
test_decode_meter()
test_decode_gateway()
test_seal()
test_garbage()
print("ok")
