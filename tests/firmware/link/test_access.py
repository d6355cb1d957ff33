"""The access machine on a virtual clock: every row of its table, and the ladders of the link sheet section 9 as a meter and
its gateway walk them."""

import pytest
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link import access
from omsnode.firmware.link.access import Access

LIMITED, UNLIMITED, NOT_NOW, UNIDIRECTIONAL = 0x80, 0x84, 0x04, 0x00
FAST = 0x40


def in_state(state):
    """A machine brought there by events alone."""
    one = Access("T2")
    if state == access.ALWAYS:
        one.sent(0, 1000, UNLIMITED)
    if state in (access.WINDOW, access.ANSWER, access.CYCLE, access.CYCLE_WINDOW):
        one.sent(0, 1000, LIMITED)
    if state in (access.ANSWER, access.CYCLE, access.CYCLE_WINDOW):
        one.received(5000)
    if state == access.CYCLE:
        one.missed(8000)
    if state == access.CYCLE_WINDOW:
        one.sent(8000, 9000, LIMITED)
    assert one.state == state
    return one


def apply(one, event):
    """The public way to that event; None if there is none in this state."""
    calls = {
        access.SENT: lambda: one.sent(20000, 21000, LIMITED),
        access.SENT_ALWAYS: lambda: one.sent(20000, 21000, UNLIMITED),
        access.SENT_CLOSED: lambda: one.sent(20000, 21000, NOT_NOW),
        access.RECEIVED: lambda: one.received(20000),
        access.NOTED: lambda: one.received(20000, answered=False),
        access.MISSED: lambda: one.missed(20000),
        access.ENDED: one.ended,
        access.CLOSED: lambda: one.tick(one.window[1]),
        access.REPEAT: lambda: one.tick(one.repeat_us),
        access.OVER: lambda: one.tick(one.over_us),
    }
    calls[event]()


def test_every_row_of_the_table_is_reached():
    for (state, event), following in access.TABLE.items():
        one = in_state(state)
        if (state, event) == (access.CYCLE_WINDOW, access.OVER):
            one.window = (0, one.over_us + 1)  # as behind a repetition just before the end
        apply(one, event)
        assert one.state == following, (state, event)


def test_what_is_not_in_the_table_is_misuse_and_changes_nothing():
    spoken = (
        access.SENT,
        access.SENT_ALWAYS,
        access.SENT_CLOSED,
        access.RECEIVED,
        access.NOTED,
        access.MISSED,
        access.ENDED,
    )
    tried = 0
    for state in (
        access.REST,
        access.ALWAYS,
        access.WINDOW,
        access.ANSWER,
        access.CYCLE,
        access.CYCLE_WINDOW,
    ):
        for event in spoken:
            if (state, event) in access.TABLE:
                continue
            one = in_state(state)
            before = dict(one.__dict__)
            with pytest.raises(MisuseError):
                apply(one, event)
            assert one.__dict__ == before
            tried += 1
    assert tried >= 6


def test_the_window_of_mode_t_is_open_from_2_to_3_ms():
    one = Access("T2")
    one.sent(0, 10000, LIMITED)
    assert one.window[0] < 10000 + 2000 - 80 and one.window[1] > 10000 + 3000 + 1465
    assert one.due_us == one.window[1]
    # a sync word ends 1.46 ms behind the first chip
    assert not one.hears(10000 + 1500)
    assert one.hears(10000 + 2000 + 1465)
    assert one.hears(10000 + 3000 + 1465)
    assert not one.hears(10000 + 4000 + 1465)


def test_fast_and_slow_response_in_mode_c():
    fast, slow = Access("C2"), Access("C2")
    fast.sent(0, 10000, LIMITED | FAST)
    slow.sent(0, 10000, LIMITED)
    assert fast.window[0] < 109500 < 110500 + 1280 < fast.window[1] < 120000
    assert slow.window[0] < 1009500 < 1010500 + 1280 < slow.window[1] < 1020000


@pytest.mark.parametrize("cc, heard", [(UNIDIRECTIONAL, False), (NOT_NOW, False), (UNLIMITED, True)])
def test_bits_b_and_a(cc, heard):
    one = Access("C2")
    one.sent(0, 10000, cc)
    assert one.hears(5000000) is heard
    assert one.due_us is None


def test_command_then_read_with_repetitions_and_the_end_by_nke():
    """Ladder 9.2: command, ACK, its repetition, request, RSP-UD, its repetition, SND-NKE."""
    one = Access("T2", period_us=3000000)
    one.sent(0, 10000, LIMITED)
    one.received(30000)
    one.sent(32500, 40000, LIMITED)
    assert one.tick(one.due_us) == access.CLOSED and one.state == access.CYCLE
    assert one.due_us == 32500 + 3000000
    assert one.tick(one.due_us) == access.REPEAT
    one.sent(3032500, 3040000, LIMITED)
    one.received(3060000)
    one.sent(3062500, 3080000, LIMITED)
    assert one.over_us == 3060000 + 30000000
    one.tick(one.due_us)
    one.tick(one.due_us)
    one.sent(6062500, 6080000, LIMITED)
    one.ended()
    assert one.state == access.REST and one.due_us is None


def test_a_cycle_ends_by_itself():
    """Ladder 9.8: repetitions every t_TxD until t_TO behind the last valid reception."""
    one = Access("C2", period_us=2000000)
    one.sent(0, 10000, LIMITED)
    one.received(1050000)
    one.sent(2050000, 2060000, LIMITED)
    repeats, now_us = 0, 0
    while one.state != access.REST:
        now_us = one.due_us
        if one.tick(now_us) == access.REPEAT:
            repeats += 1
            one.sent(now_us, now_us + 10000, LIMITED)
    assert now_us == 1050000 + 30000000
    assert repeats == 14  # link sheet 8.3: about 12 to 15 with N = 2


def test_a_synchronous_frame_in_a_cycle_is_not_repeated():
    one = in_state(access.CYCLE)
    repeat_us = one.repeat_us
    one.sent(500000, 510000, LIMITED, repeated=False)
    assert one.state == access.CYCLE_WINDOW and one.repeat_us == repeat_us


@pytest.mark.parametrize("answered", [True, False])
def test_a_cycle_that_begins_behind_the_end_of_its_window(answered):
    """The sync word was in the window, the frame ends behind it: the cycle repeats what was sent before the window."""
    one = access.Access("T2")
    one.sent(1000000, 1010000, 0x80)
    closes_us = one.window[1]
    assert one.tick(closes_us) == access.CLOSED
    assert one.due_us is None
    one.received(closes_us + 10000, answered)
    if answered:
        one.missed(closes_us + 12000)
    else:
        assert one.repeat_us == 1000000 + 2000000
    assert one.state == access.CYCLE and one.due_us == one.repeat_us
