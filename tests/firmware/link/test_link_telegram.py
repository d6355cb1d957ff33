"""Link and extended link layer of published telegrams, both ways; everything else is a typed refusal."""

import pytest
import support_link as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import CrcError, LengthError, LinkError, MisuseError, OmsError
from omsnode.firmware.link import control, extended, frame_a, frame_b, telegram
from omsnode.firmware.link.address import Address

# Encrypted ELL II (wmbusmeters simulations/serial_aes.msg, link CRCs removed) and its published plain text.
ELL_II = bytes.fromhex(
    "2A442D2C998734761B16 8D 20 91 D37CAC21 E1D68CDAFFCD3DC452BD802913FF7B1706CA9E355D6C2701CC24"
)
ELL_II_PLAIN = bytes.fromhex("576C 7802FF207100041308190000441308190000615B7F616713")
# ELL III (lvogt/wireless-mbus-parser test/extendedLinkLayer.spec.ts): radio converter to a gateway.
ELL_III = bytes.fromhex(
    "530824484433221103378E80753A63665544330A31900F002C25B30A0000AF5D74DF73A600D972785634129315330375002007"
    "109058475F4BC91DF878B80A1B0F98B629024AAC727942BFC549233C0140829B93"
)


def with_length(data):
    return bytes([len(data)]) + data


def test_without_ell():
    link = telegram.parse(frame_a.strip(ref.SAMPLE_A))
    assert control.name(link.c_field) == "SND-NR"
    assert str(link.address) == "12345678.M=CEN.V=01.T=07"
    assert (link.ell, link.hops, link.offset) == (None, 0, 10)


def test_without_ci():
    link = telegram.parse(frame_a.strip(ref.frame_a(9)))
    assert (link.ell, link.offset) == (None, 10)


def test_ell_i():
    data = frame_b.strip(ref.SAMPLE_B)
    link = telegram.parse(data)
    assert (link.ell.ci, link.ell.cc, link.ell.access_number) == (0x8C, extended.SYNCHRONOUS, 0x27)
    assert (link.ell.receiver, link.ell.sn, link.ell.payload_crc, link.ell.encrypted) == (
        None,
        None,
        None,
        False,
    )
    assert link.offset == 13 and data[link.offset] == 0x78
    assert data == telegram.build(0x44, link.address, extended.build(0x20, 0x27, payload=data[13:]))


def test_ell_i_unlimited_access():
    # Link sheet 12 no. 13: ACC-NR, B = 1, A = 1, nothing behind the ELL.
    link = telegram.parse(frame_a.strip(bytes.fromhex("0C47AE0C785634120107 84E7 8C8027 727E")))
    assert control.name(link.c_field) == "ACC-NR"
    assert (link.ell.cc, link.offset) == (extended.BIDIRECTIONAL, 13)


def test_ell_iii():
    link = telegram.parse(ELL_III)
    assert control.name(link.c_field, from_meter=True) == "RSP-UD"
    assert str(link.address) == "11223344.M=RAD.V=03.T=37"
    assert str(link.ell.receiver) == "33445566.M=XYZ.V=0a.T=31"
    assert link.offset == 21 and ELL_III[link.offset] == 0x90
    rebuilt = extended.build(0x80, 0x75, receiver=link.ell.receiver, payload=ELL_III[21:])
    assert telegram.build(0x08, link.address, rebuilt) == ELL_III


def test_ell_ii_encrypted_is_marked():
    link = telegram.parse(ELL_II)
    assert (link.ell.ci, link.ell.encrypted, link.ell.encryption) == (0x8D, True, 1)
    assert (link.ell.sn, link.ell.payload_crc) == (0x21AC7CD3, None)
    assert link.offset == 19


def plain_ell_ii():
    """The same with its published plain text in place, and the session number saying so."""
    return ELL_II[:13] + bytes.fromhex("D37CAC01") + ELL_II_PLAIN


def test_ell_ii_plain():
    data = plain_ell_ii()
    link = telegram.parse(data)
    assert (link.ell.sn, link.ell.payload_crc, link.ell.encrypted) == (0x01AC7CD3, 0x6C57, False)
    assert link.offset == 19 and data[link.offset] == 0x78
    assert (
        telegram.build(0x44, link.address, extended.build(0x20, 0x91, sn=0x01AC7CD3, payload=data[19:]))
        == data
    )


@pytest.mark.parametrize("at", range(17, 43))
def test_ell_ii_plain_altered(at):
    data = bytearray(plain_ell_ii())
    data[at] ^= 0x10
    with pytest.raises(CrcError):
        telegram.parse(bytes(data))


def test_ell_iv_both_ways():
    sender, receiver = Address.parse("12345678.M=CEN.V=01.T=07"), Address.parse("33445566.M=XYZ.V=0a.T=31")
    data = telegram.build(0x08, sender, extended.build(0x90, 7, receiver, 5, b"\x78\x2f"))
    assert data.hex() == "1c08ae0c785634120107" + "8f9007" + "3a63665544330a31" + "05000000" + (
        ref.crc(b"\x78\x2f")[::-1].hex() + "782f"
    )
    link = telegram.parse(data)
    assert (link.ell.ci, link.ell.receiver, link.ell.sn, link.offset, link.hops) == (0x8F, receiver, 5, 27, 1)


def test_hop_bit():
    # wireless-mbus-parser test/extendedLinkLayer.spec.ts: CC 30, repeated once.
    data = bytes.fromhex("24442D2C692845631B16 8D 30 50 209CD621 B006B1140AEF4953AE5B86FAFC0B00E70705B846")
    link = telegram.parse(data)
    assert link.hops == 1 and link.ell.encrypted


def test_ell_v_is_refused_by_name():
    with pytest.raises(LinkError) as caught:
        telegram.parse(with_length(frame_a.strip(ref.SAMPLE_A)[1:10] + b"\x86\x00\x00\x00"))
    assert "86" in str(caught.value) and caught.value.position == 10


@pytest.mark.parametrize("data", (frame_b.strip(ref.SAMPLE_B)[:13], ELL_II[:19], ELL_III[:21]))
def test_cut_inside_the_ell(data):
    for n in range(11, len(data)):
        with pytest.raises(LengthError):
            telegram.parse(with_length(data[1:n]))


def test_wrong_length():
    data = frame_a.strip(ref.SAMPLE_A)
    for wrong in (b"", data[:9], data[:-1], data + b"\x00", bytes([14]) + data[1:]):
        with pytest.raises(LengthError):
            telegram.parse(wrong)


def test_build_refuses_what_does_not_fit():
    address = Address.parse("12345678.M=CEN.V=01.T=07")
    assert len(telegram.build(0x44, address, bytes(246))) == 256
    with pytest.raises(MisuseError):
        telegram.build(0x44, address, bytes(247))
    for bad in ((256, 0), (0, -1), (0, 0, None, 1 << 29), (0, 0, Address.parse("12345678"))):
        with pytest.raises(MisuseError):
            extended.build(*bad)


@settings(max_examples=1000)
@given(st.binary(max_size=60), st.sampled_from(range(0x86, 0x90)))
def test_random_bytes_raise_typed_errors_only(data, ci):
    for candidate in (data, with_length(data), with_length(data[:9] + bytes([ci]) + data[9:])):
        try:
            link = telegram.parse(candidate)
        except OmsError:
            continue
        assert 10 <= link.offset <= len(candidate)
