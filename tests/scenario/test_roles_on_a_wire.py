"""Meter and collector joined by a wire: every mode and format, encrypted and not, from registers to readings."""

import pytest
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.link.address import Address
from omsnode.firmware.node import Node
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.security.keys import Key
from support_wire import Clock, WireBoard, WireRadio

ADDRESS = Address.parse("12345678.M=KAM.V=1b.T=16")
KEY = Key(bytes(range(16)))


def run(profile, meters, n, mode="T+C"):
    """Nodes of one meter and one collector until n telegrams are sent; returns the readings and both nodes."""
    clock = Clock()
    readings = []
    store = MemoryStore()
    sender, receiver = WireRadio(), WireRadio()
    sender.peers.append(receiver)
    meter = Node(WireBoard(clock), sender, Meter(profile, bytes((9, 1, 2, 3, 4))), store)
    collector = Node(WireBoard(clock), receiver, Collector(meters, mode), deliver=readings.append)
    collector.step()
    meter.step()
    while meter.role.counters["sent"] < n:
        clock.now_us = max(clock.now_us, meter.due_us)
        meter.step()
        collector.step()
    return readings, meter, collector


@pytest.mark.parametrize(
    "mode, frame_format, listen, with_ell",
    [
        ("T1", "A", "T+C", False),
        ("T1", "A", "T1", False),
        ("C1", "A", "T+C", True),
        ("C1", "B", "T+C", True),
        ("C1", "B", "C1", False),
        ("S1", "A", "S1", False),
        ("S1-m", "A", "S1", True),
    ],
)
@pytest.mark.parametrize("key", [None, KEY])
def test_every_mode(mode, frame_format, listen, with_ell, key):
    profile = Profile(
        ADDRESS,
        [Register(b"\x04", b"\x13", 6408, 1000000)],
        mode=mode,
        frame_format=frame_format,
        nominal_us=60000000,
        key=key,
        security_mode=5 if key else 0,
        with_ell=with_ell,
    )
    readings, meter, collector = run(profile, [KnownMeter("kitchen", ADDRESS, KEY)], 5, listen)
    assert [reading.telegram.access_number for reading in readings] == [10, 11, 12, 13, 14]
    assert [reading.telegram.records[0].mantissa for reading in readings] == [6408, 6409, 6410, 6411, 6412]
    first = readings[0]
    assert (first.name, first.mode[0], first.frame_format) == ("kitchen", mode[0], frame_format)
    assert first.telegram.verdict == ("decrypted" if key else "plain")
    assert (first.telegram.records[0].quantity, first.telegram.records[0].unit) == ("volume", "m3")
    assert first.telegram.error is None and first.rssi_dbm == -60
    assert collector.role.counters == {"frames": 5, "delivered": 5, "duplicates": 0}
    meter.stop()
    state = meter.store.state
    assert (state["access_number"], state["values"]) == (14, [6413000000])
    assert len(state["duty_cycle"]) == 3 * 5  # the telegram behind this state counts already


def test_wrong_key_is_a_reading_with_a_verdict():
    profile = Profile(ADDRESS, [Register(b"\x04", b"\x13", 1)], nominal_us=10**7, key=KEY, security_mode=5)
    readings, _, collector = run(profile, [KnownMeter("cellar", ADDRESS, Key(bytes(16)))], 2)
    assert [reading.telegram.verdict for reading in readings] == ["wrong_key_or_altered"] * 2
    assert readings[0].name == "cellar" and readings[0].telegram.records == []
    assert collector.role.counters["rejected.wrong_key_or_altered"] == 2


def test_a_stranger_without_key_is_reported():
    profile = Profile(ADDRESS, [Register(b"\x04", b"\x13", 1)], nominal_us=10**7, key=KEY, security_mode=5)
    readings, _, _ = run(profile, [], 1)
    assert readings[0].telegram.verdict == "no_key" and readings[0].name is None
    assert str(readings[0].telegram.address) == str(ADDRESS)


def test_duty_cycle_holds_for_every_hour():
    """1 telegram per second in T mode is far beyond 0.1 %: what is on the air never exceeds 3.6 s in an hour."""
    profile = Profile(ADDRESS, [Register(b"\x04", b"\x13", 1)] * 10, nominal_us=10**6)
    clock, store = Clock(), MemoryStore()
    radio = WireRadio()
    node = Node(WireBoard(clock), radio, Meter(profile, bytes(5)), store)
    sent = []
    original = node.ledger.book
    node.ledger.book = lambda frequency, air_us, at_us: (
        sent.append((at_us, air_us)),
        original(frequency, air_us, at_us),
    )
    node.run(3 * 3600 * 10**6)
    assert node.role.counters["refused.duty_cycle"] > 1000
    assert radio.calls.count("transmit") == len(sent) == 3 * (3600000 // 10960)
    for start, _ in sent[::50]:
        assert sum(air for at, air in sent if start <= at < start + 3600 * 10**6) <= 3600000
    # It comes back after the hour, and slots were spent, not moved.
    assert [at for at, _ in sent if at > 3600 * 10**6]
    node.stop()
    assert store.state["access_number"] == node.role.access_number
