"""MAC services of a meter: MBlocks of a command in, MBlocks of the response out (OMS Vol. 2 Annex Q.3.3.3, Q.3.6; LPWAN sheet
sections 13, 15). Place: between counters.Meter, which opens the body, and the machines that do what an MBlock says.
"""

from ...errors import BodyError, StoreError
from . import blocks, values

_ROOM = 56  # bytes of MBlocks in a secured body with MDerCounter
_AROUND = 27  # of a MRSP without upper layer: MHCTL, MElements, MBCTL, counters and MMAC, LLC, CRC
RELEASE_YEAR = 2023


class Services:
    """managed: managed.Managed or None. clock: an object with `execute(block, rx0_us, now_us)` that returns the MBlock of the
    response (see clock.execute), or None. resume_s: session resume delay, even, 0 for none. stored: what `export` gave.
    longest: bytes of a MAC frame that the radio sends.

    request_min: what MBlock 03 asked for: minutes from T0 of its downlink to T0 of a MACC, 0 none, None nothing new; who has
    seen it sets it to None.
    """

    def __init__(self, managed=None, clock=None, resume_s=0, stored=None, longest=255):
        self._room = min(_ROOM, longest - _AROUND)
        self.managed = managed
        self.clock = clock
        self.resume_s = resume_s
        self.request_min = None
        if stored is not None:
            self.rollback(stored)

    def supported(self):
        """IDs of the MBlocks there are, a tuple in their order."""
        from . import managed

        ids = [
            blocks.SESSION_REQUEST,
            blocks.CMD_COUNTER,
            blocks.SUPPORTED,
            blocks.RELEASE,
            blocks.RESUME_DELAY,
        ]
        if self.managed is not None:
            ids += managed.HANDLED
        if self.clock is not None:
            ids.append(blocks.CLOCK)
        return tuple(sorted(ids))

    def execute(self, data, rx0_us, now_us):
        """Bytes of the MBlocks that answer those of a command, `data`; none where they are corrupt (sheet 13). What has changed
        is stored (`export`) before the response leaves.

        rx0_us: instant of slot RX0 of the downlink, at which its times are meant. now_us: the present.
        """
        try:
            asked = blocks.parse(data)
        except BodyError:
            return b""
        out = [self._one(block, rx0_us, now_us) for block in asked]
        # More may be asked for than there is room: then the last ones fail. What was set takes as much as in the command.
        room = max(self._room, len(data))
        for i in range(len(out) - 1, -1, -1):
            if len(blocks.build(out)) <= room:
                break
            if not asked[i].value:
                out[i] = blocks.get(out[i].id)
        return blocks.build(out)

    def _one(self, block, rx0_us, now_us):
        block_id, value = block
        failed = blocks.get(block_id)
        row = blocks.row(block_id)
        if row is None or not (row.set if value else row.get):
            return failed
        if self.managed is not None:
            done = self.managed.execute(block)
            if done is not None:
                return done
        if block_id == blocks.CLOCK and self.clock is not None:
            return self.clock.execute(block, rx0_us, now_us)
        handler = _OWN.get(block_id)
        if handler is None:
            return failed
        try:
            return handler(self, block) or failed
        except BodyError:
            return failed

    def _request(self, block):
        self.request_min = values.decode(block.id, block.value)
        return block

    def _resume(self, block):
        if not block.value:
            return values.encode(block.id, self.resume_s)
        self.resume_s = values.decode(block.id, block.value)
        return block

    def _supported(self, block):
        return values.encode(block.id, self.supported())

    def _release(self, block):
        return values.encode(block.id, RELEASE_YEAR)

    def export(self):
        """Plain data to be stored; the clock has its own."""
        return [self.resume_s, None if self.managed is None else self.managed.export()]

    def rollback(self, stored):
        """Go back to what `export` gave; StoreError if it is something else."""
        if not isinstance(stored, (list, tuple)) or len(stored) != 2 or not isinstance(stored[0], int):
            raise StoreError("the stored MAC services cannot be read", None, "remove them")
        if not 0 <= stored[0] <= 510 or stored[0] % 2:
            raise StoreError("the stored session resume delay cannot be", None, "remove it")
        if self.managed is not None and stored[1] is not None:
            self.managed.rollback(stored[1])
        self.resume_s = stored[0]
        self.request_min = None


_OWN = {
    blocks.SESSION_REQUEST: Services._request,
    blocks.RESUME_DELAY: Services._resume,
    blocks.SUPPORTED: Services._supported,
    blocks.RELEASE: Services._release,
}
