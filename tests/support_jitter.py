"""A host under a gateway: services that are late as measured on Linux, stalls, and the time that its own work takes.

The work of the gateway is charged to world time: while it decodes, the air goes on. MEASURED_US are medians of our roles on
the machine where the tests were written (x86-64, CPython 3.11, telegrams of 52 bytes in security mode 7), as they are called in a
conversation, each after thousands of other calls; `reply` where it arms. FACTOR is what stands for a Raspberry Pi 4, which takes
about so many times as long (300 us in `reply`); a Pi 3 twice that.
"""

from omsnode.firmware.phy import radio
from support_judge import WINDOW

MEASURED_US = {"reply": 75, "frame": 750, "event": 60, "tick": 60}
FACTOR = 4


class Working:
    """A role whose doors take time. charged: microseconds so far."""

    def __init__(self, role, bench, factor=FACTOR):
        self.__dict__.update(_role=role, _bench=bench, _factor=factor, charged=0)

    def __getattr__(self, name):
        return getattr(self._role, name)

    def __setattr__(self, name, value):
        if name == "charged":
            self.__dict__[name] = value
        else:
            setattr(self._role, name, value)

    def _charge(self, what):
        us = int(MEASURED_US[what] * self._factor)
        self.charged += us
        world = self._bench.world
        # The meters are other hosts: they go on meanwhile.
        world.run([side.node for side in self._bench.meters], world.now_us + us)

    def feed(self, event, now_us, wall_us=None):
        actions = self._role.feed(event, now_us, wall_us)
        self._charge("frame" if event.kind == radio.FRAME else "event")
        return actions

    def reply(self, event, now_us):
        answer = self._role.reply(event, now_us)
        self._charge("reply")
        return answer

    def tick(self, now_us, wall_us=None):
        actions = self._role.tick(now_us, wall_us)
        self._charge("tick")
        return actions


class Count:
    """Windows in which the gateway was to speak: behind what a meter sends by itself and behind each repetition, while orders wait
    (what it has just asked has to be looked at first). From the air alone.

    wanted, hit; free: not overlapped by a stall, from the end of the meter's frame to the end of the window; free_hit.
    """

    def __init__(self, judge, mode, stalls, since_us=0, until_us=None):
        self.wanted = self.hit = self.free = self.free_hit = 0
        self.missed = []
        least, most = WINDOW[mode]
        frames = judge.frames
        last = None
        for index, frame in enumerate(frames):
            if not frame.sent.up:
                continue
            behind = last is not None and not frame.synchronous and not frame.same(last)
            last = frame
            if behind and mode == "T2":
                continue  # an answer
            if frame.start_ns < since_us * 1000 or (until_us and frame.end_ns > until_us * 1000):
                continue
            end_ns = frame.data_ns + most
            hit = index + 1 < len(frames) and not frames[index + 1].sent.up
            hit = hit and frames[index + 1].start_ns <= end_ns + 1000
            free = not stalls or not stalls.overlap(frame.data_ns / 1000, end_ns / 1000)
            self.wanted += 1
            self.hit += hit
            self.free += free
            self.free_hit += free and hit
            if free and not hit:
                self.missed.append(frame.start_ns / 1e9)

    @classmethod
    def none(cls):
        made = cls.__new__(cls)
        made.wanted = made.hit = made.free = made.free_hit = 0
        made.missed = []
        return made

    def add(self, other):
        self.wanted += other.wanted
        self.hit += other.hit
        self.free += other.free
        self.free_hit += other.free_hit
        self.missed += other.missed

    @property
    def share(self):
        return 100.0 * self.hit / max(1, self.wanted)

    @property
    def free_share(self):
        return 100.0 * self.free_hit / max(1, self.free)
