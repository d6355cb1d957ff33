"""Damaged telegrams and chips through the portable part. Prints one number that stands for all results: every
interpreter must print the same (test_micropython compares them)."""

from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import OmsError
from omsnode.firmware.link import crc, frame_a, frame_b
from omsnode.firmware.phy import framing, modes, radio
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.roles.collector import Collector
from omsnode.firmware.security.keys import Key

CASES = 1500
KEY = Key(bytes((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17)))
# OMS Vol.2 Annex N 2.1 and N.2.3, a partly encrypted one, and a plain one with many VIFs.
GOOD = [
    bytes.fromhex(text)
    for text in (
        "2E4493157856341233037A2A0020255923C95AAA26D1B2E7493B013EC4A6F6D3529B520EDFF0EA6DEFC99D6D69EBF3",
        "434493157856341233038C2075900F002C25B30A000021924D4F2FB66E017A75002007109058475F4BC91DF878B80A1B"
        "0F98B629024AAC727942BFC549233C0140829B93",
        "304493444433221155378C00757288776655934455080004100500DFE2A782146D1513581CD2F83F39040CFD1078563412",
        "2844AE0C785634120107780B134365872F0DFD0C0434474B42046D32371F15055B33330BC38410FB8273FFFF",
    )
]
STEERING = bytes.fromhex("000104048484808d0d0f1f2f2f7f13937cfcfdfbff1e1f9e9f6d6f7b7a78c0dfe0effaf6bf")

seed = 1


def below(limit):
    global seed
    seed = (seed * 1103515245 + 12345) & 0x3FFFFFFF
    return (seed >> 8) % limit


def damaged():
    kind = below(4)
    data = bytearray(GOOD[below(len(GOOD))])
    if kind == 0:
        data = bytearray(GOOD[3][:11])
        for _ in range(below(60)):
            data.append(STEERING[below(len(STEERING))])
    elif kind == 1:
        data = data[: 1 + below(len(data))]
    else:
        for _ in range(1 + below(4)):
            data[below(len(data))] ^= 1 << below(8)
    if below(4):
        data[0] = len(data) - 1
    return bytes(data)


def fields(*some):
    """Text that is the same everywhere: hex only of what is not empty, since MicroPython 1.25 takes b"".hex() for bytes."""
    out = []
    for one in some:
        if isinstance(one, (bytes, bytearray)):
            one = one.hex() if one else ""
        out.append(str(one))
    return ";".join(out)


def about(telegram):
    error, undecoded = telegram.error, telegram.undecoded
    text = fields(telegram.verdict, telegram.address, telegram.mode, telegram.access_number, telegram.payload)
    if error:
        text += fields(error.code, error.position, error.message, error.hint)
    if undecoded:
        text += fields(undecoded.offset, undecoded.data, undecoded.reason, undecoded.position)
    for one in telegram.records:
        text += fields(one.offset, one.dib, one.vib, one.data, one.function, one.storage, one.tariff)
        text += fields(
            one.quantity, one.unit, one.mantissa, one.exponent, one.flag, one.time, *one.qualifiers
        )
        text += fields(one.subunit, bool(one.final_dife), None if one.text is None else one.text.encode())
    return text


def stripped(strip, data):
    try:
        return strip(data)
    except OmsError as error:
        return fields(error.code, error.position, error.message)


def received(data, number):
    """The same as chips, some of them turned."""
    name, frame_format, build = (
        ("T1", "A", frame_a.build),
        ("C1", "B", frame_b.build),
        ("S1-m", "A", frame_a.build),
    )[number % 3]
    mode = modes.find(name)
    chips = framing.chips(mode, build(data), frame_format)
    sync = b"\x76\x96" if mode.family == "S" else b"\x54\x3d"
    chips = bytearray(chips[chips.find(sync) + 2 :])
    for _ in range(below(3)):
        chips[below(len(chips))] ^= 1 << below(8)
    deframer = Deframer(mode.family)
    results = []
    at = 0
    while at < len(chips) and (not results or results[-1] > 0):
        size = 1 + below(40)
        results.append(deframer.feed(bytes(chips[at : at + size])))
        at += size
    if results[-1] > 0:
        return fields(*results)
    if results[-1] < 0:
        event = radio.Event(radio.REJECTED, number, error=deframer.error)
    else:
        frame = bytes(deframer.frame)
        event = radio.Event(radio.FRAME, number, number, frame, deframer.family, deframer.frame_format, -70)
    readings = [action.reading for action in role.feed(event, number)]
    return fields(*results) + "".join([fields(one.raw, one.mode, one.telegram.verdict) for one in readings])


role = Collector(window_us=1)
total = 0
for number in range(CASES):
    data = damaged()
    text = about(decode(data, lambda address, *which: KEY))
    text += fields(stripped(frame_a.strip, data), stripped(frame_b.strip, data))
    if data[0] == len(data) - 1 and 9 < len(data) <= 250:
        text += received(data, number)
    total = (total * 31 + crc.crc16(text.encode())) & 0x3FFFFFFF
print(total, *["%s=%d" % pair for pair in sorted(role.counters.items())])
