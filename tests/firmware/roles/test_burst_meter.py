"""The burst meter on a virtual clock: published frames, and the ladders of the LPWAN sheet, section 17."""

import json

import pytest
from omsnode.firmware.link import interval_us
from omsnode.firmware.roles.meter import Register
from support_burst_meter import METER, BurstWalk, S, make


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
