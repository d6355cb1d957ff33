"""Reception: from the threshold of the FIFO to the frame, and back to listening whatever happens (sheet 5, 6.1, 11.3).

When a frame ended is reckoned from the edges of its sync word and of the threshold: the last of these comes not long
before the end, so that it matters little how far off the chip rate of the sender is (10 % in mode T). With time stamps
from the interrupt that is right to 20 us, behind a service that came late to 100 us (a test measures it with senders
that are 1 and 10 % off). If the edges are lost it is reckoned with the nominal rate: 1 % of the frame.
"""

from omsnode.firmware.portable import const

from ..health import Health
from ..outcome import outcome
from . import profiles, window

# Header bits and the addresses of the FIFOs (section 10)
_FIFO_BYTES = const(64)

# Status registers (section 29.3)
_FREQEST = const(0x32)
_LQI = const(0x33)
_RSSI = const(0x34)
_MARCSTATE = const(0x35)
_PKTSTATUS = const(0x38)
_RXBYTES = const(0x3B)

_FSCAL1 = const(0x25)

# Values of MARCSTATE (sheet 4.1)
_RX = const(0x0D)

_FIRST_BYTES = const(4)  # threshold until the length is known: the smallest the chip has
_QUALITY_BYTES = const(8)  # LQI is measured over the first 64 chips behind the sync word
_LONGEST_BYTES = const(810)  # no frame of S (580), T (435) or C (292) and no burst (796 bytes) has more
_RSSI_OFFSET_DB = const(74)

# How long after SRX the chip is looked at, us: 75 and 799 (sheet 4.2) with room.
_SETTLED_US = const(200)
_CALIBRATED_US = const(1000)
_RETRIES = const(4)

# A silent receiver is restarted this often: not in step with meters that repeat after 2, 3 or 5 s (link sheet 8.3).
_RESTART_US = const(1900000)
_CS = const(0x40)  # PKTSTATUS: carrier sense

# So many frames in a row without an edge of a line: its wire is broken, although the other line saves the frames.
_QUIET_FRAMES = const(4)
_SEEN_GDO0 = const(1)
_SEEN_GDO2 = const(2)


