"""The burst meter on a virtual clock: sub-carriers, MElements, slots that come between, uplink sessions, credits, alarms, what
the radio or the store refuse, and noise."""

import random

import pytest
from omsnode.firmware.application import commands
from omsnode.firmware.errors import MisuseError, StoreError
from omsnode.firmware.link import interval_us
from omsnode.firmware.link.lpwan import elements, mac, values
from omsnode.firmware.link.lpwan.manager_counters import Manager
from omsnode.firmware.phy import radio
from omsnode.firmware.phy.burst import timing
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.lpwan.meter_way import Declared
from omsnode.firmware.roles.meter import Register
from omsnode.firmware.transport import authentication, fragmentation, header, protection
from support_burst_meter import MAC_KEY, MASTER, METER, BurstWalk, S, down, frame, make

END = elements.Down(0, 0, 1)
READ = (0x43, 0x05, bytes.fromhex("5A23000000"))  # its answer is an application error
NKE = (0x40, 0x06, None)
COMMAND = frame(mac.MCNR, READ)
RO = 3 * S // 2


def say(walk, payload=COMMAND, name="DL-B4", after_us=RO, **more):
    return walk.answer(down(payload, **more)[0], walk.bursts[-1].t0_us + after_us, name)


# --- what is declared ---


def test_misuse():
    for wrong in (
        dict(uplink="UL-B5"),
        dict(coding="3/4"),
        dict(tiv=128),
        dict(carriers=()),
        dict(access=2, option=4, downlink="DL-B4"),
        dict(rxm=16),
    ):
        with pytest.raises(MisuseError):
            Declared(**wrong)


def test_tiv_is_drawn_and_kept():
    role = make(tiv=None, entropy=bytes((9, 0, 0, 0, 77)))
    walk = BurstWalk(role)
    walk.uplink()
    again = make(tiv=None, entropy=bytes((1, 2, 3, 4, 5)), state=walk.stored[-1])
    assert again.tiv == role.tiv == walk.bursts[0].header.tiv
    assert len({make(tiv=None, entropy=bytes((0, 0, 0, 0, n))).tiv for n in range(128)}) == 128


@pytest.mark.parametrize("uplink", ("UL-B1", "UL-B2", "UL-B3"))
def test_sub_carriers(uplink):
    """All five are used, UB tells which; a unidirectional meter tells it too (trap 19)."""
    walk = BurstWalk(make(uplink, nominal_us=3600 * S))
    walk.uplink(20)
    names = {one.name for one in walk.bursts}
    assert names == {"{}.{}".format(uplink, n) for n in range(5)}
    for one in walk.bursts:
        assert one.name == "{}.{}".format(uplink, one.up.uplink_n[0]) and one.up.access == 0


def test_multi_burst_sub_carriers():
    walk = BurstWalk(make("UL-B1", coding="multi", downlink="DL-B1", access=4, rxm=0, nominal_us=3600 * S))
    walk.uplink(3)
    assert tuple(int(one.name[-1]) for one in walk.bursts) == walk.bursts[0].up.uplink_n
    up = walk.bursts[0].up
    t_a = walk.bursts[1].t0_us - walk.bursts[0].t0_us
    walk.run(walk.bursts[0].t0_us + 80 * S)
    assert t_a == 6750000 and len(walk.heard) == 6
    assert up.downlink == "DL-B1" and len(up.downlink_n) == 3
    # Unlimited was asked for, and there is room for 2.5 s of a multi burst, but not for 3.2 s of a single one.
    assert up.rxm is not None


