"""A burst meter as its gateway knows it: where and when it listens, and the frames that go to it (OMS Vol.2 Annex Q.2.4.6, Q.3.3,
Q.3.5; LPWAN sheet sections 2, 11, 14, 17).

The slots count from the burst that was heard; an answer echoes its TIV, and its carrier is moved by as much as the meter's own
was off. The largest rate-1/3 frame that the meter's DL-RXM takes is preferred, as the strongest.
"""

from collections import namedtuple

from ...errors import MisuseError, NoKeyError
from ...link.lpwan import elements, llc
from ...link.lpwan.manager_counters import Manager
from ...phy.burst import burst, fec, submodes, timing
from ...phy.burst.header import Header
from ..partner import Partner, level_of

# mode: sub-mode with sub-carrier. window: (from, until) of the first chip. number: of RX0 to RX5. index: 1, 2, 3 of DL1 to DL3.
Chance = namedtuple("Chance", ("mode", "window", "number", "index"))

MAC_KEY = 0x0F
# A meter keeps the number of what it has received for 255 s, at least (LPWAN sheet 17, L7); where it has a session resume
# delay, until that is over and its MACC has brought nothing.
KEPT_US = 250000000
_RESUMED_US = 60000000
_BESIDES_US = 1000000  # an uplink in a session may be late by its burst and a clock's tolerance
_MOST_DATA = 243  # bytes of a burst behind its header that every gateway's radio sends (LPWAN sheet 22)
_MAC_BYTES = 6  # MHCTL, MElement_DA, CRC
_LLC_BYTES = 11  # LC, C, M2 A2, ACC; and M A of a gateway that is not the allocated one
_NAMED_BYTES = 8
_AFL_BYTES = 30  # of the first fragment, with KI
_LEAST_ROOM = 20
# Bytes of a MAC frame in which any order can be brought, by the allocated gateway.
LEAST = _MAC_BYTES + _LLC_BYTES + _AFL_BYTES + _LEAST_ROOM
_SINGLE = (2, 1, 0)  # FEC rates, the strongest first


