"""The burst meter on a virtual clock: published frames, and the ladders of the LPWAN sheet, section 17."""

import json

import pytest
from omsnode.firmware.application import error_codes
from omsnode.firmware.link import interval_us
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import elements, mac
from omsnode.firmware.roles.meter import Register
from omsnode.firmware.transport import authentication, header, protection
from support_burst_meter import MASTER, METER, BurstWalk, S, down, frame, make, protected


@pytest.fixture
def published(shared):
    found = json.loads((shared / "vectors" / "lpwan.json").read_text())
    return {one["id"]: bytes.fromhex(one["bytes"]) for one in found["frames"]}


# The records in Q.K.3 and Q.K.8, Annex N.2.
RECORDS = [
    Register(b"\x0c", b"\x14", 2850427),
    Register(b"\x04", b"\x6d", bytes.fromhex("32371F15")),
    Register(b"\x02", b"\xfd\x17", 0),
]


def test_snd_nr_q_k_3(published):
    """The smallest conforming meter (sheet 1): bit-exact, message counter 2739, access number 75."""
    role = make(
        registers=RECORDS, device=False, keys={(0, 0): make().keys.key(0)}, entropy=bytes([0x74, 0, 0, 0, 0])
    )
    role.message_counter.value = 2738
    walk = BurstWalk(role)
    assert walk.uplink().payload == published["Q.K.3"]
    assert walk.bursts[0].name == "UL-B4"


def test_slots_of_a_unidirectional_meter():
    """L1: every t_ACC from T0 to T0, by the access number of the LLC; S is set; nobody listens."""
    role = make()
    walk = BurstWalk(role)
    walk.until_sent(5)
    number = None
    for before, one in zip(walk.bursts, walk.bursts[1:], strict=False):
        assert one.t0_us == before.t0_us + interval_us(900 * S, before.llc.access_number)
    for one in walk.bursts:
        assert (one.type, one.llc.c_field, one.llc.flag, one.llc.address.link_bytes()) == (
            "MSNR",
            0x44,
            1,
            METER.link_bytes(),
        )
        assert number is None or one.llc.access_number == (number + 1) & 0xFF
        number = one.llc.access_number
    assert not walk.listening and not walk.heard


# --- a gateway that is scripted here ---


def meter(**more):
    more.setdefault("downlink", "DL-B4")
    return make(**more)


END = elements.Down(0, 0, 1)
NKE = (0x40, 0x06, None)


def at_rx0(walk, payload, t_ro=3 * S // 2, **more):
    """In RX0 of the uplink sent last."""
    return walk.answer(down(payload, **more)[0], walk.bursts[-1].t0_us + t_ro, "DL-B4")


def test_single_burst_command():
    """L2: UL-B4, option #1, timing #2: +1.5 s SND-UD2, +9 s RSP-UD with its access number, +1.5 s SND-NKE with SC."""
    walk = BurstWalk(meter())
    first = walk.uplink()
    assert (first.up.access, first.up.downlink, first.up.timing) == (2, "DL-B4", None)
    assert at_rx0(walk, frame(mac.MCNR, (0x43, 5, protected(7, READ, 1))))
    answer = walk.uplink(most_us=20 * S)
    assert answer.t0_us == first.t0_us + 1500000 + 9 * S
    assert (answer.type, answer.llc.c_field, answer.llc.access_number, answer.llc.flag) == (
        "MSNR",
        0x08,
        5,
        0,
    )
    assert answer.payload[0] == 0x40 and answer.payload[1] == 0x1A  # MElement_UA as in Q.Z.1
    assert answer.payload[2] == 0x1B
    assert walk.role.session.alive
    assert at_rx0(walk, frame(mac.MCNR, NKE, da=END))
    assert not walk.role.session.alive
    second = walk.uplink()
    assert second.t0_us == first.t0_us + interval_us(900 * S, first.llc.access_number)
    assert second.type == "MSNR" and second.llc.c_field == 0x44


# --- profiles A, B and D ---

VALUE = bytes.fromhex("0413") + (6408).to_bytes(4, "little")
READ = bytes.fromhex("0813")  # Get of the volume


def opened(one):
    """Application bytes of an uplink."""
    raw = one.llc.payload
    afl, at = authentication.parse_if_any(raw, 0)
    tpl = header.parse(raw, at)
    kept = (authentication.CMAC_8,)
    found = protection.open_message(raw, tpl, afl, METER, lambda *_: MASTER, kept)
    data = found.payload[2 if tpl.mode in (5, 7) else 0 : len(found.payload) - found.padding]
    return bytes(data).rstrip(b"\x2f"), tpl


@pytest.mark.parametrize("coding", ("7/8", "1/2", "1/3"))
@pytest.mark.parametrize("security", (5, 7, 10))
def test_profiles(security, coding):
    """The SND-NR, and the answer to a read command: LLC and TPL each name the number that the command had there."""
    walk = BurstWalk(meter(security=security, coding=coding))
    first = walk.uplink()
    assert opened(first)[0] == VALUE and first.header.type == ("7/8", "1/2", "1/3").index(coding)
    assert opened(first)[1].access_number == first.llc.access_number
    upper = (0x43, 0x11, protected(security, READ, 100))
    assert at_rx0(walk, frame(mac.MCNR, upper))
    answer = walk.uplink(most_us=20 * S)
    data, tpl = opened(answer)
    assert data == VALUE and tpl.access_number == 0x23 and answer.llc.access_number == 0x11
    assert walk.role.counters["executed"] == 1


def test_snd_ud_is_acknowledged():
    """SND-UD: ACK in the next uplink; REQ-UD2 fetches the answer."""
    walk = BurstWalk(meter())
    walk.uplink()
    assert at_rx0(walk, frame(mac.MCNR, (0x53, 0x11, protected(7, READ, 100))))
    assert walk.uplink(most_us=20 * S).llc.c_field == 0x00
    assert at_rx0(walk, frame(mac.MCNR, (0x5B, 0x12, bytes.fromhex("9324000000"))))
    answer = walk.uplink(most_us=20 * S)
    assert (answer.llc.c_field, opened(answer)[0]) == (0x08, VALUE)


def test_clock_synchronisation_with_a_short_header():
    """CI 62 is known, as CI 6C is with a long one: it is the reserved TC byte that is refused, with error 15, not the CI, 01."""
    walk = BurstWalk(meter())
    walk.uplink()
    assert at_rx0(walk, frame(mac.MCNR, (0x43, 0x11, protected(7, b"\x7f", 100, 0x62))))
    payload = walk.uplink(most_us=20 * S).llc.payload
    assert (payload[0], payload[5]) == (0x6E, error_codes.PARAMETER)


def test_another_meters_downlink():
    walk = BurstWalk(meter())
    walk.uplink()
    other = Address.parse("12345679.M=XYZ.V=55.T=20")
    assert at_rx0(walk, frame(mac.MCNR, NKE, meter=other))
    assert walk.role.counters["ignored"] == 1 and not walk.role.session.alive


@pytest.mark.parametrize("option", range(1, 7))
def test_access_options(option):
    """DL-AC is option + 1; windows as Table Q.81 has them for a single burst: one, or three with downlink multi burst."""
    walk = BurstWalk(meter(access=option))
    one = walk.uplink()
    assert one.up.access == option + 1
    walk.run(one.t0_us + 20 * S)
    assert len(walk.heard) == (3 if option in (3, 4, 6) else 1)
