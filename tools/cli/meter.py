"""`omsnode meter`: be the meter that a configuration file describes."""

import argparse
import dataclasses
import os
import signal
import sys
import time
from typing import Any

from omsnode.board import hats
from omsnode.board.virtual import World
from omsnode.firmware.errors import ConfigError, MisuseError
from omsnode.firmware.host import config, meter_state, service
from omsnode.firmware.host.lpwan_access import BurstAccess
from omsnode.firmware.host.store import JsonStore, default_state_dir
from omsnode.firmware.link import control
from omsnode.firmware.node import Node
from omsnode.firmware.phy import modes, radio
from omsnode.firmware.roles.actions import Transmit
from omsnode.firmware.roles.commanded import Executed
from omsnode.firmware.roles.meter import Meter
from omsnode.firmware.roles.scripted import Scripted
from omsnode.firmware.roles.window_meter import WindowMeter
from omsnode.firmware.two_way import TwoWay

from . import _beyond, output, scenario, scene, station

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
mode = "T1"                     # T1, C1, S1, S1-m; T2, C2 and S2 with a key: it listens, and answers a gateway; burst mode: below
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
# Also for one that listens: access = "unlimited" (all the time, not only behind its own telegrams) or "none",
#   cycle_s = 3 (an answer is repeated so often: 2, 3 or 5), fast_response = true (mode C2: 0.1 s, not 1 s),
#   fillers = 2 (telegrams without data between two with), clock = "gateway", "head-end", "both" or "none" (whom it
#   obeys), valve = "direct" or "manual", key_version = 1; and keys of its applications, each in a table:
#   [[meter.further_key]]
#   key_id = 0x22                # as OMS numbers them: 20 valve, 21 and 22 clock, ...
#   key = "@clock.key"
# A burst meter (OMS LPWAN, OMS Vol.2 Annex Q); everything but mode and key may be left out:
#   mode = "UL-B4"               # UL-B1 to UL-B4, UL-B1+B2 (dual channel)
#   coding = "1/2"               # 7/8, 1/2, 1/3, multi; of multi bursts also spacing = "short", "medium" or "long"
#   downlink = "DL-B4"           # DL-B1 to DL-B4: it listens; and then
#   mac_key = "@mac.key"         # KeyID 0F (also from the key store): without it there is no link and clock management
#   access = 1                   # access option 1 to 6: 2 and 4 have an additional window, 3, 4 and 6 multi bursts down
#   response_timing = 2          # response timing option 1 to 8
#   dl_rxm_ms = 75               # longest burst that it receives: 25 to 2200, 0 is unlimited
#   sub_carriers = [0, 2, 4]     # n that it may send on;  tiv = 64, clock_ppm = 250
#   uplinks = ["UL-B1"], downlinks = ["DL-B1"], codings = ["1/3"]     # what link management may choose beside the above
#   power_steps = 2 (of 3 dB), fallback_counter = 100, session_resume_s = 0; clock, valve, fillers, further_key as above
#   The chip must keep to the limits of Annex Q (omsnode selftest --sub-modes); beyond_limits = true in [radio.main] lets a
#   test meter go on with one that does not, and everything printed of it is labelled.
#
# Also for a record: function = "maximum", storage = 1, tariff = 2, subunit = 1, qualifiers = ["backward"],
#   resolution = 0.001, clear = true (not encrypted; such records stand last), writable = true (by commands)
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "meter",
        description="Send the registers of a configuration file, periodically and encrypted if it names a key.\nAccess number, "
        "message counter and registers are kept in state_dir, so a restart or a power cut repeats\nnone of them: "
        "behind a cut up to 64 are left out. Ends with Ctrl-C.\n\n"
        "Printed is what it sends: time, mode, telegram; of an answer also its kind and how far it was from the edges of\n"
        "its window. What it hears: time, `heard`, kind, telegram. What a command makes it do: `executed`. What a scenario\n"
        "makes it do wrong: `fault`. Of a burst: the telegram in it (or the MAC frame without its CRC, where there is none), MAC\n"
        "frame type, C-field, which burst of its frame.",
        epilog="example of meter.toml:\n\n" + EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="meter.toml", nargs="?", help="TOML file with one [[meter]] and its records or points"
    )
    parser.add_argument("--hat", metavar="NAME", help="radio module: " + ", ".join(station.HATS))
    parser.add_argument(
        "--count", type=int, metavar="N", help="stop after N telegrams instead of with Ctrl-C"
    )
    parser.add_argument(
        "--install",
        action="store_true",
        help="press the button of a bidirectional meter; later: kill -USR1 PID",
    )
    scenario.add_arguments(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="say on standard error what is set up")
    return parser


