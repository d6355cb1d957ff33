"""A downlink session as the meter sees it: since when, with whom, what was said last (OMS Vol. 2 Annex Q.3.3.5, P 7.2.2.1;
LPWAN sheet section 17).

Place: held by meter.py; no radio in it. Opened by the first valid downlink, closed by SC = 1 once the answer is sent, or by
timeout. Inferred: where no session resume delay is configured (MBlock 12), an interrupted session times out when the
application response does; with it, when the MACC has brought nothing.
"""

_KEPT = ("alive", "rtrm", "receiver", "closing", "mac", "until_us", "resuming", "who", "telegrams")


class Session:
    """rtrm: what the gateway asks of t_RM, for the rest of the session. receiver: Address that the next uplink names, or None.
    closing: SC was seen. who: of the datagram that was answered last (asked.who), telegrams: its answer. mac: (MFT, Body or
    None) of the answer to the MCMD that was answered last, or None. resuming: a MACC was sent.
    """

    def __init__(self):
        self.alive = False
        self._end()

    def _end(self):
        self.rtrm = 0
        self.receiver = None
        self.closing = False
        self.mac = None
        self.until_us = 0
        self.resuming = False
        self.forget()

    def forget(self):
        """The effect of SND-NKE."""
        self.who = None
        self.telegrams = None

    def open(self, until_us):
        """A downlink came; the session times out at until_us. Returns whether it was open before."""
        alive = self.alive
        self.alive = True
        self.resuming = False
        self.until_us = until_us
        return alive

    def close(self):
        """Whether there was one."""
        alive = self.alive
        self.alive = False
        self._end()
        return alive

    def snapshot(self):
        return [getattr(self, name) for name in _KEPT]

    def rollback(self, snapshot):
        for name, value in zip(_KEPT, snapshot):  # noqa: B905  (MicroPython's zip has no strict)
            setattr(self, name, value)
