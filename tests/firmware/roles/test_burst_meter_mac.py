"""The burst meter's MAC on a virtual clock: published commands, MAC security, ladders L3, L7 to L10 of the LPWAN sheet, section 17;
what lasts through power cuts."""

import json

import pytest
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.link import interval_us
from omsnode.firmware.link.lpwan import blocks, elements, mac, values
from omsnode.firmware.link.lpwan.manager_counters import Manager
from omsnode.firmware.roles.meter import Register
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, sealing
from support_burst_meter import GATEWAY, KEYS, MAC_KEY, METER, BurstWalk, S, down, frame, make

END = elements.Down(0, 0, 1)
NKE = (0x40, 0x06, None)
RECORDS = [  # in Q.K.8
    Register(b"\x0c", b"\x14", 2850427),
    Register(b"\x04", b"\x6d", bytes.fromhex("32371F15")),
    Register(b"\x02", b"\xfd\x17", 0),
]


@pytest.fixture
def published(shared):
    found = json.loads((shared / "vectors" / "lpwan.json").read_text())
    return {one["id"]: bytes.fromhex(one["bytes"]) for one in found["frames"]}


class Gateway:
    """Speaks to a walk's meter in RX0; its NW-Manager has the MAC key."""

    def __init__(self, walk, key=MAC_KEY):
        self.walk = walk
        self.manager = Manager(key, METER)

    def say(self, payload, name="DL-B4", after_us=3 * S // 2):
        assert self.walk.answer(down(payload)[0], self.walk.bursts[-1].t0_us + after_us, name)

    def command(self, data, kind=mac.MCMD, upper=None, da=None, **more):
        """A secured MCMD with these MBlocks; its frame."""
        payload = frame(kind, upper, self.manager.command(data, frame_type=kind, **more), da)
        self.say(payload)
        return payload

    def response(self, one):
        """MBlocks of a MRSP."""
        assert one.type == "MRSP"
        return self.manager.response(one.mac)

    def ask(self, data, **more):
        self.command(data, **more)
        return self.response(self.walk.uplink(most_us=60 * S))


def begin(role=None, key=MAC_KEY, **more):
    more.setdefault("downlink", "DL-B4")
    walk = BurstWalk(role or make(**more))
    walk.uplink()
    return walk, Gateway(walk, key)


def rebuilt(walk, **more):
    """The meter behind a power cut: of what was stored last."""
    more.setdefault("downlink", "DL-B4")
    return make(state=json.loads(json.dumps(walk.stored[-1])), **more)


# --- published frames ---


def test_mcmd_with_req_ud2_q_k_7_and_8(published):
    """Q.K.7 is taken, its REQ-UD2 answered with the very bytes of Q.K.8, its body with the counters there."""
    walk, gateway = begin(registers=RECORDS, device=False)
    walk.role.message_counter.value = 2738
    gateway.say(published["Q.K.7"])
    one = walk.uplink(most_us=20 * S)
    expected = published["Q.K.8"]
    at = expected.index(bytes.fromhex("1B08A73D"))
    assert one.mac.payload == expected[at:-4]
    assert one.type == "MRSP"
    assert (one.mac.body.der_counter, one.mac.body.counter) == (1, 312)
    gateway.manager.update(1)
    gateway.manager.cmd = 311
    gateway.manager.command(b"\x01")
    # Get 01 is fallback status (Table Q.91): soft is next for rate 7/8 alone? None is left, counter as preset.
    assert gateway.response(one) == bytes.fromhex("11DA")


def test_mcmd_q_k_6(published):
    """Alone: MRSP without upper layer, LC 02."""
    walk, gateway = begin()
    gateway.say(published["Q.K.6"])
    one = walk.uplink(most_us=20 * S)
    assert one.type == "MRSP" and one.mac.payload == bytes.fromhex("02A73D785634121503")
    assert (one.mac.body.der_counter, one.mac.body.counter) == (1, 311)


def test_mcnr_q_z_10(published):
    """Address only, SC = 1: heard, and nothing is said to it."""
    walk, gateway = begin()
    gateway.say(published["Q.Z.10"])
    assert walk.role.counters["taken"] == 1 and not walk.role.session.alive
    assert walk.uplink().llc.c_field == 0x44


# --- L3 ---


def test_get_capability():
    """L3: MBlock 13 of a meter of UL-B4, rate 7/8, DL-B4."""
    walk, gateway = begin()
    assert gateway.ask(bytes.fromhex("8301")) == bytes.fromhex("B301080801")
    gateway.say(frame(mac.MCNR, NKE, da=END))
    assert not walk.role.session.alive


def test_get_supported():
    walk, gateway = begin()
    # 0 to 7 and 16 to 20
    assert gateway.ask(bytes.fromhex("8001")) == bytes.fromhex("B001FF001F")


def test_wrong_key_merr():
    """L3: no body, the UA as ever; nothing has changed, and a right command is taken behind it."""
    walk, gateway = begin(key=Key(bytes(16)))
    gateway.command(bytes.fromhex("8301"))
    one = walk.uplink(most_us=20 * S)
    assert (one.type, one.mac.body, one.mac.payload) == ("MERR", None, bytes.fromhex("02A73D785634121503"))
    assert walk.role.counters["mac.mac_mismatch"] == 1
    right = Gateway(walk)
    assert right.ask(bytes.fromhex("8301")) == bytes.fromhex("B301080801")


def test_no_services_merr():
    """The smallest bidirectional meter has no MAC key: MERR for any MCMD, silence for a MCNR."""
    walk, gateway = begin(keys={(0, 0): KEYS[(0, 0)]})
    gateway.command(bytes.fromhex("8301"))
    assert walk.uplink(most_us=20 * S).type == "MERR"
    gateway.command(bytes.fromhex("130A"), mac.MCNR)
    assert walk.uplink().type == "MSNR"


def test_corrupt_mblocks():
    """Secured, but not adding up: a secured body without MBlocks (sheet 13)."""
    walk, gateway = begin()
    assert gateway.ask(bytes.fromhex("3401")) == b""


def test_repeated_command_gets_the_stored_bytes():
    walk, gateway = begin()
    payload = gateway.command(bytes.fromhex("81018401"))
    first = walk.uplink(most_us=20 * S)
    gateway.say(payload)
    again = walk.uplink(most_us=20 * S)
    assert again.payload == first.payload
    assert walk.role.counters["mac.repeat"] == 1


def test_a_repetition_in_another_session_is_old():
    walk, gateway = begin()
    payload = gateway.command(bytes.fromhex("8301"), da=END)
    walk.uplink(most_us=20 * S)
    walk.uplink()
    assert not walk.role.session.alive
    gateway.say(payload)
    assert walk.uplink(most_us=20 * S).type == "MERR"


def test_rrx_names_the_gateway():
    walk, gateway = begin()
    body = gateway.manager.command(bytes.fromhex("8301"))
    gateway.say(frame(mac.MCMD, None, body, gateway=GATEWAY, rrx=1))
    one = walk.uplink(most_us=20 * S)
    assert one.mac.payload == bytes.fromhex("06A73D785634121503") + GATEWAY.link_bytes()
    gateway.ask(bytes.fromhex("8301"))
    assert walk.bursts[-1].llc.receiver is None


# --- L7 to L10 ---

READ = (0x43, 0x05, bytes.fromhex("5A23000000"))  # not secured: its answer is an application error


def test_lost_response_and_macc():
    """L7: the session is resumed by a MACC, the same command gets the stored bytes, the application is not asked again."""
    walk, gateway = begin(resume_s=60)
    gateway.say(frame(mac.MCNR, READ))
    first = walk.uplink(most_us=20 * S)
    assert first.llc.c_field == 0x08
    errors = dict(walk.role.counters)
    macc = walk.uplink(most_us=100 * S)
    assert macc.type == "MACC" and macc.t0_us == first.t0_us + 60 * S
    assert macc.mac.payload == bytes.fromhex("02A73D785634121503") and macc.up.access == 2
    gateway.say(frame(mac.MCNR, READ))
    again = walk.uplink(most_us=20 * S)
    assert again.payload == first.payload
    assert walk.role.counters["repeated"] == 1 and "error.14" not in errors
    assert {key: n for key, n in errors.items() if key[:5] == "error"} == {
        key: n for key, n in walk.role.counters.items() if key[:5] == "error"
    }
    gateway.say(frame(mac.MCNR, NKE, da=END))
    assert not walk.role.session.alive
    assert walk.uplink().llc.c_field == 0x44


def test_nothing_behind_a_macc_ends_the_session():
    walk, gateway = begin(resume_s=60)
    gateway.say(frame(mac.MCNR, READ))
    walk.uplink(2, 100 * S)
    assert walk.bursts[-1].type == "MACC"
    walk.run(walk.now_us + 10 * S)
    assert not walk.role.session.alive
    assert walk.uplink().type == "MSNR"


def test_session_times_out():
    """Without MBlock 12: as long as an application keeps its response, 255 s."""
    walk, gateway = begin()
    gateway.say(frame(mac.MCNR, READ))
    at_us = walk.now_us
    walk.uplink(most_us=20 * S)
    walk.run(at_us + 250 * S)
    assert walk.role.session.alive
    walk.run(at_us + 260 * S)
    assert not walk.role.session.alive


def test_installation():
    """L8: SND-IR with MDerCounter, SNR counter and MBlock 07; a command goes on above what was reported."""
    walk, gateway = begin(registration=bytes.fromhex("0c1427048502"))
    gateway.ask(bytes.fromhex("8301"))
    gateway.say(frame(mac.MCNR, NKE, da=END))
    walk.role.install(walk.now_us)
    one = walk.uplink(most_us=60 * S)
    assert one.llc.c_field == 0x46 and one.llc.flag == 0
    other = Manager(MAC_KEY, METER)
    told = blocks.parse(other.unsolicited(one.mac, new=True))
    assert (7, bytes.fromhex("0100")) in told
    assert one.mac.body.der_counter == 0 and one.mac.body.counter == 2
    again = walk.uplink(most_us=60 * S)
    assert again.llc.c_field == 0x46
    gateway.say(frame(mac.MCNR, (0x06, again.llc.access_number, None), da=END))
    assert walk.uplink().llc.c_field == 0x44


def test_key_update():
    """L9: MDerCounter 5 with CMD 0; the MRSP has both, and the SNR counter begins again."""
    walk, gateway = begin()
    assert walk.role.mac.security.snr == 1  # the report in the first MSNR
    gateway.manager.update(5)
    gateway.command(b"")
    one = walk.uplink(most_us=20 * S)
    assert gateway.response(one) == b"" and (one.mac.body.der_counter, one.mac.body.counter) == (5, 0)
    assert walk.role.mac.security.snr == 0
    assert gateway.ask(bytes.fromhex("8301")) == bytes.fromhex("B301080801")


def test_session_request():
    """L10: a MACC 10 min behind T0 of the downlink, though the session ends before."""
    walk, gateway = begin(nominal_us=900 * S)
    t0 = walk.bursts[0].t0_us
    assert gateway.ask(bytes.fromhex("130A")) == bytes.fromhex("130A")
    gateway.say(frame(mac.MCNR, NKE, da=END))
    macc = walk.uplink()
    assert macc.type == "MACC" and macc.t0_us == t0 + 1500000 + 600 * S
    assert walk.uplink().type == "MSNR"


def test_rtrm():
    """RTRM 3 is slow: 18 s; for the rest of the session. One below the announced least is not kept (Q.3.5.3.1.1)."""
    walk, gateway = begin()
    for rtrm, t_rm in ((3, 18 * S), (0, 18 * S), (1, 9 * S)):
        t0 = walk.bursts[-1].t0_us
        gateway.command(bytes.fromhex("8301"), da=elements.Down(rtrm, 0, 0))
        assert walk.uplink(most_us=60 * S).t0_us == t0 + 1500000 + t_rm


def secured(blocks_, counter):
    """Upper layer of a security information transfer, short header."""
    afl, message = sealing.seal(
        sealing.Security(7, KEYS[0, 0], counter), 0xC6, METER, 9, 0, blocks_, up=False
    )
    return authentication.build(afl) + message


def test_new_mac_key():
    """UC-08: wrapped under key 12; all MAC counters begin at 0 with it, also behind a power cut (sheet 16)."""
    wrapper, new = Key(bytes(range(100, 116))), Key(bytes(range(50, 66)))
    keys = {**KEYS, (0x12, 0): wrapper}
    walk, gateway = begin(keys=keys, rxm=6)  # 119 bytes at rate 1/3 take 126 ms
    gateway.ask(bytes.fromhex("8301"))
    transfer = sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, 0x12, 0, sitp.wrap_key(wrapper, new, 0x0F, 1))
    names = sitp.wrap_change(wrapper, (0x0F, 1), (0x0F, 0))
    change = sitp.block(sitp.COMBINED, sitp.WRAPPED_CHANGE, 0x12, 0, names)
    upper = (0x43, 0x21, secured(sitp.build([transfer, change]), 100))
    gateway.say(frame(mac.MCNR, upper))
    assert walk.uplink(most_us=20 * S).llc.c_field == 0x08
    assert walk.stored[-1]["lpwan"]["counters"] == [0, 0, 0]
    again, other = begin(rebuilt(walk, keys=keys), new)
    assert again.bursts[0].mac.body.counter == 1
    assert other.ask(bytes.fromhex("8301")) == bytes.fromhex("B301080801")
    right = Gateway(walk, new)
    assert right.ask(bytes.fromhex("8301")) == bytes.fromhex("B301080801")


