"""One order of each kind against the meter's application, on either interpreter; the breaker of OMS Vol.2 Annex N (Release E 2.0.2)
N.12 bit-exact."""

from checking import raises
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.application import telegram
from omsnode.firmware.application.commands import Register
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.device import CLOCK, Device
from omsnode.firmware.roles.key_holder import KeyHolder
from omsnode.firmware.roles.orders import Heard
from omsnode.firmware.security.keys import Key

METER = Address.parse("12345678.M=XYZ.V=55.T=07")
APPLICATION = Key.from_hex("08154711081547110815471108154711")
KEYS = {(number, 0): Key(bytes([number] * 16)) for number in (0, 0x12, 0x22, 0x26)}
KEYS[(0x20, 0)] = APPLICATION
STORAGE = Key(bytes(16))
WALL_US = 1767225600 * 1000000
NEW = Key(bytes([9] * 16))


def ours(key_id, version=None):
    if (key_id, version) == (0, 1):
        return 1, NEW
    key = KEYS.get((key_id, version or 0))
    return None if key is None else (version or 0, key)


class Meter:
    def __init__(self):
        registers = [
            Register(b"\x0c", b"\x13", 12345678, ("set", "add")),
            Register(b"\x04", b"\x6d", CLOCK),
            Register(b"\x02", b"\xfd\x17", 4, ("not",), 0x24),
            Register(b"\x01", b"\xfd\x1f", 1, ("set",), 0x20),
            Register(b"\x42", b"\xec\x7e", b"\x3f\x1c", ("set",), 0x26),
        ]
        self.device = Device(registers, {0: ((),), 7: ((0, 2),)}, valve=("direct", 3, None))
        self.holder = KeyHolder(KEYS, STORAGE)

    def answer(self, exchange):
        self.device.at(0, WALL_US)
        code, ci, data = None, 0x72, b""
        if exchange.kind == "REQ-UD1":
            return Heard("ACK", 0, None)
        if exchange.kind == "REQ-UD2":
            data = self.device.response() or b"\x02\xfd\x17\x04\x00"
        elif exchange.ci == sitp.COMMAND:
            answers, _ = self.holder.execute(sitp.read(exchange.data), self.device.respond)
            ci, data = 0xC5, sitp.build(answers)
        else:
            told = self.device.plain(exchange.ci, exchange.data, 0)
            code = told.code
            if told.ci:
                ci, data = told.ci[1], told.data
            if code is not None:
                ci, data = 0x6F, bytes((code,))
            elif exchange.kind == "SND-UD":
                return Heard("ACK", 0, None)
        message = bytes((ci,)) + METER.tpl_bytes() + b"\x01\x00\x00\x00" + data
        return Heard("RSP-UD", 0 if code is None else 2, telegram.decode_message(message, METER))


def run(words, meter):
    order = orders.make(words, METER, ours)
    while order.outcome == "more":
        order = orders.restore(order.export(), ours)
        exchange = order.exchange(WALL_US)
        order.heard(meter.answer(exchange), WALL_US)
    assert order.outcome == "done", order.reason
    return order.result


def test_each():
    meter = Meter()
    assert run(["read"], meter)["records"][0]["mantissa"] == 4
    assert run(["read", "volume"], meter)["records"][0]["mantissa"] == 12345678
    assert run(["write", "VM1!", "12.345"], meter)["records"][0]["mantissa"] == 12345
    assert run(["add", "volume", "0.005"], meter)["confirmed"]
    assert meter.device.registers[0].value == 12350
    assert run(["write", "DT2!N", "2026-12-31", "--secured"], meter)["confirmed"]
    assert run(["clock-read"], meter)["time"] == "2026-01-01T00:00"
    assert run(["clock-set", "--zone", "+01:00"], meter)["time"] == "2026-01-01T01:00:00"
    assert run(["clock-adjust", "-5"], meter)["seconds"] == -5
    assert run(["select", "static", "content"], meter)["application"] == 7
    assert len(run(["read"], meter)["records"]) == 2
    assert run(["reset"], meter)["application"] == 0
    assert run(["status"], meter)["status"] == 0
    assert run(["alarm"], meter)["alarm"] is None
    assert Device(meter.device.registers, state=meter.device.export()).export() == meter.device.export()
    raises(MisuseError, orders.make, ["valve", "open"], METER, None)


def test_clock_adjust_to_our_time():
    order = orders.make(["clock-adjust"], METER)
    order.exchange(WALL_US)
    told = bytes.fromhex("066D140000413100")
    message = b"\x72" + METER.tpl_bytes() + b"\x01\x00\x00\x00" + told
    order.heard(Heard("RSP-UD", 0, telegram.decode_message(message, METER)), WALL_US)
    assert order.exchange(WALL_US).data[:4].hex() == "03000000" and order.state["difference_s"] == 20


def test_breaker_n_12():
    meter = Meter()
    meter.holder._keys[(0x20, 0)][2] = 14
    heard = telegram.decode_message(b"\x72" + METER.tpl_bytes() + b"\x01\x00\x00\x00\x01\xfd\x1f\x01", METER)
    order = orders.make(["valve", "close"], METER, ours, heard.records)
    order.heard(meter.answer(order.exchange(None)), None)
    exchange = order.exchange(None)
    assert exchange.data.hex().upper() == "1C000020003220000F00000000000000300101FD1F00FA41E2812D449B4D"
    heard = meter.answer(exchange)
    answer = "1C0000A0003220000F00000000000000300101FD1F00FA41E2812D449B4D"
    assert orders.body(heard.telegram).hex().upper() == answer
    assert order.heard(heard, None) == "done" and order.result["state"] == 0


def test_key_change():
    meter = Meter()
    order = orders.make(["key-change"], METER, ours)
    order.heard(meter.answer(order.exchange(None)), None)
    order.exchange(None)
    meter.answer(order.exchange(None))
    order.heard(Heard("ACK", 0, None), None)
    assert order.exchange(None).kind == "REQ-UD2" and order.new_key[2] == NEW
    assert order.changed(None) == "more" and order.adopted[:2] == (0, 1)
    assert order.heard(meter.answer(order.exchange(None)), None) == "done"
    assert meter.holder.key(0) == NEW


test_each()
test_clock_adjust_to_our_time()
test_breaker_n_12()
test_key_change()
print("ok")
