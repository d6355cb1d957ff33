"""CC1101 without sync word: what SYNC_MODE 0 streams, and bursts of the OMS LPWAN burst mode sent whole from the FIFO."""

import pytest
from omsnode.board.virtual import World, unpack
from support_burst_bytes import CC1101, RAW, RAW_MSK, burst, play
from support_cc1101_bytes import drain, listen, marc, send, setup, sleep, spi, status, strobe


def receiver(name="UL-B4", more=None, seed=1, **settings):
    world = World(seed=seed)
    board = world.add_board(name="receiver", **settings)
    setup(board, CC1101[name], RAW, more or {})
    listen(board)
    return world, board


def drain_for(board, us, step_us=500):
    """Everything that comes within so many microseconds, all but one byte at a time."""
    got = bytearray()
    end = board.world.now_us + us
    while board.world.now_us < end:
        ready = len(board.chip.rx_fifo)
        if ready > 1:
            got += spi(board, 0xFF, *bytes(ready - 1))[1:]
        sleep(board, step_us)
    return bytes(got)


def found(got, wanted):
    """Chip index at which `wanted` begins in the stream, or -1."""
    return bytes(unpack(got)).find(bytes(unpack(wanted)))


@pytest.mark.parametrize(
    ("name", "us_per_byte"),
    [
        ("UL-B4", 64.016),
        ("UL-B1", 800.593),
        ("DL-B1", 3995.5),
        ("DL-B2", 1997.8),
        ("DL-B3", 998.9),
        ("DL-B4", 333.30),
    ],
)
def test_bytes_come_at_the_chip_rate_without_any_signal(name, us_per_byte):
    """8 chips each at the achieved rates of sheet 7.2: noise, with as many ones as zeros."""
    world, board = receiver(name)
    strobe(board, 0x36)
    strobe(board, 0x3A)
    strobe(board, 0x34)
    while marc(board) != 0x0D:
        sleep(board, 5)
    start = world.now_ns
    while len(board.chip.rx_fifo) < 50:
        world.advance(board.chip.next_ns)
    assert (world.now_ns - start) / 1000 == pytest.approx(50 * us_per_byte, rel=2e-4, abs=60)
    assert 130 < sum(unpack(bytes(board.chip.rx_fifo))) < 270
    assert marc(board) == 0x0D and board.chip.in_packet == 0


def test_stream_overflows_like_a_packet():
    world, board = receiver()
    sleep(board, 65 * 65)
    assert marc(board) == 0x11 and status(board, 0x3B) == 0x80 | 64


def test_threshold_pin_follows_the_stream_and_the_sync_pin_does_not():
    world, board = receiver(more={0x00: 0x06, 0x02: 0x00, 0x03: 0x07})
    edges = board.wait(board.now_us() + 3000)[0]
    assert [edge[:2] for edge in edges] == [("gdo0", 1)]
    assert len(board.chip.rx_fifo) == 32


@pytest.mark.parametrize("seed", range(8))
def test_burst_comes_whole_at_any_alignment(seed):
    """The chips of a burst follow each other without a gap, from any chip of a byte on."""
    world, board = receiver(seed=seed)
    sent = burst(300, seed)
    play(world, "UL-B4", sent, after_us=1000 + 7.3 * seed)
    got = drain_for(board, 25_000)
    assert found(got, sent) > 0


def test_alignment_is_arbitrary():
    places = set()
    for seed in range(20):
        world, board = receiver(seed=seed)
        sent = burst(20, seed)
        play(world, "UL-B4", sent, after_us=1000 + 7.3 * seed)
        places.add(found(drain_for(board, 6000), sent) % 8)
    assert len(places) > 4


@pytest.mark.parametrize(("name", "ppm"), [("UL-B4", 244), ("UL-B1", 740), ("DL-B1", -1120), ("DL-B4", -86)])
def test_bytes_come_at_the_rate_of_the_sender(name, ppm):
    """The loop follows: the standard's rate, not the grid's, while a burst is on."""
    world, board = receiver(name)
    sent = play(world, name, burst(55), after_us=100)
    world.advance(sent.start_ns)
    board.chip.rx_fifo.clear()
    count = 0
    first = None
    while count < 50:
        world.advance(board.chip.next_ns)
        if len(board.chip.rx_fifo) > count:
            count = len(board.chip.rx_fifo)
            first = first or world.now_ns
    assert (world.now_ns - first) / 49 == pytest.approx(8e9 / sent.chip_rate_cps, rel=1e-6)
    own = board.chip.modem().chip_rate_cps
    assert sent.chip_rate_cps / own - 1 == pytest.approx(ppm * 1e-6, abs=2e-6)


