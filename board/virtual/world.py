"""One virtual clock for everything: the world advances its models in the order of time, and runs nodes on it.

Time is an integer of nanoseconds. It moves by SPI transfers (bits / speed + a fixed cost), by `wait` and by `run`. All
boards share it: while one node talks to its chip, the others wait (their chips do not), as on one busy host.
"""

import random

from . import stalls, sx1262
from .air import NEVER, Air
from .board import VirtualBoard

LEAD_US = 2000  # a host that has to be exact sleeps until so long before, and polls from then on
_POLL_US = 10  # each look takes up to so long


class World:
    """seed: everything random follows from it. `air`: what is sent. `boards`: by name."""

    def __init__(self, seed=0):
        self.seed = seed
        self.now_ns = 0
        self.rng = random.Random("{}/world".format(seed))
        self.edge_seen = False
        self.calls = _Calls()
        self.air = Air(self)
        self.boards = {}
        self.models = [self.air, self.calls]
        self.step_ns = 10_000  # a node is served again at the earliest so long after its last service ended

    @property
    def now_us(self):
        return self.now_ns // 1000

    def add_board(self, hat="virtual", name="", position=None, chip=None, **settings):
        """A board with its chip. hat: its name tells the chip and the wiring (cc1101..., or as in sx1262.BOARDS); with
        "virtual" the chip is `chip`, by default a CC1101. position: metres, (x, y) or (x, y, z).
        settings: crystal_ppm, clock_ppm, clock_offset_us, spi_hz, spi_overhead_us, queue_depth, stalls, options (a dict, see
        options.py, sx1262/options.py); with an SX1262 also rf_switch, tcxo_mv, gain_db, inductor, reset_level, enable
        (sx1262/wiring.py)."""
        known = "sx1262" if sx1262.is_hat(hat) else "cc1101" if hat.startswith("cc1101") else None
        chip = chip or known or "cc1101"
        if known is None and hat != "virtual" or known not in (None, chip):
            raise ValueError("no {} on {}".format(chip, hat))
        name = name or "board{}".format(len(self.boards))
        if name in self.boards:
            raise ValueError("two boards named " + name)
        board = VirtualBoard(self, name, self.seed, chip=chip, hat=hat, **settings)
        self.boards[name] = board
        self.models.append(board.chip)
        self.air.receivers.append(board.chip.receiver)
        if position is not None:
            self.air.positions[name] = tuple(position)
        return board

    def at(self, at_us, call):
        """Call `call()` at that instant of world time (faults, tests). It must not move time itself."""
        self.calls.add(int(at_us * 1000), call)

    # --- the passing of time ---

    def advance(self, to_ns, stop_on_edge=False):
        """Let every event up to to_ns happen. With stop_on_edge: return after the event that made an edge."""
        models = self.models
        while True:
            first = None
            best = to_ns
            for model in models:
                if model.next_ns < best or first is None and model.next_ns == best:
                    best = model.next_ns
                    first = model
            if first is None:
                break
            if best > self.now_ns:
                self.now_ns = best
            first.advance(self.now_ns)
            if stop_on_edge and self.edge_seen:
                return
        if to_ns > self.now_ns:
            self.now_ns = to_ns

    def horizon_ns(self):
        """Instant of the next event."""
        return min(model.next_ns for model in self.models)

    def advance_us(self, us):
        """Let so many microseconds pass."""
        self.advance(self.now_ns + int(us * 1000))

    def wait(self, board, until_ns=None):
        """Advance until an edge waits at `board`, at most until until_ns."""
        while board.first_edge_ns() is None:
            if until_ns is not None and self.now_ns >= until_ns:
                return
            self._advance_to_edge(until_ns, (board,))

    def _advance_to_edge(self, until_ns, boards):
        """Until any edge or until_ns. A clock on a pin makes edges without events: then in steps of 10 us."""
        if any(pin.clock_running for board in boards for pin in board.edge_pins):
            until_ns = min(NEVER if until_ns is None else until_ns, self.now_ns + 10_000)
        if until_ns is None:
            until_ns = self.horizon_ns()
            if until_ns == NEVER:
                raise RuntimeError("waiting for ever: nothing is going to happen in this world")
        self.edge_seen = False
        self.advance(until_ns, stop_on_edge=True)

    # --- nodes ---

    def delay(self, low_us, high_us):
        """A service delay for `run`: uniform between the two, from this world's seed."""
        return lambda node: self.rng.uniform(low_us, high_us)

    def linux_delay(self):
        """A service delay for `run` as measured on Linux (stalls.LINUX), from this world's seed: the share is drawn evenly,
        and the delay is what that share of the services does not exceed."""
        return lambda node: stalls.quantile(stalls.LINUX, self.rng.random())

    def stalls(self, mean_us=30_000_000, length_us=5000, name="host"):
        """Stalls of a host with this name, for `add_board` or `board.stalls`: a Poisson process from this world's seed. Hand
        the same to all boards of one host."""
        rng = random.Random("{}/stalls/{}".format(self.seed, name))
        return stalls.Stalls(stalls.poisson(rng, mean_us, length_us))

    def run(self, nodes, until_us, stop=None, delay_us=None, lead_us=LEAD_US):
        """Serve `nodes` until world time until_us, or until stop() is true.

        A node has .board, .due_us (board clock, or None) and .step(edges, lost). It is served when an edge waits at its
        board or its due_us has come, delay_us(node) microseconds later (default: at once). If its `exact` is true (default:
        no) it is woken lead_us before its due_us and polls its clock until then: what delays it is used up by that lead.
        A board that has `stalls` is served in none. Nodes that are ready at the same instant are served in the order of
        the list. Returns the world time in microseconds.
        """
        until_ns = int(until_us * 1000)
        services = [_Service(node, self, delay_us, int(lead_us * 1000)) for node in nodes]
        boards = [node.board for node in nodes]
        while self.now_ns < until_ns:
            if stop is not None and stop():
                break
            first = min(services, key=_Service.wake_ns, default=None)
            wake_ns = first.wake_ns() if first is not None else NEVER
            if wake_ns <= self.now_ns:
                first.serve()
            else:
                self._advance_to_edge(min(wake_ns, until_ns), boards)
        return self.now_us


