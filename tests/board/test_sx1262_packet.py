"""Packet engine of the SX1262 model: detector, sync word, ring buffer, moving end, interrupts (sheet sections 2, 5 to 7)."""

import pytest
from omsnode.board.virtual import Transmission
from support_sx1262_bytes import (
    ALL_TO_DIO1,
    RX_FOREVER,
    T_FREQUENCY,
    T_MODULATION,
    T_RX_PACKET,
    T_RX_SYNC,
    Bench,
    chips_of,
    tx_packet,
)

T_HEAD = bytes([0, 1] * 19) + bytes([0, 0, 0, 0, 1, 1, 1, 1, 0, 1])  # 19 pairs and the ten sync chips


def data_of(size, seed=0):
    return bytes((seed + 29 * i + (i * i >> 4)) & 0xFF for i in range(size))


def play(made, data, head=T_HEAD, in_us=500, **settings):
    """A perfect T transmitter: head, data."""
    settings = {"chip_rate_cps": 100e3, "frequency_hz": 868.95e6, "deviation_hz": 50e3, **settings}
    chips = bytes(head) + chips_of(data)
    return made.world.air.transmit(Transmission(made.world.now_ns + in_us * 1000, chips, **settings))


def receiver(**settings):
    made = Bench(**settings).start().receive_t()
    made.board.take_edges()
    return made


# --- sending ---


@pytest.mark.parametrize("polarity, first", [(0x55, "01010101"), (0xAA, "10101010")])
def test_what_is_on_the_air(polarity, first):
    """8 bits of preamble in the chip's polarity, 64 bits of sync word as section 6.2 has them, then the payload."""
    made = Bench(options={"preamble_polarity": polarity}).start().transmit_t(b"\x58\xd3\x8b")
    made.sleep(2000)
    (sent,) = made.world.air.log
    expected = first + "01" * 27 + "0000111101" + "010110001101001110001011"
    assert "".join(map(str, sent.chips)) == expected
    assert sent.frequency_hz == pytest.approx(868_949_999.8, abs=0.1)
    assert sent.chip_rate_cps == 100_000
    assert sent.deviation_hz == pytest.approx(50_000.2, abs=0.1)
    assert sent.modulation == "2-FSK"
    assert sent.power_dbm == 14
    assert sent.end_ns - sent.start_ns == len(expected) * 10_000
    assert made.faults == []


@pytest.mark.parametrize(
    "modulation, rate, deviation, kind",
    [
        ("8B 00 7A 12 00 19 00 CC CD", 32768, 50000.2, "2-FSK"),
        ("8B 00 28 00 00 19 00 B8 52", 100000, 45000.1, "2-FSK"),
        ("8B 00 50 00 09 12 00 66 66", 50000, 24999.6, "2-GFSK"),
        ("8B 00 20 00 09 0A 00 80 00", 125000, 31250, "2-GFSK"),
        ("8B 01 90 00 09 0C 00 0A 3D", 10000, 2499.6, "2-GFSK"),
        ("8B 06 90 69 0B 14 00 02 75", 2380.3712, 599.9, "2-GFSK"),
    ],
)
def test_modulation_in_physical_quantities(modulation, rate, deviation, kind):
    made = Bench().start()
    made.do(T_FREQUENCY, modulation, tx_packet(1), "83 00 00 00")
    made.sleep(100_000)
    (sent,) = made.world.air.log
    assert sent.chip_rate_cps == pytest.approx(rate, rel=1e-6)
    assert sent.deviation_hz == pytest.approx(deviation, abs=0.1)
    assert sent.modulation == kind


@pytest.mark.parametrize(
    "pa, power, dbm",
    [
        ("95 04 07 00 01", "16", 22),
        ("95 03 05 00 01", "16", 20),
        ("95 02 03 00 01", "16", 17),
        ("95 02 02 00 01", "16", 14),
        ("95 02 02 00 01", "12", 10),
        ("95 04 07 00 01", "F7", -9),
    ],
)
def test_power(pa, power, dbm):
    made = Bench().start()
    made.do(pa, "8E {} 02".format(power))
    made.transmit_t(b"x")
    assert made.world.air.log[0].power_dbm == dbm


