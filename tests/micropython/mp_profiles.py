"""All of the security on either interpreter: CMAC, CTR, CCM, KDF, profiles B and D opened and sealed, fragments, message
counters, and what a gateway believes. Profile A is in mp_security.py.

Vectors: RFC 4493 section 4, RFC 3610 packet vector 1, NIST SP 800-38A F.5.1, OMS Vol.2 Annex N (Release E 2.0.2) N.2.3,
N.2.6, N.3 and N.5 with the derived keys of N.2.
"""

from checking import raises
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import DowngradeError, FragmentError, MacError, MisuseError, ReplayError
from omsnode.firmware.link.address import Address
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.roles.trust import NEW, REPEATED, Trust
from omsnode.firmware.security import cmac, kdf, mode7, mode10
from omsnode.firmware.security.ccm import ccm
from omsnode.firmware.security.counters import LAST, MessageCounter
from omsnode.firmware.security.ctr import ctr
from omsnode.firmware.security.keys import Key
from omsnode.firmware.security.octets import equal
from omsnode.firmware.transport import authentication, fragmentation, sealing

KEY = Key(bytes(range(16)))
METER = Address.parse("12345678.M=ELS.V=33.T=03")
RFC = Key.from_hex("2b7e151628aed2a6abf7158809cf4f3c")
TEXT = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"
    "f69f2445df4f9b17ad2b417be66c3710"
)
DATA = bytes.fromhex("0C1427048502046D32371F1502FD170000")
COUNTER = 2739
KENC = Key.from_hex("ECCF39D475D730B8284FDFDC1995D52F")
KMAC = Key.from_hex("C9CD19FF5A9AAD5A6BBDA13BD2C4C7AD")
TELEGRAMS = {
    7: bytes.fromhex(
        "434493157856341233038C2075900F002C25B30A000021924D4F2FB66E017A75002007109058475F4BC91DF878B80A1B0F98B629"
        "024AAC727942BFC549233C0140829B93"
    ),
    10: bytes.fromhex(
        "304493157856341233038C20757A7500112A1001B30A0000C882038E223BBC1091CEB8C0A1009D388A5AF7883A5B5A7FD6"
    ),
}
# AFL and piece behind the ELL
FRAGMENTS = {
    7: (
        "9009017865B30A000056007A050050071030539A7CDB1CBCA6D43CB02D762A1E1626FEEF0E",
        "90020240C490278E41A48BAD1438BDE38D4D1166305DEFF6392B6BE31A9FC812757BE805B4",
        "900A0304BE47ED4C9CC11A7806CC3E0457C725B4B29BE7FEF078777187CCEF8E2AF51CC729EF7A",
    ),
    10: (
        "90050170405C007A0500492A1001B30A000002B12B47A6B89CF8F54DE4BFC89CF8361208",
        "9002024085290B675FE6DB08EE8B55812989108B08131CEF2145AC232C9CE243505181F012",
        "9002030094C52AB98A7EC51DB7CDC02F51E17AAB87C6B259D28BE41370F8741B9D99",
    ),
}
LONG = bytes.fromhex(
    "0C1379194100026CB2184C139432380082046C81118C0413905234008D04931F23FBFE602600393900343100683400104200"
    "78310010540030180086190064240003410002FD170000"
)
ELL = {7: "08496A7856341201078E80113A63665544330A31", 10: "08A73D7856341201078E80113A63665544330A31"}


def key_for(address, *which):
    return KEY


def test_primitives():
    for length, expected in (
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ):
        assert cmac.cmac(RFC, TEXT[:length]).hex() == expected
    first = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    assert ctr(RFC, first, TEXT[:19]).hex() == "874d6191b620e3261bef6864990db6ce9806f6"
    key = Key(bytes(range(0xC0, 0xD0)))
    nonce = bytes.fromhex("00000003020100A0A1A2A3A4A5")
    sealed = bytes.fromhex("588C979A61C663D2F066D0C2C0F989806D5F6B61DAC384")
    tag = bytes.fromhex("17E8D12CFDF926E0")
    assert ccm(key, nonce, bytes(range(8, 0x1F)), bytes(range(8)), 8, True) == (sealed, tag)
    assert ccm(key, nonce, sealed, bytes(range(8)), 8, False) == (bytes(range(8, 0x1F)), tag)
    assert equal(tag, bytes(tag)) and not equal(tag, tag[:-1]) and not equal(tag, bytes(8))


def test_derived_keys():
    assert kdf.derive(KEY, kdf.ENCRYPTION_UP, COUNTER, METER)._secret == KENC._secret
    assert kdf.derive(KEY, kdf.MAC_UP, COUNTER, METER)._secret == KMAC._secret


