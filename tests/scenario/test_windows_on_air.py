"""The bidirectional meter over the virtual air: both drivers on either side, all modes, the ladders of the link sheet 9."""

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.drivers.sx1262 import Sx1262
from omsnode.firmware.application import commands
from omsnode.firmware.phy import radio as contract
from omsnode.firmware.roles.device import Device
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.window_meter import UNLIMITED, WindowMeter
from omsnode.firmware.two_way import TwoWay
from support_commands import KEYS, MASTER, METER, STORAGE, Answer, command, request
from support_partner import Partner

S = 1000000
RADIOS = ("cc1101", "sx1262")


def driver(kind, board):
    pins = board.pins
    if kind == "cc1101":
        return Cc1101(board.spi, pins["gdo0"], pins["gdo2"])
    return Sx1262(
        board.spi,
        pins["busy"],
        pins["dio1"],
        pins["reset"],
        txen=pins.get("txen"),
        rxen=pins.get("rxen"),
        tcxo_mv=1800,
    )


def meter(mode="C2", security=7, **more):
    profile = Profile(
        METER,
        [Register(b"\x04", b"\x13", 6408)],
        mode=mode,
        nominal_us=more.pop("nominal_us", 60 * S),
        key=MASTER,
        security_mode=security,
        with_ell=more.pop("with_ell", True),
    )
    device = Device([commands.Register(b"\x04", b"\x13", 6408)])
    return WindowMeter(profile, bytes((7, 0, 0x80, 0, 0)), KEYS, STORAGE, device, **more)


class Pair:
    def __init__(self, kinds, role, say, mode="C2", seed=3, **boards):
        self.world = World(seed=seed)
        self.role, self.partner = role, Partner(mode, say)
        self.nodes = []
        for kind, one, name in zip(kinds, (role, self.partner), ("meter", "gateway"), strict=True):
            board = self.world.add_board(name=name, chip=kind, **boards)
            node = TwoWay(board, driver(kind, board), one)
            self.nodes.append(node)
            board.take_edges()

    def run(self, until_us):
        self.world.run(self.nodes, until_us)

    @property
    def faults(self):
        return [node.counters.get(contract.FAULT, 0) for node in self.nodes]


# UC-00 (OMS Vol.2 M.2.2): XCT1! that asks for the short answer 4242
SHORT_ANSWER = bytes.fromhex("02fd9f1d4032")
EVERY = pytest.mark.parametrize(
    "kinds, mode", [((a, b), mode) for a in RADIOS for b in RADIOS for mode in ("C2", "T2", "S2")]
)


def passing(telegram):
    return None


def kinds_of(pair):
    return [telegram[1] for _, _, telegram in pair.partner.heard]


@EVERY
def test_command_then_read_9_2(kinds, mode, record_property):
    """SND-NR, SND-UD, ACK, its repetition, REQ-UD2, RSP-UD, SND-NKE; and then it is quiet until the next slot."""
    waited = []

    def read(telegram):
        """In the window of the second ACK."""
        waited.append(telegram)
        return request(0x51) if len(waited) == 2 else None

    say = [
        lambda telegram: command(SHORT_ANSWER, 2800, 0x50, 0x5B, 0x53),
        read,
        lambda telegram: request(0x52, 0x40),
    ]
    pair = Pair(kinds, meter(mode), say, mode)
    pair.run(50 * S)
    assert kinds_of(pair) == [0x44, 0x00, 0x00, 0x08] and waited[0] == waited[1]
    first, second = [at_us for at_us, _, telegram in pair.partner.heard if telegram[1] == 0x00]
    assert abs(second - first - 2 * S) <= 500 + 60
    answer = Answer(pair.partner.heard[-1][2])
    assert answer.tpl.status == 0 and b"\x42\x42" in answer.data and answer.opened.counter == 2801
    assert pair.role.access.state == "rest" and pair.faults == [0, 0] and pair.partner.missed == 0
    assert pair.role.margin_us > 0 and min(pair.partner.margins) > 0
    name = "{} {}/{} margin in us, meter and other side".format(mode, *kinds)
    record_property(name, (pair.role.margin_us, min(pair.partner.margins)))


