"""Text lines of the tools of this field, from their documentation and from real recordings."""

import pytest
import support_telegram as known
import support_wired as wired
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import ChecksumError, CrcError, FrameError, LengthError, LineError, OmsError
from omsnode.firmware.host.lines import parse_line, rtlwmbus
from omsnode.firmware.link import frame_a, frame_b
from support_link import ANNEX_N_2_1, ANNEX_N_5_3, SAMPLE_A, SAMPLE_B, SAMPLE_B3

PLAIN = bytes.fromhex(known.N_2_1)
SAMPLE = bytes.fromhex("0F44AE0C785634120107780B13436587")


@pytest.mark.parametrize("line", ["", "\n", "   \r\n", "# telegram=|00|", "  # note"])
def test_no_telegram(line):
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "text, telegram, frame_format",
    [
        (PLAIN.hex(), PLAIN, None),
        (ANNEX_N_2_1.hex(), PLAIN, "A"),
        (ANNEX_N_2_1.hex().upper(), PLAIN, "A"),
        ("0x" + ANNEX_N_2_1.hex(), PLAIN, "A"),
        (ANNEX_N_2_1.hex(" "), PLAIN, "A"),
        (SAMPLE_A.hex(), SAMPLE, "A"),
        (SAMPLE_B.hex(), bytes.fromhex("12") + SAMPLE_B[1:-2], "B"),
        (SAMPLE_B3.hex(), bytes.fromhex("82") + SAMPLE_B3[1:126] + SAMPLE_B3[128:-2], "B"),
    ],
)
def test_hex_with_and_without_crcs(text, telegram, frame_format):
    for line in (text, "  " + text + "\r\n"):
        got = parse_line(line)
        assert (got.telegram, got.frame_format) == (telegram, frame_format)
        assert (got.frame is None) == (frame_format is None)
        assert (got.mode, got.rssi_dbm, got.timestamp) == (None, None, None)


def test_format_b_with_a_wrong_crc_looks_like_a_telegram_without():
    """L counts the CRC bytes of format B: only right CRCs tell the two apart."""
    data = SAMPLE_B[:-1] + b"\0"
    assert parse_line(data.hex()).telegram == data


@pytest.mark.parametrize(
    "line, error, position, word",
    [
        (ANNEX_N_2_1.hex()[:-2] + "00", CrcError, 4, "block 4"),
        ("00" + ANNEX_N_2_1.hex()[2:], LengthError, 1, "L = 0"),
        (PLAIN.hex()[:-2], LengthError, 46, "there are 46"),
        (PLAIN.hex() + "00", LengthError, 47, "there are 48"),
        (PLAIN.hex()[:-1], LineError, 93, "odd number of hex digits"),
        (" " + PLAIN.hex()[:40] + "x" + PLAIN.hex()[41:], LineError, 41, "not a hex digit"),
        ("0x", LineError, 2, "no hex digits"),
        ("hello", LineError, 0, "not a hex digit"),
        ('{"time" : "2020-01-01", "model" : "Wireless-MBus"}', LineError, 0, "JSON"),
        ("680B0A6808FD7278563412931533032A0000" + "0016", LengthError, 2, "differ"),
        ("6808086808FD7278563412931F16", ChecksumError, 12, "checksum"),
        ("6808086808FD7278563412931E17", FrameError, 13, "stop byte"),
        ("6809096808FD7278563412931E16", LengthError, 14, "announces 15 bytes"),
        ("T1;1;1;2020", LineError, 0, "no rtlwmbus line"),
        ("a;b;c;d;e;f;g;h", LineError, 0, "no rtlwmbus line"),
        ("telegram=00", LineError, 9, "no bars"),
        ("telegram=|" + PLAIN.hex()[:-2] + "|+3", LengthError, 46, "there are 46"),
        ("٣" * 20, LineError, 0, "not a hex digit"),
    ],
)
def test_refused_by_name(line, error, position, word):
    with pytest.raises(error) as caught:
        parse_line(line)
    assert type(caught.value) is error and caught.value.position == position
    assert word in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    "line, mode, rssi, timestamp",
    [
        ("T1;1;1;2019-04-03 19:00:42.000;97;148;88888888;0x{}", "T1", 97, "2019-04-03T19:00:42.000Z"),
        ("C1;1;1;2021-10-31 20:11:02;-77;;;0x{}", "C1", -77, "2021-10-31T20:11:02.000Z"),
        ("S1;1;1;2021-10-31 20:11:02.123456Z;-9;;;{}", "S1", -9, "2021-10-31T20:11:02.123456Z"),
        ("t2a;T1;1;1;2021-10-31 20:11:02.1;-77;1;1;0x{}", "T1", -77, "2021-10-31T20:11:02.100Z"),
        ("T1;1;1;1970-01-01T00:00:00;;;;0x{};more", "T1", None, None),
        ("T1;1;1;;-77.5;;;0x{}", "T1", None, None),
    ],
)
def test_rtlwmbus(line, mode, rssi, timestamp):
    got = parse_line(line.format(PLAIN.hex()))
    assert got.telegram == PLAIN
    assert (got.mode, got.rssi_dbm, got.timestamp) == (mode, rssi, timestamp)


