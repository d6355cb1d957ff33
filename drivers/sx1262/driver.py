"""The SX1262 as a radio (firmware/phy/radio.py is the contract).

Reception is continuous. The deframer tells from the first bytes how many there are; the chip's stop pointer is then put
behind the last one, so that the packet ends there and the chip listens again by itself. Frames longer than the buffer are
read while it goes round (sheet 7.2). If the host comes too late for the stop, it reads what it wants and restarts the
receiver. Transmission is one packet without anything of the chip's own but eight chips in front (profiles.send).

A transmission begins at its instant or earlier, never later: the strobe is asked for as much before as service tends to
come late on this host, and half as much again; SENT tells the instant achieved. How late service comes is measured just
before: transmit at least 0.1 s ahead. In a window it is strobed in the middle by a host that polls: from reception to the
first chip it takes 1.15 ms (255 bytes, SPI at 4 MHz and 20 us per transfer; a test measures it), from the last chip to
reception 0.65 ms. A host that stands still between its last look at the clock and the chip select of the strobe is
noticed behind it, but until its first chip the chip takes no command: two or three chips leave it then.

A fault of the chip ends in a reset and everything anew, in steps that block nobody; what was going on is taken up again.
The chip tells of no lost modulation setting, so a receiver that heard nothing for a while is configured anew, in a moment
without a carrier.
"""

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import radio
from omsnode.firmware.portable import const

from . import commands, profiles
from .chip import Chip, Fault
from .start import TCXO_MV, bring_up, calibration

# From the last chip of a frame until the receiver hears again, upper bound over all modes, measured on the chip model
# with SPI at 4 MHz and 20 us per transfer (a test repeats it). It is that of a restart: behind a stop that the host
# set in time the chip goes on by itself.
DEAD_TIME_US = const(350)

_STANDBY = const(0)
_SLEEPING = const(1)
_LISTENING = const(2)
_SENDING = const(3)

_SLEEP_US = const(600)  # 500 before the next command, and a little (sheet 2)
_TALK_US = const(
    3000
)  # a command may leave so long after the instant that a method was handed: others come before it
_WAKE_POLLS = const(5000)
_FIRST_PAUSE_US = const(2000)  # before a second reset in a row; twice as long before each further one
_PAUSES = const(6)
_GIVE_UP = const(8)  # resets in a row for anything but listening


def _of(hat, name, value):
    """A setting that was not given: that of the HAT's row, if it has one."""
    return getattr(hat, name, None) if value is None and hat else value


