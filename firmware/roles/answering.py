"""A meter that listens between its slots and answers commands: the receiver of mode C2, always on (B A = 11).

Link sheet 8.2, 9. It runs on a Node of one direction: its answer is armed at once, and until that was sent it hears nothing. An
answer that was not heard is given again to the same access number. The meter with windows is window_meter.py.
"""

from ..errors import OmsError
from ..link import control, frame_a, frame_b, timing
from ..link import telegram as link_telegram
from ..phy import modes, radio
from ..transport import authentication, header
from .actions import REFUSED, Listen, Transmit
from .answers import ALWAYS, Asked, who
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

    def _asked(self, event, now_us, counted=True):
        """The frame, if it is whole and for this meter, as Asked; None is counted."""
        try:
            strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
            asked = self._read(strip(event.frame), event.at_us, event.end_us or now_us)
        except OmsError:
            asked = None
        if asked is None and counted:
            self._count("ignored")
        return asked

    def _read(self, raw, at_us, end_us):
        """The filters of OMS Vol.2 3.1.3: a receiver or an application address other than ours is not for us."""
        link = link_telegram.parse(raw)
        if link.address.link_bytes() == self.profile.address.link_bytes():
            return None  # what we said, said again
        kind = control.name(link.c_field, False)
        if kind is None and (control.name(link.c_field, True) or not link.c_field & 0x40):
            return None  # what another meter says
        if kind == "SND-UD3":
            return None
        afl, at = authentication.parse_if_any(raw, link.offset)
        ours = link.ell is not None and link.ell.receiver is not None
        if ours and link.ell.receiver.link_bytes() != self.profile.address.link_bytes():
            return None
        later = afl is not None and afl.fragment_id > 1  # its message began in another telegram
        tpl = None if later or at == len(raw) else header.parse(raw, at)
        if tpl and tpl.address:
            ours = tpl.address.tpl_bytes() == self.profile.meter_address.tpl_bytes()
        if not ours:
            return None
        number = link.ell.access_number if link.ell else tpl.access_number if tpl else None
        return Asked(kind, raw, link, afl, tpl, number, at_us, end_us)

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

    def _told(self):
        """An answer was sent: the alarm that it told is over."""
        if self._alarm and self.device:
            self.device.alarm_sent(self._alarm)
        self._alarm = None
