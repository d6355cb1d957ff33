"""Bursts between the chip models: sync words missed as often as chance has it (burst sheet 23), offsets, sub-carriers,
filters too wide (22), and what an SX1262 sends and receives."""

import math

import pytest
from omsnode.board.virtual import World
from support_burst_bytes import (
    CC1101,
    NOMINAL,
    PREAMBLE,
    RAW,
    RX_SYNC,
    SX1262,
    SYNC,
    TX_SYNC,
    burst,
    data,
    play,
)
from support_cc1101_bytes import drain, listen, send, setup, sleep, spi, status
from support_sx1262_bytes import RX_FOREVER, SYNC_AND_DONE, Bench, tx_packet


def cc1101(name="UL-B4", more=None, seed=1, **settings):
    world = World(seed=seed)
    board = world.add_board(name="receiver", **settings)
    setup(board, CC1101[name], more or {})
    listen(board)
    return world, board


def sx1262(name="UL-B4", seed=1, size=255, detector=4, sync=RX_SYNC, bits=32, modulation=None, **settings):
    """An SX1262 that listens: fixed length `size`."""
    made = Bench(World(seed=seed), name="receiver", **settings).start()
    frequency, row = SX1262[name]
    packet = "8C 00 20 {:02X} {:02X} 00 00 {:02X} 01 00".format(detector, bits, size)
    made.do("80 01", frequency, modulation or row, packet, sync, SYNC_AND_DONE, "02 FF FF", RX_FOREVER)
    return made


def byte_us(name):
    return 8e6 / NOMINAL[name][0]


# --- the sync word and chip errors ---


def near(got, wanted, wrong):
    """Right so far as `wrong` chips of all."""
    return (
        len(got) == len(wanted)
        and sum(map(int.bit_count, (a ^ b for a, b in zip(got, wanted, strict=True)))) <= wrong
    )


TRIES = 2000
BOUND = 4 * math.sqrt(0.9 * 0.1 / TRIES)  # four standard deviations


def share_found_by_cc1101(mode, error_rate, disturbed=False):
    world, board = cc1101(more={0x12: mode, 0x06: 6, 0x08: 0x00, 0x19: 0x17})
    world.air.chip_error_rate = error_rate
    found = 0
    for number in range(TRIES):
        listen(board)
        play(world, "UL-B4", burst(4, number), after_us=100)
        if (
            disturbed
        ):  # far below the burst: it changes nothing but that the air changes, in the middle of the 16 chips
            play(world, "UL-B4", bytes(2), after_us=100 + 40 * 8, power=-60, source="weak")
        sleep(board, 1000)
        found += near(bytes(board.chip.rx_fifo), burst(4, number)[6:], 12)
    return found / TRIES


@pytest.mark.parametrize(("mode", "error_rate"), [(0x12, 0.0066), (0x11, 0.034)])
def test_sync_word_of_the_cc1101(mode, error_rate):
    """Nine of ten are found at 0.66 % with 16 of 16 and at 3.4 % with 15 of 16 (burst sheet 23)."""
    assert share_found_by_cc1101(mode, error_rate) == pytest.approx(0.9, abs=BOUND)


def test_another_transmission_heals_no_chip():
    assert share_found_by_cc1101(0x12, 0.0066, disturbed=True) == pytest.approx(0.9, abs=BOUND)


def share_found_by_sx1262(error_rate, detector=0, bits=32, sync=RX_SYNC, options=None):
    made = sx1262(size=4, detector=detector, bits=bits, sync=sync, options=options)
    made.world.air.chip_error_rate = error_rate
    found = 0
    for number in range(TRIES):
        made.chip.irq = 0
        play(made.world, "UL-B4", burst(4, number), after_us=100)
        made.sleep(1000)
        start = made.chip.rx_start
        got = bytes(made.chip.buffer[start + i & 0xFF] for i in range(4))
        found += bool(made.chip.irq & 2) and near(got, data(4, number), 8)
        if made.chip.receiver.receiving:
            made.do("80 01", RX_FOREVER)
    return found / TRIES


