"""The meter role: timing, access numbers, state, and telegrams as the standard's examples have them."""

import pytest
from omsnode.firmware.application import record
from omsnode.firmware.application.fields import SIZES
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import DutyCycleError, MisuseError
from omsnode.firmware.link import frame_a
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.deframer import Deframer
from omsnode.firmware.roles import meter
from omsnode.firmware.roles.actions import REFUSED, Persist
from omsnode.firmware.roles.meter import CLOCK, Meter, Profile, Register, interval_us
from omsnode.firmware.security.keys import Key

ADDRESS = Address.parse("12345678.M=KAM.V=1b.T=16")
VOLUME = Register(b"\x04", b"\x13", 6408, 1500000)
ENTROPY = bytes((41, 0, 0, 0, 0))


def slots(role, n, now_us=0):
    """The next n transmissions, as a node would fetch them."""
    out = []
    for _ in range(n):
        now_us = role.due_us
        out.append(role.tick(now_us))
    return out


@pytest.mark.parametrize(
    "number, seconds",  # link sheet 8.5, t_NOM = 900 s
    [
        (0, 928.125),
        (1, 927.686),
        (255, 927.686),
        (64, 900),
        (192, 900),
        (127, 872.314),
        (129, 872.314),
        (128, 871.875),
    ],
)
def test_interval_formula(number, seconds):
    assert interval_us(900 * 10**6, number) == pytest.approx(seconds * 10**6, abs=600)


def test_slots_follow_the_formula_for_a_whole_turn():
    role = Meter(Profile(ADDRESS, [VOLUME], nominal_us=8 * 10**6), ENTROPY)
    role.start(0)
    sent = [actions[-1] for actions in slots(role, 257)]
    for before, after in zip(sent, sent[1:], strict=False):
        assert after.telegram[11] == (before.telegram[11] + 1) % 256
        assert after.at_us - before.at_us == interval_us(8 * 10**6, before.telegram[11])


def test_first_slot_is_random_within_one_interval():
    profile = Profile(ADDRESS, [VOLUME], nominal_us=10**7)
    seen = set()
    for byte in range(256):
        role = Meter(profile, bytes((0, byte, 17 * byte & 255, 3, 4)))
        assert role.due_us is None
        role.start(500)
        assert 500 <= role.due_us < 500 + 10**7
        seen.add(role.due_us)
    assert len(seen) > 250


def test_nothing_happens_before_it_is_due():
    role = Meter(Profile(ADDRESS, [VOLUME]), ENTROPY)
    assert role.tick(0) == []
    role.start(0)
    assert role.tick(role.due_us - 1) == []


def test_state_is_handed_out_before_the_telegram_once_per_block():
    profile = Profile(ADDRESS, [VOLUME], key=Key(bytes(16)), security_mode=5)
    role = Meter(profile, ENTROPY)
    role.start(0)
    sent = slots(role, 129)
    assert [index for index, actions in enumerate(sent) if isinstance(actions[0], Persist)] == [0, 64, 128]
    persist, transmit = sent[0]
    assert transmit.telegram[11] == 42 and persist.state["access_number"] == 105
    # A restart never uses a number of the block again, and no register goes back.
    again = Meter(profile, bytes((200, 1, 2, 3, 4)), persist.state)
    again.start(0)
    first, last = record_value(again.tick(again.due_us)[-1]), record_value(sent[63][-1])
    assert again.access_number == 106 and first > last


def record_value(transmit):
    telegram = decode(transmit.telegram, lambda address, *which: Key(bytes(16)))
    return telegram.records[0].mantissa


def test_an_orderly_end_loses_no_number():
    profile = Profile(ADDRESS, [VOLUME], key=Key(bytes(16)), security_mode=5)
    role = Meter(profile, ENTROPY)
    role.start(0)
    slots(role, 3)
    (persist,) = role.stop()
    again = Meter(profile, bytes((200, 1, 2, 3, 4)), persist.state)
    again.start(0)
    uninterrupted, restarted = slots(role, 1)[0], slots(again, 1)[0]
    assert restarted[0].state == uninterrupted[0].state
    assert restarted[1].telegram == uninterrupted[1].telegram and restarted[1].telegram[11] == 45


