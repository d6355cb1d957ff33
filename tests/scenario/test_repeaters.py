"""Three repeaters in a ring, each hearing the other two, twenty meters and a collector: what is on the air is judged there, not
by what the repeaters say of themselves. OMSNODE_SOAK=1 takes longer: the overload begins with an empty hour then.
"""

import os
import random
from types import SimpleNamespace

import pytest
import support_air
from omsnode.board.virtual import Transmission, World, unpack
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262, profiles
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link import frame_a
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.phy import modes
from omsnode.firmware.roles.actions import Transmit
from omsnode.firmware.roles.budget import Budget
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.roles.repeater import Repeater, management
from omsnode.firmware.security.keys import Key
from support_radios import on_air

S = 1000000
SOAK = bool(os.environ.get("OMSNODE_SOAK"))
KEY = Key(bytes(range(16)))
METERS = 20
MANAGEMENT = 101  # numbers of the repeaters as meters
NEAR_DB, FAR_DB, DEAF_DB = 70, 85, 250
# Mode, frame format, security mode, ELL
KINDS = (("T1", "A", 5, False), ("C1", "A", 7, True), ("C1", "B", 0, True), ("T1", "A", 0, False))


def node(world, name, kind, role, **more):
    board = world.add_board(name=name, chip=kind)
    pins = board.pins
    if kind == "cc1101":
        driver = Cc1101(board.spi, pins["gdo0"], pins["gdo2"], health_us=S)
    else:
        driver = Sx1262(board.spi, pins["busy"], pins["dio1"], pins["reset"], tcxo_mv=1800, health_us=S)
    return Node(board, driver, role, **more)


def repeater(world, number, kind, mode="T+C"):
    address = Address.parse("0000000{}.M=OMS.V=01.T=32".format(number))
    rng = random.Random(number)
    budget = Budget()
    own = Meter(management(address, "S1" if mode[0] == "S" else "C1"), rng.randbytes(5))
    carries = (lambda chips: profiles.left_out(chips) is not None) if kind == "sx1262" else None
    role = Repeater(own, rng.randbytes(4), mode, budget, carries)
    return node(world, "r{}".format(number), kind, role, store=MemoryStore(), ledger=budget)


class Speaker:
    """A meter of the town: the role as it is, its telegrams put straight onto the air. sent: [(instant in us, telegram)]."""

    def __init__(self, world, name, profile, rng):
        self.world = world
        self.name = name
        self.role = Meter(profile, rng.randbytes(5))
        self.role.start(0)
        self.sent = []
        self._next()

    def _next(self):
        self.world.at(self.role.due_us, self._due)

    def _due(self):
        for action in self.role.tick(self.world.now_us):
            if isinstance(action, Transmit):
                row = modes.find(action.mode, action.direction)
                self.sent.append((action.at_us, action.telegram))
                self.world.air.transmit(
                    Transmission(
                        action.at_us * 1000,
                        unpack(action.chips),
                        row.chip_rate_cps,
                        row.frequency_hz,
                        row.deviation_hz,
                        row.modulation,
                        source=self.name,
                    )
                )
        self._next()


