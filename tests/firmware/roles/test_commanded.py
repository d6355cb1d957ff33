"""What commands do to a meter, and what it says to them: the breaker of Annex N.12, what it refuses, repetition, power cuts, and
storing. It is one of unlimited access, so that a command may come at any time; when it answers is not looked at here."""

import json

import pytest
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import MisuseError, OmsError, StoreError
from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import REFUSED, Deliver, Persist, Transmit
from omsnode.firmware.roles.commanded import Executed
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.window_meter import UNLIMITED, WindowMeter
from omsnode.firmware.security.keys import Key
from support_commands import (
    APPLICATION,
    KEYS,
    MASTER,
    METER,
    STORAGE,
    WRAPPER,
    Answer,
    Breaker,
    command,
    heard,
    request,
)

# OMS Vol.2 Annex N (Release E 2.0.2) N.12.2 to N.12.4, link CRCs included
N_12_2 = bytes.fromhex(
    "4B433A6321436587083187718C8423900F002C25F00A000087E2777272442E67603DC3785634123A635520512020FB1B071028B27359AC9B"
    "83ABCDC87FFDF8F2BAD9FE8E1ED8F19718B7434C5EAED8663F15F33AC5CAA138"
)
N_12_3 = bytes.fromhex(
    "43083A63785634125520F24F8C8423900F002C25F10A00001C566D47D3EEAB618754C451002007102DA57D884181FF44E5376C0F7C9F8610"
    "0822C33CF7CDFDB83373411C20D477D8C5A67F375729"
)
N_12_4 = bytes.fromhex(
    "33083A6378563412552071588C8423900F002C25F10A0000422FB126DEC814375597C45102180710B315C2E1A072392E1EE74E3503AD479F"
    "0F0D1241"
)
SECOND = 1000000


def make(keys=KEYS, mode=7, state=None, counter=2739, application=None):
    profile = Profile(
        METER,
        [Register(b"\x01", b"\xfd\x1f", 1)],
        mode="C2",
        nominal_us=900 * SECOND,
        key=MASTER,
        security_mode=mode,
        with_ell=True,
    )
    entropy = bytes((0, 255, 255, 255, 255))  # the first slot is at 695 s
    role = WindowMeter(profile, entropy, keys, STORAGE, application or Breaker(), state, UNLIMITED)
    if state is None:
        role.message_counter.raise_to(counter)
    role.start(0)
    return role


def only(actions, kind):
    return [action for action in actions if isinstance(action, kind)]


def sent(actions):
    (transmit,) = only(actions, Transmit)
    return transmit.telegram


def tell(role, telegram, at_us=SECOND):
    """A frame that ends then: what it led to at once, and the Transmit of its answer, which is on the air then."""
    return carry(role, heard(telegram, at_us), at_us)


def carry(role, event, now_us):
    actions = role.feed(event, now_us)
    assert not only(actions, Transmit)  # it has time until shortly before
    answer_us = now_us + SECOND + SECOND // 100
    while role.due_us <= answer_us:
        now_us = role.due_us
        for transmit in only(role.tick(now_us), Transmit):
            at_us = (transmit.at_us + transmit.until_us) // 2
            role.feed(radio.Event(radio.SENT, at_us, at_us + 10000), at_us + 10000)
            return [*actions, transmit]
    return actions


def kept(role):
    """What would be stored, without the credits, which everything that is heard costs."""
    return {key: value for key, value in role._persist(0, 0).state.items() if key != "credits"}


def test_breaker_n_12():
    """C_M 2739, command 2800, answer 2801 (sequence S04): bit-exact, stored first, executed once."""
    role = make()
    event = radio.Event(radio.FRAME, 0, 5000, N_12_2, "C", "A")
    actions = carry(role, event, 6000)
    assert [type(action) for action in actions] == [Persist, Deliver, Transmit]
    assert bytes(frame_a.build(sent(actions))) == N_12_3
    assert actions[2].at_us < 5000 + SECOND < actions[2].until_us
    assert (actions[2].mode, actions[2].direction) == ("C2", "up")
    assert actions[1].reading == Executed(0x20, 1, bytes.fromhex("01FD1F00"))
    assert role.message_counter.value == 2801 and actions[0].state["message_counter"] >= 2801
    again = tell(role, frame_a.strip(N_12_2), 3 * SECOND)
    assert [type(action) for action in again] == [Transmit] and sent(again) == sent(actions)
    assert role.counters["repeated"] == 1 and role.counters["executed"] == 1


def test_breaker_n_12_after_the_access_cycle():
    """Nobody remembers the answer, and the counter is old: refused."""
    role = make()
    tell(role, frame_a.strip(N_12_2))
    late = tell(role, frame_a.strip(N_12_2), 40 * SECOND)
    assert Answer(sent(late)).tpl.ci == 0x6E and sent(late)[-1] == 0x20
    assert role.counters["executed"] == 1


