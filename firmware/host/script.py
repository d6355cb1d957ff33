"""The scenario file of a test meter: TOML, checked, with file, line and hint. What can be asked for is in roles/scripted_faults.py.

about = "The first acknowledgement is lost"
gateway = "Repeats the command with the same access number"

[[fault]]
fault = "drop"          # name of a fault, then what it takes, such as by_us = 500
answer = 1              # when: telegram, answer or command number n, or after_s
kind = "ACK"            # only frames of this name count
times = 1               # how many frames have the fault, or "always"
for_s = 20              # no longer than that
"""

import pathlib
import re
import tomllib
from dataclasses import dataclass, field

from ..errors import ConfigError
from ..roles import scripted_faults as faults
from ..roles import scripted_rules as rules
from .source import Source

_TOP = {"about": str, "gateway": str, "fault": list}
_WHEN = {
    "telegram": rules.TELEGRAM,
    "answer": rules.ANSWER,
    "command": rules.COMMAND,
    "after_s": rules.AFTER,
}
_COMMON = {
    "fault": tuple(faults.FAULTS),
    "telegram": int,
    "answer": int,
    "command": int,
    "after_s": int,
    "kind": str,
    "hits": str,
    "times": (int, str),
    "for_s": int,
}
_MOST_S = 31536000
_MOST = 1000000
_ALWAYS = "always"
_NEEDS = {
    faults.MAC: ("a MAC or a message counter", "security_mode = 7 or 10"),
    faults.KEY: ("a key", "security_mode = 5, 7 or 10, and a key"),
    faults.WINDOW: ("access windows", "a meter that answers: mode S2, T2 or C2"),
}


@dataclass
class Script:
    """about: what happens. gateway: what a gateway should make of it. rules: list of scripted_rules.Rule."""

    source: Source
    about: str
    gateway: str
    rules: list = field(default_factory=list)

    def check(self, profile, windows):
        """ConfigError for a fault that the meter with this roles.meter.Profile cannot have. windows: it takes commands."""
        has = {
            None: True,
            faults.MAC: profile.security_mode in (7, 10),
            faults.KEY: profile.security_mode != 0,
            faults.WINDOW: windows,
        }
        for index, rule in enumerate(self.rules):
            table = "fault[{}]".format(index)
            if not has[rule.needs]:
                what, hint = _NEEDS[rule.needs]
                raise self.source.error(
                    "'{}' needs a meter with {}".format(rule.fault, what),
                    table,
                    "fault",
                    "this takes " + hint,
                )
            if rule.on in (rules.ANSWER, rules.COMMAND) and not windows:
                raise self.source.error(
                    "this meter hears no commands and gives no answers",
                    table,
                    rule.on,
                    "count telegrams, or take " + _NEEDS[faults.WINDOW][1],
                )


def load(path):
    """The Script of a file. ConfigError, whose message begins with "file:line:"."""
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            "{}: {}".format(path, error.strerror), hint="give the path of a scenario file"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("{}: not UTF-8 text".format(path)) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = "{}:{}".format(path, line[1]) if line else str(path)
        raise ConfigError(
            "{}: not valid TOML: {}".format(where, error), hint='texts need quotes, as in fault = "drop"'
        ) from None
    except RecursionError:
        raise ConfigError("{}: not valid TOML: nested too deeply".format(path)) from None
    source = Source(path, text)
    source.check("", document, _TOP)
    script = Script(source, document.get("about", ""), document.get("gateway", ""))
    for index, values in enumerate(document.get("fault", ())):
        table = "fault[{}]".format(index)
        if not isinstance(values, dict):
            raise source.error("faults are tables", "", "fault", "write [[fault]]")
        script.rules.append(_rule(source, table, values))
    return script