def test_new_mac_key_that_cannot_be_stored():
    wrapper, new = Key(bytes(range(100, 116))), Key(bytes(range(50, 66)))
    walk, gateway = begin(keys={**KEYS, (0x12, 0): wrapper}, rxm=6)
    gateway.ask(bytes.fromhex("8301"))
    transfer = sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, 0x12, 0, sitp.wrap_key(wrapper, new, 0x0F, 1))
    names = sitp.wrap_change(wrapper, (0x0F, 1), (0x0F, 0))
    change = sitp.block(sitp.COMBINED, sitp.WRAPPED_CHANGE, 0x12, 0, names)
    walk.refuse = True
    gateway.say(frame(mac.MCNR, (0x43, 0x21, secured(sitp.build([transfer, change]), 100))))
    walk.refuse = False
    assert walk.role.counters["rolled_back"] == 1
    walk.uplink()
    assert gateway.ask(bytes.fromhex("8301")) == bytes.fromhex("B301080801")


# --- link and clock management ---


def all_of(**more):
    """A meter of everything but splitting."""
    more.setdefault("downlink", "DL-B4")
    more.setdefault(
        "capability",
        values.Capability(("UL-B1", "UL-B2", "UL-B4"), 1, ("DL-B2", "DL-B4"), values.CODINGS, 1),
    )
    return more


