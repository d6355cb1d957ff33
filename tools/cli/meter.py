"""`omsnode meter`: be the meter that a configuration file describes."""

import argparse
import os
import sys
import time

from omsnode.board import hats
from omsnode.board.virtual import World
from omsnode.drivers.cc1101 import Cc1101
from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config, meter_state, service
from omsnode.firmware.host.store import JsonStore, default_state_dir
from omsnode.firmware.node import Node
from omsnode.firmware.phy import radio
from omsnode.firmware.roles.meter import Meter

from . import output, scene, station

EXAMPLE = """\
[node]
role = "meter"
state_dir = "state"             # access number and registers survive here

[radio.main]
hat = "cc1101-spi0"             # or "virtual"

[[meter]]
name = "kitchen_water"
id = "12345678.M=KAM.V=1b.T=16"
key = "@kitchen.key"            # file with 32 hex digits; without a key nothing is encrypted
security_mode = 5               # OMS profile: 5 is A (what a key alone means), 7 is B, 10 is D; 0 is plain
mode = "T1"                     # T1, C1, S1, S1-m
frame_format = "A"              # B only in mode C
interval_s = 60

[[meter.record]]
quantity = "volume"
unit = "m3"                     # or with a prefix: l, kWh, GJ, kW, ...
value = 12.345                  # its decimals are the resolution
growth_per_hour = 0.120
field = "bcd8"                  # int8 ... int64, bcd2 ... bcd12, real32; default int32

[[meter.record]]
quantity = "date and time"
value = "now"

[[meter.record]]                # anything else: in hex
dib = "02"
vib = "FD17"
data = "0000"

# Or name its data points (OMS Vol.2 Annex B) and be done; every one has a usual value:
#   [[meter]]
#   id = "12345678.M=KAM.V=1b.T=16"
#   points = "OMS standard set"   # all that is obligatory for this device type
#   points = ["VM1!", "VM1!D", "DT2!D"]                          # or these
#   sensors = ["humidity", "temperature"]                        # device type 1F: what kind it is
#   [[meter.record]]              # another value, growth, unit, field, tariff, storage or subunit for one of them,
#   point = "VM1!"                # or one more of them
#   value = 12.345
#   growth_per_hour = 0.120
#
# Also for a [[meter]]: status = 4, ell = true, header = "long",
#   behind_adapter = "id of the radio adapter that sends for it"
# Also for a record: function = "maximum", storage = 1, tariff = 2, subunit = 1, qualifiers = ["backward"],
#   resolution = 0.001, clear = true (not encrypted; such records stand last)
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "meter",
        description="Send the registers of a configuration file, periodically and encrypted if it names a key.\nAccess number, "
        "message counter and registers are kept in state_dir, so a restart or a power cut repeats\nnone of them: "
        "behind a cut up to 64 are left out. Ends with Ctrl-C.",
        epilog="example of meter.toml:\n\n" + EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="meter.toml", help="TOML file with one [[meter]] and its records or points"
    )
    parser.add_argument("--hat", metavar="NAME", help="radio module: " + ", ".join(station.HATS))
    parser.add_argument(
        "--count", type=int, metavar="N", help="stop after N telegrams instead of with Ctrl-C"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is set up")
    return parser


def run(args):
    settings = config.load(args.file, "meter")
    device = settings.meters[0]
    hat = args.hat or (settings.radios[0].hat if settings.radios else None)
    if hat is None:
        raise ConfigError(
            "no radio module is named", hint="--hat cc1101-spi0, or --hat virtual to see what would be sent"
        )
    # By the meter's own address, also behind an adapter: it is that which makes an access number unique.
    store = JsonStore(settings.state_dir or default_state_dir(), "meter-" + str(device.profile.meter_address))
    store.claim()
    state = meter_state.load(store, device.profile)
    if store.problem:
        print("omsnode: {}\n  {}".format(store.problem, store.problem.hint), file=sys.stderr)
    role = Shown(device.profile, os.urandom(5), state, store.path.with_suffix(".*"))
    if args.verbose:
        profile = device.profile
        print(
            "omsnode: {} {} on {}: {} {}, every {} s, {}; state in {}".format(
                device.name,
                profile.address,
                hat,
                profile.mode,
                profile.frame_format,
                profile.nominal_us / 1000000,
                "security mode {}, {}".format(profile.security_mode, profile.key)
                if profile.key
                else "not encrypted",
                store.path,
            ),
            file=sys.stderr,
        )
    if hats.find(hat).platform == hats.VIRTUAL:
        return _virtual(role, store, state, args.count)
    with station.open(hat) as (board, driver):
        node = Node(board, driver, role, store, wall=station.wall(board), state=state)

        def done():
            return args.count is not None and role.counters["sent"] >= args.count

        return station.until_interrupted(node, lambda: service.serve(node, False, done=done))


def _virtual(role, store, state, count):
    """On the model of the chip, at the speed of real time; with a count as fast as it goes."""
    world = World(seed=1)
    board = world.add_board(name="meter")
    start_us = time.time_ns() // 1000
    driver = Cc1101(board.spi, board.pins["gdo0"], board.pins["gdo2"])
    node = Node(board, driver, role, store, wall=lambda at_us: output.sane(start_us + at_us), state=state)

    def done():
        return count is not None and role.counters["sent"] >= count

    sleep = time.sleep if count is None else None
    return station.until_interrupted(node, lambda: scene.run(world, [node], stop=done, sleep=sleep))


class Shown(Meter):
    """The meter role, whose telegrams are printed once they have been sent."""

    def __init__(self, profile, entropy, state, files="its state"):
        super().__init__(profile, entropy, state)
        self.files = files
        self.last = []

    def tick(self, now_us, wall_us=None):
        actions = super().tick(now_us, wall_us)
        self.last = actions or self.last
        if self.counters.get("exhausted", 0) == 1 and not actions:
            print("omsnode: the message counter is used up, nothing is sent any more", file=sys.stderr)
            print(
                "  give the meter a new key, and delete {}".format(self.files),
                file=sys.stderr,
            )
        return actions

    def feed(self, event, now_us, wall_us=None):
        if event.kind == radio.SENT:
            transmit = self.last[-1]
            stamp = output.timestamp(wall_us) or "time unknown"
            print(stamp, transmit.mode, transmit.telegram.hex().upper(), flush=True)
        else:
            why = event.error or event.code or ""
            print("omsnode: {}: {}".format(event.kind.replace("_", " "), why), file=sys.stderr, flush=True)
            hint = getattr(event.error, "hint", "")  # a store may fail with a plain OSError
            if hint:
                print("  " + hint, file=sys.stderr, flush=True)
        return super().feed(event, now_us, wall_us)
