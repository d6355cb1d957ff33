"""Link management at the NW-Manager: a plain algorithm that moves one meter (LPWAN sheet section 18; the annex leaves it open).

Each uplink that was heard has a margin: by how much it was better than what its sub-mode and coding need. With it the margin
of every other choice of the meter is known but for what the table below says. The cheapest choice (first the fastest
sub-mode, then the shortest coding, then the lowest power) that keeps TARGET is wanted. So that nothing swings, a cheaper one is
taken only after MANY uplinks of which the worst leaves REST more than TARGET, a stronger one as soon as the worst of the
last FEW is below LOW. A frame that was lost counts as one without margin. The downlink follows the margin that the meter
reports in MBlock 00. A command is repeated until it is answered or the meter is heard with what was ordered; what the meter
refuses is not asked for again. A meter that is heard with other parameters has fallen back: it is measured anew.

Decibels are integers in tenths.
"""

from ...errors import MisuseError
from . import blocks, values

TARGET, REST, LOW = 100, 30, 60
MANY, FEW = 8, 3
DOWN_TARGET = 80

# What a choice has more of than UL-B4 at rate 7/8, full power: chip rate; coding by sheet section 24, 15 bytes, hard.
_UPLINKS = {"UL-B1": 110, "UL-B2": 110, "UL-B3": 110, "UL-B1+B2": 110, "UL-B4": 0}
_CODINGS = {"7/8": 0, "1/2": 43, "1/3": 63, "multi": 71}
_STEP = 30  # of power reduction
_DOWNLINKS = {"DL-B1": 108, "DL-B2": 78, "DL-B3": 48, "DL-B4": 0}
# At least so much, by margin code of MBlock 00.
_MARGINS = (0, 0, 40, 80, 120, 160, 200)

KEEP, WANT, SENT = "keep", "want", "sent"

TABLE = {
    (KEEP, "better"): WANT,
    (WANT, "better"): WANT,
    (WANT, "settled"): KEEP,
    (WANT, "sent"): SENT,
    (SENT, "answered"): KEEP,
    (SENT, "settled"): KEEP,
    (SENT, "lost"): WANT,
}


