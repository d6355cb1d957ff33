"""Multi-burst ladders of the burst meter on a virtual clock: L4 to L6 of the LPWAN sheet, section 17; uplink sessions."""

import pytest
from omsnode.firmware.link.lpwan import mac
from omsnode.firmware.phy.burst import timing
from support_burst_meter import BurstWalk, S, down, frame, make

# UL-B4 short, TIV 64 (sheet 11.1): t_A, t_B; fast: t_RO = t_A / 2.
T_A, T_B = 2250000, 3750000
T_RO = 1125000
TYPES = {"short": 0, "medium": 1, "long": 2}


def begin(access=4, spacing=0, **more):
    walk = BurstWalk(make(coding="multi", access=access, spacing=spacing, downlink="DL-B4", **more))
    walk.uplink()
    return walk


def asks():
    """SND-UD2 without security: answered with an application error, which is an answer."""
    return frame(mac.MCNR, (0x43, 0x05, bytes.fromhex("5A23000000")))


@pytest.mark.parametrize(
    "uplink, spacing, t_a, t_b",
    [  # sheet 11.1, TIV 127
        ("UL-B4", 0, 3234375, 4734375),
        ("UL-B4", 1, 7734375, 12234375),
        ("UL-B4", 2, 12984375, 20984375),
        ("UL-B1", 0, 9703125, 14203125),
        ("UL-B2", 1, 23203125, 36703125),
        ("UL-B3", 2, 38953125, 62953125),
    ],
)
def test_spacing(uplink, spacing, t_a, t_b):
    """Unidirectional: three bursts with one header, the distances by the TIV."""
    walk = BurstWalk(make(uplink, coding="multi", spacing=spacing, tiv=127))
    walk.uplink(3)
    one, two, three = walk.bursts
    assert (two.t0_us - one.t0_us, three.t0_us - two.t0_us) == (t_a, t_b)
    assert one.header == two.header == three.header and one.payload == two.payload == three.payload
    assert one.header[1:] == (127, 1, spacing)


def test_best_case():
    """L4: DL1 in RX3 is enough; MACK in TX1 and TX2, no further window; the answer is on the nominal grid."""
    walk = begin()
    t0 = walk.bursts[0].t0_us
    assert walk.answer(down(asks(), multi=1, burst_type=0)[0], t0 + T_RO, "DL-B4")
    mack = walk.uplink(most_us=9 * S)
    assert mack.payload == bytes.fromhex("098378CFC7") and mack.header[2:] == (0, 2)
    assert mack.t0_us == t0 + T_A
    assert walk.uplink(most_us=9 * S).payload == bytes.fromhex("098378CFC7")
    assert walk.bursts[-1].t0_us == t0 + T_A + T_B
    n = len(walk.heard)
    answer = walk.uplink(most_us=60 * S)
    assert len(walk.heard) == n, "a window was open behind the MACK"
    # RX2 is the last slot (3 t_RO); timing option #2: t_RM medium = t_A.
    assert answer.t0_us == t0 + T_A + T_B + 3 * T_RO + T_A
    assert answer.llc.c_field == 0x08 and answer.llc.access_number == 5
    assert walk.role.counters["mack"] == 2


def test_worst_case():
    """L5: DL3 in RX2 alone."""
    walk = begin()
    t0 = walk.bursts[0].t0_us
    dl3 = down(asks(), multi=1, burst_type=0)[2]
    assert walk.answer(dl3, t0 + T_A + T_B + 3 * T_RO, "DL-B4")
    assert [one.type for one in walk.bursts] == ["MSNR"] * 3
    assert walk.role.counters["taken"] == 1
    answer = walk.uplink(most_us=60 * S)
    assert answer.t0_us == t0 + T_A + T_B + 3 * T_RO + T_A and answer.llc.c_field == 0x08