@EVERY
def test_lost_answer_and_end_of_the_cycle_9_3_9_8(kinds, mode):
    """The same request twice: the same answer; then nobody speaks any more, and the cycle ends by itself."""
    pair = Pair(kinds, meter(mode, nominal_us=120 * S), [lambda telegram: request(0x24)] * 2, mode)
    pair.run(100 * S)
    answers = [(at_us, telegram) for at_us, _, telegram in pair.partner.heard if telegram[1] == 0x08]
    assert len({telegram for _, telegram in answers}) == 1 and pair.role.counters["repeated"] == 1
    # The first, and behind the second request as many as t_TO lets.
    assert 13 <= len(answers) - 1 <= 15
    last_us = pair.partner.sent[-1][1]
    assert answers[-1][0] - last_us + 2 * S >= 25 * S and answers[-1][0] - last_us <= 30 * S
    assert pair.role.access.state == "rest"


@EVERY
def test_installation_and_alarm(kinds, mode):
    """SND-IR until CNF-IR; ACC-DMD, ACK, REQ-UD1, alarm data, SND-NKE (link sheet 9.5, 9.6)."""

    def when(c_field, answer, at=1):
        count = []

        def say(telegram):
            count.append(telegram[1] == c_field)
            return answer(telegram[12]) if sum(count) == at else None

        return say

    say = [
        when(0x46, lambda number: request(number, 0x06), at=2),
        when(0x48, lambda number: request(number, 0x00)),
        lambda telegram: request(0x60, 0x5A),
        lambda telegram: request(0x61, 0x40),
    ]
    role = meter(mode, nominal_us=120 * S)
    pair = Pair(kinds, role, say, mode)
    pair.run(5 * S)
    role.install(5 * S)
    pair.run(90 * S)
    assert kinds_of(pair) == [0x44, 0x46, 0x46]
    role.device.raise_alarm(4)
    pair.run(110 * S)
    assert kinds_of(pair) == [0x44, 0x46, 0x46, 0x48, 0x48, 0x08] and role.device.alarm() is None
    alarm = Answer(pair.partner.heard[-1][2])
    assert (alarm.tpl.ci, alarm.data[:1]) == (0x74, b"\x04")


# Where the response delay is 3 ms nobody is early.
@pytest.mark.parametrize("mode, off_us", [("C2", -4000), ("C2", 4000), ("T2", 4000), ("S2", 60000)])
def test_outside_of_the_window(mode, off_us):
    """Early and late: no answer, and the next window is served."""
    pair = Pair(
        ("cc1101", "cc1101"), meter(mode, nominal_us=20 * S), [lambda telegram: request(0x24)] * 2, mode
    )
    pair.partner.off_us = [off_us]
    pair.run(35 * S)
    assert kinds_of(pair)[:3] == [0x44, 0x44, 0x08] and len(pair.partner.sent) == 2


@pytest.mark.parametrize("kind", RADIOS)
@pytest.mark.parametrize("mode", ["C2", "T2", "S2"])
def test_corrupt_frame_is_met_with_silence(kind, mode):
    pair = Pair((kind, "cc1101"), meter(mode, nominal_us=20 * S), [lambda telegram: request(0x24)] * 2, mode)
    pair.partner.damage = [15]
    pair.run(35 * S)
    assert kinds_of(pair)[:3] == [0x44, 0x44, 0x08] and pair.role.counters["ignored"] == 1


@pytest.mark.parametrize("kind", RADIOS)
def test_unlimited_access_9_9(kind):
    """The other side speaks whenever it likes."""
    role = meter("C2", nominal_us=300 * S, access=UNLIMITED)
    pair = Pair((kind, "cc1101"), role, [], "C2")
    pair.partner.plan = [
        (5 * S, request(0x24)),
        (11 * S, request(0x25)),
        (11400000 + 7 * S, request(0x26, 0x40)),
    ]
    pair.run(60 * S)
    assert kinds_of(pair) == [0x08, 0x44, 0x08]
