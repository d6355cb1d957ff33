"""The configuration file: TOML (design of the house, "Configuration"), checked, with file, line and hint.

`load(path)` gives a Config or raises ConfigError; the message starts with "file:line:".
"""

import decimal
import pathlib
import re
import tomllib
from dataclasses import dataclass, field

from ..errors import ConfigError, MisuseError
from ..link.address import Address
from ..phy import modes
from ..phy.burst import submodes
from ..roles.collector import KnownMeter
from . import device, key_store
from .source import Source

ROLES = ("collector", "meter", "repeater")


def _suffixed(name):
    carriers = submodes.limits(name).sub_carriers
    return ["{}.{}".format(name, n) for n in carriers] if len(carriers) > 1 else []


# Of the burst mode one sub-carrier n each: "UL-B1.3"; without suffix the middle one.
_BURST_MODES = [one for name in submodes.UPLINKS for one in (name, *_suffixed(name))]
RECEIVE_MODES = (*sorted({row.name for row in modes.every()}), modes.T_AND_C, *_BURST_MODES)

# Per table: {key: type}. A tuple of strings means one of these words.
_TOP = {"node": dict, "radio": dict, "gateway": dict, "repeater": dict, "meter": list}
_NODE = {"role": ROLES, "state_dir": str, "default_keys": bool}
_RADIO = {"hat": str, "mode": RECEIVE_MODES, "beyond_limits": bool, "raw_sync": bool, "msk": bool}
_GATEWAY = {"id": str, "install": ("none", "known"), "radio": str}
_KNOWN = {
    "name": str,
    "id": str,
    "key": str,
    "mac_key": str,
    "profile": ("A", "B", "D"),
    "commands": bool,
    "manage_link": bool,
}
_REPEATER = {"id": str}
# Device types of a communication controller and of a unidirectional repeater.
_CONTROLLER = 0x31
_UNIDIRECTIONAL_REPEATER = 0x32


@dataclass
class Radio:
    """A [radio.name] table. hat: row of board/hats.py, None if the table names none: what is simulated must never be
    taken for what is heard. mode: what to listen to, None for the default. beyond_limits: burst sub-modes may be used in which
    the chip does not keep to Annex Q; what comes of that is labelled. raw_sync, msk: options of the CC1101 driver."""

    name: str = "main"
    hat: str | None = None
    mode: str | None = None
    beyond_limits: bool = False
    raw_sync: bool = False
    msk: bool = False

    @property
    def burst(self):
        """Whether it listens to a burst sub-mode."""
        return self.mode is not None and self.mode.startswith("UL-B")


@dataclass
class Gateway:
    """The [gateway] table: the collector also sends. address: its own. install: whose installation it confirms, nobody's
    ("none") or that of the meters in the configuration ("known"). radio: name of the one that sends."""

    address: Address
    install: str = "none"
    radio: str = "main"


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
    gateway: Gateway | None = None  # None: receive only
    partners: list = field(default_factory=list)  # of the meters those that take commands
    managed: list = field(default_factory=list)  # of those whose link the gateway manages of its own accord
    mac_keys: dict = field(default_factory=dict)  # KnownMeter: Key, where the file names one
    repeater: Address | None = None  # of our own


def load(path, role=None):
    """Read and check the file. role: what the caller needs ("meter", "collector"); another one is refused."""
    path, text, document = _read(path, role)
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
    _one_uplink(source, config.radios)
    for index, values in enumerate(document.get("meter", [])):
        table = "meter[{}]".format(index)
        if not isinstance(values, dict):
            raise source.error("meters are tables", "", "meter", "write [[meter]]")
        if config.role == "meter":
            config.meters.append(device.device(source, table, values))
        else:
            meter = _known(source, table, values)
            config.meters.append(meter)
            if "mac_key" in values:
                config.mac_keys[meter] = source.key(table, values, "mac_key")
            if values.get("commands"):
                if "gateway" not in document:
                    hint = 'add [gateway] with id = "12345678.M=OMS.V=01.T=31"'
                    raise source.error("commands = true needs a [gateway]", table, "commands", hint)
                config.partners.append(meter)
            if values.get("manage_link"):
                if not values.get("commands"):
                    raise source.error("manage_link needs commands = true", table, "manage_link")
                config.managed.append(meter)
    if "gateway" in document:
        if config.role == "meter":
            raise source.error("a meter is no gateway", "gateway", None, "[gateway] is for a collector")
        config.gateway = _gateway(source, document["gateway"], config.radios)
        _management(source, config)
    if config.role == "repeater":
        _repeater(source, document, config)
    elif "repeater" in document:
        raise source.error("a {} is no repeater".format(config.role), "repeater", None, 'role = "repeater"')
    if config.role == "meter" and len(config.meters) != 1:
        raise source.error("a meter file describes one [[meter]], this one has {}".format(len(config.meters)))
    return config


