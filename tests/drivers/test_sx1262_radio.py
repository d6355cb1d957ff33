"""The driver on the chip model, with the CC1101's as the partner: every mode, the lengths that are special, late hosts. All
lengths and every setting of what the sheet leaves open: tests/scenario/test_every_pairing.py."""

import pytest
import support_stations
import support_sx1262
from omsnode.board import virtual
from omsnode.board.virtual import World, sx1262
from omsnode.drivers.sx1262 import limits
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.deframer import Deframer
from support_stations import chips, frame

Cc1101, Sx1262 = support_stations.Station, support_sx1262.Station

LINKS = (
    ("S1", "up", "A"),
    ("S2", "up", "A"),
    ("S2", "down", "A"),
    ("T1", "up", "A"),
    ("T2", "down", "A"),
    ("C1", "up", "A"),
    ("C1", "up", "B"),
    ("C2", "down", "A"),
    ("C2", "down", "B"),
)
# Shortest, coded bytes and frames at and around 240, 255, 256 and 512, longest.
LENGTHS = (9, 11, 20, 26, 58, 100, 104, 105, 110, 112, 140, 149, 150, 151, 209, 222, 225, 226, 255)

PAIRS = ((Cc1101, Sx1262), (Sx1262, Cc1101), (Sx1262, Sx1262))
NAMES = ("cc1101-sx1262", "sx1262-cc1101", "sx1262-sx1262")


def pair(classes, seed=0, receiver=None, sender=None, world=None, **board):
    world = world or World(seed=seed)
    return world, classes[0](world, "sender", sender), classes[1](world, "receiver", receiver, **board)


def on_air(world, mode, data, at_ns, direction="up", frame_format="A"):
    """A frame from nowhere, with the values of the mode table; returns the instant of its end in ns."""
    row = modes.find(mode, direction)
    bits = bytearray(virtual.unpack(chips(mode, data, direction, frame_format)))
    rate_cps, deviation_hz = float(row.chip_rate_cps), float(row.deviation_hz)
    world.air.transmit(
        virtual.Transmission(int(at_ns), bits, rate_cps, float(row.frequency_hz), deviation_hz)
    )
    return at_ns + len(bits) * 1e9 / rate_cps


def exchange(world, sender, receiver, link, length, delay_us=None):
    """One frame from sender to receiver: heard as it was; on the air was what was prepared; never late."""
    mode, direction, frame_format = link
    sent = frame(length, frame_format, seed=length)
    stream = chips(mode, sent, direction, frame_format)
    sender.events.clear()
    receiver.events.clear()
    before = len(world.air.log)
    sender.radio.late_us = max(sender.radio.late_us, 300)  # the receiver's looks are on the same host
    at_us = sender.send(mode, stream, direction, in_us=40000)
    world.run([sender, receiver], world.now_us + 50000 + len(stream) * 8 * 35, delay_us=delay_us)
    assert [event.kind for event in sender.events if event.kind != "fault"] == ["sent"], sender.events
    (transmission,) = world.air.log[before:]
    bits = bytes(transmission.chips)
    if isinstance(sender, Sx1262):
        prepared = bytes(virtual.unpack(stream))
        if len(stream) <= 263:
            assert len(bits) == len(prepared) + 8 and bits[8:] == prepared
        else:
            assert len(bits) == len(prepared) and bits[-8 * 263 :] == prepared[-8 * 263 :]
    assert transmission.start_ns <= at_us * 1000 + 20000
    (event,) = [event for event in receiver.events if event.kind != "fault"]
    assert event.frame == sent
    assert event.frame_format == frame_format
    return event, transmission


def fits(station, link, length):
    mode, direction, frame_format = link
    if frame_format == "B" and length in (9, 10, 128, 129):
        return False
    return not isinstance(station, Sx1262) or length <= limits.longest(
        modes.find(mode, direction), frame_format
    )


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("classes", PAIRS, ids=NAMES)
def test_every_mode_and_length(link, classes):
    world, sender, receiver = pair(classes, seed=3)
    receiver.listen(link[0], link[1])
    for length in LENGTHS:
        if fits(sender, link, length):
            exchange(world, sender, receiver, link, length)
    assert not sender.faults
    assert not receiver.faults
    assert not sender.board.chip.violations
    assert not receiver.board.chip.violations


