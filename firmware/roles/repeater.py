"""The unidirectional repeater: what meters say is said once more, 5 to 25 s later (OMS Vol.2 5.2.5; link sheet 10).

Loops cannot be: what is repeated had no hop bit and has it then (hop.py), and with it no repeater takes it. A telegram that is
heard again within a minute is repeated once. Between two repeaters that hear the same meter random delays decide.

Beside that the repeater is a meter of its own, of device type 32: its management data keep the synchronous schedule of any
meter, well within the 240 min that are wanted. They come first. Air time is short: a part of the hour is kept for them, another
for meters that were not repeated lately, so that one that talks all the time does not silence the others.

One transmission is armed at a time; the table at the end says what follows what.
"""

from hashlib import sha256

from ..errors import DutyCycleError, OmsError
from ..link import control, extended, frame_a, frame_b
from ..link import telegram as link_telegram
from ..link.address import Address
from ..link.timing import REPEATER_NKE_US, REPEATER_US
from ..phy import framing, modes, radio
from ..phy.duty_cycle import SUB_BANDS, sub_band
from ..portable import const
from ..transport import compose, header
from . import hop
from .actions import REFUSED, Listen, Transmit
from .meter import Profile, Register

DEVICE_TYPE = 0x32  # unidirectional repeater
WINDOW_US = 60000000  # within which a telegram is the same one again: longer than any delay
_RECENT = 128  # telegrams remembered for that
QUEUE = 32  # transmissions that wait
_METERS = 256  # of which is remembered when they were repeated
_LATELY_US = 900000000  # t_NOM of modes T and C at the longest

# A window (phy/radio.py), because the radio does not listen from the moment it is armed for one instant.
_LEAD_US = 10000
_WIDE_US = 20000
_AGAIN_US = 100000  # between two attempts at one transmission
_ROOM_US = 600000  # no repetition is begun so shortly before something of our own is due
_ANSWER_US = 2000000  # the radio tells what became of a transmission within this time behind its end
_OWN_SHARE = 32  # this part of the duty cycle is kept for management data, and of it
_OTHERS_SHARE = 4  # this for meters that were not repeated lately

_AFL = b"\x90"
_NO_DATA_DOWN = const(0x80)  # CI: long header and nothing behind it

# Rank of what waits: SND-NKE tells an installer at the meter that it is heard.
_LINK_RESET = const(0)
_INSTALLATION = const(1)
_DATA = const(2)


