"""The board with nothing attached: SPI, pins with their edge queues, a clock. A CC1101 or an SX1262 sits on it."""

from collections import deque

from omsnode.firmware.errors import MisuseError

from . import sx1262
from .cc1101 import Cc1101
from .options import Options


class Pin:
    """An input of the host, driven by the chip. Edges go into a queue of `depth`, as in the kernel: when it is full the
    oldest is dropped and counted."""

    def __init__(self, board, name, depth=16):
        self.board = board
        self.name = name
        self.level = 0
        self.queue = deque()
        self.depth = depth
        self.lost = 0
        self.drop = 0  # fault: so many edges vanish without being counted
        self.stuck = None  # fault: the level that a broken wire shows; it has no edges
        self._half_ns = 0.0  # a clock is on the pin
        self._clock_ns = 0

    def read(self):
        """0 or 1, at this instant."""
        self.settle()
        return self.level if self.stuck is None else self.stuck

    def write(self, level):
        """MisuseError: the chip drives this line."""
        raise MisuseError("{} is an output of the radio".format(self.name))

    def drive(self, level, now_ns):
        """The chip puts this level on the line."""
        if level != self.level:
            self.level = level
            self._edge(level, now_ns)

    def stop_clock(self):
        self.settle()
        self._half_ns = 0.0

    def drive_clock(self, half_ns, now_ns):
        """A clock of this half period starts; its edges are counted when somebody looks."""
        if half_ns != self._half_ns:
            self.settle()
            self._half_ns = half_ns
            self._clock_ns = now_ns
        self.board.world.edge_seen = True

    @property
    def clock_running(self):
        return bool(self._half_ns)

    def settle(self):
        """Turn the clock periods gone by into edges: the newest ones stay in the queue, the others are lost."""
        if not self._half_ns:
            return
        number = int((self.board.world.now_ns - self._clock_ns) / self._half_ns)
        shown = min(number, self.depth)
        hidden = number - shown
        self.lost += hidden
        start = self._clock_ns
        self.level ^= hidden & 1
        for i in range(hidden + 1, number + 1):
            self.level ^= 1
            self._edge(self.level, start + int(i * self._half_ns))
        self._clock_ns = start + int(number * self._half_ns)

    def _edge(self, level, at_ns):
        if self.stuck is not None:
            return
        if self.drop:
            self.drop -= 1
            return
        if len(self.queue) >= self.depth:
            self.queue.popleft()
            self.lost += 1
        self.queue.append((self.name, level, at_ns))
        self.board.world.edge_seen = True


class Spi:
    """spi.transfer(tx, rx): full duplex, one chip-select period, rx (same length) filled in place."""

    def __init__(self, board, hz):
        self.board = board
        self.hz = hz

    def transfer(self, tx, rx=None):
        if rx is not None and len(rx) != len(tx):
            raise MisuseError("SPI transfer of {} bytes into {}".format(len(tx), len(rx)))
        board = self.board
        if board.stalls:  # also one that begins between the call and the chip select
            board.stand_still()
            while (
                board.stalls.next_ns(board.world.now_ns) <= board.world.now_ns + board.chip.transfer_ns // 2
            ):
                board.world.advance(board.stalls.next_ns(board.world.now_ns))
                board.stand_still()
        answer = board.chip.transfer(tx, self.hz)
        if board.stalls:
            board.stand_still()
        if rx is not None:
            rx[:] = answer
        return answer