@pytest.mark.parametrize("mode", ("T1", "C1"))
def test_one_receiver_hears_t_and_c(mode):
    world, sender, receiver = pair((Cc1101, Sx1262))
    receiver.listen("T+C")
    for length in (20, 255):
        event, _ = exchange(world, sender, receiver, (mode, "up", "A"), length)
        assert event.family == mode[0]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("late_us", (2000, 6000))
def test_a_late_receiver(link, late_us):
    """Only the receiver's host is late: what was sent is known."""
    world, sender, receiver = pair((Cc1101, Sx1262), seed=2)
    late = world.delay(0, late_us)
    receiver.listen(link[0], link[1])
    for length in LENGTHS[1:]:
        if fits(sender, link, length):
            exchange(
                world, sender, receiver, link, length, lambda node: late(node) if node is receiver else 0
            )
    assert not receiver.faults


@pytest.mark.parametrize(("link", "delay_us"), ((("T1", "up", "A"), 9000), (("S2", "up", "A"), 25000)))
def test_host_as_late_as_the_ring_allows(link, delay_us):
    """Half a lap, always: 10.2 ms at 100 kcps, 31 ms at 32.768 kcps."""
    world, sender, receiver = pair((Cc1101, Sx1262), seed=5)
    receiver.listen(link[0], link[1])
    exchange(world, sender, receiver, link, 255, lambda node: delay_us if node is receiver else 0)
    assert not receiver.faults


def test_a_host_too_late_loses_the_frame_and_hears_the_next():
    world, sender, receiver = pair((Cc1101, Sx1262), seed=5)
    receiver.listen("T+C")
    sender.send("T1", chips("T1", frame(255)))
    world.run(
        [sender, receiver], world.now_us + 90000, delay_us=lambda node: 24000 if node is receiver else 0
    )
    assert not receiver.frames
    assert set(receiver.faults) <= {"rx_overflow", "rx_short", "missed_interrupt"} and receiver.faults
    exchange(world, sender, receiver, ("T1", "up", "A"), 255)


def test_time_stamps():
    """From the edges, to the microsecond, even if the host comes late."""
    world, sender, receiver = pair((Cc1101, Sx1262), seed=6, clock_offset_us=123456)
    receiver.listen("T+C")
    world.run([sender, receiver], world.now_us + 3000)
    event, sent = exchange(
        world, sender, receiver, ("C1", "up", "A"), 60, lambda node: 1500 if node is receiver else 0
    )
    assert abs(event.at_us * 1000 - receiver.board.to_us(int(sent.time_ns(32 + 16))) * 1000) <= 20000
    assert abs(event.end_us - receiver.board.to_us(sent.end_ns)) <= 20


def test_rssi():
    world, sender, receiver = pair((Sx1262, Sx1262), seed=6)
    world.air.set_path_loss("sender", "receiver", 90)
    receiver.listen("T+C")
    event, _ = exchange(world, sender, receiver, ("T1", "up", "A"), 60)
    assert abs(event.rssi_dbm - (14 - 90)) <= 3


@pytest.mark.parametrize("dbm", (14, 10, 0))
def test_power(dbm):
    world, sender, receiver = pair((Sx1262, Sx1262))
    sender.radio.configure("T1", "up", power_dbm=dbm)
    sender.radio.prepare(chips("T1", frame(20)), sender.board.now_us())
    sender.radio.transmit(sender.board.now_us() + 20000)
    world.run([sender], world.now_us + 60000)
    assert abs(world.air.log[-1].power_dbm - dbm) <= 1