def test_rtlwmbus_with_a_wrong_crc():
    with pytest.raises(CrcError):
        parse_line("T1;0;1;2019-04-03 19:00:42.000;97;148;88888888;0x" + PLAIN.hex())


def test_cul():
    """CUL: format A or B with CRCs, then LQI and RSSI; RSSI = signed / 2 - 74."""
    got = parse_line("b" + SAMPLE_A.hex().upper() + "5BE6\r\n")
    assert (got.telegram, got.frame_format, got.rssi_dbm) == (SAMPLE, "A", -87)
    got = parse_line("bY" + SAMPLE_B.hex().upper() + "5B10")
    assert (got.telegram[1:], got.frame_format, got.rssi_dbm) == (SAMPLE_B[1:-2], "B", -66)
    with pytest.raises(LengthError):
        parse_line("b" + SAMPLE_A.hex())  # without LQI and RSSI
    with pytest.raises(LengthError):
        parse_line("bY00")
    with pytest.raises(CrcError):
        parse_line("b" + SAMPLE_A.hex()[:-2] + "00" + "5BE6")


def test_hex_that_begins_with_b_is_no_cul_line():
    data = bytes((0xB0,)) + bytes(0xB0)
    assert parse_line(data.hex()).telegram == data


@pytest.mark.parametrize(
    "shape",
    ["telegram=|{0}_{1}|+12", "telegram=|{0}{1}|", "telegram=|{0}|{1}|+0", "  telegram=|{0}_|{1}|+3\n"],
)
def test_wmbusmeters_log(shape):
    text = PLAIN.hex().upper()
    assert parse_line(shape.format(text[:22], text[22:])).telegram == PLAIN


@pytest.mark.parametrize("text", wired.ALL)
def test_wired_frames(text):
    line = parse_line(text)
    assert (line.telegram, line.frame_format, line.frame) == (bytes.fromhex(text), "wired", None)


def test_a_telegram_of_manufacturer_zcc_is_not_taken_for_a_wired_frame():
    """L = 68h, C = 63h, manufacturer 6863h: begins 68 63 63 68. With and without link CRCs, in both formats."""
    telegram = bytes.fromhex("68636368") + bytes(range(101))
    assert parse_line(telegram.hex()).telegram == telegram
    assert parse_line(frame_a.build(telegram).hex()).frame_format == "A"
    # Format B counts the CRC: 66h behind the L-field of the telegram are 68h on the air.
    on_air = frame_b.build(bytes.fromhex("66636368") + bytes(range(99)))
    assert on_air[:4].hex() == "68636368" and parse_line(on_air.hex()).frame_format == "B"


# --- the writer: what wmbusmeters silently drops is never written ---


@pytest.mark.parametrize(
    "mode, name", [("T1", "T1"), ("T2", "T1"), ("C2", "C1"), ("S1-m", "S1"), ("S2", "S1")]
)
@pytest.mark.parametrize(
    "rssi, level", [(-77, "-77"), (-77.5, "-78"), (5, "-1"), (None, "0"), (-2000, "-999")]
)
@pytest.mark.parametrize("time", ["2026-01-31T12:00:00.250Z", "2026-01-31 12:00:00.250"])
def test_writer(mode, name, rssi, level, time):
    line = rtlwmbus(PLAIN, mode, time, rssi)
    assert line == "{};1;1;2026-01-31 12:00:00.250;{};;;0x{}".format(name, level, PLAIN.hex())
    got = parse_line(line)
    assert (got.telegram, got.mode, got.timestamp) == (PLAIN, name, "2026-01-31T12:00:00.250Z")