def test_a_pa_setting_outside_the_table():
    made = Bench().start()
    made.do("95 07 07 00 01")
    made.transmit_t(b"x")
    assert made.faults == ["PA setting not in table 13-21"]


def test_crystal_error_shifts_everything():
    made = Bench(crystal_ppm=-10).start().transmit_t(b"x")
    sent = made.world.air.log[0]
    assert sent.frequency_hz == pytest.approx(868.95e6 * (1 - 10e-6), abs=1)
    assert sent.chip_rate_cps == pytest.approx(99_999, abs=0.01)


def test_chapter_15_1_and_15_2():
    made = Bench(options={"mismatch_loss_db": 5}).start()
    made.do("0D 08 89 00", "0D 08 D8 C8")
    made.transmit_t(bytes(200))
    made.sleep(20_000)
    assert made.faults == [
        "SetTx without bit 2 of 0889 (chapter 15.1)",
        "SetTx without 1E in 08D8 (chapter 15.2)",
    ]
    sent = made.world.air.log[0]
    assert sum(sent.chips[72:]) > 3  # 1 % of 1600 zeros
    assert sent.power_dbm == 9
    made = Bench(options={"poor_modulation": 0.0}).start()
    made.do("0D 08 89 00")
    made.transmit_t(bytes(200))
    made.sleep(20_000)
    assert sum(made.world.air.log[0].chips[72:]) == 0


@pytest.mark.parametrize("latched", [True, False])
def test_payload_length_is_latched(latched):
    made = Bench(options={"payload_latched": latched}).start().transmit_t(bytes(20))
    made.do("0D 06 BB 28")
    made.sleep(6000)
    assert len(made.world.air.log[0].chips) == 72 + (160 if latched else 320)


def test_the_payload_is_read_round_the_ring():
    made = Bench().start()
    made.do("8F F0 00", "0E F0 " + bytes(range(32)).hex())
    made.do(T_FREQUENCY, T_MODULATION, tx_packet(32), "83 00 00 00")
    made.sleep(5000)
    assert made.world.air.log[0].chips[72:] == chips_of(bytes(range(32)))
    assert made.register(0x0802) == 0x10


def test_a_command_cuts_the_transmission():
    made = Bench().start().transmit_t(bytes(200))
    made.sleep(5000)
    made.do("80 00")
    made.sleep(20_000)
    sent = made.world.air.log[0]
    assert sent.end_ns is not None and len(sent.chips) < 700
    assert made.irq() == 0


def test_infinite_preamble_and_carrier():
    made = Bench().start()
    made.do(T_FREQUENCY, T_MODULATION, tx_packet(1), "D2")
    made.sleep(10_000)
    made.do("80 00", "D1")
    made.sleep(10_000)
    made.do("80 00")
    preamble, carrier = made.world.air.log
    assert len(preamble.chips) > 900 and set(preamble.chips[::2]) == {0}
    assert carrier.deviation_hz == 0 and carrier.end_ns is not None


# --- the detector and the sync word ---


def test_interrupts_of_a_packet():
    """Preamble after eight alternating chips, sync word, RxDone after 255 bytes: frame and noise [7.1]."""
    made = Bench().start().receive_t(ALL_TO_DIO1)
    sent = play(made, data_of(40))
    start = sent.start_ns
    made.sleep(500 + 85)
    assert made.irq() == 0x04
    made.sleep(420)
    assert made.irq() == 0x0C
    made.world.advance(start + (48 + 8 * 255) * 10_000 - 1000)
    assert made.chip.irq == 0x0C
    made.sleep(2)
    assert made.irq() == 0x0E
    assert made.get("13", 2) == bytes([255, 0])
    assert made.get("1E 00", 40) == data_of(40)


