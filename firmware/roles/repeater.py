"""The unidirectional repeater: what meters say is said once more, 5 to 25 s later (OMS Vol.2 5.2.5; link sheet 10).

Loops cannot be: what is repeated had no hop bit and has it then (hop.py), and with it no repeater takes it. A telegram that is
heard again within a minute is repeated once (waiting.py): a neighbour may say it without its hop bit. Between two repeaters
that hear the same meter random delays decide.

Beside that the repeater is a meter of its own, of device type 32: its management data keep the synchronous schedule of any
meter, well within the 240 min that are wanted. They come first; air time is kept for them (budget.py).

One transmission is armed at a time; the table at the end says what follows what.
"""

from hashlib import sha256

from ..errors import OmsError
from ..link import control, frame_a, frame_b
from ..link.timing import REPEATER_NKE_US, REPEATER_US
from ..phy import framing, modes, radio
from . import hop, link_reset
from .actions import REFUSED, Listen, Persist, Transmit
from .meter import Profile, Register
from .waiting import DATA, INSTALLATION, LINK_RESET, Job, Waiting

DEVICE_TYPE = 0x32  # unidirectional repeater

# A window (phy/radio.py), because the radio does not listen from the moment it is armed for one instant.
_LEAD_US = 10000
_WIDE_US = 20000
_AGAIN_US = 100000  # between two attempts at one transmission
_ROOM_US = 600000  # no repetition is begun so shortly before something of our own is due
_ANSWER_US = 2000000  # the radio tells what became of a transmission within this time behind its end
_OWN = "own"  # why a telegram is not repeated, beside the reasons of hop.py: it is one of ours