def test_writer_refuses_what_has_no_name():
    with pytest.raises(LineError):
        rtlwmbus(PLAIN, "N1", "2026-01-31 12:00:00", -70)


# --- nothing but typed outcomes ---


def check(line):
    try:
        got = parse_line(line)
    except OmsError as error:
        assert error.code in ("line", "length", "crc") and error.message
        return
    assert got is None or got.telegram[0] == len(got.telegram) - 1


@settings(max_examples=300)
@given(st.text(max_size=120))
def test_any_text(line):
    check(line)


@settings(max_examples=300)
@given(st.text(alphabet="0123456789abcdefABCDEFbY;|_=x#. \t", max_size=120))
def test_text_of_the_right_letters(line):
    check(line)
    check("telegram=" + line)
    check("T1;1;1;" + line)


GOOD = (
    PLAIN.hex(),
    ANNEX_N_2_1.hex(),
    SAMPLE_B3.hex(),
    "b" + SAMPLE_A.hex() + "5BE6",
    "bY" + SAMPLE_B.hex() + "5BE6",
    "telegram=|" + PLAIN.hex() + "|+3",
    "T1;1;1;2019-04-03 19:00:42.000;97;148;88888888;0x" + PLAIN.hex(),
)


@settings(max_examples=600)
@given(st.sampled_from(GOOD), st.integers(0, 300), st.characters(), st.integers(0, 300))
def test_damaged_lines(line, place, letter, cut):
    place %= len(line)
    check(line[:place] + letter + line[place + 1 :])
    check(line[:cut])
    check(line[:place] + line[place + 1 :])


@settings(max_examples=300)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_as_hex(data):
    check(data.hex())
    check("b" + data.hex())
    check("bY" + data.hex())


# --- L-field that does not fit ---


@pytest.mark.parametrize(
    "data, telegram, cut",
    [
        (SAMPLE + b"\xfe\xd0", b"\x11" + SAMPLE[1:] + b"\xfe\xd0", False),
        (SAMPLE[:-3], b"\x0c" + SAMPLE[1:-3], True),
        (SAMPLE[:10], b"\x09" + SAMPLE[1:10], True),
        # With link CRCs: the blocks that are right, LQI and RSSI behind them left out.
        (ANNEX_N_2_1 + b"\x80\x20", PLAIN, False),
        (ANNEX_N_2_1[:-1], b"\x29" + PLAIN[1:42], True),
        (ANNEX_N_2_1[:40], b"\x19" + PLAIN[1:26], True),
    ],
)
def test_what_there_is_of_a_telegram_of_another_length(data, telegram, cut):
    line = parse_line(data.hex(), keep=True)
    assert (line.telegram, line.l_field, line.cut, line.frame) == (telegram, data[0], cut, None)
    assert line.error.code == "length" and "L = {}".format(data[0]) in line.error.message
    for text in (data.hex(), "telegram=|" + data.hex() + "|", "T1;1;1;;;;;0x" + data.hex()):
        assert parse_line(text, keep=True).telegram == telegram
        with pytest.raises(LengthError):
            parse_line(text)


@pytest.mark.parametrize("data", [b"", SAMPLE[:9], SAMPLE + bytes(300)])
def test_too_short_or_too_long_to_be_kept(data):
    with pytest.raises((LengthError, LineError)):
        parse_line("0x" + data.hex(), keep=True)


@given(st.binary(max_size=300))
def test_kept_telegrams_have_a_right_length(data):
    try:
        line = parse_line("0x" + data.hex(), keep=True)
    except OmsError:
        return
    assert line.telegram[0] == len(line.telegram) - 1
    assert line.error is None or line.telegram[0] != line.l_field or line.cut is False


def test_bytes_behind_the_last_right_block_are_named():
    """A frame cut inside its last block: its right blocks are read, what stands behind them is told, not dropped."""
    data = ANNEX_N_5_3
    line = parse_line(data[:-1].hex(), keep=True)
    assert line.cut
    assert line.error.message.endswith(
        "; behind the last block with a right CRC: " + data[48:-1].hex().upper()
    )


def test_a_time_with_digits_behind_its_seconds_is_no_time():
    text = "T1;1;1;2026-01-31 {};-70;;;0x" + PLAIN.hex()
    assert parse_line(text.format("12:00:00.2599999")).timestamp == "2026-01-31T12:00:00.259999Z"
    assert parse_line(text.format("12:00:0099999")).timestamp is None
