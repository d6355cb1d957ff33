"""Addresses in both byte orders, as text, as patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.errors import LengthError, MisuseError
from omsnode.firmware.link.address import Address, device_type_name
from omsnode.firmware.link.address_text import manufacturer_code, manufacturer_number

EIGHT = st.binary(min_size=8, max_size=8)


def test_manufacturers():
    # Link sheet 5.4.
    for code, number in (("CEN", 0x0CAE), ("ELS", 0x1593), ("KAM", 0x2C2D), ("TCH", 0x5068)):
        assert manufacturer_code(number) == code
        assert manufacturer_number(code) == manufacturer_number(code.lower()) == number
    # Range of the letters, application sheet 4.3.
    assert manufacturer_code(0x0421) == "AAA" and manufacturer_code(0x6B5A) == "ZZZ"
    assert manufacturer_code(0xAC2D) == "KAM"
    assert manufacturer_code(0x0000) == "0000" and manufacturer_code(0xFFFF) == "ffff"


def test_published_addresses():
    # Link sheet 12 no. 1, and no. 6: sender and receiver on the link, meter in the long header.
    sample = Address.from_link(bytes.fromhex("AE0C785634120107"))
    assert str(sample) == "12345678.M=CEN.V=01.T=07"
    assert (sample.manufacturer, sample.ident, sample.version, sample.device_type) == (
        0x0CAE,
        "12345678",
        1,
        7,
    )
    assert sample.manufacturer_code == "CEN" and device_type_name(7) == "water"
    meter = Address.from_tpl(bytes.fromhex("7856341293153303"))
    assert str(meter) == "12345678.M=ELS.V=33.T=03"
    assert str(Address.from_link(bytes.fromhex("2448443322110337"))) == "11223344.M=RAD.V=03.T=37"


def test_nibbles_above_nine_are_letters():
    address = Address.from_link(bytes.fromhex("2D2CDD4400000411"))
    assert address.ident == "000044dd"
    assert Address.parse(str(address)) == address


@given(EIGHT)
def test_bytes_both_ways(data):
    link, tpl = Address.from_link(data), Address.from_tpl(data)
    assert link.link_bytes() == data and tpl.tpl_bytes() == data
    assert link.tpl_bytes() == data[2:6] + data[:2] + data[6:]
    assert Address.from_tpl(link.tpl_bytes()) == link
    assert hash(Address.from_tpl(link.tpl_bytes())) == hash(link)
    assert Address.parse(str(link)) == link
    assert link.matches(Address.parse(link.ident)) and Address.parse(link.ident).matches(link)


@given(EIGHT, EIGHT)
def test_equal_if_and_only_if_the_bytes_are(a, b):
    assert (Address.from_link(a) == Address.from_link(b)) == (a == b)
    assert Address.from_link(a) != a


def test_patterns():
    meter = Address.parse("12345678.M=KAM.V=1b.T=16")
    assert (meter.manufacturer, meter.version, meter.device_type) == (0x2C2D, 0x1B, 0x16)
    for text, matches in (
        ("12345678", True),
        ("12345678.M=KAM", True),
        (" 12345678.t=16.m=kam ", True),
        ("12345678.M=KAM.V=1B.T=16", True),
        ("12345678.M=TCH", False),
        ("12345678.V=1c", False),
        ("12345678.T=07", False),
        ("12345679", False),
    ):
        pattern = Address.parse(text)
        assert pattern.matches(meter) is meter.matches(pattern) is matches
        assert Address.parse(str(pattern)) == pattern
    with pytest.raises(MisuseError):
        Address.parse("12345678").link_bytes()
    assert Address.parse("12345678").manufacturer_code is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234567",
        "123456789",
        "1234567g",
        "+1234567",
        "12345678.",
        "12345678.M",
        "12345678.M=",
        "12345678.M=KA",
        "12345678.M=KA1",
        "12345678.X=1",
        "12345678.V=123",
        "12345678.V=-1",
        "12345678.V=1.V=1",
        "12345678,M=KAM",
        "١٢٣٤٥٦٧٨",
    ],
)
def test_text_that_is_no_address(text):
    with pytest.raises(MisuseError):
        Address.parse(text)


@given(st.text(max_size=30))
def test_any_text_gives_an_address_or_misuse(text):
    try:
        address = Address.parse(text)
    except MisuseError:
        return
    assert Address.parse(str(address)) == address


def test_wrong_sizes():
    for data in (b"", bytes(7), bytes(9)):
        with pytest.raises(LengthError):
            Address.from_link(data)
        with pytest.raises(LengthError):
            Address.from_tpl(data)
    with pytest.raises(MisuseError):
        Address(0x10000, "12345678", 0, 0)
    with pytest.raises(MisuseError):
        Address(0, "12345678", 256, 0)


def test_device_types():
    # EN 13757-7 Table 13.
    assert device_type_name(0x16) == "cold water"
    assert device_type_name(0x08) == "heat cost allocator"
    assert device_type_name(0x02) == "electricity"
    assert device_type_name(0x33) == "bidirectional repeater"
    assert device_type_name(0x40) is None
