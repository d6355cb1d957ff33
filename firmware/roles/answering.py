"""A meter that listens between its slots and answers commands: the receiver of mode C2, always on (B A = 11).

Link sheet 8.2, 9. It runs on a Node of one direction: its answer is armed at once, and until that was sent it hears nothing. An
answer that was not heard is given again to the same access number. The meter with windows, window_meter.py, shares with it what stands above: commanded.py and asked.py.
"""

from ..link import timing
from ..phy import modes, radio
from .actions import REFUSED, Listen, Transmit
from .answers import ALWAYS
from .asked import who
from .commanded import CommandedMeter, Executed  # noqa: F401
from .meter import LEAD_US

MODE = "C2"
ACCESS_US = timing.CYCLE_END_US[1]  # an answer is remembered so long behind the last valid frame


class AnsweringMeter(CommandedMeter):
    """As CommandedMeter. More counters: repeated, ignored (not for us, or damaged)."""

    def __init__(self, profile, entropy, keys, storage_key, device=None, state=None):
        super().__init__(profile, entropy, keys, storage_key, device, state)
        self._answered = None  # (whose datagram, telegram) of the last answer
        self._answered_until_us = 0
        self._busy_until_us = None  # an answer is armed until then

    def start(self, now_us):
        """As a Meter; and listen, until the node ends."""
        return super().start(now_us) + [Listen(MODE, modes.DOWN)]

    def tick(self, now_us, wall_us=None):
        """As a Meter; a slot that meets an answer stays empty."""
        wall_us = self._present(now_us, wall_us)
        if self._slot_us is not None and self._busy_until_us is not None:
            # Slots do not move.
            if self._slot_us - LEAD_US <= self._busy_until_us and now_us >= self.due_us:
                self._next_slot()
                self._grow()
                self._count("skipped")
                return []
            if now_us > self._busy_until_us:
                self._busy_until_us = None
        return super().tick(now_us, wall_us)

    def feed(self, event, now_us, wall_us=None):
        """As a Meter; a frame may be a command: what it changed is to be persisted before its answer is transmitted."""
        if event.kind == radio.FRAME:
            wall_us = self._present(now_us, wall_us)
            asked = self._asked(event, now_us)
            return self._frame(asked, wall_us) if asked else []
        if event.kind == REFUSED and event.code == "persist":
            self._answered = self._busy_until_us = None
            self._rollback()
        if event.kind == radio.SENT and self._busy_until_us is not None:
            self._told()
        if event.kind != radio.REJECTED:
            super().feed(event, now_us, wall_us)
        return []

    def telegram(self, wall_us=None):
        """As a Meter; its ELL says that it always listens."""
        out = bytearray(super().telegram(wall_us))
        if out[10] == 0x8C:
            out[11] |= ALWAYS
        return bytes(out)

    def _frame(self, asked, wall_us):
        if asked.kind in ("ACK", "CNF-IR"):
            self._count("ignored")
            return []
        if asked.end_us > self._answered_until_us:
            self._answered = None
        self._answered_until_us = asked.end_us + ACCESS_US
        if asked.kind == "SND-NKE" or asked.number is None:
            self._answered = None
            return []
        if self._answered and self._answered[0] == who(asked):
            self._count("repeated")
            return self._transmit(self._answered[1], asked)
        actions, telegram = self._answer_to(asked, wall_us)
        if telegram is None:
            return actions
        self._answered = (who(asked), telegram)
        return actions + self._transmit(telegram, asked)

    def _transmit(self, telegram, asked):
        cc = asked.link.ell.cc if asked.link.ell else 0
        at_us = asked.end_us + timing.delay(self.profile.mode, cc)[1]
        self._busy_until_us = at_us + LEAD_US
        return [Transmit(self.profile.mode, modes.UP, self._chips(telegram), at_us, telegram, None)]
