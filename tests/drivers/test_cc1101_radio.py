"""The driver on the chip model: every mode and length, every setting of what the sheet marks as unknown, late hosts."""

import pytest
from omsnode.board import virtual
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from omsnode.firmware.phy.deframer import Deframer
from support_stations import Station, chips, frame, pair

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
# Shortest, one FIFO, coded bytes or streams at and around 255, 256 and 512, longest.
LENGTHS = (9, 11, 20, 26, 58, 100, 111, 112, 149, 150, 223, 239, 255)

UNKNOWNS = [
    (option.name, choice)
    for option in virtual.OPTIONS
    for choice in option.choices
    if choice != option.default and not (option.name == "version" and choice == 0)
]


def packed(transmission):
    return bytes(virtual.pack(transmission.chips))


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
    """One frame from sender to receiver; True if it was heard as it was and on the air was exactly what was prepared."""
    mode, direction, frame_format = link
    sent = frame(length, frame_format, seed=length)
    stream = chips(mode, sent, direction, frame_format)
    sender.events.clear()
    receiver.events.clear()
    on_air = len(world.air.log)
    at_us = sender.send(mode, stream, direction, in_us=20000)
    world.run([sender, receiver], world.now_us + 30000 + len(stream) * 8 * 35, delay_us=delay_us)
    assert [event.kind for event in sender.events if event.kind != "fault"] == ["sent"], sender.events
    (transmission,) = world.air.log[on_air:]
    if len(stream) % 256:
        assert packed(transmission) == stream
    else:  # PKTLEN = 0 does not exist: a byte more
        assert stream in (packed(transmission)[1:], packed(transmission)[:-1])
    assert transmission.start_ns <= at_us * 1000 + 20000  # never late
    (event,) = [event for event in receiver.events if event.kind != "fault"]
    assert event.frame == sent
    assert event.frame_format == frame_format
    return event, transmission


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("policy", ("interval", "frame"))
def test_every_mode_and_length(link, policy):
    driver = {"recalibrate": "frame"} if policy == "frame" else {}
    world, sender, receiver = pair(seed=3, sender=driver, receiver=driver)
    receiver.listen(link[0], link[1])
    for length in LENGTHS:
        if link[2] == "B" and length < 11:
            continue
        exchange(world, sender, receiver, link, length)
    assert not sender.faults
    assert not receiver.faults
    assert not sender.board.chip.violations
    assert not receiver.board.chip.violations


@pytest.mark.parametrize(("name", "choice"), UNKNOWNS)
def test_every_setting_of_the_unknowns(name, choice):
    world, sender, receiver = pair(seed=4)
    for station in (sender, receiver):
        setattr(station.board.chip.options, name, choice)
    allowed = {"pll"} if name == "pll_lock_failures" else set()
    if (name, choice) == ("pktctrl0_write_ends_packet", "always"):
        # the first long frame is lost, and from then on the driver does not write PKTCTRL0 in mid-packet
        sender.send("T1", chips("T1", frame(255)))
        world.run([sender], world.now_us + 60000)
        assert [(event.kind, event.code) for event in sender.events] == [("fault", "tx_stalled")]
        allowed.add("tx_stalled")
    for link in (("S2", "up", "A"), ("T1", "up", "A"), ("C1", "up", "B"), ("C2", "down", "A")):
        receiver.listen(link[0], link[1])
        for length in (20, 111, 149, 223, 255):
            exchange(world, sender, receiver, link, length)
    assert set(sender.faults) <= allowed
    assert set(receiver.faults) <= allowed
    assert not receiver.board.chip.violations