def _read(path, role):
    """(path, text, document) of a TOML file."""
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
    return path, text, document


def state_dir(path):
    """Where the collector of this file has its state, None if it does not say so: for who wants nothing else of it, and may
    not read its keys."""
    path, text, document = _read(path, "collector")
    source = Source(path, text)
    source.check("", document, _TOP)
    source.check("node", document.get("node", {}), _NODE)
    name = document.get("node", {}).get("state_dir")
    return None if name is None else path.parent / name


def _gateway(source, values, radios):
    source.check("gateway", values, _GATEWAY)
    source.require("gateway", values, ("id",))
    own = source.address("gateway", values)
    if None in (own.manufacturer, own.version, own.device_type) or own.device_type != _CONTROLLER:
        raise source.error(
            "a gateway has a whole address of device type 31",
            "gateway",
            "id",
            'such as "12345678.M=OMS.V=01.T=31": eight digits and version of your own choice',
        )
    names = [one.name for one in radios] or ["main"]
    radio = values.get("radio", names[0])
    known = "radio = " + " or ".join('"{}"'.format(name) for name in names)
    if radio not in names:
        raise source.error("there is no radio {}".format(radio), "gateway", "radio", known)
    if len(names) > 1 and "radio" not in values:
        raise source.error("which of the radios sends?", "gateway", None, known)
    bursts = [one.name for one in radios if one.burst]
    if radio in bursts and len(bursts) > 1:
        hint = "leave the others out: what two of them hear is one frame, and is answered in one place"
        raise source.error("a gateway of burst meters has one radio for them", "gateway", "radio", hint)
    return Gateway(own, values.get("install", "none"), radio)


def _one_uplink(source, radios):
    """Bursts of one frame may be heard by several radios, on different sub-carriers; but of one sub-mode."""
    found = {submodes.base(one.mode): one for one in radios if one.burst}
    if len(found) > 1:
        first, second = list(found)[:2]
        hint = (
            "all burst radios of a collector listen to one sub-mode; n may differ, as in UL-B1.0 and UL-B1.3"
        )
        raise source.error("{} beside {}".format(second, first), "radio." + found[second].name, "mode", hint)


def _repeater(source, document, config):
    for table in ("meter", "gateway"):
        if table in document:
            raise source.error("a repeater knows no {}".format(table), table, None, "it repeats every meter")
    if len(config.radios) > 1:
        raise source.error("a repeater has one radio", "radio." + config.radios[1].name)
    values = document.get("repeater", {})
    source.check("repeater", values, _REPEATER)
    source.require("repeater", values, ("id",))
    try:
        config.repeater = repeater_address(values["id"])
    except MisuseError as error:
        raise source.error(error.message, "repeater", "id", error.hint)


def repeater_address(text):
    """Address of a repeater; MisuseError with a hint if the text is none."""
    own = Address.parse(text)
    if None in (own.manufacturer, own.version) or own.device_type != _UNIDIRECTIONAL_REPEATER:
        hint = 'such as "12345678.M=OMS.V=01.T=32": eight digits and version of your own choice'
        raise MisuseError("a repeater has a whole address of device type 32", hint=hint)
    return own


def _management(source, config):
    """One radio hears one sub-carrier of one sub-mode: a meter that is sent elsewhere would be lost to it (UL-B4 has no others)."""
    sends = [one.mode for one in config.radios if one.name == config.gateway.radio]
    if config.managed and sends != ["UL-B4"]:
        raise source.error(
            "links are managed on UL-B4 only",
            "gateway",
            None,
            'mode = "UL-B4" for the radio that sends, or leave manage_link out; omsnode command METER mac-link moves a meter by hand',
        )


def _known(source, table, values):
    source.check(table, values, _KNOWN)
    source.require(table, values, ("id",))
    meter_address = source.address(table, values)
    name, key = values.get("name", values["id"]), source.key(table, values)
    return KnownMeter(name, meter_address, key, values.get("profile"))