def test_dio1_is_the_or_of_what_is_mapped_to_it():
    made = receiver()
    made.do("08 43 FF 00 02 00 00 00 00", "0D 06 BB 0A")
    play(made, data_of(10))
    edges, _ = made.board.wait(made.board.now_us() + 30_000)
    assert [edge[:2] for edge in edges] == [("dio1", 1)]
    assert made.irq() == 0x0E
    made.do("02 00 02")
    assert made.board.take_edges()[0][0][:2] == ("dio1", 0)
    assert made.irq() == 0x0C


def test_an_unmasked_interrupt_is_never_latched():
    made = receiver()
    made.do("08 00 02 43 FF 00 00 00 00", "0D 06 BB 0A")
    play(made, data_of(10))
    made.sleep(3000)
    assert made.irq() == 0x02


def test_no_edge_while_dio1_is_high():
    """SyncWordValid is not cleared: RxDone makes no edge, and no later packet does."""
    made = receiver()
    made.do("0D 06 BB 0A")
    play(made, data_of(10))
    made.sleep(3000)
    assert [edge[1] for edge in made.board.take_edges()[0]] == [1]
    play(made, data_of(10))
    made.sleep(3000)
    assert made.board.take_edges() == ([], 0)
    assert made.board.pins["dio1"].read() == 1
    made.do("02 FF FF")
    assert [edge[1] for edge in made.board.take_edges()[0]] == [0]
    play(made, data_of(10))
    made.sleep(3000)
    assert [edge[1] for edge in made.board.take_edges()[0]] == [1]


def test_edges_carry_the_time_of_the_event():
    made = receiver()
    sent = play(made, data_of(10))
    edges, _ = made.board.wait(made.board.now_us() + 30_000)
    assert edges == [("dio1", 1, (sent.start_ns + 480_000) // 1000)]


@pytest.mark.parametrize("detector, pairs, heard", [("04", 5, True), ("05", 5, False), ("05", 12, True)])
def test_detector_length_against_the_preamble(detector, pairs, heard):
    """16 bits of detector and a short preamble do not go together [5]."""
    made = Bench().start()
    packet = "8C 00 10 {} 10 00 00 FF 01 00".format(detector)
    made.do("80 01", T_FREQUENCY, T_MODULATION, packet, T_RX_SYNC, ALL_TO_DIO1, RX_FOREVER)
    play(made, data_of(20), head=bytes([0, 0, 0]) + bytes([0, 1] * pairs) + T_HEAD[38:])
    made.sleep(2000)
    assert bool(made.irq() & 8) == heard


def test_without_detector():
    made = Bench().start()
    packet = "8C 00 10 00 10 00 00 FF 01 00"
    made.do("80 01", T_FREQUENCY, T_MODULATION, packet, T_RX_SYNC, ALL_TO_DIO1, RX_FOREVER)
    play(made, data_of(20), head=bytes([1, 1, 0, 0]) + chips_of(b"\x54\x3d"))
    made.sleep(2000)
    assert made.irq() == 0x08


@pytest.mark.parametrize(
    "bits, sync, heard",
    [
        (16, "54 3D", True),
        (24, "55 54 3D", True),
        (10, "0F 40", True),
        (10, "0F 7F", True),  # what is behind the length does not count
        (18, "55 0F 7F", True),
        (18, "AA 0F 7F", False),
        (24, "55 54 3C", False),
    ],
)
def test_sync_words_of_any_length(bits, sync, heard):
    made = Bench().start()
    packet = "8C 00 10 04 {:02X} 00 00 08 01 00".format(bits)
    made.do("80 01", T_FREQUENCY, T_MODULATION, packet, "0D 06 C0 " + sync, ALL_TO_DIO1, RX_FOREVER)
    play(made, data_of(8))
    made.sleep(2000)
    assert (made.irq() & 2 and made.get("1E 00", 8) == data_of(8)) == heard


@pytest.mark.parametrize("allowed", [0, 1, 2])
@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_wrong_bits_in_the_sync_word(allowed, wrong):
    made = receiver(options={"sync_errors_allowed": allowed})
    head = bytearray(T_HEAD)
    for i in range(wrong):
        head[-1 - i] ^= 1
    play(made, data_of(8), head=head)
    made.sleep(500 + 485)
    assert bool(made.irq() & 8) == (wrong <= allowed)


@pytest.mark.parametrize("limit", [0.02, 0.065, 0.12])
def test_pull_of_the_bit_synchroniser(limit):
    for rate, heard in ((90e3, limit >= 0.1), (95e3, limit >= 0.05), (101e3, True), (111e3, limit >= 0.11)):
        made = receiver(options={"rate_limit": limit})
        play(made, data_of(8), chip_rate_cps=rate)
        made.sleep(2000)
        assert bool(made.irq() & 8) == heard


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5])
def test_offsets_followed(fraction):
    for offset, heard in ((20e3, True), (60e3, fraction >= 0.25)):
        made = receiver(options={"afc_fraction": fraction})
        play(made, data_of(8), frequency_hz=868.95e6 + offset)
        made.sleep(2000)
        assert bool(made.irq() & 8) == heard


