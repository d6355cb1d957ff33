"""Orders about the meter's clock (OMS Vol.2 Annex M UC-04; sheets oms-requirements 14.9, en13757-3-application 8.2).

The meter's time is local, and no telegram says of which zone. To be brought to our own time (UTC) it is therefore read first: its
zone is taken to be the quarter of an hour that is nearest, unless the order names one.
"""

from ...application import clock, commands, dates, error_codes
from ...errors import MisuseError
from .data import DATA_CI
from .order import FAILED, Exchange, Order, digits, plain_record

CLOCK_CI = 0x6C

_POINT = b"\x04", b"\x6d"  # DT1!
_QUARTER_S = 900
_MOST_ZONE_S, _HALF_DAY_S = 14 * 3600, 43200
_MOST_S = 86399
# A meter that does not know TC 03 gets the difference.
_MAY_BE_DONE = (error_codes.NOT_FINISHED, error_codes.PARAMETER)  # the second time
_UNKNOWN_TC = (error_codes.NO_FUNCTION, error_codes.PARAMETER)


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
                "status": heard.status,
                "time": record.text,
                "flag": record.flag,
                "ours_ms": None if wall_us is None else wall_us // 1000,
                "records": [plain_record(record)],
            }
        )


class ClockAdjust(Order):
    """clock-adjust [SECONDS] [--zone +01:00]. Result: seconds (that it was told to move, negative: back; None: it was told the
    time of day), difference_s (meter minus us before that) and zone_s where the clock was read.

    Seconds are added once and never again: when no answer came it has failed. The time of day can be told again.
    """

    def _plan(self, known):
        words, zone_s = split_zone(self.words[1:])
        if words and zone_s is not None:
            raise MisuseError("seconds have no time zone", None, "either seconds or --zone +01:00")
        if not words:
            self.state["step"], self.state["zone_s"] = "read", zone_s
            return
        self.state["step"], self.state["seconds"] = "adjust", seconds_in(words)

    @property
    def once(self):
        return self.state["step"] == "adjust"

    @property
    def wants(self):
        return self.state["step"] == "read"

    @property
    def by_status(self):
        return self.state["step"] != "read"

    @property
    def timed(self):
        return self.state["step"] == "correct"

    def _exchange(self, wall_us):
        step = self.state["step"]
        if step == "read":
            return Exchange("SND-UD2", DATA_CI, commands.build(*_POINT, "get"))
        if step == "adjust":
            return Exchange("SND-UD", CLOCK_CI, clock.build_adjust(self.state["seconds"]))
        if wall_us is None:
            self._fail("our own time is not known")
            return None
        second = (wall_us // 1000000 + self.state["zone_s"]) % 86400
        body = clock.build_correct(second // 3600, second // 60 % 60, second % 60)
        return Exchange("SND-UD", CLOCK_CI, body)

    def _answer(self, heard, wall_us):
        if self.state["step"] == "read":
            return self._compare(told_time(heard.telegram), wall_us)
        return self._done(
            {
                "status": heard.status,
                "seconds": self.state.get("seconds"),
                "difference_s": self.state.get("difference_s"),
                "zone_s": self.state.get("zone_s"),
            }
        )

    def _compare(self, told, wall_us):
        if told is None or told.text is None or "*" in told.text:
            return self._fail("the meter does not tell its time")
        if wall_us is None:
            return self._fail("our own time is not known")
        theirs_s = seconds_of(told.text)
        ours_s = wall_us // 1000000
        exact = len(told.data) == 6
        if not exact:
            theirs_s += 30  # it tells whole minutes
        if self.state["zone_s"] is None:
            away_s = theirs_s - ours_s + _QUARTER_S // 2
            self.state["zone_s"] = away_s - away_s % _QUARTER_S
        difference_s = theirs_s - ours_s - self.state["zone_s"]
        if abs(self.state["zone_s"]) > _MOST_ZONE_S or abs(difference_s) > _HALF_DAY_S:
            return self._fail("the meter tells " + told.text + ", which no adjustment mends; clock-set does")
        self.state["difference_s"] = difference_s
        self.state["step"] = "correct"
        if exact and not difference_s:
            return self._done({"status": 0, "seconds": 0, "difference_s": 0, "zone_s": self.state["zone_s"]})
        return self.outcome

    def _error(self, code, wall_us):
        if self.state["step"] == "correct":
            difference_s = self.state["difference_s"]
            if code in _MAY_BE_DONE and self.state.get("told"):
                return self._fail(
                    "it was told before, and no answer heard; the meter may be adjusting its clock"
                )
            if code in _UNKNOWN_TC and difference_s:
                self.state["step"] = "adjust"
                self.state["seconds"] = -max(-clock.LIMIT_S, min(clock.LIMIT_S, difference_s))
                return self.outcome
        if self._refused(code) == FAILED and code == error_codes.PARAMETER and self.state.get("seconds"):
            self.reason += "; a meter takes up to 60 s within 12 h"
        return self.outcome

    def _silence(self, wall_us):
        if self.state["step"] == "correct":
            self.state["told"] = True
        return Order._silence(self, wall_us)


def seconds_in(words):
    """The seconds of a clock-adjust."""
    word = words[0] if len(words) == 1 else ""
    number = word[1:] if word[:1] in ("+", "-") else word
    seconds = int(number) if digits(number) and len(number) < 10 else 0
    seconds = -seconds if word[:1] == "-" else seconds
    if not 0 < abs(seconds) <= _MOST_S:
        raise MisuseError("clock-adjust takes seconds", None, "for instance +5 or -30; meters take up to 60")
    return seconds


def told_time(telegram):
    """The Record of date and time DT1! in an answer, or None."""
    for one in telegram.records if telegram is not None else ():
        if one.function != "instantaneous":
            continue
        if one.vib == b"\x6d" and (one.storage, one.tariff, one.subunit) == (0, 0, 0) and len(one.data) > 3:
            return one
    return None


def seconds_of(text):
    """Seconds since 1970 of ISO text to the minute or second, as a Record has it."""
    day, _, time = text.partition("T")
    year, month, date = [int(part) for part in day.split("-")]
    numbers = [int(part) for part in time[:8].split(":")] + [0]
    days = dates.to_days(year, month, date) - dates.to_days(1970, 1, 1)
    return days * 86400 + numbers[0] * 3600 + numbers[1] * 60 + numbers[2]


def split_zone(words):
    """(the other words, seconds ahead of UTC or None) of words with --zone +HH:MM."""
    if "--zone" not in words:
        return words, None
    at = words.index("--zone")
    zone = words[at + 1] if len(words) > at + 1 else ""
    hours, _, minutes = zone[1:].partition(":")
    minutes = minutes or "0"
    good = zone[:1] in ("+", "-") and digits(hours) and digits(minutes) and len(zone) < 8
    if not good or int(hours) > 14 or int(minutes) > 59:
        raise MisuseError("no time zone: " + zone, None, "for instance --zone +01:00")
    ahead_s = int(hours) * 3600 + int(minutes) * 60
    return words[:at] + words[at + 2 :], -ahead_s if zone[0] == "-" else ahead_s
