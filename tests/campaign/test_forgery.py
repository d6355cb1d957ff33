"""An attacker who hears everything, sends what he likes with right link CRCs, and has every key but the right one.

Nothing wrong is accepted, nothing right is lost, and what is remembered stays bounded.
"""

import random

import pytest
import support_telegram as known
from omsnode.firmware.application.telegram import AUTHENTICATED, decode
from omsnode.firmware.link import frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import Deliver
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, fragmentation, sealing

KEY = Key.from_hex(known.KEY_0)
OTHER = Key.from_hex(known.KEY_A)
METER = Address.parse("12345678.M=ELS.V=33.T=03")
RECORDS = bytes.fromhex("0C1427048502046D32371F1502FD170000")  # of Annex N.2
MODES = (7, 10)


def message(mode, counter=2739, address=METER, key=KEY, data=RECORDS, up=True, ci=0x7A):
    """(Afl or None, message) of our sender, which is judged by the published vectors elsewhere."""
    return sealing.seal(sealing.Security(mode, key, counter), ci, address, 0x75, 0, data, up=up)


def telegram(mode, **how):
    afl, sealed = message(mode, **how)
    body = (authentication.build(afl) if afl else b"") + sealed
    return link_telegram.build(0x44, how.get("address", METER), bytes.fromhex("8C2075") + body)


def published(mode):
    return bytes.fromhex(known.N_2_3) if mode == 7 else telegram(10)


def content(one):
    """What must never change: whose it is, and what it says. Behind a short header the MAC covers the identification
    number of the address, and nothing else of it."""
    return one.address.ident, one.counter, one.payload, [record.data for record in one.records]


def hear(role, data, at_us=0):
    event = radio.Event(
        radio.FRAME, at_us, frame=frame_a.build(data), family="C", frame_format="A", rssi_dbm=-60
    )
    return [one.reading.telegram for one in role.feed(event, at_us) if isinstance(one, Deliver)]


def refit(data):
    """The same bytes with an L-field that fits: the attacker is no beginner."""
    return bytes((len(data) - 1,)) + bytes(data[1:])


