"""Application protocols beside the records: select, clock, alarm, application error, containers kept whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import alarm, clock, error_codes, protocols, select, telegram
from omsnode.firmware.errors import ApplicationError, MisuseError
from omsnode.firmware.security.keys import Key

SECOND = 1000000
HOUR = 3600 * SECOND


def values(ci, body, start=0):
    return {field[2]: field[3] for field in protocols.read(ci, bytes.fromhex(body), None, start).fields}


# --- every byte is accounted for ---


@given(ci=st.integers(0, 255), body=st.binary(max_size=40), start=st.sampled_from((0, 2)))
def test_every_byte_of_any_body_is_in_exactly_one_field(ci, body, start):
    name, fields = protocols.read(ci, body, "up", start)
    at = min(start, len(body))
    for offset, length, label, value, unit in fields:
        assert offset == at if length else offset in (at, start), (label, offset, at)
        at += length
        assert (
            isinstance(label, str)
            and isinstance(value, (str, int))
            and (unit is None or isinstance(unit, str))
        )
    assert at == len(body)
    labels = [field[2] for field in fields]
    assert len(set(labels)) == len(labels)
    assert name and json.dumps(fields)


@pytest.mark.parametrize("ci", (0xA0, 0xA5, 0xB7))
def test_manufacturer_specific_containers_are_named_and_kept_whole(ci):
    assert protocols.read(ci, bytes.fromhex("0102FF")) == protocols.Protocol(
        "manufacturer specific", [(0, 3, "manufacturer_data", "0102FF", None)]
    )


def test_what_is_not_public_is_named_and_kept_whole():
    assert protocols.read(0x5C, b"\x12\x34") == protocols.Protocol(
        "synchronise action", [(0, 2, "undecoded", "1234", None)]
    )
    assert values(0x74, "0405") == {"alarm": "0405"}


# --- security information transfer ---

# OMS Annex N.12.2 to N.12.4: the breaker is disconnected, confirms, refuses.
BREAKER = (
    (
        0xC3,
        "1C000020003220000F00000000000000300101FD1F00FA41E2812D449B4D",
        {
            "block_length": 28,
            "block": 0,
            "function": 0x20,
            "function_name": "transfer secured application data",
            "recipient": 0,
            "structure": 0x32,
            "key_id": 0x20,
            "key_version": 0,
            "key_counter": 15,
            "target_time": "at once",
            "protocol": 1,
            "protocol_name": "M-Bus",
            "apdu": "01FD1F00",
            "apdu_meaning": "remote control 0",
            "mac": "FA41E2812D449B4D",
        },
    ),
    (
        0xC4,
        "070000A00022200019",
        {
            "block_length": 7,
            "block": 0,
            "function": 0xA0,
            "function_name": "transfer secured application data, response",
            "recipient": 0,
            "structure": 0x22,
            "key_id": 0x20,
            "key_version": 0,
            "status": 0x19,
            "status_name": "key id or key version not usable",
        },
    ),
)


@pytest.mark.parametrize("ci, body, expected", BREAKER)
def test_security_information_of_a_breaker(ci, body, expected):
    assert values(ci, body) == expected


def test_several_blocks_and_what_is_cut_off():
    status = "070000A00022200019"
    found = values(0xC4, status + status + "0000" + "FF")
    assert found["status_2"] == 0x19 and found["end"] == 0 and found["undecoded"] == "FF"
    for length in range(1, 9):
        assert values(0xC4, status[: 2 * length]) == {"undecoded": status[: 2 * length]}
    clock_block = "1400002000322100" + "01000000" + "0000000030" + "04" + "02050000" + "00" * 8
    clock_block = "%02X" % (len(clock_block) // 2 - 2) + clock_block[2:]
    assert values(0xC3, clock_block)["apdu_meaning"] == "tc 2, function subtract, time 00:00:05"


# --- application select ---

# The inferred rule for 15 and above: F then 1 is 16.
INFERRED = (
    ("F0", (15, 0)),
    ("F010", (16, 0)),
    ("F030", (18, 0)),
    ("F1A2", (25, 0x12)),
    ("FFF0F0F0", (60, 0xF000)),
)


@pytest.mark.parametrize("body, expected", INFERRED + (("1102", (1, 0x12)), ("70", (7, 0)), ("", None)))
def test_selection(body, expected):
    assert select.parse(bytes.fromhex(body)) == expected


def test_selection_fields():
    assert values(0x53, "70") == {"application": 7, "application_name": "static content", "block": 0}
    assert values(0x50, "") == {"reset": "to the standard response"}
    assert values(0x55, "") == {}
    assert values(0x67, "F030")["application_name"] == "consumer information"
    assert select.name(15) == "user defined" and select.name(26) == "manufacturer specific"
    assert select.name(19) == "reserved" and select.name(57) == "additional fixed network readout"


@pytest.mark.parametrize("body, position", (("1111", 1), ("F0" * 11, 10), ("F11002" + "10", 3)))
def test_a_selection_that_cannot_be(body, position):
    with pytest.raises(ApplicationError) as caught:
        select.parse(bytes.fromhex(body))
    assert caught.value.position == position
    fields = values(0x53, body)
    assert fields["undecoded"] == body and fields["reason"]


@given(application=st.integers(0, 134), block=st.integers(0, 16**10 - 1))
def test_selections_come_back(application, block):
    body = select.build(application, block)
    assert 1 <= len(body) <= 10
    assert select.parse(body) == (application, block)


def test_selection_builder_refuses():
    assert select.build() == b"" and select.build(7) == b"\x70"
    for application, block in ((-1, 0), (0, -1), (150, 0), (10**30, 0), (1, 16**10)):
        with pytest.raises(MisuseError):
            select.build(application, block)


def test_a_selection_is_never_an_error():
    offered = {0: 1, 7: 3}
    assert select.choose(None, offered) == (0, 0)
    assert select.choose((7, 2), offered) == (7, 2)
    assert select.choose((7, 3), offered) == (7, 0)
    assert select.choose((8, 1), offered) == (0, 0)


# --- application error ---

# application.json protocol_vectors: rscada/libmbus test/error-frames, OMS Annex N.9.
ERRORS = (
    ("00", "unspecified error"),
    ("01", "CI field not implemented"),
    ("02", "buffer too long, truncated"),
    ("03", "too many records"),
    ("04", "premature end of record"),
    ("05", "more than 10 DIFE"),
    ("06", "more than 10 VIFE"),
    ("08", "busy"),
    ("09", "too many readouts"),
)


@pytest.mark.parametrize("ci", (0x6E, 0x6F, 0x70))
@pytest.mark.parametrize("body, meaning", ERRORS)
def test_application_errors(ci, body, meaning):
    assert values(ci, body) == {"error": int(body, 16), "meaning": meaning}
    assert error_codes.build(int(body, 16)).hex() == body


def test_an_empty_error_and_what_stands_behind_a_code():
    assert values(0x70, "") == {"error": 0, "meaning": "unspecified error"}
    assert error_codes.build() == b"" and error_codes.STATUS == 2
    body = error_codes.build(error_codes.DYNAMIC, bytes.fromhex("02FD170400"))
    assert values(0x6E, body.hex()) == {
        "error": 0xF0,
        "meaning": "dynamic error, a record follows",
        "record": "error flags 4",
    }
    assert values(0x6E, "F002FD1704") == {
        "error": 0xF0,
        "meaning": "dynamic error, a record follows",
        "undecoded": "02FD1704",
    }
    assert values(0x6E, "F1AABB") == {
        "error": 0xF1,
        "meaning": "manufacturer specific",
        "manufacturer_data": "AABB",
    }
    assert values(0x6E, "0122") == {"error": 1, "meaning": "CI field not implemented", "undecoded": "22"}
    assert error_codes.name(0x18) == "reserved"
    for code, more in ((None, b"1"), (1, b"1"), (0xF0, b""), (256, b"")):
        with pytest.raises(MisuseError):
            error_codes.build(code, more)


# --- alarm ---


def test_alarm_state():
    assert values(0x71, "05") == {"alarm_state": 5, "alarm_bits": "0 2"}
    assert values(0x71, "00FF") == {"alarm_state": 0, "alarm_bits": "none", "undecoded": "FF"}
    assert alarm.build(5) == b"\x05"
    with pytest.raises(MisuseError):
        alarm.build(256)


# --- clock ---

ANNEX_N = "013201000000000000002F2F2F2F"  # OMS Annex N.8.2: add 1 min 50 s; the meter answers with error 15h


def test_clock_vector():
    expected = {
        "tc": 1,
        "function": "add",
        "time": "00:01:50",
        "reserved": "000000000000",
        "verification": "2F2F2F2F",
    }
    assert values(0x6C, ANNEX_N) == expected
    # As decrypted from the telegram: check bytes in front.
    assert values(0x6C, "2F2F" + ANNEX_N, 2) == expected
    assert clock.build_adjust(110).hex().upper() == ANNEX_N
    state = clock.start(0, 0)
    assert clock.apply(clock.parse(bytes.fromhex(ANNEX_N)), state, 0) == (state, 0x15)


@pytest.mark.parametrize("length", range(14))
def test_what_is_behind_the_time_may_be_missing(length):
    body = bytes.fromhex(ANNEX_N)[:length]
    if length < 4:
        with pytest.raises(ApplicationError):
            clock.parse(body)
    else:
        assert clock.parse(body).text == "00:01:50"
    covered = sum(field[1] for field in protocols.read(0x6C, body).fields)
    assert covered == length


def test_clock_bodies():
    assert clock.build_adjust(-5, bare=True).hex() == "02050000"
    assert clock.build_correct(13, 14, 15, bare=True).hex() == "030f0e0d"
    body = clock.build_set(2024, 5, 31, 23, 50, 10)
    assert body[0] == 0 and clock.parse(body).text == "2024-05-31T23:50:10"
    assert len(clock.build_set(2024, 5, 31, 23, 50, 10, bare=False)) == 14
    assert values(0x6D, "05E20330") == {"tc": 5, "function": "set", "time": "E20330"}
    assert values(0x6C, "04112233")["undecoded"] == "04112233"
    for make in (
        lambda: clock.build_adjust(86400),
        lambda: clock.build_correct(None, 0, 0),
        lambda: clock.build_set(2024, None, 1, 0, 0, 0),
    ):
        with pytest.raises(MisuseError):
            make()


def adjust(seconds):
    return clock.parse(clock.build_adjust(seconds))


def test_an_adjustment_is_spread_and_the_next_one_waits():
    state = clock.start(1000, 5 * SECOND)
    assert clock.device_us(state, 5 * SECOND) == 1000 * SECOND
    state, error = clock.apply(adjust(60), state, 5 * SECOND)
    assert error is None and clock.device_us(state, 5 * SECOND) == 1000 * SECOND
    half = 5 * SECOND + 5 * HOUR
    assert clock.device_us(state, half) == (1000 + 5 * 3600 + 30) * SECOND
    assert clock.apply(adjust(-1), state, half) == (state, 0x10)
    later = 5 * SECOND + 10 * HOUR
    assert not clock.pending(state, later)  # finished within 12 h
    assert clock.device_us(state, later) == (1000 + 36000 + 60) * SECOND
    assert clock.apply(adjust(-1), state, later) == (state, 0x15)  # 60 s per 12 h are used up
    state, error = clock.apply(adjust(-1), state, 5 * SECOND + 12 * HOUR)
    assert error is None
    assert clock.device_us(state, 5 * SECOND + 13 * HOUR) == (1000 + 13 * 3600 + 59) * SECOND


def test_more_than_60_s_is_ignored():
    state = clock.start(0, 0)
    for seconds in (61, -61, 86399):
        assert clock.apply(adjust(seconds), state, 0) == (state, 0x15)
    assert clock.apply(adjust(60), state, 0)[1] is None
    assert clock.apply(adjust(0), state, 0) == (state, None)


@pytest.mark.parametrize(
    "device, told, moved",
    (
        ((12, 0, 0), (12, 0, 20), 20),
        ((12, 0, 0), (11, 59, 50), -10),
        ((12, 0, 0), (13, 0, 0), 60),
        ((12, 0, 0), (11, 0, 0), -60),
        ((23, 59, 50), (0, 0, 10), 20),
        ((0, 0, 10), (23, 59, 50), -20),
    ),
)
def test_a_correction_moves_by_60_s_at_most(device, told, moved):
    start = device[0] * 3600 + device[1] * 60 + device[2]
    state = clock.start(86400 * 7 + start, 0)
    state, error = clock.apply(clock.parse(clock.build_correct(*told)), state, 0)
    assert error is None and state.adjust_s == moved


def test_setting_is_for_the_head_end_and_stops_an_adjustment():
    state = clock.apply(adjust(30), clock.start(0, 0), 0)[0]
    request = clock.parse(clock.build_set(2024, 5, 31, 23, 50, 10))
    assert clock.apply(request, state, HOUR) == (state, 0x22)
    assert clock.apply(request, state, HOUR, clock.HEAD_END, clock.GATEWAY) == (state, 0x22)  # UC-04a
    state, error = clock.apply(request, state, HOUR, clock.HEAD_END)
    assert error is None and not clock.pending(state, HOUR)
    assert clock.device_us(state, HOUR) == 1717199410 * SECOND  # date -u -d 2024-05-31T23:50:10 +%s
    # UC-04c: the gateway is refused.
    assert clock.apply(adjust(1), state, HOUR, clock.GATEWAY, clock.HEAD_END) == (state, 0x22)


@pytest.mark.parametrize("body", ("01FFFFFF", "013F0000", "01003F00", "03FFFFFF", "01320119"))
def test_a_time_that_is_none_is_a_wrong_parameter(body):
    state = clock.start(0, 0)
    assert clock.apply(clock.parse(bytes.fromhex(body)), state, 0) == (state, 0x15)


def test_type_m_is_not_executed():
    state = clock.start(0, 0)
    request = clock.parse(bytes.fromhex("05E20330"))
    assert clock.apply(request, state, 0, clock.HEAD_END) == (state, 0x11)


@given(st.lists(st.tuples(st.integers(-70, 70), st.integers(0, 5 * 3600)), max_size=30))
def test_no_12_hours_see_more_than_60_s_and_time_never_runs_backwards(steps):
    state, now, last, done = clock.start(10**6, 0), 0, -1, []
    for seconds, wait in steps:
        now += wait * SECOND
        assert clock.device_us(state, now) >= last
        last = clock.device_us(state, now)
        state, error = clock.apply(adjust(seconds), state, now)
        assert clock.device_us(state, now) == last
        if error is None and seconds:
            done.append((now, abs(seconds)))
        assert sum(amount for at, amount in done if now - at < 12 * HOUR) <= 60
        assert len(state.spent) <= 60
        state = clock.Clock(
            *json.loads(json.dumps(state))[:3], tuple(map(tuple, json.loads(json.dumps(state))[3]))
        )


# --- whole telegrams ---


def decode(text, key=None):
    return telegram.decode(bytes.fromhex(text), (lambda address: Key(bytes.fromhex(key))) if key else None)


def shown(result):
    return {field[2]: field[3] for field in result.protocol.fields}


def test_annex_n_clock_telegram():
    """OMS Annex N.8.2, mode 5: offsets of the fields count the check bytes."""
    result = decode(
        "295324235634129008318C84516C44227592934400077D0010059ED82AB233D1A2A80BFFD3B7B6A908D7",
        "82B0551191F51D66EFCDAB8967452301",
    )
    assert result.error is None and result.undecoded is None
    assert result.protocol.name == "clock synchronisation"
    assert shown(result)["time"] == "00:01:50" and result.protocol.fields[0][0] == 2


def test_annex_n_application_error():
    """OMS Annex N.9."""
    result = decode("12086850785634128F088C80156E0202000001")
    assert shown(result) == {"error": 1, "meaning": "CI field not implemented"}
    assert result.tpl.status == error_codes.STATUS and result.undecoded is None


def test_wired_application_error_without_a_code():
    """rscada/libmbus test/error-frames/error.hex: an empty body."""
    result = telegram.decode_message(bytes.fromhex("70"))
    assert shown(result) == {"error": 0, "meaning": "unspecified error"}


def test_a_manufacturers_container_is_refused_but_kept():
    result = decode("0F44A511785634120107A50102030405")
    assert result.error.code == "unsupported_ci" and result.verdict == "unsupported"
    assert shown(result) == {"manufacturer_data": "0102030405"}
