"""A gateway role on a clock of the test: what it sends, tells and stores, and the frames of its meter; no radio, no node."""

from omsnode.firmware.link import extended, frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import REFUSED, Deliver, Persist, Transmit
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.orders import DONE, FAILED, MORE, Exchange
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, sealing

S = 1000000
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
METER = Address.parse("12345678.M=XYZ.V=55.T=07")
MASTER = Key(bytes(range(16)))
ENTROPY = bytes(range(32))
FAMILY = {"T2": "T", "C2": "C", "S2": "S"}
CHIPS_US = {"T2": 31, "C2": 20, "S2": 31}  # downlink, of a chip, rounded up


class Order:
    """An order that wants these exchanges and says DONE behind the last one."""

    binding = False
    new_key = adopted = None
    under_new = named = timed = False
    result = None
    reason = None

    def __init__(self, *exchanges, wants=True, once=False, words=("fake",)):
        self.exchanges = list(exchanges)
        self.wants = wants
        self.once = once
        self.words = list(words)
        self.outcome = MORE
        self.log = []

    def exchange(self, wall_us):
        self.log.append("exchange")
        return self.exchanges[0]

    def heard(self, heard, wall_us):
        status = "" if heard.status is None else " {:02X}".format(heard.status)
        self.log.append(heard.kind + status)
        self.last = heard
        self.exchanges.pop(0)
        if heard.kind == "NACK":
            self.outcome, self.reason = FAILED, "NACK"
        elif not self.exchanges:
            self.outcome, self.result = DONE, {"ok": True}
        return self.outcome

    def silence(self, wall_us):
        self.log.append("silence")
        if self.once:
            self.outcome, self.reason = FAILED, "unknown"
        return self.outcome

    def export(self):
        return {"words": self.words, "once": self.once, "count": len(self.exchanges)}


WRITE = Exchange("SND-UD", 0x5B, bytes.fromhex("0413E8030000"))
WRITE2 = Exchange("SND-UD2", 0x5B, bytes.fromhex("0413E8030000"))
READ = Exchange("REQ-UD2", None, b"")
VOLUME = bytes.fromhex("0413E8030000")
ALARM = Exchange("REQ-UD1", None, b"")


def said(telegram):
    """(name, access number of the link, TPL or None, Link) of a telegram of the gateway."""
    link = link_telegram.parse(telegram)
    afl, at = authentication.parse_if_any(telegram, link.offset)
    tpl = header.parse(telegram, at) if at < len(telegram) and not (afl and afl.fragment_id > 1) else None
    number = link.ell.access_number if link.ell else tpl.access_number
    return link.c_field, number, tpl, link


class Meter:
    """Makes the frames of a meter. counter: of its last protected message."""

    def __init__(self, address=METER, key=MASTER, mode=7, cc=0x80, link=None):
        self.address = address
        self.key = key
        self.mode = mode
        self.cc = cc
        self.link = link or address
        self.counter = 100
        self.number = 0x20

    def _frame(self, c_field, number, payload, cc=None, receiver=None):
        head = extended.build(self.cc if cc is None else cc, number, receiver)
        return link_telegram.build(c_field, self.link, head + payload)

    def _protected(self, codes, number, status, data):
        self.counter += 1
        security = sealing.Security(self.mode, self.key if self.mode else None, self.counter)
        long = self.link != self.address
        afl, message = sealing.seal(security, codes[long], self.address, number, status, data, long=long)
        return (authentication.build(afl) if afl else b"") + message

    def _empty(self, code, number, status):
        return bytes((code + 1,)) + self.address.tpl_bytes() + bytes((number, status, 0, 0))

    def nr(self, cc=None):
        self.number = self.number + 1 & 0xFF
        payload = self._protected((0x7A, 0x72), self.number, 0, bytes.fromhex("0413E8030000"))
        return self._frame(0x44, self.number, payload, (self.cc if cc is None else cc) | 0x20)

    def ack(self, telegram, status=0, number=None, receiver=None):
        _, theirs, tpl, _ = said(telegram)
        number = theirs if number is None else number
        payload = self._empty(0x8A, tpl.access_number, status) if tpl else b""
        return self._frame(0x00, number, payload, None, receiver)

    def nack(self, telegram):
        return self._frame(0x01, said(telegram)[1], b"")

    def rsp(self, telegram, status=0, data=VOLUME, number=None, receiver=None):
        _, theirs, tpl, _ = said(telegram)
        self.heard(telegram)
        payload = self._protected((0x7A, 0x72), tpl.access_number, status, data)
        return self._frame(0x08, theirs if number is None else number, payload, None, receiver)

    def heard(self, telegram):
        """Its counter goes on behind that of a command."""
        afl, _ = authentication.parse_if_any(telegram, said(telegram)[3].offset)
        if afl and afl.counter:
            self.counter = max(self.counter, afl.counter)

    def error(self, telegram, code):
        _, number, tpl, _ = said(telegram)
        return self._frame(0x08, number, self._empty(0x6E, tpl.access_number, 2) + bytes((code,)))

    def demand(self, synchronous=True):
        cc = self.cc | (0x20 if synchronous else 0)
        return self._frame(0x48, self.number, self._empty(0x8A, self.number, 0), cc)

    def installation(self, cc=None):
        return self._frame(0x46, self.number, self._protected((0x7A, 0x72), 1, 0, b"\x02\x13\x01\x00"), cc)


