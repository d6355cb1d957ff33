"""The air: what is sent, who hears it, how well.

Rules, all of them (a real receiver is kinder or crueller; these are simple, documented and repeatable):

* Received power = sent power - path loss of (source, receiver). The loss is what `set_path_loss` said, else free
  space at 868 MHz by the distance of the two positions (1 m = 31.2 dB, 20 dB per decade), else `default_path_loss_db`.
* A transmission is in a receiver's channel if its spectrum (carrier +- (rate/2 + deviation)) touches the channel
  filter. The strongest one in the channel is the signal, the others are interference.
* The signal can be followed, chip by chip, if modulation is of the same kind (FSK or OOK), its rate is within BSCFG's
  limit of the receiver's (0.2 % where the limit is set to 0), its deviation is within a factor 3 of the
  receiver's, its carrier is within FOCCFG's limit (or half a deviation), and not more than a quarter of its width is
  outside the channel filter. What is outside costs sensitivity: 10 dB per quarter. Sub-carriers nearer to each other
  than filter and AFC reach are one channel: the stronger one is followed.
* A filter wider than the signal costs what noise it lets in: 10 lg(filter / signal width), of which 2.1 dB (T in 325
  kHz) are in the noise figure.
* The modulation index (2 x deviation / rate) and the pulse shape cost nothing: all receivers are discriminators. What a
  coherent one would make of an index of 0.508 is not modelled, nor are chips that slip and carriers that drift.
* Chip error rate = base + noise + collision: `chip_error_rate` (a number, or a function of transmission and receiver's
  name), 0.5 * exp(-Eb/N0 / 2) (non-coherent FSK; N = -174
  dBm/Hz + `noise_figure_db`: about -103 dBm for 1e-3 at 100 kcps), and, when the signal is less than `capture_db` above
  the sum of the interference, (1 - margin / capture_db) / 2.
"""

import math

NEVER = 1 << 62

CHIPS_OF = tuple(bytes(value >> bit & 1 for bit in range(7, -1, -1)) for value in range(256))
BYTE_OF = {chips: value for value, chips in enumerate(CHIPS_OF)}

_FSK = ("2-FSK", "2-GFSK", "MSK")


def unpack(packed):
    """Packed chips (first chip in the most significant bit) -> bytearray with one 0/1 per chip."""
    return bytearray(b"".join(CHIPS_OF[value] for value in packed))


def pack(chips):
    """One 0/1 per chip -> packed bytes, first chip in the most significant bit; the last byte is filled with 0."""
    chips = bytes(chips) + bytes(-len(chips) % 8)
    return bytes(BYTE_OF[chips[i : i + 8]] for i in range(0, len(chips), 8))


_FILTER_DB = 10 * math.log10(325e3 / 200e3)  # in noise_figure_db already


class Transmission:
    """One burst on the air.

    start_ns: instant of the first chip. chips: one 0/1 per chip, grows while it is sent; a 1 is the higher frequency.
    chip_rate_cps, frequency_hz, deviation_hz: floats, as really sent (crystal error included). modulation: "2-FSK",
    "2-GFSK", "MSK" or "OOK", bt its Gaussian filter (0.5..., None: none or unknown). power_dbm at the antenna. source: name of the sending board. end_ns: None while on air.
    """

    __slots__ = (
        "start_ns",
        "chips",
        "chip_rate_cps",
        "frequency_hz",
        "deviation_hz",
        "modulation",
        "power_dbm",
        "source",
        "end_ns",
        "period_ns",
        "bt",
    )

    def __init__(
        self,
        start_ns,
        chips,
        chip_rate_cps,
        frequency_hz,
        deviation_hz,
        modulation="2-FSK",
        power_dbm=10.0,
        source="",
        end_ns=None,
        bt=None,
    ):
        self.start_ns = start_ns
        self.chips = bytearray(chips)
        self.chip_rate_cps = chip_rate_cps
        self.frequency_hz = frequency_hz
        self.deviation_hz = deviation_hz
        self.modulation = modulation
        self.power_dbm = power_dbm
        self.source = source
        self.end_ns = end_ns
        self.period_ns = 1e9 / chip_rate_cps
        self.bt = bt

    def time_ns(self, index):
        """Instant at which chip `index` begins."""
        return self.start_ns + int(index * self.period_ns + 0.5)

    def chips_ended(self, now_ns):
        """How many chips have ended by now."""
        return int((now_ns - self.start_ns + 1) / self.period_ns)

    @property
    def packed(self):
        return pack(self.chips)

    @property
    def width_hz(self):
        return self.chip_rate_cps + 2 * self.deviation_hz

    @property
    def modulation_index(self):
        """h: half a turn of phase per chip is 1."""
        return 2 * self.deviation_hz / self.chip_rate_cps


class Hearing:
    """What a receiver makes of the air at one instant. signal: the Transmission it can follow, or None."""

    __slots__ = ("signal", "error_rate", "rssi_dbm", "snr_db", "offset_hz")

    def __init__(self, signal, error_rate, rssi_dbm, snr_db, offset_hz):
        self.signal = signal
        self.error_rate = error_rate
        self.rssi_dbm = rssi_dbm
        self.snr_db = snr_db
        self.offset_hz = offset_hz


