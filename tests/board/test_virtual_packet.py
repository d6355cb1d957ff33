"""Packet engine, FIFOs and their errata (CC1101 sheet sections 5, 6): one model sends, another hears."""

import random

import pytest
from omsnode.board.virtual import Transmission, World, unpack
from support_cc1101_bytes import (
    C_TX,
    RAW_TX,
    S_RX,
    S_TX,
    T_RX,
    T_TX,
    drain,
    listen,
    marc,
    send,
    setup,
    sleep,
    spi,
    status,
    strobe,
)

FIXED = {0x08: 0x00}
INFINITE = {0x08: 0x02}
EXACT = {"corrupt_reads": 0.0, "duplicate_byte": "never"}


def pair(tx=T_TX, rx=T_RX, options=None, seed=1, **more):
    world = World(seed=seed)
    sender, receiver = world.add_board(name="sender"), world.add_board(name="receiver", options=options)
    setup(sender, tx, FIXED, more.pop("tx_more", {}))
    setup(receiver, rx, more.pop("rx_more", {}))
    return world, sender, receiver


def play(world, packed, rate=100000, frequency=868.95e6, deviation=50e3, after_us=100, **more):
    """A ready-made transmission; returns it."""
    return world.air.transmit(
        Transmission(world.now_ns + after_us * 1000, unpack(packed), rate, frequency, deviation, **more)
    )


# --- sending ---


@pytest.mark.parametrize(
    ("index", "count"), [(0, 2), (1, 3), (2, 4), (3, 6), (4, 8), (5, 12), (6, 16), (7, 24)]
)
def test_preamble_sync_data_on_the_air(index, count):
    world, sender, _ = pair(tx_more={0x13: index << 4 | 2, 0x06: 5})
    send(sender, b"\x01\x02\x03\xfe\xff")
    assert world.air.log[0].packed == b"\xaa" * count + b"\x54\x3d\x01\x02\x03\xfe\xff"


def test_sync_word_twice():
    world, sender, _ = pair(tx_more={0x12: 0x03, 0x06: 1})
    send(sender, b"\x77")
    assert world.air.log[0].packed == bytes.fromhex("aaaaaaaa543d543d77")


def test_raw_stream():
    """SYNC_MODE 0: no preamble, no sync; the FIFO is the complete stream. GDO 06 is not driven."""
    world, sender, _ = pair(tx_more={**RAW_TX, 0x06: 7})
    sender.take_edges()
    send(sender, bytes.fromhex("55555543 d20100"))
    assert world.air.log[0].packed == bytes.fromhex("55555543d20100")
    assert [edge for edge in sender.take_edges()[0] if edge[0] == "gdo2"] == []


def test_signal_has_the_registers_quantities():
    world, sender, _ = pair(tx=C_TX, tx_more={0x06: 3})
    send(sender, b"abc")
    sent = world.air.log[0]
    assert (round(sent.frequency_hz), round(sent.chip_rate_cps), round(sent.deviation_hz)) == (
        868950104, 99976, 44434,
    )  # fmt: skip
    assert (sent.modulation, sent.power_dbm, sent.source) == ("2-FSK", 10, "sender")
    assert sent.end_ns - sent.start_ns == pytest.approx(9 * 8 / 99975.586 * 1e9, abs=2)


def test_preamble_goes_on_until_the_first_byte():
    world, sender, _ = pair(tx_more={0x06: 2})
    strobe(sender, 0x35)
    sleep(sender, 800 + 3000)
    spi(sender, 0x7F, 9, 8)
    sleep(sender, 2000)
    packed = world.air.log[0].packed
    assert packed.endswith(b"\x54\x3d\x09\x08") and set(packed[:-4]) == {0xAA} and 36 < len(packed) - 4 < 42