def test_downlink_sub_carrier_of_each_slot():
    """UC: n0 for RX0 and RX3, n1 for RX1 and RX4, n2 for RX2 and RX5."""
    walk = BurstWalk(make("UL-B1", coding="multi", downlink="DL-B2", access=4, nominal_us=3600 * S))
    one = walk.uplink()
    n = one.up.downlink_n
    t_ro = 3375000
    bursts = down(COMMAND, multi=1, burst_type=0)
    assert not walk.answer(bursts[0], one.t0_us + t_ro, "DL-B2.{}".format((n[0] + 1) % 5))
    assert walk.answer(bursts[1], one.t0_us + 6750000 + t_ro, "DL-B2.{}".format(n[1]))
    assert walk.role.counters["taken"] == 1


def test_rxm_is_cut_to_what_fits():
    """UL-B4 short with TIV 0: RX3 is 0.625 s behind TX0 and as far before TX1: 500 ms is the longest that fits (sheet 14)."""
    walk = BurstWalk(make(coding="multi", downlink="DL-B4", access=2, rxm=15, tiv=0))
    assert walk.uplink().up.rxm == 10


@pytest.mark.parametrize(("downlink", "rxm"), [("DL-B1", 9), ("DL-B2", 7), ("DL-B3", 5), ("DL-B4", None)])
def test_rxm_of_a_slow_downlink(downlink, rxm):
    """The default of UL-B4, 75 ms, holds nothing on DL-B1 (sheet 14): such a meter must announce a longer one. Here: what holds at
    least the 69 bytes of UL-B1 with DL-B1."""
    walk = BurstWalk(make(downlink=downlink, nominal_us=100 * S))
    assert walk.uplink().up.rxm == rxm


# --- slots ---


def test_answer_that_meets_a_slot_is_deferred():
    """Slots do not move; the gateway asks again behind it and gets the stored answer."""
    walk = BurstWalk(make(downlink="DL-B4", nominal_us=11 * S))
    first = walk.uplink()
    assert say(walk)
    second = walk.uplink()
    assert second.t0_us == first.t0_us + interval_us(11 * S, first.llc.access_number)
    assert second.llc.flag == 1 and walk.role.counters["deferred"] == 1
    assert walk.role.session.alive
    assert say(walk) and walk.role.counters["repeated"] == 1


def test_every_slot_is_where_the_one_before_said():
    """Whatever is asked in between."""
    rng = random.Random(3)
    walk = BurstWalk(make(downlink="DL-B4", nominal_us=60 * S))
    while len(walk.bursts) < 60:
        walk.uplink()
        if rng.random() < 0.6:
            upper = (0x43, rng.randrange(256), READ[2])
            say(walk, frame(mac.MCNR, upper, da=elements.Down(0, 0, rng.randrange(2))))
    slots = [one for one in walk.bursts if one.llc and one.llc.flag]
    assert len(slots) < 60
    for one, two in zip(slots, slots[1:], strict=False):
        assert two.t0_us == one.t0_us + interval_us(60 * S, one.llc.access_number)
        assert two.llc.access_number == (one.llc.access_number + 1) & 0xFF


def test_fillers():
    walk = BurstWalk(make(downlink="DL-B4", fillers=2))
    walk.uplink(6)
    assert [one.llc.c_field for one in walk.bursts] == [0x44, 0x47, 0x47] * 2
    assert walk.bursts[1].mac.payload[0] == 0x4B and walk.bursts[1].llc.payload is None


# --- uplink sessions ---


def joined(bursts):
    """Application bytes of a message in fragments."""
    pieces = fragmentation.Reassembly(1)
    for one in bursts:
        afl, at = authentication.parse_if_any(one.llc.payload, 0)
        found = pieces.add(b"x", afl, one.llc.payload[at:], one.t0_us)
    afl, message = found
    tpl = header.parse(message, 0)
    opened = protection.open_message(message, tpl, afl, METER, lambda *_: MASTER, (authentication.CMAC_8,))
    return opened.payload


