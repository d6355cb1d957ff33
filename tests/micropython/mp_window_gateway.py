"""The gateway in the windows of a meter on either interpreter: published installation and access demand, a command and its
answer in profiles B and D, a restart; no radio. Vectors: OMS Vol.2 Annex N (Release E 2.0.2)."""

import json

from omsnode.firmware.link import extended, frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.actions import Deliver, Persist, Transmit
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection, sealing

S = 1000000
METER = Address.parse("12345678.M=XYZ.V=55.T=07")
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER = Key(bytes(range(16)))
VOLUME = bytes.fromhex("0413E8030000")


class Stage:
    def __init__(self, family, partners, state=None, gateway=GATEWAY, **settings):
        self.family = family
        self.now_us = 10 * S
        self.sent, self.told, self.stored = [], [], []
        known = [KnownMeter("m", one.pattern, one.side.key) for one in partners]
        self.role = Gateway(Collector(known), gateway, partners, bytes(range(32)), state, **settings)
        self.do(self.role.start(self.now_us))
        self.run(self.now_us)

    def do(self, actions):
        for action in actions:
            if isinstance(action, Persist):
                self.stored.append(json.dumps(action.state))
            elif isinstance(action, Deliver):
                self.told.append(action.reading)
            elif isinstance(action, Transmit):
                self.sent.append(action.telegram)
                at_us = (action.at_us + action.until_us) // 2
                self.now_us = at_us + 9000
                self.do(self.role.feed(radio.Event(radio.SENT, at_us, self.now_us), self.now_us))

    def run(self, until_us):
        while self.role.due_us is not None and self.role.due_us <= until_us:
            self.now_us = max(self.now_us, self.role.due_us)
            self.do(self.role.tick(self.now_us))
        self.now_us = max(self.now_us, until_us)

    def hear(self, telegram, rssi_dbm=-80):
        self.now_us += S
        count = len(self.sent)
        frame = bytes(frame_a.build(telegram))
        event = radio.Event(radio.FRAME, self.now_us, self.now_us + 5000, frame, self.family, "A", rssi_dbm)
        self.now_us += 5100
        answer = self.role.reply(event, self.now_us)
        if answer:
            self.sent.append(answer.telegram)
            sent = radio.Event(radio.SENT, answer.at_us + 100, answer.at_us + 9000)
        self.do(self.role.feed(event, self.now_us))
        if answer:
            self.now_us = sent.end_us
            self.do(self.role.feed(sent, self.now_us))
        self.run(self.now_us + 1200000)
        return self.sent[count:]


def protected(mode, c_field, number, message, counter, data, cc=0x80):
    security = sealing.Security(mode, MASTER, counter)
    afl, body = sealing.seal(security, 0x7A, METER, message, 0, data)
    afl = authentication.build(afl) if afl else b""
    return link_telegram.build(c_field, METER, extended.build(cc, number) + afl + body)


def command(family, mode, profile):
    stage = Stage(family, [Partner(METER, MASTER, profile)])
    stage.hear(protected(mode, 0x44, 1, 1, 100, VOLUME, 0x80))
    order = orders.make(["read"], METER)
    assert stage.role.queue(METER, order, stage.now_us) == 1
    stage.run(stage.now_us)
    # Behind a restart it goes on with what was stored.
    state = json.loads(stage.stored[-1])
    stage = Stage(family, [Partner(METER, MASTER, profile)], state)
    sent = stage.hear(protected(mode, 0x44, 2, 2, 101, VOLUME, 0x80))
    sent = sent or stage.hear(protected(mode, 0x44, 3, 3, 102, VOLUME, 0x80))
    assert len(sent) == 1 and sent[0][1] == 0x7B, sent
    link = link_telegram.parse(sent[0])
    tpl = header.parse(sent[0], link.offset)
    number = link.ell.access_number
    answer = protected(mode, 0x08, number, tpl.access_number, 103, VOLUME)
    sent = stage.hear(answer) or stage.hear(answer)
    assert [one[1] for one in sent] == [0x40]
    (done,) = [one for one in stage.told if getattr(one, "step", None) == "done"]
    assert done.detail["records"][0]["mantissa"] == 1000, done.detail
    write = orders.make(["write", "04:13", "1.5"], METER)
    stage.role.queue(METER, write, stage.now_us)
    stage.run(stage.now_us)
    (sent,) = stage.hear(protected(mode, 0x44, 4, 4, 104, VOLUME, 0x80))
    link = link_telegram.parse(sent)
    afl, at = authentication.parse_if_any(sent, link.offset)
    tpl = header.parse(sent, at)
    opened = protection.open_message(sent, tpl, afl, METER, lambda *_: MASTER)
    assert opened.authenticated and 104 < opened.counter <= 204


def published():
    request = bytes.fromhex(
        "51469315785634123303"
        + "8C8045"
        + "7A01004805D2B70B3FBC1A1580D79B92CAA1D95341B609EF603AD3629472B2067D26BD2B"
        "5FDDC2374D29D0CD0858C5614E8B56E6C2175962DB0F01AA2AA7B12EE4B5F63F44"
    )
    gateway = Address.parse("33445566.M=XYZ.V=0a.T=31")
    stage = Stage("C", [], gateway=gateway, install=[Address.parse("12345678.M=ELS")])
    sent = stage.hear(request)
    assert sent[0].hex().upper() == "19063A63665544330A318C844580785634129315330301190000", sent[0].hex()
    stage.run(stage.now_us + 30 * S)
    assert stage.sent[-1][1] == 0x40
    demand = bytes.fromhex("1948B05C1147150811378CA0518B16685438386B190751000000")
    stage = Stage("T", [Partner(Address.parse("38546816.M=ZYX.V=19.T=07"))])
    (sent,) = stage.hear(demand, -84)
    assert sent[1] == 0 and sent[-13:].hex() == "8016685438386b190751170000"


published()
command("C", 7, "B")
command("T", 7, "B")
command("S", 10, "D")
print("ok")
