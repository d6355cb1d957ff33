"""The radio contract (firmware/phy/radio.py), walked by one test over every driver on its chip model."""

import random

import pytest
from omsnode.board.virtual import World
from omsnode.firmware.errors import MisuseError, RadioError
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.deframer import Deframer
from support_radios import LINKS, RADIOS, balanced, on_air, pair, put_away, station
from support_stations import chips, frame

T1 = ("T1", modes.UP, "A")
AHEAD_US = 100000  # transmit is called so long before
# How early a transmission may be: what a punctual host costs, and with services up to 2 ms late.
EARLY_US = {0: 500, 2000: 3200}
HEALTH_US = 100000
LISTENS_US = 10000  # from `listen`: calibration, or a TCXO that starts

each_radio = pytest.mark.parametrize("kind", RADIOS)


def both(kind, seed=0, **settings):
    """A station under test as sender and as receiver."""
    return pair((kind, kind), seed, **settings)


def idle(world, *stations, us=150000):
    world.run(stations, world.now_us + us)


def play(world, made, link=T1, length=20, in_us=LISTENS_US):
    """A frame from nowhere; (frame, Transmission)."""
    data = frame(length, link[2], seed=length)
    sent = on_air(world, link, data, world.now_ns + in_us * 1000)
    idle(world, made, us=in_us + len(sent.chips) * 1000000 // int(sent.chip_rate_cps) + 10000)
    return data, sent


def hears(world, made):
    data, _ = play(world, made)
    return made.frames[-1:] == [data]


# --- start, configure, misuse ---


@each_radio
def test_start_leaves_it_in_standby_with_empty_books(kind):
    world = World(seed=1)
    made = station(kind, world, "one")
    for _ in range(2):  # also once more, whatever it was doing
        assert made.radio.due_us is None
        assert list(made.radio.service(made.board.now_us())) == []
        assert {name: made.radio.counters[name] for name in ("frames", "sent", "too_late")} == {
            "frames": 0,
            "sent": 0,
            "too_late": 0,
        }
        assert made.radio.counters["rejects"] == made.radio.counters["faults"] == {}
        made.listen("T+C")
        idle(world, made)
        made.radio.start(made.board.now_us())
    assert not made.board.chip.violations


@each_radio
@pytest.mark.parametrize("answer", (0x00, 0xFF))
def test_no_chip_is_an_error_with_a_hint(kind, answer):
    made = station(kind, World(), "bare")
    made.board.chip.miso_stuck = answer
    with pytest.raises(RadioError) as caught:
        made.radio.start(made.board.now_us())
    assert "SPI" in caught.value.hint and "MISO" in caught.value.hint
    made.board.chip.miso_stuck = None
    made.radio.start(made.board.now_us())
    made.listen("T+C")
    assert hears(made.world, made)


@each_radio
@pytest.mark.parametrize("link", LINKS)
def test_every_row_of_the_mode_table_can_be_configured(kind, link):
    made = station(kind, World(), "one")
    made.radio.configure(link[0], link[1], 0, 12000, 10)
    made.radio.configure(link[0], link[1])


@each_radio
@pytest.mark.parametrize(
    "wrong",
    (
        ("N1", "up"),
        ("T1", "down"),
        ("T+C", "down"),
        ("T1", "sideways"),
        ("T1", "up", 1),
        ("T1", "up", 0, 0, 40),
        ("T1", "up", 0, 0, -60),
    ),
)
def test_what_it_cannot_do_is_refused_and_nothing_changes(kind, wrong):
    world, _, made = both(kind)
    made.listen("T+C")
    with pytest.raises(MisuseError) as caught:
        made.radio.configure(*wrong)
    assert str(caught.value)
    assert hears(world, made)
    made.send("T1", chips("T1", frame(20)), in_us=AHEAD_US)  # in the mode that was configured before
    idle(world, made, us=AHEAD_US + 20000)
    assert len(made.kinds("sent")) == 1


@each_radio
def test_steps_out_of_order_are_refused_and_nothing_changes(kind):
    world, made, _ = both(kind)
    one, stream = made.radio, chips("T1", frame(60))
    now_us = made.board.now_us
    for step in (
        lambda: one.prepare(stream, now_us()),
        lambda: one.transmit(now_us() + AHEAD_US),
        lambda: one.listen(Deframer("T"), now_us()),
    ):
        with pytest.raises(MisuseError):
            step()  # before configure
    one.configure("T+C", "up")
    with pytest.raises(MisuseError):
        one.prepare(stream, now_us())  # T+C is for reception
    one.configure("T1", "up")
    with pytest.raises(MisuseError):
        one.prepare(b"", now_us())
    with pytest.raises(MisuseError):
        one.transmit(now_us() + AHEAD_US)  # nothing is prepared
    made.listen("T1")
    with pytest.raises(MisuseError):
        one.transmit(now_us() + AHEAD_US)  # it receives
    at_us = made.send("T1", stream, in_us=AHEAD_US)
    idle(world, made, us=AHEAD_US + 1000)
    assert world.air.log and world.air.log[0].end_ns is None
    for step in (
        lambda: one.prepare(stream, now_us()),
        lambda: one.transmit(now_us() + AHEAD_US),
        lambda: one.listen(Deframer("T"), now_us()),
    ):
        with pytest.raises(MisuseError):
            step()  # on the air
    idle(world, made)
    (sent,) = made.kinds("sent")
    assert sent.at_us <= at_us
    assert len(world.air.log[0].chips) >= 8 * len(stream)
    with pytest.raises(MisuseError):
        one.transmit(now_us() + AHEAD_US)  # what was prepared has been sent
    balanced(made)
    assert not made.board.chip.violations


# --- transmission ---


@each_radio
@pytest.mark.parametrize("late_us", sorted(EARLY_US))
def test_never_late_and_not_too_early(kind, late_us):
    """From the first transmission on; SENT tells the instants that are on the air."""
    for seed in range(12):
        world = World(seed=seed)
        made = station(kind, world, "one", clock_offset_us=7000000, clock_ppm=40.0)
        for mode, length in (("T1", 20), ("S2", 100), ("C1", 60)):
            put_away(made)
            before = len(world.air.log)
            at_us = made.send(mode, chips(mode, frame(length)), in_us=AHEAD_US + late_us)
            world.run([made], world.now_us + 300000, delay_us=world.delay(0, late_us))
            assert [event.kind for event in made.events] == ["sent"], (seed, mode)
            (on_the_air,) = world.air.log[before:]
            start_us = made.board.to_us(on_the_air.start_ns)
            assert at_us - EARLY_US[late_us] <= start_us <= at_us, (seed, mode, start_us - at_us)
            (sent,) = made.events
            assert abs(sent.at_us - start_us) <= 30
            assert abs(sent.end_us - made.board.to_us(on_the_air.end_ns)) <= 300
            assert made.radio.due_us is None
        assert made.radio.counters["sent"] == 3
        balanced(made)


@each_radio
@pytest.mark.parametrize("in_us", (-100000, 0, 200))
def test_too_late_is_an_event_and_nothing_is_sent(kind, in_us):
    world, made, _ = both(kind)
    at_us = made.send("T1", chips("T1", frame(20)), in_us=in_us)
    idle(world, made)
    assert [(event.kind, event.at_us) for event in made.events] == [("too_late", at_us)]
    assert not world.air.log
    assert made.radio.due_us is None
    put_away(made)
    made.send("T1", chips("T1", frame(20)), in_us=AHEAD_US)
    idle(world, made)
    assert [event.kind for event in made.events] == ["sent"] and len(world.air.log) == 1
    balanced(made)


@each_radio
def test_a_host_that_misses_the_instant(kind):
    """It stands still for as long as the transmission was to be: told, never sent late."""
    world, made, _ = both(kind)
    at_us = made.send("T1", chips("T1", frame(20)), in_us=AHEAD_US)
    world.advance_us(2 * AHEAD_US)
    idle(world, made)
    assert [(event.kind, event.at_us) for event in made.events] == [("too_late", at_us)]
    assert not world.air.log
    balanced(made)


@each_radio
def test_what_is_prepared_can_wait_and_be_replaced(kind):
    world, made, receiver = both(kind)
    receiver.listen("T+C")
    first, second = frame(20, seed=1), frame(20, seed=2)
    made.radio.configure("T1", "up")
    made.radio.prepare(chips("T1", first), made.board.now_us())
    idle(world, made, receiver, us=500000)
    assert not made.events and not world.air.log
    made.radio.prepare(chips("T1", second), made.board.now_us())
    made.radio.transmit(made.board.now_us() + AHEAD_US)
    idle(world, made, receiver)
    assert receiver.frames == [second]


# --- reception ---


@each_radio
def test_what_a_frame_event_tells(kind):
    world = World(seed=3)
    made = station(kind, world, "receiver", clock_offset_us=123456)
    made.listen("T+C")
    world.air.set_path_loss("meter", "receiver", 80)
    for link, family in ((T1, "T"), (("C1", "up", "A"), "C"), (("C1", "up", "B"), "C")):
        put_away(made)
        idle(world, made, us=20000)
        data = frame(60, link[2])
        sent = on_air(world, link, data, world.now_ns + 2000000, source="meter", power_dbm=14.0)
        idle(world, made, us=40000)
        (event,) = made.kinds("frame")
        assert (event.frame, event.family, event.frame_format) == (data, family, link[2])
        assert event.error is None and event.code is None
        # The mode's sync word; in C the driver may see the end of its first half.
        sync_chips = 48 if family == "T" else 64
        assert abs(event.at_us - made.board.to_us(sent.time_ns(sync_chips))) <= (30 if family == "T" else 190)
        assert abs(event.end_us - made.board.to_us(sent.end_ns)) <= 200  # a trailer, and a byte
        assert type(event.rssi_dbm) is int and abs(event.rssi_dbm - (14 - 80)) <= 3
        for value in (event.lqi, event.offset_hz):
            assert value is None or type(value) is int
    balanced(made)


@each_radio
def test_what_is_no_frame_is_rejected_by_name(kind):
    """A wrong symbol of 3-of-6, an L-field that cannot be, a wrong second half of a C sync word; then a frame is heard."""
    world, sender, made = both(kind)
    made.listen("T+C")
    good = chips("T1", frame(20))
    header = good[: good.index(b"\x54\x3d") + 2]
    short = chips("C1", frame(9))[:8] + b"\x03" + bytes(10)
    for number, (stream, code) in enumerate(
        ((header + bytes(10), "symbol"), (short, "length"), (header + b"\x54\x00" + bytes(10), "symbol")), 1
    ):
        put_away(made)
        before = made.radio.counters["rejects"].get(code, 0)
        sender.send("T1", stream, in_us=AHEAD_US)
        idle(world, sender, made)
        (event,) = made.kinds("rejected")
        assert event.error.code == code and event.frame is None
        assert event.at_us <= event.end_us
        assert made.radio.counters["rejects"][code] == before + 1
        assert hears(world, made)
        assert made.radio.counters["frames"] == number
    assert not made.faults


@each_radio
def test_a_silent_receiver_is_served_rarely_and_looks_at_itself(kind):
    world, _, made = both(kind)
    made.listen("T+C")
    idle(world, made)
    served = []
    service = made.radio.service
    made.radio.service = lambda now_us, edges=(): served.append(now_us) or service(now_us, edges)
    idle(world, made, us=1900000)
    assert 15 <= len(served) <= 40
    assert max(b - a for a, b in zip(served, served[1:], strict=False)) <= HEALTH_US + 2000
    assert not made.events


@each_radio
def test_service_at_any_time_and_with_anything_is_harmless(kind):
    """More often than asked for, with edges of other lines, of the past and of the future."""
    world, sender, made = both(kind)
    rng = random.Random(5)
    made.listen("T+C")
    lines = ("gdo0", "gdo2", "dio1", "busy", "other")
    for number in range(10):
        data = frame(30 + number, seed=number)
        on_air(world, T1, data, world.now_ns + 10000000)
        until_us = world.now_us + 40000
        while world.now_us < until_us:
            world.run([made], world.now_us + rng.randrange(1, 2000))
            now_us = made.board.now_us()
            edges = [
                (rng.choice(lines), rng.randrange(2), now_us + rng.randrange(-50000, 10)) for _ in range(3)
            ]
            made.events += made.radio.service(made.board.now_us(), edges if rng.random() < 0.2 else ())
        assert made.frames[-1] == data
    assert made.radio.counters["frames"] == 10
    balanced(made)


# --- changes of state ---


@each_radio
def test_standby_and_sleep_from_every_state(kind):
    for number, rest in enumerate(("standby", "sleep")):
        world, sender, made = both(kind, seed=number)
        for state in ("fresh", "listening", "receiving", "prepared", "armed", "sending", "standby", "sleep"):
            if state in ("listening", "receiving"):
                made.listen("T+C")
                if state == "receiving":
                    on_air(world, T1, frame(100), world.now_ns + LISTENS_US * 1000)
                    idle(world, made, us=LISTENS_US + 4000)
            elif state == "prepared":
                made.radio.configure("T1", "up")
                made.radio.prepare(chips("T1", frame(60)), made.board.now_us())
            elif state in ("armed", "sending"):
                made.send("T1", chips("T1", frame(60)), in_us=AHEAD_US)
                idle(world, made, us=50000 if state == "armed" else AHEAD_US + 2000)
            elif state != "fresh":
                getattr(made.radio, state)(made.board.now_us())
            put_away(made)
            for _ in range(2):
                getattr(made.radio, rest)(made.board.now_us())
                assert made.radio.due_us is None
                world.advance_us(1000)
            before = len(world.air.log)
            idle(world, made, us=300000)
            assert not made.events, (state, rest)
            assert len(world.air.log) == before
            made.listen("T+C")
            assert hears(world, made), (state, rest)
        assert not made.faults
        assert not made.board.chip.violations


@each_radio
def test_listen_send_listen(kind):
    """As a meter with two-way communication does it; other modes and directions in turn."""
    world, made, other = both(kind)
    for number in range(3):
        other.listen("S2", "down")
        made.listen("T+C")
        assert hears(world, made)
        answer = frame(40, seed=number)
        made.send("S2", chips("S2", answer, "down"), "down", in_us=AHEAD_US)
        idle(world, made, other, us=AHEAD_US + 60000)
        assert other.frames[-1] == answer
    assert not made.faults and not other.faults


@each_radio
def test_another_mode_while_listening(kind):
    """`configure` alone changes nothing; the next `listen` does."""
    world, _, made = both(kind)
    for link in (T1, ("S2", "up", "A"), ("C2", "down", "B"), ("T2", "down", "A"), ("C1", "up", "B")):
        made.listen(link[0], link[1])
        data, _ = play(world, made, link, 50)
        assert made.frames[-1] == data
        made.radio.configure("S1", "up")
        data, _ = play(world, made, link, 51)
        assert made.frames[-1] == data
    assert made.radio.counters["frames"] == 10


# --- faults ---


@each_radio
@pytest.mark.parametrize("doing", ("listening", "receiving", "armed"))
@pytest.mark.parametrize("fault", ("brown_out", "hang", "supply_dip", "miso", "bus"))
def test_a_fault_is_an_event_is_counted_and_healed(kind, doing, fault):
    world, other, made = both(kind, seed=4)
    chip = made.board.chip
    if doing == "armed":
        made.send("T1", chips("T1", frame(60)), in_us=2 * AHEAD_US)
        idle(world, made, us=150000)
    else:
        made.listen("T+C")
        idle(world, made)
        if doing == "receiving":
            on_air(world, T1, frame(255), world.now_ns + 1000000)
            idle(world, made, us=9000)
    if fault == "supply_dip":
        chip.supply_dip(20000)
    elif fault == "miso":
        chip.miso_stuck = 0x00
        world.at(world.now_us + 250000, lambda: setattr(chip, "miso_stuck", None))
    elif fault == "bus":
        chip.selected = False
        world.at(world.now_us + 250000, lambda: setattr(chip, "selected", True))
    else:
        getattr(chip, fault)()
    idle(world, made, us=2600000)
    assert made.kinds("fault")
    for event in made.kinds("fault"):
        assert event.kind == radio.FAULT and event.code and event.frame is None
    balanced(made)
    if doing == "armed":
        assert made.radio.due_us is None
        put_away(made)
        made.send("T1", chips("T1", frame(60)), in_us=3 * AHEAD_US)
        other.listen("T+C")
        idle(world, made, other, us=500000)
        assert len(other.frames) == 1
        made.listen("T+C")
    assert hears(world, made)


# --- any order of steps ---


@each_radio
@pytest.mark.parametrize("seed", range(6))
def test_any_walk_through_the_contract(kind, seed):
    """Legal and illegal steps at random, with time between them: only MisuseError comes out, the books balance, and in the
    end it hears and sends."""
    rng = random.Random("{}/{}".format(kind, seed))
    world, made, other = both(kind, seed=seed)
    one = made.radio

    def now_us():
        return made.board.now_us()

    def deframer():
        return Deframer(rng.choice(("T", "C", "S", "T+C")))

    def stream():
        mode = rng.choice(("T1", "S2", "C1"))
        return chips(mode, frame(rng.choice((9, 40, 110))))

    steps = (
        lambda: one.configure(rng.choice(("T1", "C1", "S2", "T+C", "X")), rng.choice(("up", "down"))),
        lambda: one.prepare(stream(), now_us()),
        lambda: one.transmit(now_us() + rng.choice((-1000, 500, 20000, AHEAD_US))),
        lambda: one.listen(deframer(), now_us()),
        lambda: one.standby(now_us()),
        lambda: one.sleep(now_us()),
        lambda: on_air(world, rng.choice(LINKS[:2]), frame(40), world.now_ns + rng.randrange(10**7)),
        lambda: made.events.extend(one.service(now_us())),
    )
    for _ in range(150):
        try:
            rng.choice(steps)()
        except MisuseError:
            pass
        world.run([made], world.now_us + rng.choice((1, 100, 3000, 40000, 150000)))
    world.run([made], world.now_us + 400000)
    balanced(made)
    assert not made.faults
    assert not made.board.chip.violations
    one.standby(now_us())
    made.listen("T+C")
    assert hears(world, made)
    other.listen("T+C")
    made.send("T1", chips("T1", frame(60)), in_us=AHEAD_US)
    idle(world, made, other)
    assert len(other.frames) == 1