def test_infinite_to_fixed_ends_the_stream():
    """PKTLEN = total mod 256, fixed when fewer than 256 bytes are to come (sheet 6.1): the same without sync word."""
    world, board = receiver(more={0x06: 700 % 256})
    got = bytearray()
    while len(got) < 699:
        if 700 - len(got) - 64 < 200:
            spi(board, 0x08, 0x00)
        ready = len(board.chip.rx_fifo)
        take = ready if marc(board) == 0x01 else ready - 1
        if take > 0:
            got += spi(board, 0xFF, *bytes(take))[1:]
        sleep(board, 500)
    sleep(board, 5000)
    assert len(got) + len(board.chip.rx_fifo) == 700
    assert marc(board) == 0x01


def test_chip_that_gives_nothing_without_sync_word():
    world, board = receiver(options={"rx_without_sync": "nothing"})
    play(world, "UL-B4", burst(100))
    sleep(board, 20_000)
    assert status(board, 0x3B) == 0 and marc(board) == 0x0D


def test_rssi_is_live_throughout():
    """Nothing freezes it: no sync word was found (7.3)."""
    world, board = receiver()
    quiet = status(board, 0x34)
    world.air.set_path_loss("other", "receiver", 70)
    play(world, "UL-B4", burst(300))
    drain_for(board, 5000)
    assert status(board, 0x34) == (-60 + 74) * 2
    drain_for(board, 30_000)
    assert status(board, 0x34) == quiet


@pytest.mark.parametrize(("setting", "wanted"), [("live", 8), ("zero", 0)])
def test_freqest(setting, wanted):
    """13 kHz in steps of 1586.9 Hz while the burst is on; between bursts it means nothing."""
    world, board = receiver(options={"raw_freqest": setting})
    play(world, "UL-B4", burst(300), offset_hz=13_000)
    drain_for(board, 5000)
    assert status(board, 0x32) == wanted
    drain_for(board, 30_000)
    after = {status(board, 0x32) for _ in range(20)}
    assert len(after) > 5 if setting == "live" else after == {0}


def test_added_chip_errors():
    wrong = 0
    sent = burst(700)
    for seed in range(10):
        world, board = receiver(seed=seed, options={"raw_chip_errors": 0.002})
        play(world, "UL-B4", sent)
        got = unpack(drain_for(board, 60_000))
        start = bytes(got).find(bytes(unpack(sent[:8])))
        if start >= 0:
            wrong += sum(a != b for a, b in zip(got[start + 64 :], unpack(sent)[64:], strict=False))
    assert wrong == pytest.approx(0.002 * 5600 * 10, rel=0.5)


# --- transmission: the whole burst from the FIFO ---


def transmit(name, data, more=None, step_us=None, seed=1, **settings):
    """Infinite, then fixed for the last 256 bytes. Returns the Transmission."""
    world = World(seed=seed)
    board = world.add_board(name="sender", **settings)
    setup(board, CC1101[name], RAW, {0x06: len(data) % 256, 0x08: 0x02 if len(data) > 255 else 0}, more or {})
    spi(board, 0x7F, *data[:64])
    strobe(board, 0x35)
    rest = data[64:]
    byte_us = 8e6 / board.chip.modem().chip_rate_cps
    while marc(board) != 0x01:
        assert marc(board) != 0x16, "underflow"
        free = 64 - len(board.chip.tx_fifo)
        if rest and free:
            spi(board, 0x7F, *rest[:free])
            rest = rest[free:]
        if len(rest) < 192 and board.chip.registers[0x08] == 0x02:
            spi(board, 0x08, 0x00)
        sleep(board, 20 * byte_us)
    (sent,) = world.air.log
    assert list(board.chip.violations) == []
    return sent


