"""The renderer against arithmetic on its samples: tones, levels, noise and times are where they were asked to be."""

import cmath
import math
from types import SimpleNamespace

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.tools.iq.render import render

RATE = 1_000_000
CARRIER = 868_950_000


def sending(chips, **changed):
    one = {
        "start_ns": 0,
        "chips": chips,
        "chip_rate_cps": 100_000.0,
        "frequency_hz": float(CARRIER),
        "deviation_hz": 50_000.0,
        "modulation": "2-FSK",
        "power_dbm": 10.0,
    }
    return SimpleNamespace(**{**one, **changed})


def samples(data):
    return [complex(i - 127.5, q - 127.5) for i, q in zip(data[0::2], data[1::2], strict=True)]


def tone(part, rate=RATE):
    """Mean frequency in Hz."""
    turn = sum(b * a.conjugate() for a, b in zip(part, part[1:], strict=False))
    return cmath.phase(turn) * rate / 2 / math.pi


def power(part):
    return sum(abs(one) ** 2 for one in part) / len(part)


def test_a_one_is_the_higher_frequency():
    found = samples(render([sending([1] * 100 + [0] * 100)], RATE, lead_ms=1))
    assert len(found) == 1000 + 2000 + 1000
    assert tone(found[1010:1990]) == pytest.approx(50_000, abs=100)
    assert tone(found[2010:2990]) == pytest.approx(-50_000, abs=100)
    assert power(found[1000:3000]) == pytest.approx(80**2, rel=0.01)
    assert power(found[:1000]) < 1


def test_carrier_is_relative_to_the_centre_of_the_recording():
    found = samples(render([sending([1] * 100)], RATE, CARRIER - 200_000, offset_hz=7_000, lead_ms=0))
    assert tone(found) == pytest.approx(257_000, abs=100)


def test_chips_end_between_samples():
    """112 kc/s at 1 MS/s: 1000 chips are 8928.57 samples, and the last is where it belongs."""
    found = samples(
        render([sending([1] * 500 + [0] * 500, chip_rate_cps=112_000.0)], RATE, lead_ms=0, gap_ms=0)
    )
    assert len(found) == 8929
    phases = [cmath.phase(b * a.conjugate()) > 0 for a, b in zip(found, found[1:], strict=False)]
    assert sum(phases) == pytest.approx(500 * RATE / 112_000, abs=1)


def test_the_phase_has_no_steps():
    found = samples(render([sending([1, 0, 0, 1, 1, 1, 0] * 30)], RATE, lead_ms=0))
    most = max(abs(cmath.phase(b * a.conjugate())) for a, b in zip(found, found[1:], strict=False))
    assert most < 2 * math.pi * 50_000 / RATE + 0.05  # what eight bits add


def test_gaussian_filter_bt_half():
    """Alternating chips do not reach the whole deviation, the longest run does; 2-FSK always does."""
    chips = [0, 1] * 50 + [1] * 20
    changed = {"chip_rate_cps": 50_000.0, "deviation_hz": 25_000.0}
    for modulation, peak in (("2-FSK", 25_000), ("2-GFSK", 20_900)):
        found = samples(render([sending(chips, modulation=modulation, **changed)], RATE, lead_ms=0))
        # The middle 1/4 of chip 51, a 1 between zeros. GFSK: 2 * erf(pi * BT / sqrt(2 ln 2)) - 1 at its very middle.
        assert tone(found[51 * 20 + 8 : 51 * 20 + 13]) == pytest.approx(peak, rel=0.04)
        assert tone(found[110 * 20 : 115 * 20]) == pytest.approx(25_000, rel=0.01)


def test_noise_is_what_ecn0_says():
    one = sending([1] * 1000)
    found = samples(render([one], RATE, ecn0_db=20, lead_ms=20, amplitude=50))
    # A^2 * rate / chip rate / 10^(20/10)
    assert power(found[:20_000]) == pytest.approx(50**2 * 10 / 100, rel=0.03)
    assert render([one], RATE, ecn0_db=20) == render([one], RATE, ecn0_db=20)
    assert render([one], RATE, ecn0_db=20) != render([one], RATE, ecn0_db=20, seed=1)


def test_times_gaps_and_powers():
    first, second = sending([1] * 100), sending([1] * 100, start_ns=5_000_000, power_dbm=4.0)
    kept = samples(render([second, first], RATE, lead_ms=1))
    assert len(kept) == 1000 + 5000 + 1000 + 1000
    assert power(kept[6000:7000]) == pytest.approx(80**2 / 10**0.6, rel=0.02)
    assert power(kept[2000:6000]) < 1
    laid = samples(render([first, second], RATE, lead_ms=1, gap_ms=0.5))
    assert len(laid) == 1000 + 1000 + 500 + 1000 + 1000
    assert power(laid[2000:2500]) < 1


def test_two_at_once_are_added():
    low, high = sending([0] * 100), sending([1] * 100, start_ns=500_000)
    found = samples(render([low, high], RATE, lead_ms=0, amplitude=40))
    assert len(found) == 1500
    assert power(found[:500]) == pytest.approx(40**2, rel=0.02)
    assert power(found[500:1000]) == pytest.approx(2 * 40**2, rel=0.05)
    assert tone(found[1000:]) == pytest.approx(50_000, abs=300)


def test_too_loud_is_clipped():
    assert set(render([sending([1] * 50)], RATE, lead_ms=0, amplitude=1000)) >= {0, 255}


def test_what_a_receiver_there_would_not_hear():
    near, far = sending([1] * 100), sending([1] * 100, frequency_hz=868_300_000.0)
    assert render([near, far], RATE) == render([near], RATE)
    with pytest.raises(MisuseError):
        render([far], RATE, CARRIER)
    with pytest.raises(MisuseError):
        render([], RATE)
    with pytest.raises(MisuseError):
        render([near], 0)
    with pytest.raises(MisuseError):
        render([sending([1], modulation="OOK")], RATE)
