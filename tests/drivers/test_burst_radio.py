"""Bursts from radio to radio over the chip models: every sub-mode and pairing, back to back, in windows."""

import os
import random

import pytest
from omsnode.board import virtual
from omsnode.board.virtual import World, sx1262
from omsnode.drivers.sx1262.driver import DEAD_TIME_US as SX1262_DEAD_TIME_US
from omsnode.firmware.phy import modes, radio
from support_burst_bytes import play
from support_burst_radio import DOWNLINKS, UPLINKS, air_us, bursts, direction, front_us, pair, station
from support_radios import balanced, put_away

ALL = UPLINKS + DOWNLINKS
SENDERS = ("cc1101", "sx1262")
RECEIVERS = ("cc1101", "sx1262", "raw")
PAIRS = [(sender, receiver) for sender in SENDERS for receiver in RECEIVERS]
# PHY payload and burst type: the shortest, the published vector's, that of Q.K.3, the longest
SIZES = ((5, 0), (15, 1), (15, 2), (71, 0), (71, 2), (255, 2))
SX1262_BYTES = 263  # of a burst: 8 in the sync word, 255 in the buffer (SX1262 sheet 7.3)
AHEAD_US = 60000
SOAK = bool(os.environ.get("OMSNODE_SOAK"))
# Of the sender's grid (sheet 7.2) in ppm: what an instant that is reckoned with the nominal rate may be off.
GRID_PPM = 1120

each_pair = pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
each_name = pytest.mark.parametrize("name", ALL)


def led(kind, sent):
    """Instant of the burst's first chip in us: an SX1262 sends eight chips of its own in front."""
    return (sent.start_ns + (8 if kind == "sx1262" else 0) * sent.period_ns) / 1000


