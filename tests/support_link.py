"""Published frames and an independent, slow reference of line codes, CRC and frame formats.

The reference works on strings of "0" and "1" from the tables as printed; it shares nothing with the code under test.
"""

# EN 13757-4 sample telegram, format A (in Silicon Labs' and TI's example code): CEN 12345678, SND-NR, volume.
SAMPLE_A = bytes.fromhex("0F44AE0C785634120107 4447 780B13436587 1E6D")
# The same with short ELL, format B (lvogt/wireless-mbus-parser test/crcHandler.spec.ts).
SAMPLE_B = bytes.fromhex("1444AE0C785634120107 8C2027 780B13436587 7AC5")
# Three blocks, format B (same source); the inner 7AC5 is plain data.
SAMPLE_B3 = bytes.fromhex(
    "8644AE0C7856341201078C2027780B134365877AC5" + 105 * "11" + "E678" + "1234567890" + "F4EE"
)
# OMS Vol.2 Annex N.2.1, mode 5.
ANNEX_N_2_1 = bytes.fromhex(
    "2E449315785634123303 3363 7A2A0020255923C95AAA26D1B2E7493B C2AD"
    "013EC4A6F6D3529B520EDFF0EA6DEFC9 55B2 9D6D69EBF3 EC8A"
)
# OMS Vol.2 Annex N gas meter, profile B (lvogt/ioBroker.wireless-mbus test/integration.js).
ANNEX_N_GAS = bytes.fromhex(
    "434493157856341233037AC98C2075900F002C25B30A000021924D4FBA372FB66E017A75002007109058475F4BC9D1281D"
    "F878B80A1B0F98B629024AAC7279429398BFC549233C0140829B93BAA1"
)
# Annex N.5.2 and N.5.3 behind a radio converter.
ANNEX_N_5_2 = bytes.fromhex("194793444433221155373572 8C20758B8877665593445508FF040000 1393")
ANNEX_N_5_3 = bytes.fromhex(
    "30449344443322115537A352 8C007572887766559344550800041005 1B2F"
    "00DFE2A782146D1513581CD2F83F3904 D757 0CFD1078563412 FB35"
)
# Kamstrup (rmja/wmbus tests/stack.rs), format A and B.
KAMSTRUP_A = bytes.fromhex(
    "4E442D2C9827046730049153 7AA61040256D3CA0F72FF1EF06806C50A104 21CBD132E3B1D0116A0557696E0E37C2E9F0"
    "8636FE31F68E6B4DEE5E385316C216A96E27 7D48B1459272386146F78C7766D519FC4449 993ADA5AAD95A5"
)
KAMSTRUP_B = bytes.fromhex("13442D2C785634120132A000010203040506C3C0")
# Demodulated from real air captures (xaelsouth/rtl-wmbus samples), Techem, T1.
TECHEM_1 = bytes.fromhex(
    "294468502300207172F0 3840 A0009F21000000A07D22020001000000 5B94 00000000000000000400030203020000 2B75"
)
TECHEM_2 = bytes.fromhex(
    "294468506985166076F0 D4F7 A0009F2F613000186130008061000109 F30A 006BA1007CB2008DC3009ED4000FE500 96BA"
)
# Techem heat cost allocator, found in several public test suites.
TECHEM_HCA = bytes.fromhex(
    "32446850411123936980F219 A0019F29FA04702FBF02D808DB080000D40D 0100000000000000001E348069253E234B47"
    "2A0000000000000000611B"
)

FRAMES_A = (
    SAMPLE_A,
    ANNEX_N_2_1,
    ANNEX_N_GAS,
    ANNEX_N_5_2,
    ANNEX_N_5_3,
    KAMSTRUP_A,
    TECHEM_1,
    TECHEM_2,
    TECHEM_HCA,
)
FRAMES_B = (SAMPLE_B, SAMPLE_B3, KAMSTRUP_B)

# TI AN067 3outof6.c, and the same in five other public decoders.
THREE_OF_SIX = [
    "010110",
    "001101",
    "001110",
    "001011",
    "011100",
    "011001",
    "011010",
    "010011",
    "101100",
    "100101",
    "100110",
    "100011",
    "110100",
    "110001",
    "110010",
    "101001",
]


def bits(data):
    return "".join(format(byte, "08b") for byte in data)


def pack(chips):
    chips += "0" * (-len(chips) % 8)
    return bytes(int(chips[i : i + 8], 2) for i in range(0, len(chips), 8))


def three_of_six(frame):
    return "".join(THREE_OF_SIX[int(digit, 16)] for digit in frame.hex())


def manchester(frame):
    return "".join("01" if bit == "1" else "10" for bit in bits(frame))


def crc(data):
    """Polynomial division, bit by bit, of data followed by 16 zeros; inverted at the end."""
    rest = 0
    for bit in bits(data) + "0" * 16:
        rest = rest << 1 | int(bit)
        if rest >> 16:
            rest ^= 0x13D65
    return (rest ^ 0xFFFF).to_bytes(2, "big")


def frame_a(length):
    """A frame of format A with this L-field and bytes that all differ from their neighbours."""
    body = bytes([length]) + bytes((37 * i + length) & 0xFF for i in range(length))
    blocks = [body[:10]] + [body[i : i + 16] for i in range(10, len(body), 16)]
    return b"".join(block + crc(block) for block in blocks)


def frame_b(length):
    """A frame of format B with this L-field on the air."""
    n = length - (2 if length <= 127 else 4)
    body = bytes([length]) + bytes((37 * i + length) & 0xFF for i in range(n))
    out = body[:126] + crc(body[:126])
    return out + body[126:] + crc(body[126:]) if len(body) > 126 else out


LENGTHS_A = range(9, 256)
LENGTHS_B = [length for length in range(11, 256) if length not in (128, 129)]
