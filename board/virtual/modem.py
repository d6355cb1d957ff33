"""From register values to physical quantities (datasheet formulas, sheet section 7), with the board's real crystal."""

from .registers import ADDRESS, field

XOSC_HZ = 26_000_000

MODULATION = {0: "2-FSK", 1: "2-GFSK", 3: "OOK", 4: "4-FSK", 7: "MSK"}
BSCFG_LIMIT = (0, 0.03125, 0.0625, 0.125)  # 0: no compensation
PREAMBLE_BYTES = (2, 3, 4, 6, 8, 12, 16, 24)
MAGN_TARGET_DB = (24, 27, 30, 33, 36, 38, 40, 42)
LNA_GAIN_LOSS_DB = (0, 2.6, 6.1, 7.4, 9.2, 11.5, 14.6, 17.1)
RELATIVE_CS_DB = (None, 6, 10, 14)

# PATABLE byte -> dBm at 868 MHz (sheet 7.4); other bytes take the nearest listed byte below.
POWER_DBM = {
    0x00: -100, 0x03: -30, 0x0F: -20, 0x1E: -15, 0x27: -10, 0x50: 0, 0x81: 5, 0xC0: 11, 0xC2: 10, 0xC6: 9, 0xCB: 7,
}  # fmt: skip


def power_dbm(setting):
    while setting not in POWER_DBM:
        setting -= 1
    return POWER_DBM[setting]


def frequency_hz(registers, xosc_hz=XOSC_HZ, offset=True):
    """Carrier in Hz (float) from FREQ, CHANNR, CHANSPC and, if asked, FSCTRL0."""
    a = ADDRESS["FREQ2"]
    word = registers[a] << 16 | registers[a + 1] << 8 | registers[a + 2]
    spacing = (256 + field(registers, "CHANSPC_M")) * 2.0 ** (field(registers, "CHANSPC_E") - 2)
    hertz = xosc_hz / 65536 * (word + registers[ADDRESS["CHANNR"]] * spacing)
    if offset:
        step = registers[ADDRESS["FSCTRL0"]]
        hertz += xosc_hz / 16384 * (step - 256 if step > 127 else step)
    return hertz


class Modem:
    """All quantities of one register image. Hz, chips per second, dB, dBm; floats."""

    __slots__ = (
        "frequency_hz",
        "chip_rate_cps",
        "deviation_hz",
        "bandwidth_hz",
        "modulation",
        "inverted",
        "rate_limit",
        "offset_limit_hz",
        "sync_mode",
        "preamble_bytes",
        "cs_dbm",
        "cs_relative_db",
        "rssi_period_ns",
        "xosc_hz",
    )

    def __init__(self, registers, xosc_hz=XOSC_HZ, uncompensated=0.002):
        """uncompensated: the part of the rate that the bit synchroniser stands by itself."""

        def get(name):
            return field(registers, name)

        self.xosc_hz = xosc_hz
        self.frequency_hz = frequency_hz(registers, xosc_hz)
        self.chip_rate_cps = (256 + get("DRATE_M")) * 2 ** get("DRATE_E") * xosc_hz / 2**28
        self.bandwidth_hz = xosc_hz / (8 * (4 + get("CHANBW_M")) * 2 ** get("CHANBW_E"))
        self.modulation = MODULATION.get(get("MOD_FORMAT"), "?")
        self.inverted = self.modulation == "MSK"  # sync word and data, both ways [7.2]
        if self.inverted:
            self.deviation_hz = self.chip_rate_cps / 4
        elif self.modulation == "OOK":
            self.deviation_hz = 0.0
        else:
            self.deviation_hz = (8 + get("DEVIATION_M")) * 2 ** get("DEVIATION_E") * xosc_hz / 2**17
        self.rate_limit = BSCFG_LIMIT[get("BS_LIMIT")] or uncompensated
        self.offset_limit_hz = self.bandwidth_hz * (0, 1 / 8, 1 / 4, 1 / 2)[get("FOC_LIMIT")]
        self.sync_mode = get("SYNC_MODE")
        self.preamble_bytes = PREAMBLE_BYTES[get("NUM_PREAMBLE")]
        # Absolute carrier sense: about -90 dBm for MAGN_TARGET 33 dB at full gain (sheet 7.3).
        step = get("CARRIER_SENSE_ABS_THR")
        self.cs_dbm = None
        if step != 8:
            self.cs_dbm = -90 + MAGN_TARGET_DB[get("MAGN_TARGET")] - 33 + (step - 16 if step > 7 else step)
            self.cs_dbm += 6 * get("MAX_DVGA_GAIN") + LNA_GAIN_LOSS_DB[get("MAX_LNA_GAIN")]
        self.cs_relative_db = RELATIVE_CS_DB[get("CARRIER_SENSE_REL_THR")]
        self.rssi_period_ns = int(8 * 2 ** get("FILTER_LENGTH") / (2 * self.bandwidth_hz) * 1e9)
