"""What strangers, neighbours and power cuts try to make of a repeater."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import OmsError
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import hop
from omsnode.firmware.roles.actions import Transmit
from omsnode.firmware.roles.budget import Budget
from omsnode.firmware.roles.meter import Meter
from omsnode.firmware.roles.repeater import Repeater, management
from omsnode.firmware.roles.waiting import QUEUE, RECENT

S = 1000000
HOUR = 3600 * S
OWN = Address.parse("12345678.M=OMS.V=01.T=32")
NEVER = bytes((200, 255, 255, 255, 255))  # the first slot of its own is late


def crc(data):
    """CRC-16/EN-13757, bit by bit (link sheet 4)."""
    register = 0
    for byte in data:
        for bit in range(7, -1, -1):
            top = register >> 15 ^ (byte >> bit & 1)
            register = register << 1 & 0xFFFF
            if top:
                register ^= 0x3D65
    return (register ^ 0xFFFF).to_bytes(2, "big")


def telegram(serial=12345678, number=1, c_field=0x44, tail="0C1399000000", ell="8C20"):
    body = bytes((c_field,)) + bytes.fromhex("2D2C{:08d}1B16".format(serial) + ell + "{:02X}".format(number))
    body += bytes.fromhex("7A{:02X}000000".format(number) + tail)
    return bytes((len(body),)) + body


def heard(data, at_us, family="C", frame_format="A"):
    build = frame_b.build if frame_format == "B" else frame_a.build
    return radio.Event(radio.FRAME, at_us - 5000, at_us, build(data), family, frame_format, rssi_dbm=-70)


class Bench:
    """A repeater and a clock. sent: [(instant in us, Transmit)], its management data apart."""

    def __init__(self, entropy=b"\x91\x15\x77\x03", own=OWN, budget=None, late=lambda: False):
        self.role = Repeater(Meter(management(own), NEVER), entropy, budget=budget)
        self.role.start(0)
        self.late = late
        self.sent = []
        self.now_us = 0

    def hear(self, data, **more):
        self.role.feed(heard(data, self.now_us, **more), self.now_us)

    def run(self, until_us):
        while self.role.due_us <= until_us:
            self.now_us = max(self.now_us, self.role.due_us)
            for one in self.role.tick(self.now_us):
                if isinstance(one, Transmit):
                    self.transmit(one)
        self.now_us = max(self.now_us, until_us)

    def transmit(self, one):
        if self.late():
            event = radio.Event(radio.TOO_LATE, self.now_us)
        else:
            at_us = one.until_us or one.at_us  # the latest that is allowed
            air_us = len(one.chips) * 8 * S // modes.find(one.mode, one.direction).chip_rate_cps
            end_us = at_us + air_us
            event = radio.Event(radio.SENT, at_us, end_us)
            if one.until_us:
                self.sent.append((at_us, one))
            self.now_us = end_us
        self.role.feed(event, self.now_us)


def test_a_flood_does_not_make_it_say_one_twice():
    """Between two times that one telegram is heard come more of strangers than it remembers."""
    bench = Bench()
    bench.hear(telegram())
    bench.run(25 * S)
    for serial in range(400):
        bench.hear(telegram(serial))
        bench.run(bench.now_us + 10000)
    bench.run(56 * S)  # the queue is empty again
    bench.hear(telegram())
    bench.run(90 * S)
    said = [one.telegram for _, one in bench.sent]
    assert len(said) == len(set(said)) and len(said) > QUEUE


def test_no_more_in_a_minute_than_it_remembers():
    bench = Bench()
    rng = random.Random(1)
    for serial in range(3000):
        bench.now_us += 100000
        bench.hear(telegram(serial, rng.randrange(256)))
        bench.run(bench.now_us)
    times = [at_us for at_us, _ in bench.sent]
    for i, at_us in enumerate(times):
        assert sum(at_us <= one < at_us + 59 * S for one in times[i : i + RECENT + 2]) <= RECENT
    assert len(times) > 300


def test_its_own_telegram_from_a_neighbour_without_a_hop_bit():
    bench = Bench()
    own = bench.role.own.telegram()
    bench.hear(own)
    bench.run(60 * S)
    assert bench.sent == [] and bench.role.counters["ignored.own"] == 1


@pytest.mark.parametrize("families", [("C", "C"), ("T", "C")])
def test_two_neighbours_that_say_it_to_each_other_for_ever(families):
    """Of another make: neither sets the hop bit nor remembers. Ours goes along once a minute and never in their loop."""
    bench = Bench()
    for turn in range(120):
        bench.hear(telegram(), family=families[turn % 2])
        bench.run(bench.now_us + 10 * S)
    assert 10 <= len(bench.sent) <= 20
    times = [at_us for at_us, _ in bench.sent]
    assert all(after - before >= 60 * S for before, after in zip(times, times[1:], strict=False))
    for _, one in bench.sent:
        assert hop.find(one.telegram) == hop.REPEATED


def test_two_of_equal_entropy_say_it_at_different_times():
    benches = [Bench(own=Address.parse("1234567{}.M=OMS.V=01.T=32".format(i))) for i in (1, 2)]
    apart = []
    for number in range(60):
        for bench in benches:
            bench.now_us = number * 60 * S
            bench.hear(telegram(number=number))
            bench.run(bench.now_us + 50 * S)
        apart.append(abs(benches[0].sent[-1][0] - benches[1].sent[-1][0]))
    assert sum(one < 10000 for one in apart) <= 2  # 10 ms of 19 s


@pytest.mark.parametrize("c_field", (0x44, 0x46))
def test_one_meter_that_floods_does_not_silence_the_others(c_field):
    """It changes one byte each time, and pretends to be installed."""
    bench = Bench()
    for number in range(2 * QUEUE):
        bench.hear(telegram(1, number, c_field))
    for serial in range(2, 12):
        bench.hear(telegram(serial))
    bench.run(bench.now_us + 60 * S)
    said = {one.telegram[4:8] for _, one in bench.sent}
    assert all(telegram(serial)[4:8] in said for serial in range(1, 12))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.lists(st.booleans(), max_size=40))
def test_never_outside_its_time(seed, lates):
    """5 to 25 s behind what was heard, SND-NKE 2 to 5 s behind the repetition, however often the radio is late."""
    answers = list(lates)
    rng = random.Random(seed)
    bench = Bench(rng.randbytes(4), late=lambda: answers.pop() if answers else False)
    for serial in range(8):
        bench.hear(telegram(serial, c_field=0x46))
    bench.run(40 * S)
    ends = []
    for at_us, one in bench.sent:
        if one.telegram[1] == 0x46:
            assert at_us - 20000 >= 5 * S and at_us <= 25 * S
            ends.append(at_us + len(one.chips) * 80)
        else:
            assert any(at_us - end_us >= 2 * S and at_us - end_us <= 5 * S for end_us in ends)


def test_a_clock_that_jumps():
    """Days asleep: what waited is too old; nothing is said twice for it, and it goes on."""
    bench = Bench()
    bench.hear(telegram())
    bench.now_us += 30 * 24 * HOUR
    bench.run(bench.now_us + 100 * S)
    assert bench.role.counters["dropped.late"] == 1
    bench.hear(telegram())
    bench.run(bench.now_us + 100 * S)
    assert [one.telegram[1] for _, one in bench.sent] == [0x44]


# --- power cuts ---


class Air:
    """A board and a radio in one, of which only the time that it sends is of interest. log: [(begin, end)] in us."""

    due_us = None
    counters = {"faults": {}}

    def __init__(self):
        self.clock_us = 0
        self.log = []
        self.events = []
        self._chips = self._mode = None

    def now_us(self):
        return self.clock_us

    def wait(self, until_us):
        return (), 0

    def start(self, now_us):
        self.events = []

    def configure(self, mode, direction, channel=0, offset_hz=0):
        self._mode = mode, direction

    def listen(self, deframer, now_us):
        pass

    def prepare(self, chips, now_us):
        self._chips = chips

    def transmit(self, at_us, until_us=None):
        end_us = at_us + len(self._chips) * 8 * S // modes.find(*self._mode).chip_rate_cps
        self.log.append((at_us, end_us))
        self.events = [radio.Event(radio.SENT, at_us, end_us)]
        self.due_us = end_us

    def service(self, now_us, edges=()):
        self.due_us = None
        events, self.events = self.events, []
        return events


class Disk:
    state = None
    writes = 0
    full = False

    def save(self, state):
        if self.full:
            raise OSError("full")
        self.state = json.loads(json.dumps(state))
        self.writes += 1


def life(air, disk, seconds, rng, orderly=False, tail="0C13" * 60):
    """From power-up until the power is cut: strangers are heard all the time."""
    budget = Budget()
    own = Meter(management(OWN), rng.randbytes(5), disk.state)
    role = Repeater(own, rng.randbytes(4), budget=budget, state=disk.state)
    air.events, air.due_us = [], None
    node = Node(air, air, role, disk, state=disk.state, ledger=budget)
    end_us = air.clock_us + seconds * S
    node.step()
    while air.clock_us < end_us:
        role.feed(heard(telegram(rng.randrange(10**8), tail=tail), air.clock_us), air.clock_us)
        next_us = air.clock_us + 500000
        while node.due_us <= next_us:
            air.clock_us = max(air.clock_us, node.due_us)
            node.step()
        air.clock_us = max(air.clock_us, next_us)
    if orderly:
        node.stop()
    return role


def fullest_hour_us(log):
    return max(sum(max(0, b - max(a, end - HOUR)) for a, b in log if b <= end) for _, end in log)


@pytest.mark.parametrize("seconds", (40, 400, 1500))
def test_power_cuts_do_not_give_the_duty_cycle_back(seconds):
    """Sheet 1.3: 3.6 s per hour, whatever happens."""
    air, disk, rng = Air(), Disk(), random.Random(seconds)
    while air.clock_us < 2 * HOUR:
        life(air, disk, seconds, rng)
    assert fullest_hour_us(air.log) <= 3600000
    assert len(air.log) > 30


def test_an_orderly_end_gives_back_what_was_not_used():
    air, disk, rng = Air(), Disk(), random.Random(2)
    life(air, disk, 120, rng, orderly=True)
    used_us = sum(end - begin for begin, end in air.log)
    again = Budget()
    again.restore(disk.state["duty_cycle"], 0)
    again.check(868950000, 3600000 - used_us, 0)


def test_it_is_seldom_written():
    air, disk, rng = Air(), Disk(), random.Random(3)
    life(air, disk, 4 * 3600, rng)
    assert sum(end - begin for begin, end in air.log) > 4 * 0.6 * 3600000
    assert disk.writes < 4 * 14


def test_what_cannot_be_stored_is_not_sent():
    air, disk, rng = Air(), Disk(), random.Random(4)
    disk.full = True
    role = life(air, disk, 300, rng)
    assert air.log == [] and role.counters["dropped.persist"] > 10
    disk.full = False
    life(air, disk, 300, rng)
    assert air.log


# --- what is on the air ---


def only_the_hop_differs(data, frame_format):
    """None if it makes no hop; else it made one, and no second."""
    codec = frame_b if frame_format == "B" else frame_a
    try:
        frame = codec.build(data)
    except OmsError:
        return None  # too long for this format
    bench = Bench()
    bench.hear(data, frame_format=frame_format)
    bench.run(60 * S)
    if not bench.sent:
        return None
    said = bench.sent[0][1]
    place = (11, 0x10) if 0x8C <= data[10] <= 0x8F else (21 if data[10] in LONG else 13, 0x01)
    want = bytearray(data)
    assert not want[place[0]] & place[1]
    want[place[0]] |= place[1]
    assert said.telegram == want
    # the frame, with CRCs of this test
    out = bytearray(frame)
    if frame_format == "B":
        end = min(len(out) - 2, 126)
        out[place[0]] |= place[1]
        out[end : end + 2] = crc(out[:end])
    else:
        block = (place[0] - 10) // 16
        start = 12 + 18 * block
        end = min(start + 16, len(out) - 2)
        out[start + place[0] - 10 - 16 * block] |= place[1]
        out[end : end + 2] = crc(out[start:end])
    assert bytes(out) in said.chips  # mode C: as it is
    again = Bench(b"\x01\x02\x03\x04", Address.parse("12345679.M=OMS.V=01.T=32"))
    again.hear(said.telegram, frame_format=frame_format)
    again.run(60 * S)
    assert again.sent == [] and again.role.counters["ignored.repeated"] == 1
    return place


# CI codes with a long header (EN 13757-7; security sheet 2)
LONG = set(bytes.fromhex("53555B5F606465686B6C6D6F727375 7C7E80828485878B9FC0C2C3C5".replace(" ", "")))


@pytest.mark.parametrize("frame_format", "AB")
def test_every_telegram_of_the_corpus(shared, frame_format, record_property):
    """Real ones: whatever is repeated differs in the hop bit and in one CRC."""
    rows = json.loads((shared / "vectors" / "corpus.json").read_text(encoding="utf-8"))["telegrams"]
    hops, none = 0, 0
    for row in rows:
        data = bytes.fromhex(row["telegram"]) if "telegram" in row else b""
        if len(data) < 11 or data[0] != len(data) - 1:
            continue
        if only_the_hop_differs(data, frame_format):
            hops += 1
        else:
            none += 1
    record_property(
        "corpus behind a repeater", "format {}: {} repeated, {} not".format(frame_format, hops, none)
    )
    assert hops > 50 and none > 5


HEADS = (
    "8C{:02X}0178",
    "8D{:02X}01",
    "8E{:02X}012D2C785634121B16",
    "8F{:02X}012D2C785634121B16",
    "7A0100{:02X}00",
)
HEADS += (
    "7A0100{:02X}05",
    "7A0100{:02X}07",
    "72785634122D2C1B160100{:02X}05",
    "900F002C25{:02X}",
    "86{:02X}017A",
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(HEADS),
    st.integers(0, 255),
    st.binary(max_size=230),
    st.sampled_from((0x44, 0x46)),
    st.sampled_from("AB"),
    st.lists(st.tuples(st.integers(10, 60), st.integers(0, 255)), max_size=3),
)
def test_every_layer_with_any_bits(head, bits, tail, c_field, frame_format, damage):
    """H, R and all else in every place; three bytes altered, CRCs right."""
    body = bytearray(bytes((c_field,)) + bytes.fromhex("2D2C785634121B16" + head.format(bits)) + tail)
    for place, value in damage:
        if place < len(body):
            body[place] = value
    data = bytes((len(body),)) + body
    place = only_the_hop_differs(data, frame_format)
    if place and 0x8C <= data[10] <= 0x8F:
        assert not data[11] & 0x12  # H and R
    elif place:
        assert not data[place[0]] & 0x03 and data[place[0] + 1] & 0x1F in (0, 5)


@pytest.mark.parametrize("frame_format", "AB")
def test_every_l_field(frame_format):
    """A frame cut or grown to any length with each L-field: an error that is counted, or nothing."""
    for length in range(256):
        for size in {0, 1, 9, 10, 11, 12, 13, length, length + 1, min(length + 3, 290)}:
            frame = bytes((length,)) + telegram()[1:13] + bytes(280)
            bench = Bench()
            event = radio.Event(radio.FRAME, 0, 5000, frame[:size], "C", frame_format)
            assert bench.role.feed(event, 6000) == [] and bench.role.waiting.jobs == []
            assert [name for name in bench.role.counters if name.startswith("rejected.")]
