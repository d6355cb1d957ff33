"""The other side of a bidirectional meter, as a role: sends what a test gives it, in the windows of the meter, and keeps what it
hears. No queue, no retries, no decoding: a gateway is another matter."""

from omsnode.firmware.link import control, frame_a, timing
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.phy import framing, modes, radio
from omsnode.firmware.roles.actions import Listen, Transmit

_HOLD_US = 20000
_ARM_US = 10000


class Partner:
    """say: list of functions (telegram of the meter) -> telegram to answer it with, or None to let it pass and be asked about
    the next one; each is used once.

    heard: (at_us, end_us, telegram) of the meter. sent: (at_us, end_us, telegram). margins: of each, to the nearer edge of the
    window it belonged to, in us of this board's clock.
    """

    def __init__(self, mode, say=()):
        self.mode = mode
        self.say = list(say)
        self.heard = []
        self.sent = []
        self.margins = []
        self.missed = 0
        self.plan = []  # (at_us, telegram): whatever the meter does
        self.off_us = []  # the first ones leave so much beside their windows
        self.damage = []  # the first ones have this byte of theirs wrong
        self.counters = {}
        self.answers_in = ((mode, modes.DOWN),)
        self._next = self._armed = None

    def start(self, now_us):
        return [Listen("T+C" if self.mode == "T+C" else self.mode, modes.UP)]

    @property
    def due_us(self):
        due_us = self.plan[0][0] if self.plan else None
        return due_us if self._next is None else self._next.at_us - _ARM_US

    def tick(self, now_us, wall_us=None):
        if self.plan and self._next is None and now_us >= self.plan[0][0]:
            at_us, telegram = self.plan.pop(0)
            self._next = self._transmit(telegram, at_us + 2 * _ARM_US, at_us + 3 * _ARM_US)
        if self._next is None or now_us < self.due_us:
            return []
        self._armed, self._next = self._next, None
        return [self._armed]

    def reply(self, event, now_us):
        try:
            telegram = frame_a.strip(event.frame)
            link = link_telegram.parse(telegram)
        except Exception:
            return None
        if not control.name(link.c_field, True):
            return None
        cc = link.ell.cc if link.ell else 0x80
        self.heard.append((event.at_us, event.end_us, telegram))
        if not self.say or not cc & 0x80:
            return None
        answer = self.say[0](telegram)
        if answer is None:
            return None
        self.say.pop(0)
        at_us, until_us = timing.answering(self.mode, cc, event.end_us, modes.UP)
        if self.off_us:
            off_us = self.off_us.pop(0)
            at_us, until_us = at_us + off_us, until_us + off_us
        transmit = self._transmit(answer, at_us, until_us)
        if at_us - now_us > _HOLD_US:
            self._next = transmit
            return None
        self._armed = transmit
        return transmit

    def _transmit(self, telegram, at_us, until_us):
        frame = bytearray(frame_a.build(telegram))
        if self.damage:
            frame[self.damage.pop(0)] ^= 0x10
        chips = framing.chips(modes.find(self.mode, modes.DOWN), bytes(frame))
        return Transmit(self.mode, modes.DOWN, chips, at_us, telegram, until_us, 0)

    def feed(self, event, now_us, wall_us=None):
        if event.kind == radio.SENT:
            self.sent.append((event.at_us, event.end_us, self._armed.telegram))
            self.margins.append(min(event.at_us - self._armed.at_us, self._armed.until_us - event.at_us))
        elif event.kind in (radio.TOO_LATE, "refused"):
            self.missed += 1
        return []

    def stop(self):
        return []
