"""Link management at the meter: its uplink and downlink parameters, and the fallback where nobody is heard any more
(OMS Vol. 2 Annex Q.3.7.1; LPWAN sheet section 18). Place: a machine without time; services.py and a role tell it what happens.

Parameters that a command sets are in force behind its response (`switched`); temporary ones until the session is over
(`ended`). Each access opportunity at which nothing is heard counts down to a fallback, each downlink of the own gateway sets
the counter back. A soft fallback is maximum power and strongest coding, a hard one the row of sub-modes above, too.

Inferred: multi burst is the strongest coding (sheet section 24: 3 of 3 bursts need less than rate 1/3); nobody falls back to
UL-B3, which only the NW-Manager may ask for (Table Q.6 c); a hard fallback takes the slowest downlink along; a counter of 0
is not set; an uplink of the burst mode is not set without its second byte.
"""

from ...errors import MisuseError, StoreError
from . import blocks, values
from .values import HARD, NONE_LEFT, SOFT

# From the highest link budget to the lowest. Nobody falls back to what is not named.
_ROWS = (("UL-S1", "UL-S2", "UL-S3"), ("UL-B1", "UL-B2"), ("UL-B4",))
_DUAL = {"UL-B1+B2": ("UL-B1", "UL-B2"), "UL-S1+S2": ("UL-S1", "UL-S2")}
_ALL = (0, 1, 2, 3, 4)
_MOST = 0x7FFF
# Signal that a conventional receiver with hard decisions needs (Table Q.B.2; LPWAN sheet section 24).
FLOORS_DBM = {"DL-B1": -130, "DL-B2": -127, "DL-B3": -124, "DL-B4": -119}

HANDLED = (
    blocks.LINK_STATUS,
    blocks.FALLBACK_STATUS,
    blocks.FALLBACK_COUNTER,
    blocks.UPLINK,
    blocks.DOWNLINK,
    blocks.CAPABILITY,
    blocks.INTERVAL,
)


