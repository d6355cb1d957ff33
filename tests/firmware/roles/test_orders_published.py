"""Orders and the meter's application on published telegrams, bit-exact both ways: OMS Vol.2 Annex N (Release E 2.0.2) N.8.2, N.9,
N.12 (annex-n.json, without link CRCs)."""

from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.application import telegram
from omsnode.firmware.application.commands import Register
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.orders import Heard
from omsnode.firmware.security.keys import Key
from support_commands import APPLICATION, METER, command
from support_orders import Meter, key_store

BREAKER_KEY = Key(bytes(range(16)))
CLOCK_KEY = Key.from_hex("82B0551191F51D66EFCDAB8967452301")
N_8_2_UD = bytes.fromhex(
    "295324235634129008318C84516C44227592934400077D0010059ED82AB233D1A2A80BFFD3B7B6A908D7"
)
N_8_2_ACK = bytes.fromhex("190024230261884329078C80518B44227592934400077D020000")
N_9_RSP = bytes.fromhex("21086850785634128F088C80157A02001005FD26EF68ACF65BAE028BFDC188D8A972")
N_9_ERR = bytes.fromhex("12086850785634128F088C80156E0202000001")
N_12_1 = bytes.fromhex(
    "33443A637856341255208CA4E5900F002C25B30A0000ED17236827CEA2FF7A7500100710B38C5500993341B123674F5938D29933"
)
N_12_2 = bytes.fromhex(
    "4B433A632143658708318C8423900F002C25F00A000087E277722E67603DC3785634123A635520512020071028B27359AC9B83ABCDC87FFDF8F2"
    "FE8E1ED8F19718B7434C5EAED8663F15C5CA"
)
N_12_3 = bytes.fromhex(
    "43083A637856341255208C8423900F002C25F10A00001C566D47AB618754C451002007102DA57D884181E5376C0F7C9F86100822C33CF7CD"
    "FDB8411C20D477D8C5A67F37"
)
N_12_4 = bytes.fromhex(
    "33083A637856341255208C8423900F002C25F10A0000422FB12614375597C45102180710B315C2E1A0721EE74E3503AD479F0F0D"
)


def opened(raw, key):
    found = telegram.decode(raw, lambda _address, *_which: key)
    assert found.error is None, found.error
    return found


def test_clock_n_8_2():
    """110 s are told to the meter; it acknowledges with "any application error", and its error is 15h."""
    order = orders.make(["clock-adjust", "+110"], Address.parse("92752244.M=QDS.V=0.T=07"))
    exchange = order.exchange(None)
    sent = opened(N_8_2_UD, CLOCK_KEY)
    assert (exchange.kind, exchange.ci) == ("SND-UD", sent.tpl.ci)
    assert exchange.data == orders.body(sent) == bytes.fromhex("013201000000000000002F2F2F2F")
    device = Device([], clock_s=0)
    device.at(0)
    assert device.plain(sent.tpl.ci, orders.body(sent), 0).code == 0x15
    acknowledged = opened(N_8_2_ACK, None)
    assert acknowledged.tpl.status == 2
    order.heard(Heard("ACK", acknowledged.tpl.status, None), None)
    assert order.outcome == "failed" and "may have been executed" in order.reason
    # Fetched, it says which.
    order = orders.make(["clock-adjust", "+110"], None)
    order.exchange(None)
    error = telegram.decode_message(bytes.fromhex("6F44227592934400077D02000015"))
    assert order.heard(Heard("RSP-UD", 2, error), None) == "failed"
    assert order.code == 0x15 and order.reason.startswith(
        "parameter missing or wrong (application error 15h)"
    )


