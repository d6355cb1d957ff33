"""A scripted meter without node and radio: what it hands out is on the air at the instant it wants, and the test is the gateway."""

from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.roles.actions import Deliver, Persist, Transmit
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.roles.scripted import Happened, Scripted
from omsnode.firmware.roles.scripted_rules import Rule
from omsnode.firmware.roles.window_meter import UNLIMITED, WindowMeter
from support_commands import KEYS, MASTER, METER, STORAGE, heard

SECOND = 1000000
VOLUME = b"\x04\x13"


class Air:
    """sent: (instant, telegram or None if it cannot be received, chips). happened: (fault, frame, instant)."""

    def __init__(self, role):
        self.role = role
        self.now_us = 0
        self.sent = []
        self.happened = []
        self.actions = []
        self._armed = None
        self._do(role.start(0))

    def _do(self, actions):
        for action in actions:
            self.actions.append(action)
            if isinstance(action, Deliver):
                if isinstance(action.reading, Happened):
                    self.happened.append(action.reading)
            elif isinstance(action, Transmit):
                assert self._armed is None, "one transmission at a time"
                if (action.at_us if action.until_us is None else action.until_us) < self.now_us:
                    event = radio.Event(radio.TOO_LATE, action.at_us)
                    self._do(self.role.feed(event, self.now_us))
                else:
                    self._armed = action

    def run(self, until_us, wall=None):
        for _ in range(100000):
            due_us = self.role.due_us
            fly = self._armed
            at_us = fly and fly.at_us if fly is None or fly.until_us is None else fly.at_us + 500
            if fly and (due_us is None or at_us <= due_us):
                if at_us > until_us:
                    self.now_us = max(self.now_us, until_us)
                    return
                self._armed = None
                self.now_us = at_us
                end_us = at_us + len(fly.chips) * 8 * 1000000 // modes.find(fly.mode).chip_rate_cps
                self.sent.append((at_us, received(fly), fly))
                self.now_us = end_us
                event = radio.Event(radio.SENT, at_us, end_us)
                self._do(self.role.feed(event, self.now_us, self.wall(wall)))
            elif due_us is not None and due_us <= until_us:
                self.now_us = max(self.now_us, due_us)
                self._do(self.role.tick(self.now_us, self.wall(wall)))
            else:
                self.now_us = max(self.now_us, until_us)
                return
        raise AssertionError("it never ends")

    def tell_in_window(self, telegram):
        """In the next window that has not begun; within 5 s."""
        until_us = self.now_us + 5 * SECOND
        while True:
            window = self.role.meter.access.window
            if window and self.role.crystal.outside(window[0]) >= self.now_us:
                break
            assert self.now_us < until_us, "there is no window"
            self.run(self.now_us + 1000)
        sync_us = self.role.crystal.outside(window[0]) + 1500
        self.run(sync_us + 8000)
        event = heard(telegram, sync_us + 8000)
        event.at_us = sync_us
        answer = self.role.reply(event, self.now_us)
        if answer:
            self._do([answer])
            self.run(answer.at_us + 1000)
        self._do(self.role.feed(event, self.now_us))

    def wall(self, wall):
        return None if wall is None else wall + self.now_us

    def tell(self, telegram, at_us=None):
        """A frame of the gateway that ends then."""
        if at_us is not None:
            self.run(at_us)
        self._do(self.role.feed(heard(telegram, self.now_us), self.now_us))

    @property
    def telegrams(self):
        return [one[1] for one in self.sent]

    def states(self):
        return [action.state for action in self.actions if isinstance(action, Persist)]


def received(transmit):
    """The telegram that a receiver makes of it, by the deframer and the CRCs of every reception; None if it refuses it."""
    row = modes.find(transmit.mode, transmit.direction)
    found = Deframer(row.family)
    sync = b"\x76\x96" if row.family == "S" else b"\x54\x3d"
    found.reset()
    if found.feed(transmit.chips[transmit.chips.index(sync) + 2 :]) != 0:
        return None
    try:
        return bytes(frame_a.strip(bytes(found.frame)))
    except Exception:
        return None


def profile(mode="C2", security_mode=7, nominal_us=60 * SECOND, with_ell=True, key=MASTER):
    registers = [Register(VOLUME[:1], VOLUME[1:], 12345, 1000000)]
    return Profile(
        METER,
        registers,
        mode=mode,
        nominal_us=nominal_us,
        key=key,
        security_mode=security_mode,
        with_ell=with_ell,
    )


def answering(*rules, security_mode=7, device=None):
    """A scripted meter that always listens, first slot at 40 s."""

    def make(state):
        entropy = bytes((9,)) + (40 * SECOND - 300000).to_bytes(4, "big")
        row = profile(security_mode=security_mode)
        return WindowMeter(row, entropy, KEYS, STORAGE, device, state, access=UNLIMITED)

    return Air(Scripted(make, rules))


def windowed(*rules, mode="C2", device=None, **how):
    """A scripted meter with windows behind its frames, first slot at 10 s."""

    def make(state):
        entropy = bytes((9,)) + (10 * SECOND - 300000).to_bytes(4, "big")
        return WindowMeter(profile(mode), entropy, KEYS, STORAGE, device, state, **how)

    return Air(Scripted(make, rules))


def sending(*rules, **how):
    """A scripted meter that only sends, in T1; first slot at 10 s."""
    how = dict({"mode": "T1", "security_mode": 5, "with_ell": False}, **how)

    def make(state):
        return Meter(profile(**how), bytes((9,)) + (10 * SECOND - 300000).to_bytes(4, "big"), state)

    return Air(Scripted(make, rules))


def rule(fault, on="telegram", nth=1, kind=None, hits=None, times=1, for_s=None, **values):
    return Rule(fault, values, on, nth, kind, hits, times, for_s and for_s * SECOND)