@pytest.mark.parametrize("ramp_counts", (True, False))
def test_instant_of_transmission(ramp_counts):
    world = World(seed=1)
    sender = Sx1262(world, "sender", options={"ramp_counts": ramp_counts})
    for in_us in (20000, 50000, 500000):
        at_us = sender.send("T1", chips("T1", frame(20)), in_us=in_us)
        world.run([sender], at_us + 20000)
        (event,) = sender.events
        sender.events.clear()
        sent = world.air.log[-1]
        assert abs(event.at_us * 1000 - sent.start_ns) < 20000
        assert abs(event.end_us * 1000 - sent.end_ns) < 20000
        assert -500 <= sent.start_ns / 1000 - at_us <= 20
        assert sender.radio.due_us is None


@pytest.mark.parametrize(("late_us", "early_us"), ((0, 500), (500, 850), (2000, 3150)))
def test_the_first_transmission_of_a_late_host_is_not_lost(late_us, early_us):
    for seed in range(30):
        world = World(seed=seed)
        sender = Sx1262(world, "sender")
        at_us = sender.send("T1", chips("T1", frame(20)), in_us=300000)
        world.run([sender], at_us + 20000, delay_us=world.delay(0, late_us))
        assert sender.radio.counters["sent"] == 1, seed
        assert at_us - early_us <= world.air.log[-1].start_ns / 1000 <= at_us + 20


def test_too_late_is_an_event_and_nothing_is_sent():
    world, sender, _ = pair((Sx1262, Sx1262))
    at_us = sender.send("T1", chips("T1", frame(20)), in_us=500)
    world.run([sender], world.now_us + 50000)
    assert [(event.kind, event.at_us) for event in sender.events] == [("too_late", at_us)]
    assert not world.air.log
    assert sender.radio.counters["too_late"] == 1
    sender.send("T1", chips("T1", frame(20)), in_us=20000)
    world.run([sender], world.now_us + 50000)
    assert sender.radio.counters["sent"] == 1


def test_too_long_is_refused_before_anything_is_sent():
    world, sender, _ = pair((Sx1262, Sx1262))
    sender.radio.configure("T1", "up")
    with pytest.raises(MisuseError) as caught:
        sender.radio.prepare(chips("T1", frame(255)), sender.board.now_us())
    assert "150" in caught.value.hint
    world.run([sender], world.now_us + 50000)
    assert not world.air.log
    assert sender.due_us is None


def test_false_sync_is_rejected_at_once():
    """543D and then what no encoder sends: the receiver is back in time for a frame 1 ms later."""
    world, sender, receiver = pair((Cc1101, Sx1262))
    receiver.listen("T+C")
    good = frame(20)
    junk = b"\x55" * 4 + b"\x54\x3d" + b"\x00" * 8
    sender.send("T1", junk + b"\x55" * 8 + chips("T1", good))
    world.run([sender, receiver], world.now_us + 30000)
    assert [event.kind for event in receiver.events] == ["rejected", "frame"]
    assert receiver.radio.counters["rejects"] == {"symbol": 1}
    assert receiver.frames == [good]


def test_noise_never_gets_it_stuck():
    """Two seconds of random chips at full strength; a frame afterwards is heard."""
    import random

    world, sender, receiver = pair((Cc1101, Sx1262), seed=11)
    receiver.listen("T+C")
    rng = random.Random(11)
    for _ in range(4):
        sender.send("T1", bytes(rng.randrange(256) for _ in range(6001)), in_us=6000)
        world.run([sender, receiver], world.now_us + 500000)
    assert sender.radio.counters["sent"] == 4
    exchange(world, sender, receiver, ("T1", "up", "A"), 60)
    assert not receiver.faults


def test_idle_receiver_costs_little():
    """A second of listening: the look every 100 ms, and nothing else."""
    world, _, receiver = pair((Cc1101, Sx1262))
    receiver.listen("T+C")
    world.run([receiver], world.now_us + 10000)
    calls = []
    transfer = receiver.board.spi.transfer
    receiver.radio.chip._transfer = lambda tx, rx: calls.append(len(tx)) or transfer(tx, rx)
    world.run([receiver], world.now_us + 1000000)
    assert len(calls) <= 100