class VirtualBoard:
    """What `World.add_board` returns: the board contract plus `chip`, the model."""

    def __init__(
        self,
        world,
        name,
        seed=0,
        crystal_ppm=0.0,
        clock_ppm=0.0,
        clock_offset_us=0,
        spi_hz=None,
        spi_overhead_us=20,
        queue_depth=16,
        options=None,
        chip="cc1101",
        stalls=None,
        **wiring,
    ):
        self.world = world
        self.name = name
        self.clock_ppm = clock_ppm
        self.clock_offset_us = clock_offset_us
        self.stalls = stalls  # stalls.Stalls of its host
        self.chip_name = chip
        make, lines, default_hz = _CHIPS[chip]
        spi_hz = spi_hz or default_hz
        self.spi = Spi(self, spi_hz)
        self.edge_pins = [
            Pin(self, line, queue_depth) for line in lines
        ]  # those whose edges the host waits for
        self.chip, self.pins = make(self, self.edge_pins, seed, crystal_ppm, options or {}, **wiring)
        self.chip.byte_hz = spi_hz
        self.chip.transfer_ns = int(spi_overhead_us * 1000)

    # --- this board's monotonic clock ---

    def to_us(self, world_ns):
        """Instant on the board's clock, in microseconds."""
        return int(world_ns * (1 + self.clock_ppm * 1e-6)) // 1000 + self.clock_offset_us

    def to_ns(self, board_us):
        """First world instant at which the board's clock shows board_us."""
        ns = (board_us - self.clock_offset_us) * 1000
        if self.clock_ppm:
            ns = int(ns / (1 + self.clock_ppm * 1e-6)) + 1
        return ns

    def now_us(self):
        if self.stalls:
            self.stand_still()
        return self.to_us(self.world.now_ns)

    def stand_still(self):
        """Let a stall of the host pass that is going on."""
        self.world.advance(self.stalls.running_ns(self.world.now_ns))

    # --- edges ---

    def first_edge_ns(self):
        """World instant of the oldest edge that waits, or None."""
        first = None
        for pin in self.edge_pins:
            pin.settle()
            if pin.queue and (first is None or pin.queue[0][2] < first):
                first = pin.queue[0][2]
        return first

    def take_edges(self):
        """(edges, lost) since the last call: edges = [(line, level, at_us)] in the order of time."""
        edges = []
        lost = 0
        for pin in self.edge_pins:
            pin.settle()
            edges.extend(pin.queue)
            pin.queue.clear()
            lost += pin.lost
            pin.lost = 0
        edges.sort(key=lambda edge: edge[2])
        return [(line, level, self.to_us(at_ns)) for line, level, at_ns in edges], lost

    def wait(self, until_us=None, exact=False):
        """Let time pass until an edge comes or the clock shows until_us; returns take_edges(). Here it is exact anyway."""
        self.world.wait(self, None if until_us is None else self.to_ns(until_us))
        if self.stalls:
            self.stand_still()
        return self.take_edges()

    # --- faults of the wiring ---

    def lose_edges(self, number=1, line=None):
        """Fault: the next `number` edges of a line never happen for the host, and nobody counts them."""
        (self.pins[line] if line else self.edge_pins[0]).drop += number

    def false_edge(self, line=None, level=1):
        """Fault: an edge that the chip did not make; the level stays what it is."""
        (self.pins[line] if line else self.edge_pins[0])._edge(level, self.world.now_ns)

    def swap(self, one, other):
        """Fault: two inputs of the host are wired the wrong way round. Before a driver is handed the pins."""
        pins = self.pins
        lines = [pin.name for pin in self.edge_pins]
        pins[one], pins[other] = pins[other], pins[one]
        pins[one].name, pins[other].name = one, other
        self.edge_pins = [pins[line] for line in lines if isinstance(pins[line], Pin)]


class Joined:
    """Several boards of one host with one wait: what comes back is a list of (edges, lost), one for each board.

    active: indices of those that are waited for; the edges of the others are dropped."""

    def __init__(self, boards):
        self.boards = list(boards)
        self.active = list(range(len(self.boards)))
        self.world = self.boards[0].world
        self.now_us = self.boards[0].now_us
        self.to_ns = self.boards[0].to_ns

    @property
    def stalls(self):
        return self.boards[0].stalls

    @property
    def edge_pins(self):
        return [pin for i in self.active for pin in self.boards[i].edge_pins]

    def first_edge_ns(self):
        instants = [self.boards[i].first_edge_ns() for i in self.active]
        return min((instant for instant in instants if instant is not None), default=None)

    def take_edges(self):
        several = [board.take_edges() for board in self.boards]
        return [several[i] if i in self.active else ([], 0) for i in range(len(several))], 0

    def wait(self, until_us=None, exact=False):
        """Let time pass until an edge comes or the clock shows until_us; returns take_edges()."""
        self.world.wait(self, None if until_us is None else self.to_ns(until_us))
        if self.stalls:
            self.boards[0].stand_still()
        return self.take_edges()


def _cc1101(board, lines, seed, crystal_ppm, options, hat=None):
    gdo0, gdo2 = lines
    chip = Cc1101(board.world, board.name, (gdo2, gdo0), seed, crystal_ppm, Options(**options))
    return chip, {"gdo0": gdo0, "gdo2": gdo2}


def _sx1262(board, lines, seed, crystal_ppm, options, **wiring):
    return sx1262.attach(board, lines[0], seed=seed, crystal_ppm=crystal_ppm, options=options, **wiring)


# chip -> how it gets onto a board, lines whose edges count, usual SPI clock
_CHIPS = {"cc1101": (_cc1101, ("gdo0", "gdo2"), 4_000_000), "sx1262": (_sx1262, ("dio1",), 8_000_000)}
