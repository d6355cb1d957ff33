"""What a bidirectional meter sends by itself: SND-NR, ACC-NR and ACC-DMD in its slots, SND-IR and ACC-DMD
beside them (OMS Vol.2 4.3.2, 5.2.4; Annex N.7, N.10; link sheet 8.4, 8.7, 9.5, 9.6).

Place: upon commanded.py, below window_meter.py, which hands it out."""

from collections import namedtuple

from ..errors import MisuseError, StoreError
from ..link import access as windows
from ..link import control, credits, extended, timing
from ..phy import modes
from ..portable import const
from ..transport import ci
from .answers import DATA_CI, EMPTY_CI, finished
from .commanded import CommandedMeter
from .key_holder import MASTER
from .receiver import LIMITED, UNIDIRECTIONAL, UNLIMITED

LEAD_US = 120000  # a frame that has no window is handed to the radio so long before
CLOSED = 0x04  # B and A: bidirectional, no window now
_SECOND = const(1000000)
SLOT_US = 500  # a synchronous frame is a window of so much to either side: no host makes it early
_APART_US = 10000  # between a frame and the handing out of the next
_ROOM_US = 3000000  # between an asynchronous frame and the next slot
_DEMAND_US = 60000000  # an access demand is repeated
_TRANSFER = (2, 3, 5)  # states of application/image.py in which credits interrupt nothing (4.3.4)
_REGISTRATION = 190  # bytes that fit one telegram whatever protects it
_STATIC = 2  # content bits of the configuration field

OWN = "own"
# What is to be sent, or was handed to the radio. what: OWN or another word of window_meter. cc: CC field;
# without an ELL, the bits B and A.
Frame = namedtuple("Frame", ("what", "telegram", "at_us", "until_us", "cc"))


