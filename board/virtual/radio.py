"""The radio control of the CC1101: strobes, MARCSTATE with its times, calibration (sheet sections 2, 4, 9)."""

from . import registers as R
from .air import NEVER
from .modem import Modem, frequency_hz

_A = R.ADDRESS

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


class Radio:
    """Half of the chip (cc1101.Cc1101 is the other): what strobes do and which state follows when."""

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

    def _swor(self):
        self.violation("not modelled: SWOR")
        self._spwd()

    def _sxoff(self):
        self.pending_off = R.XOFF

    def _sfrx(self):
        if self.marc not in (R.IDLE, R.RXFIFO_OVERFLOW):
            self.violation("SFRX in state {:02X}".format(self.marc))
            return
        self.rx_fifo.clear()
        self.rx_overflow = self.rx_waiting = self.crc_ok_unread = 0
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
        elif self.marc != R.RX:
            self.violation("SRX in state {:02X}".format(self.marc))

    def _stx(self):
        if self.marc == R.IDLE:
            self._from_idle(self._enter_tx)
        elif self.marc == R.FSTXON:
            self._run(((R.FSTXON, _FSTXON_NS),), self._enter_tx)
        elif self.marc == R.RX and self._cca_allows():
            self._leave()
            self._run(((R.RXTX_SWITCH, _RX_TO_TX_NS),), self._enter_tx)
        elif self.marc not in _LIVE:
            self.violation("STX in state {:02X}".format(self.marc))

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

    def _check_modelled(self):
        """What this model cannot do must not look as if it worked."""
        for name in ("MANCHESTER_EN", "FEC_EN", "PKT_FORMAT"):
            if R.field(self.registers, name):
                self.violation("not modelled: " + name)
        if R.field(self.registers, "RX_TIME") != 7:
            self.violation("not modelled: RX_TIME")
        modem = self.modem()
        if modem.modulation not in ("2-FSK", "2-GFSK", "MSK", "OOK"):
            self.violation("not modelled: MOD_FORMAT")
        if modem.modulation == "MSK" and modem.chip_rate_cps < 26_000:
            self.violation("MSK below 26 kBaud")

    def _enter_rx(self):
        self._check_modelled()
        if self.deaf == "rx":
            self.deaf = None
        self.enter(R.RX)
        self.receiver.start()

    def _enter_tx(self):
        self._check_modelled()
        if 0x61 <= self.patable[R.field(self.registers, "PA_POWER")] <= 0x6F:
            self.violation("PATABLE 61..6F")
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
        elif self.options.odd_calibrations > 0:
            self.options.odd_calibrations -= 1
            code = 8 + (code + 16) % 48  # 24 away, among those that exist
        registers[_A["FSCAL3"]] = registers[_A["FSCAL3"]] & 0xF0 | 0x09
        registers[_A["FSCAL2"]] = registers[_A["FSCAL2"]] & 0x20 | 0x0A
        registers[_A["FSCAL1"]] = code
        if self.deaf == "calibration":
            self.deaf = None
        self.calibrated_ns = self.world.now_ns
        self.ends_since_cal = 0

    def locked(self):
        """Would the synthesizer lock with the present FSCAL values? Unlocked: deaf, and sends somewhere else."""
        if self.deaf:
            return False
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
            self._modem = Modem(self.registers, self.xosc_hz, self.options.uncompensated_ppm * 1e-6)
        return self._modem
