"""A meter as its gateway knows it: addresses, keys and counters, access numbers, and the telegrams that go to
it (OMS Vol.2 3.1.3, 7.2.2.1, 9.3.2.4; oms-requirements sheet 3, 4, 6.1; security sheet 10.1, 11).
"""

from ..errors import MisuseError
from ..link import control, extended, timing
from ..link.access import ALWAYS, ANSWER, RECEIVED, REST, SENT, TABLE, Access
from ..phy import modes
from ..portable import const
from ..security.counters import LAST
from ..transport import authentication, compose, sealing
from . import room
from .seen import ANSWERS, FAMILIES

MASTER = const(0)
_MODES = {"A": 5, "B": 7, "D": 10}  # security mode of a profile
_EMPTY = const(0x80)
_CC = const(0x84)  # B and A, and D = 0: a stationary gateway wants the slow answer (4.3.3.1)
_FCB = const(0x20)
_PERIOD_US = const(20000)  # between two repetitions, what t_TxD may be off as it is heard
_C_FIELDS = {
    "SND-NKE": control.SND_NKE,
    "SND-UD": control.SND_UD,
    "SND-UD2": control.SND_UD2,
    "REQ-UD1": control.REQ_UD1,
    "REQ-UD2": control.REQ_UD2,
}
_WITH_FCB = ("SND-UD", "REQ-UD1", "REQ-UD2")
# Of the message counter, at most 100 (9.3.2.4): the meter's own messages that were not heard lie in between.
STEP, LONG_STEP = const(50), const(100)
_FRAME_US = const(150000)  # longer than any frame
_MESSAGE = const(16000)  # bytes of application data: a message has at most 16 kbytes (clause 6)
_NUMBERS = const(250)  # new access numbers within the time in which none is used again
# Commands whose length the application cannot tell from fillers: the transport layer pads them (sheet 11).
_PADDED = (0x53, 0x55, 0xC0, 0xC3)


class Side:
    """A communication key of the meter. version, key: as handed in. sent: our last message counter (C_GW).
    heard: the last authentic one of the meter (C''_M). told: whether it was said that this is near its
    end."""

    def __init__(self, version, key):
        self.version = version
        self.key = key
        self.sent = 0
        self.heard = 0
        self.told = False


