"""C-fields against the printed table (OMS Vol.2 5.2.4 Tables 15 and 16; link sheet 6)."""

import pytest
from omsnode.firmware.link import control

PRINTED = """
SND-NKE other 40
SND-UD2 other 43 63
SND-UD  other 53 73
SND-UD3 other 45 65
REQ-UD1 other 5A 7A
REQ-UD2 other 5B 7B
ACK     other 00
CNF-IR  other 06
SND-NR  meter 44
SND-IR  meter 46
ACC-NR  meter 47
ACC-DMD meter 48
ACK     meter 00 10 20 30
NACK    meter 01 11 21 31
RSP-UD  meter 08 18 28 38
"""
TABLE = {
    (sender, int(value, 16)): name
    for name, sender, *values in (line.split() for line in PRINTED.split("\n") if line)
    for value in values
}


@pytest.mark.parametrize("c_field", range(256))
def test_names(c_field):
    meter, other = TABLE.get(("meter", c_field)), TABLE.get(("other", c_field))
    assert control.name(c_field, from_meter=True) == meter
    assert control.name(c_field, from_meter=False) == other
    assert control.name(c_field) == (other or meter)


def test_bits():
    assert control.split(0x7B) == (1, 1, 1, None, None, 11)
    assert control.split(0x44) == (1, 0, 0, None, None, 4)
    assert control.split(0x28) == (0, None, None, 1, 0, 8)
    assert control.split(0x10) == (0, None, None, 0, 1, 0)
