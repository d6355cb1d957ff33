"""A service under systemd: what it is told, and when a radio counts as alive (sd_notify(3), Type=notify, WatchdogSec).

The watchdog is fed only while the radio is alive, so that a process whose loop runs but which hears nothing is started
again: a chip that the driver cannot heal may be healed by everything anew, and if not, the journal shows it.
"""

import contextlib
import os
import socket

QUIET_US = 1000000  # so long without a fault: drivers look at an idle receiver every 0.1 s
FAULTS_IN_A_ROW = 3
LOOK_US = 500000
OTHERS_US = 100000  # so often a program that has more to do than the radio gets its turn
CALM_US = 20000  # not so shortly before the radio or the role want to do something to the instant


class Systemd:
    """The other end of NOTIFY_SOCKET; nothing happens where there is none.

    look_us: how often the watchdog wants to hear of us, None if nobody waits for that. environ: os.environ."""

    def __init__(self, environ=os.environ):
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.look_us = None
        mine = environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        if self._address and mine:
            with contextlib.suppress(ValueError):
                limit_us = int(environ.get("WATCHDOG_USEC", ""))
                self.look_us = max(1, min(LOOK_US, limit_us // 4))

    def tell(self, *lines, wait_s=0):
        """Send assignments such as "READY=1". Whoever does not listen does not hear it; if the other end is not done with
        what it has, wait so long at most: a radio has no time for it."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(wait_s)
            out.connect(self._address)
            out.send("\n".join(lines).encode())


class Pulse:
    """Is the radio alive? Judged from the counters that every driver has (phy/radio.py).

    A frame, or one that was sent, is a proof of life; while the radio listens, a second without a fault is one too.
    Without a proof three faults in a row are its death. A node that only sends is not restarted for a single failure, and
    not between two telegrams: there its radio sleeps.

    counters: of the driver. listens: the radio hears all the time."""

    def __init__(self, counters, listens, now_us):
        self._counters = counters
        self._listens = listens
        self._proofs, self._faults = self._count()
        self._in_row = 0
        self._fault_us = now_us

    def _count(self):
        counters = self._counters
        return counters.get("frames", 0) + counters.get("sent", 0), sum(counters.get("faults", {}).values())

    def look(self, now_us):
        """Call every now and then; True while it is alive."""
        proofs, faults = self._count()
        if faults != self._faults:
            self._in_row += faults - self._faults
            self._fault_us = now_us
        elif self._listens and now_us - self._fault_us >= QUIET_US:
            self._in_row = 0
        if proofs != self._proofs:
            self._in_row = 0
        self._proofs, self._faults = proofs, faults
        return self._in_row < FAULTS_IN_A_ROW

    def status(self):
        """What `systemctl status` shows."""
        counters = self._counters
        faults = counters.get("faults", {})
        text = "{} frames, {} sent".format(counters.get("frames", 0), counters.get("sent", 0))
        if faults:
            text += ", faults: " + ", ".join("{} {}".format(count, code) for code, count in faults.items())
        if self._in_row >= FAULTS_IN_A_ROW:
            text = "the radio does not answer; " + text
        return text


def calm(node):
    """Whether there is time for something else: nothing is being received, or about to be sent. node: of one radio or several."""
    return all(_calm(one) for one in getattr(node, "nodes", (node,)))


def _calm(node):
    radio, soon_us = node.radio, node.board.now_us() + CALM_US
    role_us = node.role.due_us
    if radio.receiving or role_us is not None and role_us < soon_us:
        return False
    return not radio.exact or radio.due_us is None or radio.due_us >= soon_us


def serve(node, listens, until_us=None, done=None, systemd=None, others=None):
    """Run a node, and tell systemd how it is.

    node: firmware.node.Node. listens: it hears all the time. until_us: instant of the board's clock, or None. done: called
    after each slice, True ends. systemd: a Systemd (default: as the environment says). others: function that does what else
    there is to do, quickly and without waiting; called when the radio has time."""
    systemd = systemd or Systemd()
    board, counters = node.board, node.radio.counters
    node.step()
    systemd.tell("READY=1", wait_s=5)
    pulse = Pulse(counters, listens, board.now_us())
    told = None
    look_us = board.now_us() + (systemd.look_us or 0)
    slice_us = OTHERS_US if others else systemd.look_us or (LOOK_US if done else None)
    while (until_us is None or board.now_us() < until_us) and not (done and done()):
        end_us = until_us
        if slice_us and (until_us is None or board.now_us() + slice_us < until_us):
            end_us = board.now_us() + slice_us
        node.run(end_us)
        if others and calm(node):
            others()
        if not systemd.look_us or board.now_us() < look_us:
            continue
        look_us = board.now_us() + systemd.look_us
        alive = pulse.look(board.now_us())
        status = pulse.status()
        lines = (["STATUS=" + status] if status != told else []) + (["WATCHDOG=1"] if alive else [])
        if lines:
            systemd.tell(*lines)
            told = status
    systemd.tell("STOPPING=1", wait_s=1)
