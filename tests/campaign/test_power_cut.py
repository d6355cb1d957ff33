"""Power cuts: the meter is killed at every point of 2,000 send cycles, and what it sends afterwards is compared with what was
on the air before. Node, Meter and JsonStore are the real ones; the disk loses whatever POSIX lets it lose (support_disk).

Every point of every cycle is taken. CI takes a sample of the bytes at which a write can tear, and of seeds where there are
many cuts; OMSNODE_SOAK=1 takes every byte and more seeds.
"""

import os
import random

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import StoreError
from omsnode.firmware.host import meter_state, store
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.phy.duty_cycle import Ledger
from omsnode.firmware.roles.actions import Persist
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.counters import LAST
from omsnode.firmware.security.keys import Key
from support_disk import DIRECTORY, Disk, PowerCut
from support_wire import Clock, WireBoard, WireRadio

SOAK = bool(os.environ.get("OMSNODE_SOAK"))
CYCLES = 2000

BLOCK = 64
S = 1000000
ADDRESS = Address.parse("12345678.M=KAM.V=1b.T=16")
KEY = Key(bytes(range(16)))
FOLDER = "/var/lib/omsnode"
NAME = {5: "A", 7: "B", 10: "D"}
# Where the telegram has its numbers (Annex N.2.1, N.2.3 and N.5 have the same layout): ACC, C_M, and the register, which
# stands in clear before the tag or at the end.
ACCESS = {5: 11, 7: 28, 10: 11}
COUNTER = {5: None, 7: 15, 10: 17}
TAIL = {5: 0, 7: 0, 10: 8}


def profile(mode, nominal_us=900 * S):
    registers = [Register(b"\x02", b"\x3b", 127), Register(b"\x04", b"\x13", 6408, 1500000)]
    return Profile(
        ADDRESS, registers, mode="C1", nominal_us=nominal_us, key=KEY, security_mode=mode, clear_from=1
    )


def numbers(mode, telegram):
    """(access number, message counter or None, register)."""
    at = COUNTER[mode]
    end = len(telegram) - TAIL[mode]
    return (
        telegram[ACCESS[mode]],
        None if at is None else int.from_bytes(telegram[at : at + 4], "little"),
        int.from_bytes(telegram[end - 4 : end], "little"),
    )


class Witness:
    """Hears every telegram on the air and knows what may not come again.

    lives: how often the meter was started since its last telegram on the air. made: telegrams made since then. lost: most
    numbers that one cut has cost.
    """

    def __init__(self, mode, before=None):
        self.mode = mode
        self.last = before.last if before else None
        self.lives = before.lives if before else 0
        self.made = before.made if before else 0
        self.heard = self.lost = 0

    def on_air(self, telegram):
        access, counter, value = numbers(self.mode, telegram)
        self.heard += 1
        if self.last is not None:
            was_access, was_counter, was_value = self.last
            # A cut costs no more than the block that was reserved, a refused slot its number; none comes again.
            most = self.made + BLOCK * self.lives
            step = (access - was_access) & 0xFF if counter is None else counter - was_counter
            assert 1 <= step <= most, ("numbers", self.last, access, counter)
            if counter is not None:
                assert (access - was_access - step) & 0xFF == 0
            steps = most if counter is None else step
            assert was_value + 1 <= value <= was_value + 2 + steps * 3 // 2, ("register", was_value, value)
            if self.lives == 1:
                self.lost = max(self.lost, step - 1)
        self.last = (access, counter, value)
        self.lives = self.made = 0


class AirRadio(WireRadio):
    """Tells when a telegram goes on the air."""

    def __init__(self, on_air, point):
        super().__init__()
        self.on_air, self.point = on_air, point

    def transmit(self, at_us, until_us=None):
        self.point("before arming")
        super().transmit(at_us)
        self.point("armed")

    def service(self, now_us, edges=()):
        if self._at_us is not None and self._at_us == now_us:
            self.on_air()
            self.point("on the air")
        return super().service(now_us, edges)


