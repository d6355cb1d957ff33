"""LLC, frame format C: published frames field by field, typical LC[0] of the sheet, every rejection (Annex Q.4)."""

import pytest
import support_lpwan as published
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware import errors
from omsnode.firmware.link.address import Address
from omsnode.firmware.link.lpwan import llc

METER = published.METER
GATEWAY = Address.parse("99999999.M=OMS.V=02.T=31")
A, G = METER.link_bytes().hex().upper(), GATEWAY.link_bytes().hex().upper()
UPPER = bytes.fromhex("7A0000000078")

# Name of a published frame, offset of its LLC, what it says.
PUBLISHED = (
    ("Q.K.3", 1, llc.Llc(0x44, METER, None, 0x75, 1, 0, None, None, published.frame("Q.K.3")[12:-4])),
    ("Q.K.5", 2, llc.Llc(None, METER, None, None, 0, 0, None, None, None)),
    ("Q.K.6", 10, llc.Llc(None, None, METER, None, 0, 0, None, None, None)),
    ("Q.K.7", 10, llc.Llc(0x7B, None, METER, 8, 0, 0, None, None, bytes.fromhex("9375170000"))),
    ("Q.K.8", 13, llc.Llc(0x08, METER, None, 8, 0, 0, None, None, published.frame("Q.K.8")[24:-4])),
    ("Q.Z.1", 2, llc.Llc(None, METER, None, None, 0, 0, None, None, None)),
    ("Q.Z.10", 2, llc.Llc(None, None, METER, None, 0, 0, None, None, None)),
)


@pytest.mark.parametrize(("name", "offset", "fields"), PUBLISHED)
def test_published(name, offset, fields):
    up = published.FRAMES[name][0] == "up"
    data = published.frame(name)[offset:-4]
    assert llc.parse(data, up) == fields
    assert llc.build(fields, up) == data


def test_a_mack_has_none():
    assert llc.parse(b"", True) is None and llc.build(None, True) == b""


# Typical frames of sheet section 20, and LC[1], which no published frame has, by hand from its bit table.
TYPICAL = (
    (True, llc.meter_up(0x44, METER, 7, 1, UPPER), "5B44" + A + "07"),
    (True, llc.meter_up(0x08, METER, 7, 0, UPPER), "1B08" + A + "07"),
    (True, llc.meter_up(0x47, METER, 7), "0B47" + A + "07"),
    (True, llc.meter_up(0x08, METER, 7, 0, UPPER, GATEWAY), "1F08" + A + G + "07"),
    (False, llc.gateway_down(0x53, METER, 9, UPPER), "1D53" + A + "09"),
    (False, llc.gateway_down(0x53, METER, 9, UPPER, GATEWAY), "1F53" + G + A + "09"),
    (False, llc.gateway_down(0x53, METER, 9, UPPER, GATEWAY, 1), "5F53" + G + A + "09"),
    (True, llc.Llc(0x44, METER, None, 7, 0, 1, None, None, UPPER), "9B0444" + A + "07"),
    (True, llc.Llc(0x44, METER, None, 7, 0, 0, (1, 0x0102), None, UPPER), "9B0144" + A + "07" + "0201"),
    (True, llc.Llc(0x44, METER, None, 7, 1, 1, (2, 3), 0x10, UPPER), "DB0E44" + A + "07" + "0300" + "10"),
    (False, llc.Llc(0x53, None, METER, 7, 0, 1, None, None, UPPER), "9D0453" + A + "07"),
)


@pytest.mark.parametrize(("up", "fields", "text"), TYPICAL)
def test_typical(up, fields, text):
    data = bytes.fromhex(text) + (fields.payload or b"")
    assert llc.build(fields, up) == data
    assert llc.parse(data, up) == fields
    for end in range(1, len(bytes.fromhex(text)) + (1 if fields.payload else 0)):
        with pytest.raises(errors.LengthError):
            llc.parse(data[:end], up)


