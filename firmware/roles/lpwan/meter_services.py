"""The MAC of a burst meter: what it does with MCMD and MCNR, what it reports, and what of it lasts (OMS Vol. 2 Annex Q.3.3, Q.3.4,
Q.3.6, Q.3.7; LPWAN sheet 13, 15, 16, 18, 19).

Place: held by meter.py; no radio in it. Without MAC key (KeyID 0F) there are no MAC services: MERR for every MCMD.
"""

from collections import namedtuple

from ...errors import OmsError, StoreError
from ...link.lpwan import blocks, counters, mac, values

REPORT_US = 12 * 3600000000  # counters are reported about twice a day
_CMD_COUNTER = blocks.CMD_COUNTER

# What becomes of a downlink's MAC part. type: MFT of the answer, None if there is none. body: its Body or None. kept: (type,
# body) that a repetition of the command gets, or None. changed: something is to be stored before anything leaves. session_us:
# from the application time to a MACC, 0: none any more, None: nothing was said.
Answer = namedtuple("Answer", ("type", "body", "kept", "changed", "session_us"))


class Services:
    """declared: meter_way.Declared. address: of the meter, as in the LLC. stored: what `export` gave, or None. Counters:
    "mac.<action>" and "mac.<code of what was refused>".
    """

    def __init__(self, declared, address, stored, count):
        self.declared = declared
        self.address = address
        self.count = count
        self.security = None
        self._key = None
        self._stored = None
        self._reported_us = None  # when counters were reported
        if stored is not None:
            try:
                self._stored = stored["counters"]
            except (KeyError, TypeError):
                raise StoreError("the stored state of the MAC cannot be read", None, "bring the state back")

    def rekeyed(self, key):
        """The MAC key there is, at the start and behind every command; another one begins with counters of its own."""
        if key == self._key:
            return
        first, self._key = self._key is None, key
        if key is None:
            self.security = None
        elif self.security is None:
            self.security = counters.Meter(key, self.address, self._stored if first else None)
        else:
            self.security.rekey(key)

    def way(self):
        return self.declared.way

    def resume_us(self):
        return 0

    def missed(self, now_us):
        return False

    def interrupted(self):
        return False

    # --- commands ---

    def command(self, received, alive, kept, at_us, wall_us, partner):
        """The Answer to the MAC part of a downlink. received: mac.Mac. alive: whether the session was open before. kept: of the
        Answer before. at_us: application time. partner: ACP."""
        if received.type == mac.MCNR and received.body is None and received.error is None:
            return Answer(None, None, kept, False, None)
        if self.security is None:
            return self._refused(received, "no_key")
        judgement = self.security.command(received, alive)
        self.count("mac." + judgement.action)
        if judgement.error is not None:
            self.count("mac." + judgement.error.code)
        if judgement.action == counters.REPEAT and kept is not None:
            return Answer(kept[0], kept[1], kept, False, None)
        if judgement.action == counters.EXECUTE:
            return self._executed(received, judgement.data, at_us, wall_us)
        if judgement.action == counters.SILENCE:
            return Answer(None, None, kept, False, None)
        return Answer(mac.MERR, None, kept, False, None)

    def _refused(self, received, code):
        self.count("mac." + code)
        if received.type == mac.MCMD:
            return Answer(mac.MERR, None, None, False, None)
        return Answer(None, None, None, False, None)

    def _executed(self, received, data, at_us, wall_us):
        try:
            found = blocks.parse(data)
        except OmsError as error:
            self.count("mac." + error.code)
            found = []
        told = [blocks.get(one.id) for one in found]
        if received.type != mac.MCMD:
            return Answer(None, None, None, True, None)
        body = self.security.answer(blocks.build(told))
        return Answer(mac.MRSP, body, (mac.MRSP, body), True, None)

    # --- reports ---

    def report(self, now_us, installing=False):
        """(secured Body for a MSNR or None, whether something is to be stored first)"""
        security = self.security
        due = installing or self._reported_us is None or now_us - self._reported_us >= REPORT_US
        if security is None or not due:
            return None, False
        self._reported_us = now_us
        told = [values.encode(_CMD_COUNTER, security.cmd)]
        body = security.unsolicited(blocks.build(told), True)
        return body, not security.covered()

    # --- what lasts ---

    def snapshot(self):
        return self.security and self.security.export()

    def rollback(self, snapshot):
        if self.security is not None and snapshot is not None:
            self.security.rollback(snapshot)

    def export(self, ahead, now_us):
        """Plain data for `stored`; `ahead` reports are covered."""
        return {"counters": self.security.export(ahead) if self.security else self._stored}
