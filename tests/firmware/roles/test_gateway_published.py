"""Telegrams of OMS Vol.2 Annex N (Release E 2.0.2) that a gateway sends, bit by bit, and those that answer them."""

import json

import pytest
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.installer import Installation
from omsnode.firmware.roles.orders import Exchange
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.security.keys import Key
from support_window import ENTROPY, READ, Meter, S, Stage, said

XYZ_GATEWAY = Address.parse("33445566.M=XYZ.V=0a.T=31")
RSSI = {0x00: None, 0x17: -84, 0x19: -80, 0x20: -66}  # security sheet 3.2


@pytest.fixture
def annex(shared):
    rows = json.loads((shared / "vectors" / "annex-n.json").read_text())["examples"]
    return {row["id"]: row for row in rows}


def raw(row):
    return bytes.fromhex(row["bytes_without_crc"])


def place(row):
    """(gateway, meter, key) that an example is about."""
    link = row["link_address"]
    gateway = Address.parse("{id}.M={manufacturer}.V={version:02x}.T={type_code}".format(**link))
    meter = Address.parse(
        "{id}.M={manufacturer}.V={version:02x}.T={type_code}".format(**row["tpl"]["application_address"])
    )
    return gateway, meter


class Example(Stage):
    """A Gateway as in an example: it is about to use these numbers, and hears the meter that well."""

    def __init__(self, request, key=None, profile=None, first=True, adapter=None, counter=None, **settings):
        gateway, meter = place(request)
        self.partner = Partner(meter, key, profile, **settings)
        self.meter = Meter(
            meter, key or Key(bytes(16)), {"A": 5, "B": 7, "D": 10, None: 0}[profile], link=adapter
        )
        super().__init__(partners=[self.partner])
        self.role = Gateway(Collector([KnownMeter("m", meter, key)]), gateway, [self.partner], ENTROPY)
        self._do(self.role.start(self.now_us))
        self.rssi_dbm = RSSI[int(request["tpl"]["status"], 16)]
        self.meter.counter = 0
        if counter:
            self.partner.side.sent = counter - 50
        self.hear(self.meter.nr(0x00), rssi_dbm=self.rssi_dbm)
        self.partner.number = int(request["ell"]["access_number"], 16) - 1
        self.partner.message = int(request["tpl"]["access_number"], 16) - 1
        self.partner._fcb = 0 if first else 0x20

    def ask(self, *exchanges, **settings):
        order = self.order(*exchanges, meter=self.partner.pattern, **settings)
        (sent,) = self.hear(self.meter.nr(), rssi_dbm=self.rssi_dbm)
        return order, sent


def key(row):
    keys = row["keys"]
    return Key.from_hex(keys.get("master_key") or keys["key"])


def test_read_through_an_adapter(annex):
    """N.2.4: foreign gateway, long ELL; profile B in the answer."""
    asked, answer = annex["N.2.4-REQ"], annex["N.2.4-RSP"]
    adapter = Address.parse("11223344.M=RAD.V=03.T=37")
    stage = Example(asked, key(answer), "B", adapter=adapter)
    order, sent = stage.ask(READ)
    assert sent == raw(asked)
    stage.hear(raw(answer))
    assert order.log == ["exchange", "RSP-UD 00"]
    assert len(order.last.telegram.records) == 3


@pytest.mark.parametrize("which, profile", [("N.3", "B"), ("N.5", "D")])
def test_fragmented_answer(annex, which, profile):
    """N.3, N.5: three requests, toggling FCB, the ones behind the first without TPL and with long ELL."""
    first = annex[which + ".3-REQ"]
    message = annex[which + "-message"]
    stage = Example(first, key(message), profile)
    order, sent = stage.ask(READ)
    assert sent == raw(first)
    for number in ("3", "4", "5"):
        assert sent == raw(annex["{}.{}-REQ".format(which, number)])
        sent = stage.hear(raw(annex["{}.{}-RSP".format(which, number)]))[0]
    assert sent[1] == 0x40
    assert order.log == ["exchange", "RSP-UD 00"]
    assert order.last.telegram.counter == message["message_counter"]


def test_clock_command(annex):
    """N.8.2: SND-UD with FCB = 0 in profile A; the annex has the short ELL towards an adapter, against 3.1.3.3 case 4 (its
    conflicts are listed in the file), so the meter is taken to have none; the answer comes from its adapter."""
    asked = annex["N.8.2-UD"]
    stage = Example(asked, key(asked), "A", first=False)
    data = bytes.fromhex(asked["application_data"])
    order, sent = stage.ask(Exchange("SND-UD", 0x6C, data), wants=False)
    assert sent == raw(asked)
    (fetch,) = stage.hear(raw(annex["N.8.2-ACK"]), rssi_dbm=None)
    c_field, number, tpl, _ = said(fetch)
    assert (c_field, number, tpl.access_number) == (0x7B, 0x52, 0x7E)  # STS 10: the error is fetched
    assert order.log == ["exchange"]


