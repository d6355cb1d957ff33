"""Credits: costs and figures typed from the link sheet 8.8 and the oms-requirements sheet 5.5 (OMS Vol.2 4.3.4, Tables 11 to 13)."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import credits
from omsnode.firmware.link.credits import Credits
from omsnode.firmware.phy import duty_cycle, modes

S = 1000000
HOUR = 3600 * S
NEXT = 930 * S


def test_costs_crd_01_02():
    assert credits.RECEIVED == {
        "SND-UD": 2,
        "SND-UD2": 2,
        None: 2,
        "REQ-UD1": 1,
        "REQ-UD2": 1,
        "SND-NKE": 1,
        "CNF-IR": 1,
    }
    assert credits.SENT == {"RSP-UD": 5, "ACK": 1, "NACK": 1}


@pytest.mark.parametrize("mode, longest, bits_per_byte", [("S2", 110, 16), ("T2", 149, 12), ("C2", 255, 8)])
@pytest.mark.parametrize("cost", [5, 2])
def test_240_credits_fit_the_duty_cycle_crd_06(mode, longest, bits_per_byte, cost):
    """Within an hour, though 2 h are allowed: answers as long as the radios carry (5, a repetition), or ACK of 30 bytes (1 and 1)."""
    row = modes.find(mode)
    length = longest if cost == 5 else 30
    chips = (length + 1 + 2 * (length // 16 + 2)) * bits_per_byte + 2 * row.preamble_pairs + 64
    air_time_us = chips * S // row.chip_rate_cps
    frequency_hz = {"S2": 868300000}.get(mode, 868950000)
    ledger = duty_cycle.Ledger()
    for n in range(240 // cost):
        ledger.check(frequency_hz, air_time_us, n * S)
        ledger.book(frequency_hz, air_time_us, n * S)


def test_never_below_zero_crd_03():
    one = Credits(stored=(7, 0))
    assert one.spend(2, 0) and one.spend(5, 0) and one.count == 0
    assert not one.spend(1, 0) and one.count == 0


def test_gain_crd_07_and_room_crd_08():
    """10 in 2 h; 4000 are kept and no more."""
    one = Credits(stored=(0, 0))
    one.spend(0, 0)
    for hours, expected in ((1, 5), (2, 10), (24, 120)):
        one.spend(0, hours * HOUR)
        assert one.count == expected
    one.spend(0, 100000 * HOUR)
    assert one.count == 4000 and Credits().count == 4000


def test_no_access_at_the_end_and_back_within_12_h_crd_04_05():
    one = Credits(stored=(8, 0))
    assert one.access(0, NEXT)
    one.spend(2, 0)
    assert not one.access(0, NEXT)
    closed = [hour for hour in range(13) if not one.access(hour * HOUR, NEXT)]
    assert closed == list(range(len(closed))) and 1 < len(closed) <= 12
    # The frame behind this one would come too late: this one offers access, whatever is left.
    one = Credits(stored=(0, 0), gain_us=10**15)
    assert not one.access(0, 4 * HOUR)
    assert not one.access(7 * HOUR, 4 * HOUR)
    assert one.access(9 * HOUR, 4 * HOUR)


def test_power_cuts_do_not_make_it_longer_crd_05():
    """The time without access is that with power, and goes on behind a cut; coarse: never longer."""
    for life_us in (HOUR // 10, HOUR, 5 * HOUR):
        stored, powered_us = [0, 0], 0
        for _ in range(200):
            one = Credits(stored, gain_us=10**15)
            if one.start(77 * HOUR, NEXT):
                break
            stored = one.export(77 * HOUR, NEXT)
            for slot in range(1, life_us // NEXT + 1):
                now_us = 77 * HOUR + slot * NEXT
                if not one.timed(now_us, NEXT):
                    stored = one.export(now_us, NEXT)
                if one.access(now_us, NEXT):
                    break
            powered_us += life_us
            if one.count:
                break
        assert one.count == credits.LEAST
        assert HOUR / 2 < powered_us <= 12 * HOUR + life_us


def test_time_without_access_is_stored_seldom():
    one = Credits(stored=(0, 0), gain_us=10**15)
    assert not one.access(0, NEXT)
    writes = 0
    for now_us in range(0, 11 * HOUR, NEXT):
        assert not one.access(now_us, NEXT)
        if not one.timed(now_us, NEXT):
            one.export(now_us, NEXT)
            writes += 1
    assert 5 < writes < 13


def test_few_credits_are_not_lost_by_a_restart():
    one = Credits(stored=(40, 0))
    assert Credits(one.export(0, NEXT)).count == 20
    one.spend(40, 0)
    one.access(0, NEXT)
    one.spend(0, 6 * HOUR)
    assert one.count == 30
    assert Credits(one.export(6 * HOUR, NEXT)).count == 30  # without access none is spent


def test_pause_crd_09():
    one = Credits(pause=True)
    for _ in range(34):
        one.spend(7, HOUR)
        assert one.access(HOUR, NEXT)
    one.spend(2, HOUR)
    assert not one.access(HOUR, NEXT) and not one.access(11 * HOUR, NEXT)
    assert one.access(13 * HOUR, NEXT)
    other = Credits()
    other.spend(300, 0)
    assert other.access(0, NEXT)


def test_duty_cycle_closes_until_it_allows_crd_04():
    one = Credits()
    assert one.access(0, NEXT)
    one.close(0, 2 * HOUR)
    assert not one.access(HOUR, NEXT) and one.access(2 * HOUR, NEXT)


def test_firmware_transfer_is_not_interrupted_crd_11():
    one = Credits(stored=(3, 0))
    one.held = True
    assert one.spend(5, 0) and one.count == 0 and one.access(0, NEXT)
    one.held = False
    assert not one.access(0, NEXT)


def test_a_restart_finds_no_more_than_there_was():
    one = Credits()
    one.spend(0, 0)
    for _ in range(1000):
        if not one.covered():
            stored = one.export(0, NEXT)
        stored = one.export(0, NEXT) if _ == 0 else stored
        assert stored[0] <= one.count
        one.spend(3, 0)
        if not one.covered():
            stored = one.export(0, NEXT)
        assert Credits(stored).count <= one.count


@pytest.mark.parametrize("stored", [-1, "4", 1.5, [1], 7, [1, -1], [1, "2"], [1, 2, 3], {"1": 2}])
def test_damaged(stored):
    with pytest.raises(MisuseError):
        Credits(stored)