def _rule(source, table, values):
    source.check(table, {key: values[key] for key in ("fault",) if key in values}, {"fault": str})
    source.require(table, values, ("fault",))
    name = values["fault"]
    if name not in faults.FAULTS:
        near = [one for one in faults.FAULTS if one.lower() == name.lower().replace("_", " ")]
        hint = "did you mean '{}'?".format(near[0]) if near else "one of: " + ", ".join(faults.FAULTS)
        raise source.error("there is no fault '{}'".format(name), table, "fault", hint)
    stage, _, parameters, _ = faults.FAULTS[name]
    schema = dict(_COMMON)
    for parameter, kind, _ in parameters:
        schema[parameter] = str if kind == "hex" else kind
    source.check(table, values, schema)
    chosen = {}
    for parameter, kind, default in parameters:
        if parameter in values:
            chosen[parameter] = _parameter(source, table, parameter, kind, values[parameter])
        elif default is None:
            raise source.error(
                "'{}' needs {}".format(name, parameter),
                table,
                "fault",
                "add a line: {} = ...".format(parameter),
            )
    on, nth = _when(source, table, values)
    kind = _kind(source, table, values, on)
    hits = None
    if "hits" in values:
        if stage != faults.SENDING or on in (rules.TELEGRAM, rules.ANSWER):
            raise source.error(
                "hits is for what is sent behind a command or after some time", table, "hits", "use kind"
            )
        hits = (_word(source, table, "hits", values["hits"], rules.KINDS[rules.AFTER]),)
    times, for_s = _how_long(source, table, values, stage, name)
    return rules.Rule(name, chosen, on, nth, kind, hits, times, for_s and for_s * 1000000)


def _parameter(source, table, parameter, kind, value):
    if kind == "hex":
        if not re.fullmatch(r"([0-9A-Fa-f]{2})+", value):
            raise source.error(
                "{} is hexadecimal".format(parameter), table, parameter, 'as in data = "0C1312345678"'
            )
    elif kind is int:
        least, most = faults.RANGES[parameter]
        _number(source, table, parameter, value, least, most)
    return value


def _number(source, table, key, value, least, most):
    if not least <= value <= most:
        raise source.error(
            "{} = {} is not possible".format(key, value), table, key, "{} to {}".format(least, most)
        )


def _word(source, table, key, value, words):
    if value not in words:
        raise source.error(
            "{} cannot be '{}' here".format(key, value), table, key, "one of: " + ", ".join(words)
        )
    return value


def _when(source, table, values):
    said = [key for key in _WHEN if key in values]
    if len(said) != 1:
        raise source.error(
            "a fault happens at one moment" if said else "when does it happen?",
            table,
            said[1] if said else None,
            "one of: telegram = n, answer = n, command = n, after_s = n",
        )
    key = said[0]
    _number(source, table, key, values[key], 0, _MOST_S if key == "after_s" else _MOST)
    return _WHEN[key], values[key] * (1000000 if key == "after_s" else 1)


def _kind(source, table, values, on):
    if "kind" not in values:
        return None
    if on == rules.AFTER:
        raise source.error(
            "nothing is counted with after_s", table, "kind", 'say what is changed: hits = "ACK"'
        )
    return _word(source, table, "kind", values["kind"], rules.KINDS[on])


def _how_long(source, table, values, stage, name):
    """(times, for_s)."""
    times, for_s = values.get("times"), values.get("for_s")
    if for_s is not None:
        _number(source, table, "for_s", for_s, 1, _MOST_S)
    if stage == faults.METER:
        if times is not None:
            raise source.error("'{}' happens once".format(name), table, "times", "leave it out")
        if for_s is not None and name not in faults.LASTING:
            raise source.error(
                "'{}' happens at one moment".format(name),
                table,
                "for_s",
                "for_s is for: " + ", ".join(faults.LASTING),
            )
        return 1, for_s
    if times is None:
        times = 1 if for_s is None else _ALWAYS
    if isinstance(times, str):
        _word(source, table, "times", times, (_ALWAYS,))
        return rules.ALWAYS, for_s
    _number(source, table, "times", times, 1, _MOST)
    return times, for_s
