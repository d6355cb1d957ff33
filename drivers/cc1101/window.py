"""Transmission in a window: from `transmit` to the strobe, and the calibration of carriers that are to be ready for one.

Of a window as short as that of mode T2 (1 ms, its middle 2.5 ms behind the frame that is answered) most is gone before
it is armed: nothing is tried out then, the strobe is aimed at the middle, and what would make it late is left out. The
calibration of the carrier may be old, but there has to be one (`expect`), or time for one.
"""

from omsnode.firmware.portable import const

from . import profiles

# Command strobes (table 42)
_SCAL = const(0x33)
_STX = const(0x35)

_FREQ2 = const(0x0D)
_MARCSTATE = const(0x35)  # status register (section 29.3)
_IDLE = const(0x01)

_CHECK_US = const(2500)  # as in transmit.py: there is time for everything
_CALIBRATE_US = const(1100)  # SCAL takes 735 (sheet 4.2), then it is read and the next service has to come
_SLACK_US = const(40)  # a transfer takes so long
_AGED_US = const(15000000)  # for who calibrates with each frame
_POLLS = const(200)
_TRIES = const(3)


class Window:
    """transmitter: what is prepared. at_us, until_us: of the first chip."""

    def __init__(self, transmitter, driver, at_us, until_us):
        self._transmitter = transmitter
        self._driver = driver
        self._at_us = at_us
        self._until_us = until_us - transmitter._start_us  # the last instant for the strobe
        self.strobe_us = (at_us + until_us) // 2 - transmitter._start_us

    def before(self, now_us):
        """One step per service, as for an instant."""
        transmitter, driver = self._transmitter, self._driver
        driver.due_us = None
        driver.exact = False
        if transmitter._calibrating and not transmitter._calibrated(now_us):
            self._if_in_time(now_us)
            return
        left_us = self.strobe_us - now_us
        if now_us + _SLACK_US > self._until_us or (transmitter._stale and not self._can_go(left_us)):
            transmitter._too_late()
        elif transmitter._stale:
            transmitter._calibrate(now_us)
        elif not transmitter._checked:
            if left_us > _CHECK_US:
                driver.due_us = self.strobe_us - _CHECK_US
            elif transmitter._kept(now_us):
                if driver.outdated(now_us) and left_us > _CALIBRATE_US:
                    transmitter._calibrate(now_us)
                else:
                    self._aim()
            else:
                self._if_in_time(now_us)
        elif left_us > 0:
            self._aim()
        else:
            self._strobe(now_us)

    def _can_go(self, left_us):
        """Calibrate if there is time for it, else do without if there is an old one."""
        transmitter = self._transmitter
        if left_us > _CALIBRATE_US:
            return True
        transmitter._stale = False
        return self._driver._key in self._driver._calibrations

    def _aim(self):
        self._driver.due_us = self.strobe_us
        self._driver.exact = True

    def _if_in_time(self, now_us):
        """Something went wrong, was told, and is tried once more: not beyond the window."""
        driver = self._driver
        if driver.due_us is not None and now_us + _SLACK_US > self._until_us:
            self._transmitter._too_late()

    def _strobe(self, now_us):
        """The host may stand still at any instant: look at the clock on both sides. Within 75 us of the strobe nothing is
        on the air yet."""
        transmitter, driver = self._transmitter, self._driver
        clock = driver.clock
        if clock:
            now_us = clock()
            if now_us + _SLACK_US > self._until_us:
                transmitter._too_late()
                return
        if driver.chip.strobe(_STX) & 0xF0:
            transmitter._fail("tx_state", now_us)
            return
        if clock:
            behind_us = clock()
            if behind_us > self._until_us:
                driver.chip.idle()
                driver.counters["aborted"] = driver.counters.get("aborted", 0) + 1
                transmitter._too_late()
                return
            now_us = (now_us + behind_us) >> 1
        transmitter._started(now_us)


def expect(driver, block):
    """Keep the carrier of this transmission calibrated."""
    if block not in driver.expected:
        driver.expected += (block,)


def _aged(driver, block, now_us):
    """True if the carrier has no calibration, or one that is going to be outdated soon."""
    key = (profiles.TX, bytes(block[_FREQ2 : _FREQ2 + 3]))
    known = driver._calibrations.get(key)
    limit_us = _AGED_US if driver.recalibrate == "frame" else driver.recalibrate // 2
    return known is None or now_us - known[0] >= limit_us


def outdated(driver, now_us):
    """True if a carrier of `driver.expected` should be calibrated, well before it has to."""
    return any([_aged(driver, block, now_us) for block in driver.expected])


def calibrate(driver, now_us):
    """Calibrate those carriers; from IDLE, and the receiver has to be loaded anew then."""
    chip = driver.chip
    for block in driver.expected:
        if not _aged(driver, block, now_us):
            continue
        driver.load(block, profiles.TX, now_us)
        for _ in range(_TRIES):
            chip.strobe(_SCAL)
            for _ in range(_POLLS):
                if chip.status(_MARCSTATE) & 0x1F == _IDLE:
                    break
            wrong = driver.keep_calibration(now_us)
            if wrong != "odd":
                break
        if wrong:
            driver.fault("pll", now_us)
            driver.fall_back(now_us)
