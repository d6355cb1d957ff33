"""The times of the burst mode, for both sides (OMS Vol. 2 Annex Q.2.4.6; LPWAN sheet sections 11 and 14).

Integer microseconds. Every instant is a reference point, the end of a front sync: T0 is that of the first (or only) burst
of an uplink, whether it was heard or not. `uplink` is the name of the meter's sub-mode, with or without sub-carrier;
`header` that of the uplink, of which tiv, multi and type are read. Out of range is a MisuseError.
"""

from collections import namedtuple

from ...errors import MisuseError
from . import fec, submodes

FAST, MEDIUM, SLOW = range(3)

# Per table: (UL-B1 to UL-B3, UL-B4).
_T_BURST_S = ((9, 27, 48), (3, 9, 16))  # by burst type: short, medium, long (Table Q.21)
_T_JITTER_64TH_US = (46875, 15625)  # t_jitter / 64: 3 s, 1 s
_T_RO_SINGLE_US = (
    (4500000, 13500000, 27000000),
    (1500000, 4500000, 9000000),
)  # Tables Q.22, Q.24, Q.26, Q.29
_T_RM_SINGLE_US = (
    (13500000, 27000000, 54000000),
    (4500000, 9000000, 18000000),
)  # Tables Q.23, Q.25, Q.27, Q.30
_T_NOM_MOST_US = (120 * 60000000, 15 * 60000000)  # Q.2.4.6.4
_HALVES = (1, 2, 4)  # of t_A: t_RO and t_RM of an uplink multi burst

# Response timing options 1 to 8: t_RO, least t_RM.
_TIMING = (
    (FAST, FAST),
    (FAST, MEDIUM),
    (FAST, SLOW),
    (MEDIUM, FAST),
    (MEDIUM, SLOW),
    (SLOW, FAST),
    (SLOW, MEDIUM),
    (SLOW, SLOW),
)

T_RM_UNASKED_MOST_US = 50000000  # less than this, where the NW-Manager asks for no t_RM
RESPONSE_KEPT_US = 255000000  # an application keeps the response to a command at least so long,
RESPONSE_KEPT_LONG_US = 500000000  # on UL-B1 to UL-B3 with long spacing only (Q.2.4.6.1.2)

GATEWAY_EARLY_PPM = 20  # t_RO of a gateway, counted from the burst that it heard (Q.2.4.6.3)
GATEWAY_LATE_PPM = 30
JITTER_US = 500  # of t_RO, t_A, t_B and t_RM, not accumulating
# Static and dynamic tolerance of a meter's clock: EN 13757-4 12.6.2 is not public, OMS Vol. 2 Table 8 quotes this from it.
METER_PPM = 250
# Of a downlink burst besides its data field.
_DOWN_BYTES = 20
# A receiver that has found no sync gives up so many chips behind the latest instant.
PATIENCE_CHIPS = 8

Access = namedtuple("Access", ("limited", "additional", "multi", "timing", "rxm"))
# Access options #1 to #6 (Table Q.80): limited access, additional window, downlink multi burst, default response timing
# option, default DL-RXM code (UL-B1 to UL-B3, UL-B4).
_ACCESS = (
    (True, False, False, 2, (9, 4)),
    (True, True, False, 2, (9, 4)),
    (True, False, True, 2, (8, 3)),
    (True, True, True, 2, (8, 3)),
    (False, False, False, 1, (0, 0)),
    (False, False, True, 1, (0, 0)),
)
# The longest downlink burst that a meter can receive, by DL-RXM code; 0 is unlimited.
RXM_MS = (0, 25, 35, 50, 75, 110, 150, 200, 300, 400, 500, 650, 800, 1150, 1600, 2200)

# number: of RX0 to RX5. offset_us: from T0. index: 1, 2, 3 as the DL1, DL2, DL3 it carries; DL0 stands where DL1 would.
# The sub-carrier of the slot is the one at `index` in MElement_UC.
Slot = namedtuple("Slot", ("number", "offset_us", "index"))


