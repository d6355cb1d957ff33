"""Bursts as they were on the air: from chips to PHY payloads and back. It shares no table and no codec with the code under test:
the figures are those of LPWAN sheet 2 to 9, typed in, and every bit of a burst is compared with what the clauses make of its
payload.
"""

from collections import namedtuple

PREAMBLE_SYNC = "01" * 16 + format(0xC1FA4C6A, "032b")
MIDAMBLE = format(0xDF46428F20B9BD70DF46428F, "096b")
# Section 2: chips/s, lowest carrier of the sub-carriers in kHz, distance of two in kHz (0: there is one), deviation in Hz.
SUB_MODES = {
    "UL-B1": (10000, 868500, 15, 2500),
    "UL-B2": (10000, 868040, 15, 2500),
    "UL-B3": (10000, 868150, 15, 2500),
    "UL-B4": (125000, 868350, 0, 31250),
    "DL-B1": (2000, 869445, 40, 1000),
    "DL-B2": (4000, 869445, 40, 2000),
    "DL-B3": (8000, 869525, 0, 4000),
    "DL-B4": (24000, 869525, 0, 12000),
}
# What Annex Q allows: deviation in Hz (Tables Q.7, Q.8); chip rate +-30 ppm, carrier of an uplink +-20 kHz.
DEVIATION = {
    "UL-B1": (2490, 2510),
    "UL-B2": (2490, 2510),
    "UL-B3": (2490, 2510),
    "UL-B4": (31200, 31300),
    "DL-B1": (990, 1010),
    "DL-B2": (1990, 2010),
    "DL-B3": (3950, 4050),
    "DL-B4": (11950, 12050),
}
RATE_PPM = 30
UPLINK_HZ = 20000
DOWNLINK_HZ = {"DL-B1": 200, "DL-B2": 400, "DL-B3": 800, "DL-B4": 2400}  # as seen by the meter
BANDS = {"UL": (868000000, 868600000), "DL": (869400000, 869650000)}

# up: an uplink. name: sub-mode, n: sub-carrier. t0_ns: end of the front sync. start_ns, end_ns: of the burst, without what a
# chip puts in front or behind. length, tiv, multi, type: of the header. data: de-interleaved bits, as text.
Burst = namedtuple(
    "Burst", "sent up name n start_ns t0_ns end_ns length tiv multi type data carrier_hz rate deviation_hz"
)


def _register(text, taps_of):
    """Outputs of the encoder of section 5: for each set of taps (bits, tail bits)."""
    cells = 0  # a(k-1) is bit 0
    outs = [[] for _ in taps_of]
    for k in range(len(text) + 6):
        a = (cells >> 2 ^ cells >> 3 ^ cells >> 5 ^ int(text[k])) & 1 if k < len(text) else 0
        cells = cells << 1 | a
        for out, mask in zip(outs, taps_of, strict=True):
            out.append("1" if bin(cells & mask).count("1") & 1 else "0")
        cells &= 0x3F
    return [("".join(out[:-6]), "".join(out[-6:])) for out in outs]


def _mask(*taps):
    return sum(1 << tap for tap in taps)


G0, G1, G2, G3 = _mask(0, 3, 4, 6), _mask(0, 1, 2, 5, 6), _mask(0, 1, 4, 5, 6), _mask(0, 2, 3, 4, 6)


def remainder(text, polynomial, width):
    value = int(text, 2) << width
    for shift in range(len(text) - 1, -1, -1):
        if value >> (width + shift) & 1:
            value ^= polynomial << shift
    return format(value, "0{}b".format(width))


def header_bits(length, tiv, multi, kind):
    """96 bits, section 7."""
    text = "00{:08b}{:07b}{:01b}{:02b}".format(length, tiv, multi, kind)
    text += remainder(text, 0x107, 8)
    (p1, t1), (p2, t2) = _register(text, (G1, G2))
    return text + p1 + p2 + t1 + t2


def coded(payload, multi, kind):
    """The coded payloads of sections 4 and 5, as text."""
    text = "".join(format(byte, "08b") for byte in payload)
    if multi or kind == 0:
        text += "0" * (-len(text) % 7)
    (_, t0), (p1, t1), (p2, t2), (p3, _) = _register(text, (G0, G1, G2, G3))
    if multi:
        return [text + p3[0::7] + t0 + "00", p1 + p3[1::7] + t1 + "00", p2 + p3[2::7] + t2 + "00"]
    if kind == 0:
        return [text + p3[0::7] + t0 + "00"]
    return [text + p1 + t1 + "00" + (p2 + t2 + "00" if kind == 2 else "")]


def data_bits(length, multi, kind):
    """B_CP of section 4."""
    bits = 8 * length
    if multi or kind == 0:
        return 8 * (bits + -bits % 7) // 7 + 8
    return 2 * bits + 8 if kind == 1 else 3 * bits + 16


def deinterleaved(text):
    return "".join(text[188527 * i % len(text)] for i in range(len(text)))


def unprecoded(text):
    out, bit = [], 0
    for chip in text:
        bit ^= chip == "1"
        out.append("1" if bit else "0")
    return "".join(out)


def sub_mode(frequency_hz, rate):
    """(name, n) that a carrier and a rate are meant to be, or None."""
    best = None
    for name, (cps, lowest, step, _) in SUB_MODES.items():
        if abs(rate - cps) > cps * 0.002:
            continue
        for n in range(5) if step else (2,):
            away = abs(frequency_hz - 1000 * (lowest + step * (n if step else 0)))
            if best is None or away < best[0]:
                best = (away, name, n)
    if best is None or best[0] > 25000:
        return None
    return best[1:]


