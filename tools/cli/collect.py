"""`omsnode collect`: receive meters and print their readings until interrupted."""

import argparse
import contextlib
import dataclasses
import sys
import time

from omsnode.board import hats
from omsnode.firmware.application.frames import Formats
from omsnode.firmware.errors import ConfigError, MisuseError
from omsnode.firmware.host import captures, config, key_store, service
from omsnode.firmware.host.masking import without_keys
from omsnode.firmware.host.plan import Plans
from omsnode.firmware.host.store import JsonStore, default_state_dir
from omsnode.firmware.phy.burst import submodes
from omsnode.firmware.roles.trust import Trust
from omsnode.firmware.security import default_keys

from . import _beyond, output, profiles, scene, station, value_handling

_MOST_SECONDS = 10**9
ORDERS_HELP = """\
With [gateway] the steps of an order are told between the readings: {"order": {"number", "meter", "name", "words", "step",
"margin_us", "timestamp", "result", "reason", ...}} in json, a line in table, and on standard error in the other formats.
Orders, their outcome and all counters are kept in state_dir, where `omsnode command` finds the collector.
With --hat virtual every meter with commands = true is played, so that all of this can be tried.
"""
EXAMPLE = """\
[node]
default_keys = false            # true: try the publicly known keys of makers where no key is given below

[radio.main]
hat = "cc1101-spi0"             # or "virtual"
mode = "T+C"

# [radio.south]                 # a second radio: for S beside T+C, or with an antenna elsewhere. Each reading has the
# hat = "cc1101-spi0-second"    # name of its radio; what both hear is told once, of the one that heard it better
# mode = "S1"                   # mode = "UL-B4" (or a sub-carrier: "UL-B1.3") hears the LPWAN burst mode; beyond_limits = true
                                # allows what the chip cannot do within its limits, and labels it

[[meter]]
name = "kitchen_water"
id = "12345678"                 # as printed on it, or whole: 12345678.M=KAM.V=1b.T=16
key = "@kitchen.key"            # name in the key store (`omsnode keys`), file with 32 hex digits, or systemd
                                # credential, in this order; without it the key that the store has for this id
profile = "B"                   # OMS security profile A, B or D that was agreed: nothing weaker is believed of this meter
commands = true                 # `omsnode command kitchen_water ...` may ask something of it; needs [gateway]
# mac_key = "@kitchen.mac"      # of a burst meter: KeyID 0F, for mac-... orders; else as in the key store
# manage_link = true            # of a burst meter on UL-B4: the gateway itself chooses coding, power and downlink, by signal

[gateway]                       # without it the collector never sends
id = "12345678.M=OMS.V=01.T=31" # its own address: digits and version of your choice, device type 31
install = "none"                # "known": confirm the installation of the meters above
# radio = "main"                # which of several radios sends; burst meters are answered by one that listens to a burst mode
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "collect",
        description="Receive meters and print one line per reading. Everything heard is reported; names and keys come\n"
        "from the configuration. Ends with Ctrl-C; counters go to standard error. With [gateway] in the configuration it\n"
        "also asks meters what `omsnode command` tells it to.",
        epilog="\n".join(
            (
                output.FORMATS_HELP,
                value_handling.HELP,
                profiles.HELP,
                ORDERS_HELP,
                "example of a configuration:\n",
                EXAMPLE,
            )
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", metavar="FILE", help="TOML file with one or more [radio.NAME] and known [[meter]]s"
    )
    parser.add_argument("--hat", metavar="NAME", help="radio module: " + ", ".join(station.HATS))
    parser.add_argument(
        "--mode",
        choices=config.RECEIVE_MODES,
        metavar="MODE",
        help="what to listen to: T+C (the default), S1, ..., or of the burst mode UL-B4, or one sub-carrier of UL-B1 to UL-B3: UL-B1.3",
    )
    output.add_options(parser)
    value_handling.add_options(parser)
    profiles.add_options(parser)
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
    radios = _radios(args, settings)
    output.check(args)
    stored = settings.source.store() if settings.source else key_store.find()
    if args.verbose:
        known = ", ".join(
            "{} {} {}".format(one.name, one.address, one.key or "no key") for one in settings.meters
        )
        heard = ", ".join("{} on {}".format(one.mode, one.hat) for one in radios)
        about = "omsnode: {}, known meters: {}\nomsnode: {} keys in {}"
        about = about.format(heard, known or "none", len(stored), stored.path)
        print(without_keys(about), file=sys.stderr)
    first = radios[0]  # what is stored is stored under its name
    bursts = [one for one in radios if one.burst]
    for one in bursts:
        _beyond.check(one, [(one.mode, _beyond.RX)])
    if settings.gateway and first.burst:
        _beyond.check(first, [(name, _beyond.TX) for name in _downlinks(first)])
    virtual = hats.find(first.hat).platform == hats.VIRTUAL
    state_dir = settings.state_dir or default_state_dir()
    values_dir = settings.state_dir if virtual else state_dir
    labels = _beyond.Labels()
    with (
        value_handling.delivering(args, stored.key_for, values_dir, first.name) as plain,
        profiles.behind(args, stored.key_for, plain) as deliver,
        _counter(settings, stored, state_dir, args.format, labels.labelling(deliver), labels) as counter,
        _decoder(bursts) as decoder,
    ):
        taken = counter.deliver if counter else labels.labelling(deliver)
        if virtual:
            return _virtual(settings, radios, taken, counter, args.seconds, stored, labels, decoder)
        store = JsonStore(state_dir, "collector-" + first.name)
        state = _load(store)
        role = station.collector(
            settings.meters,
            first,
            radios[1:],
            decoder is not None,
            Plans().decode,
            default_keys=_public(settings),
            formats=Formats(state=state.get("formats", ())),
            trust=Trust(state.get("counters")),
            keys=stored.key_for,
        )
        wanted = [(one.hat, _beyond.options(one)) for one in radios]
        with station.open_all(wanted) as (board, pairs):
            labels.drivers.update((one.name, driver) for one, (_, driver) in zip(radios, pairs, strict=True))
            node, look = station.gathered(
                board, pairs, radios, role, store, taken, state, counter, station.wall(board), decoder
            )
            until_us = None if args.seconds is None else board.now_us() + int(args.seconds * 1000000)
            return station.until_interrupted(node, lambda: service.serve(node, True, until_us, others=look))


def _downlinks(radio):
    """What a gateway sends with this radio: all that its chip can send within the limits, else the fastest, which suits best."""
    names = [name for name in submodes.DOWNLINKS if not _beyond.labels(radio, [(name, _beyond.TX)])]
    return names or submodes.DOWNLINKS[-1:]


@contextlib.contextmanager
def _decoder(bursts):
    """The decoder of weak bursts, None where there are none or it cannot be."""
    found = captures.decoder() if bursts else None
    if bursts and found is None:
        print(
            "omsnode: without numpy only bursts with few wrong chips are decoded\n  pip install '.[burst]'",
            file=sys.stderr,
        )
    try:
        yield found
    finally:
        if found:
            found.close()


@contextlib.contextmanager
def _counter(settings, stored, state_dir, form, deliver, labels):
    """Where orders are taken, or None for a collector that is no gateway."""
    if settings.gateway is None:
        yield None
        return
    from . import _gateway

    counter = _gateway.Counter(settings, stored, state_dir, form, deliver, labels)
    try:
        yield counter
    finally:
        counter.close()


def _load(store):
    """What was stored, {} if there is nothing."""
    state = store.load() or {}
    if store.problem:
        print("omsnode: {}\n  {}".format(store.problem, store.problem.hint), file=sys.stderr)
    return state


def _radios(args, settings):
    """The radios to hear with, each with a HAT and a mode."""
    radios = settings.radios or [config.Radio()]
    if len(radios) > 1 and (args.hat or args.mode):
        raise MisuseError(
            "--hat and --mode are for one radio", hint="the configuration names {}".format(len(radios))
        )
    found: list[config.Radio] = []
    for radio in radios:
        hat = args.hat or radio.hat
        if hat is None:
            raise ConfigError(
                "no radio module is named" if len(radios) == 1 else "radio {} has no hat".format(radio.name),
                hint="--hat cc1101-spi0, or --hat virtual to try it with nothing attached",
            )
        row = hats.find(hat)
        for other in found:
            known = hats.find(other.hat)
            if known.platform != row.platform:
                raise ConfigError("radio {} is virtual, another is not".format(radio.name))
            if row.platform == hats.LINUX and (known.spi_bus, known.spi_dev) == (row.spi_bus, row.spi_dev):
                raise ConfigError(
                    "radios {} and {} are on one SPI device".format(other.name, radio.name),
                    hint='a second module: hat = "cc1101-spi0-second", or spi_dev=1 and GPIOs of its own',
                )
        found.append(dataclasses.replace(radio, hat=hat, mode=args.mode or radio.mode or "T+C"))
    if settings.gateway:  # the one that sends comes first
        found.sort(key=lambda one: one.name != settings.gateway.radio)
    return found


def _public(settings):
    return default_keys.of if settings.default_keys else None


def _virtual(settings, radios, deliver, counter, seconds, stored, labels, decoder):
    """The meters of the demo, at the speed of real time; and for a gateway those to which it speaks."""
    play = scene.Scene(
        deliver,
        settings.meters or None,
        radios,
        default_keys=_public(settings),
        keys=stored.key_for,
        counter=counter,
        labels=labels,
        decoder=decoder,
    )
    until = float("inf") if seconds is None else seconds
    try:
        return station.until_interrupted(play.collector, lambda: play.run(until, time.sleep, each=play.look))
    finally:
        play.leave()
