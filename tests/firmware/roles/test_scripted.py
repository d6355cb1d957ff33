"""The scripted meter: every fault, when it happens and how often, and that all else stays as it was."""

import pytest
from omsnode.firmware.application import sitp_blocks
from omsnode.firmware.errors import MacError, WrongKeyError
from omsnode.firmware.link import interval_us
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.roles import scripted_faults as faults
from omsnode.firmware.roles import scripted_telegram as change
from omsnode.firmware.roles.key_holder import KeyHolder
from omsnode.firmware.security.keys import Key
from support_commands import MASTER, METER, STORAGE, Answer, Breaker, command, request
from support_script import SECOND, answering, rule, sending, windowed

SLOTS = 400 * SECOND  # six slots of about a minute
# Which keys are active (SITP function 08)
LIST = sitp_blocks.build(
    [sitp_blocks.Block(0, sitp_blocks.ACTIVE_KEYS, 0, sitp_blocks.EMPTY, 0xFF, 0xFF, b"")]
)


def told(air):
    return [(one.number, one.fault, one.frame) for one in air.happened]


def slots(first_us, number, n, nominal_us=60 * SECOND):
    """Instants of n slots, the first with this access number (link sheet 8.5)."""
    out = [first_us]
    while len(out) < n:
        out.append(out[-1] + interval_us(nominal_us, number))
        number = number + 1 & 0xFF
    return out


def read(air, *numbers):
    """Requests with these access numbers, 2 s apart; the answers."""
    before = len(air.sent)
    for number in numbers:
        air.tell(request(number), air.now_us + 2 * SECOND)
    air.run(air.now_us + 2 * SECOND)
    return air.sent[before:]


def test_without_rules_it_is_the_meter():
    plain = sending()
    plain.run(SLOTS)
    assert [at for at, *_ in plain.sent] == slots(10 * SECOND, 10, 7)
    assert [raw[11] for raw in plain.telegrams] == list(range(10, 17))
    assert plain.role.counters == {"sent": 7, "scripted": 0}
    assert plain.happened == [] and plain.role.unused() == []
    stop = plain.role.stop()
    assert stop[0].state["access_number"] == 16


# --- transmissions ---


def test_late_and_early():
    air = sending(rule("late", nth=2, by_us=2500), rule("early", nth=4, by_us=1000))
    air.run(SLOTS)
    expected = slots(10 * SECOND, 10, 7)
    expected[1] += 2500
    expected[3] -= 1000
    assert [at for at, *_ in air.sent] == expected
    assert told(air) == [(1, "late", "SND-NR"), (2, "early", "SND-NR")]


def test_a_window_moves_as_a_whole():
    action = faults.Sending(b"", 1000, 2000)
    assert faults.FAULTS["late"][1](action, None, {"by_us": 500})
    assert (action.at_us, action.until_us) == (1500, 2500)


def test_dropped_slots_do_not_move_the_others():
    air = sending(rule("drop", nth=2, times=2))
    air.run(SLOTS)
    assert [raw[11] for raw in air.telegrams] == [10, 13, 14, 15, 16]
    assert [at for at, *_ in air.sent] == [slots(10 * SECOND, 10, 7)[n] for n in (0, 3, 4, 5, 6)]
    assert air.role.counters["sent"] == 7  # the meter believes it


def test_double():
    air = sending(rule("double", nth=2, after_us=30000))
    air.run(SLOTS)
    assert air.telegrams[1] == air.telegrams[2]
    end_us = air.sent[1][0] + len(air.sent[1][2].chips) * 8 * 10
    assert end_us + 30000 <= air.sent[2][0] <= end_us + 32000
    assert len(air.sent) == 8 and air.role.counters["sent"] == 7