class Ring:
    """Meter i is heard by two of the repeaters, every fifth also by the collector; repeaters hear each other."""

    def __init__(self, nominal_s, kinds, records, seed=1):
        self.world = World(seed=seed)
        air = self.world.air
        self.readings = []
        self.repeaters = [repeater(self.world, number, kind) for number, kind in enumerate(kinds)]
        addresses = [Address.parse("5000{:04d}.M=KAM.V=1b.T=16".format(i)) for i in range(METERS)]
        known = [KnownMeter(str(one), one, KEY) for one in addresses]
        self.collector = node(
            self.world, "collector", "cc1101", Collector(known), deliver=self.readings.append
        )
        rng = random.Random(seed)
        self.meters = []
        self.before = []  # what repeaters sent before all this, as in the log of the air
        for i, address in enumerate(addresses):
            mode, frame_format, security_mode, with_ell = KINDS[i % 4]
            registers = [Register(b"\x04", b"\x13", 1000 * i + j, 1000000) for j in range(records)]
            profile = Profile(
                address,
                registers,
                mode,
                frame_format,
                nominal_s * S,
                KEY if security_mode else None,
                security_mode,
                with_ell=with_ell,
            )
            name = "m{}".format(i)
            self.meters.append(Speaker(self.world, name, profile, rng))
            for j in range(3):
                loss = (NEAR_DB, FAR_DB, DEAF_DB)[(i + j) % 3]
                air.set_path_loss(name, "r{}".format(j), loss)
            air.set_path_loss(name, "collector", FAR_DB if self.direct(i) else DEAF_DB)
        for j in range(3):
            air.set_path_loss("r{}".format(j), "r{}".format((j + 1) % 3), NEAR_DB)
            air.set_path_loss("r{}".format(j), "collector", NEAR_DB)

    def used(self, share):
        """The hour before was used up by so much of what is allowed, evenly: 3.6 s in the sub-band of T and C."""
        row = modes.find("C1")
        for one in self.repeaters:
            for i in range(60):
                at_us, air_us = -3600 * S + 60 * i * S, int(share * 60000)
                one.ledger.book(row.frequency_hz, air_us, at_us)
                self.before.append(
                    SimpleNamespace(
                        source=one.board.name,
                        frequency_hz=row.frequency_hz,
                        start_ns=at_us * 1000,
                        end_ns=(at_us + air_us) * 1000,
                    )
                )

    def fullest_hour(self, one):
        return support_air.fullest_hour([*self.before, *self.world.air.log], one.board.name)

    @staticmethod
    def direct(i):
        return i % 5 == 0

    @staticmethod
    def hears(j, i):
        return i < METERS and (i + j) % 3 != 2

    def run(self, seconds):
        for one in (*self.repeaters, self.collector):
            one.step()
        self.world.run([*self.repeaters, self.collector], seconds * S, delay_us=self.world.delay(0, 500))

    def said(self, one):
        """[(Transmission, telegram, family, frame format)] of a repeater, its management data apart."""
        rows, own = [], []
        address = one.role.own.profile.address.link_bytes()
        for sent in self.world.air.log:
            if sent.source == one.board.name:
                row = (sent, *support_air.telegram(sent))
                (own if row[1][2:10] == address else rows).append(row)
        return rows, own

    def judge(self):
        """Every telegram at most once per repeater, within its time, changed in nothing but the hop bit; none was repeated
        twice; nobody too long on the air; none told twice."""
        originals = {}  # the management data of the repeaters among them
        for i, meter in enumerate(self.meters):
            for at_us, telegram in meter.sent:
                assert telegram not in originals
                originals[telegram] = (i, at_us)
        for j, one in enumerate(self.repeaters):
            for sent, telegram, *_ in self.said(one)[1]:
                originals[telegram] = (MANAGEMENT + j, sent.start_ns / 1000)
        repeated = [set(), set(), set()]
        for j, one in enumerate(self.repeaters):
            rows, own = self.said(one)
            for sent, telegram, family, frame_format in rows:
                before = bytearray(telegram)
                offset, mask = (11, 0x10) if telegram[10] == 0x8C else (13, 0x01)
                assert telegram[offset] & mask
                before[offset] &= ~mask
                i, at_us = originals[bytes(before)]
                kind = KINDS[1 if i >= MANAGEMENT else i % 4]
                assert (family, frame_format) == (kind[0][0], kind[1])
                assert 5 * S <= sent.start_ns / 1000 - at_us <= 25.2 * S
                assert self.hears(j, i) or i - MANAGEMENT in {0, 1, 2} - {j}
                assert bytes(before) not in repeated[j]
                repeated[j].add(bytes(before))
            minutes = self.world.now_us / S / 60
            assert minutes // 16 <= len(own) <= minutes // 14 + 1
            assert one.role.counters["repeated"] == len(rows) and one.role.counters["own"]["sent"] == len(own)
            assert one.radio.counters["faults"] == {}
            assert self.fullest_hour(one) <= 1
        told = [(str(one.telegram.address), one.telegram.access_number) for one in self.readings]
        assert len(told) == len(set(told))
        return originals, repeated, told


RINGS = [("cc1101", "sx1262", "cc1101"), ("sx1262", "cc1101", "sx1262")]


