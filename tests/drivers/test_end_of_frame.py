"""When a frame ended, as FRAME tells it: response delays count from there. Senders whose chip rate is off, late hosts."""

import pytest
import support_windows as windows
from omsnode.board import virtual
from omsnode.board.virtual import World
from omsnode.firmware.phy import modes
from support_radios import RADIOS, station
from support_stations import chips, frame

LENGTHS = (11, 12, 13, 20, 33, 60, 100, 150, 200, 252)
LINKS = (("T2", "up", "A"), ("S2", "up", "A"), ("S2", "down", "A"), ("C2", "up", "B"), ("C2", "down", "A"))


def errors_us(kind, link, ppm, delay):
    """(how many were heard, the largest error of end_us)."""
    mode, direction, frame_format = link
    row = modes.find(mode, direction)
    world = World(seed=1)
    made = station(kind, world, "one", clock_offset_us=12345)
    made.listen(mode, direction)
    world.run([made], world.now_us + 20000)
    delay_us = {"linux": world.linux_delay, "late": lambda: world.delay(0, 2000)}.get(delay, lambda: None)()
    worst, heard = 0, 0
    for number, length in enumerate(LENGTHS):
        data = frame(length, frame_format, seed=number)
        sent = virtual.Transmission(
            world.now_ns + 5_000_000,
            virtual.unpack(chips(mode, data, direction, frame_format)),
            row.chip_rate_cps * (1 + ppm * 1e-6),
            float(row.frequency_hz),
            float(row.deviation_hz),
            row.modulation,
        )
        world.air.transmit(sent)
        made.events.clear()
        world.run([made], world.now_us + 200000, delay_us=delay_us)
        for event in made.kinds("frame"):
            assert event.frame == data
            true_us = made.board.to_us(windows.data_end_ns(sent, mode, direction, data, frame_format))
            worst = max(worst, abs(event.end_us - true_us))
            heard += 1
    return heard, worst


@pytest.mark.parametrize("kind", RADIOS)
@pytest.mark.parametrize("delay", ("none", "linux", "late"))
@pytest.mark.parametrize("link", LINKS)
def test_senders_that_are_one_percent_off(kind, delay, link, record_property):
    """Longer than a millisecond would be the error of sync word plus nominal length."""
    found = [errors_us(kind, link, ppm, delay) for ppm in (0, 10000, -10000)]
    record_property("end_us {} {} {} {}".format(kind, *link[:2], delay), "{} us".format(found))
    assert [heard for heard, _ in found] == [len(LENGTHS)] * 3
    assert found[0][1] <= (5 if delay == "none" else 20)
    assert max(found)[1] <= (40 if delay != "late" else 100)


@pytest.mark.parametrize("delay", ("none", "linux", "late"))
def test_a_meter_that_is_ten_percent_off(delay):
    """Mode T allows it (link sheet 1.1); an SX1262 does not follow so far."""
    for ppm in (100000, -100000):
        heard, worst = errors_us("cc1101", LINKS[0], ppm, delay)
        assert heard == len(LENGTHS) and worst <= (20 if delay != "late" else 100)


def test_a_false_edge_in_the_frame_is_no_anchor():
    """CC1101: an edge of the threshold line that cannot be its byte; the nominal end is told."""
    world = World(seed=2)
    made = station("cc1101", world, "one")
    made.listen("T2", "up")
    world.run([made], world.now_us + 20000)
    for at_us in range(0, 26000, 500):
        data = frame(100, seed=at_us & 0xFF)
        sent = virtual.Transmission(
            world.now_ns + 5_000_000,
            virtual.unpack(chips("T2", data)),
            100000.0,
            868950000.0,
            50000.0,
            "2-FSK",
        )
        world.air.transmit(sent)
        world.at(world.now_us + 5000 + at_us, lambda: made.board.false_edge("gdo0"))
        made.events.clear()
        world.run([made], world.now_us + 60000)
        (event,) = made.kinds("frame")
        true_us = made.board.to_us(windows.data_end_ns(sent, "T2", "up", data))
        assert abs(event.end_us - true_us) <= 100, at_us
