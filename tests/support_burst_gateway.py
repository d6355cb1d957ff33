"""A burst gateway on a clock of the test: bursts of meters go in, what it sends is read as its meter would; no radio, no node.

The meters are made here, not by the role: MAC and LLC of link/lpwan, the upper layers of transport/sealing. Times of the slots are
typed in by the tests from the LPWAN sheet, section 11.
"""

from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import blocks, counters, elements, llc, mac
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.burst import burst, decode
from omsnode.firmware.roles.actions import REFUSED, Deliver, Persist, Transmit
from omsnode.firmware.roles.collector import KnownMeter
from omsnode.firmware.roles.lpwan.collector import BurstCollector
from omsnode.firmware.roles.lpwan.gateway import BurstGateway
from omsnode.firmware.roles.lpwan.gateway_partner import BurstPartner
from omsnode.firmware.roles.lpwan.hearing import Capture
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection, sealing
from support_window import Order

S = 1000000
METER = Address.from_link(bytes.fromhex("A73D785634121503"))  # of the annex
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
OTHER = Address.parse("11112222.M=XYZ.V=08.T=31")
MASTER = Key(bytes(range(16)))  # Annex N
MAC_KEY = Key(bytes(range(0x10, 0x20)))  # Table Q.K.1
ENTROPY = bytes(range(32))
VOLUME = bytes.fromhex("0413E8030000")
TIV = 64
# t_A, t_B in seconds at TIV 64 (LPWAN sheet 11.1): by UL-B4 or not, burst type.
SPACING = {
    (True, 0): (2.25, 3.75),
    (True, 1): (6.75, 11.25),
    (True, 2): (12, 20),
    (False, 0): (6.75, 11.25),
    (False, 1): (20.25, 33.75),
    (False, 2): (36, 60),
}


def us(seconds):
    return round(seconds * S)


def keys(key_id, version=None):
    found = {0: MASTER, 0x0F: MAC_KEY}.get(key_id)
    return found and version in (None, 0) and (0, found) or None


def partner(profile="B", address=METER, known=keys, **more):
    return BurstPartner(address, MASTER if profile else None, profile, 0, known, **more)


def up(access=2, downlink="DL-B4", uplink_n=None, downlink_n=None, timing=None, rxm=None, session=0, lms=0):
    """MElements. access: DL-AC; 2 is option #1."""
    downlink = downlink if access >= 2 else None
    return elements.Up(lms, access, downlink, session, uplink_n, downlink_n, timing, rxm)


OPTION_1 = up()


class Meter:
    """Makes the MAC frames of a meter. up: elements.Up of what it sends. counter: of its last protected message. mac: its
    counters.Meter."""

    def __init__(self, submode="UL-B4", up=None, mode=7, address=METER, link=None, key=MASTER):
        self.submode = submode
        self.up = up or OPTION_1
        self.mode = mode
        self.address = address
        self.link = link or address
        self.key = key
        self.counter = 100
        self.number = 0x20
        self.mac = counters.Meter(MAC_KEY, self.link)

    def frame(
        self, kind=mac.MSNR, c_field=None, number=None, upper=None, body=None, up=None, receiver=None, flag=0
    ):
        fields = llc.meter_up(c_field, self.link, number, flag, upper, receiver)
        return mac.build(kind, up or self.up, body, llc.build(fields, True), self.submode)

    def protected(self, codes, number, status, data):
        self.counter += 1
        security = sealing.Security(self.mode, self.key if self.mode else None, self.counter)
        long = self.link != self.address
        afl, message = sealing.seal(security, codes[long], self.address, number, status, data, long=long)
        return (authentication.build(afl) if afl else b"") + message

    def empty(self, code, number, status=0):
        return bytes((code + 1,)) + self.address.tpl_bytes() + bytes((number, status, 0, 0))

    def nr(self, **more):
        """SND-NR."""
        self.number = self.number + 1 & 0xFF
        upper = self.protected((0x7A, 0x72), self.number, 0, VOLUME)
        return self.frame(mac.MSNR, 0x44, self.number, upper, flag=1, **more)

    def installation(self, **more):
        """SND-IR with link number 21h and TPL number 01."""
        self.number = 0x21
        return self.frame(mac.MSNR, 0x46, 0x21, self.protected((0x7A, 0x72), 1, 0, VOLUME), **more)

    def demand(self):
        self.number = self.number + 1 & 0xFF
        return self.frame(mac.MSNR, 0x48, self.number, self.empty(0x8A, self.number), flag=1)

    def macc(self, **more):
        return self.frame(mac.MACC, **more)

    def heard(self, down):
        """Its counter goes on behind that of a command."""
        afl, _ = authentication.parse_if_any(down.llc.payload or b"\0", 0)
        if afl and afl.counter:
            self.counter = max(self.counter, afl.counter)

    def rsp(self, down, status=0, data=VOLUME, number=None, **more):
        self.heard(down)
        tpl = down.tpl
        upper = self.protected((0x7A, 0x72), tpl.access_number if tpl else self.tpl, status, data)
        return self.frame(mac.MSNR, 0x08, down.number if number is None else number, upper, **more)

    def ack(self, down, status=0, **more):
        upper = self.empty(0x8A, down.tpl.access_number, status) if down.tpl else None
        return self.frame(mac.MSNR, 0x00, down.number, upper, **more)

    def nack(self, down):
        return self.frame(mac.MSNR, 0x01, down.number)

    def mrsp(self, down, data, alive=True, **more):
        """MRSP to a MCMD. data: bytes of the MBlocks, or None for those of the command; the command is judged first."""
        judged = self.mac.command(down.mac, alive)
        assert judged.action == counters.EXECUTE, judged
        self.executed = judged.data
        body = self.mac.answer(judged.data if data is None else data)
        return self.frame(mac.MRSP, body=body, **more)

    def merr(self, **more):
        return self.frame(mac.MERR, **more)

    def status(self, found, named=False, **more):
        """A secured MSNR without upper layer. found: [MBlock]."""
        body = self.mac.unsolicited(blocks.build(found), named)
        return self.frame(mac.MSNR, body=body, **more)


