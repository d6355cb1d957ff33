"""Convolutional code of the burst mode and what of it is sent (Q.2.4.5.2; LPWAN sheet 5, 4).

Recursive systematic encoder, constraint length 7, mother rate 1/4, from state 0 to state 0. The state is the last six
register bits, the newest in bit 5. Bits go first bit first, which is the most significant one of a byte or integer.
"""

from ...errors import MisuseError

# g0..g3, D^0 in bit 6; g0 is the feedback and makes output 0 the input itself.
GENERATORS = b"\x4d\x73\x67\x5d"
TAIL = 6
# PHY payload, bytes.
SHORTEST, LONGEST = 5, 255

# The fields of a coded payload in order: c = output over payload and padding, p = output 3 at the indices k with
# k mod 7 = its digit (P3A, P3B, P3C), t = tail of an output, z = two zero bits.
SINGLE = (("c0", "p0", "t0", "z"), ("c0", "c1", "t1", "z"), ("c0", "c1", "t1", "z", "c2", "t2", "z"))
MULTI = (SINGLE[0], ("c1", "p1", "t1", "z"), ("c2", "p2", "t2", "z"))


def _outputs():
    """For each content of the seven register cells (newest in bit 6): output j in bit j."""
    out = bytearray(128)
    for cells in range(128):
        for j in range(4):
            ones = cells & GENERATORS[j]
            while ones:
                out[cells] ^= 1 << j
                ones &= ones - 1
    return bytes(out)


OUTPUTS = _outputs()


def _cells(state, bit):
    """The seven cells when `bit` goes in: bit + a(k-3) + a(k-4) + a(k-6) is the new one."""
    return ((bit ^ OUTPUTS[state]) & 1) << 6 | state


def _tables(n):
    """What eight steps give for n states or input bytes: the code is linear, so what both give is the sum.

    Four tables: outputs 1, 2, 3 as bytes, next state.
    """
    tables = tuple(bytearray(n) for _ in range(4))
    for i in range(1, n):
        lowest = i & -i
        if i == lowest:
            state = i if n == 64 else 0
            for k in range(8):
                cells = _cells(state, i >> (7 - k) & 1 if n == 256 else 0)
                for j in (1, 2, 3):
                    tables[j - 1][i] = tables[j - 1][i] << 1 & 0xFF | OUTPUTS[cells] >> j & 1
                state = cells >> 1
            tables[3][i] = state
        else:
            for table in tables:
                table[i] = table[i - lowest] ^ table[lowest]
    return tuple(bytes(table) for table in tables)


_BY_STATE = _tables(64)
_BY_BYTE = _tables(256)


def encode(data, padding=0):
    """Encode the bits of `data` (bytes) and `padding` zero bits behind them.

    Returns (bodies, tails): of each output 0..3 the 8 len(data) + padding bits and the six tail bits, as integers.
    """
    s1, s2, s3, s_next = _BY_STATE
    b1, b2, b3, b_next = _BY_BYTE
    n = len(data)
    parities = bytearray(n), bytearray(n), bytearray(n)
    out1, out2, out3 = parities
    state = 0
    for i in range(n):
        byte = data[i]
        out1[i] = s1[state] ^ b1[byte]
        out2[i] = s2[state] ^ b2[byte]
        out3[i] = s3[state] ^ b3[byte]
        state = s_next[state] ^ b_next[byte]
    bodies = [int.from_bytes(bytes(body), "big") for body in (data, out1, out2, out3)]
    for _ in range(padding):
        cells = _cells(state, 0)
        for j in range(4):
            bodies[j] = bodies[j] << 1 | OUTPUTS[cells] >> j & 1
        state = cells >> 1
    tails = [0, 0, 0, 0]
    for _ in range(TAIL):  # zeros into the register, not into the encoder
        for j in range(4):
            tails[j] = tails[j] << 1 | OUTPUTS[state] >> j & 1
        state >>= 1
    return bodies, tails


def layouts(multi, burst_type):
    """The coded payloads of a frame: one tuple of fields for each of its bursts. MisuseError if a type is reserved."""
    if not 0 <= burst_type <= 2:
        raise MisuseError("no burst type {}".format(burst_type))
    return MULTI if multi else (SINGLE[burst_type],)


def padding(layout, length):
    """Zero bits behind a payload of `length` bytes: with a punctured field B_FEC is a multiple of 7."""
    return -8 * length % 7 if layout[1][0] == "p" else 0


def field_bits(field, n_fec):
    """Length of a field, n_fec = B_FEC."""
    kind = field[0]
    if kind == "c":
        return n_fec
    if kind == "p":
        return n_fec // 7
    return TAIL if kind == "t" else 2


def coded_bytes(layout, length):
    """L_D, bytes of a coded payload for `length` bytes of PHY payload."""
    n_fec = 8 * length + padding(layout, length)
    return sum([field_bits(field, n_fec) for field in layout]) >> 3


def payload_bytes(layout, n_coded):
    """L_P of a coded payload of n_coded bytes, None if there is none."""
    length = longest_payload(layout, n_coded)
    return length if length and coded_bytes(layout, length) == n_coded else None


def longest_payload(layout, n_coded):
    """The longest L_P whose coded payload has n_coded bytes at most, None if that of 5 bytes has more."""
    if layout[1][0] == "p":
        length = 7 * (n_coded - 1) >> 3
    elif len(layout) == 4:
        length = (n_coded - 1) >> 1
    else:
        length = (n_coded - 2) // 3
    return min(length, LONGEST) if length >= SHORTEST else None


def _punctured(parity, n_fec, phase):
    """Every seventh of the n_fec bits, beginning with number `phase`."""
    packed = (parity << (-n_fec % 8)).to_bytes((n_fec + 7) >> 3, "big")
    out = 0
    for k in range(phase, n_fec, 7):
        out = out << 1 | packed[k >> 3] >> (7 - (k & 7)) & 1
    return out


def coded_payloads(payload, multi, burst_type):
    """The coded payloads (list of bytes, not interleaved) of a PHY payload of 5..255 bytes: one, or three if multi."""
    rows = layouts(multi, burst_type)
    n_zeros = padding(rows[0], len(payload))
    n_fec = 8 * len(payload) + n_zeros
    bodies, tails = encode(payload, n_zeros)
    coded = []
    for layout in rows:
        bits = 0
        for field in layout:
            if field == "z":
                bits <<= 2
                continue
            number = int(field[1])
            if field[0] == "c":
                value = bodies[number]
            elif field[0] == "t":
                value = tails[number]
            else:
                value = _punctured(bodies[3], n_fec, number)
            bits = bits << field_bits(field, n_fec) | value
        coded.append(bits.to_bytes(coded_bytes(layout, len(payload)), "big"))
    return coded
