"""The scripted meter on either interpreter: every fault happens to a meter that is asked and told, without radio and gateway."""

from omsnode.firmware.application import commands
from omsnode.firmware.link import extended, frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import scripted_faults as faults
from omsnode.firmware.roles import scripted_telegram as change
from omsnode.firmware.roles.actions import Deliver, Transmit
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.scripted import Scripted
from omsnode.firmware.roles.scripted_rules import Rule
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.security.keys import Key

METER = Address.parse("12345678.M=XYZ.V=55.T=20")
GATEWAY = Address.parse("87654321.M=XYZ.V=08.T=31")
MASTER, STORAGE = [Key(bytes([i] * 16)) for i in range(1, 3)]
SECOND = 1000000
# OMS Vol.2 Annex N (Release E 2.0.2) N.12.3, link CRCs included, of the meter above under the key 00 01 ... 0F
N_12_3 = frame_a.strip(
    bytes.fromhex(
        "43083A63785634125520F24F8C8423900F002C25F10A00001C566D47D3EEAB618754C451002007102DA57D884181FF44E5376C0F7C9F8610"
        "0822C33CF7CDFDB83373411C20D477D8C5A67F375729"
    )
)
# What a fault needs that has no default, and when it is to happen.
VALUES = {
    "late": {"by_us": 300},
    "early": {"by_us": 100},
    "wrong data": {"data": "0C1300000000"},
    "application error": {"code": 0x15},
    "control bits": {"bits": "ACD"},
    "accessibility": {"says": "closed"},
    "message counter jump": {"by": 10},
    "access number jump": {"by": 10},
    "clock": {"by_s": 60},
    "drift": {"ppm": 100},
    "move slots": {"by_ms": 20},
    "interval": {"seconds": 90},
}


def request(number, c_field=0x5B):
    tpl = b"\x80" + METER.tpl_bytes() + bytes((number, 0x20, 0, 0))
    return link_telegram.build(c_field, GATEWAY, extended.build(0x84, number) + tpl)


class Air:
    """The meter's transmissions happen as it wants them; what it hands out and hears is kept."""

    def __init__(self, rules):
        def make(state):
            profile = Profile(
                METER,
                [Register(b"\x04", b"\x13", 1)],
                "C2",
                nominal_us=60 * SECOND,
                key=MASTER,
                security_mode=7,
                with_ell=True,
            )
            device = Device([commands.Register(b"\x04", b"\x13", 1)])
            entropy = bytes((9,)) + (10 * SECOND).to_bytes(4, "big")
            return WindowMeter(profile, entropy, {(0, 0): MASTER}, STORAGE, device, state)

        self.role = Scripted(make, rules)
        self.armed = None
        self.sent = []
        self.happened = []
        self.do(self.role.start(0))

    def do(self, actions):
        for action in actions:
            if isinstance(action, Transmit):
                self.armed = action
            elif isinstance(action, Deliver):
                self.happened.append(action.reading.fault)

    def run(self, until_us):
        while True:
            due_us, armed = self.role.due_us, self.armed
            if armed and (due_us is None or armed.at_us <= due_us):
                if armed.at_us > until_us:
                    return
                self.armed = None
                rate = modes.find(armed.mode, armed.direction).chip_rate_cps
                end_us = armed.at_us + len(armed.chips) * 8000000 // rate
                self.sent.append(armed)
                self.do(self.role.feed(radio.Event(radio.SENT, armed.at_us, end_us), end_us))
            elif due_us is not None and due_us <= until_us:
                self.do(self.role.tick(due_us, 1767225600 * SECOND + due_us))
            else:
                return

    def tell(self, telegram):
        window = self.role.meter.access.window
        sync_us = window[0] + 1500
        self.run(sync_us + 8000)
        frame = bytes(frame_a.build(telegram))
        event = radio.Event(radio.FRAME, sync_us, sync_us + 8000, frame, "C", "A", -70)
        self.do(self.role.feed(event, sync_us + 8000))


def play(rule):
    air = Air([rule])
    number = 1
    for slot in range(3):
        # Two requests and the end of the session, each where there is a window.
        air.run((11 + 62 * slot) * SECOND)
        for c_field in (0x7B, 0x5B, 0x40):
            window = air.role.meter.access.window if air.role.meter else None
            if window is not None and window[1] > air.role.now_us:
                air.tell(request(number, c_field))
                number += 1
                air.run(air.role.now_us + 1500000)
    air.run(300 * SECOND)
    return air


def test_every_fault():
    for name in sorted(faults.FAULTS):
        stage = faults.FAULTS[name][0]
        on = "command" if stage == faults.HEARING else "answer"
        if name == "accessibility":
            on = "telegram"
        air = play(Rule(name, VALUES.get(name, {}), on, 1, times=None if name == "heed FCB" else 1))
        if name not in ("heed FCB", "leave cycle"):
            assert air.happened, name
        assert air.role.counters["sent"] > 3, name


def test_a_published_answer_again():
    class Of:
        key = Key(bytes(range(16)))
        meter_address = METER

    Of.profile = Of
    assert change.sealed(change.sealed(N_12_3, Of, by=3), Of, by=-3) == N_12_3
    assert change.nack(N_12_3).hex() == "0c013a637856341255208c8423"


test_every_fault()
test_a_published_answer_again()
print("ok")
