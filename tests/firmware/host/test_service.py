"""What systemd is told: the protocol of sd_notify(3), and a watchdog that is fed only while the radio is alive."""

import os
import socket
import threading

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.host import service
from omsnode.firmware.node import Node
from omsnode.firmware.roles.collector import Collector


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path):
    """(name for NOTIFY_SOCKET, function that returns what came)."""
    name = "\0omsnode-{}".format(os.getpid()) if request.param == "abstract" else str(tmp_path / "notify")
    lines = []

    def drain():
        while (message := own.recv(4096)) != b"end":
            lines.extend(message.decode().split("\n"))

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(name)
        thread = threading.Thread(target=drain)
        thread.start()

        def heard():
            if thread.is_alive():
                end()
            return lines

        def end():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.sendto(b"end", name)
            thread.join()

        yield name.replace("\0", "@"), heard
        heard()


def test_a_full_queue_does_not_stop_the_radio(tmp_path):
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
        own.bind(name)
        for _ in range(2000):
            systemd(name).tell("WATCHDOG=1")


def systemd(name, **more):
    return service.Systemd({"NOTIFY_SOCKET": name, **more})


def test_it_is_told(listener):
    name, heard = listener
    systemd(name).tell("READY=1", "STATUS=up")
    assert heard() == ["READY=1", "STATUS=up"]


def test_nobody_listens():
    service.Systemd({}).tell("READY=1")
    systemd("/nowhere/notify").tell("READY=1")
    systemd("/x" * 200).tell("READY=1")


@pytest.mark.parametrize(
    ("environment", "look_us"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 500000),
        ({"WATCHDOG_USEC": "400000"}, 100000),
        ({"WATCHDOG_USEC": "400000", "WATCHDOG_PID": str(os.getpid())}, 100000),
        ({"WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({}, None),
    ],
)
def test_how_often_the_watchdog_wants_to_hear(environment, look_us):
    assert systemd("/x", **environment).look_us == look_us
    assert service.Systemd(environment).look_us is None


class Counters(dict):
    def __init__(self):
        super().__init__(frames=0, sent=0, faults={})

    def fault(self, n=1):
        self["faults"]["no_answer"] = self["faults"].get("no_answer", 0) + n


def test_a_receiver_that_only_makes_faults_is_dead_until_it_hears_or_is_quiet():
    counters = Counters()
    pulse = service.Pulse(counters, True, 0)
    assert pulse.look(500000)
    counters.fault(2)
    assert pulse.look(1000000)
    counters.fault()
    assert not pulse.look(1500000)
    assert "does not answer" in pulse.status() and "3 no_answer" in pulse.status()
    assert not pulse.look(2000000)
    assert pulse.look(2500000)  # a second without a fault, though the driver looks at it ten times in that
    counters.fault(9)
    assert not pulse.look(3000000)
    counters["frames"] += 1
    counters.fault()
    assert pulse.look(3500000)


def test_a_sender_is_dead_after_three_failures_and_not_before():
    counters = Counters()
    pulse = service.Pulse(counters, False, 0)
    counters.fault(2)
    assert pulse.look(1000000) and pulse.look(10**9)
    counters.fault()
    assert not pulse.look(2 * 10**9) and not pulse.look(3 * 10**9)
    counters["sent"] += 1
    assert pulse.look(4 * 10**9)


def test_faults_from_before_do_not_count():
    counters = Counters()
    counters.fault(100)
    pulse = service.Pulse(counters, False, 0)
    assert pulse.look(1)


class Told(service.Systemd):
    """What was said, in order; the watchdog wants to hear every half second."""

    def __init__(self):
        super().__init__({})
        self.look_us = 500000
        self.lines = []

    def tell(self, *lines, wait_s=0):
        self.lines += lines


def serve(break_at_us=None, until_us=10000000):
    world = World(seed=1)
    board = world.add_board()
    driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
    node = Node(board, driver, Collector(()))
    if break_at_us is not None:
        world.at(break_at_us, lambda: setattr(board.chip, "miso_stuck", 0xFF))
    told = Told()
    service.serve(node, True, until_us, systemd=told)
    return told.lines


def test_a_collector_on_the_virtual_board():
    told = serve()
    assert told[0] == "READY=1" and told[-1] == "STOPPING=1"
    assert 18 <= told.count("WATCHDOG=1") <= 21
    assert "STATUS=0 frames, 0 sent" in told


def test_the_watchdog_is_not_fed_for_a_chip_that_is_gone():
    told = serve(break_at_us=5000000)
    assert 8 <= told.count("WATCHDOG=1") <= 12
    assert any("does not answer" in line and "no_answer" in line for line in told)


def test_without_systemd_it_just_runs():
    world = World(seed=1)
    board = world.add_board()
    node = Node(board, Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"]), Collector(()))
    stops = iter([False, False, True])
    service.serve(node, True, done=lambda: next(stops), systemd=service.Systemd({}))
    assert 900000 <= board.now_us() <= 1100000


class Calm:
    """A node as `calm` sees it, at 1 s."""

    def __init__(self, receiving=False, exact=False, radio_us=None, role_us=None):
        self.radio = type("Radio", (), {"receiving": receiving, "exact": exact, "due_us": radio_us})()
        self.role = type("Role", (), {"due_us": role_us})()
        self.board = type("Board", (), {"now_us": staticmethod(lambda: 1000000)})()


@pytest.mark.parametrize(
    ("node", "calm"),
    [
        (Calm(), True),
        (Calm(receiving=True), False),
        (Calm(radio_us=1000100), True),  # a look at the receiver can wait
        (Calm(exact=True, radio_us=1010000), False),
        (Calm(exact=True, radio_us=1030000), True),
        (Calm(role_us=1019999), False),
        (Calm(role_us=1020000), True),
    ],
)
def test_others_have_their_turn_while_nothing_is_about_to_happen(node, calm):
    assert service.calm(node) is calm


def test_others_have_their_turn_ten_times_a_second():
    world = World(seed=1)
    board = world.add_board()
    node = Node(board, Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"]), Collector(()))
    turns = []
    told = Told()
    service.serve(node, True, 10000000, systemd=told, others=lambda: turns.append(board.now_us()))
    gaps = [after - before for before, after in zip(turns, turns[1:], strict=False)]
    assert 95 <= len(turns) <= 101 and max(gaps) < 200000
    assert 18 <= told.lines.count("WATCHDOG=1") <= 21
