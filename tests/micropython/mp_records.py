"""Records on either interpreter: decode, encode, reasons. Vectors: OMS Annex N, captures named in the sheet."""

from checking import raises
from omsnode.firmware.application import (
    builder,
    dates,
    encode,
    profile,
    profile_builder,
    rare,
    record,
    reverse,
    types,
    vif,
)
from omsnode.firmware.application.reals import real
from omsnode.firmware.errors import MisuseError


def shown(one):
    return one.quantity, one.mantissa, one.exponent, one.text, one.unit, one.flag


def decoded(text):
    records, undecoded = record.decode(bytes.fromhex(text))
    assert undecoded is None, undecoded
    return [shown(one) for one in records]


def test_decode():
    assert decoded("0C1427048502046D32371F1502FD170000") == [
        ("volume", 2850427, -2, None, "m3", None),
        ("date and time", None, None, "2008-05-31T23:50", None, None),
        ("error flags", 0, 0, None, None, None),
    ]
    assert decoded("3C2ADDB4EBDD") == [("power", None, None, None, "W", "error digits DDEBB4DD")]
    assert decoded("9410DA6F32147A18848F0F6D0000E1F1") == [
        ("flow temperature", None, None, "2011-08-26T20:50", None, None),
        ("date and time", None, None, "****-01-01T00:00", None, "wildcard"),
    ]
    assert decoded("0DFD0C0434474B42") == [("model version", None, None, "BKG4", None, None)]
    assert decoded("0CFCA273046C61676926084275") == [("plain text unit", 75420826, -3, None, "igal/h", None)]
    assert decoded("02FC0348522574D411") == [("plain text unit", 4564, -2, None, "%RH", None)]
    assert decoded("01FD71" + "9C") == [("rf level", -100, 0, None, "dBm", None)]
    assert decoded("07030000000000000080")[0][5] == "invalid"


def test_profile():
    """OMS Vol.2 Annex G.7 and EN 13757-3 F.2.7."""
    for text, values in (
        (
            "8C04131310000082046C1F158D0493130A7AFE5802320314024401",
            [
                (9, 755, "2008-04-30"),
                (10, 423, "2008-03-31"),
                (11, 209, "2008-02-29"),
                (12, 65, "2008-01-31"),
            ],
        ),
        (
            "84046D002041118B04150030128D04951F056901030211",
            [
                (9, 123003, "2010-01-01T01:00"),
                (10, 123005, "2010-01-01T02:00"),
                (11, 123016, "2010-01-01T03:00"),
            ],
        ),
    ):
        records = profile.expand(record.decode(bytes.fromhex(text))[0])
        assert [(one.storage, one.mantissa, one.time) for one in records[3:]] == values
    assert profile.moved("2000-02-29T00:00:00", -1, 0) == "2000-02-28T23:59:59"


def test_integers_and_bcd():
    assert types.value(1, b"\x80", "")[3] == "invalid"
    assert types.value(7, b"\xfe" + b"\xff" * 7, "")[0] == -2
    assert types.value(7, b"\xfe" + b"\xff" * 7, "C")[0] == 2**64 - 2
    assert types.value(11, b"\x20\x01\xf0", "")[0] == -120
    assert encode.data(6, -5) == b"\xfb" + b"\xff" * 5
    assert encode.data(12, -120) == b"\x20\x01\x00\xf0"
    raises(MisuseError, encode.data, 1, 128)
    raises(MisuseError, encode.data, 9, 100)


def test_reals():
    for text, mantissa, exponent in (
        ("22F32642", 41737434, -6),
        ("9A196B43", 2351, -1),
        ("01000000", 1, -45),
        ("FFFF7F7F", 34028235, 31),
        ("0000C0BF", -15, -1),
    ):
        data = bytes.fromhex(text)
        assert types.real(data)[:2] == (mantissa, exponent), text
        assert real(mantissa, exponent) == data, text
    assert types.real(bytes.fromhex("0000C07F"))[3] == "not a number"


def test_reasons():
    for text, reason in (
        ("0C13", "truncated in the data"),
        ("84" + "FF" * 40, "too many DIFE"),
        ("0493" + "80" * 40, "too many VIFE"),
        ("0D13FF00", "reserved LVAR"),
        ("3F00", "reserved DIF"),
        ("7C", "truncated before the VIF"),
    ):
        undecoded = record.decode(bytes.fromhex(text))[1]
        assert undecoded.reason == reason, (text, undecoded)


def test_noise():
    seed = 1
    for _ in range(300):
        data = bytearray()
        for _ in range(seed % 64):
            seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
            data.append(seed >> 16 & 0xFF)
        seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
        record.decode(bytes(data))
    assert len(vif._memo) <= vif._MEMO_SIZE


def test_build_and_encode():
    dib, vib = builder.build("volume", "m3", -3, "bcd8", storage=1, tariff=2)
    assert (dib, vib) == (b"\xcc\x20", b"\x13")
    assert builder.record(dib, vib, 6408, -3) == bytes.fromhex("CC201308640000")
    assert builder.record(b"\x02", b"\x6c", "2007-12-31") == bytes.fromhex("026CFF0C")
    assert builder.record(b"\x0d", b"\xfd\x0c", "BKG4") == bytes.fromhex("0DFD0C0434474B42")
    assert dates.date_time(2008, 5, 31, 23, 50) == bytes.fromhex("32371F15")
    assert "m3" in raises(MisuseError, builder.build, "volume", "l").hint


def test_meaning_to_bytes():
    for text in (
        "0C1427048502046D32371F1502FD170000",
        "4C937D785634120CE8C873010000000CFB80FDFC1001000000C28200FB007B00",
        "0E823C513000000000CD016DE20330CE01039519000000",
        "3C2ADDB4EBDD02FC0348522574D41101FF2005027C03544623700004FD7222991CA3",
    ):
        for one in record.decode(bytes.fromhex(text))[0]:
            whole = one.dib + one.vib + one.data
            assert builder.encode_record(one) == whole
            one.data = b""
            again = record.decode(builder.encode_record(one))[0][0]
            assert shown(again) == shown(one), one
    assert reverse.vib("pressure", "bar", -6, ("upper limit", "times 10^-3")) == b"\xe8\xc8\x73"
    assert decoded("027C026D6D0500") == [("distance", 5, -3, None, "m", None)]
    assert decoded("0D6DE20330") == [("date and time", None, None, "PT3S", None, "inferred layout")]
    assert rare.date_time_full(2010, 3, 25, 13, 12, 11) == bytes.fromhex("0B0C8D59130C")
    made = profile_builder.profile(b"\x13", [755, 423], (1, "month"), base=1013, element="bcd4", storage=8)
    assert made == bytes.fromhex("8D049313067AFE58023203")


test_decode()
test_meaning_to_bytes()
test_profile()
test_integers_and_bcd()
test_reals()
test_reasons()
test_noise()
test_build_and_encode()
print("ok")
