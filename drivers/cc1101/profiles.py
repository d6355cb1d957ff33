"""Register bytes for a mode row, a side (receive or send) and a crystal; integers only (sheet 7 and 10).

The parts that follow from the mode table are computed with the datasheet's formulas. What belongs to the chip and not to
the standard is listed below: the common set and the receiver tunings, both from TI AN067 (SWRA234), with the deviations
from it named.
"""

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from omsnode.firmware.portable import const

from . import registers

RX = "rx"
TX = "tx"

CRYSTAL_HZ = 26000000

# Sheet 10.1. IOCFG2: sync (06). IOCFG1: high impedance (2E). IOCFG0: threshold of the RX FIFO (00; of the TX FIFO: 02).
# PKTLEN is the largest and never reached: reception is infinite and is ended by the deframer's count. MCSM0: the driver
# chooses FS_AUTOCAL. MCSM1: IDLE after a packet, no clear channel test.
_COMMON = """
IOCFG2   06
IOCFG1   2E
IOCFG0   00
FIFOTHR  00
PKTLEN   FF
PKTCTRL1 00
PKTCTRL0 02
FSCTRL1  08
MDMCFG1  22
MDMCFG0  F8
MCSM2    07
MCSM1    00
MCSM0    18
FREND1   B6
FREND0   10
FSCAL3   EA
FSCAL2   2A
FSCAL1   00
FSCAL0   1F
TEST2    81
TEST1    35
TEST0    09
"""

# Fixed length; no calibration between the strobe and the first chip: the driver calibrates before.
_TX_CHANGES = """
IOCFG0   02
PKTCTRL0 00
MCSM0    08
"""

# How a receiver is tuned, by family and direction: the narrowest filter not below so many Hz, the deviation it expects
# in Hz, and FOCCFG, BSCFG, AGCCTRL2, AGCCTRL1, AGCCTRL0.
# T, and with it T+C, runs at the nominal rate and not at AN067's 103 kBaud: with BSCFG limit 12.5 % that covers 87.5 to
# 112.5 kcps, all of the 88 to 112 kcps that EN 13757-4 asks of a receiver (sheet 10.2).
_TUNING = """
S up   255000 47600 2E 6D 04 09 B2
S down 255000 47600 2E 6D 04 09 B2
T up   322000 38100 2E BF 43 09 B5
C up   322000 44400 2E 6D 43 09 B5
C down 203000 25400 2E 6D 43 09 B5
"""
_TUNED = const("FOCCFG BSCFG AGCCTRL2 AGCCTRL1 AGCCTRL0")

# MDMCFG2.SYNC_MODE. AN067 lets one of the 16 chips be wrong (5); that makes 17 times as many false syncs, some of them in
# the preamble of a frame, and gains little: one wrong chip behind the sync loses the frame anyway.
_SYNC_16_OF_16_AND_CARRIER = const(0x06)
_GFSK = const(0x10)  # MDMCFG2.MOD_FORMAT; 0 is 2-FSK

_MDMCFG4 = const(0x10)
_MDMCFG3 = const(0x11)

# Highest first: dBm, PATABLE byte at 868 MHz (TI DN013; sheet 7.4).
_PATABLE_868 = """
10 C2
7 CB
5 81
0 50
-10 27
-15 1E
-20 0F
-30 03
"""
_POWER_DBM = const(10)


def _rows(table):
    return [line.split() for line in table.strip().split("\n")]


def power(power_dbm=None):
    """PATABLE byte of the highest step not above power_dbm (None: 10 dBm). MisuseError outside -30..10 dBm."""
    if power_dbm is None:
        power_dbm = _POWER_DBM
    if power_dbm <= _POWER_DBM:
        for step_dbm, value in _rows(_PATABLE_868):
            if int(step_dbm) <= power_dbm:
                return int(value, 16)
    raise MisuseError("a CC1101 cannot send with {} dBm".format(power_dbm), hint="-30 to 10 dBm")


