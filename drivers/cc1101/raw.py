"""Raw reception of bursts (LPWAN sheet 22, 23): no sync word in the chip, every chip goes to the host, which finds the sync with
several wrong chips, or the midamble (firmware/phy/burst/hunter.py).

The FIFO never rests, 15.6 kB/s in UL-B4: it is read whenever it holds 16 bytes (or `threshold_bytes` of the driver, if that is
more: half of the work with 32), the other 48 are what a late host may take (3 ms; 16 ms in DL-B4), and the receiver is restarted for nothing but a calibration or a fault. Instants are reckoned from the
edges of the threshold, each of which says when a byte was complete, by the number of chips between and the sender's chip
clock as two of them measure it. A chip that streams nothing without a sync word goes back to one (fault "no_raw").
"""

from omsnode.firmware.phy import modes
from omsnode.firmware.phy.burst.hunter import Hunter
from omsnode.firmware.portable import const

from ..outcome import outcome
from .receive import Receiver

_FIFO_BYTES = const(64)
_MARCSTATE = const(0x35)  # status registers (section 29.3)
_RXBYTES = const(0x3B)
_RX = const(0x0D)  # of MARCSTATE

_CHUNK_BYTES = const(16)
_LATE_BYTES = const(4)  # so many above the threshold, and no edge: it was lost
_SILENT = const(4)  # so often in a row: the wire is broken
_NEVER_US = const(1 << 60)
_STALLS = const(3)  # in a row before a byte ever came: this chip does not stream
_ANCHORS = const(64)  # of 16 bytes each: more than the longest burst
_CLOCK_CHIPS = const(64)  # measured over less the sender's clock is taken as the standard has it
_CLOCK_SHARE = const(64)  # nobody is so far off


