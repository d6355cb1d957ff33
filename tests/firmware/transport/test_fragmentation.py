"""Messages over several telegrams: the published ones both ways, and everything that goes wrong on the air."""

import pytest
import support_security as support
from hypothesis import given, settings
from hypothesis import strategies as st
from omsnode.firmware.application.telegram import decode
from omsnode.firmware.errors import FragmentError, MisuseError
from omsnode.firmware.link import extended
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.link.address import Address
from omsnode.firmware.security.keys import Key
from omsnode.firmware.transport import authentication, sealing
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


def test_a_repetition_of_the_last_one():
    """Through a repeater, or because its request was repeated: nothing is missing. A lone one is refused as ever."""
    joined = Reassembly(timeout_us=100)
    for text in PIECES:
        joined.add("m", *parsed(text), 0)
    assert joined.add("m", *parsed(PIECES[2]), 1) is None and joined.counters["duplicates"] == 1
    with pytest.raises(FragmentError):
        joined.add("m", *parsed(PIECES[1]), 1)
    with pytest.raises(FragmentError):
        joined.add("other", *parsed(PIECES[2]), 1)
    with pytest.raises(FragmentError):
        joined.add("m", *parsed(PIECES[2]), 101)
    assert not joined._done


def test_commands_of_one_gateway_to_two_meters():
    """Interleaved: the ELL names the meter, the link layer the gateway."""
    key = Key.from_hex("000102030405060708090A0B0C0D0E0F")
    gateway = Address.parse("33445566.M=XYZ.V=0a.T=31")
    meters = [Address.parse("1234567{}.M=ELS.V=33.T=03".format(number)) for number in (1, 2)]
    joined, told = Reassembly(), []
    pieces = []
    for meter in meters:
        afl, message = sealing.seal(
            sealing.Security(7, key, 5), 0x5B, meter, 1, 0, bytes(60), long=True, up=False, fragmented=True
        )
        head = extended.build(0x84, 1, meter)
        pieces.append([link_telegram.build(0x53, gateway, head + one) for one in split(afl, message, [40])])
    for pair in zip(*pieces, strict=True):
        told += [decode(one, lambda *which: key, fragments=joined) for one in pair]
    assert [one.verdict for one in told[-2:]] == ["authenticated"] * 2
    assert [one.address for one in told[-2:]] == meters


def test_memory_is_bounded_by_bytes_as_well():
    """Whoever starts messages and never ends them pushes out the oldest, and what is held stays below the limit."""
    joined = Reassembly(most_messages=1000, most_bytes=2000, most_held=2000)
    for meter in range(100):
        afl = authentication.Afl()
        afl.fragment_id, afl.more, afl.control, afl.message_length = 1, True, 0x40, 2000
        joined.add(meter, afl, bytes(200), meter)
        assert sum(len(one.pieces) for one in joined._started.values()) == joined.held <= 2000
    assert joined.counters["evicted"] == 90 and sorted(joined._started) == list(range(90, 100))
    for number in range(2, 11):
        afl = authentication.Afl()
        afl.fragment_id, afl.more = number, True
        joined.add(99, afl, bytes((number,)) * 200, 100)
    assert list(joined._started) == [99] and joined.held == 2000


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


def test_time_out_is_between_two_fragments():
    """A message of 16 kbytes takes minutes, and each of its fragments is asked for."""
    joined = Reassembly(timeout_us=100)
    for number, text in enumerate(PIECES):
        told = joined.add("m", *parsed(text), 90 * number)
    assert told[1] == MESSAGE and joined.counters["timed_out"] == 0


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