class Life:
    """A meter from its start to the end of its power."""

    def __init__(
        self, disk, mode, witness, entropy=bytes(5), watch=None, kind=Meter, settings=None, now_us=0
    ):
        self.settings = settings or profile(mode)
        witness.lives += 1
        self.saves = 0
        self.disk = disk
        self.clock = Clock()
        self.clock.now_us = now_us
        disk.hook = watch
        self.store = store.JsonStore(FOLDER, "meter")
        state = meter_state.load(self.store, self.settings)
        self.role = kind(self.settings, entropy, state)
        make = self.role.tick

        def tick(now_us, wall_us=None):
            actions = make(now_us, wall_us)
            self.saves += any(isinstance(one, Persist) for one in actions)
            self.made = actions[-1].telegram if actions else None
            witness.made += bool(actions)
            return actions

        self.role.tick = tick
        self.radio = AirRadio(lambda: witness.on_air(self.made), self.point)
        self.node = Node(WireBoard(self.clock), self.radio, self.role, self.store, state=state)
        self.point("started")

    def point(self, name):
        self.disk.point(name)

    def send(self, count):
        """Until `count` telegrams are sent in this life."""
        while self.role.counters["sent"] < count:
            self.step()
            self.point("behind a step")

    def step(self):
        self.node.step()
        self.clock.now_us = max(self.clock.now_us, self.node.due_us)
        self.node.step()


def new_disk():
    """FOLDER itself is made by the store."""
    return Disk({"/var": DIRECTORY, "/var/lib": DIRECTORY})


def running(monkeypatch, disk, *args, **more):
    disk.mount(monkeypatch, store)
    return Life(disk, *args, **more)


def _picture(disk, witness):
    names = [
        (path, what.content if what is not DIRECTORY and not path.endswith(".tmp") else None)
        for path, what in disk.names.items()
    ]
    return tuple(sorted(names, key=str)), witness.last, witness.lives


def examine(monkeypatch, mode, cycles, every, kind=Meter, settings=None):
    """Run `cycles`, and at each point start again from all that may be left on the disk. (counts, Life, Witness)"""
    disk = new_disk()
    witness = Witness(mode)
    counts = {"points": 0, "states": 0, "restarts": 0, "lost": 0}
    known = set()

    def restart(name):
        counts["points"] += 1
        for left in disk.survivors(every):
            # The same disk behind the same telegrams has the same future; what is under a temporary name is never read.
            picture = _picture(left, witness)
            counts["states"] += 1
            if picture in known:
                continue
            known.add(picture)
            counts["restarts"] += 1
            again = Witness(mode, witness)
            running(monkeypatch, left, mode, again, bytes((77, 0, 0, 0, 0)), None, kind, settings).send(2)
            counts["lost"] = max(counts["lost"], again.lost)
        disk.mount(monkeypatch, store)

    life = running(monkeypatch, disk, mode, witness, bytes((250, 0, 0, 0, 0)), restart, kind, settings)
    life.send(cycles)
    return counts, life, witness