def test_breaker_with_another_key_version_n_12_4():
    role = make({(0, 0): MASTER, (0x20, 1): APPLICATION})
    actions = tell(role, frame_a.strip(N_12_2))
    assert [type(action) for action in actions] == [Persist, Transmit]
    assert bytes(frame_a.build(sent(actions))) == N_12_4


def test_every_damage_of_the_command_changes_nothing():
    """Each bit of N.12.2 behind the link address: ignored or an application error, never executed."""
    telegram = frame_a.strip(N_12_2)
    for bit in range(80, 8 * len(telegram)):
        turn = bit % 16
        if not turn:
            role = make()
        changed = bytearray(telegram)
        changed[bit >> 3] ^= 1 << (bit & 7)
        before = kept(role)
        actions = tell(role, bytes(changed), (1 + turn * 40) * SECOND)
        # Not covered by the MAC: the ELL, and the fragment number, where 1 says the same as 0.
        if bit < 104 or bit == 120:
            assert [one.reading.apdu for one in only(actions, Deliver)] in ([], [bytes.fromhex("01FD1F00")])
            role = make()
            continue
        assert not only(actions, Persist) and not only(actions, Deliver), bit
        assert kept(role) == before
        if actions:
            assert Answer(sent(actions)).data[0] in (0x01, 0x17, 0x20, 0x21, 0x22), bit


# --- what is refused (sheet 11, 11.1) ---

BREAK = sitp.build(
    [
        sitp.block(
            sitp.SECURED,
            sitp.CMAC_8,
            0x20,
            0,
            sitp.secure(APPLICATION, sitp.Secured(15, sitp.AT_ONCE, 1, bytes.fromhex("01FD1F00"))),
        )
    ]
)


@pytest.mark.parametrize(
    "code, mode, telegram",
    [
        (0x17, 7, command(BREAK, 2800, with_afl=False)),
        (0x17, 7, command(BREAK, 2800, mode=5)),
        (0x17, 7, command(BREAK, 2800, mode=0)),
        (0x22, 10, command(BREAK, 2800, mode=0)),
        (0x22, 10, command(BREAK, 2800, mode=5)),
        (0x21, 7, command(BREAK, 2800, mode=10)),
        (0x21, 10, command(BREAK, 2800, mode=7)),
        (0x20, 7, command(BREAK, 2739)),
        (0x20, 7, command(BREAK, 2000)),
        (0x20, 10, command(BREAK, 2739, mode=10)),
        (0x20, 7, command(BREAK, 2800, key=Key(bytes(16)))),
        (0x20, 10, command(BREAK, 2800, key=Key(bytes(16)), mode=10)),
        (0x20, 7, command(BREAK, 2800, up=True)),
        (0x20, 10, command(BREAK, 2800, up=True, mode=10)),
        (0x20, 7, command(BREAK, 2800, key_id=8)),
        (0x20, 7, command(BREAK, 2800, key_version=1)),
        (0x17, 7, command(b"\x05\x00\x00\x20", 2800)),
        (0x22, 7, command(bytes.fromhex("01FD1F00"), 2800, ci=0x5B)),
        (0x01, 7, command(bytes.fromhex("00"), 2800, ci=0xC0)),
    ],
)
def test_refused(code, mode, telegram):
    role = make(mode=mode)
    authentic = code in (0x22, 0x01) and mode == 7 or telegram == command(b"\x05\x00\x00\x20", 2800)
    before = kept(role)
    actions = tell(role, telegram)
    answer = Answer(sent(actions))
    assert (answer.tpl.ci, answer.tpl.status, answer.data.hex()) == (0x6E, 2, "%02x" % code)
    assert not only(actions, Deliver) and "executed" not in role.counters
    assert bool(only(actions, Persist)) == authentic
    after = kept(role)
    assert after["keys"] == before["keys"]
    assert authentic or after == before
    # The same as SND-UD: an acknowledgement that says so, and the error on request.
    role = make(mode=mode)
    other = bytes((telegram[0], 0x53)) + telegram[2:]
    ack = Answer(sent(tell(role, other)))
    assert (ack.link.c_field, ack.tpl.ci, ack.tpl.status) == (0x00, 0x8A, 2)
    told = Answer(sent(tell(role, request(0x24), 3 * SECOND)))
    assert (told.link.c_field, told.tpl.ci, told.data.hex()) == (0x08, 0x6E, "%02x" % code)


def test_mode_8_is_not_supported():
    telegram = bytearray(command(BREAK, 2800, mode=5))
    telegram[25] = 0x08  # high byte of the configuration field: 10 + 3 (ELL) + 12
    assert sent(tell(make(mode=10), bytes(telegram)))[-1] == 0x21
    telegram = bytearray(command(BREAK, 2800))
    telegram[42] = 0x08  # and 17 of the AFL
    assert sent(tell(make(), bytes(telegram)))[-1] == 0x21


