"""`omsnode config`: what a configuration file says, checked; keys by where they are and their fingerprints."""

import argparse

from omsnode.firmware.host import config, key_check
from omsnode.firmware.host.masking import without_keys

from ._parser import masked

_BY_FINGERPRINT = "a key is shown by where it was found and a fingerprint, which does not lead back to it"


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "config",
        description="Check a configuration file and print what it says, as TOML without its comments.\n"
        "No key is printed: " + _BY_FINGERPRINT + ".",
        epilog="exit status: 0 all right, 2 something is wrong: file, line and hint are on standard error",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="TOML file of a collector or a meter")
    return parser


def run(args):
    settings = config.load(args.file)
    lines = ["# {}: a {}, checked".format(masked(args.file), settings.role)]
    keys = [getattr(one, "key", None) or getattr(one.profile, "key", None) for one in settings.meters]
    for index, (name, value) in enumerate(settings.document.items()):
        if index or lines:
            lines.append("")
        if name == "meter":
            for values, key in zip(value, keys, strict=True):
                lines += ["[[meter]]"] + _table("meter", values, _where(settings, values, key)) + [""]
            lines.pop()
        elif name == "radio":
            for radio, values in value.items():
                lines += ["[radio.{}]".format(_name(radio)), *_table("radio", values), ""]
            lines.pop()
        else:
            lines += ["[{}]".format(name), *_table(name, value)]
    print("\n".join(lines))
    return 0


def _where(settings, values, key):
    """The comment behind a key. A collector takes it from the key store even where the configuration names none."""
    source = settings.source
    if key is None:
        if settings.role == "meter":
            return ""
        row = source.store().row_for(source.address("", values)) if "id" in values else None
        return "" if row is None else "# key: key store, fingerprint {}".format(row.key.fingerprint())
    weak = key_check.weakness(key)
    where = "# {}, fingerprint {}".format(source.found.get(values["key"]), key.fingerprint())
    return where + (", weak: " + weak if weak else "")


def _table(path, values, about_key=""):
    """Lines of `name = value`; then the tables inside it."""
    lines, inner = [], []
    for name, value in values.items():
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for one in value:
                inner += ["", "[[{}.{}]]".format(path, _name(name)), *_table(path + "." + name, one)]
        else:
            comment = "  " + about_key if name == "key" and about_key else ""
            if isinstance(value, str) and name != "data":
                value = without_keys(value)
            lines.append("{} = {}{}".format(_name(name), _value(value), comment))
    if about_key and "key" not in values:
        lines.append(about_key)
    return lines + inner


def _name(text):
    text = without_keys(text)
    return text if text.replace("-", "_").isidentifier() and text.isascii() else _value(text)


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[{}]".format(", ".join(_value(one) for one in value))
    if isinstance(value, str):
        escaped = "".join(
            "\\" + char
            if char in '"\\'
            else char
            if char >= " " and char != "\x7f"
            else "\\u{:04x}".format(ord(char))
            for char in value
        )
        return '"{}"'.format(escaped)
    return str(value)