class Stage:
    """A Gateway whose Transmits are carried out as `fates` says: "sent" (where there is none), "late", "duty_cycle", "persist".

    sent: [Transmit] that were on the air. told: what was delivered. stored: states. log: [step] of the orders.
    """

    def __init__(
        self, mode="C2", partners=None, meters=(), wall_us=None, state=None, profile="B", **settings
    ):
        self.mode = mode
        self.now_us = 10 * S
        self.wall_us = wall_us
        self.fates = []
        self.offers, self.sent, self.told, self.stored = [], [], [], []
        self.disk = True
        self.order_of_things = []
        partners = [Partner(METER, MASTER, profile)] if partners is None else partners
        known = [KnownMeter("m", one.pattern, one.side.key) for one in partners]
        self.role = Gateway(Collector(known), GATEWAY, partners, ENTROPY, state, **settings)
        self._do(self.role.start(self.now_us))
        self.run(self.now_us)

    def _wall(self):
        return None if self.wall_us is None else self.wall_us + self.now_us

    def _do(self, actions):
        for action in actions:
            if isinstance(action, Persist):
                self.order_of_things.append("stored" if self.disk else "refused")
                if not self.disk:
                    refused = radio.Event(REFUSED, self.now_us, code="persist")
                    self._do(self.role.feed(refused, self.now_us, self._wall()))
                    return
                self.stored.append(action.state)
            elif isinstance(action, Deliver):
                self.told.append(action.reading)
            elif isinstance(action, Transmit):
                self._transmit(action)

    def _transmit(self, action):
        self.offers.append((self.now_us, action))
        fate = self.fates.pop(0) if self.fates else "sent"
        if fate == "sent":
            self.order_of_things.append("sent")
            at_us = (action.at_us + action.until_us) // 2
            end_us = at_us + len(action.chips) * 8 * CHIPS_US[action.mode]
            self.now_us = max(self.now_us, end_us)
            self.sent.append(action)
            event = radio.Event(radio.SENT, at_us, end_us)
        elif fate == "late":
            self.now_us = max(self.now_us, action.until_us)
            event = radio.Event(radio.TOO_LATE, action.until_us)
        else:
            event = radio.Event(REFUSED, self.now_us, code=fate)
        self._do(self.role.feed(event, self.now_us, self._wall()))

    def hear(self, telegram, at_us=None, rssi_dbm=-66, frame=None):
        """A frame of a meter; its window goes by. Returns the telegrams that were sent until then."""
        self.now_us = at_us = max(self.now_us, at_us or self.now_us + S // 10)
        self.run(at_us)
        count = len(self.sent)
        frame = bytes(frame_a.build(telegram)) if frame is None else frame
        event = radio.Event(radio.FRAME, at_us, at_us + 5000, frame, FAMILY[self.mode], "A", rssi_dbm)
        self.now_us += 5100
        answer = self.role.reply(event, self.now_us)
        armed = None
        if answer is not None:
            # As two_way.py: the frame is fed when the answer was sent or missed, and before that is told.
            feed = self.role.feed

            def first(sent, now_us, wall_us):
                self.role.feed = feed
                self._do(feed(event, now_us, wall_us))
                return feed(sent, now_us, wall_us)

            self.role.feed = first
            armed = answer
            self._transmit(answer)
        if armed is None:
            self._do(self.role.feed(event, self.now_us, self._wall()))
        self.run(self.now_us + 1100000)
        return [one.telegram for one in self.sent[count:]]

    def run(self, until_us):
        for _ in range(10000):
            due_us = self.role.due_us
            if due_us is None or due_us > until_us:
                self.now_us = max(self.now_us, until_us)
                return
            self.now_us = max(self.now_us, due_us)
            self._do(self.role.tick(self.now_us, self._wall()))
        raise AssertionError("it never rests")

    def order(self, *exchanges, meter=METER, expires_us=None, **settings):
        made = Order(*exchanges, **settings)
        made.number = self.role.queue(meter, made, self.now_us, expires_us)
        self.run(self.now_us)
        return made

    def steps(self, number=1):
        return [one.step for one in self.told if getattr(one, "number", 0) == number and hasattr(one, "step")]


def fragments(meter, telegram, data, sizes=(40,)):
    """Payloads of an answer in fragments."""
    from omsnode.firmware.transport import fragmentation

    _, _, tpl, _ = said(telegram)
    meter.heard(telegram)
    meter.counter += 1
    security = sealing.Security(meter.mode, meter.key, meter.counter)
    afl, message = sealing.seal(security, 0x7A, meter.address, tpl.access_number, 0, data, fragmented=True)
    return fragmentation.split(afl, message, list(sizes))


def fragment(meter, telegram, payload):
    """RSP-UD with one of them, as an answer to this telegram."""
    return meter._frame(0x08, said(telegram)[1], payload, None, GATEWAY)