def test_a_write_that_failed_is_made_again():
    role = Meter(Profile(ADDRESS, [VOLUME]), ENTROPY)
    role.start(0)
    slots(role, 1)
    role.feed(radio.Event(REFUSED, 0, code="persist"), 0)
    assert isinstance(slots(role, 1)[0][0], Persist)


@pytest.mark.parametrize("mode", [7, 10])
def test_profiles_b_and_d(mode):
    key = Key.from_hex("000102030405060708090A0B0C0D0E0F")
    profile = Profile(ADDRESS, [VOLUME], key=key, security_mode=mode, mode="C1", with_ell=True)
    role = Meter(profile, ENTROPY)
    role.start(0)
    counters = []
    for actions in slots(role, 70):
        telegram = decode(actions[-1].telegram, lambda address, *which: key)
        assert (telegram.verdict, telegram.records[0].unit) == ("authenticated", "m3")
        counters.append(telegram.counter)
    assert counters == list(range(1, 71))
    again = Meter(profile, ENTROPY, {"message_counter": 128})
    again.start(0)
    assert decode(slots(again, 1)[0][-1].telegram, lambda address, *which: key).counter == 129


def test_the_message_counter_ends_and_does_not_wrap():
    profile = Profile(ADDRESS, [VOLUME], key=Key(bytes(16)), security_mode=7)
    role = Meter(profile, ENTROPY, {"message_counter": 0xFFFFFFFD})
    role.start(0)
    sent = [actions for actions in slots(role, 5) if actions]
    assert len(sent) == 2 and role.counters["exhausted"] == 3
    assert sent[0][0].state["message_counter"] == 0xFFFFFFFF
    assert role.message_counter.value == 0xFFFFFFFF


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"access_number": "x"},
        {"access_number": 1.5},
        {"values": [1, 2, 3]},
        {"values": 7},
        {"values": ["a"]},
        {"values": [None]},
        {"values": [float("inf")]},
        {"values": [[]]},
        {"message_counter": -1},
        {"message_counter": 1 << 32},
    ],
)
def test_state_that_does_not_fit_is_not_used(state):
    role = Meter(Profile(ADDRESS, [VOLUME]), ENTROPY, state)
    assert role.telegram() == Meter(Profile(ADDRESS, [VOLUME]), ENTROPY).telegram()


def test_register_grows_and_keeps_its_fractions():
    role = Meter(Profile(ADDRESS, [VOLUME], nominal_us=10**6), ENTROPY)
    role.start(0)
    values = [int.from_bytes(actions[-1].telegram[17:21], "little") for actions in slots(role, 5)]
    assert values == [6408, 6409, 6411, 6412, 6414]


@pytest.mark.parametrize("dib", [0x01, 0x02, 0x04, 0x09, 0x0A, 0x0C])
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("start, step", [(0, 3), (0, -3), (5, -1), (-5, 2), (10**30, 1), (-(10**30), -1)])
def test_a_register_that_leaves_its_field_begins_again(dib, unsigned, start, step):
    """A meter in the field must not stop for it, and a restart would not help: the value is stored."""
    field = SIZES[dib]
    vif = 0x7A if unsigned else 0x13  # bus address is of type C, volume of type B
    register = Register(bytes((dib,)), bytes((vif,)), start, step * 10**6, unsigned)
    role = Meter(Profile(ADDRESS, [register], nominal_us=10**6), ENTROPY)
    role.start(0)
    for actions in slots(role, 400):
        data = actions[-1].telegram[17:]
        assert len(data) == field
        value = record.decode(bytes((dib, vif)) + data)[0][0]
        assert value.flag is None


def test_telegram_in_the_clear():
    role = Meter(Profile(ADDRESS, [VOLUME], status=4), ENTROPY)
    # L C M A | CI ACC STS CF (S = 1) | DIF VIF data
    assert role.telegram().hex() == "14442d2c785634121b167a29040020041308190000"