@pytest.mark.parametrize("how", ["estimate", "zero"])
def test_frequency_offset_register(how):
    """f = cfo x fs / 4096 with fs = 32 MHz / (12 x 4) at 312 kHz: 667 kHz, and 4 times interpolated above 83 kcps."""
    made = receiver(options={"cfo_register": how})
    play(made, data_of(8), frequency_hz=868.95e6 - 10e3)
    made.sleep(2000)
    cfo = int.from_bytes(made.get("1D 06 B0", 2), "big")
    cfo -= (cfo & 0x800) << 1
    assert cfo == (0 if how == "zero" else round(-10e3 * 4096 / (32e6 / 48 * 2)))


def test_noise_makes_false_syncs_where_the_air_says_so():
    counts = []
    for detector in ("00", "04"):
        made = Bench().start()
        made.world.air.noise_syncs = True
        packet = "8C 00 10 {} 10 00 00 01 01 00".format(detector)
        made.do("80 01", T_FREQUENCY, T_MODULATION, packet, T_RX_SYNC, ALL_TO_DIO1, RX_FOREVER)
        made.sleep(60_000_000)
        counts.append(made.chip.stats[0])
    assert 60 <= counts[0] <= 130  # 100 kcps / 65536 x 60 s = 92
    assert 5 <= counts[1] < counts[0] / 2


# --- ring and moving end [7.2] ---


def test_stop_written_ahead_ends_the_packet_exactly_there():
    made = receiver()
    sent = play(made, data_of(100))
    made.sleep(500 + 480 + 50 * 80)
    made.do("0D 06 BB 64")
    made.world.advance(sent.start_ns + (48 + 800) * 10_000 - 1000)
    assert made.chip.irq == 0x08
    made.sleep(2)
    assert made.irq() == 0x0A
    assert made.get("13", 2) == bytes([100, 0])
    assert made.get("1E 00", 100) == data_of(100)
    assert made.chip.mode == "RX"  # continuous
    assert made.faults == []


def test_the_base_moves_to_the_end_of_each_packet():
    """The next frame does not start at 0: start + length is the next base [7.2]."""
    made = receiver()
    starts = []
    for size in (100, 90, 120):
        made.do("0D 06 BB {:02X}".format(size))
        play(made, data_of(size, seed=size))
        made.sleep(20_000)
        length, start = made.get("13", 2)
        assert length == size
        assert made.get("1E {:02X}".format(start), size) == data_of(size, seed=size)
        assert made.register(0x0803) == (start + length) & 0xFF
        starts.append(start)
    assert starts == [0, 100, 190]


