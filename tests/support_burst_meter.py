"""A burst meter on a virtual clock, without a radio, and a gateway that the test speaks for."""

from omsnode.firmware.application import commands
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import elements, llc, mac
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.burst import burst, decode, timing
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.lpwan.meter import BurstMeter
from omsnode.firmware.roles.lpwan.meter_way import Declared
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, sealing
from support_walk import Walk

S = 1000000
METER = Address.from_link(bytes.fromhex("A73D785634121503"))  # of the annex
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER = Key(bytes(range(16)))  # Annex N
MAC_KEY = Key(bytes(range(0x10, 0x20)))  # Table Q.K.1
STORAGE = Key(bytes(range(200, 216)))
KEYS = {(0, 0): MASTER, (0x0F, 0): MAC_KEY}
TIV = 64


def make(
    uplink="UL-B4", security=7, keys=None, state=None, device=None, registers=None, entropy=None, **declared
):
    """The BurstMeter. What `declared` names goes to Declared; fillers, pause, registration, nominal_us: to where they belong."""
    more = {name: declared.pop(name) for name in ("fillers", "pause", "registration") if name in declared}
    profile = Profile(
        METER,
        registers or [Register(b"\x04", b"\x13", 6408)],
        mode=uplink.split("+")[0],
        frame_format="B",
        nominal_us=declared.pop("nominal_us", 900 * S),
        key=MASTER,
        security_mode=security,
        header=declared.pop("header", "short"),
    )
    if device is None:
        device = Device([commands.Register(b"\x04", b"\x13", 6408)])
    declared.setdefault("tiv", TIV)
    return BurstMeter(
        profile,
        Declared(uplink, **declared),
        entropy or bytes((7, 0, 0, 0, 0)),
        KEYS if keys is None else keys,
        STORAGE,
        device or None,
        state,
        **more,
    )


class Heard:
    """One uplink burst: t0_us, name of the sub-mode; mac, llc (None in a MACK), payload: of its frame."""

    def __init__(self, t0_us, name, header, payload):
        self.t0_us = t0_us
        self.name = name
        self.header = header
        self.payload = payload
        self.mac = mac.parse(payload, "up", name.split(".")[0]) if payload else None
        self.llc = llc.parse(self.mac.payload, True) if payload else None

    @property
    def up(self):
        return self.mac.elements or elements.ABSENT_UP

    @property
    def type(self):
        return mac.name(self.mac.type)


class BurstWalk(Walk):
    """bursts: Heard of all that was sent; a further burst of a multi-burst frame has the payload of its first."""

    def __init__(self, *arguments, **named):
        self.bursts = []
        self._first_us = None
        super().__init__(*arguments, **named)

    def _sent(self):
        action, at_us = self._armed
        lost, lose = self.lose(action), self.lose
        if not lost:
            self.bursts.append(self._burst(action, at_us))
        self.lose = lambda action: lost
        super()._sent()
        self.lose = lose

    def _burst(self, action, at_us):
        name = action.mode
        assert action.chips[:8] == burst.START
        head, wrong, data = burst.receive(action.chips[8:], "up")
        assert not wrong
        t0_us = at_us + 64 * S // modes.find(name, "up").chip_rate_cps
        payload = decode.payload(head, [(self._index(t0_us, name, head), data)], mac.valid)
        assert payload == action.telegram
        return Heard(t0_us, name, head, payload)

    def _index(self, t0_us, name, head):
        """Of a burst in its frame. One alone does not tell: a second one, read as a first, may have a right CRC too."""
        if not head.multi:
            return None
        offsets = [timing.burst_offset(name, head, index) for index in (1, 2, 3)]
        away = t0_us - self._first_us if self._first_us is not None else None
        if away not in offsets:
            self._first_us, away = t0_us, 0
        return 1 + offsets.index(away)

    def uplink(self, n=1, most_us=3600 * S):
        """Go on until so many more bursts were sent; the last of them."""
        self.until_sent(n, most_us)
        return self.bursts[-1]

    def answer(self, chips, sync_us, name):
        """A downlink burst whose front sync ends at sync_us; whether the receiver was on for it."""
        front_us = 64 * S // modes.find(name, "down").chip_rate_cps
        self.run(sync_us - front_us)
        if not self.listening or self._armed or self._mode.mode != name:
            return False
        self.run(sync_us)
        end_us = sync_us + (len(chips) * 8 - 64) * S // modes.find(name, "down").chip_rate_cps
        self.run(end_us)
        assert chips[:8] == burst.START
        event = radio.Event(radio.FRAME, sync_us, end_us, chips[8:], "B", "DL", -80)
        self._do(self.role.feed(event, self.now_us, self._wall()))
        return True


def frame(kind, upper=None, body=None, da=None, gateway=None, rrx=0, meter=METER):
    """A downlink frame. kind: MFT. upper: (C-field, access number, bytes from the CI on or None), or None."""
    fields = llc.gateway_down(
        *((upper[0], meter, upper[1], upper[2]) if upper else (None, meter, None, None))
    )
    if gateway is not None:
        fields = llc.gateway_down(fields.c_field, meter, fields.access_number, fields.payload, gateway, rrx)
    return mac.build(kind, da, body, llc.build(fields, False))


def down(payload, tiv=TIV, multi=0, burst_type=2):
    return burst.downlink(payload, tiv, multi, burst_type)


def protected(mode, data, counter, ci=0x5A, number=0x23):
    """Upper layer of a command, from the AFL on."""
    security = sealing.Security(mode, MASTER, counter)
    afl, message = sealing.seal(security, ci, METER, number, 0, data, up=False)
    return (authentication.build(afl) if afl else b"") + message
