"""What a person reads of a step of an order."""

import pytest
from omsnode.tools.cli import _orders

QUIET = {"status": 0, "alarm": None, "bits": [], "records": [], "unheard": 0}


@pytest.mark.parametrize(
    "event, text",
    [
        ({"result": QUIET}, "no alarm"),
        ({"result": dict(QUIET, alarm="04", bits=[2], unheard=1)}, "alarm: 04; bits: 2; unheard: 1"),
        ({"expected": "2026-11-22T15:00:17.000Z"}, "for the meter, about 2026-11-22T15:00:17.000Z"),
        ({"detail": "SND-UD2", "margin_us": 449}, "SND-UD2, margin 449 us"),
        ({"reason": "expired", "expires": "2026-11-22T15:00:17.000Z"}, "expired"),
        ({"result": {"status": 0}}, "ok"),
    ],
)
def test_said(event, text):
    assert _orders.said(event) == text
