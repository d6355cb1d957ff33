"""The CC1101 model: registers, FIFOs, strobes, radio states and their times. Register-exact, driven by SPI bytes only.

Sources: TI SWRS061 as restated in the CC1101 sheet (sections in brackets). What that leaves open is in options.py.
Not modelled: wake-on-radio polling (SWOR sleeps for ever), FEC, hardware Manchester, 4-FSK, serial modes, RX timeouts.
"""

import random
from collections import deque

from . import gdo
from . import registers as R
from .air import NEVER
from .faults import flipped
from .modem import XOSC_HZ
from .options import Options
from .radio import Radio
from .receiver import Receiver
from .spi import SpiSlave
from .transmitter import Transmitter

_A = R.ADDRESS
_IOCFG = (_A["IOCFG2"], _A["IOCFG0"])
_FACTORY = (_A["PTEST"], _A["AGCTEST"])  # never to be changed
_SHORTEST_BYTE_NS = 1230  # 6.5 MHz [1.3]
_GDO = (*_IOCFG, _A["FIFOTHR"])


class Cc1101(Radio):
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
        self.mosi_stuck = None  # the same on the way in
        self.selected = True  # False: chip select never arrives
        self.bit_flips = 0.0  # probability that a byte on the bus has one wrong bit, each way
        self.stuck = False  # the state machine hangs: strobes but SRES do nothing
        self.crystal = True  # False: never ready again after the next start
        self.violations = deque(maxlen=1000)  # (at_ns, text): what a careful host never does
        self.ready_ns = NEVER
        self.registers = bytearray(R.RESET)
        self.outputs = ()
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
        self.in_packet = self.rx_waiting = 0
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
        self.deaf = None  # fault: until "rx", "calibration" or "reset"
        self.next_ns = NEVER

    def supply_dip(self, us):
        """Fault: the supply is gone for so long, then the chip starts cold."""
        self.power_on()
        self.ready_ns += int(us * 1000)
        self.changed()

    def _start_crystal(self):
        self.ready = False
        self.ready_ns = self.world.now_ns + self.options.ready_us * 1000 if self.crystal else NEVER
        self._wire_pins()
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
            self.registers[_A["TEST2"] :] = R.RESET[_A["TEST2"] :]  # read so even with FIFOTHR.ADC_RETENTION
            self.patable[1:] = bytes(7)
            self.rx_fifo.clear()
            self.tx_fifo.clear()
            self.rx_overflow = self.tx_underflow = self.tx_full = 0
            self.rx_waiting = self.crc_ok_unread = 0
            self._modem = None
        self._wire_pins()
        self.changed()

    # --- SPI ---

    def transfer(self, data, hz=None):
        """One chip-select period: bytes in on SI, the same number out on SO. The world moves on meanwhile."""
        world = self.world
        byte_ns = int(8e9 / (hz or self.byte_hz))
        if byte_ns < _SHORTEST_BYTE_NS and len(data) > 2:
            self.violation("burst faster than 6.5 MHz")
        world.advance(world.now_ns + self.transfer_ns // 2)
        if self.selected:
            if self.mosi_stuck is not None:
                data = bytes((self.mosi_stuck,)) * len(data)
            self.slave.select()
            answer = self.slave.exchange_all(flipped(data, self.bit_flips, self.rng), byte_ns)
            self.slave.deselect()
        else:
            answer = b"\xff" * len(data)
            world.advance(world.now_ns + len(data) * byte_ns)
        world.advance(world.now_ns + self.transfer_ns // 2)
        if self.miso_stuck is not None:
            return bytes((self.miso_stuck,)) * len(answer)
        return flipped(bytes(answer), self.bit_flips, self.rng)

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
        if value != self.registers[address] or address in _FACTORY and value != R.RESET[address]:
            self.violation("{:02X} written to register {:02X}".format(value, address))
        if address == _A["FIFOTHR"]:
            step = value & 0x0F
            self.rx_threshold, self.tx_threshold = 4 + 4 * step, 61 - 4 * step
        elif address == _A["PKTCTRL0"]:
            self._length_mode_written()
        if address in _IOCFG:
            self._wire_pins()
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
            if len(self.rx_fifo) >= self.rx_threshold:
                self.rx_waiting = 1
            return True
        if not self.options.overflow_state:
            return True
        self.rx_overflow = 1
        self.receiver.stop()
        self.enter(R.RXFIFO_OVERFLOW)
        return False

    def pop_rx(self):
        self.last_read = self.rx_fifo.popleft()
        left = len(self.rx_fifo)
        if not left:
            self.rx_waiting = 0
        if not left or left == self.rx_threshold - 1 or self.crc_ok_unread:
            self.crc_ok_unread = 0
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
        count = len(self.tx_fifo)
        if count == R.FIFO_BYTES:
            self.tx_full = 1
        if count == R.FIFO_BYTES or count == self.tx_threshold:
            self.drive_pins()

    # --- time ---

    def changed(self):
        """Something happened: the pins follow, and the instant of the next event."""
        due = self.state_ns
        if self.receiver.timer_ns < due:
            due = self.receiver.timer_ns
        if self.transmitter.timer_ns < due:
            due = self.transmitter.timer_ns
        if not self.ready and self.ready_ns < due:
            due = self.ready_ns
        self.next_ns = NEVER if self.stuck else due
        self.drive_pins()

    def drive_pins(self):
        now = self.world.now_ns
        for pin, signal, invert in self.outputs:
            level = signal(self) ^ invert
            if level != pin.level:
                pin.drive(level, now)

    def _wire_pins(self):
        self.outputs = gdo.outputs(self)

    def advance(self, now):
        """The event due at `now` happens."""
        if not self.ready and self.ready_ns <= now:
            self.ready = True
            self.ready_ns = NEVER
            self._wire_pins()
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

    def go_deaf(self, until="rx"):
        """Fault: hears nothing, and looks healthy, until RX is entered again ("rx"), until a calibration or a reset."""
        self.deaf = until
        self.receiver.air_changed()

    def violation(self, text):
        self.violations.append((self.world.now_ns, text))


_S = R.STATUS_ADDRESS
_STATUS = {
    _S["PARTNUM"]: lambda chip: chip.options.partnum,
    _S["VERSION"]: lambda chip: chip.options.version,
    _S["FREQEST"]: lambda chip: chip.receiver.freqest_now(),
    _S["LQI"]: lambda chip: chip.receiver.lqi_now() | chip.crc_ok << 7,
    _S["RSSI"]: lambda chip: chip.receiver.rssi_now(),
    _S["MARCSTATE"]: lambda chip: chip.marc,
    _S["PKTSTATUS"]: lambda chip: chip.packet_status(),
    _S["VCO_VC_DAC"]: lambda chip: 0x94,
    _S["TXBYTES"]: lambda chip: chip.tx_underflow << 7 | len(chip.tx_fifo),
    _S["RXBYTES"]: lambda chip: chip.rx_overflow << 7 | len(chip.rx_fifo),
}
