"""The burst meter at random on a virtual clock: what a gateway may say, noise, a radio that is late, a store that fails, power cuts.
Whatever happens: slots stay where they are, no counter is used for two contents, nobody is answered twice differently."""

import json
import os
import random

import pytest
from omsnode.firmware.link import interval_us
from omsnode.firmware.link.lpwan import elements, mac, values
from omsnode.firmware.link.lpwan.manager_counters import Manager
from omsnode.firmware.phy.burst import timing
from omsnode.firmware.roles.lpwan.meter import TABLE, BurstMeter
from support_burst_meter import MAC_KEY, METER, TIV, BurstWalk, S, down, frame, make, protected

STEPS = 1200 if os.environ.get("OMSNODE_SOAK") else 150
COMMANDS = (
    "8301",
    "8001",
    "22E305",
    "920178",
    "9201 00",
    "1301",
    "04",
    "14D8",
    "25002A",
    "25801F",
    "250300",
    "1602",
    "1606",
    "168E",
    "00",
    "0102",
)
ALL = values.Capability(("UL-B1", "UL-B2", "UL-B4"), 1, ("DL-B2", "DL-B4"), values.CODINGS, 1)


class Life:
    def __init__(self, seed, **declared):
        self.rng = random.Random(seed)
        self.declared = {
            "nominal_us": 120 * S,
            "downlink": "DL-B4",
            "capability": ALL,
            "rxm": 0,
            "preset": 6,
            **declared,
        }
        self.manager = Manager(MAC_KEY, METER)
        self.number = 0
        self.counter = 100
        self.bodies = {}  # (MDerCounter, MFT, MMsgCounter): body
        self.messages = {}  # message counter of the AFL: bytes behind it
        self.stored = None
        self.base_us = 0
        self.slots = None
        self.start()

    def start(self):
        state = json.loads(json.dumps(self.stored)) if self.stored else None
        entropy = self.rng.randbytes(8)
        self.walk = BurstWalk(
            make(state=state, entropy=entropy, **self.declared), wall=lambda now_us: now_us + 1700000000 * S
        )
        self.seen = 0
        self.walk.lose = lambda action: self.rng.random() < 0.05
        self.last_slot = None

    def check(self):
        """Of every burst that was sent since the last call."""
        walk = self.walk
        for one in walk.bursts[self.seen :]:
            self.seen += 1
            if one.mac.type == mac.MACK:
                assert one.payload == mac.MACK_FRAME
                continue
            if one.mac.body is not None:
                body = one.mac.body
                der = self.manager_der(one)
                name = (der, one.mac.type, body.counter)
                assert self.bodies.setdefault(name, body) == body, name
            raw = one.llc.payload
            if raw and raw[0] == 0x90 and len(raw) > 20:
                count = int.from_bytes(raw[5:9], "little")
                assert self.messages.setdefault(count, raw) == raw, count
            if one.llc.flag and (self.last_slot is None or one.payload != self.last_slot.payload):
                before, self.last_slot = self.last_slot, one
                if before is not None:
                    self.grid(before, one)

    def manager_der(self, one):
        return self.walk.role.mac.security.der_counter

    def grid(self, before, one):
        """From slot to slot by the access numbers, also over those that were lost."""
        at_us, number = before.t0_us, before.llc.access_number
        while number != one.llc.access_number:
            at_us += interval_us(self.declared["nominal_us"], number)
            number = (number + 1) & 0xFF
        assert at_us == one.t0_us

    def act(self):
        rng, walk = self.rng, self.walk
        walk.refuse = rng.random() < 0.05
        if walk.refuse:
            walk.run(walk.now_us + rng.randrange(300) * S)
            walk.refuse = False
            self.check()
        kind = rng.randrange(12)
        if kind == 0 and walk.stored:
            self.stored = walk.stored[-1]
            self.start()
            return
        walk.uplink(1, 7200 * S) if rng.random() < 0.7 or not walk.bursts else walk.step()
        self.check()
        if kind < 3 or not walk.bursts:
            return
        one = walk.bursts[-1]
        first_us = walk._first_us if one.header.multi else one.t0_us
        option = elements.option(one.up)
        if option is None:
            return
        payload = self.said(kind)
        given = timing.access(one.name, option)
        slot = rng.choice(
            timing.slots(one.name, one.header, one.up.timing or given.timing, given.additional, given.multi)
        )
        drift_us = slot.offset_us * rng.randrange(-240, 240) // 1000000
        at_us = first_us + slot.offset_us + drift_us + rng.randrange(-400, 400)
        if at_us < walk.now_us + 100000:
            return
        name = one.up.downlink
        if one.up.downlink_n:
            name += ".{}".format(one.up.downlink_n[slot.index - 1])
        multi = given.multi and rng.random() < 0.5
        chips = down(payload, multi=1 if multi else 0, burst_type=0 if multi else rng.randrange(3))
        chips = bytearray(chips[slot.index - 1 if multi else 0])
        if rng.random() < 0.2:
            for _ in range(rng.randrange(1, 40)):
                chips[rng.randrange(8, len(chips))] ^= 1 << rng.randrange(8)
        walk.refuse = rng.random() < 0.1
        walk.answer(bytes(chips), at_us, name)
        walk.refuse = False
        self.check()

    def said(self, kind):
        rng = self.rng
        if kind < 8:
            self.number = (self.number + rng.randrange(2)) & 0xFF
            self.counter = max(self.counter, self.walk.role.message_counter.value) + 1
            upper = (0x43, self.number, protected(7, bytes.fromhex("0813"), self.counter))
            if rng.random() < 0.3:
                upper = (rng.choice((0x40, 0x5A, 0x5B, 0x53)), self.number, None)
        else:
            upper = None
        body, mft = None, mac.MCNR
        if kind > 5:
            self.manager.cmd = max(self.manager.cmd, self.walk.role.mac.security.cmd - rng.randrange(2))
            self.manager.der_counter = self.walk.role.mac.security.der_counter
            self.manager.pending = None
            if rng.random() < 0.05 and self.manager.der_counter < 200:
                self.manager.update(self.manager.der_counter + 1)
            mft = rng.choice((mac.MCMD, mac.MCNR))
            data = bytes.fromhex("".join(rng.sample(COMMANDS, rng.randrange(1, 4))))
            body = self.manager.command(data, rng.random() < 0.5, mft)
        da = elements.Down(rng.choice((0, 0, 1, 2, 3)), rng.randrange(2), int(rng.random() < 0.3))
        return frame(mft, upper, body, da)