def exchange(world, sender, receiver, kind, name, chips):
    """A burst arrives as it was sent, once, with its instants; what was on the air is what was prepared."""
    put_away(sender)
    put_away(receiver)
    sender.radio.late_us = max(sender.radio.late_us, 300)
    at_us = sender.send(name, chips, in_us=AHEAD_US)
    world.run([sender, receiver], world.now_us + AHEAD_US + air_us(name, chips) * 102 // 100 + 70000)
    assert [event.kind for event in sender.events if event.kind != "fault"] == ["sent"], sender.events
    sent = world.air.log[-1]
    start_us, chip_us = led(kind, sent), sent.period_ns / 1000
    assert bytes(virtual.unpack(chips)) in bytes(sent.chips)
    assert at_us - 1500 <= start_us <= at_us + 20
    (event,) = sender.kinds("sent")
    assert event.at_us == pytest.approx(start_us, abs=20)
    (event,) = [event for event in receiver.events if event.kind != "fault"]
    assert (event.kind, event.family, event.frame) == ("frame", "B", chips[8:])
    assert event.frame_format == name[:2]
    byte_off_us = 8 * chip_us * GRID_PPM / 1e6 * 24
    assert event.at_us == pytest.approx(start_us + 64 * chip_us, abs=5 + byte_off_us / 2)
    assert event.end_us == pytest.approx(start_us + 8 * len(chips) * chip_us, abs=5 + byte_off_us)
    return event


def sendable(kind, chips):
    return kind == "cc1101" or len(chips) <= SX1262_BYTES


@each_pair
@each_name
def test_every_sub_mode_and_pairing(kinds, name):
    world, sender, receiver = pair(kinds, seed=5)
    receiver.listen(name)
    world.run([receiver], world.now_us + 20000)
    for n_bytes, kind in SIZES:
        chips = bursts(name, n_bytes, kind)[0]
        if sendable(kinds[0], chips):
            event = exchange(world, sender, receiver, kinds[0], name, chips)
            assert event.rssi_dbm == pytest.approx((10 if kinds[0] == "cc1101" else 14) - 60, abs=1)
            assert (event.offset_hz is None) == (kinds[1] == "sx1262")
    for made in (sender, receiver):
        assert not made.faults and not made.board.chip.violations
        balanced(made)


@each_pair
@each_name
def test_random_bursts(kinds, name):
    """Lengths 5 to 255, single and multi, one burst 30 ms behind the other; 1,000 with OMSNODE_SOAK."""
    rng = random.Random("{}/{}/{}".format(name, *kinds))
    options = {"threshold_bytes": rng.choice((8, 32))} if kinds[1] != "sx1262" else None
    world, sender, receiver = pair(kinds, seed=7, drivers=(None, options))
    receiver.listen(name)
    world.run([receiver], world.now_us + 20000)
    for number in range(1000 if SOAK else 2):
        multi = rng.randrange(2)
        kind = rng.randrange(3) if not multi or name in UPLINKS else 0
        for chips in bursts(name, rng.randrange(5, 256), kind, number, multi, rng.randrange(128)):
            if not sendable(kinds[0], chips):
                continue
            put_away(receiver)
            put_away(sender)
            sender.send(name, chips, in_us=30000)
            world.run([sender, receiver], world.now_us + 31000 + air_us(name, chips) * 1002 // 1000)
            world.run(
                [sender, receiver], world.now_us + 20000, stop=lambda: receiver.events and sender.events
            )
            assert receiver.frames == [chips[8:]]
    assert not sender.faults and not receiver.faults


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_every_sub_carrier(receiver):
    """n = 0 and 4 are not taken for each other; a neighbour in the filter may be heard too."""
    for name in ("UL-B1", "DL-B2"):
        world, sender, made = pair(("sx1262", receiver), seed=6)
        for n in (0, 4):
            made.listen("{}.{}".format(name, n))
            world.run([made], world.now_us + 20000)
            for m in (0, 4):
                made.events.clear()
                chips = bursts(name, 15)[0]
                sender.send("{}.{}".format(name, m), chips, in_us=AHEAD_US)
                world.run([sender, made], world.now_us + AHEAD_US + air_us(name, chips) + 50000)
                assert made.frames == ([chips[8:]] if n == m else [])


@pytest.mark.parametrize(
    "kinds", (("cc1101", "sx1262"), ("cc1101", "cc1101"), ("cc1101", "raw")), ids="-".join
)
def test_msk(kinds):
    world, sender, receiver = pair(kinds, seed=8, drivers=({"msk": True}, None))
    receiver.listen("UL-B4")
    world.run([receiver], world.now_us + 20000)
    for n_bytes, kind in SIZES:
        exchange(world, sender, receiver, "cc1101", "UL-B4", bursts("UL-B4", n_bytes, kind)[0])
        sent = world.air.log[-1]
        assert sent.modulation == "MSK"
        assert 2 * sent.deviation_hz / sent.chip_rate_cps == 0.5
    assert not sender.board.chip.violations


@pytest.mark.parametrize("n_bytes", (221, 477))
def test_a_burst_of_256_or_512_bytes_is_a_byte_longer(n_bytes):
    """PKTLEN 0 does not exist: the byte comes behind the burst, where its instants do not change."""
    world, sender, receiver = pair(("cc1101", "sx1262"), seed=4)
    chips = b"\x55\x55\x55\x55\xc1\xfa\x4c\x6a" + bytes(n_bytes + 27)
    sender.send("UL-B4", chips, in_us=AHEAD_US)
    world.run([sender], world.now_us + 2 * AHEAD_US)
    assert bytes(world.air.log[-1].packed) == chips + b"\x55"


@pytest.mark.parametrize("kind", RECEIVERS)
@pytest.mark.parametrize("name", ("UL-B1", "UL-B4", "DL-B1", "DL-B4"))
def test_back_to_back(kind, name):
    """No gap at all: the next preamble follows the last chip. An SX1262 has to be restarted if the stop came too late, and
    wants 40 chips then: behind its dead time."""
    world = World(seed=9)
    made = station(kind, world, "receiver")
    made.listen(name)
    world.run([made], world.now_us + 20000)
    streams = [bursts(name, 15 + number % 60, number % 3, seed=number)[0] for number in range(12)]
    after_us = 1000.0
    ends = []
    for chips in streams:
        sent = play(world, name, chips, after_us=after_us, source="somebody")
        after_us += sent.period_ns * 8 * len(chips) / 1000
        ends.append(world.now_us + after_us)
        after_us += SX1262_DEAD_TIME_US if kind == "sx1262" else 0
    world.run([made], world.now_us + after_us + 100000)
    assert made.frames == [chips[8:] for chips in streams]
    for event, end_us in zip(made.kinds("frame"), ends, strict=True):
        assert event.end_us == pytest.approx(end_us, abs=6)
    assert not made.faults


@pytest.mark.parametrize(("kind", "limit_us"), (("cc1101", 6), ("sx1262", 6), ("raw", 12)))
def test_instants_behind_a_late_host(kind, limit_us):
    """Services 0 to 1.5 ms late: edges have time stamps. (An SX1262's end is reckoned where the stop is set too late.)"""
    for name in ("UL-B4", "DL-B4"):
        world = World(seed=10)
        made = station(kind, world, "receiver", clock_offset_us=4321)
        made.listen(name)
        world.run([made], world.now_us + 20000)
        rng = random.Random(1)
        for number in range(20):
            chips = bursts(name, 15 + 5 * number, number % 3, seed=number)[0]
            made.events.clear()
            sent = play(world, name, chips, after_us=rng.uniform(2000, 9000))
            world.run(
                [made], world.now_us + 10000 + air_us(name, chips) + 15000, delay_us=world.delay(0, 1500)
            )
            (event,) = made.kinds("frame")
            assert event.frame == chips[8:]
            t0_us = made.board.to_us(sent.time_ns(64))
            assert event.at_us == pytest.approx(t0_us, abs=limit_us)
        assert not made.faults


@pytest.mark.parametrize("kind", ("cc1101", "raw"))
def test_the_offset_of_the_sender(kind):
    """FREQEST in steps of 1587 Hz (sheet 3), as far as the tolerance of +-20 kHz goes."""
    world = World(seed=11)
    made = station(kind, world, "receiver")
    made.listen("UL-B4")
    world.run([made], world.now_us + 20000)
    for offset_hz in (-20000, -3000, 0, 8000, 20000):
        made.events.clear()
        chips = bursts("UL-B4", 71)[0]
        play(world, "UL-B4", chips, after_us=3000, offset_hz=offset_hz)
        world.run([made], world.now_us + 30000)
        (event,) = made.kinds("frame")
        assert event.offset_hz == pytest.approx(offset_hz, abs=1600)


@pytest.mark.parametrize("kind", SENDERS)
def test_a_gateway_makes_up_for_the_error_of_the_meter(kind):
    """A meter whose crystal is 9 ppm off hears DL-B1 in 4.8 kHz only from a gateway that moved its carrier (Q.8)."""
    error_hz = 9 * 869525000 // 1000000
    heard = []
    for offset_hz in (0, error_hz):
        world, gateway, meter = pair((kind, "sx1262"), seed=12, receiver={"crystal_ppm": 9.0})
        meter.listen("DL-B1")
        world.run([meter], world.now_us + 20000)
        chips = bursts("DL-B1", 15)[0]
        gateway.send("DL-B1", chips, in_us=AHEAD_US, offset_hz=offset_hz)
        world.run([gateway, meter], world.now_us + AHEAD_US + air_us("DL-B1", chips) + 50000)
        heard.append(meter.frames == [chips[8:]])
    assert heard == [False, True]


# --- windows ---


class Answering:
    """A node that answers each burst in its slot: half a millisecond around T0 + slot for the end of the answer's sync."""

    exact = property(lambda self: self.radio.exact)
    due_us = property(lambda self: self.radio.due_us)

    def __init__(self, made, hears, answers, slot_us, offset_hz=0):
        self.made, self.board, self.radio, self.events = made, made.board, made.radio, made.events
        self.hears, self.answers, self.slot_us, self.offset_hz = hears, answers, slot_us, offset_hz
        self.chips = bursts(answers, 15, 0)[0]
        self.windows = []
        self.radio.clock = self.board.now_us
        self.radio.expect(answers, direction(answers))
        made.listen(hears)

    def step(self, edges, lost):
        for event in self.radio.service(self.board.now_us(), edges):
            self.made.events.append(event)
            if event.kind == radio.FRAME:
                middle_us = event.at_us + self.slot_us - front_us(self.answers)
                self.windows.append((middle_us - 500, middle_us + 500))
                self.radio.configure(self.answers, direction(self.answers), 0, self.offset_hz)
                self.radio.prepare(self.chips, self.board.now_us())
                self.radio.transmit(middle_us - 500, middle_us + 500)
            elif event.kind in (radio.SENT, radio.TOO_LATE):
                self.made.listen(self.hears)


@pytest.mark.parametrize("answers", ALL)
@pytest.mark.parametrize("kind", SENDERS)
def test_slots_are_hit(kind, answers, record_property):
    """+-0.5 ms (Q.2.4.6.5) on a Linux host, 40 ms ahead of the first chip: sooner than any slot."""
    hears = "UL-B4" if direction(answers) == modes.DOWN else "DL-B4"
    world = World(seed=13)
    node = Answering(
        station(kind, world, "station", spi_hz=4_000_000, clock_offset_us=99),
        hears,
        answers,
        40000 + front_us(answers),
        700 if direction(answers) == modes.DOWN else 0,
    )
    world.run([node], world.now_us + 300000, delay_us=world.linux_delay())
    off_us = []
    for number in range(10):
        chips = bursts(hears, 15, seed=number)[0]
        play(world, hears, chips, after_us=5000, source="other")
        world.run([node], world.now_us + 150000 + air_us(answers, node.chips), delay_us=world.linux_delay())
    sent = [one for one in world.air.log if one.source == "station"]
    assert len(sent) == len(node.windows) == 10
    for one, (at_us, until_us) in zip(sent, node.windows, strict=True):
        start_us = led(kind, one) + 99
        assert at_us <= start_us <= until_us
        off_us.append(abs(start_us - (at_us + until_us) / 2))
    for event, one in zip(node.made.kinds("sent"), sent, strict=True):
        assert event.at_us == pytest.approx(led(kind, one) + 99, abs=20)
    record_property(
        "slot {} {}".format(kind, answers), "at most {:.0f} us from the middle".format(max(off_us))
    )
    assert max(off_us) <= 80
    assert not node.made.faults


@pytest.mark.parametrize("kind", SENDERS)
def test_a_slot_that_is_missed(kind):
    """The host stands still: nothing is sent, and the radio tells."""
    world = World(seed=14)
    made = station(kind, world, "station")
    made.radio.clock = made.board.now_us
    made.send("DL-B1", bursts("DL-B1", 15)[0], in_us=30000, until_us=1000)
    world.advance_us(40000)
    world.run([made], world.now_us + 50000)
    assert [event.kind for event in made.events] == ["too_late"]
    assert world.air.log == []


# --- what the sheets leave open ---

SETTINGS = [
    (kind, row.name, choice)
    for kind, rows in (("cc1101", virtual.OPTIONS), ("sx1262", sx1262.OPTIONS))
    for row in rows
    for choice in row.choices
    if choice != row.default and (row.name, choice) != ("version", 0)
]
COUNTED = {
    "pll_lock_failures": {"pll"},
    "pa_ramp_failures": {"pa_ramp"},
    "rx_without_sync": {"rx_stalled", "no_raw"},
}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda row: "{}-{}-{}".format(*row))
def test_settings(setting):
    """An uplink and a downlink each way; long bursts too."""
    chip, option, choice = setting
    rng = random.Random("{}/{}/{}".format(*setting))
    if option == "pa_ramp_failures":
        return  # costs the first transmission, whatever it is (tests/scenario/test_every_pairing.py)
    kinds = {
        "cc1101": [("cc1101", "cc1101"), ("cc1101", "raw")],
        "sx1262": [("sx1262", "sx1262"), ("cc1101", "sx1262")],
    }[chip]
    for sender_kind, receiver_kind in kinds:
        board = {"options": {option: choice}}
        world, sender, receiver = pair(
            (sender_kind, receiver_kind),
            seed=rng.randrange(1000),
            sender=board if sender_kind == chip else None,
            receiver=board,
        )
        for name in ("UL-B4", rng.choice(DOWNLINKS[2:])):
            receiver.listen(name)
            world.run([receiver], world.now_us + 60000)
            for n_bytes, kind in ((60, rng.randrange(3)), (255, 2))[: 2 if name == "UL-B4" else 1]:
                chips = bursts(name, n_bytes, kind)[0]
                if not sendable(sender_kind, chips):
                    continue
                if option == "pktctrl0_write_ends_packet" and choice == "always" and len(chips) > 255:
                    continue
                receiver.events.clear()
                sender.send(name, chips, in_us=AHEAD_US)
                world.run([sender, receiver], world.now_us + AHEAD_US + air_us(name, chips) + 20000)
                frames = receiver.kinds("frame")
                if (option, receiver_kind) == ("raw_chip_errors", "raw"):  # for the decoder
                    assert len(frames) == 1 and len(frames[0].frame) == len(chips) - 8
                else:
                    assert [event.frame for event in frames] == [chips[8:]]
        allowed = COUNTED.get(option, set())
        assert set(sender.faults) <= allowed and set(receiver.faults) <= allowed
