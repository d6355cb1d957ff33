"""What SX1262 commands do: modes and their times, calibration, timers, parameters (sheet sections 1.1, 2, 4, 7)."""

from ..air import NEVER
from . import commands as C
from . import registers as R
from .modem import faults

_A = R.ADDRESS
_CLOCKED = ("STDBY_XOSC", "FS", "RX", "TX")  # the 32 MHz run


def _number(data):
    return int.from_bytes(data, "big")


class Control:
    """A third of the chip: modes and settings. A method `_Name` is the command of that name, `_read_Name` its answer."""

    # --- modes ---

    def _leave(self):
        self.receiver.stop()
        self.transmitter.abort()
        self.duty = None
        if not self.timer_survives:
            self.rtc_ns = NEVER

    def _go(self, target, then, extra_us=0):
        """Change to a mode that needs the 32 MHz: BUSY, the time it takes, what may go wrong, then `then()`."""
        source = self.mode
        self._leave()
        us = C.TRANSITION_US.get((source, target), self.options.command_us) + extra_us
        if source in _CLOCKED:
            clock = self._crystal and not self.clock_dead
        else:
            clock = self._clock_starts()
            if self.tcxo is not None:
                us += self.tcxo[1] / 1000
        self._busy_for(us * 1000)
        self.clock_dead = not clock
        if not clock:
            self.errors |= C.ERROR["XOSC_START"]
            how = self.options.no_clock
            if how == "hang":
                self.hang()
                return
            if how == "refused":
                self.mode = "STDBY_RC"
                self.command_status = C.EXECUTION_FAILURE
                return
        elif target != "STDBY_XOSC" and not self._pll_locks():
            self.errors |= C.ERROR["PLL_LOCK"]
            self.mode = "STDBY_RC" if source not in ("STDBY_XOSC", "FS") else "STDBY_XOSC"
            self.command_status = C.EXECUTION_FAILURE
            return
        self.mode = "FS" if target in ("RX", "TX") else source
        self.after = lambda: self._arrive(target, then)
        self.state_ns = self.busy_until
        self.changed()

    def _arrive(self, target, then):
        self.mode = target
        if target in ("RX", "TX") and self.regulator and not self.inductor:
            self.violation("DC-DC on a board without its inductor")
            self.brown_out()
            return
        if then is not None:
            then()

    def _clock_starts(self):
        """Would the 32 MHz start with what DIO3 gives, in the time allowed? [4.2, boards 3]"""
        if not self._crystal:
            return False
        if self.tcxo_mv is None:
            return self.tcxo is None  # DIO3 as supply on a board with a crystal: XOSC_START [boards 8.4]
        if self.tcxo is None:
            return False
        millivolt, delay_ns = self.tcxo
        if millivolt > self.tcxo_mv and self.options.tcxo_overvoltage == "fails":
            return False
        return millivolt >= self.tcxo_mv and delay_ns >= self.options.tcxo_start_us * 1000

    def _pll_locks(self):
        if self.options.pll_lock_failures > 0:
            self.options.pll_lock_failures -= 1
            return False
        return self._pll_usable()

    def _pll_usable(self):
        return self.pll_calibrated or self.options.uncalibrated_pll == "works"

    def _standby(self, mode="STDBY_RC"):
        """Fall back at once: the 32 MHz run already."""
        self.mode = mode
        if mode == "STDBY_RC":
            self.clock_dead = False
        self.changed()

    def _SetStandby(self, parameters):
        if parameters[0] > 1:
            self.violation("SetStandby({:02X})".format(parameters[0]))
        self.state_ns = NEVER
        if parameters[0] & 1 == 0:
            self._leave()
            self._standby()
        elif self.mode in _CLOCKED and self.mode != "STDBY_XOSC" and not self.clock_dead:
            self._leave()
            self._in_xosc()
        elif self.mode != "STDBY_XOSC":
            self._go("STDBY_XOSC", self._in_xosc)

    def _in_xosc(self):
        self._standby("STDBY_XOSC")
        if self.tcxo is None:  # trim of a crystal [3]
            self.memory[_A["XTA_TRIM"]] = self.memory[_A["XTB_TRIM"]] = 0x12

    def _SetFs(self, _):
        self._go("FS", None)

    def _SetSleep(self, parameters):
        self._leave()
        self.mode = "SLEEP"
        self.sleep_from = self.world.now_ns
        self.busy_from = self.world.now_ns + self.options.busy_rise_ns
        self.sleep_warm = bool(parameters[0] & 4)
        if parameters[0] & 1:
            self.violation("not modelled: RTC wake-up")
        self.memory_noise()

    def wake_up(self, then):
        """Out of SLEEP, warm or cold."""
        self.sleep_from = -NEVER
        if self.sleep_warm:
            self._start(C.WARM_START_US, then)
        else:
            self.power_on()

    def _awake(self):
        """End of a warm start: configuration is there, registers only as far as they are retained [9.6]."""
        count = min(4, self.memory[_A["RETENTION_COUNT"]])
        base = _A["RETENTION_LIST"]
        kept = {_number(self.memory[base + 2 * i : base + 2 * i + 2]) for i in range(count)}
        reset = R.image()
        for address in R.NEEDS_RETENTION - kept:
            self.memory[address] = reset[address]
        if not self.options.warm_keeps_packet_registers:
            for address in R.PACKET_ENGINE:
                if address not in kept:
                    self.memory[address] = reset[address]
        self._standby()

    # --- calibration ---

    def _Calibrate(self, parameters):
        what = parameters[0]
        us = self.options.calibrate_us if what & 0x7C else 200
        clock = self.mode in _CLOCKED and self._crystal or self._clock_starts()
        if self.tcxo is not None and self.mode == "STDBY_RC":
            us += self.tcxo[1] / 1000
        if self.mode != "STDBY_RC":
            self.violation("Calibrate in {}".format(self.mode))
        self._busy_for(us * 1000)
        if clock:
            self.errors &= ~0x1F
            if what & 0x04:
                self.pll_calibrated = True
            if what & 0x40:
                self.image_mhz = (
                    (902, 928) if self.options.calibrate_image_bit == "902-928" else self.image_asked_mhz
                )
            if self.deaf == "calibration":
                self.deaf = None
        else:
            self.errors |= C.ERROR["XOSC_START"]
            if what & 0x04:
                self.errors |= C.ERROR["PLL_CALIB"]
                self.pll_calibrated = False
            if what & 0x40:
                self.errors |= C.ERROR["IMG_CALIB"]
                self.image_mhz = None

    def _CalibrateImage(self, parameters):
        low, high = (4 * value for value in parameters)
        clock = self.mode in _CLOCKED and self._crystal or self._clock_starts()
        us = self.options.calibrate_us
        if self.tcxo is not None and self.mode == "STDBY_RC":
            us += self.tcxo[1] / 1000
        self._busy_for(us * 1000)
        self.image_asked_mhz = low, high
        if low > high:
            self.violation("CalibrateImage({:02X}, {:02X})".format(*parameters))
        if clock and self._pll_usable():
            self.image_mhz = low, high
        else:
            self.image_mhz = None
            self.errors |= C.ERROR["IMG_CALIB"] | (0 if clock else C.ERROR["XOSC_START"])

    def image_calibrated(self):
        mhz = self.frequency_hz() / 1e6
        return self.image_mhz is not None and self.image_mhz[0] <= mhz <= self.image_mhz[1]

    # --- settings ---

    def _StopTimerOnPreamble(self, parameters):
        self.stop_on_preamble = parameters[0] & 1

    def _SetRegulatorMode(self, parameters):
        self.regulator = parameters[0] & 1

    def _SetPaConfig(self, parameters):
        self.pa_config = bytes(parameters)
        self.memory[_A["OCP"]] = R.OCP_SX1261 if parameters[2] else R.OCP_SX1262
        if parameters[2]:
            self.violation("SetPaConfig for an SX1261")

    def _SetTxParams(self, parameters):
        self.tx_params = bytes(parameters)
        power = parameters[0] - 256 if parameters[0] > 127 else parameters[0]
        if not -9 <= power <= 22 or parameters[1] > 7:
            self.violation("SetTxParams({:02X}, {:02X})".format(*parameters))

    def _SetRxTxFallbackMode(self, parameters):
        mode = C.FALLBACK.get(parameters[0])
        if mode is None:
            self.violation("SetRxTxFallbackMode({:02X})".format(parameters[0]))
            self.command_status = C.EXECUTION_FAILURE
        else:
            self.fallback = mode

    def _SetDio2AsRfSwitchCtrl(self, parameters):
        self.dio2_switch = parameters[0] & 1

    def _SetDio3AsTcxoCtrl(self, parameters):
        if self.mode != "STDBY_RC":
            self.violation("SetDio3AsTcxoCtrl in {}".format(self.mode))
        if parameters[0] > 7:
            self.violation("SetDio3AsTcxoCtrl({:02X})".format(parameters[0]))
        code = parameters[0] & 7
        self.tcxo = C.TCXO_MV[code], _number(parameters[1:4]) * C.RTC_NS
        self.memory[_A["DIO3_VOLTAGE"]] = code
        self.memory[_A["XTA_TRIM"]] = self.memory[_A["XTB_TRIM"]] = 0x2F

    def _SetRfFrequency(self, parameters):
        self.memory[_A["RF_FREQUENCY"] : _A["RF_FREQUENCY"] + 4] = parameters
        self.frequency_set = True
        if not 150e6 <= self.frequency_hz() <= 960e6:
            self.violation("carrier outside 150 to 960 MHz")

    def frequency_hz(self):
        return _number(self.memory[_A["RF_FREQUENCY"] : _A["RF_FREQUENCY"] + 4]) * 32e6 / 2**25

    def _SetPacketType(self, parameters):
        self.packet_type = parameters[0]
        self.modulation = self.packet = None
        if self.packet_type != 0:
            self.violation("not modelled: packet type {:02X} (LoRa)".format(parameters[0]))
        if self.options.gain_lost_by_packet_type:
            self.memory[_A["RX_GAIN"]] = R.GAIN_POWER_SAVING

    def _gfsk(self, name, parameters, size):
        if self.packet_type != 0:
            self.violation("not modelled: {} of LoRa".format(name))
            return False
        if len(parameters) != size:
            self.violation("{} with {} parameters".format(name, len(parameters)))
            self.command_status = C.PROCESSING_ERROR
            return False
        return True

    def _SetModulationParams(self, parameters):
        if self._gfsk("SetModulationParams", parameters, 8):
            self.modulation = bytes(parameters)
            for text in faults(parameters):
                self.violation(text)

    def _SetPacketParams(self, parameters):
        if not self._gfsk("SetPacketParams", parameters, 9):
            return
        preamble = _number(parameters[:2])
        _, _, detector, sync, address, variable, length, crc, white = parameters
        wrong = (
            detector not in C.DETECTOR_BITS or sync > 64 or address > 2 or variable > 1 or crc not in C.CRC
        )
        if wrong or white > 1:
            self.violation("SetPacketParams({})".format(bytes(parameters).hex()))
            self.command_status = C.EXECUTION_FAILURE
            return
        if C.DETECTOR_BITS[detector] > sync:
            self.violation("preamble detector longer than the sync word")
        if preamble == 0:
            self.violation("no preamble")
        self.packet = bytes(parameters)
        self.memory[_A["RX_TX_PAYLOAD_LENGTH"]] = length

    def _SetBufferBaseAddress(self, parameters):
        self.tx_base, self.rx_base_set = parameters
        self.rx_next = self.rx_pointer = self.rx_base_set
        if not self.receiver.receiving:
            self.rx_base = self.rx_base_set

    def _SetDioIrqParams(self, parameters):
        self.irq_mask, self.dio1_mask, self.dio2_mask, self.dio3_mask = (
            _number(parameters[i : i + 2]) for i in range(0, 8, 2)
        )
        if self.dio2_mask and self.dio2_switch or self.dio3_mask and self.tcxo:
            self.violation("interrupt on DIO2 or DIO3, which has another job")

    def _ClearIrqStatus(self, parameters):
        self.irq &= ~_number(parameters)

    def _ClearDeviceErrors(self, _):
        self.errors = 0

    def _ResetStats(self, _):
        self.stats = [0, 0, 0]

    def _WriteRegister(self, parameters):
        address = _number(parameters[:2])
        for i, value in enumerate(parameters[2:]):
            self.write_register(address + i, value)

    def _WriteBuffer(self, parameters):
        offset = parameters[0]
        for i, value in enumerate(parameters[1:]):
            self.buffer[offset + i & 0xFF] = value

    # --- answers ---

    def _read_GetIrqStatus(self):
        return self.irq.to_bytes(2, "big")

    def _read_GetPacketType(self):
        return bytes((self.packet_type,))

    def _read_GetStatus(self):
        return b""

    def _read_GetRxBufferStatus(self):
        return bytes((self.rx_length, self.rx_start))

    def _read_GetPacketStatus(self):
        if self.mode.startswith("STDBY") and self.options.packet_status_in_standby == "zero":
            return bytes((self.packet_status[0], 0, 0))
        return self.packet_status

    def _read_GetRssiInst(self):
        return bytes((self.receiver.rssi_now(),))

    def _read_GetStats(self):
        return b"".join((count & 0xFFFF).to_bytes(2, "big") for count in self.stats)

    def _read_GetDeviceErrors(self):
        return self.errors.to_bytes(2, "big")