def stream(made, data, base, limit=200):
    """The recipe of section 7.2: keep 06BB ahead, read what is there, write the last stop early enough."""
    got = bytearray()
    stopped = False
    for _ in range(limit):
        made.sleep(3000)
        ready = (made.register(0x0803) - base - len(got)) & 0xFF
        if ready:
            got += made.get("1E {:02X}".format((base + len(got)) & 0xFF), ready)
        left = len(data) - len(got)
        if left <= 0:
            return bytes(got[: len(data)])
        if left < 200 and not stopped:
            made.do("0D 06 BB {:02X}".format(len(data) & 0xFF))
            stopped = True
        elif not stopped:
            made.do("0D 06 BB {:02X}".format((made.register(0x0803) - 1 - base) & 0xFF))
    raise AssertionError("only {} bytes".format(len(got)))


@pytest.mark.parametrize("size", [255, 256, 257, 300, 435, 580])
def test_packets_beyond_255_bytes(size):
    made = receiver()
    base = 0
    for seed in range(2):
        made.do("0D 06 BB FF")
        data = data_of(size, seed)
        play(made, data)
        assert stream(made, data, base) == data
        made.sleep(200)
        assert made.irq() == 0x0A
        length, start = made.get("13", 2)
        assert (length, start) == (size & 0xFF, base)
        base = (start + length) & 0xFF
        made.do("02 FF FF")
    assert made.faults == []


def test_a_loop_slower_than_a_lap_loses_the_packet():
    made = receiver()
    play(made, data_of(600))
    made.sleep(500 + 480 + 80 * 200)
    made.do("0D 06 BB {:02X}".format((made.register(0x0803) - 1) & 0xFF))
    made.sleep(253 * 80)
    assert made.irq() == 0x08
    made.sleep(3 * 80)
    assert made.irq() == 0x0A


def test_a_stop_behind_the_pointer_waits_for_the_next_lap():
    made = receiver()
    play(made, data_of(600))
    made.sleep(500 + 480 + 80 * 60)
    made.do("0D 06 BB 20")
    made.sleep(80 * 220)
    assert made.irq() == 0x08
    made.sleep(80 * 20)
    assert made.irq() == 0x0A
    assert made.get("13", 2) == bytes([0x20, 0])


@pytest.mark.parametrize("how", ["next_lap", "at_once"])
def test_a_stop_just_at_the_pointer(how):
    made = receiver(options={"stop_behind": how})
    play(made, data_of(300))
    made.sleep(500 + 480 + 80 * 50 + 10)
    made.spi("0D 06 BB 32")
    assert bool(made.irq() & 2) == (how == "at_once")


@pytest.mark.parametrize("lead", [0, 2, 8])
def test_a_stop_written_late_is_missed(lead):
    made = receiver(options={"stop_lead_bytes": lead})
    play(made, data_of(300))
    made.sleep(500 + 480 + 80 * 45 + 10)
    made.spi("0D 06 BB 32")  # five bytes ahead
    made.sleep(80 * 20)
    assert bool(made.irq() & 2) == (lead < 5)
    made.sleep(80 * 256)
    assert made.irq() & 2


@pytest.mark.parametrize("how", ["never", "set_rx", "packet"])
def test_does_the_stop_go_back_to_the_payload_length(how):
    made = receiver(options={"stop_reload": how})
    made.do("0D 06 BB 0A")
    play(made, data_of(10))
    made.sleep(5000)
    assert made.register(0x06BB) == (0xFF if how == "packet" else 0x0A)
    made.do("80 01", RX_FOREVER)
    assert made.register(0x06BB) == (0x0A if how == "never" else 0xFF)