def freq_word(frequency_hz, crystal_hz=CRYSTAL_HZ):
    """FREQ2..FREQ0 as an integer, nearest; step crystal / 2^16."""
    return (frequency_hz * 65536 + crystal_hz // 2) // crystal_hz


def data_rate(rate_bps, crystal_hz=CRYSTAL_HZ):
    """(DRATE_E, DRATE_M), nearest. Rate = (256 + M) * 2^E * crystal / 2^28."""
    exponent = 0
    while rate_bps << 28 >= crystal_hz << 9 + exponent:
        exponent += 1
    step = crystal_hz << exponent
    mantissa = ((rate_bps << 28) + step // 2) // step - 256
    if mantissa > 255:
        return exponent + 1, 0
    return exponent, mantissa


def deviation(deviation_hz, crystal_hz=CRYSTAL_HZ):
    """DEVIATN, nearest. Deviation = (8 + M) * 2^E * crystal / 2^17."""
    best = None
    for value in range(0x80):
        if value & 0x08:
            continue
        error = abs((8 + (value & 7) << (value >> 4)) * crystal_hz - (deviation_hz << 17))
        if best is None or error < best[0]:
            best = (error, value)
    return best[1]


def bandwidth(bandwidth_hz, crystal_hz=CRYSTAL_HZ):
    """Upper half of MDMCFG4 (CHANBW_E, CHANBW_M) of the narrowest filter that is not below bandwidth_hz."""
    for nibble in range(15, -1, -1):
        if crystal_hz >= bandwidth_hz * 8 * (4 + (nibble & 3)) << (nibble >> 2):
            return nibble << 4
    return 0x00


def air_time_us(block, chips, crystal_hz=CRYSTAL_HZ):
    """Microseconds that `chips` chips take at the rate the registers achieve, nearest."""
    exponent = block[_MDMCFG4] & 15
    rate = (256 + block[_MDMCFG3] << exponent) * crystal_hz
    return ((chips * 1000000 << 28) + rate // 2) // rate


def sync_word(row):
    """The 16 chips to match: the last ones of preamble and sync, in mode C of the first half of the sync, because the
    second half is not free to be something else on this chip and tells the format (sheet 6.2, 6.3)."""
    sync, n_chips = list(row.sync.values())[0]
    if n_chips == 32:
        return sync >> 16
    return (0x5555 << n_chips | sync) & 0xFFFF


def block(mode, direction, side, crystal_hz=CRYSTAL_HZ, offset_hz=0):
    """The configuration registers 0x00..0x2E, a bytearray of 47.

    mode: name of a mode, or "T+C" (receive only). direction: link direction, "up" or "down". side: RX or TX.
    offset_hz: added to the carrier, for a crystal that is known to be off. MisuseError if the chip cannot do it.
    """
    row = modes.serving(mode, direction)
    if side == TX and mode == modes.T_AND_C:
        raise MisuseError("T+C can only be received", hint="send T1, T2, C1 or C2")
    filter_hz, deviation_hz, *tuned = _tuning(row.family, direction)
    if side == TX:
        deviation_hz = row.deviation_hz
    exponent, mantissa = data_rate(row.chip_rate_cps, crystal_hz)
    word = freq_word(row.frequency_hz + offset_hz, crystal_hz)
    sync = sync_word(row)
    sync_mode = _SYNC_16_OF_16_AND_CARRIER if side == RX else 0
    out = bytearray(registers.RESET)
    for name, value in _rows(_COMMON):
        out[registers.address(name)] = int(value, 16)
    _put(out, _TUNED, [int(value, 16) for value in tuned])
    if side == TX:
        for name, value in _rows(_TX_CHANGES):
            out[registers.address(name)] = int(value, 16)
    _put(out, "SYNC1 SYNC0", (sync >> 8, sync & 0xFF))
    _put(out, "FREQ2 FREQ1 FREQ0", (word >> 16, word >> 8 & 0xFF, word & 0xFF))
    _put(out, "MDMCFG4 MDMCFG3", (bandwidth(int(filter_hz), crystal_hz) | exponent, mantissa))
    _put(out, "MDMCFG2", (sync_mode | (_GFSK if row.modulation == "2-GFSK" else 0),))
    _put(out, "DEVIATN", (deviation(int(deviation_hz), crystal_hz),))
    return out


def _tuning(family, direction):
    for row in _rows(_TUNING):
        if row[:2] == [family, direction]:
            return row[2:]
    raise MisuseError("no tuning for {} {}".format(family, direction))


def _put(block, names, values):
    """names: registers, with blanks between them; values: as many bytes."""
    for name, value in zip(names.split(), values):  # noqa: B905  (MicroPython's zip has no strict)
        block[registers.address(name)] = value