def test_underflow():
    world, sender, _ = pair(tx_more={0x06: 100})
    spi(sender, 0x00, 0x05)
    spi(sender, 0x7F, *range(10))
    strobe(sender, 0x35)
    sleep(sender, 5000)
    assert marc(sender) == 0x16 and spi(sender, 0x3D)[0] >> 4 == 7
    assert status(sender, 0x3A) == 0x80 and sender.pins["gdo2"].read() == 1
    assert world.air.log[0].packed == b"\xaa\xaa\xaa\xaa\x54\x3d" + bytes(range(10))
    strobe(sender, 0x35)
    assert marc(sender) == 0x16
    strobe(sender, 0x3B)
    assert marc(sender) == 0x01 and status(sender, 0x3A) == 0


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_underflow_may_cut_the_last_byte(cut):
    world, sender, _ = pair(tx_more={**RAW_TX, 0x06: 100})
    sender.chip.options.underflow_chips_cut = cut
    send(sender, b"\xff\xff\xff")
    assert len(world.air.log[0].chips) == 24 - cut


def test_sidle_cuts_the_transmission():
    world, sender, _ = pair(tx_more={**INFINITE, **RAW_TX})
    spi(sender, 0x7F, *bytes(60))
    strobe(sender, 0x35)
    sleep(sender, 800 + 1000)
    strobe(sender, 0x36)
    assert 98 <= len(world.air.log[0].chips) <= 104
    assert world.air.active == []


def test_sidle_in_the_first_half_of_a_byte_may_send_one_more():
    lengths = []
    for setting in ("never", "first_half"):
        world, sender, _ = pair(tx_more={**INFINITE, **RAW_TX})
        sender.chip.options.tx_off_extra_byte = setting
        spi(sender, 0x7F, *bytes(60))
        sender.chip.transfer_ns = 0
        strobe(sender, 0x35)
        while not world.air.log:
            world.advance(world.now_ns + 100)
        world.advance(world.air.log[0].time_ns(82) - 2000)  # SIDLE acts 2 us later, with the byte
        strobe(sender, 0x36)
        sleep(sender, 1000)
        lengths.append(len(world.air.log[0].chips))
        assert world.air.active == []
    assert lengths == [82, 96]


