"""The transmit half of the GFSK packet engine: preamble, sync word, payload from the ring, CRC, onto the air."""

from ..air import CHIPS_OF, NEVER, Transmission
from . import commands as C
from . import registers as R
from .receiver import Crc, whitening

_A = R.ADDRESS
_PIECE = 64  # chips of an endless preamble at a time


class Transmitter:
    """Active while `sent` is a Transmission; `timer_ns` is the start of the next byte."""

    def __init__(self, chip):
        self.chip = chip
        self.timer_ns = NEVER
        self.sent = None
        self.pointer = 0
        self.length = 0

    def latch(self):
        """SetTx: the payload length is fixed [7.3]."""
        self.length = self.chip.memory[_A["RX_TX_PAYLOAD_LENGTH"]]

    def start(self):
        """The PA has ramped: the first chip of the preamble leaves."""
        chip = self.chip
        packet = chip.packet
        memory = chip.memory
        self._begin(chip.modem().deviation_hz)
        self.next = self._payload
        self.count = 0
        self.pointer = chip.tx_base
        size, inverted = C.CRC[packet[7]]
        self.crc = Crc(memory, size, inverted) if size else None
        self.white = whitening(memory) if packet[8] else None
        first = chip.options.preamble_polarity & 0x80 and 1
        preamble = bytes((first, 1 - first)) * (packet[0] << 7 | packet[1] >> 1)
        if packet[1] & 1:
            preamble += bytes((first,))
        sync = b"".join(CHIPS_OF[value] for value in memory[_A["SYNC_WORD"] : _A["SYNC_WORD"] + 8])
        self._emit(preamble + sync[: packet[3]])
        if packet[5]:
            self._bytes((self.length,))

    def start_carrier(self):
        self._begin(0.0)
        self.next = lambda: self._emit(b"\x01" * _PIECE)
        self.next()

    def start_preamble(self):
        self._begin(self.chip.modem().deviation_hz)
        self.next = lambda: self._emit(b"\x00\x01" * (_PIECE // 2))
        self.next()

    def _begin(self, deviation_hz):
        chip = self.chip
        modem = chip.modem()
        self.bad = 0.0
        if not chip.memory[_A["TX_MODULATION"]] & R.MODULATION_FIX:
            self.bad = chip.options.poor_modulation
        self.sent = Transmission(
            chip.world.now_ns,
            b"",
            modem.chip_rate_cps,
            modem.frequency_hz,
            deviation_hz,
            modem.modulation,
            chip.antenna_dbm(),
            chip.name,
            bt=modem.bt,
        )
        chip.world.air.begin(self.sent)

    def _emit(self, chips):
        if self.bad:
            random = self.chip.rng.random
            chips = bytes(bit ^ (random() < self.bad) for bit in chips)
        self.chip.world.air.extend(self.sent, chips)
        self.timer_ns = self.sent.time_ns(len(self.sent.chips))

    def _bytes(self, values):
        """Payload bytes: into the CRC, whitened, out."""
        for value in values:
            if self.crc is not None:
                self.crc.feed(value)
            self._emit(CHIPS_OF[value if self.white is None else self.white.apply(value)])

    def advance(self):
        self.next()
        self.chip.changed()

    def _payload(self):
        chip = self.chip
        if not chip.options.payload_latched:
            self.length = chip.memory[_A["RX_TX_PAYLOAD_LENGTH"]]
        if self.count != self.length:
            self.count += 1
            value = chip.buffer[self.pointer]
            self.pointer = self.pointer + 1 & 0xFF
            self._bytes((value,))
        elif self.crc is not None:
            check, self.crc = self.crc.bytes(), None
            self._bytes(check)
        else:
            self.abort()
            chip.packet_sent()

    def abort(self):
        """The carrier goes now; what was not sent is cut off."""
        if self.sent is not None:
            sent, self.sent = self.sent, None
            self.timer_ns = NEVER
            self.chip.world.air.end(sent)
