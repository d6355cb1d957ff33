"""Commands for a mode row and a side (receive or send); integers only (sheet 4.1, 5 and 6).

What follows from the mode table is computed with the datasheet's formulas for a crystal of 32 MHz; what belongs to the
chip is listed below.
"""

from collections import namedtuple

from omsnode.firmware.errors import MisuseError
from omsnode.firmware.phy import modes
from omsnode.firmware.portable import const

from . import commands

Profile = namedtuple(
    "Profile",
    (
        "frequency",  # SetRfFrequency, the whole command
        "modulation",  # SetModulationParams
        "packet",  # SetPacketParams
        "sync",  # eight bytes of the sync word register
        "bit_rate",  # the chip's bit-rate word: 1024 microseconds of a chip
        "given",  # bytes for the deframer that are in the sync word already
    ),
)

# How a receiver is tuned, by what it hears and direction: bandwidth code, sync word. The codes are those of sheet 6.1:
# 19 is 312 kHz, 12 is 187.2 kHz, double-sided. In T+C nothing longer than 543D is common; in C the third byte is that of
# both frame formats, in T and S more of the preamble makes false syncs fewer (sheet 6.2).
_RECEIVERS = """
S   up   19 547696
S   down 19 547696
T   up   19 55543D
C   up   19 543D54
C   down 12 543D54
T+C up   19 543D
"""

RX = "rx"
TX = "tx"

_DETECTOR_OFF = const(0x00)
_DETECTOR_8_BITS = const(0x04)  # not longer than the sync word, and much shorter than any preamble (sheet 5)
_RX_PREAMBLE_BITS = const(16)
_ALL = const(255)

_SHAPE = {"2-FSK": 0x00, "2-GFSK": 0x09}

# Least output of the row, highest first: dBm, then paDutyCycle, hpMax, deviceSel, paLut of SetPaConfig (DS rev 2.1 table
# 13-21; sheet 4.1). Each gives its dBm with SetTxParams power 22, and a dB less for each step below.
_PA = """
22 04 07 00 01
20 03 05 00 01
17 02 03 00 01
14 02 02 00 01
"""
_HIGHEST_DBM = const(22)
_LOWEST_STEP = const(-9)
POWER_DBM = const(14)  # 25 mW, the limit of the sub-bands of S, T and C uplink
_RAMP_40_US = const(0x02)
RAMP_US = const(40)

SYNC_BYTES = const(8)
BUFFER_BYTES = const(255)
_EXACT_PREAMBLE = const(4)


