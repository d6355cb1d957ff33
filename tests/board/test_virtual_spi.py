"""SPI side of the CC1101 model against the datasheet facts (CC1101 sheet sections 1-3, 5): bytes written by hand."""

import pytest
from omsnode.board.virtual import World
from support_cc1101_bytes import C_TX, S_RX, T_RX, T_TX, listen, marc, read, setup, sleep, spi, status, strobe


@pytest.fixture
def board():
    world = World(seed=1)
    made = world.add_board(name="one")
    sleep(made, 1000)
    return made


# Sheet section 3, read off by eye: addresses 00..2E.
RESET = bytes.fromhex(
    "292e3f07d391ff04450000 0f001ec4ec 8c220222f847 073004 366c03 4091 876bf8 5610 a90a200d 4100 597f3f 88310b"
)


def test_reset_values(board):
    assert len(RESET) == 0x2F
    assert spi(board, 0xC0, *bytes(0x2F))[1:] == RESET
    assert [read(board, address) for address in range(0x2F)] == list(RESET)
    assert spi(board, 0xFE, *bytes(8))[1:] == bytes.fromhex("C600000000000000")
    assert status(board, 0x30) == 0x00 and status(board, 0x31) == 0x14


def test_sres_brings_them_back(board):
    spi(board, 0x40, *bytes(0x2F))
    assert read(board, 0x04) == 0
    spi(board, 0x7E, 1, 2, 3)
    strobe(board, 0x30)
    sleep(board, 1000)
    assert spi(board, 0xC0, *bytes(0x2F))[1:] == RESET
    assert spi(board, 0xFE, *bytes(8))[1:] == bytes.fromhex("C600000000000000")


def test_idle_status_byte_is_0f(board):
    """The classic: idle, 15 or more bytes free in the TX FIFO."""
    assert spi(board, 0x3D) == b"\x0f"
    assert spi(board, 0xBD) == b"\x00"  # the same strobe, header bit 7: bytes in the RX FIFO
    spi(board, 0x7F, *range(50))
    assert spi(board, 0x3D) == b"\x0e"
    spi(board, 0x7F, *range(14))
    assert spi(board, 0x3D) == b"\x00"


def test_status_byte_on_every_byte_of_a_write(board):
    assert spi(board, 0x7F, *bytes(64)) == bytes([15] * 51 + [14 - i for i in range(14)])


def test_burst_stops_at_test0(board):
    answer = spi(board, 0xEC, *bytes(8))
    assert answer[1:4] == bytes.fromhex("88310b") and answer[4:] == bytes(5)
    spi(board, 0x6E, 0x09, 0xAA, 0xBB)
    assert read(board, 0x2E) == 0x09
    assert read(board, 0x00) == 0x29


def test_single_access_then_another_header(board):
    """After a single access chip select may stay low and a new header follows."""
    assert spi(board, 0x04, 0x54, 0x05, 0x3D, 0x84, 0, 0x85, 0)[5::2] == b"\x54\x3d"


def test_status_registers_have_no_auto_increment(board):
    answer = spi(board, 0xF0, 0, 0xF1, 0)
    assert answer[1] == 0x00 and answer[3] == 0x14


def test_status_address_without_burst_is_a_strobe(board):
    """Reading VERSION as B1 strobes SFSTXON, reading RXBYTES as BB strobes SFTX."""
    spi(board, 0x7F, 1, 2, 3)
    assert status(board, 0x3A) == 3
    spi(board, 0xBB, 0)
    assert status(board, 0x3A) == 0
    spi(board, 0xB1)
    sleep(board, 900)
    assert marc(board) == 0x12


def test_patable_index_runs_and_starts_again_with_chip_select(board):
    spi(board, 0x7E, 1, 2, 3, 4, 5, 6, 7, 8, 9)  # the ninth wraps to entry 0
    assert spi(board, 0xFE, *bytes(9))[1:] == bytes([9, 2, 3, 4, 5, 6, 7, 8, 9])
    assert spi(board, 0xBE, 0, 0xBE, 0)[1::2] == b"\x09\x02"  # single accesses move it too
    assert spi(board, 0xBE, 0)[1:] == b"\x09"