def test_rtd_in_microseconds():
    assert llc.rtd_us((llc.RTD_256TH_S, 256)) == 1000000 and llc.rtd_us((llc.RTD_256TH_S, 1)) == 3906
    assert llc.rtd_us((llc.RTD_2S, 3)) == 6000000


REJECTED = (
    ("2044", True, errors.ReservedError),
    ("8000", True, None),
    ("8080", True, errors.ReservedError),  # LC[2]
    ("8040", True, errors.ReservedError),
    ("8010", True, errors.ReservedError),
    ("8003", True, errors.ReservedError),  # RTDP
    ("800800", False, errors.ReservedError),  # RAS in a downlink
    ("80", True, errors.LengthError),
    ("10", True, errors.LengthError),  # upper layer of no bytes
    ("014400", True, errors.LengthError),  # bytes behind the last field
    ("02" + A + "00", True, errors.LengthError),
)


@pytest.mark.parametrize(("text", "up", "error"), REJECTED)
def test_rejections(text, up, error):
    data = bytes.fromhex(text)
    if error is None:
        assert llc.parse(data, up) == llc.Llc(None, None, None, None, 0, 0, None, None, None)
        return
    with pytest.raises(error) as caught:
        llc.parse(data, up)
    assert type(caught.value) is error


@pytest.mark.parametrize("ci", (0x50, 0x51, 0x52, 0x54, 0x70, 0x71, 0xB8, 0xBB, 0xBD, 0xBE, 0xBF, 0xCF))
def test_ci_codes_of_other_links(ci):
    """Primary Table 1: they shall not be used."""
    data = llc.build(llc.meter_up(0x44, METER, 1, 0, UPPER), True).replace(UPPER, bytes([ci, 0]))
    with pytest.raises(errors.ForbiddenCiError, match="CI {:02X} is not allowed".format(ci)) as caught:
        llc.parse(data, True)
    assert caught.value.code == "forbidden_ci" and caught.value.hint
    with pytest.raises(errors.MisuseError):
        llc.build(llc.meter_up(0x44, METER, 1, 0, bytes([ci, 0])), True)


@pytest.mark.parametrize(
    ("fields", "up"),
    (
        (llc.Llc(256, METER, None, 1, 0, 0, None, None, None), True),
        (llc.Llc(0x44, METER, None, 256, 0, 0, None, None, None), True),
        (llc.Llc(0x44, METER, None, 1, 0, 0, (3, 1), None, None), True),
        (llc.Llc(0x44, METER, None, 1, 0, 0, (1, 65536), None, None), True),
        (llc.Llc(0x44, METER, None, 1, 0, 0, None, 1, None), False),
        (llc.Llc(0x44, METER, None, 1, 0, 0, None, None, b""), True),
    ),
)
def test_misuse(fields, up):
    with pytest.raises(errors.MisuseError):
        llc.build(fields, up)


octets = st.none() | st.integers(0, 255)
addresses = st.none() | st.builds(Address.from_link, st.binary(min_size=8, max_size=8))
bits = st.integers(0, 1)
uppers = st.none() | st.binary(min_size=1, max_size=40).filter(lambda data: data[0] not in llc.FORBIDDEN_CI)


@settings(max_examples=300)
@given(
    st.builds(
        llc.Llc,
        octets,
        addresses,
        addresses,
        octets,
        bits,
        bits,
        st.none() | st.tuples(st.integers(1, 2), st.integers(0, 0xFFFF)),
        octets,
        uppers,
    )
)
def test_what_is_built_is_parsed(fields):
    assert llc.parse(llc.build(fields, True), True) == fields


@settings(max_examples=500)
@given(st.binary(max_size=40), st.booleans())
def test_random_bytes(data, up):
    try:
        fields = llc.parse(data, up)
    except errors.OmsError as error:
        assert error.code in ("length", "reserved", "forbidden_ci")
        return
    if fields is not None:
        assert llc.parse(llc.build(fields, up), up) == fields
