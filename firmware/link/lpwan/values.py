"""What the values of MBlocks mean (OMS Vol. 2 Annex Q.3.6.3, Tables Q.92 to Q.105; LPWAN sheet section 15).

`decode` and `encode` by MBlockID: SESSION_REQUEST minutes, RESUME_DELAY seconds, INTERVAL seconds, CMD_COUNTER a number,
SUPPORTED a tuple of IDs, RELEASE a year, CLOCK signed seconds (an adjustment) or a Time (of day); the others below.
"""

from collections import namedtuple

from ...errors import MisuseError
from . import blocks

UNKNOWN_MARGIN, UNKNOWN_CORRECTED = 7, 31
SOFT, HARD, NONE_LEFT = 0, 1, 3
CODINGS = ("7/8", "1/2", "1/3", "multi")  # of an uplink of the burst mode
_UPLINKS = ("UL-B1", "UL-B2", "UL-B3", "UL-B4", "UL-B1+B2", "UL-S1", "UL-S2", "UL-S3", "UL-S1+S2")
_UP = ("UL-B1", "UL-B2", "UL-B3", "UL-B4", "UL-S1", "UL-S2", "UL-S3")
_DOWN = ("DL-B1", "DL-B2", "DL-B3", "DL-B4", "DL-S1", "DL-S2", "DL-S3", "DL-S4")

# reduction: of the uplink power, in steps of 3 dB, 0..3. margin: 0 none, 1 to 5 up to 4, 8, 12, 16, 20 dB, 6 more, 7 n.a.
# corrected: bit errors, 0..29 %, 30 more, 31 n.a.; both None in the short form.
LinkStatus = namedtuple("LinkStatus", ("reduction", "margin", "corrected"))
# next: SOFT, HARD, NONE_LEFT (2 is reserved). counter: at least so much; exact up to 15.
FallbackStatus = namedtuple("FallbackStatus", ("next", "counter"))
# value: access opportunities, 0..32767.
FallbackCounter = namedtuple("FallbackCounter", ("temporary", "value"))
Time = namedtuple("Time", ("hour", "minute", "second"))
# reduction: steps of 3 dB, 0..4. sub_mode: "UL-B1".."UL-B4", "UL-B1+B2", "UL-S1".. carriers: tuple of allowed n, coding: one
# of CODINGS; both None in the short form, that of splitting.
Uplink = namedtuple("Uplink", ("temporary", "reduction", "sub_mode", "carriers", "coding"))
# sub_mode: "DL-B1".."DL-B4", "DL-S1".."DL-S4". multi: 1 = downlink multi burst.
Downlink = namedtuple("Downlink", ("temporary", "multi", "sub_mode"))
# uplinks, downlinks: tuples of sub-modes. dual: 1 = both of a dual channel at once. codings: tuple of CODINGS, multi: 1 =
# downlink multi burst; both None in the short form.
Capability = namedtuple("Capability", ("uplinks", "dual", "downlinks", "codings", "multi"))


def decode(block_id, value):
    """What the bytes of an MBlock mean; bytes stay bytes where the manufacturer knows. BodyError if they are too many, too few
    (none are no value), or reserved."""
    found = blocks.row(block_id)
    if found is None or not found.least <= len(value) <= found.most:
        raise _refused(block_id, value)
    pair = _CODECS.get(block_id)
    if pair is None:
        return bytes(value)
    meaning = pair[0](value)
    if meaning is None:
        raise _refused(block_id, value)
    return meaning


def encode(block_id, meaning):
    """The MBlock of a value, as `decode` gives it. MisuseError if it does not fit."""
    pair = _CODECS.get(block_id)
    if pair is None:
        return blocks.MBlock(block_id, bytes(meaning))
    return blocks.MBlock(block_id, bytes(pair[1](meaning)))


def _refused(block_id, value):
    from ...errors import BodyError

    return BodyError("MBlock {:02X} with value {}".format(block_id, bytes(value).hex().upper()), None)


# --- each value ---


def _from_link_status(value):
    if value[0] & 7 > 3:
        return None
    if len(value) == 1:
        return LinkStatus(value[0] & 7, None, None)
    return LinkStatus(value[0] & 7, value[1] >> 5, value[1] & 31)


def _to_link_status(status):
    out = [_fits(status.reduction, 3)]
    if status.margin is not None:
        out.append(_fits(status.margin, 7) << 5 | _fits(status.corrected, 31))
    return out


def _from_fallback_status(value):
    step, code = value[0] >> 6, value[0] & 63
    if step == 2:
        return None
    if code & 32:
        return FallbackStatus(step, 256 + 256 * (code & 31))
    return FallbackStatus(step, 16 + 8 * (code & 15) if code & 16 else code)


