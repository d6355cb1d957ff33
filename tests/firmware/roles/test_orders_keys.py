"""The change of a key as an order: every step, each of them lost, power cuts, what a meter refuses. The session is played here: it
knows which key protected an answer, and nothing else."""

import json

import pytest
from omsnode.firmware.application import error_codes
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.key_holder import KeyHolder
from omsnode.firmware.roles.orders import Heard
from omsnode.firmware.security.keys import Key
from support_orders import MASTER, METER, STORAGE, WRAPPER, answered, key_store, refused

NEW = Key(bytes([9] * 16))
APPLICATION, NEW_APPLICATION = Key(bytes([4] * 16)), Key(bytes([5] * 16))
APPLICATION_WRAPPER = Key(bytes([6] * 16))
OURS = {(0, 0): MASTER, (0, 1): NEW, (0x12, 0): WRAPPER, (0x14, 0): APPLICATION_WRAPPER}
OURS.update({(0x20, 0): APPLICATION, (0x20, 1): NEW_APPLICATION})
THEIRS = {(0, 0): MASTER, (0x12, 0): WRAPPER, (0x14, 0): APPLICATION_WRAPPER, (0x20, 0): APPLICATION}


def ours(key_id, version=None):
    """The gateway's store: version 1 is there and not active."""
    return key_store(OURS)(key_id, 0 if version is None else version)


class Session:
    """A meter, and the gateway's side of the link to it. lose: {number of the exchange: "command" or "answer"}. cut: numbers of
    the exchanges at which the gateway loses its power, the answer with it."""

    def __init__(self, words=("key-change",), keys=THEIRS, lose=(), cut=()):
        self.holder = KeyHolder(dict(keys), STORAGE)
        self.order = orders.make(list(words), METER, ours)
        self.lose = dict(lose)
        self.cut = cut
        self.present = (0, MASTER)  # what the session protects with
        self.sent = []
        self.response = None

    def run(self, most=60):
        number = 0
        while self.order.outcome == "more" and number < most:
            exchange = self.order.exchange(None)
            stored = json.loads(json.dumps(self.order.export()))
            for key in (MASTER, NEW, WRAPPER, NEW_APPLICATION):
                assert key._secret.hex() not in json.dumps(stored)
            lost = self.lose.get(number)
            version = self.order.new_key[1] if self.order.under_new else self.present[0]
            told = None if lost == "command" else self.meter(exchange, version)
            if lost == "answer":
                told = None
            number += 1
            if number - 1 in self.cut:
                self.order = orders.restore(stored, ours)
                if self.order.adopted:
                    self.present = self.order.adopted[1:]
            elif told is None:
                self.order.silence(None)
            else:
                self.hear(*told)
        return self.order

    def hear(self, heard, version):
        """version: of the key that the answer is authentic under, None: in clear."""
        if version is not None and version != self.present[0]:
            assert self.order.new_key and self.order.new_key[1] == version
            self.order.changed(None)
            assert self.order.new_key is None
            self.present = self.order.adopted[1:]
        else:
            self.order.heard(heard, None)

    def meter(self, exchange, version):
        self.sent.append(
            (exchange.kind, exchange.data[3] if exchange.data else None, version, self.order.named)
        )
        if exchange.kind == "REQ-UD2":
            return self.response or (answered(0x72, b"\x2f"), self.holder.active(0))
        if version != self.holder.active(0):
            return refused(0x20), None
        answers, _ = self.holder.execute(sitp.read(exchange.data), None)
        failed = any(one.structure == sitp.STATUS and one.content[0] for one in answers)
        told = answered(sitp.ANSWER_LONG, sitp.build(answers), error_codes.STATUS if failed else 0)
        self.response = told, self.holder.active(0)
        if exchange.kind == "SND-UD":
            return Heard("ACK", 2 if failed else 0, None), None
        return self.response


def check_changed(session, destroyed=True):
    order = session.order
    assert order.outcome == "done", order.reason
    assert order.result == {"key_id": 0, "key_version": 1, "changed": True, "destroyed": destroyed}
    assert session.holder.key(0) == NEW and session.present == (1, NEW)
    assert order.adopted == (0, 1, NEW) and order.new_key is None and not order.binding


def test_published_flow():
    """Ladder 14.11: transfer under the old key, activation under it naming it, its answer under the new one, destruction."""
    session = Session()
    assert (
        session.order.new_key == (0, 1, NEW) and session.order.adopted is None and not session.order.binding
    )
    session.run()
    check_changed(session)
    assert session.sent == [
        ("SND-UD2", 0x00, 0, False),
        ("SND-UD", 0x04, 0, True),
        ("REQ-UD2", None, 0, False),
        ("SND-UD2", 0x03, 1, False),
    ]
    assert [row[:3] for row in session.holder.export() if row[0] == 0] == [[0, 1, 2]]


