"""Anything at all happens to a bidirectional meter on its real node: frames of everybody, at any time, replayed, damaged, for
others; transmissions that are late, refused or break down; stores that fail; power cuts. The loop never raises, and whatever is
on the air is judged by its time and number alone (link sheet 8.2 to 8.5; oms-requirements ACC-01, 07, SEC-17, 22)."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import commands
from omsnode.firmware.errors import DutyCycleError
from omsnode.firmware.link import extended
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.window_meter import LIMITED, UNLIMITED
from omsnode.firmware.security.counters import LAST
from omsnode.firmware.two_way import TwoWay
from support_commands import GATEWAY, MASTER, METER, command, request
from support_fake_radio import Board, Radio
from support_judge import ANSWERS, WINDOW
from support_on_air import Frame, Sent
from support_window_meter import S, make

OTHER = Address.parse("11111111.M=ABC.V=01.T=07")
NOMINAL_US = 20 * S
PERIOD_US = 2 * S


class Ledger:
    """refuses: of the transmissions to come, which ones."""

    def __init__(self):
        self.refuses = []

    def check(self, frequency_hz, air_time_us, now_us):
        if self.refuses and self.refuses.pop(0):
            raise DutyCycleError("used up", now_us + 60 * S)

    def book(self, *more):
        pass

    restore = book

    def export(self, now_us):
        return []


class PowerCut(BaseException):
    pass


class Power:
    """left: steps until it fails, or None."""

    left = None

    def step(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise PowerCut


class Store:
    def __init__(self, power):
        self.power = power
        self.fails = []
        self.state = None

    def save(self, state):
        self.power.step()
        if self.fails and self.fails.pop(0):
            raise OSError("full")
        self.state = copy.deepcopy(state)
        self.power.step()


class Judged(TwoWay):
    def _transmit(self, action):
        self.store.power.step()
        self.radio.action = action
        super()._transmit(action)
        self.store.power.step()


class Bench:
    """A meter with its power; lives: how often it was started."""

    def __init__(self, **how):
        self.how = how
        self.board = Board()
        self.store = Store(Power())
        self.ledger = Ledger()
        self.air = []  # (start, end, telegram, life)
        self.heard = []  # (end, Frame, life)
        self.executed = self.distinct = self.lives = 0
        self.counter = 100
        self.g = 0
        self.replays = []
        self.messages = {}
        self.start()

    def start(self):
        self.lives += 1
        state = self.store.state
        self.device = Device(
            [commands.Register(b"\x04", b"\x13", 6408, ("set",))], state=state and state["device"]
        )
        self.role = make(
            device=self.device, state=state, nominal_us=NOMINAL_US, period_us=PERIOD_US, **self.how
        )
        if state is None:
            self.role.access_number = 250  # it wraps soon
        self.store.power.left = None
        self.radio = Radio(self.board)
        self.radio.heard = self.take
        self.node = Judged(self.board, self.radio, self.role, self.store, state=state, ledger=self.ledger)
        self.node.step()

    def cut(self):
        self.executed += self.role.counters.get("executed", 0) - self.role.counters.get("rolled_back", 0)
        self.start()

    def take(self, telegram, sync_us, end_us, damage):
        if damage is not None:
            return
        try:
            frame = Frame(Sent("g", False, None, sync_us, end_us, end_us, telegram))
        except IndexError:  # it ends inside a field
            return
        self.heard.append((end_us, frame, self.lives))

    def run(self, until_us):
        while True:
            due_us = self.node.due_us
            if self.board.at_us >= until_us or due_us is None or due_us > until_us:
                break
            try:
                self.node.step(*self.board.wait(due_us, self.node.exact))
            except PowerCut:
                self.distinct += 1  # what was about to be stored may be executed when it comes again
                self.cut()
            self.look()
        self.board.at_us = max(self.board.at_us, until_us)

    def look(self):
        """What came on the air just now."""
        known = len([one for one in self.air if one[3] == self.lives])
        for start_us, end_us, action in self.radio.air[known:]:
            self.judge(start_us, end_us, action)
            self.air.append((start_us, end_us, bytes(action.telegram), self.lives))

    # --- the judge ---

    def judge(self, start_us, end_us, action):
        telegram = bytes(action.telegram)
        frame = Frame(Sent("m", True, None, start_us, end_us, end_us, telegram))
        assert frame.kind, telegram.hex()
        assert not self.air or self.air[-1][1] <= start_us
        assert action.until_us is None or action.at_us <= start_us <= action.until_us
        if frame.counter is not None:
            assert self.messages.setdefault(frame.counter, frame.message) == frame.message
        state = self.store.state
        assert state, "sent before anything was stored"
        if frame.kind in ANSWERS:
            self.answer(frame, start_us)
            stored = state["device"]["values"]
            assert not stored or stored[0][1] == self.device.registers[0].value
        elif frame.synchronous:
            self.slot(frame, start_us)
        elif frame.kind not in ("SND-IR", "ACC-DMD"):
            assert self.repeats(frame, start_us), frame.text
        assert self.role.credits.count >= 0

    def mine(self, start_us):
        return [
            (end_us, one) for end_us, one, life in self.heard if life == self.lives and end_us <= start_us
        ]

    def window(self, end_us, asked):
        """(from, to): when its answer may begin."""
        mode = self.how.get("mode", "C2")
        if mode == "C2":
            mode = "C2 fast" if asked.cc and asked.cc & 0x40 else "C2 slow"
        return [end_us + one // 1000 for one in WINDOW[mode]]

    def answer(self, frame, start_us):
        asked = [(end_us, one) for end_us, one in self.mine(start_us) if one.number == frame.number]
        assert asked, "nobody has asked"
        windows = [self.window(*one) for one in asked]
        if not any(first_us <= start_us <= last_us for first_us, last_us in windows):
            assert self.repeats(frame, start_us), (frame.text, start_us, asked[-1][0])
        for name in (frame.receiver, asked[-1][1].receiver):
            assert name is None or name in (GATEWAY.link_bytes(), METER.link_bytes(), OTHER.link_bytes())

    def repeats(self, frame, start_us):
        """In a cycle, whole periods behind something that was on the air, or should have been."""
        heard = self.mine(start_us)
        if not heard or start_us - heard[-1][0] > 30 * S:
            return False
        from_us = [(at_us, at_us) for at_us, _, _, life in self.air if life == self.lives]
        from_us += [self.window(*one) for one in heard]
        for first_us, last_us in from_us:
            if start_us - last_us > 40 * S:
                continue
            periods = (start_us - first_us + 1000) // PERIOD_US
            low_us = first_us + periods * PERIOD_US - 1000
            if periods > 0 and low_us <= start_us <= last_us + periods * PERIOD_US + 1000:
                return True
        return False

    def slot(self, frame, start_us):
        before = [
            (at_us, telegram)
            for at_us, _, telegram, life in self.air
            if life == self.lives and telegram[11] & 0x20
        ]
        if not before:
            return
        at_us, number = before[-1][0], before[-1][1][12]
        slots = 0
        while at_us < start_us - S:
            at_us += NOMINAL_US * (2048 + abs(number - 128) - 64) // 2048
            number = (number + 1) & 0xFF
            slots += 1
        assert abs(at_us - start_us) <= 1000 + slots and frame.number == number

    # --- what happens ---

    def happen(self, what, when, how):
        telegram = None
        self.g = self.g + 1 & 0xFF
        if what in ("SND-UD", "SND-UD2"):
            self.counter += 100
            self.distinct += 1
            data = b"\x04\x13" + (self.counter).to_bytes(4, "little")
            c_field = 0x53 if what == "SND-UD" else 0x43
            security = self.how.get("security", 7)
            telegram = command(data, self.counter, self.g, 0x5B, c_field, security, MASTER)
        elif what == "request":
            telegram = request(self.g, (0x5A, 0x5B, 0x7B, 0x40)[how % 4])
        elif what == "any":
            telegram = request(self.g, how)
        elif what == "own number":
            telegram = request(self.role.access_number, (0x00, 0x06)[how % 2])
        elif what == "other":
            telegram = bytearray(request(self.g, (0x53, 0x5B, 0x40, 0x43)[how % 4]))
            telegram[14 + how % 8] ^= 0x01  # the ALA of somebody else
            telegram = bytes(telegram)
        elif what == "tool":
            receiver = (METER, OTHER)[how & 1]
            telegram = link_telegram.build(
                (0x5B, 0x5A, 0x53, 0x4F)[how // 2 % 4], OTHER, extended.build(0x84, self.g, receiver)
            )
        elif what == "garbage":
            layer = bytes((GARBAGE[how % len(GARBAGE)], how, how * 7 & 0xFF)) + bytes(
                [how * i & 0xFF for i in range(how % 9 * 5)]
            )
            receiver = METER if how & 4 else None
            telegram = link_telegram.build(
                (0x53, 0x43, 0x5B, 0x4F)[how & 3], OTHER, extended.build(how, self.g, receiver) + layer
            )
        elif what == "short":
            telegram = bytearray(command(SHORT, 50 + how, self.g, 0x5B, receiver=METER))
            del telegram[22 + how % (len(telegram) - 22) :]
            telegram[0] = len(telegram) - 1
            telegram = bytes(telegram)
        elif what == "noise":
            telegram = bytes((12 + how % 20,)) + bytes([how * i * 7 + 5 & 0xFF for i in range(12 + how % 20)])
        elif what == "same" and self.replays:
            telegram = self.replays[-1 - how % len(self.replays)]
        elif what == "wait":
            self.run(self.board.at_us + how * how * 1000)
        elif what == "fates":
            self.radio.fates = [("sent", "late", "fault")[how // 3**i % 3] for i in range(4)]
        elif what == "duty":
            self.ledger.refuses = [bool(how >> i & 1) for i in range(5)]
        elif what == "store":
            self.store.fails = [bool(how >> i & 1) for i in range(5)]
        elif what == "cut":
            self.cut()
        elif what == "cut soon":
            self.store.power.left = how % 16
        elif what == "exhaust" and self.role.message_counter:
            self.role.message_counter.raise_to(LAST - how % 4)
        elif what == "install":
            self.role.install(self.board.at_us)
        elif what == "alarm":
            self.device.raise_alarm(1 + how % 8)
        elif what == "credits":
            self.role.credits.count = min(how, self.role.credits.count)
        elif what == "slow":
            self.board.late = lambda: how * how
        if telegram is None:
            return
        self.replays.append(telegram)
        sync_us = self.board.at_us + how * 50
        if when:
            for _ in range(60):
                window = self.role.access.window
                if window and self.board.at_us < window[0]:
                    break
                self.run(max(self.node.due_us or 0, self.board.at_us + 1))
            window = self.role.access.window or (sync_us, sync_us)
            sync_us = {
                "middle": (window[0] + window[1]) // 2,
                "first": window[0],
                "last": window[1],
                "before": window[0] - 1,
                "behind": window[1] + 1,
            }[when]
        sync_us = max(sync_us, self.board.at_us)
        self.radio.put(telegram, sync_us, sync_us + 500 + how * 40, how if what == "noise" else None)
        self.run(sync_us)


SHORT = b"\x04\x13\x07\x00\x00\x00"
# Of AFL, TPL with every kind of header, ELL in the wrong place, and none at all.
GARBAGE = (
    0x90,
    0x5B,
    0x53,
    0x72,
    0x7A,
    0x78,
    0x80,
    0x8A,
    0x8C,
    0x8E,
    0xC3,
    0xC0,
    0x60,
    0x50,
    0xA0,
    0xFF,
    0x00,
)
WHAT = ("garbage", "short")
WHAT += (
    "SND-UD",
    "SND-UD2",
    "request",
    "any",
    "own number",
    "other",
    "tool",
    "noise",
    "same",
    "wait",
    "fates",
)
WHAT += ("cut soon", "exhaust", "duty", "store", "cut", "install", "alarm", "credits", "slow")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(WHAT + ("request", "SND-UD2", "same", "wait")),
        st.sampled_from((None, "middle", "middle", "middle", "first", "last", "before", "behind")),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=30,
)
HOW = (
    {"mode": "C2", "security": 7},
    {"mode": "T2", "security": 7, "fillers": 2},
    {"mode": "S2", "security": 10},
    {"mode": "T2", "security": 5},
    {"mode": "C2", "security": 10, "access": UNLIMITED},
    {"mode": "T2", "security": 7, "access": UNLIMITED},
    {"mode": "S2", "security": 7, "access": LIMITED, "pause": True},
)


@pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(str(one) for one in how.values()))
@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_anything(how, events):
    bench = Bench(**how)
    bench.run(25 * S)
    for what, when, number in events:
        bench.happen(what, when, number)
    bench.radio.fates = bench.ledger.refuses = bench.store.fails = []
    bench.board.late = lambda: 0
    bench.role.credits.count = 4000
    bench.run(bench.board.at_us + 100 * S)
    # It is still there, in its slots.
    counter = bench.role.message_counter
    assert bench.board.at_us - bench.air[-1][0] < 31 * S or (counter and counter.value == LAST)
    bench.store.power.left = None
    bench.cut()
    if how["security"] != 5:
        assert bench.executed <= bench.distinct
