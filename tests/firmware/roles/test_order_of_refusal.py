"""Telegrams with two faults each are refused for the one that comes first in sheet 11.1, and nothing is remembered of them."""

import itertools

import pytest
import support_telegram as known
from omsnode.firmware.link import frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import Deliver
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, sealing

KEY = Key.from_hex(known.KEY_0)
METER = Address.parse("12345678.M=ELS.V=33.T=03")
RECORDS = bytes.fromhex("0C1427048502046D32371F1502FD170000")
LAST = 5000

# Fault: (step of the order, code). 8, the fragments, comes before the others can be seen.
FAULTS = {
    "length": (1, "transport"),
    "at": (2, "unsupported"),
    "derivation": (2, "unsupported"),
    "tag length": (2, "unsupported"),
    "no key": (3, "no_key"),
    "mode 5": (4, "downgraded"),
    "no mac": (4, "transport"),
    "mac": (5, "mac_mismatch"),
    "old": (6, "replayed"),
}
POSSIBLE = {
    7: ("length", "at", "derivation", "no key", "no mac", "mac", "old"),
    10: ("length", "derivation", "tag length", "no key", "mac", "old"),
    5: ("length", "no key", "mode 5"),
}


def telegram(mode, faults):
    """Of our meter, with these faults."""
    counter = LAST - 1 if "old" in faults else LAST + 1
    security = sealing.Security(mode, KEY, counter, authentication_type=4 if "at" in faults else 5)
    afl, message = sealing.seal(security, 0x7A, METER, 0x75, 0, RECORDS)
    message = bytearray(message)
    if "derivation" in faults:
        message[5] &= 0xCF
    if "tag length" in faults:
        message[6] |= 2
    if "mac" in faults:
        message[-1] ^= 1
    if "length" in faults:
        message[3] |= 0xF0 if mode == 10 else 0xE0
        message[3] &= 0xFE if mode == 10 else 0xEF
    if afl is None:
        head = b""
    elif "no mac" in faults:
        afl.mac, afl.control = b"", 0x20
        head = authentication.build(afl)
    else:
        head = authentication.build(afl)
    return link_telegram.build(0x44, METER, bytes.fromhex("8C2075") + head + bytes(message))


def hear(role, data, at_us):
    event = radio.Event(
        radio.FRAME, at_us, frame=frame_a.build(data), family="C", frame_format="A", rssi_dbm=-60
    )
    return [one.reading.telegram for one in role.feed(event, at_us) if isinstance(one, Deliver)]


PAIRS = [(mode, pair) for mode, names in POSSIBLE.items() for pair in itertools.combinations(names, 2)]
PAIRS.remove((7, ("at", "no mac")))  # there is none whose type could be wrong
PAIRS += [(mode, (name,)) for mode, names in POSSIBLE.items() for name in names]


@pytest.mark.parametrize("mode, faults", PAIRS)
def test_the_first_fault_is_told(mode, faults):
    keys = {METER.ident: None if "no key" in faults else KEY}
    role = Collector([KnownMeter("gas", METER, None, "B")], keys=lambda address, *which: keys[address.ident])
    if "no key" not in faults:
        security = sealing.Security(7, KEY, LAST)
        afl, message = sealing.seal(security, 0x7A, METER, 0x74, 0, RECORDS)
        good = link_telegram.build(0x44, METER, bytes.fromhex("8C2074") + authentication.build(afl) + message)
        assert hear(role, good, 0)[0].error is None
    before = role.trust.export()
    (one,) = hear(role, telegram(mode, faults), 1)
    step = min(FAULTS[name][0] for name in faults)
    assert one.error is not None and one.records == []
    assert one.error.code in {FAULTS[name][1] for name in faults if FAULTS[name][0] == step}
    assert role.trust.export() == before
    assert role.counters["rejected." + one.error.code] == 1 and one.error.hint
    assert role.statistics[METER.link_bytes()].rejects == {one.error.code: 1}
