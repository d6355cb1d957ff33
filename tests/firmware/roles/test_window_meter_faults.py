"""Bidirectional meter: what must not happen when storing fails, counters end, answers meet slots, or frames are not what they
should be. Each of these has gone wrong once."""

import pytest
from omsnode.firmware.application import commands
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import access as windows
from omsnode.firmware.link import extended
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import REFUSED, Transmit
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.window_meter import LIMITED, UNLIMITED
from omsnode.firmware.security.counters import LAST
from support_commands import GATEWAY, METER, Answer, Breaker, command, request
from support_walk import Walk
from support_window_meter import S, alarmed, ask, awake, cc_of, make, slots

MIDDLE = 12  # index of the access number in the ELL


def adding(**more):
    """A meter whose volume can be set; SET_7 sets it to 7."""
    device = Device([commands.Register(b"\x04", b"\x13", 6408, ("set",))])
    return make(device=device, **more), device


SET_7 = bytes.fromhex("041307000000")


def long_response():
    device = Breaker()
    device.response = lambda: b"".join([bytes((0x44, 0x13, i, 0, 0, 0)) for i in range(50)])
    return device


def next_fragment(number, c_field=0x5B):
    return link_telegram.build(c_field, GATEWAY, extended.build(0x84, number, METER))


# --- storing fails ---


def test_fragments_of_what_was_not_stored_are_not_sent():
    """Their message counter is used again: two messages under one key."""
    role = make(device=long_response())
    walk = awake(role)
    role._covered = 0
    walk.refuse = True
    assert walk.hear(request(0x30), walk.window())
    walk.until_sent()
    walk.refuse = False
    answer = ask(walk, next_fragment(0x31))
    link = link_telegram.parse(answer)
    # A new response from its beginning, and not the second fragment of the other one.
    assert answer[link.offset] == 0x90 and answer[link.offset + 2] == 1


def test_slot_that_cannot_be_stored_while_an_answer_is_armed():
    role = make(access=UNLIMITED)
    walk = awake(role)
    assert walk.hear(request(0x24), role._slot_us - 1315000)
    walk.run(role._slot_us - 303000)
    role._covered = 0
    walk.refuse = True
    assert walk.until_sent()[1] == 0x08
    assert role.access.state == windows.ALWAYS  # and not a cycle for an answer that was sent
    walk.run(role._slot_us - 4 * S)
    assert role.counters["refused.persist"] == 1
    walk.refuse = False
    walk.until_sent()
    assert len(walk.sent) == 3


@pytest.mark.parametrize("mode", ["S2", "T2"])
def test_repeated_answer_that_cannot_be_stored_undoes_nothing(mode):
    """The command was stored and acknowledged before; what fails is the write of the credits."""
    role, device = adding(mode=mode)
    walk = awake(role)
    told = command(SET_7, 2800, 0x50, 0x5B, 0x53)
    ack = ask(walk, told)
    assert device.registers[0].value == 7
    role.credits._stored = (role.credits.count + 100, 0)
    walk.refuse = True
    assert walk.hear(told, walk.window())
    assert device.registers[0].value == 7 and "rolled_back" not in role.counters
    walk.refuse = False
    assert walk.until_sent() == ack


def test_command_at_the_end_of_the_counter_that_cannot_be_stored():
    role, device = adding()
    walk = awake(role)
    walk.refuse = True
    assert walk.hear(command(SET_7, LAST, 0x50, 0x5B), walk.window())
    assert device.registers[0].value == 6408 and role.counters["rolled_back"] == 1
    assert role.message_counter.value < LAST


def test_slot_that_cannot_be_stored_closes_no_window():
    role = make()
    walk = awake(role)
    role._slot_us = walk.now_us + 1250000  # it is prepared while the receiver is about to be started
    role._covered = 0
    walk.refuse = True
    walk.run(walk.now_us + 960000)
    assert role.counters["refused.persist"] == 1
    walk.refuse = False
    assert ask(walk, request(0x30))[1] == 0x08