@pytest.mark.parametrize("mode", ("T1", "C1"))
def test_configuring_a_silent_receiver_anew_costs_no_frame(mode):
    """Frames that begin around that instant, every 50 us: it waits for a carrier, and a header outlasts it."""
    for after_us in range(-1000, 1000, 50):
        world = World(seed=2)
        receiver = Sx1262(world, "receiver")
        receiver.listen("T+C")
        at_us = receiver.radio._receiver._anew_us + after_us
        world.run([receiver], at_us - 150000)
        looks_at = receiver.radio._receiver._next_look_us
        while looks_at < receiver.radio._receiver._anew_us:
            looks_at += 100000
        on_air(world, mode, frame(30), (looks_at + after_us) * 1000)
        world.run([receiver], at_us + 300000)
        assert len(receiver.frames) == 1, after_us


@pytest.mark.parametrize("silent_us", (0, 31000000))
def test_nor_does_it_after_a_long_silence(silent_us):
    """Whoever has waited for carriers in vain, or for none, waits again; and a sync word that was latched just before the
    receiver is configured anew is no packet."""
    for after_us in range(-1000, 300, 50):
        world = World(seed=2)
        receiver = Sx1262(world, "receiver")
        receiver.listen("T+C")
        world.run([receiver], world.now_us + silent_us + 10000)
        anew_us = receiver.radio._receiver._anew_us
        looks_at = receiver.radio._receiver._next_look_us
        while looks_at < anew_us:
            looks_at += 100000
        on_air(world, "C1", frame(30), (looks_at + after_us) * 1000)
        world.run([receiver], looks_at + 300000)
        assert len(receiver.frames) == 1, after_us
        assert not receiver.faults


def test_a_sync_word_latched_before_the_receiver_is_configured_anew_is_no_packet():
    world = World(seed=2)
    receiver = Sx1262(world, "receiver")
    receiver.listen("T+C")
    world.run([receiver], world.now_us + 150000)
    inner = receiver.radio._receiver
    sent_ns = world.now_ns + 1000000
    on_air(world, "C1", frame(30), sent_ns)
    world.advance(sent_ns + 520000)  # 48 chips and 40 us: nobody was told yet
    inner._begin_anew(world.now_us)
    world.run([receiver], world.now_us + 50000)
    assert not receiver.faults


@pytest.mark.parametrize("link", LINKS)
def test_dead_time(link):
    """What a restart takes, with the host in time: from the service that finds no frame to BUSY low behind SetRx. Where
    the stop was set in time there is no restart, and nothing is lost."""
    mode, direction, frame_format = link
    world, sender, receiver = pair((Cc1101, Sx1262))
    receiver.listen(mode, direction)
    world.run([receiver], world.now_us + 150000)
    starts = []
    transfer = receiver.board.spi.transfer

    def watched(tx, rx):
        transfer(tx, rx)
        if tx[0] == 0x82:
            starts.append(world.now_us + 62)

    receiver.radio.chip._transfer = watched
    stream = bytearray(chips(mode, frame(20, frame_format), direction, frame_format))
    header = 8 if mode[0] == "C" else 72 if mode == "S1" else 6
    stream[header:] = b"\x00" * 40
    sender.send(mode, bytes(stream), direction)
    world.run([sender, receiver], world.now_us + 50000)
    (event,) = receiver.kinds("rejected")
    dead_us = starts[0] - event.end_us
    print("dead time", *link, dead_us, "us")
    assert dead_us <= receiver.radio.dead_time_us()
    starts.clear()
    exchange(world, sender, receiver, link, 20)
    assert not starts


