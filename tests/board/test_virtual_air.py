"""The air: who hears whom, rates and offsets from the registers, RSSI, collisions, noise (CC1101 sheet 7; air.py)."""

import math

import pytest
from omsnode.board.virtual import Transmission, World, pack, unpack
from support_cc1101_bytes import S_RX, T_RX, T_TX, listen, marc, send, setup, sleep, spi, status, strobe

FRAME = b"\x55" * 4 + b"\x54\x3d"
DATA = bytes(range(60))


def receiver(table=T_RX, seed=1, more=(), **settings):
    world = World(seed=seed)
    board = world.add_board(name="receiver", **settings)
    setup(board, table, dict(more))
    listen(board)
    return world, board


def burst(world, data=DATA, after_us=100, **more):
    row = {"rate": 100e3, "frequency": 868.95e6, "deviation": 50e3, "source": "meter", "power": 10.0, **more}
    return world.air.transmit(
        Transmission(
            world.now_ns + after_us * 1000,
            unpack(FRAME + data),
            row["rate"],
            row["frequency"],
            row["deviation"],
            power_dbm=row["power"],
            source=row["source"],
        )
    )


def heard(board):
    """What is in the RX FIFO after the time of a 60-byte frame, or nothing if no sync word was found."""
    sleep(board, 6200)
    got = bytes(board.chip.rx_fifo)
    return got[:60]


def test_pack_and_unpack():
    assert unpack(b"\x81\x0f") == bytearray([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1])
    assert pack(unpack(b"\x12\x34")) == b"\x12\x34"
    assert pack([1, 0, 1]) == b"\xa0"


@pytest.mark.parametrize(
    ("rate", "taken"),
    [(90_500, True), (100_000, True), (110_000, True), (115_900, True), (89_900, False), (116_300, False)],
)
def test_t_receiver_follows_12_5_percent(rate, taken):
    """103.149 kBaud with BSCFG BF: 90.3 to 116 kcps (sheet 10.2)."""
    world, board = receiver()
    burst(world, rate=rate)
    assert (heard(board) == DATA) == taken


@pytest.mark.parametrize(
    ("bscfg", "error", "taken"),
    [
        (0x6D, 0.030, True),
        (0x6D, 0.033, False),
        (0x6E, 0.06, True),
        (0x6E, 0.065, False),
        (0x6C, 0.001, True),
    ],
)
def test_data_rate_offset_limit(bscfg, error, taken):
    world, board = receiver(more={0x10: 0x5B, 0x11: 0xF8, 0x1A: bscfg}.items())
    burst(world, rate=99975.6 * (1 + error))
    assert (heard(board) == DATA) == taken


@pytest.mark.parametrize(
    ("offset_khz", "taken"), [(0, True), (61, True), (-61, True), (80, True), (90, False), (-90, False)]
)
def test_carrier_offset(offset_khz, taken):
    """FOCCFG 2E: BW/4 = 81 kHz; a meter at 60 ppm and we at 10 ppm are 61 kHz apart."""
    world, board = receiver()
    burst(world, frequency=868.95e6 + offset_khz * 1000)
    assert (heard(board) == DATA) == taken


def test_narrow_filter_does_not_hear():
    """58 kHz for a signal of 200 kHz; 102 kHz is just enough, 10 dB less sensitive."""
    for nibble, taken in ((0xF, False), (0xD, False), (0xC, True), (0x8, True)):
        world, board = receiver(more={0x10: nibble << 4 | 0x0C}.items())
        burst(world)
        assert (heard(board) == DATA) == taken, nibble


def test_wrong_deviation():
    for register, taken in ((0x00, False), (0x44, True), (0x47, True), (0x77, False)):
        world, board = receiver(more={0x15: register}.items())
        burst(world)
        assert (heard(board) == DATA) == taken


def test_other_band_is_not_heard():
    world, board = receiver(S_RX)
    burst(world)
    sleep(board, 3000)
    assert status(board, 0x3B) == 0


def test_s_signal():
    world, board = receiver(S_RX)
    world.air.transmit(
        Transmission(
            world.now_ns + 1000,
            unpack(b"\x55\x55\x55\x54\x76\x96" + DATA),
            32768 * 1.015,
            868.3e6 - 50e3,
            80e3,
            source="meter",
        )
    )
    sleep(board, 16500)
    assert bytes(board.chip.rx_fifo)[:60] == DATA


# --- power ---


@pytest.mark.parametrize("dbm", [-100.0, -80.5, -50.0, -30.0])
def test_rssi(dbm):
    """Register in half dB, offset 74 (sheet 7.3)."""
    world, board = receiver(more={0x12: 0x02}.items())
    world.air.set_path_loss("meter", "receiver", 10 - dbm)
    burst(world)
    sleep(board, 2000)
    raw = status(board, 0x34)
    assert (raw - 256 if raw > 127 else raw) / 2 - 74 == pytest.approx(dbm, abs=0.6)


