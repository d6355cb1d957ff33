"""Profiles A, B and D both ways: published messages open to the published plain text and are rebuilt bit by bit."""

import pytest
import support_security as support
from omsnode.firmware.errors import (
    MacError,
    MisuseError,
    NoKeyError,
    TransportError,
    UnsupportedSecurityError,
    WrongKeyError,
)
from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, header, protection, sealing

MASTER = "000102030405060708090A0B0C0D0E0F"
# OMS Vol.2 Annex N: name -> (telegram without link CRCs, encrypted part in plain, counter)
GAS = "2F2F0C1427048502046D32371F1502FD1700002F2F2F2F2F2F2F2F2F2F2F2F2F"
PUBLISHED = {
    "N.2.3": (
        "434493157856341233038C2075900F002C25B30A000021924D4F2FB66E017A75002007109058475F4BC91DF878B80A1B0F98B629"
        "024AAC727942BFC549233C0140829B93",
        GAS,
        2739,
    ),
}
METER = Address.parse("12345678.M=ELS.V=33.T=03")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name):
    text, plain, counter = PUBLISHED[name]
    parts = support.Parts(text, MASTER)
    opened = parts.open()
    assert opened.payload.hex().upper() == plain and opened.counter == counter and opened.authenticated
    afl, message = parts.sealed(opened)
    assert authentication.build(afl) + message == parts.data


