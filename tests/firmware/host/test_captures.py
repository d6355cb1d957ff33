"""Captures go to another process and come back; whatever becomes of that, reception goes on."""

import sys
import time

import pytest
from omsnode.firmware.host import burst_decoder, captures
from omsnode.firmware.phy.burst.header import Header
from omsnode.firmware.roles.lpwan.hearing import Capture
from omsnode.tools.cli import output, scene
from omsnode.tools.cli.scene import Radio

CAPTURE = Capture(1, Header(15, 64, 0, 1), [(None, bytes(78))], 10**9)
UL_B4 = [Radio("far", "virtual", "UL-B4")]


def town(decoder, error_rate, seconds, radios=UL_B4, seed=3):
    """(readings, Scene) of a collector on a virtual air with wrong chips; the decoder has all the real time it wants."""
    found = []
    play = scene.Scene(found.append, radios=radios, seed=seed, decoder=decoder)
    play.world.air.chip_error_rate = error_rate

    def each():
        end = time.monotonic() + 240
        play.look()
        while decoder.busy and decoder.counters["died"] == 0 and time.monotonic() < end:
            time.sleep(0.005)
            play.look()

    play.run(seconds, each=each if play.look else None)
    decoder.close()
    return found, play


def test_weak_bursts_are_read_by_the_other_process():
    """Rate 1/2 with 0.3 % of wrong chips: hardly a burst is free of them."""
    pytest.importorskip("numpy")
    decoder = captures.decoder()
    found, play = town(decoder, 0.003, 22)
    counters = play.collector.role.counters
    heat = [one for one in found if one.name == "attic_heat"]
    assert counters["decoder"]["decoded"] >= 3 and counters["decoder"]["captures"] >= 3
    assert len(heat) >= 4 and {one.telegram.verdict for one in heat} == {"authenticated"}
    assert {(one.mode, one.radio) for one in heat} == {("UL-B4", "far")}
    # T0 and not when it was decoded: 4 s less 1/31 or so apart, whichever way it was read.
    gaps = [after.wall_us - before.wall_us for before, after in zip(heat, heat[1:], strict=False)]
    assert all(abs(gap - round(gap / 4000000) * 4000000) < 300000 for gap in gaps)
    assert all(play.start_us < one.wall_us <= play.start_us + play.world.now_us for one in heat)
    assert "decoder.decoded=" in output.summary(play.collector)


@pytest.mark.parametrize(
    "program",
    ["import sys; sys.exit(1)", "import sys; sys.stdin.readline(); sys.stdout.write('nonsense\\n')"],
)
def test_a_worker_that_dies_is_counted_and_clean_bursts_are_heard(program):
    decoder = burst_decoder.Decoder(command=[sys.executable, "-c", program])
    found, play = town(decoder, 0.001, 24)
    counters = play.collector.role.counters["decoder"]
    assert counters["decoded"] == 0 and counters["died"] >= 1
    assert counters["captures"] >= 1
    assert play.collector.role.counters["bursts"] >= 6 and found


def test_without_a_decoder_there_are_no_captures():
    found = []
    play = scene.Scene(found.append, radios=UL_B4, seed=3)
    play.world.air.chip_error_rate = 0.0005
    assert play.look is None
    play.run(12)
    assert "captures" not in play.collector.role.hearing.counters and found


class Collects:
    """A role that is told what came of captures."""

    radio_name = "other"

    def __init__(self):
        self.counters = {}
        self.told = []

    def decoded(self, number, payload, now_us, wall_us=None):
        self.told.append((number, payload, now_us, wall_us, self.radio_name))
        return ["an action"]


class Board:
    def now_us(self):
        return 77


class Carries:
    board = Board()

    def __init__(self):
        self.done = []

    def _do(self, actions):
        self.done += actions


class Answers:
    """A decoder that has done all at once."""

    counters = {"decoded": 1}

    def __init__(self):
        self.captures = []

    def put(self, capture):
        self.captures.append(capture)

    def look(self, now_us):
        done = [burst_decoder.Decoded(one.number, b"payload", None) for one in self.captures]
        self.captures = []
        return done


def test_what_comes_back_is_told_to_the_role_and_its_actions_are_carried_out():
    decoder, role, node, passed = Answers(), Collects(), Carries(), []
    between = captures.Captures(passed.append, lambda at_us: at_us + 1000, decoder)
    between.deliver(CAPTURE)
    between.look()  # nobody is there yet
    between.attach(role, node, "lpwan")
    between.look()
    between.look()
    assert role.told == [(1, b"payload", 77, 1077, "lpwan")] and node.done == ["an action"] and not passed
    assert role.counters["decoder"] is decoder.counters


def test_a_capture_is_nothing_for_who_prints_readings():
    passed = []
    between = captures.Captures(passed.append, lambda at_us: None)
    between.deliver(CAPTURE)
    between.deliver("an event")
    between.look()
    assert passed == ["an event"]
