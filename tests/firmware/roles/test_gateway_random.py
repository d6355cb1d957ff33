"""A gateway on the real TwoWay and a radio made of nothing, at random: frames of meters and strangers, whole, odd and damaged,
orders, cancelled ones, transmissions that are late or end in a fault, a ledger that is full, a disk that fails, a wall clock
that jumps. The loop never raises; no window is over when it is handed out, nothing is on the air outside of one, and never two
at once (support_fake_radio asserts that)."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import DutyCycleError, MisuseError
from omsnode.firmware.link import extended
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.phy.duty_cycle import Ledger
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.two_way import TwoWay
from support_fake_radio import Board, Radio
from support_window import ENTROPY, GATEWAY, MASTER, METER, Meter, S

OTHER = Address.parse("99999999.M=XYZ.V=01.T=07")
THIRD = Address.parse("55555555.M=XYZ.V=01.T=21")
PROFILES = {METER: ("B", 7), OTHER: ("A", 5), THIRD: (None, 0)}
WORDS = (
    ["read"],
    ["read", "volume"],
    ["add", "volume", "1"],
    ["write", "volume", "12.3"],
    ["clock-set", "2026-03-01T12:00"],
    ["clock-adjust"],
    ["clock-adjust", "5"],
    ["alarm"],
    ["reset"],
    ["select", "17"],
    ["status"],
    ["valve", "close"],
)
KEYS = {key_id: (0, MASTER) for key_id in (0x20, 0x21, 0x22)}
MODES = ("C2", "T2", "S2")
C_FIELDS = (0x00, 0x01, 0x06, 0x08, 0x18, 0x40, 0x44, 0x46, 0x47, 0x48, 0x53, 0x7B, 0xFF)
CI_FIELDS = (0x6E, 0x6F, 0x72, 0x74, 0x78, 0x7A, 0x80, 0x8A, 0x8B, 0x90, 0xC4, 0x8C, 0xFF)


class Full(Ledger):
    """Refuses at times."""

    def __init__(self, rng):
        super().__init__()
        self.rng = rng

    def check(self, frequency_hz, air_time_us, now_us):
        if self.rng.random() < 0.05:
            raise DutyCycleError("full", now_us + S)
        super().check(frequency_hz, air_time_us, now_us)


class Disk:
    def __init__(self, rng):
        self.rng = rng
        self.works = True

    def save(self, state):
        if not self.works or self.rng.random() < 0.02:
            raise OSError("disk")
        self.state = state


class Heard(Radio):
    """Of one family."""

    def __init__(self, board, family):
        super().__init__(board)
        self.family = family

    def heard(self, telegram, sync_us, end_us, damage):
        pass

    def service(self, now_us, edges=()):
        events = super().service(now_us, edges)
        for event in events:
            if event.kind == radio.FRAME:
                event.family = self.family
        return events


def odd(rng):
    """A frame of no meter, in the name of any."""
    address = rng.choice((METER, OTHER, THIRD))
    payload = b""
    if rng.random() < 0.8:
        receiver = rng.choice((None, GATEWAY, OTHER))
        payload = extended.build(rng.randrange(256), rng.randrange(256), receiver)
    payload += bytes((rng.choice(CI_FIELDS),)) * rng.randrange(2)
    if rng.random() < 0.5:
        payload += rng.choice((METER, OTHER)).tpl_bytes()
    payload += bytes(rng.randrange(256) for _ in range(rng.randrange(20)))
    return link_telegram.build(rng.choice(C_FIELDS), address, payload)


def answer(meter, telegram, rng):
    kind = rng.randrange(8)
    if kind < 3:
        return meter.rsp(telegram, rng.choice((0, 0, 0, 1, 2)))
    if kind < 5:
        return meter.ack(telegram, rng.choice((0, 0, 1, 2)))
    return meter.error(telegram, rng.choice((1, 8, 0x10, 0x20))) if kind < 7 else meter.nack(telegram)


def play(seed, mode, steps):
    rng = random.Random(seed)
    board = Board()
    air = Heard(board, mode[0])
    partners = [Partner(one, MASTER if profile else None, profile) for one, (profile, _) in PROFILES.items()]
    known = [KnownMeter(one.name, one.pattern, one.side.key) for one in partners]
    told = []
    role = Gateway(Collector(known), GATEWAY, partners, ENTROPY, install="known")
    offered = []
    wall_us = [1767225600 * S]
    node = TwoWay(
        board,
        air,
        role,
        store=Disk(rng),
        deliver=told.append,
        wall=lambda at_us: wall_us[0] and wall_us[0] + at_us,
        ledger=Full(rng),
    )
    transmit = node._transmit

    def watched(action):
        assert board.now_us() <= action.until_us, "its window was over when it was handed out"
        offered.append(action)
        air.action = action
        transmit(action)

    node._transmit = watched
    meters = [Meter(one, MASTER if level else None, level) for one, (_, level) in PROFILES.items()]
    numbers = set()
    node.run(S)
    for _ in range(steps):
        what = rng.randrange(20)
        meter = rng.choice(meters)
        meter.cc = rng.choice((0x80, 0x80, 0x80, 0x84, 0x00, 0x04, 0xC0))
        telegram = None
        if what < 5:
            telegram = rng.choice((meter.nr, meter.nr, meter.demand, meter.installation))()
        elif what < 11 and air.air:
            try:
                telegram = answer(meter, air.air[-1][2].telegram, rng)
            except AttributeError:  # a later fragment has nothing to go by
                telegram = odd(rng)
        elif what < 13:
            telegram = odd(rng)
        elif what < 16:
            try:
                order = orders.make(
                    rng.choice(WORDS), meter.address, lambda key_id, version=None: KEYS.get(key_id)
                )
                expires_us = rng.choice((None, board.now_us() + rng.randrange(60 * S)))
                numbers.add(role.queue(meter.address, order, board.now_us(), expires_us))
            except MisuseError:
                pass
        elif what == 16 and numbers:
            role.cancel(rng.choice(sorted(numbers)), board.now_us())
        elif what == 17:
            air.fates.append(rng.choice(("late", "fault", "sent")))
        elif what == 18:
            wall_us[0] = rng.choice((None, 0, 1767225600 * S, 1767225600 * S + rng.randrange(10**12)))
        else:
            node.store.works = rng.random() < 0.7
        if telegram is not None:
            sync_us = board.now_us() + rng.randrange(1000, 20000)
            damage = rng.randrange(1000) if rng.random() < 0.1 else None
            air.put(telegram, sync_us, sync_us + 5000, damage)
        board.late = lambda: rng.choice((0, 0, 100, 900, 5000))
        node.run(board.now_us() + rng.choice((30000, 1100000, 2000000, 8000000)))
    node.store = None
    board.late = lambda: 0
    node.run(board.now_us() + 30 * S)
    for start_us, _, action in air.air:
        assert action.at_us <= start_us <= action.until_us
    # Every order is known, or was told how it ended, once.
    ends = [
        one.number for one in told if getattr(one, "step", None) in ("done", "failed", "expired", "cancelled")
    ]
    ends = [number for number in ends if number is not None]
    assert len(ends) == len(set(ends))
    assert set(ends) | {one.number for one in role.orders()} == numbers
    return air.air, told


@example(10064, "S2")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from(MODES))
def test_at_random(seed, mode):
    play(seed, mode, 200)


@pytest.mark.parametrize("mode", MODES)
def test_it_comes_to_something(mode):
    """What is played at random is not only noise."""
    steps = set()
    for seed in range(12):
        air, told = play(seed, mode, 200)
        assert air
        steps |= {one.step for one in told if hasattr(one, "step")}
    assert steps >= {"sent", "late", "done", "failed", "expired", "cancelled", "retry", "demand", "closed"}
