"""Power cuts of a gateway: what can be played to it once more behind one is what it heard in the last minute, never more.

Node, Collector, Trust and JsonStore are the real ones, the disk is support_disk. State of any shape does no harm.
"""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.host import store
from omsnode.firmware.link import frame_a
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.collector import STORE_US, Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.roles.trust import Trust
from omsnode.firmware.security.keys import Key
from support_disk import DIRECTORY, Disk, PowerCut
from support_wire import Clock, WireBoard, WireRadio

SOAK = bool(os.environ.get("OMSNODE_SOAK"))
HEARD = 2000 if SOAK else 300
S = 1000000
FOLDER = "/var/lib/omsnode"
KEY = Key(bytes(range(16)))
METERS = [Address.parse("1234567{}.M=KAM.V=1b.T=16".format(n)) for n in range(3)]
KNOWN = [KnownMeter(str(address), address, KEY) for address in METERS]


def sender(address, mode):
    profile = Profile(address, [Register(b"\x04", b"\x13", 1)], mode="C1", key=KEY, security_mode=mode)
    role = Meter(profile, bytes(5))
    role.start(0)
    while True:
        yield role.tick(role.due_us)[-1].telegram


class Gateway:
    """From its start to the end of its power."""

    def __init__(self, disk, now_us=0, hook=None):
        disk.hook = hook
        self.clock = Clock()
        self.clock.now_us = now_us
        self.store = store.JsonStore(FOLDER, "collector-main")
        state = self.store.load() or {}
        self.readings = []
        self.role = Collector(
            KNOWN, formats=Formats(state=state.get("formats", ())), trust=Trust(state.get("counters"))
        )
        self.radio = WireRadio()
        self.node = Node(
            WireBoard(self.clock), self.radio, self.role, self.store, self.readings.append, state=state
        )
        self.node.step()

    def hear(self, telegram):
        """Whether it was told as new and authentic."""
        now_us = self.clock.now_us
        frame = frame_a.build(telegram)
        self.radio.events.append(
            radio.Event(radio.FRAME, now_us, now_us, frame, family="C", frame_format="A", rssi_dbm=-60)
        )
        before = len(self.readings)
        self.node.step()
        return [one.telegram.verdict for one in self.readings[before:]] == ["authenticated"]

    def wait(self, until_us):
        while self.node.due_us is not None and self.node.due_us <= until_us:
            self.clock.now_us = max(self.clock.now_us, self.node.due_us)
            self.node.step()
        self.clock.now_us = max(self.clock.now_us, until_us)


def new_disk():
    return Disk({"/var": DIRECTORY, "/var/lib": DIRECTORY})