@pytest.mark.parametrize("detector", [0, 4])
def test_sync_word_of_the_sx1262(detector):
    """32 chips exact: nine of ten at 0.33 %; the detector of 8 chips finds enough of the preamble."""
    assert share_found_by_sx1262(0.0033, detector) == pytest.approx(0.9, abs=BOUND)


def test_shorter_sync_word_of_the_sx1262():
    assert share_found_by_sx1262(0.0066, 0, 16, "0D 06 C0 4C 6A") == pytest.approx(0.9, abs=BOUND)


def test_sync_errors_allowed_of_the_sx1262():
    """One wrong chip let pass (not documented): (1-p)^32 + 32 p (1-p)^31 = 0.9 at 1.66 %."""
    found = share_found_by_sx1262(0.0166, options={"sync_errors_allowed": 1})
    assert found == pytest.approx(0.9, abs=BOUND)


@pytest.mark.parametrize("bits", [16, 18, 24, 32, 40, 48, 56, 64])
def test_sync_words_of_every_length_stand_no_error(bits):
    """The last `bits` chips before the data, left aligned; then the first of them wrong."""
    value = int.from_bytes(PREAMBLE + SYNC, "big") & (1 << bits) - 1
    sync = "0D 06 C0 " + (value << 64 - bits).to_bytes(8, "big").hex()
    for wrong in (0, 1):
        made = sx1262(size=20, detector=0, bits=bits, sync=sync)
        chips = bytearray(burst(20))
        chips[(64 - bits) // 8] ^= wrong << 7 - (64 - bits) % 8
        play(made.world, "UL-B4", bytes(chips))
        made.sleep(1000 + 29 * 64)
        assert (made.get("1E 00", 20) == data(20)) == (not wrong)


def test_sync_word_of_eight_chips():
    """Opened in the known slot: C1, and the rest of the sync word comes as data (sheet 22)."""
    made = sx1262(size=23, detector=0, bits=8, sync="0D 06 C0 C1")
    play(made.world, "UL-B4", burst(20))
    made.sleep(1000 + 29 * 64)
    assert made.get("1E 00", 23) == burst(20)[5:]


def test_capture_from_the_preamble_on():
    """Sync word 5555 opened in the known slot: raw chips, the real sync word lies in them (sheet 22)."""
    made = sx1262("DL-B4", bits=16, sync="0D 06 C0 55 55", detector=0, size=255)
    play(made.world, "DL-B4", burst(100))
    made.sleep(255 * byte_us("DL-B4") + 2000)
    got = made.get("1E 00", 255)
    text = "".join("{:08b}".format(value) for value in got)
    at = text.find("".join("{:08b}".format(value) for value in SYNC + data(100)))
    assert 0 <= at <= 16 and at % 2 == 0


# --- errors of one transmission ---


def test_chip_error_rate_as_a_function():
    """Each transmission and each receiver its own; from the seed."""

    def wrong(seed):
        world, board = cc1101(seed=seed)
        second = world.add_board(name="second")
        setup(second, CC1101["UL-B4"])
        world.air.chip_error_rate = lambda sent, name: (
            0.02 if (sent.source, name) == ("bad", "receiver") else 0.0
        )
        counts = []
        for source in ("good", "bad") * 10:
            listen(board)
            listen(second)
            play(world, "UL-B4", burst(60), source=source)
            sleep(board, 1000 + 68 * 64)
            pairs = [zip(bytes(one.chip.rx_fifo), burst(60)[6:], strict=False) for one in (board, second)]
            counts.append([sum((a ^ b).bit_count() for a, b in pair) for pair in pairs])
        return counts

    counts = wrong(1)
    assert all(pair == [0, 0] for pair in counts[0::2])
    assert all(pair[1] == 0 for pair in counts[1::2])
    assert sum(pair[0] for pair in counts[1::2]) > 20
    assert wrong(1) == counts != wrong(2)


# --- offsets ---


def taken_by_sx1262(name, offset_hz, size=20, **settings):
    made = sx1262(name, size=size, **settings)
    play(made.world, name, burst(size), offset_hz=offset_hz)
    made.sleep(2000 + (size + 9) * byte_us(name))
    return made.get("1E 00", size) == data(size)


def taken_by_cc1101(name, offset_hz, size=20, more=None, **settings):
    world, board = cc1101(name, more, **settings)
    play(world, name, burst(size), offset_hz=offset_hz)
    sleep(board, 2000 + (size + 9) * byte_us(name))
    return bytes(board.chip.rx_fifo)[: size + 2] == burst(size)[6:]


@pytest.mark.parametrize(
    ("name", "offset_hz"),
    [("UL-B4", 20e3), ("DL-B1", 200), ("DL-B2", 400), ("DL-B3", 800), ("DL-B4", 2400)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_carrier_tolerance_of_the_standard(name, offset_hz, sign):
    """Tables Q.7, Q.8: what a receiver has to stand, without error of its own."""
    assert taken_by_sx1262(name, sign * offset_hz)
    assert taken_by_cc1101(name, sign * offset_hz)


@pytest.mark.parametrize(("offset_hz", "taken"), [(400, True), (1000, True), (1500, False), (-1500, False)])
def test_filter_of_4_8_khz(offset_hz, taken):
    """A signal of 4 kHz: 400 Hz to the edge, then it costs 10 dB per kHz and ends. 1.7 ppm of 869.5 MHz are too much."""
    assert taken_by_sx1262("DL-B1", offset_hz) == taken


@pytest.mark.parametrize(
    ("afc", "offset_hz", "taken"), [(0.0, 400, True), (0.0, 600, False), (0.5, 1000, True)]
)
def test_without_afc_half_a_deviation(afc, offset_hz, taken):
    assert taken_by_sx1262("DL-B1", offset_hz, options={"afc_fraction": afc}) == taken


def test_crystals_count():
    """Both boards' errors move the carrier: 2 ppm at 869.5 MHz are 1.7 kHz, and the meter is deaf at DL-B1, not at DL-B4."""
    for name, taken in (("DL-B1", False), ("DL-B4", True)):
        made = sx1262(name, size=20, crystal_ppm=1.0)
        made.chip.violations.clear()
        sender = made.world.add_board(name="sender", crystal_ppm=-1.0)
        setup(sender, CC1101[name], RAW, {0x06: 28, 0x08: 0})
        send(sender, burst(20), step_us=2 * byte_us(name))
        assert (made.get("1E 00", 20) == data(20)) == taken
        offset = made.world.air.log[0].frequency_hz - made.chip.modem().frequency_hz
        assert offset == pytest.approx(-2e-6 * 869.525e6, abs=60)


@pytest.mark.parametrize(
    ("foccfg", "offset_hz", "steps"),
    [
        (0x2E, 20e3, 13),
        (0x2E, -20e3, -13),
        (0x2E, 600, 0),
        (0x2E, 1000, 1),
        (0x2D, 33e3, 21),
        (0x2D, 35e3, 0),
        (0x2C, 12e3, 0),
    ],
)
def test_freqest_of_a_burst(foccfg, offset_hz, steps):
    """Steps of 1586.9 Hz, at most FOCCFG's limit (BW / 8 = 33.85 kHz), nothing without compensation."""
    world, board = cc1101(more={0x19: foccfg, 0x10: 0x6C})
    play(world, "UL-B4", burst(40), offset_hz=offset_hz - (868.35e6 - board.chip.modem().frequency_hz))
    sleep(board, 1000 + 20 * 64)
    raw = status(board, 0x32)
    assert (raw - 256 if raw > 127 else raw) == steps


# --- sub-carriers ---


def test_downlink_sub_carriers_are_separate():
    """40 kHz apart, the neighbour 60 dB stronger: nothing is heard of it, through 4.8 kHz as through 58 kHz."""
    for name in ("DL-B1", "DL-B2"):
        for other_hz in (40e3, -40e3):
            made = sx1262(name, size=20)
            board = made.world.add_board(name="second")
            setup(board, CC1101[name])
            listen(board)
            made.world.air.set_path_loss("weak", "receiver", 110)
            made.world.air.set_path_loss("weak", "second", 100)
            play(made.world, name, burst(20), source="weak", after_us=5000)
            play(made.world, name, burst(20, 5), offset_hz=other_hz, power=27)
            made.sleep(8000 + 29 * byte_us(name))
            assert made.get("1E 00", 20) == data(20)
            assert bytes(board.chip.rx_fifo)[:22] == burst(20)[6:]


UL_NARROW = "8B 01 90 00 09 0E 00 0A 3D"  # 14.6 kHz: one sub-carrier, two good oscillators


def test_uplink_sub_carriers_are_separate_for_a_filter_of_their_width():
    made = sx1262("UL-B1", size=20, modulation=UL_NARROW)
    play(made.world, "UL-B1", burst(20), after_us=5000)
    play(made.world, "UL-B1", burst(20, 5), offset_hz=15e3, power=27)
    made.sleep(8000 + 29 * 800)
    assert made.get("1E 00", 20) == data(20)


def test_uplink_sub_carriers_are_one_channel_for_a_wide_filter():
    """What is wide enough for +-20 kHz (58.6 or 67.7 kHz) cannot tell 15 kHz: the stronger is heard instead."""
    board = sx1262("UL-B1", size=20, options={"afc_fraction": 0.5})
    second = board.world.add_board(name="second")
    setup(second, CC1101["UL-B1"])
    listen(second)
    play(board.world, "UL-B1", burst(20), after_us=5000)
    play(board.world, "UL-B1", burst(20, 5), offset_hz=15e3, power=27, after_us=1000)
    board.sleep(8000 + 29 * 800)
    assert board.get("1E 00", 20) == data(20, 5)
    assert bytes(second.chip.rx_fifo)[2:22] == data(20, 5)


# --- sensitivity ---


def wrong_at(world, board, name, power_dbm):
    """Chip error rate of a burst that arrives with this power."""
    world.air.set_path_loss("other", "receiver", 10 - power_dbm)
    sent = play(world, name, burst(20), after_us=0)
    world.advance_us(1)
    assert sent in world.air.active
    return world.air.hear("receiver", board.chip.modem()).error_rate


@pytest.mark.parametrize(
    ("name", "too_wide_db"), [("DL-B1", 11.6), ("DL-B2", 8.6), ("DL-B3", 5.6), ("DL-B4", 1.5), ("UL-B4", 1.6)]
)
def test_cc1101_pays_for_its_wide_filter(name, too_wide_db):
    """Sheet 22, last row; 2.1 dB of it are in the noise figure. 0.33 % at an Ec/N0 of 10 dB (23)."""
    world, board = cc1101(name)
    loss = max(0.0, too_wide_db - 2.1)
    power = -174 + 10 + 10 * math.log10(NOMINAL[name][0]) + 10 + loss
    assert wrong_at(world, board, name, power) == pytest.approx(0.0034, rel=0.1)


@pytest.mark.parametrize("name", ["DL-B1", "DL-B2", "DL-B3", "DL-B4", "UL-B4"])
@pytest.mark.parametrize(
    ("ec_n0_db", "error_rate"), [(10.0, 0.0033), (9.4, 0.0066), (7.3, 0.034), (5.7, 0.078)]
)
def test_sx1262_is_a_non_coherent_receiver(name, ec_n0_db, error_rate):
    """Chip error rates of sheet 23 (ideal non-coherent FSK): the filter fits."""
    made = sx1262(name)
    power = -174 + 10 + 10 * math.log10(NOMINAL[name][0]) + ec_n0_db
    assert wrong_at(made.world, made.board, name, power) == pytest.approx(error_rate, rel=0.06)


# --- the SX1262 sends ---


@pytest.mark.parametrize(
    ("name", "rate", "deviation"),
    [
        ("UL-B1", 10e3, 2499.6),
        ("UL-B2", 10e3, 2499.6),
        ("UL-B3", 10e3, 2499.6),
        ("UL-B4", 125e3, 31250),
        ("DL-B1", 2e3, 1000.4),
        ("DL-B2", 4e3, 1999.9),
        ("DL-B3", 8e3, 3999.7),
        ("DL-B4", 23999.81, 12000.1),
    ],
)
def test_what_an_sx1262_sends(name, rate, deviation):
    """Sheet 22: exact rates, deviation within the limits, BT 0.5; preamble and sync word in the 64 bits of the register."""
    made = Bench(name="sender").start()
    chips = data(255)
    made.do("80 01", *SX1262[name], tx_packet(255), TX_SYNC, "08 02 01 02 01 00 00 00 00", "02 FF FF")
    made.do("0E 00 " + chips.hex(), "83 00 00 00")
    made.sleep(270 * byte_us(name))
    (sent,) = made.world.air.log
    assert sent.packed == b"\x55" + PREAMBLE + SYNC + chips
    assert sent.chip_rate_cps == pytest.approx(rate, rel=1e-6)
    assert sent.deviation_hz == pytest.approx(deviation, abs=0.06)
    assert sent.frequency_hz == pytest.approx(NOMINAL[name][1], abs=0.6)
    assert (sent.modulation, sent.bt) == ("2-GFSK", 0.5)
    assert sent.modulation_index == pytest.approx(0.5 if name.startswith("UL") else 1.0, rel=1e-3)
    assert made.faults == []


def test_modulation_index_of_a_cc1101():
    """0.508 at UL-B4, 0.516 at UL-B1 (sheet 22)."""
    for name, index in (("UL-B4", 0.508), ("UL-B1", 0.516)):
        world, board = cc1101(name)
        setup(board, CC1101[name], RAW, {0x06: 28, 0x08: 0})
        send(board, burst(20))
        assert world.air.log[0].modulation_index == pytest.approx(index, abs=5e-4)
        assert world.air.log[0].bt == 0.5


# --- long bursts into the SX1262 ---


@pytest.mark.parametrize(("name", "size"), [("DL-B1", 779), ("UL-B4", 794)])
def test_longest_burst_through_the_ring(name, size):
    """The stop register is kept ahead of the pointer until the last lap (SX1262 sheet 7.2): 3.1 s and 51 ms."""
    made = sx1262(name)
    sent = burst(size)
    play(made.world, name, sent)
    made.sleep(1000 + 10 * byte_us(name))
    assert made.irq() == 0x08
    got = bytearray()
    final = False
    while not made.irq() & 2:
        pointer = made.register(0x0803)
        if size - len(got) < 200 and not final:
            made.do("0D 06 BB {:02X}".format(size & 0xFF))
            final = True
        elif not final:
            made.do("0D 06 BB {:02X}".format(pointer - 1 & 0xFF))
        fresh = pointer - len(got) & 0xFF
        got += made.get("1E {:02X}".format(len(got) & 0xFF), fresh)
        made.sleep(30 * byte_us(name))
    got += made.get("1E {:02X}".format(len(got) & 0xFF), size - len(got))
    assert bytes(got) == sent[8:]
    assert (made.world.now_ns - made.world.air.log[0].end_ns) / 1000 < 40 * byte_us(name)


@pytest.mark.parametrize("timeout_us", [100_000, 600_000])
def test_timed_reception_of_a_burst_longer_than_its_timeout(timeout_us):
    """The timer ends with the sync word; a burst of a second at DL-B1 is received whole."""
    made = sx1262("DL-B1")
    made.do("80 01", "08 02 0A 02 0A 00 00 00 00", "82 {:06X}".format(int(timeout_us / 15.625)))
    play(made.world, "DL-B1", burst(255))
    made.sleep(1_100_000)
    assert made.irq() == 0x0A
    assert made.get("1E 00", 255) == data(255)


# --- every pairing ---


@pytest.mark.parametrize("name", NOMINAL)
def test_chips_hear_each_other(name):
    """All sub-modes both chips can set, back to back; the deviation of a CC1101 at DL-B1 (1587 Hz) still fits."""
    made = sx1262(name, size=28)
    cc = made.world.add_board(name="cc")
    for number in range(3):
        setup(cc, CC1101[name], RAW, {0x06: 36, 0x08: 0})
        send(cc, burst(28, number), step_us=2 * byte_us(name))
        start = made.chip.rx_start
        assert made.get("1E {:02X}".format(start), 28) == data(28, number)
    setup(cc, CC1101[name])
    for number in range(3):
        listen(cc)
        made.do("80 01", *SX1262[name], tx_packet(28), TX_SYNC, "02 FF FF")
        made.do("0E 00 " + data(28, number).hex(), "83 00 00 00")
        assert drain(cc, 30, step_us=2 * byte_us(name)) == SYNC[2:] + data(28, number)
        spi(cc, 0x36)
