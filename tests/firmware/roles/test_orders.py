"""Every order against the meter's application, and what becomes of each when the answer is another one, an error, or lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import clock, error_codes
from omsnode.firmware.application.commands import Register
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.device import CLOCK
from omsnode.firmware.roles.orders import Exchange, Heard
from omsnode.firmware.security.keys import Key
from support_orders import (
    METER,
    WALL_US,
    Meter,
    S,
    answered,
    carry,
    done,
    failed,
    key_store,
    message,
    refused,
)

APPLICATION_KEYS = {
    (number, 0): Key(bytes([number] * 16)) for number in (0x20, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27)
}
KEYS = key_store(APPLICATION_KEYS)


def meter(clock_s=None, keys=APPLICATION_KEYS, **more):
    registers = [
        Register(b"\x0c", b"\x13", 12345678, ("set", "add", "sub")),  # VM1! in litres
        Register(b"\x04", b"\x6d", CLOCK),
        Register(b"\x02", b"\xfd\x17", 0x0004, ("not",), 0x24),  # MM2!
        Register(b"\x01", b"\xfd\x1f", 1, ("set",), 0x20),  # DC1!
        Register(b"\x01", b"\xfd\x1a", 1),  # DC2!
        Register(b"\x42", b"\xec\x7e", bytes((0x3F, 0x1C)), ("set",), 0x26),  # DT2!N
        Register(b"\x4c", b"\x13", 1000),
        Register(b"\x01", b"\xfd\xfd\x00", 0, ("set",), 0x25),  # MM6!
        Register(b"\x0d", b"\xfd\x11", b"\x02BA", ("set",)),
    ]
    applications = {0: ((),), 7: ((6,), (8,)), 17: ((0, 6),)}
    valve = more.pop("valve", "direct")
    return Meter(registers, keys, 1, applications=applications, valve=(valve, 3, 4), clock_s=clock_s, **more)


def value(result):
    (record,) = result["records"]
    return record["mantissa"], record["exponent"], record["unit"]


def test_read():
    assert done(["read"], meter())["records"] == []
    result = done(["read", "volume", "VM1!D"], meter())
    assert [one["data"] for one in result["records"]] == ["78563412", "00100000"]
    assert done(["read", "volume@1", "01:FD1F"], meter())["missing"] == []
    assert value(done(["read", "0C:13"], meter())) == (12345678, -3, "m3")
    one = meter()
    assert "data unavailable" in failed(["read", "power"], one)
    assert one.exchanges == [Exchange("SND-UD2", 0x5B, b"\x00\xa8\x0f")]


def test_read_uses_what_was_heard():
    known = message(0x72, bytes.fromhex("8240133412 440612345678")).records
    order = orders.make(["read", "volume"], METER, None, known)
    assert order.exchange(0).data == bytes.fromhex("8040930F")
    order = orders.make(["read", "energy@1"], METER, None, known)
    assert order.exchange(0).data == bytes.fromhex("40860F")


def test_what_was_not_asked_for_is_no_answer():
    order = orders.make(["read", "volume"], METER)
    order.exchange(0)
    assert order.heard(answered(0x72, bytes.fromhex("04062A000000")), 0) == "failed"
    order = orders.make(["read", "volume", "energy"], METER)
    order.exchange(0)
    assert order.heard(answered(0x72, bytes.fromhex("04062A000000")), 0) == "done"
    assert order.result["missing"] == ["volume"] and value(order.result) == (42, 3, "Wh")


@pytest.mark.parametrize(
    "words, value_after",
    (
        (["write", "volume", "12.345"], 12345),
        (["write", "VM1!", "7"], 7000),
        (["write", "0C:13", "0.001"], 1),
        (["add", "volume", "1.5"], 12347178),
        (["sub", "volume", "0.678"], 12345000),
    ),
)
def test_write(words, value_after):
    one = meter()
    result = done(words, one)
    assert one.device.registers[0].value == one.values[0] == value_after
    assert result["confirmed"] and value(result) == (value_after, -3, "m3")


def test_write_text_and_date():
    one = meter()
    done(["write", "0D:FD11", "Keller 3"], one)
    assert one.device.registers[8].value == b"\x08" + bytes(reversed(b"Keller 3"))
    done(["write", "DT2!N", "2026-12-31", "--secured"], one, KEYS)
    assert one.device.registers[5].value.hex() == "5f3c"
    assert "security method too weak" in failed(["write", "DT2!N", "2027-12-31"], one, KEYS)
    assert "(status 22h)" in failed(["write", "DT2!N", "2027-12-31", "--secured", "27"], one, KEYS)
    assert one.device.registers[5].value.hex() == "5f3c"


@pytest.mark.parametrize(
    "words, data",
    (
        # application.json cmd-* and UC-06, UC-14 (OMS Vol.2 Annex B Tables B.3, B.4, Annex M)
        (["not", "02:FD17", "4"], "02FD97060400"),
        (["clear", "MM3!"], "00FD979D07"),
        (["write", "01:FDFD00", "0x70"], "01FDFD800070"),
        (["write", "42:EC7E", "2009-12-31"], "42ECFE003F1C"),
        (["write", "DT2!N", "2009-12-31"], "42ECFE003F1C"),
        (["add", "0A:13", "0.367"], "0A93016703"),
        (["write", "07:79", "0x785634123A630A07"], "07F900785634123A630A07"),
        (["write", "0B:FD11", "123456"], "0BFD9100563412"),
        (["write", "04:06", "120000"], "04860078000000"),
        (["write", "01:FD1F", "0"], "01FD1F00"),
        (["read", "DT2!D"], "40EC0F"),
        (["read", "DT2!N"], "40ECFE0F"),
        (["read", "00:FD11"], "00FD910F"),
    ),
)
def test_published_commands(words, data):
    order = orders.make(words, METER, KEYS)
    assert order.exchange(0).data.hex().upper() == data


def test_what_needs_which_key():
    one = meter()
    done(["not", "02:FD17", "4", "--secured"], one, KEYS)
    assert one.device.registers[2].value == 0
    assert done(["write", "01:FDFD00", "0x70", "--secured"], one, KEYS)["confirmed"]
    assert [record["storage"] for record in done(["read"], one)["records"]] == [1]
    for words, key_id in (
        (["write", "01:FD1F", "0"], 0x20),
        (["clear", "MM3!"], 0x24),
        (["write", "01:FDFD00", "0x70"], 0x25),
        (["write", "DT2!N", "2027-12-31"], 0x26),
        (["write", "0B:FD11", "1"], 0x26),
        (["write", "07:79", "0x785634123A630A07"], 0x27),
        (["add", "VM1!", "1"], 0x27),
    ):
        assert orders.make(words + ["--secured"], METER, KEYS).state["key_id"] == key_id


def test_a_value_that_the_meter_does_not_take():
    one = meter()
    assert "application error 15h" in failed(["write", "volume", "0.0001"], one)  # finer than it counts
    assert "application error 15h" in failed(
        ["sub", "volume", "99999.999"], one
    )  # needs more than its digits
    assert "application error 11h" in failed(["clear", "volume"], one)
    assert one.values == [12345678]


def test_write_that_is_answered_with_something_else_is_not_confirmed():
    order = orders.make(["write", "volume", "1"], METER)
    order.exchange(0)
    assert order.heard(answered(0x72, b"\x2f"), 0) == "done" and order.result["confirmed"] is False
    order = orders.make(["write", "volume", "1"], METER)
    order.exchange(0)
    order.heard(answered(0x72, bytes.fromhex("0C1300200000")), 0)
    assert order.result["confirmed"] is False and value(order.result) == (2000, -3, "m3")


@pytest.mark.parametrize(
    "kind, command, before, after, physical",
    (
        ("direct", "close", 1, 0, 0),
        ("direct", "open", 0, 1, 1),
        ("direct", "release", 1, None, 1),
        ("manual", "open", 0, 2, 0),
        ("manual", "release", 0, 2, 0),
        ("manual", "release", 1, 1, 1),
        ("manual", "open", 2, 2, 0),
        ("manual", "close", 2, 0, 0),
    ),
)
def test_valve(kind, command, before, after, physical):
    one = meter(valve=kind)
    one.device.registers[3].value, one.device.registers[4].value = before, before == 1
    if after is None:
        assert "status 15h" in failed(["valve", command], one, KEYS)
        after = before
    else:
        result = done(["valve", command], one, KEYS)
        assert (result["state"], result["physical"]) == (after, physical)
    assert one.device.registers[3].value == after and one.device.registers[4].value == physical
    assert one.device.by_hand() == (after == 2)
    if after == 2:
        assert (one.device.registers[3].value, one.device.registers[4].value) == (1, 1)


def test_a_valve_in_a_meter_is_its_subunit_1():
    """UC-03, unless it was heard to be another; without a word about it both are tried, and only one is moved."""
    by_itself = Address.parse("12345678.M=XYZ.V=55.T=20")
    for address, dib in ((METER, b"\x81\x40"), (by_itself, b"\x01")):
        one = Meter(
            [Register(dib, b"\xfd\x1f", 1, ("set",), 0x20)], APPLICATION_KEYS, 1, valve=("direct", 0, None)
        )
        assert done(["valve", "close"], one, KEYS, address=address)["state"] == 0
        assert one.values == [0] and len(one.exchanges) == 2
        other = b"\x01" if dib == b"\x81\x40" else b"\x81\x40"
        one = Meter(
            [Register(other, b"\xfd\x1f", 1, ("set",), 0x20)], APPLICATION_KEYS, 1, valve=("direct", 0, None)
        )
        assert done(["valve", "close"], one, KEYS, address=address)["state"] == 0 and one.values == [0]
    assert "(status 11h)" in failed(["valve", "close"], Meter([], APPLICATION_KEYS), KEYS)


def test_valve_only_in_a_container():
    one = meter()
    assert "security method too weak" in failed(["write", "01:FD1F", "0"], one)
    assert one.device.registers[3].value == 1
    with pytest.raises(MisuseError) as caught:
        orders.make(["valve", "open"], METER, key_store({}))
    assert "KeyID 20" in caught.value.message and "key store" in caught.value.hint


def test_the_meter_has_not_our_key():
    reason = failed(["valve", "open"], meter(keys={}), KEYS)
    assert reason == "the meter has no key with KeyID 20"
    other = dict(APPLICATION_KEYS)
    other[(0x20, 0)] = Key(bytes(16))
    assert "security error (status 20h)" in failed(["valve", "close"], meter(keys=other), KEYS)


def test_somebody_else_used_the_key_meanwhile():
    """Its counter is asked for once more, once."""
    one = meter()
    order = orders.make(["valve", "close"], METER, KEYS)
    order.heard(one.answer(order.exchange(0)), 0)
    done(["valve", "close"], one, KEYS)
    assert order.heard(one.answer(order.exchange(0)), 0) == "more"
    assert carry(order, one).outcome == "done"


def test_secured_add_is_never_repeated_blindly():
    """The answer is lost: the key counter tells whether it was executed."""
    for lost in ("command", "answer"):
        one = meter()
        one.device.registers[0].secured = 0x27
        order = orders.make(["add", "volume", "1", "--secured"], METER, KEYS)
        order.heard(one.answer(order.exchange(0)), 0)
        exchange = order.exchange(0)
        if lost == "answer":
            one.answer(exchange)
        assert order.once and order.silence(0) == "more"
        last = carry(order, one)
        assert last.outcome == "done" and one.values == [12346678]
        assert last.result["confirmed"] == (lost == "command")


def test_plain_add_fails_when_nobody_knows():
    order = orders.make(["add", "volume", "1"], METER)
    order.exchange(0)
    stored = json.loads(json.dumps(order.export()))
    assert order.silence(0) == "failed" and "may have been executed or not" in order.reason
    # A power cut in the middle is the same.
    assert orders.restore(stored).outcome == "failed"
    # Before it, nothing has been sent.
    fresh = orders.restore(orders.make(["add", "volume", "1"], METER).export())
    assert fresh.outcome == "more" and fresh.silence(0) == "more"


@pytest.mark.parametrize(
    "words", (["read"], ["write", "volume", "1"], ["clock-read"], ["reset"], ["alarm"], ["status"])
)
def test_the_others_are_asked_again(words):
    order = orders.make(words, METER)
    first = order.exchange(WALL_US)
    assert not order.once and order.silence(WALL_US) == "more"
    assert order.exchange(WALL_US) == first
    assert orders.restore(order.export()).exchange(WALL_US) == first


def test_clock_read():
    result = done(["clock-read"], meter(clock_s=1767229200))
    assert result["time"] == "2026-01-01T01:00" and result["ours_ms"] == (WALL_US + 15 * S) // 1000
    assert "data unavailable" in failed(["clock-read"], Meter([Register(b"\x04", b"\x13", 0)]))


def test_clock_set():
    one = meter(clock_s=0)
    result = done(["clock-set", "--zone", "+01:00"], one, KEYS)
    assert one.device.clock_us(one.now_us) == WALL_US + one.now_us + 3600 * S
    assert result["time"] == "2026-01-01T01:00:15"
    result = done(["clock-set", "2030-02-28T23:59:30"], one, KEYS)
    assert result["time"] == "2030-02-28T23:59:30"
    with pytest.raises(MisuseError) as caught:
        orders.make(["clock-set"], METER, key_store({}))
    assert "KeyID 22" in caught.value.message and caught.value.hint
    with pytest.raises(MisuseError):
        orders.make(["clock-set", "yesterday"], METER, KEYS)
    with pytest.raises(MisuseError):
        orders.make(["clock-set", "2026-13-01T00:00:00"], METER, KEYS)
    gateway_only = meter(clock_s=0, clock_allowed=clock.GATEWAY)
    assert "security method too weak (status 22h)" in failed(["clock-set"], gateway_only, KEYS)
    assert "not known" in _without_time(["clock-set"], meter())


def _without_time(words, one):
    order = orders.make(words, METER, KEYS)
    while order.outcome == "more":
        exchange = order.exchange(None)
        if exchange is None:
            break
        order.heard(one.answer(exchange, order.wants), None)
    return order.reason


def test_clock_adjust_by_seconds():
    one = meter(clock_s=1767225600)
    assert done(["clock-adjust", "+5"], one)["seconds"] == 5
    assert one.exchanges[-1] == ("SND-UD", 0x6C, bytes.fromhex("01050000000000000000 2F2F2F2F"))
    assert one.device.clock.adjust_s == 5
    assert "not yet finished (application error 10h)" in failed(["clock-adjust", "-5"], one)
    assert "up to 60 s" in failed(["clock-adjust", "61"], meter(clock_s=0))
    order = orders.make(["clock-adjust", "-30"], METER)
    assert order.exchange(0).data[:4].hex() == "021e0000" and order.once and not order.wants
    assert order.silence(0) == "failed"
    for word in ("0", "86400", "soon"):
        with pytest.raises(MisuseError):
            orders.make(["clock-adjust", word], METER)
    head_end = meter(clock_s=0, clock_allowed=clock.HEAD_END)  # UC-04c
    assert "security method too weak" in failed(["clock-adjust", "5"], head_end)


def test_clock_adjust_of_the_head_end():
    """UC-04c: the gateway may not, the head-end may, and never twice."""
    one = meter(clock_s=0, clock_allowed=clock.HEAD_END)
    order = orders.make(["clock-adjust", "+20", "--secured"], METER, KEYS)
    order.heard(one.answer(order.exchange(0)), 0)
    exchange = order.exchange(0)
    assert exchange.data[17:22].hex() == "0401140000"  # protocol 04, TC 01, type J
    one.answer(exchange)
    assert order.silence(0) == "more"
    last = carry(order, one)
    assert last.outcome == "done" and last.result["executed"] == "key counter"
    assert one.device.clock.adjust_s == 20
    assert "not yet finished (status 10h)" in failed(["clock-adjust", "5", "--secured"], one, KEYS)
    for words in (["clock-adjust", "--secured"], ["clock-adjust", "x", "--secured"]):
        with pytest.raises(MisuseError):
            orders.make(words, METER, KEYS)
    assert done(["clock-adjust", "-7", "--secured"], meter(clock_s=0), KEYS)["seconds"] == -7


@pytest.mark.parametrize("ahead_s, zone", ((-31, 0), (3600 + 25, 3600), (-5400 - 61, -5400), (200, 0)))
def test_clock_adjust_to_our_time(ahead_s, zone):
    """The meter tells whole minutes; its zone is found, and it moves by 60 s at most."""
    one = meter(clock_s=1767225600 + 10 + ahead_s)
    result = done(["clock-adjust"], one)
    assert result["zone_s"] == zone
    assert abs(result["difference_s"] - (ahead_s - zone)) <= 30
    moved = max(-60, min(60, zone - ahead_s))
    assert one.device.clock.adjust_s == moved
    # Asked again because the answer was lost, it is refused, and nothing has happened twice.
    order = orders.make(["clock-adjust", "--zone", "+00:00"], METER)
    order.heard(one.answer(order.exchange(0)), one.wall_us())
    order.exchange(one.wall_us())
    order.silence(0)
    assert order.heard(one.answer(order.exchange(one.wall_us())), one.wall_us()) == "failed"
    assert "no answer heard" in order.reason and one.device.clock.adjust_s == moved


def test_clock_adjust_of_a_meter_that_does_not_know_the_time_of_day():
    order = orders.make(["clock-adjust"], METER)
    order.exchange(WALL_US)
    # 2026-01-01T00:00:20, type I
    order.heard(answered(0x72, bytes.fromhex("066D 140000413100")), WALL_US)
    assert order.state["difference_s"] == 20
    assert order.exchange(WALL_US).data[0] == 3 and not order.once
    assert order.heard(refused(0x11), WALL_US) == "more"
    exchange = order.exchange(WALL_US)
    assert exchange.data[:4].hex() == "02140000" and order.once
    assert order.heard(Heard("ACK", 0, None), WALL_US) == "done" and order.result["seconds"] == -20


def test_reset_and_select():
    one = meter()
    assert done(["select", "fixed", "network", "readout"], one)["application"] == 17
    assert one.exchanges[-1] == ("SND-UD", 0x53, bytes.fromhex("F020"))
    assert [record["storage"] for record in done(["read"], one)["records"]] == [0, 1]
    assert done(["select", "7", "1"], one)["name"] == "static content"
    assert done(["read"], one)["records"][0]["quantity"] == "customer"
    assert one.device.registers[7].value == 0x71
    done(["select", "static content", "9"], one)  # no such block: the first
    assert done(["read"], one)["records"][0]["storage"] == 1
    done(["select", "calibration"], one)  # not offered: as a reset
    assert done(["read"], one)["records"] == []
    done(["select", "17"], one)
    done(["reset"], one)
    assert done(["read"], one)["records"] == []
    with pytest.raises(MisuseError) as caught:
        orders.make(["select", "everything"], METER)
    assert "enhanced billing" in caught.value.hint


def test_read_behind_a_secured_command():
    """A REQ-UD2 changes nothing: its answer is that of the command once more."""
    one = meter()
    one.response = bytes.fromhex("0C1378563412")
    order = orders.make(["read"], METER)
    order.exchange(0)
    assert order.heard(answered(0xC5, bytes.fromhex("07000080002220 0000".replace(" ", ""))), 0) == "more"
    assert order.exchange(0) == ("SND-UD2", 0x53, b"")
    assert value(carry(order, one).result) == (12345678, -3, "m3")


def test_status():
    one = meter()
    one.response = bytes.fromhex("0C1378563412 02FD971D0300")
    result = done(["status"], one)
    assert result["flags"] == ["mechanical tamper", "battery low"] and len(one.exchanges) == 1
    done(["select", "7"], one)
    result = done(["status"], one)  # hidden by the selection: application reset
    assert result["flags"] == ["mechanical tamper", "battery low"]
    assert [exchange[:2] for exchange in one.exchanges[-2:]] == [("REQ-UD2", None), ("SND-UD2", 0x53)]


def test_alarm():
    one = meter()
    assert done(["alarm"], one) == {"status": 0, "alarm": None, "bits": [], "records": [], "unheard": 0}
    one.device.raise_alarm(0x05)
    assert one.device.status == 3
    order = orders.make(["alarm"], METER)
    order.exchange(0)
    order.silence(0)
    assert carry(order, one).result == {
        "status": 0,
        "alarm": "05",
        "bits": [0, 2],
        "records": [],
        "unheard": 1,
    }
    assert done(["alarm"], one)["alarm"] is None and one.device.status == 0


@pytest.mark.parametrize("code", sorted(error_codes.NAMES))
@pytest.mark.parametrize(
    "words", (["read", "volume"], ["write", "volume", "1"], ["reset"], ["clock-adjust", "5"])
)
def test_every_application_error_is_a_reason(words, code):
    order = orders.make(words, METER)
    order.exchange(0)
    assert order.heard(refused(code), 0) == "failed"
    assert order.code == code
    assert order.reason.startswith("{} (application error {:02X}h)".format(error_codes.NAMES[code], code))


@pytest.mark.parametrize("words", (["read"], ["add", "volume", "1"], ["select", "7"], ["alarm"]))
def test_nack_and_busy(words):
    order = orders.make(words, METER)
    order.exchange(0)
    assert order.heard(Heard("NACK", None, None), 0) == "failed" and "NACK" in order.reason
    order = orders.make(words, METER)
    order.exchange(0)
    assert order.heard(Heard("ACK", 1, None), 0) == "failed" and "busy" in order.reason


def test_a_meter_without_counters_gets_the_time():
    order = orders.make(["valve", "close"], METER, KEYS)
    order.exchange(WALL_US)
    assert order.heard(refused(0x11), WALL_US) == "more"
    assert orders.restore(order.export(), KEYS).exchange(WALL_US).data[8:12] == (1767225600).to_bytes(
        4, "little"
    )
    for code in (0x01, 0x20):
        order = orders.make(["valve", "close"], METER, KEYS)
        order.exchange(WALL_US)
        assert order.heard(refused(code), WALL_US) == "failed"


@pytest.mark.parametrize(
    "words",
    (
        [],
        ["open"],
        ["read", "nonsense"],
        ["read", "0C13:"],
        ["read", "8C:13"],
        ["read", "XX9!"],
        ["read", "volume@x"],
        ["write", "volume"],
        ["write", "volume", "1", "2"],
        ["clear", "volume", "1"],
        ["write", "volume", "abc"],
        ["write", "VM1!", "1e5"],
        ["valve"],
        ["valve", "explode"],
        ["write", "volume", "1", "--secured", "10"],
        ["clock-adjust", "5", "--zone", "east"],
        ["key-change", "10"],
        ["key-change"],
    ),
)
def test_words_that_are_no_order(words):
    with pytest.raises(MisuseError) as caught:
        orders.make(words, METER, KEYS)
    assert caught.value.message


@pytest.mark.parametrize(
    "change",
    (
        {"words": 7},
        {"words": ["x"]},
        {"meter": "00"},
        {"state": None},
        {"outcome": "perhaps"},
        {"words": None},
    ),
)
def test_a_damaged_order(change):
    stored = dict(orders.make(["read"], METER).export(), **change)
    with pytest.raises(StoreError):
        orders.restore(stored)
    with pytest.raises(StoreError):
        orders.restore({})


@given(
    words=st.sampled_from(
        [
            ["read"],
            ["read", "volume"],
            ["write", "volume", "1"],
            ["valve", "open"],
            ["clock-set"],
            ["clock-read"],
        ]
        + [["clock-adjust"], ["status"], ["alarm"], ["select", "7"], ["add", "volume", "1", "--secured"]]
    ),
    answers=st.lists(
        st.tuples(
            st.sampled_from([0x72, 0x6F, 0xC5, 0x75, 0x68, 0x8B]), st.binary(max_size=40), st.integers(0, 255)
        ),
        max_size=6,
    ),
)
def test_no_answer_raises_anything_but_our_errors(words, answers):
    from omsnode.firmware.application import telegram

    order = orders.make(words, METER, KEYS)
    for ci, data, status in answers:
        if order.outcome != "more" or order.exchange(WALL_US) is None:
            break
        found = telegram.decode_message(
            bytes((ci,)) + METER.tpl_bytes() + bytes((1, status, 0, 0)) + data, METER
        )
        order.heard(Heard("RSP-UD", status, found), WALL_US)
    json.dumps(order.export())
    assert order.outcome in ("more", "done", "failed")


def test_nothing_shows_a_key():
    for words in (["valve", "open"], ["clock-set"]):
        order = orders.make(words, METER, KEYS)
        order.exchange(0)
        text = json.dumps(order.export()) + repr(order)
        for number in (0x20, 0x22):
            assert bytes([number] * 16).hex() not in text.lower()
