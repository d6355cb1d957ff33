"""State that survives a restart: one JSON file per thing in the state directory, written atomically."""

import json
import os
import pathlib

from ..errors import StoreError


def default_state_dir():
    """Where state is kept if no configuration says it: `omsnode` in $XDG_STATE_HOME or ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return pathlib.Path(base) / "omsnode"


class JsonStore:
    """`load()` and `save(state)` of one dict. A half-written file cannot occur; a damaged one is set aside.

    problem: StoreError of the last `load`, or None.
    """

    def __init__(self, directory, name):
        self.path = pathlib.Path(directory) / (name + ".json")
        self.problem = None
        self._lock = None

    def claim(self):
        """Keep other processes away for as long as this one lives: two senders would use each access number twice, and
        with it each initialisation vector. StoreError if another one is first, or if nothing can be written here."""
        import fcntl

        path = self.path.with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = open(path, "w")  # noqa: SIM115 (open for as long as we live)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "{} is in use by another process".format(self.path),
                hint="stop that one, or give this meter an id of its own",
            )
        except OSError as error:
            raise _cannot("write", path, error)

    def load(self):
        """The stored dict, or None if there is none or it is damaged (then `problem` says so).

        A damaged file is renamed to `.damaged`, so that it can be looked at and is not overwritten.
        """
        self.problem = None
        try:
            state = json.loads(self.path.read_text(encoding="utf-8"))
            if not isinstance(state, dict):
                raise ValueError("not an object")
            return state
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _cannot("read", self.path, error)
        except (ValueError, RecursionError) as error:
            backup = self.path.with_suffix(".damaged")
            try:
                os.replace(self.path, backup)
            except OSError as reason:
                raise _cannot("set aside", self.path, reason)
            self.problem = StoreError(
                "state file {} is damaged ({})".format(self.path, error),
                hint="it was kept as {}; starting afresh".format(backup.name),
            )
            return None

    def save(self, state):
        """Write the dict so that after a power cut either the old or the new one is there. StoreError if it fails."""
        temporary = self.path.with_suffix(".tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise _cannot("write", self.path, error)


def _cannot(what, path, error):
    return StoreError(
        "cannot {} {}: {}".format(what, path, error.strerror),
        hint="check free space and permissions of state_dir",
    )


class MemoryStore:
    """The same doors without a disk: the demo and tests."""

    problem = None

    def __init__(self, state=None):
        self.state = state

    def load(self):
        return self.state

    def save(self, state):
        self.state = state
