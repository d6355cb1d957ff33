"""What breaks is counted, told as a FAULT event with a stable code, and healed within a bounded time."""

import pytest
import support_stations
from omsnode.board.virtual import World
from omsnode.drivers.sx1262.chip import Fault
from omsnode.firmware.errors import RadioError
from support_stations import chips, frame
from support_sx1262 import Station

HEALTH_US = 100000
RESET_US = 40000  # bringing the chip up again: reset, TCXO, calibrations
ANEW_US = 2000000


def listening(seed=0, world=None, **driver):
    world = world or World(seed=seed)
    sender, receiver = support_stations.Station(world, "sender"), Station(world, "receiver", driver)
    receiver.listen("T+C")
    world.run([sender, receiver], world.now_us + 150000)
    return world, sender, receiver


def beacons(world, sender, receiver, for_us, every_us=15000):
    """A short T1 frame every 15 ms; the instants at which frames were heard."""
    heard = []
    until_us = world.now_us + for_us
    while world.now_us < until_us:
        before = len(receiver.frames)
        sender.radio.late_us = 400
        sender.send("T1", chips("T1", frame(20)), in_us=5500)
        world.run([sender, receiver], world.now_us + every_us)
        if len(receiver.frames) > before:
            heard.append(world.now_us)
    return heard


def heal(world, sender, receiver, expected, within_us, total_us=600000):
    """Something was broken just now."""
    start_us = world.now_us
    heard = beacons(world, sender, receiver, total_us)
    assert set(receiver.faults) == set(expected)
    assert {event.code for event in receiver.kinds("fault")} == set(expected)
    assert [at_us for at_us in heard if at_us - start_us <= within_us], heard
    assert len(heard) >= (total_us - within_us) // 15000 - 1  # once back, nothing more is lost
    assert not receiver.board.chip.violations


def test_brown_out():
    world, sender, receiver = listening()
    receiver.board.chip.brown_out()
    heal(world, sender, receiver, {"registers"}, HEALTH_US + RESET_US)


@pytest.mark.parametrize("dip_us", (1000, 50000))
def test_supply_dip(dip_us):
    world, sender, receiver = listening()
    receiver.board.chip.supply_dip(dip_us)
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 900000)
    assert heard and heard[0] - start_us <= dip_us + HEALTH_US + 200000
    assert len(heard) >= 35


@pytest.mark.parametrize("what", ("sync", "gain", "frequency"))
def test_settings_that_are_read_back(what):
    world, sender, receiver = listening()
    receiver.board.chip.forget(what)
    heal(world, sender, receiver, {"registers"}, HEALTH_US + RESET_US)


@pytest.mark.parametrize("what", ("irq", "modulation", "packet"))
def test_settings_that_cannot_be_read_back(what):
    world, sender, receiver = listening()
    receiver.board.chip.forget(what)
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 3000000)
    assert heard and heard[0] - start_us <= ANEW_US + 2 * HEALTH_US + RESET_US
    assert len(heard) >= 40


def test_deaf_until_calibration():
    """It looks healthy in every register: only silence tells, and only a calibration heals."""
    world, sender, receiver = listening(recalibrate_us=5000000)
    receiver.board.chip.go_deaf("calibration")
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 8000000, 100000)
    assert heard and heard[0] - start_us <= 5000000 + ANEW_US + 3 * HEALTH_US
    assert receiver.radio.counters["calibrations"] >= 1


@pytest.mark.parametrize("busy", (0, 1))
def test_a_chip_that_hangs(busy):
    world, sender, receiver = listening()
    receiver.board.chip.hang(busy)
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 3500000)
    assert heard and heard[0] - start_us <= ANEW_US + 2 * HEALTH_US + RESET_US
    assert receiver.faults and set(receiver.faults) <= {"busy", "stuck", "registers", "no_answer"}
    assert len(heard) >= 60


@pytest.mark.parametrize("level", (0x00, 0xFF))
def test_spi_that_goes_and_comes_back(level):
    world, sender, receiver = listening()
    receiver.board.chip.miso_stuck = level
    world.run([receiver], world.now_us + 400000)
    assert set(receiver.faults) == {"no_answer"}
    assert receiver.faults["no_answer"] < 20  # the driver does not storm
    receiver.board.chip.miso_stuck = None
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 600000)
    assert heard and heard[0] - start_us <= 128000 + RESET_US + 20000


def test_chip_select_that_goes_elsewhere():
    world, sender, receiver = listening()
    receiver.board.chip.selected = False
    world.run([receiver], world.now_us + 400000)
    assert set(receiver.faults) == {"no_answer"}
    receiver.board.chip.selected = True
    assert beacons(world, sender, receiver, 300000)


@pytest.mark.parametrize("line", ("busy", "dio1"))
@pytest.mark.parametrize("level", (0, 1))
def test_a_line_that_sticks_for_a_while(line, level):
    world, sender, receiver = listening()
    receiver.board.pins[line].stuck = level
    world.run([receiver], world.now_us + 300000)
    beacons(world, sender, receiver, 90000)
    receiver.board.pins[line].stuck = None
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 600000)
    assert heard and heard[0] - start_us <= 128000 + RESET_US + 20000, receiver.faults
    assert len(heard) >= 25


def test_lost_edges():
    """The frame waits in the ring until the look."""
    world, sender, receiver = listening()
    receiver.board.lose_edges(3, "dio1")
    heard = beacons(world, sender, receiver, 900000)
    assert len(heard) >= 30
    assert receiver.faults["missed_interrupt"] >= 1
    assert set(receiver.faults) <= {"missed_interrupt", "rx_pointer", "rx_short"}


