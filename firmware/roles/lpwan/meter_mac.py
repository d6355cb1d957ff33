"""The MAC of a burst meter: what it makes of MCMD and MCNR, what it reports, and what of that lasts (OMS Vol. 2 Annex Q.3.3, Q.3.4,
Q.3.6, Q.3.7; LPWAN sheet 13, 15, 16, 18, 19).

Place: held by the meter; no radio in it. The parts are in link/lpwan: counters (security), services (MBlocks), managed (link
management), clock. Without MAC key (KeyID 0F), or without a downlink, there are no services: MERR for every MCMD.
"""

from collections import namedtuple

from ...errors import StoreError
from ...link.lpwan import blocks, clock, counters, mac, managed, values
from ...link.lpwan.services import Services
from . import meter_way as ways

REPORT_BYTES = 20  # of its body: MBCTL, MDerCounter, MMsgCounter, MMAC, MBlocks 07, 00, 01, and some to spare
REPORT_US = 12 * 3600000000  # counters and link status are reported about twice a day (sheet 16)

# What becomes of a downlink's MAC part. type: MFT of the answer, None if there is none. body: its Body or None. kept: (type,
# Body) that a repetition of the command gets, or None. changed: something is to be stored before anything leaves. session_us:
# from RX0 of the downlink's slots, or 0: none any more, to a MACC; None: nothing was said.
Answer = namedtuple("Answer", ("type", "body", "kept", "changed", "session_us"))


class Time:
    """The clock that MBlock 04 moves: so much beside the meter's own time, which is the device's clock or the wall's. stored:
    what `export` gave, or None.

    base_us: own time at the present, None while unknown; now_us: the present on the board's clock.
    """

    def __init__(self, stored):
        self.base_us = self.now_us = self.clock = None
        self._stored = stored

    def at(self, now_us, base_us):
        """The present; returns the time that is told, or None."""
        self.now_us, self.base_us = now_us, base_us
        if base_us is None:
            return None
        if self.clock is None:
            self.clock = clock.start(base_us, base_us)
            if self._stored is not None:
                self.clock = clock.restore(self._stored, base_us, base_us)
        return clock.device_us(self.clock, base_us)

    def execute(self, block, rx0_us, now_us):
        """See clock.execute; instants on the board's clock."""
        if self.clock is None or self.base_us is None:
            return blocks.get(blocks.CLOCK)
        ahead_us = self.base_us - self.now_us
        self.clock, told = clock.execute(self.clock, block, rx0_us + ahead_us, now_us + ahead_us)
        return told

    def export(self):
        if self.clock is None or self.base_us is None:
            return self._stored
        return clock.export(self.clock, self.base_us, self.base_us)