def test_reflection():
    """What the meter said comes back, with the C-field of a command: never executed, whatever address it is given."""
    role = make()
    answer = sent(tell(role, frame_a.strip(N_12_2)))
    assert tell(role, answer, 40 * SECOND) == []
    back = bytes((answer[0], 0x43)) + answer[2:]
    assert tell(role, back, 80 * SECOND) == []  # short header and no receiver: for whom?
    assert role.counters["executed"] == 1


def test_for_others():
    role = make()
    other = command(BREAK, 2800, meter=Answer(command_of_other()).tpl.address)
    assert tell(role, other) == []
    named = command(BREAK, 2800, receiver=other_address())
    assert tell(role, named) == []
    assert role.counters["ignored"] == 2 and role.message_counter.value == 2739


def other_address():
    from omsnode.firmware.link.address import Address

    return Address.parse("12345679.M=XYZ.V=55.T=20")


def command_of_other():
    from omsnode.firmware.link import extended
    from omsnode.firmware.link import telegram as link_telegram

    tpl = bytes.fromhex("80") + other_address().tpl_bytes() + bytes(4)
    return link_telegram.build(0x5B, METER, extended.build(0x84, 1) + tpl)


# --- the ladder ---


@pytest.mark.parametrize("mode", [7, 10])
@pytest.mark.parametrize("receiver", [None, METER])
def test_snd_ud_and_request(mode, receiver):
    role = make(mode=mode)
    actions = tell(role, command(BREAK, 2800, c_field=0x53, mode=mode, receiver=receiver, tpl_number=0x51))
    assert [type(action) for action in actions] == [Persist, Deliver, Transmit]
    ack = Answer(sent(actions))
    assert (ack.link.c_field, ack.tpl.ci, ack.tpl.status, ack.tpl.access_number) == (0, 0x8A, 0, 0x51)
    assert ack.link.ell.access_number == 0x23
    assert (ack.link.ell.receiver is not None) == (receiver is not None)
    actions = tell(role, request(0x24), 3 * SECOND)
    answer = Answer(sent(actions))
    assert (answer.link.c_field, answer.tpl.ci, answer.tpl.status) == (8, 0xC4, 0)
    assert answer.opened.counter == 2801 and answer.blocks[0].function == 0xA0
    # Again with another number: a new message. The same number: the same telegram.
    other = sent(tell(role, request(0x25), 5 * SECOND))
    assert Answer(other).opened.counter == 2802 and Answer(other).blocks == answer.blocks
    assert sent(tell(role, request(0x25), 7 * SECOND)) == other
    # 255 s after the command: the standard response.
    standard = Answer(sent(tell(role, request(0x26), 300 * SECOND)))
    assert standard.tpl.ci == 0x7A and standard.data[:4].hex() == "01fd1f01"
    assert standard.opened.counter == 2803


def test_key_information_is_answered_in_kind():
    role = make()
    answer = Answer(sent(tell(role, command(BREAK, 2800, key_version=0))))
    assert answer.afl.key_information == b"\x10\x00" and answer.opened.key_version == 0
    answer = Answer(sent(tell(role, request(0x24), 3 * SECOND)))
    assert answer.opened.key_version == 0
    again = sitp.build([sitp.block(sitp.ACTIVE_KEYS, sitp.EMPTY, 0xFF, 0xFF)])
    answer = Answer(sent(tell(role, command(again, 2900, 0x25), 5 * SECOND)))
    assert answer.afl.key_information is None
    assert (answer.blocks[0].function, answer.blocks[0].structure) == (0x88, 0x21)
    assert sitp.read_names(answer.blocks[0].content) == [(0, 0), (0x12, 0), (0x20, 0)]


def test_fast_answer_and_end_of_access():
    role = make()
    (transmit,) = only(tell(role, command(BREAK, 2800, cc=0xC4)), Transmit)
    assert transmit.at_us <= SECOND + 100000 <= transmit.until_us < SECOND + 110000
    assert tell(role, request(0x24, 0x40), 2 * SECOND) == []  # SND-NKE: the answer is forgotten
    assert sent(tell(role, command(BREAK, 2800, cc=0xC4), 3 * SECOND))[-1] == 0x20