def test_ell_takes_the_synchronous_bit_over():
    role = Meter(Profile(ADDRESS, [VOLUME], mode="C1", with_ell=True), ENTROPY)
    # security sheet 4.1: the copy in the configuration field is 0
    assert role.telegram().hex() == "17442d2c785634121b168c20297a29000000041308190000"


def test_long_header_names_the_meter_behind_the_adapter():
    adapter = Address.parse("00000001.M=OMS.V=01.T=37")
    role = Meter(Profile(adapter, [VOLUME], header="long", meter_address=ADDRESS), ENTROPY)
    assert role.telegram()[10:23].hex() == "72785634122d2c1b1629000020"


def test_clock_records_are_left_out_while_the_time_is_unknown():
    stamp = Register(b"\x04", b"\x6d", CLOCK)
    role = Meter(Profile(ADDRESS, [stamp, VOLUME]), ENTROPY)
    assert role.telegram() == Meter(Profile(ADDRESS, [VOLUME]), ENTROPY).telegram()
    # 2008-05-31 23:50 UTC: application sheet 3.2 has it as 32 37 1F 15 with H = 1
    seconds = 1212277800
    assert role.telegram(seconds * 10**6)[15:21].hex() == "046d32371f15"


def test_clear_part_stands_behind_the_encrypted_blocks():
    registers = [VOLUME, Register(b"\x02", b"\xfd\x17", b"\x00\x00")]
    profile = Profile(ADDRESS, registers, key=Key(bytes(range(16))), security_mode=5, clear_from=1)
    telegram = Meter(profile, ENTROPY).telegram()
    assert telegram[13:15] == b"\x10\x25"  # N = 1, mode 5, S
    assert len(telegram) == 15 + 16 + 5 and telegram.endswith(b"\x02\xfd\x17\x00\x00")
    assert b"\x04\x13" not in telegram[15:31]


def test_what_does_not_fit_is_refused():
    with pytest.raises(MisuseError):
        Profile(ADDRESS, [], security_mode=5)
    with pytest.raises(MisuseError):
        Profile(ADDRESS, [], security_mode=7)
    with pytest.raises(MisuseError):
        Profile(ADDRESS, [], mode="T1", frame_format="B")
    with pytest.raises(MisuseError):
        Meter(Profile(ADDRESS, [VOLUME] * 41), ENTROPY).telegram()


def test_chips_are_the_frame_of_the_telegram():
    role = Meter(Profile(ADDRESS, [VOLUME], key=Key(bytes(16)), security_mode=5), ENTROPY)
    role.start(0)
    transmit = slots(role, 1)[0][-1]
    assert (transmit.mode, transmit.direction) == ("T1", modes.UP)
    deframer = Deframer("T")
    assert deframer.feed(transmit.chips[6:]) == 0  # 38 chips of preamble and 10 of sync are 6 bytes
    assert frame_a.strip(deframer.frame) == transmit.telegram


def test_a_slot_that_cannot_be_used_does_not_move_the_others():
    role = Meter(Profile(ADDRESS, [VOLUME], nominal_us=10**7), ENTROPY)
    role.start(0)
    first = slots(role, 1)[0][-1]
    due_us = role.due_us
    role.feed(radio.Event(REFUSED, 10**9, error=DutyCycleError("", 10**9), code="duty_cycle"), first.at_us)
    role.feed(radio.Event(radio.TOO_LATE, first.at_us), first.at_us)
    role.feed(radio.Event(radio.SENT, first.at_us, first.at_us + 5000), first.at_us)
    assert role.due_us == due_us
    assert role.counters == {"sent": 1, "too_late": 1, "refused.duty_cycle": 1}


def test_after_a_long_sleep_the_missed_slots_are_spent_not_sent():
    role = Meter(Profile(ADDRESS, [VOLUME], nominal_us=10**7), ENTROPY)
    role.start(0)
    late_us = 10**9
    persist, transmit = role.tick(late_us)
    assert late_us <= transmit.at_us < late_us + 11 * 10**6
    assert role.counters["skipped"] in range(90, 110)
    assert transmit.telegram[11] == (41 + 1 + role.counters["skipped"]) % 256
    assert meter.LEAD_US > 0
