"""Clock synchronisation (CI 6C, 62, 6D; EN 13757-3:2018 clause 8 and Annex E.3; OMS Vol.2 Annex M UC-04; sheets
en13757-3-application 8.2, oms-requirements 14.9).

The body is a TC byte, a time, reserved bytes and four bytes 2F that verify the command; all behind the time may be missing
and is not looked at. What a TC byte does:

00 set the clock (type I, six bytes), by the head-end only
01 02 add, subtract (type J as a span: hours, minutes, seconds): at most 60 s within 12 h
03 correct: the time of day that it is (type J); the clock moves towards it by 60 s at most
05 06 set (type M). Its bits rest on one example, so it is named and kept raw, and no meter of ours executes it.

Inferred: time and reserved bytes are nine together (six reserved behind type J in OMS Annex N.8.2, so three behind type I);
a refused gateway gets error 22h, a function that the meter does not have 11h; the 60 s are a sum over 12 h (UC-04: 60 s per
command, and each finished within 12 h); a clock cannot be set behind 2099, where type F (DT1!) ends.
"""

from collections import namedtuple

from ..errors import ApplicationError, MisuseError
from . import dates, error_codes, types

SET, ADD, SUBTRACT, CORRECT = 0, 1, 2, 3
LIMIT_S = 60
WINDOW_US = 12 * 3600 * 1000000

# A clock is pulled, not moved: so many microseconds for each second. 60 s take 10 of the 12 h that UC-04 allows.
PULL_US_PER_S = 600 * 1000000

GATEWAY, HEAD_END = 1, 2  # who may do it, as bits
_DAY_S = 86400
_MOST_US = 1 << 56  # in what is stored: no device is that old
FIRST_S, END_S = 946684800, 4102444800  # what type F can tell, as seconds since 1970: 2000 to 2099

# TC -> (name, type of the time, who may)
_FUNCTIONS = {
    SET: ("set", "I", HEAD_END),
    ADD: ("add", "J", GATEWAY | HEAD_END),
    SUBTRACT: ("subtract", "J", GATEWAY | HEAD_END),
    CORRECT: ("correct", "J", GATEWAY | HEAD_END),
    5: ("set", "M", HEAD_END),
    6: ("set", "M", HEAD_END),
}
_SIZES = {"I": 6, "J": 3}
_TAIL = 9  # bytes of time and reserved together
_VERIFICATION = b"\x2f\x2f\x2f\x2f"

# tc: TC byte. time: bytes of the time. kind: its type. text: ISO text or None. flag: why there is none, or "wildcard".
Request = namedtuple("Request", ("tc", "kind", "time", "text", "flag"))

# The meter's clock, plain numbers, so that it can be stored: device time in microseconds minus now_us before a running
# adjustment; the seconds of this adjustment, and when it began; the adjustments of the last 12 h, as pairs (now_us, seconds).
Clock = namedtuple("Clock", ("offset_us", "adjust_s", "since_us", "spent"))


def parse(body):
    """The Request of a body. Raises ApplicationError where the TC byte or the time is cut off, or the TC byte reserved."""
    if not body:
        raise ApplicationError("no TC byte", 0)
    tc = body[0]
    if tc not in _FUNCTIONS:
        raise ApplicationError("reserved TC byte", 0)
    kind = _FUNCTIONS[tc][1]
    if kind == "M":
        return Request(tc, kind, bytes(body[1:]), None, "type M")
    size = _SIZES[kind]
    time = bytes(body[1 : 1 + size])
    if len(time) < size:
        raise ApplicationError("the time is cut off", len(body))
    text, flag = types.date_i(time) if kind == "I" else types.time_j(time)
    return Request(tc, kind, time, text, flag)


def fields(body, _ci=None):
    """The fields of a body, as protocols.read gives them. Raises as `parse`."""
    request = parse(body)
    at = 1 + len(request.time)
    out = [
        (0, 1, "tc", request.tc, None),
        (1, 0, "function", _FUNCTIONS[request.tc][0], None),
    ]
    if request.kind == "M":
        if request.time:
            out.append((1, at - 1, "time", request.time.hex().upper(), None))
        return out
    out.append((1, at - 1, "time", request.text or request.flag, None))
    reserved = min(len(body), 1 + _TAIL) - at
    if reserved:
        out.append((at, reserved, "reserved", bytes(body[at : at + reserved]).hex().upper(), None))
        at += reserved
    rest = min(len(body) - at, len(_VERIFICATION))
    if rest:
        out.append((at, rest, "verification", bytes(body[at : at + rest]).hex().upper(), None))
    return out


# --- gateway and head-end: bodies ---


def _body(tc, time, bare):
    return bytes((tc,)) + time + (b"" if bare else bytes(_TAIL - len(time)) + _VERIFICATION)