def uplink_of(name):
    """The name without sub-carrier. MisuseError if it is no uplink sub-mode."""
    found = submodes.base(name)
    if found not in submodes.UPLINKS:
        raise MisuseError("{} is no uplink sub-mode of the burst mode".format(name))
    return found


def t_burst(uplink, burst_type):
    """t_burst of a multi-burst uplink, type 0 short, 1 medium, 2 long."""
    return _pick(_T_BURST_S[_group(uplink)], burst_type) * 1000000


def t_jitter(uplink):
    return _T_JITTER_64TH_US[_group(uplink)] * 64


def t_a(uplink, header):
    """From UL1 to UL2."""
    return 3 * t_burst(uplink, header.type) // 4 + _jitter(uplink, header.tiv)


def t_b(uplink, header):
    """From UL2 to UL3."""
    return 5 * t_burst(uplink, header.type) // 4 + _jitter(uplink, header.tiv)


def burst_offset(uplink, header, index):
    """From T0 to the uplink burst of this index: 1, 2, 3 as UL1, UL2, UL3. A single burst is at 0."""
    if not header.multi:
        return 0
    return _pick((0, t_a(uplink, header), t_a(uplink, header) + t_b(uplink, header)), index - 1)


def t_ro(uplink, header, speed, times=1):
    """`times` t_RO. speed: FAST, MEDIUM, SLOW. Rounded down where t_A is odd and halved; a multiple is rounded once."""
    if header.multi:
        return times * t_a(uplink, header) * _pick(_HALVES, speed) // 2
    return times * _pick(_T_RO_SINGLE_US[_group(uplink)], speed)


def t_rm(uplink, header, speed):
    """t_RM. speed: FAST, MEDIUM, SLOW."""
    if header.multi:
        return t_a(uplink, header) * _pick(_HALVES, speed) // 2
    return _pick(_T_RM_SINGLE_US[_group(uplink)], speed)


def speeds(option):
    """(t_RO, least t_RM) of a response timing option, 1 to 8, as FAST, MEDIUM, SLOW. DL-RT of MElement_UD is option - 1."""
    return _pick(_TIMING, option - 1)


def access(uplink, option):
    """The Access that an option, 1 to 6, gives; `rxm` is the default DL-RXM code. DL-AC of MElement_UA is option + 1."""
    limited, additional, multi, timing, rxm = _pick(_ACCESS, option - 1)
    return Access(limited, additional, multi, timing, rxm[_group(uplink)])


def slots(uplink, header, option, additional=False, multi=False):
    """The Slots after an uplink, in the order of time.

    option: response timing option. additional: the meter offers the additional listening window; there is none after a
    single burst, nor unless t_RO is fast (Tables Q.28 a, Q.31 a). multi: it receives downlink multi bursts.
    """
    speed = speeds(option)[0]
    end = burst_offset(uplink, header, 3)
    indices = (1, 2, 3) if multi else (1,)
    found = [Slot(i - 1, end + t_ro(uplink, header, speed, i), i) for i in indices]
    if additional and header.multi and speed == FAST:
        between = t_a(uplink, header)
        early = [Slot(3, t_ro(uplink, header, speed), 1)]
        early += [Slot(2 + i, between + t_ro(uplink, header, speed, i - 1), i) for i in indices[1:]]
        return early + found
    return found


def slot(uplink, header, option, number):
    """Offset of RX0 to RX5 from T0. MisuseError if this uplink has no such slot."""
    for one in slots(uplink, header, option, True, True):
        if one.number == number:
            return one.offset_us
    raise MisuseError("no slot RX{} after this uplink".format(number))


def next_tx0(uplink, header, option, multi=False, requested=None):
    """(least, most) from T0 to the T0 of the meter's next uplink in a session, from the last nominal slot on.

    multi: the meter receives downlink multi bursts. requested: RTRM of MElement_DA, 1 to 3, for which both are the same;
    None or 0: not before the announced least t_RM, nor 50 s or more behind the slot where that is no longer.
    """
    last = slot(uplink, header, option, 2 if multi else 0)
    if requested:
        exact = last + t_rm(uplink, header, requested - 1)
        return exact, exact
    least = t_rm(uplink, header, speeds(option)[1])
    return last + least, last + max(least, T_RM_UNASKED_MOST_US - 1)


