"""The burst meter over the virtual air, both drivers on either side; the gateway answers as each test says."""

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.link.lpwan import elements, mac
from omsnode.firmware.link.lpwan.manager_counters import Manager
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.phy.burst import burst, decode, timing
from omsnode.firmware.roles.actions import Listen, Transmit
from omsnode.firmware.two_way import TwoWay
from support_burst_meter import MAC_KEY, METER, Heard, S, frame, make

END = elements.Down(0, 0, 1)
RADIOS = ("cc1101", "sx1262")


def driver(kind, board):
    pins = board.pins
    if kind == "cc1101":
        return Cc1101(board.spi, pins["gdo0"], pins["gdo2"], beyond_limits=True)
    more = dict(txen=pins.get("txen"), rxen=pins.get("rxen"), tcxo_mv=1800, beyond_limits=True)
    return Sx1262(board.spi, pins["busy"], pins["dio1"], pins["reset"], **more)


class Gateway:
    """A role. say: function of a Heard uplink and of the number of the slot that gives a downlink's (bursts, index), or None."""

    due_us = None

    def __init__(self, uplink, say):
        self.uplink, self.say = uplink, say
        self.heard = []
        self.margins = []
        self._todo = []

    def start(self, now_us):
        return [Listen(self.uplink, modes.UP)]

    def tick(self, now_us, wall_us=None):
        return []

    def feed(self, event, now_us, wall_us=None):
        if event.kind == radio.SENT:
            return self._next(now_us)
        if event.kind != radio.FRAME:
            return []
        head, _, data = burst.receive(event.frame, "up")
        payload = decode.payload(head, [(1 if head.multi else None, data)], mac.valid)
        if payload is None:
            return []
        one = Heard(event.at_us, self.uplink, head, payload)
        self.heard.append(one)
        self._todo = []
        option = elements.option(one.up)
        if option is None or one.mac.type == mac.MACK:
            return []
        given = timing.access(self.uplink, option)
        for slot in timing.slots(self.uplink, head, given.timing, given.additional, given.multi):
            chips = self.say(one, slot)
            if chips is not None:
                self._todo.append((slot, one, chips))
        return self._next(now_us)

    def _next(self, now_us):
        if not self._todo:
            return []
        slot, one, chips = self._todo.pop(0)
        at_us, until_us = timing.answering(one.up.downlink, slot.offset_us)
        return [Transmit(one.up.downlink, modes.DOWN, chips, one.t0_us + at_us, b"", one.t0_us + until_us, 0)]


class Pair:
    def __init__(self, kinds, role, gateway):
        self.world = World(seed=3)
        self.nodes = []
        for kind, one, name in zip(kinds, (role, gateway), ("meter", "gateway"), strict=True):
            board = self.world.add_board(name=name, chip=kind)
            self.nodes.append(TwoWay(board, driver(kind, board), one))
            board.take_edges()

    def run(self, until_us):
        self.world.run(self.nodes, until_us)


@pytest.mark.parametrize("meter_kind", RADIOS)
@pytest.mark.parametrize("gateway_kind", RADIOS)
def test_commands_in_a_session(meter_kind, gateway_kind, record_property):
    """L3: MCMD in RX0, MRSP, MCNR with SC."""
    manager = Manager(MAC_KEY, METER)
    told = []

    def say(one, slot):
        if one.mac.type == mac.MRSP:
            told.append(manager.response(one.mac))
            return burst.downlink(frame(mac.MCNR, (0x40, 6, None), da=END), one.header.tiv, 0, 1)[0]
        body = manager.command(bytes.fromhex("8301"))
        return burst.downlink(frame(mac.MCMD, None, body), one.header.tiv, 0, 2)[0]

    role = make(downlink="DL-B4", nominal_us=40 * S)
    gateway = Gateway("UL-B4", say)
    Pair((meter_kind, gateway_kind), role, gateway).run(115 * S)
    assert [one.type for one in gateway.heard] == ["MSNR", "MRSP"] * 3
    assert told == [bytes.fromhex("B301080801")] * 3
    assert role.counters["taken"] == 6 and not role.session.alive and role.state == "rest"
    # RX0 is 1.5 s behind T0: 250 ppm and the gateway's 20 and 30 and 0.5 ms to either side.
    record_property(
        "RX0, meter {}, gateway {}".format(meter_kind, gateway_kind),
        "a downlink is {} us from the edges of its window, or more, of 905".format(role.margin_us),
    )
    assert 300 < role.margin_us <= 920


@pytest.mark.parametrize("number, index", [(3, 0), (4, 1), (5, 2), (0, 0), (1, 1), (2, 2)])
def test_each_slot_of_a_multi_burst(number, index):
    """A downlink of one burst of three, in each of the six windows; in the early ones MACK follows."""

    def say(one, slot):
        if slot.number != number or len(gateway.heard) > 1:
            return None
        return burst.downlink(frame(mac.MCNR, (0x40, 6, None), da=END), one.header.tiv, 1, 0)[index]

    role = make(downlink="DL-B4", coding="multi", access=4, nominal_us=60 * S)
    gateway = Gateway("UL-B4", say)
    Pair(("sx1262", "sx1262"), role, gateway).run(40 * S)
    assert role.counters["taken"] == 1
    macks = {3: 2, 4: 1, 5: 1}.get(number, 0)
    assert role.counters.get("mack", 0) == macks
    assert len([one for one in gateway.heard if one.mac.type == mac.MACK]) == macks


@pytest.mark.parametrize(
    "downlink, uplink", [("DL-B1", "UL-B1"), ("DL-B2", "UL-B2"), ("DL-B3", "UL-B3"), ("DL-B4", "UL-B1")]
)
def test_pairs_of_sub_modes(downlink, uplink):
    """One sub-carrier each; the meter needs a long DL-RXM for DL-B1."""
    role = make(uplink, downlink=downlink, carriers=(2,), nominal_us=100 * S, rxm=0)

    def say(one, slot):
        n = one.up.downlink_n
        if n and n[0] != 2:
            return None
        return burst.downlink(frame(mac.MCNR, (0x40, 6, None), da=END), one.header.tiv, 0, 0)[0]

    gateway = Gateway(uplink, say)
    Pair(("sx1262", "sx1262"), role, gateway).run(520 * S)
    assert len(gateway.heard) >= 5
    assert role.counters["taken"] >= 1 if downlink in ("DL-B1", "DL-B2") else role.counters["taken"] >= 5
