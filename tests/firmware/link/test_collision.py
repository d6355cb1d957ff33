"""Annex I, against its own figures: oms-requirements sheet section 7."""

import itertools

import pytest
from omsnode.firmware.link.collision import FAILED, PASS, SEND, Collision


def walk(draws):
    """What is done with each opportunity until all tries are over; draws: T of the tries 3, 4, ..."""
    bits = {3 + i: drawn - 1 for i, drawn in enumerate(draws)}
    one = Collision()
    done = []
    while (step := one.opportunity(bits.get(one.tries + 1, 0))) != FAILED:
        done.append(step)
    return done


def test_tries_one_and_two_take_the_first_opportunity():
    assert walk([2] * 9)[:2] == [SEND, SEND]


@pytest.mark.parametrize("draws", [[1] * 9, [2] * 9, [1, 2] * 4 + [1]])
def test_eleven_tries_in_twenty_opportunities(draws):
    done = walk(draws)
    assert done.count(SEND) == 11
    # 1 + 1 + 9 * 2: a try with T = 1 leaves its second opportunity.
    assert len(done) == 20
    assert done[2:] == list(
        itertools.chain(*[[SEND, PASS] if drawn == 1 else [PASS, SEND] for drawn in draws])
    )


def test_only_the_lowest_bit_counts():
    one = Collision()
    assert [one.opportunity(0xFE) for _ in range(2)] == [SEND, SEND]
    assert [one.opportunity(0xFE) for _ in range(2)] == [SEND, PASS]
    assert [one.opportunity(0xFF) for _ in range(2)] == [SEND, PASS]  # drawn by the 0xFE before
    assert [one.opportunity(0xFF) for _ in range(2)] == [PASS, SEND]


def test_delivered_begins_anew():
    one = Collision()
    for _ in range(20):
        one.opportunity(1)
    assert one.opportunity(1) == FAILED
    one.delivered()
    assert [one.opportunity(1) for _ in range(4)] == [SEND, SEND, PASS, SEND]


def test_two_gateways_need_more_than_the_tries_in_0_2_percent():
    """I.5: all tries collide only if both have drawn the same nine times; each draw makes another schedule."""
    schedules = {tuple(walk(draws)) for draws in itertools.product((1, 2), repeat=9)}
    assert 1 / len(schedules) == pytest.approx(0.002, abs=0.0001)