def test_rssi_is_latched_at_sync():
    world, board = receiver()
    sleep(board, 100)
    quiet = status(board, 0x34)
    world.air.set_path_loss("meter", "receiver", 70)
    burst(world)
    sleep(board, 1500)
    loud = status(board, 0x34)
    assert loud - 256 == (-60 + 74) * 2 - 256 or loud == (-60 + 74) * 2
    sleep(board, 20000)  # signal gone, noise received, overflow
    assert status(board, 0x34) == loud
    listen(board)
    assert status(board, 0x34) == quiet  # RX entered again: live


def test_freqest():
    """Steps of 1586.9 Hz, signed, of what is left after FSCTRL0."""
    for offset, fsctrl0, steps in ((20e3, 0, 13), (-20e3, 0, -12), (20e3, 13, 0)):
        world, board = receiver(more={0x0C: fsctrl0}.items())
        burst(world, frequency=868949707 + offset)
        sleep(board, 1500)
        raw = status(board, 0x32)
        assert (raw - 256 if raw > 127 else raw) == pytest.approx(steps, abs=1)


def test_crystal_error_moves_carrier_and_rate():
    world = World()
    sender = world.add_board(name="sender", crystal_ppm=40)
    plain = world.add_board(name="receiver")
    setup(sender, T_TX, {0x08: 0x00, 0x06: 10})
    setup(plain, T_RX)
    listen(plain)
    send(sender, bytes(10))
    sent = world.air.log[0]
    assert sent.frequency_hz == pytest.approx(868950104 * 1.00004, abs=1)
    assert sent.chip_rate_cps == pytest.approx(99975.586 * 1.00004, abs=0.01)
    raw = status(plain, 0x32)
    assert raw == round(868950104 * 4e-5 / 1586.9)


def test_distance():
    """Free space at 868 MHz: 31.2 dB at 1 m, 20 dB per decade."""
    world = World()
    world.add_board(name="a", position=(0, 0))
    world.add_board(name="b", position=(300, 400))
    world.add_board(name="c")
    assert world.air.path_loss_db("a", "b") == pytest.approx(31.2 + 20 * math.log10(500))
    assert world.air.path_loss_db("a", "c") == 60
    world.air.set_path_loss("a", "b", 123, both_ways=False)
    assert world.air.path_loss_db("a", "b") == 123
    assert world.air.path_loss_db("b", "a") == pytest.approx(85.2, abs=0.1)


def error_rate(dbm, seed=1, base=0.0, frames=20):
    """Share of wrong chips in frames received at this power (16/16 sync without carrier sense)."""
    world, board = receiver(seed=seed, more={0x12: 0x02, 0x1A: 0xBF}.items())
    world.air.chip_error_rate = base
    world.air.set_path_loss("meter", "receiver", 10 - dbm)
    wrong = total = 0
    for _ in range(frames):
        burst(world)
        got = heard(board)
        if len(got) == 60:
            wrong += sum(map(int.bit_count, (a ^ b for a, b in zip(got, DATA, strict=True))))
            total += 480
        listen(board)
    return wrong / total if total else None


def test_sensitivity():
    """About -103 dBm for one wrong chip in 1000 at 100 kcps and 325 kHz; none at -95; deaf at -115."""
    assert error_rate(-95) == 0
    assert 2e-4 < error_rate(-103, frames=60) < 4e-3
    assert error_rate(-104.5, frames=40) > 5e-3
    assert error_rate(-115) is None


def test_chip_error_rate():
    assert error_rate(-50, base=0.01, frames=60) == pytest.approx(0.01, rel=0.25)
    assert error_rate(-50, base=0.01, seed=3) == error_rate(-50, base=0.01, seed=3)
    assert error_rate(-50, base=0.01, seed=3) != error_rate(-50, base=0.01, seed=4)


def test_carrier_sense_gates_the_sync_word():
    """SYNC_MODE 5 wants RSSI above the threshold: very weak frames are lost that mode 1 hears."""
    for mode, taken in ((0x01, True), (0x05, False)):
        world, board = receiver(more={0x12: mode}.items())
        world.air.set_path_loss("meter", "receiver", 110)
        burst(world)
        assert (heard(board) == DATA) == taken


def test_carrier_sense_pin_and_cca():
    world, board = receiver(more={0x00: 0x0E, 0x02: 0x09, 0x17: 0x10, 0x12: 0x02}.items())
    spi(board, 0x7F, *bytes(64))
    board.take_edges()
    sent = burst(world, after_us=500)
    sleep(board, 1000)
    assert {(line, level) for line, level, _ in board.take_edges()[0]} == {("gdo2", 1), ("gdo0", 0)}
    strobe(board, 0x35)  # the channel is busy: CCA_MODE 1 refuses
    assert marc(board) == 0x0D
    world.advance(sent.time_ns(len(sent.chips)) + 1000)
    board.chip.receiver.restart()
    strobe(board, 0x35)
    sleep(board, 100)
    assert marc(board) == 0x13