class Down:
    """A downlink burst as it was on the air. sync_us: end of its front sync. name: of the sub-mode with sub-carrier. payload,
    mac, llc, tpl, number: of its frame. index: of a multi burst, or None."""

    def __init__(self, action, start_us, tivs):
        self.name, self.offset_hz = action.mode, action.offset_hz
        rate = modes.find(action.mode, "down").chip_rate_cps
        self.start_us = start_us
        self.sync_us = start_us + round(64 * S / rate)
        self.end_us = start_us + -(-len(action.chips) * 8 * S // rate)
        assert action.chips[:8] == bytes.fromhex("55555555C1FA4C6A")
        self.header, wrong, data = burst.receive(action.chips[8:], "down", tivs)
        assert not wrong
        self.index = None
        # A right CRC is not enough: DL2 taken for DL1 has one, too, in one case of 54.
        for index in (1, 2, 3) if self.header.multi else (None,):
            self.payload = decode.payload(
                self.header, [(index, data)], lambda found: found == action.telegram
            )
            if self.payload is not None:
                self.index = index
                break
        assert self.payload == action.telegram and mac.valid(self.payload)
        self.mac = mac.parse(self.payload, "down")
        self.llc = llc.parse(self.mac.payload, False)
        self.number = self.llc.access_number
        upper = self.llc.payload
        self.tpl = None
        if upper:
            afl, at = authentication.parse_if_any(upper, 0)
            if afl is None or afl.fragment_id < 2:
                self.tpl = header.parse(upper, at)

    @property
    def air_us(self):
        return self.end_us - self.start_us

    @property
    def type(self):
        return mac.name(self.mac.type)

    @property
    def c_field(self):
        return self.llc.c_field

    @property
    def sc(self):
        return self.mac.elements.sc if self.mac.elements else 0

    def opened(self, key=MASTER):
        """Application bytes, as they were protected."""
        afl, _ = authentication.parse_if_any(self.llc.payload, 0)
        found = protection.open_message(
            self.llc.payload, self.tpl, afl, METER, lambda *_: key, (authentication.CMAC_8,)
        )
        return bytes(found.payload[2 if self.tpl.mode == 7 else 0 : len(found.payload) - found.padding])


class Stage:
    """A BurstGateway whose Transmits are carried out in the middle of their windows, or as `fates` says: "sent" (where there is
    none), "late", "duty_cycle". downs: [Down]. told, stored, captures: what was delivered, stored, given out.
    order_of_things: "stored", "refused", "sent"."""

    def __init__(
        self,
        submode="UL-B4",
        partners=None,
        wall_us=None,
        state=None,
        costly=False,
        now_us=10 * S,
        **settings,
    ):
        self.submode = submode
        self.now_us = now_us
        self.wall_us = wall_us
        self.fates, self.downs, self.told, self.stored, self.captures = [], [], [], [], []
        self.order_of_things = []
        self.disk = True
        self.tivs = (TIV,)
        self._armed = None
        self.handed = []  # (when a Transmit was handed out, it)
        partners = [partner()] if partners is None else partners
        known = [KnownMeter("m", one.pattern, one.side.key) for one in partners]
        self.role = BurstGateway(
            BurstCollector(known, submode, costly), GATEWAY, partners, ENTROPY, state, **settings
        )
        self._do(self.role.start(self.now_us))
        self.run(self.now_us)

    def _wall(self, at_us):
        return None if self.wall_us is None else self.wall_us + at_us

    def _do(self, actions):
        for action in actions:
            if isinstance(action, Persist):
                self.order_of_things.append("stored" if self.disk else "refused")
                if not self.disk:
                    refused = radio.Event(REFUSED, self.now_us, code="persist")
                    self._do(self.role.feed(refused, self.now_us, self._wall(self.now_us)))
                    return
                self.stored.append(action.state)
            elif isinstance(action, Deliver):
                kind = self.captures if isinstance(action.reading, Capture) else self.told
                kind.append(action.reading)
            elif isinstance(action, Transmit):
                assert self._armed is None, "two at once"
                assert self.now_us < action.at_us < action.until_us
                self.handed.append((self.now_us, action))
                self._arm(action)

    def _arm(self, action):
        fate = self.fates.pop(0) if self.fates else "sent"
        if fate == "sent":
            start_us = (action.at_us + action.until_us) // 2
            down = Down(action, start_us, self.tivs)
            self._armed = (down.end_us, radio.Event(radio.SENT, start_us, down.end_us), down)
        elif fate == "late":
            self._armed = (action.until_us, radio.Event(radio.TOO_LATE, action.until_us), None)
        else:
            event = radio.Event(REFUSED, self.now_us, code=fate)
            self._do(self.role.feed(event, self.now_us, self._wall(self.now_us)))

    def run(self, until_us):
        for _ in range(100000):
            due_us = self.role.due_us
            if self._armed is not None and (due_us is None or self._armed[0] <= due_us):
                at_us, event, down = self._armed
                if at_us > until_us:
                    break
                self.now_us = max(self.now_us, at_us)
                self._armed = None
                if down is not None:
                    self.order_of_things.append("sent")
                    self.downs.append(down)
                self._do(self.role.feed(event, self.now_us, self._wall(event.at_us)))
                continue
            if due_us is None or due_us > until_us:
                break
            self.now_us = max(self.now_us, due_us)
            self._do(self.role.tick(self.now_us, self._wall(self.now_us)))
        else:
            raise AssertionError("it never rests")
        self.now_us = max(self.now_us, until_us)

    def later(self, seconds):
        self.run(self.now_us + us(seconds))

    def burst(self, chips, sync_us, rssi_dbm=-80, offset_hz=None):
        """One uplink burst whose front sync ends at sync_us."""
        rate = modes.find(self.submode, "up").chip_rate_cps
        end_us = sync_us + (len(chips) * 8 - 64) * S // rate
        self.run(end_us)
        self.now_us = max(self.now_us, end_us)
        event = radio.Event(radio.FRAME, sync_us, end_us, chips[8:], "B", "UL", rssi_dbm, None, offset_hz)
        self._do(self.role.feed(event, self.now_us, self._wall(sync_us)))

    def hear(self, frame, t0_us=None, kind=2, multi=0, heard=(1, 2, 3), tiv=TIV, then=60, **more):
        """A frame of a meter. kind: burst type. heard: those of its bursts that arrive, if multi. then: seconds that go by behind
        it. Returns the Downs that were sent since."""
        t0_us = max(self.now_us + S // 10, t0_us or 0)
        count = len(self.downs)
        sent = burst.uplink(frame, tiv, multi, kind)
        if multi:
            t_a, t_b = SPACING[self.submode == "UL-B4", kind]
            for index, at_us in ((1, 0), (2, us(t_a)), (3, us(t_a + t_b))):
                if index in heard:
                    self.burst(sent[index - 1], t0_us + at_us, **more)
        else:
            self.burst(sent[0], t0_us, **more)
        self.t0_us = t0_us
        self.later(then)
        return self.downs[count:]

    def one(self, *arguments, **named):
        """As `hear`; the one Down, or None."""
        found = self.hear(*arguments, **named)
        assert len(found) < 2, [(one.name, one.type) for one in found]
        return found[0] if found else None

    def after(self, down, t0_us=None):
        """Seconds from T0 of the uplink heard last to the sync of a downlink."""
        return (down.sync_us - (self.t0_us if t0_us is None else t0_us)) / S

    def order(self, *exchanges, meter=METER, expires_us=None, **settings):
        """A made-up order of these exchanges is queued."""
        made = Order(*exchanges, **settings)
        made.number = self.role.queue(meter, made, self.now_us, expires_us)
        self.run(self.now_us)
        return made

    def ask(self, words, meter=METER, known=keys, expires_us=None):
        from omsnode.firmware.roles import orders

        made = orders.make(words.split(), meter, known)
        made.number = self.role.queue(meter, made, self.now_us, expires_us)
        self.run(self.now_us)
        return made

    @property
    def session(self):
        return self.role._sessions[0]

    @property
    def partner(self):
        return self.role.partners[0]

    def steps(self, number=1):
        return [one.step for one in self.told if hasattr(one, "step") and getattr(one, "number", 0) == number]

    def details(self, step):
        return [one.detail for one in self.told if getattr(one, "step", None) == step]