@pytest.mark.parametrize("coding, distance", (("1/2", 1500000), ("multi", 9 * S)))
def test_long_snd_nr_is_an_uplink_session(coding, distance):
    """Fragments at t_FD = 1 t_RO, or 3 t_burst; UL-SC 1 and no access in all but the last; then windows (sheet 11.5)."""
    registers = [Register(b"\x04", bytes((0x93, i % 60)), 1000 + i) for i in range(60)]
    walk = BurstWalk(make(registers=registers, device=False, downlink="DL-B4", coding=coding))
    walk.uplink()
    while walk.bursts[-1].up.session:
        walk.uplink()
    frames = [one for i, one in enumerate(walk.bursts) if not i or one.payload != walk.bursts[i - 1].payload]
    assert len(frames) == 3
    assert [(one.up.session, one.up.access) for one in frames] == [(1, 1), (1, 1), (0, 2)]
    assert [two.t0_us - one.t0_us for one, two in zip(frames, frames[1:], strict=False)] == [distance] * 2
    assert not walk.heard and len(joined(frames)) > 360
    assert {one.llc.access_number for one in frames} == {8}
    assert [one.llc.flag for one in frames] == [1, 0, 0]
    walk.run(walk.now_us + 20 * S)
    assert walk.heard


def test_long_answer_is_an_uplink_session():
    """MRSP with the first fragment, on the nominal grid; what the command has set of the link holds behind the last."""
    registers = [Register(b"\x04", bytes((0x93, i % 60)), 1000 + i) for i in range(60)]
    able = values.Capability(("UL-B2", "UL-B4"), 0, ("DL-B4",), ("7/8", "1/2"), 0)
    walk = BurstWalk(make(registers=registers, device=False, downlink="DL-B4", coding="1/2", capability=able))
    while walk.uplink().up.session:
        pass
    t0_us = walk.bursts[-1].t0_us
    manager = Manager(MAC_KEY, METER)
    upper = (0x5B, 0x12, bytes.fromhex("9324000000"))
    assert say(walk, frame(mac.MCMD, upper, manager.command(bytes.fromhex("250128"))))
    answer = [walk.uplink(most_us=20 * S) for _ in range(3)]
    assert [one.type for one in answer] == ["MRSP", "MSNR", "MSNR"]
    assert [one.t0_us - t0_us for one in answer] == [10500000, 12 * S, 13500000]
    assert {(one.name, one.llc.c_field, one.llc.access_number) for one in answer} == {("UL-B4", 0x08, 0x12)}
    assert manager.response(answer[0].mac) == bytes.fromhex("250128")
    assert len(joined(answer)) > 360
    assert walk.uplink().name[:5] == "UL-B2"


def test_repeated_answer_that_leaves_no_room_for_a_mac_body():
    """The MRSP goes in front, in a frame of its own: an uplink session of different contents (sheet 11.5, 17 L7)."""
    registers = [Register(b"\x04", bytes((0x93, i)), 1000 + i) for i in range(26)]
    walk = BurstWalk(make(registers=registers, device=False, downlink="DL-B4", coding="1/2"))
    while walk.uplink().up.session:
        pass
    upper = (0x5B, 0x12, bytes.fromhex("9324000000"))
    assert say(walk, frame(mac.MCNR, upper))
    long = walk.uplink(most_us=20 * S)
    assert len(long.payload) == 232
    manager = Manager(MAC_KEY, METER)
    assert say(walk, frame(mac.MCMD, upper, manager.command(bytes.fromhex("8001810183010001020506"))))
    first, second = [walk.uplink(most_us=20 * S) for _ in range(2)]
    assert [(one.type, one.up.session, one.llc.c_field) for one in (first, second)] == [
        ("MRSP", 1, None),
        ("MSNR", 0, 0x08),
    ]
    assert manager.response(first.mac) and second.llc == long.llc
    assert second.t0_us - first.t0_us == 1500000 and walk.role.counters["repeated"] == 1


