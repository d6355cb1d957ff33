"""The gateway's side of a key change by itself: its table, retries, what is forged, damaged state, the end of counters."""

import json

import pytest
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import StoreError
from omsnode.firmware.link import extended
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.phy import radio
from omsnode.firmware.roles import key_changer
from omsnode.firmware.roles.actions import REFUSED, Deliver, Listen, Persist, Transmit
from omsnode.firmware.roles.key_changer import TABLE, KeyChanger
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, sealing
from support_commands import GATEWAY, MASTER, METER, WRAPPER, heard

NEW = Key(bytes(range(30, 46)))
STATES = ("transfer", "activate", "fetch", "probe", "destroy")


def make(state=None, **more):
    new = None if state else NEW
    return KeyChanger(GATEWAY, METER, (0, MASTER), (1, new), (0x12, 0, WRAPPER), state=state, **more)


def answer(
    number, function, status=0, key=MASTER, counter=1, version=None, c_field=0x08, structure=sitp.STATUS
):
    body = sitp.build([sitp.block(function | 0x80, structure, 0x12, 0, bytes((status,)))])
    security = sealing.Security(7, key, counter, 0, version, padded=True)
    afl, message = sealing.seal(security, 0xC4, METER, number, 0, body)
    return link_telegram.build(
        c_field, METER, extended.build(0x84, number) + authentication.build(afl) + message
    )


def plain(number, ci, c_field, data=b"", status=0):
    tpl = bytes((ci, number, status, 0, 0))
    return link_telegram.build(c_field, METER, extended.build(0x84, number) + tpl + data)


def step(role, now_us=0):
    actions = role.tick(now_us)
    transmits = [action for action in actions if isinstance(action, Transmit)]
    if transmits:
        role.feed(radio.Event(radio.SENT, transmits[0].at_us, transmits[0].at_us + 20000), transmits[0].at_us)
    return actions


def test_table_is_whole():
    """From every state where something is sent, silence and a refusal lead somewhere, and an end is reached."""
    for state in STATES:
        assert (state, "silence") in TABLE and (state, "error") in TABLE
    ends = {row[0] for row in TABLE.values() if row[1] == "end"}
    assert ends == {key_changer.CHANGED, key_changer.KEPT}
    assert all(row[0] in STATES for row in TABLE.values() if row[1] != "end")


def test_stored_before_sent_and_the_same_again_on_silence():
    role = make(heard=2739, access_number=0x22)
    assert role.start(0) == [Listen("C2", "up")]
    first = step(role)
    assert [type(action) for action in first] == [Persist, Transmit]
    assert first[0].state["old"] == [2740, 2739] and first[0].state["access_number"] == 0x23
    assert first[1].telegram[:2].hex()[2:] == "43" and first[1].telegram[10:13].hex() == "8c8423"
    again = step(role, role.due_us)
    assert [type(action) for action in again] == [Transmit] and again[0].telegram == first[1].telegram
    assert step(role, role.due_us)[0].telegram == first[1].telegram
    # Three times nothing: a new message, a hundred further on.
    other = step(role, role.due_us)
    assert other[0].state["old"] == [2840, 2739] and other[1].telegram != first[1].telegram


def test_it_waits_when_nobody_answers_until_the_meter_is_heard():
    role = make()
    role.start(0)
    sent = 0
    while role.due_us is not None:
        sent += len([action for action in step(role, role.due_us) if isinstance(action, Transmit)])
    assert sent == key_changer.TRIES * key_changer.ROUNDS and role.state == "transfer"
    alive = answer(9, 0x20, counter=5000, c_field=0x44)
    actions = role.feed(heard(alive, 10**9), 10**9)
    assert [type(action) for action in actions] == [Persist, Transmit]
    assert actions[0].state["old"] == [5001, 5000]


def test_forged_and_replayed_answers():
    role = make(heard=100)
    role.start(0)
    step(role)
    number = role.access_number
    for telegram in (
        answer(number, 0, key=Key(bytes(16)), counter=101),  # another key
        answer(number, 0, counter=100),  # old
        answer(number, 0, counter=101)[:-1] + b"\x00",
        plain(number + 1, 0x6E, 0x08, b"\x20"),  # of another exchange
        plain(number, 0x7A, 0x08, b"\x01"),
    ):
        telegram = bytes((len(telegram) - 1,)) + telegram[1:]
        assert role.feed(heard(telegram, 10**6), 10**6) == [] and role.state == "transfer"
    # An application error is in clear: it can make us ask again, never believe.
    actions = role.feed(heard(plain(number, 0x6E, 0x08, b"\x20", 2), 10**6), 10**6)
    assert role.state == "transfer" and isinstance(actions[-1], Transmit)
    role.feed(heard(answer(role.access_number, 0, counter=5000), 2 * 10**6), 2 * 10**6)
    assert role.state == "activate" and role.old.heard == 5000