def test_modes():
    plain = b"\x2f\x2f" + DATA + b"\x2f" * 13
    telegram = TELEGRAMS[7]
    assert mode7.open(KENC, telegram[-32:]) == plain and mode7.seal(KENC, DATA) == telegram[-32:]
    telegram = TELEGRAMS[10]
    head, sealed, tag = telegram[13:20], telegram[24:-8], telegram[-8:]
    assert mode10.open(KENC, METER, COUNTER, head, sealed, b"", tag) == DATA
    assert mode10.seal(KENC, METER, COUNTER, head, DATA) == (sealed, tag)
    raises(MacError, mode10.open, KENC, METER, COUNTER, head, sealed, b"", bytes(8))


def test_open():
    for mode, telegram in TELEGRAMS.items():
        found = decode(telegram, key_for)
        assert (found.verdict, found.counter, found.error) == ("authenticated", COUNTER, None)
        assert found.records[0].mantissa == 2850427 and len(found.records) == 3
        assert decode(telegram).verdict == "no_key"
        assert decode(telegram, lambda address, *which: RFC).verdict == "mac_mismatch"
        for at in range(13, len(telegram)):
            other = bytearray(telegram)
            other[at] ^= 1 << at % 8
            found = decode(bytes(other), key_for)
            assert found.verdict not in ("authenticated", "decrypted") and not found.records, (mode, at)


def test_send():
    """The meter's own telegrams are those of the annex, byte for byte."""
    for mode, telegram in TELEGRAMS.items():
        registers = [
            Register(DATA[:1], DATA[1:2], 2850427),
            Register(DATA[6:7], DATA[7:8], DATA[8:12]),
            Register(DATA[12:13], DATA[13:15], DATA[15:]),
        ]
        profile = Profile(METER, registers, mode="C1", key=KEY, security_mode=mode, with_ell=True)
        state = {"message_counter": COUNTER - 1, "access_number": 0x74}
        role = Meter(profile, bytes(5), state)
        role.start(0)
        persist, transmit = role.tick(role.due_us)
        assert transmit.telegram == telegram, mode
        assert persist.state["message_counter"] == COUNTER + 63


def test_fragments():
    for mode, pieces in FRAGMENTS.items():
        joined, payloads, sizes = fragmentation.Reassembly(), [bytes.fromhex(one) for one in pieces], []
        for payload in payloads:
            afl = authentication.parse(payload, 0)
            piece = payload[afl.payload_offset :]
            sizes.append(len(piece))
            whole = joined.add("meter", afl, piece, 0)
        afl, message = whole
        address = Address.from_link(bytes.fromhex(ELL[mode])[1:9])
        again, rebuilt = sealing.seal(
            sealing.Security(mode, KEY, COUNTER), 0x7A, address, 5, 0, LONG, fragmented=True
        )
        assert rebuilt == message and fragmentation.split(again, rebuilt, sizes) == payloads, mode
        reassembly, found = fragmentation.Reassembly(), None
        for payload in payloads:
            body = bytes.fromhex(ELL[mode]) + payload
            found = decode(bytes((len(body),)) + body, key_for, fragments=reassembly)
        assert found.verdict == "authenticated" and found.records[0].quantity == "volume", mode
        afl = authentication.parse(payloads[2], 0)
        raises(FragmentError, joined.add, "meter", afl, payloads[2], 0)


def test_counters():
    counter = MessageCounter()
    used = []
    for _ in range(3):
        assert counter.take()
        if not counter.covered():
            counter.reserve(63)
        used.append(counter.value)
    assert used == [1, 2, 3] and counter.reserved == 64
    assert MessageCounter(64).take() and MessageCounter(64).value == 64
    last = MessageCounter(LAST - 1)
    assert last.take() and last.value == LAST and last.reserve(63) == LAST and not last.take()
    raises(MisuseError, MessageCounter, "x")
    raises(MisuseError, MessageCounter, LAST + 1)


def test_trust():
    one = decode(TELEGRAMS[7], key_for)
    trust = Trust()
    assert trust.judge(one, KEY) == NEW and trust.changed
    state = trust.export()
    again = Trust(state)
    assert again.judge(decode(TELEGRAMS[10], key_for), KEY) == REPEATED
    ahead = {}
    for name in state:
        ahead[name] = COUNTER + 1
    raises(ReplayError, Trust(ahead).judge, one, KEY)
    body = TELEGRAMS[7][1:10] + bytes.fromhex("7A75000000") + DATA[:6]
    found = decode(bytes((len(body),)) + body, key_for)
    assert found.verdict == "plain" and len(found.records) == 1
    raises(DowngradeError, again.check, found, KEY)


test_primitives()
test_derived_keys()
test_modes()
test_open()
test_send()
test_fragments()
test_counters()
test_trust()
print("ok")
