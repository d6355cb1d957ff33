"""A public recording of real meters (868.95 MHz, 1.6 MS/s), sliced and played into the virtual air: driver and collector
read it as they would on the radio. The recording itself is no part of the repository.
"""

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.node import Node
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.roles.collector import Collector
from omsnode.tools.iq.slice import slice_iq

RATE, CENTER_HZ = 1_600_000, 868_950_000
SYNC = bytes(map(int, "0101010000111101"))  # the last 16 chips before the L-field in mode T

# The same recording as read by rtl-wmbus and in the link sheet, section 12 no. 9a; with its CRCs.
METER = bytes.fromhex(
    "294468502300207172F0 3840 A0009F21000000A07D22020001000000 5B94 00000000000000000400030203020000 2B75"
)
NEIGHBOUR_L = 0x66  # 64700082: rtl-wmbus cannot finish it either


@pytest.fixture(scope="module")
def bursts(request):
    shared = request.config.rootpath.parent / "shared"
    path = shared / "captures" / "t1_868.950M_1600k.cu8"
    if not path.is_file():
        pytest.skip("no recording in ../shared/captures beside the repository")
    return slice_iq(path.read_bytes(), RATE, CENTER_HZ)


def deframed(burst):
    chips = bytes(burst.chips)
    start = chips.index(SYNC) + len(SYNC)
    text = "".join(map(str, chips[start:])) + "0" * 7
    deframer = Deframer("T")
    deframer.feed(bytes(int(text[at : at + 8], 2) for at in range(0, len(text) - 7, 8)))
    return deframer


def test_two_meters_are_found(bursts):
    meter, neighbour = bursts
    assert deframed(meter).frame == METER
    for burst in bursts:
        # 99.75 kc/s and -9 kHz were measured with another demodulator (link sheet 1.1).
        assert 99_500 < burst.chip_rate_cps < 100_500
        assert 868_900_000 < burst.frequency_hz < 869_000_000
        assert 40_000 < burst.deviation_hz < 80_000


def test_the_neighbour_has_one_wrong_chip_and_is_refused(bursts):
    """All 117 bytes are there, one of 234 words of 3-of-6 has four ones: no byte is guessed."""
    deframer = deframed(bursts[1])
    assert deframer.frame is None
    assert deframer.total_chips == 12 * 117  # L = 66 hex
    assert (deframer.error.code, deframer.error.position) == ("symbol", 109)


@pytest.mark.parametrize("mode", ["T1", "T+C"])
def test_driver_and_collector_read_it(bursts, mode):
    world = World()
    board = world.add_board(name="collector")
    readings = []
    driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
    role = Collector(mode=mode)
    node = Node(board, driver, role, deliver=readings.append)
    for burst in bursts:
        world.air.transmit(burst)
    world.run([node], 1_000_000, delay_us=world.delay(0, 2000))
    (reading,) = readings
    assert reading.raw == METER[:10] + METER[12:28] + METER[30:46]
    assert reading.telegram.address.ident == "71200023"
    assert reading.mode == "T1"
    assert role.counters["rejected.symbol"] == 1