@pytest.mark.parametrize("answer, log", [("N.12.3", "RSP-UD 00"), ("N.12.4", "RSP-UD 02")])
def test_breaker(annex, answer, log):
    """N.12.2: SND-UD2, profile B; done, or refused in the secured container."""
    asked = annex["N.12.2"]
    master = Key.from_hex(asked["keys"]["master_key"])
    stage = Example(asked, master, "B", counter=asked["message_counter"])
    order, sent = stage.ask(Exchange("SND-UD2", 0xC3, bytes.fromhex(asked["application_data"])))
    assert sent == raw(asked)
    stage.hear(raw(annex[answer]))
    assert order.log == ["exchange", log]
    assert stage.partner.side.heard == 2801


@pytest.mark.parametrize("answer, log", [("N.9-RSP", "RSP-UD 00"), ("N.9-ERR", "RSP-UD 02")])
def test_two_answers_to_one_request(annex, answer, log):
    """N.9; the request is not printed: 15h and 02h are its numbers."""
    meter = Address.parse("12345678.M=TCH.V=8f.T=08")
    partner = Partner(meter, Key(bytes(range(16))), "A")
    stage = Stage(partners=[partner])
    tch = Meter(meter, mode=5)
    stage.hear(tch.nr(0x00))
    partner.number, partner.message = 0x14, 0x01
    order = stage.order(READ, meter=meter)
    stage.hear(tch.nr())
    stage.hear(raw(annex[answer]))
    assert order.log == ["exchange", log]


@pytest.mark.parametrize("install", ["known", "none", "named", "others"])
def test_installation(annex, install):
    """N.7: CNF-IR with both numbers of the meter, only where it is allowed; SND-NKE 5 to 25 s later, always (5.2.6)."""
    request, confirmed = annex["N.7-IR"], annex["N.7-CNF"]
    gateway, meter = place(confirmed)
    named = {"named": [Address.parse("12345678.M=ELS")], "others": [Address.parse("12345678.M=XYZ")]}
    stage = Stage()
    partners = [Partner(meter, key(request), "A")] if install == "known" else []
    stage.role = Gateway(Collector(), gateway, partners, ENTROPY, install=named.get(install, install))
    stage._do(stage.role.start(stage.now_us))
    end_us = stage.now_us + S // 10 + 5000
    sent = stage.hear(raw(request), rssi_dbm=-80)
    allowed = install in ("known", "named")
    assert sent == ([raw(confirmed)] if allowed else [])
    stage.run(stage.now_us + 60 * S)
    bye = stage.sent[-1]
    assert end_us + 5 * S <= bye.at_us <= bye.until_us <= end_us + 25 * S
    c_field, number, tpl, _ = said(bye.telegram)
    assert (c_field, tpl.ci, tpl.address, tpl.status) == (0x40, 0x80, meter, 0x19)
    told = [one.step for one in stage.told if isinstance(one, Installation)]
    assert told == ["heard"] + ["confirmed"] * allowed + ["told"]


def test_no_word_to_a_repeated_installation(annex):
    """INS-07: H = 0 only."""
    repeated = bytearray(raw(annex["N.7-IR"]))
    repeated[11] |= 0x10
    stage = Stage(install="known")
    stage.hear(bytes(repeated))
    stage.run(stage.now_us + 60 * S)
    assert stage.sent == [] and not [one for one in stage.told if isinstance(one, Installation)]


def test_access_demand(annex):
    """N.10: the ACK echoes the meter's numbers. The annex sends B = 1, A = 0 and the short ELL to an adapter."""
    demand, expected = annex["N.10-DMD"], annex["N.10-ACK"]
    gateway, meter = place(expected)
    stage = Stage()
    stage.role = Gateway(Collector(), gateway, [Partner(meter)], ENTROPY)
    stage._do(stage.role.start(stage.now_us))
    (sent,) = stage.hear(raw(demand), rssi_dbm=RSSI[0x17])
    published = raw(expected)
    assert sent[1:10] == published[1:10]
    assert sent[-13:] == published[-13:]
    link = said(sent)[3]
    assert link.ell.access_number == 0x51
    assert link.ell.receiver == Address.parse("08154711.M=WEP.V=11.T=37")