class Spontaneous(CommandedMeter):
    """The part of WindowMeter that speaks without being asked."""

    def __init__(
        self, profile, entropy, keys, storage_key, device, state, access, fast, fillers, pause, registration
    ):
        if access and profile.mode not in timing.RESPONSE_US:
            raise MisuseError(
                "access windows are known in modes S2, T2 and C2, not in {}".format(profile.mode)
            )
        if access and not profile.with_ell and (profile.mode == "C2" or profile.security_mode != 5):
            raise MisuseError("this meter needs an ELL")
        known = access in (UNIDIRECTIONAL, LIMITED, UNLIMITED)
        if not known or not 0 <= fillers <= 15:
            raise MisuseError("access or fillers out of range")
        if registration is not None and len(registration) > _REGISTRATION:
            raise MisuseError("the records of a SND-IR have at most {} bytes".format(_REGISTRATION))
        try:
            self.credits = credits.Credits(state and state.get("credits"), pause=pause)
        except MisuseError as error:
            raise StoreError(error.message, hint=error.hint)
        super().__init__(profile, entropy, keys, storage_key, device, state)
        self.rights = access
        self.fast = extended.FAST_RESPONSE if fast and access else 0
        self.fillers = fillers
        self.registration = registration
        self._turn = fillers  # slots since the last SND-NR
        self._installing = None  # [when the next SND-IR is due, end, how many were sent]
        self._demand_us = None  # when the next ACC-DMD is due
        # TPL access number of the last SND-IR: in mode 5 it makes the initialisation vector, and a start
        # begins elsewhere.
        self._number = entropy[-1]

    def _present(self, now_us, wall_us):
        image = getattr(self.device, "image", None)
        self.credits.held = image is not None and image.state in _TRANSFER
        return super()._present(now_us, wall_us)

    def install(self, now_us):
        """The button: SND-IR from now on, until a CNF-IR comes or an hour is over (link sheet 8.7)."""
        self._installing = [
            now_us + timing.INSTALLATION_FIRST_US // 60,
            now_us + timing.INSTALLATION_END_US,
            0,
        ]

    def telegram(self, wall_us=None):
        """What goes into the slot: SND-NR, or ACC-NR between two of them; ACC-DMD while an alarm waits."""
        profile = self.profile
        self._turn = self._turn + 1 if self._turn < self.fillers else 0
        wants = self._alarmed() and (self._turn or not profile.with_ell)
        if self._turn or wants:
            if wants:
                self._demand_us = self._now_us + _DEMAND_US
            return self._empty(control.ACC_DMD if wants else control.ACC_NR, True)
        status = profile.status
        profile.status |= self.device.status if self.device else 0
        try:
            return super().telegram(wall_us)
        finally:
            profile.status = status

    def _bits(self):
        """B, A and D at present."""
        if not self.rights:
            return 0
        if not self.credits.access(self._now_us, self._next_us()):
            return CLOSED
        return self.rights | self.fast

    def _next_us(self):
        """At most so long until the next slot."""
        return self.profile.nominal_us + self.profile.nominal_us // 31

    def _empty(self, c_field, synchronous):
        """ACC-NR and ACC-DMD. The one has a TPL only where nothing else names access number or meter (Table
        28)."""
        profile = self.profile
        out = bytearray((0, c_field)) + profile.address.link_bytes()
        bit = extended.SYNCHRONOUS if synchronous else 0
        if profile.with_ell:
            out += extended.build(bit, self.access_number)
        if c_field == control.ACC_DMD or profile.header == "long" or not profile.with_ell:
            status = self.device.status if self.device else profile.status & 3
            out += self._head(EMPTY_CI, self.access_number, status)
            if not profile.with_ell:
                out[-1] |= bit
        return finished(out)

    def _alarmed(self):
        return self.rights and self.device is not None and self.device.alarm() is not None

    def _own_us(self):
        """When the next frame beside the slots is due, or None. It needs room: its window is closed before
        the next slot."""
        if self.access.state not in (windows.REST, windows.ALWAYS) or self._pending:
            return None
        due_us = self._installing[0] if self._installing else None
        if not self._alarmed():
            self._demand_us = None
        elif self.profile.with_ell:
            at_us = self._now_us if self._demand_us is None else self._demand_us
            due_us = at_us if due_us is None else min(due_us, at_us)
        if due_us is None:
            return None
        slot_us = self._following_us()
        if slot_us is not None and slot_us - _ROOM_US < max(due_us, self._now_us):
            return slot_us + _ROOM_US
        return due_us

    def _following_us(self):
        """The next slot."""
        return self._slot.at_us + SLOT_US if self._slot else self._slot_us

    def _meets_slot(self, frame, chips):
        """Whether it would still be on the air when the next slot is handed to the radio."""
        slot_us = self._following_us()
        air_us = len(chips) * 8 * _SECOND // modes.find(self.profile.mode).chip_rate_cps
        return (
            slot_us is not None and (frame.until_us or frame.at_us) + air_us + _APART_US > slot_us - LEAD_US
        )

    def _own(self, wall_us):
        """(Frame or None, actions that come before it) at `_own_us`."""
        at_us = self._now_us + LEAD_US
        if (
            self.profile.with_ell
            and self._alarmed()
            and (self._demand_us is None or self._now_us >= self._demand_us)
        ):
            self._demand_us = self._now_us + _DEMAND_US
            return Frame(OWN, self._empty(control.ACC_DMD, False), at_us, None, 0), []
        installing = self._installing
        if self._now_us >= installing[1]:
            self._installing = None
            return None, []
        installing[2] += 1
        installing[0] = at_us + _wait_us(self.profile.address, installing[2])
        told = self._installation(wall_us)
        if told is None:
            return None, []
        telegram, persist = told
        return Frame(OWN, telegram, at_us, None, 0), [persist] if persist else []

    def _installation(self, wall_us):
        """SND-IR (Annex N.7): with an ELL, a TPL access number of its own."""
        profile = self.profile
        out = bytearray((0, control.SND_IR)) + profile.address.link_bytes()
        number = self.access_number
        if profile.with_ell:
            out += extended.build(0, number)
            number = self._number = (self._number + 1) & 0xFF
        secret, clear, content = self.registration, b"", _STATIC
        if secret is None:
            secret, clear = self._records(wall_us)
            content = 0
        return self._protected(out, DATA_CI, number, profile.status, secret, clear, MASTER, content)

    def _persist(self, ahead, covers):
        persist = super()._persist(ahead, covers)
        persist.state["credits"] = self.credits.export(self._now_us, self._next_us())
        return persist


def _wait_us(address, count):
    """From SND-IR number `count` to the next one: 30 to 60 s, another time for each, and for each meter; a
    slot may move it."""
    least, most = timing.INSTALLATION_REPEAT_US
    spread = sum(address.link_bytes()) * 37 + count * 101 & 0xFF
    return least + _SECOND + (most - least - 2 * _SECOND - 2 * _ROOM_US) * spread // 256


def marked(telegram, cc, repeated=False):
    """A telegram with these bits B, A and D in its CC field, or where it has none, B and A in the
    configuration field of its header. repeated: bit S is cleared."""
    if len(telegram) == 10:
        return telegram
    out = bytearray(telegram)
    at, mask = 11, 0xC4
    if not 0x8C <= telegram[10] <= 0x8F:
        kind = ci.row(telegram[10])[0]
        if kind == ci.NONE:
            return telegram
        at, mask = 22 if kind == ci.LONG else 14, 0xC0
        cc = cc & 0x80 | (cc & extended.ACCESSIBLE) << 4
    out[at] = out[at] & ~mask & (0xDF if repeated else 0xFF) | cc
    return bytes(out)


def number_of(telegram):
    """The access number of a telegram with an ELL or a header."""
    if 0x8C <= telegram[10] <= 0x8F:
        return telegram[12]
    return telegram[19 if ci.row(telegram[10])[0] == ci.LONG else 11]
