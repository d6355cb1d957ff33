"""The configuration file: TOML (design of the house, "Configuration"), checked, with file, line and hint.

`load(path)` gives a Config or raises ConfigError; the message starts with "file:line:".
"""

import decimal
import pathlib
import re
import tomllib
from dataclasses import dataclass, field

from ..errors import ConfigError
from ..phy import modes
from ..roles.collector import KnownMeter
from . import device, key_store
from .source import Source

ROLES = ("collector", "meter")
RECEIVE_MODES = tuple(sorted({row.name for row in modes.every()})) + (modes.T_AND_C,)

# Per table: {key: type}. A tuple of strings means one of these words.
_TOP = {"node": dict, "radio": dict, "meter": list}
_NODE = {"role": ROLES, "state_dir": str, "default_keys": bool}
_RADIO = {"hat": str, "mode": RECEIVE_MODES}
_KNOWN = {"name": str, "id": str, "key": str, "profile": ("A", "B", "D")}


@dataclass
class Radio:
    """A [radio.name] table. hat: row of board/hats.py, None if the table names none: what is simulated must never be
    taken for what is heard. mode: what to listen to, None for the default."""

    name: str = "main"
    hat: str | None = None
    mode: str | None = None


@dataclass
class Config:
    """What a file says, checked. source: to complain about it with a line; None if there is no file. document: the
    tables as they stand there."""

    source: Source | None = None
    document: dict = field(default_factory=dict)
    role: str = "collector"
    state_dir: pathlib.Path | None = None
    default_keys: bool = False  # try the publicly known ones where a meter has none
    radios: list = field(default_factory=list)
    meters: list = field(default_factory=list)  # KnownMeter for a collector, host.profile.Device for a meter


def load(path, role=None):
    """Read and check the file. role: what the caller needs ("meter", "collector"); another one is refused."""
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        option = "" if role == "meter" else " with --config"
        raise ConfigError(
            "{}: {}".format(path, error.strerror), hint="give the path of a TOML file" + option
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("{}: not UTF-8 text".format(path)) from None
    try:
        document = tomllib.loads(text, parse_float=decimal.Decimal)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = "{}:{}".format(path, line[1]) if line else str(path)
        raise ConfigError(
            "{}: not valid TOML: {}".format(where, error), hint='texts need quotes, as in name = "kitchen"'
        ) from None
    except RecursionError:
        raise ConfigError("{}: not valid TOML: nested too deeply".format(path)) from None
    source = Source(path, text)
    source.check("", document, _TOP)
    node = document.get("node", {})
    source.check("node", node, _NODE)
    config = Config(source, document, role=node.get("role", role or "collector"))
    if role and config.role != role:
        raise source.error("role is '{}', but this command is a {}".format(config.role, role), "node", "role")
    config.default_keys = node.get("default_keys", False)
    if "state_dir" in node:
        config.state_dir = path.parent / node["state_dir"]
        source.key_store = key_store.default_path(config.state_dir)
    for name, values in document.get("radio", {}).items():
        table = "radio." + name
        if not isinstance(values, dict):
            raise source.error("radios have names", "radio", name, "write [radio.main]")
        source.check(table, values, _RADIO)
        config.radios.append(Radio(name, **values))
    for index, values in enumerate(document.get("meter", [])):
        table = "meter[{}]".format(index)
        if not isinstance(values, dict):
            raise source.error("meters are tables", "", "meter", "write [[meter]]")
        if config.role == "meter":
            config.meters.append(device.device(source, table, values))
        else:
            config.meters.append(_known(source, table, values))
    if config.role == "meter" and len(config.meters) != 1:
        raise source.error("a meter file describes one [[meter]], this one has {}".format(len(config.meters)))
    return config


def _known(source, table, values):
    source.check(table, values, _KNOWN)
    source.require(table, values, ("id",))
    meter_address = source.address(table, values)
    name, key = values.get("name", values["id"]), source.key(table, values)
    return KnownMeter(name, meter_address, key, values.get("profile"))
