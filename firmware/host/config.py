"""The configuration file: TOML (design of the house, "Configuration"), checked, with file, line and hint.

`load(path)` gives a Config or raises ConfigError; the message starts with "file:line:". Keys are read from the files
that the configuration names and are never part of a message.
"""

import decimal
import difflib
import pathlib
import re
import tomllib
from dataclasses import dataclass, field

from ..errors import ConfigError, OmsError
from ..link.address import Address
from ..phy import modes
from ..roles.collector import KnownMeter
from ..security.keys import Key

ROLES = ("collector", "meter")
RECEIVE_MODES = tuple(sorted({row.name for row in modes.every()})) + (modes.T_AND_C,)

# Per table: {key: type}. A tuple of strings means one of these words.
_TOP = {"node": dict, "radio": dict, "meter": list}
_NODE = {"role": ROLES, "state_dir": str, "default_keys": bool}
_RADIO = {"hat": str, "mode": RECEIVE_MODES}
_KNOWN = {"name": str, "id": str, "key": str}

_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "[[a list]]",
}


@dataclass
class Radio:
    name: str = "main"
    hat: str = "virtual"
    mode: str | None = None


@dataclass
class Config:
    source: "Source | None" = None
    role: str = "collector"
    state_dir: pathlib.Path | None = None
    default_keys: bool = False  # try the publicly known ones where a meter has none
    radios: list = field(default_factory=list)
    meters: list = field(default_factory=list)  # KnownMeter for a collector, host.profile.Device for a meter


_LIKE_A_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}[ :_.-]?){16,}")


def _masked(text):
    """A key that was written into the wrong place is not repeated."""
    return _LIKE_A_KEY.sub("(looks like a key)", text)