def test_uplink_moves():
    """UL-B2, 1/3, n 1 and 3: the MRSP goes out as before, what follows as told; t_ACC goes on from T0 to T0."""
    walk, gateway = begin(**all_of(nominal_us=600 * S))
    first = walk.bursts[0]
    told = gateway.ask(bytes.fromhex("25012A"))
    assert told == bytes.fromhex("25012A")
    assert walk.bursts[-1].name == "UL-B4"
    gateway.say(frame(mac.MCNR, NKE, da=END))
    for _ in range(4):
        one = walk.uplink()
        assert one.name in ("UL-B2.1", "UL-B2.3") and one.header.type == 2
        assert "UL-B2.{}".format(one.up.uplink_n[0]) == one.name
    second = walk.bursts[2]
    assert second.t0_us == first.t0_us + interval_us(600 * S, first.llc.access_number)


def test_temporary_until_the_session_ends():
    walk, gateway = begin(**all_of())
    assert gateway.ask(bytes.fromhex("25812A")) == bytes.fromhex("25812A")
    gateway.command(bytes.fromhex("05"))
    # Now in UL-B2: RX0 is 4.5 s behind (Table Q.22).
    inside = walk.uplink(most_us=100 * S)
    assert inside.name[:5] == "UL-B2"
    gateway.say(frame(mac.MCNR, NKE, da=END), after_us=4500000)
    assert walk.uplink().name == "UL-B4"


