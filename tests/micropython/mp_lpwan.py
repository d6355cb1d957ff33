"""MAC and LLC of OMS LPWAN on either interpreter: frames, MBlocks, security, counters, link and clock management, and the
profile B telegram of Q.K.3. Vectors: OMS Vol. 2 Annex Q, release A, clause beside each. Prints what it costs on a device.
"""

# ruff: noqa: E402

import gc
import sys

from checking import raises

SMALL = sys.implementation.name == "micropython"
if SMALL:
    gc.collect()
    before = gc.mem_alloc()

from omsnode.firmware.link.lpwan import counters, elements, llc, mac, managed, services, values

if SMALL:
    gc.collect()
    print("modules of MAC and LLC of a meter: {} bytes of heap".format(gc.mem_alloc() - before))

from omsnode.firmware.application import telegram as application
from omsnode.firmware.errors import CrcError, OmsError, ReservedError, StoreError
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import (
    blocks,
    clock,
    credits,
    manager,
    manager_counters,
    protection,
    telegram,
)
from omsnode.firmware.security.keys import Key

# Tables Q.K.3 to Q.K.8, Q.Z.1, Q.Z.10
FRAMES = {
    "Q.K.3": "005B44A73D78563412150375900F002C25B30A000021924D4F2FB66E017A7500200710"
    "9058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B932BE5B9B7",
    "Q.K.4": "098378CFC7",
    "Q.K.5": "422202A73D7856341215039F07FC0F",
    "Q.K.6": "2D6801370150E4896B9204A73D785634121503D6BFAB0B",
    "Q.K.7": "2D68013801171D5408301D7BA73D785634121503089375170000D8193D7B",
    "Q.K.8": "61226A013801DA646F140581AC1B08A73D78563412150308900F002C25B30A000021924D4F2FB66E017A75002007109058"
    "475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B9377C2C6C1",
    "Q.Z.1": "401A02A73D785634121503ACB46271",
    "Q.Z.10": "4C0104A73D785634121503650C99BA",
}
METER = Address.from_link(bytes.fromhex("A73D785634121503"))
KEY = Key(bytes(range(0x10, 0x20)))
S = 1000000


def frame(name):
    return bytes.fromhex(FRAMES[name])


def parsed(name):
    data = frame(name)
    return mac.parse(data, "up" if mac.is_up(data[0] & 15) else "down", "UL-B4")


def test_frames():
    for name in FRAMES:
        got = parsed(name)
        up = mac.is_up(got.type)
        fields = llc.parse(got.payload, up)
        assert mac.build(got.type, got.elements, got.body, llc.build(fields, up), "UL-B4") == frame(name)
        assert mac.crc(frame(name)[:-4]) == frame(name)[-4:]
    data = frame("Q.K.3")
    for i in range(len(data)):
        wrong = bytearray(data)
        wrong[i] ^= 0x10
        assert not mac.valid(wrong)
    raises(CrcError, mac.parse, bytes(12) + b"\x01", "up")
    assert raises(ReservedError, parsed_version_1).code == "reserved"
    up = elements.Up(0, 2, "DL-B1", 0, (0, 0, 1), (0, 0, 4), 2, 10)
    assert elements.build_up(up, "UL-B3") == bytes.fromhex("8299E41A")
    assert elements.parse_up(bytes.fromhex("8299E41A"), 0, "UL-B3") == (up, 4)


def parsed_version_1():
    return mac.parse(b"\x10" + mac.crc(b"\x10"), "up")


def test_mblocks():
    for text, meaning in (
        ("2001A5", values.LinkStatus(1, 5, 5)),
        ("1164", values.FallbackStatus(values.HARD, 1280)),
        ("2220CE", values.FallbackCounter(1, 20000)),
        ("34031116", values.Time(22, 17, 3)),
        ("14D8", -40),
        ("252113", values.Uplink(0, 2, "UL-B2", (2,), "multi")),
        ("168C", values.Downlink(1, 1, "DL-B3")),
        ("B001FF0003", (0, 1, 2, 3, 4, 5, 6, 7, 16, 17)),
        ("A1010017", 2023),
        ("9401F0", 240),
    ):
        (block,) = blocks.parse(bytes.fromhex(text))
        assert values.decode(block.id, block.value) == meaning
        assert blocks.build([values.encode(block.id, meaning)]) == bytes.fromhex(text)


