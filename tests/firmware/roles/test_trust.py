"""What a collector believes: counters, repetitions, replays, downgrades, messages in fragments (security sheet 10.1, 11.1)."""

import pytest
import support_security as support
import support_telegram as known
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import DowngradeError, ReplayError
from omsnode.firmware.link import frame_a
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import Deliver, Persist
from omsnode.firmware.roles.collector import STORE_US, WINDOW_US, Collector, KnownMeter
from omsnode.firmware.roles.meter import Meter, Profile, Register
from omsnode.firmware.roles.trust import NEW, REPEATED, Trust
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, sealing

KEY = Key.from_hex(known.KEY_0)
METER = Address.parse("12345678.M=ELS.V=33.T=03")
VOLUME = Register(b"\x04", b"\x13", 6408, 1000000)


def telegrams(mode, count, counter=0, key=KEY):
    """What our meter sends, one after the other."""
    profile = Profile(METER, [VOLUME], key=key, security_mode=mode, with_ell=True, nominal_us=10**6)
    role = Meter(profile, bytes(5), {"message_counter": counter, "access_number": counter & 255})
    role.start(0)
    return [role.tick(role.due_us)[-1].telegram for _ in range(count)]


def hear(role, telegram, at_us):
    event = radio.Event(
        radio.FRAME, at_us, frame=frame_a.build(telegram), family="C", frame_format="A", rssi_dbm=-60
    )
    return role.feed(event, at_us)


def readings(role, *heard):
    """Readings told for telegrams, each so much later that no window of duplicates helps."""
    out = []
    for number, telegram in enumerate(heard):
        actions = hear(role, telegram, (number + 1) * (WINDOW_US + 1))
        out += [action.reading.telegram for action in actions if isinstance(action, Deliver)]
    return out


def collector(profile=None, state=None):
    return Collector([KnownMeter("gas", METER, KEY, profile)], trust=Trust(state))


@pytest.mark.parametrize("mode", [7, 10])
def test_each_counter_once(mode):
    role = collector()
    first, second, third = telegrams(mode, 3)
    told = readings(role, first, third, third, second, first)
    assert [one.verdict for one in told] == ["authenticated", "authenticated", "replayed", "replayed"]
    assert role.counters["duplicates"] == 1 and role.counters["rejected.replayed"] == 2
    assert [one.error and one.error.code for one in told[2:]] == ["replayed"] * 2
    assert all(one.records == [] and one.undecoded for one in told[2:])


def test_no_limit_upwards():
    """Real meters take the time of day for a counter (security sheet 10.1)."""
    role = collector()
    (low,), (high,), (last,) = telegrams(7, 1), telegrams(7, 1, 0x6A317124), telegrams(7, 1, 0xFFFFFFFE)
    assert [one.verdict for one in readings(role, low, high, last, high)] == ["authenticated"] * 3 + [
        "replayed"
    ]


def test_a_forged_counter_changes_nothing():
    """The counter of a frame whose MAC is wrong is not remembered: one bad frame would silence the meter."""
    role = collector()
    first, second = telegrams(7, 2)
    forged = bytearray(second)
    at = forged.index(0x90) + 5  # MCR, behind CI, length, FCL and MCL
    forged[at : at + 4] = b"\xff" * 4
    told = readings(role, first, bytes(forged), second)
    assert [one.verdict for one in told] == ["authenticated", "mac_mismatch", "authenticated"]


def test_a_known_meter_does_not_speak_weaker():
    role = collector()
    plain, secret, good = telegrams(0, 1), telegrams(5, 1), telegrams(7, 2)
    assert [one.verdict for one in readings(collector(), plain[0], secret[0])] == ["plain", "decrypted"]
    told = readings(role, good[0], plain[0], secret[0], good[1])
    assert [one.verdict for one in told] == ["authenticated", "downgraded", "downgraded", "authenticated"]
    assert told[1].records == [] == told[2].records and role.counters["rejected.downgraded"] == 2
    # With a wrong key too it is first of all a downgrade.
    other = telegrams(5, 1, key=Key(bytes(16)))
    assert readings(role, *other)[0].verdict == "downgraded"


def test_a_configured_profile_counts_from_the_first_telegram_on():
    told = readings(collector("B"), *telegrams(5, 1), *telegrams(7, 1))
    assert [one.verdict for one in told] == ["downgraded", "authenticated"]
    assert readings(collector("A"), *telegrams(0, 1))[0].verdict == "downgraded"
    assert readings(collector("A"), *telegrams(5, 1))[0].verdict == "decrypted"


def test_a_meter_that_speaks_under_another_key_id():
    """The partner's key has a counter of its own, and what was proved with it counts against plain text as well."""
    own = Key(bytes(range(1, 17)))
    role = Collector(keys=lambda address, key_id=0, version=None: own if key_id == 8 else KEY)
    afl, message = sealing.seal(
        sealing.Security(7, own, 7, 8), 0x7A, METER, 1, 0, bytes.fromhex("0C1300000000")
    )
    data = link_telegram.build(0x44, METER, bytes.fromhex("8C2001") + authentication.build(afl) + message)
    told = readings(role, data, *telegrams(0, 1), *telegrams(7, 1))
    assert [one.verdict for one in told] == ["authenticated", "downgraded", "authenticated"]


def test_the_message_says_why():
    """Not that the meter was heard with authentic messages, where only the configuration says so."""
    for profile in ("A", "B", "D"):
        (one,) = readings(collector(profile), *telegrams(0, 1))
        assert "profile {} is configured".format(profile) in one.error.message
    role = collector("A")
    *_, one = readings(role, *telegrams(7, 1), *telegrams(0, 1))
    assert "known with authenticated messages" in one.error.message


