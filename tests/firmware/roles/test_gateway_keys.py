"""A new master key between a gateway and its meter: which answer is the sign of the change and which is none, and what is believed
before and behind it. Each counter and key of the meter is chosen here."""

import json

import pytest
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.key_steps import CHANGED, DESTROY, FETCH, KEPT, PROBE, SENDS, TABLE, KeyChange
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection, sealing
from support_window import MASTER, METER, VOLUME, Meter, S, Stage, said

NEW, WRAPPER, STRANGER = [Key(bytes([number] * 16)) for number in (7, 8, 9)]
OURS = {(0, 0): MASTER, (0, 1): NEW, (0, 2): STRANGER, (0x12, 0): WRAPPER}
ANSWER_CI = 0xC4


def keys(key_id, version=None):
    version = version or 0
    key = OURS.get((key_id, version))
    return key and (version, key)


def test_table_is_whole():
    """From every state where something is sent, silence and a refusal lead somewhere, and an end is reached."""
    for state in SENDS:
        assert (state, "silence") in TABLE and (state, "error") in TABLE
    ends = {row[0] for row in TABLE.values() if row[1] == "end"}
    assert ends == {CHANGED, KEPT}
    assert all(row[0] in SENDS for row in TABLE.values() if row[1] != "end")


def test_what_is_told_shows_no_key():
    told = repr(KeyChange(METER, 0, 1, NEW)).lower()
    assert NEW._secret.hex() not in told and repr(NEW._secret)[2:-1] not in told


def protected(number, message, data, key=MASTER, counter=1, version=None, c_field=0x08, ci=ANSWER_CI, mode=7):
    """A message of the meter. number, message: its access numbers."""
    security = sealing.Security(mode, key, counter, 0, version)
    security.padded = mode == 7 and ci == ANSWER_CI
    afl, body = sealing.seal(security, ci, METER, message, 0, data)
    payload = (authentication.build(afl) if afl else b"") + body
    return Meter()._frame(c_field, number, payload, 0xA0 if c_field == 0x44 else 0x80)


def answer(telegram, function, status=0, **more):
    """Of the meter to this command: a SITP status."""
    _, number, tpl, _ = said(telegram)
    block = sitp.block(function | sitp.RESPONSE, sitp.STATUS, 0x12, 0, bytes((status,)))
    return protected(number, tpl.access_number, sitp.build([block]), **more)


def own(counter, **more):
    """What the meter says unasked."""
    return protected(0x77, 0x77, VOLUME, counter=counter, c_field=0x44, ci=0x7A, **more)


def opened(telegram, key):
    """(Opened, BCF) of a command under this key."""
    link = link_telegram.parse(telegram)
    afl, at = authentication.parse_if_any(telegram, link.offset)
    tpl = header.parse(telegram, at)
    found = protection.open_message(telegram, tpl, afl, METER, lambda *_: key)
    body = found.payload[2 if tpl.mode == 7 else 0 : len(found.payload) - found.padding]
    return found, sitp.read(body)[0].function


class Change(Stage):
    """To the request for the result of the activation; `fetch` is that telegram. The meter has said 500 and 501 under the old key."""

    def __init__(self, mode=7):
        partner = Partner(METER, MASTER, {7: "B", 10: "D"}[mode], 0, keys)
        super().__init__("C2", [partner])
        self.security_mode = mode
        self.meter = Meter(mode=mode)
        self.hear(self.meter.nr())
        self.partner = partner
        self.role.queue(METER, orders.make(["key-change"], METER, keys), self.now_us)
        self.run(self.now_us)
        (transfer,) = self.hear(self.meter.nr())
        assert opened(transfer, MASTER)[1] == sitp.TRANSFER
        (activate,) = self.hear(answer(transfer, sitp.TRANSFER, counter=500, mode=mode))
        found, function = opened(activate, MASTER)
        assert (function, found.key_version) == (sitp.COMBINED, 0) and 500 < found.counter <= 600
        (self.fetch,) = self.hear(self.meter.ack(activate))
        assert self.fetch[1] & 0xDF == 0x5B

    def answer(self, telegram, function, status=0, **more):
        return self.hear(answer(telegram, function, status, mode=self.security_mode, **more))

    @property
    def changes(self):
        return [one for one in self.told if isinstance(one, KeyChange)]

    def changed(self, sent):
        """Whether it was taken for the change, and the destruction follows, under the new key, which it does not name."""
        if not self.changes:
            assert self.partner.side.key == MASTER
            return False
        assert self.changes == [KeyChange(METER, 0, 1, NEW)]
        assert self.partner.side.key == NEW and self.partner.rival is None
        found, function = opened(sent[0], NEW)
        assert (function, found.key_version) == (sitp.DESTROY, None)
        return True

    @property
    def step(self):
        (pending,) = self.stored[-1]["gateway"]["book"]["orders"]
        return pending[2]["state"]["step"]


