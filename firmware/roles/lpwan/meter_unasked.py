"""What a burst meter says unasked: SND-NR, ACC-NR and ACC-DMD in its slots, SND-IR and ACC-DMD beside them, and what of it
credits allow (OMS Vol. 2 4.3.2, 4.3.4, 5.2.4; LPWAN sheet 11.4, 11.5, 21).

Place: upon commanded.py, below meter.py, which says when. The telegrams are those of every meter without ELL; what does not fit
one MAC frame becomes fragments, each a telegram of its own.
"""

from ...application import sitp_blocks as sitp
from ...errors import MisuseError, StoreError
from ...link import control, credits, timing
from ...link.lpwan import credits as rows
from ...phy import modes
from ...phy.burst import timing as bursts
from ..answers import ACD, DATA_CI, EMPTY_CI, finished
from ..commanded import CommandedMeter
from ..key_holder import MASTER
from . import meter_frames as frames
from .meter_way import bases

MAC_KEY = 0x0F  # KeyID
_SECOND = 1000000
_DEMAND_US = 60000000  # an access demand is repeated
_TRANSFER = (2, 3, 5)  # states of application/image.py in which credits interrupt nothing (4.3.4)
_REGISTRATION = 190  # bytes that fit one telegram whatever protects it
_CLOCK, _CLOCK_SHORT = 0x6C, 0x62  # CI: clock synchronisation; the short header is for OMS LPWAN only
_STATIC = 2  # content bits of the configuration field


