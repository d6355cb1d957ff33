"""The transmit half of the packet engine: preamble, sync, FIFO bytes, CRC, onto the air byte by byte."""

from . import registers as R
from .air import CHIPS_OF, NEVER, Transmission
from .coding import Whitening, crc16
from .modem import power_dbm

_PKTLEN, _PKTCTRL0 = R.ADDRESS["PKTLEN"], R.ADDRESS["PKTCTRL0"]
_SYNC1 = R.ADDRESS["SYNC1"]

_PREAMBLE, _SYNC, _DATA, _CRC = range(4)


class Transmitter:
    """Active while `sent` is a Transmission; `timer_ns` is the start of the next byte."""

    def __init__(self, chip):
        self.chip = chip
        self.timer_ns = NEVER
        self.sent = None

    def start(self):
        chip = self.chip
        modem = chip.modem()
        frequency = (
            modem.frequency_hz if chip.locked() else modem.frequency_hz + 5e6
        )  # unlocked: anywhere else
        self.sent = Transmission(
            chip.world.now_ns,
            b"",
            modem.chip_rate_cps,
            frequency,
            modem.deviation_hz,
            modem.modulation,
            power_dbm(chip.patable[R.field(chip.registers, "PA_POWER")]),
            chip.name,
            bt=0.5 if modem.modulation == "2-GFSK" else None,
        )
        self.count = 0
        self.first = True
        self.length = None
        self.crc = 0xFFFF
        self.whitening = Whitening()
        self.invert = 0xFF if modem.inverted else 0
        chip.world.air.begin(self.sent)
        if modem.sync_mode & 3:
            self.phase = _PREAMBLE
            self._emit(b"\xaa" * modem.preamble_bytes)
        else:
            self.phase = _DATA
            self.timer_ns = chip.world.now_ns

    def stop(self, at_ns=None):
        """The carrier goes now (or at at_ns)."""
        if self.sent is not None:
            sent, self.sent = self.sent, None
            self.timer_ns = NEVER
            self.chip.world.air.end(sent, at_ns)

    def abort(self):
        """SIDLE or another strobe in the middle: what was not sent is cut off."""
        chip = self.chip
        if self.sent is None:
            return
        infinite = chip.registers[_PKTCTRL0] & 3 == 2
        if chip.options.tx_off_extra_byte == "first_half" and infinite and self.phase == _DATA:
            done = self.sent.chips_ended(chip.world.now_ns)
            if 8 - (len(self.sent.chips) - done) < 4 and chip.tx_fifo:
                self.sent.chips.extend(CHIPS_OF[chip.tx_fifo.popleft() ^ self.invert])
                chip.world.air.detach(self.sent)
                self.sent = None
                self.timer_ns = NEVER
                return
        self.stop()

    def end_early(self):
        """Option: a write to PKTCTRL0 ends the packet after the byte being sent."""
        if self.sent is not None and self.phase == _DATA:
            self.phase = _CRC

    def _emit(self, data):
        for value in data:
            self.chip.world.air.extend(self.sent, CHIPS_OF[value])
        self.timer_ns = self.sent.time_ns(len(self.sent.chips))

    def advance(self):
        chip = self.chip
        if self.phase == _DATA:
            self._data()
        elif self.phase == _PREAMBLE:
            if not chip.tx_fifo:
                self._emit(b"\xaa")
            else:
                self.phase = _SYNC
                word = bytes(chip.registers[_SYNC1 : _SYNC1 + 2])
                self._emit(
                    value ^ self.invert for value in (word * 2 if chip.modem().sync_mode & 3 == 3 else word)
                )
        elif self.phase == _SYNC:
            self.phase = _DATA
            chip.in_packet = 1
            self._data()
        else:
            self._finish()

    def _data(self):
        chip = self.chip
        if not self.first and self._complete():
            if chip.registers[_PKTCTRL0] & 4:
                self.phase = _CRC
                self._emit(
                    (self.whitening.apply(value) if self._white() else value) ^ self.invert
                    for value in self._crc()
                )
                return
            self._finish()
            return
        if self.first and self._at_once():
            self._finish()
            return
        if not chip.tx_fifo:
            self._underflow()
            return
        value = chip.tx_fifo.popleft()
        if len(chip.tx_fifo) < chip.tx_threshold:
            chip.tx_full = 0
        if self.first:
            self.first = False
            if chip.registers[_PKTCTRL0] & 3 == 1:
                self.length = value
        self.count = (self.count + 1) & 0xFF
        if chip.registers[_PKTCTRL0] & 4:
            self.crc = crc16(self.crc, value)
        if self._white():
            value = self.whitening.apply(value)
        self._emit((value ^ self.invert,))

    def _white(self):
        return self.chip.registers[_PKTCTRL0] & 0x40

    def _crc(self):
        return self.crc >> 8, self.crc & 0xFF

    def _complete(self):
        """Has the byte just counted ended the packet? The mode is looked at now: it may be switched on the fly."""
        registers = self.chip.registers
        mode = registers[_PKTCTRL0] & 3
        if mode == 1:
            return self.length is not None and self.count == (self.length + 1) & 0xFF
        if mode != 0:
            return False
        return fixed_end(self.chip, self.count)

    def _at_once(self):
        registers = self.chip.registers
        return (
            registers[_PKTCTRL0] & 3 == 0
            and registers[_PKTLEN] == 0
            and self.chip.options.pktlen_0 == "end_at_once"
        )

    def _underflow(self):
        chip = self.chip
        chip.tx_underflow = 1
        chip.in_packet = 0
        cut = chip.options.underflow_chips_cut
        if cut and len(self.sent.chips) >= cut:
            del self.sent.chips[-cut:]
        self.stop()
        chip.enter(R.TXFIFO_UNDERFLOW)

    def _finish(self):
        chip = self.chip
        chip.in_packet = 0
        quarter_ns = int(0.25e9 / self.sent.chip_rate_cps)
        self.stop()
        chip.packet_sent(quarter_ns)


def fixed_end(chip, count):
    """Fixed length: does the packet end with the 8-bit counter at `count`?"""
    length = chip.registers[_PKTLEN]
    if length == 0 and chip.options.pktlen_0 != "256":
        return chip.options.pktlen_0 == "end_at_once"
    return count == length
