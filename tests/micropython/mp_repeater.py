"""The repeater role on either interpreter. Telegram: EN 13757-4 sample with a short ELL, format B (link sheet 12, number 2)."""

from omsnode.firmware.link import frame_b
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import hop
from omsnode.firmware.roles.actions import Listen, Transmit
from omsnode.firmware.roles.budget import Budget
from omsnode.firmware.roles.meter import Meter
from omsnode.firmware.roles.repeater import Repeater, management

S = 1000000
FRAME = bytes.fromhex("1444AE0C7856341201078C2027780B134365877AC5")
OWN = Address.parse("12345678.M=OMS.V=01.T=32")


def test_hop():
    telegram = frame_b.strip(FRAME)
    place = hop.find(telegram)
    assert place == (11, 0x10)
    after = hop.make(FRAME, "B", place)
    assert after[:11] == FRAME[:11] and after[11] == 0x30 and after[12:19] == FRAME[12:19]
    assert hop.find(frame_b.strip(after)) == hop.REPEATED


def transmits(actions):
    return [one for one in actions if isinstance(one, Transmit)]


def test_role():
    role = Repeater(
        Meter(management(OWN), bytes((7, 255, 255, 255, 255))), b"\xf1\x83\x95\x77", budget=Budget()
    )
    assert role.start(0) == [Listen("T+C", modes.UP)]
    for at_us in (3 * S, 4 * S):  # once more: that is the same one
        assert role.feed(radio.Event(radio.FRAME, at_us - 3000, at_us, FRAME, "C", "B", -60), at_us) == []
    due_us = role.due_us
    assert 7 * S < due_us < 28 * S
    assert role.tick(due_us - 1) == []
    (transmit,) = transmits(role.tick(due_us))
    assert (transmit.mode, transmit.direction) == ("C1", modes.UP)
    assert hop.make(FRAME, "B", (11, 0x10)) in transmit.chips
    assert role.feed(radio.Event(radio.SENT, transmit.at_us, transmit.at_us + 2000), due_us + 30000) == []
    assert role.counters["repeated"] == 1 and role.counters["duplicates"] == 1
    (own,) = transmits(role.tick(role.due_us))
    assert own.telegram[2:10] == OWN.link_bytes()


for f in (test_hop, test_role):
    f()
print("ok")
