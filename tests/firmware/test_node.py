"""The event loop: order of actions, what happens when one of them is refused, due instants."""

import pytest
from omsnode.board.virtual import World
from omsnode.firmware.errors import DutyCycleError, StoreError
from omsnode.firmware.host.store import MemoryStore
from omsnode.firmware.node import Node
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.actions import REFUSED, Deliver, Listen, Persist, Transmit
from support_wire import Clock, WireBoard, WireRadio


class Script:
    """A role that does what the test says at given instants, and notes what it is told."""

    def __init__(self, **at):
        self.plan = sorted((int(key[1:]), actions) for key, actions in at.items())
        self.heard = []
        self.counters = {}

    @property
    def due_us(self):
        return self.plan[0][0] if self.plan else None

    def start(self, now_us):
        return []

    def feed(self, event, now_us, wall_us=None):
        self.heard.append((event.kind, event.code, now_us, wall_us))
        return []

    def tick(self, now_us, wall_us=None):
        return self.plan.pop(0)[1]


class Store:
    def __init__(self, calls, error=None):
        self.calls = calls
        self.error = error

    def save(self, state):
        if self.error:
            raise self.error
        self.calls.append(("save", state))


CHIPS = bytes(50)
SEND = Transmit("T1", "up", CHIPS, 1000, b"", None, 0)


def node(role, **more):
    return Node(WireBoard(Clock()), WireRadio(), role, **more)


def test_state_is_stored_before_the_telegram():
    it = node(Script(t100=[Persist({"n": 1}, 1), SEND]))
    it.store = Store(it.radio.calls)
    it.run(5000)
    planned = [1, 100 - 5000, 4000]  # 868.95 MHz, ends at 5000 us, 4 ms long
    assert it.radio.calls == ["start", ("save", {"n": 1, "duty_cycle": planned}), "transmit", "sleep"]
    assert it.role.heard == [(radio.SENT, None, 1000, None)]


@pytest.mark.parametrize("error", [OSError(28, "full"), StoreError("full")])
def test_nothing_is_sent_whose_state_could_not_be_stored(error):
    it = node(Script(t100=[Persist({"n": 1}, 1), SEND]))
    it.store = Store(it.radio.calls, error)
    it.run(5000)
    assert it.radio.calls == ["start"]
    assert it.role.heard == [(REFUSED, "persist", 100, None)]
    assert it.counters["refused.persist"] == 1


def test_duty_cycle_is_asked_first():
    class Ledger:
        def check(self, frequency_hz, air_time_us, now_us):
            assert (frequency_hz, air_time_us, now_us) == (868950000, 4000, 1000)
            raise DutyCycleError("no", 777000)

    it = node(Script(t100=[SEND]), ledger=Ledger())
    it.run(5000)
    assert it.radio.calls == ["start"]
    assert it.role.heard == [(REFUSED, "duty_cycle", 100, None)]


def test_listening_is_resumed_after_sending():
    it = node(Script(t10=[Listen("T+C", "up")], t100=[SEND]))
    it.run(5000)
    assert it.radio.calls == ["start", "listen", "transmit", "listen"]


def test_too_late_is_told_and_listening_goes_on():
    it = node(Script(t10=[Listen("S1", "up")], t2000=[SEND]))
    it.run(5000)
    assert it.role.heard == [(radio.TOO_LATE, None, 2000, None)]
    assert it.radio.calls[-1] == "listen"


def test_readings_reach_the_callback_and_wall_time_comes_as_argument():
    out = []
    it = node(
        Script(t10=[Deliver("reading")], t20=[SEND]), deliver=out.append, wall=lambda at_us: at_us + 5000000
    )
    it.run(5000)
    assert out == ["reading"] and it.counters["delivered"] == 1
    assert it.role.heard == [(radio.SENT, None, 1000, 5001000)]


def test_due_is_the_earlier_of_radio_and_role():
    it = node(Script(t4000=[]))
    assert it.due_us == 0  # to be started
    it.step()
    assert it.due_us == 4000
    it.radio.transmit(3000)
    assert it.due_us == 3000
    it.role.plan = []
    assert it.due_us == 3000
    it.radio.transmit(None)
    assert it.due_us is None


