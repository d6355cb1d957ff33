"""The SX1262 model: SPI commands with BUSY, status byte, registers, buffer, interrupts. Driven by SPI bytes and NRESET only.

Sources: the SX1262 sheet (sections in brackets). What that leaves open is in options.py. Not modelled: LoRa, LR-FHSS, CAD,
RTC wake-up, bit-bang transmission; a driver that tries is named in `violations`.
"""

import random
from collections import deque

from ..air import NEVER
from . import commands as C
from . import registers as R
from .control import Control
from .modem import XOSC_HZ
from .options import Options
from .receiver import Receiver
from .spi import SpiSlave
from .traffic import Traffic
from .transmitter import Transmitter

_A = R.ADDRESS


class Sx1262(SpiSlave, Control, Traffic):
    """One chip. `transfer` is its SPI, `reset_line` its NRESET; everything else is for the board, the world and tests."""

    def __init__(
        self, world, name, dio1=None, seed=0, crystal_ppm=0.0, tcxo_mv=None, inductor=True, options=None
    ):
        """tcxo_mv: supply that the board's TCXO needs, None: the board has a crystal. inductor: the DC-DC's is fitted."""
        self.world = world
        self.name = name
        self.dio1 = dio1
        self.rng = random.Random("{}/{}".format(seed, name))
        self.xosc_hz = XOSC_HZ * (1 + crystal_ppm * 1e-6)
        self.tcxo_mv = tcxo_mv
        self.inductor = inductor
        self.options = options or Options()
        self.receiver = Receiver(self)
        self.transmitter = Transmitter(self)
        self.byte_hz = 8_000_000
        self.transfer_ns = 20_000
        self.rf_loss_db = lambda transmitting: 0.0  # the board's switch; asks for `dio2`
        self.pa_gain_db = 0.0
        # faults
        self.miso_stuck = None  # 0x00 or 0xFF
        self.mosi_stuck = None  # the same on the way in
        self.selected = True  # False: chip select never arrives
        self.bit_flips = 0.0  # probability that a byte on the bus has one wrong bit, each way
        self.weak_supply = False  # breaks down when the PA goes on
        self._crystal = True
        self.stuck = False
        self.powered = True
        self.violations = deque(maxlen=1000)
        self.state_ns = self.rtc_ns = self.reset_ns = self.next_ns = NEVER
        self.in_reset = False
        self.power_on()

    # --- power, reset, oscillator ---

    def power_on(self):
        """Power-on reset; NRESET and a brown-out do the same: everything is lost, cold start."""
        self._forget_everything()
        self.powered = True
        self.in_reset = False
        self.reset_ns = NEVER
        self._start(self.options.cold_start_us, self._booted)

    brown_out = power_on

    def _forget_everything(self):
        self.transmitter.abort()
        self.receiver.stop()
        options = self.options
        self.memory = R.image()
        self.memory_noise()
        self.stuck = False
        self.stuck_busy = 1
        self.deaf = None  # fault: until "rx", "calibration" or "reset"
        self.mode = "START"
        self.after = None
        self.state_ns = self.rtc_ns = NEVER
        self.busy_from = self.busy_until = 0
        self.sleep_from = -NEVER
        self.duty = None
        self.command_status = 0
        self.errors = 0
        self.irq = self.irq_mask = self.dio1_mask = self.dio2_mask = self.dio3_mask = 0
        self.packet_type = options.packet_type_reset
        self.modulation = self.packet = None
        self.frequency_set = False
        self.pa_config = self.tx_params = None
        self.fallback = "STDBY_RC"
        self.stop_on_preamble = 0
        self.regulator = 0
        self.dio2_switch = 0
        self.tcxo = None  # (millivolt, delay in ns) of SetDio3AsTcxoCtrl
        self.clock_dead = False
        self.pll_calibrated = False
        self.image_mhz = None
        self.image_asked_mhz = (902, 928)
        self.tx_base = options.tx_base_reset
        self.rx_base_set = self.rx_base = self.rx_next = self.rx_pointer = 0
        self.rx_continuous = self.rx_timed = False
        self.timer_survives = False
        self.stop_missed = False
        self.rx_length = self.rx_start = 0
        self.packet_status = bytes(3)
        self.stats = [0, 0, 0]
        self.refuse = 0
        self.fresh_rx = False
        self._modem = None
        self.changed()

    def memory_noise(self):
        """The buffer holds nothing of value."""
        self.buffer = bytearray(self.rng.getrandbits(8) for _ in range(256))

    def _start(self, us, then):
        self.mode = "START"
        self.after = then
        self.state_ns = self.world.now_ns + int(us * 1000)
        self.changed()

    def _booted(self):
        """End of the cold start: the chip has calibrated itself, which needs its 32 MHz [9.5]."""
        self.mode = "STDBY_RC"
        self.refuse = self.options.refused_after_reset
        if self.tcxo_mv is None and self._crystal:
            self.pll_calibrated = True
            self.image_mhz = (902, 928)
        else:
            self.errors |= C.ERROR["XOSC_START"]

    def reset_line(self, level):
        """NRESET as the host drives it."""
        now = self.world.now_ns
        if not self.powered:
            return
        if not level:
            if not self.in_reset and self.reset_ns == NEVER:
                self.reset_ns = now + C.RESET_US * 1000
        elif self.in_reset:
            self.power_on()
        elif self.reset_ns != NEVER:
            self.reset_ns = NEVER
            self.violation("NRESET low for less than 100 us")
            if self.options.short_reset == "resets":
                self.power_on()
        self.changed()

    def supply_dip(self, us):
        """Fault: the supply is gone for so long, then the chip starts cold."""
        self._forget_everything()
        self.powered = False
        self.mode = "OFF"
        self.reset_ns = self.world.now_ns + int(us * 1000)
        self.changed()

    @property
    def crystal(self):
        """False (fault): crystal or TCXO stand still, from now on."""
        return self._crystal

    @crystal.setter
    def crystal(self, runs):
        self._crystal = runs
        self.receiver.air_changed()
        if not runs:
            self.transmitter.abort()
        self.changed()

    # --- BUSY and pins ---

    def busy(self):
        """Level of the BUSY line now."""
        if not self.powered:
            return 0
        if self.in_reset or self.mode in ("START", "SLEEP"):
            return int(self.world.now_ns >= self.busy_from)
        if self.stuck:
            return self.stuck_busy
        return int(self.busy_from <= self.world.now_ns < self.busy_until)

    @property
    def dio2(self):
        return int(bool(self.dio2_switch) and self.mode == "TX")

    def _busy_for(self, ns):
        """BUSY from chip select's rising edge on."""
        self.busy_from = self.world.now_ns + self.options.busy_rise_ns
        self.busy_until = max(self.busy_from + 1, self.world.now_ns + int(ns))

    # --- registers ---

    def read_register(self, address):
        if _A["RX_POINTER"] == address:
            return self.rx_pointer
        if _A["TX_POINTER"] == address:
            return self.transmitter.pointer
        if _A["RANDOM"] <= address < _A["RANDOM"] + 4:
            return self.rng.getrandbits(8)
        return self.memory[address & R.SIZE - 1]

    def write_register(self, address, value):
        if address in R.READ_ONLY or address not in R.KNOWN:
            self.violation("{:02X} written to register {:04X}".format(value, address))
            return
        if address == _A["WHITENING_MSB"] and (value ^ self.memory[address]) & 0xFE:
            self.violation("WHITENING_MSB: bits 7:1 changed")
        if address in (_A["TX_BITBANG_1"], _A["TX_BITBANG_2"]) and value:
            self.violation("not modelled: bit-bang transmission")
        self.memory[address] = value
        if address == _A["RX_TX_PAYLOAD_LENGTH"]:
            self.receiver.stop_written(value)
        elif address == _A["EVENT_MASK"] and value & 2 and not self.memory[_A["RTC_STOP"]]:
            if self.timer_survives:  # chapter 15.3
                self.timer_survives = False
                self.rtc_ns = NEVER
        elif address == _A["RX_GAIN"] and self.receiver.on:
            self.receiver.air_changed()

    # --- interrupts ---

    def raise_irq(self, *names):
        for name in names:
            self.irq |= C.IRQ[name] & self.irq_mask
        self.drive_pins()

    def drive_pins(self):
        if self.dio1 is not None:
            level = int(bool(self.irq & self.dio1_mask) and self.powered)
            if level != self.dio1.level:
                self.dio1.drive(level, self.world.now_ns)

    # --- time ---

    def changed(self):
        self.next_ns = (
            self.reset_ns
            if self.stuck
            else min(
                self.state_ns, self.rtc_ns, self.reset_ns, self.receiver.timer_ns, self.transmitter.timer_ns
            )
        )
        self.drive_pins()

    def advance(self, now):
        """The event due at `now` happens."""
        if self.reset_ns <= now:
            self.reset_ns = NEVER
            if self.powered:
                self._forget_everything()
                self.in_reset = True
            else:
                self.power_on()
        elif self.stuck:
            pass
        elif self.state_ns <= now:
            self.state_ns = NEVER
            after, self.after = self.after, None
            after()
        elif self.receiver.timer_ns <= now:
            self.receiver.advance()
        elif self.transmitter.timer_ns <= now:
            self.transmitter.advance()
        elif self.rtc_ns <= now:
            self.rtc_ns = NEVER
            self._timer_expired()
        self.changed()

    # --- faults ---

    def hang(self, busy=1):
        """Fault: the chip stops where it is, BUSY stays at `busy`, until NRESET or a power cycle."""
        self.stuck = True
        self.stuck_busy = busy
        self.transmitter.abort()
        self.receiver.air_changed()
        self.changed()

    def go_deaf(self, until="rx"):
        """Fault: hears nothing, and looks healthy, until the next SetRx ("rx"), Calibrate ("calibration") or reset."""
        self.deaf = until
        self.receiver.air_changed()

    def forget(self, what):
        """Fault: one part of the configuration is lost: "irq", "sync", "modulation", "packet", "frequency", "gain"."""
        if what == "irq":
            self.irq_mask = self.dio1_mask = 0
        elif what == "modulation":
            self.modulation = None
        elif what == "packet":
            self.packet = None
        else:
            name = {"sync": "SYNC_WORD", "frequency": "RF_FREQUENCY", "gain": "RX_GAIN"}[what]
            for address, row_name, size, value in R.REGISTERS:
                if row_name == name:
                    self.memory[address : address + size] = value
        self.retune()

    def violation(self, text):
        self.violations.append((self.world.now_ns, text))
