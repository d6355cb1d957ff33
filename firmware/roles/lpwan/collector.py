"""A collector of burst meters: as roles.collector, over MAC and LLC instead of a link frame (LPWAN sheet sections 10 to 13, 20)."""

from ...application import telegram as application
from ...link.lpwan import mac
from ...link.lpwan import telegram as lpwan
from ...phy import radio
from ...transport.fragmentation import Reassembly
from ..actions import Deliver
from ..collector import Collector
from .hearing import MESSAGE, Hearing

FRAGMENT_US = 500000000  # between two fragments of an uplink session: 9 t_burst of 48 s at most (11.5)


class BurstCollector(Collector):
    """mode: the uplink sub-mode that is listened to, "UL-B4". costly: whether somebody fetches captures (delivered as
    hearing.Capture) and hands in what came of them (`decoded`). Else as Collector; more counters: bursts, `burst.<what>` of
    Hearing, mac_only (frames without upper layer, not told), no_mac (bodies that cannot be read)."""

    def __init__(self, meters=(), mode="UL-B4", costly=False, **more):
        super().__init__(meters, mode, decode=self._read, **more)
        self.hearing = Hearing(mode, costly)
        self._link = None
        self.fragments = Reassembly(timeout_us=FRAGMENT_US)

    def feed(self, event, now_us, wall_us=None):
        actions = []
        for one in self.messages(event, now_us):
            actions += super().feed(one, now_us, t0_utc(one, event.at_us, wall_us))
        return actions + self.captured()

    def decoded(self, number, payload, now_us, wall_us=None):
        """What became of a Capture that was delivered: the PHY payload, or None. wall_us: UTC of now_us. As `feed`."""
        actions = []
        for one in self.hearing.decoded(number, payload, now_us):
            actions += super().feed(one, now_us, t0_utc(one, now_us, wall_us))
        return actions

    def messages(self, event, now_us):
        """The Messages that a burst makes whole; anything else is itself."""
        if event.kind != radio.FRAME or event.frame_format == MESSAGE:
            return [event]
        self._add("bursts", 1)
        found = self.hearing.burst(event, now_us)
        for name, count in self.hearing.counters.items():
            self.counters["burst." + name] = count
        return found

    def captured(self):
        """[Deliver] of the captures that wait."""
        captures, self.hearing.captures = self.hearing.captures, []
        return [Deliver(one) for one in captures]

    def _raw(self, event):
        return event.frame

    def _telegram(self, raw, event, now_us, wall_us):
        self._link = link = lpwan.parse(raw, "up", event.submode)
        if link.mac.error is not None:
            self._add("no_mac", 1)
        if link.mac.type == mac.MACK or link.offset == len(link.message):
            self._add("mac_only", 1)
            return []
        return super()._telegram(raw, event, now_us, wall_us)

    def _read(self, raw, key_for, default_keys, formats, fragments=None, now_us=0):
        link = self._link
        return application.decode(
            link.message, key_for, default_keys, formats, fragments=fragments, now_us=now_us, link=link
        )

    def _add(self, name, count):
        self.counters[name] = self.counters.get(name, 0) + count


def t0_utc(event, at_us, wall_us):
    """UTC of a Message's T0, by which uplinks are stamped, whichever burst was heard (Q.2.4.6.5.3). wall_us: UTC of at_us, or
    None. Any other event is where it was."""
    if wall_us is None or event.frame_format != MESSAGE:
        return wall_us
    return wall_us - at_us + event.at_us
