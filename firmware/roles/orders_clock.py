"""Orders about the meter's clock (OMS Vol.2 Annex M UC-04; sheets oms-requirements 14.9, en13757-3-application 8.2)."""

from ..application import commands
from .orders import Exchange, Order, plain_record
from .orders_data import DATA_CI

_POINT = b"\x04", b"\x6d"  # DT1!


class ClockRead(Order):
    """clock-read. Result: time (ISO text of the meter's own time), flag, and ours_ms (UTC) when it came."""

    def _exchange(self, wall_us):
        return Exchange("SND-UD2", DATA_CI, commands.build(*_POINT, "get"))

    def _answer(self, heard, wall_us):
        record = told_time(heard.telegram)
        if record is None:
            return self._fail("the answer holds no date and time")
        return self._done(
            {
                "time": record.text,
                "flag": record.flag,
                "ours_ms": None if wall_us is None else wall_us // 1000,
                "records": [plain_record(record)],
            }
        )


def told_time(telegram):
    """The Record of date and time DT1! in an answer, or None."""
    for one in telegram.records if telegram is not None else ():
        if one.vib == b"\x6d" and (one.storage, one.tariff, one.subunit) == (0, 0, 0) and len(one.data) > 3:
            return one
    return None
