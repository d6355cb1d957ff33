"""Update intervals: figures typed from OMS Vol.2 Tables 8 and 9 as the sheets link 8.6 and oms-requirements 5.2, 5.3 give them."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import intervals

MINUTE = 60000000


@pytest.mark.parametrize(
    "device_type, minutes",
    [
        (0x02, 7.5),
        (0x03, 30),
        (0x04, 30),
        (0x0C, 30),
        (0x06, 240),
        (0x07, 240),
        (0x16, 240),
        (0x08, 240),
        (0x32, 240),
        (0x1F, 30),
        (0x1A, 120),
        (0x1D, 120),
        (0x1E, 120),
    ],
)
def test_longest(device_type, minutes):
    assert intervals.longest_us(device_type) == minutes * MINUTE


def test_what_is_not_in_the_tables():
    assert intervals.longest_us(0x20) is None and intervals.longest_us(0x00) is None
    assert intervals.longest_us(0x0C, submetering=True) == 240 * MINUTE
    assert intervals.longest_us(0x03, submetering=True) == 30 * MINUTE


@pytest.mark.parametrize(
    "device_type, mode, minutes, fillers, good",
    [
        (0x02, "C2", 7.5, 0, True),
        (0x02, "C2", 7.6, 0, False),
        (0x02, "C2", 3.75, 1, True),
        (0x02, "C2", 3.75, 2, False),
        (0x07, "C2", 15, 15, True),  # n is at most 15: just the 240 minutes
        (0x07, "C2", 16, 0, False),  # t_NOM of modes T and C
        (0x07, "T2", 16, 0, False),
        (0x07, "S2", 120, 1, True),
        (0x07, "S2", 120, 2, False),
        (0x07, "S2", 121, 0, False),
        (0x21, "C2", 15, 15, True),
    ],
)
def test_check(device_type, mode, minutes, fillers, good):
    if good:
        intervals.check(device_type, mode, int(minutes * MINUTE), fillers)
    else:
        with pytest.raises(MisuseError):
            intervals.check(device_type, mode, int(minutes * MINUTE), fillers)