class _Service:
    """When a node is served next, and the service itself."""

    def __init__(self, node, world, delay_us, lead_ns):
        self.node = node
        self.world = world
        self.delay_us = delay_us
        self.lead_ns = lead_ns
        self.earliest_ns = 0
        self.poll_ns = 0
        self._draw()

    def _draw(self):
        self.delay_ns = int(self.delay_us(self.node) * 1000) if self.delay_us is not None else 0

    def wake_ns(self):
        board = self.node.board
        ready = board.first_edge_ns()
        due = self.node.due_us
        wake_ns = NEVER
        if due is not None:
            due = board.to_ns(due)
            if getattr(self.node, "exact", False):
                wake_ns = max(self._polled_ns(due), self.earliest_ns)
            elif ready is None or due < ready:
                ready = due
        if ready is not None:
            wake_ns = min(wake_ns, max(ready + self.delay_ns, self.earliest_ns))
        stalls = getattr(board, "stalls", None)
        if wake_ns < NEVER and stalls:
            wake_ns = stalls.running_ns(wake_ns)
        return wake_ns

    def _polled_ns(self, due):
        """When a host sees its clock show `due`: it sleeps, is woken with delay, then polls."""
        if self.earliest_ns < due - self.lead_ns:
            due = max(due, due - self.lead_ns + self.delay_ns)
        if self.delay_us is not None and not self.poll_ns:
            self.poll_ns = 1 + int(self.world.rng.uniform(0, _POLL_US * 1000))
        return due + self.poll_ns

    def serve(self):
        edges, lost = self.node.board.take_edges()
        self.node.step(edges, lost)
        self.earliest_ns = self.world.now_ns + self.world.step_ns
        self.poll_ns = 0
        self._draw()


class _Calls:
    """Calls at instants, as one more model."""

    def __init__(self):
        self.next_ns = NEVER
        self.list = []

    def add(self, at_ns, call):
        self.list.append((at_ns, len(self.list), call))
        self.next_ns = min(row[0] for row in self.list)

    def advance(self, now_ns):
        due = sorted(row for row in self.list if row[0] <= now_ns)
        self.list = [row for row in self.list if row[0] > now_ns]
        self.next_ns = min((row[0] for row in self.list), default=NEVER)
        for _, _, call in due:
            call()
