"""`omsnode meter --scenario`: the faults of a test meter, from a file or from those that come with the product."""

import difflib
import pathlib

from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import script
from omsnode.firmware.roles.scripted import Happened, Scripted

from . import output

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


def wrap(found, make, state):
    """The role of a meter that follows a Script. make: function that makes the meter's role out of its stored state."""
    return Scripted(make, found.rules, state)


def listing():
    """What --scenarios prints: name, what happens, what a gateway should make of it."""
    width = max(len(name) for name in names())
    lines = []
    for name in names():
        found = script.load(SHIPPED / (name + ".toml"))
        lines.append("{:{}}  {}".format(name, width, found.about))
        lines.append("{:{}}  gateway: {}".format("", width, found.gateway))
    return "\n".join(lines)


def line(reading, wall_us=None):
    """The line for a fault that has happened; None for any other reading."""
    if not isinstance(reading, Happened):
        return None
    return "{} fault {}: {}{}".format(
        output.timestamp(wall_us) or "time unknown",
        reading.number,
        reading.fault,
        ", " + reading.frame if reading.frame else "",
    )


def unused(role):
    """What to say at the end of faults that never happened: lines."""
    if not isinstance(role, Scripted):
        return []
    return ["fault {} never happened".format(number) for number in role.unused()]