def test_gdo2_frames_the_packet():
    """GDO 06: high when the sync word has been sent or received, low at the end of the packet."""
    world, sender, receiver = pair(tx_more={0x06: 20}, rx_more={0x08: 0x00, 0x06: 20})
    listen(receiver)
    sender.take_edges(), receiver.take_edges()
    send(sender, bytes(20), 50)
    sent = world.air.log[0]
    for board in (sender, receiver):
        times = [at for line, _, at in board.take_edges()[0] if line == "gdo2"]
        assert times == [sent.time_ns(48) // 1000, sent.time_ns(48 + 160) // 1000]


# --- receiving ---


@pytest.mark.parametrize("size", [2, 20, 255, 256, 290, 435, 580])
def test_bit_exact_from_chip_to_chip(size):
    """T: TI's own sets (103 kBaud receive, 100 kBaud send), streaming both ways, infinite mode switched to fixed."""
    data = random.Random(size).randbytes(size)
    for tx, rx in ((T_TX, T_RX), (S_TX, S_RX)):
        world, sender, receiver = pair(
            tx, rx, options=EXACT, tx_more=INFINITE if size > 255 else {0x06: size}
        )
        data = b"\x96" + data[1:] if tx is S_TX else data  # S: the second half of its sync is the first byte
        listen(receiver)
        strobe(sender, 0x3B)
        spi(sender, 0x06, size & 0xFF)
        spi(sender, 0x7F, *data[:64])
        strobe(sender, 0x35)
        sent, got, wanted = 64, bytearray(), data if tx is T_TX else data[1:]
        for _ in range(1000):
            sleep(sender, 300)
            free = min(64 - len(sender.chip.tx_fifo), size - sent)
            if free > 0:
                spi(sender, 0x7F, *data[sent : sent + free])
                sent += free
            if size > 255 and size - sent < 192:
                spi(sender, 0x08, 0x00)
            ready = len(receiver.chip.rx_fifo)
            if ready:
                got += spi(receiver, 0xFF, *bytes(ready))[1:]
            if len(got) >= len(wanted):
                break
        assert bytes(got[: len(wanted)]) == wanted
        sleep(sender, 2000)
        assert sender.chip.marc == 0x01 and not sender.chip.violations


@pytest.mark.parametrize(
    ("mode", "wrong", "heard"),
    [
        (1, 0x0000, True),
        (1, 0x0100, True),
        (1, 0x0101, False),
        (2, 0x0000, True),
        (2, 0x0001, False),
    ],
)
def test_sync_15_and_16_of_16(mode, wrong, heard):
    world, _, receiver = pair(rx_more={0x12: mode})
    listen(receiver)
    word = (0x543D ^ wrong).to_bytes(2, "big")
    play(world, b"\x55" * 4 + word + bytes.fromhex("00112233445566778899"))
    sleep(receiver, 3000)
    got = status(receiver, 0x3B)
    assert (got > 0) == heard
    if heard:
        assert drain(receiver, 10) == bytes.fromhex("00112233445566778899")


@pytest.mark.parametrize(
    ("second", "wrong", "heard"), [(0x543D, 0, True), (0x543D, 0x0101, True), (0x54CD, 0, False)]
)
def test_sync_30_of_32(second, wrong, heard):
    """Sheet 6.2: mode 3 matches 543D543D, and with two wrong bits, but not 543D54CD (four bits differ)."""
    world, _, receiver = pair(rx_more={0x12: 0x03})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d" + (second ^ wrong).to_bytes(2, "big") + bytes(10))
    sleep(receiver, 3000)
    assert (status(receiver, 0x3B) > 0) == heard


def test_bytes_begin_behind_the_sync_whatever_came_before():
    for bits in range(8):
        world, _, receiver = pair()
        listen(receiver)
        chips = bytearray([0, 1] * 20 + [1] * bits) + unpack(bytes.fromhex("543d123456"))
        world.air.transmit(Transmission(world.now_ns + 1000, chips, 100e3, 868.95e6, 50e3))
        sleep(receiver, 3000)
        assert bytes(receiver.chip.rx_fifo)[:3] == b"\x12\x34\x56"


def test_noise_follows_the_signal_and_no_new_sync_is_found():
    world, _, receiver = pair()
    spi(receiver, 0x02, 0x01)
    listen(receiver)
    play(world, bytes.fromhex("55555555543d010203"))
    sleep(receiver, 500)
    play(world, bytes.fromhex("55555555543d0a0b0c"), after_us=2000)
    sleep(receiver, 1000)
    assert status(receiver, 0x3B) & 0x7F > 3  # noise fills the FIFO at the receiver's own rate
    assert receiver.chip.in_packet == 1
    sleep(receiver, 10000)
    assert marc(receiver) == 0x11 and receiver.chip.in_packet == 0
    data = spi(receiver, 0xFF, *bytes(64))[1:]
    assert data[:3] == b"\x01\x02\x03"
    # after a restart it hears again
    strobe(receiver, 0x36)
    strobe(receiver, 0x3A)
    strobe(receiver, 0x34)
    sleep(receiver, 900)
    play(world, bytes.fromhex("55555555543d0a0b0c"))
    sleep(receiver, 1050)
    assert drain(receiver, 3, 10) == b"\x0a\x0b\x0c"


def test_late_host_loses_data_exactly_when_the_fifo_is_full():
    """64 bytes at 100 kcps are 5.12 ms; the 65th byte, 80 us later, finds no room."""
    world, _, receiver = pair(rx_more={0x00: 0x04, 0x02: 0x06})
    listen(receiver)
    sent = play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(range(200)))
    receiver.take_edges()
    sleep(receiver, 20000)
    times = {(line, level): at for line, level, at in receiver.take_edges()[0]}
    sync = sent.time_ns(48) // 1000
    assert times["gdo0", 1] == sync
    assert times["gdo2", 1] - sync == 5120 + 80
    assert status(receiver, 0x3B) == 0x80 | 64
    assert spi(receiver, 0x3D)[0] >> 4 == 6
    assert spi(receiver, 0xFF, *bytes(64))[1:] == bytes(range(64))
    strobe(receiver, 0x3A)
    assert marc(receiver) == 0x01 and receiver.pins["gdo2"].read() == 0