@pytest.mark.parametrize("what", ("command", "answer", "cut"))
@pytest.mark.parametrize("number", range(4))
def test_each_step_lost(number, what):
    session = Session(lose={number: what}) if what != "cut" else Session(cut=(number,))
    session.run()
    # What is not there any more is refused, which is no proof that it was this command that destroyed it.
    check_changed(session, destroyed=not (number == 3 and what != "command"))


@pytest.mark.parametrize("pattern", range(1, 64))
def test_several_lost(pattern):
    lose = {number: ("command", "answer")[number % 2] for number in range(6) if pattern >> number & 1}
    session = Session(lose=lose)
    session.run()
    assert session.order.outcome == "done" and session.holder.key(0) == NEW == session.present[1]


def test_it_must_come_to_its_end():
    session = Session(lose={number: "answer" for number in range(1, 50)})
    session.run(most=40)
    assert session.order.outcome == "more" and session.order.binding
    session.lose = {}
    session.run()
    check_changed(session)


def test_a_telegram_of_the_meter_between_the_exchanges():
    session = Session(lose={2: "answer"})
    session.run(most=3)
    assert session.order.state["step"] == "probe" and session.order.under_new
    session.order.changed(None)  # an SND-NR under the new key
    session.present = session.order.adopted[1:]
    session.run()
    check_changed(session)


def test_the_meter_refuses():
    keys = dict(THEIRS)
    keys[(0x12, 0)] = Key(bytes([7] * 16))
    session = Session(keys=keys)
    assert session.run().outcome == "failed" and "present one still holds" in session.order.reason
    assert session.order.adopted is None and session.order.new_key is None and session.holder.key(0) == MASTER
    # A forged error, in clear, is none: it is tried again, and then given up before anything has changed.
    order = orders.make(["key-change"], METER, ours)
    for _ in range(4):
        order.exchange(None)
        assert order.heard(refused(0x20), None) == "more"
    order.exchange(None)
    assert order.heard(Heard("NACK", None, None), None) == "failed"


def test_the_session_fetched_the_result_already():
    session = Session()
    session.run(most=1)
    exchange = session.order.exchange(None)
    session.meter(exchange, 0)
    status = sitp.build([sitp.block(0x84, sitp.STATUS, 0x12, 0, b"\x19")])
    assert session.order.heard(answered(sitp.ANSWER_LONG, status, 2), None) == "failed"


def test_a_key_of_an_application():
    session = Session(words=("key-change", "20"))
    assert session.order.new_key is None
    order = session.run()
    assert order.outcome == "done" and order.result["key_id"] == 0x20 and order.adopted is None
    assert session.holder.key(0x20) == NEW_APPLICATION and session.holder.key(0) == MASTER
    assert [row[:2] for row in session.sent] == [
        ("SND-UD2", 0),
        ("SND-UD", 4),
        ("REQ-UD2", None),
        ("SND-UD2", 3),
    ]


def test_what_is_missing_is_named():
    for missing, words, text in (
        ((0, 1), ["key-change"], "the new key"),
        ((0x12, 0), ["key-change"], "wrapper key"),
        ((0, 0), ["key-change"], "present key"),
        ((0x14, 0), ["key-change", "20"], "wrapper key"),
    ):
        keys = {name: key for name, key in OURS.items() if name != missing}
        with pytest.raises(MisuseError) as caught:
            orders.make(
                words, METER, lambda key_id, version=None, keys=keys: key_store(keys)(key_id, version or 0)
            )
        assert text in caught.value.message and "key store" in caught.value.hint
    for words in (
        ["key-change", "12"],
        ["key-change", "zz"],
        ["key-change", "00", "0"],
        ["key-change", "00", "255"],
    ):
        with pytest.raises(MisuseError):
            orders.make(words, METER, ours)


@pytest.mark.parametrize(
    "change", ({"wrapped": "00"}, {"wrapped": 7}, {"version": 3}, {"wrapper": [0x12, 9]})
)
def test_damaged(change):
    stored = orders.make(["key-change"], METER, ours).export()
    stored["state"] = dict(stored["state"], **change)
    with pytest.raises((StoreError, MisuseError)):
        found = orders.restore(stored, ours)
        assert found.new_key
