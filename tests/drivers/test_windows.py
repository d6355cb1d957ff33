"""Transmissions in a window, on both chips: hit by how much, missed on purpose, and never outside."""

import random

import pytest
import support_windows as windows
from omsnode.board import virtual
from omsnode.board.virtual import Stalls, World, sx1262
from omsnode.firmware.link import extended, timing
from omsnode.firmware.phy import modes, radio
from support_radios import RADIOS, balanced, on_air, put_away, station
from support_stations import chips, frame
from support_windows import Answering, back

LATEST_US = 1200  # a window may be armed so long before its middle
LINKS = [(mode, direction) for mode in windows.MODES for direction in (modes.DOWN, modes.UP)]
T2_DOWN = ("T2", modes.DOWN)

each_radio = pytest.mark.parametrize("kind", RADIOS)
each_link = pytest.mark.parametrize("link", LINKS, ids=["-".join(link) for link in LINKS])


def behind(at_us, until_us):
    """A window from one to the other behind the end of the frame."""
    return lambda event: (event.end_us + at_us, event.end_us + until_us)


def t2(event):
    return timing.answering("T2", 0, event.end_us, modes.UP)


def margins(node):
    """How far each transmission was from the nearer end of its window."""
    out = []
    for sent, (at_us, until_us) in zip(node.on_the_air(), node.windows, strict=True):
        start_us = node.board.to_us(sent.start_ns)
        out.append(min(start_us - at_us, until_us - start_us))
    return out


def settle(node, us=300000):
    node.world.run([node], node.world.now_us + us)


# --- hit ---