def test_lost_edges_are_counted_and_the_radio_looks_for_itself():
    it = node(Script())
    it.step()
    it.radio.events = [radio.Event(radio.FAULT, 5, code="x")]
    it.step(lost=3)
    assert it.counters["edges_lost"] == 3
    assert it.role.heard == [(radio.FAULT, "x", 0, None)]


def test_a_transmission_that_breaks_down_is_booked_and_told():
    it = node(Script(t10=[Listen("T+C", "up")], t100=[SEND]))
    it.run(500)
    it.radio.transmit(None)  # the driver rests
    it.radio.events = [radio.Event(radio.FAULT, 500, code="tx_underflow")]
    it.step(lost=1)
    assert it.role.heard == [(radio.FAULT, "tx_underflow", 500, None), (REFUSED, "radio", 500, None)]
    assert it.radio.calls[-1] == "listen"
    assert it.ledger.export(5000) == [1, 0, 4000]  # band of 868.95 MHz, ended at 1000 + 4000 us


def test_a_restart_does_not_give_back_the_duty_cycle():
    it = node(Script(t100=[SEND], t9000=[Persist({"n": 1}, 1)]))
    it.store = MemoryStore()
    it.run(10000)
    assert it.store.state == {"n": 1, "duty_cycle": [1, 4000, 4000]}  # 868.95 MHz, 4 ms ago, 4 ms long
    again = node(Script(), state=it.store.state)
    assert again.ledger.export(0) == [1, 4000, 4000]


def test_who_is_restarted_behind_every_telegram_keeps_the_duty_cycle_too():
    """What is about to be sent is stored with the rest: nobody could do it afterwards."""
    state, sent = None, 0
    for _ in range(1000):
        it = node(Script(t100=[Persist({}, 1), SEND]), state=state)
        it.store = MemoryStore()
        it.run(5000)  # the frame takes 4 ms
        sent += it.counters.get("sent", 0)
        state = it.store.state
    assert sent == 3_600_000 // 4000  # 0.1 % of an hour


@pytest.mark.parametrize(
    "spent",
    [
        [1, -(10**18), 3_600_000],
        [1, 2 * 3600 * 10**6, 3_600_000],
        None,
        7,
        ["x"],
        [1, 2],
        [99, 1, 1],
        [1, 2, -3],
    ],
)
def test_a_damaged_duty_cycle_state_does_no_harm(spent):
    it = node(Script(t100=[SEND]), state={"duty_cycle": spent})
    it.run(5000)
    assert it.counters["sent"] == 1


def test_a_telegram_that_was_refused_does_not_leave_its_successors_uncounted():
    """One write covers many telegrams: if the first of them is refused, the others are sent all the same, and behind a crash
    nobody would know of them."""
    hour_us = 3600 * 10**6
    spent = [1, hour_us - 10**6, 3_600_000]  # the band is used up, for one second still
    later = [Transmit("T1", "up", CHIPS, at_us, b"", None, 0) for at_us in (2000500, 2100500)]
    script = Script(t100=[Persist({}, 64), SEND], t2000000=later[:1], t2100000=later[1:])
    it = node(script, state={"duty_cycle": spent})
    it.store = MemoryStore()
    it.run(2 * 10**6 + 200000)
    assert it.counters["refused.duty_cycle"] == 1 and it.counters["sent"] == 2
    again = node(Script(), state=it.store.state)  # crashed
    held = again.ledger.export(0)
    assert sum(held[2::3]) >= 3_600_000 + 2 * 4000
    with pytest.raises(DutyCycleError):
        again.ledger.check(868950000, 3_600_000 - 4000, 2 * 10**6)


def test_a_node_on_a_late_host_is_started():
    """Its first service was due at "now", and a delay behind that for ever."""
    world = World()
    board = world.add_board()
    it = Node(board, WireRadio(), Script())
    world.run([it], 10000, delay_us=lambda node: 100)
    assert it.radio.calls == ["start"]


def test_a_meter_hears_only_what_is_for_it():
    """Of bursts: their headers carry the timing input value of the meter that is answered."""
    for tiv, known in ((5, (5,)), (None, ())):
        role = Script(t100=[Listen("DL-B4", "down")])
        if tiv is not None:
            role.tiv = tiv
        it = node(role)
        heard = []
        it.radio.listen = lambda deframer, now_us, heard=heard: heard.append(deframer.tivs)
        it.run(200)
        assert heard == [known]