class Partner:
    """address: the meter's application address, a pattern until it was heard whole. key: its master key, or
    None. profile: OMS security profile "A", "B" or "D"; None: that with which it was heard, or none where
    there is no key. version: of the key. keys: function (KeyID, version or None for the active one) that
    gives (version, Key) or None. allocated: False for a service tool, which names itself and the meter in
    every telegram.

    meter, link: Addresses as heard: of the application, and of who sends for it (an adapter, or the same), or
    None. mode: "S2", "T2" or "C2", or None. period_us: t_TxD, as heard. access: when it listens. level:
    reception level for the status byte.
    """

    kept_us = timing.CYCLE_END_US[0]  # so long it keeps the access number of what it has received, at least

    def __init__(self, address, key=None, profile=None, version=0, keys=None, allocated=True):
        self.pattern = address
        self.keys = keys or (
            lambda key_id, version=None: None if key_id or key is None else (self.side.version, key)
        )
        self.allocated = allocated
        self.security_mode = _MODES[profile] if profile else None if key else 0
        self.side = Side(version, key)
        self.rival = None  # Side under which it may already speak (roles/orders/keys.py)
        self.meter = None
        self.link = None
        self.mode = None
        self.with_ell = True
        self.snd_ud2 = True  # False: it was found not to know it
        self.access = None
        self.period_us = timing.CYCLE_US[1]
        self._last = None  # (kind, number, at_us) of its last answer
        self.level = 0
        self.prediction = None
        self.number = 0  # g
        self.message = 0  # p
        self._fcb = 0
        self._used = []  # when access numbers were used, within the time in which none comes again
        self._counters = {}  # by fingerprint: of keys that it does not have now
        try:
            self._know(address, address)
        except MisuseError:
            pass

    @property
    def name(self):
        return str(self.pattern)

    def _know(self, meter, link):
        meter.link_bytes()
        self.meter, self.link = meter, link

    def _watch(self):
        self.access = Access(self.mode, "up", self.period_us, timing.CYCLE_END_US[0])

    # --- what is heard of it ---

    def heard(self, seen, event):
        """A frame of it, not from a repeater. seen: roles.seen.Seen."""
        mode = FAMILIES[event.family]
        if self.access is None or self.mode != mode:
            self.mode = mode
            self._watch()
        self.level = level_of(event.rssi_dbm)
        if seen.cc is not None:
            self.advance(event.at_us)
            access = self.access
            if (access.state, SENT) not in TABLE:
                access.state = REST
            answer = seen.kind in ANSWERS
            if answer:
                self._period(seen, event.at_us)
            # What was of its own accord is not what the cycle repeats.
            access.sent(event.at_us, event.end_us, seen.cc, answer or access.over_us is None)
        if seen.cc and seen.number is not None and seen.kind in ("SND-NR", "ACC-NR", "ACC-DMD"):
            if self.prediction is None:
                from ..link.prediction import Prediction

                self.prediction = Prediction()
            synchronous = bool(seen.cc & extended.SYNCHRONOUS)
            self.prediction.feed(event.at_us, seen.number, synchronous, 0, seen.kind != "ACC-NR")

    def _period(self, seen, at_us):
        """The time between two repetitions is one of a few, chosen by the meter."""
        last, self._last = self._last, (seen.kind, seen.number, at_us)
        if last is not None and last[:2] == self._last[:2]:
            for period_us in timing.CYCLE_US:
                if abs(at_us - last[2] - period_us) < _PERIOD_US:
                    self.period_us = self.access.period_us = period_us

    def answered(self, sent_us):
        """It received what ended then: its cycle runs from there."""
        if self.access.state != ALWAYS and (self.access.state, RECEIVED) in TABLE:
            self.access.received(sent_us)

    def demanded(self, sent_us):
        """It received the ACK of its ACC-DMD."""
        if self.access.state not in (ALWAYS, ANSWER):
            self.access.received(sent_us, False)

    def advance(self, now_us):
        """Let its windows pass."""
        access = self.access
        while access is not None and access.due_us is not None and access.due_us <= now_us:
            if access.tick(now_us) is None:
                break

    def next_us(self, now_us):
        """When it is expected to speak next, in its cycle or in its slot; None if nobody knows."""
        access = self.access
        if access.over_us is not None and access.repeat_us is not None:
            late_us = max(0, now_us - access.repeat_us)
            return access.repeat_us + -(-late_us // self.period_us) * self.period_us
        expected = self.prediction.next(now_us) if self.prediction else None
        return expected[0] if expected else None

    def answer_until_us(self, sent_us):
        """The end of its answer to what ended at sent_us, at the latest."""
        return timing.listening(self.mode, 0, sent_us, modes.DOWN)[1] + _FRAME_US

    @property
    def over_us(self):
        """When its cycle ends, or None."""
        return self.access and self.access.over_us

    @property
    def ready(self):
        """Whether everything is known that a telegram to it needs."""
        secure = self.security_mode is not None and (self.security_mode == 0 or self.side.key is not None)
        return secure and self.meter is not None and self.access is not None

    @property
    def awake(self):
        """Whether it listens again within its cycle, or always."""
        return self.access is not None and (self.always or self.access.over_us is not None)

    @property
    def always(self):
        return self.access is not None and self.access.state == ALWAYS

    def believed(self, meter, link, mode):
        """A message that is as well protected as can be expected came from this address, in this security
        mode. link: link.telegram.Link."""
        if self.meter is None or self.meter == meter:
            self._know(meter, link.address)
            self.with_ell = link.ell is not None
        if self.security_mode is None:
            self.security_mode = mode

    # --- what is said to it ---

    def take(self, now_us):
        """The next access number for a new datagram; None if all were used within the last 300 s."""
        since_us = now_us - timing.ACCESS_NUMBER_REUSE_US
        self._used = [used_us for used_us in self._used if used_us > since_us]
        if len(self._used) >= _NUMBERS:
            return None
        self._used.append(now_us)
        self.number = (self.number + 1) & 0xFF
        self._fcb ^= _FCB
        return self.number

    def take_for_nke(self, now_us):
        """As `take`, for a SND-NKE beside the session: FCB begins anew behind it."""
        number = self.take(now_us)
        self._fcb = 0
        return number

    def new_message(self):
        """A TPL access number for new content; without ELL it is that of the datagram."""
        self.message = (self.message + 1) & 0xFF if self.with_ell else self.number
        return self.message

    def telegram(self, gateway, kind, number, payload, named=False):
        """Bytes without link CRCs. kind: "SND-UD", ...; payload: behind the ELL. named: the receiver in the
        ELL, though a meter that has no adapter needs none."""
        return build(gateway, self._c_field(kind), self._ell(number, named) + payload)

    def _c_field(self, kind):
        c_field = _C_FIELDS[kind] | (self._fcb if kind in _WITH_FCB else 0)
        if kind == "SND-NKE":
            self._fcb = 0  # the first one behind it is 1
        return c_field

    def _ell(self, number, named=False, cc=_CC):
        if not self.with_ell:
            return b""
        adapter = self.link.link_bytes() != self.meter.link_bytes()
        named = named or adapter or not self.allocated
        return extended.build(cc, number, self.link if named else None)

    def head(self):
        """The transport layer of a telegram without data."""
        return compose.build(_EMPTY, self.message, self.level, 0, self.meter)

    def next_counter(self, side, step):
        """Take the next message counter; False if the key is used up."""
        counter = max(side.sent, side.heard) + step
        if counter > LAST:
            return False
        side.sent = counter
        return True

    def seal(self, ci, data, side, named):
        """[payloads] of the datagrams that carry application data; more than one is fragmented. side: whose
        key and counter. named: the key version is told. MisuseError if they are too long for a message."""
        from ..application import sitp_blocks

        if len(data) > _MESSAGE:
            raise MisuseError("{} bytes are too long for a message".format(len(data)))

        mode = self.security_mode
        version = side.version if named else None
        security = sealing.Security(mode, side.key if mode else None, side.sent, MASTER, version)
        security.padded = mode == 7 and ci in _PADDED and len(data) > 0 and sitp_blocks.padded(data)
        arguments = (security, ci, self.meter, self.message, self.level, data)
        afl, message = sealing.seal(*arguments, long=True, up=False)
        whole = (authentication.build(afl) if afl else b"") + message
        if len(whole) <= self._room(False):
            return [whole]
        from ..transport import fragmentation

        afl, message = sealing.seal(*arguments, long=True, up=False, fragmented=True)
        return fragmentation.split(afl, message, [self._room(True)])

    def _room(self, fragmented):
        """Bytes that one telegram holds: from the AFL on, or of a message in fragments."""
        if fragmented:
            return room.piece(self.mode, modes.DOWN)
        return room.whole(self.mode, modes.DOWN) - 9 - len(self._ell(0))

    # --- keys ---

    def key_for(self, side):
        """As transport.protection wants it: the Key of the side, and others that are named."""

        def key_for(_address, key_id=MASTER, version=None):
            if key_id == MASTER:  # another version is another side, with counters of its own
                return side.key if version in (None, side.version) else None
            found = self.keys(key_id, version)
            return found and found[1]

        return key_for

    def try_key(self, new):
        """new: (KeyID, version, Key) under which it may already speak, or None."""
        if new is None or new[0] != MASTER:
            self.rival = None
        elif self.rival is None or self.rival.key != new[2]:
            self.rival = Side(new[1], new[2])
            self._remembered(self.rival)

    def adopt(self, new):
        """This key holds from now on."""
        self.try_key(new)
        if self.rival is not None:
            self._counters[self.side.key.fingerprint()] = [self.side.sent, self.side.heard]
            self.side, self.rival = self.rival, None
            side = self.side
            self.keys = _with(self.keys, side)

    def _remembered(self, side):
        if side.key is not None:
            side.sent, side.heard = self._counters.get(side.key.fingerprint(), (0, 0))

    # --- what is stored ---

    def export(self):
        counters = dict(self._counters)
        for side in (self.side, self.rival):
            if side is not None and side.key is not None:
                counters[side.key.fingerprint()] = [side.sent, side.heard]
        return {
            "meter": self.meter.tpl_bytes().hex() if self.meter else None,
            "link": self.link.link_bytes().hex() if self.link else None,
            "mode": self.mode,
            "period_us": self.period_us,
            "security_mode": self.security_mode,
            "with_ell": self.with_ell,
            "snd_ud2": self.snd_ud2,
            "numbers": [self.number, self.message, len(self._used)],
            "counters": counters,
        }

    def restore(self, state, now_us):
        """ValueError, TypeError or KeyError if it is no export."""
        from ..link.address import Address

        for counters in state["counters"].values():
            for count in counters:
                if not isinstance(count, int) or not 0 <= count <= LAST:
                    raise ValueError
        if state["meter"]:
            meter = Address.from_tpl(bytes.fromhex(state["meter"]))
            if self.pattern.matches(meter):
                self._know(meter, Address.from_link(bytes.fromhex(state["link"])))
        self.mode = state["mode"]
        self.period_us = state["period_us"]
        if self.mode:
            self._watch()
        if self.security_mode is None:
            self.security_mode = state["security_mode"]
        self.with_ell, self.snd_ud2 = bool(state["with_ell"]), bool(state["snd_ud2"])
        number, message, used = state["numbers"]
        self.number, self.message = number & 0xFF, message & 0xFF
        self._used = [now_us] * min(used, _NUMBERS)  # how long ago is not known any more
        self._counters = dict(state["counters"])
        self._remembered(self.side)


def _with(keys, side):
    """`keys`, with a master key that is newer than what they know."""

    def found(key_id, version=None):
        if key_id == MASTER and version in (None, side.version):
            return side.version, side.key
        return keys(key_id, version)

    return found


def build(gateway, c_field, payload):
    """Telegram of the gateway; bytes without link CRCs."""
    return bytes((9 + len(payload), c_field)) + gateway.link_bytes() + payload


def level_of(rssi_dbm):
    """Status byte of a gateway: how strong it hears the meter, 0 where that is not known (security sheet
    3.2)."""
    return 0 if rssi_dbm is None else max(1, min(0x3F, (rssi_dbm + 130) // 2))


def echo(gateway, c_field, seen, level, named=False):
    """ACK or CNF-IR to what was heard: with the meter's own numbers (7.2.2.1). It names the meter where that
    has named us."""
    named = named or seen.receiver is not None
    adapter = seen.link.address.link_bytes() != seen.address.link_bytes()
    out = b""
    number = seen.tpl.access_number if seen.tpl.access_number is not None else seen.number
    if seen.link.ell is not None:
        out = extended.build(_CC, seen.number, seen.link.address if named or adapter else None)
    return build(gateway, c_field, out + compose.build(_EMPTY, number, level, 0, seen.address))


def farewell(gateway, seen, number, level):
    """The SND-NKE that follows a SND-IR (5.2.6)."""
    adapter = seen.link.address.link_bytes() != seen.address.link_bytes()
    out = b""
    if seen.link.ell is not None:
        out = extended.build(_CC, number, seen.link.address if adapter else None)
    return build(gateway, control.SND_NKE, out + compose.build(_EMPTY, number, level, 0, seen.address))
