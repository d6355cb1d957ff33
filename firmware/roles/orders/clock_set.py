"""The meter's clock, for the head-end: clock-set, and clock-adjust --secured (OMS Vol.2 Annex M UC-04b and c: TC 00 under KeyID 22,
TC 01 and 02 under KeyID 21)."""

from ...application import clock, dates
from ...errors import MisuseError
from .clock import seconds_in, split_zone
from .secured import Secured

_SET_KEY, _ADJUST_KEY = 0x22, 0x21
_US_PER_DAY = 86400000000


class ClockSet(Secured):
    """clock-set [ISO] [--zone +01:00]. Without a time ours, in this zone (UTC), at the moment of sending. A time that was given
    goes on from when it is first sent. Result: time, as it was set."""

    protocol = 4
    timed = True

    def _plan(self, known):
        words, zone_s = split_zone(self.words[1:])
        if len(words) > 1 or (words and zone_s is not None):
            raise MisuseError(
                "clock-set takes one time, or the zone of the present one",
                None,
                "for instance 2026-03-01T12:00:00, as the meter is to tell it; or --zone +01:00",
            )
        self.state["zone_s"] = zone_s or 0
        self.state["at_us"] = _parsed_us(words[0]) if words else None
        self._need(_SET_KEY)

    def _apdu(self, wall_us):
        at_us = self.state["at_us"]
        if wall_us is None and at_us is None:
            self._fail("our own time is not known")
            return None
        if at_us is None:
            at_us = wall_us + self.state["zone_s"] * 1000000
        elif wall_us is not None:
            lead_us = self.state.setdefault("lead_us", at_us - wall_us)
            at_us = wall_us + lead_us
        if not clock.FIRST_S <= at_us // 1000000 < clock.END_S:
            self._fail("a meter cannot tell this time: only 2000 to 2099")
            return None
        time = dates.from_unix(6, at_us // 1000000)
        self.state["time"] = at_us // 1000000
        return bytes((clock.SET,)) + time

    def _told(self, apdu, heard):
        from ...application import types

        text = types.date_i(dates.from_unix(6, self.state["time"]))[0]
        return self._done({"status": heard.status, "time": text})


class SecuredAdjust(Secured):
    """clock-adjust SECONDS --secured. Result: seconds."""

    protocol = 4
    once = True

    def _plan(self, known):
        self.state["seconds"] = seconds_in([word for word in self.words[1:] if word != "--secured"])
        self._need(_ADJUST_KEY)

    def _apdu(self, wall_us):
        return clock.build_adjust(self.state["seconds"], True)

    def _told(self, apdu, heard):
        return self._done({"status": heard.status, "seconds": self.state["seconds"]})


def _parsed_us(text):
    """Microseconds since 1970 of an ISO date and time."""
    try:
        day, time = text.split("T")
        year, month, date = [int(part) for part in day.split("-")]
        hour, minute, second = [int(part) for part in (time + ":00" * (time.count(":") < 2)).split(":")]
        dates.date_time_seconds(year, month, date, hour, minute, second)  # its range
    except (ValueError, MisuseError):
        raise MisuseError("no date and time: " + text, None, "for instance 2026-03-01T12:00:00")
    days = dates.to_days(year, month, date) - dates.to_days(1970, 1, 1)
    return days * _US_PER_DAY + (hour * 3600 + minute * 60 + second) * 1000000
