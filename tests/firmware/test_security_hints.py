"""What a person is told about a refused telegram is true of that telegram."""

import pytest
import support_telegram as known
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.security import kdf
from omsnode.firmware.security.aes import cbc_encrypt
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, protection, sealing

KEY = Key.from_hex(known.KEY_0)
METER = Address.parse("12345678.M=ELS.V=33.T=03")


def refused(body, key=KEY):
    return decode(link_telegram.build(0x44, METER, bytes(body)), lambda *which: key).error


def authentic_without_check_bytes():
    """Profile B, MAC and all, and the plain text begins with something else than 2F 2F."""
    afl, message = sealing.seal(sealing.Security(7, KEY, 9), 0x7A, METER, 1, 0, bytes(14))
    message = message[:6] + cbc_encrypt(kdf.derive(KEY, kdf.ENCRYPTION_UP, 9, METER), bytes(16), bytes(16))
    afl.mac = protection.mac(kdf.derive(KEY, kdf.MAC_UP, 9, METER), afl, message)
    return authentication.build(afl) + message


def test_check_bytes_behind_a_right_mac():
    """The MAC was right: neither the key nor an attacker is to blame."""
    error = refused(authentic_without_check_bytes())
    assert error.code == "wrong_key_or_altered"
    assert "MAC" in error.hint and "another key" not in error.hint


def test_payload_crc_of_the_extended_link_layer():
    """There are no check bytes 2F 2F in that layer."""
    error = refused(bytes.fromhex("8D2001 01000020") + bytes(20))
    assert error.code == "wrong_key_or_altered"
    assert "payload CRC" in error.hint and "2F" not in error.hint and "another key" in error.hint


@pytest.mark.parametrize("body", ["7A0100200710" + "00" * 32, "90020000", "7A010030 05" + "00" * 32])
def test_every_refusal_of_the_transport_layer_says_something(body):
    assert refused(bytes.fromhex(body)).hint


def test_a_mac_that_is_too_short():
    """A legal one, of a mode that is supported."""
    security = sealing.Security(7, KEY, 9, authentication_type=4)
    afl, message = sealing.seal(security, 0x7A, METER, 1, 0, bytes(3))
    error = refused(authentication.build(afl) + message)
    assert error.code == "unsupported" and "mode" not in error.hint and "MAC" in error.hint


def test_what_is_inferred_of_mode_9():
    error = refused(bytes.fromhex("7A010001 29 1000 00000001") + bytes(28))
    assert error.code == "mac_mismatch" and "inferred" in error.hint
