"""Physical and link layer on either interpreter: CRC, frames, line codes, deframer, addresses.

Vectors: EN 13757-4 sample telegram as printed in Silicon Labs' and TI's example code, TI AN067 line code tables.
"""

from checking import raises
from omsnode.firmware.errors import CrcError, DutyCycleError, LengthError, SymbolError
from omsnode.firmware.link import control, extended, frame_a, frame_b, telegram
from omsnode.firmware.link.address import Address, device_type_name
from omsnode.firmware.link.crc import crc16
from omsnode.firmware.phy import duty_cycle, framing, manchester, modes, three_of_six
from omsnode.firmware.phy.deframer import Deframer

FRAME_A = bytes.fromhex("0F44AE0C7856341201074447780B134365871E6D")
FRAME_B = bytes.fromhex("1444AE0C7856341201078C2027780B134365877AC5")
CHIPS_T = bytes.fromhex("55555555543D5A971C9B25B44EC65A2DC34E58D59371C7134EC5A334B70B699B133726B155")
CHIPS_S = bytes.fromhex(
    "555555547696AA559A9A6656AA5A956A9996A59AA9A6AAA9AA959A9A9A95956AAA65A9A59AA596996A95A9569659"
)
CHIPS_CA = bytes.fromhex("55555555543D54CD0F44AE0C7856341201074447780B134365871E6D")
CHIPS_CB = bytes.fromhex("55555555543D543D1444AE0C7856341201078C2027780B134365877AC5")


def test_crc():
    assert crc16(b"123456789") == 0xC2B7
    assert crc16(b"x123456789y", 1, 10) == 0xC2B7


def test_frames():
    assert frame_a.build(frame_a.strip(FRAME_A)) == FRAME_A
    assert frame_b.build(frame_b.strip(FRAME_B)) == FRAME_B
    assert frame_b.strip(FRAME_B)[0] == 18
    assert raises(CrcError, frame_a.strip, FRAME_A[:15] + b"\x00" + FRAME_A[16:]).position == 2
    raises(LengthError, frame_a.strip, FRAME_A[:19])


def test_codings():
    assert three_of_six.encode(bytes.fromhex("0123")) == bytes.fromhex("58D38B")
    assert three_of_six.decode(bytes.fromhex("D31CA9"), 2) == bytes.fromhex("CDEF")
    assert manchester.encode(bytes.fromhex("0F44")) == bytes.fromhex("AA559A9A")
    assert manchester.decode(bytes.fromhex("AA559A9A"), 2) == bytes.fromhex("0F44")
    assert raises(SymbolError, three_of_six.decode, bytes.fromhex("58D38A"), 2).position == 3
    assert raises(SymbolError, manchester.decode, bytes.fromhex("AA55FA9A"), 2).position == 8


def test_chips():
    assert framing.chips(modes.find("T1"), FRAME_A) == CHIPS_T
    assert framing.chips(modes.find("S2"), FRAME_A) == CHIPS_S + b"\x55"
    assert framing.chips(modes.find("C1"), FRAME_A) == CHIPS_CA
    assert framing.chips(modes.find("C1"), FRAME_B, "B") == CHIPS_CB


def test_deframer():
    for family, chips, frame, frame_format in (
        ("T", CHIPS_T, FRAME_A, "A"),
        ("T+C", CHIPS_T, FRAME_A, "A"),
        ("S", CHIPS_S, FRAME_A, "A"),
        ("C", CHIPS_CA, FRAME_A, "A"),
        ("T+C", CHIPS_CB, FRAME_B, "B"),
    ):
        for size in (1, 2, 5, 64):
            deframer = Deframer(family)
            stream = chips[6:] + b"\xff\x00"
            for i in range(0, len(stream), size):
                result = deframer.feed(memoryview(stream)[i : i + size])
            assert result == 0
            assert deframer.frame == frame
            assert deframer.frame_format == frame_format
    deframer = Deframer("T")
    assert deframer.feed(CHIPS_T[6:10]) == 240 - 32
    assert deframer.feed(b"\x00") > 0 and deframer.feed(b"\x00\x00") == -1
    assert deframer.error.position == 5


def test_telegram():
    link = telegram.parse(frame_b.strip(FRAME_B))
    assert str(link.address) == "12345678.M=CEN.V=01.T=07"
    assert device_type_name(link.address.device_type) == "water"
    assert control.name(link.c_field) == "SND-NR"
    assert link.ell.cc == extended.SYNCHRONOUS and link.ell.access_number == 0x27 and link.offset == 13
    pattern = Address.parse("12345678")
    assert pattern.matches(link.address) and pattern != link.address
    assert {link.address: 1}[Address.parse("12345678.M=CEN.V=01.T=07")] == 1
    built = telegram.build(0x44, link.address, extended.build(0x20, 0x27, None, None, b"\x78"))
    assert built.hex().upper() == "0D44AE0C7856341201078C202778"


def test_duty_cycle():
    ledger = duty_cycle.Ledger()
    ledger.book(868950000, 3600000, 1000)
    assert raises(DutyCycleError, ledger.check, 868950000, 1, 5000).allowed_at_us == 3603601000
    ledger.check(868300000, 1, 5000)
    ledger.restore(ledger.export(0), 0)
    for i in range(3 * duty_cycle.ENTRIES):
        ledger.book(869525000, 1000, i * 1000000)
    assert len(ledger.export(1000000000)) == 3 + 3 * duty_cycle.ENTRIES
    ledger.book(869525000, 1000, 7200000000)
    assert ledger.export(7200001000) == [2, 0, 1000]


for f in (
    test_crc,
    test_frames,
    test_codings,
    test_chips,
    test_deframer,
    test_telegram,
    test_duty_cycle,
):
    f()
print("ok")
