"""The burst meter's MAC on a virtual clock: published commands, MAC security, ladders L3, L7 to L10 of the LPWAN sheet, section 17;
what lasts through power cuts."""

import json

import pytest
from omsnode.firmware.link.lpwan import elements, mac
from omsnode.firmware.link.lpwan.manager_counters import Manager
from omsnode.firmware.roles.meter import Register
from omsnode.firmware.security.keys import Key
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
