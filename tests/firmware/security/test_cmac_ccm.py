"""CMAC, CCM, counter mode, KDF-A and GCM: published vectors, and an independent library over all lengths."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MacError, MisuseError
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import kdf, mode9
from omsnode.firmware.security.ccm import ccm
from omsnode.firmware.security.cmac import cmac
from omsnode.firmware.security.ctr import ctr
from omsnode.firmware.security.keys import Key
from omsnode.firmware.security.octets import equal

# RFC 4493 section 4, also NIST SP 800-38A F.5
KEY = Key.from_hex("2b7e151628aed2a6abf7158809cf4f3c")
TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    "length, expected",
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_cmac_of_rfc_4493(length, expected):
    assert cmac(KEY, TEXT[:length]).hex() == expected


def test_ctr_of_sp_800_38a():
    # F.5.1, the last block cut
    first = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    expected = (
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab"
        "1e031dda2fbe03d1792170a0f3009cee"
    )
    assert ctr(KEY, first, TEXT).hex() == expected
    assert ctr(KEY, first, TEXT[:51]).hex() == expected[:102]
    assert ctr(KEY, first, b"") == b""


def test_ccm_of_rfc_3610():
    # packet vector 1
    key = Key(bytes(range(0xC0, 0xD0)))
    nonce = bytes.fromhex("00000003020100A0A1A2A3A4A5")
    plain = bytes(range(8, 0x1F))
    sealed = bytes.fromhex("588C979A61C663D2F066D0C2C0F989806D5F6B61DAC384")
    tag = bytes.fromhex("17E8D12CFDF926E0")
    assert ccm(key, nonce, plain, bytes(range(8)), 8, True) == (sealed, tag)
    assert ccm(key, nonce, sealed, bytes(range(8)), 8, False) == (plain, tag)


@settings(max_examples=100)
@given(
    st.binary(max_size=300),
    st.binary(max_size=60),
    st.binary(min_size=13, max_size=13),
    st.sampled_from([4, 8, 16]),
)
def test_ccm_and_cmac_as_an_independent_library_has_them(data, associated, nonce, tag_bytes):
    aes = pytest.importorskip("Crypto.Cipher.AES")
    hashing = pytest.importorskip("Crypto.Hash.CMAC")
    secret = bytes(range(16))
    cipher = aes.new(secret, aes.MODE_CCM, nonce=nonce, mac_len=tag_bytes)
    cipher.update(associated)
    assert ccm(Key(secret), nonce, data, associated, tag_bytes, True) == cipher.encrypt_and_digest(data)
    mac = hashing.new(secret, ciphermod=aes)
    mac.update(data)
    assert cmac(Key(secret), data) == mac.digest()


def test_ccm_misuse():
    for nonce, tag_bytes in ((bytes(12), 8), (bytes(13), 3), (bytes(13), 18)):
        with pytest.raises(MisuseError):
            ccm(KEY, nonce, b"", b"", tag_bytes, True)


@pytest.mark.parametrize(
    "purpose, counter, expected",
    [
        # OMS Vol.2 Annex N, N.2.3 and N.12.2, N.12.3
        (kdf.ENCRYPTION_UP, 2739, "ECCF39D475D730B8284FDFDC1995D52F"),
        (kdf.MAC_UP, 2739, "C9CD19FF5A9AAD5A6BBDA13BD2C4C7AD"),
        (kdf.ENCRYPTION_DOWN, 2800, "C80712E720025DB9B4B50819C2445035"),
        (kdf.MAC_DOWN, 2800, "B68594D44212BBBBFD9905CC4021235B"),
        (kdf.ENCRYPTION_UP, 2801, "B1F100E8F43BB4480295F1DC4F731655"),
        (kdf.MAC_UP, 2801, "2ADD039729C2853E7816C5DE1C21BC69"),
    ],
)
def test_kdf_of_annex_n(purpose, counter, expected):
    meter = Address.parse("12345678.M=ELS.V=33.T=03")
    master = Key.from_hex("000102030405060708090A0B0C0D0E0F")
    assert kdf.derive(master, purpose, counter, meter) == Key.from_hex(expected)


@settings(max_examples=60)
@given(st.binary(max_size=100), st.binary(max_size=40), st.binary(min_size=4, max_size=4))
def test_gcm_as_an_independent_library_has_it(data, header, counter):
    aes = pytest.importorskip("Crypto.Cipher.AES")
    meter = Address.parse("12345678.M=KAM.V=1b.T=16")
    secret = bytes(range(16))
    cipher = aes.new(secret, aes.MODE_GCM, nonce=bytes.fromhex("785634122D2C1B16") + counter, mac_len=12)
    cipher.update(header)
    sealed, tag = cipher.encrypt_and_digest(data)
    assert mode9.open(Key(secret), meter, counter, header, sealed, tag) == data
    with pytest.raises(MacError):
        mode9.open(Key(secret), meter, counter, header, sealed, bytes(11) + bytes((tag[11] ^ 1,)))


def test_equal():
    assert (
        equal(b"abc", b"abc") and not equal(b"abc", b"abd") and not equal(b"abc", b"ab") and equal(b"", b"")
    )
