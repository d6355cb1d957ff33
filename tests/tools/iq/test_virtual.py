"""What the driver sends through the chip model, measured on the recording, against the standard's limits.

rtl_433 judges coding, polarity and framing, but it takes 12 % of chip rate and half the deviation without complaint: so
rate, carrier and deviation are measured here.
"""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import frame_a
from omsnode.firmware.phy import modes
from omsnode.tools.iq import virtual
from omsnode.tools.iq.render import render
from omsnode.tools.iq.slice import slice_iq

RATE = 1_600_000
FRAME = frame_a.build(bytes([200]) + bytes(range(200)))

# Link sheet 1.1 (OMS Vol.2 Annex O Table 1): carrier +- Hz, least and most deviation. Rate +- ppm: of a sender; mode C
# asks for 100 ppm, which an SX1262 keeps, but a CC1101 with 26 MHz has nothing nearer than 99.976 kc/s, -244 ppm (link
# sheet 3.4).
SHORTER = frame_a.build(bytes([110]) + bytes(range(110)))  # the longest that an SX1262 surely sends in S
LIMITS = {
    ("T1", modes.UP): (868_950_000, 50_000, 40_000, 80_000, 100_000, 100_000),
    ("C1", modes.UP): (868_950_000, 22_000, 33_750, 56_250, 100_000, 300),
    ("S1", modes.UP): (868_300_000, 50_000, 40_000, 80_000, 32_768, 15_000),
    ("S1-m", modes.UP): (868_300_000, 50_000, 40_000, 80_000, 32_768, 15_000),
    ("S2", modes.DOWN): (868_300_000, 22_000, 40_000, 80_000, 32_768, 15_000),
    ("C2", modes.DOWN): (869_525_000, 22_000, 18_750, 31_250, 50_000, 300),
}


@pytest.mark.parametrize("mode, direction", LIMITS)
def test_within_the_limits_of_the_standard(mode, direction):
    carrier_hz, carrier_limit_hz, least_hz, most_hz, rate_cps, rate_ppm = LIMITS[mode, direction]
    sent = virtual.send(mode, [FRAME], direction=direction)
    (burst,) = slice_iq(render(sent, RATE, carrier_hz), RATE, carrier_hz)
    assert burst.frequency_hz == pytest.approx(carrier_hz, abs=carrier_limit_hz)
    assert burst.chip_rate_cps == pytest.approx(rate_cps, rel=rate_ppm * 1e-6)
    assert least_hz <= burst.deviation_hz <= most_hz


@pytest.mark.parametrize("crystal_ppm", [-10, 0, 10])
@pytest.mark.parametrize("mode, direction", LIMITS)
def test_sx1262_within_the_limits_of_the_standard(mode, direction, crystal_ppm):
    """Its steps are fine enough that the crystal alone decides (sheet 6.1), and mode C has the 100 ppm of the standard."""
    carrier_hz, carrier_limit_hz, least_hz, most_hz, rate_cps, rate_ppm = LIMITS[mode, direction]
    frame = FRAME if mode[0] == "C" else SHORTER
    sent = virtual.send(mode, [frame], direction=direction, chip="sx1262", crystal_ppm=crystal_ppm)
    (burst,) = slice_iq(render(sent, RATE, carrier_hz), RATE, carrier_hz)
    off_hz = carrier_hz * crystal_ppm * 1e-6
    assert burst.frequency_hz == pytest.approx(carrier_hz + off_hz, abs=carrier_limit_hz - abs(off_hz))
    assert burst.chip_rate_cps == pytest.approx(rate_cps, rel=min(rate_ppm, 100) * 1e-6)
    assert least_hz <= burst.deviation_hz <= most_hz


def test_one_transmission_per_frame_in_order():
    sent = virtual.send("C1", [FRAME, frame_a.build(bytes([9]) + bytes(9))] * 2)
    assert [len(one.chips) // 8 for one in sent] == [8 + len(FRAME), 8 + 12] * 2
    assert all(one.start_ns < other.start_ns for one, other in zip(sent, sent[1:], strict=False))


def test_misuse():
    with pytest.raises(MisuseError):
        virtual.send("T1", [FRAME], "B")
    with pytest.raises(MisuseError):
        virtual.send("X9", [FRAME])
