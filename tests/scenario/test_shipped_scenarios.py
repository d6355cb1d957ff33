"""Every scenario that comes with the product against our own gateway: what becomes of the orders, and what was on the air."""

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.host import script
from omsnode.firmware.link import telegram as link_telegram
from omsnode.firmware.roles import orders
from omsnode.firmware.two_way import TwoWay
from omsnode.tools.cli import scenario
from support_scenario import METER, WALL_US, Bench, S, Store, gateway_key

MODES = ("C2", "T2", "S2")
SELECT = ("select", "17")
READ = ("read",)
WRITE = ("write", "0C:13", "2.5")
DONE = "done"

# Name: orders, each with its outcome: "done", or the reason why it failed; and how often its first datagram was sent at most (None:
# looked at below).
CASES = {
    "readout": [(READ, DONE, 1), (READ, DONE, 2)],
    "command": [(SELECT, DONE, 1), (SELECT, DONE, 2)],
    "command-silence": [(SELECT, DONE, 1), (SELECT, DONE, 8)],
    "busy": [(SELECT, DONE, 1), (SELECT, DONE, None)],
    "busy-for-ever": [(SELECT, DONE, 1), (SELECT, "still busy", None)],
    "application-error": [(SELECT, DONE, 1), (SELECT, "application error 12h", 1), (SELECT, DONE, 1)],
    "nack": [(SELECT, DONE, 1), (SELECT, "NACK", 1), (SELECT, DONE, 1)],
    "snd-ud2": [(WRITE, DONE, 1), (WRITE, DONE, None), (WRITE, DONE, None)],
    "breaker": [(("valve", "close"), DONE, None), (("valve", "open"), DONE, None)],
    "cycle-ends-early": [(("clock-adjust", "5"), DONE, None), (READ, DONE, 1)],
    "cycle-without-end": [(READ, DONE, 1), (READ, DONE, None)],
    "unlimited": [(READ, DONE, 1), (READ, DONE, 3)],
    "says-always": [(READ, DONE, 11)],
    "no-window": [(READ, DONE, 1)],
    "deaf": [(READ, DONE, 4)],
    "late-answer": [(SELECT, DONE, 1), (SELECT, DONE, 2)],
    "early-answer": [(SELECT, DONE, 1), (SELECT, DONE, 2)],
    "double-answer": [(SELECT, DONE, 1), (READ, DONE, 1), (WRITE, DONE, 1)],
    "damaged-answer": [(READ, DONE, 1), (READ, DONE, 2), (READ, DONE, 2)],
    "foreign-answer": [(READ, DONE, 3), (READ, DONE, 1)],
    "wrong-data": [
        (("read", "volume"), DONE, 1),
        (("read", "volume"), "none of the points", 1),
        (("read", "volume"), DONE, 1),
    ],
    "wrong-mac": [(READ, DONE, 3), (READ, DONE, 1)],
    "wrong-key": [(READ, DONE, None)],
    "replay": [(READ, DONE, 1), (READ, DONE, 3), (READ, DONE, 1)],
    "counter-back": [],
    "counter-ahead": [(SELECT, "application error 20h", None), (SELECT, DONE, 1)],
    "forgotten-key": [(SELECT, DONE, 1), (SELECT, "application error 20h", None)],
    "power-cut": [(WRITE, DONE, 1), (READ, DONE, 1)],
    "factory-new": [(READ, DONE, 1), (SELECT, DONE, None)],
    "clock": [(("clock-read",), DONE, 1), (("clock-adjust",), DONE, 1), (("clock-adjust",), "10h", 1)],
    "key-change": [(("key-change",), DONE, None), (READ, DONE, 1)],
    "heeds-fcb": [(SELECT, DONE, 1), (READ, DONE, 1), (READ, DONE, 1)],
    "alarm-waits": [(SELECT, DONE, 1), (READ, DONE, 1)],
    "alarm": [],
    "installation": [],
    "installation-far": [],
    "unidirectional": [],
    "drift": [],
    "moved-slots": [],
    "other-interval": [],
    "number-jump": [],
}
# The fault that never happens with a gateway that does as it should.
AVOIDED = {"heeds-fcb": [1]}
UNLIMITED = {"access": 0x84}