class Source:
    """The text of a configuration file, to say where something is."""

    def __init__(self, path, text):
        self.path = pathlib.Path(path)
        self.lines: dict[tuple, int] = {}  # (table path, key): line number
        table = ""
        counts: dict[str, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if match := re.match(r"\s*\[\[\s*([\w.\"-]+?)\s*\]\]", line):
                table = self._inside(match[1], counts)
                counts[table] = counts.get(table, -1) + 1
                table = "{}[{}]".format(table, counts[table])
                self.lines[table, None] = number
            elif match := re.match(r"\s*\[\s*([\w.\"-]+?)\s*\]", line):
                table = self._inside(match[1], counts)
                self.lines[table, None] = number
            elif match := re.match(r"\s*([\w\"-]+)\s*=", line):
                self.lines.setdefault((table, match[1].strip('"')), number)

    def _inside(self, dotted, counts):
        """`meter.record` behind the second [[meter]] is `meter[1].record`."""
        path = ""
        parts = dotted.replace('"', "").split(".")
        for part in parts[:-1]:
            path += part
            path += "[{}]".format(counts[path]) if path in counts else ""
            path += "."
        return path + parts[-1]

    def error(self, message, table="", key=None, hint=""):
        """A ConfigError that says where."""
        line = self.lines.get((table, key))
        if line is None and key:  # a key that is a table of its own
            path = (table + "." if table else "") + key
            found = [at for (own, _), at in self.lines.items() if re.match(re.escape(path) + r"\b", own)]
            line = min(found, default=None)
        line = line or self.lines.get((table, None))
        while line is None and table:
            table = table.rpartition(".")[0]
            line = self.lines.get((table, None))
        where = "{}:{}: ".format(self.path, line) if line else "{}: ".format(self.path)
        return ConfigError(where + _masked(message), position=line, hint=_masked(hint))


def check(source, table, values, schema):
    """Every key of `values` is known to the schema and has its type. ConfigError with a suggestion otherwise."""
    for key, value in values.items():
        if key not in schema:
            near = difflib.get_close_matches(key.lower(), schema, 1)
            raise source.error(
                "unknown key '{}'{}".format(key, " in [{}]".format(table) if table else ""),
                table,
                key,
                "did you mean '{}'?".format(near[0]) if near else "known here: " + ", ".join(sorted(schema)),
            )
        if isinstance(value, str) and key not in ("key", "data") and _LIKE_A_KEY.search(value):
            raise source.error("{} looks like a key".format(key), table, key, "only `key` names one")
        if isinstance(value, str) and "\0" in value:
            raise source.error("{} has a character that no name has".format(key), table, key)
        if isinstance(value, decimal.Decimal) and not (value.is_finite() and abs(value.adjusted()) < 40):
            raise source.error("{} = {} is no usable number".format(key, value), table, key)
        wanted = schema[key]
        if isinstance(wanted, tuple) and isinstance(wanted[0], str):
            if value not in wanted:
                raise source.error(
                    "{} cannot be {!r}".format(key, value), table, key, "one of: " + ", ".join(wanted)
                )
        elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise source.error("{} must be {}".format(key, _wanted(wanted)), table, key)


def _wanted(kind):
    if not isinstance(kind, tuple):
        return _WORDS[kind]
    return "a number or text in quotes" if str in kind else "a number"


def require(source, table, values, keys):
    for key in keys:
        if key not in values:
            raise source.error("{} is missing".format(key), table, None, "add a line: {} = ...".format(key))


def load(path, role=None):
    """Read and check the file. role: what the caller needs ("meter", "collector"); another one is refused."""
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        option = "" if role == "meter" else " with --config"
        raise ConfigError("{}: {}".format(path, error.strerror), hint="give the path of a TOML file" + option)
    except UnicodeDecodeError:
        raise ConfigError("{}: not UTF-8 text".format(path))
    try:
        document = tomllib.loads(text, parse_float=decimal.Decimal)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = "{}:{}".format(path, line[1]) if line else str(path)
        raise ConfigError(
            "{}: not valid TOML: {}".format(where, error), hint='texts need quotes, as in name = "kitchen"'
        )
    except RecursionError:
        raise ConfigError("{}: not valid TOML: nested too deeply".format(path)) from None
    source = Source(path, text)
    check(source, "", document, _TOP)
    node = document.get("node", {})
    check(source, "node", node, _NODE)
    config = Config(source, role=node.get("role", role or "collector"))
    if role and config.role != role:
        raise source.error("role is '{}', but this command is a {}".format(config.role, role), "node", "role")
    config.default_keys = node.get("default_keys", False)
    if "state_dir" in node:
        config.state_dir = path.parent / node["state_dir"]
    for name, values in document.get("radio", {}).items():
        table = "radio." + name
        if not isinstance(values, dict):
            raise source.error("radios have names", "radio", name, "write [radio.main]")
        check(source, table, values, _RADIO)
        config.radios.append(Radio(name, **values))
    for index, values in enumerate(document.get("meter", [])):
        table = "meter[{}]".format(index)
        if not isinstance(values, dict):
            raise source.error("meters are tables", "", "meter", "write [[meter]]")
        if config.role == "meter":
            from . import profile

            config.meters.append(profile.device(source, table, values))
        else:
            config.meters.append(_known(source, table, values))
    if config.role == "meter" and len(config.meters) != 1:
        raise source.error("a meter file describes one [[meter]], this one has {}".format(len(config.meters)))
    return config


def _known(source, table, values):
    check(source, table, values, _KNOWN)
    require(source, table, values, ("id",))
    meter_address = address(source, table, values)
    return KnownMeter(values.get("name", values["id"]), meter_address, key(source, table, values))


def address(source, table, values, name="id"):
    """An Address: "12345678.M=KAM.V=1b.T=16" or 8 digits."""
    try:
        return Address.parse(values[name])
    except (OmsError, ValueError):
        raise source.error(
            "{} {!r} is no meter address".format(name, values[name]),
            table,
            name,
            "8 digits as printed on the meter, or all of it: 12345678.M=KAM.V=1b.T=16",
        )


def key(source, table, values):
    """The Key that `key` names, or None. "@file" is relative to the configuration; a bare name is keys/<name>."""
    name = values.get("key")
    if name is None:
        return None
    if _LIKE_A_KEY.search(name):
        raise source.error(
            "the key itself stands in the configuration",
            table,
            "key",
            'put the 32 digits into a file that only you can read, and write key = "@that-file"',
        )
    file = source.path.parent / (name[1:] if name.startswith("@") else "keys/" + name)
    return read_key(file, lambda message, hint: source.error(message, table, "key", hint))


def read_key(file, error):
    """Key from a file with 32 hex digits. error(message, hint) makes the exception; it never sees the content."""
    try:
        text = pathlib.Path(file).read_text(encoding="ascii")
        digits = "".join(text.split())
    except OSError as reason:
        raise error("key file {}: {}".format(file, reason.strerror), "it holds the 32 hex digits of one key")
    except UnicodeDecodeError:
        digits = ""
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", digits):
        # `from None`: the exception that is being handled may quote the text.
        raise error(
            "key file {} does not hold 32 hex digits".format(file), "one line such as 00112233...EEFF, no 0x"
        ) from None
    return Key.from_hex(digits)
