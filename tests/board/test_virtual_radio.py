"""Radio states and their times, calibration, GDO pins (CC1101 sheet sections 4, 8, 9)."""

import pytest
from omsnode.board.virtual import OPTIONS, World
from support_cc1101_bytes import T_RX, T_TX, listen, marc, read, setup, sleep, spi, status, strobe


@pytest.fixture
def board():
    made = World(seed=1).add_board(name="one")
    sleep(made, 1000)
    setup(made, T_RX)
    return made


def time_to(board, state, limit_us=2000):
    """World time in us from now until MARCSTATE is `state`, looked at without SPI."""
    start = board.world.now_ns
    while board.chip.marc != state:
        assert board.world.now_ns - start < limit_us * 1000, hex(board.chip.marc)
        board.world.advance(board.world.now_ns + 100)
    return (board.world.now_ns - start) / 1000


def instant(board):
    """No SPI time: strobes act at once."""
    board.chip.transfer_ns = 0
    board.chip.byte_hz = 8_000_000_000
    board.spi.hz = 8_000_000_000


# Sheet 4.2, microseconds.
@pytest.mark.parametrize(
    ("mcsm0", "code", "state", "us"),
    [
        (0x08, 0x34, 0x0D, 75.1),
        (0x18, 0x34, 0x0D, 799),
        (0x08, 0x35, 0x13, 75.1),
        (0x18, 0x35, 0x13, 799),
        (0x18, 0x31, 0x12, 799),
        (0x08, 0x33, 0x01, 735),
    ],
)
def test_from_idle(board, mcsm0, code, state, us):
    spi(board, 0x18, mcsm0)
    spi(board, 0x7F, *bytes(10))
    instant(board)
    strobe(board, code)
    if state == 0x01:
        assert board.chip.marc != 0x01
    assert time_to(board, state) == pytest.approx(us, abs=0.3)


def test_rx_tx_switch(board):
    """30.1 us to TX without calibration; back 31.1 us and a quarter of a chip (2.4 us at 103 kcps)."""
    listen(board)
    spi(board, 0x7F, *bytes(40))
    instant(board)
    strobe(board, 0x35)
    assert board.chip.marc == 0x15
    assert time_to(board, 0x13) == pytest.approx(30.1, abs=0.2)
    sleep(board, 100)
    strobe(board, 0x34)
    assert board.chip.marc == 0x10
    assert time_to(board, 0x0D) == pytest.approx(31.1 + 2.4, abs=0.3)


@pytest.mark.parametrize(("policy", "us"), [(1, 2.5), (2, 726.5), (0, 2.5)])
def test_end_of_packet_to_idle(board, policy, us):
    """A quarter of a chip (2.5 us); with calibration 724..725 us more."""
    setup(board, T_TX, {0x08: 0x00, 0x06: 4, 0x18: 0x18})
    strobe(board, 0x33)
    sleep(board, 800)
    spi(board, 0x18, policy << 4 | 8)
    spi(board, 0x7F, 1, 2, 3, 4)
    instant(board)
    strobe(board, 0x35)
    time_to(board, 0x13)
    time_to(board, 0x14)
    assert time_to(board, 0x01) == pytest.approx(us, abs=0.5)


def test_every_fourth_time(board):
    setup(board, T_TX, {0x08: 0x00, 0x06: 1})
    strobe(board, 0x33)
    sleep(board, 800)
    spi(board, 0x18, 0x38)
    calibrated = []
    for _ in range(8):
        before = board.chip.calibrated_ns
        spi(board, 0x3F, 0)
        strobe(board, 0x35)
        sleep(board, 3000)
        calibrated.append(board.chip.calibrated_ns != before)
    assert calibrated == [False, False, False, True] * 2


def test_status_byte_follows_the_state(board):
    spi(board, 0x7F, *bytes(60))
    strobe(board, 0x34)
    seen = []
    for _ in range(100):
        state = spi(board, 0x3D)[0] >> 4
        if not seen or seen[-1] != state:
            seen.append(state)
    assert seen == [0, 4, 5, 4, 1]  # idle, calibrate, settling, calibrate, RX


def test_sidle_works_from_everywhere(board):
    for code in (0x34, 0x35, 0x31, 0x33):
        for wait in (0, 50, 300, 700, 900):
            spi(board, 0x7F, *bytes(60))
            strobe(board, code)
            sleep(board, wait)
            strobe(board, 0x36)
            assert marc(board) == 0x01
            strobe(board, 0x3B)


def test_sleep_and_xoff_are_never_read(board):
    for code in (0x39, 0x32):
        strobe(board, code)
        sleep(board, 100)
        spi(board, 0x3D)
        sleep(board, 200)
        assert marc(board) == 0x01


def test_pll_lock_failure_shows_in_fscal1(board):
    board.chip.options.pll_lock_failures = 2
    for wanted in (True, True, False):
        strobe(board, 0x33)
        sleep(board, 800)
        assert (read(board, 0x25) == 0x3F) == wanted


def test_odd_calibration_looks_locked_and_is_not(board):
    """FSCAL1 is far from where it was, but not 3F; the next calibration is right again."""
    strobe(board, 0x33)
    sleep(board, 800)
    good = read(board, 0x25)
    board.chip.options.odd_calibrations = 1
    for odd in (True, False):
        strobe(board, 0x33)
        sleep(board, 800)
        assert (abs(read(board, 0x25) - good) > 8) == odd
        assert read(board, 0x25) != 0x3F
        assert board.chip.locked() != odd


