"""The CC1101 model: registers, FIFOs, strobes, radio states and their times. Register-exact, driven by SPI bytes only.

Sources: TI SWRS061 as restated in the CC1101 sheet (sections in brackets). What that leaves open is in options.py.
Not modelled: wake-on-radio polling (SWOR sleeps for ever), FEC, hardware Manchester, 4-FSK, serial modes, RX timeouts.
"""

import random
from collections import deque

from . import gdo
from . import registers as R
from .air import NEVER
from .modem import XOSC_HZ, Modem, frequency_hz
from .options import Options
from .receiver import Receiver
from .spi import SpiSlave
from .transmitter import Transmitter

_A = R.ADDRESS
_GDO = (_A["IOCFG2"], _A["IOCFG0"], _A["FIFOTHR"])

# Times in ns at 26 MHz [4.2]. Only the sums are in the datasheet; how they divide among the states is assumed.
_WAKE_UP = ((R.VCOON, 20_000), (R.REGON, 20_000))
_SETTLE = ((R.BWBOOST, 12_000), (R.FS_LOCK, 12_000), (R.IFADCON, 11_100))  # with _WAKE_UP: 75.1 us
_SETTLE_CAL = ((R.STARTCAL, 600_000), *_SETTLE, (R.ENDCAL, 123_900))  # with _WAKE_UP: 799 us
_MANUAL_CAL = ((R.VCOON_MC, 20_000), (R.REGON_MC, 20_000), (R.MANCAL, 695_000))  # 735 us
_IDLE_CAL = ((R.STARTCAL, 600_000), (R.ENDCAL, 124_000))  # 724 us
_RX_TO_TX_NS = 30_100
_TX_TO_RX_NS = 31_100
_FSTXON_NS = 9_600  # FSTXON to TX or RX: not in the sheet
_RX_END_NS = 1_000

_LIVE = (R.RX, R.TX)


