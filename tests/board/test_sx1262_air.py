"""SX1262 and CC1101 models on one air, both spoken to in bytes from their sheets; RF switch, noise, collisions."""

import math

import pytest
import support_cc1101_bytes as cc
from omsnode.board.virtual import Transmission, World
from support_sx1262_bytes import (
    ALL_TO_DIO1,
    C_DOWN_FREQUENCY,
    C_DOWN_MODULATION,
    C_MODULATION,
    RX_FOREVER,
    S_FREQUENCY,
    S_MODULATION,
    S_RX_PACKET,
    S_RX_SYNC,
    S_TX_SYNC,
    T_FREQUENCY,
    T_MODULATION,
    T_RX_PACKET,
    T_RX_SYNC,
    T_TX_SYNC,
    Bench,
    tx_packet,
)

# First two bytes of the T1 example (EN 13757-4 sheet, section 13): 0F 44 in 3-of-6, then filler.
T_DATA = bytes.fromhex("5A971C") + bytes(range(60))
# 16 free bytes and 16 bytes of fixed length for the CC1101.
CC_FIXED = {0x06: len(T_DATA), 0x08: 0x00}


def both(seed=1, options=None, **settings):
    world = World(seed=seed)
    one = world.add_board(name="cc1101")
    cc.sleep(one, 1000)
    return world, one, Bench(world, name="sx1262", options=options, **settings).start()


@pytest.mark.parametrize("polarity", [0x55, 0xAA])
@pytest.mark.parametrize("mode", ["T", "S", "C"])
def test_sx1262_to_cc1101(mode, polarity):
    world, one, two = both(options={"preamble_polarity": polarity})
    cc.setup(one, cc.S_RX if mode == "S" else cc.T_RX, CC_FIXED)
    cc.listen(one)
    frequency, modulation, sync = {
        "T": (T_FREQUENCY, T_MODULATION, T_TX_SYNC),
        "S": (S_FREQUENCY, S_MODULATION, S_TX_SYNC),
        "C": (T_FREQUENCY, C_MODULATION, "0D 06 C0 55 55 55 55 54 3D 54 CD"),
    }[mode]
    two.do("80 01", frequency, modulation, tx_packet(len(T_DATA)), sync, ALL_TO_DIO1)
    two.do("0E 00 " + T_DATA.hex(), "83 00 00 00")
    cc.sleep(one, 30_000)
    got = cc.spi(one, 0xFF, *bytes(len(T_DATA)))[1:]
    if mode == "C":  # the CC1101 takes 54 3D for its sync word, the rest is data
        assert got == b"\x54\xcd" + T_DATA[:-2]
    else:
        assert got == T_DATA
    assert two.irq() == 0x01
    assert two.faults == []


@pytest.mark.parametrize("mode", ["T", "S"])
@pytest.mark.parametrize("raw", [False, True])
def test_cc1101_to_sx1262(mode, raw):
    """Through its packet engine (preamble 1010...) and as a raw stream (0101...)."""
    world, one, two = both()
    tables = (cc.S_TX if mode == "S" else cc.T_TX, cc.RAW_TX if raw else {}, {0x08: 0x00})
    stream = T_DATA[:40]
    if mode == "S":
        head = bytes.fromhex("55 55 55 55 54 76 96") if raw else b"\x96"
        two.do("80 01", S_FREQUENCY, S_MODULATION, S_RX_PACKET, S_RX_SYNC)
    else:
        head = bytes.fromhex("55 55 55 55 54 3D") if raw else b""
        two.do("80 01", T_FREQUENCY, T_MODULATION, T_RX_PACKET, T_RX_SYNC)
    two.do(ALL_TO_DIO1, "02 FF FF", RX_FOREVER, "0D 06 BB 28")
    cc.setup(one, *tables, {0x06: len(head + stream)})
    cc.send(one, head + stream)
    cc.sleep(one, 5000)
    assert two.irq() == 0x0E
    assert two.get("13", 2) == bytes([40, 0])
    assert two.get("1E 00", 40) == stream
    assert two.faults == []


def test_c_downlink_between_two_sx1262():
    world = World(seed=2)
    a, b = (Bench(world, name=name).start() for name in ("a", "b"))
    for bench in (a, b):
        bench.do("80 01", C_DOWN_FREQUENCY, C_DOWN_MODULATION)
    b.do("8C 00 10 04 20 00 00 20 01 00", "0D 06 C0 54 3D 54 CD", ALL_TO_DIO1, RX_FOREVER)
    a.do(tx_packet(32), "0D 06 C0 55 55 55 55 54 3D 54 CD", "0E 00 " + bytes(range(32)).hex(), "83 00 00 00")
    a.sleep(10_000)
    assert b.get("1E 00", 32) == bytes(range(32))


def test_own_transmission_is_not_heard_and_receivers_of_other_modes_hear_nothing():
    world = World(seed=2)
    a, b = (Bench(world, name=name).start() for name in ("a", "b"))
    b.do("80 01", S_FREQUENCY, S_MODULATION, S_RX_PACKET, S_RX_SYNC, ALL_TO_DIO1, "02 FF FF", RX_FOREVER)
    a.transmit_t(T_DATA)
    a.sleep(10_000)
    assert b.irq() == 0 and a.irq() == 1


def sent_and_heard(a, b):
    """Does a packet of a arrive at b?"""
    b.do("02 FF FF", "80 01", RX_FOREVER)
    a.transmit_t(T_DATA)
    a.sleep(30_000)
    return bool(b.irq() & 8)


