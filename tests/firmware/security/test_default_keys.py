"""Publicly known default keys, on telegrams published with them."""

from omsnode.firmware.application.telegram import decode
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.keys import Key

# wmbusmeters simulations/serial_aes.msg (Apator, all-zero key) and drivers/src/hydrus.xmq (Diehl behind a HYD adapter).
APATOR = (
    "6E4401068888888805077A85006085BC2630713819512EB4CD87FBA554FB43F67CF9654A68EE8E194088160DF752E716238292E8AF1AC209"
    "86202EE561D743602466915E42F1105D9C6782A54504E4F099E65A7656B930C73A30775122D2FDF074B5035CFAA7E0050BF32FAAE03A77"
)
DIEHL = (
    "6644242328001081640E7266567464A51170071F0050052C411A08674048DD6BA82A0DF79FFD401309179A893A1BE3CE8EDC50C2A45CD7AF"
    "EC3B4CE765820BE8056C124A17416C3722985FFFF7FCEB7094901AB3A16294B511B9A740C9F9911352B42A72FB3B0C"
)


def test_only_where_asked_for():
    for text in (APATOR, DIEHL):
        telegram = decode(bytes.fromhex(text))
        assert (telegram.verdict, telegram.error.code, telegram.key) == ("no_key", "no_key", None)


def test_opened_and_marked():
    telegram = decode(bytes.fromhex(DIEHL), None, default_keys.of)
    assert (telegram.verdict, telegram.key, telegram.error) == ("decrypted", "default", None)
    volume = telegram.records[1]
    assert (volume.quantity, volume.mantissa, volume.exponent) == ("volume", 137291, -3)
    telegram = decode(bytes.fromhex(APATOR), None, default_keys.of)
    assert (telegram.verdict, telegram.key) == ("decrypted", "default")


def test_a_given_key_is_the_only_one_tried():
    for key, verdict in ((Key(bytes(16)), "decrypted"), (Key(bytes(15) + b"\1"), "wrong_key_or_altered")):
        telegram = decode(bytes.fromhex(APATOR), lambda address, *which, key=key: key, default_keys.of)
        assert telegram.verdict == verdict
        assert telegram.key == ("configured" if verdict == "decrypted" else None)


def test_none_fits():
    # OMS Vol.2 Annex N.2.1: another key.
    text = "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3"
    telegram = decode(bytes.fromhex(text), None, default_keys.of)
    assert (telegram.verdict, telegram.error.code, telegram.key) == ("no_key", "no_key", None)


def test_makers():
    assert len(default_keys.of(Address.parse("12345678.M=HYD.V=1b.T=16"))) == 2
    assert default_keys.of(Address.parse("12345678.M=KAM.V=1b.T=16")) == (Key(bytes(16)),)
    assert default_keys.of(Address.parse("12345678")) == (Key(bytes(16)),)