class Managed:
    """capability: values.Capability. uplink, downlink: values.Uplink and values.Downlink that are in force. preset: fallback
    counter, permanent, 1..32767. interval_s: between two access opportunities, on average. reductions: steps of 3 dB by which
    the radio can reduce its power, 0..4. stored: what `export` gave; it goes before uplink, downlink and preset.

    counter: access opportunities until the fallback. interval_s is kept right by who sends.
    """

    def __init__(self, capability, uplink, downlink, preset, interval_s, reductions=4, stored=None):
        self.capability = capability
        self.interval_s = interval_s
        self.reductions = reductions
        self.preset = preset
        self._uplink, self._downlink = uplink, downlink
        if not 0 < preset <= _MOST or not self._has_uplink(uplink) or not self._has_downlink(downlink):
            raise MisuseError("a meter starts within its own capabilities")
        self.counter = preset
        self._heard, self._rssi_dbm = False, None  # the downlink before
        self._forget()
        if stored is not None:
            self.rollback(stored)

    def _forget(self):
        self._temporary = [None, None]  # uplink, downlink
        self._staged = [None, None]

    @property
    def uplink(self):
        """values.Uplink in force."""
        return self._temporary[0] or self._uplink

    @property
    def downlink(self):
        """values.Downlink in force."""
        return self._temporary[1] or self._downlink

    @property
    def next(self):
        """SOFT, HARD or NONE_LEFT: the fallback that comes next."""
        up = self._uplink
        if up.reduction or up.coding != self._strongest(up.sub_mode):
            return SOFT
        return NONE_LEFT if self._above() is None else HARD

    # --- what happens ---

    def heard(self, acp=0, rssi_dbm=None):
        """A valid downlink for this meter. acp: of MElement_DA; 1 does not count. rssi_dbm: of it, None if it is not known."""
        self._heard, self._rssi_dbm = True, rssi_dbm
        if not acp:
            self.counter = self.preset

    def missed(self):
        """An access opportunity is over and nothing was heard; whether parameters have changed: a fallback."""
        if self.counter:
            self.counter -= 1
        if self.counter or self.next == NONE_LEFT:
            return False  # at the top the counter stays at 0 until somebody is heard
        self._forget()
        _FALLBACK[self.next](self)
        self.counter = self.preset
        return True

    def switched(self):
        """The response to a command was sent, or none is due; whether parameters have changed."""
        before = self.uplink, self.downlink
        for i, value in enumerate(self._staged):
            if value is None:
                continue
            if value.temporary:
                self._temporary[i] = value
            else:
                self._temporary[i] = None
        self._staged = [None, None]
        return before != (self.uplink, self.downlink)

    def ended(self):
        """The session is over, or was interrupted: temporary parameters are; whether parameters have changed."""
        before = self.uplink, self.downlink
        self._forget()
        return before != (self.uplink, self.downlink)

    # --- MBlocks ---

    def status(self):
        """The MBlocks that an uplink which offers access should have: link status and fallback status."""
        return [self._link_status(self._heard), self._fallback_status()]

    def execute(self, block):
        """The MBlock of the response to one of a command, empty if it failed; None if it is not of link management. Then
        store (`export`), respond, and say `switched`."""
        block_id, value = block
        if block_id not in HANDLED:
            return None
        if not value:
            return self._get(block_id)
        setter = _SET.get(block_id)
        if setter is None:
            return blocks.get(block_id)
        from ...errors import BodyError

        try:
            done = setter(self, values.decode(block_id, value))
        except BodyError:
            done = False
        return block if done else blocks.get(block_id)

    def _get(self, block_id):
        if block_id == blocks.LINK_STATUS:
            return self._link_status(True)
        if block_id == blocks.FALLBACK_STATUS:
            return self._fallback_status()
        if block_id == blocks.FALLBACK_COUNTER:
            meaning = values.FallbackCounter(0, self.preset)
        elif block_id == blocks.UPLINK:
            meaning = self._staged[0] or self.uplink
        elif block_id == blocks.DOWNLINK:
            meaning = self._staged[1] or self.downlink
        elif block_id == blocks.CAPABILITY:
            meaning = self.capability
        else:
            meaning = self.interval_s
        return values.encode(block_id, meaning)

    def _link_status(self, whole):
        reduction = min(self.uplink.reduction, 3)  # 12 dB cannot be told (sheet 25, 7)
        if not whole:
            return values.encode(blocks.LINK_STATUS, values.LinkStatus(reduction, None, None))
        # Of the sub-mode in which it listens now, which may not be the one in which that was heard.
        floor_dbm = FLOORS_DBM.get(self.downlink.sub_mode)
        margin = values.UNKNOWN_MARGIN
        if self._rssi_dbm is not None and floor_dbm is not None:
            margin = margin_code(self._rssi_dbm - floor_dbm)
        status = values.LinkStatus(reduction, margin, values.UNKNOWN_CORRECTED)  # nobody counts bits here
        return values.encode(blocks.LINK_STATUS, status)

    def _fallback_status(self):
        return values.encode(blocks.FALLBACK_STATUS, values.FallbackStatus(self.next, self.counter))

    def _set_counter(self, told):
        if not told.value:
            return False
        if not told.temporary:
            self.preset = told.value
        self.counter = told.value
        return True

    def _set_uplink(self, up):
        if not self._has_uplink(up):
            return False
        self._staged[0] = up
        if not up.temporary:
            self._uplink, self._temporary[0] = up, self.uplink
        return True

    def _set_downlink(self, down):
        if not self._has_downlink(down):
            return False
        self._staged[1] = down
        if not down.temporary:
            self._downlink, self._temporary[1] = down, self.downlink
        return True

    # --- capabilities ---

    def _has_uplink(self, up):
        can = self.capability
        parts = _DUAL.get(up.sub_mode)
        if parts is None:
            parts = (up.sub_mode,)
        elif not can.dual:
            return False
        if [True for one in parts if one not in can.uplinks] or up.reduction > self.reductions:
            return False
        if up.sub_mode[3] != "B":
            return True
        # UL-B4 has one carrier, whatever is said of it.
        return up.coding in (can.codings or ()) and (up.sub_mode == "UL-B4" or bool(up.carriers))

    def _has_downlink(self, down):
        return down.sub_mode in self.capability.downlinks and down.multi <= (self.capability.multi or 0)

    def _strongest(self, sub_mode):
        """The strongest coding that this meter has for an uplink sub-mode; None where there is none to choose."""
        if sub_mode[3] != "B":
            return None
        return [one for one in values.CODINGS if one in self.capability.codings][-1]

    def _above(self):
        """The uplink sub-mode of the next row above that this meter has, or None."""
        now = self._uplink.sub_mode
        now = _DUAL.get(now, (now,))[0]
        higher = []
        for row in _ROWS:
            if now in row or (now == "UL-B3" and "UL-B1" in row):
                break
            found = [one for one in row if one in self.capability.uplinks]
            if found:
                higher.append(found)
        if not higher:
            return None
        found = higher[-1]
        for name, parts in _DUAL.items():
            if self.capability.dual and tuple(found[:2]) == parts:
                return name
        return found[0]

    # --- fallback ---

    def _soft(self):
        up = self._uplink
        self._uplink = values.Uplink(0, 0, up.sub_mode, up.carriers, self._strongest(up.sub_mode))

    def _hard(self):
        sub_mode = self._above()
        coding = self._strongest(sub_mode)
        self._uplink = values.Uplink(0, 0, sub_mode, None if coding is None else _ALL, coding)
        same = [one for one in self.capability.downlinks if one[3] == self._downlink.sub_mode[3]]
        self._downlink = values.Downlink(0, self._downlink.multi, min(same))

    # --- store ---

    def export(self):
        """Plain data of the permanent parameters and of the counter."""
        up, down = self._uplink, self._downlink
        carriers = None if up.carriers is None else list(up.carriers)
        return [
            up.reduction,
            up.sub_mode,
            carriers,
            up.coding,
            down.multi,
            down.sub_mode,
            self.preset,
            self.counter,
        ]

    def rollback(self, stored):
        """Go back to what `export` gave; what was temporary is over. StoreError if it is something else."""
        try:
            reduction, sub_mode, carriers, coding, multi, downlink, preset, counter = stored
            up = values.Uplink(0, reduction, sub_mode, None if carriers is None else tuple(carriers), coding)
            down = values.Downlink(0, multi, downlink)
            values.encode(blocks.UPLINK, up)
            values.encode(blocks.DOWNLINK, down)
            right = self._has_uplink(up) and self._has_downlink(down) and 0 < preset <= _MOST
            right = right and 0 <= counter <= _MOST
        except (TypeError, ValueError, MisuseError, IndexError):
            right = False
        if not right:
            raise StoreError(
                "the stored link parameters cannot be read", None, "remove them: the meter begins as declared"
            )
        self._uplink, self._downlink, self.preset, self.counter = up, down, preset, counter
        self._forget()


# The next fallback -> what it does.
_FALLBACK = {SOFT: Managed._soft, HARD: Managed._hard}

_SET = {
    blocks.FALLBACK_COUNTER: Managed._set_counter,
    blocks.UPLINK: Managed._set_uplink,
    blocks.DOWNLINK: Managed._set_downlink,
}


def margin_code(db):
    """Code in MBlock 00 of a downlink margin in dB."""
    return 0 if db <= 0 else min(int(-(-db // 4)), 6)