def test_unused_bits_read_zero(board):
    spi(board, 0x40, *[0xFF] * 0x2F)
    image = spi(board, 0xC0, *bytes(0x2F))[1:]
    assert image[0x0D] == 0x3F  # FREQ2: two bits are always 0
    assert image[0x15] == 0x77  # DEVIATN
    assert image[0x25] == 0x3F  # FSCAL1
    assert image[0x04] == 0xFF


def test_fscal_reads_the_result_not_what_was_written(board):
    setup(board, T_RX)
    assert [read(board, address) for address in (0x23, 0x24, 0x25)] == [0xEA, 0x2A, 0x00]
    strobe(board, 0x33)
    sleep(board, 800)
    fscal3, fscal2, fscal1 = (read(board, address) for address in (0x23, 0x24, 0x25))
    assert fscal3 & 0xF0 == 0xE0 and fscal2 & 0x20 == 0x20 and fscal1 not in (0x00, 0x3F)


def test_reset_takes_time_and_bytes_before_are_lost(board):
    strobe(board, 0x30)
    assert spi(board, 0xF1, 0) == b"\xff\xff"
    assert spi(board, 0x04, 0x54) == b"\xff\xff"
    sleep(board, 150)
    assert read(board, 0x04) == 0xD3
    assert status(board, 0x31) == 0x14


def test_sleep_only_when_chip_select_rises_and_wakes_with_it(board):
    spi(board, 0x2C, 0x81, 0x2D, 0x35)
    spi(board, 0x7E, 0xC2, 0x55)
    spi(board, 0x04, 0x54)
    spi(board, 0x7F, 1, 2, 3)
    answer = spi(board, 0x39, 0x84, 0)  # SPWD, then a register in the same period
    assert answer[2] == 0x54
    sleep(board, 1000)
    assert board.chip.marc == 0x00
    assert spi(board, 0x3D) == b"\xff"  # the byte that wakes it is lost
    sleep(board, 150)
    assert marc(board) == 0x01
    assert read(board, 0x04) == 0x54
    assert spi(board, 0xEC, 0, 0)[1:] == b"\x88\x31"
    assert spi(board, 0xFE, 0, 0)[1:] == b"\xc2\x00"
    assert status(board, 0x3A) == 0


def test_adc_retention_is_not_to_be_read(board):
    """SWRS061 register FIFOTHR: what the bit keeps over SLEEP is seen in the analog part only, TEST2 and TEST1 always read
    their reset value afterwards. So a driver that looks has to write them again."""
    spi(board, 0x03, 0x47)
    spi(board, 0x2C, 0x81, 0x2D, 0x35)
    strobe(board, 0x39)
    spi(board, 0x3D)
    sleep(board, 200)
    assert spi(board, 0xEC, 0, 0)[1:] == b"\x88\x31"


def test_no_crystal(board):
    board.chip.crystal = False
    board.chip.brown_out()
    sleep(board, 1_000_000)
    assert spi(board, 0xF1, 0) == b"\xff\xff"


def test_stuck_miso(board):
    for level in (0x00, 0xFF):
        board.chip.miso_stuck = level
        assert spi(board, 0xF1, 0) == bytes((level, level))
    board.chip.miso_stuck = None
    assert status(board, 0x31) == 0x14


@pytest.mark.parametrize(
    ("step", "rx", "tx"), [(0, 4, 61), (1, 8, 57), (7, 32, 33), (14, 60, 5), (15, 64, 1)]
)
def test_fifo_thresholds(board, step, rx, tx):
    """GDO 02: high from the threshold on, low below. The RX side is the same rule on the other FIFO."""
    spi(board, 0x02, 0x02)
    spi(board, 0x03, step)
    spi(board, 0x7F, *bytes(tx - 1))
    assert board.pins["gdo0"].read() == 0
    spi(board, 0x3F, 0)
    assert board.pins["gdo0"].read() == 1
    assert board.chip.rx_threshold == rx


def test_flush_only_in_the_right_states(board):
    setup(board, T_RX)
    listen(board)
    spi(board, 0x7F, 1, 2, 3)
    strobe(board, 0x3B)
    strobe(board, 0x3A)
    assert status(board, 0x3A) == 3
    assert [text for _, text in board.chip.violations] == ["SFTX in state 0D", "SFRX in state 0D"]


def test_tx_overflow_corrupts_and_is_noted(board):
    spi(board, 0x7F, *range(65))
    assert status(board, 0x3A) == 64
    assert board.chip.tx_fifo[0] == 1
    assert board.chip.violations[-1][1] == "TX FIFO overflow"


