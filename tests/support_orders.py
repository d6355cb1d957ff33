"""An order and a meter's application against each other, without a link between them: what a session carries."""

import json

from omsnode.firmware.application import error_codes, telegram
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.key_holder import KeyHolder
from omsnode.firmware.roles.orders import MORE, Exchange, Heard, make
from omsnode.firmware.security.keys import Key

METER = Address.parse("12345678.M=XYZ.V=55.T=07")
MASTER, WRAPPER, STORAGE = [Key(bytes([number] * 16)) for number in (1, 2, 3)]
WALL_US = 1767225600 * 1000000  # 2026-01-01T00:00:00Z
S = 1000000


def message(ci, data, status=0, address=METER):
    """The Telegram of an answer in clear with long header, as if it had been opened."""
    head = bytes((ci,)) + address.tpl_bytes() + bytes((7, status, 0, 0))
    found = telegram.decode_message(head + data, address)
    assert found.error is None
    return found


def answered(ci, data, status=0):
    return Heard("RSP-UD", status, message(ci, data, status))


def refused(code):
    return answered(0x6F, bytes((code,)), error_codes.STATUS)


def key_store(keys):
    """What orders.make takes: of {(KeyID, version): Key}; without a version the highest."""

    def found(key_id, version=None):
        versions = [name[1] for name in keys if name[0] == key_id]
        if version is None and versions:
            version = max(versions)
        key = keys.get((key_id, version))
        return None if key is None else (version, key)

    return found


class Meter:
    """Device and KeyHolder as a CommandedMeter has them; every answer is the one to the exchange."""

    def __init__(self, registers, keys=(), profile=0, **more):
        self.device = Device(registers, **more)
        self.holder = KeyHolder({(0, 0): MASTER, (0x12, 0): WRAPPER, **dict(keys)}, STORAGE)
        self.values = [one.value for one in registers[:profile]]
        self.now_us = 10 * S
        self.exchanges = []
        self.response = b"\x2f"  # the standard response

    def wall_us(self):
        return WALL_US + self.now_us

    def answer(self, exchange, wants=True):
        self.exchanges.append(exchange)
        told = self._answer(exchange, wants)
        self.now_us += 5 * S
        return told

    def _answer(self, exchange, wants):
        device = self.device
        device.at(self.now_us, self.wall_us(), self.values)
        if exchange.kind == "REQ-UD2":
            selected = device.response()
            return answered(0x72, self.response if selected is None else selected, device.status)
        if exchange.kind == "REQ-UD1":
            found = device.alarm()
            if found is None:
                return Heard("ACK", 0, None)
            device.alarm_sent(found[1])
            return answered(found[0][1], found[1])
        if exchange.ci == sitp.COMMAND:
            return self._secured(exchange)
        told = device.plain(exchange.ci, exchange.data, self.now_us, self.wall_us())
        for place, value in device.take_changes():
            self.values[place] = value
        if told.code is not None:
            return refused(told.code)
        if not wants:
            return Heard("ACK", 0, None)
        if told.ci is None:
            selected = device.response()
            return answered(0x72, self.response if selected is None else selected)
        return answered(told.ci[1], told.data)

    def _secured(self, exchange):
        before = self.device.snapshot()
        answers, _ = self.holder.execute(sitp.read(exchange.data), self.device.respond)
        failed = any(one.structure == sitp.STATUS and one.content[0] for one in answers)
        if failed:
            self.device.rollback(before)
        for place, value in self.device.take_changes():
            self.values[place] = value
        return answered(sitp.ANSWER_LONG, sitp.build(answers), error_codes.STATUS if failed else 0)


def carry(order, meter, most=8):
    """To the end, the order stored and restored before each exchange; returns the last Order."""
    for _ in range(most):
        if order.outcome != MORE:
            break
        stored = json.loads(json.dumps(order.export()))
        order = orders.restore(stored, order.keys)
        exchange = order.exchange(meter.wall_us())
        if exchange is None:
            break
        assert isinstance(exchange, Exchange) and len(exchange.data) <= 190
        order.heard(meter.answer(exchange, order.wants), meter.wall_us())
        assert json.loads(json.dumps(order.export())) == json.loads(json.dumps(order.export()))
    return order


def done(words, meter, keys=None, known=(), address=METER):
    order = carry(make(words, address, keys, known), meter)
    assert order.outcome == "done", order.reason
    return order.result


def failed(words, meter, keys=None, known=(), address=METER):
    order = carry(make(words, address, keys, known), meter)
    assert order.outcome == "failed", order.result
    return order.reason
