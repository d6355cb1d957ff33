"""What a burst meter says in its MAC body of its own accord: how its link is, how near its fallback, what time it has, what it
can do (OMS Vol.2 Annex Q.3.3.4, Q.3.6; LPWAN sheet sections 15, 16, 18).
"""

from collections import namedtuple

from ...errors import BodyError, OmsError
from ...link.lpwan import blocks, mac, values

# meter: name of the BurstPartner. values: {name of the MBlock: plain data}. authentic: whether it was secured, and new. at_us:
# T0.
MacStatus = namedtuple("MacStatus", ("meter", "values", "authentic", "at_us"))


class Statuses:
    """Of one partner. `open` gives what a MSNR says.

    rejected: code of the error for which the last body was not taken, "repeated" for one that was taken before, or None.
    """

    def __init__(self, partner):
        self.partner = partner
        self.rejected = None
        self._last = None  # the Body that was taken last

    def open(self, seen):
        """([MBlock], whether it is authentic) of a BurstSeen, or None: it says nothing, or is not to be believed."""
        self.rejected = None
        one = seen.mac
        if one.type != mac.MSNR or (one.body is None and one.error is None):
            return None
        try:
            return self._open(seen)
        except OmsError as error:
            self.rejected = error.code
            return None

    def _open(self, seen):
        one = seen.mac
        if one.error is not None:
            raise one.error
        if one.body.counter is None:
            if one.body.der_counter is not None:
                from ...errors import DowngradeError

                raise DowngradeError("a MAC body with MDerCounter is not secured")
            found = blocks.parse(one.body.data)
            blocks.check_plain(found)
            return found, False
        if one.body == self._last:
            self.rejected = "repeated"  # as it may be (Q.3.4.3.2)
            return None
        manager = self.partner.manager()
        data = manager.unsolicited(one, seen.kind == "SND-IR")
        self._last = one.body
        found = blocks.parse(data)
        for block in found:
            if block.id == blocks.CMD_COUNTER:
                manager.reported(values.decode(block.id, block.value))
        return found, True


def meanings(found):
    """{MBlockID: meaning} of MBlocks; of those that say something that there is."""
    out = {}
    for block_id, value in found:
        try:
            out[block_id] = values.decode(block_id, value)
        except BodyError:
            pass
    return out
