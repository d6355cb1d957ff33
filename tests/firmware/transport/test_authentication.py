"""AFL of OMS Vol.2 Annex N.2.3, N.3 and N.4: read, not checked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omsnode.firmware.errors import TransportError
from omsnode.firmware.transport import authentication


def test_unfragmented_profile_b():
    data = bytes.fromhex("900F002C25B30A000021924D4F2FB66E017A75")
    afl = authentication.parse(data, 0)
    assert (afl.control, afl.counter, afl.mac.hex()) == (0x25, 2739, "21924d4f2fb66e01")
    assert afl.payload_offset == 17 and not afl.fragmented() and afl.message_length is None


@pytest.mark.parametrize(
    "data, number, more, control, length, mac",
    [
        ("9009017865B30A000056007A", 1, True, 0x65, 86, ""),
        ("90020240C4", 2, True, None, None, ""),
        ("900A0304BE47ED4C9CC11A7806CC", 3, False, None, None, "be47ed4c9cc11a78"),
        ("900501704 05D007A".replace(" ", ""), 1, True, 0x40, 93, ""),
        ("90020300AF", 3, False, None, None, ""),
    ],
)
def test_fragments(data, number, more, control, length, mac):
    afl = authentication.parse(bytes.fromhex(data), 0)
    assert (afl.fragment_id, afl.more, afl.control) == (number, more, control)
    assert (afl.message_length, afl.mac.hex()) == (length, mac)
    assert afl.fragmented() and afl.payload_offset == 2 + bytes.fromhex(data)[1]


def test_lone_first_fragment_is_a_whole_message():
    assert not authentication.parse(bytes.fromhex("9002010078"), 0).fragmented()


@pytest.mark.parametrize(
    "data",
    [
        "90",
        "900F002C",
        "900F002C25B30A00002192",  # longer than the telegram
        "9001002C",  # shorter than its control field
        "9004002C25B3",  # fields announced that do not fit
        "9004000000007A",  # bytes that no flag announces
        "9003002422",  # authentication type 2
    ],
)
def test_malformed(data):
    with pytest.raises(TransportError) as caught:
        authentication.parse(bytes.fromhex(data), 0)
    assert caught.value.position is not None


@given(st.binary(max_size=40))
def test_any_bytes(data):
    try:
        afl = authentication.parse(b"\x90" + data, 0)
    except TransportError:
        return
    assert 4 <= afl.payload_offset <= len(data) + 1
