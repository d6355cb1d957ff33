"""A board and a radio made of nothing, and a wire between radios: for tests of roles and node without any chip."""

from omsnode.firmware.phy import modes, radio


class Clock:
    def __init__(self):
        self.now_us = 0


class WireBoard:
    """Waiting takes no time: the clock jumps."""

    def __init__(self, clock):
        self.clock = clock

    def now_us(self):
        return self.clock.now_us

    def wait(self, until_us, exact=False):
        assert until_us is not None, "nothing would ever happen again"
        self.clock.now_us = max(self.clock.now_us, until_us)
        return [], 0


class WireRadio:
    """Fulfils phy/radio.py; chips that are sent reach `peers` at once, through their deframers."""

    def __init__(self, rssi_dbm=-60):
        self.rssi_dbm = rssi_dbm
        self.peers = []
        self.counters = {}
        self.calls = []
        self.events = []
        self._at_us = None
        self._mode = self._chips = self._deframer = None

    @property
    def due_us(self):
        return self.events[0].at_us if self.events else self._at_us

    def start(self, now_us):
        self.calls.append("start")

    def configure(self, mode, direction, channel=0, offset_hz=0, power_dbm=None):
        self._mode = None if mode == modes.T_AND_C else modes.find(mode, direction)

    def prepare(self, chips, now_us):
        self._chips = bytes(chips)

    def transmit(self, at_us, until_us=None):
        self.calls.append("transmit")
        self._at_us = at_us

    def listen(self, deframer, now_us):
        self.calls.append("listen")
        self._deframer = deframer

    def standby(self, now_us):
        self.calls.append("standby")

    def sleep(self, now_us):
        self.calls.append("sleep")

    def service(self, now_us, edges=()):
        events, self.events = self.events, []
        if self._at_us is not None and self._at_us <= now_us:
            at_us, self._at_us = self._at_us, None
            if at_us < now_us:
                return [*events, radio.Event(radio.TOO_LATE, at_us)]
            end_us = at_us + len(self._chips) * 8 * 1000000 // self._mode.chip_rate_cps
            events.append(radio.Event(radio.SENT, at_us, end_us))
            for peer in self.peers:
                peer.hear(self._chips, at_us, self.rssi_dbm)
        return events

    def hear(self, chips, at_us, rssi_dbm):
        """Chips from preamble on; the first 16 sync chips are found on byte borders, where `framing.chips` puts them."""
        sync = b"\x76\x96" if self._deframer.family == "S" else b"\x54\x3d"
        self._deframer.reset()
        start = chips.index(sync) + 2
        outcome = self._deframer.feed(chips[start:])
        found = self._deframer
        if outcome == 0:
            event = radio.Event(
                radio.FRAME,
                at_us,
                at_us + 1,
                bytes(found.frame),
                found.family,
                found.frame_format,
                rssi_dbm,
            )
        else:
            event = radio.Event(radio.REJECTED, at_us, error=found.error)
        self.events.append(event)
