"""Transmission of a raw stream of any length through the 64 bytes of the TX FIFO (sheet 5, 6.1, 11.4).

Up to 255 bytes PKTLEN is the length. Beyond, as TI does it (SWRS061 section 15.2.2, DN500 section 2.3, AN067): the packet
mode is "infinite" and PKTLEN the length modulo 256, which the chip's 8-bit byte counter has passed when less than 256
bytes are left; then the mode becomes "fixed", and the packet ends where counter and PKTLEN are equal.

One field report says that a write to PKTCTRL0 ends the packet at once (sheet 6.1). If a long packet ever ends early, the
next one goes the other way that the datasheet allows (section 15.2.1: PKTLEN can be reprogrammed during transmit): mode
"fixed" throughout, with PKTLEN kept behind the counter until the last lap. PKTLEN = 0 (forbidden) never happens.
"""

from omsnode.firmware.phy import radio
from omsnode.firmware.portable import const

from . import profiles

# Header bits and the addresses of the FIFOs (section 10)
_PATABLE = const(0x3E)
_FIFO_BYTES = const(64)

_PKTCTRL0 = const(0x08)
_FIXED = const(0x00)
_INFINITE = const(0x02)

# Command strobes (table 42)
_SCAL = const(0x33)
_STX = const(0x35)
_SFTX = const(0x3B)

# Status registers (section 29.3)
_MARCSTATE = const(0x35)
_TXBYTES = const(0x3A)

# Values of MARCSTATE (sheet 4.1)
_IDLE = const(0x01)
_TXFIFO_UNDERFLOW = const(0x16)

_BEHIND = const(32)  # bytes that PKTLEN stays behind the byte counter
_STEP = const(64)  # move it this often: far from the counter on both sides, whatever the host's delay
_LAST_LAP = const(240)  # bytes left when the counter is well past PKTLEN for the last time but one

_CALIBRATE_US = const(750)  # SCAL takes 735 (sheet 4.2)
# Before the strobe: time to find a chip that was reset, to load it again and to calibrate it.
_CHECK_US = const(2500)
_SLACK_US = const(20)
# Before that check: so many services, this far apart, for nothing but to see how late they come on this host.
_PROBING_US = const(100000)
_PROBE_US = const(4000)
_RETRIES = const(4)
_END_US = const(50)  # behind the last chip the chip goes to IDLE, within a quarter of one
_END_TRIES = const(64)


def guarded(chips, row):
    """The stream, made one byte longer if its length is a multiple of 256, which PKTLEN could not express: a longer
    preamble where the mode gives only its least length, otherwise (mode C) a byte behind the frame, which receivers
    ignore (link sheet 3.1)."""
    if len(chips) & 0xFF:
        return bytes(chips)
    return b"\x55" + chips if row.trailer_chips[1] else chips + b"\x55"