def management(address, mode="C1", nominal_us=900000000):
    """Profile of the meter that a repeater is: minutes since it was first switched on, and error flags. address: with device
    type 32. mode: the one to send in."""
    on_time = Register(b"\x04", b"\x21", 0, nominal_us // 60)
    flags = Register(b"\x02", b"\xfd\x17", 0)
    with_ell = modes.find(mode).family == "C"
    return Profile(address, [on_time, flags], mode=mode, nominal_us=nominal_us, with_ell=with_ell)


class _Job:
    """One transmission that waits. at_us, until_us: when its first chip is to leave, and when it is too late."""

    def __init__(self, rank, meter, frame, frame_format, mode, direction, at_us, until_us, heard):
        self.rank = rank
        self.meter = meter  # link bytes of the sender that is repeated
        self.frame = frame
        self.frame_format = frame_format
        self.mode = mode
        self.direction = direction
        self.at_us = at_us
        self.until_us = until_us
        self.heard = heard  # telegram without CRCs as it was heard, and its level in dBm or None


class Repeater:
    """own: Meter with the profile of `management`. entropy: at least 4 random bytes. mode: what to listen to; what was heard
    is repeated in the mode and frame format it came in. ledger: the Ledger of the node; None: only the node watches it.
    carries: function of a stream of chips, False if the radio cannot send so many; None: it can send any.

    counters: frames (heard), repeated, link_resets (SND-NKE), duplicates, `ignored.<reason of hop.py>`, `rejected.<code>` and
    `dropped.<why>`: queue, late, duty_cycle, too_long, radio; `own`: those of the Meter.
    """

    def __init__(self, own, entropy, mode=modes.T_AND_C, ledger=None, carries=None):
        self.own = own
        self.mode = mode
        self.ledger = ledger
        self.carries = carries
        self.counters = {"frames": 0, "repeated": 0, "own": own.counters}
        self.state = LISTENING
        self.queue = []
        self._seed = int.from_bytes(entropy[:4], "big") | 1
        self._number = entropy[0]  # access number of SND-NKE
        self._armed = None  # _Job that is armed, None for the management data
        self._until_us = None  # when to stop waiting for what became of it
        self._not_before_us = 0  # repetitions wait until something of our own was sent
        self._recent = [None] * _RECENT  # ring of (key, at_us)
        self._next = 0
        self._served = {}  # meter: when it was repeated last

    def start(self, now_us):
        """Listen, until the node ends."""
        return [Listen(self.mode, modes.UP)] + self.own.start(now_us)

    def stop(self):
        """An orderly end: the management data go on behind it."""
        return self.own.stop()

    @property
    def due_us(self):
        if self.state == SENDING:
            return self._until_us
        due_us = self.own.due_us
        job = self._first()
        if job is None:
            return due_us
        at_us = max(job.at_us - _LEAD_US, self._not_before_us)
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
        if not isinstance(place, tuple):
            self._count("ignored." + place)
            return
        at_us = event.end_us or event.at_us
        key = sha256(event.family.encode() + telegram).digest()[:8]
        if self._seen(key, at_us):
            self._count("duplicates")
            return
        job = _Job(
            _INSTALLATION if telegram[1] == control.SND_IR else _DATA,
            telegram[2:10],
            hop.make(event.frame, event.frame_format, place),
            event.frame_format,
            event.family + "1" if self.mode == modes.T_AND_C else self.mode,
            modes.UP,
            self._between(REPEATER_US, at_us),
            at_us + REPEATER_US[1],
            (telegram, event.rssi_dbm),
        )
        self._wait(job)

    def _seen(self, key, at_us):
        for entry in self._recent:
            if entry and entry[0] == key and at_us - entry[1] < WINDOW_US:
                return True
        self._recent[self._next] = (key, at_us)
        self._next = (self._next + 1) % _RECENT
        return False

    def _wait(self, job):
        """Put it into the queue. If that is full, the meter goes that was repeated last."""
        self.queue.append(job)
        if len(self.queue) > QUEUE:
            worst = job
            for one in self.queue:
                if self._urgency(one) > self._urgency(worst):
                    worst = one
            self.queue.remove(worst)
            self._count("dropped.queue")

    def _urgency(self, job):
        return job.rank, self._served.get(job.meter, -_LATELY_US)

    def _between(self, least_most_us, since_us):
        """A random instant, a little before the end so that it is met even if another one is on the air then."""
        least_us, most_us = least_most_us
        return since_us + least_us + self._random() % (most_us - least_us - 2 * _ROOM_US)

    def _random(self):
        """32 bits that two repeaters do not have in common (xorshift)."""
        x = self._seed
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self._seed = x
        return x

    # --- sending ---

    def _step(self, name, what, now_us):
        """One line of the table. what: wall clock for DUE, the event for what became of a transmission."""
        self.state, action = _TABLE[self.state, name]
        return action(self, what, now_us) or []

    def _first(self):
        found = None
        for job in self.queue:
            if found is None or job.at_us < found.at_us:
                found = job
        return found

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
        transmits = [one for one in actions if isinstance(one, Transmit)]
        if transmits:
            self._until_us = transmits[0].at_us + _ANSWER_US
        else:
            self.state = LISTENING
        return actions

    def _repeat(self, now_us):
        while True:
            due = [job for job in self.queue if job.at_us - _LEAD_US <= now_us]
            if not due:
                return []
            job = due[0]
            for one in due:
                if (one.rank, one.at_us) < (job.rank, job.at_us):
                    job = one
            self.queue.remove(job)
            at_us = max(job.at_us, now_us + _LEAD_US)
            row = modes.find(job.mode, job.direction)
            chips = framing.chips(row, job.frame, job.frame_format)
            why = self._why_not(job, row, chips, at_us)
            if why is None:
                self._armed = job
                strip = frame_b.strip if job.frame_format == "B" else frame_a.strip
                return [Transmit(job.mode, job.direction, chips, at_us, strip(job.frame), at_us + _WIDE_US)]
            self._count("dropped." + why)

    def _why_not(self, job, row, chips, at_us):
        """Why it is not sent, or None."""
        if at_us > job.until_us:
            return "late"
        if self.carries and not self.carries(chips):
            return "too_long"
        if self.ledger:
            air_us = len(chips) * 8 * 1000000 // row.chip_rate_cps
            hour_us = 3600000 * SUB_BANDS[sub_band(row.frequency_hz)][2]
            kept_us = hour_us // _OWN_SHARE
            served_us = self._served.get(job.meter)
            if job.rank == _DATA and served_us is not None and at_us - served_us < _LATELY_US:
                kept_us += hour_us // _OTHERS_SHARE
            try:
                self.ledger.check(row.frequency_hz, air_us + kept_us, at_us)
            except DutyCycleError:
                return "duty_cycle"
        return None

    def _done(self, event, now_us):
        """It was sent."""
        job, self._armed = self._armed, None
        if job is None:
            return
        if job.rank == _LINK_RESET:
            self._count("link_resets")
            return
        self._count("repeated")
        self._serve(job.meter, event.at_us)
        if job.rank == _INSTALLATION:
            self._wait(self._link_reset(job, event.end_us))

    def _serve(self, meter, at_us):
        if meter not in self._served and len(self._served) >= _METERS:
            oldest = min(self._served, key=self._served.get)
            del self._served[oldest]
        self._served[meter] = at_us

    def _link_reset(self, job, since_us):
        """SND-NKE 2 to 5 s behind the repetition of a SND-IR: who installs the meter learns that it is repeated, and how
        strong it is heard here."""
        heard, level_dbm = job.heard
        family = modes.find(job.mode, job.direction).family
        self._number = self._number + 1 & 0xFF
        status = 0 if level_dbm is None else min(63, max(1, (level_dbm + 130) // 2))
        payload = compose.build(_NO_DATA_DOWN, self._number, status, 0, _meter(heard))
        if 0x8C <= heard[10] <= 0x8F:
            payload = extended.build(0, self._number) + payload
        telegram = link_telegram.build(control.SND_NKE, self.own.profile.address, payload)
        return _Job(
            _LINK_RESET,
            job.meter,
            frame_a.build(telegram),
            "A",
            family + "2",
            modes.DOWN,
            self._between(REPEATER_NKE_US, since_us),
            since_us + REPEATER_NKE_US[1],
            None,
        )

    def _again(self, event, now_us):
        """Too late for the radio: once more, as long as it is allowed."""
        job, self._armed = self._armed, None
        if job is not None:
            job.at_us = now_us + _AGAIN_US
            self.queue.append(job)

    def _drop(self, event, now_us):
        """Refused, or nobody said what became of it."""
        job, self._armed = self._armed, None
        if job is not None:
            self._count("dropped." + (event.code if event else "radio"))

    def _count(self, name):
        self.counters[name] = self.counters.get(name, 0) + 1


def _meter(telegram):
    """Address of the meter of a telegram: of its long header, else the sender."""
    try:
        link = link_telegram.parse(telegram)
        offset = link.offset
        if telegram[offset : offset + 1] == _AFL:
            offset += 2 + int.from_bytes(telegram[offset + 1 : offset + 2], "little")
        if not (link.ell and link.ell.encrypted):
            return header.parse(telegram, offset).address or link.address
    except OmsError:  # a layer above those that the link CRCs vouch for
        pass
    return Address.from_link(telegram[2:10])


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