@pytest.mark.parametrize("how, base", [("programmed", 16), ("kept", 36), ("pointer", 46)])
def test_where_set_rx_begins(how, base):
    made = receiver(options={"rx_base": how})
    made.do("80 01", "8F 00 10", RX_FOREVER, "0D 06 BB 14")
    play(made, data_of(20))
    made.sleep(5000)
    assert made.get("13", 2) == bytes([20, 16])
    made.do("0D 06 BB FF")
    play(made, data_of(20))
    made.sleep(500 + 480 + 80 * 10 + 20)
    made.do("80 01", RX_FOREVER, "0D 06 BB 05")
    play(made, data_of(5), in_us=3000)
    made.sleep(8000)
    assert made.get("13", 2) == bytes([5, base])


def test_single_rx_falls_back_after_rxdone():
    made = Bench().start()
    made.do(
        "80 01", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC, ALL_TO_DIO1, "82 00 00 00", "0D 06 BB 0A"
    )
    play(made, data_of(10))
    made.sleep(5000)
    assert made.status() == 0x80 | 3 << 4 | 2 << 1  # STDBY_XOSC, data available
    assert made.irq() == 0x0E


def test_timer_stops_with_the_sync_word_or_the_preamble():
    for stop_on, head, timeout in (
        ("00", T_HEAD, False),
        ("01", bytes([0, 1] * 300), False),
        ("00", bytes([0, 1] * 300), True),
    ):
        made = Bench().start()
        made.do("80 01", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC, ALL_TO_DIO1, "9F " + stop_on)
        play(made, data_of(100), head=head, in_us=500)
        made.do("82 00 01 00")  # 4 ms
        made.sleep(5500)
        assert bool(made.irq() & 0x200) == timeout


@pytest.mark.parametrize("survives", [False, True])
@pytest.mark.parametrize("workaround", [False, True])
def test_chapter_15_3(survives, workaround):
    made = Bench(options={"timer_survives_rxdone": survives}).start()
    made.do("80 01", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC, ALL_TO_DIO1, "0D 06 BB 0A")
    play(made, data_of(10), in_us=2000)
    made.do("82 00 05 00")  # 20 ms
    made.sleep(6000)
    assert made.irq() & 2
    if workaround:
        made.do("0D 09 02 00", "0D 09 44 02")
    made.do("02 FF FF", RX_FOREVER)
    made.sleep(30_000)
    assert (made.chip.mode != "RX") == (survives and not workaround)
    assert bool(made.irq() & 0x200) == (survives and not workaround)


# --- RSSI ---


def test_rssi():
    made = receiver()
    quiet = made.get("15", 1)[0]
    assert -110 <= -quiet / 2 <= -100
    made.do("0D 06 BB 14")
    play(made, data_of(20), power_dbm=10, source="far")
    made.world.air.set_path_loss("far", "board0", 90)
    made.sleep(500 + 480 + 800)
    assert made.get("15", 1)[0] == 160  # -80 dBm
    assert made.register(0x06CA) == 160
    made.sleep(2000)
    assert made.get("14", 3) == bytes([0x02, 160, 160])
    assert made.get("10", 6) == bytes([0, 1, 0, 0, 0, 0])
    made.do("00" + "00" * 6)
    assert made.get("10", 6) == bytes(6)


@pytest.mark.parametrize("how", ["kept", "zero"])
def test_packet_status_in_standby(how):
    made = receiver(options={"packet_status_in_standby": how})
    made.do("0D 06 BB 14")
    play(made, data_of(20))
    made.sleep(5000)
    made.do("80 01")
    assert (made.get("14", 3)[1] == 0) == (how == "zero")


def test_gain_register():
    made = receiver(options={"boost_db": 2})
    assert made.chip.receive_loss_db() == 0
    made.do("0D 08 AC 94")
    assert made.chip.receive_loss_db() == 2
    for lost in (False, True):
        made = Bench(options={"gain_lost_by_packet_type": lost}).start()
        made.do("80 00", "8A 00")
        assert made.register(0x08AC) == (0x94 if lost else 0x96)


