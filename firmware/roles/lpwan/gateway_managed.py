"""Link management of one burst meter by its gateway: what is heard of it is measured and handed to the algorithm of
link.lpwan.manager, and what that wants goes to the meter as an order of the gateway's own accord (LPWAN sheet section 18).

First the meter is asked what it can do and how it is set. That, and everything wanted, waits until the owner's orders are done.
"""

from ...errors import MisuseError
from ...link.lpwan import blocks, manager, values
from ..orders import DONE, MORE
from ..orders.mac import MacRead, plain
from .gateway_status import meanings

# Signal on UL-B4 at rate 7/8 that gives 1 % of frame loss, full power, 15 bytes: some 15 dB above what Table Q.B.2 implies for
# rate 1/3 and a soft decoder, and 6 dB for the code (LPWAN sheet 24, an estimate).
FLOOR_DBM = -101
_KNOWN = (blocks.CAPABILITY, blocks.UPLINK, blocks.DOWNLINK)
_ASKS = 3  # times that a meter is asked what it can do


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

    def heard(self, message, up, found):
        """An uplink. message: hearing.Message. up: its elements.Up. found: {MBlockID: meaning} that it said, authentic."""
        if self.manager is None or message.rssi_dbm is None:
            return
        header = message.header
        coding = "multi" if header.multi else values.CODINGS[header.type]
        margin = 10 * (message.rssi_dbm - self.floor_dbm) + manager.advantage(message.submode, coding)
        self.manager.heard(message.submode, coding, max(margin, 0), up.lms, found.get(blocks.LINK_STATUS))

    def order(self, meter):
        """The order that is due, or None."""
        if self.manager is None:
            return Question(self, meter) if self.asks < _ASKS else None
        return Move(self, meter) if self.manager.wanted() else None

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
        asked = (blocks.UPLINK, blocks.DOWNLINK)
        told = [one for one in heard.telegram if one.id in asked and one.value]
        if not told:
            return self._fail("the meter does not set its link so")
        return self._done({blocks.row(one.id).name: plain(one.id, one.value) for one in told})

    def _silence(self, wall_us):
        algorithm = self._managing.manager
        if algorithm.state == manager.SENT:
            algorithm.lost()
        return MORE