def test_windows():
    """All six, in their order (sheet 11.2): TX0 RX3 TX1 RX4 RX5 TX2 RX0 RX1 RX2."""
    walk = begin()
    t0 = walk.bursts[0].t0_us
    walk.run(t0 + 60 * S)
    slots = [T_RO, T_A + T_RO, T_A + 2 * T_RO] + [T_A + T_B + i * T_RO for i in (1, 2, 3)]
    assert len(walk.heard) == 6 and len(walk.bursts) == 3
    for (on, off), slot in zip(walk.heard, slots, strict=True):
        sync = t0 + slot
        # 250 ppm of its own, and jitter: on in time for the first chip, and not for long.
        assert on <= sync - 64 * S // 24000 - slot * 270 // 1000000 - 500
        assert sync + slot * 280 // 1000000 + 500 <= off <= sync + 40000 and on >= sync - 60000


def test_header_only():
    """L6: DL1 cannot be decoded: the further bursts are skipped, the windows stay; DL2 in RX4 completes it: MACK in TX2."""
    walk = begin()
    t0 = walk.bursts[0].t0_us
    bursts = down(asks(), multi=1, burst_type=0)
    broken = bytearray(bursts[0])
    for i in range(20, len(broken)):
        broken[i] ^= 0x41
    assert walk.answer(bytes(broken), t0 + T_RO, "DL-B4")
    assert walk.role.counters["heard"] == 1
    assert walk.answer(bursts[1], t0 + T_A + T_RO, "DL-B4")
    assert len(walk.bursts) == 1 and walk.role.counters["skipped_bursts"] == 1
    mack = walk.uplink(most_us=9 * S)
    assert mack.t0_us == t0 + T_A + T_B and mack.payload == bytes.fromhex("098378CFC7")
    assert walk.role.counters["taken"] == 1


def test_single_downlink_to_a_multi_meter():
    """DL0 in RX0 (Q.2.4.6.2.2)."""
    walk = begin()
    t0 = walk.bursts[0].t0_us
    assert walk.answer(down(asks(), burst_type=1)[0], t0 + T_A + T_B + T_RO, "DL-B4")
    assert walk.role.counters["taken"] == 1


def test_no_additional_window():
    """Option #3: RX0 to RX2 only."""
    walk = begin(access=3)
    t0 = walk.bursts[0].t0_us
    walk.run(t0 + 60 * S)
    assert len(walk.heard) == 3 and walk.heard[0][0] > t0 + T_A + T_B
    assert walk.bursts[0].up.access == 4


def test_another_tiv_is_nothing():
    walk = begin()
    t0 = walk.bursts[0].t0_us
    walk.answer(down(asks(), multi=1, burst_type=0, tiv=9)[0], t0 + T_RO, "DL-B4")
    walk.run(t0 + 60 * S)
    assert len(walk.bursts) == 3 and walk.role.counters["foreign"] == 1


def test_lost_further_burst():
    """A burst that the radio could not send is missing; the frame goes on."""
    walk = BurstWalk(make(coding="multi", access=4, downlink="DL-B4"))
    walk.uplink()
    t0 = walk.bursts[0].t0_us
    walk.lose = lambda action: action.at_us < t0 + T_A + S
    walk.run(t0 + T_A + S)
    walk.lose = lambda action: False
    third = walk.uplink(most_us=9 * S)
    assert third.t0_us == t0 + T_A + T_B
    walk.run(t0 + 60 * S)
    assert walk.role.state == "rest" and len(walk.heard) == 6


@pytest.mark.parametrize("option", range(1, 9))
@pytest.mark.parametrize("spacing", (0, 1, 2))
def test_every_response_timing(option, spacing):
    """The windows and the answer are where phy.burst.timing, proven by itself, has them, without additional window."""
    walk = begin(access=3, spacing=spacing, option=option)
    one = walk.bursts[0]
    assert one.up.timing == (option if option != 2 else None)
    slots = timing.slots("UL-B4", one.header, option, False, True)
    assert walk.answer(down(asks(), multi=1, burst_type=0)[1], one.t0_us + slots[1].offset_us, "DL-B4")
    answer = walk.uplink(1, 200 * S)
    while answer.llc is None or answer.llc.c_field != 8:
        answer = walk.uplink(1, 200 * S)
    least, most = timing.next_tx0("UL-B4", one.header, option, True)
    assert least <= answer.t0_us - one.t0_us <= most
