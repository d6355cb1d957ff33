"""The key store: which key belongs to which meter, in a file that only its owner can read.

One key per line, `id key`, and behind them what is needed: `key_id=1`, `version=2`, `name=kitchen`, `prepared`. id is the
eight digits or a whole address such as 12345678.M=KAM.V=1b.T=16, key is 32 hex digits. A row without `key_id` or `version`
stands for any of them: the MAC shows whether it was the right one; but the MAC key of a burst meter, `key_id=0x0F`, and keys
of applications, from `key_id=0x10` on, have rows of their own. `prepared` is a key that was handed to the meter and is not yet in use. Blank lines and `#` comments are
kept. A list of `id key` of one's own is the same file.

Nothing here quotes a key, or a line that may hold one.
"""

import contextlib
import os
import pathlib
import re
import stat

from ..errors import ConfigError, MisuseError, StoreError
from ..link.address import Address
from ..security.key_text import written
from ..security.keys import Key
from .masking import is_like_a_key
from .store import default_state_dir, sync_directory

FILE_NAME = "key_store"
MASTER_KEY = 0  # KeyID of the key that a meter is delivered with (security sheet 10.2)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
MAC_KEY = 0x0F  # of OMS LPWAN (Annex Q.3.4)
_APPLICATIONS = 0x10  # keys of communication have lower KeyIDs (sheet 10.2)
_MOST_KEY_ID, _MOST_VERSION = 0x2F, 255
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)


