"""The CC1101 as a radio (firmware/phy/radio.py is the contract).

Reception never leaves the infinite packet mode: the deframer tells from the first bytes how many there are, the FIFO is
read down to its last byte but one until they are all in, and the receiver is then restarted, because the chip looks for
no new sync word before that (sheet 6.1). Transmission is a raw stream without the chip's preamble and sync, so that what
is on the air is exactly what was prepared (sheet 6.2).

A transmission begins at its instant or earlier, never later: the strobe is asked for as much before as service tends to
come late on this host, and half as much again; what of this is not used up is how early it is (0.4 ms on a punctual host,
up to 3 ms on one that is 0 to 2 ms late). SENT tells the instant achieved. How late service comes is measured just before,
so that the first telegram of a late host is not lost either: transmit at least 0.1 s ahead. In a window it is otherwise
(window.py): from reception to the first chip it takes 0.65 ms, from the last chip to reception 0.45 ms (1.1 or 1.4 ms with
a calibration), with SPI as below and a punctual host; a test measures it.

Recalibration is a stated policy, `recalibrate`: an interval in microseconds (default 30 s) or "frame". With an interval
the receiver restarts without calibrating, and calibrates when the last one is older than that. That is the default
because noise alone makes dozens of false syncs per second, and each would cost 0.8 ms of deafness instead of 0.1 ms,
while the synthesizer drifts with temperature, over minutes. DEAD_TIME_US has the figure for both, see `dead_time_us`.
A receiver that hears nothing is deaf for 0.1 ms about every 2 s (a restart), 0.8 ms every 30 s (its calibration) and 1.1 ms
every 15 s for each carrier that is expected: 0.01 % of the time, and as much again per such carrier; so many frames are lost
to it, less those whose preamble outlasts it. With an interval these are not those of a conversation: behind each transmission
of ours, while nobody can answer yet, one carrier is calibrated if its last calibration is 7.5 s old, which keeps the receiver
off until 1.4 ms behind the last chip (tests measure both).
"""

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.portable import const

from . import profiles
from .chip import Chip
from .transmit import Transmitter

# Command strobes (table 42)
_SIDLE = const(0x36)
_SPWD = const(0x39)

PER_FRAME = "frame"
INTERVAL_US = 30000000

# By policy; upper bound over all modes, measured on the chip model with SPI at 4 MHz and 20 us per transfer (a test
# repeats it). IDLE to RX is 75 us of it, 799 us with calibration (sheet 4.2).
DEAD_TIME_US = {None: 250, PER_FRAME: 980}

_STANDBY = const(0)
_SLEEPING = const(1)
_LISTENING = const(2)
_SENDING = const(3)

_START_POLLS = const(2000)
_FREQ2 = const(0x0D)

_FAR = const(8)  # FSCAL1 of two calibrations of one carrier differ by less, if both are right
_DOUBTS = const(3)


