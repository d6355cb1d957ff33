"""How a burst meter is declared, and what that makes of each of its frames: burst, sub-carriers, MElements, slots, times
(OMS Vol. 2 Annex Q.2.3, Q.2.4.6, Q.3.5.2; LPWAN sheet sections 1, 2, 11, 14).

Place: below meter.py; values and arithmetic, no state. The meter's word for "sub-mode, coding and power" is a Way: that which
link management moves.
"""

from collections import namedtuple

from ...errors import MisuseError
from ...link.lpwan import elements, values
from ...phy.burst import submodes, timing
from ...phy.burst.header import Header

DUAL = "UL-B1+B2"
WAKE_US = 15000  # the receiver is started so long before its window opens: a chip that slept, behind a TCXO
ARM_US = 15000  # a burst is handed to the radio so long before its first chip: an armed radio hears nothing
_GUARD_US = 60000  # between the end of a downlink burst and what is next
_LONGEST_CHIPS = (6296, 2504)  # of a downlink: single, multi (sheet 4)
_LEAST = 69  # bytes of a downlink: what the default DL-RXM of UL-B1 holds on DL-B1 (sheet 14)

# uplink: "UL-B1".."UL-B4", "UL-B1+B2". coding: one of values.CODINGS. carriers: tuple of allowed n. reduction: of the power,
# steps of 3 dB. downlink: "DL-B1".."DL-B4", None of a unidirectional meter. multi: 1 = downlink multi burst.
Way = namedtuple("Way", ("uplink", "coding", "carriers", "reduction", "downlink", "multi"))

# How one frame is sent. uplink, names: its sub-mode without sub-carrier, and the name of each of its bursts. header: with L_P 0
# until it is known. up: elements.Up or None. slots: timing.Slot in the order of time, none if no access is offered. listens:
# {number of the slot: name of the sub-mode in it}. option: response timing option. multi: of the downlink.
Shape = namedtuple("Shape", ("uplink", "names", "header", "up", "slots", "listens", "option", "multi"))


class Declared:
    """What an owner says of a meter; the smallest conforming one (sheet 1) is what nobody said anything of.

    uplink, coding, downlink: the Way it starts with. spacing: 0 short, 1 medium, 2 long, of its multi bursts. access: access
    option, 1..6; bit "downlink multi burst" and additional window follow from it. option: response timing option 1..8, None:
    the default of the access option. rxm: DL-RXM code, None: the default, or what a slow downlink of UL-B4 needs; less is
    announced where the times leave no room for it. early_ppm, late_ppm: tolerance of its own clock. capability:
    values.Capability, None: what it starts with and no more. tiv: timing input value, None: at random, then kept. longest:
    bytes of a PHY payload that its radio can send. preset: fallback counter. reductions: steps of 3 dB by which the radio can
    reduce its power. resume_s: session resume delay at first, even.
    """

    def __init__(
        self,
        uplink="UL-B4",
        coding="7/8",
        downlink=None,
        access=1,
        spacing=0,
        option=None,
        rxm=None,
        carriers=(0, 1, 2, 3, 4),
        early_ppm=timing.METER_PPM,
        late_ppm=timing.METER_PPM,
        capability=None,
        tiv=None,
        longest=255,
        preset=100,
        reductions=0,
        resume_s=0,
    ):
        known = submodes.UPLINKS + (DUAL,)
        if uplink not in known or downlink not in submodes.DOWNLINKS + (None,):
            raise MisuseError("no sub-modes {}, {}".format(uplink, downlink), hint=" ".join(known))
        if coding not in values.CODINGS or not 0 <= spacing <= 2 or not 75 <= longest <= 255:
            raise MisuseError("no such bursts: {}, spacing {}, {} bytes".format(coding, spacing, longest))
        if tiv is not None and not 0 <= tiv <= 127:
            raise MisuseError("no timing input value {}".format(tiv))
        if option is not None:
            timing.speeds(option)
        if not carriers or [True for n in carriers if n not in range(5)]:
            raise MisuseError("no sub-carriers {}".format(carriers))
        self.spacing = spacing
        self.access = timing.access("UL-B4", access)
        self.option = option or self.access.timing
        self.rxm = rxm
        if rxm is not None and not 0 <= rxm < len(timing.RXM_MS):
            raise MisuseError("no DL-RXM code {}".format(rxm))
        self.early_ppm = early_ppm
        self.late_ppm = late_ppm
        self.tiv = tiv
        self.longest = longest
        self.preset = preset
        self.reductions = reductions
        self.resume_s = resume_s
        multi = 1 if self.access.multi else 0
        self.way = Way(uplink, coding, tuple(carriers), 0, downlink, multi if downlink else 0)
        own = values.Capability(
            bases(uplink), int(uplink == DUAL), (downlink,) if downlink else (), (coding,), self.way.multi
        )
        self.capability = capability or own
        if self.access.additional and timing.speeds(self.option)[0] != timing.FAST:
            raise MisuseError("an additional window needs a fast response (Tables Q.28, Q.31)")

    @property
    def bidirectional(self):
        return self.way.downlink is not None


def bases(uplink):
    """The sub-modes of an uplink: both of a dual channel."""
    return ("UL-B1", "UL-B2") if uplink == DUAL else (uplink,)


def option_of(access, multi):
    """The access option (Table Q.80) of a timing.Access with this downlink multi burst bit."""
    if not access.limited:
        return 6 if multi else 5
    return 1 + (1 if access.additional else 0) + (2 if multi else 0)