def test_cycle_of_an_answer_that_was_not_stored_keeps_its_time():
    """What is repeated instead is so far behind the answer as if it had been sent, and not behind the failed write."""
    role = make()
    walk = awake(role)
    role._covered = 0
    walk.refuse = True
    sync_us = walk.window()
    assert walk.hear(request(0x30), sync_us, 20000)
    walk.until_sent()
    assert abs(walk.sent[-1][0] - (sync_us + 20000 + 3 * S)) <= 1000


# --- what comes in ---


def test_alarm_is_not_told_by_another_answer():
    """The RSP-UD was never sent; a NACK to somebody else and an ACK of a fragment are no news of it."""
    role, device = alarmed(access=UNLIMITED)
    walk = awake(role)
    device.raise_alarm(4)
    walk.until_sent()
    walk.lose = lambda action: action.telegram[1] & 0x0F == 8
    assert walk.hear(request(0x30, 0x5A), walk.now_us + S)
    walk.run(walk.now_us + 1100000)
    assert walk.hear(request(0x31, 0x4F), walk.now_us + 100000)
    walk.until_sent()
    assert walk.last[1] & 0x0F == 1 and device.alarms == 4


def test_alarm_is_not_told_by_a_fragment():
    device = long_response()
    told = []
    walk = awake(make(device=device))
    first = ask(walk, request(0x30))
    assert first[10] == 0x8E
    device.alarm = lambda: ((0x74, 0x75), b"\x04")
    device.alarm_sent = told.append
    alarm = ask(walk, next_fragment(0x31, 0x5A))
    assert told and Answer(alarm).tpl.ci == 0x74


def test_fragments_end_with_the_access_cycle():
    role = make(device=long_response())
    walk = awake(role)
    ask(walk, request(0x30))
    assert walk.hear(request(0x31, 0x40), walk.window(), 100)
    walk.until_sent()
    answer = ask(walk, next_fragment(0x32))
    link = link_telegram.parse(answer)
    assert answer[link.offset + 2] == 1


def test_own_address_is_no_partner():
    """An ACK of ours that a repeater says again, of a meter with long header."""
    role = make(header="long")
    walk = awake(role)
    own = link_telegram.build(0x00, METER, extended.build(0x80, role.access_number, METER))
    asking = link_telegram.build(0x5B, METER, extended.build(0x84, 0x55, METER))
    for telegram in (own, asking):
        assert walk.hear(telegram, walk.window(), 100)
    assert role.counters["ignored"] == 2 and role.access.state == windows.WINDOW


def test_response_that_fits_no_telegram_is_an_error():
    """Without an ELL it cannot be split: the answer says so, the loop goes on."""
    role = make("T2", 5, device=long_response(), with_ell=False)
    walk = awake(role)
    asking = link_telegram.build(0x5B, GATEWAY, b"\x80" + METER.tpl_bytes() + bytes((0x24, 0, 0, 0)))
    answer = ask(walk, asking)
    assert answer[10] in (0x6E, 0x6F) and answer[-1] == 0x03


# --- the radio refuses ---


def test_armed_reply_that_is_refused_does_not_leave_the_receiver_on():
    role = make("T2")
    walk = awake(role)
    ask(walk, request(0x24))
    sync_us = walk.window()
    walk.run(sync_us + 5000)
    from omsnode.firmware.link import frame_a

    event = radio.Event(radio.FRAME, sync_us, sync_us + 5000, bytes(frame_a.build(request(0x24))), "T", "A")
    armed = role.reply(event, walk.now_us)
    assert isinstance(armed, Transmit)
    walk._do(role.feed(radio.Event(REFUSED, walk.now_us + S, code="duty_cycle"), walk.now_us))
    walk._do(role.feed(event, walk.now_us))
    assert not walk.listening and not role.receiver.listens


# --- what goes out ---


def test_installation_near_a_slot():
    """Slots and cycles are in the way of some; still no more than 60 s apart (EN 13757-4 12.6.1)."""
    for nominal_s in (47, 61, 75, 300):
        walk = awake(make(nominal_us=nominal_s * S))
        walk.role.install(walk.now_us)
        walk.run(walk.now_us + 3000 * S)
        at = [at_us for at_us, _, telegram in walk.sent if telegram[1] == 0x46]
        gaps = [later - earlier for earlier, later in zip(at, at[1:], strict=False)]
        assert len(at) > 40 and min(gaps) >= 30 * S and max(gaps) <= 60 * S