def bit_rate(rate_bps):
    """Word for SetModulationParams, nearest: 32 * 32 MHz / rate."""
    return (1024000000 + rate_bps // 2) // rate_bps


def steps(frequency_hz):
    """Word for a carrier or a deviation, nearest: step 32 MHz / 2^25."""
    return ((frequency_hz << 25) + 16000000) // 32000000


def air_time_us(profile, chips):
    """Microseconds that `chips` chips take at the rate that the chip achieves, nearest."""
    return chips * profile.bit_rate + 512 >> 10


def packet(preamble_bits, detector, sync_bits, n_bytes):
    """SetPacketParams: no address, fixed length, no CRC, no whitening."""
    return bytes(
        (
            commands.SET_PACKET_PARAMS,
            preamble_bits >> 8,
            preamble_bits & 0xFF,
            detector,
            sync_bits,
            0,
            0,
            n_bytes,
            1,
            0,
        )
    )


def _profile(row, bandwidth, offset_hz, packet_params, sync, given):
    rate = bit_rate(row.chip_rate_cps)
    fdev = steps(row.deviation_hz)
    modulation = (
        rate.to_bytes(3, "big") + bytes((_SHAPE[row.modulation], bandwidth)) + fdev.to_bytes(3, "big")
    )
    frequency = steps(row.frequency_hz + offset_hz).to_bytes(4, "big")
    return Profile(
        bytes((commands.SET_RF_FREQUENCY,)) + frequency,
        bytes((commands.SET_MODULATION_PARAMS,)) + modulation,
        packet_params,
        sync + bytes(SYNC_BYTES - len(sync)),
        rate,
        given,
    )


def _receiver(what, direction, row, tcxo=True):
    if what == "B":
        from . import submodes

        return submodes.receiver(row.name, tcxo)
    for line in _RECEIVERS.strip().split("\n"):
        words = line.split()
        if words[0] == what and words[1] == direction:
            return int(words[2], 16), bytes.fromhex(words[3])
    raise MisuseError("no receiver for {} {}".format(what, direction))


def receive(mode, direction, offset_hz=0, tcxo=True):
    """Profile of a receiver. mode: name of a mode, or "T+C". offset_hz: added to the carrier, for a crystal that is
    known to be off. tcxo: a TCXO is here. MisuseError if the chip cannot do it."""
    row = modes.serving(mode, direction)
    what = modes.T_AND_C if mode == modes.T_AND_C else row.family
    bandwidth, sync = _receiver(what, direction, row, tcxo)
    given = sync[2:] if what == "C" else b""
    params = packet(_RX_PREAMBLE_BITS, _DETECTOR_8_BITS, 8 * len(sync), _ALL)
    return _profile(row, bandwidth, offset_hz, params, sync, given)


def left_out(chips):
    """How many bytes at the beginning of a stream the chip's own preamble has to stand for; None if it cannot."""
    left = len(chips) - SYNC_BYTES - BUFFER_BYTES
    if left <= 0:
        return 0
    same = left + _EXACT_PREAMBLE
    return left if bytes(chips[:same]) == b"\x55" * same else None


def send(mode, direction, chips, offset_hz=0):
    """(profile, payload) of a transmission: `chips` as the contract hands them in, what goes into the buffer of it.

    The first eight bytes go into the sync word register, so that not even the preamble depends on the chip's own, whose
    polarity is not documented (sheet 6.2): that is eight chips in front (`lead_chips`), as few as there may be. Only what is too long
    for register and buffer, the long header of S1, lets the chip send the beginning of the preamble.

    MisuseError if the stream is longer than the chip can carry (sheet 7.3).
    """
    if mode == modes.T_AND_C:
        raise MisuseError("T+C can only be received", hint="send T1, T2, C1 or C2")
    if not chips:
        raise MisuseError("nothing to send")
    row = modes.find(mode, direction)
    left = left_out(chips)
    if left is None:
        if row.family == "B":
            from . import submodes as limits
        else:
            from . import limits
        raise limits.too_long(row, len(chips))
    n_sync = min(SYNC_BYTES, len(chips) - 1)
    start = left + n_sync
    params = packet(8 * (left or 1), _DETECTOR_OFF, 8 * n_sync, len(chips) - start)
    profile = _profile(
        row, _receiver(row.family, direction, row)[0], offset_hz, params, bytes(chips[left:start]), b""
    )
    return profile, chips[start:]


def lead_chips(mode):
    """How many chips of the chip's own leave before those that were prepared, and count as nothing: a burst has its place
    by its sync, and eight chips are 4 ms at 2 kcps; any other frame may begin with a longer preamble."""
    return 8 if "-B" in mode else 0


def on_air_chips(profile, payload):
    """How many chips leave the chip for what `send` returned."""
    params = profile.packet
    return (params[1] << 8 | params[2]) + params[4] + 8 * len(payload)


def power(power_dbm=None, gain_db=0):
    """(SetPaConfig, SetTxParams) for an output of power_dbm (None: 14 dBm) behind an amplifier of gain_db.
    MisuseError if there is no such power."""
    if power_dbm is None:
        power_dbm = POWER_DBM
    wanted = power_dbm - gain_db
    if wanted <= _HIGHEST_DBM:
        best = None
        for line in _PA.strip().split("\n"):
            words = [int(word, 16) for word in line.split()[1:]]
            dbm = int(line.split()[0])
            if dbm >= wanted:
                best = dbm, words
        step = _HIGHEST_DBM - (best[0] - wanted)
        if step >= _LOWEST_STEP:
            pa_config = bytes([commands.SET_PA_CONFIG] + best[1])
            return pa_config, bytes((commands.SET_TX_PARAMS, step & 0xFF, _RAMP_40_US))
    lowest = POWER_DBM - _HIGHEST_DBM + _LOWEST_STEP + gain_db
    hint = "{} to {} dBm".format(lowest, _HIGHEST_DBM + gain_db)
    raise MisuseError("this radio cannot send with {} dBm".format(power_dbm), hint=hint)