class BurstPartner(Partner):
    """As Partner. rtrm: t_RM that is asked of it in sessions, 1 fast, 2 medium, 3 slow, 0: as it likes. managing:
    gateway_managed.Managing, or None.

    last: Message heard last, or None. up: what it said of its access. resume_s: its session resume delay as far as it is
    known. closed_us: when its last session was closed, or None.
    """

    always = False

    def __init__(
        self,
        address,
        key=None,
        profile=None,
        version=0,
        keys=None,
        allocated=True,
        rtrm=0,
        managing=None,
    ):
        super().__init__(address, key, profile, version, keys, allocated)
        if not 0 <= rtrm <= 3:
            raise MisuseError("t_RM is asked for as 0 to 3, not {}".format(rtrm))
        self.rtrm = rtrm
        self.managing = managing
        self.kept_us = KEPT_US
        self.last = None
        self.up = elements.ABSENT_UP
        self.resume_s = 0
        self.closed_us = None
        self._open_until_us = None
        self._manager = self._stored = None

    def manager(self):
        """The NW-Manager's counters for it. NoKeyError without a MAC key, or as long as nobody knows its address."""
        if self._manager is None:
            found = self.keys(MAC_KEY, None)
            if found is None or found[1] is None or self.link is None:
                raise NoKeyError("no MAC key (KeyID 0F) for {}".format(self.name))
            self._manager = Manager(found[1], self.link, self._stored)
        return self._manager

    def rekeyed(self, key):
        """The MAC key was changed: its counters begin anew (Q.3.4.3)."""
        self._manager = Manager(key, self.link)

    def keeps(self, once):
        """An order begins; once: it must not be executed twice."""
        self.kept_us = KEPT_US if once else max(KEPT_US, self.resume_s * 1000000 + _RESUMED_US)

    def export(self):
        state = super().export()
        state["mac"] = self._manager.export() if self._manager else self._stored
        state["resume_s"] = self.resume_s
        return state

    def restore(self, state, now_us):
        super().restore(state, now_us)
        stored, resume_s = state.get("mac"), state.get("resume_s", 0)
        if stored is not None:
            Manager(None, None, stored)  # StoreError: else its counters would be used twice
        if not isinstance(resume_s, int) or not 0 <= resume_s <= 510:
            raise ValueError
        self._stored, self.resume_s = stored, resume_s

    def _watch(self):
        pass

    # --- what is heard of it ---

    def heard(self, seen, message):
        """Whether it is newer than all that was heard of it: a decoder may have taken its time."""
        if self.last is not None and message.at_us < self.last.at_us:
            return False
        self.mode = message.submode
        self.last = message
        self.up = seen.up
        self.level = level_of(message.rssi_dbm)
        return True

    def answered(self, sent_us):
        """It has answered: its session is open, however long that took."""
        self._open_until_us = self.last.at_us + self.kept_us

    def demanded(self, sent_us):
        pass

    def advance(self, now_us):
        """Its session ends by time."""
        if self._open_until_us is not None and now_us >= self._open_until_us:
            self._open_until_us = None

    def next_us(self, now_us):
        return None

    @property
    def ready(self):
        secure = self.security_mode is not None and (self.security_mode == 0 or self.side.key is not None)
        return secure and self.meter is not None and self.last is not None

    @property
    def awake(self):
        """Whether a session is open: it waits for the last downlink."""
        return self._open_until_us is not None

    @property
    def over_us(self):
        return self._open_until_us or 0

    def said(self, end_us, closing_us):
        """A downlink was sent. closing_us: with SC, the end of the slots in which it is said; else None."""
        self._open_until_us = closing_us or end_us + self.kept_us
        self.closed_us = closing_us

    def resumed(self, now_us):
        """It goes on with a session that was closed: it has not heard so."""
        self._open_until_us = now_us + KEPT_US

    def believed(self, meter, link, mode):
        super().believed(meter, link, mode)
        self.with_ell = True  # the LLC has a number of its own

    # --- when it listens ---

    def _timing(self):
        option = elements.option(self.up)
        access = timing.access(self.mode, option)
        rxm = access.rxm if self.up.rxm is None else self.up.rxm
        return access, self.up.timing or access.timing, rxm

    def chances(self, from_us):
        """[Chance] of its last uplink that begin behind from_us, in the order of time."""
        last, up = self.last, self.up
        if last is None or elements.option(up) is None or up.downlink[:4] != "DL-B":
            return []
        access, option, _ = self._timing()
        out = []
        for slot in timing.slots(last.submode, last.header, option, access.additional, access.multi):
            n = up.downlink_n[slot.index - 1] if up.downlink_n else submodes.MIDDLE
            offset_us = timing.heard_late(last.submode, last.header, last.index, slot.offset_us)
            start, until = timing.answering(up.downlink, offset_us)
            window = (last.heard_us + start, last.heard_us + until)
            if window[0] > from_us:
                out.append(Chance(submodes.name_of(up.downlink, n), window, slot.number, slot.index))
        return out

    def answer_until_us(self, sent_us):
        """The end of its answer, at the latest: the next uplink of its session, with all its bursts."""
        last = self.last
        if elements.option(self.up) is None:
            return sent_us
        access, option, _ = self._timing()
        _, latest_us = timing.next_tx0(last.submode, last.header, option, access.multi, self.asked_rm)
        bursts_us = timing.burst_offset(last.submode, last.header, 3)
        return max(last.at_us + latest_us + bursts_us + _BESIDES_US, sent_us)

    def next_part_us(self, session):
        """How long until the next uplink of an uplink session; None if there is none. session: UL-SC."""
        distance_us = timing.session_distance(self.last.submode, self.last.header, session)
        bursts_us = timing.burst_offset(self.last.submode, self.last.header, 3)
        return distance_us and distance_us + bursts_us + _BESIDES_US

    # --- what is said to it ---

    @property
    def asked_rm(self):
        """RTRM of a downlink now: never less than the t_RM that it has announced (Q.3.5.3.1.1)."""
        return self.rtrm and max(self.rtrm, timing.speeds(self._timing()[1])[1] + 1)

    def telegram(self, gateway, kind, number, payload, named=False):
        """MAC payload: bytes from the LLC on. kind: None for an LLC without C-field."""
        c_field = kind and self._c_field(kind)
        # Who is not the allocated gateway says who he is, and wants to be named in the answer (P 3.1.4).
        mine = not self.allocated
        fields = llc.gateway_down(
            c_field, self.link, number, payload or None, gateway if mine else None, int(mine)
        )
        return llc.build(fields, False)

    def _longest(self):
        """Bytes of the longest MAC frame that fits one burst to it."""
        rxm = self._timing()[2] if elements.option(self.up) else 0
        at_most = timing.largest_payload(self.up.downlink, rxm, 0, 0) if self.up.downlink else None
        return min(at_most or 0, fec.payload_bytes(fec.layouts(0, 0)[0], _MOST_DATA))

    def _room(self, fragmented):
        room = self._longest() - _MAC_BYTES - _LLC_BYTES - (0 if self.allocated else _NAMED_BYTES)
        room -= _AFL_BYTES if fragmented else 0
        if room < _LEAST_ROOM:
            raise MisuseError("a burst to this meter holds {} bytes: too few".format(self._longest()))
        return room

    def chips(self, frame, multi):
        """Chips of each burst of a downlink MAC frame: one, in the strongest rate that fits, or three. MisuseError if it does
        not fit."""
        tiv = self.last.header.tiv
        for burst_type in (0,) if multi else _SINGLE:
            if self._fits(len(frame), multi, burst_type):
                return burst.downlink(frame, tiv, multi, burst_type)
        raise MisuseError("a frame of {} bytes does not fit a burst to this meter".format(len(frame)))

    def takes_multi(self, length):
        """Whether a frame goes as a multi burst: the strongest that there is, for who takes it."""
        return 1 if self._timing()[0].multi and self._fits(length, 1, 0) else 0

    def holds(self, length):
        """Whether there is a burst for a frame of so many bytes."""
        return self._fits(length, 0, 0) or self.takes_multi(length) > 0

    def _fits(self, length, multi, burst_type):
        most = timing.largest_payload(self.up.downlink, self._timing()[2], multi, burst_type)
        return length <= (most or 0) and burst.data_bytes(Header(length, 0, multi, burst_type)) <= _MOST_DATA

    def until_rx0_us(self, at_us):
        """From the beginning of a window to RX0, at which times are meant, whichever slot they are told in (Q.19 to Q.23)."""
        last = self.last
        option = self._timing()[1]
        for one in self.chances(at_us - 1):
            if one.window[0] == at_us:
                late_us = timing.to_application_time(last.submode, last.header, option, one.number)
                return late_us + timing.JITTER_US + timing.front(one.mode)
        return 0

    @property
    def offset_hz(self):
        """By how much its carrier is off, at the frequency of the downlink; 0 where nobody knows."""
        last = self.last
        if last.offset_hz is None:
            return 0
        up_hz = submodes.find(last.submode, "up").frequency_hz
        return last.offset_hz * submodes.find(self.up.downlink, "down").frequency_hz // up_hz