@each_radio
@each_link
def test_two_hundred_windows(kind, link, record_property):
    """A Linux host; those of the standard, and others at random. Each is hit, and SENT tells when."""
    mode, direction = link
    world = World(seed=11)
    rng = random.Random("{}/{}/{}".format(kind, mode, direction))
    off_middle = []

    def window(event):
        if len(node.windows) % 2:
            cc = extended.FAST_RESPONSE if mode == "C2" else 0
            return timing.answering(mode, cc, event.end_us, back(direction))
        at_us = event.end_us + rng.randrange(1800, 40000)
        return at_us, at_us + rng.randrange(600, 10000)

    node = Answering(kind, world, mode, direction, window, clock_offset_us=777, clock_ppm=35.0)
    settle(node)
    for number in range(200):
        data = frame(12 + number % 30, seed=number)
        node.hear(data, more_us=190000 if mode == "C2" else 130000, delay_us=world.linux_delay())
        assert node.made.frames[-1] == data
    assert len(node.windows) == len(node.on_the_air()) == node.radio.counters["sent"] == 200
    assert node.outside() == []
    near = margins(node)
    for sent, (at_us, until_us) in zip(node.on_the_air(), node.windows, strict=True):
        off_middle.append(abs(node.board.to_us(sent.start_ns) - (at_us + until_us) // 2))
    record_property(
        "window {} {} {}".format(mode, direction, kind),
        "200 of 200 hit, at least {} us from the ends, at most {} us from the middle".format(
            min(near), max(off_middle)
        ),
    )
    assert max(off_middle) <= 60
    for event, sent in zip(node.made.kinds("sent"), node.on_the_air(), strict=True):
        assert abs(event.at_us - node.board.to_us(sent.start_ns)) <= 20
        assert abs(event.end_us - node.board.to_us(sent.end_ns)) <= 20
    assert not node.made.faults and not node.board.chip.violations
    balanced(node.made)


@each_radio
@each_link
def test_the_latest_that_is_promised(kind, link):
    """Armed 1.2 ms before its middle, `prepare` included, right out of reception, with the longest stream."""
    mode, direction = link
    node = Answering(kind, World(seed=2), mode, direction, None)
    node.stream = windows.longest_stream(mode, direction)

    def window(event):
        middle_us = node.board.now_us() + LATEST_US
        return middle_us - 100, middle_us + 100

    node.window = window
    settle(node)
    for number in range(10):
        node.hear(frame(20, seed=number))
    assert len(node.on_the_air()) == 10 and node.outside() == []


@each_radio
def test_turnaround(kind, record_property):
    """Reception to transmission: from `prepare` to the first chip that would be possible. Transmission to reception: from
    the last chip until the receiver is on, and a preamble 2 ms behind that last chip is heard."""
    for mode, direction in LINKS:
        world = World(seed=4)
        node = Answering(kind, world, mode, direction, None)
        node.stream = windows.longest_stream(mode, direction)
        node.window = lambda event, node=node: (event.end_us, node.board.now_us() + 3000)
        settle(node)
        chip, ready_us, on_us = node.board.chip, 0, 0
        for number in range(8):
            if number >= 4:
                settle(node, 45000000 if number == 4 else 10000000)  # calibrations grow old meanwhile
            put_away(node.made)
            node.hear(frame(20, seed=number), more_us=18000)  # the strobe has been
            before = len(node.made.frames)
            sent = node.on_the_air()[-1]
            assert sent.end_ns is None
            world.run([node], world.now_us + 200000, stop=lambda made=node.made: made.kinds("sent"))
            end_ns = sent.end_ns
            told_us = world.now_us - end_ns / 1000
            assert told_us <= 200 + 1100  # within 0.2 ms; then it listens, which may take a calibration
            answer = frame(30, seed=100 + number)
            on_air(world, (mode, back(direction), "A"), answer, end_ns + 2000000)
            while chip.receiver.on is False:
                world.run([node], world.now_us + 5)
            on_us = max(on_us, world.now_us - end_ns / 1000)
            world.run([node], world.now_us + 200000)
            assert len(node.made.frames) == before + 1 and node.made.frames[-1] == answer
        start_us = 75 if kind == "cc1101" else 116
        ready_us = max(node.ready_us) + start_us
        record_property(
            "turnaround {} {} {}".format(kind, mode, direction),
            "RX to TX {} us, TX to RX {:.0f} us".format(ready_us, on_us),
        )
        assert ready_us <= LATEST_US
        assert on_us <= 1500
        assert set(node.made.faults) <= {"silent"} and not node.board.chip.violations


@each_radio
@pytest.mark.parametrize("warm", (False, True))
def test_a_meter_hears_the_answer_from_2_ms_on(kind, warm):
    """The first time, when the carrier was never used, and later: the preamble of the answer begins 2 ms behind our end."""
    world = World(seed=6)
    made = station(kind, world, "meter", spi_hz=windows.SPI_HZ)
    node = Meter(made)
    for number in range(5):
        if not warm:
            world.run([node], world.now_us + 40000000)  # calibrations are outdated then
        put_away(made)
        node.send(world, frame(30, seed=number))
        world.run([node], world.now_us + 1000000, stop=lambda: made.kinds("sent"))
        mine = world.air.log[-1]
        answer = frame(20, seed=50 + number)
        on_air(world, ("T2", modes.DOWN, "A"), answer, mine.end_ns + 2000000)
        world.run([node], world.now_us + 60000, delay_us=world.linux_delay())
        assert made.frames == [answer]
    assert set(made.faults) <= {"silent"}


class Meter:
    """Sends in T2, listens when SENT."""

    def __init__(self, made):
        self.made, self.board = made, made.board

    due_us = property(lambda self: self.made.radio.due_us)

    def send(self, world, data):
        return self.made.send("T2", chips("T2", data), in_us=100000)

    def step(self, edges, lost):
        for event in self.made.radio.service(self.board.now_us(), edges):
            self.made.events.append(event)
            if event.kind == radio.SENT:
                self.made.listen("T2", modes.DOWN)


@each_radio
def test_from_standby_and_sleep(kind):
    """Not out of reception: there is time, and nothing is known."""
    for rest in ("standby", "sleep"):
        world = World(seed=8)
        node = Answering(kind, world, "T2", modes.DOWN, t2, expect=False)
        for _ in range(5):
            getattr(node.radio, rest)(node.board.now_us())
            world.advance_us(2000)
            now_us = node.board.now_us()
            node.answer(now_us + 20000, now_us + 20500)
            world.run([node], world.now_us + 100000, delay_us=world.linux_delay())
        assert len(node.on_the_air()) == 5 and node.outside() == []
        assert not node.made.faults


UNKNOWNS = [
    (kind, option.name, choice)
    for kind, options in (("cc1101", virtual.OPTIONS), ("sx1262", sx1262.OPTIONS))
    for option in options
    for choice in option.choices
    if choice != option.default and not (option.name == "version" and choice == 0)
]


@pytest.mark.parametrize(("kind", "name", "choice"), UNKNOWNS)
def test_whatever_the_sheet_leaves_open(kind, name, choice):
    world = World(seed=3)
    node = Answering(kind, world, "T2", modes.DOWN, behind(9500, 10500), options={name: choice})
    settle(node)
    for number in range(3):
        settle(node, 31_000_000 if number == 1 else 300_000)
        node.hear(frame(20, seed=number), delay_us=world.linux_delay())
    lost = len(node.made.kinds("fault"))  # those whose amplifier did not ramp up
    assert len(node.windows) >= 2 and node.outside() == []  # one may come in during a long calibration
    assert node.radio.counters["sent"] == len(node.windows) - (lost if name == "pa_ramp_failures" else 0)
    on_the_air = [sent for sent in node.on_the_air() if sent.chips]
    for event, sent in zip(node.made.kinds("sent"), on_the_air, strict=True):
        assert abs(event.end_us - node.board.to_us(sent.end_ns)) <= 20
        assert abs(sent.frequency_hz - 868300000) < 1000


# --- exact, receiving ---


@each_radio
def test_exact_is_the_strobe_and_nothing_else(kind):
    node = Answering(kind, World(seed=1), *T2_DOWN, behind(30000, 31000))
    settle(node)
    assert not node.radio.exact
    node.hear(frame(20), more_us=20000)
    assert not node.radio.exact and node.radio.due_us > node.windows[0][0] - 20000
    node.world.run([node], node.world.now_us + 100000, stop=lambda: node.radio.exact)
    at_us, until_us = node.windows[0]
    assert until_us - 700 <= node.radio.due_us <= until_us - 500  # the middle, less the chip's own time
    node.world.run([node], node.world.now_us + 100000, stop=lambda: not node.radio.exact)
    settle(node)
    assert len(node.on_the_air()) == 1 and not node.radio.exact
    node.made.send("T2", node.stream, modes.DOWN, in_us=100000)  # an ordinary one
    while node.radio.due_us is not None and node.radio.state == 3:
        assert not node.radio.exact
        node.world.run([node], node.world.now_us + 1000)
    for rest in ("standby", "sleep", "listen"):
        node.listen()
        now_us = node.board.now_us()
        node.answer(now_us + 2000, now_us + 4000)
        node.world.run([node], node.world.now_us + 100000, stop=lambda: node.radio.exact)
        node.listen() if rest == "listen" else getattr(node.radio, rest)(node.board.now_us())
        assert not node.radio.exact
    settle(node)
    assert len(node.on_the_air()) == 2


@each_radio
def test_receiving_from_the_sync_word_to_the_end(kind):
    world = World(seed=1)
    made = station(kind, world, "one")
    assert made.radio.receiving is False
    made.listen("T+C")
    world.run([made], world.now_us + 20000)
    assert made.radio.receiving is False
    sent = on_air(world, ("T1", "up", "A"), frame(200), world.now_ns + 1000000)
    sync_us, end_us = sent.time_ns(48) / 1000, sent.time_ns(len(sent.chips)) / 1000
    world.run([made], sync_us - 50)
    assert made.radio.receiving is False
    for at_us in (sync_us + 5, sync_us + 500, (sync_us + end_us) / 2, end_us - 200):
        world.run([made], at_us)
        assert made.radio.receiving is True, at_us - sync_us
    world.run([made], end_us + 1000)
    assert made.radio.receiving is False and len(made.frames) == 1
    made.radio.standby(made.board.now_us())
    assert made.radio.receiving is False


@each_radio
def test_a_reception_is_given_up(kind):
    """In the middle of a frame a window is armed: it is hit, and the next frame is heard."""
    node = Answering(kind, World(seed=1), *T2_DOWN, behind(5000, 6000))
    settle(node)
    link = ("T2", modes.UP, "A")
    sent = on_air(node.world, link, frame(250), node.world.now_ns + 1000000)
    node.world.run([node], sent.time_ns(1000) / 1000)
    assert node.radio.receiving
    now_us = node.board.now_us()
    node.answer(now_us + 2000, now_us + 3000)
    assert not node.radio.receiving
    settle(node)
    assert len(node.on_the_air()) == 1 and node.outside() == []
    assert node.made.frames == []
    node.hear(frame(30))
    assert node.made.frames == [frame(30)]
    balanced(node.made)


# --- calibration ---


def test_a_carrier_that_is_expected_is_kept_calibrated():
    """CC1101: minutes later the answer needs no calibration; the look at an idle receiver does it meanwhile."""
    world = World(seed=3)
    node = Answering("cc1101", world, *T2_DOWN, behind(1500, 1900))
    settle(node)
    calibrations = []
    scal = node.board.chip._scal
    node.board.chip._scal = lambda: calibrations.append(world.now_us) or scal()
    for _ in range(5):
        settle(node, 100_000_000)
        before = len(calibrations)
        node.hear(frame(20))
        sent_us = node.on_the_air()[-1].end_ns / 1000
        assert all(at_us > sent_us for at_us in calibrations[before:])  # not for the answer
    assert len(node.on_the_air()) == 5 and node.outside() == []
    assert 500 / 30 <= len(calibrations) <= 500 / 14
    assert not node.made.faults and not node.board.chip.violations


def test_what_comes_in_while_carriers_are_kept_calibrated_is_heard():
    """At 20 frames a second for a minute none is lost to it beyond what the receiver's own calibrations cost."""
    lost = {}
    for expect in (False, True):
        world = World(seed=9)
        node = Answering("cc1101", world, *T2_DOWN, None, expect=expect)
        node.answer = lambda *_: None
        node.window = lambda event: ()
        settle(node)
        sent = 0
        for number in range(60 * 20):
            on_air(world, ("T2", modes.UP, "A"), frame(20, seed=number), world.now_ns + 10_000_000)
            world.run([node], world.now_us + 50_000)
            sent += 1
        lost[expect] = sent - len(node.made.frames)
    assert lost[True] <= lost[False] + 4, lost


def conversation(seed, settle_us, period_us, rounds):
    """A CC1101 on a Linux host, and a T2 meter that says its last frame again after each period: the station answers that,
    and the meter the answer, 2 ms behind its last data chip. (how many frames were missed, the node)."""
    world = World(seed=seed)
    node = Answering("cc1101", world, *T2_DOWN, t2)
    delay_us = world.linux_delay()
    arm = node.answer
    said = []

    def say(start_ns):
        said.append(start_ns)
        node.answer = arm if len(said) % 2 else lambda *_: None
        sent = on_air(world, ("T2", modes.UP, "A"), frame(12, seed=len(said)), start_ns)
        world.run([node], sent.time_ns(len(sent.chips)) / 1000 + 1000, delay_us=delay_us)

    world.run([node], settle_us, delay_us=delay_us)
    next_ns = world.now_ns + 5_000_000
    for _ in range(rounds):
        world.run([node], next_ns / 1000 - 1000, delay_us=delay_us)
        say(next_ns)
        world.run([node], world.now_us + 40000, delay_us=delay_us, stop=lambda: node.made.kinds("sent"))
        end_ns = node.on_the_air()[-1].end_ns if node.made.kinds("sent") else world.now_ns
        put_away(node.made)
        say(end_ns + 2_000_000 - 244_000)
        next_ns = said[-1] + period_us * 1000
    return len(said) - node.radio.counters["frames"], node


def test_no_calibration_keeps_step_with_a_conversation(record_property):
    """CC1101: a meter repeats after 2, 3 or 5 s (link sheet 8.3), looks at an idle receiver come ten times a second: none of
    them may calibrate where the repetition begins, round for round and conversation for conversation."""
    rng = random.Random(7)
    missed = frames = 0
    for seed in range(30):
        lost, node = conversation(
            seed, rng.randrange(100_000, 30_000_000), (2, 3, 5)[seed % 3] * 1_000_000, 25
        )
        missed += lost
        frames += 50
        assert not node.made.faults and node.outside() == []
    record_property("conversations with a CC1101", "{} of {} frames missed".format(missed, frames))
    assert missed == 0


def test_behind_its_own_transmissions_carriers_are_calibrated_in_turn():
    """CC1101: long before they have to be. While it converses no look at the receiver does it."""
    node = Answering("cc1101", World(seed=1), *T2_DOWN, None)
    settle(node, 20_000_000)
    looks = []
    node.radio._receiver._restart = lambda now_us: looks.append(now_us)
    for number in range(40):
        settle(node, 1_700_000)
        node.answer(node.board.now_us() + 2000, node.board.now_us() + 3000)
        settle(node, 100_000)
        if number < 8:
            looks.clear()
            continue
        now_us = node.board.now_us()
        ages = [now_us - known[0] for known in node.radio._calibrations.values()]
        assert max(ages) < node.radio.recalibrate // 2  # when a look would calibrate what is expected
    assert looks == [] and len(node.on_the_air()) == 40 and len(ages) == 2


def deaf_us(node, us):
    """How long the receiver is off within so long."""
    receiver, world = node.board.chip.receiver, node.world
    off_us, spent_us = None, []
    start, stop = receiver.start, receiver.stop

    def started():
        nonlocal off_us
        if off_us is not None:
            spent_us.append(world.now_us - off_us)
        off_us = None
        start()

    def stopped():
        nonlocal off_us
        off_us = world.now_us if off_us is None else off_us
        stop()

    receiver.start, receiver.stop = started, stopped
    settle(node, us)
    return spent_us


@pytest.mark.parametrize("expect, ppm", ((False, 110), (True, 200)))
def test_how_long_an_idle_receiver_is_deaf(expect, ppm, record_property):
    """CC1101: what the driver promises of restarts and calibrations."""
    node = Answering("cc1101", World(seed=4), *T2_DOWN, None, expect=expect)
    settle(node)
    spent_us = deaf_us(node, 600_000_000)
    record_property(
        "idle CC1101, carriers expected: {:d}".format(expect),
        "deaf {:.0f} ppm of the time, at most {} us".format(sum(spent_us) / 600, max(spent_us)),
    )
    assert len(spent_us) > 200 and sum(spent_us) / 600 <= ppm


@pytest.mark.parametrize("driver", ({}, {"recalibrate": "frame"}, {"recalibrate": 1000}))
def test_the_first_window_of_a_carrier_that_nobody_expected(driver):
    """CC1101: it is calibrated in the window if that leaves time for it (mode T2 does), else the window is missed: without
    a calibration nobody knows where it would be sent."""
    for window, hits in ((t2, 3), (behind(1000, 1200), 0)):
        node = Answering("cc1101", World(seed=3), *T2_DOWN, window, expect=False, driver=driver)
        settle(node)
        for number in range(3):
            node.hear(frame(20, seed=number), delay_us=None)
        assert len(node.on_the_air()) == hits and node.outside() == []
        assert node.radio.counters["too_late"] == 3 - hits
        for sent in node.on_the_air():
            assert abs(sent.frequency_hz - 868300000) < 1000
        assert not node.made.faults
        balanced(node.made)


# --- missed on purpose ---


def missed(node, n=1):
    assert [event.kind for event in node.events if event.kind != "frame"] == ["too_late"] * n
    assert [event.at_us for event in node.made.kinds("too_late")] == [window[0] for window in node.windows]
    assert node.radio.counters["too_late"] == n
    balanced(node.made)


@each_radio
@pytest.mark.parametrize("until_us", (-100000, -1, 0, 100, 400))
def test_armed_too_late(kind, until_us):
    """Nothing is sent, it is told at once, and the receiver hears again."""
    node = Answering(kind, World(seed=1), *T2_DOWN, behind(until_us - 1000, until_us))
    settle(node)
    sent = node.hear(frame(20), more_us=3000)
    missed(node)
    assert node.made.kinds("too_late")[0].at_us == node.windows[0][0]
    assert node.on_the_air() == []
    node.window = t2
    node.hear(frame(21))
    assert len(node.on_the_air()) == 1 and node.outside()[1:] == []
    assert sent.end_ns


@each_radio
@pytest.mark.parametrize("clock", (True, False))
def test_a_stall_before_the_strobe(kind, clock):
    """Over the middle: sent behind it if the window is still open, else not at all."""
    for length_us, hit in ((700, True), (5000, False)):
        world = World(seed=1)
        node = Answering(kind, world, *T2_DOWN, behind(10000, 11000), clock=clock)
        settle(node)
        data = frame(20)
        sent = on_air(world, ("T2", modes.UP, "A"), data, world.now_ns + 5_000_000)
        middle_us = windows.data_end_ns(sent, "T2", modes.UP, data) / 1000 + 10500
        node.board.stalls = Stalls([(middle_us - 500, length_us)])
        world.run([node], middle_us + 100000)
        assert node.outside() == []
        if hit:
            assert len(node.on_the_air()) == 1
        else:
            assert node.on_the_air() == []
            missed(node)


@each_radio
def test_the_clock_is_looked_at_just_before_the_strobe(kind):
    """The host stands still between its wake-up, which was in time, and that look: nothing has to be taken back."""
    world = World(seed=1)
    node = Answering(kind, world, *T2_DOWN, t2)
    settle(node)

    def clock():
        world.advance_us(3000)
        return node.board.now_us()

    node.radio.clock = clock
    node.hear(frame(20))
    assert node.on_the_air() == [] and not node.made.faults
    assert "aborted" not in node.radio.counters
    missed(node)


@each_radio
def test_a_stall_across_the_strobe(kind):
    """Between the last look at the clock and the chip select: the CC1101 is stopped before it sends anything. The SX1262
    takes no command until its first chip: that and a few more leave it."""
    aborted = 0
    for offset_us in range(-60, 140, 2):
        world = World(seed=1)
        node = Answering(kind, world, *T2_DOWN, behind(10000, 11000))
        settle(node)
        data = frame(20)
        on_air(world, ("T2", modes.UP, "A"), data, world.now_ns + 5_000_000)
        world.run([node], world.now_us + 100000, stop=lambda made=node: made.radio.exact)
        strobe_us = world.now_us + node.radio.due_us - node.board.now_us()
        node.board.stalls = Stalls([(strobe_us + offset_us, 5000)])
        world.run([node], world.now_us + 100000)
        wrong = [one for one in node.on_the_air() if not inside(node, one)]
        if kind == "cc1101":
            assert not wrong
        for one in wrong:
            assert (one.end_ns - one.start_ns) / 1000 < 60  # two chips
            assert node.radio.counters["aborted"] == 1
        if node.radio.counters.get("aborted"):
            aborted += 1
            missed(node)
            assert not node.made.faults
        node.board.stalls = None
        put_away(node.made)
        node.window = t2
        node.hear(frame(21))  # as if nothing had been
        assert inside(node, node.on_the_air()[-1]) and len(node.made.kinds("sent")) == 1
    assert aborted >= 5


def inside(node, sent):
    start_us = node.board.to_us(sent.start_ns)
    return any(at_us <= start_us <= until_us for at_us, until_us in node.windows)


@each_radio
@each_link
def test_nothing_outside_whatever_the_host_does(kind, link):
    """Stalls twenty times a second, services up to 3 ms late: what is missed is told, and nothing is outside."""
    mode, direction = link
    world = World(seed=13)
    rng = random.Random("{}/{}".format(kind, link))

    def window(event):
        at_us = event.end_us + rng.randrange(-500, 9000)
        return at_us, at_us + rng.randrange(0, 2000)

    node = Answering(kind, world, mode, direction, window)
    settle(node)
    node.board.stalls = world.stalls(50_000, 5_000)
    for number in range(100):
        node.hear(frame(12, seed=number), more_us=40000, delay_us=world.delay(0, 3000))
    cut = node.radio.counters.get("aborted", 0)
    assert len([one for one in node.on_the_air() if not inside(node, one)]) <= (
        cut if kind == "sx1262" else 0
    )
    counters = node.radio.counters
    assert counters["sent"] > 10 and counters["too_late"] > 10
    assert len(node.windows) == counters["sent"] + counters["too_late"] + sum(
        counters["faults"].get(code, 0) for code in ("tx_underflow", "tx_stalled", "tx_short")
    )
    balanced(node.made)


# --- faults ---


@each_radio
@pytest.mark.parametrize("fault", ("brown_out", "hang"))
@pytest.mark.parametrize("ahead_us", (300, 1500, 20000))
def test_a_chip_that_fails_in_the_window(kind, fault, ahead_us):
    """Told, nothing outside the window, and healed."""
    world = World(seed=5)
    node = Answering(kind, world, *T2_DOWN, behind(30000, 31000))
    settle(node)
    node.hear(frame(20), more_us=3000)
    middle_us = sum(node.windows[0]) // 2
    world.run([node], world.now_us + middle_us - node.board.now_us() - ahead_us)
    getattr(node.board.chip, fault)()
    settle(node, 500000)
    assert node.made.kinds("fault") and node.outside() == []
    node.made.events.clear()
    node.radio.standby(node.board.now_us())
    node.listen()
    settle(node)
    node.window = t2
    node.hear(frame(22))
    assert node.made.frames == [frame(22)] and len(node.made.kinds("sent")) == 1


def test_a_reset_that_nobody_noticed_before_the_answer():
    """SX1262: prepared out of reception it is not configured from the ground up, and that it has to be is noticed."""
    world = World(seed=5)

    def window(event):
        node.board.chip.brown_out()
        world.advance_us(20000)
        return event.end_us + 22000, event.end_us + 23000

    node = Answering("sx1262", world, *T2_DOWN, window)
    settle(node)
    node.hear(frame(20), more_us=500000)
    assert node.made.kinds("fault") and node.on_the_air() == []
    node.radio.standby(node.board.now_us())
    node.listen()
    settle(node)
    node.window = t2
    node.hear(frame(22))
    assert len(node.on_the_air()) == 1 and node.outside() == []