@pytest.mark.parametrize(("late_us", "lost"), [(5100, False), (5300, True)])
def test_one_service_just_in_time_or_too_late(late_us, lost):
    world, _, receiver = pair(options=EXACT)
    listen(receiver)
    sent = play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(range(100)))
    world.advance(sent.time_ns(48) + late_us * 1000 - 11_000)
    first = spi(receiver, 0xFF, *bytes(60))[1:]
    sleep(receiver, 4000)
    assert first == bytes(range(60))
    assert (marc(receiver) == 0x11) == lost
    assert len(receiver.chip.rx_fifo) == (4 if lost else 40) or not lost


def test_overflow_state_may_not_be_entered():
    world, _, receiver = pair(options={"overflow_state": False})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(200))
    sleep(receiver, 10000)
    assert marc(receiver) == 0x0D and status(receiver, 0x3B) == 64


@pytest.mark.parametrize(("code", "edges"), [(0x00, [1, 0]), (0x01, [1]), (0x07, [])])
def test_rx_threshold_pins(code, edges):
    """00 falls below the threshold, 01 only when the FIFO is empty."""
    world, _, receiver = pair(rx_more={0x02: code, 0x08: 0x00, 0x06: 40})
    listen(receiver)
    receiver.take_edges()
    play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(40))
    sleep(receiver, 5000)
    spi(receiver, 0xFF, *bytes(20))
    assert [level for line, level, _ in receiver.take_edges()[0] if line == "gdo0"] == edges
    spi(receiver, 0xFF, *bytes(20))
    assert receiver.pins["gdo0"].read() == 0


def test_end_of_packet_raises_pin_01():
    world, _, receiver = pair(rx_more={0x02: 0x01, 0x08: 0x00, 0x06: 3})
    listen(receiver)
    receiver.take_edges()
    play(world, b"\x55" * 4 + b"\x54\x3d\x01\x02\x03")
    sleep(receiver, 2000)
    assert [level for line, level, _ in receiver.take_edges()[0] if line == "gdo0"] == [1]
    assert marc(receiver) == 0x01 and bytes(receiver.chip.rx_fifo) == b"\x01\x02\x03"


def receive_fixed(total, switch_at, length, options=None, settle=True):
    """Infinite mode, PKTLEN preset, fixed mode written when `switch_at` bytes are in. How many bytes came."""
    world, _, receiver = pair(options={**EXACT, **(options or {})})
    listen(receiver)
    spi(receiver, 0x06, length)
    play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(900))
    got, switched = 0, False
    for _ in range(1500):
        sleep(receiver, 50)
        ready = len(receiver.chip.rx_fifo)
        if ready:
            spi(receiver, 0xFF, *bytes(ready))
            got += ready
        if got >= switch_at and not switched:
            spi(receiver, 0x08, 0x00)
            switched = True
        if receiver.chip.marc != 0x0D or got > total:
            break
    return got + len(receiver.chip.rx_fifo)


@pytest.mark.parametrize("total", [255, 257, 300, 435, 511, 580])
def test_counter_of_eight_bits(total):
    assert receive_fixed(total, max(1, total - 200), total & 0xFF) == total


def test_passed_counter_ends_one_lap_later():
    """PKTLEN below the running counter: the comparison matches 256 bytes later."""
    assert receive_fixed(600, 100, 50) == 50 + 256


@pytest.mark.parametrize(("setting", "ends"), [("256", 512), ("end_at_once", 300), ("never", 601)])
def test_pktlen_0(setting, ends):
    got = receive_fixed(600, 300, 0, {"pktlen_0": setting})
    assert ends <= got <= ends + (2 if setting == "end_at_once" else 1)


@pytest.mark.parametrize(("setting", "ended"), [("never", False), ("rx", True), ("always", True)])
def test_write_to_pktctrl0_may_end_the_packet(setting, ended):
    got = receive_fixed(400, 100, 400 & 0xFF, {"pktctrl0_write_ends_packet": setting})
    assert (got < 110) == ended


