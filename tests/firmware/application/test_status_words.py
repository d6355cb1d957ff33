"""Status words, worked by hand from the bit lists of the sheet (en13757-3-application 4.2, 10.5, 11.1)."""

import pytest
import support_gateway as make
from omsnode.firmware.application import status_words

FLAGS = "{} FD 97 1D {}"  # data field, EF bytes


@pytest.mark.parametrize(
    ("records", "status", "word", "flags"),
    [
        ("0413 08190000", 0x00, 0, []),
        # EF1 bit 1 battery low: mirrored it is bit 6
        (FLAGS.format("01", "02"), 0x00, 0x00000040, ["battery low"]),
        # EF1 bit 0: bit 7; EF2 bit 2 leakage (bit 10 of MM3!): bit 8 + 5
        (FLAGS.format("02", "0104"), 0x00, 0x00002080, ["mechanical tamper", "leakage", "tamper"]),
        # EF1..3 with bit 7 "present" become bits 0, 8, 16 and are no faults
        (FLAGS.format("03", "808080"), 0x00, 0x00010101, []),
        # EF3 bit 6 was out of range: 16 + 1
        (FLAGS.format("03", "000040"), 0x00, 0x00020000, ["was out of range"]),
        # status byte: bit 2 -> 29, 3 -> 28, 4 -> 27, 0 -> 31, 1 -> 30, 5..7 -> 26..24
        ("0413 08190000", 0x04, 0x20000000, ["power low"]),
        ("0413 08190000", 0x08, 0x10000000, ["permanent error", "meter error"]),
        ("0413 08190000", 0x10, 0x08000000, ["temporary error"]),
        ("0413 08190000", 0x01, 0x80000000, ["busy"]),
        ("0413 08190000", 0x02, 0x40000000, ["application error or abnormal condition"]),
        ("0413 08190000", 0x20, 0x04000000, ["manufacturer specific 1"]),
        ("0413 08190000", 0x80, 0x01000000, ["manufacturer specific 3"]),
        # alarm (11b)
        (
            "0413 08190000",
            0x03,
            0xC0000000,
            ["busy", "application error or abnormal condition", "meter error"],
        ),
    ],
)
def test_meter_word_bit_by_bit(records, status, word, flags):
    words = status_words.of(make.meter(records, status=status), make.RECEIVED)
    assert "{:08X}".format(words.meter) == "{:08X}".format(word)
    assert sorted(words.flags()) == sorted(flags)


@pytest.mark.parametrize(
    ("records", "status", "received", "more", "word"),
    [
        ("0413 08190000", 0, 1, 0, 0x00020005),  # bits 0 and 2 fixed, 17 wireless OMS meter
        ("0413 08190000", 0, None, 0, 0x00020205),  # 9: time invalid
        ("0413 08190000", 3, 1, 0, 0x00028005),  # 15: abnormal condition
        ("0413 08190000", 8, 1, 0, 0x00028005),  # 15: permanent error
        ("0413 08190000", 2, 1, 0, 0x00020005),  # an application error is no meter error
        (FLAGS.format("01", "40"), 0, 1, 0, 0x00024005),  # 14: magnetic tamper
        ("0413 08190000", 0, 1, status_words.WARNING, 0x00021005),  # 12
        ("0413 08190000", 0, 1, status_words.NO_VALUE, 0x00022005),  # 13
        ("0413 08190000", 0, 1, status_words.FATAL, 0x00020105),  # 8
        ("0413 08190000", 0, 1, status_words.NOT_VALIDATED, 0x00020007),  # 1
        ("0413 08190000", 0, 1, status_words.THRESHOLD, 0x00030005),  # 16
    ],
)
def test_gateway_word_bit_by_bit(records, status, received, more, word):
    words = status_words.of(make.meter(records, status=status), received, more)
    assert "{:08X}".format(words.gateway) == "{:08X}".format(word)


def test_wired_meter_is_not_called_wireless():
    assert status_words.of(make.wired("0413 08190000"), 1).gateway == 0x00000005


@pytest.mark.parametrize(
    ("gateway", "meter", "severity"),
    [
        # The words of TRuDI's own test of StatusFNN (TestMapToStatusPtb), gateway part
        (0x00002105, 0, "fatal"),
        (0x00002005, 0, "temporary"),
        (0x00000005, 0, "ok"),
        (0x00001005, 0, "warning"),
        (0x00004005, 0, "critical temporary"),
        (0x00000205, 0, "critical temporary"),
        (0x00000005, 1 << 28, "fatal"),
        (0x00000005, 1 << 27, "temporary"),
        (0x00000005, 1 << 29, "warning"),
        (0x00000005, 0x07010101, "ok"),  # manufacturer's bits and "EFx present"
        (0x00000005, 0x00000040, "warning"),
    ],
)
def test_severity(gateway, meter, severity):
    assert status_words.Status(gateway, meter).severity() == severity


def test_words_of_every_meter_byte():
    """Property: the meter's word is the four bytes, each mirrored, for every value of each."""
    for byte in range(256):
        mirrored = int("{:08b}".format(byte)[::-1], 2)
        telegram = make.meter(FLAGS.format("03", "{0:02X}{0:02X}{0:02X}".format(byte)), status=byte)
        assert status_words.of(telegram, 1).meter == mirrored * 0x01010101
