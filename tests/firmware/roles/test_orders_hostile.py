"""Meters that answer wrongly, twice, late, or something else: no order ends done unless the meter said so, and what must not be
executed twice is not; stores that are old or damaged."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.application import telegram
from omsnode.firmware.errors import StoreError
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.orders import Heard
from omsnode.firmware.security.keys import Key
from support_orders import MASTER, METER, WALL_US, WRAPPER, answered, key_store, refused

COMMANDS_KEY = Key(bytes([0x27] * 16))
KEYS = key_store({(number, 0): Key(bytes([number] * 16)) for number in (0x20, 0x21, 0x22, 0x27)})
ADD = ["add", "volume", "1", "--secured"]
ACK = Heard("ACK", 0, None)


def asked(words, wall_us=WALL_US, keys=KEYS):
    order = orders.make(words, METER, keys)
    assert order.exchange(wall_us) is not None
    return order


def hexed(text):
    return bytes.fromhex(text)


def whatever(ci, data, status=0):
    """An RSP-UD that may be damaged beyond its header."""
    head = bytes((ci,)) + METER.tpl_bytes() + bytes((7, status, 0, 0))
    return Heard("RSP-UD", status, telegram.decode_message(head + data, METER))


def counters(counter, key_id=0x27, version=0, number=0):
    content = sitp.counters([(key_id, version, counter)])
    block = sitp.Block(number, sitp.KEY_COUNTERS | sitp.RESPONSE, 0, sitp.COUNTERS, 0xFF, 0xFF, content)
    return answered(0xC5, sitp.build([block]))


def secured(counter, apdu, key_id=0x27, version=0, number=0, key=COMMANDS_KEY, protocol=1):
    content = sitp.secure(key, sitp.Secured(counter, sitp.AT_ONCE, protocol, apdu))
    return sitp.Block(number, sitp.SECURED | sitp.RESPONSE, 0, sitp.CMAC_8, key_id, version, content)


def status(code, key_id=0x27, version=0, number=0):
    return sitp.Block(number, sitp.SECURED | sitp.RESPONSE, 0, sitp.STATUS, key_id, version, bytes((code,)))


def blocks(*made, sts=0):
    return answered(0xC5, sitp.build(made), sts)


def commanding(counter=5, words=ADD):
    """A secured order whose command is under way with the next counter."""
    order = asked(words)
    assert order.heard(counters(counter - 1), WALL_US) == "more"
    assert order.exchange(WALL_US).data[8:12] == counter.to_bytes(4, "little")
    return order


# --- done only where the meter says so ---


@pytest.mark.parametrize(
    "words",
    (["write", "volume", "1"], ["add", "volume", "1"], ["reset"], ["select", "7"], ["clock-adjust", "5"]),
)
def test_an_answer_that_tells_an_error_is_no_success(words):
    """Status 10: any application error. Which one, this meter does not say."""
    order = asked(words)
    assert order.heard(answered(0x72, hexed("0C1300100000"), 2), WALL_US) == "failed"
    assert "may have been executed" in order.reason


@pytest.mark.parametrize(
    "ci, data", ((0xC5, sitp.build([status(0)])), (0x75, b"\x01"), (0x67, b"\x70"), (0x72, b"\x2f\x04"))
)
def test_another_answer_is_none_to_a_write(ci, data):
    order = asked(["write", "volume", "1"])
    assert order.heard(whatever(ci, data), WALL_US) == "failed"
    assert "may have been executed" in order.reason


def test_only_alarm_data_are_an_alarm():
    order = asked(["alarm"])
    assert order.heard(answered(0xC5, sitp.build([status(0)])), WALL_US) == "failed"
    order = asked(["alarm"])
    order.heard(answered(0x72, hexed("0C1300100000")), WALL_US)
    assert order.result["alarm"] is None and order.result["bits"] == []
    assert [one["quantity"] for one in order.result["records"]] == ["volume"]


@pytest.mark.parametrize("security_mode", (5, 7))
@pytest.mark.parametrize(
    "alarm",
    ("05", "2F", "052F81"),  # one byte; bits 0, 1, 2, 3 and 5 of it; bytes that nobody knows
)
def test_what_fills_the_blocks_is_no_alarm(alarm, security_mode):
    """Profile A has nothing but 2F to fill blocks (security sheet 5.1)."""
    order = asked(["alarm"])
    data = hexed(alarm)
    heard = answered(0x75, data + b"\x2f" * (14 - len(data)))
    heard.telegram.tpl.mode = security_mode
    order.heard(heard, WALL_US)
    assert order.result["alarm"] == alarm
    assert order.result["bits"] == [bit for bit in range(8) if data[0] >> bit & 1]


def test_an_alarm_without_blocks_is_whole():
    order = asked(["alarm"])
    order.heard(answered(0x75, hexed("052F")), WALL_US)
    assert order.result["alarm"] == "052F"


def test_an_answer_counts_once():
    order = asked(["write", "volume", "1"])
    assert order.heard(answered(0x72, hexed("0C1300100000")), WALL_US) == "done"
    result = order.result
    assert (
        order.heard(refused(0x15), WALL_US) == "done" and order.heard(Heard("NACK", None, None), 0) == "done"
    )
    assert order.result is result and order.reason is None
    order = asked(ADD)
    order.heard(counters(4), WALL_US)
    assert order.heard(counters(4), WALL_US) == "more"  # doubled, before the next exchange
    assert order.exchange(WALL_US).data[8] == 5
    fresh = orders.make(["reset"], METER)
    assert fresh.heard(ACK, WALL_US) == "more"  # nothing was asked yet


@pytest.mark.parametrize(
    "answer",
    (
        blocks(secured(5, b"", number=1)),
        blocks(secured(5, b"", key_id=0x20)),
        blocks(secured(5, b"", version=1)),
        blocks(secured(4, b"")),  # the former, identical one
        blocks(secured(6, b"")),
        blocks(secured(5, b"", protocol=4)),
        blocks(secured(5, b"", key=Key(bytes(16)))),
        blocks(status(0, key_id=0x26)),
        blocks(status(0, version=1)),
        blocks(status(0, number=3)),
        blocks(status(0), sts=2),
        counters(5),
        answered(0x72, sitp.build([status(0)])),
        answered(0x72, hexed("0C1300100000")),
        answered(0x72, b"\x2f"),
        answered(0xC5, b""),
        answered(0xC5, sitp.build([status(0)])[:-1]),
        ACK,
    ),
)
def test_answers_to_other_commands(answer):
    for words in (ADD, ["write", "volume", "1", "--secured"]):
        order = commanding(words=words)
        assert order.heard(answer, WALL_US) == "failed"
        assert "may have been executed" in order.reason


def test_the_answer_among_others():
    told = hexed("0C1300100000")
    order = commanding()
    answer = blocks(status(0, number=1), secured(5, told), status(0x19, number=2))
    assert order.heard(answer, WALL_US) == "done"
    assert order.result["records"][0]["mantissa"] == 1000


@pytest.mark.parametrize(
    "word, told, outcome",
    (
        ("close", "8140FD1F00", "done"),
        ("close", "8140FD1F01", "failed"),
        ("close", "8140FD1F02", "failed"),
        ("open", "8140FD1F01", "done"),
        ("open", "8140FD1F02", "done"),  # released, to be opened by hand
        ("open", "8140FD1F00", "failed"),
        ("release", "8140FD1F00", "failed"),
        ("close", "", "done"),  # an unspecific answer; it is not confirmed
        ("close", "01FD1F00", "done"),  # another valve
    ),
)
def test_a_valve_is_where_the_meter_says(word, told, outcome):
    order = asked(["valve", word])
    order.heard(counters(4, 0x20), WALL_US)
    order.exchange(WALL_US)
    order.heard(blocks(secured(5, hexed(told), key_id=0x20, key=Key(bytes([0x20] * 16)))), WALL_US)
    assert order.outcome == outcome
    assert outcome == "failed" or order.result["confirmed"] == told.startswith("81")


# --- nothing twice ---


def test_a_key_that_somebody_else_uses_proves_nothing():
    """The counter is behind ours: it may be ours and theirs, or theirs twice."""
    order = commanding(5)
    assert order.silence(WALL_US) == "more"
    order.exchange(WALL_US)
    assert order.heard(counters(6), WALL_US) == "failed" and "may have been executed" in order.reason
    # Under another version of the key counters begin anew.
    order = commanding(5)
    order.silence(WALL_US)
    order.exchange(WALL_US)
    assert order.heard(counters(0, version=1), WALL_US) == "failed"


def test_a_lost_command_keeps_its_counter():
    """A copy of the lost one, which comes late, is worth nothing then."""
    order = asked(ADD)
    order.heard(refused(0x11), WALL_US)  # no counters: the time
    first = order.exchange(WALL_US).data[8:12]
    order.silence(WALL_US)
    order.exchange(WALL_US)
    assert order.heard(counters(7), WALL_US) == "more"
    assert order.exchange(WALL_US).data[8:12] == first


def test_a_used_counter_is_not_replaced_where_twice_is_once_too_often():
    """Security error: the counter was used. By this very command, when an earlier copy has come through."""
    order = commanding(5)
    assert order.heard(blocks(status(sitp.SECURITY), sts=2), WALL_US) == "failed"
    assert "may have been executed" in order.reason and order.code == sitp.SECURITY
    order = commanding(5, ["write", "volume", "1", "--secured"])
    assert order.heard(blocks(status(sitp.SECURITY), sts=2), WALL_US) == "more"


def test_the_clock_is_not_moved_by_the_difference_behind_a_lost_answer():
    """TC 03 may have been executed; a parameter error to the second may be about the 60 s within 12 h."""
    order = asked(["clock-adjust"])
    order.heard(answered(0x72, hexed("066D 140000413100")), WALL_US)
    order.exchange(WALL_US)
    order.silence(WALL_US)
    order.exchange(WALL_US)
    assert order.heard(refused(0x15), WALL_US) == "failed"
    assert "told before" in order.reason


def test_a_cut_at_every_point_never_adds_twice():
    """Cut between any two of: stored, sent, executed, heard. Whatever the order says, the meter has added once at most."""
    for cut in range(8):
        meter_counter, executed = 4, 0
        order = orders.make(ADD, METER, KEYS)
        step = 0
        while order.outcome == "more" and step < 20:
            exchange = order.exchange(WALL_US)
            stored = json.loads(json.dumps(order.export()))
            if step != cut * 2:
                block = sitp.read(exchange.data)[0]
                if block.function == sitp.KEY_COUNTERS:
                    answer = counters(meter_counter)
                elif int.from_bytes(block.content[:4], "little") <= meter_counter:
                    answer = blocks(status(sitp.SECURITY), sts=2)
                else:
                    meter_counter = int.from_bytes(block.content[:4], "little")
                    executed += 1
                    answer = blocks(secured(meter_counter, hexed("0C1300100000")))
                if step != cut * 2 + 1:
                    order.heard(answer, WALL_US)
                    step += 1
                    continue
            order = orders.restore(stored, KEYS)
            step += 1
        assert order.outcome == "done" and executed == 1
        assert meter_counter == 5


# --- the time ---


@pytest.mark.parametrize("told", ("066D 140000413200", "066D 140000415101", "046D 00004131"))
def test_a_clock_that_is_away_by_more_than_a_zone_is_not_adjusted(told):
    """2026-01-01: a month, a year; type F of ten years ago."""
    order = asked(["clock-adjust"], WALL_US + 86400 * 3653 * 1000000)
    order.heard(answered(0x72, hexed(told)), WALL_US + 86400 * 3653 * 1000000)
    assert order.outcome == "failed" and "clock-set" in order.reason
    order = asked(["clock-adjust", "--zone", "+00:00"])
    order.heard(answered(0x72, hexed("066D 140000423100")), WALL_US)  # a day
    assert order.outcome == "failed" and "clock-set" in order.reason


@settings(max_examples=300)
@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=6, max_size=6), st.integers(0, 1 << 53))
def test_whatever_time_a_meter_tells(data, wall_us):
    for words in (["clock-read"], ["clock-adjust"], ["clock-adjust", "--zone", "-03:30"]):
        order = asked(words, wall_us)
        order.heard(answered(0x72, bytes((len(data), 0x6D)) + data), wall_us)
        if order.outcome == "more":
            assert order.exchange(wall_us).data[0] == 3


@pytest.mark.parametrize("wall_us", (0, 1 << 60, 978307199, None))
def test_a_wall_clock_that_is_wrong(wall_us):
    for words in (["valve", "open"], ["clock-set"], ["clock-adjust"]):
        order = asked(words, wall_us)
        for _ in range(4):
            if order.outcome != "more" or order.exchange(wall_us) is None:
                break
            order.heard(refused(0x11), wall_us)
        assert order.outcome == "failed"


def test_only_the_present_time_is_the_time():
    order = asked(["clock-read"])
    assert order.heard(answered(0x72, hexed("146D 00004131")), WALL_US) == "failed"  # maximum


# --- anything at all ---


ANSWERS = st.one_of(
    st.builds(Heard, st.just("ACK"), st.none() | st.integers(0, 255), st.none()),
    st.just(Heard("NACK", None, None)),
    st.builds(refused, st.integers(0, 255)),
    st.builds(counters, st.integers(0, 0xFFFFFFFF), st.sampled_from([0x20, 0x22, 0x27]), st.integers(0, 2)),
    st.builds(
        whatever,
        st.sampled_from([0x72, 0x75, 0xC5, 0x6F, 0x67, 0xC2, 0x8B]),
        st.binary(max_size=60),
        st.integers(0, 255),
    ),
)


@settings(max_examples=300)
@given(
    st.sampled_from(
        [
            ["read", "volume"],
            ["read"],
            ["write", "volume", "1"],
            ADD,
            ["valve", "open"],
            ["clock-set"],
            ["clock-read"],
        ]
        + [
            ["clock-adjust"],
            ["clock-adjust", "5"],
            ["clock-adjust", "5", "--secured"],
            ["status"],
            ["alarm"],
            ["reset"],
        ]
        + [["key-change"], ["key-change", "20"]]
    ),
    st.lists(ANSWERS | st.none(), max_size=8),
)
def test_anything_a_meter_answers(words, answers):
    """None: silence. An order ends or goes on, in bounded room, and its store brings it back as it is."""
    keys = {
        (number, version): Key(bytes([number, version] * 8))
        for number in (0x20, 0x21, 0x22, 0x27)
        for version in (0, 1)
    }
    keys.update({(0, 0): MASTER, (0, 1): Key(bytes(16)), (0x12, 0): WRAPPER, (0x14, 0): WRAPPER})
    active = key_store(keys)
    order = orders.make(
        words + (["1"] if words == ["key-change", "20"] else []),
        METER,
        lambda key_id, version=None: active(key_id, 0 if version is None else version),
    )
    for answer in answers:
        if order.outcome != "more" or order.exchange(WALL_US) is None:
            break
        if answer is None:
            order.silence(WALL_US)
        else:
            order.heard(answer, WALL_US)
        assert len(json.dumps(order.export())) < 4000
        again = orders.restore(json.loads(json.dumps(order.export())), order.keys)
        assert (again.outcome, again.export()) == (order.outcome, order.export())
    assert (order.outcome == "done") == (order.result is not None)
    assert (order.outcome == "failed") == (order.reason is not None)


# --- stores ---


@pytest.mark.parametrize(
    "words",
    (
        ["read", "volume"],
        ["write", "volume", "1"],
        ADD,
        ["clock-adjust"],
        ["clock-set"],
        ["select", "7"],
        ["key-change"],
    ),
)
def test_a_damaged_store_is_told_when_it_is_read(words):
    keys = {(0, 0): MASTER, (0, 1): Key(bytes(16)), (0x12, 0): WRAPPER, (0x22, 0): MASTER, (0x27, 0): MASTER}
    active = key_store(keys)

    def found(key_id, version=None):
        return active(key_id, 0 if version is None else version)

    stored = orders.make(words, METER, found).export()
    for name in stored["state"]:
        if name in (
            "zone_s",
            "at_us",
            "seconds",
            "old",
            "rounds",
        ):  # None is one of their values, or they are counted only
            continue
        for damage in ("gone", None, -1, "zz", [7], {}):
            state = dict(stored["state"])
            if damage == "gone":
                del state[name]
            else:
                state[name] = damage
            try:
                order = orders.restore(dict(stored, state=state), found)
            except StoreError:
                continue
            order.exchange(WALL_US)  # what was taken can be gone on with


def test_a_key_that_is_gone_ends_the_order():
    stored = commanding(5).export()
    stored["state"]["asked"] = False
    order = orders.restore(stored, key_store({}))
    assert order.exchange(WALL_US) is None and order.outcome == "failed" and "key" in order.reason
    order = commanding(5)
    order.keys = key_store({})
    assert order.heard(blocks(secured(5, b"")), WALL_US) == "failed"
