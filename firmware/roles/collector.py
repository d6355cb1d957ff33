"""The collector: hears everything, decodes with the keys it has, tells each telegram once, and counts.

A second copy of a telegram (through a repeater, or the meter's own repetition) is recognised by identity, transport
header, what became of it and a hash of the payload: not by the whole telegram, since a repeater sets the hop bit in the
ELL or in the configuration field (link sheet 7.2). The first copy is delivered at once; later ones are counted, and the
statistics of the meter keep the better RSSI. The window counts from the first copy, so a meter that never changes
its access number is still told once per window. It must stay shorter than 256 transmissions of the fastest meter
(the access number has 8 bits) and longer than a repeater may hold a telegram back (25 s, OMS 5.2.5).

Authentic messages are recognised for ever by their counter (trust.py); messages in fragments are told when they are whole.
What has to survive a restart is stored once a minute, because that wears out an SD card less than once per telegram: behind a
power cut, what was heard in the last minute could be played to it once more.
"""

from hashlib import sha256

from ..application.telegram import AUTHENTICATED, INCOMPLETE, decode
from ..errors import OmsError, SecurityError
from ..link import frame_a, frame_b
from ..phy import modes, radio
from ..transport.fragmentation import Reassembly
from .actions import REFUSED, Deliver, Listen, Persist
from .trust import REPEATED, Trust

WINDOW_US = 60000000
STORE_US = 60000000
_RECENT = 128  # telegrams remembered for duplicates
_METERS = 512  # senders with statistics


class KnownMeter:
    """name: what the user calls it. address: pattern, fields that are None match all. key: security Key or None.
    profile: OMS security profile "A", "B" or "D" below which nothing is taken, or None."""

    def __init__(self, name, address, key=None, profile=None):
        self.name = name
        self.address = address
        self.key = key
        self.profile = profile


class Reading:
    """One telegram as it leaves the collector.

    telegram: decoded (application.telegram.Telegram; its `error` says if it was refused). raw: its bytes without link
    CRCs. mode: "T1", "C1", "S1", or the sub-mode of a burst. frame_format: "A" or "B". rssi_dbm: or None. at_us: end of the sync word on the
    board's clock; wall_us: the same instant as UTC in us since 1970, or None. radio: which of ours heard it. name: of
    the known meter, or None.
    """

    def __init__(self, telegram, raw, event, wall_us, radio_name, name):
        self.telegram = telegram
        self.raw = raw
        self.mode = event.family if len(event.family) > 1 else event.family + "1"
        self.frame_format = event.frame_format
        self.rssi_dbm = event.rssi_dbm
        self.at_us = event.at_us
        self.wall_us = wall_us
        self.radio = radio_name
        self.name = name


class Statistics:
    """Of one meter. telegrams: told, duplicates: not told. rejects: {error code: how many}. rssi_dbm: of its last
    telegram, the best of all copies; best_rssi_dbm: of all telegrams. last_us: when it was heard last.
    """

    def __init__(self, name):
        self.name = name
        self.telegrams = 0
        self.duplicates = 0
        self.rejects = {}
        self.rssi_dbm = None
        self.best_rssi_dbm = None
        self.last_us = None