class Cc1101:
    """spi: `transfer(tx, rx)`. gdo0, gdo2: pins with `read()`, wired to GDO0 (FIFO threshold) and GDO2 (sync).
    hat: row of board/hats.py, for its crystal_hz.

    recalibrate: microseconds between calibrations, or "frame". threshold_bytes: how many bytes in the RX FIFO, or free
    in the TX FIFO, call for service once a frame is under way; 64 less this is what a late host may take (8: 56 bytes,
    4.48 ms at 100 kcps). health_us: period of the look at an idle receiver, the longest that a fault stays unnoticed.

    Burst sub-modes (submodes.py): beyond_limits allows those in which the chip does not keep to Annex Q; each that is used
    so adds a line to `labels`, to go with every output. sync_errors: wrong chips in the half of the sync that the chip
    looks for, 0 or 1. raw_sync: it looks for none, all chips are searched by the host (raw.py). msk: UL-B4 is sent in the
    chip's MSK format.
    """

    def __init__(
        self,
        spi,
        gdo0,
        gdo2,
        hat=None,
        recalibrate=INTERVAL_US,
        threshold_bytes=8,
        health_us=100000,
        beyond_limits=False,
        raw_sync=False,
        sync_errors=1,
        msk=False,
    ):
        if threshold_bytes not in range(4, 64, 4):
            raise MisuseError("threshold_bytes {}".format(threshold_bytes), hint="4, 8, 12 ... 60")
        self.crystal_hz = hat.crystal_hz if hat else profiles.CRYSTAL_HZ
        self.gdo0 = gdo0
        self.gdo2 = gdo2
        self.chip = Chip(spi)
        self.threshold_bytes = threshold_bytes
        self.health_us = health_us
        self.recalibrate = recalibrate
        self.beyond_limits = beyond_limits
        self.raw_sync = raw_sync
        self.sync_errors = sync_errors
        self.msk = msk
        self.labels = ()
        self.counters = {"frames": 0, "sent": 0, "too_late": 0, "rejects": {}, "faults": {}}
        self.due_us = None
        self.state = _STANDBY
        # How late service comes on this host: a maximum, forgotten slowly, so that with delays at random more than two
        # thirds of it are always left (a transmission is prepared for half as much again).
        self.late_us = 250
        self.armed_late = False  # the next service may be due in the past, not by the fault of the host
        self.exact = False
        self.clock = None
        self.expected = ()  # blocks of the transmissions that are to be possible at short notice
        self._events = []
        self._blocks = {}
        self._calibrations = {}  # by side and carrier: (when, FSCAL3 to 1, False if a newer one failed)
        self._doubted = None  # the calibration just before, if it did not agree
        self._doubts = 0  # in a row
        self._wanted = None
        self._patable = 0
        self._key = None
        self._receiver = None  # made when somebody listens: a sender has no room for it
        self._transmitter = Transmitter(self)

    # --- the contract ---

    def start(self, now_us):
        """Reset and configure the chip; standby follows. RadioError with a hint if there is no CC1101 that answers.

        IOCFG comes with the first write behind the reset, which ends the 135 kHz on GDO0: arm edges after this.
        Test registers that do not read back are counted as "odd_registers" and left alone (start.py).
        """
        if not self.chip.reset(_START_POLLS):
            from . import start

            start.no_answer(self.chip)
        self.chip.load(profiles.block("S2", "up", profiles.RX, self.crystal_hz))
        address = self.chip.mismatch()
        if address is not None:
            from . import start

            start.read_back(self.chip, address, self.counters)
        self.rest()
        self._key = None

    def configure(self, mode, direction, channel=0, offset_hz=0, power_dbm=None):
        """See the contract. Takes effect with the next `prepare` or `listen`. channel: these modes have only 0."""
        if channel != 0:
            raise MisuseError("mode {} has no channel {}".format(mode, channel))
        patable = profiles.power(power_dbm)
        self._block(mode, direction, offset_hz, profiles.RX)
        self._wanted = (mode, direction, offset_hz)
        self._patable = patable

    def prepare(self, chips, now_us):
        self._idle_for("prepare")
        if "-B" in self._wanted[0]:
            from . import submodes

            chips = submodes.to_send(self, self._wanted[0], self._wanted[1], chips)
        block = self._block(self._wanted[0], self._wanted[1], self._wanted[2], profiles.TX)
        if not chips:
            raise MisuseError("nothing to send")
        self._wake(now_us)
        self.exact = False
        row = modes.serving(self._wanted[0], self._wanted[1])
        self.state = _SENDING
        self._transmitter.prepare(chips, block, self._patable, row, now_us)

    def transmit(self, at_us, until_us=None):
        if self.state != _SENDING or self._transmitter.on_air:
            raise MisuseError("nothing is prepared to send")
        self._transmitter.arm(at_us, until_us)

    def listen(self, deframer, now_us):
        self._idle_for("listen")
        if "-B" in self._wanted[0]:
            from . import submodes

            submodes.permit(self, self._wanted[0], self._wanted[1], profiles.RX)
            receiver = submodes.receiver(self)
        else:
            from .receive import Receiver as receiver
        self._wake(now_us)
        if type(self._receiver) is not receiver:
            self._receiver = receiver(self)
        self.exact = False
        self.state = _LISTENING
        self._receiver.listen(
            deframer, self._block(self._wanted[0], self._wanted[1], self._wanted[2], profiles.RX), now_us
        )

    def expect(self, mode, direction):
        """See the contract. Here it is the calibration of the carrier."""
        from . import window

        window.expect(self, self._block(mode, direction, 0, profiles.TX))

    @property
    def receiving(self):
        return self.state == _LISTENING and self._receiver.receiving

    def standby(self, now_us):
        """IDLE; ends reception, and a transmission even if it is on the air."""
        self._wake(now_us)
        self.chip.strobe(_SIDLE)
        self._transmitter.on_air = False
        self.rest()

    def sleep(self, now_us):
        """As `standby`, with the crystal off."""
        if self.state != _SLEEPING:
            self.standby(now_us)
            self.chip.strobe(_SPWD)
            self.state = _SLEEPING

    def service(self, now_us, edges=()):
        wanted_us = edges[0][2] if edges else self.due_us
        if wanted_us is not None and now_us >= wanted_us and not (self.armed_late or self.exact):
            self.late_us = max(min(now_us - wanted_us, 5000), self.late_us - (self.late_us >> 7))
        self.armed_late = False
        if self.state == _LISTENING:
            self._receiver.service(now_us, edges)
        elif self.state == _SENDING:
            self._transmitter.service(now_us, edges)
        events = self._events
        if events:
            self._events = []
            return events
        return ()

    def dead_time_us(self):
        """From the last chip of a frame until the receiver hears again, without the delay of the host."""
        return DEAD_TIME_US[PER_FRAME if self.recalibrate == PER_FRAME else None]

    # --- what receiver and transmitter share ---

    def load(self, block, side, now_us):
        """Write a profile; True if the synthesizer must be calibrated for it."""
        self._key = (side, bytes(block[_FREQ2 : _FREQ2 + 2]))  # 0.1 MHz; one is good for some 1 MHz (sheet 9)
        self._doubted = None
        self._doubts = 0
        known = self._calibrations.get(self._key)
        self.chip.load(block, known and known[1])
        return self.stale(now_us)

    def stale(self, now_us):
        """True if by the policy the next start of the synthesizer has to calibrate it."""
        return self.outdated(now_us) or (self.recalibrate == PER_FRAME and self._calibrations[self._key][2])

    def outdated(self, now_us):
        known = self._calibrations.get(self._key)
        limit_us = INTERVAL_US if self.recalibrate == PER_FRAME else self.recalibrate
        return known is None or now_us - known[0] >= limit_us

    def keep_calibration(self, now_us, hurry=False):
        """After a calibration: None, and its result is kept for this carrier; "odd" if it has to be done once more;
        "pll" if the synthesizer is not locked. hurry: believe the first of a carrier.

        A result that looks locked may be far off, and the chip deaf until the next (TI e2e 182697: FSCAL1 38 instead of
        1A). So it has to agree with the last good one of this carrier, or with the result just before: temperature may
        have moved it, and the first of a carrier has only that.
        """
        found = self.chip.read_calibration()
        known = self._calibrations.get(self._key)
        doubted, self._doubted = self._doubted, found
        if found:
            if hurry and not known:
                doubted = doubted or found
            for other in (known and known[1], doubted):
                if other and abs(found[2] - other[2]) <= _FAR:
                    self._calibrations[self._key] = (now_us, found, True)
                    self._doubts = 0
                    return None
            if known or doubted:
                self.counters["odd_calibrations"] = self.counters.get("odd_calibrations", 0) + 1
            self._doubts += 1
            if self._doubts <= _DOUBTS:
                return "odd"
        self._doubts = 0
        return "pll"

    def fall_back(self, now_us):
        """After a calibration that failed: if there is a good one of this carrier, `load` and go on with it until the next
        interval (section 28.2). On some chips it fails for minutes, and is fine again (TI e2e 814163)."""
        known = self._calibrations.get(self._key)
        if known:
            self._calibrations[self._key] = (now_us, known[1], False)

    def outdate(self, key, now_us):
        """The next start of this carrier calibrates, and if that fails it is tried again as ever."""
        known = self._calibrations[key]
        self._calibrations[key] = (now_us - self.recalibrate, known[1], known[2])

    def forget_calibration(self):
        self._calibrations.pop(self._key, None)

    def rest(self):
        """The chip is idle, and nobody asks it for anything."""
        self.exact = False
        self.state = _STANDBY
        self.due_us = None

    def emit(self, event):
        self._events.append(event)

    def fault(self, code, now_us):
        faults = self.counters["faults"]
        faults[code] = faults.get(code, 0) + 1
        self.emit(radio.Event(radio.FAULT, now_us, code=code))

    def reset_chip(self, now_us):
        """After a fault that a restart does not heal. False (and the fault "no_answer") if the chip is not there."""
        if self.chip.reset():
            return True
        self.fault("no_answer", now_us)
        return False

    # --- inside ---

    def _block(self, mode, direction, offset_hz, side):
        key = (mode, direction, offset_hz, side)
        block = self._blocks.get(key)
        if block is None:
            if "-B" in mode:
                from . import submodes

                block = submodes.block(self, mode, direction, offset_hz, side)
            else:
                block = profiles.block(mode, direction, side, self.crystal_hz, offset_hz)
            self._blocks[key] = block
        return block

    def _idle_for(self, what):
        if self._wanted is None:
            raise MisuseError("{} before configure".format(what))
        if self.state == _SENDING and self._transmitter.on_air:
            raise MisuseError("{} while a transmission is on the air".format(what), hint="wait for SENT")

    def _wake(self, now_us):
        if self.state == _SLEEPING:
            self.state = _STANDBY
            if not self.chip.wait_ready():
                self.fault("no_answer", now_us)
