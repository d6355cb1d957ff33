"""Whatever bytes a host sends, at whatever instants: the model neither raises nor hangs nor loses count."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.board.virtual import OPTIONS, Transmission, World, unpack
from support_cc1101_bytes import T_RX, T_TX, listen, marc, read, setup, sleep, spi, status, strobe

HEADERS = st.sampled_from(
    [0x7F, 0x3F, 0xFF, 0xBF, 0x7E, 0xFE, 0x40, 0xC0, 0x08, 0x06, 0x02, 0x00, 0x03, 0x12, 0xF5, 0xFB, 0xFA, 0xF8]
    + list(range(0x31, 0x3E))
)  # fmt: skip
STEP = st.tuples(HEADERS, st.binary(max_size=70), st.integers(0, 3000))


@settings(max_examples=150)
@given(st.lists(STEP, max_size=40), st.integers(0, 2**16), st.booleans())
def test_random_bytes(steps, seed, odd):
    world = World(seed=seed)
    world.air.noise_syncs = odd
    options = {row.name: row.choices[-1] for row in OPTIONS} if odd else {}
    board, other = world.add_board(options=options), world.add_board()
    setup(board, T_TX if seed & 1 else T_RX)
    setup(other, T_RX)
    listen(other)
    for header, data, pause in steps:
        if seed & 2:
            sent = Transmission(world.now_ns, unpack(b"UUT\x3d" + data), 100e3, 868.95e6, 50e3, source="x")
            world.air.transmit(sent)
        answer = spi(board, header, *data)
        assert len(answer) == len(data) + 1
        sleep(board, pause)
        chip = board.chip
        assert len(chip.rx_fifo) <= 64 and len(chip.tx_fifo) <= 64
        assert chip.next_ns >= world.now_ns
        edges, lost = board.take_edges()
        assert len(edges) <= 32 and lost >= 0
        times = [at for _, _, at in edges]
        assert times == sorted(times)
    strobe(board, 0x3D)  # wakes it
    sleep(board, 1000)
    strobe(board, 0x30)
    board.chip.options.corrupt_reads = 0
    sleep(board, 1000)
    assert marc(board) == 0x01 and read(board, 0x04) == 0xD3


# --- the options that no other test turns ---


@pytest.mark.parametrize("setting", [40, 800])
def test_ready_time(setting):
    board = World().add_board(options={"ready_us": setting, "not_ready_miso": 0x00})
    sleep(board, setting - 15)  # and 10 us until the first bit
    assert spi(board, 0x3D) == b"\x00"
    sleep(board, 15)
    assert spi(board, 0x3D) == b"\x0f"


def test_srx_in_rx():
    for setting, restarts in (("ignored", False), ("restart", True)):
        world = World()
        board = world.add_board(options={"srx_in_rx": setting})
        setup(board, T_RX)
        listen(board)
        for text in (b"one", b"two"):
            chips = unpack(b"UUUU\x54\x3d" + text)
            world.air.transmit(Transmission(world.now_ns + 1000, chips, 100e3, 868.95e6, 50e3))
            sleep(board, 800)
            strobe(board, 0x34)
        data = spi(board, 0xFF, *bytes(len(board.chip.rx_fifo)))[1:]
        assert data[:3] == b"one" and (b"two" in data) == restarts


def test_sidle_calibrates():
    for setting in (False, True):
        board = World().add_board(options={"sidle_calibrates": setting})
        setup(board, T_RX, {0x18: 0x28})
        listen(board)
        strobe(board, 0x36)
        assert marc(board) == (0x08 if setting else 0x01)
        sleep(board, 730)
        assert marc(board) == 0x01


def test_partnum():
    board = World().add_board(options={"partnum": 0x80})
    sleep(board, 1000)
    assert status(board, 0x30) == 0x80


def test_preamble_quality():
    """PQT 4: sixteen alternating chips before the sync word (two equal ones cost eight)."""
    for before, taken in ((b"\x55\x55\x55\x55", True), (b"\x55\x5d", False)):
        world = World()
        board = world.add_board()
        setup(board, T_RX, {0x07: 0x80, 0x12: 0x02, 0x04: 0xAA, 0x05: 0xAB})
        listen(board)
        chips = unpack(before + b"\xaa\xab" + bytes(10))
        world.air.transmit(Transmission(world.now_ns + 10, chips, 100e3, 868.95e6, 50e3))
        sleep(board, 1500)
        assert (status(board, 0x3B) > 0) == taken


def test_what_is_not_modelled_is_said():
    board = World().add_board()
    setup(board, T_RX, {0x12: 0x0D, 0x08: 0x12, 0x13: 0xA2, 0x16: 0x00})
    listen(board)
    said = [text for _, text in board.chip.violations]
    assert said == ["not modelled: " + name for name in ("MANCHESTER_EN", "FEC_EN", "PKT_FORMAT", "RX_TIME")]
