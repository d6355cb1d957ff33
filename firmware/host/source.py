"""A configuration file as a source of values: they are checked, and every complaint says file, line and hint.

Keys are read from the key store or the files that the configuration names, and are never part of a message.
"""

import decimal
import difflib
import pathlib
import re

from ..errors import ConfigError, OmsError
from ..link.address import Address
from ..security.keys import Key
from . import key_store
from .masking import is_like_a_key, without_keys

_MASK = "(looks like a key)"
_KEYS = ("key", "mac_key")  # what names one

_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "[[a list]]",
}


class Source:
    """Where everything stands in the text of a configuration file.

    key_store: path of the key store. found: {what `key` said: where that key was}.

    Below, `table` is the path of a table such as "meter[0].record[1]", `values` the dict that TOML made of it.
    """

    def __init__(self, path, text):
        self.path = pathlib.Path(path)
        self.key_store = key_store.default_path()
        self._store = None
        self.found: dict[str, str] = {}
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
        return ConfigError(
            where + without_keys(message, _MASK), position=line, hint=without_keys(hint, _MASK)
        )

    def check(self, table, values, schema):
        """Every key of `values` is known to the schema and has its type. ConfigError with a suggestion otherwise."""
        for key, value in values.items():
            if key not in schema:
                near = difflib.get_close_matches(key.lower(), schema, 1)
                raise self.error(
                    "unknown key '{}'{}".format(key, " in [{}]".format(table) if table else ""),
                    table,
                    key,
                    "did you mean '{}'?".format(near[0])
                    if near
                    else "known here: " + ", ".join(sorted(schema)),
                )
            if isinstance(value, str) and key not in (*_KEYS, "data") and is_like_a_key(value):
                raise self.error("{} looks like a key".format(key), table, key, "only `key` names one")
            if isinstance(value, str) and "\0" in value:
                raise self.error("{} has a character that no name has".format(key), table, key)
            if isinstance(value, decimal.Decimal) and not (value.is_finite() and abs(value.adjusted()) < 40):
                raise self.error("{} = {} is no usable number".format(key, value), table, key)
            wanted = schema[key]
            if isinstance(wanted, tuple) and isinstance(wanted[0], str):
                if value not in wanted:
                    raise self.error(
                        "{} cannot be {!r}".format(key, value), table, key, "one of: " + ", ".join(wanted)
                    )
            elif not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
                raise self.error("{} must be {}".format(key, _wanted(wanted)), table, key)

    def require(self, table, values, keys):
        """Every one of `keys` is there. ConfigError otherwise."""
        for key in keys:
            if key not in values:
                raise self.error("{} is missing".format(key), table, None, "add a line: {} = ...".format(key))

    def address(self, table, values, name="id"):
        """An Address: "12345678.M=KAM.V=1b.T=16" or 8 digits."""
        try:
            return Address.parse(values[name])
        except (OmsError, ValueError):
            raise self.error(
                "{} {!r} is no meter address".format(name, values[name]),
                table,
                name,
                "8 digits as printed on the meter, or all of it: 12345678.M=KAM.V=1b.T=16",
            ) from None

    def key(self, table, values, what="key"):
        """The Key that `what` names, or None.

        "@name" is looked for in this order: the row of the key store that has this name; the file of this name, relative to
        the configuration; the systemd credential ($CREDENTIALS_DIRECTORY/name). Without the @ the file is keys/<name>. What
        has a slash in it can only be a file. `found` then says where each one was.
        """
        name = values.get(what)
        if name is None:
            return None
        if is_like_a_key(name):
            raise self.error(
                "the key itself stands in the configuration",
                table,
                what,
                'put the 32 digits into a file that only you can read, and write {} = "@that-file"'.format(
                    what
                ),
            )
        bare = name.removeprefix("@")
        row = None if "/" in bare else self.store().named(bare)
        if row is not None:
            self.found[name] = "key store"
            return row.key
        file = self.path.parent / (bare if name.startswith("@") else "keys/" + name)
        kind = "key file"
        given = None if file.exists() else key_store.credential(bare)
        if given is not None:
            file, kind = given, "credential"
        self.found[name] = kind
        try:
            digits = "".join(file.read_text(encoding="ascii").split())
        except OSError as reason:
            raise self.error(
                "key file {}: {}".format(file, reason.strerror),
                table,
                what,
                "it holds the 32 hex digits of one key; a key of this name is neither in the key store {} "
                "nor a systemd credential".format(self.key_store),
            ) from None
        except UnicodeDecodeError:
            digits = ""
        if not re.fullmatch(r"[0-9A-Fa-f]{32}", digits):
            # `from None`: the exception that is being handled may quote the text.
            raise self.error(
                "{} {} does not hold 32 hex digits".format(kind, file),
                table,
                what,
                "one line such as 00112233...EEFF, no 0x",
            ) from None
        return Key.from_hex(digits)

    def store(self):
        """The key store, read when it is first asked for. ConfigError if it cannot be."""
        if self._store is None:
            self._store = key_store.find(self.key_store)
        return self._store


def _wanted(kind):
    if not isinstance(kind, tuple):
        return _WORDS[kind]
    return "a number or text in quotes" if str in kind else "a number"