class Collector:
    """meters: list of KnownMeter. mode: what to listen to. radio_name: appears in each reading. window_us: within which a
    second copy is a duplicate. default_keys: function of an Address that returns the publicly known Keys to try where no
    meter's key is known (security.default_keys.of), or None. formats: application.frames.Formats that learns from what is
    heard, for compact frames, or None. trust: trust.Trust, a new one if None. decode: application.telegram.decode, or what
    does the same. keys: function (Address, KeyID, key version or None) that returns a Key or None, for meters without a
    key of their own and for other KeyIDs and versions; or None.

    counters: frames, delivered, duplicates, fragments (parts of messages, not told) and `rejected.<code>`. statistics:
    {address as 8 link bytes: Statistics}.
    """

    def __init__(
        self,
        meters=(),
        mode=modes.T_AND_C,
        radio_name="main",
        window_us=WINDOW_US,
        default_keys=None,
        formats=None,
        trust=None,
        decode=decode,
        keys=None,
    ):
        self._decode = decode
        self._known = {}  # printed number: the KnownMeters that have it
        for meter in meters:
            self._known.setdefault(meter.address.ident, []).append(meter)
        self.mode = mode
        self.radio_name = radio_name
        self.window_us = window_us
        self.default_keys = default_keys
        self.formats = formats
        self.trust = trust or Trust()
        self._keys = keys
        self.fragments = Reassembly()
        self.counters = {"frames": 0, "delivered": 0, "duplicates": 0}
        self.statistics = {}
        self._recent = [None] * _RECENT  # ring of (key, at_us)
        self._next = 0
        self._stored_us = None  # when state was handed out last
        self.due_us = None  # when state is to be handed out

    def start(self, now_us):
        """Listen, until the node ends."""
        return [Listen(self.mode, modes.UP)]

    def tick(self, now_us, wall_us=None):
        """At `due_us`: hand out what is to be stored."""
        return self._persist(now_us)

    def feed(self, event, now_us, wall_us=None):
        """event: of the radio driver. wall_us: UTC of event.at_us in us since 1970, or None. Returns [], or Persist and
        Deliver as they are needed.
        """
        if event.kind == radio.REJECTED:
            self._reject(self.counters, event.error.code)
        elif event.kind == radio.FRAME:
            self.counters["frames"] += 1
            try:
                told = self._telegram(self._raw(event), event, now_us, wall_us)
                return told + self._persist(now_us)
            except OmsError as error:
                # Damaged on the air: whose it was cannot be trusted either.
                self._reject(self.counters, error.code)
        elif event.kind == REFUSED and event.code == "persist":
            self.trust.changed = True  # again in a minute, even if nothing new is heard
            self.due_us = now_us + STORE_US
        return []

    def state(self):
        """What is to be stored, as plain data: "formats" is for Formats(state=...), "counters" for Trust(...)."""
        state = {"counters": self.trust.export()}
        if self.formats is not None:
            state["formats"] = self.formats.export()
        return state

    def _persist(self, now_us):
        """Behind the Deliver: a full disk does not hold up readings."""
        self.due_us = None
        if not self.trust.changed and not (self.formats is not None and self.formats.changed):
            return []
        if self._stored_us is not None and now_us - self._stored_us < STORE_US:
            self.due_us = self._stored_us + STORE_US
            return []
        self._stored_us = now_us
        return [Persist(self.state(), 0)]

    def stop(self):
        """An orderly end."""
        return [Persist(self.state(), 0)]

    def known(self, address):
        """The first KnownMeter whose pattern covers the address, or None."""
        for meter in self._known.get(address.ident, ()):
            if meter.address.matches(address):
                return meter
        return None

    def _key_for(self, address, key_id=0, key_version=None):
        meter = self.known(address)
        own = meter.key if meter else None
        if self._keys is not None and (own is None or key_id or key_version is not None):
            return self._keys(address, key_id, key_version) or own
        return own

    def _raw(self, event):
        strip = frame_b.strip if event.frame_format == "B" else frame_a.strip
        return strip(event.frame)

    def _telegram(self, raw, event, now_us, wall_us):
        telegram = self._decode(
            raw,
            self._key_for,
            self.default_keys,
            self.formats,
            fragments=self.fragments,
            now_us=now_us,
        )
        if telegram.verdict == INCOMPLETE and telegram.error.code == INCOMPLETE:
            self.counters["fragments"] = self.counters.get("fragments", 0) + 1
            return []
        address = telegram.address
        identity = address.link_bytes() if address else b""
        meter = self.known(address) if address else None
        name = meter.name if meter else None
        statistics = self._statistics(identity, name, event)
        payload = telegram.opened[telegram.payload_offset :]
        key = (identity, _head(telegram), sha256(payload).digest()[:8])
        if self._seen(key, event.at_us) or self._judged(telegram, meter) == REPEATED:
            self.counters["duplicates"] += 1
            statistics.duplicates += 1
            statistics.rssi_dbm = _better(statistics.rssi_dbm, event.rssi_dbm)
            return []
        statistics.telegrams += 1
        statistics.rssi_dbm = event.rssi_dbm
        if telegram.error:
            self._reject(self.counters, telegram.error.code)
            statistics.rejects[telegram.error.code] = statistics.rejects.get(telegram.error.code, 0) + 1
        self.counters["delivered"] += 1
        return [Deliver(Reading(telegram, raw, event, wall_us, self.radio_name, name))]

    def _judged(self, telegram, meter):
        """NEW or REPEATED of an authentic message. A telegram that is not to be believed loses its records here."""
        try:
            address = telegram.address
            master = address and self._key_for(address)
            self.trust.check(telegram, master, meter and meter.profile)
            if telegram.verdict == AUTHENTICATED:
                key = self._key_for(telegram.address, telegram.key_id, telegram.key_version)
                return self.trust.judge(telegram, key, master)
        except SecurityError as error:
            telegram.distrust(error)
        return None

    def _reject(self, counters, code):
        name = "rejected." + code
        counters[name] = counters.get(name, 0) + 1

    def _seen(self, key, at_us):
        for entry in self._recent:
            if entry and entry[0] == key and at_us - entry[1] < self.window_us:
                return True
        self._recent[self._next] = (key, at_us)
        self._next = (self._next + 1) % _RECENT
        return False

    def _statistics(self, identity, name, event):
        found = self.statistics.get(identity)
        if found is None:
            if len(self.statistics) >= _METERS:
                self._forget()
            found = self.statistics[identity] = Statistics(name)
        found.last_us = event.at_us
        found.best_rssi_dbm = _better(found.best_rssi_dbm, event.rssi_dbm)
        return found

    def _forget(self):
        """Room for a new sender: the stranger that has been silent longest goes; a known meter only if all are."""
        silent = None
        for identity, one in self.statistics.items():
            rank = (one.name is not None, one.last_us)
            if silent is None or rank < silent[0]:
                silent = (rank, identity)
        del self.statistics[silent[1]]


def _head(telegram):
    """What two copies of a telegram have in common beside identity and payload. What became of it is part of that: a forged
    copy that comes first and is refused makes no duplicate of the right one."""
    tpl = telegram.tpl
    error = telegram.error and telegram.error.code
    field = tpl and tpl.configuration_field
    if field and tpl.mode in (0, 5):
        field &= 0xFFFC  # without the bits of repeaters
    return telegram.access_number, telegram.verdict, error, tpl and (tpl.ci, tpl.status, field)


def _better(a, b):
    """The stronger of two levels in dBm, either may be None."""
    return b if a is None or (b is not None and b > a) else a
