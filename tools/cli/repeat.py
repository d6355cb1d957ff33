"""`omsnode repeat`: be a single-hop repeater."""

import argparse
import os
import sys
import time

from omsnode.board import hats
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import ConfigError, MisuseError
from omsnode.firmware.host import config, service
from omsnode.firmware.host.store import JsonStore, MemoryStore, default_state_dir
from omsnode.firmware.node import Node
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles.actions import REFUSED, Transmit
from omsnode.firmware.roles.budget import Budget
from omsnode.firmware.roles.meter import Meter
from omsnode.firmware.roles.repeater import Repeater, management

from . import output, scene, station

EXAMPLE = """\
[node]
role = "repeater"
state_dir = "state"             # access number and duty cycle survive here

[radio.main]
hat = "cc1101-spi0"             # or "virtual"
mode = "T+C"                    # what to listen to; each telegram is repeated in the mode it came in

[repeater]
id = "12345678.M=OMS.V=01.T=32" # its own address, for its management data
"""
VIRTUAL_ID = "00000001.M=OMS.V=01.T=32"
PLACE = (10, 10)  # in metres, in the town of the demo


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "repeat",
        description="Say once more what meters say: SND-NR and SND-IR that were not repeated before, 5 to 25 s later, in the mode\n"
        "they came in, changed in nothing but the hop bit. Each transmission is printed. Its own management data are\n"
        "sent every quarter of an hour. When the duty cycle is used up, telegrams are left out, and counted.\n"
        "Ends with Ctrl-C; counters go to standard error.",
        epilog="example of a configuration:\n\n" + EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with a [radio.NAME] and a [repeater]")
    parser.add_argument("--hat", metavar="NAME", help="radio module: " + ", ".join(station.HATS))
    parser.add_argument("--mode", choices=config.RECEIVE_MODES, help="what to listen to (default: T+C)")
    parser.add_argument("--id", metavar="ADDRESS", help="its own address, of device type 32: " + VIRTUAL_ID)
    parser.add_argument(
        "--count", type=int, metavar="N", help="stop after N transmissions instead of with Ctrl-C"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is set up")
    return parser


def run(args):
    settings = config.load(args.config, "repeater") if args.config else config.Config()
    given = settings.radios[0] if settings.radios else config.Radio()
    hat_name = args.hat or given.hat
    if hat_name is None:
        raise ConfigError(
            "no radio module is named",
            hint="--hat cc1101-spi0, or --hat virtual to try it with nothing attached",
        )
    hat = hats.find(hat_name)
    mode = args.mode or given.mode or modes.T_AND_C
    virtual = hat.platform == hats.VIRTUAL
    address = config.repeater_address(args.id) if args.id else settings.repeater
    if address is None:
        if not virtual:
            hint = "--id 12345678.M=OMS.V=01.T=32, with digits of your own choice"
            raise MisuseError("a repeater needs an address of its own", hint=hint)
        address = config.repeater_address(VIRTUAL_ID)
    if virtual:
        store = MemoryStore()
    else:
        store = JsonStore(settings.state_dir or default_state_dir(), "repeater-" + str(address))
        store.claim()
    state = store.load()
    if not virtual and store.problem:
        print("omsnode: {}\n  {}".format(store.problem, store.problem.hint), file=sys.stderr)
    budget = Budget()
    profile = management(address, "C1" if mode == modes.T_AND_C else mode)
    role = Shown(
        Meter(profile, os.urandom(5), state), os.urandom(4), mode, budget, station.carries(hat), state
    )
    if args.verbose:
        print("omsnode: {} repeats {} on {}".format(address, mode, hat_name), file=sys.stderr)

    def done():
        return args.count is not None and role.shown >= args.count

    if virtual:
        return _virtual(role, store, budget, done, args.count)
    with station.open(hat_name) as (board, driver):
        node = Node(board, driver, role, store, wall=station.wall(board), state=state, ledger=budget)
        return station.until_interrupted(node, lambda: service.serve(node, True, done=done))


def _virtual(role, store, budget, done, count):
    """Among the meters of the demo, at the speed of real time; with a count as fast as it goes."""
    town = scene.Scene(lambda reading: None)
    board = town.world.add_board(name="repeater", position=PLACE)
    driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
    start_us = town.start_us
    node = Node(board, driver, role, store, wall=lambda at_us: output.sane(start_us + at_us), ledger=budget)
    sleep = time.sleep if count is None else None
    nodes = [*town.senders, node]
    return station.until_interrupted(node, lambda: scene.run(town.world, nodes, stop=done, sleep=sleep))


class Shown(Repeater):
    """The repeater, whose transmissions are printed once they have been sent."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.shown = 0
        self._last = None

    def tick(self, now_us, wall_us=None):
        actions = super().tick(now_us, wall_us)
        for action in actions:
            if isinstance(action, Transmit):
                self._last = action
        return actions

    def feed(self, event, now_us, wall_us=None):
        if event.kind == radio.SENT and self._last:
            stamp = output.timestamp(wall_us) or "time unknown"
            print(stamp, self._last.mode, self._last.telegram.hex().upper(), flush=True)
            self.shown += 1
        elif event.kind == REFUSED and event.code == "persist":
            print("omsnode: state is not stored: {}".format(event.error), file=sys.stderr, flush=True)
        return super().feed(event, now_us, wall_us)
