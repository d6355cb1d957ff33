"""A burst gateway on either interpreter: a command and its answer in profiles B and D, a MAC command, status, an installation, multi
bursts until a MACK, a restart; no radio. Vectors: OMS Vol.2 Annex Q (release A); times: LPWAN sheet 11."""

import json

from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import counters, elements, llc, mac
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.burst import burst, decode
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.actions import Deliver, Persist, Transmit
from omsnode.firmware.roles.collector import KnownMeter
from omsnode.firmware.roles.lpwan.collector import BurstCollector
from omsnode.firmware.roles.lpwan.gateway import BurstGateway
from omsnode.firmware.roles.lpwan.gateway_managed import Managing
from omsnode.firmware.roles.lpwan.gateway_partner import BurstPartner
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, sealing

S = 1000000
METER = Address.from_link(bytes.fromhex("A73D785634121503"))
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER = Key(bytes(range(16)))
MAC_KEY = Key(bytes(range(16, 32)))
VOLUME = bytes.fromhex("0413E8030000")
MACK = bytes.fromhex("098378CFC7")  # Q.K.4
OPTION_1 = elements.Up(0, 2, "DL-B4", 0, None, None, 2, 0)
OPTION_4 = elements.Up(0, 5, "DL-B4", 0, None, None, 2, 0)


def keys(key_id, version=None):
    return {0: (0, MASTER), 15: (0, MAC_KEY)}.get(key_id)


class Down:
    def __init__(self, action, start_us):
        rate = modes.find(action.mode, "down").chip_rate_cps
        self.sync_us = start_us + 64 * S // rate
        self.end_us = start_us + len(action.chips) * 8 * S // rate
        self.header, wrong, data = burst.receive(action.chips[8:], "down", (64,))
        assert not wrong
        right = lambda found: found == action.telegram  # noqa: E731
        for index in (1, 2, 3) if self.header.multi else (None,):
            if decode.payload(self.header, [(index, data)], right):
                break
        else:
            raise AssertionError
        self.mac = mac.parse(action.telegram, "down")
        self.llc = llc.parse(self.mac.payload, False)
        self.tpl = None
        if self.llc.payload:
            afl, at = authentication.parse_if_any(self.llc.payload, 0)
            self.tpl = header.parse(self.llc.payload, at)
            self.counter = afl.counter if afl else None


class Stage:
    def __init__(self, profile="B", state=None, install="none", managing=None):
        self.now_us = 10 * S
        self.downs, self.told, self.stored, self.armed = [], [], [], None
        partner = BurstPartner(METER, MASTER, profile, 0, keys, managing=managing)
        collector = BurstCollector([KnownMeter("m", METER, MASTER)])
        self.role = BurstGateway(collector, GATEWAY, [partner], bytes(range(32)), state, install)
        self.number, self.counter = 0x20, 100
        self.mode = {"B": 7, "D": 10}[profile]
        self.mac = counters.Meter(MAC_KEY, METER)
        self.do(self.role.start(self.now_us))
        self.run(self.now_us)

    def do(self, actions):
        for action in actions:
            if isinstance(action, Persist):
                self.stored.append(json.dumps(action.state))
            elif isinstance(action, Deliver):
                self.told.append(action.reading)
            elif isinstance(action, Transmit):
                start_us = (action.at_us + action.until_us) // 2
                down = Down(action, start_us)
                self.armed = (down, radio.Event(radio.SENT, start_us, down.end_us))

    def run(self, until_us):
        while True:
            due_us = self.role.due_us
            if self.armed and (due_us is None or self.armed[0].end_us <= due_us):
                if self.armed[0].end_us > until_us:
                    break
                (down, event), self.armed = self.armed, None
                self.now_us = max(self.now_us, down.end_us)
                self.downs.append(down)
                self.do(self.role.feed(event, self.now_us))
            elif due_us is None or due_us > until_us:
                break
            else:
                self.now_us = max(self.now_us, due_us)
                self.do(self.role.tick(self.now_us))
        self.now_us = max(self.now_us, until_us)

    def burst(self, chips, at_us):
        self.run(at_us + 20000)
        event = radio.Event(radio.FRAME, at_us, at_us + 20000, chips[8:], "B", "UL", -80, None, 10000)
        self.do(self.role.feed(event, self.now_us))

    def hear(self, frame):
        """A single burst; the Downs of the minute behind it."""
        count = len(self.downs)
        self.t0_us = self.now_us + S
        self.burst(burst.uplink(frame, 64, 0, 0)[0], self.t0_us)
        self.run(self.now_us + 60 * S)
        return self.downs[count:]

    def order(self, words):
        order = orders.make(words.split(), METER, keys)
        self.role.queue(METER, order, self.now_us)

    def frame(self, kind, c_field=None, number=None, upper=None, body=None, up=OPTION_1):
        fields = llc.meter_up(c_field, METER, number, 0, upper)
        return mac.build(kind, up, body, llc.build(fields, True), "UL-B4")

    def protected(self, number):
        self.counter += 1
        security = sealing.Security(self.mode, MASTER, self.counter)
        afl, message = sealing.seal(security, 0x7A, METER, number, 0, VOLUME)
        return authentication.build(afl) + message if afl else message

    def nr(self, up=OPTION_1, body=None):
        self.number += 1
        return self.frame(mac.MSNR, 0x44, self.number, self.protected(self.number), body, up)

    def rsp(self, down):
        if down.counter is not None:
            self.counter = max(self.counter, down.counter)
        return self.frame(mac.MSNR, 8, down.llc.access_number, self.protected(down.tpl.access_number))

    def mrsp(self, down, data):
        judged = self.mac.command(down.mac, True)
        assert judged.action == counters.EXECUTE
        return self.frame(mac.MRSP, body=self.mac.answer(data))

    def steps(self):
        return [one.step for one in self.told if hasattr(one, "step")]