def test_pktctrl0_write_while_sending():
    for setting, size in (("never", 100), ("rx", 100), ("always", None)):
        world, sender, _ = pair(tx_more={**INFINITE, **RAW_TX, 0x06: 100})
        sender.chip.options.pktctrl0_write_ends_packet = setting
        spi(sender, 0x7F, *bytes(64))
        strobe(sender, 0x35)
        sleep(sender, 2000)
        spi(sender, 0x08, 0x00)
        sleep(sender, 3000)
        spi(sender, 0x7F, *bytes(36))
        sleep(sender, 10000)
        got = len(world.air.log[0].packed)
        assert got == size if size else got < 30


# --- errata of reading ---


def emptied_inside_a_packet(setting, seed):
    """Read the FIFO empty every 200 us or so; what came."""
    world, _, receiver = pair(options={"duplicate_byte": setting, "corrupt_reads": 0.0}, seed=seed)
    rng = random.Random(seed)
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(range(250)), after_us=0)
    got = bytearray()
    while len(got) < 240:
        world.advance(world.now_ns + rng.randrange(150_000, 300_000))
        ready = len(receiver.chip.rx_fifo)
        if ready:
            got += spi(receiver, 0xFF, *bytes(ready))[1:]
    return got


def test_duplicate_byte():
    clean = bytes(range(240))
    assert all(emptied_inside_a_packet("never", seed)[:240] == clean for seed in range(5))
    window = [emptied_inside_a_packet("window", seed)[:240] for seed in range(20)]
    assert any(got != clean for got in window) and any(got == clean for got in window)
    for got in window:
        doubled = [a for a, b in zip(got, got[1:], strict=False) if a == b]
        assert [v for v in got if v not in doubled] == [
            v for v in range(256) if v in got and v not in doubled
        ]
    assert emptied_inside_a_packet("always", 0)[:240] != clean


def test_one_byte_left_in_the_fifo_is_always_safe():
    world, _, receiver = pair(options={"duplicate_byte": "always"})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(range(250)))
    assert drain(receiver, 200, 333) == bytes(range(200))


def test_status_reads_may_be_wrong_while_they_change():
    """Seeded; with probability 1 a value that changes during the read is a mixture of old and new bits."""
    for probability, expect in ((0.0, False), (1.0, True)):
        world, _, receiver = pair(options={"corrupt_reads": probability})
        listen(receiver)
        play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(255), after_us=0)
        wrong = 0
        for _ in range(300):
            before = len(receiver.chip.rx_fifo)
            value = status(receiver, 0x3B)
            if value not in range(before, len(receiver.chip.rx_fifo) + 1):
                wrong += 1
            if len(receiver.chip.rx_fifo) > 40:
                spi(receiver, 0xFF, *bytes(30))
        assert (wrong > 0) == expect


def test_two_equal_reads_can_be_trusted_with_seeded_corruption():
    world, _, receiver = pair(options={"corrupt_reads": 1.0})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d" + bytes(60), after_us=0)
    for _ in range(60):
        before = len(receiver.chip.rx_fifo)
        one, two = status(receiver, 0x3B), status(receiver, 0x3B)
        if one == two:
            assert before <= one <= len(receiver.chip.rx_fifo)


@pytest.mark.parametrize(("setting", "value"), [("last", 0x07), ("zero", 0x00)])
def test_empty_read(setting, value):
    world, _, receiver = pair(options={"empty_rx_read": setting}, rx_more={0x08: 0x00, 0x06: 1})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d\x07")
    sleep(receiver, 2000)
    assert spi(receiver, 0xFF, 0, 0, 0)[1:] == bytes([7, value, value])
    assert receiver.chip.violations[-1][1] == "RX FIFO read while empty"


# --- the packet handler beyond wireless M-Bus ---


def handled(data, tx, rx):
    """Send through one packet handler, receive through another; what is in the RX FIFO."""
    world, sender, receiver = pair(
        tx_more={0x06: len(data), **tx}, rx_more={0x06: len(data), 0x12: 0x02, **rx}
    )
    listen(receiver)
    send(sender, data, 50)
    sleep(receiver, 300)
    return world, receiver