def credential(name):
    """Path of a systemd credential ($CREDENTIALS_DIRECTORY/name), or None if the service was given none of that name."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory or "/" in name or name in ("", ".", ".."):
        return None
    path = pathlib.Path(directory) / name
    return path if path.is_file() else None


def default_path(state_dir=None):
    """Where the store is: `key_store` in state_dir; else where a user's state is; else a systemd credential of that name. If
    there is none, the first of these."""
    places = [pathlib.Path(one) / FILE_NAME for one in (state_dir, default_state_dir()) if one]
    given = credential(FILE_NAME)
    for path in (*places, *([given] if given else [])):
        if path.exists():
            return path
    return places[0]


class Row:
    """One key. pattern: Address whose None fields match all. key_id, version: None for any. name: the word by which a
    configuration calls it, or None. active: False while it is prepared only. comment: what stands behind the `#`."""

    def __init__(self, pattern, key, key_id=None, version=None, name=None, active=True, comment=""):
        for value, most, what in ((key_id, _MOST_KEY_ID, "KeyID"), (version, _MOST_VERSION, "key version")):
            if value is not None and not 0 <= value <= most:
                raise MisuseError("a {} is 0 to {}".format(what, most))
        if name is not None and (is_like_a_key(name) or not _NAME.fullmatch(name)):
            raise MisuseError("a name has letters, digits, - _ and . only")
        self.pattern = pattern
        self.key = key
        self.key_id = key_id
        self.version = version
        self.name = name
        self.active = active
        self.comment = comment

    def place(self):
        """Two rows of one place cannot both be right."""
        return self.pattern, self.key_id, self.version

    def __repr__(self):
        return "Row({}, {})".format(self.called(), self.key)

    def called(self):
        """What a message calls it."""
        text = str(self.pattern)
        text += "" if self.key_id is None else " KeyID " + key_id_text(self.key_id)
        return text + ("" if self.version is None else " version {}".format(self.version))

    def line(self):
        """With the key: for the file only."""
        words = [str(self.pattern), written(self.key)]
        words += [] if self.key_id is None else ["key_id=" + key_id_text(self.key_id)]
        words += [] if self.version is None else ["version={}".format(self.version)]
        words += [] if self.name is None else ["name=" + self.name]
        words += [] if self.active else ["prepared"]
        return " ".join(words) + ("  # " + self.comment if self.comment else "")


class KeyStore:
    """default: Key for every meter that no row names, or None. path: of the file, None if there is none."""

    def __init__(self, default=None):
        self.default = default
        self.path: pathlib.Path | None = None
        self._lines = []  # of the file in its order: a Row, or the text of a comment
        self._by_ident = {}

    def __len__(self):
        return sum(len(rows) for rows in self._by_ident.values())

    def rows(self, pattern=None):
        """The Rows in the order of the file; pattern: Address to which they must apply, or None."""
        if pattern is not None:
            return [row for row in self._by_ident.get(pattern.ident, ()) if row.pattern.matches(pattern)]
        return [line for line in self._lines if isinstance(line, Row)]

    def add(self, row):
        """A further Row."""
        self._lines.append(row)
        self._by_ident.setdefault(row.pattern.ident, []).append(row)

    def at(self, row):
        """The Row in the same place as this one, or None."""
        for other in self._by_ident.get(row.pattern.ident, ()):
            if other.place() == row.place():
                return other
        return None

    def remove(self, row):
        """Take a Row out that is in it."""
        self._lines.remove(row)
        self._by_ident[row.pattern.ident].remove(row)

    def key_for(self, address, key_id=MASTER_KEY, key_version=None):
        """The Key of an Address, or None. key_version: None for the one in use."""
        row = self.row_for(address, key_id, key_version)
        return self.default if row is None else row.key

    def row_for(self, address, key_id=MASTER_KEY, key_version=None):
        """The Row that serves, or None. The first pattern in the file that has one counts; of its rows the one that says
        KeyID and version rather than any, and of several the last, which is the newest."""
        best, rank = None, (False, False)
        for row in self._by_ident.get(address.ident, ()):
            fits = row.key_id == key_id or row.key_id is None and key_id < MAC_KEY
            if not fits or not row.pattern.matches(address):
                continue
            if row.version not in (None, key_version) if key_version is not None else not row.active:
                continue
            if best is not None and row.pattern != best.pattern:
                continue
            own = (row.key_id is not None, key_version is not None and row.version is not None)
            if best is None or own >= rank:
                best, rank = row, own
        return best

    def named(self, name):
        """The Row that is called so, the last one in use; or None."""
        found = [row for row in self.rows() if row.name == name and row.active]
        return found[-1] if found else None

    def load(self, path, private=False):
        """Add what a key file says. private: refuse it if others than its owner can read or change it.

        ConfigError with file and line if it cannot be read or understood.
        """
        self.path = pathlib.Path(path)
        what = "key store" if private else "key file"
        try:
            with open(path, encoding="utf-8-sig") as file:
                mode = os.fstat(file.fileno()).st_mode
                if private and stat.S_ISREG(mode) and mode & _OTHERS:
                    raise ConfigError(
                        "the key store {} is open to others (mode {:04o})".format(path, stat.S_IMODE(mode)),
                        hint="chmod 600 {}".format(path),
                    )
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise ConfigError("the {} cannot be read: {}".format(what, reason)) from None
        for number, line in enumerate(lines, 1):
            text, _, comment = line.partition("#")
            if not text.strip():
                self._lines.append(line)
                continue
            try:
                self.add(row_of(text, comment.strip()))
            except MisuseError as error:
                raise ConfigError(
                    "{}, line {}: {}".format(what, number, error.message), position=number
                ) from None

    def save(self):
        """Write the file, mode 0600, so that after a power cut either the old or the new one is there. StoreError if it
        fails."""
        text = "".join((line.line() if isinstance(line, Row) else line) + "\n" for line in self._lines)
        path = pathlib.Path(os.path.realpath(str(self.path)))
        temporary = path.with_name(path.name + ".tmp")
        try:
            temporary.unlink(missing_ok=True)
            with open(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
            ) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_directory(path.parent)
        except OSError as error:
            raise _cannot_write(path, error) from None


def find(path=None):
    """The KeyStore at `path` (default_path() if None); an empty one if there is no file. ConfigError as `load`.

    A systemd credential may be readable by its group: systemd sets that itself.
    """
    path = pathlib.Path(path or default_path())
    store = KeyStore()
    store.path = path
    if path.exists():
        store.load(path, private=path != credential(FILE_NAME))
    return store


@contextlib.contextmanager
def changing(path):
    """The KeyStore at `path` to be changed; it is saved at the end, if no exception comes. One process at a time."""
    import fcntl

    path = pathlib.Path(path)
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        held = open(os.open(lock, os.O_WRONLY | os.O_CREAT, 0o600), "w")  # noqa: SIM115 (the `with` below)
    except OSError as error:
        raise _cannot_write(lock, error) from None
    with held:
        fcntl.flock(held, fcntl.LOCK_EX)
        store = find(path)
        yield store
        store.save()


def _cannot_write(path, error):
    return StoreError(
        "cannot write {}: {}".format(path, error.strerror), hint="check free space and permissions there"
    )


def address(text):
    """The Address of an id as people write it. MisuseError that does not quote it: who swaps the columns has written a key
    here."""
    try:
        if is_like_a_key(text):
            raise MisuseError
        return Address.parse(text)
    except MisuseError:
        raise MisuseError("the first word is no id: write 12345678 or 12345678.M=KAM.V=1b.T=16") from None


def key_id_text(number):
    """A KeyID as it is written in the store."""
    return str(number) if number < _APPLICATIONS else "0x{:02X}".format(number)


def number_of(text):
    """A short number, decimal or 0x and hex as OMS writes KeyIDs; None if it is none."""
    if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,2}", text):
        return int(text, 16)
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else None


def row_of(text, comment=""):
    """The Row of a line without its comment. MisuseError that does not quote it."""
    words = text.split()
    if len(words) < 2 or any("=" not in word and word != "prepared" for word in words[2:]):
        raise MisuseError("expected an id and a key, found {} words".format(len(words)))
    found = {}
    for word in words[2:]:
        field, _, value = word.partition("=")
        if field in found:
            raise MisuseError("{} stands twice".format(field))
        if field in ("key_id", "version"):
            number = number_of(value)
            if number is None:
                raise MisuseError("{} is a number".format(field))
            found[field] = number
        elif field in ("name", "prepared"):
            found[field] = value
        else:
            raise MisuseError("behind the key stand key_id=, version=, name= and prepared only")
    return Row(
        address(words[0]),
        Key.from_hex(words[1]),
        found.get("key_id"),
        found.get("version"),
        found.get("name"),
        "prepared" not in found,
        comment,
    )