@pytest.mark.parametrize("link", (("T1", "up", "A"), ("C1", "up", "A"), ("S2", "up", "A")))
@pytest.mark.parametrize("late_us", (0, 2000))
def test_frames_at_the_spacing_of_the_dead_time(link, late_us):
    """Twenty frames back to back: none is lost if the header of the next begins a dead time behind the last chip, and as
    late as the host is."""
    mode, direction, frame_format = link
    world = World(seed=2)
    receiver = Sx1262(world, "receiver")
    receiver.listen(mode, direction)
    world.run([receiver], world.now_us + 20000)
    at_ns, sent = world.now_us * 1000 + 1000000, []
    for n in range(20):
        sent.append(frame(20 + 11 * n, frame_format, seed=n))
        at_ns = on_air(world, mode, sent[-1], at_ns, direction, frame_format)
        at_ns += (receiver.radio.dead_time_us() + late_us) * 1000
    world.run([receiver], int(at_ns // 1000) + 30000, delay_us=world.delay(0, late_us))
    assert receiver.frames == sent
    assert not receiver.faults


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("late_us", (0, 500, 2000))
def test_t_and_c_interleaved_with_the_stop_as_late_as_it_may_be(seed, late_us):
    """Random modes, formats and lengths, gaps from the dead time up; what the sheet leaves open of the stop at random."""
    import random

    rng = random.Random(seed)
    choices = {option.name: option.choices for option in sx1262.OPTIONS}
    names = ("stop_lead_bytes", "stop_behind", "stop_reload", "rx_base", "sync_errors_allowed", "status_idle")
    world = World(seed=seed)
    receiver = Sx1262(world, "receiver", options={name: rng.choice(choices[name]) for name in names})
    receiver.listen("T+C")
    world.run([receiver], world.now_us + 20000)
    at_ns, sent = world.now_us * 1000 + 1000000, []
    for n in range(40):
        mode, frame_format = rng.choice((("T1", "A"), ("C1", "A"), ("C1", "B")))
        sent.append(frame(rng.choice((11, 20, 30, 46, 100, 149, 200, 255)), frame_format, seed=n))
        at_ns = on_air(world, mode, sent[-1], at_ns, "up", frame_format)
        at_ns += int((receiver.radio.dead_time_us() + late_us + rng.expovariate(1 / 4000)) * 1000)
    world.run([receiver], int(at_ns // 1000) + 30000, delay_us=world.delay(0, late_us))
    assert receiver.frames == sent
    assert not receiver.faults


def test_illegal_steps_raise_and_change_nothing():
    world, sender, _ = pair((Sx1262, Sx1262))
    radio, now = sender.radio, sender.board.now_us()
    stream = chips("T1", frame(20))
    for step in (
        lambda: radio.prepare(stream, now),
        lambda: radio.transmit(now),
        lambda: radio.listen(Deframer("T"), now),
    ):
        with pytest.raises(MisuseError):
            step()  # before configure
    for arguments in (("N1", "up"), ("T1", "up", 1), ("T1", "up", 0, 0, 23), ("T+C", "down")):
        with pytest.raises(MisuseError):
            radio.configure(*arguments)
    radio.configure("T+C", "up")
    with pytest.raises(MisuseError):
        radio.prepare(stream, now)  # T+C is for reception
    radio.configure("T1", "up")
    with pytest.raises(MisuseError):
        radio.prepare(b"", now)
    at_us = sender.send("T1", stream, in_us=30000)
    world.run([sender], at_us + 1000)
    with pytest.raises(MisuseError):
        radio.listen(Deframer("T"), now)
    with pytest.raises(MisuseError):
        radio.transmit(now)
    world.run([sender], at_us + 20000)
    assert radio.counters["sent"] == 1


def test_sleep_and_wake():
    world, sender, receiver = pair((Sx1262, Sx1262))
    receiver.listen("T+C")
    for pause_us in (50000, 0):
        for station in (sender, receiver):
            station.radio.sleep(station.board.now_us())
            assert station.radio.due_us is None
        world.advance_us(pause_us)
        receiver.listen("T+C")
        exchange(world, sender, receiver, ("T1", "up", "A"), 100)
    for station in (sender, receiver):
        assert not station.faults
        assert not station.board.chip.violations


def test_standby_ends_what_is_under_way():
    world, sender, receiver = pair((Sx1262, Sx1262))
    receiver.listen("T+C")
    at_us = sender.send("T1", chips("T1", frame(149)), in_us=40000)
    world.run([sender, receiver], at_us + 5000)
    sender.radio.standby(sender.board.now_us())
    receiver.radio.standby(receiver.board.now_us())
    assert (sender.due_us, receiver.due_us) == (None, None)
    world.run([sender, receiver], at_us + 50000)
    assert not sender.events
    receiver.listen("T+C")
    exchange(world, sender, receiver, ("T1", "up", "A"), 100)
