"""Link management of one burst meter by its gateway: what is heard of it is measured and handed to the algorithm of
link.lpwan.manager, and what that wants goes to the meter as an order of the gateway's own accord (LPWAN sheet section 18).

First the meter is asked what it can do and how it is set. That, and everything wanted, waits until the owner's orders are done.
A meter that nobody speaks to falls back, in the end to a sub-mode that our gateways may not hear: it is spoken to in time.
"""

from ...errors import MisuseError
from ...link.lpwan import blocks, elements, manager, values
from ...phy.burst import timing
from ..orders import DONE, MORE
from ..orders.mac import MacRead, plain
from .gateway_partner import LEAST
from .gateway_status import meanings

# Signal on UL-B4 at rate 7/8 that gives 1 % of frame loss, full power, 15 bytes: some 15 dB above what Table Q.B.2 implies for
# rate 1/3 and a soft decoder, and 6 dB for the code (LPWAN sheet 24, an estimate).
FLOOR_DBM = -101
_KNOWN = (blocks.CAPABILITY, blocks.UPLINK, blocks.DOWNLINK)
_ASKS = 3  # times that a meter is asked what it can do
_FAILS = 4  # behind an order that failed 1, 3, 7, and then always 15 uplinks are let pass


class Managing:
    """uplinks: sub-modes that our gateways hear. downlinks: that they send. floor_dbm: see FLOOR_DBM. reductions: steps of 3 dB by
    which the meter's power may be reduced.

    manager: link.lpwan.manager.Manager, None until the meter has told what it can do.
    """

    def __init__(
        self,
        uplinks=("UL-B4",),
        downlinks=("DL-B1", "DL-B2", "DL-B3", "DL-B4"),
        floor_dbm=FLOOR_DBM,
        reductions=3,
    ):
        self.uplinks = uplinks
        self.downlinks = downlinks
        self.floor_dbm = floor_dbm
        self.reductions = reductions
        self.manager = None
        self.asks = 0
        self._last = None  # the order before
        self._fails = self._rest = 0
        self._fallback = None  # values.FallbackStatus, as it may be by now
        self._preset = 0  # the highest counter that was told since it was spoken to

    def heard(self, message, up, found):
        """An uplink. message: hearing.Message. up: its elements.Up. found: {MBlockID: meaning} that it said, authentic."""
        if self._fallback is not None and elements.option(up):
            left = max(self._fallback.counter - 1, 0)
            self._fallback = values.FallbackStatus(self._fallback.next, left)
        self.left(found)
        if self.manager is None or message.rssi_dbm is None:
            return
        self.manager.downlinks = self._received(message.submode, up)
        header = message.header
        coding = "multi" if header.multi else values.CODINGS[header.type]
        margin = 10 * (message.rssi_dbm - self.floor_dbm) + manager.advantage(message.submode, coding)
        status = found.get(blocks.LINK_STATUS)
        self.manager.heard(message.submode, coding, max(margin, 0), up.lms, status, up.downlink)

    def _received(self, uplink, up):
        """Those of our downlinks in which a meter with this DL-RXM receives enough to be given any order: where it is short a
        slower one may hold nothing, and nobody knows whether the meter would make it longer."""
        option = elements.option(up)
        if option is None:
            return ()
        rxm = timing.access(uplink, option).rxm if up.rxm is None else up.rxm
        return [one for one in self.downlinks if (timing.largest_payload(one, rxm, 0, 0) or 0) >= LEAST]

    def order(self, meter):
        """The order that is due behind an uplink, or None. The one before has ended."""
        if self._last is not None:
            self._fails = 0 if self._last.outcome == DONE else min(self._fails + 1, _FAILS)
            self._rest = (1 << self._fails) - 1
            self._last = None
        if self._rest:
            self._rest -= 1
            return None
        self._last = self._due(meter)
        return self._last

    def _due(self, meter):
        algorithm, fallback = self.manager, self._fallback
        if algorithm is None:
            return Question(self, meter) if self.asks < _ASKS else None
        if algorithm.state == manager.SENT:
            algorithm.lost()  # its order has failed before it was said
        if algorithm.wanted():
            return Move(self, meter)
        if fallback is None or fallback.next == values.NONE_LEFT or 2 * fallback.counter > self._preset:
            return None
        self._preset = fallback.counter
        return Keep(self, meter)

    def left(self, found):
        """{MBlockID: meaning}, maybe with that of the MBlock 01."""
        told = found.get(blocks.FALLBACK_STATUS)
        if told is not None:
            self._fallback, self._preset = told, max(self._preset, told.counter)

    def told(self, found):
        """{MBlockID: meaning} of the answer to a Question: a manager for it, where there is something to manage."""
        if not [1 for one in _KNOWN if one not in found]:
            capability, uplink, downlink = [found[one] for one in _KNOWN]
            self.asks = _ASKS
            try:
                self.manager = manager.Manager(
                    capability, uplink, downlink, self.uplinks, self.downlinks, self.reductions
                )
            except MisuseError:
                pass  # it has nothing that our gateways hear: there is nothing to choose


class Question(MacRead):
    """What a meter can do, and how it is set."""

    def __init__(self, managing, meter):
        super().__init__(["mac-read", "capability", "uplink", "downlink"], meter, None)
        self._managing = managing
        self._plan(())

    def _exchange(self, wall_us):
        self._managing.asks += 1
        return super()._exchange(wall_us)

    def heard(self, heard, wall_us):
        if super().heard(heard, wall_us) == DONE:
            self._managing.told(meanings(heard.telegram))
        if self.outcome != MORE and self._managing.manager is None:
            self._managing.asks = _ASKS
        return self.outcome


class Keep(MacRead):
    """Anything that is said to a meter sets its fallback counter back."""

    def __init__(self, managing, meter):
        super().__init__(["mac-read", "fallback-status"], meter, None)
        self._managing = managing
        self._plan(())

    def heard(self, heard, wall_us):
        if super().heard(heard, wall_us) == DONE:
            self._managing.left(meanings(heard.telegram))
        return self.outcome


class Move(MacRead):
    """What the algorithm wants at the moment it is said."""

    def __init__(self, managing, meter):
        super().__init__(["mac-link", "auto"], meter, None)
        self._managing = managing

    def _exchange(self, wall_us):
        algorithm = self._managing.manager
        if algorithm.state == manager.WANT:
            self._ask(algorithm.wanted())
            algorithm.sent()
        elif algorithm.state == manager.KEEP:
            self._done({})  # it has thought better of it
            return None
        return super()._exchange(wall_us)

    def heard(self, heard, wall_us):
        if not self._asked():
            return self.outcome
        algorithm = self._managing.manager
        if heard.kind != "MRSP":
            if algorithm.state == manager.SENT:
                algorithm.lost()
            return self._fail("the meter takes no MAC command (MERR)")
        algorithm.answered(heard.telegram)
        asked = blocks.parse(bytes.fromhex(self.state["blocks"]))
        told = [one for one in heard.telegram if one in asked]
        if not told:
            return self._fail("the meter does not set its link so")
        return self._done({blocks.row(one.id).name: plain(one.id, one.value) for one in told})

    def _silence(self, wall_us):
        algorithm = self._managing.manager
        if algorithm.state == manager.SENT:
            algorithm.lost()
        return MORE
