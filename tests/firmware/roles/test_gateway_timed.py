"""Commands that tell the time: what they tell is the time at which the meter has them (oms-requirements sheet 14.9), and none is
left behind for want of it."""

import pytest
from omsnode.firmware.link import extended, interval_us
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.roles.orders import Exchange
from omsnode.firmware.roles.partner import Partner
from support_window import METER, READ, Meter, Order, S, Stage

WALL_US = 1767225600 * S


class Timed(Order):
    """Tells the time in clear, in milliseconds."""

    timed = True

    def exchange(self, wall_us):
        self.log.append("exchange")
        return Exchange("SND-UD", 0x6C, (wall_us // 1000).to_bytes(8, "little"))


def told_us(telegram):
    return int.from_bytes(telegram[-8:], "little") * 1000 - WALL_US


def stage(mode):
    found = Stage(mode, [Partner(METER, None)], wall_us=WALL_US)
    meter = Meter(mode=0)
    found.hear(meter.nr())
    return found, meter


def queue(found, order):
    order.number = found.role.queue(METER, order, found.now_us)
    found.run(found.now_us)
    return order


def in_cycle(mode, before=READ):
    """The meter is in its cycle, and the answer that it repeats."""
    found, meter = stage(mode)
    asked = found.hear(meter.nr())
    assert asked == []
    queue(found, Order(before))
    timed = queue(found, Timed(READ, wants=False, words=("clock-set",)))
    asked = found.hear(meter.nr())
    while not asked:
        asked = found.hear(meter.nr())
    return found, meter, timed, meter.rsp(asked[0])


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_a_first_transmission_without_an_answer_is_followed_by_another(mode):
    found, meter, timed, answer = in_cycle(mode)
    sent = []
    while not sent:
        sent += found.hear(answer, found.now_us + 2 * S)
    assert sent[0][1] & ~0x20 == 0x53
    # Nobody answers, and the cycle is over; then the meter speaks again.
    found.run(found.now_us + 60 * S)
    count = len(sent)
    for _ in range(6):
        sent += found.hear(meter.nr(), found.now_us + interval_us(60 * S, meter.number))
        if len(sent) > count:
            break
    assert len(sent) > count
    assert "silence" in timed.log  # the first may have been executed
    assert abs(told_us(sent[-1]) - found.sent[-1].at_us) < S
    found.hear(meter.ack(sent[-1]))
    assert timed.outcome == "done"


@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_what_was_made_for_another_time_is_not_sent(mode):
    """Its window was missed, and the next one came minutes later."""
    found, meter, timed, answer = in_cycle(mode)
    found.fates = ["late"]
    assert found.hear(answer) == []
    found.run(found.now_us + 60 * S)
    found.fates = []
    at_us = found.now_us
    for _ in range(12):
        at_us += interval_us(60 * S, meter.number)
        for telegram in found.hear(meter.nr(), at_us):
            if telegram[1] & ~0x20 == 0x53:
                assert abs(told_us(telegram) - found.sent[-1].at_us) < S
                return
    raise AssertionError("never sent")


def test_a_meter_of_which_nobody_knows_when_it_speaks_ends_it():
    """No window that is too short to make it in comes when it was expected."""
    found, meter = stage("T2")
    queue(found, Timed(READ, words=("clock-set",)))
    for turn in range(60):
        telegram = link_telegram.build(0x47, METER, extended.build(0x80, meter.number))
        for sent in found.hear(telegram, found.now_us + (30 + 7 * turn) * S):
            assert abs(told_us(sent) - found.sent[-1].at_us) < 3 * S + 1
    assert found.steps()[-1] == "failed"
    assert found.role.orders() == []


@pytest.mark.parametrize("mode", ["C2", "T2"])
def test_what_was_not_taken_is_told_the_present_time(mode):
    """The meter repeats its answer to the one before: nothing is unknown."""
    found, meter, timed, answer = in_cycle(mode)
    at_us = found.now_us
    sent = []
    for repetition in range(6):
        sent += found.hear(answer, at_us + repetition * 3 * S)
    assert len(sent) >= 2 and len({told_us(one) for one in sent}) == len(sent)
    assert "silence" not in timed.log
    assert abs(told_us(sent[-1]) - found.sent[-1].at_us) < 3 * S