def test_keys_of_the_key_store_count_as_well():
    """A meter that no [[meter]] names, and one that is named without its key."""
    for meters in ([], [KnownMeter("gas", METER)]):
        role = Collector(meters, keys=lambda address, *which: KEY)
        told = readings(role, *telegrams(7, 1), *telegrams(0, 1), *telegrams(5, 1))
        assert [one.verdict for one in told] == ["authenticated", "downgraded", "downgraded"]


def test_acknowledgements_are_never_protected():
    """ACC-NR and application errors of a profile B meter (sheet section 10)."""
    role = collector()
    readings(role, *telegrams(7, 1))
    empty = link_telegram.build(0x47, METER, bytes.fromhex("8A01000000"))
    error = link_telegram.build(0x08, METER, bytes.fromhex("6E0202000001"))
    assert [one.verdict for one in readings(role, empty, error)] == ["plain", "plain"]


def test_memory_survives_and_is_stored_once_a_minute():
    role = collector()
    first, second, third = telegrams(7, 3)
    persist = [one for one in hear(role, first, 5) if isinstance(one, Persist)]
    assert len(persist) == 1
    assert not [one for one in hear(role, second, 6) if isinstance(one, Persist)]
    assert role.due_us == 5 + STORE_US
    (later,) = role.tick(role.due_us)
    assert role.due_us is None and role.tick(role.due_us or 10**9) == []
    again = collector(state=later.state["counters"])
    told = readings(again, second, *telegrams(0, 1), third)
    assert [one.verdict for one in told] == ["downgraded", "authenticated"]
    assert again.counters["duplicates"] == 1
    assert known.KEY_0.lower() not in str(later.state).lower()


def test_an_old_message_under_another_manufacturer():
    """Behind a short header the MAC covers the identification number alone: the rest of the address can be changed."""
    role = Collector([KnownMeter("gas", Address.parse("12345678"), KEY)])
    first, second = telegrams(7, 2)
    moved = bytearray(first)
    moved[2] ^= 1
    weak = bytearray(telegrams(0, 1)[0])
    weak[2] ^= 1
    told = readings(role, first, second, bytes(moved), bytes(weak))
    assert [one.verdict for one in told] == ["authenticated"] * 2 + ["replayed", "downgraded"]


def test_another_key_counts_for_itself():
    """A key that was replaced begins at 0 again (OMS Vol.2 9.3.2)."""
    trust = Trust()
    old, new = KEY, Key(bytes(range(1, 17)))
    high = decode(telegrams(7, 1, 5000)[0], lambda *which: old)
    low = decode(telegrams(7, 1, key=new)[0], lambda *which: new)
    assert trust.judge(high, old) == NEW and trust.judge(low, new) == NEW
    assert trust.judge(high, old) == REPEATED


NAME = METER.ident + "/" + KEY.fingerprint()


@pytest.mark.parametrize(
    "state", [None, {}, [], {"a": 1}, {NAME: "c"}, {NAME: -1}, {NAME: None}, {NAME: 1 << 32}, {NAME: 1.5}, 7]
)
def test_damaged_memory_is_no_memory(state):
    trust = Trust(state)
    telegram = decode(telegrams(7, 1)[0], lambda *which: KEY)
    trust.check(telegram, KEY)
    assert trust.judge(telegram, KEY) == NEW


def test_published_sequences(shared):
    """S01 to S03: what comes after an accepted telegram."""
    found = support.vectors(shared)
    by_id = {one["id"]: one for one in found["telegrams"]}
    for sequence in found["sequences"][:3]:
        trust = Trust()
        for name, verdict in sequence["steps"]:
            key = Key.from_hex(by_id[name]["key"])
            telegram = decode(bytes.fromhex(by_id[name]["telegram_hex"]), lambda *which, key=key: key)
            assert telegram.verdict == "authenticated"
            try:
                accepted = trust.judge(telegram, key) == NEW
            except ReplayError:
                accepted = False
            assert accepted == (verdict == "accept"), sequence["id"]


def test_messages_in_fragments_are_told_whole(shared):
    """Annex N.3 to N.5 on the air; S05 and S06: a gap, and a message without its beginning."""
    for vector in support.vectors(shared)["fragmented"]:
        if vector["medium"] == "wired":
            continue
        pieces = [bytes.fromhex(one["telegram_hex"]) for one in vector["fragments"]]
        meter = KnownMeter("heat", Address.parse("12345678"), Key.from_hex(vector["key"]))
        role = Collector([meter])
        assert [hear(role, piece, number) for number, piece in enumerate(pieces[:2])] == [[], []]
        whole = hear(role, pieces[2], 2)[0].reading.telegram
        assert role.counters["fragments"] == 2
        assert whole.verdict == "authenticated" and whole.joined and len(whole.records) >= 7
        role = Collector([meter])
        hear(role, pieces[0], 0)
        assert hear(role, pieces[2], 1)[0].reading.telegram.error.code == "fragment"
        assert hear(Collector([meter]), pieces[1], 0)[0].reading.telegram.error.code == "fragment"


def test_the_reasons_are_typed():
    trust = Trust({METER.ident + "/" + KEY.fingerprint(): 5})
    with pytest.raises(DowngradeError, match="without security"):
        trust.check(decode(telegrams(0, 1)[0]), KEY)
    with pytest.raises(ReplayError, match="1 after 5"):
        trust.judge(decode(telegrams(7, 1)[0], lambda *which: KEY), KEY)