def test_downlink_moves():
    """DL-B2: UC tells n, and UD a DL-RXM that is long enough is the owner's choice."""
    walk, gateway = begin(**all_of(rxm=9))
    assert gateway.ask(bytes.fromhex("1602")) == bytes.fromhex("1602")
    gateway.say(frame(mac.MCNR, NKE, da=END))
    one = walk.uplink()
    assert one.up.downlink == "DL-B2" and one.up.downlink_n is not None and one.up.rxm == 9
    name = "DL-B2.{}".format(one.up.downlink_n[0])
    gateway.say(frame(mac.MCNR, NKE, da=END), name)
    assert walk.role.counters["taken"] == 3


def test_outside_the_capabilities():
    walk, gateway = begin()
    assert gateway.ask(bytes.fromhex("25012A1602")) == bytes.fromhex("0506")
    assert walk.role.way.uplink == "UL-B4" and walk.role.way.downlink == "DL-B4"


def test_fallback():
    """Nobody is heard: soft, the strongest coding; then hard, UL-B1 and UL-B2 in turn. Each is reported."""
    walk, _ = begin(**all_of(preset=2))
    walk.uplink(13)
    frames = {}
    for one in walk.bursts:
        frames.setdefault(one.payload, []).append((one.name[:5], one.header.multi))
    # Two missed access opportunities each; all bursts of a frame stay in one sub-mode.
    assert list(frames.values()) == [
        [("UL-B4", 0)],
        [("UL-B4", 0)],
        [("UL-B4", 1)] * 3,
        [("UL-B4", 1)] * 3,
        [("UL-B1", 1)] * 3,
        [("UL-B2", 1)] * 3,
    ] or list(frames.values())[4:] == [[("UL-B2", 1)] * 3, [("UL-B1", 1)] * 3]
    reports = [one for one in walk.bursts if one.mac.body and one.header.multi]
    assert len({one.payload for one in reports}) == 2


