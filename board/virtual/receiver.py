"""The receive half of the packet engine: sync search on chips, bytes behind the sync, end of packet.

How a transmission is followed is in follower.py. After the signal ends inside a packet, noise goes on filling the FIFO;
a new sync word is looked for only after RX was left or restarted.
"""

import math

from . import registers as R
from .air import NEVER
from .coding import Whitening, crc16
from .follower import Follower
from .transmitter import fixed_end

_PKTLEN, _PKTCTRL1, _PKTCTRL0 = R.ADDRESS["PKTLEN"], R.ADDRESS["PKTCTRL1"], R.ADDRESS["PKTCTRL0"]
_SYNC1, _SYNC0, _ADDR = R.ADDRESS["SYNC1"], R.ADDRESS["SYNC0"], R.ADDRESS["ADDR"]

# SYNC_MODE 1, 2, 3 -> (mask of the word, wrong chips allowed, number of words accepted)
_SYNC_RULE = {1: (0xFFFF, 1, 17), 2: (0xFFFF, 0, 1), 3: (0xFFFFFFFF, 2, 529)}


class Receiver(Follower):
    """Active while `on`. `receiving`: behind the sync word. `timer_ns`: the sync word or the next byte is complete."""

    def __init__(self, chip):
        super().__init__(chip)
        self.latched = False
        self.invert = 0
        self.carrier_sense = 0
        self.pqt_reached = 0
        self.rssi = self._raw_rssi(-138)
        self.lqi = 127
        self.freqest = 0

    # --- on and off ---

    def start(self):
        """RX is entered (or restarted): RSSI is live again, the search begins."""
        self.on = True
        self.receiving = self.latched = False
        self.signal = None
        self.started_ns = self.chip.world.now_ns
        self.air_changed()

    def stop(self):
        if self.on and self.hearing is not None and not self.latched:
            self.rssi, self.lqi, self.freqest = self.rssi_now(), self.lqi_now(), self.freqest_now()
        self.on = self.receiving = self.latched = False
        self.chip.in_packet = 0
        self.signal = self.hearing = None
        self.timer_ns = NEVER
        self.carrier_sense = self.pqt_reached = 0

    def _hear(self, modem):
        hearing = super()._hear(modem)
        if not modem.sync_mode & 3:
            hearing.error_rate = min(0.5, hearing.error_rate + self.chip.options.raw_chip_errors)
        return hearing

    def _sense(self, modem):
        rssi = self.hearing.rssi_dbm
        relative = modem.cs_relative_db
        self.carrier_sense = int(
            modem.cs_dbm is not None
            and rssi >= modem.cs_dbm
            or relative is not None
            and rssi - self.chip.world.air.noise_dbm(modem.bandwidth_hz) >= relative
        )

    # --- search ---

    def _search_from_now(self, same_signal=False):
        """Look for the sync word from this instant on. What the shift register holds: the chips before, if the same
        signal was followed already, else noise."""
        chip = self.chip
        self.timer_ns = NEVER
        modem = chip.modem()
        mode = modem.sync_mode
        self.register = chip.rng.getrandbits(32)
        self.quality = 0
        self.invert = int(modem.inverted)
        signal = self.signal
        if not mode & 3:  # no sync word at all, or carrier sense alone
            if chip.options.rx_without_sync == "stream" and (mode == 0 or self.carrier_sense):
                self._begin_packet(0)
            return
        if signal is not None:
            now_index = math.ceil((chip.world.now_ns - signal.start_ns) / signal.period_ns - 1e-6)
            if same_signal:
                for bit in self._before(now_index - 32, now_index):
                    self._shift(bit ^ self.invert)
            self.index = now_index
            self._scan()
        elif chip.world.air.noise_syncs and mode & 4 == 0:
            mask, _, words = _SYNC_RULE[mode]
            rate = modem.chip_rate_cps * words / (mask + 1)
            self.timer_ns = chip.world.now_ns + int(chip.rng.expovariate(rate) * 1e9) + 1

    def _shift(self, bit):
        if bit != self.register & 1:
            self.quality += 1
        else:
            self.quality = max(0, self.quality - 8)
        self.register = (self.register << 1 | bit) & 0xFFFFFFFF

    def _scan(self):
        """Look at the chips known so far (they may lie up to a byte in the future); a hit sets the timer."""
        chip = self.chip
        mode = chip.modem().sync_mode
        if mode & 4 and not self.carrier_sense:
            return
        mask, allowed, _ = _SYNC_RULE[mode & 3]
        registers = chip.registers
        word = (registers[_SYNC1] << 8 | registers[_SYNC0]) * 0x10001
        threshold = 4 * (registers[_PKTCTRL1] >> 5)
        chips = self.signal.chips
        register, quality = self.register, self.quality
        index, end = self.index, len(chips)
        invert = self.invert
        errors = self.error_left < end - index
        while index < end:
            bit = chips[index] ^ invert
            if errors and self._error():
                bit ^= 1
                self.wrong.append(index)
            index += 1
            if threshold:
                quality = quality + 1 if bit != register & 1 else max(0, quality - 8)
            register = (register << 1 | bit) & 0xFFFFFFFF
            if ((register ^ word) & mask).bit_count() <= allowed and quality >= threshold:
                self.timer_ns = max(self.signal.time_ns(index), chip.world.now_ns)
                self.pqt_reached = 1
                break
        if not errors:
            self.error_left -= index - self.index
        self.register, self.quality, self.index = register, quality, index

    # --- behind the sync word ---

    def _begin_packet(self, sync):
        chip = self.chip
        now = chip.world.now_ns
        self.receiving = True
        self.bits = self.have = 0
        self.count = 0
        self.first = True
        self.length = None
        self.crc_left = 0
        self.crc = 0xFFFF
        self.whitening = Whitening()
        self.latched = bool(sync)
        if sync:
            self.rssi = self._raw_rssi(self.hearing.rssi_dbm)
            self.lqi, self.freqest = self._lqi(), self._freqest()
        if self.signal is None:
            self.noise_ns = now
        chip.crc_ok = chip.crc_ok_unread = 0
        if sync:
            chip.in_packet = 1
        if fixed_now(chip) and chip.registers[_PKTLEN] == 0 and chip.options.pktlen_0 == "end_at_once":
            self.end_packet()
            return
        self._schedule_byte()
        chip.changed()

    def _byte(self, value):
        chip = self.chip
        registers = chip.registers
        control = registers[_PKTCTRL0]
        if self.invert:
            value ^= 0xFF
        if control & 0x40:
            value = self.whitening.apply(value)
        if self.crc_left:
            self._crc_byte(value)
            return
        mode = control & 3
        if self.first and mode == 1:
            self.length = value
            if value > registers[_PKTLEN]:
                self.restart()
                return
        if not self._address_ok(value, mode):
            return
        if control & 4:
            self.crc = crc16(self.crc, value)
        self.count = (self.count + 1) & 0xFF
        self.first = False
        if not chip.push_rx(value):
            return
        if mode == 0:
            ended = fixed_end(chip, self.count)
        elif mode == 1:
            ended = self.length is not None and self.count == (self.length + 1) & 0xFF
        else:
            ended = False
        if ended:
            if control & 4:
                self.crc_left = 2
            else:
                self.end_packet()

    def _address_ok(self, value, mode):
        """Address check of the first byte (the second with a length byte). A packet for others restarts the search."""
        check = self.chip.registers[_PKTCTRL1] & 3
        if not check or self.count != (1 if mode == 1 else 0):
            return True
        wanted = (self.chip.registers[_ADDR],) + ((), (0,), (0, 0xFF))[check - 1]
        if value in wanted:
            return True
        if mode == 1 and self.chip.rx_fifo:
            self.chip.rx_fifo.pop()  # its length byte
        self.restart()
        return False

    def _crc_byte(self, value):
        self.crc_left -= 1
        self.crc ^= value << 8 * self.crc_left
        if not self.crc_left:
            chip = self.chip
            chip.crc_ok = chip.crc_ok_unread = int(self.crc == 0)
            if not chip.crc_ok and chip.registers[_PKTCTRL1] & 8:
                chip.rx_fifo.clear()
                chip.rx_waiting = 0
                self.end_packet(append=False)
            else:
                self.end_packet()

    def end_packet(self, append=True):
        """The packet ends by its length (or by one of the options)."""
        chip = self.chip
        self.receiving = False
        self.timer_ns = NEVER
        chip.in_packet = 0
        if append and chip.registers[_PKTCTRL1] & 4:
            for value in (self.rssi, self.lqi | chip.crc_ok << 7):
                if not chip.push_rx(value):
                    return
        chip.rx_waiting = int(bool(chip.rx_fifo))
        chip.packet_received()

    def restart(self):
        """Discard: the search starts again without leaving RX."""
        self.chip.in_packet = 0
        self.start()

    # --- RSSI, LQI, FREQEST: latched at the sync word; live before, and in raw reception throughout ---

    @staticmethod
    def _raw_rssi(dbm):
        """RSSI register: half dB steps, 74 dB offset (sheet 7.3)."""
        return max(-128, min(127, round((dbm + 74) * 2))) & 0xFF

    def rssi_now(self):
        """Register value: live during the search, frozen from the sync word on and after RX was left."""
        if self._live() and self.chip.world.now_ns - self.started_ns >= self.chip.modem().rssi_period_ns:
            return self._raw_rssi(self.hearing.rssi_dbm)
        return self.rssi

    def lqi_now(self):
        return self._lqi() if self._live() and self.receiving else self.lqi

    def freqest_now(self):
        if not (self._live() and self.receiving):
            return self.freqest
        return self._freqest() if self.chip.options.raw_freqest == "live" else 0

    def _live(self):
        return self.on and not self.latched and self.hearing is not None

    def _lqi(self):
        if self.signal is None:
            return 127
        return max(1, min(127, int(60 - 2 * self.hearing.snr_db)))

    def _freqest(self):
        modem = self.chip.modem()
        limit = modem.offset_limit_hz
        if self.signal is not None:
            offset = max(-limit, min(limit, self.hearing.offset_hz))
        else:
            offset = 0 if self.latched else self.chip.rng.uniform(-limit, limit)
        return round(offset / (modem.xosc_hz / 16384)) & 0xFF


def fixed_now(chip):
    return chip.registers[_PKTCTRL0] & 3 == 0