def test_every_vector_opens(shared, record_property):
    found = support.vectors(shared)
    count = 0
    for vector in found["telegrams"] + found["constructed"]:
        if vector["mode"] == "ELL AES-CTR" or not vector.get("key"):
            continue
        parts = support.Parts(vector["telegram_hex"], vector["key"], vector.get("medium") == "wired")
        opened = parts.open(accepted=(3, 4, 5, 6, 7))
        plain, clear = vector["expected_plaintext"], vector.get("clear_after") or ""
        assert opened.payload.hex().upper() == plain + clear, vector["id"]
        assert opened.authenticated == (vector["mode"] in (7, 9, 10)), vector["id"]
        if vector.get("mac"):
            mac = parts.afl.mac if parts.afl else parts.message[-len(vector["mac"]) // 2 :]
            assert mac.hex().upper() == vector["mac"], vector["id"]
        count += vector in found["telegrams"]
    record_property("security vectors opened", "{} published or real telegrams".format(count))
    assert count >= 38


def test_every_vector_is_rebuilt(shared, record_property):
    found = support.vectors(shared)
    count = 0
    for vector in found["telegrams"] + found["constructed"]:
        # C05 names the key version in the AFL alone and without KDF-A there, C10 encrypts few blocks as "all": we do neither.
        if vector["mode"] not in support.SEALED_MODES or vector["id"] in ("C05", "C10"):
            continue
        parts = support.Parts(vector["telegram_hex"], vector["key"], vector.get("medium") == "wired")
        afl, message = parts.sealed(parts.open(accepted=(3, 4, 5, 6, 7)))
        assert (authentication.build(afl) if afl else b"") + message == parts.data, vector["id"]
        count += vector in found["telegrams"]
    record_property("security vectors rebuilt bit-exact", count)
    assert count >= 35


# --- what is refused, and why ---


def sealed(mode, payload=b"\x0c\x13\x27\x04\x85\x02", counter=5, key=MASTER, **how):
    security = sealing.Security(mode, Key.from_hex(key), counter, **how)
    afl, message = sealing.seal(security, 0x7A, METER, 1, 0, payload)
    return afl, bytearray(message)


def read(afl, message, key=MASTER, accepted=protection.ACCEPTED, address=METER):
    tpl = header.parse(message, 0)
    keys = Key.from_hex(key) if key else None
    return protection.open_message(bytes(message), tpl, afl, address, lambda *which: keys, accepted)


@pytest.mark.parametrize("at, length", [(3, 2), (4, 4), (5, 8), (6, 12), (7, 16)])
def test_every_legal_length_of_the_mac(at, length):
    afl, message = sealed(7, authentication_type=at)
    assert len(afl.mac) == length
    again = authentication.parse(authentication.build(afl), 0)
    assert (again.control, again.counter, again.mac) == (afl.control, 5, afl.mac)
    assert read(again, message, accepted=(3, 4, 5, 6, 7)).authenticated
    if at < 5:
        with pytest.raises(UnsupportedSecurityError, match="not accepted"):
            read(again, message)


def test_gmac_is_named():
    afl, message = sealed(7)
    afl.control = 0x28
    afl.mac = bytes(12)
    with pytest.raises(UnsupportedSecurityError, match="authentication type 8"):
        read(afl, message)


def test_reasons_in_their_order():
    afl, message = sealed(7)
    with pytest.raises(TransportError, match="announces"):  # lengths come first
        read(afl, message[:-16], key=None)
    with pytest.raises(NoKeyError):
        read(afl, message, key=None)
    with pytest.raises(MacError):
        read(afl, message, key="FF" * 16)
    with pytest.raises(TransportError, match="without the MAC"):
        read(None, message)
    direct = bytearray(sealed(7)[1])
    direct[5] = 0x00  # CFE: the persistent key itself
    with pytest.raises(UnsupportedSecurityError, match="key derivation 0"):
        read(afl, direct)


def test_check_bytes_behind_a_right_mac():
    """Only somebody with the key can do this: the reason is told all the same."""
    afl, message = sealed(7)
    message[-16:] = bytes(16)
    security = sealing.Security(7, Key.from_hex(MASTER), 5)
    sealing._authenticate(security, afl, METER, bytes(message), True)
    with pytest.raises(WrongKeyError):
        read(afl, message)


def test_padding_that_is_none():
    afl, message = sealed(7)  # fillers
    message[3] |= 0x08  # and the configuration field says TPL padding
    security = sealing.Security(7, Key.from_hex(MASTER), 5)
    sealing._authenticate(security, afl, METER, bytes(message), True)
    with pytest.raises(TransportError, match="padding"):
        read(afl, message)


def test_a_static_telegram_has_its_mac():
    afl, message = sealed(7, b"")
    opened = read(afl, message)
    assert opened.payload == b"" and opened.authenticated
    message[2] ^= 1  # status
    with pytest.raises(MacError):
        read(afl, message)


@pytest.mark.parametrize("mode", [7, 10])
def test_a_message_of_the_meter_is_no_command(mode):
    """Reflection: only CI and direction differ, and the keys with them."""
    afl, message = sealed(mode)
    message[0] = 0x5A  # M-Bus command, short header
    with pytest.raises(MacError):
        read(afl, message)


@pytest.mark.parametrize("version", [None, 3])
@pytest.mark.parametrize("mode", [7, 10])
def test_keys_are_asked_for_by_number(mode, version):
    afl, message = sealed(mode, key_id=8, key_version=version)
    if afl:
        afl = authentication.parse(authentication.build(afl), 0)
    asked = []

    def key_for(*which):
        asked.append(which)
        return Key.from_hex(MASTER)

    opened = protection.open_message(bytes(message), header.parse(message, 0), afl, METER, key_for)
    assert asked == [(METER, 8, version)] and (opened.key_id, opened.key_version) == (8, version)


def test_a_clear_part_of_profile_d_is_authenticated():
    security = sealing.Security(10, Key.from_hex(MASTER), 5)
    _, message = sealing.seal(security, 0x7A, METER, 1, 0, b"\x0c\x13\x27\x04\x85\x02", b"\x01\xfd\x08\x07")
    opened = read(None, message)
    assert opened.payload.hex() == "0c132704850201fd0807" and opened.encrypted_bytes == 6
    message = bytearray(message)
    message[-9] ^= 1
    with pytest.raises(MacError):
        read(None, message)


@pytest.mark.parametrize("n", [None, 255])
@pytest.mark.parametrize("clear", [b"", b"\x01\xfd\x08\x07"])
def test_nothing_can_be_put_before_the_tag_of_profile_d(n, clear):
    """Bytes behind the encrypted part, where the sender had none or others: the tag covers whatever is read."""
    if clear and n:
        return
    security = sealing.Security(10, Key.from_hex(MASTER), 5, n=n)
    _, message = sealing.seal(security, 0x7A, METER, 1, 0, b"\x0c\x13\x27\x04\x85\x02", clear)
    for more in (b"\x2f", bytes.fromhex("0C1399999999")):
        with pytest.raises(MacError):
            read(None, bytes(message[:-8]) + more + bytes(message[-8:]))
    if clear:
        with pytest.raises(MacError):
            read(None, bytes(message[: -8 - len(clear)]) + bytes(message[-8:]))


@pytest.mark.parametrize("layer", [None, "2C00002005000000", "2C00"])
def test_mode_7_is_never_without_a_mac(layer):
    """Not even where nothing is encrypted (N = 0) and the counter stands in the transport layer, or in an AFL of AT 0."""
    message = bytes.fromhex("7A0100 0027 10 05000000 0C1399999999")
    afl = None
    if layer:
        afl = authentication.Afl()
        afl.control, afl.counter = (0x20, 5) if len(layer) > 4 else (None, None)
    with pytest.raises(TransportError):
        read(afl, message)


@pytest.mark.parametrize("mode", [7, 10])
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("up", [False, True])
def test_both_headers_both_ways(mode, long, up):
    ci = {(True, True): 0x72, (True, False): 0x7A, (False, True): 0x5B, (False, False): 0x5A}[up, long]
    security = sealing.Security(mode, Key.from_hex(MASTER), 9)
    afl, message = sealing.seal(security, ci, METER, 1, 0, b"\x01\xfd\x08\x07", long=long, up=up)
    opened = read(afl, message)
    assert opened.payload.strip(b"\x2f") == b"\x01\xfd\x08\x07" and opened.counter == 9


def test_misuse():
    for arguments in ((13,), (7,), (7, Key.from_hex(MASTER))):
        with pytest.raises(MisuseError):
            sealing.Security(*arguments)


@pytest.mark.parametrize("mode", [0, 5, 10])
def test_a_whole_message_of_another_length_than_it_announces(mode):
    """Number 1 and nothing behind it: one message, with a length of its own (sheet 7.5)."""
    security = sealing.Security(mode, Key.from_hex(MASTER) if mode else None, 5)
    afl, message = sealing.seal(security, 0x7A, METER, 1, 0, bytes(14), fragmented=True)
    assert read(afl, message).payload
    for wrong in (-1, 1):
        afl.message_length = len(message) + wrong
        with pytest.raises(TransportError):
            read(afl, message)