# --- collisions ---


@pytest.mark.parametrize(("stronger_db", "first", "second"), [(-20, True, False), (20, False, True)])
def test_capture(stronger_db, first, second):
    """The second one starts inside the first: 20 dB below it does no harm, 20 dB above it is followed instead."""
    world, board = receiver()
    burst(world)
    burst(world, data=b"\xff" * 60, after_us=2000, source="other", power=10 + stronger_db)
    sleep(board, 5900)
    got = bytes(board.chip.rx_fifo)
    assert (got[:60] == DATA) == first
    if second:
        assert got[:15] == DATA[:15] and got[30:60] == b"\xff" * 30


def test_collision_of_equals_destroys_both():
    world, board = receiver()
    burst(world)
    burst(world, data=b"\xff" * 60, after_us=2000, source="other")
    sleep(board, 5900)
    got = bytes(board.chip.rx_fifo)
    assert got[:15] == DATA[:15] and got[:60] != DATA
    assert sum(map(int.bit_count, (a ^ b for a, b in zip(got[30:60], DATA[30:60], strict=True)))) > 50


def test_other_channel_does_not_collide():
    world, board = receiver()
    burst(world)
    burst(world, after_us=2000, source="other", frequency=869.525e6, power=27)
    assert heard(board) == DATA


def test_nobody_hears_itself():
    world = World()
    board = world.add_board(name="one")
    setup(board, T_TX, {0x08: 0x00, 0x06: 10, 0x17: 0x03})
    spi(board, 0x7F, *bytes(10))
    strobe(board, 0x35)
    sleep(board, 5000)
    assert marc(board) == 0x0D and status(board, 0x3B) == 0


# --- noise ---


def test_noise_syncs_only_without_carrier_sense():
    for mode, come in ((0x01, True), (0x02, True), (0x05, False)):
        world, board = receiver(more={0x12: mode}.items())
        world.air.noise_syncs = True
        listen(board)
        sleep(board, 30_000_000)
        assert (marc(board) == 0x11) == come  # synced on noise, and nobody stopped it


def test_rate_of_noise_syncs():
    """103 149 chips a second, 17 of 65 536 patterns: 26.8 per second in mode 1."""
    world, board = receiver(more={0x12: 0x01}.items())
    world.air.noise_syncs = True
    first = []
    for _ in range(200):
        listen(board)
        strobe(board, 0x36)
        strobe(board, 0x3A)
        strobe(board, 0x34)
        sleep(board, 850)
        start = world.now_ns
        board.take_edges()
        while not board.chip.in_packet:
            board.wait(board.now_us() + 10_000_000)
        first.append(world.now_ns - start)
    assert sum(first) / len(first) / 1e9 == pytest.approx(65536 / 17 / 103149, rel=0.25)


# --- ready-made transmissions ---


def test_log_and_end():
    world, board = receiver()
    sent = burst(world)
    assert sent.end_ns is None and world.air.log == []
    sleep(board, 20_000)
    assert world.air.log == [sent] and world.air.active == []
    assert sent.end_ns - sent.start_ns == 66 * 8 * 10_000
    assert sent.packed == FRAME + DATA


def test_receiver_that_comes_too_late():
    """RX entered inside the preamble still hears the frame, behind the sync word it does not."""
    for late_us, taken in ((200, True), (600, False)):
        world, board = receiver()
        strobe(board, 0x36)
        strobe(board, 0x34)
        burst(world, after_us=780 - late_us)
        sleep(board, 4000)
        assert (status(board, 0x3B) > 0) == taken


def test_anything_with_the_attributes_can_be_played():
    class Slice:
        start_ns = 0
        chips = bytes(unpack(FRAME + DATA))
        chip_rate_cps = 99.75e3
        frequency_hz = 868.941e6
        deviation_hz = 48e3
        modulation = "2-FSK"
        power_dbm = 0.0
        source = ""

    world, board = receiver()
    assert world.air.transmit(Slice).start_ns == world.now_ns
    assert heard(board) == DATA


@pytest.mark.parametrize("until", ("rx", "calibration", "reset"))
def test_deaf(until):
    """Looks healthy, hears nothing, until what heals it."""
    world, board = receiver()
    board.chip.go_deaf(until)
    burst(world)
    assert heard(board) == b"" and marc(board) == 0x0D
    spi(board, 0x18, 0x08)  # MCSM0: the next SRX does not calibrate
    listen(board)
    burst(world)
    assert (heard(board) == DATA) == (until == "rx")
    spi(board, 0x18, 0x18)
    listen(board)
    burst(world)
    assert (heard(board) == DATA) == (until != "reset")
    setup(board, T_RX)
    listen(board)
    burst(world)
    assert heard(board) == DATA
