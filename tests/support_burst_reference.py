"""The burst mode once more, as strings of '0' and '1' and straight from the clauses: for comparison with the codec."""

FEEDBACK = (3, 4, 6)
TAPS = ((0, 3, 4, 6), (0, 1, 2, 5, 6), (0, 1, 4, 5, 6), (0, 2, 3, 4, 6))
MIDAMBLE = "DF46428F20B9BD70DF46428F"


def bits(hexadecimal):
    return format(int(hexadecimal, 16), "0{}b".format(4 * len(hexadecimal)))


def packed(text):
    assert len(text) % 8 == 0
    return int(text, 2).to_bytes(len(text) // 8, "big")


def encode(text):
    """(outputs 0..3, tails 0..3)"""
    cells = []

    def cell(k):
        return cells[k] if k >= 0 else 0

    for k, bit in enumerate(text):
        cells.append((int(bit) + sum(cell(k - t) for t in FEEDBACK)) % 2)
    cells += [0] * 6
    n = len(text)
    out = ["".join(str(sum(cell(k - t) for t in taps) % 2) for k in range(n + 6)) for taps in TAPS]
    return [one[:n] for one in out], [one[n:] for one in out]


def crc(text, polynomial, width):
    value = int(text, 2) << width
    for shift in range(len(text) - 1, -1, -1):
        if value >> (width + shift) & 1:
            value ^= polynomial << shift
    return format(value, "0{}b".format(width))


def header(length, tiv, multi, burst_type):
    text = "00{:08b}{:07b}{:b}{:02b}".format(length, tiv, multi, burst_type)
    text += crc(text, 0x107, 8)
    outputs, tails = encode(text)
    return text + outputs[1] + outputs[2] + tails[1] + tails[2]


def coded_length(l_da):
    text = "{:09b}".format(l_da)
    return text + crc(text, 0xC617, 15)


def coded_payloads(payload, multi, burst_type):
    text = bits(payload.hex())
    if multi or burst_type == 0:
        text += "0" * (-len(text) % 7)
    (c0, c1, c2, c3), (t0, t1, t2, _) = encode(text)
    first = c0 + c3[::7] + t0 + "00"
    if multi:
        return [first, c1 + c3[1::7] + t1 + "00", c2 + c3[2::7] + t2 + "00"]
    return [[first, c0 + c1 + t1 + "00", c0 + c1 + t1 + "00" + c2 + t2 + "00"][burst_type]]


def interleave(text):
    out = [None] * len(text)
    for i, bit in enumerate(text):
        out[188527 * i % len(text)] = bit
    return "".join(out)


def precode(text):
    return "".join(str(int(a) ^ int(b)) for a, b in zip("0" + text, text, strict=False))


def bursts(direction, payload, tiv, multi, burst_type):
    made = []
    head = header(len(payload), tiv, multi, burst_type)
    for coded in coded_payloads(payload, multi, burst_type):
        data = interleave(coded)
        if direction == "down":
            made.append(packed(bits("55555555C1FA4C6A") + head + data))
            continue
        n_bytes = len(data) // 8
        l_da = (n_bytes + 1) // 2
        text = bits("666666668153884C") + coded_length(l_da) + data[: 8 * l_da] + bits(MIDAMBLE) + head
        made.append(packed(precode(text + data[8 * l_da :])))
    return made