def pair(a=None, b=None):
    world = World(seed=4)
    a, b = (Bench(world, name=name, **(settings or {})).start() for name, settings in (("a", a), ("b", b)))
    b.receive_t()
    return a, b


def test_path_loss_and_sensitivity():
    a, b = pair()
    world = a.world
    heard = [world.air.set_path_loss("a", "b", loss) or sent_and_heard(a, b) for loss in (60, 100, 140)]
    assert heard == [True, True, False]


# --- RF switch ---


def test_dio2_switch():
    a, b = pair()
    assert sent_and_heard(a, b)
    a.do("80 01", "9D 00")
    assert not sent_and_heard(a, b)  # mute
    assert a.board.pins["dio2"].read() == 0
    b.do("80 01", "9D 00")
    a.do("80 01", "9D 01")
    assert sent_and_heard(a, b)  # a receiver does not mind


def test_dio2_is_high_while_sending():
    made = Bench().start().transmit_t(bytes(100))
    assert made.board.pins["dio2"].read() == 1
    made.sleep(20_000)
    assert made.board.pins["dio2"].read() == 0


@pytest.mark.parametrize(
    "tx, rx, sends, hears", [(1, 0, True, False), (0, 1, False, True), (0, 0, False, False)]
)
def test_txen_and_rxen(tx, rx, sends, hears):
    e22 = {"hat": "e22-900m22s", "chip": None}
    a, b = pair(a=e22)
    a.board.pins["txen"].write(tx)
    a.board.pins["rxen"].write(rx)
    assert sent_and_heard(a, b) == sends
    a.receive_t()
    b.do("80 01")
    assert sent_and_heard(b, a) == hears


@pytest.mark.parametrize("how", ["nothing", "works"])
def test_both_high_is_undefined(how):
    a, b = pair(a={"rf_switch": "txen_rxen", "options": {"rf_switch_both": how}})
    a.board.pins["txen"].write(1)
    a.board.pins["rxen"].write(1)
    assert sent_and_heard(a, b) == (how == "works")


def test_dio2_and_rxen():
    a, b = pair(b={"hat": "meshadv-mini", "chip": None})
    assert not sent_and_heard(a, b)
    b.board.pins["rxen"].write(1)
    assert sent_and_heard(a, b)


@pytest.mark.parametrize("db", [20, 40, 200])
def test_loss_of_a_wrong_switch(db):
    a, b = pair(a={"options": {"rf_switch_loss_db": db}})
    a.do("80 01", "9D 00")
    sent_and_heard(a, b)
    assert a.world.air.log[-1].power_dbm == 14 - db


def test_an_enable_line():
    a, b = pair(b={"enable": True, "tcxo_mv": 0})
    assert not sent_and_heard(a, b)
    b.board.pins["enable"].write(1)
    assert sent_and_heard(a, b)


def test_a_broken_wire_to_the_switch():
    a, b = pair(a={"rf_switch": "txen_rxen"})
    a.board.pins["txen"].write(1)
    a.board.pins["txen"].stuck = 0
    assert a.board.pins["txen"].read() == 1
    assert not sent_and_heard(a, b)


def test_switching_rxen_in_the_middle_of_rx():
    a, b = pair(b={"rf_switch": "txen_rxen"})
    b.board.pins["rxen"].write(1)
    b.do("02 FF FF")
    b.world.at(b.world.now_us + 3000, lambda: b.board.pins["rxen"].write(0))
    a.transmit_t(bytes(100))
    a.sleep(30_000)
    assert b.irq() & 2
    assert b.get("1E 00", 100) != bytes(100)  # noise from there on


def test_external_pa():
    a, _ = pair(a={"hat": "meshadv-pi", "chip": None})
    a.board.pins["txen"].write(1)
    a.transmit_t(b"x")
    assert a.world.air.log[0].power_dbm == 22


# --- collisions, noise ---


def test_a_stronger_signal_spoils_a_packet():
    a, b = pair()
    b.do("02 FF FF", "80 01", RX_FOREVER, "0D 06 BB 3C")
    a.transmit_t(bytes(60))
    jammer = Transmission(
        b.world.now_ns + 2_000_000, bytes([0, 1, 1] * 200), 100e3, 868.95e6, 50e3, power_dbm=20, source="j"
    )
    b.world.air.transmit(jammer)
    a.sleep(8000)
    assert b.irq() & 2
    assert b.get("1E 00", 60) != bytes(60)


def test_weak_signals_have_errors():
    a, b = pair()
    wrong = []
    for loss in (100, 116, 119):
        a.world.air.set_path_loss("a", "b", loss)
        b.do("02 FF FF", "80 01", RX_FOREVER)
        a.transmit_t(bytes(250))
        a.sleep(30_000)
        if b.irq() & 8:
            wrong.append(sum(value.bit_count() for value in b.get("1E 00", 250)))
    assert wrong[0] == 0 and wrong[-1] > 0


def test_out_of_reach():
    a, b = pair()
    a.world.air.set_path_loss("a", "b", math.inf)
    assert not sent_and_heard(a, b)


def test_same_seed_same_world():
    def once():
        a, b = pair()
        a.world.air.set_path_loss("a", "b", 118)
        b.do("80 01", RX_FOREVER)
        a.transmit_t(bytes(250))
        a.sleep(30_000)
        return b.get("1E 00", 250), b.board.take_edges(), b.world.now_ns

    assert once() == once()
