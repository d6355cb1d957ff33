"""DIF and DIFE: sheet en13757-3-application 1.1-1.4; numbers typed from its rules and from OMS Annex B examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import dib
from omsnode.firmware.errors import ApplicationError, MisuseError


def parsed(text):
    data = bytes.fromhex(text)
    return dib.parse(data, 0, len(data))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0C", (1, 12, 0, 0, 0, 0, False)),
        ("5B", (1, 11, 1, 1, 0, 0, False)),
        ("62", (1, 2, 2, 1, 0, 0, False)),
        ("3C", (1, 12, 3, 0, 0, 0, False)),
        ("8D04", (2, 13, 0, 8, 0, 0, False)),  # OMS-P G: storage 8
        ("C28200", (3, 2, 0, 5, 0, 0, True)),  # OMS-B B.1: register number 5
        ("8110", (2, 1, 0, 0, 1, 0, False)),
        ("8130", (2, 1, 0, 0, 3, 0, False)),  # OMS-P Annex K: tariff 3
        ("818040", (3, 1, 0, 0, 0, 2, False)),  # OMS-P Annex K: subunit 2
        ("8240", (2, 2, 0, 0, 0, 1, False)),
        ("C4" + "FF" * 9 + "7F", (11, 4, 0, 2**41 - 1, 2**20 - 1, 2**10 - 1, False)),
        ("C4" + "FF" * 10 + "00", (12, 4, 0, 2**41 - 1, 2**20 - 1, 2**10 - 1, True)),
    ],
)
def test_numbers_and_flags(text, expected):
    assert parsed(text) == expected


@pytest.mark.parametrize(
    "text, reason, position",
    [
        ("84", "truncated in the DIB", 1),
        ("84FF", "truncated in the DIB", 2),
        ("84" + "80" * 10 + "01", "too many DIFE", 11),
        ("84" + "80" * 30, "too many DIFE", 11),
        ("8F00", "reserved DIF", 0),
    ],
)
def test_reasons(text, reason, position):
    with pytest.raises(ApplicationError) as caught:
        parsed(text)
    assert (caught.value.message, caught.value.position) == (reason, position)


@given(
    st.integers(0, 14),
    st.integers(0, 3),
    st.integers(0, 2**41 - 1),
    st.integers(0, 2**20 - 1),
    st.integers(0, 2**10 - 1),
    st.booleans(),
)
def test_build_is_read_back(field, function, storage, tariff, subunit, final):
    built = dib.build(field, function, storage, tariff, subunit, final)
    assert dib.parse(built, 0, len(built)) == (len(built), field, function, storage, tariff, subunit, final)


def test_build_takes_names_and_no_more_difes_than_needed():
    assert dib.build("bcd8") == b"\x0c"
    assert dib.build("bcd6", storage=5, final_dife=True) == bytes.fromhex("CB8200")  # OMS-B B.1
    assert dib.build("int32", "maximum", tariff=1) == bytes.fromhex("9410")


@pytest.mark.parametrize(
    "arguments",
    [
        {"field": 15},
        {"field": "int40"},
        {"field": 4, "function": "mean"},
        {"field": 4, "storage": 2**41},
        {"field": 4, "tariff": 2**20},
        {"field": 4, "subunit": -1},
    ],
)
def test_build_refuses(arguments):
    with pytest.raises(MisuseError):
        dib.build(**arguments)


def test_lvar_lengths():
    expected = dict.fromkeys(range(0x100), -1)
    expected.update({n: n for n in range(0xC0)})
    expected.update({0xC0 + n: n for n in range(10)})
    expected.update({0xD0 + n: n for n in range(10)})
    expected.update({0xE0 + n: n for n in range(16)})
    expected.update(zip(range(0xF0, 0xF7), (16, 20, 24, 28, 32, 48, 64), strict=True))
    assert {lvar: dib.lvar_bytes(lvar) for lvar in range(0x100)} == expected
