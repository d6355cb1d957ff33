"""When the faults of a scripted meter happen, and how often; and its crystal."""

from . import scripted_faults as faults

# What a rule counts until its time has come.
TELEGRAM = "telegram"  # transmissions that the meter began itself, repetitions included
ANSWER = "answer"  # ACK, NACK, RSP-UD, repetitions included
COMMAND = "command"  # frames that the meter heard and that were for it
AFTER = "after"  # microseconds since the start
OWN = ("SND-NR", "SND-IR", "ACC-NR", "ACC-DMD")
ANSWERS = ("ACK", "NACK", "RSP-UD")
COMMANDS = ("SND-UD", "SND-UD2", "REQ-UD1", "REQ-UD2")  # where no kind is named
OTHERS = ("SND-NKE", "ACK", "CNF-IR")
KINDS = {TELEGRAM: OWN, ANSWER: ANSWERS, COMMAND: COMMANDS + OTHERS, AFTER: OWN + ANSWERS}
ALWAYS = None  # times


class Rule:
    """fault: name in scripted_faults.FAULTS. values: {parameter: value}. on: TELEGRAM, ANSWER, COMMAND or AFTER. nth: which of
    them, from 1 on (0: from the start); us for AFTER. kind: only frames of this name count, or None. hits: the transmissions
    that a fault of SENDING may change (a tuple of names). times: how many frames have the fault, ALWAYS for all. for_us: no
    longer than so long, or None.

    A fault of SENDING changes the nth transmission itself, one of HEARING the nth command itself. One of METER happens behind the
    nth transmission, and before the nth command is read.
    """

    def __init__(self, fault, values, on, nth, kind=None, hits=None, times=1, for_us=None):
        self.fault = fault
        self.stage, self.function, parameters, self.needs = faults.FAULTS[fault]
        self.values = {name: default for name, _, default in parameters}
        self.values.update(values)
        self.on = on
        self.nth = nth
        self.kind = kind
        counted = (kind,) if kind else KINDS[on]
        self.counted = COMMANDS if on == COMMAND and not kind else counted
        own = on in (TELEGRAM, ANSWER)
        self.hits = hits or (counted if own else ANSWERS if on == COMMAND else OWN + ANSWERS)
        self.times = times
        self.for_us = for_us


class Progress:
    """Of one Rule. left: how many frames it still changes; None without limit, 0 at the end."""

    def __init__(self, number, rule):
        self.number = number
        self.rule = rule
        self.count = 0
        self.active = False
        self.left = rule.times
        self.until_us = None
        self.undo = None
        self.happened = 0


class Crystal:
    """The meter's own time against ours; microseconds. Both run together until one of these is called."""

    def __init__(self):
        self._in_us = self._out_us = 0
        self._ppm = 0

    def drift(self, now_us, ppm):
        """From now on the meter's clock is fast by so much."""
        self._in_us, self._out_us = self.inside(now_us), now_us
        self._ppm = ppm

    def jump(self, now_us, by_us):
        """The meter believes that so much more has passed."""
        self._in_us, self._out_us = self.inside(now_us) + by_us, now_us

    def inside(self, at_us):
        """The meter's time at an instant of ours."""
        return self._in_us + (at_us - self._out_us) * (1000000 + self._ppm) // 1000000

    def outside(self, at_us):
        """The first instant of ours at which the meter's time is this."""
        return self._out_us - (self._in_us - at_us) * 1000000 // (1000000 + self._ppm)