def play(name, mode, behind_s=0):
    """The Bench behind all orders of a case, checked, and so many seconds later."""
    bench = Bench(name, mode, **(UNLIMITED if name == "unlimited" else {}))
    bench.run(10 * S)
    for number, (words, expected, most) in enumerate(CASES[name], 1):
        before = len(bench.frames("gateway"))
        step, detail = bench.order(*words)
        if expected == DONE:
            assert step == DONE, (name, mode, words, detail, bench.steps(number))
        else:
            assert step == "failed" and expected in detail, (name, mode, words, step, detail)
        sent = [raw for _, raw in bench.frames("gateway")[before:] if raw[1] & 0xDF != 0x40]
        same = [raw for raw in sent if number_of(raw) == number_of(sent[0])]
        assert most is None or len(same) <= most, (name, mode, words, len(same))
    bench.run(behind_s * S)
    return bench


def number_of(raw):
    return link_telegram.parse(raw).ell.access_number


def verdicts(bench):
    return [one.telegram.verdict for one in bench.readings if not one.telegram.to_meter]


def times(frames):
    return [at_us for at_us, *_ in frames]


def test_every_scenario_is_here():
    assert sorted(CASES) == scenario.names()
    for name in scenario.names():
        found = script.load(scenario.find(name))
        assert found.about and found.gateway and found.rules, name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name, asked in CASES.items() if asked])
def test_orders_end_as_they_should(name, mode):
    bench = play(name, mode, 30)
    assert bench.meter.unused() == AVOIDED.get(name, [])
    # Whatever happened, the meter is well again.
    if name not in ("forgotten-key", "says-always", "busy-for-ever"):
        assert bench.order("read")[0] == DONE


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["command", "command-silence", "late-answer", "early-answer"])
def test_a_command_is_never_executed_twice(name, mode):
    """All transmissions of the second command are one telegram."""
    bench = play(name, mode)
    commands = [raw for _, raw in bench.frames("gateway", 0x53)]
    assert len(set(commands)) == 2
    assert bench.meter.counters["executed"] == 2


@pytest.mark.parametrize("mode", MODES)
def test_busy(mode):
    bench = play("busy", mode)
    polls = [raw for _, raw in bench.frames("gateway", 0x5B)]
    assert len(polls) >= 2
    # New numbers for each (oms-requirements sheet 14.4): ELL and TPL; one that got lost is repeated as it was.
    different = set(polls)
    assert len({number_of(raw) for raw in different}) == len({raw[22] for raw in different}) == len(different)


@pytest.mark.parametrize("mode", MODES)
def test_busy_for_ever(mode):
    bench = play("busy-for-ever", mode)
    command_us = times(bench.frames("gateway", 0x53))[-1]
    assert max(times(bench.frames("gateway", 0x5B))) < command_us + 125 * S


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_command_is_not_repeated(mode):
    for name in ("nack", "application-error"):
        commands = [raw for _, raw in play(name, mode).frames("gateway", 0x53)]
        assert len(commands) == 3 and len(set(commands)) == 3, name


@pytest.mark.parametrize("mode", MODES)
def test_a_meter_without_snd_ud2(mode):
    bench = play("snd-ud2", mode)
    assert len(bench.frames("gateway", 0x43)) == 2  # then never again
    assert len(bench.frames("gateway", 0x53)) == 2


@pytest.mark.parametrize("mode", MODES)
def test_breaker(mode):
    bench = play("breaker", mode)
    assert bench.meter.meter.device.registers[1].value == 1
    secured = [one.apdu for one in bench.other if getattr(one, "key_id", None) == 0x20]
    assert secured == [bytes.fromhex("8140FD1F00"), bytes.fromhex("8140FD1F01")]  # each once


@pytest.mark.parametrize("mode", MODES)
def test_alarm(mode):
    bench = play("alarm", mode, 900)
    demands = bench.frames("meter", 0x48)
    acks = bench.frames("gateway", 0x00)
    assert len(acks) >= 2
    for at_us, raw in acks:
        # Behind an ACC-DMD, with the meter's own number.
        last_us, last = [one for one in demands if one[0] < at_us][-1]
        assert at_us - last_us < 1200000 and number_of(raw) == number_of(last)
    assert times(acks)[0] < 400 * S < times(acks)[-1]
    answers = [raw for _, raw in bench.frames("meter", 0x08)]
    assert len(set(answers)) >= 2
    assert bench.meter.meter.device.alarms == 0  # both were told
    assert bench.meter.unused() == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name, least", [("installation", 2), ("installation-far", 1)])
def test_installation(name, least, mode):
    bench = play(name, mode, 400)
    asked = times(bench.frames("meter", 0x46))
    confirmed = times(bench.frames("gateway", 0x06))
    assert len(confirmed) == least == len(asked)  # a confirmed meter asks no more
    farewells = times(bench.frames("gateway", 0x40))
    assert len(farewells) == len(asked)
    for at_us, farewell_us in zip(asked, farewells, strict=True):
        assert 5 * S <= farewell_us - at_us <= 25.2 * S
    assert bench.meter.unused() == []