def to_application_time(uplink, header, option, number):
    """What to add to the reception time in slot RX0 to RX5: times in a downlink are meant at RX0 (Q.19 to Q.23)."""
    return slot(uplink, header, option, 0) - slot(uplink, header, option, number)


def session_distance(uplink, header, sc):
    """t_FD, T0 to T0, of an uplink session by UL-SC 0 to 3 of MElement_UA; None for 0, the last frame or no session."""
    if not sc:
        return None
    if header.multi:
        return _pick((0, 3, 6, 9), sc) * t_burst(uplink, header.type)
    return _pick((0, 1, 3, 6), sc) * t_ro(uplink, header, FAST)


def t_nom_most(uplink):
    """The longest t_NOM of synchronous transmission."""
    return _T_NOM_MOST_US[_group(uplink)]


def window(offset_us, early_ppm=0, late_ppm=0):
    """(earliest, latest) end of a sync `offset_us` after the burst that the gateway counts from (sheet 11.3; the meter
    assumes UL1). early_ppm, late_ppm: of the listener's own clock. With 0 and 0 it is what a gateway has to keep to."""
    earliest = offset_us - _part(offset_us, GATEWAY_EARLY_PPM + early_ppm) - JITTER_US
    return earliest, offset_us + _part(offset_us, GATEWAY_LATE_PPM + late_ppm) + JITTER_US


def listening(downlink, offset_us, early_ppm, late_ppm, start_up_us=0):
    """(on, off): when a meter's receiver has to be switched on, and may give up if there was no sync. Offsets from the
    same point as `offset_us`. start_up_us: of its receiver."""
    earliest, latest = window(offset_us, early_ppm, late_ppm)
    return earliest - front(downlink) - start_up_us, latest + air_time(downlink, PATIENCE_CHIPS)


def answering(downlink, offset_us):
    """(from, until): when the first chip of a gateway's answer may leave. Offsets as `offset_us`, that of the slot from
    the burst heard; its clock is taken to be right within the ppm of GATEWAY_EARLY_PPM and GATEWAY_LATE_PPM."""
    start = offset_us - front(downlink)
    return start - JITTER_US, start + JITTER_US


def heard_late(uplink, header, index, offset_us):
    """The offset of a slot from the uplink burst `index` instead of from T0."""
    return offset_us - burst_offset(uplink, header, index)


def front(submode):
    """Duration of preamble and front sync, rounded up."""
    return air_time(submode, submodes.FRONT_CHIPS)


def air_time(submode, chips):
    """Duration of so many chips, rounded up."""
    return -(-chips * 1000000 // _rate(submode))


def largest_payload(downlink, rxm, multi, burst_type):
    """Bytes of the longest PHY payload whose burst a meter with this DL-RXM code receives; None if not even 5 bytes.

    multi, burst_type: of the downlink's header.
    """
    ms = _pick(RXM_MS, rxm)
    if not ms:
        return fec.LONGEST
    n_bytes = ms * _rate(downlink) // 8000 - _DOWN_BYTES
    return fec.longest_payload(fec.layouts(multi, burst_type)[0], n_bytes)


def _jitter(uplink, tiv):
    if not 0 <= tiv <= 127:
        raise MisuseError("no timing input value {}".format(tiv))
    return _T_JITTER_64TH_US[_group(uplink)] * (tiv - 64)


def _group(uplink):
    return 1 if uplink_of(uplink) == "UL-B4" else 0


_rates = {}  # of the sub-modes asked for so far: there is little time in a slot


def _rate(submode):
    name = submodes.base(submode)
    if name not in _rates:
        direction = "up" if name in submodes.UPLINKS else "down"
        _rates[name] = submodes.find(name, direction).chip_rate_cps
    return _rates[name]


def _part(us, ppm):
    """That part of a time, rounded up."""
    return -(-us * ppm // 1000000)


def _pick(table, i):
    if not 0 <= i < len(table):
        raise MisuseError("{} is not in 0..{}".format(i, len(table) - 1))
    return table[i]
