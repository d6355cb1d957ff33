"""`omsnode collect`: receive meters and print their readings until interrupted."""

import argparse
import sys
import time

from omsnode.board import hats
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.errors import ConfigError, MisuseError
from omsnode.firmware.host import config, key_store, service
from omsnode.firmware.host.masking import without_keys
from omsnode.firmware.host.plan import Plans
from omsnode.firmware.host.store import JsonStore, default_state_dir
from omsnode.firmware.node import Node
from omsnode.firmware.roles.collector import Collector
from omsnode.firmware.roles.trust import Trust
from omsnode.firmware.security import default_keys

from . import output, scene, station, value_handling

_MOST_SECONDS = 10**9
EXAMPLE = """\
[node]
default_keys = false            # true: try the publicly known keys of makers where no key is given below

[radio.main]
hat = "cc1101-spi0"             # or "virtual"
mode = "T+C"

[[meter]]
name = "kitchen_water"
id = "12345678"                 # as printed on it, or whole: 12345678.M=KAM.V=1b.T=16
key = "@kitchen.key"            # name in the key store (`omsnode keys`), file with 32 hex digits, or systemd
                                # credential, in this order; without it the key that the store has for this id
profile = "B"                   # OMS security profile A, B or D that was agreed: nothing weaker is believed of this meter
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "collect",
        description="Receive meters and print one line per reading. Everything heard is reported; names and keys come\n"
        "from the configuration. Ends with Ctrl-C; counters go to standard error.",
        epilog="\n".join(
            (output.FORMATS_HELP, value_handling.HELP, "example of a configuration:\n", EXAMPLE)
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="TOML file with [radio.main] and known [[meter]]s")
    parser.add_argument("--hat", metavar="NAME", help="radio module: " + ", ".join(station.HATS))
    parser.add_argument("--mode", choices=config.RECEIVE_MODES, help="what to listen to (default: T+C)")
    output.add_options(parser)
    value_handling.add_options(parser)
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="stop after N seconds instead of with Ctrl-C"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is set up")
    return parser


def run(args):
    if args.seconds is not None and not 0 <= args.seconds <= _MOST_SECONDS:  # nan is outside too
        raise MisuseError(
            "--seconds {} is not usable".format(args.seconds), hint="leave it out to go on for ever"
        )
    settings = config.load(args.config, "collector") if args.config else config.Config()
    if len(settings.radios) > 1:
        raise settings.source.error(
            "one radio per process",
            "radio." + settings.radios[1].name,
            None,
            "start `omsnode collect` once for each",
        )
    radio = settings.radios[0] if settings.radios else config.Radio()
    hat = args.hat or radio.hat
    if hat is None:
        raise ConfigError(
            "no radio module is named",
            hint="--hat cc1101-spi0, or --hat virtual to try it with nothing attached",
        )
    mode = args.mode or radio.mode or "T+C"
    output.check(args)
    stored = settings.source.store() if settings.source else key_store.find()
    if args.verbose:
        known = ", ".join(
            "{} {} {}".format(one.name, one.address, one.key or "no key") for one in settings.meters
        )
        about = "omsnode: {} on {}, known meters: {}\nomsnode: {} keys in {}"
        about = about.format(mode, hat, known or "none", len(stored), stored.path)
        print(without_keys(about), file=sys.stderr)
    if hats.find(hat).platform == hats.VIRTUAL:
        with value_handling.delivering(args, settings.state_dir, radio.name) as deliver:
            return _virtual(settings, mode, radio.name, deliver, args.seconds, stored.key_for)
    state_dir = settings.state_dir or default_state_dir()
    store = JsonStore(state_dir, "collector-" + radio.name)
    state = store.load() or {}
    if store.problem:
        print("omsnode: {}\n  {}".format(store.problem, store.problem.hint), file=sys.stderr)
    formats = Formats(state=state.get("formats", ()))
    role = Collector(
        settings.meters,
        mode,
        radio.name,
        default_keys=_public(settings),
        formats=formats,
        trust=Trust(state.get("counters")),
        decode=Plans().decode,
        keys=stored.key_for,
    )
    with (
        value_handling.delivering(args, state_dir, radio.name) as deliver,
        station.open(hat) as (board, driver),
    ):
        node = Node(board, driver, role, store, deliver, station.wall(board), state)
        until_us = None if args.seconds is None else board.now_us() + int(args.seconds * 1000000)
        return station.until_interrupted(node, lambda: service.serve(node, True, until_us))


def _public(settings):
    return default_keys.of if settings.default_keys else None


def _virtual(settings, mode, radio_name, deliver, seconds, keys):
    """The meters of the demo, at the speed of real time."""
    known = settings.meters or None
    play = scene.Scene(deliver, known, mode, radio_name, default_keys=_public(settings), keys=keys)
    return station.until_interrupted(
        play.collector, lambda: play.run(float("inf") if seconds is None else seconds, time.sleep)
    )