def test_answer_beside_a_mac_body_that_takes_the_whole_frame():
    """A radio of 75 bytes (SX1262 at rate 1/3, sheet 22): the MRSP goes in front of the answer."""
    walk = BurstWalk(make(downlink="DL-B4", coding="1/3", longest=75))
    while walk.uplink().up.session:
        pass
    manager = Manager(MAC_KEY, METER)
    asked = bytes.fromhex("8001810183010001020506")
    upper = (0x5B, 0x12, bytes.fromhex("9324000000"))
    assert say(walk, frame(mac.MCMD, upper, manager.command(asked)))
    first, second = [walk.uplink(most_us=20 * S) for _ in range(2)]
    assert (first.type, first.up.session, first.llc.c_field) == ("MRSP", 1, None)
    assert manager.response(first.mac)
    assert (second.type, second.llc.c_field, second.llc.access_number) == ("MSNR", 0x08, 0x12)
    assert max(len(first.payload), len(second.payload)) <= 75


@pytest.mark.parametrize(
    "uplink, longest, count", (("UL-B4", 113, 26), ("UL-B1", 75, 26), ("UL-B1", 198, 19))
)
def test_long_snd_ir_with_its_mac_body(uplink, longest, count):
    """Counters and MBlock 07 stand in the frame of the first fragment (sheet 17, L8), which is no longer than the radio sends: also
    where the data alone would just have fitted one frame."""
    registers = [Register(b"\x04", bytes((0x93, i)), 1000 + i) for i in range(count)]
    made = make(
        uplink, registers=registers, device=False, downlink="DL-B1", rxm=0, coding="1/2", longest=longest
    )
    walk = BurstWalk(made)
    while walk.uplink().up.session:
        pass
    walk.run(walk.now_us + 50 * S)
    walk.role.install(walk.now_us)
    one = walk.uplink(most_us=60 * S)
    assert one.type == "MSNR" and one.llc.c_field == 0x46 and one.mac.body is not None
    sent = [len(one.payload)]
    while walk.bursts[-1].up.session:
        sent.append(len(walk.uplink(most_us=60 * S).payload))
    assert len(sent) > 1 and max(sent) <= longest


def test_dual_channel():
    """UL-B1 and UL-B2 in turn, all bursts of a frame in one of them (trap 11)."""
    walk = BurstWalk(make("UL-B1+B2", coding="multi", nominal_us=3600 * S))
    walk.uplink(18)
    names = [one.name[:5] for one in walk.bursts]
    assert names[:3] != names[3:6] and names == (names[:3] + names[3:6]) * 3


# --- credits ---


def test_without_credits_no_access():
    """DL-AC 1, and nobody listens; a day later, at the latest, access is back (sheet 21, UL-B4)."""
    walk = BurstWalk(make(downlink="DL-B4"))
    walk.role.credits.count = 0
    walk.role.credits.gain_us = 1 << 60
    one = walk.uplink()
    assert (one.up.access, one.up.downlink) == (1, None)
    while walk.bursts[-1].up.access == 1:
        walk.uplink()
        assert walk.now_us < 25 * 3600 * S
    assert walk.now_us > 23 * 3600 * S and len(walk.heard) <= 1


def test_costs():
    """SND-UD2 2, RSP-UD 5, SND-NKE 1, MRSP without upper layer 1, MCMD alone 1."""
    walk = BurstWalk(make(downlink="DL-B4"))
    walk.uplink()
    count = walk.role.credits.count
    say(walk)
    assert walk.role.credits.count == count - 2
    walk.uplink(most_us=20 * S)
    assert walk.role.credits.count == count - 7
    say(walk, frame(mac.MCNR, NKE, da=END))
    assert walk.role.credits.count == count - 8


def test_rows_of_the_sub_modes():
    for uplink, gain_s, hours in (("UL-B4", 1440, 24), ("UL-B1", 3600, 48), ("UL-B3", 3600, 48)):
        role = make(uplink, downlink="DL-B4")
        assert (role.credits.gain_us, role.credits.no_access_us) == (gain_s * S, hours * 3600 * S)