def walk(role):
    """To the request for the result of the activation."""
    role.start(0)
    step(role)
    role.feed(heard(answer(role.access_number, 0, counter=500), 10**6), 10**6)
    role.feed(heard(plain(role.access_number, 0x8A, 0x00), 2 * 10**6), 2 * 10**6)
    assert role.state == "fetch"


def test_the_answer_under_the_old_key_is_no_change():
    role = make()
    walk(role)
    role.feed(heard(answer(role.access_number, 4, counter=501), 3 * 10**6), 3 * 10**6)
    assert role.state == "probe"  # "done", under the old key: it says one thing and does another
    role = make()
    walk(role)
    actions = role.feed(heard(answer(role.access_number, 4, 0x19, counter=501), 3 * 10**6), 3 * 10**6)
    assert role.state == "kept" and actions[1].reading.key == MASTER and actions[1].reading.done


def test_the_new_key_must_name_its_own_version():
    role = make()
    walk(role)
    number = role.access_number
    assert role.feed(heard(answer(number, 4, key=NEW, version=2), 3 * 10**6), 3 * 10**6) == []
    actions = role.feed(heard(answer(number, 4, key=NEW, version=1), 3 * 10**6), 3 * 10**6)
    assert [type(action) for action in actions] == [Persist, Deliver, Persist, Transmit]
    assert actions[1].reading.key == NEW and not actions[1].reading.done
    assert actions[2].state["new"] == [2, 1] and role.state == "destroy"
    # From now on nothing is believed under the old key.
    assert role.feed(heard(answer(role.access_number, 3, counter=600), 4 * 10**6), 4 * 10**6) == []
    actions = role.feed(heard(answer(role.access_number, 3, key=NEW, counter=3), 4 * 10**6), 4 * 10**6)
    assert role.state == "changed" and actions[1].reading.done and role.due_us is None


def test_a_telegram_of_the_meter_under_the_new_key_says_it_too():
    role = make()
    walk(role)
    role.feed(heard(answer(77, 0x20, key=NEW, counter=9, c_field=0x44), 3 * 10**6), 3 * 10**6)
    assert role.state == "destroy" and role.new.heard == 9


def test_refused_by_the_node():
    role = make()
    role.start(0)
    first = role.tick(0)
    role.feed(radio.Event(REFUSED, 5 * 10**6, code="duty_cycle"), 0)
    assert role.due_us >= 5 * 10**6
    assert role.tick(role.due_us)[0].telegram == first[1].telegram
    role.feed(radio.Event(radio.TOO_LATE, 0), 6 * 10**6)
    assert role.tick(role.due_us)[0].telegram == first[1].telegram
    role.feed(radio.Event(REFUSED, 0, code="persist"), 7 * 10**6)
    later = role.tick(role.due_us)
    assert isinstance(later[0], Persist) and later[0].state["old"][0] == 2


@pytest.mark.parametrize("state", STATES)
def test_goes_on_from_every_state(state):
    role = make()
    role.start(0)
    stored = dict(json.loads(json.dumps(step(role)[0].state)), state=state)
    again = make(stored)
    told = [action.reading.done for action in again.start(0) if isinstance(action, Deliver)]
    assert told == ([False] if state == "destroy" else [])
    assert again.new.key == NEW
    actions = again.tick(0)
    assert isinstance(actions[0], Persist) and actions[0].state["access_number"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"state": "x"},
        {"wrapped": "00"},
        {"wrapped": 7},
        {"old": 1},
        {"access_number": None},
        {"old": ["1", 0]},
        {"new": [0, None]},
        {"new": [-1, 0]},
        {"old": [0, 1 << 32]},
        {"old": [1.5, 0]},
    ],
)
def test_damaged_state(change):
    stored = dict(make().export(), **change)
    with pytest.raises(StoreError):
        make(stored)
    with pytest.raises(StoreError):
        make({})
    with pytest.raises(StoreError):
        KeyChanger(GATEWAY, METER, (0, MASTER), (2, None), (0x12, 0, WRAPPER), state=make().export())


def test_the_end_of_the_counter():
    role = make(heard=0xFFFFFFFF)
    role.start(0)
    assert role.tick(0) == [] and role.counters["exhausted"] == 1 and role.due_us is None


def test_nothing_shows_a_key():
    role = make()
    role.start(0)
    actions = step(role)
    text = repr(actions) + json.dumps(role.export()) + repr(role._told(False))
    for key in (MASTER, WRAPPER, NEW):
        assert key._secret.hex() not in text.lower() and repr(key._secret)[2:-1] not in text
