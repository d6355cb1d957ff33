"""Blocks of the security information transfer, built and read: Annex N.12, Annex F.E, wrapped structures, lists."""

import pytest
from Crypto.Cipher import AES
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.application import sitp_blocks as sitp
from omsnode.firmware.errors import ApplicationError, MacError, MisuseError, UnsupportedSecurityError
from omsnode.firmware.security.keys import Key

# OMS Vol.2 Annex N (Release E 2.0.2) N.12.2, N.12.3, N.12.4: decrypted, without check bytes and padding
N_12_2 = bytes.fromhex("1C000020003220000F00000000000000300101FD1F00FA41E2812D449B4D")
N_12_3 = bytes.fromhex("1C0000A0003220000F00000000000000300101FD1F00FA41E2812D449B4D")
N_12_4 = bytes.fromhex("070000A00022200019")
APPLICATION = Key.from_hex("08154711081547110815471108154711")
WRAPPER = Key(bytes(range(16)))
SECRET = bytes(range(64, 80))


def test_n_12_rebuilt():
    secured = sitp.Secured(15, sitp.AT_ONCE, 1, bytes.fromhex("01FD1F00"))
    content = sitp.secure(APPLICATION, secured)
    assert content[-8:].hex().upper() == "FA41E2812D449B4D"  # SITP_ASP10
    command = sitp.block(sitp.SECURED, sitp.CMAC_8, 0x20, 0, content)
    assert sitp.build([command]) == N_12_2
    assert sitp.read(N_12_2) == [command]
    assert sitp.verify(APPLICATION, content) == secured
    answer = command._replace(function=sitp.SECURED | sitp.RESPONSE)
    assert sitp.build([answer]) == N_12_3 and sitp.read(N_12_3) == [answer]
    refused = sitp.status(command, sitp.KEY)
    assert sitp.build([refused]) == N_12_4 and sitp.read(N_12_4) == [refused]
    assert not sitp.padded(N_12_2) and sitp.padded(N_12_4)


def test_asp10_every_bit_and_what_else_there_is():
    content = sitp.secure(APPLICATION, sitp.Secured(15, sitp.AT_ONCE, 1, b"\x01\xfd\x1f\x00"))
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(MacError):
            sitp.verify(APPLICATION, bytes(changed))
    with pytest.raises(MacError):
        sitp.verify(WRAPPER, content)
    with pytest.raises(ApplicationError):
        sitp.verify(APPLICATION, content[:17])
    with pytest.raises(UnsupportedSecurityError, match="ASP20"):
        sitp.verify(APPLICATION, content, 0x36)
    with pytest.raises(UnsupportedSecurityError, match="structure 99"):
        sitp.verify(APPLICATION, content, 0x99)
    long = sitp.secure(APPLICATION, sitp.Secured(1, sitp.AT_ONCE, 1, b""), sitp.CMAC_16)
    assert len(long) == 26 and sitp.verify(APPLICATION, long, sitp.CMAC_16).counter == 1


def test_wrapped_structures_as_annex_f_prints_them():
    """Annex F (C 1.1.1) Tables F.E.1 and F.E.3 print the plain text with its check value: block lengths 26h and 1Eh, MLI 17h
    and 0Ah. Unwrapped here by pycryptodome."""
    cipher = AES.new(bytes(range(16)), AES.MODE_KWP)
    content = sitp.wrap_key(WRAPPER, Key(SECRET), 0, 1)
    assert cipher.unseal(content) == SECRET + bytes.fromhex("00000080300001")
    body = sitp.build([sitp.block(sitp.TRANSFER, sitp.WRAPPED_KEY, 0x12, 0, content)])
    assert body[:8].hex() == "2600000000011200"
    assert sitp.unwrap_key(WRAPPER, content) == (sitp.NOT_YET, Key(SECRET), 0, 1)
    content = sitp.wrap_change(WRAPPER, (0, 1), (0, 0))
    assert cipher.unseal(content).hex() == "00000000300001000001"
    assert sitp.build([sitp.block(sitp.COMBINED, sitp.WRAPPED_CHANGE, 0x12, 0, content)])[:2].hex() == "1e00"
    assert sitp.unwrap_change(WRAPPER, content) == (sitp.AT_ONCE, (0, 1), (0, 0), 1)
    content = sitp.wrap_name(WRAPPER, 0, 0)
    assert cipher.unseal(content).hex() == "00000000300000"
    assert sitp.unwrap_name(WRAPPER, content) == (sitp.AT_ONCE, 0, 0)
    # One structure is not taken for another, and not with another key.
    for unwrap in (sitp.unwrap_key, sitp.unwrap_change):
        with pytest.raises((ApplicationError, MacError)):
            unwrap(WRAPPER, content)
        with pytest.raises(MacError):
            unwrap(APPLICATION, content)
    with pytest.raises(ApplicationError):
        sitp.unwrap_key(WRAPPER, sitp.key_wrap.wrap_key(WRAPPER, Key(SECRET), bytes(6)))


def test_several_blocks_and_their_end():
    one = sitp.block(sitp.ACTIVE_KEYS, sitp.EMPTY, 0xFF, 0xFF)
    two = sitp.block(sitp.SECURED, sitp.CMAC_8, 0x20, 0, b"abc", 1)
    body = sitp.build([one, two])
    assert sitp.read(body) == [one, two] == sitp.read(body + b"\x00\x00\x2f\x2f")
    with pytest.raises(MisuseError):
        sitp.block(256, 0, 0, 0)


def test_lists():
    pairs = [(0, 1), (0x12, 0)]
    assert sitp.names(pairs).hex() == "00011200" and sitp.read_names(sitp.names(pairs)) == pairs
    rows = [(0x20, 3, 0x01020304)]
    assert sitp.counters(rows).hex() == "200304030201" and sitp.read_counters(sitp.counters(rows)) == rows
    for read, data in ((sitp.read_names, bytes(3)), (sitp.read_counters, bytes(7))):
        with pytest.raises(ApplicationError):
            read(data)


@pytest.mark.parametrize("text", ["", "1C", "0000", "0500002000322000", "1C000020003220000F", "FFFF00"])
def test_no_block(text):
    with pytest.raises(ApplicationError):
        sitp.read(bytes.fromhex(text))


@given(st.binary(max_size=80))
def test_anything(body):
    try:
        blocks = sitp.read(body)
    except ApplicationError:
        return
    built = sitp.build(blocks)
    assert body[: len(built)] == built


def test_fillers_of_profile_a():
    """N.12.2 with the fillers of mode 5 behind it; a message of fillers alone has no block."""
    block = bytes.fromhex("1C000020003220000F00000000000000300101FD1F00FA41E2812D449B4D")
    assert sitp.read(block + b"\x2f" * 9) == sitp.read(block)
    for body in (b"\x2f" * 14, block + b"\x2f\x2f\x00"):
        with pytest.raises(ApplicationError):
            sitp.read(body)
