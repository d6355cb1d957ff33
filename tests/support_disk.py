"""A disk that loses what it may lose: POSIX promises nothing before fsync, and a rename is a change of its directory.

What was written sits in a cache. Data of a file become durable with fsync of the file; names (created, renamed, a new
directory) with fsync of the directory that holds them. Behind a power cut each other thing may be there or not: changes
of names in any selection (ext4's journal keeps their order, other file systems do not promise it), data up to any byte, or
the length without the data (zeros), or what was there before.
"""

import io
import os
import posixpath

DIRECTORY = object()


class PowerCut(BaseException):
    """No handler of the code under test gets to see the end."""


class _Data:
    """One file's bytes. kept: what surely survives. dirty: whether there is more in the cache."""

    def __init__(self, content=b""):
        self.content = content
        self.kept = content
        self.dirty = False

    def survivors(self, every):
        """What may be there after a cut. every: all prefixes, else some."""
        if not self.dirty:
            return [self.content]
        size = len(self.content)
        cuts = range(size + 1) if every else sorted({0, 1, size // 2, max(0, size - 1), size})
        found = [self.content[:cut] for cut in cuts]
        found += [self.kept, bytes(size), self.content[: size // 2] + bytes(size - size // 2)]
        return list(dict.fromkeys(found))


class _File:
    def __init__(self, disk, data, mode):
        self.disk, self.data = disk, data
        self.reading = io.BytesIO(data.content) if "r" in mode else None
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self.disk.dead:
            self.flush()

    def fileno(self):
        return self.data

    def read(self):
        return self.reading.read().decode("utf-8")

    def write(self, text):
        self.buffer += text.encode()

    def flush(self):
        """Two writes, so that a cut can fall between them."""
        half = len(self.buffer) // 2
        for piece in (self.buffer[:half], self.buffer[half:]):
            if piece:
                with self.disk.call("write"):
                    self.data.content += piece
                    self.data.dirty = True
        self.buffer = b""


class _Call:
    """A system call: something may happen before it and behind it."""

    def __init__(self, disk, name):
        self.disk, self.name = disk, name

    def __enter__(self):
        self.disk.point("before " + self.name)
        if self.disk.fail:
            self.disk.fail(self.name)

    def __exit__(self, kind, *_):
        if kind is None:
            self.disk.point("behind " + self.name)


class Disk:
    """Takes the place of `open` and `os` in the module under test: see `mount`.

    hook(name): called at each point at which the power could go; it may look at `survivors`, or raise PowerCut.
    fail(name): called in each system call; it may raise OSError.
    """

    def __init__(self, names=None):
        self.names = {"/": DIRECTORY, **(names or {})}
        self.durable = dict(self.names)
        self.pending = []  # changes of names: (directory, {path: what, or None where it is gone})
        self.hook = self.fail = None
        self.dead = False
        self.writes = 0
        self.points = 0

    def mount(self, monkeypatch, module):
        monkeypatch.setattr(module, "open", self.open, raising=False)
        monkeypatch.setattr(module, "os", _Os(self))

    def point(self, name):
        if self.dead:
            raise PowerCut
        self.points += 1
        if self.hook:
            try:
                self.hook(name)
            except PowerCut:
                self.dead = True
                raise

    def call(self, name):
        return _Call(self, name)

    def open(self, path, mode="r", encoding=None):
        path = str(path)
        with self.call("open " + mode):
            if "w" in mode:
                if path in self.names:
                    self.names[path].content = b""
                    self.names[path].dirty = True
                else:
                    self._change({path: _Data()}, path)
            if path not in self.names:
                raise FileNotFoundError(2, "No such file", path)
        return _File(self, self.names[path], mode)

    def _change(self, change, path):
        parent = posixpath.dirname(path)
        if self.names.get(parent) is not DIRECTORY:
            raise FileNotFoundError(2, "No such directory", path)
        self.pending.append((parent, change))
        self._apply(self.names, change)

    @staticmethod
    def _apply(names, change):
        for path, what in change.items():
            if what is None:
                names.pop(path, None)
            else:
                names[path] = what

    def replace(self, source, target):
        source, target = str(source), str(target)
        with self.call("replace"):
            if source not in self.names:
                raise FileNotFoundError(2, "No such file", source)
            self._change({source: None, target: self.names[source]}, target)
            self.writes += 1

    def mkdir(self, path):
        path = str(path)
        with self.call("mkdir"):
            if path in self.names:
                raise FileExistsError(17, "File exists", path)
            self._change({path: DIRECTORY}, path)

    def makedirs(self, path, exist_ok=False):
        path = str(path)
        if path not in self.names:
            self.makedirs(posixpath.dirname(path), True)
            self.mkdir(path)

    def fsync(self, what):
        with self.call("fsync"):
            if isinstance(what, _Data):
                what.kept, what.dirty = what.content, False
            else:
                for parent, change in self.pending:
                    if parent == what:
                        self._apply(self.durable, change)
                self.pending = [one for one in self.pending if one[0] != what]

    def survivors(self, every=False):
        """The Disks that may be found after a power cut at this instant; the first one is that of a killed process."""
        seen = set()
        for chosen in range((1 << len(self.pending)) - 1, -1, -1):
            names = dict(self.durable)
            for index, (_, change) in enumerate(self.pending):
                if chosen >> index & 1:
                    self._apply(names, change)
            reached = {path: what for path, what in names.items() if self._reachable(names, path)}
            for contents in _choices([what for what in reached.values() if what is not DIRECTORY], every):
                picture = tuple(
                    (path, what if what is DIRECTORY else contents[what]) for path, what in reached.items()
                )
                if picture not in seen:
                    seen.add(picture)
                    yield Disk({path: what if what is DIRECTORY else _Data(what) for path, what in picture})

    def left(self, rng):
        """One of the survivors at random, also where there are too many to list."""
        names = dict(self.durable)
        for _, change in self.pending:
            if rng.random() < 0.5:
                self._apply(names, change)
        contents = {
            what: rng.choice(what.survivors(False)) for what in names.values() if what is not DIRECTORY
        }
        return Disk(
            {
                path: what if what is DIRECTORY else _Data(contents[what])
                for path, what in names.items()
                if self._reachable(names, path)
            }
        )

    def _reachable(self, names, path):
        while path != "/":
            path = posixpath.dirname(path)
            if names.get(path) is not DIRECTORY:
                return False
        return True


def _choices(files, every):
    """{data: content} in every combination; one file at a time beside the whole ones is enough where many are dirty."""
    files = list(dict.fromkeys(files))
    whole = {data: data.content for data in files}
    yield whole
    variants = {data: data.survivors(every) for data in files if data.dirty}
    for data, contents in variants.items():
        for content in contents:
            yield {**whole, data: content}
    for index in range(max(map(len, variants.values()), default=0)):
        yield {**whole, **{data: contents[index % len(contents)] for data, contents in variants.items()}}


class _Os:
    """What host/store.py uses of `os`, on the disk."""

    O_RDONLY = os.O_RDONLY
    environ = os.environ

    def __init__(self, disk):
        self.disk = disk
        self.path = self
        for name in ("replace", "mkdir", "makedirs", "fsync"):
            setattr(self, name, getattr(disk, name))

    def open(self, path, flags):
        path = str(path)
        with self.disk.call("open directory"):
            if self.disk.names.get(path) is not DIRECTORY:
                raise FileNotFoundError(2, "No such directory", path)
        return path

    def close(self, descriptor):
        pass

    def exists(self, path):
        return str(path) in self.disk.names