def run(args):
    if args.scenarios:
        print(scenario.listing())
        return 0
    if args.file is None:
        raise MisuseError("no meter.toml is given", hint="omsnode meter --help shows an example")
    settings = config.load(args.file, "meter")
    device = settings.meters[0]
    one = settings.radios[0] if settings.radios else config.Radio()
    hat = args.hat or one.hat
    if hat is None:
        raise ConfigError(
            "no radio module is named", hint="--hat cc1101-spi0, or --hat virtual to see what would be sent"
        )
    one = dataclasses.replace(one, hat=hat)
    burst = isinstance(device.listens, BurstAccess)
    if burst:
        _fits(args, device.listens, one)
    # By the meter's own address, also behind an adapter: it is that which makes an access number unique.
    store = JsonStore(settings.state_dir or default_state_dir(), "meter-" + str(device.profile.meter_address))
    store.claim()
    state = meter_state.load(store, device.profile)
    if store.problem:
        print("omsnode: {}\n  {}".format(store.problem, store.problem.hint), file=sys.stderr)
    for warning in device.warnings:
        print("omsnode: {}: {}".format(args.file, warning), file=sys.stderr)
    if args.scenario:
        faults = scenario.load(args.scenario, device.profile, bool(device.listens))
        role = ShownScripted(scenario.maker(device, bool(device.listens)), faults.rules, state)
    elif burst:
        from ._burst_meter import made

        role = made(device, os.urandom(5), state)
    elif device.listens:
        role = device.listens.role(ShownWindowMeter, device.profile, os.urandom(5), state)
        role.carries = station.carries(hats.find(hat))
    else:
        role = ShownMeter(device.profile, os.urandom(5), state)
    role.files = store.path.with_suffix(".*")
    button = Button(args.install, device.listens and role)
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
    try:
        return _run(one, role, device.listens, store, state, args.count, button)
    finally:
        for line in scenario.unused(role) if args.scenario else ():
            print("omsnode: " + line, file=sys.stderr)


def _fits(args, access, one):
    """That this radio can be that burst meter."""
    if args.scenario:
        raise MisuseError("a burst meter has no scenario", hint="scenarios are for modes S, T and C")
    uses = [(name, _beyond.TX) for name in access.uplinks] + [(name, _beyond.RX) for name in access.downlinks]
    _beyond.check(one, uses)
    if hats.find(one.hat).chip == "sx1262":
        from omsnode.drivers.sx1262.submodes import longest

        most: dict[str, int] = dict(longest(modes.UP))
        access.longest = min(most.get(coding, most["7/8 and multi burst"]) for coding in access.codings)


def _run(one, role, listens, store, state, count, button):
    options = _beyond.options(one)
    if hats.find(one.hat).platform == hats.VIRTUAL:
        return _virtual(one, options, role, listens, store, state, count, button)
    with station.open(one.hat, **options) as (board, driver):
        role.labels = _beyond.Labels({one.name: driver})
        role.radio_name = one.name
        node = _loop(listens)(board, driver, role, store, executed, station.wall(board), state)

        def done():
            return count is not None and role.counters["sent"] >= count

        others = (lambda: button.look(board.now_us())) if listens else None
        return station.until_interrupted(node, lambda: service.serve(node, False, done=done, others=others))


def _loop(listens):
    return TwoWay if listens else Node


class Button:
    """The installation button of a meter: pressed at the start, or by SIGUSR1. role: WindowMeter, or None: it has none."""

    def __init__(self, pressed, role):
        self._pressed = pressed
        self._role = role
        if role is not None:
            signal.signal(signal.SIGUSR1, self._press)
        elif pressed:
            raise MisuseError(
                "--install is for a bidirectional meter", hint='mode = "T2" (or C2, S2) and a key in the file'
            )

    def _press(self, *_):
        self._pressed = True

    def look(self, now_us):
        """Call it now and then."""
        if self._pressed and self._role is not None:
            self._pressed = False
            self._role.install(now_us)


