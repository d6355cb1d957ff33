"""What every receive half has in common: it follows one transmission chip by chip (air.hear says which and how well).

Nothing happens while nothing is on the air. After the signal ends inside a packet, noise goes on filling the packet at
the receiver's own rate, as on a chip.
"""

import math

from .air import BYTE_OF, NEVER


class Follower:
    """Active while `on`. `receiving`: behind the sync word. `timer_ns`: the sync word or the next byte is complete.

    A chip's receiver adds: _search_from_now(same_signal), _scan(), _begin_packet(sync), _byte(value), _sense(modem). Of the
    chip it wants world, name, rng, stuck, modem(), locked(), changed().
    """

    def __init__(self, chip):
        self.chip = chip
        self.timer_ns = NEVER
        self.on = False
        self.receiving = False
        self.signal = None
        self.hearing = None
        self.wrong = []  # chips of the signal that were taken for their opposite while the sync word was looked for

    # --- the air speaks ---

    def air_changed(self):
        """A transmission began or ended, or RX was just entered."""
        if not self.on:
            return
        chip = self.chip
        now = chip.world.now_ns
        if self.receiving:
            self._take(self._chips_passed(now))
            if not self.on or not self.receiving:
                return
        before = self.signal
        error_rate = self.hearing.error_rate if self.hearing else None
        modem = chip.modem()
        self.hearing = hearing = self._hear(modem)
        if hearing.signal is not None and (not chip.locked() or chip.stuck):
            hearing.signal = None
        self.signal = signal = hearing.signal
        self._sense(modem)
        if signal is not before or hearing.error_rate != error_rate:
            self._draw_error()
        if signal is not before or signal is None:
            self.wrong.clear()
            if signal is None:
                self.noise_ns = now
            else:
                self.index = math.ceil((now - signal.start_ns) / signal.period_ns - 1e-6)
        if self.receiving:
            self._schedule_byte()
        else:
            self._search_from_now(signal is before)
        chip.changed()

    def more_chips(self, sent):
        """A live transmission has grown."""
        if sent is self.signal and self.on and not self.receiving and self.timer_ns == NEVER:
            self._scan()
            if self.timer_ns != NEVER:
                self.chip.changed()

    def _hear(self, modem):
        return self.chip.world.air.hear(self.chip.name, modem)

    def _sense(self, modem):
        """The signal or its strength changed."""

    # --- chip errors: the number of right chips before the next wrong one ---

    def _draw_error(self):
        rate = self.hearing.error_rate if self.hearing else 0.5
        if rate < 1e-9:
            self.error_left = NEVER
        else:
            self.error_left = int(math.log(1.0 - self.chip.rng.random()) / math.log1p(-rate))

    def _error(self):
        if self.error_left:
            self.error_left -= 1
            return 0
        self._draw_error()
        return 1

    def _before(self, first, index):
        """Chips first..index - 1 of the signal as they were taken; what chance made of later ones is forgotten."""
        self.wrong = [i for i in self.wrong if i < index]
        return [self.signal.chips[i] ^ (i in self.wrong) for i in range(max(0, first), index)]

    # --- behind the sync word ---

    def advance(self):
        if not self.receiving:
            self._begin_packet(1)
            return
        signal = self.signal
        if signal is None or self.have or self.error_left < 8 or self.index + 8 > len(signal.chips):
            self._take(8 - self.have)
            return
        # the hot path of _take: eight right chips of one signal
        index = self.index
        self.error_left -= 8
        self.index = index + 8
        self._byte(BYTE_OF[bytes(signal.chips[index : index + 8])])
        if self.receiving and self.have == 0 and self.signal is signal:
            self.timer_ns = signal.start_ns + int((self.index + 8) * signal.period_ns + 0.5)
        self.chip.changed()

    def _schedule_byte(self):
        need = 8 - self.have
        signal = self.signal
        if signal is not None:
            self.timer_ns = signal.start_ns + int((self.index + need) * signal.period_ns + 0.5)
        else:
            self.timer_ns = int(self.noise_ns + need * 1e9 / self.chip.modem().chip_rate_cps)

    def _chips_passed(self, now):
        """Chips of the present source that are over and not yet taken."""
        if self.signal is not None:
            return min(self.signal.chips_ended(now), len(self.signal.chips)) - self.index
        return int((now - self.noise_ns + 1) * self.chip.modem().chip_rate_cps / 1e9)

    def _take(self, number):
        """Take chips from the present source into bytes."""
        signal = self.signal
        while number > 0 and self.receiving:
            need = min(number, 8 - self.have)
            number -= need
            if signal is None or self.index + need > len(signal.chips):
                value = self.chip.rng.getrandbits(need)
                if signal is None:
                    self.noise_ns += need * 1e9 / self.chip.modem().chip_rate_cps
                self.index = 0 if signal is None else self.index + need
            else:
                value = 0
                for bit in signal.chips[self.index : self.index + need]:
                    value = value << 1 | bit ^ self._error()
                self.index += need
            self.bits = self.bits << need | value
            self.have += need
            if self.have == 8:
                value, self.bits, self.have = self.bits, 0, 0
                self._byte(value)
                if self.receiving:
                    self._schedule_byte()
        self.chip.changed()