def carrier_hz(name, n):
    _, lowest, step, _ = SUB_MODES[name]
    return 1000 * (lowest + step * (n if step else 0))


_DIGITS = bytes([48, 49]) + bytes(254)


class Malformed(Exception):
    """What was on the air is no burst."""


def text_of(chips):
    return bytes(chips).translate(_DIGITS).decode()


def read(sent, chips=None):
    """The Burst of a virtual air's Transmission. chips: instead of its own. Malformed says what is wrong with it."""
    found = sub_mode(sent.frequency_hz, sent.chip_rate_cps)
    if found is None:
        raise Malformed("no sub-mode has {} Hz, {} chips/s".format(sent.frequency_hz, sent.chip_rate_cps))
    name, n = found
    up = name.startswith("UL")
    text = text_of(sent.chips if chips is None else chips)
    # The 8 chips in front are the shortest preamble that an SX1262 sends by itself (SX1262 sheet 7.3).
    at = text.find(PREAMBLE_SYNC, 0, 64 + 9)
    if at not in (0, 8):
        raise Malformed("it does not begin with preamble and sync: " + text[:80])
    behind = text[at + 64 :]
    if up:
        behind = unprecoded(behind)
        l_da = int(behind[:9], 2)
        if behind[9:24] != remainder(behind[:9], 0xC617, 15):
            raise Malformed("CRC of the coded length")
        middle = 24 + 8 * l_da
        if behind[middle : middle + 96] != MIDAMBLE:
            raise Malformed("midamble")
        head = behind[middle + 96 : middle + 192]
        data = behind[24:middle] + behind[middle + 192 :]
    else:
        head, data = behind[:96], behind[96:]
    length, tiv = int(head[2:10] or "0", 2), int(head[10:17] or "0", 2)
    multi, kind = int(head[17:18] or "0"), int(head[18:20] or "0", 2)
    if head != header_bits(length, tiv, multi, kind):
        raise Malformed("coded header")
    if length < 5 or kind > 2 or (multi and kind and not up):
        raise Malformed("length {}, burst mode {}, type {}".format(length, multi, kind))
    n_bits = data_bits(length, multi, kind)
    if not n_bits <= len(data) <= n_bits + 8:  # a CC1101 cannot stop at 256 bytes
        raise Malformed("{} bits of data, not {}".format(len(data), n_bits))
    data = data[:n_bits]
    if up and l_da != (n_bits // 8 + 1) // 2:
        raise Malformed("L_DA {} of {}".format(l_da, n_bits // 8))
    n_chips = 64 + (24 + 96 if up else 0) + 96 + n_bits
    return Burst(
        sent, up, name, n, sent.time_ns(at), sent.time_ns(at + 64), sent.time_ns(at + n_chips),
        length, tiv, multi, kind, deinterleaved(data), sent.frequency_hz, sent.chip_rate_cps, sent.deviation_hz,
    )  # fmt: skip


def systematic(burst):
    """The payload, if this is a single burst or the first of three."""
    return int(burst.data[: 8 * burst.length], 2).to_bytes(burst.length, "big")


def index_of(burst, payload):
    """1, 2 or 3: which burst of the payload it is, every bit of it; None: of another one."""
    if len(payload) != burst.length:
        return None
    made = coded(payload, burst.multi, burst.type)
    return made.index(burst.data) + 1 if burst.data in made else None


def _inverted(text, mask):
    """The bits that the encoder makes `text` of at an output with these taps, in its order: a(k) first, then u(k)."""
    cells, out = 0, []
    for bit in text:
        a = (bin(cells << 1 & mask).count("1") ^ int(bit)) & 1
        out.append("1" if (cells >> 2 ^ cells >> 3 ^ cells >> 5 ^ a) & 1 else "0")
        cells = (cells << 1 | a) & 0x3F
    return "".join(out)


def payload(burst):
    """(payload, index) of a burst alone: 1, 2 or 3; every bit of it is as the payload is coded. Malformed if there is none."""
    for index, mask in ((1, None), (2, G1), (3, G2))[: 3 if burst.multi else 1]:
        text = burst.data if mask is None else _inverted(burst.data[: 8 * burst.length], mask)
        found = int(text[: 8 * burst.length], 2).to_bytes(burst.length, "big")
        if index_of(burst, found) == index:
            return found, index
    raise Malformed("its data are not what any payload is coded to")


def beyond(burst):
    """What of it is outside of the limits of Annex Q, as text; the crystal's part of the rate is in it."""
    out = []
    cps = SUB_MODES[burst.name][0]
    if abs(burst.rate - cps) > cps * RATE_PPM / 1e6:
        out.append("rate {:+.0f} ppm".format((burst.rate / cps - 1) * 1e6))
    low, high = DEVIATION[burst.name]
    if not low <= burst.deviation_hz <= high:
        out.append("deviation {:.0f} Hz".format(burst.deviation_hz))
    if burst.up and abs(burst.carrier_hz - carrier_hz(burst.name, burst.n)) > UPLINK_HZ:
        out.append("carrier")
    low, high = BANDS[burst.name[:2]]
    half = burst.rate / 2 + burst.deviation_hz
    if burst.carrier_hz - half < low or burst.carrier_hz + half > high:
        out.append("band")
    return out
