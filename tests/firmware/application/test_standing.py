"""How well a meter protected what it sent before: the memory behind "weaker protection"."""

import json

import pytest
from omsnode.firmware.application.standing import EQUAL, STRONGER, WEAKER, Standing
from omsnode.firmware.errors import StoreError


def test_levels_only_rise():
    standing = Standing()
    told = [standing.judge("m", level) for level in (0, 1, 0, 1, 2, 1, 0, 2)]
    assert told == [EQUAL, STRONGER, WEAKER, EQUAL, STRONGER, WEAKER, WEAKER, EQUAL]
    assert standing.best("m") == 2
    assert standing.judge("other", 0) == EQUAL


def test_what_anybody_can_send_takes_no_room():
    standing = Standing(most=3)
    for number in range(1000):
        standing.judge(str(number), 0)
    assert len(standing) == 0


def test_bounded_and_the_weakest_and_oldest_goes():
    standing = Standing(most=3)
    for meter, level in (("a", 2), ("b", 1), ("c", 1), ("b", 1), ("d", 1), ("e", 1)):
        standing.judge(meter, level)
    assert [standing.best(meter) for meter in "abcde"] == [2, 0, 0, 1, 1]
    for number in range(100):
        standing.judge(str(number), 1)
    assert standing.best("a") == 2 and len(standing) == 3


def test_restart():
    standing = Standing()
    standing.judge("a", 2)
    standing.judge("b", 1)
    again = Standing()
    again.restore(json.loads(json.dumps(standing.export())))
    assert (again.judge("a", 1), again.judge("b", 0), again.judge("b", 1)) == (WEAKER, WEAKER, EQUAL)


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        {},
        {"version": 9, "count": 0, "meters": []},
        {"version": 1, "count": True, "meters": []},
        {"version": 1, "count": 1, "meters": [["a"]]},
        {"version": 1, "count": 1, "meters": [["a", 3, 1]]},
        {"version": 1, "count": 1, "meters": [["a", True, 1]]},
        {"version": 1, "count": 1, "meters": [[1, 1, 1]]},
        {"version": 1, "count": 1, "meters": 7},
    ],
)
def test_damaged_state_is_named_and_changes_nothing(state):
    standing = Standing()
    standing.judge("m", 1)
    with pytest.raises(StoreError):
        standing.restore(state)
    assert standing.best("m") == 1