def test_a_partner_with_a_key_of_his_own():
    """KeyID 8: its own counter, which is stored beside the other."""
    own = Key(bytes(range(50, 66)))
    role = make({**KEYS, (8, 3): own})
    listing = sitp.build([sitp.block(sitp.KEY_COUNTERS, sitp.EMPTY, 0xFF, 0xFF)])
    actions = tell(role, command(listing, 5, key=own, key_id=8))
    answer = Answer(sent(actions), own)
    assert (answer.opened.key_id, answer.opened.counter) == (8, 6)
    assert sitp.read_counters(answer.blocks[0].content)[1] == (8, 3, 0)
    assert role.message_counter.value == 2739
    state = json.loads(json.dumps(actions[0].state))
    role = make(state=state)
    assert sent(tell(role, command(listing, 5, key=own, key_id=8)))[-1] == 0x20
    assert Answer(sent(tell(role, command(listing, 70, 0x24, key=own, key_id=8), 3 * SECOND)), own).blocks


@pytest.mark.parametrize("mode", [7, 10])
@pytest.mark.parametrize("ci, data", [(0x5B, bytes.fromhex("01FD1F00")), (0xC3, b"\x05\x00\x00\x20")])
def test_a_new_master_key_restarts_the_counter_once(mode, ci, data):
    """The commands behind the change are no reason to restart again: that would let them, and every key, be used twice."""
    new = Key(bytes(range(50, 66)))
    change = sitp.block(
        sitp.COMBINED, sitp.WRAPPED_CHANGE, 0x12, 0, sitp.wrap_change(WRAPPER, (0, 1), (0, 0))
    )
    transfer = sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, 0x12, 0, sitp.wrap_key(WRAPPER, new, 0, 1))
    role = make(mode=mode)
    tell(role, command(sitp.build([transfer]), 2800, 0x24, mode=mode))
    tell(role, command(sitp.build([change]), 2900, 0x25, mode=mode), 40 * SECOND)
    assert role.message_counter.value == 1  # of the answer
    following = command(data, 100, 0x26, ci=ci, key=new, mode=mode)
    tell(role, following, 80 * SECOND)
    assert role.message_counter.value == 100
    again = tell(role, following, 120 * SECOND)
    assert not only(again, Persist) and sent(again)[-1] == 0x20
    assert role.message_counter.value == 100


# --- storing ---


def test_what_cannot_be_stored_is_not_done():
    role = make()
    before = kept(role)
    assert only(role.feed(heard(command(BREAK, 2800), SECOND), SECOND), Deliver)
    role.feed(radio.Event(REFUSED, SECOND, code="persist"), SECOND)
    assert role.counters["rolled_back"] == 1
    assert kept(role) == before
    # The gateway repeats: now it is executed.
    assert only(tell(role, command(BREAK, 2800), 3 * SECOND), Deliver)


def test_power_cut_behind_storing():
    """The command was stored and never answered: the same one is refused, the breaker's counter does not go back."""
    role = make()
    (persist,) = only(tell(role, command(BREAK, 2800)), Persist)
    role = make(state=json.loads(json.dumps(persist.state)))
    assert sent(tell(role, command(BREAK, 2800)))[-1] == 0x20
    answer = Answer(sent(tell(role, command(BREAK, 2900, 0x24), 3 * SECOND)))
    assert answer.blocks[0].content == bytes((sitp.SECURITY,)) and answer.tpl.status == 2


@pytest.mark.parametrize(
    "counters", [7, [7], [[8]], [[8, "1"]], [[8, -1]], [["8", 1]], [[8, None]], {"8": 1}]
)
def test_damaged_counters_of_the_partners(counters):
    """One that began again would use its keys twice: the meter does not start."""
    state = dict(make()._persist(0, 0).state, counters=counters)
    with pytest.raises(OmsError):
        make(state=state)
    state = make()._persist(0, 0).state
    for name in ("counters", "message_counter"):
        with pytest.raises(StoreError):
            make(state={key: value for key, value in state.items() if key != name})


def test_no_key_in_what_is_stored_or_shown():
    role = make()
    (persist,) = only(tell(role, command(BREAK, 2800)), Persist)
    text = json.dumps(persist.state) + repr(persist) + repr(role.keys.key(0))
    for key in (MASTER, WRAPPER, APPLICATION, STORAGE):
        assert key._secret.hex() not in text.lower()
    with pytest.raises(MisuseError):
        make({(0x12, 0): WRAPPER})


def test_an_answer_that_meets_a_slot_gives_way():
    """Slots do not move. Nobody repeats an answer of unlimited access unasked: it is there for the command that comes again."""
    role = make()
    slot_us = role.due_us + 300000
    telegram = command(BREAK, 2800)
    actions = tell(role, telegram, slot_us - SECOND)
    assert [type(action) for action in actions] == [Persist, Deliver, Transmit]
    assert actions[2].telegram[1] == 0x44 and actions[2].at_us < slot_us < actions[2].until_us
    assert role.counters["deferred"] == 1
    again = tell(role, telegram, slot_us + SECOND)
    assert Answer(sent(again)).opened.counter == 2801 and not only(again, Deliver)
    assert role.counters["executed"] == role.counters["repeated"] == 1