def test_security():
    assert protection.derive(KEY, 1, METER) == Key.from_hex("C16A16817B37B08F616AA7ED9E746850")
    meter = counters.Meter(KEY, METER, [1, 0, 310])
    gateway = manager_counters.Manager(KEY, METER, [1, 0, 311, None])
    for name in ("Q.K.6", "Q.K.7"):
        command = parsed(name)
        assert gateway.command(b"\x01", True) == command.body
        assert meter.command(command, False).data == b"\x01"
        assert meter.command(command, True).action == counters.REPEAT
        assert meter.command(command, False).action == counters.MERR
    response = parsed("Q.K.8")
    assert meter.answer(bytes.fromhex("2101C5")) == response.body
    assert gateway.response(response) == bytes.fromhex("2101C5")
    raises(StoreError, counters.Meter, KEY, METER, [1, 0, None])
    body = meter.unsolicited(b"", True)
    message = mac.parse(mac.build(mac.MSNR, None, body, b"", "UL-B4"), "up", "UL-B4")
    assert gateway.unsolicited(message) == b"" and gateway.export() == [1, 1, 313, None]


def test_management():
    capability = values.Capability(
        ("UL-B1", "UL-B2", "UL-B4"), 0, ("DL-B1", "DL-B4"), ("7/8", "1/2", "1/3"), 0
    )
    up = values.Uplink(0, 2, "UL-B4", (2,), "1/2")
    one = managed.Managed(capability, up, values.Downlink(0, 0, "DL-B4"), 2, 600)
    assert [one.missed() for _ in range(5)] == [False, True, False, True, False]
    assert one.uplink == values.Uplink(0, 0, "UL-B1", (0, 1, 2, 3, 4), "1/3") and one.next == values.NONE_LEFT
    both = services.Services(one)
    assert both.execute(bytes.fromhex("8001920105060010"), 0, 0) == b""
    assert both.execute(bytes.fromhex("92010506"), 0, 0) == bytes.fromhex("9201051600")
    nw = manager.Manager(capability, one.uplink, one.downlink, ("UL-B4", "UL-B1"), ("DL-B1",))
    for _ in range(manager.MANY):
        nw.heard("UL-B1", "1/3", 390)
    (block,) = nw.wanted()
    assert both.execute(blocks.build([block]), 0, 0) == blocks.build([block])
    assert one.switched() and one.uplink.sub_mode == "UL-B4"
    told = clock.start(((22 * 60 + 17) * 60) * S, 0)
    told, answer = clock.execute(told, blocks.MBlock(4, bytes.fromhex("031116")), 0, 0)
    assert answer.value and clock.push(told, 12 * 3600 * S).value == bytes.fromhex("03110A")
    assert credits.row("UL-B4").no_access_us == 24 * 3600 * S


def test_telegram():
    link = telegram.parse(frame("Q.K.3"), "up", "UL-B4")
    key = Key(bytes(range(16)))
    got = application.decode(link.message, lambda address, *which: key, link=link)
    assert got.verdict == "authenticated" and got.counter == 2739 and len(got.records) == 3
    assert got.access_number == 117 and got.address == METER


def test_random_frames():
    state = 1
    for i in range(300):
        data = bytearray()
        for _ in range(1 + i % 40):
            state = (state * 75 + 74) % 65537
            data.append(state & 255)
        if i % 2:
            data[0] &= 0xE9  # more often something that is a frame
        data = bytes(data) + mac.crc(data)
        try:
            got = mac.parse(data, ("up", "down")[i >> 1 & 1], "UL-B1")
            llc.parse(got.payload, mac.is_up(got.type))
        except OmsError as error:
            assert error.code in ("length", "reserved", "forbidden_ci")


for f in (
    test_frames,
    test_mblocks,
    test_security,
    test_management,
    test_telegram,
    test_random_frames,
):
    f()
if SMALL:
    from time import ticks_diff, ticks_us

    data = frame("Q.K.8")
    start = ticks_us()
    for _ in range(100):
        mac.valid(data)
    took_us = ticks_diff(ticks_us(), start)
    print("MAC CRC of {} bytes: {} us".format(len(data), took_us // 100))
print("ok")
