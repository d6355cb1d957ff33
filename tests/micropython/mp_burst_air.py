"""Bursts on the way from the antenna: sub-modes, times, deframer, hunter, combiner on either interpreter."""

from checking import raises
from omsnode.firmware.errors import HeaderError, MisuseError
from omsnode.firmware.phy import deframer, modes
from omsnode.firmware.phy.burst import burst, submodes, timing
from omsnode.firmware.phy.burst.combine import Combiner
from omsnode.firmware.phy.burst.deframer import BurstDeframer
from omsnode.firmware.phy.burst.header import Header
from omsnode.firmware.phy.burst.hunter import Hunter

# Annex Q.Z.4.1.2 as on the air.
PUBLISHED = bytes.fromhex(
    "55555555C1FA4C6A07BC9633780D86DD58B19E8583B0E563C8B0E563C8B0E563C8821AC7583C2D48037B90FD9E0682327A114D18529B"
)
LONG = Header(15, 64, 1, 2)


def shifted(chips, by):
    """Packed chips behind `by` zeros, filled up with ones."""
    value = (int.from_bytes(chips, "big") + 1 << 8 - by) - 1
    return value.to_bytes(len(chips) + 1, "big")


def test_submodes():
    assert modes.find("UL-B1.3", "up").frequency_hz == 868545000
    assert modes.find("DL-B4", "down").deviation_max_hz == 12050
    assert submodes.limits("UL-B4").rate_max_mcps == 125003750
    raises(MisuseError, modes.find, "UL-B4.1", "up")


def test_times():
    """Annex Q.2.4.6.3, example 1; formula Q.19."""
    rx0 = timing.slot("UL-B4", LONG, 1, 0)
    assert rx0 == 38000000 and timing.window(rx0, 30, 80) == (37997600, 38004680)
    assert timing.to_application_time("UL-B4", LONG, 1, 3) == 32000000
    assert [one.number for one in timing.slots("UL-B4", LONG, 1, True, True)] == [3, 4, 5, 0, 1, 2]


def test_deframer():
    one = deframer.of("UL-B4", "up")
    for i in range(8, len(PUBLISHED)):
        assert one.feed(PUBLISHED[i : i + 1]) >= 0
    assert one.frame == PUBLISHED[8:] and one.header == (15, 89, 0, 0)
    one.reset()
    one.feed(b"\xaa\xaa\xaa" + PUBLISHED[11:])
    assert one.seeking and one.frame[3:] == PUBLISHED[11:]
    one = BurstDeframer("down", (5,))
    assert one.feed(bytes(12)) == -1 and isinstance(one.error, HeaderError)


def test_hunter():
    for by in range(8):
        hunter = Hunter(BurstDeframer("up"))
        found = hunter.feed(b"\x12\x34" + shifted(PUBLISHED, by))
        assert [(one.sync_chips, one.frame) for one in found] == [(16 + by + 64, PUBLISHED[8:])]
    down = burst.downlink(bytes(range(20)), 5, 0, 2)[0]
    bad = down[:4] + b"\xc2\xf9\x4f\x6a" + down[8:]  # six wrong chips
    (one,) = Hunter(BurstDeframer("down", (5,))).feed(bad)
    assert one.wrong == 6 and one.frame == down[8:]


def test_hunter_without_sync():
    """The front is gone, the length unknown: the midamble remains."""
    hunter = Hunter(BurstDeframer("up"))
    found = hunter.feed(bytes(20) + bytes(11) + PUBLISHED[11:] + bytes(500))
    assert [(one.sync_chips, one.wrong) for one in found] == [(160 + 64, None)]


def test_combiner():
    combiner = Combiner()
    assert len(combiner.add("UL-B4", LONG, 0, b"2", 112000000)) == 3
    best = combiner.add("UL-B4", LONG, 0, b"3", 132001000)[0]
    assert [index for index, _ in best.bursts] == [2, 3] and 100000000 <= best.t0_us <= 100001000
    assert combiner.solved(best) and not combiner.solved(best)


test_submodes()
test_times()
test_deframer()
test_hunter()
test_hunter_without_sync()
test_combiner()
print("ok")
