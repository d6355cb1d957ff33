"""The configuration and the keys that go onto the machine, from a file of the user's or made up."""

import pathlib
import re
import secrets
import tempfile

from omsnode.firmware.errors import ConfigError
from omsnode.firmware.host import config, key_store
from omsnode.firmware.host.config import load
from omsnode.firmware.security.key_text import written

from . import unit

_COLLECTOR = """\
[node]
role = "collector"

# Name your meters here; `omsnode collect --help` shows how. Everything that is heard is reported anyway.
"""
_METER = """\
[node]
role = "meter"

[[meter]]
name = "test_meter"
id = "{id}.M=TST.V=01.T=07"     # a water meter with the data points that OMS asks for; `omsnode meter --help` has more
key = "@test_meter.key"
points = "OMS standard set"
mode = "T1"
interval_s = 60
"""
_REPEATER = """\
[node]
role = "repeater"

[radio.main]
mode = "T+C"                    # or S1: what to listen to; each telegram is repeated in the mode it came in

[repeater]
id = "{id}.M=OMS.V=01.T=32" # its own address, for its management data
"""
_STATE_DIR = 'state_dir = "/var/lib/{}"'.format(unit.STATE)


def made_up(role):
    """(files, credentials) as plan.install takes them, for who has no configuration yet."""
    if role == "collector":
        return {"collector.toml": (_COLLECTOR, False)}, set()
    digits = "{:08d}".format(secrets.randbelow(10**8))
    if role == "repeater":
        return {"repeater.toml": (_REPEATER.format(id=digits), False)}, set()
    text = _METER.format(id=digits)
    files = {
        "meter.toml": (text, False),
        "keys/test_meter.key": (secrets.token_hex(16) + "\n", True),
    }
    return files, {"test_meter.key": "test_meter.key"}


def of_file(path, role, keys=None):
    """(files, credentials, names of the HATs) of the user's configuration; keys: path of a key store that is
    to go with it, or None. ConfigError if the file is not right, as the service would find it."""
    settings = load(path, role)
    source = settings.source
    credentials: set[str] = set()
    files: dict[str, tuple] = {}
    lines = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    if "state_dir" in settings.document.get("node", {}):
        _replace(source, lines, "node", "state_dir", _STATE_DIR)
    for index, values in enumerate(settings.document.get("meter", [])):
        for word in ("key", "mac_key"):
            if word not in values:
                continue
            key = source.key("meter[{}]".format(index), values, word)
            name = _name(values[word], credentials)
            credentials.add(name)
            files["keys/" + name] = (written(key) + "\n", True)
            _replace(source, lines, "meter[{}]".format(index), word, '{} = "@{}"'.format(word, name))
    if keys is not None:
        key_store.find(_there(keys))
        name = key_store.FILE_NAME
        if name in credentials:
            raise ConfigError("a key cannot have the name " + name)
        credentials.add(name)
        files["keys/" + name] = (pathlib.Path(keys).read_text(encoding="utf-8"), True)
    text = "\n".join(lines)
    _prove(text, role, files, settings)
    files[role + ".toml"] = (text, False)
    return files, credentials, [radio.hat for radio in settings.radios if radio.hat]


def _there(path):
    if not pathlib.Path(path).is_file():
        raise ConfigError(
            "{}: no such file".format(path), hint="--keys takes a key store, as `omsnode keys` makes it"
        )
    return path


def _name(word, taken):
    """A name for a credential that no other key has."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", word.removeprefix("@").rpartition("/")[2]).lstrip(".") or "key"
    number, free = 2, name
    while free in taken:
        free = "{}-{}".format(name, number)
        number += 1
    return free


def _replace(source, lines, table, key, new):
    """Put `new` where the file says `key = ...`, and leave the comment behind it."""
    number = source.lines.get((table, key))
    pattern = r"""^(\s*)[\w"'-]+\s*=\s*("[^"]*"|'[^']*')"""
    if number is None or not re.match(pattern, lines[number - 1]):
        raise source.error(
            "{} must stand on a line of its own to be put onto another machine".format(key), table, key
        )
    lines[number - 1] = re.sub(pattern, lambda match: match[1] + new, lines[number - 1])


def _prove(text, role, files, settings):
    """What goes onto the machine says the same as the user's file, with the keys where they will be."""
    with tempfile.TemporaryDirectory(prefix="omsnode-") as folder:
        root = pathlib.Path(folder)
        for name, (key, _) in files.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(key, encoding="utf-8")
            (root / name).chmod(0o600)
        file = root / "keys" / (role + ".toml")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        again = config.load(file, role)

    def keys(one):
        if role == "meter":
            return [(meter.profile.key, meter.listens and meter.listens.keys) for meter in one.meters]
        return [(meter.key, one.mac_keys.get(meter)) for meter in one.meters]

    if keys(again) != keys(settings):
        raise settings.source.error(
            "a key would get lost on the way", "", None, "write each key on a line of its own"
        )
