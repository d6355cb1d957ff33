"""Clock management over MBlock 04 (OMS Vol. 2 Annex Q.3.7.2, Annex M UC-04; LPWAN sheet section 19).

A correction tells the time of day that it is, and the clock moves towards it, by 60 s at most; an adjustment tells by how many
seconds it is to be moved, and more than 60 are refused. Either is spread over less than 12 h, so that no time of day comes
twice or is left out, and no second one is taken meanwhile. Times in a downlink are meant at its slot RX0. The radio's own
times (t_ACC) run on `now_us` and do not know of it.
"""

from collections import namedtuple

from . import blocks, values

LIMIT_S = 60
PULL_US_PER_S = 600 * 1000000  # for each second: 60 s take 10 h
_DAY_S = 86400
_MOST_US = 1 << 56  # no device is that old

# offset_us: device time minus now_us, before the adjustment that runs. adjust_s: of this, since since_us.
Clock = namedtuple("Clock", ("offset_us", "adjust_s", "since_us"))


def start(device_us, now_us):
    """The Clock that tells device_us (microseconds; of the day or since any midnight) at now_us."""
    return Clock(device_us - now_us, 0, now_us)


def device_us(clock, now_us):
    """Device time in microseconds."""
    gone_us = min(max(now_us - clock.since_us, 0), abs(clock.adjust_s) * PULL_US_PER_S)
    moved_us = gone_us * 1000000 // PULL_US_PER_S
    return now_us + clock.offset_us + (moved_us if clock.adjust_s > 0 else -moved_us)


def running(clock, now_us):
    """Whether an adjustment is still being carried out."""
    return now_us - clock.since_us < abs(clock.adjust_s) * PULL_US_PER_S


def decide(meaning, told_us, busy):
    """By how many seconds a clock is to be moved, None: the command fails.

    meaning: signed seconds or a values.Time. told_us: what the clock said at RX0 of the downlink, in microseconds from any
    midnight. busy: whether an adjustment runs.
    """
    if busy:
        return None
    if isinstance(meaning, int):
        return meaning if abs(meaning) <= LIMIT_S else None
    seconds = meaning.hour * 3600 + meaning.minute * 60 + meaning.second
    away_s = seconds - told_us // 1000000 % _DAY_S
    away_s = (
        away_s + _DAY_S // 2
    ) % _DAY_S - _DAY_S // 2  # the nearest moment at which it is this time of day
    return max(-LIMIT_S, min(LIMIT_S, away_s))


def time_of(told_us):
    """values.Time of a device time."""
    seconds = told_us // 1000000 % _DAY_S
    return values.Time(seconds // 3600, seconds // 60 % 60, seconds % 60)


def push(clock, now_us):
    """The MBlock that tells the time, of a response to Get or unsolicited."""
    return values.encode(blocks.CLOCK, time_of(device_us(clock, now_us)))


def execute(clock, block, rx0_us, now_us):
    """What MBlock 04 of a command does: (the new Clock, MBlock of the response).

    rx0_us: slot RX0 of its downlink, whichever slot it came in. now_us: when it is executed. The response to a Set is the
    request, an empty one says that it failed and nothing has changed.
    """
    if not block.value:
        return clock, push(clock, now_us)
    from ...errors import BodyError

    try:
        meaning = values.decode(blocks.CLOCK, block.value)
    except BodyError:
        return clock, blocks.get(blocks.CLOCK)
    seconds = decide(meaning, device_us(clock, rx0_us), running(clock, now_us))
    if seconds is None:
        return clock, blocks.get(blocks.CLOCK)
    if seconds:
        clock = Clock(device_us(clock, now_us) - now_us, seconds, now_us)
    return clock, block


def export(clock, now_us, wall_us):
    """Plain data of a Clock for `restore`. wall_us: of a clock that goes on without power, in microseconds, or None."""
    return [device_us(clock, now_us), wall_us, clock.adjust_s, now_us - clock.since_us]


def restore(stored, now_us, wall_us):
    """The Clock that `export` gave where `now_us` may have begun anew: it is as far from the wall clock as it was, or, if one
    of the two is not known, stood still; a running adjustment goes on. StoreError if it cannot be read."""
    from ...errors import StoreError

    try:
        told_us, stored_wall_us, adjust_s, gone_us = stored
        right = abs(told_us) <= _MOST_US and 0 <= gone_us <= _MOST_US and abs(adjust_s) <= LIMIT_S
        right = right and abs(stored_wall_us or 0) <= _MOST_US
        right = right and not [True for one in stored if one is not None and not isinstance(one, int)]
    except (TypeError, ValueError):
        right = False
    if not right:
        raise StoreError("the stored clock cannot be read", None, "remove it: the clock is set anew")
    if wall_us is not None and stored_wall_us is not None:
        told_us += wall_us - stored_wall_us
    gone_us = min(gone_us, abs(adjust_s) * PULL_US_PER_S)
    moved_us = gone_us * 1000000 // PULL_US_PER_S
    return Clock(told_us - now_us - (moved_us if adjust_s > 0 else -moved_us), adjust_s, now_us - gone_us)
