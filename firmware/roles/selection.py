"""Which records a meter answers with: the standard response, an application that was selected, or for a while a readout list
(OMS Vol.2 8.2.5, 8.10, Annex M UC-14; sheet oms-requirements 10.1, 10.4).

Inferred: an application select holds until the next one or a reset; setMM6! and the readout list until 255 s behind the last
command.
"""

from ..application import select

RESPONSE_US = 255000000  # a temporary selection ends so long behind the last command (8.2.5)
_FILLER = b"\x2f"


class Selection:
    """applications: {number: tuple of blocks, each a tuple of places of registers}. selected: (application, block). readout:
    places in the readout list."""

    def __init__(self, applications):
        self.applications = applications
        self.selected = (select.RESET, 0)
        self.readout = ()
        self._until_us = None  # end of the readout list

    def places(self):
        """Of the registers that are the response; empty: the standard response."""
        if self.readout or self.selected[0] == select.RESET:
            return self.readout
        return self.applications[self.selected[0]][self.selected[1]]

    def first_blocks(self):
        """{application: places of its first block}, which is what MM6! selects from; None if there are none."""
        return {number: blocks[0] for number, blocks in self.applications.items()} or None

    def choose(self, data):
        """Application reset and select by the data of a command. ApplicationError if they are none. Profile A has no TPL padding:
        what fills its blocks is 2F."""
        if (len(data) + 2) % 16 == 0:
            data = data.rstrip(_FILLER)
        offered = {number: len(blocks) for number, blocks in self.applications.items()}
        offered.setdefault(select.RESET, 1)
        self.selected = select.choose(select.parse(data), offered)
        self.readout = ()
        self._until_us = None

    def listed(self, readout, now_us):
        """A command was executed, which left this readout list."""
        self.readout = readout
        self._until_us = now_us + RESPONSE_US

    def expire(self, now_us):
        """Whether a readout list has come to its end."""
        if self._until_us is None or now_us < self._until_us:
            return False
        over = bool(self.readout)
        self.readout = ()
        self._until_us = None
        return over

    def byte(self):
        """What MM6! tells of the application that is selected; None if it does not fit one byte."""
        application, block = self.selected
        return application << 4 | block if application < 15 and block < 16 else None

    def snapshot(self):
        """What `rollback` takes."""
        return self.selected, self.readout, self._until_us

    def rollback(self, snapshot):
        self.selected, self.readout, self._until_us = snapshot

    def restore(self, stored):
        """Take the application and block that were stored. What is not offered any more is the standard response. ValueError or
        TypeError if they are none."""
        application, block = stored
        if not isinstance(block, int) or block < 0:
            raise ValueError
        if application != select.RESET and block < len(self.applications.get(application, ())):
            self.selected = (application, block)