def management(address, mode="C1", nominal_us=900000000):
    """Profile of the meter that a repeater is: minutes since it was first switched on, and error flags. address: with device
    type 32. mode: the one to send in."""
    on_time = Register(b"\x04", b"\x21", 0, nominal_us // 60)
    flags = Register(b"\x02", b"\xfd\x17", 0)
    with_ell = modes.find(mode).family == "C"
    return Profile(address, [on_time, flags], mode=mode, nominal_us=nominal_us, with_ell=with_ell)


class Repeater:
    """own: Meter with the profile of `management`. entropy: at least 4 random bytes. mode: what to listen to; what was heard
    is repeated in the mode and frame format it came in. budget: Budget that is the ledger of the node, too; None: only the node
    watches the duty cycle. carries: function of a stream of chips, False if the radio cannot send so many; None: it can send
    any. state: what was stored last, as `own` got it.

    counters: frames (heard), repeated, link_resets (SND-NKE), duplicates, `ignored.<reason of hop.py>`, `ignored.own`,
    `rejected.<code>` and `dropped.<why>`: queue, late, duty_cycle, memory, too_long, persist, radio; `own`: those of the Meter.
    """

    def __init__(self, own, entropy, mode=modes.T_AND_C, budget=None, carries=None, state=None):
        self.own = own
        self.mode = mode
        self.budget = budget
        self.carries = carries
        self.counters = {"frames": 0, "repeated": 0, "own": own.counters}
        self.state = LISTENING
        self.waiting = Waiting()
        # No two repeaters have it in common, even if their entropy is the same.
        self._salt = sha256(entropy + own.profile.address.link_bytes()).digest()
        self._number = self._salt[0]  # access number of SND-NKE
        self._stored = state or {}  # of `own`: what is written with the duty cycle
        self._armed = None  # Job that is armed, None for the management data
        self._until_us = None  # when to stop waiting for what became of it
        self._not_before_us = 0  # repetitions wait until something of our own was sent

    def start(self, now_us):
        """Listen, until the node ends."""
        return [Listen(self.mode, modes.UP)] + self.own.start(now_us)

    def stop(self):
        """An orderly end: the management data go on behind it."""
        if self.budget:
            self.budget.closed = True
        return self.own.stop()

    @property
    def due_us(self):
        if self.state == SENDING:
            return self._until_us
        due_us = self.own.due_us
        first_us = self.waiting.first_us()
        if first_us is None:
            return due_us
        at_us = max(first_us - _LEAD_US, self._not_before_us)
        if due_us is None:
            return at_us
        return at_us if at_us + _ROOM_US < due_us else due_us

    def tick(self, now_us, wall_us=None):
        """At `due_us`."""
        if self.state == SENDING:
            return self._step(TIMEOUT, None, now_us) if now_us >= self._until_us else []
        due_us = self.due_us
        return self._step(DUE, wall_us, now_us) if due_us is not None and due_us <= now_us else []

    def feed(self, event, now_us, wall_us=None):
        """event: of the radio driver, or REFUSED by the node."""
        if event.kind == radio.FRAME:
            self._heard(event)
        elif event.kind == radio.REJECTED:
            self._count("rejected." + event.error.code)
        elif self.state == SENDING and (SENDING, event.kind) in _TABLE:
            if self._armed is None:
                self.own.feed(event, now_us, wall_us)
            return self._step(event.kind, event, now_us)
        elif event.kind == REFUSED:
            self.own.feed(event, now_us, wall_us)
        return []

    # --- hearing ---

    def _heard(self, event):
        self.counters["frames"] += 1
        try:
            strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
            telegram = strip(event.frame)
        except OmsError as error:
            self._count("rejected." + error.code)
            return
        place = hop.find(telegram)
        if telegram[2:10] == self.own.profile.address.link_bytes():
            place = _OWN
        if not isinstance(place, tuple):
            self._count("ignored." + place)
            return
        at_us = event.end_us or event.at_us
        draw = self._draw(telegram)
        key = draw[:8]
        if self.waiting.knows(key, at_us):
            self._count("duplicates")
            return
        job = Job(
            INSTALLATION if telegram[1] == control.SND_IR else DATA,
            key,
            telegram[2:10],
            hop.make(event.frame, event.frame_format, place),
            event.frame_format,
            event.family + "1" if self.mode == modes.T_AND_C else self.mode,
            modes.UP,
            _between(REPEATER_US, at_us, draw),
            at_us + REPEATER_US[1],
            (telegram, event.rssi_dbm),
        )
        self._wait(job)

    def _draw(self, telegram):
        """32 bytes that nobody else has for this telegram."""
        return sha256(self._salt + telegram).digest()

    def _wait(self, job):
        if self.waiting.add(job):
            self._count("dropped.queue")

    # --- sending ---

    def _step(self, name, what, now_us):
        """One line of the table. what: wall clock for DUE, the event for what became of a transmission."""
        self.state, action = _TABLE[self.state, name]
        return action(self, what, now_us) or []

    def _arm(self, wall_us, now_us):
        """The management data if they are due, else the most urgent of what is; LISTENING again if that comes to nothing."""
        due_us = self.own.due_us
        self._armed = None
        if due_us is not None and due_us <= now_us:
            actions = self.own.tick(now_us, wall_us)
        elif due_us is not None and now_us + _ROOM_US > due_us:
            self._not_before_us = due_us
            actions = []
        else:
            actions = self._repeat(now_us)
        self.state = LISTENING
        for one in actions:
            if isinstance(one, Persist):
                self._stored = one.state
            elif isinstance(one, Transmit):
                self.state = SENDING
                self._until_us = one.at_us + _ANSWER_US
        return actions

    def _repeat(self, now_us):
        while True:
            job = self.waiting.take(now_us + _LEAD_US)
            if job is None:
                return []
            at_us = max(job.at_us, now_us + _LEAD_US)
            row = modes.find(job.mode, job.direction)
            chips = framing.chips(row, job.frame, job.frame_format)
            air_us = len(chips) * 8 * 1000000 // row.chip_rate_cps
            why = self._why_not(job, row.frequency_hz, chips, air_us, at_us)
            if why is None:
                break
            self._count("dropped." + why)
        self._armed = job
        telegram = (frame_b if job.frame_format == "B" else frame_a).strip(job.frame)
        actions = [Transmit(job.mode, job.direction, chips, at_us, telegram, at_us + _WIDE_US, 0)]
        if self.budget and not self.budget.covers(row.frequency_hz, air_us):
            actions.insert(0, Persist(self._stored, 1))
        return actions

    def _why_not(self, job, frequency_hz, chips, air_us, at_us):
        """Why it is not sent, or None."""
        if at_us + _WIDE_US > job.until_us:
            return "late"
        if self.carries and not self.carries(chips):
            return "too_long"
        if self.budget:
            lately = job.rank != LINK_RESET and self.waiting.lately(job.meter, at_us)
            if not self.budget.allows(frequency_hz, air_us, at_us, lately):
                return "duty_cycle"
        return None if self.waiting.remember(job.key, at_us) else "memory"

    def _done(self, event, now_us):
        """It was sent."""
        job, self._armed = self._armed, None
        if job is None:
            return
        if job.rank == LINK_RESET:
            self._count("link_resets")
            return
        self._count("repeated")
        self.waiting.serve(job.meter, event.at_us)
        if job.rank == INSTALLATION:
            self._wait(self._link_reset(job, event.end_us))

    def _link_reset(self, job, since_us):
        """SND-NKE 2 to 5 s behind the repetition of a SND-IR."""
        self._number = self._number + 1 & 0xFF
        telegram = link_reset.build(self.own.profile.address, *job.heard, self._number)
        return Job(
            LINK_RESET,
            None,
            job.meter,
            frame_a.build(telegram),
            "A",
            modes.find(job.mode, job.direction).family + "2",
            modes.DOWN,
            _between(REPEATER_NKE_US, since_us, self._draw(telegram)),
            since_us + REPEATER_NKE_US[1],
        )

    def _again(self, event, now_us):
        """Too late for the radio: once more, as long as it is allowed."""
        job, self._armed = self._armed, None
        if job is not None:
            job.at_us = now_us + _AGAIN_US
            self._wait(job)

    def _drop(self, event, now_us):
        """Refused, or nobody said what became of it."""
        job, self._armed = self._armed, None
        if event and event.code == "persist" and self.budget:
            self.budget.uncover()
        if job is not None:
            self._count("dropped." + (event.code if event else "radio"))

    def _count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1


def _between(least_most_us, since_us, draw):
    """A random instant, a little before the end so that it is met even if another one is on the air then."""
    least_us, most_us = least_most_us
    return since_us + least_us + int.from_bytes(draw[8:12], "big") % (most_us - least_us - 2 * _ROOM_US)


LISTENING = "listening"
SENDING = "sending"  # armed or on the air
DUE = "due"
TIMEOUT = "timeout"

_TABLE = {
    (LISTENING, DUE): (SENDING, Repeater._arm),
    (SENDING, radio.SENT): (LISTENING, Repeater._done),
    (SENDING, radio.TOO_LATE): (LISTENING, Repeater._again),
    (SENDING, REFUSED): (LISTENING, Repeater._drop),
    (SENDING, TIMEOUT): (LISTENING, Repeater._drop),
}