@pytest.mark.parametrize("mode", MODES)
def test_every_single_bit(mode, record_property):
    """Exhaustive: a changed bit is refused, or it was in no field that means anything to the reader of the records."""
    data = published(mode)
    right = content(decode(data, lambda *which: KEY))
    outcomes = {}
    for bit in range(8, 8 * len(data)):
        forged = bytearray(data)
        forged[bit // 8] ^= 1 << bit % 8
        role = Collector([KnownMeter("gas", Address.parse("12345678"), KEY)])
        assert hear(role, telegram(mode, counter=1))[0].verdict == AUTHENTICATED
        told = hear(role, bytes(forged))
        for one in told:
            if one.verdict == AUTHENTICATED:
                assert content(one) == right, bit
            elif one.address.ident == METER.ident:
                assert one.error is not None and one.records == [], bit
            code = one.error.code if one.error else one.verdict
            outcomes[code] = outcomes.get(code, 0) + 1
            # Bytes that decide, from the transport layer on: there is no such thing as an unimportant bit.
            if bit // 8 >= len(data) - len(message(mode)[1]):
                assert one.verdict != AUTHENTICATED, bit
        if not told:
            outcomes["part of a message"] = outcomes.get("part of a message", 0) + 1
    record_property("profile {}: every bit flipped".format("B" if mode == 7 else "D"), str(outcomes))
    assert outcomes["mac_mismatch"] > 250


@pytest.mark.parametrize("mode", MODES)
def test_every_truncation(mode):
    data = published(mode)
    for cut in range(11, len(data)):
        one = decode(refit(data[:cut]), lambda *which: KEY)
        assert one.verdict != AUTHENTICATED and one.records == []
    for more in range(1, 40):
        one = decode(refit(data + bytes(more)), lambda *which: KEY)
        assert one.verdict != AUTHENTICATED and one.records == []


@pytest.mark.parametrize("mode", MODES)
def test_pieces_of_two_messages(mode):
    """Each with its own keys: no prefix of one fits a suffix of the other."""
    first, second = (
        telegram(mode, counter=5),
        telegram(mode, counter=6, data=RECORDS[:3] + b"\x99" + RECORDS[4:]),
    )
    for cut in range(14, len(first)):
        if first[:cut] in (first, second[:cut]) or first[cut:] == second[cut:]:
            continue
        one = decode(first[:cut] + second[cut:], lambda *which: KEY)
        assert one.verdict != AUTHENTICATED


@pytest.mark.parametrize("mode", MODES)
def test_foreign_keys_and_foreign_meters(mode):
    role = Collector([KnownMeter("gas", METER, KEY)])
    neighbour = Address.parse("12345679.M=ELS.V=33.T=03")
    (stranger,) = hear(role, telegram(mode, key=OTHER))
    assert stranger.verdict == "mac_mismatch" and stranger.error.hint
    # A message of the neighbour under our meter's address: the identification is in the key.
    moved = bytearray(telegram(mode, address=neighbour, key=KEY))
    moved[2:10] = METER.link_bytes()
    (forged,) = hear(role, bytes(moved))
    assert forged.verdict == "mac_mismatch"
    assert hear(role, telegram(mode))[0].verdict == "authenticated"


FORGED = bytes.fromhex("0C1499999999")  # a volume that nobody measured


def in_clear(header, data=FORGED):
    """A telegram that anybody can write: transport header of our meter, records in clear."""
    return link_telegram.build(0x44, METER, bytes.fromhex("8C2076" + header) + data)


@pytest.mark.parametrize("profile, mode", [("A", 5), ("B", 7), ("D", 10)])
@pytest.mark.parametrize(
    "header",
    [
        "7A76000000",  # no security
        "7A76000005",  # mode 5 that encrypts nothing
        "7A76000027 10 00010000",  # mode 7 that encrypts nothing, its counter in the transport layer, no AFL
        "9003002000 7A76000027 10 00010000",  # an AFL that announces no authentication
        "78",  # no header at all
        "9007002820 00010000 7A76000000",
    ],
)
def test_records_in_clear_of_a_protected_meter(profile, mode, header):
    """Whatever security mode such a telegram claims, where the profile was agreed, and where it was learnt."""
    for learnt in (False, True)[: mode > 5 and 2 or 1]:
        role = Collector([KnownMeter("gas", METER, KEY, None if learnt else profile)])
        if learnt:
            hear(role, telegram(mode, counter=1))
        (one,) = hear(role, in_clear(header), 1)
        assert one.error is not None and one.records == [], header
        assert hear(role, telegram(mode), 2)[0].error is None


def test_bytes_put_before_the_tag():
    """Behind the encrypted part of profile D, where the sender has none: a published telegram with a record more."""
    data = bytearray(telegram(10))
    data[-8:-8] = FORGED
    role = Collector([KnownMeter("gas", METER, KEY)])
    (forged,) = hear(role, refit(data))
    assert forged.verdict == "mac_mismatch" and forged.records == []
    assert hear(role, telegram(10), 1)[0].verdict == AUTHENTICATED


@pytest.mark.parametrize("mode", (5, 7, 10))
def test_every_single_bit_before_the_right_telegram(mode):
    """A forged copy that comes first does not make a duplicate of the right telegram."""
    data = telegram(mode) if mode > 5 else mode5()
    for bit in range(80, 8 * len(data)):
        forged = bytearray(data)
        forged[bit // 8] ^= 1 << bit % 8
        role = Collector([KnownMeter("gas", Address.parse("12345678"), KEY)])
        right = content(decode(data, lambda *which: KEY))
        told = hear(role, bytes(forged)) + hear(role, data, 1)
        assert [True for one in told if one.error is None and content(one) == right], bit


def mode5():
    security = sealing.Security(5, KEY)
    _, sealed = sealing.seal(security, 0x7A, METER, 0x75, 0, RECORDS)
    return link_telegram.build(0x44, METER, bytes.fromhex("8C2075") + sealed)


@pytest.mark.parametrize("mode", MODES)
def test_a_command_played_to_the_gateway(mode):
    """Authentic, and from the gateway: it says nothing of how far the meter's messages have come."""
    role = Collector([KnownMeter("gas", METER, KEY)])
    assert hear(role, telegram(mode, counter=2739))[0].verdict == AUTHENTICATED
    hear(role, telegram(mode, counter=2800, up=False, ci=0x5A), 1)
    (one,) = hear(role, telegram(mode, counter=2740), 2)
    assert one.verdict == AUTHENTICATED


@pytest.mark.parametrize("mode", MODES)
def test_reflection(mode):
    """What the gateway sent is no message of the meter, and the other way round, with whatever CI code."""
    for up, codes in ((True, (0x5A, 0x61, 0x65)), (False, (0x7A, 0x7B, 0x6A))):
        afl, sealed = message(mode, up=up, ci=0x7A if up else 0x5A)
        for code in codes:
            body = (authentication.build(afl) if afl else b"") + bytes((code,)) + sealed[1:]
            one = decode(link_telegram.build(0x44, METER, body), lambda *which: KEY)
            assert one.verdict == "mac_mismatch", hex(code)


def test_reorder_and_replay_for_a_day(record_property):
    """1,000 messages, each copied and sent again at random later: each is told once, in the order of its counter."""
    rng = random.Random(4)
    role = Collector([KnownMeter("gas", METER, KEY)])
    told, refused, at_us = [], 0, 0
    sent = []
    for counter in range(1, 1001):
        sent.append(telegram(7, counter=counter))
        for copy in [sent[-1]] + rng.sample(sent, min(3, len(sent))):
            at_us += rng.randrange(1, 120 * 10**6)
            for one in hear(role, copy, at_us):
                if one.verdict == AUTHENTICATED:
                    told.append(one.counter)
                else:
                    assert one.verdict == "replayed" and one.records == []
                    refused += 1
    assert told == list(range(1, 1001))
    record_property("replay", "1000 messages told once each, {} replays refused".format(refused))
    assert refused > 2000


def test_interleaved_fragments_of_a_thousand_meters(record_property):
    """Three fragments each, shuffled among the meters, some lost, some twice: whole messages come out, or nothing."""
    rng = random.Random(5)
    count = 1000
    meters = [Address.parse("{:08d}.M=ELS.V=33.T=03".format(10000000 + n)) for n in range(count)]
    role = Collector([KnownMeter(str(one), one, KEY) for one in meters])
    queues, lost = [], set()
    for number, meter in enumerate(meters):
        data = RECORDS + b"\x0c\x78" + bytes.fromhex("{:08d}".format(number)) + bytes((0x2F,)) * 60
        afl, sealed = sealing.seal(
            sealing.Security(7, KEY, 1 + number), 0x7A, meter, 0x75, 0, data, fragmented=True
        )
        pieces = []
        for piece in fragmentation.split(afl, sealed, [40]):
            if rng.random() < 0.03:
                lost.add(meter)
                continue
            pieces += [(meter, piece)] * (2 if rng.random() < 0.1 else 1)
        queues.append(pieces)
    told, largest, at_us = {}, 0, 0
    while any(queues):
        meter, piece = rng.choice([queue for queue in queues if queue]).pop(0)
        at_us += 1
        ell = bytes.fromhex("8E8001") + bytes(8)
        for one in hear(role, link_telegram.build(0x08, meter, ell + piece), at_us):
            assert one.verdict == AUTHENTICATED or meter in lost
            if one.verdict == AUTHENTICATED:
                assert one.address == meter and meter not in told
                told[meter] = one.records[3].data
        held = sum(len(one.pieces) for one in role.fragments._started.values())
        largest = max(largest, held)
    assert set(told) == set(meters) - lost
    for number, meter in enumerate(meters):
        assert meter in lost or told[meter] == bytes.fromhex("{:08d}".format(number))
    record_property(
        "interleaved fragments",
        "{} of 1000 messages whole, {} with a lost fragment, at most {} bytes held, {}".format(
            len(told), len(lost), largest, role.fragments.counters
        ),
    )
    assert largest <= count * 160