def test_variable_length_crc_and_status():
    world, receiver = handled(b"\x05hello", {0x08: 0x05}, {0x06: 0xFF, 0x08: 0x05, 0x07: 0x04})
    got = bytes(receiver.chip.rx_fifo)
    assert got[:6] == b"\x05hello" and len(got) == 8
    assert got[6] == status(receiver, 0x34) and got[7] & 0x80 and status(receiver, 0x33) & 0x80
    # CRC-16 of the datasheet: x16 + x15 + x2 + 1 from FFFF; binascii has none, so division by hand:
    bits = int.from_bytes(b"\x05hello", "big") << 16 ^ 0xFFFF << 48
    for bit in range(63, 15, -1):
        if bits >> bit & 1:
            bits ^= 0x18005 << bit - 16
    assert world.air.log[0].packed[-2:] == bits.to_bytes(2, "big")


def test_bad_crc():
    world, _, receiver = pair(rx_more={0x08: 0x05, 0x07: 0x04})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d\x02ab\x00\x00")
    sleep(receiver, 2000)
    got = bytes(receiver.chip.rx_fifo)
    assert got[:3] == b"\x02ab" and not got[4] & 0x80
    spi(receiver, 0x07, 0x08)  # CRC_AUTOFLUSH
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d\x02ab\x00\x00")
    sleep(receiver, 2000)
    assert status(receiver, 0x3B) == 0


def test_whitening_sequence():
    """PN9 as TI publishes it (DN509): FF E1 1D 9A ED 85 33 24 EA 7A D2 39 70 97 57 0A."""
    world, receiver = handled(bytes(16), {0x08: 0x40}, {0x08: 0x40})
    assert world.air.log[0].packed[6:] == bytes.fromhex("ffe11d9aed853324ea7ad2397097570a")
    assert bytes(receiver.chip.rx_fifo) == bytes(16)


@pytest.mark.parametrize(
    ("check", "address", "taken"),
    [(0, 0x33, True), (1, 0x12, True), (1, 0x33, False), (2, 0x00, True), (3, 0xFF, True), (2, 0xFF, False)],
)
def test_address_check(check, address, taken):
    _, receiver = handled(bytes([2, address, 7]), {0x08: 0x01}, {0x08: 0x01, 0x07: check, 0x09: 0x12})
    assert bytes(receiver.chip.rx_fifo) == (bytes([2, address, 7]) if taken else b"")


def test_length_above_the_maximum_is_dropped_and_the_search_goes_on():
    world, _, receiver = pair(rx_more={0x08: 0x01, 0x06: 10})
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d\x0b" + bytes(11) + b"\x54\x3d\x01\x77")
    sleep(receiver, 5000)
    assert bytes(receiver.chip.rx_fifo) == b"\x01\x77"


@pytest.mark.parametrize(("mode", "state"), [(0, 0x01), (1, 0x12), (2, 0x13), (3, 0x0D)])
def test_after_reception(mode, state):
    world, _, receiver = pair(rx_more={0x08: 0x00, 0x06: 3, 0x17: mode << 2})
    spi(receiver, 0x7F, *bytes(60))
    listen(receiver)
    play(world, b"\x55" * 4 + b"\x54\x3d\x01\x02\x03")
    sleep(receiver, 900)
    assert marc(receiver) == state
    if state == 0x0D:  # stays in RX and looks for the next sync word
        play(world, b"\x55" * 4 + b"\x54\x3d\x04\x05\x06")
        sleep(receiver, 1000)
        assert bytes(receiver.chip.rx_fifo) == b"\x01\x02\x03\x04\x05\x06"


@pytest.mark.parametrize(("mode", "state"), [(0, 0x01), (1, 0x12), (2, 0x13), (3, 0x0D)])
def test_after_transmission(mode, state):
    _, sender, _ = pair(tx_more={0x06: 2, 0x17: mode})
    spi(sender, 0x7F, 1, 2)
    strobe(sender, 0x35)
    sleep(sender, 3000)
    assert marc(sender) == state


@pytest.mark.parametrize(("setting", "bytes_come"), [("stream", True), ("nothing", False)])
def test_receiving_without_sync(setting, bytes_come):
    world, _, receiver = pair(options={"rx_without_sync": setting}, rx_more={0x12: 0x00})
    listen(receiver)
    sleep(receiver, 1000)
    assert (len(receiver.chip.rx_fifo) > 5) == bytes_come
    assert receiver.chip.in_packet == 0