class RawReceiver(Receiver):
    def __init__(self, driver):
        super().__init__(driver)
        self._hunter = None
        self._streams = False  # a byte came, ever
        self._stalls = 0

    @property
    def receiving(self):
        return self._hunter is not None and self._hunter.receiving

    def listen(self, deframer, block, now_us):
        self._own = deframer
        self._hunter = Hunter(deframer)
        mode, direction, _ = self._driver._wanted
        self._chip_cps = modes.find(mode, direction).chip_rate_cps
        super().listen(deframer, block, now_us)

    def _arm(self, now_us):
        super()._arm(now_us)
        self._threshold = max(_CHUNK_BYTES, self._driver.threshold_bytes)
        self._chip.set_threshold(self._threshold)
        self._restart_us = _NEVER_US  # what does not stream is noticed at once
        self._hunter.reset()
        self._taken = 0  # bytes
        self._anchors = []  # (chips of the stream, when the last of them was over, False: to half a byte)
        self._low = True  # the FIFO was below the threshold when it was last read
        self._missed = 0
        self._judged = None  # end of the sync that the quality belongs to

    def service(self, now_us, edges):
        driver = self._driver
        rises = 0
        rose_us = None
        for line, level, at_us in edges:
            if line == "gdo0" and level and at_us >= self._armed_us:
                rises += 1
                rose_us = at_us
        due = now_us >= driver.due_us
        if due:
            self._health.served(driver.due_us, now_us)
        if not (due or rises or driver.gdo0.read()):
            return
        status = self._chip.stable(_RXBYTES)
        n = status & 0x7F
        if n > _FIFO_BYTES:
            if now_us < self._settled_us:
                driver.due_us = self._settled_us
            else:
                self.fail(None, now_us)
            return
        overflow = status & 0x80 or n == _FIFO_BYTES
        if rises == 1 and self._low and self._fits(n, now_us - rose_us):
            self._anchor(self._taken + self._threshold, rose_us, True)
        elif n and not overflow:
            self._anchor(self._taken + n, now_us - self._byte_us // 2, False)
        if n > 1:
            self._lines_seen(rises, n, now_us)
            self._take(n if overflow else n - 1, now_us)
        if overflow:
            self.fail("rx_overflow", now_us)
        elif n > 1 or now_us < self._settled_us:
            self._go_on_streaming(now_us)
        else:
            self._starving(rises, now_us)

    def _fits(self, n, us):
        """Whether the FIFO was at the threshold so long ago: an edge may come with the service behind the one that emptied it."""
        return -1 <= n - self._threshold - us // self._byte_us <= _LATE_BYTES

    def _anchor(self, n_bytes, at_us, exact):
        self._anchors.append((8 * n_bytes, at_us, exact))
        if len(self._anchors) > _ANCHORS:
            self._anchors.pop(0)

    def _lines_seen(self, rises, n, now_us):
        """The first edge that is missing is told, and a line without any; a broken one is no news hundreds of times a second."""
        if rises or not self._low:
            self._missed = 0
        elif n >= self._threshold + _LATE_BYTES:
            self._missed += 1
            if self._missed == 1:
                self._driver.fault("missed_interrupt", now_us)
            elif self._missed == _SILENT:
                self._driver.fault("gdo0_silent", now_us)

    def _take(self, n, now_us):
        """n bytes of the FIFO to the hunter, and what it finds."""
        driver, hunter = self._driver, self._hunter
        self._streams = True
        self._stalls = self._tries = 0
        data = bytes(self._chip.read_fifo(n))
        self._low = not driver.gdo0.read()
        self._taken += n
        for found in hunter.feed(data):
            self._tell(found, now_us)
        at = hunter.sync_chips
        if at is not None and at != self._judged:
            self._judge(at, now_us)

    def _judge(self, at, now_us):
        """RSSI and offset while the burst is on the air."""
        self._judged = at
        self._read_quality(now_us)

    def _tell(self, found, now_us):
        driver = self._driver
        if found.sync_chips != self._judged:
            self._judge(found.sync_chips, now_us)
        first, clock = self._clock(found)
        at_us = self._instant(found.sync_chips, first, clock)
        end_us = self._instant(found.end_chips, first, clock)
        if found.error is None:
            self._in_row = 0
            self._health.heard(now_us)
        driver.emit(
            outcome(driver.counters, found, at_us, end_us, self._rssi_dbm, self._lqi, self._offset_hz)
        )

    def _clock(self, found):
        """An anchor as near behind the sync as there is one, and (microseconds, chips) that the sender took so long for."""
        known = [one for one in self._anchors if one[2]] or self._anchors
        within = [one for one in known if found.sync_chips <= one[0] <= found.end_chips]
        if not within:
            near = sorted([(abs(one[0] - found.sync_chips), one) for one in known])
            return near[0][1], (1000000, self._chip_cps)
        first, last = within[0], within[-1]
        us, chips = last[1] - first[1], last[0] - first[0]
        off = us * self._chip_cps - chips * 1000000
        if chips < _CLOCK_CHIPS or abs(off) * _CLOCK_SHARE > chips * 1000000:
            return first, (1000000, self._chip_cps)
        return first, (us, chips)

    @staticmethod
    def _instant(at, anchor, clock):
        chips, at_us, _ = anchor
        us, per = clock
        return at_us + ((at - chips) * us + (per >> 1)) // per

    def _go_on_streaming(self, now_us):
        """The edge of the threshold comes first, unless it gets lost, or a burst ends before it."""
        driver, hunter = self._driver, self._hunter
        look = now_us >= (self._next_look_us if self._checked else self._settled_us)
        if look and hunter.sync_chips is None:
            armed_us = self._armed_us
            self._look(now_us)
            if self._armed_us != armed_us:
                return
        wait = self._threshold + _LATE_BYTES
        if hunter.receiving:
            end = hunter.sync_chips + hunter.deframer.total_chips
            wait = min(wait, (end - hunter.chips + 7) // 8 + 1)
        driver.due_us = now_us + wait * self._byte_us
        if not self._checked:
            driver.due_us = min(driver.due_us, max(self._settled_us, now_us + self._byte_us))

    def _starving(self, rises, now_us):
        """Noise is chips too: a receiver that brings none has stopped, or this chip does not stream."""
        driver = self._driver
        if rises:
            self._spurious(rises, now_us)
        self._tries += 1
        if self._tries <= 4:
            driver.due_us = now_us + 4 * self._byte_us
            return
        if not self._streams and self._chip.stable(_MARCSTATE) & 0x1F == _RX:
            self._stalls += 1
        if self._stalls < _STALLS:
            self.fail(None, now_us)
            return
        driver.fault("no_raw", now_us)
        driver.raw_sync = False
        driver._blocks.clear()
        driver.listen(self._own, now_us)