@pytest.mark.parametrize("length", (149, 150, 255))
def test_long_streams_end_as_the_vendor_describes(length, monkeypatch):
    """TI DN500 2.3 and SWRS061 15.2.2: infinite with PKTLEN = length modulo 256; fixed when less than 256 bytes are left,
    that is when the byte counter has passed PKTLEN for the last time but one."""
    world, sender, receiver = pair()
    receiver.listen("T1")
    chip = sender.board.chip
    seen = []
    write = chip.write_register

    def watched(address, value):
        if address in (0x06, 0x08):
            seen.append((address, value, sum(len(sent.chips) // 8 for sent in world.air.log)))
        write(address, value)

    monkeypatch.setattr(chip, "write_register", watched)
    _, transmission = exchange(world, sender, receiver, ("T1", "up", "A"), length)
    total = len(transmission.chips) // 8
    changes = [row[:2] for row in seen[2:]]  # behind the burst that loads the profile
    assert changes == [(0x06, total % 256)] + [(0x08, 2), (0x08, 0)] * (total > 255)
    if total > 255:
        switched = seen[-1][2]  # bytes on the air when the mode became fixed
        assert 0 < total - switched < 256 - 8


@pytest.mark.parametrize("mode", ("T1", "C1"))
def test_one_receiver_hears_t_and_c(mode):
    world, sender, receiver = pair()
    receiver.listen("T+C")
    for length in (20, 255):
        event, _ = exchange(world, sender, receiver, (mode, "up", "A"), length)
        assert event.family == mode[0]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("seed", (1, 2))
def test_receiver_up_to_2_ms_late(link, seed):
    """Only the receiver's host is late: what was sent is known."""
    world, sender, receiver = pair(seed=seed)
    late = world.delay(0, 2000)
    receiver.listen(link[0], link[1])
    for length in LENGTHS[1:]:
        exchange(world, sender, receiver, link, length, lambda node: late(node) if node is receiver else 0)
    assert not receiver.faults


def test_sender_up_to_2_ms_late_fills_the_fifo_in_time():
    world, sender, receiver = pair(seed=8)
    late = world.delay(0, 2000)
    receiver.listen("T+C")
    sender.radio.late_us = 2000
    for length in LENGTHS[1:]:
        exchange(
            world,
            sender,
            receiver,
            ("T1", "up", "A"),
            length,
            lambda node: late(node) if node is sender else 0,
        )
    assert not sender.faults


@pytest.mark.parametrize(("link", "delay_us"), ((("T1", "up", "A"), 4600), (("S2", "up", "A"), 14500)))
def test_host_as_late_as_the_fifo_is_deep(link, delay_us):
    """64 bytes are 5.12 ms at 100 kcps and 15.6 ms at 32.768 kcps; the driver needs a few of them."""
    world, sender, receiver = pair(seed=5)
    receiver.listen(link[0], link[1])
    exchange(world, sender, receiver, link, 255, lambda node: delay_us if node is receiver else 0)
    assert not receiver.faults


def test_a_host_too_late_loses_the_frame_and_hears_the_next():
    world, sender, receiver = pair(seed=5)
    receiver.listen("T+C")
    stream = chips("T1", frame(255))
    sender.send("T1", stream)
    world.run([sender, receiver], world.now_us + 60000, delay_us=lambda node: 8000 if node is receiver else 0)
    assert not receiver.frames
    assert receiver.faults == {"rx_overflow": 1}
    exchange(world, sender, receiver, ("T1", "up", "A"), 255)


def test_a_short_frame_is_saved_from_an_overflow():
    """It lies in the FIFO as a whole; what overflows behind it is noise."""
    world, sender, receiver = pair(seed=5)
    receiver.listen("T+C")
    event, _ = exchange(
        world, sender, receiver, ("T1", "up", "A"), 20, lambda node: 9000 if node is receiver else 0
    )
    assert not receiver.faults


@pytest.mark.parametrize("edges", (True, False))
def test_time_stamps(edges):
    """From the edge of the sync pin to the microsecond, without it from the FIFO within two bytes; the end computed."""
    world, sender, receiver = pair(seed=6, clock_offset_us=123456)
    receiver.listen("T+C")
    world.run([sender, receiver], world.now_us + 3000)
    if not edges:
        receiver.board.lose_edges(1, "gdo2")
    late = (lambda node: 1500 if node is receiver else 0) if edges else None
    event, sent = exchange(world, sender, receiver, ("C1", "up", "A"), 60, late)
    sync_ns = sent.time_ns(32 + 16)
    assert abs(event.at_us * 1000 - receiver.board.to_us(int(sync_ns)) * 1000) <= (20000 if edges else 160000)
    assert abs(event.end_us - receiver.board.to_us(sent.end_ns)) <= (20 if edges else 160)


def test_rssi_lqi_and_frequency_offset():
    world, sender, receiver = pair(seed=6)
    world.air.set_path_loss("sender", "receiver", 90)
    receiver.listen("T+C")
    event, _ = exchange(world, sender, receiver, ("T1", "up", "A"), 60)
    assert abs(event.rssi_dbm - (10 - 90)) <= 2
    assert 0 <= event.lqi <= 127
    assert abs(event.offset_hz) <= 1600


@pytest.mark.parametrize("ppm", (-40, 20))
def test_frequency_offset_is_reported_and_can_be_taken_back(ppm):
    world = World(seed=6)
    sender, receiver = Station(world, "sender", crystal_ppm=ppm), Station(world, "receiver")
    receiver.listen("T+C")
    event, _ = exchange(world, sender, receiver, ("T1", "up", "A"), 60)
    assert abs(event.offset_hz - ppm * 868.95) < 2400
    receiver.radio.configure("T+C", "up", offset_hz=event.offset_hz)
    receiver.radio.listen(Deframer("T+C"), receiver.board.now_us())
    event, _ = exchange(world, sender, receiver, ("T1", "up", "A"), 60)
    assert abs(event.offset_hz) < 1600


@pytest.mark.parametrize("dbm", (10, 0, -20))
def test_power(dbm):
    world, sender, receiver = pair()
    sender.radio.configure("T1", "up", power_dbm=dbm)
    sender.radio.prepare(chips("T1", frame(20)), sender.board.now_us())
    sender.radio.transmit(sender.board.now_us() + 5000)
    world.run([sender], world.now_us + 20000)
    assert abs(world.air.log[-1].power_dbm - dbm) <= 1


def test_instant_of_transmission():
    world, sender, _ = pair()
    for in_us in (3000, 10000, 500000):
        at_us = sender.send("T1", chips("T1", frame(20)), in_us=in_us)
        world.run([sender], at_us + 20000)
        (event,) = sender.events
        sender.events.clear()
        sent = world.air.log[-1]
        assert abs(event.at_us * 1000 - sent.start_ns) < 20000
        assert abs(event.end_us * 1000 - sent.end_ns) < 20000
        assert -500 <= sent.start_ns / 1000 - at_us <= 20
        assert sender.radio.due_us is None


@pytest.mark.parametrize(("late_us", "early_us"), ((0, 450), (500, 800), (2000, 3100)))
def test_the_first_transmission_of_a_late_host_is_not_lost(late_us, early_us):
    """The driver knows nothing of its host, but has time to find out. Never late, and no earlier than it has to be."""
    for seed in range(100):
        world = World(seed=seed)
        sender = Station(world, "sender")
        at_us = sender.send("T1", chips("T1", frame(20)), in_us=300000)
        world.run([sender], at_us + 20000, delay_us=world.delay(0, late_us))
        assert sender.radio.counters["sent"] == 1, seed
        assert at_us - early_us <= world.air.log[-1].start_ns / 1000 <= at_us + 20


def test_too_late_is_an_event_and_nothing_is_sent():
    world, sender, _ = pair()
    at_us = sender.send("T1", chips("T1", frame(20)), in_us=500)
    world.run([sender], world.now_us + 50000)
    assert [(event.kind, event.at_us) for event in sender.events] == [("too_late", at_us)]
    assert not world.air.log
    assert sender.radio.counters["too_late"] == 1
    sender.send("T1", chips("T1", frame(20)))
    world.run([sender], world.now_us + 50000)
    assert sender.radio.counters["sent"] == 1


def test_false_sync_is_rejected_at_once():
    """543D and then what no encoder sends: the receiver is back in time for a frame 1 ms later."""
    world, sender, receiver = pair()
    receiver.listen("T+C")
    good = frame(20)
    junk = b"\x55" * 4 + b"\x54\x3d" + b"\x00" * 8
    sender.send("T1", junk + b"\x55" * 8 + chips("T1", good))
    world.run([sender, receiver], world.now_us + 30000)
    assert [event.kind for event in receiver.events] == ["rejected", "frame"]
    assert receiver.events[0].error.code == "symbol"
    assert receiver.radio.counters["rejects"] == {"symbol": 1}
    assert receiver.frames == [good]


@pytest.mark.parametrize("mode", ("T1", "C1"))
def test_the_restart_of_a_silent_receiver_costs_no_frame(mode):
    """Frames that begin around the restart, every 50 us: it waits for a carrier, and a header outlasts it."""
    for after_us in range(-1000, 1000, 50):
        world = World(seed=2)
        receiver = Station(world, "receiver")
        receiver.listen("T+C")
        at_us = receiver.radio._receiver._restart_us + after_us
        on_air(world, mode, frame(30), at_us * 1000)
        world.run([receiver], at_us + 300000)
        assert len(receiver.frames) == 1, after_us


def test_noise_never_gets_it_stuck():
    """Two seconds of random chips at full strength; a frame afterwards is heard."""
    import random

    world, sender, receiver = pair(seed=11)
    receiver.listen("T+C")
    rng = random.Random(11)
    for _ in range(4):
        sender.send("T1", bytes(rng.randrange(256) for _ in range(6001)), in_us=6000)
        world.run([sender, receiver], world.now_us + 500000)
    assert sender.radio.counters["sent"] == 4
    assert sum(receiver.radio.counters["rejects"].values()) >= 2  # 192,000 chips, one false sync in 65,536
    exchange(world, sender, receiver, ("T1", "up", "A"), 60)


def test_idle_receiver_costs_little():
    """A second of listening: the look every 100 ms, and nothing else."""
    world, _, receiver = pair()
    receiver.listen("T+C")
    world.run([receiver], world.now_us + 1000)
    calls = []
    transfer = receiver.board.spi.transfer
    receiver.radio.chip._transfer = lambda tx, rx: calls.append(len(tx)) or transfer(tx, rx)
    world.run([receiver], world.now_us + 1000000)
    assert len(calls) <= 60


def test_recalibration_interval():
    """Drift out of lock after 600 s is never reached, with both policies, even if nothing comes in."""
    for policy in (100000000, "frame"):
        world, sender, receiver = pair(receiver={"recalibrate": policy, "health_us": 5000000})
        receiver.board.chip.options.recalibrate_within_s = 600
        receiver.listen("T+C")
        world.run([receiver], world.now_us + 1300000000)
        exchange(world, sender, receiver, ("T1", "up", "A"), 60)
        assert not receiver.faults


@pytest.mark.parametrize("policy", ("interval", "frame"))
def test_dead_time(policy):
    driver = {"recalibrate": "frame"} if policy == "frame" else {}
    for mode, direction, frame_format in LINKS:
        world, _, receiver = pair(receiver=driver)
        receiver.listen(mode, direction)
        world.run([receiver], world.now_us + 150000)
        for length in (11, 60):
            # From nowhere: in this world a sender that talks to its chip holds up the receiver.
            data = frame(length, frame_format)
            on_air(world, mode, data, world.now_ns + 5000000, direction, frame_format)
            receiver.events.clear()
            world.run([receiver], world.now_us + 200000, stop=lambda station=receiver: station.events)
            while receiver.board.chip.marc != 0x0D:
                world.advance_us(1)
            dead_us = world.now_us - receiver.events[-1].end_us
            print("dead time", policy, mode, direction, frame_format, length, dead_us, "us")
            assert dead_us <= receiver.radio.dead_time_us()
            world.run([receiver], world.now_us + 30000)


@pytest.mark.parametrize("policy", ("interval", "frame"))
@pytest.mark.parametrize("link", (("T1", "up", "A"), ("C1", "up", "A"), ("S2", "up", "A")))
def test_frames_at_the_spacing_of_the_dead_time(policy, link):
    """Twenty frames back to back: none is lost if the header of the next begins a dead time behind the last chip."""
    mode, direction, frame_format = link
    world = World(seed=2)
    receiver = Station(world, "receiver", {"recalibrate": "frame"} if policy == "frame" else {})
    receiver.listen(mode, direction)
    world.run([receiver], world.now_us + 2000)
    at_ns, sent = world.now_us * 1000 + 1000000, []
    for n in range(20):
        sent.append(frame(20 + 11 * n, frame_format, seed=n))
        at_ns = on_air(world, mode, sent[-1], at_ns, direction, frame_format)
        at_ns += receiver.radio.dead_time_us() * 1000
    world.run([receiver], int(at_ns // 1000) + 30000)
    assert receiver.frames == sent


def test_illegal_steps_raise_and_change_nothing():
    world, sender, _ = pair()
    radio, now = sender.radio, sender.board.now_us()
    stream = chips("T1", frame(20))
    with pytest.raises(MisuseError):
        radio.prepare(stream, now)  # before configure
    with pytest.raises(MisuseError):
        radio.transmit(now)
    with pytest.raises(MisuseError):
        radio.configure("N1", "up")
    with pytest.raises(MisuseError):
        radio.configure("T1", "up", channel=1)
    radio.configure("T+C", "up")
    with pytest.raises(MisuseError):
        radio.configure("T1", "up", power_dbm=14)
    with pytest.raises(MisuseError):
        radio.prepare(stream, now)  # T+C is for reception
    radio.configure("T1", "up")
    with pytest.raises(MisuseError):
        radio.prepare(b"", now)
    at_us = sender.send("T1", stream)
    world.run([sender], at_us + 1000)
    with pytest.raises(MisuseError):
        radio.listen(Deframer("T"), now)
    with pytest.raises(MisuseError):
        radio.transmit(now)
    world.run([sender], at_us + 20000)
    assert radio.counters["sent"] == 1
    with pytest.raises(MisuseError):
        Cc1101(sender.board.spi, None, None, threshold_bytes=5)


def test_sleep_and_wake():
    world, sender, receiver = pair()
    receiver.listen("T+C")
    for _ in range(2):
        for station in (sender, receiver):
            station.radio.sleep(station.board.now_us())
            assert station.radio.due_us is None
        world.advance_us(50000)
        receiver.listen("T+C")
        exchange(world, sender, receiver, ("T1", "up", "A"), 100)
    assert not sender.faults
    assert not receiver.faults


def test_standby_ends_what_is_under_way():
    world, sender, receiver = pair()
    receiver.listen("T+C")
    at_us = sender.send("T1", chips("T1", frame(255)))
    world.run([sender, receiver], at_us + 5000)
    sender.radio.standby(sender.board.now_us())
    receiver.radio.standby(receiver.board.now_us())
    assert (sender.due_us, receiver.due_us) == (None, None)
    world.run([sender, receiver], at_us + 50000)
    assert not sender.events
    receiver.listen("T+C")
    exchange(world, sender, receiver, ("T1", "up", "A"), 100)


def test_no_allocation_of_new_views_in_the_service_path():
    """The views on the FIFO buffers are made once per size."""
    world, sender, receiver = pair()
    receiver.listen("T+C")
    exchange(world, sender, receiver, ("T1", "up", "A"), 255)
    before = [id(view) for view in receiver.radio.chip._views]
    exchange(world, sender, receiver, ("T1", "up", "A"), 255)
    after = [id(view) for view in receiver.radio.chip._views]
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 2