class Receiver:
    def __init__(self, driver):
        self._driver = driver
        self._chip = driver.chip
        self._deframer = None
        self._block = None
        self._byte_us = 0
        self._calibrating = False
        self._armed_us = 0
        self._in_row = 0  # faults since the last sign of health
        self._next_look_us = 0
        self._health = None
        self._seen = 0  # lines that had an edge since the last frame
        self._quiet_gdo0 = self._quiet_gdo2 = 0  # frames since the last edge
        self._clear()

    @property
    def receiving(self):
        return self._received > 0 or self._sync_us is not None or bool(self._driver.gdo2.read())

    def _clear(self):
        self._checked = False
        self._sync_us = self._anchor_us = None
        self._edge = False
        self._received = self._anchor_bytes = 0
        self._remaining = 0  # bytes, 0 while the length is unknown
        self._threshold = _FIRST_BYTES
        self._tries = 0
        self._put_off = 0
        self._rssi_dbm = self._lqi = self._offset_hz = None

    def listen(self, deframer, block, now_us):
        driver = self._driver
        if self._health is None or block is not self._block:
            self._health = Health(driver.counters)
        self._health.begin(now_us)
        self._deframer = deframer
        self._block = block
        self._byte_us = profiles.air_time_us(block, 8, driver.crystal_hz)
        self._in_row = 0
        self._next_look_us = now_us + driver.health_us
        window.renew(driver, block, now_us)
        driver.load(block, profiles.RX, now_us)
        deframer.reset()
        self._arm(now_us)

    def _arm(self, now_us):
        driver = self._driver
        self._calibrating = driver.stale(now_us)
        self._chip.listen(self._calibrating)
        self._restart_us = now_us + _RESTART_US
        self._armed_us = now_us
        self._clear()
        self._settle(now_us + (_CALIBRATED_US if self._calibrating else _SETTLED_US))

    def _settle(self, until_us):
        self._settled_us = self._driver.due_us = until_us

    def service(self, now_us, edges):
        driver = self._driver
        fresh = 0
        rose_us = None
        again = (
            self._edge
        )  # the FIFO was at the threshold when it had been read: nobody knows with how many bytes
        for line, level, at_us in edges:
            if level and at_us >= self._armed_us:
                if line == "gdo0":
                    self._edge = True
                    self._seen |= _SEEN_GDO0
                    fresh += 1
                    rose_us = at_us
                else:
                    self._seen |= _SEEN_GDO2
                    if self._received == 0:
                        self._sync_us = at_us
            elif line == "gdo0":
                rose_us = None
        if rose_us is not None and not again and driver.gdo0.read():
            self._anchor_us = rose_us
            self._anchor_bytes = self._received + self._threshold
        due = now_us >= driver.due_us
        if due:
            self._health.served(driver.due_us, now_us)
        if not (due or fresh or driver.gdo0.read()):
            if self._sync_us is not None and self._received == 0:
                # The threshold is to follow; this is the net for the case that its edge gets lost. A clock on the line must
                # not put it off for ever.
                driver.due_us = min(driver.due_us, self._sync_us + (_FIRST_BYTES + 1) * self._byte_us)
            return
        status = self._chip.stable(_RXBYTES)
        n = status & 0x7F
        if n > _FIFO_BYTES:
            if now_us >= self._settled_us:
                self.fail(None, now_us)
        elif status & 0x80 or n == _FIFO_BYTES:
            self._drain(n, True, now_us)
        elif n > 1 or (n and n == self._remaining):
            self._drain(n, False, now_us)
        elif self._received or n or (self._sync_us is not None and driver.gdo2.read()):
            self._starved(now_us)
        elif due or fresh:
            if fresh or self._sync_us is not None:
                self._spurious(fresh or 1, now_us)
            self._sync_us = None
            self._look(now_us)

    def _spurious(self, edges, now_us):
        """Edges, and nothing behind them: they are of the time before the restart, or nothing explains them."""
        if now_us > self._armed_us + _SETTLED_US and self._health.spurious(now_us, edges):
            self._driver.fault("interrupt_storm", now_us)

    def _drain(self, n, overflow, now_us):
        """n bytes are in the FIFO: read what may be read and hand it to the deframer."""
        driver, chip, deframer = self._driver, self._chip, self._deframer
        if n >= self._threshold + 4 and not self._edge:
            driver.fault("missed_interrupt", now_us)
        self._edge = False
        self._tries = 0
        if self._sync_us is None:
            self._sync_us = now_us - n * self._byte_us - self._byte_us // 2
        last = 0 < self._remaining <= n
        # The last byte in the FIFO may be delivered twice while more are coming in (sheet 5.1).
        take = self._remaining if last else n if overflow else n - 1
        data = chip.read_fifo(take)
        self._received += take
        if self._rssi_dbm is None and (last or overflow or self._received >= _QUALITY_BYTES):
            self._read_quality(now_us)
        sync_us = self._sync_us
        anchor = self._anchor_us, self._anchor_bytes
        quality = (self._rssi_dbm, self._lqi, self._offset_hz)
        if last:
            # Hear again first, decode then: nothing of this frame is left in the chip.
            self._arm(now_us)
        missing = deframer.feed(data)
        if missing <= 0:
            if quality[0] is None:
                self._read_quality(now_us)
                quality = (self._rssi_dbm, self._lqi, self._offset_hz)
            if not last:
                self._arm(now_us)
            self._finish(missing, sync_us, anchor, quality, now_us)
            deframer.reset()
        elif overflow:
            self.fail("rx_overflow", now_us)
        elif last or self._received > _LONGEST_BYTES:
            self.fail("rx_endless", now_us)
        else:
            self._go_on(n - take, missing, now_us)

    def _go_on(self, left, missing, now_us):
        driver = self._driver
        missing = (missing + 7) >> 3
        if self._deframer.total_chips is not None:
            self._remaining = missing
            if self._threshold == _FIRST_BYTES and missing > driver.threshold_bytes > _FIRST_BYTES:
                self._threshold = driver.threshold_bytes
                self._chip.set_threshold(self._threshold)
        # The threshold edge comes first, unless it gets lost or fewer bytes are missing than that.
        wait = min(missing, self._threshold) - left
        driver.due_us = now_us + max(1, wait) * self._byte_us
        driver.due_us += self._byte_us >> 2 if missing <= self._threshold else self._byte_us
        # The FIFO may have reached the threshold again while it was read: then no edge will come.
        self._edge = bool(driver.gdo0.read())

    def _read_quality(self, now_us):
        chip = self._chip
        raw = chip.status(_RSSI)
        self._rssi_dbm = ((raw - 256 if raw & 0x80 else raw) >> 1) - _RSSI_OFFSET_DB
        self._lqi = chip.status(_LQI) & 0x7F
        raw = chip.status(_FREQEST)
        self._offset_hz = (raw - 256 if raw & 0x80 else raw) * self._driver.crystal_hz >> 14
        if self._calibrating:
            self._calibrating = self._driver.keep_calibration(now_us) is not None

    def _finish(self, result, sync_us, anchor, quality, now_us):
        driver, deframer = self._driver, self._deframer
        self._in_row = 0
        end_us = now_us
        if result == 0:
            self._health.heard(now_us)
            self._lines(now_us)
            end_us = self._end_us(sync_us, anchor, deframer.total_chips)
        driver.emit(outcome(driver.counters, deframer, sync_us, end_us, *quality))

    def _end_us(self, sync_us, anchor, chips):
        """anchor: instant of the last edge of the threshold or None, and how many bytes had come by then."""
        anchor_us, n_bytes = anchor
        if anchor_us is not None:
            nominal_us = n_bytes * self._byte_us
            taken_us = anchor_us - sync_us
            if abs(taken_us - nominal_us) <= nominal_us // 8:
                return anchor_us + taken_us * (chips - 8 * n_bytes) // (8 * n_bytes)
        return sync_us + profiles.air_time_us(self._block, chips, self._driver.crystal_hz)

    def _lines(self, now_us):
        """Each line has an edge per frame; one that has none for a while is named."""
        seen, self._seen = self._seen, 0
        self._quiet_gdo0 = 0 if seen & _SEEN_GDO0 else self._quiet_gdo0 + 1
        self._quiet_gdo2 = 0 if seen & _SEEN_GDO2 else self._quiet_gdo2 + 1
        if self._quiet_gdo0 == _QUIET_FRAMES:
            self._driver.fault("gdo0_silent", now_us)
        if self._quiet_gdo2 == _QUIET_FRAMES:
            self._driver.fault("gdo2_silent", now_us)

    def _starved(self, now_us):
        """A frame has begun, but no byte may be read yet. On this chip noise follows every signal, so bytes keep coming:
        a FIFO that does not fill is a fault, silence is not."""
        driver = self._driver
        if now_us < driver.due_us and not self._edge:
            return
        self._edge = False
        self._tries += 1
        if self._tries > _RETRIES:
            self.fail(None, now_us)
        else:
            driver.due_us = now_us + 4 * self._byte_us

    def _look(self, now_us):
        """The receiver is silent: is it receiving, locked, and configured as it was?"""
        driver, chip = self._driver, self._chip
        self._edge = False
        if now_us < self._settled_us:
            driver.due_us = self._settled_us
            return
        state = chip.stable(_MARCSTATE) & 0x1F
        if state != _RX:
            self._tries += 1
            if self._checked or self._tries > _RETRIES:
                self.fail(None, now_us)
            else:
                driver.due_us = now_us + _SETTLED_US
            return
        self._tries = 0
        if self._calibrating:
            wrong = driver.keep_calibration(now_us)
            if wrong == "odd":
                self._arm(now_us)
                return
            if wrong:
                self.fail(wrong, now_us)
                return
            self._calibrating = False
        self._checked = True
        if now_us >= self._next_look_us:
            if chip.mismatch() is not None:
                self.fail("registers", now_us)
                return
            known = driver._calibrations.get(driver._key)
            if known and chip.read_back[1 + _FSCAL1] != known[1][2]:
                self.fail("calibration", now_us)
                return
            step = self._health.silent(now_us)
            if step:
                self._hear_again(step, now_us)
                return
            self._in_row = 0
            self._next_look_us = now_us + driver.health_us
            if now_us >= self._restart_us or driver.outdated(now_us) or window.outdated(driver, now_us):
                self._restart(now_us)
                return
        driver.due_us = self._next_look_us

    def _hear_again(self, step, now_us):
        """It looks healthy, and hears nothing for far longer than ever lately."""
        driver = self._driver
        driver.fault("silent", now_us)
        if step > 1:
            driver.forget_calibration()
        if step > 2:
            driver.reset_chip(now_us)
            driver.load(self._block, profiles.RX, now_us)
        if self._chip.idle():
            self._arm(now_us)
        else:
            self.fail("stuck", now_us)

    def _restart(self, now_us):
        """Although no frame came: calibrate if it is time to, and see that the state machine moves. One that stands
        still in RX looks healthy otherwise. While somebody sends it waits for the next look, a few times."""
        driver, chip = self._driver, self._chip
        self._put_off += 1
        if self._put_off <= _RETRIES and (chip.status(_PKTSTATUS) & _CS or driver.gdo2.read()):
            driver.due_us = self._next_look_us
            return
        if chip.idle():
            if window.calibrate(driver, now_us):
                driver.load(self._block, profiles.RX, now_us)
            self._arm(now_us)
        else:
            self.fail("stuck", now_us)

    def fail(self, code, now_us):
        """Count a fault and restart. code None: find out. The first restart is immediate; each further one in a row
        waits twice as long before the next look, up to 64 ms."""
        driver, chip = self._driver, self._chip
        altered = chip.mismatch() is not None
        if code is None:
            state = chip.stable(_MARCSTATE) & 0x1F
            code = "registers" if altered else "rx_stalled" if state == _RX else "rx_state"
        driver.fault(code, now_us)
        self._in_row += 1
        if code == "pll":
            driver.fall_back(now_us)
        if altered or code in ("pll", "stuck", "calibration") or self._in_row > 1:
            driver.reset_chip(now_us)
            driver.load(self._block, profiles.RX, now_us)
        if altered or code in (
            "rx_state",
            "calibration",
        ):  # it may have been the one that was kept that is wrong
            driver.forget_calibration()
        self._deframer.reset()
        self._arm(now_us)
        self._settle(now_us + (_CALIBRATED_US << min(self._in_row - 1, 6)))
