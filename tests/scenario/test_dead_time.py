"""The figures of `omsnode bench radio`: they are what they are called, and they are printed."""

import json

import pytest
import support_relay as relay
from omsnode.board.virtual import World
from omsnode.drivers.cc1101.driver import DEAD_TIME_US, PER_FRAME
from omsnode.firmware.phy import framing, modes
from omsnode.tools.bench import radio as bench
from omsnode.tools.cli import main
from support_relay import LATE_US, LINKS

S = 1000000


@pytest.fixture(scope="module")
def found():
    return bench.measure()


def test_figures(found, record_property):
    record_property("omsnode bench radio", "\n" + "\n".join(bench.lines(found)))
    assert len(found["receiver"]) == 2 * len(LINKS)
    for row in found["receiver"]:
        every_frame = row["recalibration"] == "every frame"
        promised_us = DEAD_TIME_US[PER_FRAME if every_frame else None]
        # IDLE to RX takes 75.1 us, with a calibration 799 us (CC1101 sheet 4.2); the rest is SPI and a byte to wait for.
        least_us = 799 if every_frame else 75
        assert least_us < row["dead_least_us"] <= row["dead_us"] <= promised_us < least_us + 250
        assert row["spacing_us"] <= row["dead_us"]
        assert row["spacing_late_us"] <= row["dead_us"] + LATE_US
        # The driver reads when 8 bytes are there: 56 more fit in. 64 is what the chip has.
        assert row["fifo_us"] * 56 // 64 < row["loss_from_us"] <= row["fifo_us"]
    for row in found["sender"]:
        if row["loss"] == "tx_underflow":
            assert row["fifo_us"] * 56 // 64 <= row["loss_from_us"] <= row["fifo_us"]
        else:
            assert row["loss"] == "too_late" and row["loss_from_us"] > 5000


def test_command(found, monkeypatch, capsys):
    monkeypatch.setattr(bench, "measure", lambda: found)
    assert main(["bench", "radio", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert main(["bench", "radio"]) == 0
    assert capsys.readouterr().out.splitlines() == list(bench.lines(found))


def test_the_fifo_is_what_the_datasheet_gives():
    assert bench.fifo_us("T1") == bench.fifo_us("C1") == 5120
    assert bench.fifo_us("S1") == 15625


@pytest.mark.parametrize("policy", sorted(bench.POLICIES))
@pytest.mark.parametrize("link", LINKS)
def test_dead_time_ends_when_a_sync_word_is_heard_again(link, policy):
    """Seen from the air: a frame without a preamble, only the 16 chips that the chip looks for in front, is heard from
    the dead time on, and not when six of them (in whose place noise could be right by chance) fall into it."""
    mode, frame_format, _ = link
    row = modes.find(mode)
    six_us = 6 * S // row.chip_rate_cps
    for length in (11, 40, 255):
        data = relay.frame(length, frame_format)
        first, second = bench.burst(mode, data, frame_format), bench.burst(mode, data, frame_format)
        begin = 2 * row.preamble_pairs + row.sync[frame_format][1] - (32 if row.family == "C" else 16)
        del second.transmission.chips[:begin]
        pair = (first, second._replace(needed_chips=second.needed_chips - begin))
        dead_us = max(bench.dead_times_us(link, bench.POLICIES[policy], (length,)))
        late_us = dead_us + 30  # a status register may have to be read once more
        assert all(bench.lossless(link, pair, late_us, bench.POLICIES[policy], seed=n) for n in range(3))
        early = [
            bench.lossless(link, pair, dead_us - six_us, bench.POLICIES[policy], seed=n) for n in range(3)
        ]
        assert sum(early) <= 1  # noise may be right once


@pytest.mark.parametrize("link", LINKS)
def test_an_interval_that_ends_under_traffic(link):
    """Then a restart calibrates, and takes the dead time of the other policy."""
    frames = [relay.frame(length, link[1]) for length in relay.lengths(link[1])[::4]]
    bursts = [bench.burst(link[0], data, link[1]) for data in frames]
    dead_us = max(bench.dead_times_us(link, PER_FRAME))
    assert max(bench.dead_times_us(link, 1000)) == dead_us
    assert bench.lossless(link, bursts, dead_us + LATE_US, S // 5, (0, LATE_US))


@pytest.mark.parametrize("notice_us", (2000, 3000, 10000))
def test_a_host_that_serves_at_once_is_not_taken_for_a_late_one(notice_us):
    """A transmission armed at short notice finds its first service due in the past."""
    world = World(1)
    stream = framing.chips(modes.find("T1"), relay.frame(20, "A"))
    plan = [(stream, n * S + 30000) for n in range(10)]
    sender = bench.node(world, "sender", Notice("T1", plan, notice_us))
    world.run([sender], 11 * S)
    assert [event.kind for event in sender.role.events] == ["sent"] * 10
    for number, transmission in enumerate(world.air.log):
        assert -450 <= transmission.start_ns / 1000 - (number * S + 30000) <= 0


class Notice(relay.Turn):
    """As Turn, but each transmission is asked for only `notice_us` before."""

    def __init__(self, mode, plan, notice_us):
        super().__init__(mode, plan)
        self.notice_us = notice_us

    @property
    def due_us(self):
        return self.plan[0][1] - self.notice_us if self.plan else None

    def start(self, now_us):
        return []

    def tick(self, now_us, wall_us=None):
        return self._next()

    def feed(self, event, now_us, wall_us=None):
        self.events.append(event)
        return []