# --- CRC, whitening, length, address: the engine between two chips of its kind ---


def pair(packet, sync="0D 06 C0 93 0B 51 DE", **options):
    from omsnode.board.virtual import World

    world = World(seed=3)
    made = [Bench(world, name=name, options=options).start() for name in ("a", "b")]
    for bench in made:
        bench.do("80 01", T_FREQUENCY, T_MODULATION, packet, sync, ALL_TO_DIO1, "02 FF FF")
    made[1].do(RX_FOREVER)
    return made


@pytest.mark.parametrize("crc, size", [("01", 0), ("00", 1), ("02", 2), ("04", 1), ("06", 2)])
@pytest.mark.parametrize("white", ["00", "01"])
@pytest.mark.parametrize("variable", ["00", "01"])
def test_crc_whitening_and_variable_length(crc, size, white, variable):
    a, b = pair("8C 00 20 05 20 00 {} 14 {} {}".format(variable, crc, white))
    a.do("0E 00 " + data_of(20).hex(), "83 00 00 00")
    a.sleep(8000)
    assert b.irq() == 0x0E
    assert b.get("13", 2) == bytes([20, 0])
    assert b.get("1E 00", 20) == data_of(20)
    chips = a.world.air.log[0].chips
    assert len(chips) == 32 + 32 + 8 * (20 + size + int(variable))
    assert (bytes(chips[-8 * (20 + size) :][:160]) == chips_of(data_of(20))) == (white == "00")


def test_crc16_is_the_ccitt_one():
    """Check value of CRC-16/SPI-FUJITSU (seed 1D0F, polynomial 1021): 123456789 gives E5CC."""
    a, _ = pair("8C 00 20 05 20 00 00 09 02 00")
    a.do("0E 00 " + b"123456789".hex(), "83 00 00 00")
    a.sleep(5000)
    assert bytes(a.world.air.log[0].chips[-16:]) == chips_of(b"\xe5\xcc")


def test_a_wrong_crc():
    made = Bench().start()
    made.do(
        "80 01",
        T_FREQUENCY,
        T_MODULATION,
        "8C 00 10 04 10 00 00 08 02 00",
        T_RX_SYNC,
        ALL_TO_DIO1,
        RX_FOREVER,
    )
    play(made, data_of(10))
    made.sleep(5000)
    assert made.irq() == 0x4E
    assert made.get("14", 3)[0] == 0x12
    assert made.get("10", 6)[3] == 1


def test_addresses():
    for check, address, heard in (
        ("01", 0x42, True),
        ("01", 0xFF, False),
        ("02", 0xFF, True),
        ("01", 0x43, False),
    ):
        made = Bench().start()
        packet = "8C 00 10 04 10 {} 00 08 01 00".format(check)
        made.do(
            "80 01", T_FREQUENCY, T_MODULATION, packet, T_RX_SYNC, "0D 06 CD 42 FF", ALL_TO_DIO1, RX_FOREVER
        )
        play(made, bytes([address]) + data_of(7))
        made.sleep(5000)
        assert bool(made.irq() & 2) == heard


def test_a_length_byte_above_the_limit():
    made = Bench().start()
    packet = "8C 00 10 04 10 00 01 20 01 00"
    made.do("80 01", T_FREQUENCY, T_MODULATION, packet, T_RX_SYNC, ALL_TO_DIO1, RX_FOREVER)
    play(made, bytes([0x21]) + data_of(60))
    made.sleep(8000)
    assert not made.irq() & 2
    assert made.get("10", 6)[5] == 1


def test_inverted_receive_data():
    made = receiver()
    made.do("80 01", "0D 06 AC 20", RX_FOREVER, "0D 06 BB 08")
    play(made, bytes(value ^ 0xFF for value in data_of(8)), head=bytes(1 - chip for chip in T_HEAD))
    made.sleep(5000)
    assert made.get("1E 00", 8) == data_of(8)