def closed(downs):
    assert len(downs) == 1 and downs[0].llc.c_field == 0x40 and downs[0].mac.elements.sc == 1


def command(profile):
    stage = Stage(profile)
    stage.order("write volume 12.3")
    (down,) = stage.hear(stage.nr())
    assert abs(down.sync_us - stage.t0_us - 1500000) < 5  # UL-B4, fast
    assert down.mac.type == mac.MCNR and down.llc.c_field & 0x53 in (0x43, 0x53)
    closed(stage.hear(stage.rsp(down)))
    assert stage.steps()[-1] == "closed" and "done" in stage.steps()


def mac_command():
    stage = Stage()
    stage.order("mac-read release")
    (down,) = stage.hear(stage.nr())
    assert down.mac.type == mac.MCMD and down.mac.body.counter == 1
    closed(stage.hear(stage.mrsp(down, bytes.fromhex("A1010017"))))
    done = [one.detail for one in stage.told if getattr(one, "step", None) == "done"]
    assert done[0]["supported release"] == 2023
    again = Stage(state=json.loads(stage.stored[-1]))
    again.order("mac-renew")
    (down,) = again.hear(again.nr())
    assert down.mac.body.der_counter == 1 and down.mac.body.counter == 0


def status():
    stage = Stage()
    stage.hear(stage.nr(body=stage.mac.unsolicited(bytes.fromhex("34031116"), True)))
    told = [one for one in stage.told if hasattr(one, "authentic")]
    assert told[0].values == {"clock time": {"hour": 22, "minute": 17, "second": 3}} and told[0].authentic
    stage.mac = counters.Meter(MASTER, METER, [0, 77, 0])
    stage.hear(stage.frame(mac.MSNR, body=stage.mac.unsolicited(b"\x10\x01")))
    assert stage.role.counters["mac.mac_mismatch"] == 1


def installation():
    stage = Stage(install="known")
    (down,) = stage.hear(stage.frame(mac.MSNR, 0x46, 0x21, stage.protected(1)))
    assert (down.llc.c_field, down.llc.access_number) == (0x06, 0x21)


def several():
    """Option #4: RX3 and RX4, RX5; the MACK at TX2 ends it. UL-B4 short: t_A 2.25 s, t_B 3.75 s."""
    stage = Stage()
    stage.order("read")
    t0_us = stage.now_us + S
    sent = burst.uplink(stage.nr(OPTION_4), 64, 1, 0)
    stage.burst(sent[0], t0_us)
    stage.burst(sent[1], t0_us + 2250000)
    stage.burst(burst.uplink(MACK, 64, 0, 2)[0], t0_us + 6000000)
    stage.run(t0_us + 60 * S)
    assert [(one.sync_us - t0_us + 500) // 1000 for one in stage.downs] == [1125, 3375, 4500]


def managed():
    stage = Stage(managing=Managing())
    (down,) = stage.hear(stage.nr())
    assert down.mac.type == mac.MCMD
    data = bytes.fromhex("B301090F1F") + bytes.fromhex("250310") + bytes.fromhex("1606")
    closed(stage.hear(stage.mrsp(down, data)))
    asked = []
    for _ in range(9):
        asked += stage.hear(stage.nr())
    assert [one.mac.type for one in asked][:1] == [mac.MCMD]


def noise():
    stage = Stage()
    state = 12345
    for _ in range(40):
        body = bytearray()
        for _ in range(20):
            state = (state * 75 + 74) % 65537
            body.append(state & 0xFF)
        body[0] &= 0x6F
        stage.hear(bytes(body) + mac.crc(body))
    assert not stage.downs


command("B")
command("D")
mac_command()
status()
installation()
several()
managed()
noise()
print("ok")