def test_installation_data_that_fit_no_telegram():
    """It is said at once, and not in the loop when the button is pressed."""
    with pytest.raises(MisuseError):
        make(registration=bytes(191))
    for more in ({}, {"security": 5, "mode": "T2", "with_ell": False}, {"security": 10, "header": "long"}):
        walk = awake(make(registration=bytes(190), **more))
        walk.role.install(walk.now_us)
        assert walk.until_sent()[1] == 0x46


def test_fillers_take_no_message_counter():
    """It belongs to what is protected: every value is spent once."""
    role = make(fillers=3)
    walk = awake(role, 9)
    used = role.message_counter.value
    assert [telegram[1] for _, _, telegram in walk.sent] == [0x44, 0x47, 0x47, 0x47] * 2 + [0x44]
    assert used == 3
    slots(walk, walk.sent[0][2][MIDDLE])


@pytest.mark.parametrize("mode", ["S2", "T2", "C2"])
def test_slots_are_windows_of_a_millisecond(mode):
    """No host is to blame for a slot that is early: prediction needs 3 ms (EN 13757-4 12.6.2)."""
    walk = Walk(make(mode))
    seen = []
    walk.lose = seen.append
    walk.until_sent(3)
    for action in seen:
        assert cc_of(action.telegram) & 0x20 and action.until_us - action.at_us == 1000
    slots(walk, walk.sent[0][2][MIDDLE])
    assert walk.role.margin_us is None  # of answers and repetitions


# --- two partners at once ---


@pytest.mark.parametrize("mode", ["S2", "T2", "C2"])
@pytest.mark.parametrize("security", [5, 7])
def test_two_partners_in_one_cycle(mode, security):
    """Each gets its own answer again, and neither's command is executed twice, though the other asked in between (ACC-08)."""
    role, device = adding(mode=mode, security=security)
    walk = awake(role)
    told = command(SET_7, 2800, 0x50, 0x5B, 0x53, mode=security)
    ack = ask(walk, told)
    tool = Address.parse("11111111.M=ABC.V=01.T=31")
    other = link_telegram.build(0x5B, tool, extended.build(0x84, 0x50, METER))
    response = ask(walk, other)
    assert response[1] == 0x08 and response[13:21] == tool.link_bytes()
    assert ask(walk, told) == ack
    assert walk.until_sent() == ack  # what was sent last is what is repeated
    assert ask(walk, other) == response
    assert role.counters["executed"] == 1 and role.counters["repeated"] == 2


@pytest.mark.parametrize("access", [LIMITED, UNLIMITED])
@pytest.mark.parametrize("mode", ["S2", "T2", "C2"])
def test_the_end_that_one_partner_sets_is_not_that_of_another(mode, access):
    """SND-NKE of the one, whose session is over; the ACK to the other was lost, and in profile A no counter tells that its command
    is no new one."""
    role, _ = adding(mode=mode, security=5, access=access, nominal_us=20 * S)
    walk = awake(role)

    def said(telegram):
        assert walk.hear(telegram, walk.window() if access == LIMITED else walk.now_us + 50000)

    told = command(SET_7, 2800, 0x50, 0x5B, 0x53, mode=5)
    said(told)
    ack = walk.until_sent()
    tool = Address.parse("11111111.M=ABC.V=01.T=31")
    said(link_telegram.build(0x5B, tool, extended.build(0x84, 0x50, METER)))
    walk.until_sent()
    said(link_telegram.build(0x40, tool, extended.build(0x84, 0x51, METER)))
    assert role.access.state in (windows.REST, windows.ALWAYS)
    if access == LIMITED:
        walk.until_sent()  # its next slot
    said(told)
    assert walk.until_sent() == ack and role.counters["executed"] == 1


def test_no_end_of_partners():
    """Only some are remembered; the newest are."""
    walk = awake(make())
    for n in range(40):
        tool = Address.parse("{:08d}.M=ABC.V=01.T=31".format(n))
        telegram = link_telegram.build(0x5B, tool, extended.build(0x84, 0x50, METER))
        answer = ask(walk, telegram)
    assert len(walk.role._answered) < 10
    assert ask(walk, telegram) == answer and walk.role.counters["repeated"] == 1