def _to_fallback_status(status):
    counter = _fits(status.counter, 0x7FFF)
    if counter >= 256:
        code = 32 | min((counter - 256) // 256, 31)
    elif counter >= 16:
        code = 16 | min((counter - 16) // 8, 15)
    else:
        code = counter
    if status.next not in (SOFT, HARD, NONE_LEFT):
        raise MisuseError("no fallback {}".format(status.next))
    return [status.next << 6 | code]


def _from_fallback_counter(value):
    return FallbackCounter(value[1] >> 7, value[0] | (value[1] & 127) << 8)


def _to_fallback_counter(counter):
    return _little(_fits(counter.value, 0x7FFF) | _fits(counter.temporary, 1) << 15, 2)


def _from_clock(value):
    if len(value) == 1:
        return value[0] - 256 if value[0] & 128 else value[0]
    if len(value) == 2:
        return None
    # Bits above are not of the time; one of them may mark standard time (Table Q.96 a).
    time = Time(value[2] & 31, value[1] & 63, value[0] & 63)
    return None if time.hour > 23 or time.minute > 59 or time.second > 59 else time


def _to_clock(clock):
    if isinstance(clock, int):
        if not -128 <= clock <= 127:
            raise MisuseError("an adjustment of {} s does not fit".format(clock))
        return [clock & 255]
    return [_fits(clock.second, 59), _fits(clock.minute, 59), _fits(clock.hour, 23)]


def _from_uplink(value):
    first = value[0]
    if first >> 4 & 7 > 4 or first & 15 >= len(_UPLINKS):
        return None
    sub_mode = _UPLINKS[first & 15]
    carriers = coding = None
    if len(value) == 2:
        if value[1] & 128 or sub_mode[3] != "B":
            return None
        carriers = tuple([n for n in range(5) if value[1] >> 2 & 1 << n])
        coding = CODINGS[value[1] & 3]
    return Uplink(first >> 7, first >> 4 & 7, sub_mode, carriers, coding)


def _to_uplink(up):
    if up.sub_mode not in _UPLINKS:
        raise MisuseError("no uplink sub-mode {}".format(up.sub_mode))
    out = [_fits(up.temporary, 1) << 7 | _fits(up.reduction, 4) << 4 | _UPLINKS.index(up.sub_mode)]
    if up.coding is not None:
        if up.coding not in CODINGS or up.sub_mode[3] != "B":
            raise MisuseError("no coding {} of {}".format(up.coding, up.sub_mode))
        bits = 0
        for n in up.carriers:
            bits |= 1 << _fits(n, 4)
        out.append(bits << 2 | CODINGS.index(up.coding))
    return out


def _from_downlink(value):
    first = value[0]
    if first & 0x70:
        return None
    return Downlink(first >> 7, first >> 3 & 1, _DOWN[(first & 1) * 4 + (first >> 1 & 3)])


def _to_downlink(down):
    if down.sub_mode not in _DOWN:
        raise MisuseError("no downlink sub-mode {}".format(down.sub_mode))
    index = _DOWN.index(down.sub_mode)
    return [_fits(down.temporary, 1) << 7 | _fits(down.multi, 1) << 3 | (index & 3) << 1 | index >> 2]


def _from_supported(value):
    return tuple([i for i in range(8 * len(value)) if value[i >> 3] >> (i & 7) & 1])


def _to_supported(ids):
    out = [0, 0, 0]
    for i in ids:
        _fits(i, 63)
        while len(out) <= i >> 3:
            out.append(0)
        out[i >> 3] |= 1 << (i & 7)
    return out


def _from_release(value):
    return None if value[0] else 2000 + value[1]


def _to_release(year):
    return [0, _fits(year - 2000, 255)]


def _from_capability(value):
    codings = multi = None
    if len(value) == 3:
        if value[2] & 0xE0:
            return None
        codings, multi = _names(CODINGS, value[2]), value[2] >> 4
    return Capability(_names(_UP, value[0]), value[0] >> 7, _names(_DOWN, value[1]), codings, multi)


def _to_capability(all_):
    out = [
        _bits(_UP, all_.uplinks) | _fits(all_.dual, 1) << 7,
        _bits(_DOWN, all_.downlinks),
    ]
    if all_.codings is not None:
        out.append(_bits(CODINGS, all_.codings) | _fits(all_.multi, 1) << 4)
    return out


def _names(table, bits):
    return tuple([name for i, name in enumerate(table) if bits >> i & 1])


def _bits(table, names):
    out = 0
    for name in names:
        if name not in table:
            raise MisuseError("no capability {}".format(name))
        out |= 1 << table.index(name)
    return out


def _number(value):
    return int.from_bytes(value, "little")


def _to_interval(seconds):
    _fits(seconds, 0xFFFFFF)
    return _little(seconds, 1 if seconds < 256 else 2 if seconds < 65536 else 3)


def _to_delay(seconds):
    if seconds % 2:
        raise MisuseError("a session resume delay is even, not {} s".format(seconds))
    return [_fits(seconds // 2, 255)]


def _fits(value, most):
    if value is None or not 0 <= value <= most:
        raise MisuseError("{} is not in 0..{}".format(value, most))
    return value


def _little(value, size):
    return [value >> 8 * i & 255 for i in range(size)]


_CODECS = {
    blocks.LINK_STATUS: (_from_link_status, _to_link_status),
    blocks.FALLBACK_STATUS: (_from_fallback_status, _to_fallback_status),
    blocks.FALLBACK_COUNTER: (_from_fallback_counter, _to_fallback_counter),
    blocks.SESSION_REQUEST: (_number, lambda minutes: [_fits(minutes, 255)]),
    blocks.CLOCK: (_from_clock, _to_clock),
    blocks.UPLINK: (_from_uplink, _to_uplink),
    blocks.DOWNLINK: (_from_downlink, _to_downlink),
    blocks.CMD_COUNTER: (_number, lambda counter: _little(_fits(counter, 0xFFFF), 2)),
    blocks.SUPPORTED: (_from_supported, _to_supported),
    blocks.RELEASE: (_from_release, _to_release),
    blocks.RESUME_DELAY: (lambda value: 2 * value[0], _to_delay),
    blocks.CAPABILITY: (_from_capability, _to_capability),
    blocks.INTERVAL: (_number, _to_interval),
}