class Air:
    """All transmissions of a world. `log` keeps every one ever sent, in order, for recordings."""

    def __init__(self, world):
        self.world = world
        self.next_ns = NEVER
        self.active = []
        self.log = []
        self.receivers = []
        self.positions = {}
        self.chip_error_rate = (
            0.0  # or (transmission, receiver's name) -> share; looked at as the air changes
        )
        self.capture_db = 6.0
        self.noise_figure_db = 10.0
        self.default_path_loss_db = 60.0
        self.noise_syncs = False  # sync words found in noise while listening without carrier sense
        self._losses = {}
        self._pending = []  # ready-made transmissions that have not begun
        self._playing = []  # on air, end with their chips

    # --- who hears whom ---

    def set_path_loss(self, source, receiver, loss_db, both_ways=True):
        """Fix the loss between two boards (names). loss_db may be math.inf."""
        self._losses[source, receiver] = loss_db
        if both_ways:
            self._losses[receiver, source] = loss_db
        self._changed()

    def path_loss_db(self, source, receiver):
        loss = self._losses.get((source, receiver))
        if loss is not None:
            return loss
        here, there = self.positions.get(source), self.positions.get(receiver)
        if here is None or there is None:
            return self.default_path_loss_db
        return 31.2 + 20 * math.log10(max(1.0, math.dist(here, there)))

    def noise_dbm(self, bandwidth_hz):
        return -174 + 10 * math.log10(bandwidth_hz) + self.noise_figure_db

    def hear(self, name, modem, loss_db=0.0):
        """What the receiver `name` with the settings `modem` hears now. loss_db: between its antenna and its receiver.

        Of modem: frequency_hz, chip_rate_cps, deviation_hz, bandwidth_hz, modulation, rate_limit, offset_limit_hz."""
        half = modem.bandwidth_hz / 2
        noise_mw = 10 ** (self.noise_dbm(modem.bandwidth_hz) / 10)
        heard = []
        for sent in self.active:
            if sent.source == name:
                continue
            offset = sent.frequency_hz - modem.frequency_hz
            if abs(offset) < half + sent.width_hz / 2:
                power = sent.power_dbm - self.path_loss_db(sent.source, name) - loss_db
                heard.append((power, -sent.start_ns, offset, sent))
        if not heard:
            return Hearing(None, 0.5, 10 * math.log10(noise_mw), 0.0, 0.0)
        heard.sort(key=lambda row: row[:3])
        power, _, offset, sent = heard.pop()
        signal_mw = 10 ** (power / 10)
        others_mw = sum(10 ** (row[0] / 10) for row in heard)
        rssi = 10 * math.log10(signal_mw + others_mw + noise_mw)
        snr_db = power - 10 * math.log10(noise_mw)
        outside = max(0.0, abs(offset) + sent.width_hz / 2 - half) / (sent.width_hz / 4)
        if not _followable(sent, modem, offset) or outside > 1:
            return Hearing(None, 0.5, rssi, snr_db, offset)
        snr_db -= 10 * outside + max(0.0, 10 * math.log10(modem.bandwidth_hz / sent.width_hz) - _FILTER_DB)
        base = self.chip_error_rate
        error_rate = base(sent, name) if callable(base) else base
        eb_n0 = 10 ** (snr_db / 10) * modem.bandwidth_hz / sent.chip_rate_cps
        error_rate += 0.5 * math.exp(-eb_n0 / 2)
        if others_mw:
            margin = power - 10 * math.log10(others_mw)
            if margin < self.capture_db:
                error_rate += (1 - margin / self.capture_db) / 2
        return Hearing(sent, min(0.5, error_rate), rssi, snr_db, offset)

    # --- sending ---

    def begin(self, sent):
        """A live transmission starts now; its chips come by `extend`, its end by `end`."""
        self.active.append(sent)
        self.log.append(sent)
        self._changed()

    def extend(self, sent, chips):
        sent.chips.extend(chips)
        for receiver in self.receivers:
            receiver.more_chips(sent)

    def end(self, sent, at_ns=None):
        """Ends now; chips that were not completely sent are cut off."""
        now = self.world.now_ns if at_ns is None else at_ns
        del sent.chips[max(0, sent.chips_ended(now)) :]
        sent.end_ns = now
        self.active.remove(sent)
        self._changed()

    def detach(self, sent):
        """A live transmission goes on by itself until its chips are out."""
        self._playing.append(sent)
        self._reschedule()

    def transmit(self, sent):
        """Put a ready-made transmission on the air: anything with the attributes of Transmission. It begins at its
        start_ns (now, if that has passed). Returns the Transmission that the receivers hear."""
        own = Transmission(
            max(sent.start_ns, self.world.now_ns),
            sent.chips,
            sent.chip_rate_cps,
            sent.frequency_hz,
            sent.deviation_hz,
            sent.modulation,
            sent.power_dbm,
            sent.source,
            bt=getattr(sent, "bt", None),
        )
        self._pending.append(own)
        self._reschedule()
        return own

    def advance(self, now_ns):
        for sent in [row for row in self._playing if row.time_ns(len(row.chips)) <= now_ns]:
            self._playing.remove(sent)
            self.end(sent)
        for sent in [row for row in self._pending if row.start_ns <= now_ns]:
            self._pending.remove(sent)
            self._playing.append(sent)
            self.begin(sent)
        self._reschedule()

    def _reschedule(self):
        times = [sent.start_ns for sent in self._pending]
        times += [sent.time_ns(len(sent.chips)) for sent in self._playing]
        self.next_ns = min(times, default=NEVER)

    def _changed(self):
        for receiver in self.receivers:
            receiver.air_changed()


def _followable(sent, modem, offset):
    if (sent.modulation in _FSK) != (modem.modulation in _FSK):
        return False
    if abs(sent.chip_rate_cps / modem.chip_rate_cps - 1) > modem.rate_limit:
        return False
    if modem.modulation in _FSK:
        if not 1 / 3 <= sent.deviation_hz / modem.deviation_hz <= 3:
            return False
        if abs(offset) > max(modem.offset_limit_hz, modem.deviation_hz / 2):
            return False
    return True