@pytest.mark.parametrize("mode", MODES)
def test_a_cycle_without_end_does_not_keep_the_gateway_busy(mode):
    bench = play("cycle-without-end", mode, 150)
    # Three for each of the two orders; the meter's cycle has 120 s.
    assert len(bench.frames("gateway", 0x40)) <= 6
    assert not [one for one in bench.frames("meter", 0x08) if one[0] > bench.air.now_us - 60 * S]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_sent_where_there_is_no_window(mode):
    bench = play("no-window", mode)
    slots = times(bench.frames("meter", 0x44))
    assert slots[4] < times(bench.frames("gateway"))[0] < slots[4] + 1200000


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "name, verdict, least",
    # The repetition in the cycle is the same telegram, and told once.
    [("wrong-mac", "mac_mismatch", 1), ("wrong-key", "mac_mismatch", 2), ("replay", "replayed", 1)],
)
def test_what_is_not_authentic_is_told_as_that(name, verdict, least, mode):
    bench = play(name, mode, 120)
    told = verdicts(bench)
    assert told.count(verdict) >= least, told
    assert told[-1] == "authenticated"
    assert {*told} <= {"authenticated", "plain", verdict}


@pytest.mark.parametrize("mode", MODES)
def test_counter_back(mode):
    bench = play("counter-back", mode, 600)
    told = verdicts(bench)
    # Counters 1 to 5, then 2 to 4; the second 5 is taken for a repetition of the first, and 6 is new.
    assert told == ["authenticated"] * 5 + ["replayed"] * 3 + ["authenticated"] * (len(told) - 8)
    assert len(told) > 8


@pytest.mark.parametrize("mode", MODES)
def test_factory_new(mode):
    bench = play("factory-new", mode, 300)
    assert "replayed" in verdicts(bench)


@pytest.mark.parametrize("mode", MODES)
def test_unidirectional(mode):
    bench = play("unidirectional", mode, 450)
    assert [one.telegram.access_number for one in bench.readings] == [41, 42, 44, 46, 47, 48]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["unidirectional", "drift", "moved-slots", "other-interval", "number-jump"])
def test_the_next_telegram_is_predicted_all_the_same(name, mode):
    bench = play(name, mode, 1800)
    row = bench.gateway.expected(METER, bench.air.now_us)
    bench.run(200 * S)
    heard = [one.at_us for one in bench.readings if one.at_us > row[0] - 30 * S]
    assert abs(heard[0] - row[0]) <= 3000, (name, heard[0] - row[0])
    assert bench.meter.unused() == []


@pytest.mark.parametrize("mode", MODES)
def test_power_cut(mode):
    bench = play("power-cut", mode)
    slots = times(bench.frames("meter"))
    assert max(b - a for a, b in zip(slots, slots[1:], strict=False)) >= 90 * S
    assert bench.meter.counters["sent"] > len(bench.frames("meter", 0x44))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chip", ["cc1101", "sx1262"])
def test_over_the_radios(chip, mode):
    """What the air of the other tests leaves out: drivers, windows that are armed, answers that take the radio's time."""
    bench = Bench("command", mode)
    world = World(seed=2)
    nodes = [radio_node(world, chip, "gateway", bench.gateway, bench)]
    nodes.append(radio_node(world, chip, "meter", bench.meter, bench))
    world.run(nodes, 10 * S)
    for _ in range(2):
        number = bench.gateway.queue(METER, orders.make(list(SELECT), METER, gateway_key), world.now_us, None)
        world.run(nodes, world.now_us + 300 * S, stop=lambda number=number: bench.outcome(number))
        assert bench.outcome(number)[0] == DONE
        world.run(nodes, world.now_us + 40 * S)
    assert bench.meter.counters["executed"] == 2 and bench.meter.unused() == []
    margins = [one.margin_us for one in bench.events if one.margin_us is not None]
    assert min(margins) > 0


def radio_node(world, chip, name, role, bench):
    board = world.add_board(name=name, chip=chip)
    pins = board.pins
    if chip == "cc1101":
        driver = Cc1101(board.spi, pins["gdo0"], pins["gdo2"])
    else:
        switch = {line: pins.get(line) for line in ("txen", "rxen")}
        driver = Sx1262(board.spi, pins["busy"], pins["dio1"], pins["reset"], tcxo_mv=1800, **switch)
    node = TwoWay(board, driver, role, Store(), bench.deliver, lambda at_us: WALL_US + at_us)
    board.take_edges()
    return node
