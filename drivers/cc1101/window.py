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
# Nobody answers sooner behind the end of a stream: 2 ms in mode T, which may count from its last data chip (link sheet 8.2),
# less the longest trailer, 244 us. A renewal takes so long until the receiver hears again.
_ANSWER_US = const(1750)
_RENEWAL_US = const(1300)
_RENEWALS = const(4)  # so often within the interval, if there are as many occasions
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


def _known(driver, block, side):
    return driver._calibrations.get((side, bytes(block[_FREQ2 : _FREQ2 + 2])))


def _aged(driver, block, now_us):
    """True if the carrier has no calibration, or one that is going to be outdated soon."""
    known = _known(driver, block, profiles.TX)
    limit_us = _AGED_US if driver.recalibrate == "frame" else driver.recalibrate // 2
    return known is None or now_us - known[0] >= limit_us


def outdated(driver, now_us):
    """True if a carrier of `driver.expected` should be calibrated, well before it has to."""
    return any([_aged(driver, block, now_us) for block in driver.expected])


def calibrate(driver, now_us):
    """Calibrate those carriers; from IDLE. True if there were any: the receiver has to be loaded anew then."""
    done = False
    for block in driver.expected:
        if _aged(driver, block, now_us):
            done = True
            if _calibrated(driver, block, _TRIES, now_us):
                driver.fault("pll", now_us)
                driver.fall_back(now_us)
    return done


def _calibrated(driver, block, tries, now_us):
    """As `keep_calibration`."""
    chip = driver.chip
    driver.load(block, profiles.TX, now_us)
    for _ in range(tries):
        chip.strobe(_SCAL)
        for _ in range(_POLLS):
            if chip.status(_MARCSTATE) & 0x1F == _IDLE:
                break
        wrong = driver.keep_calibration(now_us)
        if wrong != "odd":
            break
    return wrong


def renew(driver, block, now_us):
    """Before the receiver is loaded with `block`: if it is just behind a transmission of ours, when nobody can answer yet,
    calibrate the carrier that waits longest for it, so that no look at an idle receiver has to while a conversation goes on.

    Who converses keeps to periods of seconds, and so do the looks: they meet again and again. One that fails is left to
    those looks.
    """
    if now_us + _RENEWAL_US > driver._transmitter.end_us + _ANSWER_US or driver.recalibrate == "frame":
        return
    known = _known(driver, block, profiles.RX)
    if known is None or now_us - known[0] >= driver.recalibrate:
        return  # it calibrates as it starts
    oldest_us = known[0]
    chosen = None
    for expected in driver.expected:
        other = _known(driver, expected, profiles.TX)
        if other and other[0] < oldest_us:
            oldest_us = other[0]
            chosen = expected
    if now_us - oldest_us < driver.recalibrate // _RENEWALS:
        return
    if chosen is None:
        driver.outdate((profiles.RX, bytes(block[_FREQ2 : _FREQ2 + 2])), now_us)
    else:
        _calibrated(driver, chosen, 1, now_us)
