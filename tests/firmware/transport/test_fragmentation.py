"""Messages over several telegrams: the published ones both ways, and everything that goes wrong on the air."""

import pytest
import support_security as support
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.errors import FragmentError, MisuseError
from omsnode.firmware.transport import authentication
from omsnode.firmware.transport.fragmentation import Reassembly, split

# Wired, OMS Vol.2 Annex N, N.4 is in security.json (F02); this small one is made by hand from sheet 7.1 and 7.4:
# FCL 7001, MCL 40, ML 6 / FCL 4002 / FCL 0003.
PIECES = ["9005017040" + "0600" + "AABB", "90020240" + "CCDD", "90020300" + "EEFF"]
MESSAGE = bytes.fromhex("AABBCCDDEEFF")


def parsed(text):
    data = bytes.fromhex(text) if isinstance(text, str) else text
    afl = authentication.parse(data, 0)
    return afl, data[afl.payload_offset :]


def test_split_and_join_by_hand():
    afl = authentication.Afl()
    afl.control, afl.message_length = 0x40, 6
    assert [piece.hex().upper() for piece in split(afl, MESSAGE, [2])] == PIECES
    joined = Reassembly()
    assert [joined.add("m", *parsed(text), 0) for text in PIECES[:2]] == [None, None]
    whole, message = joined.add("m", *parsed(PIECES[2]), 0)
    assert message == MESSAGE and whole.message_length == 6 and whole.control == 0x40


def test_published_messages(shared):
    for vector in support.vectors(shared)["fragmented"]:
        joined = Reassembly()
        payloads, sizes, result = [], [], None
        for fragment in vector["fragments"]:
            parts = support.Parts(fragment["telegram_hex"], vector["key"], vector["medium"] == "wired")
            payloads.append(parts.data)
            sizes.append(len(parts.message))
            assert result is None
            result = joined.add("meter", parts.afl, parts.message, 0)
        afl, message = result
        assert message.hex().upper() == vector["reassembled_message"]
        parts.read(message)
        opened = parts.open(afl)
        plain = opened.payload.hex().upper()
        assert plain == vector["expected_plaintext"] + (vector.get("clear_after") or "")
        assert opened.authenticated == (vector["mode"] != 5)
        again, rebuilt = parts.sealed(opened, afl)
        assert rebuilt == message and split(again, rebuilt, sizes) == payloads, vector["id"]


def test_a_gap_drops_the_message():
    joined = Reassembly()
    joined.add("m", *parsed(PIECES[0]), 0)
    with pytest.raises(FragmentError, match="fragment 3 where 2 is expected"):
        joined.add("m", *parsed(PIECES[2]), 0)
    with pytest.raises(FragmentError, match="where 1 is expected"):
        joined.add("m", *parsed(PIECES[1]), 0)


def test_a_repetition_is_no_gap():
    joined = Reassembly()
    for text in (PIECES[0], PIECES[0], PIECES[1], PIECES[1]):
        assert joined.add("m", *parsed(text), 0) is None
    assert joined.add("m", *parsed(PIECES[2]), 0)[1] == MESSAGE
    assert joined.counters["duplicates"] == 2


def test_lengths():
    joined = Reassembly(most_bytes=5)
    with pytest.raises(FragmentError, match="too long"):
        joined.add("m", *parsed(PIECES[0]), 0)
    joined = Reassembly()
    joined.add("m", *parsed(PIECES[0]), 0)
    with pytest.raises(FragmentError, match="announces 6"):
        joined.add("m", *parsed("90020240" + "00" * 5), 0)
    joined.add("m", *parsed(PIECES[0]), 0)
    with pytest.raises(FragmentError, match="announces 6"):
        joined.add("m", *parsed("90020200" + "00" * 3), 0)
    with pytest.raises(FragmentError, match="without message control"):
        joined.add("m", *parsed("90020140" + "00"), 0)


def test_time_out():
    joined = Reassembly(timeout_us=100)
    joined.add("m", *parsed(PIECES[0]), 0)
    with pytest.raises(FragmentError):
        joined.add("m", *parsed(PIECES[1]), 101)
    assert joined.counters["timed_out"] == 1


def test_a_thousand_meters_at_once(record_property):
    """Interleaved, each with its own bytes; memory is what is announced, and no more."""
    joined = Reassembly(most_messages=1000)
    for number in range(3):
        for meter in range(1000):
            text = bytes.fromhex(PIECES[number])
            text = text[:-2] + bytes((meter & 255, meter >> 8))
            result = joined.add(meter, *parsed(text), 0)
    assert result is not None and joined.counters["complete"] == 1000 and not joined._started
    record_property("interleaved fragments", "3000 of 1000 meters: 1000 messages, {}".format(joined.counters))


def test_the_oldest_is_pushed_out():
    joined = Reassembly(most_messages=2)
    for meter in range(3):
        joined.add(meter, *parsed(PIECES[0]), meter)
    assert joined.counters["evicted"] == 1
    with pytest.raises(FragmentError):
        joined.add(0, *parsed(PIECES[1]), 3)
    joined.add(1, *parsed(PIECES[1]), 3)
    assert joined.add(1, *parsed(PIECES[2]), 3)[1] == MESSAGE


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=600), st.lists(st.integers(1, 120), min_size=1, max_size=4))
def test_any_message_any_cut(message, sizes):
    afl = authentication.Afl()
    afl.control, afl.message_length, afl.mac = 0x65, len(message), bytes(range(8))
    afl.counter = 7
    try:
        pieces = split(afl, message, sizes)
    except MisuseError:
        assert len(message) > 255
        return
    joined = Reassembly()
    for piece in pieces:
        result = joined.add("m", *parsed(piece), 0)
    whole, again = result
    assert again == message and whole.mac == afl.mac and whole.counter == 7


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans(), st.integers(0, 9)), max_size=30)
)
def test_any_order_of_fragments_is_survived(steps):
    joined = Reassembly(most_messages=3)
    for meter, number, more, size in steps:
        afl = authentication.Afl()
        afl.fragment_id, afl.more = number, more
        if number == 1:
            afl.control, afl.message_length = 0x40, 12
        try:
            result = joined.add(meter, afl, bytes(size), 0)
            assert result is None or len(result[1]) == 12
        except FragmentError:
            pass
        assert len(joined._started) <= 3