@pytest.mark.parametrize("kinds", RINGS, ids="-".join)
def test_a_quiet_town_is_repeated_whole(kinds, record_property):
    ring = Ring(300, kinds, 3)
    seconds = 3000 if SOAK else 1500
    ring.run(seconds)
    originals, repeated, told = ring.judge()
    # what was sent early enough to have been repeated
    old = {telegram for telegram, (_, at_us) in originals.items() if at_us < (seconds - 30) * S}
    assert len(old) >= 0.06 * seconds
    # Two repeaters each; meters collide now and then, with each other and with what is repeated.
    assert sum(len(one & old) for one in repeated) >= 0.97 * 2 * len(old)
    assert len(told) >= 0.99 * len(old)
    for one in ring.repeaters:
        counters = one.role.counters
        assert counters["ignored.repeated"] > seconds // 60  # its neighbours
        assert not [name for name in counters if name.startswith("dropped")]
    figure = "{} telegrams, {} repetitions, {} told once".format(
        len(originals), sum(map(len, repeated)), len(told)
    )
    record_property("ring of three repeaters, 20 meters", figure)


@pytest.mark.parametrize("kinds", RINGS[:1], ids="-".join)
def test_a_town_that_talks_too_much_keeps_to_the_duty_cycle(kinds, record_property):
    """Three times as much as an hour of 0.1 % holds: it is used up, never exceeded; management data go on, and no meter is
    forgotten."""
    seconds = 4500 if SOAK else 1300
    ring = Ring(80, kinds, 20)
    if not SOAK:
        ring.used(0.8)
    ring.run(seconds)
    originals, repeated, told = ring.judge()
    shares = []
    for j, one in enumerate(ring.repeaters):
        assert one.role.counters["dropped.duty_cycle"] > seconds // 20
        shares.append(ring.fullest_hour(one))
        heard_here = {i for i in range(METERS) if ring.hears(j, i)}
        assert heard_here <= {originals[telegram][0] for telegram in repeated[j]}
        late = {
            originals[one][0] for one in repeated[j] if originals[one][1] > (seconds - 900) * S
        } & heard_here
        assert len(late) >= len(heard_here) - 1  # in the last quarter of an hour too
    assert all(0.6 < share <= 1 for share in shares)
    record_property(
        "ring of three repeaters, too much traffic",
        "fullest hour: {} of what is allowed".format(" ".join("{:.1%}".format(one) for one in shares)),
    )


@pytest.mark.parametrize("kind", ("cc1101", "sx1262"))
@pytest.mark.parametrize(
    "mode, listens, family, down_hz",
    [("S1", "S1", "S", 868.3e6), ("T1", "T+C", "T", 868.3e6), ("C1", "T+C", "C", 869.525e6)],
)
def test_installation_is_repeated_and_ended_on_the_air(mode, listens, family, down_hz, kind):
    """SND-IR, 5 to 25 s later the same with its hop bit, 2 to 5 s later the SND-NKE in the downlink of the mode."""
    world = World(seed=3)
    one = repeater(world, 5, kind, listens)
    body = bytes.fromhex("462D2C785634121B16" + "7A05000000" + "0C1399000000")
    if family == "C":
        body = bytes.fromhex("462D2C785634121B16" + "8C0005" + "7A05000000" + "0C1399000000")
    telegram = bytes((len(body),)) + body
    row = modes.find(mode)
    on_air(world, (mode, "up", "A"), frame_a.build(telegram), 2 * S * 1000)
    world.run([one], 40 * S)
    first, second = [sent for sent in world.air.log if sent.source == "r5"][:2]
    heard_ns = world.air.log[0].end_ns
    offset, mask = (11, 0x10) if family == "C" else (13, 0x01)
    want = telegram[:offset] + bytes((telegram[offset] | mask,)) + telegram[offset + 1 :]
    assert support_air.telegram(first, "S" if family == "S" else "T+C") == (want, family, "A")
    assert 5e9 <= first.start_ns - heard_ns <= 25e9 and abs(first.frequency_hz - row.frequency_hz) < 3000
    said, _, _ = support_air.telegram(second, "T+C" if family == "C" else "S")
    assert said[1] == 0x40 and said[9] == 0x32
    assert 2e9 <= second.start_ns - first.end_ns <= 5e9 and abs(second.frequency_hz - down_hz) < 3000
    assert one.role.counters["link_resets"] == 1 and one.radio.counters["faults"] == {}
    assert support_air.fullest_hour(world.air.log, "r5") < 0.1