@pytest.mark.parametrize("gap_s", [2, 20, 50, 200])
def test_what_can_be_replayed(gap_s, monkeypatch, record_property):
    rng = random.Random(gap_s)
    senders = [sender(address, mode) for address, mode in zip(METERS, (7, 10, 7), strict=True)]
    disk = new_disk()
    disk.mount(monkeypatch, store)
    heard = []  # (at_us, telegram), as accepted
    figures = {"cuts": 0, "replayed": 0, "oldest_s": 0, "writes": 0}

    def cut(name):
        """At each call of the disk: all that it may leave."""
        for left in disk.survivors():
            replay(left)
        disk.mount(monkeypatch, store)

    done = set()

    def replay(left):
        left.mount(monkeypatch, store)
        found = (repr(store.JsonStore(FOLDER, "collector-main").load()), len(heard))
        if found in done:
            return
        done.add(found)
        figures["cuts"] += 1
        again = Gateway(left, 10**12)
        now_us = gateway.clock.now_us
        recent = [one for one in heard if now_us - one[0] < 3 * STORE_US]
        for at_us, telegram in rng.sample(heard, min(5, len(heard))) + recent:
            if again.hear(telegram):
                age_us = now_us - at_us
                assert age_us <= STORE_US
                figures["replayed"] += 1
                figures["oldest_s"] = max(figures["oldest_s"], age_us // S)

    gateway = None
    gateway = Gateway(disk, 0, None)
    disk.hook = cut
    for number in range(HEARD if gap_s < 50 else HEARD // 3):
        gateway.wait(gateway.clock.now_us + rng.randrange(gap_s * 2 * S))
        telegram = next(rng.choice(senders))
        heard.append((gateway.clock.now_us, telegram))
        assert gateway.hear(telegram)
        if SOAK or number % 5 == 0:
            cut("between")
    most = gateway.clock.now_us // STORE_US + 2
    assert disk.writes <= 2 * most  # two files
    assert figures["replayed"] > 10
    record_property(
        "gateway cut, one message in {} s".format(gap_s),
        "{cuts} restarts, {replayed} replays, the oldest {oldest_s} s old".format(**figures),
    )


def test_cut_again_and_again(monkeypatch):
    """Lives that end at a random point; a message of more than a minute before the cut is never told twice."""
    rng = random.Random(3)
    senders = [sender(address, mode) for address, mode in zip(METERS, (7, 10, 7), strict=True)]
    disk, now_us, lives = new_disk(), 0, 0
    stored = []  # telegrams that were heard more than a minute before the power went

    while len(stored) < HEARD:
        lives += 1
        left = [rng.randrange(400)]

        def cut(name, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut

        disk.mount(monkeypatch, store)
        gateway = Gateway(disk, now_us)
        assert not any([gateway.hear(telegram) for telegram in stored[-30:]])
        disk.hook = cut
        heard = []
        try:
            for _ in range(rng.randrange(1, 60)):
                gateway.wait(gateway.clock.now_us + rng.randrange(40 * S))
                telegram = next(rng.choice(senders))
                heard.append((gateway.clock.now_us, telegram))
                gateway.hear(telegram)
        except PowerCut:
            pass
        now_us = gateway.clock.now_us
        stored += [telegram for at_us, telegram in heard if at_us < now_us - STORE_US]
        disk = disk.left(rng)
    assert lives > 10


def test_a_disk_that_was_full_is_written_a_minute_later(monkeypatch):
    """Even if nothing is heard after that."""
    disk = new_disk()
    disk.mount(monkeypatch, store)
    gateway = Gateway(disk)
    telegram = next(sender(METERS[0], 7))

    def full(name):
        raise OSError(28, "No space left on device")

    disk.fail = full
    assert gateway.hear(telegram)
    assert gateway.node.counters["refused.persist"] == 1
    gateway.wait(STORE_US + 1)
    assert gateway.node.counters["refused.persist"] == 2
    disk.fail = None
    gateway.wait(2 * STORE_US + 1)
    assert gateway.node.counters["refused.persist"] == 2 and gateway.node.due_us is None
    for left in disk.survivors():
        left.mount(monkeypatch, store)
        assert not Gateway(left).hear(telegram)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAME = METERS[0].ident + "/" + KEY.fingerprint()


@given(
    state=st.dictionaries(st.sampled_from(("counters", "formats", "duty_cycle", "x")), JSON, max_size=4)
    | st.builds(lambda value: {"counters": {NAME: value}}, JSON)
    | st.builds(lambda rows: {"formats": rows}, st.lists(JSON, max_size=4))
)
def test_state_of_any_shape(state):
    """It is read as far as it makes sense; a meter is heard in any case, unless the state says that its counter is further."""
    role = Collector(
        KNOWN, formats=Formats(state=state.get("formats", ())), trust=Trust(state.get("counters"))
    )
    node = Node(WireBoard(Clock()), WireRadio(), role, state=state)
    event = radio.Event(
        radio.FRAME,
        0,
        0,
        frame_a.build(next(sender(METERS[0], 7))),
        family="C",
        frame_format="A",
        rssi_dbm=-60,
    )
    told = [one.reading.telegram.verdict for one in role.feed(event, 0) if hasattr(one, "reading")]
    known = state.get("counters")
    last = known.get(NAME, 0) if isinstance(known, dict) else 0
    further = isinstance(last, int) and 1 <= last <= 0xFFFFFFFF
    assert told == ["authenticated"] or further
    assert node.counters.get("state_damaged", 0) <= 1
    role.stop()
