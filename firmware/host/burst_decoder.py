"""Uplink bursts that the collector's own quick decoder gave up, decoded in a process of its own.

The radio loop hands over captures and fetches what came of them; it never waits. There is one worker, with one capture at a
time; what waits is bounded, and where it is too much the capture goes whose deadline is nearest to being missed. A worker
that dies or takes longer than it may is ended and started again, and its capture is lost: all of it is counted.

The worker is `python -m omsnode.firmware.host.burst_decoder`: one line of JSON in, one out, until its input ends. It needs
numpy (extra `burst`); without it nothing is decoded, and the counters say so.

    {"number": 7, "header": [15, 89, 0, 1], "bursts": [[null, "07bc96..."]], "stages": [...], "limit_ms": 2000}
    {"number": 7, "payload": "401a02...", "effort": [0, 3, 21]}        or once {"missing": "numpy"}
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections import namedtuple
from typing import Any

from ..errors import MisuseError, OmsError
from ..link.lpwan import mac
from ..phy.burst import burst, fec
from ..phy.burst.header import Header
from ..roles.lpwan.hearing import Capture

# payload: PHY payload whose MAC CRC is right, or None.
Decoded = namedtuple("Decoded", ("number", "payload", "effort"))

# What it took: stage and round of the budget (from 0), milliseconds.
Effort = namedtuple("Effort", ("stage", "round", "ms"))

# rates: chip error rates to assume, for payloads of less than LONG bytes and for others. pins: bits to assume, 2^pins
# combinations. Each is tried with each, and with every possible order of the bursts.
Stage = namedtuple("Stage", ("rates", "long_rates", "rounds", "pins"))

# limit_ms: most that one capture may take. It is looked at after each round, so the worst is one round more: measured 0.11 s
# on one core of a virtual x86-64 server (a round is at most _BATCH columns times steps). Without a limit all stages take
# 0.4 s there for 15 bytes, 1.5 s for 71 and 6 s for 255, each for every possible order of the bursts.
Budget = namedtuple("Budget", ("stages", "limit_ms"))

LONG = 70
BUDGET = Budget(
    (
        Stage((0.02, 0.05, 0.12), (0.003, 0.01, 0.03, 0.08), 12, 0),
        Stage((0.005, 0.02, 0.06), (0.001, 0.005, 0.02, 0.06), 12, 5),
    ),
    2000,
)
# Columns times steps of the code that are decoded at once: 512 bytes of memory each.
_BATCH = 60000

WAITING = 16
GRACE_US = 2000000  # beyond its limit, before a worker is ended: a busy machine, and its start
RESTART_US = 5000000
# What keeps numpy's libraries to one thread: the machine has a radio to serve.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LONGEST = 4096  # bytes of an answer


def orders(bursts, n_bursts):
    """Every tuple of indices 0..n_bursts-1 that the bursts [(index 1.. or None, ...)] may have, in the order they came."""
    return [
        indices
        for indices in itertools.combinations(range(n_bursts), len(bursts))
        if all(given in (None, index + 1) for (given, *_), index in zip(bursts, indices, strict=True))
    ]


def decode(header, bursts, budget=BUDGET, check=mac.valid, now=time.monotonic):
    """(payload or None, Effort) of the bursts of one frame, as in a Capture. Needs numpy.

    now: seconds, for the limit of the budget. LengthError or MisuseError for what is no capture."""
    from . import burst_joint

    start = now()
    rows = len(fec.layouts(header.multi, header.type))
    possible = orders(bursts, rows)
    if not bursts or not possible:
        raise MisuseError("{} bursts of {} with indices {}".format(len(bursts), rows, [i for i, _ in bursts]))
    chains = burst_joint.Chains(header, [chips for _, chips in bursts])
    seen = {bytes(header.length)}  # its CRC is right, but no frame is all zeros

    def fits(payload):
        return len(possible) == 1 or burst.carries(
            payload,
            header,
            *([(i + 1, chips) for i, (_, chips) in zip(chosen, bursts, strict=True)] for chosen in possible),
        )

    number = rounds = 0
    for number, stage in enumerate(budget.stages):
        pins = chains.pins(stage.pins)
        columns = [
            (rate, indices, dict(zip(pins, signs, strict=True)))
            for signs in itertools.product((1, -1), repeat=stage.pins)
            for indices in possible
            for rate in (stage.rates if header.length < LONG else stage.long_rates)
        ]
        size = max(1, _BATCH // chains.steps)
        for first in range(0, len(columns), size):
            for rounds, found in enumerate(chains.rounds(columns[first : first + size], stage.rounds)):
                for row in found:
                    payload = row.tobytes()
                    if payload not in seen and check(payload) and fits(payload):
                        return payload, Effort(number, rounds, round(1000 * (now() - start)))
                    seen.add(payload)
                if 1000 * (now() - start) >= budget.limit_ms:
                    return None, Effort(number, rounds, round(1000 * (now() - start)))
    return None, Effort(number, rounds, round(1000 * (now() - start)))


class Decoder:
    """The collector's end. Nothing here waits; `look` wants to be called every now and then.

    budget: a Budget. waiting: captures that may wait. command: program and arguments of the worker (for tests).
    counters: captures that came; of them decoded, undecoded, dropped (too many, or nobody to decode them), late (deadline
    missed) and lost (with their worker); workers started, died and stalled; missing is 1 if there is no numpy."""

    def __init__(self, budget=BUDGET, waiting=WAITING, command=None):
        self._budget = budget
        self._waiting = waiting
        self._command = command or [sys.executable, "-m", "omsnode.firmware.host.burst_decoder"]
        self._queue: list[Capture] = []  # the nearest deadline first
        self._done: list[Decoded] = []
        self._worker: Any = None
        self._dead: list[Any] = []  # until the system has told their end
        self._capture: Any = None  # what the worker has
        self._stalled_us = 0  # when the worker must be done
        self._start_us: Any = None  # no worker before this instant
        self._out = self._in = b""
        names = "captures decoded undecoded dropped late lost started died stalled missing"
        self.counters = dict.fromkeys(names.split(), 0)

    @property
    def busy(self):
        """Whether there is anything to wait for."""
        return bool(self._queue or self._capture or self._done)

    def put(self, capture):
        """Take a Capture. What becomes of it, `look` tells."""
        self.counters["captures"] += 1
        self._queue.append(capture)
        self._queue.sort(key=lambda one: one.deadline_us)
        if len(self._queue) > self._waiting or self.counters["missing"]:
            self._give_up(self._queue.pop(0), "dropped")

    def look(self, now_us):
        """[Decoded] since the last time, one for each capture. now_us: the board's clock."""
        if self._worker:
            self._read(now_us)
        if self._worker and self._capture and now_us >= self._stalled_us:
            self.counters["stalled"] += 1
            self._end()
        self._dead = [one for one in self._dead if one.poll() is None]
        while self._queue and self._queue[0].deadline_us <= now_us:
            self._give_up(self._queue.pop(0), "late")
        due = self._start_us is None or now_us >= self._start_us
        if not self._worker and due and not self.counters["missing"]:
            self._start(now_us)
        if self._worker:
            if self._queue and not self._capture:
                self._send(self._queue.pop(0), now_us)
            self._write()
        done, self._done = self._done, []
        return done

    def close(self):
        """End the worker, with all that it has."""
        if self._worker:
            self._end()
        for one in self._dead:
            one.wait()

    def _give_up(self, capture, why):
        self.counters[why] += 1
        self._done.append(Decoded(capture.number, None, None))

    def _start(self, now_us):
        self.counters["started"] += 1
        self._start_us = now_us + RESTART_US
        environment = dict(os.environ, **dict.fromkeys(ONE_THREAD, "1"))
        try:
            self._worker = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                bufsize=0,
            )
        except OSError:  # no memory, no process left: no affair of the radio's
            self.counters["died"] += 1
            return
        os.set_blocking(self._worker.stdin.fileno(), False)
        os.set_blocking(self._worker.stdout.fileno(), False)

    def _send(self, capture, now_us):
        limit_us = min(1000 * self._budget.limit_ms, capture.deadline_us - now_us)
        self._stalled_us = now_us + limit_us + GRACE_US
        self._capture = capture
        request = {
            "number": capture.number,
            "header": capture.header,
            "bursts": [[index, bytes(chips).hex()] for index, chips in capture.bursts],
            "stages": self._budget.stages,
            "limit_ms": limit_us // 1000,
        }
        self._out = json.dumps(request).encode() + b"\n"

    def _write(self):
        try:
            self._out = self._out[os.write(self._worker.stdin.fileno(), self._out) :] if self._out else b""
        except BlockingIOError:
            pass
        except OSError:  # it has gone: `_read` sees that
            self._out = b""

    def _read(self, now_us):
        try:
            data = os.read(self._worker.stdout.fileno(), 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._in += data
        line, end, rest = self._in.partition(b"\n")
        try:
            if end:
                self._in = rest
                self._answer(json.loads(line), now_us)
            elif not data or len(self._in) > _LONGEST:
                raise EOFError
        except (ValueError, TypeError, KeyError, EOFError):  # whatever that is, it is no worker of ours
            self.counters["died"] += 1
            self._end()

    def _answer(self, answer, now_us):
        if "missing" in answer:
            self.counters["missing"] = 1
            self._end()
            while self._queue:
                self._give_up(self._queue.pop(0), "dropped")
            return
        capture = self._capture
        if not capture or answer["number"] != capture.number:
            raise ValueError
        payload = bytes.fromhex(answer["payload"]) if answer["payload"] else None
        decoded = Decoded(capture.number, payload, Effort(*answer["effort"]))
        self._capture = None
        if capture.deadline_us <= now_us:
            self._give_up(capture, "late")
            return
        self.counters["decoded" if payload else "undecoded"] += 1
        self._done.append(decoded)

    def _end(self):
        """The worker's end, and that of what it had."""
        worker, self._worker = self._worker, None
        self._out = self._in = b""
        with contextlib.suppress(OSError):
            worker.kill()
        worker.stdin.close()
        worker.stdout.close()
        self._dead.append(worker)
        if self._capture:
            self._give_up(self._capture, "lost")
            self._capture = None


def work(lines, write):
    """The worker: answer each request until there are no more. lines: an iterable of text. write: takes a line."""
    for line in lines:
        request = json.loads(line)
        budget = Budget([Stage(*stage) for stage in request["stages"]], request["limit_ms"])
        try:
            bursts = [(index, bytes.fromhex(chips)) for index, chips in request["bursts"]]
            payload, effort = decode(Header(*request["header"]), bursts, budget)
        except OmsError:
            payload, effort = None, Effort(0, 0, 0)
        write(
            json.dumps({"number": request["number"], "payload": payload and payload.hex(), "effort": effort})
            + "\n"
        )


def main():
    with contextlib.suppress(OSError):
        os.nice(10)  # the radio loop comes first

    def write(text):
        sys.stdout.write(text)
        sys.stdout.flush()

    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            from . import burst_joint  # noqa: F401
        except ImportError:
            write('{"missing": "numpy"}\n')
            return
        work(sys.stdin, write)


if __name__ == "__main__":
    main()