class Unasked(CommandedMeter):
    """The part of BurstMeter that speaks without being asked."""

    secured_ci = (sitp.COMMAND, 0xC6)  # with a short header: OMS LPWAN only

    def __init__(
        self, profile, declared, entropy, keys, storage_key, device, state, fillers, pause, registration
    ):
        names = modes.find(profile.mode).sync
        if "B" not in names or not profile.mode.startswith("UL-B") or profile.with_ell:
            raise MisuseError("a burst meter has a burst sub-mode, frame format B and no ELL")
        if not 0 <= fillers <= 15 or (registration is not None and len(registration) > _REGISTRATION):
            raise MisuseError("fillers, or the records of a SND-IR, are too many")
        self.declared = declared
        self.way = declared.way
        self._wanted_us = profile.nominal_us
        try:
            self.credits = credits.Credits(state and state.get("credits"), pause=pause)
        except MisuseError as error:
            raise StoreError(error.message, hint=error.hint)
        super().__init__(profile, entropy, keys, storage_key, device, state)
        self.fillers = fillers
        self.registration = registration
        self._turn = fillers  # slots since the last SND-NR
        self._installing = None  # [when the next SND-IR is due, end, how many were sent]
        self._demand_us = None  # when the next ACC-DMD is due
        # TPL access number of the last SND-IR: in mode 5 it makes the initialisation vector, so no start repeats another.
        self._number = entropy[-1]
        self._reserved = 0  # bytes of the MAC body that goes with what is being composed
        self._on_way()

    def _on_way(self):
        """What follows from the uplink sub-mode (sheet 11.4, 21)."""
        row = rows.row(self.way.uplink)
        self.profile.nominal_us = min(self._wanted_us, bursts.t_nom_most(bases(self.way.uplink)[0]))
        self.credits.gain_us = row.gain_us
        self.credits.no_access_us = row.no_access_us
        # With long spacing only, a response is kept longer (Q.2.4.6.1.2).
        long = self.way.coding == "multi" and self.declared.spacing == 2 and self.way.uplink != "UL-B4"
        self.response_us = bursts.RESPONSE_KEPT_LONG_US if long else bursts.RESPONSE_KEPT_US

    def install(self, now_us):
        """The button: SND-IR from now on, until a CNF-IR comes or an hour is over."""
        self._installing = [
            now_us + timing.INSTALLATION_FIRST_US // 60,
            now_us + timing.INSTALLATION_END_US,
            0,
        ]

    # --- link layers: see roles/answers.py ---

    def _link(self, c_field, asked, named=False):
        waiting = self.device is not None and self._alarm is None and self.device.alarm() is not None
        return bytearray((0, c_field | ACD if waiting else c_field)) + self.profile.address.link_bytes()

    def _splits(self, asked):
        return True

    def _room(self):
        return frames.room(self.declared.longest, self._reserved)

    def _piece(self):
        return self._room() - frames.AFL_MOST

    def _fits(self, whole, asked):
        return frames.upper(whole) <= self._room()

    def _in_parts(self, out, payloads, asked):
        self._parts = [finished(bytearray(out) + one) for one in payloads]
        return self._parts.pop(0)

    def _all_parts(self, telegram):
        """What an answer or a SND-NR became: a list of telegrams."""
        parts, self._parts = self._parts or [], None
        return [telegram] + parts

    def _key_for(self, address, key_id=MASTER, version=None):
        return None if key_id == MAC_KEY else super()._key_for(address, key_id, version)

    def _execute(self, tpl, opened):
        if tpl.ci == _CLOCK_SHORT:
            tpl.ci = _CLOCK
        return super()._execute(tpl, opened)

    # --- telegrams ---

    def _present(self, now_us, wall_us):
        image = getattr(self.device, "image", None)
        self.credits.held = image is not None and image.state in _TRANSFER
        return super()._present(now_us, wall_us)

    def _spoken(self, wall_us):
        """What goes into a slot: ([telegrams], Persist or None), or None at the end of the message counter."""
        self._turn = self._turn + 1 if self._turn < self.fillers else 0
        if self._turn:
            demands = self._alarmed()
            if demands:
                self._demand_us = self._now_us + _DEMAND_US
            return [self._empty(control.ACC_DMD if demands else control.ACC_NR)], None
        profile = self.profile
        out = bytearray((0, control.SND_NR)) + profile.address.link_bytes()
        status = profile.status | (self.device.status if self.device else 0)
        secret, clear = self._records(wall_us)
        told = self._protected(out, DATA_CI, self.access_number, status, secret, clear)
        return told and (self._all_parts(told[0]), told[1])

    def _empty(self, c_field):
        """ACC-NR and ACC-DMD; the one has a TPL only where nothing else names the meter (Table 28)."""
        profile = self.profile
        out = bytearray((0, c_field)) + profile.address.link_bytes()
        if c_field == control.ACC_DMD or profile.header == "long":
            status = self.device.status if self.device else profile.status & 3
            out += self._head(EMPTY_CI, self.access_number, status)
        return finished(out)

    def _alarmed(self):
        return self.declared.bidirectional and self.device is not None and self.device.alarm() is not None

    def _own_us(self):
        """When the next frame beside the slots is due, or None."""
        due_us = self._installing[0] if self._installing else None
        if not self._alarmed():
            self._demand_us = None
        else:
            at_us = self._now_us if self._demand_us is None else self._demand_us
            due_us = at_us if due_us is None else min(due_us, at_us)
        return due_us

    def _own(self, wall_us):
        """([telegrams], Persist or None, whether it is a SND-IR) at `_own_us`, or None."""
        demanded = self._demand_us is None or self._now_us >= self._demand_us
        if self._alarmed() and demanded:
            self._demand_us = self._now_us + _DEMAND_US
            return [self._empty(control.ACC_DMD)], None, False
        installing = self._installing
        if self._now_us >= installing[1]:
            self._installing = None
            return None
        installing[2] += 1
        installing[0] = self._now_us + _wait_us(self.profile.address, installing[2])
        profile = self.profile
        out = bytearray((0, control.SND_IR)) + profile.address.link_bytes()
        self._number = (self._number + 1) & 0xFF
        secret, clear, content = self.registration, b"", _STATIC
        if secret is None:
            secret, clear = self._records(wall_us)
            content = 0
        told = self._protected(out, DATA_CI, self._number, profile.status, secret, clear, MASTER, content)
        return told and (self._all_parts(told[0]), told[1], True)

    # --- credits ---

    def _next_us(self):
        """At most so long until the next slot."""
        return self.profile.nominal_us + self.profile.nominal_us // 31

    def _offers(self, inside):
        """Whether a frame that is sent now offers access. inside: of a session, where every frame does (Q.3.7.1.3)."""
        if not self.declared.bidirectional:
            return False
        return self.credits.access(self._now_us, self._next_us()) or inside

    def _persist(self, ahead, covers):
        persist = super()._persist(ahead, covers)
        persist.state["credits"] = self.credits.export(self._now_us, self._next_us())
        return persist


def _wait_us(address, count):
    """From SND-IR number `count` to the next one: 30 to 60 s, another time for each, and for each meter."""
    least, most = timing.INSTALLATION_REPEAT_US
    spread = sum(address.link_bytes()) * 37 + count * 101 & 0xFF
    return least + _SECOND + (most - least - 2 * _SECOND) * spread // 256