def shape(declared, way, tiv, turn, access=None, session=0):
    """The Shape of a frame.

    turn: number of the frame, from which alternation and sub-carriers follow. access: elements.NO_ACCESS or
    TEMPORARILY_NO_ACCESS, None: it offers what is declared. session: UL-SC, which offers none.
    """
    uplinks = bases(way.uplink)
    uplink = uplinks[turn % len(uplinks)]
    multi = 1 if way.coding == "multi" else 0
    header = Header(0, tiv, multi, declared.spacing if multi else values.CODINGS.index(way.coding))
    carriers = _carriers(way.carriers, turn, multi)
    has_n = elements.has_uplink_n(uplink)
    names = [submodes.name_of(uplink, carriers[i] if has_n else 2) for i in range(3 if multi else 1)]
    uplink_n = carriers if has_n else None
    if not declared.bidirectional or session or access is not None:
        code = elements.TEMPORARILY_NO_ACCESS if declared.bidirectional else elements.NO_ACCESS
        code = code if access is None else access
        up = None
        if code or session or has_n:
            up = elements.Up(0, code, None, session, uplink_n, None, None, None)
        return Shape(uplink, names, header, up, (), {}, declared.option, 0)
    option = option_of(declared.access, way.multi)
    given = timing.access(uplink, option)
    slots = timing.slots(uplink, header, declared.option, given.additional, way.multi)
    downlink_n = _carriers((0, 1, 2, 3, 4), turn + 7, way.multi)
    if not elements.has_downlink_n(way.downlink):
        downlink_n = None
    listens = {}
    for slot in slots:
        n = downlink_n[slot.index - 1] if downlink_n else submodes.MIDDLE
        listens[slot.number] = submodes.name_of(way.downlink, n)
    rxm = _rxm(declared, given, uplink, header, way, slots)
    told = rxm != given.rxm or declared.option != given.timing
    up = elements.Up(
        0,
        option + 1,
        way.downlink,
        0,
        uplink_n,
        downlink_n,
        declared.option if told else None,
        rxm if told else None,
    )
    return Shape(uplink, names, header, up, slots, listens, declared.option, way.multi)


def windows(declared, one, t0_us):
    """[(on, earliest, latest, off, Slot)] of the receiver behind a frame with Shape `one` whose T0 was t0_us, in their order.
    earliest, latest: end of a front sync that is in the slot."""
    found = []
    # The gateway may count from UL2 or UL3, which had a jitter of their own.
    own_us = timing.JITTER_US if one.header.multi else 0
    for slot in one.slots:
        a, b = declared.early_ppm, declared.late_ppm
        earliest, latest = timing.window(slot.offset_us, a, b)
        on, off = timing.listening(one.listens[slot.number], slot.offset_us, a, b, WAKE_US)
        shifted = (on - own_us, earliest - own_us, latest + own_us, off + own_us)
        found.append(tuple([t0_us + one_us for one_us in shifted]) + (slot,))
    return found


def answer_after(one, requested):
    """From T0 to the T0 of the next uplink in a session, on the nominal grid (sheet 17, trap 6)."""
    least = timing.next_tx0(one.uplink, one.header, one.option, one.multi)[0]
    if requested not in (1, 2, 3):
        return least
    return max(least, timing.next_tx0(one.uplink, one.header, one.option, one.multi, requested)[0])


def longest_us(name):
    """Air time of the longest burst in a downlink sub-mode."""
    return timing.air_time(name, _LONGEST_CHIPS[0])


def _carriers(allowed, turn, multi):
    """(n0, n1, n2): another n for each frame and burst; 0 for what is not sent."""
    n = len(allowed)
    picked = [allowed[(turn * 7 + turn // n + i) % n] for i in range(3)]
    return tuple(picked) if multi else (picked[0], 0, 0)


def _rxm(declared, given, uplink, header, way, slots):
    """DL-RXM: what was declared, or the default, or what fits between two slots, and in front of an uplink, if that is less."""
    end = timing.burst_offset(uplink, header, 3)
    stops = sorted(
        [slot.offset_us for slot in slots] + [timing.burst_offset(uplink, header, i) for i in (2, 3)]
    )
    gaps = []
    for slot in slots:
        behind = [one for one in stops if one > slot.offset_us]
        if behind:
            gaps.append(min(behind) - slot.offset_us)
    last = slots[-1].offset_us
    gaps.append(timing.next_tx0(uplink, header, declared.option, way.multi)[0] - last)
    room_us = (
        min(gaps) - _GUARD_US - max(last, end) * (declared.early_ppm + declared.late_ppm + 50) // 1000000
    )
    wanted = given.rxm if declared.rxm is None else declared.rxm
    if declared.rxm is None and uplink == "UL-B4":
        # Its default holds next to nothing on DL-B1 to DL-B3: who was moved there could not be told anything.
        while (timing.largest_payload(way.downlink, wanted, 0, 0) or 0) < _LEAST:
            wanted += 1
    fits = 1
    for code in range(1, len(timing.RXM_MS)):
        if timing.RXM_MS[code] * 1000 <= room_us:
            fits = code
    if not wanted:
        longest = timing.air_time(way.downlink, _LONGEST_CHIPS[way.multi])
        return 0 if longest <= room_us else fits
    return min(wanted, fits)
