"""Whole records. Published telegram contents, typed here with their sources; the complete files are in test_vectors."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import builder, record
from omsnode.firmware.errors import MisuseError


def decoded(text, to_meter=False):
    records, undecoded = record.decode(bytes.fromhex(text), to_meter)
    assert undecoded is None
    return records


def shown(one):
    value = one.text if one.mantissa is None else (one.mantissa, one.exponent)
    return one.quantity, value, one.unit, one.flag


def test_gas_meter_of_oms_annex_n2():
    assert [shown(r) for r in decoded("0C1427048502046D32371F1502FD170000")] == [
        ("volume", (2850427, -2), "m3", None),
        ("date and time", "2008-05-31T23:50", None, None),
        ("error flags", (0, 0), None, None),
    ]


def test_heat_meter_of_oms_annex_n():
    records = decoded(
        "0C06270485020C13763470004C0619544401426CFF0C0B3B2701000B2A9732000A5A43040A5E510202FD170000"
    )
    assert [shown(r) for r in records] == [
        ("energy", (2850427, 3), "Wh", None),
        ("volume", (703476, -3), "m3", None),
        ("energy", (1445419, 3), "Wh", None),
        ("date", "2007-12-31", None, None),
        ("volume flow", (127, -3), "m3/h", None),
        ("power", (3297, -1), "W", None),
        ("flow temperature", (443, -1), "°C", None),
        ("return temperature", (251, -1), "°C", None),
        ("error flags", (0, 0), None, None),
    ]
    assert [r.storage for r in records] == [0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_installation_data_of_oms_annex_n7():
    text = "0D FD0C 04 34474B42 0AFD0D0501 0AFD0E0101 0AFD0F0001"
    text += "0D FD10 21" + bytes(reversed(b"DE1234564907400000000000012345678")).hex() + "2F2F"
    assert [shown(r)[:2] for r in decoded(text)] == [
        ("model version", "BKG4"),
        ("hardware version", (105, 0)),
        ("metrology firmware version", (101, 0)),
        ("other software version", (100, 0)),
        ("customer location", "DE1234564907400000000000012345678"),
    ]


def test_fields_of_the_record():
    one = decoded("2F2F" + "DB9210" + "933C" + "563412")[0]
    assert (one.offset, one.dib, one.vib, one.data) == (2, b"\xdb\x92\x10", b"\x93\x3c", b"\x56\x34\x12")
    assert (one.function, one.storage, one.tariff, one.subunit) == ("maximum", 5, 5, 0)
    assert (one.final_dife, one.qualifiers) == (False, ("backward",))


def test_final_dife_is_another_place():
    # OMS-B Table B.1: EW1!R, register number 5
    assert decoded("C28200FB007B00")[0].final_dife
    assert decoded("C28200FB007B00")[0].storage == 5
    assert not decoded("C202FB007B00")[0].final_dife


def test_landis_gyr_t230_dates_instead_of_values():
    records = decoded("9410AD6F00000000 9410DA6F32147A18 848F0F6D0000E1F1")
    assert [shown(r) for r in records] == [
        ("power", None, None, "not set"),
        ("flow temperature", "2011-08-26T20:50", None, None),
        ("date and time", "****-01-01T00:00", None, "wildcard"),
    ]
    assert records[1].qualifiers == ("end of last",)


def test_error_digits_of_abb_f95():
    one = decoded("3C2ADDB4EBDD")[0]
    assert (one.function, one.mantissa, one.flag) == ("error", None, "error digits DDEBB4DD")


def test_malformed_vif_of_a_sensus_meter_does_not_stop_the_rest():
    records = decoded("0C7B020300000C2C58540000")
    assert [shown(r) for r in records] == [
        ("unknown VIF 7B", (302, 0), None, "malformed VIF"),
        ("power", (5458, 1), "W", None),
    ]


def test_plain_text_units_in_both_orders():
    # EN 13757-3 Table C.2, and an Elvaco CMa10
    assert shown(decoded("0CFCA273046C61676926084275")[0]) == (
        "plain text unit",
        (75420826, -3),
        "igal/h",
        None,
    )
    assert [shown(r) for r in decoded("02FC0348522574D41122FC0348522574C811")] == [
        ("plain text unit", (4564, -2), "%RH", None),
        ("plain text unit", (4552, -2), "%RH", None),
    ]


def test_manufacturer_data_is_kept_whole():
    one = decoded("0F0A0B0C")[0]
    assert (one.quantity, one.data, one.flag) == ("manufacturer data", b"\x0a\x0b\x0c", "raw data")
    assert decoded("1F")[0].flag == "more records follow"
    assert shown(decoded("04FF20D2040000")[0]) == ("manufacturer specific", (1234, 0), None, None)
    assert shown(decoded("0DFF0103414243")[0])[1] == "CBA"
    assert shown(decoded("0DFF0103010203")[0])[1:] == (None, None, "raw data")


def test_readout_request_and_selections():
    assert decoded("7F", True)[0].quantity == "global readout request"
    assert shown(decoded("087E", True)[0]) == ("any", None, None, "selection for readout")
    assert decoded("40900C", True)[0].qualifiers == ("add to readout list",)


def test_record_errors_make_the_data_unusable():
    assert shown(decoded("04931500000000")[0]) == ("volume", None, "m3", "no data available")
    # ABB meters send VIFE 00, "no error", with every record
    assert shown(decoded("04830001000000")[0]) == ("energy", (1, 0), "Wh", None)


def test_constants_and_binary_steps_are_exact():
    assert shown(decoded("04937901000000")[0])[1] == (1 + 10, -3)  # 0.001 m3 + 10**-2 m3
    assert shown(decoded("0496780A000000")[0])[1] == (10001, -3)  # 10 m3 + 10**-3 m3
    assert shown(decoded("04FB6A00100000")[0])[1] == (4096 * 244140625, -12)  # Kc = 1


def test_compact_profile_is_bytes_for_now():
    # OMS-N N.3
    one = decoded("8D04931F08FBFE602600393900")[0]
    assert (one.storage, one.qualifiers, one.data[0], one.flag) == (8, ("compact profile",), 8, "raw data")


def test_date_in_a_longer_field():
    assert shown(decoded("466C2D0C0DD62C33")[0])[1] == "2022-12-22T13:12:45"


@pytest.mark.parametrize(
    "text, good, reason, offset, position",
    [
        ("0C13", 0, "truncated in the data", 0, 2),
        ("01FD1F01" + "0C1301", 1, "truncated in the data", 4, 7),
        ("0C", 0, "truncated before the VIF", 0, 1),
        ("8C", 0, "truncated in the DIB", 0, 1),
        ("0CFD", 0, "truncated in the VIB", 0, 2),
        ("0D13", 0, "truncated before the LVAR", 0, 2),
        ("0D13CA00", 0, "reserved LVAR", 0, 2),
        ("0D13FF00", 0, "reserved LVAR", 0, 2),
        ("0D13BF00", 0, "truncated in the data", 0, 4),
        ("3F00", 0, "reserved DIF", 0, 0),
        ("01FD1F01" + "6F00", 1, "reserved DIF", 4, 4),
        ("8F00", 0, "reserved DIF", 0, 0),
        ("84" + "FF" * 40, 0, "too many DIFE", 0, 11),
        ("0493" + "80" * 40, 0, "too many VIFE", 0, 12),
        ("04FC" + "80" * 40, 0, "plain-text unit unreadable", 0, 1),
    ],
)
def test_what_cannot_be_read_is_kept_and_named(text, good, reason, offset, position):
    data = bytes.fromhex(text)
    records, undecoded = record.decode(data)
    assert len(records) == good
    assert (undecoded.reason, undecoded.offset, undecoded.position) == (reason, offset, position)
    assert undecoded.data == data[offset:]


def test_nothing_is_nothing():
    assert record.decode(b"") == ([], None)
    assert record.decode(b"\x2f" * 300) == ([], None)


# --- any bytes ---


def account(data, to_meter=False):
    """Decode; every byte must be in a record, a filler or the undecoded rest."""
    records, undecoded = record.decode(data, to_meter)
    at = 0
    for one in records:
        assert set(data[at : one.offset]) <= {0x2F}
        whole = one.dib + one.vib + one.data
        assert data[one.offset : one.offset + len(whole)] == whole
        at = one.offset + len(whole)
        assert (one.mantissa is None) == (one.exponent is None)
        assert one.mantissa is None or one.text is None
        assert one.flag or one.mantissa is not None or one.text is not None or one.dib == b"\x7f"
    if undecoded:
        assert set(data[at : undecoded.offset]) <= {0x2F}
        assert data[undecoded.offset :] == undecoded.data and undecoded.data
        assert undecoded.reason and undecoded.offset <= undecoded.position <= len(data)
    else:
        assert set(data[at:]) <= {0x2F}
    return records


SEEDS = [
    bytes.fromhex(text)
    for text in (
        "0C1427048502046D32371F1502FD170000",
        "02FC0348522574D41122FC0348522574C811",
        "0CFCA273046C61676926084275",
        "9410AD6F000000009410DA6F32147A18848F0F6D0000E1F1",
        "8D04931F08FBFE6026003939000DFD100432313030",
    )
]


@settings(max_examples=1500)
@given(st.binary(max_size=290), st.booleans())
def test_random_bytes(data, to_meter):
    account(data, to_meter)


@settings(max_examples=1000)
@given(st.sampled_from(SEEDS), st.integers(0, 400), st.integers(0, 200))
def test_flipped_and_cut(seed, bit, cut):
    data = bytearray(seed)
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    account(bytes(data[: max(0, len(data) - cut % (len(data) + 1))]))


@settings(max_examples=500)
@given(
    st.lists(st.sampled_from(SEEDS + [b"\xfc", b"\x80", b"\xfd", b"\x0d\x7c", b"\xff", b"\x2f"]), max_size=40)
)
def test_chains(parts):
    account(b"".join(parts))


def test_work_is_bounded_for_units_that_can_be_read_both_ways():
    # Each of these is legal in both orders, so that the rest is looked at again and again.
    one = bytes.fromhex("04FC0520" + "41" * 32) + bytes(4)
    records = account(one * 1500)
    assert len(records) == 1500


# --- both directions ---


@settings(max_examples=1000)
@given(st.randoms(use_true_random=False))
def test_decoded_records_are_encoded_to_the_same(draw):
    one = _random_record(draw)
    assert builder.record(one.dib, one.vib, one.data) == one.dib + one.vib + one.data
    if one.mantissa is not None:
        whole = builder.record(one.dib, one.vib, one.mantissa, one.exponent)
        assert whole == one.dib + one.vib + one.data or one.data in (b"\0\0\0\x80", b"\xf0")  # two zeros
    elif one.text is not None and one.text.isascii():
        again = record.decode(builder.record(one.dib, one.vib, one.text))[0][0]
        assert (again.text, again.flag) == (one.text, one.flag)


def _random_record(draw):
    """A decodable record whose VIB has a place in a table."""
    while True:
        field = draw.choice((0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14))
        head = draw.choice((b"", b"\xfb", b"\xfd", b"\xfd\xfd"))
        vib = head + bytes([draw.randrange(0x80)])
        if draw.random() < 0.3:
            vib = vib[:-1] + bytes(
                [vib[-1] | 0x80, draw.choice((0x3C, 0x7D, 0x73, 0x22, 0x39, 0x6F, 0x56, 0x48))]
            )
        data = bytes(draw.randrange(256) for _ in range((0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, 4, 6)[field]))
        if 9 <= field != 13:
            data = bytes.fromhex("".join(str(draw.randrange(10)) for _ in range(2 * len(data))))
        if field == 13:
            data = b"\x03" + data[1:]
        records, undecoded = record.decode(bytes([field]) + vib + data)
        if len(records) == 1 and not undecoded:
            return records[0]


def test_encode_by_type_of_value():
    assert builder.record(b"\x0c", b"\x13", 2850427) == bytes.fromhex("0C1327048502")
    assert builder.record(b"\x0c", b"\x13", 6408, -3) == bytes.fromhex("0C1308640000")
    assert builder.record(b"\x0c", b"\x13", 2, 0) == bytes.fromhex("0C1300200000")
    assert builder.record(b"\x02", b"\x6c", "2007-12-31") == bytes.fromhex("026CFF0C")
    assert builder.record(b"\x0d", b"\xfd\x0c", "BKG4") == bytes.fromhex("0DFD0C0434474B42")
    assert builder.record(b"\x01", b"\xfd\x23", 160) == bytes.fromhex("01FD23A0")
    assert builder.record(b"\x05", b"\x5a", 221, -1) == bytes.fromhex("055A00005D43")  # 221 in tenths
    assert builder.record(b"\x40", b"\x90\x0c", None) == bytes.fromhex("40900C")
    assert builder.record(b"\x07", b"\x79", bytes(8)) == b"\x07\x79" + bytes(8)


@pytest.mark.parametrize(
    "dib, vib, value",
    [
        (b"\x01", b"\x13", 128),
        (b"\x01", b"\x13", -128),
        (b"\x01", b"\xfd\x23", 255),
        (b"\x01", b"\xfd\x23", -1),
        (b"\x09", b"\x13", 100),
        (b"\x09", b"\x13", -10),
        (b"\x00", b"\x13", 0),
        (b"\x04", b"\x13", None),
        (b"\x04", b"\x13", "text"),
        (b"\x0d", b"\xfd\x0c", "€"),
        (b"\x0d", b"\xfd\x0c", "x" * 192),
        (b"\x0d", b"\x6d", "2007-12-31"),
        (b"\x02", b"\x6c", "2007-13-01"),
        (b"\x02", b"\x6c", "yesterday"),
        (b"\x02", b"\x6c", 5),
        (b"\x04", b"\xfd\x72", 5),
        (b"\x04", b"\xfd\x72", "yesterday"),
        (b"\x0d", b"\x6d", "yesterday"),
        (b"\x0d", b"\x13", 2**120),
        (b"\x84", b"\x13", 1),
        (b"\x04", b"\x93", 1),
        (b"\x04", b"\x13\x00", 1),
        (b"\x04\x00", b"\x13", 1),
        (b"\x04", b"\x13", b"\0\0\0"),
        (b"\x0d", b"\x13", b""),
        (b"\x0d", b"\x13", b"\x02\0"),
        (b"\x0d", b"\x13", b"\xff"),
        (b"\x0f", b"\x13", b""),
    ],
)
def test_encode_refuses(dib, vib, value):
    with pytest.raises(MisuseError):
        builder.record(dib, vib, value)


def test_encode_does_not_round():
    with pytest.raises(MisuseError):
        builder.record(b"\x0c", b"\x13", 64081, -4)


def test_the_same_seed_decodes_the_same():
    draw = random.Random(3)
    data = bytes(draw.randrange(256) for _ in range(200))
    assert [shown(r) for r in record.decode(data)[0]] == [shown(r) for r in record.decode(bytearray(data))[0]]
