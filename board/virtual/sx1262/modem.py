"""From command parameters to physical quantities (sheet sections 2 and 5), with the board's real oscillator."""

from . import commands as C

XOSC_HZ = 32_000_000


class Modem:
    """Quantities of one GFSK setting. Hz, chips per second; floats."""

    __slots__ = (
        "frequency_hz",
        "chip_rate_cps",
        "deviation_hz",
        "bandwidth_hz",
        "modulation",
        "bt",
        "rate_limit",
        "offset_limit_hz",
        "xosc_hz",
        "cfo_rate_hz",
    )

    def __init__(self, frequency_word, parameters, options, xosc_hz=XOSC_HZ):
        """parameters: the eight bytes of SetModulationParams."""
        rate = max(1024, int.from_bytes(parameters[:3], "big"))  # nonsense ends at 1 Mbps
        self.xosc_hz = xosc_hz
        self.frequency_hz = frequency_word * xosc_hz / 2**25
        self.chip_rate_cps = 32 * xosc_hz / rate
        self.deviation_hz = max(1, int.from_bytes(parameters[5:8], "big")) * xosc_hz / 2**25
        self.bandwidth_hz = float(C.BANDWIDTH_HZ.get(parameters[4], 1))
        self.bt = C.SHAPES.get(parameters[3])
        self.modulation = "2-GFSK" if self.bt else "2-FSK"
        self.rate_limit = options.rate_limit
        self.offset_limit_hz = options.afc_fraction * self.bandwidth_hz
        self.cfo_rate_hz = _cfo_rate_hz(parameters[4], self.chip_rate_cps, xosc_hz)


def _cfo_rate_hz(bandwidth_code, chip_rate_cps, xosc_hz):
    """fs of the CFO register: the demodulator's sampling rate (section 3, low confidence)."""
    rate = xosc_hz / ((4, 8, 10, 12)[bandwidth_code >> 3 & 3] << (bandwidth_code & 7) + 1)
    ratio = rate / chip_rate_cps
    return rate * (4 if ratio < 4 else 2 if ratio < 8 else 1)


def faults(parameters):
    """What is wrong with the eight bytes of SetModulationParams: a list of texts."""
    found = []
    rate = int.from_bytes(parameters[:3], "big")
    deviation_hz = int.from_bytes(parameters[5:8], "big") * XOSC_HZ / 2**25
    chip_rate = 32 * XOSC_HZ / rate if rate else 0
    if not 595 <= chip_rate <= 300_000:
        found.append("bit rate outside 0.6 to 300 kbps")
    if not 595 <= deviation_hz <= 200_500:
        found.append("deviation outside 0.6 to 200 kHz")
    if deviation_hz + chip_rate / 2 > 250_000:
        found.append("deviation + bit rate / 2 above 250 kHz")
    if parameters[3] not in C.SHAPES:
        found.append("pulse shape {:02X} does not exist".format(parameters[3]))
    if parameters[4] not in C.BANDWIDTH_HZ:
        found.append("bandwidth code {:02X} does not exist".format(parameters[4]))
    elif C.BANDWIDTH_HZ[parameters[4]] < 0.99 * (2 * deviation_hz + chip_rate):
        found.append("bandwidth below 2 x deviation + bit rate")
    return found


def power_dbm(pa_config, power):
    """Output in dBm of SetPaConfig and SetTxParams (table 13-21; below 22 dB for dB), or None: not in the table."""
    if power > 127:
        power -= 256
    full = C.PA_DBM.get((pa_config[0], pa_config[1]))
    if full is None or pa_config[2] != 0 or pa_config[3] != 1 or not -9 <= power <= 22:
        return None
    return full - (22 - power)