# --- alarms ---


def test_access_demand():
    """ACC-DMD beside the slots while an alarm waits, again a minute later; REQ-UD1 gets the alarm, then it is over."""
    device = Device([commands.Register(b"\x04", b"\x13", 6408)])
    walk = BurstWalk(make(downlink="DL-B4", device=device))
    walk.uplink()
    walk.run(walk.now_us + 60 * S)
    device.raise_alarm(0x04)
    one = walk.uplink(most_us=61 * S)
    assert (one.llc.c_field, one.llc.flag, one.llc.payload[0]) == (0x48, 0, 0x8A)
    again = walk.uplink(most_us=61 * S)
    assert again.llc.c_field == 0x48 and 55 * S < again.t0_us - one.t0_us < 65 * S
    assert say(walk, frame(mac.MCNR, (0x5A, 0x11, None)))
    answer = walk.uplink(most_us=61 * S)
    assert answer.llc.c_field == 0x08 and not device.alarms


# --- what goes wrong ---


def test_slot_that_cannot_be_stored():
    walk = BurstWalk(make())
    walk.refuse = True
    walk.run(5 * S)
    assert not walk.bursts
    walk.refuse = False
    assert walk.uplink().llc.access_number == 9


def test_late_radio():
    walk = BurstWalk(make(downlink="DL-B4", nominal_us=100 * S))
    walk.uplink()
    walk.lose = lambda action: True
    assert say(walk)
    walk.run(walk.now_us + 20 * S)
    assert walk.role.counters["too_late"] == 1 and walk.role.state == "rest"
    walk.lose = lambda action: False
    assert walk.uplink().llc.flag == 1
    assert say(walk) and walk.role.counters["repeated"] == 1


def test_damaged_state():
    walk = BurstWalk(make(downlink="DL-B4"))
    walk.uplink()
    for name in ("counters", "services"):
        state = dict(walk.stored[-1])
        state["lpwan"] = dict(state["lpwan"])
        state["lpwan"][name] = "?"
        with pytest.raises(StoreError):
            make(downlink="DL-B4", state=state)
    state = dict(walk.stored[-1])
    state["lpwan"] = {}
    with pytest.raises(StoreError):
        make(downlink="DL-B4", state=state)


def test_noise():
    """Random and truncated bursts, forged frames, in windows and beside them: counted, and the slots stay where they are."""
    rng = random.Random(7)
    walk = BurstWalk(make(coding="multi", downlink="DL-B4", access=4))
    good = down(COMMAND, multi=1, burst_type=0)
    for _ in range(12):
        one = walk.uplink()
        while not (one.llc and one.llc.flag):
            one = walk.uplink()
        slots = timing.slots("UL-B4", one.header, 2, True, True)
        for slot in slots:
            at_us = one.t0_us + slot.offset_us
            if at_us < walk.now_us:
                continue
            kind = rng.randrange(4)
            chips = bytearray(good[slot.index - 1])[8:]
            if kind == 0:
                chips = bytearray(rng.randbytes(rng.randrange(0, 300)))
            elif kind == 1:
                del chips[rng.randrange(len(chips)) :]
            elif kind == 2:
                for i in range(12, len(chips)):
                    chips[i] ^= rng.randrange(256)
            else:
                payload = bytearray(rng.randbytes(rng.randrange(1, 40)))
                payload += mac.crc(payload)
                chips = bytearray(down(bytes(payload), multi=1, burst_type=0)[slot.index - 1])[8:]
            walk.run(at_us + 30000)
            event = radio.Event(radio.FRAME, at_us, at_us + 30000, bytes(chips), "B", "DL", -80)
            if not walk._armed:
                walk._do(walk.role.feed(event, walk.now_us))
    counters = walk.role.counters
    assert counters["foreign"] and counters["heard"] and not counters.get("taken")
    assert [name for name in counters if name.startswith("rejected.")]