class Transmitter:
    def __init__(self, driver):
        self._driver = driver
        self._chip = driver.chip
        self._start_us = 1954 * 1000000 // driver.crystal_hz + 1  # IDLE to TX without calibration (sheet 4.2)
        self.on_air = False
        self.end_us = 0  # of the last stream, as it was to be
        self._stream = None
        self._by_length = False  # a long packet is measured by moving PKTLEN, not by the packet mode
        self._before = self._before_instant

    def prepare(self, chips, block, patable, row, now_us):
        driver = self._driver
        self._stream = memoryview(guarded(chips, row))
        self._total = len(self._stream)
        self._block = block
        self._patable = patable
        self._byte_us = profiles.air_time_us(block, 8, driver.crystal_hz)
        self._air_us = profiles.air_time_us(block, self._total * 8, driver.crystal_hz)
        self.on_air = False
        self._at_us = None
        self._tries = self._unlocked = self._reloads = 0
        driver.due_us = None
        self._load(now_us)

    def _load(self, now_us):
        driver, chip, total = self._driver, self._chip, self._total
        self._stale = driver.load(self._block, profiles.TX, now_us)
        chip.strobe(_SFTX)
        chip.write(_PATABLE, self._patable)
        chip.set_threshold(driver.threshold_bytes)
        self._final = total < 256
        self._moved = 0
        if not self._final and self._by_length:
            chip.set_length(256 - _BEHIND)
        else:
            chip.set_length(total & 0xFF)
            if not self._final:
                chip.write(_PKTCTRL0, _INFINITE)
        self._written = min(total, _FIFO_BYTES)
        chip.write_fifo(self._stream, 0, self._written)
        self._checked = self._calibrating = False
        if self._stale:
            driver.due_us = now_us
            driver.armed_late = True

    def _calibrate(self, now_us):
        self._chip.strobe(_SCAL)
        self._stale = False
        self._calibrating = True
        self._driver.due_us = now_us + _CALIBRATE_US

    def arm(self, at_us, until_us):
        self._at_us = at_us
        self._before = self._before_instant
        strobe_us = self._strobe_us() - _PROBING_US
        if until_us is not None:
            from .window import Window

            window = Window(self, self._driver, at_us, until_us)
            self._before = window.before
            strobe_us = window.strobe_us
        if not (self._stale or self._calibrating):
            self._driver.due_us = strobe_us - _CHECK_US
            self._driver.armed_late = True

    def _strobe_us(self):
        """When to ask for the service that strobes: as much before as service tends to come late here."""
        late_us = self._driver.late_us
        return self._at_us - self._start_us - late_us - (late_us >> 1) - _SLACK_US

    def service(self, now_us, edges):
        driver = self._driver
        if self.on_air:
            self._send(now_us, edges)
        elif driver.due_us is not None and now_us >= driver.due_us:
            self._before(now_us)

    def _before_instant(self, now_us):
        """Between `prepare` and the strobe: calibrate, wait, see that the chip still is as it was left, wait, strobe.
        One step per service, because each takes time on the SPI and only the next service knows what time it is."""
        driver = self._driver
        driver.due_us = None
        if self._calibrating and not self._calibrated(now_us):
            return
        if self._stale:
            self._calibrate(now_us)
            return
        if self._at_us is None:
            return
        if now_us + self._start_us > self._at_us:
            self._too_late()
            return
        strobe_us = self._strobe_us()
        if not self._checked:
            check_us = strobe_us - _CHECK_US
            if now_us < check_us:
                driver.due_us = min(max(now_us + _PROBE_US, check_us - _PROBING_US), check_us)
            elif self._kept(now_us):
                driver.due_us = max(now_us, strobe_us)
                if driver.outdated(now_us):
                    self._calibrate(now_us)
        elif now_us < strobe_us:
            driver.due_us = strobe_us
        else:
            self._strobe(now_us)

    def _kept(self, now_us):
        """True if the chip still is as it was left."""
        chip = self._chip
        if chip.mismatch() is not None or chip.stable(_TXBYTES) != self._written:
            self._reload(now_us)
        else:
            self._checked = True
        return self._checked

    def _too_late(self):
        driver = self._driver
        driver.counters["too_late"] += 1
        driver.emit(radio.Event(radio.TOO_LATE, self._at_us))
        driver.rest()

    def _calibrated(self, now_us):
        """True once the calibration has ended with a locked synthesizer."""
        driver = self._driver
        if self._chip.stable(_MARCSTATE) & 0x1F != _IDLE:
            self._tries += 1
            if self._tries > _RETRIES:
                self._fail("tx_state", now_us)
            else:
                driver.due_us = now_us + _CALIBRATE_US // 4
            return False
        self._tries = 0
        hurry = self._at_us is not None and self._at_us - now_us < 2 * _CHECK_US
        wrong = driver.keep_calibration(now_us, hurry)
        if wrong == "odd":
            self._calibrate(now_us)
        elif wrong:
            self._unlocked += 1
            if self._unlocked > _RETRIES:
                self._fail(wrong, now_us)
                return False
            driver.fault(wrong, now_us)
            driver.fall_back(now_us)
            self._load(now_us)
        else:
            self._calibrating = False
            self._unlocked = 0
        return not self._calibrating

    def _reload(self, now_us):
        """The chip was reset behind our back: once more from the start."""
        driver = self._driver
        self._reloads += 1
        if self._reloads > 1 or not driver.reset_chip(now_us):
            self._fail("tx_registers", now_us)
            return
        driver.fault("registers", now_us)
        driver.forget_calibration()
        self._load(now_us)

    def _strobe(self, now_us):
        if self._chip.strobe(_STX) & 0xF0:
            self._fail("tx_state", now_us)
        else:
            self._started(now_us)

    def _started(self, now_us):
        driver = self._driver
        self.on_air = True
        self._edge = False
        self._at_us = now_us + self._start_us
        self.end_us = self._at_us + self._air_us
        if self._written == self._total:
            driver.due_us = self.end_us + _END_US
        else:
            driver.due_us = self._at_us + (driver.threshold_bytes + 2) * self._byte_us

    def _send(self, now_us, edges):
        driver = self._driver
        fresh = False
        for line, level, at_us in edges:
            if line == "gdo0" and not level and at_us >= self._at_us:
                self._edge = fresh = True
        if self._written == self._total:
            if now_us >= driver.due_us:
                self._end(now_us)
        elif fresh or now_us >= driver.due_us or not driver.gdo0.read():
            self._refill(now_us)

    def _refill(self, now_us):
        driver, chip, byte_us = self._driver, self._chip, self._byte_us
        count = chip.stable(_TXBYTES)
        if count & 0x80:
            self._fail("tx_underflow", now_us)
            return
        sent = self._written - count
        free = _FIFO_BYTES - count
        if free >= driver.threshold_bytes + 4 and not self._edge:
            driver.fault("missed_interrupt", now_us)
        n = min(free, self._total - self._written)
        if n <= 0:
            self._tries += 1
            driver.due_us = now_us + 4 * byte_us
            if self._tries > _RETRIES:
                self._fail("tx_stalled", now_us)
            return
        self._tries = 0
        chip.write_fifo(self._stream, self._written, n)
        self._written += n
        if not self._final:
            self._lead_to_end(sent)
        if self._written == self._total:
            driver.due_us = self.end_us + _END_US
        else:
            driver.due_us = now_us + (driver.threshold_bytes + 2) * byte_us
            self._edge = not driver.gdo0.read()

    def _lead_to_end(self, sent):
        """With each refill until the packet will end by itself."""
        if self._total - sent <= _LAST_LAP:
            self._final = True
            if self._by_length:
                self._chip.set_length(self._total & 0xFF)
            else:
                self._chip.write(_PKTCTRL0, _FIXED)
        elif self._by_length and sent - self._moved >= _STEP:
            self._moved = sent
            self._chip.set_length((sent - _BEHIND) & 0xFF or 1)

    def _end(self, now_us):
        driver, chip = self._driver, self._chip
        state = chip.stable(_MARCSTATE) & 0x1F
        if state == _IDLE:
            if chip.stable(_TXBYTES):
                self._fail("tx_short", now_us)
                return
            driver.counters["sent"] += 1
            driver.emit(radio.Event(radio.SENT, self._at_us, self.end_us))
            self.on_air = False
            driver.rest()
        elif state == _TXFIFO_UNDERFLOW:
            self._fail("tx_underflow", now_us)
        else:
            self._tries += 1
            driver.due_us = now_us + _END_US
            if self._tries > _END_TRIES:
                self._fail("tx_stuck", now_us)

    def _fail(self, code, now_us):
        """The transmission is lost: count it, and leave the chip idle and configured."""
        driver = self._driver
        driver.fault(code, now_us)
        if self._total > 255 and code in ("tx_short", "tx_stalled") and self._chip.mismatch() is None:
            self._by_length = not self._by_length
        self.on_air = False
        driver.reset_chip(now_us)
        driver.load(self._block, profiles.TX, now_us)
        driver.rest()