def test_heard_sets_the_counter_back():
    """Nothing heard: down by one. A service tool (ACP) leaves it, the own gateway sets it back (sheet 18)."""
    walk, gateway = begin(**all_of(preset=3))
    walk.uplink()
    assert walk.role.mac.managed.counter == 2
    gateway.say(frame(mac.MCNR, NKE, da=elements.Down(0, 1, 1)))
    assert walk.role.mac.managed.counter == 2
    walk.uplink()
    gateway.say(frame(mac.MCNR, NKE, da=END))
    assert walk.role.mac.managed.counter == 3


def test_power_cut_behind_a_move():
    """What was moved stays moved, as it was stored before the MRSP left."""
    walk, gateway = begin(**all_of())
    gateway.command(bytes.fromhex("25012A22E305920178"))
    again, _ = begin(rebuilt(walk, **all_of()))
    assert again.bursts[0].name[:5] == "UL-B2"
    assert again.role.mac.managed.preset == 1507 and again.role.mac.resume_us == 240 * S
    assert again.role.tiv == walk.role.tiv


def test_power_cut_keeps_the_counters():
    """A command of before is no command; the SNR counter goes on."""
    walk, gateway = begin()
    payload = gateway.command(bytes.fromhex("8301"))
    first = walk.uplink(most_us=20 * S)
    assert first.type == "MRSP"
    again, other = begin(rebuilt(walk))
    other.say(payload)
    assert again.uplink(most_us=20 * S).type == "MERR"
    assert again.bursts[0].mac.body.counter == walk.bursts[0].mac.body.counter + 1


def test_command_that_cannot_be_stored():
    """Nothing has changed, nothing is answered; the same command is taken later."""
    walk, gateway = begin(**all_of())
    body = gateway.manager.command(bytes.fromhex("25012A"))
    walk.refuse = True
    gateway.say(frame(mac.MCMD, None, body))
    walk.refuse = False
    one = walk.uplink()
    assert one.type == "MSNR" and one.name == "UL-B4"
    assert not walk.role.session.alive and walk.role.mac.security.cmd == 0
    gateway.say(frame(mac.MCMD, None, body))
    assert gateway.response(walk.uplink(most_us=20 * S)) == bytes.fromhex("25012A")


DAY_US = 86400 * S
NOON = 1700000000 // 86400 * DAY_US + DAY_US // 2


def test_clock():
    """MBlock 04: the time as it is, 40 s back within 12 h, no second one meanwhile (sheet 19)."""
    walk = BurstWalk(make(downlink="DL-B4"), wall=lambda now_us: NOON + now_us)
    walk.role.device.clock = None
    walk.uplink()
    gateway = Gateway(walk)
    told = gateway.ask(b"\x04")
    assert told[0] == 0x34 and told[3] == 12
    assert gateway.ask(bytes.fromhex("14D8")) == bytes.fromhex("14D8")
    assert gateway.ask(bytes.fromhex("1405")) == bytes.fromhex("04")
    gateway.say(frame(mac.MCNR, NKE, da=END))
    while walk.now_us < 13 * 3600 * S:
        walk.uplink()
    assert walk.role.mac.time.at(walk.now_us, NOON + walk.now_us) == NOON + walk.now_us - 40 * S


def test_clock_through_a_power_cut():
    walk = BurstWalk(make(downlink="DL-B4"), wall=lambda now_us: NOON + now_us)
    walk.uplink()
    gateway = Gateway(walk)
    assert gateway.ask(bytes.fromhex("1428")) == bytes.fromhex("1428")
    for _ in range(100):
        walk.uplink()
    again = BurstWalk(rebuilt(walk), wall=lambda now_us: NOON + DAY_US + now_us)
    again.uplink()
    base = NOON + DAY_US + again.now_us
    assert base + 39 * S < again.role.mac.time.at(again.now_us, base) <= base + 40 * S
