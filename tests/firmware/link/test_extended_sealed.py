"""Encrypted ELL, both ways: two published telegrams are opened and built again to the last bit (link sheet 7.4).

Sources: wmbusmeters simulations/serial_aes.msg and wireless-mbus-parser test/extendedLinkLayer.spec.ts.
"""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import extended
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.security.keys import Key

# telegram without link CRCs, key, payload behind the CRC, CC that was encrypted with (H and R are 0 in it)
PUBLISHED = [
    (
        "2A442D2C998734761B168D2091D37CAC21E1D68CDAFFCD3DC452BD802913FF7B1706CA9E355D6C2701CC24",
        "28F64A24988064A079AA2C807D6102AE",
        "7802FF207100041308190000441308190000615B7F616713",
        0x20,
    ),
    (
        "24442D2C692845631B168D3050209CD621B006B1140AEF4953AE5B86FAFC0B00E70705B846",
        "4E5508544202058100DFEFA06B0934A5",
        "7802FF2000000413803C070044139F380700",
        0x30,
    ),
]


@pytest.mark.parametrize("telegram, key, payload, cc", PUBLISHED)
def test_published_telegrams_are_built_again(telegram, key, payload, cc):
    telegram = bytes.fromhex(telegram)
    link = link_telegram.parse(telegram)
    sn = link.ell.sn & 0x1FFFFFFF
    ell = extended.seal(
        Key(bytes.fromhex(key)), link.address, cc, link.ell.access_number, sn, bytes.fromhex(payload)
    )
    assert link_telegram.build(link.c_field, link.address, ell) == telegram


def test_with_receiver_it_is_8f_and_opens_again():
    telegram = bytes.fromhex(PUBLISHED[0][0])
    key = Key(bytes.fromhex(PUBLISHED[0][1]))
    link = link_telegram.parse(telegram)
    ell = extended.seal(key, link.address, 0x84, 7, 5, b"\x78\x2f\x2f", receiver=link.address)
    assert ell[0] == 0x8F
    assert ell[3:11] == link.address.link_bytes()
    parsed = link_telegram.parse(link_telegram.build(0x44, link.address, ell)).ell
    assert parsed.encryption == 1
    from omsnode.firmware.security import session

    opened = session.open(key, link.address, 0x84, parsed.sn, ell[15:])
    assert opened[2:] == b"\x78\x2f\x2f"


def test_a_session_number_with_encryption_bits_is_misuse():
    link = link_telegram.parse(bytes.fromhex(PUBLISHED[0][0]))
    with pytest.raises(MisuseError):
        extended.seal(Key(bytes(16)), link.address, 0x20, 1, 1 << 29, b"\x78")
