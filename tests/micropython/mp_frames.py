"""Wired, compact and format frames, load profiles on either interpreter. Vectors: OMS Annex N and G, EN 13757-3 G.5."""

from checking import raises
from omsnode.firmware.application import frames, profile, record, series
from omsnode.firmware.application.telegram import decode, decode_message
from omsnode.firmware.errors import (
    ChecksumError,
    FormatMismatchError,
    FrameError,
    LengthError,
    UnknownFormatError,
)
from omsnode.firmware.link import wired
from omsnode.firmware.link.address import Address

METER = Address.parse("12345678.M=CEN.V=01.T=02")
N_2_2 = "6820206808FD7278563412931533032A0000000C1427048502046D32371F1502FD1700008916"
COMPACT = "313B42A6D2042E163423"
# OMS Vol.2 Annex G.2 and G.6: five monthly values.
STANDARD = (
    "8904FD22058904FD280182066C1F158C041365000000CC0413090200008C051323040000CC0513550700008C061313100000"
)
INVERSE = "8C04131310000082046C1F158D0493130A7AFE5802320314024401"


def message(text, formats=None):
    return decode_message(bytes.fromhex(text), METER, formats=formats)


def test_wired():
    told = decode(bytes.fromhex(N_2_2))
    assert told.error is None and told.link.primary_address == 0xFD and len(told.records) == 3
    assert str(told.address) == "12345678.M=ELS.V=33.T=03"
    assert decode(b"\xe5").link.c_field == 0 and decode(bytes.fromhex("107BFD7816")).link.c_field == 0x7B
    raises(ChecksumError, wired.parse, bytes.fromhex("107BFD7716"))
    raises(FrameError, wired.parse, bytes.fromhex("107BFD7817"))
    raises(LengthError, wired.parse, bytes.fromhex("682021680816"))
    assert decode(bytes.fromhex("68636368") + bytes(101)).link.address is not None


def test_compact():
    formats = frames.Formats()
    assert message("6908313B02020215022A", formats).protocol.fields[1][3] == "3B31"
    told = message("79" + COMPACT, formats)
    assert [(one.mantissa, one.offset) for one in told.records] == [(1234, 4), (5678, 6), (9012, 8)]
    (row,) = formats.export()
    assert row == ["ae0c785634120102", 0, "02020215022a"]
    assert frames.Formats(state=[row]).candidates(METER, 0x3B31)[0] == bytes.fromhex(row[2])
    assert isinstance(message("79" + COMPACT[:-2] + "00", formats).error, FormatMismatchError)
    assert isinstance(message("79" + "1122334455", formats).error, UnknownFormatError)
    assert frames.compact(bytes.fromhex("0202D20402152E16022A3423")) == bytes.fromhex(COMPACT)


def test_series():
    both = series.Profiles()
    for text in (STANDARD, INVERSE):
        both.feed(profile.expand(record.decode(bytes.fromhex(text))[0]))
    (one,) = both.series.values()
    found = [(point.time, point.mantissa) for point in one.points]
    assert found[0] == ("2008-01-31", 65) and found[4] == ("2008-05-31", 1013) and len(found) == 5
    assert one.duplicates == 5 and one.contradicted == 0


test_wired()
test_compact()
test_series()
print("ok")