def test_readout_n_9():
    order = orders.make(["read"], Address.parse("12345678.M=TCH.V=8f.T=08"))
    assert order.exchange(None) == ("REQ-UD2", None, b"")
    assert order.heard(Heard("RSP-UD", 0, opened(N_9_RSP, BREAKER_KEY)), None) == "done"
    told = [
        (one["quantity"], one["mantissa"], one["text"], one["storage"]) for one in order.result["records"]
    ]
    assert told == [
        ("heat cost allocation", 12345, None, 0),
        ("date", None, "2009-12-31", 1),
        ("heat cost allocation", 23456, None, 1),
    ]
    picked = orders.make(["read", "HC1!", "HC1!D"], Address.parse("12345678.M=TCH.V=8f.T=08"))
    assert picked.exchange(None) == ("SND-UD2", 0x5B, bytes.fromhex("00EE0F 40EE0F"))
    picked.heard(Heard("RSP-UD", 0, opened(N_9_RSP, BREAKER_KEY)), None)
    assert [one["mantissa"] for one in picked.result["records"]] == [12345, 23456]


def test_error_n_9():
    order = orders.make(["read"], Address.parse("12345678.M=TCH.V=8f.T=08"))
    order.exchange(None)
    # It may be about a command from before (8.2.5): the application is reset once.
    assert order.heard(Heard("RSP-UD", 2, opened(N_9_ERR, None)), None) == "more"
    assert order.exchange(None) == ("SND-UD2", 0x53, b"")
    assert order.heard(Heard("RSP-UD", 2, opened(N_9_ERR, None)), None) == "failed"
    assert order.reason == "CI field not implemented (application error 01h)"
    told = Device([]).plain(0x64, b"", 0)
    assert bytes((told.code,)) == orders.body(opened(N_9_ERR, None))


def breaker(keys):
    """The meter of N.12.1, with key counter 14 behind it."""
    meter = Meter([Register(b"\x01", b"\xfd\x1f", 1, ("set",), 0x20)], keys, 1, valve=("direct", 0, None))
    for name, row in meter.holder._keys.items():
        row[2] = 14 if name[0] == 0x20 else 0
    return meter


def test_breaker_n_12():
    """Ladder 14.10: the state is heard, the breaker disconnected, which it confirms; only the counter is asked for before."""
    keys = key_store({(0x20, 0): APPLICATION})
    meter = breaker({(0x20, 0): APPLICATION})
    known = opened(N_12_1, BREAKER_KEY).records
    assert known[0].dib + known[0].vib + known[0].data == bytes.fromhex("01FD1F01")
    order = orders.make(["valve", "close"], METER, keys, known)
    asked = order.exchange(None)
    assert sitp.read(asked.data)[0].function == 9
    assert order.heard(meter.answer(asked), None) == "more"
    exchange = order.exchange(None)
    # Down: the order makes the published message.
    assert exchange.kind == "SND-UD2" and orders.padded(exchange.ci, exchange.data) is False
    sealed = command(exchange.data, 2800, 0x23, exchange.ci, 0x43, 7, BREAKER_KEY, 0x51)
    assert sealed == N_12_2
    # Up: the meter makes the published answer to it.
    heard = meter.answer(exchange)
    assert meter.values == [0] and meter.device.registers[0].value == 0
    published = opened(N_12_3, BREAKER_KEY)
    assert orders.body(heard.telegram) == orders.body(published)
    assert order.heard(Heard("RSP-UD", published.tpl.status, published), None) == "done"
    assert order.result == {"status": 0, "state": 0, "physical": None, "confirmed": True}


def test_breaker_without_the_key_n_12_4():
    keys = key_store({(0x20, 0): APPLICATION})
    sent = sitp.read(orders.body(opened(N_12_2, BREAKER_KEY)))
    answers, effects = breaker({}).holder.execute(sent, None)
    published = opened(N_12_4, BREAKER_KEY)
    assert sitp.build(answers) == orders.body(published) and effects == []
    order = orders.make(["valve", "close"], METER, keys)
    order.exchange(None)
    order.heard(breaker({(0x20, 0): APPLICATION}).answer(order.exchange(None)), None)
    order.exchange(None)
    assert order.heard(Heard("RSP-UD", 2, published), None) == "failed"
    assert (order.code, order.reason) == (0x19, "key id or key version not usable (status 19h)")