def _virtual(one, options, role, listens, store, state, count, button):
    """On the model of the chip, at the speed of real time; with a count as fast as it goes."""
    world = World(seed=1)
    board, driver = station.virtual(world, "meter", None, one.hat, **options)
    role.labels = _beyond.Labels({one.name: driver})
    role.radio_name = one.name
    start_us = time.time_ns() // 1000
    node = _loop(listens)(
        board, driver, role, store, executed, lambda at_us: output.sane(start_us + at_us), state
    )

    def done():
        return count is not None and role.counters["sent"] >= count

    def each():
        button.look(board.now_us())

    sleep = time.sleep if count is None else None
    return station.until_interrupted(
        node, lambda: scene.run(world, [node], stop=done, sleep=sleep, each=each)
    )


class Shown:
    """What a meter role does is printed: before one of Meter, WindowMeter or Scripted. files: where its state is."""

    counters: dict
    files = "its state"
    to_show: Any = None  # Transmit that the radio has
    asked_to_show: Any = None  # what was Asked, not yet printed
    labels: Any = None  # _beyond.Labels
    radio_name = "main"

    def _carried(self, sent):
        return sent.telegram

    def _kind(self, sent):
        return control.name(sent.telegram[1], True)

    def _noted_for_show(self, actions):
        for one in actions:
            if isinstance(one, Transmit):
                self.to_show = one
        return actions

    def tick(self, now_us, wall_us=None):
        actions = self._noted_for_show(super().tick(now_us, wall_us))  # type: ignore[misc]
        if self.counters.get("exhausted", 0) == 1 and not actions:
            print("omsnode: the message counter is used up, nothing is sent any more", file=sys.stderr)
            print(
                "  give the meter a new key, and delete {}".format(self.files),
                file=sys.stderr,
            )
        return actions

    def feed(self, event, now_us, wall_us=None):
        stamp = output.timestamp(wall_us) or "time unknown"
        if event.kind == radio.SENT:
            sent = self.to_show
            words = [stamp, sent.mode, self._carried(sent).hex().upper()]
            if sent.until_us is not None:
                margin_us = min(event.at_us - sent.at_us, sent.until_us - event.at_us)
                words.append("{} margin {} us".format(self._kind(sent), margin_us))
            if self.labels and self.labels.of(self.radio_name):
                words.append(_beyond.MARK)
            print(*words, flush=True)
        elif event.kind not in (radio.FRAME, radio.REJECTED):
            why = event.error or event.code or ""
            print("omsnode: {}: {}".format(event.kind.replace("_", " "), why), file=sys.stderr, flush=True)
            hint = getattr(event.error, "hint", "")  # a store may fail with a plain OSError
            if hint:
                print("  " + hint, file=sys.stderr, flush=True)
        actions = self._noted_for_show(super().feed(event, now_us, wall_us))  # type: ignore[misc]
        if self.asked_to_show:
            print(
                stamp,
                "heard",
                self.asked_to_show.kind or "?",
                self.asked_to_show.raw.hex().upper(),
                *([_beyond.MARK] if self.labels and self.labels.of(self.radio_name) else ()),
                flush=True,
            )
            self.asked_to_show = None
        return actions


class ShownMeter(Shown, Meter):
    """A meter that only sends."""


class ShownTwoWay(Shown):
    """The same before one that may answer."""

    def reply(self, event, now_us):
        transmit = super().reply(event, now_us)  # type: ignore[misc]
        self.to_show = transmit or self.to_show
        return transmit


class ShownScripted(ShownTwoWay, Scripted):
    """One that follows a scenario. What is printed is what was really on the air, and not what the meter believes."""

    def feed(self, event, now_us, wall_us=None):
        actions = super().feed(event, now_us, wall_us)
        if event.kind == radio.FRAME and self.frame:
            kind, telegram, heard = self.frame
            stamp = output.timestamp(wall_us) or "time unknown"
            print(stamp, "heard" if heard else "not heard", kind, telegram.hex().upper(), flush=True)
        return actions


class ShownWindowMeter(ShownTwoWay, WindowMeter):
    """One that also listens."""

    def _asked(self, *arguments):
        self.asked_to_show = super()._asked(*arguments)
        return self.asked_to_show


def executed(what):
    """What a command asked of the device above the meter; a fault of a scenario that has happened."""
    line = scenario.told(what)
    if line:
        print(line, flush=True)
    if isinstance(what, Executed):
        text = "executed KeyID {:02X} protocol {} {}".format(
            what.key_id, what.protocol, what.apdu.hex().upper()
        )
        print(text, flush=True)