class Cc1101:
    """One chip. `transfer` is its SPI; everything else here is for the world and for tests."""

    def __init__(self, world, name, pins=(), seed=0, crystal_ppm=0.0, options=None):
        """pins: (GDO2 pin, GDO0 pin). crystal_ppm: error of the 26 MHz crystal."""
        self.world = world
        self.name = name
        self.pins = tuple(zip(pins, (_A["IOCFG2"], _A["IOCFG0"]), strict=False))
        self.rng = random.Random("{}/{}".format(seed, name))
        self.xosc_hz = XOSC_HZ * (1 + crystal_ppm * 1e-6)
        self.options = options or Options()
        self.slave = SpiSlave(self)
        self.receiver = Receiver(self)
        self.transmitter = Transmitter(self)
        self.byte_hz = 4_000_000
        self.transfer_ns = 20_000  # fixed cost of one transfer, half before and half after
        # faults
        self.miso_stuck = None  # 0x00 or 0xFF: what SO shows instead
        self.stuck = False  # the state machine hangs: strobes but SRES do nothing
        self.crystal = True  # False: never ready again after the next start
        self.violations = []  # (at_ns, text): what a careful host never does
        self.ready_ns = NEVER
        self.registers = bytearray(R.RESET)
        self.power_on()

    # --- reset and crystal ---

    def power_on(self):
        """Power-on reset, also what a brown-out does."""
        self._reset()
        self.ready = False
        self._start_crystal()

    brown_out = power_on

    def _reset(self):
        if hasattr(self, "marc"):
            self.transmitter.abort()
            self.receiver.stop()
        self.registers[:] = R.RESET
        self.patable = bytearray(R.PATABLE_RESET)
        self.rx_fifo = deque()
        self.tx_fifo = deque()
        self.last_read = 0
        self.rx_overflow = self.tx_underflow = self.tx_full = 0
        self.in_packet = self.end_of_packet = 0
        self.crc_ok = self.crc_ok_unread = 0
        self.rx_threshold, self.tx_threshold = 32, 33
        self._modem = None
        self.marc = R.IDLE
        self.path = ()
        self.path_end = None
        self.state_ns = NEVER
        self.pending_off = None  # SLEEP or XOFF when chip select rises
        self.calibrated_ns = None
        self.ends_since_cal = 0
        self.stuck = False
        self.next_ns = NEVER

    def _start_crystal(self):
        self.ready = False
        self.ready_ns = self.world.now_ns + self.options.ready_us * 1000 if self.crystal else NEVER
        self.changed()

    def wake(self):
        """Chip select falls."""
        if self.marc in (R.SLEEP, R.XOFF):
            self.marc = R.IDLE
            self._start_crystal()

    def deselected(self):
        """Chip select rises: power-down strobes act now."""
        target, self.pending_off = self.pending_off, None
        if target is None or self.marc != R.IDLE:
            return
        self.marc = target
        self.ready = False
        if target == R.SLEEP:
            retained = self.registers[_A["FIFOTHR"]] & 0x40
            self.registers[_A["TEST2"] :] = R.RESET[_A["TEST2"] :]
            if retained:
                self.registers[_A["TEST2"]], self.registers[_A["TEST1"]] = 0x81, 0x35
            self.patable[1:] = bytes(7)
            self.rx_fifo.clear()
            self.tx_fifo.clear()
            self.rx_overflow = self.tx_underflow = self.tx_full = 0
            self.end_of_packet = self.crc_ok_unread = 0
            self._modem = None
        self.changed()

    # --- SPI ---

    def transfer(self, data, hz=None):
        """One chip-select period: bytes in on SI, the same number out on SO. The world moves on meanwhile."""
        world = self.world
        byte_ns = int(8e9 / (hz or self.byte_hz))
        world.advance(world.now_ns + self.transfer_ns // 2)
        self.slave.select()
        exchange = self.slave.exchange
        answer = bytearray(exchange(value, byte_ns) for value in data)
        self.slave.deselect()
        world.advance(world.now_ns + self.transfer_ns // 2)
        if self.miso_stuck is not None:
            return bytes((self.miso_stuck,)) * len(answer)
        return bytes(answer)

    def status_byte(self, read):
        count = len(self.rx_fifo) if read else R.FIFO_BYTES - len(self.tx_fifo)
        return (not self.ready) << 7 | R.STATUS_STATE[self.marc] << 4 | min(count, 15)

    def status_register(self, address):
        reader = _STATUS.get(address)
        return reader(self) if reader else 0

    def packet_status(self):
        level = {address: pin.level for pin, address in self.pins}
        return (
            self.crc_ok << 7
            | self.receiver.carrier_sense << 6
            | self.receiver.pqt_reached << 5
            | self.clear_channel() << 4
            | self.in_packet << 3
            | level.get(_A["IOCFG2"], 0) << 2
            | level.get(_A["IOCFG0"], 0)
        )

    def write_register(self, address, value):
        self.registers[address] = value & R.MASK[address]
        self._modem = None
        if address == _A["FIFOTHR"]:
            step = value & 0x0F
            self.rx_threshold, self.tx_threshold = 4 + 4 * step, 61 - 4 * step
        elif address == _A["PKTCTRL0"]:
            self._length_mode_written()
        if address in _GDO:
            self.drive_pins()

    def _length_mode_written(self):
        ends = self.options.pktctrl0_write_ends_packet
        at_once = self.options.pktlen_0 == "end_at_once"
        zero = self.registers[_A["PKTCTRL0"]] & 3 == 0 and self.registers[_A["PKTLEN"]] == 0
        if self.marc == R.RX and self.receiver.receiving and (ends != "never" or at_once and zero):
            self.receiver.end_packet()
        elif self.marc == R.TX and ends == "always":
            self.transmitter.end_early()

    # --- FIFOs ---

    def push_rx(self, value):
        """A byte from the packet engine. False: it found no room and reception has ended."""
        if len(self.rx_fifo) < R.FIFO_BYTES and not self.rx_overflow:
            self.rx_fifo.append(value)
            self.drive_pins()
            return True
        if not self.options.overflow_state:
            return True
        self.rx_overflow = 1
        self.receiver.stop()
        self.enter(R.RXFIFO_OVERFLOW)
        return False

    def pop_rx(self):
        self.last_read = self.rx_fifo.popleft()
        self.crc_ok_unread = 0
        if not self.rx_fifo:
            self.end_of_packet = 0
        self.drive_pins()

    def empty_read(self):
        how = self.options.empty_rx_read
        self.violation("RX FIFO read while empty")
        return self.last_read if how == "last" else 0 if how == "zero" else self.rng.getrandbits(8)

    def push_tx(self, value):
        if len(self.tx_fifo) == R.FIFO_BYTES:
            self.violation("TX FIFO overflow")
            self.tx_fifo.popleft()
        self.tx_fifo.append(value)
        if len(self.tx_fifo) == R.FIFO_BYTES:
            self.tx_full = 1
        self.drive_pins()

    # --- strobes ---

    def strobe(self, address):
        name = R.STROBE_NAME.get(address)
        if name is None:
            self.violation("strobe {:02X} does not exist".format(address))
        elif name == "SRES":
            self._reset()
            self._start_crystal()
        elif not self.stuck:
            getattr(self, "_" + name.lower())()
            self.changed()

    def _snop(self):
        pass

    def _sworrst(self):
        pass

    def _spwd(self):
        self.pending_off = R.SLEEP

    _swor = _spwd

    def _sxoff(self):
        self.pending_off = R.XOFF

    def _sfrx(self):
        if self.marc not in (R.IDLE, R.RXFIFO_OVERFLOW):
            self.violation("SFRX in state {:02X}".format(self.marc))
            return
        self.rx_fifo.clear()
        self.rx_overflow = self.end_of_packet = self.crc_ok_unread = 0
        if self.marc == R.RXFIFO_OVERFLOW:
            self.enter(R.IDLE)

    def _sftx(self):
        if self.marc not in (R.IDLE, R.TXFIFO_UNDERFLOW):
            self.violation("SFTX in state {:02X}".format(self.marc))
            return
        self.tx_fifo.clear()
        self.tx_underflow = self.tx_full = 0
        if self.marc == R.TXFIFO_UNDERFLOW:
            self.enter(R.IDLE)

    def _sidle(self):
        if self.marc == R.IDLE:
            return
        was = self.marc
        self._leave()
        if was in _LIVE and self.options.sidle_calibrates:
            self._to_idle()
        else:
            self.enter(R.IDLE)

    def _scal(self):
        if self.marc != R.IDLE:
            self.violation("SCAL in state {:02X}".format(self.marc))
            return
        self._run(_MANUAL_CAL, lambda: (self._calibrate(), self.enter(R.IDLE)))

    def _srx(self):
        if self.marc == R.IDLE:
            self._from_idle(self._enter_rx)
        elif self.marc == R.FSTXON:
            self._run(((R.TXRX_SWITCH, _FSTXON_NS),), self._enter_rx)
        elif self.marc == R.TX:
            self.transmitter.abort()
            self._tx_to_rx()
        elif self.marc == R.RX and self.options.srx_in_rx == "restart":
            self.receiver.stop()
            self.receiver.start()

    def _stx(self):
        if self.marc == R.IDLE:
            self._from_idle(self._enter_tx)
        elif self.marc == R.FSTXON:
            self._run(((R.FSTXON, _FSTXON_NS),), self._enter_tx)
        elif self.marc == R.RX and self._cca_allows():
            self._leave()
            self._run(((R.RXTX_SWITCH, _RX_TO_TX_NS),), self._enter_tx)

    def _sfstxon(self):
        if self.marc == R.IDLE:
            self._from_idle(lambda: self.enter(R.FSTXON))
        elif self.marc == R.TX or self.marc == R.RX and self._cca_allows():
            self._leave()
            self._run(((R.RXTX_SWITCH, _RX_TO_TX_NS),), lambda: self.enter(R.FSTXON))

    # --- states ---

    def enter(self, marc):
        self.marc = marc
        self.path = ()
        self.path_end = None
        self.state_ns = NEVER
        self.changed()

    def _run(self, steps, then):
        """Walk through timed states [(MARCSTATE, ns), ...], then call `then`."""
        self.path = steps
        self.path_end = then
        self._step(self.world.now_ns)

    def _step(self, now):
        if self.path:
            (self.marc, length), self.path = self.path[0], self.path[1:]
            self.state_ns = now + length
            self.changed()
        else:
            then, self.path_end = self.path_end, None
            self.state_ns = NEVER
            then()

    def _from_idle(self, then):
        if R.field(self.registers, "FS_AUTOCAL") == 1:
            self._run(_WAKE_UP + _SETTLE_CAL, lambda: (self._calibrate(), then()))
        else:
            self._run(_WAKE_UP + _SETTLE, then)

    def _leave(self):
        self.receiver.stop()
        self.transmitter.abort()
        self.in_packet = 0

    def _enter_rx(self):
        self.enter(R.RX)
        self.receiver.start()

    def _enter_tx(self):
        self.enter(R.TX)
        self.transmitter.start()
        self.changed()

    def _tx_to_rx(self):
        switch = _TX_TO_RX_NS + int(0.25e9 / self.modem().chip_rate_cps)
        self._run(((R.TXRX_SWITCH, switch),), self._enter_rx)

    def _to_idle(self):
        """Back to IDLE, with the calibration that FS_AUTOCAL 2 (every time) and 3 (every fourth) want."""
        policy = R.field(self.registers, "FS_AUTOCAL")
        self.ends_since_cal += 1
        if policy == 2 or policy == 3 and self.ends_since_cal >= 4:
            self._run(_IDLE_CAL, lambda: (self._calibrate(), self.enter(R.IDLE)))
        else:
            self.enter(R.IDLE)

    def packet_sent(self, quarter_ns):
        """The last chip has left."""
        mode = R.field(self.registers, "TXOFF_MODE")
        then = (self._to_idle, lambda: self.enter(R.FSTXON), self._enter_tx, self._tx_to_rx)[mode]
        self._run(((R.TX_END, quarter_ns),), then)

    def packet_received(self):
        mode = R.field(self.registers, "RXOFF_MODE")
        if mode == 3:
            self.receiver.start()
            return
        self.receiver.stop()
        then = (
            self._to_idle,
            lambda: self._run(((R.RXTX_SWITCH, _RX_TO_TX_NS),), lambda: self.enter(R.FSTXON)),
            lambda: self._run(((R.RXTX_SWITCH, _RX_TO_TX_NS),), self._enter_tx),
        )[mode]
        self._run(((R.RX_END, _RX_END_NS),), then)

    def clear_channel(self):
        """CCA as MCSM1 defines it: 1 = clear."""
        mode = R.field(self.registers, "CCA_MODE")
        busy = mode & 1 and self.receiver.carrier_sense or mode & 2 and self.receiver.receiving
        return int(not busy)

    _cca_allows = clear_channel

    # --- synthesizer ---

    def _capacitor(self):
        """What a calibration finds for this carrier (about one code per MHz; 3F is kept for failure)."""
        return 8 + int(frequency_hz(self.registers, offset=False) / 1e6) % 48

    def _calibrate(self):
        """Result into FSCAL3[3:0], FSCAL2[4:0], FSCAL1[5:0], as the chip does [3]."""
        registers = self.registers
        code = self._capacitor()
        if self.options.pll_lock_failures > 0:
            self.options.pll_lock_failures -= 1
            code = 0x3F
        registers[_A["FSCAL3"]] = registers[_A["FSCAL3"]] & 0xF0 | 0x09
        registers[_A["FSCAL2"]] = registers[_A["FSCAL2"]] & 0x20 | 0x0A
        registers[_A["FSCAL1"]] = code
        self.calibrated_ns = self.world.now_ns
        self.ends_since_cal = 0

    def locked(self):
        """Would the synthesizer lock with the present FSCAL values? Unlocked: deaf, and sends somewhere else."""
        limit = self.options.recalibrate_within_s
        if limit and (
            self.calibrated_ns is None or self.world.now_ns - self.calibrated_ns > limit * 1_000_000_000
        ):
            return False
        code = self.registers[_A["FSCAL1"]]
        return code != 0x3F and abs(code - self._capacitor()) <= 1

    def modem(self):
        """Quantities of the present registers; looked at anew after any register write."""
        if self._modem is None:
            self._modem = Modem(self.registers, self.xosc_hz)
        return self._modem

    # --- time ---

    def changed(self):
        """Something happened: the pins follow, and the instant of the next event."""
        self.next_ns = min(
            self.state_ns,
            self.receiver.timer_ns,
            self.transmitter.timer_ns,
            NEVER if self.ready else self.ready_ns,
        )
        if self.stuck:
            self.next_ns = NEVER
        self.drive_pins()

    def drive_pins(self):
        if self.pins:
            gdo.drive(self)

    def advance(self, now):
        """The event due at `now` happens."""
        if not self.ready and self.ready_ns <= now:
            self.ready = True
            self.ready_ns = NEVER
        elif self.state_ns <= now:
            self._step(now)
        elif self.receiver.timer_ns <= now:
            self.receiver.advance()
            return
        elif self.transmitter.timer_ns <= now:
            self.transmitter.advance()
        self.changed()

    def hang(self):
        """Fault: the state machine stops where it is until SRES or a power cycle."""
        self.stuck = True
        self.receiver.air_changed()
        self.changed()

    def violation(self, text):
        self.violations.append((self.world.now_ns, text))


_S = R.STATUS_ADDRESS
_STATUS = {
    _S["PARTNUM"]: lambda chip: chip.options.partnum,
    _S["VERSION"]: lambda chip: chip.options.version,
    _S["FREQEST"]: lambda chip: chip.receiver.freqest,
    _S["LQI"]: lambda chip: chip.receiver.lqi | chip.crc_ok << 7,
    _S["RSSI"]: lambda chip: chip.receiver.rssi_now(),
    _S["MARCSTATE"]: lambda chip: chip.marc,
    _S["PKTSTATUS"]: lambda chip: chip.packet_status(),
    _S["VCO_VC_DAC"]: lambda chip: 0x94,
    _S["TXBYTES"]: lambda chip: chip.tx_underflow << 7 | len(chip.tx_fifo),
    _S["RXBYTES"]: lambda chip: chip.rx_overflow << 7 | len(chip.rx_fifo),
}
