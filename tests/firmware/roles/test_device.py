"""The meter's application by itself: errors, selections, the conformance test, the image transfer, clock and power cuts."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import clock, image, image_meter, record
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.application.commands import Register
from omsnode.firmware.errors import StoreError
from omsnode.firmware.roles.device import CLOCK, Device, Told
from omsnode.firmware.roles.selection import RESPONSE_US

S = 1000000
DATA = 0x5B
START_S = 1767225600  # 2026-01-01T00:00:00Z


def hexed(text):
    return bytes.fromhex(text)


def registers():
    return [
        Register(b"\x0c", b"\x13", 12345678, ("set", "add")),
        Register(b"\x04", b"\x6d", CLOCK),
        Register(b"\x4c", b"\x13", 1000),
        Register(b"\x01", b"\xfd\xfd\x00", 0, ("set",), 0x25),
        Register(b"\x02", b"\xfd\x17", 0x0F, ("not",), 0x24),
        Register(b"\x07", b"\x79", hexed("785634123A630A07"), ("set",), 0x27),
    ]


def make(state=None, at_us=0, wall_us=START_S * S, **more):
    device = Device(registers(), {0: ((),), 7: ((2,), (0,))}, state=state, **more)
    device.at(at_us, wall_us, [12345678, None])
    return device


def plain(device, text, ci=DATA, now_us=0):
    return device.plain(ci, hexed(text), now_us)


# Command, application error (OMS Vol.2 Table 40).
@pytest.mark.parametrize(
    "ci, text, code",
    (
        (0x64, "00", 0x01),
        (0xC0, "00", 0x01),  # no image transfer
        (DATA, "00900F" + "04", 0x04),
        (DATA, "84" + "80" * 11, 0x05),
        (DATA, "0490" + "90" * 11 + "00", 0x06),
        (DATA, "0F1234", 0x11),
        (DATA, "0C860001000000", 0x11),  # no such data point
        (DATA, "00860F", 0x12),
        (DATA, "0B900001AAAA", 0x15),
        (DATA, "0C9300FFFFFFFF", 0x15),
        (DATA, "02FD97060400", 0x22),
        (DATA, "00FDBC0C", 0x22),  # the readout list is UC-14
        (DATA, "01FDFD800070", 0x22),
        (0x53, "0110", 0x15),  # behind the end of the application
        (0x6C, "", 0x15),
        (0x6C, "09320100", 0x15),
        (0x6C, "0014001301A1", 0x15),
        (0x6C, "003200138105", 0x15),
        (0x6C, "003B3B17 5F3C00", 0x22),  # setting is for the head-end
        (0x6C, "013D0000", 0x15),
        (0x6C, "01010100", 0x15),  # 61 s
    ),
)
def test_application_errors(ci, text, code):
    device = make()
    before = json.dumps(device.export())
    told = plain(device, text, ci)
    assert told == Told(code, None, b"", 0)
    assert json.dumps(device.export()) == before and device.take_changes() == []


def test_more_errors():
    assert make(clock_allowed=0).plain(0x6C, hexed("01050000"), 0).code == 0x01
    assert make(clock_allowed=clock.HEAD_END).plain(0x6C, hexed("01050000"), 0).code == 0x22
    assert make(limit_bytes=8).plain(DATA, hexed("00930F40930F"), 0).code == 0x03
    assert make(wall_us=None).plain(0x6C, hexed("01050000"), 0).code == 0x12
    device = make()
    assert device.plain(0x6C, hexed("01050000"), 0).code is None
    assert device.plain(0x6C, hexed("01050000"), S).code == 0x10


def test_reads_and_writes():
    device = make()
    device.at(5 * S, None, [777, None])
    assert plain(device, "00930F") == Told(None, (0x7A, 0x72), hexed("0C1377070000"), 0)
    assert plain(device, "0A93010001").data == hexed("0C1377080000")
    assert device.take_changes() == [(0, 877)] and device.take_changes() == []
    device.at(6 * S, None, [877, None])
    assert plain(device, "7F").data[:6] == hexed("0C1377080000")
    (date,) = record.decode(plain(device, "00ED0F").data)[0]
    assert date.text == "2026-01-01T00:00"
    assert make(busy_us=9).plain(DATA, hexed("00930F"), 0).busy_us == 9


def test_all_or_nothing():
    """Storing failed: nothing has happened."""
    device = make()
    before = device.snapshot()
    stored = json.dumps(device.export())
    assert plain(device, "0A93010001").code is None
    assert plain(device, "70", 0x53).code is None
    assert plain(device, "01050000", 0x6C).code is None
    assert device.respond(0x27, 1, hexed("07F90000000000000A0007"))[0] == sitp.OK
    device.raise_alarm(1)
    assert json.dumps(device.export()) != stored and device.response() is not None
    device.rollback(before)
    assert json.dumps(device.export()) == stored
    assert device.take_changes() == [] and device.response() is None and device.alarm() is None


def test_two_commands_of_which_one_fails():
    device = make()
    assert plain(device, "0A93010001 00860F".replace(" ", "")).code == 0x12
    assert device.registers[0].value == 12345678


def test_secured():
    device = make()
    assert device.respond(0x24, 1, hexed("02FD97060400")) == (0, hexed("02FD170B00"))
    assert device.respond(0x27, 1, hexed("02FD97060400")) == (0x22, b"")
    assert device.respond(0x24, 9, b"") == (0x11, b"")
    assert device.respond(0x27, 1, hexed("00930F")) == (0, hexed("0C1378563412"))
    # UC-04: 21 adjusts, 22 sets; the answer is the status alone.
    assert device.respond(0x21, 4, hexed("01050000")) == (0, None)
    assert device.respond(0x22, 4, hexed("01050000"))[0] == 0x22
    assert device.respond(0x21, 4, hexed("001E3B175F3C00"))[0] == 0x22
    assert device.respond(0x22, 4, hexed("001E3B175F3C00")) == (0, None)
    # 2026-12-31T23:59:30, type F shows whole minutes
    assert record.decode(plain(device, "00ED0F").data)[0][0].text == "2026-12-31T23:59"


def test_data_selection_is_temporary():
    """UC-14: setMM6! and the lists, under KeyID 25; 255 s behind the last command they end (8.2.5)."""
    device = make()
    assert device.respond(0x25, 1, hexed("01FDFD800070"))[0] == sitp.OK
    assert device.response() == hexed("4C1300100000")
    assert device.respond(0x25, 1, hexed("00930C")) == (0, hexed("4C13001000000C1378563412"))
    device.at(RESPONSE_US - 1, None)
    assert device.response() == hexed("4C13001000000C1378563412")
    device.at(RESPONSE_US, None)
    assert device.response() is None
    # A permanent one is not.
    assert plain(device, "71", 0x53, RESPONSE_US) == Told(None, None, b"", 0)
    device.at(10 * RESPONSE_US, None)
    assert device.response() == hexed("0C1378563412")
    again = make(json.loads(json.dumps(device.export())))
    assert again.response() == hexed("0C1378563412")
    plain(again, "", 0x53)
    assert again.response() is None


def test_select_in_profile_a():
    device = make()
    assert device.plain(0x53, b"\x70" + b"\x2f" * 13, 0).code is None and device.response() is not None
    assert device.plain(0x53, b"\x2f" * 14, 0).code is None and device.response() is None


# UC-00; what was typed is in conformance.py marked as inferred where the sheet says no bytes.
@pytest.mark.parametrize(
    "text, expected",
    (
        ("02FD9F1D4030", 0x00),
        ("02FD9F1D4031", b"\x2f"),
        ("02FD9F1D4032", hexed("02FD9F1D4242")),
        ("02FD9F1DC032", hexed("02FD9F1D4242")),
        ("02FD9F1D4033", hexed("0DFD9F1D") + bytes((45,)) + b"\x43" * 45),
        ("0DFD9F1D08403400FF01020304", hexed("04FD9F1D01020304")),
        ("02FD9F1D4034", 0x15),
        ("02FD9F1D4035", 0x15),
        ("02FD9F1D0032", 0x15),
        ("02FD9F1D403200930F", 0x03),
    ),
)
def test_conformance(text, expected):
    told = plain(make(limit_bytes=50), text)
    assert told.code == expected if isinstance(expected, int) else (told.code, told.data) == (None, expected)
    status, answer = make(limit_bytes=76).respond(0x1F, 1, hexed(text))
    if isinstance(expected, bytes):
        assert (status, answer) == (0, b"" if expected == b"\x2f" else expected)
    assert make().respond(0x20, 1, hexed("02FD9F1D4032"))[0] == 0x22


def test_alarm():
    device = make()
    assert device.alarm() is None and device.status == 0
    device.raise_alarm(0x05)
    codes, data = device.alarm()
    assert (codes, data, device.status) == ((0x74, 0x75), b"\x05", 3)
    device.raise_alarm(0x80)  # while it was being sent
    device.alarm_sent(data)
    assert device.alarm()[1] == b"\x80"
    assert make(json.loads(json.dumps(device.export()))).alarm()[1] == b"\x80"


def test_clock_goes_on_behind_a_power_cut():
    device = make()
    plain(device, "011E0000", 0x6C)  # 30 s, spread over five hours
    device.at(3600 * S, (START_S + 3600) * S)
    ahead_us = device.clock_us(3600 * S) - (START_S + 3600) * S
    assert ahead_us == 6 * S
    stored = json.loads(json.dumps(device.export()))
    # Ten minutes later its own time begins at 0 again.
    again = make(stored, 0, (START_S + 4200) * S)
    assert again.clock_us(0) == (START_S + 4200) * S + 6 * S
    assert again.clock_us(4 * 3600 * S) == (START_S + 4200 + 4 * 3600) * S + 30 * S
    assert again.plain(0x6C, hexed("01050000"), 0).code == 0x10  # still running
    assert again.plain(0x6C, hexed("01280000"), 5 * 3600 * S).code == 0x15  # 30 + 40 s within 12 h
    assert again.plain(0x6C, hexed("011E0000"), 5 * 3600 * S).code is None
    # Nobody knows the time: it stood still.
    assert make(stored, 0, None).clock_us(0) == (START_S + 3600) * S + 6 * S
    # Not yet asked for: what was stored is stored again.
    waiting = Device(registers(), {0: ((),), 7: ((2,), (0,))}, state=stored)
    assert waiting.export()["clock"] == stored["clock"]


def test_registers_come_back():
    device = make()
    device.respond(0x27, 1, hexed("07F900112233443A630A07"))
    device.respond(0x24, 1, hexed("02FD97060400"))
    again = make(json.loads(json.dumps(device.export())))
    assert [one.value for one in again.registers[4:]] == [0x0B, hexed("112233443A630A07")]


@pytest.mark.parametrize(
    "change",
    (
        {"values": 1},
        {"values": [[0, "zz"]]},
        {"values": [[99, 1]]},
        {"values": [[5, 1]]},
        {"selected": [1]},
        {"alarms": None},
        {"clock": [1]},
        {"clock": [0, None, "x", 0, []]},
        {"clock": [0, None, 0, 0, [[1]]]},
    ),
)
def test_damaged_state(change):
    stored = dict(make().export(), **change)
    with pytest.raises(StoreError):
        make(stored)
    with pytest.raises(StoreError):
        make({"values": []})


def test_image_transfer():
    """UC-05: prepared under KeyID 23 only; blocks are jobs; the application tells what became of them."""
    device = make(image=image_meter.Meter(1000))
    body = image.build(
        image.PREPARE,
        image_id=bytes(image.ID_BYTES),
        size=100,
        block_size=100,
        mac_algorithm=image.MAC_ALGORITHM,
        key_id=image.MAC_KEY_ID,
        mac=bytes(image.MAC_BYTES),
    )
    assert device.plain(0xC0, body, 0).code == 0x22
    assert device.respond(0x24, 6, body) == (0x22, b"")
    status, answer = device.respond(0x23, 6, body)
    assert status == 0 and answer[0] == image.PREPARE | image.RESPONSE
    assert device.take_jobs() == [("erase", 100)] and device.due_us == image_meter.KEEP_US
    block = image.build(image.TRANSFER, image_id=bytes(image.ID_BYTES), block=0, data=bytes(100))
    told = device.plain(0xC0, block, 0)
    assert told.code is None and told.ci == (0xC1, 0xC2)
    assert device.take_jobs() == [("write", 0, bytes(100))]
    again = make(json.loads(json.dumps(device.export())), image=image_meter.Meter(1000))
    assert again.image.state == image.TRANSFER_ACTIVE
    again.tick(image_meter.KEEP_US)
    assert again.take_jobs() == [("clear",)] and again.image.state == image.IDLE
    assert device.plain(0xC0, b"\x05" + bytes(image.ID_BYTES), 0).code in (0x10, 0x15)


@given(
    st.lists(
        st.tuples(st.sampled_from([0x5B, 0x53, 0x6C, 0xC0, 0x50]), st.binary(max_size=30), st.booleans()),
        max_size=6,
    )
)
def test_no_command_raises(messages):
    device = make(image=image_meter.Meter(1000), limit_bytes=100)
    now_us = 0
    for ci, data, secured in messages:
        now_us += S
        device.at(now_us, None, [device.registers[0].value, None])
        before = json.dumps(device.export())
        if secured:
            code, answer = device.respond(0x27, {0x5B: 1, 0x6C: 4, 0xC0: 6}.get(ci, 2), data)
            failed = code != sitp.OK
        else:
            told = device.plain(ci, data, now_us)
            failed, answer = told.code is not None, told.data
        assert len(answer or b"") <= 250
        if failed:
            assert json.dumps(device.export()) == before
        device.response()
    make(json.loads(json.dumps(device.export())), image=image_meter.Meter(1000))


# --- what an attacker with the keys, or a damaged store, could do ---


def valve_registers(state=1):
    return [
        Register(b"\x01", b"\xfd\x1f", state, ("set",), 0x20),
        Register(b"\x01", b"\xfd\x1a", 1 if state == 1 else 0),
    ]


def test_a_clock_that_no_record_can_tell():
    """Type F ends with 2099: such a time is not taken, and a clock that has run there is no time and no crash."""
    device = make()
    assert device.respond(0x22, 4, hexed("00 3B3B17 5FDC 00".replace(" ", "")))[0] == 0x15  # 2106
    assert (
        device.respond(0x22, 4, hexed("00 3B3B17 7FCC 00".replace(" ", "")))[0] == sitp.OK
    )  # 2099-12-31T23:59:59
    for at_us in (0, 5 * S):
        device.at(at_us, None, [1])
        told = plain(device, "00ED0F", now_us=at_us)
        (one,) = record.decode(told.data)[0]
        assert (one.text, one.flag) in (("2099-12-31T23:59", None), (None, "invalid"))
    assert one.text is None and device.clock_us(5 * S) is None
    before_2000 = make(clock_s=0)
    assert record.decode(plain(before_2000, "00ED0F").data)[0][0].text is None


def test_conformance_error_in_a_container_is_no_success():
    device = make()
    code, apdu = device.respond(0x1F, 1, hexed("02FD9F1D4030"))
    assert code == 0x15 and apdu == b""
    assert plain(device, "02FD9F1D4030").code == 0x00


def test_the_physical_state_is_told_once_and_as_it_is():
    device = Device(valve_registers(), valve=("direct", 0, 1))
    device.at(0, None, ())
    code, apdu = device.respond(0x20, 1, hexed("00FD9A0F" + "01FD1F00"))
    assert (code, apdu.hex()) == (sitp.OK, "01fd1f00" + "01fd1a00")


def test_a_secured_answer_leaves_room_for_its_container():
    """190 bytes of data are the most in the longest headers; 26 of them are of the container."""
    many = [Register(bytes((0x84, number)), b"\x13", number) for number in range(1, 25)]
    device = Device(many)
    device.at(0, None, ())
    assert len(plain(device, "7F").data) == 24 * 7
    assert device.respond(0x27, 1, b"\x7f") == (0x03, b"")
    assert device.respond(0x27, 1, hexed("0081930F"))[0] == 0x12
    assert device.respond(0x27, 1, hexed("8001930F"))[0] == sitp.OK


def test_mm6_tells_what_is_selected_when_the_selection_is_over():
    device = make()
    assert device.respond(0x25, 1, hexed("01FDFD800070"))[0] == sitp.OK
    assert device.registers[3].value == 0x70
    device.at(RESPONSE_US, None, [1])
    assert device.response() is None and device.registers[3].value == 0
    assert device.take_changes() == []  # none of the profile's


@pytest.mark.parametrize(
    "damage",
    (
        {"values": [[0, 10**12]]},
        {"values": [[0, -(10**9)]]},
        {"values": [[-1, 0]]},
        {"values": [[0, None]]},
        {"values": [[0, 1.5]]},
        {"values": [[5, "zz"]]},
        {"values": [[5, 7]]},
        {"values": [[1, 7]]},
        {"values": 7},
        {"selected": [7, 0.5]},
        {"selected": [7, -1]},
        {"selected": [[], 0]},
        {"selected": "70"},
        {"alarms": "1"},
        {"alarms": None},
        {"clock": [1, 2]},
        {"clock": [10**40, 0, 0, 0, []]},
        {"clock": [0, 0, 10**9, 0, []]},
        {"clock": [0, 0, 0, 0, [[0, 1]] * 100]},
        {"clock": [0, 0, 0, -5, []]},
        {"clock": {}},
    ),
)
def test_a_damaged_device_is_told(damage):
    with pytest.raises(StoreError):
        make(state=dict(make().export(), **damage))


def test_a_valve_in_no_state_is_a_damaged_store():
    state = Device(valve_registers(), valve=("direct", 0, 1)).export()
    with pytest.raises(StoreError):
        Device(valve_registers(), valve=("direct", 0, 1), state=dict(state, values=[[0, 7]]))


COMMANDS = [
    "0A93010001",
    "04939300FFFFFFFF",
    "4C130000",
    "00930F40930F",
    "7F",
    "007E0F",
    "00930C00937D",
    "01FDFD800070",
    "02FD97060F00",
    "07F90000000000000A0007",
    "01FD1F02",
    "02FD9F1D4033",
    "8C10130000",
    "0D93000A313233",
]
CLOCKS = ["0032001F" + "00" * 6 + "2F2F2F2F", "01320000", "033B3B17", "003B3B17FF3C00", "05", "0000"]
SELECTIONS = ["", "70", "F120", "7F", "FFFFFFFFFFFFFFFFFFFF", "2F" * 14]
EVERY_CI = (
    0x50,
    0x51,
    0x53,
    0x54,
    0x57,
    0x5A,
    0x5B,
    0x5C,
    0x5F,
    0x60,
    0x62,
    0x6C,
    0x6D,
    0x80,
    0xC0,
    0xC1,
    0xC3,
    0xC7,
)


@st.composite
def spoilt(draw):
    """Commands that are cut off, altered, joined, or nothing but chance."""
    data = b"".join(
        [hexed(one) for one in draw(st.lists(st.sampled_from(COMMANDS + CLOCKS + SELECTIONS), max_size=3))]
    )
    data = bytearray(data or draw(st.binary(max_size=40)))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def whole(state=None):
    return Device(
        registers() + valve_registers() + [Register(b"\x0d", b"\x13", b"\x00", ("set", "clr"))],
        {0: ((),), 7: ((2,), (0,)), 17: ((0, 1, 2),)},
        clock_s=START_S,
        valve=("manual", 6, 7),
        state=state,
    )


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(EVERY_CI) | st.integers(0, 255),
            st.none() | st.sampled_from([0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27]),
            st.sampled_from([1, 4, 6]) | st.integers(0, 255),
            spoilt(),
            st.integers(0, 300 * S),
        ),
        max_size=6,
    )
)
def test_whatever_a_gateway_sends(commands):
    """An error changes nothing; an answer fits; what is stored stays small and brings the same device back."""
    device = whole()
    now_us = 0
    for ci, key_id, protocol, data, later_us in commands:
        now_us += later_us
        device.at(now_us, None, [12345678, None])
        before = json.dumps(device.export()), device.response(), device.selection.readout
        if key_id is None:
            told = device.plain(ci, data, now_us)
            failed, answer = told.code is not None, told.data
        else:
            status, answer = device.respond(key_id, protocol, data)
            failed, answer = status != sitp.OK, answer or b""
            assert 0 <= status <= 0xFF and len(answer) <= 164
        assert len(answer) <= 190 + 4
        if failed:
            assert (json.dumps(device.export()), device.response(), device.selection.readout) == before
            assert device.take_changes() == []
        for place, value in device.take_changes():
            assert place == 0 and device.registers[0].value == value
        assert device.registers[6].value in (0, 1, 2)
        assert device.registers[7].value == (device.registers[6].value == 1)
        stored = json.dumps(device.export())
        assert len(stored) < 4000
        again = whole(json.loads(stored))
        again.at(now_us, None, [device.registers[0].value, None])
        assert json.loads(json.dumps(again.export()))["values"] == json.loads(stored)["values"]
        assert again.clock_us(now_us) == device.clock_us(now_us)
