"""Hosts that stand still, services as late as on Linux, and nodes that poll for an exact instant."""

import pytest
from omsnode.board.virtual import Joined, Stalls, World
from omsnode.board.virtual.stalls import LINUX, quantile

VERSION = b"\xf1\x00"
TRANSFER_NS = 20_000 + 2 * 2_000  # two bytes at 4 MHz, half of the fixed cost in front


class Node:
    """Wants to be served at given instants, exactly or not; takes down when it was."""

    def __init__(self, board, instants_us, exact=False):
        self.board = board
        self.instants_us = list(instants_us)
        self.exact = exact
        self.served_us = []

    @property
    def due_us(self):
        return self.instants_us[0] if self.instants_us else None

    def step(self, edges, lost):
        self.served_us.append(self.board.world.now_ns / 1000)
        if self.instants_us and self.board.now_us() >= self.instants_us[0]:
            self.instants_us.pop(0)


def late_us(delay_us, exact, lead_us=2000, instants_us=range(10_000, 1_000_000, 10_000)):
    world = World(seed=5)
    node = Node(world.add_board(chip="sx1262"), instants_us, exact)
    delay = {"linux": world.linux_delay, None: lambda: None}.get(delay_us, lambda: world.delay(*delay_us))()
    world.run([node], max(instants_us) + 100_000, delay_us=delay, lead_us=lead_us)
    return [served - due for served, due in zip(node.served_us, instants_us, strict=True)]


# --- exact instants ---


def test_a_lead_uses_up_the_delay():
    ordinary = late_us((300, 1900), False)
    assert min(ordinary) >= 300 and max(ordinary) > 1500
    exact = late_us((300, 1900), True)
    assert min(exact) >= 0 and max(exact) <= 10
    assert len(set(exact)) > 50  # a look at the clock takes its time
    assert late_us(None, True) == [0] * 99


def test_a_delay_beyond_the_lead_makes_late():
    late = late_us((300, 1900), True, lead_us=500)
    assert 0 <= min(late) <= 10
    assert 1300 < max(late) <= 1900 - 500 + 10


def test_who_does_not_sleep_is_not_woken_late():
    """The next instant is nearer than the lead: it polls on."""
    late = late_us((1900, 1900), True, lead_us=500, instants_us=(10_000, 10_400, 10_800))
    assert 1400 <= late[0] <= 1410
    assert late[1] == pytest.approx(1010, abs=20)  # served at once, it was late already
    world = World(seed=5)
    node = Node(world.add_board(chip="sx1262"), (10_000, 10_400), True)
    world.run([node], 20_000, delay_us=world.delay(400, 400), lead_us=500)
    assert node.served_us == pytest.approx([10_000, 10_400], abs=11)


def test_linux_delays_have_the_measured_quantiles():
    late = sorted(late_us("linux", False, instants_us=range(1000, 20_000_000, 2000)))
    count = len(late)
    assert 45 < late[count // 2] < 65
    assert 130 < late[count * 99 // 100] < 300
    assert late[-1] <= 1601 and late[0] >= 20
    assert [round(quantile(LINUX, share)) for share in (0, 0.5, 0.99, 0.9999, 1)] == [20, 55, 180, 1600, 1600]
    assert 0 <= min(late_us("linux", True)) <= max(late_us("linux", True)) <= 10


# --- stalls ---


def standing(*intervals, chip="sx1262"):
    """An SX1262: no edges of its own."""
    world = World(seed=1)
    return world, world.add_board(stalls=Stalls(intervals), chip=chip)


def test_nothing_is_served_in_a_stall():
    for exact in (False, True):
        world, board = standing((9_000, 5_000), (30_100, 5_000))
        node = Node(board, (10_000, 20_000, 30_000, 35_000), exact)
        other = Node(world.add_board(name="other", chip="sx1262"), (10_000, 32_000))
        world.run([node, other], 50_000)
        assert node.served_us == [14_000, 20_000, 30_000, 35_100]
        assert other.served_us == [10_000, 32_000]


def test_a_stall_within_the_polling():
    """It is woken before and polls; the stall covers the instant."""
    world, board = standing((9_500, 5_000))
    node = Node(board, (10_000,), True)
    world.run([node], 50_000, delay_us=world.delay(50, 50))
    assert node.served_us == [14_500]


def test_the_clock_and_the_spi_go_on_at_the_end_of_a_stall():
    world, board = standing((1_000, 5_000), (10_000, 2_000), (20_010, 1_000), (30_018, 1_000), chip="cc1101")
    world.advance(1_000_000 - 1)
    assert board.now_us() == 999
    world.advance(3_000_000)
    assert board.now_us() == 6_000
    world.advance(11_000_000)
    board.spi.transfer(VERSION, bytearray(2))
    assert world.now_ns == 12_000_000 + TRANSFER_NS
    # Between the call and the chip select: all of it is late. Behind the chip select: only the host is.
    seen = []
    transfer = board.chip.slave.select
    board.chip.slave.select = lambda: seen.append(world.now_ns) or transfer()
    world.advance(20_005_000)
    board.spi.transfer(VERSION, bytearray(2))
    assert seen == [21_010_000 + 10_000] and world.now_ns == 21_010_000 + TRANSFER_NS
    world.advance(30_000_000)
    board.spi.transfer(VERSION, bytearray(2))
    assert seen[1:] == [30_010_000] and world.now_ns == 31_018_000


def test_a_wait_ends_behind_the_stall():
    for joined in (False, True):
        world, board = standing((1_000, 5_000))
        wait = Joined([board]).wait if joined else board.wait
        wait(2_000)
        assert world.now_us == 6_000


def test_boards_of_one_host_stand_still_together():
    world = World(seed=2)
    host = world.stalls(mean_us=100_000, length_us=5_000, name="gateway")
    nodes = [
        Node(world.add_board(name=str(n), stalls=host, chip="sx1262"), range(1_000, 2_000_000, 1_000))
        for n in range(2)
    ]
    world.run(nodes, 2_000_000)
    assert nodes[0].served_us == nodes[1].served_us
    assert not any(host.running_ns(int(at * 1000)) > at * 1000 for at in nodes[0].served_us)
    assert max(b - a for a, b in zip(nodes[0].served_us, nodes[0].served_us[1:], strict=False)) >= 5_000


def test_stalls_are_a_poisson_process_of_the_seed():
    def starts(seed, name="host"):
        stalls = World(seed=seed).stalls(30_000_000, 5_000, name)
        at_ns, found = 0, []
        while len(found) < 2000:
            at_ns = stalls.next_ns(at_ns)
            found.append(at_ns)
        return found

    found = starts(1)
    assert found == starts(1) and found != starts(2) and found != starts(1, "other")
    gaps = [(b - a) / 1e9 for a, b in zip(found, found[1:], strict=False)]
    mean = sum(gaps) / len(gaps)
    assert 28 < mean < 32
    # Exponential: as far spread as its mean, and 1 - 1/e below it.
    assert 0.59 < sum(gap < mean for gap in gaps) / len(gaps) < 0.67


def test_overlap():
    stalls = Stalls([(1_000, 5_000), (20_000, 1_000)])
    for start_us, end_us, expected in (
        (0, 999, False),
        (0, 1_001, True),
        (500, 25_000, True),
        (5_999, 7_000, True),
        (6_000, 19_999, False),
        (6_000, 20_500, True),
        (20_900, 30_000, True),
        (21_000, 90_000, False),
    ):
        assert stalls.overlap(start_us, end_us) is expected, (start_us, end_us)
    assert not Stalls([]).overlap(0, 10**9)
