"""The collector role: everything is told once, counted, and nothing that comes can break it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application import frames
from omsnode.firmware.errors import SymbolError
from omsnode.firmware.link import frame_a, frame_b
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles import collector as module
from omsnode.firmware.roles.actions import Deliver, Listen, Persist
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.security import default_keys
from omsnode.firmware.security.keys import Key

# Link sheet section 12, telegram of OMS Annex N (security sheet N01 is its cousin): typed here as short plain ones.
PLAIN = bytes.fromhex("14442d2c785634121b167a2a000020041308190000")
WITH_ELL = bytes.fromhex("17442d2c785634121b168c202a7a2a000000041308190000")


def frame(telegram, at_us=0, rssi_dbm=-70, frame_format="A", family="T"):
    build = frame_b.build if frame_format == "B" else frame_a.build
    return radio.Event(radio.FRAME, at_us, at_us + 4000, build(telegram), family, frame_format, rssi_dbm)


def feed(role, *events):
    """Readings of all events."""
    return [action.reading for event in events for action in role.feed(event, event.at_us)]


def test_it_listens_from_the_start():
    assert Collector().start(5) == [Listen(modes.T_AND_C, modes.UP)]
    assert Collector(mode="S1").start(5) == [Listen("S1", modes.UP)]
    assert Collector().due_us is None and Collector().tick(9) == []


def test_a_reading_carries_what_is_known():
    meter = KnownMeter("kitchen", Address.parse("12345678"))
    actions = Collector([meter], radio_name="roof").feed(frame(PLAIN, 77, -61), 5000, 1700000000000000)
    assert isinstance(actions[0], Deliver)
    reading = actions[0].reading
    assert (reading.mode, reading.frame_format, reading.rssi_dbm) == ("T1", "A", -61)
    assert (reading.at_us, reading.wall_us) == (77, 1700000000000000)
    assert (reading.radio, reading.name, reading.raw) == ("roof", "kitchen", PLAIN)
    assert reading.telegram.records[0].mantissa == 6408


@pytest.mark.parametrize("telegram, hop_at, hop", [(WITH_ELL, 11, 0x30), (PLAIN, 13, 0x01)])
def test_a_repeated_telegram_is_a_duplicate_and_the_better_level_is_kept(telegram, hop_at, hop):
    """A repeater sets the hop bit: in the CC field, or without ELL in the configuration field (link sheet 7.2)."""
    repeated = bytearray(telegram)
    repeated[hop_at] = hop
    role = Collector()
    readings = feed(
        role, frame(telegram, 0, -90), frame(bytes(repeated), 10**7, -60), frame(telegram, 2 * 10**7, -80)
    )
    assert len(readings) == 1
    assert role.counters == {"frames": 3, "delivered": 1, "duplicates": 2}
    (one,) = role.statistics.values()
    assert (one.telegrams, one.duplicates, one.rssi_dbm, one.best_rssi_dbm) == (1, 2, -60, -60)


def test_level_of_the_last_telegram_and_of_all():
    role = Collector()
    later = bytearray(PLAIN)
    later[11] += 1
    feed(role, frame(PLAIN, 0, -50), frame(bytes(later), 10**7, -80))
    (one,) = role.statistics.values()
    assert (one.rssi_dbm, one.best_rssi_dbm, one.last_us) == (-80, -50, 10**7)


@pytest.mark.parametrize("position", [4, 11, 17])  # identity, access number, value
def test_what_differs_is_no_duplicate(position):
    other = bytearray(PLAIN)
    other[position] ^= 1
    assert len(feed(Collector(), frame(PLAIN), frame(bytes(other), 1000))) == 2


def test_a_meter_that_never_counts_is_told_once_per_window():
    role = Collector(window_us=60 * 10**6)
    readings = feed(role, *[frame(PLAIN, second * 10**6) for second in range(0, 180, 8)])
    assert [reading.at_us // 10**6 for reading in readings] == [0, 64, 128]


def test_the_table_of_recent_telegrams_is_bounded():
    role = Collector()
    for number in range(1000):
        telegram = bytearray(PLAIN)
        telegram[17:19] = number.to_bytes(2, "little")
        assert len(feed(role, frame(bytes(telegram), number))) == 1
    assert len(role._recent) == module._RECENT


def test_statistics_forget_strangers_before_known_meters():
    role = Collector([KnownMeter("kitchen", Address.parse("12345678"))])
    feed(role, frame(PLAIN, 0))
    for number in range(1000):
        telegram = bytearray(PLAIN)
        telegram[6:8] = number.to_bytes(2, "little")
        feed(role, frame(bytes(telegram), number + 1))
    assert len(role.statistics) == module._METERS
    assert PLAIN[2:10] in role.statistics
    assert role.counters["delivered"] == 1001 - (1 if 0x3412 < 1000 else 0)


def test_rejects_are_counted_by_code_in_all_and_per_meter():
    sealed = bytes.fromhex("1e442d2c785634121b167a0100102560cb87cfa2ac2b40007009fa9db345e3")
    role = Collector([KnownMeter("kitchen", Address.parse("12345678"), Key(bytes(16)))])
    damaged = frame(PLAIN)
    damaged.frame = damaged.frame[:-1] + bytes([damaged.frame[-1] ^ 1])
    short = frame(PLAIN)
    short.frame = short.frame[:-3]
    readings = feed(
        role,
        radio.Event(radio.REJECTED, 0, error=SymbolError("", 3)),
        damaged,
        short,
        frame(sealed, 5),
        radio.Event(radio.FAULT, 0, code="rx_overflow"),
    )
    assert [reading.telegram.verdict for reading in readings] == ["wrong_key_or_altered"]
    assert role.counters == {
        "frames": 3,
        "delivered": 1,
        "duplicates": 0,
        "rejected.symbol": 1,
        "rejected.crc": 1,
        "rejected.length": 1,
        "rejected.wrong_key_or_altered": 1,
    }
    (one,) = role.statistics.values()
    assert one.name == "kitchen" and one.rejects == {"wrong_key_or_altered": 1}


@settings(max_examples=1000)
@given(st.binary(max_size=246), st.sampled_from("AB"), st.booleans())
def test_whatever_comes_is_a_reading(body, frame_format, known):
    """Any bytes behind a good link CRC: told, or a duplicate; never an exception, and the next good frame is heard."""
    role = Collector([KnownMeter("any", Address.parse("12345678"), Key(bytes(16)))] if known else ())
    telegram = bytes([9 + len(body)]) + PLAIN[1:10] + body
    (reading,) = feed(role, frame(telegram, 0, -70, frame_format, "C"))
    assert reading.raw == telegram
    assert len(feed(role, frame(PLAIN, 1))) == (0 if telegram == PLAIN else 1)


@settings(max_examples=500)
@given(st.binary(max_size=300), st.sampled_from("AB"))
def test_damaged_frames_never_raise(data, frame_format):
    role = Collector()
    event = radio.Event(radio.FRAME, 0, 1, data, "T", frame_format, None)
    role.feed(event, 0)
    assert role.counters["frames"] == 1
    assert len(feed(role, frame(PLAIN, 1))) == 1 or data[2:10] == PLAIN[2:10]


def test_default_keys_only_where_no_key_is_known():
    """A gas meter with the all-zero key (wmbusmeters, drivers/src/unismart.xmq)."""
    data = bytes.fromhex(
        "6044B8059430040001037A1D005085E2B670BCF1A5C87E0C1A51DA18924EF984613DA2A9CD39D8F4C7208326C76D42DBEADF80D574"
        "192B71BD7C4F56A7F1513151768A9DB804883B28CB085CA2D0F7438C361CB9E2734712ED9BFBB2A14EF55208"
    )
    for role, verdict in (
        (Collector(), "no_key"),
        (Collector(default_keys=default_keys.of), "decrypted"),
        (
            Collector([KnownMeter("gas", Address.parse("00043094"))], default_keys=default_keys.of),
            "decrypted",
        ),
        (
            Collector(
                [KnownMeter("gas", Address.parse("00043094"), Key(bytes(range(16))))],
                default_keys=default_keys.of,
            ),
            "wrong_key_or_altered",
        ),
    ):
        (reading,) = feed(role, frame(data))
        assert reading.telegram.verdict == verdict
        assert (reading.telegram.key == "default") == (verdict == "decrypted")


FULL = bytes.fromhex("03037B0000041315000000426CBF2C")


def test_formats_that_have_served_are_stored_behind_the_reading():
    """A full frame teaches, its compact frame proves; a restart knows it (application sheet 6)."""
    meter = Address.parse("12345678.M=KAM.V=1b.T=16")
    full = link_telegram.build(0x44, meter, b"\x78" + FULL)
    compact = link_telegram.build(0x44, meter, b"\x79" + frames.compact(FULL))
    role = Collector(formats=frames.Formats())
    assert [type(one) for one in role.feed(frame(compact, 0), 0)] == [Deliver]
    assert role.counters["rejected.unknown_format"] == 1
    assert [type(one) for one in role.feed(frame(full, 10**8), 0)] == [Deliver]
    deliver, persist = role.feed(frame(compact, 2 * 10**8), 0)
    assert len(deliver.reading.telegram.records) == 3 and isinstance(persist, Persist)
    assert [type(one) for one in role.feed(frame(compact, 3 * 10**8), 0)] == [Deliver]
    again = Collector(formats=frames.Formats(state=json.loads(json.dumps(persist.state))["formats"]))
    (deliver,) = again.feed(frame(compact, 0), 0)
    assert len(deliver.reading.telegram.records) == 3
    # Without a memory there is nothing to store.
    assert [type(one) for one in Collector().feed(frame(full, 0), 0)] == [Deliver]


def test_keys_of_a_store_serve_strangers_other_key_ids_and_versions():
    asked = []

    def keys(address, key_id=0, key_version=None):
        asked.append((str(address), key_id, key_version))
        return Key(bytes(range(16)))

    own = Key(b"0123456789abcdef")
    role = Collector([KnownMeter("kitchen", Address.parse("12345678"), own)], keys=keys)
    kitchen, other = Address.parse("12345678.M=KAM.V=1b.T=16"), Address.parse("87654321.M=KAM.V=1b.T=16")
    assert role._key_for(kitchen) is own and asked == []
    assert role._key_for(other) == Key(bytes(range(16)))
    assert role._key_for(kitchen, 1) != own and role._key_for(kitchen, 0, 3) != own
    assert asked == [(str(other), 0, None), (str(kitchen), 1, None), (str(kitchen), 0, 3)]
    role = Collector([KnownMeter("kitchen", Address.parse("12345678"), own)], keys=lambda *which: None)
    assert role._key_for(kitchen, 1, 2) is own and role._key_for(other) is None
