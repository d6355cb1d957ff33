"""Reception and transmission of the SX1262 as commands and events: what SetRx and SetTx need, what follows a packet."""

from ..air import NEVER
from . import commands as C
from . import registers as R
from .modem import Modem, power_dbm

_A = R.ADDRESS


def _number(data):
    return int.from_bytes(data, "big")


class Traffic:
    """A third of the chip: commands that put something on the air or take it off."""

    # --- reception ---

    def modem(self):
        return self._modem

    def locked(self):
        """Can a signal be followed at all?"""
        return self._crystal and not self.clock_dead and self._modem is not None

    def _tune(self):
        """Take over frequency and modulation, as the synthesizer does on its way into RX or TX."""
        self._modem = None
        if self.modulation is not None:
            word = _number(self.memory[_A["RF_FREQUENCY"] : _A["RF_FREQUENCY"] + 4])
            self._modem = Modem(word, self.modulation, self.options, self.xosc_hz)

    def retune(self):
        """A fault changed settings: they act at once."""
        if self.mode == "RX":
            if self.modulation is None or self.packet is None:
                self.receiver.stop()
            else:
                self._tune()
                self.receiver.air_changed()
        self.changed()

    def receive_loss_db(self):
        """Between antenna and demodulator."""
        if self.deaf:
            return 400.0
        loss = self.rf_loss_db(False)
        if self.memory[_A["RX_GAIN"]] not in R.GAIN_BOOSTED:
            loss += self.options.boost_db
        if not self.image_calibrated():
            loss += self.options.image_loss_db
        return loss

    def _ready_for(self, command):
        """What a driver must have done before RX or TX: what is missing is said, and nothing goes over the air."""
        missing = []
        if self.packet_type != 0:
            missing.append("not modelled: {} with LoRa".format(command))
        elif self.modulation is None:
            missing.append(command + " before SetModulationParams")
        elif self.packet is None:
            missing.append(command + " before SetPacketParams")
        if not self.frequency_set:
            missing.append(command + " before SetRfFrequency")
        for text in missing:
            self.violation(text)
        if not self.image_calibrated():
            self.violation(command + " without image calibration for the band")
        return not missing

    def _SetRx(self, parameters):
        timeout = _number(parameters)
        self.rx_ready = self._ready_for("SetRx")
        self.rx_continuous = timeout == 0xFFFFFF
        self.rx_timed = timeout not in (0, 0xFFFFFF)
        self.fresh_rx = True
        self._go("RX", lambda: self._enter_rx(timeout * C.RTC_NS if self.rx_timed else None))

    def _enter_rx(self, timeout_ns):
        if self.deaf == "rx":
            self.deaf = None
        where = self.options.rx_base
        if where == "programmed":
            self.rx_base = self.rx_base_set
        else:
            self.rx_base = self.rx_pointer if where == "pointer" else self.rx_next
        self.rx_next = self.rx_pointer = self.rx_base
        self.command_status = 0
        if self.options.stop_reload != "never":
            self._reload_stop()
        if timeout_ns is not None:
            self.rtc_ns = self.world.now_ns + timeout_ns
            self.timer_survives = False
        self._tune()
        if self.rx_ready and not self.clock_dead:
            self.receiver.start()

    def _reload_stop(self):
        if self.packet is not None:
            self.memory[_A["RX_TX_PAYLOAD_LENGTH"]] = self.packet[6]
            self.stop_missed = False

    def preamble_found(self):
        self.raise_irq("PreambleDetected")
        if self.duty is not None:
            self.rtc_ns = self.world.now_ns + 2 * self.duty[0] + self.duty[1]
        elif self.stop_on_preamble and self.rx_timed:
            self.rtc_ns = NEVER

    def sync_found(self):
        self.rx_pointer = self.rx_base
        if self.rx_timed and not self.stop_on_preamble and self.options.timer_survives_rxdone:
            self.timer_survives = True  # chapter 15.3: it is not stopped
        elif self.duty is None and not self.timer_survives:
            self.rtc_ns = NEVER
        self.raise_irq("SyncWordValid")

    def packet_received(self, length, status, rssi_sync, rssi_average, crc_wrong):
        """RxDone: results, the next base, and what mode follows [7.2]."""
        self.rx_length, self.rx_start = length & 0xFF, self.rx_base
        self.packet_status = bytes((status, rssi_sync, rssi_average))
        self.rx_next = self.rx_base + length & 0xFF
        self.stats[0] += 1
        self.command_status = C.DATA_AVAILABLE
        if crc_wrong:
            self.stats[1] += 1
        if self.rx_continuous:
            self.rx_base = self.rx_pointer = self.rx_next
            if self.options.stop_reload == "packet":
                self._reload_stop()
            self.receiver.start()
        else:
            if not self.timer_survives:
                self.rtc_ns = NEVER
            self.duty = None
            self.receiver.stop()
            self._standby(self.fallback)
        self.raise_irq("RxDone", *(("CrcErr",) if crc_wrong else ()))
        self.changed()

    def _timer_expired(self):
        survivor, self.timer_survives = self.timer_survives, False
        if self.mode not in ("RX", "TX") or survivor and self.receiver.receiving:
            return
        duty = self.duty
        self._leave()
        if duty is not None and self.mode == "RX":
            self._nap(duty)
            return
        self.command_status = C.TIMED_OUT
        self._standby("STDBY_RC" if self.options.timeout_mode == "standby_rc" else self.fallback)
        self.raise_irq("Timeout")

    def _SetRxDutyCycle(self, parameters):
        self.rx_ready = self._ready_for("SetRxDutyCycle")
        self.rx_continuous = False
        self.rx_timed = True
        self._open_window(tuple(_number(parameters[i : i + 3]) * C.RTC_NS for i in (0, 3)))

    def _open_window(self, duty):
        def entered():
            self.duty = duty
            self._enter_rx(duty[0])

        self._go("RX", entered)

    def _nap(self, duty):
        """Sleep with retention until the next window."""

        def next_window():
            self._awake()
            self._open_window(duty)

        self.mode = "SLEEP"
        self.sleep_warm = True
        self.busy_from = self.world.now_ns
        self.after = lambda: self._start(C.WARM_START_US, next_window)
        self.state_ns = self.world.now_ns + duty[1]
        self.memory_noise()

    def _SetCad(self, _):
        self.violation("not modelled: SetCad (LoRa)")
        self.command_status = C.EXECUTION_FAILURE

    def _SetCadParams(self, _):
        """For LoRa; means nothing in GFSK."""

    # --- transmission ---

    def _SetTx(self, parameters):
        timeout_ns = _number(parameters) * C.RTC_NS
        self._start_tx("SetTx", self.transmitter.start, timeout_ns)

    def _SetTxContinuousWave(self, _):
        self._start_tx("SetTxContinuousWave", self.transmitter.start_carrier, 0)

    def _SetTxInfinitePreamble(self, _):
        self._start_tx("SetTxInfinitePreamble", self.transmitter.start_preamble, 0)

    def _start_tx(self, command, begin, timeout_ns):
        ready = self._ready_for(command)
        if self.pa_config is None or self.tx_params is None:
            self.violation(command + " before SetPaConfig and SetTxParams")
        elif self.power_dbm() is None:
            self.violation("PA setting not in table 13-21")
        if not self.memory[_A["TX_MODULATION"]] & R.MODULATION_FIX:
            self.violation(command + " without bit 2 of 0889 (chapter 15.1)")
        if self.memory[_A["TX_CLAMP"]] & R.CLAMP_FIX != R.CLAMP_FIX:
            self.violation(command + " without 1E in 08D8 (chapter 15.2)")
        if self.mode == "TX":
            self.violation(command + " while sending")
        self.transmitter.latch()
        ramp = C.RAMP_US[self.tx_params[1] & 7] if self.tx_params and self.options.ramp_counts else 0

        def entered():
            if self.options.pa_ramp_failures > 0:
                self.options.pa_ramp_failures -= 1
                self.errors |= C.ERROR["PA_RAMP"]
                self.command_status = C.EXECUTION_FAILURE
                self._standby()
                return
            if self.weak_supply:
                self.brown_out()
                return
            if timeout_ns:
                self.rtc_ns = self.world.now_ns + timeout_ns
            self._tune()
            if ready and not self.clock_dead:
                begin()

        self._go("TX", entered, ramp)

    def power_dbm(self):
        """At the chip's pin, or None if the PA setting is no proper one."""
        if self.pa_config is None or self.tx_params is None:
            return None
        return power_dbm(self.pa_config, self.tx_params[0])

    def antenna_dbm(self):
        """What leaves the antenna."""
        power = self.power_dbm()
        if power is None:
            power = -30
        if self.memory[_A["TX_CLAMP"]] & R.CLAMP_FIX != R.CLAMP_FIX:
            power -= self.options.mismatch_loss_db
        return power + self.pa_gain_db - self.rf_loss_db(True)

    def packet_sent(self):
        """The last chip has left."""
        self.rtc_ns = NEVER
        self.command_status = C.TX_DONE
        self._standby(self.fallback)
        self.raise_irq("TxDone")