@pytest.mark.parametrize("block", [1, 2, 9])
def test_wrong_crc(block):
    air = sending(rule("wrong CRC", nth=2, block=block))
    good = sending()
    air.run(SLOTS)
    good.run(SLOTS)
    assert air.telegrams[1] is None and None not in air.telegrams[:1] + air.telegrams[2:]
    wrong, right = air.sent[1][2], good.sent[1][2]
    assert wrong.telegram == right.telegram and wrong.chips != right.chips
    assert len(wrong.chips) == len(right.chips)


def test_wrong_chip():
    air = sending(rule("wrong chip", nth=1, chip=5))
    good = sending()
    air.run(11 * SECOND)
    good.run(11 * SECOND)
    wrong, right = air.sent[0][2].chips, good.sent[0][2].chips
    assert [place for place in range(len(right)) if wrong[place] != right[place]] == [(38 + 10 + 5) // 8]
    assert air.telegrams == [None]


def test_wrong_address():
    air = answering(rule("wrong address", "answer", by=3))
    (at_us, telegram, _), (_, again, _) = read(air, 1, 2)
    assert link_telegram.parse(telegram).address.ident == "12345681"
    assert link_telegram.parse(again).address.ident == "12345678"


def test_wrong_access_numbers():
    air = answering(
        rule("wrong access number", "answer", by=7), rule("wrong message number", "answer", 2, by=5)
    )
    (_, first, _), (_, second, _), (_, third, _) = read(air, 10, 20, 30)
    assert [Answer(raw).tpl.access_number for raw in (first, second, third)] == [10, 25, 30]
    assert [link_telegram.parse(raw).ell.access_number for raw in (first, second, third)] == [17, 20, 30]
    without_ell = sending(rule("wrong access number", by=7))
    without_ell.run(100 * SECOND)
    assert [raw[11] for raw in without_ell.telegrams] == [17, 11]


def test_wrong_data():
    air = answering(rule("wrong data", "answer", data="0C1300000000"))
    (_, telegram, _), (_, again, _) = read(air, 1, 2)
    assert Answer(telegram).data[:6] == bytes.fromhex("0C1300000000")
    assert Answer(again).data[:2] == bytes.fromhex("0413")


def test_nack():
    air = answering(rule("NACK", "answer"))
    (_, telegram, _), (_, again, _) = read(air, 1, 2)
    assert (telegram[1], len(telegram)) == (0x01, 13)
    assert again[1] == 0x08


def test_application_error():
    """The ACK announces it, the RSP-UD says it, and then it is over (oms-requirements sheet 14.4)."""
    air = answering(rule("application error", "command", 1, times=2, code=0x15))
    air.tell(command(LIST, 5, number=1, c_field=0x53), SECOND)
    read(air, 2, 3)
    first, second, third = [Answer(raw) for raw in air.telegrams]
    assert first.telegram[1] == 0x00
    assert first.tpl.status & 3 == 2
    assert (second.tpl.ci, second.tpl.status & 3, second.data) == (0x6E, 2, b"\x15")
    assert third.tpl.ci == 0xC4 and third.opened.authenticated


def test_busy_for_a_while_and_for_ever():
    air = answering(rule("busy", "answer", times=None, for_s=5))
    answers = read(air, 1, 2, 3, 4)
    # The fourth is asked for 6 s behind the first answer.
    assert [Answer(raw).tpl.status & 3 for _, raw, _ in answers] == [1, 1, 1, 0]
    assert all(Answer(raw).opened.authenticated for _, raw, _ in answers)
    for_ever = answering(rule("busy", "answer", times=None))
    answers = read(for_ever, *range(1, 9))
    assert [Answer(raw).tpl.status & 3 for _, raw, _ in answers] == [1] * 8


@pytest.mark.parametrize("security_mode", [7, 10])
def test_wrong_mac_wrong_key_and_old_counter(security_mode):
    air = answering(
        rule("wrong MAC", "answer", 1),
        rule("wrong key", "answer", 2),
        rule("old message counter", "answer", 3, by=2),
        security_mode=security_mode,
    )
    answers = [raw for _, raw, _ in read(air, 1, 2, 3, 4)]
    with pytest.raises(MacError):
        Answer(answers[0])
    with pytest.raises(MacError):
        Answer(answers[1])
    assert Answer(answers[1], Key(bytes(16))).opened.authenticated
    assert Answer(answers[2]).opened.counter == Answer(answers[3]).opened.counter - 3
    assert len(air.happened) == 3


def test_what_has_no_mac_is_left_as_it_is():
    """The rule waits for a frame that can have the fault."""
    air = answering(rule("wrong MAC", "answer", 1))
    air.tell(command(LIST, 5, number=1, c_field=0x53), SECOND)
    read(air, 2)
    assert told(air) == [(1, "wrong MAC", "RSP-UD")]
    assert air.telegrams[0][1] == 0x00


def test_control_bits_and_accessibility():
    air = answering(
        rule("control bits", "answer", bits="ACD DFC"),
        rule("accessibility", "telegram", says="closed"),
    )
    ((_, answer, _),) = read(air, 1)
    assert answer[1] == 0x38
    air.run(SLOTS)
    assert [raw[11] & 0x84 for raw in air.telegrams[1:3]] == [0x04, 0x84]


# --- what is counted ---


def test_kind_and_times():
    air = answering(rule("drop", "answer", 2, kind="RSP-UD", times=2))
    air.tell(command(LIST, 5, number=1, c_field=0x53), SECOND)
    read(air, 2, 3, 4, 5)
    assert [raw[1] for raw in air.telegrams] == [0x00, 0x08, 0x08]
    assert [raw[12] for raw in air.telegrams] == [1, 2, 5]


def test_behind_a_command_only_some_answers():
    air = answering(rule("drop", "command", 2, kind="REQ-UD2", hits=("RSP-UD",)))
    air.tell(command(LIST, 5, number=1, c_field=0x53), SECOND)
    read(air, 2, 3, 4)
    assert [raw[12] for raw in air.telegrams] == [1, 2, 4]


def test_after_some_time():
    air = sending(rule("drop", "after", 60 * SECOND, times=None, for_s=140))
    air.run(SLOTS)
    # Slots at 10, 71, 133, 194, ... s
    assert [raw[11] for raw in air.telegrams] == [10, 14, 15, 16]


def test_from_the_start_and_for_ever():
    air = sending(rule("drop", nth=0, times=None))
    air.run(SLOTS)
    assert air.sent == [] and air.role.counters == {"sent": 7, "scripted": 7}


def test_rules_that_never_happened():
    air = sending(rule("drop", nth=2), rule("drop", nth=99), rule("busy", "answer"))
    air.run(SLOTS)
    assert air.role.unused() == [2, 3]


def test_two_faults_of_one_transmission():
    air = sending(rule("late", by_us=700), rule("wrong access number", by=1))
    air.run(11 * SECOND)
    assert (air.sent[0][0], air.sent[0][1][11]) == (10 * SECOND + 700, 11)


def test_a_late_transmission_delays_the_next():
    """It is never armed over one that is under way."""
    air = answering(rule("late", "answer", by_us=50 * SECOND))
    read(air, 1)
    air.run(SLOTS)
    assert [raw[1] for raw in air.telegrams[:2]] == [0x08, 0x44]
    assert air.sent[0][0] > 50 * SECOND  # behind the slot at 40 s
    assert air.role.counters["skipped"] == 1


# --- what is heard ---


def test_deaf():
    air = answering(rule("deaf", "command", 2, times=2))
    read(air, 1, 2, 3, 4)
    assert [raw[12] for raw in air.telegrams] == [1, 4]
    assert told(air) == [(1, "deaf", "REQ-UD2")] * 2


def test_deaf_soon_behind_a_transmission():
    """As one whose window closes too early."""
    air = answering(rule("deaf", "command", 1, times=None, after_us=500000))
    air.tell(request(1), SECOND)  # nothing was sent before it
    air.run(2200000)
    assert [raw[12] for raw in air.telegrams] == [1]
    air.tell(request(2), air.role.sent_us + 400000)
    air.run(air.now_us + 1500000)
    assert [raw[12] for raw in air.telegrams] == [1, 2]
    air.tell(request(3), air.role.sent_us + 600000)
    air.run(air.now_us + 2 * SECOND)
    assert [raw[12] for raw in air.telegrams] == [1, 2]


def test_heed_fcb():
    """A meter that takes the same FCB for a repetition (link sheet 6: it must not)."""
    air = answering(rule("heed FCB", "command", 1, times=None))
    first = request(1, 0x7B)
    same_fcb = request(2, 0x7B)
    toggled = request(3, 0x5B)
    for frame in (first, same_fcb, toggled):
        air.tell(frame, air.now_us + 2 * SECOND)
    air.run(air.now_us + 2 * SECOND)
    assert [raw[12] for raw in air.telegrams] == [1, 1, 3]
    assert air.telegrams[0] == air.telegrams[1]


# --- the meter itself ---


@pytest.mark.parametrize("by", [1000, -3])
def test_message_counter_jumps(by):
    air = answering(rule("message counter jump", "command", 3, by=by))
    counters = [Answer(raw).opened.counter for _, raw, _ in read(air, 1, 2, 3)]
    assert counters == [1, 2, max(0, 2 + by) + 1]


def test_access_number_jumps():
    air = sending(rule("access number jump", nth=2, by=-1))
    air.run(300 * SECOND)
    assert [raw[11] for raw in air.telegrams] == [10, 11, 11, 12, 13]


def test_forgotten_key():
    air = answering(rule("forget key", "command", 2, for_s=3))
    answers = [raw for _, raw, _ in read(air, 1, 2, 3, 4)]
    assert Answer(answers[0]).opened.authenticated
    for raw in answers[1:3]:
        with pytest.raises(MacError):
            Answer(raw)
        assert Answer(raw, Key(bytes(16))).opened.authenticated
    assert Answer(answers[3]).opened.authenticated
    one_way = sending(rule("forget key", nth=1))
    one_way.run(100 * SECOND)
    one_way.role.meter.profile.key = MASTER
    assert change.sealed(one_way.telegrams[0], one_way.role.meter) is not None
    with pytest.raises(WrongKeyError):
        change.sealed(one_way.telegrams[1], one_way.role.meter)


def test_power_cut():
    """What was stored goes on, behind the numbers that the store covers; what was not begins again."""
    air = answering(rule("restart", "answer", 1, off_s=30))
    (_, first, _), *_ = read(air, 1)
    read(air, 2, 3)
    assert air.telegrams == [first]  # off
    air.run(air.now_us + 30 * SECOND)
    (_, again, _), *_ = read(air, 4)
    assert Answer(again).opened.counter > Answer(first).opened.counter
    forgetful = answering(rule("restart", "answer", 1, keeps="nothing"))
    (_, first, _), (_, again, _) = read(forgetful, 1, 2)
    assert Answer(first).opened.counter == Answer(again).opened.counter
    assert forgetful.role.counters["sent"] == 2


def test_clock():
    from omsnode.firmware.application import dates
    from omsnode.firmware.roles.meter import CLOCK, Meter, Profile, Register
    from omsnode.firmware.roles.scripted import Scripted
    from support_commands import METER
    from support_script import Air

    wall_us = 1767225600 * SECOND  # 2026-01-01

    def make(state):
        row = Profile(METER, [Register(b"\x04", b"\x6d", CLOCK)], nominal_us=60 * SECOND)
        return Meter(row, bytes((9,)) + (10 * SECOND - 300000).to_bytes(4, "big"), state)

    air = Air(Scripted(make, [rule("clock", nth=1, by_s=7200, for_s=90)]))
    air.run(200 * SECOND, wall_us)
    times = [raw[-4:] for raw in air.telegrams]
    passed = [at_us // SECOND for at_us, *_ in air.sent]
    expected = [passed[0], passed[1] + 7200, passed[2], passed[3]]
    assert times == [dates.from_unix(4, wall_us // SECOND + s) for s in expected]


def test_drift():
    """+1000 ppm: what the meter takes for 1000 s are 999.001 s."""
    air = sending(rule("drift", nth=1, ppm=1000))
    air.run(SLOTS)
    true = slots(10 * SECOND, 10, 6)
    for (at_us, *_), slot in zip(air.sent, true, strict=False):
        assert abs(at_us - (10 * SECOND + (slot - 10 * SECOND) * 1000 // 1001)) < 100, slot


def test_moved_slots():
    air = sending(rule("move slots", nth=2, by_ms=1500))
    air.run(300 * SECOND)
    true = slots(10 * SECOND, 10, 5)
    assert [at for at, *_ in air.sent] == true[:2] + [at + 1500000 for at in true[2:]]


def test_another_interval():
    air = sending(rule("interval", nth=2, seconds=90))
    air.run(SLOTS)
    gaps = [b[0] - a[0] for a, b in zip(air.sent, air.sent[1:], strict=False)]
    # The gap behind the second was fixed when that was made.
    expected = [interval_us(60 * SECOND, n) for n in (10, 11)] + [
        interval_us(90 * SECOND, n) for n in (12, 13)
    ]
    assert gaps[:4] == expected


def stored(air):
    return (air.states() + [action.state for action in air.role.stop()])[-1]


def test_what_is_stored_is_not_spoilt():
    """Behind the scenario the meter is itself: its keys, and no counter that was used before."""
    back = answering(rule("message counter jump", "answer", 3, by=-2))
    read(back, 1, 2, 3, 4)
    assert stored(back)["message_counter"] > 3
    forgetful = answering(rule("restart", "answer", 3, keeps="nothing"))
    read(forgetful, 1, 2, 3, 4)
    assert forgetful.role.meter.message_counter.value == 1
    assert stored(forgetful)["message_counter"] > 3
    other = answering(rule("forget key", "answer", 1))
    read(other, 1, 2)
    again = KeyHolder({}, STORAGE, stored(other)["keys"])
    assert again.key(0) == MASTER and other.role.meter.keys.key(0) != MASTER


# --- a meter with windows ---


def test_left_cycle():
    """Behind the first answer there is no repetition and no window, until the next slot."""
    air = windowed(rule("leave cycle", "answer", 1))
    air.run(10 * SECOND + 5000)
    air.tell_in_window(request(1))
    air.run(60 * SECOND)
    assert [raw[1] for raw in air.telegrams] == [0x44, 0x08]
    plain = windowed()
    plain.run(10 * SECOND + 5000)
    plain.tell_in_window(request(1))
    plain.run(60 * SECOND)
    # t_TxD 2 s, t_TO 30 s (link sheet 8.3)
    assert 13 <= [raw[1] for raw in plain.telegrams].count(0x08) <= 15


def test_endless_cycle():
    nke = request(9, 0x40)
    air = windowed(rule("stay in cycle", "command", 1, for_s=120))
    air.run(10 * SECOND + 5000)
    air.tell_in_window(request(1))
    air.run(20 * SECOND)
    air.tell_in_window(nke)
    air.run(60 * SECOND)
    repeats = [at for at, raw, _ in air.sent if raw and raw[1] == 0x08]
    assert len(repeats) > 20
    air.run(300 * SECOND)
    last = [at for at, raw, _ in air.sent if raw and raw[1] == 0x08][-1]
    assert 129 * SECOND < last < 134 * SECOND
    ended = windowed()
    ended.run(10 * SECOND + 5000)
    ended.tell_in_window(request(1))
    ended.run(20 * SECOND)
    ended.tell_in_window(nke)
    before = len(ended.sent)
    ended.run(60 * SECOND)
    assert len(ended.sent) == before


def test_a_dropped_answer_is_repeated_by_the_cycle():
    air = windowed(rule("drop", "answer", 1))
    air.run(10 * SECOND + 5000)
    air.tell_in_window(request(1))
    air.run(15 * SECOND)
    first, again = [at for at, raw, _ in air.sent[:2]]
    assert air.telegrams[1][1] == 0x08
    # SND-NR, 1 s, request, 1 s: the answer that nobody hears; 2 s later it comes again.
    assert 3900000 < again - first < 4200000


def test_the_armed_answer_of_mode_t2_passes_too():
    """A request that comes again is answered out of the armed radio, and that answer can be dropped or changed."""
    for fault, values, expected in (("wrong access number", {"by": 1}, [1, 2]), ("drop", {}, [1])):
        air = windowed(rule(fault, "answer", 2, **values), mode="T2")
        air.run(10 * SECOND + 5000)
        air.tell_in_window(request(1))
        air.tell_in_window(request(1))
        air.run(air.now_us + 300000)
        assert [raw[12] for raw in air.telegrams if raw[1] == 0x08] == expected


def test_deaf_to_the_end_of_a_session():
    air = windowed(rule("deaf", "command", 1, kind="SND-NKE"))
    air.run(10 * SECOND + 5000)
    air.tell_in_window(request(1))
    air.run(13 * SECOND)
    air.tell_in_window(request(2, 0x40))
    air.run(18 * SECOND)
    assert [raw[1] for raw in air.telegrams].count(0x08) >= 3
    assert told(air) == [(1, "deaf", "SND-NKE")]


def test_alarm_and_button():
    class Alarmed(Breaker):
        bits = 0

        def raise_alarm(self, bits):
            self.bits |= bits

        def alarm(self):
            return ((0x74, 0x75), bytes((self.bits,))) if self.bits else None

    air = windowed(rule("alarm", "after", 20 * SECOND, bits=4), device=Alarmed())
    air.run(40 * SECOND)
    assert [raw[1] for raw in air.telegrams] == [0x44, 0x48]
    assert 20 * SECOND < air.sent[1][0] < 21 * SECOND
    button = windowed(rule("installation", "telegram", 1))
    button.run(75 * SECOND)
    kinds = [raw[1] for raw in button.telegrams]
    assert kinds.count(0x46) >= 1 and kinds[0] == 0x44
    assert button.sent[1][0] - button.sent[0][0] < 60 * SECOND  # link sheet 8.7


def test_ack_instead_of_a_response():
    air = answering(rule("ACK instead", "answer"))
    (_, telegram, _), (_, again, _) = read(air, 1, 2)
    assert telegram.hex().upper() == "1100" + METER.link_bytes().hex().upper() + "8C84018A01000000"
    assert again[1] == 0x08


def test_accessibility_without_ell():
    air = sending(rule("accessibility", says="always"))
    air.run(100 * SECOND)
    # Configuration field, high byte: B, A and S, mode 5 (security sheet 4.1)
    assert [raw[14] for raw in air.telegrams] == [0xE5, 0x25]


def test_every_fault_has_a_test():
    """Whoever adds one writes what it does."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    missing = [name for name in faults.FAULTS if 'rule("{}"'.format(name) not in text]
    assert missing == []


def test_the_same_again():
    """Nothing is drawn: two runs are one."""

    def run():
        air = answering(
            rule("drop", "answer", 2),
            rule("drift", "command", 1, ppm=-50),
            rule("busy", "answer", 3, for_s=9),
        )
        read(air, 1, 2, 3, 4)
        air.run(SLOTS)
        return [(at, raw) for at, raw, _ in air.sent], air.happened

    assert run() == run()