def test_every_edge_lost_is_still_no_deafness():
    world, sender, receiver = listening()
    receiver.board.lose_edges(100000, "dio1")
    assert len(beacons(world, sender, receiver, 2000000)) >= 10


def test_spurious_edges():
    world, sender, receiver = listening()
    for n in range(50):
        world.at(world.now_us + 1000 + 3100 * n, lambda: receiver.board.false_edge("dio1"))
    heard = beacons(world, sender, receiver, 300000)
    assert len(heard) == 20
    assert receiver.radio.counters["spurious_edges"] >= 20
    assert not receiver.faults


@pytest.mark.parametrize("share", (0.0005, 0.005))
def test_bit_flips(share):
    """Nothing wrong is delivered that the link CRC would not find; when they stop it hears again."""
    world, sender, receiver = listening(seed=5)
    receiver.board.chip.bit_flips = share
    beacons(world, sender, receiver, 3000000)
    receiver.board.chip.bit_flips = 0
    start_us = world.now_us
    heard = beacons(world, sender, receiver, 3500000)
    assert heard and heard[0] - start_us <= ANEW_US + 2 * HEALTH_US + RESET_US
    assert len(heard) >= 60


def test_frame_that_ends_in_nothing():
    world, sender, receiver = listening(seed=7)
    at_us = sender.send("T1", chips("T1", frame(255)))
    world.run([sender, receiver], at_us + 6000)
    sender.radio.standby(sender.board.now_us())
    world.run([sender, receiver], world.now_us + 40000)
    assert not receiver.frames
    assert sum(receiver.radio.counters["rejects"].values()) >= 1
    assert len(beacons(world, sender, receiver, 90000)) == 6
    assert not receiver.faults


@pytest.mark.parametrize("fault", ("hang", "brown_out"))
def test_chip_that_stops_in_mid_frame(fault):
    world, sender, receiver = listening(seed=7)
    at_us = sender.send("T1", chips("T1", frame(255)))
    world.at(at_us + 6000, getattr(receiver.board.chip, fault))
    world.run([sender, receiver], at_us + 200000)
    assert receiver.faults
    assert len(beacons(world, sender, receiver, 90000)) == 6


@pytest.mark.parametrize("fault", ("hang", "brown_out"))
@pytest.mark.parametrize("before_us", (60000, 4000, -3000))
def test_faults_around_a_transmission(fault, before_us):
    """Early enough before it is loaded again and sent in time; later it is lost, and told. The next one goes out."""
    world = World(seed=1)
    sender = Station(world, "sender")
    at_us = sender.send("T1", chips("T1", frame(100)), in_us=200000)
    world.at(at_us - before_us, getattr(sender.board.chip, fault))
    world.run([sender], at_us + 200000)
    assert sender.faults
    kinds = [event.kind for event in sender.events if event.kind != "fault"]
    assert kinds == (["sent"] if before_us == 60000 else ["too_late"] if before_us > 0 else [])
    assert sender.radio.due_us is None
    sender.events.clear()
    sender.send("T1", chips("T1", frame(100)), in_us=200000)
    world.run([sender], world.now_us + 400000)
    assert [event.kind for event in sender.events] == ["sent"]


def test_a_chip_that_is_gone_is_given_up_until_it_is_wanted():
    world = World(seed=1)
    sender = Station(world, "sender")
    sender.board.chip.miso_stuck = 0xFF
    sender.send("T1", chips("T1", frame(20)), in_us=50000)
    world.run([sender], world.now_us + 3000000)
    assert sender.radio.due_us is None
    assert not world.air.log
    sender.board.chip.miso_stuck = None
    sender.send("T1", chips("T1", frame(20)), in_us=200000)
    world.run([sender], world.now_us + 400000)
    assert len(world.air.log) == 1


def test_brown_out_in_sleep():
    world = World(seed=1)
    sender = Station(world, "sender")
    sender.radio.sleep(sender.board.now_us())
    world.advance_us(10000)
    sender.board.chip.brown_out()
    world.advance_us(10000)
    sender.send("T1", chips("T1", frame(20)), in_us=200000)
    world.run([sender], world.now_us + 400000)
    assert set(sender.faults) == {"registers"}
    assert len(world.air.log) == 1


@pytest.mark.parametrize("level", (0x00, 0xFF))
def test_no_chip(level):
    world = World()
    station = Station(world, "bare")
    station.board.chip.miso_stuck = level
    with pytest.raises(RadioError) as caught:
        station.radio.start(station.board.now_us())
    assert "MISO" in caught.value.hint


def test_wrong_oscillator():
    for settings in ({"tcxo_mv": None}, {"tcxo_mv": 1600}):
        with pytest.raises(RadioError) as caught:
            Station(World(), "bare", settings)
        assert "tcxo_mv" in caught.value.hint


def test_busy_that_sticks():
    world = World()
    station = Station(world, "bare")
    station.board.pins["busy"].stuck = 1
    with pytest.raises(RadioError) as caught:
        station.radio.start(station.board.now_us())
    assert "BUSY" in str(caught.value)


def test_what_was_heard_is_told_even_if_the_restart_behind_it_fails():
    world, sender, receiver = listening()

    def fails(now_us):
        raise Fault("busy")

    receiver.radio._receiver._restart = fails
    sender.send("T1", chips("T1", frame(20))[:6] + bytes(10), in_us=5500)  # a sync word, and no frame
    world.run([sender, receiver], world.now_us + 60000)
    del receiver.radio._receiver._restart
    assert [event.kind for event in receiver.events] == ["rejected", "fault"]
    assert receiver.radio.counters["rejects"] == {"symbol": 1}
    assert beacons(world, sender, receiver, 90000)