def build_adjust(seconds, bare=False):
    """Body that moves the meter's clock by so many seconds (negative: back), within 24 h. TC 01 or 02.

    `bare` leaves out what stands behind the time, as within SITP. A meter refuses more than LIMIT_S (error 15h).
    """
    amount = abs(seconds)
    if amount >= _DAY_S:
        raise MisuseError("an adjustment is shorter than a day")
    time = dates.time(amount // 3600, amount // 60 % 60, amount % 60)
    return _body(SUBTRACT if seconds < 0 else ADD, time, bare)


def build_correct(hour, minute, second, bare=False):
    """Body that tells the time of day in the meter's own time; TC 03."""
    if hour is None or minute is None or second is None:
        raise MisuseError("a time that holds for every hour is no time")
    return _body(CORRECT, dates.time(hour, minute, second), bare)


def build_set(year, month, day, hour, minute, second, bare=True):
    """Body that sets date and time; TC 00. For the head-end, in SITP (CI C3)."""
    if None in (year, month, day, hour, minute, second):
        raise MisuseError("a date with wildcards is no date")
    return _body(SET, dates.date_time_seconds(year, month, day, hour, minute, second), bare)


# --- meter ---


def start(device_s, now_us):
    """The Clock of a meter whose date and time are now `device_s`, seconds since 1970 in its own time: at its first start, and
    where `now_us` began anew (after a power cut; the adjustments of the last 12 h are then forgotten)."""
    return Clock(device_s * 1000000 - now_us, 0, now_us, ())


def device_us(clock, now_us):
    """Device time in microseconds since 1970; a running adjustment is spread evenly over its time."""
    time_us = now_us + clock.offset_us
    if not pending(clock, now_us):
        return time_us + clock.adjust_s * 1000000
    gone_us = now_us - clock.since_us
    moved_us = gone_us * 1000000 // PULL_US_PER_S
    return time_us + (moved_us if clock.adjust_s > 0 else -moved_us)


def pending(clock, now_us):
    """Whether an adjustment is still being carried out."""
    return now_us - clock.since_us < abs(clock.adjust_s) * PULL_US_PER_S


def apply(request, clock, now_us, sender=GATEWAY, allowed=GATEWAY | HEAD_END):
    """Meter side: what a Request does. Returns (the new Clock, None), or (the same Clock, application error code).

    sender: GATEWAY (plain CI 6C) or HEAD_END (in SITP, checked there). allowed: whom this meter's clock obeys: UC-04a GATEWAY,
    UC-04b both, UC-04c HEAD_END. Nothing is changed where an error is returned; status bits are then error_codes.STATUS.
    """
    if not sender & allowed & _FUNCTIONS[request.tc][2]:
        return clock, error_codes.TOO_WEAK
    if request.kind == "M":
        return clock, error_codes.NO_FUNCTION
    if request.text is None or request.flag is not None:
        return clock, error_codes.PARAMETER
    if request.tc == SET:
        device_s = _seconds(request.time)
        if device_s >= END_S:
            return clock, error_codes.PARAMETER
        return Clock(device_s * 1000000 - now_us, 0, now_us, ()), None
    if pending(clock, now_us):
        return clock, error_codes.NOT_FINISHED
    spent = tuple([entry for entry in clock.spent if now_us - entry[0] < WINDOW_US])
    left_s = LIMIT_S - sum([abs(entry[1]) for entry in spent])
    seconds = (request.time[2] & 31) * 3600 + (request.time[1] & 63) * 60 + (request.time[0] & 63)
    if request.tc == CORRECT:
        # The nearest moment at which it is this time of day.
        away_s = seconds - device_us(clock, now_us) // 1000000 % _DAY_S
        away_s = (away_s + _DAY_S // 2) % _DAY_S - _DAY_S // 2
        seconds = max(-left_s, min(left_s, away_s))
    elif seconds > left_s:
        return clock, error_codes.PARAMETER
    elif request.tc == SUBTRACT:
        seconds = -seconds
    if not seconds:
        return clock, None
    settled_us = device_us(clock, now_us) - now_us
    return Clock(settled_us, seconds, now_us, spent + ((now_us, seconds),)), None


def export(clock, now_us, wall_us):
    """Plain data of a Clock for `restore`. wall_us: UTC in microseconds since 1970, or None."""
    spent = [[now_us - at_us, seconds] for at_us, seconds in clock.spent]
    return [device_us(clock, now_us), wall_us, clock.adjust_s, now_us - clock.since_us, spent]


def check_stored(stored):
    """ValueError or TypeError if `restore` could not take it."""
    told_us, wall_us, adjust_s, gone_us, spent = stored
    times, moves = [told_us, wall_us or 0, gone_us], [adjust_s]
    for age_us, seconds in spent:
        times.append(age_us)
        moves.append(seconds)
    if not all([isinstance(one, int) for one in times + moves]) or len(spent) > LIMIT_S:
        raise ValueError
    if not all([abs(one) <= _MOST_US for one in times]) or gone_us < 0:
        raise ValueError
    if not all([abs(one) <= LIMIT_S for one in moves]):
        raise ValueError


def restore(stored, now_us, wall_us):
    """The Clock that `export` gave, where `now_us` may have begun anew: it is as far from the wall clock as it was; if that is
    or was not known, it stood still meanwhile. A running adjustment goes on, and what was spent stays so."""
    told_us, stored_wall_us, adjust_s, gone_us, spent = stored
    if wall_us is not None and stored_wall_us is not None:
        told_us += wall_us - stored_wall_us
    moved_us = min(gone_us * 1000000 // PULL_US_PER_S, abs(adjust_s) * 1000000)
    offset_us = told_us - now_us - (moved_us if adjust_s > 0 else -moved_us)
    entries = tuple([(now_us - age_us, seconds) for age_us, seconds in spent])
    return Clock(offset_us, adjust_s, now_us - gone_us, entries)


def _seconds(time):
    """Seconds since 1970 of a complete type I."""
    year = 2000 + (time[3] >> 5 | (time[4] >> 4) << 3)
    days = dates.to_days(year, time[4] & 15, time[3] & 31) - dates.to_days(1970, 1, 1)
    return days * _DAY_S + (time[2] & 31) * 3600 + (time[1] & 63) * 60 + (time[0] & 63)
