"""A meter without an ELL cannot fragment, and an SX1262 cannot send every length (its sheet 7.3): a selected response that is too
long for it is an application error (oms-requirements UC-32), as real roles, the loop and the model of the chip have it."""

import pytest
from omsnode.board.virtual import World
from omsnode.drivers.sx1262 import profiles
from omsnode.firmware.roles import orders
from omsnode.firmware.roles.collector import Collector, KnownMeter
from omsnode.firmware.roles.gateway import Gateway
from omsnode.firmware.roles.meter import Profile, Register
from omsnode.firmware.roles.partner import Partner
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.two_way import TwoWay
from support_ladder import (
    ENDS,
    GATEWAY,
    KEYS,
    LISTEN,
    MASTER,
    STORAGE,
    Memory,
    S,
    address,
    device,
    driver,
    gateway_keys,
    wall,
)

METER = address(0)
LONG = 9  # an application
# Six bytes each: DIF, DIFE (storage number), VIF, three of data
RECORDS = [(bytes((0x8B, number)), b"\x13", 12345) for number in range(1, 16)]
RECORDS += [(bytes((0xCB, number)), b"\x13", 12345) for number in range(1, 16)]


def carries(chips):
    return profiles.left_out(chips) is not None


class Pair:
    """kind: driver of the meter. count: records of the response that is selected."""

    def __init__(self, mode, kind, count, carries):
        self.world = World(seed=1)
        self.told = []
        boards = [
            self.world.add_board(name="gateway", chip="cc1101"),
            self.world.add_board(name="meter", chip=kind),
        ]
        partner = Partner(METER, MASTER, "A", keys=gateway_keys())
        collector = Collector([KnownMeter("meter", METER, MASTER)], LISTEN[mode])
        self.gateway = Gateway(collector, GATEWAY, [partner], bytes(range(32)))
        profile = Profile(
            METER,
            [Register(b"\x0c", b"\x13", 6408)],
            mode=mode,
            nominal_us=60 * S,
            key=MASTER,
            security_mode=5,
            with_ell=False,
        )
        made = device(offered={0: ((),), LONG: (tuple(range(6, 6 + count)),)}, more=RECORDS)
        role = WindowMeter(profile, bytes((7, 0, 0, 0, 9)), KEYS, STORAGE, made, carries=carries)
        self.nodes = [
            TwoWay(boards[0], driver("cc1101", boards[0]), self.gateway, Memory(), self.told.append, wall),
            TwoWay(boards[1], driver(kind, boards[1]), role, Memory(), None, wall),
        ]
        for board in boards:
            board.take_edges()

    def order(self, *words):
        number = self.gateway.queue(METER, orders.make(words, METER, gateway_keys()), 0)
        self.world.run(self.nodes, self.world.now_us + 600 * S, lambda: self.ends(number))
        (found,) = self.ends(number)
        return found.step, found.detail

    def ends(self, number):
        return [one for one in self.told if getattr(one, "number", None) == number and one.step in ENDS]

    def errors(self):
        """Application errors that were heard: CI 6E of a short header and the code."""
        raw = [one.telegram.raw for one in self.told if hasattr(one, "telegram")]
        return [telegram[15:].hex() for telegram in raw if telegram[10] == 0x6E]


@pytest.mark.parametrize("mode, most", [("S2", 110), ("T2", 149)])
def test_too_long_for_the_radio_is_an_application_error(mode, most):
    """L of S2 and T2: SX1262 sheet 7.3. Header without ELL: 10 + 4; mode 5 fills blocks of 16 bytes, with two check bytes."""
    fits = (most - 9 - 5 - 2) // 6
    for count in range(fits - 2, fits + 3):
        length = 9 + 5 + (2 + 6 * count + 15) // 16 * 16
        pair = Pair(mode, "sx1262", count, carries)
        assert pair.order("select", str(LONG))[0] == "done"
        step, detail = pair.order("read")
        assert step == "done"
        # Behind the error the gateway asks for the standard response, of one record.
        assert (pair.errors(), len(detail["records"])) == (([], count) if length <= most else (["03"], 1))


def test_a_radio_that_carries_everything_sends_it():
    pair = Pair("S2", "cc1101", 30, None)
    assert pair.order("select", str(LONG))[0] == "done"
    step, detail = pair.order("read")
    assert step == "done" and len(detail["records"]) == 30