@pytest.mark.parametrize("mode", [5, 7, 10], ids=NAME.get)
def test_every_point_of_the_send_cycles(mode, monkeypatch, record_property):
    counts, life, witness = examine(monkeypatch, mode, CYCLES, SOAK)
    assert witness.heard == CYCLES and life.saves == -(-CYCLES // BLOCK)
    record_property(
        "power cuts, profile {}".format(NAME[mode]),
        "{points} points of {cycles} cycles, {states} states of the disk, {restarts} restarts, {saves} saves of two files, at most {lost} numbers lost".format(
            cycles=CYCLES, saves=life.saves, **counts
        ),
    )


@pytest.mark.parametrize("mode", [5, 7, 10], ids=NAME.get)
def test_cut_again_and_again(mode, monkeypatch, record_property):
    """2,000 telegrams in lives that end at a random point, each on what the one before left on the disk."""
    lives = 0
    for seed in range(20 if SOAK else 2):
        rng = random.Random(seed)
        disk, witness = new_disk(), Witness(mode)
        heard = 0
        while heard < 2000:
            left = [int(rng.expovariate(1 / rng.choice((3, 40, 400))))]

            def cut(name, left=left):
                left[0] -= 1
                if left[0] < 0:
                    raise PowerCut

            lives += 1
            try:
                life = running(
                    monkeypatch, disk, mode, witness, rng.randbytes(5), cut, now_us=rng.randrange(10**13)
                )
                life.send(2000 - heard)
            except PowerCut:
                pass
            heard = witness.heard
            disk = disk.left(rng)
        assert witness.lost <= BLOCK
    record_property("cut again and again, profile " + NAME[mode], "{} lives".format(lives))


@pytest.mark.parametrize("sent", [0, BLOCK])
@pytest.mark.parametrize("mode", [7, 10], ids=NAME.get)
def test_two_cuts(mode, sent, monkeypatch, record_property):
    """A second cut at every point of the first telegram behind the first one: of the very first start, or of a later block."""
    first, witness, lefts = new_disk(), Witness(mode), {}
    if sent:
        running(monkeypatch, first, mode, witness).send(sent)

    def cut(name):
        for left in first.survivors(SOAK):
            heard = Witness(mode, witness)
            lefts[_picture(left, heard)] = left, heard

    running(monkeypatch, first, mode, witness, watch=cut).send(1)
    count = sum(_second_cut(monkeypatch, mode, left, heard) for left, heard in lefts.values())
    record_property("two cuts, profile " + NAME[mode], "{} pairs behind {} telegrams".format(count, sent))
    assert count > 500


def _second_cut(monkeypatch, mode, disk, witness):
    """How many restarts."""
    done = []

    def cut(name):
        for left in disk.survivors(SOAK):
            running(monkeypatch, left, mode, Witness(mode, witness)).send(1)
            done.append(name)
        disk.mount(monkeypatch, store)

    running(monkeypatch, disk, mode, witness, watch=cut).send(1)
    return len(done)


@pytest.mark.parametrize("mode", [7, 10], ids=NAME.get)
def test_the_end_of_the_counter(mode, monkeypatch):
    """It stops at FFFFFFFF, and no restart helps."""
    for seed in range(20 if SOAK else 5):
        rng = random.Random(seed)
        disk, witness = new_disk(), Witness(mode)
        disk.mount(monkeypatch, store)
        store.JsonStore(FOLDER, "meter").save({"message_counter": LAST - rng.randrange(150)})
        for _ in range(12):
            life = running(monkeypatch, disk, mode, witness, rng.randbytes(5))
            stop = rng.randrange(1, 40)
            for _ in range(stop):
                life.step()
            disk = disk.left(rng)
        assert witness.last is None or witness.last[1] <= LAST
        heard = witness.heard
        life = running(monkeypatch, disk, mode, witness)
        for _ in range(200):
            life.step()
        assert life.role.counters["exhausted"] >= 1
        heard = witness.heard
        for _ in range(5):
            life.step()
        assert witness.heard == heard


@pytest.mark.parametrize("mode", [5, 7, 10], ids=NAME.get)
def test_a_disk_that_fails(mode, monkeypatch):
    """Full, or with read and write errors, at random; what was not stored is not sent. Cuts besides."""
    for seed in range(30 if SOAK else 3):
        rng = random.Random(seed)
        disk, witness = new_disk(), Witness(mode)
        refused = 0
        for _ in range(40):

            def fail(name, rng=rng):
                if not name.startswith("open r") and rng.random() < 0.2:
                    raise OSError(28, "No space left on device")

            life = running(monkeypatch, disk, mode, witness, rng.randbytes(5))
            disk.fail = fail
            for _ in range(rng.randrange(1, 30)):
                life.step()
            refused += life.role.counters.get("refused.persist", 0)
            disk = disk.left(rng)
        assert refused > 10 and witness.heard > 20


class Unstored(Meter):
    def tick(self, now_us, wall_us=None):
        return super().tick(now_us, wall_us)[-1:]


class Short(Meter):
    """Stores one number less than it will use."""

    def _persist(self, ahead, covers):
        return super()._persist(ahead and ahead - 1, covers)

    @property
    def _covered(self):
        return self.left

    @_covered.setter
    def _covered(self, left):
        self.left = left
        if self.message_counter:
            self.message_counter.reserved = LAST


class NoFsync(Disk):
    def fsync(self, what):
        if what is None or isinstance(what, str):
            super().fsync(what)


class NoDirectoryFsync(Disk):
    def fsync(self, what):
        if not isinstance(what, str):
            super().fsync(what)


class NoRename(Disk):
    """Written in place."""

    def open(self, path, mode="r", encoding=None):
        return super().open(str(path).removesuffix(".tmp"), mode, encoding)

    def replace(self, source, target):
        pass


@pytest.mark.parametrize("kind", [Unstored, Short])
def test_it_would_be_seen_in_the_meter(kind, monkeypatch):
    with pytest.raises(AssertionError, match="numbers"):
        examine(monkeypatch, 7, 70, False, kind)


@pytest.mark.parametrize("kind", [NoFsync, NoDirectoryFsync, NoRename])
def test_it_would_be_seen_in_the_store(kind, monkeypatch):
    """What each of these steps is good for: without it the simulation finds a counter used twice, or a meter that is stuck."""
    monkeypatch.setitem(globals(), "Disk", kind)
    with pytest.raises((AssertionError, StoreError)):
        examine(monkeypatch, 7, 70, False)


class Generous(Ledger):
    """So many lives in so short a time would be silent for the rest of the hour."""

    def check(self, frequency_hz, air_time_us, now_us):
        pass


@pytest.mark.parametrize("mode", [5, 7, 10], ids=NAME.get)
def test_over_the_virtual_chip(mode, monkeypatch, record_property):
    """The whole way: driver and model of the chip send, a collector on the air hears every life of the meter."""
    rng = random.Random(mode)
    world, readings, disk, lives, cuts = World(seed=mode), [], new_disk(), 0, []
    board = world.add_board(name="collector")
    collector = Node(
        board,
        Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"]),
        Collector([KnownMeter("water", ADDRESS, KEY)]),
        deliver=readings.append,
    )
    while len(readings) < (400 if SOAK else 60):
        disk.mount(monkeypatch, store)
        disk.hook = None
        kept = store.JsonStore(FOLDER, "meter")
        state = meter_state.load(kept, profile(mode))
        board = world.add_board(name="meter{}".format(lives))
        driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
        role = Meter(profile(mode, 2 * S), rng.randbytes(5), state)
        node = Node(board, driver, role, kept, state=state, ledger=Generous())
        left = [rng.choice((rng.randrange(20), 10**6))]

        def cut(name, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut

        disk.hook = cut
        lives += 1
        try:
            world.run([node, collector], world.now_us + rng.randrange(20 * S))
            cuts.append("between")
        except PowerCut:
            cuts.append("disk")
        board.chip.brown_out()
        world.run([collector], world.now_us + S)
        disk = disk.left(rng)
    told = [one.telegram for one in readings]
    verdict = "decrypted" if mode == 5 else "authenticated"
    assert {one.verdict for one in told} == {verdict}
    if mode != 5:
        counters = [one.counter for one in told]
        assert counters == sorted(set(counters)) and counters[-1] <= BLOCK * lives + len(told)
    values = [one.records[-1].mantissa for one in told]
    assert values == sorted(set(values))
    assert collector.role.counters["duplicates"] == 0
    assert {"between", "disk"} <= set(cuts)
    record_property("power cuts on the virtual chip, profile " + NAME[mode], "{} lives".format(lives))


class Deaf(Witness):
    def on_air(self, telegram):
        pass


def test_duty_cycle_of_who_is_cut_off_again_and_again(monkeypatch):
    """In no hour, whatever crashes lie in it, more than 0.1 % on the air. A restart takes no time, which is the worst case."""
    rng = random.Random(8)
    disk, sent, now_us = new_disk(), [], 0
    lives = 0
    while now_us < 5 * 3600 * S:
        lives += 1
        life = running(monkeypatch, disk, 5, Deaf(5), rng.randbytes(5), settings=profile(5, S), now_us=now_us)
        book = life.node.ledger.book
        life.node.ledger.book = lambda frequency, air_us, at_us, book=book: (
            sent.append((at_us, air_us)),
            book(frequency, air_us, at_us),
        )
        until_us = now_us + int(rng.expovariate(1 / rng.choice((5 * S, 600 * S))))
        while life.clock.now_us < until_us:
            life.step()
        now_us = life.clock.now_us
        disk = disk.left(rng)
    assert lives > 30 and len(sent) > 500
    starts = [at for at, _ in sent]
    assert starts == sorted(starts)
    first = spent = 0
    for at_us, air_us in sent:
        spent += air_us
        while sent[first][0] <= at_us + air_us - 3600 * S:
            spent -= sent[first][1]
            first += 1
        assert spent <= 3600000
