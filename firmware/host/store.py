"""State that survives a restart: one JSON file per thing in the state directory, written atomically."""

import json
import os
import pathlib
import zlib

from ..errors import StoreError


def default_state_dir():
    """Where state is kept if no configuration says it: `omsnode` in $XDG_STATE_HOME or ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return pathlib.Path(base) / "omsnode"


class JsonStore:
    """`load()` and `save(state)` of one dict. A half-written file cannot occur. There are two files with the same content,
    so that one may be damaged by whatever else befalls a card; the damaged one is set aside.

    problem: StoreError of the last `load`, or None. lost: the last `load` found that there was state once, but none that can
    be read.
    """

    def __init__(self, directory, name):
        self.path = pathlib.Path(directory) / (name + ".json")
        self.copy = self.path.with_suffix(".copy")
        self.damaged = self.path.with_suffix(".damaged")
        self.problem = None
        self.lost = False
        self._lock = None
        self._rooted = False

    def claim(self):
        """Keep other processes away for as long as this one lives: two senders would use each access number twice, and
        with it each initialisation vector. StoreError if another one is first, or if nothing can be written here."""
        import fcntl

        path = self.path.with_suffix(".lock")
        try:
            os.makedirs(path.parent, exist_ok=True)
            self._lock = open(path, "w")  # noqa: SIM115 (open for as long as we live)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "{} is in use by another process".format(self.path),
                hint="stop that one, or give this meter an id of its own",
            )
        except OSError as error:
            raise _cannot("write", path, error)

    def release(self):
        """Let others claim it."""
        if self._lock:
            self._lock.close()

    def load(self):
        """The stored dict, or None if there is none or it is damaged (then `problem` says so).

        A damaged file is renamed to `.damaged`, so that it can be looked at and is not overwritten, and its copy is taken.
        """
        self.problem, self.lost = None, False
        state, wrong = _read(self.path)
        if state is not None:
            return state
        state, copy_wrong = _read(self.copy)
        if isinstance(wrong, ValueError):
            try:
                os.replace(self.path, self.damaged)
            except OSError as reason:
                raise _cannot("set aside", self.path, reason)
        elif state is None and isinstance(wrong or copy_wrong, OSError):
            raise _cannot("read", self.path, wrong or copy_wrong)
        what = "missing" if wrong is None else "damaged ({})".format(wrong)
        kept = "it was kept as {}; ".format(self.damaged.name) if isinstance(wrong, ValueError) else ""
        if state is not None:
            self.problem = StoreError(
                "state file {} is {}".format(self.path, what),
                hint="{}continuing from its copy {}".format(kept, self.copy.name),
            )
            return state
        if wrong or copy_wrong or os.path.exists(self.damaged):
            self.lost = True
            self.problem = StoreError(
                "state file {} is {}, and there is no copy that can be read".format(self.path, what),
                hint="{}starting afresh".format(kept),
            )
        return None

    def save(self, state):
        """Write the dict so that after a power cut either the old or the new one is there. StoreError if it fails."""
        text = json.dumps(state)
        if state:
            text = '{}, "check": "{}"}}'.format(text[:-1], _check(text))
        try:
            os.makedirs(self.path.parent, exist_ok=True)
            for path in (self.copy, self.path):
                temporary = path.with_suffix(path.suffix + ".tmp")
                with open(temporary, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            sync_directory(self.path.parent)
            self._root()
        except OSError as error:
            raise _cannot("write", self.path, error)

    def _root(self):
        """The directory may be new, and then it is not on the disk before the one that holds it is written, and so on."""
        if self._rooted:
            return
        for directory in self.path.parent.absolute().parents:
            try:
                sync_directory(directory)
            except PermissionError:  # not ours, so it was there before us
                pass
        self._rooted = True


def _check(text):
    return "{:08x}".format(zlib.crc32(text.encode()))


def _read(path):
    """(dict, None), or (None, why not): None if there is no such file, OSError, or ValueError if it is damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            state = json.loads(file.read())
        if not isinstance(state, dict):
            raise ValueError("not an object")
        check = state.pop("check", None)
        if check not in (None, _check(json.dumps(state))):
            raise ValueError("a byte was changed; if that was you, remove its check")
        return state, None
    except FileNotFoundError:
        return None, None
    except RecursionError:
        return None, ValueError("nested too deeply")
    except (OSError, ValueError) as error:
        return None, error


def sync_directory(path):
    """What was renamed into it is on the disk. OSError if it cannot be."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _cannot(what, path, error):
    return StoreError(
        "cannot {} {}: {}".format(what, path, error.strerror),
        hint="check free space and permissions of state_dir",
    )


class MemoryStore:
    """The same doors without a disk: the demo and tests."""

    problem = None
    state = None

    def load(self):
        """What was saved last, or None."""
        return self.state

    def save(self, state):
        """Keep the state (plain data)."""
        self.state = state
