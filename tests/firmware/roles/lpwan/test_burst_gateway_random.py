"""A burst gateway at random: meters that hear little, strangers, forged and replayed frames, noise with a header, a decoder that is late or
talks nonsense, orders, cancelled and expired ones, transmissions that are late or refused, a disk that fails, power cuts, a clock
that jumps. It never raises, what it says is in a slot of the last uplink, nothing is executed twice, no counter and no access
number is used for two things, and every order ends with a reason."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import blocks, counters, llc, mac, values
from omsnode.firmware.phy.burst import burst
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.lpwan.gateway_managed import Managing
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication
from support_burst_gateway import GATEWAY, MAC_KEY, METER, OTHER, SPACING, Meter, Stage, keys, partner, up, us

STRANGER = Address.parse("99999999.M=XYZ.V=01.T=07")
SECOND = Address.parse("55555555.M=XYZ.V=01.T=21")
MACK = bytes.fromhex("098378CFC7")
ENDS = ("done", "failed", "expired", "cancelled")
WALL_US = 1767225600 * 1000000
WORDS = ("read", "read volume", "write volume 12.3", "clock-adjust", "alarm", "reset", "status", "select 17")
MAC_WORDS = (
    "mac-read",
    "mac-read capability uplink downlink",
    "mac-link UL-B4 1/3 -6",
    "mac-clock",
    "mac-session 1",
    "mac-resume 100",
    "mac-fallback 400",
    "mac-renew",
)


class Living(Meter):
    """A meter that executes, once for each counter; it keeps its last answer for 255 s, or until SC. executed: what it was told
    that must not be executed twice."""

    def __init__(self, rng, address=METER):
        super().__init__(address=address)
        self.rng = rng
        self.executed = []
        self.taken = 0  # message counter
        self.kept = None  # (number, answer, until_us)
        self.kept_mac = None
        self.alive_us = -1
        self.tiv = rng.randrange(128)
        self.vary()

    def vary(self):
        """Other access than before."""
        rng = self.rng
        downlink = rng.choice(("DL-B1", "DL-B2", "DL-B3", "DL-B4", "DL-B4", "DL-S1"))
        access = rng.choice((0, 1, 2, 2, 3, 4, 5, 5, 6, 7))
        n = tuple(rng.randrange(5) for _ in range(3)) if downlink in ("DL-B1", "DL-B2") else None
        self.multi = int(rng.random() < 0.4)
        timing, rxm = rng.randrange(1, 9), rng.choice((0, 0, 0, 9, 14, rng.randrange(16)))
        if access < 2:
            self.up = up(access, session=rng.randrange(4))
        else:
            rxm = None if downlink[3] == "S" else rxm
            self.up = up(access, downlink, downlink_n=n, timing=timing, rxm=rxm)

    def restart(self):
        self.kept = self.kept_mac = None
        self.alive_us = -1

    def hears(self, down, now_us):
        """The frame with which it answers, or None."""
        if down.llc.receiver.link_bytes() != self.link.link_bytes():
            return None
        alive, self.alive_us = now_us < self.alive_us, now_us + us(255)
        if not alive:
            self.kept = self.kept_mac = None
        if down.sc:
            self.restart()
        if down.type == "MCMD":
            return self.commanded(down, alive)
        if down.c_field in (0x40, 0x06, None):
            return None
        if self.kept and self.kept[0] == down.number:
            return self.kept[1]
        frame = self.answer(down)
        if not down.sc:
            self.kept = (down.number, frame)
        return frame

    def commanded(self, down, alive):
        judged = self.mac.command(down.mac, alive)
        if judged.action == counters.EXECUTE:
            for block in blocks.parse(judged.data):
                if block.id == blocks.CLOCK and len(block.value) == 1:
                    self.executed.append(("clock", block.value))
            data = judged.data if self.rng.random() < 0.7 else b"\x04"
            self.kept_mac = self.frame(mac.MRSP, body=self.mac.answer(data))
            return self.kept_mac
        if judged.action == counters.REPEAT and self.kept_mac:
            return self.kept_mac
        return self.merr()

    def answer(self, down):
        kind = down.c_field & ~0x20
        if down.tpl is None:
            return self.ack(down)
        if kind in (0x43, 0x53):
            afl, _ = authentication.parse_if_any(down.llc.payload, 0)
            if afl.counter <= max(self.taken, self.counter):
                return self.frame(
                    mac.MSNR, 0x08, down.number, self.empty(0x6E, down.tpl.access_number, 2) + b"\x20"
                )
            self.taken = self.counter = afl.counter
            if afl.fragment_id == 0:
                self.executed.append(("command", down.opened_by(self.address)))
            return self.ack(down) if kind == 0x53 else self.rsp(down)
        return self.rsp(down) if self.rng.random() < 0.9 else self.nack(down)


def hostile(rng, meters, heard):
    """Frames of nobody, in the name of any."""
    what = rng.randrange(9)
    meter = rng.choice(meters)
    if what == 0:
        return MACK
    if what == 1 and heard:
        return rng.choice(heard)[0]  # replayed
    if what == 2:
        return meter.merr()
    if what == 3:
        evil = Meter(address=meter.address)
        evil.mac = counters.Meter(rng.choice((MAC_KEY, Key(bytes(16)))), meter.address, [0, 0, 0])
        evil.mac._answer = (rng.randrange(5), rng.random() < 0.3)
        # Under the right key nobody but the meter can, and not with a counter that it has not been told.
        evil.mac._key = Key(bytes(16))
        return evil.frame(mac.MRSP, body=evil.mac.answer(bytes(rng.randrange(9))), up=meter.up)
    if what == 4:
        evil = Meter(address=meter.address)
        evil.mac = counters.Meter(Key(bytes(16)), meter.address, [0, rng.randrange(1000), 0])
        return evil.frame(mac.MSNR, body=evil.mac.unsolicited(bytes(rng.randrange(20)), rng.random() < 0.5))
    if what == 5:
        return Meter(address=rng.choice((STRANGER, OTHER, GATEWAY)), mode=0, up=meter.up).nr()
    body = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 60)))
    if what == 6:  # a frame that begins as one
        body = bytes([rng.choice((0x00, 0x01, 0x02, 0x08, 0x09, 0x20, 0x40, 0x60, 0x61, 0x69, 0xC0))]) + body
    if what == 7:
        fields = llc.meter_up(
            rng.choice((None, 0x00, 0x01, 0x08, 0x18, 0x44, 0x46, 0x47, 0x48, 0xFF)),
            rng.choice((meter.address, STRANGER)),
            rng.choice((None, rng.randrange(256))),
            rng.randrange(2),
            rng.choice((None, bytes([rng.choice((0x6E, 0x72, 0x7A, 0x80, 0x8A, 0x90))]) + body)),
            rng.choice((None, GATEWAY, OTHER)),
        )
        try:
            kind = rng.choice((mac.MSNR, mac.MRSP, mac.MERR, mac.MACC, mac.MACK))
            return mac.build(kind, meter.up, None, llc.build(fields, True), "UL-B4")
        except MisuseError:
            pass
    return body + mac.crc(body)


class Play:
    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.meters = [Living(rng), Living(rng, SECOND)]
        self.managed = rng.random() < 0.5
        self.costly = rng.random() < 0.5
        self.stage = None
        self.asked = set()  # numbers of orders
        self.ended = {}
        self.once = 0
        self.numbers = {}  # (meter, access number): (when, payload)
        self.bodies = {}  # (meter, MDerCounter or None, counter): body
        self.steps = set()
        self.counters = {}
        self.heard = []  # (frame, T0) that arrived
        self.answers = []  # (frame, meter)
        self.pending = []  # captures
        self.begin(None, 10 * 1000000)

    def begin(self, state, now_us):
        managing = Managing(("UL-B1", "UL-B4")) if self.managed else None
        partners = [partner(), partner(address=SECOND, managing=managing)]
        self.stage = Stage(
            partners=partners,
            wall_us=WALL_US,
            state=state,
            costly=self.costly,
            now_us=now_us,
            install=self.rng.choice(("none", "known", [STRANGER])),
        )
        self.stage.tivs = ()
        self.read = 0

    # --- what is looked at ---

    def look(self):
        """Everything that was said and told since."""
        stage = self.stage
        for one in stage.told[self.read :]:
            step = getattr(one, "step", None)
            if step is not None:
                self.steps.add(step)
            if step in ENDS and getattr(one, "number", None) is not None:
                before = self.ended.setdefault(one.number, (step, id(stage)))
                assert before == (step, id(stage)) or before[1] != id(stage)
                assert step in ("done", "expired", "cancelled") or one.detail
        self.read = len(stage.told)
        for meter in self.meters:
            for what in set(meter.executed):
                if what[0] == "clock" or what[1][:3] == b"\x06\x96\x01":  # add
                    assert meter.executed.count(what) == 1, what

    def said(self, down):
        """A downlink burst: its numbers."""
        who = down.llc.receiver.link_bytes()
        if down.number is not None and down.c_field != 0x06:
            at_us, payload = self.numbers.get((who, down.number), (None, None))
            fields = (down.c_field, down.llc.payload)
            assert at_us is None or payload == fields or down.sync_us - at_us > us(300), (
                "access number used again"
            )
            self.numbers[who, down.number] = (down.sync_us, fields)
        body = down.mac.body
        if body is not None:
            key = (who, self.generation(who, body), body.counter)
            assert self.bodies.setdefault(key, body) == body, "a counter was used twice"

    def generation(self, who, body):
        for meter, one in zip(self.meters, self.stage.role.partners, strict=True):
            if meter.link.link_bytes() == who:
                return one.manager().der_counter
        return None

    # --- what happens ---

    def speak(self, frame, meter, really=True):
        stage, rng = self.stage, self.rng
        kind = rng.randrange(3)
        t0_us = stage.now_us + rng.randrange(100000, 3000000)
        count = len(stage.downs)
        bursts = burst.uplink(frame, meter.tiv, meter.multi, kind)
        t_a, t_b = SPACING[True, kind]
        moved = (meter.tiv - 64) * 15625
        offsets = (0, us(t_a) + moved, us(t_a + t_b) + 2 * moved)[: len(bursts)]
        length_us = offsets[-1]
        if len(bursts) > 1 and rng.random() < 0.3:  # it has heard enough already
            for i in range(rng.randrange(1, 3), 3):
                bursts[i] = burst.uplink(MACK, meter.tiv, 0, 2)[0]
        for chips, offset_us in zip(bursts, offsets, strict=True):
            if rng.random() < 0.8:
                if rng.random() < 0.2:
                    chips = bytearray(chips)
                    for _ in range(rng.randrange(1, 60)):
                        chips[rng.randrange(9, len(chips))] ^= 1 << rng.randrange(8)
                    chips = bytes(chips)
                stage.burst(
                    chips, t0_us + offset_us, rng.randrange(-120, -30), rng.choice((None, 0, 9000, -20000))
                )
                self.heard.append((frame, t0_us))
        self.give_back(frame)
        stage.run(max(stage.now_us, t0_us + length_us) + us(rng.choice((0.2, 2, 30, 60, 90))))
        for down in stage.downs[count:]:
            self.said(down)
        if not really:
            return
        answer = None
        for down in stage.downs[count:]:
            if rng.random() < 0.7 and answer is None:
                down.opened_by = lambda address, one=down: self.opened(one, address)
                for one in self.meters:
                    answer = one.hears(down, stage.now_us)
                    if answer is not None:
                        self.answers.append((answer, one))
                        break

    def opened(self, down, address):
        from omsnode.firmware.transport import protection
        from support_burst_gateway import MASTER

        afl, _ = authentication.parse_if_any(down.llc.payload, 0)
        found = protection.open_message(
            down.llc.payload, down.tpl, afl, address, lambda *_: MASTER, (authentication.CMAC_8,)
        )
        return bytes(found.payload[2:])

    def give_back(self, frame):
        """The decoder: what it makes of captures."""
        stage, rng = self.stage, self.rng
        self.pending += [(one.number, frame) for one in stage.captures]
        stage.captures.clear()
        for one in list(self.pending):
            if rng.random() < 0.5:
                self.pending.remove(one)
                number, right = one
                what = rng.choice(
                    (right, right, None, b"", bytes(7), MACK, rng.choice(self.heard or [(MACK, 0)])[0])
                )
                stage._do(stage.role.decoded(number, what, stage.now_us, stage._wall(stage.now_us)))

    def order(self):
        rng, stage = self.rng, self.stage
        address = rng.choice((METER, SECOND))
        what = rng.random()
        if what < 0.3 and self.once < 60:
            self.once += 1
            words = "mac-clock {}".format(self.once)
        elif what < 0.5 and self.once < 60:
            words = "add volume {}".format(1000 + len(self.asked))
        else:
            words = rng.choice(WORDS + MAC_WORDS)
        expires_us = rng.choice((None, None, stage.now_us + rng.randrange(us(1000))))
        try:
            made = orders.make(words.split(), address, keys)
            self.asked.add(stage.role.queue(address, made, stage.now_us, expires_us))
        except MisuseError:
            pass

    def step(self):
        rng, stage = self.rng, self.stage
        what = rng.randrange(24)
        meter = rng.choice(self.meters)
        if what < 6:
            self.speak(
                rng.choice((meter.nr, meter.nr, meter.macc, meter.demand, meter.installation))(), meter
            )
        elif what < 12 and self.answers:
            frame, meter = self.answers.pop() if rng.random() < 0.8 else rng.choice(self.answers)
            self.speak(frame, meter)
        elif what < 13:
            found = [
                values.encode(blocks.CMD_COUNTER, meter.mac.cmd),
                blocks.MBlock(0, bytes([rng.randrange(4), rng.randrange(256)])),
            ]
            self.speak(meter.status(found[rng.randrange(2) :], rng.random() < 0.5), meter)
        elif what < 16:
            self.speak(hostile(rng, self.meters, self.heard), meter, False)
        elif what < 19:
            self.order()
        elif what == 19 and self.asked:
            stage.role.cancel(rng.choice(sorted(self.asked)), stage.now_us)
        elif what == 20:
            stage.fates = [rng.choice(("late", "duty_cycle", "sent", "sent")) for _ in range(3)]
        elif what == 21:
            stage.disk = rng.random() < 0.6
            stage.wall_us = rng.choice((None, WALL_US, WALL_US, WALL_US + rng.randrange(10**12)))
        elif what == 22:
            meter.vary()
            if rng.random() < 0.3:
                meter.restart()
        elif rng.random() < 0.3:
            self.cut()
        chips = bytes(rng.randrange(256) for _ in range(rng.randrange(40, 120)))
        if rng.random() < 0.1:
            stage.burst(bytes(8) + chips, stage.now_us + 100000)  # noise
        stage.later(rng.choice((0.01, 1, 20)))
        self.look()

    def cut(self):
        """A power cut, with a disk that works; what was armed is not sent."""
        stage = self.stage
        stage.disk = True
        stage.later(25)
        self.look()
        if not stage.stored:
            return
        for name, count in stage.role.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count
        self.pending = []
        self.begin(stage.stored[-1], stage.now_us + 1000000)
        self.look()

    def finish(self):
        """The meters hear everything, and every order comes to its end."""
        stage = self.stage
        stage.disk, stage.fates = True, []
        stage.later(30)
        for meter in self.meters:
            meter.up, meter.multi, meter.tiv = up(2, timing=2, rxm=0), 0, 64
        self.rng = random.Random(1)
        self.rng.random = lambda: 0.5  # nothing is lost
        for _ in range(400):
            if not stage.role.orders():
                break
            for meter in self.meters:
                self.speak(meter.nr(), meter)
                while self.answers:
                    frame, one = self.answers.pop(0)
                    self.speak(frame, one)
                self.look()
        self.look()
        assert set(self.ended) | {one.number for one in stage.role.orders()} >= self.asked
        assert stage.role.orders() == []
        for name, count in stage.role.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count


def play(seed, steps):
    one = Play(seed)
    for _ in range(steps):
        one.step()
    one.finish()
    return one


@settings(max_examples=1000 if os.environ.get("OMSNODE_SOAK") else 4, deadline=None)
@given(st.integers(0, 1 << 32))
def test_at_random(seed):
    play(seed, 60)


def test_it_comes_to_something():
    """What is played at random is not only noise."""
    steps, counted, executed = set(), set(), 0
    for seed in range(5):
        one = play(seed, 120)
        steps |= one.steps
        counted |= {name for name, count in one.counters.items() if count}
        executed += sum(len(meter.executed) for meter in one.meters)
    assert steps >= {"sent", "late", "done", "failed", "expired", "cancelled", "retry", "answered"}
    assert counted >= {"mack", "unstored", "mac.mac_mismatch", "burst.duplicates"}
    assert executed > 10


@pytest.mark.parametrize("seed", range(3))
def test_noise_only(seed):
    """Frames with a right CRC and anything in them."""
    rng = random.Random(seed)
    stage = Stage()
    meter = Living(rng)
    for _ in range(300):
        frame = hostile(rng, [meter], [])
        stage.burst(burst.uplink(frame, 64, 0, rng.randrange(3))[0], stage.now_us + 200000)
        meter.vary()
    stage.later(300)
    assert stage.role.orders() == []