class Sx1262:
    """spi: `transfer(tx, rx)`. busy, dio1: pins with `read()`. reset: pin with `write(level)`, or None.

    hat: object with any of the following settings as attributes, for those that are not given. txen, rxen: pins that
    switch the antenna, where the module has them. tcxo_mv: voltage of the TCXO on DIO3, None for a crystal.
    tcxo_delay_us: until it is stable. dio2_rf_switch: DIO2 switches the antenna. dcdc: the module has the inductor.
    crystal_trim: for a crystal, in steps of 0.47 pF, None: as after reset. pa_gain_db: of an amplifier behind the chip.
    health_us: period of the look at an idle receiver. anew_us: a receiver that heard nothing is configured anew so often, and
    calibrated every recalibrate_us. beyond_limits: allows the burst sub-modes in which the chip does not do what Annex Q asks
    (submodes.py); each that is used so adds a line to `labels`, to go with every output.
    """

    def __init__(
        self,
        spi,
        busy,
        dio1,
        reset,
        hat=None,
        txen=None,
        rxen=None,
        tcxo_mv=None,
        tcxo_delay_us=None,
        dio2_rf_switch=None,
        dcdc=None,
        crystal_trim=None,
        pa_gain_db=None,
        health_us=100000,
        anew_us=2000000,
        recalibrate_us=60000000,
        beyond_limits=False,
    ):
        self.tcxo_mv = _of(hat, "tcxo_mv", tcxo_mv) or 0
        if self.tcxo_mv and self.tcxo_mv not in TCXO_MV:
            raise MisuseError("tcxo_mv {}".format(tcxo_mv), hint=" ".join([str(one) for one in TCXO_MV]))
        delay_us = _of(hat, "tcxo_delay_us", tcxo_delay_us)
        self.tcxo_delay_us = (5000 if delay_us is None else delay_us) if self.tcxo_mv else 0
        self.dio2_rf_switch = _of(hat, "dio2_rf_switch", dio2_rf_switch) is not False
        self.dcdc = _of(hat, "dcdc", dcdc) is not False
        self.crystal_trim = _of(hat, "crystal_trim", crystal_trim)
        self.pa_gain_db = _of(hat, "pa_gain_db", pa_gain_db) or 0
        self.dio1 = dio1
        self.reset_pin = reset
        self._txen, self._rxen = txen, rxen
        self.chip = Chip(spi, busy)
        self.health_us = health_us
        self.anew_us = anew_us
        self.recalibrate_us = recalibrate_us
        self.beyond_limits = beyond_limits
        self.labels = ()
        self.counters = {"frames": 0, "sent": 0, "too_late": 0, "rejects": {}, "faults": {}}
        self.due_us = None
        self.state = _STANDBY
        # How late service comes on this host: a maximum, forgotten slowly (drivers/cc1101/driver.py says why).
        self.late_us = 250
        self.armed_late = False  # the next service may be due in the past, not by the fault of the host
        self.exact = False
        self.clock = None
        self.in_row = 0  # faults since the last sign of health
        self.heard_us = self._calibrated_us = 0
        self._healing = None  # steps that bring the chip up again
        self._busy_until_us = None
        self._oscillator = False  # the crystal or TCXO runs
        self._asleep = False
        self._slept_us = 0
        self._events = []
        self._wanted = None
        self._power = profiles.power(None, self.pa_gain_db)
        self._receiver = None
        self._transmitter = None

    # --- the contract ---

    def start(self, now_us):
        """Reset, configure and calibrate the chip; standby follows. RadioError with a hint if there is no SX1262 that
        answers, or its oscillator does not run."""
        self._healing = None
        self._asleep = self.chip.loaded = False
        try:
            for pause_us in bring_up(self):
                if pause_us >= 0:
                    self._pass(pause_us)
                elif not self.chip.ready(-8 * pause_us):
                    raise Fault("busy")
        except Fault as fault:
            from . import start

            raise start.trouble(fault.args[0])
        self._oscillator = False
        self._calibrated_us = now_us
        self.rest()

    def configure(self, mode, direction, channel=0, offset_hz=0, power_dbm=None):
        """See the contract. Takes effect with the next `prepare` or `listen`. channel: these modes have only 0."""
        if channel != 0:
            raise MisuseError("mode {} has no channel {}".format(mode, channel))
        power = profiles.power(power_dbm, self.pa_gain_db)
        profiles.receive(mode, direction, offset_hz)
        self._wanted = (mode, direction, offset_hz)
        self._power = power

    def prepare(self, chips, now_us):
        """See the contract. MisuseError naming the largest L if the chip cannot carry so many chips (limits.py)."""
        self._idle_for("prepare")
        mode, direction, offset_hz = self._wanted
        self._permit(profiles.TX)
        profile, payload = profiles.send(mode, direction, chips, offset_hz)
        if self._transmitter is None:
            from .transmit import Transmitter

            self._transmitter = Transmitter(self)
        self.due_us = None
        # From reception to a window there is no time for all of it.
        quick = self.state == _LISTENING and self.chip.loaded
        self.exact = False
        self.state = _SENDING
        self._transmitter.prepare(profile, payload, self._power, quick, profiles.lead_chips(mode))
        self._do(now_us, self._transmitter.begin)

    def transmit(self, at_us, until_us=None):
        if self.state != _SENDING or self._transmitter.on_air:
            raise MisuseError("nothing is prepared to send")
        self._transmitter.arm(at_us, until_us)

    def listen(self, deframer, now_us):
        self._idle_for("listen")
        self._permit(profiles.RX)
        profile = profiles.receive(*self._wanted, self.tcxo_mv > 0)
        if self._receiver is None:
            from .receive import Receiver

            self._receiver = Receiver(self)
        self.exact = False
        self.state = _LISTENING
        self._receiver.listen(deframer, profile, now_us)
        self._do(now_us, self._receiver.begin)

    def expect(self, mode, direction):
        """See the contract. On this chip nothing depends on the carrier."""

    @property
    def receiving(self):
        return self.state == _LISTENING and not self._healing and self._receiver.receiving

    def standby(self, now_us):
        """The oscillator off; ends reception, and a transmission even if it is on the air."""
        if self._transmitter:
            self._transmitter.on_air = False
        self.rest()
        self._do(now_us, self._stand_by)

    def sleep(self, now_us):
        """As `standby`, with all off but what the settings need to survive."""
        if self.state != _SLEEPING:
            self.standby(now_us)
            self.state = _SLEEPING
            self._do(now_us, self._sleep)

    def service(self, now_us, edges=()):
        dio1 = [edge for edge in edges if edge[0] == "dio1"]
        wanted_us = dio1[0][2] if dio1 else self.due_us
        if wanted_us is not None and now_us >= wanted_us and not (self.armed_late or self.exact):
            self.late_us = max(min(now_us - wanted_us, 5000), self.late_us - (self.late_us >> 7))
        self.armed_late = False
        try:
            if self._healing:
                if self.due_us is not None and now_us >= self.due_us:
                    self._heal(now_us)
            elif self.state == _LISTENING:
                self._receiver.service(now_us, dio1)
            elif self.state == _SENDING:
                self._transmitter.service(now_us, dio1)
        except Fault as fault:
            self.broken(fault.args[0], now_us)
        events = self._events
        if events:
            self._events = []
            return events
        return ()

    def dead_time_us(self):
        """From the last chip of a frame until the receiver hears again, without the delay of the host."""
        return DEAD_TIME_US

    # --- what receiver and transmitter share ---

    def enter_standby(self):
        """Standby with the oscillator on if it runs anyway; a TCXO takes ms to start."""
        mode = commands.STDBY_XOSC if self._oscillator else commands.STDBY_RC
        self.chip.command(commands.SET_STANDBY, mode)

    def oscillate(self):
        """A command was given that starts the oscillator; returns for how many microseconds BUSY is high for that."""
        if self._oscillator:
            return 0
        self._oscillator = True
        return self.tcxo_delay_us

    def runs(self):
        """True if the oscillator does."""
        return self._oscillator

    def look_at_mode(self):
        """In STDBY_RC the oscillator does not run, however the chip got there."""
        if self.chip.mode == commands.MODE_STDBY_RC:
            self._oscillator = False

    def antenna(self, sending, receiving):
        """Switch it where pins of the host do."""
        if self._txen:
            self._txen.write(1 if sending else 0)
        if self._rxen:
            self._rxen.write(1 if receiving else 0)

    def rest(self):
        """The chip is in standby, and nobody asks it for anything."""
        self.antenna(False, False)
        self.exact = False
        self.state = _STANDBY
        self.due_us = None

    def emit(self, event):
        self._events.append(event)

    def fault(self, code, now_us):
        faults = self.counters["faults"]
        faults[code] = faults.get(code, 0) + 1
        self.emit(radio.Event(radio.FAULT, now_us, code=code))

    def broken(self, code, now_us):
        """Count a fault that only a reset heals, and begin with it: at once, or after a pause if one did not help."""
        self.fault(code, now_us)
        self.in_row += 1
        self._healing = bring_up(self)
        self._asleep = self.chip.loaded = self.exact = False
        self._busy_until_us = None
        if self.state == _SENDING and self._transmitter.on_air:
            self._transmitter.on_air = False
            self.state = _STANDBY
        self.due_us = now_us
        if self.in_row > 1:
            self.due_us += _FIRST_PAUSE_US << min(self.in_row - 2, _PAUSES)
            if self.in_row > _GIVE_UP and self.state != _LISTENING:
                # Who wants the radio next tries again.
                self.rest()

    def outdated(self, now_us):
        """True if nothing was heard since the last calibration, and that is long ago: a drift would look like silence."""
        return now_us - max(self.heard_us, self._calibrated_us) >= self.recalibrate_us

    def calibrate(self, now_us):
        """In steps; then what was going on is taken up again."""
        self.chip.command(commands.SET_STANDBY, commands.STDBY_RC)
        self.counters["calibrations"] = self.counters.get("calibrations", 0) + 1
        self._healing = calibration(self)
        self.due_us = now_us

    # --- inside ---

    def _permit(self, side):
        if "-B" in self._wanted[0]:
            from . import submodes

            submodes.permit(self, self._wanted[0], self._wanted[1], side)

    def _do(self, now_us, step):
        """A step that talks to the chip; while that is brought up again `_heal` does it in the end."""
        if self._healing:
            if self.due_us is None:
                self.in_row = 0
                self.due_us = now_us
            return
        try:
            if self._asleep:
                self._wake(now_us)
            elif self._oscillator:
                self.chip.ready(_WAKE_POLLS + self.tcxo_delay_us)  # it may be starting
            step(now_us)
        except Fault as fault:
            self.broken(fault.args[0], now_us)

    def _stand_by(self, now_us):
        self.chip.command(commands.SET_STANDBY, commands.STDBY_RC)
        self._oscillator = False

    def _sleep(self, now_us):
        self.due_us = None
        self._slept_us = now_us + self.tcxo_delay_us + _TALK_US
        self.chip.command(commands.SET_SLEEP, commands.WARM_START)
        self._asleep = True
        self.chip.loaded = False

    def _idle_for(self, what):
        if self._wanted is None:
            raise MisuseError("{} before configure".format(what))
        if self.state == _SENDING and self._transmitter.on_air:
            raise MisuseError("{} while a transmission is on the air".format(what), hint="wait for SENT")

    def _pass(self, us):
        """Let time pass without a clock: a look at a pin takes a microsecond, at least."""
        for _ in range(us):
            self.chip.ready(1)

    def _wake(self, now_us):
        self._asleep = False
        self._pass(max(0, self._slept_us + _SLEEP_US - now_us))
        self.chip.wake()
        self._pass(2)
        if not self.chip.ready(_WAKE_POLLS):
            raise Fault("busy")
        self.chip.irq()
        if not self.chip.kept():
            raise Fault("registers")

    def _heal(self, now_us):
        """One step of bringing the chip up again; then what was going on."""
        if self._busy_until_us is not None and not self.chip.ready(2):
            if now_us >= self._busy_until_us:
                raise Fault("busy")
            self.due_us = now_us + 500
            return
        self._busy_until_us = None
        try:
            pause_us = next(self._healing)
        except StopIteration:
            self._healing = None
            self._oscillator = False
            self._calibrated_us = now_us
            self.due_us = None
            self._resume(now_us)
            return
        if pause_us < 0:
            pause_us = -pause_us
            self._busy_until_us = now_us + 8 * pause_us
        self.due_us = now_us + pause_us

    def _resume(self, now_us):
        if self.state == _LISTENING:
            self._receiver.begin(now_us)
        elif self.state == _SENDING:
            self._transmitter.begin(now_us)
        elif self.state == _SLEEPING:
            self._sleep(now_us)