def test_transfer_takes_its_time(board):
    """Four microseconds for two bytes at 4 MHz, and the fixed cost."""
    before = board.world.now_ns
    spi(board, 0xF1, 0)
    assert board.world.now_ns - before == 20_000 + 2 * 2_000
    board.chip.transfer(bytes(10), 1_000_000)
    assert board.world.now_ns - before == 24_000 + 20_000 + 80_000


# Sheet 7.2: FREQ and modem words with the values they give.
@pytest.mark.parametrize(
    ("table", "carrier", "rate", "deviation"),
    [
        (T_TX, 868950104, 99976, 50781),
        (T_RX, 868949707, 103149, 38086),
        (C_TX, 868950104, 99976, 44434),
        (S_RX, 868299866, 32730, 47607),
        ({0x0D: 0x21, 0x0E: 0x71, 0x0F: 0x7A, 0x10: 0x8A, 0x11: 0xF8, 0x15: 0x40}, 869524963, 49988, 25391),
        ({0x10: 0xE8, 0x11: 0x93, 0x15: 0x05}, None, 9993, 2579),
        ({0x10: 0xF6, 0x11: 0x80, 0x15: 0x00}, None, 2380, 1587),
    ],
)
def test_worked_numbers(board, table, carrier, rate, deviation):
    setup(board, table)
    modem = board.chip.modem()
    if carrier:
        assert round(modem.frequency_hz) == carrier
    assert round(modem.chip_rate_cps) == rate
    assert round(modem.deviation_hz) == deviation


def test_bandwidths(board):
    """Sheet 7.1: the sixteen channel filters in kHz."""
    kilohertz = "812.5 650 541.7 464.3 406.3 325 270.8 232.1 203.1 162.5 135.4 116.1 101.6 81.3 67.7 58.0"
    for nibble, wanted in enumerate(kilohertz.split()):
        spi(board, 0x10, nibble << 4)
        assert board.chip.modem().bandwidth_hz / 1000 == pytest.approx(float(wanted), abs=0.06)


def test_offset_register_moves_the_carrier(board):
    """FSCTRL0 in steps of 1586.9 Hz, signed."""
    here = board.chip.modem().frequency_hz
    spi(board, 0x0C, 0xFF)
    assert here - board.chip.modem().frequency_hz == pytest.approx(1586.9, abs=0.1)


def test_channels(board):
    """Channel spacing at reset: 199.951 kHz."""
    here = board.chip.modem().frequency_hz
    spi(board, 0x0A, 3)
    assert board.chip.modem().frequency_hz - here == pytest.approx(3 * 199951, abs=3)


def test_clones_answer_with_their_version():
    for version in (0x04, 0x03, 0x17):
        board = World().add_board(options={"version": version})
        sleep(board, 1000)
        assert status(board, 0x31) == version


def test_stuck_mosi_and_a_chip_select_that_goes_elsewhere(board):
    board.chip.mosi_stuck = 0x00
    spi(board, 0x06, 0x12)  # to PKTLEN; arrives as zeros to IOCFG2
    board.chip.mosi_stuck = None
    assert (read(board, 0x06), read(board, 0x00)) == (0xFF, 0x00)
    board.chip.selected = False
    assert spi(board, 0x06, 0x12) == b"\xff\xff"
    board.chip.selected = True
    assert read(board, 0x06) == 0xFF


def test_bit_flips(board):
    board.chip.bit_flips = 1.0
    flips = [
        (bin(spi(board, 0xC0, *bytes(0x2F))[i] ^ RESET[i - 1]).count("1")) for i in range(1, 0x30)
    ]  # the header flips too: it may be something else that is read
    assert any(flips)
    board.chip.bit_flips = 0.0
    strobe(board, 0x30)
    sleep(board, 1000)
    assert spi(board, 0xC0, *bytes(0x2F))[1:] == RESET


def test_supply_dip(board):
    spi(board, 0x06, 0x12)
    board.chip.supply_dip(5000)
    sleep(board, 4000)
    assert status(board, 0x31) in (0x00, 0xFF)
    sleep(board, 1500)
    assert status(board, 0x31) == 0x14 and read(board, 0x06) == 0xFF
