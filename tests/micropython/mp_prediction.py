"""Prediction of synchronous telegrams on either interpreter. Intervals: link sheet 8.5, printed for t_NOM = 900 s."""

from checking import raises
from omsnode.firmware.errors import MisuseError
from omsnode.firmware.link.prediction import Prediction, listening

S = 1000000
# Access number and the interval behind it, in us.
PRINTED = ((127, 872314453), (128, 871875000), (129, 872314453), (130, 872753906))


def fed():
    prediction = Prediction()
    at_us = 3000000000000  # 35 days: beyond the small integers of either word size
    for number, interval_us in PRINTED:
        fits = prediction.feed(at_us, number, True)
        assert fits == (number > 128)
        at_us += interval_us
    return prediction, at_us


def test_learns():
    prediction, at_us = fed()
    told_us, number, doubt_us = prediction.next(at_us - 100 * S)
    assert abs(told_us - at_us) < 10 and number == 131 and 0 < doubt_us < 10000
    assert prediction.nominal_us == 900 * S and abs(prediction.drift_ppb) < 10
    assert prediction.later(1) == (told_us, number, doubt_us)
    assert not prediction.feed(at_us - 5 * S, 130, False)
    assert not prediction.feed(at_us, 131, True, 1)
    assert prediction.feed(at_us, 131, True)


def test_plan():
    prediction, at_us = fed()
    ((begin_us, end_us),) = listening([prediction, prediction], at_us - 5 * S, at_us + 5 * S)
    assert begin_us < at_us - 2000 and at_us + 500 < end_us < at_us + 20000
    assert listening([Prediction()], 1, 2) == [(1, 2)]


def test_state():
    prediction, at_us = fed()
    other = Prediction()
    other.restore(prediction.export(7), 7)
    assert abs(other.next(at_us - S)[0] - at_us) < 10
    raises(MisuseError, other.restore, {"slope": [0, 1]})


for f in (test_learns, test_plan, test_state):
    f()
print("ok")