def test_without_calibration_it_is_deaf_and_mute():
    """FS_AUTOCAL 0 and no SCAL: the other side hears nothing on the channel."""
    world = World(seed=1)
    a, b = world.add_board(), world.add_board()
    setup(a, T_TX, {0x08: 0x00, 0x06: 20, 0x18: 0x08})
    setup(b, T_RX)
    for calibrated in (False, True):
        if calibrated:
            strobe(a, 0x33)
            sleep(a, 800)
        listen(b)
        spi(a, 0x7F, *bytes(20))
        strobe(a, 0x35)
        sleep(a, 5000)
        assert (status(b, 0x3B) >= 20) == calibrated


def test_stored_calibration_serves_a_frequency_change(board):
    """FS_AUTOCAL 0, FSCAL3..1 stored per carrier and restored before SRX."""
    stored = {}
    for freq in ((0x21, 0x6B, 0xD1), (0x21, 0x71, 0x7A), (0x1D, 0x00, 0x00)):
        spi(board, 0x4D, *freq)
        strobe(board, 0x33)
        sleep(board, 800)
        stored[freq] = spi(board, 0xE3, 0, 0, 0)[1:]
    for freq, values in stored.items():
        spi(board, 0x4D, *freq)
        spi(board, 0x63, *values)
        assert board.chip.locked()
    spi(board, 0x4D, 0x21, 0x6B, 0xD1)
    assert not board.chip.locked()  # the values of 754 MHz are in


def test_drift_out_of_lock():
    board = World().add_board(options={"recalibrate_within_s": 600})
    setup(board, T_RX)
    listen(board)
    assert board.chip.locked()
    sleep(board, 601_000_000)
    assert not board.chip.locked()


# --- pins ---


def test_clock_after_reset_floods_an_armed_host():
    """135.4 kHz on GDO0: 270 833 edges in a second, sixteen of them kept."""
    board = World().add_board()
    board.world.advance(150_000)
    board.take_edges()
    sleep(board, 1_000_000)
    edges, lost = board.take_edges()
    assert len([edge for edge in edges if edge[0] == "gdo0"]) == 16
    assert lost + 16 == pytest.approx(26e6 / 192 * 2, abs=2)
    spi(board, 0x02, 0x2E)
    board.take_edges()
    sleep(board, 1_000_000)
    assert board.take_edges() == ([], 0)


def test_wait_returns_at_once_while_the_clock_runs():
    board = World().add_board()
    board.world.advance(150_000)
    before = board.now_us()
    edges, _ = board.wait(before + 1_000_000)
    assert edges and board.now_us() - before <= 10


def test_constant_and_inverted(board):
    for setting, level in ((0x2F, 0), (0x6F, 1), (0x29, 0), (0x69, 1), (0x2B, 1), (0x2E, 0)):
        spi(board, 0x02, setting)
        assert board.pins["gdo0"].read() == level, hex(setting)


def test_inverting_makes_an_edge(board):
    board.take_edges()
    spi(board, 0x00, 0x46)
    assert [edge[:2] for edge in board.take_edges()[0]] == [("gdo2", 1)]


def test_pa_and_lna_lines(board):
    """1B low in TX, 1C low in RX (datasheet: the same level as in SLEEP)."""
    spi(board, 0x00, 0x1B)
    spi(board, 0x02, 0x1C)
    spi(board, 0x7F, *bytes(60))

    def levels():
        return board.pins["gdo2"].read(), board.pins["gdo0"].read()

    assert levels() == (1, 1)
    listen(board)
    assert levels() == (1, 0)
    strobe(board, 0x35)
    sleep(board, 100)
    assert levels() == (0, 1)


def test_packet_status_shows_pins(board):
    spi(board, 0x00, 0x6F)
    spi(board, 0x02, 0x2F)
    assert status(board, 0x38) & 0x05 == 0x04
    spi(board, 0x02, 0x6F)
    assert status(board, 0x38) & 0x05 == 0x05


# --- faults ---


def test_brown_out_at_an_instant(board):
    listen(board)
    board.take_edges()
    board.world.at(board.world.now_us + 500, board.chip.brown_out)
    sleep(board, 1000)
    assert marc(board) == 0x01 and read(board, 0x04) == 0xD3
    assert board.take_edges()[1] > 50  # the clock is back on GDO0


def test_hung_chip_needs_a_reset(board):
    listen(board)
    board.chip.hang()
    for code in (0x36, 0x3A, 0x34):
        strobe(board, code)
        assert marc(board) == 0x0D
    strobe(board, 0x30)
    sleep(board, 200)
    assert marc(board) == 0x01


def test_edges_that_never_come(board):
    spi(board, 0x02, 0x2F)
    board.take_edges()
    board.lose_edges(2)
    for setting in (0x6F, 0x2F, 0x6F):
        spi(board, 0x02, setting)
    assert [(line, level) for line, level, _ in board.take_edges()[0]] == [("gdo0", 1)]


def test_options_are_checked():
    with pytest.raises(AttributeError):
        World().add_board(options={"no such option": 1})
    with pytest.raises(ValueError):
        World().add_board(options={"pktlen_0": "perhaps"})
    assert all(row.default in row.choices and row.source for row in OPTIONS)