class Manager:
    """capability: values.Capability of the meter (MBlock 13). uplink: values.Uplink it is known to use, downlink:
    values.Downlink. reductions: steps of power that may be asked for. uplinks: sub-modes that our gateways receive,
    downlinks: that they send, and that the meter would receive; may be changed at any time.

    state: KEEP, WANT (there are MBlocks to be sent) or SENT (their MRSP is awaited).
    """

    def __init__(self, capability, uplink, downlink, uplinks, downlinks, reductions=3):
        self.state = KEEP
        self._uplink, self._downlink = uplink, downlink
        self._margins = []
        self._down_margin = None
        self._order = []  # values.Uplink, values.Downlink
        self._refused = []
        codings = capability.codings or ()
        names = [one for one in capability.uplinks if one in uplinks and one in _UPLINKS and one != "UL-B3"]
        if capability.dual and "UL-B1" in names and "UL-B2" in names:
            names = [one for one in names if one not in ("UL-B1", "UL-B2")] + ["UL-B1+B2"]
        self._choices = []  # the cheapest first
        for name in sorted(names, key=lambda one: (_UPLINKS[one], one)):
            for coding in [one for one in values.CODINGS if one in codings]:
                for reduction in range(reductions, -1, -1):
                    carriers = (2,) if name == "UL-B4" else (0, 1, 2, 3, 4)
                    self._choices.append(values.Uplink(0, reduction, name, carriers, coding))
        self.downlinks = downlinks
        self._downs = [one for one in ("DL-B4", "DL-B3", "DL-B2", "DL-B1") if one in capability.downlinks]
        if not self._choices:
            raise MisuseError("none of our gateways hears this meter")

    def heard(self, sub_mode, coding, margin, lms=0, status=None, downlink=None):
        """An uplink. sub_mode, coding: of it. margin: in tenths of dB. lms, downlink: of its UA; the sub-mode may be None. status:
        value of its MBlock 00, or None."""
        if lms:
            return
        if downlink is not None and self._downlink is not None and downlink != self._downlink.sub_mode:
            # The owner has moved it, or the response was lost. What it has told was that of another one.
            self._downlink, self._down_margin = values.Downlink(0, self._downlink.multi, downlink), None
        ordered = self._order[0] if self._order else None
        now = self._uplink
        reduction = now.reduction if status is None else status.reduction
        if status is not None and status.margin is not None and status.margin < len(_MARGINS):
            self._down_margin = _MARGINS[status.margin]
        if (
            ordered is not None
            and _same(ordered, sub_mode, coding, reduction)
            and not _same(now, sub_mode, coding, reduction)
        ):
            self._settle(ordered)  # the response was lost, the command was not
        elif not _same(now, sub_mode, coding, reduction):
            carriers = now.carriers if sub_mode[:5] == now.sub_mode[:5] else None
            self._settle(values.Uplink(0, reduction, sub_mode, carriers, coding))
        self._margins = (self._margins + [margin])[-MANY:]
        self._decide()

    def lost(self):
        """An uplink that was due was not heard; or the response to the command."""
        if self.state == SENT:
            self._go("lost")
            return
        self._margins = (self._margins + [0])[-MANY:]
        self._decide()

    def wanted(self):
        """MBlocks of the command that is due, [] if there is none."""
        if self.state != WANT:
            return []
        up, down = self._order
        out = []
        if up is not None:
            out.append(values.encode(blocks.UPLINK, up))
        if down is not None:
            out.append(values.encode(blocks.DOWNLINK, down))
        return out

    def sent(self):
        """The command was sent."""
        self._go("sent")

    def answered(self, response):
        """The MBlocks of the MRSP."""
        if self.state != SENT:
            return
        up, down = self._order
        if up is not None:
            if values.encode(blocks.UPLINK, up) in response:
                self._uplink, self._margins = up, []
            else:
                self._refused.append(up)
        if down is not None:
            if values.encode(blocks.DOWNLINK, down) in response:
                self._downlink, self._down_margin = down, None
            else:
                self._refused.append(down)
        self._order = []
        self._go("answered")

    def _settle(self, uplink):
        """This is what the meter uses; what was measured before does not count."""
        self._uplink, self._margins = uplink, []
        if self.state != KEEP:
            self._order = []
            self._go("settled")

    def _decide(self):
        if self.state == SENT:
            return
        up, down = self._better_uplink(), self._better_downlink()
        if up is not None or down is not None:
            self._order = [up, down]
            self._go("better")
        elif self.state == WANT:
            self._order = []
            self._go("settled")

    def _better_uplink(self):
        """The values.Uplink to move to, or None."""
        now = self._uplink
        few = self._margins[-FEW:]
        weak = len(few) == FEW and min(few) < LOW
        if not weak and len(self._margins) < MANY:
            return None
        worst = min(few) if weak else min(self._margins)
        need = TARGET if weak else TARGET + REST
        found = None
        for one in self._choices:
            if one in self._refused:
                continue
            if weak and _budget(one) <= _budget(now):
                continue
            if not weak and _same(one, now.sub_mode, now.coding, now.reduction):
                return None
            found = one
            if worst + _budget(one) - _budget(now) >= need:
                return one
        return found if weak else None  # the strongest there is

    def _better_downlink(self):
        now, margin = self._downlink, self._down_margin
        if now is None or margin is None or now.sub_mode not in _DOWNLINKS:
            return None
        found = None
        for name in self._downs:
            one = values.Downlink(0, now.multi, name)
            more = _DOWNLINKS[name] - _DOWNLINKS[now.sub_mode]
            if one in self._refused or name not in self.downlinks:
                continue
            if margin + more >= DOWN_TARGET:
                return one if more else None
            if more > 0:
                found = one
        return found  # the strongest there is, where all are too weak

    def _go(self, event):
        if (self.state, event) not in TABLE:
            raise MisuseError("link management cannot {} in state {}".format(event, self.state))
        self.state = TABLE[self.state, event]


def advantage(sub_mode, coding):
    """By how much a sub-mode and coding are better than UL-B4 at rate 7/8 with the same signal, in tenths of dB."""
    return _UPLINKS.get(sub_mode, 0) + _CODINGS.get(coding, 0)


def _budget(up):
    return _UPLINKS.get(up.sub_mode, 0) + _CODINGS.get(up.coding, 0) - _STEP * up.reduction


def _same(up, sub_mode, coding, reduction):
    parts = ("UL-B1", "UL-B2") if up.sub_mode == "UL-B1+B2" else (up.sub_mode,)
    # MBlock 00 tells no more than 9 dB.
    return (
        (sub_mode in parts or sub_mode == up.sub_mode)
        and up.coding == coding
        and min(up.reduction, 3) == min(reduction, 3)
    )