@pytest.mark.parametrize("mode", [7, 10])
def test_the_answer_under_the_old_key_is_no_change(mode):
    """It says "done", and speaks as before: the new key is tried."""
    stage = Change(mode)
    (probe,) = stage.answer(stage.fetch, sitp.COMBINED, counter=701)
    assert not stage.changed([]) and stage.step == PROBE
    found, function = opened(probe, NEW)
    assert (function, found.key_version) == (sitp.ACTIVE_KEYS, 1)


def test_a_refusal_under_the_old_key_ends_it():
    stage = Change()
    stage.answer(stage.fetch, sitp.COMBINED, 0x19, counter=701)
    (why,) = [one.detail for one in stage.told if getattr(one, "step", None) == "failed"]
    assert "the present one still holds" in why and stage.steps()[-1] == "failed"
    assert not stage.changed([]) and stage.partner.rival is None


@pytest.mark.parametrize("mode", [7, 10])
def test_an_answer_under_the_new_key_is_the_change(mode):
    """Its counters begin anew. It is stored before it is told, and told before anything relies on it."""
    stage = Change(mode)
    sent = stage.answer(stage.fetch, sitp.COMBINED, key=NEW, version=1, counter=1)
    assert stage.changed(sent) and stage.step == DESTROY
    found, _ = opened(sent[0], NEW)
    assert 1 < found.counter <= 101
    assert stage.partner.side.heard == 1
    # From now on nothing is believed under the old key; under the new one nothing that was said before.
    assert stage.answer(sent[0], sitp.DESTROY, counter=900) == []
    assert stage.answer(sent[0], sitp.DESTROY, key=NEW, counter=1) == []
    assert stage.step == DESTROY
    stage.answer(sent[0], sitp.DESTROY, key=NEW, counter=found.counter + 1)
    assert stage.steps()[-1] == "done"
    (end,) = [one.detail for one in stage.told if getattr(one, "step", None) == "done"]
    assert end == {"key_id": 0, "key_version": 1, "changed": True, "destroyed": True, "authenticated": True}


@pytest.mark.parametrize(
    "forged",
    [
        dict(key=STRANGER, version=1),
        dict(key=NEW, version=2),
        dict(key=NEW, version=0),
        dict(key=MASTER, version=1, counter=900),
    ],
)
def test_the_new_key_is_named_by_its_own_version(forged):
    stage = Change()
    assert stage.answer(stage.fetch, sitp.COMBINED, **forged) == []
    assert not stage.changed([]) and stage.step == FETCH
    sent = stage.answer(stage.fetch, sitp.COMBINED, key=NEW, version=1, counter=1)
    assert stage.changed(sent)


def test_a_high_counter_under_the_new_key_is_no_message_of_the_old_one():
    """The key says whose counter it is, not its size: the meter may have said much under the new key that nobody heard."""
    stage = Change()
    sent = stage.answer(stage.fetch, sitp.COMBINED, key=NEW, version=1, counter=5000)
    assert stage.changed(sent) and stage.partner.side.heard == 5000


def test_the_old_key_is_not_believed_any_more_though_it_is_named():
    """It may be the reason for the change that somebody else has it."""
    stage = Change()
    (destroy,) = stage.answer(stage.fetch, sitp.COMBINED, key=NEW, version=1, counter=1)
    assert stage.answer(destroy, sitp.DESTROY, counter=900, version=0) == []
    assert stage.step == DESTROY and stage.steps()[-1] != "done"


def test_an_error_in_clear_proves_nothing():
    """Anybody can say that: the new key is tried, and the old one still holds."""
    stage = Change()
    (probe,) = stage.hear(stage.meter.error(stage.fetch, 0x20))
    while stage.step == FETCH:
        (probe,) = stage.hear(stage.meter.error(probe, 0x20))
    assert stage.step == PROBE and not stage.changed([])
    assert opened(probe, NEW)[1] == sitp.ACTIVE_KEYS


@pytest.mark.parametrize("version", [None, 1])
def test_a_telegram_of_the_meter_under_the_new_key_says_it_too(version):
    stage = Change()
    stage.run(stage.now_us + 2 * S)  # no answer came
    sent = stage.hear(own(9, key=NEW, version=version))
    assert stage.changed(sent) and stage.partner.side.heard == 9
    found, _ = opened(sent[0], NEW)
    assert 9 < found.counter <= 109


def test_it_goes_on_behind_a_restart_and_tells_it_again():
    """The owner may not have heard it."""
    stage = Change()
    stage.answer(stage.fetch, sitp.COMBINED, key=NEW, version=1, counter=1)
    state = json.loads(json.dumps(stage.stored[-1]))
    again = Stage("C2", [Partner(METER, MASTER, "B", 0, keys)], state=state)
    assert [one for one in again.told if isinstance(one, KeyChange)] == stage.changes
    meter = Meter(key=NEW)
    meter.counter = 400
    sent = again.hear(meter.nr())
    assert again.role.partners[0].side.heard >= 1
    found, function = opened(sent[0], NEW)
    assert function == sitp.DESTROY and found.counter > 51
