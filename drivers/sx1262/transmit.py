"""Transmission of one packet at an instant (sheet 1.1, 4 and 6.2)."""

from omsnode.firmware.phy import radio
from omsnode.firmware.portable import const

from . import commands, profiles, registers
from .chip import Fault
from .start import check_errors

_FS_TO_TX_US = const(76)  # BUSY falls when the amplifier has ramped up and the first chip leaves (sheet 1.1)
_SLACK_US = const(20)
_TRANSFER_US = const(40)
_TO_XOSC_US = const(100)  # 31 (sheet 1.1), and the next command
# Before the strobe: time to look at the chip and to lock the synthesizer.
_CHECK_US = const(2500)
_STEPS = const(4)  # services between, each of which may come late
# Before that: so many services, this far apart, for nothing but to see how late they come on this host.
_PROBING_US = const(100000)
_PROBE_US = const(4000)
_TIMEOUT_US = const(20000)  # the chip stops by itself so long after it should have
_RETRIES = const(8)
_MOST_OFF_US = const(3000)  # an edge of TxDone further off is no time stamp

# Steps between `prepare` and the first chip
_LOADED = const(0)
_OSCILLATING = const(1)
_LOCKING = const(2)
_READY = const(3)


class Transmitter:
    def __init__(self, driver):
        self._driver = driver
        self._chip = driver.chip
        self.on_air = False

    def prepare(self, profile, payload, power, quick, lead_chips):
        self._quick = quick
        self._profile = profile
        self._payload = payload
        self._power = power
        self._lead_us = profiles.air_time_us(profile, lead_chips)
        self._air_us = profiles.air_time_us(profile, profiles.on_air_chips(profile, payload) - lead_chips)
        self.on_air = False
        self._at_us = self._until_us = None
        self._step = _LOADED
        self._looked = False

    def begin(self, now_us):
        """Load the chip."""
        driver, chip = self._driver, self._chip
        driver.enter_standby()
        driver.antenna(False, False)
        if self._quick:
            chip.retune(self._profile)
        else:
            chip.load(self._profile)
        self._quick = False  # if it has to be done once more there was a fault
        pa_config, tx_params = self._power
        chip.send(pa_config)
        chip.write(registers.OCP, registers.OCP_140_MA)  # behind SetPaConfig, which overwrites it (sheet 3)
        chip.send(tx_params)
        chip.write_buffer(self._payload)
        chip.expected.append((registers.OCP, bytes((registers.OCP_140_MA,)), 0xFF))
        self._step = _LOADED
        self._looked = False
        self._tries = 0
        driver.due_us = None
        if self._at_us is not None:
            driver.due_us = now_us

    def arm(self, at_us, until_us):
        self._at_us = at_us
        self._until_us = until_us
        driver = self._driver
        if driver.due_us is None:
            driver.due_us = self._strobe_us() - self._check_us()
            if until_us is None:
                driver.due_us -= _PROBING_US
            driver.armed_late = True

    def _start_us(self):
        """From the strobe to the first chip: of the preamble if the ramp comes before it, which the sheet leaves open, and
        which would else be late. What the chip sends before what was prepared is on top of it."""
        return _FS_TO_TX_US + profiles.RAMP_US + self._lead_us

    def _strobe_us(self):
        """When to ask for the service that strobes: as much before as service tends to come late here; in a window as if it
        came in time."""
        if self._until_us is not None:
            return (self._at_us + self._until_us) // 2 - self._start_us()
        late_us = self._driver.late_us
        return self._at_us - self._start_us() - late_us - (late_us >> 1) - _SLACK_US

    def _check_us(self):
        driver = self._driver
        return _CHECK_US + driver.tcxo_delay_us + _STEPS * driver.late_us

    def service(self, now_us, edges):
        driver = self._driver
        if self.on_air:
            self._send(now_us, edges)
        elif driver.due_us is not None and now_us >= driver.due_us and self._at_us is not None:
            self._before(now_us)

    def _before(self, now_us):
        """Up to the strobe, one step per service: each takes time, and only the next service knows what time it is."""
        driver, chip = self._driver, self._chip
        driver.due_us = None
        driver.exact = False
        if now_us > self._last_us():
            self._too_late()
            return
        strobe_us = self._strobe_us()
        if self._step == _LOADED:
            if self._until_us is not None and driver.runs() and now_us >= strobe_us - _CHECK_US:
                self._at_once(strobe_us)
                return
            if not self._looked:
                self._look(commands.MODE_STDBY_RC, commands.MODE_STDBY_XOSC)
                self._looked = True
            elif not chip.kept():  # early: there may be time to bring it up again
                raise Fault("registers")
            check_us = strobe_us - self._check_us()
            if now_us < check_us:
                driver.due_us = check_us
                if self._until_us is None:
                    driver.due_us = min(max(now_us + _PROBE_US, check_us - _PROBING_US), check_us)
                return
            self._oscillate(now_us)
        elif self._step == _OSCILLATING:
            self._look(commands.MODE_STDBY_XOSC, commands.MODE_STDBY_XOSC)
            chip.command(commands.SET_FS)
            driver.antenna(True, False)
            driver.due_us = now_us + _TO_XOSC_US
            self._step = _LOCKING
        elif self._step == _LOCKING:
            self._locked(strobe_us, now_us)
        elif now_us < strobe_us:
            self._aim(strobe_us)
        else:
            self._strobe(now_us)

    def _last_us(self):
        """The last instant for the strobe."""
        if self._until_us is None:
            return self._at_us - self._start_us()
        return self._until_us - self._start_us() - _TRANSFER_US

    def _aim(self, strobe_us):
        self._driver.due_us = strobe_us
        self._driver.exact = self._until_us is not None

    def _at_once(self, strobe_us):
        """For a window that is near, from reception: the oscillator runs, and the next service is the strobe."""
        driver, chip = self._driver, self._chip
        chip.command(commands.SET_FS)
        driver.antenna(True, False)
        chip.irq()
        check_errors(chip)
        if chip.mode != commands.MODE_FS or not chip.kept():
            raise Fault("tx_state")
        self._step = _READY
        self._aim(strobe_us)

    def _oscillate(self, now_us):
        driver = self._driver
        self._chip.command(commands.SET_STANDBY, commands.STDBY_XOSC)
        driver.due_us = now_us + driver.oscillate() + _TO_XOSC_US
        self._step = _OSCILLATING

    def _locked(self, strobe_us, now_us):
        """Is the synthesizer? If not it is started again, a few times."""
        driver, chip = self._driver, self._chip
        chip.irq()
        errors = chip.errors()
        if errors == commands.ERROR_PLL_LOCK and self._tries < _RETRIES:
            self._tries += 1
            driver.fault("pll", now_us)
            chip.command(commands.CLEAR_DEVICE_ERRORS, 0, 0)
            driver.look_at_mode()
            self._oscillate(now_us)
            return
        check_errors(chip)
        if chip.mode != commands.MODE_FS:
            raise Fault("tx_state")
        self._aim(max(now_us, strobe_us))
        self._step = _READY

    def _too_late(self):
        driver = self._driver
        driver.counters["too_late"] += 1
        driver.emit(radio.Event(radio.TOO_LATE, self._at_us))
        driver.enter_standby()
        driver.rest()

    def _look(self, mode, or_mode):
        """Fault if the chip is not as it was left."""
        chip = self._chip
        chip.irq()
        if chip.mode not in (mode, or_mode):
            raise Fault("tx_state" if chip.kept() else "registers")
        if chip.mismatch() is not None:
            raise Fault("registers")

    def _strobe(self, now_us):
        driver, chip = self._driver, self._chip
        timeout = (self._lead_us + self._air_us + _TIMEOUT_US) * 64 // 1000
        clock = driver.clock if self._until_us is not None else None
        if clock:
            now_us = clock()
            if now_us > self._last_us():
                self._too_late()
                return
        chip.command(commands.SET_TX, timeout >> 16, timeout >> 8 & 0xFF, timeout & 0xFF)
        if clock and clock() > self._until_us - self._start_us():
            # The host stood still in between. BUSY is high until the first chip: what leaves are a few chips at most.
            driver.counters["aborted"] = driver.counters.get("aborted", 0) + 1
            self._too_late()
            return
        self.on_air = True
        self._edge_us = None
        self._tries = 0
        self._at_us = now_us + self._start_us()
        driver.due_us = self._at_us + self._air_us + 8 * profiles.air_time_us(self._profile, 1)

    def _send(self, now_us, edges):
        driver, chip = self._driver, self._chip
        for _, level, at_us in edges:
            if level and at_us >= self._at_us:
                self._edge_us = at_us
        if now_us < driver.due_us and self._edge_us is None and not driver.dio1.read():
            return
        flags = chip.irq()
        if flags:
            chip.clear(flags)
        if flags & commands.IRQ_TX_DONE:
            self._sent(now_us)
        elif flags & commands.IRQ_TIMEOUT:
            raise Fault("tx_timeout")
        elif chip.mode != commands.MODE_TX:
            check_errors(chip)
            raise Fault("tx_state" if chip.kept() else "registers")
        else:
            self._tries += 1
            if self._tries > _RETRIES and now_us >= driver.due_us:
                raise Fault("tx_stuck")
            self._edge_us = None
            driver.due_us = max(driver.due_us, now_us + _TIMEOUT_US // _RETRIES)

    def _sent(self, now_us):
        driver = self._driver
        end_us = self._at_us + self._air_us
        if self._edge_us is not None and abs(self._edge_us - end_us) <= _MOST_OFF_US:
            end_us = self._edge_us
        elif now_us > end_us + _MOST_OFF_US:
            driver.fault("missed_interrupt", now_us)
        driver.counters["sent"] += 1
        driver.emit(radio.Event(radio.SENT, end_us - self._air_us, end_us))
        driver.in_row = 0
        self.on_air = False
        driver.rest()
