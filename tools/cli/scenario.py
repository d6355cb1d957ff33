"""`omsnode meter --scenario`: the faults of a test meter, from a file or from those that come with the product."""

import difflib
import os
import pathlib

from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import script
from omsnode.firmware.roles.meter import Meter
from omsnode.firmware.roles.scripted import Happened
from omsnode.firmware.roles.window_meter import WindowMeter

SHIPPED = pathlib.Path(__file__).resolve().parent.parent / "scenarios"


def names():
    """Those that come with the product."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def add_arguments(parser):
    parser.add_argument(
        "--scenario",
        metavar="FILE|NAME",
        help="do wrong what this scenario says, for the test of a gateway: a TOML file, or one of --scenarios",
    )
    parser.add_argument(
        "--scenarios", action="store_true", help="list the scenarios that come with the product"
    )


def find(word):
    """Path of a scenario: a shipped name, or a file. ConfigError with a hint."""
    path = pathlib.Path(word)
    if word in names():
        return SHIPPED / (word + ".toml")
    if path.suffix == ".toml" or path.exists():
        return path
    near = difflib.get_close_matches(word, names(), 1)
    raise ConfigError(
        "there is no scenario '{}'".format(word),
        hint="did you mean '{}'?".format(near[0]) if near else "--scenarios lists them; or give a .toml file",
    )


def load(word, profile, windows):
    """The Script of --scenario, for the meter with this roles.meter.Profile. windows: it takes commands."""
    found = script.load(find(word))
    found.check(profile, windows)
    return found


def maker(device, windows):
    """Function that makes the role of a meter out of its stored state, as often as its power comes back. device:
    host.device.Device. windows: it takes commands."""
    profile = device.profile
    key, nominal_us = profile.key, profile.nominal_us

    def make(state):
        # The last role may have left others.
        profile.key, profile.nominal_us = key, nominal_us
        if windows:
            return device.listens.role(WindowMeter, profile, os.urandom(5), state)
        return Meter(profile, os.urandom(5), state)

    return make


def listing():
    """What --scenarios prints: name, what happens, what a gateway should make of it."""
    width = max(len(name) for name in names())
    lines = []
    for name in names():
        found = script.load(SHIPPED / (name + ".toml"))
        lines.append("{:{}}  {}".format(name, width, found.about))
        lines.append("{:{}}  gateway: {}".format("", width, found.gateway))
    return "\n".join(lines)


def told(what):
    """The line for what a scripted meter delivers; None for anything else."""
    if not isinstance(what, Happened):
        return None
    return "fault {} {}{}".format(what.number, what.fault, " " + what.frame if what.frame else "")


def unused(role):
    """At the end: lines on the faults that never happened."""
    return ["fault {} never happened".format(number) for number in role.unused()]