@pytest.mark.parametrize("seed", range(40 if STEPS > 150 else 6))
def test_lives(seed):
    life = Life(
        seed,
        coding=("7/8", "1/2", "1/3", "multi")[seed % 4],
        access=(1, 3, 4, 2)[seed % 4],
        resume_s=(0, 120)[seed % 2],
    )
    taken = 0
    for _ in range(STEPS):
        before = life.walk.role.counters.get("taken", 0)
        walk = life.walk
        life.act()
        if walk is life.walk:
            taken += life.walk.role.counters.get("taken", 0) - before
    assert taken > STEPS // 20
    assert life.walk.role.tiv == TIV


def test_every_transition(monkeypatch):
    """The table holds what happens, and nothing else; slots that cut a frame are in a third life."""
    seen = set()
    go = BurstMeter._go

    def recorded(role, event):
        seen.add((role.state, event))
        go(role, event)

    monkeypatch.setattr(BurstMeter, "_go", recorded)
    for seed, more in ((3, {}), (8, {}), (5, {"nominal_us": 20 * S, "spacing": 2})):
        life = Life(seed, coding="multi", access=4, **more)
        for _ in range(150):
            life.act()
    # Access number 64: the next slot is t_NOM behind, and handed over while RX0 is open.
    walk = BurstWalk(make(downlink="DL-B4", nominal_us=1615000, entropy=bytes((63, 0, 0, 0, 0))))
    walk.uplink(2)
    assert walk.bursts[1].t0_us == walk.bursts[0].t0_us + 1615000 and len(walk.heard) == 1
    # RX0 is 32 + 24 s behind T0, so its window is wide, and a short burst ends within it.
    walk = BurstWalk(make(downlink="DL-B4", coding="multi", spacing=2, access=1, option=8))
    one = walk.uplink()
    short = down(frame(mac.MCNR), burst_type=0)[0]
    assert walk.answer(short, one.t0_us + 56 * S - 12000, "DL-B4") and walk.role.counters["taken"]
    assert seen == set(TABLE)
