"""What goes into one telegram: the figures of the sheets (SX1262 7.3, oms-requirements 4), and of the driver."""

import pytest
from omsnode.drivers.sx1262 import limits
from omsnode.firmware.phy import modes
from omsnode.firmware.roles import room

LONGEST = {"up": {"S2": 110, "T2": 149, "C2": 222}, "down": {"S2": 110, "T2": 110, "C2": 155}}


@pytest.mark.parametrize("direction", LONGEST)
@pytest.mark.parametrize("mode", ("S2", "T2", "C2"))
def test_each_radio_carries_it(mode, direction):
    whole = room.whole(mode, direction)
    assert whole == LONGEST[direction][mode] <= limits.longest(modes.find(mode, direction))
    # L of a first fragment: C 1, M 2, A 6, ELL 11; AFL with KI 13 (link sheet 4, security sheet 7)
    assert 1 + 2 + 6 + 11 + 13 + room.piece(mode, direction) == min(whole, 155)