class MeterMac:
    """declared: meter_way.Declared. address: of the meter, as in the LLC. stored: what `export` gave, or None. count: function that
    counts "mac.<action>", and "mac.<code>" of what was refused.
    """

    def __init__(self, declared, address, stored, count):
        self.declared = declared
        self.address = address
        self.count = count
        self.security = None
        self._key = None
        self._reported_us = None  # when that was
        self._stored = None  # counters
        state = None
        times = None
        if stored is not None:
            try:
                self._stored, state, times = stored["counters"], stored["services"], stored["clock"]
            except (KeyError, TypeError):
                raise StoreError("the stored state of the MAC cannot be read", None, "bring the state back")
        self.time = Time(times)
        self.managed = None
        if declared.bidirectional:
            way = declared.way
            carriers = way.carriers if 2 in way.carriers or way.uplink != "UL-B4" else (2,)
            self.managed = managed.Managed(
                declared.capability,
                values.Uplink(0, way.reduction, way.uplink, carriers, way.coding),
                values.Downlink(0, way.multi, way.downlink),
                declared.preset,
                0,
                declared.reductions,
            )
        self.services = Services(self.managed, self.time, declared.resume_s, state, declared.longest)

    def rekeyed(self, key):
        """The MAC key there is, at the start and before anything is stored; another one begins with counters of its own."""
        if key == self._key:
            return
        self._key = key
        if key is None:
            self.security = None
            return
        stored, self._stored = self._stored, None
        self.security = counters.Meter(key, self.address, stored)

    # --- link parameters ---

    def way(self):
        """The Way in force."""
        if self.managed is None:
            return self.declared.way
        up, down = self.managed.uplink, self.managed.downlink
        carriers = up.carriers or (2,)  # UL-B4 needs to name none
        return ways.Way(up.sub_mode, up.coding, carriers, up.reduction, down.sub_mode, down.multi)

    def missed(self):
        """Nothing was heard at an access opportunity; whether parameters have changed, which is to be stored and reported."""
        fallen = self.managed.missed()
        if fallen:
            self._reported_us = None
        return fallen

    @property
    def resume_us(self):
        """From the last uplink of an interrupted session to the MACC, T0 to T0; 0: none."""
        return self.services.resume_s * 1000000

    # --- commands ---

    def command(self, received, alive, kept, rx0_us, partner, rssi_dbm):
        """The Answer to the MAC part of a downlink. received: mac.Mac. alive: whether the session was open before. kept: of the
        Answer before. rx0_us: application time. partner: ACP. rssi_dbm: of the downlink, or None."""
        self.managed.heard(partner, rssi_dbm)
        if received.type == mac.MCNR and received.body is None and received.error is None:
            return Answer(None, None, kept, False, None)
        if self.security is None:
            self.count("mac.no_key")
            return self._refused(received, kept)
        judgement = self.security.command(received, alive)
        self.count("mac." + judgement.action)
        if judgement.error is not None:
            self.count("mac." + judgement.error.code)
        if judgement.action == counters.EXECUTE:
            return self._executed(received, judgement.data, rx0_us)
        if judgement.action == counters.REPEAT and kept is not None:
            return Answer(kept[0], kept[1], kept, False, None)
        return self._refused(received, kept)

    def _refused(self, received, kept):
        """Nothing has changed: a command that was executed before may still be repeated."""
        return Answer(mac.MERR if received.type == mac.MCMD else None, None, kept, False, None)

    def _executed(self, received, data, rx0_us):
        told = self.services.execute(data, rx0_us, self.time.now_us)
        minutes, self.services.request_min = self.services.request_min, None
        session_us = None if minutes is None else minutes * 60000000
        if received.type != mac.MCMD:
            return Answer(None, None, None, True, session_us)
        body = self.security.answer(told)
        return Answer(mac.MRSP, body, (mac.MRSP, body), True, session_us)

    # --- reports ---

    def report(self, now_us, installing=False):
        """(secured Body for a MSNR or None, whether its counter is to be stored first)"""
        security = self.security
        due = installing or self._reported_us is None or now_us - self._reported_us >= REPORT_US
        if security is None or self.managed is None or not due:
            return None, False
        self._reported_us = now_us
        told = [values.encode(blocks.CMD_COUNTER, security.cmd)] + self.managed.status()
        body = security.unsolicited(blocks.build(told), True)
        return body, not security.covered()

    # --- what lasts ---

    def snapshot(self):
        """What `rollback` takes."""
        security = self.security and (self.security.der_counter, self.security.snr, self.security.cmd)
        return self.security, security, self.services.export(), self.time.clock, self._key

    def rollback(self, snapshot):
        """As before a command that could not be stored. Temporary link parameters are over."""
        self.security, security, services, self.time.clock, self._key = snapshot
        if security is not None:
            self.security.rollback(security)
        self.services.rollback(services)
        self.lost()

    def lost(self):
        """What `export` gave was not stored."""
        if self.security is not None:
            self.security.reserved = -1
        self._reported_us = None

    def export(self):
        """Plain data for `stored`."""
        return {
            "counters": self.security.export() if self.security else self._stored,
            "services": self.services.export(),
            "clock": self.time.export(),
        }
