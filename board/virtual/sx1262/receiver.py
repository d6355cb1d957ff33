"""The receive half of the GFSK packet engine: preamble detector, sync word, bytes into the ring, the moving end.

How a transmission is followed is in ../follower.py. Noise goes on filling the packet after the signal has ended: only the
stop register ends a packet [7.1, 7.2].
"""

import math

from ..air import NEVER
from ..coding import Whitening
from ..follower import Follower
from . import commands as C
from . import registers as R

_A = R.ADDRESS
_HOLD_CHIPS = 16  # a sync word may begin so long after the preamble seen by the detector
_PREAMBLE, _SYNC = 1, 2
_MASK64 = (1 << 64) - 1


def rssi_byte(dbm):
    return max(0, min(255, round(-2 * dbm)))


class Crc:
    """The chip's CRC, most significant bit first: start value and polynomial from 06BC..06BF."""

    def __init__(self, memory, size, inverted):
        self.bits = 8 * size
        self.mask = (1 << self.bits) - 1
        self.inverted = inverted
        self.value = int.from_bytes(memory[_A["CRC_SEED"] : _A["CRC_SEED"] + 2], "big") & self.mask
        self.polynomial = (
            int.from_bytes(memory[_A["CRC_POLYNOMIAL"] : _A["CRC_POLYNOMIAL"] + 2], "big") & self.mask
        )

    def feed(self, byte):
        self.value ^= byte << self.bits - 8
        for _ in range(8):
            out = self.value >> self.bits - 1
            self.value = self.value << 1 & self.mask
            if out:
                self.value ^= self.polynomial

    def bytes(self):
        return (self.value ^ (self.mask if self.inverted else 0)).to_bytes(self.bits // 8, "big")


def whitening(memory):
    white = Whitening()
    white.state = (memory[_A["WHITENING_MSB"]] & 1) << 8 | memory[_A["WHITENING_LSB"]]
    return white


class Receiver(Follower):
    """Active while `on`. `timer_ns`: preamble or sync word are complete, or the next byte is."""

    def __init__(self, chip):
        super().__init__(chip)
        self.found = 0
        self.run = 0
        self.hold = 0
        self.detected = False
        self.first = 0

    # --- on and off ---

    def start(self):
        """RX is entered, or a packet is over: the search begins."""
        self.on = True
        self.receiving = False
        self.signal = None
        self.air_changed()

    def stop(self):
        self.on = self.receiving = False
        self.signal = self.hearing = None
        self.timer_ns = NEVER
        self.found = 0

    def air_changed(self):
        if not self.chip.stuck:
            super().air_changed()

    def _hear(self, modem):
        chip = self.chip
        return chip.world.air.hear(chip.name, modem, chip.receive_loss_db())

    # --- search ---

    def _search_from_now(self, same_signal=False):
        chip = self.chip
        self.timer_ns = NEVER
        self.found = 0
        self.detector = C.DETECTOR_BITS[chip.packet[2]]
        self.sync_bits = bits = chip.packet[3]
        self.sync_mask = (1 << bits) - 1
        memory = chip.memory
        self.sync_word = int.from_bytes(memory[_A["SYNC_WORD"] : _A["SYNC_WORD"] + 8], "big") >> 64 - bits
        self.invert = memory[_A["GFSK_BIT_SYNC"]] >> 5 & 1
        signal = self.signal
        if bits == 0:
            chip.violation("not modelled: reception without sync word")
            return
        if signal is not None:
            index = math.ceil((chip.world.now_ns - signal.start_ns) / signal.period_ns - 1e-6)
            self.register = chip.rng.getrandbits(64)
            self.run = self.hold = 0
            if (
                same_signal
            ):  # another transmission came or went: what was heard before is still in the register
                for bit in self._before(max(self.first, index - 96), index):
                    self._shift(bit ^ self.invert)
            else:
                self.first = index
                self.detected = False
            self.index = index
            self._scan()
        else:
            self.detected = False
            if chip.world.air.noise_syncs:
                self._noise()

    def _noise(self):
        """Preambles and sync words in noise, as often as chance brings them."""
        chip = self.chip
        rate = chip.modem().chip_rate_cps
        share = 2.0**-self.sync_bits * sum(
            math.comb(self.sync_bits, wrong) for wrong in range(chip.options.sync_errors_allowed + 1)
        )
        preamble_rate = 0.0
        if self.detector:
            preamble_rate = rate * 2.0**-self.detector  # a run of so many chips ends its detection
            share *= min(1.0, (self.sync_bits + _HOLD_CHIPS) * 2.0 ** (1 - self.detector))
        total = rate * share + preamble_rate
        self.found = _SYNC if chip.rng.random() * total < rate * share else _PREAMBLE
        self.timer_ns = chip.world.now_ns + int(chip.rng.expovariate(total) * 1e9) + 1

    def _shift(self, bit):
        self.run = self.run + 1 if bit != self.register & 1 else 1
        if self.detector:
            self.hold = self.sync_bits + _HOLD_CHIPS if self.run >= self.detector else self.hold - 1
        self.register = (self.register << 1 | bit) & _MASK64

    def _scan(self):
        """Look at the chips known so far (they may lie in the future); a find sets the timer."""
        chip = self.chip
        allowed = chip.options.sync_errors_allowed
        detector, word, mask, invert = self.detector, self.sync_word, self.sync_mask, self.invert
        reach = self.sync_bits + _HOLD_CHIPS
        chips = self.signal.chips
        register, run, hold = self.register, self.run, self.hold
        index, end = self.index, len(chips)
        errors = self.error_left < end - index
        found = 0
        while index < end:
            bit = chips[index] ^ invert
            if errors and self._error():
                bit ^= 1
                self.wrong.append(index)
            index += 1
            run = run + 1 if bit != register & 1 else 1
            register = (register << 1 | bit) & _MASK64
            if detector:
                if run >= detector:
                    hold = reach
                    if not self.detected:
                        self.detected = True
                        found = _PREAMBLE
                elif hold > 0:
                    hold -= 1
                    if not hold:
                        self.detected = False
            if ((register ^ word) & mask).bit_count() <= allowed and (hold > 0 or not detector):
                found = found or _SYNC
                if found == _PREAMBLE:  # both with one chip
                    chip.preamble_found()
                    found = _SYNC
            if found:
                self.found = found
                self.timer_ns = max(self.signal.time_ns(index), chip.world.now_ns)
                break
        if not errors:
            self.error_left -= index - self.index
        self.register, self.run, self.hold, self.index = register, run, hold, index

    def advance(self):
        if not self.receiving and self.found == _PREAMBLE:
            self.found = 0
            self.timer_ns = NEVER
            self.chip.preamble_found()
            if self.on and not self.receiving:
                if self.signal is not None:
                    self._scan()
                else:
                    self._noise()
            return
        super().advance()

    # --- behind the sync word ---

    def _begin_packet(self, sync):
        chip = self.chip
        hearing = self.hearing
        packet = chip.packet
        self.found = 0
        self.receiving = True
        self.bits = self.have = 0
        self.count = self.payload = 0
        self.length = None
        self.wrong_address = False
        self.crc_left = 0
        crc_bytes, inverted = C.CRC[packet[7]]
        self.crc = Crc(chip.memory, crc_bytes, inverted) if crc_bytes else None
        self.white = whitening(chip.memory) if packet[8] else None
        self.rssi_sync = rssi_byte(hearing.rssi_dbm)
        self.rssi_sum = 0.0
        chip.memory[_A["RSSI_SYNC"]] = self.rssi_sync
        offset = 0
        if self.signal is None:
            self.noise_ns = chip.world.now_ns
        elif chip.options.cfo_register == "estimate":
            offset = round(hearing.offset_hz * 4096 / chip.modem().cfo_rate_hz)
        chip.memory[_A["CFO"] : _A["CFO"] + 2] = (offset & 0xFFF).to_bytes(2, "big")
        self._schedule_byte()
        chip.sync_found()
        chip.changed()

    def _byte(self, value):
        chip = self.chip
        packet = chip.packet
        if self.invert:
            value ^= 0xFF
        if self.white is not None:
            value = self.white.apply(value)
        self.rssi_sum += self.hearing.rssi_dbm
        self.count += 1
        if self.crc_left:
            self.check[-self.crc_left] = value
            self.crc_left -= 1
            if not self.crc_left:
                self._end(bytes(self.check) != self.crc.bytes())
            return
        if self.crc is not None:
            self.crc.feed(value)
        if packet[5] and self.length is None:  # variable length: the first byte says it
            self.length = value
            if value > packet[6]:
                self._reject(0x08)
                return
            if not value:
                self._complete()
            return
        if packet[4] and not self.payload and not self._address_ok(value, packet[4]):
            self._reject(0x20)
            return
        chip.buffer[chip.rx_pointer] = value
        chip.rx_pointer = chip.rx_pointer + 1 & 0xFF
        self.payload += 1
        if self.length is not None:
            ended = self.payload == self.length
        else:
            ended = self._distance() == 0
            if ended and chip.stop_missed:
                chip.stop_missed = ended = False
        if ended:
            self._complete()

    def _distance(self):
        """Bytes until the pointer, relative to the base, is at the stop register; 0: it is there."""
        chip = self.chip
        return chip.memory[_A["RX_TX_PAYLOAD_LENGTH"]] - (chip.rx_pointer - chip.rx_base) & 0xFF

    def stop_written(self, value):
        """06BB was written [7.2; what happens at or behind the pointer is open]."""
        chip = self.chip
        chip.stop_missed = False
        if not self.receiving or self.length is not None or self.crc_left or not self.payload:
            return
        ahead = self._distance()
        if ahead == 0:
            if chip.options.stop_behind == "at_once":
                self._complete()
        elif ahead <= chip.options.stop_lead_bytes:
            chip.stop_missed = True

    def _address_ok(self, value, check):
        memory = self.chip.memory
        return value == memory[_A["NODE_ADDRESS"]] or check == 2 and value == memory[_A["BROADCAST_ADDRESS"]]

    def _reject(self, status):
        """Wrong length or address: the search goes on."""
        chip = self.chip
        chip.packet_status = bytes((status, self.rssi_sync, self._average()))
        chip.stats[2] += status == 0x08
        chip.rx_pointer = chip.rx_base
        self.start()

    def _complete(self):
        if self.crc is not None:
            self.crc_left = self.crc.bits // 8
            self.check = bytearray(self.crc_left)
        else:
            self._end(False)

    def _average(self):
        return rssi_byte(self.rssi_sum / self.count) if self.count else self.rssi_sync

    def _end(self, crc_wrong):
        self.receiving = False
        self.timer_ns = NEVER
        status = 0x02 | (0x10 if crc_wrong else 0)
        self.chip.packet_received(self.payload, status, self.rssi_sync, self._average(), crc_wrong)

    def rssi_now(self):
        """GetRssiInst: live while receiving."""
        if not self.on or self.hearing is None:
            return 0xFF
        return rssi_byte(self.hearing.rssi_dbm)