@pytest.mark.parametrize(
    ("name", "rate", "deviation", "frequency"),
    [
        ("UL-B1", 9992.6, 2579, 868.530e6),
        ("UL-B2", 9992.6, 2579, 868.070e6),
        ("UL-B3", 9992.6, 2579, 868.180e6),
        ("UL-B4", 124_969, 31_738, 868.350e6),
        ("DL-B1", 2002.2, 1587, 869.525e6),
        ("DL-B2", 4004.5, 1984, 869.525e6),
        ("DL-B3", 8009.0, 3967, 869.525e6),
        ("DL-B4", 24_002.1, 11_902, 869.525e6),
    ],
)
def test_what_goes_on_air(name, rate, deviation, frequency):
    """Achieved rate, deviation and carrier of the burst sheet 22 and the CC1101 sheet 10.2."""
    data = burst(60)
    sent = transmit(name, data)
    assert sent.packed == data
    assert sent.chip_rate_cps == pytest.approx(rate, rel=3e-5)
    assert sent.deviation_hz == pytest.approx(deviation, abs=1)
    assert sent.frequency_hz == pytest.approx(frequency, abs=200)
    assert sent.modulation == "2-GFSK"


@pytest.mark.parametrize(
    ("name", "size", "seconds"), [("UL-B4", 802, 0.0513), ("DL-B1", 787, 3.14), ("UL-B1", 802, 0.642)]
)
def test_longest_bursts(name, size, seconds):
    """6416 chips up, 6296 down (burst sheet, section 4)."""
    data = burst(size - 8)
    sent = transmit(name, data)
    assert sent.packed == data
    assert (sent.end_ns - sent.start_ns) / 1e9 == pytest.approx(seconds, rel=2e-3)


def test_msk_is_exact_and_inverted():
    """MDMCFG2 = 7x: deviation rate / 4, h = 0.5; sync and data are inverted (sheet 7.2)."""
    data = burst(60)
    sent = transmit("UL-B4", data, RAW_MSK)
    assert sent.packed == bytes(value ^ 0xFF for value in data)
    assert sent.deviation_hz / sent.chip_rate_cps == 0.25
    assert sent.modulation == "MSK"


@pytest.mark.parametrize("sender", [RAW, RAW_MSK])
@pytest.mark.parametrize("mode", [0x12, 0x72])
def test_msk_and_gfsk_hear_each_other_inverted(sender, mode):
    """A GFSK receiver gets the complement of an MSK chip's FIFO, and the other way round."""
    data, complement = burst(60), bytes(value ^ 0xFF for value in burst(60))
    if (sender is RAW_MSK) != (mode == 0x72):
        data, complement = complement, data
    world, board = receiver(more={0x12: mode})
    other = world.add_board(name="sender")
    setup(other, CC1101["UL-B4"], sender, {0x06: len(data), 0x08: 0})
    send(other, complement)
    assert not board.chip.rx_fifo
    send(other, data, step_us=200)
    assert bytes(board.chip.rx_fifo)[:62] == burst(60)[6:]


def test_msk_below_26_kbaud_is_no_mode_of_the_chip():
    world = World()
    board = world.add_board(name="one")
    setup(board, CC1101["DL-B4"], RAW_MSK)
    listen(board)
    assert "MSK below 26 kBaud" in [text for _, text in board.chip.violations]


def test_hardware_sync_gives_what_follows_its_sixteen_chips():
    for mode in (0x11, 0x12):
        world, board = receiver(more={0x12: mode})
        play(world, "UL-B4", burst(40))
        assert drain(board, 42) == burst(40)[6:]
        assert board.chip.in_packet == 1


# --- data rates against the limit of BSCFG ---


@pytest.mark.parametrize(
    ("bscfg", "options", "taken"),
    [
        (0x6D, {}, True),
        (0x6D, {"uncompensated_ppm": 200}, True),
        (0x6C, {}, True),
        (0x6C, {"uncompensated_ppm": 200}, False),
    ],
)
def test_rate_error_of_the_grid(bscfg, options, taken):
    """+1120 ppm at 2 kcps: within 3.125 %, and with limit 0 only if the synchroniser stands it by itself."""
    world, board = receiver("DL-B1", {0x12: 0x12, 0x1A: bscfg}, options=options)
    play(world, "DL-B1", burst(20))
    sleep(board, 130_000)
    assert (bytes(board.chip.rx_fifo)[:22] == burst(20)[6:]) == taken
